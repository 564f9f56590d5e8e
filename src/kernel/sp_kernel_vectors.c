/*
 * src/kernel/sp_kernel_vectors.c
 *
 * General steps that multiply vectors and are not in panels: products, rare
 * distances, and the coupling of pairwise probabilities.
 */
#include "kernel/sp_kernel_general.h"

#define TEMPLATE "kernel/sp_kernel_products.h"
#include "kernel/sp_kernel_typed.h"

void
sp_row_kernel(const SpRow *row)
{
	SP_TYPED(kernels, row);
}

void
sp_row_product(const SpRow *row)
{
	SP_TYPED(product, row);
}

void
sp_row_couple(const SpRow *row)
{
	SP_TYPED(couple, row);
}
