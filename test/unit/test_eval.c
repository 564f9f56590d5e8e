/*
 * test/unit/test_eval.c
 *
 * The kernels against a plain interpreter of the model: equal bits for trees,
 * whatever the shape, the numbers and the size of the block.
 */
#include "ir/sp_pack.h"
#include "kernel/sp_eval.h"
#include "sp_test_models.h"

#define MAX_ROWS 150

static SpContext cx;
static SpTestRegion region;

/* The image's evaluator in memory of the right alignment. */
typedef struct Runner
{
	void	   *memory;
	SpEval	   *eval;
} Runner;

static SpEval *
open_runner(Runner *runner, const SpImage *image, uint32_t capacity, SpStop stop, void *stop_arg)
{
	size_t		size = sp_eval_size(image, capacity);

	runner->memory = aligned_alloc(64, size);
	memset(runner->memory, 0xff, size);
	runner->eval = sp_eval_init(runner->memory, image, capacity, stop, stop_arg);
	return runner->eval;
}

static void
close_runner(Runner *runner)
{
	free(runner->memory);
}

static SpImage *
pack(const SpModel *model)
{
	SpImage    *image = NULL;
	SpStatus	status = sp_pack(&cx, model, &image);

	if (status != SP_OK)
		ok(false, "pack: %s", cx.error.message);
	return image;
}

/* The plain interpreter of trees */

static bool
goes_left(const SpNode *node, double x)
{
	if (isnan(x))
		return (node->flags & SP_NODE_MISSING_LEFT) != 0;
	return node->flags & SP_NODE_LE ? x <= node->threshold : x < node->threshold;
}

static const SpNode *
find_leaf(const SpTrees *trees, uint32_t tree, const double *row)
{
	const SpNode *nodes = trees->nodes + trees->first_node[tree];
	const SpNode *node = nodes;

	while (node->feature != SP_LEAF)
		node = nodes + (goes_left(node, row[node->feature]) ? node->left : node->right);
	return node;
}

static double
round_to(SpType type, double number)
{
	return type == SP_TYPE_F32 ? (double) (float) number : number;
}

/* Sums of one row, each rounded to the sum's type after every addition. */
static void
interpret_trees(const SpTrees *trees, const double *row, double *sums)
{
	SpType		type = trees->sum_type;
	bool		seen[64] = {0};

	for (uint32_t target = 0; target < trees->n_targets; target++)
		sums[target] = trees->base_last ? 0 : round_to(type, trees->base[target]);
	for (uint32_t tree = 0; tree < trees->n_trees; tree++)
	{
		const SpNode *leaf = find_leaf(trees, tree, row);

		for (uint32_t at = 0; at < leaf->right; at++)
		{
			const SpLeafWeight *weight = &trees->weights[leaf->left + at];
			double		value = round_to(type, weight->value);
			double	   *sum = &sums[weight->target];

			if (trees->aggregate == SP_AGGREGATE_MIN)
				*sum = !seen[weight->target] || value < *sum ? value : *sum;
			else if (trees->aggregate == SP_AGGREGATE_MAX)
				*sum = !seen[weight->target] || value > *sum ? value : *sum;
			else
				*sum = round_to(type, *sum + value);
			seen[weight->target] = true;
		}
	}
	for (uint32_t target = 0; target < trees->n_targets && trees->base_last; target++)
	{
		if (trees->aggregate == SP_AGGREGATE_AVERAGE)
			sums[target] = round_to(type, sums[target] / trees->n_trees);
		sums[target] = round_to(type, sums[target] + round_to(type, trees->base[target]));
	}
}

/* Trees */

static void
fill_rows(SpTestRandom *random, SpType type, size_t count, bool never_nan, double *numbers)
{
	for (size_t at = 0; at < count; at++)
		numbers[at] = round_to(type, random_number(random, never_nan, type == SP_TYPE_F64));
}

static void
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

/* Bits of the raw output of rows from first on against the interpreter's. */
static bool
same_bits(const SpModel *model, const SpEval *eval, const double *rows, uint32_t n_rows)
{
	const SpTrees *trees = &model->steps[0].u.trees;
	uint32_t	width = model->n_features;

	for (uint32_t row = 0; row < n_rows; row++)
	{
		double		sums[64];

		interpret_trees(trees, rows + (size_t) row * width, sums);
		for (uint32_t target = 0; target < trees->n_targets; target++)
		{
			double		got = sp_eval_output_number(eval, SP_OUTPUT_RAW, row, target);

			if (memcmp(&got, &sums[target], sizeof(double)) != 0)
			{
				printf("# row %u target %u: got %a, expected %a\n", row, target, got, sums[target]);
				return false;
			}
		}
	}
	return true;
}

