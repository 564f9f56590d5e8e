-- Missing values and categories: what a version was imported with holds in every form of binding.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SET LOCAL search_path = smartpouch, public;

-- A tree of one split: membership in one category, or x < 30; what has no value goes right.
CREATE FUNCTION tree(feature integer, category integer, yes real, no real) RETURNS text LANGUAGE sql AS $$
SELECT format('{"tree_param": {"num_nodes": "3", "size_leaf_vector": "1", "num_feature": "3", "num_deleted": "0"},
	"left_children": [1, -1, -1], "right_children": [2, -1, -1], "parents": [2147483647, 0, 0],
	"split_indices": [%s, 0, 0], "split_conditions": [30, %s, %s], "default_left": [0, 0, 0],
	"split_type": [%s, 0, 0], "categories": [%s], "categories_nodes": [%s], "categories_segments": [%s],
	"categories_sizes": [%s], "base_weights": [0, 0, 0], "loss_changes": [1, 0, 0], "sum_hessian": [2, 1, 1]}',
	feature, no, yes, CASE WHEN category IS NULL THEN 0 ELSE 1 END, category,
	CASE WHEN category IS NOT NULL THEN '0' END, CASE WHEN category IS NOT NULL THEN '0' END,
	CASE WHEN category IS NOT NULL THEN '1' END) $$;

-- color: red 0, green 1, blue 4, missing 5; store: 300 gives 0, 10 gives 10, 20 gives 20, missing 30;
-- age below 30 gives 100, else or missing 200
CREATE TABLE file AS SELECT convert_to(format('{"learner": {
	"learner_model_param": {"base_score": "0", "num_class": "0", "num_feature": "3", "num_target": "1"},
	"feature_names": ["age", "color", "store"], "feature_types": ["float", "c", "c"],
	"objective": {"name": "reg:squarederror"},
	"gradient_booster": {"name": "gbtree", "model": {
		"gbtree_model_param": {"num_trees": "5", "num_parallel_tree": "1"}, "tree_info": [0, 0, 0, 0, 0],
		"trees": [%s, %s, %s, %s, %s],
		"cats": {"enc": [{"offsets": [], "values": []},
			{"offsets": [0, 3, 8, 12], "values": [114, 101, 100, 103, 114, 101, 101, 110, 98, 108, 117, 101]},
			{"type": 15, "values": [300, 10, 20]}]}}}},
	"version": [3, 2, 0]}', tree(1, 1, 1, 0), tree(1, 2, 4, 0), tree(2, 1, 10, 0), tree(2, 2, 20, 0),
	tree(0, NULL, 200, 100)), 'UTF8') AS bytes;

SELECT import_model('source', bytes) FROM file;
SELECT import_model('error', bytes, options => '{"on_missing": "error", "on_unseen": "error"}') FROM file;
SELECT import_model('filled', bytes, options => '{"on_missing": {"color": "green", "store": 20}}') FROM file;
SELECT import_model('missing', bytes, options => '{"on_unseen": "missing"}') FROM file;
SELECT import_model('both', bytes, options => '{"on_unseen": "missing", "on_missing": {"color": "blue", "age": 1}}') FROM file;

CREATE TYPE hue AS ENUM ('red', 'green', 'blue', 'pink');
CREATE TYPE as_text AS (age real, color text, store integer);
CREATE TYPE as_varchar AS (age real, color varchar(9), store bigint);
CREATE TYPE as_char AS (age real, color char(9), store smallint);
CREATE TYPE as_name AS (age real, color name, store numeric);
CREATE TYPE as_enum AS (age real, color hue, store double precision);
CREATE TYPE as_code AS (age real, color real, store real);
CREATE TYPE as_date AS (age real, color date, store real);
CREATE TYPE as_stores AS (age real, color text, store text);

SELECT plan(130);

