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
	SpOnnxValue output;
	int64_t		to;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "to", 0, &to));
	output = *input;
	if (input->kind == SP_ONNX_LABEL)
	{
		/* converters cast labels to the type that they have */
		if (to != (onnx->label_type == SP_TYPE_I64 ? SP_ONNX_INT64 : SP_ONNX_STRING))
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "casting labels to the type %lld is not supported",
								(long long) to);
		return sp_onnx_define_output(onnx, node, 0, output);
	}
	if (input->kind == SP_ONNX_CONSTANT || (to != SP_ONNX_FLOAT && to != SP_ONNX_DOUBLE))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "casting to the type %lld is not supported",
							(long long) to);
	SP_TRY(sp_onnx_cast(onnx, input->value, to == SP_ONNX_FLOAT ? SP_TYPE_F32 : SP_TYPE_F64,
						&output.value));
	return sp_onnx_define_output(onnx, node, 0, output);
}

static SpStatus
sp_onnx_identity(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *input;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	return sp_onnx_define_output(onnx, node, 0, *input);
}

static SpStatus
sp_onnx_constant(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnx__AttributeProto *attribute;
	SpOnnxValue value = {.kind = SP_ONNX_CONSTANT};

	SP_TRY(sp_onnx_attribute(onnx, node, "value", SP_ONNX_ATTR_TENSOR, &attribute));
	if (attribute == NULL || attribute->t == NULL)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there is no value");
	value.tensor = attribute->t;
	return sp_onnx_define_output(onnx, node, 0, value);
}

/*
 * A constant as one number for each column: a scalar, or a row of the width
 * of the value.  Other shapes would change the value's.
 */
static SpStatus
sp_onnx_constant_row(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnx__TensorProto *tensor,
					 SpValue value, double **row)
{
	double	   *numbers;
	size_t		count;
	void	   *memory;
	uint32_t	i;

	if (tensor->data_type != (value.type == SP_TYPE_F32 ? SP_ONNX_FLOAT : SP_ONNX_DOUBLE))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "operands of different types are not supported");
	SP_TRY(sp_onnx_tensor_numbers(onnx, node, tensor, &numbers, &count));
	if (tensor->n_dims > 2 || (tensor->n_dims == 2 && tensor->dims[0] != 1) ||
		(count != 1 && count != value.width))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED,
							"a constant of %zu elements with a value of %u columns is not supported",
							count, value.width);
	if (count == value.width)
	{
		*row = numbers;
		return SP_OK;
	}
	SP_TRY(sp_alloc_array(onnx->cx, value.width, sizeof(double), &memory));
	*row = memory;
	for (i = 0; i < value.width; i++)
		(*row)[i] = numbers[0];
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
static SpStatus
sp_onnx_as_scale(SpOnnx *onnx, const SpOnnx__NodeProto *node, bool constant_first, uint32_t width,
				 double *offset, double *scale)
{
	SpStr		operation = sp_onnx_str(node->op_type);
	uint32_t	i;

	for (i = 0; i < width; i++)
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
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "dividing by numbers other than powers of two is not supported");
	}
	return SP_OK;
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

static SpStatus
sp_onnx_arithmetic(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *a;
	const SpOnnxValue *b;
	SpOnnxValue output;
	SpValue		value;
	double	   *offset;
	double	   *scale = NULL;
	void	   *memory;
	bool		constant_first;

	SP_TRY(sp_onnx_input(onnx, node, 0, &a));
	SP_TRY(sp_onnx_input(onnx, node, 1, &b));
	constant_first = a->kind == SP_ONNX_CONSTANT;
	if (constant_first == (b->kind == SP_ONNX_CONSTANT))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "only a value and a constant are supported as operands");
	output = constant_first ? *b : *a;
	value = sp_builder_value(onnx->builder, output.value);
	if (output.kind == SP_ONNX_LABEL || value.type == SP_TYPE_I64)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "integer operands are not supported");
	SP_TRY(sp_onnx_constant_row(onnx, node, constant_first ? a->tensor : b->tensor, value, &scale));
	SP_TRY(sp_alloc_array(onnx->cx, value.width, sizeof(double), &memory));
	offset = memory;
	SP_TRY(sp_onnx_as_scale(onnx, node, constant_first, value.width, offset, scale));
	if (!sp_onnx_changes_nothing(offset, scale, value.width))
	{
		if (output.kind == SP_ONNX_SCORES)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "calculating with a classifier's scores is not supported");
		SP_TRY(sp_builder_scale(onnx->builder, output.value, offset, scale, &output.value));
	}
	return sp_onnx_define_output(onnx, node, 0, output);
}

/* onnxruntime/core/providers/cpu/ml/scaler.cc: computes in the input's type, gives floats */
static SpStatus
sp_onnx_scaler(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue output = {.kind = SP_ONNX_NUMBERS};
	double	   *rows[2];
	size_t		counts[2];
	SpValue		value;
	void	   *memory;
	int			i;

	SP_TRY(sp_onnx_input_numbers(onnx, node, &output.value));
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
	if (input->kind != SP_ONNX_NUMBERS && !(input->kind == SP_ONNX_SCORES && input->is_probability))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "normalizing anything but numbers and probabilities is not supported");
	output = *input;

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
	if (input->kind != SP_ONNX_SCORES)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not a classifier's scores is not supported");
	SP_TRY(sp_onnx_same_labels(onnx, node));
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
	{"", "Constant", sp_onnx_constant, "value "},
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

static bool
sp_onnx_is_estimator(const SpOnnxOperator *operator)
{
	return operator->handler == sp_onnx_tree_classifier || operator->handler == sp_onnx_tree_regressor ||
		operator->handler == sp_onnx_linear_classifier || operator->handler == sp_onnx_linear_regressor;
}

SpStatus
sp_onnx_node(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpStr		domain = sp_onnx_str(node->domain);
	size_t		i;

	if (sp_str_is(domain, "ai.onnx"))
		domain.size = 0;
	for (i = 0; i < sizeof(sp_onnx_operators) / sizeof(sp_onnx_operators[0]); i++)
	{
		const SpOnnxOperator *operator = &sp_onnx_operators[i];

		if (!sp_str_is(sp_onnx_str(node->op_type), operator->name) ||
			!sp_str_is(domain, operator->domain))
			continue;
		if (sp_onnx_is_estimator(operator) && onnx->estimator)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a second model in the graph is not supported");
		SP_TRY(sp_onnx_check_attributes(onnx, node, operator->attributes));
		return operator->handler(onnx, node);
	}
	sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "the operator is not supported");
	return sp_fail_hint(onnx->cx, "Supported are tree ensembles and linear models, with scalers, normalizers, "
						"casts and arithmetic with constants before them.");
}
