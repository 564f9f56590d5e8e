/*
 * src/kernel/sp_kernel_tiles_avx512.c
 */
#include "base/sp_simd.h"

#ifdef __x86_64__

#define LEVEL sp_tiles_avx512
#define TARGET SP_TARGET_AVX512
#define VECTOR_BYTES 64
#define TILE_ROWS 8
#define TILE_PANELS 3
#define WIDE_PANELS 8
#include "kernel/sp_kernel_tile_level.h"

#endif
