/*
 * src/import/sp_onnx_norms.c
 *
 * Normalizations at inference (onnx docs/Operators.md).
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

/* A constant of one axis as [n, 1, 1 ...], to meet the second axis of a tensor. */
static SpStatus
sp_onnx_channel(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, const SpOnnxValue *value, SpOnnxValue *channel)
{
	SP_TRY(sp_onnx_fixed(onnx, node, input, channel));
	if (channel->rank != 1 || value->rank < 2 || channel->dims[0] != value->dims[1] || channel->elem != value->elem)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "input %zu does not fit the channels", input);
	channel->rank = value->rank - 1;
	for (uint32_t at = 1; at < channel->rank; at++)
		channel->dims[at] = 1;
	return SP_OK;
}

/*
 * onnxruntime/core/providers/cpu/nn/batch_norm.h: one factor and one offset
 * for each channel, in lists of their own, since other nodes may share the inputs.
 */
static SpStatus
sp_onnx_batch_factors(SpOnnx *onnx, const SpOnnxValue *inputs, bool is_float, double epsilon, SpOnnxValue *factors,
					  SpOnnxValue *offsets)
{
	size_t		count = inputs[0].list.count;

	*factors = inputs[0];
	*offsets = inputs[1];
	SP_TRY(sp_onnx_memory(onnx, count, sizeof(double), (void **) &factors->list.numbers));
	SP_TRY(sp_onnx_memory(onnx, count, sizeof(double), (void **) &offsets->list.numbers));
	for (size_t at = 0; at < count; at++)
	{
		double		variance = inputs[3].list.numbers[at] + epsilon;
		double		factor = inputs[0].list.numbers[at] / (is_float ? sqrtf((float) variance) : sqrt(variance));
		double		offset;

		factor = is_float ? (float) factor : factor;
		offset = inputs[1].list.numbers[at] - inputs[2].list.numbers[at] * factor;
		factors->list.numbers[at] = factor;
		offsets->list.numbers[at] = is_float ? (float) offset : offset;
	}
	return SP_OK;
}

SpStatus
sp_onnx_batch_norm(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue inputs[4];
	SpOnnxValue factors;
	SpOnnxValue offsets;
	int64_t		training;
	double		epsilon;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_float(onnx, node, "epsilon", 1e-5f, &epsilon));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "training_mode", 0, &training));
	if (training != 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "training is not supported");
	if (!sp_onnx_is_float(value.elem))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not of floats is not supported");
	for (size_t at = 0; at < 4; at++)
		SP_TRY(sp_onnx_channel(onnx, node, at + 1, &value, &inputs[at]));
	SP_TRY(sp_onnx_batch_factors(onnx, inputs, value.elem == SP_ONNX_FLOAT, epsilon, &factors, &offsets));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_MUL, value, factors, &value));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_ADD, value, offsets, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

/*
 * Over the axes first to the last: without their mean (if it is asked for), by
 * the root of the mean square.  What was taken away and the root are given too.
 */
typedef struct SpOnnxSpread
{
	SpOnnxValue mean;			/* if it was asked for */
	SpOnnxValue root;
} SpOnnxSpread;

static SpStatus
sp_onnx_standardize(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, uint32_t first, bool has_mean,
					double epsilon, SpOnnxSpread *spread)
{
	SpOnnxValue square;

	if (value->row_axis >= (int) first)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it works across rows, which is not supported");
	if (has_mean)
	{
		SP_TRY(sp_onnx_reduce(onnx, node, SP_REDUCE_MEAN, *value, first, value->rank - 1, &spread->mean));
		SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_SUB, *value, spread->mean, value));
	}
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_MUL, *value, *value, &square));
	SP_TRY(sp_onnx_reduce(onnx, node, SP_REDUCE_MEAN, square, first, value->rank - 1, &square));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_ADD, square, sp_onnx_scalar(onnx, value->elem, epsilon), &square));
	SP_TRY(sp_onnx_apply(onnx, node, SP_APPLY_SQRT, 0, 0, square, &spread->root));
	return sp_onnx_binary(onnx, node, SP_BINARY_DIV, *value, spread->root, value);
}

