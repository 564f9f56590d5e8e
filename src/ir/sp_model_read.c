/*
 * src/ir/sp_model_read.c
 *
 * Reading the stored form (doc/format.md): every record becomes a builder
 * call, which checks what it says.  Here only the shape of the bytes is
 * checked, and that no count promises more than the bytes that are left, so
 * that a few bytes cannot ask for much memory.
 */
#include <string.h>

#include "base/sp_bytes.h"
#include "ir/sp_builder.h"
#include "ir/sp_checksum.h"
#include "ir/sp_stored.h"

typedef struct ModelReader
{
	SpContext  *cx;
	SpReader	in;
	SpBuilder  *builder;
	uint32_t	version;
	/* scratch for one tree, kept from tree to tree */
	SpNode	   *nodes;
	size_t		nodes_capacity;
	SpLeafWeight *weights;
	size_t		weights_capacity;
	uint32_t   *first_category;
	size_t		first_category_capacity;
	uint32_t   *categories;
	size_t		categories_capacity;
	SpLeafLinear *linear;
	size_t		linear_capacity;
	SpLeafTerm *terms;
	size_t		terms_capacity;
} ModelReader;

static SpStatus
read_u32(ModelReader *reader, uint32_t *number)
{
	uint64_t	wide;

	SP_TRY(sp_read_le(&reader->in, 4, &wide));
	*number = (uint32_t) wide;
	return SP_OK;
}

/* A number of 0 bytes is 0. */
static SpStatus
read_width(ModelReader *reader, unsigned width, uint32_t *number)
{
	uint64_t	wide = 0;

	if (width > 0)
		SP_TRY(sp_read_le(&reader->in, width, &wide));
	*number = (uint32_t) wide;
	return SP_OK;
}

static SpStatus
read_bool(ModelReader *reader, bool *value)
{
	uint8_t		byte;

	SP_TRY(sp_read_u8(&reader->in, &byte));
	if (byte > 1)
		return sp_fail_at(reader->cx, reader->in.pos - 1, "a flag is neither 0 nor 1");
	*value = byte;
	return SP_OK;
}

/* Refuse a count of things, each at least size bytes long, that cannot all follow. */
static SpStatus
check_count(ModelReader *reader, uint64_t count, size_t size)
{
	if (count > (reader->in.size - reader->in.pos) / size)
		return sp_fail_at(reader->cx, reader->in.pos, "stored model is cut off");
	return SP_OK;
}

static SpStatus
read_number(ModelReader *reader, bool is_double, double *number)
{
	float		single;

	if (is_double)
		return sp_read_f64_le(&reader->in, number);
	SP_TRY(sp_read_f32_le(&reader->in, &single));
	*number = single;
	return SP_OK;
}

static SpStatus
read_numbers(ModelReader *reader, size_t count, double **numbers)
{
	uint8_t		form;

	SP_TRY(sp_read_u8(&reader->in, &form));
	if (form != SP_STORED_F32 && form != SP_STORED_F64)
		return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown form %u of numbers", form);
	SP_TRY(check_count(reader, count, form == SP_STORED_F32 ? 4 : 8));
	SP_TRY(sp_alloc_array(reader->cx, count, sizeof(double), (void **) numbers));
	for (size_t at = 0; at < count; at++)
		SP_TRY(read_number(reader, form == SP_STORED_F64, &(*numbers)[at]));
	return SP_OK;
}

static SpStatus
read_texts(ModelReader *reader, uint32_t count, SpStr **texts)
{
	SP_TRY(check_count(reader, count, 4));
	SP_TRY(sp_alloc_array(reader->cx, count, sizeof(SpStr), (void **) texts));
	for (uint32_t at = 0; at < count; at++)
		SP_TRY(sp_read_str(&reader->in, &(*texts)[at]));
	return SP_OK;
}

/* Facts */

static SpStatus
read_task(ModelReader *reader)
{
	uint8_t		task;
	uint8_t		flags;

	SP_TRY(sp_read_u8(&reader->in, &task));
	SP_TRY(sp_read_u8(&reader->in, &flags));
	if (flags & ~(SP_TASK_ACCEPTS_MISSING | SP_TASK_ACCEPTS_INFINITE))
		return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown flags of the task");
	return sp_builder_task(reader->builder, (SpTask) task, (flags & SP_TASK_ACCEPTS_MISSING) != 0,
						   (flags & SP_TASK_ACCEPTS_INFINITE) != 0);
}

