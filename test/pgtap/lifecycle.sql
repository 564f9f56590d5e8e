-- Stages, aliases, what can be taken away, and what the history says of it.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(104);
\i tiny.inc

CREATE FUNCTION based(base integer) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', base::text), 'UTF8')
	FROM tiny WHERE name = 'regression' $$;
-- version v answers v + 1.25
CREATE FUNCTION answer(ref text) RETURNS double precision LANGUAGE sql STABLE AS $$ SELECT smartpouch.predict(ref, ARRAY[40, 60]) $$;
CREATE FUNCTION make(name text, versions integer) RETURNS void LANGUAGE sql AS $$
	SELECT smartpouch.import_model(name, based(v)) FROM generate_series(1, versions) v $$;
CREATE FUNCTION whole(model text DEFAULT NULL) RETURNS boolean LANGUAGE sql AS $$
	SELECT NOT EXISTS (SELECT FROM smartpouch.verify_history(model)) $$;

SELECT make('m', 5) \gset

-- rollback: n of them walk back n promotions
SELECT throws_ok($$ SELECT smartpouch.rollback('m', 'production') $$, '55000',
	'model "m" serves no version in stage "production"', 'nothing to roll back before the first promotion');
SELECT count(smartpouch.promote('m', v, 'production', 'number ' || v)) FROM generate_series(1, 4) v \gset
SELECT smartpouch.promote('m', 2, 'staging') \gset
SELECT is(answer('m'), 5.25::float8, 'version 4 serves');
SELECT is(smartpouch.rollback('m', 'production', 'too slow'), 3, 'rollback goes to version 3');
SELECT is(answer('m'), 4.25::float8, 'which serves');
SELECT results_eq($$ SELECT version, replaced, note FROM smartpouch.deployments WHERE model = 'm' AND stage = 'production' $$,
	$$ VALUES (3, '{1,2}'::integer[], 'too slow') $$, 'and stands on 1 and 2');
SELECT is(smartpouch.rollback('m', 'production'), 2, 'again');
SELECT is(smartpouch.rollback('m', 'production'), 1, 'and again');
SELECT throws_ok($$ SELECT smartpouch.rollback('m', 'production') $$, '55000',
	'there is nothing below version 1 of model "m" in stage "production"', 'until there is nothing below');
SELECT is(answer('m@staging'), 3.25::float8, 'the other stage was not touched');
SELECT throws_ok($$ SELECT smartpouch.rollback('m', 'moon') $$, '42704', NULL, 'no such stage');
SELECT throws_ok($$ SELECT smartpouch.rollback('nobody', 'production') $$, '42704', NULL, 'no such model');
SELECT throws_ok($$ SELECT smartpouch.rollback('m', NULL) $$, '22004', NULL, 'no stage given');
SELECT throws_ok($$ SELECT smartpouch.rollback('m', 'no good') $$, '22023', NULL, 'no name of a stage');
SELECT results_eq($$ SELECT action, version, replaced_version, note FROM smartpouch.history
	WHERE model = 'm' AND stage = 'production' ORDER BY seq $$,
	$$ VALUES ('promote', 1, NULL::integer, 'number 1'), ('promote', 2, 1, 'number 2'), ('promote', 3, 2, 'number 3'),
	('promote', 4, 3, 'number 4'), ('rollback', 3, 4, 'too slow'), ('rollback', 2, 3, NULL), ('rollback', 1, 2, NULL) $$,
	'the history tells all of it');
-- a stage that went back goes on from there
SELECT smartpouch.promote('m', 5, 'production') \gset
SELECT is(smartpouch.rollback('m', 'production'), 1, 'a promotion after a rollback stands on what served');

-- random walks: as many rollbacks as promotions lead back to the first
SELECT count(smartpouch.promote('m', 1 + (i * 7) % 5, 'testing')) FROM generate_series(1, 30) i \gset
SELECT is((SELECT cardinality(replaced) FROM smartpouch.deployments WHERE stage = 'testing'), 29, '30 promotions');
SELECT is((SELECT array_agg(smartpouch.rollback('m', 'testing') ORDER BY i) FROM generate_series(1, 29) i)::text,
	(SELECT array_agg(1 + (i * 7) % 5 ORDER BY i DESC) FROM generate_series(1, 29) i)::text, 'are walked back by 29 rollbacks');

