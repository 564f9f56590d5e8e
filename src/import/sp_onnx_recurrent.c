/*
 * src/import/sp_onnx_recurrent.c
 *
 * LSTM, GRU and RNN (onnx docs/Operators.md): a step for each direction.
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

typedef struct SpOnnxLayer
{
	SpRecurrent kind;
	SpOnnxValue x;
	SpOnnxValue tensors[4];		/* W, R, B, P; B and P may be absent */
	SpOnnxValue states[2];		/* initial_h, initial_c; count 0 of both if absent */
	bool		has_state[2];
	int			batch;			/* the axis of rows in x */
	int64_t		steps;
	int64_t		columns;
	int64_t		hidden;
	int64_t		directions;
	bool		is_reverse;		/* of the first direction */
	uint32_t	functions[6];	/* of each direction: f, g, h as the kind has them ... */
	double		params[12];		/* ... and their a and b */
	SpGeneral	spec;
} SpOnnxLayer;

/* A constant [directions, n] or [directions, n, m], or absent. */
static SpStatus
sp_onnx_layer_tensor(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxLayer *layer, size_t input, size_t which,
					 int64_t n, int64_t m)
{
	SpOnnxValue *value = &layer->tensors[which];
	size_t		count;

	*value = SP_ONNX_NONE;
	if (which >= 2 && !sp_onnx_has_input(node, input))
		return SP_OK;
	SP_TRY(sp_onnx_fixed(onnx, node, input, value));
	if (value->elem != layer->x.elem || value->rank != (which < 2 ? 3 : 2) || value->dims[0] != layer->directions ||
		value->dims[1] != n || (which < 2 && value->dims[2] != m) || !sp_mul_size((size_t) n, (size_t) m, &count) ||
		value->list.count != count * (size_t) layer->directions)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "input %zu does not have the shape that the others ask for", input);
	return SP_OK;
}

/* All sequences of the whole length is what we have; lengths that say so are fine. */
static SpStatus
sp_onnx_layer_lengths(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxLayer *layer)
{
	SpOnnxValue lengths;

	if (!sp_onnx_has_input(node, 4))
		return SP_OK;
	SP_TRY(sp_onnx_fixed(onnx, node, 4, &lengths));
	for (size_t at = 0; at < lengths.list.count; at++)
		if (lengths.list.numbers == NULL || lengths.list.numbers[at] != (double) layer->steps)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "sequences of different lengths are not supported");
	return SP_OK;
}

static SpStatus
sp_onnx_layer_state(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxLayer *layer, size_t which)
{
	SpOnnxValue *state = &layer->states[which];
	int			batch = layer->batch == 0 ? 0 : 1;

	layer->has_state[which] = sp_onnx_has_input(node, 5 + which);
	if (!layer->has_state[which])
		return SP_OK;
	SP_TRY(sp_onnx_tensor(onnx, node, 5 + which, state));
	if (state->rank != 3 || state->elem != layer->x.elem || state->dims[batch] != 1 || state->dims[1 - batch] != layer->directions ||
		state->dims[2] != layer->hidden || (state->row_axis >= 0 && state->row_axis != batch))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an initial state of this shape is not supported");
	return SP_OK;
}

