/*
 * src/kernel/sp_kernel_slices_avx512.c
 *
 * Bit-sliced trees with a bit for each row: a comparison of 64 bytes gives a
 * word, and eight words side by side, one for each tree of a group, are chosen
 * among at once.
 */
#include "base/sp_simd.h"

#ifdef __x86_64__

#include <immintrin.h>

#include "kernel/sp_kernel_leaves.h"
#include "kernel/sp_kernel_slices.h"

#define AVX512_INLINE static inline __attribute__((always_inline)) SP_TARGET_AVX512

AVX512_INLINE uint32_t
count_floats(const float *cuts, float x)
{
	return (uint32_t) _mm_popcnt_u32(_mm512_cmp_ps_mask(_mm512_load_ps(cuts), _mm512_set1_ps(x), _CMP_LT_OQ));
}

AVX512_INLINE uint32_t
count_doubles(const double *cuts, double x)
{
	__m512d		value = _mm512_set1_pd(x);
	uint32_t	low = _mm512_cmp_pd_mask(_mm512_load_pd(cuts), value, _CMP_LT_OQ);
	uint32_t	high = _mm512_cmp_pd_mask(_mm512_load_pd(cuts + 8), value, _CMP_LT_OQ);

	return (uint32_t) _mm_popcnt_u32(low | high << 8);
}

#define BIN_NAME(name) bin_float_##name
#define BIN_NUMBER float
#define BIN_TARGET SP_TARGET_AVX512
#define BIN_COUNT count_floats
#include "kernel/sp_kernel_bins.h"

#define BIN_NAME(name) bin_double_##name
#define BIN_NUMBER double
#define BIN_TARGET SP_TARGET_AVX512
#define BIN_COUNT count_doubles
#include "kernel/sp_kernel_bins.h"

/* right where the mask is set, else left */
AVX512_INLINE __m512i
choose(__m512i mask, __m512i left, __m512i right)
{
	return _mm512_ternarylogic_epi64(mask, left, right, 0xac);
}

/*
 * For each place, a word of the first 64 rows for each tree, then a word of
 * the other 64 rows for each.
 */
#define PLACE_WORDS (SP_SLICE_ROWS / 8)

/* Decide every split of a tree whose words begin at masks. */
AVX512_INLINE void
decide(const SpSliceGroup *group, const SpPackedSlice *tree, uint64_t *masks, const bool both)
{
	const SpPackedCut *cut = group->cuts + tree->first_cut;

	SP_UNROLL(4)
	for (const SpPackedCut *end = cut + tree->n_cuts; cut < end; cut++)
	{
		const int8_t *bins = group->bins + 8 * (size_t) cut->bin16;
		__m512i		value = _mm512_set1_epi32((int) cut->cut);

		masks[cut->place16] = _mm512_cmpgt_epi8_mask(_mm512_load_si512(bins), value);
		if (both)
			masks[cut->place16 + SP_TREE_GROUP] = _mm512_cmpgt_epi8_mask(_mm512_load_si512(bins + 64), value);
	}
}

/* On every level the decisions above halve the candidates until one is left. */
AVX512_INLINE void
find_paths(const __m512i *masks, const uint32_t depth, __m512i *path)
{
	const uint32_t stride = PLACE_WORDS / SP_TREE_GROUP;

	path[0] = masks[0];
	SP_UNROLL(8)
	for (uint32_t level = 1; level < depth; level++)
	{
		__m512i		left[SP_SLICE_LEAVES / 4];
		const __m512i *from = masks + ((1U << level) - 1) * stride;
		uint32_t	half = 1U << level >> 1;

		SP_UNROLL(16)
		for (uint32_t at = 0; at < half; at++)
			left[at] = choose(path[0], from[at * stride], from[(at + half) * stride]);
		SP_UNROLL(8)
		for (uint32_t above = 1; above < level; above++)
		{
			half /= 2;
			SP_UNROLL(16)
			for (uint32_t at = 0; at < half; at++)
				left[at] = choose(path[above], left[at], left[at + half]);
		}
		path[level] = left[0];
	}
}

/* Up to 64 rows of a group from decisions to places. */
AVX512_INLINE void
find_places(const SpSliceGroup *group, const __m512i *masks, uint8_t *places)
{
	uint64_t	path[SP_SLICE_DEPTH][SP_TREE_GROUP] __attribute__((aligned(64)));

	if (group->depths[0] == 6)
		find_paths(masks, 6, (__m512i *) path);
	else
		find_paths(masks, group->depths[0], (__m512i *) path);
	for (uint32_t at = 0; at < group->n_trees; at++)
	{
		__m512i		place = _mm512_setzero_si512();
		__m512i		power = _mm512_set1_epi8(1);

		for (uint32_t level = group->trees[at].depth; level-- > 0;)
		{
			place = _mm512_mask_add_epi8(place, path[level][at], place, power);
			power = _mm512_add_epi8(power, power);
		}
		_mm512_store_si512(places + (size_t) at * SP_SLICE_ROWS, place);
	}
}

