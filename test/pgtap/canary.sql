-- Canaries: who may set them, what is refused, which keys they answer.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(61);
\i tiny.inc
-- version n of m answers n, n + 1 and so on; version 1 serves
CREATE FUNCTION pg_temp.version_of(base text) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', base), 'UTF8') FROM tiny WHERE name = 'regression' $$;
SELECT count(smartpouch.import_model('m', pg_temp.version_of(v || 'E0'))) FROM generate_series(1, 3) v \gset
SELECT throws_ok($$ SELECT smartpouch.set_canary('m', 'production', 2, 10) $$, '55000',
	'model "m" serves no version in stage "production"', 'there is nothing beside nothing');
SELECT smartpouch.promote('m', 1, 'production') \gset

-- refusals
SELECT throws_ok(format('SELECT smartpouch.set_canary(%L, %L, %s, %L)', model, stage, version, percent), code, NULL, why)
FROM (VALUES
	('m', 'production', 1, '10', '22023', 'the version that serves'),
	('m', 'production', 9, '10', '42704', 'no such version'),
	('m', 'nowhere', 2, '10', '42704', 'no such stage'),
	('other', 'production', 2, '10', '42704', 'no such model'),
	('m', 'production', 2, '-0.1', '22023', 'less than nothing'),
	('m', 'production', 2, '100.1', '22023', 'more than all'),
	('m', 'production', 2, 'NaN', '22023', 'not a number'),
	('m', 'production', 2, 'Infinity', '22023', 'infinite'),
	('1m', 'production', 2, '10', '22023', 'no name')
) r (model, stage, version, percent, code, why);
SELECT throws_ok($$ SELECT smartpouch.drop_canary('m', 'production') $$, '42704',
	'stage "production" of model "m" has no canary', 'no canary to drop');
SELECT throws_ok($$ SELECT smartpouch.drop_canary('m', 'nowhere') $$, '42704', NULL, 'nor such a stage');
SELECT throws_ok($$ SELECT smartpouch.set_canary('m', 'production', 2, NULL) $$, '22004', 'argument "percent" must not be null');
SELECT is_empty('SELECT * FROM smartpouch.canaries', 'so there is none');

-- rights
CREATE ROLE sp_ruth;
CREATE ROLE sp_app;
SELECT smartpouch.grant_access('sp_ruth', 'deployer'), smartpouch.grant_access('sp_app', 'predictor') \gset
SELECT smartpouch.grant_model('m', 'sp_app', 'predict') \gset
SET LOCAL ROLE sp_app;
SELECT throws_ok($$ SELECT smartpouch.set_canary('m', 'production', 2, 10) $$, '42501', NULL, 'a predictor has no such function');
SET LOCAL ROLE sp_ruth;
SELECT throws_ok($$ SELECT smartpouch.set_canary('m', 'production', 2, 10) $$, '42501', NULL, 'it takes the privilege deploy');
SELECT is_empty('SELECT * FROM smartpouch.canaries', 'a role sees its models only');
RESET ROLE;
SELECT smartpouch.grant_model('m', 'sp_ruth', 'deploy') \gset
SET LOCAL ROLE sp_ruth;
SELECT lives_ok($$ SELECT smartpouch.set_canary('m', 'production', 2, 10) $$, 'with it, it works');
SELECT results_eq('SELECT stage::text COLLATE "default", version, percent, beside FROM smartpouch.canaries',
	$$ VALUES ('production', 2, 10::float8, 1) $$, 'and the view shows it');
SELECT lives_ok($$ SELECT smartpouch.drop_canary('m', 'production') $$, 'and is taken back');
RESET ROLE;

-- who gets what
CREATE TABLE keys AS SELECT 'device ' || i AS key FROM generate_series(1, 100000) i;
CREATE FUNCTION pg_temp.answer(key text) RETURNS float8 LANGUAGE sql AS $$
	SELECT smartpouch.predict_for('m', key, ARRAY[40, 60]) - smartpouch.predict('m:1', ARRAY[40, 60]) + 1 $$;
SELECT is((SELECT count(DISTINCT smartpouch.predict_for('m', key, ARRAY[40, 60])) FROM keys), 1::bigint,
	'without a canary all keys get one version');
-- the share, and the same point in plain SQL
CREATE TABLE route (percent float8, key text, version int);
CREATE FUNCTION pg_temp.take(share float8) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM smartpouch.set_canary('m', 'production', 2, share);
	INSERT INTO route SELECT share, key, (smartpouch.predict_json_for('m', key, '[40, 60]') ->> 'version')::int FROM keys;
