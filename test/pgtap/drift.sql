-- Distances of histograms; baselines and samples are in test/tap/057_drift.pl.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(24);
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

-- one row is enough for a baseline, and is forgotten with the version
SELECT smartpouch.import_model('d', artifact), smartpouch.promote('d', 1, 'production') IS NULL AS done FROM tiny WHERE name = 'regression' \gset
SELECT is(smartpouch.set_baseline('d', 'SELECT ARRAY[40, NULL]::real[]'), 1::bigint, 'a baseline of one row');
SELECT results_eq($$ SELECT variable, bounds, counts FROM smartpouch.baselines WHERE model = 'd' ORDER BY position $$,
	$$ VALUES ('(prediction)', '{}'::float8[], '{1,0}'::bigint[]), ('age', '{}', '{1,0}'), ('weight', '{}', '{0,1}') $$, 'with a bin for what is missing');
SELECT is(smartpouch.set_baseline('d', 'SELECT a AS age, 60 AS weight, ''x'' AS other FROM generate_series(1, 100) a'), 100::bigint, 'columns by name');
SELECT results_eq($$ SELECT variable, bounds, counts FROM smartpouch.baselines WHERE model = 'd' AND position > 1 ORDER BY position $$,
	$$ VALUES ('age', '{11,21,31,41,51,61,71,81,91}'::float8[], '{11,10,10,10,10,10,10,10,10,9,0}'::bigint[]), ('weight', '{}', '{100,0}') $$, 'bins at tenths');
SELECT smartpouch.set_baseline('d', 'SELECT ARRAY[a, 60] FROM generate_series(1, 16) a') \gset
SELECT is((SELECT counts FROM smartpouch.baselines WHERE variable = 'age'), array_fill(1::bigint, ARRAY[16]) || 0::bigint, 'or one for each of few values');
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
