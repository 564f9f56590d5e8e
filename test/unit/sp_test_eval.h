/*
 * test/unit/sp_test_eval.h
 *
 * Packing and evaluating a model in a test.
 */
#ifndef SP_TEST_EVAL_H
#define SP_TEST_EVAL_H

#include "ir/sp_pack.h"
#include "kernel/sp_eval.h"
#include "sp_test_models.h"

static SpContext cx;
static SpTestRegion region;

/* The image's evaluator in memory of the right alignment. */
typedef struct Runner
{
	void	   *memory;
	SpEval	   *eval;
} Runner;

__attribute__((unused)) static SpEval *
open_runner(Runner *runner, const SpImage *image, uint32_t capacity, SpStop stop, void *stop_arg)
{
	size_t		size = sp_eval_size(image, capacity);

	runner->memory = aligned_alloc(64, size);
	memset(runner->memory, 0xff, size);
	runner->eval = sp_eval_init(runner->memory, image, capacity, stop, stop_arg);
	return runner->eval;
}

__attribute__((unused)) static void
close_runner(Runner *runner)
{
	free(runner->memory);
}

__attribute__((unused)) static SpImage *
pack(const SpModel *model)
{
	SpImage    *image = NULL;
	SpStatus	status = sp_pack(&cx, model, &image);

	if (status != SP_OK)
		ok(false, "pack: %s", cx.error.message);
	return image;
}

__attribute__((unused)) static double
round_to(SpType type, double number)
{
	return type == SP_TYPE_F32 ? (double) (float) number : number;
}

__attribute__((unused)) static void
store(SpType type, const double *numbers, size_t count, void *to)
{
	for (size_t at = 0; at < count; at++)
	{
		if (type == SP_TYPE_F32)
			((float *) to)[at] = (float) numbers[at];
		else
			((double *) to)[at] = numbers[at];
	}
}

#endif
