-- What inputs and predictions of a version looked like when it was made, and how far what
-- it is asked now is from that. Variables are the prediction and the features; each has bins:
-- up to each of its bounds, above the last, and one for missing values. Bins of all
-- variables are numbered through.
CREATE TABLE smartpouch.baseline (
	model_id uuid NOT NULL,
	version integer NOT NULL,
	set_at timestamptz NOT NULL,
	n_bounds integer[] NOT NULL,
	bounds double precision[] NOT NULL,
	counts bigint[] NOT NULL,
	names text[] NOT NULL,
	rows bigint NOT NULL,
	set_by text NOT NULL,
	CONSTRAINT baseline_pkey PRIMARY KEY (model_id, version)
) USING heap;
COMMENT ON TABLE smartpouch.baseline IS 'baselines of versions, in bins';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.baseline', '');
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON smartpouch.baseline
	FOR EACH ROW EXECUTE FUNCTION smartpouch.registry_changed();
CREATE TRIGGER registry_truncated AFTER TRUNCATE ON smartpouch.baseline
	FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.registry_changed();
SELECT smartpouch.repair_triggers();

-- What was sampled, by hour and by day (UTC), since the baseline was set.
CREATE TABLE smartpouch.drift_hour (
	bucket timestamptz NOT NULL,
	model_id uuid NOT NULL,
	version integer NOT NULL,
	set_at timestamptz NOT NULL,
	rows bigint NOT NULL,
	counts bigint[] NOT NULL
) PARTITION BY RANGE (bucket);
COMMENT ON TABLE smartpouch.drift_hour IS 'bins of sampled predictions by hour; partitions are months';
CREATE TABLE smartpouch.drift_day (LIKE smartpouch.drift_hour) PARTITION BY RANGE (bucket);
COMMENT ON TABLE smartpouch.drift_day IS 'bins of sampled predictions by day; partitions are years';

-- Counters as rollup() saw them last; dumped, as a database that is restored in its place goes on from there.
CREATE TABLE smartpouch.drift_mark (
	model_id uuid NOT NULL,
	version integer NOT NULL,
	set_at timestamptz NOT NULL,
	began timestamptz NOT NULL,
	rows bigint NOT NULL,
	counts bigint[] NOT NULL,
	CONSTRAINT drift_mark_pkey PRIMARY KEY (model_id, version)
) USING heap;
COMMENT ON TABLE smartpouch.drift_mark IS 'counters of samples as rollup() saw them last';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.drift_mark', '');

CREATE FUNCTION smartpouch.set_baseline(ref text, query text)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_set_baseline';
COMMENT ON FUNCTION smartpouch.set_baseline(text, text) IS
	'keep what the features of a query''s rows look like, for comparing what is predicted later; returns the number of rows';

CREATE FUNCTION smartpouch.drop_baseline(ref text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_drop_baseline';
COMMENT ON FUNCTION smartpouch.drop_baseline(text) IS 'forget the baseline of a version';

CREATE FUNCTION smartpouch._drift_counts(OUT model_id uuid, OUT version integer, OUT set_at timestamptz,
	OUT began timestamptz, OUT rows bigint, OUT counts bigint[])
	RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 10
	AS 'MODULE_PATHNAME', 'smartpouch_drift_counts';
COMMENT ON FUNCTION smartpouch._drift_counts() IS 'bins of what this server has sampled since it started';

-- Distances of two histograms with the same bins.
CREATE FUNCTION smartpouch.psi(expected bigint[], actual bigint[])
	RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_psi';
COMMENT ON FUNCTION smartpouch.psi(bigint[], bigint[]) IS 'population stability index of counts in the same bins';

CREATE FUNCTION smartpouch.ks_statistic(expected bigint[], actual bigint[])
	RETURNS double precision LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_ks_statistic';
COMMENT ON FUNCTION smartpouch.ks_statistic(bigint[], bigint[]) IS
	'greatest difference of the cumulative shares of counts in the same ordered bins';

CREATE FUNCTION smartpouch.chi_square(expected bigint[], actual bigint[], OUT statistic double precision, OUT degrees integer)
	RETURNS record LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'smartpouch_chi_square';
COMMENT ON FUNCTION smartpouch.chi_square(bigint[], bigint[]) IS
	'two-sample chi-square statistic of counts in the same bins, and its degrees of freedom';

-- Add counts to a bucket; those of another baseline are replaced.
CREATE FUNCTION smartpouch._drift_add(parent text, at timestamptz, of_model uuid, of_version integer, baseline_at timestamptz,
	new_rows bigint, new_counts bigint[])
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	done boolean;
BEGIN
	PERFORM smartpouch._rollup_partition(parent, at);
	EXECUTE format('UPDATE smartpouch.%I SET rows = CASE WHEN set_at = $4 THEN rows ELSE 0 END + $5,
			counts = CASE WHEN set_at = $4 THEN smartpouch._add(counts, $6) ELSE $6 END, set_at = $4
		WHERE bucket = $1 AND model_id = $2 AND version = $3 RETURNING true', parent)
		INTO done USING at, of_model, of_version, baseline_at, new_rows, new_counts;
	IF done IS NULL THEN
		EXECUTE format('INSERT INTO smartpouch.%I (bucket, model_id, version, set_at, rows, counts) VALUES ($1, $2, $3, $4, $5, $6)', parent)
			USING at, of_model, of_version, baseline_at, new_rows, new_counts;
	END IF;
END $$;
COMMENT ON FUNCTION smartpouch._drift_add(text, timestamptz, uuid, integer, timestamptz, bigint, bigint[]) IS 'add counts to a bucket';

-- For rollup(), which keeps others out. Counters and mark move in one transaction, so nothing is added twice.
CREATE FUNCTION smartpouch._rollup_drift()
	RETURNS bigint LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp
	SET timezone = 'UTC' AS $$
DECLARE
	c record;
	m smartpouch.drift_mark;
	written bigint := 0;
BEGIN
	-- memory may still have counts for bins of an earlier baseline
	FOR c IN SELECT n.* FROM smartpouch._drift_counts() n JOIN smartpouch.baseline b USING (model_id, version, set_at) LOOP
		SELECT * INTO m FROM smartpouch.drift_mark d
		WHERE d.model_id = c.model_id AND d.version = c.version AND d.set_at = c.set_at AND d.began = c.began;
		CONTINUE WHEN c.rows = COALESCE(m.rows, 0);
		PERFORM smartpouch._drift_add(parent, date_trunc(unit, now()), c.model_id, c.version, c.set_at, c.rows - COALESCE(m.rows, 0),
			CASE WHEN m.rows IS NULL THEN c.counts ELSE smartpouch._subtract(c.counts, m.counts) END)
		FROM (VALUES ('drift_hour', 'hour'), ('drift_day', 'day')) b (parent, unit);
		INSERT INTO smartpouch.drift_mark VALUES (c.model_id, c.version, c.set_at, c.began, c.rows, c.counts)
		ON CONFLICT (model_id, version) DO UPDATE SET set_at = excluded.set_at, began = excluded.began, rows = excluded.rows, counts = excluded.counts;
		written := written + 2;
	END LOOP;
	DELETE FROM smartpouch.drift_mark d WHERE NOT EXISTS (SELECT FROM smartpouch.baseline b
		WHERE b.model_id = d.model_id AND b.version = d.version);
	RETURN written;
END $$;
COMMENT ON FUNCTION smartpouch._rollup_drift() IS 'write what was sampled since the last call by hour and day';
