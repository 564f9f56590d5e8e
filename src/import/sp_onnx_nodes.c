/*
 * src/import/sp_onnx_nodes.c
 *
 * The operators of an ONNX graph: which are known, and those that only
 * prepare an estimator's input or pass its output on.
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

#define SP_ONNX_MAX_ATTRIBUTES 64

typedef struct SpOnnxOperator
{
	const char *domain;
	const char *name;
	SpStatus	(*handler) (SpOnnx *onnx, const SpOnnx__NodeProto *node);
	const char *attributes;		/* known names, each followed by a space */
} SpOnnxOperator;

static SpStatus
sp_onnx_cast_node(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *input;
	const SpOnnxValue *like;
	SpOnnxValue value;
	int64_t		to;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	if (sp_str_is(sp_onnx_str(node->op_type), "CastLike"))
	{
		SP_TRY(sp_onnx_input(onnx, node, 1, &like));
		to = like->elem;
	}
	else
		SP_TRY(sp_onnx_attribute_int(onnx, node, "to", 0, &to));
	/* converters cast labels to the type that they have */
	if (input->kind == SP_ONNX_LABEL && to == (input->label_type == SP_TYPE_I64 ? SP_ONNX_INT64 : SP_ONNX_STRING))
		return sp_onnx_define_output(onnx, node, 0, *input);
	if (input->kind == SP_ONNX_SCORES && to == input->elem)
		return sp_onnx_define_output(onnx, node, 0, *input);
	SP_TRY(sp_onnx_loose(onnx, node, 0, &value));
	if (to < 0 || to > SP_ONNX_UINT64)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "casting to the type %lld is not supported", (long long) to);
	SP_TRY(sp_onnx_convert(onnx, node, value, (int32_t) to, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

static SpStatus
sp_onnx_identity(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *input;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	return sp_onnx_define_output(onnx, node, 0, *input);
}

/* Nothing happens at inference; what the optional third input says must be that. */
static SpStatus
sp_onnx_dropout(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue training;

	if (sp_onnx_has_input(node, 2))
	{
		SP_TRY(sp_onnx_fixed(onnx, node, 2, &training));
		if (training.list.count != 1 || training.list.numbers == NULL || training.list.numbers[0] != 0)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "training is not supported");
	}
	return sp_onnx_identity(onnx, node);
}

static SpStatus
sp_onnx_constant(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	static const char *const names[] = {"value_ints", "value_floats", "value_strings", "value_int", "value_float", "value_string"};
	SpOnnxValue value = SP_ONNX_NONE;
	const SpOnnx__AttributeProto *found = NULL;
	size_t		which = 0;

	for (; which < 6 && node->n_attribute == 1; which++)
		if (sp_str_is(sp_onnx_str(node->attribute[0]->name), names[which]))
			break;
	if (node->n_attribute != 1)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there is no value");
	found = node->attribute[0];
	if (which == 6)
	{
		SP_TRY(sp_onnx_attribute(onnx, node, "value", SP_ONNX_ATTR_TENSOR, &found));
		if (found == NULL || found->t == NULL)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there is no value");
		SP_TRY(sp_onnx_define_tensor(onnx, found->t, &value));
		return sp_onnx_define_output(onnx, node, 0, value);
	}
	value = sp_onnx_scalar(onnx, which % 3 == 0 ? SP_ONNX_INT64 : SP_ONNX_FLOAT, which == 3 ? (double) found->i : found->f);
	if (which == 2 || which == 5)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "strings are not supported");
	if (which < 2)
	{
		value.rank = 1;
		value.list.count = which == 0 ? found->n_ints : found->n_floats;
		value.dims[0] = (int64_t) value.list.count;
		SP_TRY(sp_onnx_memory(onnx, value.list.count, sizeof(double), (void **) &value.list.numbers));
		for (size_t at = 0; at < value.list.count; at++)
			value.list.numbers[at] = which == 0 ? (double) found->ints[at] : found->floats[at];
	}
	return sp_onnx_define_output(onnx, node, 0, value);
}

/*
 * A constant as one number for each column: a scalar, or a row of the width
 * of the value.  *row is NULL for other shapes.
 */
