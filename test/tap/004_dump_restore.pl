# A dump carries the registry: after a restore every prediction is equal, the
# next import works, and owners of the old cluster have no rights in a new one.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

# the role comes first, so that its OID can be the same in another cluster
my $node = new_server('source', before => 'CREATE ROLE keeper; CREATE ROLE app');
my @names = fixtures();
my @fixtures = map { read_fixture($_) } @names;
foreach my $fixture (@fixtures)
{
    load_fixture($node, $fixture);
    import_fixture($node, $fixture);
    $node->safe_psql('postgres', qq{
        SELECT smartpouch.promote('$fixture->{name}', 1, 'production', 'before the dump');
        SELECT smartpouch.set_alias('$fixture->{name}', 'kept', 1);
        SELECT smartpouch.set_owner('$fixture->{name}', 'keeper');});
}
$node->safe_psql('postgres', qq{
    SELECT smartpouch.add_golden('xgb_pouch_softprob', to_jsonb(r), '{"label": "0"}') FROM xgb_pouch_softprob r WHERE id = 1});
$node->safe_psql('postgres', "INSERT INTO smartpouch.stage VALUES ('lab', 1), ('production', 2)");
# history: something rolled back, and a model that is gone
$node->safe_psql('postgres', qq{
    SELECT smartpouch.rename_model('$names[0]', 'other'), smartpouch.rename_model('other', '$names[0]');
    SELECT smartpouch.import_model('gone', smartpouch.model_artifact('$names[0]')), smartpouch.promote('gone', 1, 'lab', 'für Žofie');
    SELECT smartpouch.drop_deployment('gone', 'lab');
    SELECT smartpouch.drop_model('gone')});
$node->safe_psql('postgres', qq{
    SELECT smartpouch.grant_access('app', 'predictor'), smartpouch.grant_model('$names[0]', 'app', 'predict');
    GRANT SELECT ON "$names[0]" TO app});
# a canary: keys go the same way after a restore
import_fixture($node, $fixtures[0]);
$node->safe_psql('postgres', "SELECT smartpouch.set_canary('$names[0]', 'production', 2, 50)");
my $routes = qq{SELECT md5(string_agg(smartpouch.predict_json_for('$names[0]', 'key ' || id, to_jsonb(r)) ->> 'version', ' ' ORDER BY id)) FROM "$names[0]" r};
my $routed = $node->safe_psql('postgres', $routes);
my $as_app = qq{SET ROLE app; SELECT count(smartpouch.predict_json('$names[0]', to_jsonb(r))) > 0 FROM "$names[0]" r};
my $whole  = 'SELECT smartpouch.registry_digest(), (SELECT count(*) FROM smartpouch.verify_history())';
my $digest = $node->safe_psql('postgres', $whole);
like($digest, qr/^\\x[0-9a-f]{64}\|0$/, 'histories are whole');
my %before = map { $_->{name} => all_predictions($node, $_) } @fixtures;
my $registry = q{
    SELECT 'version', md5(string_agg(v::text, ';' ORDER BY v::text)) FROM smartpouch.versions v
    UNION ALL SELECT 'deployment', md5(string_agg(d::text, ';' ORDER BY d::text)) FROM smartpouch.deployments d
    UNION ALL SELECT 'alias', md5(string_agg(a::text, ';' ORDER BY a::text)) FROM smartpouch.aliases a
    UNION ALL SELECT 'history', md5(string_agg(h::text, ';' ORDER BY h::text)) FROM smartpouch.history h
    UNION ALL SELECT 'golden', md5(string_agg(g::text, ';' ORDER BY g::text)) FROM smartpouch.golden g
    UNION ALL SELECT 'stage', md5(string_agg(s::text, ';' ORDER BY s::text)) FROM smartpouch.stages s};
my $rows = $node->safe_psql('postgres', $registry);

my $dir = PostgreSQL::Test::Utils::tempdir();
command_ok([ 'pg_dump', '-Fc', '-f', "$dir/db.dump", '-d', $node->connstr('postgres') ], 'pg_dump, custom format');
command_ok([ 'pg_dump', '-f', "$dir/db.sql", '-d', $node->connstr('postgres') ], 'pg_dump, plain');

# into another database of the same cluster
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE template0');
command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('copy'), "$dir/db.dump" ], 'pg_restore');
is($node->safe_psql('copy', $registry), $rows, 'the registry is the same');
is($node->safe_psql('copy', $whole), $digest, 'so is its digest, and histories are whole');
is($node->safe_psql('copy', $routes), $routed, 'keys go the same way');
is($node->safe_psql('copy', $as_app), 't', 'rights are kept in another database of the cluster');
is($node->safe_psql('copy', 'SELECT role, level, valid FROM smartpouch.access_grants'), 'app|predictor|t', 'levels of access too');
is(join(' ', grep { all_predictions($node, read_fixture($_), 'copy') ne $before{$_} } @names),
    '', 'predictions of all ' . @names . ' fixtures are equal');
is(import_fixture($node, $fixtures[0], undef, 'copy'), 3, 'the next import gets the next number');
isnt($node->safe_psql('copy', "SELECT smartpouch.health() ->> 'status'"), 'fail', 'healthy');