-- drop_deployment
SELECT lives_ok($$ SELECT smartpouch.drop_deployment('m', 'testing', 'not needed') $$, 'a stage can serve nothing again');
SELECT throws_ok($$ SELECT answer('m@testing') $$, '55000', NULL, 'as a prediction tells');
SELECT throws_ok($$ SELECT smartpouch.drop_deployment('m', 'testing') $$, '55000', NULL, 'but only once');
SELECT throws_ok($$ SELECT smartpouch.rollback('m', 'testing') $$, '55000', NULL, 'with nothing left to go back to');
SELECT throws_ok($$ SELECT smartpouch.drop_deployment('m', 'moon') $$, '42704', NULL, 'no such stage');
SELECT throws_ok($$ SELECT smartpouch.drop_deployment('nobody', 'testing') $$, '42704', NULL, 'no such model');

-- the ladder
SELECT lives_ok($$ SELECT smartpouch.set_stages(ARRAY['lab', 'staging', 'production', 'archive']) $$, 'another ladder');
SELECT results_eq('SELECT stage::text COLLATE "default" FROM smartpouch.stages ORDER BY position',
	$$ VALUES ('lab'), ('staging'), ('production'), ('archive') $$, 'in its order');
SELECT lives_ok($$ SELECT smartpouch.promote('m', 3, 'lab') $$, 'its stages serve');
SELECT is(answer('m@lab'), 4.25::float8, 'as any');
SELECT throws_ok($$ SELECT smartpouch.promote('m', 3, 'testing') $$, '42704', NULL, 'what is not on it does not');
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['staging', 'production']) $$, '2BP01',
	'stage "lab" is still in use', 'a stage that serves stays');
SELECT smartpouch.set_alias('m', 'canary', 1) \gset
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['lab', 'staging', 'production', 'canary']) $$, '42710', NULL,
	'an alias does not become a stage');
SELECT throws_ok($$ SELECT smartpouch.set_alias('m', 'lab', 1) $$, '42710', NULL, 'nor a stage an alias');
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['lab', 'staging', 'production', 'lab']) $$, '22023', NULL, 'a stage twice');
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['lab', 'staging']) $$, '22023', NULL, 'no production');
SELECT throws_ok($$ SELECT smartpouch.set_stages('{}') $$, '22023', NULL, 'no stage at all');
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['production', 'no good']) $$, '22023', NULL, 'no name');
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['production', NULL]) $$, '22004', NULL, 'a null');
SELECT throws_ok($$ SELECT smartpouch.set_stages(NULL) $$, '22004', NULL, 'no array');
SELECT throws_ok($$ SELECT smartpouch.set_stages(array_append(ARRAY(SELECT 's' || i FROM generate_series(1, 100) i), 'production')) $$,
	'54000', NULL, 'too many');
SELECT smartpouch.drop_deployment('m', 'lab') \gset
SELECT lives_ok($$ SELECT smartpouch.set_stages(ARRAY['development', 'testing', 'staging', 'production']) $$, 'the default again');
SELECT is_empty('SELECT FROM smartpouch.stage', 'which is no rows');

-- drop_version
SELECT make('d', 4) \gset
SELECT count(smartpouch.promote('d', v, 'production')) FROM unnest('{1,2,1,3}'::integer[]) v \gset
SELECT smartpouch.set_alias('d', 'best', 4) \gset
SELECT smartpouch.add_golden('d:2', '[40, 60]', '{"value": 3.25}') \gset
SELECT smartpouch.record_evaluation('d:2', 'march', '{"rmse": 1}') \gset
SELECT throws_ok($$ SELECT smartpouch.drop_version('d:3') $$, '2BP01', 'version 3 of model "d" is still in use', 'what serves stays');
SELECT throws_ok($$ SELECT smartpouch.drop_version('d') $$, '2BP01', NULL, 'whatever it is called by');
SELECT throws_ok($$ SELECT smartpouch.drop_version('d@best') $$, '2BP01', 'version 4 of model "d" is still in use', 'an alias keeps it too');
SELECT throws_ok($$ SELECT smartpouch.drop_version('d:9') $$, '42704', NULL, 'no such version');
SELECT throws_ok($$ SELECT smartpouch.drop_version('nobody:1') $$, '42704', NULL, 'no such model');
SELECT throws_ok($$ SELECT smartpouch.drop_version('') $$, '22023', NULL, 'no reference');
SELECT lives_ok($$ SELECT smartpouch.drop_version('d:2') $$, 'what stands below goes');
SELECT is((SELECT replaced FROM smartpouch.deployments WHERE model = 'd'), '{1}', 'out of the stack, and 1 is not there twice');
SELECT is_empty($$ SELECT FROM smartpouch.golden g JOIN smartpouch.model m ON m.id = g.model_id
	WHERE m.name = 'd' AND version = 2 UNION ALL SELECT FROM smartpouch.evaluation $$, 'with its golden rows and evaluations');
