/*
 * test/unit/test_kernel_gaussian.c
 *
 * Gaussian kernels, which rows take by norms or by distances as they are long or
 * short, against the formula; blocks against rows alone.
 */
#include "sp_test_eval.h"

#define N_IN 37
#define N_VECTORS 45
#define N_ROWS 61

static SpContext cx;
static SpTestRegion region;

static double
draw(SpTestRandom *random)
{
	return (float) ((double) random_bits(random) / 0x1p63 - 1);
}

static SpModel *
build(SpType type, double g, double *vectors)
{
	SpBuilder  *builder;
	SpModel    *model;
	uint32_t	in;
	uint32_t	value;

	if (sp_builder_new(&cx, &builder) != SP_OK || sp_builder_task(builder, SP_TASK_SCORE, true) != SP_OK ||
		sp_builder_input(builder, type, N_IN, NULL, &in) != SP_OK ||
		sp_builder_general(builder, SP_OP_KERNEL, &(SpGeneral) {
			.kind = SP_KERNEL_RBF, .n_inputs = 1, .inputs = &in, .dims = {N_VECTORS}, .params = {g, 5, 3},
			.n_numbers = N_VECTORS * N_IN, .numbers = vectors
		}, &value) != SP_OK ||
		sp_builder_output(builder, SP_OUTPUT_VALUE, value) != SP_OK ||
		sp_builder_finish(builder, NULL, &model) != SP_OK)
		return NULL;
	return model;
}

/* Of all sizes: some are a vector or beside it, some far away, some not finite. */
static void
draw_rows(SpTestRandom *random, const double *vectors, double *rows)
{
	static const double sizes[] = {0, 1, 1, 3, 30, 1e15, 1e30};

	for (int row = 0; row < N_ROWS; row++)
	{
		double	   *x = rows + (size_t) row * N_IN;
		double		size = sizes[random_below(random, 7)];
		const double *vector = vectors + (size_t) random_below(random, N_VECTORS) * N_IN;

		for (int at = 0; at < N_IN; at++)
			x[at] = row % 4 == 0 ? vector[at] + (float) (draw(random) * 1e-3 * size) : (float) (draw(random) * size);
		if (row % 10 == 9)
			x[row % N_IN] = row % 20 == 9 ? INFINITY : NAN;
	}
	memcpy(rows, vectors, N_IN * sizeof(double));
}

static double
formula(double g, const double *x, const double *vector)
{
	double		sum = 0;

	for (int at = 0; at < N_IN; at++)
		sum += (x[at] - vector[at]) * (x[at] - vector[at]);
	return exp(-g * sum);
}

/* Results of all rows in blocks of a size. */
static void
run(const SpImage *image, SpSimd simd, SpType type, uint32_t block, const double *rows, double *results)
{
	Runner		runner;

	open_runner(&runner, image, block, NULL, NULL);
	sp_eval_use(runner.eval, simd);
	for (uint32_t first = 0; first < N_ROWS; first += block)
	{
		uint32_t	n = N_ROWS - first < block ? N_ROWS - first : block;

		store(type, rows + (size_t) first * N_IN, (size_t) n * N_IN, sp_eval_input(runner.eval, 0));
		sp_eval_run(runner.eval, n, 1 << SP_OUTPUT_VALUE, true);
		for (uint32_t at = 0; at < n * N_VECTORS; at++)
			*results++ = sp_eval_output_number(runner.eval, SP_OUTPUT_VALUE, at / N_VECTORS, at % N_VECTORS);
	}
	close_runner(&runner);
}

/* shift: where all vectors and rows lie, which makes norms useless. */
static void
test_gaussian(SpType type, double g, double shift)
{
	static double vectors[N_VECTORS * N_IN];
	static double rows[N_ROWS * N_IN];
	static double together[N_ROWS * N_VECTORS];
	static double alone[N_ROWS * N_VECTORS];
	double		tolerance = type == SP_TYPE_F32 ? 4e-6 : 1e-14;
	SpTestRandom random = {(uint64_t) type};
	SpModel    *model;
	SpImage    *image;
	int			n_bad = 0;

	for (int at = 0; at < N_VECTORS * N_IN; at++)
		vectors[at] = draw(&random);
	draw_rows(&random, vectors, rows);
	for (int at = 0; at < N_VECTORS * N_IN; at++)
		vectors[at] = round_to(type, vectors[at] + shift);
	for (int at = 0; at < N_ROWS * N_IN; at++)
		rows[at] = round_to(type, rows[at] + shift);
	model = build(type, g, vectors);
	image = model == NULL ? NULL : pack(model);
	for (SpSimd simd = SP_SIMD_PORTABLE; image != NULL && simd <= sp_simd_best(); simd++)
	{
		run(image, simd, type, N_ROWS, rows, together);
		run(image, simd, type, 1, rows, alone);
		n_bad += memcmp(together, alone, sizeof(alone)) != 0;
		for (int at = 0; at < N_ROWS * N_VECTORS; at++)
		{
			double		expected = formula(g, rows + (size_t) (at / N_VECTORS) * N_IN,
										   vectors + (size_t) (at % N_VECTORS) * N_IN);

			if (!(isnan(expected) ? isnan(together[at]) : fabs(together[at] - expected) <= tolerance) && n_bad++ < 3)
				printf("# %s, row %d, vector %d: %.9g, expected %.9g\n", sp_simd_name(simd), at / N_VECTORS,
					   at % N_VECTORS, together[at], expected);
		}
	}
	ok(image != NULL && n_bad == 0, "%s, factor %g, around %g", sp_type_name(type), g, shift);
	sp_test_release_all(&region);
}

int
main(void)
{
	static const double factors[] = {0.001, 0.05, 0.2, 1, 100};

	sp_test_context(&cx, &region);
	for (SpType type = SP_TYPE_F32; type <= SP_TYPE_F64; type++)
	{
		for (size_t at = 0; at < sizeof(factors) / sizeof(factors[0]); at++)
			test_gaussian(type, factors[at], 0);
		test_gaussian(type, 0.05, 1000);
	}
	return done_testing();
}
