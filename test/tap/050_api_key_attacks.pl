# What must not work with API keys: forged and kept identities, keys that have
# ended, keys elsewhere. One named test for each attack; those that need no
# second session or transaction are in test/pgtap/api_keys.sql.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $node = new_server('keys');
prepare_changes($node);
$node->safe_psql('postgres', q{
    SELECT smartpouch.promote('a', 1, 'production'), smartpouch.promote('b', 1, 'production');
    CREATE ROLE mallory LOGIN;
    CREATE ROLE app LOGIN;
    SELECT smartpouch.grant_access('mallory', 'predictor'), smartpouch.grant_access('app', 'predictor');
    SELECT smartpouch.grant_model('a', 'mallory', 'predict'), smartpouch.grant_model('a', 'app', 'predict');
    GRANT CREATE ON DATABASE postgres TO mallory;
    CREATE TABLE orders (owner text, id integer);
    INSERT INTO orders SELECT CASE i % 2 WHEN 0 THEN 'alice' ELSE 'mallory' END, i FROM generate_series(1, 10000) i;
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON orders USING (owner = smartpouch.current_owner());
    GRANT SELECT ON orders TO mallory, app;
    ANALYZE orders});

sub new_key
{
    my ($owner, %options) = @_;
    my $database = $options{database} // 'postgres';
    my $more = $options{more} ? ", $options{more}" : '';
    return $node->safe_psql($database, "SELECT smartpouch.create_api_key('$owner', ARRAY['predict:model/a', 'see:orders/*']$more)");
}
sub id_of { return (split /_/, $_[0])[2] }
sub code_of { my ($token, $server, $database) = @_; return ($server // $node)->safe_psql($database // 'postgres', "SELECT code FROM smartpouch.verify_api_key('$token')") }

# A key with a right check, as who knows the form can write one.
sub with_check
{
    my ($body) = @_;
    my @digits = ('0' .. '9', 'A' .. 'Z', 'a' .. 'z');
    my ($crc, $check) = (0xFFFFFFFF, '');
    foreach my $byte (unpack 'C*', $body)
    {
        $crc ^= $byte;
        $crc = $crc >> 1 ^ ($crc & 1 ? 0xEDB88320 : 0) foreach (1 .. 8);
    }
    $crc ^= 0xFFFFFFFF;
    foreach (1 .. 6) { $check = $digits[$crc % 62] . $check; $crc = int($crc / 62) }
    return $body . $check;
}

# A session that stays open. What it says comes back, errors too.
sub open_session
{
    my ($user, $server) = @_;
    my $self = { in => '', out => '' };
    $self->{psql} = IPC::Run::start([ 'psql', '-XAtq', '-d', ($server // $node)->connstr('postgres') . " user=$user" ],
        '<', \$self->{in}, '>', \$self->{out}, '2>&1', IPC::Run::timeout(600));
    return $self;
}
sub ask
{
    my ($session, $sql) = @_;
    $session->{out} = '';
    $session->{in} .= "$sql;\n\\echo done\n";
    IPC::Run::pump($session->{psql}) until $session->{out} =~ /^done\n/m;
    $session->{out} =~ s/^done\n//m;
    chomp $session->{out};
    return $session->{out};
}
sub close_session { my ($session) = @_; $session->{in} .= "\\q\n"; IPC::Run::finish($session->{psql}); return }

my $alice = new_key('alice');
my $mallory = new_key('mallory');
my $who = 'SELECT coalesce(smartpouch.current_owner(), \'nobody\')';
my $app = open_session('app');
my $evil = open_session('mallory');

# keys that have ended when they are looked at below
my $late = open_session('app');
my $short = new_key('alice', more => q{expires_in => '15 s'});
ask($late, 'BEGIN'); ask($late, "SELECT smartpouch.authenticate('$short')");
is(ask($late, $who), 'alice', 'a key that will expire soon');
my $first = new_key('alice');
my $second = $node->safe_psql('postgres', "SELECT smartpouch.rotate_api_key('" . id_of($first) . "', '15 s')");
is(code_of($first) . ' ' . code_of($second), 'valid valid', 'in the time of grace');

# ---- forged identities

is(ask($evil, $who), 'nobody', 'at first a session is nobody');
foreach my $set ("SET smartpouch.current_api_key = '" . id_of($alice) . "'", "SET smartpouch.current_owner = 'alice'",
    "SET LOCAL smartpouch.api_key = 'x'", "SELECT set_config('smartpouch.owner', 'alice', false)")
{
    like(ask($evil, $set), qr/ERROR: +invalid configuration parameter name/, 'forged by a setting: ' . ($set =~ s/\w+\('/ /r =~ s/[' ]+= .*//r));
}
ask($evil, "SET my.api_key = 'alice'; SET my.current_owner = 'alice'; SET application_name = 'alice'");
is(ask($evil, $who), 'nobody', 'a custom setting makes nobody somebody');
my $early = open_session('mallory');
ask($early, "SET smartpouch.current_owner = 'alice'; SET smartpouch.api_key = '" . id_of($alice) . "'");
like(ask($early, $who), qr/nobody$/, 'nor one that was set before the library came');
close_session($early);
is(ask($evil, 'SELECT count(*) FROM orders'), 0, 'and its policies show nothing');

ask($evil, q{CREATE FUNCTION pg_temp.current_owner() RETURNS text LANGUAGE sql AS $$ SELECT 'alice' $$;
    CREATE TEMP TABLE api_key (id text, hash bytea); INSERT INTO api_key VALUES ('x', '');
    CREATE TEMP VIEW api_keys AS SELECT 'alice' AS owner; SET search_path = pg_temp, smartpouch, public});
is(ask($evil, 'SELECT count(*) FROM orders') . ' ' . ask($evil, $who), '0 nobody', 'forged by temporary objects');
ask($evil, q{RESET search_path; CREATE SCHEMA evil;
    CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE FUNCTION evil.yes(bytea, bytea) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
    CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes);
    CREATE OPERATOR evil.>= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes);
    CREATE OPERATOR evil.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = evil.yes);
    CREATE FUNCTION evil.current_owner() RETURNS text LANGUAGE sql AS $$ SELECT 'alice' $$;
    SET search_path = evil, pg_catalog});
is(with_check(substr($alice, 0, 53)), $alice, 'the check of a key');
my $halves = with_check(substr($alice, 0, 21) . substr($mallory, 21, 32));
is(ask($evil, "SELECT code FROM smartpouch.verify_api_key('$halves')"), 'unknown', "forged by operators of another schema: one's id and another's secret");
is(ask($evil, 'SELECT count(*) FROM public.orders') . ' ' . ask($evil, $who), '0 nobody', 'and policies keep to their own operators');
$node->safe_psql('postgres', "GRANT USAGE ON SCHEMA evil TO PUBLIC; SET search_path = evil, pg_catalog; SELECT smartpouch.disable_api_key('" . id_of($mallory) . "')");
is(code_of($alice) . ' ' . code_of($mallory), 'valid disabled', 'an administrator with that search_path changes what was meant');
$node->safe_psql('postgres', "SELECT smartpouch.enable_api_key('" . id_of($mallory) . "')");
ask($evil, 'RESET search_path');

# mallory's code in somebody's transaction, as SECURITY DEFINER and without
ask($evil, qq{CREATE FUNCTION evil.definer() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS \$\$
    BEGIN RETURN smartpouch.authenticate('$mallory'); EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END \$\$;
    CREATE FUNCTION evil.invoker() RETURNS text LANGUAGE plpgsql AS \$\$
    BEGIN RETURN smartpouch.authenticate('$mallory'); EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END \$\$});
ask($app, 'BEGIN'); ask($app, "SELECT smartpouch.authenticate('$alice')");
is(ask($app, 'SELECT evil.definer(), evil.invoker()'), '28000|28000', 'a function that is SECURITY DEFINER of another role puts no other key in place');
is(ask($app, $who) . ' ' . ask($app, 'SELECT count(*) FROM orders'), 'alice 5000', 'the transaction stays whose it was');
is(ask($app, "SELECT smartpouch.authenticate('$alice')"), id_of($alice), 'its own key again is fine');
ask($app, 'COMMIT');

# ---- identities that stay

is(ask($app, $who), 'nobody', 'no identity after COMMIT');
ask($app, 'BEGIN'); ask($app, "SELECT smartpouch.authenticate('$alice')"); ask($app, 'COMMIT AND CHAIN');
is(ask($app, $who), 'nobody', 'nor after COMMIT AND CHAIN'); ask($app, 'COMMIT');
ask($app, 'BEGIN'); ask($app, "SELECT smartpouch.authenticate('$alice')"); ask($app, 'ROLLBACK');
is(ask($app, $who), 'nobody', 'nor after ROLLBACK');
ask($app, 'BEGIN'); ask($app, "SELECT smartpouch.authenticate('$alice')"); ask($app, 'SELECT 1 / 0'); ask($app, 'COMMIT');
is(ask($app, $who), 'nobody', 'nor after an error');
ask($app, 'BEGIN'); ask($app, "SELECT smartpouch.authenticate('$alice')"); ask($app, "PREPARE TRANSACTION 'p'");
is(ask($app, $who), 'nobody', 'nor after PREPARE TRANSACTION'); ask($app, "ROLLBACK PREPARED 'p'");
is(ask($app, qq{CREATE TEMP TABLE seen (who text);
    DO \$\$ BEGIN PERFORM smartpouch.authenticate('$alice'); INSERT INTO seen SELECT smartpouch.current_owner(); COMMIT;
    INSERT INTO seen SELECT coalesce(smartpouch.current_owner(), 'nobody'); END \$\$; SELECT string_agg(who, ' ') FROM seen}),
    'alice nobody', 'nor after COMMIT in a procedure');
ask($app, 'BEGIN'); ask($app, 'SAVEPOINT s'); ask($app, "SELECT smartpouch.authenticate('$alice')");
is(ask($app, $who), 'alice', 'after a savepoint');
ask($app, 'ROLLBACK TO SAVEPOINT s');
is(ask($app, $who), 'nobody', 'no identity after ROLLBACK TO SAVEPOINT');
is(ask($app, "SELECT smartpouch.authenticate('$mallory')"), id_of($mallory), 'then another key can have the transaction');
ask($app, 'ROLLBACK'); ask($app, 'BEGIN'); ask($app, 'SAVEPOINT s'); ask($app, "SELECT smartpouch.authenticate('$alice')"); ask($app, 'RELEASE s');
is(ask($app, $who), 'alice', 'RELEASE keeps what it has');
ask($app, 'SAVEPOINT t'); ask($app, 'ROLLBACK TO SAVEPOINT t');
is(ask($app, $who), 'alice', 'and so does a rollback to a later savepoint'); ask($app, 'COMMIT');
is(ask($app, qq{SELECT split_part(smartpouch.authenticate('$alice'), '_', 1) IS NOT NULL}), 't', 'a transaction of one statement');
is(ask($app, $who) . ' ' . ask($app, 'SELECT count(*) FROM orders') . ' ' . ask($app, q{SELECT smartpouch.has_permission('see', 'orders/1')}),
    'nobody 0 f', 'the next client of a pooled session is nobody');
ask($app, 'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY');
is(ask($app, "BEGIN; SELECT smartpouch.authenticate('$alice') IS NOT NULL; SELECT smartpouch.current_owner(); COMMIT"), "t\nalice", 'a read-only transaction');
ask($app, 'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE');

# parallel workers
my $parallel = $node->safe_psql('postgres', q{SELECT CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode' ELSE 'debug_parallel_query' END});
$node->safe_psql('postgres', q{CREATE FUNCTION lies() RETURNS text LANGUAGE plpgsql PARALLEL SAFE AS 'BEGIN RETURN coalesce(smartpouch.current_owner(), ''nobody''); END'});
ask($app, 'SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off');
ask($app, 'BEGIN'); ask($app, "SELECT smartpouch.authenticate('$alice')");
is(ask($app, 'SELECT count(*) FROM orders'), 5000, 'a policy in a query that could be parallel');
unlike(ask($app, 'EXPLAIN (COSTS OFF) SELECT count(*) FROM orders'), qr/Gather.*current_owner/s, 'no worker asks who it is');
is(ask($app, "SET LOCAL $parallel = on; SELECT DISTINCT lies() FROM pg_class"), 'nobody', 'a parallel worker has no identity, whatever a function claims to be');
ask($app, 'COMMIT');

# ---- keys that have ended

$node->safe_psql('postgres', 'SELECT pg_sleep(extract(epoch FROM max(expires_at) - clock_timestamp()) + 0.1) FROM smartpouch.api_keys'
      . " WHERE key_id IN ('" . id_of($short) . "', '" . id_of($first) . "')");
is(ask($late, $who) . ' ' . ask($late, q{SELECT smartpouch.has_permission('see', 'orders/1'), count(*) FROM orders}), 'nobody f|0', 'expired inside a long transaction');
like(ask($late, q{SELECT smartpouch.authorize('see', 'orders/1')}), qr/not authenticated with a valid API key/, 'nor is it authorized');
ask($late, 'ROLLBACK');
close_session($late);
is(code_of($first) . ' ' . code_of($second), 'expired valid', 'replay after the time of grace');

foreach my $isolation ('READ COMMITTED', 'REPEATABLE READ')
{
    my $lost = new_key('alice');
    ask($app, "BEGIN ISOLATION LEVEL $isolation"); ask($app, "SELECT smartpouch.authenticate('$lost')");
    ask($app, "DECLARE who CURSOR FOR SELECT coalesce(smartpouch.current_owner(), 'nobody') FROM generate_series(1, 9)");
    ask($app, "DECLARE answer CURSOR FOR SELECT smartpouch.infer('$lost', 'a', '[40, 60]') ->> 'value' FROM generate_series(1, 9)");
    is(ask($app, 'FETCH who') . ' ' . ask($app, 'FETCH answer'), 'alice 2.25', "$isolation: two cursors");
    $node->safe_psql('postgres', "SELECT smartpouch.revoke_api_key('" . id_of($lost) . "')");
    is(ask($app, 'FETCH who'), 'nobody', "$isolation: revoked during a cursor");
    like(ask($app, 'FETCH answer'), qr/the API key is not valid/, "$isolation: and the next answer of another is refused");
    ask($app, 'ROLLBACK');
}
my $withdrawn = new_key('alice');
ask($app, 'BEGIN'); ask($app, "SELECT smartpouch.authenticate('$withdrawn')");
$node->safe_psql('postgres', "SELECT smartpouch.set_api_key_scopes('" . id_of($withdrawn) . "', ARRAY['see:nothing'])");
is(ask($app, q{SELECT smartpouch.has_permission('see', 'orders/1')}), 'f', 'scopes that were taken away during a transaction');
$node->safe_psql('postgres', "DELETE FROM smartpouch.api_key WHERE id = '" . id_of($withdrawn) . "'");
is(ask($app, $who), 'nobody', 'a row that a superuser took away');
ask($app, 'ROLLBACK');

# a revocation that rolls back leaves the key, one that commits ends it, both at once
my $super = $node->safe_psql('postgres', 'SELECT current_user');
my $admin = open_session($super);
my $kept = new_key('alice');
ask($admin, 'BEGIN'); ask($admin, "SELECT smartpouch.revoke_api_key('" . id_of($kept) . "')");
is(ask($admin, "SELECT code FROM smartpouch.verify_api_key('$kept')") . ' ' . ask($app, "SELECT code FROM smartpouch.verify_api_key('$kept')"),
    'revoked valid', 'a revocation is its transaction\'s until that has committed');
ask($admin, 'ROLLBACK');
is(ask($admin, "SELECT code FROM smartpouch.verify_api_key('$kept')"), 'valid', 'and nobody\'s if it has not');
my $mistakes = 0;
foreach my $i (1 .. 50)
{
    my $change = $i % 2 ? 'disable' : 'enable';
    ask($admin, "SELECT smartpouch.${change}_api_key('" . id_of($kept) . "')");
    $mistakes++ if ask($app, "SELECT code FROM smartpouch.verify_api_key('$kept')") ne ($i % 2 ? 'disabled' : 'valid');
}
is($mistakes, 0, 'every change holds at the next statement of another session');

# two sessions rotate one key: one of them does
my $raced = new_key('alice');
ask($admin, 'BEGIN'); ask($admin, "SELECT length(smartpouch.rotate_api_key('" . id_of($raced) . "'))");
my $other = open_session($super);
$other->{in} .= "SELECT smartpouch.rotate_api_key('" . id_of($raced) . "');\n\\echo done\n";
IPC::Run::pump_nb($other->{psql});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%rotate_api_key%'}) or die 'nobody waits';
ask($admin, 'COMMIT');
IPC::Run::pump($other->{psql}) until $other->{out} =~ /^done\n/m;
like($other->{out}, qr/another key has replaced it/, 'a key that two rotate at once is rotated once');
close_session($other);

# ---- keys elsewhere

close_session($_) foreach ($app, $evil, $admin);
$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE postgres');
is(code_of($alice, $node, 'copied'), 'foreign', 'a copied database takes no keys of the original');
is(code_of($alice), 'valid', 'which takes them as before');
my $dir = PostgreSQL::Test::Utils::tempdir();
command_ok([ 'pg_dump', '-f', "$dir/db.sql", '-d', $node->connstr('postgres') ], 'pg_dump');
my $target = PostgreSQL::Test::Cluster->new('target');
$target->init(extra => \@initdb_options);
$target->start;
$target->safe_psql('postgres', 'CREATE ROLE mallory; CREATE ROLE app');
$target->psql('postgres', undef, extra_params => [ '-q', '-f', "$dir/db.sql" ], on_error_stop => 1, stdout => undef);
is(code_of($alice, $target), 'foreign', 'nor does another cluster, from a dump');
like(($target->psql('postgres', "SELECT smartpouch.infer('$alice', 'a', '[40, 60]')"))[2], qr/the API key is not valid/, 'infer() says no more');
is($target->safe_psql('postgres', "SELECT smartpouch.health() #>> '{checks,keys:adoption,0,status}'"), 'fail', 'health() fails while keys wait');
$target->safe_psql('postgres', "SELECT smartpouch.revoke_api_key('" . id_of($mallory) . "'), smartpouch.adopt_api_keys()");
is(code_of($alice, $target) . ' ' . code_of($mallory, $target), 'valid revoked', 'adopted, but for the one that was revoked before');
is($target->safe_psql('postgres', "SELECT smartpouch.infer('$alice', 'a', '[40, 60]') ->> 'value'"), '2.25', 'it predicts there');
$target->append_conf('postgresql.conf', "smartpouch.cluster_id = 'a copy'");
$target->reload;
is(code_of($alice, $target), 'foreign', 'another name of the cluster makes them foreign again, as in a physical copy');
my $elsewhere = $target->safe_psql('postgres', q{SELECT smartpouch.create_api_key('eve', ARRAY['see:orders/*'])});
is(code_of($elsewhere, $target) . ' ' . code_of($elsewhere), 'valid unknown', 'a key of there is nobody\'s here');
is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.publication_tables() t WHERE t::text LIKE '%api_key%'}), 0, 'keys are not published');

$target->stop;
$node->stop;
done_testing();
