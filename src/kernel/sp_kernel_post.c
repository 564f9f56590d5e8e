/*
 * src/kernel/sp_kernel_post.c
 *
 * What comes before and after trees and linear models: normalizing, casts,
 * link functions and the choice of a class.
 *
 * The formulas and their precision are those of the source libraries, as read
 * in XGBoost (src/common/math.h) and ONNX Runtime
 * (onnxruntime/core/providers/cpu/ml/ml_common.h, normalizer.cc).  Where the
 * two differ by roundings only, XGBoost's is taken.  float64 variants are the
 * same formulas in double.
 */
#include <math.h>

#include "kernel/sp_kernel_general.h"

/* Functions of numbers cost about this many multiplications. */
#define CALL_COST 8

/* Rows times columns; each definition below comes once for float, once for double. */
#define IN(NUMBER) ((const NUMBER *) run->in + row * run->from.width)
#define OUT(NUMBER) ((NUMBER *) run->out + row * run->to.width)

/*
 * XGBoost's Sigmoid: the exponent is kept below overflow and the sum above 0,
 * so that any number gives one within [0, 1].  ONNX Runtime's ComputeLogistic
 * differs by less than 1e-7.
 */
float
sp_sigmoid_float(float x)
{
	float		exponent = -x > 88.7f ? 88.7f : -x;

	return 1.0f / (expf(exponent) + 1.0f + 1e-16f);
}

double
sp_sigmoid_double(double x)
{
	return 1.0 / (1.0 + exp(-x));
}

/* ONNX Runtime's ErfInv and ComputeProbit: an approximation, with its rounded constants. */
#define DEFINE_PROBIT(name, NUMBER, log_number, sqrt_number) \
NUMBER \
name(NUMBER probability) \
{ \
	NUMBER		x = 2 * probability - 1; \
	NUMBER		sign = x < 0 ? -1 : 1; \
	NUMBER		logarithm = log_number((1 - x) * (1 + x)); \
	NUMBER		v = 2 / ((NUMBER) 3.14159f * (NUMBER) 0.147f) + (NUMBER) 0.5 * logarithm; \
	NUMBER		w = 1 / (NUMBER) 0.147f * logarithm; \
	return (NUMBER) 1.41421356f * (sign * sqrt_number(sqrt_number(v * v - w) - v)); \
}

DEFINE_PROBIT(sp_probit_float, float, logf, sqrtf)
DEFINE_PROBIT(sp_probit_double, double, log, sqrt)

#define DEFINE_MAP(name, NUMBER, sigmoid, exp_number, log1p_number, probit) \
static void \
name(SpMap map, const NUMBER *in, NUMBER *out, size_t count) \
{ \
	switch (map) \
	{ \
		case SP_MAP_SIGMOID: \
			for (size_t at = 0; at < count; at++) \
				out[at] = sigmoid(in[at]); \
			break; \
		case SP_MAP_EXP: \
			for (size_t at = 0; at < count; at++) \
				out[at] = exp_number(in[at]); \
			break; \
		case SP_MAP_PROBIT: \
			for (size_t at = 0; at < count; at++) \
				out[at] = probit(in[at]); \
			break; \
		case SP_MAP_STEP: \
			for (size_t at = 0; at < count; at++) \
				out[at] = in[at] > 0 ? 1 : 0; \
			break; \
		case SP_MAP_NEGATE: \
			for (size_t at = 0; at < count; at++) \
				out[at] = -in[at]; \
			break; \
		case SP_MAP_SIGNED_SQUARE: \
			for (size_t at = 0; at < count; at++) \
				out[at] = (in[at] > 0 ? 1 : in[at] < 0 ? -1 : 0) * in[at] * in[at]; \
			break; \
		case SP_MAP_LOG1P_EXP: \
			for (size_t at = 0; at < count; at++) \
				out[at] = log1p_number(exp_number(in[at])); \
			break; \
		case SP_MAP_NAN_ZERO: \
			for (size_t at = 0; at < count; at++) \
				out[at] = isnan(in[at]) ? 0 : in[at]; \
			break; \
	} \
}

