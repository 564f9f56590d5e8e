-- API keys. A row has the hash of a key and never the key; who may see rows
-- sees them in the view api_keys, without the hash. Sessions remember rows, so nothing
-- that changes with use belongs here.
--
-- A key is good in the cluster and database that it was made or adopted in, so that
-- a dump carries keys that nobody can use elsewhere until they are adopted. Its
-- creator is stored as owners of models are.
CREATE TABLE smartpouch.api_key (
	id text COLLATE "C" CONSTRAINT api_key_pkey PRIMARY KEY
		CONSTRAINT api_key_id_check CHECK (id ~ '^[0-9A-Za-z]{12}$'),
	hash bytea NOT NULL CONSTRAINT api_key_hash_check CHECK (octet_length(hash) = 32),
	pepper text,
	stage text NOT NULL CONSTRAINT api_key_stage_check
		CHECK (stage IN ('development', 'testing', 'staging', 'production')),
	owner text NOT NULL CONSTRAINT api_key_owner_check CHECK (octet_length(owner) BETWEEN 1 AND 255),
	scopes text[] NOT NULL,
	rate_limit integer CONSTRAINT api_key_rate_limit_check CHECK (rate_limit > 0),
	burst integer CONSTRAINT api_key_burst_check CHECK (burst > 0),
	quota bigint CONSTRAINT api_key_quota_check CHECK (quota > 0),
	not_before timestamptz NOT NULL,
	expires_at timestamptz NOT NULL,
	enabled boolean NOT NULL DEFAULT true,
	revoked_at timestamptz,
	creator_oid oid NOT NULL,
	creator_name text NOT NULL,
	creator_cluster text NOT NULL,
	cluster_id text NOT NULL,
	database_oid oid NOT NULL,
	chain text NOT NULL,
	replaced_by text,
	revoke_reason text,
	description text,
	tags text[] NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL
) USING heap;
-- hashes do not belong into samples of the table
ALTER TABLE smartpouch.api_key ALTER COLUMN hash SET STATISTICS 0;
CREATE INDEX api_key_chain_idx ON smartpouch.api_key (chain);
COMMENT ON TABLE smartpouch.api_key IS 'API keys by their public id, with hashes in place of secrets';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.api_key', '');

CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON smartpouch.api_key
	FOR EACH ROW EXECUTE FUNCTION smartpouch.registry_changed();
CREATE TRIGGER registry_truncated AFTER TRUNCATE ON smartpouch.api_key
	FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.registry_changed();
SELECT smartpouch.repair_triggers();

-- The life of keys.
CREATE FUNCTION smartpouch.create_api_key(owner text, scopes text[], stage text DEFAULT 'production',
	expires_in interval DEFAULT '90 days', rate_limit integer DEFAULT NULL, quota bigint DEFAULT NULL,
	burst integer DEFAULT NULL, not_before timestamptz DEFAULT NULL, description text DEFAULT NULL,
	tags text[] DEFAULT '{}')
	RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_create_api_key';
COMMENT ON FUNCTION smartpouch.create_api_key(text, text[], text, interval, integer, bigint, integer, timestamptz, text, text[]) IS
	'a new API key, which is shown this once';

CREATE FUNCTION smartpouch.rotate_api_key(key_id text, grace interval DEFAULT '24 hours')
	RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_rotate_api_key';
COMMENT ON FUNCTION smartpouch.rotate_api_key(text, interval) IS
	'a key in the place of another one, which goes on for the time of grace';

CREATE FUNCTION smartpouch.revoke_api_key(key_id text, reason text DEFAULT NULL)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_revoke_api_key';
COMMENT ON FUNCTION smartpouch.revoke_api_key(text, text) IS 'end a key for good';

