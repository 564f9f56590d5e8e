# A parallel query uses one version of a model from beginning to end, in the
# leader and in every worker, whatever is promoted meanwhile.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch;

my $node = new_server('parallel', conf => "max_worker_processes = 8\nmax_parallel_workers = 4\nshared_preload_libraries = 'smartpouch'");
my $fixture = read_fixture('xgb_diabetes_squarederror');
my $other   = read_fixture('xgb_diabetes_tweedie');
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm');
import_fixture($node, $other,   'm');
$node->safe_psql('postgres', qq{
    CREATE TABLE many AS SELECT r.* FROM "$fixture->{name}" r, generate_series(1, 200);
    ALTER TABLE many SET (parallel_workers = 4);
    ANALYZE many;
    SELECT smartpouch.promote('m', 1, 'production')});

my $settings = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;'
  . ' SET max_parallel_workers_per_gather = 4;';
# the answer of each row is compared with both versions by name
my $compared = sub { my ($answer) = @_; return qq{SELECT sum(abs($answer - smartpouch.predict('m:1', r))) = 0,
    sum(abs($answer - smartpouch.predict('m:2', r))) = 0 FROM many r} };
my $query = $compared->(q{smartpouch.predict('m', r)});

# one session makes a change all the time, number i, while the query runs
sub one_version_each
{
    my ($change, $query, $name) = @_;
    like($node->safe_psql('postgres', "$settings EXPLAIN (COSTS OFF) $query"), qr/Workers Planned: 4/, "$name: the query is parallel");
    my $changes = q{SELECT count(*) FROM smartpouch.history WHERE stage = 'production'};
    my $before = $node->safe_psql('postgres', $changes);
    my ($in, $out, $err) = ('', '', '');
    my $changer = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
        '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(600));
    $in .= qq{DO \$\$ BEGIN
        FOR i IN 1 .. 100000 LOOP
            PERFORM $change;
            COMMIT;
            EXIT WHEN EXISTS (SELECT FROM pg_tables WHERE tablename = 'enough');
        END LOOP; END \$\$; SELECT 'ended';} . "\n";
    IPC::Run::pump_nb($changer);

    my %seen;
    for (1 .. 40)
    {
        $seen{ $node->safe_psql('postgres', "$settings $query") }++;
    }
    $node->safe_psql('postgres', 'CREATE TABLE enough ()');
    IPC::Run::pump($changer) until $out =~ /ended/ || $err =~ /ERROR/;
    is($err =~ /ERROR/ ? $err : '', '', "$name: the changes went well");
    $in .= "\\q\n";
    IPC::Run::finish($changer);
    $node->safe_psql('postgres', 'DROP TABLE enough');

    is(join(' ', grep { !/^(t\|f|f\|t)$/ } keys %seen), '', "$name: every query had one version for all its rows");
    cmp_ok($node->safe_psql('postgres', $changes) - $before, '>', 40, "$name: while there were changes");
    is($node->safe_psql('postgres', 'SELECT count(*) FROM smartpouch.verify_history()'), 0, "$name: all of them in a whole history");
    note join(', ', map { "$_ $seen{$_} times" } sort keys %seen);
    return;
}

one_version_each(q{smartpouch.promote('m', 1 + i % 2, 'production')}, $query, 'promotions');
$node->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");
one_version_each(q{smartpouch.set_canary('m', 'production', 2, 100 * (i % 2))},
    $compared->(q{smartpouch.predict_for('m', 'key ' || r.id, r)}), 'a canary of all and of no keys');
one_version_each(q{smartpouch.set_shadow('m', 'production', 2, 50), smartpouch.drop_shadow('m', 'production')},
    $compared->(q{smartpouch.predict_for('m', 'key ' || r.id, r)}), 'a shadow that comes and goes');

# keys of a canary go the same way in leader and workers
$node->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production'), smartpouch.set_canary('m', 'production', 2, 40)");
my $routed = q{SELECT sum(smartpouch.predict_for('m', 'key ' || r.id, r)), count(*) FROM many r};
like($node->safe_psql('postgres', "$settings EXPLAIN (COSTS OFF) $routed"), qr/Workers Planned: 4/, 'routing is parallel');
my $of = sub { $node->safe_psql('postgres', "$_[0]; SELECT md5(string_agg(v::text, ' ' ORDER BY v)) FROM"
      . " (SELECT smartpouch.predict_for('m', 'key ' || r.id, r) AS v FROM many r) s") };
is($of->($settings . 'SET parallel_leader_participation = off'), $of->('SET max_parallel_workers_per_gather = 0'),
    'and the same as without workers');
$node->safe_psql('postgres', "SELECT smartpouch.drop_canary('m', 'production')");

# a repeatable-read transaction keeps its version in the workers too
like($node->safe_psql('postgres', "$settings SELECT smartpouch.promote('m', 1, 'production');
    BEGIN ISOLATION LEVEL REPEATABLE READ; $query; COMMIT"), qr/t\|f$/, 'repeatable read');

$node->stop;
done_testing();
