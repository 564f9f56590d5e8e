-- Gates: rules, refusals that say how much is missing, evidence in the history.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(60);
\i tiny.inc
SELECT smartpouch.import_model('m', artifact, labels => ARRAY['no', 'yes']) FROM tiny WHERE name = 'classifier' \gset

-- rules that are none
SELECT throws_ok(format('SELECT smartpouch.set_gate(%L, %L)', stage, rule), code, NULL, why)
FROM (VALUES
	('production', '[]', '22023', 'not an object'),
	('production', '{}', '22023', 'an empty rule'),
	('production', '{"colour": true}', '22023', 'an unknown key'),
	('production', '{"golden": false}', '22023', 'golden that is not true'),
	('production', '{"served": 5}', '22023', 'an interval that is a number'),
	('production', '{"served": "soon"}', '22007', 'an interval that is none'),
	('production', '{"served": "-1 day"}', '22023', 'a negative interval'),
	('development', '{"served": "1 day"}', '22023', 'nothing below the lowest stage'),
	('production', '{"evaluations": {}}', '22023', 'evaluations that are no array'),
	('production', '{"evaluations": [1]}', '22023', 'an evaluation that is no object'),
	('production', '{"evaluations": [{"metric": "accuracy", "min": 1}]}', '22023', 'no data set'),
	('production', '{"evaluations": [{"dataset": "d", "min": 1}]}', '22023', 'no metric'),
	('production', '{"evaluations": [{"dataset": "d", "metric": [], "min": 1}]}', '22023', 'an empty path'),
	('production', '{"evaluations": [{"dataset": "d", "metric": [1], "min": 1}]}', '22023', 'a path of numbers'),
	('production', '{"evaluations": [{"dataset": "d", "metric": "accuracy"}]}', '22023', 'no bound'),
	('production', '{"evaluations": [{"dataset": "d", "metric": "accuracy", "min": "0.9"}]}', '22023', 'a bound that is text'),
	('production', '{"evaluations": [{"dataset": "d", "metric": "accuracy", "min": 2, "max": 1}]}', '22023', 'bounds the wrong way round'),
	('production', '{"evaluations": [{"dataset": "d", "metric": "accuracy", "min": 1, "mxa": 2}]}', '22023', 'a misspelt bound'),
	('nowhere', '{"golden": true}', '42704', 'no such stage')
) r (stage, rule, code, why);

-- who may
CREATE ROLE sp_erin;
GRANT USAGE ON SCHEMA smartpouch TO sp_erin;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO sp_erin;
SET LOCAL ROLE sp_erin;
SELECT throws_ok($$ SELECT smartpouch.set_gate('production', '{"golden": true}') $$, '42501', NULL, 'gates are for administrators');
SELECT throws_ok($$ SELECT smartpouch.drop_gate('production') $$, '42501', NULL, 'removing them too');
RESET ROLE;

-- what is missing is said, everything at once
CREATE FUNCTION pg_temp.missing() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	PERFORM smartpouch.promote('m', 1, 'production');
	RETURN 'promoted';
EXCEPTION WHEN object_not_in_prerequisite_state THEN
	GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
	RETURN said;
END $$;
SELECT smartpouch.set_gate('production', '{"golden": true, "served": "1 hour", "second_person": true, "evaluations": [
	{"dataset": "holdout", "metric": "accuracy", "min": 0.9},
	{"dataset": "holdout", "metric": ["classes", "yes", "recall"], "min": 0.5, "max": 0.75},
	{"dataset": "other", "metric": "log_loss", "max": 0.5}]}') \gset
SELECT results_eq($$ SELECT stage::text COLLATE "default", rule -> 'golden' FROM smartpouch.gates $$,
	$$ VALUES ('production', 'true'::jsonb) $$, 'the view shows gates');
SELECT throws_ok($$ SELECT smartpouch.promote('m', 1, 'production') $$, '55000',
	'version 1 of model "m" does not pass the gate of stage "production"');
SELECT matches(pg_temp.missing(), 'golden: the version has no golden rows\.');
SELECT matches(pg_temp.missing(), 'evaluations: nothing is recorded of data set "holdout"\.');
SELECT matches(pg_temp.missing(), 'served: in stage "staging" it has served 0 seconds of 3600, 3600 are left\.');
SELECT matches(pg_temp.missing(), format('second_person: "%s" has imported the version', session_user));
SELECT smartpouch.record_evaluation('m:1', 'holdout', '{"accuracy": 0.99}') \gset
SELECT smartpouch.record_evaluation('m:1', 'holdout', '{"accuracy": 0.75, "classes": {"yes": {"recall": 0.875}}}') \gset
SELECT smartpouch.record_evaluation('m:1', 'other', '{"log_loss": "low"}') \gset
SELECT matches(pg_temp.missing(), 'accuracy on data set "holdout" is 0\.75, 0\.15\d* below the 0\.9 that is asked\.', 'the newest evaluation counts');
SELECT matches(pg_temp.missing(), 'classes\.yes\.recall on data set "holdout" is 0\.875, 0\.125 above the 0\.75 that is allowed\.');
SELECT matches(pg_temp.missing(), 'the newest of data set "other" has no number log_loss\.');
SELECT lives_ok($$ SELECT smartpouch.promote('m', 1, 'staging') $$, 'other stages have no gate');

