/*
 * src/import/sp_onnx_graph.c
 *
 * The walk over an ONNX graph: constants, the input, nodes, outputs.
 */
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
		value.tensor = graph->initializer[i];
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

static SpStatus
sp_onnx_input_type(SpOnnx *onnx, const SpOnnx__ValueInfoProto *info, SpType *type, uint32_t *width)
{
	SpContext  *cx = onnx->cx;
	const SpOnnx__TensorTypeProto *tensor = info->type ? info->type->tensor_type : NULL;
	char		shown[SP_PRINTABLE_SIZE];
	int64_t		columns;

	sp_printable(sp_onnx_str(info->name), shown);
	if (tensor == NULL)
		return sp_fail(cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" is not a tensor", shown);
	switch (tensor->elem_type)
	{
		case SP_ONNX_FLOAT:
			*type = SP_TYPE_F32;
			break;
		case SP_ONNX_DOUBLE:
			*type = SP_TYPE_F64;
			break;
		case SP_ONNX_INT64:
			*type = SP_TYPE_I64;
			break;
		default:
			sp_fail(cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" has the element type %d", shown, tensor->elem_type);
			return sp_fail_hint(cx, "Inputs of float, double and int64 are supported.");
	}
	if (tensor->shape == NULL || tensor->shape->n_dim != 2 || tensor->shape->dim[1]->dim_value <= 0)
	{
		sp_fail(cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" is not a table with a fixed number of columns", shown);
		return sp_fail_hint(cx, "Declare the input as [None, n] when converting.");
	}
	columns = tensor->shape->dim[1]->dim_value;
	if (columns > cx->limits.max_features)
		return sp_fail(cx, SP_ERR_LIMIT, "ONNX input \"%s\" has %lld columns, more than the limit of %u features",
					   shown, (long long) columns, cx->limits.max_features);
	*width = (uint32_t) columns;
	return SP_OK;
}

/* Exactly one input that is not a constant (which old files list among the inputs). */
static SpStatus
sp_onnx_inputs(SpOnnx *onnx, const SpOnnx__GraphProto *graph)
{
	const SpOnnx__ValueInfoProto *input = NULL;
	SpOnnxValue value = {.kind = SP_ONNX_NUMBERS};
	SpType		type = SP_TYPE_F32;
	uint32_t	width = 0;
	SpStr	   *names;
	size_t		i;

	if (graph->n_input > SP_ONNX_MAX_NODES)
		return sp_onnx_too_many(onnx, graph->n_input, "inputs");
	for (i = 0; i < graph->n_input; i++)
	{
		const SpOnnxValue *known = sp_onnx_find(onnx, sp_onnx_str(graph->input[i]->name));

		if (known && known->kind == SP_ONNX_CONSTANT)
			continue;
		if (input)
		{
			sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX graphs with several inputs are not supported");
			return sp_fail_hint(onnx->cx, "Convert with all features in one input: "
								"initial_types=[('X', FloatTensorType([None, n]))].");
		}
		input = graph->input[i];
	}
	if (input == NULL)
		return sp_fail(onnx->cx, SP_ERR_FORMAT, "the ONNX graph has no input");
	SP_TRY(sp_onnx_input_type(onnx, input, &type, &width));
	SP_TRY(sp_onnx_names(onnx, width, &names));
	SP_TRY(sp_builder_input(onnx->builder, type, width, names, &value.value));
	value.name = sp_onnx_str(input->name);
	return sp_onnx_define(onnx, value);
}

static SpStatus
sp_onnx_nodes(SpOnnx *onnx, const SpOnnx__GraphProto *graph)
{
	size_t		i;

	if (graph->n_node > SP_ONNX_MAX_NODES)
		return sp_onnx_too_many(onnx, graph->n_node, "nodes");
	for (i = 0; i < graph->n_node; i++)
	{
		SP_TRY(sp_poll(onnx->cx));
		SP_TRY(sp_onnx_node(onnx, graph->node[i]));
	}
	if (onnx->estimator == NULL)
	{
		sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "the ONNX graph has no model");
		return sp_fail_hint(onnx->cx, "Supported are tree ensembles and linear models.");
	}
	return SP_OK;
}

/* Which of our outputs a value of the graph is. */
static SpStatus
sp_onnx_role(SpOnnx *onnx, const SpOnnxValue *value, SpOutput *output)
{
	char		shown[SP_PRINTABLE_SIZE];
	bool		is_classifier = onnx->label != SP_NO_VALUE;

	if (value->kind == SP_ONNX_LABEL)
		*output = SP_OUTPUT_LABEL;
	else if (value->kind == SP_ONNX_SCORES)
		*output = value->is_probability ? SP_OUTPUT_PROBABILITIES : SP_OUTPUT_RAW;
	else if (value->kind == SP_ONNX_NUMBERS && !is_classifier)
		*output = SP_OUTPUT_VALUE;
	else
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX output \"%s\" is not an output of the model",
					   sp_printable(value->name, shown));
	return SP_OK;
}

static SpStatus
sp_onnx_outputs(SpOnnx *onnx, const SpOnnx__GraphProto *graph)
{
	uint32_t	made[SP_N_OUTPUTS] = {SP_NO_VALUE, SP_NO_VALUE, SP_NO_VALUE, SP_NO_VALUE};
	char		shown[SP_PRINTABLE_SIZE];
	size_t		i;

	if (graph->n_output > SP_ONNX_MAX_NODES)
		return sp_onnx_too_many(onnx, graph->n_output, "outputs");
	for (i = 0; i < graph->n_output; i++)
	{
		SpStr		name = sp_onnx_str(graph->output[i]->name);
		const SpOnnxValue *value = sp_onnx_find(onnx, name);
		SpOutput	output = SP_OUTPUT_VALUE;

		if (value == NULL)
			return sp_fail(onnx->cx, SP_ERR_FORMAT, "ONNX output \"%s\" is not defined",
						   sp_printable(name, shown));
		SP_TRY(sp_onnx_role(onnx, value, &output));
		if (made[output] != SP_NO_VALUE && made[output] != value->value)
			return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX graphs with several outputs of one kind are not supported (\"%s\")",
						   sp_printable(name, shown));
		made[output] = value->value;
	}

	/* the two that a caller may ask for whatever the graph shows */
	if (onnx->label != SP_NO_VALUE)
		made[SP_OUTPUT_LABEL] = onnx->label;
	if (made[SP_OUTPUT_RAW] == SP_NO_VALUE)
		made[SP_OUTPUT_RAW] = onnx->raw;
	for (i = 0; i < SP_N_OUTPUTS; i++)
	{
		if (made[i] != SP_NO_VALUE)
			SP_TRY(sp_builder_output(onnx->builder, (SpOutput) i, made[i]));
	}
	return SP_OK;
}

SpStatus
sp_onnx_graph(SpOnnx *onnx)
{
	const SpOnnx__GraphProto *graph = onnx->model->graph;

	if (graph == NULL)
		return sp_fail(onnx->cx, SP_ERR_FORMAT, "not an ONNX model: there is no graph");
	SP_TRY(sp_onnx_constants(onnx, graph));
	SP_TRY(sp_onnx_inputs(onnx, graph));
	SP_TRY(sp_onnx_nodes(onnx, graph));
	return sp_onnx_outputs(onnx, graph);
}
