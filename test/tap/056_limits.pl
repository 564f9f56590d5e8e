# Limits of API keys and their owners: what passes, for how many callers, over
# rotation, restarts and crashes, with no room, and without preload.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use POSIX qw(mktime);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use Clock;
use Smartpouch;

# quotas are of a month: on its second day none ends meanwhile, and most of it is to come;
# the next month's, as pg_ctl does not believe in servers that started before it did
my ($month, $year) = (gmtime)[ 4, 5 ];
set_clock(mktime(0, 0, 12, 2, $month + 1, $year));
$ENV{LD_PRELOAD} = clock_library();

my $node = new_server('limits', allows_streaming => 1, conf => q{
shared_preload_libraries = 'smartpouch'
smartpouch.flush_interval = 1s
smartpouch.max_tracked_keys = 100
});

sub sql { my ($sql, $server) = @_; return ($server // $node)->safe_psql('postgres', $sql) }

# Tokens stay in a table, so that no statement has one. tries() says of n calls how many
# passed, what the others were refused for, and how long the last one was told to wait.
prepare_changes($node);
sql(q{
    SELECT smartpouch.promote('a', 1, 'production');
    CREATE TABLE token (name text PRIMARY KEY, token text, key_id text GENERATED ALWAYS AS (split_part(token, '_', 3)) STORED);
    CREATE FUNCTION make_key(name text, owner text, rate integer DEFAULT NULL, burst integer DEFAULT NULL, quota bigint DEFAULT NULL)
    RETURNS void LANGUAGE sql AS $$
        INSERT INTO token VALUES (name, smartpouch.create_api_key(owner, ARRAY['predict:model/*'], rate_limit => rate, burst => burst, quota => quota)) $$;
    CREATE FUNCTION tries(of_key text, n integer, OUT passed integer, OUT codes text, OUT wait bigint, OUT message text) LANGUAGE plpgsql AS $$
    DECLARE
        shown text := (SELECT token FROM token t WHERE t.name = of_key);
        said text;
    BEGIN
        passed := 0;
        FOR i IN 1 .. n LOOP
            BEGIN
                PERFORM smartpouch.infer(shown, 'a', '[40, 60]');
                passed := passed + 1;
            EXCEPTION WHEN OTHERS THEN
                GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
                IF codes IS NULL OR codes NOT LIKE '%' || SQLSTATE || '%' THEN
                    codes := concat_ws(' ', codes, SQLSTATE);
                END IF;
                wait := substring(said FROM '(\d+) ms')::bigint;
                message := SQLERRM;
            END;
        END LOOP;
    END $$;
    -- calls for so many seconds
    CREATE FUNCTION calls_for(of_key text, seconds double precision) RETURNS bigint LANGUAGE plpgsql AS $$
    DECLARE
        ends timestamptz := clock_timestamp() + seconds * interval '1s';
        passed bigint := 0;
    BEGIN
        WHILE clock_timestamp() < ends LOOP
            passed := passed + (SELECT t.passed FROM tries(of_key, 20) t);
        END LOOP;
        RETURN passed;
    END $$});

# --- a burst, then the rate; the wait is enough
sql("SELECT make_key('slow', 'alice', 1, 3)");
my $began = time;
my ($passed, $codes, $wait, $message) = split /\|/, sql("SELECT * FROM tries('slow', 30)");
my $took = time - $began;
ok($passed >= 3 && $passed <= 4 + int($took), "a burst of 3 passes of 30 calls in $took s: $passed");
is($codes, '53400', 'and the others are over the limit');
like($message, qr/^too many requests with API key "\w{12}"$/, 'which says so');
ok($wait >= 1 && $wait <= 1000, "the wait is below that between two calls: $wait ms");
sleep($wait / 1000 + 0.01);
is((split /\|/, sql("SELECT * FROM tries('slow', 1)"))[0], 1, 'after the wait a call passes');

# --- several sessions have one limit
sql("SELECT make_key('shared', 'bob', 50, 10)");
$began = time;
my ($total, $best) = (0, 0);
# once more where the machine stood still
foreach my $round (1 .. 10)
{
    my ($passed, @clients) = (0);
    foreach (1 .. 4)
    {
        my $out = '';
        push @clients, { out => \$out, run => IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'),
            '-c', "SELECT calls_for('shared', 3)" ], '>', \$out) };
    }
    $_->{run}->finish foreach @clients;
    $passed += ${ $_->{out} } foreach @clients;
    $total += $passed;
    $best = $passed if $passed > $best;
    last if $best >= 50 * 2;
}
$took = time - $began;
cmp_ok($total, '<=', 10 + 50 * $took + 1, "4 sessions in $took s make no more calls than one may: $total");
cmp_ok($best, '>=', 50 * 2, 'and in 3 s no fewer than 2 s allow');