static SpStatus
sp_onnx_layer_shape(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxLayer *layer)
{
	SpOnnxValue *x = &layer->x;
	SpOnnxValue r;
	SpStr		direction;
	int64_t		layout;
	int64_t		given;
	int64_t		gates = sp_recurrent_gates(layer->kind);

	SP_TRY(sp_onnx_tensor(onnx, node, 0, x));
	SP_TRY(sp_onnx_fixed(onnx, node, 2, &r));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "layout", 0, &layout));
	SP_TRY(sp_onnx_attribute_text(onnx, node, "direction", "forward", &direction));
	layer->batch = layout == 0 ? 1 : 0;
	if (x->rank != 3 || !sp_onnx_is_float(x->elem) || x->row_axis != layer->batch)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "its input does not have the rows in axis %d of three", layer->batch);
	layer->steps = x->dims[1 - layer->batch];
	layer->columns = x->dims[2];
	layer->hidden = r.rank == 3 ? r.dims[2] : 0;
	SP_TRY(sp_onnx_attribute_int(onnx, node, "hidden_size", layer->hidden, &given));
	layer->is_reverse = sp_str_is(direction, "reverse");
	layer->directions = sp_str_is(direction, "bidirectional") ? 2 : 1;
	if (given != layer->hidden || given <= 0 || given > INT32_MAX / 8 ||
		(layer->directions == 1 && !layer->is_reverse && !sp_str_is(direction, "forward")))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "hidden size or direction is not possible");
	SP_TRY(sp_onnx_layer_tensor(onnx, node, layer, 1, 0, gates * given, layer->columns));
	SP_TRY(sp_onnx_layer_tensor(onnx, node, layer, 2, 1, gates * given, given));
	SP_TRY(sp_onnx_layer_tensor(onnx, node, layer, 3, 2, 2 * gates * given, 1));
	SP_TRY(sp_onnx_layer_tensor(onnx, node, layer, layer->kind == SP_RECURRENT_LSTM ? 7 : SIZE_MAX, 3, 3 * given, 1));
	SP_TRY(sp_onnx_layer_lengths(onnx, node, layer));
	SP_TRY(sp_onnx_layer_state(onnx, node, layer, 0));
	return layer->kind == SP_RECURRENT_LSTM ? sp_onnx_layer_state(onnx, node, layer, 1) : SP_OK;
}

/* What a function may be, and what its parameters are if not given; NaN: they must be. */
typedef struct SpOnnxActivation
{
	const char *name;
	SpApply		kind;
	int			n_params;		/* 1: alpha, 2: alpha and beta */
	double		params[2];
} SpOnnxActivation;

/* Defaults of ONNX; where ONNX Runtime has others, or there are none, none are assumed. */
static const SpOnnxActivation sp_onnx_activations[] = {
	{"Sigmoid", SP_APPLY_SIGMOID, 0, {0}}, {"Tanh", SP_APPLY_TANH, 0, {0}}, {"Relu", SP_APPLY_RELU, 0, {0}},
	{"Softsign", SP_APPLY_SOFTSIGN, 0, {0}}, {"Softplus", SP_APPLY_SOFTPLUS, 0, {0}},
	{"LeakyRelu", SP_APPLY_LEAKY_RELU, 1, {0.01f}}, {"Elu", SP_APPLY_ELU, 1, {1}},
	{"ThresholdedRelu", SP_APPLY_THRESHOLD, 1, {NAN}}, {"HardSigmoid", SP_APPLY_HARD_SIGMOID, 2, {0.2f, 0.5}},
	{"Affine", SP_APPLY_AFFINE, 2, {NAN, NAN}}, {"ScaledTanh", SP_APPLY_SCALED_TANH, 2, {NAN, NAN}}
};

static SpStatus
sp_onnx_find_activation(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpStr name, const SpOnnxActivation **activation)
{
	char		shown[SP_PRINTABLE_SIZE];

	for (size_t at = 0; at < sizeof(sp_onnx_activations) / sizeof(sp_onnx_activations[0]); at++)
		if (sp_str_is(name, sp_onnx_activations[at].name))
		{
			*activation = &sp_onnx_activations[at];
			return SP_OK;
		}
	return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "the activation \"%s\" is not supported", sp_printable(name, shown));
}

/*
 * Functions of all directions: kinds, and a and b of each.  Those that take
 * parameters take the next of activation_alpha and activation_beta.
 */
