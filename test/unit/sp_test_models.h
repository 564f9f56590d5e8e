/*
 * test/unit/sp_test_models.h
 *
 * Random models for tests: reproducible, and rich in the numbers and shapes
 * that break things.
 */
#ifndef SP_TEST_MODELS_H
#define SP_TEST_MODELS_H

#include <float.h>
#include <math.h>

#include "ir/sp_builder.h"
#include "sp_test.h"

#define MAX_TREE_NODES 401

typedef struct SpTestRandom
{
	uint64_t	state;
} SpTestRandom;

/* splitmix64 */
__attribute__((unused)) static uint64_t
random_bits(SpTestRandom *random)
{
	uint64_t	mixed = random->state += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

/* 0 .. n-1 */
__attribute__((unused)) static uint32_t
random_below(SpTestRandom *random, uint32_t n)
{
	return (uint32_t) (random_bits(random) % n);
}

/*
 * Numbers of a small grid, so that inputs meet thresholds exactly, and all
 * special numbers.  never_nan as for thresholds; only doubles that are not
 * floats with as_double.
 */
__attribute__((unused)) static double
random_number(SpTestRandom *random, bool never_nan, bool as_double)
{
	static const double specials[] = {
		0.0, -0.0, INFINITY, -INFINITY, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN,
		0x1p-149, -0x1p-149, 0x1p-140, 1.0, -1.0, 0x1.000002p0, 0x1.fffffep-1
	};
	static const double doubles[] = {
		1e300, -1e300, DBL_MAX, -DBL_MAX, DBL_MIN, 0x1p-1074, -0x1p-1074, 0x1p-150, -0x1p-150,
		0x1.ffffffp127, 0x1.fffffefp127, -0x1.fffffefp127, 0.1, -0.3, 0x1.0000001p0, 0x1.fffffffp-1, 1e-60, -1e-60
	};
	uint32_t	kind = random_below(random, 10);

	if (kind == 0 && !never_nan)
		return NAN;
	if (kind <= 2)
		return specials[random_below(random, sizeof(specials) / sizeof(specials[0]))];
	if (kind <= 4 && as_double)
		return doubles[random_below(random, sizeof(doubles) / sizeof(doubles[0]))];
	if (kind <= 7)
		return (double) random_below(random, 9) - 4;
	return (double) (float) ((double) random_below(random, 1000) / 100 - 5);
}

typedef struct SpTestTree
{
	SpNode		nodes[MAX_TREE_NODES];
	uint32_t	n_nodes;
	SpLeafWeight weights[MAX_TREE_NODES * 8];
	uint32_t	n_weights;
	uint32_t	first_category[MAX_TREE_NODES + 1];
	uint32_t	n_sets;
	uint32_t	categories[MAX_TREE_NODES * 6];
	SpLeafLinear linear[MAX_TREE_NODES * 8];
	SpLeafTerm	terms[MAX_TREE_NODES * 3];
	uint32_t	n_terms;
} SpTestTree;

/* What sp_model.h says about splits. */
__attribute__((unused)) static bool
goes_left(const SpTrees *trees, const SpNode *node, double x)
{
	uint32_t	set;

	if (isnan(x) || (node->flags & SP_NODE_ZERO_MISSING && fabs(x) <= SP_ZERO_BOUND))
		return (node->flags & SP_NODE_MISSING_LEFT) != 0;
	if (!(node->flags & SP_NODE_CATEGORY))
		return node->flags & SP_NODE_LE ? x <= node->threshold : x < node->threshold;
	set = (uint32_t) node->threshold;
	if (x < 0 && !(node->flags & SP_NODE_TRUNCATE))
		return false;
	for (uint32_t at = trees->first_category[set]; at < trees->first_category[set + 1]; at++)
		if (trunc(x) == trees->categories[at])
			return true;
	return false;
}

typedef enum SpTestShape
{
	SHAPE_SINGLE_LEAF,
	SHAPE_CHAIN,
	SHAPE_FULL,
	SHAPE_ANY,
	N_SHAPES
} SpTestShape;

typedef enum SpTestLeaves
{
	LEAVES_ONE_TARGET,			/* one weight a leaf, a tree's all for one target */
	LEAVES_ALL_TARGETS,
	LEAVES_ANY,					/* any targets, also none at all, also zeros */
	N_LEAVES
} SpTestLeaves;

/* Give node number children; the nodes are numbered in the order they are made. */
__attribute__((unused)) static void
split_node(SpTestTree *tree, uint32_t number)
{
	tree->nodes[number].feature = 0;
	tree->nodes[number].left = tree->n_nodes;
	tree->nodes[number].right = tree->n_nodes + 1;
	tree->nodes[tree->n_nodes] = (SpNode) {.feature = SP_LEAF};
	tree->nodes[tree->n_nodes + 1] = (SpNode) {.feature = SP_LEAF};
	tree->n_nodes += 2;
}

/* max_depth: splits on a path, 0 for any number of them. */
__attribute__((unused)) static void
random_shape(SpTestRandom *random, SpTestShape shape, uint32_t max_depth, SpTestTree *tree)
{
	uint32_t	depths[MAX_TREE_NODES] = {0};
	uint32_t	n_splits = shape == SHAPE_SINGLE_LEAF ? 0 : random_below(random, shape == SHAPE_FULL ? 64 : 200);

	if (shape == SHAPE_FULL && max_depth > 0)
		n_splits = (1U << random_below(random, (max_depth < 7 ? max_depth : 7) + 1)) - random_below(random, 2);
	tree->nodes[0] = (SpNode) {.feature = SP_LEAF};
	tree->n_nodes = 1;
	for (uint32_t split = 0; split < n_splits; split++)
	{
		uint32_t	number = shape == SHAPE_FULL ? split : 0;

		if (shape == SHAPE_CHAIN)
			number = split == 0 ? 0 : tree->n_nodes - 1 - random_below(random, 2);
		else if (shape == SHAPE_ANY)
			do
				number = random_below(random, tree->n_nodes);
			while (tree->nodes[number].feature != SP_LEAF);
		if (max_depth > 0 && depths[number] == max_depth)
			continue;
		depths[tree->n_nodes] = depths[tree->n_nodes + 1] = depths[number] + 1;
		split_node(tree, number);
	}
}

/* Change places of all nodes but the root, so that children may come before parents. */
__attribute__((unused)) static void
shuffle_nodes(SpTestRandom *random, SpTestTree *tree)
{
	uint32_t	place[MAX_TREE_NODES];
	SpNode		old[MAX_TREE_NODES];

	memcpy(old, tree->nodes, sizeof(old));
	for (uint32_t at = 0; at < tree->n_nodes; at++)
		place[at] = at;
	for (uint32_t at = tree->n_nodes; at > 2; at--)
	{
		uint32_t	other = 1 + random_below(random, at - 1);
		uint32_t	swap = place[at - 1];

		place[at - 1] = place[other];
		place[other] = swap;
	}
	for (uint32_t at = 0; at < tree->n_nodes; at++)
	{
		SpNode	   *node = &tree->nodes[place[at]];

		*node = old[at];
		if (node->feature != SP_LEAF)
		{
			node->left = place[node->left];
			node->right = place[node->right];
		}
	}
}

__attribute__((unused)) static double
random_leaf_value(SpTestRandom *random, bool float_values)
{
	double		value = (double) random_bits(random) / 0x1p63 - 1;

	if (random_below(random, 8) == 0)
		return random_below(random, 2) ? 0.0 : -0.0;
	return float_values ? (double) (float) value : value;
}

__attribute__((unused)) static void
random_leaf(SpTestRandom *random, SpTestLeaves leaves, uint32_t n_targets, uint32_t tree_target,
			bool float_values, SpTestTree *tree, SpNode *leaf)
{
	leaf->left = tree->n_weights;
	leaf->right = 0;
	for (uint32_t target = 0; target < n_targets; target++)
	{
		bool		wanted = leaves == LEAVES_ALL_TARGETS ||
			(leaves == LEAVES_ONE_TARGET && target == tree_target) ||
			(leaves == LEAVES_ANY && random_below(random, 3) > 0);

		if (!wanted)
			continue;
		tree->weights[tree->n_weights++] =
			(SpLeafWeight) {random_leaf_value(random, float_values), target};
		leaf->right++;
	}
}

/* What a random ensemble is like. */
typedef struct SpTestEnsemble
{
	SpType		in_type;
	uint32_t	in_width;
	SpType		sum_type;
	SpAggregate aggregate;
	bool		base_last;
	uint32_t	n_targets;
	uint32_t	n_trees;
	SpTestLeaves leaves;
	bool		float_values;
	bool		double_thresholds;
	int			shape;			/* SpTestShape, or -1 for any */
	bool		sets;			/* splits by sets of categories, and by zero */
	bool		linear;			/* leaves; for F64 and LEAVES_ONE_TARGET */
	uint32_t	max_depth;		/* 0: any */
} SpTestEnsemble;

__attribute__((unused)) static void
random_set(SpTestRandom *random, SpTestTree *tree, SpNode *node)
{
	static const uint32_t ends[] = {4, 70, 3000, SP_CATEGORY_CAP};
	uint32_t	end = ends[random_below(random, 4)];
	uint32_t	count = tree->n_sets > 0 ? tree->first_category[tree->n_sets] : 0;
	uint32_t	begin = count;

	node->flags = SP_NODE_CATEGORY | (random_below(random, 2) ? SP_NODE_TRUNCATE : 0) |
		(random_below(random, 2) ? SP_NODE_MISSING_LEFT : 0);
	node->threshold = tree->n_sets;
	tree->first_category[tree->n_sets] = begin;
	for (uint32_t category = random_below(random, 3); count < begin + 6;)
	{
		tree->categories[count++] = category;
		if (end - category < 2 || random_below(random, 5) == 0)
			break;
		category += 1 + random_below(random, (end - category) / 2);
	}
	tree->first_category[++tree->n_sets] = count;
}

__attribute__((unused)) static void
random_linear(SpTestRandom *random, uint32_t in_width, SpTestTree *tree)
{
	tree->n_terms = 0;
	for (uint32_t at = 0; at < tree->n_weights; at++)
	{
		tree->linear[at] = (SpLeafLinear) {
			.constant = (double) random_below(random, 1000) / 7, .first_term = tree->n_terms
		};
		while (random_below(random, 3) && tree->linear[at].n_terms < in_width && tree->linear[at].n_terms < 3 &&
			   tree->n_terms < MAX_TREE_NODES * 3)
		{
			tree->linear[at].n_terms++;
			tree->terms[tree->n_terms++] =
				(SpLeafTerm) {(double) random_below(random, 1000) / 3 - 100, random_below(random, in_width)};
		}
	}
}

__attribute__((unused)) static void
random_tree(SpTestRandom *random, const SpTestEnsemble *spec, SpTestTree *tree)
{
	uint32_t	tree_target = random_below(random, spec->n_targets);
	SpTestShape shape = spec->shape >= 0 ? (SpTestShape) spec->shape : (SpTestShape) random_below(random, N_SHAPES);

	tree->n_weights = 0;
	tree->n_sets = 0;
	tree->n_terms = 0;
	random_shape(random, shape, spec->max_depth, tree);
	shuffle_nodes(random, tree);
	for (uint32_t number = 0; number < tree->n_nodes; number++)
	{
		SpNode	   *node = &tree->nodes[number];

		if (node->feature == SP_LEAF)
		{
			random_leaf(random, spec->leaves, spec->n_targets, tree_target, spec->float_values, tree, node);
			continue;
		}
		node->feature = (int32_t) random_below(random, spec->in_width);
		node->threshold = random_number(random, true, spec->double_thresholds);
		node->flags = random_below(random, 4);
		if (spec->sets && random_below(random, 3) == 0)
			node->flags |= SP_NODE_ZERO_MISSING;
		else if (spec->sets && random_below(random, 2))
			random_set(random, tree, node);
	}
	if (spec->linear)
		random_linear(random, spec->in_width, tree);
}

/* An ensemble with its output, as a whole model; NULL with cx->error when the builder refuses. */
__attribute__((unused)) static SpModel *
random_model(SpContext *cx, SpTestRandom *random, const SpTestEnsemble *spec)
{
	static SpTestTree tree;
	SpBuilder  *builder;
	SpModel    *model;
	SpTreesSpec trees = {
		.aggregate = spec->aggregate, .sum_type = spec->sum_type, .base_last = spec->base_last,
		.n_targets = spec->n_targets
	};
	double		base[8];
	uint32_t	value;
	SpStatus	status;

	for (uint32_t target = 0; target < spec->n_targets; target++)
		base[target] = random_leaf_value(random, spec->float_values);
	trees.base = random_below(random, 2) ? base : NULL;
	if (sp_builder_new(cx, &builder) != SP_OK)
		return NULL;
	if (sp_builder_task(builder, SP_TASK_SCORE, true) != SP_OK ||
		sp_builder_input(builder, spec->in_type, spec->in_width, NULL, &trees.in) != SP_OK ||
		sp_builder_trees_begin(builder, &trees) != SP_OK)
		return NULL;
	for (uint32_t at = 0; at < spec->n_trees; at++)
	{
		random_tree(random, spec, &tree);
		status = sp_builder_tree_spec(builder, &(SpTreeSpec) {
			.nodes = tree.nodes, .n_nodes = tree.n_nodes, .weights = tree.weights, .n_weights = tree.n_weights,
			.first_category = tree.first_category, .n_sets = tree.n_sets, .categories = tree.categories,
			.linear = spec->linear ? tree.linear : NULL, .terms = tree.terms, .n_terms = tree.n_terms
		});
		if (status != SP_OK)
			return NULL;
	}
	if (sp_builder_trees_end(builder, &value) != SP_OK ||
		sp_builder_output(builder, SP_OUTPUT_RAW, value) != SP_OK)
		return NULL;
	/* the value output needs one column */
	if (spec->n_targets > 1)
	{
		static const double weights[64] = {1};

		if (sp_builder_linear(builder, value, 1, weights, weights + 1, &value) != SP_OK)
			return NULL;
	}
	if (sp_builder_output(builder, SP_OUTPUT_VALUE, value) != SP_OK ||
		sp_builder_finish(builder, NULL, &model) != SP_OK)
		return NULL;
	return model;
}

__attribute__((unused)) static SpTestEnsemble
random_spec(SpTestRandom *random)
{
	static const uint32_t widths[] = {1, 2, 5, 28, 300, 5000};
	SpTestEnsemble spec = {
		.in_type = random_below(random, 3) ? SP_TYPE_F32 : SP_TYPE_F64,
		.in_width = widths[random_below(random, 6)],
		.sum_type = random_below(random, 2) ? SP_TYPE_F32 : SP_TYPE_F64,
		.aggregate = random_below(random, 2) ? SP_AGGREGATE_SUM : 1 + random_below(random, 4),
		.base_last = random_below(random, 2),
		.n_targets = random_below(random, 2) ? 1 : 1 + random_below(random, 5),
		.n_trees = 1 + random_below(random, 20),
		.leaves = random_below(random, N_LEAVES),
		.float_values = random_below(random, 2),
		.double_thresholds = random_below(random, 2),
		.shape = random_below(random, 3) ? -1 : (int) random_below(random, N_SHAPES)
	};

	spec.sets = random_below(random, 3) == 0;
	if (spec.in_type == SP_TYPE_F64 && spec.sum_type == SP_TYPE_F64 && spec.leaves == LEAVES_ONE_TARGET &&
		(spec.aggregate == SP_AGGREGATE_SUM || spec.aggregate == SP_AGGREGATE_AVERAGE))
		spec.linear = random_below(random, 2);
	return spec;
}

#endif
