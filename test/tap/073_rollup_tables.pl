# The tables of rollups: partitions that others made, took away or look at; retention; time zones and clocks that
# jump; models that take too long to be ready.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use Clock;
use Smartpouch;

my $fixture = read_fixture('xgb_diabetes_squarederror');
my $table   = qq("$fixture->{name}");
# the clocks of Europe are set back at 01:00 UTC of that day
my $start = POSIX::mktime(0, 30, 22, 24, 9, (gmtime)[5] + ((gmtime)[4] > 8));
my $node;
set_clock($start);
{
    local $ENV{LD_PRELOAD} = clock_library();
    $node = new_server('tables', conf => "shared_preload_libraries = 'smartpouch'");
}
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub failure { my ($sql) = @_; return ($node->psql('postgres', "\\set VERBOSITY verbose\n$sql"))[2] }
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm');
sql(q{SELECT smartpouch.promote('m', 1, 'production')});
my $calls = 0;
sub predict { sql("SELECT smartpouch.predict('m', r) FROM $table r LIMIT 1;" x $_[0]); $calls += $_[0]; return }
my $sums = join ' || $$ $$ || ', map { "(SELECT COALESCE(sum(calls), 0) FROM smartpouch.rollup_$_)" } qw(minute hour day);
sub is_exact { is(sql("SELECT $sums"), "$calls $calls $calls", $_[0]); return }

# --- hours and days are of UTC, whoever asks, also while an hour comes twice
foreach my $zone ('Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'UTC')
{
    set_clock($start += 3600);
    predict(2);
    sql("SET timezone = '$zone'; SELECT smartpouch.rollup()");
}
is_exact('two hours with the same name');
is(sql(q{SELECT string_agg(to_char(bucket AT TIME ZONE 'UTC', 'HH24:MI'), ' ' ORDER BY bucket) FROM smartpouch.rollup_hour WHERE calls > 0}),
    '23:00 00:00 01:00 02:00', 'are hours of their own');
is(sql(q{SELECT count(*), count(*) FILTER (WHERE bucket <> date_trunc('day', bucket, 'UTC')) FROM smartpouch.rollup_day WHERE calls > 0}), '2|0', 'days begin at midnight UTC');
is(sql(q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'smartpouch.rollup_minute'::regclass}), 2, 'one a day');

# --- tables that are published, and not of the server's own kind unless it is said
sql('CREATE PUBLICATION everything FOR ALL TABLES');
foreach (1 .. 2)
{
    predict(1);
    sql('SELECT smartpouch.rollup()');
}
is_exact('where all tables are published');
sql('DROP PUBLICATION everything');
sql(q{CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler; SET default_table_access_method = other;
    SELECT smartpouch._rollup_partition('rollup_minute', now() + interval '40 days')});
is(sql(q{SELECT count(*) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'other'}), 0, 'partitions are heaps, whatever tables are by default');
sql(q{SELECT format('DROP TABLE smartpouch.rollup_minute_%s', to_char((now() + interval '40 days') AT TIME ZONE 'UTC', 'YYYYMMDD')) \gexec});

# --- clocks that jump
set_clock($start -= 2 * 3600);
predict(3);
sql('SELECT smartpouch.rollup()');
is_exact('two hours back');
set_clock($start + 366 * 86400);
predict(3);
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'a year ahead: days have everything');
set_clock($start += 60);
predict(3);
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'and back');
is(sql('SELECT count(*) FROM smartpouch.rollup_state WHERE bucket > now()'), 0, 'and it goes on from now');
sql('TRUNCATE smartpouch.rollup_minute, smartpouch.rollup_hour, smartpouch.rollup_day, smartpouch.rollup_state');
$calls = 0;