static SpStatus
sp_onnx_layer_functions(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxLayer *layer)
{
	static const char *const lists[2] = {"activation_alpha", "activation_beta"};
	const SpOnnx__AttributeProto *names;
	size_t		n = sp_recurrent_functions(layer->kind);
	double	   *given[2];
	size_t		counts[2];
	size_t		used[2] = {0, 0};

	SP_TRY(sp_onnx_attribute(onnx, node, "activations", SP_ONNX_ATTR_STRINGS, &names));
	for (int which = 0; which < 2; which++)
		SP_TRY(sp_onnx_attribute_numbers(onnx, node, lists[which], NULL, &given[which], &counts[which]));
	if (names && names->n_strings != n * (size_t) layer->directions)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "activations has %zu names instead of %zu", names->n_strings,
							n * (size_t) layer->directions);
	for (size_t at = 0; at < n * (size_t) layer->directions; at++)
	{
		SpStr		plain = at % n == 0 && layer->kind != SP_RECURRENT_RNN ? SP_STR("Sigmoid") : SP_STR("Tanh");
		const SpOnnxActivation *activation = NULL;

		SP_TRY(sp_onnx_find_activation(onnx, node, names ? sp_onnx_str(names->strings[at]) : plain, &activation));
		layer->functions[at] = activation->kind;
		for (int which = 0; which < activation->n_params; which++)
		{
			double		number = used[which] < counts[which] ? given[which][used[which]++] : activation->params[which];

			if (isnan(number))
				return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%s without its %s is not supported", activation->name, lists[which]);
			layer->params[2 * at + (size_t) which] = number;
		}
	}
	return SP_OK;
}

/* A value from elements of another one, in a row. */
static SpStatus
sp_onnx_layer_part(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, int64_t first, int64_t count)
{
	int64_t		stride = 1;

	return sp_onnx_view(onnx, node, value, 1, &count, &stride, first);
}

/* One direction: its step. */
static SpStatus
sp_onnx_layer_direction(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxLayer *layer, size_t direction, SpOnnxValue *made)
{
	SpOnnxValue states[2];
	const SpOnnxValue *inputs[3] = {&layer->x, &states[0], &states[1]};
	size_t		n_inputs = layer->has_state[1] ? 3 : layer->has_state[0] ? 2 : 1;
	size_t		sizes[4];
	size_t		at = 0;
	size_t		total;
	size_t		n_functions = sp_recurrent_functions(layer->kind);
	SpGeneral	spec = layer->spec;

	spec.indices = layer->functions + direction * n_functions;
	spec.n_indices = (uint32_t) n_functions;
	spec.dims[3] |= layer->is_reverse || direction == 1 ? SP_RECURRENT_REVERSE : 0;
	sizes[0] = layer->tensors[0].list.count / (size_t) layer->directions;
	sizes[1] = layer->tensors[1].list.count / (size_t) layer->directions;
	sizes[2] = 2 * sp_recurrent_gates(layer->kind) * (size_t) layer->hidden;
	sizes[3] = layer->tensors[3].list.count / (size_t) layer->directions;
	total = sizes[0] + sizes[1] + sizes[2] + sizes[3] + 2 * n_functions;
	if (total > UINT32_MAX)
		return sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "weights are too large");
	SP_TRY(sp_onnx_memory(onnx, total, sizeof(double), (void **) &spec.numbers));
	spec.n_numbers = (uint32_t) total;
	memset(spec.numbers, 0, total * sizeof(double));
	for (int which = 0; which < 4; at += sizes[which++])
		if (layer->tensors[which].list.numbers)
			memcpy(spec.numbers + at, layer->tensors[which].list.numbers + direction * sizes[which], sizes[which] * sizeof(double));
	memcpy(spec.numbers + at, layer->params + 2 * direction * n_functions, 2 * n_functions * sizeof(double));
	for (size_t which = 0; which + 1 < n_inputs; which++)
	{
		if (layer->has_state[which])
		{
			states[which] = layer->states[which];
			SP_TRY(sp_onnx_layer_part(onnx, node, &states[which], (int64_t) direction * layer->hidden, layer->hidden));
			continue;
		}
		states[which] = (SpOnnxValue) {.kind = SP_ONNX_CONSTANT, .elem = layer->x.elem, .row_axis = -1};
		SP_TRY(sp_onnx_memory(onnx, (size_t) layer->hidden, sizeof(double), (void **) &states[which].list.numbers));
		memset(states[which].list.numbers, 0, (size_t) layer->hidden * sizeof(double));
		states[which].list.count = (size_t) layer->hidden;
	}
	return sp_onnx_step(onnx, node, SP_OP_RECURRENT, spec, inputs, n_inputs, made);
}

