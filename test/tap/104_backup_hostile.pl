# What a hostile or odd folder, filter, database or default of a database does to backups:
# one bad set must not keep the others from being used, nothing good is called bad.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('hostile');
my $id   = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
my $good = only($node, $id);
$node->safe_psql('postgres', "SELECT smartpouch.keep_backup($id)");
my $text = slurp_file("$folder/$good/manifest.json");
my $odd  = '20260101T000000Z-M-aaaaaa';

sub rescan { return $node->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()') }
sub reason { return $node->safe_psql('postgres', "SELECT coalesce(max(reason), '') FROM smartpouch.backup WHERE label = '$odd'") }

# With something of a set's name in the folder all calls go on.
sub all_goes_on
{
    my ($name, $why) = @_;
    is(rescan(), "$odd|failed", "$name: rescan_backups() goes on");
    like(reason(), $why, "$name: and says what is wrong");
    my ($code, undef, $err) = $node->psql('postgres', 'SELECT * FROM smartpouch.expire_backups(false)');
    is($code, 0, "$name: expire_backups() goes on");
    like($err, qr/artefacts stay while set "$odd" cannot say/, "$name: and keeps artefacts");
    is($node->psql('postgres', "SET smartpouch.backup_filter = '/bin/cat'; SELECT smartpouch.backup('models')"), 0, "$name: backup() goes on");
    $node->safe_psql('postgres', "DELETE FROM smartpouch.backup WHERE label = '$odd'");
    return;
}

# ---- what is no folder ----

my %objects = (
    'a file'     => sub { append_to_file("$folder/$odd", 'x') },
    'a link'     => sub { symlink('/etc', "$folder/$odd") or die $! },
    'a pipe'     => sub { system('mkfifo', "$folder/$odd") == 0 or die });
foreach my $name (sort keys %objects)
{
    $objects{$name}->();
    all_goes_on($name, qr/its folder cannot be opened/);
    unlink "$folder/$odd";
}
ok(-d '/etc', 'a link was not followed');
mkdir "$folder/$odd", 0000;
SKIP: { skip 'the superuser opens every folder', 5 if $> == 0; all_goes_on('a locked folder', qr/cannot be opened: Permission denied/) }
chmod 0700, "$folder/$odd";

# ---- manifests whose hash is right, and that nobody of us wrote ----

sub rehash { my ($body) = @_; return $body . ",\n\"sha256\": \"" . sha256_hex($body) . "\"\n}\n" }
(my $body = $text) =~ s/,\n"sha256": "[0-9a-f]{64}"\n}\n$//;
$body =~ s/$good/$odd/;
my %manifests = (
    'a size over 64 bits'   => [ $body =~ s/"stored_bytes": \d+/"stored_bytes": 92233720368547758070/r, qr/bigint out of range/ ],
    'a size like infinity'  => [ $body =~ s/"stored_bytes": \d+/"stored_bytes": 1e1000/r, qr/bigint out of range/ ],
    'a negative size'       => [ $body =~ s/"stored_bytes": \d+/"stored_bytes": -1/r, qr/no valid "stored_bytes"/ ],
    'sizes that overflow'   => [ $body =~ s/"stored_bytes": \d+/"stored_bytes": 9223372036854775807/gr, qr/no valid "stored_bytes"/ ],
    'arrays too deep'       => [ $body =~ s/"not_inside": \[/'"not_inside": [' . '[' x 30000 . ']' x 30000 . ','/er, qr/stack depth limit/ ],
    'bytes that are no text' => [ $body =~ s/"database": "/"database": "\xff\xfe/r, qr/invalid byte sequence/ ],
    'a zero character'      => [ $body =~ s/"database": "/"database": "\\u0000/r, qr/unsupported Unicode escape/ ],
    'no JSON'               => [ '{"a": ', qr/invalid input syntax for type json/ ],
    'a time that is none'   => [ $body =~ s/"started_at": "[^"]*"/"started_at": "infinity"/r, qr/no valid "started_at"/ ],
    'a day that is none'    => [ $body =~ s/"started_at": "\d{4}-\d\d-\d\d/"started_at": "2026-02-31/r, qr/out of range/ ],
    'another kind'          => [ $body =~ s/"kind": "models"/"kind": "some"/r, qr/no valid "kind"/ ],
    'a path as filter'      => [ $body =~ s/"filter": ""/"filter": "\/..\/x"/r, qr/no valid "filter"/ ],
    'format 0'              => [ $body =~ s/"format": 1/"format": 0/r, qr/no valid "format"/ ],
    'no array of files'     => [ $body =~ s/"files": \[[^\]]*\]/"files": [1]/r, qr/no valid "files"/ ]);
