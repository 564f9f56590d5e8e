-- What one statement leaves with a loaded model for the next: other types,
-- other shapes of rows, other versions of the same content, errors in between.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(53);
\i tiny.inc

SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression' \gset
SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression' \gset
SELECT smartpouch.import_model('n', artifact) FROM tiny WHERE name = 'regression' \gset
CREATE TABLE person (id integer, age real, weight real);
INSERT INTO person VALUES (1, 40, 60), (2, 20, 80);

SELECT is(smartpouch.predict('m:1', p), 1.75::float8, 'a row') FROM person p WHERE id = 1;
SELECT is(smartpouch.predict('m:1', p), 0::float8, 'a row of the same shape') FROM person p WHERE id = 2;
SELECT is(smartpouch.predict('m:1', ARRAY[40, 60]), 1.75::float8, 'then an array of integers');
SELECT is(smartpouch.predict('m:1', ARRAY[20, 80]::numeric[]), 0::float8, 'of numeric');
SELECT is(smartpouch.predict('m:1', '{"age": 40, "weight": 60}'::jsonb), 1.75::float8, 'and jsonb');
SELECT is(smartpouch.predict('m:1', p), 1.75::float8, 'a row again') FROM person p WHERE id = 1;

-- the shape changes between statements
ALTER TABLE person RENAME COLUMN age TO height;
ALTER TABLE person RENAME COLUMN weight TO age;
ALTER TABLE person RENAME COLUMN height TO weight;
SELECT is(smartpouch.predict('m:1', p), 2::float8 - 0.25, 'renamed columns are found by name') FROM person p WHERE id = 1;
SELECT is(smartpouch.predict('m:1', p), 2::float8 - 0.25, 'whatever came before') FROM person p WHERE id = 2;
ALTER TABLE person ALTER COLUMN age TYPE numeric;
SELECT is(smartpouch.predict('m:1', p), 1.75::float8, 'a column of another type') FROM person p WHERE id = 1;
ALTER TABLE person ADD COLUMN unused text DEFAULT 'x', DROP COLUMN id;
SELECT is(sum(smartpouch.predict('m:1', p)), 3.5::float8, 'columns that come and go') FROM person p;
ALTER TABLE person DROP COLUMN age;
SELECT throws_like($$ SELECT smartpouch.predict('m:1', p) FROM person p $$,
	'%no column for 1 of the 2 features of model "m" version 1%', 'a column that is gone');
SELECT is(smartpouch.predict('m:1', q), 1.75::float8, 'after an error another row')
FROM (SELECT 60::smallint AS weight, 40::bigint AS age) q;

-- versions and models of the same content
SELECT throws_like($$ SELECT smartpouch.predict('m:2', ARRAY[1]) $$, 'model "m" version 2 needs 2 features%', 'messages name the version');
SELECT throws_like($$ SELECT smartpouch.predict('n:1', ARRAY[1]) $$, 'model "n" version 1 needs 2 features%', 'and the model');
SELECT throws_like($$ SELECT smartpouch.predict('m:1', ARRAY[1]) $$, 'model "m" version 1 needs 2 features%', 'of this statement');

-- several sites at once, and one inside another
SELECT is(smartpouch.predict('m:1', ARRAY[smartpouch.predict('m:1', ARRAY[40, 60]) + smartpouch.predict('m:1', ARRAY[20, 80]), 80]),
	0::float8, 'sites of one statement do not share');
CREATE FUNCTION nested(integer) RETURNS double precision LANGUAGE plpgsql AS $$ BEGIN
	RETURN smartpouch.predict('m:1', ARRAY[$1, 60]) + CASE WHEN $1 > 38 THEN nested($1 - 1) ELSE 0 END; END $$;
SELECT is(nested(40), 3 * 1.75::float8, 'nor do nested calls');

