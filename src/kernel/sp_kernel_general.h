/*
 * src/kernel/sp_kernel_general.h
 *
 * What the kernels of general steps (ir/sp_general.h) share; included by
 * sp_kernel_general.c and its typed parts only.
 */
#ifndef SP_KERNEL_GENERAL_H
#define SP_KERNEL_GENERAL_H

#include <math.h>
#include <string.h>

#include "kernel/sp_kernel.h"

/* One row of one step. */
typedef struct SpRow
{
	const SpImage *image;
	const SpPackedGeneral *general;
	const void *in[3];			/* the first inputs */
	uint32_t	width[3];
	SpType		type;			/* of the first input */
	void	   *out;
	SpType		out_type;
	uint32_t	out_width;
	void	   *scratch;
	SpBudget   *budget;
} SpRow;

extern void sp_row_apply(const SpRow *row);
extern void sp_row_binary(const SpRow *row);
extern void sp_row_reduce(const SpRow *row);
extern void sp_row_group(const SpRow *row);
extern void sp_row_topk(const SpRow *row);
extern void sp_row_kernel(const SpRow *row);
extern void sp_row_product(const SpRow *row);
extern void sp_row_couple(const SpRow *row);

/* sp_kernel_window.c: true if the run has to stop */
extern bool sp_row_conv(const SpRow *row);
extern bool sp_row_recurrent(const SpRow *row);
extern uint64_t sp_recurrent_scratch(const SpPackedGeneral *general);

/* Positions of a window that are worked out together. */
#define SP_POSITIONS 4

/* sp_kernel_general.c and sp_kernel_post.c */
extern float sp_apply_float(SpApply kind, float x, float a, float b);
extern double sp_apply_double(SpApply kind, double x, double a, double b);
extern float sp_sigmoid_float(float x);
extern double sp_sigmoid_double(double x);
extern float sp_probit_float(float probability);
extern double sp_probit_double(double probability);

#endif
