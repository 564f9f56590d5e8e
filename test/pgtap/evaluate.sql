-- Scores: aggregates, evaluate(), record_evaluation().
-- (That their numbers are scikit-learn's is test/parity/scores.py's to say.)
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(48);
\i tiny.inc
SELECT smartpouch.import_model('sorted', artifact, labels => ARRAY['no', 'yes']) FROM tiny WHERE name = 'classifier' \gset
SELECT smartpouch.import_model('number', artifact) FROM tiny WHERE name = 'regression' \gset
SELECT smartpouch.promote('sorted', 1, 'production') \gset
SELECT smartpouch.promote('number', 1, 'production') \gset

CREATE TABLE person (id integer, age real, weight real, kind text);
INSERT INTO person
SELECT i, i, 60 + i % 20, CASE WHEN i >= 30 THEN 'yes' ELSE 'no' END FROM generate_series(20, 39) i;

-- aggregates
SELECT is(smartpouch.accuracy(t, p), 0.5::float8, 'accuracy of text')
FROM (VALUES ('a', 'a'), ('a', 'b')) v (t, p);
SELECT is(smartpouch.accuracy(t, p), 1::float8, 'an integer equals the same number of predict()')
FROM (VALUES (1, 1::float8), (0, 0::float8), (0, '-0'::float8)) v (t, p);
SELECT is(smartpouch.accuracy(t, p), 1::float8, 'numerics with other scales are equal')
FROM (VALUES (1.0, 1.00), (0, 0.0)) v (t, p);
SELECT is(smartpouch.accuracy(t, p), 0.5::float8, 'booleans')
FROM (VALUES (true, true), (false, true)) v (t, p);
SELECT is(smartpouch.accuracy(t, p), 1::float8, 'rows with NULL do not count')
FROM (VALUES ('a', 'a'), (NULL, 'b'), ('b', NULL)) v (t, p);
SELECT is(smartpouch.accuracy(t, p), NULL, 'no rows give NULL') FROM (VALUES ('a', 'a')) v (t, p) WHERE false;
SELECT is(smartpouch.accuracy(t, p), NULL, 'only rows with NULL too') FROM (VALUES (NULL::text, 'a')) v (t, p);
SELECT is(array_agg(a), ARRAY[1, 1, 0.5, 0.5]::float8[], 'as window functions') FROM (
	SELECT smartpouch.accuracy(t, p) OVER (PARTITION BY g) AS a
	FROM (VALUES (1, 'a', 'a'), (1, 'b', 'b'), (2, 'a', 'a'), (2, 'a', 'b')) v (g, t, p)) s;
SELECT is(smartpouch.confusion_matrix(t, p), '{"labels": ["2", "9", "10"], "matrix": [[1, 0, 0], [0, 0, 1], [0, 0, 1]]}',
	'numbers are ordered as numbers, rows are the truth') FROM (VALUES (2, 2), (9, 10), (10, 10)) v (t, p);
SELECT is(smartpouch.confusion_matrix(t, p) -> 'labels', '["B", "a", "ä"]', 'names byte by byte')
FROM (VALUES ('a', 'a'), ('ä', 'ä'), ('B', 'B')) v (t, p);
SELECT is(smartpouch.precision_score(t, p, 'macro'), 0.25::float8, 'a label that is never predicted has precision 0')
FROM (VALUES ('a', 'a'), ('b', 'a')) v (t, p);
SELECT throws_ok($$ SELECT smartpouch.f1_score(t, p, 'binary') FROM (VALUES ('a', 'a')) v (t, p) $$,
	'22023', 'average "binary" is not known');
SELECT throws_ok($$ SELECT smartpouch.f1_score(t, p, NULL) FROM (VALUES ('a', 'a')) v (t, p) $$,
	'22004', 'average must not be NULL');
SELECT throws_ok($$ SELECT smartpouch.accuracy(i, i) FROM generate_series(1, 1001) i $$,
	'54000', 'there are more than 1000 different labels');
