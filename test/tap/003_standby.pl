# A hot standby predicts, follows promotions without being asked, and refuses writes.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch;

my $primary = new_server('primary', allows_streaming => 1);
my $fixture = read_fixture('xgb_diabetes_squarederror');
my $other   = read_fixture('xgb_diabetes_tweedie');
load_fixture($primary, $fixture);
import_fixture($primary, $fixture, 'm');
import_fixture($primary, $other,   'm');
$primary->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

my $sum = qq{SELECT sum(smartpouch.predict('m', r)) FROM "$fixture->{name}" r};
my $first = $primary->safe_psql('postgres', $sum);
is($standby->safe_psql('postgres', $sum), $first, 'the standby predicts as the primary');

# One session on the standby, with its caches warm, over a promotion.
my ($in, $out, $err) = ('', '', '');
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $standby->connstr('postgres') ],
    '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(600));
my $ask = sub {
    my ($sql) = @_;
    $out = '';
    $in .= "$sql;\nSELECT 'done';\n";
    IPC::Run::pump($psql) until $out =~ /done\n/;
    $out =~ s/done\n//;
    chomp $out;
    return $out;
};
is($ask->($sum), $first, 'a session of the standby');
$primary->safe_psql('postgres', "SELECT smartpouch.promote('m', 2, 'production')");
my $second = $primary->safe_psql('postgres', $sum);
isnt($second, $first, 'the promotion changes answers');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($ask->($sum), $second, 'the session of the standby follows it');
isnt($ask->("SELECT smartpouch.health() ->> 'status'"), 'fail', 'health() works on a standby');

# by the clock: one transaction there looks at the table, which changes with the replay, and then predicts
my $one = qq{smartpouch.predict('m', r) FROM "$fixture->{name}" r WHERE id = 1};
my $back = $primary->safe_psql('postgres', "SELECT smartpouch.predict('m:1', r) FROM \"$fixture->{name}\" r WHERE id = 1");
my $took;
# once more where the machine stood still
foreach my $round (1 .. 5)
{
    $err = '';
    $in .= qq{DO \$\$ DECLARE
            answer float8; served integer; replayed timestamptz;
        BEGIN
            SELECT $one INTO answer;
            RAISE NOTICE 'warm';
            FOR i IN 1 .. 20000 LOOP
                SELECT version FROM smartpouch.deployments WHERE model = 'm' AND stage = 'production' INTO served;
                IF served = 1 THEN replayed := coalesce(replayed, clock_timestamp()); END IF;
                SELECT $one INTO answer;
                EXIT WHEN replayed IS NOT NULL AND answer = $back;
                PERFORM pg_sleep(0.002);
            END LOOP;
            RAISE NOTICE 'seen after % ms', extract(epoch FROM clock_timestamp() - replayed) * 1000;
        END \$\$;\n};
    IPC::Run::pump($psql) until $err =~ /warm/;
    $primary->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");
    IPC::Run::pump($psql) until $err =~ /seen after .*\n/;
    ($took) = $err =~ /seen after ([0-9.]+) ms/ or last;
    note "$took ms";
    $primary->safe_psql('postgres', "SELECT smartpouch.promote('m', 2, 'production')");
    $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
    last if $took < 1000;
}
ok(defined $took, 'a warm session sees a promotion that is replayed while its transaction runs') or diag $err;
cmp_ok($took, '<', 1000, 'within a second of the replay');

# 1,000,000 predictions while the primary promotes to and fro: each query has one
# version for all its rows, with the bits that the primary gives
my $rows = $primary->safe_psql('postgres', qq{SELECT count(*) FROM "$fixture->{name}"});
my $times = int(100_000 / $rows) + 1;
my $bits = sub { my ($ref) = @_; return qq{SELECT count(*), sum(hashfloat8(smartpouch.predict('$ref', r) * (1 + i * 1e-9)))
    FROM "$fixture->{name}" r, generate_series(1, $times) i} };
my %allowed = map { $primary->safe_psql('postgres', $bits->("m:$_")) => $_ } (1, 2);
my ($load_in, $load_out) = (q{DO $$ BEGIN
    FOR i IN 1 .. 1000000 LOOP
        PERFORM smartpouch.promote('m', 1 + i % 2, 'production');
        COMMIT;
        PERFORM pg_sleep(0.01);
        EXIT WHEN EXISTS (SELECT FROM pg_tables WHERE tablename = 'enough');
    END LOOP; END $$; SELECT 'ended';} . "\n", '');
