/*
 * src/import/sp_catboost_nested.c
 *
 * A CatBoost tree that is not oblivious (grow_policy Depthwise and Lossguide):
 * a split is an object with its two sides within it, a leaf one with its value
 * (catboost/libs/model/model_export/json_model_helpers.cpp).
 */
#include "import/sp_catboost_internal.h"
#include "import/sp_members.h"

/* Members of a node's object. */
#define SP_CAT_LEFT 1
#define SP_CAT_RIGHT 2
#define SP_CAT_SPLIT 4
#define SP_CAT_VALUE 8

static SpStatus
sp_cat_open_node(SpCatTrees *trees)
{
	SpContext  *cx = trees->cat->cx;

	if (trees->n_nodes >= cx->limits.max_nodes || trees->n_nodes == INT32_MAX)
		return sp_fail_limit(cx, "max_nodes", "the model has more than %llu tree nodes",
							 (unsigned long long) cx->limits.max_nodes);
	SP_TRY(sp_grow_array(cx, (void **) &trees->nodes, &trees->nodes_capacity, (size_t) trees->n_nodes + 1,
						 sizeof(SpNode)));
	SP_TRY(sp_grow_array(cx, (void **) &trees->open, &trees->open_capacity, trees->n_open + 1,
						 sizeof(SpCatOpen)));
	trees->nodes[trees->n_nodes] = (SpNode) {.feature = SP_LEAF};
	trees->open[trees->n_open++] = (SpCatOpen) {trees->n_nodes++, 0};
	return SP_OK;
}

/* A side of a node becomes the node that is read. */
static SpStatus
sp_cat_read_side(SpCatTrees *trees, uint32_t node, bool is_left)
{
	SpToken		token;

	SP_TRY(sp_tokens_next(trees->tokens, &token));
	if (token.kind != SP_TOKEN_OBJECT)
		return sp_wrong_kind(trees->cat->cx, &token, is_left ? "left" : "right", "an object");
	*(is_left ? &trees->nodes[node].left : &trees->nodes[node].right) = trees->n_nodes;
	return sp_cat_open_node(trees);
}

static SpStatus
sp_cat_read_node_split(SpCatTrees *trees, SpNode *node)
{
	SpCatSplit	split = {0};
	SpToken		token;

	SP_TRY(sp_tokens_next(trees->tokens, &token));
	SP_TRY(sp_cat_read_split(trees, &token, &split));
	*node = sp_cat_node(&split, node->left, node->right);
	return SP_OK;
}

static SpStatus
sp_cat_read_leaf(SpCatTrees *trees, SpNode *node)
{
	uint32_t	first = trees->n_weights;

	SP_TRY(sp_cat_read_values(trees, "value"));
	if (trees->n_weights - first != trees->cat->n_targets)
		return sp_fail(trees->cat->cx, SP_ERR_FORMAT, "a leaf of tree %u has %u values instead of %u", trees->tree,
					   trees->n_weights - first, trees->cat->n_targets);
	node->left = first;
	node->right = trees->cat->n_targets;
	return SP_OK;
}

static SpStatus
sp_cat_read_member(SpCatTrees *trees, const SpToken *key)
{
	static const char *const names[] = {"left", "right", "split", "value"};
	SpCatOpen  *open = &trees->open[trees->n_open - 1];
	uint32_t	node = open->node;
	uint32_t	member = 0;
	SpToken		token;

	while (member < 4 && !sp_str_is(key->text, names[member]))
		member++;
	if (member == 4)
	{
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		return sp_tokens_skip(trees->tokens, &token);
	}
	if (open->seen & 1u << member)
		return sp_fail_at(trees->cat->cx, key->offset, "a node of tree %u has two members \"%s\"", trees->tree,
						  names[member]);
	open->seen |= 1u << member;
	if (member < 2)
		return sp_cat_read_side(trees, node, member == 0);
	return member == 2 ? sp_cat_read_node_split(trees, &trees->nodes[node]) :
		sp_cat_read_leaf(trees, &trees->nodes[node]);
}

SpStatus
sp_cat_read_nested(SpCatTrees *trees)
{
	SpToken		token;
	uint32_t	seen;

	trees->n_open = 0;
	SP_TRY(sp_cat_open_node(trees));
	while (trees->n_open > 0)
	{
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (token.kind == SP_TOKEN_KEY)
		{
			SP_TRY(sp_cat_read_member(trees, &token));
			continue;
		}
		seen = trees->open[--trees->n_open].seen;
		if (seen != SP_CAT_VALUE && seen != (SP_CAT_LEFT | SP_CAT_RIGHT | SP_CAT_SPLIT))
			return sp_fail_at(trees->cat->cx, token.offset,
							  "a node of tree %u is neither a leaf with a value nor a split with two sides",
							  trees->tree);
	}
	return SP_OK;
}
