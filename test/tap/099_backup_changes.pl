# Sequences and large objects come back as they were, and what others change while a backup
# is made makes neither it nor its verification fail.
use strict;
use warnings FATAL => 'all';

use Digest::SHA;
use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('changes', own => 1);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE numbered (id integer GENERATED ALWAYS AS IDENTITY, other serial, x text);
INSERT INTO numbered (x) SELECT repeat('x', 10) FROM generate_series(1, 100);
CREATE SCHEMA "odd ""name";
CREATE SEQUENCE "odd ""name"."s' \ ü" INCREMENT -5;
SELECT nextval('"odd ""name"."s'' \ ü"') FROM generate_series(1, 10);
CREATE SEQUENCE untouched START 7;
CREATE SEQUENCE circle MAXVALUE 3 CYCLE;
SELECT nextval('circle') FROM generate_series(1, 5);
SELECT lo_from_bytea(0, decode(repeat('00ff', 700000), 'hex')), lo_from_bytea(0, ''), lo_put(lo_create(4711), 3000000, 'far'), lo_create(4712);
SQL

sub problems { my ($id) = @_; return $node->safe_psql('postgres', "SELECT item, detail FROM smartpouch.verify_backup($id) WHERE NOT passed") }
sub status { my ($id) = @_; return $node->safe_psql('postgres', "SELECT status, reason FROM smartpouch.backups WHERE id = $id") }
# A backup that is made with a pg_dump of its own.
sub backup_with { my ($script) = @_; replace_program('pg_dump', $script); my $id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()'); restore_program('pg_dump'); return $id }
my $real = '[ "$1" = --version ] && exec $real "$@"; ';

# ---- what is compared ----

my $id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
is(problems($id), '', 'sequences and large objects are as they were');
my $set = "$folder/" . only($node, $id);
my $lines = slurp_file("$set/sequences.jsonl");
is($lines =~ s/\{"sequence" : "public.numbered_id_seq", "last_value" : 100\}\n//gr =~ s/\{"sequence" : "public.numbered_other_seq", "last_value" : 100\}\n//gr =~ s/\{"sequence" : "smartpouch\..*\n//gr,
    qq({"sequence" : "\\"odd \\"\\"name\\".\\"s' \\\\ ü\\"", "last_value" : -46}\n{"sequence" : "public.circle", "last_value" : null}\n{"sequence" : "public.untouched", "last_value" : null}\n) x 2,
    'sequences, before and after the dump');
like(slurp_file("$set/tables.jsonl"), qr/^\{"large_objects" : 4, "sha256" : "[0-9a-f]{64}"\}$/m, 'large objects');
my $models = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
unlike(slurp_file("$folder/" . only($node, $models) . '/sequences.jsonl'), qr/numbered/, 'a set of models has no others\' sequences');
is(problems($models), '', 'and is whole');

foreach my $case (
    [ q{SELECT setval('numbered_id_seq', 99)}, q{SELECT setval('numbered_id_seq', 100)}, qr/^sequences\|expected sequence public.numbered_id_seq between 100 and 100, found 99$/, 'a sequence that is behind' ],
    [ q{SELECT setval('numbered_id_seq', 101)}, q{SELECT setval('numbered_id_seq', 100)}, qr/^sequences\|expected sequence public.numbered_id_seq between 100 and 100, found 101$/, 'one that is ahead' ],
    [ q{SELECT nextval('untouched')}, q{ALTER SEQUENCE untouched RESTART}, qr/^sequences\|expected sequence public.untouched between none and none, found 7$/, 'one that was never called' ],
    [ q{ALTER SEQUENCE numbered_other_seq RESTART}, q{SELECT setval('numbered_other_seq', 100)}, qr/^sequences\|expected sequence public.numbered_other_seq between 100 and 100, found none$/, 'one that is to begin anew' ],
    [ q{CREATE SEQUENCE new}, q{DROP SEQUENCE new}, qr/^sequences\|expected no sequence public.new, found one$/, 'one that was none' ],
    [ q{DROP SEQUENCE untouched}, q{CREATE SEQUENCE untouched START 7}, qr/^sequences\|expected sequence public.untouched, found none$/, 'one that is gone' ])
{
    # what pg_dump writes is another than what the session sees before and after: the proof is of the real one
    my ($change, $back, $problem, $name) = @$case;
    $node->safe_psql('postgres', $change);
    my $bad = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
    my $bad_set = "$folder/" . only($node, $bad);
    $node->safe_psql('postgres', $back);
    # the same proofs beside another dump
    system('cp', "$set/sequences.jsonl", "$bad_set/sequences.jsonl") == 0 or die 'cp';
    my $manifest = slurp_file("$bad_set/manifest.json") =~ s/,\n"sha256": ".*\z//sr;
    my ($entry) = slurp_file("$set/manifest.json") =~ /(\{"name": "sequences.jsonl".*?\})/;
    $manifest =~ s/\{"name": "sequences.jsonl".*?\}/$entry/;
    open(my $out, '>', "$bad_set/manifest.json") or die $!;
    print $out "$manifest,\n\"sha256\": \"" . Digest::SHA::sha256_hex($manifest) . "\"\n}\n";
    close $out;
    $node->safe_psql('postgres', "UPDATE smartpouch.backup SET manifest_sha256 = NULL WHERE id = $bad");
    like(problems($bad), $problem, $name);
    like(status($bad), qr/^failed\|sequences: expected /, 'it is no good');
}
foreach my $case ([ q{SELECT lo_put(4711, 5, 'x')}, 'changed bytes' ], [ q{SELECT lo_unlink(4712)}, 'one that is gone' ], [ q{SELECT lo_unlink(oid) FROM pg_largeobject_metadata}, 'none at all' ])
{
    my ($change, $name) = @$case;
    # the dump sees the change, the snapshot does not
    my $bad = backup_with($real . qq{env -u PGOPTIONS psql -XAtq -d '@{[ $node->connstr('postgres') ]}' -c "$change" >/dev/null; for a; do shift; case "\$a" in --snapshot=*);; *) set -- "\$@" "\$a";; esac; done; exec \$real "\$@"});
    like(problems($bad), qr/^tables\|expected .*/, "large objects: $name");
}

# ---- while a backup is made ----

$node->safe_psql('postgres', 'DELETE FROM smartpouch.backup WHERE status = $$failed$$');
my $advance = qq{env -u PGOPTIONS psql -XAtq -d '@{[ $node->connstr('postgres') ]}' -c "INSERT INTO numbered (x) VALUES ('later')" -c "SELECT nextval('untouched')" >/dev/null};
foreach my $case ([ "$advance; exec \$real \"\$@\"", 'before' ], [ "\$real \"\$@\" || exit 1; $advance", 'after' ])
{
    my ($script, $name) = @$case;
    my $busy = backup_with($real . $script);
    is(problems($busy), '', "sequences that are used $name they are dumped");
    my ($first, $last) = slurp_file("$folder/" . only($node, $busy) . '/sequences.jsonl') =~ /numbered_id_seq", "last_value" : (\d+)/g;
    is($last - $first, 1, 'the set has both ends');
}

# What waits for pg_dump is made as soon as that ends, which is before the proofs.
my $change = sub {
    my ($sql, $before) = @_;
    return $real . ($before // '') . qq{\$real "\$@" || exit 1; env -u PGOPTIONS psql -XAtq -d '@{[ $node->connstr('postgres') ]}' -c "SET lock_timeout = '1s'" -c "$sql" >/dev/null 2>&1; exit 0};
};
foreach my $sql ('CREATE TABLE born (id serial)', 'DROP TABLE loose', 'TRUNCATE child', 'ALTER TABLE child ALTER id TYPE bigint', 'DROP SEQUENCE circle')
{
    my $busy = backup_with($change->($sql));
    like(status($busy), qr/^complete/, "$sql while a backup is made");
    is(problems($busy), '', 'does not disturb it');
}
# nor does it when the server is stopped while pg_dump runs, which must not end before its tables are held
my $stopped = '(sleep 1; kill -CONT $PPID) >/dev/null 2>&1 & kill -STOP $PPID; ';
foreach my $sql ('TRUNCATE child', 'DROP TABLE loose')
{
    my $busy = backup_with($change->($sql, $stopped));
    like(status($busy), qr/^complete/, "$sql while the server is stopped");
    is(problems($busy), '', 'does not disturb the backup');
}
$node->safe_psql('postgres', 'DROP TABLE loose');
ok(!$node->safe_psql('postgres', q{SELECT to_regclass('loose')}), 'afterwards it may be done');

# The first full backup asks for the sizes of tables, and does not wait for one any longer than pg_dump.
my ($lock_out, $lock_err, $first_out, $first_err);
$node->safe_psql('postgres', 'UPDATE smartpouch.backup SET dump_bytes = NULL');
my $lock = start_psql($node, 'BEGIN; LOCK TABLE parent IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)', \$lock_out, \$lock_err);
wait_until($node, q{EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'parent'::regclass AND granted)});
IPC::Run::finish(start_psql($node, [ q{SET smartpouch.backup_lock_timeout = '200ms'}, 'SELECT smartpouch.backup()', 'SHOW lock_timeout' ], \$first_out, \$first_err));
like($first_err, qr/canceling statement due to lock timeout/, 'a first backup waits for a lock no longer than set');
is($first_out, "0\n", 'and leaves the session its own timeout');
my ($me, $holder) = split /\|/, $node->safe_psql('postgres', q{SELECT quote_ident(current_user), pid FROM pg_stat_activity WHERE query ~ '^BEGIN; LOCK TABLE'});
is($node->safe_psql('postgres', 'SELECT status, reason FROM smartpouch.backups ORDER BY id DESC LIMIT 1'), "failed|canceling statement due to lock timeout: Table public.parent of role $me is locked by process $holder of role $me.",
    'its row says so, and who is in the way');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^BEGIN; LOCK TABLE'});
IPC::Run::finish($lock);

# Who waits for the list of backups, which the call reads, stands before the worker that is to write in it.
my $gate = PostgreSQL::Test::Utils::tempdir() . '/gate';
my ($list_out, $list_err, $behind_out, $behind_err);
replace_program('pg_dump', $real . qq{\$real "\$@" || exit 1; until [ -e '$gate' ]; do sleep 0.1; done});
my $behind = start_psql($node, [ q{SET smartpouch.backup_lock_timeout = '1s'}, 'SELECT smartpouch.backup()' ], \$behind_out, \$behind_err);
wait_until($node, q{EXISTS (SELECT FROM smartpouch.backup_progress WHERE phase = 'dump')});
$lock = start_psql($node, 'LOCK TABLE smartpouch.backup; SELECT pg_backend_pid()', \$list_out, \$list_err);
wait_until($node, q{EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'smartpouch.backup'::regclass AND NOT granted)});
append_to_file($gate, '');
IPC::Run::finish($behind);
IPC::Run::finish($lock);
restore_program('pg_dump');
like($behind_err, qr/canceling statement due to lock timeout/, 'the list of backups is waited for no longer than set');
is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.rescan_backups() WHERE change = 'changed'}), 1, 'what was made is there');
is($node->safe_psql('postgres', 'SELECT status FROM smartpouch.backups ORDER BY id DESC LIMIT 1'), 'complete', 'and counts');

