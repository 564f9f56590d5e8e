-- Uploads in pieces: by one role, in any order, whole or not at all.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(19);
\i tiny.inc
CREATE ROLE sp_ina;
CREATE ROLE sp_joe;
GRANT USAGE ON SCHEMA smartpouch TO sp_ina, sp_joe;
GRANT SELECT ON tiny TO sp_ina, sp_joe;
SET LOCAL ROLE sp_ina;
SELECT throws_ok($$ SELECT smartpouch.upload_begin('m') $$, '42501', 'permission denied for function upload_begin');
SELECT throws_ok($$ SELECT smartpouch.upload_chunk(1, 1, 'x') $$, '42501', 'permission denied for function upload_chunk');
SELECT throws_ok($$ SELECT smartpouch.import_upload(1) $$, '42501', 'permission denied for function import_upload');
RESET ROLE;
SELECT smartpouch.grant_access('sp_ina', 'deployer'), smartpouch.grant_access('sp_joe', 'deployer') \gset

SET LOCAL ROLE sp_ina;
SELECT smartpouch.upload_begin('m') AS id \gset
SELECT length(artifact) / 2 AS half FROM tiny WHERE name = 'regression' \gset
SELECT throws_ok(format('SELECT smartpouch.import_upload(%s)', :id), '22P03', NULL, 'nothing has come');
SELECT lives_ok(format('SELECT smartpouch.upload_chunk(%s, 2, substr(artifact, %s)) FROM tiny WHERE name = ''regression''', :id, :half + 1), 'the second half');
SELECT throws_ok(format('SELECT smartpouch.import_upload(%s)', :id), '22023', NULL, 'the first is missing');
SELECT throws_ok(format('SELECT smartpouch.upload_chunk(%s, %s, ''x'')', :id, n), '22023', NULL, 'there is no piece ' || n) FROM unnest(ARRAY[0, -1]) n;
SET LOCAL ROLE sp_joe;
SELECT throws_ok(format('SELECT smartpouch.upload_chunk(%s, 1, ''x'')', :id), '42704', format('upload %s does not exist', :id), 'nobody else adds to it');
SELECT throws_ok(format('SELECT smartpouch.import_upload(%s)', :id), '42704', NULL, 'or ends it');
SET LOCAL ROLE sp_ina;
SELECT lives_ok(format('SELECT smartpouch.upload_chunk(%s, 1, substr(artifact, 1, %s)) FROM tiny WHERE name = ''regression''', :id, :half), 'the first half');
SELECT is(smartpouch.import_upload(:id), 1, 'both are a model');
SELECT is(smartpouch.predict('m:1', ARRAY[40, 60]), (SELECT smartpouch.predict('m:1', '{"age": 40, "weight": 60}'::jsonb)), 'that answers');
SELECT is((SELECT owner FROM smartpouch.models WHERE model = 'm'), 'sp_ina'::name, 'and is hers');
SELECT throws_ok(format('SELECT smartpouch.import_upload(%s)', :id), '42704', NULL, 'once');
SELECT throws_ok('SELECT smartpouch.import_upload(NULL)', '22004', NULL, 'an upload is named');
SET LOCAL ROLE sp_joe;
SELECT smartpouch.upload_begin('m') AS id \gset
SELECT smartpouch.upload_chunk(:id, 1, artifact) AS done FROM tiny WHERE name = 'regression' \gset
SELECT throws_ok(format('SELECT smartpouch.import_upload(%s)', :id), '42501', 'must be owner of model "m"');
RESET ROLE;
SET LOCAL smartpouch.max_model_size = '1kB';
SET LOCAL ROLE sp_joe;
SELECT throws_ok(format('SELECT smartpouch.upload_chunk(%s, 2, %L)', :id, repeat('x', 2000)), '54000', NULL, 'no more than a model may have');
RESET ROLE;
SELECT is((SELECT count(*)::int FROM smartpouch.upload WHERE role_oid <> 'sp_joe'::regrole), 0, 'what was ended is gone');
SELECT * FROM finish();
ROLLBACK;
