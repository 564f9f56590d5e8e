/*
 * src/ir/sp_row_cost.h
 *
 * What a model is expected to cost.
 */
#ifndef SP_ROW_COST_H
#define SP_ROW_COST_H

#include "ir/sp_image.h"

/*
 * Nanoseconds, at least 1, that all steps of an image take for one row that is
 * evaluated by itself while the image is in the processor's caches: a sum of
 * fixed prices for what each step does (sp_row_cost.c), so the same number on every
 * machine.  The prices were measured with the widest instructions of one
 * machine (AVX-512); bench_row_cost compares the estimate with any machine's
 * times.  Rows in blocks take as long or less, down to a quarter for shallow trees;
 * decoding features is not in it.  INT64_MAX if it would be more.
 */
extern int64_t sp_row_cost(const SpImage *image);

#endif
