/*
 * bench/bench_row_cost.c
 *
 * Compares sp_row_cost's estimate with the time that one row takes by itself
 * with this processor's widest instructions, for model files.
 *
 * usage: bench_row_cost MODEL...
 *
 * A line for each model: nanoseconds of processor time a row measured (the smallest of some
 * rounds, over rows of random numbers) and estimated, their ratio, how often each op
 * occurs.  The last line has Spearman's rank correlation over all models and
 * the largest ratio in either direction.  Status 1 when the correlation is
 * below 0.95 or a model of a microsecond or more is off by more than 3.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "import/sp_import.h"
#include "ir/sp_pack.h"
#include "ir/sp_row_cost.h"
#include "kernel/sp_eval.h"
#include "sp_test_models.h"

#define ROUNDS 7
#define ROUND_SECONDS 0.01
#define N_ROWS 256				/* different ones */
#define MOST_MODELS 1024
#define MIN_CORRELATION 0.95
#define MAX_RATIO 3
#define RATIO_FROM 1000			/* below, the price of a step is most of it */

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static void *
read_file(const char *path, size_t *size)
{
	FILE	   *file = fopen(path, "rb");
	void	   *bytes;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		return NULL;
	*size = (size_t) ftell(file);
	rewind(file);
	bytes = malloc(*size + 1);
	*size = fread(bytes, 1, *size, file);
	fclose(file);
	return bytes;
}

/* N_ROWS rows of random numbers for one input; categories are the first few. */
static void *
make_input(const SpImageValue *value, SpTestRandom *random)
{
	void	   *numbers = malloc(N_ROWS * value->row_bytes);

	for (size_t at = 0; at < (size_t) N_ROWS * value->width; at++)
	{
		double		number = (double) random_below(random, 8000) / 1000 - 4;

		if (value->type == SP_TYPE_F32)
			((float *) numbers)[at] = (float) number;
		else if (value->type == SP_TYPE_F64)
			((double *) numbers)[at] = number;
		else
			((int64_t *) numbers)[at] = (int64_t) fabs(number);
	}
	return numbers;
}

/* Seconds for n calls with one row each. */
static double
run_rows(SpEval *eval, const SpImage *image, void *const *inputs, uint32_t n)
{
	double		began = now();

	for (uint32_t row = 0; row < n; row++)
	{
		for (uint32_t input = 0; input < image->n_inputs; input++)
		{
			size_t		size = (size_t) sp_image_values(image)[input].row_bytes;

			memcpy(sp_eval_input(eval, input), (const char *) inputs[input] + row % N_ROWS * size, size);
		}
		(void) sp_eval_run(eval, 1, sp_image_outputs(image), false);
	}
	return now() - began;
}

static double
time_row(const SpImage *image)
{
	void	   *memory = aligned_alloc(64, sp_eval_size(image, 1));
	void	  **inputs = malloc(sizeof(void *) * image->n_inputs);
	SpEval	   *eval = sp_eval_init(memory, image, 1, NULL, NULL);
	SpTestRandom random = {7};
	uint32_t	n = N_ROWS;
	double		least = INFINITY;

	sp_eval_use(eval, sp_simd_best());
	for (uint32_t input = 0; input < image->n_inputs; input++)
		inputs[input] = make_input(&sp_image_values(image)[input], &random);
	while (run_rows(eval, image, inputs, n) < ROUND_SECONDS && n < UINT32_C(1) << 24)
		n *= 2;
	for (int round = 0; round < ROUNDS; round++)
		least = fmin(least, run_rows(eval, image, inputs, n) / n);
	for (uint32_t input = 0; input < image->n_inputs; input++)
		free(inputs[input]);
	free(inputs);
	free(memory);
	return least * 1e9;
}

static void
print_ops(const SpImage *image)
{
	for (int op = 0; op <= SP_OP_CONV; op++)
	{
		uint32_t	count = 0;

		for (uint32_t at = 0; at < image->n_steps; at++)
			count += sp_image_steps(image)[at].op == (uint32_t) op;
		if (count > 0)
			printf(" %s:%u", sp_op_name((SpOp) op), count);
	}
	printf("\n");
}

static bool
measure(const char *path, double *measured, double *estimated)
{
	SpContext	cx;
	SpTestRegion region;
	SpFormat	format;
	SpModel    *model;
	SpImage    *image;
	size_t		size = 0;
	void	   *bytes = read_file(path, &size);

	if (bytes == NULL)
	{
		fprintf(stderr, "%s cannot be read\n", path);
		return false;
	}
	sp_test_context(&cx, &region);
	if (sp_import(&cx, SP_FORMAT_UNKNOWN, bytes, size, NULL, &format, &model) != SP_OK ||
		sp_pack(&cx, model, &image) != SP_OK)
	{
		fprintf(stderr, "%s: %s\n", path, cx.error.message);
		return false;
	}
	*measured = time_row(image);
	*estimated = (double) sp_row_cost(image);
	printf("%10.0f %10.0f %6.2f  %s", *measured, *estimated, *estimated / *measured, path);
	print_ops(image);
	sp_test_release_all(&region);
	free(bytes);
	return true;
}

/* How many are smaller, and half of those that are equal. */
static double
rank_of(const double *numbers, int n, double number)
{
	double		rank = 0;

	for (int at = 0; at < n; at++)
		rank += numbers[at] < number ? 1 : numbers[at] == number ? 0.5 : 0;
	return rank;
}

/* Spearman: Pearson's correlation of the ranks. */
static double
rank_correlation(const double *measured, const double *estimated, int n)
{
	double		together = 0;
	double		of_measured = 0;
	double		of_estimated = 0;

	for (int at = 0; at < n; at++)
	{
		double		a = rank_of(measured, n, measured[at]) - n / 2.0;
		double		b = rank_of(estimated, n, estimated[at]) - n / 2.0;

		together += a * b;
		of_measured += a * a;
		of_estimated += b * b;
	}
	return together / sqrt(of_measured * of_estimated);
}

int
main(int argc, char **argv)
{
	static double measured[MOST_MODELS];
	static double estimated[MOST_MODELS];
	int			n = argc - 1;
	double		worst = 1;
	double		correlation;

	if (n < 2 || n > MOST_MODELS)
	{
		fprintf(stderr, "usage: bench_row_cost MODEL...\n");
		return 1;
	}
	printf("%10s %10s %6s\n", "measured", "estimated", "ratio");
	for (int at = 0; at < n; at++)
	{
		double		ratio;

		if (!measure(argv[at + 1], &measured[at], &estimated[at]))
			return 1;
		ratio = estimated[at] / measured[at];
		if (measured[at] >= RATIO_FROM)
			worst = fmax(worst, fmax(ratio, 1 / ratio));
	}
	correlation = rank_correlation(measured, estimated, n);
	printf("rank correlation %.3f, largest ratio from a microsecond on %.2f\n", correlation, worst);
	return correlation >= MIN_CORRELATION && worst <= MAX_RATIO ? 0 : 1;
}
