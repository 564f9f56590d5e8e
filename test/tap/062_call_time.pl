# The time that calls are said to have taken: of those that fail, and that wait. And uses that are no calls.
use strict;
use warnings FATAL => 'all';

use File::Temp qw(tempdir);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use BigForest qw(write_forest);
use Smartpouch;

my $node = new_server('time', conf => "shared_preload_libraries = 'smartpouch'\nmax_worker_processes = 12");
sub sql { return $node->safe_psql('postgres', $_[0]) }

my $file = tempdir(CLEANUP => 1) . '/forest';
chmod 0755, $file =~ s{/forest$}{}r;
write_forest('xgboost_json', 64 * 1024 * 1024, $file);
sql("SELECT smartpouch.import_model('slow', pg_read_binary_file('$file')), smartpouch.promote('slow', 1, 'production')");
sql('CREATE TABLE a_row AS SELECT array_agg(x / 20.0) AS f FROM generate_series(1, 20) x');
my $batch = q{SELECT count(*) FROM smartpouch.predict_batch('slow', (SELECT array_agg(f) FROM a_row, generate_series(1, 800000)))};
sub counted { return split(/\|/, sql("SELECT calls, errors, timeout, busy_seconds, cpu_seconds, p50_seconds FROM smartpouch.metrics WHERE model = 'slow'")) }
sub begin_anew { sql(q{SELECT smartpouch.warm_model('slow'), smartpouch.reset_metrics()}); return }

# what is cancelled took as long as it took; a slow machine takes longer before it has made the argument
my ($rc, $out, $err, $calls, $errors, $timeouts, $busy, $cpu, $p50, $lasted);
foreach my $seconds (2, 4, 8, 16, 32)
{
    begin_anew();
    my $began = time;
    ($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '${seconds}s'; $batch");
    $lasted = time - $began;
    ($calls, $errors, $timeouts, $busy, $cpu, $p50) = counted();
    last if defined $busy && $busy > 0.3;
}
like($err, qr/statement timeout/, 'a batch is cancelled');
is("$calls $errors $timeouts", '1 1 1', 'which is an error of one call');
cmp_ok($busy, '>', 0.3, 'that took its time');
cmp_ok($busy, '<', $lasted, 'and no more');
cmp_ok($p50, '>=', 0.25, 'and was none of the fast ones');

# a call is in the bucket of the time that it took
my $bounds = 'unnest(smartpouch._latency_bounds()) b';
foreach my $rows (1, 10, 100, 1000, 10000)
{
    begin_anew();
    sql("SELECT count(*) FROM smartpouch.predict_batch('slow', (SELECT array_agg(f) FROM a_row, generate_series(1, $rows)))");
    is(sql("SELECT calls, p50_seconds - (SELECT min(b) FROM $bounds WHERE b >= busy_seconds) FROM smartpouch.metrics WHERE model = 'slow'"), '1|0', "$rows rows");
}

# of many rows some are timed for all: one that the machine stands still in counts as often, so there are more attempts
my $took;
foreach my $attempt (1 .. 5)
{
    begin_anew();
    $took = sql(q{SET smartpouch.enable_batch = off; DROP TABLE IF EXISTS began; CREATE TABLE began AS SELECT clock_timestamp() AS at;
        SELECT sum(smartpouch.predict('slow', f)) > 0 FROM a_row, generate_series(1, 30000); SELECT extract(epoch FROM clock_timestamp() - at) FROM began}) =~ s/.*\n//r;
    $busy = (counted())[3];
    last if $busy > 0.4 * $took && $busy < 1.8 * $took;
}
cmp_ok($busy, '>', 0.4 * $took, 'rows one by one');
cmp_ok($busy, '<', 1.8 * $took, 'and not more');

# a process that does not run uses no CPU
begin_anew();
my $session = $node->background_psql('postgres', timeout => 600);
my $pid     = $session->query_safe('SELECT pg_backend_pid()');
$session->{stdin} .= "$batch;\n";
$session->{run}->pump_nb for 1 .. 5;
ok($node->poll_query_until('postgres', "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $pid"), 'a batch begins');
# again and again until it is through, as nobody knows when it has its argument
foreach (1 .. 300)
{
    kill 'STOP', $pid;
    usleep(500_000);
    kill 'CONT', $pid;
    usleep(500_000);
    last if sql("SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid") eq 't';
}
$session->query_safe('SELECT 1');
$session->quit;
($calls, $errors, $timeouts, $busy, $cpu) = counted();
is("$calls $errors", '1 0', 'a call that was stopped for a while');
cmp_ok($busy, '>', 0.5, 'took so long');
cmp_ok($cpu, '<', $busy - 0.4, 'but not the processor');
cmp_ok($cpu, '>', 0, 'which it used the rest of the time');

# what is in memory may be used without a prediction
sub hits { return sql(q{SELECT value FROM smartpouch._database_counts() WHERE counter = 'cache_hits'}) }
begin_anew();
my $before = hits();
sql(q{SELECT smartpouch.ready('slow')});
is(hits(), $before + 1, 'a use of a model that is no prediction');

$node->stop;
done_testing();
