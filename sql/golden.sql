-- Rows with known answers. Uses table tiny of smoke.sql.
\set SHOW_CONTEXT never
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [
	{"features": {"age": 40, "weight": 60}, "expected": {"value": 1.75, "raw": [1.75]}},
	{"features": ["NaN", 60], "expected": {"value": -0.2500001}, "tolerance": 1e-5},
	{"features": [null, 60], "expected": {"value": -0.25}, "tolerance": 0}]}')
FROM tiny WHERE name = 'regression';
SELECT * FROM smartpouch.check_golden('gold:1');
-- an import that does not answer so is refused, with the first difference
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [
	{"features": [40, 60], "expected": {"value": 1.75}},
	{"features": [40, 60], "expected": {"value": 1.76}},
	{"features": [40, 60], "expected": {"value": 1.77}}]}')
FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
-- an error tells which row it is about
\set SHOW_CONTEXT errors
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [
	{"features": [40, 60], "expected": {"value": 1.75}}, {"features": [40], "expected": {"value": 1.75}}]}')
FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
\set SHOW_CONTEXT never
SELECT count(*) FROM smartpouch.versions WHERE model = 'gold';
-- classifiers
SELECT smartpouch.import_model('gold', artifact, labels => ARRAY['low', 'high'], options => '{"golden": [
	{"features": [40, 60], "expected": {"label": "high", "probabilities": {"low": 0.2227, "high": 0.7773}, "raw": [1.25]}, "tolerance": 1e-5},
	{"features": [40, 60], "expected": {"probabilities": [0.2227, 0.7773]}, "tolerance": 1e-5}]}')
FROM tiny WHERE name = 'classifier';
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"label": "low"}');
SELECT * FROM smartpouch.check_golden('gold:2');
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"label": "high"}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"probabilities": {"low": 0.5, "high": 0.5}}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"probabilities": {"low": 0.5, "tall": 0.5}}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"probabilities": [0.5]}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"value": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"colour": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '[]'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '[20, 60]', '{"value": "much"}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '[20]', '{"value": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '["Infinity", 60]', '{"value": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '[20, 60]', '{"value": 1}', -1); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '["-0", 60]', '{"value": -0.25}');
SELECT smartpouch.add_golden('gold:9', '[20, 60]', '{"value": 1}'); \echo :SQLSTATE
-- the special strings are for golden rows only
SELECT smartpouch.predict_json('gold:1', '["NaN", 60]'); \echo :SQLSTATE
SELECT smartpouch.drop_golden('gold:1', 4);
SELECT smartpouch.drop_golden('gold:1', 4); \echo :SQLSTATE
SELECT count(*), max(seq) FROM smartpouch.check_golden('gold:1');
-- wrong options
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": 1}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [1]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2]}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2], "expected": {"value": 1}, "tolerance": "big"}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"iterations": 0}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"start_iteration": -1}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"start_iteration": 9}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"best_iteration": 1}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2], "expected": {"value": 1}, "tolerance": true}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2], "expected": {"value": 1}, "tolerance": 1e400}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2], "expected": {"value": 1}, "tolerence": 1}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": 1, "expected": {"value": 1}}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": {"age": 1}, "expected": {"value": 1}}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2], "expected": 1}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2], "expected": {"value": true}}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": []}') FROM tiny WHERE name = 'regression';
-- golden rows of an upload
SELECT smartpouch.upload_begin('gold') AS upload \gset
SELECT smartpouch.upload_chunk(:upload, 1, artifact) FROM tiny WHERE name = 'regression';
SELECT smartpouch.import_upload(:upload, options => '{"golden": [{"features": [40, 60], "expected": {"value": 2}}]}'); \echo :SQLSTATE
SELECT smartpouch.import_upload(:upload, options => '{"golden": [{"features": [40, 60], "expected": {"value": 1.75}}]}') AS version \gset
SELECT * FROM smartpouch.check_golden('gold:' || :version);
-- what JSON has no number for, as answers and as features: an exponent that is too large, a difference of infinities
SELECT smartpouch.import_model('far', convert_to(replace(replace(convert_from(artifact, 'UTF8'),
	'reg:squarederror', 'count:poisson'), '[30, -1, 1]', '[30, -1, 1000]'), 'UTF8'), options => '{"golden": [
	{"features": [40, 60], "expected": {"value": "Infinity"}},
	{"features": [40, 60], "expected": {"value": 1e400}},
	{"features": [20, 60], "expected": {"value": 0.236183}}]}')
FROM tiny WHERE name = 'regression';
SELECT smartpouch.add_golden('far:1', '[40, 60]', '{"value": "-Infinity"}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('far:1', '[40, 60]', '{"value": "NaN"}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('far:1', '[40, 60]', '{"value": 1.7e308}', 1e300); \echo :SQLSTATE
SELECT smartpouch.add_golden('far:1', '[20, 60]', '{"value": "Infinity"}', 1e300); \echo :SQLSTATE
SELECT smartpouch.import_model('difference', convert_to($$tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=1
objective=regression
feature_names=a b
feature_infos=none none

Tree=0
num_leaves=2
num_cat=0
split_feature=0
threshold=0
decision_type=2
left_child=-1
right_child=-2
leaf_value=7 8
is_linear=1
leaf_const=0 0
num_features=2 2
leaf_features=0 1 0 1
leaf_coeff=1 -1 1 -1

end of trees
$$, 'UTF8'), options => '{"golden": [
	{"features": ["Infinity", 1], "expected": {"value": "Infinity"}},
	{"features": ["-Infinity", 1], "expected": {"value": "-Infinity"}},
	{"features": ["Infinity", "Infinity"], "expected": {"value": "NaN", "raw": ["NaN"]}},
	{"features": ["Infinity", "Infinity"], "expected": {"value": null}},
	{"features": ["-0", 0], "expected": {"value": "-0"}, "tolerance": 0},
	{"features": ["NaN", 1], "expected": {"value": 7}, "tolerance": 0}]}') AS version;
SELECT * FROM smartpouch.check_golden('difference:1');
SELECT smartpouch.add_golden('difference:1', '["Infinity", "Infinity"]', '{"value": 0}', 1e300); \echo :SQLSTATE
SELECT smartpouch.add_golden('difference:1', '["inf", 1]', '{"value": 0}'); \echo :SQLSTATE
-- a model with several values is compared in all of them
SELECT smartpouch.import_model('pair', convert_to(replace(replace(replace(convert_from(artifact, 'UTF8'),
	'"num_target": "1"', '"num_target": "2"'), '"tree_info": [0, 0]', '"tree_info": [0, 1]'), '"base_score": "5E-1"', '"base_score": "0"'), 'UTF8'),
	options => '{"golden": [{"features": [40, 60], "expected": {"value": [1, 0.25]}}]}')
FROM tiny WHERE name = 'regression';
SELECT smartpouch.add_golden('pair:1', '[40, 60]', '{"value": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('pair:1', '[40, 60]', '{"value": [1]}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('pair:1', '[40, 60]', '{"value": [1, 0.26]}'); \echo :SQLSTATE
