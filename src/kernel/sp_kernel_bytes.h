/*
 * src/kernel/sp_kernel_bytes.h
 *
 * Bit-sliced trees with bytes as masks: for vectors whose comparisons give
 * bytes.  Plain vector extensions of the compiler, which become SSE2, NEON or
 * AVX2.  Included by the file of each level with these macros:
 *
 * BYTES_WIDTH		bytes of a vector
 * BYTES_TARGET		target attribute, maybe empty
 * BYTES_COUNT_FLOATS, BYTES_COUNT_DOUBLES	sp_kernel_bins.h
 */
#include "kernel/sp_kernel_leaves.h"
#include "kernel/sp_kernel_slices.h"

typedef int8_t Bytes __attribute__((vector_size(BYTES_WIDTH)));
typedef uint8_t Places __attribute__((vector_size(BYTES_WIDTH)));
typedef uint32_t Words __attribute__((vector_size(BYTES_WIDTH)));

#define BYTES_INLINE static inline __attribute__((always_inline)) BYTES_TARGET

#define BIN_NAME(name) bin_float_##name
#define BIN_NUMBER float
#define BIN_TARGET BYTES_TARGET
#define BIN_COUNT BYTES_COUNT_FLOATS
#include "kernel/sp_kernel_bins.h"

#define BIN_NAME(name) bin_double_##name
#define BIN_NUMBER double
#define BIN_TARGET BYTES_TARGET
#define BIN_COUNT BYTES_COUNT_DOUBLES
#include "kernel/sp_kernel_bins.h"

/* For each place a mask of all rows, in so many vectors. */
#define VECTORS (SP_SLICE_ROWS / BYTES_WIDTH)

/* Vectors of rows that share the reading of a split. */
#define STRIPE 4

/* Decide every split of a tree for the first n vectors. */
BYTES_INLINE void
decide(const SpPackedCut *cut, const SpPackedCut *end, const int8_t *bins, Bytes *masks, const uint32_t n)
{
	SP_UNROLL(2)
	for (; cut < end; cut++)
	{
		const Bytes *bin = (const Bytes *) (bins + 8 * (size_t) cut->bin16);
		const Bytes value = (Bytes) ((Words) {0} + cut->cut);
		Bytes	   *mask = masks + (size_t) cut->place16 * VECTORS / 16;

		SP_UNROLL(4)
		for (uint32_t at = 0; at < n; at++)
			mask[at] = bin[at] > value;
	}
}

/* right where the mask is set, else left */
BYTES_INLINE Bytes
choose(Bytes mask, Bytes left, Bytes right)
{
	return (mask & right) | (~mask & left);
}

/*
 * The place of each row's leaf in a tree whose splits are decided: on every
 * level the decisions above halve the candidates until one is left.
 */
BYTES_INLINE Places
find_places(const Bytes *masks, const int depth)
{
	Bytes		path[SP_SLICE_DEPTH];
	Places		place = {0};

	SP_UNROLL(8)
	for (int level = 0; level < depth; level++)
	{
		Bytes		left[SP_SLICE_LEAVES / 4];
		const Bytes *from = masks + ((1 << level) - 1) * VECTORS;
		int			half = 1 << level >> 1;

		SP_UNROLL(64)
		for (int at = 0; at < half; at++)
			left[at] = choose(path[0], from[at * VECTORS], from[(at + half) * VECTORS]);
		SP_UNROLL(8)
		for (int above = 1; above < level; above++)
		{
			half /= 2;
			SP_UNROLL(32)
			for (int at = 0; at < half; at++)
				left[at] = choose(path[above], left[at], left[at + half]);
		}
		path[level] = level == 0 ? from[0] : left[0];
		/* a set mask is -1 */
		place = place + place - (Places) path[level];
	}
	return place;
}

BYTES_INLINE Places
find_places_of_depth(const Bytes *masks, uint32_t depth)
{
	switch (depth)
	{
		case 0:
			return find_places(masks, 0);
		case 1:
			return find_places(masks, 1);
		case 2:
			return find_places(masks, 2);
		case 3:
			return find_places(masks, 3);
		case 4:
			return find_places(masks, 4);
		case 5:
			return find_places(masks, 5);
		case 6:
			return find_places(masks, 6);
		case 7:
			return find_places(masks, 7);
		default:
			return find_places(masks, 8);
	}
}

static BYTES_TARGET void
slice(const SpSliceGroup *group, uint8_t *places)
{
	uint32_t	n_vectors = (group->n_rows + BYTES_WIDTH - 1) / BYTES_WIDTH;

	for (uint32_t at = 0; at < group->n_trees; at++)
	{
		const SpPackedSlice *tree = &group->trees[at];
		const SpPackedCut *cut = group->cuts + tree->first_cut;
		const SpPackedCut *end = cut + tree->n_cuts;
		Bytes	   *masks = group->masks;

		uint32_t	vector = 0;

		for (; vector + STRIPE <= n_vectors; vector += STRIPE)
			decide(cut, end, group->bins + vector * BYTES_WIDTH, masks + vector, STRIPE);
		for (; vector < n_vectors; vector++)
			decide(cut, end, group->bins + vector * BYTES_WIDTH, masks + vector, 1);
		for (vector = 0; vector < n_vectors; vector++)
			((Places *) (places + at * SP_SLICE_ROWS))[vector] = find_places_of_depth(masks + vector, tree->depth);
	}
}

static BYTES_TARGET void
add_floats(const float *leaves, uint32_t depth, const uint8_t *places, uint32_t n_rows, float *sums)
{
	(void) depth;
	SP_UNROLL(8)
	for (uint32_t row = 0; row < n_rows; row++)
		sums[row] += leaves[places[row]];
}

static BYTES_TARGET void
add_doubles(const double *leaves, uint32_t depth, const uint8_t *places, uint32_t n_rows, double *sums)
{
	(void) depth;
	SP_UNROLL(8)
	for (uint32_t row = 0; row < n_rows; row++)
		sums[row] += leaves[places[row]];
}
