-- An outlier detector has a label and a score; every function that gives numbers gives the score.
\set ON_ERROR_STOP 1
\set QUIET 1
\getenv source SMARTPOUCH_SOURCE
BEGIN;
SELECT plan(4);

SELECT smartpouch.import_model('strange',
	pg_read_binary_file(:'source' || '/test/data/onnx_wine_outliers/model.onnx')) \gset

-- 40 rows from far below to far above the training data
CREATE TABLE asked AS
SELECT ordinal, array_fill((1.5 ^ ordinal / 100)::real, ARRAY[13]) AS features FROM generate_series(1, 40) ordinal;
CREATE TABLE answer AS
SELECT b.* FROM (SELECT array_agg(features ORDER BY ordinal) AS block FROM asked) a,
	smartpouch.predict_batch('strange:1', a.block) b;

SELECT ok(count(*) > 0, 'some scores are no labels') FROM answer WHERE value NOT IN (-1, 0, 1);
SELECT is(b.value, s.value, 'predict_batch gives the scores of predict')
FROM (SELECT array_agg(value ORDER BY ordinal) AS value FROM answer) b,
	(SELECT array_agg(smartpouch.predict('strange:1', features) ORDER BY ordinal) AS value FROM asked) s;
SELECT is(b.label, s.label, 'and the labels of predict_label')
FROM (SELECT array_agg(label ORDER BY ordinal) AS label FROM answer) b,
	(SELECT array_agg(smartpouch.predict_label('strange:1', features) ORDER BY ordinal) AS label FROM asked) s;
SELECT ok(bool_and((value < 0) = (label = '-1')), 'a negative score is an outlier') FROM answer;

SELECT * FROM finish();
ROLLBACK;
