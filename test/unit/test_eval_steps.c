/*
 * test/unit/test_eval_steps.c
 *
 * All steps but trees, against plain formulas in double.
 */
#include "sp_test_eval.h"

/* One step on given numbers */

typedef SpStatus (*AddStep) (SpBuilder *builder, uint32_t in, int kind, uint32_t *value);

static SpStatus
add_map(SpBuilder *builder, uint32_t in, int kind, uint32_t *value)
{
	return sp_builder_map(builder, in, (SpMap) kind, value);
}

static SpStatus
add_softmax(SpBuilder *builder, uint32_t in, int kind, uint32_t *value)
{
	return sp_builder_softmax(builder, in, (SpSoftmax) kind, value);
}

static SpStatus
add_normalize(SpBuilder *builder, uint32_t in, int kind, uint32_t *value)
{
	return sp_builder_normalize(builder, in, (SpNorm) kind, value);
}

static SpStatus
add_complement(SpBuilder *builder, uint32_t in, int kind, uint32_t *value)
{
	(void) kind;
	return sp_builder_complement(builder, in, value);
}

static SpStatus
add_scale(SpBuilder *builder, uint32_t in, int kind, uint32_t *value)
{
	static const double offset[] = {0.5, -1, 2, 0, 3, 1, 1, 1};
	static const double scale[] = {2, 3, -0.25, 1, 0, 1, 1, 1};

	(void) kind;
	return sp_builder_scale(builder, in, offset, scale, value);
}

static SpStatus
add_cast(SpBuilder *builder, uint32_t in, int kind, uint32_t *value)
{
	return sp_builder_cast(builder, in, (SpType) kind, value);
}

/*
 * Input of the type and width, the step, its result as output raw (through a
 * cast to double if it is integer); gives the results of n_rows rows.
 */
static bool
run_step(SpType type, uint32_t width, AddStep add, int kind, const double *numbers, uint32_t n_rows,
		 double *results, uint32_t *out_width)
{
	static const double ones[64] = {1};
	SpBuilder  *builder;
	SpModel    *model;
	SpImage    *image;
	Runner		runner;
	uint32_t	in;
	uint32_t	value;
	uint32_t	last;

	if (sp_builder_new(&cx, &builder) != SP_OK ||
		sp_builder_task(builder, SP_TASK_SCORE, true) != SP_OK ||
		sp_builder_input(builder, type, width, NULL, &in) != SP_OK ||
		add(builder, in, kind, &value) != SP_OK)
		return false;
	if (sp_builder_value(builder, value).type == SP_TYPE_I64 &&
		sp_builder_cast(builder, value, SP_TYPE_F64, &value) != SP_OK)
		return false;
	*out_width = sp_builder_value(builder, value).width;
	if (sp_builder_output(builder, SP_OUTPUT_RAW, value) != SP_OK ||
		sp_builder_linear(builder, value, 1, ones, ones + 1, &last) != SP_OK ||
		sp_builder_output(builder, SP_OUTPUT_VALUE, last) != SP_OK ||
		sp_builder_finish(builder, NULL, &model) != SP_OK)
		return false;
	image = pack(model);
	open_runner(&runner, image, n_rows, NULL, NULL);
	if (type == SP_TYPE_I64)
		for (size_t at = 0; at < (size_t) n_rows * width; at++)
			((int64_t *) sp_eval_input(runner.eval, 0))[at] = (int64_t) numbers[at];
	else
		store(type, numbers, (size_t) n_rows * width, sp_eval_input(runner.eval, 0));
	sp_eval_run(runner.eval, n_rows, 1 << SP_OUTPUT_RAW, true);
	for (uint32_t row = 0; row < n_rows; row++)
		for (uint32_t column = 0; column < *out_width; column++)
			results[row * *out_width + column] = sp_eval_output_number(runner.eval, SP_OUTPUT_RAW, row, column);
	close_runner(&runner);
	return true;
}

