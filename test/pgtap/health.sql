-- Whether models can serve: each check passes, warns and fails as it says.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(31);
\i tiny.inc
SET smartpouch.health_timeout = '1min';

CREATE FUNCTION state(name text) RETURNS text LANGUAGE sql AS $$
	SELECT smartpouch.health() #>> ARRAY['checks', name, '0', 'status'] $$;
CREATE FUNCTION observed(name text) RETURNS bigint LANGUAGE sql AS $$
	SELECT (smartpouch.health() #>> ARRAY['checks', name, '0', 'observedValue'])::bigint $$;
CREATE FUNCTION output(name text) RETURNS text LANGUAGE sql AS $$
	SELECT smartpouch.health() #>> ARRAY['checks', name, '0', 'output'] $$;

-- an empty registry
SELECT isnt(smartpouch.health() ->> 'status', 'fail', 'an empty registry is healthy');
SELECT is(smartpouch.health() ->> 'version', smartpouch.version(), 'the version is said');
SELECT ok((smartpouch.health() ->> 'timestamp')::timestamptz BETWEEN now() AND clock_timestamp(), 'and the time');
SELECT is(observed('models:ready'), 0::bigint, 'nothing is deployed');
SELECT ok(smartpouch.live(), 'it lives');
SELECT ok(smartpouch.ready(), 'and nothing is missing');
SELECT ok(NOT smartpouch.ready('m'), 'a model that is not there is not ready');

-- a model
SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression' \gset
SELECT smartpouch.add_golden('m:1', '{"age": 40, "weight": 60}', '{"value": 1.75}') \gset
SELECT ok(NOT smartpouch.ready('m'), 'a model that nothing serves is not ready');
SELECT ok(smartpouch.ready('m:1'), 'its version is');
SELECT ok(NOT smartpouch.ready('m@'), 'what is no reference is not ready');
SELECT is(observed('models:golden'), 0::bigint, 'golden rows count for what is deployed');
SELECT smartpouch.promote('m', 1, 'production') \gset
SELECT ok(smartpouch.ready('m'), 'now it serves');
SELECT is(observed('models:ready'), 1::bigint, 'one is deployed');
SELECT is(observed('models:golden'), 1::bigint, 'with one golden row');
SELECT is(state('models:golden'), 'pass', 'that matches');

CREATE ROLE sp_probe;
SELECT smartpouch.grant_access('sp_probe', 'predictor') \gset
SET ROLE sp_probe;
SELECT ok(NOT smartpouch.ready('m'), 'a role without the right to predict is not ready to');
SELECT ok(smartpouch.ready(), 'but the server is');
SELECT throws_ok('SELECT smartpouch.health()', '42501', NULL, 'health() is for monitors');
RESET ROLE;
SELECT smartpouch.grant_model('m', 'sp_probe', 'predict') \gset
SET ROLE sp_probe;
SELECT ok(smartpouch.ready('m'), 'one with the right is');
RESET ROLE;

-- golden rows
UPDATE smartpouch.golden SET expected = '{"value": 2}';
SELECT is(state('models:golden'), 'fail', 'a golden row that does not match is a failed check');
SELECT is(output('models:golden'), 'golden row 1 of model "m" version 1 does not match: value is 1.75, expected 2', 'that says which');
UPDATE smartpouch.golden SET features = '{"age": 40}';
SELECT is(state('models:golden'), 'fail', 'so is one that cannot be evaluated');
SELECT is(state('models:ready'), 'pass', 'the other checks go on');
DELETE FROM smartpouch.golden;

-- owners
UPDATE smartpouch.model SET owner_cluster = 'elsewhere';
SELECT is(state('models:owners'), 'warn', 'a model of no role is a warning');
SELECT is(smartpouch.health() ->> 'status', 'warn', 'of the whole');
UPDATE smartpouch.model SET owner_cluster = smartpouch._cluster_id();

-- bytes
ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change;
UPDATE smartpouch.blob SET bytes = set_byte(bytes, 10, get_byte(bytes, 10) # 1)
WHERE sha256 = (SELECT program_sha256 FROM smartpouch.version);
SELECT is(state('models:ready'), 'fail', 'damaged bytes are a failed check');
SELECT is(state('registry:triggers'), 'fail', 'and the trigger that should have refused them');
SELECT ok(NOT smartpouch.ready(), 'nothing is ready then');
SELECT is(smartpouch.health() ->> 'status', 'fail', 'and the whole has failed');

-- time
SET smartpouch.health_timeout = '10ms';
SELECT ok(smartpouch.health() ->> 'status' IS NOT NULL, 'a budget that is too short for anything is no error');
SELECT throws_ok('SET smartpouch.health_timeout = 0', '22023', NULL, 'but some time it must have');

SELECT * FROM finish();
ROLLBACK;