static SpStatus
sp_onnx_constant_row(SpOnnx *onnx, const SpOnnxValue *constant, SpValue value, uint32_t rank, double **row)
{
	size_t		count = constant->list.count;
	void	   *memory;

	*row = NULL;
	if (constant->row_axis >= 0 || constant->rank > rank || constant->list.numbers == NULL ||
		(count != 1 && (count != value.width || rank != 2 || constant->dims[constant->rank - 1] != value.width)))
		return SP_OK;
	SP_TRY(sp_alloc_array(onnx->cx, value.width, sizeof(double), &memory));
	*row = memory;
	for (uint32_t i = 0; i < value.width; i++)
	{
		(*row)[i] = constant->list.numbers[count == 1 ? 0 : i];
		if (!isfinite((*row)[i]))
			*row = NULL;
		if (*row == NULL)
			break;
	}
	return SP_OK;
}

/* A power of two: dividing by it is multiplying with its inverse, exactly. */
static bool
sp_onnx_has_exact_inverse(double number)
{
	int			exponent;

	return isfinite(number) && number != 0 && fabs(frexp(number, &exponent)) == 0.5 &&
		exponent > -100 && exponent < 100;
}

/*
 * value op constant, or constant op value, as (value - offset) * scale.  Each
 * is one rounding of the same exact result, so the numbers stay equal.
 */
static bool
sp_onnx_as_scale(SpStr operation, bool constant_first, uint32_t width, double *offset, double *scale)
{
	for (uint32_t i = 0; i < width; i++)
	{
		double		constant = scale[i];

		offset[i] = 0;
		if (sp_str_is(operation, "Mul"))
			continue;
		scale[i] = 1;
		if (sp_str_is(operation, "Add"))
			offset[i] = -constant;
		else if (sp_str_is(operation, "Sub"))
		{
			offset[i] = constant;
			scale[i] = constant_first ? -1 : 1;
		}
		else if (!constant_first && sp_onnx_has_exact_inverse(constant))
			scale[i] = 1 / constant;
		else
			return false;
	}
	return true;
}

static bool
sp_onnx_changes_nothing(const double *offset, const double *scale, uint32_t width)
{
	uint32_t	i;

	for (i = 0; i < width; i++)
	{
		if (offset[i] != 0 || scale[i] != 1)
			return false;
	}
	return true;
}

/* A value and a constant are a scaling; anything else is worked out element by element. */
static SpStatus
sp_onnx_arithmetic(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *a;
	const SpOnnxValue *b;
	SpOnnxValue output;
	SpValue		value;
	double	   *offset;
	double	   *scale = NULL;
	bool		constant_first;

	SP_TRY(sp_onnx_input(onnx, node, 0, &a));
	SP_TRY(sp_onnx_input(onnx, node, 1, &b));
	constant_first = a->kind == SP_ONNX_CONSTANT;
	output = constant_first ? *b : *a;
	if (constant_first == (b->kind == SP_ONNX_CONSTANT) || output.kind != SP_ONNX_NUMBERS || !sp_onnx_is_float(output.elem) ||
		a->elem != b->elem || output.domain || output.row_axis != 0 || output.dims[0] != 1)
		return sp_onnx_elementwise(onnx, node);
	value = sp_builder_value(onnx->builder, output.value);
	SP_TRY(sp_onnx_constant_row(onnx, constant_first ? a : b, value, output.rank, &scale));
	SP_TRY(sp_onnx_memory(onnx, value.width, sizeof(double), (void **) &offset));
	if (scale == NULL || !sp_onnx_as_scale(sp_onnx_str(node->op_type), constant_first, value.width, offset, scale))
		return sp_onnx_elementwise(onnx, node);
	if (!sp_onnx_changes_nothing(offset, scale, value.width))
	{
		output.is_probability = false;
		SP_TRY(sp_builder_scale(onnx->builder, output.value, offset, scale, &output.value));
	}
	return sp_onnx_define_output(onnx, node, 0, output);
}

/* onnxruntime/core/providers/cpu/ml/scaler.cc: computes in the input's type, gives floats */
static SpStatus
sp_onnx_scaler(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue output;
	double	   *rows[2];
	size_t		counts[2];
	SpValue		value;
	void	   *memory;
	int			i;

	SP_TRY(sp_onnx_operand(onnx, node, 0, &output));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "offset", NULL, &rows[0], &counts[0]));
	SP_TRY(sp_onnx_attribute_numbers(onnx, node, "scale", NULL, &rows[1], &counts[1]));
	if (sp_builder_value(onnx->builder, output.value).type == SP_TYPE_I64)
		SP_TRY(sp_onnx_cast(onnx, output.value, SP_TYPE_F32, &output.value));
	value = sp_builder_value(onnx->builder, output.value);
	if (counts[0] != counts[1] || (counts[0] != 1 && counts[0] != value.width))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu offsets and %zu scales for %u features",
							counts[0], counts[1], value.width);
	for (i = 0; i < 2 && counts[i] != value.width; i++)
	{
		double	   *row;
		uint32_t	column;

		SP_TRY(sp_alloc_array(onnx->cx, value.width, sizeof(double), &memory));
		row = memory;
		for (column = 0; column < value.width; column++)
			row[column] = rows[i][0];
		rows[i] = row;
	}
	SP_TRY(sp_builder_scale(onnx->builder, output.value, rows[0], rows[1], &output.value));
	SP_TRY(sp_onnx_cast(onnx, output.value, SP_TYPE_F32, &output.value));
	output.elem = SP_ONNX_FLOAT;
	return sp_onnx_define_output(onnx, node, 0, output);
}

