# Baselines, samples of what is predicted, and how far one is from the other.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $fixture = read_fixture('xgb_diabetes_squarederror');
my $wine    = read_fixture('xgb_wine_softprob_ubj') if -d source_dir() . '/test/data/xgb_wine_softprob_ubj';
$wine //= read_fixture('xgb20_wine_softprob_ubj');
my $table   = qq("$fixture->{name}");
my $first   = qq("$fixture->{feature_names}[0]");
my ($own, @others) = @{ $fixture->{feature_names} };
my $others  = join ', ', map { qq(m."$_") } @others;
my $zeros   = join ', ', (0) x (1 + @others);
my $node    = new_server('drift', conf => "max_parallel_workers = 4\nmax_worker_processes = 8\nshared_preload_libraries = 'smartpouch'", allows_streaming => 1);

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub failure { my ($sql) = @_; return ($node->psql('postgres', "\\set VERBOSITY verbose\n$sql"))[2] }

load_fixture($node, $_) foreach ($fixture, $wine);
import_fixture($node, $fixture, 'm');
import_fixture($node, $wine, 'w');
sql("SELECT smartpouch.promote('m', 1, 'production'), smartpouch.promote('w', 1, 'production');
    CREATE ROLE app; CREATE ROLE deployer; CREATE ROLE watcher;
    SELECT smartpouch.grant_access('app', 'predictor'), smartpouch.grant_access('deployer', 'deployer'), smartpouch.grant_access('watcher', 'monitor'),
        smartpouch.grant_model('m', 'app', 'predict'), smartpouch.grant_model('m', 'deployer', 'deploy'), smartpouch.grant_model('m', 'deployer', 'predict');
    CREATE TABLE many AS SELECT r.* FROM $table r, generate_series(1, 20); ALTER TABLE many SET (parallel_workers = 2); ANALYZE many;
    GRANT SELECT ON $table, many TO deployer, app;");
my $rows      = sql("SELECT count(*) FROM $table");
my $variables = 1 + @{ $fixture->{feature_names} };

# --- a baseline
is(sql("SELECT count(*) FROM smartpouch.drift"), 0, 'no baseline, no drift');
is(sql("SET ROLE deployer; SELECT smartpouch.set_baseline('m', 'SELECT * FROM $table')"), $rows, 'columns of a query are features by name');
is(sql("SELECT count(*), min(rows), min((SELECT sum(n) FROM unnest(counts) n)), max((SELECT sum(n) FROM unnest(counts) n)) FROM smartpouch.baselines"),
    "$variables|$rows|$rows|$rows", 'every value is in a bin');
my $in_sql = "SELECT (SELECT count(*) FROM $table WHERE ${first}::real <= b.bounds[i]) = (SELECT sum(n) FROM unnest(b.counts[1:i]) n)
    FROM smartpouch.baselines b, generate_subscripts(b.bounds, 1) i WHERE variable = '$fixture->{feature_names}[0]'";
unlike(sql($in_sql), qr/f/, 'bins are what they are counted to be in SQL');
is(sql("SELECT variable FROM smartpouch.baselines ORDER BY position LIMIT 1"), '(prediction)', 'predictions are among them');
sql("SELECT smartpouch.set_baseline('w', 'SELECT to_jsonb(r) FROM \"$wine->{name}\" r')");
is(sql("SELECT bounds, (SELECT sum(n) FROM unnest(counts) n) = (SELECT count(*) FROM \"$wine->{name}\") FROM smartpouch.baselines WHERE model = 'w' AND variable = '(prediction)'"), '{-5e-324,0,1,2}|t',
    'of a classifier labels by number, from jsonb');
is(sql("SELECT action, detail FROM smartpouch.history WHERE model = 'm' ORDER BY seq DESC LIMIT 1"), "set_baseline|$rows rows", 'it is in the history');

# --- what is refused
like(failure("SELECT smartpouch.set_baseline('m', 'SELECT * FROM $table WHERE false')"), qr/ERROR:  22023: the query gives no rows/, 'no rows');
like(failure("SELECT smartpouch.set_baseline('m', 'DELETE FROM $table')"), qr/ERROR:  22023: the query must be one statement that returns rows/, 'no query');
like(failure("SELECT smartpouch.set_baseline('m', 'SELECT 1 AS x')"), qr/ERROR:  22023/, 'other columns');
like(failure("SELECT smartpouch.set_baseline('absent', 'SELECT 1')"), qr/ERROR:  42704/, 'no such model');
like(failure("SELECT smartpouch.set_baseline('m', NULL)"), qr/ERROR:  22004/, 'NULL');
like(failure("SET ROLE app; SELECT smartpouch.set_baseline('m', 'SELECT 1')"), qr/ERROR:  42501/, 'who only predicts');
like(failure("SET ROLE deployer; SELECT smartpouch.set_baseline('w', 'SELECT 1')"), qr/ERROR:  42501/, 'who deploys other models');
like(failure("SET ROLE deployer; SELECT smartpouch.set_baseline('m', 'SELECT * FROM smartpouch.blob')"), qr/ERROR:  42501: permission denied for table blob/, 'the query has no other rights than its caller');
like(failure("SELECT smartpouch.drop_baseline('m:1'), smartpouch.drop_baseline('m:1')"), qr/ERROR:  42704: version 1 of model "m" has no baseline/, 'none to drop');
like(failure('SET ROLE app; SET smartpouch.sample_percent = 100'), qr/ERROR:  42501/, 'sampling is not for everybody to set');
is(sql('SELECT count(*) > 0 FROM smartpouch.baselines WHERE model = \'m\''), 't', 'what failed has changed nothing');

# --- sampling: in blocks, row by row, in batches, by workers
my $all     = 'SET smartpouch.sample_percent = 100;';
my $samples = "SELECT min(samples), max(samples) FROM smartpouch.drift WHERE model = 'm'";
my $again   = "SELECT smartpouch.set_baseline('m', 'SELECT * FROM many')";
my $columns = join ', ', map { qq("$_") } @{ $fixture->{feature_names} };
my %ways    = (
    'in blocks'  => [ "SELECT count(smartpouch.predict('m', r)) FROM $table r", $rows ],
    'row by row' => [ "SET smartpouch.enable_batch = off; SELECT count(smartpouch.predict('m', r)) FROM $table r", $rows ],
    'in batches' => [ "SELECT count(*) FROM smartpouch.predict_batch('m', (SELECT array_agg(ARRAY[$columns]) FROM $table))", $rows ],
    'by workers' => [ "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SELECT sum(smartpouch.predict('m', r)) FROM many r", 20 * $rows ],
    'as jsonb'   => [ "SELECT count(smartpouch.predict_json('m', to_jsonb(r))) FROM $table r", $rows ]);
foreach my $way (sort keys %ways)
{
    my ($statement, $expected) = @{ $ways{$way} };
    sql($again);
    is(sql($samples), '0|0', "a new baseline begins anew ($way)");
    sql("$all $statement");
    is(sql($samples), "$expected|$expected", "all are sampled $way");
    is(sql("SELECT round(max(psi)::numeric, 6), round(max(ks)::numeric, 6), round(max(chi_square)::numeric, 6) FROM smartpouch.drift WHERE model = 'm'"), '0.000000|0.000000|0.000000', "and are what they were ($way)");
}
sql("$all SET smartpouch.sample_percent = 0; SELECT count(smartpouch.predict('m', r)) FROM $table r");
is(sql($samples), "$rows|$rows", 'none with 0 percent');
sql("$again; $all SET smartpouch.track = off; SELECT count(smartpouch.predict('m', r)) FROM $table r");
is(sql($samples), '0|0', 'nor what is not counted');
sql("$all EXPLAIN SELECT * FROM many WHERE $first < smartpouch.predict('m', ARRAY[$zeros])");
sql("$all SELECT count(*) FROM smartpouch.check_golden('m'); SELECT smartpouch.evaluate('m', 'SELECT r.*, 1.0::float8 AS truth FROM $table r')");
is(sql($samples), '0|0', 'nor estimates and tests');
sql("$all SELECT count(smartpouch.predict('m', CASE WHEN id % 2 = 0 THEN r END)) FROM $table r");
is(sql($samples), int($rows / 2) . '|' . int($rows / 2), 'nor NULL');

# --- a share: of 100 statements over the whole table 10 %
sql($again);
sql("SET smartpouch.sample_percent = 10; " . "SELECT count(smartpouch.predict('m', r)) FROM many r;" x 10);
my ($sampled) = split /\|/, sql($samples);
my $expected = 20 * $rows;
cmp_ok(abs($sampled - $expected), '<', 6 * sqrt($expected * 0.9), "a tenth of them ($sampled of " . 10 * $expected . ')');
is(sql("SELECT DISTINCT level FROM smartpouch.drift WHERE model = 'm'"), 'ok', 'which is much like the whole');

# --- drift is seen, where it is
my $shift = sql("SELECT stddev($first) FROM $table");
sql("$again; $all SELECT count(smartpouch.predict('m', r)) FROM (SELECT $first + 1.5 * $shift AS $first, $others FROM many m) r");
is(sql("SELECT variable, level FROM smartpouch.drift WHERE model = 'm' AND level <> 'ok' AND variable <> '(prediction)'"), "$fixture->{feature_names}[0]|alert", 'one feature has moved');
like(sql('SELECT smartpouch.report()'), qr/\nDrift in the last 24 hours\n +furthest away +variable +level +psi +ks +samples\n +m:1 +\Q$fixture->{feature_names}[0]\E +alert /, 'a report shows it first');
like(sql('SELECT smartpouch.report_html()'), qr/<h2>Drift in the last 24 hours.*?\Q>$fixture->{feature_names}[0]<\E\/span><\/td><td><span class=\"state bad\">alert</s, 'and the page');
like(sql('SELECT smartpouch.prometheus()'), qr/^smartpouch_drift_psi\{database="postgres",model="m",version="1",of="features"\} [1-9]/m, 'Prometheus is told');
is(sql("SELECT psi > 0.25, ks > 0.3, chi_square > 10 * degrees FROM smartpouch.drift WHERE variable = '$fixture->{feature_names}[0]'"), 't|t|t', 'by all three measures');
sql("$again; $all SELECT count(smartpouch.predict('m', jsonb_set(to_jsonb(r), '{\"$fixture->{feature_names}[0]\"}', 'null'))) FROM many r");
is(sql("SELECT missing_expected < 0.2, missing, level FROM smartpouch.drift WHERE variable = '$fixture->{feature_names}[0]'"), 't|1|alert', 'so are missing values');
sql("$again; $all SELECT smartpouch.predict('m', r) FROM $table r LIMIT 3");
is(sql("SELECT DISTINCT level FROM smartpouch.drift WHERE model = 'm'"), 'unknown', 'few samples tell nothing');

# --- by hour and by day, exactly once
sql($again);
sql("$all SELECT count(smartpouch.predict('m', r)) FROM many r");
my $seen   = "SELECT string_agg(d::text, ',' ORDER BY model, variable) FROM smartpouch.drift d";
my $before = sql($seen);
sql('SELECT smartpouch.rollup()') foreach 1 .. 3;
is(sql("SELECT sum(rows), count(*) FROM smartpouch.drift_hour h JOIN smartpouch.model m ON m.id = h.model_id WHERE name = 'm' AND set_at = (SELECT max(set_at) FROM smartpouch.baselines WHERE model = 'm')"), 20 * $rows . '|1', 'rolled up once');
is(sql($seen), $before, 'the view shows the same before and after');
sql("$all SELECT count(smartpouch.predict('m', r)) FROM many r");
sql('SELECT smartpouch.rollup()');
is(sql($samples), 40 * $rows . '|' . 40 * $rows, 'later ones are added');
$node->restart;
is(sql($samples), 40 * $rows . '|' . 40 * $rows, 'and kept over a restart');
sql("$all SELECT count(smartpouch.predict('m', r)) FROM many r");
sql('SELECT smartpouch.rollup()');
is(sql($samples), 60 * $rows . '|' . 60 * $rows, 'after which counts begin at 0');
is(sql("SELECT DISTINCT samples, psi < 0.01 FROM smartpouch.drift_days WHERE model = 'm'"), 60 * $rows . '|t', 'days have the same');

# --- a database that is brought back in its place goes on from there
$node->safe_psql('postgres', 'CREATE DATABASE again TEMPLATE postgres');
my $predict_again = "$all SELECT count(smartpouch.predict('m', r)) FROM many r";
$node->safe_psql('again', "$predict_again; SELECT smartpouch.rollup()");
my $dump = PostgreSQL::Test::Utils::tempdir() . '/again.dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('again') ], 'pg_dump');
$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '--exit-on-error', '-d', $node->connstr('again'), $dump ], 'pg_restore in its place');
$node->safe_psql('again', 'SELECT smartpouch.rollup()');
is($node->safe_psql('again', $samples), 80 * $rows . '|' . 80 * $rows, 'what was rolled up before is not added again');
$node->safe_psql('postgres', 'DROP DATABASE again');

