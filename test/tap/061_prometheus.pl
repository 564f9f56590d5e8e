# What Prometheus reads, as its own promtool sees it; its alerts and the dashboard.
use strict;
use warnings FATAL => 'all';

use File::Temp qw(tempdir);
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $fixture = read_fixture('xgb_diabetes_squarederror');
my $node    = new_server('prometheus', conf => "shared_preload_libraries = 'smartpouch'\nsmartpouch.max_series = 10");
# a name that needs every escape
my $name = qq(odd "na\\me"\n);
my $dir  = tempdir(CLEANUP => 1);

sub sql { my ($sql) = @_; return $node->safe_psql($name, $sql) }

$node->safe_psql('postgres', qq(CREATE DATABASE "odd ""na\\me""\n"; CREATE ROLE watcher));
sql('CREATE EXTENSION smartpouch');
load_fixture($node, $fixture, $name);
import_fixture($node, $fixture, 'm', $name) foreach 1 .. 2;
my $one = qq((SELECT r FROM "$fixture->{name}" r WHERE id = 1));
sql("SELECT smartpouch.promote('m', 1, 'staging'); SELECT smartpouch.promote('m', 1, 'production'); SELECT smartpouch.grant_access('watcher', 'monitor')");
sql("SELECT smartpouch.reset_metrics() IS NULL, smartpouch.create_api_key('shop', ARRAY['predict:model/m']) IS NULL");
sql("SELECT smartpouch.predict('m', $one)") foreach 1 .. 3;
sql("SELECT smartpouch.predict('m:2', r) FROM \"$fixture->{name}\" r LIMIT 7");
$node->psql($name, $_) foreach ("SELECT smartpouch.predict('m', ARRAY[1.0])", "SELECT smartpouch.predict('absent', ARRAY[1.0])");

