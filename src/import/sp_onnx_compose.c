/*
 * src/import/sp_onnx_compose.c
 *
 * More steps that operators are made of: functions of one value, matrices,
 * look-ups.
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

SpStatus
sp_onnx_apply(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpApply kind, double a, double b,
			  SpOnnxValue value, SpOnnxValue *result)
{
	const SpOnnxValue *input = &value;
	int32_t		elem = kind == SP_APPLY_IS_NAN || kind == SP_APPLY_IS_INF ? SP_ONNX_BOOL : value.elem;

	SP_TRY(sp_onnx_step(onnx, node, SP_OP_APPLY, (SpGeneral) {.kind = kind, .params = {a, b}}, &input, 1, result));
	result->elem = elem;
	return SP_OK;
}

/* Constants, and what a value can be, in another type; false if a number has no such form. */
static SpStatus
sp_onnx_convert_list(SpOnnx *onnx, const SpOnnxList *from, int32_t elem, SpOnnxList *to, bool *possible)
{
	void	   *memory;

	*possible = from->numbers != NULL;
	if (from->numbers == NULL)
		return SP_OK;
	SP_TRY(sp_onnx_memory(onnx, from->count, sizeof(double), &memory));
	*to = (SpOnnxList) {.count = from->count, .numbers = memory};
	for (size_t at = 0; at < from->count; at++)
	{
		double		number = from->numbers[at];

		if (elem == SP_ONNX_FLOAT)
			number = (float) number;
		else if (elem == SP_ONNX_BOOL)
			number = number != 0;
		else if (elem != SP_ONNX_DOUBLE)
		{
			*possible = *possible && isfinite(number) && fabs(number) <= 0x1p53;
			number = trunc(number);
		}
		to->numbers[at] = number;
	}
	return SP_OK;
}

SpStatus
sp_onnx_convert(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, int32_t elem, SpOnnxValue *result)
{
	SpType		type = sp_onnx_type(elem);
	SpOnnxList	list;
	bool		possible;
	void	   *memory;

	if (type == 0 || (type == SP_TYPE_STRING) != (value.elem == SP_ONNX_STRING))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "casting the type %d to the type %d is not supported", value.elem, elem);
	if (type == SP_TYPE_I64 && elem < SP_ONNX_INT32 && elem != value.elem)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "casting to the type %d is not supported", elem);
	*result = value;
	result->elem = elem;
	if (type == SP_TYPE_STRING)
		return SP_OK;
	if (value.kind == SP_ONNX_CONSTANT)
	{
		SP_TRY(sp_onnx_convert_list(onnx, &value.list, elem, &result->list, &possible));
		return possible ? SP_OK : sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a constant has no such integer");
	}
	if (elem == SP_ONNX_BOOL && value.elem != SP_ONNX_BOOL)
	{
		SpOnnxValue zero = sp_onnx_scalar(onnx, value.elem, 0);

		SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_EQ, value, zero, result));
		return sp_onnx_apply(onnx, node, SP_APPLY_NOT, 0, 0, *result, result);
	}
	if (value.domain)
	{
		SP_TRY(sp_onnx_memory(onnx, 1, sizeof(SpOnnxList), &memory));
		SP_TRY(sp_onnx_convert_list(onnx, value.domain, elem, &list, &possible));
		*(SpOnnxList *) memory = list;
		result->domain = possible ? memory : NULL;
	}
	if (sp_builder_value(onnx->builder, value.value).type != type)
		result->n_results = 0;
	return sp_onnx_cast(onnx, value.value, type, &result->value);
}

void
sp_onnx_groups(const SpOnnxValue *value, uint32_t first, uint32_t last, uint32_t *dims)
{
	dims[0] = dims[1] = dims[2] = 1;
	for (uint32_t at = 0; at < value->rank; at++)
		dims[at < first ? 0 : at <= last ? 1 : 2] *= (uint32_t) value->dims[at];
}

SpStatus
sp_onnx_reduce(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpReduce kind, SpOnnxValue value, uint32_t first,
			   uint32_t last, SpOnnxValue *result)
{
	const SpOnnxValue *input = &value;
	SpGeneral	spec = {.kind = kind};
	uint32_t	n;

	sp_onnx_groups(&value, first, last, spec.dims);
	n = spec.dims[1];
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_REDUCE, spec, &input, 1, result));
	for (uint32_t at = first; at <= last; at++)
		result->dims[at] = 1;
	if (kind >= SP_REDUCE_ARGMAX)
	{
		result->elem = SP_ONNX_INT64;
		result->n_results = sp_onnx_width(result) == 1 ? n : 0;
		result->below = n;
		result->is_cluster = kind == SP_REDUCE_ARGMIN || kind == SP_REDUCE_ARGMIN_LAST;
	}
	return SP_OK;
}

