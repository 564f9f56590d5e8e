/*
 * src/import/sp_onnx_math.c
 *
 * Operators that compute element by element or over an axis (onnx
 * docs/Operators.md; defaults that depend on the opset as in docs/Changelog.md).
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

typedef struct SpOnnxFunction
{
	const char *name;
	int			kind;
} SpOnnxFunction;

static int
sp_onnx_kind(const SpOnnxFunction *functions, size_t count, const SpOnnx__NodeProto *node)
{
	for (size_t at = 0; at < count; at++)
		if (sp_str_is(sp_onnx_str(node->op_type), functions[at].name))
			return functions[at].kind;
	return 0;
}

#define SP_ONNX_KIND(functions, node) sp_onnx_kind((functions), sizeof(functions) / sizeof((functions)[0]), (node))

static const SpOnnxFunction sp_onnx_binaries[] = {
	{"Add", SP_BINARY_ADD}, {"Sub", SP_BINARY_SUB}, {"Mul", SP_BINARY_MUL}, {"Div", SP_BINARY_DIV},
	{"Pow", SP_BINARY_POW}, {"Mod", SP_BINARY_MOD}, {"PRelu", SP_BINARY_PRELU}, {"Equal", SP_BINARY_EQ},
	{"Less", SP_BINARY_LT}, {"LessOrEqual", SP_BINARY_LE}, {"Greater", SP_BINARY_GT},
	{"GreaterOrEqual", SP_BINARY_GE}, {"And", SP_BINARY_AND}, {"Or", SP_BINARY_OR}, {"Xor", SP_BINARY_XOR},
	{"Max", SP_BINARY_MAX}, {"Min", SP_BINARY_MIN}, {"Sum", SP_BINARY_ADD}, {"Mean", SP_BINARY_ADD}
};

SpStatus
sp_onnx_elementwise(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	int			kind = SP_ONNX_KIND(sp_onnx_binaries, node);
	int64_t		fmod = 0;
	int32_t		elem;
	SpOnnxValue a;
	SpOnnxValue b;
	SpOnnxValue result;

	SP_TRY(sp_onnx_loose(onnx, node, 0, &a));
	SP_TRY(sp_onnx_loose(onnx, node, 1, &b));
	if (kind == SP_BINARY_MOD)
		SP_TRY(sp_onnx_attribute_int(onnx, node, "fmod", 0, &fmod));
	if (fmod != 0)
		kind = SP_BINARY_FMOD;
	if (kind < SP_BINARY_EQ && !sp_onnx_is_float(a.elem) && a.elem != SP_ONNX_INT64 && a.elem != SP_ONNX_INT32)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "arithmetic of the element type %d is not supported", a.elem);
	elem = a.elem;
	if (kind == SP_BINARY_POW && b.elem != elem)
	{
		/* a whole number to a fraction is cut to a whole number at the end */
		int32_t		common = sp_onnx_is_float(b.elem) && !sp_onnx_is_float(elem) ? SP_ONNX_DOUBLE : elem;

		SP_TRY(sp_onnx_convert(onnx, node, a, common, &a));
		SP_TRY(sp_onnx_convert(onnx, node, b, common, &b));
	}
	SP_TRY(sp_onnx_binary(onnx, node, (SpBinary) kind, a, b, &result));
	if (kind == SP_BINARY_POW)
		SP_TRY(sp_onnx_convert(onnx, node, result, elem, &result));
	return sp_onnx_define_output(onnx, node, 0, result);
}

SpStatus
sp_onnx_variadic(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	int			kind = SP_ONNX_KIND(sp_onnx_binaries, node);
	SpOnnxValue result;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &result));
	for (size_t at = 1; at < node->n_input; at++)
	{
		SpOnnxValue next;

		SP_TRY(sp_onnx_tensor(onnx, node, at, &next));
		SP_TRY(sp_onnx_binary(onnx, node, (SpBinary) kind, result, next, &result));
	}
	if (sp_str_is(sp_onnx_str(node->op_type), "Mean"))
		SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_DIV, result,
							  sp_onnx_scalar(onnx, result.elem, (double) node->n_input), &result));
	return sp_onnx_define_output(onnx, node, 0, result);
}

