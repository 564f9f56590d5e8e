-- Time of verify_api_key(): does it tell how much of a secret is right, or whether an id is somebody's?
CREATE TEMP TABLE made AS
SELECT i, smartpouch.create_api_key('x', ARRAY['see:a']) AS token FROM generate_series(1, 1000) i;
VACUUM (FREEZE, ANALYZE) smartpouch.api_key;

CREATE TEMP TABLE sample (class integer, ns float8);
-- The mean time of a call in runs of 20, of classes in random order; each call has a key of its own.
CREATE FUNCTION pg_temp.measure(tokens text[], classes integer, runs integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	per_class integer := cardinality(tokens) / classes;
	chosen integer[];
	began timestamptz;
	ended timestamptz;
	spent float8[];
	class integer;
	slice text[];
BEGIN
	FOR block IN 1 .. runs / 1000 LOOP
		chosen := ARRAY(SELECT floor(classes * random())::integer FROM generate_series(1, 1000));
		spent := '{}';
		FOR i IN 1 .. 1000 LOOP
			class := chosen[i];
			slice := ARRAY(SELECT tokens[class * per_class + 1 + floor(per_class * random())::integer] FROM generate_series(1, 20));
			-- the same work before each run, so that no class finds the caches warmer
			PERFORM count(smartpouch.verify_api_key(t)) FROM unnest(slice) t;
			began := clock_timestamp();
			PERFORM count(smartpouch.verify_api_key(t)) FROM unnest(slice) t;
			ended := clock_timestamp();
			spent := spent || extract(epoch FROM ended - began)::float8 * 1e9 / 20;
		END LOOP;
		INSERT INTO sample SELECT unnest(chosen), unnest(spent);
	END LOOP;
END $$;

-- 32 classes of wrong secrets for one id: the first so many characters are right, the next one is not
CREATE TEMP TABLE wrong AS
SELECT shared, pg_temp.with_check(left(token, 21 + shared)
	|| translate(substr(token, 22 + shared, 1), '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz', '123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0')
	|| coalesce(pg_temp.digits(31 - shared, shared || '.' || n), '')) AS token
FROM made, generate_series(0, 31) shared, generate_series(1, 20) n WHERE i = 500;
SELECT CASE WHEN count(*) FILTER (WHERE (v).code = 'unknown') = count(*) THEN 'ok' ELSE 'not ok' END || format(' - %s wrong secrets, all unknown', count(*))
FROM (SELECT smartpouch.verify_api_key(token) AS v FROM wrong) x;
SELECT pg_temp.measure((SELECT array_agg(token ORDER BY shared) FROM wrong), 32, :calls / 20) \g /dev/null
-- the slowest twentieth is the machine's, of whatever class
WITH kept AS (SELECT * FROM sample WHERE ns <= (SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY ns) FROM sample)),
	facts AS (SELECT class, count(*)::float8 AS n, avg(ns) AS mean, var_samp(ns) AS variance FROM kept GROUP BY 1),
	t AS (SELECT f.class, (f.mean - o.mean) / sqrt(f.variance / f.n + o.variance / o.n) AS t
		FROM facts f, LATERAL (SELECT count(*)::float8 AS n, avg(ns) AS mean, var_samp(ns) AS variance FROM kept k WHERE k.class <> f.class) o)
SELECT CASE WHEN max(abs(t.t)) < 4.5 AND abs(corr.t) < 4.5 THEN 'ok' ELSE 'not ok' END
	|| format(' - %s calls with wrong secrets, mean %s ns: |t| at most %s (%s characters right); t of the correlation with their number %s',
		:calls, round(avg(f.mean)::numeric), round(max(abs(t.t))::numeric, 2), (array_agg(t.class ORDER BY abs(t.t) DESC))[1], round(corr.t::numeric, 2))
FROM t JOIN facts f USING (class),
	(SELECT r * sqrt((n - 2) / (1 - r * r)) AS t FROM (SELECT corr(ns, class) AS r, count(*)::float8 AS n FROM kept) c) corr
GROUP BY corr.t;

-- a wrong secret for an id of somebody beside an id of nobody
TRUNCATE sample;
CREATE TEMP TABLE guess AS
SELECT pg_temp.with_check(left(token, 21) || pg_temp.digits(32, token)) AS known, pg_temp.with_check('sp_live_' || pg_temp.digits(12, token) || '_' || pg_temp.digits(32, token)) AS unknown
FROM made;
SELECT pg_temp.measure((SELECT array_agg(known) FROM guess) || (SELECT array_agg(unknown) FROM guess), 2, greatest(:calls / 100, 1000)) \g /dev/null
SELECT CASE WHEN abs(known - unknown) < 200 THEN 'ok' ELSE 'not ok' END
	|| format(' - ids of somebody %s ns, of nobody %s ns (medians)', round(known::numeric), round(unknown::numeric))
FROM (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ns) FILTER (WHERE class = 0) AS known,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ns) FILTER (WHERE class = 1) AS unknown FROM sample) m;

-- the same where there is one key only: ids of nobody before and after it
TRUNCATE sample;
DELETE FROM smartpouch.api_key WHERE id <> (SELECT substr(token, 9, 12) FROM made WHERE i = 500);
UPDATE smartpouch.api_key SET id = '555555555555';
VACUUM smartpouch.api_key;
SELECT count(smartpouch.verify_api_key(pg_temp.with_check('sp_live_555555555555_' || repeat('0', 32)))) \g /dev/null
CREATE TEMP TABLE lonely AS
SELECT class, pg_temp.with_check('sp_live_' || id || '_' || pg_temp.digits(32, id || n)) AS token
FROM generate_series(1, 500) n, LATERAL (VALUES (0, '555555555555'), (1, '1' || pg_temp.digits(11, 'b' || n)), (2, 'z' || pg_temp.digits(11, 'a' || n))) c (class, id);
SELECT pg_temp.measure((SELECT array_agg(token ORDER BY class) FROM lonely), 3, greatest(:calls / 100, 1000)) \g /dev/null
SELECT CASE WHEN abs(known - before) < 200 AND abs(known - after) < 200 THEN 'ok' ELSE 'not ok' END
	|| format(' - the id of the only key %s ns, of nobody before it %s ns, after it %s ns (medians)', round(known::numeric), round(before::numeric), round(after::numeric))
FROM (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ns) FILTER (WHERE class = 0) AS known,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ns) FILTER (WHERE class = 1) AS before,
	percentile_cont(0.5) WITHIN GROUP (ORDER BY ns) FILTER (WHERE class = 2) AS after FROM sample) m;
