# Quotas of API keys by the clock: another month, and a clock that is set back.
use strict;
use warnings FATAL => 'all';

use POSIX qw(mktime strftime);
use PostgreSQL::Test::Cluster;
use Test::More;

use Clock;
use Smartpouch;

my ($month, $year) = (gmtime)[ 4, 5 ];
my $next = mktime(0, 0, 0, 1, $month + 1, $year);
set_clock($next - 86400);
my $node;
{
    local $ENV{LD_PRELOAD} = clock_library();
    $node = new_server('clock', conf => "shared_preload_libraries = 'smartpouch'\nsmartpouch.flush_interval = 1");
}
prepare_changes($node);
$node->safe_psql('postgres', q{SELECT smartpouch.promote('a', 1, 'production');
    CREATE TABLE key AS SELECT smartpouch.create_api_key('alice', ARRAY['predict:model/a'], quota => 3) AS token;
    CREATE FUNCTION calls(OUT passed integer, OUT detail text) LANGUAGE plpgsql AS $$
    BEGIN
        passed := 0;
        FOR i IN 1 .. 5 LOOP
            PERFORM smartpouch.infer(token, 'a', '[40, 60]') FROM key;
            passed := passed + 1;
        END LOOP;
    EXCEPTION WHEN configuration_limit_exceeded THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    END $$});
sub passed { return $node->safe_psql('postgres', 'SELECT passed FROM calls()') }

is($node->safe_psql('postgres', q{SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD')}), strftime('%Y-%m-%d', gmtime($next - 86400)), 'the last day of a month');
my ($passed, $wait) = split /\|/, $node->safe_psql('postgres', q{SELECT passed, substring(detail from 'The next month begins in (\d+) ms')::bigint FROM calls()});
is($passed, 3, 'the quota of that month');
cmp_ok(abs($wait - 86400_000), '<', 600_000, 'and the detail has the time that is left of it');
is(passed(), 0, 'it is used up');

sub written { my ($count) = @_; return $node->poll_query_until('postgres', "SELECT count(*) = $count FROM smartpouch.quota_use WHERE used = 3") }
ok(written(1), 'what was used is written');
set_clock($next + 86400);
is(passed(), 3, 'the next month has a quota of its own');
is(passed(), 0, 'which is used up too');
ok(written(2), 'each month has a row');
set_clock($next - 86000);
is(passed(), 0, 'a clock that is set back does not give the quota of the month before once more');
set_clock($next + 86400);
is(passed(), 0, 'nor that of the month after when it goes on');
is($node->safe_psql('postgres', 'SELECT sum(used) FROM smartpouch.quota_use'), 6, 'nothing else was counted');

$node->stop;
done_testing();
