-- What health() says of backups, by their rows and folder, whatever a scheduler says.

CREATE FUNCTION smartpouch._backup_free_bytes()
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
	AS 'MODULE_PATHNAME', 'smartpouch_backup_free_bytes';
COMMENT ON FUNCTION smartpouch._backup_free_bytes() IS 'free space of the folder for backups; an error says what is wrong with it';

-- Sets that count, and the kinds of sets that each of them stands for: a full one has the models, too.
CREATE FUNCTION smartpouch._good_backups(OUT proves text, OUT kind text, OUT status text, OUT started_at timestamptz, OUT finished_at timestamptz)
	RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT p.kind, b.kind, b.status, b.started_at, b.finished_at
	FROM smartpouch.backup b, (VALUES ('full'), ('models')) p (kind)
	WHERE b.status IN ('complete', 'verified') AND b.database = current_database() AND b.kind IN (p.kind, 'full') $$;
COMMENT ON FUNCTION smartpouch._good_backups() IS 'good backups of this database, once for each kind of data that they bring back';

-- A failure counts until a set that has the same succeeds, or nobody has tried for as long as proofs may be old.
CREATE FUNCTION smartpouch._check_backup_age(OUT status text, OUT observed bigint, OUT output text)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	failed record;
	most double precision;
BEGIN
	IF NOT smartpouch._backups_are_set() THEN
		RETURN;
	END IF;
	most := extract(epoch FROM current_setting('smartpouch.max_backup_age')::interval);
	SELECT extract(epoch FROM clock_timestamp() - max(g.finished_at)) INTO observed FROM smartpouch._good_backups() g;
	SELECT b.label, b.status, b.reason INTO failed FROM smartpouch.backup b
	WHERE b.reason IS NOT NULL AND b.database = current_database()
		AND b.started_at > clock_timestamp() - current_setting('smartpouch.max_verified_backup_age')::interval
		AND NOT EXISTS (SELECT FROM smartpouch._good_backups() g WHERE g.proves = b.kind AND g.started_at > b.started_at)
	ORDER BY b.started_at DESC LIMIT 1;
	IF observed IS NULL THEN
		status := 'warn';
		output := 'no backup has succeeded: is SELECT smartpouch.backup() run regularly? See schedule_jobs()';
	ELSIF observed > most THEN
		status := CASE WHEN observed > 3 * most THEN 'fail' ELSE 'warn' END;
		output := 'the last backup is older than smartpouch.max_backup_age: is SELECT smartpouch.backup() run regularly? See schedule_jobs()';
	ELSE
		status := CASE WHEN failed.label IS NULL THEN 'pass' ELSE 'warn' END;
	END IF;
	observed := observed * (observed > 0)::integer;	-- the clock may have gone back
	IF failed.label IS NOT NULL THEN
		output := concat_ws('; ', output, format('backup "%s" %s: %s', failed.label,
			CASE failed.status WHEN 'failed' THEN 'failed' ELSE 'could not be verified' END, failed.reason));
	END IF;
END $$;
COMMENT ON FUNCTION smartpouch._check_backup_age() IS 'seconds since a backup succeeded';

-- Of the kinds that are made the one whose proof is the oldest.
CREATE FUNCTION smartpouch._check_backup_verified(OUT status text, OUT observed bigint, OUT output text)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	most double precision;
	worst text;
BEGIN
	IF NOT smartpouch._backups_are_set() THEN
		RETURN;
	END IF;
	SELECT g.proves, extract(epoch FROM clock_timestamp() - max(g.finished_at) FILTER (WHERE g.status = 'verified'))
		INTO worst, observed
	FROM smartpouch._good_backups() g GROUP BY g.proves HAVING bool_or(g.kind = g.proves) ORDER BY 2 DESC NULLS FIRST LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	most := extract(epoch FROM current_setting('smartpouch.max_verified_backup_age')::interval);
	status := CASE WHEN observed <= most THEN 'pass' WHEN observed > 3 * most THEN 'fail' ELSE 'warn' END;
	observed := observed * (observed > 0)::integer;
	IF observed IS NULL THEN
		output := format('no backup of kind "%s" was proven by restoring it: run SELECT smartpouch.verify_newest(). See schedule_jobs()', worst);
	ELSIF status <> 'pass' THEN
		output := format('the newest backup of kind "%s" that was proven by restoring it is older than smartpouch.max_verified_backup_age. See schedule_jobs()', worst);
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

-- One of each kind: the newest full set must not hide that nightly ones of models do not restore, nor the other way round.
CREATE FUNCTION smartpouch.verify_newest(level text DEFAULT 'restore')
	RETURNS SETOF bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 2
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	newest bigint;
	failed text;
	problems text;
BEGIN
	FOR newest IN SELECT DISTINCT ON (b.kind) b.id FROM smartpouch.backups b
		WHERE b.status IN ('complete', 'verified') AND b.database = current_database()
		ORDER BY b.kind, b.started_at DESC, b.id DESC
	LOOP
		SELECT string_agg(v.item || ': ' || COALESCE(v.detail, ''), '; ') INTO failed
		FROM smartpouch.verify_backup(newest, level) v WHERE NOT v.passed;
		problems := nullif(concat_ws(E'\n', problems, format('Backup %s: ', newest) || failed), '');
		RETURN NEXT newest;
	END LOOP;
	IF newest IS NULL THEN
		RAISE EXCEPTION 'there is no backup to verify' USING ERRCODE = '55000', HINT = 'Make one with backup().';
	ELSIF problems IS NOT NULL THEN
		RAISE EXCEPTION 'the newest backups are not what they should be' USING ERRCODE = 'XX001', DETAIL = problems;
	END IF;
END $$;
COMMENT ON FUNCTION smartpouch.verify_newest(text) IS 'verify the newest backup of each kind, for a scheduler: what is wrong is an error';
