/*
 * src/import/sp_import_catboost.c
 *
 * CatBoost models as save_model(format='json') writes them: trees over float
 * features and single categories (catboost/libs/model/model_export/json_model_helpers.cpp).
 *
 * All splits of one level of an oblivious tree are the same, x > border, and
 * split number i gives bit i of the leaf's number; sp_catboost_nested.c reads
 * the other trees.  Inputs are float32, leaves and sums float64.  The file is
 * read twice: facts, then trees.
 */
#include <stdio.h>
#include <string.h>

#include "import/sp_catboost_internal.h"
#include "import/sp_import.h"
#include "import/sp_members.h"

/* Members of a split. */
enum
{
	SP_CAT_BORDER,
	SP_CAT_FLOAT,
	SP_CAT_CATEGORY,
	SP_CAT_HASH,
	SP_CAT_TYPE
};

/* The type of a split comes after the members that it needs. */
static SpStatus
sp_cat_check_split(SpCatTrees *trees, const SpMembers *members, SpCatSplit *split, bool is_category, int64_t index,
				   int64_t hash)
{
	uint64_t	wanted = is_category ? 1u << SP_CAT_CATEGORY | 1u << SP_CAT_HASH : 1u << SP_CAT_FLOAT | 1u << SP_CAT_BORDER;

	SP_TRY(sp_members_require(members, wanted | 1u << SP_CAT_TYPE));
	SP_TRY(sp_cat_find_feature(trees->cat, is_category, index, &split->feature));
	return is_category ? sp_cat_find_hash(trees->cat, split->feature, hash, &split->place) : SP_OK;
}

SpStatus
sp_cat_read_split(SpCatTrees *trees, const SpToken *start, SpCatSplit *split)
{
	static const char *const names[] = {
		"border", "float_feature_index", "cat_feature_index", "value", "split_type", NULL
	};
	SpContext  *cx = trees->cat->cx;
	SpMembers	members = {.cx = cx, .tokens = trees->tokens, .what = "split", .names = names};
	char		shown[SP_PRINTABLE_SIZE];
	bool		is_category = false;
	int64_t		numbers[SP_CAT_TYPE] = {0};
	SpToken		token;
	int			which;

	if (start->kind != SP_TOKEN_OBJECT)
		return sp_wrong_kind(cx, start, "split", "an object");
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			break;
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (which == SP_CAT_TYPE)
		{
			if (token.kind != SP_TOKEN_STRING)
				return sp_wrong_kind(cx, &token, names[which], "a string");
			is_category = sp_str_is(token.text, "OneHotFeature");
			if (!is_category && !sp_str_is(token.text, "FloatFeature"))
				return sp_fail(cx, SP_ERR_UNSUPPORTED, "CatBoost splits of type %s are not supported",
							   sp_printable(token.text, shown));
		}
		else if (token.kind != SP_TOKEN_NUMBER || (which != SP_CAT_BORDER && !token.is_integer))
			return sp_wrong_kind(cx, &token, names[which], which == SP_CAT_BORDER ? "a number" : "a whole number");
		else if (which == SP_CAT_BORDER)
			split->border = sp_token_f32(&token);
		else
			numbers[which] = token.integer;
	}
	return sp_cat_check_split(trees, &members, split, is_category, numbers[is_category ? SP_CAT_CATEGORY : SP_CAT_FLOAT],
							  numbers[SP_CAT_HASH]);
}

/* Of a category, with its place as the threshold, until sp_cat_make_sets. */
SpNode
sp_cat_node(const SpCatSplit *split, uint32_t left, uint32_t right)
{
	SpNode		node = {
		.threshold = split->border, .feature = (int32_t) split->feature->flat, .left = left, .right = right,
		.flags = SP_NODE_LE | (split->feature->missing_right ? 0 : SP_NODE_MISSING_LEFT)
	};

	if (split->feature->is_category)
	{
		node.threshold = split->place;
		node.flags = SP_NODE_CATEGORY;
	}
	return node;
}

/* A set for each split by category; what is in it goes right in CatBoost, left here. */
static SpStatus
sp_cat_make_sets(SpCatTrees *trees, uint32_t *n_sets)
{
	SpContext  *cx = trees->cat->cx;

	*n_sets = 0;
	for (uint32_t at = 0; at < trees->n_nodes; at++)
	{
		SpNode	   *node = &trees->nodes[at];
		uint32_t	left = node->left;

		if (node->feature == SP_LEAF || !(node->flags & SP_NODE_CATEGORY))
			continue;
		SP_TRY(sp_grow_array(cx, (void **) &trees->categories, &trees->categories_capacity, (size_t) *n_sets + 1,
							 sizeof(uint32_t)));
		SP_TRY(sp_grow_array(cx, (void **) &trees->first_category, &trees->first_capacity, (size_t) *n_sets + 2,
							 sizeof(uint32_t)));
		node->left = node->right;
		node->right = left;
		trees->categories[*n_sets] = (uint32_t) node->threshold;
		trees->first_category[*n_sets] = *n_sets;
		node->threshold = *n_sets;
		*n_sets += 1;
		trees->first_category[*n_sets] = *n_sets;
	}
	return SP_OK;
}

