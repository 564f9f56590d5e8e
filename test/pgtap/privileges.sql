-- Who may do what. Nothing is granted to PUBLIC, and owners are owners.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(31);
\i tiny.inc

CREATE ROLE sp_alice;
CREATE ROLE sp_bob;
CREATE ROLE sp_team;
GRANT sp_team TO sp_alice, sp_bob;

-- nothing to PUBLIC
SELECT is_empty(
	$$ SELECT p.oid::regprocedure FROM pg_proc p
	   WHERE pronamespace = 'smartpouch'::regnamespace
	   AND has_function_privilege('sp_alice', p.oid, 'EXECUTE') $$,
	'a role without grants may execute nothing');
SELECT is_empty(
	$$ SELECT c.oid::regclass FROM pg_class c
	   WHERE relnamespace = 'smartpouch'::regnamespace AND relkind IN ('r', 'v', 'S')
	   AND (CASE relkind WHEN 'S' THEN has_sequence_privilege('sp_alice', c.oid, 'USAGE, SELECT, UPDATE')
		ELSE has_table_privilege('sp_alice', c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') END) $$,
	'a role without grants reaches no table, view or sequence');
SELECT ok(NOT has_schema_privilege('sp_alice', 'smartpouch', 'USAGE'), 'nor the schema');

-- catalog rules that every function keeps
SELECT is_empty(
	$$ SELECT p.oid::regprocedure FROM pg_proc p
	   WHERE pronamespace = 'smartpouch'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL $$,
	'every function has a comment');
SELECT is_empty(
	$$ SELECT c.oid::regclass FROM pg_class c
	   WHERE relnamespace = 'smartpouch'::regnamespace AND relkind IN ('r', 'v')
	   AND obj_description(c.oid, 'pg_class') IS NULL $$,
	'every table and view has a comment');
SELECT is_empty(
	$$ SELECT p.oid::regprocedure FROM pg_proc p
	   WHERE pronamespace = 'smartpouch'::regnamespace AND prosecdef
	   AND NOT coalesce(proconfig::text LIKE '%pg_temp%', false) $$,
	'no SECURITY DEFINER function without a fixed search_path');
SELECT is_empty(
	$$ SELECT p.oid::regprocedure FROM pg_proc p
	   WHERE pronamespace = 'smartpouch'::regnamespace AND proname LIKE 'predict%'
	   AND NOT (provolatile = 's' AND proparallel = 's' AND proisstrict) $$,
	'predictions are STABLE, STRICT and PARALLEL SAFE');
SELECT is_empty(
	$$ SELECT c.oid::regclass FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
	   JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'smartpouch'
	   WHERE c.relkind = 'r' AND c.relname NOT LIKE 'upload%' AND c.relname NOT IN ('cluster', 'backup') AND NOT c.oid = ANY (e.extconfig) $$,
	'every table but those of uploads, of backups, of counters and of the cluster''s name is marked for pg_dump');
SELECT is_empty(
	$$ SELECT tgrelid::regclass, tgname FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
	   WHERE relnamespace = 'smartpouch'::regnamespace AND NOT tgisinternal AND tgenabled <> 'A' $$,
	'every trigger is ENABLE ALWAYS');

GRANT USAGE ON SCHEMA smartpouch TO sp_alice, sp_bob;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO sp_alice, sp_bob;
GRANT SELECT ON tiny TO sp_alice, sp_bob;

-- alice makes a model; writing goes through functions only
SET ROLE sp_alice;
SELECT is(smartpouch.import_model('m', artifact), 1, 'alice imports') FROM tiny WHERE name = 'regression';
SELECT lives_ok($$ SELECT smartpouch.promote('m', 1, 'production') $$, 'and promotes her model');
SELECT is(smartpouch.predict('m', ARRAY[40, 60]), 1.75::float8, 'and predicts');
SELECT is(smartpouch.model_artifact('m'), artifact, 'and reads the file') FROM tiny WHERE name = 'regression';
SELECT throws_ok($$ SELECT * FROM smartpouch.model $$, '42501', NULL, 'but does not read the tables');
SELECT throws_ok($$ INSERT INTO smartpouch.event SELECT $$, '42501', NULL, 'nor write them');
SELECT is(current_user::text, 'sp_alice', 'and is still herself');

-- bob may predict, and no more
SELECT smartpouch.grant_model('m', 'sp_bob', 'predict') \gset
SET ROLE sp_bob;
SELECT is(smartpouch.predict('m', ARRAY[40, 60]), 1.75::float8, 'bob predicts');
SELECT throws_ok($$ SELECT smartpouch.model_artifact('m') $$, '42501', 'permission denied for model "m"', 'bob does not read the file');
SELECT throws_ok($$ SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression' $$,
	'42501', 'must be owner of model "m"', 'bob adds no version');
SELECT throws_ok($$ SELECT smartpouch.promote('m', 1, 'staging') $$, '42501', 'permission denied for model "m"', 'bob does not promote');
SELECT throws_ok($$ SELECT smartpouch.rename_model('m', 'mine') $$, '42501', 'must be owner of model "m"', 'nor rename');
SELECT throws_ok($$ SELECT smartpouch.set_alias('m', 'a', 1) $$, '42501', 'permission denied for model "m"', 'nor name versions');
SELECT throws_ok($$ SELECT smartpouch.set_owner('m', 'sp_bob') $$, '42501', 'must be owner of model "m"', 'nor take it');

-- uploads belong to who began them
SET ROLE sp_alice;
SELECT set_config('test.upload', smartpouch.upload_begin('m')::text, true) IS NOT NULL AS begun \gset
SET ROLE sp_bob;
SELECT throws_ok($$ SELECT smartpouch.upload_chunk(current_setting('test.upload')::bigint, 1, 'x') $$,
	'42704', NULL, 'bob adds nothing to the upload of alice');

-- a model can be given to a role that the giver is a member of
SET ROLE sp_alice;
SELECT throws_ok($$ SELECT smartpouch.set_owner('m', 'sp_bob') $$, '42501', NULL, 'alice gives nothing to strangers');
SELECT lives_ok($$ SELECT smartpouch.set_owner('m', 'sp_team') $$, 'but to her team');
SET ROLE sp_bob;
SELECT lives_ok($$ SELECT smartpouch.promote('m', 1, 'staging') $$, 'of which bob is a member');

-- a search_path or operator of the caller is not found while the owner writes
CREATE TEMP TABLE model (id integer);
SET search_path = pg_temp, public, smartpouch;
SELECT is(smartpouch.import_model('mine', artifact), 1, 'a hostile search_path changes nothing')
FROM public.tiny WHERE name = 'regression';
RESET search_path;

-- a role is more than its name
RESET ROLE;
UPDATE smartpouch.model SET owner_cluster = '1' WHERE name = 'mine';
SET ROLE sp_bob;
SELECT throws_ok($$ SELECT smartpouch.promote('mine', 1, 'staging') $$, '42501', NULL,
	'an owner of another cluster is nobody here');
RESET ROLE;
SELECT lives_ok($$ SELECT smartpouch.set_owner('mine', 'sp_bob') $$, 'a superuser gives it back');
SET ROLE sp_bob;
SELECT lives_ok($$ SELECT smartpouch.promote('mine', 1, 'staging') $$, 'and it is his again');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
