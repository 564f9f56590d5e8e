-- Whether models can serve: each check passes, warns and fails as it says.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(44);
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

-- the shape, of draft-inadarei-api-health-check-06
CREATE FUNCTION misshapen() RETURNS text LANGUAGE sql AS $$
	WITH report AS (SELECT smartpouch.health() AS h),
		one AS (SELECT c.key, c.value, c.value -> 0 AS v, h FROM report, jsonb_each(h -> 'checks') c)
	SELECT string_agg(format('%s %s', key, value), ' ') FROM one
	WHERE key !~ '^[a-z]+:[a-zA-Z]+$' OR jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) <> 1
		OR (v ->> 'componentType' IN ('component', 'datastore', 'system')) IS NOT TRUE
		OR (v ->> 'status' IN ('pass', 'warn', 'fail', 'unknown')) IS NOT TRUE
		OR (v ->> 'status' = 'pass') = (v ? 'output') OR length(v ->> 'output') = 0
		OR (v ->> 'status' = 'unknown') = (v ? 'observedValue') OR (v ->> 'status' = 'unknown') = (v ? 'observedUnit')
		OR jsonb_typeof(v -> 'observedValue') <> 'number' OR jsonb_typeof(v -> 'observedUnit') <> 'string'
		OR (v ? 'sampled') <> (key IN ('models:ready', 'models:golden') AND v ? 'time')
		OR v ->> 'time' !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$'
		OR (v ->> 'time')::timestamptz NOT BETWEEN now() AND (h ->> 'timestamp')::timestamptz
		OR NOT v ? 'time' AND v ->> 'status' <> 'unknown'
		OR v - '{componentType,status,observedValue,observedUnit,sampled,time,output}'::text[] <> '{}' $$;
CREATE FUNCTION summed_up() RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN '"fail"' = ANY (s) THEN 'fail' WHEN s && '{"\"warn\"","\"unknown\""}' THEN 'warn' ELSE 'pass' END = h ->> 'status'
	FROM smartpouch.health() h, LATERAL (SELECT array_agg((c.value #> '{0,status}')::text) AS s FROM jsonb_each(h -> 'checks') c) k $$;
SELECT bag_eq('SELECT jsonb_object_keys(smartpouch.health())', '{status,timestamp,version,checks}'::text[], 'what it has');
SELECT is(misshapen(), NULL, 'each check has the shape of the draft');
SELECT ok(summed_up()::boolean, 'and the whole is the worst of them');
SELECT ok((SELECT count(DISTINCT c.value #>> '{0,time}') > 5 FROM jsonb_each(smartpouch.health() -> 'checks') c), 'each has its own time');

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

-- the installed minor release
SELECT is(state('server:minorVersion'), CASE WHEN current_setting('server_version_num')::integer % 10000 <
	CASE current_setting('server_version_num')::integer / 10000 WHEN 15 THEN 19 WHEN 16 THEN 15 WHEN 17 THEN 11 WHEN 18 THEN 6 END
	THEN 'warn' ELSE 'pass' END, 'an old minor release is a warning, which other tests cannot make');

-- golden rows
UPDATE smartpouch.golden SET expected = '{"value": 2}';
SELECT is(state('models:golden'), 'fail', 'a golden row that does not match is a failed check');
SELECT is(output('models:golden'), 'golden row 1 of model "m" version 1 does not match: value is 1.75, expected 2', 'that says which');
UPDATE smartpouch.golden SET features = '{"age": 40}';
SELECT is(state('models:golden'), 'fail', 'so is one that cannot be evaluated');
SELECT is(output('models:golden'), 'the object has no key for 1 of the 2 features of model "m" version 1: Missing: "weight".', 'and says of which model, and why');
UPDATE smartpouch.golden SET features = '"x"';
SELECT is(output('models:golden'), 'model "m" version 1: features must be a jsonb object or array', 'whatever the error says');
SELECT is(misshapen(), NULL, 'a failed check has its shape');
SELECT ok(summed_up()::boolean, 'and is the worst');
SELECT is(state('models:ready'), 'pass', 'the other checks go on');
DELETE FROM smartpouch.golden;

-- owners
UPDATE smartpouch.model SET owner_cluster = 'elsewhere';
SELECT is(state('models:owners'), 'warn', 'a model of no role is a warning');
SELECT is(smartpouch.health() ->> 'status', 'warn', 'of the whole');
UPDATE smartpouch.model SET owner_cluster = smartpouch._cluster_id();

-- a canary answers, too; what serves two stages is one version
SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'classifier' \gset
SELECT smartpouch.promote('m', 1, 'staging') \gset
SELECT smartpouch.set_canary('m', 'production', 2, 1) \gset
SELECT is(observed('models:ready'), 2::bigint, 'what answers is looked at once, and canaries too');
SAVEPOINT canary;
ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change;
DELETE FROM smartpouch.blob WHERE sha256 = (SELECT program_sha256 FROM smartpouch.version WHERE version = 2);
SELECT is(output('models:ready'), 'stored bytes of model "m" version 2 are missing', 'a canary that lacks its bytes is a failed check');
SELECT ok(NOT smartpouch.ready(), 'and not all is ready');
ROLLBACK TO canary;
SELECT smartpouch.drop_canary('m', 'production') \gset
SELECT smartpouch.drop_deployment('m', 'staging') \gset

-- bytes
ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change;
UPDATE smartpouch.blob SET bytes = set_byte(bytes, 10, get_byte(bytes, 10) # 1)
WHERE sha256 = (SELECT program_sha256 FROM smartpouch.version WHERE version = 1);
SELECT is(state('models:ready'), 'fail', 'damaged bytes are a failed check');
SELECT is(state('registry:triggers'), 'fail', 'and the trigger that should have refused them');
SELECT ok(NOT smartpouch.ready(), 'nothing is ready then');
SELECT is(smartpouch.health() ->> 'status', 'fail', 'and the whole has failed');

-- time
SET smartpouch.health_timeout = '10ms';
SELECT ok(smartpouch.health() ->> 'status' IS NOT NULL, 'a budget that is too short for anything is no error');
SELECT is(misshapen(), NULL, 'and what is unknown has its shape');
SELECT throws_ok('SET smartpouch.health_timeout = 0', '22023', NULL, 'but some time it must have');

SELECT * FROM finish();
ROLLBACK;