static bool
near(double got, double expected, SpType type)
{
	double		tolerance = type == SP_TYPE_F32 ? 3e-7 : 1e-15;

	if (isnan(expected) || isinf(expected))
		return isnan(expected) ? isnan(got) : got == expected;
	return fabs(got - expected) <= tolerance * (fabs(expected) > 1 ? fabs(expected) : 1);
}

static double
map_formula(SpMap map, double x)
{
	double		logarithm;
	double		a;

	switch (map)
	{
		case SP_MAP_SIGMOID:
			return 1 / (1 + exp(-x));
		case SP_MAP_EXP:
			return exp(x);
		case SP_MAP_STEP:
			return x > 0;
		case SP_MAP_NEGATE:
			return -x;
		case SP_MAP_SIGNED_SQUARE:
			return x * fabs(x);
		case SP_MAP_LOG1P_EXP:
			return log1p(exp(x));
		case SP_MAP_NAN_ZERO:
			return isnan(x) ? 0 : x;
		case SP_MAP_PROBIT:
			break;
	}
	/* Winitzki's approximation of the inverse error function */
	x = 2 * x - 1;
	logarithm = log(1 - x * x);
	a = 2 / (3.14159 * 0.147) + logarithm / 2;
	return copysign(sqrt(2) * sqrt(sqrt(a * a - logarithm / 0.147) - a), x);
}

static void
test_maps(void)
{
	static const double numbers[] = {0, 1, -1, 0.25, 0.5, 0.75, 20, -20, 88, -87, 0.001, 0.999, -0.0};
	static const char *const names[] = {"", "sigmoid", "exp", "probit", "step", "negate"};
	enum { N = sizeof(numbers) / sizeof(numbers[0]) };

	for (int type = SP_TYPE_F32; type <= SP_TYPE_F64; type++)
		for (int map = SP_MAP_SIGMOID; map <= SP_MAP_NEGATE; map++)
		{
			double		results[N];
			uint32_t	width;
			bool		good = run_step((SpType) type, 1, add_map, map, numbers, N, results, &width);

			for (int at = 0; at < N && good; at++)
			{
				double		x = round_to((SpType) type, numbers[at]);
				double		expected = map_formula((SpMap) map, x);
				/* it cancels digits near 0 and 1, where it was rounded before */
				double		scale = map == SP_MAP_PROBIT ? 32 : 1;

				if (map == SP_MAP_PROBIT && (x <= 0 || x >= 1))
					continue;
				good = near(results[at] / scale, expected / scale, map == SP_MAP_PROBIT ? SP_TYPE_F32 : (SpType) type);
				if (!good)
					printf("# %s(%g): got %.17g, expected %.17g\n", names[map], x, results[at], expected);
			}
			ok(good, "%s of %s", names[map], sp_type_name((SpType) type));
		}
	sp_test_release_all(&region);
}

static void
test_sigmoid_extremes(void)
{
	static const double numbers[] = {1e38, -1e38, INFINITY, -INFINITY, -100, NAN};
	double		results[6];
	uint32_t	width;

	run_step(SP_TYPE_F32, 1, add_map, SP_MAP_SIGMOID, numbers, 6, results, &width);
	ok(results[0] == 1 && results[2] == 1, "sigmoid of huge numbers is 1");
	ok(results[1] >= 0 && results[1] < 1e-38 && results[3] == results[1] && results[4] == results[1],
	   "sigmoid of very small numbers is next to 0, as XGBoost's");
	ok(isnan(results[5]), "sigmoid of NaN is NaN");
	sp_test_release_all(&region);
}