SELECT throws_ok($$ SELECT answer('d:2') $$, '42704', NULL, 'and answers no more');
SELECT is(answer('m:2'), 3.25::float8, 'its bytes serve others that have the same');
SELECT is(smartpouch.rollback('d', 'production'), 1, 'rollback goes to what is there');
SELECT is(smartpouch.import_model('d', based(2)), 5, 'a number is not used twice');

-- bytes that nobody needs go
SELECT smartpouch.import_model('alone', based(77)) \gset
SELECT is((SELECT count(*) FROM smartpouch.blob b JOIN smartpouch.versions v ON b.sha256 IN (v.sha256, v.artifact_sha256)
	WHERE v.model = 'alone'), 2::bigint, 'a file and its stored form');
CREATE TEMP TABLE had AS SELECT unnest(ARRAY[sha256, artifact_sha256]) AS hash FROM smartpouch.versions WHERE model = 'alone';
SELECT smartpouch.drop_version('alone:1') \gset
SELECT is_empty('SELECT FROM smartpouch.blob JOIN had ON sha256 = hash', 'go with the version');
SELECT is((SELECT count(*) FROM smartpouch.models WHERE model = 'alone'), 1::bigint, 'a model without versions stays');
SELECT is(smartpouch.import_model('alone', based(77)), 2, 'and takes the next');
SELECT is(answer('alone:2'), 78.25::float8, 'that answers');

-- drop_model
SELECT throws_ok($$ SELECT smartpouch.drop_model('d') $$, '2BP01', 'model "d" is still in use', 'a model that serves stays');
SELECT smartpouch.drop_deployment('d', 'production') \gset
SELECT throws_ok($$ SELECT smartpouch.drop_model('d') $$, '2BP01', 'model "d" is still in use', 'or has an alias');
SELECT smartpouch.drop_alias('d', 'best') \gset
SELECT throws_ok($$ SELECT smartpouch.drop_model('nobody') $$, '42704', NULL, 'no such model');
SELECT throws_ok($$ SELECT smartpouch.drop_model('no good') $$, '22023', NULL, 'no name');
SELECT lives_ok($$ SELECT smartpouch.drop_model('d'), smartpouch.drop_model('alone') $$, 'else it goes');
SELECT throws_ok($$ SELECT answer('d:1') $$, '42704', NULL, 'from predictions');
SELECT is_empty($$ SELECT FROM smartpouch.models WHERE model IN ('d', 'alone')
	UNION ALL SELECT FROM smartpouch.versions WHERE model IN ('d', 'alone')
	UNION ALL SELECT FROM smartpouch.version v WHERE NOT EXISTS (SELECT FROM smartpouch.model m WHERE m.id = v.model_id)
	UNION ALL SELECT FROM smartpouch.golden g WHERE NOT EXISTS (SELECT FROM smartpouch.model m WHERE m.id = g.model_id) $$, 'and tables');
SELECT is_empty($$ SELECT FROM smartpouch.blob b WHERE NOT EXISTS (
	SELECT FROM smartpouch.version v WHERE b.sha256 IN (v.program_sha256, v.artifact_sha256)) $$, 'with all bytes that it alone had');
SELECT is((SELECT action FROM smartpouch.history WHERE model = 'd' ORDER BY seq DESC LIMIT 1), 'drop_model', 'its history stays');
SELECT is(smartpouch.import_model('d', based(9)), 1, 'the name is free for a new model');
SELECT is((SELECT count(DISTINCT model_id) FROM smartpouch.history WHERE model = 'd'), 2::bigint, 'with a history of its own');

