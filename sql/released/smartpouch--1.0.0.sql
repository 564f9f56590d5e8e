\echo Use "CREATE EXTENSION smartpouch" to load this file. \quit

-- sql/install/00_schema.sql

-- The schema may be there already (a dump makes it before the extension), but
-- not as somebody else's, nor with anything in it: its owner could put an
-- overload beside a function that a superuser will call.
DO $$
DECLARE
	schema_owner oid := (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'smartpouch');
BEGIN
	IF schema_owner OPERATOR(pg_catalog.<>) (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) CURRENT_USER)
		AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) schema_owner)
	THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = 'schema smartpouch belongs to another role that is no superuser',
			HINT = 'Drop it, or make it yours, and create the extension again.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_depend
		WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
			AND refobjid OPERATOR(pg_catalog.=) 'smartpouch'::pg_catalog.regnamespace
			AND classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass)
	THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema smartpouch is not empty',
			HINT = 'Drop what is in it, and create the extension again.';
	END IF;
END $$;

-- sql/install/10_tables.sql

-- The registry. Rows are written only by the functions of this extension
-- (as the owner of the tables); the C code reads them by these names.
--
-- There are no foreign keys between tables that pg_dump carries: they exist
-- before the data does, and a parallel restore loads the tables of an extension in
-- any order. The functions change a model under the lock of its row, and
-- health() looks for rows that lead nowhere. They are heap tables whatever the
-- default is: the C code goes back to a row by its place.

-- A role is stored by OID together with the cluster it belongs to, so that
-- neither a recreated role of the same name nor a restore into another
-- cluster inherits its rights. The name is for people.
CREATE TABLE smartpouch.model (
	id uuid CONSTRAINT model_pkey PRIMARY KEY,
	name text COLLATE "C" NOT NULL CONSTRAINT model_name_key UNIQUE
		CONSTRAINT model_name_check
		CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_.-]*$' AND octet_length(name) <= 63),
	owner_oid oid NOT NULL,
	owner_name text NOT NULL,
	owner_cluster text NOT NULL,
	last_version integer NOT NULL DEFAULT 0,
	last_event bigint NOT NULL DEFAULT 0,
	last_event_hash bytea NOT NULL DEFAULT pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex'),
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
) USING heap;

-- Bytes by their SHA-256, in pieces of at most 1 MiB: model files as they
-- came, and the stored form made from them.
CREATE TABLE smartpouch.blob (
	sha256 bytea NOT NULL CONSTRAINT blob_sha256_check CHECK (octet_length(sha256) = 32),
	seq integer NOT NULL CONSTRAINT blob_seq_check CHECK (seq >= 0),
	bytes bytea NOT NULL CONSTRAINT blob_bytes_check
		CHECK (octet_length(bytes) BETWEEN 1 AND 1048576),
	CONSTRAINT blob_pkey PRIMARY KEY (sha256, seq)
) USING heap;
-- Decompression would be paid at every load and gains little on binary files.
ALTER TABLE smartpouch.blob ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE smartpouch.version (
	model_id uuid NOT NULL,
	version integer NOT NULL CONSTRAINT version_version_check CHECK (version > 0),
	program_sha256 bytea NOT NULL CONSTRAINT version_program_check CHECK (octet_length(program_sha256) = 32),
	program_bytes bigint NOT NULL CONSTRAINT version_program_bytes_check CHECK (program_bytes > 0),
	artifact_sha256 bytea NOT NULL CONSTRAINT version_artifact_check CHECK (octet_length(artifact_sha256) = 32),
	artifact_bytes bigint NOT NULL CONSTRAINT version_artifact_bytes_check CHECK (artifact_bytes > 0),
	memory_bytes bigint NOT NULL CONSTRAINT version_memory_check CHECK (memory_bytes > 0),
	row_cost_ns bigint NOT NULL CONSTRAINT version_row_cost_check CHECK (row_cost_ns > 0),
	source_format text NOT NULL,
	producer text NOT NULL,
	objective text NOT NULL,
	task text NOT NULL,
	feature_names text[] NOT NULL,
	feature_types text[] NOT NULL,
	labels text[],
	accepts_missing boolean NOT NULL,
	on_missing jsonb NOT NULL DEFAULT '"source"',
	on_unseen text NOT NULL DEFAULT 'source',
	trees bigint NOT NULL,
	nodes bigint NOT NULL,
	parameters bigint NOT NULL,
	imported_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	imported_by text NOT NULL,
	CONSTRAINT version_pkey PRIMARY KEY (model_id, version)
) USING heap;
CREATE INDEX version_program_idx ON smartpouch.version (program_sha256);
CREATE INDEX version_artifact_idx ON smartpouch.version (artifact_sha256);

-- What serves a stage, and under it the versions that earlier promotions left
-- there: the newest is the last element.
CREATE TABLE smartpouch.deployment (
	model_id uuid NOT NULL,
	stage text COLLATE "C" NOT NULL,
	version integer NOT NULL,
	replaced integer[] NOT NULL DEFAULT '{}',
	promoted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	promoted_by text NOT NULL,
	note text,
	CONSTRAINT deployment_pkey PRIMARY KEY (model_id, stage)
) USING heap;

CREATE TABLE smartpouch.alias (
	model_id uuid NOT NULL,
	alias text COLLATE "C" NOT NULL CONSTRAINT alias_name_check
		CHECK (alias ~ '^[A-Za-z_][A-Za-z0-9_.-]*$' AND octet_length(alias) <= 63),
	version integer NOT NULL,
	CONSTRAINT alias_pkey PRIMARY KEY (model_id, alias)
) USING heap;

