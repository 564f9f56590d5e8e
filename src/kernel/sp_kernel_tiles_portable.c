/*
 * src/kernel/sp_kernel_tiles_portable.c
 */
#define LEVEL sp_tiles_portable
#define TARGET
#define VECTOR_BYTES 16
#define TILE_ROWS 2
#define TILE_PANELS 1
#define WIDE_PANELS 2
#include "kernel/sp_kernel_tile_level.h"
