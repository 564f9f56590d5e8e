/*
 * src/import/sp_onnx_graph.c
 *
 * The walk over an ONNX graph: constants, the input, nodes, outputs.
 */
#include <stdio.h>
#include <string.h>

#include "base/sp_tokens.h"
#include "import/sp_onnx_internal.h"

/* Models that work row by row have a dozen nodes; names are looked up one by one. */
#define SP_ONNX_MAX_NODES 4096

static SpStatus
sp_onnx_too_many(SpOnnx *onnx, size_t count, const char *what)
{
	return sp_fail(onnx->cx, SP_ERR_LIMIT, "the ONNX graph has %zu %s, more than the limit of %d",
				   count, what, SP_ONNX_MAX_NODES);
}

/* A constant of a tensor; empty shapes are kept, for those that name no axes. */
SpStatus
sp_onnx_define_tensor(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnx__TensorProto *tensor, SpOnnxValue *value)
{
	SpOnnx__NodeProto alone = SP_ONNX__NODE_PROTO__INIT;

	value->kind = SP_ONNX_CONSTANT;
	value->tensor = tensor;
	value->elem = tensor->data_type;
	value->row_axis = -1;
	if (tensor->n_dims > SP_ONNX_MAX_RANK)
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX tensors of %zu axes are not supported", tensor->n_dims);
	value->rank = (uint32_t) tensor->n_dims;
	for (size_t at = 0; at < tensor->n_dims; at++)
		value->dims[at] = tensor->dims[at];
	alone.name = tensor->name;
	return sp_onnx_decode(onnx, node ? node : &alone, tensor, &value->list);
}

static SpStatus
sp_onnx_constants(SpOnnx *onnx, const SpOnnx__GraphProto *graph)
{
	size_t		i;

	if (graph->n_sparse_initializer > 0)
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX graphs with sparse tensors are not supported");
	if (graph->n_initializer > SP_ONNX_MAX_NODES)
		return sp_onnx_too_many(onnx, graph->n_initializer, "constants");
	for (i = 0; i < graph->n_initializer; i++)
	{
		SpOnnxValue value = {.kind = SP_ONNX_CONSTANT};

		value.name = sp_onnx_str(graph->initializer[i]->name);
		SP_TRY(sp_onnx_define_tensor(onnx, NULL, graph->initializer[i], &value));
		SP_TRY(sp_onnx_define(onnx, value));
	}
	return SP_OK;
}

/* Names of features, if the model's metadata has them as a JSON list of the right length. */
static SpStatus
sp_onnx_read_names(SpOnnx *onnx, SpStr text, uint32_t width, SpStr **names)
{
	SpTokens   *tokens;
	SpToken		token;
	void	   *memory;
	uint32_t	count = 0;

	SP_TRY(sp_alloc_array(onnx->cx, width, sizeof(SpStr), &memory));
	SP_TRY(sp_tokens_open(onnx->cx, SP_TOKENS_JSON, text.data, text.size, &tokens));
	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind != SP_TOKEN_ARRAY)
		return SP_OK;
	for (;; count++)
	{
		const char *copy;

		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind != SP_TOKEN_STRING || count == width)
			break;
		SP_TRY(sp_copy_str(onnx->cx, token.text, &copy));
		((SpStr *) memory)[count] = (SpStr) {copy, token.text.size};
	}
	if (token.kind == SP_TOKEN_ARRAY_END && count == width)
		*names = memory;
	return SP_OK;
}

static SpStatus
sp_onnx_names(SpOnnx *onnx, uint32_t width, SpStr **names)
{
	size_t		i;

	*names = NULL;
	for (i = 0; i < onnx->model->n_metadata_props; i++)
	{
		const SpOnnx__StringStringEntryProto *entry = onnx->model->metadata_props[i];

		if (sp_str_is(sp_onnx_str(entry->key), "feature_names"))
		{
			SpStatus	status = sp_onnx_read_names(onnx, sp_onnx_str(entry->value), width, names);

			/* metadata has no fixed form; what is not such a list is not ours */
			return status == SP_ERR_FORMAT ? SP_OK : status;
		}
	}
	return SP_OK;
}

/* Rows first, if that axis is not fixed or exported for one row; the others have to be known. */
static SpStatus
sp_onnx_input_shape(SpOnnx *onnx, const SpOnnx__TensorTypeProto *tensor, const char *shown, SpOnnxValue *value)
{
	SpContext  *cx = onnx->cx;
	size_t		width = 1;
	bool		good = tensor->shape != NULL && tensor->shape->n_dim >= 1 && tensor->shape->n_dim <= SP_ONNX_MAX_RANK;

	value->elem = tensor->elem_type;
	value->row_axis = 0;
	value->rank = good ? (uint32_t) tensor->shape->n_dim : 0;
	for (uint32_t at = 0; at < value->rank; at++)
	{
		int64_t		dim = tensor->shape->dim[at]->dim_value;

		if (at > 0 && (dim <= 0 || !sp_mul_size(width, (size_t) dim, &width)))
			good = false;
		value->dims[at] = at == 0 ? 1 : dim;
	}
	if (!good)
	{
		sp_fail(cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" is not a table with a fixed number of columns", shown);
		return sp_fail_hint(cx, "Declare the input as [None, n] when converting.");
	}
	if (width > cx->limits.max_features)
		return sp_fail_limit(cx, "max_features", "ONNX input \"%s\" has %zu columns, more than the limit of %u features",
							 shown, width, cx->limits.max_features);
	return SP_OK;
}

