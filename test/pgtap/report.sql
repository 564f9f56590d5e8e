-- Reports: what they show, and to whom.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(88);
\i tiny.inc
SET timezone = 'UTC';
SET smartpouch.health_timeout = '1min';

-- without anything
SELECT alike(smartpouch.report(), '%The rollups hold nothing of this period%schedule_jobs()%', 'an empty report says why');
SELECT alike(smartpouch.report_html(), '<!doctype html>%</html>_', 'an empty page is a page');
SELECT alike(smartpouch.report_html(p), format('%%<h2>%s</h2><p class="empty">%s%%', part, words), 'which says in words that there is nothing: ' || part || ' of ' || p)
FROM (VALUES ('Traffic', 'The rollups hold nothing'), ('Latency of calls', 'There is no call'), ('Models', 'No model'), ('Who asked', 'Nobody'),
	('Drift in the last 24 hours', 'No version has a baseline'), ('Deployments and other changes', 'Nothing was changed'), ('Backups', 'No backup')) v (part, words),
	unnest('{1 minute,10 years}'::interval[]) p;
SELECT throws_ok(format('SELECT smartpouch.report(%L)', p), '22023', 'the period of a report must be between a minute and 100 years', 'period ' || coalesce(p, 'NULL'))
FROM unnest(ARRAY['1 second', '-1 day', '101 years', NULL]) p;
\i hint_of.inc
SELECT alike(pg_temp.hint_of($$ SELECT smartpouch.report('7') $$), '%7 days%', 'who forgets the unit is told of it');

-- the time axis: at least a day of buckets of the coarsest level, in at most 61 steps of whole buckets
SELECT is((s.level, s.width)::text, a.expected, 'axis of ' || a.period)
FROM (VALUES ('1 minute', '(minute,00:01:00)'), ('1 hour', '(minute,00:01:00)'), ('61 minutes', '(minute,00:02:00)'), ('23 hours', '(minute,00:30:00)'),
	('24 hours', '(hour,01:00:00)'), ('48 hours', '(hour,01:00:00)'), ('7 days', '(hour,03:00:00)'), ('24 days', '(day,24:00:00)'),
	('90 days', '(day,48:00:00)'), ('1 year', '(day,168:00:00)'), ('10 years', '(day,2184:00:00)'), ('100 years', '(day,17472:00:00)')) a (period, expected),
	smartpouch._report_steps(a.period::interval) s;
-- a minute may end between two looks at the clock
SELECT clock_timestamp() AS before \gset
SELECT ok(bool_and(s.began <= clock_timestamp() - p AND s.began > :'before'::timestamptz - p - s.width AND s.ended > :'before' AND s.ended <= clock_timestamp() + s.width
	AND s.began + s.steps * s.width = s.ended AND s.steps BETWEEN 2 AND 61), 'its steps hold the whole period and end with the running one')
FROM generate_series(1, 5000, 7) n, LATERAL make_interval(mins => n * n) p, LATERAL smartpouch._report_steps(p) s;

-- figures
SELECT is(smartpouch._si(n), want, 'count ' || n)
FROM (VALUES (0, '0'), (9999, '9999'), (10000, '10.0k'), (999999, '1.0M'), (2500000, '2.5M'), (7e9, '7.0G'), (2e12, '2.0T')) v (n, want);
SELECT is(smartpouch._seconds(n), want, 'latency ' || n)
FROM (VALUES (1e-5, '10 us'), (0.0025, '2.5 ms'), (1, '1 s'), (2.5, '2.5 s'), (600, '10 min'), (86400, '24 h'), ('Infinity', '> 10 s')) v (n, want);
SELECT is(smartpouch._share(99999, 100000), '99.99 %', 'no failure is rounded away');
SELECT is(smartpouch._share(1, 1e6), '<0.01 %', 'nor is one');
SELECT is(smartpouch._share(1, 0), '-', 'a share of nothing');
SELECT is(smartpouch._sparkline('{0,1,4,8}'), ' ' || chr(9601) || chr(9604) || chr(9608), 'a sparkline');
SELECT is(smartpouch._sparkline('{0,0}'), '  ', 'of nothing');
SELECT is(smartpouch._columns(words), columns, 'columns of ' || words)
FROM (VALUES ('abc', 3), (E'\u4fa1\u683c', 4), (E'e\u0301', 1), (E'\U0001f600', 2), (E'\u00e9', 1)) v (words, columns);
SELECT is(smartpouch._cut(repeat(E'\u4fa1', 10), 11), repeat(E'\u4fa1', 4) || '...', 'what is wide is cut earlier');
SELECT is(smartpouch._text_table('{name,#n}', ARRAY[[E'\u4fa1\u683c', '10'], ['abc', '7']]), E'  name   n\n  ' || E'\u4fa1\u683c  10\n  abc    7\n', 'a table with wide names');
SELECT is(smartpouch._axis_top(n), top, 'axis for ' || n) FROM (VALUES (0::float8, 2::float8), (1, 2), (3, 4), (10, 10), (11, 20), (33160, 40000), (99999, 100000)) v (n, top);
SELECT is(smartpouch._html('<a href="x">&''</a>'), '&lt;a href=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;', 'text in a page');

-- an hour with a model
SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression' \gset
SELECT smartpouch.promote('m', 1, 'production', 'a <b>note</b>') \gset
SELECT smartpouch._rollup_partition('rollup_minute', now()), smartpouch._rollup_partition('rollup_minute', now() - interval '1 hour'),
	smartpouch._rollup_partition('usage_hour', now()), smartpouch._rollup_partition('rollup_minute', now() + interval '1 hour'),
	smartpouch._rollup_partition('usage_hour', now() + interval '1 hour') \gset
