/*
 * src/import/sp_onnx_reshape.c
 *
 * Operators that give the same elements other axes, or the axis of rows
 * several elements: Reshape, Flatten, Concat, ArrayFeatureExtractor.
 *
 * Elements stay where they are in every row as long as those of a row that
 * come before its rows' axis remain as many.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

static size_t
sp_onnx_before(const SpOnnxValue *value)
{
	size_t		count = 1;

	for (int at = 0; at < value->row_axis; at++)
		count *= (size_t) value->dims[at];
	return count;
}

/* An axis of rows with several elements becomes two, one of rows and one of elements. */
static SpStatus
sp_onnx_split_rows(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value)
{
	int			axis = value->row_axis;
	int64_t		count = axis < 0 ? 1 : value->dims[axis];

	if (count == 1)
		return SP_OK;
	if (value->rank == SP_ONNX_MAX_RANK)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "tensors of so many axes are not supported");
	memmove(value->dims + axis + 1, value->dims + axis, (value->rank - (uint32_t) axis) * sizeof(int64_t));
	value->rank++;
	value->dims[axis] = value->is_inner ? count : 1;
	value->dims[axis + 1] = value->is_inner ? 1 : count;
	value->row_axis += value->is_inner;
	value->is_inner = false;
	return SP_OK;
}

/* Is every row of value one of made?  Elements may move into the axis of rows from either side. */
static SpStatus
sp_onnx_check_rows(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxValue *value, SpOnnxValue *made)
{
	size_t		before = sp_onnx_before(value);
	size_t		kept = sp_onnx_before(made);

	made->is_inner = false;
	if ((value->row_axis >= 0) == (made->row_axis >= 0) && sp_onnx_width(made) == sp_onnx_width(value))
	{
		if (kept == before || value->row_axis < 0)
			return SP_OK;
		made->is_inner = true;
		if (made->dims[made->row_axis] > 1 && kept * (size_t) made->dims[made->row_axis] == before)
			return SP_OK;
	}
	return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a shape in which rows do not stay together is not supported");
}

/*
 * The axis of rows in a wanted shape, or -1; *rest is the axis to be worked
 * out, which may be the same.
 */
static int
sp_onnx_find_rows(const SpOnnxValue *value, const double *shape, size_t rank, int *rest)
{
	size_t		known = 1;
	int			rows = -1;

	*rest = -1;
	for (size_t at = 0; at < rank; at++)
	{
		if (shape[at] == SP_ONNX_ROWS || (shape[at] == 0 && (int) at == value->row_axis))
			rows = (int) at;
		else if (shape[at] == -1)
			*rest = (int) at;
		else
			known *= shape[at] == 0 && at < value->rank ? (size_t) value->dims[at] : (size_t) shape[at];
	}
	if (value->row_axis < 0 || rows >= 0)
		return rows;
	if (*rest >= 0 && known == sp_onnx_width(value))
		return *rest;
	/* exported for one row: the first axis of one element where rows stay together */
	known = 1;
	for (size_t at = 0; at < rank && shape[at] > 0; known *= (size_t) shape[at++])
		if (shape[at] == 1 && known == sp_onnx_before(value))
			return (int) at;
	return *rest;
}

SpStatus
sp_onnx_reshape(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue target;
	SpOnnxValue made;
	size_t		known = 1;
	int			rest;

	SP_TRY(sp_onnx_loose(onnx, node, 0, &value));
	SP_TRY(sp_onnx_split_rows(onnx, node, &value));
	SP_TRY(sp_onnx_fixed(onnx, node, 1, &target));
	if (target.list.count > SP_ONNX_MAX_RANK || target.list.numbers == NULL)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a shape of %zu axes is not supported", target.list.count);
	made = value;
	made.rank = (uint32_t) target.list.count;
	for (uint32_t at = 0; at < made.rank; at++)
		if (target.list.numbers[at] != SP_ONNX_ROWS && !(target.list.numbers[at] >= -1 && target.list.numbers[at] <= UINT32_MAX))
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a shape is not possible");
	made.row_axis = sp_onnx_find_rows(&value, target.list.numbers, made.rank, &rest);
	for (int at = 0; at < (int) made.rank; at++)
	{
		double		dim = target.list.numbers[at];

		made.dims[at] = at == made.row_axis || at == rest ? 1 : dim == 0 && at < (int) value.rank ? value.dims[at] : (int64_t) dim;
		if (made.dims[at] < 0 || !sp_mul_size(known, (size_t) made.dims[at], &known))
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a shape is not possible");
	}
	if (rest >= 0 && known > 0 && sp_onnx_width(&value) % known == 0)
		made.dims[rest] = (int64_t) (sp_onnx_width(&value) / known);
	SP_TRY(sp_onnx_check_rows(onnx, node, &value, &made));
	return sp_onnx_define_output(onnx, node, 0, made);
}

