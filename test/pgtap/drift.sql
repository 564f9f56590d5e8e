-- Distances of histograms; baselines and samples are in test/tap/080_drift.pl.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(49);
\i tiny.inc

-- psi by hand: shares 0.25 0.5 0.25 and 0.3 0.4 0.3
SELECT is(round(smartpouch.psi('{100,200,100}', '{30,40,30}')::numeric, 12),
	round((2 * 0.05 * ln(0.3 / 0.25) + -0.1 * ln(0.4 / 0.5))::numeric, 12), 'the index of two histograms');
SELECT is(smartpouch.psi('{1,2,3}', '{10,20,30}'), 0::float8, 'none between equal shares');
SELECT is(smartpouch.psi('{10,0,20}', '{1,0,2}'), 0::float8, 'bins that are empty in both do not count');
SELECT ok(smartpouch.psi('{100,0}', '{50,50}') BETWEEN 1 AND 10, 'a bin that was empty is finite');
SELECT is(smartpouch.psi('{0,0}', '{1,1}'), NULL::float8, 'nothing to compare with');
SELECT is(smartpouch.psi('{1,1}', '{0,0}'), NULL::float8, 'nothing to compare');
SELECT is(smartpouch.psi(NULL, '{1}'), NULL::float8, 'NULL');
SELECT is(round(smartpouch.ks_statistic('{100,200,100}', '{30,40,30}')::numeric, 12), 0.05, 'difference of cumulative shares');
SELECT is(smartpouch.ks_statistic('{1,0}', '{0,1}'), 1::float8, 'at most 1');
SELECT is(smartpouch.ks_statistic('{1,1}', '{0,0}'), NULL::float8, 'none without cases');
-- scipy.stats.chi2_contingency([[100,200,100],[30,40,30]], correction=False): 3.205128205128205, 2
SELECT results_eq($$ SELECT round(statistic::numeric, 10), degrees FROM smartpouch.chi_square('{100,200,100}', '{30,40,30}') $$,
	$$ VALUES (3.2051282051, 2) $$, 'chi-square of two samples');
SELECT results_eq($$ SELECT statistic, degrees FROM smartpouch.chi_square('{10,0,20}', '{1,0,2}') $$, $$ VALUES (0::float8, 1) $$, 'without bins that are empty in both');

SELECT throws_ok(format('SELECT smartpouch.%s(%L, %L)', f, a, b), '22023', m, f || ' of ' || a || ' and ' || b)
FROM unnest('{psi,ks_statistic,chi_square}'::text[]) f, (VALUES ('{1,2}', '{1}', 'the histograms have 2 and 1 bins'), ('{1,-2}', '{1,2}', 'a count is negative')) v (a, b, m);
SELECT is(smartpouch.psi('{}', '{}'), NULL::float8, 'no bins');
SELECT is(smartpouch.psi('{1,NULL,3}', '{1,0,3}'), 0::float8, 'NULL is none');
SELECT is(smartpouch.psi('{{1,2},{3,4}}', '{10,20,30,40}'), 0::float8, 'dimensions do not matter');
SELECT ok(smartpouch.psi('{9000000000000000000,9000000000000000000}', '{1,1}') = 0, 'many cases');

-- sums
SELECT is(smartpouch._add('{1,2}', '{10,20,30}'), '{11,22,30}'::bigint[], 'a shorter array is filled with zeros');
SELECT is(smartpouch._add('{1,2,3}', '{10,NULL}'), '{11,2,3}'::bigint[], 'on either side, as is NULL');
SELECT is(smartpouch._add(NULL, '{1}'), '{1}'::bigint[], 'or a missing array');
SELECT is(smartpouch._subtract('{5,5,5}', '{1,2}'), '{4,3,5}'::bigint[], 'a difference');
SELECT is(smartpouch._subtract('{5}', NULL), '{5}'::bigint[], 'of nothing');
SELECT throws_ok($$ SELECT smartpouch._add('{9223372036854775807}', '{1}') $$, '22003', 'bigint out of range', 'too many');
SELECT is((SELECT smartpouch._sum(c) FROM (VALUES (NULL::bigint[]), ('{1,2}'), ('{10,20,30}'), (NULL), ('{100}')) v (c)), '{111,22,30}'::bigint[], 'a sum of arrays');
SELECT is((SELECT smartpouch._sum(c) FROM (VALUES (NULL::bigint[])) v (c)), NULL::bigint[], 'of none');
CREATE TEMP TABLE counts AS SELECT i % 50 AS k, ARRAY[i, 1, 2]::bigint[] AS c FROM generate_series(1, 5000) i;
SELECT is((SELECT count(*) FROM (SELECT k, smartpouch._sum(c) = ARRAY[sum(c[1]), 100, 200]::bigint[] AS same FROM counts GROUP BY k) g WHERE same), 50::bigint, 'by group');
SELECT is((SELECT array_agg(s ORDER BY n) FROM (SELECT c[1] AS n, smartpouch._sum(c) OVER (ORDER BY c[1]) AS s FROM counts WHERE c[1] <= 3) w), '{{1,1,2},{3,2,4},{6,3,6}}'::bigint[], 'of a window');
-- parts of a sum in workers, added up
CREATE TABLE parts AS SELECT i % 3 AS k, CASE WHEN i % 7 > 0 THEN ARRAY[i, 1]::bigint[] END AS c FROM generate_series(1, 20000) i;
ANALYZE parts;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
DO $$ DECLARE plan json; BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) SELECT k, smartpouch._sum(c) FROM parts GROUP BY k' INTO plan;
	PERFORM set_config('test.plan', plan::text, true);