# rows as backup() and rollup() write them
sql("INSERT INTO smartpouch.backup (database, label, kind, status, started_at, finished_at, verified_at, bytes) VALUES
        (current_database(), 'a', 'full', 'complete', 'epoch'::timestamptz + interval '100s', 'epoch'::timestamptz + interval '160s', NULL, 5000),
        (current_database(), 'b', 'full', 'verified', 'epoch'::timestamptz + interval '10s', 'epoch'::timestamptz + interval '60s', 'epoch'::timestamptz + interval '90s', 4000),
        ('another', 'd', 'full', 'complete', now(), now(), NULL, 1),
        (current_database(), 'c', 'models', 'failed', 'epoch', 'epoch', NULL, NULL);
    SELECT count(smartpouch.rollup())");
my $text   = sql('SET ROLE watcher; SELECT smartpouch.prometheus()');
my $labels = 'database="odd \"na\\\\me\"\n"';
my @lines  = split /\n/, $text;
my %values = map { /^(smartpouch_\S+?(?:\{.*\})?) (\S+)$/ ? ($1 => $2) : () } @lines;

sub value_is
{
    my ($sample, $expected, $comment) = @_;
    is($values{"smartpouch_$sample"}, $expected, $comment // $sample);
    return;
}

# --- the numbers, with names that operators know
value_is('up', 1);
value_is("predictions_total{$labels,model=\"m\",version=\"1\",stage=\"production\"}", 4);
value_is("prediction_rows_total{$labels,model=\"m\",version=\"1\",stage=\"production\"}", 3);
value_is("prediction_errors_total{$labels,model=\"m\",version=\"1\",stage=\"production\",reason=\"bad_input\"}", 1);
value_is("prediction_errors_total{$labels,model=\"m\",version=\"1\",stage=\"production\",reason=\"internal\"}", 0);
value_is("prediction_duration_seconds_count{$labels,model=\"m\",version=\"1\",stage=\"production\"}", 4);
value_is("prediction_duration_seconds_bucket{$labels,model=\"m\",version=\"1\",stage=\"production\",le=\"+Inf\"}", 4);
value_is("prediction_rows_total{$labels,model=\"m\",version=\"2\",stage=\"\"}", 7);
value_is("prediction_errors_total{$labels,model=\"(none)\",version=\"\",stage=\"\",reason=\"no_model\"}", 1);
value_is("model_loads_total{$labels,model=\"m\",version=\"1\"}", 1);
value_is("model_cache_misses_total{$labels}", 1);
cmp_ok($values{"smartpouch_model_cache_hits_total{$labels}"}, '>=', 5, 'cache hits');
value_is("stage_transitions_total{$labels,from=\"\",to=\"staging\"}", 1);
value_is("stage_transitions_total{$labels,from=\"staging\",to=\"production\"}", 1);
value_is("auth_failures_total{$labels,reason=\"expired\"}", 0);
value_is("keys{$labels,state=\"$_\"}", $_ eq 'active' ? 1 : 0) foreach qw(active grace expired revoked other);
value_is("backup_last_success_timestamp_seconds{$labels,kind=\"full\"}", '160.000000');
value_is("backup_last_verified_timestamp_seconds{$labels,kind=\"full\"}", '90.000000');
value_is("backup_duration_seconds{$labels,kind=\"full\"}", '60.000000');
value_is("backup_size_bytes{$labels,kind=\"full\"}", 5000);
value_is("backup_failures_total{$labels,kind=\"models\"}", 1);
value_is("backup_snapshot_age_seconds{$labels}", 0);
cmp_ok($values{"smartpouch_rollup_lag_seconds{$labels,level=\"minute\"}"}, '<', 60, 'rollup_lag_seconds');
value_is('health_status{check="models:ready"}', 2);
like($text, qr/^smartpouch_model_info\{\Q$labels\E,model="m",version="1",stage="production",format="xgboost_json",sha256_8="[0-9a-f]{8}"\} 1$/m, 'model_info');
like($text, qr/^smartpouch_model_memory_bytes\{\Q$labels\E,model="m",version="1"\} \d+$/m, 'model_memory_bytes');
like($text, qr/^smartpouch_build_info\{version="[\d.]+",pg_major="\d+",simd="\w+"\} 1$/m, 'build_info');
like($text, qr/^smartpouch_scrape_duration_seconds [\d.]+$/m, 'scrape_duration_seconds');
my $sum = 0;
sub buckets { return map { /^smartpouch_prediction_duration_seconds_bucket.*version="1".*le="([^"]+)"\} (\d+)$/ ? [ $1, $2 ] : () } @_ }
my @buckets = buckets(@lines);
my $bounds  = '1e-05 2.5e-05 5e-05 0.0001 0.00025 0.0005 0.001 0.0025 0.005 0.01 0.025 0.05 0.1 0.25 1 2.5 10 +Inf';
is(join(' ', map { $_->[0] } @buckets), $bounds, 'bounds of buckets');
is(join(' ', map { $_->[0] } buckets(split /\n/, sql('SET extra_float_digits = -15; SELECT smartpouch.prometheus()'))), $bounds, 'whatever digits the session shows');
is(scalar(grep { my $fell = $_->[1] < $sum; $sum = $_->[1]; $fell } @buckets), 0, 'buckets add up');

# --- who asks, and what about is bounded
sql("CREATE ROLE $_") foreach qw(nobody app deployer);
sql("SELECT smartpouch.grant_access('app', 'predictor'), smartpouch.grant_access('deployer', 'deployer')");
like(($node->psql($name, "\\set VERBOSITY verbose\nSET ROLE $_; SELECT smartpouch.prometheus()"))[2], qr/ERROR:  42501: permission denied/, "not for $_") foreach qw(nobody app deployer);
is(join(',', sort map { /^# TYPE (\S+)/ ? $1 : () } split /\n/, $text), join(',', sort map { /^# TYPE (\S+)/ ? $1 : () } split /\n/, sql('SELECT smartpouch.prometheus()')), 'a monitor sees the metrics that a superuser sees');
# counters do not fall, whatever is asked in between
sub counters { my %c = map { /^(smartpouch_\S*_(?:total|count|bucket|sum)(?:\{.*\})?) (\S+)$/ && $1 !~ /backup_failures/ ? ($1 => $2) : () } split /\n/, sql('SELECT smartpouch.prometheus()'); return \%c }
my $then = counters();
sql("SELECT smartpouch.predict('m', r), smartpouch.predict('m:2', r) FROM \"$fixture->{name}\" r; SELECT smartpouch.rollup() IS NULL; SELECT smartpouch.promote('m', 2, 'production') IS NULL");
my $now = counters();
is(join(' ', grep { !exists $now->{$_} || $now->{$_} < $then->{$_} } keys %$then), '', 'no counter falls');
cmp_ok(scalar(keys %$then), '>', 60, 'of those that there are');
unlike($text, qr/watcher|role=|owner=/, 'users are no labels');
is(scalar(grep { !/^# |^smartpouch_[a-z0-9_]+(\{.+\})? [-+0-9.e]+$/ } @lines), 0, 'nothing else is in the text');
sql("SELECT smartpouch.import_model('s' || i, smartpouch.model_artifact('m:1')) FROM generate_series(1, 15) i");
sql("SELECT smartpouch.predict('s' || i || ':1', $one) FROM generate_series(1, 15) i");
$text = sql('SELECT smartpouch.prometheus()');
is(scalar(() = $text =~ /^smartpouch_predictions_total/mg), 10, 'no more series than there is room for');
like($text, qr/^smartpouch_predictions_total\{database="odd [^,]*",model="\(other\)",version="",stage=""\} 9$/m, 'the rest is in one');
sql("SELECT smartpouch.drop_model('s1')");
unlike(sql('SELECT smartpouch.prometheus()'), qr/model="s1"/, 'a dropped model is no series');

# --- as Prometheus sees it
SKIP:
{
    my $promtool = `sh -c 'command -v promtool'`;
    chomp $promtool;
    die "promtool is missing: scripts/deps monitoring installs it\n" if !$promtool && $ENV{CI};
    skip 'promtool is not installed (scripts/deps monitoring)', 4 if !$promtool;
    my ($out, $err) = ('', '');
    ok(IPC::Run::run([ $promtool, 'check', 'metrics' ], '<', \$text, '>', \$out, '2>', \$err), 'promtool check metrics') or diag("$out$err");
    is("$out$err", '', 'which has nothing to say');
    my $folder = source_dir() . '/contrib/monitoring';
    ok(IPC::Run::run([ $promtool, 'check', 'rules', "$folder/alerts.yml" ], '>', \$out, '2>', \$err), 'promtool check rules') or diag("$out$err");
    ok(IPC::Run::run([ $promtool, 'test', 'rules', "$folder/alerts_test.yml" ], '>', \$out, '2>', \$err), 'promtool test rules') or diag("$out$err");
}

# --- alerts and panels ask for what there is
my %families = map { $_ => 1 } $text =~ /^# TYPE (\S+)/mg;
$families{$_} = 1 foreach map { my $family = $_; map { "${family}_$_" } qw(bucket sum count) } keys %families;
# on a standby, where pg_cron is, and with a baseline
$families{$_} = 1 foreach qw(smartpouch_replay_lag_seconds smartpouch_cron_jobs smartpouch_drift_psi);
foreach my $file ('alerts.yml', 'dashboard.json')
{
    my $content = slurp_file(source_dir() . "/contrib/monitoring/$file");
    my @asked   = $content =~ /(smartpouch_[a-z0-9_]+)/g;
    cmp_ok(scalar(@asked), '>', 5, "$file asks for metrics");
    is(join(' ', grep { !$families{$_} } @asked), '', 'that there are');
}

# --- what the manual says there is: names, types and labels
my %manual;
foreach my $row (slurp_file(source_dir() . '/doc/monitoring.md') =~ /^(\| `smartpouch_.*)$/mg)
{
    my (undef, $names, $type, $words) = split / *\| */, $row;
    # after a colon or a semicolon are the values
    my @of = $words =~ /`(\w+)`/g;
    $manual{$_} = { type => $type, of => { map { $_ => 1 } @of } } foreach $names =~ /`(\w+)`/g;
}
is(sql("SELECT string_agg('smartpouch_' || family || ' ' || type, ',' ORDER BY family COLLATE \"C\") FROM smartpouch._metric_families()"),
    join(',', map { "$_ $manual{$_}{type}" } sort keys %manual), 'the manual has every metric, with its type');
my %of_server = map { $_ => 1 } grep { !/^smartpouch_(drift_psi|cron_jobs)$/ && $text !~ /^${_}(?:_bucket)?\{database=/m && $text =~ /^$_[ {]/m } keys %manual;
is(join(' ', sort keys %of_server), join(' ', map { "smartpouch_$_" } qw(build_info health_status scrape_duration_seconds series series_dropped_total series_max start_time_seconds up)),
    'what has no database is of the server');
$of_server{smartpouch_replay_lag_seconds} = 1;
sub labels_of { my ($metric) = @_; my $family = exists $manual{$metric} ? $metric : $metric =~ s/_(bucket|sum|count)$//r; return { instance => 1, %{ $manual{$family}{of} // {} }, ($of_server{$family} ? () : (database => 1)), ($metric =~ /_bucket$/ ? (le => 1) : ()) } }
my %strange;
foreach my $line (split /\n/, $text)
{
    my ($metric, $labels) = $line =~ /^(smartpouch_\w+)\{(.*)\} \S+$/ or next;
    my $known = labels_of($metric);
    $strange{"$metric $_"} = 1 foreach grep { !$known->{$_} } $labels =~ /(?:^|",)(\w+)="/g;
}
is(join(', ', sort keys %strange), '', 'and every label');

# --- which is what alerts and panels ask for
my $dashboard = decode_json(slurp_file(source_dir() . '/contrib/monitoring/dashboard.json'));
my $alerts    = slurp_file(source_dir() . '/contrib/monitoring/alerts.yml');
my @asked     = map { [ $_->{expr}, $_->{legendFormat} // '' ] } map { @{ $_->{targets} } } @{ $dashboard->{panels} };
push @asked, [ $_->{query}{query}, '' ] foreach grep { ref $_->{query} } @{ $dashboard->{templating}{list} };
foreach my $rule (split /^      - alert: /m, $alerts)
{
    my ($expression, $rest) = $rule =~ /^        expr: (.*?)^        (?:for|labels):(.*)/ms or next;
    push @asked, [ $expression, join(' ', map { "{{$_}}" } $rest =~ /\$labels\.(\w+)/g) ];
}
cmp_ok(scalar @asked, '>', 35, 'alerts and panels ask');
%strange = ();
foreach my $question (@asked)
{
    my ($expression, $legend) = @$question;
    my @metrics = $expression =~ /\b(smartpouch_\w+)/g;
    while ($expression =~ /\b(smartpouch_\w+)\{([^}]*)\}/g)
    {
        my ($metric, $matchers) = ($1, $2);
        my $known = labels_of($metric);
        $strange{"$metric\{$_}"} = 1 foreach grep { !$known->{$_} } $matchers =~ /(?:^|,)\s*(\w+)\s*[=!]/g;
    }
    my @by = map { split /\s*,\s*/ } $expression =~ /\bby \(([^)]*)\)/g;
    my %shown = @by ? map { $_ => 1 } @by : map { %{ labels_of($_) } } @metrics;
    $strange{"{{$_}} of $expression"} = 1 foreach grep { @metrics && !$shown{$_} } $legend =~ /\{\{(\w+)\}\}/g;
    foreach my $metric (@metrics)
    {
        my $known = labels_of($metric);
        $strange{"by ($_) of $metric"} = 1 foreach grep { !$known->{$_} } @by;
    }
}
is(join("\n", sort keys %strange), '', 'for labels that there are');
is(join(' ', grep { !defined $_->{title} || !@{ $_->{targets} // [] } } @{ $dashboard->{panels} }), '', 'each with a title and a question');

$node->stop;
done_testing();
