/*
 * src/ir/sp_pack.c
 *
 * Packing a model: everything but trees (sp_pack_trees.c).
 */
#include <string.h>

#include "ir/sp_checksum.h"
#include "ir/sp_pack_internal.h"
#include "ir/sp_tiles.h"

/* One per step: where its parameters go. */
typedef struct StepPlan
{
	uint64_t	params;
	union
	{
		SpTreesPlan trees;
		SpPackedLinear linear;
		SpPackedScale scale;
		SpPackedGeneral general;
	}			u;
} StepPlan;

/* Where the tables go. */
typedef struct ImagePlan
{
	SpImage		head;
	uint64_t	strings;
	uint64_t	lists;			/* of all features' categories */
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
		else if (type != SP_TYPE_F64)
			((int64_t *) to)[at] = (int64_t) numbers[at];
		else
			((double *) to)[at] = numbers[at];
	}
}

/* The type of a general step's numbers. */
static SpType
general_number_type(const SpPacker *packer, const SpStep *step)
{
	SpType		type = packer->model->values[step->in].type;

	if (step->op == SP_OP_CONSTANT)
		return (SpType) step->u.general.kind;
	if (step->op == SP_OP_ENCODE)
		return type == SP_TYPE_F32 ? SP_TYPE_F64 : type;
	return type;
}

static bool
has_panels(SpOp op)
{
	return op == SP_OP_CONV || op == SP_OP_RECURRENT;
}

/* Numbers that are a matrix in panels (sp_tiles.h). */
static bool
has_tiles(const SpStep *step)
{
	return step->op == SP_OP_MATRIX ||
		(step->op == SP_OP_KERNEL && sp_tiles_sum((SpKernel) step->u.general.kind) != SP_TILE_NONE);
}

static uint64_t
tiles_width(const SpPacker *packer, const SpStep *step)
{
	return step->op == SP_OP_MATRIX ? step->u.general.dims[0] : packer->model->values[step->in].width;
}

static uint64_t
tiles_count(const SpPacker *packer, const SpStep *step)
{
	return step->op == SP_OP_MATRIX ? step->u.general.dims[1] : packer->model->values[step->out].width;
}

static SpStatus
plan_general(SpPacker *packer, const SpStep *step, StepPlan *plan)
{
	const SpGeneral *general = &step->u.general;
	SpPackedGeneral *packed = &plan->u.general;

	plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedGeneral), SP_IMAGE_ALIGN);
	*packed = (SpPackedGeneral) {
		.kind = general->kind, .n_inputs = general->n_inputs, .n_indices = general->n_indices,
		.n_numbers = general->n_numbers, .number_type = general_number_type(packer, step)
	};
	memcpy(packed->dims, general->dims, sizeof(packed->dims));
	memcpy(packed->params, general->params, sizeof(packed->params));
	packed->inputs = sp_pack_reserve(packer, general->n_inputs, sizeof(uint32_t), 8);
	packed->indices = sp_pack_reserve(packer, general->n_indices, sizeof(uint32_t), 8);
	if (has_tiles(step))
	{
		packed->numbers = sp_pack_tiles_reserve(packer, tiles_width(packer, step), tiles_count(packer, step), packed->number_type);
		packed->start = sp_pack_line_reserve(packer, tiles_count(packer, step), packed->number_type);
	}
	else
		packed->numbers = sp_pack_reserve(packer, has_panels(step->op) ? sp_pack_panels_count(packer, step) :
										  general->n_numbers, sp_pack_number_size(packed->number_type),
										  SP_IMAGE_ALIGN);
	return SP_OK;
}

/* Of the vectors as the image has them: -|v|^2 / 2 of each, and the largest |v|^2. */
static SpStatus
fill_norms(SpPacker *packer, const SpGeneral *general, uint64_t n_in, uint64_t n_out, const StepPlan *plan)
{
	SpPackedGeneral *packed = (SpPackedGeneral *) (packer->image + plan->params);
	SpType		type = (SpType) packed->number_type;

	packed->params[1] = 0;
	for (uint64_t j = 0; j < n_out; j++)
	{
		double		squares = 0;
		double		start;

		SP_TRY(sp_poll(packer->cx));
		for (uint64_t at = j * n_in; at < (j + 1) * n_in; at++)
		{
			double		x = type == SP_TYPE_F32 ? (double) (float) general->numbers[at] : general->numbers[at];

			squares += x * x;
		}
		if (squares > packed->params[1])
			packed->params[1] = squares;
		start = -squares / 2;
		sp_pack_numbers(packer, packed->start + j * sp_pack_number_size(type), &start, 1, type);
	}
	return SP_OK;
}

