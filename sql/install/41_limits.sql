-- Limits of the owners of API keys, and what was counted of keys. Counts are
-- written by the background worker; they are this server's own.
CREATE TABLE smartpouch.owner_limit (
	owner text COLLATE "C" CONSTRAINT owner_limit_pkey PRIMARY KEY
		CONSTRAINT owner_limit_owner_check CHECK (octet_length(owner) BETWEEN 1 AND 255),
	rate_limit integer CONSTRAINT owner_limit_rate_check CHECK (rate_limit BETWEEN 1 AND 1000000),
	burst integer CONSTRAINT owner_limit_burst_check CHECK (burst IS NULL OR
		burst BETWEEN 1 AND 1000000 AND rate_limit IS NOT NULL),
	quota bigint CONSTRAINT owner_limit_quota_check CHECK (quota BETWEEN 1 AND 1000000000000),
	set_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	set_by text NOT NULL
) USING heap;

-- Calls in a month (UTC) of a chain of keys (kind k, by the id of its first) or of an owner (kind o).
CREATE TABLE smartpouch.quota_use (
	kind "char" NOT NULL CONSTRAINT quota_use_kind_check CHECK (kind IN ('k', 'o')),
	name text COLLATE "C" NOT NULL,
	month date NOT NULL,
	used bigint NOT NULL,
	CONSTRAINT quota_use_pkey PRIMARY KEY (kind, name, month)
) USING heap;

-- Calls with a key by what became of them: "used", or the reason of a refusal.
CREATE TABLE smartpouch.key_count (
	key_id text COLLATE "C" NOT NULL,
	what text COLLATE "C" NOT NULL,
	calls bigint NOT NULL,
	last_at timestamptz NOT NULL,
	CONSTRAINT key_count_pkey PRIMARY KEY (key_id, what)
) USING heap;

COMMENT ON TABLE smartpouch.owner_limit IS 'limits of the owners of API keys';
COMMENT ON TABLE smartpouch.quota_use IS 'calls of keys and owners by month';
COMMENT ON TABLE smartpouch.key_count IS 'calls with keys and their refusals';

SELECT pg_catalog.pg_extension_config_dump('smartpouch.owner_limit', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.quota_use', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.key_count', '');

CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON smartpouch.owner_limit
	FOR EACH ROW EXECUTE FUNCTION smartpouch.registry_changed();
CREATE TRIGGER registry_truncated AFTER TRUNCATE ON smartpouch.owner_limit
	FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.registry_changed();
SELECT smartpouch.repair_triggers();

CREATE FUNCTION smartpouch.set_owner_limit(owner text, rate_limit integer DEFAULT NULL, burst integer DEFAULT NULL,
	quota bigint DEFAULT NULL)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_set_owner_limit';
COMMENT ON FUNCTION smartpouch.set_owner_limit(text, integer, integer, bigint) IS
	'limit the calls with all keys of an owner: per second, at once, per month';

CREATE FUNCTION smartpouch.drop_owner_limit(owner text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_owner_limit';
COMMENT ON FUNCTION smartpouch.drop_owner_limit(text) IS 'let an owner call as often as the limits of each key allow';

CREATE VIEW smartpouch.owner_limits AS
SELECT l.owner, l.rate_limit, CASE WHEN l.rate_limit IS NOT NULL THEN coalesce(l.burst, l.rate_limit) END AS burst, l.quota,
	CASE WHEN l.quota IS NOT NULL THEN coalesce(u.used, 0) END AS quota_used, l.set_at, l.set_by
FROM smartpouch.owner_limit l LEFT JOIN smartpouch.quota_use u
	ON u.kind = 'o' AND u.name = l.owner
	AND u.month = pg_catalog.date_trunc('month', pg_catalog.now() AT TIME ZONE 'UTC')::date;
COMMENT ON VIEW smartpouch.owner_limits IS 'limits of the owners of API keys, and what is used of the month''s quota';

CREATE VIEW smartpouch.key_use AS
SELECT c.key_id, coalesce(sum(c.calls) FILTER (WHERE c.what = 'used'), 0)::bigint AS uses,
	max(c.last_at) FILTER (WHERE c.what = 'used') AS last_used_at,
	coalesce(pg_catalog.jsonb_object_agg(c.what, c.calls) FILTER (WHERE c.what <> 'used'), '{}') AS refused
FROM smartpouch.key_count c
GROUP BY c.key_id;
COMMENT ON VIEW smartpouch.key_use IS 'what the background worker has written of calls with API keys';
