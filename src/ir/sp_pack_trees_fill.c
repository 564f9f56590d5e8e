/*
 * src/ir/sp_pack_trees_fill.c
 *
 * Filling in a tree ensemble as planned: its columns, the order of its nodes,
 * and its leaves.
 */
#include <string.h>

#include "ir/sp_pack_internal.h"

/* A node of a tree and its slot in the image. */
typedef struct Placed
{
	uint32_t	node;
	uint32_t	slot;
} Placed;

/* Where the nodes of one tree go, and the running end of leaves. */
typedef struct TreesFiller
{
	SpPacker   *packer;
	const SpTrees *trees;
	const SpTreesPlan *plan;
	SpNarrowNode *narrow;		/* one of the two is set */
	SpWideNode *wide;
	uint64_t	n_elements;
	uint32_t	next_slot;
	Placed	   *queue;			/* as large as the largest tree */
	const SpNode *nodes;		/* of the tree */
	uint32_t   *slots;			/* of its leaves, by node */
} TreesFiller;

static void
put_split(TreesFiller *filler, uint32_t slot, const SpPackedSplit *split, const SpNode *node,
		  uint32_t offset)
{
	uint32_t	column = split->fill == SP_FILL_CATEGORY ?
		filler->plan->column_of_set[(uint32_t) node->threshold] :
		filler->plan->column_of[SP_N_FILLS * (size_t) node->feature + split->fill];
	int			column_bits = 4 * (int) filler->plan->packed.node_kind + 4;

	if (filler->wide)
		filler->wide[slot] = (SpWideNode) {split->threshold, column, offset};
	else
		filler->narrow[slot] = (SpNarrowNode) {
			(float) split->threshold, column << 2 | offset << SP_LINK_SHIFT(column_bits)
		};
}

static void
put_leaf_value(TreesFiller *filler, uint32_t slot, double value)
{
	if (filler->wide)
		filler->wide[slot] = (SpWideNode) {.threshold = value};
	else
		filler->narrow[slot] = (SpNarrowNode) {.threshold = (float) value};
}

static void
put_leaf_index(TreesFiller *filler, uint32_t slot, uint64_t index)
{
	uint64_t	wide = SP_LEAF_TAG_WIDE | index;
	uint32_t	narrow = SP_LEAF_TAG_NARROW | (uint32_t) index;

	put_leaf_value(filler, slot, 0);
	if (filler->wide)
		memcpy(&filler->wide[slot].threshold, &wide, sizeof(wide));
	else
		memcpy(&filler->narrow[slot].threshold, &narrow, sizeof(narrow));
}

static void
put_entry(TreesFiller *filler, uint64_t index, uint32_t target, double value)
{
	char	   *leaves = filler->packer->image + filler->plan->packed.leaves;

	if (filler->trees->sum_type == SP_TYPE_F32)
		((SpLeafEntry32 *) leaves)[index] = (SpLeafEntry32) {target, (float) value};
	else
		((SpLeafEntry64 *) leaves)[index] = (SpLeafEntry64) {target, value};
}

static void
put_list(TreesFiller *filler, const SpNode *leaf)
{
	const SpTrees *trees = filler->trees;
	uint64_t	head = filler->n_elements++;

	for (uint32_t at = 0; at < leaf->right; at++)
	{
		const SpLeafWeight *weight = &trees->weights[leaf->left + at];
		double		value = sp_pack_rounded(trees, weight->value);

		if (value != 0 || !filler->plan->drop_zeros)
			put_entry(filler, filler->n_elements++, weight->target, value);
	}
	put_entry(filler, head, (uint32_t) (filler->n_elements - head - 1), 0);
}

static void
put_dense(TreesFiller *filler, const SpNode *leaf)
{
	const SpTrees *trees = filler->trees;
	char	   *leaves = filler->packer->image + filler->plan->packed.leaves;

	for (uint32_t at = 0; at < leaf->right; at++)
	{
		double		value = sp_pack_rounded(trees, trees->weights[leaf->left + at].value);

		if (trees->sum_type == SP_TYPE_F32)
			((float *) leaves)[filler->n_elements++] = (float) value;
		else
			((double *) leaves)[filler->n_elements++] = value;
	}
}

static void
put_linear(TreesFiller *filler, const SpNode *leaf)
{
	const SpTrees *trees = filler->trees;
	const SpLeafLinear *linear = &trees->linear[leaf->left];
	SpPackedLeaf *leaves = (SpPackedLeaf *) (filler->packer->image + filler->plan->packed.leaves);

	leaves[filler->n_elements++] = (SpPackedLeaf) {
		.constant = linear->constant, .fallback = trees->weights[leaf->left].value,
		.target = trees->weights[leaf->left].target, .n_terms = linear->n_terms,
		.first_term = linear->first_term
	};
}

static void
put_leaf(TreesFiller *filler, uint32_t slot, const SpNode *leaf)
{
	uint64_t	index = filler->n_elements;

	filler->slots[leaf - filler->nodes] = slot;
	switch ((SpLeafKind) filler->plan->packed.leaf_kind)
	{
		case SP_LEAVES_INLINE:
			put_leaf_value(filler, slot, sp_pack_rounded(filler->trees, filler->trees->weights[leaf->left].value));
			return;
		case SP_LEAVES_DENSE:
			put_dense(filler, leaf);
			break;
		case SP_LEAVES_LIST:
			put_list(filler, leaf);
			break;
		case SP_LEAVES_LINEAR:
			put_linear(filler, leaf);
			break;
	}
	put_leaf_index(filler, slot, index);
}