/* onnxruntime/core/providers/cpu/ml/normalizer.cc: computes in float */
static SpStatus
sp_onnx_normalizer(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *input;
	SpOnnxValue output;
	SpStr		text;
	SpNorm		norm;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	SP_TRY(sp_onnx_attribute_text(onnx, node, "norm", "MAX", &text));
	if (sp_str_is(text, "MAX"))
		norm = SP_NORM_MAX;
	else if (sp_str_is(text, "L1"))
		norm = SP_NORM_L1;
	else if (sp_str_is(text, "L2"))
		norm = SP_NORM_L2;
	else
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the norm is not MAX, L1 or L2");
	output = *input;
	if (input->kind != SP_ONNX_SCORES || sp_onnx_width(input) == 1)
		SP_TRY(sp_onnx_operand(onnx, node, 0, &output));
	output.elem = SP_ONNX_FLOAT;

	/* squares are taken before the numbers are rounded to float */
	if (norm == SP_NORM_L2 && sp_builder_value(onnx->builder, output.value).type != SP_TYPE_F32)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "norm L2 of other types than float is not supported");
	SP_TRY(sp_onnx_cast(onnx, output.value, SP_TYPE_F32, &output.value));
	SP_TRY(sp_builder_normalize(onnx->builder, output.value, norm, &output.value));
	return sp_onnx_define_output(onnx, node, 0, output);
}

/* Our outputs are named by label anyway. */
static SpStatus
sp_onnx_zipmap(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *input;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	if (input->kind != SP_ONNX_NUMBERS && input->kind != SP_ONNX_SCORES)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not a classifier's scores is not supported");
	SP_TRY(sp_onnx_same_labels(onnx, node, input->kind == SP_ONNX_SCORES));
	return sp_onnx_define_output(onnx, node, 0, *input);
}

#define SP_ONNX_TREE_ATTRIBUTES \
	"base_values base_values_as_tensor nodes_falsenodeids nodes_featureids nodes_hitrates " \
	"nodes_hitrates_as_tensor nodes_missing_value_tracks_true nodes_modes nodes_nodeids " \
	"nodes_treeids nodes_truenodeids nodes_values nodes_values_as_tensor post_transform "

#define SP_ONNX_ML "ai.onnx.ml"

static const SpOnnxOperator sp_onnx_operators[] = {
	{"", "Cast", sp_onnx_cast_node, "to saturate round_mode "},
	{"", "Identity", sp_onnx_identity, ""},
	{"", "Constant", sp_onnx_constant, "value value_int value_ints value_float value_floats value_string value_strings "},
	{"", "Dropout", sp_onnx_dropout, "ratio seed "},
	{"", "Add", sp_onnx_arithmetic, ""},
	{"", "Sub", sp_onnx_arithmetic, ""},
	{"", "Mul", sp_onnx_arithmetic, ""},
	{"", "Div", sp_onnx_arithmetic, ""},
	{SP_ONNX_ML, "Scaler", sp_onnx_scaler, "offset scale "},
	{SP_ONNX_ML, "Normalizer", sp_onnx_normalizer, "norm "},
	{SP_ONNX_ML, "ZipMap", sp_onnx_zipmap, "classlabels_int64s classlabels_strings "},
	{SP_ONNX_ML, "LinearClassifier", sp_onnx_linear_classifier,
	"classlabels_ints classlabels_strings coefficients intercepts multi_class post_transform "},
	{SP_ONNX_ML, "LinearRegressor", sp_onnx_linear_regressor,
	"coefficients intercepts post_transform targets "},
	{SP_ONNX_ML, "TreeEnsembleClassifier", sp_onnx_tree_classifier,
		SP_ONNX_TREE_ATTRIBUTES
	"class_ids class_nodeids class_treeids class_weights class_weights_as_tensor classlabels_int64s classlabels_strings "},
	{SP_ONNX_ML, "TreeEnsembleRegressor", sp_onnx_tree_regressor,
		SP_ONNX_TREE_ATTRIBUTES
	"aggregate_function n_targets target_ids target_nodeids target_treeids target_weights target_weights_as_tensor "},
	{SP_ONNX_ML, "TreeEnsemble", sp_onnx_tree_ensemble,
		"aggregate_function leaf_targetids leaf_weights membership_values n_targets nodes_falseleafs nodes_falsenodeids "
		"nodes_featureids nodes_hitrates nodes_missing_value_tracks_true nodes_modes nodes_splits nodes_trueleafs "
	"nodes_truenodeids post_transform tree_roots "},
};

