/*
 * src/ir/sp_row_cost.c
 *
 * Prices are picoseconds, rounded from what bench_row_cost printed for the
 * models of test/data and for larger ones of each kind.
 */
#include "ir/sp_pack.h"
#include "ir/sp_row_cost.h"
#include "ir/sp_slices.h"
#include "ir/sp_tiles.h"

/* A row, a step */
#define ROW 25000.0
#define STEP 10000.0

/* Trees: a column of a row, a column of membership, a tree, a visit of a node that is in the second cache or is not */
#define COLUMN 800.0
#define SET 1500.0
#define TREE 1000.0
#define VISIT 850.0
#define VISIT_FAR 1600.0
#define NEAR_BYTES (UINT64_C(1) << 20)
/* and by slices: a bin, a vector of 64 nodes */
#define BIN 2000.0
#define VECTOR 1500.0
/* a value of a leaf that has several, a term of a linear leaf */
#define LEAF_VALUE 1000.0
#define TERM 1000.0

/* Matrices in panels: a line of 64 bytes, near or not; a number of the result */
#define LINE 500.0
#define LINE_FAR 2300.0
/* other multiplications, two or more to an instruction or one by one */
#define PRODUCT 100.0
#define PRODUCT_SINGLE 1000.0

/* Elementwise: by vectors, moved or compared, a function with a vector form, a function of the C library */
#define MOVE_VECTOR 200.0
#define MOVE 1000.0
#define FUNCTION_VECTOR 2000.0
#define FUNCTION 12000.0

/* Of one row alone: all trees of a group are walked by the depth of the deepest. */
static double
walk_cost(const SpImage *image, const SpPackedTrees *trees)
{
	const uint32_t *depths = sp_image_at(image, trees->group_depths);
	double		visits = 0;

	for (uint32_t first = 0; first < trees->n_trees; first += SP_TREE_GROUP)
		visits += (double) SP_TREE_GROUP * depths[first / SP_TREE_GROUP];
	return COLUMN * trees->n_columns + (image->size <= NEAR_BYTES ? VISIT : VISIT_FAR) * visits;
}

static double
trees_cost(const SpImage *image, const SpPackedTrees *trees)
{
	double		cost = walk_cost(image, trees);

	if (trees->slices != 0)
	{
		const SpPackedSlices *slices = sp_image_at(image, trees->slices);
		double		sliced = BIN * slices->n_bins + VECTOR * (double) slices->n_vectors;

		if (slices->vectors != 0 && sliced < cost)
			cost = sliced;
	}
	cost += TREE * trees->n_trees + SET * (trees->n_columns - trees->n_flags);
	if (trees->leaf_kind == SP_LEAVES_DENSE || trees->leaf_kind == SP_LEAVES_LIST)
		cost += LEAF_VALUE * trees->n_trees * trees->n_targets;
	if (trees->leaf_kind == SP_LEAVES_LINEAR)
		cost += TERM * trees->n_trees * (trees->in_width < 8 ? trees->in_width : 8);
	return cost;
}

/* A row times a matrix in panels. */
static double
panels_cost(const SpImage *image, uint64_t n_in, uint64_t n_out, SpType type)
{
	double		lines = (double) n_in * (double) sp_tiles_panels(n_out, type == SP_TYPE_F32 ? 4 : 8);

	return (image->size <= NEAR_BYTES ? LINE : LINE_FAR) * lines + MOVE * (double) n_out;
}

/* Functions with a vector form (sp_kernel_tiles.c), simple ones, and the C library's. */
static double
function_price(uint32_t kind)
{
	switch ((SpApply) kind)
	{
		case SP_APPLY_SIGMOID:
		case SP_APPLY_EXP:
		case SP_APPLY_TANH:
			return FUNCTION_VECTOR;
		case SP_APPLY_SQRT:
		case SP_APPLY_ABS:
		case SP_APPLY_NEGATE:
		case SP_APPLY_SIGN:
		case SP_APPLY_RELU:
		case SP_APPLY_CLIP:
		case SP_APPLY_NOT:
		case SP_APPLY_IS_NAN:
		case SP_APPLY_IS_INF:
		case SP_APPLY_LEAKY_RELU:
		case SP_APPLY_HARD_SIGMOID:
		case SP_APPLY_HARD_SWISH:
		case SP_APPLY_SOFTSIGN:
		case SP_APPLY_THRESHOLD:
		case SP_APPLY_SHRINK:
		case SP_APPLY_FLOOR:
		case SP_APPLY_CEIL:
		case SP_APPLY_ROUND:
		case SP_APPLY_RECIPROCAL:
			return MOVE;
		default:
			return FUNCTION;
	}
}

