/*
 * src/ir/sp_builder_check.h
 *
 * What the files that check steps with an SpGeneral share.
 */
#ifndef SP_BUILDER_CHECK_H
#define SP_BUILDER_CHECK_H

#include "ir/sp_builder_internal.h"

#define SP_IS_FLOAT(type) ((type) == SP_TYPE_F32 || (type) == SP_TYPE_F64)

typedef struct SpCheck
{
	SpBuilder  *builder;
	SpOp		op;
	const SpGeneral *spec;
	SpValue    *in;				/* of all inputs */
	SpType		type;			/* of the result */
	uint64_t	width;
} SpCheck;

/* SP_ERR_FORMAT that names the op and says what is wrong with it. */
extern SpStatus sp_check_refuse(const SpCheck *check, const char *what);

extern SpStatus sp_check_inputs(const SpCheck *check, uint32_t least, uint32_t most);

/* One input, of floating-point numbers. */
extern SpStatus sp_check_float(const SpCheck *check);

/* The step's kind is one of 1 .. end - 1. */
extern SpStatus sp_check_kind(const SpCheck *check, uint32_t end);

/* ---- sp_builder_weights.c: each sets type and width ---- */

extern SpStatus sp_check_matrix(SpCheck *check);
extern SpStatus sp_check_kernel(SpCheck *check);
extern SpStatus sp_check_recurrent(SpCheck *check);
extern SpStatus sp_check_conv(SpCheck *check);

#endif