static void
put_or_queue(TreesFiller *filler, const SpNode *nodes, Placed placed, uint32_t *filled)
{
	if (nodes[placed.node].feature == SP_LEAF)
		put_leaf(filler, placed.slot, &nodes[placed.node]);
	else
		filler->queue[(*filled)++] = placed;
}

/* Give a split its two children, in the next two slots. */
static void
put_pair(TreesFiller *filler, const SpNode *nodes, Placed parent, Placed children[2])
{
	const SpNode *node = &nodes[parent.node];
	SpPackedSplit split = sp_pack_split(node, filler->plan->packed.in_type);
	uint32_t	slot = filler->next_slot;

	put_split(filler, parent.slot, &split, node, slot - parent.slot);
	children[0] = (Placed) {split.swapped ? node->right : node->left, slot};
	children[1] = (Placed) {split.swapped ? node->left : node->right, slot + 1};
	filler->next_slot += 2;
}

/*
 * The nodes of one tree.  A walk should touch few cache lines, so a pair is
 * followed by the pairs below it, two levels in six slots; these units come
 * breadth first.  The queue holds the splits that have a slot, but no children
 * yet.
 */
static void
put_tree(TreesFiller *filler, const SpNode *nodes, uint32_t root)
{
	Placed	   *queue = filler->queue;
	uint32_t	filled = 0;

	filler->nodes = nodes;
	filler->next_slot = root + 1;
	put_or_queue(filler, nodes, (Placed) {0, root}, &filled);
	for (uint32_t at = 0; at < filled; at++)
	{
		Placed		pair[2];
		Placed		below[2];

		put_pair(filler, nodes, queue[at], pair);
		for (int side = 0; side < 2; side++)
		{
			if (nodes[pair[side].node].feature == SP_LEAF)
			{
				put_leaf(filler, pair[side].slot, &nodes[pair[side].node]);
				continue;
			}
			put_pair(filler, nodes, pair[side], below);
			put_or_queue(filler, nodes, below[0], &filled);
			put_or_queue(filler, nodes, below[1], &filled);
		}
	}
}

static void
fill_columns(SpPacker *packer, const SpTreesPlan *plan)
{
	SpPackedColumn *columns = (SpPackedColumn *) (packer->image + plan->packed.columns);

	columns[0] = (SpPackedColumn) {0, SP_FILL_LOW};
	for (size_t at = 0; at < SP_N_FILLS * (size_t) plan->packed.in_width; at++)
		if (plan->column_of[at] != SP_NO_COLUMN)
			columns[plan->column_of[at]] =
				(SpPackedColumn) {(uint32_t) (at / SP_N_FILLS), (uint32_t) (at % SP_N_FILLS)};
}

static void
fill_terms(SpPacker *packer, const SpTrees *trees, const SpPackedTrees *packed)
{
	SpPackedTerm *terms = (SpPackedTerm *) (packer->image + packed->terms);

	for (uint32_t at = 0; at < trees->n_terms; at++)
		terms[at] = (SpPackedTerm) {trees->terms[at].coefficient, trees->terms[at].column};
}

SpStatus
sp_pack_trees_fill(SpPacker *packer, const SpStep *step, SpTreesPlan *plan)
{
	const SpTrees *trees = &step->u.trees;
	const SpPackedTrees *packed = &plan->packed;
	uint32_t   *roots = (uint32_t *) (packer->image + packed->roots);
	uint32_t   *depths = (uint32_t *) (packer->image + packed->depths);
	uint32_t   *group_depths = (uint32_t *) (packer->image + packed->group_depths);
	uint32_t   *targets = (uint32_t *) (packer->image + packed->targets);
	TreesFiller filler = {.packer = packer, .trees = trees, .plan = plan};
	void	   *memory;

	SP_TRY(sp_alloc_array(packer->cx, plan->largest_tree, sizeof(Placed) + sizeof(uint32_t), &memory));
	filler.queue = memory;
	filler.slots = (uint32_t *) (filler.queue + plan->largest_tree);
	if (packed->node_kind == SP_NODES_WIDE)
		filler.wide = (SpWideNode *) (packer->image + packed->nodes);
	else
		filler.narrow = (SpNarrowNode *) (packer->image + packed->nodes);
	fill_columns(packer, plan);
	sp_pack_sets_fill(packer, trees, plan);
	if (trees->linear)
		fill_terms(packer, trees, packed);
	if (packed->slices != 0)
		sp_pack_slices_fill(packer, plan);
	sp_pack_numbers(packer, packed->base, trees->base, trees->n_targets, trees->sum_type);
	for (uint32_t tree = 0; tree < trees->n_trees; tree++)
	{
		uint32_t	n_nodes = trees->first_node[tree + 1] - trees->first_node[tree];
		uint32_t   *group_depth = &group_depths[tree / SP_TREE_GROUP];

		SP_TRY(sp_poll(packer->cx));
		roots[tree] = (uint32_t) sp_pack_tree_begin(filler.next_slot, n_nodes) + 1;
		depths[tree] = trees->depth[tree];
		if (trees->depth[tree] > *group_depth)
			*group_depth = trees->depth[tree];
		if (packed->leaf_kind == SP_LEAVES_INLINE)
			targets[tree] = sp_pack_tree_target(trees, tree);
		put_tree(&filler, trees->nodes + trees->first_node[tree], roots[tree]);
		if (packed->slices != 0)
			sp_pack_slices_tree(packer, trees, plan, tree, filler.slots);
	}
	/* the last group is walked as a whole, what it lacks are copies of its last tree */
	for (uint64_t tree = trees->n_trees; tree % SP_TREE_GROUP != 0; tree++)
		roots[tree] = roots[tree - 1];
	sp_free(packer->cx, memory);
	return SP_OK;
}