-- Texts and numbers of categories
SELECT is(predict('source:1', ROW(20, 'green', 10)::as_text), 111::float8, 'text column');
SELECT is(predict('source:1', ROW(20, 'blue', 20)::as_varchar), 124::float8, 'varchar column');
SELECT is(predict('source:1', ROW(20, 'blue', 300)::as_char), 104::float8, 'char column, without its blanks');
SELECT is(predict('source:1', ROW(20, 'red', 10)::as_name), 110::float8, 'name column');
SELECT is(predict('source:1', ROW(20, 'green', 20)::as_enum), 121::float8, 'enum column');
SELECT is(predict('source:1', ROW(20, 1, 20)::as_code), 121::float8, 'a number is the code of a text');
CREATE TABLE shop_text (LIKE as_text);
CREATE TABLE shop_char (name text, LIKE as_char);
CREATE TABLE shop_enum (LIKE as_enum);
INSERT INTO shop_text VALUES (20, 'green', 10), (20, NULL, 10);
INSERT INTO shop_char VALUES (repeat('x', 5000), 20, 'blue', 300);
INSERT INTO shop_enum VALUES (20, 'green', 20);
SELECT is(array_agg(predict('source:1', s) ORDER BY color), ARRAY[111, 115]::float8[], 'text in a table') FROM shop_text s WHERE predict('source:1', s) > 0;
SELECT is(predict('source:1', s), 104::float8, 'char') FROM shop_char s WHERE predict('source:1', s) = 104;
SELECT is(predict('source:1', s), 121::float8, 'enum') FROM shop_enum s WHERE predict('source:1', s) = 121;
INSERT INTO shop_text VALUES (20, 'pink', 10);
SELECT throws_like($$ SELECT predict('source:1', s) FROM shop_text s WHERE predict('source:1', s) > 0 $$, '%pink%', 'which no model knows');
DELETE FROM shop_text WHERE color = 'pink';
SELECT is(predict('source:1', ARRAY[20, 2, 10]::real[]), 114::float8, 'array: code of the text, number itself');
SELECT is(predict('source:1', ARRAY[20, 2, 10]::numeric[]), 114::float8, 'array of numeric');
SELECT is(predict('source:1', '{"age": 20, "color": "green", "store": 10}'::jsonb), 111::float8, 'jsonb object');
SELECT is(predict('source:1', '[20, "blue", 20]'::jsonb), 124::float8, 'jsonb array');
SELECT is(predict_json('source:1', '[20, "blue", 20]') ->> 'value', '124', 'predict_json');
SELECT is((SELECT array_agg(value) FROM predict_batch('source:1', ARRAY[[20, 1, 10], [40, 2, 300]])),
	'{111,204}'::float8[], 'predict_batch');
SELECT is(predict_version((SELECT sha256 FROM versions WHERE model = 'source'), '[20, "green", 10]'::jsonb),
	111::float8, 'predict_version');
SELECT is(predict('source:1', ROW(20, NULL, NULL)::as_text), 135::float8, 'missing categories go where the source sends them');
SELECT is(predict('source:1', ARRAY[NULL, 7, 20]::real[]), 220::float8, 'an unknown code is as in the source');
SELECT throws_ok($$SELECT predict('source:1', ROW(20, 'pink', 10)::as_enum)$$, '22023',
	'feature "color" of model "source" version 1 cannot be "pink"', 'an unseen text is an error of the source');
SELECT throws_ok($$SELECT predict('source:1', '[20, "Green", 10]'::jsonb)$$, '22023',
	'feature "color" of model "source" version 1 cannot be "Green"', 'case counts');
SELECT throws_ok($$SELECT predict('source:1', ARRAY[20, 1, 30])$$, '22023',
	'feature "store" of model "source" version 1 cannot be 30', 'an unseen number too');
SELECT throws_ok($$SELECT * FROM predict_batch('source:1', ARRAY[[20, 1, 10], [20, 1, 11]])$$, '22023',
	'feature "store" of model "source" version 1 cannot be 11 in row 2', 'in a batch the row is named');
