-- Predictions over blocks of rows: the node in plans, and the same answers and errors as row by row.
-- Uses the models of smoke.sql: tiny (regression) and risk (labels low, high) over age and weight.
\set SHOW_CONTEXT never
LOAD 'smartpouch';
SET search_path = public, smartpouch;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
CREATE TABLE patient (id integer PRIMARY KEY, age real, weight real, x real[], name text);
INSERT INTO patient SELECT i, 20 + i % 60, 40 + i % 70, ARRAY[20 + i % 60, 40 + i % 70], 'p' || i FROM generate_series(1, 2000) i;
INSERT INTO patient VALUES (2001, NULL, 60, ARRAY[NULL, 60]), (2002, 40, NULL, NULL), (2003, 'NaN', 60, ARRAY['NaN', 60]::real[]);
ANALYZE patient;
-- the row with id 50 has one feature too few
CREATE TABLE bad AS SELECT id, age, weight, CASE WHEN id = 50 THEN ARRAY[1] ELSE x END AS x FROM patient;
ANALYZE bad;

-- ---- plans ----
EXPLAIN (COSTS OFF, VERBOSE) SELECT id, predict('tiny:1', x), predict_label('risk:1', x) FROM patient;
EXPLAIN (COSTS OFF, VERBOSE) SELECT sum((predict_proba('risk:1', p))[2]) FROM patient p;
-- calls are shown as they were written, wherever they are evaluated
EXPLAIN (COSTS OFF, VERBOSE) SELECT predict('tiny:1', p) AS v FROM patient p WHERE predict('tiny:1', p) > 1 ORDER BY v;
EXPLAIN (COSTS OFF) SELECT age FROM patient GROUP BY 1 HAVING sum(predict('tiny:1', x)) > 1;
EXPLAIN (COSTS OFF, VERBOSE) UPDATE patient p SET age = predict('tiny:1', p);
EXPLAIN (COSTS OFF, VERBOSE) SELECT max(CASE WHEN q.b THEN q.v ELSE predict('tiny:1', q.x) END), max(predict('tiny:1', q.x))
FROM (SELECT age AS v, id > 5 AS b, x FROM patient OFFSET 0) q;
-- the nodes of a plan, an input in brackets after what reads it; gather is ours
CREATE FUNCTION nodes(plan jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN CASE WHEN plan ->> 'Custom Plan Provider' = 'smartpouch' THEN 'gather ' || (plan -> 'Models')::text ELSE plan ->> 'Node Type' END
		|| coalesce((SELECT ' (' || string_agg(nodes(input), ', ') || ')' FROM jsonb_array_elements(plan -> 'Plans') input), '');
END $$;
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN nodes(plan -> 0 -> 'Plan');
END $$;
-- how many rows came in how many blocks, when it is executed
CREATE FUNCTION blocks_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, VERBOSE, FORMAT JSON) ' || query INTO plan;
	RETURN (SELECT string_agg(format('%s in %s', node -> 'Rows Gathered', node -> 'Batches'), ', ')
		FROM jsonb_path_query(plan, 'strict $.** ? (exists (@."Rows Gathered"))', silent => true) node);
