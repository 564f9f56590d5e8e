-- Files that are refused: each with its SQLSTATE, and the server lives on.
-- Uses table tiny of smoke.sql.
\set SHOW_CONTEXT never

CREATE FUNCTION variant(pattern text, replacement text) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(replace(convert_from(artifact, 'UTF8'), pattern, replacement), 'UTF8')
	FROM tiny WHERE name = 'regression' $$;

-- what inspect_model says of a good one
-- (memory_bytes depends on the layout of this build, row_cost_ns on its prices)
SELECT jsonb_pretty(smartpouch.inspect_model(artifact) - '{memory_bytes,row_cost_ns}'::text[]) FROM tiny WHERE name = 'classifier';
SELECT key, (value #>> '{}')::bigint BETWEEN 1 AND 100000 AS plausible
FROM tiny, jsonb_each(smartpouch.inspect_model(artifact)) WHERE name = 'classifier' AND key IN ('memory_bytes', 'row_cost_ns');
-- the types that an XGBoost file names; a category whose file has no list of them is given as a code
SELECT jsonb_path_query(smartpouch.inspect_model(convert_to(replace(convert_from(artifact, 'UTF8'), '["float", "float"]', '["int", "c"]'), 'UTF8')),
	'$.features[*]') FROM tiny WHERE name = 'regression';
SELECT smartpouch.inspect_model(artifact, 'onnx') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.inspect_model(NULL) IS NULL AS "null";

-- not model files
SELECT smartpouch.import_model('bad', ''); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', '\x00'); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', 'hello'); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', '{}'); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', '[1, 2]'); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', '\x80049510'); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', convert_to(repeat('[', 100000), 'UTF8'), 'xgboost_json'); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', convert_to(repeat('{"learner":', 100000), 'UTF8')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', decode(repeat('ff', 1000), 'hex'), 'onnx'); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', decode(repeat('08', 1000), 'hex'), 'onnx'); \echo :SQLSTATE

-- XGBoost files with one thing wrong
SELECT smartpouch.import_model('bad', regexp_replace(convert_from(artifact, 'UTF8'), '"trees": \[.*\]\}\}\}', '"trees": []}}}')::bytea) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"left_children": [1, -1, -1]', '"left_children": [7, -1, -1]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"left_children": [1, -1, -1]', '"left_children": [0, -1, -1]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"left_children": [1, -1, -1]', '"left_children": [2, -1, -1]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"left_children": [1, -1, -1]', '"left_children": [1, -1]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"split_indices": [1, 0, 0]', '"split_indices": [2, 0, 0]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"split_indices": [1, 0, 0]', '"split_indices": ["1", 0, 0]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('[30, -1, 1]', '[NaN, -1, 1]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('[30, -1, 1]', '[30, Infinity, 1]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"num_nodes": "3"', '"num_nodes": "1000000000"')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"num_feature": "2", "num_target"', '"num_feature": "1000000000", "num_target"')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', replace(convert_from(variant('"num_class": "0"', '"num_class": "2000000000"'), 'UTF8'), 'reg:squarederror', 'multi:softprob')::bytea); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"num_target": "1"', '"num_target": "100000"')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('reg:squarederror', 'reg:mine')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"gbtree"', '"gbforest"')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"gbtree"', '"dart"')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"split_type": [0, 0, 0]', '"split_type": [1, 0, 0]')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('5E-1', 'half')); \echo :SQLSTATE
SELECT smartpouch.import_model('bad', variant('"weight"', '"age"')); \echo :SQLSTATE

-- cut off anywhere: an error each time, nothing stored
DO $$
DECLARE
	file bytea := (SELECT artifact FROM tiny WHERE name = 'regression');
	states jsonb := '{}';
BEGIN
	FOR n IN 0 .. octet_length(file) - 1 LOOP
		BEGIN
			PERFORM smartpouch.import_model('bad', substr(file, 1, n));
			RAISE EXCEPTION 'the first % bytes were accepted', n;
		EXCEPTION WHEN invalid_binary_representation THEN
			states := states || jsonb_build_object(SQLSTATE, coalesce((states ->> SQLSTATE)::integer, 0) + 1);
		END;
	END LOOP;
	IF (states ->> '22P03')::integer <> octet_length(file) THEN
		RAISE EXCEPTION 'states %', states;
	END IF;
END $$;
-- one bit flipped: an error or a model, never a crash
DO $$
DECLARE
	file bytea := (SELECT artifact FROM tiny WHERE name = 'regression');
	refused integer := 0;
BEGIN
	FOR n IN 0 .. octet_length(file) - 1 LOOP
		BEGIN
			PERFORM smartpouch.inspect_model(set_byte(file, n, get_byte(file, n) # (1 << (n % 8))));
		EXCEPTION WHEN invalid_binary_representation OR feature_not_supported OR program_limit_exceeded THEN
			refused := refused + 1;
		END;
	END LOOP;
	IF refused = 0 THEN RAISE EXCEPTION 'nothing was refused'; END IF;
END $$;
SELECT count(*) FROM smartpouch.models WHERE model = 'bad';
SELECT smartpouch.predict('tiny', ARRAY[40, 60]);
