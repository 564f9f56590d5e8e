/*
 * src/ir/sp_pack.c
 *
 * Packing a model: everything but trees (sp_pack_trees.c).
 */
#include <string.h>

#include "ir/sp_checksum.h"
#include "ir/sp_pack_internal.h"

/* Softmax, norms and other elementwise functions, in multiplications per number. */
#define SIMPLE_COST 8

/* One per step: where its parameters go. */
typedef struct StepPlan
{
	uint64_t	params;
	union
	{
		SpTreesPlan trees;
		SpPackedLinear linear;
		SpPackedScale scale;
	}			u;
} StepPlan;

/* Where the tables go. */
typedef struct ImagePlan
{
	SpImage		head;
	uint64_t	strings;
	uint64_t	strings_size;
	StepPlan   *steps;
} ImagePlan;

uint64_t
sp_pack_reserve(SpPacker *packer, uint64_t count, size_t size, size_t align)
{
	uint64_t	begin;
	uint64_t	bytes;
	uint64_t	end;

	if (__builtin_add_overflow(packer->size, align - 1, &begin) ||
		__builtin_mul_overflow(count, size, &bytes) ||
		__builtin_add_overflow(begin & ~(uint64_t) (align - 1), bytes, &end))
	{
		packer->size = UINT64_MAX;
		return 0;
	}
	packer->size = end;
	return begin & ~(uint64_t) (align - 1);
}

void
sp_pack_numbers(SpPacker *packer, uint64_t offset, const double *numbers, uint64_t count,
				SpType type)
{
	void	   *to = packer->image + offset;

	for (uint64_t at = 0; at < count; at++)
	{
		if (type == SP_TYPE_F32)
			((float *) to)[at] = (float) numbers[at];
		else
			((double *) to)[at] = numbers[at];
	}
}

static size_t
type_size(SpType type)
{
	return type == SP_TYPE_F32 ? sizeof(float) : sizeof(double);
}

static SpStatus
plan_step(SpPacker *packer, const SpStep *step, StepPlan *plan)
{
	SpValue		input = packer->model->values[step->in];
	size_t		size = type_size(input.type);

	switch (step->op)
	{
		case SP_OP_TREES:
			plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedTrees), SP_IMAGE_ALIGN);
			return sp_pack_trees_plan(packer, step, &plan->u.trees);
		case SP_OP_LINEAR:
			plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedLinear), SP_IMAGE_ALIGN);
			plan->u.linear = (SpPackedLinear) {
				.type = input.type, .n_in = input.width, .n_out = step->u.linear.n_out,
				.weights = sp_pack_reserve(packer, (uint64_t) input.width * step->u.linear.n_out,
										   size, SP_IMAGE_ALIGN),
				.bias = sp_pack_reserve(packer, step->u.linear.n_out, size, SP_IMAGE_ALIGN)
			};
			packer->cost += (uint64_t) input.width * step->u.linear.n_out;
			return SP_OK;
		case SP_OP_SCALE:
			plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedScale), SP_IMAGE_ALIGN);
			plan->u.scale.offset = sp_pack_reserve(packer, input.width, size, SP_IMAGE_ALIGN);
			plan->u.scale.scale = sp_pack_reserve(packer, input.width, size, SP_IMAGE_ALIGN);
			packer->cost += input.width;
			return SP_OK;
		default:
			plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedSimple), SP_IMAGE_ALIGN);
			packer->cost += (uint64_t) input.width * SIMPLE_COST;
			return SP_OK;
	}
}

static uint32_t
simple_kind(const SpStep *step)
{
	switch (step->op)
	{
		case SP_OP_NORMALIZE:
			return step->u.norm;
		case SP_OP_MAP:
			return step->u.map;
		case SP_OP_SOFTMAX:
			return step->u.softmax;
		default:
			return 0;
	}
}

