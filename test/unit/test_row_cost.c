/*
 * test/unit/test_row_cost.c
 *
 * Estimates of what a row costs, against what bench_row_cost measured: the
 * shapes of five models whose times differ by factors.
 */
#include "ir/sp_builder.h"
#include "ir/sp_pack.h"
#include "ir/sp_row_cost.h"
#include "sp_test.h"

#define MAX_RATIO 3

static SpContext cx;
static SpTestRegion region;

static void
check(SpStatus status, const char *what)
{
	if (status == SP_OK)
		return;
	printf("Bail out! %s: %s\n", what, cx.error.message);
	exit(1);
}

static SpBuilder *
begin(uint32_t width, uint32_t *value)
{
	SpBuilder  *builder;

	check(sp_builder_new(&cx, &builder), "builder");
	check(sp_builder_task(builder, SP_TASK_SCORE, true), "task");
	check(sp_builder_input(builder, SP_TYPE_F32, width, NULL, value), "input");
	return builder;
}

static int64_t
finish(SpBuilder *builder, uint32_t value)
{
	SpModel    *model;
	SpImage    *image;

	check(sp_builder_output(builder, SP_OUTPUT_VALUE, value), "output");
	check(sp_builder_finish(builder, NULL, &model), "model");
	check(sp_pack(&cx, model, &image), "image");
	return sp_row_cost(image);
}

static double *
numbers(size_t n)
{
	double	   *made = malloc(sizeof(double) * n);

	for (size_t at = 0; at < n; at++)
		made[at] = (double) (at * 2654435761u % 1000) / 1000 - 0.5;
	return made;
}

/* Complete trees. */
static int64_t
forest(uint32_t n_trees, uint32_t depth, uint32_t width)
{
	uint32_t	n_splits = (1U << depth) - 1;
	uint32_t	n_nodes = 2 * n_splits + 1;
	SpNode	   *nodes = calloc(n_nodes, sizeof(SpNode));
	SpLeafWeight *weights = calloc(n_splits + 1, sizeof(SpLeafWeight));
	uint32_t	value;
	SpBuilder  *builder = begin(width, &value);
	SpTreesSpec spec = {.in = value, .aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F32, .n_targets = 1};
	int64_t		cost;

	check(sp_builder_trees_begin(builder, &spec), "trees");
	for (uint32_t tree = 0; tree < n_trees; tree++)
	{
		for (uint32_t at = 0; at < n_nodes; at++)
			nodes[at] = at < n_splits ?
				(SpNode) {.threshold = (at + tree) % 100, .feature = (int32_t) ((at + tree) % width), .left = 2 * at + 1, .right = 2 * at + 2} :
				(SpNode) {.feature = SP_LEAF, .left = at - n_splits, .right = 1};
		for (uint32_t at = 0; at <= n_splits; at++)
			weights[at].value = at % 7;
		check(sp_builder_tree(builder, nodes, n_nodes, weights, n_splits + 1), "tree");
	}
	check(sp_builder_trees_end(builder, &value), "trees");
	cost = finish(builder, value);
	free(nodes);
	free(weights);
	return cost;
}

/* Layers of these widths, each but the last with a RELU behind it. */
static int64_t
layers(const uint32_t *widths, int n_layers)
{
	uint32_t	value;
	SpBuilder  *builder = begin(widths[0], &value);

	for (int layer = 0; layer < n_layers; layer++)
	{
		double	   *weights = numbers((size_t) widths[layer] * widths[layer + 1]);
		double	   *bias = numbers(widths[layer + 1]);

		check(sp_builder_linear(builder, value, widths[layer + 1], weights, bias, &value), "layer");
		if (layer < n_layers - 1)
			check(sp_builder_general(builder, SP_OP_APPLY, &(SpGeneral) {
				.kind = SP_APPLY_RELU, .n_inputs = 1, .inputs = &value
			}, &value), "function");
		free(weights);
		free(bias);
	}
	return finish(builder, value);
}

static int64_t
support_vectors(uint32_t n, uint32_t width)
{
	uint32_t	value;
	SpBuilder  *builder = begin(width, &value);
	double	   *vectors = numbers((size_t) n * width);

	check(sp_builder_general(builder, SP_OP_KERNEL, &(SpGeneral) {
		.kind = SP_KERNEL_RBF, .n_inputs = 1, .inputs = &value, .dims = {n}, .params = {0.01},
		.n_numbers = n * width, .numbers = vectors
	}, &value), "kernel");
	free(vectors);
	return finish(builder, value);
}

/* Nanoseconds on the machine of the prices; bench_row_cost prints them for model files of these shapes. */
static void
test_measured(void)
{
	const struct
	{
		const char *name;
		double		measured;
		int64_t		estimated;
	}			models[] = {
		{"linear, 561 features and 6 results", 430, layers((uint32_t[]) {561, 6}, 1)},
		{"500 trees of depth 6", 1230, forest(500, 6, 28)},
		{"a network of 561, 256, 256 and 6", 6000, layers((uint32_t[]) {561, 256, 256, 6}, 3)},
		{"2209 support vectors of 561 features", 182000, support_vectors(2209, 561)}
	};

	for (size_t at = 0; at < sizeof(models) / sizeof(models[0]); at++)
	{
		double		ratio = (double) models[at].estimated / models[at].measured;

		ok(ratio < MAX_RATIO && ratio > 1.0 / MAX_RATIO, "%s: %lld ns, measured %.0f", models[at].name,
		   (long long) models[at].estimated, models[at].measured);
		if (at > 0)
			ok(models[at].estimated > models[at - 1].estimated, "more than the model before it");
	}
}

static void
test_grows(void)
{
	int64_t		one = forest(1, 1, 1);
	int64_t		few = forest(100, 6, 28);
	int64_t		deep = forest(100, 9, 28);

	ok(one >= 1 && one < 200, "a stump costs a step: %lld ns", (long long) one);
	ok(few > one && forest(200, 6, 28) > few, "more trees cost more");
	ok(deep > 2 * few, "trees too deep for vectors cost more: %lld ns", (long long) deep);
	ok(forest(100, 12, 28) > 2 * deep, "deeper ones and those that are not in the caches, too");
	ok(layers((uint32_t[]) {100, 64, 1}, 2) > layers((uint32_t[]) {100, 16, 1}, 2), "wider layers cost more");
}

int
main(void)
{
	sp_test_context(&cx, &region);
	test_measured();
	test_grows();
	sp_test_release_all(&region);
	return done_testing();
}
