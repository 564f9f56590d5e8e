/*
 * src/import/sp_onnx_shapes.c
 *
 * Operators that only move elements (onnx docs/Operators.md): all of them are
 * views or lists of indices of sp_onnx_tensor.c.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

/* Extents before the row axis have to be 1, or rows would not stay together. */
static bool
sp_onnx_rows_first(const SpOnnxValue *value)
{
	for (int at = 0; at < value->row_axis; at++)
		if (value->dims[at] != 1)
			return false;
	return true;
}

/* Elements before an axis: rows stay together where they are as many as before. */
static size_t
sp_onnx_before(const SpOnnxValue *value, int axis)
{
	size_t		count = 1;

	for (int at = 0; at < axis; at++)
		count *= (size_t) value->dims[at];
	return count;
}

/* The axis of rows in a wanted shape, or -1; *rest is the axis to be worked out. */
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
	{
		rows = *rest;
		*rest = -1;
		return rows;
	}
	/* exported for one row: the first axis of one element where rows stay together */
	known = 1;
	for (size_t at = 0; at < rank && shape[at] > 0; known *= (size_t) shape[at++])
		if (shape[at] == 1 && known == sp_onnx_before(value, value->row_axis))
			return (int) at;
	return -1;
}

SpStatus
sp_onnx_reshape(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue target;
	SpOnnxValue made;
	size_t		known = 1;
	int			rest;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
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
	if ((value.row_axis >= 0) != (made.row_axis >= 0) ||
		sp_onnx_before(&value, value.row_axis) != sp_onnx_before(&made, made.row_axis) ||
		sp_onnx_width(&made) != sp_onnx_width(&value))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a shape in which rows do not stay together is not supported");
	return sp_onnx_define_output(onnx, node, 0, made);
}

SpStatus
sp_onnx_flatten(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue made;
	int64_t		axis;
	int64_t		before = 1;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", 1, &axis));
	if (axis < 0)
		axis += value.rank;
	if (axis < 0 || axis > value.rank)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "axis %lld of a tensor with %u axes", (long long) axis, value.rank);
	for (int64_t at = 0; at < axis; at++)
		before *= value.dims[at];
	made = value;
	made.rank = 2;
	made.dims[0] = before;
	made.dims[1] = before > 0 ? (int64_t) sp_onnx_width(&value) / before : 0;
	if (value.row_axis >= 0)
		made.row_axis = value.row_axis < axis ? 0 : 1;
	if (value.row_axis >= 0 && (!sp_onnx_rows_first(&value) || before != 1 ||
								(made.row_axis == 1 && made.dims[1] != 1)))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it mixes rows, which is not supported");
	return sp_onnx_define_output(onnx, node, 0, made);
}

SpStatus
sp_onnx_squeeze(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue made;
	int64_t    *axes;
	size_t		count;
	bool		gone[SP_ONNX_MAX_RANK] = {false};

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_ints(onnx, node, "axes", 1, &axes, &count));
	for (uint32_t at = 0; axes == NULL && at < value.rank; at++)
		gone[at] = value.dims[at] == 1 && (int) at != value.row_axis;
	for (size_t at = 0; axes && at < count; at++)
	{
		uint32_t	axis;

		SP_TRY(sp_onnx_axis(onnx, node, &value, axes[at], &axis));
		if (value.dims[axis] != 1)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "axis %u has %lld elements", axis, (long long) value.dims[axis]);
		gone[axis] = true;
	}
	made = value;
	made.rank = 0;
	for (uint32_t at = 0; at < value.rank; at++)
	{
		if ((int) at == value.row_axis)
			made.row_axis = (int) made.rank;
		if (!gone[at])
			made.dims[made.rank++] = value.dims[at];
	}
	return sp_onnx_define_output(onnx, node, 0, made);
}

SpStatus
sp_onnx_unsqueeze(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue made;
	int64_t    *axes;
	size_t		count;
	bool		is_new[SP_ONNX_MAX_RANK] = {false};
	uint32_t	from = 0;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_ints(onnx, node, "axes", 1, &axes, &count));
	made = value;
	if (axes == NULL || value.rank + count > SP_ONNX_MAX_RANK)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%zu more axes are not supported", count);
	made.rank = value.rank + (uint32_t) count;
	for (size_t at = 0; at < count; at++)
	{
		int64_t		axis = axes[at] < 0 ? axes[at] + made.rank : axes[at];

		if (axis < 0 || axis >= made.rank || is_new[axis])
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "axis %lld is not possible", (long long) axes[at]);
		is_new[axis] = true;
	}
	for (uint32_t at = 0; at < made.rank; at++)
	{
		if (!is_new[at] && (int) from == value.row_axis)
			made.row_axis = (int) at;
		made.dims[at] = is_new[at] ? 1 : value.dims[from++];
	}
	return sp_onnx_define_output(onnx, node, 0, made);
}

