/*
 * src/kernel/sp_kernel_gather.h
 *
 * Walks of many rows down one tree by vectors: a vector holds 16 rows, whose
 * walks are indexes of nodes.  They end in the leaves in which those of
 * sp_kernel_walk.h end.
 */
#ifndef SP_KERNEL_GATHER_H
#define SP_KERNEL_GATHER_H

#include "kernel/sp_kernel.h"

typedef struct SpGather
{
	const SpNarrowNode *nodes;
	uint32_t	root;
	uint32_t	depth;
	int			column_bits;	/* of the nodes */
	const char *columns;		/* groups of 8 rows: float[column][8] each */
	size_t		group_bytes;	/* from group to group, below 2^30 */
	uint32_t	n_groups;
} SpGather;

#ifdef __x86_64__
/* slots[r]: the leaf of row r of the first groups; gives how many groups, all or all but one. */
extern uint32_t sp_gather_avx512(const SpGather *gather, uint32_t *slots);
#endif

#endif
