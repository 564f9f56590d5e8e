# The commands that doc/backup.md proposes for compression and encryption: sets are made,
# verified, restored by the program, and say clearly when the key is not there.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my @programs = qw(zstd age age-keygen gpg);
my @missing  = grep { !-x "/usr/bin/$_" } @programs;
die "missing: @missing; scripts/deps test installs them\n" if @missing && $ENV{CI};
plan skip_all => "missing: @missing (scripts/deps test)" if @missing;

my $keys = PostgreSQL::Test::Utils::tempdir_short();
my ($node, $folder) = backup_server('filters');
my $script = source_dir() . '/scripts/smartpouch-restore';
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;

sub run_or_die { my $command = join(' ', @_); my $said = qx($command 2>&1); die "$command: $said" if $?; return }
run_or_die("age-keygen -o $keys/identity");
run_or_die("age-keygen -y -o $keys/recipients $keys/identity");
run_or_die("age-keygen -o $keys/other");
mkdir "$keys/gpg", 0700 or die $!;
run_or_die("gpg --homedir $keys/gpg --batch --quiet --passphrase '' --quick-generate-key backup\@example.org default default never");

sub settings
{
    my (%settings) = @_;
    $node->append_conf('postgresql.conf', join('', map { "smartpouch.$_ = '$settings{$_}'\n" } keys %settings));
    $node->reload;
    return;
}

# The settings of the page, with keys of our own.
my $page = slurp_file(source_dir() . '/doc/backup.md');
my @pairs = $page =~ /^smartpouch\.backup_filter = '(.*)'\nsmartpouch\.restore_filter = '(.*)'$/mg;
is(scalar(@pairs), 6, 'the page has three pairs of commands');
while (my ($filter, $inverse) = splice(@pairs, 0, 2))
{
    my ($name) = $filter =~ m{^/usr/bin/(\w+)};
    foreach ($filter, $inverse)
    {
        s{/etc/smartpouch/backup\.recipients}{$keys/recipients};
        s{/etc/smartpouch/backup\.identity}{$keys/identity};
        s{^/usr/bin/gpg}{/usr/bin/gpg --homedir $keys/gpg};
    }
    settings(backup_filter => $filter, restore_filter => '');
    my $id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
    my $set = "$folder/" . only($node, $id);
    is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id, 'checksum')"), 't', "$name: checksums need no key");
    isnt(substr(slurp_file("$set/$_->[0]"), 0, length $_->[1]), $_->[1], "$name: $_->[0] went through it")
      foreach [ 'db.dump', 'PGDMP' ], [ 'sequences.jsonl', '{"seq' ], [ 'golden.jsonl', '{"ref' ];
    like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($id)"), qr/there is no smartpouch.restore_filter/, "$name: without its inverse it is not restored");
    settings(restore_filter => $inverse);
    is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id)"), 't', "$name: with it, it is");
    is($node->safe_psql('postgres', "SELECT restored_version FROM smartpouch.restore_models($id, 'a', 'from_$name')"), 1, "$name: single models");
    my ($out, $err) = ('', '');
    ok(IPC::Run::run([ $script, '--filter', $inverse, $set, "back_$name" ], '<', \undef, '>', \$out, '2>', \$err), "$name: smartpouch-restore") or diag $err;
    like($out, qr/tables and sequences as they were/, "$name: what it was");
    next unless $name eq 'age';
    settings(restore_filter => "/usr/bin/age --decrypt --identity $keys/other");
    like(fails_with($node, "SELECT * FROM smartpouch.verify_backup($id)"), qr/smartpouch.restore_filter failed.*no identity matched/s, "$name: another key");
    is($node->safe_psql('postgres', "SELECT status FROM smartpouch.backups WHERE id = $id"), 'verified', "$name: which says nothing of the set");
    like(fails_with($node, "SELECT * FROM smartpouch.restore_models($id, 'a', 'never')"), qr/no identity matched/, "$name: nor restores anything");
    ok(!IPC::Run::run([ $script, '--filter', "/usr/bin/age --decrypt --identity $keys/other", $set, 'never' ], '<', \undef, '>', \$out, '2>', \$err), "$name: smartpouch-restore neither");
    like($err, qr/no identity matched.*smartpouch-restore: the filter fails/s, "$name: and says why");
    is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_database WHERE datname = 'never'}), 0, "$name: before it makes anything");
}

# the recipe that needs nobody's program: files as they are, and psql
settings(backup_filter => '', restore_filter => '');
my $plain = $node->safe_psql('postgres', "SELECT smartpouch.backup()");
my ($sql) = $page =~ /^(INSERT INTO smartpouch\.blob .*?;)$/ms or die 'no recipe';
$sql =~ s{/srv/smartpouch-backups}{$folder};
my $label = only($node, $plain);
$sql =~ s{20261123T050500Z-F-x7k2p9}{$label};
$node->safe_psql('postgres', 'CREATE DATABASE by_hand TEMPLATE template0');
sub pg_restore { my (@options) = @_; return system('pg_restore', '--exit-on-error', @options, '-d', $node->connstr('by_hand'), "$folder/$label/db.dump") == 0 }
ok(pg_restore('--section=pre-data'), 'pg_restore alone brings back the definitions');
$node->safe_psql('by_hand', $sql);
ok(pg_restore('--section=data', '--section=post-data'), 'and the rest');
is($node->safe_psql('by_hand', "SELECT smartpouch.predict('a', ARRAY[40, 60])"), '2.25', 'and the page says how the artefacts come back');

system("gpgconf --homedir $keys/gpg --kill all");
$node->stop;
done_testing();
