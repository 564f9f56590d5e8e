-- Snapshots: taken, exported, imported, restored, dropped; damaged files. (Signatures: test/tap/024_snapshot.pl.)
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(49);
\i tiny.inc
SELECT smartpouch.import_model('sorted', artifact, labels => ARRAY['no', 'yes'], options =>
	'{"golden": [{"features": [40, 60], "expected": {"label": "yes"}}], "on_missing": {"age": 33}}')
FROM tiny WHERE name = 'classifier' \gset
SELECT smartpouch.record_evaluation('sorted:1', 'holdout', '{"accuracy": 0.97}') \gset

SELECT smartpouch.snapshot_model('sorted:1', 'before the change') AS id \gset
SELECT results_eq(
	$$ SELECT model::text COLLATE "default", version, label, program_sha256, artifact_sha256, golden_rows, evaluations FROM smartpouch.snapshots $$,
	$$ SELECT model::text COLLATE "default", version, 'before the change', sha256, artifact_sha256, 1, 1 FROM smartpouch.versions $$,
	'a snapshot is of a version');
SELECT smartpouch.export_snapshot(:id) AS file \gset
SELECT is(smartpouch.export_snapshot(:id), :'file', 'an export is always the same bytes');
SET LOCAL timezone = 'Asia/Kathmandu';
SET LOCAL datestyle = 'German';
SET LOCAL extra_float_digits = -15;
SELECT is(smartpouch.export_snapshot(:id), :'file', 'whatever the settings');
SELECT smartpouch.snapshot_model('sorted:1') AS again \gset
SELECT is(a.sha256, b.sha256, 'two snapshots of the same are the same')
FROM smartpouch.snapshots a, smartpouch.snapshots b WHERE a.id = :id AND b.id = :again;
RESET timezone; RESET datestyle; RESET extra_float_digits;
SELECT smartpouch.drop_snapshot(:again) \gset
SELECT is((SELECT count(*)::int FROM smartpouch.snapshots), 1, 'a snapshot is dropped');

-- the version is gone and comes back
SELECT smartpouch.predict_proba('sorted:1', ARRAY[NULL, 60.5], 'yes') AS answer \gset
CREATE TABLE was AS SELECT * FROM smartpouch.versions;
SELECT smartpouch.drop_model('sorted') \gset
SELECT is((SELECT count(*)::int FROM smartpouch.blob), 2, 'the snapshot keeps the bytes of a dropped model');
SELECT is(smartpouch.export_snapshot(:id), :'file', 'and is still exported');
SELECT is(smartpouch.restore_snapshot(:id), 1, 'restored, the model is there again');
SELECT is(smartpouch.predict_proba('sorted:1', ARRAY[NULL, 60.5], 'yes'), :'answer'::float8, 'and answers the same bits');
SELECT is(to_jsonb(v) - 'imported_at', to_jsonb(w) - 'imported_at', 'with all its metadata')
FROM smartpouch.versions v, was w;
SELECT is((SELECT count(*)::int FROM smartpouch.check_golden('sorted:1') WHERE passed), 1, 'its golden rows');
SELECT results_eq($$ SELECT version, dataset, metrics FROM smartpouch.evaluations $$,
	$$ VALUES (1, 'holdout', '{"accuracy": 0.97}'::jsonb) $$, 'and its evaluations');
SELECT is(smartpouch.restore_snapshot(:id), 2, 'restoring again adds the next version');
SELECT matches((SELECT detail FROM smartpouch.history WHERE version = 2 AND model = 'sorted'),
	'^snapshot [0-9a-f]{16} of model "sorted" version 1$', 'the history says where a version comes from');
SELECT is_empty($$ SELECT * FROM smartpouch.verify_history() $$, 'and is whole');

-- under another name
SELECT is(smartpouch.import_snapshot(:'file', 'copy'), 1, 'an import into another model');
SELECT is(smartpouch.predict_proba('copy:1', ARRAY[NULL, 60.5], 'yes'), :'answer'::float8, 'which answers the same');
SELECT is(smartpouch.import_snapshot(:'file'), 3, 'without a name, into the model of that name');
SELECT is((SELECT array_agg(DISTINCT sha256) FROM smartpouch.versions), (SELECT array_agg(sha256) FROM was),
	'all are one stored form');

