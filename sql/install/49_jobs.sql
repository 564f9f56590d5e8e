-- Jobs of pg_cron, which this extension does not depend on: its objects are only named in text.

-- Without a folder for them there are no backups to make.
CREATE FUNCTION smartpouch._backups_are_set()
	RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM smartpouch.version();	-- loads the library, which has the settings
	RETURN current_setting('smartpouch.backup_directory') <> '';
END $$;
COMMENT ON FUNCTION smartpouch._backups_are_set() IS 'is there a folder for backups';

-- What there is to do regularly, with schedules in pg_cron's (and cron's) five fields.
CREATE FUNCTION smartpouch._jobs(OUT job text, OUT schedule text, OUT command text, OUT is_wanted boolean)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE ROWS 6
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT 'rollup', '* * * * *', 'SELECT smartpouch.rollup()', true
	UNION ALL
	SELECT j.job, j.schedule, j.command, smartpouch._backups_are_set()
	FROM (VALUES ('backup_models', '7 1 * * *', $c$SELECT smartpouch.backup('models')$c$),
		('backup_full', '37 1 * * 0', $c$SELECT smartpouch.backup('full')$c$),
		('verify_checksum', '7 3 * * *', $c$SELECT smartpouch.verify_newest('checksum')$c$),
		('verify_restore', '37 3 * * 0', $c$SELECT smartpouch.verify_newest('restore')$c$),
		('expire_backups', '7 5 * * *', $c$SELECT count(*) FROM smartpouch.expire_backups(false)$c$)) j (job, schedule, command) $$;
COMMENT ON FUNCTION smartpouch._jobs() IS 'what is to be done regularly, and when unless options say otherwise';

-- Names of jobs are of the whole server, so they say which database they are about.
CREATE FUNCTION smartpouch._job_name(job text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('smartpouch %s in %s', job, current_database()) $$;
COMMENT ON FUNCTION smartpouch._job_name(text) IS 'name of a job for pg_cron';

-- Those of a database that is not there are nobody's, as after it was renamed: everybody sees and removes them.
CREATE FUNCTION smartpouch._is_job(name text, database text)
	RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM smartpouch._jobs() j WHERE name = smartpouch._job_name(j.job)
		OR (starts_with(name, format('smartpouch %s in ', j.job)) AND NOT EXISTS (SELECT FROM pg_database d WHERE d.datname = database))) $$;
COMMENT ON FUNCTION smartpouch._is_job(text, text) IS 'is it the name of a job of this database, or of one that is not there';

CREATE FUNCTION smartpouch._cron_is_here()
	RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron') $$;
COMMENT ON FUNCTION smartpouch._cron_is_here() IS 'is pg_cron an extension of this database';

