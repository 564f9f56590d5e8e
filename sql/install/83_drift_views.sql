-- A row for each variable of each baseline.
CREATE VIEW smartpouch.baselines WITH (security_barrier) AS
SELECT m.name AS model, b.version, v.name AS variable, b.rows,
	b.bounds[v.bounds_before + 1 : v.bounds_before + v.n] AS bounds,
	b.counts[v.bins_before + 1 : v.bins_before + v.n + 2] AS counts, b.set_at, b.set_by, v.position, v.bins_before, b.model_id
FROM smartpouch.baseline b JOIN smartpouch.model m ON m.id = b.model_id
	CROSS JOIN LATERAL (
		SELECT u.name, u.n, u.position, (sum(u.n) OVER w - u.n)::integer AS bounds_before, (sum(u.n + 2) OVER w - u.n - 2)::integer AS bins_before
		FROM ROWS FROM (pg_catalog.unnest(b.names), pg_catalog.unnest(b.n_bounds)) WITH ORDINALITY u (name, n, position)
		WINDOW w AS (ORDER BY u.position)) v
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.baselines IS 'baselines of versions, by variable';

-- Of the last 24 hours, by what was rolled up and what this server has sampled since. OFFSET 0: once for each row, not
-- for each place that it is used at.
CREATE VIEW smartpouch.drift WITH (security_barrier) AS
WITH sampled AS (
	SELECT s.model_id, s.version, s.set_at, sum(s.rows) AS rows, smartpouch._sum(s.counts) AS counts
	FROM (
		SELECT h.model_id, h.version, h.set_at, h.rows, h.counts FROM smartpouch.drift_hour h
		WHERE h.bucket >= pg_catalog.now() - interval '24 hours'
		UNION ALL
		SELECT c.model_id, c.version, c.set_at, c.rows - COALESCE(d.rows, 0), smartpouch._subtract(c.counts, d.counts)
		FROM smartpouch._drift_counts() c
			LEFT JOIN smartpouch.drift_mark d USING (model_id, version, set_at, began)) s
	GROUP BY s.model_id, s.version, s.set_at
)
SELECT b.model, b.version, b.variable, a.samples, p.psi, smartpouch.ks_statistic(b.counts, a.counts) AS ks, x.statistic AS chi_square,
	x.degrees, e.missing AS missing_expected, e.missing_now AS missing,
	CASE WHEN p.psi IS NULL OR c.chance > 0.1 THEN 'unknown' WHEN p.psi < 0.1 THEN 'ok' WHEN p.psi < 0.25 THEN 'warn' ELSE 'alert' END AS level,
	b.counts AS expected_counts, a.counts, b.set_at, b.model_id
FROM smartpouch.baselines b
	LEFT JOIN sampled s ON s.model_id = b.model_id AND s.version = b.version AND s.set_at = b.set_at
	CROSS JOIN LATERAL (SELECT s.counts[b.bins_before + 1 : b.bins_before + pg_catalog.cardinality(b.counts)] AS counts) r
	CROSS JOIN LATERAL (SELECT COALESCE(smartpouch._total(r.counts), 0) AS samples,
		CASE WHEN pg_catalog.cardinality(r.counts) = pg_catalog.cardinality(b.counts) THEN r.counts END AS counts,
		smartpouch._total(b.counts)::float8 AS expected OFFSET 0) a
	CROSS JOIN LATERAL (SELECT smartpouch.psi(b.counts, a.counts) AS psi OFFSET 0) p
	CROSS JOIN LATERAL smartpouch.chi_square(b.counts, a.counts) x
	-- Samples of one distribution have an index that is about 1/E + 1/A times a chi-square variable. This is its
	-- quantile 0.9999, after Wilson and Hilferty: with so few samples that it is above the first limit, the index says nothing.
	CROSS JOIN LATERAL (SELECT d.n * (1 - 2 / (9 * d.n) + 3.72 * sqrt(2 / (9 * d.n))) ^ 3 * (1 / a.expected + 1 / NULLIF(a.samples, 0)::float8) AS chance
		FROM (SELECT greatest(1, x.degrees)::float8 AS n) d) c
	CROSS JOIN LATERAL (SELECT b.counts[pg_catalog.cardinality(b.counts)] / NULLIF(a.expected, 0) AS missing,
		a.counts[pg_catalog.cardinality(b.counts)]::float8 / NULLIF(a.samples, 0) AS missing_now) e;
COMMENT ON VIEW smartpouch.drift IS 'how far sampled features and predictions of the last 24 hours are from the baseline';

CREATE VIEW smartpouch.drift_days WITH (security_barrier) AS
SELECT d.bucket, b.model, b.version, b.variable, smartpouch._total(c.counts) AS samples,
	smartpouch.psi(b.counts, c.counts) AS psi, smartpouch.ks_statistic(b.counts, c.counts) AS ks, c.counts, b.model_id
FROM smartpouch.baselines b
	JOIN smartpouch.drift_day d ON d.model_id = b.model_id AND d.version = b.version AND d.set_at = b.set_at
	CROSS JOIN LATERAL (SELECT d.counts[b.bins_before + 1 : b.bins_before + pg_catalog.cardinality(b.counts)] AS counts) s
	CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.cardinality(s.counts) = pg_catalog.cardinality(b.counts) THEN s.counts END AS counts) c;
COMMENT ON VIEW smartpouch.drift_days IS 'distance of sampled features and predictions from the baseline by day';
