/*
 * src/ir/sp_builder_missing.c
 *
 * Which features the model has a rule for when they are missing.
 *
 * Every element of every value is marked with the feature whose NaN makes it
 * NaN, in one pass over the steps.  A step that gives NaN a meaning makes an
 * element without a mark; one that computes element by element hands the mark
 * on; all others would let the NaN spread or take it for a number, so that the
 * features they read have no rule.  A feature that reaches nobody needs none.
 */
#include "ir/sp_builder_internal.h"

/*
 * Feature f is f + 1, 0 is none.  An integer that tells whether the feature is
 * NaN, or that it is not, has one of the flags; it is a number like any other
 * to all but WHERE.  SP_ROW_CAP keeps features far below them.
 */
#define IS_MISSING (UINT32_C(1) << 30)
#define IS_PRESENT (UINT32_C(1) << 31)

typedef struct Flow
{
	SpModel    *model;
	uint32_t  **marks;			/* of each value; NULL where no output needs it */
	uint32_t   *memory;
} Flow;

static bool
is_float(SpType type)
{
	return type == SP_TYPE_F32 || type == SP_TYPE_F64;
}

/* Whoever reads this mark has no use for a NaN. */
static void
spoil(Flow *flow, uint32_t mark)
{
	if (mark != 0 && (mark & (IS_MISSING | IS_PRESENT)) == 0)
		flow->model->features[mark - 1].accepts_missing = false;
}

static void
spoil_value(Flow *flow, uint32_t value)
{
	for (uint32_t at = 0; at < flow->model->values[value].width; at++)
		spoil(flow, flow->marks[value][at]);
}

static void
spoil_inputs(Flow *flow, const SpStep *step)
{
	spoil_value(flow, step->in);
	for (uint32_t i = 1; SP_OP_IS_GENERAL(step->op) && i < step->u.general.n_inputs; i++)
		spoil_value(flow, step->u.general.inputs[i]);
}

static void
copy_marks(Flow *flow, const SpStep *step)
{
	for (uint32_t at = 0; at < flow->model->values[step->out].width; at++)
		flow->marks[step->out][at] = flow->marks[step->in][at];
}

/* An element that is NaN as soon as one of two is; nobody could tell later which one it was. */
static uint32_t
join(Flow *flow, uint32_t a, uint32_t b)
{
	if (a == b || b == 0)
		return a;
	if (a == 0)
		return b;
	spoil(flow, a);
	spoil(flow, b);
	return 0;
}

static void
flow_gather(Flow *flow, const SpStep *step)
{
	const SpGeneral *general = &step->u.general;

	for (uint32_t at = 0; at < general->n_indices; at++)
		if (general->indices[at] != SP_NO_INDEX)
			flow->marks[step->out][at] = flow->marks[step->in][general->indices[at]];
}

static void
flow_concat(Flow *flow, const SpStep *step)
{
	const SpGeneral *general = &step->u.general;
	uint32_t   *out = flow->marks[step->out];
	uint32_t	n_outer = general->dims[0];

	for (uint32_t outer = 0; outer < n_outer; outer++)
		for (uint32_t i = 0; i < general->n_inputs; i++)
		{
			uint32_t	width = flow->model->values[general->inputs[i]].width / n_outer;

			for (uint32_t at = 0; at < width; at++)
				*out++ = flow->marks[general->inputs[i]][outer * width + at];
		}
}

static void
flow_binary(Flow *flow, const SpStep *step)
{
	const SpModel *model = flow->model;
	const uint32_t *inputs = step->u.general.inputs;

	if (!is_float(model->values[step->out].type) ||
		!(step->u.general.kind <= SP_BINARY_DIV || step->u.general.kind == SP_BINARY_MAX ||
		  step->u.general.kind == SP_BINARY_MIN))
	{
		spoil_inputs(flow, step);
		return;
	}
	for (uint32_t at = 0; at < model->values[step->out].width; at++)
		flow->marks[step->out][at] = join(flow, flow->marks[inputs[0]][at % model->values[inputs[0]].width],
										  flow->marks[inputs[1]][at % model->values[inputs[1]].width]);
}

/*
 * Where the condition tells that a feature is NaN, the branch for one that is
 * not never shows its NaN: this is what imputers are made of.
 */
static void
flow_where(Flow *flow, const SpStep *step)
{
	const SpModel *model = flow->model;
	const uint32_t *inputs = step->u.general.inputs;

	for (uint32_t at = 0; at < model->values[step->out].width; at++)
	{
		uint32_t	condition = flow->marks[inputs[0]][at % model->values[inputs[0]].width];
		uint32_t	yes = flow->marks[inputs[1]][at % model->values[inputs[1]].width];
		uint32_t	no = flow->marks[inputs[2]][at % model->values[inputs[2]].width];

		if ((condition & IS_MISSING) != 0 && no == (condition & ~IS_MISSING))
			no = 0;
		if ((condition & IS_PRESENT) != 0 && yes == (condition & ~IS_PRESENT))
			yes = 0;
		spoil(flow, condition);
		if (yes == no)
			flow->marks[step->out][at] = yes;
		else
		{
			spoil(flow, yes);
			spoil(flow, no);
		}
	}
}

