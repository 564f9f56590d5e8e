/*
 * src/ir/sp_builder_finish.c
 *
 * The end of building: the caller's names and labels, and the checks that
 * only the whole model can show.
 */
#include <string.h>

#include "ir/sp_builder_internal.h"

/* Merge the sorted runs [begin, middle) and [middle, end) of order into merged. */
static void
merge_runs(const char *const *strings, const uint32_t *order, uint32_t *merged,
		   size_t begin, size_t middle, size_t end)
{
	size_t		left = begin;
	size_t		right = middle;

	for (size_t at = begin; at < end; at++)
	{
		bool		take_left = right >= end ||
			(left < middle && strcmp(strings[order[left]], strings[order[right]]) <= 0);

		merged[at] = take_left ? order[left++] : order[right++];
	}
}

/*
 * The lowest pair of equal strings, if *found.  A bottom-up merge sort of indexes: its time does not depend on what the
 * strings are (a hash table's would), it needs no recursion and no hidden
 * memory (qsort may use both), and being stable it finds pairs in order.
 */
static SpStatus
find_duplicate(SpContext *cx, const char *const *strings, uint32_t n,
			   bool *found, uint32_t *first, uint32_t *second)
{
	void	   *memory;
	uint32_t   *order;
	uint32_t   *merged;

	*found = false;
	SP_TRY(sp_alloc_array(cx, n, 2 * sizeof(uint32_t), &memory));
	order = memory;
	merged = order + n;
	for (uint32_t at = 0; at < n; at++)
		order[at] = at;
	for (size_t run = 1; run < n; run *= 2)
	{
		uint32_t   *swap = order;

		SP_TRY(sp_poll(cx));
		for (size_t begin = 0; begin < n; begin += 2 * run)
		{
			size_t		middle = begin + run < n ? begin + run : n;
			size_t		end = middle + run < n ? middle + run : n;

			merge_runs(strings, order, merged, begin, middle, end);
		}
		order = merged;
		merged = swap;
	}
	for (uint32_t at = 1; at < n; at++)
	{
		if (strcmp(strings[order[at - 1]], strings[order[at]]) != 0)
			continue;
		if (*found && order[at] >= *second)
			continue;
		*found = true;
		*first = order[at - 1];
		*second = order[at];
	}
	sp_free(cx, memory);
	return SP_OK;
}

static SpStatus
check_override(SpBuilder *builder, const char *what, SpStr name, uint32_t number)
{
	char		shown[SP_PRINTABLE_SIZE];

	if (name.size == 0)
		return sp_fail(builder->cx, SP_ERR_VALUE, "%s %u is empty", what, number + 1);
	if (!sp_str_is_text(name))
		return sp_fail(builder->cx, SP_ERR_VALUE, "%s \"%s\" is not well-formed text", what,
					   sp_printable(name, shown));
	return SP_OK;
}

static SpStatus
override_names(SpBuilder *builder, const SpOverrides *overrides)
{
	SpModel    *model = builder->model;

	if (overrides->n_feature_names != model->n_features)
		return sp_fail(builder->cx, SP_ERR_VALUE, "model has %u features, but %u names were given",
					   model->n_features, overrides->n_feature_names);
	for (uint32_t at = 0; at < model->n_features; at++)
	{
		SP_TRY(check_override(builder, "feature name", overrides->feature_names[at], at));
		SP_TRY(sp_copy_str(builder->cx, overrides->feature_names[at], &model->features[at].name));
	}
	return SP_OK;
}

static SpStatus
override_labels(SpBuilder *builder, const SpOverrides *overrides)
{
	SpModel    *model = builder->model;
	bool		all_integers = true;

	if (overrides->n_labels != model->n_labels)
	{
		sp_fail(builder->cx, SP_ERR_VALUE, "model has %u labels, but %u were given", model->n_labels, overrides->n_labels);
		return model->n_labels > 0 ? SP_ERR_VALUE :
			sp_fail_hint(builder->cx, "Leave labels out, unless the model gives a number for each of two or more labels.");
	}
	for (uint32_t at = 0; at < model->n_labels; at++)
	{
		SP_TRY(check_override(builder, "label", overrides->labels[at], at));
		SP_TRY(sp_copy_str(builder->cx, overrides->labels[at], &model->labels[at]));
		all_integers = all_integers && sp_is_integer_label(overrides->labels[at]);
	}
	model->label_type = all_integers ? SP_TYPE_I64 : SP_TYPE_STRING;
	return SP_OK;
}

static SpStatus
check_unique(SpBuilder *builder, const char *what, const char *const *strings, uint32_t n,
			 SpStatus status)
{
	char		shown[SP_PRINTABLE_SIZE];
	uint32_t	first = 0;
	uint32_t	second = 0;
	bool		found;

	SP_TRY(find_duplicate(builder->cx, strings, n, &found, &first, &second));
	if (!found)
		return SP_OK;
	return sp_fail(builder->cx, status, "%s \"%s\" is used twice, as number %u and number %u", what,
				   sp_printable((SpStr) {strings[first], strlen(strings[first])}, shown),
				   first + 1, second + 1);
}