# ---- what programs say ----

replace_program('pg_dump', $real . q{echo 'the reason' >&2; head -c 100000 /dev/zero | tr '\0' x >&2; echo >&2; echo 'the end' >&2; exit 3});
like(fails_with($node, 'SELECT smartpouch.backup()'), qr/pg_dump ended with code 3: the reason\nx{1000,1100} \.\.\. x{2000,2100}\nthe end$/, 'the beginning and the end of a long error are kept');
restore_program('pg_dump');

# ---- a whole set brought back by the program ----

my $script = source_dir() . '/scripts/smartpouch-restore';
$node->safe_psql('postgres', q{ALTER DATABASE postgres SET work_mem = '5MB'; CREATE ROLE clerk; ALTER ROLE clerk IN DATABASE postgres SET application_name = 'x'});
my $last = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
my ($out, $err) = ('', '');
ok(IPC::Run::run([ $script, "$folder/" . only($node, $last), 'back' ], '<', \undef, '>', \$out, '2>', \$err), 'smartpouch-restore') or diag $err;
like($out, qr/tables and sequences as they were/, 'compares sequences');
like($out, qr/^settings of the old database, which are not brought back:\nALTER DATABASE postgres SET work_mem TO '5MB';\nALTER ROLE clerk IN DATABASE postgres SET application_name TO 'x';\nrestored /m,
    'shows settings that it does not bring back');
is($node->safe_psql('back', 'SHOW work_mem'), '4MB', 'which it does not');
is($node->safe_psql('back', q{INSERT INTO numbered (x) VALUES ('next') RETURNING id}), $node->safe_psql('postgres', q{SELECT last_value + 1 FROM numbered_id_seq}), 'which go on where they were');
$node->stop;
done_testing();
