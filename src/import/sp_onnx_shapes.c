/*
 * src/import/sp_onnx_shapes.c
 *
 * Operators that only move elements (onnx docs/Operators.md): all of them are
 * views or lists of indices of sp_onnx_tensor.c.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

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

SpStatus
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
	SP_TRY(sp_onnx_loose(onnx, node, 1, &index));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", 0, &number));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	if (index.kind == SP_ONNX_CONSTANT)
		SP_TRY(sp_onnx_gather_fixed(onnx, node, value, axis, &index, &result));
	else
		SP_TRY(sp_onnx_lookup(onnx, node, value, axis, index, &result));
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
	SP_TRY(sp_onnx_blank(onnx, node, index, value.dims[axis], 0, &result));
	return sp_onnx_define_output(onnx, node, 0, result);
}

/* The elements of an axis, or of the flat tensor, that a constant list chooses. */
SpStatus
sp_onnx_compress(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue chosen;
	SpOnnxValue index = {.kind = SP_ONNX_CONSTANT, .elem = SP_ONNX_INT64, .rank = 1, .row_axis = -1};
	int64_t		number;
	uint32_t	axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_fixed(onnx, node, 1, &chosen));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", INT64_MAX, &number));
	if (number == INT64_MAX && value.row_axis >= 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it works across rows, which is not supported");
	if (number == INT64_MAX)
	{
		value.dims[0] = (int64_t) sp_onnx_width(&value);
		value.rank = 1;
		number = 0;
	}
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	if (chosen.rank != 1 || chosen.dims[0] > value.dims[axis] || chosen.list.numbers == NULL)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the list does not fit the axis");
	SP_TRY(sp_onnx_memory(onnx, chosen.list.count, sizeof(double), (void **) &index.list.numbers));
	for (size_t at = 0; at < chosen.list.count; at++)
		if (chosen.list.numbers[at] != 0)
			index.list.numbers[index.list.count++] = (double) at;
	index.dims[0] = (int64_t) index.list.count;
	if (index.list.count == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a tensor without elements is not supported");
	SP_TRY(sp_onnx_gather_fixed(onnx, node, value, axis, &index, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}
