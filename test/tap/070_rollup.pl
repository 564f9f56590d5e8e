# Rollups: nothing counted is lost or doubled by reruns, restarts, resets and kills.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $node = new_server('rollup', before => 'CREATE ROLE watcher; CREATE ROLE nobody', conf => q{
    shared_preload_libraries = 'smartpouch'});
my $fixture = read_fixture('xgb_diabetes_squarederror');
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm');
sub sql { return $node->safe_psql('postgres', $_[0]) }
sql(q{SELECT smartpouch.promote('m', 1, 'production'), smartpouch.grant_access('watcher', 'monitor')});

my $calls = 0;
sub predict
{
    my ($times) = @_;
    sql(qq{SELECT smartpouch.predict('m', r) FROM "$fixture->{name}" r LIMIT 1;} x $times);
    $calls += $times;
}
my $counted = q{SELECT COALESCE(sum(calls), 0) FROM smartpouch.health_};

# what was called is what is stored, at each level
predict(7);
sql('SELECT smartpouch.rollup()');
is(sql($counted . $_), $calls, "$calls calls by $_") foreach qw(minute hour day);
is(sql(q{SELECT sum(calls) FROM smartpouch.usage_hours WHERE model = 'm'}), $calls, 'and by owner');
is(sql(q{SELECT DISTINCT owner = current_user, kind FROM smartpouch.usage_hours}), 't|role', 'who is the role');
is(sql(q{SELECT DISTINCT version, stage, rows = calls, failures, p50_seconds <= p99_seconds, cardinality(latencies)
    FROM smartpouch.health_minute WHERE calls > 0}), '1|production|t|0|t|18', 'of version 1 in production');
is(sql(q{SELECT sum(n) FROM smartpouch.health_day, unnest(latencies) n}), $calls, 'each in a bucket of latencies');
my $sums = q{SELECT string_agg(md5(t.*::text), ',' ORDER BY t.*::text) FROM (
    SELECT 'h', bucket, model_id, version, stage, calls, rows, busy_ns, errors::text, latencies::text FROM smartpouch.rollup_hour WHERE calls > 0
    UNION ALL SELECT 'd', bucket, model_id, version, stage, calls, rows, busy_ns, errors::text, latencies::text FROM smartpouch.rollup_day WHERE calls > 0) t};
my $before = sql($sums);
sql('SELECT smartpouch.rollup()') foreach 1 .. 3;
is(sql($sums), $before, 'running it again changes nothing that was counted');
is(sql($counted . 'minute'), $calls, 'nor does it add');
predict(5);
is(sql("SELECT smartpouch.rollup('minute') > 0"), 't', 'a level alone');
is(sql($counted . 'minute'), $calls, 'has the new calls');
is(sql($counted . 'hour'), $calls - 5, 'and the next level has not, yet');
is(sql("SELECT smartpouch.rollup('hour') > 0, smartpouch.rollup('day') > 0"), 't|t', 'until it is run');
is(sql($counted . 'day'), $calls, 'then it has');

# errors are counted, too
$node->psql('postgres', q{SELECT smartpouch.predict('m', ARRAY[1])});
sql('SELECT smartpouch.rollup()');
is(sql('SELECT sum(failures), sum(errors[1]) FROM smartpouch.health_hour'), '1|1', 'an error by its reason');
$calls = sql($counted . 'minute');

