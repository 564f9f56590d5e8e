/*
 * src/import/sp_xgboost_categories.c
 *
 * Categorical splits of an XGBoost tree (xgboost src/tree/tree_model.cc,
 * LoadCategoricalSplit; src/common/categorical.h, Decision).
 *
 * The categories of the list go right, all other numbers left: whatever is
 * negative, too large or unknown, too.  Versions before 1.7 sent such numbers in
 * the default direction; the newest library decides, as for every older file.
 */
#include <string.h>

#include "import/sp_xgboost_internal.h"

SpStatus
sp_xgb_read_integers(SpContext *cx, SpTokens *tokens, const char *what, uint32_t max,
					 SpXgbIntegers *integers)
{
	SpToken		token;

	SP_TRY(sp_array_open(cx, tokens, what));
	for (;;)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_NUMBER || !token.is_integer || token.integer < 0 || token.integer > max)
			return sp_fail_at(cx, token.offset, "\"%s\" is not an array of numbers from 0 to %u", what, max);
		if (integers->count >= cx->limits.max_elements)
			return sp_fail_limit(cx, "max_elements", "%s has more numbers than the limit of %llu", what,
								 (unsigned long long) cx->limits.max_elements);
		SP_TRY(sp_grow_array(cx, (void **) &integers->at, &integers->capacity, integers->count + 1,
							 sizeof(uint32_t)));
		integers->at[integers->count++] = (uint32_t) token.integer;
	}
}

static SpStatus
sp_xgb_check_lists(SpContext *cx, const SpXgbCategories *sets, uint32_t n_nodes)
{
	size_t		end = 0;
	size_t		i;

	if (sets->nodes.count > 0 && sets->split_type.count != n_nodes)
		return sp_fail(cx, SP_ERR_FORMAT, "split_type has %zu elements, num_nodes is %u",
					   sets->split_type.count, n_nodes);
	if (sets->segments.count != sets->nodes.count || sets->sizes.count != sets->nodes.count)
		return sp_fail(cx, SP_ERR_FORMAT, "categories_nodes, categories_segments and categories_sizes differ in length");
	for (i = 0; i < sets->nodes.count; i++)
	{
		if (i > 0 && sets->nodes.at[i] <= sets->nodes.at[i - 1])
			return sp_fail(cx, SP_ERR_FORMAT, "categories_nodes do not ascend");
		if (sets->nodes.at[i] >= n_nodes)
			return sp_fail(cx, SP_ERR_FORMAT, "categories_nodes has node %u of %u", sets->nodes.at[i], n_nodes);
		if (sets->segments.at[i] != end || sets->sizes.at[i] == 0 ||
			sets->sizes.at[i] > sets->categories.count - end)
			return sp_fail(cx, SP_ERR_FORMAT, "the categories of node %u are out of range", sets->nodes.at[i]);
		end += sets->sizes.at[i];
	}
	if (end != sets->categories.count)
		return sp_fail(cx, SP_ERR_FORMAT, "there are categories that belong to no node");
	return SP_OK;
}

/* What is in the set goes right in XGBoost, left here. */
static void
sp_xgb_turn(SpNode *node, uint32_t set)
{
	uint32_t	left = node->left;

	node->left = node->right;
	node->right = left;
	node->threshold = set;
	node->flags = SP_NODE_CATEGORY | (node->flags & SP_NODE_MISSING_LEFT ? 0 : SP_NODE_MISSING_LEFT);
}

SpStatus
sp_xgb_set_categories(SpContext *cx, SpXgbCategories *sets, SpNode *nodes, uint32_t n_nodes)
{
	size_t		next = 0;
	uint32_t	i;

	sets->n_sets = 0;
	SP_TRY(sp_xgb_check_lists(cx, sets, n_nodes));
	SP_TRY(sp_grow_array(cx, (void **) &sets->first.at, &sets->first.capacity, sets->nodes.count + 1,
						 sizeof(uint32_t)));
	sets->first.at[0] = 0;
	for (i = 0; i < n_nodes; i++)
	{
		bool		listed = next < sets->nodes.count && sets->nodes.at[next] == i;
		bool		categorical = i < sets->split_type.count && sets->split_type.at[i] != 0;

		if (!listed && (!categorical || nodes[i].feature == SP_LEAF))
			continue;
		if (!listed || !categorical || nodes[i].feature == SP_LEAF)
			return sp_fail(cx, SP_ERR_FORMAT, "node %u %s", i,
						   listed ? "has categories, but is no categorical split" : "is a categorical split without categories");
		sp_xgb_turn(&nodes[i], sets->n_sets);
		sets->first.at[sets->n_sets + 1] = sets->first.at[sets->n_sets] + sets->sizes.at[next++];
		sets->n_sets++;
	}
	return SP_OK;
}

void
sp_xgb_drop_sets(SpXgbCategories *sets, SpNode *nodes, uint32_t n_nodes)
{
	uint32_t	n_kept = 0;
	uint32_t	end = 0;
	uint32_t	i;

	for (i = 0; i < n_nodes; i++)
	{
		uint32_t	from;
		uint32_t	size;

		if (nodes[i].feature == SP_LEAF || !(nodes[i].flags & SP_NODE_CATEGORY))
			continue;
		/* nodes keep their order, so sets only ever move to the front */
		from = sets->first.at[(uint32_t) nodes[i].threshold];
		size = sets->first.at[(uint32_t) nodes[i].threshold + 1] - from;
		memmove(sets->categories.at + end, sets->categories.at + from, size * sizeof(uint32_t));
		nodes[i].threshold = n_kept;
		end += size;
		sets->first.at[++n_kept] = end;
	}
	sets->n_sets = n_kept;
}
