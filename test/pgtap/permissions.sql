-- Privileges on models, levels of access, and what a role sees.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(152);
\i tiny.inc

CREATE ROLE sp_owner;
CREATE ROLE sp_app;
CREATE ROLE sp_team;
CREATE ROLE sp_stranger;
CREATE ROLE sp_distant NOINHERIT;
GRANT sp_team TO sp_app;
GRANT USAGE ON SCHEMA smartpouch TO sp_owner, sp_app, sp_stranger, sp_distant;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO sp_owner, sp_app, sp_stranger, sp_distant;
GRANT SELECT ON smartpouch.models, smartpouch.versions, smartpouch.deployments, smartpouch.aliases, smartpouch.evaluations,
	smartpouch.history, smartpouch.model_grants TO sp_owner, sp_app, sp_stranger;
GRANT SELECT ON tiny TO sp_owner;
SET ROLE sp_owner;
SELECT smartpouch.import_model('m', artifact), smartpouch.import_model('other', artifact) FROM tiny WHERE name = 'regression' \gset
SELECT smartpouch.promote('m', 1, 'production'), smartpouch.set_alias('m', 'best', 1) IS NULL AS done,
	smartpouch.record_evaluation('m:1', 'march', '{"rmse": 1}') \gset
RESET ROLE;
SELECT sha256 FROM smartpouch.versions WHERE model = 'm' \gset