static SpStatus
fill_step(SpPacker *packer, const SpStep *step, const StepPlan *plan)
{
	SpValue		input = packer->model->values[step->in];
	void	   *params = packer->image + plan->params;

	switch (step->op)
	{
		case SP_OP_TREES:
			memcpy(params, &plan->u.trees.packed, sizeof(SpPackedTrees));
			return sp_pack_trees_fill(packer, step, &plan->u.trees);
		case SP_OP_LINEAR:
			memcpy(params, &plan->u.linear, sizeof(SpPackedLinear));
			sp_pack_numbers(packer, plan->u.linear.weights, step->u.linear.weights,
							(uint64_t) input.width * step->u.linear.n_out, input.type);
			sp_pack_numbers(packer, plan->u.linear.bias, step->u.linear.bias, step->u.linear.n_out,
							input.type);
			return SP_OK;
		case SP_OP_SCALE:
			memcpy(params, &plan->u.scale, sizeof(SpPackedScale));
			sp_pack_numbers(packer, plan->u.scale.offset, step->u.scale.offset, input.width, input.type);
			sp_pack_numbers(packer, plan->u.scale.scale, step->u.scale.scale, input.width, input.type);
			return SP_OK;
		default:
			*(SpPackedSimple *) params = (SpPackedSimple) {
				.kind = simple_kind(step), .bound = step->op == SP_OP_ABOVE ? step->u.above : 0
			};
			return SP_OK;
	}
}

static uint64_t
strings_size(const SpModel *model)
{
	uint64_t	size = 0;

	for (uint32_t at = 0; at < model->n_features; at++)
		size += strlen(model->features[at].name) + 1;
	for (uint32_t at = 0; at < model->n_labels; at++)
		size += strlen(model->labels[at]) + 1;
	return size;
}

/* Tables and strings first: their references are 32 bits wide. */
static SpStatus
plan_image(SpPacker *packer, ImagePlan *plan)
{
	const SpModel *model = packer->model;
	SpContext  *cx = packer->cx;
	SpImage    *head = &plan->head;
	void	   *memory;

	*head = (SpImage) {
		.magic = SP_IMAGE_MAGIC, .version = SP_IMAGE_VERSION, .task = model->task,
		.label_type = model->label_type, .accepts_missing = model->accepts_missing,
		.accepts_infinite = model->accepts_infinite, .n_features = model->n_features,
		.n_inputs = model->n_inputs, .n_values = model->n_values, .n_steps = model->n_steps,
		.n_labels = model->n_labels
	};
	memcpy(head->outputs, model->outputs, sizeof(head->outputs));
	sp_pack_reserve(packer, 1, sizeof(SpImage), SP_IMAGE_ALIGN);
	head->features = sp_pack_reserve(packer, model->n_features, sizeof(SpImageFeature), 8);
	head->values = sp_pack_reserve(packer, model->n_values, sizeof(SpImageValue), 8);
	head->steps = sp_pack_reserve(packer, model->n_steps, sizeof(SpImageStep), 8);
	head->labels = sp_pack_reserve(packer, model->n_labels, sizeof(uint32_t), 8);
	plan->strings_size = strings_size(model);
	plan->strings = sp_pack_reserve(packer, plan->strings_size, 1, 1);
	if (packer->size > UINT32_MAX)
		return sp_fail(cx, SP_ERR_LIMIT, "names and labels of the model are too large");

	SP_TRY(sp_alloc_array(cx, model->n_steps, sizeof(StepPlan), &memory));
	plan->steps = memory;
	for (uint32_t at = 0; at < model->n_steps; at++)
		SP_TRY(plan_step(packer, &model->steps[at], &plan->steps[at]));
	/* whole lines, so that kernels may read a vector past the last number */
	sp_pack_reserve(packer, SP_IMAGE_ALIGN, 1, SP_IMAGE_ALIGN);
	if (packer->size > cx->limits.max_image || packer->size > SIZE_MAX - SP_IMAGE_ALIGN)
		return sp_fail(cx, SP_ERR_LIMIT, "model needs %llu bytes in memory, more than the limit of %llu",
					   (unsigned long long) packer->size, (unsigned long long) cx->limits.max_image);
	head->size = packer->size;
	head->cost = packer->cost;
	return SP_OK;
}

