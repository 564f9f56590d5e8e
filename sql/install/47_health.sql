-- For load balancers and supervisors; health(), which says more, is in 50_operation.sql.
CREATE FUNCTION smartpouch.live()
	RETURNS boolean LANGUAGE c STABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_live';
COMMENT ON FUNCTION smartpouch.live() IS 'true when the server takes statements and has loaded the library';

CREATE FUNCTION smartpouch.ready(model text DEFAULT NULL)
	RETURNS boolean LANGUAGE c STABLE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ready';
COMMENT ON FUNCTION smartpouch.ready(text) IS
	'can the model be predicted with, by the current user; without a model: are all deployed ones whole and replay near enough';