static SpStatus
sp_onnx_read_input(SpOnnx *onnx, const SpOnnx__ValueInfoProto *info, SpOnnxValue *value, SpStr **names)
{
	const SpOnnx__TensorTypeProto *tensor = info->type ? info->type->tensor_type : NULL;
	char		shown[SP_PRINTABLE_SIZE];

	sp_printable(sp_onnx_str(info->name), shown);
	*value = (SpOnnxValue) {.kind = SP_ONNX_NUMBERS, .name = sp_onnx_str(info->name)};
	if (info->type && info->type->map_type)
		return sp_onnx_map_input(onnx, info, value, names);
	if (tensor == NULL)
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" is not a tensor", shown);
	if (sp_onnx_type(tensor->elem_type) == 0)
	{
		sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" has the element type %d", shown, tensor->elem_type);
		return sp_fail_hint(onnx->cx, "Inputs of float, double, integers, booleans and strings are supported.");
	}
	return sp_onnx_input_shape(onnx, tensor, shown, value);
}

/* Of several inputs, one column takes its input's name, others the name with a number. */
static SpStatus
sp_onnx_column_names(SpOnnx *onnx, SpStr name, uint32_t width, SpStr *names)
{
	size_t		room;
	char	   *text;

	if (width == 1)
	{
		names[0] = name;
		return SP_OK;
	}
	if (!sp_add_size(name.size, 12, &room) || name.size > onnx->cx->limits.max_string)
		return sp_fail_limit(onnx->cx, "max_string_length", "the name of an ONNX input has %zu bytes, more than the limit of %u",
							 name.size, onnx->cx->limits.max_string);
	SP_TRY(sp_alloc_array(onnx->cx, width, room, (void **) &text));
	for (uint32_t at = 0; at < width; at++, text += room)
	{
		if (name.size > 0)
			memcpy(text, name.data, name.size);
		names[at] = (SpStr) {text, name.size + (size_t) snprintf(text + name.size, 12, "_%u", at)};
	}
	return SP_OK;
}

/* Inputs that are not constants (which old files list among the inputs). */
static SpStatus
sp_onnx_inputs(SpOnnx *onnx, const SpOnnx__GraphProto *graph)
{
	SpOnnxValue *values;
	SpStr	  **keys;
	SpStr	   *names;
	size_t		total = 0;
	size_t		count = 0;

	if (graph->n_input > SP_ONNX_MAX_NODES)
		return sp_onnx_too_many(onnx, graph->n_input, "inputs");
	SP_TRY(sp_alloc_array(onnx->cx, graph->n_input, sizeof(SpOnnxValue), (void **) &values));
	SP_TRY(sp_alloc_array(onnx->cx, graph->n_input, sizeof(SpStr *), (void **) &keys));
	for (size_t i = 0; i < graph->n_input; i++)
	{
		const SpOnnxValue *known = sp_onnx_find(onnx, sp_onnx_str(graph->input[i]->name));

		if (known && known->kind == SP_ONNX_CONSTANT)
			continue;
		SP_TRY(sp_onnx_read_input(onnx, graph->input[i], &values[count], &keys[count]));
		total += sp_onnx_width(&values[count++]);
	}
	if (count == 0)
		return sp_fail(onnx->cx, SP_ERR_FORMAT, "the ONNX graph has no input");
	if (total > onnx->cx->limits.max_features)
		return sp_fail_limit(onnx->cx, "max_features", "the ONNX graph has %zu columns, more than the limit of %u features",
							 total, onnx->cx->limits.max_features);
	SP_TRY(sp_onnx_names(onnx, (uint32_t) total, &names));
	for (size_t i = 0; i < count; i++)
	{
		uint32_t	width = (uint32_t) sp_onnx_width(&values[i]);
		SpStr	   *own = names;

		if (names)
			names += width;
		else if (keys[i])
			own = keys[i];
		else if (count > 1)
		{
			SP_TRY(sp_alloc_array(onnx->cx, width, sizeof(SpStr), (void **) &own));
			SP_TRY(sp_onnx_column_names(onnx, values[i].name, width, own));
		}
		SP_TRY(sp_builder_input(onnx->builder, sp_onnx_type(values[i].elem), width, own, &values[i].value));
		SP_TRY(sp_onnx_define(onnx, values[i]));
	}
	return SP_OK;
}

static SpStatus
sp_onnx_nodes(SpOnnx *onnx, const SpOnnx__GraphProto *graph)
{
	if (graph->n_node > SP_ONNX_MAX_NODES)
		return sp_onnx_too_many(onnx, graph->n_node, "nodes");
	for (size_t i = 0; i < graph->n_node; i++)
	{
		SP_TRY(sp_poll(onnx->cx));
		SP_TRY(sp_onnx_node(onnx, graph->node[i]));
	}
	return SP_OK;
}

SpStatus
sp_onnx_graph(SpOnnx *onnx)
{
	const SpOnnx__GraphProto *graph = onnx->model->graph;

	if (graph == NULL)
		return sp_fail(onnx->cx, SP_ERR_FORMAT, "not an ONNX model: there is no graph");
	SP_TRY(sp_onnx_check_opsets(onnx));
	SP_TRY(sp_onnx_constants(onnx, graph));
	SP_TRY(sp_onnx_inputs(onnx, graph));
	SP_TRY(sp_onnx_nodes(onnx, graph));
	return sp_onnx_outputs(onnx, graph);
}
