/*
 * src/kernel/sp_kernel_tree.c
 *
 * Tree ensembles over a block of rows.
 *
 * Rows go in tiles that fit the second cache, and in few of them: each fetches
 * all trees anew.  A tile's features are first copied into columns (sp_pack.h: no
 * NaN is left then).  Rows are taken eight at a time, column by column next to
 * each other, or as vectors of two such groups; a few odd rows stand alone and walk
 * eight trees at a time instead.  Either way every row adds the same leaves in the
 * same order, that of the trees, so its bits do not depend on the block it came in.
 */
#include "kernel/sp_kernel_gather.h"
#include "kernel/sp_kernel_leaves.h"
#include "kernel/sp_kernel_slices.h"

#define LANES 8
#define TILE_ROWS 128
#define TILE_BYTES (320 * 1024)

/* From here on, filling a group up with copies is cheaper than single rows. */
#define MIN_GROUP 6

#define WALK_NAME(name) walk_##name##_column8
#define WALK_NODE SpNarrowNode
#define WALK_X float
#define WALK_BITS 8
#include "kernel/sp_kernel_walk.h"

#define WALK_NAME(name) walk_##name##_column12
#define WALK_NODE SpNarrowNode
#define WALK_X float
#define WALK_BITS 12
#include "kernel/sp_kernel_walk.h"

#define WALK_NAME(name) walk_##name##_column16
#define WALK_NODE SpNarrowNode
#define WALK_X float
#define WALK_BITS 16
#include "kernel/sp_kernel_walk.h"

#define WALK_NAME(name) walk_##name##_wide
#define WALK_NODE SpWideNode
#define WALK_X double
#include "kernel/sp_kernel_walk.h"

/* One ensemble over one tile. */
typedef struct Tile
{
	SpForest	forest;
	const uint32_t *roots;
	const uint32_t *depths;
	const uint32_t *group_depths;
	uint32_t	n_groups;		/* groups of 8 rows */
	uint32_t	n_grouped;		/* rows in them; fewer than 8 in the last, maybe */
	uint32_t	n_rows;
	char	   *columns;		/* of the groups, then of each single row */
	size_t		column_size;
	SpSimd		simd;
	SpBudget   *budget;
} Tile;

static size_t
column_size(const SpPackedTrees *trees)
{
	return trees->node_kind == SP_NODES_WIDE ? sizeof(double) : sizeof(float);
}

static uint32_t
tile_rows(const SpPackedTrees *trees)
{
	uint64_t	row_bytes = (uint64_t) trees->n_columns * column_size(trees);
	uint64_t	rows = TILE_BYTES / row_bytes / LANES * LANES;

	if (rows < LANES)
		return LANES;
	return rows < TILE_ROWS ? (uint32_t) rows : TILE_ROWS;
}

uint64_t
sp_kernel_trees_scratch(const SpImage *image, const SpPackedTrees *trees, uint32_t capacity)
{
	uint64_t	rows = tile_rows(trees);
	uint64_t	walked;
	uint64_t	sliced;

	if (rows > capacity)
		rows = capacity < MIN_GROUP ? capacity : LANES * (((uint64_t) capacity + LANES - 1) / LANES);
	walked = rows * trees->n_columns * column_size(trees);
	sliced = trees->slices != 0 ? sp_kernel_slices_scratch(image, trees) : 0;
	return walked > sliced ? walked : sliced;
}

/*
 * Columns.  lanes rows of in, row k at in + k * width, to x[column * lanes + k];
 * of lanes rows only the first n exist, the others repeat the last.
 */
#define DEFINE_FILL(name, X, IN) \
static inline void \
name(const SpPackedTrees *trees, const SpPackedColumn *columns, const SpPackedSet *sets, \
	 const SpPackedWord *words, const IN *in, X *x, uint32_t lanes, uint32_t n, bool may_have_missing) \
{ \
	for (uint32_t lane = 0; lane < lanes; lane++) \
	{ \
		const IN   *row = in + (size_t) (lane < n ? lane : n - 1) * trees->in_width; \
		uint32_t	column; \
		x[lane] = -INFINITY; \
		for (column = 1; column < trees->n_values; column++) \
		{ \
			IN			value = row[columns[column].feature]; \
			if (may_have_missing && isnan(value)) \
				value = columns[column].fill == SP_FILL_LOW ? -INFINITY : INFINITY; \
			x[(size_t) column * lanes + lane] = value; \
		} \
		for (; column < trees->n_zeros; column++) \
		{ \
			IN			value = row[columns[column].feature]; \
			if (sp_is_missing(value, true)) \
				value = columns[column].fill == SP_FILL_ZERO_LOW ? -INFINITY : INFINITY; \
			x[(size_t) column * lanes + lane] = value; \
		} \
		for (; column < trees->n_flags; column++) \
			x[(size_t) column * lanes + lane] = \
				sp_is_missing(row[columns[column].feature], columns[column].fill == SP_FILL_ZERO_FLAG) ? 1 : 0; \
		for (; column < trees->n_columns; column++) \
			x[(size_t) column * lanes + lane] = \
				sp_is_member(&sets[column - trees->n_flags], words, row[columns[column].feature]) ? -INFINITY : INFINITY; \
	} \
}

