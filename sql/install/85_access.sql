-- Which functions and views a level of access is for. Every one that has no name
-- with an underscore in front has a line here; without a level it is for
-- administrators, who have everything. A deployer has what a predictor has too.
CREATE FUNCTION smartpouch._access_objects(OUT object text, OUT levels text)
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
