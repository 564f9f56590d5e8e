-- What health() says of backups, by their rows and folder, whatever a scheduler says.

CREATE FUNCTION smartpouch._backup_free_bytes()
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_backup_free_bytes';
COMMENT ON FUNCTION smartpouch._backup_free_bytes() IS 'free space of the folder for backups; an error says what is wrong with it';

CREATE FUNCTION smartpouch._check_backup_age(OUT status text, OUT observed bigint, OUT output text)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	last_good timestamptz;
	failed record;
	most double precision;
BEGIN
	IF NOT smartpouch._backups_are_set() THEN
		RETURN;
	END IF;
	most := extract(epoch FROM current_setting('smartpouch.max_backup_age')::interval);
	SELECT max(b.finished_at) INTO last_good FROM smartpouch.backup b WHERE b.status IN ('complete', 'verified');
	SELECT b.label, b.reason INTO failed FROM smartpouch.backup b
	WHERE b.status = 'failed' AND b.started_at > COALESCE(last_good, '-infinity') ORDER BY b.started_at DESC LIMIT 1;
	observed := extract(epoch FROM clock_timestamp() - last_good);
	IF observed IS NULL THEN
		status := 'warn';
		output := 'no backup has succeeded: is SELECT smartpouch.backup() run regularly? See schedule_jobs()';
	ELSIF observed > most THEN
		status := CASE WHEN observed > 3 * most THEN 'fail' ELSE 'warn' END;
		output := 'the last backup is older than smartpouch.max_backup_age: is SELECT smartpouch.backup() run regularly? See schedule_jobs()';
	ELSE
		status := CASE WHEN failed.label IS NULL THEN 'pass' ELSE 'warn' END;
	END IF;
	IF failed.label IS NOT NULL THEN
		output := concat_ws('; ', output, format('backup "%s" failed: %s', failed.label, failed.reason));
	END IF;
END $$;
COMMENT ON FUNCTION smartpouch._check_backup_age() IS 'seconds since a backup succeeded';

CREATE FUNCTION smartpouch._check_backup_verified(OUT status text, OUT observed bigint, OUT output text)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most double precision;
BEGIN
	IF NOT smartpouch._backups_are_set() OR NOT EXISTS (SELECT FROM smartpouch.backup b WHERE b.status IN ('complete', 'verified')) THEN
		RETURN;
	END IF;
	most := extract(epoch FROM current_setting('smartpouch.max_verified_backup_age')::interval);
	SELECT extract(epoch FROM clock_timestamp() - max(b.finished_at)) INTO observed
	FROM smartpouch.backup b WHERE b.status = 'verified';
	status := CASE WHEN observed <= most THEN 'pass' WHEN observed > 3 * most THEN 'fail' ELSE 'warn' END;
	IF observed IS NULL THEN
		output := 'no backup was proven by restoring it: run SELECT * FROM smartpouch.verify_backup(id). See schedule_jobs()';
	ELSIF status <> 'pass' THEN
		output := 'the newest backup that was proven by restoring it is older than smartpouch.max_verified_backup_age. See schedule_jobs()';
	END IF;
END $$;
COMMENT ON FUNCTION smartpouch._check_backup_verified() IS 'age in seconds of the newest backup that was restored to prove it';

-- Room for one more set like the largest of the last ones; for two, so that there is time to act.
CREATE FUNCTION smartpouch._check_backup_folder(OUT status text, OUT observed bigint, OUT output text)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	largest bigint;
BEGIN
	IF NOT smartpouch._backups_are_set() THEN
		RETURN;
	END IF;
	observed := smartpouch._backup_free_bytes();
	SELECT COALESCE(max(b.bytes), 0) INTO largest
	FROM (SELECT k.bytes FROM smartpouch.backup k ORDER BY k.started_at DESC LIMIT 10) b;
	status := CASE WHEN observed < largest THEN 'fail' WHEN observed < 2 * largest THEN 'warn' ELSE 'pass' END;
	IF status <> 'pass' THEN
		output := format('free space of the folder for backups: %s, the largest of the last sets: %s', pg_size_pretty(observed), pg_size_pretty(largest));
	END IF;
END $$;
COMMENT ON FUNCTION smartpouch._check_backup_folder() IS 'free bytes of the folder for backups';

CREATE FUNCTION smartpouch.verify_newest(level text DEFAULT 'restore')
	RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	newest bigint := (SELECT b.id FROM smartpouch.backups b WHERE b.status IN ('complete', 'verified') ORDER BY b.started_at DESC, b.id DESC LIMIT 1);
	failed text;
BEGIN
	IF newest IS NULL THEN
		RAISE EXCEPTION 'there is no backup to verify' USING ERRCODE = '55000', HINT = 'Make one with backup().';
	END IF;
	SELECT string_agg(v.item || ': ' || COALESCE(v.detail, ''), '; ') INTO failed
	FROM smartpouch.verify_backup(newest, level) v WHERE NOT v.passed;
	IF failed IS NOT NULL THEN
		RAISE EXCEPTION 'backup % is not what it should be', newest USING ERRCODE = 'XX001', DETAIL = failed;
	END IF;
	RETURN newest;
END $$;
COMMENT ON FUNCTION smartpouch.verify_newest(text) IS 'verify the newest backup, for a scheduler: what is wrong is an error';
