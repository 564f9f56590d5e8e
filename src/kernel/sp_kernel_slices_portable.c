/*
 * src/kernel/sp_kernel_slices_portable.c
 *
 * Bit-sliced trees in vectors of 16 bytes, which every 64-bit processor has.
 */
#include "kernel/sp_kernel_slices.h"

typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Counts __attribute__((vector_size(16)));
typedef double Doubles __attribute__((vector_size(16)));
typedef int64_t LongCounts __attribute__((vector_size(16)));

/* A comparison that holds is -1. */
static inline uint32_t
count_floats(const float *cuts, float x)
{
	const Floats *cut = (const Floats *) cuts;
	Counts		count = (cut[0] < x) + (cut[1] < x) + (cut[2] < x) + (cut[3] < x);

	return (uint32_t) -(count[0] + count[1] + count[2] + count[3]);
}

static inline uint32_t
count_doubles(const double *cuts, double x)
{
	const Doubles *cut = (const Doubles *) cuts;
	LongCounts	count = (cut[0] < x) + (cut[1] < x) + (cut[2] < x) + (cut[3] < x) +
		(cut[4] < x) + (cut[5] < x) + (cut[6] < x) + (cut[7] < x);

	return (uint32_t) -(count[0] + count[1]);
}

#define BYTES_WIDTH 16
#define BYTES_TARGET
#define BYTES_COUNT_FLOATS count_floats
#define BYTES_COUNT_DOUBLES count_doubles
#include "kernel/sp_kernel_bytes.h"

const SpSlicer sp_slicer_portable = {
	.costs = {.bin = 3700, .tree = 350, .split = 16, .leaf = 16},
	.vector_rows = BYTES_WIDTH,
	.bin_floats = bin_float_columns, .bin_doubles = bin_double_columns,
	.slice = slice, .add_floats = add_floats, .add_doubles = add_doubles
};
