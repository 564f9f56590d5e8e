# Backups and standbys: none on a standby; a promotion disturbs no backup of the primary; and
# a primary promoted from standby continues the schedule.
use strict;
use warnings FATAL => 'all';

use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my $cron = -e (qx(pg_config --pkglibdir) =~ s/\n//r) . '/pg_cron.so';
my ($primary, $folder) = backup_server('primary', allows_streaming => 1, conf => "max_worker_processes = 20\nsmartpouch.health_timeout = '1min'\n"
      . ($cron ? "shared_preload_libraries = 'smartpouch,pg_cron'\ncron.use_background_workers = on\n" : ''));
my ($out, $err, $lock_out, $lock_err);

sub standby_of
{
    my ($node, $name) = @_;
    $node->backup($name);
    my $standby = PostgreSQL::Test::Cluster->new($name);
    $standby->init_from_backup($node, $name, has_streaming => 1);
    $standby->start;
    $node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
    return $standby;
}
sub promote
{
    my ($node) = @_;
    $node->promote;
    $node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
    return;
}
sub verified { my ($node, $id) = @_; return $node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id)") }
sub status { my ($node, $id) = @_; return $node->safe_psql('postgres', "SELECT status, reason FROM smartpouch.backups WHERE id = $id") }

# Starts a backup that waits for a lock; returns what to finish and its id.
sub waiting_backup
{
    my ($node) = @_;
    my $lock = start_psql($node, 'BEGIN; LOCK TABLE parent IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)', \$lock_out, \$lock_err);
    wait_until($node, q{EXISTS (SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'parent'::regclass AND granted)});
    my $backup = start_psql($node, [ 'SELECT smartpouch.backup()' ], \$out, \$err);
    wait_until($node, q{EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'smartpouch backup' AND wait_event_type = 'Lock')});
    return ($backup, $lock, $node->safe_psql('postgres', 'SELECT id FROM smartpouch.backup_progress'));
}

my $first = $primary->safe_psql('postgres', "SELECT smartpouch.backup('models')");
$primary->safe_psql('postgres', 'SELECT smartpouch.backup()');
$primary->safe_psql('postgres', 'SELECT smartpouch.verify_newest()');
my $standby = standby_of($primary, 'standby');

# ---- on a standby ----

foreach my $call ('backup()', "verify_backup($first)", 'verify_newest()', "restore_models($first)", 'expire_backups(false)', "keep_backup($first)", 'rescan_backups()')
{
    my $name = $call =~ s/\(.*//r;
    like(fails_with($standby, "SELECT smartpouch.$call"), qr/cannot execute (\Q$name\E|verify_backup)\(\) during recovery/, "not on a standby: $name()");
}
is(status($standby, $first), 'verified|', 'a standby has the list');
my $checks = decode_json($standby->safe_psql('postgres', 'SELECT smartpouch.health()'))->{checks};
is(join(' ', map { $checks->{"backup:$_"}[0]{status} } qw(age verifiedAge freeSpace connection)), 'pass pass pass pass', 'and its health tells of backups');

# ---- a promotion while the primary makes a backup ----

my ($backup, $lock, $running) = waiting_backup($primary);
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is(status($standby, $running), 'running|', 'a standby sees the backup of its primary');
promote($standby);
foreach my $call ("backup('models')", 'rescan_backups()', 'expire_backups(false)', "keep_backup($first)")
{
    like(fails_with($standby, "SELECT smartpouch.$call"), qr/another server is at work on the backups in/, "promoted, it waits until the old primary is done: $call");
}
is(verified($standby, $first), 't', 'a set is verified meanwhile');
is(scalar(my @partial = partials($folder)), 1, 'and leaves alone what is being written');
$primary->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^BEGIN; LOCK TABLE'});
IPC::Run::finish($_) foreach $backup, $lock;
is("$out$err", "$running\n", 'the backup of the old primary is made');
my $second = $standby->safe_psql('postgres', 'SELECT smartpouch.backup()');
is(status($standby, $running), 'complete|', 'and the new one learns of it with its next call');
is(verified($standby, $_), 't', "set $_ is good") foreach $running, $second;
my $manifest = decode_json(slurp_file("$folder/" . only($standby, $second) . '/manifest.json'));
is($manifest->{timeline}, 2, 'of its own timeline');
is($manifest->{system_identifier}, decode_json(slurp_file("$folder/" . only($standby, $first) . '/manifest.json'))->{system_identifier}, 'in the same system');
$primary->stop;

# ---- a primary promoted from standby continuing the schedule ----

$standby->safe_psql('postgres', 'CREATE EXTENSION pg_cron') if $cron;
my $next = standby_of($standby, 'next');
($backup, $lock, $running) = waiting_backup($standby);
# not before: at the turn of a minute the job would be first
$standby->safe_psql('postgres', q{SELECT smartpouch.schedule_jobs('{"backup_models": "* * * * *", "backup_full": null,
    "verify_checksum": null, "verify_restore": null, "expire_backups": null}')});
$standby->wait_for_catchup($next, 'replay', $standby->lsn('insert'));
$standby->stop('immediate');
IPC::Run::finish($_) foreach $backup, $lock;
is(scalar(@partial = partials($folder)), 1, 'a primary that dies leaves what it was writing');
promote($next);
if ($cron)
{
    my $made = "EXISTS (SELECT FROM smartpouch.backups WHERE id > $running AND kind = 'models' AND status = 'complete')";
    ok(wait_until($next, $made) || wait_until($next, $made), 'pg_cron goes on by itself');
    unschedule($next);
}
foreach my $job (qw(backup_models backup_full verify_checksum verify_restore expire_backups))
{
    my $command = $next->safe_psql('postgres', "SELECT command FROM smartpouch._jobs() WHERE job = '$job'");
    is($next->psql('postgres', $command), 0, "the command of $job");
}
is(status($next, $running), 'failed|the session ended while the backup was made', 'what died with the old primary has failed');
is(join(' ', partials($folder)), '', 'and is gone');
is($next->safe_psql('postgres', 'SELECT * FROM smartpouch.rescan_backups()'), '', 'the list is what the folder has');
is($next->safe_psql('postgres', "SELECT string_agg(status, ' ' ORDER BY kind) FROM (SELECT DISTINCT ON (kind) * FROM smartpouch.backups WHERE id > $running ORDER BY kind, id DESC) b"),
    'verified verified', 'the newest of each kind are proven');
my $health = decode_json($next->safe_psql('postgres', 'SELECT smartpouch.health()'));
is(join(' ', map { $health->{checks}{"backup:$_"}[0]{status} } qw(age verifiedAge freeSpace connection)), 'pass pass pass pass', 'health() is content with its backups');
$next->stop;
done_testing();