END $$;
SELECT alike(current_setting('test.plan'), '%"Partial Mode": "Partial"%', 'workers sum up what they read');
SELECT results_eq('SELECT k, smartpouch._sum(c) FROM parts GROUP BY k ORDER BY k',
	'SELECT k, ARRAY[sum(c[1]), sum(c[2])]::bigint[] FROM parts GROUP BY k ORDER BY k', 'to the same');
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
SELECT is((SELECT c FROM counts WHERE c[1] = 1), '{1,1,2}'::bigint[], 'what is added to stays as it is');

-- one row is enough for a baseline, and is forgotten with the version
SELECT smartpouch.import_model('d', artifact), smartpouch.promote('d', 1, 'production') IS NULL AS done FROM tiny WHERE name = 'regression' \gset
SELECT is(smartpouch.set_baseline('d', 'SELECT ARRAY[40, NULL]::real[]'), 1::bigint, 'a baseline of one row');
SELECT results_eq($$ SELECT variable, bounds, counts FROM smartpouch.baselines WHERE model = 'd' ORDER BY position $$,
	$$ VALUES ('(prediction)', '{1.9999999999999998,2}'::float8[], '{0,1,0,0}'::bigint[]), ('age', '{39.99999999999999,40}', '{0,1,0,0}'), ('weight', '{}', '{0,1}') $$, 'with a bin for what is missing');
SELECT is(smartpouch.set_baseline('d', 'SELECT a AS age, 60 AS weight, ''x'' AS other FROM generate_series(1, 100) a'), 100::bigint, 'columns by name');
SELECT results_eq($$ SELECT variable, bounds, counts FROM smartpouch.baselines WHERE model = 'd' AND position > 1 ORDER BY position $$,
	$$ VALUES ('age', '{11,21,31,41,51,61,71,81,91}'::float8[], '{11,10,10,10,10,10,10,10,10,9,0}'::bigint[]), ('weight', '{59.99999999999999,60}', '{0,100,0,0}') $$, 'bins at tenths');
SELECT smartpouch.set_baseline('d', 'SELECT ARRAY[a, 60] FROM generate_series(1, 16) a') \gset
SELECT is((SELECT counts FROM smartpouch.baselines WHERE variable = 'age'), 0::bigint || array_fill(1::bigint, ARRAY[16]) || '{0,0}'::bigint[], 'or one for each of few values');
SELECT throws_like($$ SELECT smartpouch.set_baseline('d', 'SELECT ARRAY[1, ''Infinity''::float8]') $$, 'feature "weight" of model "d" version 1 is infinite in row 1', 'what the model refuses is no baseline');
SELECT smartpouch.set_baseline('d', 'SELECT ARRAY[NULL, ''NaN'']::float8[] FROM generate_series(1, 10)') \gset
SELECT results_eq($$ SELECT bounds, counts FROM smartpouch.baselines WHERE position > 1 $$, $$ SELECT '{}'::float8[], '{0,10}'::bigint[] FROM generate_series(1, 2) $$, 'as NULL and NaN are none');
SELECT throws_ok($$ SELECT smartpouch.set_baseline('d', 'SELECT 1') $$, '22023', NULL, 'features are needed');
SELECT throws_ok($$ SELECT smartpouch.set_baseline(NULL, 'SELECT 1') $$, '22004', NULL, 'and a model');
SELECT is((SELECT count(*) FROM smartpouch.drift WHERE model = 'd' AND level = 'unknown' AND samples = 0), 3::bigint, 'nothing was sampled without preload');
SELECT is((SELECT count(*) FROM smartpouch.drift_days), 0::bigint, 'nor rolled up');
SELECT smartpouch.drop_baseline('d:1') \gset
SELECT is((SELECT count(*) FROM smartpouch.baselines), 0::bigint, 'dropped');
SELECT throws_ok($$ SELECT smartpouch.drop_baseline('d:1') $$, '42704', 'version 1 of model "d" has no baseline', 'once');
CREATE ROLE drift_app;
SELECT smartpouch.grant_access('drift_app', 'predictor') \gset
SELECT ok(NOT has_function_privilege('drift_app', 'smartpouch.set_baseline(text, text)', 'EXECUTE')
	AND NOT has_table_privilege('drift_app', 'smartpouch.drift', 'SELECT'), 'not for who only predicts');
SELECT * FROM finish();
ROLLBACK;
