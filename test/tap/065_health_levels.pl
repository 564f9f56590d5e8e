# Each check of health() at the levels that need a server of their own, whoever calls it and from wherever.
# Waits for minutes: a worker that is late.
use strict;
use warnings FATAL => 'all';

use IO::Socket::UNIX;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Smartpouch qw(:DEFAULT session ask bye);

my $folder = PostgreSQL::Test::Utils::tempdir_short() . '/backups';
mkdir $folder, 0700 or die "$folder: $!";
my $node = new_server('levels', allows_streaming => 1, conf => qq{
shared_preload_libraries = 'smartpouch'
smartpouch.backup_directory = '$folder'
smartpouch.flush_interval = 1s
max_prepared_transactions = 5
max_connections = 40
wal_receiver_timeout = 2s
});
sub sql { my ($sql, $server, $database) = @_; return ($server // $node)->safe_psql($database // 'postgres', $sql) }
sub state_of { my ($check, $before, $server, $database) = @_; return sql(($before // '') . qq{;SELECT concat_ws(' ', c ->> 'status', c ->> 'output')
    FROM (SELECT smartpouch.health() #> '{checks,$check,0}' AS c OFFSET 0) h}, $server, $database) }
# how many checks have each status, such as "pass 3, unknown 1"
my $statuses = q{SELECT string_agg(format('%s %s', s, n), ', ' ORDER BY s) FROM (SELECT c.value #>> '{0,status}' AS s, count(*) AS n
    FROM jsonb_each(smartpouch.health() -> 'checks') c GROUP BY 1) k};

sql(slurp_file(source_dir() . '/test/pgtap/tiny.inc') . q{
    SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression';
    SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'classifier';
    SELECT smartpouch.promote('m', 1, 'production'), smartpouch.add_golden('m:1', '[40, 60]', '{"value": 1.75}');
    SELECT smartpouch.rollup();
    CREATE TABLE token AS SELECT smartpouch.create_api_key('alice', ARRAY['predict:model/m']) AS token;
    SELECT smartpouch.backup('models')});

# --- every check that there is passes, or warns of what this server is
my $names = sql(q{SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(smartpouch.health() -> 'checks') k});
is($names, 'audit:lost backup:age backup:connection backup:freeSpace backup:verifiedAge cache:shared installation:version keys:adoption keys:tracked '
    . 'log:parameters models:golden models:owners models:ready registry:triggers rollup:lag server:minorVersion server:preload worker:round',
    'the checks of a primary that is preloaded, has keys and a folder for backups');
my $wrong = q{SELECT string_agg(concat_ws(' ', c.key, c.value #>> '{0,status}', c.value #>> '{0,output}'), ', ') FROM jsonb_each(smartpouch.health() -> 'checks') c
    WHERE c.value #>> '{0,status}' IN ('fail', 'unknown')};
is(sql($wrong), '', 'none has failed');

# --- each setting that lets keys into the log
my $safe = 'SET log_parameter_max_length = 0; SET log_parameter_max_length_on_error = 0; SET pgaudit.log_parameter = off';
$safe .= '; LOAD $$auto_explain$$; SET auto_explain.log_parameter_max_length = 0' if sql('SHOW server_version_num') >= 160000;
is(state_of('log:parameters', $safe), 'pass', 'no setting writes bind parameters');
like(state_of('log:parameters', "$safe; SET $_"), qr/^warn .*: set \S+ = /, "$_ does") foreach 'log_parameter_max_length = 10',
    'log_parameter_max_length_on_error = -1', 'pgaudit.log_parameter = on', $safe =~ /auto_explain/ ? 'auto_explain.log_parameter_max_length = -1' : ();

# --- the library and the SQL objects
my $version = sql("SELECT extversion FROM pg_extension WHERE extname = 'smartpouch'");
sql(q{UPDATE pg_extension SET extversion = '0.1' WHERE extname = 'smartpouch'});
like(state_of('installation:version'), qr/^fail .*does not fit the installed SQL objects of version 0\.1: .*ALTER EXTENSION smartpouch UPDATE/, 'another version of the SQL objects is a failed check');
is(state_of('models:ready'), 'unknown it was not looked at, because installation:version has failed', 'that leaves the others unknown');
is(sql(q{SELECT smartpouch.live(), smartpouch.ready(), smartpouch.ready('m')}), 't|f|f', 'it lives, but is not ready');
sql("UPDATE pg_extension SET extversion = '$version' WHERE extname = 'smartpouch'");
is(sql(q{SELECT smartpouch.live(), smartpouch.ready(), smartpouch.ready('m')}), 't|t|t', 'until they fit');

# a report says so in capitals that no language of a database changes
SKIP:
{
    skip 'no ICU', 1 if $node->psql('postgres', "CREATE DATABASE turkish TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'tr' LOCALE 'C'") != 0;
    $node->safe_psql('turkish', q{CREATE EXTENSION smartpouch; UPDATE pg_extension SET extversion = '0.1' WHERE extname = 'smartpouch'});
    like($node->safe_psql('turkish', 'SELECT smartpouch.report()'), qr/\bFAIL\b/, 'a report in a Turkish database');
    $node->safe_psql('postgres', 'DROP DATABASE turkish');
}

# --- who is in the way of a check leaves it unknown, and the others as they are
my %tables = (
    'smartpouch.deployment'   => 'models:ready models:golden',
    'smartpouch.blob'         => 'models:ready',
    'smartpouch.golden'       => 'models:golden',
    'smartpouch.model'        => 'models:owners models:ready models:golden',
    'smartpouch.api_key'      => 'keys:adoption log:parameters',
    'smartpouch.rollup_state' => 'rollup:lag',
    'smartpouch.backup'       => 'backup:age backup:verifiedAge backup:freeSpace',
    'pg_trigger'              => 'registry:triggers',
    'pg_extension'            => 'installation:version',
);
foreach my $table (sort keys %tables)
{
    # a session that begins may need a locked catalog for that
    my $asker = session($node);
    ask($asker, 'SELECT 1');
    my $locker = $node->background_psql('postgres');
    $locker->query_safe("BEGIN; LOCK TABLE $table");
    my $unknown = join ' ', sort split / /, $tables{$table};
    like(ask($asker, q{SET lock_timeout = '100ms'; SELECT string_agg(c.key, ' ' ORDER BY c.key) FROM jsonb_each(smartpouch.health() -> 'checks') c
        WHERE c.value #>> '{0,status}' = 'unknown'}), qr/^.*\Q$unknown\E/, "with $table locked: $unknown");
    my $began = time;
    is(ask($asker, qq{RESET lock_timeout; SET smartpouch.health_timeout = '500ms'; SELECT bool_and(h #>> ARRAY['checks', k, '0', 'output'] ~ 'stopped after|before it took all')
        FROM smartpouch.health() h, unnest(string_to_array('$unknown', ' ')) k}), 't', 'in the time that there is');
    is(ask($asker, 'RESET smartpouch.health_timeout; SELECT smartpouch.ready()'), $unknown =~ /models:ready|installation/ ? 'f' : 't', 'which is ready only if that is known')
        if $table eq 'smartpouch.blob' || $table eq 'smartpouch.golden';
    $locker->query_safe('ROLLBACK');
    $locker->quit;
    bye($asker);
}
my ($rc, $out, $err) = $node->psql('postgres', q{BEGIN; SELECT 1/0; SELECT smartpouch.health()}, on_error_stop => 0);
like($err, qr/current transaction is aborted/, 'in a transaction that has failed there is no answer');

# --- who may ask
sql(q{CREATE ROLE watcher; CREATE ROLE app; CREATE ROLE shipper; CREATE ROLE boss; CREATE ROLE nobody;
    SELECT smartpouch.grant_access('watcher', 'monitor'), smartpouch.grant_access('app', 'predictor'), smartpouch.grant_access('shipper', 'deployer'),
        smartpouch.grant_access('boss', 'admin')});
my %may = (watcher => '111', app => '011', shipper => '011', boss => '111', nobody => '000');
foreach my $role (sort keys %may)
{
    my $may = join '', map { ($node->psql('postgres', "SET ROLE $role; SELECT smartpouch.$_()"))[2] =~ /permission denied/ ? 0 : 1 } qw(health live ready);
    is($may, $may{$role}, "what $role may call of health, live and ready");
}
is(sql("SET ROLE watcher; $statuses"), sql($statuses), 'a monitor sees what the owner does');
is(sql(q{SET ROLE watcher; SELECT smartpouch.ready('m')}), 'f', 'and need not be allowed to predict');

# --- from anywhere: hostile names, a definer, a cursor, a function in a failing block
sql(q{CREATE SCHEMA hostile;
    CREATE FUNCTION hostile.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$;
    CREATE FUNCTION hostile.max(integer) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$;
    CREATE FUNCTION hostile.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$;
    CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.eq);
    CREATE FUNCTION hostile.gt(timestamptz, timestamptz) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'hijacked'; END $$;
    CREATE OPERATOR hostile.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = hostile.gt);
    CREATE TABLE hostile.pg_extension (extname text); CREATE TABLE hostile.pg_trigger (tgname text);
    CREATE FUNCTION hostile.probe() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = hostile, pg_catalog AS $$
    DECLARE answer text;
    BEGIN
        BEGIN
            SELECT h OPERATOR(pg_catalog.->>) 'status' INTO answer FROM smartpouch.health() h;
            RAISE 'undone';
        EXCEPTION WHEN raise_exception THEN NULL;
        END;
        RETURN answer;
    END $$;
    GRANT USAGE ON SCHEMA hostile TO PUBLIC});
is(sql('SET ROLE nobody; SELECT hostile.probe()'), sql(q{SELECT smartpouch.health() ->> 'status'}), 'within a definer with a hostile search_path');
is(sql(q{SET search_path = hostile, pg_catalog; SELECT smartpouch.ready(), smartpouch.ready('m'), smartpouch.live()}), 't|t|t', 'with a hostile search_path');
is(sql(q{BEGIN; DECLARE c CURSOR FOR SELECT smartpouch.health() ->> 'status' IS NULL, i FROM generate_series(1, 3) i; FETCH ALL FROM c; COMMIT}), "f|1\nf|2\nf|3", 'in a cursor');

# --- by eight sessions at once
my $script = PostgreSQL::Test::Utils::tempdir() . '/health.sql';
append_to_file($script, qq{DO \$\$ BEGIN ASSERT ($wrong) IS NULL, ($wrong); ASSERT smartpouch.ready(), 'ready'; END \$\$;});
$node->command_ok([ 'pgbench', '-n', '-c', 8, '-j', 2, '-t', 20, '-f', $script, $node->connstr('postgres') ], 'eight sessions at once');

# --- ready()
is(sql(q{SELECT smartpouch.ready(NULL), smartpouch.ready('m'), smartpouch.ready('m@production'), smartpouch.ready('m:2'), smartpouch.ready('m@staging'),
    smartpouch.ready('m:3'), smartpouch.ready('none'), smartpouch.ready(''), smartpouch.ready('a b c')}), 't|t|t|t|f|f|f|f|f', 'ready() of any reference');
sql(q{SELECT smartpouch.set_canary('m', 'production', 2, 50)});
is(sql(q{SELECT smartpouch.ready('m')}), 't', 'with a canary');
sql(q{SELECT smartpouch.import_model('bare', artifact) FROM tiny WHERE name = 'regression'});
is(sql(q{SELECT smartpouch.ready('bare'), smartpouch.ready('bare:1'), smartpouch.ready()}), 'f|t|t', 'a model that nothing serves is not ready, which is nothing wrong');
# half imported: what another session has not committed is not there
my $importer = $node->background_psql('postgres');
$importer->query_safe(q{BEGIN; SELECT smartpouch.import_model('new', artifact) FROM tiny WHERE name = 'regression'; SELECT smartpouch.promote('new', 1, 'production')});
is(sql(q{SELECT smartpouch.ready('new'), smartpouch.ready('m'), smartpouch.ready()}), 'f|t|t', 'while a model is imported');
is($importer->query_safe(q{SELECT smartpouch.ready('new')}), 't', 'which its session has already');
$importer->query_safe('COMMIT');
$importer->quit;
is(sql(q{SELECT smartpouch.ready('new')}), 't', 'and others after the commit');
# bytes that are gone: what is in memory answers, and only that
sql(q{ALTER TABLE smartpouch.blob DISABLE TRIGGER refuse_change; CREATE TABLE kept AS TABLE smartpouch.blob; DELETE FROM smartpouch.blob});
is(sql(q{SELECT smartpouch.predict('m:1', ARRAY[40, 60]), smartpouch.ready('m:1'), smartpouch.ready()}), '1.75|t|f', 'what is in memory answers and is ready, but not all is well');
sql(q{SELECT smartpouch.evict_model('m:1')});
is(sql(q{SELECT smartpouch.ready('m:1')}), 'f', 'what is not is not');
like(($node->psql('postgres', q{SELECT smartpouch.predict('m:1', ARRAY[40, 60])}))[2], qr/are damaged/, 'as predict() says');
sql(q{INSERT INTO smartpouch.blob TABLE kept; ALTER TABLE smartpouch.blob ENABLE ALWAYS TRIGGER refuse_change});
is(sql(q{SELECT smartpouch.ready('m:1'), smartpouch.ready()}), 't|t', 'until its bytes are back');

# --- right after CREATE EXTENSION, in a database that was made from one with keys, without pg_cron
sql('CREATE DATABASE fresh');
is(sql("CREATE EXTENSION smartpouch; $wrong", $node, 'fresh'), '', 'right after CREATE EXTENSION nothing has failed');
is(sql(q{SELECT smartpouch.health() -> 'checks' ?| '{rollup:lag,jobs:scheduled,standby:replayLag,backup:verifiedAge,log:parameters,log:statements}'}, $node, 'fresh'), 'f',
    'and what there is nothing of is not looked at');
sql("CREATE EXTENSION smartpouch VERSION '1.0.0'", $node, (sql('CREATE DATABASE earlier'), 'earlier')[1]);
like(state_of('installation:version', '', $node, 'earlier'), qr/^fail .*ALTER EXTENSION smartpouch UPDATE/, 'before an update health() says what to do');
is(sql("ALTER EXTENSION smartpouch UPDATE; $wrong", $node, 'earlier'), '', 'and after it nothing has failed');

# --- a standby that loses its primary
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('behind');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'smartpouch.max_replay_lag = 1s');
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
like(state_of('standby:replayLag', '', $standby), qr/^pass$/, 'a standby that keeps up');
is(sql(q{SELECT smartpouch.health() -> 'checks' ? 'worker:round'}, $standby), 'f', 'has no background worker to look at');

# what a standby counts waits for its promotion; there its writer will not end
sql(q{BEGIN; LOCK TABLE smartpouch.key_count; PREPARE TRANSACTION 'in the way'});
sql('CHECKPOINT');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
sql('CHECKPOINT', $standby);
$node->stop;
$standby->poll_query_until('postgres', q{SELECT smartpouch.health() #>> '{checks,standby:replayLag,0,status}' = 'fail'}) or die 'no failure';
like(state_of('standby:replayLag', '', $standby), qr/^fail there is no connection to the primary, which was last heard of so long ago$/, 'one without a primary says so');
is(sql('SELECT smartpouch.live(), smartpouch.ready()', $standby), 't|f', 'it lives, but is not ready');
# somebody listens in its place, and does not answer
my $deaf_folder = PostgreSQL::Test::Utils::tempdir_short();
my $deaf = IO::Socket::UNIX->new(Type => SOCK_STREAM, Local => "$deaf_folder/.s.PGSQL.5432", Listen => 5) or die "socket: $!";
$standby->append_conf('postgresql.conf', "primary_conninfo = 'host=$deaf_folder port=5432'");
$standby->reload;
ok($standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'walreceiver' AND backend_start < clock_timestamp() - interval '1s'}),
    'a receiver that tries to connect');
like(state_of('standby:replayLag', '', $standby), qr/^fail there is no connection to the primary/, 'is no connection');
is(sql('SELECT smartpouch.ready()', $standby), 'f', 'and makes nothing ready');
$standby->restart;
is(state_of('standby:replayLag', '', $standby), 'unknown nothing has come from the primary since this server was started', 'one that has not seen its primary knows nothing');
is(sql('SELECT smartpouch.ready()', $standby), 'f', 'and is not ready');
is(sql(q{SELECT count(*) FROM string_to_table(smartpouch.prometheus(), E'\n') line WHERE line LIKE 'smartpouch_replay_lag%'}, $standby), 0, 'there is no metric of it');
$standby->append_conf('postgresql.conf', "smartpouch.max_replay_lag = 0\nsmartpouch.max_auth_staleness = -1");
$standby->reload;
ok($standby->poll_query_until('postgres', 'SELECT smartpouch.ready()'), 'unless any lag will do');
like(state_of('standby:replayLag', '', $standby), qr/^pass$/, 'which is healthy then');
sql(q{SELECT smartpouch.authenticate(token) FROM token}, $standby);

# --- a worker that never was through with its databases
$standby->promote;
my $writer = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'smartpouch writer'};
my $stopped = 0;
for (1 .. 600)
{
    # it gives up after 2 s, and may be gone before it is stopped
    $stopped = sql($writer, $standby) || 0;
    last if $stopped && kill('STOP', $stopped) && sql($writer, $standby) eq $stopped;
    sleep 0.05;
    $stopped = 0;
}
ok($stopped, 'a writer that stands still');
my $since = time;
sleep 2;
cmp_ok(sql(q{SELECT smartpouch.health() #>> '{checks,worker:round,0,observedValue}'}, $standby), '>=', 1, 'is seen since it began');

# --- without background workers there is no launcher
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->start;
like(state_of('worker:round'), qr/^warn the smartpouch launcher does not run/, 'a launcher that could not be started');
sql("ROLLBACK PREPARED 'in the way'");
$node->stop;

# --- without preload
$node->append_conf('postgresql.conf', "max_worker_processes = 8\nshared_preload_libraries = ''\nlog_statement = 'all'");
$node->start;
is(sql(q{SELECT smartpouch.live(), smartpouch.ready(), smartpouch.ready('m')}), 't|t|t', 'without preload it lives and is ready');
is(sql(q{SELECT smartpouch.health() -> 'checks' ?| '{keys:tracked,audit:lost,worker:round}'}), 'f', 'what is in shared memory is not looked at');
like(state_of('server:preload'), qr/^warn /, 'which is a warning');
like(state_of('log:statements'), qr/^warn statements are logged/, 'statements are logged as they are');
$node->append_conf('postgresql.conf', "log_statement = 'none'");
$node->reload;
ok($node->poll_query_until('postgres', q{SELECT smartpouch.health() #>> '{checks,log:statements,0,status}' = 'pass'}), 'or not at all');
like(state_of('log:statements', "SET $_"), qr/^warn /, $_) foreach "log_statement = 'ddl'", 'log_min_duration_statement = 100', 'log_min_duration_sample = 100',
    'log_transaction_sample_rate = 0.1';
$node->stop;

# --- the writer that stands still, later
sleep 0.5 while time < $since + 66;
like(state_of('worker:round', '', $standby), qr/^warn the background worker is not through with its databases: look for locks/, 'after a minute that is a warning');
kill 'CONT', $stopped if $stopped;
ok($standby->poll_query_until('postgres', q{SELECT smartpouch.health() #>> '{checks,worker:round,0,output}' NOT LIKE '%not through%'}), 'until it goes on');
$standby->stop;
done_testing();
