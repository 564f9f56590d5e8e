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
	SP_XGB_CATEGORY_NODES,
	SP_XGB_CATEGORY_SEGMENTS,
	SP_XGB_CATEGORY_SIZES,
	SP_XGB_TREE_PARAM,
	SP_XGB_ID,
	SP_XGB_BASE_WEIGHTS,
	SP_XGB_LEAF_WEIGHTS
};

static const char *const sp_xgb_tree_members[] = {
	"left_children", "right_children", "split_indices", "split_conditions", "default_left",
	"split_type", "categories", "categories_nodes", "categories_segments", "categories_sizes", "tree_param", "id",
	"base_weights", "leaf_weights", NULL
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
	uint32_t	leaf_size;		/* numbers of a leaf */
	SpXgbCategories sets;
	SpXgbFloats base_weights;	/* of vector leaves: of all nodes, */
	SpXgbFloats leaf_weights;	/* or since 3.2 of leaves only */
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
			return sp_fail_limit(cx, "max_nodes", "the model has more than %llu tree nodes",
								 (unsigned long long) cx->limits.max_nodes);
		SP_TRY(sp_grow_array(cx, (void **) &trees->nodes, &trees->nodes_capacity, *count + 1,
							 sizeof(SpNode)));
		SP_TRY(sp_xgb_read_element(trees, array, &token, &trees->nodes[*count]));
	}
}

static SpStatus
sp_xgb_read_category_array(SpXgbTrees *trees, int member)
{
	SpXgbCategories *sets = &trees->sets;
	SpXgbIntegers *const arrays[] = {
		&sets->split_type, &sets->categories, &sets->nodes, &sets->segments, &sets->sizes
	};
	/* a split's type is 0 or 1; from 2^24 on, a float is no category (InvalidCat) */
	uint32_t	max = member == SP_XGB_SPLIT_TYPE ? 1 : member == SP_XGB_CATEGORIES ? 16777215 : INT32_MAX;

	return sp_xgb_read_integers(trees->xgb->cx, trees->tokens, sp_xgb_tree_members[member], max,
								arrays[member - SP_XGB_SPLIT_TYPE]);
}