/* Operators of tensors, with the attributes they may have. */
static const SpOnnxOperator sp_onnx_tensor_operators[] = {
	{"", "Reshape", sp_onnx_reshape, "allowzero "}, {"", "Flatten", sp_onnx_flatten, "axis "},
	{"", "Squeeze", sp_onnx_squeeze, "axes "}, {"", "Unsqueeze", sp_onnx_unsqueeze, "axes "},
	{"", "Transpose", sp_onnx_transpose, "perm "}, {"", "Slice", sp_onnx_slice, "starts ends axes "},
	{"", "Split", sp_onnx_split, "axis split num_outputs "}, {"", "Gather", sp_onnx_gather, "axis "},
	{"", "GatherElements", sp_onnx_gather_elements, "axis "}, {"", "Concat", sp_onnx_concat, "axis "},
	{"", "SequenceConstruct", sp_onnx_sequence, ""}, {"", "OneHot", sp_onnx_choices, "axis "},
	{"", "Expand", sp_onnx_expand, ""}, {"", "Tile", sp_onnx_tile, ""}, {"", "Shape", sp_onnx_shape, "start end "},
	{"", "ConstantOfShape", sp_onnx_constant_of_shape, "value "}, {"", "Where", sp_onnx_where, ""},
	{"", "Clip", sp_onnx_clip, "min max "}, {"", "ArgMax", sp_onnx_argument, "axis keepdims select_last_index "},
	{"", "ArgMin", sp_onnx_argument, "axis keepdims select_last_index "}, {"", "TopK", sp_onnx_topk, "axis k largest sorted "},
	{"", "Softmax", sp_onnx_softmax, "axis "}, {"", "LogSoftmax", sp_onnx_softmax, "axis "},
	{"", "Hardmax", sp_onnx_softmax, "axis "}, {"", "CumSum", sp_onnx_cumsum, "exclusive reverse "},
	{"", "Conv", sp_onnx_conv, "auto_pad dilations group kernel_shape pads strides "},
	{"", "MaxPool", sp_onnx_pool, "auto_pad ceil_mode dilations kernel_shape pads storage_order strides "},
	{"", "AveragePool", sp_onnx_pool, "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides "},
	{"", "GlobalAveragePool", sp_onnx_global_pool, ""}, {"", "GlobalMaxPool", sp_onnx_global_pool, ""},
	{"", "LSTM", sp_onnx_recurrent, "activation_alpha activation_beta activations clip direction hidden_size input_forget layout "},
	{"", "GRU", sp_onnx_recurrent, "activation_alpha activation_beta activations clip direction hidden_size layout linear_before_reset "},
	{"", "RNN", sp_onnx_recurrent, "activation_alpha activation_beta activations clip direction hidden_size layout "},
	{"", "MatMul", sp_onnx_matmul, ""}, {"", "Gemm", sp_onnx_gemm, "alpha beta transA transB "},
	{"", "BatchNormalization", sp_onnx_batch_norm, "epsilon momentum training_mode "},
	{"", "LayerNormalization", sp_onnx_layer_norm, "axis epsilon stash_type "},
	{"", "InstanceNormalization", sp_onnx_instance_norm, "epsilon "},
	{"", "GroupNormalization", sp_onnx_group_norm, "epsilon num_groups stash_type "},
	{"", "LpNormalization", sp_onnx_lp_norm, "axis p "}, {"", "Pad", sp_onnx_pad, "mode pads value "},
	{"", "Compress", sp_onnx_compress, "axis "}, {"", "CastLike", sp_onnx_cast_node, "saturate round_mode "},
	{"", "RMSNormalization", sp_onnx_layer_norm, "axis epsilon stash_type "},
	{"com.microsoft", "CDist", sp_onnx_distances, "metric "},
	{"", "Scan", sp_onnx_scan_node,
	"body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions "},
	{SP_ONNX_ML, "LabelEncoder", sp_onnx_label_encoder,
		"keys_int64s keys_floats keys_strings values_int64s values_floats values_strings default_int64 default_float "
	"default_string keys_tensor values_tensor default_tensor "},
	{SP_ONNX_ML, "OneHotEncoder", sp_onnx_one_hot, "cats_int64s cats_strings zeros "},
	{SP_ONNX_ML, "CategoryMapper", sp_onnx_category_mapper, "cats_int64s cats_strings default_int64 default_string "},
	{SP_ONNX_ML, "Imputer", sp_onnx_imputer,
	"imputed_value_floats imputed_value_int64s replaced_value_float replaced_value_int64 "},
	{SP_ONNX_ML, "Binarizer", sp_onnx_binarizer, "threshold "},
	{SP_ONNX_ML, "FeatureVectorizer", sp_onnx_vectorizer, "inputdimensions "},
	{SP_ONNX_ML, "DictVectorizer", sp_onnx_dict_vectorizer, "int64_vocabulary string_vocabulary "},
	{SP_ONNX_ML, "ArrayFeatureExtractor", sp_onnx_extractor, ""},
	{SP_ONNX_ML, "SVMClassifier", sp_onnx_svm_classifier,
		"classlabels_ints classlabels_strings coefficients kernel_params kernel_type post_transform prob_a prob_b rho "
	"support_vectors vectors_per_class "},
	{SP_ONNX_ML, "SVMRegressor", sp_onnx_svm_regressor,
	"coefficients kernel_params kernel_type n_supports one_class post_transform rho support_vectors "},
};

