-- A look at what the rollups hold, as text for a terminal and as a page. Both run with the rights of
-- who asks, and show what the views show that role.

CREATE FUNCTION smartpouch._si(n double precision)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN n IS NULL THEN '-' WHEN n < 10000 THEN round(n::numeric)::text
		WHEN n < 1e6 THEN round((n / 1e3)::numeric, 1) || 'k' WHEN n < 1e9 THEN round((n / 1e6)::numeric, 1) || 'M'
		ELSE round((n / 1e9)::numeric, 1) || 'G' END $$;
COMMENT ON FUNCTION smartpouch._si(double precision) IS 'a count in few characters';

CREATE FUNCTION smartpouch._seconds(s double precision)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN s IS NULL THEN '-' WHEN s = 'Infinity' THEN '> 10 s' WHEN s < 1e-3 THEN round(s::numeric * 1000000) || ' us'
		WHEN s < 1 THEN trim_scale(round(s::numeric * 1000, 1)) || ' ms' ELSE trim_scale(round(s::numeric, 1)) || ' s' END $$;
COMMENT ON FUNCTION smartpouch._seconds(double precision) IS 'a latency with its unit';

CREATE FUNCTION smartpouch._share(part double precision, whole double precision)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN whole > 0 THEN trim_scale(trunc((100 * part / whole)::numeric, 2)) || ' %' ELSE '-' END $$;
COMMENT ON FUNCTION smartpouch._share(double precision, double precision) IS 'a percentage that is never rounded up to a hundred';

