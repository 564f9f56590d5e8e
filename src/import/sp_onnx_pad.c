/*
 * src/import/sp_onnx_pad.c
 *
 * Padding (onnx docs/Operators.md, Pad): every element of the result is one of
 * the input or the fill, so that all modes are lists of indices.
 */
#include <string.h>

#include "import/sp_onnx_internal.h"

/* Where element at of a padded axis comes from, counted from the first one of the axis; -1 for the fill. */
static int64_t
sp_onnx_pad_source(SpOnnxPad mode, int64_t at, int64_t size)
{
	int64_t		period = mode == SP_ONNX_PAD_REFLECT ? 2 * (size - 1) : size;

	if (at >= 0 && at < size)
		return at;
	if (mode == SP_ONNX_PAD_CONSTANT)
		return -1;
	if (mode == SP_ONNX_PAD_EDGE || period == 0)
		return at < 0 ? 0 : size - 1;
	at = (at % period + period) % period;
	return at < size ? at : period - at;
}

SpStatus
sp_onnx_pad_axes(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, const int64_t *begin,
				 const int64_t *end, SpOnnxPad mode, double fill)
{
	int64_t		own[SP_ONNX_MAX_RANK];
	int64_t		sizes[SP_ONNX_MAX_RANK];
	int64_t		place[SP_ONNX_MAX_RANK] = {0};
	size_t		count = 1;
	uint32_t   *indices;

	sp_onnx_strides(value, own);
	memcpy(sizes, value->dims, sizeof(sizes));
	for (uint32_t at = 0; at < value->rank; at++)
	{
		value->dims[at] += begin[at] + end[at];
		if (value->dims[at] <= 0)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a tensor without elements is not supported");
		if (!sp_mul_size(count, (size_t) value->dims[at], &count) || count > UINT32_MAX)
			return sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "a tensor is too large");
	}
	SP_TRY(sp_onnx_memory(onnx, count, sizeof(uint32_t), (void **) &indices));
	for (size_t at = 0; at < count; at++)
	{
		uint32_t	from = 0;

		if (at % 65536 == 65535)
			SP_TRY(sp_poll(onnx->cx));
		for (uint32_t axis = 0; axis < value->rank && from != SP_NO_INDEX; axis++)
		{
			int64_t		source = sp_onnx_pad_source(mode, place[axis] - begin[axis], sizes[axis]);

			from = source < 0 ? SP_NO_INDEX : from + (uint32_t) (source * own[axis]);
		}
		indices[at] = from;
		for (uint32_t axis = value->rank; axis > 0 && ++place[axis - 1] == value->dims[axis - 1]; axis--)
			place[axis - 1] = 0;
	}
	SP_TRY(sp_onnx_pick(onnx, node, value, indices, count, fill));
	sp_free(onnx->cx, indices);
	value->domain = NULL;
	value->below = 0;
	return SP_OK;
}

static SpStatus
sp_onnx_pad_mode(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxPad *mode)
{
	static const char *const names[] = {"constant", "edge", "reflect", "wrap"};
	SpStr		text;

	SP_TRY(sp_onnx_attribute_text(onnx, node, "mode", "constant", &text));
	for (int at = 0; at < 4; at++)
		if (sp_str_is(text, names[at]))
		{
			*mode = (SpOnnxPad) at;
			return SP_OK;
		}
	return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the mode is not constant, edge, reflect or wrap");
}

/* Attributes up to opset 10, then inputs; from opset 18 on the axes may be named. */
SpStatus
sp_onnx_pad(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxPad	mode = SP_ONNX_PAD_CONSTANT;
	int64_t    *pads;
	int64_t    *axes;
	int64_t		begin[SP_ONNX_MAX_RANK] = {0};
	int64_t		end[SP_ONNX_MAX_RANK] = {0};
	size_t		n_pads;
	size_t		n_axes;
	double		fill;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_pad_mode(onnx, node, &mode));
	SP_TRY(sp_onnx_ints(onnx, node, "pads", 1, &pads, &n_pads));
	SP_TRY(sp_onnx_number(onnx, node, "value", 2, 0, &fill));
	SP_TRY(sp_onnx_ints(onnx, node, NULL, 3, &axes, &n_axes));
	if (value.elem == SP_ONNX_STRING)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "strings are not supported");
	n_axes = axes ? n_axes : value.rank;
	if (n_axes > value.rank || n_pads != 2 * n_axes)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu pads for %zu of %u axes", n_pads, n_axes, value.rank);
	for (size_t at = 0; at < n_axes; at++)
	{
		int64_t		before = pads[at];
		int64_t		after = pads[at + n_axes];
		uint32_t	axis;

		if (before == 0 && after == 0)
			continue;
		SP_TRY(sp_onnx_axis(onnx, node, &value, axes ? axes[at] : (int64_t) at, &axis));
		if (before < -INT32_MAX || before > INT32_MAX || after < -INT32_MAX || after > INT32_MAX ||
			(mode != SP_ONNX_PAD_CONSTANT && (before < 0 || after < 0)))
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "pads of %lld and %lld are not supported", (long long) before,
								(long long) after);
		begin[axis] = before;
		end[axis] = after;
	}
	SP_TRY(sp_onnx_pad_axes(onnx, node, &value, begin, end, mode, fill));
	return sp_onnx_define_output(onnx, node, 0, value);
}
