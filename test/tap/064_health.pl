# health() within its time, cancelled, on a standby that lags, and without preload.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Time::HiRes qw(sleep time);

use Smartpouch qw(:DEFAULT session ask bye);

my $node = new_server('primary', allows_streaming => 1, conf => "shared_preload_libraries = 'smartpouch'");
my $fixture = read_fixture('xgb_diabetes_squarederror');
import_fixture($node, $fixture, 'm');
$node->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");

sub state_of
{
    my ($server, $check, $set) = @_;
    my $answer = $server->safe_psql('postgres', ($set // '') .
        qq{SELECT concat_ws(' ', h ->> 'status', h #>> '{checks,$check,0,status}', h #>> '{checks,$check,0,output}')
        FROM smartpouch.health() h});
    return $answer;
}

# a check that waits for a lock is stopped in its time, and the others answer
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE smartpouch.deployment');
my $began = time;
like(state_of($node, 'models:ready', q{SET smartpouch.health_timeout = '5s'; }), qr/^warn unknown it was stopped after 2000 ms/,
    'a check that waits for a lock is unknown');
cmp_ok(time - $began, '<', 20, 'in time');
like(state_of($node, 'models:owners', q{SET smartpouch.health_timeout = '5s'; }), qr/^warn pass/, 'while others pass');
is($node->safe_psql('postgres', q{SET smartpouch.health_timeout = '1s'; SELECT smartpouch.health() IS NULL; SELECT 'goes on'}),
    "f\ngoes on", 'and the session goes on');

# the caller's own cancellation is no failed check
my ($rc, $out, $err) = $node->psql('postgres', q{SET smartpouch.health_timeout = '10min'; SET statement_timeout = '300ms'; SELECT smartpouch.health()});
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout ends health()');
($rc, $out, $err) = $node->psql('postgres', q{SET lock_timeout = '100ms'; SET smartpouch.health_timeout = '10min';
    SELECT smartpouch.health() #>> '{checks,models:ready,0,status}'});
is($out, 'unknown', 'a lock that cannot be had in time leaves it unknown');
($rc, $out, $err) = $node->psql('postgres', q{SET statement_timeout = '300ms'; SELECT smartpouch.ready('m')});
like($err, qr/canceling statement due to statement timeout/, 'and ready()');

# Two cancellations before the server looks at either: it is stopped while a check waits for the lock, until its one timer
# has gone off.  Other than that of the check and those that a test sets there is none.
sub is_pending
{
    my ($pid, $signal) = @_;
    my ($mask) = slurp_file("/proc/$pid/status") =~ /^ShdPnd:\s*([0-9a-f]+)$/m;
    return (hex(substr($mask, -8)) >> ($signal - 1)) & 1;
}
sub run_stopped
{
    my ($session, $sql, $settings, $while_stopped) = @_;
    my $pid = ask($session, 'SELECT pg_backend_pid()');
    my $waits = "SELECT wait_event_type = 'Lock' OR state = 'idle' AND query ~ 'health\\(' FROM pg_stat_activity WHERE pid = $pid";
    foreach my $ms (map { 1000 * 2**$_ } 0 .. 4)    # on a slow machine it may be stopped too late
    {
        ask($session, "SET deadlock_timeout = '1h'; SET smartpouch.health_timeout = '10min'; " . $settings->($ms));
        ($session->{out}, $session->{err}) = ('', '');
        $session->{in} .= "$sql;\n\\echo done\n";
        IPC::Run::pump_nb($session->{psql});
        $node->poll_query_until('postgres', $waits);
        kill 'STOP', $pid;
        sleep $ms / 1000 + 0.1;    # since before it was stopped
        my $in_time = is_pending($pid, 14) && $node->safe_psql('postgres', "SELECT state = 'active' FROM pg_stat_activity WHERE pid = $pid") eq 't';
        $while_stopped->($pid) if $in_time;
        kill 'CONT', $pid;
        IPC::Run::pump($session->{psql}) until $session->{out} =~ /done/;
        return if $in_time;
    }
    die 'never stopped in time';
}
my $session = session($node);
my $cancel = sub { my ($pid) = @_; $node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)"); is_pending($pid, 2) or die 'no signal' };
my $check_ms = sub { my ($ms) = @_; return sprintf(q{SET smartpouch.health_timeout = '%dms'}, $ms / 0.4) };
my $lock_ms = sub { my ($ms) = @_; return "SET lock_timeout = '${ms}ms'" };
my $both_ms = sub { my ($ms) = @_; return $check_ms->($ms * 0.9) . "; SET statement_timeout = '${ms}ms'" };
SKIP:
{
    skip 'no /proc', 6 if !-r "/proc/$$/status";
    run_stopped($session, 'SELECT smartpouch.health() IS NULL', $check_ms, $cancel);
    is($session->{out} . $session->{err}, "done\nERROR:  canceling statement due to user request\n",
        'a cancellation that comes together with the timer of a check ends the statement');
    run_stopped($session, q{DO $$ BEGIN PERFORM smartpouch.health(); EXCEPTION WHEN query_canceled THEN RAISE WARNING 'caught'; PERFORM pg_sleep(0); END $$},
        $check_ms, $cancel);
    is($session->{err}, "WARNING:  caught\n", 'once');
    run_stopped($session, 'SELECT smartpouch.health() IS NULL', $check_ms, sub { });
    is($session->{out} . $session->{err}, "f\ndone\n", 'the timer alone does not');
    run_stopped($session, 'SELECT smartpouch.health() IS NULL', $lock_ms, $cancel);
    is($session->{out} . $session->{err}, "done\nERROR:  canceling statement due to user request\n",
        'one that comes together with lock_timeout does');
    ask($session, 'SET lock_timeout = 0');
    run_stopped($session, 'SELECT smartpouch.health() IS NULL', $both_ms, sub { });
    is($session->{out} . $session->{err}, "done\nERROR:  canceling statement due to statement timeout\n", 'and statement_timeout');
    ask($session, 'SET statement_timeout = 0');
    is(ask($session, 'SELECT 1'), '1', 'and the session goes on');
}
bye($session);
$locker->query_safe('COMMIT');
$locker->quit;
like(state_of($node, 'models:ready', q{SET smartpouch.health_timeout = '1min'; }), qr/^pass pass$/, 'after that all is well');

# a standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'smartpouch.max_replay_lag = 1s');
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
like(state_of($standby, 'standby:replayLag'), qr/^pass pass$/, 'a standby that keeps up is healthy');
is($standby->safe_psql('postgres', q{SELECT concat(smartpouch.live(), smartpouch.ready(), smartpouch.ready('m'))}), 'ttt', 'and ready');
is($node->safe_psql('postgres', q{SELECT smartpouch.health() -> 'checks' ? 'standby:replayLag'}), 'f', 'a primary has no such check');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$standby->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'}) or die 'replay goes on';
$node->safe_psql('postgres', 'SELECT txid_current()');
$standby->poll_query_until('postgres', q{SELECT smartpouch.health() #>> '{checks,standby:replayLag,0,status}' = 'warn'})
    or die 'no warning';
ok(1, 'one that lags is a warning');
is($standby->safe_psql('postgres', 'SELECT smartpouch.ready()'), 'f', 'and not ready');
$standby->poll_query_until('postgres', q{SELECT smartpouch.health() #>> '{checks,standby:replayLag,0,status}' = 'fail'})
    or die 'no failure';
ok(1, 'ten times that is a failed check');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
$standby->poll_query_until('postgres', q{SELECT smartpouch.ready()}) or die 'not ready again';
ok(1, 'when it has caught up it is ready again');
$standby->stop;

# without preload
my $plain = new_server('plain', conf => "shared_preload_libraries = ''");
like(state_of($plain, 'server:preload'), qr/^warn warn there are no metrics.*shared_preload_libraries/, 'without preload, a warning');
is($plain->safe_psql('postgres', q{SELECT smartpouch.ready()}), 't', 'but ready');

done_testing();
