# Backup sets: what is in them, who may make them, and that nothing of a set is
# left when it could not be made, whatever ended it.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_hex);
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('backup', own => 1);
my ($out, $err, $other_out, $other_err);

sub newest { return $node->safe_psql('postgres', 'SELECT status, reason FROM smartpouch.backups ORDER BY id DESC LIMIT 1') }

# ---- what is in a set ----

my $id    = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
my $label = only($node, $id);
is(join(' ', sets($folder)), $label, 'a set with its label');
is(join(' ', set_files($folder, $label)), 'db.dump golden.jsonl manifest.json sequences.jsonl tables.jsonl', 'its files');
is(join(' ', partials($folder)), '', 'nothing partial is left');
my $manifest = slurp_file("$folder/$label/manifest.json");
my $facts    = decode_json($manifest);
is($facts->{label}, $label, 'the manifest has the label');
$manifest =~ s/,\n"sha256": "([0-9a-f]{64})"\n}\n\z// or die 'no hash at the end';
is($1, sha256_hex($manifest), 'and ends with the hash of what is before');
foreach my $file (@{ $facts->{files} }, @{ $facts->{artefacts} })
{
    my $dir = $file->{name} =~ /\./ ? $label : 'artefacts';
    is(sha256_hex(slurp_file("$folder/$dir/$file->{name}")), $file->{stored_sha256}, "the manifest has the hash of $file->{name}");
}
is(join(' ', sort map { $_->{name} } @{ $facts->{artefacts} }),
    $node->safe_psql('postgres', q{SELECT string_agg(DISTINCT encode(sha256, 'hex'), ' ' ORDER BY encode(sha256, 'hex')) FROM smartpouch.blob}),
    'all stored bytes are artefacts, by their hash');
