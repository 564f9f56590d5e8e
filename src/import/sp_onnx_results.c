/*
 * src/import/sp_onnx_results.c
 *
 * What the outputs of a graph are to us, and with that the task.
 *
 * Outputs have no meaning in ONNX, so it is told by what made them: a value
 * that can only be one of a few integers or strings is a label; with -1 and 1
 * and one number beside it an outlier detector; the index of a smallest number
 * is a cluster.  Several integers of a row are labels of several targets: they
 * are the value, and what is beside them is raw.
 *
 * An output has the elements of one row in their order, wherever the axis of
 * rows is and whatever it counts first: a row's answer does not depend on it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

#define SP_ONNX_MAX_OUTPUTS 16
#define SP_ONNX_LABEL_SIZE 24

static bool
sp_onnx_is_label(const SpOnnxValue *value)
{
	return value->kind == SP_ONNX_LABEL ||
		(value->kind == SP_ONNX_NUMBERS && !sp_onnx_is_float(value->elem) && sp_onnx_width(value) == 1 &&
		 (value->domain || value->n_results > 0));
}

static bool
sp_onnx_is_targets(const SpOnnxValue *value)
{
	return !sp_onnx_is_float(value->elem) && value->elem != SP_ONNX_STRING && sp_onnx_width(value) > 1;
}

/* The model's labels from a list of numbers or strings. */
static SpStatus
sp_onnx_set_labels(SpOnnx *onnx, const SpOnnxList *list, size_t count)
{
	SpStr	   *labels;
	char	   *text;

	if (count > onnx->cx->limits.max_labels)
		return sp_fail_limit(onnx->cx, "max_labels", "model has %zu labels, more than the limit of %u", count, onnx->cx->limits.max_labels);
	SP_TRY(sp_onnx_memory(onnx, count, sizeof(SpStr), (void **) &labels));
	SP_TRY(sp_onnx_memory(onnx, count, SP_ONNX_LABEL_SIZE, (void **) &text));
	for (size_t at = 0; at < count; at++, text += SP_ONNX_LABEL_SIZE)
	{
		if (list && list->numbers && !(list->numbers[at] > -0x1p53 && list->numbers[at] < 0x1p53))
			return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "labels beyond 2^53 are not supported in this ONNX graph");
		labels[at].data = text;
		if (list && list->texts)
			labels[at] = list->texts[at];
		else
			labels[at].size = (size_t) snprintf(text, SP_ONNX_LABEL_SIZE, "%" PRId64, list ? (int64_t) list->numbers[at] : (int64_t) at);
	}
	onnx->labels = labels;
	onnx->n_labels = (uint32_t) count;
	onnx->label_type = list && list->texts ? SP_TYPE_STRING : SP_TYPE_I64;
	return SP_OK;
}

/* Every possibility once, numbers in ascending order. */
static SpStatus
sp_onnx_distinct(SpOnnx *onnx, const SpOnnxList *from, SpOnnxList *to)
{
	void	   *memory;

	if (from->count > onnx->cx->limits.max_labels)
		return sp_fail_limit(onnx->cx, "max_labels", "model has %zu labels, more than the limit of %u", from->count, onnx->cx->limits.max_labels);
	SP_TRY(sp_onnx_memory(onnx, from->count, from->texts ? sizeof(SpStr) : sizeof(double), &memory));
	*to = (SpOnnxList) {.numbers = from->texts ? NULL : memory, .texts = from->texts ? memory : NULL};
	for (size_t at = 0; at < from->count; at++)
	{
		size_t		place = to->count;

		if (to->texts)
		{
			for (place = 0; place < to->count && !sp_str_eq(to->texts[place], from->texts[at]); place++)
				;
			if (place == to->count)
				to->texts[to->count++] = from->texts[at];
			continue;
		}
		while (place > 0 && to->numbers[place - 1] > from->numbers[at])
			place--;
		if (place > 0 && to->numbers[place - 1] == from->numbers[at])
			continue;
		memmove(to->numbers + place + 1, to->numbers + place, (to->count - place) * sizeof(double));
		to->numbers[place] = from->numbers[at];
		to->count++;
	}
	return SP_OK;
}

