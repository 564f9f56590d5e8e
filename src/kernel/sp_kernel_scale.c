/*
 * src/kernel/sp_kernel_scale.c
 *
 * Scalers, in the type of their input.
 */
#include "kernel/sp_kernel.h"

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
