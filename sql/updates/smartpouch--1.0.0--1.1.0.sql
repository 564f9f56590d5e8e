\echo Use "ALTER EXTENSION smartpouch UPDATE TO '1.1.0'" to load this file. \quit

-- Gates, retention, and the tables for logical subscribers.

DROP TRIGGER refuse_change ON smartpouch.event;
CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.event
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
ALTER TABLE smartpouch.event ENABLE ALWAYS TRIGGER refuse_change;

-- Where the kept history of a model begins, when earlier events were removed:
-- the number and hash of the last one that was.
CREATE TABLE smartpouch.event_head (
	model_id uuid CONSTRAINT event_head_pkey PRIMARY KEY,
	seq bigint NOT NULL CONSTRAINT event_head_seq_check CHECK (seq > 0),
	hash bytea NOT NULL CONSTRAINT event_head_hash_check CHECK (octet_length(hash) = 32),
	expired_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	expired_by text NOT NULL
) USING heap;
COMMENT ON TABLE smartpouch.event_head IS 'registry: ends of the parts of histories that were removed';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.event_head', '');

-- An event goes only when such a head covers it, on a subscriber too.
CREATE FUNCTION smartpouch.refuse_removal() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smartpouch_refuse_removal';
COMMENT ON FUNCTION smartpouch.refuse_removal() IS
	'trigger: refuses to remove events that expire_history() has not accounted for';
CREATE TRIGGER refuse_removal BEFORE DELETE ON smartpouch.event
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_removal();
ALTER TABLE smartpouch.event ENABLE ALWAYS TRIGGER refuse_removal;

CREATE FUNCTION smartpouch.expire_history(model text, older_than interval DEFAULT '5 years',
	dry_run boolean DEFAULT true)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_expire_history';
COMMENT ON FUNCTION smartpouch.expire_history(text, interval, boolean) IS
	'remove old events of a model''s history, keeping the chain whole; returns how many';

CREATE FUNCTION smartpouch.expire_versions(model text DEFAULT NULL, older_than interval DEFAULT '180 days',
	keep integer DEFAULT 5, dry_run boolean DEFAULT true,
	OUT model_name text, OUT version integer, OUT last_used timestamptz, OUT artifact_bytes bigint)
	RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 20
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF older_than IS NULL OR keep IS NULL OR dry_run IS NULL THEN
		RAISE EXCEPTION 'older_than, keep and dry_run must not be NULL' USING ERRCODE = '22004';
	END IF;
	IF keep < 0 THEN
		RAISE EXCEPTION 'keep must not be negative' USING ERRCODE = '22023';
	END IF;
	IF expire_versions.model IS NOT NULL
		AND NOT EXISTS (SELECT FROM smartpouch.models m WHERE m.model = expire_versions.model) THEN
		RAISE EXCEPTION 'model "%" does not exist', expire_versions.model USING ERRCODE = '42704';
	END IF;
	FOR model_name, version, last_used, artifact_bytes IN
		SELECT v.model, v.version, h.last_used, v.artifact_bytes
		FROM (SELECT w.*, row_number() OVER (PARTITION BY w.model ORDER BY w.version DESC) AS age
			FROM smartpouch.versions w) v
			CROSS JOIN LATERAL (SELECT greatest(v.imported_at, max(e.at)) AS last_used
				FROM smartpouch.history e
				WHERE e.model = v.model AND v.version IN (e.version, e.replaced_version)) h
		WHERE (expire_versions.model IS NULL OR v.model = expire_versions.model)
			AND v.age > keep AND h.last_used < now() - older_than
			AND NOT EXISTS (SELECT FROM smartpouch.deployments d
				WHERE d.model = v.model AND (d.version = v.version OR v.version = ANY (d.replaced)))
			AND NOT EXISTS (SELECT FROM smartpouch.aliases a
				WHERE a.model = v.model AND a.version = v.version)
			AND NOT EXISTS (SELECT FROM smartpouch.canaries c
				WHERE c.model = v.model AND c.version = v.version)
			AND NOT EXISTS (SELECT FROM smartpouch.shadows s
				WHERE s.model = v.model AND s.version = v.version)
		ORDER BY v.model, v.version
	LOOP
		IF NOT dry_run THEN
			PERFORM smartpouch.drop_version(model_name || ':' || version);
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION smartpouch.expire_versions(text, interval, integer, boolean) IS
	'drop versions that nothing serves and that nothing has happened to for long; lists them';

-- Versions beside the one that a stage serves.
ALTER TABLE smartpouch.deployment
	ADD COLUMN canary_version integer,
	ADD COLUMN canary_percent double precision,
	ADD COLUMN shadow_version integer,
	ADD COLUMN shadow_percent double precision,
	ADD COLUMN shadow_since timestamptz,
	ADD CONSTRAINT deployment_canary_check CHECK (pg_catalog.num_nulls(canary_version, canary_percent) IN (0, 2)
		AND canary_percent BETWEEN 0 AND 100),
	ADD CONSTRAINT deployment_shadow_check CHECK (pg_catalog.num_nulls(shadow_version, shadow_percent, shadow_since) IN (0, 3)
		AND shadow_percent BETWEEN 0 AND 100);

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