static bool
sp_onnx_is_skl2onnx(const SpOnnx *onnx)
{
	return sp_str_is(sp_onnx_str(onnx->model->producer_name), "skl2onnx");
}

/*
 * skl2onnx writes the label of OneClassSVM and SGDOneClassSVM as the sign of
 * the score.  scikit-learn has no label 0: a score of 0 is an outlier to the
 * former (libsvm asks for more than 0) and none to the latter.
 */
static SpStatus
sp_onnx_sign_label(SpOnnx *onnx, const SpOnnxValue *value, uint32_t *label)
{
	static double numbers[] = {-1, 1};
	static const SpOnnxList list = {.count = 2, .numbers = numbers};
	bool		is_svm = onnx->estimator && sp_str_is(sp_onnx_str(onnx->estimator->op_type), "SVMRegressor");
	double		below_zero = sp_builder_value(onnx->builder, value->sign_of).type == SP_TYPE_F32 ? -0x1p-149 : -0x1p-1074;

	SP_TRY(sp_onnx_set_labels(onnx, &list, 2));
	return sp_builder_above(onnx->builder, value->sign_of, is_svm ? 0 : below_zero, label);
}

/* An output that is a label: the value that holds its index. */
static SpStatus
sp_onnx_label_output(SpOnnx *onnx, const SpOnnxValue *value, uint32_t *label)
{
	static const SpOnnx__NodeProto none = SP_ONNX__NODE_PROTO__INIT;
	SpOnnxList	list;
	SpOnnxValue place;

	*label = value->value;
	if (value->kind == SP_ONNX_LABEL)
		return value->value == onnx->label ? SP_OK : sp_onnx_set_labels(onnx, value->labels, value->labels->count);
	if (value->n_results > 0)
		return sp_onnx_set_labels(onnx, NULL, value->n_results);
	if (value->is_sign && sp_onnx_is_skl2onnx(onnx))
		return sp_onnx_sign_label(onnx, value, label);
	SP_TRY(sp_onnx_distinct(onnx, value->domain, &list));
	if (onnx->zipmap && onnx->n_zipmap == list.count && list.texts)
		list.texts = onnx->zipmap;
	SP_TRY(sp_onnx_set_labels(onnx, &list, list.count));
	SP_TRY(sp_onnx_place(onnx, &none, *value, &list, (uint32_t) list.count, 0, &place));
	*label = place.value;
	return SP_OK;
}

/* -1 and 1, and a 0 between them where another graph than scikit-learn's takes the sign of the score. */
static bool
sp_onnx_is_outlier(const SpOnnx *onnx)
{
	uint32_t	n = onnx->n_labels;

	return (n == 2 || (n == 3 && sp_str_is(onnx->labels[1], "0"))) && sp_str_is(onnx->labels[0], "-1") &&
		sp_str_is(onnx->labels[n - 1], "1") && onnx->label_type == SP_TYPE_I64;
}

/* A result of numbers beside a label. */
static SpOutput
sp_onnx_beside(const SpOnnx *onnx, const SpOnnxValue *value, const uint32_t *made)
{
	uint32_t	width = (uint32_t) sp_onnx_width(value);

	if (value->kind == SP_ONNX_SCORES)
		return value->is_probability ? SP_OUTPUT_PROBABILITIES : SP_OUTPUT_RAW;
	if (onnx->task == SP_TASK_OUTLIER && width == 1 && made[SP_OUTPUT_VALUE] == SP_NO_VALUE)
		return SP_OUTPUT_VALUE;
	if (onnx->task == SP_TASK_CLASSIFICATION && width == onnx->n_labels && made[SP_OUTPUT_PROBABILITIES] == SP_NO_VALUE)
		return SP_OUTPUT_PROBABILITIES;
	return SP_OUTPUT_RAW;
}

