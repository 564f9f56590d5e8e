-- Who may call what of API keys: every function, as a role that has nothing, and for each level.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(83);
CREATE ROLE sp_none;
CREATE ROLE sp_predictor;
CREATE ROLE sp_deployer;
CREATE ROLE sp_monitor;
CREATE ROLE sp_admin;
SELECT smartpouch.grant_access('sp_predictor', 'predictor'), smartpouch.grant_access('sp_deployer', 'deployer'),
	smartpouch.grant_access('sp_monitor', 'monitor'), smartpouch.grant_access('sp_admin', 'admin') \gset
-- whoever reaches the schema still calls nothing
GRANT USAGE ON SCHEMA smartpouch TO sp_none;
CREATE TABLE call (name text, arguments text, levels text[]);
INSERT INTO call VALUES
	('create_api_key', $$ 'x', ARRAY['see:a'] $$, '{admin}'),
	('rotate_api_key', $$ '000000000000' $$, '{admin}'),
	('revoke_api_key', $$ '000000000000' $$, '{admin}'),
	('enable_api_key', $$ '000000000000' $$, '{admin}'),
	('disable_api_key', $$ '000000000000' $$, '{admin}'),
	('set_api_key_scopes', $$ '000000000000', ARRAY['see:a'] $$, '{admin}'),
	('adopt_api_keys', '', '{admin}'),
	('verify_api_key', $$ 'x' $$, '{predictor,deployer,admin}'),
	('authenticate', $$ 'x' $$, '{predictor,deployer,admin}'),
	('current_api_key', '', '{predictor,deployer,admin}'),
	('current_owner', '', '{predictor,deployer,admin}'),
	('has_permission', $$ 'see', 'a' $$, '{predictor,deployer,admin}'),
	('authorize', $$ 'see', 'a' $$, '{predictor,deployer,admin}'),
	('infer', $$ 'x', 'm', '{}' $$, '{predictor,deployer,admin}'),
	('_api_key_facts', $$ 'x' $$, '{deployer,monitor,admin}');
GRANT SELECT ON call TO sp_none, sp_predictor, sp_deployer, sp_monitor, sp_admin;
SELECT set_eq('SELECT name FROM call', $$ SELECT proname::text FROM pg_proc WHERE pronamespace = 'smartpouch'::regnamespace
	AND (proname ~ 'api_key|^(authenticate|authorize|infer)$|^current_|permission') $$, 'every function of keys is in the list');
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT bag_eq(format($$ SELECT l FROM unnest(ARRAY['predictor', 'deployer', 'monitor', 'admin']) l WHERE has_function_privilege('sp_' || l, %s, 'EXECUTE') $$, p.oid),
	format('SELECT unnest(%L::text[])', c.levels), c.name || '() is for ' || array_to_string(c.levels, ', '))
FROM call c JOIN pg_proc p ON p.proname = c.name AND pronamespace = 'smartpouch'::regnamespace ORDER BY c.name;
SET LOCAL ROLE sp_none;
SELECT is(outcome(format('SELECT smartpouch.%s(%s)', name, arguments)), format('42501 permission denied for function %s', name), 'without grants: ' || name || '()')
FROM call ORDER BY name;
SELECT is(outcome('SELECT * FROM smartpouch.' || name), format('42501 permission denied for %s %s', kind, name), 'nor ' || name)
FROM (VALUES ('api_key', 'table'), ('api_keys', 'view')) v (name, kind);
SET LOCAL ROLE sp_predictor;
SELECT is(outcome(format('SELECT smartpouch.%s(%s)', name, arguments)), format('42501 permission denied for function %s', name), 'a predictor does not call ' || name || '()')
FROM call WHERE NOT 'predictor' = ANY (levels) ORDER BY name;
SELECT isnt(outcome(format('SELECT smartpouch.%s(%s)', name, arguments)), format('42501 permission denied for function %s', name), 'but ' || name || '()')
FROM call WHERE 'predictor' = ANY (levels) ORDER BY name;
SELECT is(outcome('SELECT * FROM smartpouch.' || name), format('42501 permission denied for %s %s', kind, name), 'and does not read ' || name)
FROM (VALUES ('api_key', 'table'), ('api_keys', 'view')) v (name, kind);
SET LOCAL ROLE sp_monitor;
SELECT is(outcome(format('SELECT smartpouch.%s(%s)', name, arguments)), format('42501 permission denied for function %s', name), 'who monitors does not call ' || name || '()')
FROM call WHERE NOT 'monitor' = ANY (levels) ORDER BY name;
SELECT is(outcome('SELECT * FROM smartpouch.api_key'), '42501 permission denied for table api_key', 'nor reads hashes');
SELECT is(outcome('SELECT * FROM smartpouch.api_keys'), 'done', 'but the view');
SET LOCAL ROLE sp_admin;
SELECT is(outcome('SELECT * FROM smartpouch.api_key'), '42501 permission denied for table api_key', 'an administrator reads no hashes either');
SELECT is(outcome('UPDATE smartpouch.api_key SET owner = owner'), '42501 permission denied for table api_key', 'nor writes rows');
SELECT is(outcome($$ SELECT smartpouch.create_api_key('x', ARRAY['admin:keys', 'run:backup', 'read:metrics']) $$), 'done', 'but makes keys, with all that it may do');
RESET ROLE;

-- the labels of design: identities are of one process
SELECT is(proparallel::text || provolatile::text, labels, name || '(): parallel and volatility')
FROM (VALUES ('verify_api_key', 'rv'), ('authenticate', 'rv'), ('current_api_key', 'rs'), ('current_owner', 'rs'), ('has_permission', 'rs'),
	('authorize', 'rv'), ('infer', 'uv'), ('create_api_key', 'uv'), ('rotate_api_key', 'uv'), ('revoke_api_key', 'uv'), ('enable_api_key', 'uv'),
	('disable_api_key', 'uv'), ('set_api_key_scopes', 'uv'), ('adopt_api_keys', 'uv')) v (name, labels)
	JOIN pg_proc p ON p.proname = v.name AND pronamespace = 'smartpouch'::regnamespace;
SELECT * FROM finish();
ROLLBACK;
