/*
 * src/kernel/sp_kernel_tile_functions.h
 *
 * exp, sigmoid and tanh of sp_kernel_tiles.h for one type and one level: a
 * template of sp_kernel_tile_level.h, which says what the includer defines.
 *
 * exp(x) = 2^n exp(r), n the integer next to x / ln 2, and exp(r) - 1 from the
 * series of its definition; |r| <= ln 2 / 2.
 */

/* condition: all bits of a lane or none */
static inline INLINE NAME(Vector)
NAME(choose)(NAME(Bits) condition, NAME(Vector) yes, NAME(Vector) no)
{
	return (NAME(Vector)) ((condition & (NAME(Bits)) yes) | (~condition & (NAME(Bits)) no));
}

static inline INLINE NAME(Vector)
NAME(all)(NUMBER x)
{
	return (NAME(Vector)) {0} + x;
}

/* The integer next to x, below 2^21 in size. */
static inline INLINE NAME(Vector)
NAME(rounded)(NAME(Vector) x)
{
	return (x + ROUNDER) - ROUNDER;
}

/* 2^n for an integer n, if that is a normal number. */
static inline INLINE NAME(Vector)
NAME(power)(NAME(Vector) n)
{
	NAME(Bits)	integer = (NAME(Bits)) (n + ROUNDER) - (NAME(Bits)) NAME(all)(ROUNDER);

	return (NAME(Vector)) ((integer + EXPONENT_BIAS) << FRACTION_BITS);
}

/* x = n ln 2 + r; gives exp(r) - 1. */
static inline INLINE NAME(Vector)
NAME(reduced)(NAME(Vector) x, NAME(Vector) *n)
{
	static const NUMBER terms[] = SERIES;
	NAME(Vector) r;
	NAME(Vector) sum;

	*n = NAME(rounded)(x * (NUMBER) 1.44269504088896340736);
	r = x - *n * LN2_HIGH;
	r = r - *n * LN2_LOW;
	sum = r * terms[0] + terms[1];
	SP_UNROLL(16)
	for (size_t at = 2; at < sizeof(terms) / sizeof(terms[0]); at++)
		sum = sum * r + terms[at];
	return sum * r * r + r;
}

static inline INLINE NAME(Vector)
NAME(exp_of)(NAME(Vector) x)
{
	NAME(Vector) n;
	NAME(Vector) half;
	NAME(Vector) result;

	x = NAME(choose)((NAME(Bits)) (x > EXP_MOST), NAME(all)(EXP_MOST), x);
	x = NAME(choose)((NAME(Bits)) (x < EXP_LEAST), NAME(all)(EXP_LEAST), x);
	result = NAME(reduced)(x, &n) + 1;
	/* in two steps, since 2^n alone may be no normal number */
	half = NAME(rounded)(n * (NUMBER) 0.5);
	return result * NAME(power)(half) * NAME(power)(n - half);
}

static inline INLINE NAME(Vector)
NAME(sigmoid_of)(NAME(Vector) x)
{
	return 1 / (1 + NAME(exp_of)(-x));
}

/* With e = exp(2 |x|) - 1, which loses nothing near 0: e / (e + 2) and the sign of x. */
static inline INLINE NAME(Vector)
NAME(tanh_of)(NAME(Vector) x)
{
	const BITS	magnitude = (BITS) -1 >> 1;
	NAME(Vector) twice = 2 * (NAME(Vector)) ((NAME(Bits)) x & magnitude);
	NAME(Vector) n;
	NAME(Vector) power;
	NAME(Vector) e;

	twice = NAME(choose)((NAME(Bits)) (twice > TANH_MOST), NAME(all)(TANH_MOST), twice);
	e = NAME(reduced)(twice, &n);
	power = NAME(power)(n);
	e = power * e + (power - 1);
	return (NAME(Vector)) ((NAME(Bits)) (e / (e + 2)) | ((NAME(Bits)) x & ~magnitude));
}

/* Whole vectors, then the rest in a vector of its own. */
#define DEFINE_FUNCTION(name, expression, ...) \
static TARGET void \
NAME(name)(const NUMBER *from, __VA_ARGS__ NUMBER *to, size_t count) \
{ \
	size_t		at = 0; \
	NAME(Vector) x = {0}; \
	for (; count - at >= LANES; at += LANES) \
	{ \
		x = *(const NAME(Loose) *) (from + at); \
		*(NAME(Loose) *) (to + at) = expression; \
	} \
	if (at == count) \
		return; \
	x = (NAME(Vector)) {0}; \
	memcpy(&x, from + at, (count - at) * sizeof(NUMBER)); \
	x = expression; \
	memcpy(to + at, &x, (count - at) * sizeof(NUMBER)); \
}

DEFINE_FUNCTION(exp, NAME(exp_of)(x * factor), NUMBER factor,)
DEFINE_FUNCTION(sigmoid, NAME(sigmoid_of)(x),)
DEFINE_FUNCTION(tanh, NAME(tanh_of)(x),)

#undef DEFINE_FUNCTION