/* A graph of numbers only becomes a classifier if the caller names the labels. */
static SpStatus
sp_onnx_named_classes(SpOnnx *onnx, const SpOnnxValue *value, uint32_t *made)
{
	uint32_t	n = (uint32_t) sp_onnx_width(value);

	onnx->task = SP_TASK_CLASSIFICATION;
	SP_TRY(sp_onnx_set_labels(onnx, NULL, n));
	SP_TRY(sp_builder_argmax(onnx->builder, value->value, &made[SP_OUTPUT_LABEL]));
	made[SP_OUTPUT_VALUE] = SP_NO_VALUE;
	made[SP_OUTPUT_PROBABILITIES] = value->value;
	if (value->is_probability)
		return SP_OK;
	made[SP_OUTPUT_RAW] = value->value;
	return sp_builder_softmax(onnx->builder, value->value, SP_SOFTMAX_ALL, &made[SP_OUTPUT_PROBABILITIES]);
}

/* Read the outputs; labels first, because they say what the others are. */
static SpStatus
sp_onnx_find_label(SpOnnx *onnx, const SpOnnx__GraphProto *graph, SpOnnxValue *values, uint32_t *made)
{
	char		shown[SP_PRINTABLE_SIZE];

	for (size_t i = 0; i < graph->n_output; i++)
	{
		SpStr		name = sp_onnx_str(graph->output[i]->name);
		const SpOnnxValue *value = sp_onnx_find(onnx, name);

		if (value == NULL)
			return sp_fail(onnx->cx, SP_ERR_FORMAT, "ONNX output \"%s\" is not defined", sp_printable(name, shown));
		values[i] = *value;
		if (value->kind == SP_ONNX_CONSTANT || value->row_axis < 0)
			return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX output \"%s\" is the same for all rows, which is not supported",
						   sp_printable(name, shown));
		onnx->has_targets = onnx->has_targets || (graph->n_output > 1 && sp_onnx_is_targets(value));
		if (!sp_onnx_is_label(value))
			continue;
		if (made[SP_OUTPUT_LABEL] != SP_NO_VALUE && made[SP_OUTPUT_LABEL] != value->value)
			return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX graphs with several outputs of one kind are not supported (\"%s\")",
						   sp_printable(name, shown));
		if (made[SP_OUTPUT_LABEL] == SP_NO_VALUE)
			SP_TRY(sp_onnx_label_output(onnx, value, &made[SP_OUTPUT_LABEL]));
		onnx->task = value->is_cluster ? SP_TASK_CLUSTERING :
			sp_onnx_is_outlier(onnx) && value->kind != SP_ONNX_LABEL ? SP_TASK_OUTLIER : SP_TASK_CLASSIFICATION;
	}
	return SP_OK;
}

/* A graph may show only the scores of its classifier. */
static void
sp_onnx_hidden_label(SpOnnx *onnx, const SpOnnxValue *values, size_t count, uint32_t *made)
{
	for (size_t i = 0; i < count && !onnx->has_targets; i++)
		if (values[i].kind == SP_ONNX_SCORES && made[SP_OUTPUT_LABEL] == SP_NO_VALUE)
		{
			made[SP_OUTPUT_LABEL] = onnx->label;
			onnx->task = SP_TASK_CLASSIFICATION;
		}
}

