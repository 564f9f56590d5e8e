/*
 * src/kernel/sp_kernel_vectors.c
 *
 * General steps that multiply vectors: matrices, kernels of support vector
 * machines and distances (onnxruntime/core/providers/cpu/ml/svmclassifier.h),
 * and the coupling of pairwise probabilities.
 */
#include "kernel/sp_kernel_general.h"

#define NUMBER float
#define NAME(name) name##_float
#define CALL(name) name##f
#include "kernel/sp_kernel_products.h"
#undef NUMBER
#undef NAME
#undef CALL

#define NUMBER double
#define NAME(name) name##_double
#define CALL(name) name
#include "kernel/sp_kernel_products.h"

void
sp_row_matrix(const SpRow *row)
{
	if (row->type == SP_TYPE_F32)
		matrix_float(row);
	else
		matrix_double(row);
}

void
sp_row_kernel(const SpRow *row)
{
	if (row->type == SP_TYPE_F32)
		kernels_float(row);
	else
		kernels_double(row);
}

void
sp_row_product(const SpRow *row)
{
	if (row->type == SP_TYPE_F32)
		product_float(row);
	else
		product_double(row);
}

void
sp_row_couple(const SpRow *row)
{
	if (row->type == SP_TYPE_F32)
		couple_float(row);
	else
		couple_double(row);
}