# --- who may look
is(sql("SET ROLE watcher; SELECT count(*) FROM smartpouch.drift WHERE model = 'm'; SELECT count(*) FROM smartpouch.drift_days; SELECT count(*) > 0 FROM smartpouch.baselines"), "$variables\n$variables\nt", 'who monitors');
is(sql("SET ROLE deployer; SELECT DISTINCT model FROM smartpouch.drift"), 'm', 'who deploys sees his models');
like(failure("SET ROLE app; SELECT * FROM smartpouch.$_"), qr/ERROR:  42501/, "$_ is not for everybody") foreach ('drift', 'drift_days', 'baselines');

# --- a standby samples what it answers
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$standby->safe_psql('postgres', "$all SELECT count(smartpouch.predict('m', r)) FROM $table r");
is($standby->safe_psql('postgres', $samples), 61 * $rows . '|' . 61 * $rows, 'beside what the primary has rolled up');
is(sql($samples), 60 * $rows . '|' . 60 * $rows, 'which knows nothing of it');
like(($standby->psql('postgres', "\\set VERBOSITY sqlstate\n$again"))[2], qr/25006/, 'a standby sets no baseline');
$standby->stop;

# --- a row that somebody has written by hand leads nowhere
foreach my $damage ("n_bounds = '{1000000}'", "n_bounds = '{-3, 5}'", "bounds = '{NULL, 1}'", "n_bounds = '{NULL}'", "n_bounds = '{}', bounds = '{}'")
{
    sql("$again; UPDATE smartpouch.baseline SET $damage, set_at = set_at + interval '1s' WHERE names[1] = '(prediction)' AND model_id = (SELECT id FROM smartpouch.model WHERE name = 'm')");
    is(sql("$all SELECT count(smartpouch.predict('m', r)) FROM $table r"), $rows, "predictions go on with $damage");
    is(sql('SELECT count(*) FROM smartpouch._drift_counts() c JOIN smartpouch.baseline b USING (model_id, version, set_at)'), 0, 'and nothing is counted');
}

# --- it goes with its version
sql("SELECT smartpouch.drop_baseline('w')");
is(sql("SELECT count(*) FROM smartpouch.drift WHERE model = 'w'"), 0, 'a dropped baseline');
sql("$all SELECT smartpouch.predict_label('w', to_jsonb(r)) FROM \"$wine->{name}\" r");
sql("SELECT smartpouch.drop_deployment('m', 'production'), smartpouch.drop_model('m')");
is(sql('SELECT count(*) FROM smartpouch.baseline'), 0, 'and that of a dropped model');
unlike(slurp_file($node->logfile), qr/WARNING:.*leak|TRAP/, 'no resource was left behind');
$node->stop;
done_testing();
