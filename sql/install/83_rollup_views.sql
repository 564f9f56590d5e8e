-- What was counted over time, of models that the caller may see.
CREATE VIEW smartpouch.health_minute WITH (security_barrier) AS
SELECT r.bucket, COALESCE(m.name, r.model) AS model, r.version, r.stage, r.calls, r.rows,
	r.errors[1] + r.errors[2] + r.errors[3] + r.errors[4] + r.errors[5] AS failures, r.errors,
	r.busy_ns / 1e9::float8 AS busy_seconds, r.cpu_ns / 1e9::float8 AS cpu_seconds,
	smartpouch.latency_quantile(r.latencies, 0.5) AS p50_seconds,
	smartpouch.latency_quantile(r.latencies, 0.95) AS p95_seconds,
	smartpouch.latency_quantile(r.latencies, 0.99) AS p99_seconds, r.latencies,
	r.samples, r.ready, r.ready::float8 / NULLIF(r.samples, 0) AS uptime, r.model_id
FROM smartpouch.rollup_minute r LEFT JOIN smartpouch.model m ON m.id = r.model_id
WHERE smartpouch._can_see(r.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.health_minute IS 'predictions, latencies and readiness by minute (UTC)';

CREATE VIEW smartpouch.health_hour WITH (security_barrier) AS
SELECT r.bucket, COALESCE(m.name, r.model) AS model, r.version, r.stage, r.calls, r.rows,
	r.errors[1] + r.errors[2] + r.errors[3] + r.errors[4] + r.errors[5] AS failures, r.errors,
	r.busy_ns / 1e9::float8 AS busy_seconds, r.cpu_ns / 1e9::float8 AS cpu_seconds,
	smartpouch.latency_quantile(r.latencies, 0.5) AS p50_seconds,
	smartpouch.latency_quantile(r.latencies, 0.95) AS p95_seconds,
	smartpouch.latency_quantile(r.latencies, 0.99) AS p99_seconds, r.latencies,
	r.samples, r.ready, r.ready::float8 / NULLIF(r.samples, 0) AS uptime, r.model_id
FROM smartpouch.rollup_hour r LEFT JOIN smartpouch.model m ON m.id = r.model_id
WHERE smartpouch._can_see(r.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.health_hour IS 'predictions, latencies and readiness by hour (UTC)';

CREATE VIEW smartpouch.health_day WITH (security_barrier) AS
SELECT r.bucket, COALESCE(m.name, r.model) AS model, r.version, r.stage, r.calls, r.rows,
	r.errors[1] + r.errors[2] + r.errors[3] + r.errors[4] + r.errors[5] AS failures, r.errors,
	r.busy_ns / 1e9::float8 AS busy_seconds, r.cpu_ns / 1e9::float8 AS cpu_seconds,
	smartpouch.latency_quantile(r.latencies, 0.5) AS p50_seconds,
	smartpouch.latency_quantile(r.latencies, 0.95) AS p95_seconds,
	smartpouch.latency_quantile(r.latencies, 0.99) AS p99_seconds, r.latencies,
	r.samples, r.ready, r.ready::float8 / NULLIF(r.samples, 0) AS uptime, r.model_id
FROM smartpouch.rollup_day r LEFT JOIN smartpouch.model m ON m.id = r.model_id
WHERE smartpouch._can_see(r.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.health_day IS 'predictions, latencies and readiness by day (UTC)';

CREATE VIEW smartpouch.usage_hours WITH (security_barrier) AS
SELECT u.bucket, u.owner, u.kind, COALESCE(m.name, u.model) AS model, u.calls, u.rows,
	u.errors[1] + u.errors[2] + u.errors[3] + u.errors[4] + u.errors[5] AS failures,
	u.busy_ns / 1e9::float8 AS busy_seconds, u.model_id
FROM smartpouch.usage_hour u LEFT JOIN smartpouch.model m ON m.id = u.model_id
WHERE smartpouch._can_see(u.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.usage_hours IS 'predictions by owner, model and hour (UTC)';
