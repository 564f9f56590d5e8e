/*
 * src/import/sp_onnx_nodes.c
 *
 * The operators of an ONNX graph: which are known, with which attributes.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

#define SP_ONNX_MAX_ATTRIBUTES 64

/* Names and attributes are lists with a space between two. */
typedef struct SpOnnxOperator
{
	const char *domain;
	const char *names;
	SpStatus	(*handler) (SpOnnx *onnx, const SpOnnx__NodeProto *node);
	const char *attributes;		/* of all names together */
} SpOnnxOperator;

#define SP_ONNX_TREE_ATTRIBUTES \
	"base_values base_values_as_tensor nodes_falsenodeids nodes_featureids nodes_hitrates " \
	"nodes_hitrates_as_tensor nodes_missing_value_tracks_true nodes_modes nodes_nodeids " \
	"nodes_treeids nodes_truenodeids nodes_values nodes_values_as_tensor post_transform "


static const SpOnnxOperator sp_onnx_operators[] = {
	{"", "Cast", sp_onnx_cast_node, "to saturate round_mode"},
	{"", "Identity", sp_onnx_identity, ""},
	{"", "Constant", sp_onnx_constant, "value value_int value_ints value_float value_floats value_string value_strings"},
	{"", "Dropout", sp_onnx_dropout, "ratio seed"},
	{"", "Add Sub Mul Div", sp_onnx_arithmetic, ""},
	{SP_ONNX_ML, "Scaler", sp_onnx_scaler, "offset scale"},
	{SP_ONNX_ML, "Normalizer", sp_onnx_normalizer, "norm"},
	{SP_ONNX_ML, "ZipMap", sp_onnx_zipmap, "classlabels_int64s classlabels_strings"},
	{SP_ONNX_ML, "LinearClassifier", sp_onnx_linear_classifier,
	"classlabels_ints classlabels_strings coefficients intercepts multi_class post_transform"},
	{SP_ONNX_ML, "LinearRegressor", sp_onnx_linear_regressor,
	"coefficients intercepts post_transform targets"},
	{SP_ONNX_ML, "TreeEnsembleClassifier", sp_onnx_tree_classifier,
		SP_ONNX_TREE_ATTRIBUTES
	"class_ids class_nodeids class_treeids class_weights class_weights_as_tensor classlabels_int64s classlabels_strings"},
	{SP_ONNX_ML, "TreeEnsembleRegressor", sp_onnx_tree_regressor,
		SP_ONNX_TREE_ATTRIBUTES
	"aggregate_function n_targets target_ids target_nodeids target_treeids target_weights target_weights_as_tensor"},
	{SP_ONNX_ML, "TreeEnsemble", sp_onnx_tree_ensemble,
		"aggregate_function leaf_targetids leaf_weights membership_values n_targets nodes_falseleafs nodes_falsenodeids "
		"nodes_featureids nodes_hitrates nodes_missing_value_tracks_true nodes_modes nodes_splits nodes_trueleafs "
	"nodes_truenodeids post_transform tree_roots"},
	{"", "Reshape", sp_onnx_reshape, "allowzero"}, {"", "Flatten", sp_onnx_flatten, "axis"},
	{"", "Squeeze", sp_onnx_squeeze, "axes"}, {"", "Unsqueeze", sp_onnx_unsqueeze, "axes"},
	{"", "Transpose", sp_onnx_transpose, "perm"}, {"", "Slice", sp_onnx_slice, "starts ends axes"},
	{"", "Split", sp_onnx_split, "axis split num_outputs"}, {"", "Gather", sp_onnx_gather, "axis"},
	{"", "GatherElements", sp_onnx_gather_elements, "axis"}, {"", "Concat", sp_onnx_concat, "axis"},
	{"", "SequenceConstruct", sp_onnx_sequence, ""}, {"", "OneHot", sp_onnx_choices, "axis"},
	{"", "Expand", sp_onnx_expand, ""}, {"", "Tile", sp_onnx_tile, ""}, {"", "Shape", sp_onnx_shape, "start end"},
	{"", "ConstantOfShape", sp_onnx_constant_of_shape, "value"}, {"", "Where", sp_onnx_where, ""},
	{"", "Clip", sp_onnx_clip, "min max"}, {"", "ArgMax ArgMin", sp_onnx_argument, "axis keepdims select_last_index"},
	{"", "TopK", sp_onnx_topk, "axis k largest sorted"}, {"", "Softmax LogSoftmax Hardmax", sp_onnx_softmax, "axis"},
	{"", "CumSum", sp_onnx_cumsum, "exclusive reverse"}, {"", "Compress", sp_onnx_compress, "axis"},
	{"", "CastLike", sp_onnx_cast_node, "saturate round_mode"}, {"", "Pad", sp_onnx_pad, "mode pads value"},
	{"", "Conv", sp_onnx_conv, "auto_pad dilations group kernel_shape pads strides"},
	{"", "MaxPool", sp_onnx_pool, "auto_pad ceil_mode dilations kernel_shape pads storage_order strides"},
	{"", "AveragePool", sp_onnx_pool, "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides"},
	{"", "GlobalAveragePool GlobalMaxPool", sp_onnx_global_pool, ""},
	{"", "LSTM", sp_onnx_recurrent, "activation_alpha activation_beta activations clip direction hidden_size input_forget layout"},
	{"", "GRU", sp_onnx_recurrent, "activation_alpha activation_beta activations clip direction hidden_size layout linear_before_reset"},
	{"", "RNN", sp_onnx_recurrent, "activation_alpha activation_beta activations clip direction hidden_size layout"},
	{"", "MatMul", sp_onnx_matmul, ""}, {"", "Gemm", sp_onnx_gemm, "alpha beta transA transB"},
	{"", "BatchNormalization", sp_onnx_batch_norm, "epsilon momentum training_mode"},
	{"", "LayerNormalization RMSNormalization", sp_onnx_layer_norm, "axis epsilon stash_type"},
	{"", "InstanceNormalization", sp_onnx_instance_norm, "epsilon"},
	{"", "GroupNormalization", sp_onnx_group_norm, "epsilon num_groups stash_type"},
	{"", "LpNormalization", sp_onnx_lp_norm, "axis p"},
	{"com.microsoft", "CDist", sp_onnx_distances, "metric"},
	{"", "Scan", sp_onnx_scan_node,
	"body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions"},
	{SP_ONNX_ML, "LabelEncoder", sp_onnx_label_encoder,
		"keys_int64s keys_floats keys_strings values_int64s values_floats values_strings default_int64 default_float "
	"default_string keys_tensor values_tensor default_tensor"},
	{SP_ONNX_ML, "OneHotEncoder", sp_onnx_one_hot, "cats_int64s cats_strings zeros"},
	{SP_ONNX_ML, "CategoryMapper", sp_onnx_category_mapper, "cats_int64s cats_strings default_int64 default_string"},
	{SP_ONNX_ML, "Imputer", sp_onnx_imputer,
	"imputed_value_floats imputed_value_int64s replaced_value_float replaced_value_int64"},
	{SP_ONNX_ML, "Binarizer", sp_onnx_binarizer, "threshold"},
	{SP_ONNX_ML, "FeatureVectorizer", sp_onnx_vectorizer, "inputdimensions"},
	{SP_ONNX_ML, "DictVectorizer", sp_onnx_dict_vectorizer, "int64_vocabulary string_vocabulary"},
	{SP_ONNX_ML, "ArrayFeatureExtractor", sp_onnx_extractor, ""},
	{SP_ONNX_ML, "SVMClassifier", sp_onnx_svm_classifier,
		"classlabels_ints classlabels_strings coefficients kernel_params kernel_type post_transform prob_a prob_b rho "
	"support_vectors vectors_per_class"},
	{SP_ONNX_ML, "SVMRegressor", sp_onnx_svm_regressor,
	"coefficients kernel_params kernel_type n_supports one_class post_transform rho support_vectors"},
	{"", "Pow Mod PRelu Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor", sp_onnx_elementwise, "fmod"},
	{"", "Max Min Sum Mean", sp_onnx_variadic, ""},
	{"", "Sigmoid Exp Sqrt Log Abs Neg Sign Relu Not IsNaN LeakyRelu Elu Selu Celu Tanh HardSigmoid HardSwish Swish Softplus "
		"Softsign Mish ThresholdedRelu Shrink Floor Ceil Round Erf Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh "
	"Acosh Atanh Gelu", sp_onnx_unary, "alpha beta gamma lambd bias approximate"},
	{"", "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp",
	sp_onnx_reduction, "axes keepdims noop_with_empty_axes"},
};

