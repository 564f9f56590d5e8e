-- From CREATE EXTENSION to a prediction.
CREATE EXTENSION smartpouch;
SELECT smartpouch.version() = (SELECT extversion FROM pg_extension WHERE extname = 'smartpouch') AS same_version;

-- Two trees over two features, as XGBoost writes them.
CREATE TABLE tiny (name text PRIMARY KEY, artifact bytea);
INSERT INTO tiny VALUES ('regression', convert_to($${"learner": {
	"learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2", "num_target": "1"},
	"feature_names": ["age", "weight"], "feature_types": ["float", "float"],
	"objective": {"name": "reg:squarederror"},
	"gradient_booster": {"name": "gbtree", "model": {
		"gbtree_model_param": {"num_trees": "2", "num_parallel_tree": "1"},
		"tree_info": [0, 0],
		"trees": [
			{"tree_param": {"num_nodes": "3", "size_leaf_vector": "1", "num_feature": "2", "num_deleted": "0"},
			 "left_children": [1, -1, -1], "right_children": [2, -1, -1], "parents": [2147483647, 0, 0],
			 "split_indices": [0, 0, 0], "split_conditions": [30, -1, 1], "default_left": [1, 0, 0],
			 "split_type": [0, 0, 0], "categories": [], "categories_nodes": [],
			 "categories_segments": [], "categories_sizes": [], "base_weights": [0, 0, 0],
			 "loss_changes": [1, 0, 0], "sum_hessian": [2, 1, 1]},
			{"tree_param": {"num_nodes": "3", "size_leaf_vector": "1", "num_feature": "2", "num_deleted": "0"},
			 "left_children": [1, -1, -1], "right_children": [2, -1, -1], "parents": [2147483647, 0, 0],
			 "split_indices": [1, 0, 0], "split_conditions": [70.5, 0.25, 0.5], "default_left": [0, 0, 0],
			 "split_type": [0, 0, 0], "categories": [], "categories_nodes": [],
			 "categories_segments": [], "categories_sizes": [], "base_weights": [0, 0, 0],
			 "loss_changes": [1, 0, 0], "sum_hessian": [2, 1, 1]}]}}},
	"version": [3, 1, 0]}$$, 'UTF8'));
INSERT INTO tiny
SELECT 'classifier', convert_to(replace(convert_from(artifact, 'UTF8'), 'reg:squarederror', 'binary:logistic'), 'UTF8')
FROM tiny WHERE name = 'regression';

SELECT smartpouch.import_model('tiny', artifact) FROM tiny WHERE name = 'regression';
SELECT smartpouch.import_model('risk', artifact, labels => ARRAY['low', 'high']) FROM tiny WHERE name = 'classifier';
SELECT smartpouch.promote('tiny', 1, 'production', 'first');
SELECT smartpouch.promote('risk', 1, 'production');

-- 0.5 + 1 + 0.25, 0.5 - 1 + 0.5
SELECT smartpouch.predict('tiny', ARRAY[40, 60]), smartpouch.predict('tiny', ARRAY[20.0, 80.0]);
SELECT smartpouch.predict_label('risk', ARRAY[40, 60]), smartpouch.predict_label('risk', ARRAY[20, 60]);
SELECT round(p::numeric, 6) AS p FROM unnest(smartpouch.predict_proba('risk', ARRAY[40, 60])) p;
SELECT smartpouch.predict_raw('risk', ARRAY[40, 60]);
SELECT smartpouch.predict_json('tiny', '{"age": 40, "weight": 60}');

-- the views
SELECT model, versions, newest, production FROM smartpouch.models ORDER BY model;
SELECT model, version, task, source_format, producer, objective, feature_names, labels, trees, nodes
FROM smartpouch.versions ORDER BY model;
SELECT model, stage, version, replaced, note FROM smartpouch.deployments ORDER BY model;
SELECT model, action, version, stage, replaced_version, note FROM smartpouch.history ORDER BY model, seq;
SELECT stage, position FROM smartpouch.stages ORDER BY position;
SELECT h ->> 'status' AS status, h ->> 'version' = smartpouch.version() AS version,
	(h ->> 'timestamp')::timestamptz <= clock_timestamp() AS timestamp
FROM smartpouch.health() h;