/* A function with its parameters: names of attributes with their defaults. */
typedef struct SpOnnxUnary
{
	const char *name;
	SpApply		kind;
	const char *a;
	double		a_default;
	const char *b;
	double		b_default;
} SpOnnxUnary;

static const SpOnnxUnary sp_onnx_unaries[] = {
	{"Sigmoid", SP_APPLY_SIGMOID, NULL, 0, NULL, 0}, {"Exp", SP_APPLY_EXP, NULL, 0, NULL, 0},
	{"Sqrt", SP_APPLY_SQRT, NULL, 0, NULL, 0}, {"Log", SP_APPLY_LOG, NULL, 0, NULL, 0},
	{"Abs", SP_APPLY_ABS, NULL, 0, NULL, 0}, {"Neg", SP_APPLY_NEGATE, NULL, 0, NULL, 0},
	{"Sign", SP_APPLY_SIGN, NULL, 0, NULL, 0}, {"Relu", SP_APPLY_RELU, NULL, 0, NULL, 0},
	{"Not", SP_APPLY_NOT, NULL, 0, NULL, 0}, {"IsNaN", SP_APPLY_IS_NAN, NULL, 0, NULL, 0},
	{"LeakyRelu", SP_APPLY_LEAKY_RELU, "alpha", 0.01, NULL, 0}, {"Elu", SP_APPLY_ELU, "alpha", 1, NULL, 0},
	{"Selu", SP_APPLY_SELU, "alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875},
	{"Celu", SP_APPLY_CELU, "alpha", 1, NULL, 0}, {"Tanh", SP_APPLY_TANH, NULL, 0, NULL, 0},
	{"HardSigmoid", SP_APPLY_HARD_SIGMOID, "alpha", 0.2, "beta", 0.5},
	{"HardSwish", SP_APPLY_HARD_SWISH, NULL, 1.0 / 6, NULL, 0.5}, {"Swish", SP_APPLY_SWISH, "alpha", 1, NULL, 0},
	{"Softplus", SP_APPLY_SOFTPLUS, NULL, 0, NULL, 0}, {"Softsign", SP_APPLY_SOFTSIGN, NULL, 0, NULL, 0},
	{"Mish", SP_APPLY_MISH, NULL, 0, NULL, 0}, {"ThresholdedRelu", SP_APPLY_THRESHOLD, "alpha", 1, NULL, 0},
	{"Shrink", SP_APPLY_SHRINK, "lambd", 0.5, "bias", 0}, {"Floor", SP_APPLY_FLOOR, NULL, 0, NULL, 0},
	{"Ceil", SP_APPLY_CEIL, NULL, 0, NULL, 0}, {"Round", SP_APPLY_ROUND, NULL, 0, NULL, 0},
	{"Erf", SP_APPLY_ERF, NULL, 0, NULL, 0}, {"Reciprocal", SP_APPLY_RECIPROCAL, NULL, 0, NULL, 0},
	{"Sin", SP_APPLY_SIN, NULL, 0, NULL, 0}, {"Cos", SP_APPLY_COS, NULL, 0, NULL, 0},
	{"Tan", SP_APPLY_TAN, NULL, 0, NULL, 0}, {"Asin", SP_APPLY_ASIN, NULL, 0, NULL, 0},
	{"Acos", SP_APPLY_ACOS, NULL, 0, NULL, 0}, {"Atan", SP_APPLY_ATAN, NULL, 0, NULL, 0},
	{"Sinh", SP_APPLY_SINH, NULL, 0, NULL, 0}, {"Cosh", SP_APPLY_COSH, NULL, 0, NULL, 0},
	{"Asinh", SP_APPLY_ASINH, NULL, 0, NULL, 0}, {"Acosh", SP_APPLY_ACOSH, NULL, 0, NULL, 0},
	{"Atanh", SP_APPLY_ATANH, NULL, 0, NULL, 0}, {"Gelu", SP_APPLY_GELU, NULL, 0, NULL, 0},
};

SpStatus
sp_onnx_unary(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	static double sign_numbers[] = {-1, 0, 1};
	static const SpOnnxList signs = {.count = 3, .numbers = sign_numbers};
	const SpOnnxUnary *unary = sp_onnx_unaries;
	SpOnnxValue value;
	SpOnnxValue result;
	SpApply		kind;
	double		a;
	double		b;

	while (!sp_str_is(sp_onnx_str(node->op_type), unary->name))
		unary++;
	kind = unary->kind;
	a = unary->a_default;
	b = unary->b_default;
	SP_TRY(sp_onnx_loose(onnx, node, 0, &value));
	if (unary->a)
		SP_TRY(sp_onnx_float(onnx, node, unary->a, a, &a));
	if (unary->b)
		SP_TRY(sp_onnx_float(onnx, node, unary->b, b, &b));
	if (kind == SP_APPLY_GELU)
	{
		SpStr		text;

		SP_TRY(sp_onnx_attribute_text(onnx, node, "approximate", "none", &text));
		kind = sp_str_is(text, "tanh") ? SP_APPLY_GELU_TANH : SP_APPLY_GELU;
	}
	SP_TRY(sp_onnx_apply(onnx, node, kind, a, b, value, &result));
	/* converters of outlier detectors make the label of it */
	if (kind == SP_APPLY_SIGN && value.kind != SP_ONNX_CONSTANT)
	{
		result.domain = &signs;
		result.is_sign = true;
		result.sign_of = value.value;
	}
	return sp_onnx_define_output(onnx, node, 0, result);
}

SpStatus
sp_onnx_clip(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	double		low;
	double		high;
	double		most;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	most = sp_onnx_is_float(value.elem) ? INFINITY : 0x1p53;
	SP_TRY(sp_onnx_number(onnx, node, "min", 1, -most, &low));
	SP_TRY(sp_onnx_number(onnx, node, "max", 2, most, &high));
	SP_TRY(sp_onnx_apply(onnx, node, SP_APPLY_CLIP, low, high, value, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_where(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue inputs[3];

	for (size_t at = 0; at < 3; at++)
		SP_TRY(sp_onnx_loose(onnx, node, at, &inputs[at]));
	SP_TRY(sp_onnx_choose(onnx, node, inputs[0], inputs[1], inputs[2], &inputs[0]));
	return sp_onnx_define_output(onnx, node, 0, inputs[0]);
}

static const SpOnnxFunction sp_onnx_reductions[] = {
	{"ReduceSum", SP_REDUCE_SUM}, {"ReduceMean", SP_REDUCE_MEAN}, {"ReduceMax", SP_REDUCE_MAX},
	{"ReduceMin", SP_REDUCE_MIN}, {"ReduceProd", SP_REDUCE_PROD}, {"ReduceL1", SP_REDUCE_L1},
	{"ReduceL2", SP_REDUCE_L2}, {"ReduceSumSquare", SP_REDUCE_SQUARES}, {"ReduceLogSum", SP_REDUCE_LOG_SUM},
	{"ReduceLogSumExp", SP_REDUCE_LOG_SUM_EXP}, {"ArgMax", SP_REDUCE_ARGMAX}, {"ArgMin", SP_REDUCE_ARGMIN}
};

static void
sp_onnx_drop_axes(SpOnnxValue *value, uint32_t gone)
{
	uint32_t	rank = 0;
	int			row_axis = -1;

	for (uint32_t at = 0; at < value->rank; at++)
	{
		if (gone >> at & 1)
			continue;
		if ((int) at == value->row_axis)
			row_axis = (int) rank;
		value->dims[rank++] = value->dims[at];
	}
	value->rank = rank;
	value->row_axis = row_axis;
}

/* Bring the axes of the mask to the end, so that they are one group. */
static SpStatus
sp_onnx_axes_last(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, uint32_t axes)
{
	int64_t		own[SP_ONNX_MAX_RANK];
	int64_t		dims[SP_ONNX_MAX_RANK];
	int64_t		strides[SP_ONNX_MAX_RANK];
	uint32_t	to = 0;

	sp_onnx_strides(value, own);
	for (int last = 0; last < 2; last++)
		for (uint32_t at = 0; at < value->rank; at++)
			if ((axes >> at & 1) == (uint32_t) last)
			{
				dims[to] = value->dims[at];
				strides[to++] = own[at];
			}
	return sp_onnx_view(onnx, node, value, value->rank, dims, strides, 0);
}

SpStatus
sp_onnx_reduction(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpReduce	kind = (SpReduce) SP_ONNX_KIND(sp_onnx_reductions, node);
	SpOnnxValue value;
	SpOnnxValue moved;
	SpOnnxValue result;
	int64_t    *axes;
	size_t		count;
	int64_t		keep;
	int64_t		noop;
	uint32_t	mask = 0;
	uint32_t	n = 0;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_ints(onnx, node, "axes", 1, &axes, &count));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "keepdims", 1, &keep));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "noop_with_empty_axes", 0, &noop));
	if ((axes == NULL || count == 0) && noop != 0)
		return sp_onnx_define_output(onnx, node, 0, value);
	for (size_t at = 0; at < (axes && count > 0 ? count : value.rank); at++)
	{
		uint32_t	axis;

		SP_TRY(sp_onnx_axis(onnx, node, &value, axes && count > 0 ? axes[at] : (int64_t) at, &axis));
		n += !(mask >> axis & 1);
		mask |= UINT32_C(1) << axis;
	}
	if (n == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "no axes are not supported");
	moved = value;
	SP_TRY(sp_onnx_axes_last(onnx, node, &moved, mask));
	SP_TRY(sp_onnx_reduce(onnx, node, kind, moved, value.rank - n, value.rank - 1, &result));
	value.kind = SP_ONNX_NUMBERS;
	value.value = result.value;
	value.domain = NULL;
	value.n_results = 0;
	for (uint32_t at = 0; at < value.rank; at++)
		if (mask >> at & 1)
			value.dims[at] = 1;
	if (keep == 0)
		sp_onnx_drop_axes(&value, mask);
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_argument(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	int			kind = SP_ONNX_KIND(sp_onnx_reductions, node);
	SpOnnxValue value;
	int64_t		number;
	int64_t		keep;
	int64_t		last;
	uint32_t	axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", 0, &number));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "keepdims", 1, &keep));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "select_last_index", 0, &last));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	SP_TRY(sp_onnx_reduce(onnx, node, (SpReduce) (kind + (last != 0 ? 2 : 0)), value, axis, axis, &value));
	if (keep == 0)
		sp_onnx_drop_axes(&value, UINT32_C(1) << axis);
	return sp_onnx_define_output(onnx, node, 0, value);
}