-- A word of sh in a crontab, where a percent sign would end the line.
CREATE FUNCTION smartpouch._shell_word(word text)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT replace('''' || replace(word, '''', $q$'\''$q$) || '''', '%', $q$\%$q$) $$;
COMMENT ON FUNCTION smartpouch._shell_word(text) IS 'a quoted word for a line of a crontab';

-- What psql connects to by -d: a name that looks like a connection string would be read as one.
CREATE FUNCTION smartpouch._psql_database(name text)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN name ~ '=|^postgres(ql)?://'
		THEN format('dbname=''%s''', replace(replace(name, $q$\$q$, $q$\\$q$), '''', $q$\'$q$)) ELSE name END $$;
COMMENT ON FUNCTION smartpouch._psql_database(text) IS 'a name of a database for psql';

CREATE FUNCTION smartpouch.schedule_jobs(options jsonb DEFAULT '{}', OUT job text, OUT schedule text, OUT command text,
	OUT scheduled boolean, OUT statement text)
	RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 5
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	is_here boolean := smartpouch._cron_is_here();
	cron_database text := current_setting('cron.database_name', true);
	bad text;
BEGIN
	IF options IS NULL OR jsonb_typeof(options) <> 'object' THEN
		RAISE EXCEPTION 'options must be a JSON object of schedules by job' USING ERRCODE = '22023';
	END IF;
	SELECT o.key INTO bad FROM jsonb_each(options) o WHERE o.key NOT IN (SELECT j.job FROM smartpouch._jobs() j) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'there is no job "%"', bad USING ERRCODE = '22023',
			DETAIL = 'The jobs are ' || (SELECT string_agg(j.job, ', ') FROM smartpouch._jobs() j) || '.';
	END IF;
	SELECT o.key INTO bad FROM jsonb_each(options) o
	WHERE o.value <> 'null' AND COALESCE(options ->> o.key !~ '^ *([0-9*/,-]+ +){2}[0-9*/,$-]+( +[0-9*/,-]+){2} *$', true) LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the schedule of job "%" must be five fields, or null for no job', bad USING ERRCODE = '22023',
			HINT = 'Minute, hour, day of the month, month and day of the week, such as 30 2 * * 0.';
	END IF;
	IF is_here THEN
		NULL;
	ELSIF cron_database IS NULL THEN
		RAISE NOTICE 'pg_cron is not loaded by this server'
			USING HINT = 'The lines in column statement are for the crontab of a user who may connect, or add pg_cron to shared_preload_libraries.';
	ELSIF cron_database = current_database() THEN
		RAISE NOTICE 'pg_cron is loaded, but is no extension of this database'
			USING HINT = 'Run CREATE EXTENSION pg_cron, and this function again.';
	ELSE
		RAISE NOTICE 'pg_cron is in database "%"', cron_database
			USING HINT = 'Run the statements in column statement there.';
	END IF;
	FOR job, schedule, command IN
		SELECT j.job, CASE WHEN options ? j.job THEN options ->> j.job WHEN j.is_wanted THEN j.schedule END, j.command
		FROM smartpouch._jobs() j
	LOOP
		scheduled := is_here AND schedule IS NOT NULL;
		statement := NULL;
		IF is_here THEN
			-- one of another role, which superusers see, would do the same once more; with another schedule it
			-- is another job, so that it is not late by the last run of the old one; and pg_cron would let one go on
			-- being inactive, or of the other database that somebody has given it
			EXECUTE 'SELECT count(cron.unschedule(c.jobid)) FROM cron.job c WHERE c.jobname = $1'
				' AND NOT ($2 AND c.username = current_user AND c.schedule = $3 AND c.database = current_database() AND c.active)'
				USING smartpouch._job_name(job), scheduled, schedule;
		END IF;
		IF scheduled THEN
			EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING smartpouch._job_name(job), schedule, command;
		ELSIF is_here THEN
			NULL;
		ELSIF schedule IS NOT NULL AND cron_database = current_database() THEN
			statement := format('SELECT cron.schedule(%L, %L, %L)', smartpouch._job_name(job), schedule, command);
		ELSIF schedule IS NOT NULL AND cron_database IS NOT NULL THEN
			statement := format('SELECT cron.schedule_in_database(%L, %L, %L, %L)',
				smartpouch._job_name(job), schedule, command, current_database());
		ELSIF schedule IS NOT NULL THEN
			statement := format('%s psql -XqAt -d %s -c %s', schedule, smartpouch._shell_word(smartpouch._psql_database(current_database())),
				smartpouch._shell_word(command));
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION smartpouch.schedule_jobs(jsonb) IS
	'let pg_cron do what is to be done regularly, or say how it, or cron, can be told to';

CREATE FUNCTION smartpouch.unschedule_jobs()
	RETURNS integer LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	removed integer;
BEGIN
	IF NOT smartpouch._cron_is_here() THEN
		RAISE NOTICE 'pg_cron is no extension of this database';
		RETURN 0;
	END IF;
	EXECUTE 'SELECT count(cron.unschedule(c.jobid)) FROM cron.job c'
		' WHERE starts_with(c.jobname, ''smartpouch '') AND smartpouch._is_job(c.jobname, c.database)' INTO removed;
	RETURN removed;
END $$;
COMMENT ON FUNCTION smartpouch.unschedule_jobs() IS 'remove the jobs that schedule_jobs() has made; returns how many';

-- For health(): status, what was observed, and what is wrong.

-- By what rollup() wrote, not by what the scheduler says.
CREATE FUNCTION smartpouch._check_rollup(OUT status text, OUT observed bigint, OUT output text)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	done_at timestamptz;
BEGIN
	SELECT s.done_at INTO done_at FROM smartpouch.rollup_state s WHERE s.level = 'minute';
	IF FOUND THEN
		observed := greatest(0, extract(epoch FROM clock_timestamp() - done_at));
		status := CASE WHEN observed > 3600 THEN 'fail' WHEN observed > 180 THEN 'warn' ELSE 'pass' END;
		IF status <> 'pass' THEN
			output := 'nothing was rolled up since: is SELECT smartpouch.rollup() run every minute? See schedule_jobs()';
		END IF;
	END IF;
END $$;
COMMENT ON FUNCTION smartpouch._check_rollup() IS 'seconds since the last rollup; absent before the first';
