/*
 * src/kernel/sp_kernel_dense.c
 *
 * Linear models and scalers, in the type of their input.
 *
 * A dot product is summed in 16 lanes, element i in lane i modulo 16, and the
 * lanes are folded in halves: a fixed order that vector units can follow, the
 * same for every row and block.
 */
#include <string.h>

#include "kernel/sp_kernel_general.h"

#define N_LANES 16

typedef float Float4 __attribute__((vector_size(16)));
typedef double Double2 __attribute__((vector_size(16)));

/* Vectors are loaded with memcpy: rows have no alignment. */
#define DEFINE_DOT(name, NUMBER, VECTOR) \
NUMBER \
name(const NUMBER *a, const NUMBER *b, size_t count) \
{ \
	enum { WIDTH = sizeof(VECTOR) / sizeof(NUMBER), N_VECTORS = N_LANES / WIDTH }; \
	VECTOR		sums[N_VECTORS] = {{0}}; \
	NUMBER		lanes[N_LANES]; \
	size_t		at = 0; \
	for (; count - at >= N_LANES; at += N_LANES) \
	{ \
		VECTOR		left[N_VECTORS]; \
		VECTOR		right[N_VECTORS]; \
		memcpy(left, a + at, sizeof(left)); \
		memcpy(right, b + at, sizeof(right)); \
		_Pragma("GCC unroll 8") \
		for (int vector = 0; vector < N_VECTORS; vector++) \
			sums[vector] += left[vector] * right[vector]; \
	} \
	memcpy(lanes, sums, sizeof(lanes)); \
	for (size_t lane = 0; at + lane < count; lane++) \
		lanes[lane] += a[at + lane] * b[at + lane]; \
	for (size_t half = N_LANES / 2; half > 0; half /= 2) \
		for (size_t lane = 0; lane < half; lane++) \
			lanes[lane] += lanes[lane + half]; \
	return lanes[0]; \
}

DEFINE_DOT(sp_dot_float, float, Float4)
DEFINE_DOT(sp_dot_double, double, Double2)

SpStatus
sp_kernel_linear(const SpStepRun *run)
{
	const SpPackedLinear *linear = run->params;
	const void *weights = sp_image_at(run->image, linear->weights);
	const void *bias = sp_image_at(run->image, linear->bias);
	size_t		n_in = linear->n_in;

	for (size_t row = 0; row < run->rows; row++)
		for (size_t target = 0; target < linear->n_out; target++)
		{
			size_t		to = row * linear->n_out + target;

			if (linear->type == SP_TYPE_F32)
				((float *) run->out)[to] = ((const float *) bias)[target] +
					sp_dot_float((const float *) run->in + row * n_in,
							  (const float *) weights + target * n_in, n_in);
			else
				((double *) run->out)[to] = ((const double *) bias)[target] +
					sp_dot_double((const double *) run->in + row * n_in,
							   (const double *) weights + target * n_in, n_in);
			if (sp_spend(run->budget, n_in))
				return SP_ERR_CANCELLED;
		}
	return SP_OK;
}

#define DEFINE_SCALE(name, NUMBER) \
static void \
name(const NUMBER *in, const NUMBER *offset, const NUMBER *scale, NUMBER *out, size_t count) \
{ \
	for (size_t at = 0; at < count; at++) \
		out[at] = (in[at] - offset[at]) * scale[at]; \
}

DEFINE_SCALE(scale_float, float)
DEFINE_SCALE(scale_double, double)

SpStatus
sp_kernel_scale(const SpStepRun *run)
{
	const SpPackedScale *params = run->params;
	const void *offset = sp_image_at(run->image, params->offset);
	const void *scale = sp_image_at(run->image, params->scale);
	size_t		width = run->from.width;

	for (size_t row = 0; row < run->rows; row++)
	{
		if (run->from.type == SP_TYPE_F32)
			scale_float((const float *) run->in + row * width, offset, scale,
						(float *) run->out + row * width, width);
		else
			scale_double((const double *) run->in + row * width, offset, scale,
						 (double *) run->out + row * width, width);
		if (sp_spend(run->budget, width))
			return SP_ERR_CANCELLED;
	}
	return SP_OK;
}
