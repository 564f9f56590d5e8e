# Verification: every damage is found, a restored database gives the same rows and
# predictions, and the database that it is tried in is gone afterwards.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('verify', own => 1);
my ($out, $err);
my $fixture = read_fixture('xgb_pouch_softprob');
import_fixture($node, $fixture);
my $forest = read_fixture('onnx_pouch_random_forest');
import_fixture($node, $forest);
# more than one piece of stored bytes, and names and values that need care
$node->safe_psql('postgres', q{CREATE TABLE "odd ""name" ("a b" text, j json, b bytea, f float8, n numeric, r regclass, m money, i interval);
    INSERT INTO "odd ""name" VALUES (E'\n\t''', '{"a" : 1}', '\x00ff', 'NaN', 1e-30, 'parent', 12.5, '1 day 2 hours'), (NULL, NULL, NULL, '-0', 'NaN', NULL, NULL, NULL);
    CREATE TABLE nothing ();
    INSERT INTO nothing DEFAULT VALUES;
    CREATE TABLE split (id integer, x text) PARTITION BY RANGE (id);
    CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM (0) TO (100);
    INSERT INTO split SELECT i, md5(i::text) FROM generate_series(0, 99) i;
    CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM split;
    CREATE SCHEMA other; CREATE TABLE other.parent (note text); INSERT INTO other.parent VALUES ('of another schema');
    CREATE ROLE keeper; ALTER TABLE other.parent OWNER TO keeper;
    CREATE TABLE predicted (x float4[], label text GENERATED ALWAYS AS ('none') STORED);
    ALTER TABLE child ADD CONSTRAINT late CHECK (t >= 0) NOT VALID});

my $models = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
my $full   = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
my $label  = only($node, $full);
my $set    = "$folder/$label";

sub verify { my ($id, $level) = @_; return $node->safe_psql('postgres', "SELECT item, passed FROM smartpouch.verify_backup($id, '$level')") }
sub problems { my ($id, $level) = @_; return $node->safe_psql('postgres', "SELECT item, detail FROM smartpouch.verify_backup($id, '$level') WHERE NOT passed") }
sub status { my ($id) = @_; return $node->safe_psql('postgres', "SELECT status, reason, checked_at IS NOT NULL, verified_at IS NOT NULL, restore_seconds > 0 FROM smartpouch.backups WHERE id = $id") }
my $scratch = q{SELECT count(*) FROM pg_database WHERE datname = 'smartpouch_verification'};

# ---- what is good ----

is(verify($full, 'manifest'), "manifest|t\nfiles|t\nartefacts|t", 'level manifest');
is(status($full), 'complete||f|f|', 'says nothing of bytes');
is(verify($full, 'checksum'), "manifest|t\nfiles|t\nartefacts|t", 'level checksum');
is(status($full), 'complete||t|f|', 'is no verification');
my $all = "manifest|t\nfiles|t\nartefacts|t\nrestore|t\ntables|t\nsequences|t\npredictions|t\ngolden rows|t";
is(verify($models, 'restore'), $all, 'level restore of models');
is($node->safe_psql('postgres', "SELECT item, passed FROM smartpouch.verify_backup($full)"), $all, 'and of a whole database');
is(status($full), 'verified||t|t|t', 'only that verifies');
is($node->safe_psql('postgres', $scratch), 0, 'the scratch database is gone');
my $good = 0;
foreach (1 .. 20)
{
    $good++ if verify($full, 'restore') eq $all;
}
is($good, 20, '20 restores in a row with equal rows and predictions');
$node->safe_psql('postgres', 'DELETE FROM smartpouch.backup');
$node->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()');
($models, $full) = split(/\n/, $node->safe_psql('postgres', 'SELECT id FROM smartpouch.backups ORDER BY started_at'));
is(status($full), 'verified||f|t|t', 'the folder remembers what was verified');
like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($full, 'all')"), qr/"all" is no level/, 'unknown level');
like(fails_with($node, 'SELECT * FROM smartpouch.verify_backup(0)'), qr/backup 0 does not exist/, 'unknown backup');
like(fails_with($node, "BEGIN; SELECT * FROM smartpouch.verify_backup($full)"), qr/cannot run inside a transaction block/, 'in a transaction block');

# ---- damage ----

my $manifest = slurp_file("$set/manifest.json");
my @artefacts = grep { index($manifest, (m{([^/]+)$})[0]) >= 0 } glob("$folder/artefacts/*");
my @files = ((map { "$set/$_" } qw(manifest.json db.dump tables.jsonl sequences.jsonl golden.jsonl)), @artefacts);

