/*
 * src/ir/sp_model_write.c
 *
 * Writing the stored form (doc/format.md); reading is in sp_model_read.c.
 */
#include <string.h>

#include "base/sp_bytes.h"
#include "ir/sp_checksum.h"
#include "ir/sp_model.h"
#include "ir/sp_stored.h"

static SpStatus
write_text(SpWriter *writer, const char *text)
{
	return sp_write_str(writer, (SpStr) {text, strlen(text)});
}

static bool
fits_float(double number)
{
	return (double) (float) number == number;
}

static SpStatus
write_number(SpWriter *writer, double number, bool is_double)
{
	return is_double ? sp_write_f64(writer, number) : sp_write_f32(writer, (float) number);
}

static SpStatus
write_numbers(SpWriter *writer, const double *numbers, size_t count)
{
	bool		is_double = false;

	for (size_t at = 0; at < count && !is_double; at++)
		is_double = !fits_float(numbers[at]);
	SP_TRY(sp_write_u8(writer, is_double ? SP_STORED_F64 : SP_STORED_F32));
	for (size_t at = 0; at < count; at++)
		SP_TRY(write_number(writer, numbers[at], is_double));
	return SP_OK;
}

/* How the numbers of one tree are kept. */
typedef struct TreeForm
{
	bool		f64_thresholds;
	bool		f64_values;
	unsigned	node_width;
	unsigned	feature_width;
	unsigned	count_width;
	unsigned	target_width;
} TreeForm;

static SpStatus
write_set(SpWriter *writer, const SpTrees *trees, uint32_t set)
{
	uint32_t	end = trees->first_category[set + 1];

	SP_TRY(sp_write_le(writer, 4, end - trees->first_category[set]));
	for (uint32_t at = trees->first_category[set]; at < end; at++)
		SP_TRY(sp_write_le(writer, 4, trees->categories[at]));
	return SP_OK;
}

static SpStatus
write_terms(SpWriter *writer, const SpTrees *trees, const SpLeafLinear *leaf, unsigned feature_width)
{
	SP_TRY(sp_write_f64(writer, leaf->constant));
	SP_TRY(sp_write_le(writer, 4, leaf->n_terms));
	for (uint32_t at = 0; at < leaf->n_terms; at++)
	{
		const SpLeafTerm *term = &trees->terms[leaf->first_term + at];

		if (feature_width > 0)
			SP_TRY(sp_write_le(writer, feature_width, term->column));
		SP_TRY(sp_write_f64(writer, term->coefficient));
	}
	return SP_OK;
}

static SpStatus
write_node(SpWriter *writer, const SpTrees *trees, const SpNode *node, const TreeForm *form)
{
	if (node->feature != SP_LEAF)
	{
		SP_TRY(sp_write_u8(writer, (uint8_t) node->flags));
		SP_TRY(sp_write_le(writer, form->feature_width, (uint64_t) node->feature));
		SP_TRY(sp_write_le(writer, form->node_width, node->left));
		SP_TRY(sp_write_le(writer, form->node_width, node->right));
		if (node->flags & SP_NODE_CATEGORY)
			return write_set(writer, trees, (uint32_t) node->threshold);
		return write_number(writer, node->threshold, form->f64_thresholds);
	}
	SP_TRY(sp_write_u8(writer, SP_STORED_LEAF));
	SP_TRY(sp_write_le(writer, form->count_width, node->right));
	for (uint32_t at = 0; at < node->right; at++)
	{
		const SpLeafWeight *weight = &trees->weights[node->left + at];

		if (form->target_width > 0)
			SP_TRY(sp_write_le(writer, form->target_width, weight->target));
		SP_TRY(write_number(writer, weight->value, form->f64_values));
		if (trees->linear)
			SP_TRY(write_terms(writer, trees, &trees->linear[node->left + at], form->feature_width));
	}
	return SP_OK;
}

static SpStatus
write_tree(SpWriter *writer, const SpTrees *trees, uint32_t in_width, uint32_t tree)
{
	const SpNode *nodes = trees->nodes + trees->first_node[tree];
	uint32_t	n_nodes = trees->first_node[tree + 1] - trees->first_node[tree];
	uint32_t	n_weights = 0;
	bool		has_sets = false;
	TreeForm	form = {
		.node_width = sp_stored_width(n_nodes),
		.feature_width = sp_stored_width(in_width),
		.count_width = sp_stored_width((uint64_t) trees->n_targets + 1),
		.target_width = sp_stored_width(trees->n_targets)
	};

	for (uint32_t at = 0; at < n_nodes; at++)
	{
		if (nodes[at].feature != SP_LEAF)
		{
			has_sets |= (nodes[at].flags & SP_NODE_CATEGORY) != 0;
			form.f64_thresholds |= !(nodes[at].flags & SP_NODE_CATEGORY) && !fits_float(nodes[at].threshold);
			continue;
		}
		n_weights += nodes[at].right;
		for (uint32_t weight = 0; weight < nodes[at].right; weight++)
			form.f64_values |= !fits_float(trees->weights[nodes[at].left + weight].value);
	}
	SP_TRY(sp_write_u8(writer, (form.f64_thresholds ? SP_TREE_F64_THRESHOLDS : 0) |
					   (form.f64_values ? SP_TREE_F64_VALUES : 0) |
					   (has_sets ? SP_TREE_SETS : 0) | (trees->linear ? SP_TREE_LINEAR : 0)));
	SP_TRY(sp_write_le(writer, 4, n_nodes));
	SP_TRY(sp_write_le(writer, 4, n_weights));
	for (uint32_t at = 0; at < n_nodes; at++)
		SP_TRY(write_node(writer, trees, &nodes[at], &form));
	return SP_OK;
}

