/*
 * src/ir/sp_builder_general.c
 *
 * Steps with an SpGeneral: what each op needs of its inputs, and the type and
 * width that it makes (sp_general.h).
 */
#include <math.h>
#include <string.h>

#include "ir/sp_builder_check.h"

/* a double from here on may stand for several integers */
#define EXACT_INTEGER 0x1p53

SpStatus
sp_check_refuse(const SpCheck *check, const char *what)
{
	return sp_fail(check->builder->cx, SP_ERR_FORMAT, "step %s: %s", sp_op_name(check->op), what);
}

SpStatus
sp_check_inputs(const SpCheck *check, uint32_t least, uint32_t most)
{
	if (check->spec->n_inputs < least || check->spec->n_inputs > most)
		return sp_check_refuse(check, "wrong number of inputs");
	return SP_OK;
}

SpStatus
sp_check_float(const SpCheck *check)
{
	SP_TRY(sp_check_inputs(check, 1, 1));
	return SP_IS_FLOAT(check->in[0].type) ? SP_OK : sp_check_refuse(check, "input is not a floating-point number");
}

SpStatus
sp_check_kind(const SpCheck *check, uint32_t end)
{
	return check->spec->kind >= 1 && check->spec->kind < end ? SP_OK : sp_check_refuse(check, "unknown kind");
}

/* dims = {outer, n, inner} must make up the width; their product. */
static SpStatus
need_groups(const SpCheck *check)
{
	const uint32_t *dims = check->spec->dims;
	uint64_t	product = (uint64_t) dims[0] * dims[1];

	if (dims[0] == 0 || dims[1] == 0 || dims[2] == 0 || product > SP_ROW_CAP ||
		product * dims[2] != check->in[0].width)
		return sp_check_refuse(check, "groups do not make up the input");
	return SP_OK;
}

static bool
is_integer(double number)
{
	return number == floor(number) && fabs(number) < EXACT_INTEGER;
}

static SpStatus
check_constant(SpCheck *check)
{
	const SpGeneral *spec = check->spec;
	double		n_categories = check->builder->model->n_categories;

	SP_TRY(sp_check_inputs(check, 0, 0));
	SP_TRY(sp_check_kind(check, SP_TYPE_STRING + 1));
	for (uint32_t at = 0; at < spec->n_numbers; at++)
	{
		double		number = spec->numbers[at];

		if (spec->kind == SP_TYPE_F32 && !isnan(number) && (double) (float) number != number)
			return sp_check_refuse(check, "a number is not a float32");
		if (!SP_IS_FLOAT(spec->kind) && !is_integer(number))
			return sp_check_refuse(check, "a number is not an exact integer");
		if (spec->kind == SP_TYPE_STRING && (number < -1 || number >= n_categories))
			return sp_check_refuse(check, "a category does not exist");
	}
	check->type = (SpType) spec->kind;
	check->width = spec->n_numbers;
	return SP_OK;
}

static SpStatus
check_gather(SpCheck *check)
{
	const SpGeneral *spec = check->spec;

	SP_TRY(sp_check_inputs(check, 1, 1));
	check->type = check->in[0].type;
	check->width = spec->n_indices;
	for (uint32_t at = 0; at < spec->n_indices; at++)
	{
		if (spec->indices[at] == SP_NO_INDEX && check->type != SP_TYPE_STRING)
			continue;
		if (spec->indices[at] >= check->in[0].width)
			return sp_check_refuse(check, "an index is out of range");
	}
	if (!SP_IS_FLOAT(check->type) && !is_integer(spec->params[0]))
		return sp_check_refuse(check, "what fills gaps is not an exact integer");
	return SP_OK;
}

static SpStatus
check_concat(SpCheck *check)
{
	SP_TRY(sp_check_inputs(check, 1, UINT32_MAX));
	check->type = check->in[0].type;
	for (uint32_t at = 0; at < check->spec->n_inputs; at++)
	{
		if (check->in[at].type != check->type || check->spec->dims[0] == 0 ||
			check->in[at].width % check->spec->dims[0] != 0)
			return sp_check_refuse(check, "inputs do not fit together");
		check->width += check->in[at].width;
	}
	return SP_OK;
}