my $load = IPC::Run::start([ 'psql', '-XAtq', '-d', $primary->connstr('postgres') ], '<', \$load_in, '>', \$load_out, '2>&1', IPC::Run::timeout(600));
IPC::Run::pump_nb($load);
my (%seen, $others);
my $queries = 0;
while ($queries < 10 || $queries < 100 && keys %seen < 2)
{
    $queries++;
    my $found = $ask->($bits->('m'));
    $allowed{$found} ? $seen{ $allowed{$found} }++ : ($others .= "$found ");
}
$primary->safe_psql('postgres', 'CREATE TABLE enough ()');
IPC::Run::pump($load) until $load_out =~ /ended|ERROR/;
$load_in .= "\\q\n";
IPC::Run::finish($load);
is($others, undef, 'every query on the standby has the bits of one version, as the primary gives them');
cmp_ok($queries * $times * $rows, '>=', 1_000_000, 'of a million predictions');
is(join(' ', sort keys %seen), '1 2', 'while versions changed');
$primary->safe_psql('postgres', "SELECT smartpouch.promote('m', 2, 'production')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));

# rights: a warm session of the standby has them, loses them and gets them back with the replay
$primary->safe_psql('postgres', qq{
    CREATE ROLE app;
    CREATE ROLE team;
    SELECT smartpouch.grant_access('app', 'predictor'), smartpouch.grant_model('m', 'app', 'predict');
    GRANT SELECT ON "$fixture->{name}" TO app});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
my $as_app = sub { $err = ''; return $ask->($sum) . ($err =~ /(permission denied for model "m")/ ? $1 : '') };
$ask->('SET ROLE app');
is($as_app->(), $second, 'a role with the privilege predicts on the standby');
foreach my $step (
    [ q{SELECT smartpouch.revoke_model('m', 'app', 'predict')}, 'permission denied for model "m"', 'revoked' ],
    [ q{SELECT smartpouch.grant_model('m', 'team', 'predict')}, 'permission denied for model "m"', 'granted to a team' ],
    [ q{GRANT team TO app}, $second, 'which the role joins' ],
    [ q{REVOKE team FROM app}, 'permission denied for model "m"', 'and leaves' ],
    [ q{SELECT smartpouch.grant_access('app', 'admin')}, $second, 'made an administrator' ])
{
    my ($sql, $expected, $name) = @$step;
    $primary->safe_psql('postgres', $sql);
    $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
    is($as_app->(), $expected, "seen by a warm session of the standby: $name");
}
is($ask->('SELECT count(*) FROM smartpouch.models'), 1, 'views work there');
is($ask->('SELECT count(*) FROM smartpouch.verify_history()'), 0, 'histories are whole there');
is($ask->('SELECT smartpouch.registry_digest()'), $primary->safe_psql('postgres', 'SELECT smartpouch.registry_digest()'),
    'and its digest is that of the primary');
# a canary: keys go the same way on both, and a warm session of the standby sees it set
my $routed = qq{SELECT md5(string_agg(smartpouch.predict_for('m', 'key ' || r.id, r)::text, ' ' ORDER BY r.id)) FROM "$fixture->{name}" r};
my $unrouted = $ask->($routed);
$primary->safe_psql('postgres', "SELECT smartpouch.set_canary('m', 'production', 1, 30)");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
isnt($ask->($routed), $unrouted, 'a canary is seen by a warm session of the standby');
is($ask->($routed), $primary->safe_psql('postgres', $routed), 'and its keys are those of the primary');
foreach my $call ("promote('m', 1, 'production')", "rollback('m', 'production')", "drop_deployment('m', 'production')",
    "set_alias('m', 'a', 1)", "drop_alias('m', 'a')", "drop_version('m:1')", "drop_model('m')", "rename_model('m', 'n')",
    "set_owner('m', 'app')", "grant_model('m', 'app', 'read')", "revoke_model('m', 'team', 'predict')",
    "set_canary('m', 'production', 1, 5)", "drop_canary('m', 'production')", "grant_access('app', 'monitor')", "revoke_access('app', 'admin')", "set_stages(ARRAY['production'])",
    "import_model('m', decode('7b7d', 'hex'))", "upload_begin('m')", "upload_chunk(1, 1, decode('00', 'hex'))", "import_upload(1)")
{
    my ($code, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT smartpouch.$call");
    like($err, qr/25006/, "the standby refuses $call");
}
$in .= "\\q\n";
IPC::Run::finish($psql);

$standby->stop;
$primary->stop;
done_testing();
