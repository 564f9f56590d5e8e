# kill -9 in the middle of rollups, of their session, of the server, and an immediate shutdown: what was stored stays
# as it was, what was not is written by the next one, and nothing is there twice.
# SMARTPOUCH_KILLS sets how many (default 5).
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use Clock;
use Smartpouch;

my $kills   = $ENV{SMARTPOUCH_KILLS} // 5;
my $fixture = read_fixture('xgb_diabetes_squarederror');
my $start   = time;
my $node;
set_clock($start);
local $ENV{LD_PRELOAD} = clock_library();
$node = new_server('kills', conf => "shared_preload_libraries = 'smartpouch'");
sub sql { return $node->safe_psql('postgres', $_[0]) }
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm');
sql(q{SELECT smartpouch.promote('m', 1, 'production')});
my $predict = qq{SELECT smartpouch.predict('m', r) FROM "$fixture->{name}" r LIMIT 1;};

# days of minutes that every rollup sums up again, as long as the state of hours and days is taken back
# by a procedure, which is at work nearly all the time: psql may wait for its processor between statements
sql(q{
    CREATE PROCEDURE roll_up_again_and_again() LANGUAGE plpgsql AS $$
    BEGIN
        FOR i IN 1 .. 20 LOOP
            UPDATE smartpouch.rollup_state SET bucket = bucket - interval '30 hours' WHERE level IN ('hour', 'day');
            COMMIT;
            PERFORM smartpouch.rollup();
            COMMIT;
        END LOOP;
    END $$;
    SELECT smartpouch._rollup_partition('rollup_minute', b) FROM generate_series(now() - interval '3 days', now(), interval '1 day') b;
    INSERT INTO smartpouch.rollup_minute
    SELECT date_trunc('minute', now() - interval '40 hours') + i * interval '7 minutes', '11111111-1111-1111-1111-111111111111', 1, 'production', 'old', i,
        2 * i, 1000 * i, 0, '{0,1,0,0,0}', array_fill(0::bigint, ARRAY[17]) || i::bigint, 1, i % 2
    FROM generate_series(1, 300) i;
    SELECT smartpouch.rollup();});
my $old = sql(q{SELECT sum(calls) FROM smartpouch.rollup_minute WHERE model = 'old'});
my $total = q{SELECT sum(calls) FROM smartpouch.rollup_%s};
my $known = 0;
my %failed;
my $caught = 0;
my $dir = PostgreSQL::Test::Utils::tempdir();

# What is stored of minutes that are over, and of hours before this one.
sub checksums
{
    my ($before) = @_;
    return sql(join ';', map { "SELECT '$_', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM smartpouch.rollup_$_ t WHERE bucket < date_trunc('$_', to_timestamp($before))" } qw(minute hour day));
}

# Hours are the sums of minutes, and days of hours.
sub differences
{
    my ($coarse, $fine) = @_;
    my $columns = 'model_id, version, stage, sum(calls), sum(rows), sum(busy_ns), sum(cpu_ns), sum(errors[1]), sum(errors[2]), sum(latencies[2]), sum(latencies[18]), sum(samples), sum(ready)';
    my ($a, $b) = map { "(SELECT date_trunc('$coarse', bucket, 'UTC') AS b, $columns FROM smartpouch.rollup_$_ GROUP BY b, model_id, version, stage)" } $coarse, $fine;
    return sql("SELECT count(*) FROM (($a EXCEPT $b) UNION ALL ($b EXCEPT $a)) d");
}

for my $kill (1 .. $kills)
{
    set_clock($start += 150);
    my $over = $start - 120;
    my $before = checksums($over);
    my $new = int(rand(5));
    # from a file: what IPC::Run is to write, it writes when it is asked to
    my $script = "$dir/rollups$kill.sql";
    append_to_file($script, $predict x $new . "CALL roll_up_again_and_again();\n" x 100);
    my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $script ], '>', '/dev/null', '2>', '/dev/null');
    my $pid;
    for (1 .. 3000)
    {
        $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE query ~ '^CALL' LIMIT 1});
        last if $pid;
        usleep(10_000);
    }
    $pid or die 'there is no session to kill';
    usleep(int(rand(150_000)));
    $caught++ if sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid AND state = 'active'");
    my $way = ('session', 'session', 'shutdown', 'postmaster')[ $kill % 4 ];
    if ($way eq 'session')
    {
        kill_backend($node, $pid);
    }
    elsif ($way eq 'shutdown')
    {
        $node->stop('immediate');
        $node->start;
    }
    else
    {
        # its sessions notice by themselves, and a new one has to wait for them
        my $postmaster = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/ ? $1 : die;
        $node->kill9;
        for (1 .. 300)
        {
            last unless kill 0, $postmaster;
            usleep(100_000);
        }
        IPC::Run::finish($run);
        # others that were its children may take a moment more
        for (1 .. 300)
        {
            last if $node->start(fail_ok => 1);
            usleep(100_000);
        }
    }
    IPC::Run::finish($run) unless $way eq 'postmaster';
    $failed{"minutes that were over, $way"}++ if checksums($over) ne $before;
    # the session may have taken them back, and ended
    sql('SELECT smartpouch.rollup()');
    $failed{"a rerun, $way"}++ if checksums($over) ne $before;
    $failed{"hours of minutes, $way"}++ if differences('hour', 'minute') != 0;
    $failed{"days of hours, $way"}++ if differences('day', 'hour') != 0;
    my $stored = sql(sprintf $total, 'day') - $old;
    $failed{"calls, $way: $stored of $known to " . ($known + $new)}++ if $stored < $known || $stored > $known + $new;
    $known = $stored;
    # and the counters go on from there
    sql($predict . 'SELECT smartpouch.rollup()');
    $known++;
    $failed{"one more call, $way"}++ if sql(sprintf $total, 'minute') - $old != $known;
}
is_deeply(\%failed, {}, "after each of $kills kills all that was stored is there, as it was");
is(sql(q{SELECT count(*) - count(DISTINCT (bucket, model_id, version, stage)) FROM smartpouch.rollup_} . $_), 0, "no $_ is there twice") foreach qw(minute hour day);
cmp_ok($caught, '>', 0, 'rollups were at work');
note("$kills kills, $caught of them in a statement, $known calls stored");
$node->stop;
done_testing();