# into another cluster, as plain SQL
my $target = PostgreSQL::Test::Cluster->new('target');
$target->init(extra => \@initdb_options);
$target->start;
$target->safe_psql('postgres', 'CREATE ROLE keeper; CREATE ROLE app');
$target->psql('postgres', undef, extra_params => [ '-q', '-f', "$dir/db.sql" ], on_error_stop => 1, stdout => undef);
is($target->safe_psql('postgres', $registry), $rows, 'plain restore elsewhere: the registry is the same');
is($target->safe_psql('postgres', $whole), $digest, 'so is its digest, and histories are whole');
like(($target->psql('postgres', $as_app))[2], qr/permission denied for model/, 'privileges on models are not of another cluster');
is($target->safe_psql('postgres', 'SELECT role, level, valid FROM smartpouch.access_grants'), 'app|predictor|f', 'nor levels of access');
$target->safe_psql('postgres', "CREATE DATABASE latin ENCODING 'LATIN2' LOCALE 'C' TEMPLATE template0");
$target->psql('latin', undef, extra_params => [ '-q', '-f', "$dir/db.sql" ], on_error_stop => 1, stdout => undef);
is($target->safe_psql('latin', $whole), $digest, 'in a database of another encoding too');
is(join(' ', grep { all_predictions($target, read_fixture($_)) ne $before{$_} } @names),
    '', 'predictions of all fixtures are equal there');
is($target->safe_psql('postgres', $routes), $routed, 'keys go the same way there');
my $oid = 'SELECT oid FROM pg_roles WHERE rolname = \'keeper\'';
is($target->safe_psql('postgres', $oid), $node->safe_psql('postgres', $oid),
    'the role of this name has the same OID there, as happens');
is($target->safe_psql('postgres', "SELECT smartpouch.health() #>> '{checks,models:owners,0,status}'"), 'warn',
    'health() says that the owners are no roles there');
is($target->safe_psql('postgres', 'SELECT count(owner) FROM smartpouch.models'), 0, 'nor does the view name them');
my $grants = 'GRANT USAGE ON SCHEMA smartpouch TO keeper; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO keeper';
$_->safe_psql('postgres', $grants) foreach ($node, $target);
my $promote = "SET ROLE keeper; SELECT smartpouch.promote('$names[0]', 1, 'lab')";
is(($node->psql('postgres', $promote))[0], 0, 'the owner promotes in its own cluster');
like(($target->psql('postgres', $promote))[2], qr/permission denied for model/, 'and is nobody in the other');

# where roles are known to be the same, the setting says so
my $id = $node->safe_psql('postgres', 'SELECT system_identifier FROM pg_control_system()');
$target->append_conf('postgresql.conf', "smartpouch.cluster_id = '$id'");
$target->reload;
is(($target->psql('postgres', $promote))[0], 0, 'smartpouch.cluster_id carries owners over');
is($target->safe_psql('postgres', $as_app), 't', 'and privileges');
is($target->safe_psql('postgres', 'SELECT count(owner) = count(*) FROM smartpouch.models'), 't', 'as the view shows');

# with several jobs, which load tables in any order
my $now = $node->safe_psql('postgres', $registry);
command_ok([ 'pg_dump', '-Fd', '-j4', '-f', "$dir/db.dir", '-d', $node->connstr('postgres') ], 'pg_dump -j4');
$node->safe_psql('postgres', 'CREATE DATABASE jobs TEMPLATE template0');
command_ok([ 'pg_restore', '--exit-on-error', '-j4', '-d', $node->connstr('jobs'), "$dir/db.dir" ], 'pg_restore -j4');
is($node->safe_psql('jobs', $registry), $now, 'the registry is the same');
command_ok([ 'pg_restore', '--exit-on-error', '--clean', '--if-exists', '-j4', '-d', $node->connstr('jobs'), "$dir/db.dir" ],
    'pg_restore --clean -j4 over it');
is($node->safe_psql('jobs', $registry), $now, 'the registry is the same');

# data only, with triggers disabled, into an installed extension
$node->safe_psql('postgres', 'CREATE DATABASE data TEMPLATE template0');
$node->safe_psql('data', 'CREATE EXTENSION smartpouch');
command_ok([ 'pg_restore', '--exit-on-error', '--data-only', '--disable-triggers', '-n', 'smartpouch',
        '-d', $node->connstr('data'), "$dir/db.dump" ], 'pg_restore --data-only --disable-triggers');
is($node->safe_psql('data', $registry), $rows, 'the registry is the same');
my $status = $node->safe_psql('data', "SELECT smartpouch.health() ->> 'status'");
my $mended = $node->safe_psql('data', 'SELECT smartpouch.repair_triggers()');
is($status eq 'fail', $mended > 0, "health() noticed the $mended triggers that were set back");
isnt($node->safe_psql('data', "SELECT smartpouch.health() ->> 'status'"), 'fail', 'healthy after repair_triggers()');

$target->stop;
$node->stop;
done_testing();
