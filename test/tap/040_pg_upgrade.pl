# pg_upgrade carries the registry over: answers, histories, numbers and rights
# are what they were, though the new cluster has another system identifier.
# SMARTPOUCH_OLD_BINDIR names the programs of an older server with smartpouch;
# without it the server is upgraded to itself.
use strict;
use warnings FATAL => 'all';

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $old_bindir = $ENV{SMARTPOUCH_OLD_BINDIR};
my $old = PostgreSQL::Test::Cluster->new('old', $old_bindir ? (install_path => dirname($old_bindir)) : ());
# where keys are, health() asks for the second
my $preload = "shared_preload_libraries = 'smartpouch'\nlog_parameter_max_length = 0";
$old->init(extra => [ @initdb_options, '--data-checksums' ]);
$old->append_conf('postgresql.conf', $preload);
$old->start;
note $old->safe_psql('postgres', 'SELECT version()');

# roles of other OIDs than a new cluster would give them in this order
$old->safe_psql('postgres', q{
    CREATE ROLE passing; CREATE ROLE keeper; CREATE ROLE app; CREATE ROLE boss; DROP ROLE passing;
    CREATE EXTENSION smartpouch});
my @names = qw(xgb_pouch_softprob onnx_wine_random_forest lgb_diabetes_linear onnx_digits_lstm);
my @fixtures = map { read_fixture($_) } @names;
foreach my $fixture (@fixtures)
{
    load_fixture($old, $fixture);
    import_fixture($old, $fixture) for 1 .. 2;
    $old->safe_psql('postgres', qq{
        SELECT smartpouch.promote('$fixture->{name}', 2, 'production'), smartpouch.promote('$fixture->{name}', 1, 'production', 'before');
        SELECT smartpouch.set_alias('$fixture->{name}', 'kept', 2), smartpouch.set_owner('$fixture->{name}', 'keeper');
        SELECT smartpouch.grant_model('$fixture->{name}', 'app', 'predict');
        SELECT smartpouch.expire_history('$fixture->{name}', '-1 day', false)});
}
my $upload = $old->safe_psql('postgres', qq{
    SELECT smartpouch.grant_access('app', 'predictor'), smartpouch.grant_access('boss', 'admin') \\g /dev/null
    SELECT smartpouch.set_canary('$names[0]', 'production', 2, 50), smartpouch.set_shadow('$names[1]', 'production', 2, 10) \\g /dev/null
    SELECT smartpouch.add_golden('$names[0]:1', to_jsonb(r), '{"label": "0"}') FROM "$names[0]" r WHERE id = 1 \\g /dev/null
    SELECT smartpouch.record_evaluation('$names[0]:1', 'holdout', '{"accuracy": 0.9}'),
        smartpouch.set_gate('staging', '{"golden": true}'), smartpouch.snapshot_model('$names[0]:1', 'by hand') \\g /dev/null
    SELECT smartpouch.import_model('gone', smartpouch.model_artifact('$names[0]:1')), smartpouch.drop_model('gone') \\g /dev/null
    GRANT SELECT ON "$names[0]" TO app;
    SELECT smartpouch.upload_begin('later')});
$old->safe_psql('postgres', "SELECT smartpouch.upload_chunk($upload, 1, smartpouch.model_artifact('$names[0]:1'))");

my $key = $old->safe_psql('postgres', "SELECT smartpouch.create_api_key('alice', ARRAY['predict:model/$names[0]'])");

my $tables = $old->safe_psql('postgres', q{SELECT string_agg(oid::regclass::text, ' ' ORDER BY oid::regclass::text)
    FROM pg_class WHERE relnamespace = 'smartpouch'::regnamespace AND relkind = 'r'});
my %state = (
    digest  => 'SELECT smartpouch.registry_digest(), (SELECT count(*) FROM smartpouch.verify_history())',
    rights  => q{SELECT string_agg(concat_ws(' ', proname, proacl), E'\n' ORDER BY p.oid::regprocedure::text)
        FROM pg_proc p WHERE pronamespace = 'smartpouch'::regnamespace},
    views   => q{SELECT (SELECT string_agg(m::text, ' ' ORDER BY m) FROM smartpouch.models m), (SELECT string_agg(g::text, ' ' ORDER BY g) FROM smartpouch.model_grants g),
        (SELECT string_agg(a::text, ' ' ORDER BY a) FROM smartpouch.access_grants a), (SELECT string_agg(c::text, ' ' ORDER BY c) FROM smartpouch.canaries c)},
    app     => qq{SET ROLE app; SELECT md5(string_agg(smartpouch.predict_json('$names[0]', to_jsonb(r))::text, ' ' ORDER BY id)) FROM "$names[0]" r},
    routes  => qq{SELECT md5(string_agg(smartpouch.predict_json_for('$names[0]', 'key ' || id, to_jsonb(r))::text, ' ' ORDER BY id)) FROM "$names[0]" r},
    key     => "SELECT * FROM smartpouch.verify_api_key('$key')",
    triggers => q{SELECT string_agg(concat_ws(' ', tgrelid::regclass, tgname, tgenabled), ' ' ORDER BY tgrelid::regclass::text, tgname)
        FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = 'smartpouch'::regnamespace AND NOT tgisinternal},
    map { ($_ => "SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM $_ t") } split / /, $tables);