SpStatus
sp_onnx_flatten(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue made;
	int64_t		axis;
	uint32_t	rank;

	SP_TRY(sp_onnx_loose(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", 1, &axis));
	if (axis < 0)
		axis += value.rank;
	if (axis < 0 || axis > value.rank)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "axis %lld of a tensor with %u axes", (long long) axis, value.rank);
	rank = value.rank;
	made = value;
	SP_TRY(sp_onnx_split_rows(onnx, node, &value));
	if (value.rank > rank && made.row_axis < axis)
		axis++;
	made.rank = 2;
	made.dims[0] = made.dims[1] = 1;
	for (uint32_t at = 0; at < value.rank; at++)
		made.dims[at < axis ? 0 : 1] *= value.dims[at];
	if (value.row_axis >= 0)
		made.row_axis = value.row_axis < axis ? 0 : 1;
	SP_TRY(sp_onnx_check_rows(onnx, node, &value, &made));
	return sp_onnx_define_output(onnx, node, 0, made);
}

/* onnxruntime/core/providers/cpu/ml/array_feature_extractor.cc: columns of the last axis */
SpStatus
sp_onnx_extractor(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue index;
	SpOnnxValue flat;
	SpOnnxValue result;
	uint32_t	axis;
	bool		is_flat;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_loose(onnx, node, 1, &index));
	SP_TRY(sp_onnx_split_rows(onnx, node, &index));
	SP_TRY(sp_onnx_axis(onnx, node, &value, -1, &axis));
	is_flat = value.rank == 1;
	flat = index;
	flat.rank = 1;
	flat.dims[0] = (int64_t) sp_onnx_width(&index);
	flat.row_axis = index.row_axis >= 0 ? 0 : -1;
	SP_TRY(sp_onnx_check_rows(onnx, node, &index, &flat));
	if (index.kind == SP_ONNX_CONSTANT)
		SP_TRY(sp_onnx_gather_fixed(onnx, node, value, axis, &flat, &result));
	else
		SP_TRY(sp_onnx_lookup(onnx, node, value, axis, flat, &result));
	if (is_flat)
	{
		result.rank = 2;
		result.dims[1] = result.dims[0];
		result.dims[0] = 1;
		result.row_axis += result.row_axis >= 0;
	}
	return sp_onnx_define_output(onnx, node, 0, result);
}

/* All parts constant: their elements side by side. */
static SpStatus
sp_onnx_concat_fixed(SpOnnx *onnx, const SpOnnxValue *parts, size_t count, uint32_t outer, SpOnnxValue *made)
{
	size_t		total = sp_onnx_width(made);
	size_t		to = 0;
	void	   *memory;
	bool		is_text = made->list.texts != NULL;

	SP_TRY(sp_onnx_memory(onnx, total, is_text ? sizeof(SpStr) : sizeof(double), &memory));
	made->list = (SpOnnxList) {.count = total, .numbers = is_text ? NULL : memory, .texts = is_text ? memory : NULL};
	for (uint32_t o = 0; o < outer; o++)
		for (size_t i = 0; i < count; i++)
		{
			size_t		n = parts[i].list.count / outer;

			for (size_t at = 0; at < n; at++, to++)
			{
				if (is_text)
					made->list.texts[to] = parts[i].list.texts[o * n + at];
				else
					made->list.numbers[to] = parts[i].list.numbers[o * n + at];
			}
		}
	return SP_OK;
}

