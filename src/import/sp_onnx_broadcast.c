/*
 * src/import/sp_onnx_broadcast.c
 *
 * Operators of two or three tensors, element by element: the common shape,
 * constants worked out here, and what a result can be.
 */
#include <math.h>

#include "import/sp_onnx_internal.h"

/* Where the axis of rows is in the common shape, and what it holds. */
static SpStatus
sp_onnx_common_rows(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxValue *operand, SpOnnxValue *shape)
{
	int			axis = operand->row_axis + (int) (shape->rank - operand->rank);
	int64_t		count;

	if (operand->row_axis < 0)
		return SP_OK;
	count = operand->dims[operand->row_axis];
	if (shape->row_axis >= 0 &&
		(shape->row_axis != axis || shape->dims[axis] != count || (count > 1 && shape->is_inner != operand->is_inner)))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it mixes rows, which is not supported");
	shape->row_axis = axis;
	shape->is_inner = operand->is_inner;
	shape->dims[axis] = count;
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
		SP_TRY(sp_onnx_common_rows(onnx, node, operands[i], shape));
	for (size_t i = 0; i < count; i++)
	{
		uint32_t	shift = shape->rank - operands[i]->rank;

		for (uint32_t at = 0; at < operands[i]->rank; at++)
		{
			int64_t		dim = operands[i]->dims[at];

			if ((int) (at + shift) == shape->row_axis)
			{
				if (operands[i]->row_axis < 0 && dim != 1)
					return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a constant for each row is not supported");
				continue;
			}
			if (dim == 1 || dim == shape->dims[at + shift])
				continue;
			if (shape->dims[at + shift] != 1)
				return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "operands of %lld and %lld elements do not fit together",
									(long long) shape->dims[at + shift], (long long) dim);
			shape->dims[at + shift] = dim;
		}
	}
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