/* Families with one handler each; their attributes are those of the whole family. */
typedef struct SpOnnxFamily
{
	const char *names;
	SpStatus	(*handler) (SpOnnx *onnx, const SpOnnx__NodeProto *node);
	const char *attributes;
} SpOnnxFamily;

static const SpOnnxFamily sp_onnx_families[] = {
	{"Pow Mod PRelu Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor ", sp_onnx_elementwise, "fmod "},
	{"Max Min Sum Mean ", sp_onnx_variadic, ""},
	{"Sigmoid Exp Sqrt Log Abs Neg Sign Relu Not IsNaN LeakyRelu Elu Selu Celu Tanh HardSigmoid HardSwish Swish Softplus "
		"Softsign Mish ThresholdedRelu Shrink Floor Ceil Round Erf Reciprocal Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh "
	"Acosh Atanh Gelu ", sp_onnx_unary, "alpha beta gamma lambd bias approximate "},
	{"ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp ",
	sp_onnx_reduction, "axes keepdims noop_with_empty_axes "},
};

static bool
sp_onnx_is_listed(SpStr name, const char *list)
{
	while (*list != '\0')
	{
		size_t		length = strcspn(list, " ");

		if (sp_str_eq(name, (SpStr) {list, length}))
			return true;
		list += length + 1;
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

/* Find an operator in a list. */
static const SpOnnxOperator *
sp_onnx_find_operator(const SpOnnxOperator *operators, size_t count, SpStr domain, SpStr name)
{
	for (size_t i = 0; i < count; i++)
		if (sp_str_is(name, operators[i].name) && sp_str_is(domain, operators[i].domain))
			return &operators[i];
	return NULL;
}

#define SP_ONNX_FIND(operators, domain, name) \
	sp_onnx_find_operator((operators), sizeof(operators) / sizeof((operators)[0]), (domain), (name))

SpStatus
sp_onnx_node(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpStr		domain = sp_onnx_str(node->domain);
	SpStr		name = sp_onnx_str(node->op_type);
	const SpOnnxOperator *operator;

	if (sp_str_is(domain, "ai.onnx"))
		domain.size = 0;
	operator = SP_ONNX_FIND(sp_onnx_operators, domain, name);
	if (operator == NULL)
		operator = SP_ONNX_FIND(sp_onnx_tensor_operators, domain, name);
	if (operator)
	{
		SP_TRY(sp_onnx_check_attributes(onnx, node, operator->attributes));
		return operator->handler(onnx, node);
	}
	for (size_t i = 0; domain.size == 0 && i < sizeof(sp_onnx_families) / sizeof(sp_onnx_families[0]); i++)
		if (sp_onnx_is_listed(name, sp_onnx_families[i].names))
		{
			SP_TRY(sp_onnx_check_attributes(onnx, node, sp_onnx_families[i].attributes));
			return sp_onnx_families[i].handler(onnx, node);
		}
	sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "the operator is not supported");
	return sp_fail_hint(onnx->cx, "Supported are operators of ai.onnx and ai.onnx.ml that work row by row, "
						"without loops.");
}