static SpStatus
fill_general(SpPacker *packer, const SpStep *step, const StepPlan *plan)
{
	const SpGeneral *general = &step->u.general;
	const SpPackedGeneral *packed = &plan->u.general;

	memcpy(packer->image + plan->params, packed, sizeof(*packed));
	memcpy(packer->image + packed->inputs, general->inputs, general->n_inputs * sizeof(uint32_t));
	memcpy(packer->image + packed->indices, general->indices, general->n_indices * sizeof(uint32_t));
	if (has_panels(step->op))
		return sp_pack_panels_fill(packer, step, packed->numbers);
	if (has_tiles(step))
	{
		uint64_t	n_in = tiles_width(packer, step);
		uint64_t	n_out = tiles_count(packer, step);

		SP_TRY(sp_pack_tiles_fill(packer, packed->numbers, general->numbers, n_in, n_out, packed->number_type));
		if (step->op == SP_OP_KERNEL && general->kind == SP_KERNEL_RBF)
			return fill_norms(packer, general, n_in, n_out, plan);
		/* a layer's biases; other steps have no numbers behind the matrix */
		sp_pack_numbers(packer, packed->start, general->numbers + n_in * n_out, general->n_numbers - n_in * n_out,
						packed->number_type);
		return SP_OK;
	}
	sp_pack_numbers(packer, packed->numbers, general->numbers, general->n_numbers, packed->number_type);
	return SP_OK;
}

