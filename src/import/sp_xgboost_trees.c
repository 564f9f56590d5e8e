/*
 * src/import/sp_xgboost_trees.c
 *
 * The second reading of an XGBoost model: the trees.
 *
 * A tree is a set of parallel arrays, one element for each node (xgboost
 * src/tree/tree_model.cc, RegTree::SaveModel).  They are read straight into
 * nodes, field by field, in whatever order the arrays come.
 */
#include <string.h>

#include "import/sp_tree_reach.h"
#include "import/sp_xgboost_internal.h"

/* split_indices of a node that pruning removed (kDeletedNodeMarker without its top bit) */
#define SP_XGB_DELETED INT32_MAX

/* left_children of a leaf */
#define SP_XGB_NO_CHILD UINT32_MAX

/* The arrays that make a node, in the order of sp_xgb_tree_members. */
enum
{
	SP_XGB_LEFT,
	SP_XGB_RIGHT,
	SP_XGB_FEATURE,
	SP_XGB_CONDITION,
	SP_XGB_DEFAULT_LEFT,
	SP_XGB_N_ARRAYS,
	SP_XGB_SPLIT_TYPE = SP_XGB_N_ARRAYS,
	SP_XGB_CATEGORIES,
	SP_XGB_TREE_PARAM,
	SP_XGB_ID
};

static const char *const sp_xgb_tree_members[] = {
	"left_children", "right_children", "split_indices", "split_conditions", "default_left",
	"split_type", "categories", "tree_param", "id", NULL
};

typedef struct SpXgbTrees
{
	SpXgboost  *xgb;
	SpTokens   *tokens;
	SpBuilder  *builder;
	SpTreeReach reach;
	uint32_t	tree;			/* number of the current tree */
	uint64_t	nodes_left;		/* of the limit */
	SpNode	   *nodes;
	size_t		nodes_capacity;
	SpLeafWeight *weights;
	size_t		weights_capacity;

	/* of the current tree */
	size_t		n_nodes[SP_XGB_N_ARRAYS];
	uint32_t	num_nodes;
	uint32_t	num_deleted;
} SpXgbTrees;

/* Prefix what went wrong within a tree with its number. */
static SpStatus
sp_xgb_in_tree(SpXgbTrees *trees, uint64_t offset, SpStatus status)
{
	SpError    *error = &trees->xgb->cx->error;

	if (status == SP_OK || error->detail[0] != '\0')
		return status;
	if (status == SP_ERR_FORMAT && error->offset == SP_NO_OFFSET)
		error->offset = offset;
	if (status == SP_ERR_FORMAT || status == SP_ERR_UNSUPPORTED)
		sp_fail_detail(trees->xgb->cx, "This is in tree %u of the file.", trees->tree);
	return status;
}

static SpStatus
sp_xgb_read_element(SpXgbTrees *trees, int array, const SpToken *token, SpNode *node)
{
	const char *name = sp_xgb_tree_members[array];
	int64_t		integer = token->integer;

	if (array == SP_XGB_CONDITION)
	{
		if (token->kind != SP_TOKEN_NUMBER)
			return sp_wrong_kind(trees->xgb->cx, token, name, "an array of numbers");
		node->threshold = sp_token_f32(token);
		return SP_OK;
	}
	if (array == SP_XGB_DEFAULT_LEFT && (token->kind == SP_TOKEN_TRUE || token->kind == SP_TOKEN_FALSE))
		integer = token->kind == SP_TOKEN_TRUE;
	else if (token->kind != SP_TOKEN_NUMBER || !token->is_integer ||
			 integer < -1 || integer > INT32_MAX)
		return sp_wrong_kind(trees->xgb->cx, token, name, "an array of node or feature numbers");
	switch (array)
	{
		case SP_XGB_LEFT:
			node->left = (uint32_t) integer;
			break;
		case SP_XGB_RIGHT:
			node->right = (uint32_t) integer;
			break;
		case SP_XGB_FEATURE:
			if (integer < 0)
				return sp_wrong_kind(trees->xgb->cx, token, name, "an array of feature numbers");
			node->feature = (int32_t) integer;
			break;
		default:
			node->flags = integer != 0 ? SP_NODE_MISSING_LEFT : 0;
			break;
	}
	return SP_OK;
}

