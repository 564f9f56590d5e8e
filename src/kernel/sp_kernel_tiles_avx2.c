/*
 * src/kernel/sp_kernel_tiles_avx2.c
 */
#include "base/sp_simd.h"

#ifdef __x86_64__

#define LEVEL sp_tiles_avx2
#define TARGET SP_TARGET_AVX2
#define VECTOR_BYTES 32
#define TILE_ROWS 6
#define TILE_PANELS 1
#define WIDE_PANELS 4
#include "kernel/sp_kernel_tile_level.h"

#endif
