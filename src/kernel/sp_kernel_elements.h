/*
 * src/kernel/sp_kernel_elements.h
 *
 * Elementwise functions: a template of sp_kernel_typed.h.
 */

static NUMBER
NAME(apply_more)(SpApply kind, NUMBER x)
{
	switch (kind)
	{
		case SP_APPLY_SIN:
			return CALL(sin)(x);
		case SP_APPLY_COS:
			return CALL(cos)(x);
		case SP_APPLY_TAN:
			return CALL(tan)(x);
		case SP_APPLY_ASIN:
			return CALL(asin)(x);
		case SP_APPLY_ACOS:
			return CALL(acos)(x);
		case SP_APPLY_ATAN:
			return CALL(atan)(x);
		case SP_APPLY_SINH:
			return CALL(sinh)(x);
		case SP_APPLY_COSH:
			return CALL(cosh)(x);
		case SP_APPLY_ASINH:
			return CALL(asinh)(x);
		case SP_APPLY_ACOSH:
			return CALL(acosh)(x);
		case SP_APPLY_ATANH:
			return CALL(atanh)(x);
		case SP_APPLY_PROBIT:
			return NAME(sp_probit)(x);
		default:
			return x;
	}
}

/* ln(1 + exp x), without overflow */
static NUMBER
NAME(softplus)(NUMBER x)
{
	return x > 0 ? x + CALL(log1p)(CALL(exp)(-x)) : CALL(log1p)(CALL(exp)(x));
}

static NUMBER
NAME(apply_activation)(SpApply kind, NUMBER x, NUMBER a, NUMBER b)
{
	const NUMBER half_root = (NUMBER) 0.70710678118654752440;

	switch (kind)
	{
		case SP_APPLY_LEAKY_RELU:
			return x >= 0 ? x : a * x;
		case SP_APPLY_ELU:
			return x < 0 ? a * (CALL(exp)(x) - 1) : x;
		case SP_APPLY_SELU:
			return b * (x > 0 ? x : a * CALL(exp)(x) - a);
		case SP_APPLY_CELU:
			return x > 0 ? x : a * (CALL(exp)(x / a) - 1);
		case SP_APPLY_HARD_SIGMOID:
			x = a * x + b;
			return x < 0 ? 0 : x > 1 ? 1 : x;
		case SP_APPLY_HARD_SWISH:
			b = a * x + b;
			return x * (b < 0 ? 0 : b > 1 ? 1 : b);
		case SP_APPLY_SWISH:
			return x * NAME(sp_sigmoid)(a * x);
		case SP_APPLY_SOFTPLUS:
			return NAME(softplus)(x);
		case SP_APPLY_SOFTSIGN:
			return x / (1 + CALL(fabs)(x));
		case SP_APPLY_GELU:
			return (NUMBER) 0.5 * x * (1 + CALL(erf)(x * half_root));
		case SP_APPLY_GELU_TANH:
			return (NUMBER) 0.5 * x * (1 + CALL(tanh)((NUMBER) 0.79788456080286535588 * (x + (NUMBER) 0.044715 * x * x * x)));
		case SP_APPLY_MISH:
			return x * CALL(tanh)(NAME(softplus)(x));
		case SP_APPLY_THRESHOLD:
			return x > a ? x : 0;
		case SP_APPLY_SHRINK:
			return x < -a ? x + b : x > a ? x - b : 0;
		case SP_APPLY_AFFINE:
			return a * x + b;
		case SP_APPLY_SCALED_TANH:
			return a * CALL(tanh)(b * x);
		default:
			return NAME(apply_more)(kind, x);
	}
}

