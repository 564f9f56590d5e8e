-- Asking the history, and proving it.
CREATE FUNCTION smartpouch.serving_at(model text, stage text, at timestamptz,
	OUT version integer, OUT since timestamptz, OUT action text, OUT replaced_version integer,
	OUT session_role text, OUT acting_role text, OUT note text, OUT seq bigint)
	RETURNS record LANGUAGE c STABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_serving_at';
COMMENT ON FUNCTION smartpouch.serving_at(text, text, timestamptz) IS
	'what a stage of a model served at a time, who put it there and why';

CREATE FUNCTION smartpouch.verify_history(model text DEFAULT NULL,
	OUT model_name text, OUT model_id uuid, OUT seq bigint, OUT problem text)
	RETURNS SETOF record LANGUAGE c STABLE PARALLEL SAFE CALLED ON NULL INPUT ROWS 1
	AS 'MODULE_PATHNAME', 'smartpouch_verify_history';
COMMENT ON FUNCTION smartpouch.verify_history(text) IS
	'changed, missing, added and moved events of a model''s history, or of all; none when it is whole';

CREATE FUNCTION smartpouch.registry_digest()
	RETURNS bytea LANGUAGE c STABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_registry_digest';
COMMENT ON FUNCTION smartpouch.registry_digest() IS
	'one hash of all models, versions, deployments and histories';