# --- the owner's limit is for all of its keys, and what it refuses takes nothing from the key's
sql("SELECT make_key('one', 'carol', NULL, NULL, 1000), make_key('two', 'carol')");
sql("SELECT smartpouch.set_owner_limit('carol', 1, 4)");
$began = time;
($passed, $codes, $wait, $message) = split /\|/, sql(q{SELECT o.passed + t.passed, t.codes, t.wait, t.message
    FROM tries('one', 4) o, LATERAL tries('two', 30 + o.passed - o.passed) t});
$took = time - $began;
ok($passed >= 4 && $passed <= 5 + int($took), "two keys share the 4 calls of their owner in $took s: $passed");
like($message, qr/^too many requests with the owner of API key/, 'which the message says');
$node->poll_query_until('postgres', q{SELECT uses = 4 FROM smartpouch.key_use JOIN token USING (key_id) WHERE name = 'one'})
    or fail('uses are written');
sql("SELECT * FROM tries('one', 40)");
# each second lets one more call pass: how many of the 40 did is the machine's
ok($node->poll_query_until('postgres', q{SELECT u.uses + (u.refused ->> 'rate')::integer = 44 AND u.uses BETWEEN 4 AND 30
        AND u.last_used_at > now() - interval '5 minutes' AND q.used = u.uses
    FROM smartpouch.key_use u JOIN token USING (key_id) JOIN smartpouch.quota_use q ON q.name = key_id WHERE token.name = 'one'}),
    'what is refused is counted, and does not count against the quota');
is(sql("SELECT quota_used IS NULL AND burst = 4 FROM smartpouch.owner_limits"), 't', 'the view of limits');
is(sql(q{SELECT (k.uses, k.quota_used, k.refused) = (u.uses, u.uses, u.refused) AND k.last_used_at > k.created_at
    FROM smartpouch.api_keys k JOIN token USING (key_id) JOIN smartpouch.key_use u USING (key_id) WHERE name = 'one'}), 't', 'the view of keys');