CREATE FUNCTION smartpouch.set_shadow(model text, stage text, version integer, sample_percent double precision)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_set_shadow';
COMMENT ON FUNCTION smartpouch.set_shadow(text, text, integer, double precision) IS
	'compare a version with the one that serves a stage, on a share of its calls';

CREATE FUNCTION smartpouch.drop_shadow(model text, stage text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
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

CREATE VIEW smartpouch.canaries WITH (security_barrier) AS
SELECT m.name AS model, d.stage, d.canary_version AS version, d.canary_percent AS percent,
	d.version AS beside, d.model_id
FROM smartpouch.deployment d JOIN smartpouch.model m ON m.id = d.model_id
WHERE d.canary_version IS NOT NULL AND smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.canaries IS 'versions that answer a share of the routing keys of a stage';

CREATE VIEW smartpouch.shadows WITH (security_barrier) AS
SELECT m.name AS model, d.stage, d.shadow_version AS version, d.shadow_percent AS sample_percent,
	d.version AS beside, d.shadow_since AS since, c.agreed, c.differed, c.errors, c.mean_difference,
	c.max_difference, c.last_error, c.last_at
FROM smartpouch.deployment d JOIN smartpouch.model m ON m.id = d.model_id
	LEFT JOIN LATERAL smartpouch._shadow_counts(d.model_id, d.stage, d.shadow_since) c ON true
WHERE d.shadow_version IS NOT NULL AND smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.shadows IS 'versions that are compared with what serves, and how often they agreed on this server';

-- What a version must show before a stage takes it.
CREATE TABLE smartpouch.gate (
	stage text COLLATE "C" CONSTRAINT gate_pkey PRIMARY KEY,
	rule jsonb NOT NULL,
	set_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	set_by text NOT NULL
) USING heap;
COMMENT ON TABLE smartpouch.gate IS 'registry: what versions must show before a stage takes them';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.gate', '');

CREATE FUNCTION smartpouch.set_gate(stage text, rule jsonb)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_set_gate';
COMMENT ON FUNCTION smartpouch.set_gate(text, jsonb) IS
	'what versions must show before they are promoted to a stage';

CREATE FUNCTION smartpouch.drop_gate(stage text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_gate';
COMMENT ON FUNCTION smartpouch.drop_gate(text) IS 'let every version be promoted to a stage';

-- Rights, snapshots and uploads are each server's own. A new table of the registry
-- has its place here or in the list of test/pgtap/lifecycle.sql.
CREATE FUNCTION smartpouch.publication_tables()
	RETURNS SETOF regclass LANGUAGE sql STABLE PARALLEL SAFE ROWS 11
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT ('smartpouch.' || name)::regclass
	FROM unnest('{alias,blob,deployment,evaluation,event,event_head,gate,golden,model,stage,version}'::text[]) name $$;
COMMENT ON FUNCTION smartpouch.publication_tables() IS
	'the tables that a logical subscriber needs to predict as this server does';

CREATE VIEW smartpouch.gates AS
SELECT g.stage, g.rule, g.set_at, g.set_by FROM smartpouch.gate g;
COMMENT ON VIEW smartpouch.gates IS 'what versions must show before a stage takes them';

CREATE OR REPLACE FUNCTION smartpouch._access_objects(OUT object text, OUT levels text)
	RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$ VALUES
	('_can_see', 'predictor deployer monitor'),
	('_cluster_id', 'predictor deployer monitor'),
	('_model_cache', 'monitor'),
	('_shadow_counts', 'deployer monitor'),
	('accuracy', 'predictor deployer'),
	('add_golden', 'deployer'),
	('balanced_accuracy', 'predictor deployer'),
	('check_golden', 'deployer'),
	('classification_report', 'predictor deployer'),
	('confusion_matrix', 'predictor deployer'),
	('drop_alias', 'deployer'),
	('drop_canary', 'deployer'),
	('drop_deployment', 'deployer'),
	('drop_gate', ''),
	('drop_golden', 'deployer'),
	('drop_model', 'deployer'),
	('drop_shadow', 'deployer'),
	('drop_snapshot', 'deployer'),
	('drop_version', 'deployer'),
	('evaluate', 'deployer'),
	('evict_model', ''),
	('expire_history', 'deployer'),
	('expire_versions', 'deployer'),
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
	('publication_tables', ''),
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
	('set_canary', 'deployer'),
	('set_gate', ''),
	('set_owner', 'deployer'),
	('set_shadow', 'deployer'),
	('set_stages', ''),
	('shadow_differences', 'deployer'),
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
	('canaries', 'predictor deployer monitor'),
	('deployments', 'predictor deployer monitor'),
	('evaluations', 'deployer monitor'),
	('gates', 'predictor deployer monitor'),
	('history', 'deployer monitor'),
	('model_cache', 'monitor'),
	('model_grants', 'deployer monitor'),
	('models', 'predictor deployer monitor'),
	('shadows', 'deployer monitor'),
	('snapshots', 'deployer monitor'),
	('stages', 'predictor deployer monitor'),
	('versions', 'predictor deployer monitor')
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA smartpouch FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA smartpouch FROM PUBLIC;
SELECT smartpouch._apply_access();
