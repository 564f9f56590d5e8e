/*
 * src/kernel/sp_kernel_slices.c
 *
 * Bit-sliced trees: rows to bins, groups of trees over many rows, and the sums.
 *  What depends on the instructions is in the files of the levels.
 */
#include "kernel/sp_kernel_leaves.h"
#include "kernel/sp_kernel_slices.h"

#define ALIGNED(size) (((size) + SP_IMAGE_ALIGN - 1) & ~(uint64_t) (SP_IMAGE_ALIGN - 1))

/* The whole ensemble over some rows of the block. */
typedef struct Slices
{
	const SpStepRun *run;
	const SpPackedTrees *trees;
	const SpPackedSlices *slices;
	const SpSlicer *slicer;
	const SpPackedSlice *of_tree;
	const SpPackedBin *bins_of;
	const SpPackedSet *sets;
	const SpPackedWord *words;
	const char *leaves;
	SpForest	forest;			/* of the rows, for leaves found by slot */
	int8_t	   *bins;
	void	   *masks;
	char	   *sums;			/* of leaves that are values: n_targets * SP_SLICE_ROWS of sum_type */
} Slices;

static const SpSlicer *
choose_slicer(SpSimd simd)
{
#ifdef __x86_64__
	if (simd == SP_SIMD_AVX512)
		return &sp_slicer_avx512;
	if (simd == SP_SIMD_AVX2)
		return &sp_slicer_avx2;
#endif
	(void) simd;
	return &sp_slicer_portable;
}

static uint64_t
bins_size(const SpPackedSlices *slices)
{
	return ALIGNED((uint64_t) slices->n_bins * SP_SLICE_ROWS);
}

static uint64_t
masks_size(const SpPackedSlices *slices)
{
	return (UINT64_C(1) << slices->depth) * SP_SLICE_ROWS;
}

static uint64_t
sums_size(const SpPackedTrees *trees, const SpPackedSlices *slices)
{
	size_t		size = trees->sum_type == SP_TYPE_F32 ? sizeof(float) : sizeof(double);

	return slices->leaves_kind == SP_SLICE_VALUES ? (uint64_t) trees->n_targets * SP_SLICE_ROWS * size : 0;
}

uint64_t
sp_kernel_slices_scratch(const SpImage *image, const SpPackedTrees *trees)
{
	const SpPackedSlices *slices = sp_image_at(image, trees->slices);

	return bins_size(slices) + masks_size(slices) + sums_size(trees, slices);
}

/* Bins */

/* A flag or a set: the lower bin leads left. */
#define DEFINE_FILL(name, IN) \
static void \
name(const Slices *to, const SpPackedBin *bin, const IN *in, uint32_t n_rows, int8_t *bins) \
{ \
	size_t		width = to->trees->in_width; \
	for (uint32_t row = 0; row < n_rows; row++) \
	{ \
		IN			value = in[row * width + bin->feature]; \
		bool		right = bin->fill == SP_FILL_CATEGORY ? \
			!sp_is_member(&to->sets[bin->set], to->words, value) : \
			sp_is_missing(value, bin->fill == SP_FILL_ZERO_FLAG); \
		bins[row] = right ? -127 : -128; \
	} \
}

DEFINE_FILL(fill_floats, float)
DEFINE_FILL(fill_doubles, double)

/* Bin b of row r goes to bins[b * stride + r]. */
static void
find_bins(const Slices *to, uint32_t first, uint32_t n_rows, int8_t *bins, size_t stride)
{
	const char *in = (const char *) to->run->in + (size_t) first * to->run->from.row_bytes;
	SpBinning	binning = {
		.image = to->run->image, .bins = to->bins_of, .n_bins = to->slices->n_numeric, .n_rows = n_rows,
		.in = in, .in_width = to->trees->in_width, .to = bins, .stride = stride
	};

	if (to->trees->in_type == SP_TYPE_F32)
		to->slicer->bin_floats(&binning);
	else
		to->slicer->bin_doubles(&binning);
	for (uint32_t bin = to->slices->n_numeric; bin < to->slices->n_bins; bin++)
	{
		if (to->trees->in_type == SP_TYPE_F32)
			fill_floats(to, &to->bins_of[bin], (const float *) in, n_rows, bins + bin * stride);
		else
			fill_doubles(to, &to->bins_of[bin], (const double *) in, n_rows, bins + bin * stride);
	}
}

/* At most so many trees from first on. */
static SpSliceGroup
group_at(const Slices *from, uint32_t first, uint32_t most)
{
	uint32_t	n_trees = from->trees->n_trees - first;
	const uint32_t *depths = sp_image_at(from->run->image, from->trees->group_depths);

	return (SpSliceGroup) {
		.trees = from->of_tree + first, .n_trees = n_trees < most ? n_trees : most,
		.depths = depths + first / SP_TREE_GROUP, .cuts = sp_image_at(from->run->image, from->slices->cuts),
		.vectors = sp_image_at(from->run->image, from->slices->vectors), .bins = from->bins,
		.n_bins = from->slices->n_bins, .masks = from->masks
	};
}

