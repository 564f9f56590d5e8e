# Rows are gathered from the first statement of a session on, without preload; in workers; on a hot standby.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $node    = new_server('batch', allows_streaming => 1);
my $fixture = read_fixture('xgb_diabetes_squarederror');
my $other   = read_fixture('xgb_diabetes_tweedie');
my $table   = qq("$fixture->{name}");
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm');
import_fixture($node, $other,   'm');
$node->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");
$node->safe_psql('postgres', "CREATE TABLE many AS SELECT r.* FROM $table r, generate_series(1, 200)");
$node->safe_psql('postgres', 'VACUUM ANALYZE');

my $sum      = "SELECT sum(smartpouch.predict('m', r)) FROM $table r";
my $off      = 'SET smartpouch.enable_batch = off';
my $expected = $node->safe_psql('postgres', "LOAD 'smartpouch'; $off; $sum");
my $node_of  = qr/Custom Scan \(smartpouch\)/;

# --- the first statement of a session loads the library while it is planned
unlike($node->safe_psql('postgres', "SHOW shared_preload_libraries"), qr/smartpouch/, 'nothing is preloaded');
like($node->safe_psql('postgres', "EXPLAIN $sum"), $node_of, 'the first statement gathers');
like($node->safe_psql('postgres', "EXPLAIN ANALYZE $sum"), $node_of, 'and when it runs');
is($node->safe_psql('postgres', $sum), $expected, 'with the same result');
like($node->safe_psql('postgres', "EXPLAIN $sum; EXPLAIN $sum"), qr/$node_of.*$node_of/s, 'and so does the second one');
is($node->safe_psql('postgres', "CREATE TEMP TABLE made AS SELECT smartpouch.predict('m', r) AS p FROM $table r; SELECT sum(p) FROM made"),
    $expected, 'CREATE TABLE AS as the first statement');
is($node->safe_psql('postgres', "DO \$\$ DECLARE s float8; BEGIN FOR i IN 1 .. 3 LOOP s := ($sum); END LOOP; CREATE TEMP TABLE made AS SELECT s; END \$\$; SELECT s FROM made"),
    $expected, 'a block of PL/pgSQL as the first statement');
my $prepared = "SET plan_cache_mode = force_generic_plan; PREPARE p AS $sum; EXECUTE p; EXECUTE p; EXPLAIN EXECUTE p";
like($node->safe_psql('postgres', $prepared), qr/\Q$expected\E\n\Q$expected\E\n.*$node_of/s, 'a prepared statement as the first one');
like($node->safe_psql('postgres', "BEGIN; $prepared; COMMIT; EXPLAIN EXECUTE p"), qr/$node_of.*$node_of/s, 'in a transaction, and after it');
is($node->safe_psql('postgres', "BEGIN; DECLARE c SCROLL CURSOR FOR SELECT round(smartpouch.predict('m', r)::numeric, 4) FROM $table r; MOVE 5 IN c; FETCH BACKWARD 1 FROM c; COMMIT"),
    $node->safe_psql('postgres', "SELECT round(smartpouch.predict('m', r)::numeric, 4) FROM $table r OFFSET 3 LIMIT 1"), 'a cursor that scrolls');

# --- workers, which load the library themselves
my $parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3";
my $many = "SELECT count(*), sum(smartpouch.predict('m', r)::numeric) FROM many r";
my $plan = $node->safe_psql('postgres', "$parallel; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) $many");
like($plan, qr/Workers Launched: [1-9].*$node_of.*Parallel Seq Scan/s, 'workers gather');
# all but the first row of each that took part
my ($launched, $taken) = map { $plan =~ /$_: (\d+)/ ? $1 : -1 } ('Workers Launched', 'Rows Gathered');
my $all = $node->safe_psql('postgres', 'SELECT count(*) FROM many');
cmp_ok($all - $taken, '>=', 1, 'EXPLAIN counts the rows of workers');
cmp_ok($all - $taken, '<=', 1 + $launched, 'all of them');
is($node->safe_psql('postgres', "$parallel; $many"),
    $node->safe_psql('postgres', "LOAD 'smartpouch'; $off; $many"), 'with the same result');
