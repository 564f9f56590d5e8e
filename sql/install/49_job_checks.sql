-- Do the jobs of pg_cron run as their schedules say?

-- What a field of a schedule allows: numbers, ranges, * and steps, with commas between.
CREATE FUNCTION smartpouch._cron_numbers(field text, lowest integer, highest integer)
	RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(DISTINCT n ORDER BY n)
	FROM regexp_split_to_table(field, ',') item,
		regexp_match(item, '^(?:[*]|([0-9]{1,4})(?:-([0-9]{1,4}))?)(?:/([0-9]{1,4}))?$') part,
		generate_series(COALESCE(part[1]::integer, lowest), CASE WHEN part[1] IS NULL THEN highest ELSE COALESCE(part[2], part[1])::integer END,
			greatest(1, COALESCE(part[3]::integer, 1))) n
	WHERE part IS NOT NULL AND n BETWEEN lowest AND highest $$;
COMMENT ON FUNCTION smartpouch._cron_numbers(text, integer, integer) IS 'the numbers that a field of a schedule stands for';

-- With both days restricted, either will do, as in every cron; $ is the last day of a month.
CREATE FUNCTION smartpouch._last_due(schedule text, before timestamp)
	RETURNS timestamp LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	field text[] := regexp_split_to_array(btrim(schedule), ' +');
	minutes integer[] := smartpouch._cron_numbers(field[1], 0, 59);
	hours integer[] := smartpouch._cron_numbers(field[2], 0, 23);
	days integer[] := smartpouch._cron_numbers(field[3], 1, 31);
	months integer[] := smartpouch._cron_numbers(field[4], 1, 12);
	weekdays integer[] := smartpouch._cron_numbers(field[5], 0, 7);
	is_day boolean;
	is_weekday boolean;
	day date;
	due timestamp;
BEGIN
	IF cardinality(field) <> 5 OR num_nulls(minutes, hours, months, weekdays) > 0 OR (days IS NULL AND field[3] <> '$') THEN
		RETURN NULL;
	END IF;
	FOR ago IN 0 .. 8 * 366 LOOP	-- from one 29 February to the next
		day := before::date - ago;
		is_day := CASE WHEN days IS NULL THEN extract(day FROM day + 1) = 1 ELSE extract(day FROM day) = ANY (days) END;
		is_weekday := extract(dow FROM day) = ANY (weekdays) OR extract(isodow FROM day) = ANY (weekdays);
		IF extract(month FROM day) = ANY (months)
			AND (CASE WHEN field[3] LIKE '*%' OR field[5] LIKE '*%' THEN is_day AND is_weekday ELSE is_day OR is_weekday END) THEN
			SELECT max(day + make_time(h, m, 0)) INTO due FROM unnest(hours) h, unnest(minutes) m WHERE day + make_time(h, m, 0) <= before;
			IF due IS NOT NULL THEN
				RETURN due;
			END IF;
		END IF;
	END LOOP;
	RETURN NULL;
END $$;
COMMENT ON FUNCTION smartpouch._last_due(text, timestamp) IS 'the last minute of a schedule in five fields; NULL for what is none';

-- The last runs, if pg_cron keeps them (cron.log_run): of all jobs as many as a minutely one has in two weeks,
-- for it keeps them for ever and has no index by job. One that has not run yet is not late: nothing says when it was made.
CREATE FUNCTION smartpouch._job_states(OUT job text, OUT state text, OUT detail text)
	RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 6
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF NOT smartpouch._cron_is_here() THEN
		RETURN;
	END IF;
	RETURN QUERY EXECUTE $sql$
		WITH jobs AS MATERIALIZED (SELECT c.* FROM cron.job c
				WHERE starts_with(c.jobname, 'smartpouch ') AND smartpouch._is_job(c.jobname, c.database)),
			runs AS MATERIALIZED (SELECT r.* FROM (SELECT x.* FROM cron.job_run_details x ORDER BY x.runid DESC LIMIT 20160) r
				WHERE r.jobid IN (SELECT j.jobid FROM jobs j)),
			ended AS (SELECT DISTINCT ON (r.jobid) r.* FROM runs r WHERE r.status IN ('succeeded', 'failed') ORDER BY r.jobid, r.runid DESC),
			began AS (SELECT r.jobid, max(r.start_time) AS at, bool_or(r.status NOT IN ('succeeded', 'failed')) AS is_running
				FROM runs r GROUP BY r.jobid)
		SELECT j.jobname::text, s.state, CASE s.state
				WHEN 'gone' THEN format('there is no database "%s": run SELECT smartpouch.unschedule_jobs(), and schedule_jobs()', j.database)
				WHEN 'inactive' THEN 'is not active'
				WHEN 'failed' THEN 'failed: ' || COALESCE(e.return_message, '')
				WHEN 'overdue' THEN format('did not run at %s: is pg_cron at work?', to_char(d.due, 'YYYY-MM-DD HH24:MI'))
			END
		FROM jobs j LEFT JOIN ended e USING (jobid) LEFT JOIN began b USING (jobid),
			LATERAL (SELECT COALESCE(current_setting('cron.timezone', true), 'GMT')) z (zone),
			LATERAL (SELECT smartpouch._last_due(j.schedule, (clock_timestamp() - interval '5 minutes') AT TIME ZONE z.zone)) d (due),
			LATERAL (SELECT CASE
				WHEN NOT EXISTS (SELECT FROM pg_database k WHERE k.datname = j.database) THEN 'gone'
				WHEN NOT j.active THEN 'inactive'
				WHEN e.status = 'failed' THEN 'failed'
				WHEN NOT b.is_running AND b.at AT TIME ZONE z.zone < d.due THEN 'overdue'
				ELSE 'scheduled' END) s (state)
		$sql$;
END $$;
COMMENT ON FUNCTION smartpouch._job_states() IS 'jobs of pg_cron, and what is wrong with each';

CREATE FUNCTION smartpouch._check_jobs(OUT status text, OUT observed bigint, OUT output text)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	SELECT count(*), string_agg(format('job "%s" %s', j.job, j.detail), '; ' ORDER BY j.job) FILTER (WHERE j.detail IS NOT NULL) INTO observed, output
	FROM smartpouch._job_states() j;
	status := CASE WHEN output IS NOT NULL THEN 'warn' WHEN observed > 0 THEN 'pass' END;
EXCEPTION WHEN insufficient_privilege THEN
	status := 'unknown';
	output := format('role "%s", which owns smartpouch, may not read the jobs of pg_cron: grant it USAGE on schema cron, and SELECT on cron.job and cron.job_run_details',
		current_user);
END $$;
COMMENT ON FUNCTION smartpouch._check_jobs() IS 'jobs of pg_cron, and what is wrong with them';