/* Many rows */

/* Between sums of rows side by side and sums of targets side by side. */
#define DEFINE_TURN(name, NUMBER) \
static void \
name(NUMBER *rows, NUMBER *targets, uint32_t n_rows, uint32_t n_targets, bool back) \
{ \
	for (uint32_t target = 0; target < n_targets; target++) \
		for (uint32_t row = 0; row < n_rows; row++) \
		{ \
			NUMBER	   *of_row = &rows[(size_t) row * n_targets + target]; \
			NUMBER	   *of_target = &targets[(size_t) target * SP_SLICE_ROWS + row]; \
			if (back) \
				*of_row = *of_target; \
			else \
				*of_target = *of_row; \
		} \
}

DEFINE_TURN(turn_floats, float)
DEFINE_TURN(turn_doubles, double)

static void
turn_sums(const Slices *of, uint32_t n_rows, bool back)
{
	if (of->slices->leaves_kind != SP_SLICE_VALUES)
		return;
	if (of->trees->sum_type == SP_TYPE_F32)
		turn_floats(of->forest.sums, (float *) of->sums, n_rows, of->trees->n_targets, back);
	else
		turn_doubles(of->forest.sums, (double *) of->sums, n_rows, of->trees->n_targets, back);
}

static void
add_rows(const Slices *to, const SpSliceGroup *group, const uint8_t *all_places)
{
	uint32_t	first = (uint32_t) (group->trees - to->of_tree);

	for (uint32_t at = 0; at < group->n_trees; at++)
	{
		const SpPackedSlice *tree = &group->trees[at];
		const uint8_t *places = all_places + at * SP_SLICE_ROWS;
		size_t		sums;

		if (to->slices->leaves_kind == SP_SLICE_SLOTS)
		{
			const uint32_t *slots = (const uint32_t *) to->leaves + tree->first_leaf;

			for (uint32_t row = 0; row < group->n_rows; row++)
				sp_add_leaf(&to->forest, first + at, slots[places[row]], row);
			continue;
		}
		sums = (size_t) to->forest.targets[first + at] * SP_SLICE_ROWS;
		if (to->trees->sum_type == SP_TYPE_F32)
			to->slicer->add_floats((const float *) to->leaves + tree->first_leaf, tree->depth, places,
								   group->n_rows, (float *) to->sums + sums);
		else
			to->slicer->add_doubles((const double *) to->leaves + tree->first_leaf, tree->depth, places,
									group->n_rows, (double *) to->sums + sums);
	}
}

/* n_rows rows, at most SP_SLICE_ROWS. */
static SpStatus
run_rows(Slices *slices, uint32_t first_row, uint32_t n_rows)
{
	uint8_t		places[SP_TREE_GROUP * SP_SLICE_ROWS] __attribute__((aligned(64)));
	const SpStepRun *run = slices->run;

	slices->forest.rows = (const double *) ((const char *) run->in + first_row * run->from.row_bytes);
	slices->forest.sums = (char *) run->out + first_row * run->to.row_bytes;
	find_bins(slices, first_row, n_rows, slices->bins, SP_SLICE_ROWS);
	turn_sums(slices, n_rows, false);
	for (uint32_t first = 0; first < slices->trees->n_trees; first += SP_TREE_GROUP)
	{
		SpSliceGroup group = group_at(slices, first, SP_TREE_GROUP);

		group.n_rows = n_rows;
		slices->slicer->slice(&group, places);
		add_rows(slices, &group, places);
		if (sp_spend(run->budget, (uint64_t) group.n_trees << group.depths[0]))
			return SP_ERR_CANCELLED;
	}
	turn_sums(slices, n_rows, true);
	return SP_OK;
}

/* Single rows */

/* The sum of a single target stays in a register. */
#define DEFINE_ADD_ROW(name, NUMBER) \
static void \
name(const Slices *to, const SpSliceGroup *group, const uint32_t *found) \
{ \
	const uint32_t *targets = to->forest.targets + (group->trees - to->of_tree); \
	const NUMBER *leaves = (const NUMBER *) to->leaves; \
	NUMBER	   *sums = to->forest.sums; \
	NUMBER		sum = sums[0]; \
	if (to->trees->n_targets > 1) \
	{ \
		for (uint32_t at = 0; at < group->n_trees; at++) \
			sums[targets[at]] += leaves[found[at]]; \
		return; \
	} \
	for (uint32_t at = 0; at < group->n_trees; at++) \
		sum += leaves[found[at]]; \
	sums[0] = sum; \
}

DEFINE_ADD_ROW(add_row_floats, float)
DEFINE_ADD_ROW(add_row_doubles, double)

static void
add_row(const Slices *to, const SpSliceGroup *group, const uint32_t *found)
{
	const uint32_t *slots = (const uint32_t *) to->leaves;
	uint32_t	first = (uint32_t) (group->trees - to->of_tree);

	if (to->slices->leaves_kind == SP_SLICE_SLOTS)
		for (uint32_t at = 0; at < group->n_trees; at++)
			sp_add_leaf(&to->forest, first + at, slots[found[at]], 0);
	else if (to->trees->sum_type == SP_TYPE_F32)
		add_row_floats(to, group, found);
	else
		add_row_doubles(to, group, found);
}

