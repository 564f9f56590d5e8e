-- What a report shows, read once: report() writes it for a terminal, report_html() as a page. It runs with
-- the rights of who asks, and reads what the views show that role.

-- The level of rollups that has at least a day's worth of buckets and is kept for the whole period, and steps of
-- whole buckets as clocks and calendars have them, 61 at most. The first one holds the beginning of the period.
CREATE FUNCTION smartpouch._report_steps(period interval, OUT level text, OUT width interval, OUT steps integer,
	OUT began timestamptz, OUT ended timestamptz)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	seconds double precision := extract(epoch FROM period);
	widths integer[];
	unit integer;
BEGIN
	PERFORM smartpouch.version();	-- loads the library, which has the settings
	IF seconds IS NULL OR seconds < 60 OR seconds > 100 * 366 * 86400::float8 THEN
		RAISE EXCEPTION 'the period of a report must be between a minute and 100 years' USING ERRCODE = '22023',
			HINT = 'It is an interval with a unit, such as ''6 hours'' or ''7 days''.';
	END IF;
	IF seconds < 86400 AND period <= current_setting('smartpouch.rollup_minute_retention')::interval THEN
		level := 'minute';
		unit := 60;
		widths := '{1,2,5,10,15,30}';
	ELSIF seconds < 24 * 86400 AND period <= current_setting('smartpouch.rollup_hour_retention')::interval THEN
		level := 'hour';
		unit := 3600;
		widths := '{1,2,3,6,12}';
	ELSE
		level := 'day';
		unit := 86400;
		widths := '{1,2,7,14,28,91,182,364,728}';
	END IF;
	SELECT w * make_interval(secs => unit) INTO width FROM unnest(widths) w WHERE seconds <= 60.0 * w * unit ORDER BY w LIMIT 1;
	-- weeks begin on Mondays
	began := date_bin(width, clock_timestamp() - make_interval(secs => seconds), '2001-01-01');
	ended := date_bin(width, clock_timestamp(), '2001-01-01') + width;
	steps := round(extract(epoch FROM ended - began) / extract(epoch FROM width));
END $$;
COMMENT ON FUNCTION smartpouch._report_steps(interval) IS 'the time axis of a report';

-- Traffic by step and, of the models that are asked most, by model and stage and step.
CREATE FUNCTION smartpouch._report_traffic(level text, width interval, steps integer, began timestamptz, ended timestamptz)
	RETURNS jsonb LANGUAGE plpgsql STABLE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	sums constant text := 'sum(calls)::bigint AS calls, sum(rows)::bigint AS rows, sum(failures)::bigint AS failures,'
		' smartpouch._sum(errors) AS errors, smartpouch._sum(latencies) AS latencies, sum(samples)::bigint AS samples, sum(ready)::bigint AS ready';
	found jsonb;
