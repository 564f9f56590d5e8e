/*
 * src/import/sp_onnx_window.c
 *
 * Convolutions and pools over the window [channels, length, ..] that a row
 * holds (Conv, MaxPool, AveragePool and their global forms, onnx
 * docs/Operators.md).
 *
 * Padding (sp_onnx_pad.c) and the elements of a pool's windows are lists of
 * indices, so that only a convolution of one axis needs a step of its own.
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

#define SP_ONNX_MAX_AXES 3

/* One axis that windows slide along. */
typedef struct SpOnnxSlide
{
	int64_t		size;
	int64_t		kernel;
	int64_t		stride;
	int64_t		dilation;
	int64_t		begin;			/* padding, begin and end */
	int64_t		end;
	int64_t		extra;			/* what the last window needs behind it (ceil_mode) */
	int64_t		out;
} SpOnnxSlide;

/* One number of an attribute for each axis; without it the defaults stay, which must be possible too. */
static SpStatus
sp_onnx_each_axis(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, size_t count, int64_t least,
				  int64_t *numbers)
{
	int64_t    *given;
	size_t		n;

	SP_TRY(sp_onnx_ints(onnx, node, name, SIZE_MAX, &given, &n));
	if (given && n != count)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%s has %zu numbers instead of %zu", name, n, count);
	for (size_t at = 0; at < count; at++)
	{
		numbers[at] = given ? given[at] : numbers[at];
		if (numbers[at] < least || numbers[at] > INT32_MAX)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%s of %lld is not possible", name, (long long) numbers[at]);
	}
	return SP_OK;
}

/*
 * Padding and extent of the result, by the formulas of MaxPool in
 * docs/Operators.md.  Steps that are never taken become 1, so that those that
 * are do not go beyond the padded axis.
 */
static SpStatus
sp_onnx_slide_extent(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpStr auto_pad, bool is_ceil, SpOnnxSlide *slide)
{
	int64_t		span = (slide->kernel - 1) * slide->dilation + 1;
	int64_t		room;

	if (slide->kernel == 1)
		slide->dilation = 1;
	if (!sp_str_is(auto_pad, "NOTSET"))
		slide->begin = slide->end = 0;
	if (sp_str_is(auto_pad, "SAME_UPPER") || sp_str_is(auto_pad, "SAME_LOWER"))
	{
		int64_t		total = (slide->size - 1) / slide->stride * slide->stride + span - slide->size;

		total = total < 0 ? 0 : total;
		slide->begin = sp_str_is(auto_pad, "SAME_UPPER") ? total / 2 : total - total / 2;
		slide->end = total - slide->begin;
	}
	else if (!sp_str_is(auto_pad, "NOTSET") && !sp_str_is(auto_pad, "VALID"))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "auto_pad is not possible");
	room = slide->size + slide->begin + slide->end - span;
	if (room < 0)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a window of %lld elements does not fit into %lld",
							(long long) span, (long long) (room + span));
	slide->out = room / slide->stride + 1;
	if (is_ceil && room % slide->stride != 0 && slide->out * slide->stride < slide->size + slide->begin)
		slide->extra = slide->out++ * slide->stride - room;
	if (slide->out == 1)
		slide->stride = 1;
	return SP_OK;
}

static SpStatus
sp_onnx_slides(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxValue *value, const int64_t *kernel,
			   SpOnnxSlide *slides)
{
	size_t		n = value->rank - 2;
	int64_t		strides[SP_ONNX_MAX_AXES] = {1, 1, 1};
	int64_t		dilations[SP_ONNX_MAX_AXES] = {1, 1, 1};
	int64_t		pads[2 * SP_ONNX_MAX_AXES] = {0};
	int64_t		ceil_mode;
	SpStr		auto_pad;

	SP_TRY(sp_onnx_each_axis(onnx, node, "strides", n, 1, strides));
	SP_TRY(sp_onnx_each_axis(onnx, node, "dilations", n, 1, dilations));
	SP_TRY(sp_onnx_each_axis(onnx, node, "pads", 2 * n, 0, pads));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "ceil_mode", 0, &ceil_mode));
	SP_TRY(sp_onnx_attribute_text(onnx, node, "auto_pad", "NOTSET", &auto_pad));
	for (size_t at = 0; at < n; at++)
	{
		slides[at] = (SpOnnxSlide) {
			.size = value->dims[at + 2], .kernel = kernel[at], .stride = strides[at], .dilation = dilations[at],
			.begin = pads[at], .end = pads[at + n]
		};
		SP_TRY(sp_onnx_slide_extent(onnx, node, auto_pad, ceil_mode != 0, &slides[at]));
	}
	return SP_OK;
}