/* The widest of inputs; the others have to divide it. */
static SpStatus
check_repeats(SpCheck *check, uint32_t from)
{
	if (check->in[from].type != check->in[from + 1].type)
		return sp_check_refuse(check, "operands differ in type");
	for (uint32_t at = 0; at < check->spec->n_inputs; at++)
		if (check->in[at].width > check->width)
			check->width = check->in[at].width;
	for (uint32_t at = 0; at < check->spec->n_inputs; at++)
		if (check->width % check->in[at].width != 0)
			return sp_check_refuse(check, "operands do not fit in width");
	check->type = check->in[from].type;
	return SP_OK;
}

static SpStatus
check_binary(SpCheck *check)
{
	uint32_t	kind = check->spec->kind;

	SP_TRY(sp_check_inputs(check, 2, 2));
	SP_TRY(sp_check_kind(check, SP_BINARY_END));
	SP_TRY(check_repeats(check, 0));
	if ((check->type == SP_TYPE_STRING && kind != SP_BINARY_EQ) ||
		(kind >= SP_BINARY_AND && check->type != SP_TYPE_I64))
		return sp_check_refuse(check, "operands of this type are not possible");
	if (kind >= SP_BINARY_EQ)
		check->type = SP_TYPE_I64;
	return SP_OK;
}

static SpStatus
check_where(SpCheck *check)
{
	SP_TRY(sp_check_inputs(check, 3, 3));
	if (check->in[0].type != SP_TYPE_I64)
		return sp_check_refuse(check, "condition is not an integer");
	return check_repeats(check, 1);
}

static SpStatus
check_apply(SpCheck *check)
{
	uint32_t	kind = check->spec->kind;
	SpType		type;

	SP_TRY(sp_check_inputs(check, 1, 1));
	SP_TRY(sp_check_kind(check, SP_APPLY_END));
	type = check->in[0].type;
	if (type == SP_TYPE_STRING || (kind == SP_APPLY_NOT && type != SP_TYPE_I64) ||
		(type == SP_TYPE_I64 && (kind < SP_APPLY_ABS || kind > SP_APPLY_NOT)))
		return sp_check_refuse(check, "input of this type is not possible");
	if (type == SP_TYPE_I64 && kind == SP_APPLY_CLIP &&
		((!is_integer(check->spec->params[0]) && check->spec->params[0] != -EXACT_INTEGER) ||
		 (!is_integer(check->spec->params[1]) && check->spec->params[1] != EXACT_INTEGER)))
		return sp_check_refuse(check, "a bound is not an exact integer");
	check->type = kind == SP_APPLY_IS_NAN || kind == SP_APPLY_IS_INF ? SP_TYPE_I64 : type;
	check->width = check->in[0].width;
	return SP_OK;
}

static SpStatus
check_reduce(SpCheck *check)
{
	uint32_t	kind = check->spec->kind;

	SP_TRY(sp_check_inputs(check, 1, 1));
	SP_TRY(sp_check_kind(check, SP_REDUCE_END));
	SP_TRY(need_groups(check));
	check->type = check->in[0].type;
	if (check->type == SP_TYPE_STRING ||
		(check->type == SP_TYPE_I64 && kind >= SP_REDUCE_MEAN && kind < SP_REDUCE_ARGMAX))
		return sp_check_refuse(check, "input of this type is not possible");
	if (kind >= SP_REDUCE_ARGMAX)
		check->type = SP_TYPE_I64;
	check->width = check->in[0].width / check->spec->dims[1];
	return SP_OK;
}

static SpStatus
check_group(SpCheck *check)
{
	SP_TRY(sp_check_kind(check, SP_GROUP_END));
	if (check->spec->kind == SP_GROUP_CUMSUM)
		SP_TRY(sp_check_inputs(check, 1, 1));
	else
		SP_TRY(sp_check_float(check));
	if (check->in[0].type == SP_TYPE_STRING)
		return sp_check_refuse(check, "input of this type is not possible");
	SP_TRY(need_groups(check));
	check->type = check->in[0].type;
	check->width = check->in[0].width;
	return SP_OK;
}

