/*
 * src/import/sp_lightgbm_trees.c
 *
 * The trees of a LightGBM model.  Decisions: LightGBM include/LightGBM/tree.h
 * (NumericalDecision, CategoricalDecision, Predict).
 */
#include <math.h>
#include <string.h>

#include "import/sp_lightgbm_internal.h"

/* Bits of decision_type, and the two bits of the missing type above them. */
#define SP_LGB_CATEGORICAL 1
#define SP_LGB_DEFAULT_LEFT 2
#define SP_LGB_MISSING_ZERO 1
#define SP_LGB_MISSING_NAN 2

/* Lines of a tree, in the order of sp_lgb_tree_lines. */
enum
{
	SP_LGB_NUM_LEAVES,
	SP_LGB_NUM_CAT,
	SP_LGB_SPLIT_FEATURE,
	SP_LGB_THRESHOLD,
	SP_LGB_DECISION_TYPE,
	SP_LGB_LEFT_CHILD,
	SP_LGB_RIGHT_CHILD,
	SP_LGB_LEAF_VALUE,
	SP_LGB_CAT_BOUNDARIES,
	SP_LGB_CAT_THRESHOLD,
	SP_LGB_IS_LINEAR,
	SP_LGB_LEAF_CONST,
	SP_LGB_NUM_FEATURES,
	SP_LGB_LEAF_FEATURES,
	SP_LGB_LEAF_COEFF,
	SP_LGB_N_LINES
};

static const char *const sp_lgb_tree_lines[SP_LGB_N_LINES] = {
	"num_leaves", "num_cat", "split_feature", "threshold", "decision_type", "left_child", "right_child",
	"leaf_value", "cat_boundaries", "cat_threshold", "is_linear", "leaf_const", "num_features",
	"leaf_features", "leaf_coeff"
};

typedef struct SpLgbTrees
{
	SpLightgbm *lgb;
	SpContext  *cx;
	SpBuilder  *builder;
	uint32_t	tree;
	uint32_t	num_leaves;
	uint32_t	num_cat;
	SpStr		lines[SP_LGB_N_LINES];
	bool		has[SP_LGB_N_LINES];
	SpLgbNumbers numbers[SP_LGB_N_LINES];
	/* what the builder gets, kept from tree to tree */
	SpTreeSpec	spec;
	SpNode	   *nodes;
	size_t		nodes_capacity;
	SpLeafWeight *weights;
	size_t		weights_capacity;
	uint32_t   *first_category;
	size_t		first_category_capacity;
	uint32_t   *categories;
	size_t		categories_capacity;
	uint8_t    *used;			/* by set of the file */
	size_t		used_capacity;
	SpLeafLinear *linear;
	size_t		linear_capacity;
	SpLeafTerm *terms;
	size_t		terms_capacity;
} SpLgbTrees;

static SpStatus
sp_lgb_need(SpLgbTrees *trees, int line)
{
	if (trees->has[line])
		return SP_OK;
	return sp_lgb_fail(trees->lgb, "tree %u has no line %s", trees->tree, sp_lgb_tree_lines[line]);
}

static SpStatus
sp_lgb_array(SpLgbTrees *trees, int line, size_t count)
{
	SP_TRY(sp_lgb_need(trees, line));
	return sp_lgb_numbers(trees->lgb, sp_lgb_tree_lines[line], trees->lines[line], count, &trees->numbers[line]);
}

static SpStatus
sp_lgb_whole_array(SpLgbTrees *trees, int line, size_t count, double low, double high)
{
	SP_TRY(sp_lgb_need(trees, line));
	return sp_lgb_integers(trees->lgb, sp_lgb_tree_lines[line], trees->lines[line], count, low, high,
						   &trees->numbers[line]);
}