-- damage: every byte counts
CREATE FUNCTION pg_temp.refused(file bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM smartpouch.import_snapshot(file, 'damaged');
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;
SELECT results_eq(
	format($$ SELECT DISTINCT pg_temp.refused(set_byte(%L, i, get_byte(%L, i) # 1))
		FROM generate_series(0, %s, 4) i ORDER BY 1 $$, :'file', :'file', octet_length(:'file'::bytea) - 1),
	$$ VALUES ('0A000'), ('22P03') $$, 'a changed byte anywhere is noticed');
SELECT results_eq(
	format($$ SELECT DISTINCT pg_temp.refused(substr(%L::bytea, 1, i)) FROM generate_series(0, %s, 11) i $$,
		:'file', octet_length(:'file'::bytea) - 1), $$ VALUES ('22P03') $$, 'so is a missing end');
SELECT is(pg_temp.refused(:'file'::bytea || '\x00'), '22P03', 'and one byte more');
SELECT throws_ok($$ SELECT smartpouch.import_snapshot('\x1234', 'damaged') $$, '22P03', NULL, 'what is no snapshot at all');
SELECT is_empty($$ SELECT FROM smartpouch.models WHERE model = 'damaged' $$, 'nothing of it is stored');

-- damage with right hashes: files made by somebody
CREATE FUNCTION pg_temp.le(number bigint, bytes integer) RETURNS bytea LANGUAGE sql AS $$
	SELECT string_agg(set_byte('\x00', 0, ((number >> (8 * i)) & 255)::integer), ''::bytea ORDER BY i)
	FROM generate_series(0, bytes - 1) i $$;
CREATE FUNCTION pg_temp.made(content text, program bytea, artifact bytea) RETURNS bytea LANGUAGE sql AS $$
	WITH part AS (
		SELECT i, name, bytes FROM (VALUES (1, 'content.json', convert_to(content, 'UTF8')), (2, 'program', program),
			(3, 'artifact', artifact)) p (i, name, bytes)
	), body AS (
		SELECT '\x89'::bytea || 'SPSNAP' || '\x0a' || pg_temp.le(1, 4) || pg_temp.le(3, 4)
			|| (SELECT string_agg(pg_temp.le(length(name), 1) || convert_to(name, 'UTF8')
				|| pg_temp.le(octet_length(bytes), 8) || pg_temp.le(octet_length(bytes) + 4, 8) || sha256(bytes),
				''::bytea ORDER BY i) FROM part)
			|| (SELECT string_agg(pg_temp.le(octet_length(bytes), 4) || bytes, ''::bytea ORDER BY i) FROM part) AS bytes
	)
	SELECT bytes || sha256(bytes) FROM body $$;
SELECT string_agg(b.bytes, ''::bytea ORDER BY seq) AS program FROM smartpouch.blob b WHERE sha256 = (SELECT sha256 FROM was) \gset
SELECT string_agg(b.bytes, ''::bytea ORDER BY seq) AS artifact FROM smartpouch.blob b WHERE sha256 = (SELECT artifact_sha256 FROM was) \gset
SELECT content FROM smartpouch.snapshot WHERE id = :id \gset
SELECT is(smartpouch.import_snapshot(pg_temp.made(:'content', :'program'::bytea, :'artifact'::bytea), 'made'), 1, 'a file that another program made');
SELECT is(pg_temp.refused(pg_temp.made(content, :'program'::bytea, :'artifact'::bytea)), code, why)
FROM (VALUES
	('{', '22P02', 'content that is not JSON'),
	('[]', '22P03', 'content that is not an object'),
	('{}', '22P03', 'content without anything'),
	((:'content'::jsonb - 'golden')::text, '22P03', 'content without golden rows'),
	(jsonb_set(:'content', '{golden}', '1')::text, '22023', 'golden rows that are none'),
	(jsonb_set(:'content', '{golden, 0, expected}', '{"label": "no"}')::text, '22023', 'golden rows with another answer'),
	(jsonb_set(:'content', '{evaluations}', '[1]')::text, '22023', 'evaluations that are none'),
	(jsonb_set(:'content', '{evaluations}', '{}')::text, '22P03', 'evaluations that are no array'),
	(jsonb_set(:'content', '{on_missing}', '"error"')::text, '22P03', 'another rule for missing values than the program has'),
	(jsonb_set(:'content', '{source_format}', '"pickle"')::text, '22P03', 'an unknown source format'),
	(jsonb_set(:'content', '{version}', '"1"')::text, '22P03', 'a version that is not a number'),
	(repeat('[', 100000), '54001', 'content that is nested too deeply')
) c (content, code, why);
SELECT throws_ok(format($$ SELECT smartpouch.import_snapshot(%L) $$,
	pg_temp.made(jsonb_set(:'content', '{model}', '"no name!"')::text, :'program'::bytea, :'artifact'::bytea)),
	'22023', NULL, 'a name that is none');
SELECT is(pg_temp.refused(pg_temp.made(:'content', substr(:'program'::bytea, 1, 100), :'artifact'::bytea)), '22P03', 'half a program');
-- 900 pieces of a mebibyte, of one byte each
SELECT throws_ok(format('SELECT smartpouch.import_snapshot(%L)', body || sha256(body)), '22P03',
	'the snapshot is damaged: part "content.json" is said to have 943718400 bytes, compressed to 4500', 'a part that no compression could make')
FROM (SELECT '\x89'::bytea || 'SPSNAP' || '\x0a' || pg_temp.le(1, 4) || pg_temp.le(3, 4)
	|| string_agg(pg_temp.le(length(name), 1) || convert_to(name, 'UTF8') || pg_temp.le(900 * 1048576, 8) || pg_temp.le(4500, 8) || sha256(''), ''::bytea)
	|| decode(repeat('0100000001', 3 * 900), 'hex') AS body
	FROM unnest(ARRAY['content.json', 'program', 'artifact']) name) b;
SET LOCAL smartpouch.max_model_size = '1kB';
SELECT throws_ok(format($$ SELECT smartpouch.import_snapshot(%L) $$, :'file'::bytea), '54000', NULL, 'a part over the limit');
RESET smartpouch.max_model_size;

-- who may
SELECT throws_ok('SELECT smartpouch.export_snapshot(-1)', '42704', 'snapshot -1 does not exist');
CREATE ROLE sp_dave;
GRANT USAGE ON SCHEMA smartpouch TO sp_dave;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO sp_dave;
SET LOCAL ROLE sp_dave;
SELECT throws_ok(format('SELECT smartpouch.%s(%s)', f, :id), '42501', NULL, 'others may not ' || f)
FROM unnest(ARRAY['export_snapshot', 'restore_snapshot', 'drop_snapshot', 'sign_snapshot']) f;
RESET ROLE;

-- promotions take one
SELECT smartpouch.promote('copy', 1, 'staging') \gset
SELECT smartpouch.promote('copy', 1, 'production') \gset
SELECT results_eq($$ SELECT version, label FROM smartpouch.snapshots WHERE model = 'copy' $$,
	$$ VALUES (1, 'promotion to production') $$, 'a promotion to production takes a snapshot');

-- a model that was renamed gets its own back, not who has its name now
SELECT id AS kept FROM smartpouch.snapshots WHERE model = 'copy' \gset
SELECT smartpouch.rename_model('copy', 'moved') AS done, smartpouch.import_model('copy', artifact) AS other FROM tiny WHERE name = 'regression' \gset
SELECT is(smartpouch.restore_snapshot(:kept), 2, 'the next version of its model');
SELECT results_eq($$ SELECT model::text COLLATE "default", max(version) FROM smartpouch.versions WHERE model IN ('copy', 'moved') GROUP BY 1 ORDER BY 1 $$,
	$$ VALUES ('copy', 1), ('moved', 2) $$, 'under its new name');

SELECT * FROM finish();
ROLLBACK;
