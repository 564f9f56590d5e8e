/*
 * test/unit/test_pack_fold.c
 *
 * Scalers in front of layers and behind them: when they go into the layer's
 * numbers, when they stay, and that the results are the same either way.
 */
#include "sp_test_eval.h"

#define N_IN 40
#define N_OUT 3
#define N_ROWS 30

/* A scaler, a layer, a scaler; what is different from the plain case. */
typedef struct Case
{
	const char *name;
	SpType		type;
	double		shift;			/* offsets of the first scaler, in spreads of its columns */
	double		first_scale;	/* of column 0; 0 for one like the others */
	double		last_scale;		/* of all columns; 0 likewise */
	int			shown;			/* 1: what the first scaler gives is an output, 2: the layer's result */
	uint32_t	n_steps;		/* that are left */
} Case;

static const Case cases[] = {
	{.name = "both go", .type = SP_TYPE_F32, .shift = 2, .n_steps = 1},
	{.name = "both go in float64", .type = SP_TYPE_F64, .shift = 2, .n_steps = 1},
	{.name = "offsets that are large beside the spread stay", .type = SP_TYPE_F32, .shift = 1000, .n_steps = 2},
	{.name = "a factor of 0 stays, as infinity times 0 is NaN", .type = SP_TYPE_F32, .first_scale = -1, .n_steps = 2},
	{.name = "a factor that would make float32 weights 0 stays", .type = SP_TYPE_F32, .last_scale = 1e-46, .n_steps = 2},
	{.name = "float64 weights can", .type = SP_TYPE_F64, .last_scale = 1e-46, .n_steps = 1},
	{.name = "scaled features that are an output stay", .type = SP_TYPE_F32, .shown = 1, .n_steps = 2},
	{.name = "a layer's result that is an output stays", .type = SP_TYPE_F32, .shown = 2, .n_steps = 2},
};

typedef struct Numbers
{
	double		offset[N_IN];
	double		scale[N_IN];
	double		weights[N_IN * N_OUT];
	double		bias[N_OUT];
	double		last_offset[N_OUT];
	double		last_scale[N_OUT];
} Numbers;

static SpContext cx;
static SpTestRegion region;

/* Within -1 and 1. */
static double
draw(SpTestRandom *random, SpType type)
{
	return round_to(type, (double) random_bits(random) / 0x1p63 - 1);
}

static void
draw_numbers(const Case *test, SpTestRandom *random, Numbers *numbers)
{
	for (int at = 0; at < N_IN; at++)
	{
		numbers->scale[at] = round_to(test->type, 2 + draw(random, test->type));
		numbers->offset[at] = round_to(test->type, test->shift * draw(random, test->type) / numbers->scale[at]);
	}
	if (test->first_scale != 0)
		numbers->scale[0] = test->first_scale < 0 ? 0 : test->first_scale;
	for (int at = 0; at < N_IN * N_OUT; at++)
		numbers->weights[at] = draw(random, test->type);
	for (int at = 0; at < N_OUT; at++)
	{
		numbers->bias[at] = draw(random, test->type);
		numbers->last_offset[at] = draw(random, test->type);
		numbers->last_scale[at] = test->last_scale != 0 ? test->last_scale : 2 + draw(random, test->type);
	}
}

static SpModel *
build(const Case *test, const Numbers *numbers)
{
	SpBuilder  *builder;
	SpModel    *model;
	uint32_t	in;
	uint32_t	scaled;
	uint32_t	made;
	uint32_t	value;

	if (sp_builder_new(&cx, &builder) != SP_OK || sp_builder_task(builder, SP_TASK_SCORE, true) != SP_OK ||
		sp_builder_input(builder, test->type, N_IN, NULL, &in) != SP_OK ||
		sp_builder_scale(builder, in, numbers->offset, numbers->scale, &scaled) != SP_OK ||
		sp_builder_linear(builder, scaled, N_OUT, numbers->weights, numbers->bias, &made) != SP_OK ||
		sp_builder_scale(builder, made, numbers->last_offset, numbers->last_scale, &value) != SP_OK ||
		sp_builder_output(builder, SP_OUTPUT_VALUE, value) != SP_OK ||
		(test->shown != 0 && sp_builder_output(builder, SP_OUTPUT_RAW, test->shown == 1 ? scaled : made) != SP_OK) ||
		sp_builder_finish(builder, NULL, &model) != SP_OK)
		return NULL;
	return model;
}

