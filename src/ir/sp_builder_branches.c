/*
 * src/ir/sp_builder_branches.c
 *
 * The parts of a tree that most have not: splits by sets of categories, and
 * linear leaves.
 *
 * Every split gets a set of its own and every leaf terms of its own.  What a
 * file shares would else be work that grows faster than the file.
 */
#include <string.h>

#include "ir/sp_builder_internal.h"

static SpStatus
check_set(SpBuilder *builder, const SpTreeSpec *spec, uint32_t set)
{
	SpContext  *cx = builder->cx;
	uint32_t	tree = builder->draft.trees.n_trees;
	uint32_t	begin = spec->first_category[set];
	uint32_t	end = spec->first_category[set + 1];

	if (end <= begin)
		return sp_fail(cx, SP_ERR_FORMAT, "set %u of tree %u has no categories", set, tree);
	for (uint32_t at = begin; at < end; at++)
	{
		if (spec->categories[at] > SP_CATEGORY_CAP)
			return sp_fail(cx, SP_ERR_FORMAT, "set %u of tree %u has a category above %d", set, tree,
						   SP_CATEGORY_CAP);
		if (at > begin && spec->categories[at] <= spec->categories[at - 1])
			return sp_fail(cx, SP_ERR_FORMAT, "set %u of tree %u has categories that do not ascend", set, tree);
	}
	return SP_OK;
}

/* Each set belongs to the one node that names it; the shape of the tree is checked before. */
static SpStatus
check_owners(SpBuilder *builder, const SpTreeSpec *spec)
{
	uint32_t	tree = builder->draft.trees.n_trees;
	uint32_t	n_used = 0;

	SP_TRY(sp_grow_array(builder->cx, (void **) &builder->draft.seen, &builder->draft.seen_capacity,
						 spec->n_sets, 1));
	if (spec->n_sets > 0)
		memset(builder->draft.seen, 0, spec->n_sets);
	for (uint32_t number = 0; number < spec->n_nodes; number++)
	{
		const SpNode *node = &spec->nodes[number];

		if (node->feature == SP_LEAF || !(node->flags & SP_NODE_CATEGORY))
			continue;
		if (!(node->threshold >= 0 && node->threshold < spec->n_sets) ||
			node->threshold != (uint32_t) node->threshold)
			return sp_fail(builder->cx, SP_ERR_FORMAT, "node %u of tree %u asks for a set that does not exist",
						   number, tree);
		if (builder->draft.seen[(uint32_t) node->threshold])
			return sp_fail(builder->cx, SP_ERR_FORMAT, "nodes of tree %u share a set of categories", tree);
		builder->draft.seen[(uint32_t) node->threshold] = 1;
		n_used++;
	}
	if (n_used < spec->n_sets)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "tree %u has %u sets of categories that no node asks for",
					   tree, spec->n_sets - n_used);
	return SP_OK;
}

SpStatus
sp_builder_check_sets(SpBuilder *builder, const SpTreeSpec *spec)
{
	SpContext  *cx = builder->cx;
	const SpTrees *trees = &builder->draft.trees;
	uint64_t	n_categories = spec->n_sets > 0 ? spec->first_category[spec->n_sets] : 0;
	uint64_t	before = trees->n_sets > 0 ? trees->first_category[trees->n_sets] : 0;

	if (spec->n_sets > 0 && spec->first_category[0] != 0)
		return sp_fail(cx, SP_ERR_FORMAT, "sets of categories do not begin with the first");
	if (before + n_categories > cx->limits.max_elements || before + n_categories > UINT32_MAX)
		return sp_fail_limit(cx, "max_elements", "tree ensemble has more than %llu categories in its splits",
							 (unsigned long long) cx->limits.max_elements);
	/* ascending begins first: only then are all ranges inside of the array */
	for (uint32_t set = 0; set < spec->n_sets; set++)
		if (spec->first_category[set + 1] <= spec->first_category[set])
			return sp_fail(cx, SP_ERR_FORMAT, "set %u of tree %u has no categories", set, trees->n_trees);
	for (uint32_t set = 0; set < spec->n_sets; set++)
		SP_TRY(check_set(builder, spec, set));
	return check_owners(builder, spec);
}