END $$;
SELECT count(pg_temp.take(p)::text) FROM unnest(ARRAY[0, 0.1, 5, 37.5, 99.9, 100]) p \gset
SELECT ok(abs(count(*) FILTER (WHERE version = 2) - count(*) * percent / 100)
		<= 6 * sqrt(count(*) * percent / 100 * (1 - percent / 100)), format('%s percent of the keys, within 6 sigma', percent))
FROM route GROUP BY percent ORDER BY percent;
SELECT is((SELECT count(*) FROM route a JOIN route b USING (key) WHERE a.percent < b.percent AND a.version > b.version), 0::bigint,
	'with a larger percentage no key goes back');
SELECT is((SELECT count(*) FROM route JOIN smartpouch.canaries c ON true
		WHERE (('x' || left(encode(sha256(uuid_send(c.model_id) || convert_to(c.stage, 'UTF8') || '\x00'
			|| convert_to(key, 'UTF8')), 'hex'), 13))::bit(52)::bigint / 4503599627370496.0::float8 < route.percent / 100)
		<> (route.version = 2)), 0::bigint, 'SQL says the same of each key');
SELECT smartpouch.set_canary('m', 'production', 2, 50) \gset
SELECT is((SELECT count(*) FROM keys WHERE
		(smartpouch.predict_for('m', key, ARRAY[40, 60]) = smartpouch.predict('m:2', ARRAY[40, 60]))
		<> (smartpouch.predict_json_for('m', key, '[40, 60]') ->> 'version' = '2')), 0::bigint,
	'all functions route a key alike');
SELECT is((SELECT count(DISTINCT smartpouch.predict_for('m:1', key, ARRAY[40, 60])) FROM keys), 1::bigint, 'a version by number has no canary');
SELECT smartpouch.set_alias('m', 'first', 1) \gset
SELECT is((SELECT count(DISTINCT smartpouch.predict_for('m@first', key, ARRAY[40, 60])) FROM keys), 1::bigint, 'nor has an alias');
SELECT is((SELECT count(DISTINCT smartpouch.predict('m', ARRAY[40, i])) FROM generate_series(1, 50) i), 1::bigint, 'predict() has no key');
SELECT is((SELECT count(DISTINCT smartpouch.predict_for('m', key, ARRAY[40, 60])) FROM (VALUES (''), (repeat('k', 100000)), ('žluť')) k (key)),
	(SELECT count(DISTINCT smartpouch.predict_for('m', key, ARRAY[40, 60])) FROM (VALUES (''), (repeat('k', 100000)), ('žluť')) k (key)),
	'keys of any length');
SELECT is(smartpouch.predict_for('m', NULL, ARRAY[40, 60]), NULL, 'NULL for no key');
SET LOCAL ROLE sp_app;
SELECT lives_ok($$ SELECT smartpouch.predict_for('m', 'device ' || i, ARRAY[40, 60]) FROM generate_series(1, 20) i $$,
	'the privilege predict is for the canary too');
RESET ROLE;

-- a new name, the same keys; another model, others
CREATE TABLE kept AS SELECT key, pg_temp.answer(key) AS answer FROM keys LIMIT 5000;
SELECT smartpouch.rename_model('m', 'n') \gset
SELECT is((SELECT count(*) FROM kept WHERE smartpouch.predict_for('n', key, ARRAY[40, 60]) - smartpouch.predict('n:1', ARRAY[40, 60]) + 1 <> answer),
	0::bigint, 'a renamed model keeps its routes');
SELECT smartpouch.rename_model('n', 'm') \gset
SELECT smartpouch.promote('m', 1, 'staging'), smartpouch.set_canary('m', 'staging', 2, 50) \gset
SELECT ok((SELECT count(*) FROM kept WHERE (smartpouch.predict_for('m@staging', key, ARRAY[40, 60])
	= smartpouch.predict_for('m', key, ARRAY[40, 60]))) BETWEEN 2500 - 6 * 35.4 AND 2500 + 6 * 35.4, 'another stage chooses other keys');
SELECT smartpouch.drop_canary('m', 'staging') \gset

-- labels
SELECT smartpouch.import_model('c', artifact, labels => ARRAY['no', 'yes']),
	smartpouch.import_model('c', artifact, labels => ARRAY['nein', 'ja']), smartpouch.promote('c', 1, 'production'),
	smartpouch.set_canary('c', 'production', 2, 50) FROM tiny WHERE name = 'classifier' \gset
SELECT is((SELECT string_agg(DISTINCT smartpouch.predict_label_for('c', key, ARRAY[40, 60]), ' ') FROM keys), 'ja yes', 'labels are routed too');
SELECT smartpouch.drop_canary('c', 'production'), smartpouch.drop_deployment('c', 'production') \gset

