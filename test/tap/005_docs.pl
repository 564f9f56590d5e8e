# Every SQL example of the documentation runs, in the order of the page, where
# "make demo" has run.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $root = source_dir();
my $node = new_server('docs', conf => "shared_preload_libraries = 'smartpouch'\nsmartpouch.backup_directory = '"
      . PostgreSQL::Test::Utils::tempdir_short() . "'");
chdir "$root/test/data/xgb_pouch_softprob" or die "test data: $!";

sub run_script
{
    my ($database, $script) = @_;
    my ($out, $err);
    my $ok = IPC::Run::run([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), '-f', '-' ],
        '<', \$script, '>', \$out, '2>', \$err);
    return ($ok, $err);
}

my ($ok, $err) = run_script('postgres', slurp_file("$root/examples/demo.sql"));
ok($ok, 'examples/demo.sql') or diag $err;
($ok, $err) = run_script('postgres', slurp_file("$root/examples/demo.sql"));
ok($ok, 'examples/demo.sql once more') or diag $err;

foreach my $page (qw(doc/reference.md README.md))
{
    my $text = slurp_file("$root/$page");
    my $line = 1;
    chdir $root or die $root if $page eq 'README.md';
    # the README starts with CREATE EXTENSION and imports the first version
    $node->safe_psql('postgres', 'DROP EXTENSION smartpouch') if $page eq 'README.md';
    while ($text =~ /\G(.*?)^```sql\n(.*?)^```\n/msg)
    {
        my ($before, $script) = ($1, $2);
        $line += ($before =~ tr/\n//) + 1;
        ($ok, $err) = run_script('postgres', $script);
        ok($ok, "$page line $line") or diag $err;
        $line += ($script =~ tr/\n//) + 1;
    }
}
# psql with a key that is bound, in the shell
my ($shell) = slurp_file("$root/README.md") =~ /^```sh\n([^`]*\\bind :token[^`]*)^```\n/m;
ok(defined $shell, 'the README has psql with a bound key');
SKIP:
{
    my ($version) = `psql --version` =~ /(\d+)/;
    skip 'psql has no \bind before version 16', 1 if $version < 16;
    local $ENV{PGHOST} = $node->host;
    local $ENV{PGPORT} = $node->port;
    local $ENV{PGDATABASE} = 'postgres';
    local $ENV{PSQLRC} = '/dev/null';
    local $ENV{MOTION_KEY} = $node->safe_psql('postgres', q{SELECT smartpouch.create_api_key('device 17', ARRAY['predict:model/motion'])});
    my ($out, $errors);
    IPC::Run::run([ 'sh', '-c', $shell ], '>', \$out, '2>', \$errors);
    like($out, qr/"model": "motion"/, 'which answers') or diag $errors;
}
cmp_ok(Test::More->builder->current_test, '>', 20, 'the pages have examples');

$node->stop;
done_testing();
