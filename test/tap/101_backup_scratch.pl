# The database that a backup is tried in: when it cannot be made or filled, the error says
# why, the set is as good as it was, and what is left is gone with the next call.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

use Backup;
use Smartpouch qw(session ask bye);

my ($node, $folder) = backup_server('scratch', own => 1, conf => "max_connections = 12\nsuperuser_reserved_connections = 0\n");
my $id      = $node->safe_psql('postgres', "SELECT smartpouch.backup('models')");
my $verify  = "SELECT * FROM smartpouch.verify_backup($id)";
my $scratch = q{SELECT count(*) FROM pg_database WHERE datname = 'smartpouch_verification'};
sub state_of { return $node->safe_psql('postgres', "SELECT status, reason FROM smartpouch.backups WHERE id = $id") }
sub failure { my ($before) = @_; my ($out, $err); IPC::Run::finish(start_psql($node, [ $before, $verify ], \$out, \$err)); return $err }
sub is_as_before
{
    my ($name) = @_;
    is(state_of(), 'verified|', "$name: the set is as good as it was");
    is($node->safe_psql('postgres', $scratch), 0, "$name: no database is left");
    return;
}
is($node->safe_psql('postgres', "SELECT bool_and(passed) FROM smartpouch.verify_backup($id)"), 't', 'it can be tried');

# ---- the database cannot be made ----

$node->safe_psql('postgres', 'CREATE ROLE weak LOGIN');
my $where = 'host=' . $node->host . ' port=' . $node->port;
like(failure("SET smartpouch.backup_connection = '$where user=weak'"), qr/psql failed.*permission denied to set parameter/s, 'no rights');
is_as_before('no rights');

$node->safe_psql('postgres', 'ALTER DATABASE template0 ALLOW_CONNECTIONS true');
my $in_template = session($node, 'template0');
ask($in_template, 'SELECT 1');
like(failure('SELECT 1'), qr/could not make database "smartpouch_verification" to try the backup in.*source database "template0" is being accessed by other users.*says nothing of the backup/s,
    'template in use');
bye($in_template);
is_as_before('template in use');

# a backend that has ended may have its place for a moment yet: who finds none asks again
my @sessions;
foreach (1 .. 600)
{
    last if @sessions == 12;
    my $one = session($node);
    if (eval { ask($one, 'SELECT 1') }) { push @sessions, $one; next }
    eval { IPC::Run::finish($one->{psql}) };
    die "no session: $one->{err}" unless $one->{err} =~ /too many clients already/;
    usleep(100_000);
}
my $caller = pop @sessions;
$caller->{out} = '';
$caller->{in} .= "$verify;\n\\echo done\n";
IPC::Run::pump($caller->{psql}) until $caller->{out} =~ /done\n/;
bye($_) foreach @sessions, $caller;
like($caller->{err}, qr/psql failed.*too many clients already/s, 'no connection left');
wait_until($node, q{(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') = 1});
is_as_before('no connection left');

# ---- killed at every step of its life ----

# Of what psql is to run only the first lines, then the backend is no more.
sub kill_after
{
    my ($statement, $lines) = @_;
    replace_program('psql', qq{input=\$(cat)
case "\$input" in *"$statement"*) printf '%s\\n' "\$input" | head -n $lines | \$real "\$@"; kill -9 \$PPID; exit;; esac
printf '%s\\n' "\$input" | exec \$real "\$@"});
    failure('SELECT 1');
    restore_program('psql');
    # until the server has recovered the dead is shown
    wait_until($node, q{NOT EXISTS (SELECT FROM pg_stat_activity WHERE starts_with(query, 'SELECT * FROM smartpouch.verify_backup'))}) or die 'no recovery';
    return;
}
kill_after('CREATE DATABASE', 1);
is($node->safe_psql('postgres', $scratch), 1, 'a backend that was killed when it had made the database');
is($node->safe_psql('postgres', q{SELECT count(shobj_description(oid, 'pg_database')) FROM pg_database WHERE datname = 'smartpouch_verification'}), 0, 'before it said whose');
is($node->psql('postgres', $verify), 0, 'does not keep the next one from making it');
is_as_before('killed after CREATE DATABASE');
kill_after('CREATE EXTENSION', 1);
is($node->safe_psql('postgres', $scratch), 1, 'one that was killed later');
is($node->psql('postgres', "SELECT * FROM smartpouch.restore_models($id, 'a')"), 0, 'is no trouble to restore_models() either');
is_as_before('killed after CREATE SCHEMA');
kill_after('DROP DATABASE', 0);
$node->safe_psql('postgres', 'CREATE DATABASE smartpouch_verification CONNECTION LIMIT 20531');
$node->safe_psql('postgres', q{UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'smartpouch_verification';
    COMMENT ON DATABASE smartpouch_verification IS 'made by smartpouch to try a backup in; it is dropped afterwards'});
is($node->psql('postgres', $verify), 0, 'one whose removal was interrupted goes, too');
is_as_before('killed in DROP DATABASE');
$node->safe_psql('postgres', 'CREATE DATABASE smartpouch_verification CONNECTION LIMIT 20531');
$node->safe_psql('postgres', q{COMMENT ON DATABASE smartpouch_verification IS 'mine'});
like(failure('SELECT 1'), qr/is needed to try the backup in, and is somebody else's/, 'scratch name taken');
$node->safe_psql('postgres', 'DROP DATABASE smartpouch_verification');
is_as_before('scratch name taken');

# ---- the database cannot be filled or asked ----

# psql that is killed when it is to run this
sub killed_at { my ($what) = @_; return qq{case "\$*" in *COPY*) exec \$real "\$@";; esac
input=\$(cat); case "\$input" in *$what*) kill -9 \$\$;; esac; printf '%s\\n' "\$input" | exec \$real "\$@"} }
foreach my $case (
    [ 'pg_restore', 'case "$*" in *--list*) exec $real "$@";; esac; kill -9 $$', qr/^restore\|pg_restore was ended by signal 9/ ],
    [ 'psql', killed_at('_backup_queries'), qr/^tables\|psql was ended by signal 9/m ],
    [ 'psql', killed_at('_backup_probes'), qr/^predictions\|psql was ended by signal 9/m ],
    [ 'psql', killed_at('check_golden'), qr/^golden rows\|psql was ended by signal 9/m ])
{
    my ($program, $script, $problem) = @$case;
    replace_program($program, $script);
    like($node->safe_psql('postgres', "SELECT item, detail FROM smartpouch.verify_backup($id) WHERE NOT passed"), $problem, "$program killed");
    restore_program($program);
    like(state_of(), qr/^verified\|.*was ended by signal 9/, 'a set that could not be tried is as good as it was, with the reason');
    like($node->safe_psql('postgres', q{SET smartpouch.health_timeout = '1min'; SELECT smartpouch.health() #>> '{checks,backup:age,0,output}'}),
        qr/could not be verified: .*was ended by signal 9/, 'which health() tells');
    is($node->safe_psql('postgres', $scratch), 0, 'no database is left');
}
is($node->psql('postgres', $verify), 0, 'tried again');
is_as_before('programs killed');
$node->stop;
done_testing();