/* Inputs 1 and 2, a factor and then an offset, either may be absent. */
static SpStatus
sp_onnx_rescale(SpOnnx *onnx, const SpOnnx__NodeProto *node, bool is_channel, SpOnnxValue *value)
{
	for (size_t at = 1; at <= 2; at++)
	{
		SpOnnxValue part;

		if (!sp_onnx_has_input(node, at))
			continue;
		if (is_channel)
			SP_TRY(sp_onnx_channel(onnx, node, at, value, &part));
		else
			SP_TRY(sp_onnx_tensor(onnx, node, at, &part));
		SP_TRY(sp_onnx_binary(onnx, node, at == 1 ? SP_BINARY_MUL : SP_BINARY_ADD, *value, part, value));
	}
	return SP_OK;
}

/* LayerNormalization, and RMSNormalization without the mean */
SpStatus
sp_onnx_layer_norm(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	bool		has_mean = sp_str_is(sp_onnx_str(node->op_type), "LayerNormalization");
	SpOnnxValue value;
	SpOnnxSpread spread;
	int64_t		number;
	uint32_t	axis;
	double		epsilon;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", -1, &number));
	SP_TRY(sp_onnx_float(onnx, node, "epsilon", 1e-5f, &epsilon));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	SP_TRY(sp_onnx_standardize(onnx, node, &value, axis, has_mean, epsilon, &spread));
	SP_TRY(sp_onnx_rescale(onnx, node, false, &value));
	SP_TRY(sp_onnx_define_output(onnx, node, 0, value));
	if (!has_mean || node->n_output < 2)
		return SP_OK;
	SP_TRY(sp_onnx_define_output(onnx, node, 1, spread.mean));
	SP_TRY(sp_onnx_apply(onnx, node, SP_APPLY_RECIPROCAL, 0, 0, spread.root, &spread.root));
	return sp_onnx_define_output(onnx, node, 2, spread.root);
}

/* Each channel of [rows, channels, ..] over what follows it. */
SpStatus
sp_onnx_instance_norm(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxSpread spread;
	double		epsilon;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_float(onnx, node, "epsilon", 1e-5f, &epsilon));
	if (value.rank < 3 || !sp_onnx_is_float(value.elem))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not [rows, channels, ..] of floats is not supported");
	SP_TRY(sp_onnx_standardize(onnx, node, &value, 2, true, epsilon, &spread));
	SP_TRY(sp_onnx_rescale(onnx, node, true, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

/* Channels in groups; factors are for each group up to opset 20, for each channel from then on. */
SpStatus
sp_onnx_group_norm(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	bool		is_old = sp_onnx_opset_of(onnx, node) < 21;
	SpOnnxValue value;
	SpOnnxValue grouped;
	SpOnnxSpread spread;
	int64_t		groups;
	double		epsilon;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_float(onnx, node, "epsilon", 1e-5f, &epsilon));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "num_groups", 0, &groups));
	if (value.rank < 2 || value.rank == SP_ONNX_MAX_RANK || !sp_onnx_is_float(value.elem) || value.row_axis != 0 || groups < 1 ||
		value.dims[1] % groups != 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not [rows, channels, ..] of floats, with channels in "
							"groups of one size, is not supported");
	grouped = value;
	memmove(grouped.dims + 2, grouped.dims + 1, (value.rank - 1) * sizeof(int64_t));
	grouped.rank++;
	grouped.dims[1] = groups;
	grouped.dims[2] = value.dims[1] / groups;
	SP_TRY(sp_onnx_standardize(onnx, node, &grouped, 2, true, epsilon, &spread));
	if (is_old)
		SP_TRY(sp_onnx_rescale(onnx, node, true, &grouped));
	memcpy(grouped.dims, value.dims, sizeof(value.dims));
	grouped.rank = value.rank;
	if (!is_old)
		SP_TRY(sp_onnx_rescale(onnx, node, true, &grouped));
	return sp_onnx_define_output(onnx, node, 0, grouped);
}

/* By the sum of absolute values or the root of the sum of squares along an axis; one of 0 leaves zeros. */
SpStatus
sp_onnx_lp_norm(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue norm;
	SpOnnxValue is_zero;
	int64_t		number;
	int64_t		order;
	uint32_t	axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", -1, &number));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "p", 2, &order));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	if (order != 1 && order != 2)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "p of %lld is not possible", (long long) order);
	SP_TRY(sp_onnx_reduce(onnx, node, order == 1 ? SP_REDUCE_L1 : SP_REDUCE_L2, value, axis, axis, &norm));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_EQ, norm, sp_onnx_scalar(onnx, norm.elem, 0), &is_zero));
	SP_TRY(sp_onnx_choose(onnx, node, is_zero, sp_onnx_scalar(onnx, norm.elem, 1), norm, &norm));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_DIV, value, norm, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}
