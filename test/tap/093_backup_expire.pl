# Retention: which sets stay, that artefacts go when no set names them, and that a
# clock that went back removes nothing.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_hex);
use POSIX qw(strftime);
use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('expire');
my $real = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
my $base = only($node, $real);
my $text = slurp_file("$folder/$base/manifest.json");
my $day  = 24 * 60 * 60;
my $now  = time;

# A set like the real one, so many seconds ago; returns its label.
my $made = 0;
sub age
{
    my ($seconds, %options) = @_;
    my $kind    = $options{kind} // 'M';
    my $label   = strftime('%Y%m%dT%H%M%SZ', gmtime($now - $seconds)) . sprintf("-$kind-%06d", $made++);
    my $started = strftime('%Y-%m-%dT%H:%M:%SZ', gmtime($now - $seconds));
    (my $manifest = $text) =~ s/,\n"sha256": ".*\z//s;
    $manifest =~ s/$base/$label/;
    $manifest =~ s/"kind": "models"/"kind": "full"/ if $kind eq 'F';
    $manifest =~ s/"started_at": "[^"]*"/"started_at": "$started"/;
    $manifest =~ s/"artefacts": \[.*\]/"artefacts": []/s if $options{bare};
    system('cp', '-r', "$folder/$base", "$folder/$label") == 0 or die 'cp';
    open(my $out, '>', "$folder/$label/manifest.json") or die $!;
    print $out "$manifest,\n\"sha256\": \"" . sha256_hex($manifest) . "\"\n}\n";
    close $out;
    return $label;
}
sub rescan { $node->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()') }
sub expire { my ($arguments) = @_; return $node->safe_psql('postgres', "SELECT label FROM smartpouch.expire_backups($arguments) ORDER BY label") }
sub labels { my ($where) = @_; return $node->safe_psql('postgres', "SELECT label FROM smartpouch.backups WHERE $where ORDER BY label") }

# ---- two a day for 800 days ----

foreach my $days (1 .. 800)
{
    age($days * $day, bare => 1) if $days % 10 == 0 || $days < 60;
    age($days * $day + 3600, bare => 1) if $days < 60;
}
rescan();
my $count = $node->safe_psql('postgres', 'SELECT count(*) FROM smartpouch.backups');
my $dry = expire('');
is($node->safe_psql('postgres', 'SELECT count(*) FROM smartpouch.backups'), $count, 'a dry run is the default, and removes nothing');
is(scalar(my @all = sets($folder)), $count, 'no set either');
my $gone = expire('false');
is($gone, $dry, 'then what it named goes');
is(join("\n", sets($folder)), labels('true'), 'sets and rows alike');
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT day) FROM (SELECT (started_at AT TIME ZONE 'UTC')::date AS day,
    max((started_at AT TIME ZONE 'UTC')::date) OVER () AS newest FROM smartpouch.backups) b WHERE day > newest - 7}), '7|7', 'one for each of seven days');
like($node->safe_psql('postgres', q{SELECT count(DISTINCT date_trunc('month', started_at AT TIME ZONE 'UTC')) FROM smartpouch.backups}), qr/^1[23]$/,
    'of 12 months, and of the year before unless that is one of them');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM smartpouch.backups'), '<=', 7 + 4 + 12 + 2, 'no more than the sum');
is(expire('false'), '', 'once more removes nothing');

# ---- verified ones come first, and stay ----

my $verified = labels('true');
($verified) = sort split(/\n/, $verified);
$node->safe_psql('postgres', "UPDATE smartpouch.backup SET status = 'verified' WHERE label = '$verified'");
$gone = expire('false, 0, 0, 0, 0, 1');
unlike($gone, qr/$verified/, 'the newest verified set stays, however old it is');
is(join("\n", sets($folder)), "$verified\n$base", 'and the newest set');
my $older = age(3 * $day + 60, bare => 1);
my $newer = age(3 * $day, bare => 1);
rescan();
$node->safe_psql('postgres', "UPDATE smartpouch.backup SET status = 'verified' WHERE label = '$older'");
is(expire('false, 10, 0, 0, 0, 0'), $newer, 'of a day\'s sets the verified one stays') if strftime('%d', gmtime($now - 3 * $day)) eq strftime('%d', gmtime($now - 3 * $day - 60));

# ---- permanent ----