BEGIN
	EXECUTE format($sql$
		WITH series AS MATERIALIZED (
			SELECT floor(date_part('epoch', bucket - $1) / date_part('epoch', $2))::integer + 1 AS step, model, stage, %1$s
			FROM smartpouch.health_%2$s WHERE bucket >= $1 AND bucket < $3 GROUP BY 1, 2, 3
		), by_step AS (
			SELECT step, %1$s FROM series WHERE stage <> '(server)' GROUP BY step
		), by_model AS MATERIALIZED (
			SELECT model, stage, %1$s FROM series WHERE stage <> '(server)' GROUP BY model, stage
		), most AS MATERIALIZED (
			SELECT * FROM by_model ORDER BY calls DESC, model, stage LIMIT 50
		), drawn AS (
			SELECT m.model, m.stage, array_agg(COALESCE(s.calls, 0) ORDER BY g.step) AS by_calls,
				array_agg(COALESCE(s.failures, 0) ORDER BY g.step) AS by_failures,
				array_agg(COALESCE(s.samples, 0) ORDER BY g.step) AS by_samples, array_agg(COALESCE(s.ready, 0) ORDER BY g.step) AS by_ready
			FROM most m CROSS JOIN generate_series(1, $4) g (step) LEFT JOIN series s USING (model, stage, step) GROUP BY m.model, m.stage
		)
		SELECT jsonb_build_object(
			'total', COALESCE((SELECT to_jsonb(t) FROM (SELECT %1$s FROM by_model HAVING count(*) > 0) t), '{}')
				|| (SELECT jsonb_build_object('server_samples', sum(samples), 'server_ready', sum(ready)) FROM series WHERE stage = '(server)'),
			'by_step', (SELECT jsonb_agg(jsonb_build_object('calls', COALESCE(b.calls, 0), 'failures', COALESCE(b.failures, 0),
					'p50', smartpouch.latency_quantile(b.latencies, 0.5), 'p95', smartpouch.latency_quantile(b.latencies, 0.95),
					'p99', smartpouch.latency_quantile(b.latencies, 0.99)) ORDER BY g.step)
				FROM generate_series(1, $4) g (step) LEFT JOIN by_step b USING (step)),
			'series', (SELECT count(*) FROM by_model),
			'models', (SELECT jsonb_agg(to_jsonb(m) - 'errors' || to_jsonb(d) ORDER BY m.calls DESC, m.model, m.stage)
				FROM most m JOIN drawn d USING (model, stage))) $sql$, sums, level)
		INTO found USING began, width, ended, steps;
	RETURN found;
END $$;
COMMENT ON FUNCTION smartpouch._report_traffic(text, interval, integer, timestamptz, timestamptz) IS 'calls, latencies and readiness in a period';

CREATE FUNCTION smartpouch._report_facts(period interval)
	RETURNS jsonb LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	axis record := smartpouch._report_steps(period);
BEGIN
	RETURN jsonb_strip_nulls(to_jsonb(axis) || jsonb_build_object(
		'made', clock_timestamp(), 'database', current_database(), 'health', smartpouch.health(),
		'deployed', (SELECT count(DISTINCT d.model) FROM smartpouch.deployments d),
		'users', (SELECT jsonb_agg(to_jsonb(u) ORDER BY u.calls DESC, u.owner, u.kind) FROM (
			SELECT h.owner, h.kind, sum(h.calls) AS calls, sum(h.rows) AS rows, sum(h.failures) AS failures, sum(h.busy_seconds) AS busy
			FROM smartpouch.usage_hours h WHERE h.bucket > axis.began - interval '1 hour' AND h.bucket < axis.ended
			GROUP BY h.owner, h.kind ORDER BY 3 DESC, 1, 2 LIMIT 20) u),
		'drift', (SELECT jsonb_agg(to_jsonb(d) ORDER BY d.psi DESC, d.model, d.version, d.variable) FROM (
			SELECT v.model, v.version, v.variable, v.level, v.psi, v.ks, v.samples, v.expected_counts, v.counts
			FROM smartpouch.drift v WHERE v.psi IS NOT NULL ORDER BY v.psi DESC, 1, 2, 3 LIMIT 20) d),
		'baselines', (SELECT count(*) FROM (SELECT DISTINCT b.model, b.version FROM smartpouch.baselines b) b),
		'changes', (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.at DESC, e.seq DESC) FROM (
			SELECT h.at, h.seq, h.model, h.action, h.version, h.stage, h.acting_role, h.note
			FROM smartpouch.history h WHERE h.at >= axis.began ORDER BY h.at DESC, h.seq DESC LIMIT 50) e),
		'backups', (SELECT jsonb_agg(to_jsonb(b) ORDER BY b.started_at DESC, b.label) FROM (
			SELECT k.started_at, k.finished_at, k.label, k.kind, k.status, k.reason, k.bytes, k.verified_at
			FROM smartpouch.backups k ORDER BY k.started_at DESC, k.label LIMIT 20) b))
		|| smartpouch._report_traffic(axis.level, axis.width, axis.steps, axis.began, axis.ended));
END $$;
COMMENT ON FUNCTION smartpouch._report_facts(interval) IS 'all that a report shows';