static SpStatus
sp_onnx_number_output(SpOnnx *onnx, const SpOnnxValue *value, size_t n_outputs, uint32_t *made)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpOutput	output = SP_OUTPUT_VALUE;
	uint32_t	number = value->value;

	if (value->elem == SP_ONNX_STRING)
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX output \"%s\" of strings is not supported", sp_printable(value->name, shown));

	/* it may be a label whose values nobody wrote down; taken for a number it would hide the score */
	if (!sp_onnx_is_float(value->elem) && n_outputs > 1 &&
		(!sp_onnx_is_targets(value) || made[SP_OUTPUT_LABEL] != SP_NO_VALUE))
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX output \"%s\" of integers beside other outputs is not supported",
					   sp_printable(value->name, shown));
	if (!sp_onnx_is_float(value->elem))
		SP_TRY(sp_onnx_cast(onnx, number, SP_TYPE_F64, &number));
	if (made[SP_OUTPUT_LABEL] != SP_NO_VALUE)
		output = sp_onnx_beside(onnx, value, made);
	else if (onnx->has_targets ? !sp_onnx_is_targets(value) :
			 made[SP_OUTPUT_VALUE] != SP_NO_VALUE && made[SP_OUTPUT_VALUE] != number)
		output = SP_OUTPUT_RAW;
	if (made[output] != SP_NO_VALUE && made[output] != number)
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX graphs with several outputs of one kind are not supported (\"%s\")",
					   sp_printable(value->name, shown));
	made[output] = number;
	return SP_OK;
}

/* Wide numbers that no estimator made are a transformed row. */
static SpTask
sp_onnx_value_task(const SpOnnx *onnx, const SpOnnxValue *value)
{
	if (onnx->estimator || onnx->has_targets || sp_onnx_width(value) == 1 || value->dims[value->row_axis] > 1)
		return SP_TASK_REGRESSION;
	return sp_onnx_is_skl2onnx(onnx) ? SP_TASK_TRANSFORM : SP_TASK_REGRESSION;
}

SpStatus
sp_onnx_outputs(SpOnnx *onnx, const SpOnnx__GraphProto *graph)
{
	uint32_t	made[SP_N_OUTPUTS] = {SP_NO_VALUE, SP_NO_VALUE, SP_NO_VALUE, SP_NO_VALUE};
	SpOnnxValue values[SP_ONNX_MAX_OUTPUTS];

	if (graph->n_output > SP_ONNX_MAX_OUTPUTS || graph->n_output == 0)
		return sp_fail(onnx->cx, graph->n_output == 0 ? SP_ERR_FORMAT : SP_ERR_LIMIT,
					   "the ONNX graph has %zu outputs; 1 to %d are supported", graph->n_output, SP_ONNX_MAX_OUTPUTS);
	SP_TRY(sp_onnx_find_label(onnx, graph, values, made));
	sp_onnx_hidden_label(onnx, values, graph->n_output, made);
	for (size_t i = 0; i < graph->n_output; i++)
	{
		if (sp_onnx_is_label(&values[i]))
			continue;
		if (made[SP_OUTPUT_LABEL] == SP_NO_VALUE)
			onnx->task = sp_onnx_value_task(onnx, &values[i]);
		SP_TRY(sp_onnx_number_output(onnx, &values[i], graph->n_output, made));
		if (graph->n_output == 1 && made[SP_OUTPUT_VALUE] != SP_NO_VALUE && onnx->overrides && onnx->overrides->labels &&
			onnx->overrides->n_labels >= 2 && onnx->overrides->n_labels == sp_onnx_width(&values[i]))
			SP_TRY(sp_onnx_named_classes(onnx, &values[i], made));
	}
	if (onnx->task == SP_TASK_OUTLIER && made[SP_OUTPUT_VALUE] == SP_NO_VALUE)
		onnx->task = SP_TASK_CLASSIFICATION;
	if (made[SP_OUTPUT_RAW] == SP_NO_VALUE && (made[SP_OUTPUT_LABEL] == onnx->label || onnx->label == SP_NO_VALUE) &&
		onnx->raw != SP_NO_VALUE)
		made[SP_OUTPUT_RAW] = onnx->raw;
	for (size_t i = 0; i < SP_N_OUTPUTS; i++)
		if (made[i] != SP_NO_VALUE)
			SP_TRY(sp_builder_output(onnx->builder, (SpOutput) i, made[i]));
	onnx->label = made[SP_OUTPUT_LABEL];
	return SP_OK;
}
