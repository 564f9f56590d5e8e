CREATE FUNCTION smartpouch.import_model(name text, artifact bytea, format text DEFAULT NULL,
	feature_names text[] DEFAULT NULL, labels text[] DEFAULT NULL, options jsonb DEFAULT '{}')
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_import_model';
COMMENT ON FUNCTION smartpouch.import_model(text, bytea, text, text[], text[], jsonb) IS
	'import a trained model file as the next version of a model';

CREATE FUNCTION smartpouch.inspect_model(artifact bytea, format text DEFAULT NULL)
	RETURNS jsonb LANGUAGE c STABLE PARALLEL SAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_inspect_model';
COMMENT ON FUNCTION smartpouch.inspect_model(bytea, text) IS
	'what import_model would make of a file; stores nothing';

CREATE FUNCTION smartpouch.upload_begin(name text)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_upload_begin';
COMMENT ON FUNCTION smartpouch.upload_begin(text) IS
	'begin the upload of a model file in pieces';

CREATE FUNCTION smartpouch.upload_chunk(id bigint, seq integer, bytes bytea)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_upload_chunk';
COMMENT ON FUNCTION smartpouch.upload_chunk(bigint, integer, bytea) IS
	'add piece number seq (1, 2, ...) to an upload';

CREATE FUNCTION smartpouch.import_upload(id bigint, format text DEFAULT NULL,
	feature_names text[] DEFAULT NULL, labels text[] DEFAULT NULL, options jsonb DEFAULT '{}')
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_import_upload';
COMMENT ON FUNCTION smartpouch.import_upload(bigint, text, text[], text[], jsonb) IS
	'import the pieces of an upload as import_model does, and end the upload';

CREATE FUNCTION smartpouch.model_artifact(ref text)
	RETURNS bytea LANGUAGE c STABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_model_artifact';
COMMENT ON FUNCTION smartpouch.model_artifact(text) IS
	'the model file as it was imported, byte for byte';

CREATE FUNCTION smartpouch.rename_model(old text, new text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_rename_model';
COMMENT ON FUNCTION smartpouch.rename_model(text, text) IS 'rename a model';

CREATE FUNCTION smartpouch.set_owner(model text, role regrole)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_set_owner';
COMMENT ON FUNCTION smartpouch.set_owner(text, regrole) IS 'give a model to another role';

CREATE FUNCTION smartpouch.reassign_models("from" regrole, "to" regrole)
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_reassign_models';
COMMENT ON FUNCTION smartpouch.reassign_models(regrole, regrole) IS
	'give all models of one role to another; returns how many';

CREATE FUNCTION smartpouch.promote(model text, version integer, stage text, note text DEFAULT NULL)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_promote';
COMMENT ON FUNCTION smartpouch.promote(text, integer, text, text) IS
	'let a version serve a stage';

CREATE FUNCTION smartpouch.rollback(model text, stage text, note text DEFAULT NULL)
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_rollback';
COMMENT ON FUNCTION smartpouch.rollback(text, text, text) IS
	'undo the last promotion to a stage; returns the version that serves now';

CREATE FUNCTION smartpouch.drop_deployment(model text, stage text, note text DEFAULT NULL)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_deployment';
COMMENT ON FUNCTION smartpouch.drop_deployment(text, text, text) IS
	'let a stage of a model serve nothing';

CREATE FUNCTION smartpouch.set_stages(stages text[])
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_set_stages';
COMMENT ON FUNCTION smartpouch.set_stages(text[]) IS
	'change the ladder of stages, lowest first';

CREATE FUNCTION smartpouch.set_alias(model text, alias text, version integer)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_set_alias';
COMMENT ON FUNCTION smartpouch.set_alias(text, text, integer) IS
	'give a version a name of its own, or move that name to it';

CREATE FUNCTION smartpouch.drop_alias(model text, alias text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_alias';
COMMENT ON FUNCTION smartpouch.drop_alias(text, text) IS 'remove a name given by set_alias';

CREATE FUNCTION smartpouch.drop_version(ref text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_version';
COMMENT ON FUNCTION smartpouch.drop_version(text) IS
	'remove a version that no stage or alias serves';

CREATE FUNCTION smartpouch.drop_model(name text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_model';
COMMENT ON FUNCTION smartpouch.drop_model(text) IS
	'remove a model that serves no stage or alias; its history stays';
