# Where keys and their hashes must not turn up when keys are handed over as bind
# parameters: the server log, pg_stat_activity, pg_stat_statements, catalogs, dumps
# of definitions, messages. What a typed literal gives away is in doc/security.md.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch qw(:DEFAULT session ask bye);

my $node = new_server('leaks', conf => q{
shared_preload_libraries = 'pg_stat_statements, auto_explain, smartpouch'
log_statement = all
log_min_duration_statement = 0
log_error_verbosity = verbose
log_min_messages = debug1
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
auto_explain.log_min_duration = 0
auto_explain.log_analyze = on
auto_explain.log_verbose = on
auto_explain.log_nested_statements = on
pg_stat_statements.track = all
smartpouch.shadow_timeout = 60s
});
if ($node->safe_psql('postgres', 'SHOW server_version_num') >= 160000)
{
    $node->append_conf('postgresql.conf', 'auto_explain.log_parameter_max_length = 0');
    $node->reload;
}
prepare_changes($node);
$node->safe_psql('postgres', q{CREATE EXTENSION pg_stat_statements; SELECT smartpouch.promote('a', 1, 'production'), smartpouch.promote('a', 1, 'staging')});
my $dir = PostgreSQL::Test::Utils::tempdir();

# Statements with the variables as bind parameters of the extended protocol.
sub run_bound
{
    my ($script, %variables) = @_;
    my $file = "$dir/script.sql";
    open(my $out, '>', $file) or die;
    print $out "$script\n";
    close($out);
    my ($said, $err);
    # a plan that is made for the values of parameters has them as constants, which a verbose one shows
    local $ENV{PGOPTIONS} = '-c auto_explain.log_verbose=off';
    my $ok = IPC::Run::run([ 'pgbench', '-n', '-M', 'extended', '-t', '1', '-f', $file,
            (map { ('-D', "$_=$variables{$_}") } sort keys %variables), $node->connstr('postgres') ], '>', \$said, '2>', \$err);
    return $ok ? '' : $err;
}
my $all = $node->safe_psql('postgres', q{SELECT smartpouch.create_api_key('alice', ARRAY['predict:model/a', 'see:orders/*'], description => 'x')});
my $next = $node->safe_psql('postgres', "SELECT smartpouch.rotate_api_key('" . (split /_/, $all)[2] . "')");
my $wide = $node->safe_psql('postgres', q{SELECT smartpouch.create_api_key('alice', ARRAY['predict:model/*'])});
my ($prefix, $stage, $id, $secret) = split /_/, $all;
my $wrong = "${prefix}_${stage}_${id}_" . substr($next, 21);

is(run_bound('SELECT smartpouch.infer(:token, :model, :features::jsonb);', token => $all, model => 'a', features => '[40,60]'), '', 'a prediction');
is(run_bound('SELECT smartpouch.verify_api_key(:token);', token => $all), '', 'a verification');
is(run_bound('SELECT smartpouch.verify_api_key(:token);', token => $wrong), '', 'of a damaged key');
is(run_bound("BEGIN;\nSELECT smartpouch.authenticate(:token);\nSELECT smartpouch.current_owner();\nCOMMIT;", token => $next), '', 'an identity');
my @messages = (
    run_bound('SELECT smartpouch.infer(:token, :model, :features::jsonb);', token => $wrong, model => 'a', features => '[40,60]'),
    run_bound('SELECT smartpouch.infer(:token, :model, :features::jsonb);', token => $all, model => 'a@staging', features => '[40,60]'),
    run_bound('SELECT smartpouch.infer(:token, :model, :features::jsonb);', token => $all, model => $next, features => '[40,60]'),
    run_bound('SELECT smartpouch.infer(:token, :model, :features::jsonb);', token => 'a', model => $all, features => '[40,60]'),
    run_bound('SELECT smartpouch.infer(:token, :model, :features::jsonb);', token => $all, model => "no reference $next", features => '[40,60]'),
    run_bound('SELECT smartpouch.infer(:token, :model, :features::jsonb);', token => $wide, model => $next, features => '[40,60]'),
    run_bound('SELECT smartpouch.authenticate(:token);', token => "x$all"),
    run_bound("BEGIN;\nSELECT smartpouch.authenticate(:token);\nSELECT smartpouch.authorize(:token, :token);", token => $all),
    run_bound('SELECT smartpouch.create_api_key(:token, ARRAY[\'see:a\']);', token => $all),
    run_bound('SELECT smartpouch.create_api_key(\'x\', ARRAY[:token]);', token => $all),
    run_bound('SELECT smartpouch.create_api_key(\'x\', ARRAY[\'see:a\'], :token);', token => $all),
    run_bound('SELECT smartpouch.create_api_key(\'x\', ARRAY[\'see:a\'], description => :token);', token => $all),
    run_bound('SELECT smartpouch.rotate_api_key(:token);', token => $all),
    run_bound('SELECT smartpouch.revoke_api_key(:token);', token => $all),
    run_bound('SELECT smartpouch.revoke_api_key(:id, :token);', id => $id, token => $all),
    run_bound('SELECT smartpouch.set_api_key_scopes(:token, ARRAY[\'see:a\']);', token => $all));
is(scalar(grep { /ERROR/ } @messages), scalar(@messages), 'keys in all the wrong places are errors');
my @secrets = map { (split /_/, $_)[3] } ($all, $next);
my $halves = join '|', map { (substr($_, 0, 16), substr($_, 16, 16)) } @secrets;
unlike(join("\n", @messages), qr/$halves/, 'error texts have no secret');

