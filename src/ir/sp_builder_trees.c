/*
 * src/ir/sp_builder_trees.c
 *
 * The tree part of the builder: takes an ensemble tree by tree.
 *
 * A tree is walked once, breadth first, with an explicit queue.  The walk
 * marks every node it meets: meeting one twice means two parents (or a cycle),
 * meeting fewer than there are means nodes without a parent, and the number of
 * levels is the depth.
 */
#include <math.h>
#include <string.h>

#include "ir/sp_builder_internal.h"

#define POLL_NODES 65536

SpStatus
sp_builder_trees_begin(SpBuilder *builder, const SpTreesSpec *spec)
{
	SpContext  *cx = builder->cx;
	SpTreesDraft *draft = &builder->draft;
	SpTrees    *trees = &draft->trees;
	SpValue		input;

	SP_TRY(sp_builder_floats(builder, spec->in, &input));
	if (spec->aggregate < SP_AGGREGATE_SUM || spec->aggregate > SP_AGGREGATE_MAX)
		return sp_fail(cx, SP_ERR_FORMAT, "unknown aggregate %d of trees", (int) spec->aggregate);
	if (spec->sum_type != SP_TYPE_F32 && spec->sum_type != SP_TYPE_F64)
		return sp_fail(cx, SP_ERR_FORMAT, "trees cannot be summed in type %d", (int) spec->sum_type);
	if (spec->n_targets == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "tree ensemble without targets");
	if (spec->n_targets > SP_ROW_CAP)
		return sp_fail(cx, SP_ERR_LIMIT, "tree ensemble has %u targets, more than the limit of %d",
					   spec->n_targets, SP_ROW_CAP);
	memset(draft, 0, sizeof(*draft));
	draft->in = spec->in;
	draft->in_width = input.width;
	trees->aggregate = spec->aggregate;
	trees->sum_type = spec->sum_type;
	/* only a sum can start from the base: an average or extreme of it means nothing */
	trees->base_last = spec->base_last || spec->aggregate != SP_AGGREGATE_SUM;
	trees->accepts_missing = spec->accepts_missing;
	trees->n_targets = spec->n_targets;
	SP_TRY(sp_builder_numbers(builder, spec->base, spec->n_targets, spec->sum_type, "base score",
							  &trees->base));
	draft->open = true;
	return SP_OK;
}

static SpStatus
check_leaf(SpBuilder *builder, const SpNode *node, uint32_t number,
		   const SpLeafWeight *weights, uint32_t n_weights)
{
	SpContext  *cx = builder->cx;
	const SpTrees *trees = &builder->draft.trees;

	if (node->left > n_weights || node->right > n_weights - node->left)
		return sp_fail(cx, SP_ERR_FORMAT, "leaf %u of tree %u has weights out of range",
					   number, trees->n_trees);
	for (uint32_t at = 0; at < node->right; at++)
	{
		const SpLeafWeight *weight = &weights[node->left + at];

		if (weight->target >= trees->n_targets)
			return sp_fail(cx, SP_ERR_FORMAT, "leaf %u of tree %u has target %u of %u",
						   number, trees->n_trees, weight->target, trees->n_targets);
		if (at > 0 && weight->target <= weight[-1].target)
			return sp_fail(cx, SP_ERR_FORMAT, "leaf %u of tree %u has targets that do not ascend",
						   number, trees->n_trees);
		if (!sp_is_finite_as(weight->value, trees->sum_type))
			return sp_fail(cx, SP_ERR_FORMAT, "leaf %u of tree %u has a value that is not finite",
						   number, trees->n_trees);
	}
	return SP_OK;
}

/* A question of membership has no comparison and no zero of its own. */
static bool
flags_are_known(uint32_t flags)
{
	const uint32_t numeric = SP_NODE_LE | SP_NODE_MISSING_LEFT | SP_NODE_ZERO_MISSING;
	const uint32_t category = SP_NODE_CATEGORY | SP_NODE_MISSING_LEFT | SP_NODE_TRUNCATE;

	return (flags & ~(flags & SP_NODE_CATEGORY ? category : numeric)) == 0;
}

static SpStatus
check_split(SpBuilder *builder, const SpNode *node, uint32_t number, uint32_t n_nodes)
{
	SpContext  *cx = builder->cx;
	uint32_t	tree = builder->draft.trees.n_trees;

	if (node->feature < 0 || (uint32_t) node->feature >= builder->draft.in_width)
		return sp_fail(cx, SP_ERR_FORMAT, "node %u of tree %u splits on feature %d of %u",
					   number, tree, (int) node->feature, builder->draft.in_width);
	if (isnan(node->threshold))
		return sp_fail(cx, SP_ERR_FORMAT, "node %u of tree %u has a threshold that is not a number",
					   number, tree);
	if (!flags_are_known(node->flags))
		return sp_fail(cx, SP_ERR_FORMAT, "node %u of tree %u has unknown flags", number, tree);
	if (node->left >= n_nodes || node->right >= n_nodes)
		return sp_fail(cx, SP_ERR_FORMAT, "node %u of tree %u has a child out of range",
					   number, tree);
	return SP_OK;
}