END $$;
\t on
SELECT blocks_of($$SELECT sum(predict('tiny:1', x)) FROM patient$$);
SELECT blocks_of($$SELECT predict('tiny:1', x) FROM patient LIMIT 0$$);
SELECT blocks_of($$SELECT predict('tiny:1', x) FROM patient LIMIT 20$$);
SELECT blocks_of($$SELECT id, (SELECT max(predict('tiny:1', b.x)) FROM bad b WHERE b.id < p.id) FROM patient p WHERE id < 5$$);
SELECT blocks_of($$SELECT predict('nobody', x) FROM patient LIMIT 0$$);
SELECT blocks_of($$SELECT id FROM patient WHERE predict('tiny:1', x) > 1$$);
-- what EXPLAIN shows is not what is executed next
SET plan_cache_mode = force_generic_plan;
PREPARE shown(integer) AS SELECT sum(predict('tiny:1', p)), max(predict('tiny:1', p)) FROM patient p WHERE id < $1;
SELECT blocks_of('EXECUTE shown(100)'), blocks_of('EXECUTE shown(5)');
EXPLAIN (COSTS OFF, VERBOSE) EXECUTE shown(100);
EXECUTE shown(100);
SELECT sum(v), max(v) FROM (SELECT CASE WHEN id > 0 THEN predict('tiny:1', p) END AS v FROM patient p WHERE id < 100) q;
DEALLOCATE shown;
RESET plan_cache_mode;
-- one evaluation for all calls of a model with the same features; a call that is there twice has one column
SELECT plan_of($$SELECT predict_label('risk:1', x), predict_proba('risk:1', x, 'high'), predict_label('risk:1', x) || '!' FROM patient$$);
SELECT plan_of($$SELECT predict('tiny', x), predict('tiny:1', x), predict('nobody', x) FROM patient$$);
-- joins, subqueries, set operations, groups, sorts, windows
SELECT plan_of($$SELECT predict('tiny:1', a), predict('tiny:1', b.x) FROM patient a JOIN bad b ON a.age = b.weight$$);
SELECT plan_of($$SELECT predict('tiny:1', q) FROM (SELECT age, weight FROM patient OFFSET 0) q$$);
SELECT plan_of($$WITH c AS MATERIALIZED (SELECT age, weight FROM patient) SELECT predict('tiny:1', c) FROM c$$);
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient UNION ALL SELECT predict('tiny:1', x) FROM bad$$);
SELECT plan_of($$SELECT predict_label('risk:1', x), count(*) FROM patient GROUP BY 1$$);
SELECT plan_of($$SELECT age, avg(predict('tiny:1', x)) FROM patient GROUP BY 1$$);
SELECT plan_of($$SELECT weight, predict('tiny:1', ARRAY[min(age), weight]) FROM patient GROUP BY 1$$);
SELECT plan_of($$SELECT id, predict('tiny:1', x) AS v FROM patient ORDER BY v$$);
SELECT plan_of($$SELECT id, predict('tiny:1', x) AS v FROM patient ORDER BY v DESC LIMIT 3$$);
SELECT plan_of($$SELECT predict('tiny:1', x), row_number() OVER (ORDER BY id) FROM patient$$);
SELECT plan_of($$SELECT rank() OVER (ORDER BY predict('tiny:1', x)) FROM patient$$);
SELECT plan_of($$SELECT (SELECT max(predict('tiny:1', i.x)) FROM patient i WHERE i.age < o.age) FROM bad o$$);
SELECT plan_of($$SELECT predict('tiny:1', to_jsonb(p)) FROM patient p$$);
SELECT plan_of($$INSERT INTO bad (id, weight) SELECT id, predict('tiny:1', x) FROM patient$$);
SELECT plan_of($$CREATE TABLE made AS SELECT id, predict('tiny:1', x) FROM patient$$);
SELECT plan_of($$SELECT predict('tiny:1', x), random() < 2 FROM patient$$);
SELECT plan_of($$SELECT age FROM patient GROUP BY 1 HAVING sum(predict('tiny:1', x)) > 1$$);
SELECT plan_of($$SELECT greatest(age, predict('tiny:1', x)) FROM patient$$);
-- what only some rows evaluate stays where it is
SELECT plan_of($$SELECT CASE WHEN id > 5 THEN predict('tiny:1', x) END FROM patient$$);
SELECT plan_of($$SELECT coalesce(age, predict('tiny:1', x)) FROM patient$$);
SELECT plan_of($$SELECT nullif(predict('tiny:1', x), 1) FROM patient$$);
SELECT plan_of($$SELECT id = 1 AND predict('tiny:1', x) > 1, id = 1 OR predict('tiny:1', x) > 1 FROM patient$$);
SELECT plan_of($$SELECT sum(predict('tiny:1', x)) FILTER (WHERE id > 5) FROM patient$$);
SELECT plan_of($$SELECT (ARRAY[1, 2])[predict('tiny:1', x)::integer] FROM patient$$);
SELECT plan_of($$SELECT id FROM patient WHERE predict('tiny:1', x) > 1$$);
SELECT plan_of($$SELECT generate_series(1, 2), predict('tiny:1', x) FROM patient$$);
SELECT plan_of($$SELECT sum(predict('tiny:1', x)) OVER (ROWS 3 PRECEDING) FROM patient$$);
-- models and features that are not for blocks
SELECT plan_of($$SELECT predict('tiny:' || id, x) FROM patient$$);
SELECT plan_of($$SELECT predict(NULL, x) FROM patient$$);
SELECT plan_of($$SELECT predict('tiny:1', ARRAY[age, random()]) FROM patient$$);
SELECT plan_of($$SELECT predict('tiny:1', ARRAY[1.0, 2.0]) FROM patient$$);
SELECT plan_of($$SELECT predict('tiny:1', ARRAY[age, (SELECT b.weight FROM bad b WHERE b.id = p.id)]) FROM patient p$$);
-- one row has nothing to gather
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient WHERE id = 7$$);
-- locks and changes
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient FOR UPDATE$$);
SELECT plan_of($$UPDATE patient SET age = predict('tiny:1', x)$$);
SELECT plan_of($$DELETE FROM patient RETURNING predict('tiny:1', x)$$);
SELECT plan_of($$MERGE INTO patient p USING (SELECT id, predict('tiny:1', x) v FROM bad) b ON p.id = b.id WHEN MATCHED THEN UPDATE SET age = v$$);
SELECT plan_of($$WITH d AS (DELETE FROM bad RETURNING x) SELECT predict('tiny:1', x) FROM d$$);
-- a filter that may raise is read ahead only where all rows are read in any case
SELECT plan_of($$SELECT sum(predict('tiny:1', x)) FROM patient WHERE 10 / (id - 100) < 5$$);
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient WHERE 10 / (id - 100) < 5$$);
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient WHERE name <> current_user LIMIT 10$$);
SELECT plan_of($$SELECT predict('tiny:1', x), set_config('role', 'none', true) FROM patient WHERE name <> current_user$$);
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient WHERE 10 / (id - 100) < 5 LIMIT 3$$);
SELECT plan_of($$SELECT predict('tiny:1', x), 1 / id FROM patient WHERE 10 / (id - 100) < 5$$);
SELECT plan_of($$INSERT INTO bad (id, weight) SELECT id, predict('tiny:1', x) FROM patient WHERE 10 / (id - 100) < 5$$);
SELECT plan_of($$SELECT predict('tiny:1', ARRAY[age, weight / age]) FROM patient LIMIT 10$$);
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient WHERE random() < 2$$);
-- what depends on no row raises at the first one or never
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient WHERE age > extract(century FROM now()) LIMIT 3$$);
-- a sort below keeps the bound that a LIMIT gives it
SELECT plan_of($$SELECT predict('tiny:1', x) FROM (SELECT * FROM bad ORDER BY weight OFFSET 0) q LIMIT 5$$);
SET smartpouch.enable_batch = off;
SELECT plan_of($$SELECT predict('tiny:1', x) FROM patient$$);
RESET smartpouch.enable_batch;
\t off

