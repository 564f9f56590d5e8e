/*
 * src/kernel/sp_kernel_tile_level.h
 *
 * sp_kernel_tiles.h for one level: the includer defines LEVEL (the name of its
 * SpTiles), TARGET (an attribute for functions), VECTOR_BYTES (16, 32 or 64) and
 * the tiles that fit its registers: TILE_ROWS rows, a divisor of SP_TILE_ROWS,
 * by TILE_PANELS panels, and one row by WIDE_PANELS.
 */
#include <string.h>

#include "kernel/sp_kernel_slices.h"
#include "kernel/sp_kernel_tiles.h"

#define PARTS (SP_LINE_BYTES / VECTOR_BYTES)
#define LANES (VECTOR_BYTES / sizeof(NUMBER))
#define LINE_LANES (SP_LINE_BYTES / sizeof(NUMBER))
#define INLINE TARGET __attribute__((always_inline))

/* Loose vectors may be anywhere. */
#define DEFINE_VECTORS \
typedef NUMBER NAME(Vector) __attribute__((vector_size(VECTOR_BYTES))); \
typedef NUMBER NAME(Loose) __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(NUMBER)), may_alias)); \
typedef BITS NAME(Bits) __attribute__((vector_size(VECTOR_BYTES)));

#define NUMBER float
#define BITS uint32_t
#define NAME(name) name##_float
#define ROUNDER 12582912.0f		/* 1.5 * 2^23 */
#define EXPONENT_BIAS 127
#define FRACTION_BITS 23
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f
#define EXP_MOST 89.0f
#define EXP_LEAST -104.0f
#define TANH_MOST 20.0f
#define SERIES {1 / 5040.0f, 1 / 720.0f, 1 / 120.0f, 1 / 24.0f, 1 / 6.0f, 1 / 2.0f}
DEFINE_VECTORS
#include "kernel/sp_kernel_tile_sums.h"
#include "kernel/sp_kernel_tile_functions.h"
#undef NUMBER
#undef BITS
#undef NAME
#undef ROUNDER
#undef EXPONENT_BIAS
#undef FRACTION_BITS
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_MOST
#undef EXP_LEAST
#undef TANH_MOST
#undef SERIES

#define NUMBER double
#define BITS uint64_t
#define NAME(name) name##_double
#define ROUNDER 6755399441055744.0	/* 1.5 * 2^52 */
#define EXPONENT_BIAS 1023
#define FRACTION_BITS 52
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#define EXP_MOST 710.0
#define EXP_LEAST -746.0
#define TANH_MOST 45.0
#define SERIES {1 / 6227020800.0, 1 / 479001600.0, 1 / 39916800.0, 1 / 3628800.0, 1 / 362880.0, \
	1 / 40320.0, 1 / 5040.0, 1 / 720.0, 1 / 120.0, 1 / 24.0, 1 / 6.0, 1 / 2.0}
DEFINE_VECTORS
#include "kernel/sp_kernel_tile_sums.h"
#include "kernel/sp_kernel_tile_functions.h"

const SpTiles LEVEL = {
	sum_float, sum_double, exp_float, exp_double, sigmoid_float, sigmoid_double, tanh_float, tanh_double
};
