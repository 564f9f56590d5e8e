/*
 * src/import/sp_onnx_tensor.c
 *
 * Tensors of a graph: their shapes, constants, and the steps that operators
 * are made of.
 *
 * Moving elements, whatever the operator calls it, is one list of indices: it
 * is carried out here for a constant, and becomes a GATHER otherwise.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

bool
sp_onnx_is_float(int32_t elem)
{
	return elem == SP_ONNX_FLOAT || elem == SP_ONNX_DOUBLE;
}

SpType
sp_onnx_type(int32_t elem)
{
	switch (elem)
	{
		case SP_ONNX_FLOAT:
			return SP_TYPE_F32;
		case SP_ONNX_DOUBLE:
			return SP_TYPE_F64;
		case SP_ONNX_STRING:
			return SP_TYPE_STRING;
		case SP_ONNX_UINT8:
		case SP_ONNX_INT8:
		case SP_ONNX_UINT16:
		case SP_ONNX_INT16:
		case SP_ONNX_INT32:
		case SP_ONNX_INT64:
		case SP_ONNX_BOOL:
		case SP_ONNX_UINT32:
			return SP_TYPE_I64;
		default:
			return (SpType) 0;
	}
}

size_t
sp_onnx_width(const SpOnnxValue *value)
{
	size_t		width = 1;

	for (uint32_t at = 0; at < value->rank; at++)
		width *= (size_t) value->dims[at];
	return width;
}

bool
sp_onnx_has_input(const SpOnnx__NodeProto *node, size_t input)
{
	return input < node->n_input && node->input[input].len > 0;
}

SpOnnxValue
sp_onnx_row(const SpOnnx *onnx, uint32_t value, int32_t elem)
{
	SpOnnxValue row = {.kind = SP_ONNX_NUMBERS, .value = value, .elem = elem, .rank = 2};

	row.dims[0] = 1;
	row.dims[1] = sp_builder_value(onnx->builder, value).width;
	return row;
}

SpStatus
sp_onnx_memory(SpOnnx *onnx, size_t count, size_t size, void **memory)
{
	if (count > onnx->cx->limits.max_elements)
		return sp_fail_limit(onnx->cx, "max_elements", "a tensor of the ONNX graph has %zu elements, more than the limit of %llu",
							 count, (unsigned long long) onnx->cx->limits.max_elements);
	return sp_alloc_array(onnx->cx, count, size, memory);
}

/* Numbers of the list as categories or as they are. */
static SpStatus
sp_onnx_list_numbers(SpOnnx *onnx, const SpOnnxList *list, double **numbers)
{
	void	   *memory;

	*numbers = list->numbers;
	if (list->texts == NULL)
		return SP_OK;
	SP_TRY(sp_onnx_memory(onnx, list->count, sizeof(double), &memory));
	*numbers = memory;
	for (size_t at = 0; at < list->count; at++)
	{
		int64_t		number;

		SP_TRY(sp_builder_category(onnx->builder, list->texts[at], &number));
		(*numbers)[at] = (double) number;
	}
	return SP_OK;
}

SpStatus
sp_onnx_emit(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value)
{
	SpGeneral	spec = {.kind = sp_onnx_type(value->elem), .n_numbers = (uint32_t) value->list.count};

	if (value->kind != SP_ONNX_CONSTANT)
		return SP_OK;
	/* a number that sp_onnx_scalar found no memory for */
	if (value->list.count == 0 && onnx->cx->error.status == SP_ERR_MEMORY)
		return SP_ERR_MEMORY;
	if (value->list.count == 0 || value->list.count > UINT32_MAX)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a tensor without elements is not supported");
	for (size_t at = 0; value->list.numbers && at < value->list.count; at++)
		if (value->list.numbers[at] == SP_ONNX_ROWS)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "computing with the number of rows is not supported");
	SP_TRY(sp_onnx_list_numbers(onnx, &value->list, &spec.numbers));
	SP_TRY(sp_builder_general(onnx->builder, SP_OP_CONSTANT, &spec, &value->value));
	value->kind = SP_ONNX_NUMBERS;
	return SP_OK;
}

/* A label's index becomes the label. */
static SpStatus
sp_onnx_resolve(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value)
{
	SpOnnxValue table = {.kind = SP_ONNX_CONSTANT, .rank = 1, .row_axis = -1};
	SpOnnxValue index = *value;

	table.list = *value->labels;
	table.elem = value->label_type == SP_TYPE_STRING ? SP_ONNX_STRING : SP_ONNX_INT64;
	table.dims[0] = (int64_t) table.list.count;
	index.kind = SP_ONNX_NUMBERS;
	index.n_results = 0;
	index.below = (int64_t) table.list.count;
	SP_TRY(sp_onnx_lookup(onnx, node, table, 0, index, value));
	value->domain = index.labels;
	return SP_OK;
}

