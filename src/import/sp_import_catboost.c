/*
 * src/import/sp_import_catboost.c
 *
 * CatBoost models as save_model(format='json') writes them: oblivious trees
 * over float features (catboost/libs/model/model_export/json_model_helpers.cpp).
 *
 * All splits of one level of an oblivious tree are the same, x > border, and
 * split number i gives bit i of the leaf's number.  Inputs are float32, leaves
 * and sums float64.  The file is read twice: facts, then trees.
 */
#include <stdio.h>
#include <string.h>

#include "import/sp_catboost_internal.h"
#include "import/sp_import.h"
#include "import/sp_members.h"

/* CatBoost's own limit of the depth. */
#define SP_CAT_MAX_DEPTH 16

typedef struct SpCatTrees
{
	SpCatboost *cat;
	SpTokens   *tokens;
	SpBuilder  *builder;
	uint32_t	tree;
	uint32_t	depth;
	float		border[SP_CAT_MAX_DEPTH];
	uint32_t	feature[SP_CAT_MAX_DEPTH];
	double	   *values;
	size_t		n_values;
	size_t		values_capacity;
	SpNode	   *nodes;
	size_t		nodes_capacity;
	SpLeafWeight *weights;
	size_t		weights_capacity;
} SpCatTrees;

static SpStatus
sp_cat_read_split(SpCatTrees *trees, const SpToken *start)
{
	static const char *const names[] = {"border", "float_feature_index", "split_type", NULL};
	SpContext  *cx = trees->cat->cx;
	SpMembers	members = {.cx = cx, .tokens = trees->tokens, .what = "split", .names = names};
	char		shown[SP_PRINTABLE_SIZE];
	SpToken		token;
	int			which;

	if (start->kind != SP_TOKEN_OBJECT)
		return sp_wrong_kind(cx, start, "splits", "an array of objects");
	if (trees->depth >= SP_CAT_MAX_DEPTH)
		return sp_fail_at(cx, start->offset, "tree %u is more than %d splits deep", trees->tree, SP_CAT_MAX_DEPTH);
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			break;
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (which == 2)
		{
			if (token.kind != SP_TOKEN_STRING)
				return sp_wrong_kind(cx, &token, names[which], "a string");
			if (!sp_str_is(token.text, "FloatFeature"))
				return sp_fail(cx, SP_ERR_UNSUPPORTED, "CatBoost splits of type %s are not supported",
							   sp_printable(token.text, shown));
		}
		else if (token.kind != SP_TOKEN_NUMBER)
			return sp_wrong_kind(cx, &token, names[which], "a number");
		else if (which == 0)
			trees->border[trees->depth] = sp_token_f32(&token);
		else if (!token.is_integer || token.integer < 0 || token.integer >= (int64_t) trees->cat->n_features)
			return sp_fail_at(cx, token.offset, "a split is on feature %g of %zu", token.number, trees->cat->n_features);
		else
			trees->feature[trees->depth] = (uint32_t) token.integer;
	}
	SP_TRY(sp_members_require(&members, 7));
	trees->depth++;
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
		SP_TRY(sp_cat_read_split(trees, &token));
	}
}

static SpStatus
sp_cat_read_values(SpCatTrees *trees)
{
	SpContext  *cx = trees->cat->cx;
	SpToken		token;

	SP_TRY(sp_array_open(cx, trees->tokens, "leaf_values"));
	for (;;)
	{
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_NUMBER)
			return sp_wrong_kind(cx, &token, "leaf_values", "an array of numbers");
		if (trees->n_values >= cx->limits.max_elements)
			return sp_fail_limit(cx, "max_elements", "a tree has more leaf values than the limit of %llu",
								 (unsigned long long) cx->limits.max_elements);
		SP_TRY(sp_grow_array(cx, (void **) &trees->values, &trees->values_capacity, trees->n_values + 1,
							 sizeof(double)));
		trees->values[trees->n_values++] = token.number;
	}
}

/*
 * A full tree: node n has the children 2n + 1 and 2n + 2.  The last split comes
 * first, so that the leaves are in the order of their numbers.
 */