# --- partitions that others made, or took away
sub next_day { set_clock($start += 86400); predict(2); return }
# retention goes on by an hour at a time
sub retain { sql('SELECT count(smartpouch._retention_time()) FROM generate_series(1, 24 * 100)'); sql('SELECT smartpouch.rollup()'); return }
sub partitions { return sql(q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'smartpouch.rollup_minute'::regclass}) }
sub day { return sql(q{SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')}) }
sub bounds { return sql(sprintf q{SET timezone = 'UTC'; SELECT format('FROM (%%L) TO (%%L)', date_trunc('day', now()) + %s, date_trunc('day', now()) + %s)}, map { "interval '$_'" } @_) }
sql("SELECT smartpouch.rollup()");
my $today = day();
set_clock($start += 60);
predict(1);
sql("ALTER TABLE smartpouch.rollup_minute DETACH PARTITION smartpouch.rollup_minute_$today");
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_minute'), $calls, 'a partition that was detached leaves its name behind');
is(sql(q{SELECT count(*) FROM pg_inherits WHERE inhrelid = to_regclass('smartpouch.rollup_minute_} . day() . q{_1')}), 1, 'and another one takes its place');
set_clock($start += 120);
predict(1);
sql('DROP TABLE smartpouch.rollup_minute_' . day() . '_1');
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_minute'), 1, 'one that was dropped is made again');
$calls = sql('SELECT sum(calls) FROM smartpouch.rollup_day');

next_day();
sql(sprintf 'CREATE TABLE smartpouch.rollup_minute_%s (x integer)', day());
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'the name of a partition is taken');

next_day();
sql('CREATE TABLE smartpouch.by_hand PARTITION OF smartpouch.rollup_minute FOR VALUES ' . bounds('0', '10 days'));
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.by_hand'), 2, 'a partition made by hand takes what lies in its bounds');
next_day();
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.by_hand'), 4, 'on the next day, too');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'and days have it all');

set_clock($start += 9 * 86400);
predict(2);
sql('CREATE TABLE smartpouch.half PARTITION OF smartpouch.rollup_minute FOR VALUES ' . bounds('23 hours 59 minutes', '2 days'));
like(failure('SELECT smartpouch.rollup()'), qr/would overlap partition "half"/, 'one that overlaps a day is in the way, by its name');
sql('DROP TABLE smartpouch.half');
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'until it is gone: nothing was lost');

sql('CREATE TABLE smartpouch.rest PARTITION OF smartpouch.rollup_minute DEFAULT');
next_day();
sql('SELECT smartpouch.rollup()');
is(sql('SELECT count(*) FROM smartpouch.rest'), 0, 'an empty DEFAULT gives way');
set_clock($start + 86400);
sql(q{INSERT INTO smartpouch.rollup_minute SELECT date_trunc('hour', now()), model_id, 1, 'x', 'x', 0, 0, 0, 0, errors, latencies, 0, 0 FROM smartpouch.rollup_minute LIMIT 1});
next_day();
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rest'), 2, 'one that has rows of that day takes the others');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'and days have them');
set_clock($start += 60);
predict(1);
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rest'), 3, 'for the rest of the day');
sql('DROP TABLE smartpouch.rest; SELECT smartpouch.rollup()');
$calls = sql('SELECT sum(calls) FROM smartpouch.rollup_day');

# --- somebody reads for hours, as a dump does: new partitions do not wait, nor is anybody made to wait
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN; LOCK TABLE smartpouch.rollup_minute, smartpouch.rollup_hour, smartpouch.rollup_day, smartpouch.usage_hour IN ACCESS SHARE MODE');
next_day();
my $began = time;
sql(q{SET statement_timeout = '60s'; SELECT smartpouch.rollup()});
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'a day begins while a dump runs');
set_clock($start += 40 * 86400);
predict(2);
sql(q{SET statement_timeout = '60s'; SELECT smartpouch.rollup()});
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'and a month');
sql(q{SELECT count(smartpouch._retention_time()) FROM generate_series(1, 24 * 100)});
sql(q{SET statement_timeout = '60s'; SELECT smartpouch.rollup()});
cmp_ok(partitions(), '>', 4, 'what is too old waits for its end');
$reader->query_safe('COMMIT');
$reader->quit;
sql('SELECT smartpouch.rollup()');
cmp_ok(partitions(), '<=', 4, 'and is dropped then');

# --- what cannot be dropped
next_day();
sql('SELECT smartpouch.rollup()');
my $name = 'rollup_minute_' . day();
sql("CREATE VIEW mine AS SELECT * FROM smartpouch.$name");
set_clock($start += 4 * 86400);
predict(2);
sql('SELECT count(smartpouch._retention_time()) FROM generate_series(1, 24 * 100)');
like(failure('SELECT smartpouch.rollup()'), qr/WARNING:.*partition smartpouch.$name is too old, but cannot be dropped.*view public.mine depends on.*HINT:.*DETACH PARTITION/s, 'a partition that a view needs');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'keeps nothing from being counted');
sql('DROP VIEW mine; SELECT smartpouch.rollup()');
is(sql("SELECT to_regclass('smartpouch.$name')"), '', 'and goes when it can');