DEFINE_FILL(fill_float, float, float)
DEFINE_FILL(fill_double_of_float, double, float)
DEFINE_FILL(fill_double, double, double)

static void
fill_columns(const SpStepRun *run, const Tile *tile, uint32_t first, uint32_t lanes, uint32_t n,
			 void *x)
{
	const SpPackedTrees *trees = tile->forest.trees;
	const SpPackedColumn *columns = sp_image_at(run->image, trees->columns);
	const SpPackedSet *sets = sp_image_at(run->image, trees->sets);
	const SpPackedWord *words = sp_image_at(run->image, trees->words);
	const char *in = (const char *) run->in + (size_t) first * run->from.row_bytes;

	if (tile->column_size == sizeof(float))
		fill_float(trees, columns, sets, words, (const float *) in, x, lanes, n, run->may_have_missing);
	else if (trees->in_type == SP_TYPE_F32)
		fill_double_of_float(trees, columns, sets, words, (const float *) in, x, lanes, n, run->may_have_missing);
	else
		fill_double(trees, columns, sets, words, (const double *) in, x, lanes, n, run->may_have_missing);
}

/* Leaves */

static bool
is_sum(const SpPackedTrees *trees)
{
	return trees->aggregate == SP_AGGREGATE_SUM || trees->aggregate == SP_AGGREGATE_AVERAGE;
}

/*
 * The common case, float sums of values in narrow nodes, has loops of its own
 * below: choosing between the kinds for every leaf costs a tenth of the time.
 */
static bool
is_plain(const SpPackedTrees *trees)
{
	return trees->leaf_kind == SP_LEAVES_INLINE && trees->node_kind != SP_NODES_WIDE &&
		trees->sum_type == SP_TYPE_F32 && is_sum(trees);
}

/* Leaves of n trees from tree on, all for one row. */
static inline void
add_trees(const Tile *tile, bool plain, uint32_t tree, uint32_t n, const uint32_t *slots, uint32_t row)
{
	const SpNarrowNode *nodes = tile->forest.nodes;
	uint32_t	n_targets = tile->forest.trees->n_targets;
	float	   *sums = (float *) tile->forest.sums + (size_t) row * n_targets;
	float		sum;

	if (!plain)
	{
		for (uint32_t lane = 0; lane < n; lane++)
			sp_add_leaf(&tile->forest, tree + lane, slots[lane], row);
		return;
	}
	if (n_targets > 1)
	{
		for (uint32_t lane = 0; lane < n; lane++)
			sums[tile->forest.targets[tree + lane]] += nodes[slots[lane]].threshold;
		return;
	}
	sum = *sums;
	for (uint32_t lane = 0; lane < n; lane++)
		sum += nodes[slots[lane]].threshold;
	*sums = sum;
}

/* Float sums of leaves that list their targets, which forests of classifiers have. */
static inline void
add_lists(const Tile *tile, uint32_t n, const uint32_t *slots)
{
	size_t		n_targets = tile->forest.trees->n_targets;
	float	   *sums = tile->forest.sums;

	for (uint32_t lane = 0; lane < n; lane++, sums += n_targets)
	{
		const SpLeafEntry32 *entry = (const SpLeafEntry32 *) tile->forest.leaves + sp_leaf_index(&tile->forest, slots[lane]);

		for (uint32_t left = entry->target; left > 0; left--)
		{
			entry++;
			sums[entry->target] += entry->value;
		}
	}
}

/* Leaves of one tree for n rows from the first on. */
static inline void
add_rows(const Tile *tile, bool plain, uint32_t tree, uint32_t n, const uint32_t *slots)
{
	const SpPackedTrees *trees = tile->forest.trees;
	const SpNarrowNode *nodes = tile->forest.nodes;
	float	   *sums;

	if (!plain && trees->leaf_kind == SP_LEAVES_LIST && trees->node_kind != SP_NODES_WIDE &&
		trees->sum_type == SP_TYPE_F32 && is_sum(trees))
	{
		add_lists(tile, n, slots);
		return;
	}
	if (!plain)
	{
		for (uint32_t lane = 0; lane < n; lane++)
			sp_add_leaf(&tile->forest, tree, slots[lane], lane);
		return;
	}
	sums = (float *) tile->forest.sums + tile->forest.targets[tree];
	for (uint32_t lane = 0; lane < n; lane++)
		sums[lane * (size_t) trees->n_targets] += nodes[slots[lane]].threshold;
}

