-- When jobs of pg_cron were last due.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(35);

-- 2026-11-23 is a Monday
SELECT is(smartpouch._last_due(schedule, '2026-11-23 19:40:30'), due, format('%s', schedule)) FROM (VALUES
	('* * * * *', '2026-11-23 19:40'::timestamp),
	('40 19 * * *', '2026-11-23 19:40'),
	('41 19 * * *', '2026-11-22 19:41'),
	(' 7  1 * * * ', '2026-11-23 01:07'),
	('37 1 * * 0', '2026-11-22 01:37'),
	('37 1 * * 7', '2026-11-22 01:37'),
	('37 1 * * 1', '2026-11-23 01:37'),
	('37 1 * * 2-4', '2026-11-19 01:37'),
	('37 1 * * 5-7', '2026-11-22 01:37'),
	('*/15 */6 * * *', '2026-11-23 18:45'),
	('3-59/10 19 * * *', '2026-11-23 19:33'),
	('50,20-22 19 * * *', '2026-11-23 19:22'),
	('0 0 $ * *', '2026-10-31'),
	('0 0 $ 2 *', '2026-02-28'),
	('0 0 29 2 *', '2024-02-29'),
	('0 0 31 * *', '2026-10-31'),
	('0 0 1 1 *', '2026-01-01'),
	('59 19 23 11 *', '2025-11-23 19:59'),
	('0 12 13 * 5', '2026-11-20 12:00'),	-- Fridays, and each 13th
	('0 12 21 * 5', '2026-11-21 12:00'),
	('0 12 */2 * 1', '2026-11-23 12:00'),	-- odd days that are Mondays
	('0 12 */2 * 0', '2026-11-15 12:00'),
	('5-10,50 20 1-7 1,7 *', '2026-07-07 20:50'),
	('0 0 31 2 *', NULL),
	('30 seconds', NULL),
	('@daily', NULL),
	('0 0 * *', NULL),
	('0 0 * * * *', NULL),
	('x 0 * * *', NULL),
	('0 0 * * mon', NULL),
	('60 0 * * *', NULL),
	('', NULL)
) c (schedule, due);

-- each minute of a week against every field by itself
CREATE FUNCTION due_by_minutes(schedule text, minute timestamp) RETURNS boolean LANGUAGE sql AS $$
	SELECT extract(minute FROM minute) = ANY (smartpouch._cron_numbers(f[1], 0, 59)) AND extract(hour FROM minute) = ANY (smartpouch._cron_numbers(f[2], 0, 23))
		AND extract(dow FROM minute) = ANY (smartpouch._cron_numbers(f[5], 0, 7))
	FROM string_to_array(schedule, ' ') f $$;
SELECT is_empty(format($$
	SELECT minute FROM (SELECT minute, max(minute) FILTER (WHERE due_by_minutes(%1$L, minute)) OVER (ORDER BY minute) AS due
		FROM generate_series('2026-11-22'::timestamp, '2026-11-28 23:59', '7 minutes') minute) m
	WHERE due IS NOT NULL AND smartpouch._last_due(%1$L, minute) < due$$, schedule), 'all of a week: ' || schedule)
FROM (VALUES ('*/7 * * * *'), ('0,14,28 3-9/2 * * *'), ('*/7 12 * * 3,6')) s (schedule);

SELECT * FROM finish();
ROLLBACK;