static SpStatus
sp_xgb_read_array(SpXgbTrees *trees, int array)
{
	SpContext  *cx = trees->xgb->cx;
	size_t	   *count = &trees->n_nodes[array];
	SpToken		token;

	SP_TRY(sp_array_open(cx, trees->tokens, sp_xgb_tree_members[array]));
	for (;; (*count)++)
	{
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (*count >= trees->nodes_left)
			return sp_fail(cx, SP_ERR_LIMIT, "the model has more than %llu tree nodes",
						   (unsigned long long) cx->limits.max_nodes);
		SP_TRY(sp_grow_array(cx, (void **) &trees->nodes, &trees->nodes_capacity, *count + 1,
							 sizeof(SpNode)));
		SP_TRY(sp_xgb_read_element(trees, array, &token, &trees->nodes[*count]));
	}
}

/* split_type: all 0; categories: none */
static SpStatus
sp_xgb_read_no_categories(SpXgbTrees *trees, int member)
{
	SpContext  *cx = trees->xgb->cx;
	SpToken		token;

	SP_TRY(sp_array_open(cx, trees->tokens, sp_xgb_tree_members[member]));
	for (;;)
	{
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_NUMBER)
			return sp_wrong_kind(cx, &token, sp_xgb_tree_members[member], "an array of numbers");
		if (member == SP_XGB_CATEGORIES || token.number != 0)
		{
			sp_fail(cx, SP_ERR_UNSUPPORTED, "XGBoost trees with categorical splits are not supported");
			return sp_fail_hint(cx, "Encode categories as numbers, for example one-hot, before training.");
		}
	}
}

static SpStatus
sp_xgb_read_tree_param(SpXgbTrees *trees)
{
	static const char *const names[] = {"num_nodes", "num_deleted", "size_leaf_vector", NULL};
	SpContext  *cx = trees->xgb->cx;
	SpMembers	members;
	uint32_t	number;
	int			which;

	SP_TRY(sp_members_open(&members, cx, trees->tokens, "tree_param", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return sp_members_require(&members, 1);
		SP_TRY(sp_read_text_number(cx, trees->tokens, names[which], INT32_MAX, &number));
		if (which == 0)
			trees->num_nodes = number;
		else if (which == 1)
			trees->num_deleted = number;
		else if (number > 1)
			return sp_fail(cx, SP_ERR_UNSUPPORTED, "XGBoost trees with vector leaves are not supported (size_leaf_vector is %u)",
						   number);
	}
}

static SpStatus
sp_xgb_read_id(SpXgbTrees *trees)
{
	SpToken		token;

	SP_TRY(sp_tokens_next(trees->tokens, &token));
	if (token.kind != SP_TOKEN_NUMBER || !token.is_integer)
		return sp_wrong_kind(trees->xgb->cx, &token, "id", "a number");
	if (token.integer != trees->tree)
		return sp_fail_at(trees->xgb->cx, token.offset, "tree %u has the id %lld",
						  trees->tree, (long long) token.integer);
	return SP_OK;
}

static SpStatus
sp_xgb_check_tree(const SpXgbTrees *trees)
{
	SpContext  *cx = trees->xgb->cx;
	uint32_t	n_deleted = 0;
	uint32_t	i;
	int			array;

	if (trees->num_nodes == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "a tree has no nodes");
	for (array = 0; array < SP_XGB_N_ARRAYS; array++)
	{
		if (trees->n_nodes[array] != trees->num_nodes)
			return sp_fail(cx, SP_ERR_FORMAT, "%s has %zu elements, num_nodes is %u",
						   sp_xgb_tree_members[array], trees->n_nodes[array], trees->num_nodes);
	}
	for (i = 0; i < trees->num_nodes; i++)
		n_deleted += trees->nodes[i].feature == SP_XGB_DELETED;
	if (n_deleted != trees->num_deleted)
		return sp_fail(cx, SP_ERR_FORMAT, "%u nodes are deleted, num_deleted is %u",
					   n_deleted, trees->num_deleted);
	return SP_OK;
}

/*
 * Mark leaves.  XGBoost itself steps to the left child or to the node after
 * it (xgboost src/predictor/predict_fn.h, GetNextNode), so a right child
 * elsewhere would not mean the same there and here.
 */
static SpStatus
sp_xgb_mark_leaves(SpXgbTrees *trees)
{
	uint32_t	i;

	for (i = 0; i < trees->num_nodes; i++)
	{
		SpNode	   *node = &trees->nodes[i];

		if (node->left == SP_XGB_NO_CHILD)
			node->feature = SP_LEAF;
		else if (node->feature != SP_XGB_DELETED && node->right != node->left + 1)
			return sp_fail(trees->xgb->cx, SP_ERR_FORMAT, "node %u has the children %u and %d, which are not neighbors",
						   i, node->left, (int) node->right);
	}
	return SP_OK;
}

static SpStatus
sp_xgb_add_tree(SpXgbTrees *trees)
{
	SpContext  *cx = trees->xgb->cx;
	uint32_t	n_nodes = trees->num_nodes;
	uint32_t	n_leaves = 0;
	uint32_t	i;

	SP_TRY(sp_xgb_check_tree(trees));
	SP_TRY(sp_xgb_mark_leaves(trees));
	SP_TRY(sp_tree_reach(cx, &trees->reach, trees->nodes, &n_nodes));
	SP_TRY(sp_grow_array(cx, (void **) &trees->weights, &trees->weights_capacity, n_nodes,
						 sizeof(SpLeafWeight)));
	for (i = 0; i < n_nodes; i++)
	{
		SpNode	   *node = &trees->nodes[i];

		if (node->feature != SP_LEAF)
			continue;
		trees->weights[n_leaves].value = node->threshold;
		trees->weights[n_leaves].target = (uint32_t) trees->xgb->tree_info[trees->tree];
		node->left = n_leaves++;
		node->right = 1;
		node->threshold = 0;
		node->flags = 0;
	}
	trees->nodes_left -= trees->num_nodes;
	return sp_builder_tree(trees->builder, trees->nodes, n_nodes, trees->weights, n_leaves);
}

static SpStatus
sp_xgb_read_tree(SpXgbTrees *trees)
{
	SpMembers	members;
	int			which;

	memset(trees->n_nodes, 0, sizeof(trees->n_nodes));
	trees->num_nodes = 0;
	trees->num_deleted = 0;
	memset(&members, 0, sizeof(members));
	members.cx = trees->xgb->cx;
	members.tokens = trees->tokens;
	members.what = "tree";
	members.names = sp_xgb_tree_members;
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		switch (which)
		{
			case SP_NO_MEMBER:
				SP_TRY(sp_members_require(&members, 1u << SP_XGB_TREE_PARAM | ((1u << SP_XGB_N_ARRAYS) - 1)));
				return sp_xgb_add_tree(trees);
			case SP_XGB_SPLIT_TYPE:
			case SP_XGB_CATEGORIES:
				SP_TRY(sp_xgb_read_no_categories(trees, which));
				break;
			case SP_XGB_TREE_PARAM:
				SP_TRY(sp_xgb_read_tree_param(trees));
				break;
			case SP_XGB_ID:
				SP_TRY(sp_xgb_read_id(trees));
				break;
			default:
				SP_TRY(sp_xgb_read_array(trees, which));
				break;
		}
	}
}

