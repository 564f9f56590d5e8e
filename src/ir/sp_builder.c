/*
 * src/ir/sp_builder.c
 *
 * Building a model: facts, inputs and all steps but trees
 * (sp_builder_trees.c); the final checks are in sp_builder_finish.c.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ir/sp_builder_internal.h"

SpStatus
sp_builder_new(SpContext *cx, SpBuilder **builder)
{
	void	   *memory;
	SpBuilder  *made;

	SP_TRY(sp_alloc_array(cx, 1, sizeof(SpBuilder), &memory));
	made = memory;
	SP_TRY(sp_alloc_array(cx, 1, sizeof(SpModel), &memory));
	made->cx = cx;
	made->model = memory;
	made->model->producer = "";
	made->model->objective = "";
	made->model->label_type = SP_TYPE_STRING;
	for (int output = 0; output < SP_N_OUTPUTS; output++)
		made->model->outputs[output] = SP_NO_VALUE;
	*builder = made;
	return SP_OK;
}

SpStatus
sp_builder_ready(SpBuilder *builder)
{
	if (builder->spent)
		return sp_fail(builder->cx, SP_ERR_INTERNAL, "model builder was used after its end");
	if (builder->draft.open)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "tree ensemble is not finished");
	return SP_OK;
}

/* Facts about the whole model */

SpStatus
sp_builder_task(SpBuilder *builder, SpTask task, bool accepts_infinite)
{
	SP_TRY(sp_builder_ready(builder));
	if (builder->has_task)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "task of the model is given twice");
	if ((task < SP_TASK_REGRESSION || task > SP_TASK_SCORE) &&
		(task < SP_TASK_OUTLIER || task > SP_TASK_TRANSFORM))
		return sp_fail(builder->cx, SP_ERR_FORMAT, "unknown task %d", (int) task);
	builder->has_task = true;
	builder->model->task = task;
	builder->model->accepts_infinite = accepts_infinite;
	return SP_OK;
}

SpStatus
sp_builder_text(SpBuilder *builder, SpStr text, const char *what, bool may_be_empty, const char **copy)
{
	char		shown[SP_PRINTABLE_SIZE];

	if (text.size == 0 && !may_be_empty)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "%s is empty", what);
	if (text.size > 0 && !sp_str_is_text(text))
		return sp_fail(builder->cx, SP_ERR_FORMAT, "%s \"%s\" is not well-formed text",
					   what, sp_printable(text, shown));
	return sp_copy_str(builder->cx, text, copy);
}

SpStatus
sp_builder_origin(SpBuilder *builder, SpStr producer, SpStr objective)
{
	SP_TRY(sp_builder_ready(builder));
	if (builder->has_origin)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "origin of the model is given twice");
	builder->has_origin = true;
	SP_TRY(sp_builder_text(builder, producer, "producer", true, &builder->model->producer));
	return sp_builder_text(builder, objective, "objective", true, &builder->model->objective);
}

bool
sp_is_integer_label(SpStr text)
{
	static const char lowest[] = "9223372036854775808";
	bool		negative = text.size > 0 && text.data[0] == '-';
	const char *digits = text.data + negative;
	size_t		count = text.size - negative;
	int			order;

	if (count == 0 || count > 19)
		return false;
	for (size_t at = 0; at < count; at++)
		if (digits[at] < '0' || digits[at] > '9')
			return false;
	if (digits[0] == '0')
		return count == 1 && !negative;
	if (count < 19)
		return true;
	order = memcmp(digits, lowest, 19);
	return order < 0 || (negative && order == 0);
}

SpStatus
sp_builder_labels(SpBuilder *builder, SpType label_type, const SpStr *labels, uint32_t n_labels)
{
	SpContext  *cx = builder->cx;
	void	   *copies;

	SP_TRY(sp_builder_ready(builder));
	if (builder->has_labels)
		return sp_fail(cx, SP_ERR_FORMAT, "labels of the model are given twice");
	if (label_type != SP_TYPE_STRING && label_type != SP_TYPE_I64)
		return sp_fail(cx, SP_ERR_FORMAT, "labels of type %d are not possible", (int) label_type);
	if (n_labels == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "list of labels is empty");
	if (n_labels > cx->limits.max_labels)
		return sp_fail_limit(cx, "max_labels", "model has %u labels, more than the limit of %u",
							 n_labels, cx->limits.max_labels);
	SP_TRY(sp_alloc_array(cx, n_labels, sizeof(char *), &copies));
	builder->has_labels = true;
	builder->model->label_type = label_type;
	builder->model->labels = copies;
	for (uint32_t label = 0; label < n_labels; label++)
	{
		char		shown[SP_PRINTABLE_SIZE];

		SP_TRY(sp_builder_text(builder, labels[label], "label", false, &builder->model->labels[label]));
		if (label_type == SP_TYPE_I64 && !sp_is_integer_label(labels[label]))
			return sp_fail(cx, SP_ERR_FORMAT, "label \"%s\" is not an integer",
						   sp_printable(labels[label], shown));
	}
	builder->model->n_labels = n_labels;
	return SP_OK;
}

