# Shadows: compared with what serves, counted in shared memory, never in the way of an answer.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $fixture = read_fixture('xgb_diabetes_squarederror');
my $other   = read_fixture('xgb_diabetes_tweedie');
my $digits  = read_fixture('xgb_digits_softprob_ubj');
my $table   = qq("$fixture->{name}");
my $node    = new_server('shadow', conf => "max_parallel_workers = 4\nmax_worker_processes = 8\nsmartpouch.shadow_timeout = 60s", allows_streaming => 1);

sub sql { my ($sql, $database) = @_; return $node->safe_psql($database // 'postgres', $sql) }
sub failure { my ($sql) = @_; return ($node->psql('postgres', "\\set VERBOSITY verbose\n$sql"))[2] }

# version 2 differs from version 1, version 3 is its copy, version 4 has other features
load_fixture($node, $fixture);
import_fixture($node, $_, 'm') foreach ($fixture, $other, $fixture);
import_fixture($node, $digits, 'm');
sql("SELECT smartpouch.promote('m', 1, 'production')");
my $rows = sql("SELECT count(*) FROM $table");

SKIP:
{
    skip 'this server has named segments of shared memory', 2 if sql('SHOW server_version_num') >= 170000;
    like(failure("SELECT smartpouch.set_shadow('m', 'production', 2, 100)"), qr/ERROR:  55000: .*HINT:  Add smartpouch to shared_preload_libraries/s,
        'without shared memory there is no shadow');
    sql("UPDATE smartpouch.deployment SET shadow_version = 2, shadow_percent = 100, shadow_since = now()");
    is(sql("SELECT count(*) = 1 AND count(agreed) = 0 FROM smartpouch.shadows WHERE smartpouch.predict_for('m', 'k',
        (SELECT r FROM $table r LIMIT 1)) IS NOT NULL"), 't', 'one that was restored there is not counted');
    sql("SELECT smartpouch.drop_shadow('m', 'production')");
}
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'smartpouch'");
$node->restart;

my $calls = "SELECT count(smartpouch.predict_for('m', 'key ' || r.id, r)) FROM $table r";
sub counts { my ($what) = @_; return sql('SELECT ' . ($what // 'agreed, differed, errors') . ' FROM smartpouch.shadows') }

# --- refusals and rights
like(failure("SELECT smartpouch.set_shadow($_->[0])"), qr/ERROR:  $_->[1]/, "refused: $_->[2]")
  foreach ([ "'m', 'production', 1, 10", '22023', 'the version that serves' ], [ "'m', 'production', 9, 10", '42704', 'no such version' ],
    [ "'m', 'nowhere', 2, 10", '42704', 'no such stage' ], [ "'x', 'production', 2, 10", '42704', 'no such model' ],
    [ "'m', 'production', 2, 101", '22023', 'more than all' ], [ "'m', 'production', 2, 'NaN'", '22023', 'no number' ],
    [ "'m', 'staging', 2, 10", '55000', 'nothing serves' ]);
like(failure("SELECT smartpouch.drop_shadow('m', 'production')"), qr/ERROR:  42704.*has no shadow/, 'there is none to drop');
like(failure("SELECT * FROM smartpouch.shadow_differences('m', 'production')"), qr/ERROR:  42704.*has no shadow/, 'nor to ask about');
sql(q{CREATE ROLE ruth; CREATE ROLE app;
    SELECT smartpouch.grant_access('ruth', 'deployer'), smartpouch.grant_access('app', 'predictor'), smartpouch.grant_model('m', 'app', 'predict')});
like(failure("SET ROLE app; SELECT smartpouch.set_shadow('m', 'production', 2, 10)"), qr/ERROR:  42501/, 'not for predictors');
like(failure("SET ROLE ruth; SELECT smartpouch.set_shadow('m', 'production', 2, 10)"), qr/ERROR:  42501/, 'it takes the privilege deploy');
sql("SELECT smartpouch.grant_model('m', 'ruth', 'deploy')");
sql("SET ROLE ruth; SELECT smartpouch.set_shadow('m', 'production', 2, 100)");
sql("GRANT SELECT ON $table TO app; SET ROLE app; $calls");
is(counts(), "0|$rows|0", 'another version differs, whoever calls');
is(sql("SET ROLE ruth; SELECT count(*) FROM smartpouch.shadow_differences('m', 'production')"), 32, 'what differed last is shown to deployers');
like(failure("SET ROLE app; SELECT * FROM smartpouch.shadow_differences('m', 'production')"), qr/ERROR:  42501/, 'not to predictors');
sql("SELECT smartpouch.revoke_model('m', 'ruth', 'deploy')");
is(sql('SET ROLE ruth; SELECT count(*) FROM smartpouch.shadows'), 0, 'a role sees its models only');
like(failure("SET ROLE ruth; SELECT * FROM smartpouch.shadow_differences('m', 'production')"), qr/ERROR:  42501/, 'and their differences');
is(sql(q{SET ROLE ruth; SELECT count(c.agreed) FROM (SELECT NULL::uuid AS id UNION ALL SELECT model_id FROM smartpouch.canaries) x,
    smartpouch._shadow_counts(coalesce(x.id, '00000000-0000-0000-0000-000000000000'), 'production', now()) c}), 0, 'nor by asking for counts of no model');

# --- the numbers
is(sql(q{SELECT bool_and(difference = abs(served::float8 - shadow::float8)), min(at) > now() - interval '1 hour',
    bool_and(at <= before) FROM (SELECT *, lag(at, 1, now()) OVER () AS before FROM smartpouch.shadow_differences('m', 'production')) d}),
    't|t|t', 'differences are of the pairs, newest first');
my ($mean, $max) = split /\|/, sql("SELECT avg(abs(smartpouch.predict('m:1', r) - smartpouch.predict('m:2', r))),
    max(abs(smartpouch.predict('m:1', r) - smartpouch.predict('m:2', r))) FROM $table r");
is(counts("abs(mean_difference / $mean - 1) < 1e-12, abs(max_difference / $max - 1) < 1e-12"), 't|t', 'mean and maximum');
is(sql("SELECT sum(smartpouch.predict_for('m', 'k', r)) = sum(smartpouch.predict('m:1', r)) FROM $table r"), 't', 'the answers are those of what serves');
is(counts('differed'), 2 * $rows, 'predict() is not compared');
sql("SELECT smartpouch.set_shadow('m', 'production', 3, 100)");
is(counts(), '||', 'set again, counts begin again');
sql($calls);
is(counts(), "$rows|0|0", 'its copy agrees');
is(counts('mean_difference, max_difference, last_error'), '0|0|', 'without a difference');
is(sql("SELECT count(*) FROM smartpouch.shadow_differences('m', 'production')"), 0, 'nothing to show');
sql("SELECT count(smartpouch.predict_json_for('m', 'k', to_jsonb(r))) FROM $table r");
is(counts(), 2 * $rows . '|0|0', 'jsonb is compared too');

# --- a share of the calls
sql("SELECT smartpouch.set_shadow('m', 'production', 3, 12.5);
    SELECT count(smartpouch.predict_for('m', 'one key', r)) FROM (SELECT r FROM $table r LIMIT 1) s, generate_series(1, 100000)");
cmp_ok(abs(counts('agreed') - 12500), '<=', 6 * sqrt(100000 * 0.125 * 0.875), 'a sampled share of the calls, within 6 sigma');
sql("SELECT smartpouch.set_shadow('m', 'production', 3, 0); $calls");
is(counts(), '||', 'nothing of none');

# --- beside a canary: calls that it answers are not compared
sql("SELECT smartpouch.set_shadow('m', 'production', 3, 100), smartpouch.set_canary('m', 'production', 2, 50); $calls");
my $canarys = sql("SELECT count(*) FROM $table r WHERE smartpouch.predict_json_for('m', 'key ' || r.id, to_jsonb(r)) ->> 'version' = '2'");
cmp_ok($canarys, '>', 0, 'the canary answers');
is(counts('agreed'), 2 * ($rows - $canarys), 'and its calls are not compared');
sql("SELECT smartpouch.drop_canary('m', 'production')");

# --- errors of the shadow stay with it
sql("SELECT smartpouch.set_shadow('m', 'production', 4, 100)");
is(sql($calls), $rows, 'a shadow with other features is in nobody\'s way');
is(counts('agreed, differed, errors, last_error'), "0|0|$rows|22023", 'its errors are counted');
is(sql("SELECT sum(smartpouch.predict_for('m', 'k', r)) = sum(smartpouch.predict('m:1', r)) FROM $table r"), 't', 'answers stay right');
sql("SELECT smartpouch.set_shadow('m', 'production', 2, 100);
    DELETE FROM smartpouch.blob WHERE sha256 = (SELECT program_sha256 FROM smartpouch.version WHERE version = 2);
    SELECT smartpouch.evict_model('m:2')");
is(sql("$calls; $calls"), "$rows\n$rows", 'nor is one whose bytes are gone');
is(counts('errors, last_error'), 2 * $rows . '|XX001', 'which are errors too');
is(sql("BEGIN; $calls; SAVEPOINT s; $calls; ROLLBACK TO s; COMMIT; $calls"), join("\n", ($rows) x 3), 'in any transaction');
is(sql("UPDATE smartpouch.deployment SET shadow_version = 77; $calls"), $rows, 'or that is not there');
is(counts('last_error'), '42704', 'as the error says');
is(sql("SELECT smartpouch.health() ->> 'status'"), 'fail', 'and health()');

# --- labels
import_fixture($node, $digits, 'd') foreach (1, 2);
load_fixture($node, $digits);
sql("SELECT smartpouch.promote('d', 1, 'production'), smartpouch.set_shadow('d', 'production', 2, 100);
    SELECT count(smartpouch.predict_label_for('d', 'k', r)), count(smartpouch.predict_for('d', 'k', r)) FROM \"$digits->{name}\" r");
my $labelled = sql("SELECT count(*) FROM \"$digits->{name}\"");
is(sql("SELECT agreed, differed, errors, mean_difference FROM smartpouch.shadows WHERE model = 'd'"), 2 * $labelled . '|0|0|', 'labels agree and have no distance');

# --- parallel workers
sql("SELECT smartpouch.set_shadow('m', 'production', 3, 100);
    CREATE TABLE many AS SELECT r.* FROM $table r, generate_series(1, 100); ALTER TABLE many SET (parallel_workers = 4); ANALYZE many");
my $settings = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;'
  . ' SET max_parallel_workers_per_gather = 4; SET parallel_leader_participation = off;';
my $many = "SELECT count(smartpouch.predict_for('m', 'k', r)) FROM many r";
like(sql("$settings EXPLAIN (COSTS OFF) $many"), qr/Workers Planned: 4/, 'the query is parallel');
is(sql("$settings $many"), 100 * $rows, 'workers answer');
is(counts(), 100 * $rows . '|0|0', 'and count') if counts('count(*)') == 1;
is(sql("SELECT agreed FROM smartpouch.shadows WHERE model = 'm'"), 100 * $rows, 'every call');
sql("SELECT smartpouch.set_shadow('m', 'production', 4, 100)");
is(sql("$settings $many"), 100 * $rows, 'errors in workers are in nobody\'s way either');
is(sql("SELECT errors FROM smartpouch.shadows WHERE model = 'm'"), 100 * $rows, 'and counted');

# --- what ends a shadow
like(failure("SELECT smartpouch.drop_version('m:4')"), qr/ERROR:  2BP01.*shadow of stage "production" \(version 4\)/s, 'a shadow is in use');
sql("SELECT smartpouch.set_shadow('m', 'production', 3, 100); $calls; SELECT smartpouch.promote('m', 4, 'production')");
is(sql("SELECT version, beside, agreed FROM smartpouch.shadows WHERE model = 'm'"), '3|4|', 'beside another version, counts begin again');
sql("SELECT smartpouch.promote('m', 3, 'production')");
is(sql("SELECT count(*) FROM smartpouch.shadows WHERE model = 'm'"), 0, 'its own promotion ends it');
is(sql("SELECT action, detail FROM smartpouch.history WHERE model = 'm' ORDER BY seq DESC LIMIT 1"), 'drop_shadow|it serves the stage', 'as the history says');
sql("SELECT smartpouch.set_shadow('m', 'production', 1, 100), smartpouch.drop_deployment('m', 'production')");
is(sql('SELECT count(*) FROM smartpouch.verify_history()'), 0, 'the history is whole');

# --- a time limit, and cancellation, which is the caller's
sql("SELECT smartpouch.promote('m', 1, 'production'), smartpouch.set_shadow('m', 'production', 3, 100)");
# the models are small, and the clock is asked about every millisecond of work
my $digit_calls = "SELECT count(smartpouch.predict_label_for('d', 'k', r)) FROM \"$digits->{name}\" r, generate_series(1, 200)";
sql("SELECT smartpouch.set_shadow('d', 'production', 2, 100)");
is(sql("SET smartpouch.shadow_timeout = '1us'; $digit_calls"), 200 * $labelled, 'a shadow that is out of time is in nobody\'s way');
is(sql("SELECT errors > 0, last_error FROM smartpouch.shadows WHERE model = 'd'"), 't|57014', 'and counted');
sql("SELECT smartpouch.set_shadow('d', 'production', 2, 100); $digit_calls");
is(sql("SELECT agreed, errors FROM smartpouch.shadows WHERE model = 'd'"), 200 * $labelled . '|0', 'with time enough there are no errors');
like(failure("SET ROLE app; SET smartpouch.shadow_timeout = '1s'"), qr/ERROR:  42501/, 'the time is not for everybody to set');
like(failure("SET statement_timeout = 300; SELECT count(smartpouch.predict_for('m', 'k', r)) FROM many r, generate_series(1, 1000)"),
    qr/ERROR:  57014/, 'a cancelled statement ends, in the middle of shadows too');

# --- a hot standby counts what it is asked
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
sql("SELECT smartpouch.set_shadow('m', 'production', 3, 100)");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
$standby->safe_psql('postgres', $calls);
is($standby->safe_psql('postgres', "SELECT agreed FROM smartpouch.shadows WHERE model = 'm'"), $rows, 'a standby counts its own calls');
is(sql("SELECT agreed FROM smartpouch.shadows WHERE model = 'm'"), '', 'which are not those of the primary');
like(($standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT smartpouch.$_"))[2], qr/25006/, "the standby refuses $_")
  foreach ("set_shadow('m', 'production', 3, 5)", "drop_shadow('m', 'production')");
$standby->stop;

# --- nothing leaks when errors are caught
unlike(slurp_file($node->logfile), qr/WARNING:.*leak|TRAP/, 'no resource was left behind');
$node->stop;
done_testing();
