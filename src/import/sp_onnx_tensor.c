/*
 * src/import/sp_onnx_tensor.c
 *
 * Tensors of a graph: their shapes, constants, and the steps that operators
 * are made of.
 *
 * Moving elements, whatever the operator calls it, is one list of indices: it
 * is carried out here for a constant, and becomes a GATHER otherwise.
 */
#include <math.h>
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
		return sp_fail(onnx->cx, SP_ERR_LIMIT, "a tensor of the ONNX graph has %zu elements, more than the limit of %llu",
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
	SP_TRY(sp_onnx_lookup(onnx, node, table, 0, index, value));
	value->domain = index.labels;
	return SP_OK;
}

SpStatus
sp_onnx_tensor(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value)
{
	const SpOnnxValue *found;

	SP_TRY(sp_onnx_input(onnx, node, input, &found));
	*value = *found;
	if (value->kind == SP_ONNX_LABEL)
		SP_TRY(sp_onnx_resolve(onnx, node, value));
	if (value->kind == SP_ONNX_SCORES)
		value->kind = SP_ONNX_NUMBERS;
	if (sp_onnx_type(value->elem) == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "tensors of the element type %d are not supported", value->elem);
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
	made.is_cluster = false;
	made.is_probability = false;
	SP_TRY(sp_builder_general(onnx->builder, op, &spec, &made.value));
	*result = made;
	return SP_OK;
}

/* The common shape of operands; its row axis is where theirs is. */
static SpStatus
sp_onnx_common_shape(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *const *operands,
					 size_t count, SpOnnxValue *shape)
{
	*shape = (SpOnnxValue) {.kind = SP_ONNX_NUMBERS, .row_axis = -1};
	for (size_t i = 0; i < count; i++)
		shape->rank = operands[i]->rank > shape->rank ? operands[i]->rank : shape->rank;
	for (uint32_t at = 0; at < shape->rank; at++)
		shape->dims[at] = 1;
	for (size_t i = 0; i < count; i++)
	{
		uint32_t	shift = shape->rank - operands[i]->rank;

		if (operands[i]->row_axis >= 0)
		{
			int			axis = operands[i]->row_axis + (int) shift;

			if (shape->row_axis >= 0 && shape->row_axis != axis)
				return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it mixes rows, which is not supported");
			shape->row_axis = axis;
		}
		for (uint32_t at = 0; at < operands[i]->rank; at++)
		{
			int64_t		dim = operands[i]->dims[at];

			if (dim == 1 || dim == shape->dims[at + shift])
				continue;
			if (shape->dims[at + shift] != 1)
				return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "operands of %lld and %lld elements do not fit together",
									(long long) shape->dims[at + shift], (long long) dim);
			shape->dims[at + shift] = dim;
		}
	}
	if (shape->row_axis >= 0 && shape->dims[shape->row_axis] != 1)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a constant for each row is not supported");
	return SP_OK;
}

/*
 * An operand in the common shape.  Steps repeat a narrow one, so elements are
 * moved only where a trailing axis has to grow.
 */
static SpStatus
sp_onnx_spread(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *operand, const SpOnnxValue *shape)
{
	uint32_t	shift = shape->rank - operand->rank;
	int64_t		own[SP_ONNX_MAX_RANK];
	int64_t		strides[SP_ONNX_MAX_RANK] = {0};
	bool		is_suffix = true;
	bool		has_grown = false;

	sp_onnx_strides(operand, own);
	for (uint32_t at = shape->rank; at > 0; at--)
	{
		int64_t		dim = at > shift ? operand->dims[at - 1 - shift] : 1;

		if (dim > 1)
			strides[at - 1] = own[at - 1 - shift];
		if (dim > 1 && has_grown)
			is_suffix = false;
		has_grown = has_grown || dim != shape->dims[at - 1];
	}
	if (!is_suffix && sp_onnx_width(operand) > 1)
		return sp_onnx_view(onnx, node, operand, shape->rank, shape->dims, strides, 0);
	return SP_OK;
}

