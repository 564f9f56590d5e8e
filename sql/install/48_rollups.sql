-- What was counted, by minute, hour and day (UTC). A minute holds what was counted between two
-- calls of rollup(); hours are sums of minutes, days of hours. Histograms add up, percentiles are
-- read from them. Partitions are made and dropped by rollup(), so that retention deletes no rows.
-- The indexes are the partitions' own: one of a parent that is part of an extension would stand in
-- the way of the partitions' when a dump is restored.

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

-- Counters as rollup() saw them last: what it adds is the difference.
CREATE TABLE smartpouch.rollup_mark (
	kind text NOT NULL,
	series text NOT NULL,
	boot_id uuid NOT NULL,
	since timestamptz NOT NULL,
	calls bigint NOT NULL,
	rows bigint NOT NULL,
	busy_ns bigint NOT NULL,
	cpu_ns bigint NOT NULL,
	errors bigint[] NOT NULL,
	latencies bigint[] NOT NULL,
	CONSTRAINT rollup_mark_pkey PRIMARY KEY (kind, series)
) USING heap;
COMMENT ON TABLE smartpouch.rollup_mark IS 'counters of this server as rollup() saw them last';

-- One row: the last bucket of each level that may still change.
CREATE TABLE smartpouch.rollup_state (
	level text CONSTRAINT rollup_state_pkey PRIMARY KEY,
	bucket timestamptz NOT NULL,
	done_at timestamptz NOT NULL
) USING heap;
COMMENT ON TABLE smartpouch.rollup_state IS 'how far each level of rollups has come';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.rollup_state', '');

CREATE FUNCTION smartpouch._add(a bigint[], b bigint[])
	RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(COALESCE(x, 0) + COALESCE(y, 0) ORDER BY n) FROM unnest(a, b) WITH ORDINALITY u (x, y, n) $$;
COMMENT ON FUNCTION smartpouch._add(bigint[], bigint[]) IS 'sums of elements; a missing array counts as zeros';

CREATE FUNCTION smartpouch._subtract(a bigint[], b bigint[])
	RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(x - COALESCE(y, 0) ORDER BY n) FROM unnest(a, b) WITH ORDINALITY u (x, y, n) $$;
COMMENT ON FUNCTION smartpouch._subtract(bigint[], bigint[]) IS 'differences of elements; a missing second array counts as zeros';

CREATE AGGREGATE smartpouch._sum(bigint[]) (
	SFUNC = smartpouch._add,
	STYPE = bigint[],
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE smartpouch._sum(bigint[]) IS 'sums of elements';

-- For many rows: the server adds numbers faster than _sum() adds arrays.
CREATE FUNCTION smartpouch._sums(name text, length integer)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format('sum(%I[%s])', name, i), ', ' ORDER BY i) FROM generate_series(1, length) i $$;
COMMENT ON FUNCTION smartpouch._sums(text, integer) IS 'sums of an array''s elements, as SQL';

-- The partition of a rollup table that holds a bucket.
CREATE FUNCTION smartpouch._rollup_partition(parent text, bucket timestamptz)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	unit text := CASE WHEN parent = 'rollup_minute' THEN 'day' WHEN parent LIKE '%\_day' THEN 'year' ELSE 'month' END;
	lower timestamptz := date_trunc(unit, bucket);
	name text := parent || '_' || to_char(lower, 'YYYYMMDD');
BEGIN
	IF to_regclass('smartpouch.' || name) IS NULL THEN
		EXECUTE format('CREATE TABLE smartpouch.%I PARTITION OF smartpouch.%I FOR VALUES FROM (%L) TO (%L)',
			name, parent, lower, lower + ('1 ' || unit)::interval);
		EXECUTE format('CREATE UNIQUE INDEX ON smartpouch.%I (bucket, model_id, %s)', name,
			CASE WHEN parent = 'usage_hour' THEN 'kind, owner' WHEN parent LIKE 'drift%' THEN 'version' ELSE 'version, stage' END);
	END IF;
END $$;
COMMENT ON FUNCTION smartpouch._rollup_partition(text, timestamptz) IS 'make a partition unless it is there';