/* Values */

static SpStatus
add_value(SpBuilder *builder, SpType type, uint32_t width, uint32_t *value)
{
	SpModel    *model = builder->model;

	if (width == 0)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "value without columns");
	if (width > SP_ROW_CAP - builder->row_elements)
		return sp_fail(builder->cx, SP_ERR_LIMIT,
					   "one row of the model needs more than %d numbers", SP_ROW_CAP);
	SP_TRY(sp_grow_array(builder->cx, (void **) &model->values, &builder->values_capacity,
						 (size_t) model->n_values + 1, sizeof(SpValue)));
	builder->row_elements += width;
	model->values[model->n_values] = (SpValue) {type, width};
	*value = model->n_values++;
	return SP_OK;
}

static SpStatus
add_feature(SpBuilder *builder, SpFeature feature, const SpStr *name)
{
	SpModel    *model = builder->model;
	char		generated[16];
	SpStr		text;

	if (name)
		text = *name;
	else
	{
		text.size = (size_t) snprintf(generated, sizeof(generated), "f%u", model->n_features);
		text.data = generated;
	}
	SP_TRY(sp_builder_text(builder, text, "feature name", false, &feature.name));
	model->features[model->n_features++] = feature;
	return SP_OK;
}

SpStatus
sp_builder_input(SpBuilder *builder, SpType type, uint32_t width, const SpStr *names,
				 uint32_t *value)
{
	SpContext  *cx = builder->cx;
	SpModel    *model = builder->model;
	uint64_t	n_features = (uint64_t) model->n_features + width;
	uint32_t	cap = cx->limits.max_features < SP_FEATURES_CAP ? cx->limits.max_features : SP_FEATURES_CAP;

	SP_TRY(sp_builder_ready(builder));
	if (model->n_steps > 0)
		return sp_fail(cx, SP_ERR_FORMAT, "input comes after the first step");
	if (type < SP_TYPE_F32 || type > SP_TYPE_STRING)
		return sp_fail(cx, SP_ERR_FORMAT, "inputs of type %d are not possible", (int) type);
	if (n_features > cap)
		return sp_fail_limit(cx, "max_features", "model has %llu features, more than the limit of %u",
							 (unsigned long long) n_features, cap);
	SP_TRY(add_value(builder, type, width, value));
	SP_TRY(sp_grow_array(cx, (void **) &model->features, &builder->features_capacity,
						 n_features, sizeof(SpFeature)));
	model->n_inputs++;
	for (uint32_t column = 0; column < width; column++)
		SP_TRY(add_feature(builder, (SpFeature) {.type = type, .input = *value, .column = column},
						   names ? &names[column] : NULL));
	return SP_OK;
}

SpValue
sp_builder_value(const SpBuilder *builder, uint32_t value)
{
	if (value >= builder->model->n_values)
		return (SpValue) {0, 0};
	return builder->model->values[value];
}

/* Steps */

SpStatus
sp_builder_floats(SpBuilder *builder, uint32_t in, SpValue *value)
{
	SP_TRY(sp_builder_ready(builder));
	*value = sp_builder_value(builder, in);
	if (value->width == 0)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "step reads value %u, which does not exist", in);
	if (value->type != SP_TYPE_F32 && value->type != SP_TYPE_F64)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "step cannot read value %u of type %s", in,
					   sp_type_name(value->type));
	return SP_OK;
}

