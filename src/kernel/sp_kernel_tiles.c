/*
 * src/kernel/sp_kernel_tiles.c
 *
 * Steps that are sums over a constant matrix: linear models, layers of
 * networks, kernels of support vector machines and distances to rows.
 *
 * Distances are summed as they are defined.  Norms and a product take little more
 * than half the time, but lose digits where a row is near a vector beside their
 * lengths.  A Gaussian kernel exp(-g |x - v|^2) does not show that if g times the
 * norms is small, since the error is one of the exponent: such rows go that way.
 */
#include <math.h>

#include "kernel/sp_kernel.h"
#include "kernel/sp_kernel_tiles.h"

/* Multiplications that take as long as one unit of the budget, at the least. */
#define PRODUCTS_PER_UNIT 8

/*
 * Rows that are not interrupted, however long they take: each piece fetches the
 * whole matrix, which for a few rows takes longer than the sums.
 */
#define MIN_PIECE (6 * SP_TILE_ROWS)

/* The largest g (|x|^2 + |v|^2) for norms: roundings of the exponent stay below a millionth. */
#define MAX_EXPONENT 8

/* Numbers of some rows, all of the run, and what follows the sums. */
typedef void (*Piece) (const SpPackedGeneral *general, const SpTiles *tiles, const SpTileRun *run);

/* Pieces of whole tiles, so small that a stop is noticed in between. */
static SpStatus
run_pieces(const SpStepRun *run, SpTileRun sums, size_t rows, const SpPackedGeneral *general, Piece piece)
{
	const SpTiles *tiles = sp_tiles(run->simd);
	size_t		size = run->from.type == SP_TYPE_F32 ? sizeof(float) : sizeof(double);
	uint64_t	row_work = (uint64_t) sums.n_in * sums.n_out / PRODUCTS_PER_UNIT + sums.n_out + 1;
	size_t		most = row_work < SP_POLL_WORK / MIN_PIECE ? (size_t) (SP_POLL_WORK / row_work) : MIN_PIECE;

	most = (most + SP_TILE_ROWS - 1) / SP_TILE_ROWS * SP_TILE_ROWS;
	for (size_t done = 0; done < rows; done += sums.rows)
	{
		sums.rows = rows - done < most ? rows - done : most;
		piece(general, tiles, &sums);
		if (sp_spend(run->budget, sums.rows * row_work))
			return SP_ERR_CANCELLED;
		sums.in = (const char *) sums.in + sums.rows * sums.n_in * size;
		sums.out = (char *) sums.out + sums.rows * sums.n_out * size;
	}
	return SP_OK;
}

static void
sums_float(const SpPackedGeneral *general, const SpTiles *tiles, const SpTileRun *run)
{
	(void) general;
	tiles->sum_float(run);
}

static void
sums_double(const SpPackedGeneral *general, const SpTiles *tiles, const SpTileRun *run)
{
	(void) general;
	tiles->sum_double(run);
}

SpStatus
sp_kernel_linear(const SpStepRun *run)
{
	const SpPackedLinear *linear = run->params;
	SpTileRun	sums = {
		.sum = SP_TILE_PRODUCT, .n_in = linear->n_in, .n_out = linear->n_out, .in = run->in, .out = run->out,
		.panels = sp_image_at(run->image, linear->weights), .start = sp_image_at(run->image, linear->bias)
	};

	return run_pieces(run, sums, run->rows, NULL, run->from.type == SP_TYPE_F32 ? sums_float : sums_double);
}

SpStatus
sp_kernel_matrix(const SpStepRun *run)
{
	const SpPackedGeneral *general = run->params;
	SpTileRun	sums = {
		.sum = SP_TILE_PRODUCT, .n_in = general->dims[0], .n_out = general->dims[1], .in = run->in, .out = run->out,
		.panels = sp_image_at(run->image, general->numbers), .start = sp_image_at(run->image, general->start)
	};

	/* a row may hold several vectors */
	return run_pieces(run, sums, (size_t) run->rows * (run->from.width / general->dims[0]), general,
					  run->from.type == SP_TYPE_F32 ? sums_float : sums_double);
}

/* |x|^2 by a few sums side by side, in the same order at every level. */
#define DEFINE_SQUARES(NUMBER, name) \
static NUMBER \
name(const NUMBER *x, size_t n) \
{ \
	NUMBER		sums[16] = {0}; \
	size_t		at = 0; \
	for (; n - at >= 16; at += 16) \
		for (size_t lane = 0; lane < 16; lane++) \
			sums[lane] += x[at + lane] * x[at + lane]; \
	for (; at < n; at++) \
		sums[0] += x[at] * x[at]; \
	for (size_t lane = 1; lane < 16; lane++) \
		sums[0] += sums[lane]; \
	return sums[0]; \
}

DEFINE_SQUARES(float, squares_float)
DEFINE_SQUARES(double, squares_double)

/*
 * Gaussian kernels of neighbouring rows that all go the same way.  By norms: start
 * is -|v|^2 / 2, so the sums are (|x|^2 - |x - v|^2) / 2.
 */