/* Leaves are all over memory: fetch them while other walks go on. */
static inline void
prefetch_leaves(const SpForest *forest, const uint32_t *slots, uint32_t n)
{
	size_t		size = sp_leaf_size(forest->trees);

	for (uint32_t at = 0; at < n; at++)
		if (forest->trees->leaf_kind != SP_LEAVES_INLINE)
			__builtin_prefetch((const char *) forest->leaves + sp_leaf_index(forest, slots[at]) * size);
}

typedef void (*WalkTrees) (const void *nodes, const uint32_t *roots, uint32_t depth,
						   const void *columns, uint32_t *slots);
typedef void (*WalkRows) (const void *nodes, uint32_t root, uint32_t depth, const void *columns,
						  uint32_t *slots);

/* Trees first .. first+n-1 (n <= 8) for one row that stands alone. */
static inline bool
run_single(const Tile *tile, WalkTrees walk, bool plain, uint32_t first, uint32_t n, uint32_t row)
{
	size_t		place = (size_t) LANES * tile->n_groups + row - tile->n_grouped;
	const char *x = tile->columns + place * tile->forest.trees->n_columns * tile->column_size;
	uint32_t	depth = tile->group_depths[first / SP_TREE_GROUP];
	uint32_t	slots[SP_TREE_GROUP];

	walk(tile->forest.nodes, tile->roots + first, depth, x, slots);
	add_trees(tile, plain, first, n, slots, row);
	return sp_spend(tile->budget, SP_TREE_GROUP * ((uint64_t) depth + 1));
}

/* One tree for as many groups as vectors are good for; gives how many. */
static inline uint32_t
gather_groups(const Tile *tile, uint32_t tree, uint32_t *slots)
{
#ifdef __x86_64__
	const SpPackedTrees *trees = tile->forest.trees;
	SpGather	gather = {
		.nodes = tile->forest.nodes, .root = tile->roots[tree], .depth = tile->depths[tree],
		.column_bits = 4 * (int) trees->node_kind + 4, .columns = tile->columns,
		.group_bytes = LANES * sizeof(float) * trees->n_columns, .n_groups = tile->n_groups
	};

	if (tile->simd == SP_SIMD_AVX512 && trees->node_kind != SP_NODES_WIDE)
		return sp_gather_avx512(&gather, slots);
#endif
	(void) tile;
	(void) tree;
	(void) slots;
	return 0;
}

/* One tree for all groups. */
static inline bool
run_groups(const Tile *tile, WalkRows walk, bool plain, uint32_t tree)
{
	size_t		group_bytes = LANES * tile->column_size * tile->forest.trees->n_columns;
	uint32_t	slots[TILE_ROWS];

	for (uint32_t group = gather_groups(tile, tree, slots); group < tile->n_groups; group++)
		walk(tile->forest.nodes, tile->roots[tree], tile->depths[tree], tile->columns + group * group_bytes,
			 slots + LANES * group);
	if (!plain)
		prefetch_leaves(&tile->forest, slots, tile->n_grouped);
	add_rows(tile, plain, tree, tile->n_grouped, slots);
	return sp_spend(tile->budget, LANES * tile->n_groups * ((uint64_t) tile->depths[tree] + 1));
}

/*
 * All trees over one tile, a few trees at a time, which stay cached over its
 * rows.  Always inlined, so that each kind of node gets loops of its own, without
 * calls through pointers.
 */
static inline __attribute__((always_inline)) SpStatus
run_tile(const Tile *tile, WalkTrees walk_trees, WalkRows walk_rows, bool plain)
{
	uint32_t	n_trees = tile->forest.trees->n_trees;

	for (uint32_t first = 0; first < n_trees; first += SP_TREE_GROUP)
	{
		uint32_t	n = n_trees - first < SP_TREE_GROUP ? n_trees - first : SP_TREE_GROUP;

		for (uint32_t row = tile->n_grouped; row < tile->n_rows; row++)
			if (run_single(tile, walk_trees, plain, first, n, row))
				return SP_ERR_CANCELLED;
		for (uint32_t tree = first; tree < first + n && tile->n_groups > 0; tree++)
			if (run_groups(tile, walk_rows, plain, tree))
				return SP_ERR_CANCELLED;
	}
	return SP_OK;
}

static SpStatus
run_tile_of_kind(const Tile *tile)
{
	bool		plain = is_plain(tile->forest.trees);

	switch ((SpNodeKind) tile->forest.trees->node_kind)
	{
		case SP_NODES_COLUMN8:
			if (plain)
				return run_tile(tile, walk_trees_column8, walk_rows_column8, true);
			return run_tile(tile, walk_trees_column8, walk_rows_column8, false);
		case SP_NODES_COLUMN12:
			return run_tile(tile, walk_trees_column12, walk_rows_column12, plain);
		case SP_NODES_COLUMN16:
			return run_tile(tile, walk_trees_column16, walk_rows_column16, plain);
		case SP_NODES_WIDE:
			break;
	}
	return run_tile(tile, walk_trees_wide, walk_rows_wide, false);
}

