# Backup.pm - servers with a folder for backups, and an installation of their own
# whose programs a test may replace.
package Backup;

use strict;
use warnings FATAL => 'all';

use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use File::Path qw(make_path);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

use Smartpouch;

our @EXPORT = qw(backup_server bindir replace_program restore_program start_psql wait_until
  unschedule start_again sets partials set_files only fails_with);

my $bindir;

sub bindir { return $bindir }

# The server finds the rest of an installation relative to its own place.
sub own_installation
{
    my ($to) = @_;
    my %from;
    foreach my $kind (qw(bindir sharedir pkglibdir))
    {
        $from{$kind} = qx(pg_config --$kind);
        chomp $from{$kind};
    }
    my ($root) = $from{bindir} =~ m{^(.*?)/usr/} or die "no usr in $from{bindir}";
    foreach my $kind (qw(bindir sharedir pkglibdir))
    {
        next if -e $to . substr($from{$kind}, length $root);
        (my $parent = $to . substr($from{$kind}, length $root)) =~ s{/[^/]+$}{};
        make_path($parent);
        system('cp', '-RL', $from{$kind}, $parent) == 0 or die "cannot copy $from{$kind}";
    }
    (my $path = $to . substr($from{bindir}, length $root)) =~ s{/bin$}{};
    return $path;
}

# Options: own => 1 for an installation of its own, conf, folder.
sub backup_server
{
    my ($name, %options) = @_;
    my $folder = $options{folder} // PostgreSQL::Test::Utils::tempdir_short() . '/backups';
    my $inst   = $options{own} ? own_installation(PostgreSQL::Test::Utils::tempdir()) : undef;
    my $node   = PostgreSQL::Test::Cluster->new($name, $inst ? (install_path => $inst) : ());
    mkdir $folder, 0700 or die "$folder: $!" unless -d $folder;
    $bindir = "$inst/bin" if $inst;
    $node->init(allows_streaming => $options{allows_streaming} // 0, extra => \@initdb_options);
    $node->append_conf('postgresql.conf', "restart_after_crash = on\nsynchronous_commit = on\n"
          . "smartpouch.backup_directory = '$folder'\n" . ($options{conf} // ''));
    $node->start;
    $node->safe_psql('postgres', 'CREATE EXTENSION smartpouch');
    prepare_changes($node);
    $node->safe_psql('postgres', q{SELECT smartpouch.promote('a', 1, 'production');
        SELECT smartpouch.add_golden('a:1', '[40, 60]', smartpouch.predict_json('a:1', '[40, 60]') - 'model' - 'version');
        CREATE TABLE parent (id integer PRIMARY KEY, note text);
        CREATE TABLE child (id integer REFERENCES parent, t float8, at timestamptz);
        CREATE TABLE loose (id integer);
        INSERT INTO parent SELECT i, repeat('x', i % 50) FROM generate_series(1, 500) i;
        INSERT INTO child SELECT id, id / 3.0, '2026-01-01'::timestamptz + id * interval '1 minute' FROM parent});
    return ($node, $folder);
}

# A shell script in the place of a program; $real runs what was there.
sub replace_program
{
    my ($program, $script) = @_;
    my $path = "$bindir/$program";
    rename $path, "$path.real" or die "$path: $!" unless -e "$path.real";
    unlink $path;
    return unless defined $script;
    open(my $out, '>', $path) or die "$path: $!";
    print $out "#!/bin/sh\nreal=$path.real\n$script\n";
    close $out;
    chmod 0755, $path;
    return;
}

sub restore_program
{
    my ($program) = @_;
    rename "$bindir/$program.real", "$bindir/$program" or die "$program: $!";
    return;
}

# Statements, each in a transaction of its own, in a session that is not waited for.
sub start_psql
{
    my ($node, $sql, $out, $err) = @_;
    $$out = $$err = '';
    return IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } ref $sql ? @$sql : $sql ], '<', \undef, '>', $out, '2>', $err,
        IPC::Run::timeout(120));
}

sub wait_until
{
    my ($node, $condition) = @_;
    return $node->poll_query_until('postgres', "SELECT $condition");
}

# No job of pg_cron runs any more, nor will one: what a job has done can be seen before its session has ended.
sub unschedule
{
    my ($node) = @_;
    $node->safe_psql('postgres', 'SELECT smartpouch.unschedule_jobs()');
    return wait_until($node, q{NOT EXISTS (SELECT FROM cron.job_run_details WHERE status NOT IN ('succeeded', 'failed'))
        AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'pg_cron')});
}

# After the postmaster was killed: what it has left must end first, and its pid may belong to another by now.
sub start_again
{
    my ($node) = @_;
    foreach (1 .. 600)
    {
        unlink $node->data_dir . '/postmaster.pid', glob($node->host . '/.s.PGSQL.*.lock');
        return if $node->start(fail_ok => 1);
        usleep(100_000);
    }
    die 'the server does not start again';
}

# Names in the folder.
sub sets { my ($folder) = @_; return sort map { m{([^/]+)$} } grep { m{/\d{8}T\d{6}Z-[FM]-\w{6}$} } glob("$folder/*") }
sub partials { my ($folder) = @_; return map { m{([^/]+)$} } glob("$folder/*.partial $folder/*.deleted $folder/artefacts/*.partial") }
sub set_files { my ($folder, $label) = @_; return sort map { m{([^/]+)$} } glob("$folder/$label/*") }

# The set of a backup's id.
sub only { my ($node, $id) = @_; return $node->safe_psql('postgres', "SELECT label FROM smartpouch.backups WHERE id = $id") }

# The error of a statement that must fail, without what varies.
sub fails_with
{
    my ($node, $sql, %options) = @_;
    my ($code, $out, $err) = $node->psql('postgres', $sql, %options);
    return $code == 0 ? "no error: $out" : $err;
}

1;