static SpStatus
check_names(SpBuilder *builder, SpStatus names_status, SpStatus labels_status)
{
	SpModel    *model = builder->model;
	const char **names;
	void	   *memory;

	SP_TRY(sp_alloc_array(builder->cx, model->n_features, sizeof(char *), &memory));
	names = memory;
	for (uint32_t at = 0; at < model->n_features; at++)
		names[at] = model->features[at].name;
	SP_TRY(check_unique(builder, "feature name", names, model->n_features, names_status));
	sp_free(builder->cx, memory);
	return check_unique(builder, "label", model->labels, model->n_labels, labels_status);
}

/*
 * The label output indexes the labels at run time without a check, so it has
 * to come from a step whose results are bounded by construction.
 */
static SpStatus
check_label_output(SpBuilder *builder)
{
	const SpModel *model = builder->model;
	uint32_t	value = model->outputs[SP_OUTPUT_LABEL];
	const SpStep *step;
	uint32_t	n_results = 0;

	if (value >= model->n_inputs)
	{
		step = &model->steps[value - model->n_inputs];
		if (step->op == SP_OP_ARGMAX)
			n_results = model->values[step->in].width;
		else if (step->op == SP_OP_ABOVE)
			n_results = 2;
		else if (step->op == SP_OP_ENCODE)
			n_results = step->u.general.dims[0];
		else if (step->op == SP_OP_REDUCE && step->u.general.kind >= SP_REDUCE_ARGMAX)
			n_results = step->u.general.dims[1];
	}
	if (n_results == 0)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "output label is not the choice of a class");
	if (n_results != model->n_labels)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "output label chooses among %u classes, but the model has %u labels",
					   n_results, model->n_labels);
	return SP_OK;
}

static SpStatus
check_classification(SpBuilder *builder)
{
	const SpModel *model = builder->model;
	uint32_t	probabilities = model->outputs[SP_OUTPUT_PROBABILITIES];

	if (model->n_labels == 0)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "%s model without labels", sp_task_name(model->task));
	if (model->outputs[SP_OUTPUT_LABEL] == SP_NO_VALUE)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "%s model without output label", sp_task_name(model->task));
	SP_TRY(check_label_output(builder));
	if (probabilities != SP_NO_VALUE && model->values[probabilities].width != model->n_labels)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "model has %u probabilities, but %u labels",
					   model->values[probabilities].width, model->n_labels);
	return SP_OK;
}

static SpStatus
check_whole(SpBuilder *builder)
{
	const SpModel *model = builder->model;

	if (!builder->has_task)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "model without a task");
	if (model->n_inputs == 0)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "model without inputs");
	if (model->task == SP_TASK_CLASSIFICATION)
	{
		if (model->outputs[SP_OUTPUT_VALUE] != SP_NO_VALUE &&
			model->values[model->outputs[SP_OUTPUT_VALUE]].width != 1)
			return sp_fail(builder->cx, SP_ERR_FORMAT, "output value of a classification model has %u columns instead of one",
						   model->values[model->outputs[SP_OUTPUT_VALUE]].width);
		return check_classification(builder);
	}
	if (model->task == SP_TASK_CLUSTERING)
		return check_classification(builder);
	if (model->task == SP_TASK_OUTLIER)
	{
		SP_TRY(check_classification(builder));
		if (model->outputs[SP_OUTPUT_VALUE] == SP_NO_VALUE)
			return sp_fail(builder->cx, SP_ERR_FORMAT, "outlier model without output value");
		return SP_OK;
	}
	if (model->outputs[SP_OUTPUT_VALUE] == SP_NO_VALUE)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "%s model without output value",
					   sp_task_name(model->task));
	if (model->values[model->outputs[SP_OUTPUT_VALUE]].width != 1 &&
		model->task != SP_TASK_REGRESSION && model->task != SP_TASK_SCORE && model->task != SP_TASK_TRANSFORM)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "output value of a %s model has %u columns instead of one",
					   sp_task_name(model->task), model->values[model->outputs[SP_OUTPUT_VALUE]].width);
	if (model->n_labels > 0 || model->outputs[SP_OUTPUT_LABEL] != SP_NO_VALUE ||
		model->outputs[SP_OUTPUT_PROBABILITIES] != SP_NO_VALUE)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "%s model with labels", sp_task_name(model->task));
	return SP_OK;
}

SpStatus
sp_builder_finish(SpBuilder *builder, const SpOverrides *overrides, SpModel **model)
{
	bool		new_names = overrides && overrides->feature_names;
	bool		new_labels = overrides && overrides->labels;

	SP_TRY(sp_builder_ready(builder));
	SP_TRY(check_whole(builder));
	if (new_names)
		SP_TRY(override_names(builder, overrides));
	if (new_labels)
		SP_TRY(override_labels(builder, overrides));
	SP_TRY(check_names(builder, new_names ? SP_ERR_VALUE : SP_ERR_FORMAT,
					   new_labels ? SP_ERR_VALUE : SP_ERR_FORMAT));
	SP_TRY(sp_builder_finish_policy(builder, overrides));
	SP_TRY(sp_builder_finish_missing(builder));
	builder->spent = true;
	*model = builder->model;
	return SP_OK;
}
