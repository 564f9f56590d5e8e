# Recovery: single models into a living database, whole sets into a fresh cluster,
# through filters too, and a primary that was a standby goes on with the backups.
use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_hex);
use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my ($node, $folder) = backup_server('living', allows_streaming => 1);
my $fixture = read_fixture('xgb_pouch_softprob');
load_fixture($node, $fixture);
import_fixture($node, $fixture);
$node->safe_psql('postgres', q{SELECT smartpouch.import_model('a', based(9)), smartpouch.import_model('a', based(9));
    SELECT smartpouch.record_evaluation('a:2', 'holdout', '{"accuracy": 0.5}');
    CREATE ROLE keeper; ALTER TABLE child OWNER TO keeper});
my $before = all_predictions($node, $fixture);
my $id     = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
my $full   = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');

# ---- single models ----

my $restore = 'SELECT backed_model, backed_version, restored_model, restored_version FROM smartpouch.restore_models';
is($node->safe_psql('postgres', "$restore($id)"),
    "a|1|a|1\na|2|a|2\na|3|a|2\nb|1|b|1\nc|1|c|1\n$fixture->{name}|1|$fixture->{name}|1", 'what is there is not added again');
is($node->safe_psql('postgres', 'SELECT count(*) FROM smartpouch.versions'), 6, 'no version is new');
$node->safe_psql('postgres', "SELECT smartpouch.drop_model('$fixture->{name}'), smartpouch.drop_deployment('a', 'production'), smartpouch.drop_model('a')");
is($node->safe_psql('postgres', "$restore($id, '$fixture->{name}')"), "$fixture->{name}|1|$fixture->{name}|1", 'a dropped model comes back');
is(all_predictions($node, $fixture), $before, 'with the same predictions');
is($node->safe_psql('postgres', "$restore($full, 'a')"), "a|1|a|1\na|2|a|2\na|3|a|3", 'from a full backup, with all its versions');
is($node->safe_psql('postgres', q{SELECT count(*), bool_and(passed) FROM smartpouch.check_golden('a:1')}), '1|t', 'with golden rows');
is($node->safe_psql('postgres', q{SELECT dataset, metrics FROM smartpouch.evaluations WHERE model = 'a' AND version = 2}), 'holdout|{"accuracy": 0.5}', 'and evaluations');
is($node->safe_psql('postgres', "$restore($id, 'a', 'again')"), "a|1|again|1\na|2|again|2\na|3|again|3", 'under another name');
like($node->safe_psql('postgres', q{SELECT detail FROM smartpouch.history WHERE model = 'again' AND version = 2 AND action = 'import'}), qr/model "a" version 2/, 'the history says where from');
like(fails_with($node, "SELECT * FROM smartpouch.restore_models($id, 'none')"), qr/backup $id has no version of model "none"/, 'no such model');
like(fails_with($node, "SELECT * FROM smartpouch.restore_models($id, NULL, 'x')"), qr/a name for all models of a backup would make them one/, 'one name for all');
like(fails_with($node, 'SELECT * FROM smartpouch.restore_models(NULL)'), qr/argument "backup" must not be null/, 'NULL');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'smartpouch_verification'}), 0, 'the scratch database is gone');
my ($artefact) = grep { -s $_ > 10000 } glob("$folder/artefacts/*");
rename $artefact, "$artefact.away";
$node->safe_psql('postgres', "SELECT smartpouch.drop_model('$fixture->{name}')");
like(fails_with($node, "SELECT * FROM smartpouch.restore_models($id, '$fixture->{name}')"), qr/backup $id cannot be restored.*is missing/s, 'missing artefact');
rename "$artefact.away", $artefact;
$node->safe_psql('postgres', "SELECT * FROM smartpouch.restore_models($id, '$fixture->{name}')");

# ---- a whole set into a fresh cluster ----

my $script = source_dir() . '/scripts/smartpouch-restore';
my $fresh  = PostgreSQL::Test::Cluster->new('fresh');
$fresh->init(extra => \@initdb_options);
$fresh->start;

sub run_script
{
    my ($server, @arguments) = @_;
    local $ENV{PGHOST} = $server->host;
    local $ENV{PGPORT} = $server->port;
    my ($out, $err) = ('', '');
    my $ok = IPC::Run::run([ $script, @arguments ], '<', \undef, '>', \$out, '2>', \$err);
    return ($ok, $out, $err);
}