CREATE FUNCTION smartpouch.enable_api_key(key_id text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_enable_api_key';
COMMENT ON FUNCTION smartpouch.enable_api_key(text) IS 'let a key be used that was disabled';

CREATE FUNCTION smartpouch.disable_api_key(key_id text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_disable_api_key';
COMMENT ON FUNCTION smartpouch.disable_api_key(text) IS 'refuse a key until it is enabled';

CREATE FUNCTION smartpouch.set_api_key_scopes(key_id text, scopes text[])
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_set_api_key_scopes';
COMMENT ON FUNCTION smartpouch.set_api_key_scopes(text, text[]) IS 'change what a key may do';

CREATE FUNCTION smartpouch.adopt_api_keys(creator regrole DEFAULT NULL)
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_adopt_api_keys';
COMMENT ON FUNCTION smartpouch.adopt_api_keys(regrole) IS
	'let keys be used here that came from another cluster or database; returns how many';

-- Using them. One row always, so no SETOF.
CREATE FUNCTION smartpouch.verify_api_key(token text,
	OUT valid boolean, OUT code text, OUT key_id text, OUT owner text, OUT scopes text[])
	RETURNS record LANGUAGE c VOLATILE PARALLEL RESTRICTED CALLED ON NULL INPUT COST 2000
	AS 'MODULE_PATHNAME', 'smartpouch_verify_api_key';
COMMENT ON FUNCTION smartpouch.verify_api_key(text) IS 'is it a good key, whose, and what may it do';

CREATE FUNCTION smartpouch.authenticate(token text)
	RETURNS text LANGUAGE c VOLATILE PARALLEL RESTRICTED CALLED ON NULL INPUT COST 2000
	AS 'MODULE_PATHNAME', 'smartpouch_authenticate';
COMMENT ON FUNCTION smartpouch.authenticate(text) IS
	'be the key''s owner until the end of the transaction; returns the key''s id';

CREATE FUNCTION smartpouch.current_api_key()
	RETURNS text LANGUAGE c STABLE PARALLEL RESTRICTED STRICT COST 10
	AS 'MODULE_PATHNAME', 'smartpouch_current_api_key';
COMMENT ON FUNCTION smartpouch.current_api_key() IS
	'id of the key that authenticated this transaction; NULL for none, or when it is no longer good';

CREATE FUNCTION smartpouch.current_owner()
	RETURNS text LANGUAGE c STABLE PARALLEL RESTRICTED STRICT COST 10
	AS 'MODULE_PATHNAME', 'smartpouch_current_owner';
COMMENT ON FUNCTION smartpouch.current_owner() IS 'owner of the key that current_api_key() tells';

CREATE FUNCTION smartpouch.has_permission(action text, resource text)
	RETURNS boolean LANGUAGE c STABLE PARALLEL RESTRICTED STRICT COST 20
	AS 'MODULE_PATHNAME', 'smartpouch_has_permission';
COMMENT ON FUNCTION smartpouch.has_permission(text, text) IS
	'may the key that authenticated this transaction do that';

CREATE FUNCTION smartpouch.authorize(action text, resource text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL RESTRICTED CALLED ON NULL INPUT COST 20
	AS 'MODULE_PATHNAME', 'smartpouch_authorize';
COMMENT ON FUNCTION smartpouch.authorize(text, text) IS 'raise unless has_permission()';

CREATE FUNCTION smartpouch.infer(token text, model text, features jsonb)
	RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT COST 2200
	AS 'MODULE_PATHNAME', 'smartpouch_infer';
COMMENT ON FUNCTION smartpouch.infer(text, text, jsonb) IS
	'predict_json() for whoever has a key: its check, its scopes, its limits and the prediction in one';

CREATE FUNCTION smartpouch._api_key_facts(id text, OUT visible boolean, OUT code text)
	RETURNS record LANGUAGE c VOLATILE PARALLEL RESTRICTED STRICT COST 100
	AS 'MODULE_PATHNAME', 'smartpouch_api_key_facts';
COMMENT ON FUNCTION smartpouch._api_key_facts(text) IS
	'for the view api_keys: may the current user see the key, and would it be accepted';