/* Numbers of vector leaves; of other trees they are statistics. */
static SpStatus
sp_xgb_read_vectors(SpXgbTrees *trees, int member)
{
	SpContext  *cx = trees->xgb->cx;
	SpXgbFloats *floats = member == SP_XGB_BASE_WEIGHTS ? &trees->base_weights : &trees->leaf_weights;
	SpToken		token;

	SP_TRY(sp_array_open(cx, trees->tokens, sp_xgb_tree_members[member]));
	for (;;)
	{
		SP_TRY(sp_tokens_next(trees->tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			return SP_OK;
		if (token.kind != SP_TOKEN_NUMBER)
			return sp_wrong_kind(cx, &token, sp_xgb_tree_members[member], "an array of numbers");
		if (sp_xgb_groups(trees->xgb) < 2)
			continue;
		if (floats->count >= cx->limits.max_elements)
			return sp_fail_limit(cx, "max_elements", "a tree has more weights than the limit of %llu",
								 (unsigned long long) cx->limits.max_elements);
		SP_TRY(sp_grow_array(cx, (void **) &floats->at, &floats->capacity, floats->count + 1, sizeof(float)));
		floats->at[floats->count++] = sp_token_f32(&token);
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
		else if (number > 1 && number != sp_xgb_groups(trees->xgb))
			return sp_fail(cx, SP_ERR_FORMAT, "size_leaf_vector is %u, but there are %u outputs", number,
						   sp_xgb_groups(trees->xgb));
		else if (number > 1)
			trees->leaf_size = number;
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
		{
			node->feature = SP_LEAF;
			if (trees->leaf_weights.count == 0)
				node->right = i;
		}
		else if (node->feature != SP_XGB_DELETED && node->right != node->left + 1)
			return sp_fail(trees->xgb->cx, SP_ERR_FORMAT, "node %u has the children %u and %d, which are not neighbors",
						   i, node->left, (int) node->right);
	}
	return SP_OK;
}

/* The one weight of a leaf, times what dropout left of its tree, rounded as XGBoost does (gbtree.cc, Dart). */
static SpStatus
sp_xgb_scalar_leaf(SpXgbTrees *trees, SpNode *node, uint32_t *n_weights)
{
	const SpXgboost *xgb = trees->xgb;
	float		value = (float) node->threshold;

	SP_TRY(sp_grow_array(xgb->cx, (void **) &trees->weights, &trees->weights_capacity,
						 (size_t) *n_weights + 1, sizeof(SpLeafWeight)));
	if (xgb->weight_drop.count > 0)
		value *= xgb->weight_drop.at[trees->tree];
	trees->weights[*n_weights].value = value;
	trees->weights[*n_weights].target = (uint32_t) xgb->tree_info[trees->tree];
	node->left = (*n_weights)++;
	node->right = 1;
	return SP_OK;
}

/*
 * The weights of a vector leaf: its right child is its number among the
 * leaves since 3.2; before, all nodes had weights, and sp_xgb_mark_leaves has
 * put its number there (xgboost src/tree/multi_target_tree_model.cc).
 */
static SpStatus
sp_xgb_vector_leaf(SpXgbTrees *trees, SpNode *node, uint32_t *n_weights)
{
	SpContext  *cx = trees->xgb->cx;
	const SpXgbFloats *floats = trees->leaf_weights.count > 0 ? &trees->leaf_weights : &trees->base_weights;
	uint64_t	place = node->right;
	uint32_t	target;

	if ((place + 1) * trees->leaf_size > floats->count)
		return sp_fail(cx, SP_ERR_FORMAT, "leaf %u has no weights", node->right);
	if ((uint64_t) *n_weights + trees->leaf_size > cx->limits.max_elements ||
		*n_weights > UINT32_MAX - trees->leaf_size)
		return sp_fail_limit(cx, "max_elements", "a tree has more leaf weights than the limit of %llu",
							 (unsigned long long) cx->limits.max_elements);
	SP_TRY(sp_grow_array(cx, (void **) &trees->weights, &trees->weights_capacity,
						 (size_t) *n_weights + trees->leaf_size, sizeof(SpLeafWeight)));
	node->left = *n_weights;
	node->right = trees->leaf_size;
	for (target = 0; target < trees->leaf_size; target++)
	{
		float		value = floats->at[place * trees->leaf_size + target];

		if (trees->xgb->weight_drop.count > 0)
			value *= trees->xgb->weight_drop.at[trees->tree];
		trees->weights[(*n_weights)++] = (SpLeafWeight) {value, target};
	}
	return SP_OK;
}

static SpStatus
sp_xgb_make_leaves(SpXgbTrees *trees, uint32_t n_nodes, uint32_t *n_weights)
{
	uint32_t	i;

	*n_weights = 0;
	for (i = 0; i < n_nodes; i++)
	{
		SpNode	   *node = &trees->nodes[i];

		if (node->feature != SP_LEAF)
			continue;
		if (trees->leaf_size > 1)
			SP_TRY(sp_xgb_vector_leaf(trees, node, n_weights));
		else
			SP_TRY(sp_xgb_scalar_leaf(trees, node, n_weights));
		node->threshold = 0;
		node->flags = 0;
	}
	return SP_OK;
}

static SpStatus
sp_xgb_add_tree(SpXgbTrees *trees)
{
	SpContext  *cx = trees->xgb->cx;
	uint32_t	n_nodes = trees->num_nodes;
	uint32_t	n_weights;

	SP_TRY(sp_xgb_check_tree(trees));
	SP_TRY(sp_xgb_mark_leaves(trees));
	SP_TRY(sp_xgb_set_categories(cx, &trees->sets, trees->nodes, n_nodes));
	SP_TRY(sp_tree_reach(cx, &trees->reach, trees->nodes, &n_nodes));
	sp_xgb_drop_sets(&trees->sets, trees->nodes, n_nodes);
	SP_TRY(sp_xgb_make_leaves(trees, n_nodes, &n_weights));
	trees->nodes_left -= trees->num_nodes;
	return sp_builder_tree_spec(trees->builder, &(SpTreeSpec) {
		.nodes = trees->nodes, .n_nodes = n_nodes, .weights = trees->weights, .n_weights = n_weights,
		.first_category = trees->sets.first.at, .n_sets = trees->sets.n_sets,
		.categories = trees->sets.categories.at
	});
}

/* Forget the tree before, keep its memory. */
static void
sp_xgb_reset(SpXgbTrees *trees)
{
	memset(trees->n_nodes, 0, sizeof(trees->n_nodes));
	trees->num_nodes = 0;
	trees->num_deleted = 0;
	trees->leaf_size = 1;
	trees->sets.split_type.count = trees->sets.categories.count = trees->sets.nodes.count = 0;
	trees->sets.segments.count = trees->sets.sizes.count = 0;
	trees->base_weights.count = trees->leaf_weights.count = 0;
}

static SpStatus
sp_xgb_read_tree(SpXgbTrees *trees)
{
	SpMembers	members;
	int			which;

	sp_xgb_reset(trees);
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
			case SP_XGB_CATEGORY_NODES:
			case SP_XGB_CATEGORY_SEGMENTS:
			case SP_XGB_CATEGORY_SIZES:
				SP_TRY(sp_xgb_read_category_array(trees, which));
				break;
			case SP_XGB_BASE_WEIGHTS:
			case SP_XGB_LEAF_WEIGHTS:
				SP_TRY(sp_xgb_read_vectors(trees, which));
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

/*
 * Go down to the value of learner.gradient_booster.model.trees, which the first
 * reading has seen; dart has a booster between (gradient_booster.gbtree.model).
 */
static SpStatus
sp_xgb_find_trees(SpXgboost *xgb, SpTokens *tokens)
{
	static const char *const path[][2] = {
		{"learner", NULL}, {"gradient_booster", NULL}, {"gbtree", NULL}, {"model", NULL}, {"trees", NULL}
	};
	SpMembers	members;
	size_t		i;
	int			which;

	for (i = 0; i < sizeof(path) / sizeof(path[0]); i++)
	{
		if (i == 2 && !xgb->is_inner)
			continue;
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
		if (trees.tree < xgb->first_used || trees.tree >= xgb->end_used)
			SP_TRY(sp_tokens_skip(trees.tokens, &token));
		else
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
	sp_free(cx, trees.sets.split_type.at);
	sp_free(cx, trees.sets.categories.at);
	sp_free(cx, trees.sets.nodes.at);
	sp_free(cx, trees.sets.segments.at);
	sp_free(cx, trees.sets.sizes.at);
	sp_free(cx, trees.sets.first.at);
	sp_free(cx, trees.base_weights.at);
	sp_free(cx, trees.leaf_weights.at);
	return SP_OK;
}