static SpStatus
read_origin(ModelReader *reader)
{
	SpStr		producer;
	SpStr		objective;

	SP_TRY(sp_read_str(&reader->in, &producer));
	SP_TRY(sp_read_str(&reader->in, &objective));
	return sp_builder_origin(reader->builder, producer, objective);
}

static SpStatus
read_labels(ModelReader *reader)
{
	uint8_t		type;
	uint32_t	count;
	SpStr	   *labels;

	SP_TRY(sp_read_u8(&reader->in, &type));
	SP_TRY(read_u32(reader, &count));
	SP_TRY(read_texts(reader, count, &labels));
	SP_TRY(sp_builder_labels(reader->builder, (SpType) type, labels, count));
	sp_free(reader->cx, labels);
	return SP_OK;
}

static SpStatus
read_input(ModelReader *reader)
{
	uint8_t		type;
	uint32_t	width;
	uint32_t	value;
	SpStr	   *names;

	SP_TRY(sp_read_u8(&reader->in, &type));
	SP_TRY(read_u32(reader, &width));
	SP_TRY(read_texts(reader, width, &names));
	SP_TRY(sp_builder_input(reader->builder, (SpType) type, width, names, &value));
	sp_free(reader->cx, names);
	return SP_OK;
}

static SpStatus
read_output(ModelReader *reader)
{
	uint8_t		output;
	uint32_t	value;

	SP_TRY(sp_read_u8(&reader->in, &output));
	SP_TRY(read_u32(reader, &value));
	return sp_builder_output(reader->builder, (SpOutput) output, value);
}

/* Trees */

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
read_set(ModelReader *reader, TreeShape *shape, SpNode *node)
{
	SpContext  *cx = reader->cx;
	uint32_t	count;

	SP_TRY(read_u32(reader, &count));
	SP_TRY(check_count(reader, count, 4));
	if (!shape->has_sets || count > UINT32_MAX - shape->n_categories)
		return sp_fail_at(cx, reader->in.pos, "a tree has a set of categories that it does not announce");
	SP_TRY(sp_grow_array(cx, (void **) &reader->first_category, &reader->first_category_capacity,
						 (size_t) shape->n_sets + 2, sizeof(uint32_t)));
	SP_TRY(sp_grow_array(cx, (void **) &reader->categories, &reader->categories_capacity,
						 (size_t) shape->n_categories + count, sizeof(uint32_t)));
	reader->first_category[shape->n_sets] = shape->n_categories;
	for (; count > 0; count--)
		SP_TRY(read_u32(reader, &reader->categories[shape->n_categories++]));
	node->threshold = shape->n_sets++;
	reader->first_category[shape->n_sets] = shape->n_categories;
	return SP_OK;
}

static SpStatus
read_terms(ModelReader *reader, TreeShape *shape, uint32_t weight)
{
	SpContext  *cx = reader->cx;
	unsigned	column_width = sp_stored_width(shape->in_width);
	SpLeafLinear leaf = {.first_term = shape->n_terms};

	SP_TRY(sp_read_f64_le(&reader->in, &leaf.constant));
	SP_TRY(read_u32(reader, &leaf.n_terms));
	SP_TRY(check_count(reader, leaf.n_terms, 8));
	if (leaf.n_terms > UINT32_MAX - shape->n_terms)
		return sp_fail_at(cx, reader->in.pos, "a tree has too many coefficients");
	SP_TRY(sp_grow_array(cx, (void **) &reader->terms, &reader->terms_capacity,
						 (size_t) shape->n_terms + leaf.n_terms, sizeof(SpLeafTerm)));
	reader->linear[weight] = leaf;
	for (; leaf.n_terms > 0; leaf.n_terms--)
	{
		SpLeafTerm *term = &reader->terms[shape->n_terms++];

		SP_TRY(read_width(reader, column_width, &term->column));
		SP_TRY(sp_read_f64_le(&reader->in, &term->coefficient));
	}
	return SP_OK;
}