/* The lines up to the empty one. */
static SpStatus
sp_lgb_read_lines(SpLgbTrees *trees)
{
	SpLightgbm *lgb = trees->lgb;
	SpStr		line;
	SpStr		name;
	SpStr		value;
	bool		found;
	int			i;

	memset(trees->has, 0, sizeof(trees->has));
	for (;;)
	{
		SP_TRY(sp_lgb_line(lgb, &line, &found));
		if (!found)
			return sp_lgb_fail(lgb, "the file ends within tree %u", trees->tree);
		if (line.size == 0)
			return SP_OK;
		if (!sp_lgb_split(line, &name, &value))
			return sp_lgb_fail(lgb, "a line of tree %u has no \"=\"", trees->tree);
		if (sp_str_is(name, "Tree"))
			return sp_lgb_fail(lgb, "no empty line between tree %u and the next", trees->tree);
		for (i = 0; i < SP_LGB_N_LINES; i++)
		{
			if (!sp_str_is(name, sp_lgb_tree_lines[i]))
				continue;
			if (trees->has[i])
				return sp_lgb_fail(lgb, "tree %u has two lines %s", trees->tree, sp_lgb_tree_lines[i]);
			trees->has[i] = true;
			trees->lines[i] = value;
		}
	}
}

/* Words of a bit set to the categories of the next set. */
static SpStatus
sp_lgb_add_set(SpLgbTrees *trees, uint32_t from, uint32_t to)
{
	const double *words = trees->numbers[SP_LGB_CAT_THRESHOLD].at;
	uint32_t	count = trees->spec.n_sets > 0 ? trees->first_category[trees->spec.n_sets] : 0;
	uint32_t	i;

	if (to - from > (uint32_t) SP_CATEGORY_CAP / 32)
		return sp_lgb_fail(trees->lgb, "tree %u has categories above %d", trees->tree, SP_CATEGORY_CAP);
	SP_TRY(sp_grow_array(trees->cx, (void **) &trees->first_category, &trees->first_category_capacity,
						 (size_t) trees->spec.n_sets + 2, sizeof(uint32_t)));
	trees->first_category[trees->spec.n_sets] = count;
	for (i = from; i < to; i++)
	{
		uint32_t	word = (uint32_t) words[i];

		if ((uint64_t) count + 32 > trees->cx->limits.max_elements || count > UINT32_MAX - 32)
			return sp_fail_limit(trees->cx, "max_elements", "tree %u has more than %llu categories in its splits",
								 trees->tree, (unsigned long long) trees->cx->limits.max_elements);
		SP_TRY(sp_grow_array(trees->cx, (void **) &trees->categories, &trees->categories_capacity,
							 (size_t) count + 32, sizeof(uint32_t)));
		for (; word != 0; word &= word - 1)
			trees->categories[count++] = 32 * (i - from) + (uint32_t) __builtin_ctz(word);
	}
	trees->first_category[++trees->spec.n_sets] = count;
	return SP_OK;
}

static SpStatus
sp_lgb_category_split(SpLgbTrees *trees, SpNode *node)
{
	const double *boundaries = trees->numbers[SP_LGB_CAT_BOUNDARIES].at;
	double		set = node->threshold;

	if (!(set >= 0 && set < trees->num_cat) || set != trunc(set))
		return sp_lgb_fail(trees->lgb, "tree %u has a split by set %g of %u", trees->tree, set, trees->num_cat);
	if (trees->used[(uint32_t) set])
		return sp_lgb_fail(trees->lgb, "tree %u has two splits by set %g", trees->tree, set);
	trees->used[(uint32_t) set] = 1;
	/* a NaN is in no set */
	node->flags = SP_NODE_CATEGORY | SP_NODE_TRUNCATE;
	node->threshold = trees->spec.n_sets;
	return sp_lgb_add_set(trees, (uint32_t) boundaries[(uint32_t) set], (uint32_t) boundaries[(uint32_t) set + 1]);
}

/*
 * LightGBM takes numbers within its zero bound for 0 when it copies a row
 * (src/c_api.cpp, RowPairFunctionFromDenseMatric), so a threshold there stands
 * on one side of all of them.
 */