/* Integers and floats of constants are worked out here: shapes depend on them. */
static bool
sp_onnx_fold(SpBinary kind, double a, double b, int32_t elem, double *result)
{
	if ((a == SP_ONNX_ROWS || b == SP_ONNX_ROWS) &&
		!(kind == SP_BINARY_EQ || (kind == SP_BINARY_MUL && (a == 1 || b == 1))))
		return false;
	switch (kind)
	{
		case SP_BINARY_ADD:
			*result = a + b;
			break;
		case SP_BINARY_SUB:
			*result = a - b;
			break;
		case SP_BINARY_MUL:
			*result = a == SP_ONNX_ROWS || b == SP_ONNX_ROWS ? SP_ONNX_ROWS : a * b;
			break;
		case SP_BINARY_DIV:
			*result = sp_onnx_is_float(elem) ? a / b : b == 0 ? 0 : trunc(a / b);
			break;
		case SP_BINARY_EQ:
			*result = a == b;
			break;
		default:
			return false;
	}
	if (elem == SP_ONNX_FLOAT)
		*result = (float) *result;
	return sp_onnx_is_float(elem) || fabs(*result) <= 0x1p53;
}

/* Every pair of a list with a number, if both are constant or the result's domain is asked for. */
static SpStatus
sp_onnx_fold_lists(SpOnnx *onnx, SpBinary kind, const SpOnnxList *a, const SpOnnxList *b, int32_t elem,
				   SpOnnxList *list)
{
	void	   *memory;
	size_t		count = a->count > b->count ? a->count : b->count;

	list->count = 0;
	if (a->numbers == NULL || b->numbers == NULL || a->count == 0 || b->count == 0 ||
		count % a->count != 0 || count % b->count != 0)
		return SP_OK;
	SP_TRY(sp_onnx_memory(onnx, count, sizeof(double), &memory));
	list->numbers = memory;
	for (size_t at = 0; at < count; at++)
		if (!sp_onnx_fold(kind, a->numbers[at % a->count], b->numbers[at % b->count], elem, &list->numbers[at]))
			return SP_OK;
	list->count = count;
	return SP_OK;
}

/* What a result can be, where one operand is one of a few numbers and the other one constant. */
static SpStatus
sp_onnx_fold_domain(SpOnnx *onnx, SpBinary kind, const SpOnnxValue *a, const SpOnnxValue *b, SpOnnxValue *result)
{
	const SpOnnxList *first = a->kind == SP_ONNX_CONSTANT ? &a->list : a->domain;
	const SpOnnxList *second = b->kind == SP_ONNX_CONSTANT ? &b->list : b->domain;
	void	   *memory;
	SpOnnxList *list;

	if (kind >= SP_BINARY_EQ)
	{
		SP_TRY(sp_onnx_memory(onnx, 1, sizeof(SpOnnxList), &memory));
		list = memory;
		SP_TRY(sp_onnx_memory(onnx, 2, sizeof(double), &memory));
		list->numbers = memory;
		list->numbers[1] = 1;
		list->count = 2;
		result->domain = list;
		return SP_OK;
	}
	if (first == NULL || second == NULL || (first->count != 1 && second->count != 1))
		return SP_OK;
	SP_TRY(sp_onnx_memory(onnx, 1, sizeof(SpOnnxList), &memory));
	list = memory;
	SP_TRY(sp_onnx_fold_lists(onnx, kind, first, second, a->elem, list));
	if (list->count > 0)
		result->domain = list;
	return SP_OK;
}

