/*
 * src/ir/sp_tiles.h
 *
 * A constant matrix in a packed image, laid out for kernel/sp_kernel_tiles.h.
 *
 * A panel belongs to 16 (float) or 8 (double) neighbouring results.  It has a
 * line of 64 bytes for each element of a row, with that element's coefficient
 * for each result; lanes beyond the last result are 0:
 *
 *     panel[p].line[k][lane] = matrix[p * lanes + lane][k]
 */
#ifndef SP_TILES_H
#define SP_TILES_H

#include "ir/sp_model.h"

#define SP_LINE_BYTES 64

static inline uint64_t
sp_tiles_panels(uint64_t n_out, size_t number_size)
{
	uint64_t	lanes = SP_LINE_BYTES / number_size;

	return n_out / lanes + (n_out % lanes != 0);
}

/* What is summed for each result, of x = in[row][k] and w = matrix[result][k]. */
typedef enum SpTileSum
{
	SP_TILE_NONE = 0,			/* the matrix is not in panels but row by row */
	SP_TILE_PRODUCT = 1,		/* x w */
	SP_TILE_SQUARE = 2,			/* (x - w)^2 */
	SP_TILE_DISTANCE = 3		/* |x - w| */
} SpTileSum;

/* Of a step KERNEL. */
static inline SpTileSum
sp_tiles_sum(SpKernel kind)
{
	switch (kind)
	{
		case SP_KERNEL_LINEAR:
		case SP_KERNEL_POLY:
		case SP_KERNEL_SIGMOID:
			return SP_TILE_PRODUCT;
		case SP_KERNEL_RBF:
		case SP_KERNEL_SQUARES:
		case SP_KERNEL_EUCLIDEAN:
			return SP_TILE_SQUARE;
		case SP_KERNEL_MANHATTAN:
			return SP_TILE_DISTANCE;
		default:
			return SP_TILE_NONE;
	}
}

#endif