static void
test_softmax(void)
{
	static const double numbers[] = {
		1, 2, 3, 4, 0, 0, 0, 0, -1, 0, 5, 0, 80, -80, 0, 1000, 1e-8, 3, -1e-8, 0.5
	};

	for (int type = SP_TYPE_F32; type <= SP_TYPE_F64; type++)
		for (int kind = SP_SOFTMAX_ALL; kind <= SP_SOFTMAX_NONZERO; kind++)
		{
			double		results[20];
			uint32_t	width;
			bool		good = run_step((SpType) type, 4, add_softmax, kind, numbers, 5, results, &width);

			for (int row = 0; row < 5 && good; row++)
			{
				double		parts[4];
				double		largest = -INFINITY;
				double		sum = 0;

				for (int at = 0; at < 4; at++)
					largest = fmax(largest, numbers[row * 4 + at]);
				for (int at = 0; at < 4; at++)
				{
					double		x = numbers[row * 4 + at];
					bool		counts = kind == SP_SOFTMAX_ALL || fabs(x) > 1e-7;

					parts[at] = counts ? exp(x - largest) : x * exp(-largest);
					sum += counts ? parts[at] : 0;
				}
				for (int at = 0; at < 4; at++)
					good = good && near(results[row * 4 + at], parts[at] / sum, (SpType) type);
			}
			ok(good, "softmax%s of %s", kind == SP_SOFTMAX_NONZERO ? " of what is not zero" : "",
			   sp_type_name((SpType) type));
		}
	sp_test_release_all(&region);
}

static double
norm_formula(SpNorm norm, const double *row, int count)
{
	double		size = norm == SP_NORM_MAX ? -INFINITY : 0;

	for (int at = 0; at < count; at++)
	{
		if (norm == SP_NORM_MAX)
			size = fmax(size, row[at]);
		else
			size += norm == SP_NORM_L1 ? fabs(row[at]) : row[at] * row[at];
	}
	size = norm == SP_NORM_L2 ? sqrt(size) : size;
	return size == 0 ? 1 : size;
}

static void
test_normalize(void)
{
	static const double numbers[] = {1, -2, 3, 0, 0, 0, -1, -5, -2, 0.5, 0.25, -0.125};

	for (int type = SP_TYPE_F32; type <= SP_TYPE_F64; type++)
		for (int norm = SP_NORM_MAX; norm <= SP_NORM_L2; norm++)
		{
			double		results[12];
			uint32_t	width;
			bool		good = run_step((SpType) type, 3, add_normalize, norm, numbers, 4, results, &width);

			for (int at = 0; at < 12 && good; at++)
				good = near(results[at], numbers[at] / norm_formula((SpNorm) norm, numbers + at / 3 * 3, 3),
							(SpType) type);
			ok(good, "norm %d of %s", norm, sp_type_name((SpType) type));
		}
	sp_test_release_all(&region);
}

static void
test_small_steps(void)
{
	static const double rows[] = {1, 2, 3, 4, 5, -1, 0, 1, 0, 2};
	static const double scaled[] = {1, 9, -0.25, 4, 0, -3, 3, 0.25, 0, 0};
	static const double casts[] = {1.9, -1.9, 1e30, -1e30, 9223372036854774784.0, -9223372036854775808.0};
	double		results[16];
	uint32_t	width;

	for (int type = SP_TYPE_F32; type <= SP_TYPE_F64; type++)
	{
		bool		good = run_step((SpType) type, 5, add_scale, 0, rows, 2, results, &width);

		for (int at = 0; at < 10; at++)
			good = good && results[at] == scaled[at];
		ok(good, "scaler of %s", sp_type_name((SpType) type));
		good = run_step((SpType) type, 1, add_complement, 0, (const double[]) {0.25, 1}, 2, results, &width);
		ok(good && width == 2 && results[0] == 0.75 && results[1] == 0.25 && results[2] == 0 && results[3] == 1,
		   "complement of %s", sp_type_name((SpType) type));
	}
	ok(run_step(SP_TYPE_F64, 6, add_cast, SP_TYPE_I64, casts, 1, results, &width) &&
	   results[0] == 1 && results[1] == -1 && results[2] == -0x1p63 && results[3] == -0x1p63 &&
	   results[4] == casts[4] && results[5] == -0x1p63, "cast to integer cuts, and what does not fit is the lowest");
	ok(run_step(SP_TYPE_F64, 1, add_cast, SP_TYPE_I64, (const double[]) {NAN}, 1, results, &width) &&
	   results[0] == -0x1p63, "NaN cast to integer is the lowest");
	ok(run_step(SP_TYPE_I64, 1, add_cast, SP_TYPE_F32, (const double[]) {16777217}, 1, results, &width) &&
	   results[0] == 16777216, "cast of an integer to float32 rounds");
	ok(run_step(SP_TYPE_F64, 1, add_cast, SP_TYPE_F32, (const double[]) {0.1}, 1, results, &width) &&
	   results[0] == (double) 0.1f, "cast to float32 rounds");
	ok(run_step(SP_TYPE_F32, 1, add_cast, SP_TYPE_F64, (const double[]) {0.1}, 1, results, &width) &&
	   results[0] == (double) 0.1f, "cast to float64 keeps");
	sp_test_release_all(&region);
}

