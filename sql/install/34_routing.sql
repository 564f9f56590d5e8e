-- Versions beside the one that a stage serves.
CREATE FUNCTION smartpouch.set_canary(model text, stage text, version integer, percent double precision)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_set_canary';
COMMENT ON FUNCTION smartpouch.set_canary(text, text, integer, double precision) IS
	'let a version answer a share of the routing keys of a stage';

CREATE FUNCTION smartpouch.drop_canary(model text, stage text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_canary';
COMMENT ON FUNCTION smartpouch.drop_canary(text, text) IS
	'let the version that serves a stage answer all keys again';
