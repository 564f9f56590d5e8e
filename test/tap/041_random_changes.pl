# Eight sessions make every kind of change to three models at once: each call
# works or is refused for a reason, none waits for ever, and nothing is half.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $seconds = $ENV{SMARTPOUCH_RANDOM_SECONDS} // 15;
my $node = new_server('random', conf => "shared_preload_libraries = 'smartpouch'\ndeadlock_timeout = 100ms");
prepare_changes($node);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE unexpected (state text, message text, call text);
CREATE PROCEDURE random_change() LANGUAGE plpgsql AS $$
DECLARE
    names text[] := '{a,b,c}';
    model text := names[1 + floor(3 * random())];
    stage text := ('{development,testing,staging,production}'::text[])[1 + floor(4 * random())];
    version integer := coalesce(any_version(model), 1);
    ref text := model || ':' || version;
    alias text := 'alias' || floor(3 * random());
    calls text[] := ARRAY[
        format('promote(%L, %s, %L)', model, version, stage), format('promote(%L, %s, %L)', model, version, stage),
        format('rollback(%L, %L)', model, stage), format('drop_deployment(%L, %L)', model, stage),
        format('drop_version(%L)', ref), format('drop_model(%L)', model),
        format('set_alias(%L, %L, %s)', model, alias, version), format('drop_alias(%L, %L)', model, alias),
        format('set_canary(%L, %L, %s, %s)', model, stage, version, floor(101 * random())), format('drop_canary(%L, %L)', model, stage),
        format('set_shadow(%L, %L, %s, %s)', model, stage, version, floor(101 * random())), format('drop_shadow(%L, %L)', model, stage),
        format('import_model(%L, based(%s))', model, floor(5 * random())), format('import_model(%L, based(%s))', model, floor(5 * random())),
        format('rename_model(%L, %L)', model, names[1 + floor(3 * random())]),
        format('add_golden(%L, ''[40, 60]'', smartpouch.predict_json(%L, ''[40, 60]''))', ref, ref), format('drop_golden(%L, 1)', ref),
        format('record_evaluation(%L, ''d'', ''{"x": 1}'')', ref), format('expire_history(%L, ''1 second'', false)', model),
        format('snapshot_model(%L)', ref),
        'drop_snapshot((SELECT id FROM smartpouch.snapshots ORDER BY random() LIMIT 1))',
        'restore_snapshot((SELECT id FROM smartpouch.snapshots ORDER BY random() LIMIT 1))',
        'set_stages(''{testing,staging,production}'')', 'set_stages(''{development,testing,staging,production}'')',
        format('grant_model(%L, %L, ''read'')', model, current_user), format('revoke_model(%L, %L, ''read'')', model, current_user),
        'set_gate(''testing'', ''{"golden": true}'')', 'drop_gate(''testing'')',
        format('predict(%L, ARRAY[40, 60])', model || '@' || stage), format('predict_for(%L, %L, ARRAY[40, 60])', model || '@' || stage, alias)];
    call text := calls[1 + floor(cardinality(calls) * random())];
BEGIN
    SET LOCAL client_min_messages = warning;
    EXECUTE 'SELECT smartpouch.' || call;
EXCEPTION
    WHEN undefined_object OR object_not_in_prerequisite_state OR dependent_objects_still_exist OR invalid_parameter_value OR duplicate_object
        OR null_value_not_allowed THEN NULL;
    WHEN OTHERS THEN
        INSERT INTO unexpected VALUES (SQLSTATE, SQLERRM, call);
END $$;
SQL

my $script = PostgreSQL::Test::Utils::tempdir() . '/change.sql';
append_to_file($script, "CALL random_change();\n");
command_ok([ 'pgbench', '-n', '-c', 8, '-j', 2, '-T', $seconds, '-f', $script, '-h', $node->host, '-p', $node->port, 'postgres' ], "random changes for $seconds s");
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT concat_ws(' ', state, message, call), E'\n') FROM unexpected}), '', 'every refusal has a reason');
note $node->safe_psql('postgres', 'SELECT action, count(*) FROM smartpouch.event GROUP BY 1 ORDER BY 1');

my $gone = sub { my ($table, $versions) = @_;
    return "SELECT count(*) FROM smartpouch.$table t, unnest($versions) v WHERE v IS NOT NULL"
      . ' AND NOT EXISTS (SELECT FROM smartpouch.version x WHERE x.model_id = t.model_id AND x.version = v)' };
my $bytes = sub { my ($table) = @_; return "SELECT count(*) FROM smartpouch.$table"
      . ' WHERE artifact_bytes IS DISTINCT FROM (SELECT sum(octet_length(bytes)) FROM smartpouch.blob WHERE sha256 = artifact_sha256)'
      . ' OR program_bytes IS DISTINCT FROM (SELECT sum(octet_length(bytes)) FROM smartpouch.blob WHERE sha256 = program_sha256)' };
my %wrong = (
    'links of histories that do not hold' => 'SELECT count(*) FROM smartpouch.verify_history()',
    'stages that serve what the history does not say' => q{SELECT count(*) FROM smartpouch.models m, smartpouch.stages s
        WHERE (SELECT version FROM smartpouch.serving_at(m.model, s.stage, 'infinity'))
        IS DISTINCT FROM (SELECT version FROM smartpouch.deployments d WHERE d.model = m.model AND d.stage = s.stage)},
    'stages with versions that are gone' => $gone->('deployment', 'replaced || version || canary_version || shadow_version'),
    (map { ("rows of $_ whose version is gone" => $gone->($_, 'ARRAY[t.version]')) } qw(alias golden evaluation)),
    'grants whose model is gone' => 'SELECT count(*) FROM smartpouch.model_grant WHERE model_id NOT IN (SELECT id FROM smartpouch.model)',
    'versions beside themselves' => 'SELECT count(*) FROM smartpouch.deployment'
      . ' WHERE version IN (canary_version, shadow_version, replaced[cardinality(replaced)])',
    'stages that are not on the ladder' => 'SELECT count(*) FROM smartpouch.deployment WHERE stage NOT IN (SELECT stage FROM smartpouch.stages)',
    'gates that are not on the ladder' => 'SELECT count(*) FROM smartpouch.gate WHERE stage NOT IN (SELECT stage FROM smartpouch.stages)',
    'versions without their bytes' => $bytes->('version'),
    'snapshots without their bytes' => $bytes->('snapshot'),
    'bytes that nobody needs' => q{SELECT count(*) FROM smartpouch.blob WHERE sha256 NOT IN (
        SELECT unnest(ARRAY[artifact_sha256, program_sha256]) FROM smartpouch.version
        UNION SELECT unnest(ARRAY[artifact_sha256, program_sha256]) FROM smartpouch.snapshot)},
    'versions that do not answer' => q{SELECT count(*) FROM smartpouch.versions WHERE smartpouch.predict(model || ':' || version, ARRAY[40, 60]) IS NULL});
is($node->safe_psql('postgres', $wrong{$_}), 0, "no $_") foreach sort keys %wrong;
is($node->safe_psql('postgres', 'SELECT count(DISTINCT action) >= 12 FROM smartpouch.event'), 't', 'changes of many kinds were made');
$node->stop;
done_testing();