my $golden = slurp_file("$folder/$label/golden.jsonl");
is(scalar(split(/\n/, $golden)), 3 * 16 + 1, 'golden rows and known rows of each version');
like($golden, qr/"ref": "a:1", "outputs": \{.*"value": 2.25.*"features": \[40, 60\]/, 'with what the version answers');

my ($shared) = glob("$folder/artefacts/*");
my $inode = (stat $shared)[1];
my $full  = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
is((stat $shared)[1], $inode, 'a second set shares the artefacts');
is($node->safe_psql('postgres', "SELECT kind, status, artefacts, server_version IS NOT NULL, extension_version FROM smartpouch.backups WHERE id = $full"),
    'full|complete|' . scalar(@{ $facts->{artefacts} }) . '|t|' . $node->safe_psql('postgres', 'SELECT smartpouch.version()'), 'its row');
my $tables = slurp_file("$folder/" . only($node, $full) . '/tables.jsonl');
like($tables, qr/"table" : "public.child", "rows" : 500, "sha256" : "[0-9a-f]{64}"/, 'rows and hash of each table');
like($tables, qr/"constraints" : "f", "count" : 1, "validated" : 1/, 'constraints');
is($node->safe_psql('postgres', q{SELECT (SELECT smartpouch._row_set_hash(i::text) FROM generate_series(1, 1000) i)
    = (SELECT smartpouch._row_set_hash(i::text ORDER BY i DESC) FROM generate_series(1, 1000) i)
    AND (SELECT smartpouch._row_set_hash(i::text) FROM generate_series(1, 1000) i)
    <> (SELECT smartpouch._row_set_hash(i::text) FROM generate_series(1, 999) i)}), 't', 'the hash of rows is that of a set');

# a damaged artefact is written anew
open(my $damage, '+<', $shared) or die $!;
print $damage 'x';
close $damage;
$node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
is(sha256_hex(slurp_file($shared)), ($shared =~ m{([^/]+)$})[0], 'an artefact that went bad is written anew');

# ---- who and where ----

like(fails_with($node, "SELECT smartpouch.backup('half')"), qr/"half" is no kind of backup/, 'unknown kind');
like(fails_with($node, 'SELECT smartpouch.backup(NULL)'), qr/kind/, 'NULL kind');
like(fails_with($node, 'BEGIN; SELECT smartpouch.backup();'), qr/cannot run inside a transaction block/, 'in a transaction block');
$node->safe_psql('postgres', q{CREATE ROLE nobody_special; CREATE ROLE runner; GRANT pg_execute_server_program TO runner;
    SELECT smartpouch.grant_access('nobody_special', 'admin'), smartpouch.grant_access('runner', 'admin')});
like(fails_with($node, 'SET ROLE nobody_special; SELECT smartpouch.backup()'), qr/permission denied for backup\(\)/, 'unprivileged caller');
like(fails_with($node, 'SET ROLE nobody_special; SELECT * FROM smartpouch.rescan_backups()'), qr/permission denied for rescan_backups\(\)/, 'of others, too');
like(fails_with($node, "SET ROLE runner; SELECT smartpouch.version(); SET smartpouch.backup_directory = '/tmp'"), qr/permission denied to set parameter/, 'the folder is a superuser\'s');
is($node->psql('postgres', "SET ROLE runner; SELECT smartpouch.backup('models')"), 0, 'a member of pg_execute_server_program');
foreach my $case (
    [ '', qr/there is no folder for backups/, 'no folder' ],
    [ "$folder/none", qr/it cannot be opened: No such file/, 'a folder that is not there' ],
    [ $node->data_dir, qr/it lies in the data directory/, 'the data directory' ],
    [ $node->data_dir . '/base', qr/it lies in the data directory/, 'a folder in the data directory' ],
    [ '/tmp', qr/it belongs to another user|group or others may write/, 'a folder of others' ])
{
    my ($value, $error, $name) = @$case;
    like(fails_with($node, "SET smartpouch.backup_directory = '$value'; SELECT smartpouch.backup('models')"), $error, $name);
}
like(fails_with($node, "SELECT smartpouch.version(); SET smartpouch.backup_directory = 'backups'"), qr/absolute path/, 'a relative folder');
like(fails_with($node, "SELECT smartpouch.version(); SET smartpouch.backup_filter = 'zstd -q'"), qr/absolute path/, 'a relative filter');
like(fails_with($node, "SELECT smartpouch.version(); SET smartpouch.backup_connection = 'host=/tmp password=x'"), qr/must not have a password/, 'a password');
my $before = () = sets($folder);
chmod 0500, $folder;
like(fails_with($node, "SELECT smartpouch.backup('models')"), qr/could not make folder .*Permission denied/, 'read-only folder');
chmod 0700, $folder;
is(newest(), 'failed|' . (newest() =~ /\|(.*)/)[0], 'leaves a row');
like(newest(), qr/Permission denied/, 'with the reason');
# a link that was put where artefacts go is not followed
rename "$folder/artefacts", "$folder/elsewhere";
symlink "$folder/elsewhere", "$folder/artefacts" or die $!;
like(fails_with($node, "SELECT smartpouch.backup('models')"), qr/could not open folder .*artefacts/, 'a symlink is not followed');
unlink "$folder/artefacts";
rename "$folder/elsewhere", "$folder/artefacts";
is(scalar(my @after = sets($folder)), $before, 'no new set');

# ---- programs that fail ----

replace_program('pg_dump', undef);
like(fails_with($node, "SELECT smartpouch.backup('models')"), qr/cannot execute pg_dump: No such file/, 'missing pg_dump');
replace_program('pg_dump', '[ "$1" = --version ] && exec $real "$@"; echo "some bytes"; echo "the reason" >&2; exit 3');
like(fails_with($node, "SELECT smartpouch.backup('models')"), qr/pg_dump failed.*pg_dump ended with code 3: the reason/s, 'pg_dump that fails');
replace_program('pg_dump', '[ "$1" = --version ] && exec $real "$@"; echo "some bytes"; kill -9 $$');
like(fails_with($node, "SELECT smartpouch.backup('models')"), qr/pg_dump was ended by signal 9/, 'child killed');
like(newest(), qr/^failed\|pg_dump failed: pg_dump was ended by signal 9/, 'the row says so');
# error messages without end, and in no encoding
replace_program('pg_dump', '[ "$1" = --version ] && exec $real "$@"; i=0; while [ $i -lt 5000 ]; do printf "line %s \377\376 \001\n" $i >&2; i=$((i + 1)); done; exit 1');
like(fails_with($node, "SELECT smartpouch.backup('models')"), qr/line 4999 \?\? \?/, 'the last lines of the messages, made safe');
restore_program('pg_dump');
is(scalar(@after = sets($folder)), $before, 'no set of those');
is(join(' ', partials($folder)), '', 'nor parts of one');
like(fails_with($node, "SET smartpouch.backup_connection = 'host=/nowhere'; SELECT smartpouch.backup('models')"),
    qr/psql failed.*connection to server on socket "\/nowhere/s, 'a connection that cannot be made');

# ---- interruptions: a lock lets pg_dump wait ----

my $locked = q{BEGIN; LOCK TABLE parent IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)};
my $waits  = q{EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'smartpouch backup' AND wait_event_type = 'Lock')};
my $gone   = q{NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'smartpouch backup')};
my $pids   = q{SELECT pid FROM smartpouch.backup_progress};

# Runs code while a backup waits for a lock; returns the backup's error.
sub while_waiting
{
    my ($settings, $code) = @_;
    my $lock = start_psql($node, $locked, \$other_out, \$other_err);
    wait_until($node, q{EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'parent'::regclass AND granted)});
    my $backup = start_psql($node, [ $settings, 'SELECT smartpouch.backup()' ], \$out, \$err);
    $code->();
    IPC::Run::finish($backup);
    my $message = $err;
    # there may be no server any more
    eval { $node->psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^BEGIN; LOCK TABLE'}) };
    IPC::Run::finish($lock);
    return $message;
}