/* Linear: all widths around the lanes, against a sum in double */

static void
test_linear(void)
{
	for (int type = SP_TYPE_F32; type <= SP_TYPE_F64; type++)
	{
		bool		good = true;

		for (uint32_t width = 1; width <= 70 && good; width++)
		{
			SpTestRandom random = {width};
			SpBuilder  *builder;
			SpModel    *model;
			Runner		runner;
			double		weights[210];
			double		bias[3] = {1, -2, 0.5};
			double		rows[5 * 70];
			uint32_t	in;
			uint32_t	value;
			uint32_t	label;

			for (uint32_t at = 0; at < 3 * width; at++)
				weights[at] = round_to((SpType) type, (double) random_bits(&random) / 0x1p63 - 1);
			for (uint32_t at = 0; at < 5 * width; at++)
				rows[at] = round_to((SpType) type, (double) random_bits(&random) / 0x1p63 - 1);
			sp_builder_new(&cx, &builder);
			sp_builder_task(builder, SP_TASK_CLASSIFICATION, false);
			sp_builder_labels(builder, SP_TYPE_STRING, (const SpStr[]) {SP_STR("a"), SP_STR("b"), SP_STR("c")}, 3);
			sp_builder_input(builder, (SpType) type, width, NULL, &in);
			sp_builder_linear(builder, in, 3, weights, bias, &value);
			sp_builder_argmax(builder, value, &label);
			sp_builder_output(builder, SP_OUTPUT_RAW, value);
			sp_builder_output(builder, SP_OUTPUT_LABEL, label);
			good = sp_builder_finish(builder, NULL, &model) == SP_OK;
			if (!good)
				break;
			open_runner(&runner, pack(model), 5, NULL, NULL);
			store((SpType) type, rows, 5 * width, sp_eval_input(runner.eval, 0));
			good = sp_eval_run(runner.eval, 5, 1 << SP_OUTPUT_RAW | 1 << SP_OUTPUT_LABEL, false) == SP_OK;
			for (uint32_t row = 0; row < 5; row++)
			{
				double		best = -INFINITY;
				uint32_t	best_target = 0;

				for (uint32_t target = 0; target < 3; target++)
				{
					double		sum = bias[target];

					for (uint32_t at = 0; at < width; at++)
						sum += rows[row * width + at] * weights[target * width + at];
					best_target = sum > best ? target : best_target;
					best = fmax(best, sum);
					good = good && fabs(sp_eval_output_number(runner.eval, SP_OUTPUT_RAW, row, target) - sum) <=
						(type == SP_TYPE_F32 ? 4e-6 : 1e-14);
				}
				good = good && sp_eval_output_number(runner.eval, SP_OUTPUT_LABEL, row, 0) == best_target;
			}
			close_runner(&runner);
			sp_test_release_all(&region);
		}
		ok(good, "linear models and argmax of %s", sp_type_name((SpType) type));
	}
}