/* Before opset 13 all axes from the given one on are one group. */
SpStatus
sp_onnx_softmax(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	static const SpOnnxFunction functions[] = {
		{"Softmax", SP_GROUP_SOFTMAX}, {"LogSoftmax", SP_GROUP_LOG_SOFTMAX}, {"Hardmax", SP_GROUP_HARDMAX}
	};
	SpOnnxValue value;
	const SpOnnxValue *input = &value;
	SpGeneral	spec = {.kind = (uint32_t) SP_ONNX_KIND(functions, node)};
	bool		is_old = sp_onnx_opset_of(onnx, node) < 13;
	int64_t		number;
	uint32_t	axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", is_old ? 1 : -1, &number));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	if (is_old && value.row_axis > (int) axis)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "it works across rows, which is not supported");
	sp_onnx_groups(&value, axis, is_old ? value.rank - 1 : axis, spec.dims);
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_GROUP, spec, &input, 1, &value));
	value.is_probability = spec.kind == SP_GROUP_SOFTMAX;
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_cumsum(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	const SpOnnxValue *input = &value;
	SpGeneral	spec = {.kind = SP_GROUP_CUMSUM};
	int64_t    *axes;
	size_t		count;
	int64_t		exclusive;
	int64_t		reverse;
	uint32_t	axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_ints(onnx, node, NULL, 1, &axes, &count));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "exclusive", 0, &exclusive));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "reverse", 0, &reverse));
	if (count != 1)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there is not one axis");
	SP_TRY(sp_onnx_axis(onnx, node, &value, axes[0], &axis));
	sp_onnx_groups(&value, axis, axis, spec.dims);
	spec.dims[3] = (exclusive != 0 ? 1 : 0) | (reverse != 0 ? 2 : 0);
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_GROUP, spec, &input, 1, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_topk(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue index;
	SpOnnxValue best;
	const SpOnnxValue *inputs[2] = {&value, &index};
	SpGeneral	spec = {0};
	int64_t    *ks;
	size_t		count;
	int64_t		k;
	int64_t		number;
	int64_t		largest;
	uint32_t	axis;

	SP_TRY(sp_onnx_operand(onnx, node, 0, &value));
	/* an attribute before opset 10 */
	SP_TRY(sp_onnx_attribute_int(onnx, node, "k", 0, &k));
	SP_TRY(sp_onnx_ints(onnx, node, NULL, 1, &ks, &count));
	if (ks)
		k = count == 1 ? ks[0] : 0;
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", -1, &number));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "largest", 1, &largest));
	SP_TRY(sp_onnx_axis(onnx, node, &value, number, &axis));
	if (k <= 0 || k > value.dims[axis])
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the number of elements is not possible");
	sp_onnx_groups(&value, axis, axis, spec.dims);
	spec.dims[3] = (uint32_t) k;
	spec.kind = largest != 0;
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_TOPK, spec, inputs, 1, &index));
	index.elem = SP_ONNX_INT64;
	index.below = value.dims[axis];
	index.dims[axis] = k;
	spec.dims[3] = 0;
	spec.kind = 1;
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_TAKE, spec, inputs, 2, &best));
	best.dims[axis] = k;
	SP_TRY(sp_onnx_define_output(onnx, node, 0, best));
	return sp_onnx_define_output(onnx, node, 1, index);
}