DEFINE_MAP(map_float, float, sp_sigmoid_float, expf, log1pf, sp_probit_float)
DEFINE_MAP(map_double, double, sp_sigmoid_double, exp, log1p, sp_probit_double)

SpStatus
sp_kernel_map(const SpStepRun *run)
{
	SpMap		map = ((const SpPackedSimple *) run->params)->kind;

	for (size_t row = 0; row < run->rows; row++)
	{
		if (run->from.type == SP_TYPE_F32)
			map_float(map, IN(float), OUT(float), run->from.width);
		else
			map_double(map, IN(double), OUT(double), run->from.width);
		if (sp_spend(run->budget, CALL_COST * (uint64_t) run->from.width))
			return SP_ERR_CANCELLED;
	}
	return SP_OK;
}

/*
 * XGBoost's Softmax sums in double and divides by the sum rounded to the type.
 * NONZERO is ONNX Runtime's ComputeSoftmaxZero: what is as good as 0 takes no
 * part, and stays about 0.
 */
#define DEFINE_SOFTMAX(name, NUMBER, exp_number) \
static void \
name(SpSoftmax kind, const NUMBER *in, NUMBER *out, size_t count) \
{ \
	NUMBER		largest = in[0]; \
	double		sum = 0; \
	for (size_t at = 1; at < count; at++) \
		if (in[at] > largest) \
			largest = in[at]; \
	for (size_t at = 0; at < count; at++) \
	{ \
		if (kind == SP_SOFTMAX_ALL || in[at] > (NUMBER) 1e-7f || in[at] < -(NUMBER) 1e-7f) \
		{ \
			out[at] = exp_number(in[at] - largest); \
			sum += out[at]; \
		} \
		else \
			out[at] = in[at] * exp_number(-largest); \
	} \
	for (size_t at = 0; at < count; at++) \
		out[at] /= (NUMBER) sum; \
}

DEFINE_SOFTMAX(softmax_float, float, expf)
DEFINE_SOFTMAX(softmax_double, double, exp)

SpStatus
sp_kernel_softmax(const SpStepRun *run)
{
	SpSoftmax	kind = ((const SpPackedSimple *) run->params)->kind;

	for (size_t row = 0; row < run->rows; row++)
	{
		if (run->from.type == SP_TYPE_F32)
			softmax_float(kind, IN(float), OUT(float), run->from.width);
		else
			softmax_double(kind, IN(double), OUT(double), run->from.width);
		if (sp_spend(run->budget, CALL_COST * (uint64_t) run->from.width))
			return SP_ERR_CANCELLED;
	}
	return SP_OK;
}

/* ONNX Runtime's Normalizer.  Its L2 takes the root of each quotient, not the quotient of roots. */
#define DEFINE_NORMALIZE(name, NUMBER, abs_number, sqrt_number, lowest) \
static void \
name(SpNorm norm, const NUMBER *in, NUMBER *out, size_t count) \
{ \
	NUMBER		size = norm == SP_NORM_MAX ? lowest : 0; \
	for (size_t at = 0; at < count; at++) \
	{ \
		if (norm == SP_NORM_MAX) \
			size = size < in[at] ? in[at] : size; \
		else \
			size += norm == SP_NORM_L1 ? abs_number(in[at]) : in[at] * in[at]; \
	} \
	for (size_t at = 0; at < count; at++) \
	{ \
		if (size == 0) \
			out[at] = in[at]; \
		else if (norm == SP_NORM_L2) \
		{ \
			NUMBER		root = sqrt_number(in[at] * in[at] / size); \
			out[at] = in[at] < 0 ? -root : root; \
		} \
		else \
			out[at] = in[at] / size; \
	} \
}

DEFINE_NORMALIZE(normalize_float, float, fabsf, sqrtf, -__FLT_MAX__)
DEFINE_NORMALIZE(normalize_double, double, fabs, sqrt, -__DBL_MAX__)