SET LOCAL smartpouch.max_score_labels = 1001;
SELECT lives_ok($$ SELECT smartpouch.accuracy(i, i) FROM generate_series(1, 1001) i $$, 'which is a setting');
RESET smartpouch.max_score_labels;
SELECT is(smartpouch.roc_auc(t, s), 0.75::float8, 'a tie counts half')
FROM (VALUES (true, 2::float8), (false, 1), (true, 1)) v (t, s);
SELECT is(smartpouch.roc_auc(t, s), 1::float8, 'infinities have their place')
FROM (VALUES (1, 'Infinity'::float8), (-1, '-Infinity'), (0, 0)) v (t, s);
SELECT is(smartpouch.roc_auc(t, s), NULL, 'one class has no curve') FROM (VALUES (true, 0.5::float8)) v (t, s);
SELECT throws_ok($$ SELECT smartpouch.roc_auc(2, 0.5) $$, '22023', 'truth is 2, but a ROC curve has two classes');
SELECT throws_ok($$ SELECT smartpouch.roc_auc(true, 'NaN') $$, '22023', 'a score is NaN and has no place in a ROC curve');
SELECT is(smartpouch.rmse(t, p), NULL, 'no rows have no error') FROM (VALUES (1::float8, 1::float8)) v (t, p) WHERE false;
SELECT is(smartpouch.rmse(t, p), 'NaN'::float8, 'NaN stays NaN') FROM (VALUES (1::float8, 'NaN'::float8), (1, 1)) v (t, p);
SELECT is(smartpouch.r2(t, p), NULL, 'one row explains nothing') FROM (VALUES (1::float8, 2::float8)) v (t, p);
SELECT throws_ok($$ SELECT smartpouch.log_loss('c', ARRAY[0.5, 0.5], ARRAY['a', 'b']) $$,
	'22023', 'truth "c" is not one of the labels');
SELECT throws_ok($$ SELECT smartpouch.log_loss('a', ARRAY[0.5], ARRAY['a', 'b']) $$,
	'22023', 'there must be one probability for each of the 2 labels');
SELECT throws_ok($$ SELECT smartpouch._errors_add('{0}', 1, 1) $$, 'XX000', 'called outside of an aggregate');

-- evaluate
SELECT is(smartpouch.evaluate('sorted', 'SELECT *, kind AS truth FROM person') - 'log_loss' - 'classes',
	(SELECT smartpouch.classification_report(kind, smartpouch.predict_label('sorted', person)) - 'classes'
		|| jsonb_build_object('rows', 20, 'skipped', 0,
			'roc_auc', smartpouch.roc_auc(kind = 'yes', smartpouch.predict_proba('sorted', person, 'yes')),
			'confusion_matrix', smartpouch.confusion_matrix(kind, smartpouch.predict_label('sorted', person)))
	FROM person), 'evaluate says what the aggregates say, of columns by name');
SELECT is(smartpouch.evaluate('number', 'SELECT ARRAY[age, weight], 1 AS truth FROM person'),
	(SELECT jsonb_build_object('rows', 20, 'skipped', 0, 'mae', smartpouch.mae(1, p), 'rmse', smartpouch.rmse(1, p),
		'mape', smartpouch.mape(1, p), 'r2', smartpouch.r2(1, p))
	FROM person, smartpouch.predict('number', person) p), 'of an array');
SELECT is(smartpouch.evaluate('number:1', 'SELECT to_jsonb(p), 1 AS truth FROM person p'),
	smartpouch.evaluate('number', 'SELECT p, 1.0 AS truth FROM person p'), 'of jsonb and a row alike');
SELECT is(smartpouch.evaluate('sorted', 'SELECT age, weight, kind = ''yes'' AS truth FROM person') -> 'skipped', '0',
	'a boolean truth is compared with labels');
SELECT is(smartpouch.evaluate('sorted', 'SELECT age, weight, NULLIF(kind, ''no'') AS truth FROM person') -> 'skipped', '10',
	'a NULL truth is skipped and counted');
