# Rollups when series lose their place among the counters: with more of them than there is room for, in several
# databases, after idle hours, resets and restores. Each call is in one database's rollups, once.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Clock;
use Smartpouch;

my $fixture = read_fixture('xgb_diabetes_squarederror');
my $table   = qq("$fixture->{name}");
my $one     = "(SELECT r FROM $table r WHERE id = 1)";
my $now     = time;
# in the middle of an hour, as what is rolled up in the first half of its first minute is counted in the hour before;
# and ahead, as pg_ctl waits for a server that has not begun before
my $start   = $now - $now % 3600 + 3600 + 1800;
my $node;
set_clock($start);
{
    local $ENV{LD_PRELOAD} = clock_library();
    $node = new_server('series', before => 'CREATE DATABASE left_one; CREATE DATABASE right_one; CREATE DATABASE idle',
        allows_streaming => 1, conf => "shared_preload_libraries = 'smartpouch'\nsmartpouch.max_series = 10");
}
sub sql { my ($sql, $database) = @_; return $node->safe_psql($database // 'left_one', $sql) }

my %calls;
foreach my $database ('left_one', 'right_one')
{
    sql('CREATE EXTENSION smartpouch', $database);
    load_fixture($node, $fixture, $database);
    import_fixture($node, $fixture, 's1', $database);
    sql(q{SELECT smartpouch.import_model('s' || i, model_artifact) FROM generate_series(2, 15) i, smartpouch.model_artifact('s1:1')}, $database);
    $calls{$database} = 0;
}
sub predict
{
    my ($database, $first, $last) = @_;
    sql("SELECT smartpouch.predict('s' || i || ':1', $one) FROM generate_series($first, $last) i", $database);
    $calls{$database} += $last - $first + 1;
    return;
}
sub rollup { sql('SELECT smartpouch.rollup()', $_[0]); return }
my $stored = q{SELECT (SELECT concat_ws(' ', sum(calls), sum(rows)) FROM smartpouch.rollup_%s), (SELECT concat_ws(' ', sum(calls), sum(rows)) FROM smartpouch.usage_hour)};
sub is_exact
{
    my ($name, @databases) = @_;
    foreach my $database (@databases ? @databases : sort keys %calls)
    {
        my $expected = join '|', ("$calls{$database} $calls{$database}") x 2;
        is(sql(sprintf($stored, $_), $database), $expected, "$name: $database by $_") foreach qw(minute hour day);
    }
    return;
}
my $negative = q{SELECT count(*) FROM smartpouch.rollup_minute, unnest(latencies || errors || calls || rows || busy_ns || cpu_ns) n WHERE n < 0};

# --- more series than places, in two databases at a time
predict($_, 1, 15) foreach 'left_one', 'right_one', 'left_one';
rollup($_) foreach 'left_one', 'right_one';
is_exact('two databases without room');
predict('right_one', 3, 12);
rollup($_) foreach 'left_one', 'right_one';
is_exact('what stands for others is of its database');
cmp_ok(sql(q{SELECT sum(calls) FROM smartpouch.rollup_day WHERE stage = '(other)'}, 'right_one'), '>', 0, 'where it is counted as such');
is(sql('SELECT sum(calls) FROM smartpouch.metrics', $_), $calls{$_}, "metrics of $_ as well") foreach sort keys %calls;
is(sql('SELECT sum(calls) FROM smartpouch.usage', $_), $calls{$_}, "and usage of $_") foreach sort keys %calls;
like(sql('SELECT smartpouch.prometheus()', 'right_one'), qr/^smartpouch_predictions_total\{database="right_one",model="\(other\)"/m, 'as Prometheus is told');

# --- an hour later places change hands: what was rolled up is not added again, what was not is not lost
predict('left_one', 1, 9);
set_clock($start + 2 * 3600);
predict('right_one', 1, 15);
rollup($_) foreach 'left_one', 'right_one';
is_exact('an idle hour without a rollup');
cmp_ok(sql('SELECT count(*) FROM smartpouch.metrics WHERE NOT is_other', 'right_one'), '>', 0, 'places changed hands');
is(sql('SELECT sum(calls) FROM smartpouch.metrics', $_), $calls{$_}, "metrics of $_ forget nothing") foreach sort keys %calls;
foreach my $hour (2 .. 6)
{
    set_clock($start + 2 * $hour * 3600);
    foreach my $database ($hour % 2 ? ('left_one', 'right_one') : ('right_one', 'left_one'))
    {
        predict($database, 1 + ($hour * 4) % 11, 4 + ($hour * 4) % 11);
        rollup($database) if $hour % 3;
    }
}
rollup($_) foreach 'left_one', 'right_one';
is_exact('places that change hands every two hours');
is(sql('SELECT count(*) FROM smartpouch.rollup_mark') <= 4 * 10, 1, 'marks of what is gone are gone');

# --- resets: rollups do not see them
predict('left_one', 1, 12);
sql('SELECT smartpouch.reset_metrics()');
is(sql('SELECT count(*) FROM smartpouch.metrics'), 0, 'a reset begins at 0');
predict('left_one', 2, 3);
is(sql('SELECT sum(calls) FROM smartpouch.metrics'), 2, 'and counts on');
predict('right_one', 1, 15);
rollup($_) foreach 'left_one', 'right_one';
is_exact('a reset before the rollup');
sql('SELECT smartpouch.reset_metrics()');
sql('SELECT smartpouch.reset_metrics()');
predict('left_one', 10, 15);
sql('SELECT smartpouch.reset_metrics()');
rollup('left_one');
is_exact('resets in between');
is(sql('SELECT count(*) FROM smartpouch.metrics'), 0, 'and nothing comes back');

# --- not counted is not stored
sql("SET smartpouch.track = off; SELECT smartpouch.predict('s1:1', $one)");
rollup('left_one');
is_exact('track = off', 'left_one');
sql("SELECT smartpouch.predict('s1:1', $one); SET smartpouch.track = off; SELECT smartpouch.predict('s1:1', $one); RESET smartpouch.track; SELECT smartpouch.predict('s1:1', $one)");
$calls{left_one} += 2;
rollup('left_one');
is_exact('turned off in between', 'left_one');

# --- copies and restores
predict('left_one', 1, 5);
sql('CREATE DATABASE copied TEMPLATE left_one', 'postgres');
$calls{copied} = $calls{left_one} - 5;
predict('copied', 1, 15);
rollup($_) foreach 'left_one', 'copied';
is_exact('a database that is copied', 'left_one', 'copied');

my $dir = PostgreSQL::Test::Utils::tempdir();
predict('left_one', 1, 15);
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/left.dump", $node->connstr('left_one') ], 'pg_dump with calls that are not rolled up yet');
rollup('left_one');
predict('left_one', 1, 4);
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '--exit-on-error', '-d', $node->connstr('left_one'), "$dir/left.dump" ], 'pg_restore in its place');
rollup('left_one');
is_exact('restored in place', 'left_one');
sql('CREATE DATABASE restored TEMPLATE template0', 'postgres');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), "$dir/left.dump" ], 'pg_restore elsewhere');
$calls{restored} = $calls{left_one} - 15 - 4;
predict('restored', 1, 15);
rollup('restored');
is_exact('restored elsewhere', 'left_one', 'restored');
is(sql($negative, $_), 0, "nothing in $_ is negative") foreach sort keys %calls;

