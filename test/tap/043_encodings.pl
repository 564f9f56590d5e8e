# Databases in other encodings than UTF-8: what can be written there works, and
# means the same elsewhere; what cannot is refused with a way out.
use strict;
use warnings FATAL => 'all';

use Test::More;

use Smartpouch;

my $node = new_server('encodings');
my $fixture  = read_fixture('xgb_wine_parallel_trees');
my $names    = $fixture->{feature_names};

# the model file with its first feature called something else, in UTF-8 whatever the database is in
sub renamed
{
    my ($name) = @_;
    my $hex = unpack('H*', $name);
    my $was = unpack('H*', $names->[0]);
    return "decode(replace(encode(pg_read_binary_file('$fixture->{dir}/$fixture->{artifact}'), 'hex'), '22${was}22', '22${hex}22'), 'hex')";
}
my $german   = "gr\xc3\xb6\xc3\x9fe";
my $japanese = "\xe5\xb9\xb4\xe9\xbd\xa2";
my $client   = "SET client_encoding = 'UTF8';";

foreach my $encoding (qw(LATIN1 SQL_ASCII EUC_JP))
{
    my $database = lc $encoding;
    $node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
    $node->safe_psql($database, 'CREATE EXTENSION smartpouch');
    $node->safe_psql($database, "$client SELECT smartpouch.import_model('m', " . renamed($german) . ", labels => ARRAY['a', 'b', '$german'])");
    $node->safe_psql($database, q{SELECT smartpouch.promote('m', 1, 'production')});
    is($node->safe_psql($database, "$client SELECT feature_names[1], labels[3] FROM smartpouch.versions"), "$german|$german",
        "$encoding: names that it has are what they were");
    foreach my $report ('report', 'report_html')
    {
        is(($node->psql($database, "SELECT length(smartpouch.$report('1 day')) > 100"))[1], 't', "$encoding: $report()");
    }
}
is($node->safe_psql('latin1', q{SELECT smartpouch._sparkline(ARRAY[0, 1, 8]) || smartpouch._bar(1, 2, 4)}), ' .###', 'blocks of ASCII');
is($node->safe_psql('postgres', q{SELECT smartpouch._sparkline(ARRAY[0, 1, 8]) || smartpouch._bar(1, 2, 4) = U&' \2581\2588\2588\2588'}), 't', 'blocks in UTF-8');

# what LATIN1 has not
my $refused = sub {
    my ($sql, $what) = @_;
    my (undef, undef, $err) = $node->psql('latin1', "\\set VERBOSITY verbose\n$client $sql");
    like($err, qr/ERROR:  22P05: .*HINT:  A text of the model cannot be written in the encoding of this database, LATIN1/s, "$what says what to do");
};
$refused->('SELECT smartpouch.import_model(\'j\', ' . renamed($japanese) . ')', 'import_model()');
$refused->('SELECT smartpouch.inspect_model(' . renamed($japanese) . ')', 'inspect_model()');
$node->safe_psql('latin1', 'SELECT smartpouch.import_model(\'j\', ' . renamed($japanese) . ", feature_names => ARRAY["
      . join(', ', map { "'x$_'" } 1 .. @$names) . '])');
pass('and doing it helps');

# from one encoding into another
my $snapshot = sub {
    my ($database, $ref) = @_;
    return $node->safe_psql($database, "SELECT encode(smartpouch.export_snapshot(smartpouch.snapshot_model('$ref')), 'hex')");
};
my $bytes = $snapshot->('latin1', 'm:1');
$node->safe_psql($_, "SELECT smartpouch.import_snapshot(decode('$bytes', 'hex'), 'moved')") foreach qw(postgres euc_jp);
is($node->safe_psql($_, "$client SELECT feature_names[1], labels[3] FROM smartpouch.versions WHERE model = 'moved'"), "$german|$german",
    "a snapshot from LATIN1 in $_") foreach qw(postgres euc_jp);
$node->safe_psql('euc_jp', 'SELECT smartpouch.import_model(\'j\', ' . renamed($japanese) . ')');
$bytes = $snapshot->('euc_jp', 'j:1');
$refused->("SELECT smartpouch.import_snapshot(decode('$bytes', 'hex'))", 'import_snapshot()');

$node->safe_psql('postgres', 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'sh', '-c', 'pg_dump -d latin1 | psql -XAtq -v ON_ERROR_STOP=1 -d restored' ], 'LATIN1 is dumped and restored into UTF-8');
my $same = q{SELECT smartpouch.registry_digest(), (SELECT count(*) FROM smartpouch.verify_history())};
is($node->safe_psql('restored', $same), $node->safe_psql('latin1', $same), 'with the same digest and whole histories');

done_testing();
