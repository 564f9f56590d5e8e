/*
 * src/ir/sp_pack_trees.c
 *
 * Packing a tree ensemble: which columns its splits read, how wide its nodes
 * have to be, how its leaves are kept, and the order of the nodes.
 */
#include <math.h>
#include <string.h>

#include "ir/sp_pack_internal.h"

#define NO_COLUMN UINT32_MAX

/* What one look at all nodes and weights shows. */
typedef struct TreesFacts
{
	uint64_t	n_leaves;
	uint64_t	n_nonzero;		/* weights */
	bool		one_target;		/* every leaf has one weight, a tree's all for one target */
	bool		all_targets;	/* every leaf has a weight for each target */
	bool		fit_float;		/* every value, as it enters the sum, is a float */
} TreesFacts;

/* A number as it enters the sum. */
static double
rounded(const SpTrees *trees, double value)
{
	return trees->sum_type == SP_TYPE_F32 ? (double) (float) value : value;
}

static void
look_at_leaf(const SpTrees *trees, const SpNode *leaf, uint32_t target, TreesFacts *facts)
{
	facts->n_leaves++;
	facts->one_target &= leaf->right == 1 && trees->weights[leaf->left].target == target;
	facts->all_targets &= leaf->right == trees->n_targets;
	for (uint32_t at = 0; at < leaf->right; at++)
	{
		double		value = rounded(trees, trees->weights[leaf->left + at].value);

		facts->n_nonzero += value != 0;
		facts->fit_float &= (double) (float) value == value;
	}
}

/* The target of a tree's first leaf: that of all of them, if they have one in common. */
static uint32_t
tree_target(const SpTrees *trees, uint32_t tree)
{
	const SpNode *node = &trees->nodes[trees->first_node[tree]];

	while (node->feature != SP_LEAF)
		node++;
	return node->right > 0 ? trees->weights[node->left].target : 0;
}

static SpStatus
look_at_trees(SpPacker *packer, const SpTrees *trees, SpType in_type, SpTreesPlan *plan,
			  TreesFacts *facts)
{
	*facts = (TreesFacts) {.one_target = true, .all_targets = true, .fit_float = true};
	for (uint32_t tree = 0; tree < trees->n_trees; tree++)
	{
		uint32_t	target = tree_target(trees, tree);
		uint32_t	end = trees->first_node[tree + 1];

		SP_TRY(sp_poll(packer->cx));
		if (end - trees->first_node[tree] > plan->largest_tree)
			plan->largest_tree = end - trees->first_node[tree];
		for (uint32_t at = trees->first_node[tree]; at < end; at++)
		{
			const SpNode *node = &trees->nodes[at];

			if (node->feature == SP_LEAF)
				look_at_leaf(trees, node, target, facts);
			else
			{
				SpFill		fill = sp_pack_split(node, in_type).fill;

				if (fill != SP_FILL_CATEGORY)
					plan->column_of[SP_N_FILLS * (size_t) node->feature + fill] = 0;
			}
		}
	}
	return SP_OK;
}

/* Number the columns of two kinds of fill that are used, by feature. */
static uint32_t
number_fills(SpTreesPlan *plan, SpFill first, uint32_t next)
{
	for (size_t at = first; at < SP_N_FILLS * (size_t) plan->packed.in_width;
		 at += at % SP_N_FILLS == first ? 1 : SP_N_FILLS - 1)
		if (plan->column_of[at] != NO_COLUMN)
			plan->column_of[at] = next++;
	return next;
}

/* Values, values without those near zero, flags; sets come after them. */
static void
number_columns(SpTreesPlan *plan)
{
	SpPackedTrees *packed = &plan->packed;

	packed->n_values = number_fills(plan, SP_FILL_LOW, 1);
	packed->n_zeros = number_fills(plan, SP_FILL_ZERO_LOW, packed->n_values);
	packed->n_flags = number_fills(plan, SP_FILL_FLAG, packed->n_zeros);
	packed->n_columns = packed->n_flags;
}