-- values read in place, and where they have none: NULLs, columns of variable length in front, columns added later
CREATE FUNCTION differing(columns text) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN
	EXECUTE format('CREATE TABLE pg_temp.shape (%s)', columns);
	INSERT INTO pg_temp.shape (age, weight) VALUES (40, 60), (20, 80), (30, 70), (NULL, 60), (29, NULL);
	ALTER TABLE pg_temp.shape ADD COLUMN later boolean DEFAULT true;
	INSERT INTO pg_temp.shape (age, weight) VALUES (40, 60), (20, 80), (NULL, NULL);
	SELECT count(*) INTO STRICT n FROM pg_temp.shape s
	WHERE smartpouch.predict('m:1', s) IS DISTINCT FROM smartpouch.predict('m:1', ARRAY[age, weight]::real[])
	OR smartpouch.predict('m:1', s) IS DISTINCT FROM smartpouch.predict('m:1', to_jsonb(s));
	DROP TABLE pg_temp.shape;
	RETURN n;
END $$;
SELECT is(differing(columns), 0::bigint, columns) FROM unnest(ARRAY[
	'age real, weight real', 'weight real, age real', 'age double precision, weight integer',
	'flag boolean DEFAULT true, age smallint, weight bigint', 'id integer DEFAULT 1, age bigint, c "char" DEFAULT $$x$$, weight smallint',
	'age numeric, weight real', 'age real, note text DEFAULT $$some text$$, weight real', 'note text DEFAULT $$x$$, age real, weight integer',
	'age integer, name name DEFAULT $$x$$, weight real', 'id integer, age real, weight real']) columns;
SELECT is(smartpouch.predict('m:1', q), smartpouch.predict('m:1', ARRAY[1, 0]), 'truth values') FROM (SELECT true AS age, false AS weight) q;
SELECT throws_like($$ SELECT smartpouch.predict('m:1', q) FROM (SELECT 'Infinity'::real AS age, 1 AS weight) q $$,
	'feature "age" of model "m" version 1 is infinite%', 'an infinite value in place');
SELECT is(smartpouch.predict('m:1', q), smartpouch.predict('m:1', ARRAY[NULL, 60]::real[]), 'NaN is missing')
FROM (SELECT 'NaN'::double precision AS age, 60::real AS weight) q;

-- arrays in tables, whose short lengths leave nothing aligned
CREATE DOMAIN reals AS real[];
CREATE DOMAIN scale AS real;
CREATE TABLE short (odd "char" DEFAULT 'x', f4 real[], more "char" DEFAULT 'y', f8 double precision[], n numeric[], i integer[], d reals, s scale[]);
INSERT INTO short (f4, f8, n, i, d, s) SELECT a, a, a, a, a, a FROM (VALUES (ARRAY[40, 60]::real[]), (ARRAY[20, 80]),
	(ARRAY[NULL, 60]), ('[5:6]={40,60}')) v (a);
SELECT is((SELECT array_agg(smartpouch.predict('m:1', f4)) FROM short), (SELECT array_agg(smartpouch.predict('m:1', f4 || '{}')) FROM short), 'real[]');
SELECT is((SELECT array_agg(smartpouch.predict('m:1', f8)) FROM short), (SELECT array_agg(smartpouch.predict('m:1', f4)) FROM short), 'double precision[]');
SELECT is((SELECT array_agg(smartpouch.predict('m:1', n)) FROM short), (SELECT array_agg(smartpouch.predict('m:1', f4)) FROM short), 'numeric[]');
SELECT is((SELECT array_agg(smartpouch.predict('m:1', i)) FROM short), (SELECT array_agg(smartpouch.predict('m:1', f4)) FROM short), 'integer[]');
SELECT is((SELECT array_agg(smartpouch.predict('m:1', d)) FROM short), (SELECT array_agg(smartpouch.predict('m:1', f4)) FROM short), 'a domain over real[]');
SELECT is((SELECT array_agg(smartpouch.predict('m:1', s)) FROM short), (SELECT array_agg(smartpouch.predict('m:1', f4)) FROM short), 'an array of a domain over real');
SELECT is((SELECT array_agg(smartpouch.predict('m:1', f4)) FROM short), ARRAY[1.75, 0, -0.25, 1.75]::float8[], 'the numbers');
CREATE TABLE wrong AS SELECT * FROM (VALUES ('{}'::real[]), ('{1}'), ('{1,2,3}'), ('{{1,2}}'), ('{1,Infinity}')) v (a);
SELECT throws_like($$ SELECT smartpouch.predict('m:1', a) FROM wrong WHERE cardinality(a) = 0 $$, '%needs 2 features, the array has 0', 'none');
SELECT throws_like($$ SELECT smartpouch.predict('m:1', a) FROM wrong WHERE cardinality(a) = 3 $$, '%needs 2 features, the array has 3', 'too many');
SELECT throws_like($$ SELECT smartpouch.predict('m:1', a) FROM wrong WHERE array_ndims(a) = 2 $$, '%one-dimensional array, this one has 2%', 'two dimensions');
SELECT throws_like($$ SELECT smartpouch.predict('m:1', a) FROM wrong WHERE a[2] = 'Infinity' $$, 'feature "weight" of model "m" version 1 is infinite%', 'infinite');

