/*
 * src/import/sp_onnx_distances.c
 *
 * Distances between a row and the rows of a constant: CDist of ONNX Runtime,
 * and Scan as skl2onnx writes it for the same.
 *
 * Scan is a loop.  What is known here is one whose body takes the difference
 * of its state and one row of the scanned matrix, sums absolute values or
 * powers of it over the columns, and hands the state on as it was.
 */
#include <math.h>

#include "import/sp_onnx_internal.h"

/* Real ones have less than 1 kB. */
#define SP_ONNX_MAX_BODY 65536
#define SP_ONNX_MAX_BODY_NODES 16

static SpStatus
sp_onnx_to_vectors(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpKernel kind, double order, SpOnnxValue value,
				   const SpOnnxValue *vectors, SpOnnxValue *result)
{
	const SpOnnxValue *input = &value;
	SpGeneral	spec = {.kind = kind, .params = {order}};

	if (value.kind == SP_ONNX_CONSTANT || value.rank != 2 || value.row_axis != 0 || vectors->rank != 2 ||
		vectors->dims[1] != value.dims[1] || vectors->elem != value.elem || !sp_onnx_is_float(value.elem) ||
		vectors->list.count > UINT32_MAX)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "distances between these operands are not supported");
	spec.dims[0] = (uint32_t) vectors->dims[0];
	spec.numbers = vectors->list.numbers;
	spec.n_numbers = (uint32_t) vectors->list.count;
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_KERNEL, spec, &input, 1, result));
	result->dims[1] = vectors->dims[0];
	return SP_OK;
}

