# A backup that is tried by restoring it, with a superuser's connection, runs what users wrote:
# constraints, columns, casts. None of it may have the superuser's rights, and what only
# computes or reads works as ever.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('guard');
$node->safe_psql('postgres', q{CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory; CREATE TABLE told (t text);
    CREATE ROLE bob LOGIN; GRANT CREATE ON SCHEMA public TO bob});

sub as { my ($role, $sql) = @_; return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]) }

# What did not pass in a restore of the database as it is now.
sub failed
{
    my $id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
    return $node->safe_psql('postgres', "SELECT string_agg(item || ': ' || detail, E'\n') FROM smartpouch.verify_backup($id) WHERE NOT passed");
}
sub supers { return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_roles WHERE rolsuper AND rolname IN ('mallory', 'bob')}) }

# ---- what an attacker may write: each notes as whom it runs, and tries to become more ----

as('mallory', q{
    CREATE FUNCTION attack(text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    DECLARE tried text;
    BEGIN
        FOREACH tried IN ARRAY ARRAY['ALTER ROLE mallory SUPERUSER', 'RESET ROLE', 'SET SESSION AUTHORIZATION DEFAULT', 'SET ROLE NONE',
            'SET smartpouch.restoring = off', 'SELECT set_config(''smartpouch.restoring'', ''off'', false)',
            'COPY (SELECT 1) TO PROGRAM ''cat''', 'UPDATE pg_catalog.pg_authid SET rolsuper = true WHERE rolname = ''mallory''', 'CREATE TEMP TABLE x ()']
        LOOP
            BEGIN
                EXECUTE tried;
                RAISE LOG 'attack by % as % could: %', $1, current_user, tried;
                EXECUTE 'ALTER ROLE mallory SUPERUSER';
            EXCEPTION WHEN OTHERS THEN NULL;
            END;
        END LOOP;
        RAISE LOG 'attack by % as % in %', $1, current_user, current_database();
        RETURN true;
    END $$;
    CREATE FUNCTION sneak(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT public.attack($1) $$;
    CREATE TABLE checked (t text CHECK (attack('a check')));
    INSERT INTO checked VALUES ('x');
    CREATE TABLE whole (t text);
    CREATE FUNCTION of_row(whole) RETURNS boolean LANGUAGE sql AS $$ SELECT public.attack('a check of rows') $$;
    ALTER TABLE whole ADD CHECK (of_row(whole));
    INSERT INTO whole VALUES ('x');
    CREATE TABLE generated (t text, g boolean GENERATED ALWAYS AS (sneak('a column')) STORED);
    INSERT INTO generated VALUES ('x');
    CREATE DOMAIN strange AS text CHECK (attack('a domain'));
    CREATE TABLE domains (t strange, d strange[] DEFAULT '{x}'::strange[]);
    INSERT INTO domains VALUES ('x');
    CREATE VIEW constants AS SELECT '{x}'::strange[] AS c;
    CREATE TYPE kind AS ENUM ('1');
    CREATE FUNCTION number(kind) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN public.sneak('a cast') THEN 1 END $$;
    CREATE CAST (kind AS integer) WITH FUNCTION number(kind) AS IMPLICIT;
    CREATE TABLE target (id integer PRIMARY KEY);
    INSERT INTO target VALUES (1);
    CREATE TABLE refers (k kind REFERENCES target);
    INSERT INTO refers VALUES ('1');
    CREATE TABLE indexed (t text);
    INSERT INTO indexed VALUES ('x');
    CREATE INDEX ON indexed (sneak('an index'));
    CREATE TABLE parts (t text) PARTITION BY LIST ((sneak(t)));
    CREATE TABLE part PARTITION OF parts FOR VALUES IN (true);
    INSERT INTO parts VALUES ('a partition');
    CREATE MATERIALIZED VIEW stored AS SELECT attack('a materialized view')});
is(supers(), 0, 'where it was written nobody became more');
my $before = -s $node->logfile;
is(failed(), '', 'a database with all of that restores');
is(supers(), 0, 'and nobody became more by it');
my $log = slurp_file($node->logfile, $before);
my @program = ('bash', source_dir() . '/scripts/smartpouch-restore');
my $set = "$folder/" . only($node, $node->safe_psql('postgres', 'SELECT max(id) FROM smartpouch.backups'));
{
    local $ENV{PGHOST} = $node->host;
    local $ENV{PGPORT} = $node->port;
    ok(run_log([ @program, $set, 'back' ]), 'the program restores it');
    is(supers(), 0, 'and nobody became more');
    ok(run_log([ @program, '--trust', $set, 'trusted' ]), 'so it does with trust');
    is(supers(), 1, 'of which the attack makes what it can: it is one');
    $node->safe_psql('postgres', 'ALTER ROLE mallory NOSUPERUSER');
}
foreach my $where ('a check', 'a check of rows', 'a column', 'a domain', 'a cast', 'an index', 'a partition', 'a materialized view')
{
    my %roles = map { $_ => 1 } $log =~ /attack by \Q$where\E as (\w+) in smartpouch_verification/g;
    cmp_ok(scalar(keys %roles), '>', 0, "$where ran in the restore");
    is(join(' ', grep { !/^(mallory|pg_read_all_data)$/ } keys %roles), '', "$where ran without rights");
}
# the planner evaluates what is constant in an index
is(join(' ', grep { !/^(mallory|pg_read_all_data)$/ } $log =~ /attack by [\w ]+ as (\w+) in postgres/g), '', 'nor as the backup was made');
unlike($log, qr/could: (?!CREATE TEMP)/, 'nothing that was tried could be done');

# ---- a function with its owner's rights, whose grants come back last ----

$node->safe_psql('postgres', q{CREATE FUNCTION do_anything(text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN EXECUTE $1; END $$;
    REVOKE EXECUTE ON FUNCTION do_anything(text) FROM PUBLIC});
as('mallory', q{CREATE FUNCTION ask(text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        IF current_database() = 'smartpouch_verification' THEN
            PERFORM public.do_anything('ALTER ROLE mallory SUPERUSER');
        END IF;
        RETURN true;
    END $$;
    CREATE TABLE asks (t text);
    INSERT INTO asks VALUES ('x');
    CREATE INDEX ON asks (ask('an index'))});
like(failed(), qr/restore: .*(permission denied|must be superuser|not allowed)/s, 'a function of the superuser that an index asks');
is(supers(), 0, 'did nothing');
as('mallory', 'DROP TABLE asks');

# ---- a function with a role among its settings ----

as('mallory', q{CREATE FUNCTION in_role(text) RETURNS boolean LANGUAGE plpgsql SET role = mallory AS $$ BEGIN RETURN public.attack('a role'); END $$;
    CREATE TABLE a_role (t text CHECK (in_role(t)));
    INSERT INTO a_role VALUES ('x'), ('y')});
$before = -s $node->logfile;
is(failed(), '', 'leaves the session that restores its rights');
my %roles = map { $_ => 1 } slurp_file($node->logfile, $before) =~ /attack by a role as (\w+) in smartpouch_verification/g;
is(join(' ', keys %roles), 'pg_read_all_data', 'and has none itself');
is(supers(), 0, 'nobody became more');
as('mallory', 'DROP TABLE a_role');

# ---- functions of the server in a constraint ----

as('mallory', q{CREATE TABLE direct (t text); INSERT INTO direct VALUES ('x');
    ALTER TABLE direct ADD CHECK (query_to_xml('SELECT 1', true, true, '') IS NOT NULL)});
like(failed(), qr/function query_to_xml is not called while a backup is restored/, 'a volatile function of the server');
as('mallory', q{DROP TABLE direct; CREATE TABLE direct (t text CHECK (pg_read_file('PG_VERSION') IS NOT NULL))});
is(failed(), '', 'what is not called does not matter');
$node->safe_psql('postgres', q{INSERT INTO direct VALUES ('x')});
like(failed(), qr/function pg_read_file is not called while a backup is restored|permission denied for function pg_read_file/, 'one that not everybody may call');
as('mallory', 'DROP TABLE direct');

# ---- what is as it should be ----

$node->safe_psql('postgres', q{CREATE EXTENSION hstore; CREATE SCHEMA own AUTHORIZATION bob});
as('bob', q{CREATE TABLE own.allowed (t text); INSERT INTO own.allowed VALUES ('x');
    CREATE FUNCTION own.is_allowed(text) RETURNS boolean LANGUAGE sql STABLE AS $$ SELECT EXISTS (SELECT FROM own.allowed a WHERE a.t = $1) $$;
    CREATE TABLE own.zebra (t text CHECK (own.is_allowed(t)), at timestamptz CHECK (at <= clock_timestamp()), h hstore CHECK (h ? 'a'),
        n integer, twice integer GENERATED ALWAYS AS (n * 2) STORED);
    INSERT INTO own.zebra VALUES ('x', now(), 'a=>1', 4);
    CREATE INDEX ON own.zebra (lower(t)); CREATE INDEX ON own.zebra USING gin (h);
    CREATE MATERIALIZED VIEW own.sum AS SELECT sum(twice), random() > 2 AS r FROM own.zebra});
is(failed(), '', 'constraints that read another table, extensions, columns and views');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'smartpouch_verification'}), 0, 'nothing is left');

# ---- the setting ----

like(fails_with($node, 'SELECT smartpouch.version(); SET smartpouch.restoring = on'), qr/cannot be set after connection start/, 'is one of a whole session');

done_testing();