static SpStatus
write_trees(SpContext *cx, SpWriter *writer, const SpTrees *trees, uint32_t in_width)
{
	SP_TRY(sp_write_u8(writer, (uint8_t) trees->aggregate));
	SP_TRY(sp_write_u8(writer, (uint8_t) trees->sum_type));
	SP_TRY(sp_write_u8(writer, (trees->base_last ? SP_TREES_BASE_LAST : 0) |
					   (trees->accepts_missing ? SP_TREES_ACCEPT_MISSING : 0)));
	SP_TRY(sp_write_le(writer, 4, trees->n_targets));
	SP_TRY(write_numbers(writer, trees->base, trees->n_targets));
	SP_TRY(sp_write_le(writer, 4, trees->n_trees));
	for (uint32_t tree = 0; tree < trees->n_trees; tree++)
	{
		SP_TRY(sp_poll(cx));
		SP_TRY(write_tree(writer, trees, in_width, tree));
	}
	return SP_OK;
}

/* The same for all general steps: only what they use is not 0. */
static SpStatus
write_general(SpWriter *writer, const SpGeneral *general)
{
	SP_TRY(sp_write_u8(writer, (uint8_t) general->kind));
	SP_TRY(sp_write_le(writer, 4, general->n_inputs));
	for (uint32_t at = 1; at < general->n_inputs; at++)
		SP_TRY(sp_write_le(writer, 4, general->inputs[at]));
	for (int at = 0; at < SP_GENERAL_DIMS; at++)
		SP_TRY(sp_write_le(writer, 4, general->dims[at]));
	for (int at = 0; at < SP_GENERAL_PARAMS; at++)
		SP_TRY(sp_write_f64(writer, general->params[at]));
	SP_TRY(sp_write_le(writer, 4, general->n_indices));
	for (uint32_t at = 0; at < general->n_indices; at++)
		SP_TRY(sp_write_le(writer, 4, general->indices[at]));
	SP_TRY(sp_write_le(writer, 4, general->n_numbers));
	return write_numbers(writer, general->numbers, general->n_numbers);
}

static SpStatus
write_step(SpContext *cx, const SpModel *model, const SpStep *step, SpWriter *writer)
{
	uint32_t	in_width = model->values[step->in].width;

	SP_TRY(sp_write_u8(writer, (uint8_t) (SP_RECORD_STEP + step->op)));
	SP_TRY(sp_write_le(writer, 4, step->in));
	switch (step->op)
	{
		case SP_OP_TREES:
			return write_trees(cx, writer, &step->u.trees, in_width);
		case SP_OP_LINEAR:
			SP_TRY(sp_write_le(writer, 4, step->u.linear.n_out));
			SP_TRY(write_numbers(writer, step->u.linear.weights, (size_t) step->u.linear.n_out * in_width));
			return write_numbers(writer, step->u.linear.bias, step->u.linear.n_out);
		case SP_OP_SCALE:
			SP_TRY(write_numbers(writer, step->u.scale.offset, in_width));
			return write_numbers(writer, step->u.scale.scale, in_width);
		case SP_OP_NORMALIZE:
			return sp_write_u8(writer, (uint8_t) step->u.norm);
		case SP_OP_CAST:
			return sp_write_u8(writer, (uint8_t) model->values[step->out].type);
		case SP_OP_MAP:
			return sp_write_u8(writer, (uint8_t) step->u.map);
		case SP_OP_SOFTMAX:
			return sp_write_u8(writer, (uint8_t) step->u.softmax);
		case SP_OP_ABOVE:
			return sp_write_f64(writer, step->u.above);
		case SP_OP_COMPLEMENT:
		case SP_OP_ARGMAX:
			break;
		default:
			return write_general(writer, &step->u.general);
	}
	return SP_OK;
}

static SpStatus
write_facts(const SpModel *model, SpWriter *writer)
{
	SP_TRY(sp_write_u8(writer, SP_RECORD_TASK));
	SP_TRY(sp_write_u8(writer, (uint8_t) model->task));
	SP_TRY(sp_write_u8(writer, model->accepts_infinite ? SP_TASK_ACCEPTS_INFINITE : 0));
	SP_TRY(sp_write_u8(writer, SP_RECORD_ORIGIN));
	SP_TRY(write_text(writer, model->producer));
	SP_TRY(write_text(writer, model->objective));
	if (model->n_labels == 0)
		return SP_OK;
	SP_TRY(sp_write_u8(writer, SP_RECORD_LABELS));
	SP_TRY(sp_write_u8(writer, (uint8_t) model->label_type));
	SP_TRY(sp_write_le(writer, 4, model->n_labels));
	for (uint32_t label = 0; label < model->n_labels; label++)
		SP_TRY(write_text(writer, model->labels[label]));
	return SP_OK;
}

