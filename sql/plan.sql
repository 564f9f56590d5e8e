-- What the planner makes of predictions: their cost, the order of filters, parallel plans.
-- Uses the models of smoke.sql; forest is tiny's second tree 4,000 times over.
\set SHOW_CONTEXT never

WITH file AS (
	SELECT convert_from(artifact, 'UTF8')::jsonb AS json FROM tiny WHERE name = 'regression'
), parts AS (
	SELECT json, jsonb_agg(json #> '{learner,gradient_booster,model,trees,1}') AS trees, jsonb_agg(0) AS tree_info
	FROM file, generate_series(1, 4000) GROUP BY json
)
SELECT smartpouch.import_model('forest', convert_to(jsonb_set(json, '{learner,gradient_booster,model}',
	json #> '{learner,gradient_booster,model}' || jsonb_build_object('trees', trees, 'tree_info', tree_info,
		'gbtree_model_param', '{"num_trees": "4000", "num_parallel_tree": "1"}'::jsonb))::text, 'UTF8')) FROM parts;
SELECT smartpouch.promote('forest', 1, 'production');
CREATE TABLE patient AS SELECT i AS id, (i % 90)::real AS age, (i % 120)::real AS weight FROM generate_series(1, 200000) i;
VACUUM ANALYZE patient;

CREATE FUNCTION planned(query text, what text) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan #>> ARRAY['0', 'Plan', what];
END $$;
-- of one call, in units of cpu_operator_cost
CREATE FUNCTION cost_of(call text) RETURNS double precision LANGUAGE sql AS $$
	SELECT (planned('SELECT ' || call || ' FROM patient OFFSET 0', 'Total Cost')
		- planned('SELECT id FROM patient OFFSET 0', 'Total Cost')) / 200000 / current_setting('cpu_operator_cost')::float8 $$;
SET max_parallel_workers_per_gather = 0;

-- 20 operators and one for each 7 ns of what the version is expected to take
SELECT model, round(cost_of(format('smartpouch.predict(%L, patient)', model))) = round(20 + row_cost_ns / 7.0) AS by_the_version
FROM smartpouch.versions WHERE (model, version) IN (('tiny', 1), ('forest', 1)) ORDER BY model;
SELECT call, round(cost_of(call)) = round(cost_of('smartpouch.predict(''forest'', patient)')) AS same
FROM unnest(ARRAY[
	$$smartpouch.predict('forest:1', '[40, 60]'::jsonb)$$,
	$$smartpouch.predict('forest@production', '{40, 60}'::real[])$$,
	$$smartpouch.predict_raw('forest', patient)$$,
	$$smartpouch.predict_label('forest', patient)$$,
	$$smartpouch.predict_proba('forest', patient)$$,
	$$smartpouch.predict_proba('forest', patient, 'x')$$,
	$$smartpouch.predict_json('forest', '{}')$$,
	$$smartpouch.predict_for('forest', 'key', patient)$$,
	$$smartpouch.predict_label_for('forest', 'key', patient)$$,
	$$smartpouch.predict_json_for('forest', 'key', '{}')$$]) call;
SELECT round(cost_of(format('smartpouch.predict_version(%L, patient)', sha256))) = round(20 + row_cost_ns / 7.0) AS by_hash
FROM smartpouch.versions WHERE model = 'forest';

-- what is not known gets the default and raises only when it is executed
SELECT reference, cost_of(format('smartpouch.predict(%s, patient)', reference)) = 160 AS default
FROM unnest(ARRAY['''nobody''', '''risk@staging''', '''tiny:99''', '''tiny@nowhere''', '''not a reference''', '''''', 'repeat(''x'', 1000)']) reference;
SELECT cost_of('smartpouch.predict(id::text, patient)') - cost_of('id::text') = 160 AS column_default;
SELECT cost_of('smartpouch.predict_version(''\x00'', patient)') = 160 AS short,
	cost_of('smartpouch.predict_version(decode(repeat(''00'', 32), ''hex''), patient)') = 160 AS unknown;
