# Backends are killed in the middle of imports, promotions, rollbacks and drops:
# whatever is there afterwards is whole.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use Test::More;
use Time::HiRes qw(usleep);

use Smartpouch;

my $node = new_server('kill');
prepare_changes($node);
$node->safe_psql('postgres', <<'SQL');
CREATE PROCEDURE churn(model text) LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        FOR i IN 1 .. 3 LOOP CALL change(model); END LOOP;
        IF random() < 0.9 THEN COMMIT; ELSE ROLLBACK; END IF;
    END LOOP;
END $$;
SQL

# What must hold at any time, as a row of zeros, and the state of health.
my $wrong = q{SELECT
    (SELECT count(*) FROM smartpouch.verify_history()),
    (SELECT count(*) FROM smartpouch.model m WHERE m.last_event <> (SELECT count(*) FROM smartpouch.event e WHERE e.model_id = m.id)),
    (SELECT count(*) FROM smartpouch.model m WHERE m.last_version <> (SELECT count(*) FROM smartpouch.event e WHERE e.model_id = m.id AND action = 'import')),
    (SELECT count(*) FROM smartpouch.models m, smartpouch.stages s
        WHERE (SELECT version FROM smartpouch.serving_at(m.model, s.stage, 'infinity'))
        IS DISTINCT FROM (SELECT version FROM smartpouch.deployments d WHERE d.model = m.model AND d.stage = s.stage)),
    (SELECT count(*) FROM smartpouch.deployment d, unnest(replaced || version) v
        WHERE NOT EXISTS (SELECT FROM smartpouch.version x WHERE x.model_id = d.model_id AND x.version = v)),
    (SELECT count(*) FROM smartpouch.version v
        WHERE artifact_bytes IS DISTINCT FROM (SELECT sum(octet_length(bytes)) FROM smartpouch.blob WHERE sha256 = artifact_sha256)
        OR program_bytes IS DISTINCT FROM (SELECT sum(octet_length(bytes)) FROM smartpouch.blob WHERE sha256 = program_sha256)),
    (SELECT count(*) FROM smartpouch.blob b WHERE b.sha256 NOT IN (
        SELECT unnest(ARRAY[artifact_sha256, program_sha256]) FROM smartpouch.version
        UNION SELECT unnest(ARRAY[artifact_sha256, program_sha256]) FROM smartpouch.snapshot)),
    (SELECT count(*) FROM smartpouch.versions WHERE smartpouch.predict(model || ':' || version, ARRAY[40, 60]) IS NULL),
    smartpouch.health() ->> 'status' = 'fail'};
my $right = '0|0|0|0|0|0|0|0|f';
is($node->safe_psql('postgres', $wrong), $right, 'all is whole before');

my $events = 0;
my $kinds  = 0;
my $kills  = 0;
my $at_work = "FROM pg_stat_activity WHERE query ~ '^CALL churn'";
while ($kills < 8 || ($events < 200 || $kinds < 6) && $kills < 40)
{
    my @sessions = map {
        IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "CALL churn('$_')" ],
            '<', \undef, '>', '/dev/null', '2>', '/dev/null')
    } qw(a b c a);
    $node->poll_query_until('postgres', "SELECT count(*) = 4 $at_work") or die 'not all sessions are at work: see the server log';
    usleep(int(rand(300_000)));
    # any of them dies; the server ends the others and recovers
    my $pid = $node->safe_psql('postgres', "SELECT pid $at_work ORDER BY random() LIMIT 1");
    kill_backend($node, $pid);
    $kills++;
    IPC::Run::finish($_) foreach @sessions;
    ($events, $kinds) = split /\|/, $node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT action) FROM smartpouch.event');
    my $found = $node->safe_psql('postgres', $wrong);
    is($found, $right, "all is whole after kill number $kills, $events events") or last;
}
cmp_ok($events, '>=', 200, 'changes were made meanwhile');
my $made = $node->safe_psql('postgres', q{SELECT action, count(*) FROM smartpouch.event GROUP BY 1 ORDER BY 1});
is($kinds, 6, 'of every kind') or diag $made;
note $made;

$node->stop;
done_testing();
