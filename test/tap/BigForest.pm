# BigForest.pm - forests of any size in every format, without any library.
#
# Trees are full and symmetric, ten splits deep, over 20 features; a few are
# made and repeated until the file is large enough, so 200 MB take seconds.
package BigForest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';

our @EXPORT_OK = qw(write_forest forest_formats);

my $DEPTH    = 10;
my $SPLITS   = 2**$DEPTH - 1;
my $NODES    = 2 * $SPLITS + 1;
my $FEATURES = 20;
my $KINDS    = 8;

my %writers = (
    xgboost_json  => \&write_xgboost_json,
    xgboost_ubj   => \&write_xgboost_ubj,
    lightgbm      => \&write_lightgbm,
    catboost_json => \&write_catboost_json,
    onnx          => \&write_onnx,
);

sub forest_formats { return sort keys %writers }

# Thresholds and leaves are of one digit, which takes the most memory for each byte.
my $is_compact = 0;

# Write a file of about that many bytes; returns the number of its trees.
sub write_forest
{
    my ($format, $bytes, $path, %options) = @_;
    $is_compact = $options{compact} // 0;
    my $writer = $writers{$format} or die "no format $format\n";
    srand(1);
    open(my $out, '>:raw', $path) or die "$path: $!\n";
    my $trees = $writer->($out, $bytes);
    close($out) or die "$path: $!\n";
    return $trees;
}

sub numbers
{
    my ($count) = @_;
    return map { $is_compact ? int(rand(10)) : sprintf('%.9g', rand(2) - 1) } 1 .. $count;
}
sub doubles
{
    my ($count) = @_;
    return map { $is_compact ? int(rand(10)) : sprintf('%.17g', rand(2) - 1) } 1 .. $count;
}
sub features { my ($count) = @_; return map { int(rand($FEATURES)) } 1 .. $count }

# Nodes in the order of their depth: the children of i are 2 i + 1 and 2 i + 2.
sub children
{
    my ($which) = @_;
    return map { $_ < $SPLITS ? 2 * $_ + $which : -1 } 0 .. $NODES - 1;
}
sub parents { return (2147483647, map { int(($_ - 1) / 2) } 1 .. $NODES - 1) }

# How many trees of the sizes of @$kinds, in turn, make up the bytes.
sub trees_for
{
    my ($bytes, @sizes) = @_;
    my ($total, $trees) = (0, 0);
    while ($total < $bytes || $trees == 0)
    {
        $total += $sizes[ $trees % @sizes ];
        $trees++;
    }
    return $trees;
}

sub xgboost_tail
{
    return
        '"learner_model_param":{"base_score":"0.5","boost_from_average":"1","num_class":"0","num_feature":"'
      . $FEATURES
      . '","num_target":"1"},"objective":{"name":"reg:squarederror","reg_loss_param":{"scale_pos_weight":"1"}}},"version":[3,0,0]}';
}