static double
kernel_cost(const SpImage *image, const SpPackedGeneral *general, SpImageValue from, SpImageValue to)
{
	SpKernel	kind = (SpKernel) general->kind;
	bool		rooted = kind == SP_KERNEL_POLY || kind == SP_KERNEL_RBF || kind == SP_KERNEL_SIGMOID;

	if (sp_tiles_sum(kind) == SP_TILE_NONE)
		return (kind == SP_KERNEL_POWERS ? FUNCTION : PRODUCT_SINGLE) * from.width * to.width;
	return panels_cost(image, from.width, to.width, (SpType) from.type) +
		(kind == SP_KERNEL_POLY ? FUNCTION : rooted ? FUNCTION_VECTOR : 0) * to.width;
}

/* LSTM takes a function of the cell, too. */
static double
recurrent_cost(const SpPackedGeneral *general)
{
	SpRecurrent kind = (SpRecurrent) general->kind;
	uint32_t	functions = sp_recurrent_gates(kind) + (kind == SP_RECURRENT_LSTM ? 1 : 0);

	return general->dims[0] * (PRODUCT * general->n_numbers + FUNCTION * functions * general->dims[2]);
}

static double
map_price(uint32_t kind)
{
	return kind == SP_MAP_STEP || kind == SP_MAP_NEGATE || kind == SP_MAP_SIGNED_SQUARE || kind == SP_MAP_NAN_ZERO ?
		MOVE_VECTOR : FUNCTION;
}

static double
general_cost(const SpImage *image, const SpPackedGeneral *general, SpOp op, SpImageValue from, SpImageValue to)
{
	double		n = to.width;

	switch (op)
	{
		case SP_OP_MATRIX:
			return panels_cost(image, general->dims[0], general->dims[1], (SpType) from.type) *
				(from.width / general->dims[0]);
		case SP_OP_KERNEL:
			return kernel_cost(image, general, from, to);
		case SP_OP_PRODUCT:
			return PRODUCT_SINGLE * n * general->dims[2];
		case SP_OP_RECURRENT:
			return recurrent_cost(general);
		case SP_OP_CONV:
			return PRODUCT * n * (general->dims[0] / general->dims[5]) * general->dims[2];
		case SP_OP_TOPK:
			return PRODUCT_SINGLE / 4 * n * general->dims[1];
		case SP_OP_COUPLE:
			return 10 * PRODUCT_SINGLE * n * n;
		case SP_OP_APPLY:
			return function_price(general->kind) * n;
		case SP_OP_GROUP:
			return FUNCTION * n;
		default:
			return MOVE * (n + from.width);
	}
}

static double
step_cost(const SpImage *image, const SpImageStep *step)
{
	SpImageValue from = sp_image_values(image)[step->in];
	SpImageValue to = sp_image_values(image)[step->out];
	const void *params = sp_image_at(image, step->params);

	switch ((SpOp) step->op)
	{
		case SP_OP_TREES:
			return trees_cost(image, params);
		case SP_OP_LINEAR:
			return panels_cost(image, from.width, to.width, (SpType) from.type);
		case SP_OP_MAP:
			return map_price(((const SpPackedSimple *) params)->kind) * to.width;
		case SP_OP_SOFTMAX:
			return FUNCTION * to.width;
		case SP_OP_SCALE:
			return MOVE_VECTOR * to.width;
		default:
			return SP_OP_IS_GENERAL(step->op) ? general_cost(image, params, (SpOp) step->op, from, to) : MOVE * to.width;
	}
}

int64_t
sp_row_cost(const SpImage *image)
{
	double		cost = ROW;

	for (uint32_t at = 0; at < image->n_steps; at++)
		cost += STEP + step_cost(image, &sp_image_steps(image)[at]);
	cost /= 1000;
	return cost >= 0x1p63 ? INT64_MAX : (int64_t) cost;
}
