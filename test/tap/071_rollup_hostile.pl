# Rollups under sessions that want them to count wrongly: settings, isolation, timeouts, clocks and load.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use Smartpouch;

my $node = new_server('rollup_hostile', conf => q{
    shared_preload_libraries = 'smartpouch'
    max_prepared_transactions = 2});
my $fixture = read_fixture('xgb_diabetes_squarederror');
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm');
sub sql { return $node->safe_psql('postgres', $_[0]) }
sql(q{SELECT smartpouch.promote('m', 1, 'production')});

my $predict = qq{SELECT smartpouch.predict('m', r) FROM "$fixture->{name}" r LIMIT 1;};
my $calls = 0;
sub predict { sql($predict x $_[0]); $calls += $_[0]; }
sub counted { return join ' ', map { sql("SELECT COALESCE(sum(calls), 0) FROM smartpouch.rollup_$_") } qw(minute hour day) }
sub is_exact { is(counted(), "$calls $calls $calls", $_[0]) }

# whatever the session has set
predict(2);
sql(q{SET datestyle = 'German, DMY'; SET intervalstyle = 'sql_standard'; SET timezone = 'America/Sao_Paulo'; SET bytea_output = 'escape';
    SET standard_conforming_strings = off; SET transform_null_equals = on; SET array_nulls = off; SET quote_all_identifiers = on;
    SET search_path = '';
    SELECT smartpouch.rollup() FROM pg_catalog.generate_series(1, 2)});
is_exact('settings of the session do not matter');

# a snapshot that is older than what another rollup has written
foreach my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
    my $old = $node->background_psql('postgres', on_error_stop => 0);
    $old->query("BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM smartpouch.rollup_mark");
    predict(3);
    sql('SELECT smartpouch.rollup()');
    $old->query('SELECT smartpouch.rollup()');
    $old->query('COMMIT');
    like($old->{stderr}, qr/could not serialize access/, "$level: a stale snapshot is an error");
    $old->quit;
    sql('SELECT smartpouch.rollup()');
    is_exact('and counts nothing twice');
}

# a transaction that is prepared
predict(2);
sql(q{BEGIN; SELECT smartpouch.rollup(); PREPARE TRANSACTION 'rollup'});
predict(1);
is(sql('SELECT smartpouch.rollup()'), 0, 'a prepared rollup is at work');
sql(q{COMMIT PREPARED 'rollup'});
sql('SELECT smartpouch.rollup()');
is_exact('and counts once');

# a call that was counted in some numbers, and not yet in others, while they were read
sql(q{UPDATE smartpouch.rollup_mark SET rows = rows - 1, busy_ns = busy_ns - 5, latencies[3] = latencies[3] - 1 WHERE kind = 'prediction' AND calls > 0;
    UPDATE smartpouch.rollup_mark SET rows = rows - 1 WHERE kind = 'usage' AND calls > 0});
my $numbers = q{SELECT (SELECT concat_ws(' ', sum(rows), sum(busy_ns), sum(latencies[3])) FROM smartpouch.rollup_minute),
    (SELECT sum(rows) FROM smartpouch.usage_hour)};
my ($rows, $busy, $latency, $used) = split /[ |]/, sql($numbers);
sql('SELECT smartpouch.rollup()');
is(sql($numbers), join(' ', $rows + 1, $busy + 5, $latency + 1) . '|' . ($used + 1), 'what was half counted is not forgotten');
is_exact('and calls are what they were');

# a clock that was far ahead, and came back
my $then = sql(q{SELECT date_trunc('minute', now()) + interval '400 days'});
sql(qq{SELECT smartpouch._rollup_partition('rollup_minute', '$then');
    INSERT INTO smartpouch.rollup_minute SELECT '$then', model_id, version, stage, model, 10, 10, 0, 0, errors, array_fill(0::bigint, ARRAY[18]), 1, 1
    FROM smartpouch.rollup_minute WHERE calls > 0 LIMIT 1;
    UPDATE smartpouch.rollup_state SET bucket = date_trunc(level, timestamptz '$then', 'UTC') WHERE level <> 'retention'});
$calls += 10;
predict(4);
sql('SELECT smartpouch.rollup()');
is_exact('a clock that was ahead loses nothing');
is(sql(q{SELECT sum(calls) FROM smartpouch.rollup_minute WHERE bucket > now() + interval '1 hour'}), 10, 'and what follows is of now');
is(sql(q{SELECT count(*) FROM smartpouch.rollup_state WHERE bucket > now()}), 0, 'as is where the next one goes on');
sql('SELECT smartpouch.rollup()');
is_exact('also the next time');

# clients that predict while sessions roll up, and are cancelled and ended
my $script = PostgreSQL::Test::Utils::tempdir() . '/predict.sql';
append_to_file($script, $predict);
my $load = IPC::Run::start([ 'pgbench', '-n', '-f', $script, '-c', '4', '-T', '8', $node->connstr('postgres') ], '>', \my $summary, '2>', \my $noise);
my ($cancelled, $ended) = (0, 0);
for my $round (1 .. 60)
{
    my $end = ('', q{SET statement_timeout = '5ms';}, q{SET statement_timeout = '15ms';}, 'BEGIN;', 'BEGIN ISOLATION LEVEL SERIALIZABLE;')[ $round % 5 ];
    my ($rc, $out, $err) = $node->psql('postgres', "$end SELECT smartpouch.rollup(); " . ($round % 5 == 3 ? 'ROLLBACK' : $round % 5 == 4 ? 'COMMIT' : ''));
    $cancelled++ if $err =~ /statement timeout/;
    my $victim = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
        '<', \'SELECT smartpouch.rollup(), pg_sleep(0.2);', '>', '/dev/null', '2>', '/dev/null');
    usleep(int(rand(60_000)));
    $ended += sql(q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query ~ '^SELECT smartpouch.rollup' AND pid <> pg_backend_pid()});
    IPC::Run::finish($victim);
}
IPC::Run::finish($load);
my ($done) = $summary =~ /number of transactions actually processed: (\d+)/ or die $summary;
$calls += $done;
sql('SELECT smartpouch.rollup()');
note("$done calls, $cancelled rollups cancelled, $ended ended");
cmp_ok($cancelled + $ended, '>', 5, 'rollups were stopped');
is_exact("what four clients did ($done calls) is what is stored");
is(sql(q{SELECT sum(rows) - sum(calls) FROM smartpouch.rollup_minute WHERE bucket <= now()}), 1, 'each with its row, and the one above');
is(sql(q{SELECT sum(calls) FROM smartpouch.usage_hours}), $calls - 10, 'and by owner');
is(sql(q{SELECT count(*) FROM smartpouch.rollup_minute, unnest(latencies || errors) n WHERE n < 0 OR calls < 0 OR busy_ns < 0}), 0, 'nothing is negative');

done_testing();