sub write_xgboost_json
{
    my ($out, $bytes) = @_;
    my $left    = join(',', children(1));
    my $right   = join(',', children(2));
    my $parents = join(',', parents());
    my $zeros   = join(',', (0) x $NODES);
    my @kinds   = map {
        my $split   = join(',', numbers($NODES));
        my $index   = join(',', features($SPLITS), (0) x ($SPLITS + 1));
        my $gains   = join(',', numbers($NODES));
        my $weights = join(',', numbers($NODES));
            qq("base_weights":[$weights],"categories":[],"categories_nodes":[],"categories_segments":[],)
          . qq("categories_sizes":[],"default_left":[$zeros],"left_children":[$left],"loss_changes":[$gains],)
          . qq("parents":[$parents],"right_children":[$right],"split_conditions":[$split],"split_indices":[$index],)
          . qq("split_type":[$zeros],"sum_hessian":[$gains],"tree_param":{"num_deleted":"0","num_feature":"$FEATURES",)
          . qq("num_nodes":"$NODES","size_leaf_vector":"1"}})
    } 1 .. $KINDS;
    my $trees = trees_for($bytes, map { length } @kinds);
    print $out qq({"learner":{"attributes":{},"feature_names":[],"feature_types":[],"gradient_booster":{"model":)
      . qq({"gbtree_model_param":{"num_parallel_tree":"1","num_trees":"$trees"},"tree_info":[)
      . join(',', (0) x $trees) . '],"trees":[';
    print $out ($_ > 0 ? ',' : ''), qq({"id":$_,), $kinds[ $_ % $KINDS ] for 0 .. $trees - 1;
    print $out ']},"name":"gbtree"},', xgboost_tail();
    return $trees;
}

# The part of UBJSON that XGBoost writes: keys, strings and typed arrays.
sub ubj_key { my ($key) = @_; return pack('a1 Q>/a*', 'L', $key) }
sub ubj_text { my ($key, $text) = @_; return ubj_key($key) . 'S' . ubj_key($text) }
sub ubj_array
{
    my ($key, $type, $template, @numbers) = @_;
    return ubj_key($key) . "[\$$type#L" . pack('Q>', scalar(@numbers)) . pack("$template*", @numbers);
}

sub write_xgboost_ubj
{
    my ($out, $bytes) = @_;
    my $same = ubj_array('left_children', 'l', 'l>', children(1)) . ubj_array('right_children', 'l', 'l>', children(2))
      . ubj_array('parents',      'l', 'l>', parents()) . ubj_array('default_left', 'U', 'C', (0) x $NODES)
      . ubj_array('split_type',   'U', 'C', (0) x $NODES) . ubj_array('categories', 'l', 'l>')
      . ubj_array('categories_nodes', 'l', 'l>') . ubj_array('categories_segments', 'L', 'q>')
      . ubj_array('categories_sizes', 'L', 'q>')
      . ubj_key('tree_param') . '{' . ubj_text('num_deleted', 0) . ubj_text('num_feature', $FEATURES)
      . ubj_text('num_nodes', $NODES) . ubj_text('size_leaf_vector', 1) . '}';
    my @kinds = map {
            ubj_array('base_weights', 'd', 'f>', numbers($NODES)) . ubj_array('loss_changes', 'd', 'f>', numbers($NODES))
          . ubj_array('split_conditions', 'd', 'f>', numbers($NODES)) . ubj_array('sum_hessian', 'd', 'f>', numbers($NODES))
          . ubj_array('split_indices', 'l', 'l>', features($SPLITS), (0) x ($SPLITS + 1)) . $same . '}'
    } 1 .. $KINDS;
    my $trees = trees_for($bytes, map { length } @kinds);
    print $out '{', ubj_key('learner'), '{', ubj_key('attributes'), '{}', ubj_key('feature_names'), '[]',
      ubj_key('feature_types'), '[]', ubj_key('gradient_booster'), '{', ubj_key('model'), '{',
      ubj_key('gbtree_model_param'), '{', ubj_text('num_parallel_tree', 1), ubj_text('num_trees', $trees), '}',
      ubj_array('tree_info', 'l', 'l>', (0) x $trees), ubj_key('trees'), '[#L', pack('Q>', $trees);
    print $out '{', ubj_key('id'), 'l', pack('l>', $_), $kinds[ $_ % $KINDS ] for 0 .. $trees - 1;
    print $out '}', ubj_text('name', 'gbtree'), '}', ubj_key('learner_model_param'), '{',
      ubj_text('base_score', '0.5'), ubj_text('boost_from_average', 1), ubj_text('num_class', 0),
      ubj_text('num_feature', $FEATURES), ubj_text('num_target', 1), '}', ubj_key('objective'), '{',
      ubj_text('name', 'reg:squarederror'), '}}', ubj_array('version', 'i', 'c', 3, 0, 0), '}';
    return $trees;
}

sub write_lightgbm
{
    my ($out, $bytes) = @_;
    my $leaves = $SPLITS + 1;
    my @left   = map { $_ < $SPLITS ? $_ : $SPLITS - 1 - $_ } grep { $_ > 0 } (children(1))[ 0 .. $SPLITS - 1 ];
    my @right  = map { $_ < $SPLITS ? $_ : $SPLITS - 1 - $_ } grep { $_ > 0 } (children(2))[ 0 .. $SPLITS - 1 ];
    my @kinds  = map {
        "num_leaves=$leaves\nnum_cat=0\n" . join("\n",
            'split_feature=' . join(' ', features($SPLITS)),
            'split_gain=' . join(' ', numbers($SPLITS)),
            'threshold=' . join(' ', doubles($SPLITS)),
            'decision_type=' . join(' ', (2) x $SPLITS),
            "left_child=@left",
            "right_child=@right",
            'leaf_value=' . join(' ', doubles($leaves)),
            'leaf_weight=' . join(' ', (20) x $leaves),
            'leaf_count=' . join(' ', (20) x $leaves),
            'internal_value=' . join(' ', (0) x $SPLITS),
            'internal_weight=' . join(' ', (0) x $SPLITS),
            'internal_count=' . join(' ', (40) x $SPLITS),
            'is_linear=0', 'shrinkage=0.1') . "\n\n\n"
    } 1 .. $KINDS;
    my $trees = trees_for($bytes, map { length } @kinds);
    print $out "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=", $FEATURES - 1,
      "\nobjective=regression\nfeature_names=", join(' ', map { "f$_" } 0 .. $FEATURES - 1), "\nfeature_infos=",
      join(' ', ('none') x $FEATURES), "\n\n";
    print $out "Tree=$_\n", $kinds[ $_ % $KINDS ] for 0 .. $trees - 1;
    print $out "end of trees\n\nparameters:\nend of parameters\n\npandas_categorical:null\n";
    return $trees;
}

sub write_catboost_json
{
    my ($out, $bytes) = @_;
    my @kinds = map {
            '{"leaf_values":[' . join(',', numbers(2**$DEPTH)) . '],"leaf_weights":[' . join(',', (1) x 2**$DEPTH)
          . '],"splits":['
          . join(',', map {
                my ($border) = numbers(1);
                my ($feature) = features(1);
                qq({"border":$border,"float_feature_index":$feature,"split_index":$_,"split_type":"FloatFeature"})
            } 1 .. $DEPTH)
          . ']}'
    } 1 .. $KINDS;
    my $trees = trees_for($bytes, map { length } @kinds);
    print $out '{"features_info":{"float_features":[', join(',', map {
            qq({"borders":[0],"feature_id":"f$_","feature_index":$_,"flat_feature_index":$_,"has_nans":false,)
          . '"nan_value_treatment":"AsIs"}'
        } 0 .. $FEATURES - 1),
      ']},"model_info":{"params":{"loss_function":{"params":{},"type":"RMSE"}}},"oblivious_trees":[';
    print $out ($_ > 0 ? ',' : ''), $kinds[ $_ % $KINDS ] for 0 .. $trees - 1;
    print $out '],"scale_and_bias":[1,[0]]}';
    return $trees;
}

# Fields of protocol buffers
sub pb_varint
{
    my ($number) = @_;
    my $bytes = '';
    for (; $number > 127; $number >>= 7) { $bytes .= chr($number & 127 | 128) }
    return $bytes . chr($number);
}
sub pb_bytes { my ($field, $bytes) = @_; return pb_varint($field << 3 | 2) . pb_varint(length($bytes)) . $bytes }
sub pb_int { my ($field, $number) = @_; return pb_varint($field << 3) . pb_varint($number) }

# The body of a packed attribute: type 7 is INTS in field 8, 6 FLOATS in 7, 8 STRINGS in 9.
sub pb_attribute
{
    my ($name, $type, $body) = @_;
    $body = pb_bytes($type == 7 ? 8 : 7, $body) if $type != 8;
    return pb_bytes(5, pb_bytes(1, $name) . $body . pb_int(20, $type));
}

sub pb_tensor_type
{
    my ($name, @dims) = @_;
    my $shape = join('', map { pb_bytes(1, $_ ? pb_int(1, $_) : pb_bytes(2, 'N')) } @dims);
    return pb_bytes(1, $name) . pb_bytes(2, pb_bytes(1, pb_int(1, 1) . pb_bytes(2, $shape)));
}

sub write_onnx
{
    my ($out, $bytes) = @_;
    my $ints = sub { return join('', map { pb_varint($_) } @_) };
    my @leaves = $SPLITS .. $NODES - 1;
    my %same   = (
        nodes_nodeids      => $ints->(0 .. $NODES - 1),
        nodes_truenodeids  => $ints->(map { $_ < 0 ? 0 : $_ } children(1)),
        nodes_falsenodeids => $ints->(map { $_ < 0 ? 0 : $_ } children(2)),
        nodes_missing_value_tracks_true => $ints->((0) x $NODES),
        target_nodeids => $ints->(@leaves),
        target_ids     => $ints->((0) x @leaves),
    );
    my $modes    = pb_bytes(9, 'BRANCH_LEQ') x $SPLITS . pb_bytes(9, 'LEAF') x @leaves;
    my $per_tree = length($modes) + 8 * $NODES + 4 * @leaves + 2 * ($NODES + @leaves);
    $per_tree += length($_) for values %same;
    my $trees  = trees_for($bytes, $per_tree);
    my @values = map { pack('f<*', numbers($NODES)) } 1 .. $KINDS;
    my @index  = map { $ints->(features($SPLITS), (0) x @leaves) } 1 .. $KINDS;
    my @weight = map { pack('f<*', numbers(scalar @leaves)) } 1 .. $KINDS;
    my $each   = sub { my ($count) = @_; return join('', map { pb_varint($_) x $count } 0 .. $trees - 1) };
    my $cycle  = sub { my ($kinds) = @_; return join('', map { $kinds->[ $_ % $KINDS ] } 0 .. $trees - 1) };
    my $node   = pb_bytes(1, 'X') . pb_bytes(2, 'Y') . pb_bytes(4, 'TreeEnsembleRegressor') . pb_bytes(7, 'ai.onnx.ml')
      . pb_bytes(5, pb_bytes(1, 'n_targets') . pb_int(3, 1) . pb_int(20, 2));
    $node .= pb_attribute($_, 7, $same{$_} x $trees) for sort keys %same;
    $node .= pb_attribute('nodes_treeids',    7, $each->($NODES)) . pb_attribute('target_treeids', 7, $each->(scalar @leaves))
      . pb_attribute('nodes_featureids', 7, $cycle->(\@index)) . pb_attribute('nodes_values', 6, $cycle->(\@values))
      . pb_attribute('target_weights',   6, $cycle->(\@weight)) . pb_attribute('nodes_modes', 8, $modes x $trees);
    my $graph = pb_bytes(1, $node) . pb_bytes(2, 'forest')
      . pb_bytes(11, pb_tensor_type('X', 0, $FEATURES)) . pb_bytes(12, pb_tensor_type('Y', 0, 1));
    print $out pb_int(1, 8), pb_bytes(2, 'forest'), pb_bytes(8, pb_bytes(1, 'ai.onnx.ml') . pb_int(2, 3)),
      pb_bytes(8, pb_bytes(1, '') . pb_int(2, 17)), pb_bytes(7, $graph);
    return $trees;
}

1;
