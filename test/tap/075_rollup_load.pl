# Four clients predict in all the ways that there are while rollup() runs every second: what
# they have counted is what metrics, minutes, hours, days and usage have, exactly.
# ROLLUP_SECONDS sets for how long (default 6).
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $seconds = $ENV{ROLLUP_SECONDS} // 6;
my $fixture = read_fixture('xgb_diabetes_squarederror');
my $table   = qq("$fixture->{name}");
my $node    = new_server('load', before => 'CREATE ROLE app LOGIN', conf => "shared_preload_libraries = 'smartpouch'");
sub sql { my ($sql, $database) = @_; return $node->safe_psql($database // 'postgres', $sql) }
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm') foreach 1 .. 2;
sql(qq{SELECT smartpouch.promote('m', 1, 'production'), smartpouch.grant_access('app', 'predictor'), smartpouch.grant_model('m', 'app', 'predict');
    GRANT SELECT ON $table TO app; CREATE TABLE key AS SELECT smartpouch.create_api_key('shop', ARRAY['predict:model/m']) AS token;
    SELECT smartpouch.reset_metrics()});
my $rows    = sql("SELECT count(*) FROM $table");
my $columns = join ', ', map { qq("$_") } @{ $fixture->{feature_names} };

# what each script asks for: version, owner, calls, rows, errors
my %scripts = (
    single  => { sql => "\\set id random(1, $rows)\nSELECT smartpouch.predict('m', r) FROM $table r WHERE id = :id;", of => [ 1, 'self', 1, 1, 0 ] },
    gather  => { sql => "SELECT count(smartpouch.predict('m', r)) FROM $table r WHERE id <= 70;", of => [ 1, 'self', 1, 70, 0 ] },
    batch   => { sql => "SELECT count(*) FROM smartpouch.predict_batch('m:2', (SELECT array_agg(ARRAY[$columns]) FROM $table WHERE id <= 30));", of => [ 2, 'self', 1, 30, 0 ] },
    json    => { sql => "BEGIN;\nSELECT smartpouch.predict_json('m:2', to_jsonb(r)) FROM $table r WHERE id = 3;\nROLLBACK;", of => [ 2, 'self', 1, 1, 0 ] },
    infer   => { sql => "SELECT smartpouch.infer(token, 'm', to_jsonb(r)) FROM key, $table r WHERE id = 4;", of => [ 1, 'shop', 1, 1, 0 ] },
    role    => { sql => "BEGIN;\nSET LOCAL ROLE app;\nSELECT smartpouch.predict('m', r) FROM $table r WHERE id = 5;\nCOMMIT;", of => [ 1, 'app', 1, 1, 0 ] },
    failed  => { sql => "DO \$\$ BEGIN PERFORM smartpouch.predict('m', ARRAY[1.0]); EXCEPTION WHEN data_exception THEN NULL; END \$\$;", of => [ 1, 'self', 1, 0, 1 ] },
    absent  => { sql => "DO \$\$ BEGIN PERFORM smartpouch.predict('none', ARRAY[1.0]); EXCEPTION WHEN undefined_object THEN NULL; END \$\$;", of => [ 0, 'self', 1, 0, 1 ] });
my $dir = PostgreSQL::Test::Utils::tempdir();
append_to_file("$dir/$_.sql", "$scripts{$_}{sql}\n") foreach keys %scripts;

# one thread: several lose some of what they count of each script
my ($out, $err);
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-j', 1, '-M', 'prepared', '-T', $seconds, '-h', $node->host, '-p', $node->port,
    (map { ('-f', "$dir/$_.sql") } sort keys %scripts), 'postgres' ], '>', \$out, '2>', \$err);
my $rollups = 0;
for (1 .. $seconds)
{
    sql('SELECT smartpouch.rollup()');
    $rollups++;
    sleep 1;
}
IPC::Run::finish($load) or diag($err);
sql('SELECT smartpouch.rollup()');

my %asked;
$asked{$1} = $2 while $out =~ m{SQL script \d+: \S*?(\w+)\.sql.*?- (\d+) transactions}sg;
is(scalar(keys %asked), scalar(keys %scripts), 'pgbench ran all scripts') or diag($out);
note("$rollups rollups; asked: " . join(', ', map { "$_ $asked{$_}" } sort keys %asked));

my $self = sql('SELECT current_user');
my (%version, %owner);
foreach my $name (keys %scripts)
{
    my ($version, $owner, @counts) = @{ $scripts{$name}{of} };
    $owner = $self if $owner eq 'self';
    foreach my $i (0 .. 2)
    {
        $version{$version}[$i] += $counts[$i] * $asked{$name};
        $owner{$owner}[$i]     += $counts[$i] * $asked{$name};
    }
}
my $versions = join "\n", map { join '|', $_, @{ $version{$_} } } sort keys %version;
my $owners   = join "\n", map { join '|', $_, @{ $owner{$_} } } sort keys %owner;

is(sql('SELECT COALESCE(version, 0), sum(calls), sum(rows), sum(errors) FROM smartpouch.metrics GROUP BY 1 ORDER BY 1'), $versions, 'metrics');
is(sql('SELECT owner, sum(calls), sum(rows), sum(errors) FROM smartpouch.usage GROUP BY 1 ORDER BY owner COLLATE "C"'), $owners, 'usage');
is(sql("SELECT version, sum(calls), sum(rows), sum(failures) FROM smartpouch.health_$_ WHERE calls > 0 GROUP BY 1 ORDER BY 1"), $versions, "by $_") foreach qw(minute hour day);
is(sql('SELECT owner, sum(calls), sum(rows), sum(failures) FROM smartpouch.usage_hours GROUP BY 1 ORDER BY owner COLLATE "C"'), $owners, 'by owner and hour');
is(sql('SELECT sum(n) FROM smartpouch.health_day, unnest(latencies) n'), sql('SELECT sum(calls) FROM smartpouch.health_day'), 'each call is in a bucket');
is(sql('SELECT sum(busy_ns) FROM smartpouch.rollup_day'), sql('SELECT sum(busy_ns) FROM smartpouch.rollup_minute'), 'with its time');
cmp_ok(abs(sql('SELECT sum(busy_seconds) FROM smartpouch.metrics') - sql('SELECT sum(busy_seconds) FROM smartpouch.health_day')), '<', 1e-6, 'which metrics have, too');
$node->stop;
done_testing();