foreach my $name (sort keys %manifests)
{
    open(my $out, '>:raw', "$folder/$odd/manifest.json") or die $!;
    print $out rehash($manifests{$name}[0]);
    close $out;
    all_goes_on($name, $manifests{$name}[1]);
}
truncate_file("$folder/$odd/manifest.json", 100 * 2**30);
all_goes_on('a manifest of 100 GB', qr/the manifest is too long/);
unlink "$folder/$odd/manifest.json";
rmdir "$folder/$odd" or die $!;

sub truncate_file { my ($name, $size) = @_; open(my $f, '>>', $name) or die $!; truncate($f, $size) or die $!; return }

# ---- retention ----

# many at once: each set is open no longer than it is looked at
my $many = 1200;
foreach my $i (1 .. $many)
{
    my $label = sprintf('20250101T%02d%02d%02dZ-M-aaaaaa', $i / 3600, $i / 60 % 60, $i % 60);
    mkdir "$folder/$label" or die $!;
}
rescan();
$node->safe_psql('postgres', "UPDATE smartpouch.backup SET started_at = now() - interval '10 days' WHERE label ~ '^2025'");
$node->safe_psql('postgres', "SELECT * FROM smartpouch.verify_backup($id)");
append_to_file("$folder/artefacts/notes.txt", 'of a person');
is($node->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.expire_backups(false) WHERE label ~ '^2025'}), $many, 'many sets go in one call');
is(scalar(my @old = glob("$folder/2025*")), 0, 'their folders, too');
ok(-e "$folder/artefacts/notes.txt", 'what is no artefact stays');
unlink "$folder/artefacts/notes.txt";

# a verified set of another database says nothing of this one's
$node->safe_psql('postgres', q{INSERT INTO smartpouch.backup (label, database, kind, status, started_at) VALUES
    ('20250101T000000Z-F-bbbbbb', 'postgres', 'full', 'failed', now() - interval '20 days'),
    ('20250101T000000Z-F-cccccc', 'another', 'full', 'verified', now() - interval '1 day')});
unlike($node->safe_psql('postgres', 'SELECT label FROM smartpouch.expire_backups()'), qr/bbbbbb/, 'a failed set waits for a verified one of its own database');
$node->safe_psql('postgres', q{DELETE FROM smartpouch.backup WHERE label ~ '^2025'});

# what only the folder knows to be permanent is not named either
my $second = only($node, $node->safe_psql('postgres', "SELECT smartpouch.backup('models')"));
$node->safe_psql('postgres', "SELECT smartpouch.backup('models') FROM generate_series(1, 3)");
append_to_file("$folder/$second/permanent", '');
my $zero = '0, 0, 0, 0, 0';
unlike($node->safe_psql('postgres', "SELECT label FROM smartpouch.expire_backups(true, $zero)"), qr/$second/, 'a dry run does not name what would stay');
unlike($node->safe_psql('postgres', "SELECT label FROM smartpouch.expire_backups(false, $zero)"), qr/$second/, 'nor does a real one');

# rows and sets go together when the call cannot end
$node->safe_psql('postgres', q{SELECT smartpouch.backup('models') FROM generate_series(1, 3)});
rescan();
rename "$folder/artefacts", "$folder/elsewhere";
append_to_file("$folder/artefacts", 'x');
like(fails_with($node, "SELECT label FROM smartpouch.expire_backups(false, $zero)"), qr/could not open folder .*artefacts/, 'a call that fails at its end');
unlink "$folder/artefacts";
rename "$folder/elsewhere", "$folder/artefacts";
is(rescan(), '', 'leaves no row without a set');