-- ---- the same rows and errors, row by row and in blocks of different sizes ----
-- Each query runs through a cursor and below an aggregate; rows count in their order, errors with the rows before them.
CREATE FUNCTION answer(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	seen text := '';
	n integer := 0;
	whole text;
BEGIN
	BEGIN
		FOR r IN EXECUTE query LOOP
			n := n + 1;
			seen := md5(seen || r::text);
		END LOOP;
	EXCEPTION WHEN OTHERS THEN
		seen := seen || ' ' || SQLSTATE || ' ' || SQLERRM;
	END;
	BEGIN
		EXECUTE format('SELECT md5(string_agg(q::text, '','')) FROM (%s) q', query) INTO whole;
	EXCEPTION WHEN OTHERS THEN
		whole := SQLSTATE || ' ' || SQLERRM;
	END;
	RETURN n || ' rows ' || seen || ', whole ' || coalesce(whole, 'empty');
END $$;
CREATE FUNCTION compare(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	expected text;
	got text;
	size integer;
BEGIN
	PERFORM set_config('smartpouch.enable_batch', 'off', true);
	expected := answer(query);
	PERFORM set_config('smartpouch.enable_batch', 'on', true);
	FOREACH size IN ARRAY ARRAY[1, 2, 7, 256] LOOP
		PERFORM set_config('smartpouch.batch_size', size::text, true);
		got := answer(query);
		IF got <> expected THEN
			RETURN format('DIFFERENT in blocks of %s: %s, not %s', size, got, expected);
		END IF;
	END LOOP;
	RETURN regexp_replace(expected, '[0-9a-f]{32}', '...', 'g');
END $$;
CREATE TABLE parted (LIKE patient) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000);
CREATE TABLE parted_2 (name text, x real[], weight real, age real, gone integer, id integer NOT NULL);
ALTER TABLE parted_2 DROP COLUMN gone;
ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM (1000) TO (3000);
INSERT INTO parted SELECT * FROM patient;
CREATE TABLE altered AS SELECT id AS gone, * FROM patient;
ALTER TABLE altered DROP COLUMN gone;
CREATE TABLE added AS SELECT * FROM patient;
ALTER TABLE added ADD COLUMN extra integer DEFAULT 7;
INSERT INTO added SELECT * FROM patient WHERE id < 20;
CREATE SEQUENCE counter;
CREATE FUNCTION note(v anyelement) RETURNS anyelement LANGUAGE plpgsql VOLATILE AS
	$$ BEGIN PERFORM nextval('public.counter'); RETURN v; END $$;
-- merge joins go back in their inner input
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT plan_of($$SELECT a.id, b.v FROM bad a LEFT JOIN (SELECT id, ARRAY[predict('tiny:1', x)] AS v FROM patient) b ON a.id = b.id$$);
SELECT compare('SELECT a.id, b.v FROM bad a LEFT JOIN (SELECT id % 10 AS id, ARRAY[predict(''tiny:1'', x)] AS v FROM patient OFFSET 0) b USING (id)');
RESET enable_hashjoin;
RESET enable_nestloop;

SELECT query, compare(query) FROM (VALUES
	(1, 'SELECT id, predict(''tiny:1'', x) FROM patient'),
	(2, 'SELECT p.*, predict(''tiny:1'', p), predict(''tiny:1'', x) FROM patient p'),
	(3, 'SELECT predict_label(''risk:1'', x), predict_proba(''risk:1'', x), predict_raw(''risk:1'', x), predict_proba(''risk:1'', x, ''low'') FROM patient'),
	(4, 'SELECT predict_label(''risk:1'', x) AS label, count(*), sum(id) FROM patient GROUP BY 1 ORDER BY 1'),
	(5, 'SELECT id % 3, sum(predict(''tiny:1'', x)), max(id) FROM patient GROUP BY 1 ORDER BY 1'),
	(6, 'SELECT age, id % 2, sum(predict(''tiny:1'', x)), count(x) FROM patient GROUP BY ROLLUP (1, 2) ORDER BY 1, 2'),
	(7, 'SELECT age, id % 2, sum(predict(''tiny:1'', x)) FROM patient GROUP BY CUBE (1, 2) ORDER BY 1, 2'),
	(8, 'SELECT array_agg(id ORDER BY predict(''tiny:1'', x), id), count(DISTINCT predict(''tiny:1'', x)) FROM patient'),
	(9, 'SELECT id, predict(''tiny:1'', x) AS v FROM patient ORDER BY v, id LIMIT 20'),
	(10, 'SELECT id, predict(''tiny:1'', x) FROM patient LIMIT 5'),
	(11, 'SELECT DISTINCT predict(''tiny:1'', x) FROM patient ORDER BY 1'),
	(12, 'SELECT a.id, predict(''tiny:1'', a), predict(''tiny:1'', b.x) FROM patient a JOIN patient b USING (id) ORDER BY 1'),
	(13, 'SELECT a.id, b.v FROM patient a LEFT JOIN (SELECT id, predict(''tiny:1'', x) AS v FROM patient WHERE id % 3 = 0) b USING (id) ORDER BY 1'),
	(14, 'SELECT sum(predict(''tiny:1'', q)) FROM (SELECT age, weight FROM patient OFFSET 0) q'),
	(15, 'WITH c AS MATERIALIZED (SELECT * FROM patient) SELECT a.id, predict(''tiny:1'', a), predict(''tiny:1'', b.x) FROM c a JOIN c b ON b.id = a.id + 1 ORDER BY 1'),
	(16, 'SELECT t.id, predict(''tiny:1'', t) FROM parted t ORDER BY id'),
	(17, 'SELECT sum(predict(''tiny:1'', t)) FROM parted t'),
	(18, 'SELECT o.id, l.v FROM patient o, LATERAL (SELECT predict(''tiny:1'', i.x) v FROM patient i WHERE i.id < o.id OFFSET 1 LIMIT 2) l WHERE o.id < 6'),
	(19, 'SELECT o.id, l.v FROM patient o, LATERAL (SELECT predict(''tiny:1'', ARRAY[i.age, o.weight]) v FROM patient i WHERE i.id < o.id OFFSET 0) l WHERE o.id < 20'),
	(20, 'SELECT id, (SELECT max(predict(''tiny:1'', i.x)) FROM patient i WHERE i.id <= o.id) FROM patient o WHERE id < 20'),
	(21, 'SELECT id FROM patient o WHERE EXISTS (SELECT predict(''tiny:1'', x) FROM patient i WHERE i.id > o.id OFFSET 5)'),
	(22, 'SELECT id, predict(''tiny:1'', x), row_number() OVER (ORDER BY id DESC) FROM patient'),
	(23, 'SELECT avg(predict(''tiny:1'', x)) OVER (ORDER BY id ROWS 3 PRECEDING) FROM patient'),
	(24, 'SELECT predict(''tiny:1'', ARRAY[age, weight]), predict(''tiny:1'', ROW(age, weight)) FROM patient WHERE id < 10'),
	(25, 'SELECT id, predict(''tiny:1'', x) FROM patient UNION ALL SELECT id, predict(''tiny:1'', p) FROM patient p'),
	(26, 'SELECT generate_series(1, 2), predict(''tiny:1'', x) FROM patient'),
	(27, 'SELECT predict(''tiny:1'', v) FROM (VALUES (ARRAY[1, 2]), (ARRAY[40, 80]), (ARRAY[40, NULL])) q (v)'),
	(28, 'SELECT predict(''tiny:1'', ARRAY[i, i + 1]) FROM generate_series(1, 500) i'),
	(29, 'SELECT name || predict(''tiny:1'', x), (SELECT count(*) FROM bad b WHERE b.id < p.id % 7) FROM patient p'),
	(30, 'SELECT x, predict(''tiny:1'', ARRAY[predict(''tiny:1'', x), 2]) FROM patient'),
	(31, 'SELECT sum(predict(''tiny:1'', jsonb_build_object(''age'', age, ''weight'', weight))) FROM patient WHERE id < 2000'),
	(32, 'SELECT id, predict(''tiny:1'', to_jsonb(p)) FROM patient p'),
	(33, 'SELECT p, id, predict(''tiny:1'', p), p IS NULL FROM patient p'),
	(34, 'SELECT a, predict(''tiny:1'', a) FROM altered a'),
	(35, 'SELECT a, predict(''tiny:1'', a), extra FROM added a WHERE id > 10'),
	(36, 'SELECT count(a), sum(predict(''tiny:1'', a)), max(a.id) FROM patient a GROUP BY age ORDER BY 1, 2, 3'),
	-- errors, before and behind limits
	(40, 'SELECT id, predict(''tiny:1'', x) FROM bad'),
	(41, 'SELECT id, predict(''tiny:1'', x) FROM bad LIMIT 49'),
	(42, 'SELECT id, predict(''tiny:1'', x) FROM bad LIMIT 50'),
	(43, 'SELECT sum(predict(''tiny:1'', x)) FROM bad'),
	(44, 'SELECT id, 1 / (id - 50), predict(''tiny:1'', x) FROM bad'),
	(45, 'SELECT id, predict(''tiny:1'', x), 1 / (id - 50) FROM bad'),
	(46, 'SELECT id, 1 / (id - 49), predict(''tiny:1'', x) FROM bad'),
	(47, 'SELECT sum(1 / (id - 50)), sum(predict(''tiny:1'', x)) FROM bad'),
	(48, 'SELECT sum(predict(''tiny:1'', x)), sum(1 / (id - 50)) FROM bad'),
	(49, 'SELECT id, predict(''tiny:1'', x) FROM bad WHERE 10 / (id - 40) < 100'),
	(50, 'SELECT id, predict(''tiny:1'', x) FROM bad WHERE 10 / (id - 51) < 100'),
	(51, 'SELECT id, predict(''tiny:1'', x) FROM bad WHERE 10 / (id - 40) < 100 LIMIT 39'),
	(52, 'SELECT id, predict(''tiny:1'', ARRAY[age, (1 / (id - 60))::real]), substr(''a'', id - 59, id - 60) FROM patient'),
	(53, 'SELECT id, predict(''tiny:1'', ARRAY[1, 2 / (id - 45)]), predict(''tiny:1'', x) FROM bad LIMIT 44'),
	(54, 'SELECT id, 1 / (id - 1), predict(''nobody'', x) FROM patient'),
	(55, 'SELECT id, predict(''nobody'', x), 1 / (id - 1) FROM patient'),
	(56, 'SELECT predict(''nobody'', x) FROM patient WHERE id < 0'),
	(57, 'SELECT predict(''nobody'', CASE WHEN id > 30 THEN x END), 1 / (id - 31) FROM patient'),
	(58, 'SELECT predict(''risk:1'', x) FROM patient'),
	(59, 'SELECT predict_label(''tiny:1'', x) FROM patient'),
	(60, 'SELECT predict_proba(''risk:1'', x, ''middle'') FROM patient'),
	(61, 'SELECT predict(''tiny:1'', ARRAY[x, x]) FROM patient'),
	(62, 'SELECT predict(''tiny:1'', ROW(age, weight, id)) FROM patient'),
	(63, 'SELECT predict(''tiny:1'', q) FROM (SELECT age, weight::text FROM patient) q'),
	(64, 'SELECT id, predict(''tiny:1'', x) FROM patient WHERE id > 1990 AND (SELECT 1 / (count(*) - 2003) FROM patient) > 0'),
	-- effects of volatile functions
	(70, 'SELECT id, setval(''counter'', 1), note(id), predict(''tiny:1'', x), currval(''counter'') FROM patient LIMIT 20'),
	(71, 'SELECT max(note(id)), sum(predict(''tiny:1'', x)) FROM patient'),
	(72, 'SELECT id, predict(''tiny:1'', x) FROM patient WHERE note(id) > 0 LIMIT 30'),
	-- errors behind a limit, of what a nested loop evaluates for each row and of aggregates
	(80, 'SELECT p.id, predict(''tiny:1'', x), f FROM patient p, LATERAL generate_series(1, 10 / (p.id - 40) + 1) f LIMIT 28'),
	(81, 'SELECT p.id, predict(''tiny:1'', x), l.v FROM patient p, LATERAL (SELECT (SELECT 10 / (p.id - 40)) AS v OFFSET 0) l LIMIT 39'),
	(86, 'SELECT p.id, predict(''tiny:1'', p.x), l.id FROM patient p, LATERAL (SELECT id FROM bad LIMIT 10 / (p.id - 20) + 2) l LIMIT 20'),
	(82, 'SELECT id, predict(''tiny:1'', x) FROM bad WHERE ARRAY[x, ARRAY[1, 2]] IS NOT NULL LIMIT 49'),
	(83, 'SELECT id, predict(''tiny:1'', ARRAY[max(age), 1]), array_agg(x) FROM (SELECT * FROM patient UNION ALL SELECT * FROM patient ORDER BY id) p GROUP BY id LIMIT 500'),
	(84, 'SELECT id, predict(''tiny:1'', ARRAY[max(age), 1]), array_agg(x) FROM (SELECT * FROM bad UNION ALL SELECT id, age, weight, ARRAY[1, 2] FROM bad ORDER BY id) p GROUP BY id LIMIT 49')) v (n, query) ORDER BY n;
-- which a nested loop evaluates in an index condition
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SELECT compare('SELECT p.id, predict(''tiny:1'', p.x), o.id FROM patient p JOIN patient o ON o.id = 1000 / (p.id - 40) + 100 LIMIT 28');
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
-- which a sort in parts compares
CREATE TABLE tens AS SELECT id, id / 10 AS ten, x, name FROM patient WHERE id <= 500;
CREATE INDEX ON tens (ten);
ANALYZE tens;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT compare('SELECT id, predict(''tiny:1'', x) FROM (SELECT * FROM tens ORDER BY ten, CASE WHEN id = 45 THEN ROW(name) ELSE ROW(id) END OFFSET 0) s WHERE id > 0 LIMIT 38');
SELECT compare('SELECT id, predict(''tiny:1'', x) FROM (SELECT * FROM tens ORDER BY ten, CASE WHEN id = 45 THEN ROW(name) ELSE ROW(id) END OFFSET 0) s');
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP TABLE tens;
-- as often as rows were given, and the row that raises stops them where it did
CREATE FUNCTION notes(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	counts text := '';
BEGIN
	FOR size IN 0 .. 3 LOOP
		PERFORM set_config('smartpouch.enable_batch', CASE size WHEN 0 THEN 'off' ELSE 'on' END, true),
			set_config('smartpouch.batch_size', (size * size * size + 1)::text, true);
		PERFORM setval('public.counter', 1);
		BEGIN
			EXECUTE 'CREATE TEMP TABLE made ON COMMIT DROP AS ' || query;
			DROP TABLE made;
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
		counts := counts || ' ' || nextval('public.counter') - 2;
	END LOOP;
	RETURN counts;
END $$;
SELECT notes('SELECT predict(''tiny:1'', x), note(id) FROM patient LIMIT 30'),
	notes('SELECT note(id), predict(''tiny:1'', x) FROM bad'),
	notes('SELECT predict(''tiny:1'', x), note(id) FROM bad'),
	notes('SELECT predict(''tiny:1'', x) FROM bad WHERE note(id) > 0'),
	notes('SELECT sum(note(id)), sum(predict(''tiny:1'', x)) FROM bad'),
	notes('SELECT sum(predict(''tiny:1'', x)), sum(note(id)) FROM bad'),
	notes('SELECT predict(''tiny:1'', x) FROM patient, LATERAL (SELECT * FROM unnest(ARRAY[note(id)]) OFFSET 0) l LIMIT 30'),
	notes('SELECT predict(''tiny:1'', x) FROM patient, LATERAL unnest(ARRAY[note(id)]) f WHERE f > 0 LIMIT 30'),
	notes('SELECT predict(''tiny:1'', p.x) FROM patient p, LATERAL (SELECT * FROM bad LIMIT note(p.id) - p.id + 1) l LIMIT 30');

-- an aggregate that sorts the node's rows: no more columns than a tuple has
SELECT format('CREATE TABLE wide AS SELECT id, age, %s FROM patient WHERE id <= 300', string_agg('id % ' || i || ' AS c' || i, ', ')) AS table,
	format('SELECT c5, c7, %s FROM wide GROUP BY GROUPING SETS ((c5), (c7)) ORDER BY 1, 2',
		string_agg('sum(predict(''tiny:1'', ARRAY[age, c' || i || ']))', ', ') FILTER (WHERE i <= 100)) AS query
FROM generate_series(1, 1580) i \gset wide_
:wide_table;
CREATE INDEX ON wide (c5);
SET enable_hashagg = off;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT compare(:'wide_query');
RESET enable_hashagg;
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP TABLE wide;
-- RETURN QUERY keeps the rows before an error that is caught
CREATE FUNCTION kept_rows(is_on text) RETURNS SETOF double precision LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('smartpouch.enable_batch', is_on, true);
	RETURN QUERY EXECUTE 'SELECT predict(''tiny:1'', x) FROM patient WHERE 10 / (id - 40) < 100';
EXCEPTION WHEN division_by_zero THEN
	NULL;
END $$;
SELECT (SELECT count(*) FROM kept_rows('off')) AS by_rows, (SELECT count(*) FROM kept_rows('on')) AS by_blocks;
DROP FUNCTION kept_rows;
-- a client is told of the character that it has no letter for, which comes first
CREATE TABLE foreign_name AS SELECT id, x, CASE id WHEN 35 THEN U&'\2603' END AS name FROM patient ORDER BY id;
SET client_encoding = 'LATIN1';
SELECT id, name, predict('tiny:1', x) FROM foreign_name WHERE 10 / (id - 40) < 100 \g /dev/null
COPY (SELECT id, name, predict('tiny:1', x) FROM foreign_name WHERE id > 30 AND 10 / (id - 40) < 100) TO STDOUT;
RESET client_encoding;
DROP TABLE foreign_name;

-- ---- cursors ----
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT id, predict('tiny:1', x) FROM bad WHERE 10 / (id - 40) < 100;
MOVE 38 IN c;
FETCH 1 FROM c;
FETCH 1 FROM c; \echo :SQLSTATE
ROLLBACK;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, predict('tiny:1', x) FROM patient;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT id, predict('tiny:1', x) FROM patient;
FETCH 1 FROM c;
FETCH BACKWARD 1 FROM c; \echo :SQLSTATE
ROLLBACK;
BEGIN;
DECLARE c CURSOR WITH HOLD FOR SELECT id, predict('tiny:1', x) FROM patient WHERE id < 100;
MOVE 90 IN c;
COMMIT;
FETCH ALL FROM c;
CLOSE c;
-- who fetches from a cursor sees what he may see, whoever fetched before
CREATE ROLE smartpouch_fetcher;
GRANT SELECT ON patient TO smartpouch_fetcher;
GRANT USAGE ON SCHEMA smartpouch TO smartpouch_fetcher;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO smartpouch_fetcher;
SELECT grant_model('tiny', 'smartpouch_fetcher', 'predict');
BEGIN;
SET LOCAL application_name = 'p';
DECLARE c NO SCROLL CURSOR FOR SELECT id, predict('tiny:1', x) FROM patient
WHERE (current_user = 'smartpouch_fetcher') = (id > 1000);
DECLARE d NO SCROLL CURSOR FOR SELECT id, predict('tiny:1', x) FROM patient WHERE name > current_setting('application_name');
MOVE 20 IN c;
MOVE 20 IN d;
SET LOCAL ROLE smartpouch_fetcher;
SET LOCAL application_name = 'q';
FETCH 2 FROM c;
FETCH 2 FROM d;
ROLLBACK;
SELECT revoke_model('tiny', 'smartpouch_fetcher', 'predict');
DROP OWNED BY smartpouch_fetcher;
DROP ROLE smartpouch_fetcher;
-- positioned changes
BEGIN;
DECLARE c CURSOR FOR SELECT id, predict('tiny:1', x) FROM patient;
MOVE 3 IN c;
UPDATE patient SET name = 'here' WHERE CURRENT OF c RETURNING id;
MOVE 40 IN c;
DELETE FROM patient WHERE CURRENT OF c RETURNING id;
FETCH 1 FROM c;
MOVE ALL IN c;
DELETE FROM patient WHERE CURRENT OF c;
ROLLBACK;
-- of rows that a subquery or an index alone gives
CREATE INDEX narrow ON patient (age, weight, id);
VACUUM ANALYZE patient;
BEGIN;
DECLARE c CURSOR FOR SELECT id, predict('tiny:1', x) FROM (SELECT * FROM patient OFFSET 3) p;
MOVE 5 IN c;
UPDATE patient SET name = 'here' WHERE CURRENT OF c RETURNING id;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
DECLARE d CURSOR FOR SELECT id, predict('tiny:1', ARRAY[age, weight]) FROM patient WHERE age > 30 AND id > 100;
FETCH 5 FROM d;
DELETE FROM patient WHERE CURRENT OF d RETURNING id;
ROLLBACK;
DROP INDEX narrow;

-- ---- a plan that is kept follows a promotion ----
SET plan_cache_mode = force_generic_plan;
PREPARE served(integer) AS SELECT sum(predict('moving', x)) FROM patient WHERE id <= $1;
SELECT import_model('moving', artifact) FROM tiny WHERE name = 'regression';
SELECT import_model('moving', convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', '[1.5E0]'), 'UTF8'))
FROM tiny WHERE name = 'regression';
EXECUTE served(10); \echo :SQLSTATE
SELECT promote('moving', 1, 'production');
EXECUTE served(10);
SELECT promote('moving', 2, 'production');
EXECUTE served(10);
EXPLAIN (COSTS OFF) EXECUTE served(10);
SET plan_cache_mode = force_custom_plan;
EXECUTE served(20);
RESET plan_cache_mode;
DEALLOCATE served;

-- ---- models and labels that are parameters of a kept plan ----
SET plan_cache_mode = force_generic_plan;
PREPARE given(text, integer) AS SELECT sum(predict($1, x)), count(*) FROM patient WHERE id > $2;
EXPLAIN (COSTS OFF, VERBOSE) EXECUTE given('moving', 3);
EXECUTE given('tiny:1', 3);
EXECUTE given('moving', 3);
EXECUTE given(NULL, 3);
EXECUTE given('nobody', 3000);
EXECUTE given('nobody', 3); \echo :SQLSTATE
EXECUTE given('risk:1', 3); \echo :SQLSTATE
\t on
SELECT blocks_of($$EXECUTE given('tiny:1', 3)$$), blocks_of('EXECUTE given(NULL, 3)'), blocks_of($$EXECUTE given('nobody', 3000)$$);
\t off
-- text in another form, twice the same model, and a label
PREPARE labels(varchar, text) AS
SELECT round(sum(predict_proba($1, x, $2))::numeric, 3), max(predict_label($1, x)), max(predict_label('risk:1', x)) FROM patient;
EXPLAIN (COSTS OFF, VERBOSE) EXECUTE labels('risk:1', 'high');
EXECUTE labels('risk:1', 'high');
EXECUTE labels('risk:1', 'low');
EXECUTE labels('risk:1', NULL);
EXECUTE labels('risk:1', 'none'); \echo :SQLSTATE
-- variables of PL/pgSQL: a loop goes on with the value that it began with
CREATE FUNCTION of_variable(model text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	n integer := 0;
	looped double precision := 0;
	summed double precision;
	v double precision;
BEGIN
	SELECT sum(predict(model, x)) INTO summed FROM patient;
	FOR v IN SELECT predict(model, x) FROM patient LOOP
		n := n + 1;
		looped := looped + coalesce(v, 0);
		model := 'nobody';
	END LOOP;
	RETURN format('%s rows, %s and %s', n, looped, summed);
END $$;
SELECT of_variable('tiny:1'), of_variable('moving');
-- a row that has not enough features is reached, or not
PREPARE pieces(text, integer) AS SELECT id, predict($1, x) FROM bad WHERE id > 45 LIMIT $2;
EXECUTE pieces('tiny:1', 4);
EXECUTE pieces('tiny:1', 5); \echo :SQLSTATE
DEALLOCATE ALL;
DROP FUNCTION of_variable;
RESET plan_cache_mode;

-- ---- never before a filter that protects rows ----
CREATE VIEW allowed WITH (security_barrier) AS SELECT * FROM bad WHERE id <> 50;
SELECT compare('SELECT sum(predict(''tiny:1'', x)) FROM allowed');
CREATE ROLE smartpouch_reader;
GRANT USAGE ON SCHEMA smartpouch TO smartpouch_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO smartpouch_reader;
GRANT SELECT ON bad TO smartpouch_reader;
ALTER TABLE bad ENABLE ROW LEVEL SECURITY;
CREATE POLICY good ON bad USING (id <> 50);
SET ROLE smartpouch_reader;
EXPLAIN (COSTS OFF) SELECT id, predict('tiny:1', x) FROM bad;
SELECT compare('SELECT id, predict(''tiny:1'', x) FROM bad');
SELECT compare('SELECT id, predict(''tiny:1'', CASE WHEN id > 2001 THEN x END) FROM bad WHERE id < 2003');
RESET ROLE;
SELECT grant_model('tiny', 'smartpouch_reader', 'predict');
SET ROLE smartpouch_reader;
EXPLAIN (COSTS OFF) SELECT id, predict('tiny:1', x) FROM bad;
SELECT compare('SELECT id, predict(''tiny:1'', x) FROM bad');
RESET ROLE;
-- a cursor of one who may predict, in the hands of one who may not
SELECT revoke_model('tiny', 'smartpouch_reader', 'predict');
BEGIN;
DECLARE c CURSOR FOR SELECT id, predict('tiny:1', x) FROM patient;
MOVE 5 IN c;
SET LOCAL ROLE smartpouch_reader;
FETCH 1 FROM c;
ROLLBACK;
-- and of one whose right is taken away
SELECT grant_model('tiny', 'smartpouch_reader', 'predict');
GRANT SELECT ON patient TO smartpouch_reader;
BEGIN;
SET LOCAL ROLE smartpouch_reader;
DECLARE c NO SCROLL CURSOR FOR SELECT id, predict('tiny:1', x) FROM patient;
MOVE 40 IN c;
FETCH 1 FROM c;
RESET ROLE;
SELECT revoke_model('tiny', 'smartpouch_reader', 'predict');
SET LOCAL ROLE smartpouch_reader;
FETCH 1 FROM c;
ROLLBACK;
SELECT revoke_model('tiny', 'smartpouch_reader', 'predict');
REVOKE SELECT ON patient FROM smartpouch_reader;

-- ---- workers ----
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT sum(predict('tiny:1', x)) FROM patient;
SELECT compare('SELECT id, predict(''tiny:1'', x) FROM patient ORDER BY id');
SELECT compare('SELECT sum(predict(''tiny:1'', x)::numeric) FROM patient');

DROP TABLE patient, bad, parted, altered, added CASCADE;
DROP FUNCTION compare, answer, notes, note, blocks_of, plan_of, nodes;
DROP SEQUENCE counter;
REVOKE ALL ON SCHEMA smartpouch FROM smartpouch_reader;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA smartpouch FROM smartpouch_reader;
DROP ROLE smartpouch_reader;