# --- owners whose names say something else, and roles that are gone
sql(q{CREATE ROLE "(other)"; CREATE ROLE gone; GRANT USAGE ON SCHEMA public TO "(other)", gone; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "(other)", gone;
    SELECT smartpouch.grant_access(r, 'predictor'), smartpouch.grant_model('s1', r, 'predict') FROM unnest('{"(other)",gone}'::regrole[]) r;
    CREATE TABLE key AS SELECT smartpouch.create_api_key('(other)', ARRAY['predict:model/s1']) AS token;
    SELECT smartpouch.promote('s1', 1, 'production'); SELECT smartpouch.reset_metrics()}, 'restored');
set_clock($start + 20 * 3600);
sql("SELECT smartpouch.infer(token, 's1', to_jsonb($one)) FROM key", 'restored');
sql(qq{SET ROLE "(other)"; SELECT smartpouch.predict('s1', $one)}, 'restored');
sql("SET ROLE gone; SELECT smartpouch.predict('s1', $one)", 'restored');
my $gone = sql(q{SELECT 'gone'::regrole::oid}, 'restored');
sql('DROP OWNED BY gone; DROP ROLE gone', 'restored');
rollup('restored');
is(sql(q{SELECT owner, kind, calls FROM smartpouch.usage_hours WHERE bucket > now() - interval '1 hour' ORDER BY 1, 2}, 'restored'),
    "(dropped role $gone)|role|1\n(other)|api key|1\n(other)|role|1", 'owners keep their names and kinds');

# --- more databases than are told apart
sql("CREATE DATABASE d$_ TEMPLATE right_one", 'postgres') foreach 1 .. 64;
sql("SELECT smartpouch.predict('s' || i || ':1', $one) FROM generate_series(1, 15) i", "d$_") foreach 1 .. 64;
rollup($_) foreach 'd1', 'd64';
is(sql(q{SELECT sum(calls) FROM smartpouch.rollup_day}, 'd64'), sql('SELECT sum(calls) FROM smartpouch.rollup_day', 'right_one'), 'one database too many adds nothing of others');
is(sql(q{SELECT sum(calls) FROM smartpouch.rollup_day}, 'd1'), 15 + sql('SELECT sum(calls) FROM smartpouch.rollup_day', 'right_one'), 'and those that have a place their own');
cmp_ok(sql('SELECT sum(calls) FROM smartpouch.metrics WHERE is_other', 'd64'), '>=', 15, 'metrics show what they have in common');
rollup('right_one');
is_exact('among many databases', 'right_one');
set_clock($start + 24 * 3600);
sql("SELECT smartpouch.predict('s' || i || ':1', $one) FROM generate_series(1, 9) i", 'd64');
rollup('d64');
is(sql(q{SELECT sum(calls) FROM smartpouch.rollup_day}, 'd64'), 9 + sql('SELECT sum(calls) FROM smartpouch.rollup_day', 'right_one'), 'an idle database gives its place to one that is not');

# --- a hot standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$standby->safe_psql('right_one', "SELECT smartpouch.predict('s1:1', $one)");
like(($standby->psql('right_one', "\\set VERBOSITY verbose\nSELECT smartpouch.rollup()"))[2],
    qr/ERROR:  25006: rollups cannot be written on a standby.*HINT:  Run rollup\(\) on the primary/s, 'a standby writes none, and says so');
is($standby->safe_psql('right_one', 'SELECT sum(calls) FROM smartpouch.metrics'), 1, 'but counts');
$node->stop;
$standby->promote;
$standby->safe_psql('right_one', 'SELECT smartpouch.rollup()');
is($standby->safe_psql('right_one', 'SELECT sum(calls) FROM smartpouch.rollup_day'), $calls{right_one} + 1, 'and writes that once it is promoted');
$standby->stop;
done_testing();
