/*
 * src/ir/sp_slices.h
 *
 * The second form of a tree ensemble in the packed image: what the kernels
 * read that decide a node for many rows, or many nodes for one row, with one
 * instruction.  An ensemble has it beside its nodes if its trees are at most
 * SP_SLICE_DEPTH deep and it is expected to pay; sp_pack_slices.c decides.
 *
 * - Bins.  The numbers that a column (sp_pack.h) is compared with are its cuts.
 *   A row's bin is the count of cuts below its value.  With the cuts ascending
 *   and distinct, x <= cut number v is the same as bin <= v for every x, so a
 *   comparison of bytes decides what a comparison of floats or doubles would.
 *   A bin has at most 255 cuts; a column with more has several bins, and a
 *   node asks the one that its cut is in.  Bins are stored less 128, because
 *   bytes compare as signed numbers everywhere.
 * - Columns keep their meaning: a missing value is -infinity or +infinity and
 *   so has the lowest or the highest bin; flags and membership of sets have
 *   two bins.
 * - Places.  The nodes of a level are numbered from the left as if the tree
 *   were complete; place p of level l has children 2p and 2p+1.  A node's
 *   place in its tree is 2^l - 1 + p.  A leaf above the last level stands at
 *   all the places below it, so what is found at the missing nodes on the way
 *   down does not matter.
 */
#ifndef SP_SLICES_H
#define SP_SLICES_H

#include "ir/sp_image.h"

#define SP_SLICE_DEPTH 8
#define SP_SLICE_LEAVES (1 << SP_SLICE_DEPTH)
#define SP_SLICE_CUTS 255		/* of one bin */
#define SP_SLICE_ROWS 128		/* rows whose bins lie together: bin b of row r is at b * 128 + r */
#define SP_SLICE_BINS 4095		/* so that 16 times its number fits 16 bits */
#define SP_SLICE_TARGETS 64		/* of SP_SLICE_VALUES */
#define SP_SLICE_BLOCK 16		/* cuts that are counted at once */
#define SP_SLICE_VECTOR 64		/* bytes */

/* What a tree's table of leaves holds. */
typedef enum SpSliceLeaves
{
	SP_SLICE_VALUES = 1,		/* numbers of the sum's type, added to the tree's target */
	SP_SLICE_SLOTS = 2			/* uint32_t: the leaf's slot in nodes, for all other kinds */
} SpSliceLeaves;

/*
 * cuts: typed as the step's input, aligned to 64: every sixteenth cut (from the
 * sixteenth on, filled up to 16 with +infinity), then all cuts in n_blocks
 * blocks of 16, the last one filled up with +infinity.
 */
typedef struct SpPackedBin
{
	uint32_t	feature;		/* column of the step's input */
	uint32_t	fill;			/* SpFill */
	uint32_t	n_blocks;		/* 0 for flags and sets */
	uint32_t	set;			/* of SP_FILL_CATEGORY */
	uint64_t	cuts;
} SpPackedBin;

/* A split: the row goes right if its bin is above the cut. */
typedef struct SpPackedCut
{
	uint32_t	cut;			/* less 128, in each of the four bytes */
	uint16_t	bin16;			/* 16 times the bin, */
	uint16_t	place16;		/* 16 times the place: an eighth of the distance in bytes */
} SpPackedCut;

typedef struct SpPackedSlice
{
	uint32_t	first_cut;		/* in cuts */
	uint32_t	first_leaf;		/* in leaves: 2^depth of them */
	uint32_t	first_vector;	/* in vectors */
	uint16_t	n_cuts;
	uint16_t	depth;
} SpPackedSlice;

/*
 * vectors: for single rows, 64 places a vector.  A tree has the vectors of
 * its bins, then as many of its cuts.  Places 0 .. 62 are in the first vector,
 * level 6 is the second, level 7 the third and fourth.  A missing node has
 * cut 127 and so leads left.
 */
typedef struct SpPackedSlices
{
	uint32_t	leaves_kind;	/* SpSliceLeaves */
	uint32_t	depth;			/* of the deepest tree */
	uint32_t	n_bins;			/* at least 1 */
	uint32_t	n_numeric;		/* bins before have cuts; flags and sets come after */
	/* over all trees, for choosing between the ways */
	uint64_t	n_visits;		/* of nodes by a walk of one row: all depths */
	uint64_t	n_splits;
	uint64_t	n_leaves;		/* places of leaves */
	uint64_t	n_vectors;		/* of places */
	uint64_t	bins;			/* SpPackedBin[n_bins] */
	uint64_t	trees;			/* SpPackedSlice[n_trees] */
	uint64_t	cuts;			/* SpPackedCut */
	uint64_t	leaves;			/* by leaves_kind; a vector may be read past the last */
	uint64_t	vectors;		/* int8_t[64] each; 0 with more than SP_SLICE_SINGLE_BINS bins */
} SpPackedSlices;

#define SP_SLICE_SINGLE_BINS 128

/* Vectors of a tree's places. */
static inline uint32_t
sp_slice_vectors(uint32_t depth)
{
	return depth <= 6 ? 1 : depth == 7 ? 2 : 4;
}

#endif