static SpStatus
check_take(SpCheck *check)
{
	const uint32_t *dims = check->spec->dims;

	SP_TRY(sp_check_inputs(check, 2, 2));
	SP_TRY(need_groups(check));
	if (check->in[1].type != SP_TYPE_I64 || check->spec->kind > 1)
		return sp_check_refuse(check, "index is not an integer");
	check->type = check->in[0].type;
	check->width = check->in[1].width;
	if (check->spec->kind == 0)
		check->width *= (uint64_t) dims[0] * dims[2];
	else if (check->width % ((uint64_t) dims[0] * dims[2]) != 0)
		return sp_check_refuse(check, "indices do not fit the input");
	return SP_OK;
}

static SpStatus
check_encode(SpCheck *check)
{
	const SpGeneral *spec = check->spec;

	SP_TRY(sp_check_inputs(check, 1, 1));
	if (spec->n_indices != spec->n_numbers || spec->dims[0] == 0 || spec->dims[1] >= spec->dims[0] ||
		(spec->dims[2] >= spec->dims[0] && spec->dims[2] != SP_NO_INDEX))
		return sp_check_refuse(check, "results do not fit the keys");
	for (uint32_t at = 0; at < spec->n_numbers; at++)
	{
		if (isnan(spec->numbers[at]) || (at > 0 && !(spec->numbers[at] > spec->numbers[at - 1])))
			return sp_check_refuse(check, "keys do not ascend");
		if (!SP_IS_FLOAT(check->in[0].type) && !is_integer(spec->numbers[at]))
			return sp_check_refuse(check, "a key is not an exact integer");
		if (spec->indices[at] >= spec->dims[0])
			return sp_check_refuse(check, "a result is out of range");
	}
	check->type = SP_TYPE_I64;
	check->width = check->in[0].width;
	return SP_OK;
}

static SpStatus
check_couple(SpCheck *check)
{
	uint64_t	n = check->spec->dims[0];

	SP_TRY(sp_check_float(check));
	if (n < 2 || n * (n - 1) / 2 != check->in[0].width)
		return sp_check_refuse(check, "input does not have one number for each pair");
	check->type = check->in[0].type;
	check->width = n;
	return SP_OK;
}

static SpStatus
check_topk(SpCheck *check)
{
	const uint32_t *dims = check->spec->dims;

	SP_TRY(sp_check_inputs(check, 1, 1));
	SP_TRY(need_groups(check));
	if (check->in[0].type == SP_TYPE_STRING || dims[3] == 0 || dims[3] > dims[1] || check->spec->kind > 1)
		return sp_check_refuse(check, "choice is not possible");
	check->type = SP_TYPE_I64;
	check->width = (uint64_t) check->in[0].width / dims[1] * dims[3];
	return SP_OK;
}

static SpStatus
check_product(SpCheck *check)
{
	const uint32_t *dims = check->spec->dims;
	uint64_t	a;
	uint64_t	b;

	SP_TRY(sp_check_inputs(check, 2, 2));
	for (int at = 0; at < 4; at++)
		if (dims[at] == 0 || dims[at] > SP_ROW_CAP)
			return sp_check_refuse(check, "shape is not possible");
	a = (uint64_t) dims[1] * dims[2];
	b = (uint64_t) dims[2] * dims[3];
	if (!SP_IS_FLOAT(check->in[0].type) || check->in[0].type != check->in[1].type ||
		a > SP_ROW_CAP || b > SP_ROW_CAP || (uint64_t) dims[1] * dims[3] > SP_ROW_CAP ||
		(check->in[0].width != a && check->in[0].width != a * dims[0]) ||
		(check->in[1].width != b && check->in[1].width != b * dims[0]))
		return sp_check_refuse(check, "inputs do not fit the shape");
	check->type = check->in[0].type;
	check->width = (uint64_t) dims[0] * dims[1] * dims[3];
	return SP_OK;
}

