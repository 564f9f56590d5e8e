-- Calls in the scan of a table read the row where it is: the same answers and
-- errors as of a value of the row's type, whatever has happened to the table.
\set ON_ERROR_STOP 1
\set QUIET 1
LOAD 'smartpouch';
BEGIN;
SELECT plan(33);
\i tiny.inc
SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression' \gset
SELECT smartpouch.import_model('c', artifact) FROM tiny WHERE name = 'classifier' \gset
SET LOCAL max_parallel_workers_per_gather = 0;

CREATE FUNCTION explained(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	lines text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
		lines := lines || line || E'\n';
	END LOOP;
	RETURN lines;
END $$;
-- rows for which a prediction in place (plans of one row, and filters) is not that of a value
CREATE FUNCTION differing() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	one integer;
	in_place double precision;
	filtered bigint;
	n bigint := 0;
	made record;
BEGIN
	FOR made IN SELECT id, smartpouch.predict('m:1', q) AS of_value FROM (SELECT * FROM person OFFSET 0) q LOOP
		SELECT smartpouch.predict('m:1', p) INTO STRICT in_place FROM person p WHERE id = made.id;
		SELECT count(*) INTO STRICT filtered FROM person p
		WHERE id = made.id AND smartpouch.predict('m:1', p) = made.of_value;
		n := n + CASE WHEN in_place IS DISTINCT FROM made.of_value OR filtered <> 1 THEN 1 ELSE 0 END;
	END LOOP;
	RETURN n;
END $$;

CREATE TABLE person (id integer PRIMARY KEY, age real, weight real);
INSERT INTO person SELECT i, 20 + i % 21, 40 + i % 60 FROM generate_series(1, 500) i;
INSERT INTO person VALUES (501, NULL, 60), (502, 40, NULL), (503, NULL, NULL), (504, 'NaN', 60);
ANALYZE person;

-- shown as they were written; what is executed is in test/tap/020_batch.pl
SELECT matches(explained(query), pattern, query)
FROM (VALUES
	($$SELECT smartpouch.predict('m:1', p) FROM person p WHERE id = 1$$, ', p\.\*'),
	($$SELECT smartpouch.predict_raw('m:1', p) FROM person p WHERE id = 1$$, ', p\.\*'),
	($$SELECT smartpouch.predict_label('c:1', p) FROM person p WHERE id = 1$$, ', p\.\*'),
	($$SELECT smartpouch.predict_proba('c:1', p) FROM person p WHERE id = 1$$, ', p\.\*'),
	($$SELECT smartpouch.predict_proba('c:1', p, '1') FROM person p WHERE id = 1$$, ', p\.\*'),
	($$SELECT CASE WHEN id > 1 THEN smartpouch.predict('m:1', p) END FROM person p$$, ', p\.\*'),
	($$SELECT id FROM person p WHERE smartpouch.predict('m:1', p) > 1$$, 'Filter: .*, p\.\*'),
	($$UPDATE person p SET weight = smartpouch.predict('m:1', p)$$, ', p\.\*'),
	-- not of what is no table's row
	($$SELECT smartpouch.predict('m:1', q) FROM (SELECT * FROM person OFFSET 0) q WHERE id = 1$$, 'q\.\*'),
	($$SELECT smartpouch.predict('m:1', a) FROM person a, person b WHERE a.id = b.weight AND b.id = 1$$, '[^(]a\.\*'),
	-- routing may evaluate a second version, which takes a value
	($$SELECT smartpouch.predict_for('m:1', 'key', p) FROM person p WHERE id = 1$$, 'person\.\*|p\.\*')) q (query, pattern);

SELECT is(differing(), 0::bigint, 'numbers and NULLs');
ALTER TABLE person ADD COLUMN later text DEFAULT repeat('x', 3000);
INSERT INTO person SELECT i, 20 + i % 21, 40 + i % 60 FROM generate_series(601, 620) i;
SELECT is(differing(), 0::bigint, 'a column that older rows do not have');
ALTER TABLE person ADD COLUMN height integer DEFAULT 60;
ALTER TABLE person RENAME COLUMN weight TO old_weight;
ALTER TABLE person RENAME COLUMN height TO weight;
SELECT is(differing(), 0::bigint, 'a feature that older rows do not have');
ALTER TABLE person DROP COLUMN later;
INSERT INTO person VALUES (701, 35, 3, 90);
SELECT is(differing(), 0::bigint, 'a column that is gone');
ALTER TABLE person ALTER COLUMN age TYPE numeric, ADD COLUMN name text, ALTER COLUMN weight TYPE bigint;
UPDATE person SET name = repeat(md5(id::text), 400) WHERE id % 10 = 0;
SELECT is(differing(), 0::bigint, 'other types, and values out of line');

PREPARE by_key(integer) AS SELECT smartpouch.predict('m:1', p) FROM person p WHERE id = $1;
SET LOCAL plan_cache_mode = force_generic_plan;
SELECT results_eq('EXECUTE by_key(701)', ARRAY[2::float8], 'a prepared statement');
ALTER TABLE person RENAME COLUMN age TO years;
ALTER TABLE person RENAME COLUMN old_weight TO age;
SELECT results_eq('EXECUTE by_key(701)', ARRAY[0::float8], 'after columns were renamed');
ALTER TABLE person RENAME COLUMN age TO old_weight;
SELECT throws_like('EXECUTE by_key(701)', '%no column for 1 of the 2 features of model "m" version 1%', 'a column that is missing');
ALTER TABLE person RENAME COLUMN years TO age;
SELECT results_eq('EXECUTE by_key(701)', ARRAY[2::float8], 'and is there again');

-- errors are those of a value
INSERT INTO person VALUES (801, 'Infinity', 1, 60);
ALTER TABLE person ALTER COLUMN age TYPE real;
SELECT throws_ok($$SELECT smartpouch.predict('m:1', p) FROM person p WHERE id = 801$$, '22023',
	(SELECT message FROM (SELECT 'feature "age" of model "m" version 1 is infinite' AS message) q), 'an infinite number');
SELECT is(smartpouch.predict('m:1', p), 2::float8, 'and the next row after it') FROM person p WHERE id = 701;
DELETE FROM person WHERE id = 801;

-- what changes rows, and rows that change
UPDATE person p SET weight = 100 * smartpouch.predict('m:1', p) WHERE id = 701;
SELECT is(weight, 200::bigint, 'an UPDATE takes the row as it was') FROM person WHERE id = 701;
SELECT results_eq($$UPDATE person p SET age = 10 WHERE id = 701 RETURNING smartpouch.predict('m:1', p)$$, ARRAY[0::float8],
	'RETURNING as it is');
SELECT results_eq($$DELETE FROM person p WHERE id = 701 AND smartpouch.predict('m:1', p) = 0 RETURNING id$$, ARRAY[701], 'a filter of a DELETE');
SELECT is(count(*), (SELECT count(*) FROM person), 'a row is read twice') FROM person p
WHERE smartpouch.predict('m:1', p) = smartpouch.predict('m:1', ROW(p.*)::person);
SELECT results_eq($$SELECT smartpouch.predict('m:1', p) FROM person p WHERE id = 1 FOR UPDATE$$,
	$$SELECT smartpouch.predict('m:1', to_jsonb(p)) FROM person p WHERE id = 1$$, 'a row that is locked');

-- parts of a table have rows of their own types
CREATE TABLE split (id integer, age real, weight real) PARTITION BY LIST (id);
CREATE TABLE split_1 PARTITION OF split FOR VALUES IN (1);
CREATE TABLE split_2 (weight real, extra text, id integer, age real);
ALTER TABLE split_2 DROP COLUMN extra;
ALTER TABLE split ATTACH PARTITION split_2 FOR VALUES IN (2);
INSERT INTO split VALUES (1, 40, 60), (2, 20, 80);
SELECT is(array_agg(smartpouch.predict('m:1', s) ORDER BY id), ARRAY[1.75, 0]::float8[], 'partitions') FROM split s;
SELECT is(smartpouch.predict('m:1', s), 0::float8, 'one of them') FROM split s WHERE id = 2;
SELECT is(smartpouch.predict('m:1', s), 0::float8, 'by its own name') FROM split_2 s WHERE id = 2;

-- nobody else can say that a number of a row is a row
SELECT throws_like($$SELECT smartpouch.predict('m:1', ctid) FROM person$$, 'features cannot be of type tid', 'ctid is no row');
SELECT throws_like($$SELECT smartpouch.predict('m:1', ctid::person) FROM person$$, 'cannot cast type tid to person', 'nor becomes one');
SELECT throws_like($$CREATE CAST (tid AS person) WITHOUT FUNCTION$$, '%not physically compatible%', 'by any cast');

SELECT * FROM finish();
ROLLBACK;
