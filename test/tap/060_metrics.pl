# What is counted of predictions, in shared memory: by version, stage and owner, in every kind
# of plan, through errors, and under load exactly as often as clients have asked.
# METRICS_SECONDS sets the length of the load (default 5).
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $fixture = read_fixture('xgb_diabetes_squarederror');
my $table   = qq("$fixture->{name}");
my $seconds = $ENV{METRICS_SECONDS} // 5;
my $node    = new_server('metrics', conf => "max_parallel_workers = 4\nmax_worker_processes = 8", allows_streaming => 1);

sub sql { my ($sql, $database) = @_; return $node->safe_psql($database // 'postgres', $sql) }
sub failure { my ($sql) = @_; return ($node->psql('postgres', "\\set VERBOSITY verbose\n$sql"))[2] }

load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm') foreach 1 .. 2;
sql("SELECT smartpouch.promote('m', 1, 'production'); CREATE ROLE app; CREATE ROLE stranger; CREATE ROLE watcher;
    SELECT smartpouch.grant_access('app', 'predictor'), smartpouch.grant_access('stranger', 'predictor'),
        smartpouch.grant_access('watcher', 'monitor'), smartpouch.grant_model('m', 'app', 'predict');
    GRANT SELECT ON $table TO app, stranger; CREATE TABLE many AS SELECT r.* FROM $table r, generate_series(1, 20);
    ALTER TABLE many SET (parallel_workers = 2); ANALYZE many");
my $rows = sql("SELECT count(*) FROM $table");
my $many = sql('SELECT count(*) FROM many');
my $columns = join ', ', map { qq("$_") } @{ $fixture->{feature_names} };
my $zeros   = join ', ', (0) x @{ $fixture->{feature_names} };
my $one  = '(SELECT r FROM ' . $table . ' r WHERE id = 1)';

# --- without preload they are unavailable, not zero
foreach my $call ('* FROM smartpouch.metrics', '* FROM smartpouch.usage', '* FROM smartpouch.metrics_info()', 'smartpouch.reset_metrics()')
{
    like(failure("SELECT $call"), qr/ERROR:  55000: metrics are not available.*HINT:  Add smartpouch to shared_preload_libraries/s,
        "without preload there is no $call");
}
is(sql("SELECT smartpouch.predict('m', r) IS NOT NULL FROM $table r LIMIT 1"), 't', 'predictions need none');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'smartpouch'\nmax_connections = 60");
$node->restart;

# Counts since the last time: calls, rows, errors of the versions and stages.
my $counts = q{SELECT coalesce(model || coalesce(':' || version, '') || coalesce('@' || stage, ''), '-'), calls, rows, errors FROM smartpouch.metrics
    WHERE calls + rows + errors > 0 ORDER BY 1};
sub counted
{
    my ($statements, $expected, $name) = @_;
    sql('SELECT smartpouch.reset_metrics()');
    $node->psql('postgres', $statements);
    is(sql($counts), $expected, $name);
    return;
}

# --- a call is an execution, a row is an answer
counted("SELECT smartpouch.predict('m', $one)", 'm:1@production|1|1|0', 'one row');
counted("SELECT smartpouch.predict('m:2', $one)", 'm:2|1|1|0', 'a version that was named by its number is in no stage');
counted("SELECT smartpouch.predict_version(program_sha256, $one) FROM smartpouch.version WHERE version = 1", 'm:1|1|1|0', 'or by its hash');
counted("SELECT count(smartpouch.predict('m', r)) FROM $table r", "m:1\@production|1|$rows|0", 'many rows in blocks are one call');
counted("SET smartpouch.enable_batch = off; SELECT count(smartpouch.predict('m', r)) FROM $table r", "m:1\@production|1|$rows|0", 'and row by row');
counted("SELECT smartpouch.predict('m', r), smartpouch.predict_raw('m', r), smartpouch.predict('m\@production', to_jsonb(r)) FROM $table r",
    "m:1\@production|1|" . 3 * $rows . '|0', 'three answers in a row of a statement are one call');
counted("SELECT smartpouch.predict('m', r) FROM $table r LIMIT 5", 'm:1@production|1|5|0', 'what a block evaluates for nobody is no answer');
counted("SELECT smartpouch.predict('m', NULL::real[])", '', 'nor is NULL for NULL');
counted("SELECT count(smartpouch.predict('m', nullif(r, (SELECT s FROM $table s WHERE id = 7)))) FROM $table r", "m:1\@production|1|" . ($rows - 1) . '|0', 'in a block');
counted("SELECT count(*) FROM smartpouch.predict_batch('m', (SELECT array_agg(ARRAY[$columns]) FROM $table))",
    "m:1\@production|1|$rows|0", 'predict_batch');
counted("SELECT smartpouch.predict_json('m', to_jsonb($one))", 'm:1@production|1|1|0', 'predict_json');
counted("SELECT smartpouch.predict(CASE id % 2 WHEN 0 THEN 'm:1' ELSE 'm:2' END, r) FROM $table r WHERE id <= 10", "m:1|1|5|0\nm:2|1|5|0", 'two versions in a statement');
counted("PREPARE p(integer) AS SELECT smartpouch.predict('m', r) FROM $table r WHERE id = \$1; EXECUTE p(1); EXECUTE p(2); EXECUTE p(3)",
    'm:1@production|3|3|0', 'each execution of a prepared statement is a call');
counted("SELECT smartpouch.set_canary('m', 'production', 2, 100); SELECT smartpouch.predict_for('m', 'k', $one); SELECT smartpouch.drop_canary('m', 'production')",
    'm:2@production|1|1|0', 'a canary answers for its stage');
counted("SELECT smartpouch.set_shadow('m', 'production', 2, 100); SELECT smartpouch.predict_for('m', 'k', $one); SELECT smartpouch.drop_shadow('m', 'production')",
    'm:1@production|1|1|0', 'a shadow answers nobody');
counted("SELECT smartpouch.check_golden('m'); SELECT smartpouch.evaluate('m', 'SELECT r, 1.0::float8 FROM $table r')", '', 'tests of a version are no calls');

# --- what the planner does on its way is none
sql("CREATE TABLE plain AS SELECT generate_series(1, 1000)::float8 AS x; CREATE INDEX ON plain (x); ANALYZE plain; CREATE FUNCTION one_row() RETURNS real[] LANGUAGE sql IMMUTABLE
    AS 'SELECT ARRAY[$zeros]::real[]'");
counted("EXPLAIN SELECT * FROM plain WHERE x < smartpouch.predict('m', one_row())", '', 'an estimate is no call');
counted("SELECT count(*) FROM plain WHERE x < smartpouch.predict('m', one_row())", 'm:1@production|1|1|0', 'a scan of an index asks once');

# --- cursors, transactions, functions
counted("BEGIN; DECLARE c CURSOR FOR SELECT smartpouch.predict('m', r) FROM $table r; FETCH 3 FROM c; FETCH 4 FROM c; COMMIT", 'm:1@production|1|7|0', 'a cursor is one call, ended early');
counted("BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT smartpouch.predict('m', r) FROM $table r; FETCH 3 FROM c; COMMIT", "m:1\@production|1|$rows|0", 'one that is held is read to its end');
counted("BEGIN; SELECT smartpouch.predict('m', $one); ROLLBACK", 'm:1@production|1|1|0', 'what is rolled back was answered');
counted("BEGIN; SAVEPOINT s; SELECT smartpouch.predict('m', $one); ROLLBACK TO s; SELECT smartpouch.predict('m', $one); COMMIT", 'm:1@production|2|2|0', 'or rolled back in part');
counted("DO \$\$ DECLARE x float8; BEGIN FOR i IN 1 .. 10 LOOP x := smartpouch.predict('m', one_row()); END LOOP; END \$\$", 'm:1@production|1|10|0', 'expressions of PL/pgSQL');
counted("DO \$\$ BEGIN FOR i IN 1 .. 10 LOOP PERFORM smartpouch.predict('m', one_row()) FROM plain WHERE x = i; END LOOP; END \$\$", 'm:1@production|10|10|0', 'statements of PL/pgSQL');
counted("DO \$\$ DECLARE x float8; BEGIN FOR i IN 1 .. 3 LOOP x := smartpouch.predict('m', one_row()); COMMIT; END LOOP; END \$\$", 'm:1@production|3|3|0', 'each transaction of a procedure');
counted("CREATE TABLE checked (x float8 CHECK (smartpouch.predict('m', one_row()) > x)); INSERT INTO checked SELECT generate_series(1, 10)", 'm:1@production|1|10|0', 'a check of a table');

# --- errors, by reason
my $reasons = "SELECT coalesce(model, '-'), calls, rows, bad_input, no_model, timeout, denied, internal FROM smartpouch.metrics WHERE calls > 0 ORDER BY 1";
sub reasons
{
    my ($statements, $expected, $name) = @_;
    sql('SELECT smartpouch.reset_metrics()');
    $node->psql('postgres', $statements);
    is(sql($reasons), $expected, $name);
    return;
}
reasons("SELECT smartpouch.predict('m', ARRAY[1.0])", 'm|1|0|1|0|0|0|0', 'features of another shape');
reasons("SELECT smartpouch.predict_label('m', $one)", 'm|1|0|1|0|0|0|0', 'an output that the model does not have');
reasons("SELECT smartpouch.predict('absent', $one)", '-|1|0|0|1|0|0|0', 'no such model');
reasons("SELECT smartpouch.predict('m\@staging', $one)", '-|1|0|0|1|0|0|0', 'nothing deployed');
reasons("SET ROLE stranger; SELECT smartpouch.predict('m', $one)", '-|1|0|0|0|0|1|0', 'no right to predict: no model is told by it');
reasons("SELECT smartpouch.predict('m', CASE WHEN id < 100 THEN to_jsonb(r) ELSE '[1]' END) FROM $table r", 'm|1|99|1|0|0|0|0', 'an error after answers, in blocks');
reasons("SET smartpouch.enable_batch = off; SELECT smartpouch.predict('m', CASE WHEN id < 100 THEN to_jsonb(r) ELSE '[1]' END) FROM $table r", 'm|1|99|1|0|0|0|0', 'and row by row');
reasons("DO \$\$ BEGIN FOR i IN 1 .. 5 LOOP BEGIN PERFORM smartpouch.predict('m', ARRAY[1.0]); EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END \$\$", 'm|5|0|5|0|0|0|0', 'errors that are caught');

# --- parallel workers
my $parallel = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';
foreach my $batch ('on', 'off')
{
    counted("$parallel SET smartpouch.enable_batch = $batch; SELECT sum(smartpouch.predict('m', r)) FROM many r",
        "m:1\@production|1|$many|0", "workers count rows, their leader the call (blocks $batch)");
}

# --- owners
sql('SELECT smartpouch.reset_metrics()');
sql("SELECT smartpouch.predict('m', $one); SET ROLE app; SELECT smartpouch.predict('m', $one); SELECT smartpouch.predict('m', r) FROM $table r");
is(sql('SELECT owner, kind, model, calls, rows, errors FROM smartpouch.usage ORDER BY 1'),
    "app|role|m|2|" . ($rows + 1) . "|0\n" . sql('SELECT current_user') . '|role|m|1|1|0', 'usage by owner and model');

# by the owner of the key that infer() is shown, whoever runs it
my $long = 'o' x 200;
sql('SELECT smartpouch.reset_metrics()');
sql(join(';', 'CREATE TABLE keys AS SELECT o AS owner, smartpouch.create_api_key(o, ARRAY[\'predict:model/m\']) AS token FROM unnest(ARRAY[\'shop\', \'desk\', \'' . $long . "a', '${long}b']) o",
    "SELECT smartpouch.infer(token, 'm', to_jsonb(r)) FROM keys, $table r WHERE id < 3", "SELECT smartpouch.predict('m', $one)"));
is(sql(q{SELECT kind, CASE WHEN length(owner) > 60 THEN substr(owner, 1, 3) || length(owner) ELSE owner END, calls, rows FROM smartpouch.usage ORDER BY 1, 2}),
    "api key|desk|1|2\napi key|ooo63|1|2\napi key|ooo63|1|2\napi key|shop|1|2\nrole|" . sql('SELECT current_user') . '|1|1', 'owners of keys');
is(sql('SELECT sum(calls), sum(rows) FROM smartpouch.metrics'), '5|9', 'a call for each of them');
$node->psql('postgres', "SELECT smartpouch.infer('sp_live_none', 'm', '[]')");
is(sql("SELECT counter, detail, value FROM smartpouch._database_counts() WHERE counter LIKE 'auth%' AND value > 0 ORDER BY 1"),
    "auth_attempts||9\nauth_failures|malformed|1", 'keys that were shown, and refused');

# --- who may look
like(failure("SET ROLE app; SELECT * FROM smartpouch.$_"), qr/ERROR:  42501/, "$_ is not for everybody") foreach ('metrics', 'usage', 'metrics_info()');
like(failure('SET ROLE watcher; SELECT smartpouch.reset_metrics()'), qr/ERROR:  42501/, 'who monitors does not reset');
like(failure('SET ROLE app; SET smartpouch.track = off'), qr/ERROR:  42501/, 'nor does everybody turn it off');
is(sql('SET ROLE watcher; SELECT count(*) FROM smartpouch.metrics; SELECT count(*) FROM smartpouch.usage; SELECT boot_id IS NOT NULL FROM smartpouch.metrics_info()'), "1\n5\nt", 'who monitors looks');

# --- off
counted("SET smartpouch.track = off; SELECT smartpouch.predict('m', $one); SELECT count(smartpouch.predict('m', r)) FROM $table r", '', 'nothing is counted with track = off');

# --- time, in the buckets
counted("SELECT smartpouch.predict('m', $one)", 'm:1@production|1|1|0', 'one call');
is(sql('SELECT (SELECT sum(n) FROM unnest(latencies) n), busy_seconds BETWEEN 1e-7 AND 10, cpu_seconds BETWEEN 1e-7 AND 10, p50_seconds >= busy_seconds, p50_seconds = p99_seconds FROM smartpouch.metrics'),
    '1|t|t|t|t', 'has its time, in one bucket');

# --- databases do not see each other
sql('CREATE DATABASE other');
sql('CREATE EXTENSION smartpouch', 'other');
is(sql('SELECT count(*) FROM smartpouch.metrics', 'other'), 0, 'another database has counts of its own');
sql('SELECT smartpouch.reset_metrics()', 'other');
is(sql('SELECT count(*) FROM smartpouch.metrics'), 1, 'and resets them alone');

# --- rename, drop
sql("SELECT smartpouch.rename_model('m', 'n')");
is(sql('SELECT model FROM smartpouch.metrics'), 'n', 'a renamed model keeps its counts');
sql("SELECT smartpouch.rename_model('n', 'm')");

# --- more series than there is room for
$node->append_conf('postgresql.conf', 'smartpouch.max_series = 10');
$node->restart;
sql('SELECT smartpouch.import_model(\'s\' || i, model_artifact) FROM generate_series(1, 15) i, smartpouch.model_artifact(\'m:1\')');
sql("SELECT smartpouch.predict('s' || i || ':1', $one) FROM generate_series(1, 15) i");
is(sql('SELECT count(*), sum(calls), sum(rows), count(*) FILTER (WHERE is_other), sum(calls) FILTER (WHERE is_other) FROM smartpouch.metrics'),
    '10|15|15|1|6', 'what has no place is counted together');
is(sql('SELECT series, max_series, dropped > 0 FROM smartpouch.metrics_info()'), '19|27|t', 'which the facts tell: they have one load in common');
is(sql(q{SELECT string_agg(l, ' ' ORDER BY l) = (SELECT format('smartpouch_series %s smartpouch_series_dropped_total %s smartpouch_series_max %s', series, dropped, max_series)
    FROM smartpouch.metrics_info()) FROM string_to_table(smartpouch.prometheus(), E'\n') l WHERE l ~ '^smartpouch_series'}), 't', 'as does prometheus()');
sql('SELECT smartpouch.reset_metrics()');
sql("SELECT smartpouch.predict('s15:1', $one)");
is(sql('SELECT model, calls FROM smartpouch.metrics WHERE NOT is_other'), 's15|1', 'a reset makes room');
sql("SELECT smartpouch.drop_model('s' || i) FROM generate_series(1, 15) i");
$node->adjust_conf('postgresql.conf', 'smartpouch.max_series', '1000');

# --- a crash loses counts, and says so
my $boot = sql('SELECT boot_id FROM smartpouch.metrics_info()');
$node->restart;
isnt(sql('SELECT boot_id FROM smartpouch.metrics_info()'), $boot, 'a start has another id');
sql("SELECT smartpouch.predict('m', $one)");
$boot = sql('SELECT boot_id FROM smartpouch.metrics_info()');
kill_backend($node, sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"));
isnt(sql('SELECT boot_id FROM smartpouch.metrics_info()'), $boot, 'and after a crash');
is(sql('SELECT count(*) FROM smartpouch.metrics'), 0, 'counts begin again');

# --- a hot standby counts its own
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$standby->safe_psql('postgres', "SELECT smartpouch.predict('m', $one)");
is($standby->safe_psql('postgres', $counts), 'm:1@production|1|1|0', 'a standby counts');
is(sql($counts), '', 'what is its own');
like($standby->safe_psql('postgres', 'SELECT smartpouch.prometheus()'), qr/^smartpouch_predictions_total\{.*\} 1\n(?:.*\n)*smartpouch_replay_lag_seconds \d+\n/m, 'and tells Prometheus, with its lag');
$standby->safe_psql('postgres', 'SELECT smartpouch.reset_metrics()');
is($standby->safe_psql('postgres', $counts), '', 'and resets');
$standby->stop;

# --- under load of four clients, exactly as many as they asked for
my $dir     = PostgreSQL::Test::Utils::tempdir();
my %scripts = (
    single => "\\set id random(1, $rows)\nSELECT smartpouch.predict('m', r) FROM $table r WHERE id = :id;\n",
    block  => "SELECT count(smartpouch.predict('m', r)) FROM $table r WHERE id <= 50;\n",
    staged => "\\set id random(1, $rows)\nBEGIN;\nSELECT smartpouch.predict_json('m:2', to_jsonb(r)) FROM $table r WHERE id = :id;\nROLLBACK;\n",
    failed => "DO \$\$ BEGIN PERFORM smartpouch.predict('m', ARRAY[1.0]); EXCEPTION WHEN data_exception THEN NULL; END \$\$;\n");
append_to_file("$dir/$_.sql", $scripts{$_}) foreach keys %scripts;
sql('SELECT smartpouch.reset_metrics()');
my ($out, $err);
# one thread: several lose some of what they count of each script
IPC::Run::run([ 'pgbench', '-n', '-c', 4, '-j', 1, '-M', 'prepared', '-T', $seconds, '-h', $node->host, '-p', $node->port,
    (map { ('-f', "$dir/$_.sql") } sort keys %scripts), 'postgres' ], '>', \$out, '2>', \$err) or diag($err);
my %asked;
$asked{$1} = $2 while $out =~ m{SQL script \d+: \S*?(\w+)\.sql.*?- (\d+) transactions}sg;
is(scalar(keys %asked), 4, 'pgbench ran four scripts') or diag($out);
note("asked: " . join(', ', map { "$_ $asked{$_}" } sort keys %asked));
is(sql("SELECT stage, calls, rows, errors, bad_input FROM smartpouch.metrics ORDER BY version"),
    join("\n", 'production|' . ($asked{single} + $asked{block} + $asked{failed}) . '|' . ($asked{single} + 50 * $asked{block}) . "|$asked{failed}|$asked{failed}",
        "|$asked{staged}|$asked{staged}|0|0"), 'calls, rows and errors are those of the clients');
is(sql('SELECT sum(calls) = (SELECT sum(n) FROM smartpouch.metrics, unnest(latencies) n) FROM smartpouch.metrics'), 't', 'each call is in a bucket');
is(sql('SELECT sum(calls), sum(rows) FROM smartpouch.usage'), sql('SELECT sum(calls), sum(rows) FROM smartpouch.metrics'), 'usage has the same sums');

# --- of more clients than there are copies of a series, so that they are in each other's way
sql('SELECT smartpouch.reset_metrics()');
IPC::Run::run([ 'pgbench', '-n', '-c', 40, '-j', 1, '-M', 'prepared', '-t', 500, '-h', $node->host, '-p', $node->port,
    '-f', "$dir/single.sql", 'postgres' ], '>', \$out, '2>', \$err) or diag($err);
is(sql('SELECT m.calls, m.rows, u.calls, u.rows FROM smartpouch.metrics m, smartpouch.usage u'), '20000|20000|20000|20000',
    'calls of forty clients');

# --- resets under load: places go from one version to the other, and nothing is counted in the wrong one
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-j', 1, '-M', 'prepared', '-T', 3, '-h', $node->host, '-p', $node->port,
    '-f', "$dir/failed.sql", '-f', "$dir/staged.sql", 'postgres' ], '>', \$out, '2>', \$err);
my $resets = sql(q{CREATE PROCEDURE reset_often() LANGUAGE plpgsql AS $$
    DECLARE
        wrong integer := 0;
    BEGIN
        FOR i IN 1 .. 200 LOOP
            PERFORM smartpouch.reset_metrics();
            PERFORM pg_sleep(0.01);
            wrong := wrong + (SELECT count(*) FROM smartpouch.metrics WHERE CASE version WHEN 1 THEN rows > 0 ELSE errors > 0 END);
            COMMIT;
        END LOOP;
        IF wrong > 0 THEN
            RAISE EXCEPTION '% rows were wrong', wrong;
        END IF;
    END $$; CALL reset_often();
    SELECT count(*) FROM smartpouch.metrics WHERE CASE version WHEN 1 THEN rows > 0 ELSE errors > 0 END});
$load->finish;
is($resets, 0, 'of two versions one has only errors and the other none, through 200 resets');
is(sql('SELECT count(*) FROM smartpouch.metrics WHERE calls <> (SELECT sum(n) FROM unnest(latencies) n)'), 0, 'and each call is in a bucket');

unlike(slurp_file($node->logfile), qr/WARNING:.*leak|TRAP/, 'no resource was left behind');
$node->stop;
done_testing();
