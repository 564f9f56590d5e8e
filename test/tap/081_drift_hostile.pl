# Baselines of odd data and of queries that do more than read, and samples of canaries, shadows and every way to predict.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use Smartpouch;

my $node = new_server('drift', conf => "max_parallel_workers = 4\nmax_worker_processes = 8\nshared_preload_libraries = 'smartpouch'");

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql) }
sub failure { my ($sql) = @_; return ($node->psql('postgres', "\\set VERBOSITY verbose\n$sql"))[2] }

sql(slurp_file(source_dir() . '/test/pgtap/tiny.inc'));
sql(<<'SQL');
SELECT smartpouch.import_model('m', artifact), smartpouch.import_model('m', convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', '6E-1'), 'UTF8')) FROM tiny WHERE name = 'regression';
SELECT smartpouch.promote('m', 1, 'production');
CREATE ROLE deployer; CREATE ROLE owner_of_trap SUPERUSER;
SELECT smartpouch.grant_access('deployer', 'deployer'), smartpouch.grant_model('m', 'deployer', 'deploy'), smartpouch.grant_model('m', 'deployer', 'predict');
CREATE TABLE kept (n integer); INSERT INTO kept VALUES (1);
GRANT CREATE ON SCHEMA public TO deployer;
CREATE TABLE pairs AS SELECT i AS age, i % 7 AS weight FROM generate_series(1, 1000) i;
GRANT SELECT ON pairs TO deployer;
SQL
my $good  = q(SELECT smartpouch.set_baseline('m', 'SELECT * FROM pairs'));
my $state = q(SELECT md5(string_agg(b::text, ',' ORDER BY version)) FROM smartpouch.baseline b);
sql($good);
my $before = sql($state);

# --- queries that are none, or more than one
foreach my $query ('', ';', 'SELECT 1; DROP TABLE kept', 'INSERT INTO kept VALUES (2) RETURNING n AS age, n AS weight', 'WITH d AS (DELETE FROM kept RETURNING n) SELECT n AS age, n AS weight FROM d',
    'SELECT age, weight FROM pairs FOR UPDATE', 'CREATE TABLE made AS SELECT 1 AS age', 'COPY pairs TO STDOUT', 'COMMIT', 'DO $d$BEGIN END$d$', 'SELECT age, weight INTO made FROM pairs',
    'SELECT FROM pairs', 'SELECT age FROM pairs', "SELECT 'x' AS age, 1 AS weight", 'SELECT age, weight, age FROM pairs', 'SELECT NULL', "SELECT '{}'::jsonb", "SELECT '[1]'::jsonb", 'SELECT ARRAY[1]',
    'SELECT ARRAY[1, 2, 3]', "SELECT ARRAY['a', 'b']", 'SELECT nothing FROM nowhere', 'SELECT 1/0 AS age, 1 AS weight', "SELECT smartpouch.set_baseline(''m'', ''SELECT * FROM pairs'') AS age, 1 AS weight")
{
    (my $literal = $query) =~ s/'/''/g;
    my $said = failure("SELECT smartpouch.set_baseline('m', '$literal')");
    like($said, qr/ERROR:  (?!XX000)[0-9A-Z]{5}: /, "refused: $query");
}
is(sql('SELECT count(*), sum(n) FROM kept'), '1|1', 'none of them has written');
is(sql($state), $before, 'nor changed the baseline');

# --- a query has its caller's rights, and one that calls for more is refused; nobody else's are lent
like(failure("SET ROLE deployer; SELECT smartpouch.set_baseline('m', 'SELECT n AS age, n AS weight FROM kept')"), qr/ERROR:  42501: permission denied for table kept/, 'tables that the caller may not read');
sql(<<'SQL');
SET ROLE deployer;
CREATE FUNCTION trap(n integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS $$ BEGIN DELETE FROM public.kept; RETURN n; END $$;
CREATE FUNCTION pg_temp_like() RETURNS text LANGUAGE sql AS $$ SELECT current_user::text $$;
SQL
like(failure("SET ROLE deployer; SELECT smartpouch.set_baseline('m', 'SELECT trap(age) AS age, weight FROM pairs')"), qr/ERROR:  (42501|25006|0A000)/, 'functions that write where the caller may not');
is(sql('SELECT count(*) FROM kept'), 1, 'have not');
is(sql($state), $before, 'and the baseline is the same');
# the query may end what it is for
like(failure(q(SELECT smartpouch.set_baseline('m', 'SELECT smartpouch.drop_model(''m'') IS NULL AS age, 1 AS weight'))), qr/ERROR:  [0-9A-Z]{5}: /, 'a query that drops its model');
is(sql($state), $before, 'has not');

# --- odd data
sub bins { my ($variable) = @_; return sql("SELECT bounds, counts FROM smartpouch.baselines WHERE model = 'm' AND variable = '$variable'") }
my $sample = 'SET smartpouch.sample_percent = 100;';
sub levels { return sql("SELECT string_agg(variable || ' ' || level, ', ' ORDER BY variable) FROM smartpouch.drift WHERE model = 'm' AND variable <> '(prediction)'") }
sql(q(SELECT smartpouch.set_baseline('m', 'SELECT 40 AS age, i AS weight FROM generate_series(1, 1000) i')));
is(bins('age'), '{39.99999999999999,40}|{0,1000,0,0}', 'a feature that is always the same');
sql("$sample SELECT count(smartpouch.predict('m', ARRAY[40, i])) FROM generate_series(1, 1000) i");
is(levels(), 'age ok, weight ok', 'is fine while it is');
sql(q(SELECT smartpouch.set_baseline('m', 'SELECT 40 AS age, i AS weight FROM generate_series(1, 1000) i')));
sql("$sample SELECT count(smartpouch.predict('m', ARRAY[41, i])) FROM generate_series(1, 1000) i");
is(levels(), 'age alert, weight ok', 'and is seen to rise');
sql(q(SELECT smartpouch.set_baseline('m', 'SELECT 40 AS age, i AS weight FROM generate_series(1, 1000) i')));
sql("$sample SELECT count(smartpouch.predict('m', ARRAY[39.5, i])) FROM generate_series(1, 1000) i");
is(levels(), 'age alert, weight ok', 'or fall');
sql(q(SELECT smartpouch.set_baseline('m', 'SELECT NULL::real AS age, ''NaN''::real AS weight FROM generate_series(1, 1000) i')));
is(bins('age') . ' ' . bins('weight'), '{}|{0,1000} {}|{0,1000}', 'features that are never there');
sql("$sample SELECT count(smartpouch.predict('m', ARRAY[41, NULL])) FROM generate_series(1, 1000) i");
is(levels(), 'age alert, weight ok', 'one that comes is seen');
sql(q(SELECT smartpouch.set_baseline('m', 'SELECT 1 AS age, 2 AS weight')));
sql("$sample SELECT count(smartpouch.predict('m', ARRAY[41, NULL])) FROM generate_series(1, 1000) i");
is(levels(), 'age unknown, weight unknown', 'a baseline of one row says nothing');
foreach my $n (1, 5, 10, 20)
{
    sql(q(SELECT smartpouch.set_baseline('m', 'SELECT i AS age, i % 2 AS weight FROM generate_series(1, 1000) i')));
    sql("$sample SELECT count(smartpouch.predict('m', ARRAY[-1e6, 1])) FROM generate_series(1, $n) i");
    is(levels(), 'age unknown, weight unknown', "nor do samples of $n rows");
}

# --- chance alone raises no alarm: samples of the baseline's own distribution, of many sizes
sql(q(SELECT smartpouch.set_baseline('m', 'SELECT (random() + random()) * 50 AS age, floor(random() * 8) AS weight FROM generate_series(1, 20000)')));
sql($sample . join ' ', map { "SELECT smartpouch.set_baseline('m', 'SELECT (random() + random()) * 50 AS age, floor(random() * 8) AS weight FROM generate_series(1, 5000)');"
        . "SELECT count(smartpouch.predict('m', ARRAY[(random() + random()) * 50, floor(random() * 8)])) FROM generate_series(1, $_);"
        . 'CREATE TABLE IF NOT EXISTS alarms (n integer, level text);'
        . "INSERT INTO alarms SELECT $_, level FROM smartpouch.drift WHERE model = 'm';" } map { ($_) x 10 } (30, 100, 200, 300, 400, 500, 1000));
is(sql("SELECT count(*) FROM alarms WHERE level = 'alert'"), 0, 'no alert by chance');
cmp_ok(sql("SELECT count(*) FROM alarms WHERE level = 'warn'"), '<=', 6, 'and hardly a warning');
cmp_ok(sql("SELECT count(*) FROM alarms WHERE level = 'ok' AND n >= 500"), '>=', 50, 'while many samples say that all is well');

# --- every way to predict, canaries and shadows: each version has its own samples
sql(q(SELECT smartpouch.set_baseline('m:1', 'SELECT * FROM pairs'), smartpouch.set_baseline('m:2', 'SELECT * FROM pairs')));
sub samples { my ($version) = @_; return sql("SELECT max(samples) FROM smartpouch.drift WHERE model = 'm' AND version = $version AND variable <> '(prediction)'") }
sql("SELECT smartpouch.create_api_key('shop', ARRAY['predict:model/m']) AS key \\gset\n$sample SELECT count(smartpouch.infer(:'key', 'm', to_jsonb(p))) FROM pairs p WHERE age <= 3");
is(samples(1), 3, 'what infer() answers is sampled');
sql("$sample SELECT count(smartpouch.predict_json('m', to_jsonb(p))) FROM pairs p");
is(samples(1), 1003, 'and predict_json()');
sql("SELECT smartpouch.set_canary('m', 'production', 2, 30)");
sql("$sample SELECT count(smartpouch.predict('m', p)) FROM pairs p; SELECT count(smartpouch.predict('m', p)) FROM pairs p");
is(samples(1) + samples(2), 3003, 'with a canary each row is sampled once');
sql("SELECT smartpouch.drop_canary('m', 'production'), smartpouch.set_baseline('m:1', 'SELECT * FROM pairs'), smartpouch.set_baseline('m:2', 'SELECT * FROM pairs')");
sql("SELECT smartpouch.set_shadow('m', 'production', 2, 100)");
sql("$sample SELECT count(smartpouch.predict('m', p)) FROM pairs p");
is(samples(1), 1000, 'with a shadow the version that answers is');
is(samples(2), 0, 'and the shadow, which answers nobody, is not');
sql("SELECT smartpouch.drop_shadow('m', 'production'); SELECT smartpouch.promote('m', 2, 'production')");
sql("$sample SELECT count(smartpouch.predict('m', p)) FROM pairs p");
is(samples(1) . ' ' . samples(2), '1000 1000', 'a promotion forgets nothing: the next version has its own');
sql("SELECT smartpouch.rollback('m', 'production')");
sql("$sample SELECT count(smartpouch.predict('m', p)) FROM pairs p");
is(samples(1) . ' ' . samples(2), '2000 1000', 'as has the one before, when it is back');

# --- what is drawn is a share, whatever the share is set to in between
sql(q(SELECT smartpouch.set_baseline('m:1', 'SELECT * FROM pairs')));
sql('SET smartpouch.sample_percent = 0; SELECT count(smartpouch.predict(\'m\', p)) FROM pairs p; SET smartpouch.sample_percent = 100; SELECT count(smartpouch.predict(\'m\', p)) FROM pairs p;'
      . 'SET smartpouch.sample_percent = 0.001; SELECT count(smartpouch.predict(\'m\', p)) FROM pairs p; SET smartpouch.sample_percent = 100; SELECT count(smartpouch.predict(\'m\', p)) FROM pairs p');
cmp_ok(abs(samples(1) - 2000), '<=', 3, 'a changed share counts at once');
like(failure("SET smartpouch.sample_percent = $_"), qr/ERROR:  22023/, "$_ is no share") foreach (-1, 101, "'NaN'");

# --- more baselines than there is room for: memory is what it was, and what is left is right
sql("SELECT smartpouch.import_model('s' || i, smartpouch.model_artifact('m:1')) FROM generate_series(1, 80) i; SELECT smartpouch.set_baseline('s' || i || ':1', 'SELECT * FROM pairs') FROM generate_series(1, 80) i");
sql("$sample SELECT count(smartpouch.predict('s' || i || ':1', ARRAY[1, 2])) FROM generate_series(1, 80) i");
is(sql('SELECT count(*), sum(rows) FROM smartpouch._drift_counts()'), '64|64', 'the 64 that were sampled last are kept');

# --- many rows: a bounded sample, and it can be canceled
my $began = time;
like(failure("SET statement_timeout = '1500ms'; SELECT smartpouch.set_baseline('m:1', 'SELECT random() AS age, random() AS weight FROM generate_series(1, 100000000)')"), qr/ERROR:  57014/, 'a baseline of many rows can be canceled');
cmp_ok(time - $began, '<', 15, 'at once');
is(sql(q(SELECT smartpouch.set_baseline('m:1', 'SELECT random() AS age, 1 AS weight FROM generate_series(1, 200000)'))), 200000, 'many rows');
unlike(slurp_file($node->logfile), qr/WARNING:.*leak|TRAP|PANIC|terminated by signal/, 'nothing was left behind');
$node->stop;
done_testing();