my $permanent = age(500 * $day, bare => 1);
rescan();
$node->safe_psql('postgres', "SELECT smartpouch.keep_backup(id) FROM smartpouch.backups WHERE label = '$permanent'");
unlike(expire('false, 0, 0, 0, 0, 0'), qr/$permanent/, 'a permanent set stays');
$node->safe_psql('postgres', "UPDATE smartpouch.backup SET permanent = false WHERE label = '$permanent'");
expire('false, 0, 0, 0, 0, 0');
ok(-d "$folder/$permanent", 'also when only its folder knows');
rescan();
$node->safe_psql('postgres', "SELECT smartpouch.keep_backup(id, false) FROM smartpouch.backups WHERE label = '$permanent'");
is(expire('false, 0, 0, 0, 0, 0'), $permanent, 'until the mark is taken back');

# ---- minimum and kinds ----

my @full = map { age($_ * 100 * $day, kind => 'F', bare => 1) } 1 .. 4;
rescan();
expire('false, 0, 0, 0, 0, 3');
is(labels("kind = 'full'"), join("\n", sort @full[ 0 .. 2 ]), 'as many of each kind as there must be');

# ---- failed ones ----

my $failed = age(20 * $day, bare => 1);
my $recent = age(2 * $day, bare => 1);
rescan();
$node->safe_psql('postgres', "UPDATE smartpouch.backup SET status = 'complete' WHERE status = 'verified'; UPDATE smartpouch.backup SET status = 'failed' WHERE label IN ('$failed', '$recent')");
unlike(expire(''), qr/$failed/, 'a failed set stays while no newer one is verified');
$node->safe_psql('postgres', "UPDATE smartpouch.backup SET status = 'verified' WHERE label = '$base'");
my $list = expire('');
like($list, qr/$failed/, 'then it goes');
unlike($list, qr/$recent/, 'but not within a week');

# ---- artefacts ----

my $artefacts = scalar(my @before = glob("$folder/artefacts/*"));
$node->safe_psql('postgres', "SELECT smartpouch.import_model('only', based(11)); SELECT smartpouch.backup('models'); SELECT smartpouch.drop_model('only'); SELECT smartpouch.backup('models')");
is(scalar(@before = glob("$folder/artefacts/*")), $artefacts + 2, 'a model brings artefacts');
expire('false, 5, 5, 5, 5, 5');
is(scalar(@before = glob("$folder/artefacts/*")), $artefacts + 2, 'which stay while a set names them');
my $damaged = age(1 * $day);
open(my $damage, '>', "$folder/$damaged/manifest.json") or die $!;
close $damage;
# in one second labels say nothing of the order
$node->safe_psql('postgres', q{UPDATE smartpouch.backup SET started_at = started_at - interval '1 hour' WHERE id = (SELECT max(id) - 1 FROM smartpouch.backup)});
my ($out, $err);
IPC::Run::finish(start_psql($node, 'SELECT * FROM smartpouch.expire_backups(false, 0, 0, 0, 0, 0)', \$out, \$err));
like($err, qr/artefacts stay while set "$damaged" cannot say which of them it needs: the manifest is empty/, 'and while a set cannot say');
is(scalar(@before = glob("$folder/artefacts/*")), $artefacts + 2, 'they are there');
system('rm', '-r', "$folder/$damaged");
expire('false, 0, 0, 0, 0, 0');
is(scalar(@before = glob("$folder/artefacts/*")), $artefacts, 'then they go');
is($node->safe_psql('postgres', q{SELECT bool_and(passed) FROM smartpouch.backups b, smartpouch.verify_backup(b.id, 'checksum') WHERE status <> 'failed'}), 't', 'what stays is whole');
is(join(' ', partials($folder)), '', 'nothing half removed');

# ---- the clock ----

$now += 2 * 3600 + 60;
my $future = age(0, bare => 1);
like(fails_with($node, 'SELECT * FROM smartpouch.expire_backups(false)'), qr/the clock is behind the newest backup/, 'clock back two hours: nothing is removed');
rescan();
my $now_made = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($now_made)"), 't', 'a backup is made and verified all the same');
system('rm', '-r', "$folder/$future");
rescan();
$now -= 2 * 3600 + 60;
is($node->psql('postgres', 'SELECT * FROM smartpouch.expire_backups(false)'), 0, 'put right, it goes on');
like(fails_with($node, 'SELECT * FROM smartpouch.expire_backups(true, -1)'), qr/daily must not be negative/, 'a negative number');
like(fails_with($node, 'SELECT * FROM smartpouch.expire_backups(NULL)'), qr/argument "dry_run" must not be null/, 'NULL');
$node->stop;
done_testing();
