-- What is loaded: the view, loading and unloading, who may.  Everything here
-- is imported by this transaction, so it stays this session's own.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(16);
\i tiny.inc

SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression' \gset
SELECT is_empty('SELECT * FROM smartpouch.model_cache WHERE NOT shared', 'nothing of our own is loaded');
SELECT is(smartpouch.evict_model('m:1'), false, 'so nothing is evicted');
SELECT is(smartpouch.warm_model('m:1'), false, 'what is not committed is loaded, but not shared');
SELECT is((SELECT concat_ws(' ', versions, shared, pins, hits, loads) FROM smartpouch.model_cache
	WHERE NOT shared AND database = current_database()), '{m:1} f 0 0 1', 'the view has it');
SELECT is((SELECT bytes FROM smartpouch.model_cache WHERE NOT shared),
	(SELECT memory_bytes FROM smartpouch.versions WHERE model = 'm'), 'with the bytes that the version foretold');
SELECT is((SELECT jsonb_build_object('memory_bytes', memory_bytes, 'row_cost_ns', row_cost_ns) FROM smartpouch.versions WHERE model = 'm'),
	(SELECT i - (SELECT array_agg(key) FROM jsonb_object_keys(i) key WHERE key NOT IN ('memory_bytes', 'row_cost_ns'))
		FROM tiny, smartpouch.inspect_model(artifact) i WHERE name = 'regression'), 'and inspect_model does');
SELECT is(smartpouch.predict('m:1', ARRAY[40, 60]), 1.75::float8, 'it answers');
SELECT is((SELECT hits FROM smartpouch.model_cache WHERE NOT shared), 1::bigint, 'the prediction has found it loaded');
SELECT is((SELECT c.sha256 FROM smartpouch.model_cache c WHERE NOT shared),
	(SELECT sha256 FROM smartpouch.versions WHERE model = 'm'), 'by the hash of the version');
SELECT ok((SELECT bytes > 0 AND last_used > now() - interval '1 hour' FROM smartpouch.model_cache WHERE NOT shared),
	'with its size and its last use');
DECLARE c CURSOR FOR SELECT smartpouch.predict('m:1', ARRAY[40, 60 + 0 * i]) FROM generate_series(1, 3) i;
FETCH 1 FROM c \gset
SELECT is(smartpouch.evict_model('m:1'), false, 'a model in use stays');
CLOSE c;
SELECT is(smartpouch.evict_model('m:1'), true, 'and goes when it is not');
SELECT throws_ok($$ SELECT smartpouch.warm_model('nobody') $$, '42704', NULL, 'no such model to load');
SELECT throws_ok($$ SELECT smartpouch.evict_model('m') $$, '55000', NULL, 'nothing that serves to unload');

-- nothing is for everybody (test privileges covers the functions)
CREATE ROLE sp_monitor;
GRANT USAGE ON SCHEMA smartpouch TO sp_monitor;
GRANT SELECT ON smartpouch.model_cache TO sp_monitor;
SET LOCAL ROLE sp_monitor;
SAVEPOINT denied;
\set ON_ERROR_STOP 0
SELECT count(*) FROM smartpouch.model_cache \gset
\set state :SQLSTATE
ROLLBACK TO denied;
\set ON_ERROR_STOP 1
RESET ROLE;
SELECT is(:'state'::text, '42501', 'the view alone is not enough');
GRANT EXECUTE ON FUNCTION smartpouch._model_cache() TO sp_monitor;
SET LOCAL ROLE sp_monitor;
SELECT count(*) AS seen FROM smartpouch.model_cache WHERE NOT shared \gset
RESET ROLE;
SELECT is(:seen, 0, 'view and function together are');

SELECT * FROM finish();
ROLLBACK;
