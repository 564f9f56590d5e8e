/*
 * src/kernel/sp_kernel_leaves.h
 *
 * What all ways through a tree ensemble share: what counts as missing or as a
 * member of a set, and adding a leaf of any kind to the sums of a row.
 */
#ifndef SP_KERNEL_LEAVES_H
#define SP_KERNEL_LEAVES_H

#include <math.h>
#include <string.h>

#include "kernel/sp_kernel.h"

/* An ensemble and the rows that it is applied to. */
typedef struct SpForest
{
	const SpPackedTrees *trees;
	const void *nodes;
	const void *leaves;
	const uint32_t *targets;
	const SpPackedTerm *terms;	/* of linear leaves */
	const double *rows;			/* what linear leaves read: the step's input */
	void	   *sums;			/* of n_targets of sum_type for each row */
} SpForest;

static inline bool
sp_is_missing(double value, bool near_zero)
{
	return isnan(value) || (near_zero && value >= -SP_ZERO_BOUND && value <= SP_ZERO_BOUND);
}

/* Whether a split by a set sends the value left. */
static inline bool
sp_is_member(const SpPackedSet *set, const SpPackedWord *words, double value)
{
	const SpPackedWord *word = words + set->first_word;
	size_t		n = set->n_words;
	uint32_t	category;

	if (isnan(value))
		return (set->flags & SP_NODE_MISSING_LEFT) != 0;
	if (!(set->flags & SP_NODE_TRUNCATE ? value > -1 : value >= 0) || value >= SP_CATEGORY_CAP + 1.0)
		return false;
	category = (uint32_t) (int32_t) value;
	for (; n > 1; n -= n / 2)
		if (word[n / 2].index <= category / 32)
			word += n / 2;
	return word->index == category / 32 && (word->bits >> category % 32 & 1) != 0;
}

/* A sum that is still NaN gives way to any value. */
#define DEFINE_AGGREGATE(name, NUMBER) \
static inline NUMBER \
name(uint32_t aggregate, NUMBER sum, NUMBER value) \
{ \
	if (aggregate == SP_AGGREGATE_MIN) \
		return sum <= value ? sum : value; \
	if (aggregate == SP_AGGREGATE_MAX) \
		return sum >= value ? sum : value; \
	return sum + value; \
}

DEFINE_AGGREGATE(aggregate_float, float)
DEFINE_AGGREGATE(aggregate_double, double)

static inline double
leaf_number(const SpForest *forest, uint32_t slot)
{
	if (forest->trees->node_kind == SP_NODES_WIDE)
		return ((const SpWideNode *) forest->nodes)[slot].threshold;
	return ((const SpNarrowNode *) forest->nodes)[slot].threshold;
}

/* Bytes of an element of leaves. */
static inline size_t
sp_leaf_size(const SpPackedTrees *trees)
{
	size_t		number_size = trees->sum_type == SP_TYPE_F32 ? sizeof(float) : sizeof(double);

	if (trees->leaf_kind == SP_LEAVES_LINEAR)
		return sizeof(SpPackedLeaf);
	return trees->leaf_kind == SP_LEAVES_LIST ? 2 * number_size : number_size;
}

static inline uint64_t
sp_leaf_index(const SpForest *forest, uint32_t slot)
{
	uint64_t	wide;
	uint32_t	narrow;

	if (forest->trees->node_kind == SP_NODES_WIDE)
	{
		memcpy(&wide, &((const SpWideNode *) forest->nodes)[slot].threshold, sizeof(wide));
		return wide & ~SP_LEAF_TAG_WIDE;
	}
	memcpy(&narrow, &((const SpNarrowNode *) forest->nodes)[slot].threshold, sizeof(narrow));
	return narrow - SP_LEAF_TAG_NARROW;
}

#define DEFINE_ADD_LEAF(name, NUMBER, ENTRY, aggregate_number) \
static inline void \
name(const SpForest *forest, uint32_t tree, uint32_t slot, NUMBER *sums) \
{ \
	const SpPackedTrees *trees = forest->trees; \
	uint32_t	aggregate = trees->aggregate; \
	if (trees->leaf_kind == SP_LEAVES_INLINE) \
	{ \
		NUMBER	   *sum = &sums[forest->targets[tree]]; \
		*sum = aggregate_number(aggregate, *sum, (NUMBER) leaf_number(forest, slot)); \
	} \
	else if (trees->leaf_kind == SP_LEAVES_DENSE) \
	{ \
		const NUMBER *values = (const NUMBER *) forest->leaves + sp_leaf_index(forest, slot); \
		for (uint32_t target = 0; target < trees->n_targets; target++) \
			sums[target] = aggregate_number(aggregate, sums[target], values[target]); \
	} \
	else \
	{ \
		const ENTRY *entry = (const ENTRY *) forest->leaves + sp_leaf_index(forest, slot); \
		for (const ENTRY *last = entry + entry->target; entry++ < last;) \
			sums[entry->target] = aggregate_number(aggregate, sums[entry->target], entry->value); \
	} \
}

/* LightGBM's Tree::Predict (include/LightGBM/tree.h), term by term. */
static inline void
add_linear_leaf(const SpForest *forest, uint32_t slot, uint32_t row, double *sums)
{
	const SpPackedLeaf *leaf = (const SpPackedLeaf *) forest->leaves + sp_leaf_index(forest, slot);
	const SpPackedTerm *term = forest->terms + leaf->first_term;
	const double *x = forest->rows + (size_t) row * forest->trees->in_width;
	double		value = leaf->constant;

	for (uint32_t at = 0; at < leaf->n_terms; at++)
	{
		if (isnan(x[term[at].column]))
		{
			value = leaf->fallback;
			break;
		}
		value += term[at].coefficient * x[term[at].column];
	}
	sums[leaf->target] = aggregate_double(forest->trees->aggregate, sums[leaf->target], value);
}

DEFINE_ADD_LEAF(add_leaf_float, float, SpLeafEntry32, aggregate_float)
DEFINE_ADD_LEAF(add_leaf_double, double, SpLeafEntry64, aggregate_double)

/* One leaf of one row, of any kind. */
static inline void
sp_add_leaf(const SpForest *forest, uint32_t tree, uint32_t slot, uint32_t row)
{
	size_t		first = (size_t) row * forest->trees->n_targets;

	if (forest->trees->leaf_kind == SP_LEAVES_LINEAR)
		add_linear_leaf(forest, slot, row, (double *) forest->sums + first);
	else if (forest->trees->sum_type == SP_TYPE_F32)
		add_leaf_float(forest, tree, slot, (float *) forest->sums + first);
	else
		add_leaf_double(forest, tree, slot, (double *) forest->sums + first);
}

#endif
