CREATE VIEW smartpouch.metrics WITH (security_barrier) AS
SELECT m.name AS model, c.version, c.name AS stage, c.calls, c.rows,
	c.errors[1] + c.errors[2] + c.errors[3] + c.errors[4] + c.errors[5] AS errors,
	c.errors[1] AS bad_input, c.errors[2] AS no_model, c.errors[3] AS timeout, c.errors[4] AS denied,
	c.errors[5] AS internal, c.busy_ns / 1e9::float8 AS busy_seconds, c.cpu_ns / 1e9::float8 AS cpu_seconds,
	c.busy_ns / 1e9::float8 / NULLIF(c.calls, 0) AS mean_seconds,
	smartpouch.latency_quantile(c.latencies, 0.5) AS p50_seconds,
	smartpouch.latency_quantile(c.latencies, 0.95) AS p95_seconds,
	smartpouch.latency_quantile(c.latencies, 0.99) AS p99_seconds,
	c.latencies, COALESCE(l.calls - l.errors[5], 0) AS loads, COALESCE(l.errors[5], 0) AS load_failures,
	COALESCE(l.busy_ns / 1e9::float8, 0) AS load_seconds, c.since, c.last_at, c.is_other, c.model_id
FROM smartpouch._call_counts('prediction') c
	LEFT JOIN smartpouch.model m ON m.id = c.model_id
	LEFT JOIN smartpouch._call_counts('load') l
		ON l.model_id = c.model_id AND l.version = c.version AND NOT l.is_other
WHERE c.model_id IS NULL OR smartpouch._can_see(c.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.metrics IS 'predictions by version and stage, on this server since it started';

CREATE VIEW smartpouch.usage WITH (security_barrier) AS
SELECT COALESCE(r.rolname::text, c.name) AS owner,
	CASE WHEN c.role IS NOT NULL THEN 'role' WHEN c.name IS NOT NULL THEN 'api key' END AS kind,
	m.name AS model, c.calls, c.rows,
	c.errors[1] + c.errors[2] + c.errors[3] + c.errors[4] + c.errors[5] AS errors,
	c.busy_ns / 1e9::float8 AS busy_seconds, c.since, c.last_at, c.is_other, c.model_id
FROM smartpouch._call_counts('usage') c
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.role
	LEFT JOIN smartpouch.model m ON m.id = c.model_id
WHERE c.model_id IS NULL OR smartpouch._can_see(c.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.usage IS 'predictions by model and by who asked for them, on this server since it started';

CREATE VIEW smartpouch.model_loads WITH (security_barrier) AS
SELECT m.name AS model, c.version, c.calls - c.errors[5] AS loads, c.errors[5] AS failures,
	c.busy_ns / 1e9::float8 AS load_seconds, c.latencies, c.since, c.last_at, c.is_other, c.model_id
FROM smartpouch._call_counts('load') c LEFT JOIN smartpouch.model m ON m.id = c.model_id
WHERE c.model_id IS NULL OR smartpouch._can_see(c.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.model_loads IS 'loads of versions into memory, on this server since it started';