static double
formula(const Numbers *numbers, const double *row, int result)
{
	double		sum = numbers->bias[result];

	for (int at = 0; at < N_IN; at++)
		sum += (row[at] - numbers->offset[at]) * numbers->scale[at] * numbers->weights[result * N_IN + at];
	return (sum - numbers->last_offset[result]) * numbers->last_scale[result];
}

/* Spread by 1 / scale around the offset, as a scaler that was trained expects them. */
static void
draw_row(const Case *test, const Numbers *numbers, SpTestRandom *random, double *row)
{
	for (int at = 0; at < N_IN; at++)
		row[at] = round_to(test->type, numbers->offset[at] + draw(random, test->type) /
						   (numbers->scale[at] == 0 ? 1 : numbers->scale[at]));
}

static void
test_case(const Case *test)
{
	SpTestRandom random = {(uint64_t) (test - cases)};
	Numbers		numbers;
	double		rows[N_ROWS * N_IN];
	double		tolerance = test->type == SP_TYPE_F32 ? 1e-5 : 1e-13;
	SpModel    *model;
	SpImage    *image;
	Runner		runner;
	int			n_bad = 0;

	draw_numbers(test, &random, &numbers);
	for (int row = 0; row < N_ROWS; row++)
		draw_row(test, &numbers, &random, rows + (size_t) row * N_IN);
	model = build(test, &numbers);
	image = model == NULL ? NULL : pack(model);
	if (image == NULL)
	{
		ok(false, "%s: %s", test->name, cx.error.message);
		return;
	}
	open_runner(&runner, image, N_ROWS, NULL, NULL);
	store(test->type, rows, N_ROWS * N_IN, sp_eval_input(runner.eval, 0));
	sp_eval_run(runner.eval, N_ROWS, 1 << SP_OUTPUT_VALUE, false);
	for (int at = 0; at < N_ROWS * N_OUT; at++)
	{
		double		expected = formula(&numbers, rows + (size_t) (at / N_OUT) * N_IN, at % N_OUT);
		double		got = sp_eval_output_number(runner.eval, SP_OUTPUT_VALUE, (uint32_t) (at / N_OUT), (uint32_t) (at % N_OUT));
		double		size = fabs(expected) > fabs(numbers.last_scale[at % N_OUT]) ? fabs(expected) :
			fabs(numbers.last_scale[at % N_OUT]);

		/* what is below float32 is 0 */
		if (!(fabs(got - expected) <= tolerance * size + (test->type == SP_TYPE_F32 ? 0x1p-149 : 0)) && n_bad++ < 3)
			printf("# row %d: %a, expected %a\n", at / N_OUT, got, expected);
	}
	ok(n_bad == 0 && image->n_steps == test->n_steps, "%s: %u steps", test->name, image->n_steps);
	close_runner(&runner);
	sp_test_release_all(&region);
}

/* Infinities come out of folded scalers as of others. */
static void
test_infinities(void)
{
	SpTestRandom random = {1};
	Numbers		numbers;
	double		row[N_IN];
	SpModel    *model;
	Runner		runner;
	bool		good = true;

	draw_numbers(&cases[0], &random, &numbers);
	draw_row(&cases[0], &numbers, &random, row);
	row[3] = INFINITY;
	model = build(&cases[0], &numbers);
	open_runner(&runner, pack(model), 1, NULL, NULL);
	store(SP_TYPE_F32, row, N_IN, sp_eval_input(runner.eval, 0));
	sp_eval_run(runner.eval, 1, 1 << SP_OUTPUT_VALUE, false);
	for (int result = 0; result < N_OUT; result++)
		good = good && sp_eval_output_number(runner.eval, SP_OUTPUT_VALUE, 0, (uint32_t) result) ==
			formula(&numbers, row, result);
	ok(good, "infinities");
	close_runner(&runner);
	sp_test_release_all(&region);
}

int
main(void)
{
	sp_test_context(&cx, &region);
	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
		test_case(&cases[at]);
	test_infinities();
	return done_testing();
}
