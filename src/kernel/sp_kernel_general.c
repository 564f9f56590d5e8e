/*
 * src/kernel/sp_kernel_general.c
 *
 * Steps with an SpGeneral, a row at a time: what moves elements is here, what
 * computes in the files that sp_kernel_general.h names, and elementwise
 * functions at the end.
 *
 * Formulas are those of the ONNX operators (docs/Operators.md) in the type of
 * the tensor, as ONNX Runtime computes them.
 */
#include "kernel/sp_kernel_general.h"
#include "ir/sp_tiles.h"

static size_t
element_size(SpType type)
{
	return type == SP_TYPE_F32 ? 4 : 8;
}

static void
row_constant(const SpRow *row)
{
	const SpPackedGeneral *general = row->general;

	memcpy(row->out, sp_image_at(row->image, general->numbers),
		   general->n_numbers * element_size((SpType) general->number_type));
}

static void
row_gather(const SpRow *row)
{
	const uint32_t *indices = sp_image_at(row->image, row->general->indices);
	double		fill = row->general->params[0];

	for (uint32_t at = 0; at < row->out_width; at++)
	{
		uint32_t	from = indices[at];

		if (row->type == SP_TYPE_F32)
			((float *) row->out)[at] = from == SP_NO_INDEX ? (float) fill : ((const float *) row->in[0])[from];
		else if (row->type == SP_TYPE_F64)
			((double *) row->out)[at] = from == SP_NO_INDEX ? fill : ((const double *) row->in[0])[from];
		else
			((int64_t *) row->out)[at] = from == SP_NO_INDEX ? (int64_t) fill : ((const int64_t *) row->in[0])[from];
	}
}

static void
row_where(const SpRow *row)
{
	const int64_t *condition = row->in[0];
	bool		is_float = element_size(row->out_type) == 4;

	for (uint32_t at = 0; at < row->out_width; at++)
	{
		int			which = condition[at % row->width[0]] != 0 ? 1 : 2;
		uint32_t	from = at % row->width[which];

		if (is_float)
			((float *) row->out)[at] = ((const float *) row->in[which])[from];
		else
			((int64_t *) row->out)[at] = ((const int64_t *) row->in[which])[from];
	}
}

static size_t
clamped(int64_t index, uint32_t n)
{
	if (index < 0)
		index += n;
	return index < 0 ? 0 : index >= n ? n - 1 : (size_t) index;
}

static void
row_take(const SpRow *row)
{
	const SpPackedGeneral *general = row->general;
	const int64_t *index = row->in[1];
	size_t		outer = general->dims[0];
	size_t		n = general->dims[1];
	size_t		inner = general->dims[2];
	size_t		m = general->kind == 0 ? row->width[1] : row->width[1] / (outer * inner);
	size_t		to = 0;

	for (size_t o = 0; o < outer; o++)
		for (size_t j = 0; j < m; j++)
			for (size_t i = 0; i < inner; i++, to++)
			{
				size_t		at = clamped(general->kind == 0 ? index[j] : index[to], (uint32_t) n);
				size_t		from = (o * n + at) * inner + i;

				if (row->type == SP_TYPE_F32)
					((float *) row->out)[to] = ((const float *) row->in[0])[from];
				else
					((int64_t *) row->out)[to] = ((const int64_t *) row->in[0])[from];
			}
}

/* Place of the key in an ascending list, or n. */
static uint32_t
find_integer(const int64_t *keys, uint32_t n, int64_t key)
{
	uint32_t	low = 0;
	uint32_t	high = n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && keys[low] == key ? low : n;
}

static uint32_t
find_number(const double *keys, uint32_t n, double key)
{
	uint32_t	low = 0;
	uint32_t	high = n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && keys[low] == key ? low : n;
}

static void
row_encode(const SpRow *row)
{
	const SpPackedGeneral *general = row->general;
	const void *keys = sp_image_at(row->image, general->numbers);
	const uint32_t *results = sp_image_at(row->image, general->indices);
	uint32_t	n = general->n_numbers;

	for (uint32_t at = 0; at < row->out_width; at++)
	{
		uint32_t	result = general->dims[1];
		uint32_t	place;

		if (row->type == SP_TYPE_F32 || row->type == SP_TYPE_F64)
		{
			double		number = row->type == SP_TYPE_F32 ? ((const float *) row->in[0])[at] :
				((const double *) row->in[0])[at];

			place = find_number(keys, n, number);
			if (isnan(number) && general->dims[2] != SP_NO_INDEX)
				result = general->dims[2];
		}
		else
			place = find_integer(keys, n, ((const int64_t *) row->in[0])[at]);
		((int64_t *) row->out)[at] = place < n ? results[place] : result;
	}
}