my $damaged_marks = 0;
sub with_content
{
    my ($file, $content, $code) = @_;
    my $before = slurp_file($file);
    open(my $write, '>', $file) or die "$file: $!";
    print $write $content;
    close $write;
    my $result = $code->();
    open($write, '>', $file) or die "$file: $!";
    print $write $before;
    close $write;
    return $result;
}

srand(20261123);
my ($flips, $found) = (0, 0);
my $session = '';
my %seen;
foreach (1 .. 1000)
{
    my $file = $files[ int rand @files ];
    my $size = -s $file;
    my ($byte, $bit) = (int rand $size, 1 << int rand 8);
    open(my $both, '+<', $file) or die "$file: $!";
    my $flip = sub {
        my $value;
        sysseek($both, $byte, 0);
        sysread($both, $value, 1);
        sysseek($both, $byte, 0);
        syswrite($both, chr(ord($value) ^ $bit));
    };
    $flip->();
    $flips++;
    $seen{ $file =~ m{artefacts} ? 'artefact' : ($file =~ m{([^/]+)$})[0] }++;
    if (problems($full, 'checksum') ne '') { $found++ }
    else { diag "not found: $file byte $byte bit $bit" }
    $flip->();
    close $both;
}
is($found, 1000, "1,000 of $flips random flips of one bit were found");
is(join(' ', sort keys %seen), 'artefact db.dump golden.jsonl manifest.json sequences.jsonl tables.jsonl', 'in files of every kind');
is(verify($full, 'checksum'), "manifest|t\nfiles|t\nartefacts|t", 'mended, it is good');
is(status($full), 'verified||t|t|t', 'and its status is what it was');

foreach my $file (@files[ 0 .. 5 ])
{
    (my $name = $file) =~ s{.*/}{};
    my $content = slurp_file($file);
    foreach my $size (0, 1, int(length($content) / 2), length($content) - 1)
    {
        my $why = with_content($file, substr($content, 0, $size), sub { problems($full, 'manifest') });
        like($why, qr/manifest is (empty|damaged)|has $size bytes/, "$name cut off at $size bytes");
    }
    my $why = with_content($file, "$content\n", sub { problems($full, 'manifest') });
    like($why, qr/manifest is damaged|has \d+ bytes/, "$name with a byte more");
    rename $file, "$file.away";
    like(problems($full, 'manifest'), qr/is missing/, "$name missing");
    symlink "$file.away", $file;
    like(problems($full, 'manifest'), qr/is missing/, "$name replaced by a link");
    unlink $file;
    rename "$file.away", $file;
    link $file, "$file.other";
    like(problems($full, 'manifest'), qr/is missing/, "$name with a second name");
    unlink "$file.other";
}
is(status($full), 'failed|' . (status($full) =~ /\|(.*)\|t\|t\|t/)[0] . '|t|t|t', 'the last of which its status tells');
is(problems($full, 'checksum'), '', 'mended again');

# the mark of a verification counts as it was written, or not at all
my $mark = slurp_file("$set/verified");
sub remembered
{
    $node->safe_psql('postgres', "DELETE FROM smartpouch.backup WHERE label = '$label'");
    $node->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()');
    return $node->safe_psql('postgres', "SELECT status FROM smartpouch.backups WHERE label = '$label'");
}
foreach my $content ('', substr($mark, 0, -1), substr($mark, 1), map { substr($mark, 0, $_) . chr(ord(substr($mark, $_, 1)) ^ 1) . substr($mark, $_ + 1) } map { int rand length $mark } 1 .. 20)
{
    $damaged_marks++ if with_content("$set/verified", $content, \&remembered) eq 'complete';
}
is($damaged_marks, 23, 'damaged marks are none');
is(remembered(), 'verified', 'a whole one is');
$full = $node->safe_psql('postgres', "SELECT id FROM smartpouch.backups WHERE label = '$label'");

# a manifest that is whole, but not the one that was written
sub rehash { my ($text) = @_; $text =~ s/,\n"sha256": ".*\z//s; return "$text,\n\"sha256\": \"" . sha256_hex($text) . "\"\n}\n" }
like(with_content("$set/manifest.json", rehash($manifest =~ s/"format": 1/"format": 2/r), sub { problems($full, 'manifest') }),
    qr/the manifest has format 2, this library knows up to 1/, 'manifest from a newer format');