#define DEFINE_GAUSSIAN(NUMBER, name) \
static void \
name##_rows(const SpPackedGeneral *general, const SpTiles *tiles, SpTileRun run, bool by_norms) \
{ \
	NUMBER		g = (NUMBER) general->params[0]; \
	run.sum = by_norms ? SP_TILE_PRODUCT : SP_TILE_SQUARE; \
	run.start = by_norms ? run.start : NULL; \
	tiles->sum_##NUMBER(&run); \
	for (size_t row = 0; row < run.rows && by_norms; row++) \
	{ \
		NUMBER		half = squares_##NUMBER((const NUMBER *) run.in + row * run.n_in, run.n_in) / 2; \
		NUMBER	   *x = (NUMBER *) run.out + row * run.n_out; \
		for (size_t at = 0; at < run.n_out; at++) \
			x[at] = x[at] > half ? 0 : x[at] - half; \
	} \
	tiles->exp_##NUMBER(run.out, by_norms ? 2 * g : -g, run.out, run.rows * run.n_out); \
} \
static void \
name(const SpPackedGeneral *general, const SpTiles *tiles, const SpTileRun *run) \
{ \
	double		g = general->params[0]; \
	size_t		end; \
	for (size_t first = 0; first < run->rows; first = end) \
	{ \
		SpTileRun	part = *run; \
		bool		by_norms = false; \
		for (end = first; end < run->rows; end++) \
		{ \
			double		squares = squares_##NUMBER((const NUMBER *) run->in + end * run->n_in, run->n_in); \
			/* false for NaN */ \
			bool		is_small = g >= 0 && g * (squares + general->params[1]) <= MAX_EXPONENT; \
			if (end > first && is_small != by_norms) \
				break; \
			by_norms = is_small; \
		} \
		part.rows = end - first; \
		part.in = (const NUMBER *) run->in + first * run->n_in; \
		part.out = (NUMBER *) run->out + first * run->n_out; \
		name##_rows(general, tiles, part, by_norms); \
	} \
}

DEFINE_GAUSSIAN(float, gaussian_float)
DEFINE_GAUSSIAN(double, gaussian_double)

#define DEFINE_KERNEL(NUMBER, name, suffix) \
static void \
name(const SpPackedGeneral *general, const SpTiles *tiles, const SpTileRun *run) \
{ \
	NUMBER	   *x = run->out; \
	size_t		count = run->rows * run->n_out; \
	NUMBER		a = (NUMBER) general->params[0]; \
	NUMBER		b = (NUMBER) general->params[1]; \
	if (general->kind == SP_KERNEL_RBF) \
	{ \
		gaussian_##NUMBER(general, tiles, run); \
		return; \
	} \
	tiles->sum_##NUMBER(run); \
	switch ((SpKernel) general->kind) \
	{ \
		case SP_KERNEL_SIGMOID: \
			for (size_t at = 0; at < count; at++) \
				x[at] = a * x[at] + b; \
			tiles->tanh_##NUMBER(x, x, count); \
			break; \
		case SP_KERNEL_POLY: \
			for (size_t at = 0; at < count; at++) \
				x[at] = pow##suffix(a * x[at] + b, (NUMBER) general->params[2]); \
			break; \
		case SP_KERNEL_EUCLIDEAN: \
			for (size_t at = 0; at < count; at++) \
				x[at] = sqrt##suffix(x[at]); \
			break; \
		default: \
			break; \
	} \
}

DEFINE_KERNEL(float, kernel_float, f)
DEFINE_KERNEL(double, kernel_double,)

SpStatus
sp_kernel_vectors(const SpStepRun *run)
{
	const SpPackedGeneral *general = run->params;
	SpTileRun	sums = {
		.sum = sp_tiles_sum((SpKernel) general->kind), .n_in = run->from.width, .n_out = run->to.width,
		.in = run->in, .out = run->out, .panels = sp_image_at(run->image, general->numbers),
		.start = sp_image_at(run->image, general->start)
	};

	return run_pieces(run, sums, run->rows, general, run->from.type == SP_TYPE_F32 ? kernel_float : kernel_double);
}

/* max(x, 0); NaN stays */
#define DEFINE_RELU(NUMBER, name) \
static void \
name(const NUMBER *from, NUMBER *to, size_t count) \
{ \
	for (size_t at = 0; at < count; at++) \
		to[at] = from[at] < 0 ? 0 : from[at]; \
}

DEFINE_RELU(float, relu_float)
DEFINE_RELU(double, relu_double)

#define DEFINE_APPLY(NUMBER, name) \
static bool \
name(const SpTiles *tiles, SpApply kind, const NUMBER *from, NUMBER *to, size_t count) \
{ \
	if (kind == SP_APPLY_RELU) \
		relu_##NUMBER(from, to, count); \
	else if (kind == SP_APPLY_SIGMOID) \
		tiles->sigmoid_##NUMBER(from, to, count); \
	else if (kind == SP_APPLY_TANH) \
		tiles->tanh_##NUMBER(from, to, count); \
	else if (kind == SP_APPLY_EXP) \
		tiles->exp_##NUMBER(from, 1, to, count); \
	else \
		return false; \
	return true; \
}

DEFINE_APPLY(float, apply_float)
DEFINE_APPLY(double, apply_double)

bool
sp_kernel_apply_vector(const SpStepRun *run, size_t row)
{
	const SpPackedGeneral *general = run->params;
	const SpTiles *tiles = sp_tiles(run->simd);
	size_t		count = run->to.width;

	if (run->from.type == SP_TYPE_F32)
		return apply_float(tiles, (SpApply) general->kind, (const float *) run->in + row * count,
						   (float *) run->out + row * count, count);
	if (run->from.type == SP_TYPE_F64)
		return apply_double(tiles, (SpApply) general->kind, (const double *) run->in + row * count,
							(double *) run->out + row * count, count);
	return false;
}
