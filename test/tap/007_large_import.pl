# Large files of every format: they are imported in pieces, an import can be
# stopped at any moment, and takes no more memory than it may.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;

use BigForest qw(write_forest forest_formats);
use Smartpouch;

my $MEGABYTES = 16;
my $node      = new_server('large');
my $folder    = PostgreSQL::Test::Utils::tempdir;
chmod(0755, $folder);

# Output of a psql session that goes on after errors.
sub session
{
    my ($sql) = @_;
    my ($status, $out) = $node->psql('postgres', $sql, on_error_stop => 0);
    return $out;
}

# Import with a timeout: SQLSTATE, milliseconds past the timeout, contexts left, answer of the same backend.
sub stopped_import
{
    my ($path, $timeout) = @_;
    my $out = session(qq{
        SELECT pg_backend_pid() AS pid \\gset
        SET statement_timeout = '${timeout}ms';
        SELECT clock_timestamp() AS began \\gset
        SELECT smartpouch.import_model('stopped', pg_read_binary_file('$path')) \\g /dev/null
        \\echo :SQLSTATE
        SELECT round(extract(epoch FROM clock_timestamp() - :'began') * 1000 - $timeout);
        RESET statement_timeout;
        SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'smartpouch import';
        SELECT pg_backend_pid() = :pid;});
    return split(/\n/, $out);
}

foreach my $format (forest_formats())
{
    my $path  = "$folder/$format";
    my $trees = write_forest($format, $MEGABYTES * 1_000_000, $path);
    my $slowest = 0;
    my $stopped = 0;
    my $sound   = 1;
    chmod(0644, $path);

    # each early, in the middle and late, whatever the machine's speed
    foreach my $timeout (15, 30, 45, 60, 90)
    {
        my ($state, $late, $contexts, $alive) = stopped_import($path, $timeout);
        # once more where the machine stood still
        foreach my $again (1 .. 5)
        {
            ($state, $late, $contexts, $alive) = stopped_import($path, $timeout) if $state eq '57014' && $late >= 1000;
        }
        if ($state eq '57014') { $stopped++ }
        else { $sound &&= $state eq '00000' }
        $slowest = $late if $state eq '57014' && $late > $slowest;
        $sound &&= $contexts eq '0' && $alive eq 't';
    }
    ok($stopped > 0 && $sound, "$format: stopped $stopped times, the session goes on and keeps no memory");
    # 200 ms is what it should take; the rest is for a busy machine
    cmp_ok($slowest, '<', 1000, "$format: at most $slowest ms after the timeout");

    my $pieces = int((-s $path) / 5_000_000) + 1;
    my $out    = session(qq{
        SELECT smartpouch.upload_begin('$format') AS id \\gset
        SELECT count(smartpouch.upload_chunk(:id, n, pg_read_binary_file('$path', (n - 1) * 5000000, 5000000))::text)
            FROM generate_series(1, $pieces) n;
        SELECT smartpouch.import_upload(:id);
        SELECT trees FROM smartpouch.versions WHERE model = '$format' AND version = 1;
        SELECT abs(smartpouch.predict('$format:1', array_fill(0.25::float8, ARRAY[20]))) < 1e6;});
    is($out, "$pieces\n1\n$trees\nt", "$format: $trees trees in $pieces pieces");
}

# Limits that small files do not reach
my %limits = (
    import_memory_multiple => [ 1,      'catboost_json', qr/takes more than 79 MB of memory/ ],
    max_tree_depth         => [ 9,      'lightgbm',      qr/tree 0 is 10 splits deep/ ],
    max_image_size         => [ "'1MB'", 'xgboost_ubj',   qr/bytes in memory, more than the limit of 1048576/ ],
    max_nodes              => [ 10000,  'onnx',          qr/nodes are more than the limit of 10000/ ],
);
foreach my $setting (sort keys %limits)
{
    my ($value, $format, $message) = @{ $limits{$setting} };
    my ($out, $err);
    $node->psql('postgres', qq{
        \\set VERBOSITY verbose
        SET smartpouch.$setting = $value;
        SELECT smartpouch.inspect_model(pg_read_binary_file('$folder/$format'));}, stdout => \$out, stderr => \$err);
    like($err, qr/54000: .*$message.*can raise smartpouch\.$setting/s, "$setting = $value");
}

$node->stop;
done_testing();
