-- The text format of Prometheus, 0.0.4. What is to be shown is a family in
-- _metric_families() and rows of _metric_samples().
CREATE FUNCTION smartpouch._metric_families(OUT family text, OUT type text, OUT help text)
	RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 40
	SET search_path = pg_catalog, pg_temp AS $$ VALUES
	('up', 'gauge', 'Whether smartpouch answers.'),
	('build_info', 'gauge', 'Version of the library, major version of the server, instructions that kernels use.'),
	('start_time_seconds', 'gauge', 'When the server started to count, as seconds since 1970.'),
	('predictions_total', 'counter', 'Statements in which a version was asked to predict.'),
	('prediction_rows_total', 'counter', 'Answers that a version gave.'),
	('prediction_errors_total', 'counter', 'Errors that prediction functions raised.'),
	('prediction_duration_seconds', 'histogram', 'Time that prediction functions took in a statement.'),
	('prediction_cpu_seconds_total', 'counter', 'CPU time that predictions used.'),
	('model_load_duration_seconds', 'histogram', 'Time that loading a version into memory took.'),
	('model_loads_total', 'counter', 'Loads of a version into memory.'),
	('model_load_failures_total', 'counter', 'Loads of a version that failed.'),
	('model_cache_hits_total', 'counter', 'Uses of a model that was in memory.'),
	('model_cache_misses_total', 'counter', 'Uses of a model that had to be loaded.'),
	('model_cache_evictions_total', 'counter', 'Models that left the memory.'),
	('model_memory_bytes', 'gauge', 'Shared memory that a version takes.'),
	('drift_psi', 'gauge', 'Greatest population stability index of a version in the last 24 hours: of its features and of its prediction.'),
	('model_info', 'gauge', 'Versions that serve a stage.'),
	('stage_transitions_total', 'counter', 'Promotions and rollbacks to a stage, from the one in which the version was before.'),
	('auth_attempts_total', 'counter', 'API keys that were shown, good or bad.'),
	('auth_failures_total', 'counter', 'API keys and calls with them that were refused.'),
	('keys', 'gauge', 'API keys; those in grace were replaced and are still good.'),
	('key_grace_uses_total', 'counter', 'Uses of API keys that a rotation has replaced.'),
	('ratelimit_rejections_total', 'counter', 'Calls over the limit of a key or an owner.'),
	('backup_last_success_timestamp_seconds', 'gauge', 'When the newest good backup was finished, as seconds since 1970.'),
	('backup_last_verified_timestamp_seconds', 'gauge', 'When one of the good backups was last restored to prove it, as seconds since 1970.'),
	('backup_duration_seconds', 'gauge', 'Time that the last backup took.'),
	('backup_size_bytes', 'gauge', 'Size of the last backup.'),
	('backup_failures_total', 'counter', 'Backups that failed, as far as they are remembered.'),
	('backup_snapshot_age_seconds', 'gauge', 'Since when the oldest running backup holds back vacuum.'),
	('rollup_lag_seconds', 'gauge', 'Age of the last rollup of a level.'),
	('rollup_last_success_timestamp_seconds', 'gauge', 'When a level was last rolled up, as seconds since 1970.'),
	('cron_jobs', 'gauge', 'Jobs of pg_cron that schedule_jobs() has made: all, those that are late, those whose last run failed, those that are not active.'),
	('replay_lag_seconds', 'gauge', 'How far a standby is behind its primary.'),
	('health_status', 'gauge', 'Checks of health(): 0 fail, 1 warn, 2 pass.'),
	('series', 'gauge', 'Series that are counted, in all databases.'),
	('series_max', 'gauge', 'Series that there is room for.'),
	('series_dropped_total', 'counter', 'Times that a series found no place and was counted with others.'),
	('scrape_duration_seconds', 'gauge', 'Time that making this text took.')
$$;
COMMENT ON FUNCTION smartpouch._metric_families() IS 'names of metrics without their prefix, their types and help lines';

-- name="value", with a comma between, from pairs; NULLs count as empty.
CREATE FUNCTION smartpouch._metric_labels(VARIADIC pairs text[])
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format('%s="%s"', pairs[i], replace(replace(replace(coalesce(pairs[i + 1], ''),
		E'\\', E'\\\\'), '"', E'\\"'), E'\n', E'\\n')), ',' ORDER BY i)
	FROM generate_series(1, cardinality(pairs), 2) i $$;