SpStatus
sp_kernel_normalize(const SpStepRun *run)
{
	SpNorm		norm = ((const SpPackedSimple *) run->params)->kind;

	for (size_t row = 0; row < run->rows; row++)
	{
		if (run->from.type == SP_TYPE_F32)
			normalize_float(norm, IN(float), OUT(float), run->from.width);
		else
			normalize_double(norm, IN(double), OUT(double), run->from.width);
		if (sp_spend(run->budget, CALL_COST * (uint64_t) run->from.width))
			return SP_ERR_CANCELLED;
	}
	return SP_OK;
}

/*
 * To an integer: cut towards zero; what has no 64-bit integer becomes the
 * lowest one, as the processors that the sources run on do it (in C it would
 * be undefined).
 */
static int64_t
to_integer(double number)
{
	if (number >= -0x1p63 && number < 0x1p63)
		return (int64_t) number;
	return INT64_MIN;
}

SpStatus
sp_kernel_cast(const SpStepRun *run)
{
	size_t		count = (size_t) run->rows * run->from.width;

	for (size_t at = 0; at < count; at++)
	{
		if (run->from.type == SP_TYPE_I64 && run->to.type == SP_TYPE_I64)
			((int64_t *) run->out)[at] = ((const int64_t *) run->in)[at];
		else if (run->from.type == SP_TYPE_I64 && run->to.type == SP_TYPE_F32)
			((float *) run->out)[at] = (float) ((const int64_t *) run->in)[at];
		else
		{
			double		number = run->from.type == SP_TYPE_F32 ? ((const float *) run->in)[at] :
				run->from.type == SP_TYPE_F64 ? ((const double *) run->in)[at] :
				(double) ((const int64_t *) run->in)[at];

			if (run->to.type == SP_TYPE_F32)
				((float *) run->out)[at] = (float) number;
			else if (run->to.type == SP_TYPE_F64)
				((double *) run->out)[at] = number;
			else
				((int64_t *) run->out)[at] = to_integer(number);
		}
		if (at % 4096 == 4095 && sp_spend(run->budget, 4096))
			return SP_ERR_CANCELLED;
	}
	return SP_OK;
}

/* Steps whose rows are a few numbers: a row at a time as double, which float converts to exactly. */

static inline double
in_number(const SpStepRun *run, size_t at)
{
	return run->from.type == SP_TYPE_F32 ? ((const float *) run->in)[at] : ((const double *) run->in)[at];
}

SpStatus
sp_kernel_complement(const SpStepRun *run)
{
	for (size_t row = 0; row < run->rows; row++)
	{
		if (run->from.type == SP_TYPE_F32)
		{
			OUT(float)[0] = 1.0f - IN(float)[0];
			OUT(float)[1] = IN(float)[0];
		}
		else
		{
			OUT(double)[0] = 1.0 - IN(double)[0];
			OUT(double)[1] = IN(double)[0];
		}
	}
	return sp_spend(run->budget, run->rows) ? SP_ERR_CANCELLED : SP_OK;
}

SpStatus
sp_kernel_argmax(const SpStepRun *run)
{
	size_t		width = run->from.width;

	for (size_t row = 0; row < run->rows; row++)
	{
		size_t		best = 0;

		for (size_t at = 1; at < width; at++)
			if (in_number(run, row * width + at) > in_number(run, row * width + best))
				best = at;
		((int64_t *) run->out)[row] = (int64_t) best;
		if (sp_spend(run->budget, width))
			return SP_ERR_CANCELLED;
	}
	return SP_OK;
}

SpStatus
sp_kernel_above(const SpStepRun *run)
{
	double		bound = ((const SpPackedSimple *) run->params)->bound;

	if (run->from.type == SP_TYPE_F32)
		bound = (float) bound;
	for (size_t row = 0; row < run->rows; row++)
		((int64_t *) run->out)[row] = in_number(run, row) > bound ? 1 : 0;
	return sp_spend(run->budget, run->rows) ? SP_ERR_CANCELLED : SP_OK;
}
