-- What was counted, by minute, hour and day (UTC). A minute holds what was counted between two
-- calls of rollup(); hours are sums of minutes, days of hours. Histograms add up, percentiles are
-- read from them. Partitions are made and dropped by rollup(), so that retention deletes no rows.
-- The primary keys are the partitions' own: one of a parent that is part of an extension would stand in
-- the way of the partitions' when a dump is restored. Without them nothing could be deleted where
-- somebody publishes all tables.

CREATE TABLE smartpouch.rollup_minute (
	bucket timestamptz NOT NULL,
	model_id uuid NOT NULL,
	version integer NOT NULL,
	stage text COLLATE "C" NOT NULL,
	model text NOT NULL,
	calls bigint NOT NULL,
	rows bigint NOT NULL,
	busy_ns bigint NOT NULL,
	cpu_ns bigint NOT NULL,
	errors bigint[] NOT NULL,
	latencies bigint[] NOT NULL,
	samples bigint NOT NULL,
	ready bigint NOT NULL
) PARTITION BY RANGE (bucket);
COMMENT ON TABLE smartpouch.rollup_minute IS 'predictions and readiness by minute; partitions are days';

CREATE TABLE smartpouch.rollup_hour (LIKE smartpouch.rollup_minute) PARTITION BY RANGE (bucket);
COMMENT ON TABLE smartpouch.rollup_hour IS 'predictions and readiness by hour; partitions are months';

CREATE TABLE smartpouch.rollup_day (LIKE smartpouch.rollup_minute) PARTITION BY RANGE (bucket);
COMMENT ON TABLE smartpouch.rollup_day IS 'predictions and readiness by day; partitions are years';

CREATE TABLE smartpouch.usage_hour (
	bucket timestamptz NOT NULL,
	kind text NOT NULL,
	owner text NOT NULL,
	model_id uuid NOT NULL,
	model text NOT NULL,
	calls bigint NOT NULL,
	rows bigint NOT NULL,
	busy_ns bigint NOT NULL,
	errors bigint[] NOT NULL
) PARTITION BY RANGE (bucket);
COMMENT ON TABLE smartpouch.usage_hour IS 'predictions by owner, model and hour; partitions are months';

-- Counters as rollup() saw them last: what it adds is the difference. Dumped, because a database that is
-- restored on a server that has counted on is to go on from there; other servers' marks are not used.
CREATE TABLE smartpouch.rollup_mark (
	kind text NOT NULL,
	number bigint NOT NULL,
	boot_id uuid NOT NULL,
	database oid NOT NULL,
	calls bigint NOT NULL,
	rows bigint NOT NULL,
	busy_ns bigint NOT NULL,
	cpu_ns bigint NOT NULL,
	errors bigint[] NOT NULL,
	latencies bigint[] NOT NULL,
	CONSTRAINT rollup_mark_pkey PRIMARY KEY (kind, number)
) USING heap;
COMMENT ON TABLE smartpouch.rollup_mark IS 'counters of this server as rollup() saw them last';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.rollup_mark', '');

