-- What is counted in shared memory. kind is prediction, load or usage; times are in ns,
-- errors by reason (bad_input, no_model, timeout, denied, internal), latencies by the
-- buckets of _latency_bounds().
CREATE FUNCTION smartpouch._call_counts(kind text, OUT model_id uuid, OUT version integer, OUT role oid,
	OUT name text, OUT is_other boolean, OUT calls bigint, OUT rows bigint, OUT busy_ns bigint, OUT cpu_ns bigint,
	OUT errors bigint[], OUT latencies bigint[], OUT since timestamptz, OUT last_at timestamptz)
	RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 50
	AS 'MODULE_PATHNAME', 'smartpouch_call_counts';
COMMENT ON FUNCTION smartpouch._call_counts(text) IS 'calls of this database since the server started, or since they were reset';

-- The same without resets, for rollup(): a number is given to one series only, and what has lost its place
-- is in the totals of the one with is_other.
CREATE FUNCTION smartpouch._call_totals(kind text, OUT model_id uuid, OUT version integer, OUT role oid,
	OUT name text, OUT is_other boolean, OUT calls bigint, OUT rows bigint, OUT busy_ns bigint, OUT cpu_ns bigint,
	OUT errors bigint[], OUT latencies bigint[], OUT number bigint)
	RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 50
	AS 'MODULE_PATHNAME', 'smartpouch_call_totals';
COMMENT ON FUNCTION smartpouch._call_totals(text) IS 'calls of this database since the server started, whatever was reset';

CREATE FUNCTION smartpouch._database_counts(OUT counter text, OUT detail text, OUT value bigint)
	RETURNS SETOF record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED ROWS 20
	AS 'MODULE_PATHNAME', 'smartpouch_database_counts';
COMMENT ON FUNCTION smartpouch._database_counts() IS 'what is counted of this database as a whole';

CREATE FUNCTION smartpouch.metrics_info(OUT boot_id uuid, OUT started_at timestamptz, OUT series integer,
	OUT max_series integer, OUT dropped bigint, OUT simd text)
	RETURNS record LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'smartpouch_metrics_info';
COMMENT ON FUNCTION smartpouch.metrics_info() IS 'since when this server counts, and the room that it has';

CREATE FUNCTION smartpouch.reset_metrics()
	RETURNS void LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
	AS 'MODULE_PATHNAME', 'smartpouch_reset_metrics';
COMMENT ON FUNCTION smartpouch.reset_metrics() IS 'begin to count this database again at 0';

-- Upper bounds of the buckets in seconds; one more bucket is above them.
CREATE FUNCTION smartpouch._latency_bounds()
	RETURNS double precision[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT '{1e-5,2.5e-5,5e-5,1e-4,2.5e-4,5e-4,1e-3,2.5e-3,5e-3,0.01,0.025,0.05,0.1,0.25,1,2.5,10}'::float8[] $$;
COMMENT ON FUNCTION smartpouch._latency_bounds() IS 'upper bounds of the buckets of latencies, in seconds';

CREATE FUNCTION smartpouch.latency_quantile(hist bigint[], q double precision)
	RETURNS double precision LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	bounds double precision[] := smartpouch._latency_bounds() || 'Infinity'::float8;
	total numeric;
	seen numeric := 0;
BEGIN
	IF NOT q BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION 'a quantile lies between 0 and 1, not at %', q USING ERRCODE = '22023';
	END IF;
	IF cardinality(hist) <> cardinality(bounds) OR array_position(hist, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'a histogram of latencies has % numbers', cardinality(bounds) USING ERRCODE = '22023';
	END IF;
	SELECT sum(n) INTO total FROM unnest(hist) n;
	IF total = 0 THEN
		RETURN NULL;
	END IF;
	FOR i IN 1 .. cardinality(bounds) LOOP
		seen := seen + hist[i];
		IF seen > 0 AND seen >= q::numeric * total THEN
			RETURN bounds[i];
		END IF;
	END LOOP;
	RETURN 'Infinity';
END $$;
COMMENT ON FUNCTION smartpouch.latency_quantile(bigint[], double precision) IS
	'the upper bound, in seconds, of the bucket that a quantile of latencies lies in';
