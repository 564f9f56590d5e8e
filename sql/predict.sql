-- Forms of features, references, and the errors of both.
-- Uses the models of smoke.sql: tiny (regression) and risk (labels low, high) over age and weight.
\set SHOW_CONTEXT never

-- every numeric array type
SELECT smartpouch.predict('tiny', ARRAY[40, 60]::smallint[]) AS "smallint[]",
	smartpouch.predict('tiny', ARRAY[40, 60]::integer[]) AS "integer[]",
	smartpouch.predict('tiny', ARRAY[40, 60]::bigint[]) AS "bigint[]",
	smartpouch.predict('tiny', ARRAY[40, 60]::real[]) AS "real[]",
	smartpouch.predict('tiny', ARRAY[40, 60]::double precision[]) AS "double precision[]",
	smartpouch.predict('tiny', ARRAY[40, 60]::numeric[]) AS "numeric[]";

-- rows: by name, whatever the order and whatever else is there
CREATE TABLE person (note text, weight numeric, id bigint, age smallint);
INSERT INTO person VALUES ('a', 60, 1, 40), ('b', 80, 2, 20), ('c', NULL, 3, 40), ('d', 60, 4, NULL);
SELECT id, smartpouch.predict('tiny', p) FROM person p ORDER BY id;
SELECT smartpouch.predict('tiny', s) FROM (SELECT 40 AS age, 60 AS weight) s;
-- one call site, rows of different shapes
CREATE TYPE body AS (weight real, age real);
SELECT smartpouch.predict('tiny', r) FROM (VALUES (ROW(60, 40)::body), (ROW(80, 20)::body)) v (r);
-- the shape changes between two calls of a prepared statement
PREPARE by_row AS SELECT id, smartpouch.predict('tiny', p) FROM person p WHERE id < 3 ORDER BY id;
EXECUTE by_row;
ALTER TABLE person DROP COLUMN note;
ALTER TABLE person ALTER COLUMN age TYPE double precision;
EXECUTE by_row;
DEALLOCATE by_row;

-- jsonb: object by name, array by position; true and false are 1 and 0
SELECT smartpouch.predict('tiny', '{"weight": 60, "age": 40, "more": "x"}'::jsonb) AS object,
	smartpouch.predict('tiny', '[40, 60]'::jsonb) AS array,
	smartpouch.predict('tiny', '{"weight": true, "age": null}'::jsonb) AS missing;

-- missing values take the default direction: left at age (-1), right at weight (0.5)
SELECT smartpouch.predict('tiny', ARRAY[NULL, 60]::real[]) AS age,
	smartpouch.predict('tiny', ARRAY[40, NULL]::integer[]) AS weight,
	smartpouch.predict('tiny', ARRAY['NaN', 'NaN']::real[]) AS nan,
	smartpouch.predict('tiny', ARRAY[NULL, NULL]::numeric[]) AS both;
-- a NULL argument gives NULL
SELECT smartpouch.predict('tiny', NULL::real[]) IS NULL AS features, smartpouch.predict(NULL, ARRAY[1, 2]) IS NULL AS model;

