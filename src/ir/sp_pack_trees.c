/*
 * src/ir/sp_pack_trees.c
 *
 * Planning a tree ensemble: which columns its splits read, how wide its nodes
 * have to be, and how its leaves are kept.
 */
#include <math.h>
#include <string.h>

#include "ir/sp_pack_internal.h"

/* What one look at all nodes and weights shows. */
typedef struct TreesFacts
{
	uint64_t	n_leaves;
	uint64_t	n_nonzero;		/* weights */
	bool		one_target;		/* every leaf has one weight, a tree's all for one target */
	bool		all_targets;	/* every leaf has a weight for each target */
	bool		fit_float;		/* every value, as it enters the sum, is a float */
} TreesFacts;

static void
look_at_leaf(const SpTrees *trees, const SpNode *leaf, uint32_t target, TreesFacts *facts)
{
	facts->n_leaves++;
	facts->one_target &= leaf->right == 1 && trees->weights[leaf->left].target == target;
	facts->all_targets &= leaf->right == trees->n_targets;
	for (uint32_t at = 0; at < leaf->right; at++)
	{
		double		value = sp_pack_rounded(trees, trees->weights[leaf->left + at].value);

		facts->n_nonzero += value != 0;
		facts->fit_float &= (double) (float) value == value;
	}
}

uint32_t
sp_pack_tree_target(const SpTrees *trees, uint32_t tree)
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
		uint32_t	target = sp_pack_tree_target(trees, tree);
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
		if (plan->column_of[at] != SP_NO_COLUMN)
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
		double		base = sp_pack_rounded(trees, trees->base[target]);

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

static uint64_t
count_slots(const SpTrees *trees)
{
	uint64_t	end = 0;

	for (uint32_t tree = 0; tree < trees->n_trees; tree++)
	{
		uint32_t	n_nodes = trees->first_node[tree + 1] - trees->first_node[tree];

		end = sp_pack_tree_begin(end, n_nodes) + 1 + n_nodes;
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