/* Of onnx 1.23, the release whose tests of operators test/parity runs. */
#define SP_ONNX_NEWEST_OPSET 28
#define SP_ONNX_NEWEST_ML_OPSET 5

static bool
sp_onnx_is_listed(SpStr name, const char *list)
{
	while (*list != '\0')
	{
		size_t		length = strcspn(list, " ");

		if (sp_str_eq(name, (SpStr) {list, length}))
			return true;
		list += length + (list[length] == ' ');
	}
	return false;
}

/* An attribute that we do not know could change what the operator does. */
static SpStatus
sp_onnx_check_attributes(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *known)
{
	char		shown[SP_PRINTABLE_SIZE];
	size_t		i;
	size_t		j;

	if (node->n_attribute > SP_ONNX_MAX_ATTRIBUTES)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%zu attributes are not supported", node->n_attribute);
	for (i = 0; i < node->n_attribute; i++)
	{
		SpStr		name = sp_onnx_str(node->attribute[i]->name);

		if (!sp_onnx_is_listed(name, known) || node->attribute[i]->ref_attr_name.len > 0)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "attribute \"%s\" is not supported",
								sp_printable(name, shown));
		for (j = 0; j < i; j++)
		{
			if (sp_str_eq(name, sp_onnx_str(node->attribute[j]->name)))
				return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "attribute %s comes twice",
									sp_printable(name, shown));
		}
	}
	return SP_OK;
}