CREATE FUNCTION smartpouch._rollup_expire(parent text, before timestamptz)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	partition regclass;
BEGIN
	FOR partition IN
		SELECT c.oid::regclass FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = ('smartpouch.' || parent)::regclass
			AND substring(pg_get_expr(c.relpartbound, c.oid) FROM $re$TO \('([^']*)'\)$re$)::timestamptz <= before
	LOOP
		EXECUTE format('DROP TABLE %s', partition);
	END LOOP;
END $$;
COMMENT ON FUNCTION smartpouch._rollup_expire(text, timestamptz) IS 'drop partitions that end before a time';

-- What was counted since the last call, into the minute that most of it belongs to: jobs run at
-- the beginning of a minute. Time that goes back by less than an hour adds to the last minute; when it
-- goes back further it was wrong before: what was written of the future stays there, and the rest is of now.
CREATE FUNCTION smartpouch._rollup_minute()
	RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	boot uuid := (smartpouch.metrics_info()).boot_id;
	none constant uuid := '00000000-0000-0000-0000-000000000000';
	minute timestamptz := date_trunc('minute', clock_timestamp() - interval '30 seconds');
	last timestamptz := (SELECT s.bucket FROM smartpouch.rollup_state s WHERE s.level = 'minute');
	hour timestamptz;
	written bigint;
