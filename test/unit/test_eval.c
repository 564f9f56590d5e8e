/*
 * test/unit/test_eval.c
 *
 * The tree kernel against a plain interpreter of the model: equal bits,
 * whatever the shape, the numbers and the size of the block.
 */
#include "sp_test_eval.h"

#define MAX_ROWS 150

/* The plain interpreter of trees */

static const SpNode *
find_leaf(const SpTrees *trees, uint32_t tree, const double *row)
{
	const SpNode *nodes = trees->nodes + trees->first_node[tree];
	const SpNode *node = nodes;

	while (node->feature != SP_LEAF)
		node = nodes + (goes_left(trees, node, row[node->feature]) ? node->left : node->right);
	return node;
}

static double
linear_value(const SpTrees *trees, uint32_t weight, const double *row)
{
	const SpLeafLinear *leaf = &trees->linear[weight];
	double		value = leaf->constant;

	for (uint32_t at = leaf->first_term; at < leaf->first_term + leaf->n_terms; at++)
	{
		if (isnan(row[trees->terms[at].column]))
			return trees->weights[weight].value;
		value += trees->terms[at].coefficient * row[trees->terms[at].column];
	}
	return value;
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
			double		value = trees->linear ? linear_value(trees, leaf->left, row) : round_to(type, weight->value);
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
		{SP_TYPE_F32, 500, SP_TYPE_F32, SP_AGGREGATE_SUM, false, 2, 20, LEAVES_ONE_TARGET, true, true, SHAPE_ANY, false, false, 0},
		{SP_TYPE_F32, 5000, SP_TYPE_F64, SP_AGGREGATE_SUM, true, 3, 130, LEAVES_ANY, true, true, SHAPE_ANY, true, false, 0}
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
	ok(leaf_kinds == (1U << SP_LEAVES_INLINE | 1U << SP_LEAVES_DENSE | 1U << SP_LEAVES_LIST |
					 1U << SP_LEAVES_LINEAR),
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
	test_stop();
	test_sizes();
	return done_testing();
}
