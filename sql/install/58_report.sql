-- What happened in a period, for a terminal of 80 columns.

CREATE FUNCTION smartpouch._si(n double precision)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN n IS NULL THEN '-' WHEN n < 9999.5 THEN round(n::numeric)::text
		WHEN n < 999.95e3 THEN round((n / 1e3)::numeric, 1) || 'k' WHEN n < 999.95e6 THEN round((n / 1e6)::numeric, 1) || 'M'
		WHEN n < 999.95e9 THEN round((n / 1e9)::numeric, 1) || 'G' ELSE round((n / 1e12)::numeric, 1) || 'T' END $$;
COMMENT ON FUNCTION smartpouch._si(double precision) IS 'a count in few characters';

CREATE FUNCTION smartpouch._seconds(s double precision)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN s IS NULL THEN '-' WHEN s = 'Infinity' THEN '> 10 s' WHEN s < 0.9995e-3 THEN round(s::numeric * 1000000) || ' us'
		WHEN s < 0.99995 THEN trim_scale(round(s::numeric * 1000, 1)) || ' ms' WHEN s < 120 THEN trim_scale(round(s::numeric, 1)) || ' s'
		WHEN s < 7200 THEN round(s::numeric / 60) || ' min' ELSE trim_scale(round(s::numeric / 3600, 1)) || ' h' END $$;
COMMENT ON FUNCTION smartpouch._seconds(double precision) IS 'a time with its unit';

CREATE FUNCTION smartpouch._share(part double precision, whole double precision)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN whole > 0 AND part > 0 AND part / whole < 0.0001 THEN '<0.01 %' WHEN whole > 0 THEN trim_scale(trunc((100 * part / whole)::numeric, 2)) || ' %' ELSE '-' END $$;
COMMENT ON FUNCTION smartpouch._share(double precision, double precision) IS 'a percentage that is never rounded to nothing or all';

