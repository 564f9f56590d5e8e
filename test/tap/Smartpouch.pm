# Smartpouch.pm - what the TAP tests share: servers, fixtures, comparisons.
package Smartpouch;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

our @EXPORT = qw(@initdb_options source_dir new_server fixtures read_fixture load_fixture import_fixture
  fixture_arrays mismatches all_predictions prepare_changes kill_backend);
our @EXPORT_OK = qw(session ask bye);

# whatever the environment says, which may be nothing
our @initdb_options = ('--encoding=UTF8', '--locale=C');

# A psql that is refused, as by a server that recovers, can end before it has been given
# its statement, and IPC::Run dies of that. Who polls tries again.
{
    no warnings 'redefine';
    my $poll = \&PostgreSQL::Test::Cluster::poll_query_until;
    *PostgreSQL::Test::Cluster::poll_query_until = sub {
        my ($node, @arguments) = @_;
        my $result;
        foreach my $attempt (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
        {
            $result = eval { $poll->($node, @arguments) } // 'died';
            last if $result ne 'died';
            die $@ unless $@ =~ /Broken pipe/;
            usleep(100_000);
        }
        return $result ne 'died' && $result;
    };
}

sub source_dir { return $ENV{SMARTPOUCH_SOURCE} // die "SMARTPOUCH_SOURCE is not set\n" }

# A running server with the extension in database postgres; option "before" is
# SQL to run ahead of CREATE EXTENSION, "conf" is added to postgresql.conf.
sub new_server
{
    my ($name, %options) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name);
    $node->init(allows_streaming => $options{allows_streaming} // 0, extra => \@initdb_options);
    # what these tests kill must come back with all that was committed
    $node->append_conf('postgresql.conf', "restart_after_crash = on\nsynchronous_commit = on");
    $node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
    $node->start;
    $node->safe_psql('postgres', $options{before}) if $options{before};
    $node->safe_psql('postgres', 'CREATE EXTENSION smartpouch');
    return $node;
}

sub fixtures
{
    my @folders = sort glob(source_dir() . '/test/data/*/fixture.json');
    return map { m{([^/]+)/fixture\.json$} ? $1 : () } @folders;
}

sub read_fixture
{
    my ($name) = @_;
    my $dir = source_dir() . "/test/data/$name";
    my $fixture = decode_json(slurp_file("$dir/fixture.json"));
    open(my $csv, '<', "$dir/expected.csv") or die "$dir/expected.csv: $!";
    my $header = <$csv>;
    close($csv);
    $header =~ s/\s+$//;
    $fixture->{dir} = $dir;
    $fixture->{columns} = { map { $_ => 1 } split(/,/, $header) };
    $fixture->{header} = [ split(/,/, $header) ];
    return $fixture;
}

sub quoted { my ($name) = @_; $name =~ s/"/""/g; return qq("$name") }

sub literal { my ($text) = @_; $text =~ s/'/''/g; return "'$text'" }

# Import the fixture's model as the next version of a model of its name.
sub import_fixture
{
    my ($node, $fixture, $model, $database) = @_;
    $model    //= $fixture->{name};
    $database //= 'postgres';
    my $names = $fixture->{feature_names_in_file} ? 'NULL'
      : 'ARRAY[' . join(', ', map { literal($_) } @{ $fixture->{feature_names} }) . ']';
    my $labels = exists $fixture->{labels_in_file} && !$fixture->{labels_in_file} && $fixture->{labels}
      ? 'ARRAY[' . join(', ', map { literal($_) } @{ $fixture->{labels} }) . ']' : 'NULL';
    return $node->safe_psql($database,
        "SELECT smartpouch.import_model('$model', pg_read_binary_file("
          . literal("$fixture->{dir}/$fixture->{artifact}")
          . "), feature_names => $names, labels => $labels)");
}

# Tables "NAME" (features) and "NAME_expected", both with id 1, 2, ...
sub load_fixture
{
    my ($node, $fixture, $database) = @_;
    $database //= 'postgres';
    my $table    = quoted($fixture->{name});
    my $expected = quoted("$fixture->{name}_expected");
    my $features = join(', ', map { quoted($_) } @{ $fixture->{feature_names} });
    my $numbers  = join(', ', map { quoted($_) . ' double precision' } @{ $fixture->{feature_names} });
    my $answers  = join(', ', map { quoted($_) . (/^(truth|label)$/ ? ' text' : ' double precision') }
          @{ $fixture->{header} });
    my $columns = join(', ', map { quoted($_) } @{ $fixture->{header} });
    $node->safe_psql($database, <<SQL);
CREATE TABLE $table (id integer GENERATED ALWAYS AS IDENTITY, $numbers);
CREATE TABLE $expected (id integer GENERATED ALWAYS AS IDENTITY, $answers);
\\copy $table ($features) from '$fixture->{dir}/rows.csv' with (format csv, header true)
\\copy $expected ($columns) from '$fixture->{dir}/expected.csv' with (format csv, header true)
SQL
    return;
}

# The features of row r as SQL, in each form that a caller can pass.
sub fixture_arrays
{
    my ($fixture) = @_;
    my $list = join(', ', map { 'r.' . quoted($_) } @{ $fixture->{feature_names} });
    return (
        'double precision[]' => "ARRAY[$list]",
        'real[]'             => "ARRAY[$list]::real[]",
        'numeric[]'          => "ARRAY[$list]::numeric[]",
        'row'                => 'r',
        'jsonb object'       => 'to_jsonb(r)',
        'jsonb array'        => "jsonb_build_array($list)");
}

# How many rows of the fixture are answered otherwise than the source library
# does. |a - b| <= tolerance * max(1, |b|); a label may differ where the two
# best probabilities are within the tolerance.
sub mismatches
{
    my ($node, $fixture, $ref, $features) = @_;
    my $has       = $fixture->{columns};
    my $tolerance = $fixture->{tolerance};
    my @checks;
    my $differs = sub {
        my ($got, $want) = @_;
        return "($got) IS NULL OR NOT (abs(($got) - $want) <= $tolerance * greatest(1, abs($want)))";
    };
    my $vector = sub {
        my ($function, $prefix) = @_;
        my @parts = sort { ($a =~ /(\d+)/)[0] <=> ($b =~ /(\d+)/)[0] } grep { /^${prefix}_\d+$/ } keys %$has;
        return unless @parts;
        my $n = scalar @parts;
        push @checks, "cardinality(smartpouch.$function('$ref', $features)) <> $n";
        push @checks, $differs->("(smartpouch.$function('$ref', $features))[" . ($_ + 1) . ']', "e.${prefix}_$_")
          for 0 .. $n - 1;
    };
    push @checks, $differs->("smartpouch.predict('$ref', $features)", 'e.value') if $has->{value};
    if ($has->{label})
    {
        my @p = map { "e.$_" } grep { /^p_\d+$/ } keys %$has;
        my $tie = @p
          ? '(SELECT p[1] - p[2] FROM (SELECT array_agg(v ORDER BY v DESC) AS p FROM unnest(ARRAY['
          . join(', ', @p) . "]) v) best) <= 2 * $tolerance"
          : 'false';
        push @checks, "smartpouch.predict_label('$ref', $features) IS DISTINCT FROM e.label AND NOT ($tie)";
    }
    $vector->('predict_proba', 'p');
    $vector->('predict_raw',   'raw');
    my $condition = join("\n OR ", map { "($_)" } @checks);
    my $table     = quoted($fixture->{name});
    my $expected  = quoted("$fixture->{name}_expected");
    return $node->safe_psql('postgres',
        "SELECT count(*) FILTER (WHERE $condition) || ' of ' || count(*)\n"
          . "FROM $table r JOIN $expected e USING (id)");
}

# Kill one process of the server and wait until the server has recovered: connections
# are taken for a moment before it learns of the death, and until then the dead is shown.
sub kill_backend
{
    my ($node, $pid) = @_;
    kill 'KILL', $pid;
    $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid") or die 'no recovery';
    return;
}

# Every output for every row as text, for comparing two servers bit by bit.
sub all_predictions
{
    my ($node, $fixture, $database) = @_;
    my $table = quoted($fixture->{name});
    return $node->safe_psql($database // 'postgres',
        "SELECT id, smartpouch.predict_json('$fixture->{name}:1', to_jsonb(r)) FROM $table r ORDER BY id");
}

# Models a, b and c, whose version of base n answers n + 1.25 for ARRAY[40, 60], and
# CALL change(model): a random import, promotion, rollback, alias or drop. What is
# refused at random is no error.
sub prepare_changes
{
    my ($node) = @_;
    $node->safe_psql('postgres', slurp_file(source_dir() . '/test/pgtap/tiny.inc'));
    $node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION based(base integer) RETURNS bytea LANGUAGE sql AS $$
    SELECT convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', base::text), 'UTF8')
    FROM tiny WHERE name = 'regression' $$;
CREATE FUNCTION any_version(of_model text) RETURNS integer LANGUAGE sql AS $$
    SELECT version FROM smartpouch.versions WHERE model = of_model ORDER BY random() LIMIT 1 $$;
CREATE PROCEDURE change(model text) LANGUAGE plpgsql AS $$
DECLARE
    stage text := (ARRAY['testing', 'staging', 'production'])[1 + floor(3 * random())];
BEGIN
    CASE floor(7 * random())
        WHEN 0 THEN PERFORM smartpouch.import_model(model, based((5 * random())::integer));
        WHEN 1, 2 THEN PERFORM smartpouch.promote(model, any_version(model), stage);
        WHEN 3 THEN PERFORM smartpouch.rollback(model, stage);
        WHEN 4 THEN PERFORM smartpouch.drop_version(model || ':' || any_version(model));
        WHEN 5 THEN PERFORM smartpouch.set_alias(model, 'best', any_version(model));
        ELSE PERFORM smartpouch.import_model(model, based((5 * random())::integer)),
            smartpouch.drop_deployment(model, stage);
    END CASE;
EXCEPTION WHEN object_not_in_prerequisite_state OR undefined_object OR dependent_objects_still_exist
    OR null_value_not_allowed OR deadlock_detected THEN NULL;
END $$;
SELECT smartpouch.import_model(m, based(1)) FROM unnest(ARRAY['a', 'b', 'c']) m;
SQL
    return;
}

# A session that stays: ask() runs SQL and returns its output.
sub session
{
    my ($node, $database) = @_;
    my $s = { in => '', out => '', err => '' };
    $s->{psql} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($database // 'postgres') ],
        '<', \$s->{in}, '>', \$s->{out}, '2>', \$s->{err}, IPC::Run::timeout(600));
    return $s;
}

sub ask
{
    my ($s, $sql) = @_;
    $s->{out} = '';
    $s->{in} .= "$sql;\n\\echo done\n";
    IPC::Run::pump($s->{psql}) until $s->{out} =~ /done\n/;
    (my $out = $s->{out}) =~ s/done\n//;
    chomp $out;
    return $out;
}

sub bye { my ($s) = @_; $s->{in} .= "\\q\n"; IPC::Run::finish($s->{psql}); return }

1;