static double
sp_lgb_threshold(double threshold)
{
	if (threshold >= 0 && threshold < SP_ZERO_BOUND)
		return SP_ZERO_BOUND;
	if (threshold < 0 && threshold >= -SP_ZERO_BOUND)
		return nextafter(-SP_ZERO_BOUND, -INFINITY);
	return threshold;
}

static SpStatus
sp_lgb_split_node(SpLgbTrees *trees, uint32_t i)
{
	SpNode	   *node = &trees->nodes[i];
	uint32_t	decision = (uint32_t) trees->numbers[SP_LGB_DECISION_TYPE].at[i];
	int			children[2] = {SP_LGB_LEFT_CHILD, SP_LGB_RIGHT_CHILD};
	int			side;

	node->feature = (int32_t) trees->numbers[SP_LGB_SPLIT_FEATURE].at[i];
	node->threshold = trees->numbers[SP_LGB_THRESHOLD].at[i];
	for (side = 0; side < 2; side++)
	{
		double		child = trees->numbers[children[side]].at[i];

		/* leaf n is ~n; leaves come after the splits */
		*(side == 0 ? &node->left : &node->right) =
			child >= 0 ? (uint32_t) child : trees->num_leaves - 1 + (uint32_t) (-child - 1);
	}
	if (decision & SP_LGB_CATEGORICAL)
		return sp_lgb_category_split(trees, node);
	node->flags = SP_NODE_LE;
	switch (decision >> 2)
	{
		case 0:
			/* no missing values: a NaN is 0 */
			node->flags |= node->threshold >= 0 ? SP_NODE_MISSING_LEFT : 0;
			break;
		case SP_LGB_MISSING_ZERO:
			node->flags |= SP_NODE_ZERO_MISSING;
			/* fall through */
		case SP_LGB_MISSING_NAN:
			node->flags |= decision & SP_LGB_DEFAULT_LEFT ? SP_NODE_MISSING_LEFT : 0;
			break;
		default:
			return sp_fail(trees->cx, SP_ERR_UNSUPPORTED, "LightGBM decision type %u is not supported", decision);
	}
	node->threshold = sp_lgb_threshold(node->threshold);
	return SP_OK;
}

static SpStatus
sp_lgb_read_sets(SpLgbTrees *trees)
{
	double		n_words;
	uint32_t	i;

	trees->spec.n_sets = 0;
	if (trees->num_cat == 0)
		return SP_OK;
	SP_TRY(sp_lgb_whole_array(trees, SP_LGB_CAT_BOUNDARIES, (size_t) trees->num_cat + 1, 0, INT32_MAX));
	for (i = 0; i < trees->num_cat; i++)
	{
		if (trees->numbers[SP_LGB_CAT_BOUNDARIES].at[i] > trees->numbers[SP_LGB_CAT_BOUNDARIES].at[i + 1])
			return sp_lgb_fail(trees->lgb, "cat_boundaries of tree %u do not ascend", trees->tree);
	}
	n_words = trees->numbers[SP_LGB_CAT_BOUNDARIES].at[trees->num_cat];
	SP_TRY(sp_lgb_whole_array(trees, SP_LGB_CAT_THRESHOLD, (size_t) n_words, 0, UINT32_MAX));
	SP_TRY(sp_grow_array(trees->cx, (void **) &trees->used, &trees->used_capacity, trees->num_cat, 1));
	memset(trees->used, 0, trees->num_cat);
	return SP_OK;
}

static SpStatus
sp_lgb_read_splits(SpLgbTrees *trees)
{
	uint32_t	n_splits = trees->num_leaves - 1;
	double		n_features = trees->lgb->num_feature;
	uint32_t	i;

	if (n_splits == 0)
		return SP_OK;
	SP_TRY(sp_lgb_whole_array(trees, SP_LGB_SPLIT_FEATURE, n_splits, 0, n_features - 1));
	SP_TRY(sp_lgb_array(trees, SP_LGB_THRESHOLD, n_splits));
	SP_TRY(sp_lgb_whole_array(trees, SP_LGB_DECISION_TYPE, n_splits, 0, 15));
	SP_TRY(sp_lgb_whole_array(trees, SP_LGB_LEFT_CHILD, n_splits, -(double) trees->num_leaves, n_splits - 1.0));
	SP_TRY(sp_lgb_whole_array(trees, SP_LGB_RIGHT_CHILD, n_splits, -(double) trees->num_leaves, n_splits - 1.0));
	SP_TRY(sp_lgb_read_sets(trees));
	for (i = 0; i < n_splits; i++)
		SP_TRY(sp_lgb_split_node(trees, i));
	return SP_OK;
}