static SpStatus
read_split(ModelReader *reader, TreeShape *shape, uint8_t flags, SpNode *node)
{
	unsigned	node_width = sp_stored_width(shape->n_nodes);
	uint32_t	feature;

	SP_TRY(read_width(reader, sp_stored_width(shape->in_width), &feature));
	SP_TRY(read_width(reader, node_width, &node->left));
	SP_TRY(read_width(reader, node_width, &node->right));
	if (flags & SP_NODE_CATEGORY)
		SP_TRY(read_set(reader, shape, node));
	else
		SP_TRY(read_number(reader, shape->f64_thresholds, &node->threshold));
	if (reader->version < 2 && flags > (SP_NODE_LE | SP_NODE_MISSING_LEFT))
		return sp_fail_at(reader->cx, reader->in.pos, "a node has unknown flags");
	if (feature >= shape->in_width)
		return sp_fail_at(reader->cx, reader->in.pos, "a split on feature %u of %u", feature,
						  shape->in_width);
	node->feature = (int32_t) feature;
	node->flags = flags;
	return SP_OK;
}

static SpStatus
read_leaf(ModelReader *reader, TreeShape *shape, uint32_t *n_weights, SpNode *node)
{
	unsigned	target_width = sp_stored_width(shape->n_targets);
	uint32_t	count;

	SP_TRY(read_width(reader, sp_stored_width((uint64_t) shape->n_targets + 1), &count));
	if (count > shape->n_weights - *n_weights)
		return sp_fail_at(reader->cx, reader->in.pos, "a tree has more than its %u leaf weights",
						  shape->n_weights);
	*node = (SpNode) {.feature = SP_LEAF, .left = *n_weights, .right = count};
	for (; count > 0; count--)
	{
		SpLeafWeight *weight = &reader->weights[(*n_weights)++];

		SP_TRY(read_width(reader, target_width, &weight->target));
		SP_TRY(read_number(reader, shape->f64_values, &weight->value));
		if (shape->is_linear)
			SP_TRY(read_terms(reader, shape, *n_weights - 1));
	}
	return SP_OK;
}

