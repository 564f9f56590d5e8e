# What any role may do with a table of its own: it must not keep the backups of everybody from being
# made, and where pg_dump itself cannot go on, the error names the table, its owner and who is in the way.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('users', conf => 'max_prepared_transactions = 2');
$node->safe_psql('postgres', 'CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory');

sub as { my ($role, $sql) = @_; return $node->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]) }
sub backup { return $node->safe_psql('postgres', 'SELECT smartpouch.backup()') }
sub problems { my ($id) = @_; return $node->safe_psql('postgres', "SELECT item, detail FROM smartpouch.verify_backup($id) WHERE NOT passed") }
sub lines { my ($id) = @_; return slurp_file("$folder/" . only($node, $id) . '/tables.jsonl') }

# ---- what to plan a query would call ----

# each raises, or never ends, in this database
as('mallory', q{
    CREATE FUNCTION trap(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
    BEGIN
        IF current_database() = 'postgres' AND pg_catalog.current_setting('trap.off', true) IS DISTINCT FROM 'yes' THEN
            RAISE EXCEPTION 'trapped by %', $1;
        END IF;
        RETURN $1;
    END $$;
    SET trap.off = 'yes';
    CREATE TABLE expression (t text);
    INSERT INTO expression VALUES ('a');
    CREATE INDEX ON expression (trap('an expression'));
    CREATE TABLE predicate (t text);
    INSERT INTO predicate VALUES ('a');
    CREATE INDEX ON predicate (t) WHERE trap('a predicate') = t;
    CREATE TABLE statistic (t text);
    INSERT INTO statistic VALUES ('a');
    CREATE STATISTICS facts ON (trap('a statistic') || t), t FROM statistic;
    CREATE TABLE checked (t text CHECK (t <> trap('a check')), d text DEFAULT trap('a default'), g text GENERATED ALWAYS AS (trap('a column')) STORED);
    INSERT INTO checked VALUES ('a');
    CREATE TABLE policed (t text);
    INSERT INTO policed VALUES ('a');
    ALTER TABLE policed ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    CREATE POLICY police ON policed USING (trap('a policy') = t);
    CREATE TABLE parts (t text) PARTITION BY LIST ((t || trap('a partition')));
    CREATE TABLE part PARTITION OF parts FOR VALUES IN ('aa partition');
    CREATE TABLE part_default PARTITION OF parts DEFAULT;
    INSERT INTO parts VALUES ('a'), ('b');
    CREATE TABLE ruled (t text);
    CREATE RULE odd AS ON INSERT TO ruled DO ALSO SELECT trap('a rule');
    CREATE VIEW seen AS SELECT trap('a view') AS t});
like(fails_with($node, 'SELECT * FROM expression'), qr/trapped by an expression/, 'a query of a table with such an index cannot be planned');
my $id = backup();
like($node->safe_psql('postgres', "SELECT status, reason FROM smartpouch.backups WHERE id = $id"), qr/^complete\|$/, 'the backup is made all the same');
is(problems($id), '', 'and restored');
foreach my $table ('expression', 'predicate', 'statistic', 'checked', 'policed', 'part', 'part_default')
{
    like(lines($id), qr/"public\.$table", "rows" : 1, "sha256" : "[0-9a-f]{64}"/, "table $table is compared");
}

# ---- the hash is that of the rows as they are ----

$node->safe_psql('postgres', q{CREATE TABLE changed (a integer, gone text, t text);
    INSERT INTO changed VALUES (1, 'x', 'a "word", \ and'), (2, NULL, NULL), (3, 'y', repeat('long ', 100000));
    ALTER TABLE changed DROP gone, ADD late timestamptz DEFAULT '2026-01-01', ADD g float8 GENERATED ALWAYS AS (a / 3.0) STORED;
    UPDATE changed SET a = 4 WHERE a = 1;
    CREATE TABLE younger () INHERITS (changed); INSERT INTO younger VALUES (5, 'not in its parent')});
my $query = q{SELECT count(*), encode(smartpouch._row_set_hash(textin(record_out(ROW(t.*)))), 'hex') FROM (SELECT * FROM ONLY changed) t};
is($node->safe_psql('postgres', q{SELECT rows, encode(sha256, 'hex'), error FROM smartpouch._table_hash('changed')}), $node->safe_psql('postgres', $query) . '|',
    'with columns that were dropped or added, long values and children');
like(fails_with($node, q{SELECT * FROM smartpouch._table_hash('seen')}), qr/"seen" is not a table/, 'a view has none');
like(fails_with($node, q{SELECT * FROM smartpouch._table_hash('changed')}, extra_params => [ '-U', 'mallory' ]), qr/permission denied/, 'and not everybody may ask');

# ---- values that have no text ----

# an enum's output function knows no number of another type
$node->safe_psql('postgres', q{CREATE TYPE odd;
    CREATE FUNCTION odd_in(cstring) RETURNS odd LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
    CREATE FUNCTION odd_out(odd) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'enum_out';
    CREATE TYPE odd (INPUT = odd_in, OUTPUT = odd_out, LIKE = integer);
    CREATE FUNCTION odd(integer) RETURNS odd LANGUAGE internal IMMUTABLE STRICT AS 'int4up'});
as('mallory', q{CREATE TABLE "the ""error"" : ""x""" (i integer, g odd GENERATED ALWAYS AS (odd(i)) STORED); INSERT INTO "the ""error"" : ""x""" VALUES (1)});
my ($code, undef, $err) = $node->psql('postgres', 'SELECT smartpouch.backup()');
my $name       = q{"public.\"the \"\"error\"\" : \"\"x\"\"\""};
my $uncompared = qr/table \Q$name\E has values without a text \(22P03\)/;
is($code, 0, 'a column that only the comparison reads has no text: the backup is made');
like($err, qr/WARNING: .* cannot be compared in full.*$uncompared/s, 'and says so');
$id = $node->safe_psql('postgres', 'SELECT max(id) FROM smartpouch.backups');
like($node->safe_psql('postgres', "SELECT status, reason FROM smartpouch.backups WHERE id = $id"), qr/^complete\|$uncompared$/, 'so does its row');
like($node->safe_psql('postgres', q{SELECT output FROM smartpouch._check_backup_age()}), $uncompared, 'and health()');
like(lines($id), qr/^\{"table" : \Q$name\E, "error" : "22P03"\}$/m, 'its line has the error');
like($node->safe_psql('postgres', "SELECT passed, detail FROM smartpouch.verify_backup($id) WHERE item = 'tables'"), qr/^t\|equal in \d+ bytes, but $uncompared$/, 'a restored database is no other');
is($node->safe_psql('postgres', "SELECT status, reason FROM smartpouch.backups WHERE id = $id"), 'verified|', 'which verifies it');

# ---- what pg_dump cannot read ----

as('mallory', q{CREATE TABLE "Unreadable" (t odd); INSERT INTO "Unreadable" VALUES (odd(2))});
$err = fails_with($node, 'SELECT smartpouch.backup()');
like($err, qr/invalid internal value for enum.*^Table public\."Unreadable" belongs to role mallory\.$/ms, 'the error names the table and its owner');
like($err, qr/HINT: .*Ask the owner/, 'and what to do');
like($node->safe_psql('postgres', 'SELECT reason FROM smartpouch.backups ORDER BY id DESC LIMIT 1'), qr/belongs to role mallory/, 'so does the row');
like($node->safe_psql('postgres', q{SELECT output FROM smartpouch._check_backup_age()}), qr/belongs to role mallory/, 'and health()');
is($node->psql('postgres', q{SELECT smartpouch.backup('models')}), 0, 'backups of models are made');
as('mallory', 'DROP TABLE "Unreadable"');

# pg_dump's lock timeout is a statement timeout
my $short  = q{SET smartpouch.backup_lock_timeout = '200ms'; };
my ($out, $lock_err);
my $lock   = start_psql($node, 'SET SESSION AUTHORIZATION mallory; BEGIN; LOCK TABLE policed; SELECT pg_sleep(180)', \$out, \$lock_err);
my $locked = q{EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'policed'::regclass AND granted)};
wait_until($node, $locked);
my $owner = $node->safe_psql('postgres', 'SELECT quote_ident(current_user)');
my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'policed'::regclass AND granted});
like(fails_with($node, $short . 'SELECT smartpouch.backup()'),
    qr/canceling statement due to (?:lock|statement) timeout.*^Table public\.policed of role mallory is locked by process $pid of role \Q$owner\E\.$/ms, 'who keeps a table locked is named');
is($node->psql('postgres', q{SELECT smartpouch.backup('models')}), 0, 'backups of models do not wait for it');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
IPC::Run::finish($lock);
as('mallory', q{BEGIN; LOCK TABLE policed; PREPARE TRANSACTION 'left'});
like(fails_with($node, $short . 'SELECT smartpouch.backup()'), qr/^Table public\.policed of role mallory is locked by a prepared transaction\.$/m, 'so is a transaction without a session');
as('mallory', q{ROLLBACK PREPARED 'left'});
$id = backup();
is(problems($id), '', 'all is well when they have gone');

# ---- a role that looks after backups, as the reference says ----

$node->safe_psql('postgres', q{CREATE ROLE keeper LOGIN; GRANT pg_execute_server_program TO keeper; GRANT USAGE ON SCHEMA smartpouch TO keeper;
    GRANT EXECUTE ON FUNCTION smartpouch.verify_newest, smartpouch.verify_backup TO keeper; GRANT SELECT ON smartpouch.backups TO keeper});
is(as('keeper', q{SELECT count(*) FROM smartpouch.verify_newest('manifest')}), 2, 'verifies the newest backups');

done_testing();