SELECT throws_ok($$SELECT predict('source:1', ROW(20, current_date, 10)::as_date)$$, '22023', NULL, 'a date is no category');
SELECT throws_ok($$SELECT predict('source:1', ROW(20, 'red', '10')::as_stores)$$, '22023', NULL, 'numbers are no texts');
SELECT throws_ok($$SELECT predict('source:1', '[20, "red", "10"]'::jsonb)$$, '22023', NULL, 'nor in jsonb');

-- "error"
SELECT is(predict('error:1', '[20, "green", 10]'::jsonb), 111::float8, 'error: whole rows are predicted');
SELECT throws_ok(format('SELECT predict(''error:1'', %s)', features), '22004',
	format('feature "%s" of model "error" version 1 is missing', feature), features)
FROM (VALUES ('ARRAY[NULL, 1, 10]::real[]', 'age'), ('ARRAY[20, ''NaN'', 10]::real[]', 'color'),
	('ROW(20, NULL, 10)::as_text', 'color'), ('ROW(20, ''red'', NULL)::as_text', 'store'),
	('''{"age": null, "color": "red", "store": 10}''::jsonb', 'age'),
	('''[20, null, 10]''::jsonb', 'color')) AS bad (features, feature);
SELECT throws_ok($$SELECT predict_json('error:1', '[20, null, 10]')$$, '22004', NULL, 'error: predict_json');
SELECT throws_ok($$SELECT * FROM predict_batch('error:1', ARRAY[[1, 1, 10], [1, NULL, 10]])$$, '22004',
	'feature "color" of model "error" version 1 is missing in row 2', 'error: predict_batch names the row');
SELECT throws_ok($$SELECT predict_version((SELECT sha256 FROM versions WHERE model = 'error'), '[20, null, 10]'::jsonb)$$,
	'22004', NULL, 'error: predict_version');
SELECT throws_ok($$SELECT add_golden('error:1', '[20, null, 10]', '{"value": 1}')$$, '22004', NULL, 'error: golden rows');
SELECT throws_ok($$SELECT import_model('x', bytes, options => '{"on_missing": "error",
	"golden": [{"features": [20, "green", 10], "expected": {"value": 111}},
	{"features": [20, "green", null], "expected": {"value": 1}}]}') FROM file$$, '22004',
	'feature "store" of model "x" is missing in row 2', 'error: golden rows of the options name the row');
SELECT throws_ok($$SELECT predict('error:1', ARRAY[20, 7, 10])$$, '22023',
	'feature "color" of model "error" version 1 cannot be 7', 'error: an unknown code');
SELECT throws_ok($$SELECT predict('error:1', ROW(20, 'pink', 10)::as_text)$$, '22023', NULL, 'error: an unseen text');

-- Default values
SELECT is(add_golden('error:1', '[20, "green", 10]', '{"value": 111}'), 1, 'a golden row');
SELECT ok(passed, 'matches') FROM check_golden('error:1');
SELECT throws_ok($$SELECT predict('error:1', ARRAY[20, 1, NULL])$$, '22004',
	'feature "store" of model "error" version 1 is missing', 'a row number is not left behind for other calls');
SELECT is(predict('filled:1', ARRAY[20, NULL, NULL]::real[]), 121::float8, 'default: array');
SELECT is(predict('filled:1', ARRAY[NULL, NULL, NULL]::float8[]), 221::float8, 'default: a feature without one keeps the rule');
SELECT is(predict('filled:1', ROW(20, NULL, NULL)::as_text), 121::float8, 'default: row');
SELECT is(predict('filled:1', '{"age": 20, "color": null, "store": 10}'::jsonb), 111::float8, 'default: jsonb object');
SELECT is(predict('filled:1', '[20, "red", null]'::jsonb), 120::float8, 'default: jsonb array');
SELECT is(predict_json('filled:1', '[20, "red", null]') ->> 'value', '120', 'default: predict_json');
SELECT is((SELECT array_agg(value) FROM predict_batch('filled:1', ARRAY[[20, NULL, 10], [40, 2, NULL]])),
	'{111,224}'::float8[], 'default: predict_batch');
SELECT is(predict_version((SELECT sha256 FROM versions WHERE model = 'filled'), ARRAY[20, NULL, NULL]::real[]),
	121::float8, 'default: predict_version');
SELECT is(add_golden('filled:1', '[20, "NaN", null]', '{"value": 121}'), 1, 'default: golden rows');
SELECT throws_ok($$SELECT predict('filled:1', ROW(20, 'pink', 10)::as_text)$$, '22023', NULL, 'default: not for an unseen category');
SELECT isnt((SELECT sha256 FROM versions WHERE model = 'filled'), (SELECT sha256 FROM versions WHERE model = 'source'),
	'another policy is another program');

-- Unseen as missing
SELECT is(predict('missing:1', ROW(20, 'pink', 11)::as_text), 135::float8, 'missing: row');
SELECT is(predict('missing:1', ARRAY[20, 7, 11]::real[]), 135::float8, 'missing: array');
SELECT is(predict_json('missing:1', '[20, "pink", 11]') ->> 'value', '135', 'missing: jsonb');
SELECT is((SELECT array_agg(value) FROM predict_batch('missing:1', ARRAY[[20, 7, 10]])), '{115}'::float8[], 'missing: predict_batch');
SELECT is(predict('both:1', ROW(NULL, 'pink', 11)::as_text), 134::float8, 'an unseen category that is missing has the default value');

-- What is shown
SELECT is((SELECT jsonb_object_agg(model, jsonb_build_array(on_missing, on_unseen)) FROM versions),
	'{"source": ["source", "source"], "error": ["error", "error"], "missing": ["source", "missing"],
	"filled": [{"color": "green", "store": 20}, "source"], "both": [{"age": 1, "color": "blue"}, "missing"]}'::jsonb,
	'versions shows the policies');
SELECT is((SELECT feature_types FROM versions WHERE model = 'source'), '{float32,category,category}'::text[], 'and which features are categories');
SELECT is((SELECT inspect_model(bytes) -> 'features' FROM file), '[{"name": "age", "type": "float32", "source_type": "float", "accepts_missing": true},
	{"name": "color", "type": "category", "unseen": "error", "categories": ["red", "green", "blue"], "source_type": "c", "n_categories": 3,
	"accepts_missing": true},
	{"name": "store", "type": "category", "unseen": "error", "categories": [300, 10, 20], "source_type": "c", "n_categories": 3,
	"accepts_missing": true}]'::jsonb,
	'inspect_model shows the rules of the file');

