-- Every function with arguments that nobody should give: an error that is meant
-- for callers, never one from inside, and no part of an argument is ever run.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(17);
\i tiny.inc
SELECT count(smartpouch.import_model('m', artifact)) AS done FROM tiny, generate_series(1, 3) WHERE name = 'regression' \gset
SELECT smartpouch.promote('m', 1, 'production'), smartpouch.promote('m', 2, 'production') \gset
CREATE ROLE sp_h;

CREATE TABLE value (type text, written text, usual boolean);
INSERT INTO value
SELECT type, quote_nullable(written) || '::' || type, usual FROM (VALUES
	('text', NULL, false), ('text', 'm', true), ('text', 'm:1', true), ('text', 'production', true), ('text', '', false), ('text', repeat('x', 10240), false),
	('text', 'mоdel', false), ('text', 'm''; DROP TABLE smartpouch.model; --', false), ('text', 'm"@x', false), ('text', E'm\n', false),
	('text', 'm:99999999999999999999', false), ('text', 'm:-1', false), ('text', 'm:0', false), ('text', 'm@', false), ('text', '@m', false), ('text', ':1', false),
	('text', 'm@production@x', false), ('text', '%s%n%1$s', false), ('text', U&'\202Em', false), ('text', 'M', false), ('text', 'production ', false),
	('text', 'predict', true), ('text', 'monitor', true), ('text', '$1', false), ('text', '\', false),
	('integer', NULL, false), ('integer', '1', true), ('integer', '0', false), ('integer', '-1', false), ('integer', '2147483647', false), ('integer', '-2147483648', false),
	('bigint', NULL, false), ('bigint', '1', true), ('bigint', '0', false), ('bigint', '9223372036854775807', false), ('bigint', '-9223372036854775808', false),
	('double precision', NULL, false), ('double precision', '10', true), ('double precision', 'NaN', false), ('double precision', '-Infinity', false), ('double precision', '1e308', false),
	('numeric', NULL, false), ('numeric', '1', true), ('numeric', 'NaN', false),
	('boolean', NULL, false), ('boolean', 'true', true),
	('bytea', NULL, false), ('bytea', '', false), ('bytea', '\x00', false), ('bytea', repeat('x', 100000), false), ('bytea', sha256('x')::text, true),
	('jsonb', NULL, false), ('jsonb', '{}', true), ('jsonb', '[]', false), ('jsonb', 'null', false), ('jsonb', '1e400', false), ('jsonb', '[40, 60]', true),
	('jsonb', '{"value": 1, "golden": 1, "age": 40}', true), ('jsonb', '{"a":' || repeat('[', 2000) || repeat(']', 2000) || '}', false),
	('text[]', NULL, false), ('text[]', '{}', false), ('text[]', '{NULL}', false), ('text[]', '{{a,b},{c,d}}', false), ('text[]', '{production,x''y}', false), ('text[]', '{staging,production}', true),
	('text[]', '[0:1]={a,production}', false), ('double precision[]', NULL, false), ('double precision[]', '{}', false), ('double precision[]', '{NULL,NaN}', true),
	('bigint[]', NULL, false), ('bigint[]', '{}', false), ('bigint[]', '{1,-2}', true),
	('interval', NULL, false), ('interval', '1 day', true), ('interval', '-100000 years', false), ('interval', '178000000 years', false),
	('timestamp with time zone', NULL, false), ('timestamp with time zone', 'now', true), ('timestamp with time zone', 'infinity', true), ('timestamp with time zone', '-infinity', true),
	('regrole', NULL, false), ('regrole', 'sp_h', true), ('regrole', '0', false), ('regrole', '4294967295', false),
	('regclass', NULL, false), ('regclass', 'pg_class', true), ('oid', NULL, false), ('oid', '0', true), ('oid', '4294967295', false),
	('name', NULL, false), ('name', 'sp_h', true), ('name', 'x"y', false), ('uuid', NULL, false), ('uuid', '00000000-0000-0000-0000-000000000000', true),
	('inet', NULL, false), ('inet', '10.0.0.1', true), ('smallint', NULL, false), ('smallint', '1', true), ('real', NULL, false), ('real', '1', true)
) v (type, written, usual)
UNION ALL VALUES ('anyelement', 'ARRAY[40, 60]', true), ('anyelement', 'NULL::integer', false), ('anyelement', '''{}''::integer[]', false), ('anyelement', 'ROW()', false),
	('anyelement', '''x''::text', false), ('anyelement', '''{{1}}''::integer[]', false), ('anyelement', '''{"age": {}}''::jsonb', false),
	('anyarray', 'ARRAY[[40, 60]]', true), ('anyarray', 'NULL::integer[]', false), ('anyarray', '''{}''::text[]', false), ('anyarray', '''{{{1}}}''::integer[]', false);

-- What a call comes to; nothing of it stays.
CREATE FUNCTION outcome(call text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE call;
	RAISE EXCEPTION 'undone' USING ERRCODE = 'ZZ001';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT setseed(0.3) \gset
-- each value in each place, among usual ones and among any
CREATE TABLE call AS
SELECT f.proname AS function, format('SELECT * FROM smartpouch.%I(%s)', f.proname, string_agg(chosen.written, ', ' ORDER BY a.place)) AS call
FROM (SELECT p.oid, p.proname, p.proargtypes::oid[] AS types FROM pg_proc p WHERE pronamespace = 'smartpouch'::regnamespace AND prokind = 'f'
		AND prorettype NOT IN ('trigger'::regtype, 'internal'::regtype) AND proname !~ '^_') f
	CROSS JOIN LATERAL generate_series(1, cardinality(f.types)) AS hostile (place)
	JOIN value ON value.type = format_type(f.types[hostile.place - 1], NULL)
	CROSS JOIN generate_series(1, 3) AS turn
	CROSS JOIN LATERAL unnest(f.types) WITH ORDINALITY AS a (type, place)
	CROSS JOIN LATERAL (SELECT CASE WHEN a.place = hostile.place THEN value.written ELSE
		(SELECT w.written FROM value w WHERE w.type = format_type(a.type, NULL) AND (w.usual OR turn = 3) AND hostile.place > 0 ORDER BY random() LIMIT 1) END AS written) chosen
GROUP BY f.oid, f.proname, hostile.place, value.written, turn;
SELECT is_empty($$ SELECT call FROM call WHERE call IS NULL $$, 'every argument has a value');
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'smartpouch'::regnamespace AND prokind = 'f' AND proname !~ '^_'
	AND pronargs > 0 AND prorettype <> 'trigger'::regtype AND proname NOT IN (SELECT function FROM call) $$, 'every function is called');
CREATE TABLE result AS SELECT function, call, outcome(call) FROM call;
SELECT is((SELECT string_agg(left(call, 150) || ': ' || outcome, E'\n') FROM (SELECT DISTINCT ON (function) * FROM result
	WHERE outcome ~ '^(XX|P0|23|42883|42P|428|42702|42703|21|24|26|38|39|57|58)' ORDER BY function) r), NULL, 'no error comes from inside');
SELECT is((SELECT string_agg(left(call, 150) || ': ' || outcome, E'\n') FROM result
	WHERE outcome ~ '^42601' AND function NOT IN ('evaluate', 'set_baseline')), NULL, 'nothing of an argument is read as SQL but a query');
SELECT is((SELECT count(*) FROM smartpouch.models), 1::bigint, 'and all is there');

-- what changes something does not pass a NULL over in silence: it is no revocation
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_language l ON l.oid = prolang WHERE pronamespace = 'smartpouch'::regnamespace
	AND lanname = 'c' AND provolatile = 'v' AND proisstrict AND prorettype IN ('void'::regtype, 'integer'::regtype) AND pronargs > 0 AND proname !~ '^_' $$,
	'no function that changes something is STRICT');
SELECT is((SELECT string_agg(DISTINCT outcome(format('SELECT smartpouch.%s', c)), E'\n') FROM unnest(ARRAY['revoke_model(NULL, ''sp_h'', ''predict'')',
	'revoke_model(''m'', NULL, ''predict'')', 'revoke_model(''m'', ''sp_h'', NULL)', 'revoke_access(NULL, ''monitor'')', 'revoke_access(''sp_h'', NULL)',
	'drop_model(NULL)', 'drop_version(NULL)', 'drop_gate(NULL)', 'drop_canary(''m'', NULL)', 'set_owner(''m'', NULL)']) c
	WHERE outcome(format('SELECT smartpouch.%s', c)) !~ '^22004 argument "(model|role|privilege|level|name|ref|stage)" must not be null$'), NULL, 'and says which argument is NULL');

-- those who have no rights get nothing, whatever they ask
GRANT USAGE ON SCHEMA smartpouch TO sp_h;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO sp_h;
SET LOCAL ROLE sp_h;
SELECT throws_ok(format('SELECT smartpouch.%s', c), '42501', NULL, 'nothing without rights: ' || c)
FROM unnest(ARRAY['drop_model(''m'')', 'serving_at(''m'', ''production'', ''infinity'')', 'model_artifact(''m'')', 'predict(''m:9'', ARRAY[1])']) c;
RESET ROLE;

-- the server's own commands
SELECT throws_ok('ALTER EXTENSION smartpouch SET SCHEMA public', '0A000', NULL, 'the schema stays');
SELECT throws_ok('DROP TABLE smartpouch.event', '2BP01', NULL, 'so do its tables');
SELECT smartpouch.set_owner('m', 'sp_h'), smartpouch.grant_access('sp_h', 'predictor') \gset
REASSIGN OWNED BY sp_h TO CURRENT_USER;
SELECT is((SELECT owner FROM smartpouch.models), 'sp_h'::name, 'REASSIGN OWNED knows nothing of models: reassign_models() does');
DROP OWNED BY sp_h;
DROP ROLE sp_h;
CREATE ROLE sp_h;
SELECT is((SELECT owner FROM smartpouch.models), NULL, 'a model of a role that is gone has no owner');
SELECT is((SELECT valid FROM smartpouch.access_grants WHERE role = 'sp_h'), false, 'nor has the level a role');
SELECT smartpouch._apply_access() \gset
SELECT ok(NOT has_schema_privilege('sp_h', 'smartpouch', 'USAGE'), 'and an update gives a new role of that name nothing');

SELECT * FROM finish();
ROLLBACK;
