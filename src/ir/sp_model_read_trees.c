/*
 * src/ir/sp_model_read_trees.c
 *
 * Trees of the stored form.
 */
#include "ir/sp_model_read_internal.h"

typedef struct TreeShape
{
	uint32_t	in_width;
	uint32_t	n_targets;
	uint32_t	n_nodes;
	uint32_t	n_weights;
	bool		f64_thresholds;
	bool		f64_values;
	bool		has_sets;
	bool		is_linear;
	/* read so far */
	uint32_t	n_sets;
	uint32_t	n_categories;
	uint32_t	n_terms;
} TreeShape;

/* The categories of a split: the next set of the tree. */
static SpStatus
read_set(SpModelReader *reader, TreeShape *shape, SpNode *node)
{
	SpContext  *cx = reader->cx;
	uint32_t	count;

	SP_TRY(sp_stored_u32(reader, &count));
	SP_TRY(sp_stored_count(reader, count, 4));
	if (!shape->has_sets || count > UINT32_MAX - shape->n_categories)
		return sp_fail_at(cx, reader->in.pos, "a tree has a set of categories that it does not announce");
	SP_TRY(sp_grow_array(cx, (void **) &reader->first_category, &reader->first_category_capacity,
						 (size_t) shape->n_sets + 2, sizeof(uint32_t)));
	SP_TRY(sp_grow_array(cx, (void **) &reader->categories, &reader->categories_capacity,
						 (size_t) shape->n_categories + count, sizeof(uint32_t)));
	reader->first_category[shape->n_sets] = shape->n_categories;
	for (; count > 0; count--)
		SP_TRY(sp_stored_u32(reader, &reader->categories[shape->n_categories++]));
	node->threshold = shape->n_sets++;
	reader->first_category[shape->n_sets] = shape->n_categories;
	return SP_OK;
}

static SpStatus
read_terms(SpModelReader *reader, TreeShape *shape, uint32_t weight)
{
	SpContext  *cx = reader->cx;
	unsigned	column_width = sp_stored_width(shape->in_width);
	SpLeafLinear leaf = {.first_term = shape->n_terms};

	SP_TRY(sp_read_f64_le(&reader->in, &leaf.constant));
	SP_TRY(sp_stored_u32(reader, &leaf.n_terms));
	SP_TRY(sp_stored_count(reader, leaf.n_terms, 8));
	if (leaf.n_terms > UINT32_MAX - shape->n_terms)
		return sp_fail_at(cx, reader->in.pos, "a tree has too many coefficients");
	SP_TRY(sp_grow_array(cx, (void **) &reader->terms, &reader->terms_capacity,
						 (size_t) shape->n_terms + leaf.n_terms, sizeof(SpLeafTerm)));
	reader->linear[weight] = leaf;
	for (; leaf.n_terms > 0; leaf.n_terms--)
	{
		SpLeafTerm *term = &reader->terms[shape->n_terms++];

		SP_TRY(sp_stored_sized(reader, column_width, &term->column));
		SP_TRY(sp_read_f64_le(&reader->in, &term->coefficient));
	}
	return SP_OK;
}

static SpStatus
read_split(SpModelReader *reader, TreeShape *shape, uint8_t flags, SpNode *node)
{
	unsigned	node_width = sp_stored_width(shape->n_nodes);
	uint32_t	feature;

	SP_TRY(sp_stored_sized(reader, sp_stored_width(shape->in_width), &feature));
	SP_TRY(sp_stored_sized(reader, node_width, &node->left));
	SP_TRY(sp_stored_sized(reader, node_width, &node->right));
	if (flags & SP_NODE_CATEGORY)
		SP_TRY(read_set(reader, shape, node));
	else
		SP_TRY(sp_stored_number(reader, shape->f64_thresholds, &node->threshold));
	if (feature >= shape->in_width)
		return sp_fail_at(reader->cx, reader->in.pos, "a split on feature %u of %u", feature,
						  shape->in_width);
	node->feature = (int32_t) feature;
	node->flags = flags;
	return SP_OK;
}

static SpStatus
read_leaf(SpModelReader *reader, TreeShape *shape, uint32_t *n_weights, SpNode *node)
{
	unsigned	target_width = sp_stored_width(shape->n_targets);
	uint32_t	count;

	SP_TRY(sp_stored_sized(reader, sp_stored_width((uint64_t) shape->n_targets + 1), &count));
	if (count > shape->n_weights - *n_weights)
		return sp_fail_at(reader->cx, reader->in.pos, "a tree has more than its %u leaf weights",
						  shape->n_weights);
	*node = (SpNode) {.feature = SP_LEAF, .left = *n_weights, .right = count};
	for (; count > 0; count--)
	{
		SpLeafWeight *weight = &reader->weights[(*n_weights)++];

		SP_TRY(sp_stored_sized(reader, target_width, &weight->target));
		SP_TRY(sp_stored_number(reader, shape->f64_values, &weight->value));
		if (shape->is_linear)
			SP_TRY(read_terms(reader, shape, *n_weights - 1));
	}
	return SP_OK;
}

