-- What happened to API keys, levels of access, gates and the ladder of stages, and
-- what was refused: append-only. The rows of
-- refusals come from the background worker, after the statement they ended.
CREATE TABLE smartpouch.audit_event (
	id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT audit_event_pkey PRIMARY KEY,
	at timestamptz NOT NULL,
	action text COLLATE "C" NOT NULL,
	key_id text COLLATE "C" CONSTRAINT audit_event_key_id_check CHECK (key_id ~ '^[0-9A-Za-z]{12}$'),
	owner text,
	reason text,
	detail jsonb,
	session_role text,
	acting_role text,
	api_key_id text COLLATE "C",
	client_address inet,
	application_name text
) USING heap;
CREATE INDEX audit_event_at_idx ON smartpouch.audit_event (at);
CREATE INDEX audit_event_key_idx ON smartpouch.audit_event (key_id, at);
COMMENT ON TABLE smartpouch.audit_event IS 'what happened to API keys, levels of access, gates and stages, and what was refused, append-only';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.audit_event', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.audit_event_id_seq', '');

CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.audit_event
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON smartpouch.audit_event
	FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.refuse_change();

CREATE FUNCTION smartpouch.refuse_audit_removal() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smartpouch_refuse_audit_removal';
COMMENT ON FUNCTION smartpouch.refuse_audit_removal() IS
	'trigger: refuses to remove events, unless expire_audit() does';
CREATE TRIGGER refuse_removal BEFORE DELETE ON smartpouch.audit_event
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_audit_removal();
SELECT smartpouch.repair_triggers();

CREATE FUNCTION smartpouch.expire_audit(older_than interval DEFAULT '1 year', dry_run boolean DEFAULT true)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_expire_audit';
COMMENT ON FUNCTION smartpouch.expire_audit(interval, boolean) IS
	'remove old events of API keys; returns how many';

CREATE VIEW smartpouch.audit_events AS
SELECT id, at, action, key_id, owner, reason, detail, session_role, acting_role, api_key_id, client_address, application_name
FROM smartpouch.audit_event;
COMMENT ON VIEW smartpouch.audit_events IS 'what happened to API keys, and what was refused';