-- An administrator's own ladder of stages, lowest first. While it is empty
-- the ladder is development, testing, staging, production.
CREATE TABLE smartpouch.stage (
	name text COLLATE "C" CONSTRAINT stage_pkey PRIMARY KEY CONSTRAINT stage_name_check
		CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_.-]*$' AND octet_length(name) <= 63),
	position integer NOT NULL CONSTRAINT stage_position_key UNIQUE
) USING heap;

-- Privileges on models, and levels of access to functions: roles as owners are stored.
CREATE TABLE smartpouch.model_grant (
	model_id uuid NOT NULL,
	role_cluster text COLLATE "C" NOT NULL,
	role_oid oid NOT NULL,
	privilege text COLLATE "C" NOT NULL CONSTRAINT model_grant_privilege_check
		CHECK (privilege IN ('predict', 'read', 'deploy')),
	role_name text NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	granted_by text NOT NULL,
	CONSTRAINT model_grant_pkey PRIMARY KEY (model_id, role_cluster, role_oid, privilege)
) USING heap;
CREATE TABLE smartpouch.access_grant (
	role_cluster text COLLATE "C" NOT NULL,
	role_oid oid NOT NULL,
	level text COLLATE "C" NOT NULL CONSTRAINT access_grant_level_check
		CHECK (level IN ('predictor', 'deployer', 'monitor', 'admin')),
	role_name text NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	granted_by text NOT NULL,
	CONSTRAINT access_grant_pkey PRIMARY KEY (role_cluster, role_oid, level)
) USING heap;

-- Append-only, kept when a model is gone. hash is the link of the model's chain
-- (src/registry/sp_registry_history.h says how it is made); the newest one is
-- last_event_hash of the model's row. at is the transaction's time, recorded_at the
-- clock's under the lock of that row, so it goes up with seq.
CREATE TABLE smartpouch.event (
	model_id uuid NOT NULL,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL,
	model text COLLATE "C" NOT NULL,
	action text NOT NULL,
	version integer,
	stage text,
	replaced_version integer,
	detail text,
	note text,
	evidence jsonb,
	session_role text NOT NULL,
	acting_role text NOT NULL,
	api_key_id text,
	client_address inet,
	hash bytea NOT NULL CONSTRAINT event_hash_check CHECK (octet_length(hash) = 32),
	CONSTRAINT event_pkey PRIMARY KEY (model_id, seq)
) USING heap;
CREATE INDEX event_dropped_idx ON smartpouch.event (model) WHERE action = 'drop_model';

-- Files on their way in. Not dumped: an upload that a restore interrupts is begun again.
CREATE TABLE smartpouch.upload (
	id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT upload_pkey PRIMARY KEY,
	name text NOT NULL,
	role_oid oid NOT NULL,
	started_at timestamptz NOT NULL DEFAULT pg_catalog.now()
) USING heap;
CREATE TABLE smartpouch.upload_chunk (
	upload_id bigint NOT NULL
		CONSTRAINT upload_chunk_upload_fkey REFERENCES smartpouch.upload ON DELETE CASCADE,
	seq integer NOT NULL CONSTRAINT upload_chunk_seq_check CHECK (seq > 0),
	bytes bytea NOT NULL,
	CONSTRAINT upload_chunk_pkey PRIMARY KEY (upload_id, seq)
) USING heap;
ALTER TABLE smartpouch.upload_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;

COMMENT ON TABLE smartpouch.model IS 'registry: models and their owners';
COMMENT ON TABLE smartpouch.blob IS 'registry: model files and stored forms by SHA-256';
COMMENT ON TABLE smartpouch.version IS 'registry: immutable versions';
COMMENT ON TABLE smartpouch.deployment IS 'registry: the version that serves each stage';
COMMENT ON TABLE smartpouch.alias IS 'registry: free names of versions';
COMMENT ON TABLE smartpouch.stage IS 'registry: an administrator''s own ladder of stages';
COMMENT ON TABLE smartpouch.model_grant IS 'registry: privileges of roles on models';
COMMENT ON TABLE smartpouch.access_grant IS 'registry: levels of access of roles';
COMMENT ON TABLE smartpouch.event IS 'registry: what happened to models, append-only';
COMMENT ON TABLE smartpouch.upload IS 'model files being uploaded';
COMMENT ON TABLE smartpouch.upload_chunk IS 'pieces of model files being uploaded';

SELECT pg_catalog.pg_extension_config_dump('smartpouch.model', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.blob', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.version', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.deployment', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.alias', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.stage', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.model_grant', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.access_grant', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.event', '');

-- sql/install/20_triggers.sql

-- ENABLE ALWAYS, so that they also fire in a logical replication worker and
-- under session_replication_role = replica: caches must learn of every row,
-- however it came.
CREATE FUNCTION smartpouch.registry_changed() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smartpouch_registry_changed';
COMMENT ON FUNCTION smartpouch.registry_changed() IS
	'trigger: tells every backend that rows of a registry table changed';

CREATE FUNCTION smartpouch.refuse_change() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smartpouch_refuse_change';
COMMENT ON FUNCTION smartpouch.refuse_change() IS
	'trigger: refuses to change rows that never change';

DO $$
DECLARE
	remembered pg_catalog.text;