-- Options that cannot be
SELECT throws_ok(format('SELECT import_model(''x'', bytes, options => %L) FROM file', options), '22023', message, options)
FROM (VALUES
	('{"on_missing": "drop"}', 'unknown value of import option "on_missing"'),
	('{"on_missing": 0}', 'unknown value of import option "on_missing"'),
	('{"on_missing": ["x"]}', 'unknown value of import option "on_missing"'),
	('{"on_unseen": "drop"}', 'unknown value of import option "on_unseen"'),
	('{"on_unseen": null}', 'unknown value of import option "on_unseen"'),
	('{"on_missing": {"size": 1}}', 'there is a default value for "size", which is no feature of the model'),
	('{"on_missing": {"age": "old"}}', 'the default value of feature "age" is a text'),
	('{"on_missing": {"age": null}}', 'invalid default value of feature "age" in import option "on_missing"'),
	('{"on_missing": {"age": [1]}}', 'invalid default value of feature "age" in import option "on_missing"'),
	('{"on_missing": {"age": 1e300}}', 'the default value of feature "age" does not fit its type'),
	('{"on_missing": {"color": "pink"}}', 'the default value of feature "color" is none of its categories'),
	('{"on_missing": {"store": 30}}', 'the default value of feature "store" is none of its categories'),
	('{"on_missing": {"store": "10"}}', 'the default value of feature "store" is a text')) AS bad (options, message);