/* The axis may be that of the rows: the result has a block of them for each part. */
static SpStatus
sp_onnx_concat_axis(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxValue *value, int64_t number, uint32_t *axis)
{
	if (value->row_axis >= 0 && (number == value->row_axis || number + value->rank == value->row_axis))
	{
		*axis = (uint32_t) value->row_axis;
		return SP_OK;
	}
	return sp_onnx_axis(onnx, node, value, number, axis);
}

SpStatus
sp_onnx_concat(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue *parts;
	SpOnnxValue made;
	SpGeneral	spec = {.n_inputs = (uint32_t) node->n_input};
	uint32_t	dims[3];
	uint32_t   *values;
	int64_t		number;
	uint32_t	axis = 0;
	bool		is_fixed = true;

	if (node->n_input == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there are no inputs");
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", 1, &number));
	SP_TRY(sp_onnx_memory(onnx, node->n_input, sizeof(SpOnnxValue), (void **) &parts));
	SP_TRY(sp_onnx_memory(onnx, node->n_input, sizeof(uint32_t), (void **) &values));
	for (size_t i = 0; i < node->n_input; i++)
	{
		SP_TRY(sp_onnx_tensor(onnx, node, i, &parts[i]));
		is_fixed = is_fixed && parts[i].kind == SP_ONNX_CONSTANT;
		if (i == 0)
		{
			made = parts[0];
			SP_TRY(sp_onnx_concat_axis(onnx, node, &made, number, &axis));
			continue;
		}
		if (parts[i].rank != made.rank || parts[i].row_axis != made.row_axis ||
			sp_onnx_type(parts[i].elem) != sp_onnx_type(made.elem))
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "inputs of different shapes or types are not supported");
		for (uint32_t at = 0; at < made.rank; at++)
			if (at != axis && parts[i].dims[at] != made.dims[at])
				return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "inputs do not fit together");
		made.domain = NULL;
		made.below = made.below > 0 && parts[i].below > made.below ? parts[i].below : parts[i].below == 0 ? 0 : made.below;
		made.dims[axis] += parts[i].dims[axis];
	}
	sp_onnx_groups(&made, axis, axis, dims);
	spec.dims[0] = dims[0];
	made.n_results = node->n_input == 1 ? made.n_results : 0;
	/* elements of the first part for all rows, then those of the second */
	made.is_inner = made.row_axis == (int) axis && made.dims[axis] > 1;
	if (is_fixed)
	{
		SP_TRY(sp_onnx_concat_fixed(onnx, parts, node->n_input, dims[0], &made));
		return sp_onnx_define_output(onnx, node, 0, made);
	}
	for (size_t i = 0; i < node->n_input; i++)
	{
		SP_TRY(sp_onnx_emit(onnx, node, &parts[i]));
		values[i] = parts[i].value;
	}
	spec.inputs = values;
	made.kind = SP_ONNX_NUMBERS;
	made.value = values[0];
	if (node->n_input > 1)
		SP_TRY(sp_builder_general(onnx->builder, SP_OP_CONCAT, &spec, &made.value));
	return sp_onnx_define_output(onnx, node, 0, made);
}

/* As converters hand on the probabilities of several targets; nothing else is done with sequences. */
SpStatus
sp_onnx_sequence(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue made = {.kind = SP_ONNX_SEQUENCE, .rank = 2, .dims = {1, 0}};
	SpGeneral	spec = {.n_inputs = (uint32_t) node->n_input, .dims = {1}};

	if (node->n_input == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there are no inputs");
	SP_TRY(sp_onnx_memory(onnx, node->n_input, sizeof(uint32_t), (void **) &spec.inputs));
	for (size_t i = 0; i < node->n_input; i++)
	{
		SpOnnxValue part;

		SP_TRY(sp_onnx_operand(onnx, node, i, &part));
		if (i > 0 && part.elem != made.elem)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "tensors of different types");
		made.elem = part.elem;
		made.dims[1] += (int64_t) sp_onnx_width(&part);
		made.value = spec.inputs[i] = part.value;
	}
	if (node->n_input > 1)
		SP_TRY(sp_builder_general(onnx->builder, SP_OP_CONCAT, &spec, &made.value));
	return sp_onnx_define_output(onnx, node, 0, made);
}