/* What an operator does follows from its opset, which ends the file as converters write it. */
static SpStatus
sp_onnx_check_opset(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	bool		is_ml = sp_str_is(sp_onnx_str(node->domain), SP_ONNX_ML);
	int			newest = is_ml ? SP_ONNX_NEWEST_ML_OPSET : SP_ONNX_NEWEST_OPSET;
	int64_t		opset = sp_onnx_opset_of(onnx, node);

	if (opset < 1)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the file gives no opset for its domain");
	if (opset <= newest)
		return SP_OK;
	sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "opset %lld is newer than %d, the newest that is known",
				 (long long) opset, newest);
	return sp_fail_hint(onnx->cx, "Convert the model with an older one: target_opset of skl2onnx, opset_version of torch.onnx.");
}

SpStatus
sp_onnx_node(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpStr		domain = sp_onnx_str(node->domain);
	SpStr		name = sp_onnx_str(node->op_type);

	if (sp_str_is(domain, "ai.onnx"))
		domain.size = 0;
	if (name.size == 0)
		return sp_fail(onnx->cx, SP_ERR_FORMAT, "a node of the ONNX graph has no operator");
	for (size_t i = 0; i < sizeof(sp_onnx_operators) / sizeof(sp_onnx_operators[0]); i++)
	{
		const SpOnnxOperator *operator = &sp_onnx_operators[i];

		if (!sp_str_is(domain, operator->domain) || !sp_onnx_is_listed(name, operator->names))
			continue;
		SP_TRY(sp_onnx_check_opset(onnx, node));
		SP_TRY(sp_onnx_check_attributes(onnx, node, operator->attributes));
		return operator->handler(onnx, node);
	}
	sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "the operator is not supported");
	return sp_fail_hint(onnx->cx, "Supported are operators of ai.onnx and ai.onnx.ml that work row by row, "
						"without loops.");
}
