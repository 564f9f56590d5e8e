-- New keys: duplicates, and the digits at each of their 44 random places.
CREATE TEMP TABLE made AS
SELECT smartpouch.create_api_key('x', ARRAY['see:a']) AS token FROM generate_series(1, :keys);
\o
SELECT CASE WHEN count(*) = count(DISTINCT token) AND count(*) = count(DISTINCT substr(token, 9, 12)) THEN 'ok' ELSE 'not ok' END
	|| format(' - %s keys, %s different ids, %s different keys', count(*), count(DISTINCT substr(token, 9, 12)), count(DISTINCT token))
FROM made;
CREATE TEMP TABLE digit AS
SELECT place, substr(token, place, 1) AS digit, count(*) AS seen
FROM made, generate_series(9, 53) place WHERE place <> 21 GROUP BY 1, 2;
SELECT CASE WHEN count(DISTINCT digit) = 62 THEN 'ok' ELSE 'not ok' END || format(' - %s different digits', count(DISTINCT digit)) FROM digit;
-- 61 degrees of freedom: 115.9 is passed once in 30,000 times, so in about 1 of 680 runs at one of 44 places
WITH expected AS (SELECT count(*) / 62.0::float8 AS seen FROM made),
	all_places AS (SELECT sum((d.seen - 44 * e.seen) ^ 2 / (44 * e.seen)) AS chi
		FROM (SELECT digit, sum(seen)::float8 AS seen FROM digit GROUP BY 1) d, expected e),
	by_place AS (SELECT place, sum((d.seen - e.seen) ^ 2 / e.seen) AS chi FROM digit d, expected e GROUP BY 1)
SELECT CASE WHEN a.chi < 115.9 AND max(p.chi) < 115.9 THEN 'ok' ELSE 'not ok' END
	|| format(' - chi-squared %s over all places, %s to %s at single ones (61 degrees of freedom)',
		round(a.chi::numeric, 1), round(min(p.chi)::numeric, 1), round(max(p.chi)::numeric, 1))
FROM all_places a, by_place p GROUP BY a.chi;