SELECT is(count(*)::integer, 0, 'nothing was imported') FROM versions WHERE model = 'x';

-- Names of the caller
SELECT import_model('named', bytes, feature_names => ARRAY['a', 'b', 'c'], options => '{"on_missing": {"b": "blue"}}') FROM file;
SELECT is(predict('named:1', '{"a": 20, "b": null, "c": 300}'::jsonb), 104::float8, 'defaults go by the names that the caller gives');

-- A model without a list, and one without a rule for missing values
\ir tiny.inc
SELECT throws_ok($$SELECT import_model('x', artifact, options => '{"on_unseen": "error"}') FROM tiny WHERE name = 'regression'$$,
	'22023', 'the model has no categories, so none can be unseen', 'nothing can be unseen without categories');
SELECT throws_ok($$SELECT import_model('x', convert_to(replace(convert_from(bytes, 'UTF8'), '"cats"', '"dogs"'), 'UTF8'),
	options => '{"on_unseen": "error"}') FROM file$$, '22023', 'the file does not list the categories of feature "color"',
	'nor can it be told without a list');
SELECT lives_ok($$SELECT import_model('codes', convert_to(replace(convert_from(bytes, 'UTF8'), '"cats"', '"dogs"'), 'UTF8')) FROM file$$,
	'a file without lists takes codes');
SELECT is(predict('codes:1', ARRAY[20, 1, 1]), 111::float8, 'as it did');
SELECT throws_ok($$SELECT predict('codes:1', '[20, "red", 1]'::jsonb)$$, '22023', NULL, 'and no texts');

-- Texts and integers of an ONNX graph, which has no missing values: y = {up: 1, down: 2, else 9}[s] + k
CREATE TABLE graph AS SELECT decode(
	'08083adb010a740a0173120161220c4c6162656c456e636f6465722a170a0d64656661756c745f666c6f61741500001041a001012a1b0a0c6b657973'
	'5f737472696e67734a0275704a04646f776ea001082a1c0a0d76616c7565735f666c6f6174733d0000803f3d00000040a001063a0a61692e6f6e6e78'
	'2e6d6c0a170a016b1201622204436173742a090a02746f1801a001020a0e0a01610a016212017922034164641201675a110a0173120c0a0a08081206'
	'0a000a0208015a110a016b120c0a0a080712060a000a02080162110a0179120c0a0a080112060a000a02080142040a001011420e0a0a61692e6f6e6e'
	'782e6d6c1003', 'hex') AS bytes;
SELECT import_model('graph', bytes) FROM graph;
SELECT import_model('graph_filled', bytes, options => '{"on_missing": {"s": "down", "k": 7}, "on_unseen": "missing"}') FROM graph;
SELECT import_model('graph_unseen', bytes, options => '{"on_unseen": "error"}') FROM graph;
SELECT import_model('graph_else', bytes, options => '{"on_missing": {"s": "none of them"}}') FROM graph;
SELECT is(predict_json('graph:1', '{"s": "sideways", "k": 10}') ->> 'value', '19', 'ONNX: the graph has a rule for unseen texts');
SELECT throws_ok($$SELECT predict_json('graph:1', '{"s": null, "k": 10}')$$, '22004', NULL, 'ONNX: but none for missing ones');
SELECT throws_ok($$SELECT predict_json('graph:1', '{"s": "up", "k": null}')$$, '22004', NULL, 'ONNX: nor for missing integers');
SELECT is(predict_json('graph_filled:1', '{"s": null, "k": null}') ->> 'value', '9', 'ONNX: defaults of texts and integers');
SELECT is(predict_json('graph_filled:1', '{"s": "sideways", "k": 1}') ->> 'value', '3', 'ONNX: an unseen text that is missing');
SELECT is(predict_json('graph_else:1', '{"s": null, "k": 1}') ->> 'value', '10', 'ONNX: a default that the model does not know');
SELECT throws_ok($$SELECT predict_json('graph_unseen:1', '{"s": "sideways", "k": 1}')$$, '22023',
	'feature "s" of model "graph_unseen" version 1 cannot be "sideways"', 'ONNX: an unseen text that is refused');
