-- Metrics: quantiles, the pieces of Prometheus' text, who may look, and what is said
-- without preload. What is counted is in test/tap/060_metrics.pl and 061_prometheus.pl.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(36);

-- quantiles are bounds of buckets
SELECT is(smartpouch.latency_quantile(h, q), expected, why) FROM (VALUES
	('{0,90,0,0,0,0,0,9,0,0,0,0,0,0,0,0,0,1}'::bigint[], 0.5::float8, 2.5e-5::float8, 'the median'),
	('{0,90,0,0,0,0,0,9,0,0,0,0,0,0,0,0,0,1}', 0.9, 2.5e-5, 'a quantile that a bucket ends at'),
	('{0,90,0,0,0,0,0,9,0,0,0,0,0,0,0,0,0,1}', 0.91, 2.5e-3, 'and one past it'),
	('{0,90,0,0,0,0,0,9,0,0,0,0,0,0,0,0,0,1}', 0, 2.5e-5, 'the least'),
	('{0,90,0,0,0,0,0,9,0,0,0,0,0,0,0,0,0,1}', 1, 'Infinity', 'the greatest, above all bounds'),
	(array_fill(0::bigint, ARRAY[18]), 0.5, NULL, 'none without calls'),
	(NULL, 0.5, NULL, 'nor without a histogram'),
	('{9223372036854775807,9223372036854775807,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', 0.75, 2.5e-5, 'large counts do not overflow')) t (h, q, expected, why);
SELECT throws_ok(format('SELECT smartpouch.latency_quantile(%L, %s)', h, q), '22023', message, message) FROM (VALUES
	('{1,2,3}', '0.5', 'a histogram of latencies has 18 numbers'),
	('{0,NULL,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', '0.5', 'a histogram of latencies has 18 numbers'),
	('{0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', '1.5', 'a quantile lies between 0 and 1, not at 1.5'),
	('{0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', '''NaN''', 'a quantile lies between 0 and 1, not at NaN')) t (h, q, message);
SELECT is(cardinality(smartpouch._latency_bounds()), 17, 'bounds of the buckets');

-- text for Prometheus
SELECT is(smartpouch._metric_labels('a', E'x"y\\z\nend', 'b', NULL), 'a="x\"y\\z\nend",b=""', 'labels are escaped');
SELECT results_eq($$ SELECT line FROM regexp_split_to_table(smartpouch._metric_histogram('f', 'm="x"', '{1,0,0,0,0,0,0,2,0,0,0,0,0,0,0,0,0,4}', 1.5), E'\n') line
	WHERE line ~ 'le="(1e-05|0.001|0.0025|10|\+Inf)"' OR line !~ 'bucket' $$,
	$$ VALUES ('f_bucket{m="x",le="1e-05"} 1'), ('f_bucket{m="x",le="0.001"} 1'), ('f_bucket{m="x",le="0.0025"} 3'),
	('f_bucket{m="x",le="10"} 3'), ('f_bucket{m="x",le="+Inf"} 7'), ('f_sum{m="x"} 1.5'), ('f_count{m="x"} 7') $$,
	'a histogram is cumulative');
SELECT is((SELECT count(*) FROM smartpouch._metric_families() WHERE family !~ '^[a-z][a-z0-9_]*$' OR type NOT IN ('counter', 'gauge', 'histogram')
	OR (type = 'counter') <> (family ~ '_total$') OR help !~ '\.$'), 0::bigint, 'families have names, types and help lines as is custom');

-- without preload nothing is said to be zero
SELECT throws_ok('SELECT ' || what, '55000', 'metrics are not available', 'without preload: ' || what) FROM (VALUES
	('* FROM smartpouch.metrics'), ('* FROM smartpouch.usage'), ('* FROM smartpouch.model_loads'), ('smartpouch.prometheus()'),
	('smartpouch.metrics_info()'), ('smartpouch.reset_metrics()'), ('smartpouch._database_counts()'), ('smartpouch._call_counts(''usage'')')) t (what);
CREATE FUNCTION pg_temp.context_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RETURN context;
END $$;
SELECT unalike(pg_temp.context_of('SELECT smartpouch.prometheus()'), '%UNION%', 'prometheus() does not print its own queries for that');
SELECT throws_ok('SELECT smartpouch._call_counts(''other'')', '22023', '"other" is no kind of calls', 'kinds are known');

-- who may look
CREATE ROLE metrics_watcher;
CREATE ROLE metrics_app;
SELECT smartpouch.grant_access('metrics_watcher', 'monitor'), smartpouch.grant_access('metrics_app', 'predictor') \gset
SELECT ok(has_function_privilege('metrics_watcher', 'smartpouch.' || f, 'EXECUTE') AND NOT has_function_privilege('metrics_app', 'smartpouch.' || f, 'EXECUTE'),
	f || ' is for who monitors') FROM unnest(ARRAY['metrics_info()', 'prometheus()', 'latency_quantile(bigint[], double precision)']) f;
SELECT ok(NOT has_function_privilege('metrics_watcher', 'smartpouch.reset_metrics()', 'EXECUTE'), 'reset_metrics() is for administrators');
SELECT ok(has_table_privilege('metrics_watcher', 'smartpouch.' || v, 'SELECT') AND NOT has_table_privilege('metrics_app', 'smartpouch.' || v, 'SELECT'),
	v || ' is for who monitors') FROM unnest(ARRAY['metrics', 'usage', 'model_loads']) v;
SET ROLE metrics_watcher;
SELECT throws_ok('SET smartpouch.track = off', '42501', NULL, 'counting is not for everybody to end');
RESET ROLE;
SET smartpouch.track = off;
SELECT is(current_setting('smartpouch.track'), 'off', 'but for a superuser');
SELECT throws_ok('SET smartpouch.track = ''some''', '22023', NULL, 'off or all');
SELECT * FROM finish();
ROLLBACK;