SELECT is((e -> 'roc_auc', e -> 'log_loss', e -> 'classes' -> 'other' -> 'support'), ('null'::jsonb, 'null'::jsonb, '1'::jsonb),
	'a label that the model does not know counts as wrong; there is no curve')
FROM smartpouch.evaluate('sorted',
	'SELECT age, weight, CASE id WHEN 20 THEN ''other'' ELSE kind END AS truth FROM person') e;
SELECT throws_ok($$ SELECT smartpouch.evaluate('sorted', 'SELECT age, weight FROM person') $$,
	'22023', 'the query has no column "truth"');
SELECT throws_ok($$ SELECT smartpouch.evaluate('sorted', 'SELECT 1 AS truth') $$,
	'22023', 'the query has no columns for the features');
SELECT throws_ok($$ SELECT smartpouch.evaluate('sorted', 'SELECT *, 1 AS truth FROM person WHERE false') $$,
	'22023', 'there is no row to evaluate model "sorted" version 1 with');
SELECT throws_ok($$ SELECT smartpouch.evaluate('number', 'SELECT *, kind AS truth FROM person') $$,
	'22023', 'model "number" version 1 predicts numbers, but the truth is of type text');
SELECT throws_ok($$ SELECT smartpouch.evaluate('number', 'DELETE FROM person RETURNING *, 1 AS truth') $$,
	'0A000', 'DELETE is not allowed in a non-volatile function', 'the query changes nothing');
SELECT throws_ok($$ SELECT smartpouch.evaluate('number', 'SELECT 1; SELECT 2') $$,
	'22023', 'the query must be one statement that returns rows');
SELECT throws_ok($$ SELECT smartpouch.evaluate('number', 'SELECT age, 1 AS truth FROM person') $$, '22023', NULL,
	'features are bound as by predict()');

-- recall of each label and their mean
SELECT is(smartpouch.recall_score(t, p, 'macro'), 0.75::float8, 'recall: the mean of 1/2 and 1') FROM (VALUES ('a', 'a'), ('a', 'b'), ('b', 'b')) v (t, p);
SELECT is(smartpouch.balanced_accuracy(t, p), 0.75::float8, 'which is the balanced accuracy') FROM (VALUES ('a', 'a'), ('a', 'b'), ('b', 'b')) v (t, p);
SELECT is(smartpouch.balanced_accuracy(t, p), 0.5::float8, 'a label that is only predicted does not count') FROM (VALUES ('a', 'a'), ('a', 'b')) v (t, p);
SELECT is(smartpouch.balanced_accuracy(t, p), NULL, 'of nothing there is none') FROM (VALUES ('a', 'a')) v (t, p) WHERE false;

-- with the caller's rights
CREATE ROLE sp_carol;
GRANT USAGE ON SCHEMA smartpouch TO sp_carol;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO sp_carol;
SET LOCAL ROLE sp_carol;
SELECT throws_ok($$ SELECT smartpouch.evaluate('number', 'SELECT *, 1 AS truth FROM person') $$, '42501', NULL,
	'the query runs with the caller''s rights');
SELECT throws_ok($$ SELECT smartpouch.record_evaluation('number', 'holdout', '{"r2": 1}') $$, '42501', NULL,
	'others may not record');
RESET ROLE;

-- record_evaluation
SELECT smartpouch.record_evaluation('sorted', 'holdout', smartpouch.evaluate('sorted', 'SELECT *, kind AS truth FROM person')) \gset
SELECT results_eq($$ SELECT model::text COLLATE "default", version, dataset, metrics -> 'rows', seq FROM smartpouch.evaluations $$,
	$$ VALUES ('sorted', 1, 'holdout', '20'::jsonb, 1) $$, 'an evaluation is kept');
SELECT throws_ok($$ SELECT smartpouch.record_evaluation('sorted', 'holdout', '[1]') $$,
	'22023', 'metrics must be an object of named numbers');
SELECT throws_ok($$ UPDATE smartpouch.evaluation SET dataset = 'other' $$, NULL, NULL, 'and never changed');

SELECT * FROM finish();
ROLLBACK;