SELECT throws_ok($$SELECT import_model('x', bytes, options => '{"on_missing": {"k": 0.5}}') FROM graph$$, '22023',
	'the default value of feature "k" does not fit its type', 'ONNX: a default that is no integer');

-- An ONNX pipeline that imputes a, scales b and drops c, k and t: y = 10 a + 2 (b - 1), a is 7 where it is missing
CREATE TABLE partly AS SELECT decode(
	'08083a89030a5b0a01611201692207496d70757465722a1e0a14696d70757465645f76616c75655f666c6f6174733d0000e040a001062a1e0a14'
	'7265706c616365645f76616c75655f666c6f6174150000c07fa001013a0a61692e6f6e6e782e6d6c0a3d0a016212017322065363616c65722a10'
	'0a066f66667365743d0000803fa001062a0f0a057363616c653d00000040a001063a0a61692e6f6e6e782e6d6c0a1e0a01690a01731201782206'
	'436f6e6361742a0b0a04617869731801a001020a560a0178120179220f4c696e656172526567726573736f722a1b0a0c636f656666696369656e'
	'74733d000020413d0000803fa001062a140a0a696e74657263657074733d00000000a001063a0a61692e6f6e6e782e6d6c1201675a110a016112'
	'0c0a0a080112060a000a0208015a110a0162120c0a0a080112060a000a0208015a110a0163120c0a0a080112060a000a0208015a110a016b120c'
	'0a0a080712060a000a0208015a110a0174120c0a0a080812060a000a02080162110a0179120c0a0a080112060a000a02080142040a00100d420e'
	'0a0a61692e6f6e6e782e6d6c1001', 'hex') AS bytes;
SELECT import_model('partly', bytes) FROM partly;
SELECT import_model('partly_error', bytes, options => '{"on_missing": "error"}') FROM partly;
SELECT import_model('partly_filled', bytes, options => '{"on_missing": {"b": 3}}') FROM partly;
CREATE TYPE as_partly AS (a real, b real, c real, k bigint, t text);
SELECT is(jsonb_path_query_array(inspect_model(bytes), '$.features[*].accepts_missing'), '[true, false, true, true, true]'::jsonb,
	'inspect_model tells which features may be missing') FROM partly;
SELECT ok(NOT accepts_missing, 'not all of them may') FROM versions WHERE model = 'partly';
SELECT is(predict('partly:1', ROW(NULL, 2, NULL, NULL, NULL)::as_partly), 72::float8, 'row: an imputed feature, and three dropped ones');
SELECT is(predict('partly:1', ROW('NaN', 2, 'NaN', 5, 'x')::as_partly), 72::float8, 'row: NaN');
SELECT is(predict('partly:1', ROW(1, 2, 3, 4, 'x')::as_partly), 12::float8, 'row: nothing is missing');
SELECT is(predict_json('partly:1', '{"a": null, "b": 2, "c": null, "k": null, "t": null}') ->> 'value', '72', 'jsonb object');
SELECT is(predict('partly_filled:1', '{"a": 1, "b": null, "c": null, "k": null, "t": null}'::jsonb), 14::float8,
	'a default for the feature without a rule');
SELECT throws_ok(format('SELECT %s', call), '22004', 'feature "b" of model "partly" version 1 is missing', call)
FROM (VALUES ('predict(''partly:1'', ROW(1, NULL, 3, 4, ''x'')::as_partly)'),
	('predict(''partly:1'', ROW(1, ''NaN'', 3, 4, ''x'')::as_partly)'),
	('predict(''partly:1'', ARRAY[1, NULL, 3, 4, NULL]::real[])'),
	('predict(''partly:1'', ''[null, null, null, null, null]''::jsonb)'),
	('predict_json(''partly:1'', ''{"a": 1, "b": null, "c": 3, "k": 4, "t": "x"}'')')) AS bad (call);
