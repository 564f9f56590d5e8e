/*
 * src/base/sp_tokens_number.c
 *
 * Numbers of tokens: JSON text to double and to float, rounded once.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sp_tokens_internal.h"

/*
 * The longest text given to strtod.  770 digits settle the rounding of every
 * double; writers that print more than this are not known.
 */
#define SP_NUMBER_MAX 1100

#define SP_IS_DIGIT(c) ((c) >= '0' && (c) <= '9')

/* All powers of ten that a double holds exactly. */
static const double sp_exact_powers[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22
};

/* A number's text taken apart: sign, digits * 10^exponent. */
typedef struct SpDecimal
{
	bool		is_negative;
	bool		is_exact;		/* digits holds all of them */
	bool		is_plain;		/* no fraction, no exponent */
	uint64_t	digits;
	int64_t		exponent;
} SpDecimal;

static size_t
sp_digits_length(const uint8_t *text, size_t size)
{
	size_t		pos = 0;

	while (pos < size && SP_IS_DIGIT(text[pos]))
		pos++;
	return pos;
}

size_t
sp_number_length(const uint8_t *text, size_t size)
{
	size_t		pos = 0;
	size_t		digits;

	if (pos < size && text[pos] == '-')
		pos++;
	digits = sp_digits_length(text + pos, size - pos);
	if (digits == 0 || (digits > 1 && text[pos] == '0'))
		return 0;
	pos += digits;
	if (pos < size && text[pos] == '.')
	{
		digits = sp_digits_length(text + pos + 1, size - pos - 1);
		if (digits == 0)
			return 0;
		pos += 1 + digits;
	}
	if (pos < size && (text[pos] == 'e' || text[pos] == 'E'))
	{
		pos++;
		if (pos < size && (text[pos] == '+' || text[pos] == '-'))
			pos++;
		digits = sp_digits_length(text + pos, size - pos);
		if (digits == 0)
			return 0;
		pos += digits;
	}
	return pos;
}

/* Add one digit; those that do not fit are dropped, and is_exact with them. */
static void
sp_decimal_digit(SpDecimal *decimal, uint8_t character)
{
	uint64_t	digit = character - '0';

	if (decimal->digits > (UINT64_MAX - digit) / 10)
		decimal->is_exact = false;
	else
		decimal->digits = decimal->digits * 10 + digit;
}

/* text has passed sp_number_length */
static SpDecimal
sp_decimal_parse(SpStr text)
{
	SpDecimal	decimal = {.is_exact = true, .is_plain = true};
	size_t		pos = 0;
	int64_t		exponent = 0;
	bool		is_negative = false;

	if (text.data[pos] == '-')
	{
		decimal.is_negative = true;
		pos++;
	}
	for (; pos < text.size && SP_IS_DIGIT(text.data[pos]); pos++)
		sp_decimal_digit(&decimal, (uint8_t) text.data[pos]);
	if (pos < text.size && text.data[pos] == '.')
	{
		decimal.is_plain = false;
		for (pos++; pos < text.size && SP_IS_DIGIT(text.data[pos]); pos++)
		{
			sp_decimal_digit(&decimal, (uint8_t) text.data[pos]);
			decimal.exponent--;
		}
	}
	if (pos < text.size)
	{
		decimal.is_plain = false;
		pos++;
		if (text.data[pos] == '+' || text.data[pos] == '-')
			is_negative = text.data[pos++] == '-';
		for (; pos < text.size; pos++)
		{
			if (exponent < 100000)
				exponent = exponent * 10 + (text.data[pos] - '0');
		}
		decimal.exponent += is_negative ? -exponent : exponent;
	}
	return decimal;
}

/*
 * One multiplication or division of two exact doubles is rounded once, which
 * settles nearly every number that is written in practice (W. D. Clinger, How
 * to Read Floating Point Numbers Accurately, 1990).
 */
static bool
sp_decimal_fast(const SpDecimal *decimal, double *number)
{
#if FLT_EVAL_METHOD == 0
	if (decimal->is_exact && decimal->digits <= (UINT64_C(1) << 53) &&
		decimal->exponent >= -22 && decimal->exponent <= 22)
	{
		*number = (double) decimal->digits;
		if (decimal->exponent < 0)
			*number /= sp_exact_powers[-decimal->exponent];
		else
			*number *= sp_exact_powers[decimal->exponent];
		if (decimal->is_negative)
			*number = -*number;
		return true;
	}
#endif
	return false;
}

void
sp_token_set_double(SpToken *token, double number)
{
	token->kind = SP_TOKEN_NUMBER;
	token->number = number;

	/* 2^63 itself is the first double beyond int64_t */
	if (number >= -0x1p63 && number < 0x1p63 && number == trunc(number))
	{
		token->is_integer = true;
		token->integer = (int64_t) number;
	}
}

void
sp_token_set_integer(SpToken *token, int64_t integer)
{
	token->kind = SP_TOKEN_NUMBER;
	token->number = (double) integer;
	token->is_integer = true;
	token->integer = integer;
}

bool
sp_number_decode(SpStr text, SpToken *token)
{
	SpDecimal	decimal = sp_decimal_parse(text);
	double		number;

	if (decimal.is_plain && decimal.is_exact && decimal.digits <= INT64_MAX)
	{
		/* a minus zero stays one in number */
		sp_token_set_integer(token, decimal.is_negative ? -(int64_t) decimal.digits :
							 (int64_t) decimal.digits);
		if (decimal.is_negative && decimal.digits == 0)
			token->number = -0.0;
		return true;
	}
	if (!sp_decimal_fast(&decimal, &number))
	{
		char		copy[SP_NUMBER_MAX + 1];

		if (text.size > SP_NUMBER_MAX)
			return false;
		memcpy(copy, text.data, text.size);
		copy[text.size] = '\0';
		number = strtod(copy, NULL);
	}
	sp_token_set_double(token, number);
	return true;
}

bool
sp_parse_number(SpStr text, SpToken *token)
{
	memset(token, 0, sizeof(*token));
	token->text = text;
	return text.size > 0 && sp_number_length((const uint8_t *) text.data, text.size) == text.size &&
		sp_number_decode(text, token);
}

/*
 * Rounding the double again is right unless the double lies exactly between
 * two floats, where the text may lie to either side of it.
 */
static bool
sp_is_between_floats(double number)
{
	uint64_t	bits;

	memcpy(&bits, &number, sizeof(bits));

	/* the 29 bits that a float drops are a one and zeros; subnormals drop more */
	return (bits & UINT64_C(0x1fffffff)) == UINT64_C(0x10000000) || fabs(number) < FLT_MIN;
}

float
sp_token_f32(const SpToken *token)
{
	char		copy[SP_NUMBER_MAX + 1];

	if (token->text.size == 0)
		return token->is_integer ? (float) token->integer : (float) token->number;
	if (token->text.size > SP_NUMBER_MAX || isnan(token->number) || token->number == 0 ||
		!sp_is_between_floats(token->number))
		return (float) token->number;
	memcpy(copy, token->text.data, token->text.size);
	copy[token->text.size] = '\0';
	return strtof(copy, NULL);
}