/* Leaves of a linear tree, or of a plain one among linear ones. */
static SpStatus
sp_lgb_read_linear(SpLgbTrees *trees, bool is_linear)
{
	uint32_t	n_leaves = trees->num_leaves;
	uint64_t	n_terms = 0;
	uint32_t	i;

	SP_TRY(sp_grow_array(trees->cx, (void **) &trees->linear, &trees->linear_capacity, n_leaves,
						 sizeof(SpLeafLinear)));
	if (is_linear)
	{
		SP_TRY(sp_lgb_array(trees, SP_LGB_LEAF_CONST, n_leaves));
		SP_TRY(sp_lgb_whole_array(trees, SP_LGB_NUM_FEATURES, n_leaves, 0, trees->lgb->num_feature));
		for (i = 0; i < n_leaves; i++)
			n_terms += (uint64_t) trees->numbers[SP_LGB_NUM_FEATURES].at[i];
		if (n_terms > trees->cx->limits.max_elements || n_terms > UINT32_MAX)
			return sp_fail_limit(trees->cx, "max_elements", "tree %u has more than %llu coefficients", trees->tree,
								 (unsigned long long) trees->cx->limits.max_elements);
		SP_TRY(sp_lgb_whole_array(trees, SP_LGB_LEAF_FEATURES, n_terms, 0, trees->lgb->num_feature - 1.0));
		SP_TRY(sp_lgb_array(trees, SP_LGB_LEAF_COEFF, n_terms));
	}
	SP_TRY(sp_grow_array(trees->cx, (void **) &trees->terms, &trees->terms_capacity, n_terms + 1,
						 sizeof(SpLeafTerm)));
	for (i = 0; i < n_terms; i++)
		trees->terms[i] = (SpLeafTerm) {
			trees->numbers[SP_LGB_LEAF_COEFF].at[i], (uint32_t) trees->numbers[SP_LGB_LEAF_FEATURES].at[i]
		};
	n_terms = 0;
	for (i = 0; i < n_leaves; i++)
	{
		trees->linear[i] = (SpLeafLinear) {.constant = trees->weights[i].value, .first_term = (uint32_t) n_terms};
		if (is_linear)
		{
			trees->linear[i].constant = trees->numbers[SP_LGB_LEAF_CONST].at[i];
			trees->linear[i].n_terms = (uint32_t) trees->numbers[SP_LGB_NUM_FEATURES].at[i];
		}
		n_terms += trees->linear[i].n_terms;
	}
	trees->spec.linear = trees->linear;
	trees->spec.n_terms = (uint32_t) n_terms;
	return SP_OK;
}

static SpStatus
sp_lgb_read_leaves(SpLgbTrees *trees)
{
	uint32_t	target = trees->tree % trees->lgb->trees_per_iteration;
	uint32_t	is_linear = 0;
	uint32_t	i;

	SP_TRY(sp_lgb_array(trees, SP_LGB_LEAF_VALUE, trees->num_leaves));
	for (i = 0; i < trees->num_leaves; i++)
	{
		trees->weights[i] = (SpLeafWeight) {trees->numbers[SP_LGB_LEAF_VALUE].at[i], target};
		trees->nodes[trees->num_leaves - 1 + i] = (SpNode) {.feature = SP_LEAF, .left = i, .right = 1};
	}
	if (trees->has[SP_LGB_IS_LINEAR])
		SP_TRY(sp_lgb_number(trees->lgb, "is_linear", trees->lines[SP_LGB_IS_LINEAR], 1, &is_linear));
	if (trees->lgb->is_linear)
		return sp_lgb_read_linear(trees, is_linear != 0);
	return SP_OK;
}