SpStatus
sp_onnx_transpose(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	int64_t    *axes;
	int64_t		own[SP_ONNX_MAX_RANK];
	int64_t		dims[SP_ONNX_MAX_RANK];
	int64_t		strides[SP_ONNX_MAX_RANK];
	uint32_t	seen = 0;
	size_t		count;
	int			row_axis = -1;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_ints(onnx, node, "perm", SIZE_MAX, &axes, &count));
	if (axes && count != value.rank)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu axes of %u", count, value.rank);
	sp_onnx_strides(&value, own);
	for (uint32_t at = 0; at < value.rank; at++)
	{
		int64_t		axis = axes ? axes[at] : (int64_t) (value.rank - 1 - at);

		if (axis < 0 || axis >= value.rank || (seen >> axis & 1))
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "perm is not an order of the axes");
		seen |= UINT32_C(1) << axis;
		dims[at] = value.dims[axis];
		strides[at] = own[axis];
		if (axis == value.row_axis)
			row_axis = (int) at;
	}
	SP_TRY(sp_onnx_view(onnx, node, &value, value.rank, dims, strides, 0));
	value.row_axis = row_axis;
	return sp_onnx_define_output(onnx, node, 0, value);
}

static int64_t
sp_onnx_bounded(int64_t index, int64_t size, int64_t low, int64_t high)
{
	if (index < 0)
		index += size;
	return index < low ? low : index > high ? high : index;
}

SpStatus
sp_onnx_slice(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	int64_t    *lists[4];
	size_t		counts[4];
	static const char *const names[] = {"starts", "ends", "axes", NULL};
	int64_t		strides[SP_ONNX_MAX_RANK];
	int64_t		dims[SP_ONNX_MAX_RANK];
	int64_t		first = 0;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	for (size_t at = 0; at < 4; at++)
	{
		SP_TRY(sp_onnx_ints(onnx, node, names[at], at + 1, &lists[at], &counts[at]));
		if (at < 2 ? lists[at] == NULL || counts[at] != counts[0] : lists[at] && counts[at] != counts[0])
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "starts, ends, axes and steps differ in length");
	}
	sp_onnx_strides(&value, strides);
	memcpy(dims, value.dims, sizeof(dims));
	for (size_t at = 0; at < counts[0]; at++)
	{
		int64_t		step = lists[3] ? lists[3][at] : 1;
		int64_t		size;
		int64_t		start;
		int64_t		end;
		uint32_t	axis;

		SP_TRY(sp_onnx_axis(onnx, node, &value, lists[2] ? lists[2][at] : (int64_t) at, &axis));
		size = value.dims[axis];
		if (step == 0 || step < -INT32_MAX || step > INT32_MAX)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a step of %lld is not possible", (long long) step);
		start = sp_onnx_bounded(lists[0][at], size, 0, step > 0 ? size : size - 1);
		end = sp_onnx_bounded(lists[1][at], size, step > 0 ? 0 : -1, size);
		dims[axis] = step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step;
		if (dims[axis] <= 0)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a slice without elements is not supported");
		first += start * strides[axis];
		strides[axis] *= step;
	}
	SP_TRY(sp_onnx_view(onnx, node, &value, value.rank, dims, strides, first));
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_split(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	int64_t    *sizes;
	size_t		count;
	int64_t		number;
	int64_t		strides[SP_ONNX_MAX_RANK];
	int64_t		first = 0;
	uint32_t	axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", 0, &number));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	SP_TRY(sp_onnx_ints(onnx, node, "split", 1, &sizes, &count));
	if (node->n_output == 0 || (sizes && count != node->n_output))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu sizes for %zu outputs", count, node->n_output);
	sp_onnx_strides(&value, strides);
	for (size_t at = 0; at < node->n_output; at++)
	{
		SpOnnxValue part = value;
		int64_t		dims[SP_ONNX_MAX_RANK];
		int64_t		even = (value.dims[axis] + (int64_t) node->n_output - 1) / (int64_t) node->n_output;

		memcpy(dims, value.dims, sizeof(dims));
		dims[axis] = sizes ? sizes[at] : at + 1 < node->n_output ? even : value.dims[axis] - first;
		if (dims[axis] <= 0 || dims[axis] > value.dims[axis] - first)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a part of %lld elements is not supported", (long long) dims[axis]);
		SP_TRY(sp_onnx_view(onnx, node, &part, value.rank, dims, strides, first * strides[axis]));
		first += dims[axis];
		SP_TRY(sp_onnx_define_output(onnx, node, at, part));
	}
	return SP_OK;
}