# --- retention: least, most, and changed
# one more is of the future that a wrong clock has made
foreach my $retention ([ '1h', '1d', '1d' ], [ ('2147483647min') x 3 ], [ '2d', '90d', '1096d' ])
{
    my ($minute, $hour, $day) = @$retention;
    $node->append_conf('postgresql.conf', "smartpouch.rollup_$_->[0]_retention = '$_->[1]'") foreach [ minute => $minute ], [ hour => $hour ], [ day => $day ];
    $node->reload;
    $node->poll_query_until('postgres', "SELECT current_setting('smartpouch.rollup_minute_retention')::interval = '$minute'");
    foreach (1 .. 3)
    {
        next_day();
        retain();
    }
    my $kept = $minute eq '1h' ? '2 3' : $minute eq '2d' ? '3 4' : '5 6';
    my ($from, $to) = split / /, $kept;
    ok($from <= partitions() && partitions() <= $to, "retention of minutes $minute: $kept days") or diag(sql(q{SELECT now(), current_setting($$smartpouch.rollup_minute_retention$$), string_agg(inhrelid::regclass::text, $$ $$) FROM pg_inherits WHERE inhparent = $$smartpouch.rollup_minute$$::regclass}));
    is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'and days keep all');
}
like(failure("SET smartpouch.rollup_minute_retention = '1min'"), qr/cannot be changed now|outside the valid range/, 'no less than an hour');

# --- a model that takes too long is neither up nor down
sub uptime { return sql(q{SELECT concat_ws(' ', sum(samples), sum(ready)) FROM smartpouch.rollup_minute WHERE stage = 'production' AND bucket > now() - interval '90 seconds'}) }
sql(qq{SELECT smartpouch.import_model('slow', model_artifact), smartpouch.promote('slow', 1, 'production') FROM smartpouch.model_artifact('m:1')});
set_clock($start += 600);
sql('SELECT smartpouch.rollup()');
is(uptime(), '2 2', 'two models are ready');
sql('SELECT smartpouch.evict_model(m) FROM unnest(ARRAY[$$m$$, $$slow$$]) m');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE smartpouch.blob');
set_clock($start += 600);
$began = time;
predict(0);
my ($rc, $out, $err) = $node->psql('postgres', q{SET smartpouch.readiness_timeout = '500ms'; SET statement_timeout = '30s'; SELECT smartpouch.rollup() > 0});
is($out, 't', 'bytes that cannot be read in time end no rollup') or diag($err);
cmp_ok(time - $began, '<', 20, 'and do not hold it up');
is(uptime(), '0 0', 'and nobody knows whether the models are ready');
is(sql(q{SELECT count(*) FROM smartpouch.health_minute WHERE stage = 'production' AND bucket > now() - interval '90 seconds' AND uptime IS NULL}), 2, 'so uptime says nothing of that minute');
$holder->query_safe('ROLLBACK');
$holder->quit;
set_clock($start += 600);
sql('SELECT smartpouch.rollup()');
is(uptime(), '2 2', 'until they are again');

# --- a rollup that takes minutes: those that come meanwhile do nothing, and the next one has it all
my $slow = $node->background_psql('postgres');
$slow->query_safe('BEGIN; SELECT smartpouch.rollup()');
foreach (1 .. 3)
{
    set_clock($start += 60);
    predict(2);
    like(failure('SELECT smartpouch.rollup()'), qr/NOTICE:.*another session is at work on rollups/, 'a minute comes while one is still at work');
}
$slow->query_safe('COMMIT');
$slow->quit;
sql('SELECT smartpouch.rollup(); SELECT smartpouch.rollup()');
is(sql('SELECT sum(calls) FROM smartpouch.rollup_day'), $calls, 'the next one catches up, and one that was queued adds nothing');
is(sql(q{SELECT count(*) - count(DISTINCT (bucket, model_id, version, stage)) FROM smartpouch.rollup_} . $_), 0, "no $_ is there twice") foreach qw(minute hour day);
$node->stop;
done_testing();
