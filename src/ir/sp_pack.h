/*
 * src/ir/sp_pack.h
 *
 * From a model to its packed image, and what each op's parameters look like
 * in there.  SpImageStep.params is the offset of the op's structure below;
 * offsets inside it also count from the start of the image.  "Typed" arrays
 * hold float or double, as the type that the field says.
 *
 * Trees are stored so that a step down is arithmetic without a branch:
 *
 *     next = node + offset + (threshold >= x ? 0 : 1)
 *
 * - The children of a split are neighbours, the left one first, offset slots
 *   behind it.
 * - Every comparison is x <= threshold.  x < t is stored as x <= the next
 *   number below t in the input's type, and a threshold between two float32
 *   numbers as the lower one if the inputs are float32: the same for every x.
 *   x < -infinity, never true, becomes a swap of the children.
 * - x comes from a column, never from the feature itself.  The columns of a row
 *   are made before the walk and hold no NaN: a feature whose missing values
 *   go left has a column with -infinity in their place, one whose missing
 *   values go right one with +infinity (and both if nodes disagree).  Where no
 *   replacement can work, because the threshold itself is +infinity and missing
 *   goes right, the column is 1 for missing and 0 otherwise, compared with 0.5.
 * - Numbers near 0 that count as missing are replaced likewise, in columns of
 *   their own.  A question of membership has a column for each feature and set:
 *   -infinity for members, +infinity for all else, compared with 0.
 * - Column 0 is always -infinity.  A leaf splits on it with offset 0, so it is
 *   its own next node, whatever its threshold: that field holds its payload.
 *   A walk of as many steps as the tree is deep ends in the right leaf, and no
 *   input whatsoever leads it out of the nodes.
 */
#ifndef SP_PACK_H
#define SP_PACK_H

#include "ir/sp_image.h"

/*
 * Pack a model.  *image is aligned to SP_IMAGE_ALIGN and comes from cx->alloc,
 * but is not the address that the allocator gave: it goes with the region.
 * SP_ERR_LIMIT above max_image, SP_ERR_MEMORY, SP_ERR_CANCELLED.
 */
extern SpStatus sp_pack(SpContext *cx, const SpModel *model, SpImage **image);

/*
 * Nodes.  A narrow node's link is column << 2 | offset << (2 + bits of the
 * column); the two low bits are zero, so that the masked link is the byte
 * distance of a float column.  The narrowest kind that fits is chosen.
 */
typedef enum SpNodeKind
{
	SP_NODES_COLUMN8 = 1,		/* 256 columns, offsets below 2^22 */
	SP_NODES_COLUMN12 = 2,		/* 4,096 columns, offsets below 2^18 */
	SP_NODES_COLUMN16 = 3,		/* 65,536 columns, offsets below 2^14 */
	SP_NODES_WIDE = 4			/* anything else, and always for float64 inputs */
} SpNodeKind;

#define SP_LINK_SHIFT(column_bits) ((column_bits) + 2)
#define SP_LINK_MASK(column_bits) (((UINT32_C(1) << (column_bits)) - 1) << 2)

typedef struct SpNarrowNode
{
	float		threshold;
	uint32_t	link;
} SpNarrowNode;

typedef struct SpWideNode
{
	double		threshold;		/* its columns are double, also for float32 inputs */
	uint32_t	column;
	uint32_t	offset;
} SpWideNode;

/* What a leaf's threshold field holds. */
typedef enum SpLeafKind
{
	SP_LEAVES_INLINE = 1,		/* its value, as a number; the target is the tree's */
	SP_LEAVES_DENSE = 2,		/* tagged index into leaves: typed values of all targets */
	SP_LEAVES_LIST = 3,			/* tagged index into leaves: a count, then so many entries */
	SP_LEAVES_LINEAR = 4		/* tagged index into leaves: an SpPackedLeaf */
} SpLeafKind;

/*
 * An index stored in a threshold field carries this tag, which makes it the
 * bits of an ordinary number: it is compared like any threshold, and a
 * comparison with a denormal or a NaN would be slow or wrong.
 */
#define SP_LEAF_TAG_NARROW UINT32_C(0x40000000)
#define SP_LEAF_TAG_WIDE UINT64_C(0x4000000000000000)
#define SP_LEAF_INDEX_LIMIT_NARROW UINT32_C(0x3f800000)

/* Entries of SP_LEAVES_LIST; the first of a leaf has the count in place of the target. */
typedef struct SpLeafEntry32
{
	uint32_t	target;
	float		value;
} SpLeafEntry32;

typedef struct SpLeafEntry64
{
	uint64_t	target;
	double		value;
} SpLeafEntry64;

typedef struct SpPackedLeaf
{
	double		constant;
	double		fallback;		/* if an input is NaN */
	uint32_t	target;
	uint32_t	n_terms;
	uint64_t	first_term;		/* in terms */
} SpPackedLeaf;

typedef struct SpPackedTerm
{
	double		coefficient;
	uint64_t	column;			/* of the step's input */
} SpPackedTerm;

typedef enum SpFill
{
	SP_FILL_LOW = 0,			/* missing becomes -infinity */
	SP_FILL_HIGH = 1,			/* missing becomes +infinity */
	SP_FILL_ZERO_LOW = 2,		/* the same with numbers near 0 as missing */
	SP_FILL_ZERO_HIGH = 3,
	SP_FILL_FLAG = 4,			/* missing becomes 1, everything else 0 */
	SP_FILL_ZERO_FLAG = 5,
	SP_FILL_CATEGORY = 6		/* membership of a set */
} SpFill;