static SpStatus
sp_cat_read_splits(SpCatTrees *trees)
{
	SpToken		token;

	SP_TRY(sp_tokens_next(trees->tokens, &token));
	if (token.kind == SP_TOKEN_NULL)
		return SP_OK;			/* a tree of one leaf */
	if (token.kind != SP_TOKEN_ARRAY)
		return sp_wrong_kind(trees->cat->cx, &token, "splits", "an array");
	for (;;)
	{
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (trees->depth >= SP_CAT_MAX_DEPTH)
			return sp_fail_at(trees->cat->cx, token.offset, "tree %u is more than %d splits deep", trees->tree,
							  SP_CAT_MAX_DEPTH);
		SP_TRY(sp_cat_read_split(trees, &token, &trees->splits[trees->depth]));
		trees->depth++;
	}
}

/* One number more; values go by leaf, then by target. */
static SpStatus
sp_cat_add_value(SpCatTrees *trees, const SpToken *token, const char *what)
{
	SpContext  *cx = trees->cat->cx;

	if (token->kind != SP_TOKEN_NUMBER)
		return sp_wrong_kind(cx, token, what, "an array of numbers");
	if (trees->n_weights >= cx->limits.max_elements || trees->n_weights == UINT32_MAX)
		return sp_fail_limit(cx, "max_elements", "a tree has more leaf values than the limit of %llu",
							 (unsigned long long) cx->limits.max_elements);
	SP_TRY(sp_grow_array(cx, (void **) &trees->weights, &trees->weights_capacity, (size_t) trees->n_weights + 1,
						 sizeof(SpLeafWeight)));
	trees->weights[trees->n_weights] = (SpLeafWeight) {token->number, trees->n_weights % trees->cat->n_targets};
	trees->n_weights++;
	return SP_OK;
}

SpStatus
sp_cat_read_values(SpCatTrees *trees, const char *what)
{
	SpToken		token;

	SP_TRY(sp_tokens_next(trees->tokens, &token));
	if (token.kind == SP_TOKEN_NUMBER)
		return sp_cat_add_value(trees, &token, what);
	if (token.kind != SP_TOKEN_ARRAY)
		return sp_wrong_kind(trees->cat->cx, &token, what, "an array of numbers");
	for (;;)
	{
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		SP_TRY(sp_cat_add_value(trees, &token, what));
	}
}

/*
 * A full tree: node n has the children 2n + 1 and 2n + 2.  The last split comes
 * first, so that the leaves are in the order of their numbers.
 */
static SpStatus
sp_cat_make_oblivious(SpCatTrees *trees)
{
	SpContext  *cx = trees->cat->cx;
	uint32_t	n_leaves = UINT32_C(1) << trees->depth;
	uint32_t	dimension = trees->cat->n_targets;
	uint32_t	level = trees->depth;

	if (trees->n_weights != (uint64_t) n_leaves * dimension)
		return sp_fail(cx, SP_ERR_FORMAT, "tree %u has %u leaf values for %u leaves of %u", trees->tree,
					   trees->n_weights, n_leaves, dimension);
	trees->n_nodes = 2 * n_leaves - 1;
	SP_TRY(sp_grow_array(cx, (void **) &trees->nodes, &trees->nodes_capacity, trees->n_nodes, sizeof(SpNode)));
	for (uint32_t node = 0; node < n_leaves - 1; node++)
	{
		/* the first node of each level is a power of two, less one */
		if ((node & (node + 1)) == 0)
			level--;
		trees->nodes[node] = sp_cat_node(&trees->splits[level], 2 * node + 1, 2 * node + 2);
	}
	for (uint32_t leaf = 0; leaf < n_leaves; leaf++)
		trees->nodes[n_leaves - 1 + leaf] =
			(SpNode) {.feature = SP_LEAF, .left = leaf * dimension, .right = dimension};
	return SP_OK;
}

static SpStatus
sp_cat_read_oblivious(SpCatTrees *trees)
{
	static const char *const names[] = {"splits", "leaf_values", NULL};
	SpMembers	members = {.cx = trees->cat->cx, .tokens = trees->tokens, .what = "tree", .names = names};
	int			which;

	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == 0)
			SP_TRY(sp_cat_read_splits(trees));
		else if (which == 1)
			SP_TRY(sp_cat_read_values(trees, names[which]));
		else
			break;
	}
	SP_TRY(sp_members_require(&members, 2));
	return sp_cat_make_oblivious(trees);
}