like(with_content("$set/manifest.json", rehash($manifest =~ s/"timeline": \d+/"timeline": 77/r), sub { problems($full, 'manifest') }),
    qr/the manifest is whole, but not the one that was written/, 'another manifest');
like(with_content("$set/manifest.json", rehash($manifest =~ s/"db.dump"/"..\/..\/x"/r), sub { problems($full, 'manifest') }),
    qr/the manifest has no valid "name"/, 'a path in a name');
like(with_content("$set/manifest.json", rehash($manifest =~ s/$label/20260101T000000Z-F-aaaaaa/r), sub { problems($full, 'manifest') }),
    qr/the manifest is that of "20260101T000000Z-F-aaaaaa"/, 'the manifest of another set');
foreach my $name ('../x', '20261123T050500Z-F-../../', '')
{
    $node->safe_psql('postgres', "UPDATE smartpouch.backup SET label = '$name' WHERE id = $models");
    like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($models)"), qr/there is no set of backup/, "a label that is none: '$name'");
}
$node->safe_psql('postgres', "DELETE FROM smartpouch.backup WHERE id = $models");

# ---- what only a restore finds ----

foreach my $case (
    [ '--exclude-table-data=public.child', qr/^tables\|expected .*"public.child", "rows" : 500,.*found .*"rows" : 0/, 'rows that are not in the dump' ],
    [ '--exclude-table-data=smartpouch.golden', qr/^predictions\|expected /m, 'golden rows that are not' ],
    [ '--exclude-table=other.parent', qr/^tables\|expected .*other.parent/, 'a table that is not' ])
{
    my ($option, $error, $name) = @$case;
    replace_program('pg_dump', qq([ "\$1" = --version ] && exec \$real "\$@"; exec \$real "\$@" $option));
    my $id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
    restore_program('pg_dump');
    is(problems($id, 'checksum'), '', 'bytes tell nothing');
    like(problems($id, 'restore'), $error, $name);
    like(status($id), qr/^failed\|/, 'it is no good');
}
is($node->safe_psql('postgres', $scratch), 0, 'the scratch database is gone');
replace_program('pg_restore', undef);
like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($full)"), qr/cannot execute pg_restore/, 'missing pg_restore');
replace_program('pg_restore', 'echo "no way" >&2; exit 1');
like(problems($full, 'restore'), qr/^restore\|pg_restore ended with code 1: no way/, 'pg_restore that fails');
restore_program('pg_restore');

# ---- the scratch database ----

$node->safe_psql('postgres', 'CREATE DATABASE smartpouch_verification');
like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($full)"), qr/is somebody else's/, 'scratch name taken');
is($node->safe_psql('postgres', $scratch), 1, 'what is somebody else\'s stays');
$node->safe_psql('postgres', 'DROP DATABASE smartpouch_verification');

# Runs code while a restore sleeps.
sub while_restoring
{
    my ($code) = @_;
    replace_program('pg_restore', 'case "$*" in *--list*) exec $real "$@";; esac; sleep 60');
    my $psql = start_psql($node, "SELECT * FROM smartpouch.verify_backup($full)", \$out, \$err);
    wait_until($node, q{EXISTS (SELECT FROM smartpouch.backup_progress WHERE phase = 'restoring')
        AND EXISTS (SELECT FROM pg_database d JOIN pg_shdescription s ON s.objoid = d.oid WHERE datname = 'smartpouch_verification')});
    $code->();
    IPC::Run::finish($psql);
    restore_program('pg_restore');
    return $err;
}

like(while_restoring(sub {
        like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($full)"), qr/another session of this server verifies a backup/, 'two at once');
        isnt($node->safe_psql('postgres', "SELECT smartpouch.backup('models')"), '', 'a backup may be made meanwhile');
        $node->safe_psql('postgres', 'SELECT pg_cancel_backend(pid) FROM smartpouch.backup_progress');
    }), qr/canceling statement/, 'cancel');
is($node->safe_psql('postgres', $scratch), 0, 'the scratch database is gone');
while_restoring(sub { kill_backend($node, $node->safe_psql('postgres', 'SELECT pid FROM smartpouch.backup_progress')) });
is($node->safe_psql('postgres', $scratch), 1, 'a killed backend leaves it');
is(verify($full, 'restore'), $all, 'and the next verification takes its place');
is($node->safe_psql('postgres', $scratch), 0, 'the scratch database is gone');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'smartpouch backup'}), 0, 'and so are all programs');

$node->stop;
done_testing();