#define SP_N_FILLS 6			/* that a feature can have once */

typedef struct SpPackedColumn
{
	uint32_t	feature;		/* column of the step's input */
	uint32_t	fill;			/* SpFill */
} SpPackedColumn;

/* The set of a column SP_FILL_CATEGORY: words of a bit set that are not 0, ascending. */
typedef struct SpPackedSet
{
	uint32_t	flags;			/* SP_NODE_MISSING_LEFT, SP_NODE_TRUNCATE */
	uint32_t	n_words;
	uint64_t	first_word;		/* in words */
} SpPackedSet;

typedef struct SpPackedWord
{
	uint32_t	index;			/* category / 32 */
	uint32_t	bits;
} SpPackedWord;

/* Trees are walked in groups of this many, all by the depth of the deepest. */
#define SP_TREE_GROUP 8

typedef struct SpPackedTrees
{
	uint32_t	node_kind;		/* SpNodeKind */
	uint32_t	leaf_kind;		/* SpLeafKind */
	uint32_t	aggregate;		/* SpAggregate */
	uint32_t	in_type;		/* SpType */
	uint32_t	sum_type;		/* SpType: the type of base, leaf values and sums */
	uint32_t	base_last;
	uint32_t	in_width;
	uint32_t	n_targets;
	uint32_t	n_trees;
	uint32_t	n_columns;		/* with column 0 */
	uint32_t	n_values;		/* columns before are SP_FILL_LOW or HIGH */
	uint32_t	n_zeros;		/* from n_values to here ZERO_LOW or ZERO_HIGH */
	uint32_t	n_flags;		/* from n_zeros to here FLAG or ZERO_FLAG, from here on CATEGORY */
	uint32_t	reserved;
	uint64_t	columns;		/* SpPackedColumn[n_columns]; entry 0 is not used */
	uint64_t	base;			/* typed[n_targets] */
	uint64_t	roots;			/* uint32_t[n_trees, rounded up to groups]: slot of the root in nodes */
	uint64_t	depths;			/* uint32_t[n_trees] */
	uint64_t	group_depths;	/* uint32_t[n_trees / 8, rounded up]: largest of each group */
	uint64_t	targets;		/* uint32_t[n_trees], only SP_LEAVES_INLINE */
	uint64_t	nodes;			/* SpNarrowNode or SpWideNode */
	uint64_t	leaves;			/* by leaf_kind, the numbers in sum_type */
	uint64_t	terms;			/* SpPackedTerm, only SP_LEAVES_LINEAR */
	uint64_t	sets;			/* SpPackedSet[n_columns - n_flags] */
	uint64_t	words;			/* SpPackedWord */
	uint64_t	slices;			/* SpPackedSlices (sp_slices.h), or 0 */
} SpPackedTrees;

typedef struct SpPackedLinear
{
	uint32_t	type;			/* SpType */
	uint32_t	n_in;
	uint32_t	n_out;
	uint32_t	reserved;
	uint64_t	weights;		/* typed n_out * n_in in panels (sp_tiles.h) */
	uint64_t	bias;			/* typed[n_out] in whole lines */
} SpPackedLinear;

typedef struct SpPackedScale
{
	uint64_t	offset;			/* typed[width], as the step's input */
	uint64_t	scale;			/* typed[width] */
} SpPackedScale;

/* All ops that have an SpGeneral. */
typedef struct SpPackedGeneral
{
	uint32_t	kind;
	uint32_t	n_inputs;
	uint32_t	dims[SP_GENERAL_DIMS];
	double		params[SP_GENERAL_PARAMS];
	uint32_t	n_indices;
	uint32_t	n_numbers;
	uint32_t	number_type;	/* SpType; I64 and STRING are int64_t */
	uint32_t	reserved;
	uint64_t	inputs;			/* uint32_t[n_inputs] */
	uint64_t	indices;		/* uint32_t[n_indices] */
	uint64_t	numbers;		/* typed[n_numbers] */
	uint64_t	start;			/* only if the numbers are a matrix in panels: typed in whole lines; of RBF
								 * -|v|^2 / 2 for each vector, and params[1] is the largest |v|^2 */
} SpPackedGeneral;

/*
 * Panels: a matrix [n_out, n_in] with biases in the order in which kernels read
 * it.  A panel belongs to SP_PANEL results: their biases, then for each input
 * their weights; what is beyond n_out is 0.
 *
 * CONV has the panels of each group, so that one with a group for each channel
 * (depthwise) holds and works out up to SP_PANEL times as much as it needs.
 * RECURRENT has those of W for all gates and of R for all gates (of a GRU z and
 * r, then h by itself), then peepholes and the parameters of the functions.
 * n_numbers is the model's.
 */
#define SP_PANEL 8

static inline uint64_t
sp_panel_rows(uint64_t n_out)
{
	return (n_out + SP_PANEL - 1) / SP_PANEL * SP_PANEL;
}

static inline uint64_t
sp_panels_size(uint64_t n_in, uint64_t n_out)
{
	return sp_panel_rows(n_out) * (n_in + 1);
}

/* All other ops; kind is an SpNorm, SpMap or SpSoftmax, bound belongs to ABOVE. */
typedef struct SpPackedSimple
{
	uint32_t	kind;
	uint32_t	reserved;
	double		bound;
} SpPackedSimple;

#endif