# uptime
is(sql(q{SELECT min(uptime), count(*) FROM smartpouch.health_minute WHERE samples > 0 AND stage = 'production'}) =~ /^1\|[1-9]/, 1, 'the stage was ready');
my $damage = q{ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change; UPDATE smartpouch.blob SET bytes = set_byte(bytes, 10, get_byte(bytes, 10) # 1)};
sql("$damage WHERE sha256 = (SELECT program_sha256 FROM smartpouch.version); SELECT smartpouch.evict_model('m')");
sql('SELECT smartpouch.rollup()');
is(sql(q{SELECT sum(samples) - sum(ready) FROM smartpouch.health_day WHERE stage = 'production'}), '1', 'a model that cannot be loaded is down');
is(sql(q{SELECT sum(samples) - sum(ready) FROM smartpouch.health_day WHERE stage = '(server)'}), '1', 'and health() has failed');
sql("$damage WHERE sha256 = (SELECT program_sha256 FROM smartpouch.version); SELECT smartpouch.repair_triggers()");

# counters that begin again
predict(3);
sql('SELECT smartpouch.rollup()');
sql('SELECT smartpouch.reset_metrics()');
predict(2);
sql('SELECT smartpouch.rollup()');
is(sql($counted . 'day'), $calls, 'a reset loses nothing that was rolled up');
$node->restart;
predict(4);
sql('SELECT smartpouch.rollup()');
is(sql($counted . 'day'), $calls, 'nor does a restart');

# one at a time
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; SELECT smartpouch.rollup()');
my ($rc, $out, $err) = $node->psql('postgres', 'SELECT smartpouch.rollup()');
is($out, '0', 'a second session writes nothing');
like($err, qr/another session is at work on rollups/, 'and says why');
predict(1);
$holder->query_safe('ROLLBACK');
$holder->quit;
sql('SELECT smartpouch.rollup()');
is(sql($counted . 'day'), $calls, 'what was rolled back is counted by the next one');
sql('CREATE ROLE stranger LOGIN');
my $stranger = $node->background_psql('postgres', extra_params => [ '-U', 'stranger' ]);
$stranger->query_safe(q{SELECT pg_advisory_lock(c.oid::bigint) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'smartpouch'});
cmp_ok(sql('SELECT smartpouch.rollup()'), '>', 0, 'no role without rights can keep rollups from their work');
$stranger->quit;

# a scheduler that slept: hours and days are caught up with, and retention waits for them
my $history = q{
    SELECT smartpouch._rollup_partition('rollup_minute', b) FROM generate_series(now() - interval '20 days', now(), interval '1 day') b;
    INSERT INTO smartpouch.rollup_minute
    SELECT b, '11111111-1111-1111-1111-111111111111', 1, 'production', 'old', i, 2 * i, 1000 * i, 0, '{0,1,0,0,0}',
        array_fill(0::bigint, ARRAY[17]) || i::bigint, 1, i % 2
    FROM generate_series(1, 2000) i, LATERAL (SELECT date_trunc('minute', now() - interval '18 days') + i * interval '7 minutes' AS b) s;
    DELETE FROM smartpouch.rollup_state WHERE level IN ('hour', 'day')};
sql($history);
my $old = sql(q{SELECT sum(calls), sum(rows), sum(busy_ns), sum(errors[2]), sum(latencies[18]), sum(samples), sum(ready)
    FROM smartpouch.rollup_minute WHERE model = 'old'});
sql("SELECT smartpouch.rollup('minute')");
is(sql(q{SELECT count(*) FROM smartpouch.rollup_minute WHERE model = 'old'}), 2000, 'minutes that no hour has yet are kept');
sql('SELECT smartpouch.rollup()');
is(sql(qq{SELECT sum(calls), sum(rows), sum(busy_ns), sum(errors[2]), sum(latencies[18]), sum(samples), sum(ready)
    FROM smartpouch.rollup_$_ WHERE model = 'old'}), $old, "days of minutes are caught up with by $_") foreach qw(hour day);
is(sql(q{SELECT count(*) FROM smartpouch.rollup_minute WHERE bucket < now() - interval '4 days'}), 0, 'then old minutes are dropped');
is(sql(q{SELECT count(*) FROM pg_inherits WHERE inhparent = 'smartpouch.rollup_minute'::regclass}) <= 4, 1, 'partition by partition');
is(sql(q{SELECT count(*) > 200 FROM smartpouch.health_hour WHERE model = 'old'}), 't', 'and hours stay');

my $stored = q{SELECT md5(string_agg(t.*::text, ',' ORDER BY t.*::text)) FROM smartpouch.rollup_%s t WHERE model = 'old'};
my $expected = sql(sprintf $stored, 'hour');

# who may
like(($node->psql('postgres', "SET ROLE nobody; SELECT smartpouch.rollup()"))[2], qr/permission denied/, 'not everybody may roll up');
is(sql("SET ROLE watcher; SELECT smartpouch.rollup() > 0"), 't', 'a monitor may');
is(sql("SET ROLE watcher; SELECT count(*) > 0 FROM smartpouch.health_hour"), 't', 'and reads what was counted');
like(($node->psql('postgres', "SET ROLE watcher; SELECT * FROM smartpouch.rollup_hour"))[2], qr/permission denied/, 'through the views');
like(($node->psql('postgres', "SELECT smartpouch.rollup('week')"))[2], qr/"week" is no level of rollups.*minute, hour and day/s, 'a level that there is not');

# the lag is health()'s, whatever a scheduler says
is(sql(q{SELECT smartpouch.health() #>> '{checks,rollup:lag,0,status}'}), 'pass', 'no lag');
sql(q{UPDATE smartpouch.rollup_state SET done_at = now() - interval '5 minutes'});
is(sql(q{SELECT smartpouch.health() #>> '{checks,rollup:lag,0,status}'}), 'warn', 'five minutes are a warning');
sql(q{UPDATE smartpouch.rollup_state SET done_at = now() - interval '2 hours'});
like(sql(q{SELECT concat_ws(' ', c ->> 'status', c ->> 'observedValue') FROM (SELECT smartpouch.health() #> '{checks,rollup:lag,0}' AS c OFFSET 0) h}), qr/^fail 72\d\d$/, 'two hours a failed check');

# a dump with partitions
my $dir = PostgreSQL::Test::Utils::tempdir();
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/db.dump", $node->connstr('postgres') ], 'pg_dump');
sql('CREATE DATABASE copy TEMPLATE template0');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), "$dir/db.dump" ], 'pg_restore');
is($node->safe_psql('copy', sprintf $stored, 'hour'), $expected, 'has the same hours');
$node->safe_psql('copy', 'SELECT smartpouch.rollup()');
is($node->safe_psql('copy', 'SELECT count(*) - count(DISTINCT (bucket, model_id, version, stage)) FROM smartpouch.rollup_minute'), 0, 'and goes on there');

# without preload
my $plain = new_server('plain', conf => "shared_preload_libraries = ''");
like(($plain->psql('postgres', 'SELECT smartpouch.rollup()'))[2], qr/metrics are not available.*shared_preload_libraries/s, 'without preload it says so');

done_testing();