static bool
check_blocks(const SpModel *model, const SpImage *image, const double *rows, bool may_have_missing)
{
	static const uint32_t sizes[] = {1, 2, 5, 6, 7, 8, 9, 15, 16, 127, 128, 129, MAX_ROWS};
	SpType		type = model->features[0].type;
	uint32_t	width = model->n_features;
	bool		same = true;

	for (size_t at = 0; at < sizeof(sizes) / sizeof(sizes[0]) && same; at++)
	{
		Runner		runner;
		SpEval	   *eval = open_runner(&runner, image, sizes[at], NULL, NULL);

		for (uint32_t run = 0; run < 2 && same; run++)
		{
			/* the second run with fewer rows than the capacity */
			uint32_t	n_rows = run == 0 ? sizes[at] : (sizes[at] + 1) / 2;
			const double *from = rows + (size_t) (MAX_ROWS - n_rows) * width;

			store(type, from, (size_t) n_rows * width, sp_eval_input(eval, 0));
			same = sp_eval_run(eval, n_rows, 1 << SP_OUTPUT_RAW, may_have_missing) == SP_OK &&
				same_bits(model, eval, from, n_rows);
		}
		close_runner(&runner);
	}
	return same;
}

static void
test_random_trees(void)
{
	static double rows[MAX_ROWS * 5000];
	int			n_models = getenv("SP_TEST_MODELS") ? atoi(getenv("SP_TEST_MODELS")) : 400;
	int			n_bad = 0;
	uint32_t	node_kinds = 0;
	uint32_t	leaf_kinds = 0;
	/* more than 256 and more than 4,096 columns */
	static const SpTestEnsemble given[] = {
		{SP_TYPE_F32, 500, SP_TYPE_F32, SP_AGGREGATE_SUM, false, 2, 20, LEAVES_ONE_TARGET, true, true, SHAPE_ANY},
		{SP_TYPE_F32, 5000, SP_TYPE_F64, SP_AGGREGATE_SUM, true, 3, 130, LEAVES_ANY, true, true, SHAPE_ANY}
	};
	enum { N_GIVEN = sizeof(given) / sizeof(given[0]) };

	for (int number = 0; number < n_models && n_bad < 5; number++)
	{
		SpTestRandom random = {(uint64_t) number};
		SpTestEnsemble spec = number < N_GIVEN ? given[number] : random_spec(&random);
		SpModel    *model = random_model(&cx, &random, &spec);
		SpImage    *image = model ? pack(model) : NULL;
		const SpPackedTrees *packed;
		bool		never_nan = random_below(&random, 2);

		if (image == NULL)
		{
			ok(false, "model %d: %s", number, cx.error.message);
			n_bad++;
			continue;
		}
		packed = sp_image_at(image, sp_image_steps(image)[0].params);
		node_kinds |= 1U << packed->node_kind;
		leaf_kinds |= 1U << packed->leaf_kind;
		fill_rows(&random, spec.in_type, (size_t) MAX_ROWS * spec.in_width, never_nan, rows);
		if (!check_blocks(model, image, rows, true) || (never_nan && !check_blocks(model, image, rows, false)))
		{
			ok(false, "model %d differs: %u features of type %d, node kind %u, leaf kind %u, aggregate %d",
			   number, spec.in_width, spec.in_type, packed->node_kind, packed->leaf_kind, spec.aggregate);
			n_bad++;
		}
		sp_test_release_all(&region);
	}
	ok(n_bad == 0, "%d random ensembles give the interpreter's bits for all block sizes", n_models);
	ok(node_kinds == (1U << SP_NODES_COLUMN8 | 1U << SP_NODES_COLUMN12 | 1U << SP_NODES_COLUMN16 | 1U << SP_NODES_WIDE),
	   "all kinds of nodes were among them");
	ok(leaf_kinds == (1U << SP_LEAVES_INLINE | 1U << SP_LEAVES_DENSE | 1U << SP_LEAVES_LIST),
	   "all kinds of leaves were among them");
}