/* A new axis of depth elements: on where the index is, counted from the end if negative, else off. */
SpStatus
sp_onnx_choices(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue index;
	SpOnnxValue values;
	SpOnnxValue places = {.kind = SP_ONNX_CONSTANT, .elem = SP_ONNX_INT64, .row_axis = -1};
	SpOnnxValue others;
	SpOnnxValue found[2];
	int64_t    *depth;
	size_t		count;
	int64_t		axis;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &index));
	SP_TRY(sp_onnx_ints(onnx, node, NULL, 1, &depth, &count));
	SP_TRY(sp_onnx_fixed(onnx, node, 2, &values));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "axis", -1, &axis));
	axis += axis < 0 ? index.rank + 1 : 0;
	if (count != 1 || depth[0] < 1 || depth[0] > INT32_MAX || values.list.count != 2 || values.list.numbers == NULL ||
		axis < 0 || axis > index.rank || index.rank == SP_ONNX_MAX_RANK)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the depth, the axis or the values are not possible");
	SP_TRY(sp_onnx_convert(onnx, node, index, SP_ONNX_INT64, &index));
	memmove(index.dims + axis + 1, index.dims + axis, (index.rank - (size_t) axis) * sizeof(int64_t));
	index.dims[axis] = 1;
	index.row_axis += index.row_axis >= axis;
	index.rank++;
	places.rank = index.rank - (uint32_t) axis;
	for (uint32_t at = 0; at < places.rank; at++)
		places.dims[at] = at == 0 ? depth[0] : 1;
	places.list.count = (size_t) depth[0];
	others = places;
	SP_TRY(sp_onnx_memory(onnx, places.list.count, sizeof(double), (void **) &places.list.numbers));
	SP_TRY(sp_onnx_memory(onnx, places.list.count, sizeof(double), (void **) &others.list.numbers));
	for (size_t at = 0; at < places.list.count; at++)
	{
		places.list.numbers[at] = (double) at;
		others.list.numbers[at] = (double) at - (double) depth[0];
	}
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_EQ, index, places, &found[0]));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_EQ, index, others, &found[1]));
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_OR, found[0], found[1], &found[0]));
	SP_TRY(sp_onnx_choose(onnx, node, found[0], sp_onnx_scalar(onnx, values.elem, values.list.numbers[1]),
						  sp_onnx_scalar(onnx, values.elem, values.list.numbers[0]), &values));
	return sp_onnx_define_output(onnx, node, 0, values);
}
