# ALTER EXTENSION UPDATE, from every released version: the objects are those of
# a new installation, the registry is what it was, and roles have the new functions.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $node = new_server('update', before => 'CREATE ROLE keeper; CREATE ROLE app; CREATE ROLE boss');

# Everything that an extension's objects are made of, without OIDs; a line for each.
my $objects = q{
    SELECT 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text
    FROM pg_proc p WHERE pronamespace = 'smartpouch'::regnamespace AND prokind = 'f'
    UNION ALL SELECT 'aggregate', a.aggfnoid::regprocedure::text, (to_jsonb(a) - 'aggfnoid')::text, p.proacl::text
    FROM pg_aggregate a JOIN pg_proc p ON p.oid = a.aggfnoid WHERE pronamespace = 'smartpouch'::regnamespace
    UNION ALL SELECT 'comment', pg_describe_object(classoid, objoid, 0), description, NULL
    FROM pg_description WHERE objsubid = 0 AND (objoid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'smartpouch'::regnamespace)
        OR objoid IN (SELECT oid FROM pg_class WHERE relnamespace = 'smartpouch'::regnamespace))
    UNION ALL SELECT 'view', c.oid::regclass::text, pg_get_viewdef(c.oid) || coalesce(c.reloptions::text, ''), c.relacl::text
    FROM pg_class c WHERE relnamespace = 'smartpouch'::regnamespace AND relkind = 'v'
    UNION ALL SELECT 'column', a.attrelid::regclass::text || '.' || attnum, concat_ws(' ', attname, format_type(atttypid, atttypmod),
        attnotnull, attstorage, attcollation, attidentity, pg_get_expr(adbin, adrelid)), c.relacl::text
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
    WHERE relnamespace = 'smartpouch'::regnamespace AND relkind = 'r' AND attnum > 0
    UNION ALL SELECT 'constraint', conrelid::regclass || ' ' || conname, pg_get_constraintdef(k.oid), NULL
    FROM pg_constraint k WHERE connamespace = 'smartpouch'::regnamespace
    UNION ALL SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid), NULL
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE relnamespace = 'smartpouch'::regnamespace
    UNION ALL SELECT 'trigger', tgrelid::regclass || ' ' || tgname, pg_get_triggerdef(t.oid), tgenabled::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE relnamespace = 'smartpouch'::regnamespace AND NOT tgisinternal
    UNION ALL SELECT 'member', pg_describe_object(classid, objid, objsubid), NULL, NULL
    FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
        AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'smartpouch')
    UNION ALL SELECT 'dumped', unnest(extconfig)::regclass::text, NULL, NULL FROM pg_extension WHERE extname = 'smartpouch'
    ORDER BY 1, 2, 3};

# a registry to carry over, with a history, rights and a snapshot
my $fixture = read_fixture('xgb_diabetes_squarederror');
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm');
$node->safe_psql('postgres', q{
    SELECT smartpouch.promote('m', 1, 'staging'), smartpouch.promote('m', 1, 'production', 'before the update');
    SELECT smartpouch.set_owner('m', 'keeper'), smartpouch.grant_model('m', 'app', 'predict');
    SELECT smartpouch.record_evaluation('m:1', 'holdout', '{"rmse": 50}')});
my $filled = $node->safe_psql('postgres', q{
    SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY c.oid::regclass::text) FROM pg_class c
    WHERE c.oid = ANY ((SELECT extconfig FROM pg_extension WHERE extname = 'smartpouch')::oid[]) AND relkind = 'r'
        AND (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM %s', c.oid::regclass), false, true, '')))[1]::text <> '0'});
my $answers = qq{SELECT md5(string_agg(smartpouch.predict('m', r)::text, ',' ORDER BY id)) FROM "$fixture->{name}" r};
my $state   = q{SELECT smartpouch.registry_digest(), (SELECT count(*) FROM smartpouch.verify_history()), (SELECT count(*) FROM smartpouch.snapshots)};
my $expected = join "\n", map { $node->safe_psql('postgres', $_) } ($answers, $state);
my $current  = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'smartpouch'});
my $fresh    = $node->safe_psql('postgres', $objects);
my $dir      = PostgreSQL::Test::Utils::tempdir();

my @released = map { m{--([\d.]+)\.sql$} ? $1 : () } sort glob(source_dir() . '/sql/released/*.sql');
ok(@released > 0, 'there are released versions');
cmp_ok(scalar(split /\n/, $fresh), '>', 500, 'and objects to compare');
foreach my $version (@released)
{
    (my $database = "from_$version") =~ tr/./_/;
    $node->safe_psql('postgres', "CREATE DATABASE $database");
    $node->safe_psql($database, "CREATE EXTENSION smartpouch VERSION '$version'");
    my ($code, $out, $err) = $node->psql($database, q{SELECT smartpouch.predict('m', ARRAY[1])});
    like($err, qr/ALTER EXTENSION smartpouch UPDATE/, "$version: before the update the library says what to do");

    # the rows, as that version could have written them
    my $roles = q{SELECT smartpouch._change_access('GRANT', 'app', 'predictor'), smartpouch._change_access('GRANT', 'boss', 'admin')};
    $node->safe_psql($database, qq{SET session_replication_role = replica;
        INSERT INTO smartpouch.access_grant (role_cluster, role_oid, level, role_name, granted_by)
        SELECT (SELECT system_identifier::text FROM pg_control_system()), oid, CASE rolname WHEN 'app' THEN 'predictor' ELSE 'admin' END, rolname, 'test'
        FROM pg_roles WHERE rolname IN ('app', 'boss'); $roles});
    foreach my $table (split / /, $filled)
    {
        my $columns = $node->safe_psql($database, qq{SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
            FROM pg_attribute WHERE attrelid = to_regclass('$table') AND attnum > 0 AND NOT attisdropped});
        next if $columns eq '';
        $node->safe_psql('postgres', "COPY (SELECT $columns FROM $table) TO '$dir/rows'");
        $node->safe_psql($database, "SET session_replication_role = replica; COPY $table ($columns) FROM '$dir/rows'");
        unlink "$dir/rows";
    }
    load_fixture($node, $fixture, $database);

    $node->safe_psql($database, 'ALTER EXTENSION smartpouch UPDATE');
    is($node->safe_psql($database, q{SELECT extversion FROM pg_extension WHERE extname = 'smartpouch'}), $current, "$version: updated");
    is(join("\n", map { $node->safe_psql($database, $_) } ($answers, $state)), $expected, "$version: the registry and its answers are what they were");
    isnt($node->safe_psql($database, q{SELECT smartpouch.health() ->> 'status'}), 'fail', "$version: healthy");
    is($node->safe_psql($database, qq{SET ROLE app; SELECT smartpouch.predict('m', ARRAY[0,0,0,0,0,0,0,0,0,0]::real[]) IS NOT NULL}), 't', "$version: roles have their rights");
    is($node->safe_psql($database, q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'smartpouch'::regnamespace
        AND proname !~ '^_' AND prorettype <> 'trigger'::regtype AND NOT has_function_privilege('boss', oid, 'EXECUTE')}), 0,
        "$version: an administrator has every new function");

    # without those roles' grants, to compare
    $node->safe_psql($database, q{SELECT smartpouch.revoke_access('app', 'predictor'), smartpouch.revoke_access('boss', 'admin')});
    is($node->safe_psql($database, $objects), $fresh, "$version: the objects are those of a new installation");
}

$node->stop;
done_testing();
