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

#include <stddef.h>
#include <stdint.h>

#define SP_LINE_BYTES 64

static inline uint64_t
sp_tiles_panels(uint64_t n_out, size_t number_size)
{
	uint64_t	lanes = SP_LINE_BYTES / number_size;

	return n_out / lanes + (n_out % lanes != 0);
}

#endif