/*
 * Output number: Y [steps, directions, rows, hidden], Y_h and Y_c [directions,
 * rows, hidden]; with layout 1 the rows come first.
 */
static SpStatus
sp_onnx_layer_output(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxLayer *layer, const SpOnnxValue *made, size_t output)
{
	SpOnnxValue parts[2];
	SpOnnxValue result;
	uint32_t	values[2];
	SpGeneral	spec = {.n_inputs = 2, .inputs = values, .dims = {output == 0 ? (uint32_t) layer->steps : 1}};
	int64_t		all[4] = {layer->steps, layer->directions, 1, layer->hidden};
	int64_t		rows_first[4] = {1, layer->steps, layer->directions, layer->hidden};
	uint32_t	rank = output == 0 ? 4 : 3;

	if (output >= node->n_output || node->output[output].len == 0)
		return SP_OK;
	for (int64_t d = 0; d < layer->directions; d++)
	{
		bool		is_reverse = layer->is_reverse || d == 1;
		int64_t		first = output == 0 ? 0 : output == 2 ? layer->steps * layer->hidden :
			is_reverse ? 0 : (layer->steps - 1) * layer->hidden;

		parts[d] = made[d];
		SP_TRY(sp_onnx_layer_part(onnx, node, &parts[d], first, (output == 0 ? layer->steps : 1) * layer->hidden));
		values[d] = parts[d].value;
	}
	result = parts[0];
	if (layer->directions == 2)
		SP_TRY(sp_builder_general(onnx->builder, SP_OP_CONCAT, &spec, &result.value));
	result.rank = rank;
	if (layer->batch == 0)
		memcpy(result.dims, rows_first, sizeof(rows_first));
	else
		memcpy(result.dims, all, sizeof(all));
	if (output > 0)
	{
		result.dims[layer->batch == 0 ? 1 : 0] = layer->directions;
		result.dims[layer->batch == 0 ? 0 : 1] = 1;
		result.dims[2] = layer->hidden;
	}
	result.row_axis = layer->batch == 0 ? 0 : (int) rank - 2;
	return sp_onnx_define_output(onnx, node, output, result);
}

SpStatus
sp_onnx_recurrent(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpStr		name = sp_onnx_str(node->op_type);
	SpOnnxLayer layer = {
		.kind = sp_str_is(name, "LSTM") ? SP_RECURRENT_LSTM : sp_str_is(name, "GRU") ? SP_RECURRENT_GRU : SP_RECURRENT_RNN
	};
	SpOnnxValue made[2];
	int64_t		linear;
	int64_t		coupled;

	SP_TRY(sp_onnx_attribute_int(onnx, node, "linear_before_reset", 0, &linear));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "input_forget", 0, &coupled));
	SP_TRY(sp_onnx_float(onnx, node, "clip", 0, &layer.spec.params[0]));
	SP_TRY(sp_onnx_layer_shape(onnx, node, &layer));
	SP_TRY(sp_onnx_layer_functions(onnx, node, &layer));
	layer.spec.kind = layer.kind;
	layer.spec.dims[0] = (uint32_t) layer.steps;
	layer.spec.dims[1] = (uint32_t) layer.columns;
	layer.spec.dims[2] = (uint32_t) layer.hidden;
	layer.spec.dims[3] = (linear != 0 ? SP_RECURRENT_LINEAR_BEFORE_RESET : 0) | (coupled != 0 ? SP_RECURRENT_INPUT_FORGET : 0) |
		(layer.tensors[3].list.count > 0 ? SP_RECURRENT_PEEPHOLES : 0);
	for (int64_t d = 0; d < layer.directions; d++)
		SP_TRY(sp_onnx_layer_direction(onnx, node, &layer, (size_t) d, &made[d]));
	for (size_t output = 0; output < 3; output++)
		if (output < 2 || layer.kind == SP_RECURRENT_LSTM)
			SP_TRY(sp_onnx_layer_output(onnx, node, &layer, made, output));
	return SP_OK;
}