/* A zero can be left out of a sum, unless that would leave a sum of -0 as it is. */
static bool
can_drop_zeros(const SpTrees *trees)
{
	if (trees->aggregate != SP_AGGREGATE_SUM && trees->aggregate != SP_AGGREGATE_AVERAGE)
		return false;
	if (trees->base_last)
		return true;
	for (uint32_t target = 0; target < trees->n_targets; target++)
	{
		/* a tiny negative base becomes -0 when it is rounded */
		double		base = rounded(trees, trees->base[target]);

		if (base == 0 && signbit(base))
			return false;
	}
	return true;
}

/*
 * Decide node and leaf kind; returns how many elements leaves has.  A narrow
 * node's payload has to be a float or a small index, and its offset is smaller
 * than its tree.
 */
static uint64_t
choose_kinds(const SpTrees *trees, const TreesFacts *facts, SpTreesPlan *plan)
{
	SpPackedTrees *packed = &plan->packed;
	uint32_t	number_size = trees->sum_type == SP_TYPE_F32 ? 4 : 8;
	uint64_t	kept = plan->drop_zeros ? facts->n_nonzero : trees->n_weights;
	uint64_t	dense = facts->n_leaves * trees->n_targets;
	uint64_t	list = facts->n_leaves + kept;
	bool		narrow = packed->in_type == SP_TYPE_F32;
	uint64_t	n_elements = 0;

	if (trees->linear)
	{
		packed->leaf_kind = SP_LEAVES_LINEAR;
		n_elements = facts->n_leaves;
	}
	else if (facts->one_target && (facts->fit_float || !narrow))
		packed->leaf_kind = SP_LEAVES_INLINE;
	else if (facts->all_targets && dense * number_size <= list * 2 * number_size)
	{
		packed->leaf_kind = SP_LEAVES_DENSE;
		n_elements = dense;
	}
	else
	{
		packed->leaf_kind = SP_LEAVES_LIST;
		n_elements = list;
	}
	narrow = narrow && n_elements < SP_LEAF_INDEX_LIMIT_NARROW;
	if (narrow && packed->n_columns <= 1 << 8 && plan->largest_tree < 1 << 22)
		packed->node_kind = SP_NODES_COLUMN8;
	else if (narrow && packed->n_columns <= 1 << 12 && plan->largest_tree < 1 << 18)
		packed->node_kind = SP_NODES_COLUMN12;
	else if (narrow && packed->n_columns <= 1 << 16 && plan->largest_tree < 1 << 14)
		packed->node_kind = SP_NODES_COLUMN16;
	else
		packed->node_kind = SP_NODES_WIDE;
	return n_elements;
}

static size_t
leaf_element_size(const SpPackedTrees *packed)
{
	size_t		number_size = packed->sum_type == SP_TYPE_F32 ? 4 : 8;

	if (packed->leaf_kind == SP_LEAVES_LINEAR)
		return sizeof(SpPackedLeaf);
	return packed->leaf_kind == SP_LEAVES_LIST ? 2 * number_size : number_size;
}

static void
reserve_arrays(SpPacker *packer, SpPackedTrees *packed, uint64_t n_slots, uint64_t n_elements)
{
	size_t		node_size = packed->node_kind == SP_NODES_WIDE ? sizeof(SpWideNode) : sizeof(SpNarrowNode);
	uint64_t	n_groups = ((uint64_t) packed->n_trees + SP_TREE_GROUP - 1) / SP_TREE_GROUP;

	packed->columns = sp_pack_reserve(packer, packed->n_columns, sizeof(SpPackedColumn), SP_IMAGE_ALIGN);
	packed->base = sp_pack_reserve(packer, packed->n_targets, sizeof(double), SP_IMAGE_ALIGN);
	packed->roots = sp_pack_reserve(packer, n_groups * SP_TREE_GROUP, sizeof(uint32_t), SP_IMAGE_ALIGN);
	packed->depths = sp_pack_reserve(packer, packed->n_trees, sizeof(uint32_t), SP_IMAGE_ALIGN);
	packed->group_depths = sp_pack_reserve(packer, n_groups, sizeof(uint32_t), SP_IMAGE_ALIGN);
	if (packed->leaf_kind == SP_LEAVES_INLINE)
		packed->targets = sp_pack_reserve(packer, packed->n_trees, sizeof(uint32_t), SP_IMAGE_ALIGN);
	packed->nodes = sp_pack_reserve(packer, n_slots, node_size, SP_IMAGE_ALIGN);
	packed->leaves = sp_pack_reserve(packer, n_elements, leaf_element_size(packed), SP_IMAGE_ALIGN);
}

