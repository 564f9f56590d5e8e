/*
 * src/kernel/sp_kernel_tiles.h
 *
 * Sums over the elements of rows and the columns of a constant matrix
 * (ir/sp_tiles.h), and the functions that follow them, at each level of
 * instructions.
 *
 * Each result is summed by one lane, 32 elements at a time, in a block of rows
 * and alone, whatever tile it falls into: its bits depend on the level
 * only.  AVX2 and AVX-512 fuse multiplication and addition.
 */
#ifndef SP_KERNEL_TILES_H
#define SP_KERNEL_TILES_H

#include "base/sp_simd.h"
#include "ir/sp_tiles.h"

/* A multiple of the rows of every level's tiles: blocks of so many leave no rest. */
#define SP_TILE_ROWS 24

/*
 * out[row][result] = start[result] + sum.  Rows lie side by side, n_in and n_out
 * numbers each, of any alignment.  panels and start are aligned to 64 bytes;
 * start has whole lines and may be NULL for zeros.
 */
typedef struct SpTileRun
{
	SpTileSum	sum;
	size_t		rows;
	size_t		n_in;
	size_t		n_out;
	const void *in;
	const void *panels;
	const void *start;
	void	   *out;
} SpTileRun;

/*
 * Functions of count numbers; from and to may be the same.  NaN stays NaN.
 * They are within 4 units of the last place, and sigmoid may be 0 where it is
 * below the smallest normal number.
 */
typedef struct SpTiles
{
	void		(*sum_float) (const SpTileRun *run);
	void		(*sum_double) (const SpTileRun *run);
	void		(*exp_float) (const float *from, float factor, float *to, size_t count);	/* exp(factor x) */
	void		(*exp_double) (const double *from, double factor, double *to, size_t count);
	void		(*sigmoid_float) (const float *from, float *to, size_t count);
	void		(*sigmoid_double) (const double *from, double *to, size_t count);
	void		(*tanh_float) (const float *from, float *to, size_t count);
	void		(*tanh_double) (const double *from, double *to, size_t count);
} SpTiles;

extern const SpTiles sp_tiles_portable;
#ifdef __x86_64__
extern const SpTiles sp_tiles_avx2;
extern const SpTiles sp_tiles_avx512;
#endif

static inline const SpTiles *
sp_tiles(SpSimd simd)
{
#ifdef __x86_64__
	if (simd == SP_SIMD_AVX512)
		return &sp_tiles_avx512;
	if (simd == SP_SIMD_AVX2)
		return &sp_tiles_avx2;
#endif
	(void) simd;
	return &sp_tiles_portable;
}

#endif