static SpStatus
sp_cat_add_tree(SpCatTrees *trees)
{
	SpContext  *cx = trees->cat->cx;
	uint32_t	n_leaves = UINT32_C(1) << trees->depth;
	uint32_t	dimension = trees->cat->n_targets;
	uint32_t	level = trees->depth;

	if (trees->n_values != (uint64_t) n_leaves * dimension)
		return sp_fail(cx, SP_ERR_FORMAT, "tree %u has %zu leaf values for %u leaves of %u", trees->tree,
					   trees->n_values, n_leaves, dimension);
	SP_TRY(sp_grow_array(cx, (void **) &trees->nodes, &trees->nodes_capacity, 2 * (size_t) n_leaves - 1,
						 sizeof(SpNode)));
	SP_TRY(sp_grow_array(cx, (void **) &trees->weights, &trees->weights_capacity, trees->n_values,
						 sizeof(SpLeafWeight)));
	for (uint32_t node = 0; node < n_leaves - 1; node++)
	{
		/* the first node of each level is a power of two, less one */
		if ((node & (node + 1)) == 0)
			level--;
		trees->nodes[node] = (SpNode) {
			.threshold = trees->border[level], .feature = (int32_t) trees->feature[level],
			.left = 2 * node + 1, .right = 2 * node + 2,
			.flags = SP_NODE_LE | (trees->cat->missing_right[trees->feature[level]] ? 0 : SP_NODE_MISSING_LEFT)
		};
	}
	for (uint32_t leaf = 0; leaf < n_leaves; leaf++)
		trees->nodes[n_leaves - 1 + leaf] =
			(SpNode) {.feature = SP_LEAF, .left = leaf * dimension, .right = dimension};
	for (size_t at = 0; at < trees->n_values; at++)
		trees->weights[at] = (SpLeafWeight) {trees->values[at], (uint32_t) (at % dimension)};
	return sp_builder_tree(trees->builder, trees->nodes, 2 * n_leaves - 1, trees->weights,
						   (uint32_t) trees->n_values);
}

static SpStatus
sp_cat_read_tree(SpCatTrees *trees)
{
	static const char *const names[] = {"splits", "leaf_values", NULL};
	SpMembers	members = {.cx = trees->cat->cx, .tokens = trees->tokens, .what = "tree", .names = names};
	int			which;

	trees->depth = 0;
	trees->n_values = 0;
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == 0)
			SP_TRY(sp_cat_read_splits(trees));
		else if (which == 1)
			SP_TRY(sp_cat_read_values(trees));
		else
			break;
	}
	SP_TRY(sp_members_require(&members, 2));
	return sp_cat_add_tree(trees);
}

static SpStatus
sp_cat_read_trees(SpCatboost *cat, SpBuilder *builder, uint32_t n_used)
{
	static const char *const names[] = {"oblivious_trees", NULL};
	SpCatTrees	trees = {.cat = cat, .builder = builder};
	SpMembers	members;
	SpToken		token;
	int			which;

	SP_TRY(sp_tokens_open(cat->cx, SP_TOKENS_JSON, cat->bytes, cat->size, &trees.tokens));
	SP_TRY(sp_members_open(&members, cat->cx, trees.tokens, "the document", names));
	SP_TRY(sp_members_next(&members, &which));
	SP_TRY(sp_members_require(&members, 1));
	SP_TRY(sp_array_open(cat->cx, trees.tokens, "oblivious_trees"));
	for (; n_used == 0 || trees.tree < n_used; trees.tree++)
	{
		SP_TRY(sp_tokens_next(trees.tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			break;
		if (token.kind != SP_TOKEN_OBJECT)
			return sp_wrong_kind(cat->cx, &token, "oblivious_trees", "an array of objects");
		SP_TRY(sp_cat_read_tree(&trees));
	}
	if (trees.tree < n_used)
		return sp_fail(cat->cx, SP_ERR_VALUE, "the model has %u iterations, fewer than %u", trees.tree, n_used);
	sp_tokens_close(trees.tokens);
	sp_free(cat->cx, trees.values);
	sp_free(cat->cx, trees.nodes);
	sp_free(cat->cx, trees.weights);
	return SP_OK;
}

SpStatus
sp_import_catboost(SpContext *cx, const void *bytes, size_t size, const SpOverrides *overrides,
				   SpModel **model)
{
	SpCatboost	cat = {.cx = cx, .bytes = bytes, .size = size};
	SpTreesSpec trees = {.aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F64, .base_last = true};
	SpBuilder  *builder;
	uint32_t	sum;

	if (overrides && overrides->best_iteration)
		return sp_fail(cx, SP_ERR_VALUE, "a CatBoost file does not note a best iteration");
	SP_TRY(sp_cat_read_facts(&cat));
	SP_TRY(sp_builder_new(cx, &builder));
	SP_TRY(sp_builder_task(builder, cat.loss->task, true, true));
	SP_TRY(sp_builder_origin(builder, SP_STR("catboost"), (SpStr) {cat.loss->name, strlen(cat.loss->name)}));
	SP_TRY(sp_builder_input(builder, SP_TYPE_F32, (uint32_t) cat.n_features, cat.has_names ? cat.names : NULL,
							&trees.in));
	trees.n_targets = cat.n_targets;
	trees.base = cat.bias;
	SP_TRY(sp_builder_trees_begin(builder, &trees));
	SP_TRY(sp_cat_read_trees(&cat, builder, overrides ? overrides->n_iterations : 0));
	SP_TRY(sp_builder_trees_end(builder, &sum));
	SP_TRY(sp_cat_outputs(&cat, builder, sum));
	return sp_builder_finish(builder, overrides, model);
}