/* Inputs are as many as there are; every other step reads three at most. */
static void
row_concat(const SpStepRun *run, const SpRow *row, size_t number)
{
	const uint32_t *inputs = sp_image_at(row->image, row->general->inputs);
	const SpImageValue *values = sp_image_values(row->image);
	size_t		outer = row->general->dims[0];
	size_t		size = element_size(row->type);
	char	   *to = row->out;

	for (size_t o = 0; o < outer; o++)
		for (uint32_t at = 0; at < row->general->n_inputs; at++)
		{
			size_t		width = values[inputs[at]].width;
			size_t		bytes = width / outer * size;

			memcpy(to, run->values[inputs[at]] + number * width * size + o * bytes, bytes);
			to += bytes;
		}
}

/* True if the run has to stop. */
static bool
run_row(const SpStepRun *run, SpOp op, const SpRow *row, size_t number)
{
	switch (op)
	{
		case SP_OP_CONSTANT:
			row_constant(row);
			break;
		case SP_OP_GATHER:
			row_gather(row);
			break;
		case SP_OP_CONCAT:
			row_concat(run, row, number);
			break;
		case SP_OP_BINARY:
			sp_row_binary(row);
			break;
		case SP_OP_WHERE:
			row_where(row);
			break;
		case SP_OP_APPLY:
			sp_row_apply(row);
			break;
		case SP_OP_REDUCE:
			sp_row_reduce(row);
			break;
		case SP_OP_GROUP:
			sp_row_group(row);
			break;
		case SP_OP_TAKE:
			row_take(row);
			break;
		case SP_OP_ENCODE:
			row_encode(row);
			break;
		case SP_OP_KERNEL:
			sp_row_kernel(row);
			break;
		case SP_OP_COUPLE:
			sp_row_couple(row);
			break;
		case SP_OP_TOPK:
			sp_row_topk(row);
			break;
		case SP_OP_PRODUCT:
			sp_row_product(row);
			break;
		case SP_OP_RECURRENT:
			return sp_row_recurrent(row);
		case SP_OP_CONV:
			return sp_row_conv(row);
		default:
			break;
	}
	return false;
}

uint64_t
sp_kernel_general_scratch(const SpPackedGeneral *general, SpOp op)
{
	uint64_t	n = general->dims[0];

	if (op == SP_OP_COUPLE)
		return (n * n + 2 * n) * sizeof(double);
	if (op == SP_OP_RECURRENT)
		return sp_recurrent_scratch(general);
	return 0;
}

/* Multiplications of one row, for the budget. */
static uint64_t
row_work(const SpRow *row, SpOp op)
{
	const SpPackedGeneral *general = row->general;

	if (op == SP_OP_RECURRENT || op == SP_OP_CONV)
		return row->out_width;
	if (op == SP_OP_TOPK)
		return (uint64_t) row->out_width * general->dims[1];
	if (op == SP_OP_PRODUCT)
		return (uint64_t) row->out_width * general->dims[2];
	if (op == SP_OP_COUPLE)
		return 100 * (uint64_t) row->out_width * row->out_width;
	return general->n_numbers + 4 * (uint64_t) row->out_width + row->width[0];
}

SpStatus
sp_kernel_general(const SpStepRun *run, SpOp op)
{
	const SpPackedGeneral *general = run->params;
	const uint32_t *inputs = sp_image_at(run->image, general->inputs);
	const SpImageValue *values = sp_image_values(run->image);
	SpRow		row = {
		.image = run->image, .general = general, .type = (SpType) run->from.type,
		.out_width = run->to.width, .out_type = (SpType) run->to.type, .scratch = run->scratch,
		.budget = run->budget
	};

	if (op == SP_OP_MATRIX)
		return sp_kernel_matrix(run);
	if (op == SP_OP_KERNEL && sp_tiles_sum((SpKernel) general->kind) != SP_TILE_NONE)
		return sp_kernel_vectors(run);
	for (size_t number = 0; number < run->rows; number++)
	{
		for (uint32_t at = 0; at < general->n_inputs && at < 3; at++)
		{
			row.width[at] = values[inputs[at]].width;
			row.in[at] = run->values[inputs[at]] + number * values[inputs[at]].row_bytes;
		}
		row.out = (char *) run->out + number * run->to.row_bytes;
		if ((!(op == SP_OP_APPLY && sp_kernel_apply_vector(run, number)) && run_row(run, op, &row, number)) || sp_spend(run->budget, row_work(&row, op)))
			return SP_ERR_CANCELLED;
	}
	return SP_OK;
}

/* Elementwise functions */

#define TEMPLATE "kernel/sp_kernel_elements.h"
#include "kernel/sp_kernel_typed.h"

