/*
 * src/import/sp_onnx_extents.c
 *
 * Operators about shapes themselves: Shape, Expand, Tile, ConstantOfShape.
 * The number of rows stands as SP_ONNX_ROWS in what they compute with.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

SpStatus
sp_onnx_shape(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue made = {.kind = SP_ONNX_CONSTANT, .elem = SP_ONNX_INT64, .rank = 1, .row_axis = -1};
	int64_t		start;
	int64_t		end;
	void	   *memory;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "start", 0, &start));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "end", value.rank, &end));
	start += start < 0 ? value.rank : 0;
	end += end < 0 ? value.rank : 0;
	start = start < 0 ? 0 : start;
	end = end > value.rank ? value.rank : end;
	made.list.count = end > start ? (size_t) (end - start) : 0;
	made.dims[0] = (int64_t) made.list.count;
	SP_TRY(sp_onnx_memory(onnx, made.list.count, sizeof(double), &memory));
	made.list.numbers = memory;
	for (size_t at = 0; at < made.list.count; at++)
		made.list.numbers[at] = start + (int64_t) at == value.row_axis ? SP_ONNX_ROWS : (double) value.dims[start + (int64_t) at];
	return sp_onnx_define_output(onnx, node, 0, made);
}

/* A shape from an input: extents, with 1 for the rows. */
static SpStatus
sp_onnx_read_shape(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *shape)
{
	SpOnnxValue list;
	size_t		count = 1;

	SP_TRY(sp_onnx_fixed(onnx, node, input, &list));
	*shape = (SpOnnxValue) {.row_axis = -1, .rank = (uint32_t) list.list.count};
	if (list.list.count > SP_ONNX_MAX_RANK || list.list.numbers == NULL)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a shape of %zu axes is not supported", list.list.count);
	for (uint32_t at = 0; at < shape->rank; at++)
	{
		double		dim = list.list.numbers[at];

		if (dim == SP_ONNX_ROWS)
			shape->row_axis = (int) at;
		else if (!(dim >= 0 && dim <= UINT32_MAX))
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a shape is not possible");
		shape->dims[at] = dim == SP_ONNX_ROWS ? 1 : (int64_t) dim;
		if (!sp_mul_size(count, (size_t) shape->dims[at], &count) || count > onnx->cx->limits.max_elements)
			return sp_over_limit(onnx->cx, "max_elements",
								 sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "a tensor is larger than the limit of %llu elements",
											  (unsigned long long) onnx->cx->limits.max_elements));
	}
	return SP_OK;
}

SpStatus
sp_onnx_constant_of_shape(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue shape;
	SpOnnxValue fill = {.elem = SP_ONNX_FLOAT};
	const SpOnnx__AttributeProto *attribute;
	void	   *memory;
	double	   *numbers;
	size_t		count;

	SP_TRY(sp_onnx_read_shape(onnx, node, 0, &shape));
	SP_TRY(sp_onnx_attribute(onnx, node, "value", SP_ONNX_ATTR_TENSOR, &attribute));
	shape.kind = SP_ONNX_CONSTANT;
	shape.elem = attribute && attribute->t ? attribute->t->data_type : fill.elem;
	shape.list.count = sp_onnx_width(&shape);
	SP_TRY(sp_onnx_memory(onnx, shape.list.count, sizeof(double), &memory));
	shape.list.numbers = memory;
	if (attribute && attribute->t)
	{
		SP_TRY(sp_onnx_tensor_numbers(onnx, node, attribute->t, &numbers, &count));
		for (size_t at = 0; count == 1 && at < shape.list.count; at++)
			shape.list.numbers[at] = numbers[0];
	}
	return sp_onnx_define_output(onnx, node, 0, shape);
}

SpStatus
sp_onnx_expand(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue shape;
	int64_t		own[SP_ONNX_MAX_RANK];
	int64_t		strides[SP_ONNX_MAX_RANK] = {0};
	uint32_t	shift;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_read_shape(onnx, node, 1, &shape));
	if (shape.rank < value.rank)
	{
		uint32_t	missing = value.rank - shape.rank;

		memmove(shape.dims + missing, shape.dims, shape.rank * sizeof(int64_t));
		for (uint32_t at = 0; at < missing; at++)
			shape.dims[at] = 1;
		shape.row_axis += shape.row_axis >= 0 ? (int) missing : 0;
		shape.rank = value.rank;
	}
	shift = shape.rank - value.rank;
	if (value.row_axis >= 0)
	{
		if (shape.row_axis >= 0 && shape.row_axis != value.row_axis + (int) shift)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it mixes rows, which is not supported");
		shape.row_axis = value.row_axis + (int) shift;
	}
	if (shape.row_axis >= 0 && shape.dims[shape.row_axis] != 1)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it mixes rows, which is not supported");
	sp_onnx_strides(&value, own);
	for (uint32_t at = 0; at < value.rank; at++)
	{
		int64_t		dim = value.dims[at];

		if (dim != 1 && shape.dims[at + shift] != 1 && shape.dims[at + shift] != dim)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "shapes do not fit together");
		if (dim != 1)
		{
			shape.dims[at + shift] = dim;
			strides[at + shift] = own[at];
		}
	}
	SP_TRY(sp_onnx_view(onnx, node, &value, shape.rank, shape.dims, strides, 0));
	value.row_axis = shape.row_axis;
	return sp_onnx_define_output(onnx, node, 0, value);
}

/* [a, b] repeated m and n times is a view [m, a, n, b]. */
SpStatus
sp_onnx_tile(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	int64_t    *repeats;
	size_t		count;
	int64_t		own[SP_ONNX_MAX_RANK];
	int64_t		dims[SP_ONNX_MAX_RANK];
	int64_t		strides[SP_ONNX_MAX_RANK];
	int64_t		result[SP_ONNX_MAX_RANK];
	uint32_t	rank;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_ints(onnx, node, NULL, 1, &repeats, &count));
	rank = value.rank;
	if (count != rank || 2 * rank > SP_ONNX_MAX_RANK)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "repeats of %zu axes are not supported", count);
	sp_onnx_strides(&value, own);
	for (uint32_t at = 0; at < rank; at++)
	{
		if (repeats[at] <= 0 || repeats[at] > INT32_MAX || value.dims[at] > INT32_MAX ||
			((int) at == value.row_axis && repeats[at] != 1))
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%lld repeats are not supported", (long long) repeats[at]);
		dims[2 * at] = repeats[at];
		strides[2 * at] = 0;
		dims[2 * at + 1] = value.dims[at];
		strides[2 * at + 1] = own[at];
		result[at] = repeats[at] * value.dims[at];
	}
	SP_TRY(sp_onnx_view(onnx, node, &value, 2 * rank, dims, strides, 0));
	value.rank = rank;
	memcpy(value.dims, result, rank * sizeof(int64_t));
	return sp_onnx_define_output(onnx, node, 0, value);
}
