/*
 * src/ir/sp_pack_slices.c
 *
 * Packing a tree ensemble a second time, as sp_slices.h describes: whether it
 * pays, the bins of the columns and the places of the nodes.
 */
#include <math.h>
#include <string.h>

#include "ir/sp_pack_internal.h"

/*
 * A bin takes at least as long as two visits of nodes; flags and sets take as
 * long in either form.  More places than these for each leaf would take too
 * much memory.
 */
#define VISITS_OF_BIN 2
#define PLACES_OF_LEAF 16

#define POLL_CUTS 65536

/* The column of a split (sp_pack.h). */
static uint32_t
split_column(const SpTreesPlan *plan, const SpNode *node, const SpPackedSplit *split)
{
	return split->fill == SP_FILL_CATEGORY ? plan->column_of_set[(uint32_t) node->threshold] :
		plan->column_of[SP_N_FILLS * (size_t) node->feature + split->fill];
}

static bool
is_sum(const SpTrees *trees)
{
	return trees->aggregate == SP_AGGREGATE_SUM || trees->aggregate == SP_AGGREGATE_AVERAGE;
}

/* Shapes that this form is for. */
static bool
shapes_fit(const SpTrees *trees, SpPackedSlices *slices)
{
	uint64_t	n_leaves = 0;

	for (uint32_t tree = 0; tree < trees->n_trees; tree++)
	{
		uint32_t	depth = trees->depth[tree];
		uint32_t	n_splits = (trees->first_node[tree + 1] - trees->first_node[tree]) / 2;

		if (depth > SP_SLICE_DEPTH)
			return false;
		if (depth > slices->depth)
			slices->depth = depth;
		slices->n_visits += depth;
		slices->n_splits += n_splits;
		slices->n_leaves += UINT64_C(1) << depth;
		slices->n_vectors += sp_slice_vectors(depth);
		n_leaves += n_splits + 1;
	}
	return slices->n_leaves <= PLACES_OF_LEAF * n_leaves && slices->n_leaves + SP_SLICE_LEAVES <= UINT32_MAX;
}

/* Cuts */