static SpStatus
run_row(Slices *slices, uint32_t row)
{
	int8_t		bins[SP_SLICE_SINGLE_BINS] __attribute__((aligned(64))) = {0};
	const SpStepRun *run = slices->run;

	slices->forest.rows = (const double *) ((const char *) run->in + row * run->from.row_bytes);
	slices->forest.sums = (char *) run->out + row * run->to.row_bytes;
	find_bins(slices, row, 1, bins, 1);
	for (uint32_t first = 0; first < slices->trees->n_trees; first += SP_SLICE_BATCH)
	{
		uint32_t	found[SP_SLICE_BATCH] __attribute__((aligned(64)));
		SpSliceGroup group = group_at(slices, first, SP_SLICE_BATCH);

		group.bins = bins;
		slices->slicer->single(&group, found);
		add_row(slices, &group, found);
		if (sp_spend(run->budget, (uint64_t) group.n_trees * (group.depths[0] + 1)))
			return SP_ERR_CANCELLED;
	}
	return SP_OK;
}

/* Choosing */

/* As SpSliceCosts: a visit, and a column of a row.  Flags and sets take as long in all ways. */
#define WALK_VISIT 750
#define WALK_COLUMN 500

static uint64_t
walk_cost(const SpPackedSlices *slices)
{
	return WALK_VISIT * slices->n_visits + WALK_COLUMN * (uint64_t) slices->n_numeric;
}

static uint64_t
slice_cost(const SpPackedSlices *slices, const SpSliceCosts *costs, uint32_t n_trees)
{
	return costs->bin * (uint64_t) slices->n_numeric + costs->tree * (uint64_t) n_trees +
		costs->split * slices->n_splits + costs->leaf * slices->n_leaves;
}

static uint64_t
single_cost(const SpPackedSlices *slices, const SpSliceCosts *costs, uint32_t n_trees)
{
	return costs->single_bin * (uint64_t) slices->n_numeric + costs->single_tree * (uint64_t) n_trees +
		(costs->single_vector + costs->single_chunk * (uint64_t) (slices->n_bins / 16 + 1)) * slices->n_vectors;
}

/* From how many rows on they are taken together; UINT64_MAX for never.  And whether others are walked. */
static uint64_t
choose_ways(const Slices *of, bool *walks)
{
	const SpPackedSlices *slices = of->slices;
	const SpSlicer *slicer = of->slicer;
	uint64_t	together = slice_cost(slices, &slicer->costs, of->trees->n_trees);
	uint64_t	walked = walk_cost(slices);
	uint64_t	alone = UINT64_MAX;

	if (slices->vectors != 0 && slices->n_bins <= slicer->max_single_bins)
		alone = single_cost(slices, &slicer->costs, of->trees->n_trees);
	*walks = alone >= walked;
	if (together >= walked)
		return UINT64_MAX;
	if (*walks)
		alone = walked;
	/* a few vectors are less efficient than many */
	return slicer->vector_rows * together / alone * 5 / 4 + 1;
}

SpStatus
sp_kernel_slices(const SpStepRun *run, uint32_t *n_done)
{
	const SpPackedTrees *trees = run->params;
	const SpPackedSlices *packed = sp_image_at(run->image, trees->slices);
	Slices		slices = {
		.run = run, .trees = trees, .slices = packed, .slicer = choose_slicer(run->simd),
		.of_tree = sp_image_at(run->image, packed->trees), .bins_of = sp_image_at(run->image, packed->bins),
		.sets = sp_image_at(run->image, trees->sets), .words = sp_image_at(run->image, trees->words),
		.leaves = sp_image_at(run->image, packed->leaves),
		.forest = {
			.trees = trees, .nodes = sp_image_at(run->image, trees->nodes),
			.leaves = sp_image_at(run->image, trees->leaves),
			.targets = sp_image_at(run->image, trees->targets),
			.terms = sp_image_at(run->image, trees->terms)
		},
		.bins = run->scratch
	};
	uint32_t	row = 0;
	bool		walks;
	uint64_t	min_rows = choose_ways(&slices, &walks);

	slices.masks = slices.bins + bins_size(packed);
	slices.sums = (char *) slices.masks + masks_size(packed);
	/* vectors may reach beyond the last row, where there have to be numbers too */
	if (run->rows >= min_rows)
		memset(run->scratch, 0, bins_size(packed) + masks_size(packed) + sums_size(trees, packed));
	while (run->rows - row >= min_rows)
	{
		uint32_t	n_rows = run->rows - row < SP_SLICE_ROWS ? run->rows - row : SP_SLICE_ROWS;

		SP_TRY(run_rows(&slices, row, n_rows));
		row += n_rows;
	}
	for (; row < run->rows && !walks; row++)
		SP_TRY(run_row(&slices, row));
	*n_done = row;
	return SP_OK;
}
