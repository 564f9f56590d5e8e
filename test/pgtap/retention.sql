-- Retention: old events go and the chain stays whole; versions that nothing serves go.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(30);
\i tiny.inc
SELECT count(smartpouch.import_model('m', artifact)) AS done FROM tiny, generate_series(1, 4) WHERE name = 'regression' \gset
SELECT smartpouch.promote('m', 1, 'production') \gset
SELECT smartpouch.promote('m', 2, 'production') \gset
SELECT smartpouch.promote('m', 2, 'staging') \gset
SELECT smartpouch.set_alias('m', 'best', 4) \gset
-- 1-4 import, 5 and 6 production, 7 staging, 8 alias

SELECT is(smartpouch.expire_history('m'), 0::bigint, 'nothing is old');
SELECT is(smartpouch.expire_history('m', '-1 day'), 5::bigint, 'what would go stops before what a stage serves');
SELECT is((SELECT count(*)::int FROM smartpouch.event), 8, 'and is only counted');
SELECT throws_ok($$ DELETE FROM smartpouch.event WHERE seq = 1 $$, '55000', 'rows of table "event" never change');
SELECT is(smartpouch.expire_history('m', '-1 day', false), 5::bigint, 'now they go');
SELECT results_eq($$ SELECT seq FROM smartpouch.event ORDER BY seq $$, $$ VALUES (6::bigint), (7), (8), (9) $$, 'these');
SELECT results_eq($$ SELECT action, detail FROM smartpouch.event WHERE seq = 9 $$,
	$$ VALUES ('expire_history', 'events up to 5') $$, 'that they went is an event');
SELECT is_empty($$ SELECT * FROM smartpouch.verify_history('m') $$, 'the chain is whole');
SELECT is((smartpouch.serving_at('m', 'production', clock_timestamp())).version, 2, 'what serves is still known');
SELECT throws_ok($$ DELETE FROM smartpouch.event WHERE seq = 6 $$, '55000', NULL, 'later events stay');
SELECT throws_ok($$ UPDATE smartpouch.event SET note = 'x' $$, '55000', NULL, 'unchanged');
SELECT is(smartpouch.expire_history('m', '-1 day', false), 0::bigint, 'once');
SELECT lives_ok($$ SELECT smartpouch.promote('m', 3, 'production') $$, 'the history goes on');
SELECT lives_ok($$ SELECT smartpouch.promote('m', 3, 'staging') $$, 'and on');
SELECT is(smartpouch.expire_history('m', '-1 day', false), 4::bigint, 'a second time');
SELECT is_empty($$ SELECT * FROM smartpouch.verify_history('m') $$, 'the chain is whole again');

-- tampering
UPDATE smartpouch.event_head SET seq = seq + 1;
SELECT isnt_empty($$ SELECT * FROM smartpouch.verify_history('m') $$, 'a head that was moved is noticed');
UPDATE smartpouch.event_head SET seq = seq - 1, hash = sha256(hash);
SELECT isnt_empty($$ SELECT * FROM smartpouch.verify_history('m') $$, 'and one with another hash');
DELETE FROM smartpouch.event_head;
SELECT isnt_empty($$ SELECT * FROM smartpouch.verify_history('m') $$, 'and one that is gone');

-- versions
SELECT count(smartpouch.import_model('v', artifact)) AS done FROM tiny, generate_series(1, 6) WHERE name = 'regression' \gset
SELECT smartpouch.promote('v', 1, 'production') \gset
SELECT smartpouch.set_alias('v', 'best', 2) \gset
SELECT smartpouch.promote('v', 3, 'staging') \gset
SELECT smartpouch.promote('v', 4, 'staging') \gset
SELECT is_empty($$ SELECT FROM smartpouch.expire_versions('v', keep => 0) $$, 'nothing is old');
SELECT results_eq($$ SELECT version FROM smartpouch.expire_versions('v', '-1 day', keep => 1) $$, $$ VALUES (5) $$,
	'neither what serves, nor what a rollback may bring back, nor an alias, nor the newest');
SELECT is((SELECT count(*)::int FROM smartpouch.versions WHERE model = 'v'), 6, 'they are only listed');
SELECT throws_ok($$ SELECT smartpouch.expire_versions('v', keep => -1) $$, '22023', NULL, 'no negative number');
SELECT throws_ok($$ SELECT smartpouch.expire_versions('v', keep => NULL) $$, '22004', NULL, 'nor none');
SELECT throws_ok($$ SELECT smartpouch.expire_versions('nobody') $$, '42704', NULL, 'an unknown model');
SELECT results_eq($$ SELECT version FROM smartpouch.expire_versions('v', '0', keep => 0, dry_run => false) $$,
	$$ SELECT 5 WHERE false $$, 'used now is not before now');
SELECT smartpouch.drop_alias('v', 'best') \gset
SELECT is_empty($$ SELECT FROM smartpouch.expire_versions('v', '0') $$, 'the newest five stay by themselves');

-- of all models the caller drops his own
CREATE ROLE sp_lee;
SELECT smartpouch.grant_access('sp_lee', 'deployer'), smartpouch.grant_model('v', 'sp_lee', 'predict') \gset
GRANT SELECT ON tiny TO sp_lee;
SET LOCAL ROLE sp_lee;
SELECT count(smartpouch.import_model('his', artifact)) AS done FROM tiny, generate_series(1, 2) WHERE name = 'regression' \gset
SELECT throws_ok($$ SELECT FROM smartpouch.expire_versions('v', '-1 day', 0, false) $$, '42501', 'must be owner of model "v"');
SELECT results_eq($$ SELECT model_name, version FROM smartpouch.expire_versions(NULL, '-1 day', 1, false) $$, $$ VALUES ('his', 1) $$, 'his own go');
RESET ROLE;
SELECT is((SELECT count(*)::int FROM smartpouch.versions WHERE model = 'v'), 6, 'those of others stay');
SELECT * FROM finish();
ROLLBACK;
