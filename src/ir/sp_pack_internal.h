/*
 * src/ir/sp_pack_internal.h
 *
 * What the files of the packer share; nobody else includes it.
 *
 * Packing goes twice over the model: plan() reserves room for every array and
 * notes its offset, then one block of the right size is allocated and fill()
 * writes into it.
 */
#ifndef SP_PACK_INTERNAL_H
#define SP_PACK_INTERNAL_H

#include "ir/sp_pack.h"
#include "ir/sp_slices.h"

#define SP_NO_COLUMN UINT32_MAX	/* in column_of */

typedef struct SpPacker
{
	SpContext  *cx;
	const SpModel *model;
	uint64_t	size;			/* reserved so far; stays at UINT64_MAX once it overflows */
	char	   *image;			/* NULL while planning */
} SpPacker;

/* The same for the second form of the trees; at is 0 if they have none. */
typedef struct SpSlicesPlan
{
	SpPackedSlices packed;
	uint64_t	at;
	uint64_t	blocks;			/* offset of all bins' cuts */
	uint32_t   *n_cuts;			/* by column: distinct cuts */
	uint32_t   *first_cut;		/* by column: the first of them in cuts */
	uint32_t   *first_bin;		/* by column */
	double	   *cuts;
	/* while filling */
	uint32_t	next_cut;
	uint32_t	next_leaf;
	uint32_t	next_vector;
} SpSlicesPlan;

/* The trees' structure with its offsets, and what fill() needs again. */
typedef struct SpTreesPlan
{
	SpPackedTrees packed;
	uint32_t   *column_of;		/* by feature * SP_N_FILLS + SpFill */
	uint32_t   *column_of_set;	/* by set of the step */
	uint32_t   *set_of_column;	/* one of the equal sets, by column from n_flags on */
	uint32_t   *feature_of_column;	/* likewise */
	uint32_t   *flags_of_column;	/* likewise */
	uint32_t	largest_tree;	/* nodes */
	bool		drop_zeros;
	SpSlicesPlan slices;
} SpTreesPlan;

/* Room for count elements of size bytes at the alignment; gives the offset. */
extern uint64_t sp_pack_reserve(SpPacker *packer, uint64_t count, size_t size, size_t align);

/* Write count numbers as the type at an offset of the image. */
extern void sp_pack_numbers(SpPacker *packer, uint64_t offset, const double *numbers,
							uint64_t count, SpType type);

/* sp_pack_features.c: names and categories; next is where the next string goes, next_list the next list. */
extern uint64_t sp_pack_strings_size(const SpModel *model);
extern uint64_t sp_pack_lists_size(const SpModel *model);
extern bool sp_pack_maps_numbers(const SpModel *model);
extern uint32_t sp_pack_string(SpPacker *packer, uint64_t *next, const char *string);
extern SpImageFeature sp_pack_feature(SpPacker *packer, const SpFeature *feature, uint64_t *next,
									  uint64_t *next_list);
/* The strings of the model, at an offset of the image. */
extern void sp_pack_categories(SpPacker *packer, uint64_t offset, uint64_t *next);

/*
 * sp_pack_fold.c: a copy of the model that computes the same, but for a few roundings,
 * in fewer steps.  Steps and values are the copy's own; a value that no step makes
 * any more has width 0.
 */
typedef struct SpFolded
{
	SpModel		model;
	uint32_t	n_owned;
	void	  **owned;			/* numbers of layers that have changed; each pair of steps has one at the most */
} SpFolded;

extern SpStatus sp_pack_fold(SpContext *cx, const SpModel *model, SpFolded *folded);
extern void sp_pack_fold_free(SpContext *cx, SpFolded *folded);

/* sp_pack_trees.c and sp_pack_trees_fill.c */
extern SpStatus sp_pack_trees_plan(SpPacker *packer, const SpStep *step, SpTreesPlan *plan);
extern SpStatus sp_pack_trees_fill(SpPacker *packer, const SpStep *step, SpTreesPlan *plan);
extern void sp_pack_trees_free(SpPacker *packer, SpTreesPlan *plan);

/* The target of a tree's first leaf: that of all of them, if they have one in common. */
extern uint32_t sp_pack_tree_target(const SpTrees *trees, uint32_t tree);

/* A number as it enters the sum. */
static inline double
sp_pack_rounded(const SpTrees *trees, double value)
{
	return trees->sum_type == SP_TYPE_F32 ? (double) (float) value : value;
}

/*
 * The first slot of a tree that comes after end slots.  It stays empty and the
 * root takes the next one: the pairs of children are then never split over two
 * cache lines, and the first three levels share one.
 */
static inline uint64_t
sp_pack_tree_begin(uint64_t end, uint32_t n_nodes)
{
	uint64_t	align = n_nodes == 1 ? 2 : n_nodes == 3 ? 4 : 8;

	return (end + align - 1) / align * align;
}

/* sp_pack_sets.c: columns of membership, equal ones once, and their sets */
extern SpStatus sp_pack_sets_plan(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan);
extern void sp_pack_sets_fill(SpPacker *packer, const SpTrees *trees, const SpTreesPlan *plan);

/*
 * sp_pack_slices.c: the second form, after everything else of the ensemble is
 * planned.  fill: once the columns are filled; then each tree in order, with the
 * slots of its leaves by node.
 */
extern SpStatus sp_pack_slices_plan(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan);
extern void sp_pack_slices_fill(SpPacker *packer, SpTreesPlan *plan);
extern void sp_pack_slices_tree(SpPacker *packer, const SpTrees *trees, SpTreesPlan *plan,
								uint32_t tree, const uint32_t *slots);

/* sp_pack_tiles.c: n_out rows of n_in numbers in panels, and one number for each row in whole lines */
extern uint64_t sp_pack_tiles_reserve(SpPacker *packer, uint64_t n_in, uint64_t n_out, SpType type);
extern uint64_t sp_pack_line_reserve(SpPacker *packer, uint64_t n_out, SpType type);
extern SpStatus sp_pack_tiles_fill(SpPacker *packer, uint64_t offset, const double *matrix, uint64_t n_in,
								   uint64_t n_out, SpType type);

static inline size_t
sp_pack_number_size(SpType type)
{
	return type == SP_TYPE_F32 ? sizeof(float) : sizeof(double);
}

/* sp_pack_panels.c: numbers of CONV and RECURRENT, typed as the step's input */
extern uint64_t sp_pack_panels_count(const SpPacker *packer, const SpStep *step);
extern SpStatus sp_pack_panels_fill(SpPacker *packer, const SpStep *step, uint64_t offset);

/* sp_pack_split.c: a split in the form that the image has */
typedef struct SpPackedSplit
{
	double		threshold;
	SpFill		fill;
	bool		swapped;		/* left and right child change places */
} SpPackedSplit;

extern SpPackedSplit sp_pack_split(const SpNode *node, SpType in_type);

#endif