COMMENT ON FUNCTION smartpouch._metric_labels(text[]) IS 'labels of a sample, escaped';

-- A histogram's lines: bucket by bucket, sum and count.
CREATE FUNCTION smartpouch._metric_histogram(family text, labels text, latencies bigint[], seconds double precision)
	RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT string_agg(format(E'%s_bucket{%s,le="%s"} %s\n', family, labels, CASE b.bound WHEN 'Infinity' THEN '+Inf' ELSE b.bound::text END, b.n), '' ORDER BY b.i)
		|| format(E'%s_sum{%s} %s\n%1$s_count{%2$s} %4$s', family, labels, seconds, max(b.n))
	FROM (SELECT u.bound, u.i, sum(u.n) OVER (ORDER BY u.i) AS n
		FROM unnest(smartpouch._latency_bounds() || 'Infinity'::float8, latencies) WITH ORDINALITY u (bound, n, i)) b $$;
COMMENT ON FUNCTION smartpouch._metric_histogram(text, text, bigint[], double precision) IS
	'samples of a histogram, from counts in buckets';

-- From tables that are not for those who monitor.
CREATE FUNCTION smartpouch._metric_jobs()
	RETURNS TABLE (family text, label text, detail text, value text) LANGUAGE plpgsql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	RETURN QUERY SELECT f.family, 'level', s.level, f.value
		FROM smartpouch.rollup_state s, LATERAL (VALUES
			('rollup_lag_seconds', greatest(0, extract(epoch FROM clock_timestamp() - s.done_at))::text),
			('rollup_last_success_timestamp_seconds', extract(epoch FROM s.done_at)::text)) f (family, value)
		WHERE s.level <> 'retention';
	IF NOT smartpouch._cron_is_here() THEN
		RETURN;
	END IF;
	RETURN QUERY SELECT 'cron_jobs', 'state', s.state, count(j.job)::text
		FROM unnest('{scheduled,overdue,failed,inactive}'::text[]) s (state) LEFT JOIN smartpouch._job_states() j
			ON j.state <> 'gone' AND s.state IN ('scheduled', j.state)
		GROUP BY s.state;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN;	-- health() says so
END $$;
COMMENT ON FUNCTION smartpouch._metric_jobs() IS 'samples about rollups and scheduled jobs';

