# What must not work with API keys on a server with smartpouch in
# shared_preload_libraries; 050_api_key_attacks.pl has what needs no shared memory.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $node = new_server('hostile', conf => "shared_preload_libraries = 'smartpouch'\nsmartpouch.flush_interval = 1");
prepare_changes($node);
$node->safe_psql('postgres', q{SELECT smartpouch.promote('a', 1, 'production')});

sub refused { my ($sql) = @_; return ($node->psql('postgres', "\\set VERBOSITY verbose\n$sql"))[2] }
sub launchers { return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'smartpouch %'}) }

my $token = $node->safe_psql('postgres', q{SELECT smartpouch.create_api_key('alice', ARRAY['predict:model/a'])});

# ---- keys where they do not belong

like(refused("SELECT smartpouch.set_owner_limit('$token', 5)"), qr/22023.*an owner must not have an API key in it/, 'a limit for a key in place of its owner');
is($node->safe_psql('postgres', 'SELECT count(*) FROM smartpouch.owner_limits'), 0, 'is not stored');
foreach my $owner (q{''}, q{repeat('x', 256)})
{
    my $error = refused("SELECT smartpouch.set_owner_limit($owner, 5)");
    like($error, qr/22023: the owner of a key has 1 to 255 bytes/, "a limit for nobody: $owner");
    unlike($error, qr/Failing row|INSERT|xxx/, 'and the message has neither the argument nor the statement');
}

# ---- identities that outlive what they were shown for

$node->safe_psql('postgres', q{CREATE TABLE orders (owner text, id integer);
    INSERT INTO orders VALUES ('alice', 1), ('alice', 2), ('bob', 3);
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON orders USING (owner = smartpouch.current_owner());
    CREATE ROLE app LOGIN;
    SELECT smartpouch.grant_access('app', 'predictor'), smartpouch.grant_model('a', 'app', 'predict');
    GRANT SELECT ON orders TO app;
    CREATE FUNCTION who() RETURNS text LANGUAGE sql STABLE AS $$ SELECT coalesce(smartpouch.current_owner(), 'nobody') $$});
sub said
{
    my ($sql, $user) = @_;
    my ($status, $out, $errors) = $node->psql('postgres', $sql, extra_params => [ '-U', $user // 'app' ], on_error_stop => 0);
    my ($notices) = join ' ', $errors =~ /NOTICE:  (.*)/g;
    return join ' ', grep { length } (split /\n/, $out), $notices;
}
my $show = "SELECT smartpouch.authenticate('$token') IS NULL";

is(said("DO \$\$ BEGIN
    BEGIN PERFORM smartpouch.authenticate('$token'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END;
    RAISE NOTICE '%', who();
    BEGIN PERFORM smartpouch.authenticate('$token'); EXCEPTION WHEN division_by_zero THEN NULL; END;
    RAISE NOTICE '%', who(); END \$\$; SELECT who()"),
    'nobody nobody alice', 'a block of PL/pgSQL that fails takes its identity along, one that ends well leaves it to the transaction');
is(said("BEGIN; $show; DECLARE held CURSOR WITH HOLD FOR SELECT id, who() FROM orders; COMMIT; FETCH ALL FROM held; SELECT who()"),
    'f 1|alice 2|alice nobody', 'a held cursor has what its transaction saw, and gives nobody the identity');
is(said(q{BEGIN; CREATE TEMP TABLE t (id integer);
    CREATE FUNCTION pg_temp.tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''%'', public.who(); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.tell();
    SAVEPOINT s; } . "$show; ROLLBACK TO s; INSERT INTO t VALUES (1); COMMIT; BEGIN; $show; INSERT INTO t VALUES (2); COMMIT"),
    'f f nobody alice', 'a deferred trigger sees the identity that the transaction ends with');
is(said("BEGIN; $show; COMMIT; DISCARD ALL; SELECT who()"), 'f nobody', 'nobody after DISCARD ALL');
is(said("SET plan_cache_mode = force_generic_plan; PREPARE mine AS SELECT count(*) FROM orders; BEGIN; $show; EXECUTE mine; COMMIT; EXECUTE mine"),
    'f 2 0', 'a prepared plan does not keep what one transaction could see');
my $parallel = $node->safe_psql('postgres', q{SELECT CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'force_parallel_mode' ELSE 'debug_parallel_query' END});
$node->safe_psql('postgres', "CREATE FUNCTION lies(token text) RETURNS text LANGUAGE sql PARALLEL SAFE AS \$\$ SELECT smartpouch.infer(token, 'a', '[40, 60]') ->> 'value' \$\$");
is(said("SET $parallel = on; SELECT DISTINCT lies('$token') FROM pg_class"), '2.25', 'infer() in a worker whose function lies about it needs the key too');

# ---- roles that would have more

my $root = $node->safe_psql('postgres', q{SELECT smartpouch.create_api_key('root', ARRAY['predict:model/*', 'promote:model/*', 'admin:keys'])});
my $root_id = (split /_/, $root)[2];
like(refused("SET ROLE app; SELECT smartpouch.infer('$root', 'b', '[40, 60]')"), qr/42501.*permission denied for model "b"/, 'the key of a superuser gives a role no model');
like(refused("SET ROLE app; BEGIN; $show; SELECT smartpouch.promote('a', 1, 'production')"), qr/42501.*permission denied for function promote/, 'nor a function');
$node->safe_psql('postgres', q{CREATE ROLE boss; CREATE ROLE heir LOGIN NOINHERIT; GRANT boss TO heir;
    SELECT smartpouch.grant_access('boss', 'admin'), smartpouch.grant_access('heir', 'predictor');
    GRANT EXECUTE ON FUNCTION smartpouch.create_api_key, smartpouch.rotate_api_key, smartpouch.revoke_api_key TO heir});
like(refused("SET SESSION AUTHORIZATION heir; SELECT smartpouch.$_"), qr/42501/, "a member that does not inherit: " . (split /\(/)[0])
    foreach ("create_api_key('x', ARRAY['admin:keys'])", "rotate_api_key('$root_id')", "revoke_api_key('$root_id')");
is(said("SET ROLE boss; SELECT length(smartpouch.create_api_key('x', ARRAY['admin:keys']))", 'heir'), '59', 'unless it sets the role');
my $super = $node->safe_psql('postgres', 'SELECT current_user');
like(refused("SET SESSION AUTHORIZATION heir; SET ROLE boss; SELECT smartpouch.adopt_api_keys('$super')"), qr/42501/, 'an administrator gives keys to no role that is not its own');

# ---- the background worker

$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'smartpouch launcher'}) or die 'no launcher';
$node->stop;
system_or_bail('pg_ctl', '-D', $node->data_dir, '-l', $node->logfile, '-o', '-b', '-w', 'start');
sleep 1;
is(launchers(), 0, 'no background worker in the mode of pg_upgrade');
system_or_bail('pg_ctl', '-D', $node->data_dir, '-w', 'stop');

done_testing();