# a session that ended is not a set that was lost
$node->safe_psql('postgres', "INSERT INTO smartpouch.backup (label, kind, status) VALUES ('$odd', 'models', 'running')");
is(rescan(), "$odd|failed", 'a row of a session that ended');
is(reason(), 'the session ended while the backup was made', 'has that reason');

# a list that another session restores by is not taken from it
append_to_file("$folder/list.partial", 'x');
rescan();
ok(-e "$folder/list.partial", 'the list of a restore stays');
is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id)"), 't', 'and is made anew by the next');

# ---- filters ----

my $early = PostgreSQL::Test::Utils::tempdir() . '/early';
append_to_file($early, "#!/bin/sh\nhead -c 10\nexec <&-\nexit 0\n");
chmod 0755, $early;
$node->safe_psql('postgres', "CREATE TABLE noise AS SELECT md5(i::text) || md5((i * 7)::text) AS t FROM generate_series(1, 20000) i");
like(fails_with($node, "SET smartpouch.backup_filter = '$early'; SELECT smartpouch.backup()"),
    qr/smartpouch.backup_filter ended before it had read everything/, 'a filter that calls the beginning a success');

# a program that leaves something behind: what never ends does not hold the call, what does the work is waited for
sub filter_program
{
    my ($name, $script) = @_;
    my $path = PostgreSQL::Test::Utils::tempdir() . "/$name";
    append_to_file($path, "#!/bin/sh\n$script\n");
    chmod 0755, $path;
    return $path;
}
my $pids = PostgreSQL::Test::Utils::tempdir() . '/pids';
my $open = filter_program('open', "cat; sleep 1000 & echo \$! >>$pids");
like(fails_with($node, "SET smartpouch.backup_filter = '$open'; SELECT smartpouch.backup('models')"),
    qr/smartpouch.backup_filter has ended, but something that it started keeps its output open/, 'a filter that leaves a program behind');