# while a statement runs, and between statements of a transaction: both last until they have been seen
my $keeper = session($node);
ask($keeper, 'SELECT pg_advisory_lock(1)');
append_to_file("$dir/until_seen.sh", "until test -e $dir/seen; do sleep 0.1; done\n");
append_to_file("$dir/wait.sql", "BEGIN;\nSELECT smartpouch.authenticate(:token), pg_advisory_xact_lock(1);\n\\shell sh $dir/until_seen.sh\nCOMMIT;\n");
$ENV{PGOPTIONS} = '-c auto_explain.log_verbose=off';
my $bench = IPC::Run::start([ 'pgbench', '-n', '-M', 'extended', '-t', '1', '-f', "$dir/wait.sql", '-D', "token=$all", $node->connstr('postgres') ],
    '>', \my $said, '2>', \my $err);
my $seen = '';
foreach my $state ('active', 'idle in transaction')
{
    $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = '$state' AND query LIKE '%authenticate(%'") or die "never $state";
    $seen .= $node->safe_psql('postgres', 'SELECT string_agg(to_jsonb(a)::text, E\'\n\') FROM pg_stat_activity a');
    bye($keeper) if $state eq 'active';
}
append_to_file("$dir/seen", '');
IPC::Run::finish($bench) or diag $err;
like($seen, qr/authenticate\(\$1\)/, 'pg_stat_activity has the statement');
unlike($seen, qr/$halves/, 'and no secret');

# what was typed in this test by ids and names only, so nothing is left out
my @hashes = split /\n/, $node->safe_psql('postgres', q{SELECT encode(hash, 'hex') FROM smartpouch.api_key});
my @escaped = split /\n/, $node->safe_psql('postgres', q{SELECT encode(hash, 'base64') FROM smartpouch.api_key});
my $hash = join '|', (map { substr($_, 0, 32) } @hashes), (map { quotemeta substr($_, 0, 20) } @escaped);
$node->safe_psql('postgres', 'ANALYZE');
my $statements = $node->safe_psql('postgres', 'SELECT string_agg(query, E\'\n\') FROM pg_stat_statements');
like($statements, qr/INSERT INTO smartpouch\.api_key/, 'pg_stat_statements has the statements, nested ones too');
unlike($statements, qr/$halves/, 'no secret in pg_stat_statements');
unlike($statements, qr/$hash/, 'nor a hash');

my ($definitions) = run_command([ 'pg_dump', '--schema-only', '-d', $node->connstr('postgres') ]);
unlike($definitions, qr/$halves|$hash/, 'none in a dump of the definitions');
my $rows = $node->safe_psql('postgres', q{SELECT string_agg(query_to_xml(format('SELECT r::text FROM %s r', c.oid::regclass), true, true, '')::text, E'\n')
    FROM pg_class c WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r'});
cmp_ok(length($rows), '>', 100_000, 'all catalogs');
is(join(' ', $rows =~ /$halves|$hash/g), '', 'nor in any catalog, statistics included');
my $tables = $node->safe_psql('postgres', q{SELECT string_agg(query_to_xml(format('SELECT r::text FROM %s r', c.oid::regclass), true, true, '')::text, E'\n')
    FROM pg_class c WHERE relnamespace = 'smartpouch'::regnamespace AND relkind IN ('r', 'v') AND relname NOT IN ('blob', 'model_cache')});
like($tables, qr/$id/, 'the tables and views of the extension have the id');
unlike($tables, qr/$halves/, 'but no secret');

my $log = slurp_file($node->logfile);
like($log, qr/INSERT INTO smartpouch\.api_key/, 'the log has all statements');
like($log, qr/infer\(\$1, \$2, \$3::jsonb\)/, 'with parameters');
is(join(' ', $log =~ /$hash/g), '', 'no hash in the log');
is(join(' ', $log =~ /$halves/g), '', 'no secret in the log');

# the canary goes by the owner, the shadow is compared
$node->safe_psql('postgres', q{SELECT smartpouch.set_shadow('a', 'production', v, 100), smartpouch.set_canary('a', 'production', v, 50) FROM smartpouch.import_model('a', based(7)) v});
# which owners are the canary's depends on the model's id, which is random
my ($same, $versions, $others) = split /\|/, $node->safe_psql('postgres', q{
    WITH made AS MATERIALIZED (SELECT o, smartpouch.create_api_key('owner ' || o, ARRAY['predict:model/a']) AS token FROM generate_series(1, 60) o),
        answered AS MATERIALIZED (SELECT smartpouch.infer(token, 'a', '[40, 60]') AS by_key,
            smartpouch.predict_json_for('a', 'owner ' || o, '[40, 60]') AS by_name FROM made)
    SELECT count(*) FILTER (WHERE by_key = by_name), count(DISTINCT by_key ->> 'version'), count(*) FILTER (WHERE by_key ->> 'version' = '1') FROM answered});
is("$same $versions", '60 2', 'infer() sends an owner where its name as a routing key goes');
is($node->safe_psql('postgres', q{SELECT agreed, differed, errors FROM smartpouch.shadows}), '0|' . 2 * $others . '|0', 'and the shadow is compared, for the others than the canary\'s');
$node->stop;
done_testing();
