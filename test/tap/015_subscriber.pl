# A logical subscriber of the registry: nothing before all is copied, then the
# same answers as the publisher, in sessions that are warm too.
use strict;
use warnings FATAL => 'all';

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use Test::More;

use Smartpouch;

my $conf = "shared_preload_libraries = 'smartpouch'\nsmartpouch.health_timeout = '1min'\nwal_level = logical\nwal_retrieve_retry_interval = 100ms\nmax_sync_workers_per_subscription = 2";
my $publisher  = new_server('publisher',  conf => $conf, allows_streaming => 'logical');
my $subscriber = new_server('subscriber', conf => $conf);
prepare_changes($publisher);
$publisher->safe_psql('postgres', q{
    SELECT smartpouch.import_model(m, based(v)) FROM unnest(ARRAY['a', 'b', 'c']) m, generate_series(2, 3) v;
    SELECT smartpouch.promote('a', 1, 'production'), smartpouch.promote('b', 2, 'production');
    SELECT smartpouch.record_evaluation('a:1', 'march', '{"rmse": 1}');
    SELECT smartpouch.add_golden('a:1', '[40, 60]', '{"value": 2.25}')});
$publisher->safe_psql('postgres',
    q{SELECT format('CREATE PUBLICATION models FOR TABLE %s', string_agg(t::text, ', ')) FROM smartpouch.publication_tables() t \gexec});

my $predict = sub { my ($ref) = @_; return "SELECT smartpouch.predict('$ref', ARRAY[40, 60])" };
my $error   = sub { my ($sql) = @_; return ($subscriber->psql('postgres', "\\set VERBOSITY sqlstate\n$sql"))[2] };
my $synced  = "SELECT count(*) = (SELECT count(*) FROM smartpouch.publication_tables()) AND bool_and(srsubstate = 'r') FROM pg_subscription_rel";

# a row in the way keeps one table from being copied
my $row = $publisher->safe_psql('postgres', 'SELECT quote_literal(e) FROM smartpouch.evaluation e');
$subscriber->safe_psql('postgres', "INSERT INTO smartpouch.evaluation SELECT ($row\::smartpouch.evaluation).*");
$subscriber->safe_psql('postgres',
    "CREATE SUBSCRIPTION models CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION models");
$subscriber->poll_query_until('postgres', q{SELECT (SELECT count(*) FROM smartpouch.model) = 3
    AND (SELECT count(*) FROM smartpouch.deployment) = 2 AND (SELECT count(*) FROM smartpouch.version) = 9
    AND (SELECT count(*) FROM smartpouch.blob) > 0}) or die 'nothing is copied';
is($subscriber->safe_psql('postgres', $synced), 'f', 'one table is not copied');
like($error->($predict->($_)), qr/ERROR:  55000/, "so there is no answer yet: $_") foreach ('a', 'a:1', 'c', 'nobody');
like($error->("SELECT smartpouch.predict_version($_, ARRAY[40, 60])"), qr/ERROR:  55000/, 'nor by hash')
  foreach ('(SELECT program_sha256 FROM smartpouch.version LIMIT 1)', "sha256('x')");
like(($subscriber->psql('postgres', $predict->('a')))[2], qr/being copied from their publisher/, 'as the error tells');
my $check = sub { my ($name) = @_; return "SELECT concat_ws(' ', c ->> 'status', c ->> 'observedValue', c ->> 'output') FROM (SELECT smartpouch.health() #> '{checks,$name,0}' AS c OFFSET 0) h" };
is($subscriber->safe_psql('postgres', 'SELECT smartpouch.ready()'), 'f', 'it is not ready');
is($subscriber->safe_psql('postgres', $check->('models:ready')), 'fail 2 the models of this database are being copied from their publisher', 'nor healthy');
$subscriber->safe_psql('postgres', 'DELETE FROM smartpouch.evaluation');
$subscriber->poll_query_until('postgres', $synced) or die 'not all is copied';

