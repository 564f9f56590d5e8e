-- The views show a role its models only: they ask this of every row. Who reads a
-- view needs EXECUTE on it, as grant_access gives.
CREATE FUNCTION smartpouch._can_see(model_id uuid, owner_oid oid, owner_cluster text)
	RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE CALLED ON NULL INPUT COST 10
	AS 'MODULE_PATHNAME', 'smartpouch_can_see';
COMMENT ON FUNCTION smartpouch._can_see(uuid, oid, text) IS
	'may the current user know of the model; without an owner, of one that is gone';

CREATE FUNCTION smartpouch._cluster_id()
	RETURNS text LANGUAGE c STABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_cluster_id';
COMMENT ON FUNCTION smartpouch._cluster_id() IS 'name of this cluster in stored roles';

CREATE FUNCTION smartpouch.grant_model(model text, role regrole, privilege text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_grant_model';
COMMENT ON FUNCTION smartpouch.grant_model(text, regrole, text) IS
	'let a role predict with a model, read its file, or deploy it';

CREATE FUNCTION smartpouch.revoke_model(model text, role regrole, privilege text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_revoke_model';
COMMENT ON FUNCTION smartpouch.revoke_model(text, regrole, text) IS
	'take back what grant_model gave';

CREATE FUNCTION smartpouch.grant_access(role regrole, level text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_grant_access';
COMMENT ON FUNCTION smartpouch.grant_access(regrole, text) IS
	'let a role use the functions and views of a level: predictor, deployer, monitor or admin';

CREATE FUNCTION smartpouch.revoke_access(role regrole, level text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_revoke_access';
COMMENT ON FUNCTION smartpouch.revoke_access(regrole, text) IS
	'take back what grant_access gave';