/* Input 0: [rows, channels, one to three axes] of floats. */
static SpStatus
sp_onnx_window_input(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value)
{
	SP_TRY(sp_onnx_tensor(onnx, node, 0, value));
	if (value->row_axis != 0 || value->rank < 3 || value->rank > 2 + SP_ONNX_MAX_AXES || !sp_onnx_is_float(value->elem))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not [rows, channels, length] of floats is not supported");
	return SP_OK;
}

/* Padding on all sides of the trailing axes. */
static SpStatus
sp_onnx_pad_slides(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, const SpOnnxSlide *slides, double fill)
{
	int64_t		begin[SP_ONNX_MAX_RANK] = {0};
	int64_t		end[SP_ONNX_MAX_RANK] = {0};

	for (uint32_t at = 2; at < value->rank; at++)
	{
		begin[at] = slides[at - 2].begin;
		end[at] = slides[at - 2].end + slides[at - 2].extra;
	}
	return sp_onnx_pad_axes(onnx, node, value, begin, end, SP_ONNX_PAD_CONSTANT, fill);
}

/* Weights and biases as CONV has them. */
static SpStatus
sp_onnx_conv_numbers(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxValue *weights, SpGeneral *spec)
{
	SpOnnxValue bias = SP_ONNX_NONE;
	size_t		n_out = (size_t) weights->dims[0];
	size_t		n = weights->list.count;

	if (sp_onnx_has_input(node, 2))
	{
		SP_TRY(sp_onnx_fixed(onnx, node, 2, &bias));
		if (bias.list.count != n_out || bias.elem != weights->elem)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu biases for %zu outputs", bias.list.count, n_out);
	}
	if (n + n_out > UINT32_MAX)
		return sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "weights are too large");
	SP_TRY(sp_onnx_memory(onnx, n + n_out, sizeof(double), (void **) &spec->numbers));
	spec->n_numbers = (uint32_t) (n + n_out);
	memcpy(spec->numbers, weights->list.numbers, n * sizeof(double));
	if (bias.list.numbers)
		memcpy(spec->numbers + n, bias.list.numbers, n_out * sizeof(double));
	return SP_OK;
}

SpStatus
sp_onnx_conv(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue weights;
	const SpOnnxValue *input = &value;
	SpOnnxSlide slides[SP_ONNX_MAX_AXES];
	const SpOnnxSlide *slide = NULL;
	SpGeneral	spec = {0};
	int64_t		shape[SP_ONNX_MAX_AXES];
	int64_t		groups;

	SP_TRY(sp_onnx_window_input(onnx, node, &value));
	SP_TRY(sp_onnx_fixed(onnx, node, 1, &weights));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "group", 1, &groups));
	if (weights.rank != value.rank || weights.elem != value.elem || groups < 1 || groups > value.dims[1] ||
		value.dims[1] % groups != 0 || weights.dims[1] != value.dims[1] / groups || weights.dims[0] % groups != 0 ||
		weights.list.count == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "weights do not fit %lld channels in %lld groups",
							(long long) value.dims[1], (long long) groups);
	memcpy(shape, weights.dims + 2, (value.rank - 2) * sizeof(int64_t));
	SP_TRY(sp_onnx_each_axis(onnx, node, "kernel_shape", value.rank - 2, 1, shape));
	for (uint32_t at = 0; at < value.rank - 2; at++)
		if (shape[at] != weights.dims[at + 2])
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "weights do not have the shape of the kernel");
	SP_TRY(sp_onnx_slides(onnx, node, &value, weights.dims + 2, slides));
	for (uint32_t at = 0; at < value.rank - 2; at++)
	{
		bool		is_flat = slides[at].size == 1 && slides[at].kernel == 1 && slides[at].begin + slides[at].end == 0;

		if (slide && !is_flat && !(slide->size == 1 && slide->kernel == 1 && slide->begin + slide->end == 0))
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a convolution over more than one axis is not supported");
		slide = slide && is_flat ? slide : &slides[at];
	}
	SP_TRY(sp_onnx_pad_slides(onnx, node, &value, slides, 0));
	spec.dims[0] = (uint32_t) value.dims[1];
	spec.dims[1] = (uint32_t) (slide->size + slide->begin + slide->end);
	spec.dims[2] = (uint32_t) slide->kernel;
	spec.dims[3] = (uint32_t) slide->stride;
	spec.dims[4] = (uint32_t) slide->dilation;
	spec.dims[5] = (uint32_t) groups;
	SP_TRY(sp_onnx_conv_numbers(onnx, node, &weights, &spec));
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_CONV, spec, &input, 1, &value));
	value.dims[1] = weights.dims[0];
	for (uint32_t at = 2; at < value.rank; at++)
		value.dims[at] = slides[at - 2].out;
	return sp_onnx_define_output(onnx, node, 0, value);
}