sql("SELECT smartpouch.set_owner_limit('carol', quota => 1000000)");
is((split /\|/, sql("SELECT * FROM tries('two', 20)"))[0], 20, 'a changed limit holds at the next statement');
sql("SELECT smartpouch.drop_owner_limit('carol')");
is(sql(q{SELECT string_agg(concat_ws(' ', action, detail #>> '{before,burst}', detail #>> '{after,quota}'), ', ' ORDER BY id)
    FROM smartpouch.audit_events WHERE owner = 'carol' AND action LIKE '%limit'}),
    'set_owner_limit, set_owner_limit 4 1000000, drop_owner_limit', 'the audit has its changes');

# --- errors and rights
foreach (
    [ "SELECT smartpouch.set_owner_limit('x')", '22023', 'no limit at all' ],
    [ "SELECT smartpouch.set_owner_limit('x', burst => 3)", '22023', 'a burst without a rate' ],
    [ "SELECT smartpouch.set_owner_limit('x', 0)", '22023', 'a rate of 0' ],
    [ "SELECT smartpouch.set_owner_limit('x', 1000001)", '22023', 'a rate over the bound' ],
    [ "SELECT smartpouch.set_owner_limit('x', quota => 0)", '22023', 'a quota of 0' ],
    [ "SELECT smartpouch.set_owner_limit(NULL, 1)", '22004', 'no owner' ],
    [ "SELECT smartpouch.drop_owner_limit('nobody')", '42704', 'no limit to drop' ],
    [ "CREATE ROLE ruth; SELECT smartpouch.grant_access('ruth', 'deployer'); SET ROLE ruth; SELECT smartpouch.set_owner_limit('x', 1)", '42501', 'a deployer' ])
{
    my ($statement, $code, $what) = @$_;
    my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement");
    like($err, qr/ERROR:  $code/, "refused: $what");
}

# --- a quota, over rotation, a restart and a crash
sql("SELECT make_key('metered', 'dave', NULL, NULL, 10)");
is((split /\|/, sql("SELECT * FROM tries('metered', 4)"))[0], 4, '4 calls of a quota of 10');
sql(q{INSERT INTO token SELECT 'rotated', smartpouch.rotate_api_key(key_id) FROM token WHERE name = 'metered'});
is((split /\|/, sql("SELECT * FROM tries('rotated', 2)"))[0], 2, '2 more with the key in its place');
my $used = q{SELECT coalesce(sum(used), 0) FROM smartpouch.quota_use JOIN token ON key_id = quota_use.name WHERE token.name = 'metered'};
$node->poll_query_until('postgres', "SELECT ($used) = 6") or fail('the quota is written');
$node->restart;
is(join(' ', (split /\|/, sql("SELECT * FROM tries('rotated', 1)"))[0 .. 0]), 1, 'a restart remembers the quota: the seventh call');
$node->poll_query_until('postgres', "SELECT ($used) = 7") or fail('the quota is written after a restart');
$node->stop('immediate');
$node->start;
($passed, $codes, $wait, $message) = split /\|/, sql("SELECT * FROM tries('metered', 10)");
is("$passed $codes", '3 53400', 'a crash too: 3 are left, for both keys');
like($message, qr/^the month's quota of API key "\w{12}" is used up$/, 'as the message says');
cmp_ok($wait, '>', 0, "until the next month: $wait ms");
# what a crash forgets was not written
sql("SELECT make_key('forgotten', 'dave', NULL, NULL, 1000)");
sql("SELECT * FROM tries('forgotten', 50)");
$node->stop('immediate');
$node->start;
sql("SELECT * FROM tries('forgotten', 50)");
$node->poll_query_until('postgres', q{SELECT uses >= 50 FROM smartpouch.key_use JOIN token USING (key_id) WHERE name = 'forgotten'});
cmp_ok(sql(q{SELECT uses FROM smartpouch.key_use JOIN token USING (key_id) WHERE name = 'forgotten'}), '<=', 100, 'a crash may forget a second, and invents none');

# --- a standby has limits of its own, and writes nothing
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('limits_standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
sql("SELECT make_key('both', 'erin', 1, 3, 5)");
$standby->start;
$node->wait_for_catchup($standby);
is((split /\|/, sql("SELECT * FROM tries('both', 2)"))[0], 2, '2 calls on the primary');
my $both = q{SELECT sum(used) FROM smartpouch.quota_use JOIN token ON key_id = quota_use.name WHERE token.name = 'both'};
$node->poll_query_until('postgres', "SELECT ($both) = 2") or fail('the quota is written on the primary');
$node->wait_for_catchup($standby);
is((split /\|/, sql("SELECT * FROM tries('both', 30)", $standby))[0], 3, 'a standby has a burst of its own, and the quota from there on');
sleep 2;
is(sql($both, $standby), 2, 'and writes nothing');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'smartpouch%'}, $standby), 0, 'having no background worker');
$standby->promote;
$standby->poll_query_until('postgres', "SELECT ($both) = 5") or fail('the quota is written after promotion');
is(sql("SELECT codes FROM tries('both', 1)", $standby), '53400', 'until it is promoted: what it counted is written then, and the quota is used up');
$standby->stop;

# --- more keys at a time than there is room for
sql("SELECT make_key('crowd ' || i, 'frank', 1, 5) FROM generate_series(1, 200) i");
($passed, $codes) = split /\|/, sql("SELECT sum(t.passed), string_agg(DISTINCT t.codes, ' ') FROM generate_series(1, 200) i, tries('crowd ' || i, 1) t");
ok($passed >= 90 && $passed < 200, "of 200 keys, $passed have room");
is($codes, '53400', 'the others are refused');
like(sql("SELECT message FROM generate_series(1, 200) i, tries('crowd ' || i, 1) t WHERE codes IS NOT NULL LIMIT 1"),
    qr/^there is no room to count calls with API key/, 'which says why');
sql("SELECT make_key('free', 'grace')");
is((split /\|/, sql("SELECT * FROM tries('free', 3)"))[0], 3, 'a key without a limit passes');
like(sql("SELECT smartpouch.health() #>> '{checks,keys:tracked,0,output}'"), qr/raise smartpouch.max_tracked_keys/, 'health() warns');
sleep 13;
is(sql("SELECT sum(t.passed) FROM generate_series(150, 200) i, tries('crowd ' || i, 1) t"), 51, 'those that are idle make room');

# --- without shared memory no limit is skipped
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
is(sql("SELECT codes FROM tries('slow', 1)"), '55000', 'without preload a key with a limit is refused');
is(sql("SELECT passed FROM tries('free', 1)"), 1, 'one without passes');
is(sql("SELECT * FROM smartpouch.key_use WHERE uses < 0"), '', 'and what was counted can be read');
foreach ("SELECT smartpouch.set_owner_limit('grace', 1)", "SELECT make_key('x', 'grace', 1)")
{
    my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_");
    like($err, qr/ERROR:  55000: .*HINT:  Add smartpouch to shared_preload_libraries/s, 'without preload there is no new limit');
}
$node->stop;
done_testing();