static SpStatus
read_tree(SpModelReader *reader, TreeShape *shape)
{
	const uint8_t known = SP_TREE_F64_THRESHOLDS | SP_TREE_F64_VALUES | SP_TREE_SETS | SP_TREE_LINEAR;
	uint32_t	n_weights = 0;
	uint8_t		flags;

	SP_TRY(sp_read_u8(&reader->in, &flags));
	if (flags & ~known)
		return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown flags of a tree");
	shape->f64_thresholds = (flags & SP_TREE_F64_THRESHOLDS) != 0;
	shape->f64_values = (flags & SP_TREE_F64_VALUES) != 0;
	shape->has_sets = (flags & SP_TREE_SETS) != 0;
	shape->is_linear = (flags & SP_TREE_LINEAR) != 0;
	shape->n_sets = shape->n_categories = shape->n_terms = 0;
	SP_TRY(sp_stored_u32(reader, &shape->n_nodes));
	SP_TRY(sp_stored_u32(reader, &shape->n_weights));
	SP_TRY(sp_stored_count(reader, shape->n_nodes, 2));
	SP_TRY(sp_stored_count(reader, shape->n_weights, 4));
	SP_TRY(sp_grow_array(reader->cx, (void **) &reader->nodes, &reader->nodes_capacity,
						 shape->n_nodes, sizeof(SpNode)));
	SP_TRY(sp_grow_array(reader->cx, (void **) &reader->weights, &reader->weights_capacity,
						 shape->n_weights, sizeof(SpLeafWeight)));
	if (shape->is_linear)
		SP_TRY(sp_grow_array(reader->cx, (void **) &reader->linear, &reader->linear_capacity,
							 shape->n_weights, sizeof(SpLeafLinear)));
	for (uint32_t at = 0; at < shape->n_nodes; at++)
	{
		uint8_t		first;

		SP_TRY(sp_read_u8(&reader->in, &first));
		if (first == SP_STORED_LEAF)
			SP_TRY(read_leaf(reader, shape, &n_weights, &reader->nodes[at]));
		else
			SP_TRY(read_split(reader, shape, first, &reader->nodes[at]));
	}
	if (n_weights != shape->n_weights)
		return sp_fail_at(reader->cx, reader->in.pos, "a tree has only %u of its %u leaf weights",
						  n_weights, shape->n_weights);
	return sp_builder_tree_spec(reader->builder, &(SpTreeSpec) {
		.nodes = reader->nodes, .n_nodes = shape->n_nodes, .weights = reader->weights,
		.n_weights = n_weights, .first_category = reader->first_category, .n_sets = shape->n_sets,
		.categories = reader->categories, .linear = shape->is_linear ? reader->linear : NULL,
		.terms = reader->terms, .n_terms = shape->n_terms
	});
}

SpStatus
sp_stored_trees(SpModelReader *reader, uint32_t in, uint32_t *value)
{
	SpTreesSpec spec = {.in = in};
	TreeShape	shape = {.in_width = sp_builder_value(reader->builder, in).width};
	double	   *base;
	uint8_t		aggregate;
	uint8_t		sum_type;
	uint8_t		flags;
	uint32_t	n_trees;

	SP_TRY(sp_read_u8(&reader->in, &aggregate));
	SP_TRY(sp_read_u8(&reader->in, &sum_type));
	SP_TRY(sp_read_u8(&reader->in, &flags));
	if (flags & ~(SP_TREES_BASE_LAST | SP_TREES_ACCEPT_MISSING))
		return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown flags of the trees");
	SP_TRY(sp_stored_u32(reader, &spec.n_targets));
	SP_TRY(sp_stored_numbers(reader, spec.n_targets, &base));
	spec.aggregate = (SpAggregate) aggregate;
	spec.sum_type = (SpType) sum_type;
	spec.base_last = (flags & SP_TREES_BASE_LAST) != 0;
	spec.accepts_missing = (flags & SP_TREES_ACCEPT_MISSING) != 0;
	spec.base = base;
	SP_TRY(sp_builder_trees_begin(reader->builder, &spec));
	sp_free(reader->cx, base);
	SP_TRY(sp_stored_u32(reader, &n_trees));
	shape.n_targets = spec.n_targets;
	for (; n_trees > 0; n_trees--)
		SP_TRY(read_tree(reader, &shape));
	return sp_builder_trees_end(reader->builder, value);
}

void
sp_stored_trees_free(SpModelReader *reader)
{
	sp_free(reader->cx, reader->nodes);
	sp_free(reader->cx, reader->weights);
	sp_free(reader->cx, reader->first_category);
	sp_free(reader->cx, reader->categories);
	sp_free(reader->cx, reader->linear);
	sp_free(reader->cx, reader->terms);
}