my ($left) = slurp_file($pids) =~ /^(\d+)$/m;
# nobody may be there to wait for it
sub is_gone { my $stat = eval { slurp_file("/proc/$left/stat") } // ''; return $stat eq '' || $stat =~ /\) [ZX] / }
for (1 .. 600) { last if is_gone(); usleep(100_000) }
ok(is_gone(), 'which is ended, too');
my $late = filter_program('late', 'exec 3<&0; (sleep 1; exec cat) <&3 & exit 0');
is($node->psql('postgres', "SET smartpouch.backup_filter = '$late'; SET smartpouch.restore_filter = '/bin/cat'; SELECT smartpouch.backup('models')"), 0,
    'a filter whose work is done when it has ended');
my $greedy = filter_program('greedy', 'cat >/dev/null');
is($node->psql('postgres', "SET smartpouch.backup_filter = '$greedy'; SELECT smartpouch.backup('models')"), 0, 'one that gives nothing');
like(fails_with($node, "SET smartpouch.backup_filter = '$greedy'; SET smartpouch.restore_filter = '/bin/cat'; SELECT smartpouch.backup('models')"),
    qr/smartpouch.restore_filter does not give back what went into smartpouch.backup_filter/, 'is found at once by its inverse');

# ---- a connection to another server ----

my ($other) = backup_server('other');
my $elsewhere = "SET smartpouch.backup_connection = 'host=" . $other->host . ' port=' . $other->port . "'; ";
my $to_other  = qr/smartpouch.backup_connection leads to another server/;
like(fails_with($node, $elsewhere . 'SELECT smartpouch.backup()'), $to_other, 'backup() over a connection to another server');
like(fails_with($node, $elsewhere . "SELECT * FROM smartpouch.verify_backup($id)"), $to_other, 'verify_backup()');
like(fails_with($node, $elsewhere . "SELECT * FROM smartpouch.restore_models($id)"), $to_other, 'restore_models()');
like($node->safe_psql('postgres', $elsewhere . "SET smartpouch.health_timeout = '30s'; SELECT smartpouch.health() -> 'checks' -> 'backup:connection'"), $to_other, 'health()');
is($node->safe_psql('postgres', "SELECT status FROM smartpouch.backups WHERE id = $id"), 'verified', 'says nothing of a set');
$other->stop;

# ---- defaults of a database ----

$node->safe_psql('postgres', q{CREATE ROLE clerk; CREATE TABLE names (t regclass); INSERT INTO names VALUES ('parent')});
foreach my $setting ('quote_all_identifiers = on', 'role = clerk', 'default_transaction_read_only = on', "statement_timeout = '1ms'",
    "idle_session_timeout = '1ms'", 'standard_conforming_strings = off', "bytea_output = escape", "datestyle = 'German'", 'client_encoding = latin1',
    'default_transaction_isolation = serializable')
{
    $node->safe_psql('template1', "ALTER DATABASE postgres SET $setting");
    local $ENV{PGOPTIONS} = '-c role=none -c statement_timeout=0 -c idle_session_timeout=0 -c client_encoding=utf8';
    is($node->safe_psql('postgres', 'SELECT smartpouch.backup() > 0'), 't', "$setting: a backup");
    is($node->safe_psql('postgres', 'SELECT string_agg(detail, E\'\n\') FROM smartpouch.verify_backup((SELECT max(id) FROM smartpouch.backups)) WHERE NOT passed'),
        '', "$setting: it restores");
    $node->safe_psql('template1', 'ALTER DATABASE postgres RESET ALL');
}

# ---- what predicts in the dump itself ----

$node->safe_psql('postgres', q{CREATE TABLE point (x float8, y float8); INSERT INTO point SELECT i, i FROM generate_series(1, 5) i;
    CREATE MATERIALIZED VIEW scored AS SELECT x, y, smartpouch.predict('a', ARRAY[x, y]) AS p FROM point;
    CREATE FUNCTION score(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT smartpouch.predict('a', ARRAY[$1, $2]) $$;
    CREATE INDEX ON point (score(x, y))});
my $predicts = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
is($node->safe_psql('postgres', "SELECT string_agg(detail, '') FROM smartpouch.verify_backup($predicts) WHERE NOT passed"), '', 'a view and an index that predict are restored');
{
    local $ENV{PGHOST} = $node->host;
    local $ENV{PGPORT} = $node->port;
    my @program = ('bash', source_dir() . '/scripts/smartpouch-restore');
    ok(run_log([ @program, "$folder/" . only($node, $predicts), 'whole' ]), 'by the program, too');
    is($node->safe_psql('whole', 'SELECT count(p) FROM scored'), 5, 'with what they hold');
    my ($out, $err) = run_command([ @program, '-h' ]);
    like($out, qr/^smartpouch-restore - .*It ends with 0 when [^\n]*\Z/s, 'its help is its text, and no more');
}

# ---- other encodings ----

foreach my $case ([ 'LATIN1', "\xe9" ], [ 'SQL_ASCII', "\xff\xfe" ], [ 'EUC_JP', "\xc9\xbd" ])
{
    my ($encoding, $word) = @$case;
    my $database = lc $encoding;
    local $ENV{PGCLIENTENCODING} = $encoding;
    $node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
    $node->safe_psql($database, qq{CREATE EXTENSION smartpouch; CREATE TABLE "t$word" ("c$word" text); INSERT INTO "t$word" VALUES ('$word')});
    $node->safe_psql($database, 'SELECT smartpouch.backup()');
    my $label = $node->safe_psql($database, 'SELECT max(label) FROM smartpouch.backups');
    is($node->safe_psql($database, "SELECT string_agg(detail, '') FROM smartpouch.verify_backup((SELECT max(id) FROM smartpouch.backups)) WHERE NOT passed"), '',
        "$encoding: verified");
    local $ENV{PGHOST} = $node->host;
    local $ENV{PGPORT} = $node->port;
    ok(run_log([ 'bash', source_dir() . '/scripts/smartpouch-restore', "$folder/$label", "${database}_back" ]), "$encoding: restored by the program");
}

done_testing();