static SP_TARGET_AVX512 void
slice(const SpSliceGroup *group, uint8_t *places)
{
	bool		both = group->n_rows > 64;

	for (uint32_t at = 0; at < group->n_trees; at++)
	{
		if (both)
			decide(group, &group->trees[at], (uint64_t *) group->masks + at, true);
		else
			decide(group, &group->trees[at], (uint64_t *) group->masks + at, false);
	}
	find_places(group, group->masks, places);
	if (both)
		find_places(group, (const __m512i *) group->masks + 1, places + 64);
}

/* Up to 64 leaves are looked up in registers. */
static SP_TARGET_AVX512 void
add_floats(const float *leaves, uint32_t depth, const uint8_t *places, uint32_t n_rows, float *sums)
{
	__m512		table[4];
	uint32_t	n_vectors = depth <= 4 ? 1 : depth == 5 ? 2 : 4;

	if (depth <= 6)
		for (uint32_t at = 0; at < n_vectors; at++)
			table[at] = _mm512_loadu_ps(leaves + 16 * at);
	for (uint32_t row = 0; row < n_rows; row += 16)
	{
		__m512i		place = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *) (places + row)));
		__m512		value;

		if (depth == 6)
			value = _mm512_mask_blend_ps(_mm512_test_epi32_mask(place, _mm512_set1_epi32(32)),
										 _mm512_permutex2var_ps(table[0], place, table[1]),
										 _mm512_permutex2var_ps(table[2], place, table[3]));
		else if (depth == 5)
			value = _mm512_permutex2var_ps(table[0], place, table[1]);
		else if (depth <= 4)
			value = _mm512_permutexvar_ps(place, table[0]);
		else
			value = _mm512_i32gather_ps(place, leaves, 4);
		_mm512_store_ps(sums + row, _mm512_add_ps(_mm512_load_ps(sums + row), value));
	}
}

static SP_TARGET_AVX512 void
add_doubles(const double *leaves, uint32_t depth, const uint8_t *places, uint32_t n_rows, double *sums)
{
	for (uint32_t row = 0; row < n_rows; row += 8)
	{
		__m256i		place = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *) (places + row)));
		__m512d		value;

		if (depth <= 4)
			value = _mm512_permutex2var_pd(_mm512_loadu_pd(leaves), _mm512_cvtepu32_epi64(place),
										   _mm512_loadu_pd(leaves + 8));
		else
			value = _mm512_i32gather_pd(place, leaves, 8);
		_mm512_store_pd(sums + row, _mm512_add_pd(_mm512_load_pd(sums + row), value));
	}
}

/*
 * Eight trees that stand beside each other in the words walk down at once;
 * bit p of a tree's words says whether the node at place p leads right.
 */
AVX512_INLINE __m512i
walk(uint64_t (*words)[SP_SLICE_BATCH], uint32_t first, uint32_t depth)
{
	const __m512i one = _mm512_set1_epi64(1);
	const __m512i word = _mm512_load_si512(&words[0][first]);
	__m512i		place = _mm512_setzero_si512();
	__m512i		begin = _mm512_setzero_si512();

	SP_UNROLL(6)
	for (uint32_t level = 0; level < depth && level < 6; level++)
	{
		__m512i		bit = _mm512_and_si512(_mm512_srlv_epi64(word, _mm512_add_epi64(begin, place)), one);

		place = _mm512_add_epi64(_mm512_add_epi64(place, place), bit);
		begin = _mm512_add_epi64(_mm512_add_epi64(begin, begin), one);
	}
	for (uint32_t level = 6; level < depth; level++)
	{
		/* shifts by 64 and more, and so by less than 0, give 0 */
		__m512i		bit = level == 6 ? _mm512_srlv_epi64(_mm512_load_si512(&words[1][first]), place) :
			_mm512_or_si512(_mm512_srlv_epi64(_mm512_load_si512(&words[2][first]), place),
							_mm512_srlv_epi64(_mm512_load_si512(&words[3][first]),
											  _mm512_sub_epi64(place, _mm512_set1_epi64(64))));

		place = _mm512_add_epi64(_mm512_add_epi64(place, place), _mm512_and_si512(bit, one));
	}
	return place;
}