SpStatus
sp_onnx_binary(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpBinary kind, SpOnnxValue a, SpOnnxValue b,
			   SpOnnxValue *result)
{
	SpOnnxValue *operands[2] = {&a, &b};
	const SpOnnxValue *inputs[2] = {&a, &b};
	SpOnnxValue shape;
	SpOnnxValue made;
	int32_t		elem = kind >= SP_BINARY_EQ ? SP_ONNX_BOOL : a.elem;

	if (sp_onnx_type(a.elem) != sp_onnx_type(b.elem))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "operands of different types are not supported");
	/* strings that the model does not know are all the same to us */
	if (a.elem == SP_ONNX_STRING && a.kind != SP_ONNX_CONSTANT && b.kind != SP_ONNX_CONSTANT)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "comparing strings with anything but constants is not supported");
	SP_TRY(sp_onnx_common_shape(onnx, node, operands, 2, &shape));
	SP_TRY(sp_onnx_spread(onnx, node, &a, &shape));
	SP_TRY(sp_onnx_spread(onnx, node, &b, &shape));
	made = shape;
	made.kind = SP_ONNX_CONSTANT;
	if (a.kind == SP_ONNX_CONSTANT && b.kind == SP_ONNX_CONSTANT)
		SP_TRY(sp_onnx_fold_lists(onnx, kind, &a.list, &b.list, a.elem, &made.list));
	if (made.list.count == 0 || made.list.count != sp_onnx_width(&shape))
	{
		SpOnnxValue step;

		SP_TRY(sp_onnx_step(onnx, node, SP_OP_BINARY, (SpGeneral) {.kind = kind}, inputs, 2, &step));
		made = shape;
		made.value = step.value;
		SP_TRY(sp_onnx_fold_domain(onnx, kind, &a, &b, &made));
	}
	made.elem = elem;
	*result = made;
	return SP_OK;
}

/* Two lists of possibilities as one. */
static SpStatus
sp_onnx_union(SpOnnx *onnx, const SpOnnxValue *a, const SpOnnxValue *b, const SpOnnxList **domain)
{
	const SpOnnxList *lists[2];
	SpOnnxList *list;
	void	   *memory;

	lists[0] = a->kind == SP_ONNX_CONSTANT ? &a->list : a->domain;
	lists[1] = b->kind == SP_ONNX_CONSTANT ? &b->list : b->domain;
	*domain = NULL;
	if (lists[0] == NULL || lists[1] == NULL || (lists[0]->texts == NULL) != (lists[1]->texts == NULL))
		return SP_OK;
	SP_TRY(sp_onnx_memory(onnx, 1, sizeof(SpOnnxList), &memory));
	list = memory;
	SP_TRY(sp_onnx_memory(onnx, lists[0]->count + lists[1]->count, lists[0]->texts ? sizeof(SpStr) : sizeof(double), &memory));
	if (lists[0]->texts)
		list->texts = memory;
	else
		list->numbers = memory;
	for (int which = 0; which < 2; which++)
		for (size_t at = 0; at < lists[which]->count; at++, list->count++)
		{
			if (list->texts)
				list->texts[list->count] = lists[which]->texts[at];
			else
				list->numbers[list->count] = lists[which]->numbers[at];
		}
	*domain = list;
	return SP_OK;
}

SpStatus
sp_onnx_choose(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue condition, SpOnnxValue a, SpOnnxValue b,
			   SpOnnxValue *result)
{
	SpOnnxValue *operands[3] = {&condition, &a, &b};
	const SpOnnxValue *inputs[3] = {&condition, &a, &b};
	SpOnnxValue shape;
	SpOnnxValue step;
	int32_t		elem = a.elem;

	if (sp_onnx_type(a.elem) != sp_onnx_type(b.elem))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "operands of different types are not supported");
	SP_TRY(sp_onnx_common_shape(onnx, node, operands, 3, &shape));
	for (int at = 0; at < 3; at++)
		SP_TRY(sp_onnx_spread(onnx, node, operands[at], &shape));
	shape.elem = elem;
	SP_TRY(sp_onnx_union(onnx, &a, &b, &shape.domain));
	if (condition.kind == SP_ONNX_CONSTANT && a.kind == SP_ONNX_CONSTANT && b.kind == SP_ONNX_CONSTANT &&
		a.list.numbers && b.list.numbers)
	{
		void	   *memory;

		shape.kind = SP_ONNX_CONSTANT;
		shape.list.count = sp_onnx_width(&shape);
		SP_TRY(sp_onnx_memory(onnx, shape.list.count, sizeof(double), &memory));
		shape.list.numbers = memory;
		for (size_t at = 0; at < shape.list.count; at++)
			shape.list.numbers[at] = condition.list.numbers[at % condition.list.count] != 0 ?
				a.list.numbers[at % a.list.count] : b.list.numbers[at % b.list.count];
		*result = shape;
		return SP_OK;
	}
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_WHERE, (SpGeneral) {0}, inputs, 3, &step));
	shape.value = step.value;
	*result = shape;
	return SP_OK;
}