BEGIN
	IF last > minute + interval '1 hour' THEN
		UPDATE smartpouch.rollup_state s SET bucket = least(s.bucket, date_trunc(s.level, minute));
	ELSE
		minute := greatest(minute, last);
	END IF;
	hour := date_trunc('hour', minute);
	PERFORM smartpouch._rollup_partition('rollup_minute', minute), smartpouch._rollup_partition('usage_hour', minute);
	DELETE FROM smartpouch.rollup_mark m WHERE m.boot_id <> boot;
	WITH counted AS MATERIALIZED (
		SELECT k.kind, concat_ws('|', c.model_id, c.version, c.role, c.name, c.is_other) AS series, c.*
		FROM (VALUES ('prediction'), ('usage')) k (kind) CROSS JOIN LATERAL smartpouch._call_counts(k.kind) c
	), changed AS (
		SELECT c.kind, COALESCE(c.model_id, none) AS model_id, COALESCE(c.version, 0) AS version, c.role,
			CASE WHEN c.is_other THEN '(other)' ELSE COALESCE(c.name, '') END AS name,
			c.calls - COALESCE(m.calls, 0) AS calls, c.rows - COALESCE(m.rows, 0) AS rows,
			c.busy_ns - COALESCE(m.busy_ns, 0) AS busy_ns, c.cpu_ns - COALESCE(m.cpu_ns, 0) AS cpu_ns,
			smartpouch._subtract(c.errors, m.errors) AS errors, smartpouch._subtract(c.latencies, m.latencies) AS latencies
		FROM counted c LEFT JOIN smartpouch.rollup_mark m ON m.kind = c.kind AND m.series = c.series AND m.since = c.since
	), added AS MATERIALIZED (
		-- all numbers are looked at: a call may be counted in some of them while they are read
		SELECT c.* FROM changed c WHERE c.calls + c.rows + c.busy_ns + c.cpu_ns > 0 OR 0 < ANY (c.errors || c.latencies)
	), marked AS (
		INSERT INTO smartpouch.rollup_mark AS m
		SELECT c.kind, c.series, boot, c.since, c.calls, c.rows, c.busy_ns, c.cpu_ns, c.errors, c.latencies FROM counted c
		ON CONFLICT (kind, series) DO UPDATE SET since = excluded.since, calls = excluded.calls, rows = excluded.rows,
			busy_ns = excluded.busy_ns, cpu_ns = excluded.cpu_ns, errors = excluded.errors, latencies = excluded.latencies
	), usage_before AS (
		DELETE FROM smartpouch.usage_hour u WHERE u.bucket = hour RETURNING u.*
	), used AS (
		INSERT INTO smartpouch.usage_hour
		SELECT hour, u.kind, u.owner, u.model_id, max(u.model), sum(u.calls), sum(u.rows), sum(u.busy_ns), smartpouch._sum(u.errors)
		FROM (SELECT b.kind, b.owner, b.model_id, b.model, b.calls, b.rows, b.busy_ns, b.errors FROM usage_before b
			UNION ALL
			SELECT CASE WHEN a.role IS NOT NULL THEN 'role' WHEN a.name = '(other)' THEN '' ELSE 'api key' END,
				COALESCE(r.rolname::text, a.name), a.model_id, COALESCE(o.name, ''), a.calls, a.rows, a.busy_ns, a.errors
			FROM added a LEFT JOIN pg_roles r ON r.oid = a.role LEFT JOIN smartpouch.model o ON o.id = a.model_id
			WHERE a.kind = 'usage') u
		GROUP BY u.kind, u.owner, u.model_id
	), before AS (
		DELETE FROM smartpouch.rollup_minute r WHERE r.bucket = minute RETURNING r.*
	), sampled AS (
		SELECT d.model_id, d.version, d.stage, smartpouch.ready(o.name || '@' || d.stage) AS ready
		FROM smartpouch.deployment d JOIN smartpouch.model o ON o.id = d.model_id
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
				array_fill(0::bigint, ARRAY[cardinality(smartpouch._latency_bounds()) + 1]), 1, s.ready::integer
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
	newest timestamptz;	-- later than last if the clock was wrong
	written bigint;
BEGIN
	SELECT date_trunc(unit, s.bucket) INTO last FROM smartpouch.rollup_state s WHERE s.level = finer;
	SELECT s.bucket INTO first FROM smartpouch.rollup_state s WHERE s.level = unit;
	IF first IS NULL THEN
		EXECUTE format('SELECT date_trunc(%L, min(bucket)) FROM smartpouch.%I', unit, source) INTO first;
	END IF;
	IF first IS NULL OR last IS NULL THEN
		RETURN 0;
	END IF;
	EXECUTE format('SELECT max(bucket) FROM smartpouch.%I', source) INTO newest;
	PERFORM smartpouch._rollup_partition(target, b) FROM generate_series(first, last, interval '1 day') b;
	PERFORM smartpouch._rollup_partition(target, last), smartpouch._rollup_partition(target, greatest(last, newest));
	EXECUTE format('DELETE FROM smartpouch.%I WHERE bucket >= $1', target) USING first;
	EXECUTE format('INSERT INTO smartpouch.%I'
		' SELECT date_trunc(%L, bucket), model_id, version, stage, max(model), sum(calls), sum(rows), sum(busy_ns), sum(cpu_ns),'
		' ARRAY[%s], ARRAY[%s], sum(samples), sum(ready)'
		' FROM smartpouch.%I WHERE bucket >= $1 GROUP BY 1, 2, 3, 4', target, unit, smartpouch._sums('errors', 5),
		smartpouch._sums('latencies', cardinality(smartpouch._latency_bounds()) + 1), source) USING first;
	GET DIAGNOSTICS written = ROW_COUNT;
	INSERT INTO smartpouch.rollup_state VALUES (unit, last, clock_timestamp())
	ON CONFLICT (level) DO UPDATE SET bucket = excluded.bucket, done_at = excluded.done_at;
	RETURN written;
END $$;
COMMENT ON FUNCTION smartpouch._rollup_sum(text, text) IS 'hours of minutes, or days of hours; returns rows written';

-- Partitions that are older than the settings say go, once what follows from them is written.
CREATE FUNCTION smartpouch._rollup_retention()
	RETURNS void LANGUAGE sql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._rollup_expire('rollup_minute',
		least(now() - current_setting('smartpouch.rollup_minute_retention')::interval, s.bucket))
	FROM smartpouch.rollup_state s WHERE s.level = 'hour';
	SELECT smartpouch._rollup_expire('rollup_hour',
		least(now() - current_setting('smartpouch.rollup_hour_retention')::interval, s.bucket))
	FROM smartpouch.rollup_state s WHERE s.level = 'day';
	SELECT smartpouch._rollup_expire('usage_hour', now() - current_setting('smartpouch.rollup_hour_retention')::interval),
		smartpouch._rollup_expire('rollup_day', now() - current_setting('smartpouch.rollup_day_retention')::interval) $$;
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
	IF NOT pg_try_advisory_xact_lock('smartpouch.rollup_state'::regclass::oid::bigint) THEN
		RAISE NOTICE 'another session is at work on rollups';
		RETURN 0;
	END IF;
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