static SpStatus
read_tree(ModelReader *reader, TreeShape *shape)
{
	const uint8_t known = SP_TREE_F64_THRESHOLDS | SP_TREE_F64_VALUES |
		(reader->version < 2 ? 0 : SP_TREE_SETS | SP_TREE_LINEAR);
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
	SP_TRY(read_u32(reader, &shape->n_nodes));
	SP_TRY(read_u32(reader, &shape->n_weights));
	SP_TRY(check_count(reader, shape->n_nodes, 2));
	SP_TRY(check_count(reader, shape->n_weights, 4));
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

static SpStatus
read_trees(ModelReader *reader, uint32_t in, uint32_t *value)
{
	SpTreesSpec spec = {.in = in};
	TreeShape	shape = {.in_width = sp_builder_value(reader->builder, in).width};
	double	   *base;
	uint8_t		aggregate;
	uint8_t		sum_type;
	uint32_t	n_trees;

	SP_TRY(sp_read_u8(&reader->in, &aggregate));
	SP_TRY(sp_read_u8(&reader->in, &sum_type));
	SP_TRY(read_bool(reader, &spec.base_last));
	SP_TRY(read_u32(reader, &spec.n_targets));
	SP_TRY(read_numbers(reader, spec.n_targets, &base));
	spec.aggregate = (SpAggregate) aggregate;
	spec.sum_type = (SpType) sum_type;
	spec.base = base;
	SP_TRY(sp_builder_trees_begin(reader->builder, &spec));
	sp_free(reader->cx, base);
	SP_TRY(read_u32(reader, &n_trees));
	shape.n_targets = spec.n_targets;
	for (; n_trees > 0; n_trees--)
		SP_TRY(read_tree(reader, &shape));
	return sp_builder_trees_end(reader->builder, value);
}

/* Other steps */

static SpStatus
read_linear(ModelReader *reader, uint32_t in, uint32_t *value)
{
	uint32_t	n_out;
	size_t		count;
	double	   *weights;
	double	   *bias;

	SP_TRY(read_u32(reader, &n_out));
	if (!sp_mul_size(n_out, sp_builder_value(reader->builder, in).width, &count))
		return sp_fail_at(reader->cx, reader->in.pos, "stored model is cut off");
	SP_TRY(read_numbers(reader, count, &weights));
	SP_TRY(read_numbers(reader, n_out, &bias));
	SP_TRY(sp_builder_linear(reader->builder, in, n_out, weights, bias, value));
	sp_free(reader->cx, weights);
	sp_free(reader->cx, bias);
	return SP_OK;
}

static SpStatus
read_scale(ModelReader *reader, uint32_t in, uint32_t *value)
{
	uint32_t	width = sp_builder_value(reader->builder, in).width;
	double	   *offset;
	double	   *scale;

	SP_TRY(read_numbers(reader, width, &offset));
	SP_TRY(read_numbers(reader, width, &scale));
	SP_TRY(sp_builder_scale(reader->builder, in, offset, scale, value));
	sp_free(reader->cx, offset);
	sp_free(reader->cx, scale);
	return SP_OK;
}

static SpStatus
read_indices(ModelReader *reader, uint32_t first, uint32_t count, uint32_t **indices)
{
	SP_TRY(check_count(reader, count - first, 4));
	SP_TRY(sp_alloc_array(reader->cx, count, sizeof(uint32_t), (void **) indices));
	for (uint32_t at = first; at < count; at++)
		SP_TRY(read_u32(reader, &(*indices)[at]));
	return SP_OK;
}

static SpStatus
read_general(ModelReader *reader, SpOp op, uint32_t in, uint32_t *value)
{
	SpGeneral	spec = {0};
	uint8_t		kind;

	SP_TRY(sp_read_u8(&reader->in, &kind));
	spec.kind = kind;
	SP_TRY(read_u32(reader, &spec.n_inputs));
	SP_TRY(read_indices(reader, spec.n_inputs > 0 ? 1 : 0, spec.n_inputs, &spec.inputs));
	if (spec.n_inputs > 0)
		spec.inputs[0] = in;
	else if (in != 0)
		return sp_fail_at(reader->cx, reader->in.pos, "a step without inputs reads value %u", in);
	for (int at = 0; at < SP_GENERAL_DIMS; at++)
		SP_TRY(read_u32(reader, &spec.dims[at]));
	for (int at = 0; at < SP_GENERAL_PARAMS; at++)
		SP_TRY(sp_read_f64_le(&reader->in, &spec.params[at]));
	SP_TRY(read_u32(reader, &spec.n_indices));
	SP_TRY(read_indices(reader, 0, spec.n_indices, &spec.indices));
	SP_TRY(read_u32(reader, &spec.n_numbers));
	SP_TRY(read_numbers(reader, spec.n_numbers, &spec.numbers));
	SP_TRY(sp_builder_general(reader->builder, op, &spec, value));
	sp_free(reader->cx, spec.inputs);
	sp_free(reader->cx, spec.indices);
	sp_free(reader->cx, spec.numbers);
	return SP_OK;
}

static SpStatus
read_categories(ModelReader *reader)
{
	uint32_t	count;
	SpStr	   *texts;

	SP_TRY(read_u32(reader, &count));
	SP_TRY(read_texts(reader, count, &texts));
	for (uint32_t at = 0; at < count; at++)
	{
		int64_t		number;

		SP_TRY(sp_builder_category(reader->builder, texts[at], &number));
		if (number != at)
			return sp_fail_at(reader->cx, reader->in.pos, "a category comes twice");
	}
	sp_free(reader->cx, texts);
	return SP_OK;
}

static SpStatus
read_step(ModelReader *reader, SpOp op)
{
	uint32_t	in;
	uint32_t	value;
	uint8_t		kind = 0;
	double		bound;

	SP_TRY(read_u32(reader, &in));
	if (op == SP_OP_NORMALIZE || op == SP_OP_CAST || op == SP_OP_MAP || op == SP_OP_SOFTMAX)
		SP_TRY(sp_read_u8(&reader->in, &kind));
	switch (op)
	{
		case SP_OP_TREES:
			return read_trees(reader, in, &value);
		case SP_OP_LINEAR:
			return read_linear(reader, in, &value);
		case SP_OP_SCALE:
			return read_scale(reader, in, &value);
		case SP_OP_NORMALIZE:
			return sp_builder_normalize(reader->builder, in, (SpNorm) kind, &value);
		case SP_OP_CAST:
			return sp_builder_cast(reader->builder, in, (SpType) kind, &value);
		case SP_OP_MAP:
			return sp_builder_map(reader->builder, in, (SpMap) kind, &value);
		case SP_OP_SOFTMAX:
			return sp_builder_softmax(reader->builder, in, (SpSoftmax) kind, &value);
		case SP_OP_COMPLEMENT:
			return sp_builder_complement(reader->builder, in, &value);
		case SP_OP_ARGMAX:
			return sp_builder_argmax(reader->builder, in, &value);
		case SP_OP_ABOVE:
			SP_TRY(sp_read_f64_le(&reader->in, &bound));
			return sp_builder_above(reader->builder, in, bound, &value);
		default:
			if (SP_OP_IS_GENERAL(op) && reader->version >= 2)
				return read_general(reader, op, in, &value);
			break;
	}
	return sp_fail_at(reader->cx, reader->in.pos - 5, "unknown step %d of a stored model", (int) op);
}

static SpStatus
read_record(ModelReader *reader, uint8_t kind)
{
	switch (kind)
	{
		case SP_RECORD_TASK:
			return read_task(reader);
		case SP_RECORD_ORIGIN:
			return read_origin(reader);
		case SP_RECORD_LABELS:
			return read_labels(reader);
		case SP_RECORD_INPUT:
			return read_input(reader);
		case SP_RECORD_OUTPUT:
			return read_output(reader);
		case SP_RECORD_CATEGORIES:
			if (reader->version < 2)
				break;
			return read_categories(reader);
		default:
			break;
	}
	if (kind > SP_RECORD_STEP)
		return read_step(reader, (SpOp) (kind - SP_RECORD_STEP));
	return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown record %u of a stored model", kind);
}

static SpStatus
read_header(ModelReader *reader)
{
	SpReader   *in = &reader->in;
	const uint8_t *magic;
	uint32_t	version;
	uint32_t	reserved;
	uint64_t	size;
	uint64_t	checksum;

	SP_TRY(sp_read_bytes(in, SP_STORED_MAGIC_SIZE, &magic));
	if (memcmp(magic, SP_STORED_MAGIC, SP_STORED_MAGIC_SIZE) != 0)
		return sp_fail_at(reader->cx, 0, "not a stored model");
	SP_TRY(read_u32(reader, &version));
	if (version == 0 || version > SP_STORED_VERSION)
	{
		sp_fail(reader->cx, SP_ERR_UNSUPPORTED, "stored model has format version %u", version);
		return sp_fail_hint(reader->cx, "This release reads versions 1 to %d; a later one is needed.",
							SP_STORED_VERSION);
	}
	reader->version = version;
	SP_TRY(read_u32(reader, &reserved));
	if (reserved != 0)
		return sp_fail_at(reader->cx, in->pos - 4, "reserved bytes of a stored model are used");
	SP_TRY(sp_read_le(in, 8, &size));
	SP_TRY(sp_read_le(in, 8, &checksum));
	if (size != in->size - in->pos)
		return sp_fail_at(reader->cx, 16, "stored model of %llu bytes has %zu",
						  (unsigned long long) size, in->size - in->pos);
	if (checksum != sp_checksum(in->data + in->pos, in->size - in->pos))
		return sp_fail_at(reader->cx, 24, "checksum of a stored model is wrong");
	return SP_OK;
}

static SpStatus
read_body(ModelReader *reader, SpModel **model)
{
	uint8_t		kind;

	SP_TRY(sp_builder_new(reader->cx, &reader->builder));
	for (;;)
	{
		SP_TRY(sp_poll(reader->cx));
		SP_TRY(sp_read_u8(&reader->in, &kind));
		if (kind == SP_RECORD_END)
			break;
		SP_TRY(read_record(reader, kind));
	}
	if (reader->in.pos != reader->in.size)
		return sp_fail_at(reader->cx, reader->in.pos, "stored model has bytes after its end");
	return sp_builder_finish(reader->builder, NULL, model);
}

SpStatus
sp_model_read(SpContext *cx, const void *bytes, size_t size, SpModel **model)
{
	ModelReader reader = {.cx = cx};
	SpStatus	status;

	sp_reader_init(&reader.in, cx, bytes, size);
	SP_TRY(read_header(&reader));
	status = read_body(&reader, model);
	sp_free(cx, reader.nodes);
	sp_free(cx, reader.weights);
	sp_free(cx, reader.first_category);
	sp_free(cx, reader.categories);
	sp_free(cx, reader.linear);
	sp_free(cx, reader.terms);
	/* the builder knows what is wrong, the reader where */
	if (status == SP_ERR_FORMAT && cx->error.offset == SP_NO_OFFSET)
		cx->error.offset = reader.in.pos;
	return status;
}