like($node->safe_psql('postgres', "$parallel; SET parallel_leader_participation = off; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT smartpouch.predict('m', r) FROM many r WHERE age * 2 > -1000"),
    qr/Gather.*$node_of/s, 'and where all rows must be read for that');

# --- calls that stay in the scan of a table read the row in its slot, which EXPLAIN does not show but auto_explain does
$node->safe_psql('postgres', "CREATE TABLE person AS SELECT * FROM $table; ALTER TABLE person ADD PRIMARY KEY (id); ANALYZE person");
sub executed
{
    my ($query) = @_;
    my ($status, $rows, $plans) = $node->psql('postgres', "LOAD 'smartpouch'; LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0;
        SET auto_explain.log_verbose = on; SET auto_explain.log_level = notice; SET client_min_messages = notice; $query");
    return $plans;
}
like(executed($_), qr/predict\w*\('m:1'::text, \((?:p\.)?ctid\)::person\)/, $_) foreach
    q{SELECT smartpouch.predict('m:1', p) FROM person p WHERE id = 1}, q{SELECT smartpouch.predict_raw('m:1', p) FROM person p WHERE id = 1},
    q{SELECT CASE WHEN id > 1 THEN smartpouch.predict('m:1', p) END FROM person p}, q{SELECT id FROM person p WHERE smartpouch.predict('m:1', p) > 1},
    q{UPDATE person p SET age = smartpouch.predict('m:1', p) WHERE id = 1};
unlike(executed($_), qr/ctid\)::person/, $_) foreach
    q{SELECT smartpouch.predict('m:1', q) FROM (SELECT * FROM person OFFSET 0) q WHERE id = 1}, q{SELECT smartpouch.predict_for('m:1', 'key', p) FROM person p WHERE id = 1};

# --- a statement that runs long can be canceled
my ($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = 200; SELECT count(smartpouch.predict('m', a)) FROM many a, many b");
like($err, qr/canceling statement due to statement timeout/, 'a timeout cancels');

# --- memory: wide rows that are carried stay within work_mem
$node->safe_psql('postgres', "CREATE TABLE wide AS SELECT r.*, repeat(md5(random()::text), 3000) AS note FROM $table r, generate_series(1, 3)");
my $carried = "SELECT max(md5(note || p::text)) FROM (SELECT note || '' AS note, smartpouch.predict('m', r) AS p FROM wide r OFFSET 0) q";
is($node->safe_psql('postgres', "SET work_mem = '64kB'; SET smartpouch.batch_size = 4096; $carried"),
    $node->safe_psql('postgres', "LOAD 'smartpouch'; $off; $carried"), 'little work_mem');

# --- instructions that change between two rows of a block: sums of dense layers may have other last digits
my $dense = read_fixture('onnx_digits_cnn');
load_fixture($node, $dense);
import_fixture($node, $dense, 'dense');
# by autovacuum it could happen between the two queries below, and change the order of rows
$node->safe_psql('postgres', 'VACUUM ANALYZE');
my $digits = sub {
    my ($how) = @_;
    return $node->safe_psql('postgres', "LOAD 'smartpouch'; $how; SELECT md5(string_agg(p::text, ' ')) FROM (SELECT p, CASE row_number() OVER () WHEN 40 THEN set_config('smartpouch.simd', 'portable', false) END FROM (SELECT smartpouch.predict_proba('dense:1', r) AS p FROM \"$dense->{name}\" r, generate_series(1, 3) OFFSET 0) q) q");
};
is($digits->('SET smartpouch.enable_batch = on'), $digits->($off), 'instructions that change between two rows');

# --- a hot standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
like($standby->safe_psql('postgres', "EXPLAIN $sum"), $node_of, 'a standby gathers');
is($standby->safe_psql('postgres', $sum), $expected, 'with the same result');

$standby->stop;
$node->stop;
done_testing();