/* Go down to the value of learner.gradient_booster.model.trees, which the first reading has seen. */
static SpStatus
sp_xgb_find_trees(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const path[][2] = {
		{"learner", NULL}, {"gradient_booster", NULL}, {"model", NULL}, {"trees", NULL}
	};
	SpMembers	members;
	size_t		i;
	int			which;

	for (i = 0; i < sizeof(path) / sizeof(path[0]); i++)
	{
		SP_TRY(sp_members_open(&members, xgb->cx, tokens, path[i][0], path[i]));
		SP_TRY(sp_members_next(&members, &which));
		SP_TRY(sp_members_require(&members, 1));
	}
	return sp_array_open(xgb->cx, tokens, "trees");
}

SpStatus
sp_xgb_read_trees(SpXgboost *xgb, SpBuilder *builder)
{
	SpContext  *cx = xgb->cx;
	SpXgbTrees	trees = {0};
	SpToken		token;

	trees.xgb = xgb;
	trees.builder = builder;
	trees.nodes_left = cx->limits.max_nodes;
	SP_TRY(sp_tokens_open(cx, xgb->format, xgb->bytes, xgb->size, &trees.tokens));
	SP_TRY(sp_xgb_find_trees(xgb, trees.tokens));
	for (;; trees.tree++)
	{
		SP_TRY(sp_tokens_next(trees.tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			break;
		if (token.kind != SP_TOKEN_OBJECT)
			return sp_wrong_kind(cx, &token, "trees", "an array of objects");
		if (trees.tree >= xgb->num_trees)
			return sp_fail_at(cx, token.offset, "there are more trees than num_trees, which is %u",
							  xgb->num_trees);
		SP_TRY(sp_xgb_in_tree(&trees, token.offset, sp_xgb_read_tree(&trees)));
	}
	if (trees.tree != xgb->num_trees)
		return sp_fail(cx, SP_ERR_FORMAT, "there are %u trees, num_trees is %u", trees.tree,
					   xgb->num_trees);
	sp_tokens_close(trees.tokens);
	sp_free(cx, trees.nodes);
	sp_free(cx, trees.weights);
	sp_free(cx, trees.reach.queue);
	sp_free(cx, trees.reach.place);
	return SP_OK;
}