/* Labels and what is needed for them */

static void
test_choices(void)
{
	static const SpStr labels[] = {SP_STR("no"), SP_STR("yes")};
	SpBuilder  *builder;
	SpModel    *model;
	SpImage    *image;
	Runner		runner;
	uint32_t	in;
	uint32_t	probability;
	uint32_t	both;
	uint32_t	label;
	float	   *input;

	sp_builder_new(&cx, &builder);
	sp_builder_task(builder, SP_TASK_CLASSIFICATION, true);
	sp_builder_labels(builder, SP_TYPE_STRING, labels, 2);
	sp_builder_input(builder, SP_TYPE_F32, 1, NULL, &in);
	sp_builder_map(builder, in, SP_MAP_SIGMOID, &probability);
	sp_builder_complement(builder, probability, &both);
	sp_builder_above(builder, probability, 0.5, &label);
	sp_builder_output(builder, SP_OUTPUT_RAW, in);
	sp_builder_output(builder, SP_OUTPUT_PROBABILITIES, both);
	sp_builder_output(builder, SP_OUTPUT_LABEL, label);
	ok(sp_builder_finish(builder, NULL, &model) == SP_OK, "a binary classifier: %s", cx.error.message);
	image = pack(model);
	ok(sp_image_steps(image)[0].needed_by == (1 << SP_OUTPUT_PROBABILITIES | 1 << SP_OUTPUT_LABEL) &&
	   sp_image_steps(image)[1].needed_by == 1 << SP_OUTPUT_PROBABILITIES &&
	   sp_image_steps(image)[2].needed_by == 1 << SP_OUTPUT_LABEL, "steps know the outputs that need them");
	open_runner(&runner, image, 4, NULL, NULL);
	input = sp_eval_input(runner.eval, 0);
	input[0] = -1;
	input[1] = 0;
	input[2] = 1;
	input[3] = NAN;
	sp_eval_run(runner.eval, 4, 1 << SP_OUTPUT_LABEL, true);
	ok(sp_eval_output_number(runner.eval, SP_OUTPUT_LABEL, 0, 0) == 0 &&
	   sp_eval_output_number(runner.eval, SP_OUTPUT_LABEL, 1, 0) == 0 &&
	   sp_eval_output_number(runner.eval, SP_OUTPUT_LABEL, 2, 0) == 1 &&
	   sp_eval_output_number(runner.eval, SP_OUTPUT_LABEL, 3, 0) == 0, "labels above the bound, not at it");
	ok(isnan(sp_eval_output_number(runner.eval, SP_OUTPUT_PROBABILITIES, 0, 0)),
	   "probabilities were not computed, as nobody wanted them");
	sp_eval_run(runner.eval, 4, 1 << SP_OUTPUT_RAW | 1 << SP_OUTPUT_PROBABILITIES, true);
	ok(sp_eval_output_number(runner.eval, SP_OUTPUT_RAW, 2, 0) == 1, "an input can be an output");
	ok(fabs(sp_eval_output_number(runner.eval, SP_OUTPUT_PROBABILITIES, 2, 1) - 0.7310586) < 1e-6,
	   "probabilities when wanted");
	ok(isnan(sp_eval_output_number(runner.eval, SP_OUTPUT_VALUE, 0, 0)), "no such output gives NaN");
	ok(sp_eval_output(runner.eval, SP_OUTPUT_VALUE, NULL, NULL) == NULL, "and no buffer");
	ok(!strcmp(sp_image_label(image, 1), "yes") &&
	   !strcmp(sp_image_string(image, sp_image_features(image)[0].name), "f0"), "names are in the image");
	close_runner(&runner);
	sp_test_release_all(&region);
}

int
main(void)
{
	sp_test_context(&cx, &region);
	test_maps();
	test_sigmoid_extremes();
	test_softmax();
	test_normalize();
	test_small_steps();
	test_linear();
	test_choices();
	return done_testing();
}