-- The last bucket of each level that may still change, and the time that retention goes by.
CREATE TABLE smartpouch.rollup_state (
	level text CONSTRAINT rollup_state_pkey PRIMARY KEY,
	bucket timestamptz NOT NULL,
	done_at timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE smartpouch.rollup_state IS 'how far each level of rollups has come';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.rollup_state', '');

CREATE FUNCTION smartpouch._add(a bigint[], b bigint[])
	RETURNS bigint[] LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_add_counts';
COMMENT ON FUNCTION smartpouch._add(bigint[], bigint[]) IS 'sums of elements; a missing array counts as zeros';

CREATE FUNCTION smartpouch._subtract(a bigint[], b bigint[])
	RETURNS bigint[] LANGUAGE c IMMUTABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_subtract_counts';
COMMENT ON FUNCTION smartpouch._subtract(bigint[], bigint[]) IS 'differences of elements; a missing second array counts as zeros';

CREATE FUNCTION smartpouch._total(counts bigint[])
	RETURNS bigint LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_sum_counts';
COMMENT ON FUNCTION smartpouch._total(bigint[]) IS 'the sum of an array''s elements';

CREATE AGGREGATE smartpouch._sum(bigint[]) (
	SFUNC = smartpouch._add,
	STYPE = bigint[],
	COMBINEFUNC = smartpouch._add,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch._sum(bigint[]) IS 'sums of elements';

-- Would a partition take a row of that time? Whoever made it, with whatever bounds.
CREATE FUNCTION smartpouch._partition_takes(partition regclass, bucket timestamptz)
	RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	takes boolean;
BEGIN
	EXECUTE format('SELECT %s FROM (SELECT $1 AS bucket) b', pg_get_partition_constraintdef(partition)) INTO takes USING bucket;
	RETURN takes;
END $$;
COMMENT ON FUNCTION smartpouch._partition_takes(regclass, timestamptz) IS 'does a time lie within the bounds of a partition';

-- The partition of a rollup table that holds a bucket. It is made on its own and attached, which waits for
-- nobody who reads the others, as a dump does for hours. One for all that no other takes (DEFAULT) gives way to
-- it, unless it has such rows already: then it takes these, too.
CREATE FUNCTION smartpouch._rollup_partition(parent text, bucket timestamptz)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	unit text := CASE WHEN parent = 'rollup_minute' THEN 'day' WHEN right(parent, 4) = '_day' THEN 'year' ELSE 'month' END;
	lower timestamptz := date_trunc(unit, bucket);
	base text := parent || '_' || to_char(lower, 'YYYYMMDD');
	name text := base;
	taken integer := 0;
BEGIN
	IF EXISTS (SELECT FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = ('smartpouch.' || parent)::regclass AND NOT i.inhdetachpending
			AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT' AND smartpouch._partition_takes(c.oid, bucket)) THEN
		RETURN;
	END IF;
	WHILE to_regclass(format('smartpouch.%I', name)) IS NOT NULL LOOP
		taken := taken + 1;
		name := format('%s_%s', base, taken);
	END LOOP;
	EXECUTE format('CREATE TABLE smartpouch.%I (LIKE smartpouch.%I, PRIMARY KEY (bucket, model_id, %s)) USING heap', name, parent,
		CASE WHEN parent = 'usage_hour' THEN 'kind, owner' WHEN parent LIKE 'drift%' THEN 'version' ELSE 'version, stage' END);
	BEGIN
		EXECUTE format('ALTER TABLE smartpouch.%I ATTACH PARTITION smartpouch.%I FOR VALUES FROM (%L) TO (%L)',
			parent, name, lower, lower + ('1 ' || unit)::interval);
	EXCEPTION WHEN check_violation THEN
		EXECUTE format('DROP TABLE smartpouch.%I', name);
	END;
END $$;
COMMENT ON FUNCTION smartpouch._rollup_partition(text, timestamptz) IS 'make a partition unless there is one that takes the bucket';

-- Waits for nobody for long: what is in use, or needed by something, is dropped another time.
CREATE FUNCTION smartpouch._rollup_expire(parent text, before timestamptz)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC'
	SET lock_timeout = '100ms' AS $$
DECLARE
	partition regclass;
	reason text;
BEGIN
	FOR partition IN
		SELECT c.oid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = ('smartpouch.' || parent)::regclass AND NOT i.inhdetachpending
			AND substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$TO \('([^']*)'\)$re$)::timestamptz <= before
	LOOP
		BEGIN
			EXECUTE format('DROP TABLE %s', partition);
		EXCEPTION WHEN lock_not_available THEN
			EXIT;
		WHEN dependent_objects_still_exist THEN
			GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
			RAISE WARNING 'partition % is too old, but cannot be dropped', partition
				USING DETAIL = reason, HINT = format('Drop what depends on it, or run ALTER TABLE smartpouch.%I DETACH PARTITION %s.', parent, partition);
		END;
	END LOOP;
END $$;
COMMENT ON FUNCTION smartpouch._rollup_expire(text, timestamptz) IS 'drop partitions that end before a time';

-- Which stages are ready: unknown if there was not the time to find out.
CREATE FUNCTION smartpouch._ready_in_time(refs text[])
	RETURNS boolean[] LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ready_in_time';
COMMENT ON FUNCTION smartpouch._ready_in_time(text[]) IS
	'ready() of each reference, with NULL for those that smartpouch.readiness_timeout was not enough for';

-- What was counted since the last call, into the minute that most of it belongs to: jobs run at
-- the beginning of a minute. Time that goes back by less than an hour adds to the last minute; when it
-- goes back further it was wrong before: what was written of the future stays there, and the rest is of now.
CREATE FUNCTION smartpouch._rollup_minute()
	RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	boot uuid := (smartpouch.metrics_info()).boot_id;
	here oid := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
	none constant uuid := '00000000-0000-0000-0000-000000000000';
	minute timestamptz := date_trunc('minute', clock_timestamp() - interval '30 seconds');
	last timestamptz := (SELECT s.bucket FROM smartpouch.rollup_state s WHERE s.level = 'minute');
	hour timestamptz;
	written bigint;
BEGIN
	IF last > minute + interval '1 hour' THEN
		UPDATE smartpouch.rollup_state s SET bucket = least(s.bucket, date_trunc(s.level, minute)) WHERE s.level <> 'retention';
	ELSE
		minute := greatest(minute, last);
	END IF;
	hour := date_trunc('hour', minute);
	PERFORM smartpouch._rollup_partition('rollup_minute', minute), smartpouch._rollup_partition('usage_hour', minute);
	DELETE FROM smartpouch.rollup_mark m WHERE m.boot_id <> boot OR m.database <> here;
	WITH counted AS MATERIALIZED (
		SELECT k.kind, c.*
		FROM (VALUES ('prediction'), ('usage')) k (kind) CROSS JOIN LATERAL smartpouch._call_totals(k.kind) c
	), gone AS (
		DELETE FROM smartpouch.rollup_mark m USING counted o
		WHERE o.kind = m.kind AND o.is_other
			AND NOT EXISTS (SELECT FROM counted c WHERE c.kind = m.kind AND c.number = m.number)
		RETURNING m.kind, CASE WHEN m.number > o.number THEN o.number END AS number, m.calls, m.rows, m.busy_ns, m.cpu_ns, m.errors, m.latencies
	), seen AS (
		-- what is gone was added to the series that stands for others, so it was seen there
		SELECT s.kind, s.number, sum(s.calls) AS calls, sum(s.rows) AS rows, sum(s.busy_ns) AS busy_ns, sum(s.cpu_ns) AS cpu_ns,
			smartpouch._sum(s.errors) AS errors, smartpouch._sum(s.latencies) AS latencies
		FROM (SELECT m.kind, m.number, m.calls, m.rows, m.busy_ns, m.cpu_ns, m.errors, m.latencies FROM smartpouch.rollup_mark m
			UNION ALL SELECT g.* FROM gone g) s
		GROUP BY s.kind, s.number
	), changed AS (
		SELECT c.kind, COALESCE(c.model_id, none) AS model_id, COALESCE(c.version, 0) AS version, c.role, c.is_other,
			CASE WHEN c.is_other THEN '(other)' ELSE COALESCE(c.name, '') END AS name,
			c.calls - COALESCE(m.calls, 0) AS calls, c.rows - COALESCE(m.rows, 0) AS rows,
			c.busy_ns - COALESCE(m.busy_ns, 0) AS busy_ns, greatest(0, c.cpu_ns - COALESCE(m.cpu_ns, 0)) AS cpu_ns,
			smartpouch._subtract(c.errors, m.errors) AS errors, smartpouch._subtract(c.latencies, m.latencies) AS latencies
		FROM counted c LEFT JOIN seen m ON m.kind = c.kind AND m.number = c.number
	), added AS MATERIALIZED (
		-- all numbers are looked at: a call may be counted in some of them while they are read
		SELECT c.* FROM changed c WHERE c.calls + c.rows + c.busy_ns + c.cpu_ns > 0 OR 0 < ANY (c.errors || c.latencies)
	), marked AS (
		INSERT INTO smartpouch.rollup_mark AS m
		SELECT c.kind, c.number, boot, here, c.calls, c.rows, c.busy_ns, c.cpu_ns, c.errors, c.latencies FROM counted c
		-- the CPU time is a difference, which may fall back by a call that was half counted
		ON CONFLICT (kind, number) DO UPDATE SET calls = excluded.calls, rows = excluded.rows,
			busy_ns = excluded.busy_ns, cpu_ns = greatest(m.cpu_ns, excluded.cpu_ns), errors = excluded.errors, latencies = excluded.latencies
	), usage_before AS (
		DELETE FROM smartpouch.usage_hour u WHERE u.bucket = hour RETURNING u.*
	), used AS (
		INSERT INTO smartpouch.usage_hour
		SELECT hour, u.kind, u.owner, u.model_id, max(u.model), sum(u.calls), sum(u.rows), sum(u.busy_ns), smartpouch._sum(u.errors)
		FROM (SELECT b.kind, b.owner, b.model_id, b.model, b.calls, b.rows, b.busy_ns, b.errors FROM usage_before b
			UNION ALL
			SELECT CASE WHEN a.role IS NOT NULL THEN 'role' WHEN a.is_other THEN '' ELSE 'api key' END,
				CASE WHEN a.role IS NOT NULL THEN COALESCE(r.rolname::text, format('(dropped role %s)', a.role)) ELSE a.name END, a.model_id, COALESCE(o.name, ''), a.calls, a.rows, a.busy_ns, a.errors
			FROM added a LEFT JOIN pg_roles r ON r.oid = a.role LEFT JOIN smartpouch.model o ON o.id = a.model_id
			WHERE a.kind = 'usage') u
		GROUP BY u.kind, u.owner, u.model_id
	), before AS (
		DELETE FROM smartpouch.rollup_minute r WHERE r.bucket = minute RETURNING r.*
	), sampled AS (
		SELECT u.model_id, u.version, u.stage, u.ready
		FROM (SELECT array_agg(d.model_id) AS ids, array_agg(d.version) AS versions, array_agg(d.stage) AS stages,
				array_agg(o.name || '@' || d.stage) AS refs
			FROM smartpouch.deployment d JOIN smartpouch.model o ON o.id = d.model_id) d,
			LATERAL unnest(d.ids, d.versions, d.stages, smartpouch._ready_in_time(d.refs)) u (model_id, version, stage, ready)
		UNION ALL
		SELECT none, 0, '(server)', smartpouch.health() ->> 'status' <> 'fail'
	), inserted AS (
		INSERT INTO smartpouch.rollup_minute
		SELECT minute, n.model_id, n.version, n.stage, COALESCE(max(o.name), max(n.model), ''), sum(n.calls), sum(n.rows),
			sum(n.busy_ns), sum(n.cpu_ns), smartpouch._sum(n.errors), smartpouch._sum(n.latencies), sum(n.samples), sum(n.ready)
		FROM (SELECT b.model_id, b.version, b.stage, b.model, b.calls, b.rows, b.busy_ns, b.cpu_ns, b.errors, b.latencies,
				b.samples, b.ready
			FROM before b
			UNION ALL
			SELECT a.model_id, a.version, a.name, NULL, a.calls, a.rows, a.busy_ns, a.cpu_ns, a.errors, a.latencies, 0, 0
			FROM added a
			WHERE a.kind = 'prediction'
			UNION ALL
			SELECT s.model_id, s.version, s.stage, NULL, 0, 0, 0, 0, '{0,0,0,0,0}',
				array_fill(0::bigint, ARRAY[cardinality(smartpouch._latency_bounds()) + 1]),
				(s.ready IS NOT NULL)::integer, COALESCE(s.ready, false)::integer
			FROM sampled s) n
			LEFT JOIN smartpouch.model o ON o.id = n.model_id
		GROUP BY n.model_id, n.version, n.stage
		RETURNING 1
	)
	SELECT count(*) INTO written FROM inserted;
	INSERT INTO smartpouch.rollup_state VALUES ('minute', minute, clock_timestamp())
	ON CONFLICT (level) DO UPDATE SET bucket = excluded.bucket, done_at = excluded.done_at;
	RETURN written;
END $$;
COMMENT ON FUNCTION smartpouch._rollup_minute() IS 'add what was counted since the last call; returns rows of the minute';

-- All buckets that may have changed since the last call, computed anew: a rerun gives the same rows.
CREATE FUNCTION smartpouch._rollup_sum(finer text, unit text)
	RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	target text := 'rollup_' || unit;
	source text := 'rollup_' || finer;
	first timestamptz;
	last timestamptz;
	written bigint;
BEGIN
	SELECT date_trunc(unit, s.bucket) INTO last FROM smartpouch.rollup_state s WHERE s.level = finer;
	SELECT date_trunc(unit, s.bucket) INTO first FROM smartpouch.rollup_state s WHERE s.level = unit;
	IF first IS NULL THEN
		EXECUTE format('SELECT date_trunc(%L, min(bucket)) FROM smartpouch.%I', unit, source) INTO first;
	END IF;
	IF first IS NULL OR last IS NULL THEN
		RETURN 0;
	END IF;
	EXECUTE format('SELECT smartpouch._rollup_partition(%L, b)'
		' FROM (SELECT DISTINCT date_trunc(''month'', bucket) AS b FROM smartpouch.%I WHERE bucket >= $1) s', target, source) USING first;
	EXECUTE format('DELETE FROM smartpouch.%I WHERE bucket >= $1', target) USING first;
	EXECUTE format('INSERT INTO smartpouch.%I'
		' SELECT date_trunc(%L, bucket), model_id, version, stage, max(model), sum(calls), sum(rows), sum(busy_ns), sum(cpu_ns),'
		' smartpouch._sum(errors), smartpouch._sum(latencies), sum(samples), sum(ready)'
		' FROM smartpouch.%I WHERE bucket >= $1 GROUP BY 1, 2, 3, 4', target, unit, source) USING first;
	GET DIAGNOSTICS written = ROW_COUNT;
	INSERT INTO smartpouch.rollup_state VALUES (unit, last, clock_timestamp())
	ON CONFLICT (level) DO UPDATE SET bucket = excluded.bucket, done_at = excluded.done_at;
	RETURN written;
END $$;
COMMENT ON FUNCTION smartpouch._rollup_sum(text, text) IS 'hours of minutes, or days of hours; returns rows written';

-- What retention takes for the time: it goes on by an hour at most from one call to the next, so that a clock that
-- is wrong for some minutes drops nothing that is needed.
CREATE FUNCTION smartpouch._retention_time()
	RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
	INSERT INTO smartpouch.rollup_state AS s VALUES ('retention', clock_timestamp(), clock_timestamp())
	ON CONFLICT (level) DO UPDATE SET bucket = least(excluded.bucket, s.bucket + interval '1 hour'), done_at = excluded.done_at
	RETURNING s.bucket $$;
COMMENT ON FUNCTION smartpouch._retention_time() IS 'the time, which a clock that jumps ahead does not take along';

-- Partitions that are older than the settings say go, once what follows from them is written.
CREATE FUNCTION smartpouch._rollup_retention()
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	at timestamptz := smartpouch._retention_time();
	minutes_before timestamptz := at - current_setting('smartpouch.rollup_minute_retention')::interval;
	hours_before timestamptz := at - current_setting('smartpouch.rollup_hour_retention')::interval;
	days_before timestamptz := at - current_setting('smartpouch.rollup_day_retention')::interval;
BEGIN
	PERFORM smartpouch._rollup_expire('rollup_minute', least(minutes_before, s.bucket)) FROM smartpouch.rollup_state s WHERE s.level = 'hour';
	PERFORM smartpouch._rollup_expire('rollup_hour', least(hours_before, s.bucket)) FROM smartpouch.rollup_state s WHERE s.level = 'day';
	PERFORM smartpouch._rollup_expire('usage_hour', hours_before), smartpouch._rollup_expire('rollup_day', days_before),
		smartpouch._rollup_expire('drift_hour', hours_before), smartpouch._rollup_expire('drift_day', days_before);
END $$;
COMMENT ON FUNCTION smartpouch._rollup_retention() IS 'drop old partitions of all rollups';

-- As the owner of the tables: who may call it is a matter of levels of access.
CREATE FUNCTION smartpouch.rollup(level text DEFAULT NULL)
	RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	written bigint := 0;
BEGIN
	IF level NOT IN ('minute', 'hour', 'day') THEN
		RAISE EXCEPTION '"%" is no level of rollups', level
			USING ERRCODE = '22023', DETAIL = 'The levels are minute, hour and day.';
	END IF;
	IF pg_is_in_recovery() THEN
		RAISE EXCEPTION 'rollups cannot be written on a standby'
			USING ERRCODE = '25006', DETAIL = 'What it answers is counted in its own memory.',
				HINT = 'Run rollup() on the primary; the view metrics and prometheus() show what a standby has counted.';
	END IF;
	-- an advisory lock could be held by any role, by accident as well; of a partitioned table autovacuum holds none
	BEGIN
		LOCK TABLE ONLY smartpouch.rollup_minute IN SHARE UPDATE EXCLUSIVE MODE NOWAIT;
	EXCEPTION WHEN lock_not_available THEN
		RAISE NOTICE 'another session is at work on rollups';
		RETURN 0;
	END;
	IF level IS NULL OR level = 'minute' THEN
		written := written + smartpouch._rollup_minute() + smartpouch._rollup_drift();
	END IF;
	IF level IS NULL OR level = 'hour' THEN
		written := written + smartpouch._rollup_sum('minute', 'hour');
	END IF;
	IF level IS NULL OR level = 'day' THEN
		written := written + smartpouch._rollup_sum('hour', 'day');
	END IF;
	PERFORM smartpouch._rollup_retention();
	RETURN written;
END $$;
COMMENT ON FUNCTION smartpouch.rollup(text) IS
	'write what was counted by minute, hour and day, and drop what is too old; returns rows written';