CREATE FUNCTION smartpouch._metric_samples()
	RETURNS TABLE (family text, sample text, value text) LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 1000
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	report jsonb := smartpouch.health();
BEGIN
	-- of the server
	RETURN QUERY SELECT s.family, s.family || s.labels, s.value FROM (
		SELECT 'up', '', '1'
		UNION ALL SELECT v.* FROM smartpouch.metrics_info() i, LATERAL (VALUES
			('build_info', format('{%s}', smartpouch._metric_labels('version', smartpouch.version(), 'pg_major',
				(current_setting('server_version_num')::integer / 10000)::text, 'simd', i.simd)), '1'),
			('start_time_seconds', '', extract(epoch FROM i.started_at)::text), ('series', '', i.series::text),
			('series_max', '', i.max_series::text), ('series_dropped_total', '', i.dropped::text)) v
		UNION ALL SELECT 'health_status', format('{%s}', smartpouch._metric_labels('check', c.key)),
			CASE c.value -> 0 ->> 'status' WHEN 'pass' THEN '2' WHEN 'fail' THEN '0' ELSE '1' END
			FROM jsonb_each(report -> 'checks') c
		UNION ALL SELECT 'replay_lag_seconds', '', report #>> '{checks,standby:replayLag,0,observedValue}'
			WHERE report #> '{checks,standby:replayLag,0,observedValue}' IS NOT NULL
	) s (family, labels, value);

	-- of the database
	RETURN QUERY SELECT f.family, format('%s{%s}', f.family, smartpouch._metric_labels('database', current_database())
			|| CASE WHEN f.label IS NULL THEN '' ELSE ',' || smartpouch._metric_labels(f.label, c.detail) END), c.value::text
		FROM smartpouch._database_counts() c JOIN (VALUES
			('cache_hits', 'model_cache_hits_total', NULL), ('cache_misses', 'model_cache_misses_total', NULL),
			('cache_evictions', 'model_cache_evictions_total', NULL), ('auth_attempts', 'auth_attempts_total', NULL),
			('auth_failures', 'auth_failures_total', 'reason'), ('key_grace_uses', 'key_grace_uses_total', NULL),
			('ratelimit_rejections', 'ratelimit_rejections_total', 'scope')) f (counter, family, label) USING (counter);
	RETURN QUERY SELECT 'keys', format('keys{%s}', smartpouch._metric_labels('database', current_database(), 'state', s.state)),
			count(k.key_id)::text
		FROM unnest('{active,grace,expired,revoked,other}'::text[]) s (state) LEFT JOIN smartpouch.api_keys k
			ON s.state = CASE WHEN k.code = 'valid' AND k.replaced_by IS NOT NULL THEN 'grace' WHEN k.code = 'valid' THEN 'active'
				WHEN k.code IN ('expired', 'revoked') THEN k.code ELSE 'other' END
		GROUP BY s.state;
	RETURN QUERY SELECT 'stage_transitions_total', format('stage_transitions_total{%s}',
			smartpouch._metric_labels('database', current_database(), 'from', e.before, 'to', e.stage)), count(*)::text
		FROM (SELECT h.stage, lag(h.stage) OVER (PARTITION BY h.model_id, h.version ORDER BY h.seq) AS before
			FROM smartpouch.history h WHERE h.action IN ('promote', 'rollback')) e
		GROUP BY e.before, e.stage;

	RETURN QUERY SELECT j.family, format('%s{%s}', j.family, smartpouch._metric_labels('database', current_database(), j.label, j.detail)), j.value
		FROM smartpouch._metric_jobs() j;
	RETURN QUERY SELECT s.family, format('%s{%s}', s.family, smartpouch._metric_labels('database', current_database(), 'kind', s.kind)), s.value
		FROM (SELECT DISTINCT ON (b.kind) b.*, max(b.verified_at) OVER (PARTITION BY b.kind) AS last_verified_at FROM smartpouch.backups b
				WHERE b.status IN ('complete', 'verified') AND b.database = current_database()
				ORDER BY b.kind, b.finished_at DESC) b,
			LATERAL (VALUES
				('backup_last_success_timestamp_seconds', b.kind, extract(epoch FROM b.finished_at)::text),
				('backup_last_verified_timestamp_seconds', b.kind, extract(epoch FROM b.last_verified_at)::text),
				('backup_duration_seconds', b.kind, extract(epoch FROM b.finished_at - b.started_at)::text),
				('backup_size_bytes', b.kind, b.bytes::text)) s (family, kind, value)
		WHERE s.value IS NOT NULL;
	RETURN QUERY SELECT 'backup_snapshot_age_seconds', format('backup_snapshot_age_seconds{%s}', smartpouch._metric_labels('database', current_database())),
			coalesce(extract(epoch FROM clock_timestamp() - min(b.started_at)), 0)::text
		FROM smartpouch.backups b JOIN smartpouch.backup_progress p ON p.id = b.id AND p.database = current_database()
		WHERE b.database = current_database() AND b.status = 'running';
	RETURN QUERY SELECT 'backup_failures_total', format('backup_failures_total{%s}',
			smartpouch._metric_labels('database', current_database(), 'kind', k.kind)), count(b.id)::text
		FROM unnest('{full,models}'::text[]) k (kind) LEFT JOIN smartpouch.backups b
			ON b.kind = k.kind AND b.status = 'failed' AND b.database = current_database()
		GROUP BY k.kind;

	-- of models: those that are gone are left out; one row holds all of a family's samples of a series
	RETURN QUERY SELECT s.family, s.lines, NULL::text
		FROM smartpouch.metrics m, LATERAL (SELECT smartpouch._metric_labels(
				'database', current_database(),
				'model', CASE WHEN m.is_other THEN '(other)' ELSE coalesce(m.model, '(none)') END,
				'version', m.version::text, 'stage', m.stage) OFFSET 0) l (labels),
			LATERAL (VALUES
				('predictions_total', format('smartpouch_predictions_total{%s} %s', l.labels, m.calls)),
				('prediction_rows_total', format('smartpouch_prediction_rows_total{%s} %s', l.labels, m.rows)),
				('prediction_cpu_seconds_total', format('smartpouch_prediction_cpu_seconds_total{%s} %s', l.labels, m.cpu_seconds)),
				('prediction_errors_total', format(E'smartpouch_prediction_errors_total{%1$s,reason="bad_input"} %2$s\n'
					'smartpouch_prediction_errors_total{%1$s,reason="no_model"} %3$s\nsmartpouch_prediction_errors_total{%1$s,reason="timeout"} %4$s\n'
					'smartpouch_prediction_errors_total{%1$s,reason="denied"} %5$s\nsmartpouch_prediction_errors_total{%1$s,reason="internal"} %6$s',
					l.labels, m.bad_input, m.no_model, m.timeout, m.denied, m.internal)),
				('prediction_duration_seconds', smartpouch._metric_histogram('smartpouch_prediction_duration_seconds', l.labels, m.latencies, m.busy_seconds))
			) s (family, lines)
		WHERE m.model IS NOT NULL OR m.model_id IS NULL;
	RETURN QUERY SELECT s.family, s.lines, NULL::text
		FROM smartpouch.model_loads m, LATERAL (SELECT smartpouch._metric_labels(
				'database', current_database(),
				'model', CASE WHEN m.is_other THEN '(other)' ELSE m.model END, 'version', m.version::text) OFFSET 0) l (labels),
			LATERAL (VALUES
				('model_loads_total', format('smartpouch_model_loads_total{%s} %s', l.labels, m.loads)),
				('model_load_failures_total', format('smartpouch_model_load_failures_total{%s} %s', l.labels, m.failures)),
				('model_load_duration_seconds', smartpouch._metric_histogram('smartpouch_model_load_duration_seconds', l.labels, m.latencies, m.load_seconds))
			) s (family, lines)
		WHERE m.model IS NOT NULL OR m.is_other;
	RETURN QUERY SELECT 'model_memory_bytes', format('model_memory_bytes{%s}', smartpouch._metric_labels('database', c.database::text,
			'model', v.model, 'version', v.version::text)), c.bytes::text
		FROM smartpouch.model_cache c JOIN smartpouch.versions v USING (sha256)
		WHERE c.shared AND c.database = current_database();
	RETURN QUERY SELECT 'drift_psi', format('drift_psi{%s}', smartpouch._metric_labels('database', current_database(),
			'model', d.model, 'version', d.version::text, 'of', k.kind)), max(d.psi)::text
		FROM smartpouch.drift d, LATERAL (SELECT CASE d.variable WHEN '(prediction)' THEN 'prediction' ELSE 'features' END) k (kind)
		WHERE d.level <> 'unknown' GROUP BY d.model, d.version, k.kind;
	RETURN QUERY SELECT 'model_info', format('model_info{%s}', smartpouch._metric_labels('database', current_database(),
			'model', d.model, 'version', d.version::text, 'stage', d.stage, 'format', v.source_format,
			'sha256_8', left(encode(v.sha256, 'hex'), 8))), '1'
		FROM smartpouch.deployments d JOIN smartpouch.versions v USING (model, version);
