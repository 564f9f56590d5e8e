/*
 * src/kernel/sp_kernel_slices_avx2.c
 *
 * Bit-sliced trees in vectors of 32 bytes, and single rows by shuffles.
 */
#include "base/sp_simd.h"

#ifdef __x86_64__

#include <immintrin.h>

#include "kernel/sp_kernel_slices.h"

static inline SP_TARGET_AVX2 uint32_t
count_floats(const float *cuts, float x)
{
	__m256		value = _mm256_set1_ps(x);
	uint32_t	low = (uint32_t) _mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(cuts), value, _CMP_LT_OQ));
	uint32_t	high = (uint32_t) _mm256_movemask_ps(_mm256_cmp_ps(_mm256_load_ps(cuts + 8), value, _CMP_LT_OQ));

	return (uint32_t) _mm_popcnt_u32(low | high << 8);
}

static inline SP_TARGET_AVX2 uint32_t
count_doubles(const double *cuts, double x)
{
	__m256d		value = _mm256_set1_pd(x);
	uint32_t	masks = 0;

	for (int at = 0; at < SP_SLICE_BLOCK; at += 4)
		masks = masks << 4 |
			(uint32_t) _mm256_movemask_pd(_mm256_cmp_pd(_mm256_load_pd(cuts + at), value, _CMP_LT_OQ));
	return (uint32_t) _mm_popcnt_u32(masks);
}

#define BYTES_WIDTH 32
#define BYTES_TARGET SP_TARGET_AVX2
#define BYTES_COUNT_FLOATS count_floats
#define BYTES_COUNT_DOUBLES count_doubles
#include "kernel/sp_kernel_bytes.h"

#define MAX_SINGLE_BINS 64

/*
 * 32 places of a tree: which of them lead right.  A shuffle looks up 16 bytes
 * and gives 0 for an index with its highest bit set, so the bins are looked up
 * 16 at a time and what is found is put together.
 */
BYTES_INLINE uint64_t
decide_places(const __m256i *chunks, uint32_t n_chunks, const int8_t *numbers, const int8_t *cuts)
{
	__m256i		number = _mm256_load_si256((const __m256i *) numbers);
	__m256i		found = _mm256_setzero_si256();

	for (uint32_t at = 0; at < n_chunks; at++)
	{
		/* 0 .. 15 becomes 0x70 .. 0x7f, all else 0x80 or more */
		__m256i		index = _mm256_adds_epu8(number, _mm256_set1_epi8(0x70));

		found = _mm256_or_si256(found, _mm256_shuffle_epi8(chunks[at], index));
		number = _mm256_sub_epi8(number, _mm256_set1_epi8(16));
	}
	found = _mm256_cmpgt_epi8(found, _mm256_load_si256((const __m256i *) cuts));
	return (uint32_t) _mm256_movemask_epi8(found);
}

/*
 * Four trees that stand beside each other in the words walk down at once;
 * bit p of a tree's words says whether the node at place p leads right.
 */
BYTES_INLINE __m256i
walk(uint64_t (*words)[SP_SLICE_BATCH], uint32_t first, uint32_t depth)
{
	const __m256i one = _mm256_set1_epi64x(1);
	const __m256i word = _mm256_load_si256((const __m256i *) &words[0][first]);
	__m256i		place = _mm256_setzero_si256();
	__m256i		begin = _mm256_setzero_si256();

	SP_UNROLL(6)
	for (uint32_t level = 0; level < depth && level < 6; level++)
	{
		__m256i		bit = _mm256_and_si256(_mm256_srlv_epi64(word, _mm256_add_epi64(begin, place)), one);

		place = _mm256_add_epi64(_mm256_add_epi64(place, place), bit);
		begin = _mm256_add_epi64(_mm256_add_epi64(begin, begin), one);
	}
	for (uint32_t level = 6; level < depth; level++)
	{
		/* shifts by 64 and more, and so by less than 0, give 0 */
		__m256i		bit = level == 6 ?
			_mm256_srlv_epi64(_mm256_load_si256((const __m256i *) &words[1][first]), place) :
			_mm256_or_si256(_mm256_srlv_epi64(_mm256_load_si256((const __m256i *) &words[2][first]), place),
							_mm256_srlv_epi64(_mm256_load_si256((const __m256i *) &words[3][first]),
											  _mm256_sub_epi64(place, _mm256_set1_epi64x(64))));

		place = _mm256_add_epi64(_mm256_add_epi64(place, place), _mm256_and_si256(bit, one));
	}
	return place;
}

/* The words of all trees, each of two comparisons. */
BYTES_INLINE void
decide_trees(const SpSliceGroup *group, uint64_t (*words)[SP_SLICE_BATCH], uint32_t most_vectors,
			 const uint32_t n_chunks)
{
	const int8_t *from = group->vectors + (size_t) group->trees[0].first_vector * SP_SLICE_VECTOR;
	__m256i		chunks[MAX_SINGLE_BINS / 16];

	for (uint32_t at = 0; at < n_chunks; at++)
		chunks[at] = _mm256_broadcastsi128_si256(_mm_load_si128((const __m128i *) (group->bins + 16 * at)));
	for (uint32_t at = 0; at < group->n_trees; at++)
	{
		uint32_t	n = most_vectors == 1 ? 1 : sp_slice_vectors(group->trees[at].depth);
		const int8_t *cuts = from + (size_t) n * SP_SLICE_VECTOR;

		for (uint32_t vector = 0; vector < n; vector++, from += SP_SLICE_VECTOR, cuts += SP_SLICE_VECTOR)
			words[vector][at] = decide_places(chunks, n_chunks, from, cuts) |
				decide_places(chunks, n_chunks, from + 32, cuts + 32) << 32;
		for (uint32_t vector = n; vector < most_vectors; vector++)
			words[vector][at] = 0;
		from = cuts;
	}
}

static BYTES_TARGET void
single(const SpSliceGroup *group, uint32_t *found)
{
	uint64_t	words[4][SP_SLICE_BATCH] __attribute__((aligned(64)));
	uint32_t	depth = 0;

	for (uint32_t first = 0; first < group->n_trees; first += SP_TREE_GROUP)
		depth = group->depths[first / SP_TREE_GROUP] > depth ? group->depths[first / SP_TREE_GROUP] : depth;
	if (group->n_bins > 32)
		decide_trees(group, words, sp_slice_vectors(depth), 4);
	else if (depth > 6)
		decide_trees(group, words, sp_slice_vectors(depth), 2);
	else
		decide_trees(group, words, 1, 2);
	for (uint32_t first = 0; first < group->n_trees; first += 4)
	{
		uint64_t	places[4] __attribute__((aligned(32)));

		depth = group->depths[first / SP_TREE_GROUP];
		_mm256_store_si256((__m256i *) places,
						   depth == 6 ? walk(words, first, 6) : walk(words, first, depth));
		for (uint32_t at = first; at < first + 4 && at < group->n_trees; at++)
			found[at] = group->trees[at].first_leaf +
				(uint32_t) (places[at - first] >> (depth - group->trees[at].depth));
	}
}

const SpSlicer sp_slicer_avx2 = {
	.costs = {
		.bin = 1600, .tree = 380, .split = 10, .leaf = 10,
		.single_bin = 2500, .single_tree = 1800, .single_vector = 1200, .single_chunk = 370
	},
	.vector_rows = BYTES_WIDTH, .max_single_bins = MAX_SINGLE_BINS,
	.bin_floats = bin_float_columns, .bin_doubles = bin_double_columns,
	.slice = slice, .add_floats = add_floats, .add_doubles = add_doubles, .single = single
};

#endif
