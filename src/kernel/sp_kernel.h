/*
 * src/kernel/sp_kernel.h
 *
 * What sp_eval.c and the kernels share; nobody else includes it.
 *
 * A kernel applies one step to all rows of a block.  It trusts the image, does
 * no I/O and allocates nothing; its only memory besides in and out is scratch.
 */
#ifndef SP_KERNEL_H
#define SP_KERNEL_H

#include "kernel/sp_eval.h"
#include "ir/sp_pack.h"

/* Work between two polls, in node visits or multiplications: about a millisecond. */
#define SP_POLL_WORK 500000

typedef struct SpBudget
{
	int64_t		left;
	SpStop		stop;
	void	   *stop_arg;
} SpBudget;

/* True when the run has to stop. */
static inline bool
sp_spend(SpBudget *budget, uint64_t work)
{
	budget->left -= (int64_t) work;
	if (budget->left > 0)
		return false;
	budget->left = SP_POLL_WORK;
	return budget->stop && budget->stop(budget->stop_arg);
}

/* One step over rows rows. */
typedef struct SpStepRun
{
	const SpImage *image;
	const void *params;			/* sp_pack.h */
	SpImageValue from;			/* of in */
	SpImageValue to;			/* of out */
	const void *in;
	void	   *out;
	uint32_t	rows;
	bool		may_have_missing;
	SpSimd		simd;
	void	   *scratch;
	SpBudget   *budget;
	char	   *const *values;	/* all buffers, for steps with several inputs */
} SpStepRun;

/* Kernels give SP_OK or SP_ERR_CANCELLED. */
extern SpStatus sp_kernel_trees(const SpStepRun *run);
extern SpStatus sp_kernel_linear(const SpStepRun *run);
extern SpStatus sp_kernel_matrix(const SpStepRun *run);
extern SpStatus sp_kernel_vectors(const SpStepRun *run);	/* KERNEL with a sum of sp_tiles.h */
extern SpStatus sp_kernel_scale(const SpStepRun *run);
extern SpStatus sp_kernel_normalize(const SpStepRun *run);
extern SpStatus sp_kernel_cast(const SpStepRun *run);
extern SpStatus sp_kernel_map(const SpStepRun *run);
extern SpStatus sp_kernel_softmax(const SpStepRun *run);
extern SpStatus sp_kernel_complement(const SpStepRun *run);
extern SpStatus sp_kernel_argmax(const SpStepRun *run);
extern SpStatus sp_kernel_above(const SpStepRun *run);

/* All steps with an SpGeneral. */
extern SpStatus sp_kernel_general(const SpStepRun *run, SpOp op);

/* One row of APPLY by vectors; false if there is no such form of the function. */
extern bool sp_kernel_apply_vector(const SpStepRun *run, size_t row);

/* Scratch bytes of such a step, which do not depend on the rows. */
extern uint64_t sp_kernel_general_scratch(const SpPackedGeneral *general, SpOp op);

/* Scratch bytes of the tree kernel for blocks of at most capacity rows. */
extern uint64_t sp_kernel_trees_scratch(const SpImage *image, const SpPackedTrees *trees, uint32_t capacity);

#endif