-- Names and reasons are others' words: what would move a terminal's cursor, or turn the direction in which it
-- writes, is shown as a question mark.
CREATE FUNCTION smartpouch._plain(words text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT regexp_replace(words, CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN $re$[\u0001-\u001f\u007f]$re$
		WHEN 'UTF8' THEN $re$[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]$re$
		ELSE $re$[\u0001-\u001f\u007f-\u009f]$re$ END, '?', 'g') $$;
COMMENT ON FUNCTION smartpouch._plain(text) IS 'text of one line, without control characters';

-- Columns of a terminal: two for the characters of East Asian scripts and for emoji (Unicode Standard Annex 11,
-- W and F), none for those that are drawn onto the one before.
CREATE FUNCTION smartpouch._columns(words text)
	RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT length(words) + CASE WHEN getdatabaseencoding() <> 'UTF8' OR octet_length(words) = length(words) THEN 0 ELSE
		regexp_count(words, $re$[\u1100-\u115f\u231a\u231b\u23e9-\u23ec\u2e80-\u303e\u3041-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f900-\U0001f9ff\U00020000-\U0003fffd]$re$)
		- regexp_count(words, $re$[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u200b-\u200d\u20d0-\u20f0\u302a-\u302d\u3099\u309a\ufe00-\ufe0f\ufe20-\ufe2f]$re$) END $$;
COMMENT ON FUNCTION smartpouch._columns(text) IS 'columns that a text takes in a terminal';

CREATE FUNCTION smartpouch._cut(words text, columns integer)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN smartpouch._columns(words) <= columns THEN words
		ELSE left(words, (SELECT max(n) FROM generate_series(0, columns) n WHERE smartpouch._columns(left(words, n)) <= columns - 3)) || '...' END $$;
COMMENT ON FUNCTION smartpouch._cut(text, integer) IS 'text of at most so many columns';

CREATE FUNCTION smartpouch._pad(words text, columns integer, is_number boolean DEFAULT false)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN is_number THEN repeat(' ', columns - smartpouch._columns(words)) || words
		ELSE words || repeat(' ', columns - smartpouch._columns(words)) END $$;
COMMENT ON FUNCTION smartpouch._pad(text, integer, boolean) IS 'text of at least so many columns, numbers at the right';

-- Lines of at most 80 columns; all but the first begin with so many spaces.
CREATE FUNCTION smartpouch._wrap(words text, indent integer)
	RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	line text;
	lines text;
	word text;
BEGIN
	FOREACH word IN ARRAY string_to_array(smartpouch._plain(words), ' ') LOOP
		IF smartpouch._columns(line || ' ' || word) > 80 THEN
			lines := COALESCE(lines || E'\n', '') || line;
			line := repeat(' ', indent) || smartpouch._cut(word, 80 - indent);
			CONTINUE;
		END IF;
		line := COALESCE(line || ' ', '') || word;
	END LOOP;
	RETURN COALESCE(lines || E'\n', '') || line;
END $$;
COMMENT ON FUNCTION smartpouch._wrap(text, integer) IS 'words in lines of a terminal';

-- One character for each value, of eight heights; nothing for 0, and the lowest for the least else; where the database's encoding has no blocks, of ASCII.
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

-- Values in fewer steps.
CREATE FUNCTION smartpouch._in_steps(series bigint[], steps integer)
	RETURNS bigint[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT array_agg(t.v ORDER BY t.n) FROM (SELECT (u.n - 1) * least(steps, cardinality(series)) / cardinality(series) AS n, sum(u.v)::bigint AS v
		FROM unnest(series) WITH ORDINALITY u (v, n) GROUP BY 1) t $$;
COMMENT ON FUNCTION smartpouch._in_steps(bigint[], integer) IS 'sums of neighbours, so many at most';

-- Columns are as wide as they need to be; a head that begins with # is of numbers.
CREATE FUNCTION smartpouch._text_table(head text[], cells text[])
	RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH cell AS (
		SELECT r, c, CASE WHEN r = 0 THEN ltrim(head[c], '#') ELSE COALESCE(cells[r][c], '') END AS words, head[c] LIKE '#%' AS is_number
		FROM generate_series(0, array_length(cells, 1)) r, generate_subscripts(head, 1) c
	)
	SELECT string_agg(line || E'\n', '' ORDER BY r)
	FROM (SELECT r, rtrim('  ' || string_agg(smartpouch._pad(words, wide, is_number), '  ' ORDER BY c)) AS line
		FROM (SELECT *, max(smartpouch._columns(words)) OVER (PARTITION BY c) AS wide FROM cell) w GROUP BY r) l
	WHERE line <> '' $$;
COMMENT ON FUNCTION smartpouch._text_table(text[], text[]) IS 'a table for a terminal, from rows of cells';

CREATE FUNCTION smartpouch._width_words(width interval)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT n || ' ' || unit || CASE WHEN n = 1 THEN '' ELSE 's' END
	FROM (SELECT extract(epoch FROM width)::bigint AS s) t, LATERAL (SELECT CASE WHEN s % 86400 = 0 THEN s / 86400 WHEN s % 3600 = 0 THEN s / 3600 ELSE s / 60 END AS n,
		CASE WHEN s % 86400 = 0 THEN 'day' WHEN s % 3600 = 0 THEN 'hour' ELSE 'minute' END AS unit) u $$;
COMMENT ON FUNCTION smartpouch._width_words(interval) IS 'the width of a step in words';

-- Why nothing is shown of traffic; NULL when there was some.
CREATE FUNCTION smartpouch._no_traffic(facts jsonb)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN facts #>> '{total,calls}' IS NULL AND facts #>> '{total,server_samples}' IS NULL
			THEN 'The rollups hold nothing of this period: is SELECT smartpouch.rollup() run every minute? See schedule_jobs().'
		WHEN COALESCE((facts #>> '{total,calls}')::bigint, 0) = 0 THEN 'Nothing was asked of a model in this period.' END $$;
COMMENT ON FUNCTION smartpouch._no_traffic(jsonb) IS 'why a report shows no traffic';

CREATE FUNCTION smartpouch._errors_words(errors jsonb)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format('%s %s', smartpouch._si(n::float8), (ARRAY['bad input', 'no such model', 'timeout', 'denied', 'internal'])[i]), ', ' ORDER BY i)
	FROM jsonb_array_elements_text(errors) WITH ORDINALITY e (n, i) WHERE n <> '0' $$;
COMMENT ON FUNCTION smartpouch._errors_words(jsonb) IS 'errors by reason in words';

CREATE FUNCTION smartpouch._series_name(model text, stage text)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT COALESCE(NULLIF(model, ''), '(no model)') || COALESCE('@' || NULLIF(stage, ''), '') $$;
COMMENT ON FUNCTION smartpouch._series_name(text, text) IS 'a model and stage in one word';

-- Lines over time with their greatest value at the left, and when they begin and end.
CREATE FUNCTION smartpouch._text_traffic(facts jsonb)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH line AS (
		SELECT k.position, k.words, array_agg((s.step ->> k.key)::bigint ORDER BY s.n) AS series
		FROM jsonb_array_elements(facts -> 'by_step') WITH ORDINALITY s (step, n), (VALUES (1, 'calls', 'calls'), (2, 'failures', 'failed')) k (position, key, words)
		GROUP BY k.position, k.words
	), axis AS (
		-- few steps are drawn two columns wide
		SELECT CASE WHEN (facts ->> 'steps')::integer <= 30 THEN 2 ELSE 1 END AS wide,
			to_char((facts ->> 'began')::timestamptz, CASE facts ->> 'level' WHEN 'day' THEN 'YYYY-MM-DD' ELSE 'MM-DD HH24:MI' END) AS began,
			to_char((facts ->> 'made')::timestamptz, CASE facts ->> 'level' WHEN 'day' THEN 'YYYY-MM-DD' ELSE 'MM-DD HH24:MI' END) AS ended
	)
	SELECT string_agg(format(E'  %s |%s| %s\n', lpad(smartpouch._si(t.most), 6), CASE a.wide WHEN 2
			THEN regexp_replace(smartpouch._sparkline(l.series), '(.)', $re$\1\1$re$, 'g') ELSE smartpouch._sparkline(l.series) END, l.words), '' ORDER BY l.position)
		|| repeat(' ', 10) || min(a.began) || repeat(' ', greatest(2, max(a.wide * cardinality(l.series)) - length(min(a.began) || min(a.ended)))) || min(a.ended) || E'\n'
	FROM line l CROSS JOIN axis a, LATERAL (SELECT max(v) AS most FROM unnest(l.series) v) t WHERE t.most > 0 $$;
COMMENT ON FUNCTION smartpouch._text_traffic(jsonb) IS 'calls and failures over time for a terminal';

CREATE FUNCTION smartpouch._text_latencies(latencies jsonb)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._text_table('{#,#,#,""}', array_agg(ARRAY[CASE WHEN b.bound = 'Infinity' THEN smartpouch._seconds(b.bound) ELSE '<= ' || smartpouch._seconds(b.bound) END,
		smartpouch._si(b.calls), smartpouch._share(b.calls, b.all_calls), smartpouch._bar(b.calls, b.most, 48)] ORDER BY b.n))
	FROM (SELECT l.n, l.calls::float8, (smartpouch._latency_bounds() || 'Infinity'::float8)[l.n] AS bound, max(l.calls::float8) OVER () AS most,
			sum(l.calls::float8) OVER () AS all_calls, min(l.n) FILTER (WHERE l.calls <> '0') OVER () AS first, max(l.n) FILTER (WHERE l.calls <> '0') OVER () AS last
		FROM jsonb_array_elements_text(latencies) WITH ORDINALITY l (calls, n)) b
	WHERE b.n BETWEEN b.first AND b.last $$;
COMMENT ON FUNCTION smartpouch._text_latencies(jsonb) IS 'a histogram of latencies for a terminal';

-- Names take 24 columns at most, and the line over time what is left of 80.
CREATE FUNCTION smartpouch._text_models(models jsonb)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._text_table('{model,#calls,#failed,#p50,#p99,#uptime,""}', array_agg(ARRAY[m.name, smartpouch._si(m.calls), smartpouch._share(m.failures, m.calls),
		smartpouch._seconds(smartpouch.latency_quantile(m.latencies, 0.5)), smartpouch._seconds(smartpouch.latency_quantile(m.latencies, 0.99)),
		smartpouch._share(m.ready, m.samples), smartpouch._sparkline(smartpouch._in_steps(m.by_calls, 80 - 46 - m.wide))] ORDER BY m.n))
	FROM (SELECT j.*, smartpouch._cut(smartpouch._plain(smartpouch._series_name(j.model, j.stage)), 24) AS name,
			max(least(24, smartpouch._columns(smartpouch._series_name(j.model, j.stage)))) OVER () AS wide
		FROM ROWS FROM (jsonb_to_recordset(models) AS (model text, stage text, calls bigint, failures bigint, latencies bigint[],
			samples bigint, ready bigint, by_calls bigint[])) WITH ORDINALITY j (model, stage, calls, failures, latencies, samples, ready, by_calls, n)
		WHERE j.n <= 30) m $$;
COMMENT ON FUNCTION smartpouch._text_models(jsonb) IS 'models and stages for a terminal';

-- Without JIT, which for many small queries takes longer than they do.
CREATE FUNCTION smartpouch.report(period interval DEFAULT '24 hours')
	RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET jit = off AS $$
DECLARE
	facts jsonb := smartpouch._report_facts(period);
	health jsonb := facts -> 'health';
	total record;
	t text;
	part text;
BEGIN
	SELECT * INTO total FROM jsonb_to_record(facts -> 'total') AS x (calls bigint, rows bigint, failures bigint, errors jsonb, latencies jsonb,
		server_samples bigint, server_ready bigint);
	t := format(E'smartpouch %s, database %s: %s\n%s to %s, in steps of %s\n', health ->> 'version', smartpouch._plain(facts ->> 'database'),
		upper((health ->> 'status') COLLATE "C"), to_char((facts ->> 'began')::timestamptz, 'YYYY-MM-DD HH24:MI'),
		to_char((facts ->> 'made')::timestamptz, 'YYYY-MM-DD HH24:MI TZ'), smartpouch._width_words((facts ->> 'width')::interval));

	SELECT string_agg(smartpouch._wrap('  ' || rpad(c.value -> 0 ->> 'status', 8) || c.key || COALESCE(': ' || (c.value -> 0 ->> 'output'), ''), 10) || E'\n', '' ORDER BY c.key) INTO part
	FROM jsonb_each(health -> 'checks') c WHERE c.value -> 0 ->> 'status' <> 'pass';
	t := t || COALESCE(E'\nHealth\n' || part, '');

	t := t || E'\nTraffic\n' || COALESCE(smartpouch._wrap('  ' || smartpouch._no_traffic(facts), 2) || E'\n',
		smartpouch._wrap(format('  %s calls, %s rows, %s failed (%s)%s', smartpouch._si(total.calls), smartpouch._si(total.rows),
			smartpouch._si(total.failures), smartpouch._share(total.failures, total.calls), COALESCE(': ' || smartpouch._errors_words(total.errors), '')), 2)
		|| E'\n' || smartpouch._text_traffic(facts));
	IF total.calls > 0 THEN
		t := t || COALESCE(E'\nLatency of calls\n' || smartpouch._text_latencies(total.latencies), '');
	END IF;
	IF total.server_samples > 0 THEN
		t := t || format(E'\nThe server was ready %s of the time.\n', smartpouch._share(total.server_ready, total.server_samples));
	END IF;
	t := t || COALESCE(E'\nModels\n' || smartpouch._text_models(facts -> 'models'), '');
	IF (facts ->> 'series')::bigint > 30 THEN
		t := t || format(E'  and %s more that were asked less\n', (facts ->> 'series')::bigint - 30);
	END IF;

	SELECT smartpouch._text_table('{who,#calls,#rows,#failed,#busy}', array_agg(ARRAY[smartpouch._cut(smartpouch._plain(concat_ws(' ', NULLIF(u.kind, ''), u.owner)), 40),
		smartpouch._si(u.calls), smartpouch._si(u.rows), smartpouch._share(u.failures, u.calls), smartpouch._seconds(u.busy)] ORDER BY u.n)) INTO part
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'users') AS (owner text, kind text, calls bigint, rows bigint, failures bigint, busy float8))
		WITH ORDINALITY u (owner, kind, calls, rows, failures, busy, n) WHERE u.n <= 10;
	t := t || COALESCE(E'\nWho asked, by whole hours\n' || part, '');

	SELECT smartpouch._text_table('{furthest away,variable,level,#psi,#ks,#samples}', array_agg(ARRAY[
		smartpouch._cut(smartpouch._plain(d.model), 20) || ':' || d.version, smartpouch._cut(smartpouch._plain(d.variable), 20), d.level, round(d.psi, 3)::text,
		COALESCE(round(d.ks, 3)::text, '-'), smartpouch._si(d.samples)] ORDER BY d.n)) INTO part
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'drift') AS (model text, version integer, variable text, level text, psi numeric, ks numeric, samples bigint))
		WITH ORDINALITY d (model, version, variable, level, psi, ks, samples, n) WHERE d.n <= 10;
	t := t || COALESCE(E'\nDrift in the last 24 hours\n' || part, '');

	SELECT string_agg(smartpouch._wrap(to_char(e.at, '  MM-DD HH24:MI  ') || smartpouch._plain(format('%s %s%s%s by %s', e.action, e.model,
		':' || e.version, ' in ' || e.stage, e.acting_role)), 15) || E'\n', '' ORDER BY e.n) INTO part
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'changes') AS (at timestamptz, model text, action text, version integer, stage text, acting_role text))
		WITH ORDINALITY e (at, model, action, version, stage, acting_role, n) WHERE e.n <= 15;
	t := t || COALESCE(E'\nChanges, newest first\n' || part, '');

	SELECT string_agg(smartpouch._wrap(format('  %s  %s %s: %s', to_char(b.started_at, 'MM-DD HH24:MI'), rpad(b.kind, 6), b.label,
		b.status || COALESCE(', ' || pg_size_pretty(b.bytes), '') || COALESCE(', ' || b.reason, '')), 22) || E'\n', '' ORDER BY b.n) INTO part
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'backups') AS (started_at timestamptz, kind text, label text, status text, bytes bigint, reason text))
		WITH ORDINALITY b (started_at, kind, label, status, bytes, reason, n) WHERE b.n <= 5;
	RETURN t || COALESCE(E'\nBackups, newest first\n' || part, '');
END $$;
COMMENT ON FUNCTION smartpouch.report(interval) IS 'what happened to models in a period, to read in a terminal';
