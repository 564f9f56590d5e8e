# health() of many models, some of them broken: it names them, is quick, writes nothing,
# and what ends a statement ends it too.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use BigForest qw(write_forest);
use Smartpouch qw(:DEFAULT session ask bye);

my $node = new_server('many', allows_streaming => 1, conf => q{
    shared_preload_libraries = 'smartpouch'
    autovacuum = off
    wal_level = replica});
sub sql { my ($sql, $server) = @_; return ($server // $node)->safe_psql('postgres', $sql) }
sub state_of { my ($check, $before, $server) = @_; return sql(($before // '') . qq{;SELECT concat_ws(' ', c ->> 'status', c ->> 'sampled', c ->> 'output')
    FROM (SELECT smartpouch.health() #> '{checks,$check,0}' AS c OFFSET 0) h}, $server) }

sql(slurp_file(source_dir() . '/test/pgtap/tiny.inc') . q{
    SELECT count(smartpouch.import_model('m' || i, convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', (i / 16.0)::text), 'UTF8')))
    FROM tiny, generate_series(1, 100) i WHERE name = 'regression';
    SELECT count(smartpouch.promote('m' || i, 1, 'production')::text), count(smartpouch.add_golden('m' || i || ':1', '[40, 60]',
        smartpouch.predict_json('m' || i || ':1', '[40, 60]') - 'model' - 'version')) FROM generate_series(1, 100) i});
is(state_of('models:ready'), 'pass 100', '100 models are whole, and all were read');
is(state_of('models:golden'), 'pass 100', 'and their golden rows match');

# --- it is quick, when it is warm
my $took = q{CREATE FUNCTION took(calls integer) RETURNS float8 LANGUAGE plpgsql AS $$
    DECLARE began timestamptz; spent float8[];
    BEGIN
        FOR i IN 1 .. calls LOOP
            began := clock_timestamp();
            PERFORM smartpouch.health();
            spent := spent || extract(epoch FROM clock_timestamp() - began) * 1000;
        END LOOP;
        RETURN percentile_cont(0.5) WITHIN GROUP (ORDER BY s) FROM unnest(spent[2:]) s;
    END $$};
sql($took);
my $ms = sql("SET smartpouch.health_timeout = '50ms'; SELECT took(50)");
note "$ms ms with 100 models";
cmp_ok($ms, '<', 50, 'at most 50 ms');

# --- it takes nobody's place in memory, and its loads are not counted
sql(q{SELECT count(smartpouch.evict_model('m' || i || ':1')) FROM generate_series(1, 100) i});
my $loads = sql('SELECT sum(loads) FROM smartpouch.model_loads');
is(state_of('models:ready'), 'pass 100', 'models that are not in memory are loaded');
is(sql('SELECT count(*) FROM smartpouch.model_cache; SELECT sum(loads) FROM smartpouch.model_loads'), "0\n$loads", 'for the check alone');

# --- it writes nothing
my $mark = q{SELECT pg_current_wal_insert_lsn(), pg_current_xact_id_if_assigned() IS NULL};
my $quiet = 0;
for (1 .. 10)
{
    # another process may write in between: a snapshot of running transactions, a checkpoint
    my @marks = split /\n/, sql("SELECT FROM smartpouch.health(); $mark; SELECT count(smartpouch.health()) FROM generate_series(1, 20); $mark");
    last if $quiet = $marks[-1] eq $marks[-3];
}
ok($quiet, 'no WAL is written and no transaction id taken');
is(sql(q{BEGIN READ ONLY; SELECT count(smartpouch.health()), bool_and(smartpouch.ready()), bool_and(smartpouch.ready('m1')); SELECT pg_current_xact_id_if_assigned() IS NULL}),
    "1|t|t\nt", 'a transaction that may not write can call it');
is(sql(q{BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE; SELECT smartpouch.health() #>> '{checks,models:ready,0,status}'}), 'pass', 'a serializable one too');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('reader');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is(state_of($_, '', $standby), 'pass 100', "$_ on a standby") foreach qw(models:ready models:golden);

# --- what ends a statement: the transaction around it goes on as it was
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE smartpouch.deployment');
sql('CREATE TABLE kept (note text)');
my $caught = q{DO $$ BEGIN
        INSERT INTO kept VALUES ('before');
        BEGIN
            INSERT INTO kept VALUES ('undone');
            PERFORM smartpouch.health();
        EXCEPTION WHEN %s THEN
            INSERT INTO kept VALUES ('%s');
        END;
        INSERT INTO kept VALUES ('after');
    END $$;};
sql(q{SET smartpouch.health_timeout = '10min'; SET statement_timeout = '500ms';} . sprintf($caught, 'query_canceled', 'timeout'));
is(sql('SELECT string_agg(note, $$ $$) FROM kept'), 'before timeout after', 'a caught statement_timeout leaves the transaction as it was');
my $pids = q{SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE query ~ 'health' AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()};
foreach my $signal (qw(pg_cancel_backend pg_terminate_backend))
{
    my $session = $node->background_psql('postgres', on_error_stop => 0);
    $session->query_safe(q{SET smartpouch.health_timeout = '10min'});
    $session->{stdin} .= "SELECT smartpouch.health();\n";
    $session->{run}->pump_nb;
    $node->poll_query_until('postgres', "SELECT ($pids) IS NOT NULL");
    my $pid = sql($pids);
    my $from = -s $node->logfile;
    sql("SELECT $signal($pid)");
    # it no longer waits a moment before it says so
    my $said = $signal =~ /cancel/ ? qr/ERROR:  canceling statement due to user request/ : qr/FATAL:  terminating connection due to administrator command/;
    for (1 .. 600)
    {
        last if slurp_file($node->logfile, $from) =~ $said;
        sleep 0.1;
    }
    like(slurp_file($node->logfile, $from), $said, "$signal ends it");
    $signal =~ /cancel/ ? $session->quit : eval { $session->{run}->finish };
    ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'and nothing is left');
}
$locker->query_safe('COMMIT');
$locker->quit;

# --- no memory: a model that does not fit below the limit of its process
my $path = PostgreSQL::Test::Utils::tempdir() . '/big.json';
write_forest('xgboost_json', 20_000_000, $path);
sql(qq{SELECT smartpouch.import_model('big', pg_read_binary_file('$path')); SELECT smartpouch.promote('big', 1, 'production')});
SKIP:
{
    skip 'no prlimit', 4 if system('prlimit --version >/dev/null 2>&1') != 0;
    my $session = session($node);
    my $pid = ask($session, 'SELECT pg_backend_pid()');
    ask($session, q{SET smartpouch.health_timeout = '10min'; SET client_min_messages = 'error'});
    my ($now) = slurp_file("/proc/$pid/status") =~ /^VmSize:\s+(\d+) kB/m;
    system_or_bail('prlimit', '--pid', $pid, '--as=' . ($now + 3000) * 1024 . ':');
    ask($session, 'TRUNCATE kept;' . sprintf($caught, 'out_of_memory', 'no memory'));
    is(sql('SELECT string_agg(note, $$ $$) FROM kept'), 'before no memory after', 'lack of memory is no failed check');
    ask($session, 'SELECT smartpouch.health()');
    like($session->{err}, qr/out of memory/, 'but an error');
    ask($session, 'SELECT smartpouch.health()') foreach 1 .. 3;
    system_or_bail('prlimit', '--pid', $pid, '--as=unlimited:');
    is(ask($session, q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name ~ '^smartpouch (load|look|model|subtransaction)$'}), '0', 'that leaves nothing');
    is(ask($session, q{SELECT smartpouch.health() #>> '{checks,models:ready,0,status}'}), 'pass', 'with memory all is well');
    bye($session);
}

# a model that there is no time to read is left out, and that is said. A machine that has no time for 20 ms stops a check
# now and then, so three calls in a row have to be well; were the big one read, each call would be stopped.
my @looks;
for (1 .. 500)
{
    push @looks, sql(q{SET smartpouch.health_timeout = '50ms'; SELECT concat_ws(' ', c ->> 'status', c ->> 'observedValue', c ->> 'sampled', c ->> 'output')
        FROM (SELECT smartpouch.health() #> '{checks,models:ready,0}' AS c OFFSET 0) h});
    last if @looks > 2 && !grep { !/^pass 101 \d+$/ } @looks[ -3 .. -1 ];
}
like($looks[-1], qr/^pass 101 \d+$/, 'nothing is stopped by a big model, of those that are deployed') or diag("@looks[-3 .. -1]");
like(state_of('models:ready', q{SET smartpouch.health_timeout = '1min'}), qr/^pass 101$/, 'and with time all are read');

# --- broken models are named, each call looking at a sample
sql(q{
    ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change;
    UPDATE smartpouch.blob SET bytes = set_byte(bytes, 20, get_byte(bytes, 20) # 1)
    WHERE sha256 = (SELECT v.program_sha256 FROM smartpouch.version v JOIN smartpouch.model m ON m.id = v.model_id WHERE m.name = 'm7');
    DELETE FROM smartpouch.blob WHERE sha256 = (SELECT v.program_sha256 FROM smartpouch.version v JOIN smartpouch.model m ON m.id = v.model_id WHERE m.name = 'm33');
    ALTER TABLE smartpouch.blob ENABLE ALWAYS TRIGGER refuse_change;
    UPDATE smartpouch.golden SET expected = '{"value": 1e6}' WHERE model_id = (SELECT id FROM smartpouch.model WHERE name = 'm99');
    UPDATE smartpouch.golden SET features = '[40]' WHERE model_id = (SELECT id FROM smartpouch.model WHERE name = 'm50')});
# a call that was stopped, or out of time, may have seen none of them
my %wanted = (
    'one that lacks its bytes' => qr/stored bytes of model "m33" version 1 are missing/,
    'one with other bytes' => qr/the stored bytes of model "m7" version 1 are damaged/,
    'one whose golden row does not match' => qr/golden row 1 of model "m99" version 1 does not match: value is \S+, expected 1000000/,
    'one whose golden row is no longer of its features' => qr/model "m50" version 1 needs 2 features, the array has 1/);
my (%found, @wrong);
my ($calls, $answer) = (0, '');
while ($calls < 1000 && keys %found < keys %wanted)
{
    $calls++;
    $answer = sql(q{SET smartpouch.health_timeout = '50ms'; SELECT concat_ws('|', h ->> 'status', h #>> '{checks,models:ready,0,output}', h #>> '{checks,models:golden,0,output}') FROM smartpouch.health() h});
    $found{$_} = 1 foreach grep { $answer =~ $wanted{$_} } keys %wanted;
    my @named = $answer =~ /"m(\d+)"/g;
    push @wrong, $answer if grep({ !/^(7|33|50|99)$/ } @named) || (@named && $answer !~ /^fail\|/);
}
note "$calls calls";
ok($found{$_}, "$_ is found by one of some calls") or diag("the last of $calls: $answer") foreach sort keys %wanted;
is(join("\n", @wrong), '', 'models that are whole are not named, and a broken one is a failed check');
is(sql("SELECT smartpouch.health() #>> '{checks,models:golden,0,status}'; SELECT count(*) FROM smartpouch.model_cache WHERE pins > 0"), "fail\n0", 'a failed golden row keeps no model in memory');
$ms = sql("SET smartpouch.health_timeout = '50ms'; SELECT took(50)");
note "$ms ms with broken ones";
cmp_ok($ms, '<', 50, 'broken ones take no longer');
is(sql('SELECT smartpouch.ready()'), 'f', 'not all is ready');

# more than anybody reads are counted
sql(q{ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change; DELETE FROM smartpouch.blob});
like(state_of('models:ready'), qr/^fail \d+ (stored bytes of model "\w+" version 1 are missing; ){10}and 91 more$/, 'ten are named, and the others counted');
$standby->stop;
$node->stop;
done_testing();