my $look = sub { my ($node) = @_; return { map { $_ => $node->safe_psql('postgres', $state{$_}) } keys %state } };
my $before  = $look->($old);
my %answers = map { $_->{name} => all_predictions($old, $_) } @fixtures;
like($before->{key}, qr/^t\|valid\|/, 'an API key');
is(join(' ', grep { $before->{"smartpouch.$_"} !~ /^[1-9]/ } qw(access_grant alias blob cluster deployment evaluation event event_head
    gate golden model model_grant snapshot upload upload_chunk version)), '', 'there are rows in every table of models and rights');
my $identifier = 'SELECT system_identifier FROM pg_control_system()';
my $was = $old->safe_psql('postgres', $identifier);
$old->stop;

# --link last: the old cluster cannot be used after it
foreach my $mode ('--copy', '--link')
{
    (my $name = $mode) =~ tr/-//d;
    my $new = PostgreSQL::Test::Cluster->new($name);
    $new->init(extra => [ @initdb_options, '--data-checksums' ]);
    $new->append_conf('postgresql.conf', $preload);
    my $dir = PostgreSQL::Test::Utils::tempdir();
    chdir $dir or die "$dir: $!";
    command_ok([ 'pg_upgrade', $mode eq '--link' ? '--link' : (), '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir,
            '-b', $old_bindir // $new->config_data('--bindir'), '-B', $new->config_data('--bindir'),
            '-s', $new->host, '-p', $old->port, '-P', $new->port ], "$mode: pg_upgrade");
    $new->start;
    note $new->safe_psql('postgres', 'SELECT version()');
    isnt($new->safe_psql('postgres', $identifier), $was, "$mode: the cluster has another identifier");

    my $after = $look->($new);
    is($after->{$_}, $before->{$_}, "$mode: $_ is what it was") foreach sort keys %state;
    is(join(' ', grep { all_predictions($new, $_) ne $answers{ $_->{name} } } @fixtures), '', "$mode: every prediction has the same bits");
    is($new->safe_psql('postgres', "SELECT smartpouch.health() ->> 'status'"), 'pass', "$mode: healthy");

    # and it goes on
    like(($new->psql('postgres', 'SET ROLE app; ' . "SELECT smartpouch.predict_json('$names[1]', '{}')"))[2], qr/feature|column|missing/, "$mode: a grantee is let in");
    like(($new->psql('postgres', "SET ROLE app; SELECT smartpouch.promote('$names[0]', 2, 'production')"))[2], qr/permission denied for function/,
        "$mode: and may not deploy");
    $new->safe_psql('postgres', 'GRANT USAGE ON SCHEMA smartpouch TO keeper; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA smartpouch TO keeper');
    is($new->safe_psql('postgres', "SET ROLE keeper; SELECT smartpouch.rollback('$names[0]', 'production')"), 2, "$mode: the owner rolls back");
    is(import_fixture($new, $fixtures[0]), 3, "$mode: the next version has the next number");
    $new->safe_psql('postgres', "SET ROLE boss; SELECT smartpouch.promote('$names[0]', 3, 'production', 'by an administrator')");
    is($new->safe_psql('postgres', "SELECT smartpouch.import_upload($upload)"), 1, "$mode: an upload under way is finished");
    is($new->safe_psql('postgres', "SELECT smartpouch.snapshot_model('later:1') > (SELECT max(id) FROM smartpouch.snapshots WHERE label = 'by hand')"), 't',
        "$mode: snapshots number on");
    is($new->safe_psql('postgres', 'SELECT count(*) FROM smartpouch.verify_history()'), 0, "$mode: histories go on");
    $new->safe_psql('postgres', "CREATE ROLE late; SELECT smartpouch.grant_model('later', 'late', 'read')");
    is($new->safe_psql('postgres', 'SELECT bool_and(valid), count(DISTINCT role_cluster) FROM smartpouch.model_grants, smartpouch.model_grant'), 't|1',
        "$mode: rights given now are like those from before");
    $new->stop;
}

done_testing();
