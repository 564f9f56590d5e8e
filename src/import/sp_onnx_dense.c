/*
 * src/import/sp_onnx_dense.c
 *
 * Matrix products.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

/* A matrix [k, n], or [n, k] if it is stored turned, as n rows of k; times factor. */
static SpStatus
sp_onnx_weights(SpOnnx *onnx, const SpOnnxValue *matrix, bool is_turned, double factor, double **weights)
{
	size_t		k = (size_t) matrix->dims[is_turned ? 1 : 0];
	size_t		n = (size_t) matrix->dims[is_turned ? 0 : 1];
	void	   *memory;

	SP_TRY(sp_onnx_memory(onnx, k * n, sizeof(double), &memory));
	*weights = memory;
	for (size_t i = 0; i < n; i++)
		for (size_t at = 0; at < k; at++)
			(*weights)[i * k + at] = factor * matrix->list.numbers[is_turned ? i * k + at : at * n + i];
	return SP_OK;
}

/* Two values, both or one of which have rows: batches in front. */
static SpStatus
sp_onnx_product(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue a, SpOnnxValue b)
{
	const SpOnnxValue *inputs[2] = {&a, &b};
	SpGeneral	spec = {.dims = {1}};
	SpOnnxValue made;
	uint32_t	rank = a.rank > b.rank ? a.rank : b.rank;

	if (a.rank < 2 || b.rank < 2 || a.dims[a.rank - 1] != b.dims[b.rank - 2] || a.row_axis == (int) a.rank - 1 ||
		b.row_axis == (int) b.rank - 2 ||
		(a.row_axis >= 0 && b.row_axis >= 0 && a.row_axis - (int) a.rank != b.row_axis - (int) b.rank))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a product of these shapes is not supported");
	if ((a.row_axis >= 0 && b.row_axis >= 0 && a.row_axis >= (int) a.rank - 2))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it mixes rows, which is not supported");
	made = a.rank >= b.rank ? a : b;
	for (uint32_t at = 0; at + 2 < rank; at++)
	{
		int64_t		x = at + a.rank >= rank ? a.dims[at + a.rank - rank] : 1;
		int64_t		y = at + b.rank >= rank ? b.dims[at + b.rank - rank] : 1;

		made.dims[at] = x > y ? x : y;
		spec.dims[0] *= (uint32_t) made.dims[at];
	}
	spec.dims[1] = (uint32_t) a.dims[a.rank - 2];
	spec.dims[2] = (uint32_t) a.dims[a.rank - 1];
	spec.dims[3] = (uint32_t) b.dims[b.rank - 1];
	made.dims[rank - 2] = spec.dims[1];
	made.dims[rank - 1] = spec.dims[3];
	made.row_axis = a.row_axis >= 0 ? a.row_axis + (int) (rank - a.rank) :
		b.row_axis >= 0 ? b.row_axis + (int) (rank - b.rank) : -1;
	if (made.row_axis >= 0 && made.row_axis < (int) rank - 2 && made.dims[made.row_axis] != 1)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a constant for each row is not supported");
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_PRODUCT, spec, inputs, 2, &a));
	made.kind = SP_ONNX_NUMBERS;
	made.value = a.value;
	made.elem = a.elem;
	made.domain = NULL;
	return sp_onnx_define_output(onnx, node, 0, made);
}

SpStatus
sp_onnx_matmul(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue a;
	SpOnnxValue b;
	double	   *weights;
	bool		is_vector;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &a));
	SP_TRY(sp_onnx_tensor(onnx, node, 1, &b));
	if (a.elem != b.elem || !sp_onnx_is_float(a.elem))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "operands of different or integer types are not supported");
	is_vector = b.kind == SP_ONNX_CONSTANT && b.rank == 1;
	if (is_vector)
	{
		b.rank = 2;
		b.dims[1] = 1;
	}
	if (b.kind == SP_ONNX_CONSTANT && b.rank == 2 && a.rank >= 1 && a.row_axis != (int) a.rank - 1)
	{
		if (a.dims[a.rank - 1] != b.dims[0])
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%lld columns for %lld rows", (long long) a.dims[a.rank - 1], (long long) b.dims[0]);
		SP_TRY(sp_onnx_weights(onnx, &b, false, 1, &weights));
		SP_TRY(sp_onnx_matrix(onnx, node, a, (uint32_t) b.dims[1], weights, NULL, &a));
		a.rank -= is_vector;
		return sp_onnx_define_output(onnx, node, 0, a);
	}
	return sp_onnx_product(onnx, node, a, b);
}

SpStatus
sp_onnx_gemm(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue a;
	SpOnnxValue b;
	SpOnnxValue c = SP_ONNX_NONE;
	int64_t		turned[2];
	double		factors[2];
	double	   *weights;
	double	   *bias = NULL;
	int64_t		n;
	bool		has_c = sp_onnx_has_input(node, 2);

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &a));
	SP_TRY(sp_onnx_fixed(onnx, node, 1, &b));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "transA", 0, &turned[0]));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "transB", 0, &turned[1]));
	SP_TRY(sp_onnx_float(onnx, node, "alpha", 1, &factors[0]));
	SP_TRY(sp_onnx_float(onnx, node, "beta", 1, &factors[1]));
	if (has_c)
		SP_TRY(sp_onnx_tensor(onnx, node, 2, &c));
	if (a.rank != 2 || b.rank != 2 || turned[0] != 0 || a.row_axis > 0 || a.elem != b.elem || !sp_onnx_is_float(a.elem) ||
		a.dims[1] != b.dims[turned[1] != 0 ? 1 : 0])
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "operands of these shapes or types are not supported");
	n = b.dims[turned[1] != 0 ? 0 : 1];
	SP_TRY(sp_onnx_weights(onnx, &b, turned[1] != 0, factors[0], &weights));
	if (has_c && c.kind == SP_ONNX_CONSTANT && (c.list.count == 1 || (int64_t) c.list.count == n) &&
		(c.rank < 2 || c.dims[c.rank - 1] == (int64_t) c.list.count))
	{
		SP_TRY(sp_onnx_memory(onnx, (size_t) n, sizeof(double), (void **) &bias));
		for (int64_t at = 0; at < n; at++)
			bias[at] = factors[1] * c.list.numbers[c.list.count == 1 ? 0 : at];
		has_c = false;
	}
	SP_TRY(sp_onnx_matrix(onnx, node, a, (uint32_t) n, weights, bias, &a));
	if (has_c)
	{
		SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_MUL, c, sp_onnx_scalar(onnx, c.elem, factors[1]), &c));
		SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_ADD, a, c, &a));
	}
	return sp_onnx_define_output(onnx, node, 0, a);
}
