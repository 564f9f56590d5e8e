# Peppers of API keys: hashes that verify nothing without a file outside the data directory.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $dir  = PostgreSQL::Test::Utils::tempdir();
my $file = "$dir/peppers";
sub write_peppers
{
    my ($path, @names) = @_;
    unlink $path;
    open(my $out, '>', $path) or die "$path: $!";
    chmod 0600, $path;
    print $out "# peppers\n", map { "$_ " . ($_ x 64 =~ s/[^0-9a-f]/a/gr) =~ s/^(.{64}).*/$1/r . "\n" } @names;
    close($out);
    return;
}
sub make { my ($node) = @_; return $node->safe_psql('postgres', q{SELECT smartpouch.create_api_key('alice', ARRAY['see:a'])}) }
sub id_of { return (split /_/, $_[0])[2] }
sub code_of { my ($token, $server) = @_; return $server->safe_psql('postgres', "SELECT code FROM smartpouch.verify_api_key('$token')") }
sub pepper_of { my ($token, $server) = @_; return $server->safe_psql('postgres', "SELECT coalesce(pepper, 'none') FROM smartpouch.api_keys WHERE key_id = '" . id_of($token) . "'") }

my $node = new_server('pepper', conf => "shared_preload_libraries = 'smartpouch'");
my $plain = make($node);
write_peppers($file, 'b1');
$node->append_conf('postgresql.conf', "smartpouch.api_key_pepper_file = '$file'");
is($node->safe_psql('postgres', 'SHOW smartpouch.api_key_pepper_file'), '', 'the setting waits for a restart');
$node->restart;
my $first = make($node);
is(pepper_of($plain, $node) . ' ' . pepper_of($first, $node), 'none b1', 'a new key has a pepper');
is(code_of($plain, $node) . ' ' . code_of($first, $node), 'valid valid', 'both are good');
my $hash = sub { my ($token, $how) = @_; return $node->safe_psql('postgres', "SELECT hash = $how FROM smartpouch.api_key WHERE id = '" . id_of($token) . "'") };
my $message = sub { my ($token) = @_; return "convert_to('smartpouch/v1', 'UTF8') || '\\x00' || convert_to('$token', 'UTF8')" };
is($hash->($first, 'sha256(' . $message->($first) . ')'), 'f', 'its hash is not that of the key alone');
my $key = "decode(rpad(repeat('b1', 32), 128, '0'), 'hex')";
my $xor = sub { my ($byte) = @_; return "(SELECT string_agg(set_byte('\\x00', 0, get_byte($key, i) # $byte), '' ORDER BY i) FROM generate_series(0, 63) i)" };
is($hash->($first, "sha256(" . $xor->(0x5c) . " || sha256(" . $xor->(0x36) . " || " . $message->($first) . '))'), 't', 'but HMAC-SHA-256 under the pepper (RFC 2104)');

# a new pepper in front, without a restart
write_peppers($file, 'c2', 'b1');
my $second = make($node);
is(pepper_of($second, $node), 'c2', 'the first of the file is for new keys');
is(code_of($first, $node) . ' ' . code_of($second, $node), 'valid valid', 'all of the file are good');
my $rotated = $node->safe_psql('postgres', "SELECT smartpouch.rotate_api_key('" . id_of($first) . "')");
is(pepper_of($rotated, $node), 'c2', 'rotation moves a key to the new one');

# a session that read the file before the newest pepper came to it
write_peppers($file, 'd3', 'c2', 'b1');
my $third = make($node);
rename($file, "$dir/newer") or die;
write_peppers($file, 'c2', 'b1');
is($node->safe_psql('postgres', qq{SELECT code FROM smartpouch.verify_api_key('$first');
    \\! mv $dir/newer $file
    SELECT pg_sleep(1.1) IS NULL;
    SELECT code FROM smartpouch.verify_api_key('$third')}), "valid\nf\nvalid", 'an old session learns of a new pepper');

# without it
write_peppers($file, 'd3');
is(code_of($first, $node) . ' ' . code_of($second, $node) . ' ' . code_of($plain, $node), 'unknown unknown valid', 'a pepper that is gone verifies nothing');
like(slurp_file($node->logfile), qr/an API key needs the pepper "b1"/, 'and the log says which');
unlink $file;
like(($node->psql('postgres', "SELECT smartpouch.verify_api_key('$first')"))[2], qr/names a file that cannot be used/, 'no file, no verification');
like(($node->psql('postgres', q{SELECT smartpouch.create_api_key('alice', ARRAY['see:a'])}))[2], qr/names a file that cannot be used/, 'nor new keys');
write_peppers($file, 'b1', 'c2');
chmod 0644, $file;
like(($node->psql('postgres', "SELECT smartpouch.verify_api_key('$first')"))[2], qr/group or others have access/, 'a file that others can read');
my $inside = $node->data_dir . '/peppers';
write_peppers($inside, 'b1', 'c2');
$node->append_conf('postgresql.conf', "smartpouch.api_key_pepper_file = '$inside'");
$node->restart;
like(($node->psql('postgres', "SELECT smartpouch.verify_api_key('$first')"))[2], qr/names a file in the data directory/, 'a file beside the hashes');
symlink($inside, "$dir/link") or die;
$node->append_conf('postgresql.conf', "smartpouch.api_key_pepper_file = '$dir/link'");
$node->restart;
like(($node->psql('postgres', "SELECT smartpouch.verify_api_key('$first')"))[2], qr/names a file in the data directory/, 'also by a link');

# a stolen dump
write_peppers($file, 'b1', 'c2');
$node->append_conf('postgresql.conf', "smartpouch.api_key_pepper_file = '$file'");
$node->restart;
is(code_of($second, $node), 'valid', 'back with its file');
command_ok([ 'pg_dump', '-f', "$dir/db.sql", '-d', $node->connstr('postgres') ], 'pg_dump');
unlike(slurp_file("$dir/db.sql"), qr/b1b1b1|c2c2c2/, 'a dump has no peppers');
my $thief = PostgreSQL::Test::Cluster->new('thief');
$thief->init(extra => \@initdb_options);
$thief->start;
$thief->psql('postgres', undef, extra_params => [ '-q', '-f', "$dir/db.sql" ], on_error_stop => 1, stdout => undef);
is($thief->safe_psql('postgres', 'SELECT smartpouch.adopt_api_keys() > 0'), 't', 'a thief of the dump adopts the keys');
is(code_of($second, $thief) . ' ' . code_of($plain, $thief), 'unknown valid', 'and verifies none that has a pepper');

$thief->stop;
$node->stop;
done_testing();
