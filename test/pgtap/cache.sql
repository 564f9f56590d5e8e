-- What a session keeps of the registry is never older than the registry.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(22);
\i tiny.inc

CREATE FUNCTION based(base text) RETURNS bytea LANGUAGE sql AS $$
	SELECT convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', base), 'UTF8')
	FROM tiny WHERE name = 'regression' $$;
-- answers: 1.25 + base
SELECT smartpouch.import_model('m', based('1')), smartpouch.import_model('m', based('2')),
	smartpouch.promote('m', 1, 'production') IS NULL AS done \gset
CREATE FUNCTION answer() RETURNS double precision LANGUAGE sql STABLE AS $$ SELECT smartpouch.predict('m', ARRAY[40, 60]) $$;

SELECT is(answer(), 2.25::float8, 'version 1 serves');
SELECT smartpouch.promote('m', 2, 'production') \gset
SELECT is(answer(), 3.25::float8, 'a promotion is seen by the next statement');

-- whatever way a row came
UPDATE smartpouch.deployment SET version = 1;
SELECT is(answer(), 2.25::float8, 'a superuser''s UPDATE is seen');
SET LOCAL session_replication_role = replica;
UPDATE smartpouch.deployment SET version = 2;
SELECT is(answer(), 3.25::float8, 'as replication writes it, too');
SET LOCAL session_replication_role = origin;
CREATE TEMP TABLE kept AS SELECT * FROM smartpouch.deployment;
TRUNCATE smartpouch.deployment;
SELECT throws_ok('SELECT answer()', '55000', NULL, 'TRUNCATE is seen');
INSERT INTO smartpouch.deployment SELECT * FROM kept;
SELECT is(answer(), 3.25::float8, 'and INSERT');
SELECT smartpouch.rename_model('m', 'other') \gset
SELECT throws_ok('SELECT answer()', '42704', NULL, 'a rename is seen');
SELECT smartpouch.rename_model('other', 'm') \gset

-- call sites that live long
CREATE FUNCTION several() RETURNS double precision[] LANGUAGE plpgsql AS $$
DECLARE
	answers double precision[] := '{}';
BEGIN
	FOR i IN 1 .. 4 LOOP
		PERFORM smartpouch.promote('m', 1 + i % 2, 'production');
		answers := answers || smartpouch.predict('m', ARRAY[40, 60]);
	END LOOP;
	RETURN answers;
END $$;
SELECT is(several(), '{3.25,2.25,3.25,2.25}'::float8[], 'one call site in a loop follows promotions');

-- a statement keeps one version, though it promotes on its way
SELECT is((SELECT array_agg(DISTINCT smartpouch.predict('m', ARRAY[40, 60] || ARRAY[]::integer[]))
	FROM generate_series(1, 3) i, LATERAL (SELECT smartpouch.promote('m', 1 + i % 2, 'production') OFFSET 0) p),
	'{2.25}'::float8[], 'one version a statement');

CREATE FUNCTION promoted_answer() RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
	PERFORM smartpouch.promote('m', 2, 'production');
	RETURN smartpouch.predict('m', ARRAY[40, 60]);
END $$;
SELECT smartpouch.promote('m', 1, 'production') \gset
SELECT results_eq('SELECT smartpouch.predict(''m'', ARRAY[40, 60 + 0 * i]), promoted_answer() FROM generate_series(1, 3) i',
	'VALUES (2.25::float8, 3.25::float8), (2.25, 3.25), (2.25, 3.25)',
	'whatever functions with newer snapshots do in between');
SELECT smartpouch.promote('m', 1, 'production') \gset
DECLARE c CURSOR FOR SELECT smartpouch.predict('m', ARRAY[40, 60 + 0 * i]) FROM generate_series(1, 3) i;
FETCH 1 FROM c \gset first_
SELECT smartpouch.promote('m', 2, 'production') \gset
SELECT is(answer(), 3.25::float8, 'a promotion while a cursor is open');
FETCH 1 FROM c \gset second_
CLOSE c;
SELECT is(:first_predict + :second_predict, 4.50, 'the cursor keeps the version it began with');

-- subtransactions
SELECT smartpouch.promote('m', 1, 'production') \gset
SAVEPOINT s;
SELECT smartpouch.promote('m', 2, 'production') \gset
SELECT is(answer(), 3.25::float8, 'inside a subtransaction');
ROLLBACK TO s;
SELECT is(answer(), 2.25::float8, 'and after it was rolled back');

-- health sees what would break this
SELECT isnt(smartpouch.health() ->> 'status', 'fail', 'healthy');
ALTER TABLE smartpouch.deployment ENABLE TRIGGER registry_changed;
SELECT is(smartpouch.health() ->> 'status', 'fail', 'a trigger that is not ENABLE ALWAYS is a failed check');
SELECT is(smartpouch.repair_triggers(), 1, 'which repair_triggers() mends');
SELECT isnt(smartpouch.health() ->> 'status', 'fail', 'healthy again');
ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change;
UPDATE smartpouch.blob SET bytes = set_byte(bytes, 10, get_byte(bytes, 10) # 1)
WHERE sha256 = (SELECT sha256 FROM smartpouch.versions WHERE version = 1);
SELECT alike(smartpouch.health() -> 'checks' -> 'models:ready' -> 0 ->> 'output', '%damaged%',
	'damaged bytes are a failed check, not an error');
SELECT smartpouch.import_model('m', based('1')) \gset
SELECT is(smartpouch.health() #>> '{checks,models:ready,0,status}', 'pass', 'which importing the file again mends');
ALTER TABLE smartpouch.event DISABLE TRIGGER refuse_change;
SELECT is(smartpouch.health() #>> '{checks,registry:triggers,0,observedValue}', '2', 'triggers that refuse changes are looked at, too');
DELETE FROM smartpouch.version WHERE version = (SELECT version FROM smartpouch.deployments WHERE stage = 'production');
SELECT is(smartpouch.health() #>> '{checks,models:ready,0,status}', 'fail', 'a stage that leads nowhere is a failed check');

SELECT * FROM finish();
ROLLBACK;