/* One margin of two classes is two columns in ONNX Runtime, one with its sign turned. */
static SpStatus
sp_onnx_both_margins(SpOnnx *onnx, SpOnnxValue *value)
{
	uint32_t	columns[2];
	SpGeneral	spec = {.n_inputs = 2, .inputs = columns, .dims = {1}};

	columns[0] = columns[1] = value->value;
	SP_TRY(sp_builder_map(onnx->builder, value->value, SP_MAP_NEGATE, &columns[value->is_first ? 1 : 0]));
	SP_TRY(sp_builder_general(onnx->builder, SP_OP_CONCAT, &spec, &value->value));
	value->dims[1] = 2;
	return SP_OK;
}

SpStatus
sp_onnx_loose(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value)
{
	const SpOnnxValue *found;

	SP_TRY(sp_onnx_input(onnx, node, input, &found));
	*value = *found;
	if (value->kind == SP_ONNX_LABEL)
		SP_TRY(sp_onnx_resolve(onnx, node, value));
	if (value->kind == SP_ONNX_SCORES && sp_onnx_width(value) == 1)
		SP_TRY(sp_onnx_both_margins(onnx, value));
	if (value->kind == SP_ONNX_SCORES)
		value->kind = SP_ONNX_NUMBERS;
	if (value->kind == SP_ONNX_MAP || value->kind == SP_ONNX_SEQUENCE)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a dictionary or sequence as input is not supported");
	if (sp_onnx_type(value->elem) == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "tensors of the element type %d are not supported", value->elem);
	return SP_OK;
}

SpStatus
sp_onnx_tensor(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value)
{
	SP_TRY(sp_onnx_loose(onnx, node, input, value));
	if (value->row_axis >= 0 && value->dims[value->row_axis] != 1)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an axis of rows with several elements for each row is not supported");
	return SP_OK;
}

SpStatus
sp_onnx_operand(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value)
{
	SP_TRY(sp_onnx_tensor(onnx, node, input, value));
	return sp_onnx_emit(onnx, node, value);
}

SpStatus
sp_onnx_fixed(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value)
{
	SP_TRY(sp_onnx_tensor(onnx, node, input, value));
	if (value->kind != SP_ONNX_CONSTANT)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "input %zu is not a constant", input);
	return SP_OK;
}

SpStatus
sp_onnx_ints(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, size_t input,
			 int64_t **ints, size_t *count)
{
	const SpOnnx__AttributeProto *attribute = NULL;
	SpOnnxValue value;
	void	   *memory;

	*ints = NULL;
	*count = 0;
	if (name)
		SP_TRY(sp_onnx_attribute(onnx, node, name, SP_ONNX_ATTR_INTS, &attribute));
	if (attribute)
	{
		*ints = attribute->ints ? attribute->ints : (int64_t *) onnx;
		*count = attribute->n_ints;
		return SP_OK;
	}
	if (!sp_onnx_has_input(node, input))
		return SP_OK;
	SP_TRY(sp_onnx_fixed(onnx, node, input, &value));
	if (value.list.numbers == NULL || sp_onnx_is_float(value.elem))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "input %zu is not a list of integers", input);
	SP_TRY(sp_onnx_memory(onnx, value.list.count, sizeof(int64_t), &memory));
	*ints = memory;
	*count = value.list.count;
	for (size_t at = 0; at < *count; at++)
	{
		double		number = value.list.numbers[at];

		(*ints)[at] = number >= 0x1p62 ? INT64_MAX / 2 : number <= -0x1p62 ? INT64_MIN / 2 : (int64_t) number;
	}
	return SP_OK;
}

SpStatus
sp_onnx_float(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, double otherwise, double *number)
{
	const SpOnnx__AttributeProto *attribute;

	SP_TRY(sp_onnx_attribute(onnx, node, name, SP_ONNX_ATTR_FLOAT, &attribute));
	*number = attribute ? attribute->f : otherwise;
	return SP_OK;
}

SpStatus
sp_onnx_number(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, size_t input, double otherwise, double *number)
{
	SpOnnxValue value;

	SP_TRY(sp_onnx_float(onnx, node, name, otherwise, number));
	if (!sp_onnx_has_input(node, input))
		return SP_OK;
	SP_TRY(sp_onnx_fixed(onnx, node, input, &value));
	if (value.list.count != 1 || value.list.numbers == NULL)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "input %zu is not one number", input);
	*number = value.list.numbers[0];
	return SP_OK;
}

SpStatus
sp_onnx_axis(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxValue *value, int64_t axis,
			 uint32_t *result)
{
	if (axis < 0)
		axis += value->rank;
	if (axis < 0 || axis >= value->rank)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "axis %lld of a tensor with %u axes", (long long) axis, value->rank);
	if (axis == value->row_axis)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it works across rows, which is not supported");
	*result = (uint32_t) axis;
	return SP_OK;
}