BEGIN
	FOREACH remembered IN ARRAY '{model,version,deployment,alias,stage,model_grant,access_grant}'::pg_catalog.text[] LOOP
		EXECUTE pg_catalog.format('CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON smartpouch.%I'
			' FOR EACH ROW EXECUTE FUNCTION smartpouch.registry_changed()', remembered);
		EXECUTE pg_catalog.format('CREATE TRIGGER registry_truncated AFTER TRUNCATE ON smartpouch.%I'
			' FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.registry_changed()', remembered);
	END LOOP;
END $$;

-- A version never changes once it is there, nor do bytes and events.
CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.version
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.blob
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON smartpouch.event
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON smartpouch.event
	FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.refuse_change();

-- Also after something set them back (a data-only restore with
-- --disable-triggers does): health() notices, and this mends.
CREATE FUNCTION smartpouch.repair_triggers() RETURNS integer
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	wrong record;
	mended integer := 0;
BEGIN
	FOR wrong IN
		SELECT t.tgrelid::regclass AS relation, t.tgname
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace = 'smartpouch'::regnamespace
			AND NOT t.tgisinternal AND t.tgenabled <> 'A'
	LOOP
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', wrong.relation, wrong.tgname);
		mended := mended + 1;
	END LOOP;
	RETURN mended;
END $$;
COMMENT ON FUNCTION smartpouch.repair_triggers() IS
	'set the registry''s triggers back to ENABLE ALWAYS; returns how many were not';

SELECT smartpouch.repair_triggers();

-- sql/install/30_models.sql

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
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_upload_begin';
COMMENT ON FUNCTION smartpouch.upload_begin(text) IS
	'begin the upload of a model file in pieces';

CREATE FUNCTION smartpouch.upload_chunk(id bigint, seq integer, bytes bytea)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
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
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_rename_model';
COMMENT ON FUNCTION smartpouch.rename_model(text, text) IS 'rename a model';

CREATE FUNCTION smartpouch.set_owner(model text, role regrole)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_set_owner';
COMMENT ON FUNCTION smartpouch.set_owner(text, regrole) IS 'give a model to another role';

CREATE FUNCTION smartpouch.reassign_models("from" regrole, "to" regrole)
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
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
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_set_alias';
COMMENT ON FUNCTION smartpouch.set_alias(text, text, integer) IS
	'give a version a name of its own, or move that name to it';

