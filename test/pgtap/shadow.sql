-- Shadows: who may set them, and on what. (What they count: test/tap/022_shadow.pl.)
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(18);
\i tiny.inc
SELECT count(smartpouch.import_model('m', artifact)) AS done FROM tiny, generate_series(1, 2) WHERE name = 'regression' \gset
SELECT smartpouch.promote('m', 1, 'production') \gset

SELECT throws_ok(format('SELECT smartpouch.set_shadow(%L, %L, %s, %L)', model, stage, version, percent), code, NULL, why)
FROM (VALUES
	('n', 'production', 2, 10.0, '42704', 'no such model'),
	('m', 'nowhere', 2, 10, '42704', 'no such stage'),
	('m', 'production', 3, 10, '42704', 'no such version'),
	('m', 'staging', 2, 10, '55000', 'a stage that serves nothing'),
	('m', 'production', 1, 10, '22023', 'what serves already'),
	('m', 'production', 2, -0.1, '22023', 'less than nothing'),
	('m', 'production', 2, 100.5, '22023', 'more than all'),
	('m', 'production', 2, 'NaN', '22023', 'no number')
) s (model, stage, version, percent, code, why);
SELECT throws_ok($$ SELECT smartpouch.drop_shadow('m', 'production') $$, '42704', 'stage "production" of model "m" has no shadow');
SELECT throws_ok($$ SELECT smartpouch.shadow_differences('m', 'production') $$, '42704', 'stage "production" of model "m" has no shadow');
SELECT throws_ok($$ SELECT smartpouch.shadow_differences('n', 'production') $$, '42704', NULL, 'nor has a model that is not there');
SELECT is_empty('SELECT FROM smartpouch.shadows', 'there is none');

-- who may
CREATE ROLE sp_kim;
SELECT smartpouch.grant_access('sp_kim', 'predictor'), smartpouch.grant_model('m', 'sp_kim', 'predict') \gset
SET LOCAL ROLE sp_kim;
SELECT throws_ok($$ SELECT smartpouch.set_shadow('m', 'production', 2, 10) $$, '42501', 'permission denied for function set_shadow');
SELECT throws_ok($$ SELECT smartpouch.drop_shadow('m', 'production') $$, '42501', 'permission denied for function drop_shadow');
RESET ROLE;
SELECT smartpouch.grant_access('sp_kim', 'deployer') \gset
SET LOCAL ROLE sp_kim;
SELECT throws_ok($$ SELECT smartpouch.set_shadow('m', 'production', 2, 10) $$, '42501', 'permission denied for model "m"');
SELECT throws_ok($$ SELECT smartpouch.drop_shadow('m', 'production') $$, '42501', 'permission denied for model "m"');
SELECT throws_ok($$ SELECT smartpouch.shadow_differences('m', 'production') $$, '42501', 'permission denied for model "m"');
RESET ROLE;
SELECT is((SELECT count(*)::int FROM smartpouch.history WHERE action LIKE '%shadow'), 0, 'the history has nothing of it');
SELECT * FROM finish();
ROLLBACK;