SpStatus
sp_builder_add(SpBuilder *builder, SpStep *step, SpType type, uint32_t width, uint32_t *value)
{
	SpModel    *model = builder->model;

	if (model->n_steps >= SP_STEPS_CAP)
		return sp_fail(builder->cx, SP_ERR_LIMIT, "model has more than %d steps", SP_STEPS_CAP);
	SP_TRY(sp_grow_array(builder->cx, (void **) &model->steps, &builder->steps_capacity,
						 (size_t) model->n_steps + 1, sizeof(SpStep)));
	SP_TRY(add_value(builder, type, width, value));
	step->out = *value;
	model->steps[model->n_steps++] = *step;
	return SP_OK;
}

bool
sp_is_finite_as(double number, SpType type)
{
	return type == SP_TYPE_F32 ? isfinite((float) number) : isfinite(number);
}

SpStatus
sp_builder_numbers(SpBuilder *builder, const double *numbers, size_t count, SpType type,
				   const char *what, double **copy)
{
	void	   *memory;

	if (count > builder->cx->limits.max_elements)
		return sp_fail_limit(builder->cx, "max_elements", "%s has %zu elements, more than the limit of %llu",
							 what, count, (unsigned long long) builder->cx->limits.max_elements);
	SP_TRY(sp_alloc_array(builder->cx, count, sizeof(double), &memory));
	*copy = memory;
	if (numbers == NULL)
		return SP_OK;
	for (size_t at = 0; at < count; at++)
	{
		if (!sp_is_finite_as(numbers[at], type))
			return sp_fail(builder->cx, SP_ERR_FORMAT, "number %zu of %s is not finite", at, what);
		(*copy)[at] = numbers[at];
	}
	return SP_OK;
}

SpStatus
sp_builder_linear(SpBuilder *builder, uint32_t in, uint32_t n_out, const double *weights,
				  const double *bias, uint32_t *value)
{
	SpStep		step = {.op = SP_OP_LINEAR, .in = in};
	SpLinear   *linear = &step.u.linear;
	SpValue		input;
	size_t		count;

	SP_TRY(sp_builder_floats(builder, in, &input));
	if (!sp_mul_size(n_out, input.width, &count))
		return sp_fail(builder->cx, SP_ERR_LIMIT, "weight matrix is too large");
	linear->n_out = n_out;
	SP_TRY(sp_builder_numbers(builder, weights, count, input.type, "weight matrix", &linear->weights));
	SP_TRY(sp_builder_numbers(builder, bias, n_out, input.type, "bias", &linear->bias));
	SP_TRY(sp_builder_add(builder, &step, input.type, n_out, value));
	builder->model->n_parameters += count + n_out;
	return SP_OK;
}

SpStatus
sp_builder_scale(SpBuilder *builder, uint32_t in, const double *offset, const double *scale,
				 uint32_t *value)
{
	SpStep		step = {.op = SP_OP_SCALE, .in = in};
	SpScale    *made = &step.u.scale;
	SpValue		input;

	SP_TRY(sp_builder_floats(builder, in, &input));
	SP_TRY(sp_builder_numbers(builder, offset, input.width, input.type, "scaler offset", &made->offset));
	SP_TRY(sp_builder_numbers(builder, scale, input.width, input.type, "scaler factor", &made->scale));
	SP_TRY(sp_builder_add(builder, &step, input.type, input.width, value));
	builder->model->n_parameters += 2 * (uint64_t) input.width;
	return SP_OK;
}

SpStatus
sp_builder_normalize(SpBuilder *builder, uint32_t in, SpNorm norm, uint32_t *value)
{
	SpStep		step = {.op = SP_OP_NORMALIZE, .in = in, .u.norm = norm};
	SpValue		input;

	SP_TRY(sp_builder_floats(builder, in, &input));
	if (norm < SP_NORM_MAX || norm > SP_NORM_L2)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "unknown norm %d", (int) norm);
	return sp_builder_add(builder, &step, input.type, input.width, value);
}

SpStatus
sp_builder_cast(SpBuilder *builder, uint32_t in, SpType type, uint32_t *value)
{
	SpStep		step = {.op = SP_OP_CAST, .in = in};
	SpValue		input;

	SP_TRY(sp_builder_ready(builder));
	input = sp_builder_value(builder, in);
	if (input.width == 0)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "step reads value %u, which does not exist", in);
	if (input.type == SP_TYPE_STRING ||
		(type != SP_TYPE_F32 && type != SP_TYPE_F64 && type != SP_TYPE_I64))
		return sp_fail(builder->cx, SP_ERR_FORMAT, "cast to type %d is not possible", (int) type);
	return sp_builder_add(builder, &step, type, input.width, value);
}