-- golden rows that no longer match, as after a change by hand
SELECT smartpouch.add_golden('m:1', '[40, 60]', '{"label": "yes"}') \gset
SELECT doesnt_match(pg_temp.missing(), 'golden', 'golden rows that match pass');
UPDATE smartpouch.golden SET expected = '{"label": "no"}';
SELECT matches(pg_temp.missing(), 'golden: row 1 does not match: label is "yes", expected "no"\.');

-- time served is added up over the history
SELECT smartpouch.set_gate('production', '{"served": "1 day"}') \gset
SET LOCAL session_replication_role = replica;
ALTER TABLE smartpouch.event DISABLE TRIGGER refuse_change;
UPDATE smartpouch.event SET at = at - interval '100000 seconds' WHERE stage = 'staging';
SELECT matches(pg_temp.missing(), 'it has served 0 seconds of 86400', 'a transaction that waits before it promotes serves nothing');
UPDATE smartpouch.event SET recorded_at = recorded_at - interval '100000.5 seconds' WHERE stage = 'staging';
ALTER TABLE smartpouch.event ENABLE ALWAYS TRIGGER refuse_change;
RESET session_replication_role;
SELECT is(pg_temp.missing(), 'promoted', 'the version has served long enough');
SELECT results_eq($$ SELECT (evidence -> 'served_seconds')::integer BETWEEN 99000 AND 100000 FROM smartpouch.history WHERE action = 'promote' AND stage = 'production' $$,
	$$ VALUES (true) $$, 'the history keeps what was shown');

-- what serves already, and the way back, are free
SELECT smartpouch.set_gate('production', '{"golden": true}') \gset
SELECT lives_ok($$ SELECT smartpouch.promote('m', 1, 'production') $$, 'what serves already has passed');
SELECT smartpouch.import_model('m', artifact, labels => ARRAY['no', 'yes'], options =>
	'{"golden": [{"features": [40, 60], "expected": {"label": "yes"}}]}') FROM tiny WHERE name = 'classifier' \gset
SELECT lives_ok($$ SELECT smartpouch.promote('m', 2, 'production') $$, 'a version that passes');
SELECT results_eq($$ SELECT evidence FROM smartpouch.history WHERE version = 2 AND stage = 'production' $$,
	$$ VALUES ('{"golden_rows": 1}'::jsonb) $$, 'with its evidence');
SELECT is(smartpouch.rollback('m', 'production'), 1, 'a rollback asks nothing');
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['a', 'staging']) $$, NULL, NULL, 'a stage with a gate stays');

SELECT smartpouch.drop_gate('production') \gset
SELECT throws_ok($$ SELECT smartpouch.drop_gate('production') $$, '42704', 'stage "production" has no gate');
SELECT lives_ok($$ SELECT smartpouch.promote('m', 2, 'production') $$, 'without a gate every version passes');