EXPLAIN (COSTS OFF) SELECT smartpouch.predict('nobody', patient) FROM patient;
SELECT smartpouch.predict('nobody', patient) FROM patient; \echo :SQLSTATE
-- by the statement's snapshot: its own transaction's versions, and nothing that was rolled back
BEGIN;
SELECT smartpouch.import_model('mine', artifact) FROM tiny WHERE name = 'regression';
SELECT cost_of('smartpouch.predict(''mine:1'', patient)') < 160 AS known;
ROLLBACK;
SELECT cost_of('smartpouch.predict(''mine:1'', patient)') = 160 AS forgotten;
-- and by who serves now
SELECT smartpouch.set_alias('tiny', 'best', 1), smartpouch.set_alias('forest', 'best', 1);
SELECT cost_of('smartpouch.predict(''tiny@best'', patient)') < 160 AS cheap;
SELECT smartpouch.rename_model('tiny', 'small');
SELECT cost_of('smartpouch.predict(''tiny@best'', patient)') = 160 AS renamed;
SELECT smartpouch.rename_model('small', 'tiny');
-- a parameter is not known in a generic plan
PREPARE by_name(text) AS SELECT id FROM patient WHERE smartpouch.predict($1, patient) > 0 OFFSET 0;
SET plan_cache_mode = force_generic_plan;
SELECT planned('EXECUTE by_name(''forest'')', 'Total Cost')
	= planned('SELECT id FROM patient WHERE smartpouch.predict(''nobody'', patient) > 0 OFFSET 0', 'Total Cost') AS generic;
SET plan_cache_mode = force_custom_plan;
SELECT planned('EXECUTE by_name(''forest'')', 'Total Cost')
	= planned('SELECT id FROM patient WHERE smartpouch.predict(''forest'', patient) > 0 OFFSET 0', 'Total Cost') AS custom;
RESET plan_cache_mode;

-- who may not see a model learns nothing of it from EXPLAIN
CREATE ROLE regress_stranger;
GRANT USAGE ON SCHEMA smartpouch TO regress_stranger;
GRANT EXECUTE ON FUNCTION smartpouch.predict, smartpouch.predict_version TO regress_stranger;
GRANT SELECT ON patient TO regress_stranger;
SELECT sha256 FROM smartpouch.versions WHERE model = 'forest' \gset
SET ROLE regress_stranger;
SELECT cost_of('smartpouch.predict(''forest'', patient)') = 160 AS by_name,
	cost_of(format('smartpouch.predict_version(%L, patient)', :'sha256')) = 160 AS by_hash;
RESET ROLE;
SELECT smartpouch.grant_model('forest', 'regress_stranger', 'predict');
SET ROLE regress_stranger;
SELECT cost_of('smartpouch.predict(''forest'', patient)') > 160 AS granted;
RESET ROLE;
SELECT smartpouch.revoke_model('forest', 'regress_stranger', 'predict');
DROP OWNED BY regress_stranger;
DROP ROLE regress_stranger;

-- predict_batch: as many rows as the array has, where that can be seen
SELECT call, planned('SELECT * FROM smartpouch.predict_batch(''tiny'', ' || call || ')', 'Plan Rows') AS rows
FROM unnest(ARRAY['ARRAY[[1, 2], [3, 4], [5, 6]]', '''{{1, 2}, {3, 4}}''::real[]', '''{1, 2}''::real[]',
	'ARRAY[[1, 2], [3, random()]]', '(SELECT ARRAY[[1, 2]])', 'NULL::real[]']) call;
SELECT planned('SELECT * FROM smartpouch.predict_batch(''forest'', ARRAY[[1, 2], [3, 4], [5, 6], [7, 8]])', 'Total Cost')
	> 3 * planned('SELECT * FROM smartpouch.predict_batch(''forest'', ARRAY[[1, 2]])', 'Total Cost') AS by_rows;

-- cheap filters come first, whatever the order they are written in; the first
-- statement of a session too, when the library is not loaded yet
\c -
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT id FROM patient
WHERE smartpouch.predict('forest', patient) > 0 AND smartpouch.predict('tiny', patient) > 0 AND age > 30;
EXPLAIN (COSTS OFF) SELECT id FROM patient
WHERE smartpouch.predict('nobody', patient) > 0 AND smartpouch.predict('forest', patient) > 0 AND smartpouch.predict('tiny', patient) > 0;

-- a prediction makes a parallel plan pay where counting does not
RESET max_parallel_workers_per_gather;
EXPLAIN (COSTS OFF) SELECT id FROM patient WHERE age > 30;
EXPLAIN (COSTS OFF) SELECT id FROM patient WHERE smartpouch.predict('forest', patient) > 0;
SELECT count(*) FROM patient WHERE smartpouch.predict('forest', patient) > 1000;

DROP FUNCTION cost_of, planned;
DROP TABLE patient;
