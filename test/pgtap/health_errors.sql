-- What goes wrong in a check of health() makes it fail; what ends the statement, or the session, does so.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(10);

CREATE FUNCTION raises(sqlstate text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE FUNCTION smartpouch._check_rollup(OUT status text, OUT observed bigint, OUT output text)
		LANGUAGE plpgsql STABLE AS %L', format('BEGIN RAISE EXCEPTION ''because'' USING ERRCODE = %L, HINT = ''do this''; END', sqlstate));
END $$;
CREATE FUNCTION seen() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', c ->> 'status', c ->> 'output') FROM (SELECT smartpouch.health() #> '{checks,rollup:lag,0}') h (c) $$;

-- out_of_memory, admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped
SELECT throws_ok('SELECT smartpouch.health()', s, 'because', s || ' is the caller''s')
FROM unnest('{53200,57P01,57P02,57P03,57P04}'::text[]) s, LATERAL raises(s);
-- lock_not_available, deadlock_detected
SELECT is(seen(), 'unknown it could not be looked at: because', s || ' says nothing')
FROM unnest('{55P03,40P01}'::text[]) s, LATERAL raises(s);
-- disk_full, division_by_zero, internal_error
SELECT is(seen(), 'fail because: do this', s || ' is what is wrong')
FROM unnest('{53100,22012,XX000}'::text[]) s, LATERAL raises(s);
SELECT * FROM finish();
ROLLBACK;