/* onnxruntime/contrib_ops/cpu/cdist.h */
SpStatus
sp_onnx_distances(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue vectors;
	SpStr		metric;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_fixed(onnx, node, 1, &vectors));
	SP_TRY(sp_onnx_attribute_text(onnx, node, "metric", "sqeuclidean", &metric));
	if (!sp_str_is(metric, "euclidean") && !sp_str_is(metric, "sqeuclidean"))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "the metric is not euclidean or sqeuclidean");
	SP_TRY(sp_onnx_to_vectors(onnx, node, sp_str_is(metric, "euclidean") ? SP_KERNEL_EUCLIDEAN : SP_KERNEL_SQUARES, 0,
							  value, &vectors, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

/* How far the body's computation is at a value. */
typedef enum SpStage
{
	SP_STAGE_NONE,
	SP_STAGE_STATE,
	SP_STAGE_SCANNED,
	SP_STAGE_APART,				/* state - scanned, or the other way round */
	SP_STAGE_ABSOLUTE,
	SP_STAGE_POWERS,			/* of the order; 2 needs no absolute values */
	SP_STAGE_DISTANCE
} SpStage;

typedef struct SpPlace
{
	SpStr		name;
	SpStage		stage;
} SpPlace;

typedef struct SpBody
{
	SpOnnx	   *onnx;
	const SpOnnx__NodeProto *scan;
	const SpOnnx__GraphProto *graph;
	uint32_t	n_places;
	SpPlace		places[SP_ONNX_MAX_BODY_NODES + 2];
	double		order;
	SpKernel	kind;
} SpBody;

static SpStage
sp_body_stage(const SpBody *body, const SpOnnx__NodeProto *node, size_t input)
{
	for (uint32_t at = 0; input < node->n_input && at < body->n_places; at++)
		if (sp_str_eq(body->places[at].name, sp_onnx_str(node->input[input])))
			return body->places[at].stage;
	return SP_STAGE_NONE;
}

/* A number that the body, or the graph around it, has as a constant of one element; NaN if not. */
static SpStatus
sp_body_number(const SpBody *body, const SpOnnx__NodeProto *node, size_t input, double *number)
{
	SpOnnxValue value = {0};
	const SpOnnxValue *outer = sp_onnx_find(body->onnx, sp_onnx_str(node->input[input]));

	*number = NAN;
	for (size_t at = 0; at < body->graph->n_initializer; at++)
		if (sp_str_eq(sp_onnx_str(body->graph->initializer[at]->name), sp_onnx_str(node->input[input])))
		{
			SP_TRY(sp_onnx_define_tensor(body->onnx, NULL, body->graph->initializer[at], &value));
			outer = &value;
		}
	if (outer && outer->kind == SP_ONNX_CONSTANT && outer->list.numbers && outer->list.count == 1)
		*number = outer->list.numbers[0];
	return SP_OK;
}

/* Over the columns, which are gone afterwards. */
static SpStatus
sp_body_is_over_columns(const SpBody *body, const SpOnnx__NodeProto *node, bool *is_over_columns)
{
	const SpOnnx__AttributeProto *axes;
	int64_t		keep;
	double		axis = NAN;

	SP_TRY(sp_onnx_attribute_int(body->onnx, node, "keepdims", 1, &keep));
	SP_TRY(sp_onnx_attribute(body->onnx, node, "axes", SP_ONNX_ATTR_INTS, &axes));
	if (axes && axes->n_ints == 1)
		axis = (double) axes->ints[0];
	else if (axes == NULL && node->n_input == 2)
		SP_TRY(sp_body_number(body, node, 1, &axis));
	*is_over_columns = keep == 0 && (axis == 1 || axis == -1) && node->n_attribute == (axes ? 2 : 1);
	return SP_OK;
}

static SpStage
sp_body_sum(SpBody *body, SpStr operator, SpStage stage)
{
	static const struct
	{
		const char *operator;
		SpStage		stage;
		SpKernel	kind;
	}			sums[] = {
		{"ReduceSumSquare", SP_STAGE_APART, SP_KERNEL_SQUARES}, {"ReduceSumSquare", SP_STAGE_ABSOLUTE, SP_KERNEL_SQUARES},
		{"ReduceL2", SP_STAGE_APART, SP_KERNEL_EUCLIDEAN}, {"ReduceL1", SP_STAGE_APART, SP_KERNEL_MANHATTAN},
		{"ReduceSum", SP_STAGE_ABSOLUTE, SP_KERNEL_MANHATTAN}, {"ReduceSum", SP_STAGE_POWERS, SP_KERNEL_POWERS},
		{"ReduceMax", SP_STAGE_ABSOLUTE, SP_KERNEL_CHEBYSHEV}
	};

	for (size_t at = 0; at < sizeof(sums) / sizeof(sums[0]); at++)
		if (sp_str_is(operator, sums[at].operator) && stage == sums[at].stage)
		{
			body->kind = sums[at].kind == SP_KERNEL_POWERS && body->order == 2 ? SP_KERNEL_SQUARES : sums[at].kind;
			return SP_STAGE_DISTANCE;
		}
	return SP_STAGE_NONE;
}

/* What a node of the body makes; SP_STAGE_NONE if that is not known. */
static SpStatus
sp_body_node(SpBody *body, const SpOnnx__NodeProto *node, SpStage *made)
{
	SpStr		operator = sp_onnx_str(node->op_type);
	SpStage		first = sp_body_stage(body, node, 0);
	SpStage		second = sp_body_stage(body, node, 1);
	bool		is_over_columns;

	*made = SP_STAGE_NONE;
	if (node->domain.len > 0 || node->n_input == 0 || first == SP_STAGE_NONE)
		return SP_OK;
	if (sp_str_is(operator, "Identity"))
		*made = first;
	else if (sp_str_is(operator, "Sub") && ((first == SP_STAGE_STATE && second == SP_STAGE_SCANNED) ||
											(first == SP_STAGE_SCANNED && second == SP_STAGE_STATE)))
		*made = SP_STAGE_APART;
	else if (sp_str_is(operator, "Abs") && first == SP_STAGE_APART)
		*made = SP_STAGE_ABSOLUTE;
	else if (sp_str_is(operator, "Sqrt") && first == SP_STAGE_DISTANCE && body->kind == SP_KERNEL_SQUARES)
	{
		body->kind = SP_KERNEL_EUCLIDEAN;
		*made = SP_STAGE_DISTANCE;
	}
	else if (sp_str_is(operator, "Pow") && node->n_input == 2 && (first == SP_STAGE_APART || first == SP_STAGE_ABSOLUTE))
	{
		SP_TRY(sp_body_number(body, node, 1, &body->order));
		if (isfinite(body->order) && body->order > 0 && (first == SP_STAGE_ABSOLUTE || body->order == 2))
			*made = SP_STAGE_POWERS;
	}
	else
	{
		SP_TRY(sp_body_is_over_columns(body, node, &is_over_columns));
		if (is_over_columns)
			*made = sp_body_sum(body, operator, first);
	}
	return SP_OK;
}

/* Read the body up to its outputs: the state as it was, and a distance. */
static SpStatus
sp_body_read(SpBody *body)
{
	const SpOnnx__GraphProto *graph = body->graph;
	SpStage		outputs[2] = {SP_STAGE_NONE, SP_STAGE_NONE};
	char		shown[SP_PRINTABLE_SIZE];

	if (graph->n_input != 2 || graph->n_output != 2 || graph->n_node > SP_ONNX_MAX_BODY_NODES)
		return sp_onnx_fail(body->onnx, body->scan, SP_ERR_UNSUPPORTED, "a loop that is not known to be a distance is not supported");
	for (size_t at = 0; at < 2; at++)
		body->places[body->n_places++] = (SpPlace) {
			sp_onnx_str(graph->input[at]->name), at == 0 ? SP_STAGE_STATE : SP_STAGE_SCANNED
		};
	for (size_t at = 0; at < graph->n_node; at++)
	{
		const SpOnnx__NodeProto *node = graph->node[at];
		SpStage		made;

		SP_TRY(sp_body_node(body, node, &made));
		if (made == SP_STAGE_NONE || node->n_output != 1)
			return sp_onnx_fail(body->onnx, body->scan, SP_ERR_UNSUPPORTED, "a loop with the operator %s is not known to be a distance",
								sp_printable(sp_onnx_str(node->op_type), shown));
		body->places[body->n_places++] = (SpPlace) {sp_onnx_str(node->output[0]), made};
	}
	for (size_t at = 0; at < 2; at++)
		for (uint32_t place = 0; place < body->n_places; place++)
			if (sp_str_eq(body->places[place].name, sp_onnx_str(graph->output[at]->name)))
				outputs[at] = body->places[place].stage;
	if (outputs[0] != SP_STAGE_STATE || outputs[1] != SP_STAGE_DISTANCE)
		return sp_onnx_fail(body->onnx, body->scan, SP_ERR_UNSUPPORTED, "a loop that changes its state, or makes no distance, is not supported");
	return SP_OK;
}

static SpStatus
sp_body_unpack(SpBody *body, ProtobufCMessage **message)
{
	SpOnnx	   *onnx = body->onnx;
	const SpOnnx__AttributeProto *attribute;
	SpStatus	status;

	SP_TRY(sp_onnx_attribute(onnx, body->scan, "body", SP_ONNX_ATTR_GRAPH, &attribute));
	if (attribute == NULL || attribute->g.len == 0)
		return sp_onnx_fail(onnx, body->scan, SP_ERR_FORMAT, "there is no body");
	if (attribute->g.len > SP_ONNX_MAX_BODY)
		return sp_onnx_fail(onnx, body->scan, SP_ERR_UNSUPPORTED, "a body of more than %d bytes is not supported", SP_ONNX_MAX_BODY);
	status = sp_onnx_unpack(onnx->cx, &sp_onnx__graph_proto__descriptor, attribute->g.data, attribute->g.len, message);
	if (status == SP_ERR_FORMAT)
	{
		/* the place within the body says nothing about the file */
		onnx->cx->error.offset = SP_NO_OFFSET;
		sp_fail_detail(onnx->cx, "This is in the body of a Scan.");
	}
	SP_TRY(status);
	body->graph = (const SpOnnx__GraphProto *) *message;
	return SP_OK;
}

/* Scanning goes over the first axis of the only scan input, forwards. */
static SpStatus
sp_body_check_directions(const SpBody *body)
{
	static const char *const names[] = {"scan_input_axes", "scan_input_directions", "scan_output_axes", "scan_output_directions"};
	int64_t		n_scanned;

	SP_TRY(sp_onnx_attribute_int(body->onnx, body->scan, "num_scan_inputs", 0, &n_scanned));
	if (n_scanned != 1 || body->scan->n_input != 2 || sp_onnx_opset_of(body->onnx, body->scan) < 9)
		return sp_onnx_fail(body->onnx, body->scan, SP_ERR_UNSUPPORTED, "a loop over anything but one matrix is not supported");
	for (size_t at = 0; at < 4; at++)
	{
		const SpOnnx__AttributeProto *attribute;

		SP_TRY(sp_onnx_attribute(body->onnx, body->scan, names[at], SP_ONNX_ATTR_INTS, &attribute));
		for (size_t i = 0; attribute && i < attribute->n_ints; i++)
			if (attribute->ints[i] != 0)
				return sp_onnx_fail(body->onnx, body->scan, SP_ERR_UNSUPPORTED, "%s are not supported", names[at]);
	}
	return SP_OK;
}

/*
 * State [rows, n] and a constant [m, n] give [m, rows]; a constant state and
 * the rows scanned give [rows, m].
 */
SpStatus
sp_onnx_scan_node(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpBody		body = {.onnx = onnx, .scan = node};
	ProtobufCMessage *message;
	SpOnnxValue state;
	SpOnnxValue scanned;
	SpOnnxValue result;

	SP_TRY(sp_body_check_directions(&body));
	SP_TRY(sp_body_unpack(&body, &message));
	SP_TRY(sp_body_read(&body));
	sp_onnx_forget(onnx->cx, message);
	SP_TRY(sp_onnx_tensor(onnx, node, 0, &state));
	SP_TRY(sp_onnx_tensor(onnx, node, 1, &scanned));
	if (state.kind == SP_ONNX_CONSTANT)
		SP_TRY(sp_onnx_to_vectors(onnx, node, body.kind, body.order, scanned, &state, &result));
	else
	{
		SP_TRY(sp_onnx_fixed(onnx, node, 1, &scanned));
		SP_TRY(sp_onnx_to_vectors(onnx, node, body.kind, body.order, state, &scanned, &result));
		result.dims[0] = result.dims[1];
		result.dims[1] = 1;
		result.row_axis = 1;
	}
	SP_TRY(sp_onnx_define_output(onnx, node, 0, state));
	return sp_onnx_define_output(onnx, node, 1, result);
}
