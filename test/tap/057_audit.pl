# The audit and the background worker: refusals outlive what they end, a ring that is
# full says what it lost, and the worker outlives crashes and is in nobody's way.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Smartpouch;

my $node = new_server('audit', allows_streaming => 1, conf => q{
shared_preload_libraries = 'smartpouch'
smartpouch.flush_interval = 1s
# a name of an application can be anything
log_line_prefix = '%m [%p] '
});

sub sql { my ($sql, $database, $server) = @_; return ($server // $node)->safe_psql($database // 'postgres', $sql) }
sub comes { my ($condition, $what, $database, $server) = @_;
    ok(($server // $node)->poll_query_until($database // 'postgres', "SELECT $condition"), $what) }
sub log_since { my ($from, $server) = @_; return slurp_file(($server // $node)->logfile, $from) }
sub log_size { my ($server) = @_; return -s ($server // $node)->logfile }

# A model, keys whose tokens no statement has, and refusals in numbers.
sub prepare
{
    my ($database) = @_;
    sql(slurp_file(source_dir() . '/test/pgtap/tiny.inc') . q{
        SELECT smartpouch.import_model('a', artifact) FROM tiny WHERE name = 'regression';
        SELECT smartpouch.promote('a', 1, 'production');
        CREATE TABLE token (name text PRIMARY KEY, token text, key_id text GENERATED ALWAYS AS (split_part(token, '_', 3)) STORED);
        INSERT INTO token VALUES ('good', smartpouch.create_api_key('alice', ARRAY['predict:model/a'])),
            ('revoked', smartpouch.create_api_key('bob', ARRAY['predict:model/*']));
        SELECT smartpouch.revoke_api_key(key_id, 'lost on a train') FROM token WHERE name = 'revoked';
        CREATE FUNCTION refused(times integer) RETURNS bigint LANGUAGE sql AS $$
            SELECT count(*) FILTER (WHERE NOT (smartpouch.verify_api_key((SELECT token FROM token WHERE name = 'revoked' AND i > 0))).valid)
            FROM generate_series(1, times) i $$}, $database);
}
prepare('postgres');
my $refusals = q{(SELECT count(*) FROM smartpouch.audit_events WHERE action = 'refuse')};

# --- what happens to keys
like(sql(q{SELECT string_agg(concat_ws(' ', e.action, t.name, e.owner, e.reason, e.session_role), ', ' ORDER BY id)
    FROM smartpouch.audit_events e JOIN token t USING (key_id) WHERE e.action IN ('create', 'revoke')}),
    qr/^create good alice \w+, create revoked bob \w+, revoke revoked bob lost on a train \w+$/, 'events of keys, with who did it');
is(sql(q{BEGIN; SELECT 1 FROM token, smartpouch.disable_api_key(key_id) WHERE name = 'good'; ROLLBACK;
    SELECT count(*) FROM smartpouch.audit_events WHERE action = 'disable'}), "1\n0", 'belong to their transaction');

# --- refusals outlive what they end
my $from = log_size();
my ($rc, $out, $err) = $node->psql('postgres', q{BEGIN; CREATE TABLE gone (a integer); SELECT smartpouch.infer(token, 'a', '[40, 60]') FROM token WHERE name = 'revoked'; COMMIT});
like($err, qr/ERROR/, 'a revoked key is refused');
comes("$refusals = 1", 'a refusal is in the table, though its transaction is gone');
is(sql(q{SELECT concat_ws(' ', reason, t.name, e.owner, session_role IS NOT NULL, application_name) FROM smartpouch.audit_events e JOIN token t USING (key_id) WHERE action = 'refuse'}),
    'revoked revoked bob t ' . sql('SHOW application_name'), 'with the reason, the key, its owner and the caller');
like(log_since($from), qr/LOG:  smartpouch refused API key \w{12}: revoked/, 'it is in the server log at once');
unlike(log_since($from), qr/sp_live_\w{12}_/, 'which has no token, in the statement of the error neither');
($rc, $out, $err) = $node->psql('postgres', q{SET application_name = 'the desk'; SELECT smartpouch.authenticate(token), smartpouch.authorize('promote', 'model/a') FROM token WHERE name = 'good'});
comes("$refusals = 2", 'a key that lacks the scope');
is(sql(q{SELECT concat_ws(' ', reason, detail ->> 'action', detail ->> 'resource', application_name) FROM smartpouch.audit_events WHERE reason = 'scope'}),
    'scope promote model/a the desk', 'what it asked for');
sql(q{SELECT smartpouch.verify_api_key('no key'), smartpouch.verify_api_key(NULL), smartpouch.verify_api_key('sp_live_' || repeat('x', 40))});
comes("$refusals = 5", 'what is no key at all');
is(sql(q{SELECT count(*) FROM smartpouch.audit_events WHERE reason = 'malformed' AND key_id IS NULL AND owner IS NULL}), 3, 'has no id');
comes(q{(SELECT refused = '{"revoked": 1}' AND uses = 0 FROM smartpouch.key_use JOIN token USING (key_id) WHERE name = 'revoked')}, 'refusals are counted by key and reason');

# --- append-only
foreach ("UPDATE smartpouch.audit_event SET reason = NULL", 'DELETE FROM smartpouch.audit_event', 'TRUNCATE smartpouch.audit_event',
    "SET session_replication_role = replica; DELETE FROM smartpouch.audit_event")
{
    ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_");
    like($err, qr/ERROR:  55000/, "refused to superusers too: $_");
}
($rc, $out, $err) = $node->psql('postgres', "SELECT smartpouch.expire_audit('29 days')");
like($err, qr/kept for at least 30 days/, 'young events cannot be expired');
is(sql(q{INSERT INTO smartpouch.audit_event (at, action) SELECT now() - interval '2 years', 'old' FROM generate_series(1, 3);
    SELECT smartpouch.expire_audit(), smartpouch.expire_audit(dry_run => false), smartpouch.expire_audit()}), '3|3|0', 'old ones can');
is(sql(q{SELECT detail ->> 'events' FROM smartpouch.audit_events WHERE action = 'expire'}), 3, 'which is an event');

# --- a ring that is full
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE smartpouch.audit_event IN SHARE MODE');
sql('SELECT refused(3000)');
comes(q{smartpouch.health() #>> '{checks,audit:lost,0,status}' = 'warn'}, 'health() warns of lost refusals');
comes(q{smartpouch.health() #>> '{checks,worker:round,0,output}' IS NOT NULL}, 'and of a worker that cannot write');
$locker->query_safe('COMMIT');
$locker->quit;
comes("$refusals > 1000", 'the worker goes on when it can');
comes(q{(SELECT sum((detail ->> 'refusals')::bigint) FROM smartpouch.audit_events WHERE action = 'lose') + } . "$refusals = 3005", 'rows and the losses that they tell of are all refusals');
comes(q{(SELECT (refused ->> 'revoked')::bigint = 3001 FROM smartpouch.key_use JOIN token USING (key_id) WHERE name = 'revoked')}, 'and the counts have all of them');

# --- the worker among others
# a writer is there for a moment after what it has written
comes(q{(SELECT string_agg(concat_ws(' ', backend_type, datname), ', ') FROM pg_stat_activity WHERE backend_type LIKE 'smartpouch%') = 'smartpouch launcher'},
    'one launcher, of no database');
my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'smartpouch launcher'});
sql("SELECT pg_terminate_backend($pid)");
comes(qq{count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'smartpouch launcher' AND pid <> $pid}, 'a launcher that is terminated comes back');
my $before = sql("SELECT $refusals");
sql('SELECT refused(1)');
comes("$refusals = $before + 1", 'and does its work');
$pid = sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'smartpouch launcher'});
kill_backend($node, $pid);
$node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'smartpouch launcher' AND pid <> $pid}) or die 'no launcher';
$before = sql("SELECT $refusals");
sql('SELECT refused(2)');
comes("$refusals = $before + 2", 'and writes refusals as before');

# --- databases come and go
foreach my $database ('short', 'bare')
{
    sql("CREATE DATABASE $database");
    sql('CREATE EXTENSION smartpouch', $database);
    prepare($database);
    sql('SELECT refused(700)', $database);
    comes("$refusals = 700", "refusals of another database go to its own table", $database);
}
# autovacuum may be there
comes("count(*) = 0 FROM pg_stat_activity WHERE datname = 'short' AND backend_type LIKE 'smartpouch%'", 'no worker stays connected');
sql('SELECT refused(1000)', 'short');
my $began = time;
sql('DROP DATABASE short');
cmp_ok(time - $began, '<', 30, 'a database can be dropped while its refusals are written');
sql('SELECT refused(10); DROP EXTENSION smartpouch', 'bare');
# the second round begins when the first, which knew of all, is through
foreach my $round ('first', 'second')
{
    $before = sql("SELECT $refusals");
    sql('SELECT refused(1)');
    comes("$refusals = $before + 1", "a database that is gone, or without the extension, is in nobody's way: $round round");
}
sql('CREATE EXTENSION smartpouch', 'bare');
is(sql("SELECT $refusals", 'bare'), 0, 'its refusals are forgotten');
$from = log_size();
sql('ALTER DATABASE bare SET default_transaction_read_only = on; ALTER DATABASE bare ALLOW_CONNECTIONS false');
sleep 2;
unlike(log_since($from), qr/FATAL|PANIC/, 'and what cannot be connected to is not tried again and again');

# --- long texts are cut, at a character; a token in them is masked
$before = sql("SELECT $refusals");
my $odd = 'sp_live_4Zk9QmXb27Lp_' . 'secret' x 6;
($rc, $out, $err) = $node->psql('postgres', "SET application_name = '$odd'; SELECT smartpouch.authenticate(token) FROM token WHERE name = 'revoked'");
comes("$refusals = $before + 1", 'a refusal of a session with an odd name');
is(sql('SELECT application_name FROM smartpouch.audit_events ORDER BY id DESC LIMIT 1'), 'sp_live_4Zk9QmXb27Lp_' . '*' x 36, 'whose name is masked');
$before = sql("SELECT $refusals");
foreach my $letter ("\x{e9}", "\x{20ac}")
{
    utf8::encode(my $bytes = $letter x 300);
    $node->psql('postgres', "SELECT smartpouch.authenticate(token), smartpouch.has_permission('predict', 'model/$bytes'), smartpouch.authorize('predict', 'model/$bytes') FROM token WHERE name = 'good'");
}
sql('SELECT refused(1)');
comes("$refusals = $before + 3", 'long resources do not stop the worker');
is(sql(q{SELECT count(*) FROM smartpouch.audit_events WHERE octet_length(detail ->> 'resource') > 127}), 0, 'and are cut');

# --- a dump has the audit, and events go on from there
my $events = q{SELECT count(*), max(id) FROM smartpouch.audit_event};
my $all = sql($events);
sql('CREATE DATABASE restored');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/audit.dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $node->connstr('postgres') ], 'dump');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), $dump ], 'restore');
is(sql($events, 'restored'), $all, 'a dump has all events');
is(sql(q{SELECT smartpouch.set_owner_limit('zoe', 1); SELECT max(id) FROM smartpouch.audit_event}, 'restored'), "\n" . ((split /\|/, $all)[1] + 1), 'and their number goes on');

# --- shutdown waits for nothing
$locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE smartpouch.audit_event IN SHARE MODE');
sql('SELECT refused(1)');
sleep 1.2;
$began = time;
$node->stop('fast');
cmp_ok(time - $began, '<', 60, 'the server stops while the worker waits for a lock');
$node->start;

# --- a standby writes to its log alone
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('audit_standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->append_conf('postgresql.conf', "smartpouch.flush_interval = 1s");
$standby->start;
$node->wait_for_catchup($standby);
$before = sql("SELECT $refusals", 'postgres', $standby);
$from = log_size($standby);
is(sql('SELECT refused(3)', 'postgres', $standby), 3, 'refusals on a standby');
is(() = log_since($from, $standby) =~ /smartpouch refused API key \w{12}: revoked/g, 3, 'are in its log');
sleep 2;
is(sql("SELECT $refusals", 'postgres', $standby), $before, 'and in no table');
unlike(log_since($from, $standby), qr/ERROR|FATAL/, 'nothing tries to write');
$standby->promote;
is(sql('SELECT refused(3)', 'postgres', $standby), 3, 'refusals after promotion');
comes("$refusals = $before + 3", 'are in the table', 'postgres', $standby);
$standby->stop;

# --- without preload the log is all
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
$from = log_size();
is(sql('SELECT refused(1)'), 1, 'a refusal without preload');
like(log_since($from), qr/smartpouch refused API key \w{12}: revoked/, 'is in the log');
$node->stop;
done_testing();