SpStatus
sp_builder_map(SpBuilder *builder, uint32_t in, SpMap map, uint32_t *value)
{
	SpStep		step = {.op = SP_OP_MAP, .in = in, .u.map = map};
	SpValue		input;

	SP_TRY(sp_builder_floats(builder, in, &input));
	if ((map < SP_MAP_SIGMOID || map > SP_MAP_NEGATE) &&
		(map < SP_MAP_SIGNED_SQUARE || map > SP_MAP_NAN_ZERO))
		return sp_fail(builder->cx, SP_ERR_FORMAT, "unknown elementwise function %d", (int) map);
	return sp_builder_add(builder, &step, input.type, input.width, value);
}

SpStatus
sp_builder_softmax(SpBuilder *builder, uint32_t in, SpSoftmax kind, uint32_t *value)
{
	SpStep		step = {.op = SP_OP_SOFTMAX, .in = in, .u.softmax = kind};
	SpValue		input;

	SP_TRY(sp_builder_floats(builder, in, &input));
	if (kind != SP_SOFTMAX_ALL && kind != SP_SOFTMAX_NONZERO)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "unknown kind %d of softmax", (int) kind);
	return sp_builder_add(builder, &step, input.type, input.width, value);
}

SpStatus
sp_builder_complement(SpBuilder *builder, uint32_t in, uint32_t *value)
{
	SpStep		step = {.op = SP_OP_COMPLEMENT, .in = in};
	SpValue		input;

	SP_TRY(sp_builder_floats(builder, in, &input));
	if (input.width != 1)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "complement reads %u columns instead of one",
					   input.width);
	return sp_builder_add(builder, &step, input.type, 2, value);
}

SpStatus
sp_builder_argmax(SpBuilder *builder, uint32_t in, uint32_t *value)
{
	SpStep		step = {.op = SP_OP_ARGMAX, .in = in};
	SpValue		input;

	SP_TRY(sp_builder_floats(builder, in, &input));
	return sp_builder_add(builder, &step, SP_TYPE_I64, 1, value);
}

SpStatus
sp_builder_above(SpBuilder *builder, uint32_t in, double bound, uint32_t *value)
{
	SpStep		step = {.op = SP_OP_ABOVE, .in = in, .u.above = bound};
	SpValue		input;

	SP_TRY(sp_builder_floats(builder, in, &input));
	if (input.width != 1)
		return sp_fail(builder->cx, SP_ERR_FORMAT, "bound is compared with %u columns instead of one",
					   input.width);
	if (!sp_is_finite_as(bound, input.type))
		return sp_fail(builder->cx, SP_ERR_FORMAT, "bound of a binary label is not finite");
	return sp_builder_add(builder, &step, SP_TYPE_I64, 1, value);
}

SpStatus
sp_builder_output(SpBuilder *builder, SpOutput output, uint32_t value)
{
	SpModel    *model = builder->model;
	SpContext  *cx = builder->cx;
	SpValue		made;
	bool		is_float;

	SP_TRY(sp_builder_ready(builder));
	if ((int) output < SP_OUTPUT_VALUE || output > SP_OUTPUT_RAW)
		return sp_fail(cx, SP_ERR_FORMAT, "unknown output %d", (int) output);
	if (model->outputs[output] != SP_NO_VALUE)
		return sp_fail(cx, SP_ERR_FORMAT, "output %s is given twice", sp_output_name(output));
	made = sp_builder_value(builder, value);
	if (made.width == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "output %s is value %u, which does not exist",
					   sp_output_name(output), value);
	is_float = made.type == SP_TYPE_F32 || made.type == SP_TYPE_F64;
	if (is_float == (output == SP_OUTPUT_LABEL))
		return sp_fail(cx, SP_ERR_FORMAT, "output %s cannot be of type %s",
					   sp_output_name(output), sp_type_name(made.type));
	if (made.type == SP_TYPE_STRING || (output == SP_OUTPUT_LABEL && made.width != 1))
		return sp_fail(cx, SP_ERR_FORMAT, "output %s has %u columns instead of one",
					   sp_output_name(output), made.width);
	model->outputs[output] = value;
	return SP_OK;
}