/* Arrays that an op does not use would be kept, and packed as if they were checked. */
static SpStatus
check_arrays(SpCheck *check)
{
	static const SpOp plain[] = {
		SP_OP_GATHER, SP_OP_CONCAT, SP_OP_BINARY, SP_OP_WHERE, SP_OP_APPLY, SP_OP_REDUCE, SP_OP_GROUP,
		SP_OP_TAKE, SP_OP_COUPLE, SP_OP_TOPK, SP_OP_PRODUCT
	};

	for (size_t at = 0; at < sizeof(plain) / sizeof(plain[0]); at++)
	{
		if (check->op != plain[at])
			continue;
		if (check->spec->n_numbers > 0)
			return sp_check_refuse(check, "it has numbers that it does not use");
		if (check->spec->n_indices > 0 && check->op != SP_OP_GATHER)
			return sp_check_refuse(check, "it has indices that it does not use");
	}
	return SP_OK;
}

static SpStatus
check_step(SpCheck *check)
{
	switch (check->op)
	{
		case SP_OP_CONSTANT:
			return check_constant(check);
		case SP_OP_GATHER:
			return check_gather(check);
		case SP_OP_CONCAT:
			return check_concat(check);
		case SP_OP_BINARY:
			return check_binary(check);
		case SP_OP_WHERE:
			return check_where(check);
		case SP_OP_APPLY:
			return check_apply(check);
		case SP_OP_REDUCE:
			return check_reduce(check);
		case SP_OP_GROUP:
			return check_group(check);
		case SP_OP_MATRIX:
			return sp_check_matrix(check);
		case SP_OP_TAKE:
			return check_take(check);
		case SP_OP_ENCODE:
			return check_encode(check);
		case SP_OP_KERNEL:
			return sp_check_kernel(check);
		case SP_OP_COUPLE:
			return check_couple(check);
		case SP_OP_TOPK:
			return check_topk(check);
		case SP_OP_PRODUCT:
			return check_product(check);
		case SP_OP_RECURRENT:
			return sp_check_recurrent(check);
		case SP_OP_CONV:
			return sp_check_conv(check);
		default:
			return sp_check_refuse(check, "not a general step");
	}
}

static SpStatus
copy_array(SpBuilder *builder, const void *from, size_t count, size_t size, void **copy)
{
	if (count > builder->cx->limits.max_elements)
		return sp_fail_limit(builder->cx, "max_elements", "step has %zu numbers, more than the limit of %llu",
							 count, (unsigned long long) builder->cx->limits.max_elements);
	SP_TRY(sp_alloc_array(builder->cx, count, size, copy));
	if (count > 0)
		memcpy(*copy, from, count * size);
	return SP_OK;
}

SpStatus
sp_builder_general(SpBuilder *builder, SpOp op, const SpGeneral *spec, uint32_t *value)
{
	SpStep		step = {.op = op, .in = spec->n_inputs > 0 ? spec->inputs[0] : 0, .u.general = *spec};
	SpGeneral  *made = &step.u.general;
	SpCheck		check = {.builder = builder, .op = op, .spec = spec};
	void	   *memory;

	SP_TRY(sp_builder_ready(builder));
	if (builder->model->n_inputs == 0 || spec->n_inputs > SP_ROW_CAP)
		return sp_check_refuse(&check, "wrong number of inputs");
	SP_TRY(sp_alloc_array(builder->cx, spec->n_inputs, sizeof(SpValue), &memory));
	check.in = memory;
	for (uint32_t at = 0; at < spec->n_inputs; at++)
	{
		check.in[at] = sp_builder_value(builder, spec->inputs[at]);
		if (check.in[at].width == 0)
			return sp_fail(builder->cx, SP_ERR_FORMAT, "step reads value %u, which does not exist",
						   spec->inputs[at]);
	}
	SP_TRY(check_arrays(&check));
	SP_TRY(check_step(&check));
	if (check.width > SP_ROW_CAP)
		return sp_fail(builder->cx, SP_ERR_LIMIT,
					   "one row of the model needs more than %d numbers", SP_ROW_CAP);
	SP_TRY(copy_array(builder, spec->inputs, spec->n_inputs, sizeof(uint32_t), (void **) &made->inputs));
	SP_TRY(copy_array(builder, spec->indices, spec->n_indices, sizeof(uint32_t), (void **) &made->indices));
	SP_TRY(copy_array(builder, spec->numbers, spec->n_numbers, sizeof(double), (void **) &made->numbers));
	builder->model->n_parameters += spec->n_numbers;
	sp_free(builder->cx, memory);
	return sp_builder_add(builder, &step, check.type, (uint32_t) check.width, value);
}
