# A backup needs the same memory for an artefact of any size, as do its verification and
# what reads it back: bytes go through in pieces.
use strict;
use warnings FATAL => 'all';

use Digest::SHA;
use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch qw(session ask bye);

plan skip_all => 'no /proc to read peaks of memory from' unless -r '/proc/self/status';

my $mebibytes = 500;
my $bound_kb  = 4 * 1024;
# what a backend touches of shared memory counts as its own, so there is little of it
my ($node, $folder) = backup_server('memory', conf => "shared_buffers = 1MB\nmax_wal_size = 2GB\n");

my $s   = session($node);
my $pid = ask($s, 'SELECT pg_backend_pid()');
sub peak_kb { return slurp_file("/proc/$pid/status") =~ /^VmHWM:\s+(\d+) kB/m ? $1 : die 'no VmHWM' }
sub statements
{
    my $id = ask($s, "SELECT smartpouch.backup('models')");
    my $backup = peak_kb();
    is(ask($s, "SELECT bool_and(passed) FROM smartpouch.verify_backup($id)"), 't', 'verified');
    my $verified = peak_kb();
    return ($backup, $verified, $id);
}

# everything that a session needs once
statements();
ask($s, 'SELECT count(*) FROM generate_series(1, 3), LATERAL (SELECT sum(octet_length(bytes)) FROM smartpouch.blob) b');
my ($backup, $verified) = statements();

# $mebibytes of the same random piece, by another session
my $piece = PostgreSQL::Test::Utils::tempdir() . '/piece';
system("head -c 1048576 /dev/urandom > $piece") == 0 or die 'head';
my $sha = Digest::SHA->new(256);
my $content = slurp_file($piece);
$sha->add($content) foreach 1 .. $mebibytes;
my $hash = $sha->hexdigest;
$node->safe_psql('postgres', "INSERT INTO smartpouch.blob SELECT decode('$hash', 'hex'), i, pg_read_binary_file('$piece')
    FROM generate_series(0, $mebibytes - 1) i");
my ($big_backup, $big_verified, $id) = statements();
is(-s "$folder/artefacts/$hash", $mebibytes << 20, 'the artefact is in the folder');
cmp_ok($big_backup - $backup, '<=', $bound_kb, "a backup's peak grows by no more than $bound_kb kB");
cmp_ok($big_verified - $verified, '<=', $bound_kb, "nor does its verification's");
note "peaks in kB: $backup and $verified, with $mebibytes MiB more $big_backup and $big_verified";

# pieces that do not have their hash, or are not all there; they come in the order of hashes
foreach my $case ([ 'ff', 0, 'bytes that are not those of their hash' ], [ 'ee', 1, 'bytes whose beginning is not there' ])
{
    my ($digits, $seq, $name) = @$case;
    my $false = $digits x 32;
    $node->safe_psql('postgres', "INSERT INTO smartpouch.blob VALUES (decode('$false', 'hex'), $seq, 'x')");
    like(fails_with($node, "SELECT smartpouch.backup('models')"), qr/stored bytes with SHA-256 $false are damaged/, $name);
    ok(!-e "$folder/artefacts/$false", 'are no artefact');
}
is(join(' ', partials($folder)), '', 'and nothing is left of them');
bye($s);
$node->stop;
done_testing();
