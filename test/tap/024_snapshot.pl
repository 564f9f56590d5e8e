# Snapshots between servers, their signatures, and the reader of doc/snapshot-format.md.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $fixture = read_fixture('xgb_diabetes_squarederror');
my $here    = new_server('here');
my $there   = new_server('there');
my $keys    = $PostgreSQL::Test::Utils::tmp_check . '/snapshot.keys';
my %key     = (first => 'a1' x 32, second => 'B2' x 64);

sub write_keys
{
    my ($text, $mode) = @_;
    unlink $keys;
    append_to_file($keys, $text);
    chmod $mode // 0600, $keys or die "$keys: $!";
    return;
}

sub set
{
    my ($node, $name, $value) = @_;
    $node->append_conf('postgresql.conf', "smartpouch.$name = '$value'");
    $node->reload;
    $node->poll_query_until('postgres',
        "SELECT count(smartpouch.version()) = 1 AND current_setting('smartpouch.$name') = '$value'")
      or die "$name is not set";
    return;
}

sub refused
{
    my ($node, $sql, $expected, $name) = @_;
    my ($code, $stdout, $stderr) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
    like($stderr, $expected, $name);
    unlike($stderr, qr/a1a1a1|b2b2b2/i, "$name: no key is shown");
    return;
}

load_fixture($_, $fixture) for $here, $there;
import_fixture($here, $fixture, 'm');
my $id   = $here->safe_psql('postgres', q{SELECT smartpouch.snapshot_model('m:1')});
my $file = $here->safe_psql('postgres', "SELECT encode(smartpouch.export_snapshot($id), 'hex')");

# ---- to another server ----
is($there->safe_psql('postgres', "SELECT smartpouch.import_snapshot(decode('$file', 'hex'))"), 1, 'another server takes it');
my $all = qq{SELECT md5(string_agg(smartpouch.predict('m:1', r)::text, ',' ORDER BY id)) FROM "$fixture->{name}" r};
is($there->safe_psql('postgres', $all), $here->safe_psql('postgres', $all), 'and answers bit for bit the same');
is($there->safe_psql('postgres',
        q{SELECT encode(smartpouch.export_snapshot(smartpouch.snapshot_model('m:1')), 'hex')}) eq $file, '',
    'its own snapshot differs, by who imported it when');

# ---- signatures ----
refused($here, "SELECT smartpouch.sign_snapshot($id)", qr/55000.*no keys to sign/s, 'no key file');
set($_, 'snapshot_key_file', $keys) for $here, $there;
refused($here, "SELECT smartpouch.sign_snapshot($id)", qr/F0000.*cannot be opened.*No such file/s, 'a key file that is not there');
for my $wrong (
    [ "first $key{first}\n", 0644, 'group or others have access', 'a key file that others may read' ],
    [ '', 0600, 'has no key', 'an empty key file' ],
    [ "# only words\n\n", 0600, 'has no key', 'a key file of comments' ],
    [ "first abcd\n", 0600, 'a key is too short', 'a short key' ],
    [ 'first ' . 'a1' x 65 . "\n", 0600, 'a key is too long', 'a long key' ],
    [ "first $key{first}x\n", 0600, 'not hexadecimal', 'a key with other digits' ],
    [ "$key{first}\n", 0600, 'no proper name', 'a key without a name' ],
    [ "first $key{first}\nfirst $key{first}\n", 0600, 'same name.*line 2', 'two keys of one name' ],
    [ 'x' x 1000, 0600, 'too long', 'a very long line' ])
{
    my ($text, $mode, $why, $name) = @$wrong;
    write_keys($text, $mode);
    refused($here, "SELECT smartpouch.sign_snapshot($id)", qr/F0000.*$why/s, $name);
}
write_keys("first $key{first}\n");
my $signature = $here->safe_psql('postgres', "SELECT smartpouch.sign_snapshot($id)");
like($signature, qr/^hmac-sha256:first:[0-9a-f]{64}$/, 'a signature names its key');
is($here->safe_psql('postgres', "SELECT signature FROM smartpouch.snapshots WHERE id = $id"), $signature, 'and is kept');

my $import = sub { my ($given) = @_; return "SELECT smartpouch.import_snapshot(decode('$file', 'hex'), 'signed', $given)" };
set($there, 'require_snapshot_signature', 'on');
refused($there, $import->('NULL'), qr/28000.*has no signature/s, 'a signature may be required');
refused($there, $import->("'hmac-sha256:first:" . '0' x 64 . "'"), qr/28000.*does not belong/s, 'a wrong one');
refused($there, $import->("'hmac-sha256:other:" . '0' x 64 . "'"), qr/28000.*names no key/s, 'one by an unknown key');
refused($there, $import->("'nonsense'"), qr/28000.*names no key/s, 'one that is none');
is($there->safe_psql('postgres', $import->("'$signature'")), 1, 'the right one');
write_keys("second $key{second}\nfirst $key{first}\n");
is($there->safe_psql('postgres', $import->("'$signature'")), 2, 'an older key is still trusted');
like($here->safe_psql('postgres', "SELECT smartpouch.sign_snapshot($id)"), qr/^hmac-sha256:second:/, 'the first one signs');
write_keys("second $key{second}\n");
refused($there, $import->("'$signature'"), qr/28000.*names no key/s, 'a key that was taken away');

my $dump = $here->safe_psql('postgres', q{SELECT string_agg(to_jsonb(s)::text, '') FROM smartpouch.snapshot s});
unlike($dump, qr/a1a1a1|b2b2b2/i, 'no key is in the database');

# ---- the reader in the documentation ----
SKIP:
{
    my $python = $ENV{PYTHON} // 'python3';
    skip 'no Python', 1 if system("$python -c '' 2>/dev/null") != 0;
    my ($program) = slurp_file(source_dir() . '/doc/snapshot-format.md') =~ /```python\n(.*?)```/s;
    my $folder = $PostgreSQL::Test::Utils::tmp_check;
    append_to_file("$folder/reader.py", $program);
    append_to_file("$folder/m.snapshot", pack('H*', $file));
    my $sha256 = $here->safe_psql('postgres', q{SELECT encode(sha256, 'hex') FROM smartpouch.versions});
    is(scalar(`$python $folder/reader.py $folder/m.snapshot`), "m $sha256\n", 'the documented reader reads it');
}

done_testing();
