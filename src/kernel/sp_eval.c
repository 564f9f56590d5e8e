/*
 * src/kernel/sp_eval.c
 *
 * The evaluator: lays out the buffers of all values and the kernels' scratch
 * in the caller's memory, and runs the steps that the wanted outputs need.
 */
#include "kernel/sp_kernel.h"

#define ALIGN 64

struct SpEval
{
	const SpImage *image;
	uint32_t	capacity;
	SpSimd		simd;
	SpBudget	budget;
	char	   *scratch;
	char	   *values[];		/* image->n_values buffers */
};

/* Add size bytes behind *end, aligned; false on overflow. */
static bool
extend(uint64_t *end, uint64_t size)
{
	return !__builtin_add_overflow(*end, size, end) &&
		!__builtin_add_overflow(*end, ALIGN - 1, end) &&
		(*end &= ~(uint64_t) (ALIGN - 1), *end <= SIZE_MAX);
}

static bool
head_size(const SpImage *image, uint64_t *end)
{
	*end = 0;
	return extend(end, sizeof(SpEval) + (uint64_t) image->n_values * sizeof(char *));
}

static uint64_t
scratch_size(const SpImage *image, uint32_t capacity)
{
	uint64_t	largest = 0;

	for (uint32_t at = 0; at < image->n_steps; at++)
	{
		const SpImageStep *step = &sp_image_steps(image)[at];
		uint64_t	size;

		if (SP_OP_IS_GENERAL(step->op))
			size = sp_kernel_general_scratch(sp_image_at(image, step->params), (SpOp) step->op);
		else if (step->op != SP_OP_TREES)
			continue;
		else
			size = sp_kernel_trees_scratch(image, sp_image_at(image, step->params), capacity);
		if (size > largest)
			largest = size;
	}
	return largest;
}

size_t
sp_eval_size(const SpImage *image, uint32_t capacity)
{
	uint64_t	end;

	if (!head_size(image, &end))
		return 0;
	for (uint32_t value = 0; value < image->n_values; value++)
	{
		uint64_t	bytes;

		if (__builtin_mul_overflow(sp_image_values(image)[value].row_bytes, (uint64_t) capacity, &bytes) ||
			!extend(&end, bytes))
			return 0;
	}
	if (!extend(&end, scratch_size(image, capacity)))
		return 0;
	return (size_t) end;
}

SpEval *
sp_eval_init(void *memory, const SpImage *image, uint32_t capacity, SpStop stop, void *stop_arg)
{
	SpEval	   *eval = memory;
	uint64_t	end;

	eval->image = image;
	eval->capacity = capacity;
	eval->simd = SP_SIMD_PORTABLE;
	eval->budget = (SpBudget) {.left = SP_POLL_WORK, .stop = stop, .stop_arg = stop_arg};
	head_size(image, &end);
	for (uint32_t value = 0; value < image->n_values; value++)
	{
		eval->values[value] = (char *) memory + end;
		extend(&end, sp_image_values(image)[value].row_bytes * capacity);
	}
	eval->scratch = (char *) memory + end;
	return eval;
}

void
sp_eval_use(SpEval *eval, SpSimd simd)
{
	eval->simd = simd;
}

void *
sp_eval_input(SpEval *eval, uint32_t input)
{
	return eval->values[input];
}

static SpStatus
run_step(SpEval *eval, const SpImageStep *step, uint32_t rows, bool may_have_missing)
{
	const SpImage *image = eval->image;
	SpStepRun	run = {
		.image = image,
		.params = sp_image_at(image, step->params),
		.from = sp_image_values(image)[step->in],
		.to = sp_image_values(image)[step->out],
		.in = eval->values[step->in],
		.out = eval->values[step->out],
		.rows = rows,
		/* a step before may have made a NaN of infinities, whatever the caller promised */
		.may_have_missing = may_have_missing || step->in >= image->n_inputs,
		.simd = eval->simd,
		.scratch = eval->scratch,
		.budget = &eval->budget,
		.values = eval->values
	};

	switch ((SpOp) step->op)
	{
		case SP_OP_TREES:
			return sp_kernel_trees(&run);
		case SP_OP_LINEAR:
			return sp_kernel_linear(&run);
		case SP_OP_SCALE:
			return sp_kernel_scale(&run);
		case SP_OP_NORMALIZE:
			return sp_kernel_normalize(&run);
		case SP_OP_CAST:
			return sp_kernel_cast(&run);
		case SP_OP_MAP:
			return sp_kernel_map(&run);
		case SP_OP_SOFTMAX:
			return sp_kernel_softmax(&run);
		case SP_OP_COMPLEMENT:
			return sp_kernel_complement(&run);
		case SP_OP_ARGMAX:
			return sp_kernel_argmax(&run);
		case SP_OP_ABOVE:
			return sp_kernel_above(&run);
		default:
			if (SP_OP_IS_GENERAL(step->op))
				return sp_kernel_general(&run, (SpOp) step->op);
			break;
	}
	return SP_ERR_INTERNAL;
}

SpStatus
sp_eval_run(SpEval *eval, uint32_t rows, uint32_t wanted, bool may_have_missing)
{
	const SpImageStep *steps = sp_image_steps(eval->image);

	for (uint32_t at = 0; at < eval->image->n_steps; at++)
		if (steps[at].needed_by & wanted)
			SP_TRY(run_step(eval, &steps[at], rows, may_have_missing));
	return SP_OK;
}

const void *
sp_eval_output(const SpEval *eval, SpOutput output, SpType *type, uint32_t *width)
{
	uint32_t	value = eval->image->outputs[output];
	const SpImageValue *made;

	if (value == SP_NO_VALUE)
		return NULL;
	made = &sp_image_values(eval->image)[value];
	*type = (SpType) made->type;
	*width = made->width;
	return eval->values[value];
}

double
sp_eval_output_number(const SpEval *eval, SpOutput output, uint32_t row, uint32_t column)
{
	SpType		type;
	uint32_t	width;
	const void *numbers = sp_eval_output(eval, output, &type, &width);
	size_t		at;

	if (numbers == NULL)
		return __builtin_nan("");
	at = (size_t) row * width + column;
	if (type == SP_TYPE_F32)
		return ((const float *) numbers)[at];
	if (type == SP_TYPE_F64)
		return ((const double *) numbers)[at];
	return (double) ((const int64_t *) numbers)[at];
}