static SpStatus
check_nodes(SpBuilder *builder, const SpNode *nodes, uint32_t n_nodes,
			const SpLeafWeight *weights, uint32_t n_weights)
{
	uint64_t	used = 0;

	for (uint32_t number = 0; number < n_nodes; number++)
	{
		const SpNode *node = &nodes[number];

		if (number % POLL_NODES == POLL_NODES - 1)
			SP_TRY(sp_poll(builder->cx));
		if (node->feature != SP_LEAF)
		{
			SP_TRY(check_split(builder, node, number, n_nodes));
			continue;
		}
		/* leaves that share weights would make the work quadratic */
		used += node->right;
		if (used > n_weights)
			return sp_fail(builder->cx, SP_ERR_FORMAT, "leaves of tree %u share weights",
						   builder->draft.trees.n_trees);
		SP_TRY(check_leaf(builder, node, number, weights, n_weights));
	}
	return SP_OK;
}

/* Append a child to the queue, or say why it cannot have this parent. */
static SpStatus
enqueue(SpBuilder *builder, uint32_t child, uint32_t *filled)
{
	SpTreesDraft *draft = &builder->draft;

	if (draft->seen[child])
		return sp_fail(builder->cx, SP_ERR_FORMAT, "node %u of tree %u has more than one parent",
					   child, draft->trees.n_trees);
	draft->seen[child] = 1;
	draft->queue[(*filled)++] = child;
	return SP_OK;
}

static SpStatus
check_shape(SpBuilder *builder, const SpNode *nodes, uint32_t n_nodes, uint32_t *depth)
{
	SpContext  *cx = builder->cx;
	SpTreesDraft *draft = &builder->draft;
	uint32_t	filled = 1;
	uint32_t	level_end = 1;

	SP_TRY(sp_grow_array(cx, (void **) &draft->queue, &draft->queue_capacity, n_nodes,
						 sizeof(uint32_t)));
	SP_TRY(sp_grow_array(cx, (void **) &draft->seen, &draft->seen_capacity, n_nodes, 1));
	memset(draft->seen, 0, n_nodes);
	draft->queue[0] = 0;
	draft->seen[0] = 1;
	*depth = 0;
	for (uint32_t at = 0; at < filled; at++)
	{
		const SpNode *node = &nodes[draft->queue[at]];

		if (at % POLL_NODES == POLL_NODES - 1)
			SP_TRY(sp_poll(cx));
		if (at == level_end)
		{
			level_end = filled;
			(*depth)++;
		}
		if (node->feature == SP_LEAF)
			continue;
		SP_TRY(enqueue(builder, node->left, &filled));
		SP_TRY(enqueue(builder, node->right, &filled));
	}
	if (filled < n_nodes)
		return sp_fail(cx, SP_ERR_FORMAT, "tree %u has %u nodes without a parent",
					   draft->trees.n_trees, n_nodes - filled);
	if (*depth > cx->limits.max_tree_depth)
		return sp_fail_limit(cx, "max_tree_depth", "tree %u is %u splits deep, more than the limit of %u",
							 draft->trees.n_trees, *depth, cx->limits.max_tree_depth);
	return SP_OK;
}

static SpStatus
check_size(SpBuilder *builder, uint32_t n_nodes, uint32_t n_weights)
{
	SpContext  *cx = builder->cx;
	const SpTrees *trees = &builder->draft.trees;
	uint64_t	first = trees->n_trees > 0 ? trees->first_node[trees->n_trees] : 0;
	uint64_t	total = builder->model->n_nodes + n_nodes;

	if (n_nodes == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "tree %u has no nodes", trees->n_trees);
	if (total > cx->limits.max_nodes)
		return sp_fail_limit(cx, "max_nodes", "model has more than %llu tree nodes",
							 (unsigned long long) cx->limits.max_nodes);
	if (first + n_nodes > UINT32_MAX || (uint64_t) trees->n_weights + n_weights > UINT32_MAX)
		return sp_fail(cx, SP_ERR_LIMIT, "tree ensemble is too large");
	if ((uint64_t) trees->n_weights + n_weights > cx->limits.max_elements)
		return sp_fail_limit(cx, "max_elements", "tree ensemble has more than %llu leaf weights",
							 (unsigned long long) cx->limits.max_elements);
	return SP_OK;
}

