/*
 * src/import/sp_onnx_prepare.c
 *
 * Operators that prepare an estimator's input or pass its output on.
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

SpStatus
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

SpStatus
sp_onnx_identity(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *input;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	return sp_onnx_define_output(onnx, node, 0, *input);
}

/* Nothing happens at inference; what the optional third input says must be that. */
SpStatus
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

SpStatus
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
		SP_TRY(sp_onnx_define_tensor(onnx, node, found->t, &value));
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
SpStatus
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
SpStatus
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
SpStatus
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
SpStatus
sp_onnx_zipmap(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *input;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	if (input->kind != SP_ONNX_NUMBERS && input->kind != SP_ONNX_SCORES)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not a classifier's scores is not supported");
	SP_TRY(sp_onnx_same_labels(onnx, node, input->kind == SP_ONNX_SCORES));
	return sp_onnx_define_output(onnx, node, 0, *input);
}