my $digest = 'SELECT smartpouch.registry_digest(), (SELECT count(*) FROM smartpouch.verify_history())';
my $same = sub {
    my ($name) = @_;
    $publisher->wait_for_catchup('models');
    is($subscriber->safe_psql('postgres', $digest), $publisher->safe_psql('postgres', $digest), "$name: the same registry");
};
$same->('when all is copied');
is($subscriber->safe_psql('postgres', $predict->('a')), '2.25', 'now it answers');
is($subscriber->safe_psql('postgres', q{SELECT bool_and(passed) FROM smartpouch.check_golden('a:1')}), 't', 'as its golden row wants');
is($subscriber->safe_psql('postgres', q{SELECT smartpouch.health() #>> '{checks,models:ready,0,status}'}), 'pass', 'healthy');

# health() tells whether changes come; owners are the publisher's affair
is($subscriber->safe_psql('postgres', 'SELECT smartpouch.ready()'), 't', 'ready');
is($_->safe_psql('postgres', q{SELECT smartpouch.health() -> 'checks' ? 'models:owners'}), $_ == $publisher ? 't' : 'f', 'owners are looked at on ' . $_->name)
    foreach ($publisher, $subscriber);
is($publisher->safe_psql('postgres', $check->('subscription:running')), '', 'a publisher has no subscription');
my $runs = $check->('subscription:running');
ok($subscriber->poll_query_until('postgres', $runs, 'pass 1'), 'changes come');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION models DISABLE');
like($subscriber->safe_psql('postgres', $runs), qr/^warn 1 changes of models do not come through subscription "models": it is disabled$/, 'not while it is disabled');
is($subscriber->safe_psql('postgres', 'SELECT smartpouch.ready()'), 't', 'what is there answers');
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION models ENABLE');
ok($subscriber->poll_query_until('postgres', $runs, 'pass 1'), 'then again');

# each counts for itself
my $calls = q{SELECT string_agg(concat_ws(' ', model, version, stage, calls), ', ' ORDER BY model) FROM
    (SELECT model, version, stage, sum(calls) AS calls FROM smartpouch.health_hour WHERE calls > 0 AND version > 0 GROUP BY 1, 2, 3) h};
$publisher->safe_psql('postgres', $predict->('b'));
$_->safe_psql('postgres', 'SELECT smartpouch.rollup()') foreach ($publisher, $subscriber);
is($publisher->safe_psql('postgres', $calls), 'b 2 production 1', 'the publisher counts its calls');
is($subscriber->safe_psql('postgres', $calls), 'a 1 production 1', 'the subscriber its own');
like($subscriber->safe_psql('postgres', 'SELECT smartpouch.report()'), qr/^  a\@production +1 /m, 'and reports them');
like($subscriber->safe_psql('postgres', 'SELECT smartpouch.prometheus()'),
    qr/^smartpouch_predictions_total\{database="postgres",model="a",version="1",stage="production"\} 1$/m, 'to Prometheus too');

# one session, with its caches warm, over promotions, rollbacks and a drop
my ($in, $out, $err) = ('', '', '');
my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $subscriber->connstr('postgres') ],
    '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(600));
my $ask = sub {
    my ($sql) = @_;
    ($out, $err) = ('', '');
    $in .= "$sql;\nSELECT 'done';\n";
    IPC::Run::pump($psql) until $out =~ /done\n/;
    $out =~ s/done\n//;
    chomp $out;
    return $out;
};
$ask->('\set VERBOSITY sqlstate');
is($ask->($predict->('a')), '2.25', 'a session');
foreach my $step (
    [ q{SELECT smartpouch.promote('a', 2, 'production')}, '3.25' ], [ q{SELECT smartpouch.promote('a', 3, 'production')}, '4.25' ],
    [ q{SELECT smartpouch.rollback('a', 'production')}, '3.25' ], [ q{SELECT smartpouch.drop_deployment('a', 'production')}, '' ],
    [ q{SELECT smartpouch.promote('a', 3, 'production')}, '4.25' ], [ q{SELECT smartpouch.rename_model('a', 'z')}, '' ],
    [ q{SELECT smartpouch.rename_model('z', 'a')}, '4.25' ])
{
    my ($sql, $expected) = @$step;
    $publisher->safe_psql('postgres', $sql);
    $publisher->wait_for_catchup('models');
    is($ask->($predict->('a')), $expected, "seen by a warm session: $sql");
}

# keys go the same way, and a canary is seen by a warm session
my $routed = q{SELECT md5(string_agg(smartpouch.predict_for('a', 'key ' || i, ARRAY[40, 60])::text, ' ' ORDER BY i)) FROM generate_series(1, 500) i};
my $unrouted = $ask->($routed);
$publisher->safe_psql('postgres', "SELECT smartpouch.set_canary('a', 'production', 1, 40)");
$publisher->wait_for_catchup('models');
isnt($ask->($routed), $unrouted, 'a canary is seen by a warm session');
is($ask->($routed), $publisher->safe_psql('postgres', $routed), 'and its keys are those of the publisher');
$publisher->safe_psql('postgres', "SELECT smartpouch.drop_canary('a', 'production')");

# what is not this server's is not changed here, or the next change of the publisher's would not fit
like($error->("SELECT smartpouch.$_"), qr/ERROR:  55000/, "refused: $_")
  foreach ("promote('a', 1, 'production')", "rollback('a', 'production')", "set_alias('a', 'x', 1)", "drop_model('c')",
    "rename_model('c', 'd')", "set_stages(ARRAY['production'])", "record_evaluation('a:1', 'x', '{\"rmse\": 1}')");
# but rights are
$subscriber->safe_psql('postgres', 'CREATE ROLE app');
$subscriber->safe_psql('postgres', q{SELECT smartpouch.grant_access('app', 'predictor'), smartpouch.grant_model('a', 'app', 'predict')});
is($subscriber->safe_psql('postgres', 'SET ROLE app; ' . $predict->('a')), '4.25', 'a role has rights of this server');
my $key = $subscriber->safe_psql('postgres', q{SELECT smartpouch.create_api_key('x', ARRAY['predict:model/a'])});
is($subscriber->safe_psql('postgres', "SELECT smartpouch.infer('$key', 'a', '[40, 60]') ->> 'value'"), '4.25', 'and API keys');
$same->('with rights of its own');

# 500 changes at random
$publisher->safe_psql('postgres', q{DO $$ BEGIN
    FOR i IN 1 .. 500 LOOP CALL change((ARRAY['a', 'b', 'c'])[1 + i % 3]); IF random() < 0.8 THEN COMMIT; ELSE ROLLBACK; END IF; END LOOP; END $$});
$same->('after 500 changes');
my $all = q{SELECT string_agg(model || ':' || version || ' ' || smartpouch.predict(model || ':' || version, ARRAY[40, 60]), ',' ORDER BY model, version)
    FROM smartpouch.versions};
is($subscriber->safe_psql('postgres', $all), $publisher->safe_psql('postgres', $all), 'every version answers the same');
is($ask->($all), $publisher->safe_psql('postgres', $all), 'in the warm session too');

# a history that has lost its beginning is whole on both
$publisher->safe_psql('postgres', q{SELECT smartpouch.expire_history('a', '0', false)});
$same->('after events have expired');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.event_head}), '1', 'the subscriber has its head');
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM smartpouch.verify_history()}), '0', 'and verifies it');