/* Before the first tree: the base, or what an aggregate starts from. */
static void
start_sums(const SpStepRun *run, const SpPackedTrees *trees)
{
	const void *base = sp_image_at(run->image, trees->base);
	bool		is_extreme = trees->aggregate == SP_AGGREGATE_MIN || trees->aggregate == SP_AGGREGATE_MAX;
	size_t		count = (size_t) run->rows * trees->n_targets;

	if (!trees->base_last)
		for (uint32_t row = 0; row < run->rows; row++)
			memcpy((char *) run->out + row * run->to.row_bytes, base, run->to.row_bytes);
	else
		/* NaN stands for a target that no leaf has named yet */
		for (size_t at = 0; at < count; at++)
		{
			if (trees->sum_type == SP_TYPE_F32)
				((float *) run->out)[at] = is_extreme ? NAN : 0;
			else
				((double *) run->out)[at] = is_extreme ? NAN : 0;
		}
}

/* After the last tree.  A target that no leaf has named counts as 0. */
#define DEFINE_FINISH(name, NUMBER) \
static void \
name(const SpPackedTrees *trees, const NUMBER *base, NUMBER *sums) \
{ \
	for (uint32_t target = 0; target < trees->n_targets; target++) \
	{ \
		if (trees->aggregate == SP_AGGREGATE_AVERAGE) \
			sums[target] /= (NUMBER) trees->n_trees; \
		else if (trees->aggregate != SP_AGGREGATE_SUM && isnan(sums[target])) \
			sums[target] = 0; \
		sums[target] += base[target]; \
	} \
}

DEFINE_FINISH(finish_float, float)
DEFINE_FINISH(finish_double, double)

static void
finish_sums(const SpStepRun *run, const SpPackedTrees *trees)
{
	const void *base = sp_image_at(run->image, trees->base);

	for (uint32_t row = 0; row < run->rows && trees->base_last; row++)
	{
		char	   *sums = (char *) run->out + row * run->to.row_bytes;

		if (trees->sum_type == SP_TYPE_F32)
			finish_float(trees, base, (float *) sums);
		else
			finish_double(trees, base, (double *) sums);
	}
}

static void
fill_tile(const SpStepRun *run, Tile *tile, uint32_t first)
{
	size_t		row_bytes = (size_t) tile->forest.trees->n_columns * tile->column_size;
	char	   *x = tile->columns;
	uint32_t	rest = tile->n_rows % LANES;

	tile->n_grouped = rest < MIN_GROUP ? tile->n_rows - rest : tile->n_rows;
	tile->n_groups = (tile->n_grouped + LANES - 1) / LANES;
	for (uint32_t row = 0; row < tile->n_grouped; row += LANES, x += LANES * row_bytes)
		fill_columns(run, tile, first + row, LANES,
					 tile->n_grouped - row < LANES ? tile->n_grouped - row : LANES, x);
	for (uint32_t row = tile->n_grouped; row < tile->n_rows; row++, x += row_bytes)
		fill_columns(run, tile, first + row, 1, 1, x);
}

SpStatus
sp_kernel_trees(const SpStepRun *run)
{
	const SpPackedTrees *trees = run->params;
	uint32_t	step = tile_rows(trees);
	uint32_t	done = 0;
	Tile		tile = {
		.forest = {
			.trees = trees, .nodes = sp_image_at(run->image, trees->nodes),
			.leaves = sp_image_at(run->image, trees->leaves),
			.targets = sp_image_at(run->image, trees->targets),
			.terms = sp_image_at(run->image, trees->terms)
		},
		.roots = sp_image_at(run->image, trees->roots),
		.depths = sp_image_at(run->image, trees->depths),
		.group_depths = sp_image_at(run->image, trees->group_depths),
		.columns = run->scratch,
		.column_size = column_size(trees),
		.simd = run->simd,
		.budget = run->budget
	};

	start_sums(run, trees);
	if (trees->slices != 0)
		SP_TRY(sp_kernel_slices(run, &done));
	for (uint32_t first = done; first < run->rows; first += step)
	{
		tile.n_rows = run->rows - first < step ? run->rows - first : step;
		tile.forest.sums = (char *) run->out + first * run->to.row_bytes;
		tile.forest.rows = (const double *) ((const char *) run->in + first * run->from.row_bytes);
		fill_tile(run, &tile, first);
		if (run_tile_of_kind(&tile) != SP_OK)
			return SP_ERR_CANCELLED;
	}
	finish_sums(run, trees);
	return SP_OK;
}