SELECT is(array_agg(value ORDER BY ordinal), ARRAY[72, 14]::float8[], 'predict_batch')
FROM predict_batch('partly:1', ARRAY[[NULL, 2, NULL, NULL, NULL], [1, 3, NULL, 4, NULL]]::real[]);
SELECT throws_ok($$SELECT * FROM predict_batch('partly:1', ARRAY[[NULL, 2, 3, 4, NULL], [1, NULL, 3, 4, NULL]]::real[])$$, '22004',
	'feature "b" of model "partly" version 1 is missing in row 2', 'predict_batch names the row');
SELECT throws_ok($$SELECT predict('partly_error:1', ROW(1, 2, NULL, 4, 'x')::as_partly)$$, '22004',
	'feature "c" of model "partly_error" version 1 is missing', 'on_missing "error" holds for dropped features, too');
CREATE TABLE partly_rows AS
SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE i END::real AS a, 2::real AS b, NULL::real AS c, NULL::bigint AS k, NULL::text AS t
FROM generate_series(1, 100) i;
SELECT is(sum(predict('partly:1', r)), (SELECT sum(10 * coalesce(a, 7) + 2) FROM partly_rows)::float8, 'rows in blocks')
FROM partly_rows r;
UPDATE partly_rows SET b = NULL WHERE i = 50;
SELECT throws_ok($$SELECT predict('partly:1', r) FROM partly_rows r$$, '22004',
	'feature "b" of model "partly" version 1 is missing', 'a row in a block without its b');

-- CatBoost: texts and integers by their hash; 3052168893 is that of red, 2957118694 that of 10
CREATE TABLE cat AS SELECT convert_to('{"features_info": {"cat_features_hash": [{"hash": 3052168893, "value": "red"},
	{"hash": 2957118694, "value": "10"}], "categorical_features": [{"feature_id": "c", "feature_index": 0,
	"flat_feature_index": 0, "values": [-1242798403, -1337848602]}], "float_features": []},
	"model_info": {"params": {"loss_function": {"type": "RMSE"}}}, "oblivious_trees": [{"leaf_values": [1, 2, 4, 8],
	"splits": [{"cat_feature_index": 0, "split_type": "OneHotFeature", "value": -1242798403},
	{"cat_feature_index": 0, "split_type": "OneHotFeature", "value": -1337848602}]}], "scale_and_bias": [1, [0]]}', 'UTF8') AS bytes;
SELECT import_model('cat', bytes, 'catboost_json') FROM cat;
SELECT import_model('cat_error', bytes, 'catboost_json', options => '{"on_unseen": "error", "on_missing": {"c": "red"}}') FROM cat;
SELECT is(predict('cat:1', jsonb_build_array(c)), value, 'CatBoost: ' || c::text)
FROM (VALUES ('"red"'::jsonb, 2::float8), ('"10"', 4), ('10', 4), ('"blue"', 1), ('7', 1)) v (c, value);
SELECT is(predict('cat:1', ARRAY[10]), 4::float8, 'CatBoost: an array of integers');
SELECT is(predict('cat:1', ARRAY[10.0]::float8[]), 4::float8, 'CatBoost: a whole number');
SELECT throws_ok(format('SELECT predict(''cat:1'', %L::jsonb)', c), state, NULL, 'CatBoost: ' || c::text)
FROM (VALUES ('[0.5]', '22023'), ('[9007199254740993]', '22023'), ('[null]', '22004')) v (c, state);
SELECT is(predict('cat_error:1', '[null]'::jsonb), 2::float8, 'CatBoost: a default');
SELECT throws_ok($$SELECT predict('cat_error:1', '["blue"]'::jsonb)$$, '22023', NULL, 'CatBoost: unseen is refused');
SELECT throws_ok($$SELECT import_model('x', convert_to(replace(convert_from(bytes, 'UTF8'), 'cat_features_hash', 'no_table'), 'UTF8'),
	'catboost_json', options => '{"on_unseen": "error"}') FROM cat$$, '22023', 'the file does not list the categories of feature "c"',
	'CatBoost: without the table nothing tells what is unseen');

