# Every fixture answers as the library that trained it does, for every form in
# which a caller can pass features, missing values included.
use strict;
use warnings FATAL => 'all';

use Test::More;

use Smartpouch;

my $node = new_server('parity');

foreach my $name (fixtures())
{
    my $fixture = read_fixture($name);
    my $rows    = $fixture->{rows};
    is(import_fixture($node, $fixture), 1, "$name: imported");
    load_fixture($node, $fixture);
    is( $node->safe_psql('postgres',
            "SELECT task || '/' || source_format FROM smartpouch.versions WHERE model = '$name'"),
        "$fixture->{task}/$fixture->{format}", "$name: task and format");

    my @forms = fixture_arrays($fixture);
    my %exact = map { $_ => 1 } ('double precision[]', 'row', 'jsonb object');
    while (my ($form, $sql) = splice(@forms, 0, 2))
    {
        # one form in full for each fixture, the others for a few of each kind
        next unless $exact{$form} || $name =~ /pouch|digits/;
        is(mismatches($node, $fixture, "$name:1", $sql), "0 of $rows", "$name: $form");
    }
    is( $node->safe_psql('postgres', qq{
        SELECT count(*) FROM "$name" r, smartpouch.predict_json('$name:1', to_jsonb(r)) j
        WHERE j ->> 'model' <> '$name' OR j ->> 'version' <> '1'
            OR NOT (j ? 'label' OR j ? 'value')}),
        0, "$name: predict_json");
}

# Blocks and single rows give the same bits; so do trees with any instructions,
# while dense layers and vectorised functions are those of one level.
my @levels = ('portable');
foreach my $level (qw(avx2 avx512))
{
    my ($status, undef, $stderr) = $node->psql('postgres', "LOAD 'smartpouch'; SET smartpouch.simd = $level");
    push @levels, $level if $status == 0;
    like($stderr, qr/invalid value for parameter "smartpouch.simd".*This processor has no $level/s, "no $level here")
        if $status != 0;
}
note("levels: @levels");
foreach my $name (qw(xgb_pouch_softprob xgb_diabetes_squarederror xgb_cancer_logistic lgb_wine_multiclass
    lgb_diabetes_categorical onnx_wine_random_forest onnx_digits_logistic onnx_wine_outliers))
{
    my $fixture = read_fixture($name);
    my $list    = join(', ', map { qq(r."$_") } @{ $fixture->{feature_names} });
    my $single  = $fixture->{columns}{value} ? 'predict' : 'predict_proba';
    my $column  = $fixture->{columns}{value} ? 'value' : 'probabilities';
    my %sums;
    foreach my $level (@levels)
    {
        my $answers = $node->safe_psql('postgres', qq{
            LOAD 'smartpouch';
            SET smartpouch.simd = $level;
            WITH block AS (
                SELECT b.* FROM (SELECT array_agg(ARRAY[$list] ORDER BY id) AS rows FROM "$name" r) a,
                    smartpouch.predict_batch('$name:1', a.rows) b)
            SELECT count(*) FILTER (WHERE block.$column = smartpouch.$single('$name:1', ARRAY[$list])),
                md5(string_agg(block.${column}::text, ',' ORDER BY ordinal))
            FROM "$name" r JOIN block ON block.ordinal = r.id});
        my ($count, $sum) = split /\|/, $answers;
        is($count, $fixture->{rows}, "$name: predict_batch equals $single with $level");
        $sums{$sum} = 1;
    }
    is(keys %sums, 1, "$name: all levels give the same numbers")
        unless $name =~ /^onnx_(digits_logistic|wine_outliers)$/;
}

# A network with one number is no classifier, whatever labels are given.
{
    my $fixture = read_fixture('onnx_digits_gru_odd');
    my ($code, $out, $error) = $node->psql('postgres', qq{
        SELECT smartpouch.import_model('odd', pg_read_binary_file('$fixture->{dir}/$fixture->{artifact}'),
            labels => ARRAY['even', 'odd'])});
    like($error, qr/model has 0 labels, but 2 were given.*HINT:  Leave labels out, unless/s,
        'labels for a network with one number');
    $fixture = read_fixture('onnx_digits_cnn');
    ($code, $out, $error) = $node->psql('postgres', qq{
        SELECT smartpouch.import_model('short', pg_read_binary_file('$fixture->{dir}/$fixture->{artifact}'),
            labels => ARRAY['even', 'odd'])});
    like($error, qr/model has 0 labels, but 2 were given/, 'two labels for a network of ten');
}

$node->stop;
done_testing();