INSERT INTO smartpouch.rollup_minute
SELECT date_trunc('minute', clock_timestamp()) - i * interval '1 minute', '11111111-1111-1111-1111-111111111111', 1, 'production', 'm<i>&', 100, 300, 5000, 0, ARRAY[i / 50, 0, 0, 0, 0]::bigint[],
	'{90,8,0,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', 1, CASE i WHEN 7 THEN 0 ELSE 1 END
FROM generate_series(0, 59) i;
INSERT INTO smartpouch.usage_hour
SELECT date_trunc('hour', clock_timestamp()), 'api key', '<script>alert(1)</script>', id, name, 60, 180, 90, '{1,0,0,0,0}' FROM smartpouch.model;
SELECT alike(smartpouch.report('1 hour'), E'%  6000 calls, 18.0k rows, 10 failed (0.16 \\%): 10 bad input\n     100 |%| calls\n       1 |%', 'traffic');
SELECT matches(smartpouch.report('1 hour'), E'\n  m<i>&@production +6000 +0.16 % +10 us +100 us +98.33 % ', 'the model, its latencies and uptime');
SELECT matches(smartpouch.report('1 hour'), E'\n +<= 10 us +5400 +90 % +' || repeat(chr(9608), 48) || E'\n +<= 25 us +480 +8 % +' || repeat(chr(9608), 4) || E' *\n', 'the latencies');
SELECT matches(smartpouch.report('1 hour'), E'\n  api key <script>', 'who asked');
SELECT matches(smartpouch.report('1 hour'), E'\n  [0-9: -]+ promote m:1 in production by ', 'what changed');
SELECT unalike(smartpouch.report_html('1 hour'), '%<script%', 'nothing in a page runs');
SELECT ok(smartpouch.report_html('1 hour') !~* '(src|href|url\(|@import|http|<link|<base)', 'or comes from outside');
SELECT alike(smartpouch.report_html('1 hour'), '%m&lt;i&gt;&amp;%a &lt;b&gt;note&lt;/b&gt;%', 'and names are text');
SELECT is((SELECT count(*) FROM regexp_matches(smartpouch.report_html($$1 hour$$), $$rect class="down"$$, $$g$$)), 1::bigint, 'one step of the hour was down');

-- texts that are none
INSERT INTO smartpouch.usage_hour
SELECT date_trunc('hour', clock_timestamp()), 'api key', E'<svg onload=alert(1)>\x1b[2J\nnext', id, name, 50, 180, 90, '{1,0,0,0,0}' FROM smartpouch.model;
SELECT unalike(smartpouch.report_html('1 hour'), '%<svg onload%', 'an owner that begins like a drawing is text');
SELECT alike(smartpouch.report_html('1 hour'), '%&lt;svg onload=alert(1)&gt;?[2J?next%', 'and shown');
SELECT matches(smartpouch.report('1 hour'), E'\n  api key <svg onload=alert\\(1\\)>\\?\\[2J\\?next +50 ', 'a terminal gets no control characters, and a row is a line');
SET LOCAL standard_conforming_strings = off;
SELECT alike(smartpouch.report('1 hour'), '%calls%', 'literals of other times do not matter');
SET LOCAL standard_conforming_strings = on;

-- width
INSERT INTO smartpouch.rollup_minute
SELECT date_trunc('minute', clock_timestamp()), '22222222-2222-2222-2222-222222222222', 1, 'production', repeat('long', 30), 1000000, 1, 5000, 0, '{0,0,0,0,0}',
	'{0,0,0,0,0,1,2,0,0,0,0,0,0,3,0,0,0,0}', 1, 1;
SELECT matches(smartpouch.report('1 hour'), E'\n  (long){5}l\\.\\.\\. +1.0M ', 'a long name is cut');
INSERT INTO smartpouch.usage_hour
SELECT date_trunc('hour', clock_timestamp()), 'role', repeat(E'\u4fa1', 60), id, name, 49, 180, 90, '{1,0,0,0,0}' FROM smartpouch.model;
INSERT INTO smartpouch.backup (label, kind, status, reason) VALUES ('b', 'full', 'failed', repeat('many words ', 30) || repeat('x', 300));
SELECT is((SELECT max(smartpouch._columns(l)) FROM regexp_split_to_table(smartpouch.report('1 hour'), E'\n') l), 80, 'all fits into 80 columns');
INSERT INTO smartpouch.rollup_minute
SELECT date_trunc('minute', clock_timestamp()), gen_random_uuid(), 1, 'production', 'n' || i, 1, 1, 50, 0, '{0,0,0,0,0}', '{1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}', 1, 1
FROM generate_series(1, 100) i;
SELECT alike(smartpouch.report('1 hour'), E'%  and 72 more that were asked less\n%', 'of many models it says how many are left out');
SELECT alike(smartpouch.report_html('1 hour'), '%<p class="more">and 52 more that were asked less</p>%', 'as does the page');

-- to whom
CREATE ROLE sp_reader;
SET ROLE sp_reader;
SELECT throws_ok('SELECT smartpouch.report()', '42501', NULL, 'not to everybody');
RESET ROLE;
SELECT smartpouch.grant_access('sp_reader', 'monitor') \gset
SET ROLE sp_reader;
SELECT alike(smartpouch.report('1 hour'), '%1.0M calls, 18.1k rows%', 'a monitor reads it');
SELECT alike(smartpouch.report_html('1 hour'), '%6000%', 'and the page');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