like(while_waiting('SELECT', sub {
        wait_until($node, $waits);
        is($node->safe_psql('postgres', 'SELECT database, phase, bytes_done > 0, percent BETWEEN 0 AND 99 FROM smartpouch.backup_progress'),
            'postgres|dump|t|t', 'progress');
        like(fails_with($node, "SELECT smartpouch.backup('models')"), qr/another session of this server is at work on backups/, 'two at once');
        # needs every backend to answer: the one that waits for its child, too
        $node->safe_psql('postgres', 'CREATE DATABASE brief');
        $node->safe_psql('postgres', 'DROP DATABASE brief');
        $node->safe_psql('postgres', "SELECT pg_cancel_backend(pid) FROM ($pids) p");
    }), qr/canceling statement due to user request/, 'cancel');
ok(wait_until($node, $gone), 'the child is gone');
like(newest(), qr/^failed\|canceling statement due to user request/, 'the row says so');
like(while_waiting("SET statement_timeout = '2s'", sub { wait_until($node, $waits) }), qr/statement timeout/, 'statement_timeout');
ok(wait_until($node, $gone), 'the child is gone');
like(while_waiting("SET smartpouch.backup_lock_timeout = '200ms'", sub {}), qr/pg_dump failed.*(lock|statement) timeout/s, 'waits for a lock no longer than set');
like(while_waiting('SELECT', sub {
        wait_until($node, $waits);
        $node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM ($pids) p");
    }), qr/terminating connection due to administrator command/, 'backend terminated');
ok(wait_until($node, $gone), 'the child is gone');
is(join(' ', partials($folder)), '', 'nothing is left');
is(newest(), 'running|', 'the row is settled later');
while_waiting('SELECT', sub {
        wait_until($node, $waits);
        kill_backend($node, $node->safe_psql('postgres', $pids));
    });
ok(wait_until($node, $gone), 'backend killed: the child is gone');
is(scalar(my @left = partials($folder)), 1, 'what it had written is there');
$node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
is(join(' ', partials($folder)), '', 'until the next call');
is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.backups WHERE reason = 'the session ended while the backup was made'}), 2,
    'which settles the rows');

while_waiting('SELECT', sub {
        wait_until($node, $waits);
        $node->kill9;
    });
my $started = time;
my $dump = qr/pg_dump --dbname=.*\Q@{[ $node->host ]}\E.*smartpouch backup/;
usleep(10_000) while time - $started < 60 && qx(ps -eo args) =~ $dump;
unlike(scalar(qx(ps -eo args)), $dump, 'postmaster killed: no program is left');
start_again($node);
is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.backups WHERE status = 'running'}), 1, 'after a crash a row is left');
$node->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()');
is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.backups WHERE status = 'running'}), 0, 'rescan_backups() settles it');

# ---- changes while a backup is made: it has the state of its beginning ----

my $models = $node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.versions});
while_waiting('SELECT', sub {
        wait_until($node, $waits);
        $node->safe_psql('postgres', q{SELECT smartpouch.import_model('late', based(7)), smartpouch.promote('a', 1, 'staging'), smartpouch.drop_model('b');
            INSERT INTO loose VALUES (1)});
        $node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^BEGIN; LOCK TABLE'});
    });
my $during = $node->safe_psql('postgres', q{SELECT id FROM smartpouch.backups ORDER BY id DESC LIMIT 1});
like(newest(), qr/^complete/, 'changes do not disturb a backup');
$tables = slurp_file("$folder/" . only($node, $during) . '/tables.jsonl');
like($tables, qr/"smartpouch.version", "rows" : $models,/, 'it has no version that was imported meanwhile');
like($tables, qr/"public.loose", "rows" : 0,/, 'nor rows');
like(slurp_file("$folder/" . only($node, $during) . '/golden.jsonl'), qr/"ref": "b:1", "outputs"/, 'and what was dropped meanwhile');

# ---- the folder is the truth ----

my $rows = q{SELECT label, kind, status, permanent, bytes, artefacts, encode(manifest_sha256, 'hex') FROM smartpouch.backup WHERE status <> 'failed' ORDER BY label};
$node->safe_psql('postgres', "SELECT smartpouch.keep_backup($full)");
my $known = $node->safe_psql('postgres', $rows);
$node->safe_psql('postgres', 'DELETE FROM smartpouch.backup');
like($node->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()'), qr/^$label\|added$/m, 'rescan_backups() adds');
is($node->safe_psql('postgres', $rows), $known, 'rows as they were');
is($node->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()'), '', 'and then nothing');
system('rm', '-r', "$folder/$label");
mkdir "$folder/20260101T000000Z-M-aaaaaa";
is($node->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()'), "20260101T000000Z-M-aaaaaa|failed\n$label|failed", 'what is lost, and a set of 0 bytes');
is($node->safe_psql('postgres', q{SELECT reason FROM smartpouch.backups WHERE status = 'failed' ORDER BY label}),
    "the manifest is missing\nthe set is not in smartpouch.backup_directory", 'with the reasons');
like(fails_with($node, 'SELECT smartpouch.keep_backup(0)'), qr/backup 0 does not exist/, 'no such backup');
is($node->psql('postgres', q{SELECT smartpouch.keep_backup(max(id)), smartpouch.keep_backup(max(id), false) FROM smartpouch.backups WHERE status = 'complete'}), 0, 'two calls in one statement');

$node->stop;
done_testing();
