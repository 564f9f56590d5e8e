-- API keys: how they are made, what each code means, how they change and end.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(174);
\i tiny.inc
SELECT smartpouch.import_model('m', artifact), smartpouch.import_model('m', artifact), smartpouch.import_model('other', artifact),
	smartpouch.promote('m', 1, 'production'), smartpouch.promote('m', 2, 'staging'), smartpouch.promote('other', 1, 'production'),
	smartpouch.set_alias('m', 'champion', 2)
FROM tiny WHERE name = 'regression' \gset
CREATE ROLE sp_maker;
CREATE ROLE sp_app;
CREATE ROLE sp_monitor;
SELECT smartpouch.grant_access('sp_app', 'predictor'), smartpouch.grant_model('m', 'sp_app', 'predict'),
	smartpouch.grant_access('sp_monitor', 'monitor') \gset
-- a token by what it is for; tests look at it from functions
CREATE TABLE token (name text PRIMARY KEY, token text NOT NULL);
GRANT SELECT ON token TO PUBLIC;
CREATE FUNCTION tok(of text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT token FROM token WHERE name = of $$;
CREATE FUNCTION id_of(of text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT split_part(tok(of), '_', 3) $$;
CREATE FUNCTION code_of(of text) RETURNS text LANGUAGE sql AS $$ SELECT code FROM smartpouch.verify_api_key(tok(of)) $$;
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE;
END $$;

-- making
INSERT INTO token VALUES ('app', smartpouch.create_api_key('alice', ARRAY['predict:model/m'], description => 'first', tags => ARRAY['a', 'b'])),
	('staging', smartpouch.create_api_key('alice', ARRAY['predict:model/*'], 'staging')),
	('wide', smartpouch.create_api_key('bob', ARRAY['predict:model/*', 'predict:model/m:2', 'predict:model/m@champion', 'promote:model/m', 'read:metrics', 'see:orders/*']));
SELECT matches(tok('app'), '^sp_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}$', 'the form of a key');
SELECT matches(tok('staging'), '^sp_stg_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}$', 'with its stage');
SELECT results_eq($$ SELECT valid, code, key_id, owner, scopes FROM smartpouch.verify_api_key(tok('app')) $$,
	$$ VALUES (true, 'valid', id_of('app'), 'alice', ARRAY['predict:model/m']) $$, 'it is good at once');
SELECT results_eq($$ SELECT key_id, owner, stage, scopes, code, description, tags, creator::text, enabled, replaced_by FROM smartpouch.api_keys WHERE key_id = id_of('app') $$,
	$$ VALUES (id_of('app'), 'alice', 'production', ARRAY['predict:model/m'], 'valid', 'first', ARRAY['a', 'b'], current_user::text, true, NULL::text) $$,
	'and in the view');
SELECT ok((SELECT expires_at - created_at = '90 days' FROM smartpouch.api_keys WHERE key_id = id_of('app')), 'for 90 days');
SELECT hasnt_column('smartpouch', 'api_keys', 'hash', 'which has no hashes');
SELECT ok((SELECT octet_length(hash) = 32 AND hash = sha256(convert_to('smartpouch/v1', 'UTF8') || '\x00' || convert_to(tok('app'), 'UTF8'))
	FROM smartpouch.api_key WHERE id = id_of('app')), 'the row has the hash that security.md tells');
SELECT is((SELECT count(*) FROM smartpouch.api_key k WHERE to_jsonb(k)::text LIKE '%' || split_part(tok('app'), '_', 4) || '%'), 0::bigint, 'and not the key');

-- what is refused
SELECT is(outcome(format('SELECT smartpouch.create_api_key(%s)', arguments)), code, why)
FROM (VALUES
	($$ NULL, ARRAY['predict:model/m'] $$, '22004', 'no owner'),
	($$ '', ARRAY['predict:model/m'] $$, '22023', 'an empty one'),
	($$ repeat('x', 256), ARRAY['predict:model/m'] $$, '22023', 'a long one'),
	($$ tok('app'), ARRAY['predict:model/m'] $$, '22023', 'a key as owner'),
	($$ 'x', NULL $$, '22004', 'no scopes'),
	($$ 'x', '{}' $$, '22023', 'an empty list of them'),
	($$ 'x', ARRAY[ARRAY['predict:model/m']] $$, '22023', 'a list of two dimensions'),
	($$ 'x', ARRAY['predict:model/m', NULL] $$, '22004', 'NULL as a scope'),
	($$ 'x', ARRAY['predict'] $$, '22023', 'no scope at all'),
	($$ 'x', ARRAY['predict:model/m@staging'] $$, '22023', 'another stage'),
	($$ 'x', ARRAY['predict:model/1m'] $$, '22023', 'no name of a model'),
	($$ 'x', ARRAY['predict:model/nobody'] $$, '42704', 'a model that is not there'),
	($$ 'x', array_fill('see:a'::text, ARRAY[65]) $$, '54000', '65 scopes'),
	($$ 'x', ARRAY['see:' || repeat('a', 10000)] $$, '22023', 'a scope of 10 kB'),
	($$ 'x', ARRAY['predict:*/m'] $$, '22023', 'a wildcard in the middle'),
	($$ 'x', ARRAY['predict:model/*/x'] $$, '22023', 'a wildcard before the end'),
	($$ 'x', ARRAY['predict:model/m*'] $$, '22023', 'a wildcard as a part of a segment'),
	($$ 'x', ARRAY['predict:model//m'] $$, '22023', 'an empty segment'),
	($$ 'x', ARRAY['predict:model/m/'] $$, '22023', 'an empty segment at the end'),
	($$ 'x', ARRAY[U&'predict:model/\043C'] $$, '22023', 'a letter that looks like another'),
	($$ 'x', ARRAY[U&'predict\FF1Amodel/m'] $$, '22023', 'a colon that looks like one'),
	($$ 'x', ARRAY['predict:model/m'], rate_limit => 5 $$, '55000', 'a limit without shared memory'),
	($$ 'x', ARRAY['predict:model/m'], 'lab' $$, '22023', 'no stage of keys'),
	($$ 'x', ARRAY['predict:model/m'], NULL $$, '22004', 'NULL as a stage'),
	($$ 'x', ARRAY['predict:model/m'], 'production', NULL $$, '22004', 'no end'),
	($$ 'x', ARRAY['predict:model/m'], 'production', '0' $$, '22023', 'an end now'),
	($$ 'x', ARRAY['predict:model/m'], 'production', '-1 day' $$, '22023', 'an end in the past'),
	($$ 'x', ARRAY['predict:model/m'], 'production', '366 days' $$, '22023', 'an end too far away'),
	($$ 'x', ARRAY['predict:model/m'], 'production', '1 day', 0 $$, '22023', 'a rate of nothing'),
	($$ 'x', ARRAY['predict:model/m'], 'production', '1 day', NULL, -1 $$, '22023', 'a negative quota'),
	($$ 'x', ARRAY['predict:model/m'], burst => 5 $$, '22023', 'a burst without a rate'),
	($$ 'x', ARRAY['predict:model/m'], not_before => now() + '91 days' $$, '22023', 'a beginning after the end'),
	($$ 'x', ARRAY['predict:model/m'], not_before => 'infinity' $$, '22023', 'no beginning'),
	($$ 'x', ARRAY['predict:model/m'], description => tok('app') $$, '22023', 'a key as description'),
	($$ 'x', ARRAY['predict:model/m'], tags => ARRAY[tok('app')] $$, '22023', 'a key as tag'),
	($$ 'x', ARRAY['see:orders/' || tok('app')] $$, '22023', 'a key in a scope'),
	($$ 'x', ARRAY['predict:model/' || tok('app')] $$, '22023', 'a key as model of a scope'),
	($$ 'x', ARRAY['predict:model/m'], tags => ARRAY[NULL] $$, '22004', 'NULL as tag')
) r (arguments, code, why);
SET LOCAL smartpouch.max_api_key_lifetime = '1h';
SELECT is(outcome($$ SELECT smartpouch.create_api_key('x', ARRAY['see:a'], expires_in => '61 minutes') $$), '22023', 'the longest time is a setting');
SELECT is(outcome($$ SELECT smartpouch.create_api_key('x', ARRAY['see:a'], expires_in => '59 minutes') $$), 'done', 'within it');
RESET smartpouch.max_api_key_lifetime;

-- verification
SELECT is(code_of('staging'), 'valid', 'a key of staging is good');
SELECT is((SELECT code FROM smartpouch.verify_api_key(t)), code, why)
FROM (VALUES (NULL, 'malformed', 'NULL is no key'), ('', 'malformed', 'nor is nothing'), ('sp_live_', 'malformed', 'nor a beginning'),
	(repeat('x', 100000), 'malformed', 'nor 100 kB'), (tok('app') || '0', 'malformed', 'nor more than one'),
	(overlay(tok('app') PLACING '!' FROM 25), 'malformed', 'nor one with a typing error'),
	('sp_live_4Zk9QmXb27Lp_0123456789ABCDEFGHIJKLMNOPQRSTUV' || '4NSPSG', 'malformed', 'nor one with a wrong check')) v (t, code, why);
-- another secret for the same id, with a right check: as somebody who knows the form would guess
CREATE FUNCTION with_check(body text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
	digits text := '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
	bytes bytea := convert_to(body, 'UTF8');
	crc bigint := 4294967295;
	written text := '';
BEGIN
	FOR i IN 0 .. length(bytes) - 1 LOOP
		crc := crc # get_byte(bytes, i);
		FOR bit IN 1 .. 8 LOOP
			crc := (crc >> 1) # (CASE crc & 1 WHEN 1 THEN 3988292384 ELSE 0 END);
		END LOOP;
	END LOOP;
	crc := crc # 4294967295;
	FOR i IN 1 .. 6 LOOP
		written := substr(digits, (crc % 62)::int + 1, 1) || written;
		crc := crc / 62;
	END LOOP;
	RETURN body || written;
END $$;
SELECT is(with_check(left(tok('app'), 53)), tok('app'), 'the check is the CRC-32 of what is before it');
INSERT INTO token VALUES ('guess', with_check(left(tok('app'), 21) || repeat('0', 32))),
	('nobody', with_check('sp_live_000000000000_' || repeat('0', 32))), ('last', with_check('sp_live_zzzzzzzzzzzz_' || repeat('0', 32))),
	('stage', with_check('sp_test_' || substr(tok('app'), 9, 45)));
SELECT is(code_of('guess'), 'unknown', 'a wrong secret is as unknown');
SELECT is(code_of('nobody'), 'unknown', 'as an id that nobody has');
SELECT is(code_of('last'), 'unknown', 'after all others too');
SELECT is(code_of('stage'), 'unknown', 'or a key with another stage written in it');
SELECT is((SELECT num_nulls(key_id, owner, scopes) FROM smartpouch.verify_api_key(tok('guess'))), 3, 'and nothing is told of it');
SELECT throws_ok($$ SELECT smartpouch.infer(tok('guess'), 'm', '[40, 60]') $$, '28000', 'the API key is not valid', 'infer() refuses it');
SELECT throws_ok($$ SELECT smartpouch.authenticate(tok('guess')) $$, '28000', 'the API key is not valid', 'so does authenticate()');
SELECT throws_ok($$ SELECT smartpouch.infer(NULL, 'm', '[40, 60]') $$, '28000', 'the API key is not valid', 'NULL is not taken for an answer');

-- infer
SELECT is(smartpouch.infer(tok('app'), 'm', '[40, 60]'), smartpouch.predict_json('m', '[40, 60]'), 'infer() answers as predict_json()');
SELECT is(smartpouch.infer(tok('app'), 'm@production', '{"age": 40, "weight": 60}'), smartpouch.predict_json('m', '[40, 60]'), 'its stage by name');
SELECT is(smartpouch.infer(tok('staging'), 'm@staging', '[40, 60]') ->> 'version', '2', 'a key of staging for staging');
SELECT is(smartpouch.infer(tok('wide'), 'm:2', '[40, 60]') ->> 'version', '2', 'a version that is named');
SELECT is(smartpouch.infer(tok('wide'), 'm@champion', '[40, 60]') ->> 'version', '2', 'an alias that is named');
SELECT is(smartpouch.infer(tok('app'), NULL, '[40, 60]'), NULL, 'no model, no answer');
SELECT is(smartpouch.infer(tok('app'), 'm', NULL), NULL, 'no features, no answer');
SELECT is(outcome(format('SELECT smartpouch.infer(tok(%L), %L, %L)', key, model, '[40, 60]')), code, why)
FROM (VALUES
	('app', 'other', '42501', 'another model'),
	('app', 'm@staging', '42501', 'another stage'),
	('staging', 'm', '42501', 'production with a key of staging'),
	('staging', 'm@production', '42501', 'and by name'),
	('app', 'm:1', '42501', 'a version that no scope names'),
	('app', 'm@champion', '42501', 'an alias that no scope names'),
	('wide', 'm:1', '42501', 'another version'),
	('app', 'mm', '42501', 'a longer name'),
	('wide', 'nobody', '42704', 'a model that is not there'),
	('app', 'no model', '22023', 'no reference'),
	('app', 'model/m', '22023', 'a resource in place of a model')
) r (key, model, code, why);
SELECT throws_ok($$ SELECT smartpouch.infer(tok('app'), 'm', '[40]') $$, '22023', NULL, 'the errors of a prediction');

-- a key and its current role are bounded each by itself
SET LOCAL ROLE sp_app;
SELECT is(smartpouch.infer(tok('app'), 'm', '[40, 60]') ->> 'version', '1', 'a role with the level and the privilege');
SELECT throws_ok($$ SELECT smartpouch.infer(tok('wide'), 'other', '[40, 60]') $$, '42501', 'permission denied for model "other"',
	'the role''s own rights are not the key''s');
SELECT throws_ok($$ SELECT smartpouch.create_api_key('x', ARRAY['predict:model/m']) $$, '42501', NULL, 'a predictor makes no keys');
RESET ROLE;

-- infer() alone is enough for an application that goes by keys
CREATE ROLE sp_gateway;
GRANT USAGE ON SCHEMA smartpouch TO sp_gateway;
GRANT EXECUTE ON FUNCTION smartpouch.infer(text, text, jsonb) TO sp_gateway;
SELECT smartpouch.grant_model('m', 'sp_gateway', 'predict') \gset
SET LOCAL ROLE sp_gateway;
SELECT is(outcome($$ SELECT smartpouch.infer(tok('app'), 'm', '[40, 60]') $$) || ' ' || outcome($$ SELECT smartpouch.predict_json('m', '[40, 60]') $$),
	'done 42501', 'a role that may call infer() only predicts with a key and not without');
RESET ROLE;

-- who makes keys without being an administrator makes them within its own rights
GRANT USAGE ON SCHEMA smartpouch TO sp_maker;
GRANT EXECUTE ON FUNCTION smartpouch.create_api_key(text, text[], text, interval, integer, bigint, integer, timestamptz, text, text[]),
	smartpouch.revoke_api_key(text, text), smartpouch.rotate_api_key(text, interval), smartpouch.set_api_key_scopes(text, text[]),
	smartpouch.disable_api_key(text), smartpouch.adopt_api_keys(regrole), smartpouch._api_key_facts(text),
	smartpouch._cluster_id() TO sp_maker;
GRANT SELECT ON smartpouch.api_keys TO sp_maker;
GRANT INSERT ON token TO sp_maker;
SELECT smartpouch.grant_model('m', 'sp_maker', 'predict') \gset
SET LOCAL ROLE sp_maker;
SELECT is(outcome(format('SELECT smartpouch.create_api_key(%L, ARRAY[%L])', 'x', scope)), code, format('made by a role with predict on m: %s', scope))
FROM (VALUES ('predict:model/m', 'done'), ('explain:model/m', 'done'), ('predict:model/*', 'done'), ('see:orders/1', 'done'), ('inspect:model/m', 'done'),
	('predict:model/other', '42501'), ('promote:model/m', '42501'), ('read:model/m', '42501'), ('read:metrics', '42501'), ('read:*', '42501'),
	('run:backup', '42501'), ('run:*', '42501'), ('admin:keys', '42501')) s (scope, code);
INSERT INTO token VALUES ('maker', smartpouch.create_api_key('carol', ARRAY['predict:model/*', 'see:orders/*']));
SELECT is((SELECT count(DISTINCT creator) FROM smartpouch.api_keys), 1::bigint, 'it sees its own keys');
SELECT throws_ok(format('SELECT smartpouch.%s', call), '42501', NULL, 'and changes no other: ' || split_part(call, '(', 1))
FROM unnest(ARRAY['revoke_api_key(id_of(''app''))', 'rotate_api_key(id_of(''app''))', 'disable_api_key(id_of(''app''))',
	'set_api_key_scopes(id_of(''app''), ARRAY[''see:a''])', 'adopt_api_keys()']) call;
SELECT throws_ok($$ SELECT smartpouch.set_api_key_scopes(id_of('maker'), ARRAY['predict:model/other']) $$, '42501', NULL, 'nor widens its own');
RESET ROLE;
SELECT throws_ok($$ SELECT smartpouch.set_api_key_scopes(id_of('maker'), ARRAY['predict:model/other']) $$, '42501', NULL,
	'an administrator does not widen a key over its maker either');
SELECT is(outcome($$ SELECT smartpouch.infer(tok('maker'), 'm', '[40, 60]') $$), 'done', 'what the maker may, the key may');
SELECT is(outcome($$ SELECT smartpouch.infer(tok('maker'), 'other', '[40, 60]') $$), '42501', 'and no more, whatever the wildcard says');
SELECT smartpouch.grant_model('other', 'sp_maker', 'predict') \gset
SELECT is(outcome($$ SELECT smartpouch.infer(tok('maker'), 'other', '[40, 60]') $$), 'done', 'granted to the maker');
SELECT smartpouch.revoke_model('other', 'sp_maker', 'predict') \gset
SELECT is(outcome($$ SELECT smartpouch.infer(tok('maker'), 'other', '[40, 60]') $$), '42501', 'and taken away, at use');
SET LOCAL ROLE sp_monitor;
SELECT cmp_ok((SELECT count(DISTINCT owner) FROM smartpouch.api_keys), '>', 2::bigint, 'who monitors sees all keys');
RESET ROLE;

-- the maker goes; a role of its name comes back
SELECT smartpouch.revoke_model('m', 'sp_maker', 'predict') \gset
REVOKE ALL ON SCHEMA smartpouch FROM sp_maker;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA smartpouch FROM sp_maker;
REVOKE ALL ON smartpouch.api_keys, token FROM sp_maker;
DROP ROLE sp_maker;
SELECT is(code_of('maker'), 'creator', 'a key whose maker is gone is refused');
CREATE ROLE sp_maker SUPERUSER;
SELECT is(code_of('maker'), 'creator', 'also when the name is somebody''s again');
SELECT is((SELECT creator FROM smartpouch.api_keys WHERE key_id = id_of('maker')), NULL, 'the view names nobody');
DROP ROLE sp_maker;

-- times
INSERT INTO token VALUES ('later', smartpouch.create_api_key('dora', ARRAY['see:a'], not_before => now() + '1 hour'));
SELECT is(code_of('later'), 'not_yet_valid', 'before its time');
INSERT INTO token VALUES ('short', smartpouch.create_api_key('dora', ARRAY['see:a'], expires_in => '50 ms'));
SELECT pg_sleep(0.06) \gset
SELECT is(code_of('short'), 'expired', 'after its time, though the transaction began before');
SELECT is((SELECT owner FROM smartpouch.verify_api_key(tok('short'))), 'dora', 'who has the secret is told');
SELECT throws_ok($$ SELECT smartpouch.authenticate(tok('short')) $$, '28000', 'the API key is not valid', 'to others an error is an error');
SELECT throws_ok($$ SELECT smartpouch.rotate_api_key(id_of('short')) $$, '55000', NULL, 'and it is not rotated');

-- disabling
SELECT smartpouch.disable_api_key(id_of('app')) \gset
SELECT is(code_of('app'), 'disabled', 'disabled');
SELECT smartpouch.disable_api_key(id_of('app')), smartpouch.enable_api_key(id_of('app')) \gset
SELECT is(code_of('app'), 'valid', 'enabled again');

-- scopes
SELECT smartpouch.set_api_key_scopes(id_of('app'), ARRAY['predict:model/other']) \gset
SELECT is(outcome($$ SELECT smartpouch.infer(tok('app'), 'm', '[40, 60]') $$), '42501', 'other scopes hold at once');
SELECT is(outcome($$ SELECT smartpouch.infer(tok('app'), 'other', '[40, 60]') $$), 'done', 'both ways');
SELECT is(outcome(format('SELECT smartpouch.set_api_key_scopes(id_of(%L), %s)', 'app', scopes)), code, why)
FROM (VALUES ('NULL', '22004', 'NULL'), ('''{}''', '22023', 'none'), ('ARRAY[''predict:model/m@staging'']', '22023', 'of another stage')) s (scopes, code, why);
SELECT smartpouch.set_api_key_scopes(id_of('app'), ARRAY['predict:model/m']) \gset

-- rotation
INSERT INTO token VALUES ('app2', smartpouch.rotate_api_key(id_of('app'), '1 hour'));
SELECT is(code_of('app') || ' ' || code_of('app2'), 'valid valid', 'both are good in the time of grace');
SELECT results_eq($$ SELECT n.owner, n.stage, n.scopes, n.description, n.tags, n.chain, n.expires_at - n.created_at, o.replaced_by FROM smartpouch.api_keys n, smartpouch.api_keys o
	WHERE n.key_id = id_of('app2') AND o.key_id = id_of('app') $$,
	$$ VALUES ('alice', 'production', ARRAY['predict:model/m'], 'first', ARRAY['a', 'b'], id_of('app'), interval '90 days', id_of('app2')) $$, 'the new one is as the old one');
SELECT throws_ok($$ SELECT smartpouch.rotate_api_key(id_of('app')) $$, '55000', NULL, 'the newest is rotated, no other');
SELECT throws_ok($$ SELECT smartpouch.rotate_api_key(id_of('app2'), '-1 s') $$, '22023', NULL, 'grace is not negative');
SELECT throws_ok($$ SELECT smartpouch.rotate_api_key(id_of('app2'), NULL) $$, '22004', NULL, 'nor NULL');
INSERT INTO token VALUES ('app3', smartpouch.rotate_api_key(id_of('app2'), '1 hour'));
SELECT is(code_of('app') || ' ' || code_of('app2') || ' ' || code_of('app3'), 'expired valid valid', 'two of a chain are good at most');
INSERT INTO token VALUES ('app4', smartpouch.rotate_api_key(id_of('app3'), '0'));
SELECT is(code_of('app2') || ' ' || code_of('app3') || ' ' || code_of('app4'), 'expired expired valid', 'without grace at once');
SELECT is(outcome($$ SELECT smartpouch.infer(tok('app4'), 'm', '[40, 60]') $$), 'done', 'and the newest works');
SELECT ok((SELECT expires_at <= clock_timestamp() + '90 days' FROM smartpouch.api_keys WHERE key_id = id_of('app4')), 'no longer than the first was made for');

-- revoking
SELECT throws_ok($$ SELECT smartpouch.revoke_api_key(tok('app4')) $$, '42704', 'there is no API key with that id', 'a key is no id, and not in the message');
SELECT throws_ok($$ SELECT smartpouch.revoke_api_key('000000000000') $$, '42704', 'there is no API key with that id', 'nor is an id of nobody');
SELECT throws_ok($$ SELECT smartpouch.revoke_api_key(NULL) $$, '22004', NULL, 'nor NULL');
SELECT throws_ok($$ SELECT smartpouch.revoke_api_key(id_of('app4'), tok('app4')) $$, '22023', NULL, 'a key is no reason');
SELECT smartpouch.revoke_api_key(id_of('app4'), 'lost') \gset
SELECT is(code_of('app4'), 'revoked', 'revoked');
SELECT results_eq($$ SELECT revoke_reason, revoked_at IS NOT NULL, code FROM smartpouch.api_keys WHERE key_id = id_of('app4') $$, $$ VALUES ('lost', true, 'revoked') $$, 'the view says why');
SELECT throws_ok($$ SELECT smartpouch.enable_api_key(id_of('app4')) $$, '55000', NULL, 'for good');
SELECT throws_ok($$ SELECT smartpouch.rotate_api_key(id_of('app4')) $$, '55000', NULL, 'and not rotated');
SELECT is(outcome($$ SELECT smartpouch.revoke_api_key(id_of('app4')) $$), 'done', 'once more does no harm');

-- another database or cluster
UPDATE smartpouch.api_key SET database_oid = 1 WHERE id = id_of('wide');
UPDATE smartpouch.api_key SET cluster_id = 'elsewhere', creator_cluster = 'elsewhere' WHERE id = id_of('staging');
SELECT is(code_of('wide') || ' ' || code_of('staging'), 'foreign foreign', 'keys from elsewhere');
SELECT results_eq($$ SELECT h #>> '{checks,keys:adoption,0,status}', h #>> '{checks,keys:adoption,0,observedValue}', h ->> 'status' FROM smartpouch.health() h $$,
	$$ VALUES ('fail', '2', 'fail') $$, 'health() fails while they wait');
SELECT throws_ok($$ SELECT smartpouch.rotate_api_key(id_of('wide')) $$, '55000', NULL, 'they are not rotated');
SET LOCAL ROLE sp_monitor;
SELECT throws_ok($$ SELECT smartpouch.adopt_api_keys() $$, '42501', NULL, 'adoption is for administrators');
RESET ROLE;
SELECT is(smartpouch.adopt_api_keys('sp_app'), 2, 'two are adopted');
SELECT is(code_of('wide') || ' ' || code_of('staging'), 'valid valid', 'and good');
SELECT is((SELECT string_agg(creator::text, ' ' ORDER BY owner) FROM smartpouch.api_keys WHERE key_id IN (id_of('wide'), id_of('staging'))),
	'sp_app ' || current_user, 'the one without a maker here got one');
SELECT is((SELECT count(*) FROM smartpouch.audit_event WHERE action = 'adopt'), 2::bigint, 'the audit has both');
SELECT is(smartpouch.adopt_api_keys(), 0, 'then there is none to adopt');
SELECT is(smartpouch.health() #>> '{checks,keys:adoption,0,status}', 'pass', 'and health() is content');
SELECT throws_ok($$ SELECT smartpouch.adopt_api_keys(4294967295::oid::regrole) $$, '42704', NULL, 'a maker that is not there');

-- what a transaction with a key does to models is in their history, with the key
SAVEPOINT identity;
SELECT smartpouch.authenticate(tok('wide')) \gset
SELECT smartpouch.authorize('promote', 'model/m'), smartpouch.promote('m', 2, 'production') \gset
SELECT is((SELECT api_key_id FROM smartpouch.history WHERE model = 'm' ORDER BY seq DESC LIMIT 1), id_of('wide'), 'a promotion has the key in the history');
SELECT is((SELECT string_agg(r::text, ' ' ORDER BY o) FROM (SELECT o, smartpouch.has_permission(action, resource) AS r FROM (VALUES
	(1, 'predict', 'model/m'), (2, 'promote', 'model/m'), (3, 'promote', 'model/other'), (4, 'see', 'orders/7'), (5, 'see', 'orders/7/8'), (6, 'see', 'orders/*'),
	(7, 'read', 'metrics'), (8, 'predict', 'model/nobody'), (9, '', ''), (10, 'predict', 'model/m@staging'), (11, 'predict', 'model/m:2'), (12, 'predict', repeat('model/m', 2000))) v (o, action, resource)) x),
	'true true false true false false true false false false true false', 'has_permission() by scopes, models that there are, and the form of requests');
SELECT throws_ok($$ SELECT smartpouch.authorize('see', 'customers/7') $$, '42501', format('permission denied for API key "%s"', id_of('wide')), 'authorize() raises, and repeats nothing');
\i hint_of.inc
SELECT alike(pg_temp.hint_of($$ SELECT smartpouch.authorize('see', 'customers/7') $$), '%predict:model/motion%', 'and says how a scope is written');
SELECT throws_ok($$ SELECT smartpouch.authorize(NULL, 'x') $$, '22004', NULL, 'NULL is no action');
SELECT is(smartpouch.has_permission(NULL, 'x'), NULL, 'nor is it for has_permission()');
SELECT throws_ok($$ SELECT smartpouch.authenticate(tok('staging')) $$, '28000', 'this transaction is authenticated with another API key', 'one key a transaction');
ROLLBACK TO SAVEPOINT identity;
SELECT throws_ok($$ SELECT smartpouch.authorize('see', 'orders/7') $$, '28000', NULL, 'no key, nothing is authorized');
SELECT is(smartpouch.has_permission('see', 'orders/7'), false, 'has_permission() says so without an error');

-- the audit
SELECT bag_eq($$ SELECT DISTINCT action FROM smartpouch.audit_event WHERE key_id IS NOT NULL AND action IN ('create', 'rotate', 'revoke', 'enable', 'disable', 'scope', 'adopt') $$,
	$$ SELECT unnest(ARRAY['create', 'rotate', 'revoke', 'enable', 'disable', 'scope', 'adopt']) $$, 'has all that happened');
SELECT results_eq($$ SELECT detail FROM smartpouch.audit_event WHERE action = 'scope' ORDER BY id LIMIT 1 $$,
	$$ VALUES ('{"before": ["predict:model/m"], "after": ["predict:model/other"]}'::jsonb) $$, 'with what was before and after');
SELECT is((SELECT count(*) FROM smartpouch.audit_event e, smartpouch.api_key k WHERE to_jsonb(e)::text LIKE '%' || right(k.hash::text, 20) || '%'), 0::bigint, 'without hashes');

-- rows that are gone are nobody's, be it the last one
DELETE FROM smartpouch.api_key WHERE id <> id_of('wide');
SELECT is(code_of('wide') || ' ' || code_of('app4') || ' ' || code_of('last'), 'valid unknown unknown', 'one row is left');
DELETE FROM smartpouch.api_key;
SELECT is(code_of('wide') || ' ' || code_of('last') || ' ' || code_of('nobody'), 'unknown unknown unknown', 'and none');
SELECT is(smartpouch.health() #>> '{checks,keys:adoption,0,observedValue}', '0', 'health() counts what is there');
INSERT INTO token VALUES ('new', smartpouch.create_api_key('eve', ARRAY['see:a']));
SELECT is(code_of('new') || ' ' || code_of('wide'), 'valid unknown', 'then there is another one');

SELECT * FROM finish();
ROLLBACK;