my $set = "$folder/" . only($node, $full);
my ($ok, $out, $err) = run_script($fresh, $set, 'back');
ok(!$ok, 'a role of the old cluster is missing');
like($err, qr/role "keeper" does not exist.*pg_dumpall --globals-only/s, 'what to do about it');
($ok, $out, $err) = run_script($fresh, $set, 'back');
like($err, qr/database back is not empty/, 'a database that is not empty is refused');
$fresh->safe_psql('postgres', 'CREATE DATABASE busy');
foreach my $made ([ 'CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql RETURN 1', 'DROP FUNCTION public.f()' ], [ "CREATE TYPE public.t AS ENUM ('a')", 'DROP TYPE public.t' ],
    [ "SELECT lo_from_bytea(20000, 'x')", 'SELECT lo_unlink(20000)' ])
{
    $fresh->safe_psql('busy', $made->[0]);
    ($ok, $out, $err) = run_script($fresh, $set, 'busy');
    like($err, qr/database busy is not empty/, "nor one after $made->[0]");
    $fresh->safe_psql('busy', $made->[1]);
}
$fresh->safe_psql('postgres', 'DROP DATABASE busy');
$fresh->safe_psql('postgres', 'DROP DATABASE back; ');
$fresh->safe_psql('postgres', 'CREATE ROLE keeper');
($ok, $out, $err) = run_script($fresh, $set, 'back');
ok($ok, 'a whole set') or diag $err;
like($out, qr/database back: tables and sequences as they were, golden rows pass, \d+ predictions, 0 of them other than before\nrestored \d+ bytes in [\d.]+ s/, 'is what it was');
is(all_predictions($fresh, $fixture, 'back'), $before, 'and predicts the same');
is($fresh->safe_psql('back', "SELECT smartpouch.predict('a', ARRAY[40, 60])"), '2.25', 'what served serves');
is($fresh->safe_psql('back', 'SELECT count(*) FROM child'), 500, 'tables of users');
is($fresh->safe_psql('back', "SELECT smartpouch.import_model('a', based(3))"), 4, 'the next version is the next one');
($ok, $out, $err) = run_script($fresh, "$folder/" . only($node, $id), 'odd "name');
ok($ok, 'a set of models, into a database with an odd name') or diag $err;
($ok, $out, $err) = run_script($fresh, '--no-owner', $set, 'mine');
ok($ok, 'without owners') or diag $err;
is($fresh->safe_psql('mine', q{SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'child'}), 't', 'all is the connecting role\'s');

foreach my $name (qw(manifest.json db.dump golden.jsonl))
{
    open(my $both, '+<', "$set/$name") or die $!;
    sysseek($both, 5, 0);
    sysread($both, my $byte, 1);
    sysseek($both, 5, 0);
    syswrite($both, chr(ord($byte) ^ 4));
    ($ok, $out, $err) = run_script($fresh, $set, 'broken');
    ok(!$ok && $err =~ /is damaged/, "a damaged $name is refused");
    sysseek($both, 5, 0);
    syswrite($both, $byte);
    close $both;
}
rename $artefact, "$artefact.away";
($ok, $out, $err) = run_script($fresh, $set, 'broken');
ok(!$ok && $err =~ /is missing/, 'a missing artefact is refused');
rename "$artefact.away", $artefact;
my $manifest = slurp_file("$set/manifest.json");
foreach my $case ([ qr/"format": 1/, '"format": 2', qr/the set has format 2; this program knows 1/, 'a manifest from a newer format' ],
    [ qr/"label": "[^"]*"/, '"label": "20260101T000000Z-F-aaaaaa"', qr/the manifest is that of 20260101T000000Z-F-aaaaaa/, 'the manifest of another set' ])
{
    my ($from, $to, $error, $name) = @$case;
    (my $other = $manifest) =~ s/,\n"sha256": ".*\z//s;
    $other =~ s/$from/$to/;
    open(my $write, '>', "$set/manifest.json") or die $!;
    print $write "$other,\n\"sha256\": \"" . sha256_hex($other) . "\"\n}\n";
    close $write;
    ($ok, $out, $err) = run_script($fresh, $set, 'broken');
    ok(!$ok && $err =~ $error, "$name is refused") or diag $err;
    open($write, '>', "$set/manifest.json") or die $!;
    print $write $manifest;
    close $write;
}
is($fresh->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'broken'}), 0, 'and nothing is made');
# a server without the extension, or with an older one
my ($bare) = backup_server('bare', own => 1);
my $share = bindir() =~ s{/bin$}{}r;
my ($control) = glob("$share/../../../share/postgresql/*/extension/smartpouch.control");
my $text = slurp_file($control);
sub write_control { my ($content) = @_; open(my $o, '>', $control) or die $!; print $o $content; close $o }
my ($scripts) = ($control =~ m{^(.*)/});
my @scripts = glob("$scripts/smartpouch--*.sql");
rename $_, "$_.away" foreach @scripts;
write_control($text =~ s/default_version = '[^']*'/default_version = '0.9.0'/r);
($ok, $out, $err) = run_script($bare, $set, 'older');
ok(!$ok && $err =~ /the set needs smartpouch 1\.1\.0; this server has 0\.9\.0/, 'an older extension is refused') or diag $err;
rename $control, "$control.away";
($ok, $out, $err) = run_script($bare, $set, 'none');
ok(!$ok && $err =~ /smartpouch is not installed on this server; the set needs version 1\.1\.0/, 'as is a server without it') or diag $err;
rename "$control.away", $control;
write_control($text);
rename "$_.away", $_ foreach @scripts;
my ($library) = glob("$share/lib/smartpouch.so");
rename $library, "$library.away";
($ok, $out, $err) = run_script($bare, $set, 'none');
ok(!$ok && $err =~ /could not access file/, 'and one without the library') or diag $err;
$bare->stop;
($ok, $out, $err) = run_script($fresh, "$folder/none", 'x');
ok(!$ok && $err =~ /there is no set in/, 'no such set');
$fresh->stop;

