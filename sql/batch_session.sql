-- Predictions over blocks while the user or the settings change in the middle of a statement: as row by row.
-- Uses the model tiny of smoke.sql over age and weight.
\set SHOW_CONTEXT never
LOAD 'smartpouch';
SET search_path = public, smartpouch;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET timezone = 'UTC';
CREATE TABLE visit AS SELECT i AS id, ARRAY[20 + i % 60, 40 + i % 70]::real[] AS x, 'p' || i AS name,
	timestamptz '2026-01-01 00:00+00' + i * interval '1 minute' AS at, timestamp '2026-01-01 05:00' AS due
FROM generate_series(1, 600) i;
ANALYZE visit;
CREATE TABLE answer (id integer, p double precision);
CREATE ROLE smartpouch_session;
GRANT SELECT ON visit TO smartpouch_session;
GRANT INSERT ON answer TO smartpouch_session;
GRANT USAGE ON SCHEMA smartpouch TO smartpouch_session;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO smartpouch_session;
SELECT grant_model('tiny', 'smartpouch_session', 'predict');

-- changes a setting at row 40 of those that it sees
CREATE FUNCTION switch(id integer, setting text, value text) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$ BEGIN
	IF id = 40 THEN PERFORM set_config(setting, value, true); END IF;
	RETURN id;
END $$;
CREATE FUNCTION switch_role() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	PERFORM public.switch(NEW.id, 'role', 'smartpouch_session');
	RETURN NEW;
END $$;
-- what a query gives, row by row and in blocks, and whether there is a difference; what it has changed is undone
CREATE FUNCTION outcome(is_on text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	seen text := '';
	n integer := 0;
	r record;
BEGIN
	PERFORM set_config('smartpouch.enable_batch', is_on, true);
	BEGIN
		IF query LIKE 'INSERT%' THEN
			EXECUTE query;
			RESET ROLE;
			SELECT count(*), md5(array_agg(answer)::text) INTO n, seen FROM answer;
		ELSE
			EXECUTE format('CREATE TEMP TABLE made AS %s', query);
			RESET ROLE;
			SELECT count(*), md5(array_agg(made)::text) INTO n, seen FROM made;
		END IF;
		RAISE EXCEPTION USING ERRCODE = 'SPEND', MESSAGE = n || ' rows ' || seen;
	EXCEPTION WHEN OTHERS THEN
		RETURN CASE WHEN SQLSTATE = 'SPEND' THEN SQLERRM ELSE SQLSTATE || ' ' || SQLERRM END;
	END;
END $$;
CREATE FUNCTION compare(query text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN a = b THEN regexp_replace(a, '[0-9a-f]{32}', '...') ELSE format('DIFFERENT: %s in blocks, %s row by row', b, a) END
	FROM outcome('off', query) a, outcome('on', query) b $$;

-- the role, above the node: rows that the filter lets through for another user
SELECT compare($$SELECT switch(id, 'role', 'smartpouch_session'), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit
	WHERE (current_user = 'smartpouch_session') = (id > 40) OFFSET 0) q$$);
SELECT compare($$SELECT switch(id, 'role', 'smartpouch_session'), predict('tiny:1', x) FROM visit
	WHERE (current_user = 'smartpouch_session') = (id > 40)$$);
-- row security
CREATE POLICY ours ON visit USING ((current_setting('smartpouch_test.who', true) = 'them') IS TRUE = (id > 40));
ALTER TABLE visit ENABLE ROW LEVEL SECURITY;
ALTER TABLE visit FORCE ROW LEVEL SECURITY;
ALTER TABLE visit OWNER TO smartpouch_session;
ALTER TABLE answer OWNER TO smartpouch_session;
GRANT EXECUTE ON FUNCTION outcome, compare, switch TO PUBLIC;
GRANT CREATE ON SCHEMA public TO smartpouch_session;
SET ROLE smartpouch_session;
SELECT compare($$SELECT switch(id, 'smartpouch_test.who', 'them'), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit OFFSET 0) q$$);
SELECT compare($$INSERT INTO answer SELECT switch(id, 'smartpouch_test.who', 'them'), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit OFFSET 0) q$$);
RESET ROLE;
ALTER TABLE visit DISABLE ROW LEVEL SECURITY;
DROP POLICY ours ON visit;
-- a trigger of the table that rows go to
CREATE TRIGGER switch BEFORE INSERT ON answer FOR EACH ROW EXECUTE FUNCTION switch_role();
SELECT compare($$INSERT INTO answer SELECT id, predict('tiny:1', x) FROM visit WHERE (current_user = 'smartpouch_session') = (id > 40)$$);
-- a user who may not predict
SELECT revoke_model('tiny', 'smartpouch_session', 'predict');
SELECT compare($$INSERT INTO answer SELECT id, predict('tiny:1', x) FROM visit$$);
SELECT compare($$SELECT switch(id, 'role', 'smartpouch_session'), predict('tiny:1', x) FROM visit$$);
SELECT compare($$SELECT switch(id, 'role', 'smartpouch_session'), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit OFFSET 0) q$$);
-- the server's own functions that depend on settings
SELECT compare($$SELECT switch(id, 'timezone', 'Asia/Tokyo'), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit WHERE at < due OFFSET 0) q$$);
BEGIN;
DECLARE c NO SCROLL CURSOR FOR SELECT id, predict('tiny:1', x) FROM visit WHERE at < due;
MOVE 20 IN c;
SET LOCAL timezone = 'Asia/Tokyo';
FETCH 1 FROM c;
ROLLBACK;
-- a window function's argument, a SQL function, a grouping's filter
CREATE FUNCTION switch_sql(id integer) RETURNS integer LANGUAGE sql VOLATILE AS $$ SELECT public.switch(id, 'timezone', 'Asia/Tokyo') $$;
SELECT compare($$SELECT sum(switch_sql(id)) OVER (ROWS CURRENT ROW), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit WHERE at < due OFFSET 0) q$$);
SELECT compare($$SELECT id, p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit WHERE at < due OFFSET 0) q WHERE switch_sql(id) > 0$$);
SELECT compare($$SELECT q.id, p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit WHERE at < due OFFSET 0) q, LATERAL (SELECT switch_sql(q.id) OFFSET 0) l$$);
SELECT compare($$SELECT id, max(p) FROM (SELECT id, predict('tiny:1', x) AS p FROM visit WHERE at < due ORDER BY id) q GROUP BY id HAVING switch_sql(id) > 0$$);
-- our own settings
SELECT compare($$SELECT switch(id, 'smartpouch.enable_batch', 'off'), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit OFFSET 0) q$$);
SELECT compare($$SELECT switch(id, 'smartpouch.batch_size', '3'), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit OFFSET 0) q$$);
SELECT compare($$SELECT switch(id, 'smartpouch.simd', 'portable'), p FROM (SELECT id, predict('tiny:1', x) AS p FROM visit OFFSET 0) q$$);

DROP FUNCTION compare, outcome, switch_sql;
DROP TABLE visit, answer;
DROP FUNCTION switch, switch_role;
DROP OWNED BY smartpouch_session;
DROP ROLE smartpouch_session;
