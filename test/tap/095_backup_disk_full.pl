# A disk that is full at every step of writing a set: the call fails and says so, and
# nothing of the set is left. The folder is a small file system of its own, in a
# mount namespace that any user may have where the kernel allows it.
use strict;
use warnings FATAL => 'all';

# before anything takes hold of the standard output
BEGIN
{
    my @namespace = qw(unshare --user --map-current-user --keep-caps --mount);
    unless ($ENV{SMARTPOUCH_NAMESPACE})
    {
        if (system(join(' ', @namespace, qw(true 2>/dev/null))))
        {
            print "1..0 # SKIP no mount namespaces for users\n";
            exit 0;
        }
        $ENV{SMARTPOUCH_NAMESPACE} = 1;
        exec @namespace, $^X, (map { ('-I', $_) } @INC), $0 or die "unshare: $!";
    }
}

use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my $size   = 4 * 1024 * 1024;
my $folder = PostgreSQL::Test::Utils::tempdir_short() . '/backups';
mkdir $folder, 0700 or die $!;
plan skip_all => 'no tmpfs for users' if system("mount -t tmpfs -o size=$size,mode=0700 none $folder 2>/dev/null");
my ($node) = backup_server('full', folder => $folder);
# parts of some size each: artefacts of models, rows that do not compress, many predictions
my $fixture = read_fixture('onnx_pouch_random_forest');
import_fixture($node, $fixture);
$node->safe_psql('postgres', q{CREATE TABLE noise AS SELECT i, md5(i::text)::uuid AS id FROM generate_series(1, 3000) i;
    SELECT smartpouch.import_model('a', based(i)) FROM generate_series(10, 30) i});
my $id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id, 'checksum')"), 't', 'there is room for a set');
my $set = only($node, $id);
my %bytes = map { $_ => -s "$folder/$set/$_" } set_files($folder, $set);
$bytes{artefacts} += -s $_ foreach glob("$folder/artefacts/*");
# the room that is asked for must not be what fails first
$node->safe_psql('postgres', 'UPDATE smartpouch.backup SET dump_bytes = 0');
system('rm', '-r', "$folder/$set", "$folder/artefacts");

sub free_bytes { my ($line) = (qx(df --output=avail -B1 $folder))[1]; return $line + 0 }
sub fill
{
    my ($leave) = @_;
    my $fill = free_bytes() - $leave;
    system("head -c $fill /dev/zero > $folder/ballast") if $fill > 0;
}

# Free bytes that let the parts before be written, and half of this one. Files take whole pages.
my @order = qw(artefacts sequences.jsonl db.dump tables.jsonl golden.jsonl manifest.json);
my $steps = 0;
foreach my $part (@order)
{
    my $room = $part eq 'artefacts' ? int($bytes{$part} / 2) : 0;
    my $written = 0;
    for my $p (@order) { last if $p eq $part; $written += $p eq 'artefacts' ? 0 : (int($bytes{$p} / 4096) + 1) * 4096 }
    if ($part ne 'artefacts')
    {
        # the artefacts are there already, from a set that was removed
        $node->safe_psql('postgres', "SELECT smartpouch.backup('models')") unless -d "$folder/artefacts" && glob("$folder/artefacts/*");
        system('rm', '-r', "$folder/$_") foreach sets($folder);
        $room = $written + ($bytes{$part} > 8192 ? int($bytes{$part} / 2 / 4096) * 4096 : 0);
    }
    my $message;
    # the dump may have become a page more or less since it was measured
    foreach my $pages ($part eq 'artefacts' ? 0 : (0, 1, -1))
    {
        unlink "$folder/ballast";
        fill($room + $pages * 4096);
        $message = fails_with($node, 'SELECT smartpouch.backup()');
        last if $message =~ /\Q$part\E"/;
    }
    if ($part eq 'artefacts')
    {
        like($message, qr/there is not enough room for the backup/, 'what is known to be missing is asked for first');
        unlink "$folder/ballast";
        next;
    }
    like($message, qr/could not (create|write) file ".*\Q$part\E": No space left on device/, "full while $part is written");
    $steps++;
    is(join(' ', sets($folder)), '', 'no set');
    is(join(' ', partials($folder)), '', 'nothing partial');
    like($node->safe_psql('postgres', 'SELECT status, reason FROM smartpouch.backups ORDER BY id DESC LIMIT 1'), qr/^failed\|could not .*No space left/, 'a row with the reason');
    unlink "$folder/ballast";
}
is($steps, 5, 'at every file');

# the size of an artefact is known; a filter can still make it larger than the room
system('rm', '-r', "$folder/artefacts");
my ($out, $err);
my $blow = PostgreSQL::Test::Utils::tempdir() . '/blow';
open(my $script, '>', $blow) or die $!;
print $script "#!/bin/sh\ncat\nhead -c 9000000 /dev/zero\n";
close $script;
chmod 0755, $blow;
IPC::Run::finish(start_psql($node, [ "SET smartpouch.backup_filter = '$blow'", "SELECT smartpouch.backup('models')" ], \$out, \$err));
like($err, qr{could not write file ".*artefacts/[0-9a-f]{64}\.f[0-9a-f]{16}\.partial": No space left}, 'full while an artefact is written');
is(join(' ', sets($folder), partials($folder)), '', 'nothing is left');

$id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id)"), 't', 'with room again, a set that restores');
fill(0);
like($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id, 'checksum')"), qr/^t$/, 'checking needs no room');
like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($id)"), qr/No space left on device/, 'a restore does');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'smartpouch_verification'}), 0, 'and leaves no database');
is($node->safe_psql('postgres', "SELECT status FROM smartpouch.backups WHERE id = $id"), 'verified', 'the set is as good as it was');
unlink "$folder/ballast";

# ---- the disk of the databases ----

# compresses well in the set, and needs more room than a new database
$node->safe_psql('postgres', 'CREATE TABLE zeros AS SELECT 0 AS i FROM generate_series(1, 1000000)');
$id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id)"), 't', 'a larger database');
$node->stop;
my $base = $node->data_dir . '/base';
rename $base, "$base.disk" or die $!;
mkdir $base, 0700 or die $!;
system("mount -t tmpfs -o size=150M,mode=0700 none $base && cp -a $base.disk/. $base") == 0 or die 'no tmpfs';
$node->start;
sub leave_in_base
{
    my ($leave) = @_;
    unlink "$base/ballast";
    my $fill = (qx(df --output=avail -B1 $base))[1] - $leave;
    system("head -c $fill /dev/zero > $base/ballast") == 0 or die 'ballast';
    return;
}
sub state_of { return $node->safe_psql('postgres', "SELECT status, reason FROM smartpouch.backups WHERE id = $id") }
leave_in_base(200_000);
like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($id)"), qr/could not make database .*No space left on device/s, 'full while the database is made');
is(state_of(), 'verified|', 'which says nothing of the set');
my $made = $node->safe_psql('postgres', q{SELECT pg_database_size('template0')});
leave_in_base($made + 1_500_000);
like($node->safe_psql('postgres', "SELECT item, detail FROM smartpouch.verify_backup($id) WHERE NOT passed"), qr/^restore\|.*No space left on device/, 'full while it is filled');
like(state_of(), qr/^verified\|restore: .*No space left on device/, 'which says nothing of it either, but is not forgotten');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'smartpouch_verification'}), 0, 'no database is left');
unlink "$base/ballast";
is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id)"), 't', 'with room again it is proven');
is(state_of(), 'verified|', 'and the reason is gone');
$node->stop;
system("umount $base; umount $folder");
done_testing();