/* How many elements each window has that count, in the shape of one channel. */
static SpStatus
sp_onnx_pool_counts(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxValue *value, const SpOnnxSlide *slides,
					bool with_pad, SpOnnxValue *counts)
{
	size_t		total = 1;

	*counts = (SpOnnxValue) {.kind = SP_ONNX_CONSTANT, .elem = value->elem, .rank = value->rank - 2, .row_axis = -1};
	for (uint32_t at = 0; at < counts->rank; at++)
		if (counts->dims[at] = slides[at].out, !sp_mul_size(total, (size_t) slides[at].out, &total))
			return sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "a tensor is too large");
	SP_TRY(sp_onnx_memory(onnx, total, sizeof(double), (void **) &counts->list.numbers));
	counts->list.count = total;
	for (size_t at = 0; at < total; at++)
	{
		size_t		rest = at;
		double		count = 1;

		if (at % 65536 == 65535)
			SP_TRY(sp_poll(onnx->cx));

		for (uint32_t axis = counts->rank; axis > 0; axis--)
		{
			const SpOnnxSlide *slide = &slides[axis - 1];
			int64_t		start = (int64_t) (rest % (size_t) slide->out) * slide->stride - slide->begin;
			int64_t		low = with_pad ? -slide->begin : 0;
			int64_t		high = slide->size + (with_pad ? slide->end : 0);
			int64_t		first = start >= low ? 0 : (low - start + slide->dilation - 1) / slide->dilation;
			int64_t		last = high <= start ? 0 : (high - start + slide->dilation - 1) / slide->dilation;

			last = last > slide->kernel ? slide->kernel : last;
			count *= last > first ? (double) (last - first) : 0;
			rest /= (size_t) slide->out;
		}
		if (count == 0)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a window in the padding is not supported");
		counts->list.numbers[at] = count;
	}
	return SP_OK;
}

SpStatus
sp_onnx_pool(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	bool		is_max = sp_str_is(sp_onnx_str(node->op_type), "MaxPool");
	SpOnnxValue value;
	SpOnnxValue counts;
	SpOnnxSlide slides[SP_ONNX_MAX_AXES];
	int64_t		kernel[SP_ONNX_MAX_AXES] = {0};
	int64_t		own[SP_ONNX_MAX_RANK];
	int64_t		dims[SP_ONNX_MAX_RANK];
	int64_t		strides[SP_ONNX_MAX_RANK];
	int64_t		include;
	uint32_t	n;

	SP_TRY(sp_onnx_window_input(onnx, node, &value));
	n = value.rank - 2;
	if (node->n_output > 1 && node->output[1].len > 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "the indices of its elements are not supported");
	SP_TRY(sp_onnx_each_axis(onnx, node, "kernel_shape", n, 1, kernel));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "count_include_pad", 0, &include));
	SP_TRY(sp_onnx_slides(onnx, node, &value, kernel, slides));
	for (uint32_t at = 0; at < n; at++)
		if (slides[at].begin >= kernel[at] * slides[at].dilation || slides[at].end >= kernel[at] * slides[at].dilation)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "padding is not smaller than the window");
	SP_TRY(sp_onnx_pool_counts(onnx, node, &value, slides, !is_max && include != 0, &counts));
	SP_TRY(sp_onnx_pad_slides(onnx, node, &value, slides, is_max ? -INFINITY : 0));
	sp_onnx_strides(&value, own);
	memcpy(dims, value.dims, sizeof(dims));
	memcpy(strides, own, sizeof(strides));
	for (uint32_t at = 0; at < n; at++)
	{
		dims[2 + at] = slides[at].out;
		strides[2 + at] = own[2 + at] * slides[at].stride;
		dims[2 + n + at] = slides[at].kernel;
		strides[2 + n + at] = own[2 + at] * slides[at].dilation;
	}
	SP_TRY(sp_onnx_view(onnx, node, &value, 2 + 2 * n, dims, strides, 0));
	SP_TRY(sp_onnx_reduce(onnx, node, is_max ? SP_REDUCE_MAX : SP_REDUCE_SUM, value, 2 + n, 1 + 2 * n, &value));
	value.rank = 2 + n;
	if (!is_max)
		SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_DIV, value, counts, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_global_pool(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	bool		is_max = sp_str_is(sp_onnx_str(node->op_type), "GlobalMaxPool");
	SpOnnxValue value;

	SP_TRY(sp_onnx_window_input(onnx, node, &value));
	SP_TRY(sp_onnx_reduce(onnx, node, is_max ? SP_REDUCE_MAX : SP_REDUCE_MEAN, value, 2, value.rank - 1, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}
