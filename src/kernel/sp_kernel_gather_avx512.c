/*
 * src/kernel/sp_kernel_gather_avx512.c
 *
 * A gather takes as long as it has elements, so a node comes as one element of
 * eight bytes and is taken apart afterwards.  Four vectors at a time hide what
 * each of them waits for.
 */
#include "kernel/sp_kernel_gather.h"

#ifdef __x86_64__

#include <immintrin.h>

#define AVX512_INLINE static inline __attribute__((always_inline)) SP_TARGET_AVX512

#define MOST_VECTORS 4
#define VECTOR_GROUPS 2

/* What all steps of a tree share. */
typedef struct Steps
{
	const char *nodes;			/* from the root on */
	__m128i		link_shift;
	__m512i		link_mask;
	__mmask16	all;			/* full */
	__m512i		lanes;			/* bytes from column 0 of a vector's first row to that of each */
} Steps;

/*
 * All elements, into zeros: a gather waits for what its register held before, and
 * compilers leave the zeros out if they see that the mask is full.
 */
AVX512_INLINE __m512i
gather_nodes(const Steps *steps, __m256i at)
{
	return _mm512_mask_i32gather_epi64(_mm512_setzero_si512(), (__mmask8) steps->all, at, steps->nodes,
									   sizeof(SpNarrowNode));
}

/* One step of 16 walks; gives the mask of those that moved. */
AVX512_INLINE __mmask16
step(const Steps *steps, const char *columns, __m512i *at)
{
	const __m512i evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
	__m512i		low = gather_nodes(steps, _mm512_castsi512_si256(*at));
	__m512i		high = gather_nodes(steps, _mm512_extracti64x4_epi64(*at, 1));
	__m512		threshold = _mm512_castsi512_ps(_mm512_permutex2var_epi32(low, evens, high));
	__m512i		link = _mm512_permutex2var_epi32(low, _mm512_add_epi32(evens, _mm512_set1_epi32(1)), high);
	/* the masked link is four times the column, whose eight rows have four bytes each */
	__m512i		column = _mm512_slli_epi32(_mm512_and_si512(link, steps->link_mask), 3);
	__m512		x = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), steps->all, _mm512_add_epi32(column, steps->lanes), columns, 1);
	__mmask16	right = _mm512_cmp_ps_mask(threshold, x, _CMP_NGE_UQ);
	__m512i		before = *at;

	*at = _mm512_add_epi32(before, _mm512_srl_epi32(link, steps->link_shift));
	*at = _mm512_mask_add_epi32(*at, right, *at, _mm512_set1_epi32(1));
	return _mm512_cmpneq_epi32_mask(before, *at);
}

/* n_vectors is a constant for each caller. */
AVX512_INLINE void
walk_vectors(const int n_vectors, const SpGather *gather, const Steps *steps, uint32_t group, uint32_t *slots)
{
	const char *columns = gather->columns + group * gather->group_bytes;
	size_t		apart = VECTOR_GROUPS * gather->group_bytes;
	__m512i		at[MOST_VECTORS];

	for (int v = 0; v < n_vectors; v++)
		at[v] = _mm512_setzero_si512();
	/* Two levels for one look whether any walk goes on: each look costs a guess, each level too many all steps. */
	for (uint32_t level = 0; level < gather->depth; level += 2)
	{
		__mmask16	moved = 0;

		for (int v = 0; v < n_vectors; v++)
			moved |= step(steps, columns + (size_t) v * apart, &at[v]);
		if (moved == 0)
			break;
		for (int v = 0; v < n_vectors; v++)
			step(steps, columns + (size_t) v * apart, &at[v]);
	}
	for (int v = 0; v < n_vectors; v++)
		_mm512_storeu_si512(slots + 8 * group + 16 * v, _mm512_add_epi32(at[v], _mm512_set1_epi32((int) gather->root)));
}

SP_TARGET_AVX512 uint32_t
sp_gather_avx512(const SpGather *gather, uint32_t *slots)
{
	const __m512i rows = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
	const Steps steps = {
		.nodes = (const char *) (gather->nodes + gather->root),
		.link_shift = _mm_cvtsi32_si128(SP_LINK_SHIFT(gather->column_bits)),
		.link_mask = _mm512_set1_epi32((int) SP_LINK_MASK(gather->column_bits)),
		.all = gather->n_groups != 0 ? 0xffff : 0,
		.lanes = _mm512_mask_add_epi32(rows, 0xff00, rows, _mm512_set1_epi32((int) gather->group_bytes))
	};
	uint32_t	group = 0;

	for (; gather->n_groups - group >= 4 * VECTOR_GROUPS; group += 4 * VECTOR_GROUPS)
		walk_vectors(4, gather, &steps, group, slots);
	for (; gather->n_groups - group >= VECTOR_GROUPS; group += VECTOR_GROUPS)
		walk_vectors(1, gather, &steps, group, slots);
	return group;
}

#endif