static int64_t
apply_integer(SpApply kind, int64_t x, double a, double b)
{
	switch (kind)
	{
		case SP_APPLY_ABS:
			return x < 0 ? (int64_t) (0 - (uint64_t) x) : x;
		case SP_APPLY_NEGATE:
			return (int64_t) (0 - (uint64_t) x);
		case SP_APPLY_SIGN:
			return (x > 0) - (x < 0);
		case SP_APPLY_RELU:
			return x > 0 ? x : 0;
		case SP_APPLY_CLIP:
			x = a > -0x1p53 && x < (int64_t) a ? (int64_t) a : x;
			return b < 0x1p53 && x > (int64_t) b ? (int64_t) b : x;
		default:
			return x == 0;
	}
}

void
sp_row_apply(const SpRow *row)
{
	const double *params = row->general->params;
	SpApply		kind = (SpApply) row->general->kind;

	for (uint32_t at = 0; at < row->out_width; at++)
	{
		double		x = row->type == SP_TYPE_F32 ? ((const float *) row->in[0])[at] :
			row->type == SP_TYPE_F64 ? ((const double *) row->in[0])[at] : 0;

		if (kind == SP_APPLY_IS_NAN)
			((int64_t *) row->out)[at] = isnan(x) ? 1 : 0;
		else if (kind == SP_APPLY_IS_INF)
			((int64_t *) row->out)[at] = isinf(x) && params[x > 0] != 0;
		else if (row->type == SP_TYPE_F32)
			((float *) row->out)[at] = sp_apply_float(kind, (float) x, (float) params[0], (float) params[1]);
		else if (row->type == SP_TYPE_F64)
			((double *) row->out)[at] = sp_apply_double(kind, x, params[0], params[1]);
		else
			((int64_t *) row->out)[at] = apply_integer(kind, ((const int64_t *) row->in[0])[at], params[0], params[1]);
	}
}

/* Integers wrap around, as the sources' do; ONNX Runtime casts 1 / 0 to the least integer. */
static int64_t
power_integer(int64_t base, int64_t exponent)
{
	uint64_t	result = 1;

	if (exponent < 0 && base == 0)
		return INT64_MIN;
	if (exponent < 0)
		return base == 1 || (base == -1 && exponent % 2 == 0) ? 1 : base == -1 ? -1 : 0;
	for (uint64_t square = (uint64_t) base; exponent > 0; exponent >>= 1, square *= square)
		if (exponent & 1)
			result *= square;
	return (int64_t) result;
}

static int64_t
binary_integer(SpBinary kind, int64_t a, int64_t b)
{
	bool		divides = b != 0 && b != -1;
	int64_t		rest = divides ? a % b : 0;

	switch (kind)
	{
		case SP_BINARY_ADD:
			return (int64_t) ((uint64_t) a + (uint64_t) b);
		case SP_BINARY_SUB:
			return (int64_t) ((uint64_t) a - (uint64_t) b);
		case SP_BINARY_MUL:
			return (int64_t) ((uint64_t) a * (uint64_t) b);
		case SP_BINARY_DIV:
			return divides ? a / b : b == 0 ? 0 : (int64_t) (0 - (uint64_t) a);
		case SP_BINARY_POW:
			return power_integer(a, b);
		case SP_BINARY_MAX:
			return a > b ? a : b;
		case SP_BINARY_MIN:
			return a < b ? a : b;
		case SP_BINARY_MOD:
			return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
		case SP_BINARY_FMOD:
			return rest;
		case SP_BINARY_PRELU:
			return a < 0 ? (int64_t) ((uint64_t) a * (uint64_t) b) : a;
		case SP_BINARY_EQ:
			return a == b;
		case SP_BINARY_LT:
			return a < b;
		case SP_BINARY_LE:
			return a <= b;
		case SP_BINARY_GT:
			return a > b;
		case SP_BINARY_GE:
			return a >= b;
		case SP_BINARY_AND:
			return a != 0 && b != 0;
		case SP_BINARY_OR:
			return a != 0 || b != 0;
		default:
			return (a != 0) != (b != 0);
	}
}

void
sp_row_binary(const SpRow *row)
{
	SpBinary	kind = (SpBinary) row->general->kind;

	if (row->type == SP_TYPE_F32)
		binary_float(row, kind);
	else if (row->type == SP_TYPE_F64)
		binary_double(row, kind);
	else
		for (uint32_t at = 0; at < row->out_width; at++)
			((int64_t *) row->out)[at] = binary_integer(kind, ((const int64_t *) row->in[0])[at % row->width[0]],
														((const int64_t *) row->in[1])[at % row->width[1]]);
}