SpStatus
sp_onnx_matrix(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, uint32_t n_out,
			   const double *weights, const double *bias, SpOnnxValue *result)
{
	const SpOnnxValue *input = &value;
	uint32_t	n_in = value.rank > 0 ? (uint32_t) value.dims[value.rank - 1] : 1;
	SpGeneral	spec = {.dims = {n_in, n_out}};
	size_t		n_weights = (size_t) n_in * n_out;
	void	   *memory;

	SP_TRY(sp_onnx_emit(onnx, node, &value));
	if (!sp_onnx_is_float(value.elem))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "integer operands are not supported");
	if (sp_onnx_width(&value) == n_in)
	{
		*result = value;
		result->domain = NULL;
		SP_TRY(sp_builder_linear(onnx->builder, value.value, n_out, weights, bias, &result->value));
	}
	else
	{
		if (n_weights + n_out > UINT32_MAX)
			return sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "a matrix is too large");
		SP_TRY(sp_onnx_memory(onnx, n_weights + n_out, sizeof(double), &memory));
		spec.numbers = memory;
		spec.n_numbers = (uint32_t) (n_weights + n_out);
		memcpy(spec.numbers, weights, n_weights * sizeof(double));
		if (bias)
			memcpy(spec.numbers + n_weights, bias, n_out * sizeof(double));
		SP_TRY(sp_onnx_step(onnx, node, SP_OP_MATRIX, spec, &input, 1, result));
	}
	result->dims[value.rank - 1] = n_out;
	return SP_OK;
}

/* Does what a value can be lie in an axis of n elements, counted from either end? */
static bool
sp_onnx_is_within(const SpOnnxValue *index, int64_t n)
{
	if (index->below > 0 || index->domain == NULL || index->domain->numbers == NULL)
		return index->below > 0 && index->below <= n;
	for (size_t at = 0; at < index->domain->count; at++)
		if (!(index->domain->numbers[at] >= (double) -n && index->domain->numbers[at] < (double) n))
			return false;
	return true;
}

SpStatus
sp_onnx_blank(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue index, int64_t n, uint32_t n_behind, SpOnnxValue *made)
{
	SpOnnxValue bounds[2];

	if (!sp_onnx_is_float(made->elem) || sp_onnx_is_within(&index, n))
		return SP_OK;
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_GE, index, sp_onnx_scalar(onnx, SP_ONNX_INT64, (double) -n), &bounds[0]));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_LT, index, sp_onnx_scalar(onnx, SP_ONNX_INT64, (double) n), &bounds[1]));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_AND, bounds[0], bounds[1], &bounds[0]));
	for (uint32_t at = 0; at < n_behind; at++)
		bounds[0].dims[bounds[0].rank++] = 1;
	made->domain = NULL;
	return sp_onnx_choose(onnx, node, bounds[0], *made, sp_onnx_scalar(onnx, made->elem, NAN), made);
}

SpStatus
sp_onnx_lookup(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue data, uint32_t axis, SpOnnxValue index,
			   SpOnnxValue *result)
{
	const SpOnnxValue *inputs[2] = {&data, &index};
	SpGeneral	spec = {0};
	SpOnnxValue made;
	void	   *memory;

	if (data.row_axis >= 0 && index.row_axis >= 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it works across rows, which is not supported");
	if (data.rank - 1 + index.rank > SP_ONNX_MAX_RANK)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "tensors of so many axes are not supported");
	SP_TRY(sp_onnx_emit(onnx, node, &index));
	SP_TRY(sp_onnx_cast(onnx, index.value, SP_TYPE_I64, &index.value));
	made = data;
	made.rank = data.rank - 1 + index.rank;
	made.row_axis = data.row_axis < (int) axis ? data.row_axis : data.row_axis + (int) index.rank - 1;
	if (index.row_axis >= 0)
	{
		made.row_axis = index.row_axis + (int) axis;
		made.is_inner = index.is_inner;
	}
	memcpy(made.dims + axis, index.dims, index.rank * sizeof(int64_t));
	memcpy(made.dims + axis + index.rank, data.dims + axis + 1, (data.rank - axis - 1) * sizeof(int64_t));
	if (data.kind == SP_ONNX_CONSTANT && data.rank == 1 && index.n_results == data.list.count &&
		!sp_onnx_is_float(data.elem))
	{
		/* kept as an index, which is what a label is in the end */
		SP_TRY(sp_onnx_memory(onnx, 1, sizeof(SpOnnxList), &memory));
		*(SpOnnxList *) memory = data.list;
		made.kind = SP_ONNX_LABEL;
		made.labels = memory;
		made.label_type = data.elem == SP_ONNX_STRING ? SP_TYPE_STRING : SP_TYPE_I64;
		made.value = index.value;
		made.n_results = index.n_results;
		made.is_cluster = index.is_cluster;
		*result = made;
		return SP_OK;
	}
	if (data.kind == SP_ONNX_CONSTANT)
	{
		SP_TRY(sp_onnx_memory(onnx, 1, sizeof(SpOnnxList), &memory));
		*(SpOnnxList *) memory = data.list;
		made.domain = memory;
	}
	sp_onnx_groups(&data, axis, axis, spec.dims);
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_TAKE, spec, inputs, 2, result));
	made.kind = SP_ONNX_NUMBERS;
	made.value = result->value;
	made.below = 0;
	*result = made;
	return sp_onnx_blank(onnx, node, index, data.dims[axis], data.rank - axis - 1, result);
}
