/*
 * src/kernel/sp_kernel_tiles.c
 *
 * Steps that are sums over a constant matrix: linear models, layers of
 * networks, kernels of support vector machines and distances to rows.
 *
 * Distances are summed as they are defined.  Norms and one product would take
 * about two thirds of the time, but lose digits wherever a row is near a
 * vector, which is where a kernel is not 0.
 */
#include <math.h>

#include "kernel/sp_kernel.h"
#include "kernel/sp_kernel_tiles.h"

/* Multiplications that take as long as one unit of the budget, at the least. */
#define PRODUCTS_PER_UNIT 8

/* What follows the sums of some rows: count numbers, in place. */
typedef void (*After) (const SpPackedGeneral *general, const SpTiles *tiles, void *numbers, size_t count);

/* Pieces of whole tiles, so small that a stop is noticed in between. */
static SpStatus
run_pieces(const SpStepRun *run, SpTileRun sums, size_t rows, const SpPackedGeneral *general, After after)
{
	const SpTiles *tiles = sp_tiles(run->simd);
	bool		is_float = run->from.type == SP_TYPE_F32;
	size_t		size = is_float ? sizeof(float) : sizeof(double);
	uint64_t	row_work = (uint64_t) sums.n_in * sums.n_out / PRODUCTS_PER_UNIT + sums.n_out + 1;
	size_t		piece = row_work < SP_POLL_WORK ? (size_t) (SP_POLL_WORK / row_work) : 1;

	piece = (piece + SP_TILE_ROWS - 1) / SP_TILE_ROWS * SP_TILE_ROWS;
	for (size_t done = 0; done < rows; done += sums.rows)
	{
		sums.rows = rows - done < piece ? rows - done : piece;
		if (is_float)
			tiles->sum_float(&sums);
		else
			tiles->sum_double(&sums);
		if (after != NULL)
			after(general, tiles, sums.out, sums.rows * sums.n_out);
		if (sp_spend(run->budget, sums.rows * row_work))
			return SP_ERR_CANCELLED;
		sums.in = (const char *) sums.in + sums.rows * sums.n_in * size;
		sums.out = (char *) sums.out + sums.rows * sums.n_out * size;
	}
	return SP_OK;
}

SpStatus
sp_kernel_linear(const SpStepRun *run)
{
	const SpPackedLinear *linear = run->params;
	SpTileRun	sums = {
		.sum = SP_TILE_PRODUCT, .n_in = linear->n_in, .n_out = linear->n_out, .in = run->in, .out = run->out,
		.panels = sp_image_at(run->image, linear->weights), .start = sp_image_at(run->image, linear->bias)
	};

	return run_pieces(run, sums, run->rows, NULL, NULL);
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
	return run_pieces(run, sums, (size_t) run->rows * (run->from.width / general->dims[0]), NULL, NULL);
}

#define DEFINE_AFTER(NUMBER, name, suffix) \
static void \
name(const SpPackedGeneral *general, const SpTiles *tiles, void *numbers, size_t count) \
{ \
	NUMBER	   *x = numbers; \
	NUMBER		a = (NUMBER) general->params[0]; \
	NUMBER		b = (NUMBER) general->params[1]; \
	switch ((SpKernel) general->kind) \
	{ \
		case SP_KERNEL_RBF: \
			tiles->exp_##NUMBER(x, -a, x, count); \
			break; \
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

DEFINE_AFTER(float, after_float, f)
DEFINE_AFTER(double, after_double,)

SpStatus
sp_kernel_vectors(const SpStepRun *run)
{
	const SpPackedGeneral *general = run->params;
	SpTileRun	sums = {
		.sum = sp_tiles_sum((SpKernel) general->kind), .n_in = run->from.width, .n_out = run->to.width,
		.in = run->in, .out = run->out, .panels = sp_image_at(run->image, general->numbers)
	};

	return run_pieces(run, sums, run->rows, general, run->from.type == SP_TYPE_F32 ? after_float : after_double);
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