static SpStatus
sp_lgb_read_tree(SpLgbTrees *trees)
{
	SpLightgbm *lgb = trees->lgb;
	SpTreeSpec *spec = &trees->spec;

	memset(spec, 0, sizeof(*spec));
	SP_TRY(sp_lgb_need(trees, SP_LGB_NUM_LEAVES));
	SP_TRY(sp_lgb_need(trees, SP_LGB_NUM_CAT));
	SP_TRY(sp_lgb_need(trees, SP_LGB_LEAF_VALUE));
	SP_TRY(sp_lgb_number(lgb, "num_leaves", trees->lines[SP_LGB_NUM_LEAVES], INT32_MAX, &trees->num_leaves));
	SP_TRY(sp_lgb_number(lgb, "num_cat", trees->lines[SP_LGB_NUM_CAT], INT32_MAX, &trees->num_cat));
	/* a value has a digit and a space, at least: before memory is taken for so many */
	if (trees->num_leaves == 0 || trees->num_leaves > trees->lines[SP_LGB_LEAF_VALUE].size ||
		trees->num_cat >= trees->num_leaves)
		return sp_lgb_fail(lgb, "tree %u has %u leaves and %u sets of categories", trees->tree,
						   trees->num_leaves, trees->num_cat);
	spec->n_nodes = 2 * trees->num_leaves - 1;
	spec->n_weights = trees->num_leaves;
	if (spec->n_nodes > trees->cx->limits.max_nodes)
		return sp_fail_limit(trees->cx, "max_nodes", "the model has more than %llu tree nodes",
							 (unsigned long long) trees->cx->limits.max_nodes);
	SP_TRY(sp_grow_array(trees->cx, (void **) &trees->nodes, &trees->nodes_capacity, spec->n_nodes,
						 sizeof(SpNode)));
	SP_TRY(sp_grow_array(trees->cx, (void **) &trees->weights, &trees->weights_capacity, spec->n_weights,
						 sizeof(SpLeafWeight)));
	SP_TRY(sp_lgb_read_splits(trees));
	SP_TRY(sp_lgb_read_leaves(trees));
	spec->nodes = trees->nodes;
	spec->weights = trees->weights;
	spec->first_category = trees->first_category;
	spec->categories = trees->categories;
	spec->terms = trees->terms;
	return sp_builder_tree_spec(trees->builder, spec);
}

SpStatus
sp_lgb_read_trees(SpLightgbm *lgb, SpBuilder *builder, uint32_t first, uint32_t end)
{
	SpLgbTrees	trees = {.lgb = lgb, .cx = lgb->cx, .builder = builder};
	SpStr		line;
	bool		found;
	int			i;

	while (trees.tree < end)
	{
		SP_TRY(sp_lgb_line(lgb, &line, &found));
		if (!found)
			return sp_fail(lgb->cx, SP_ERR_INTERNAL, "trees of the model were counted wrong");
		if (line.size < 5 || memcmp(line.data, "Tree=", 5) != 0)
			continue;
		if (trees.tree >= first)
		{
			SP_TRY(sp_lgb_read_lines(&trees));
			SP_TRY(sp_lgb_read_tree(&trees));
		}
		trees.tree++;
	}
	for (i = 0; i < SP_LGB_N_LINES; i++)
		sp_free(lgb->cx, trees.numbers[i].at);
	sp_free(lgb->cx, trees.nodes);
	sp_free(lgb->cx, trees.weights);
	sp_free(lgb->cx, trees.first_category);
	sp_free(lgb->cx, trees.categories);
	sp_free(lgb->cx, trees.used);
	sp_free(lgb->cx, trees.linear);
	sp_free(lgb->cx, trees.terms);
	return SP_OK;
}