-- references
SELECT smartpouch.import_model('tiny', convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', '[1.5E0]'), 'UTF8'))
FROM tiny WHERE name = 'regression';
SELECT smartpouch.promote('tiny', 2, 'staging');
SELECT smartpouch.set_alias('tiny', 'champion', 2);
SELECT smartpouch.predict('tiny', ARRAY[40, 60]) AS production, smartpouch.predict('tiny@production', ARRAY[40, 60]),
	smartpouch.predict('tiny@staging', ARRAY[40, 60]) AS staging,
	smartpouch.predict('tiny@champion', ARRAY[40, 60]) AS champion, smartpouch.predict('tiny:2', ARRAY[40, 60]) AS version;
SELECT smartpouch.predict_version(sha256, ARRAY[40, 60]) FROM smartpouch.versions WHERE model = 'tiny' ORDER BY version;
SELECT smartpouch.predict_for('tiny', 'key 1', ARRAY[40, 60]), smartpouch.predict_label_for('risk', 'key 1', ARRAY[40, 60]);
SELECT smartpouch.predict_json_for('tiny', 'key 1', '[40, 60]');
-- one call site, several references
SELECT ref, smartpouch.predict(ref, ARRAY[40, 60]) FROM (VALUES ('tiny:1'), ('tiny:2'), ('tiny:1')) v (ref);

-- batches
SELECT ordinal, value, label, probabilities FROM smartpouch.predict_batch('tiny', ARRAY[[40, 60], [20, 80], [NULL, 60]]);
SELECT ordinal, value, label, round(probabilities[2]::numeric, 6) AS p FROM smartpouch.predict_batch('risk', ARRAY[[40.5, 60], [20, 80]]);
SELECT count(*), sum(value) FROM smartpouch.predict_batch('tiny',
	(SELECT array_agg(ARRAY[20 + i % 20, 60]) FROM generate_series(0, 999) i));
SELECT * FROM smartpouch.predict_batch('tiny', '{}'::real[]);
SELECT * FROM smartpouch.predict_batch('tiny', NULL::real[]);

-- numeric labels
SELECT smartpouch.import_model('numbers', artifact) FROM tiny WHERE name = 'classifier';
SELECT smartpouch.predict('numbers:1', ARRAY[40, 60]), smartpouch.predict_label('numbers:1', ARRAY[40, 60]),
	smartpouch.predict_json('numbers:1', '[40, 60]') -> 'label' AS json;

-- integers beyond those of a double keep their digits
SELECT smartpouch.import_model('numbers', artifact, labels => ARRAY['9007199254740993', '9007199254740992'])
FROM tiny WHERE name = 'classifier';
SELECT smartpouch.predict_label('numbers:2', ARRAY[20, 60]), smartpouch.predict_json('numbers:2', '[20, 60]') -> 'label' AS json;
SELECT smartpouch.predict('numbers:2', ARRAY[20, 60]); \echo :SQLSTATE
-- several values at once: jsonb has all of them
SELECT smartpouch.import_model('wide', convert_to(replace(replace(convert_from(artifact, 'UTF8'),
	'"num_target": "1"', '"num_target": "2"'), '"tree_info": [0, 0]', '"tree_info": [0, 1]'), 'UTF8'))
FROM tiny WHERE name = 'regression';
SELECT smartpouch.predict_json('wide:1', '[40, 60]') -> 'value' AS value;
SELECT ordinal, value, label, probabilities FROM smartpouch.predict_batch('wide:1', ARRAY[[40, 60]]);
SELECT smartpouch.add_golden('wide:1', '[40, 60]', '{"value": [1.5, 0.75]}');
SELECT smartpouch.predict('wide:1', ARRAY[40, 60]); \echo :SQLSTATE
-- wrong outputs
SELECT smartpouch.predict('risk', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict_label('tiny', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict_proba('tiny', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict_proba('risk', ARRAY[40, 60], 'middle'); \echo :SQLSTATE
SELECT round(smartpouch.predict_proba('risk', ARRAY[40, 60], 'high')::numeric, 6);
-- wrong shapes and types
SELECT smartpouch.predict('tiny', ARRAY[40]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', ARRAY[40, 60, 80]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', '{}'::real[]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', ARRAY[[40, 60]]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', ARRAY['40', '60']); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', 40); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', ROW(40, 60)); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', s) FROM (SELECT 40 AS age, 60 AS height) s; \echo :SQLSTATE
SELECT smartpouch.predict('tiny', s) FROM (SELECT 40 AS age, 'heavy' AS weight) s; \echo :SQLSTATE
SELECT smartpouch.predict('tiny', '{"age": 40}'::jsonb); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', '{"age": 40, "weight": "60"}'::jsonb); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', '{"age": 40, "weight": [60]}'::jsonb); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', '[40]'::jsonb); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', '40'::jsonb); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', ARRAY['Infinity', 60]::double precision[]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', ARRAY[40, 1e39]::double precision[]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny', '[40, 1e400]'::jsonb); \echo :SQLSTATE
SELECT smartpouch.predict_batch('tiny', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict_batch('tiny', ARRAY[[40], [60]]); \echo :SQLSTATE
SELECT smartpouch.predict_batch('tiny', ARRAY[['40', '60']]); \echo :SQLSTATE
-- one column for two features, two columns for one
SELECT smartpouch.import_model('long', artifact, feature_names => ARRAY[repeat('a', 63) || '1', repeat('a', 63) || '2'])
FROM tiny WHERE name = 'regression';
SELECT smartpouch.predict('long:1', s) FROM (SELECT 40 AS aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) s; \echo :SQLSTATE
SELECT smartpouch.predict('long:1', jsonb_build_object(repeat('a', 63) || '1', 40, repeat('a', 63) || '2', 60));
SELECT smartpouch.predict('tiny', s) FROM (SELECT 40 AS age, 41 AS age, 60 AS weight) s; \echo :SQLSTATE
SELECT smartpouch.predict('tiny', s) FROM (SELECT 40 AS age, 1 AS x, 2 AS x, 60 AS weight) s;
-- wrong references
SELECT smartpouch.predict('nobody', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny:9', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny@nowhere', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny@testing', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('numbers', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('ti"ny', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny''; DROP TABLE person', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny@', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny:0', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny:99999999999', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict('tiny:' || repeat('0', 200) || '1', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict(repeat('x', 63) || '@' || repeat('y', 63), ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict(repeat('x', 1000) || '@' || repeat('y', 1000), ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict(repeat('x', 199) || 'éééé', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict_batch('nobody', '{}'::real[]); \echo :SQLSTATE
SELECT smartpouch.predict(repeat('x', 64), ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict_version('\x00', ARRAY[40, 60]); \echo :SQLSTATE
SELECT smartpouch.predict_version(sha256('nothing'), ARRAY[40, 60]); \echo :SQLSTATE

-- instructions
SET smartpouch.simd = 'portable';
SELECT smartpouch.predict('tiny', ARRAY[40, 60]), sum(value) FROM smartpouch.predict_batch('tiny',
	(SELECT array_agg(ARRAY[40, 60 + 0 * i]) FROM generate_series(1, 200) i));
SET smartpouch.simd = 'sse9'; \echo :SQLSTATE
RESET smartpouch.simd;
SELECT smartpouch.predict('tiny', ARRAY[40, 60]), sum(value) FROM smartpouch.predict_batch('tiny',
	(SELECT array_agg(ARRAY[40, 60 + 0 * i]) FROM generate_series(1, 200) i));