/*
 * The words of all trees.  All places of a vector get their bins by one
 * permutation and are decided by one comparison.
 */
AVX512_INLINE void
decide_single(const SpSliceGroup *group, uint64_t (*words)[SP_SLICE_BATCH], uint32_t most_vectors, bool many_bins)
{
	const int8_t *from = group->vectors + (size_t) group->trees[0].first_vector * SP_SLICE_VECTOR;
	__m512i		low = _mm512_load_si512(group->bins);
	__m512i		high = _mm512_load_si512(group->bins + 64);

	for (uint32_t at = 0; at < group->n_trees; at++)
	{
		uint32_t	n = most_vectors == 1 ? 1 : sp_slice_vectors(group->trees[at].depth);
		const int8_t *cuts = from + (size_t) n * SP_SLICE_VECTOR;

		for (uint32_t vector = 0; vector < n; vector++)
		{
			__m512i		number = _mm512_load_si512(from + (size_t) vector * SP_SLICE_VECTOR);
			__m512i		bin = many_bins ? _mm512_permutex2var_epi8(low, number, high) :
				_mm512_permutexvar_epi8(number, low);

			words[vector][at] =
				_mm512_cmpgt_epi8_mask(bin, _mm512_load_si512(cuts + (size_t) vector * SP_SLICE_VECTOR));
		}
		for (uint32_t vector = n; vector < most_vectors; vector++)
			words[vector][at] = 0;
		from = cuts + (size_t) n * SP_SLICE_VECTOR;
	}
}

/*
 * From places on the level of the deepest of eight trees to leaves.  There are
 * always eight: what follows the last tree is read, but not used.
 */
AVX512_INLINE __m256i
find_leaves(const SpPackedSlice *trees, uint32_t depth, __m256i places)
{
	_Static_assert(sizeof(SpPackedSlice) == 16 && offsetof(SpPackedSlice, first_leaf) == 4 &&
				   offsetof(SpPackedSlice, depth) == 14, "the order of the fields");
	const __m512i second = _mm512_setr_epi32(1, 5, 9, 13, 17, 21, 25, 29, 0, 0, 0, 0, 0, 0, 0, 0);
	const __m512i fourth = _mm512_add_epi32(second, _mm512_set1_epi32(2));
	__m512i		low = _mm512_loadu_si512(trees);
	__m512i		high = _mm512_loadu_si512(trees + 4);
	__m256i		first_leaf = _mm512_castsi512_si256(_mm512_permutex2var_epi32(low, second, high));
	__m256i		depths = _mm256_srli_epi32(_mm512_castsi512_si256(_mm512_permutex2var_epi32(low, fourth, high)), 16);
	__m256i		shift = _mm256_sub_epi32(_mm256_set1_epi32((int) depth), depths);

	return _mm256_add_epi32(first_leaf, _mm256_srlv_epi32(places, shift));
}

static SP_TARGET_AVX512 void
single(const SpSliceGroup *group, uint32_t *found)
{
	uint64_t	words[4][SP_SLICE_BATCH] __attribute__((aligned(64)));
	uint32_t	depth = 0;

	for (uint32_t first = 0; first < group->n_trees; first += SP_TREE_GROUP)
		depth = group->depths[first / SP_TREE_GROUP] > depth ? group->depths[first / SP_TREE_GROUP] : depth;
	if (group->n_bins > 64)
		decide_single(group, words, sp_slice_vectors(depth), true);
	else if (depth > 6)
		decide_single(group, words, sp_slice_vectors(depth), false);
	else
		decide_single(group, words, 1, false);
	for (uint32_t first = 0; first < group->n_trees; first += SP_TREE_GROUP)
	{
		__m512i		place;

		depth = group->depths[first / SP_TREE_GROUP];
		place = depth == 6 ? walk(words, first, 6) : walk(words, first, depth);
		_mm256_store_si256((__m256i *) (found + first),
						   find_leaves(&group->trees[first], depth, _mm512_cvtepi64_epi32(place)));
	}
}

const SpSlicer sp_slicer_avx512 = {
	.costs = {
		.bin = 1000, .tree = 140, .split = 4, .leaf = 3,
		.single_bin = 2000, .single_tree = 900, .single_vector = 1100, .single_chunk = 20
	},
	.vector_rows = 64, .max_single_bins = SP_SLICE_SINGLE_BINS,
	.bin_floats = bin_float_columns, .bin_doubles = bin_double_columns,
	.slice = slice, .add_floats = add_floats, .add_doubles = add_doubles, .single = single
};

#endif