NUMBER
NAME(sp_apply)(SpApply kind, NUMBER x, NUMBER a, NUMBER b)
{
	switch (kind)
	{
		case SP_APPLY_SIGMOID:
			return NAME(sp_sigmoid)(x);
		case SP_APPLY_EXP:
			return CALL(exp)(x);
		case SP_APPLY_SQRT:
			return CALL(sqrt)(x);
		case SP_APPLY_LOG:
			return CALL(log)(x);
		case SP_APPLY_ABS:
			return CALL(fabs)(x);
		case SP_APPLY_NEGATE:
			return -x;
		case SP_APPLY_SIGN:
			return x > 0 ? 1 : x < 0 ? -1 : x;
		case SP_APPLY_RELU:
			return x < 0 ? 0 : x;
		case SP_APPLY_CLIP:
			x = x < a ? a : x;
			return x > b ? b : x;
		case SP_APPLY_TANH:
			return CALL(tanh)(x);
		case SP_APPLY_FLOOR:
			return CALL(floor)(x);
		case SP_APPLY_CEIL:
			return CALL(ceil)(x);
		case SP_APPLY_ROUND:
			return CALL(rint)(x);
		case SP_APPLY_ERF:
			return CALL(erf)(x);
		case SP_APPLY_RECIPROCAL:
			return 1 / x;
		default:
			return NAME(apply_activation)(kind, x, a, b);
	}
}

static NUMBER
NAME(modulo)(NUMBER a, NUMBER b)
{
	NUMBER		rest = CALL(fmod)(a, b);

	return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static NUMBER
NAME(arithmetic)(SpBinary kind, NUMBER a, NUMBER b)
{
	switch (kind)
	{
		case SP_BINARY_ADD:
			return a + b;
		case SP_BINARY_SUB:
			return a - b;
		case SP_BINARY_MUL:
			return a * b;
		case SP_BINARY_DIV:
			return a / b;
		case SP_BINARY_POW:
			return b == 2 ? a * a : CALL(pow)(a, b);
		case SP_BINARY_MAX:
			return isnan(a) || a > b ? a : b;
		case SP_BINARY_MIN:
			return isnan(a) || a < b ? a : b;
		case SP_BINARY_MOD:
			return NAME(modulo)(a, b);
		case SP_BINARY_FMOD:
			return CALL(fmod)(a, b);
		default:
			return a < 0 ? a * b : a;
	}
}

static int64_t
NAME(compare)(SpBinary kind, NUMBER a, NUMBER b)
{
	switch (kind)
	{
		case SP_BINARY_EQ:
			return a == b;
		case SP_BINARY_LT:
			return a < b;
		case SP_BINARY_LE:
			return a <= b;
		case SP_BINARY_GT:
			return a > b;
		default:
			return a >= b;
	}
}

/* The plainest shapes, whose loops become vectors; false for all others. */
static bool
NAME(binary_plain)(const SpRow *row, SpBinary kind)
{
	const NUMBER *a = row->in[0];
	const NUMBER *b = row->in[1];
	NUMBER	   *out = row->out;
	size_t		n = row->out_width;
	bool		is_single = row->width[1] == 1;

	if (row->width[0] != n || (row->width[1] != n && !is_single))
		return false;
#define EACH(operator) \
	do { \
		NUMBER		single = *b; \
		for (size_t at = 0; at < n && is_single; at++) \
			out[at] = a[at] operator single; \
		for (size_t at = 0; at < n && !is_single; at++) \
			out[at] = a[at] operator b[at]; \
		return true; \
	} while (0)
	switch (kind)
	{
		case SP_BINARY_ADD:
			EACH(+);
		case SP_BINARY_SUB:
			EACH(-);
		case SP_BINARY_MUL:
			EACH(*);
		case SP_BINARY_DIV:
			EACH(/);
		default:
			return false;
	}
#undef EACH
}

static void
NAME(binary)(const SpRow *row, SpBinary kind)
{
	const NUMBER *a = row->in[0];
	const NUMBER *b = row->in[1];
	uint32_t	i = 0;
	uint32_t	j = 0;

	if (NAME(binary_plain)(row, kind))
		return;
	for (uint32_t at = 0; at < row->out_width; at++)
	{
		if (kind >= SP_BINARY_EQ)
			((int64_t *) row->out)[at] = NAME(compare)(kind, a[i], b[j]);
		else
			((NUMBER *) row->out)[at] = NAME(arithmetic)(kind, a[i], b[j]);
		if (++i == row->width[0])
			i = 0;
		if (++j == row->width[1])
			j = 0;
	}
}