# ---- filters ----

SKIP: {
    skip 'no gzip', 9 unless -x '/bin/gzip';
    $node->append_conf('postgresql.conf', "smartpouch.backup_filter = '/bin/gzip -n'");
    $node->reload;
    my $filtered = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
    my $folder_of = "$folder/" . only($node, $filtered);
    like(slurp_file("$folder_of/db.dump"), qr/^\x1f\x8b/, 'files go through the filter');
    my @both = glob("$folder/artefacts/*.f*");
    is(scalar(@both), $node->safe_psql('postgres', "SELECT artefacts FROM smartpouch.backups WHERE id = $filtered"), 'artefacts too, beside the plain ones');
    my $inode = (stat $both[0])[1];
    my $second = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
    is((stat $both[0])[1], $inode, 'which the next set shares');
    is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($filtered, 'checksum')"), 't', 'checksums need no inverse');
    like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($filtered)"), qr/there is no smartpouch.restore_filter/, 'a restore does');
    $node->append_conf('postgresql.conf', "smartpouch.restore_filter = '/bin/gzip -dc'");
    $node->reload;
    is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($filtered)"), 't', 'with it a filtered set is verified');
    is($node->safe_psql('postgres', "$restore($second, 'b', 'unfiltered')"), 'b|1|unfiltered|1', 'and models come back');
    $node->safe_psql('postgres', 'CREATE DATABASE aside');
    ($ok, $out, $err) = run_script($node, $folder_of, 'aside');
    like($err, qr/say by --filter what undoes it/, 'the script asks for it');
    ($ok, $out, $err) = run_script($node, '--filter', '/bin/gzip -dc', $folder_of, 'aside');
    ok($ok, 'and takes it, and an empty database') or diag $err;
}
foreach my $case ([ '/bin/false', qr/smartpouch.backup_filter failed.*ended with code 1/s ], [ '/nowhere/filter', qr/cannot execute smartpouch.backup_filter/ ])
{
    my ($filter, $error) = @$case;
    IPC::Run::finish(start_psql($node, [ "SET smartpouch.backup_filter = '$filter'", "SELECT smartpouch.backup('models')" ], \$out, \$err));
    like($err, $error, "filter $filter");
}
$node->append_conf('postgresql.conf', "smartpouch.backup_filter = ''");
$node->reload;

# ---- a standby ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
like(fails_with($standby, "SELECT smartpouch.backup('models')"), qr/cannot execute backup\(\) during recovery/, 'not on a standby');
$node->stop;
$standby->promote;
$standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
my $next = $standby->safe_psql('postgres', 'SELECT smartpouch.backup()');
is($standby->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($next)"), 't', 'after its promotion it goes on');
is($standby->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()'), '', 'with the list that it had');
$standby->stop;
done_testing();