static SpStatus
write_categories(const SpCategories *categories, uint32_t feature, SpWriter *writer)
{
	SP_TRY(sp_write_u8(writer, SP_RECORD_FEATURE_CATEGORIES));
	SP_TRY(sp_write_le(writer, 4, feature));
	SP_TRY(sp_write_u8(writer, (uint8_t) categories->kind));
	SP_TRY(sp_write_u8(writer, (uint8_t) categories->unseen));
	SP_TRY(sp_write_u8(writer, categories->is_partial ? SP_LIST_IS_PARTIAL : 0));
	SP_TRY(sp_write_le(writer, 4, categories->n));
	if (categories->kind != SP_CATEGORIES_TEXT)
		return write_numbers(writer, categories->numbers, categories->n);
	for (uint32_t at = 0; at < categories->n; at++)
		SP_TRY(write_text(writer, categories->texts[at]));
	return SP_OK;
}

/* Lists of categories, defaults, and rules that are not the source's. */
static SpStatus
write_policy(const SpModel *model, SpWriter *writer)
{
	for (uint32_t at = 0; at < model->n_features; at++)
	{
		const SpFeature *feature = &model->features[at];

		if (feature->categories.kind != SP_CATEGORIES_NONE)
			SP_TRY(write_categories(&feature->categories, at, writer));
		if (!feature->has_default)
			continue;
		SP_TRY(sp_write_u8(writer, SP_RECORD_DEFAULT));
		SP_TRY(sp_write_le(writer, 4, at));
		SP_TRY(sp_write_f64(writer, feature->default_value));
	}
	if (model->on_missing == SP_MISSING_SOURCE && model->on_unseen == SP_UNSEEN_SOURCE)
		return SP_OK;
	SP_TRY(sp_write_u8(writer, SP_RECORD_POLICY));
	SP_TRY(sp_write_u8(writer, (uint8_t) model->on_missing));
	return sp_write_u8(writer, (uint8_t) model->on_unseen);
}

static SpStatus
write_body(SpContext *cx, const SpModel *model, SpWriter *writer)
{
	uint32_t	feature = 0;

	SP_TRY(write_facts(model, writer));
	if (model->n_categories > 0)
	{
		SP_TRY(sp_write_u8(writer, SP_RECORD_CATEGORIES));
		SP_TRY(sp_write_le(writer, 4, model->n_categories));
		for (uint32_t at = 0; at < model->n_categories; at++)
			SP_TRY(write_text(writer, model->categories[at]));
	}
	for (uint32_t input = 0; input < model->n_inputs; input++)
	{
		SP_TRY(sp_write_u8(writer, SP_RECORD_INPUT));
		SP_TRY(sp_write_u8(writer, (uint8_t) model->values[input].type));
		SP_TRY(sp_write_le(writer, 4, model->values[input].width));
		for (uint32_t column = 0; column < model->values[input].width; column++)
			SP_TRY(write_text(writer, model->features[feature++].name));
	}
	SP_TRY(write_policy(model, writer));
	for (uint32_t at = 0; at < model->n_steps; at++)
		SP_TRY(write_step(cx, model, &model->steps[at], writer));
	for (int output = 0; output < SP_N_OUTPUTS; output++)
	{
		if (model->outputs[output] == SP_NO_VALUE)
			continue;
		SP_TRY(sp_write_u8(writer, SP_RECORD_OUTPUT));
		SP_TRY(sp_write_u8(writer, (uint8_t) output));
		SP_TRY(sp_write_le(writer, 4, model->outputs[output]));
	}
	return sp_write_u8(writer, SP_RECORD_END);
}

/* A number in the header, which is written before the body it describes. */
static void
patch_u64(uint8_t *to, uint64_t number)
{
	for (int byte = 0; byte < 8; byte++)
		to[byte] = (uint8_t) (number >> 8 * byte);
}

SpStatus
sp_model_write(SpContext *cx, const SpModel *model, SpWriter *writer)
{
	size_t		begin = writer->size;
	size_t		body;

	SP_TRY(sp_write_bytes(writer, SP_STORED_MAGIC, SP_STORED_MAGIC_SIZE));
	SP_TRY(sp_write_le(writer, 4, SP_STORED_VERSION));
	SP_TRY(sp_write_le(writer, 4, 0));
	SP_TRY(sp_write_le(writer, 8, 0));
	SP_TRY(sp_write_le(writer, 8, 0));
	body = writer->size;
	SP_TRY(write_body(cx, model, writer));
	patch_u64(writer->data + begin + 16, writer->size - body);
	patch_u64(writer->data + begin + 24, sp_checksum(writer->data + body, writer->size - body));
	return SP_OK;
}