-- who, from where, when
SELECT results_eq($$ SELECT session_role, acting_role, api_key_id, evidence, client_address IS NOT DISTINCT FROM inet_client_addr(),
	at = now(), recorded_at BETWEEN at AND clock_timestamp() FROM smartpouch.history WHERE model = 'm' AND stage = 'staging' $$,
	$$ VALUES (session_user::text COLLATE "default", current_user::text COLLATE "default", NULL, NULL::jsonb, true, true, true) $$, 'a promotion is recorded with who and when');

-- what served when; recorded_at goes up within a transaction too
SELECT recorded_at AS third FROM smartpouch.history WHERE model = 'm' AND stage = 'production' AND note = 'number 3' \gset
SELECT results_eq(format($$ SELECT version, action, replaced_version, session_role, note FROM smartpouch.serving_at('m', 'production', %L) $$, :'third'),
	$$ VALUES (3, 'promote', 2, session_user::text COLLATE "default", 'number 3') $$, 'what production was at a time, who put it there and why');
SELECT is((SELECT version FROM smartpouch.serving_at('m', 'production', :'third'::timestamptz - interval '1 microsecond')), 2, 'and just before');
SELECT is((SELECT version FROM smartpouch.serving_at('m', 'production', 'infinity')), 1, 'and is');
SELECT is(smartpouch.serving_at('m', 'production', '2000-01-01'), NULL, 'nothing before the first promotion');
SELECT is((SELECT (version IS NULL)::text || action FROM smartpouch.serving_at('m', 'testing', 'infinity')), 'truedrop_deployment', 'nothing after drop_deployment');
SELECT is(smartpouch.serving_at('m', 'development', 'infinity'), NULL, 'nothing in a stage that never served');
SELECT is((SELECT replaced_version FROM smartpouch.serving_at('d', 'production', 'infinity')), 1, 'dropped models answer too');
SELECT throws_ok($$ SELECT smartpouch.serving_at('nobody', 'production', 'infinity') $$, '42704', NULL, 'no such model');
SELECT throws_ok($$ SELECT smartpouch.verify_history('nobody') $$, '42704', NULL, 'nor to verify');