static SpStatus
sp_cat_read_tree(SpCatTrees *trees, bool is_used)
{
	SpTreeSpec	spec = {0};

	trees->depth = 0;
	trees->n_nodes = 0;
	trees->n_weights = 0;
	SP_TRY(trees->cat->is_nested ? sp_cat_read_nested(trees) : sp_cat_read_oblivious(trees));
	if (!is_used)
		return SP_OK;
	SP_TRY(sp_cat_make_sets(trees, &spec.n_sets));
	spec.nodes = trees->nodes;
	spec.n_nodes = trees->n_nodes;
	spec.weights = trees->weights;
	spec.n_weights = trees->n_weights;
	spec.first_category = trees->first_category;
	spec.categories = trees->categories;
	return sp_builder_tree_spec(trees->builder, &spec);
}

static SpStatus
sp_cat_read_trees(SpCatboost *cat, SpBuilder *builder, uint32_t first, uint32_t n_used)
{
	const char *const names[] = {cat->is_nested ? "trees" : "oblivious_trees", NULL};
	SpCatTrees	trees = {.cat = cat, .builder = builder};
	uint64_t	end = n_used > 0 ? (uint64_t) first + n_used : UINT64_MAX;
	SpMembers	members;
	SpToken		token;
	int			which;

	SP_TRY(sp_tokens_open(cat->cx, SP_TOKENS_JSON, cat->bytes, cat->size, &trees.tokens));
	SP_TRY(sp_members_open(&members, cat->cx, trees.tokens, "the document", names));
	SP_TRY(sp_members_next(&members, &which));
	SP_TRY(sp_members_require(&members, 1));
	SP_TRY(sp_array_open(cat->cx, trees.tokens, names[0]));
	for (; trees.tree < end; trees.tree++)
	{
		SP_TRY(sp_tokens_next(trees.tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			break;
		if (token.kind != SP_TOKEN_OBJECT)
			return sp_wrong_kind(cat->cx, &token, names[0], "an array of objects");
		SP_TRY(sp_cat_read_tree(&trees, trees.tree >= first));
	}
	if (n_used > 0 ? trees.tree < end : first > 0 && trees.tree <= first)
		return sp_fail(cat->cx, SP_ERR_VALUE, "the model has %u iterations, fewer than %llu", trees.tree,
					   n_used > 0 ? (unsigned long long) end : first + 1ULL);
	sp_tokens_close(trees.tokens);
	sp_free(cat->cx, trees.nodes);
	sp_free(cat->cx, trees.weights);
	sp_free(cat->cx, trees.open);
	sp_free(cat->cx, trees.categories);
	sp_free(cat->cx, trees.first_category);
	return SP_OK;
}

SpStatus
sp_import_catboost(SpContext *cx, const void *bytes, size_t size, const SpOverrides *overrides,
				   SpModel **model)
{
	SpCatboost	cat = {.cx = cx, .bytes = bytes, .size = size, .producer = "catboost"};
	SpTreesSpec trees = {.aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F64, .base_last = true, .accepts_missing = true};
	uint32_t	first = overrides ? overrides->first_iteration : 0;
	SpBuilder  *builder;
	uint32_t	sum;

	if (overrides && overrides->best_iteration)
		return sp_fail(cx, SP_ERR_VALUE, "a CatBoost file does not note a best iteration");
	SP_TRY(sp_cat_read_facts(&cat));
	/* predict() adds the bias to sums that begin with the first tree, not to others */
	for (uint32_t i = 0; first > 0 && i < cat.n_targets; i++)
		cat.bias[i] = 0;
	SP_TRY(sp_builder_new(cx, &builder));
	SP_TRY(sp_builder_task(builder, cat.loss->task, true));
	SP_TRY(sp_builder_origin(builder, (SpStr) {cat.producer, strlen(cat.producer)},
							 (SpStr) {cat.loss->name, strlen(cat.loss->name)}));
	SP_TRY(sp_builder_input(builder, SP_TYPE_F32, (uint32_t) cat.n_features, cat.has_names ? cat.names : NULL,
							&trees.in));
	SP_TRY(sp_cat_add_categories(&cat, builder));
	trees.n_targets = cat.n_targets;
	trees.base = cat.scale == 1 ? cat.bias : NULL;
	SP_TRY(sp_builder_trees_begin(builder, &trees));
	SP_TRY(sp_cat_read_trees(&cat, builder, first, overrides ? overrides->n_iterations : 0));
	SP_TRY(sp_builder_trees_end(builder, &sum));
	SP_TRY(sp_cat_outputs(&cat, builder, sum));
	return sp_builder_finish(builder, overrides, model);
}