-- a second person is another login, whatever role he takes and whichever way he tries
CREATE ROLE sp_gina; CREATE ROLE sp_hugo;
GRANT sp_hugo TO sp_gina;
GRANT USAGE ON SCHEMA smartpouch TO sp_gina, sp_hugo;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO sp_gina, sp_hugo;
GRANT SELECT ON tiny TO sp_gina;
SET LOCAL SESSION AUTHORIZATION sp_gina;
SELECT count(smartpouch.import_model('hers', artifact, labels => ARRAY['no', 'yes'])) AS done FROM tiny, generate_series(1, 2) WHERE name = 'classifier' \gset
SELECT smartpouch.grant_model('hers', 'sp_hugo', 'deploy') AS done \gset
SELECT smartpouch.promote('hers', 2, 'production') AS done \gset
RESET SESSION AUTHORIZATION;
SELECT smartpouch.set_gate('production', '{"second_person": true}') \gset
CREATE FUNCTION by_hugo(call text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN EXECUTE 'SELECT smartpouch.' || call; END $$;
ALTER FUNCTION by_hugo(text) OWNER TO sp_hugo;
SET LOCAL SESSION AUTHORIZATION sp_gina;
SELECT throws_ok($$ SELECT smartpouch.promote('hers', 1, 'production') $$, '55000', NULL, 'not who imported');
SET LOCAL ROLE sp_hugo;
SELECT throws_ok($$ SELECT smartpouch.promote('hers', 1, 'production') $$, '55000', NULL, 'not as another role');
RESET ROLE;
SELECT throws_ok($$ SELECT by_hugo('promote(''hers'', 1, ''production'')') $$, '55000', NULL, 'not by a function of another role');
SELECT throws_ok($$ SELECT smartpouch.set_canary('hers', 'production', 1, 100) $$, '55000', NULL, 'not as a canary for all');
SELECT throws_ok($$ SELECT smartpouch.set_stages(ARRAY['staging', 'production']) $$, '42501', NULL, 'not by another ladder');
SELECT throws_ok($$ SELECT smartpouch.drop_gate('production') $$, '42501', NULL, 'nor without the gate');
RESET SESSION AUTHORIZATION;
ALTER ROLE sp_gina RENAME TO sp_inge;
SET LOCAL SESSION AUTHORIZATION sp_inge;
SELECT throws_ok($$ SELECT smartpouch.promote('hers', 1, 'production') $$, '55000', NULL, 'not under a new name');
RESET SESSION AUTHORIZATION;
ALTER ROLE sp_hugo RENAME TO sp_gina;
SET LOCAL SESSION AUTHORIZATION sp_gina;
SELECT lives_ok($$ SELECT smartpouch.promote('hers', 1, 'production') $$, 'but somebody else may, by whatever name');
RESET SESSION AUTHORIZATION;
ALTER ROLE sp_gina RENAME TO sp_hugo;
SELECT results_eq($$ SELECT evidence, session_role FROM smartpouch.history WHERE model = 'hers' ORDER BY seq DESC LIMIT 1 $$,
	$$ VALUES ('{"imported_by": "sp_gina"}'::jsonb, 'sp_gina') $$, 'and the history names both as they were called');
SELECT results_eq($$ SELECT DISTINCT (evidence ->> 'role_oid')::oid::regrole::text, evidence ->> 'role_cluster' = (SELECT id FROM smartpouch.cluster) FROM smartpouch.history
	WHERE model = 'hers' AND action = 'import' $$, $$ VALUES ('sp_inge', true) $$, 'the import has the role itself');
UPDATE smartpouch.cluster SET id = 'elsewhere';
SELECT throws_ok($$ SELECT smartpouch.promote('m', 1, 'production') $$, '55000', NULL, 'of an import from another cluster the name counts');
UPDATE smartpouch.cluster SET id = (SELECT system_identifier::text FROM pg_control_system());
SELECT smartpouch.drop_gate('production') \gset

-- golden rows are those of the model that is promoted, whatever else the statement's snapshot has under its name
SELECT count(smartpouch.import_model(model, artifact, labels => ARRAY['no', 'yes'])) AS done
	FROM tiny, unnest(ARRAY['first', 'second']) model WHERE name = 'classifier' \gset
SELECT smartpouch.add_golden('first:1', '{"age": 20, "weight": 50}', smartpouch.predict_json('first:1', '{"age": 20, "weight": 50}') - 'model' - 'version') AS done \gset
SAVEPOINT renames;
SELECT smartpouch.set_gate('testing', '{"golden": true}') \gset
SELECT throws_ok($$ SELECT smartpouch.rename_model('first', 'third'), smartpouch.rename_model('second', 'first'), smartpouch.promote('first', 1, 'testing') $$,
	'40001', 'the name "first" was given to another model meanwhile');
SELECT smartpouch.rename_model('first', 'third'), smartpouch.rename_model('second', 'first') \gset
SELECT throws_ok($$ SELECT smartpouch.promote('first', 1, 'testing') $$, '55000', NULL, 'the other model has no golden rows');
SELECT lives_ok($$ SELECT smartpouch.promote('third', 1, 'testing') $$, 'and this one''s went with it');
ROLLBACK TO renames;

-- who set and removed them stays known
SELECT is((SELECT count(*)::integer FROM smartpouch.audit_event WHERE action = 'drop_gate' AND session_role = session_user), 2, 'a gate that was removed is in the audit');
SELECT results_eq($$ SELECT detail -> 'before' -> 'served', detail -> 'after' FROM smartpouch.audit_event WHERE action = 'set_gate' ORDER BY id DESC OFFSET 1 LIMIT 1 $$,
	$$ VALUES ('"1 day"'::jsonb, '{"golden": true}'::jsonb) $$, 'with what it asked before and after');
SELECT smartpouch.set_stages(ARRAY['lab', 'staging', 'production']) \gset
SELECT results_eq($$ SELECT detail FROM smartpouch.audit_event WHERE action = 'set_stages' $$,
	$$ VALUES ('{"before": ["development", "testing", "staging", "production"], "after": ["lab", "staging", "production"]}'::jsonb) $$,
	'so is a change of the ladder');
SELECT * FROM finish();
ROLLBACK;