SpOnnxValue
sp_onnx_scalar(SpOnnx *onnx, int32_t elem, double number)
{
	SpOnnxValue value = {.kind = SP_ONNX_CONSTANT, .elem = elem, .row_axis = -1};
	void	   *memory;

	if (sp_alloc_array(onnx->cx, 1, sizeof(double), &memory) == SP_OK)
	{
		value.list.numbers = memory;
		value.list.numbers[0] = elem == SP_ONNX_FLOAT ? (double) (float) number : number;
		value.list.count = 1;
	}
	return value;
}

/* Moving elements */

void
sp_onnx_strides(const SpOnnxValue *value, int64_t *strides)
{
	int64_t		stride = 1;

	for (uint32_t at = value->rank; at > 0; at--)
	{
		strides[at - 1] = stride;
		stride *= value->dims[at - 1];
	}
}

static SpStatus
sp_onnx_pick_list(SpOnnx *onnx, SpOnnxList *list, const uint32_t *indices, size_t count, double fill)
{
	SpOnnxList	made = {.count = count};
	void	   *memory;

	SP_TRY(sp_onnx_memory(onnx, count, list->texts ? sizeof(SpStr) : sizeof(double), &memory));
	if (list->texts)
		made.texts = memory;
	else
		made.numbers = memory;
	for (size_t at = 0; at < count; at++)
	{
		if (list->texts)
			made.texts[at] = list->texts[indices[at]];
		else
			made.numbers[at] = indices[at] == SP_NO_INDEX ? fill : list->numbers[indices[at]];
	}
	*list = made;
	return SP_OK;
}

SpStatus
sp_onnx_pick(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, const uint32_t *indices,
			 size_t count, double fill)
{
	SpGeneral	spec = {.n_inputs = 1, .n_indices = (uint32_t) count, .params = {fill}};
	bool		is_same;

	if (value->kind == SP_ONNX_CONSTANT)
		return sp_onnx_pick_list(onnx, &value->list, indices, count, fill);
	is_same = count == sp_builder_value(onnx->builder, value->value).width;
	for (size_t at = 0; is_same && at < count; at++)
		is_same = indices[at] == at;
	if (is_same)
		return SP_OK;
	if (count == 0 || count > UINT32_MAX)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a tensor without elements is not supported");
	spec.inputs = &value->value;
	spec.indices = (uint32_t *) indices;
	value->n_results = value->kind == SP_ONNX_LABEL ? 0 : value->n_results;
	return sp_builder_general(onnx->builder, SP_OP_GATHER, &spec, &value->value);
}

SpStatus
sp_onnx_view(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, uint32_t rank,
			 const int64_t *dims, const int64_t *strides, int64_t first)
{
	int64_t		place[SP_ONNX_MAX_RANK] = {0};
	size_t		count = 1;
	uint32_t   *indices;

	for (uint32_t at = 0; at < rank; at++)
		if (dims[at] < 0 || !sp_mul_size(count, (size_t) dims[at], &count) || count > UINT32_MAX)
			return sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "a tensor is too large");
	SP_TRY(sp_onnx_memory(onnx, count, sizeof(uint32_t), (void **) &indices));
	for (size_t at = 0; at < count; at++)
	{
		if (at % 65536 == 65535)
			SP_TRY(sp_poll(onnx->cx));
		indices[at] = (uint32_t) first;
		for (uint32_t axis = rank; axis > 0; axis--)
		{
			first += strides[axis - 1];
			if (++place[axis - 1] < dims[axis - 1])
				break;
			first -= strides[axis - 1] * dims[axis - 1];
			place[axis - 1] = 0;
		}
	}
	SP_TRY(sp_onnx_pick(onnx, node, value, indices, count, 0));
	sp_free(onnx->cx, indices);
	value->rank = rank;
	memmove(value->dims, dims, rank * sizeof(int64_t));
	return SP_OK;
}

/* Steps */

SpStatus
sp_onnx_step(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOp op, SpGeneral spec,
			 const SpOnnxValue *const *inputs, size_t n_inputs, SpOnnxValue *result)
{
	uint32_t	values[3];
	SpOnnxValue made = *inputs[0];
	SpStatus	status;

	for (size_t at = 0; at < n_inputs; at++)
	{
		SpOnnxValue value = *inputs[at];

		SP_TRY(sp_onnx_emit(onnx, node, &value));
		values[at] = value.value;
	}
	spec.n_inputs = (uint32_t) n_inputs;
	spec.inputs = values;
	made.kind = SP_ONNX_NUMBERS;
	made.domain = NULL;
	made.n_results = 0;
	made.below = 0;
	made.is_cluster = false;
	made.is_probability = false;
	made.is_sign = false;
	status = sp_builder_general(onnx->builder, op, &spec, &made.value);
	if (status == SP_ERR_FORMAT)
	{
		char		reason[sizeof(onnx->cx->error.message)];

		memcpy(reason, onnx->cx->error.message, sizeof(reason));
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%s", reason);
	}
	*result = made;
	return status;
}
