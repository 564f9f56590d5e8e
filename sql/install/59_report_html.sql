-- The same as a page: one file, inline SVG, no script, nothing from outside. Words of others go through _html().
-- Drawings are stretched to the width that there is; what is to be read stands beside them, in the page's own letters.

CREATE FUNCTION smartpouch._html(raw text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT replace(replace(replace(replace(replace(smartpouch._plain(COALESCE(raw, '')), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;') $$;
COMMENT ON FUNCTION smartpouch._html(text) IS 'text for a page';

CREATE FUNCTION smartpouch._html_seconds(s double precision)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT replace(smartpouch._html(smartpouch._seconds(s)), ' us', ' &#181;s') $$;
COMMENT ON FUNCTION smartpouch._html_seconds(double precision) IS 'a time with its unit for a page';

-- A state as a word in a coloured frame.
CREATE FUNCTION smartpouch._html_state(state text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<span class="state %s">%s</span>', CASE WHEN state IN ('pass', 'ok', 'complete', 'verified') THEN 'good'
		WHEN state IN ('fail', 'alert', 'failed', 'damaged') THEN 'bad' WHEN state = 'warn' THEN 'warn' ELSE 'plain' END, smartpouch._html(state)) $$;
COMMENT ON FUNCTION smartpouch._html_state(text) IS 'a state for a page';

-- The least of 1, 2, 4, 6 or 8 times a power of ten that is not below, and 2: its half is as short a number.
CREATE FUNCTION smartpouch._axis_top(most double precision)
	RETURNS double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT min(m * p) FROM (SELECT 10 ^ floor(log(greatest(1, most))) AS p) t, unnest('{1,2,4,6,8,10}'::float8[]) m WHERE m * p >= greatest(2, most) $$;
COMMENT ON FUNCTION smartpouch._axis_top(double precision) IS 'where an axis for numbers up to this ends';

-- Bars over time, of 10 by 100 each at most; title is per bar. Dashed lines are where marks are not NULL.
CREATE FUNCTION smartpouch._svg_bars(amounts bigint[], class text, titles text[], marks text[], words text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<svg viewBox="0 0 %s 100" preserveAspectRatio="none" role="img" aria-label="%s"><path class="grid" d="M0 0H%1$sM0 50H%1$sM0 100H%1$s"/>%3$s</svg>',
		10 * cardinality(amounts), smartpouch._html(words),
		string_agg(format('<g><title>%s</title><path class="none" d="M%s 0h10v100h-10z"/>%s%s</g>', smartpouch._html(u.title), 10 * (u.n - 1),
			CASE WHEN u.amount > 0 THEN format('<path class="%s" d="M%s 100v-%sh8v%4$sz"/>', class, 10 * (u.n - 1) + 1, h.h, h.h) END,
			CASE WHEN u.mark IS NOT NULL THEN format('<path class="mark" d="M%s 0v100"/>', 10 * (u.n - 1) + 5) END), '' ORDER BY u.n))
	FROM unnest(amounts, titles, marks) WITH ORDINALITY u (amount, title, mark, n)
		CROSS JOIN (SELECT smartpouch._axis_top(max(x)::float8) AS top FROM unnest(amounts) x) m,
		LATERAL (SELECT round(greatest(1, 100 * u.amount / m.top)::numeric, 1) AS h) h $$;
COMMENT ON FUNCTION smartpouch._svg_bars(bigint[], text, text[], text[], text) IS 'bars over time for a page';

-- Bars without more, for a cell of a table; parts are drawn over them.
CREATE FUNCTION smartpouch._svg_small_bars(amounts bigint[], parts bigint[], words text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<svg class="small" viewBox="0 0 %s 22" preserveAspectRatio="none" role="img" aria-label="%s"><title>%2$s</title><path class="bar" d="M0 22%s"/>%s</svg>',
		10 * cardinality(amounts), smartpouch._html(words), string_agg(CASE WHEN u.amount > 0 THEN format('M%s 22v-%sh8v%2$sz', 10 * (u.n - 1) + 1,
			round(greatest(1, 22 * u.amount::numeric / m.most), 1)) END, '' ORDER BY u.n),
		'<path class="fault" d="' || string_agg(CASE WHEN u.part > 0 THEN format('M%s 22v-%sh8v%2$sz', 10 * (u.n - 1) + 1,
			round(greatest(3, 22 * u.part::numeric / m.most), 1)) END, '' ORDER BY u.n) || '"/>')
	FROM unnest(amounts, parts) WITH ORDINALITY u (amount, part, n) CROSS JOIN (SELECT greatest(1, max(x)) AS most FROM unnest(amounts) x) m $$;
COMMENT ON FUNCTION smartpouch._svg_small_bars(bigint[], bigint[], text) IS 'small bars over time for a page';

-- Green where every look found the stage ready, red where one did not, grey without any look.
CREATE FUNCTION smartpouch._svg_uptime(samples bigint[], ready bigint[], times text[], words text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	WITH step AS (
		SELECT u.*, CASE WHEN u.s = 0 THEN 'blank' WHEN u.r < u.s THEN 'down' ELSE 'up' END AS class FROM unnest(samples, ready) WITH ORDINALITY u (s, r, n)
	), run AS (
		SELECT class, min(n) AS first, count(*) AS steps, sum(s) AS s, sum(r) AS r
		FROM (SELECT *, n - row_number() OVER (PARTITION BY class ORDER BY n) AS g FROM step) i GROUP BY class, g
	)
	SELECT format('<svg class="small" viewBox="0 0 %s 22" preserveAspectRatio="none" role="img" aria-label="%s">%s</svg>', 10 * cardinality(samples), smartpouch._html(words),
		string_agg(format('<rect class="%s" x="%s" y="5" width="%s" height="12"><title>%s</title></rect>', class, 10 * (first - 1), 10 * steps,
			smartpouch._html(times[first] || ': ' || CASE class WHEN 'blank' THEN 'nobody looked' ELSE smartpouch._share(r::float8, s::float8) || ' ready' END)), '' ORDER BY first))
	FROM run $$;
COMMENT ON FUNCTION smartpouch._svg_uptime(bigint[], bigint[], text[], text) IS 'readiness over time for a page';

-- A stair of latencies on a scale of powers of ten; from the lowest to the highest is 100.
CREATE FUNCTION smartpouch._svg_latency(seconds double precision[], class text, lowest integer, highest integer)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT COALESCE(format('<path class="line %s" d="%s"/>', class, string_agg(format('%s%s %sh10', CASE WHEN p.gap THEN 'M' ELSE 'L' END, 10 * (p.n - 1), round(p.y, 1)), '' ORDER BY p.n)), '')
	FROM (SELECT u.n, 100 * (1 - (log(least(10.0 ^ highest, u.s))::numeric - lowest) / (highest - lowest)) AS y,
			lag(u.n) OVER (ORDER BY u.n) IS DISTINCT FROM u.n - 1 AS gap
		FROM unnest(seconds) WITH ORDINALITY u (s, n) WHERE u.s IS NOT NULL) p $$;
COMMENT ON FUNCTION smartpouch._svg_latency(double precision[], text, integer, integer) IS 'latencies over time for a page';

-- A drawing with what stands at its left, from the top, and below.
CREATE FUNCTION smartpouch._chart(svg text, left_words text[], below text, class text DEFAULT '')
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<div class="chart %s"><div class="y">%s</div>%s%s</div>', class,
		(SELECT string_agg(format('<span style="top:%s%%">%s</span>', round(100.0 * (n - 1) / greatest(1, cardinality(left_words) - 1), 2), w), '' ORDER BY n)
		FROM unnest(left_words) WITH ORDINALITY u (w, n)), svg, below) $$;
COMMENT ON FUNCTION smartpouch._chart(text, text[], text, text) IS 'a drawing with its axes';

-- When five of the steps begin; the first and the last of these are there on a narrow page, too.
CREATE FUNCTION smartpouch._time_axis(began timestamptz, width interval, steps integer)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<div class="x">%s</div>', string_agg(format('<span style="left:%s%%">%s</span>', round(100.0 * s / steps, 2),
		to_char(began + s * width, CASE WHEN steps * width <= interval '36 hours' THEN 'HH24:MI' WHEN width < interval '1 day' THEN 'DD Mon HH24:MI' ELSE 'DD Mon YYYY' END)), '' ORDER BY s))
	FROM (SELECT DISTINCT (steps * k / 4) AS s FROM generate_series(0, 3) k) t $$;
COMMENT ON FUNCTION smartpouch._time_axis(timestamptz, interval, integer) IS 'the time axis of a page';

-- Of rows of cells, which are HTML; a head that begins with # is of numbers, and with ~ of drawings. NULL without rows.
CREATE FUNCTION smartpouch._html_table(title text, head text[], cells text[])
	RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<div class="scroll" tabindex="0" role="region" aria-label="%s"><table><thead><tr>%s</tr></thead><tbody>%s</tbody></table></div>', smartpouch._html(title),
		(SELECT string_agg(format('<th scope="col"%s>%s</th>', CASE left(h, 1) WHEN '#' THEN ' class="n"' ELSE '' END, smartpouch._html(ltrim(h, '#~'))), '' ORDER BY n)
		FROM unnest(head) WITH ORDINALITY u (h, n)),
		(SELECT string_agg('<tr>' || line || '</tr>', '' ORDER BY r)
		FROM (SELECT r, string_agg(format('<td%s>%s</td>', CASE left(head[c], 1) WHEN '#' THEN ' class="n"' WHEN '~' THEN ' class="d"' ELSE '' END, cells[r][c]), '' ORDER BY c) AS line
			FROM generate_subscripts(cells, 1) r, generate_subscripts(head, 1) c GROUP BY r) l)) $$;
COMMENT ON FUNCTION smartpouch._html_table(text, text[], text[]) IS 'a table of a page';

-- A part of a page: its content, or the words that say why there is none.
CREATE FUNCTION smartpouch._section(title text, content text, otherwise text, more text DEFAULT '')
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format(E'<section><h2>%s</h2>%s%s</section>\n', smartpouch._html(title),
		COALESCE(content, format('<p class="empty">%s</p>', smartpouch._html(otherwise))), COALESCE(more, '')) $$;
COMMENT ON FUNCTION smartpouch._section(text, text, text, text) IS 'a part of a page';

CREATE FUNCTION smartpouch._tile(title text, value text)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$ SELECT format('<div class="tile"><dt>%s</dt><dd>%s</dd></div>', title, value) $$;
COMMENT ON FUNCTION smartpouch._tile(text, text) IS 'a number of a page';

CREATE FUNCTION smartpouch._report_style()
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$ SELECT $css$
:root{color-scheme:light;--bg:#f4f6f8;--card:#fff;--ink:#1b2129;--soft:#57606a;--line:#dfe3e8;--bar:#2f6fbd;--fault:#c9302c;--hover:#e7ecf2;--blank:#d5dae0;--up:#4c9f6b;
--good:#156c32;--good-bg:#e0f3e6;--warn:#7a4f00;--warn-bg:#fdf0cf;--bad:#a61b1b;--bad-bg:#fde5e3;--plain:#4d5661;--plain-bg:#e9ecf0;--p50:#2f6fbd;--p95:#a8660a;--p99:#b0288a}
@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--bg:#0e1217;--card:#161c23;--ink:#e8edf3;--soft:#9ba6b2;--line:#2b343e;--bar:#5a9bea;--fault:#ff6b62;--hover:#222b35;--blank:#36414c;--up:#46a86d;
--good:#7fdba0;--good-bg:#143322;--warn:#f3c969;--warn-bg:#3a2d0c;--bad:#ff9d96;--bad-bg:#451b1a;--plain:#b6c0cb;--plain-bg:#27303a;--p50:#5a9bea;--p95:#e3a53f;--p99:#e97fcb}}
*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}
body{margin:0 auto;max-width:1160px;padding:32px 24px 40px;background:var(--bg);color:var(--ink);font:14px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;overflow-wrap:anywhere}
header{margin-bottom:20px}header .of{color:var(--soft);font-size:13px;margin:0}h1{font-size:26px;line-height:1.25;margin:2px 0 4px;font-weight:650}header p{color:var(--soft);margin:0}
h2{font-size:15px;font-weight:600;margin:0 0 12px}.state{border-radius:10px;display:inline-block;font-size:12px;font-weight:600;line-height:20px;padding:0 9px;white-space:nowrap}h1 .state{font-size:14px;line-height:24px;border-radius:12px;margin-left:6px;vertical-align:4px}
.good{background:var(--good-bg);color:var(--good)}.warn{background:var(--warn-bg);color:var(--warn)}.bad{background:var(--bad-bg);color:var(--bad)}.plain{background:var(--plain-bg);color:var(--plain)}
section,.tile{background:var(--card);border:1px solid var(--line);border-radius:10px}section{margin-top:16px;padding:16px 20px}
.tiles{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));margin:0}.tile{padding:12px 16px;display:flex;flex-direction:column-reverse;justify-content:flex-end}.tile dt{color:var(--soft);font-size:12px}.tile dd{margin:0;font-size:23px;font-weight:600;line-height:1.3;font-variant-numeric:tabular-nums}
.chart{display:grid;grid-template-columns:64px minmax(0,1fr)}.y{position:relative;color:var(--soft);font-size:12px;font-variant-numeric:tabular-nums}.y span{position:absolute;right:10px;line-height:16px;transform:translateY(-50%);white-space:nowrap}
.chart>svg{display:block;width:100%;height:180px;overflow:visible}.chart.low>svg{height:64px}.x{grid-column:2;position:relative;height:22px;color:var(--soft);font-size:12px}.x span{position:absolute;top:6px;line-height:16px;white-space:nowrap}.x span+span{transform:translateX(-50%)}
h3{font-size:12px;font-weight:500;color:var(--soft);margin:18px 0 14px}h2+h3{margin-top:-6px}svg path,svg line{vector-effect:non-scaling-stroke}
.bar{fill:var(--bar)}.fault{fill:var(--fault)}.none{fill:transparent}g:hover .none{fill:var(--hover)}.grid{stroke:var(--line);fill:none}.mark{stroke:var(--soft);stroke-dasharray:3 3}
.up{fill:var(--up)}.down{fill:var(--fault)}.blank{fill:var(--blank)}.line{fill:none;stroke-width:2;stroke-linejoin:round}.line.p50{stroke:var(--p50)}.line.p95{stroke:var(--p95);stroke-dasharray:7 3}.line.p99{stroke:var(--p99);stroke-dasharray:2 3}
.key{color:var(--soft);font-size:12px;margin:10px 0 0 64px;display:flex;flex-wrap:wrap;gap:4px 20px}.key span{white-space:nowrap}.key svg{display:inline-block;width:26px;height:8px;margin-right:7px;vertical-align:1px}
.scroll{overflow-x:auto;margin:0 -20px;padding:0 20px}.scroll:focus-visible{outline:2px solid var(--bar);outline-offset:-2px}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{color:var(--soft);font-size:12px;font-weight:500;text-align:left}th.n{text-align:right}td,th{border-bottom:1px solid var(--line);padding:7px 18px 7px 0;vertical-align:middle;white-space:nowrap}td:last-child,th:last-child{padding-right:0}tr:last-child td{border-bottom:0}
.n{text-align:right}.w{display:inline-block;white-space:normal;width:max-content;max-width:min(28ch,60vw);overflow-wrap:anywhere}.w.long{max-width:min(60ch,70vw)}.look{list-style:none;margin:0;padding:0;display:grid;gap:8px}.look li{display:flex;gap:12px;align-items:baseline}.look .state{flex:none}.d{width:140px}svg.small{display:block;width:140px;height:22px}.empty,.more{color:var(--soft);margin:0}.more{margin-top:10px}code{font:12.5px ui-monospace,Consolas,monospace}
footer{color:var(--soft);font-size:12px;margin-top:18px}
@media(max-width:640px){body{padding:18px 12px 28px}h1{font-size:22px}section{padding:14px}.scroll{margin:0 -14px;padding:0 14px}.tiles{grid-template-columns:1fr 1fr;gap:8px}.chart{grid-template-columns:52px minmax(0,1fr)}.key{margin-left:0}.x span:nth-child(even){display:none}.chart>svg{height:140px}}
@media print{body{max-width:none;padding:0;background:#fff;font-size:12px}section,.tile{border-color:#bbb}.tile,.chart,.key,.look li,tr{break-inside:avoid}h2,h3{break-after:avoid}thead{display:table-header-group}
.scroll{overflow:visible}table{font-size:11px}th{font-size:11px}td,th{padding:5px 9px 5px 0}.w{width:auto;min-width:9ch;max-width:24ch}.w.long{min-width:18ch;max-width:60ch}.d,svg.small{width:84px}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
$css$ $$;
COMMENT ON FUNCTION smartpouch._report_style() IS 'the style sheet of a page';

CREATE FUNCTION smartpouch._page_traffic(facts jsonb, times text[], time_axis text)
	RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	width interval := facts ->> 'width';
	calls bigint[] := ARRAY(SELECT (s ->> 'calls')::bigint FROM jsonb_array_elements(facts -> 'by_step') WITH ORDINALITY u (s, n) ORDER BY n);
	failures bigint[] := ARRAY(SELECT (s ->> 'failures')::bigint FROM jsonb_array_elements(facts -> 'by_step') WITH ORDINALITY u (s, n) ORDER BY n);
	marks text[];
	a_step text := 'per ' || CASE WHEN smartpouch._width_words(width) LIKE '1 %' THEN substr(smartpouch._width_words(width), 3) ELSE smartpouch._width_words(width) END;
	words text;
	t text;
BEGIN
	IF smartpouch._no_traffic(facts) IS NOT NULL THEN
		RETURN NULL;
	END IF;
	SELECT array_agg(e.what ORDER BY g) INTO marks
	FROM generate_series(1, cardinality(calls)) g LEFT JOIN (
		SELECT floor(extract(epoch FROM c.at - (facts ->> 'began')::timestamptz) / extract(epoch FROM width)) + 1 AS step,
			string_agg(format('%s %s %s to %s', c.action, c.model, c.version, c.stage), ', ' ORDER BY c.at) AS what
		FROM jsonb_to_recordset(facts -> 'changes') c (at timestamptz, action text, model text, version integer, stage text)
		WHERE c.action IN ('promote', 'rollback') GROUP BY 1) e ON e.step = g;
	words := format('Calls %s: %s in all, at most %s', a_step, smartpouch._si((facts #>> '{total,calls}')::float8), smartpouch._si((SELECT max(n) FROM unnest(calls) n)));
	t := format('<h3>calls %s</h3>', a_step) || smartpouch._chart(
		smartpouch._svg_bars(calls, 'bar', ARRAY(SELECT format('%s: %s calls, %s failed%s', times[n], smartpouch._si(c), smartpouch._si(f), '; ' || m)
			FROM unnest(calls, failures, marks) WITH ORDINALITY u (c, f, m, n) ORDER BY n), marks, words),
		smartpouch._axis_words((SELECT max(n) FROM unnest(calls) n)), time_axis);
	IF array_remove(marks, NULL) <> '{}' THEN
		t := t || '<div class="key"><span><svg viewBox="0 0 26 8" aria-hidden="true"><path class="mark" d="M0 4h26"/></svg>a promotion or rollback</span></div>';
	END IF;
	IF (facts #>> '{total,failures}')::bigint = 0 THEN
		RETURN t || '<p class="more">No call failed.</p>';
	END IF;
	words := format('Failed calls %s: %s in all', a_step, smartpouch._si((facts #>> '{total,failures}')::float8));
	RETURN t || format('<h3>failed calls %s</h3>', a_step) || smartpouch._chart(
			smartpouch._svg_bars(failures, 'fault', ARRAY(SELECT format('%s: %s of %s calls failed', times[n], smartpouch._si(f), smartpouch._si(c))
				FROM unnest(calls, failures) WITH ORDINALITY u (c, f, n) ORDER BY n), NULL, words),
			smartpouch._axis_words((SELECT max(n) FROM unnest(failures) n)), time_axis, 'low')
		|| format('<p class="more">%s</p>', smartpouch._html(smartpouch._errors_words(facts #> '{total,errors}')));
END $$;
COMMENT ON FUNCTION smartpouch._page_traffic(jsonb, text[], text) IS 'calls and failures of a page; NULL without any call';

CREATE FUNCTION smartpouch._axis_words(most bigint)
	RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT ARRAY[replace(smartpouch._si(top), '.0', ''), replace(smartpouch._si(top / 2), '.0', ''), '0'] FROM (SELECT smartpouch._axis_top(most) AS top) t $$;
COMMENT ON FUNCTION smartpouch._axis_words(bigint) IS 'what stands at the axis of numbers';

-- From the power of ten below the lowest percentile to the one above the highest.
CREATE FUNCTION smartpouch._page_latencies(facts jsonb, time_axis text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._chart(format('<svg viewBox="0 0 %s 100" preserveAspectRatio="none" role="img" aria-label="Percentiles of the latency of calls over time"><path class="grid" d="%s"/>%s%s%s</svg>',
			10 * p.steps, (SELECT string_agg(format('M0 %sH%s', round(100.0 * k / (r.highest - r.lowest), 1), 10 * p.steps), '') FROM generate_series(0, r.highest - r.lowest) k),
			smartpouch._svg_latency(p.p99, 'p99', r.lowest, r.highest), smartpouch._svg_latency(p.p95, 'p95', r.lowest, r.highest), smartpouch._svg_latency(p.p50, 'p50', r.lowest, r.highest)),
		ARRAY(SELECT smartpouch._html_seconds(CASE WHEN e > 1 THEN 'Infinity' ELSE 10 ^ e END::float8) FROM generate_series(r.highest, r.lowest, -1) e), time_axis)
		|| '<div class="key"><span><svg viewBox="0 0 26 8" aria-hidden="true"><path class="line p50" d="M0 4h26"/></svg>half of the calls are as fast</span>'
		'<span><svg viewBox="0 0 26 8" aria-hidden="true"><path class="line p95" d="M0 4h26"/></svg>95 of 100</span>'
		'<span><svg viewBox="0 0 26 8" aria-hidden="true"><path class="line p99" d="M0 4h26"/></svg>99 of 100</span></div>'
	FROM (SELECT array_agg(s.p50 ORDER BY s.n) AS p50, array_agg(s.p95 ORDER BY s.n) AS p95, array_agg(s.p99 ORDER BY s.n) AS p99, count(*) AS steps,
			min(s.p50) AS least, max(NULLIF(s.p99, 'Infinity')) AS most, bool_or(s.p99 = 'Infinity') AS beyond
		FROM ROWS FROM (jsonb_to_recordset(facts -> 'by_step') AS (p50 float8, p95 float8, p99 float8)) WITH ORDINALITY s (p50, p95, p99, n)) p,
		LATERAL (SELECT floor(log(least(p.least, 10)))::integer - CASE WHEN p.least IN (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10) THEN 1 ELSE 0 END AS lowest,
			CASE WHEN p.beyond THEN 2 ELSE ceil(log(p.most))::integer END AS highest) r
	WHERE p.least IS NOT NULL $$;
COMMENT ON FUNCTION smartpouch._page_latencies(jsonb, text) IS 'latencies of a page; NULL without any';

CREATE FUNCTION smartpouch._page_models(facts jsonb, times text[])
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._html_table('Models', '{model,stage,#calls,#failed,#p50,#p95,#p99,#uptime,~traffic,~readiness}', array_agg(ARRAY[
		format('<span class="w">%s</span>', smartpouch._html(smartpouch._series_name(m.model, ''))), format('<span class="w">%s</span>', smartpouch._html(m.stage)), smartpouch._si(m.calls),
		smartpouch._share(m.failures, m.calls), smartpouch._html_seconds(smartpouch.latency_quantile(m.latencies, 0.5)),
		smartpouch._html_seconds(smartpouch.latency_quantile(m.latencies, 0.95)), smartpouch._html_seconds(smartpouch.latency_quantile(m.latencies, 0.99)),
		smartpouch._share(m.ready, m.samples), smartpouch._svg_small_bars(m.by_calls, m.by_failures, format('at most %s calls in a step', smartpouch._si((SELECT max(n) FROM unnest(m.by_calls) n)))),
		smartpouch._svg_uptime(m.by_samples, m.by_ready, times, format('ready %s of the time', smartpouch._share(m.ready, m.samples)))] ORDER BY m.n))
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'models') AS (model text, stage text, calls bigint, failures bigint, latencies bigint[], samples bigint, ready bigint,
		by_calls bigint[], by_failures bigint[], by_samples bigint[], by_ready bigint[]))
		WITH ORDINALITY m (model, stage, calls, failures, latencies, samples, ready, by_calls, by_failures, by_samples, by_ready, n) $$;
COMMENT ON FUNCTION smartpouch._page_models(jsonb, text[]) IS 'models of a page; NULL without any';

CREATE FUNCTION smartpouch._page_users(facts jsonb)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._html_table('Who asked', '{who,as,#calls,#rows,#failed,#busy}', array_agg(ARRAY[format('<span class="w">%s</span>', smartpouch._html(u.owner)), smartpouch._html(u.kind),
		smartpouch._si(u.calls), smartpouch._si(u.rows), smartpouch._share(u.failures, u.calls), smartpouch._html_seconds(u.busy)] ORDER BY u.n))
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'users') AS (owner text, kind text, calls bigint, rows bigint, failures bigint, busy float8))
		WITH ORDINALITY u (owner, kind, calls, rows, failures, busy, n) $$;
COMMENT ON FUNCTION smartpouch._page_users(jsonb) IS 'who asked, of a page; NULL without any';

CREATE FUNCTION smartpouch._page_drift(facts jsonb)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._html_table('Drift', '{model,variable,level,#PSI,#KS,#samples,~expected,~seen}', array_agg(ARRAY[format('<span class="w">%s:%s</span>', smartpouch._html(d.model), d.version),
		format('<span class="w">%s</span>', smartpouch._html(d.variable)), smartpouch._html_state(d.level), round(d.psi, 3)::text, COALESCE(round(d.ks, 3)::text, '-'), smartpouch._si(d.samples),
		smartpouch._svg_small_bars(d.expected_counts, NULL, 'of the baseline, by bin'), smartpouch._svg_small_bars(d.counts, NULL, 'of the last 24 hours, by bin')] ORDER BY d.n))
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'drift') AS (model text, version integer, variable text, level text, psi numeric, ks numeric, samples bigint,
		expected_counts bigint[], counts bigint[])) WITH ORDINALITY d (model, version, variable, level, psi, ks, samples, expected_counts, counts, n) $$;
COMMENT ON FUNCTION smartpouch._page_drift(jsonb) IS 'drift of a page; NULL without any';

CREATE FUNCTION smartpouch._page_changes(facts jsonb)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._html_table('Changes', '{when,model,change,version,stage,role,note}', array_agg(ARRAY[to_char(e.at, 'YYYY-MM-DD HH24:MI'),
		format('<span class="w">%s</span>', smartpouch._html(e.model)), smartpouch._html(e.action), smartpouch._html(e.version::text), smartpouch._html(e.stage),
		format('<span class="w">%s</span>', smartpouch._html(e.acting_role)), format('<span class="w long">%s</span>', smartpouch._html(e.note))] ORDER BY e.n))
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'changes') AS (at timestamptz, model text, action text, version integer, stage text, acting_role text, note text))
		WITH ORDINALITY e (at, model, action, version, stage, acting_role, note, n) $$;
COMMENT ON FUNCTION smartpouch._page_changes(jsonb) IS 'changes of a page; NULL without any';

CREATE FUNCTION smartpouch._page_backups(facts jsonb)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._html_table('Backups', '{began,label,kind,status,#size,#took,verified,reason}', array_agg(ARRAY[to_char(b.started_at, 'YYYY-MM-DD HH24:MI'),
		format('<span class="w">%s</span>', smartpouch._html(b.label)), smartpouch._html(b.kind), smartpouch._html_state(b.status), COALESCE(pg_size_pretty(b.bytes), '-'),
		smartpouch._html_seconds(extract(epoch FROM b.finished_at - b.started_at)), COALESCE(to_char(b.verified_at, 'YYYY-MM-DD HH24:MI'), '-'),
		format('<span class="w long">%s</span>', smartpouch._html(b.reason))] ORDER BY b.n))
	FROM ROWS FROM (jsonb_to_recordset(facts -> 'backups') AS (started_at timestamptz, finished_at timestamptz, label text, kind text, status text, reason text, bytes bigint, verified_at timestamptz))
		WITH ORDINALITY b (started_at, finished_at, label, kind, status, reason, bytes, verified_at, n) $$;
COMMENT ON FUNCTION smartpouch._page_backups(jsonb) IS 'backups of a page; NULL without any';

-- What is wrong first.
CREATE FUNCTION smartpouch._page_health(health jsonb)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT smartpouch._html_table('Health', '{check,status,#observed,unit,what}', array_agg(ARRAY[smartpouch._html(c.key), smartpouch._html_state(c.value -> 0 ->> 'status'),
		smartpouch._html(c.value -> 0 ->> 'observedValue'), smartpouch._html(c.value -> 0 ->> 'observedUnit'), format('<span class="w long">%s</span>', smartpouch._html(c.value -> 0 ->> 'output'))]
		ORDER BY array_position('{fail,warn,unknown,pass}', c.value -> 0 ->> 'status'), c.key))
	FROM jsonb_each(health -> 'checks') c $$;
COMMENT ON FUNCTION smartpouch._page_health(jsonb) IS 'checks of a page';

-- Without JIT, which for many small queries takes longer than they do.
CREATE FUNCTION smartpouch.report_html(period interval DEFAULT '24 hours')
	RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET jit = off AS $$
DECLARE
	facts jsonb := smartpouch._report_facts(period);
	width interval := facts ->> 'width';
	began timestamptz := facts ->> 'began';
	times text[] := ARRAY(SELECT to_char(began + (g - 1) * width, 'YYYY-MM-DD HH24:MI') FROM generate_series(1, (facts ->> 'steps')::integer) g);
	time_axis text := smartpouch._time_axis(began, width, (facts ->> 'steps')::integer);
	state text := facts #>> '{health,status}';
	no_traffic text := smartpouch._no_traffic(facts);
	total record;
	page text;
BEGIN
	SELECT * INTO total FROM jsonb_to_record(facts -> 'total') AS x (calls bigint, rows bigint, failures bigint, latencies bigint[], server_samples bigint, server_ready bigint);
	page := format(E'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\n'
		'<title>smartpouch: %1$s</title><style>%2$s</style></head><body>\n'
		'<header><p class="of">smartpouch %3$s</p><h1>%1$s %4$s</h1><p>%5$s to %6$s, in steps of %7$s; %8$s deployed</p></header>\n<main>',
		smartpouch._html(facts ->> 'database'), smartpouch._report_style(), smartpouch._html(facts #>> '{health,version}'), smartpouch._html_state(state), times[1],
		to_char((facts ->> 'made')::timestamptz, 'YYYY-MM-DD HH24:MI TZ'), smartpouch._width_words(width),
		CASE facts ->> 'deployed' WHEN '1' THEN '1 model' ELSE (facts ->> 'deployed') || ' models' END);
	page := page || '<dl class="tiles">' || smartpouch._tile('calls', smartpouch._si(total.calls)) || smartpouch._tile('rows', smartpouch._si(total.rows))
		|| smartpouch._tile('of the calls failed', smartpouch._share(total.failures, total.calls))
		|| smartpouch._tile('median latency', smartpouch._html_seconds(smartpouch.latency_quantile(total.latencies, 0.5)))
		|| smartpouch._tile('99th percentile', smartpouch._html_seconds(smartpouch.latency_quantile(total.latencies, 0.99)))
		|| smartpouch._tile('server was ready', smartpouch._share(total.server_ready, total.server_samples)) || E'</dl>\n';
	page := page || COALESCE((
		SELECT format(E'<section><h2>What needs a look</h2><ul class="look">%s</ul></section>\n', string_agg(format('<li>%s<div><b>%s</b> %s</div></li>', smartpouch._html_state(c.value -> 0 ->> 'status'),
			smartpouch._html(c.key), smartpouch._html(c.value -> 0 ->> 'output')), '' ORDER BY array_position('{fail,warn,unknown}', c.value -> 0 ->> 'status'), c.key))
		FROM jsonb_each(facts #> '{health,checks}') c WHERE c.value -> 0 ->> 'status' <> 'pass' HAVING count(*) > 0), '');
	RETURN page || smartpouch._section('Traffic', smartpouch._page_traffic(facts, times, time_axis), no_traffic)
		|| smartpouch._section('Latency of calls', smartpouch._page_latencies(facts, time_axis), 'There is no call to measure.')
		|| smartpouch._section('Models', smartpouch._page_models(facts, times), 'No model was asked or looked after in this period.',
			CASE WHEN (facts ->> 'series')::bigint > 50 THEN format('<p class="more">and %s more that were asked less</p>', (facts ->> 'series')::bigint - 50) END)
		|| smartpouch._section('Who asked', smartpouch._page_users(facts), 'Nobody asked in this period.')
		|| smartpouch._section('Drift in the last 24 hours', smartpouch._page_drift(facts), CASE facts ->> 'baselines' WHEN '0'
			THEN 'No version has a baseline: set_baseline() keeps one.' ELSE 'Nothing was sampled: smartpouch.sample_percent says how much is.' END)
		|| smartpouch._section('Deployments and other changes', smartpouch._page_changes(facts), 'Nothing was changed in this period.')
		|| smartpouch._section('Backups', smartpouch._page_backups(facts), 'No backup was ever made: backup() makes one.')
		|| smartpouch._section('Health', smartpouch._page_health(facts -> 'health'), 'Nothing was checked.')
		|| E'</main><footer>Percentiles are upper bounds of buckets. Times are of the session''s time zone.</footer></body></html>\n';
END $$;
COMMENT ON FUNCTION smartpouch.report_html(interval) IS 'what happened to models in a period, as a page without anything from outside';
