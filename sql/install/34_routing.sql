-- Versions beside the one that a stage serves.
CREATE FUNCTION smartpouch.set_canary(model text, stage text, version integer, percent double precision)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_set_canary';
COMMENT ON FUNCTION smartpouch.set_canary(text, text, integer, double precision) IS
	'let a version answer a share of the routing keys of a stage';

CREATE FUNCTION smartpouch.drop_canary(model text, stage text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_canary';
COMMENT ON FUNCTION smartpouch.drop_canary(text, text) IS
	'let the version that serves a stage answer all keys again';

CREATE FUNCTION smartpouch.set_shadow(model text, stage text, version integer, sample_percent double precision)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_set_shadow';
COMMENT ON FUNCTION smartpouch.set_shadow(text, text, integer, double precision) IS
	'compare a version with the one that serves a stage, on a share of its calls';

CREATE FUNCTION smartpouch.drop_shadow(model text, stage text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_shadow';
COMMENT ON FUNCTION smartpouch.drop_shadow(text, text) IS 'compare no version with the one that serves a stage';

CREATE FUNCTION smartpouch._shadow_counts(model_id uuid, stage text, since timestamptz,
	OUT agreed bigint, OUT differed bigint, OUT errors bigint, OUT mean_difference double precision,
	OUT max_difference double precision, OUT last_error text, OUT last_at timestamptz)
	RETURNS record LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_shadow_counts';
COMMENT ON FUNCTION smartpouch._shadow_counts(uuid, text, timestamptz) IS 'counts for the view shadows';

CREATE FUNCTION smartpouch.shadow_differences(model text, stage text, OUT at timestamptz, OUT served text,
	OUT shadow text, OUT difference double precision)
	RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT ROWS 32
	AS 'MODULE_PATHNAME', 'smartpouch_shadow_differences';
COMMENT ON FUNCTION smartpouch.shadow_differences(text, text) IS
	'what a stage and its shadow answered where they differed last, newest first';
