CREATE FUNCTION smartpouch.warm_model(ref text)
	RETURNS boolean LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_warm_model';
COMMENT ON FUNCTION smartpouch.warm_model(text) IS
	'load a version; true when it is in shared memory, false when only this session has it';

CREATE FUNCTION smartpouch.evict_model(ref text)
	RETURNS boolean LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_evict_model';
COMMENT ON FUNCTION smartpouch.evict_model(text) IS
	'unload a version; false when it was not loaded or is in use';

CREATE FUNCTION smartpouch._model_cache(OUT database oid, OUT sha256 bytea, OUT shared boolean,
	OUT bytes bigint, OUT pins integer, OUT hits bigint, OUT loads bigint, OUT last_used timestamptz)
	RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 20
	AS 'MODULE_PATHNAME', 'smartpouch_model_cache';
COMMENT ON FUNCTION smartpouch._model_cache() IS 'rows of the view model_cache';

CREATE VIEW smartpouch.model_cache AS
SELECT d.datname AS database,
	CASE WHEN d.datname = pg_catalog.current_database() THEN ARRAY(
		SELECT m.name || ':' || v.version
		FROM smartpouch.version v JOIN smartpouch.model m ON m.id = v.model_id
		WHERE v.program_sha256 = c.sha256 ORDER BY 1) END AS versions,
	c.sha256, c.shared, c.bytes, c.pins, c.hits, c.loads, c.last_used
FROM smartpouch._model_cache() c LEFT JOIN pg_catalog.pg_database d ON d.oid = c.database;
COMMENT ON VIEW smartpouch.model_cache IS
	'loaded models: those in shared memory, and those that only this session has';