CREATE FUNCTION smartpouch.drop_alias(model text, alias text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_alias';
COMMENT ON FUNCTION smartpouch.drop_alias(text, text) IS 'remove a name given by set_alias';

CREATE FUNCTION smartpouch.drop_version(ref text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_version';
COMMENT ON FUNCTION smartpouch.drop_version(text) IS
	'remove a version that no stage or alias serves';

CREATE FUNCTION smartpouch.drop_model(name text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_model';
COMMENT ON FUNCTION smartpouch.drop_model(text) IS
	'remove a model that serves no stage or alias; its history stays';

-- sql/install/32_history.sql

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

-- sql/install/35_golden.sql

-- Rows with the answers that the source library gave: the proof that a version
-- still answers like it.
CREATE TABLE smartpouch.golden (
	model_id uuid NOT NULL,
	version integer NOT NULL,
	seq integer NOT NULL,
	features jsonb NOT NULL,
	expected jsonb NOT NULL,
	tolerance double precision NOT NULL CONSTRAINT golden_tolerance_check
		CHECK (tolerance >= 0 AND tolerance < 'Infinity'),
	CONSTRAINT golden_pkey PRIMARY KEY (model_id, version, seq)
) USING heap;
COMMENT ON TABLE smartpouch.golden IS 'registry: rows with known answers';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.golden', '');

CREATE FUNCTION smartpouch.add_golden(ref text, features jsonb, expected jsonb,
	tolerance double precision DEFAULT 1e-6)
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_add_golden';
COMMENT ON FUNCTION smartpouch.add_golden(text, jsonb, jsonb, double precision) IS
	'keep a row with its known answer; refused if the version answers otherwise';

CREATE FUNCTION smartpouch.drop_golden(ref text, seq integer)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_golden';
COMMENT ON FUNCTION smartpouch.drop_golden(text, integer) IS 'remove a row added by add_golden';

CREATE FUNCTION smartpouch.check_golden(ref text,
	OUT seq integer, OUT passed boolean, OUT mismatch text)
	RETURNS SETOF record LANGUAGE c STABLE PARALLEL RESTRICTED STRICT ROWS 16
	AS 'MODULE_PATHNAME', 'smartpouch_check_golden';
COMMENT ON FUNCTION smartpouch.check_golden(text) IS
	'compare the answers of a version with its golden rows';

-- sql/install/36_scores.sql

-- Aggregates that compare predictions with the truth, which comes first, to
-- the numbers of sklearn.metrics. The functions whose names begin with _ are theirs.

-- Classes: the state counts pairs of true and predicted labels.

CREATE FUNCTION smartpouch._confusion_add(internal, anycompatible, anycompatible)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_add';
COMMENT ON FUNCTION smartpouch._confusion_add(internal, anycompatible, anycompatible) IS
	'transition: counts a true and a predicted label';

CREATE FUNCTION smartpouch._confusion_add(internal, anycompatible, anycompatible, text)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_add';
COMMENT ON FUNCTION smartpouch._confusion_add(internal, anycompatible, anycompatible, text) IS
	'transition: counts a true and a predicted label';

CREATE FUNCTION smartpouch._confusion_merge(internal, internal)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_merge';
COMMENT ON FUNCTION smartpouch._confusion_merge(internal, internal) IS
	'combines counts of labels';

CREATE FUNCTION smartpouch._confusion_write(internal)
	RETURNS bytea LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_write';
COMMENT ON FUNCTION smartpouch._confusion_write(internal) IS
	'serializes counts of labels';

CREATE FUNCTION smartpouch._confusion_read(bytea, internal)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_read';
COMMENT ON FUNCTION smartpouch._confusion_read(bytea, internal) IS
	'deserializes counts of labels';

CREATE FUNCTION smartpouch._accuracy(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_accuracy';
COMMENT ON FUNCTION smartpouch._accuracy(internal) IS
	'final: accuracy';

CREATE FUNCTION smartpouch._balanced_accuracy(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_balanced_accuracy';
COMMENT ON FUNCTION smartpouch._balanced_accuracy(internal) IS
	'final: balanced accuracy';

CREATE FUNCTION smartpouch._precision(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_precision';
COMMENT ON FUNCTION smartpouch._precision(internal) IS
	'final: precision';

CREATE FUNCTION smartpouch._recall(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_recall';
COMMENT ON FUNCTION smartpouch._recall(internal) IS
	'final: recall';

CREATE FUNCTION smartpouch._f1(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_f1';
COMMENT ON FUNCTION smartpouch._f1(internal) IS
	'final: f1';

CREATE FUNCTION smartpouch._confusion_matrix(internal)
	RETURNS jsonb LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_confusion_matrix';
COMMENT ON FUNCTION smartpouch._confusion_matrix(internal) IS
	'final: confusion matrix';

CREATE FUNCTION smartpouch._classification_report(internal)
	RETURNS jsonb LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_classification_report';
COMMENT ON FUNCTION smartpouch._classification_report(internal) IS
	'final: classification report';

CREATE AGGREGATE smartpouch.accuracy(truth anycompatible, predicted anycompatible) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._accuracy,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.accuracy(truth anycompatible, predicted anycompatible) IS
	'share of rows with the right label';

CREATE AGGREGATE smartpouch.balanced_accuracy(truth anycompatible, predicted anycompatible) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._balanced_accuracy,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.balanced_accuracy(truth anycompatible, predicted anycompatible) IS
	'mean of the recalls of all true labels';

CREATE AGGREGATE smartpouch.precision_score(truth anycompatible, predicted anycompatible, average text) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._precision,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.precision_score(truth anycompatible, predicted anycompatible, average text) IS
	'precision: mean over labels (macro), of all rows (micro) or weighted by rows (weighted)';

CREATE AGGREGATE smartpouch.recall_score(truth anycompatible, predicted anycompatible, average text) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._recall,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.recall_score(truth anycompatible, predicted anycompatible, average text) IS
	'recall: mean over labels (macro), of all rows (micro) or weighted by rows (weighted)';

CREATE AGGREGATE smartpouch.f1_score(truth anycompatible, predicted anycompatible, average text) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._f1,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.f1_score(truth anycompatible, predicted anycompatible, average text) IS
	'F1: mean over labels (macro), of all rows (micro) or weighted by rows (weighted)';

CREATE AGGREGATE smartpouch.confusion_matrix(truth anycompatible, predicted anycompatible) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._confusion_matrix,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.confusion_matrix(truth anycompatible, predicted anycompatible) IS
	'labels, and counts with a row for each true and a column for each predicted label';

CREATE AGGREGATE smartpouch.classification_report(truth anycompatible, predicted anycompatible) (
	SFUNC = smartpouch._confusion_add, STYPE = internal, FINALFUNC = smartpouch._classification_report,
	COMBINEFUNC = smartpouch._confusion_merge, SERIALFUNC = smartpouch._confusion_write,
	DESERIALFUNC = smartpouch._confusion_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.classification_report(truth anycompatible, predicted anycompatible) IS
	'accuracy, averages, and precision, recall, F1 and rows of each label';

-- Scores of two classes.

CREATE FUNCTION smartpouch._ranking_add(internal, boolean, double precision)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_add';
COMMENT ON FUNCTION smartpouch._ranking_add(internal, boolean, double precision) IS
	'transition: keeps a score';

CREATE FUNCTION smartpouch._ranking_add(internal, integer, double precision)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_add';
COMMENT ON FUNCTION smartpouch._ranking_add(internal, integer, double precision) IS
	'transition: keeps a score';

CREATE FUNCTION smartpouch._ranking_merge(internal, internal)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_merge';
COMMENT ON FUNCTION smartpouch._ranking_merge(internal, internal) IS
	'combines scores';

CREATE FUNCTION smartpouch._ranking_write(internal)
	RETURNS bytea LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_write';
COMMENT ON FUNCTION smartpouch._ranking_write(internal) IS
	'serializes scores';

CREATE FUNCTION smartpouch._ranking_read(bytea, internal)
	RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_ranking_read';
COMMENT ON FUNCTION smartpouch._ranking_read(bytea, internal) IS
	'deserializes scores';

CREATE FUNCTION smartpouch._roc_auc(internal)
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_roc_auc';
COMMENT ON FUNCTION smartpouch._roc_auc(internal) IS
	'final: area under the ROC curve';

CREATE AGGREGATE smartpouch.roc_auc(truth boolean, score double precision) (
	SFUNC = smartpouch._ranking_add, STYPE = internal, FINALFUNC = smartpouch._roc_auc,
	COMBINEFUNC = smartpouch._ranking_merge, SERIALFUNC = smartpouch._ranking_write,
	DESERIALFUNC = smartpouch._ranking_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.roc_auc(truth boolean, score double precision) IS
	'area under the ROC curve; NULL unless both classes occur';

CREATE AGGREGATE smartpouch.roc_auc(truth integer, score double precision) (
	SFUNC = smartpouch._ranking_add, STYPE = internal, FINALFUNC = smartpouch._roc_auc,
	COMBINEFUNC = smartpouch._ranking_merge, SERIALFUNC = smartpouch._ranking_write,
	DESERIALFUNC = smartpouch._ranking_read, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.roc_auc(truth integer, score double precision) IS
	'area under the ROC curve; NULL unless both classes occur';

-- Numbers: the state is an array of sums.

CREATE FUNCTION smartpouch._errors_add(double precision[], double precision, double precision)
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_errors_add';
COMMENT ON FUNCTION smartpouch._errors_add(double precision[], double precision, double precision) IS
	'transition: adds the error of a row';

CREATE FUNCTION smartpouch._errors_merge(double precision[], double precision[])
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_errors_merge';
COMMENT ON FUNCTION smartpouch._errors_merge(double precision[], double precision[]) IS
	'combines sums of errors';

CREATE FUNCTION smartpouch._mae(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_mae';
COMMENT ON FUNCTION smartpouch._mae(double precision[]) IS
	'final: mean absolute error';

CREATE AGGREGATE smartpouch.mae(truth double precision, predicted double precision) (
	SFUNC = smartpouch._errors_add, STYPE = double precision[], INITCOND = '{0,0,0,0,0,0,0}',
	FINALFUNC = smartpouch._mae, COMBINEFUNC = smartpouch._errors_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.mae(truth double precision, predicted double precision) IS
	'mean absolute error';

CREATE FUNCTION smartpouch._rmse(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_rmse';
COMMENT ON FUNCTION smartpouch._rmse(double precision[]) IS
	'final: root mean squared error';

CREATE AGGREGATE smartpouch.rmse(truth double precision, predicted double precision) (
	SFUNC = smartpouch._errors_add, STYPE = double precision[], INITCOND = '{0,0,0,0,0,0,0}',
	FINALFUNC = smartpouch._rmse, COMBINEFUNC = smartpouch._errors_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.rmse(truth double precision, predicted double precision) IS
	'root mean squared error';

CREATE FUNCTION smartpouch._mape(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_mape';
COMMENT ON FUNCTION smartpouch._mape(double precision[]) IS
	'final: mean absolute percentage error';

CREATE AGGREGATE smartpouch.mape(truth double precision, predicted double precision) (
	SFUNC = smartpouch._errors_add, STYPE = double precision[], INITCOND = '{0,0,0,0,0,0,0}',
	FINALFUNC = smartpouch._mape, COMBINEFUNC = smartpouch._errors_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.mape(truth double precision, predicted double precision) IS
	'mean absolute percentage error, as a fraction';

CREATE FUNCTION smartpouch._r2(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_r2';
COMMENT ON FUNCTION smartpouch._r2(double precision[]) IS
	'final: coefficient of determination';

CREATE AGGREGATE smartpouch.r2(truth double precision, predicted double precision) (
	SFUNC = smartpouch._errors_add, STYPE = double precision[], INITCOND = '{0,0,0,0,0,0,0}',
	FINALFUNC = smartpouch._r2, COMBINEFUNC = smartpouch._errors_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.r2(truth double precision, predicted double precision) IS
	'coefficient of determination';

-- Log loss: the state is the number of rows and the sum.

CREATE FUNCTION smartpouch._log_loss_add(double precision[], text, double precision[], text[])
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_log_loss_add';
COMMENT ON FUNCTION smartpouch._log_loss_add(double precision[], text, double precision[], text[]) IS
	'transition: adds the loss of a row';

CREATE FUNCTION smartpouch._log_loss_add(double precision[], boolean, double precision)
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_log_loss_add_binary';
COMMENT ON FUNCTION smartpouch._log_loss_add(double precision[], boolean, double precision) IS
	'transition: adds the loss of a row';

CREATE FUNCTION smartpouch._log_loss_merge(double precision[], double precision[])
	RETURNS double precision[] LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_log_loss_merge';
COMMENT ON FUNCTION smartpouch._log_loss_merge(double precision[], double precision[]) IS
	'combines sums of losses';

CREATE FUNCTION smartpouch._log_loss(double precision[])
	RETURNS double precision LANGUAGE c IMMUTABLE PARALLEL SAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_log_loss';
COMMENT ON FUNCTION smartpouch._log_loss(double precision[]) IS
	'final: log loss';

CREATE AGGREGATE smartpouch.log_loss(truth text, probabilities double precision[], labels text[]) (
	SFUNC = smartpouch._log_loss_add, STYPE = double precision[], INITCOND = '{0,0}',
	FINALFUNC = smartpouch._log_loss, COMBINEFUNC = smartpouch._log_loss_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.log_loss(truth text, probabilities double precision[], labels text[]) IS
	'mean of -ln of the probability that was given to the truth';

CREATE AGGREGATE smartpouch.log_loss(truth boolean, probability double precision) (
	SFUNC = smartpouch._log_loss_add, STYPE = double precision[], INITCOND = '{0,0}',
	FINALFUNC = smartpouch._log_loss, COMBINEFUNC = smartpouch._log_loss_merge, PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch.log_loss(truth boolean, probability double precision) IS
	'mean of -ln of the probability that was given to the truth';

-- sql/install/37_evaluations.sql

-- What was measured of a version. Rows are added, never changed; the newest of
-- a data set counts.
CREATE TABLE smartpouch.evaluation (
	model_id uuid NOT NULL,
	version integer NOT NULL,
	seq integer NOT NULL,
	dataset text NOT NULL,
	metrics jsonb NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	recorded_by text NOT NULL,
	CONSTRAINT evaluation_pkey PRIMARY KEY (model_id, version, seq)
) USING heap;
COMMENT ON TABLE smartpouch.evaluation IS 'registry: measured quality of versions';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.evaluation', '');
CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.evaluation
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
ALTER TABLE smartpouch.evaluation ENABLE ALWAYS TRIGGER refuse_change;

CREATE FUNCTION smartpouch.evaluate(ref text, query text)
	RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT COST 100000
	AS 'MODULE_PATHNAME', 'smartpouch_evaluate';
COMMENT ON FUNCTION smartpouch.evaluate(text, text) IS
	'compare the predictions of a version with column truth of a query';

CREATE FUNCTION smartpouch.record_evaluation(ref text, dataset text, metrics jsonb)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_record_evaluation';
COMMENT ON FUNCTION smartpouch.record_evaluation(text, text, jsonb) IS
	'keep what was measured of a version on a data set';

-- sql/install/38_snapshots.sql

-- What a version was at one moment. The bytes stay where they are, by their
-- SHA-256; a row keeps them from being removed, also when its model is dropped.
CREATE TABLE smartpouch.snapshot (
	id bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT snapshot_pkey PRIMARY KEY,
	model_id uuid NOT NULL,
	model text NOT NULL,
	version integer NOT NULL,
	label text,
	owner_oid oid NOT NULL,
	owner_cluster text NOT NULL,
	content jsonb NOT NULL,
	program_sha256 bytea NOT NULL,
	program_bytes bigint NOT NULL,
	artifact_sha256 bytea NOT NULL,
	artifact_bytes bigint NOT NULL,
	sha256 bytea NOT NULL,
	signature text,
	taken_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	taken_by text NOT NULL
) USING heap;
COMMENT ON TABLE smartpouch.snapshot IS 'registry: what versions were at one moment';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.snapshot', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.snapshot_id_seq', '');

CREATE INDEX snapshot_program_idx ON smartpouch.snapshot (program_sha256);
CREATE INDEX snapshot_artifact_idx ON smartpouch.snapshot (artifact_sha256);

CREATE FUNCTION smartpouch.snapshot_model(ref text, label text DEFAULT NULL)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_snapshot_model';
COMMENT ON FUNCTION smartpouch.snapshot_model(text, text) IS
	'keep what a version is now, with its golden rows, evaluations and history; returns the id';

CREATE FUNCTION smartpouch.drop_snapshot(id bigint)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_snapshot';
COMMENT ON FUNCTION smartpouch.drop_snapshot(bigint) IS 'remove a snapshot, and bytes that nothing else needs';

CREATE FUNCTION smartpouch.export_snapshot(id bigint)
	RETURNS bytea LANGUAGE c VOLATILE PARALLEL RESTRICTED STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_export_snapshot';
COMMENT ON FUNCTION smartpouch.export_snapshot(bigint) IS 'a snapshot as a file';

CREATE FUNCTION smartpouch.import_snapshot(bytes bytea, name text DEFAULT NULL, signature text DEFAULT NULL)
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_import_snapshot';
COMMENT ON FUNCTION smartpouch.import_snapshot(bytea, text, text) IS
	'add the version in a file of export_snapshot to a model; returns its number';

CREATE FUNCTION smartpouch.restore_snapshot(id bigint)
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_restore_snapshot';
COMMENT ON FUNCTION smartpouch.restore_snapshot(bigint) IS
	'add a version that is what the snapshot holds; returns its number';

CREATE FUNCTION smartpouch.sign_snapshot(id bigint)
	RETURNS text LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_sign_snapshot';
COMMENT ON FUNCTION smartpouch.sign_snapshot(bigint) IS
	'sign a snapshot with the first key of smartpouch.snapshot_key_file; returns the signature';

-- sql/install/40_predict.sql

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

-- sql/install/50_operation.sql

CREATE FUNCTION smartpouch.version()
	RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_version';
COMMENT ON FUNCTION smartpouch.version() IS 'version of the smartpouch library';

CREATE FUNCTION smartpouch.health()
	RETURNS jsonb LANGUAGE c STABLE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_health';
COMMENT ON FUNCTION smartpouch.health() IS
	'whether models can serve: status pass, warn or fail, and the checks behind it';

-- sql/install/55_cache.sql

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

-- sql/install/70_permissions.sql

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
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_grant_model';
COMMENT ON FUNCTION smartpouch.grant_model(text, regrole, text) IS
	'let a role predict with a model, read its file, or deploy it';

CREATE FUNCTION smartpouch.revoke_model(model text, role regrole, privilege text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_revoke_model';
COMMENT ON FUNCTION smartpouch.revoke_model(text, regrole, text) IS
	'take back what grant_model gave';

CREATE FUNCTION smartpouch.grant_access(role regrole, level text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_grant_access';
COMMENT ON FUNCTION smartpouch.grant_access(regrole, text) IS
	'let a role use the functions and views of a level: predictor, deployer, monitor or admin';

CREATE FUNCTION smartpouch.revoke_access(role regrole, level text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_revoke_access';
COMMENT ON FUNCTION smartpouch.revoke_access(regrole, text) IS
	'take back what grant_access gave';

-- sql/install/80_views.sql

CREATE VIEW smartpouch.models WITH (security_barrier) AS
SELECT m.name AS model, r.rolname AS owner,
	(SELECT pg_catalog.count(*) FROM smartpouch.version v WHERE v.model_id = m.id) AS versions,
	(SELECT pg_catalog.max(v.version) FROM smartpouch.version v WHERE v.model_id = m.id) AS newest,
	(SELECT d.version FROM smartpouch.deployment d
		WHERE d.model_id = m.id AND d.stage = 'production') AS production,
	m.created_at
FROM smartpouch.model m
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = m.owner_oid AND m.owner_cluster = smartpouch._cluster_id()
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.models IS 'models, their owners and what production serves';

CREATE VIEW smartpouch.versions WITH (security_barrier) AS
SELECT m.name AS model, v.version, v.task, v.source_format, v.producer, v.objective,
	v.feature_names, v.feature_types, v.labels, v.accepts_missing, v.on_missing, v.on_unseen,
	v.trees, v.nodes, v.parameters, v.memory_bytes, v.row_cost_ns, v.program_sha256 AS sha256,
	v.artifact_sha256, v.artifact_bytes, v.imported_at, v.imported_by
FROM smartpouch.version v JOIN smartpouch.model m ON m.id = v.model_id
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.versions IS 'every version of every model';

CREATE VIEW smartpouch.deployments WITH (security_barrier) AS
SELECT m.name AS model, d.stage, d.version, d.replaced, d.promoted_at, d.promoted_by, d.note
FROM smartpouch.deployment d JOIN smartpouch.model m ON m.id = d.model_id
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.deployments IS 'the version that serves each stage of each model';

CREATE VIEW smartpouch.aliases WITH (security_barrier) AS
SELECT m.name AS model, a.alias, a.version
FROM smartpouch.alias a JOIN smartpouch.model m ON m.id = a.model_id
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.aliases IS 'free names of versions';

CREATE VIEW smartpouch.stages AS
SELECT s.name AS stage, s.position FROM smartpouch.stage s
UNION ALL
SELECT d.stage COLLATE "C", d.position
FROM (VALUES ('development', 1), ('testing', 2), ('staging', 3), ('production', 4))
	AS d (stage, position)
WHERE NOT EXISTS (SELECT FROM smartpouch.stage);
COMMENT ON VIEW smartpouch.stages IS 'the ladder of stages, lowest first';

CREATE VIEW smartpouch.evaluations WITH (security_barrier) AS
SELECT m.name AS model, e.version, e.dataset, e.metrics, e.recorded_at, e.recorded_by, e.seq
FROM smartpouch.evaluation e JOIN smartpouch.model m ON m.id = e.model_id
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.evaluations IS 'what was measured of versions';

CREATE VIEW smartpouch.history WITH (security_barrier) AS
SELECT COALESCE(m.name, e.model) AS model, e.at, e.action, e.version, e.stage,
	e.replaced_version, e.detail, e.note, e.evidence, e.session_role, e.acting_role,
	e.api_key_id, e.client_address, e.seq, e.recorded_at, e.hash, e.model_id
FROM smartpouch.event e LEFT JOIN smartpouch.model m ON m.id = e.model_id
WHERE smartpouch._can_see(e.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.history IS 'what happened to models, when and by whom';

CREATE VIEW smartpouch.model_grants WITH (security_barrier) AS
SELECT m.name AS model, COALESCE(r.rolname::text, g.role_name) AS role, g.privilege,
	r.rolname IS NOT NULL AS valid, g.granted_at, g.granted_by
FROM smartpouch.model_grant g JOIN smartpouch.model m ON m.id = g.model_id
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.role_oid AND g.role_cluster = smartpouch._cluster_id()
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.model_grants IS 'privileges of roles on models';

CREATE VIEW smartpouch.access_grants AS
SELECT COALESCE(r.rolname::text, g.role_name) AS role, g.level, r.rolname IS NOT NULL AS valid,
	g.granted_at, g.granted_by
FROM smartpouch.access_grant g
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.role_oid AND g.role_cluster = smartpouch._cluster_id();
COMMENT ON VIEW smartpouch.access_grants IS 'levels of access of roles';

CREATE VIEW smartpouch.snapshots WITH (security_barrier) AS
SELECT s.id, COALESCE(m.name, s.model) AS model, s.version, s.label, s.sha256, s.signature,
	s.program_sha256, s.program_bytes, s.artifact_sha256, s.artifact_bytes,
	pg_catalog.jsonb_array_length(s.content -> 'golden') AS golden_rows,
	pg_catalog.jsonb_array_length(s.content -> 'evaluations') AS evaluations,
	s.taken_at, s.taken_by
FROM smartpouch.snapshot s LEFT JOIN smartpouch.model m ON m.id = s.model_id
WHERE smartpouch._can_see(s.model_id, COALESCE(m.owner_oid, s.owner_oid), COALESCE(m.owner_cluster, s.owner_cluster));
COMMENT ON VIEW smartpouch.snapshots IS 'what versions were at one moment';

-- sql/install/85_access.sql

-- Which functions and views a level of access is for. Every one that has no name
-- with an underscore in front has a line here; without a level it is for
-- administrators, who have everything. A deployer has what a predictor has too.
CREATE FUNCTION smartpouch._access_objects(OUT object text, OUT levels text)
	RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$ VALUES
	('_can_see', 'predictor deployer monitor'),
	('_cluster_id', 'predictor deployer monitor'),
	('_model_cache', 'monitor'),
	('accuracy', 'predictor deployer'),
	('add_golden', 'deployer'),
	('balanced_accuracy', 'predictor deployer'),
	('check_golden', 'deployer'),
	('classification_report', 'predictor deployer'),
	('confusion_matrix', 'predictor deployer'),
	('drop_alias', 'deployer'),
	('drop_deployment', 'deployer'),
	('drop_golden', 'deployer'),
	('drop_model', 'deployer'),
	('drop_snapshot', 'deployer'),
	('drop_version', 'deployer'),
	('evaluate', 'deployer'),
	('evict_model', ''),
	('export_snapshot', 'deployer'),
	('f1_score', 'predictor deployer'),
	('grant_access', ''),
	('grant_model', 'deployer'),
	('health', 'monitor'),
	('import_model', 'deployer'),
	('import_snapshot', 'deployer'),
	('import_upload', 'deployer'),
	('inspect_model', 'deployer'),
	('log_loss', 'predictor deployer'),
	('mae', 'predictor deployer'),
	('mape', 'predictor deployer'),
	('model_artifact', 'deployer'),
	('precision_score', 'predictor deployer'),
	('predict', 'predictor deployer'),
	('predict_batch', 'predictor deployer'),
	('predict_for', 'predictor deployer'),
	('predict_json', 'predictor deployer'),
	('predict_json_for', 'predictor deployer'),
	('predict_label', 'predictor deployer'),
	('predict_label_for', 'predictor deployer'),
	('predict_proba', 'predictor deployer'),
	('predict_raw', 'predictor deployer'),
	('predict_version', 'predictor deployer'),
	('promote', 'deployer'),
	('r2', 'predictor deployer'),
	('reassign_models', 'deployer'),
	('recall_score', 'predictor deployer'),
	('record_evaluation', 'deployer'),
	('registry_digest', 'monitor'),
	('rename_model', 'deployer'),
	('repair_triggers', ''),
	('restore_snapshot', 'deployer'),
	('revoke_access', ''),
	('revoke_model', 'deployer'),
	('rmse', 'predictor deployer'),
	('roc_auc', 'predictor deployer'),
	('rollback', 'deployer'),
	('serving_at', 'deployer monitor'),
	('set_alias', 'deployer'),
	('set_owner', 'deployer'),
	('set_stages', ''),
	('sign_snapshot', 'deployer'),
	('snapshot_model', 'deployer'),
	('upload_begin', 'deployer'),
	('upload_chunk', 'deployer'),
	('verify_history', 'deployer monitor'),
	('version', 'predictor deployer monitor'),
	('warm_model', 'deployer monitor'),
	-- views
	('access_grants', 'monitor'),
	('aliases', 'predictor deployer monitor'),
	('deployments', 'predictor deployer monitor'),
	('evaluations', 'deployer monitor'),
	('history', 'deployer monitor'),
	('model_cache', 'monitor'),
	('model_grants', 'deployer monitor'),
	('models', 'predictor deployer monitor'),
	('snapshots', 'deployer monitor'),
	('stages', 'predictor deployer monitor'),
	('versions', 'predictor deployer monitor')
$$;
COMMENT ON FUNCTION smartpouch._access_objects() IS
	'functions and views with the levels of access that may use them';

-- The server's own grants for one level, as GRANT or REVOKE with a list of all objects.
CREATE FUNCTION smartpouch._change_access(statement text, role name, wanted text)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	preposition text := CASE statement WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END;
	functions text;
	views text;
BEGIN
	SELECT string_agg(p.oid::regprocedure::text, ', ') INTO functions
	FROM pg_proc p LEFT JOIN smartpouch._access_objects() o ON o.object = p.proname
	WHERE p.pronamespace = 'smartpouch'::regnamespace AND p.prorettype <> 'trigger'::regtype
		AND CASE wanted WHEN 'admin' THEN p.proname !~ '^_' OR o.object IS NOT NULL
			ELSE wanted = ANY (string_to_array(o.levels, ' ')) END;
	SELECT string_agg(c.oid::regclass::text, ', ') INTO views
	FROM pg_class c LEFT JOIN smartpouch._access_objects() o ON o.object = c.relname
	WHERE c.relnamespace = 'smartpouch'::regnamespace AND c.relkind = 'v'
		AND (wanted = 'admin' OR wanted = ANY (string_to_array(o.levels, ' ')));
	EXECUTE format('%s USAGE ON SCHEMA smartpouch %s %I', statement, preposition, role);
	EXECUTE format('%s EXECUTE ON ROUTINE %s %s %I', statement, functions, preposition, role);
	EXECUTE format('%s SELECT ON %s %s %I', statement, views, preposition, role);
END $$;
COMMENT ON FUNCTION smartpouch._change_access(text, name, text) IS
	'make or take back the grants of one level of access';

-- An update script ends with SELECT smartpouch._apply_access(), for its new functions.
CREATE FUNCTION smartpouch._apply_access(wanted oid DEFAULT NULL)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM smartpouch._change_access('GRANT', r.rolname, g.level)
	FROM smartpouch.access_grant g JOIN pg_roles r ON r.oid = g.role_oid
	WHERE g.role_cluster = smartpouch._cluster_id() AND (wanted IS NULL OR r.oid = wanted);
END $$;
COMMENT ON FUNCTION smartpouch._apply_access(oid) IS
	'make the grants that follow from levels of access, of a role or of all';

CREATE FUNCTION smartpouch._withdraw_access(wanted oid, level text)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM smartpouch._change_access('REVOKE', r.rolname, level)
	FROM pg_roles r WHERE r.oid = wanted;
END $$;
COMMENT ON FUNCTION smartpouch._withdraw_access(oid, text) IS
	'take back the grants of a level of access of a role';

-- sql/install/90_grants.sql

-- Functions are executable by everybody unless that is taken away; tables and
-- the schema are not. Administrators grant what they mean to.
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA smartpouch FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA smartpouch FROM PUBLIC;