END $$;
COMMENT ON FUNCTION smartpouch._metric_samples() IS 'values of metrics, with their names and labels as Prometheus writes them, or without a value lines as they are';

-- Without JIT, which for many small queries takes longer than they do; with all digits, or buckets had the same bound.
CREATE FUNCTION smartpouch.prometheus()
	RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET extra_float_digits = 1
	SET jit = off AS $$
DECLARE
	began timestamptz := clock_timestamp();
	body text;
BEGIN
	PERFORM smartpouch.metrics_info();	-- without preload: its error, not buried under the context of what follows
	SELECT string_agg(format(E'# HELP smartpouch_%1$s %2$s\n# TYPE smartpouch_%1$s %3$s\n%4$s\n', f.family, f.help, f.type, s.lines),
		'' ORDER BY f.ordinality) INTO body
	FROM smartpouch._metric_families() WITH ORDINALITY f
		JOIN (SELECT n.family, string_agg(COALESCE(format('smartpouch_%s ', n.sample) || n.value, n.sample), E'\n' ORDER BY n.ordinality) AS lines
			FROM smartpouch._metric_samples() WITH ORDINALITY n GROUP BY n.family) s USING (family);
	RETURN body || format(E'# HELP smartpouch_%1$s %2$s\n# TYPE smartpouch_%1$s %3$s\nsmartpouch_%1$s %4$s\n', f.family, f.help, f.type,
			extract(epoch FROM clock_timestamp() - began))
		FROM smartpouch._metric_families() f WHERE f.family = 'scrape_duration_seconds';
END $$;
COMMENT ON FUNCTION smartpouch.prometheus() IS 'all metrics of this server and database in the text format of Prometheus';
