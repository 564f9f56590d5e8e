# health() tries the connection that backups are made by, and a scheduler makes them.
# Waits for minutes: pg_cron.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use Backup;
use Smartpouch;

my $cron = -e (qx(pg_config --pkglibdir) =~ s/\n//r) . '/pg_cron.so';
my ($node, $folder) = backup_server('connection', own => 1, conf => "smartpouch.health_timeout = '1min'\nmax_worker_processes = 20\n"
      . ($cron ? "shared_preload_libraries = 'smartpouch,pg_cron'\ncron.use_background_workers = on\n" : ''));

# The check, after some settings.
sub check
{
    my (@before) = @_;
    my ($out, $err);
    IPC::Run::finish(start_psql($node, [ @before, q{SELECT concat_ws(' ', c ->> 'status', c ->> 'observedValue', c ->> 'output')
        FROM (SELECT smartpouch.health() #> '{checks,backup:connection,0}' AS c OFFSET 0) h WHERE c IS NOT NULL} ], \$out, \$err));
    chomp $out;
    return $out . $err;
}

is(check(), 'pass 1', 'a connection is made');
is(check("SET smartpouch.backup_directory = ''"), '', 'not without a folder');
like(check("SET smartpouch.backup_connection = 'host=/nowhere'"), qr/^fail 0 psql ended with code 2: .*nowhere.*see smartpouch.backup_connection/s, 'nobody listens there');
like(check("SET smartpouch.backup_connection = 'user=nobody host=" . $node->host . ' port=' . $node->port . "'"), qr/^fail 0 .*role "nobody" does not exist/s, 'no such role');
is(check("SET smartpouch.backup_connection = 'host=" . $node->host . ' port=' . $node->port . "'"), 'pass 1', 'a connection that was set');
$node->safe_psql('postgres', q{CREATE ROLE watcher; SELECT smartpouch.grant_access('watcher', 'monitor')});
is(check('SET ROLE watcher'), 'pass 1', 'monitors see it');
# a time that no other program of this machine sleeps
replace_program('psql', "exec sleep 60.$$");
my $started = time;
is(check("SET smartpouch.health_timeout = '5s'"), '', 'what answers too late says nothing');
cmp_ok(time - $started, '<', 30, 'and is not waited for');
unlike(scalar(qx(ps -eo args)), qr/sleep 60\.$$/, 'nor left behind');
# a server that is stopped while the time passes
replace_program('psql', "kill -STOP \$PPID; sleep 3; kill -CONT \$PPID; exec sleep 60.$$");
is(check("SET smartpouch.health_timeout = '5s'"), '', 'nor when the server looks up late');
unlike(scalar(qx(ps -eo args)), qr/sleep 60\.$$/, 'and nothing is left behind');
replace_program('psql', "exec sleep 60.$$");
foreach my $end (qw(pg_cancel_backend pg_terminate_backend))
{
    my ($out, $err);
    my $session = start_psql($node, [ "SET smartpouch.health_timeout = '10min'", 'SELECT smartpouch.health()' ], \$out, \$err);
    my $waited = 0;
    select(undef, undef, undef, 0.1) until qx(ps -eo args) =~ /sleep 60\.$$/ || $waited++ > 300;
    my ($ended, $warned);
    IPC::Run::finish(start_psql($node, "SELECT $end(pid) FROM pg_stat_activity WHERE query = 'SELECT smartpouch.health()'", \$ended, \$warned));
    is($ended, "t\n", 'one session is told to end');
    IPC::Run::finish($session);
    like($err, $end =~ /cancel/ ? qr/canceling statement due to user request/ : qr/terminating connection due to administrator command/, "$end ends it while psql runs");
    $waited = 0;
    select(undef, undef, undef, 0.1) while qx(ps -eo args) =~ /sleep 60\.$$/ && $waited++ < 100;
    unlike(scalar(qx(ps -eo args)), qr/sleep 60\.$$/, 'which is gone, too');
}
replace_program('psql', undef);
like(check(), qr/^fail .*cannot execute psql/, 'no psql beside the server');
restore_program('psql');

# what a backup asks models is nobody's use of them
SKIP: {
    skip 'nothing is counted without preload', 1 unless $cron;
    $node->safe_psql('postgres', q{SELECT smartpouch.predict('a', ARRAY[40, 60])});
    my $counted = $node->safe_psql('postgres', 'SELECT sum(calls), sum(rows) FROM smartpouch.metrics');
    my $id = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
    $node->safe_psql('postgres', "SELECT * FROM smartpouch.verify_backup($id)");
    is($node->safe_psql('postgres', 'SELECT sum(calls), sum(rows) FROM smartpouch.metrics'), $counted, 'predictions of backups are not counted');
}

SKIP: {
    skip 'no pg_cron', 9 unless $cron;
    $node->safe_psql('postgres', 'CREATE EXTENSION pg_cron');
    # two of the jobs in the next minute, the others as pg_cron would run them, but none beside these
    my $done = q{EXISTS (SELECT FROM cron.job_run_details d JOIN cron.job j USING (jobid) WHERE jobname ~ '%s' AND d.status IN ('succeeded', 'failed'))};
    my $id = $node->safe_psql('postgres', 'SELECT smartpouch.backup()');
    is($node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE scheduled) FROM smartpouch.schedule_jobs('{"backup_models": "* * * * *",
        "verify_restore": "* * * * *", "backup_full": null, "verify_checksum": null, "expire_backups": null}')}), 3, 'jobs');
    # a job may be about to start when a poll gives up after a minute
    ok(wait_until($node, sprintf($done, 'backup_models')) || wait_until($node, sprintf($done, 'backup_models')), 'pg_cron made a backup');
    ok(wait_until($node, sprintf($done, 'verify_restore')) || wait_until($node, sprintf($done, 'verify_restore')), 'and verified');
    is($node->safe_psql('postgres', q{SELECT string_agg(jobname || ' ' || d.return_message, ', ') FROM cron.job_run_details d JOIN cron.job USING (jobid) WHERE d.status = 'failed' AND jobname ~ 'backup|verify'}), '', 'without an error');
    unschedule($node);
    foreach my $job (qw(backup_full verify_checksum verify_restore expire_backups))
    {
        my $command = $node->safe_psql('postgres', "SELECT command FROM smartpouch._jobs() WHERE job = '$job'");
        is($node->psql('postgres', $command), 0, "the command of $job");
    }
    is($node->safe_psql('postgres', q{SELECT count(*) > 0 FROM smartpouch.backups WHERE kind = 'full' AND status = 'verified'}), 't', 'a database with pg_cron is verified too');
}
$node->stop;
done_testing();