-- Many rows of a table in one statement
CREATE TABLE many AS SELECT i AS id, CASE WHEN i % 3 > 0 THEN 20.0::real END AS age,
	CASE WHEN i % 5 > 0 THEN (ARRAY['red', 'green', 'blue'])[i % 3 + 1] END AS color,
	CASE WHEN i % 7 > 0 THEN (ARRAY[300, 10, 20])[i % 3 + 1] END AS store FROM generate_series(1, 500) i;
SELECT is((SELECT sum(predict('filled:1', m)) FROM many m), (SELECT sum(CASE WHEN age IS NULL THEN 200 ELSE 100 END +
	CASE COALESCE(color, 'green') WHEN 'red' THEN 0 WHEN 'green' THEN 1 ELSE 4 END +
	CASE COALESCE(store, 20) WHEN 300 THEN 0 ELSE COALESCE(store, 20) END)::float8 FROM many), 'defaults in a scan');
SELECT throws_ok($$SELECT sum(predict('error:1', m)) FROM many m$$, '22004', NULL, 'an error in a scan');
SELECT is((SELECT sum(predict('error:1', m)) FROM many m WHERE num_nulls(age, color, store) = 0),
	(SELECT sum(predict('source:1', m)) FROM many m WHERE num_nulls(age, color, store) = 0), 'rows without gaps in a scan');

-- in blocks of rows: the same answers, and the same errors at the same rows, as row by row
CREATE TABLE crowd AS
SELECT (20 + i % 40)::real AS age, CASE i WHEN 100 THEN NULL WHEN 200 THEN 'pink' ELSE (ARRAY['red', 'green', 'blue'])[1 + i % 3] END AS color,
	(ARRAY[300, 10, 20])[1 + i % 3] AS store
FROM generate_series(1, 300) i;
ANALYZE crowd;
CREATE FUNCTION answers(model text, features text, rows integer) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	answers text[] := '{}';
	answer double precision;
BEGIN
	FOR answer IN EXECUTE format('SELECT predict(%L, %s) FROM crowd c LIMIT %s', model, features, rows) LOOP
		answers := answers || answer::text;
	END LOOP;
	RETURN answers;
EXCEPTION WHEN OTHERS THEN
	RETURN answers || (SQLSTATE || ' ' || SQLERRM);
END $$;
CREATE FUNCTION blocks_answer(model text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	rows integer;
	features text;
	expected text[];
BEGIN
	FOREACH rows IN ARRAY ARRAY[1, 99, 150, 300] LOOP
		FOREACH features IN ARRAY ARRAY['c', 'jsonb_build_object(''age'', age, ''color'', color, ''store'', store)'] LOOP
			PERFORM set_config('smartpouch.enable_batch', 'off', true);
			expected := answers(model, features, rows);
			PERFORM set_config('smartpouch.enable_batch', 'on', true);
			IF expected IS DISTINCT FROM answers(model, features, rows) OR cardinality(expected) = 0 THEN
				RAISE 'model %, % rows of %: % became %', model, rows, features, expected, answers(model, features, rows);
			END IF;
		END LOOP;
	END LOOP;
	RETURN true;
END $$;
SELECT ok(blocks_answer(model), 'in blocks: ' || model) FROM unnest(ARRAY['source:1', 'error:1', 'filled:1', 'missing:1', 'both:1']) model;
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan::text;
END $$;
SELECT matches(plan_of('SELECT predict(''error:1'', c) FROM crowd c LIMIT 300'), '"smartpouch"', 'blocks they are');
SELECT ok((answers('error:1', 'c', 300))[array_upper(answers('error:1', 'c', 300), 1)] ~ '^22', 'one of them raises');

SELECT * FROM finish();
ROLLBACK;