static void
flow_apply(Flow *flow, const SpStep *step)
{
	uint32_t   *out = flow->marks[step->out];
	uint32_t	width = flow->model->values[step->out].width;

	switch ((SpApply) step->u.general.kind)
	{
		case SP_APPLY_IS_NAN:
			for (uint32_t at = 0; at < width; at++)
				out[at] = flow->marks[step->in][at] == 0 ? 0 : flow->marks[step->in][at] | IS_MISSING;
			return;
		case SP_APPLY_NOT:
			spoil_inputs(flow, step);
			for (uint32_t at = 0; at < width; at++)
				if ((flow->marks[step->in][at] & (IS_MISSING | IS_PRESENT)) != 0)
					out[at] = flow->marks[step->in][at] ^ (IS_MISSING | IS_PRESENT);
			return;
		case SP_APPLY_EXP:
		case SP_APPLY_SQRT:
		case SP_APPLY_LOG:
		case SP_APPLY_ABS:
		case SP_APPLY_NEGATE:
		case SP_APPLY_RECIPROCAL:
		case SP_APPLY_AFFINE:
			if (is_float(flow->model->values[step->out].type))
			{
				copy_marks(flow, step);
				return;
			}
			break;
		default:
			break;
	}
	spoil_inputs(flow, step);
}

static void
flow_step(Flow *flow, const SpStep *step)
{
	SpType		in = flow->model->values[step->in].type;
	SpType		out = flow->model->values[step->out].type;
	bool		has_rule = false;

	switch (step->op)
	{
		case SP_OP_SCALE:
			copy_marks(flow, step);
			return;
		case SP_OP_CAST:
			if (in == out || (is_float(in) && is_float(out)))
			{
				copy_marks(flow, step);
				return;
			}
			break;
		case SP_OP_GATHER:
			flow_gather(flow, step);
			return;
		case SP_OP_CONCAT:
			flow_concat(flow, step);
			return;
		case SP_OP_BINARY:
			flow_binary(flow, step);
			return;
		case SP_OP_WHERE:
			flow_where(flow, step);
			return;
		case SP_OP_APPLY:
			flow_apply(flow, step);
			return;
		case SP_OP_TREES:
			has_rule = step->u.trees.accepts_missing;
			break;
		case SP_OP_MAP:
			has_rule = step->u.map == SP_MAP_NAN_ZERO;
			break;
		case SP_OP_ENCODE:
			has_rule = is_float(in) && step->u.general.dims[2] != SP_NO_INDEX;
			break;
		case SP_OP_CONSTANT:
			return;
		default:
			break;
	}
	if (!has_rule)
		spoil_inputs(flow, step);
}

/* Marks for all values that an output needs. */
static SpStatus
flow_begin(SpBuilder *builder, Flow *flow)
{
	const SpModel *model = flow->model;
	size_t		n_elements = 0;
	void	   *memory;
	bool	   *needed;

	SP_TRY(sp_alloc_array(builder->cx, model->n_values, sizeof(bool), &memory));
	needed = memory;
	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if (model->outputs[output] != SP_NO_VALUE)
			needed[model->outputs[output]] = true;
	for (uint32_t at = model->n_steps; at > 0; at--)
	{
		const SpStep *step = &model->steps[at - 1];

		if (!needed[step->out])
			continue;
		needed[step->in] = step->op != SP_OP_CONSTANT || needed[step->in];
		for (uint32_t i = 1; SP_OP_IS_GENERAL(step->op) && i < step->u.general.n_inputs; i++)
			needed[step->u.general.inputs[i]] = true;
	}
	for (uint32_t at = 0; at < model->n_values; at++)
		n_elements += needed[at] ? model->values[at].width : 0;
	SP_TRY(sp_alloc_array(builder->cx, n_elements, sizeof(uint32_t), &memory));
	flow->memory = memory;
	SP_TRY(sp_alloc_array(builder->cx, model->n_values, sizeof(uint32_t *), &memory));
	flow->marks = memory;
	n_elements = 0;
	for (uint32_t at = 0; at < model->n_values; at++)
		if (needed[at])
		{
			flow->marks[at] = flow->memory + n_elements;
			n_elements += model->values[at].width;
		}
	sp_free(builder->cx, needed);
	return SP_OK;
}

SpStatus
sp_builder_finish_missing(SpBuilder *builder)
{
	SpModel    *model = builder->model;
	Flow		flow = {.model = model};

	SP_TRY(flow_begin(builder, &flow));
	for (uint32_t at = 0; at < model->n_features; at++)
	{
		SpFeature  *feature = &model->features[at];

		feature->accepts_missing = feature->categories.kind != SP_CATEGORIES_HASH;
		if (flow.marks[feature->input])
			flow.marks[feature->input][feature->column] = at + 1;
	}
	for (uint32_t at = 0; at < model->n_steps; at++)
	{
		SP_TRY(sp_poll(builder->cx));
		if (flow.marks[model->steps[at].out])
			flow_step(&flow, &model->steps[at]);
	}
	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if (model->outputs[output] != SP_NO_VALUE)
			spoil_value(&flow, model->outputs[output]);
	model->accepts_missing = true;
	for (uint32_t at = 0; at < model->n_features; at++)
		model->accepts_missing = model->accepts_missing && model->features[at].accepts_missing;
	sp_free(builder->cx, flow.marks);
	sp_free(builder->cx, flow.memory);
	return SP_OK;
}