-- the label of one call is not that of the next
SELECT smartpouch.import_model('c', artifact) FROM tiny WHERE name = 'classifier' \gset
SELECT is(array_agg(round(smartpouch.predict_proba('c:1', ARRAY[40, 60], label)::numeric, 3) = round(p[1 + label::integer]::numeric, 3)),
	ARRAY[true, true, true, true], 'labels in turns')
FROM (VALUES ('0'), ('1'), ('1'), ('0')) v (label), (SELECT smartpouch.predict_proba('c:1', ARRAY[40, 60]) AS p) q;
SELECT throws_like($$ SELECT smartpouch.predict_proba('c:1', ARRAY[40, 60], label) FROM (VALUES ('1'), ('10')) v (label) $$,
	'%has no label "10"', 'a label that begins like the one before');

-- references in turns at one place, more of them than sites are set aside for
SELECT is(array_agg(DISTINCT (smartpouch.predict_json(ref, '{"age": 40, "weight": 60}') ->> 'model') || ':' ||
		(smartpouch.predict_json(ref, '{"age": 40, "weight": 60}') ->> 'version') = ref), ARRAY[true], 'references in turns')
FROM (VALUES ('m:1'), ('m:2'), ('n:1'), ('c:1')) v (ref), generate_series(1, 3);
SELECT count(smartpouch.set_alias('m', 'alias' || i, 1 + i % 2)) FROM generate_series(1, 40) i \gset
SELECT is(array_agg(DISTINCT smartpouch.predict_json('m@alias' || i, '{"age": 40, "weight": 60}') ->> 'version' = (1 + i % 2)::text), ARRAY[true],
	'forty references') FROM generate_series(1, 40) i, generate_series(1, 2);
SELECT ok(count(*) FILTER (WHERE name = 'smartpouch call site') BETWEEN 1 AND 17, 'sites that are set aside have a limit')
FROM pg_backend_memory_contexts;
SELECT ok(count(*) FILTER (WHERE name = 'smartpouch evaluator') BETWEEN 1 AND 17, 'and so have evaluators')
FROM pg_backend_memory_contexts;

-- what the next statement sees differently
SELECT is(smartpouch.predict('m@alias2', ARRAY[40, 60]), 1.75::float8, 'an alias');
SELECT smartpouch.evict_model('m:1') \gset
SELECT is(smartpouch.predict('m@alias2', ARRAY[40, 60]), 1.75::float8, 'a model that was dropped from memory');
SELECT smartpouch.set_alias('m', 'alias2', 2) \gset
SELECT is(smartpouch.predict_json('m@alias2', '[40, 60]') ->> 'version', '2', 'an alias that moves');
CREATE ROLE call_site_stranger;
GRANT USAGE ON SCHEMA smartpouch TO call_site_stranger;
GRANT EXECUTE ON FUNCTION smartpouch.predict(text, anyelement) TO call_site_stranger;
SET LOCAL ROLE call_site_stranger;
PREPARE stranger AS SELECT smartpouch.predict('m@alias2', ARRAY[40, 60]);
SELECT throws_ok('EXECUTE stranger', '42501', NULL, 'another user');
RESET ROLE;
SELECT is(smartpouch.predict('m@alias2', ARRAY[40, 60]), 1.75::float8, 'the one before again');
SELECT smartpouch.drop_alias('m', 'alias2') \gset
SELECT throws_ok($$ SELECT smartpouch.predict('m@alias2', ARRAY[40, 60]) $$, '42704', NULL, 'an alias that is gone');

SELECT * FROM finish();
ROLLBACK;
