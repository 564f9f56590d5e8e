# Models in shared memory leave room there to the server's own parallel queries.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

# /dev/shm of 16 MB, of which 4 MB are not for models, in a namespace of the server's own
my @small = ('unshare', '--map-current-user', '--keep-caps', '--mount', 'sh', '-c', 'mount -t tmpfs -o size=16m tmpfs /dev/shm && exec "$@"', 'sh');
my $RESERVE = 4 << 20;

plan skip_all => 'a user cannot mount a file system in a namespace here' if system("@small[0 .. 5] 'mount -t tmpfs tmpfs /dev/shm' >/dev/null 2>&1") != 0;

my $node    = new_server('room', conf => "shared_preload_libraries = 'smartpouch'\ndynamic_shared_memory_type = posix\nautovacuum = off\n");
my $fixture = read_fixture('xgb_digits_softprob_ubj');
my $zeros   = 'array_fill(0::real, ARRAY[' . @{ $fixture->{feature_names} } . '])';
import_fixture($node, $fixture, 'm');
$node->safe_psql('postgres', "SELECT smartpouch.warm_model('m:1')");
my $bytes = $node->safe_psql('postgres', 'SELECT bytes FROM smartpouch.model_cache');
cmp_ok($bytes, '>', 100_000, 'a model of some size');
$node->stop;

my $data = $node->data_dir;
END { my $status = $?; system('pg_ctl', '-D', $data, '-m', 'fast', '-s', 'stop') if $data && -e "$data/postmaster.pid"; $? = $status }
system_or_bail(@small, 'pg_ctl', '-D', $data, '-l', $node->logfile, '-s', '-w', 'start');

# Takes bytes there, so that the models could have n without those of the reserve.
sub leave_to_models
{
    my ($n) = @_;
    my $free = $node->safe_psql('postgres', "CREATE TEMP TABLE free (blocks text); COPY free FROM PROGRAM 'stat -f -c %a*%S /dev/shm'; SELECT split_part(blocks, '*', 1)::bigint * split_part(blocks, '*', 2)::bigint FROM free");
    my $others = $free - $RESERVE - $n;
    return $node->safe_psql('postgres', "COPY (SELECT repeat('x', $others - 1)) TO '/dev/shm/others'");
}
my $shared = "SELECT count(*) FROM smartpouch.model_cache WHERE shared";
my $health = "SELECT smartpouch.health() #>> '{checks,cache:shared,0,status}'";

# half of the model would be in the reserve
leave_to_models(int($bytes / 2));
is($node->safe_psql('postgres', "SELECT smartpouch.warm_model('m:1')"), 'f', 'a model that would take of the reserve is not shared');
is($node->safe_psql('postgres', "SELECT smartpouch.predict_label('m:1', $zeros) IS NOT NULL"), 't', 'but answers');
is($node->safe_psql('postgres', $shared), 0, 'from the memory of its session');
is($node->safe_psql('postgres', $health), 'warn', 'health() warns');
is($node->safe_psql('postgres', "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2; SELECT count(*) > 0 FROM pg_proc WHERE length(prosrc) >= 0"),
    't', 'a parallel query has its shared memory');
unlike(slurp_file($node->logfile), qr/could not resize shared memory|No space left/, 'and the server has never asked in vain');
system_or_bail('pg_ctl', '-D', $data, '-m', 'fast', '-s', 'stop');
system_or_bail(@small, 'pg_ctl', '-D', $data, '-l', $node->logfile, '-s', '-w', 'start');
leave_to_models(2 * $bytes);
is($node->safe_psql('postgres', "SELECT smartpouch.warm_model('m:1')"), 't', 'one that leaves the reserve alone is shared');
is($node->safe_psql('postgres', $health), 'pass', 'and health() passes');
done_testing();
