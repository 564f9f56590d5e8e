/*
 * src/ir/sp_pack_tiles.c
 *
 * Constant matrices in panels (sp_tiles.h).
 */
#include "ir/sp_pack_internal.h"
#include "ir/sp_tiles.h"

uint64_t
sp_pack_tiles_reserve(SpPacker *packer, uint64_t n_in, uint64_t n_out, SpType type)
{
	uint64_t	n_lines;

	if (__builtin_mul_overflow(sp_tiles_panels(n_out, sp_pack_number_size(type)), n_in, &n_lines))
		n_lines = UINT64_MAX;
	return sp_pack_reserve(packer, n_lines, SP_LINE_BYTES, SP_IMAGE_ALIGN);
}

uint64_t
sp_pack_line_reserve(SpPacker *packer, uint64_t n_out, SpType type)
{
	return sp_pack_reserve(packer, sp_tiles_panels(n_out, sp_pack_number_size(type)), SP_LINE_BYTES, SP_IMAGE_ALIGN);
}

SpStatus
sp_pack_tiles_fill(SpPacker *packer, uint64_t offset, const double *matrix, uint64_t n_in, uint64_t n_out, SpType type)
{
	uint64_t	lanes = SP_LINE_BYTES / sp_pack_number_size(type);

	for (uint64_t first = 0; first < n_out; first += lanes)
		for (uint64_t at = 0; at < n_in; at++, offset += SP_LINE_BYTES)
		{
			double		line[SP_LINE_BYTES / sizeof(float)];
			uint64_t	n = n_out - first < lanes ? n_out - first : lanes;

			for (uint64_t lane = 0; lane < n; lane++)
				line[lane] = matrix[(first + lane) * n_in + at];
			sp_pack_numbers(packer, offset, line, n, type);
			if (at % 4096 == 0)
				SP_TRY(sp_poll(packer->cx));
		}
	return SP_OK;
}
