-- The same as a page: one file, inline SVG, no script, nothing from outside. All text goes through _html().

CREATE FUNCTION smartpouch._html(raw text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT replace(replace(replace(replace(replace(smartpouch._plain(COALESCE(raw, '')), '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;') $$;
COMMENT ON FUNCTION smartpouch._html(text) IS 'text for a page';

-- Bars over time, 600 by height; part of each, from the bottom, is drawn in another colour. title is per bar.
CREATE FUNCTION smartpouch._svg_bars(amounts bigint[], parts bigint[], titles text[], height integer)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<svg viewBox="0 0 600 %s" preserveAspectRatio="none" role="img">%s</svg>', height,
		string_agg(format('<g><title>%s</title><rect class="none" x="%s" y="0" width="%s" height="%s"/><rect class="bar" x="%s" y="%s" width="%s" height="%s"/>%s</g>',
			smartpouch._html(b.title), b.x, b.step, height, b.x, height - b.h, b.wide, b.h,
			CASE WHEN b.part > 0 THEN format('<rect class="bad" x="%s" y="%s" width="%s" height="%s"/>', b.x, height - b.p, b.wide, b.p) ELSE '' END),
			'' ORDER BY b.n))
	FROM (SELECT u.n, u.title, u.part, round((600.0 * (u.n - 1) / cardinality(amounts))::numeric, 2) AS x,
			round(600.0 / cardinality(amounts), 2) AS step, round(greatest(0.5, 600.0 / cardinality(amounts) - 1), 2) AS wide,
			round(height * u.amount::numeric / greatest(1, m.most), 2) AS h,
			round(greatest(1.5, height * u.part::numeric / greatest(1, m.most)), 2) AS p
		FROM unnest(amounts, parts, titles) WITH ORDINALITY u (amount, part, title, n) CROSS JOIN (SELECT max(x) AS most FROM unnest(amounts) x) m) b $$;
COMMENT ON FUNCTION smartpouch._svg_bars(bigint[], bigint[], text[], integer) IS 'bars over time';

-- Latencies over time on a scale of powers of ten, from 1 us to 100 s.
CREATE FUNCTION smartpouch._svg_latency(seconds double precision[], class text, height integer)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT COALESCE(format('<path class="line %s" d="%s"/>', class, string_agg(format('%s%s %sH%s', CASE WHEN p.gap THEN 'M' ELSE 'L' END,
		round(p.x, 2), round(p.y, 2), round(p.x + p.wide, 2)), '' ORDER BY p.n)), '')
	FROM (SELECT u.n, 600.0 * (u.n - 1) / cardinality(seconds) AS x, 600.0 / cardinality(seconds) AS wide,
			height * (1 - (log(least(100, greatest(1e-6, u.s)))::numeric + 6) / 8) AS y,
			lag(u.n) OVER (ORDER BY u.n) IS DISTINCT FROM u.n - 1 AS gap
		FROM unnest(seconds) WITH ORDINALITY u (s, n) WHERE u.s IS NOT NULL) p $$;
COMMENT ON FUNCTION smartpouch._svg_latency(double precision[], text, integer) IS 'a line of latencies over time';

CREATE FUNCTION smartpouch._svg_latencies(p50 double precision[], p95 double precision[], p99 double precision[])
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<svg viewBox="-52 -6 652 172" role="img">%s%s%s%s</svg>',
		(SELECT string_agg(format('<line class="grid" x1="0" x2="600" y1="%s" y2="%s"/><text x="-6" y="%s">%s</text>', y, y, y + 4, label), '')
		FROM (SELECT 160 * (1 - (e + 6) / 8.0) AS y, smartpouch._seconds((10 ^ e)::float8) AS label FROM generate_series(-6, 2, 2) e) g),
		smartpouch._svg_latency(p50, 'p50', 160), smartpouch._svg_latency(p95, 'p95', 160), smartpouch._svg_latency(p99, 'p99', 160)) $$;
COMMENT ON FUNCTION smartpouch._svg_latencies(double precision[], double precision[], double precision[]) IS 'three percentiles over time';

-- A table of rows that _cells() has made; NULL without any.
CREATE FUNCTION smartpouch._html_table(head text[], body text[])
	RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<table><thead><tr>%s</tr></thead><tbody>%s</tbody></table>',
		(SELECT string_agg('<th>' || smartpouch._html(h) || '</th>', '' ORDER BY n) FROM unnest(head) WITH ORDINALITY u (h, n)),
		(SELECT string_agg('<tr>' || r || '</tr>', '' ORDER BY n) FROM unnest(body) WITH ORDINALITY u (r, n))) $$;
COMMENT ON FUNCTION smartpouch._html_table(text[], text[]) IS 'a table of a page';

CREATE FUNCTION smartpouch._cells(VARIADIC cells text[])
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg('<td>' || smartpouch._html(c) || '</td>', '' ORDER BY n)
	FROM unnest(cells) WITH ORDINALITY u (c, n) $$;
COMMENT ON FUNCTION smartpouch._cells(text[]) IS 'a row of a table of a page';

CREATE FUNCTION smartpouch._section(title text, content text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN content IS NULL THEN '' ELSE format(E'<section><h2>%s</h2>\n%s</section>\n', smartpouch._html(title), content) END $$;
COMMENT ON FUNCTION smartpouch._section(text, text) IS 'a part of a page, if there is anything in it';

CREATE FUNCTION smartpouch._tile(title text, value text)
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<div class="tile"><b>%s</b><span>%s</span></div>', smartpouch._html(value), smartpouch._html(title)) $$;
COMMENT ON FUNCTION smartpouch._tile(text, text) IS 'a number of a page';

CREATE FUNCTION smartpouch._report_style()
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$ SELECT $css$
:root{--bg:#fff;--card:#f6f8fa;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--bar:#0969da;--bad:#cf222e;--good:#1a7f37;--warn:#9a6700;--p50:#1a7f37;--p95:#bf8700;--p99:#cf222e}
@media (prefers-color-scheme:dark){:root{--bg:#0d1117;--card:#151b23;--ink:#f0f6fc;--soft:#9198a1;--line:#3d444d;--bar:#4493f8;--bad:#f85149;--good:#3fb950;--warn:#d29922;--p50:#3fb950;--p95:#d29922;--p99:#f85149}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1080px;padding:24px;background:var(--bg);color:var(--ink);font:14px/1.5 system-ui,sans-serif}
h1{font-size:22px;margin:0}h2{font-size:15px;margin:0 0 10px}header p{color:var(--soft);margin:4px 0 18px}
.state{border-radius:12px;color:#fff;font-size:13px;padding:3px 10px;vertical-align:4px}.pass{background:var(--good)}.warn,.unknown{background:var(--warn)}.fail{background:var(--bad)}
.tiles{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(140px,1fr))}.tile,section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px}
.tile b{display:block;font-size:22px;font-weight:600}.tile span,.axis,.key{color:var(--soft);font-size:12px}section{margin-top:16px;overflow-x:auto}
svg{display:block;width:100%}section>svg{min-height:90px}td svg{height:22px;width:150px}.axis{display:flex;justify-content:space-between}
.bar{fill:var(--bar)}.bad{fill:var(--bad)}.none{fill:transparent}g:hover .none{fill:var(--line)}.up{fill:var(--good)}.down{fill:var(--bad)}.blank{fill:var(--line)}
.grid{stroke:var(--line);stroke-width:.6}svg text{fill:var(--soft);font-size:11px;text-anchor:end}.line{fill:none;stroke-width:1.6}.line.p50{stroke:var(--p50)}.line.p95{stroke:var(--p95)}.line.p99{stroke:var(--p99)}
.key i{display:inline-block;height:3px;margin:0 6px 3px 14px;width:18px}table{border-collapse:collapse;width:100%}th{color:var(--soft);font-weight:500;text-align:left}td,th{border-bottom:1px solid var(--line);padding:5px 10px 5px 0;font-variant-numeric:tabular-nums}tr:last-child td{border-bottom:0}
$css$ $$;
COMMENT ON FUNCTION smartpouch._report_style() IS 'the style sheet of a page';

-- A cell for each step: green when every look found the stage ready, red otherwise.
CREATE FUNCTION smartpouch._svg_uptime(samples bigint[], ready bigint[], titles text[])
	RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT format('<svg viewBox="0 0 600 22" preserveAspectRatio="none" role="img">%s</svg>',
		string_agg(format('<rect class="%s" x="%s" y="2" width="%s" height="18"><title>%s</title></rect>',
			CASE WHEN u.s = 0 THEN 'blank' WHEN u.r < u.s THEN 'down' ELSE 'up' END, round(600.0 * (u.n - 1) / cardinality(samples), 2),
			round(600.0 / cardinality(samples) - 1, 2), smartpouch._html(u.title || ': ' || smartpouch._share(u.r, u.s))), '' ORDER BY u.n))
	FROM unnest(samples, ready, titles) WITH ORDINALITY u (s, r, title, n) $$;
COMMENT ON FUNCTION smartpouch._svg_uptime(bigint[], bigint[], text[]) IS 'readiness over time';

CREATE FUNCTION smartpouch.report_html(period interval DEFAULT '24 hours')
	RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	axis record := smartpouch._report_steps(period);
	health jsonb := smartpouch.health();
	times text[] := ARRAY(SELECT to_char(axis.began + (g - 1) * axis.width, 'YYYY-MM-DD HH24:MI') FROM generate_series(1, axis.steps) g);
	scale text := format('<div class="axis"><span>%s</span><span>%s</span><span>%s</span></div>', times[1], times[axis.steps / 2 + 1],
		to_char(axis.ended, 'YYYY-MM-DD HH24:MI TZ'));
	total record;
	page text;
BEGIN
	SELECT sum(s.calls) AS calls, sum(s.rows) AS rows, sum(s.failures) AS failures, smartpouch._sum(s.latencies) AS latencies,
		array_agg(s.calls ORDER BY s.step) AS by_calls, array_agg(s.failures ORDER BY s.step) AS by_failures,
		array_agg(format('%s: %s calls, %s failed', times[s.step], smartpouch._si(s.calls), smartpouch._si(s.failures)) ORDER BY s.step) AS titles,
		array_agg(smartpouch.latency_quantile(s.latencies, 0.5) ORDER BY s.step) AS p50,
		array_agg(smartpouch.latency_quantile(s.latencies, 0.95) ORDER BY s.step) AS p95,
		array_agg(smartpouch.latency_quantile(s.latencies, 0.99) ORDER BY s.step) AS p99 INTO total
	FROM (SELECT g.step, COALESCE(sum(r.calls), 0)::bigint AS calls, COALESCE(sum(r.rows), 0)::bigint AS rows,
			COALESCE(sum(r.failures), 0)::bigint AS failures, smartpouch._sum(r.latencies) AS latencies
		FROM generate_series(1, axis.steps) g (step) LEFT JOIN smartpouch._report_series(period) r ON r.step = g.step
		GROUP BY g.step) s;
	page := format(E'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">\n'
		'<title>smartpouch: %1$s</title><style>%2$s</style></head><body>\n'
		'<header><h1>%1$s <span class="state %3$s">%3$s</span></h1><p>%4$s to %5$s, steps of %6$s. smartpouch %7$s</p></header>\n',
		smartpouch._html(current_database()), smartpouch._report_style(), health ->> 'status', times[1],
		to_char(axis.ended, 'YYYY-MM-DD HH24:MI TZ'), axis.width, smartpouch._html(health ->> 'version'));
	page := page || '<div class="tiles">' || smartpouch._tile('calls', smartpouch._si(total.calls)) || smartpouch._tile('rows', smartpouch._si(total.rows))
		|| smartpouch._tile('failed', smartpouch._share(total.failures, total.calls))
		|| smartpouch._tile('median latency', smartpouch._seconds(smartpouch.latency_quantile(total.latencies, 0.5)))
		|| smartpouch._tile('99th percentile', smartpouch._seconds(smartpouch.latency_quantile(total.latencies, 0.99)))
		|| smartpouch._tile('deployed models', (SELECT count(DISTINCT d.model)::text FROM smartpouch.deployments d)) || E'</div>\n';
	page := page || smartpouch._section('Calls, and those that failed', smartpouch._svg_bars(total.by_calls, total.by_failures, total.titles, 120) || scale);
	page := page || smartpouch._section('Latency of calls', CASE WHEN total.calls > 0 THEN smartpouch._svg_latencies(total.p50, total.p95, total.p99)
		|| scale || '<div class="key"><i style="background:var(--p50)"></i>50th percentile<i style="background:var(--p95)"></i>95th<i style="background:var(--p99)"></i>99th</div>' END);
	page := page || smartpouch._section('Models', (
		WITH series AS MATERIALIZED (SELECT * FROM smartpouch._report_series(period))
		SELECT smartpouch._html_table('{model,stage,calls,failed,p50,p95,p99,uptime,traffic,readiness}', array_agg(smartpouch._cells(m.model, m.stage,
			smartpouch._si(m.calls), smartpouch._share(m.failures, m.calls), smartpouch._seconds(smartpouch.latency_quantile(m.latencies, 0.5)),
			smartpouch._seconds(smartpouch.latency_quantile(m.latencies, 0.95)), smartpouch._seconds(smartpouch.latency_quantile(m.latencies, 0.99)),
			smartpouch._share(m.ready, m.samples)) || format('<td>%s</td><td>%s</td>', smartpouch._svg_bars(m.by_calls, m.by_failures, m.titles, 22),
			smartpouch._svg_uptime(m.by_samples, m.by_ready, times)) ORDER BY m.calls DESC, m.model, m.stage))
		FROM (SELECT s.model, s.stage, sum(s.calls) AS calls, sum(s.failures) AS failures, smartpouch._sum(s.latencies) AS latencies,
				sum(s.samples) AS samples, sum(s.ready) AS ready, array_agg(s.calls ORDER BY s.step) AS by_calls,
				array_agg(s.failures ORDER BY s.step) AS by_failures, array_agg(s.samples ORDER BY s.step) AS by_samples,
				array_agg(s.ready ORDER BY s.step) AS by_ready,
				array_agg(format('%s: %s calls, %s failed', times[s.step], smartpouch._si(s.calls), smartpouch._si(s.failures)) ORDER BY s.step) AS titles
			FROM (SELECT k.model, k.stage, g.step, COALESCE(r.calls, 0) AS calls, COALESCE(r.failures, 0) AS failures, r.latencies,
					COALESCE(r.samples, 0) AS samples, COALESCE(r.ready, 0) AS ready
				FROM (SELECT DISTINCT d.model, d.stage FROM series d) k CROSS JOIN generate_series(1, axis.steps) g (step)
					LEFT JOIN series r ON r.model = k.model AND r.stage = k.stage AND r.step = g.step) s
			GROUP BY s.model, s.stage ORDER BY 3 DESC, 1, 2 LIMIT 50) m));
	page := page || smartpouch._section('Who asked', (
		SELECT smartpouch._html_table('{who,kind,calls,rows,failed,busy}', array_agg(smartpouch._cells(u.owner, u.kind, smartpouch._si(u.calls),
			smartpouch._si(u.rows), smartpouch._share(u.failures, u.calls), smartpouch._seconds(u.busy)) ORDER BY u.calls DESC, u.owner))
		FROM (SELECT h.owner, h.kind, sum(h.calls) AS calls, sum(h.rows) AS rows, sum(h.failures) AS failures, sum(h.busy_seconds) AS busy
			FROM smartpouch.usage_hours h WHERE h.bucket >= axis.began AND h.bucket < axis.ended GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 20) u));
	page := page || smartpouch._section('Drift in the last 24 hours', (
		SELECT smartpouch._html_table('{model,version,variable,level,PSI,KS,samples,expected,seen}', array_agg(smartpouch._cells(d.model, d.version::text, d.variable,
			d.level, round(d.psi::numeric, 3)::text, round(d.ks::numeric, 3)::text, smartpouch._si(d.samples),
			smartpouch._svg_bars(d.expected_counts, NULL, NULL, 22), smartpouch._svg_bars(d.counts, NULL, NULL, 22)) ORDER BY d.psi DESC, d.variable))
		FROM (SELECT v.* FROM smartpouch.drift v WHERE v.psi IS NOT NULL ORDER BY v.psi DESC LIMIT 20) d));
	page := page || smartpouch._section('Deployments and other changes', (
		SELECT smartpouch._html_table('{when,model,change,version,stage,role,note}', array_agg(smartpouch._cells(to_char(e.at, 'YYYY-MM-DD HH24:MI'),
			e.model, e.action, e.version::text, e.stage, e.acting_role, e.note) ORDER BY e.at DESC, e.seq DESC))
		FROM (SELECT h.* FROM smartpouch.history h WHERE h.at >= axis.began ORDER BY h.at DESC, h.seq DESC LIMIT 50) e));
	page := page || smartpouch._section('Backups', (
		SELECT smartpouch._html_table('{began,label,kind,status,size,verified,reason}', array_agg(smartpouch._cells(to_char(b.started_at, 'YYYY-MM-DD HH24:MI'),
			b.label, b.kind, b.status, pg_size_pretty(b.bytes), to_char(b.verified_at, 'YYYY-MM-DD HH24:MI'), b.reason) ORDER BY b.started_at DESC))
		FROM (SELECT k.* FROM smartpouch.backups k ORDER BY k.started_at DESC LIMIT 20) b));
	page := page || smartpouch._section('Health', (
		SELECT smartpouch._html_table('{check,status,observed,unit,what}', array_agg(smartpouch._cells(c.key, c.value -> 0 ->> 'status',
			c.value -> 0 ->> 'observedValue', c.value -> 0 ->> 'observedUnit', c.value -> 0 ->> 'output')
			ORDER BY c.value -> 0 ->> 'status' = 'pass', c.key))
		FROM jsonb_each(health -> 'checks') c));
	RETURN page || E'</body></html>\n';
END $$;
COMMENT ON FUNCTION smartpouch.report_html(interval) IS 'what happened to models in a period, as a page without anything from outside';