-- what is in use stays
SELECT throws_ok($$ SELECT smartpouch.drop_version('m:2') $$, '2BP01', 'version 2 of model "m" is still in use', 'a canary is in use');
SELECT throws_ok($$ SELECT smartpouch.drop_model('m') $$, '2BP01', NULL, 'its model too');
SELECT is((SELECT array_agg(version) FROM smartpouch.expire_versions('m', '-1 day', 0)), ARRAY[3], 'and not among what expires');
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['lab', 'staging', 'final']) $$, '22023', NULL, 'a ladder has production');

-- promotions
SELECT smartpouch.set_canary('m', 'production', 3, 25) \gset
SELECT results_eq($$ SELECT action, version, replaced_version, detail FROM smartpouch.history WHERE model = 'm' ORDER BY seq DESC LIMIT 1 $$,
	$$ VALUES ('set_canary', 3, 2, '25 percent') $$, 'a canary that takes the place of another, in the history');
SELECT smartpouch.promote('m', 2, 'production') \gset
SELECT results_eq('SELECT version, percent, beside FROM smartpouch.canaries', $$ VALUES (3, 25::float8, 2) $$,
	'a promotion of another version leaves the canary');
SELECT smartpouch.promote('m', 3, 'production') \gset
SELECT is_empty('SELECT * FROM smartpouch.canaries', 'its own promotion ends it');
SELECT results_eq($$ SELECT action, version, replaced_version, detail FROM smartpouch.history WHERE model = 'm' ORDER BY seq DESC LIMIT 2 $$,
	$$ VALUES ('drop_canary', NULL, 3, 'it serves the stage'), ('promote', 3, 2, NULL) $$, 'and the history says so');
SELECT is(pg_temp.answer('device 1'), 3::float8, 'version 3 answers all');
SELECT smartpouch.set_canary('m', 'production', 2, 25), smartpouch.rollback('m', 'production') \gset
SELECT is_empty('SELECT * FROM smartpouch.canaries', 'so does a rollback to it');
SELECT smartpouch.set_canary('m', 'production', 3, 25), smartpouch.drop_deployment('m', 'production') \gset
SELECT results_eq($$ SELECT action, replaced_version, detail FROM smartpouch.history WHERE model = 'm' ORDER BY seq DESC LIMIT 2 $$,
	$$ VALUES ('drop_deployment', 2, NULL), ('drop_canary', 3, 'the stage serves nothing') $$, 'and a stage that serves nothing');
SELECT is((SELECT version FROM smartpouch.serving_at('m', 'production', now() + interval '1 day')), NULL, 'what served is told of promotions only');
SELECT is_empty($$ SELECT * FROM smartpouch.verify_history() $$, 'the history is whole');

-- the gate of the stage is the canary's too
SELECT smartpouch.promote('m', 1, 'production') \gset
SELECT smartpouch.set_gate('production', '{"golden": true}') \gset
SELECT throws_ok($$ SELECT smartpouch.set_canary('m', 'production', 2, 10) $$, '55000',
	'version 2 of model "m" does not pass the gate of stage "production"', 'no golden rows, no canary');
SELECT smartpouch.add_golden('m:2', '[40, 60]', jsonb_build_object('value', smartpouch.predict('m:2', ARRAY[40, 60]))) \gset
SELECT lives_ok($$ SELECT smartpouch.set_canary('m', 'production', 2, 10) $$, 'with golden rows it passes');
SELECT isnt((SELECT evidence FROM smartpouch.history WHERE model = 'm' ORDER BY seq DESC LIMIT 1), NULL, 'and what it showed is kept');

-- the digest covers canaries
SELECT smartpouch.registry_digest() AS before \gset
SAVEPOINT s;
UPDATE smartpouch.deployment SET canary_percent = 11 WHERE stage = 'production';
SELECT isnt(smartpouch.registry_digest(), :'before'::bytea, 'the digest covers canaries');
ROLLBACK TO s;
SELECT is(smartpouch.registry_digest(), :'before'::bytea, 'and is what it was');

-- a row that a superuser has written by hand
UPDATE smartpouch.deployment SET canary_version = 77, canary_percent = 100 WHERE stage = 'production';
SELECT throws_ok($$ SELECT smartpouch.predict_for('m', 'k', ARRAY[40, 60]) $$, '42704', 'model "m" has no version 77', 'a canary that is not there');
SELECT is(smartpouch.health() ->> 'status', 'fail', 'health() sees it');
SELECT throws_ok($$ UPDATE smartpouch.deployment SET canary_percent = 101 WHERE stage = 'production' $$, '23514', NULL, 'a percentage out of range');
SELECT throws_ok($$ UPDATE smartpouch.deployment SET canary_percent = NULL WHERE stage = 'production' $$, '23514', NULL, 'half a canary');

SELECT * FROM finish();
ROLLBACK;