-- Names and reasons are others' words: what would move a terminal's cursor is shown as a question mark.
CREATE FUNCTION smartpouch._plain(words text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT regexp_replace(words, CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN $re$[\u0001-\u001f\u007f]$re$
		ELSE $re$[\u0001-\u001f\u007f-\u009f]$re$ END, '?', 'g') $$;
COMMENT ON FUNCTION smartpouch._plain(text) IS 'text of one line, without control characters';

-- One character for each value, of eight heights; where the database's encoding has no blocks, of ASCII.
-- Blocks are never constants, which the planner would make where nothing asks for them.
CREATE FUNCTION smartpouch._sparkline(series bigint[])
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(CASE WHEN v IS NULL OR v = 0 THEN ' '
		WHEN getdatabaseencoding() = 'UTF8' THEN chr(9600 + greatest(1, ceil(8.0 * v / m)::integer))
		ELSE substr('.,:;-=*#', greatest(1, ceil(8.0 * v / m)::integer), 1) END, '' ORDER BY n)
	FROM unnest(series) WITH ORDINALITY u (v, n) CROSS JOIN (SELECT max(x) AS m FROM unnest(series) x) t $$;
COMMENT ON FUNCTION smartpouch._sparkline(bigint[]) IS 'numbers as a line of blocks';

CREATE FUNCTION smartpouch._bar(n double precision, most double precision, width integer)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN n > 0 THEN repeat(chr(CASE getdatabaseencoding() WHEN 'UTF8' THEN 9608 ELSE ascii('#') END),
		greatest(1, round(width * n / most)::integer)) ELSE '' END $$;
COMMENT ON FUNCTION smartpouch._bar(double precision, double precision, integer) IS 'a horizontal bar';

-- The finest level that is kept for the whole period, in 60 steps at most of whole buckets.
CREATE FUNCTION smartpouch._report_steps(period interval, OUT level text, OUT width interval, OUT steps integer,
	OUT began timestamptz, OUT ended timestamptz)
	RETURNS record LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	seconds double precision := extract(epoch FROM period);
	unit double precision;
BEGIN
	PERFORM smartpouch.version();	-- loads the library, which has the settings
	IF seconds IS NULL OR seconds < 60 OR seconds > 100 * 366 * 86400::float8 THEN
		RAISE EXCEPTION 'the period of a report must be between a minute and 100 years' USING ERRCODE = '22023';
	END IF;
	level := CASE WHEN period <= current_setting('smartpouch.rollup_minute_retention')::interval THEN 'minute'
		WHEN period <= current_setting('smartpouch.rollup_hour_retention')::interval THEN 'hour' ELSE 'day' END;
	unit := CASE level WHEN 'minute' THEN 60 WHEN 'hour' THEN 3600 ELSE 86400 END;
	width := ceil(ceil(seconds / unit) / 60) * make_interval(secs => unit);
	steps := greatest(1, ceil(seconds / extract(epoch FROM width)));
	ended := date_trunc(level, clock_timestamp()) + make_interval(secs => unit);
	began := ended - steps * width;
END $$;
COMMENT ON FUNCTION smartpouch._report_steps(interval) IS 'the time axis of a report';

CREATE FUNCTION smartpouch._report_series(period interval, OUT step integer, OUT model text, OUT stage text, OUT calls bigint,
	OUT rows bigint, OUT failures bigint, OUT errors bigint[], OUT latencies bigint[], OUT samples bigint, OUT ready bigint)
	RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1000
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	axis record := smartpouch._report_steps(period);
BEGIN
	RETURN QUERY EXECUTE format(
		'SELECT floor(extract(epoch FROM h.bucket - $1) / extract(epoch FROM $2))::integer + 1, h.model, h.stage, sum(h.calls)::bigint,'
		' sum(h.rows)::bigint, sum(h.failures)::bigint, ARRAY[%s]::bigint[], ARRAY[%s]::bigint[],'
		' sum(h.samples)::bigint, sum(h.ready)::bigint'
		' FROM smartpouch.health_%s h WHERE h.bucket >= $1 AND h.bucket < $3 GROUP BY 1, 2, 3', smartpouch._sums('errors', 5),
		smartpouch._sums('latencies', cardinality(smartpouch._latency_bounds()) + 1), axis.level)
		USING axis.began, axis.width, axis.ended;
END $$;
COMMENT ON FUNCTION smartpouch._report_series(interval) IS 'rollups in the steps of a report, by model and stage';

-- A table of text: the first row is the head, columns are as wide as they need to be, the first is left-aligned.
CREATE FUNCTION smartpouch._text_table(VARIADIC columns text[])
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH cells AS (
		SELECT c, r, cell, max(length(cell)) OVER (PARTITION BY c) AS wide
		FROM unnest(columns) WITH ORDINALITY t (col, c), regexp_split_to_table(col, E'\n') WITH ORDINALITY u (cell, r)
	)
	SELECT string_agg(line, E'\n' ORDER BY r)
	FROM (SELECT r, rtrim('  ' || string_agg(CASE WHEN c = 1 THEN rpad(cell, wide::integer) ELSE lpad(cell, wide::integer) END, '  ' ORDER BY c)) AS line
		FROM cells GROUP BY r) l $$;
COMMENT ON FUNCTION smartpouch._text_table(text[]) IS 'columns, each of lines, side by side';

CREATE FUNCTION smartpouch.report(period interval DEFAULT '24 hours')
	RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	axis record := smartpouch._report_steps(period);
	health jsonb := smartpouch.health();
	t text;
	part text;
BEGIN
	t := format(E'smartpouch %s in database %s: %s\n%s to %s, in %s steps of %s\n', health ->> 'version', smartpouch._plain(current_database()),
		upper(health ->> 'status'), to_char(axis.began, 'YYYY-MM-DD HH24:MI'), to_char(axis.ended, 'YYYY-MM-DD HH24:MI TZ'),
		axis.steps, axis.width);
	SELECT smartpouch._text_table(string_agg(smartpouch._plain(h.name), E'\n' ORDER BY h.name)) INTO part
	FROM (SELECT rpad(c.value -> 0 ->> 'status', 8) || c.key || COALESCE(': ' || (c.value -> 0 ->> 'output'), '') AS name
		FROM jsonb_each(health -> 'checks') c WHERE c.value -> 0 ->> 'status' <> 'pass') h;
	t := t || COALESCE(E'\nHealth\n' || part || E'\n', '');

	SELECT format(E'  %s calls, %s rows, %s failed (%s); most in a step: %s\n  |%s|%s', smartpouch._si(sum(s.calls)),
		smartpouch._si(sum(s.rows)), smartpouch._si(sum(s.failures)), smartpouch._share(sum(s.failures), sum(s.calls)),
		smartpouch._si(max(s.calls)), smartpouch._sparkline(array_agg(s.calls ORDER BY s.step)),
		CASE WHEN sum(s.failures) > 0 THEN E' calls\n  |' || smartpouch._sparkline(array_agg(s.failures ORDER BY s.step)) || '| failures'
			ELSE '' END) INTO part
	FROM (SELECT g.step, COALESCE(sum(r.calls), 0)::bigint AS calls, COALESCE(sum(r.rows), 0) AS rows,
			COALESCE(sum(r.failures), 0)::bigint AS failures
		FROM generate_series(1, axis.steps) g (step) LEFT JOIN smartpouch._report_series(period) r ON r.step = g.step
		GROUP BY g.step) s;
	t := t || E'\nTraffic\n' || part || E'\n';

	SELECT smartpouch._text_table(string_agg(CASE WHEN b.n <= cardinality(smartpouch._latency_bounds())
				THEN '<= ' || smartpouch._seconds((smartpouch._latency_bounds())[b.n]) ELSE '> 10 s' END, E'\n' ORDER BY b.n),
			string_agg(smartpouch._si(b.calls), E'\n' ORDER BY b.n),
			string_agg(rpad(smartpouch._bar(b.calls, b.most, 50), 50), E'\n' ORDER BY b.n)) INTO part
	FROM (SELECT l.n::integer, l.calls, max(l.calls) OVER () AS most, min(l.n) FILTER (WHERE l.calls > 0) OVER () AS first,
			max(l.n) FILTER (WHERE l.calls > 0) OVER () AS last
		FROM unnest((SELECT smartpouch._sum(r.latencies) FROM smartpouch._report_series(period) r)) WITH ORDINALITY l (calls, n)) b
	WHERE b.n BETWEEN b.first AND b.last;
	t := t || COALESCE(E'\nLatency of calls\n' || part || E'\n', '');

	WITH series AS MATERIALIZED (SELECT * FROM smartpouch._report_series(period))
	SELECT smartpouch._text_table(E'model\n' || string_agg(smartpouch._plain(m.name), E'\n' ORDER BY m.calls DESC, m.name),
		E'calls\n' || string_agg(smartpouch._si(m.calls), E'\n' ORDER BY m.calls DESC, m.name),
		E'failed\n' || string_agg(smartpouch._share(m.failures, m.calls), E'\n' ORDER BY m.calls DESC, m.name),
		E'p50\n' || string_agg(smartpouch._seconds(smartpouch.latency_quantile(m.latencies, 0.5)), E'\n' ORDER BY m.calls DESC, m.name),
		E'p95\n' || string_agg(smartpouch._seconds(smartpouch.latency_quantile(m.latencies, 0.95)), E'\n' ORDER BY m.calls DESC, m.name),
		E'p99\n' || string_agg(smartpouch._seconds(smartpouch.latency_quantile(m.latencies, 0.99)), E'\n' ORDER BY m.calls DESC, m.name),
		E'uptime\n' || string_agg(smartpouch._share(m.ready, m.samples), E'\n' ORDER BY m.calls DESC, m.name),
		-- two steps in a character, and names of at most 34: the table fits into 120 columns
		E'\n' || string_agg('|' || smartpouch._sparkline(ARRAY(SELECT sum(u.v) FROM unnest(m.series) WITH ORDINALITY u (v, n)
			GROUP BY (u.n + 1) / 2 ORDER BY (u.n + 1) / 2)::bigint[]) || '|', E'\n' ORDER BY m.calls DESC, m.name)) INTO part
	FROM (SELECT regexp_replace(CASE WHEN s.stage = '(server)' THEN s.stage ELSE COALESCE(NULLIF(s.model, ''), '(none)') || '@' || s.stage END,
				$re$^(.{31}).{4,}$re$, $re$\1...$re$) AS name,
			sum(s.calls) AS calls, sum(s.failures) AS failures, smartpouch._sum(s.latencies) AS latencies, sum(s.samples) AS samples,
			sum(s.ready) AS ready, array_agg(s.calls ORDER BY s.step) AS series
		FROM (SELECT k.model, k.stage, g.step, COALESCE(r.calls, 0) AS calls, COALESCE(r.failures, 0) AS failures,
				r.latencies, COALESCE(r.samples, 0) AS samples, COALESCE(r.ready, 0) AS ready
			FROM (SELECT DISTINCT d.model, d.stage FROM series d) k CROSS JOIN generate_series(1, axis.steps) g (step)
				LEFT JOIN series r ON r.model = k.model AND r.stage = k.stage AND r.step = g.step) s
		GROUP BY s.model, s.stage ORDER BY 2 DESC, 1 LIMIT 30) m;
	t := t || COALESCE(E'\nModels\n' || part || E'\n', E'\nThe rollups hold nothing of this period: is SELECT smartpouch.rollup() run every minute? See schedule_jobs().\n');

	SELECT smartpouch._text_table(E'who\n' || string_agg(smartpouch._plain(u.who), E'\n' ORDER BY u.calls DESC, u.who),
		E'calls\n' || string_agg(smartpouch._si(u.calls), E'\n' ORDER BY u.calls DESC, u.who),
		E'rows\n' || string_agg(smartpouch._si(u.rows), E'\n' ORDER BY u.calls DESC, u.who),
		E'failed\n' || string_agg(smartpouch._share(u.failures, u.calls), E'\n' ORDER BY u.calls DESC, u.who),
		E'busy\n' || string_agg(smartpouch._seconds(u.busy), E'\n' ORDER BY u.calls DESC, u.who)) INTO part
	FROM (SELECT concat_ws(' ', NULLIF(h.kind, ''), h.owner) AS who, sum(h.calls) AS calls, sum(h.rows) AS rows, sum(h.failures) AS failures,
			sum(h.busy_seconds) AS busy
		FROM smartpouch.usage_hours h WHERE h.bucket >= axis.began AND h.bucket < axis.ended
		GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10) u;
	t := t || COALESCE(E'\nWho asked, by the hour\n' || part || E'\n', '');

	SELECT smartpouch._text_table(E'furthest from the baseline\n' || string_agg(smartpouch._plain(d.what), E'\n' ORDER BY d.psi DESC, d.what),
		E'level\n' || string_agg(d.level, E'\n' ORDER BY d.psi DESC, d.what), E'psi\n' || string_agg(round(d.psi::numeric, 3)::text, E'\n' ORDER BY d.psi DESC, d.what),
		E'ks\n' || string_agg(COALESCE(round(d.ks::numeric, 3)::text, '-'), E'\n' ORDER BY d.psi DESC, d.what),
		E'samples\n' || string_agg(smartpouch._si(d.samples), E'\n' ORDER BY d.psi DESC, d.what)) INTO part
	FROM (SELECT format('%s:%s %s', v.model, v.version, v.variable) AS what, v.level, v.psi, v.ks, v.samples
		FROM smartpouch.drift v WHERE v.psi IS NOT NULL ORDER BY v.psi DESC LIMIT 10) d;
	t := t || COALESCE(E'\nDrift in the last 24 hours\n' || part || E'\n', '');

	SELECT smartpouch._text_table(string_agg(to_char(e.at, 'MM-DD HH24:MI  ') || smartpouch._plain(format('%s %s%s%s by %s', e.model, e.action,
		' ' || e.version, ' in ' || e.stage, e.acting_role)), E'\n' ORDER BY e.at DESC, e.seq DESC)) INTO part
	FROM (SELECT h.* FROM smartpouch.history h WHERE h.at >= axis.began ORDER BY h.at DESC, h.seq DESC LIMIT 15) e;
	t := t || COALESCE(E'\nChanges, newest first\n' || part || E'\n', '');

	SELECT smartpouch._text_table(string_agg(smartpouch._plain(format('%s  %s %s: %s', to_char(b.started_at, 'MM-DD HH24:MI'), rpad(b.kind, 6), b.label,
		b.status || COALESCE(', ' || pg_size_pretty(b.bytes), '') || COALESCE(', ' || b.reason, ''))), E'\n' ORDER BY b.started_at DESC)) INTO part
	FROM (SELECT k.* FROM smartpouch.backups k ORDER BY k.started_at DESC LIMIT 5) b;
	t := t || COALESCE(E'\nBackups, newest first\n' || part || E'\n', '');
	RETURN t;
END $$;
COMMENT ON FUNCTION smartpouch.report(interval) IS 'what happened to models in a period, to read in a terminal';