static void
sift(double *heap, size_t at, size_t n)
{
	double		moved = heap[at];

	for (;;)
	{
		size_t		child = 2 * at + 1;

		if (child >= n)
			break;
		if (child + 1 < n && heap[child] < heap[child + 1])
			child++;
		if (moved >= heap[child])
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = moved;
}

/* Heapsort: no recursion and no memory, whatever the numbers. */
static SpStatus
sort(SpContext *cx, double *numbers, size_t n)
{
	for (size_t at = n / 2; at > 0; at--)
	{
		if (at % POLL_CUTS == 0)
			SP_TRY(sp_poll(cx));
		sift(numbers, at - 1, n);
	}
	for (size_t left = n; left > 1; left--)
	{
		double		largest = numbers[0];

		if (left % POLL_CUTS == 0)
			SP_TRY(sp_poll(cx));
		numbers[0] = numbers[left - 1];
		numbers[left - 1] = largest;
		sift(numbers, 0, left - 1);
	}
	return SP_OK;
}

/* Call for every split of a numeric column: its column and threshold. */
typedef void (*TakeCut) (SpTreesPlan *plan, uint32_t column, double threshold);

static void
count_cut(SpTreesPlan *plan, uint32_t column, double threshold)
{
	(void) threshold;
	plan->slices.n_cuts[column]++;
}

static void
put_cut(SpTreesPlan *plan, uint32_t column, double threshold)
{
	plan->slices.cuts[plan->slices.first_cut[column] + plan->slices.n_cuts[column]++] = threshold;
}

static SpStatus
visit_cuts(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan, TakeCut take)
{
	for (uint32_t tree = 0; tree < trees->n_trees; tree++)
	{
		SP_TRY(sp_poll(packer->cx));
		for (uint32_t at = trees->first_node[tree]; at < trees->first_node[tree + 1]; at++)
		{
			const SpNode *node = &trees->nodes[at];
			SpPackedSplit split;
			uint32_t	column;

			if (node->feature == SP_LEAF)
				continue;
			split = sp_pack_split(node, plan->packed.in_type);
			column = split_column(plan, node, &split);
			if (column < plan->packed.n_zeros)
				take(plan, column, split.threshold);
		}
	}
	return SP_OK;
}

/* Every column's cuts, ascending and distinct. */
static SpStatus
collect_cuts(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan)
{
	SpSlicesPlan *slices = &plan->slices;
	uint32_t	n_columns = plan->packed.n_columns;
	uint64_t	total = 0;
	void	   *memory;

	SP_TRY(sp_alloc_array(packer->cx, n_columns, 3 * sizeof(uint32_t), &memory));
	slices->n_cuts = memory;
	slices->first_cut = slices->n_cuts + n_columns;
	slices->first_bin = slices->first_cut + n_columns;
	memset(slices->n_cuts, 0, n_columns * sizeof(uint32_t));
	SP_TRY(visit_cuts(packer, trees, plan, count_cut));
	for (uint32_t column = 0; column < n_columns; column++)
	{
		slices->first_cut[column] = (uint32_t) total;
		total += slices->n_cuts[column];
	}
	memset(slices->n_cuts, 0, n_columns * sizeof(uint32_t));
	SP_TRY(sp_alloc_array(packer->cx, total, sizeof(double), &memory));
	slices->cuts = memory;
	SP_TRY(visit_cuts(packer, trees, plan, put_cut));
	for (uint32_t column = 0; column < n_columns; column++)
	{
		double	   *cuts = slices->cuts + slices->first_cut[column];
		uint32_t	n = 0;

		SP_TRY(sort(packer->cx, cuts, slices->n_cuts[column]));
		for (uint32_t at = 0; at < slices->n_cuts[column]; at++)
			if (n == 0 || cuts[n - 1] != cuts[at])
				cuts[n++] = cuts[at];
		slices->n_cuts[column] = n;
	}
	return SP_OK;
}

/* How many bins a column has: one for each 255 cuts, and one for each flag and set. */
static uint32_t
count_bins(const SpTreesPlan *plan, uint32_t column)
{
	if (column >= plan->packed.n_zeros)
		return 1;
	return (plan->slices.n_cuts[column] + SP_SLICE_CUTS - 1) / SP_SLICE_CUTS;
}

static bool
number_bins(SpTreesPlan *plan)
{
	SpPackedSlices *packed = &plan->slices.packed;
	uint64_t	n_bins = 0;

	for (uint32_t column = 1; column < plan->packed.n_columns; column++)
	{
		if (column == plan->packed.n_zeros)
			packed->n_numeric = (uint32_t) n_bins;
		plan->slices.first_bin[column] = (uint32_t) n_bins;
		n_bins += count_bins(plan, column);
	}
	if (plan->packed.n_columns == plan->packed.n_zeros)
		packed->n_numeric = (uint32_t) n_bins;
	packed->n_bins = (uint32_t) n_bins;
	return n_bins > 0 && n_bins <= SP_SLICE_BINS &&
		VISITS_OF_BIN * (uint64_t) packed->n_numeric <= packed->n_visits;
}

/* Room */

static size_t
number_size(SpType type)
{
	return type == SP_TYPE_F32 ? sizeof(float) : sizeof(double);
}

static uint32_t
bin_cuts(const SpTreesPlan *plan, uint32_t column, uint32_t part)
{
	uint32_t	left = plan->slices.n_cuts[column] - part * SP_SLICE_CUTS;

	return left < SP_SLICE_CUTS ? left : SP_SLICE_CUTS;
}

static uint32_t
bin_blocks(const SpTreesPlan *plan, uint32_t column, uint32_t part)
{
	return (bin_cuts(plan, column, part) + SP_SLICE_BLOCK - 1) / SP_SLICE_BLOCK;
}

static void
reserve_arrays(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan)
{
	SpSlicesPlan *slices = &plan->slices;
	SpPackedSlices *packed = &slices->packed;
	size_t		leaf_size = packed->leaves_kind == SP_SLICE_SLOTS ? sizeof(uint32_t) : number_size(trees->sum_type);
	uint64_t	n_blocks = 0;

	for (uint32_t column = 1; column < plan->packed.n_zeros; column++)
		for (uint32_t part = 0; part < count_bins(plan, column); part++)
			n_blocks += 1 + bin_blocks(plan, column, part);
	slices->at = sp_pack_reserve(packer, 1, sizeof(SpPackedSlices), SP_IMAGE_ALIGN);
	packed->bins = sp_pack_reserve(packer, packed->n_bins, sizeof(SpPackedBin), SP_IMAGE_ALIGN);
	slices->blocks = sp_pack_reserve(packer, n_blocks * SP_SLICE_BLOCK, number_size(plan->packed.in_type), SP_IMAGE_ALIGN);
	packed->trees = sp_pack_reserve(packer, trees->n_trees, sizeof(SpPackedSlice), SP_IMAGE_ALIGN);
	packed->cuts = sp_pack_reserve(packer, packed->n_splits, sizeof(SpPackedCut), SP_IMAGE_ALIGN);
	packed->leaves = sp_pack_reserve(packer, packed->n_leaves + SP_SLICE_VECTOR / leaf_size, leaf_size, SP_IMAGE_ALIGN);
	if (packed->n_bins <= SP_SLICE_SINGLE_BINS)
		packed->vectors = sp_pack_reserve(packer, 2 * packed->n_vectors, SP_SLICE_VECTOR, SP_IMAGE_ALIGN);
}

SpStatus
sp_pack_slices_plan(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan)
{
	SpPackedSlices *packed = &plan->slices.packed;

	if (!shapes_fit(trees, packed))
		return SP_OK;
	SP_TRY(collect_cuts(packer, trees, plan));
	if (!number_bins(plan))
		return SP_OK;
	packed->leaves_kind = plan->packed.leaf_kind == SP_LEAVES_INLINE && is_sum(trees) &&
		trees->n_targets <= SP_SLICE_TARGETS ? SP_SLICE_VALUES : SP_SLICE_SLOTS;
	reserve_arrays(packer, trees, plan);
	plan->packed.slices = plan->slices.at;
	return SP_OK;
}

/* Filling */

/* One bin's cuts; returns the offset behind them. */
static uint64_t
fill_cuts(SpPacker *packer, SpType type, const double *cuts, uint32_t n, uint64_t at)
{
	double		numbers[SP_SLICE_BLOCK * (1 + SP_SLICE_BLOCK)];
	uint32_t	n_numbers = SP_SLICE_BLOCK * (1 + (n + SP_SLICE_BLOCK - 1) / SP_SLICE_BLOCK);

	for (uint32_t number = 0; number < n_numbers; number++)
		numbers[number] = INFINITY;
	for (uint32_t cut = 0; cut < n; cut++)
	{
		numbers[SP_SLICE_BLOCK + cut] = cuts[cut];
		/* the last of all blocks but the last, which the first vector has to tell apart */
		if ((cut + 1) % SP_SLICE_BLOCK == 0 && cut + 1 < n)
			numbers[cut / SP_SLICE_BLOCK] = cuts[cut];
	}
	sp_pack_numbers(packer, at, numbers, n_numbers, type);
	return at + n_numbers * number_size(type);
}

static void
fill_bins(SpPacker *packer, const SpTreesPlan *plan)
{
	const SpSlicesPlan *slices = &plan->slices;
	const SpPackedColumn *columns = (const SpPackedColumn *) (packer->image + plan->packed.columns);
	SpPackedBin *bin = (SpPackedBin *) (packer->image + slices->packed.bins);
	uint64_t	next = slices->blocks;

	for (uint32_t column = 1; column < plan->packed.n_columns; column++)
		for (uint32_t part = 0; part < count_bins(plan, column); part++, bin++)
		{
			const double *cuts = slices->cuts + slices->first_cut[column] + part * SP_SLICE_CUTS;

			*bin = (SpPackedBin) {.feature = columns[column].feature, .fill = columns[column].fill};
			if (column >= plan->packed.n_flags)
				bin->set = column - plan->packed.n_flags;
			if (column >= plan->packed.n_zeros)
				continue;
			bin->n_blocks = bin_blocks(plan, column, part);
			bin->cuts = next;
			next = fill_cuts(packer, plan->packed.in_type, cuts, bin_cuts(plan, column, part), next);
		}
}

/* Number of a threshold among its column's cuts. */
static uint32_t
find_cut(const SpSlicesPlan *slices, uint32_t column, double threshold)
{
	const double *cuts = slices->cuts + slices->first_cut[column];
	uint32_t	low = 0;
	uint32_t	high = slices->n_cuts[column];

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (cuts[middle] < threshold)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void
sp_pack_slices_fill(SpPacker *packer, SpTreesPlan *plan)
{
	memcpy(packer->image + plan->slices.at, &plan->slices.packed, sizeof(SpPackedSlices));
	fill_bins(packer, plan);
}

/* A node and where it is: place of a level. */
typedef struct Standing
{
	uint32_t	node;
	uint32_t	level;
	uint32_t	place;
} Standing;

static void
put_split(SpPacker *packer, const SpTreesPlan *plan, const SpNode *node, const SpPackedSplit *split,
		  const SpPackedSlice *slice, SpPackedCut *cut, uint32_t place)
{
	const SpSlicesPlan *slices = &plan->slices;
	uint32_t	column = split_column(plan, node, split);
	uint32_t	number = column < plan->packed.n_zeros ? find_cut(slices, column, split->threshold) : 0;
	uint32_t	bin = slices->first_bin[column] + number / SP_SLICE_CUTS;
	int			value = (int) (number % SP_SLICE_CUTS) - 128;

	*cut = (SpPackedCut) {
		.cut = (uint32_t) (value & 0xff) * UINT32_C(0x01010101), .bin16 = (uint16_t) (16 * bin),
		.place16 = (uint16_t) (16 * place)
	};
	if (slices->packed.vectors != 0)
	{
		int8_t	   *vectors = (int8_t *) (packer->image + slices->packed.vectors) +
			(size_t) slice->first_vector * SP_SLICE_VECTOR;
		uint32_t	at = place < SP_SLICE_VECTOR - 1 ? place : place + 1;

		vectors[at] = (int8_t) bin;
		vectors[sp_slice_vectors(slice->depth) * SP_SLICE_VECTOR + at] = (int8_t) value;
	}
}

static void
put_leaf(SpPacker *packer, const SpTrees *trees, const SpTreesPlan *plan, const SpNode *leaf,
		 uint32_t slot, uint64_t first, uint32_t n)
{
	char	   *leaves = packer->image + plan->slices.packed.leaves;
	double		value = 0;

	if (plan->slices.packed.leaves_kind == SP_SLICE_VALUES)
		value = trees->weights[leaf->left].value;
	for (uint64_t at = first; at < first + n; at++)
	{
		if (plan->slices.packed.leaves_kind == SP_SLICE_SLOTS)
			((uint32_t *) leaves)[at] = slot;
		else if (trees->sum_type == SP_TYPE_F32)
			((float *) leaves)[at] = (float) value;
		else
			((double *) leaves)[at] = value;
	}
}

void
sp_pack_slices_tree(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan, uint32_t tree,
					const uint32_t *slots)
{
	SpSlicesPlan *slices = &plan->slices;
	const SpNode *nodes = trees->nodes + trees->first_node[tree];
	SpPackedSlice *slice = (SpPackedSlice *) (packer->image + slices->packed.trees) + tree;
	uint32_t	depth = trees->depth[tree];
	uint32_t	n_vectors = sp_slice_vectors(depth);
	Standing	queue[2 * SP_SLICE_LEAVES];
	uint32_t	filled = 1;

	*slice = (SpPackedSlice) {
		.first_cut = slices->next_cut, .first_leaf = slices->next_leaf, .first_vector = slices->next_vector,
		.depth = (uint16_t) depth
	};
	if (slices->packed.vectors != 0)
		memset(packer->image + slices->packed.vectors + ((size_t) slice->first_vector + n_vectors) * SP_SLICE_VECTOR,
			   127, n_vectors * SP_SLICE_VECTOR);
	queue[0] = (Standing) {0, 0, 0};
	for (uint32_t at = 0; at < filled; at++)
	{
		Standing	here = queue[at];
		const SpNode *node = &nodes[here.node];
		uint32_t	below = depth - here.level;
		SpPackedSplit split;

		if (node->feature == SP_LEAF)
		{
			put_leaf(packer, trees, plan, node, slots[here.node],
					 slice->first_leaf + ((uint64_t) here.place << below), UINT32_C(1) << below);
			continue;
		}
		split = sp_pack_split(node, plan->packed.in_type);
		put_split(packer, plan, node, &split, slice,
				  (SpPackedCut *) (packer->image + slices->packed.cuts) + slices->next_cut++,
				  (UINT32_C(1) << here.level) - 1 + here.place);
		slice->n_cuts++;
		queue[filled++] = (Standing) {split.swapped ? node->right : node->left, here.level + 1, 2 * here.place};
		queue[filled++] = (Standing) {split.swapped ? node->left : node->right, here.level + 1, 2 * here.place + 1};
	}
	slices->next_leaf += UINT32_C(1) << depth;
	slices->next_vector += 2 * n_vectors;
}
