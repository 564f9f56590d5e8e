CREATE FUNCTION smartpouch._predict_support(internal)
	RETURNS internal LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_predict_support';
COMMENT ON FUNCTION smartpouch._predict_support(internal) IS
	'tells the planner what a prediction costs';

-- COST and ROWS are for models that are not known while the query is planned.
--
-- STABLE: the version behind a reference can change between statements.
-- predict_version is STABLE too: as IMMUTABLE it could stand in a generated
-- column, and a restore computes those before the registry's rows are back.
CREATE FUNCTION smartpouch.predict(model text, features anyelement)
	RETURNS double precision LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict';
COMMENT ON FUNCTION smartpouch.predict(text, anyelement) IS
	'the predicted value; for a classifier the label as a number';

CREATE FUNCTION smartpouch.predict_label(model text, features anyelement)
	RETURNS text LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_label';
COMMENT ON FUNCTION smartpouch.predict_label(text, anyelement) IS 'the predicted label';

CREATE FUNCTION smartpouch.predict_proba(model text, features anyelement)
	RETURNS double precision[] LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_proba';
COMMENT ON FUNCTION smartpouch.predict_proba(text, anyelement) IS
	'the probability of every label, in the order of the version''s labels';

CREATE FUNCTION smartpouch.predict_proba(model text, features anyelement, label text)
	RETURNS double precision LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_proba_label';
COMMENT ON FUNCTION smartpouch.predict_proba(text, anyelement, text) IS
	'the probability of one label';

CREATE FUNCTION smartpouch.predict_raw(model text, features anyelement)
	RETURNS double precision[] LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_raw';
COMMENT ON FUNCTION smartpouch.predict_raw(text, anyelement) IS
	'margins before the link function';

CREATE FUNCTION smartpouch.predict_json(model text, features jsonb)
	RETURNS jsonb LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_json';
COMMENT ON FUNCTION smartpouch.predict_json(text, jsonb) IS
	'all outputs by name, for applications';

CREATE FUNCTION smartpouch.predict_version(sha256 bytea, features anyelement)
	RETURNS double precision LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_version';
COMMENT ON FUNCTION smartpouch.predict_version(bytea, anyelement) IS
	'as predict, for the version with this SHA-256 (column sha256 of the view versions)';

CREATE FUNCTION smartpouch.predict_for(model text, routing_key text, features anyelement)
	RETURNS double precision LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_for';
COMMENT ON FUNCTION smartpouch.predict_for(text, text, anyelement) IS
	'as predict, with the caller''s key for routing';

CREATE FUNCTION smartpouch.predict_label_for(model text, routing_key text, features anyelement)
	RETURNS text LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_label_for';
COMMENT ON FUNCTION smartpouch.predict_label_for(text, text, anyelement) IS
	'as predict_label, with the caller''s key for routing';

CREATE FUNCTION smartpouch.predict_json_for(model text, routing_key text, features jsonb)
	RETURNS jsonb LANGUAGE c STABLE STRICT PARALLEL SAFE COST 160 SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_json_for';
COMMENT ON FUNCTION smartpouch.predict_json_for(text, text, jsonb) IS
	'as predict_json, with the caller''s key for routing';

CREATE FUNCTION smartpouch.predict_batch(model text, features anyarray,
	OUT ordinal integer, OUT value double precision, OUT label text,
	OUT probabilities double precision[])
	RETURNS SETOF record LANGUAGE c STABLE STRICT PARALLEL SAFE COST 150000 ROWS 1000
	SUPPORT smartpouch._predict_support
	AS 'MODULE_PATHNAME', 'smartpouch_predict_batch';
COMMENT ON FUNCTION smartpouch.predict_batch(text, anyarray) IS
	'every output for each row of a two-dimensional array';