/*
 * A leaf's unused fields are set to zero and weights follow the order of their
 * leaves, so that equal trees are equal bytes in the stored form whatever the
 * importer left there.  Weights of no leaf are left out.
 */
static void
append_nodes(SpTrees *trees, const SpTreeSpec *spec)
{
	SpNode	   *to = trees->nodes + trees->first_node[trees->n_trees];

	for (uint32_t number = 0; number < spec->n_nodes; number++)
	{
		const SpNode *node = &spec->nodes[number];

		to[number] = *node;
		if (node->feature != SP_LEAF)
			continue;
		to[number].threshold = 0;
		to[number].flags = 0;
		to[number].left = trees->n_weights;
		for (uint32_t at = 0; at < node->right; at++)
			trees->weights[trees->n_weights++] = spec->weights[node->left + at];
	}
}

/* Make room for what the tree adds. */
static SpStatus
grow(SpBuilder *builder, uint32_t n_nodes, uint32_t n_weights)
{
	SpContext  *cx = builder->cx;
	SpTreesDraft *draft = &builder->draft;
	SpTrees    *trees = &draft->trees;

	SP_TRY(sp_grow_array(cx, (void **) &trees->first_node, &draft->first_node_capacity,
						 (size_t) trees->n_trees + 2, sizeof(uint32_t)));
	if (trees->n_trees == 0)
		trees->first_node[0] = 0;
	SP_TRY(sp_grow_array(cx, (void **) &trees->depth, &draft->depth_capacity,
						 (size_t) trees->n_trees + 1, sizeof(uint32_t)));
	SP_TRY(sp_grow_array(cx, (void **) &trees->nodes, &draft->nodes_capacity,
						 (size_t) trees->first_node[trees->n_trees] + n_nodes, sizeof(SpNode)));
	return sp_grow_array(cx, (void **) &trees->weights, &draft->weights_capacity,
						 (size_t) trees->n_weights + n_weights, sizeof(SpLeafWeight));
}

SpStatus
sp_builder_tree_spec(SpBuilder *builder, const SpTreeSpec *spec)
{
	SpContext  *cx = builder->cx;
	SpTrees    *trees = &builder->draft.trees;
	uint32_t	depth;
	uint32_t	first;
	uint64_t	before;

	if (!builder->draft.open)
		return sp_fail(cx, SP_ERR_FORMAT, "tree outside of an ensemble");
	SP_TRY(check_size(builder, spec->n_nodes, spec->n_weights));
	SP_TRY(check_nodes(builder, spec->nodes, spec->n_nodes, spec->weights, spec->n_weights));
	SP_TRY(check_shape(builder, spec->nodes, spec->n_nodes, &depth));
	SP_TRY(sp_builder_check_sets(builder, spec));
	SP_TRY(sp_builder_check_linear(builder, spec));
	SP_TRY(sp_poll(cx));

	SP_TRY(grow(builder, spec->n_nodes, spec->n_weights));
	first = trees->first_node[trees->n_trees];
	before = (uint64_t) trees->n_weights + trees->n_terms;
	SP_TRY(sp_builder_add_linear(builder, spec));
	append_nodes(trees, spec);
	SP_TRY(sp_builder_add_sets(builder, spec, trees->nodes + first));
	trees->depth[trees->n_trees] = depth;
	trees->first_node[++trees->n_trees] = first + spec->n_nodes;
	builder->model->n_nodes += spec->n_nodes;
	builder->model->n_trees++;
	/* a split of a binary tree has two children, so splits = leaves - 1 */
	builder->model->n_parameters += spec->n_nodes / 2 + (uint64_t) trees->n_weights + trees->n_terms - before;
	return SP_OK;
}

SpStatus
sp_builder_tree(SpBuilder *builder, const SpNode *nodes, uint32_t n_nodes,
				const SpLeafWeight *weights, uint32_t n_weights)
{
	SpTreeSpec	spec = {
		.nodes = nodes, .n_nodes = n_nodes, .weights = weights, .n_weights = n_weights
	};

	return sp_builder_tree_spec(builder, &spec);
}

SpStatus
sp_builder_trees_end(SpBuilder *builder, uint32_t *value)
{
	SpTreesDraft *draft = &builder->draft;
	SpStep		step = {.op = SP_OP_TREES, .in = draft->in, .u.trees = draft->trees};

	if (!draft->open)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "end of a tree ensemble that was not begun");
	if (draft->trees.n_trees == 0)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "tree ensemble without trees");
	sp_free(builder->cx, draft->queue);
	sp_free(builder->cx, draft->seen);
	draft->open = false;
	return sp_builder_add(builder, &step, step.u.trees.sum_type, step.u.trees.n_targets, value);
}
