/*
 * src/kernel/sp_kernel_slices.h
 *
 * Bit-sliced evaluation of trees (ir/sp_slices.h) and what each instruction
 * level implements of it.
 *
 * One vector holds a bin of many rows.  Of a group of trees first all splits
 * are decided for all rows, one comparison each; then masks of decided rows
 * choose level by level among the decisions below, which gives every row the
 * place of its leaf.  No step depends on the data, so nothing is mispredicted
 * and nothing is gathered but leaves.
 *
 * A level without instructions of its own takes the portable functions, whose
 * vectors the compiler turns into what the processor always has (SSE2, NEON).
 */
#ifndef SP_KERNEL_SLICES_H
#define SP_KERNEL_SLICES_H

#include "kernel/sp_kernel.h"
#include "ir/sp_slices.h"

#define SP_SLICE_BATCH 64		/* trees */

#ifdef __clang__
#define SP_UNROLL_TEXT(text) _Pragma(#text)
#define SP_UNROLL(n) SP_UNROLL_TEXT(clang loop unroll_count(n))
#else
#define SP_UNROLL_TEXT(text) _Pragma(#text)
#define SP_UNROLL(n) SP_UNROLL_TEXT(GCC unroll n)
#endif

/* Bins of n_rows rows from in on; bin b of row r goes to to[b * stride + r]. */
typedef struct SpBinning
{
	const SpImage *image;
	const SpPackedBin *bins;	/* numeric ones */
	uint32_t	n_bins;
	uint32_t	n_rows;
	const void *in;				/* typed as the step's input */
	size_t		in_width;
	int8_t	   *to;
	size_t		stride;
} SpBinning;

/* Some trees: at most SP_TREE_GROUP for rows, SP_SLICE_BATCH for one row. */
typedef struct SpSliceGroup
{
	const SpPackedSlice *trees;
	uint32_t	n_trees;
	const uint32_t *depths;		/* of the deepest of each SP_TREE_GROUP trees */
	const SpPackedCut *cuts;
	const int8_t *vectors;
	/*
	 * Rows: bin b of row r is at b * SP_SLICE_ROWS + r.  Row: bins side by side,
	 * SP_SLICE_SINGLE_BINS bytes.  Aligned to 64.
	 */
	const int8_t *bins;
	uint32_t	n_bins;
	uint32_t	n_rows;			/* at most SP_SLICE_ROWS */
	void	   *masks;			/* SP_SLICE_ROWS bytes for each place, aligned; their content must be defined */
} SpSliceGroup;

/*
 * What a row takes, in picoseconds as measured with a few models on one
 * machine.  Only the relations matter, which are similar on others.
 */
typedef struct SpSliceCosts
{
	/* a row among many: for each bin, tree, split and place of a leaf */
	uint32_t	bin;
	uint32_t	tree;
	uint32_t	split;
	uint32_t	leaf;
	/* a row alone: for each bin, tree, vector, and 16 bins in a vector */
	uint32_t	single_bin;
	uint32_t	single_tree;
	uint32_t	single_vector;
	uint32_t	single_chunk;
} SpSliceCosts;

typedef struct SpSlicer
{
	SpSliceCosts costs;
	uint32_t	vector_rows;	/* fewer rows take as long as these */
	uint32_t	max_single_bins;	/* up to here single() works; 0 if there is none */
	void		(*bin_floats) (const SpBinning *binning);
	void		(*bin_doubles) (const SpBinning *binning);
	/* places[t * SP_SLICE_ROWS + r]: the leaf of row r in tree t; aligned to 64 */
	void		(*slice) (const SpSliceGroup *group, uint8_t *places);
	/* sums[r] += leaves[places[r]] for n_rows rows, or up to SP_SLICE_ROWS; sums aligned to 64 */
	void		(*add_floats) (const float *leaves, uint32_t depth, const uint8_t *places,
							   uint32_t n_rows, float *sums);
	void		(*add_doubles) (const double *leaves, uint32_t depth, const uint8_t *places,
								uint32_t n_rows, double *sums);
	/*
	 * found[t]: the leaf of the row in tree t, counted from the first of all
	 * leaves; SP_SLICE_BATCH entries, aligned to 64, of which those behind the
	 * last tree may be overwritten
	 */
	void		(*single) (const SpSliceGroup *group, uint32_t *found);
} SpSlicer;

extern const SpSlicer sp_slicer_portable;
#ifdef __x86_64__
extern const SpSlicer sp_slicer_avx2;
extern const SpSlicer sp_slicer_avx512;
#endif

/*
 * Add the leaves of as many rows as this form is good for, from the first row
 * on; their sums have been started.  SP_OK or SP_ERR_CANCELLED.
 */
extern SpStatus sp_kernel_slices(const SpStepRun *run, uint32_t *n_done);

extern uint64_t sp_kernel_slices_scratch(const SpImage *image, const SpPackedTrees *trees);

#endif