CREATE FUNCTION tries(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE statement;
	RESET ROLE;
	RETURN 'works';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RESET ROLE;
	RETURN SQLSTATE || ' ' || SQLERRM || coalesce(nullif(': ' || detail, ': '), '');
END $$;

-- nothing without a grant, whatever the reference; and no more is told than the caller knows
SELECT is(tries('sp_app', statement), '42501 permission denied for model "m": Role "sp_app" lacks the privilege ' || privilege || ' on it.',
	'not granted: ' || statement)
FROM (VALUES ('SELECT smartpouch.predict(''m'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict(''m:1'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict(''m:99'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict(''m@best'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict(''m@staging'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict(''m@moon'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict_for(''m'', ''key'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict_label(''m'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict_label_for(''m'', ''key'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict_proba(''m'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict_proba(''m'', ARRAY[40, 60], ''a'')', 'predict'),
	('SELECT smartpouch.predict_raw(''m'', ARRAY[40, 60])', 'predict'),
	('SELECT smartpouch.predict_json(''m'', ''[40, 60]'')', 'predict'),
	('SELECT smartpouch.predict_json_for(''m'', ''key'', ''[40, 60]'')', 'predict'),
	('SELECT smartpouch.predict_batch(''m'', ARRAY[[40, 60]])', 'predict'),
	('SELECT smartpouch.check_golden(''m'')', 'predict'),
	('SELECT smartpouch.evaluate(''m'', ''SELECT 1 AS truth'')', 'predict'),
	('SELECT smartpouch.model_artifact(''m'')', 'read'),
	('SELECT smartpouch.promote(''m'', 1, ''staging'')', 'deploy'),
	('SELECT smartpouch.rollback(''m'', ''production'')', 'deploy'),
	('SELECT smartpouch.drop_deployment(''m'', ''production'')', 'deploy'),
	('SELECT smartpouch.set_alias(''m'', ''a'', 1)', 'deploy'),
	('SELECT smartpouch.drop_alias(''m'', ''best'')', 'deploy'),
	('SELECT smartpouch.snapshot_model(''m'')', 'deploy'),
	('SELECT smartpouch.record_evaluation(''m'', ''d'', ''{"rmse": 1}'')', 'deploy')) x (statement, privilege);
SELECT is(tries('sp_app', statement), '42501 must be owner of model "m"', 'for owners: ' || statement)
FROM unnest(ARRAY['SELECT smartpouch.drop_version(''m:1'')', 'SELECT smartpouch.drop_model(''m'')', 'SELECT smartpouch.rename_model(''m'', ''n'')',
	'SELECT smartpouch.set_owner(''m'', ''sp_app'')', 'SELECT smartpouch.grant_model(''m'', ''sp_app'', ''predict'')',
	'SELECT smartpouch.revoke_model(''m'', ''sp_app'', ''predict'')', 'SELECT smartpouch.drop_golden(''m'', 1)']) statement;
SELECT matches(tries('sp_app', statement), '^42501 permission denied for model "m"', 'hidden: ' || statement)
FROM unnest(ARRAY['SELECT smartpouch.serving_at(''m'', ''production'', now())', 'SELECT smartpouch.verify_history(''m'')',
	'SELECT smartpouch.warm_model(''m'')', 'SELECT smartpouch.evict_model(''m'')']) statement;
SELECT is(tries('sp_app', format('SELECT smartpouch.predict_version(%L, ARRAY[40, 60])', :'sha256')),
	'42501 permission denied for the version with SHA-256 ' || encode(:'sha256'::bytea, 'hex'), 'a hash does not tell the name of a model');
SELECT is(tries('sp_app', 'SELECT smartpouch.predict_version(sha256(''x''), ARRAY[40, 60])'),
	'42704 no version has SHA-256 ' || encode(sha256('x'), 'hex'), 'nor is one that nobody has');
SELECT is(tries('sp_app', 'SELECT smartpouch.predict(''nobody'', ARRAY[40, 60])'), '42704 model "nobody" does not exist', 'a model that is not there');

-- what a role sees
CREATE FUNCTION sees(role name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	SELECT string_agg(DISTINCT view || ' ' || model, ', ' ORDER BY view || ' ' || model) INTO result FROM (
		SELECT 'models' AS view, model FROM smartpouch.models UNION ALL SELECT 'versions', model FROM smartpouch.versions
		UNION ALL SELECT 'deployments', model FROM smartpouch.deployments UNION ALL SELECT 'aliases', model FROM smartpouch.aliases
		UNION ALL SELECT 'evaluations', model FROM smartpouch.evaluations UNION ALL SELECT 'history', model FROM smartpouch.history
		UNION ALL SELECT 'model_grants', model FROM smartpouch.model_grants UNION ALL SELECT 'verify', model_name FROM smartpouch.verify_history()) x;
	RESET ROLE;
	RETURN coalesce(result, 'nothing');
END $$;
SELECT is(sees('sp_app'), 'nothing', 'a role without privileges sees no model');
SELECT is(sees('sp_owner'), 'aliases m, deployments m, evaluations m, history m, history other, models m, models other, versions m, versions other',
	'an owner sees its own');
SET LOCAL client_min_messages = warning;
CREATE TABLE leaked (name text);
GRANT INSERT, SELECT ON leaked TO PUBLIC;
CREATE FUNCTION note(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN INSERT INTO leaked VALUES ($1); RETURN true; END $$;
SELECT is(tries('sp_app', 'SELECT * FROM smartpouch.models WHERE note(model)'), 'works', 'a cheap function in a condition');
SELECT is_empty('SELECT FROM leaked', 'is not asked of rows that are not shown');
SELECT is((SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relnamespace = 'smartpouch'::regnamespace AND relkind = 'v'
	AND pg_get_viewdef(oid) ~ 'model' AND relname NOT IN ('model_cache') AND NOT 'security_barrier=true' = ANY (coalesce(reloptions, '{}'))),
	NULL, 'every view of models is a security barrier');

-- granting
SELECT is(tries('sp_owner', 'SELECT smartpouch.grant_model(''m'', ''sp_app'', ''predict'')'), 'works', 'the owner grants');
SELECT is(tries('sp_owner', 'SELECT smartpouch.grant_model(''m'', ''sp_app'', ''predict'')'), 'works', 'twice does no harm');
SELECT is(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), 'works', 'then it predicts');
SELECT is(tries('sp_app', format('SELECT smartpouch.predict_version(%L, ARRAY[40, 60])', :'sha256')), 'works', 'by hash too, though another model has the same');
SELECT is(tries('sp_app', 'SELECT smartpouch.predict(''m:9'', ARRAY[40, 60])'), '42704 model "m" has no version 9', 'and is told what is not there');
SELECT is(tries('sp_app', 'SELECT smartpouch.predict(''other:1'', ARRAY[40, 60])'),
	'42501 permission denied for model "other": Role "sp_app" lacks the privilege predict on it.', 'of that model alone');
SELECT is(sees('sp_app'), 'aliases m, deployments m, evaluations m, history m, model_grants m, models m, versions m', 'which it sees now');
SELECT matches(tries('sp_app', 'SELECT smartpouch.model_artifact(''m'')'), '42501 .* lacks the privilege read', 'the file is another privilege');
SELECT matches(tries('sp_app', 'SELECT smartpouch.promote(''m'', 1, ''staging'')'), '42501 .* lacks the privilege deploy', 'as is deploying');
SELECT smartpouch.grant_model('m', 'sp_app', 'read'), smartpouch.grant_model('m', 'sp_app', 'deploy') \gset
SELECT is(tries('sp_app', statement), 'works', 'then: ' || statement)
FROM unnest(ARRAY['SELECT smartpouch.model_artifact(''m'')', 'SELECT smartpouch.promote(''m'', 1, ''staging'')',
	'SELECT smartpouch.set_alias(''m'', ''a'', 1), smartpouch.drop_alias(''m'', ''a'')',
	'SELECT smartpouch.drop_deployment(''m'', ''staging'')', 'SELECT smartpouch.serving_at(''m'', ''production'', now())']) statement;
SELECT is(tries('sp_app', 'SELECT smartpouch.drop_model(''m'')'), '42501 must be owner of model "m"', 'which is not owning');
SELECT results_eq('SELECT role, privilege, valid, granted_by FROM smartpouch.model_grants ORDER BY privilege',
	$$ VALUES ('sp_app'::text COLLATE "C", 'deploy'::text COLLATE "C", true, current_user::text COLLATE "default"), ('sp_app', 'predict', true, 'sp_owner'),
	('sp_app', 'read', true, current_user::text) $$, 'the view tells of it');
SELECT results_eq($$ SELECT action, detail FROM smartpouch.history WHERE model = 'm' AND action = 'grant' ORDER BY seq $$,
	$$ VALUES ('grant', 'predict to sp_app'), ('grant', 'read to sp_app'), ('grant', 'deploy to sp_app') $$, 'and the history');
SELECT is(tries('sp_owner', 'SELECT smartpouch.revoke_model(''m'', ''sp_app'', ' || quote_literal(p) || ')'), 'works', 'revoke ' || p)
FROM unnest(ARRAY['predict', 'read', 'deploy']) p;
SELECT matches(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'and it is over');
SELECT is(sees('sp_app'), 'nothing', 'with seeing too');
SELECT is(tries('sp_owner', 'SELECT smartpouch.revoke_model(''m'', ''sp_app'', ''predict'')'), 'works', 'once more is a notice');
SELECT matches(tries('sp_owner', 'SELECT smartpouch.grant_model(''m'', ''sp_app'', ''all'')'), '^22023', 'no privilege');
SELECT matches(tries('sp_owner', 'SELECT smartpouch.revoke_model(''m'', ''sp_app'', ''all'')'), '^22023', 'none to revoke');
SELECT matches(tries('sp_owner', 'SELECT smartpouch.grant_model(''nobody'', ''sp_app'', ''read'')'), '^42704', 'no model');
SELECT matches(tries('sp_owner', 'SELECT smartpouch.grant_model(''m'', ''sp_nobody'', ''read'')'), '^42704', 'no role');
SELECT matches(tries('sp_owner', 'SELECT smartpouch.grant_model(''m'', 1::oid::regrole, ''read'')'), '^42704', 'no role of that number');

-- over the rows of a table, which are evaluated in blocks
CREATE TABLE people AS SELECT i AS age, 60 AS weight FROM generate_series(1, 5000) i;
ANALYZE people;
GRANT SELECT ON people TO sp_app, sp_distant;
SELECT is(tries('sp_app', 'SELECT sum(smartpouch.predict(''m'', p)) FROM people p'),
	'42501 permission denied for model "m": Role "sp_app" lacks the privilege predict on it.', 'rows of a table need the privilege');
SELECT is(tries('sp_app', 'SELECT * FROM people p WHERE smartpouch.predict(''m'', p) > 1'),
	'42501 permission denied for model "m": Role "sp_app" lacks the privilege predict on it.', 'in a condition too');
SELECT smartpouch.grant_model('m', 'sp_app', 'predict') \gset
SELECT is(tries('sp_app', 'SELECT sum(smartpouch.predict(''m'', p)) FROM people p'), 'works', 'with it they are predicted');
REVOKE EXECUTE ON FUNCTION smartpouch.predict(text, anyelement) FROM sp_app;
SELECT is(tries('sp_app', 'SELECT sum(smartpouch.predict(''m'', p)) FROM people p'), '42501 permission denied for function predict', 'but not without EXECUTE');
GRANT EXECUTE ON FUNCTION smartpouch.predict(text, anyelement) TO sp_app;
CREATE VIEW scored AS SELECT smartpouch.predict('m', p) AS score FROM people p;
GRANT SELECT ON scored TO sp_app, sp_distant;
SELECT is(tries('sp_app', 'SELECT sum(score) FROM scored'), 'works', 'through a view: the right is that of who asks');
SELECT is(tries('sp_distant', 'SELECT sum(score) FROM scored'),
	'42501 permission denied for model "m": Role "sp_distant" lacks the privilege predict on it.', 'not of the view''s owner');
PREPARE scoring AS SELECT sum(smartpouch.predict('m', p)) FROM people p;
SET LOCAL plan_cache_mode = force_generic_plan;
EXECUTE scoring \gset
SELECT is(tries('sp_distant', 'EXECUTE scoring'),
	'42501 permission denied for model "m": Role "sp_distant" lacks the privilege predict on it.', 'a plan that was made for another asks again');
SELECT smartpouch.revoke_model('m', 'sp_app', 'predict') \gset

-- roles are inherited as elsewhere, and changes of membership are seen at once
SELECT smartpouch.grant_model('m', 'sp_team', 'predict') \gset
SELECT is(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), 'works', 'a member has what the team has');
REVOKE sp_team FROM sp_app;
SELECT matches(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'until it leaves');
GRANT sp_team TO sp_app;
SELECT is(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), 'works', 'and comes back');
GRANT sp_team TO sp_distant;
SELECT matches(tries('sp_distant', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'a role that does not inherit has nothing of it');
ALTER ROLE sp_stranger SUPERUSER;
SELECT is(tries('sp_stranger', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), 'works', 'a superuser has everything');
ALTER ROLE sp_stranger NOSUPERUSER;
SELECT matches(tries('sp_stranger', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'while it is one');

-- within one call site, who is asked for follows the current user
CREATE FUNCTION as_owner() RETURNS double precision LANGUAGE sql STABLE SECURITY DEFINER AS $$ SELECT smartpouch.predict('other:1', ARRAY[40, 60]) $$;
ALTER FUNCTION as_owner() OWNER TO sp_owner;
SELECT is(tries('sp_app', 'SELECT as_owner()'), 'works', 'a SECURITY DEFINER function has its owner''s rights');
CREATE FUNCTION changing() RETURNS double precision LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. 2 LOOP
		IF i = 2 THEN SET LOCAL ROLE sp_stranger; END IF;
		PERFORM smartpouch.predict('m', ARRAY[40, 60]);
	END LOOP;
END $$;
SELECT matches(tries('sp_owner', 'SELECT changing()'), '^42501', 'a call site asks again when the role changes');

-- a call that is warm reads none of it
SET LOCAL ROLE sp_app;
SELECT smartpouch.predict('m', ARRAY[40, 60]) \gset
CREATE FUNCTION pg_temp.scans() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(pg_stat_get_xact_numscans(oid)) FROM pg_class WHERE oid IN ('smartpouch.model_grant_pkey'::regclass,
		'smartpouch.access_grant_pkey'::regclass, 'smartpouch.model_grant'::regclass, 'smartpouch.access_grant'::regclass) $$;
SELECT pg_temp.scans() AS before \gset
SELECT sum(smartpouch.predict('m', ARRAY[40 + i, 60])) FROM generate_series(1, 100) i \gset
SELECT smartpouch.predict('m', ARRAY[40, 60]) \gset
SELECT is(pg_temp.scans(), :before::bigint, 'no table of rights is read in a session that is warm');
RESET ROLE;

-- a role is more than its name, a recreated one is nobody
SELECT smartpouch.grant_model('m', 'sp_stranger', 'predict') \gset
DROP OWNED BY sp_stranger;
DROP ROLE sp_stranger;
CREATE ROLE sp_stranger;
GRANT USAGE ON SCHEMA smartpouch TO sp_stranger;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO sp_stranger;
SELECT matches(tries('sp_stranger', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'a role made anew has nothing of the old one');
SELECT is((SELECT valid FROM smartpouch.model_grants WHERE role = 'sp_stranger'), false, 'whose grant means nobody');
UPDATE smartpouch.model_grant SET role_cluster = '1' WHERE role_name = 'sp_team';
SELECT matches(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'nor has one of another cluster');
UPDATE smartpouch.model_grant SET role_cluster = smartpouch._cluster_id() WHERE role_name = 'sp_team';
SELECT is(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), 'works', 'however the row came');
-- the name of the cluster is the database's own, and heeded as soon as it changes
SELECT is(smartpouch._cluster_id(), (SELECT system_identifier::text FROM pg_control_system()), 'the name of a cluster is its identifier');
UPDATE smartpouch.cluster SET id = 'elsewhere';
SELECT is(smartpouch._cluster_id(), 'elsewhere', 'or what the database has kept');
SELECT matches(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'where roles have other rights');
UPDATE smartpouch.cluster SET home = 1;
SELECT is(smartpouch._cluster_id(), (SELECT system_identifier::text FROM pg_control_system()), 'a row of another database says nothing');
SELECT is(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), 'works', 'roles have their rights again');
TRUNCATE smartpouch.cluster;
SELECT is(smartpouch._cluster_id(), (SELECT system_identifier::text FROM pg_control_system()), 'nor does none');
TRUNCATE smartpouch.model_grant;
SELECT matches(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'or went');

-- dropped models leave no grants
SELECT smartpouch.grant_model('other', 'sp_app', 'predict') \gset
SELECT is(tries('sp_owner', 'SELECT smartpouch.drop_model(''other'')'), 'works', 'a model goes');
SELECT is_empty('SELECT FROM smartpouch.model_grant', 'with its grants');
SELECT is(tries('sp_owner', 'SELECT * FROM smartpouch.verify_history(''other'')'),
	'42501 permission denied for model "other": Role "sp_owner" lacks the privilege predict, read or deploy on it.', 'its history is for administrators');

-- giving away all
REVOKE sp_team FROM sp_app;
SELECT matches(tries('sp_app', 'SELECT smartpouch.reassign_models(''sp_owner'', ''sp_app'')'), '^42501 permission denied to reassign', 'nobody takes models of others');
SELECT matches(tries('sp_owner', 'SELECT smartpouch.reassign_models(''sp_owner'', ''sp_team'')'), '^42501', 'nor gives them to roles it is no member of');
SELECT throws_ok($$ SELECT smartpouch.reassign_models('sp_owner', 1::oid::regrole) $$, '42704', NULL, 'nor to nobody');
GRANT sp_team TO sp_owner;
SELECT is(tries('sp_owner', 'SELECT smartpouch.import_model(''second'', artifact) FROM tiny WHERE name = ''regression'''), 'works', 'with two models');
SELECT is(tries('sp_owner', 'SELECT smartpouch.reassign_models(''sp_owner'', ''sp_team'')'), 'works', 'but to a team of its own');
SELECT is((SELECT count(*) FROM smartpouch.models WHERE owner = 'sp_team' AND model IN ('m', 'second')), 2::bigint, 'all go');
SELECT is((SELECT count(*) FROM smartpouch.history WHERE action = 'set_owner' AND detail = 'sp_team'), 2::bigint, 'as the history tells');
SELECT is(smartpouch.reassign_models('sp_team', 'sp_owner'), 2, 'a superuser gives them back');
SELECT is(smartpouch.reassign_models('sp_team', 'sp_owner'), 0, 'when there is nothing to give, nothing is given');
SELECT smartpouch.drop_model('second') \gset
REVOKE sp_team FROM sp_owner;
GRANT sp_team TO sp_app;

-- levels of access
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA smartpouch FROM sp_app, sp_team;
REVOKE ALL ON ALL TABLES IN SCHEMA smartpouch FROM sp_app;
REVOKE ALL ON SCHEMA smartpouch FROM sp_app, sp_team;
SELECT is_empty($$ SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'smartpouch'::regnamespace AND p.prorettype <> 'trigger'::regtype AND p.proname !~ '^_'
	AND NOT EXISTS (SELECT FROM smartpouch._access_objects() o WHERE o.object = p.proname) $$, 'every function has its levels in 84_access_objects.sql');
SELECT is_empty($$ SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'smartpouch'::regnamespace AND c.relkind = 'v'
	AND NOT EXISTS (SELECT FROM smartpouch._access_objects() o WHERE o.object = c.relname) $$, 'and every view');
SELECT is_empty($$ SELECT object FROM smartpouch._access_objects() o WHERE NOT EXISTS (SELECT FROM pg_proc WHERE proname = o.object AND pronamespace = 'smartpouch'::regnamespace)
	AND NOT EXISTS (SELECT FROM pg_class WHERE relname = o.object AND relnamespace = 'smartpouch'::regnamespace) $$, 'which are there');
CREATE FUNCTION can(role name) RETURNS TABLE (object text) LANGUAGE sql AS $$
	SELECT proname::text FROM pg_proc p WHERE pronamespace = 'smartpouch'::regnamespace AND has_function_privilege(role, p.oid, 'EXECUTE')
	UNION SELECT relname FROM pg_class c WHERE relnamespace = 'smartpouch'::regnamespace AND relkind IN ('r', 'v', 'S')
	AND CASE relkind WHEN 'S' THEN has_sequence_privilege(role, c.oid, 'USAGE') ELSE
		has_table_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') END $$;
SELECT is_empty($$ SELECT can('sp_app') $$, 'no level, no function and no view');
CREATE FUNCTION level_test(level text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM smartpouch.grant_access('sp_app', level);
	RETURN NEXT set_eq($q$ SELECT can('sp_app') $q$, format(
		$q$ SELECT object FROM smartpouch._access_objects() WHERE %L = 'admin' OR levels ~ %L $q$, level, level), level || ' has what it is for');
	PERFORM smartpouch.revoke_access('sp_app', level);
	RETURN NEXT is_empty($q$ SELECT can('sp_app') $q$, level || ' is taken back');
END $$;
SELECT level_test(level) FROM unnest(ARRAY['predictor', 'deployer', 'monitor', 'admin']) level;
SELECT ok(NOT has_schema_privilege('sp_app', 'smartpouch', 'USAGE'), 'with the schema');
SELECT is_empty($$ SELECT FROM smartpouch._access_objects() WHERE levels ~ 'predictor' AND levels !~ 'deployer' $$, 'a deployer has what a predictor has');
-- two levels: taking back one leaves the other whole
SELECT smartpouch.grant_access('sp_app', 'predictor'), smartpouch.grant_access('sp_app', 'monitor') \gset
SELECT smartpouch.revoke_access('sp_app', 'monitor') \gset
SELECT set_eq($$ SELECT can('sp_app') $$, $$ SELECT object FROM smartpouch._access_objects() WHERE levels ~ 'predictor' $$, 'levels do not take from each other');
SELECT is((SELECT string_agg(role || ' ' || level || ' ' || valid, ',') FROM smartpouch.access_grants), 'sp_app predictor true', 'the view has them');
-- new functions of an update
CREATE FUNCTION smartpouch.predict(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
REVOKE ALL ON FUNCTION smartpouch.predict(text) FROM PUBLIC;
SELECT ok(NOT has_function_privilege('sp_app', 'smartpouch.predict(text)', 'EXECUTE'), 'a function that comes later');
SELECT smartpouch._apply_access() \gset
SELECT ok(has_function_privilege('sp_app', 'smartpouch.predict(text)', 'EXECUTE'), 'is granted when an update applies levels again');
DROP FUNCTION smartpouch.predict(text);
-- what monitors and administrators see and may
SELECT smartpouch.grant_access('sp_app', 'monitor') \gset
SELECT matches(sees('sp_app'), 'history m, history other, history second, models m, versions m$', 'a monitor sees all models, and the history of what is gone');
SELECT matches(tries('sp_app', 'SELECT smartpouch.predict(''m'', ARRAY[40, 60])'), '^42501', 'but does not predict with them');
SELECT matches(tries('sp_app', 'SELECT smartpouch.model_artifact(''m'')'), '^42501', 'nor read them');
SELECT smartpouch.grant_access('sp_app', 'admin') \gset
SELECT is(tries('sp_app', statement), 'works', 'an administrator: ' || statement)
FROM unnest(ARRAY['SELECT smartpouch.predict(''m'', ARRAY[40, 60])', 'SELECT smartpouch.promote(''m'', 1, ''testing'')', 'SELECT smartpouch.model_artifact(''m'')',
	'SELECT smartpouch.set_stages(ARRAY[''testing'', ''production''])', 'SELECT smartpouch.grant_model(''m'', ''sp_team'', ''predict'')',
	'SELECT smartpouch.grant_access(''sp_team'', ''monitor''), smartpouch.revoke_access(''sp_team'', ''monitor'')']) statement;
SELECT matches(tries('sp_app', 'SELECT * FROM smartpouch.model'), '^42501', 'reads no table');
SELECT matches(tries('sp_app', 'SELECT smartpouch.set_owner(''m'', ' || quote_literal(current_user) || ')'), '^42501', 'and gives nothing to a role it is not a member of');
SELECT smartpouch.revoke_access('sp_app', 'admin') \gset
SELECT matches(tries('sp_app', 'SELECT smartpouch.predict(''m:9'', ARRAY[40, 60])'), '^42501|^42704', 'no administrator any more');
-- EXECUTE alone does not make an administrator
GRANT USAGE ON SCHEMA smartpouch TO sp_distant;
SELECT is(tries('sp_distant', 'SELECT smartpouch.grant_access(''sp_distant'', ''admin'')'),
	'42501 permission denied to change levels of access: It takes a superuser, the owner of the extension, or the level admin.', 'nobody makes itself one');
SELECT matches(tries('sp_distant', 'SELECT smartpouch.revoke_access(''sp_app'', ''monitor'')'), '^42501', 'nor takes from others');
SELECT matches(tries('sp_distant', 'SELECT smartpouch.set_stages(ARRAY[''production''])'), '^42501', 'nor changes the ladder');
SELECT throws_ok($$ SELECT smartpouch.grant_access('sp_app', 'king') $$, '22023', NULL, 'no level');
SELECT throws_ok($$ SELECT smartpouch.revoke_access('sp_app', 'king') $$, '22023', NULL, 'none to take back');
SELECT throws_ok($$ SELECT smartpouch.grant_access(1::oid::regrole, 'monitor') $$, '42704', NULL, 'no role');
SELECT lives_ok($$ SELECT smartpouch.revoke_access('sp_app', 'deployer') $$, 'a level that was not given is a notice');
-- hostile names
CREATE ROLE "sp; DROP TABLE smartpouch.model --""";
SELECT lives_ok($$ SELECT smartpouch.grant_access(oid::regrole, 'predictor'), smartpouch.grant_model('m', oid::regrole, 'predict'), smartpouch.revoke_access(oid::regrole, 'predictor')
	FROM pg_roles WHERE rolname ~ '^sp;' $$, 'names are quoted');
CREATE TEMP TABLE access_grant (role_cluster text, role_oid oid, level text);
SET LOCAL search_path = pg_temp, public, smartpouch;
SELECT lives_ok($$ SELECT smartpouch.grant_access('sp_team', 'monitor') $$, 'a hostile search_path changes nothing');
SELECT ok(has_function_privilege('sp_team', 'smartpouch.health()', 'EXECUTE'), 'of what is granted');
RESET search_path;

-- levels given and taken are in the audit
CREATE ROLE sp_audited;
SELECT smartpouch.grant_access('sp_audited', 'monitor'), smartpouch.grant_access('sp_audited', 'monitor'),
	smartpouch.revoke_access('sp_audited', 'monitor') \gset
SELECT results_eq($$ SELECT action::text COLLATE "default", detail FROM smartpouch.audit_event WHERE detail ->> 'role' = 'sp_audited' ORDER BY id $$,
	$$ VALUES ('grant_access', '{"role": "sp_audited", "level": "monitor"}'::jsonb), ('revoke_access', '{"role": "sp_audited", "level": "monitor"}') $$,
	'levels that were given and taken are in the audit');

SELECT * FROM finish();
ROLLBACK;