/* Elements of one axis at fixed indices. */
static SpStatus
sp_onnx_gather_fixed(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, uint32_t axis,
					 const SpOnnxValue *index, SpOnnxValue *result)
{
	uint32_t	dims[3];
	uint32_t   *indices;
	size_t		count;
	size_t		to = 0;

	if (value.rank - 1 + index->rank > SP_ONNX_MAX_RANK || index->list.numbers == NULL)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "these indices are not supported");
	sp_onnx_groups(&value, axis, axis, dims);
	if (!sp_mul_size((size_t) dims[0] * dims[2], index->list.count, &count))
		return sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "a tensor is too large");
	SP_TRY(sp_onnx_memory(onnx, count, sizeof(uint32_t), (void **) &indices));
	for (uint32_t o = 0; o < dims[0]; o++)
		for (size_t j = 0; j < index->list.count; j++)
		{
			double		at = index->list.numbers[j] < 0 ? index->list.numbers[j] + dims[1] : index->list.numbers[j];

			if (!(at >= 0 && at < dims[1]))
				return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "index %g of %u elements", index->list.numbers[j], dims[1]);
			for (uint32_t i = 0; i < dims[2]; i++)
				indices[to++] = (o * dims[1] + (uint32_t) at) * dims[2] + i;
		}
	*result = value;
	SP_TRY(sp_onnx_pick(onnx, node, result, indices, count, 0));
	sp_free(onnx->cx, indices);
	result->rank = value.rank - 1 + index->rank;
	if (value.row_axis > (int) axis)
		result->row_axis += (int) index->rank - 1;
	memcpy(result->dims + axis, index->dims, index->rank * sizeof(int64_t));
	memcpy(result->dims + axis + index->rank, value.dims + axis + 1, (value.rank - axis - 1) * sizeof(int64_t));
	return SP_OK;
}

SpStatus
sp_onnx_gather(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue index;
	SpOnnxValue result;
	int64_t		number;
	uint32_t	axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_tensor(onnx, node, 1, &index));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", 0, &number));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	if (index.kind == SP_ONNX_CONSTANT)
		SP_TRY(sp_onnx_gather_fixed(onnx, node, value, axis, &index, &result));
	else
		SP_TRY(sp_onnx_lookup(onnx, node, value, axis, index, &result));
	return sp_onnx_define_output(onnx, node, 0, result);
}

/* onnxruntime/core/providers/cpu/ml/array_feature_extractor.cc: columns of the last axis */
SpStatus
sp_onnx_extractor(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue index;
	SpOnnxValue result;
	uint32_t	axis;
	bool		is_flat;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_tensor(onnx, node, 1, &index));
	SP_TRY(sp_onnx_axis(onnx, node, &value, -1, &axis));
	is_flat = value.rank == 1;
	if (index.row_axis >= 0 && sp_onnx_width(&index) != 1)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "several indices for each row are not supported");
	index.row_axis = index.row_axis >= 0 ? 0 : -1;
	index.rank = 1;
	index.dims[0] = index.kind == SP_ONNX_CONSTANT ? (int64_t) index.list.count : 1;
	if (index.kind == SP_ONNX_CONSTANT)
		SP_TRY(sp_onnx_gather_fixed(onnx, node, value, axis, &index, &result));
	else
		SP_TRY(sp_onnx_lookup(onnx, node, value, axis, index, &result));
	if (is_flat)
	{
		result.rank = 2;
		result.dims[1] = result.dims[0];
		result.dims[0] = 1;
		result.row_axis += result.row_axis >= 0;
	}
	return sp_onnx_define_output(onnx, node, 0, result);
}

SpStatus
sp_onnx_gather_elements(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue index;
	SpOnnxValue result;
	const SpOnnxValue *inputs[2] = {&value, &index};
	SpGeneral	spec = {.kind = 1};
	int64_t		number;
	uint32_t	axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_tensor(onnx, node, 1, &index));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", 0, &number));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	for (uint32_t at = 0; at < value.rank; at++)
		if (index.rank != value.rank || (at != axis && index.dims[at] != value.dims[at]) ||
			(value.row_axis >= 0 && index.row_axis != value.row_axis))
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "indices of another shape are not supported");
	SP_TRY(sp_onnx_emit(onnx, node, &index));
	SP_TRY(sp_onnx_cast(onnx, index.value, SP_TYPE_I64, &index.value));
	sp_onnx_groups(&value, axis, axis, spec.dims);
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_TAKE, spec, inputs, 2, &result));
	result.dims[axis] = index.dims[axis];
	result.row_axis = index.row_axis;
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
			SP_TRY(sp_onnx_axis(onnx, node, &made, number, &axis));
			continue;
		}
		if (parts[i].rank != made.rank || parts[i].row_axis != made.row_axis ||
			sp_onnx_type(parts[i].elem) != sp_onnx_type(made.elem))
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "inputs of different shapes or types are not supported");
		for (uint32_t at = 0; at < made.rank; at++)
			if (at != axis && parts[i].dims[at] != made.dims[at])
				return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "inputs do not fit together");
		if (made.domain)
			made.domain = NULL;
		made.dims[axis] += parts[i].dims[axis];
	}
	sp_onnx_groups(&made, axis, axis, dims);
	spec.dims[0] = dims[0];
	made.n_results = node->n_input == 1 ? made.n_results : 0;
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