# on its own again
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION models');
is($subscriber->safe_psql('postgres', q{SELECT smartpouch.import_model('own', smartpouch.model_artifact(model || ':' || version)) FROM smartpouch.versions LIMIT 1}), '1',
    'without a subscription it is a registry as any');

# a publication of everything, as it is not meant: models come all the same, rights and the cluster's name do not change
my $cluster = 'SELECT smartpouch._cluster_id()';
foreach my $node ($publisher, $subscriber)
{
    $node->safe_psql('postgres', 'CREATE DATABASE everything');
    $node->safe_psql('everything', 'CREATE EXTENSION smartpouch');
}
my $named = $subscriber->safe_psql('everything', $cluster);
my $file = $publisher->safe_psql('postgres', q{SELECT encode(based(7), 'hex')});
$publisher->safe_psql('everything', qq{SELECT smartpouch.import_model('m', decode('$file', 'hex')), smartpouch.promote('m', 1, 'production');
    CREATE PUBLICATION everything FOR ALL TABLES});
$subscriber->safe_psql('everything',
    "CREATE SUBSCRIPTION everything CONNECTION '" . $publisher->connstr . " dbname=everything' PUBLICATION everything");
ok($subscriber->poll_query_until('everything', q{SELECT count(*) > 10 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel
    WHERE srrelid <> 'smartpouch.cluster'::regclass}), 'everything is copied');
is($subscriber->safe_psql('everything', $predict->('m')), $publisher->safe_psql('everything', $predict->('m')), 'and answers');
is($subscriber->safe_psql('everything', $cluster), $named, 'the cluster keeps its name');
$subscriber->safe_psql('everything', 'DROP SUBSCRIPTION everything');

$in .= "\\q\n";
IPC::Run::finish($psql);
$subscriber->stop;
$publisher->stop;
done_testing();