static SpStatus
plan_step(SpPacker *packer, const SpStep *step, StepPlan *plan)
{
	SpValue		input = packer->model->values[step->in];
	size_t		size = sp_pack_number_size(input.type);

	switch (step->op)
	{
		case SP_OP_TREES:
			plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedTrees), SP_IMAGE_ALIGN);
			return sp_pack_trees_plan(packer, step, &plan->u.trees);
		case SP_OP_LINEAR:
			plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedLinear), SP_IMAGE_ALIGN);
			plan->u.linear = (SpPackedLinear) {
				.type = input.type, .n_in = input.width, .n_out = step->u.linear.n_out,
				.weights = sp_pack_tiles_reserve(packer, input.width, step->u.linear.n_out, input.type),
				.bias = sp_pack_line_reserve(packer, step->u.linear.n_out, input.type)
			};
			return SP_OK;
		case SP_OP_SCALE:
			plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedScale), SP_IMAGE_ALIGN);
			plan->u.scale.offset = sp_pack_reserve(packer, input.width, size, SP_IMAGE_ALIGN);
			plan->u.scale.scale = sp_pack_reserve(packer, input.width, size, SP_IMAGE_ALIGN);
			return SP_OK;
		default:
			if (SP_OP_IS_GENERAL(step->op))
				return plan_general(packer, step, plan);
			plan->params = sp_pack_reserve(packer, 1, sizeof(SpPackedSimple), SP_IMAGE_ALIGN);
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
fill_step(SpPacker *packer, const SpStep *step, StepPlan *plan)
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
			SP_TRY(sp_pack_tiles_fill(packer, plan->u.linear.weights, step->u.linear.weights, input.width,
									  step->u.linear.n_out, input.type));
			sp_pack_numbers(packer, plan->u.linear.bias, step->u.linear.bias, step->u.linear.n_out,
							input.type);
			return SP_OK;
		case SP_OP_SCALE:
			memcpy(params, &plan->u.scale, sizeof(SpPackedScale));
			sp_pack_numbers(packer, plan->u.scale.offset, step->u.scale.offset, input.width, input.type);
			sp_pack_numbers(packer, plan->u.scale.scale, step->u.scale.scale, input.width, input.type);
			return SP_OK;
		default:
			if (SP_OP_IS_GENERAL(step->op))
				return fill_general(packer, step, plan);
			*(SpPackedSimple *) params = (SpPackedSimple) {
				.kind = simple_kind(step), .bound = step->op == SP_OP_ABOVE ? step->u.above : 0
			};
			return SP_OK;
	}
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
		.label_type = model->label_type, .accepts_infinite = model->accepts_infinite, .n_features = model->n_features,
		.n_inputs = model->n_inputs, .n_values = model->n_values, .n_steps = model->n_steps,
		.n_labels = model->n_labels, .n_categories = model->n_categories, .on_missing = model->on_missing,
		.on_unseen = model->on_unseen, .maps_numbers = sp_pack_maps_numbers(model)
	};
	memcpy(head->outputs, model->outputs, sizeof(head->outputs));
	sp_pack_reserve(packer, 1, sizeof(SpImage), SP_IMAGE_ALIGN);
	head->features = sp_pack_reserve(packer, model->n_features, sizeof(SpImageFeature), 8);
	head->values = sp_pack_reserve(packer, model->n_values, sizeof(SpImageValue), 8);
	head->steps = sp_pack_reserve(packer, model->n_steps, sizeof(SpImageStep), 8);
	head->labels = sp_pack_reserve(packer, model->n_labels, sizeof(uint32_t), 8);
	head->categories = sp_pack_reserve(packer, model->n_categories, sizeof(SpImageCategory), 8);
	plan->lists = sp_pack_reserve(packer, sp_pack_lists_size(model), 1, 8);
	plan->strings = sp_pack_reserve(packer, sp_pack_strings_size(model), 1, 1);
	if (packer->size > UINT32_MAX)
		return sp_fail(cx, SP_ERR_LIMIT, "names and labels of the model are too large");

	SP_TRY(sp_alloc_array(cx, model->n_steps, sizeof(StepPlan), &memory));
	plan->steps = memory;
	for (uint32_t at = 0; at < model->n_steps; at++)
		SP_TRY(plan_step(packer, &model->steps[at], &plan->steps[at]));
	/* whole lines, so that kernels may read a vector past the last number */
	sp_pack_reserve(packer, SP_IMAGE_ALIGN, 1, SP_IMAGE_ALIGN);
	if (packer->size > cx->limits.max_image || packer->size > SIZE_MAX - SP_IMAGE_ALIGN)
		return sp_fail_limit(cx, "max_image_size", "model needs %llu bytes in memory, more than the limit of %llu",
							 (unsigned long long) packer->size, (unsigned long long) cx->limits.max_image);
	head->size = packer->size;
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
	{
		const SpStep *step = &model->steps[at - 1];

		(*needs)[step->in] |= (*needs)[step->out];
		for (uint32_t i = 1; SP_OP_IS_GENERAL(step->op) && i < step->u.general.n_inputs; i++)
			(*needs)[step->u.general.inputs[i]] |= (*needs)[step->out];
	}
	return SP_OK;
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
	uint64_t	next_list = plan->lists;
	uint32_t   *needs;

	for (uint32_t at = 0; at < model->n_features; at++)
		features[at] = sp_pack_feature(packer, &model->features[at], &next, &next_list);
	for (uint32_t at = 0; at < model->n_labels; at++)
		labels[at] = sp_pack_string(packer, &next, model->labels[at]);
	sp_pack_categories(packer, plan->head.categories, &next);
	for (uint32_t at = 0; at < model->n_values; at++)
	{
		SpValue		value = model->values[at];

		values[at] = (SpImageValue) {
			value.type, value.width, (uint64_t) value.width * sp_pack_number_size(value.type)
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
	SpFolded	folded;
	SpPacker	packer = {.cx = cx, .model = &folded.model};
	ImagePlan	plan = {.steps = NULL};
	SpImage    *made;
	void	   *memory;

	SP_TRY(sp_pack_fold(cx, model, &folded));
	SP_TRY(plan_image(&packer, &plan));
	SP_TRY(sp_alloc_array(cx, (size_t) plan.head.size + SP_IMAGE_ALIGN, 1, &memory));
	packer.image = (char *) (((uintptr_t) memory + SP_IMAGE_ALIGN - 1) & ~(uintptr_t) (SP_IMAGE_ALIGN - 1));
	made = (SpImage *) packer.image;
	*made = plan.head;
	SP_TRY(fill_tables(&packer, &plan));
	for (uint32_t at = 0; at < folded.model.n_steps; at++)
		if (folded.model.steps[at].op == SP_OP_TREES)
			sp_pack_trees_free(&packer, &plan.steps[at].u.trees);
	sp_free(cx, plan.steps);
	sp_pack_fold_free(cx, &folded);
	made->checksum = sp_checksum(&made->task, (size_t) made->size - offsetof(SpImage, task));
	*image = made;
	return SP_OK;
}