/*
 * The first slot of a tree that comes after end slots.  It stays empty and the
 * root takes the next one: the pairs of children are then never split over two
 * cache lines, and the first three levels share one.
 */
static uint64_t
tree_begin(uint64_t end, uint32_t n_nodes)
{
	uint64_t	align = n_nodes == 1 ? 2 : n_nodes == 3 ? 4 : 8;

	return (end + align - 1) / align * align;
}

static uint64_t
count_slots(const SpTrees *trees)
{
	uint64_t	end = 0;

	for (uint32_t tree = 0; tree < trees->n_trees; tree++)
	{
		uint32_t	n_nodes = trees->first_node[tree + 1] - trees->first_node[tree];

		end = tree_begin(end, n_nodes) + 1 + n_nodes;
	}
	return end;
}

SpStatus
sp_pack_trees_plan(SpPacker *packer, const SpStep *step, SpTreesPlan *plan)
{
	const SpTrees *trees = &step->u.trees;
	SpPackedTrees *packed = &plan->packed;
	SpValue		input = packer->model->values[step->in];
	uint64_t	n_slots = count_slots(trees);
	TreesFacts	facts;
	void	   *memory;

	*plan = (SpTreesPlan) {.packed = {
		.aggregate = trees->aggregate, .in_type = input.type, .sum_type = trees->sum_type,
		.base_last = trees->base_last, .in_width = input.width, .n_targets = trees->n_targets,
		.n_trees = trees->n_trees
	}};
	if (n_slots > UINT32_MAX)
		return sp_fail(packer->cx, SP_ERR_LIMIT, "tree ensemble is too large");
	SP_TRY(sp_alloc_array(packer->cx, input.width, SP_N_FILLS * sizeof(uint32_t), &memory));
	plan->column_of = memory;
	memset(plan->column_of, 0xff, SP_N_FILLS * sizeof(uint32_t) * (size_t) input.width);
	SP_TRY(look_at_trees(packer, trees, input.type, plan, &facts));
	number_columns(plan);
	SP_TRY(sp_pack_sets_plan(packer, trees, plan));
	plan->drop_zeros = can_drop_zeros(trees);
	reserve_arrays(packer, packed, n_slots, choose_kinds(trees, &facts, plan));
	if (trees->linear)
		packed->terms = sp_pack_reserve(packer, trees->n_terms, sizeof(SpPackedTerm), SP_IMAGE_ALIGN);
	return sp_pack_slices_plan(packer, trees, plan);
}

void
sp_pack_trees_free(SpPacker *packer, SpTreesPlan *plan)
{
	sp_free(packer->cx, plan->column_of);
	sp_free(packer->cx, plan->column_of_set);
	sp_free(packer->cx, plan->slices.n_cuts);
	sp_free(packer->cx, plan->slices.cuts);
}

/* Filling */

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
		double		value = rounded(trees, weight->value);

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
		double		value = rounded(trees, trees->weights[leaf->left + at].value);

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
			put_leaf_value(filler, slot, rounded(filler->trees, filler->trees->weights[leaf->left].value));
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
		if (plan->column_of[at] != NO_COLUMN)
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
		roots[tree] = (uint32_t) tree_begin(filler.next_slot, n_nodes) + 1;
		depths[tree] = trees->depth[tree];
		if (trees->depth[tree] > *group_depth)
			*group_depth = trees->depth[tree];
		if (packed->leaf_kind == SP_LEAVES_INLINE)
			targets[tree] = tree_target(trees, tree);
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
