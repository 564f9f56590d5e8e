# Random queries give the same rows, in the same order, and the same errors with and without blocks of rows.
# SMARTPOUCH_RANDOM_SEED and SMARTPOUCH_RANDOM_QUERIES choose others than the ones below.
use strict;
use warnings FATAL => 'all';

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use Smartpouch;

my $seed    = $ENV{SMARTPOUCH_RANDOM_SEED}    // 20261123;
my $queries = $ENV{SMARTPOUCH_RANDOM_QUERIES} // 400;
srand($seed);

sub one_of { return $_[ int(rand(@_)) ] }
sub chance { my ($p) = @_; return rand() < $p }

my $node = new_server('random', conf => "shared_preload_libraries = 'smartpouch'\njit = off\n" .
      "autovacuum = off\nmax_parallel_workers_per_gather = 0\n");
my $dir  = source_dir() . '/test/data';
my ($value, $class) = map { read_fixture($_) } qw(xgb_diabetes_squarederror xgb_digits_softprob_ubj);
import_fixture($node, $value, 'value');
import_fixture($node, $class, 'class');
my @names = @{ $value->{feature_names} };
my $wide  = scalar @{ $class->{feature_names} };

# Rows in no order of id; id 40 and 333 have arrays that are too short, others lack values or arrays,
# or have jsonb that is no object, lacks keys or has a string for a number.
my $columns = join(', ', map { qq(((i * 37 + $_ * 11) % 19 / 100.0 - 0.1)::real AS "$names[$_]") } 0 .. $#names);
my $array   = 'ARRAY[' . join(', ', map { qq("$_") } @names) . ']';
$node->safe_psql('postgres', <<"SQL");
SELECT smartpouch.promote('value', 1, 'production'), smartpouch.promote('class', 1, 'production');
CREATE TABLE rows AS
SELECT i AS id, i % 7 AS g, 'n' || i AS n, $columns FROM (SELECT (k * 211) % 700 AS i FROM generate_series(1, 700) k) s;
ALTER TABLE rows ADD x real[], ADD y real[], ADD j jsonb;
UPDATE rows SET x = CASE WHEN id IN (40, 333) THEN ARRAY[1] WHEN id % 31 = 0 THEN NULL ELSE $array END,
    y = CASE WHEN id <> 500 THEN array_fill((id % 17)::real, ARRAY[$wide]) END;
UPDATE rows SET "$names[2]" = NULL WHERE id % 13 = 0;
UPDATE rows SET j = CASE id WHEN 40 THEN '{}' WHEN 333 THEN '[1]' WHEN 78 THEN '"x"' ELSE to_jsonb(rows) - 'x' - 'y' - 'j' END;
UPDATE rows SET j = jsonb_set(j, '{$names[0]}', '"no"') WHERE id = 79;
UPDATE rows SET j = NULL WHERE id % 17 = 0;
CREATE TABLE good AS SELECT * FROM rows WHERE id NOT IN (40, 78, 79, 333) AND x IS NOT NULL;
CREATE UNIQUE INDEX ON good (id);
CREATE INDEX ON rows (g);
CREATE TABLE parts (LIKE rows) PARTITION BY LIST (g);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES IN (0, 3);
CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT * FROM rows;
CREATE TABLE sink (id integer CHECK (id <> 620), p double precision);
CREATE SEQUENCE counter;
CREATE FUNCTION noted(v integer) RETURNS integer LANGUAGE plpgsql VOLATILE AS
    \$\$ BEGIN PERFORM nextval('counter'); RETURN v; END \$\$;
VACUUM ANALYZE;
SQL

# ---- the grammar: every function gives the text of an expression over alias t ----
sub constant { return one_of(0, 3, 40, 41, 100, 333, 620, 699) }

sub features
{
    my ($t) = @_;
    my @whole = map { qq($t."$_") } @names;
    return one_of(
        "$t.x", "$t.x", "$t.x", $t, $t, "$t.j", "to_jsonb($t)",
        'ARRAY[' . join(', ', @whole) . ']',
        'ARRAY[' . join(', ', @whole[ 1 .. $#whole ], "$t.id / ($t.id - " . constant() . ')') . ']',
        "CASE WHEN $t.id % 3 > 0 THEN $t.x END",
        "coalesce($t.x, ARRAY[1])");
}

sub prediction
{
    my ($t) = @_;
    my $roll = rand();
    return "smartpouch.predict('nobody', $t.x)"              if $roll < 0.01;
    return "length(smartpouch.predict_label('value', $t.x))" if $roll < 0.02;
    return "smartpouch.predict('class', $t.y)"               if $roll < 0.08;
    return "length(smartpouch.predict_label('class', $t.y))" if $roll < 0.14;
    return "(smartpouch.predict_proba('class', $t.y))[" . one_of(1 .. 10) . ']' if $roll < 0.2;
    return "smartpouch.predict_proba('class', $t.y, '" . one_of(0 .. 10) . "')" if $roll < 0.25;
    return 'smartpouch.predict(\'value:1\', ' . features($t) . ')' if $roll < 0.4;
    return 'smartpouch.predict(\'value\', ' . features($t) . ')';
}

sub scalar_of
{
    my ($t) = @_;
    return one_of("$t.id", "$t.g", "length($t.n)", "$t.\"$names[1]\"",
        "1 / ($t.id - " . constant() . ')', "noted($t.id)", "nullif($t.g, 3)");
}

sub expression
{
    my ($t, $depth) = @_;
    return chance(0.65) ? prediction($t) : scalar_of($t) if $depth == 0;
    my ($a, $b) = (expression($t, 0), expression($t, $depth - 1));
    return one_of($a, $a, $b, "($a + $b)", "(-$a)", "($a > $b)", "coalesce($a, $b)", "nullif($a, $b)",
        "CASE WHEN $t.id % 2 = 0 THEN $a ELSE $b END", "($t.id > 350 AND $a > 0)", "($t.g = 2 OR $a > 0)",
        "greatest($a, $b)", "ARRAY[$a, $b]", "($a IS NULL)", "($a)::text || '.'",
        "(SELECT count(*) FROM good u WHERE u.id < $t.g AND $a > 0)");
}

sub condition
{
    my ($t) = @_;
    my $c = constant();
    return one_of("$t.id < $c", "$t.id <> 40 AND $t.id <> 333", "$t.id <> 40 AND $t.id <> 333", "$t.x IS NOT NULL",
        "$t.n LIKE '%7'", "10 / ($t.id - $c) > -20", "noted($t.id) > 0", "$t.g = 2", "$t.g IN (1, 2, 5)",
        "$t.id = (SELECT max(id) FROM good)", "$t.id > (SELECT avg(id) FROM good)", prediction($t) . ' > 0',
        "$t.id > 26 + 0 * extract(year FROM now())", "EXISTS (SELECT FROM good u WHERE u.id = $t.id + 1)");
}

sub where { my ($t) = @_; return chance(0.6) ? ' WHERE ' . join(' AND ', map { condition($t) } 1 .. one_of(1, 1, 2)) : '' }

sub source
{
    my ($t) = @_;
    my $table = one_of('rows', 'good', 'good', 'parts');
    return one_of(
        "$table $t", "$table $t", "$table $t", "$table $t",
        "(SELECT * FROM $table s" . where('s') . ") $t",
        "(SELECT * FROM $table s" . where('s') . " OFFSET 0) $t",
        "(SELECT * FROM $table s ORDER BY " . one_of('id', 'n DESC') . " LIMIT 300) $t",
        "$table $t JOIN good o ON o.id = $t.id",
        "$table $t LEFT JOIN good o ON o.g = $t.id",
        "good o LEFT JOIN $table $t ON o.id = $t.id * 2",
        "good o LEFT JOIN (SELECT s.*, ARRAY[" . prediction('s') . "] AS v FROM $table s) $t ON $t.id = o.id",
        "$table $t, LATERAL (SELECT " . prediction('s') . " AS v FROM good s WHERE s.id < $t.g OFFSET 0) l",
        "$table $t, LATERAL (SELECT (SELECT " . scalar_of($t) . ") AS v OFFSET 0) l",
        "$table $t, LATERAL generate_series(1, " . scalar_of($t) . "::integer % 3 + 1) f",
        "$table $t, LATERAL (SELECT id FROM good LIMIT abs(" . scalar_of($t) . ") % 3) l",
        "$table $t JOIN good o ON o.id = 1000 / ($t.id - " . constant() . ") + 100",
        "(SELECT DISTINCT ON (g, id) * FROM $table s ORDER BY g, id) $t",
        "good $t TABLESAMPLE BERNOULLI (60) REPEATABLE (3)",
        "(SELECT * FROM good UNION ALL SELECT * FROM rows WHERE g = 2) $t");
}

sub limit { return chance(0.4) ? ' LIMIT ' . one_of(1, 2, 5, 39, 100, 250) . (chance(0.3) ? ' OFFSET ' . one_of(1, 30) : '') : '' }

sub row_query
{
    my @list  = map { expression('t', one_of(0, 0, 1, 2)) } 1 .. one_of(1, 2, 3);
    my $order = chance(0.3) ? ' ORDER BY ' . one_of('t.id', '1, t.id', prediction('t') . ', t.id') : '';
    push @list, 't.id' if chance(0.5);
    push @list, 'row_number() OVER (ORDER BY t.id)' if chance(0.05);
    push @list, 'sum(t.id) OVER (ORDER BY t.id, ' . prediction('t') . ')' if chance(0.05);
    unshift @list, 'generate_series(1, 2)' if chance(0.03);
    return 'SELECT ' . join(', ', @list) . ' FROM ' . source('t') . where('t') . $order . limit();
}

sub aggregate
{
    my $e = prediction('t');
    return one_of("sum($e)", "avg($e)", "count($e)", "min($e)", "sum($e) FILTER (WHERE t.id % 2 = 0)",
        "count(DISTINCT $e)", "array_agg(t.id ORDER BY $e, t.id)", 'array_agg(t.x ORDER BY t.id)', "jsonb_object_agg(nullif(t.n, 'n41'), $e)", 'max(' . scalar_of('t') . ')', 'count(*)',
        'sum(' . expression('t', 1) . '::text::numeric)');
}

sub group_query
{
    my $group = one_of('', '', 't.g', 't.g', "t.id % 5", prediction('t'), 'ROLLUP (t.g, t.id % 2)');
    my @list  = map { aggregate() } 1 .. one_of(1, 2, 3);
    unshift @list, $group if $group ne '' && $group !~ /ROLLUP/;
    my $having = chance(0.2) ? ' HAVING ' . aggregate() . ' IS NOT NULL' : '';
    return 'SELECT ' . join(', ', @list) . ' FROM ' . source('t') . where('t') .
      ($group ne '' ? " GROUP BY $group" : '') . $having . ($group ne '' ? ' ORDER BY 1' : '') . limit();
}

sub query
{
    my $roll = rand();
    return 'INSERT INTO sink SELECT t.id, ' . prediction('t') . ' FROM ' . source('t') . where('t') . limit() if $roll < 0.08;
    return 'WITH t AS MATERIALIZED (' . "SELECT * FROM rows s" . where('s') . ') SELECT ' . expression('t', 1) .
      ' FROM t' . where('t') . limit() if $roll < 0.13;
    return 'SELECT DISTINCT ' . expression('t', 1) . ' FROM ' . source('t') . where('t') . ' ORDER BY 1' if $roll < 0.17;
    return group_query() if $roll < 0.4;
    return row_query();
}

# ---- running ----
my @settings = qw(enable_hashjoin enable_mergejoin enable_nestloop enable_hashagg enable_sort enable_indexscan enable_material);
my @queries  = map { { sql => query(), off => [ grep { chance(0.12) } @settings ] } } 1 .. $queries;

# A query read in pieces, as far as it goes without an error.
sub by_cursor
{
    my ($sql) = @_;
    return $sql if $sql =~ /^INSERT/;
    return "DECLARE c NO SCROLL CURSOR FOR $sql;\n" . join(";\n", map { "FETCH $_ FROM c" } (1) x 3, (7) x 6, (100) x 5, 'ALL');
}

# A query whose models and labels are parameters; the same one wherever the text is the same, as in GROUP BY.
sub by_parameters
{
    my ($sql) = @_;
    my (%number, @values);
    my $parameter = sub { my ($text) = @_; $number{$text} //= push(@values, $text); return '$' . $number{$text} };
    $sql =~ s/(smartpouch\.predict\w*\()('[^']*')/$1 . $parameter->($2)/ge;
    $sql =~ s/(\w\.y, )('\d+')\)/$1 . $parameter->($2) . ')'/ge;
    return "DEALLOCATE ALL;\nPREPARE q AS $sql;\nEXECUTE q" . (@values ? '(' . join(', ', @values) . ')' : '');
}

# Answers of all queries: output, errors, and how often noted() was called.
sub answers
{
    my ($setup, $wrap) = @_;
    $wrap //= sub { return $_[0] };
    my $script = "\\set VERBOSITY default\n$setup;\n";
    for my $i (0 .. $#queries)
    {
        my $q = $queries[$i];
        $script .= "\\echo QUERY $i\n\\warn QUERY $i\nSELECT setval('counter', 1);\nBEGIN;\n";
        $script .= "SET LOCAL $_ = off;\n" for @{ $q->{off} };
        $script .= $wrap->($q->{sql}) . ";\nSELECT count(*), sum(p) FROM sink;\nROLLBACK;\nSELECT nextval('counter');\n";
    }
    my ($out, $err);
    $node->psql('postgres', $script, stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => ['-q']);
    my @out = split(/^QUERY \d+$/m, $out);
    my @err = split(/^QUERY \d+$/m, $err);
    s/psql:<stdin>:\d+: //g for @err;
    return map { ($out[ $_ + 1 ] // 'no output') . ($err[ $_ + 1 ] // 'no errors') } 0 .. $#queries;
}

sub compare
{
    my ($name, $expected, $setup, $wrap) = @_;
    my @got = answers($setup, $wrap);
    my @different = grep { $got[$_] ne $expected->[$_] } 0 .. $#queries;
    is(scalar @different, 0, "$name: $queries queries");
    for my $i (@different[ 0 .. ($#different < 2 ? $#different : 2) ])
    {
        my $plan = $node->safe_psql('postgres', join('', map { "SET $_ = off;" } @{ $queries[$i]->{off} }) .
              "LOAD 'smartpouch'; EXPLAIN (COSTS OFF) $queries[$i]->{sql}");
        diag("seed $seed, settings off: @{ $queries[$i]->{off} }\n$queries[$i]->{sql}\n$plan\nwithout: " .
              substr($expected->[$i], -300) . "\nwith: " . substr($got[$i], -300));
    }
    return @got;
}

my @expected = answers('SET smartpouch.enable_batch = off');
compare('blocks of 256', \@expected, 'SET smartpouch.batch_size = 256');
compare('blocks of 3', \@expected, 'SET smartpouch.batch_size = 3');
# by cursors, which show the rows before an error
my @by_cursor = answers('SET smartpouch.enable_batch = off', \&by_cursor);
compare('blocks of 256 by cursors', \@by_cursor, 'SET smartpouch.batch_size = 256', \&by_cursor);

# models and labels as parameters of a kept plan
my $kept    = 'SET plan_cache_mode = force_generic_plan';
my @by_name = answers("$kept; SET smartpouch.enable_batch = off", \&by_parameters);
compare('models that are parameters', \@by_name, "$kept; SET smartpouch.batch_size = 50", \&by_parameters);
my $failed = grep { /ERROR/ } @by_name;
cmp_ok($failed, '<', 0.7 * $queries, "most of them give rows, $failed do not");

# in a worker, which gets the plan as text and runs all of it, where the functions may run there; one, as two would mix their rows
my $worker = $node->safe_psql('postgres', "SELECT 'SET ' || name || ' = on; SET parallel_leader_participation = off; SET max_parallel_workers_per_gather = 1'
    FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query')");
my @in_worker = answers("$worker; SET smartpouch.enable_batch = off");
compare('in a worker', \@in_worker, "$worker; SET smartpouch.batch_size = 100");
my $workers = grep { /parallel worker/ } @in_worker;
cmp_ok($workers, '>', 0, "errors from workers: $workers");

# The comparison means something: queries that gather are many, and so are those that raise and those that answer.
my $plans = join("\n", map { "EXPLAIN (VERBOSE, COSTS OFF) $_->{sql};" } @queries);
my ($plan_text, $plan_errors);
$node->psql('postgres', "LOAD 'smartpouch';\n$plans", stdout => \$plan_text, stderr => \$plan_errors, on_error_stop => 0);
my $gather = () = $plan_text =~ /Custom Scan \(smartpouch\)/g;
my $raise  = grep { /ERROR/ } @expected;
note("$gather nodes in plans; $raise of $queries queries raise; " . scalar(grep { /syntax error|does not exist|operator/ } @expected) . ' are refused');
unlike($plan_errors, qr/bogus|unrecognized|unexpected|not find|failed/, 'EXPLAIN prints every expression');
cmp_ok($gather, '>', $queries / 4, 'many plans gather');
cmp_ok($raise, '<', 0.7 * $queries, 'many queries give rows');
cmp_ok($raise, '>', 0.05 * $queries, 'some raise');

done_testing();