/* Bit o of the result's entry v: output o depends on value v. */
static SpStatus
find_needs(SpPacker *packer, uint32_t **needs)
{
	const SpModel *model = packer->model;
	void	   *memory;

	SP_TRY(sp_alloc_array(packer->cx, model->n_values, sizeof(uint32_t), &memory));
	*needs = memory;
	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if (model->outputs[output] != SP_NO_VALUE)
			(*needs)[model->outputs[output]] |= 1U << output;
	for (uint32_t at = model->n_steps; at > 0; at--)
		(*needs)[model->steps[at - 1].in] |= (*needs)[model->steps[at - 1].out];
	return SP_OK;
}

static uint32_t
put_string(SpPacker *packer, uint64_t *next, const char *string)
{
	uint64_t	offset = *next;
	size_t		size = strlen(string) + 1;

	memcpy(packer->image + offset, string, size);
	*next += size;
	return (uint32_t) offset;
}

static SpStatus
fill_tables(SpPacker *packer, const ImagePlan *plan)
{
	const SpModel *model = packer->model;
	SpImageFeature *features = (SpImageFeature *) (packer->image + plan->head.features);
	SpImageValue *values = (SpImageValue *) (packer->image + plan->head.values);
	SpImageStep *steps = (SpImageStep *) (packer->image + plan->head.steps);
	uint32_t   *labels = (uint32_t *) (packer->image + plan->head.labels);
	uint64_t	next = plan->strings;
	uint32_t   *needs;

	for (uint32_t at = 0; at < model->n_features; at++)
	{
		const SpFeature *feature = &model->features[at];

		features[at] = (SpImageFeature) {
			put_string(packer, &next, feature->name), feature->type, feature->input, feature->column
		};
	}
	for (uint32_t at = 0; at < model->n_labels; at++)
		labels[at] = put_string(packer, &next, model->labels[at]);
	for (uint32_t at = 0; at < model->n_values; at++)
	{
		SpValue		value = model->values[at];

		values[at] = (SpImageValue) {
			value.type, value.width, (uint64_t) value.width * type_size(value.type)
		};
	}
	SP_TRY(find_needs(packer, &needs));
	for (uint32_t at = 0; at < model->n_steps; at++)
	{
		const SpStep *step = &model->steps[at];

		steps[at] = (SpImageStep) {
			step->op, step->in, step->out, needs[step->out], plan->steps[at].params
		};
		SP_TRY(fill_step(packer, step, &plan->steps[at]));
	}
	sp_free(packer->cx, needs);
	return SP_OK;
}

SpStatus
sp_pack(SpContext *cx, const SpModel *model, SpImage **image)
{
	SpPacker	packer = {.cx = cx, .model = model};
	ImagePlan	plan = {.steps = NULL};
	SpImage    *made;
	void	   *memory;

	SP_TRY(plan_image(&packer, &plan));
	SP_TRY(sp_alloc_array(cx, (size_t) plan.head.size + SP_IMAGE_ALIGN, 1, &memory));
	packer.image = (char *) (((uintptr_t) memory + SP_IMAGE_ALIGN - 1) & ~(uintptr_t) (SP_IMAGE_ALIGN - 1));
	made = (SpImage *) packer.image;
	*made = plan.head;
	SP_TRY(fill_tables(&packer, &plan));
	for (uint32_t at = 0; at < model->n_steps; at++)
		if (model->steps[at].op == SP_OP_TREES)
			sp_free(cx, plan.steps[at].u.trees.column_of);
	sp_free(cx, plan.steps);
	made->checksum = sp_checksum(&made->task, (size_t) made->size - offsetof(SpImage, task));
	*image = made;
	return SP_OK;
}