-- the chain
SELECT ok(whole(), 'all histories are whole');
SELECT ok(whole('m') AND whole('d') AND whole('alone'), 'each, and of dropped models');
CREATE FUNCTION tampered(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	ALTER TABLE smartpouch.event DISABLE TRIGGER ALL;
	EXECUTE change;
	SELECT string_agg(model_name || ' ' || seq || ': ' || problem, '; ' ORDER BY model_name, seq) INTO found
	FROM smartpouch.verify_history();
	RAISE EXCEPTION USING MESSAGE = coalesce(found, 'nothing found');
EXCEPTION WHEN raise_exception THEN
	RETURN SQLERRM;
END $$;
SELECT is((SELECT string_agg(c, ',' ORDER BY c) FROM (SELECT attname AS c FROM pg_attribute
	WHERE attrelid = 'smartpouch.event'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('model_id', 'seq', 'hash')) x
	WHERE tampered(format('UPDATE smartpouch.event e SET %1$I = o.%1$I FROM (SELECT
		now() - interval ''1 day'' AS at, now() - interval ''1 day'' AS recorded_at, ''n'' AS model, ''demote'' AS action, 99 AS version,
		''testing'' AS stage, 98 AS replaced_version, ''x'' AS detail, '''' AS note, ''{"passed": true}''::jsonb AS evidence,
		''root'' AS session_role, ''root'' AS acting_role, ''key'' AS api_key_id, ''10.0.0.1''::inet AS client_address) o
		WHERE seq = 3 AND model_id = (SELECT id FROM smartpouch.model WHERE name = ''m'')', c))
	<> 'm 3: the event was changed, added, or moved from another place'), NULL, 'a change of any column is found, and named by its event');
SELECT matches(tampered('UPDATE smartpouch.event SET hash = sha256(hash) WHERE seq = 3 AND model = ''m'''),
	'^m 3: the event was changed.*; m 4: the event was changed', 'so is a change of a hash');
SELECT is(tampered('DELETE FROM smartpouch.event WHERE seq = 3 AND model = ''m'''), 'm 3: the event is missing', 'a missing event');
SELECT is(tampered('DELETE FROM smartpouch.event WHERE seq < 3 AND model = ''m'''), 'm 1: the events from here to 2 are missing', 'the first ones');
SELECT matches(tampered('DELETE FROM smartpouch.event WHERE seq > 3 AND model = ''m'''), '^m 4: the events from here to \d+ are missing$', 'the last ones');
SELECT matches(tampered('DELETE FROM smartpouch.event WHERE model = ''m'''), '^m 1: the events from here to \d+ are missing$', 'all');
SELECT matches(tampered('INSERT INTO smartpouch.event (model_id, seq, at, recorded_at, model, action, session_role, acting_role, hash)
	SELECT id, last_event + 1, now(), now(), name, ''import'', ''x'', ''x'', last_event_hash FROM smartpouch.model WHERE name = ''m'''),
	'^m (\d+): the event was changed, added, .*; m \1: the events from here on were added', 'an added one');
SELECT is(tampered('UPDATE smartpouch.event SET seq = CASE seq WHEN 2 THEN 3 ELSE 2 END + 100 WHERE seq IN (2, 3) AND model = ''m'';
	UPDATE smartpouch.event SET seq = seq - 100 WHERE seq IN (102, 103) AND model = ''m'''),
	'm 2: the event was changed, added, or moved from another place; m 3: the event was changed, added, or moved from another place; m 4: the event was changed, added, or moved from another place',
	'two that changed places');
SELECT matches(tampered('DELETE FROM smartpouch.event WHERE action = ''drop_model'' AND model = ''alone'''),
	'^alone \d+: the event that the model was dropped is missing', 'the drop of a model');
SELECT matches(tampered('DELETE FROM smartpouch.model WHERE name = ''m'''), 'the event that the model was dropped is missing', 'a model that was taken away by hand');
SELECT matches(tampered('UPDATE smartpouch.model SET last_event_hash = sha256(''x'') WHERE name = ''m'''), 'not the newest', 'a changed head');
SELECT ok(whole(), 'and all is as before');

-- the chain as it is described, made by other means
CREATE FUNCTION canonical(value bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT coalesce(int4send(length(value)) || value, int4send(-1)) $$;
CREATE FUNCTION canonical(value text) RETURNS bytea LANGUAGE sql AS $$ SELECT canonical(convert_to(value, 'UTF8')) $$;
CREATE FUNCTION canonical(value bigint) RETURNS bytea LANGUAGE sql AS $$ SELECT canonical(int8send(value)) $$;
CREATE FUNCTION link(e smartpouch.event, previous bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256(convert_to('smartpouch event 1', 'UTF8') || '\x00' || previous
		|| canonical(uuid_send(e.model_id)) || canonical(e.seq) || canonical(timestamptz_send(e.at)) || canonical(timestamptz_send(e.recorded_at))
		|| canonical(e.model) || canonical(e.action) || canonical(e.version::bigint) || canonical(e.stage) || canonical(e.replaced_version::bigint)
		|| canonical(e.detail) || canonical(e.note) || canonical(e.evidence::text) || canonical(e.session_role) || canonical(e.acting_role)
		|| canonical(e.api_key_id) || canonical(CASE family(e.client_address) WHEN 4 THEN '\x04'::bytea WHEN 6 THEN '\x06' END
			|| substr(inet_send(e.client_address), 2, 1) || substr(inet_send(e.client_address), 5))) $$;
SELECT is_empty($$ SELECT FROM (SELECT e.hash, link(e, lag(e.hash, 1, decode(repeat('00', 32), 'hex')) OVER (PARTITION BY model_id ORDER BY seq)) AS made
	FROM smartpouch.event e) x WHERE hash IS DISTINCT FROM made $$, 'links are what the description says');
SELECT smartpouch.import_model('crafted', based(1)) \gset
INSERT INTO smartpouch.event
SELECT (jsonb_populate_record(e, jsonb_build_object('seq', 1 + n, 'client_address', client, 'evidence', '{"long": [1.50, "ä"], "b": null}'::jsonb,
	'note', E'Žofie\t\'', 'api_key_id', 'k', 'hash', repeat('0', 32)))).*
FROM smartpouch.event e, (VALUES (1, '10.1.2.3'), (2, '2001:db8::1/64')) more (n, client) WHERE model = 'crafted';
ALTER TABLE smartpouch.event DISABLE TRIGGER ALL;
UPDATE smartpouch.event e SET hash = link(e, (SELECT hash FROM smartpouch.event p WHERE p.model_id = e.model_id AND p.seq = e.seq - 1))
	WHERE model = 'crafted' AND seq = 2;
UPDATE smartpouch.event e SET hash = link(e, (SELECT hash FROM smartpouch.event p WHERE p.model_id = e.model_id AND p.seq = e.seq - 1))
	WHERE model = 'crafted' AND seq = 3;
ALTER TABLE smartpouch.event ENABLE TRIGGER ALL;
SELECT smartpouch.repair_triggers() \gset
UPDATE smartpouch.model m SET last_event = 3, last_event_hash = (SELECT hash FROM smartpouch.event e WHERE model_id = m.id AND seq = 3) WHERE name = 'crafted';
SELECT ok(whole('crafted'), 'with addresses, evidence and other alphabets too');
SELECT smartpouch.drop_model('crafted') \gset
SELECT ok(whole('crafted'), 'and the next event follows');

-- independent of settings
SELECT smartpouch.registry_digest() AS digest \gset
SET LOCAL TimeZone = 'Asia/Kathmandu';
SET LOCAL DateStyle = 'German';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL bytea_output = 'escape';
SET LOCAL extra_float_digits = -15;
SET LOCAL client_encoding = 'LATIN1';
SELECT ok(whole(), 'the chain does not depend on settings');
SET LOCAL client_encoding = 'UTF8';
SET LOCAL bytea_output = 'hex';
SELECT is(smartpouch.registry_digest(), :'digest'::bytea, 'nor does the digest');
CREATE FUNCTION digest_after(change text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	before bytea := smartpouch.registry_digest();
	same boolean;
BEGIN
	EXECUTE change;
	same := before = smartpouch.registry_digest();
	RAISE EXCEPTION USING MESSAGE = same;
EXCEPTION WHEN raise_exception THEN
	RETURN SQLERRM;
END $$;
SELECT is((SELECT string_agg(change, E'\n') FROM unnest(ARRAY[
	'SELECT smartpouch.promote(''m'', 4, ''production'')',
	'SELECT smartpouch.import_model(''m'', based(1))',
	'SELECT smartpouch.set_stages(ARRAY[''staging'', ''production''])',
	'SELECT smartpouch.rename_model(''m'', ''n'')',
	'UPDATE smartpouch.deployment SET version = 5',
	'UPDATE smartpouch.deployment SET note = ''x''',
	'UPDATE smartpouch.alias SET version = 5',
	'DELETE FROM smartpouch.model WHERE name = ''d''',
	'SELECT smartpouch.add_golden(''m:2'', ''[40, 60]'', ''{"value": 3.25}'')']) change
	WHERE digest_after(change)), NULL, 'the digest changes with the registry');

-- what a subscriber gets
SELECT set_eq($$ SELECT c.oid::regclass FROM pg_class c WHERE relnamespace = 'smartpouch'::regnamespace AND relkind = 'r'
	AND relname NOT IN ('api_key', 'cluster', 'model_grant', 'access_grant', 'snapshot', 'upload', 'upload_chunk', 'audit_event', 'backup', 'baseline', 'drift_mark', 'rollup_mark', 'rollup_state', 'key_count', 'owner_limit', 'quota_use') $$,
	'SELECT smartpouch.publication_tables()', 'every table is published, or a server''s own');
SELECT is_empty($$ SELECT t FROM smartpouch.publication_tables() t WHERE NOT EXISTS (SELECT FROM pg_index WHERE indrelid = t AND indisprimary) $$,
	'what is published has a primary key');

-- rollbacks are kept up to a bound
SELECT count(smartpouch.import_model('tall', based(v))) AS done FROM generate_series(1, 2) v \gset
DO $$ BEGIN FOR i IN 0 .. 1100 LOOP PERFORM smartpouch.promote('tall', 1 + i % 2, 'testing'); END LOOP; END $$;
SELECT results_eq($$ SELECT version, cardinality(replaced), replaced[1000], replaced[1] FROM smartpouch.deployments WHERE model = 'tall' $$,
	$$ VALUES (1, 1000, 2, 1) $$, 'the last 1000 promotions can be rolled back');
SELECT is(smartpouch.rollback('tall', 'testing'), 2, 'and are');
SELECT is((SELECT cardinality(replaced) FROM smartpouch.deployments WHERE model = 'tall'), 999, 'one by one');

SELECT * FROM finish();
ROLLBACK;