SpStatus
sp_builder_check_linear(SpBuilder *builder, const SpTreeSpec *spec)
{
	SpContext  *cx = builder->cx;
	const SpTrees *trees = &builder->draft.trees;
	SpValue		input = sp_builder_value(builder, builder->draft.in);
	uint32_t	next = 0;

	if (trees->n_trees > 0 && (trees->linear != NULL) != (spec->linear != NULL))
		return sp_fail(cx, SP_ERR_FORMAT, "some trees have linear leaves and others have not");
	if (spec->linear == NULL)
		return SP_OK;
	if (input.type != SP_TYPE_F64 || trees->sum_type != SP_TYPE_F64)
		return sp_fail(cx, SP_ERR_FORMAT, "linear leaves need float64 inputs and sums");
	if ((uint64_t) trees->n_terms + spec->n_terms > cx->limits.max_elements ||
		(uint64_t) trees->n_terms + spec->n_terms > UINT32_MAX)
		return sp_fail_limit(cx, "max_elements", "tree ensemble has more than %llu coefficients in its leaves",
							 (unsigned long long) cx->limits.max_elements);
	for (uint32_t number = 0; number < spec->n_nodes; number++)
		if (spec->nodes[number].feature == SP_LEAF && spec->nodes[number].right != 1)
			return sp_fail(cx, SP_ERR_FORMAT, "linear leaf %u of tree %u has %u values instead of one", number,
						   trees->n_trees, spec->nodes[number].right);
	for (uint32_t at = 0; at < spec->n_weights; at++)
	{
		const SpLeafLinear *leaf = &spec->linear[at];

		if (leaf->first_term != next || leaf->n_terms > spec->n_terms - next || leaf->n_terms > input.width)
			return sp_fail(cx, SP_ERR_FORMAT, "a linear leaf of tree %u has terms out of range", trees->n_trees);
		if (!sp_is_finite_as(leaf->constant, SP_TYPE_F64))
			return sp_fail(cx, SP_ERR_FORMAT, "a linear leaf of tree %u has a constant that is not finite",
						   trees->n_trees);
		next += leaf->n_terms;
	}
	for (uint32_t at = 0; at < spec->n_terms; at++)
		if (spec->terms[at].column >= input.width || !sp_is_finite_as(spec->terms[at].coefficient, SP_TYPE_F64))
			return sp_fail(cx, SP_ERR_FORMAT, "a linear leaf of tree %u has a wrong coefficient or feature",
						   trees->n_trees);
	return SP_OK;
}

SpStatus
sp_builder_add_sets(SpBuilder *builder, const SpTreeSpec *spec, SpNode *nodes)
{
	SpContext  *cx = builder->cx;
	SpTreesDraft *draft = &builder->draft;
	SpTrees    *trees = &draft->trees;
	uint32_t	before;
	uint32_t	added;

	if (spec->n_sets == 0)
		return SP_OK;
	before = trees->n_sets > 0 ? trees->first_category[trees->n_sets] : 0;
	added = spec->first_category[spec->n_sets];
	SP_TRY(sp_grow_array(cx, (void **) &trees->first_category, &draft->first_category_capacity,
						 (size_t) trees->n_sets + spec->n_sets + 1, sizeof(uint32_t)));
	SP_TRY(sp_grow_array(cx, (void **) &trees->categories, &draft->categories_capacity,
						 (size_t) before + added, sizeof(uint32_t)));
	for (uint32_t set = 0; set <= spec->n_sets; set++)
		trees->first_category[trees->n_sets + set] = before + spec->first_category[set];
	memcpy(trees->categories + before, spec->categories, added * sizeof(uint32_t));
	for (uint32_t number = 0; number < spec->n_nodes; number++)
		if (nodes[number].feature != SP_LEAF && nodes[number].flags & SP_NODE_CATEGORY)
			nodes[number].threshold += trees->n_sets;
	trees->n_sets += spec->n_sets;
	return SP_OK;
}

SpStatus
sp_builder_add_linear(SpBuilder *builder, const SpTreeSpec *spec)
{
	SpContext  *cx = builder->cx;
	SpTreesDraft *draft = &builder->draft;
	SpTrees    *trees = &draft->trees;
	uint32_t	weight = trees->n_weights;

	if (spec->linear == NULL)
		return SP_OK;
	SP_TRY(sp_grow_array(cx, (void **) &trees->linear, &draft->linear_capacity,
						 (size_t) trees->n_weights + spec->n_weights, sizeof(SpLeafLinear)));
	SP_TRY(sp_grow_array(cx, (void **) &trees->terms, &draft->terms_capacity,
						 (size_t) trees->n_terms + spec->n_terms + 1, sizeof(SpLeafTerm)));
	for (uint32_t number = 0; number < spec->n_nodes; number++)
	{
		const SpLeafLinear *leaf;

		if (spec->nodes[number].feature != SP_LEAF)
			continue;
		leaf = &spec->linear[spec->nodes[number].left];
		trees->linear[weight] = *leaf;
		trees->linear[weight++].first_term = trees->n_terms;
		for (uint32_t at = 0; at < leaf->n_terms; at++)
			trees->terms[trees->n_terms++] = spec->terms[leaf->first_term + at];
	}
	return SP_OK;
}
