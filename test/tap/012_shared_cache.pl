# One copy of a model per server: published, pinned, evicted, dropped, lost in a crash.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch qw(:DEFAULT session ask bye);

my $conf    = "shared_preload_libraries = 'smartpouch'\nautovacuum = off\n";
my $fixture = read_fixture('xgb_diabetes_squarederror');
my $other   = read_fixture('xgb_diabetes_tweedie');
my $digits  = read_fixture('xgb_digits_softprob_ubj');
my $table   = qq("$fixture->{name}");
my $n       = scalar @{ $fixture->{feature_names} };
my $one     = 'array_fill(0.1::real, ARRAY[' . $n . '])';

sub glob_count { my ($pattern) = @_; my @files = glob($pattern); return scalar @files }

# What the view says to a session that has loaded nothing itself.
sub cache { my ($node, $what, $database) = @_; return $node->safe_psql($database // 'postgres', "SELECT $what FROM smartpouch.model_cache") }

my $node = new_server('shared', conf => $conf, allows_streaming => 1);
load_fixture($node, $fixture);
import_fixture($node, $fixture, 'm');
import_fixture($node, $other,   'm');
$node->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");

# --- one copy
is(cache($node, 'count(*)'), 0, 'nothing is loaded at first');
my $first  = session($node);
my $second = session($node);
my $sum    = "SELECT sum(smartpouch.predict('m', r)) FROM $table r";
my $answer = ask($first, $sum);
is(ask($second, $sum), $answer, 'two sessions agree');
is(cache($node, "string_agg(concat_ws(' ', versions, shared, pins, loads), ',')"), '{m:1} t 0 1', 'one shared copy, loaded once, no pins between statements');
is(cache($node, 'sum(hits)'), 1, 'found by the second session');
is($node->safe_psql('postgres', "SELECT smartpouch.health() #>> '{checks,cache:shared,0,observedValue}'"), 1, 'health() counts it');

# --- parallel workers
my $workers = ask($first, <<SQL);
SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SET debug_parallel_query = off;
SELECT sum(smartpouch.predict('m', r))::numeric(20, 4) = ${answer}::numeric(20, 4) FROM $table r
SQL
is($workers, 't', 'parallel workers answer the same') or diag $first->{err};
is(cache($node, 'count(*), sum(loads), sum(pins)'), '1|1|0', 'from the one copy');
like(ask($first, "EXPLAIN (COSTS off) SELECT sum(smartpouch.predict('m', r)) FROM $table r"), qr/Parallel/, 'in parallel indeed');
# what is told to a session does nothing while its workers do all the work
ask($first, 'SET max_parallel_workers_per_gather = 0');

# --- pinned while in use
ask($second, "BEGIN; DECLARE c CURSOR FOR SELECT smartpouch.predict('m', r) FROM $table r; FETCH 1 FROM c");
is(cache($node, 'pins'), 1, 'a cursor pins it');
my ($code, $out, $err) = $node->psql('postgres', "SELECT smartpouch.evict_model('m')");
is($out, 'f', 'evicting while it is pinned does nothing');
like($err, qr/is in use and stays loaded/, 'and says so');
is(cache($node, 'count(*)'), 1, 'it is still there');
like(ask($second, 'FETCH 1000 FROM c; COMMIT; SELECT 1'), qr/^[\d.-]+\n(.*\n)*1$/, 'the cursor goes on') or diag $second->{err};
is($node->safe_psql('postgres', "SELECT smartpouch.evict_model('m')"), 't', 'evicted once it is not pinned');
is($node->safe_psql('postgres', "SELECT smartpouch.evict_model('m')"), 'f', 'not twice');
is(cache($node, 'count(*)'), 0, 'it is gone');
is(ask($second, $sum), $answer, 'the next statement loads it again');
is(cache($node, 'loads'), 2, 'which is counted');

# an error gives pins back
ask($second, "SELECT smartpouch.predict('m', r), 1 / (id - 3) FROM $table r");
is(cache($node, 'sum(pins)'), 0, 'no pins after an error');

# a session that is terminated while it uses a model
ask($second, "BEGIN; DECLARE c CURSOR FOR SELECT smartpouch.predict('m', r) FROM $table r; FETCH 1 FROM c");
$node->safe_psql('postgres', "SELECT pg_terminate_backend(" . ask($second, 'SELECT pg_backend_pid()') . ', 10000)');
eval { IPC::Run::finish($second->{psql}) };
is(cache($node, 'sum(pins)'), 0, 'no pins after a terminated session');

# --- only committed content
my $import = session($node);
my $file   = "$other->{dir}/$other->{artifact}";
ask($import, "BEGIN; SELECT smartpouch.import_model('fresh', convert_to(replace(convert_from(pg_read_binary_file('$file'), 'UTF8'), '\"best_iteration\"', '\"best_iteratiom\"'), 'UTF8'), feature_names => ARRAY(SELECT 'g' || i FROM generate_series(1, $n) i))");
ask($import, "SELECT smartpouch.predict('fresh:1', $one)");
is(ask($import, 'SELECT count(*) FROM smartpouch.model_cache WHERE NOT shared'), 1, 'an import in progress is its session\'s own');
is(cache($node, 'count(*)'), 1, 'and not published');
is(ask($import, "SELECT smartpouch.warm_model('fresh:1')"), 'f', 'not even by warm_model');
ask($import, 'COMMIT');
is(ask($import, "SELECT smartpouch.warm_model('fresh:1')"), 't', 'after the commit it is');
is(cache($node, 'count(*)'), 2, 'for all');
bye($import);

# --- promote under load
my @load = map { session($node) } 1 .. 3;
$_->{in} .= "SELECT count(smartpouch.predict('m', r)) FROM $table r, generate_series(1, 300);\n" x 4 . "\\echo done\n" for @load;
IPC::Run::pump_nb($_->{psql}) for @load;
foreach my $i (1 .. 20)
{
    $node->safe_psql('postgres', "SELECT smartpouch.promote('m', " . (1 + $i % 2) . ", 'production')");
    $node->psql('postgres', "SELECT smartpouch.evict_model('m:1'), smartpouch.evict_model('m:2')");
    IPC::Run::pump_nb($_->{psql}) for @load;
}
foreach my $s (@load)
{
    IPC::Run::pump($s->{psql}) until $s->{out} =~ /done\n/;
    is($s->{err}, '', 'no error under promotions and evictions');
    bye($s);
}
is(cache($node, 'sum(pins)'), 0, 'no pins afterwards');
$node->safe_psql('postgres', "SELECT smartpouch.promote('m', 1, 'production')");
is(ask($first, $sum), $answer, 'the session with the oldest mappings answers as before');

# --- concurrent first loads
import_fixture($node, $digits, 'digits');
my $zeros = 'array_fill(0::real, ARRAY[' . scalar(@{ $digits->{feature_names} }) . '])';
my @herd = map { session($node) } 1 .. 6;
$_->{in} .= "SELECT smartpouch.predict_label('digits:1', $zeros);\n\\echo done\n" for @herd;
IPC::Run::pump_nb($_->{psql}) for @herd;
foreach my $s (@herd) { IPC::Run::pump($s->{psql}) until $s->{out} =~ /done\n/; bye($s); }
is($node->safe_psql('postgres', "SELECT loads, hits FROM smartpouch.model_cache WHERE versions = '{digits:1}'"), '1|5', 'six first calls load once');

# --- two databases
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second',   'CREATE EXTENSION smartpouch');
import_fixture($node, $fixture, 'm', 'second');
import_fixture($node, $other, 'm', 'second');
$node->safe_psql('second', "SELECT smartpouch.promote('m', 2, 'production')");
load_fixture($node, $fixture, 'second');
isnt($node->safe_psql('second', $sum), $answer, 'the same name means another version in another database');
is($node->safe_psql('second', "SELECT count(*) FROM smartpouch.model_cache WHERE database = 'second' AND versions = '{m:2}'"), 1, 'with an image of its own');
is(ask($first, $sum), $answer, 'and the first database is not disturbed');
$node->safe_psql('postgres', 'DROP DATABASE second');
is(cache($node, 'count(*) FILTER (WHERE database IS NULL)'), 1, 'its image outlives a dropped database');
is(ask($first, $sum), $answer, 'which goes on');
is(cache($node, 'count(*) FILTER (WHERE database IS NULL)'), 0, 'until a session that is told of the drop predicts');

# --- dropped versions
is($node->safe_psql('postgres', "SELECT count(*) FROM smartpouch.model_cache WHERE versions = '{digits:1}'"), 1, 'before the drop');
$node->safe_psql('postgres', "DELETE FROM smartpouch.version WHERE model_id = (SELECT id FROM smartpouch.model WHERE name = 'digits')");
$node->safe_psql('postgres', "SELECT smartpouch.version()");
is($node->safe_psql('postgres', "SELECT count(*) FROM smartpouch.model_cache WHERE versions = '{}'"), 1, 'a session without a prediction checks nothing');
$node->safe_psql('postgres', $sum);
is($node->safe_psql('postgres', "SELECT count(*) FROM smartpouch.model_cache WHERE versions = '{}'"), 0, 'the next prediction, in a session that began after the drop, frees the image of a dropped version');

# changes that no committer counts: COMMIT PREPARED, told to sessions that are there, found by new ones
my $gone = "SELECT count(*) FROM smartpouch.model_cache WHERE versions = '{}'";
foreach my $who ('told', 'new')
{
    my $version = import_fixture($node, $digits, 'digits');
    $node->safe_psql('postgres', "SELECT smartpouch.warm_model('digits:$version')");
    $node->safe_psql('postgres', "BEGIN; DELETE FROM smartpouch.version WHERE model_id = (SELECT id FROM smartpouch.model WHERE name = 'digits'); PREPARE TRANSACTION 'drop'");
    ask($first, $sum);
    $node->safe_psql('postgres', "COMMIT PREPARED 'drop'");
    is($node->safe_psql('postgres', $gone), 1, "dropped in two phases ($who)");
    sleep 6 if $who eq 'new';
    $who eq 'told' ? ask($first, $sum) : $node->safe_psql('postgres', $sum);
    is($node->safe_psql('postgres', $gone), 0, "a session that is $who frees it");
}

# --- a small limit
my $latest = 'digits:' . import_fixture($node, $digits, 'digits');
my $bytes = $node->safe_psql('postgres', "SELECT max(bytes) / 1024 + 1 FROM smartpouch.model_cache");
$node->safe_psql('postgres', "SELECT smartpouch.evict_model('m:1'), smartpouch.evict_model('m:2'), smartpouch.evict_model('fresh:1')");
$node->safe_psql('postgres', $_) for ("ALTER SYSTEM SET smartpouch.shared_model_memory = '${bytes}kB'", 'SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT smartpouch.version() IS NOT NULL AND setting = '$bytes' FROM pg_settings WHERE name = 'smartpouch.shared_model_memory'") or die;
$node->safe_psql('postgres', "SELECT smartpouch.predict('m:1', $one)");
$node->safe_psql('postgres', "SELECT smartpouch.predict('m:2', $one)");
is(cache($node, 'count(*)'), 1, 'the least recently used goes when the limit is reached');
is($node->safe_psql('postgres', "SELECT smartpouch.warm_model('$latest')"), 'f', 'what is larger than the limit is not shared');
is($node->safe_psql('postgres', "SELECT smartpouch.predict_label('$latest', $zeros) IS NOT NULL"), 't', 'but answers');
is($node->safe_psql('postgres', "SELECT smartpouch.health() #>> '{checks,cache:shared,0,status}'"), 'warn', 'health() warns');
is(cache($node, 'count(*) FILTER (WHERE shared)'), 1, 'one has room');
my $holder = session($node);
ask($holder, "BEGIN; DECLARE c CURSOR FOR SELECT smartpouch.predict('m:2', r) FROM $table r; FETCH 1 FROM c");
$node->safe_psql('postgres', $_) for ("ALTER SYSTEM SET smartpouch.shared_model_memory = 0", 'SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT smartpouch.version() IS NOT NULL AND setting = '0' FROM pg_settings WHERE name = 'smartpouch.shared_model_memory'") or die;
$node->safe_psql('postgres', "SELECT smartpouch.predict('m:1', $one)");
is(cache($node, 'count(*)'), 1, 'a limit that is lowered takes nothing from those who use it');
ask($holder, 'ROLLBACK');
$node->safe_psql('postgres', "SELECT smartpouch.predict('m:1', $one)");
is(cache($node, 'count(*)'), 0, 'and when they are done the next prediction gives the memory back');
bye($holder);
$node->safe_psql('postgres', $_) for ('ALTER SYSTEM RESET smartpouch.shared_model_memory', 'SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT smartpouch.version() IS NOT NULL AND setting = boot_val FROM pg_settings WHERE name = 'smartpouch.shared_model_memory'") or die;
$node->safe_psql('postgres', "SELECT smartpouch.evict_model('m:1'), smartpouch.evict_model('m:2')");
is($node->safe_psql('postgres', "SELECT smartpouch.warm_model('$latest')"), 't', 'with the limit raised and something gone it is shared');
is($node->safe_psql('postgres', "SELECT smartpouch.health() #>> '{checks,cache:shared,0,status}'"), 'pass', 'and health() passes');

# --- no room in the operating system: files of the server are limited below the model's size
SKIP:
{
    my $pid = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
    skip 'prlimit is missing', 3 if system("prlimit --version >/dev/null 2>&1") != 0;
    my $limit = $node->safe_psql('postgres', 'SELECT max(bytes) / 2 FROM smartpouch.model_cache');
    $node->safe_psql('postgres', "SELECT smartpouch.evict_model('$latest')");
    my $squeezed = session($node);
    my $backend = ask($squeezed, 'SELECT pg_backend_pid()');
    system_or_bail('prlimit', "--pid=$backend", "--fsize=$limit");
    is(ask($squeezed, "SELECT smartpouch.predict_label('$latest', $zeros) IS NOT NULL"), 't', 'a model that has no room in shared memory answers');
    is($squeezed->{err}, '', 'without an error');
    is(ask($squeezed, "SELECT smartpouch.health() #>> '{checks,cache:shared,0,status}'"), 'warn', 'but with a warning of health()');
    bye($squeezed);
}

# --- a session that is killed takes all shared memory with it
ask($first, $sum);
ask($first, "BEGIN; DECLARE c CURSOR FOR SELECT smartpouch.predict('m', r) FROM $table r; FETCH 1 FROM c");
my $pid = ask($first, 'SELECT pg_backend_pid()');
kill_backend($node, $pid);
eval { IPC::Run::finish($first->{psql}) };
is(cache($node, 'count(*)'), 0, 'nothing is loaded after a crash');
is($node->safe_psql('postgres', $sum), $answer, 'and all is loaded anew');
is(cache($node, 'count(*), sum(pins)'), '1|0', 'once, without a pin of the dead');

# --- standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('shared_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $sum), $answer, 'a standby answers');
is(cache($standby, "string_agg(concat_ws(' ', versions, shared), ',')"), '{m:1} t', 'from shared memory');
$standby->stop;
$node->stop;

# --- segments in files, as where /dev/shm is missing
my $mapped = new_server('mapped', conf => $conf . "dynamic_shared_memory_type = mmap\n");
import_fixture($mapped, $fixture, 'm');
is($mapped->safe_psql('postgres', "SELECT smartpouch.predict('m:1', $one) IS NOT NULL"), 't', 'a server whose segments are files answers');
is(cache($mapped, "string_agg(concat_ws(' ', versions, shared, loads), ',')"), '{m:1} t 1', 'and shares');
my $files = glob_count($mapped->data_dir . '/pg_dynshmem/*');
is($mapped->safe_psql('postgres', "SELECT smartpouch.evict_model('m:1')"), 't', 'evicts');
is(glob_count($mapped->data_dir . '/pg_dynshmem/*'), $files - 1, 'and takes the file away');
$mapped->stop;

# --- without preload: named segments from 17 on, before that sessions' own copies within a budget
my $plain  = new_server('plain');
my $shares = $plain->safe_psql('postgres', "SELECT current_setting('server_version_num')::integer >= 170000") eq 't';
load_fixture($plain, $fixture);
import_fixture($plain, $fixture, 'm');
import_fixture($plain, $other,   'm');
my $alone = session($plain);
ask($alone, "SELECT smartpouch.predict('m:1', $one)");
is(ask($alone, 'SELECT count(*), bool_and(shared) FROM smartpouch.model_cache'), $shares ? '1|t' : '1|f', 'without preload');
is(cache($plain, 'count(*)'), $shares ? 1 : 0, 'other sessions see the same');
ask($alone, "SET smartpouch.model_memory = '1kB'; SELECT smartpouch.predict('m:2', $one)");
is(ask($alone, 'SELECT count(*) FROM smartpouch.model_cache'), $shares ? 2 : 0, 'own copies stay within smartpouch.model_memory');
is($plain->safe_psql('postgres', "SELECT smartpouch.health() #>> '{checks,models:ready,0,status}'"), 'pass', 'the model is ready');
bye($alone);
$plain->stop;

# --- a named segment that cannot be made: the server raises with its own lock held
SKIP:
{
    skip 'servers before 17 have no named segments', 3 if !$shares;
    skip 'prlimit is missing', 3 if system("prlimit --version >/dev/null 2>&1") != 0;
    $plain->start;
    my $squeezed = session($plain);
    my $backend = ask($squeezed, 'SELECT pg_backend_pid()');
    system_or_bail('prlimit', "--pid=$backend", '--fsize=8192');
    is(ask($squeezed, "SELECT smartpouch.predict('m:1', $one) IS NOT NULL"), 't', 'a session that cannot attach answers');
    is($squeezed->{err}, '', 'without an error');
    my ($status, $out) = $plain->psql('postgres', "SELECT smartpouch.predict('m:1', $one) IS NOT NULL", timeout => 30);
    is($out, 't', 'and holds no lock that others wait for');
    bye($squeezed);
    $plain->stop;
}
done_testing();
