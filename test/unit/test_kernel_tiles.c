/*
 * test/unit/test_kernel_tiles.c
 *
 * Sums over a constant matrix and the functions behind them, at every level
 * that this processor has.
 */
#include <math.h>

#include "sp_test.h"
#include "kernel/sp_kernel_tiles.h"

#define MAX_ROWS 53
#define MAX_IN 37
#define MAX_OUT 133
#define MAX_LINES (MAX_IN * ((MAX_OUT + 7) / 8))

static _Alignas(64) char panels[MAX_LINES * SP_LINE_BYTES];
static _Alignas(64) char start[MAX_OUT * 8 + SP_LINE_BYTES];
static double matrix[MAX_OUT * MAX_IN];
static double numbers[MAX_ROWS * MAX_IN];

static double
some_number(void)
{
	static uint64_t state = 88172645463325252;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (float) ((double) (state >> 11) / 0x1p52 - 1);
}

static double
expected(SpTileSum kind, size_t row, size_t result, size_t n_in)
{
	double		sum = 0.25 * (double) (result % 5);

	for (size_t k = 0; k < n_in; k++)
	{
		double		x = numbers[row * n_in + k];
		double		w = matrix[result * n_in + k];

		sum += kind == SP_TILE_PRODUCT ? x * w : kind == SP_TILE_SQUARE ? (x - w) * (x - w) : fabs(x - w);
	}
	return sum;
}

/* One shape, for float and double: the sums, and rows alone against the block. */
#define DEFINE_SHAPE(NUMBER, name, tolerance) \
static bool \
name(const SpTiles *tiles, SpTileSum kind, size_t rows, size_t n_in, size_t n_out) \
{ \
	const size_t lanes = SP_LINE_BYTES / sizeof(NUMBER); \
	static NUMBER in[MAX_ROWS * MAX_IN + 1]; \
	NUMBER	   *out = malloc(rows * n_out * sizeof(NUMBER)); \
	NUMBER	   *alone = malloc(n_out * sizeof(NUMBER)); \
	SpTileRun	run = {kind, rows, n_in, n_out, in + 1, panels, start, out}; \
	bool		good = true; \
	memset(panels, 0, sizeof(panels)); \
	memset(start, 0, sizeof(start)); \
	for (size_t at = 0; at < rows * n_in; at++) \
		in[at + 1] = (NUMBER) numbers[at]; \
	for (size_t result = 0; result < n_out; result++) \
	{ \
		((NUMBER *) start)[result] = (NUMBER) 0.25 * (NUMBER) (result % 5); \
		for (size_t k = 0; k < n_in; k++) \
			((NUMBER *) panels)[(result / lanes * n_in + k) * lanes + result % lanes] = \
				(NUMBER) matrix[result * n_in + k]; \
	} \
	tiles->sum_##NUMBER(&run); \
	for (size_t row = 0; row < rows; row++) \
	{ \
		SpTileRun	one = {kind, 1, n_in, n_out, in + 1 + row * n_in, panels, start, alone}; \
		for (size_t result = 0; result < n_out; result++) \
			good = good && fabs((double) out[row * n_out + result] - expected(kind, row, result, n_in)) < tolerance; \
		tiles->sum_##NUMBER(&one); \
		good = good && memcmp(alone, out + row * n_out, n_out * sizeof(NUMBER)) == 0; \
	} \
	free(out); \
	free(alone); \
	return good; \
}

DEFINE_SHAPE(float, shape_float, 2e-5)
DEFINE_SHAPE(double, shape_double, 1e-13)

static void
test_sums(SpSimd simd)
{
	static const size_t rows[] = {1, 2, 5, 8, 24, MAX_ROWS};
	static const size_t outs[] = {1, 6, 8, 16, 17, 31, 48, 100, MAX_OUT};
	int			n_wrong = 0;

	for (int kind = SP_TILE_PRODUCT; kind <= SP_TILE_DISTANCE; kind++)
		for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
			for (size_t o = 0; o < sizeof(outs) / sizeof(outs[0]); o++)
				for (size_t n_in = 1; n_in <= MAX_IN; n_in += 12)
					n_wrong += !shape_float(sp_tiles(simd), (SpTileSum) kind, rows[r], n_in, outs[o]) +
						!shape_double(sp_tiles(simd), (SpTileSum) kind, rows[r], n_in, outs[o]);
	ok(n_wrong == 0, "%s: sums of every shape, and of rows alone (%d wrong)", sp_simd_name(simd), n_wrong);
}

/* Distance in units of the last place; what is no normal number counts as that. */
static double
units(double got, double right, double unit, double smallest)
{
	if (isnan(right) || isinf(right))
		return (isnan(right) ? isnan(got) : got == right) ? 0 : 1e9;
	return fabs(got - right) / (fmax(fabs(right), smallest) * unit);
}

#define DEFINE_FUNCTIONS(NUMBER, name, UNIT, SMALLEST, RANGE) \
static double \
name(const SpTiles *tiles) \
{ \
	enum { N = 4001 }; \
	static NUMBER x[N], y[N]; \
	double		worst = 0; \
	for (size_t at = 0; at < N; at++) \
		x[at] = (NUMBER) ((RANGE) * ((double) at / (N / 2) - 1) * (at % 3 == 0 ? 1e-3 : at % 3 == 1 ? 1e-2 : 1)); \
	x[0] = (NUMBER) NAN; \
	x[1] = (NUMBER) INFINITY; \
	x[2] = -(NUMBER) INFINITY; \
	x[3] = 0; \
	tiles->exp_##NUMBER(x, (NUMBER) -1, y, N); \
	for (size_t at = 0; at < N; at++) \
		worst = fmax(worst, units(y[at], (NUMBER) exp(-(double) x[at]), UNIT, SMALLEST)); \
	tiles->sigmoid_##NUMBER(x, y, N); \
	for (size_t at = 0; at < N; at++) \
	{ \
		NUMBER		right = (NUMBER) (1 / (1 + exp(-(double) x[at]))); \
		if (!(right < SMALLEST && y[at] == 0)) \
			worst = fmax(worst, units(y[at], right, UNIT, SMALLEST)); \
	} \
	tiles->tanh_##NUMBER(x, y, N); \
	for (size_t at = 0; at < N; at++) \
		worst = fmax(worst, units(y[at], (NUMBER) tanh((double) x[at]), UNIT, SMALLEST)); \
	return worst; \
}

DEFINE_FUNCTIONS(float, functions_float, 0x1p-23, 0x1p-126, 130.0)
DEFINE_FUNCTIONS(double, functions_double, 0x1p-52, 0x1p-1022, 800.0)

static void
test_functions(SpSimd simd)
{
	double		single = functions_float(sp_tiles(simd));
	double		twice = functions_double(sp_tiles(simd));

	ok(single <= 4 && twice <= 4, "%s: exp, sigmoid and tanh, %.1f and %.1f units apart at most",
	   sp_simd_name(simd), single, twice);
}

int
main(void)
{
	for (size_t at = 0; at < sizeof(matrix) / sizeof(matrix[0]); at++)
		matrix[at] = some_number();
	for (size_t at = 0; at < sizeof(numbers) / sizeof(numbers[0]); at++)
		numbers[at] = some_number();
	for (int simd = SP_SIMD_PORTABLE; simd <= (int) sp_simd_best(); simd++)
	{
		test_sums((SpSimd) simd);
		test_functions((SpSimd) simd);
	}
	return done_testing();
}
