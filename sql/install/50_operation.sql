CREATE FUNCTION smartpouch.version()
	RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_version';
COMMENT ON FUNCTION smartpouch.version() IS 'version of the smartpouch library';

CREATE FUNCTION smartpouch.health()
	RETURNS jsonb LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_health';
COMMENT ON FUNCTION smartpouch.health() IS
	'whether models can serve: status pass, warn or fail, and the checks behind it';