/* A promise that is not kept may give wrong numbers, but never leaves the image (the sanitizer looks). */
static void
test_broken_promise(void)
{
	SpTestRandom random = {4711};
	SpTestEnsemble spec = {
		.in_type = SP_TYPE_F32, .in_width = 4, .sum_type = SP_TYPE_F32, .aggregate = SP_AGGREGATE_SUM,
		.n_targets = 1, .n_trees = 13, .leaves = LEAVES_ONE_TARGET, .shape = -1
	};
	SpImage    *image = pack(random_model(&cx, &random, &spec));
	Runner		runner;
	SpEval	   *eval = open_runner(&runner, image, 9, NULL, NULL);
	SpType		type;
	uint32_t	width;
	const float *raw;
	bool		finite = true;

	for (int at = 0; at < 9 * 4; at++)
		((float *) sp_eval_input(eval, 0))[at] = NAN;
	ok(sp_eval_run(eval, 9, 1 << SP_OUTPUT_RAW, false) == SP_OK, "NaN against the promise runs");
	raw = sp_eval_output(eval, SP_OUTPUT_RAW, &type, &width);
	for (int row = 0; row < 9; row++)
		finite = finite && isfinite(raw[row]);
	ok(finite, "and still ends in leaves");
	close_runner(&runner);
	sp_test_release_all(&region);
}

/* Everything else: one step on given numbers, against formulas in double */

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
		sp_builder_task(builder, SP_TASK_SCORE, true, true) != SP_OK ||
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
			sp_builder_task(builder, SP_TASK_CLASSIFICATION, false, false);
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
	sp_builder_task(builder, SP_TASK_CLASSIFICATION, true, true);
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

/* Stopping */

static bool
stop_at(void *arg)
{
	return --*(int *) arg <= 0;
}

static void
test_stop(void)
{
	SpTestRandom random = {99};
	SpTestEnsemble spec = {
		.in_type = SP_TYPE_F32, .in_width = 8, .sum_type = SP_TYPE_F32, .aggregate = SP_AGGREGATE_SUM,
		.n_targets = 1, .n_trees = 4000, .leaves = LEAVES_ONE_TARGET, .shape = SHAPE_CHAIN
	};
	SpImage    *image = pack(random_model(&cx, &random, &spec));
	Runner		runner;
	int			countdown = 1;
	int			polls;

	open_runner(&runner, image, 128, stop_at, &countdown);
	memset(sp_eval_input(runner.eval, 0), 0, 128 * 8 * sizeof(float));
	ok(sp_eval_run(runner.eval, 1, 1, true) == SP_ERR_CANCELLED, "one row of a large forest can be stopped");
	countdown = 3;
	ok(sp_eval_run(runner.eval, 128, 1, true) == SP_ERR_CANCELLED && countdown == 0,
	   "a block can be stopped at the third poll");
	countdown = 1000000;
	ok(sp_eval_run(runner.eval, 128, 1, true) == SP_OK, "a callback that never stops changes nothing");
	polls = 1000000 - countdown;
	ok(polls > 10 && polls < 1000, "and it is called %d times for this block", polls);
	close_runner(&runner);
	sp_test_release_all(&region);
}

static void
test_sizes(void)
{
	SpTestRandom random = {5};
	SpTestEnsemble spec = {
		.in_type = SP_TYPE_F64, .in_width = 5000, .sum_type = SP_TYPE_F64, .aggregate = SP_AGGREGATE_SUM,
		.n_targets = 1, .n_trees = 3, .leaves = LEAVES_ONE_TARGET, .shape = -1
	};
	SpImage    *image = pack(random_model(&cx, &random, &spec));

	ok(sp_eval_size(image, 1) > 5000 * sizeof(double), "one row fits");
	ok(sp_eval_size(image, 128) > 128 * 5000 * sizeof(double), "a block fits");
	ok(sp_eval_size(image, 1) % 64 == 0, "sizes are whole cache lines");
	sp_test_release_all(&region);
}

int
main(void)
{
	sp_test_context(&cx, &region);
	test_random_trees();
	test_broken_promise();
	test_maps();
	test_sigmoid_extremes();
	test_softmax();
	test_normalize();
	test_small_steps();
	test_linear();
	test_choices();
	test_stop();
	test_sizes();
	return done_testing();
}
