/*
 * src/import/sp_onnx_encode.c
 *
 * Categories and the preparation of features, of ai.onnx.ml
 * (onnxruntime/core/providers/cpu/ml: label_encoder.cc, onehotencoder.cc,
 * category_mapper.cc, imputer.cc, binarizer.cc, feature_vectorizer.cc).
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_internal.h"

/* An attribute of numbers or strings under one of three names; count 0 if there is none. */
static SpStatus
sp_onnx_attribute_list(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *ints, const char *floats,
					   const char *strings, SpOnnxList *list, int32_t *elem)
{
	const SpOnnx__AttributeProto *found;
	void	   *memory;

	memset(list, 0, sizeof(*list));
	SP_TRY(sp_onnx_attribute(onnx, node, strings, SP_ONNX_ATTR_STRINGS, &found));
	if (found && found->n_strings > 0)
	{
		SP_TRY(sp_onnx_memory(onnx, found->n_strings, sizeof(SpStr), &memory));
		list->texts = memory;
		list->count = found->n_strings;
		*elem = SP_ONNX_STRING;
		for (size_t at = 0; at < list->count; at++)
			list->texts[at] = sp_onnx_str(found->strings[at]);
		return SP_OK;
	}
	SP_TRY(sp_onnx_attribute(onnx, node, ints, SP_ONNX_ATTR_INTS, &found));
	if (found && found->n_ints > 0)
	{
		SP_TRY(sp_onnx_memory(onnx, found->n_ints, sizeof(double), &memory));
		list->numbers = memory;
		list->count = found->n_ints;
		*elem = SP_ONNX_INT64;
		for (size_t at = 0; at < list->count; at++)
			list->numbers[at] = (double) found->ints[at];
		return SP_OK;
	}
	if (floats == NULL)
		return SP_OK;
	*elem = SP_ONNX_FLOAT;
	return sp_onnx_attribute_numbers(onnx, node, floats, NULL, &list->numbers, &list->count);
}

/* Sort keys with their places by bottom-up merging; equal keys stay in order. */
static SpStatus
sp_onnx_sort_keys(SpOnnx *onnx, double *keys, uint32_t *places, size_t count)
{
	double	   *more_keys;
	uint32_t   *more;

	SP_TRY(sp_onnx_memory(onnx, count, sizeof(double), (void **) &more_keys));
	SP_TRY(sp_onnx_memory(onnx, count, sizeof(uint32_t), (void **) &more));
	for (size_t run = 1; run < count; run *= 2)
	{
		for (size_t begin = 0; begin < count; begin += 2 * run)
		{
			size_t		middle = begin + run < count ? begin + run : count;
			size_t		end = begin + 2 * run < count ? begin + 2 * run : count;
			size_t		left = begin;
			size_t		right = middle;

			for (size_t at = begin; at < end; at++)
			{
				size_t		from = left < middle && (right == end || keys[left] <= keys[right]) ? left++ : right++;

				more_keys[at] = keys[from];
				more[at] = places[from];
			}
		}
		memcpy(keys, more_keys, count * sizeof(double));
		memcpy(places, more, count * sizeof(uint32_t));
	}
	sp_free(onnx->cx, more_keys);
	sp_free(onnx->cx, more);
	return SP_OK;
}

/* The place of a value in a list of keys: the first of equal ones, otherwise for none. */
SpStatus
sp_onnx_place(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, const SpOnnxList *keys,
			  uint32_t n_results, uint32_t otherwise, SpOnnxValue *result)
{
	const SpOnnxValue *input = &value;
	SpGeneral	spec = {.dims = {n_results, otherwise, SP_NO_INDEX}};
	size_t		count = 0;

	SP_TRY(sp_onnx_memory(onnx, keys->count, sizeof(double), (void **) &spec.numbers));
	SP_TRY(sp_onnx_memory(onnx, keys->count, sizeof(uint32_t), (void **) &spec.indices));
	for (size_t at = 0; at < keys->count; at++)
	{
		int64_t		category;

		if (keys->texts)
		{
			SP_TRY(sp_builder_category(onnx->builder, keys->texts[at], &category));
			spec.numbers[count] = (double) category;
		}
		else if (isnan(keys->numbers[at]))
		{
			spec.dims[2] = spec.dims[2] == SP_NO_INDEX ? (uint32_t) at : spec.dims[2];
			continue;
		}
		else
			spec.numbers[count] = keys->numbers[at] + 0.0;
		spec.indices[count++] = (uint32_t) at;
	}
	SP_TRY(sp_onnx_sort_keys(onnx, spec.numbers, spec.indices, count));
	for (size_t at = 0; at < count; at++)
	{
		if (spec.n_numbers > 0 && spec.numbers[at] == spec.numbers[spec.n_numbers - 1])
			continue;
		spec.numbers[spec.n_numbers] = spec.numbers[at];
		spec.indices[spec.n_numbers++] = spec.indices[at];
	}
	spec.n_indices = spec.n_numbers;
	SP_TRY(sp_onnx_step(onnx, node, SP_OP_ENCODE, spec, &input, 1, result));
	result->elem = SP_ONNX_INT64;
	result->n_results = sp_onnx_width(result) == 1 ? n_results : 0;
	result->below = n_results;
	return SP_OK;
}

/* keys[i] becomes values[i], anything else the last of values. */
static SpStatus
sp_onnx_translate(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, const SpOnnxList *keys,
				  const SpOnnxList *values, int32_t elem)
{
	SpOnnxValue table = {.kind = SP_ONNX_CONSTANT, .elem = elem, .rank = 1, .row_axis = -1, .list = *values};
	SpOnnxValue place;

	if (keys->count + 1 != values->count || keys->count == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu keys, but %zu values", keys->count, values->count - 1);
	if ((keys->texts != NULL) != (value.elem == SP_ONNX_STRING))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "keys are not of the input's type");
	table.dims[0] = (int64_t) values->count;
	SP_TRY(sp_onnx_place(onnx, node, value, keys, (uint32_t) values->count, (uint32_t) keys->count, &place));
	SP_TRY(sp_onnx_lookup(onnx, node, table, 0, place, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

/* Values with the default behind them. */
static SpStatus
sp_onnx_with_default(SpOnnx *onnx, SpOnnxList *list, double number, SpStr text)
{
	void	   *memory;
	size_t		size = list->texts ? sizeof(SpStr) : sizeof(double);

	SP_TRY(sp_onnx_memory(onnx, list->count + 1, size, &memory));
	if (list->count > 0)
		memcpy(memory, list->texts ? (void *) list->texts : (void *) list->numbers, list->count * size);
	if (list->texts)
	{
		list->texts = memory;
		list->texts[list->count] = text;
	}
	else
	{
		list->numbers = memory;
		list->numbers[list->count] = number;
	}
	list->count++;
	return SP_OK;
}

/* A list from a tensor attribute, as opset 4 of ai.onnx.ml has it. */
static SpStatus
sp_onnx_tensor_list(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, SpOnnxList *list, int32_t *elem)
{
	const SpOnnx__AttributeProto *found;

	SP_TRY(sp_onnx_attribute(onnx, node, name, SP_ONNX_ATTR_TENSOR, &found));
	if (found == NULL || found->t == NULL || list->count > 0)
		return SP_OK;
	*elem = found->t->data_type;
	return sp_onnx_decode(onnx, node, found->t, list);
}

SpStatus
sp_onnx_label_encoder(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxList	keys;
	SpOnnxList	values;
	SpOnnxList	other = {0};
	int32_t		elem = 0;
	int32_t		key_elem;
	SpStr		text;
	int64_t		integer;
	double		number;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_list(onnx, node, "keys_int64s", "keys_floats", "keys_strings", &keys, &key_elem));
	SP_TRY(sp_onnx_attribute_list(onnx, node, "values_int64s", "values_floats", "values_strings", &values, &elem));
	SP_TRY(sp_onnx_tensor_list(onnx, node, "keys_tensor", &keys, &key_elem));
	SP_TRY(sp_onnx_tensor_list(onnx, node, "values_tensor", &values, &elem));
	SP_TRY(sp_onnx_attribute_text(onnx, node, "default_string", "_Unused", &text));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "default_int64", -1, &integer));
	SP_TRY(sp_onnx_float(onnx, node, "default_float", -0.0, &number));
	SP_TRY(sp_onnx_tensor_list(onnx, node, "default_tensor", &other, &key_elem));
	if (!sp_onnx_is_float(elem))
		number = (double) integer;
	if (other.count == 1 && other.numbers)
		number = other.numbers[0];
	if (other.count == 1 && other.texts)
		text = other.texts[0];
	SP_TRY(sp_onnx_with_default(onnx, &values, number, text));
	return sp_onnx_translate(onnx, node, value, &keys, &values, elem);
}

SpStatus
sp_onnx_category_mapper(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxList	strings;
	SpOnnxList	ints;
	int32_t		elem;
	SpStr		text;
	int64_t		integer;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_list(onnx, node, "none", NULL, "cats_strings", &strings, &elem));
	SP_TRY(sp_onnx_attribute_list(onnx, node, "cats_int64s", NULL, "none", &ints, &elem));
	SP_TRY(sp_onnx_attribute_text(onnx, node, "default_string", "_Unused", &text));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "default_int64", -1, &integer));
	if (value.elem == SP_ONNX_STRING)
	{
		SP_TRY(sp_onnx_with_default(onnx, &ints, (double) integer, text));
		return sp_onnx_translate(onnx, node, value, &strings, &ints, SP_ONNX_INT64);
	}
	SP_TRY(sp_onnx_with_default(onnx, &strings, 0, text));
	return sp_onnx_translate(onnx, node, value, &ints, &strings, SP_ONNX_STRING);
}

/* A category that is not listed has zeros everywhere, whatever "zeros" says. */
SpStatus
sp_onnx_one_hot(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue keys = {.kind = SP_ONNX_CONSTANT, .rank = 1, .row_axis = -1};

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_list(onnx, node, "cats_int64s", NULL, "cats_strings", &keys.list, &keys.elem));
	if (keys.list.count == 0 || (keys.list.texts != NULL) != (value.elem == SP_ONNX_STRING))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "categories are not of the input's type");
	if (value.elem != SP_ONNX_STRING)
		SP_TRY(sp_onnx_convert(onnx, node, value, SP_ONNX_INT64, &value));
	if (value.rank >= SP_ONNX_MAX_RANK)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "tensors of so many axes are not supported");
	keys.dims[0] = (int64_t) keys.list.count;
	value.dims[value.rank++] = 1;
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_EQ, value, keys, &value));
	SP_TRY(sp_onnx_convert(onnx, node, value, SP_ONNX_FLOAT, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_imputer(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	SpOnnxValue filled = {.kind = SP_ONNX_CONSTANT, .rank = 1, .row_axis = -1};
	SpOnnxValue is_missing;
	int64_t		integer;
	double		number;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_attribute_list(onnx, node, "imputed_value_int64s", "imputed_value_floats", "none", &filled.list, &filled.elem));
	SP_TRY(sp_onnx_float(onnx, node, "replaced_value_float", 0, &number));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "replaced_value_int64", 0, &integer));
	filled.dims[0] = (int64_t) filled.list.count;
	/* The attribute of floats serves float64 rows too, as that of int64 does int32 rows. */
	if (filled.list.count != 0 && filled.list.texts == NULL && sp_onnx_is_float(filled.elem) == sp_onnx_is_float(value.elem))
		SP_TRY(sp_onnx_convert(onnx, node, filled, value.elem, &filled));
	if (filled.list.count == 0 || value.rank == 0 || filled.elem != value.elem ||
		(filled.list.count != 1 && (int64_t) filled.list.count != value.dims[value.rank - 1]))
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%zu values for the input are not supported", filled.list.count);
	if (sp_onnx_is_float(value.elem) && isnan(number))
		SP_TRY(sp_onnx_apply(onnx, node, SP_APPLY_IS_NAN, 0, 0, value, &is_missing));
	else
		SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_EQ, value,
							  sp_onnx_scalar(onnx, value.elem, sp_onnx_is_float(value.elem) ? number : (double) integer), &is_missing));
	SP_TRY(sp_onnx_choose(onnx, node, is_missing, filled, value, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_binarizer(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxValue value;
	int32_t		elem;
	double		threshold;

	SP_TRY(sp_onnx_tensor(onnx, node, 0, &value));
	SP_TRY(sp_onnx_float(onnx, node, "threshold", 0, &threshold));
	elem = value.elem;
	SP_TRY(sp_onnx_binary(onnx, node, SP_BINARY_GT, value, sp_onnx_scalar(onnx, elem, threshold), &value));
	SP_TRY(sp_onnx_convert(onnx, node, value, elem, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}

SpStatus
sp_onnx_vectorizer(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpGeneral	spec = {.n_inputs = (uint32_t) node->n_input, .dims = {1}};
	SpOnnxValue made = SP_ONNX_NONE;

	if (node->n_input == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there are no inputs");
	SP_TRY(sp_onnx_memory(onnx, node->n_input, sizeof(uint32_t), (void **) &spec.inputs));
	for (size_t at = 0; at < node->n_input; at++)
	{
		SP_TRY(sp_onnx_operand(onnx, node, at, &made));
		if (made.row_axis != 0)
			return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input without rows is not supported");
		SP_TRY(sp_onnx_convert(onnx, node, made, SP_ONNX_FLOAT, &made));
		spec.inputs[at] = made.value;
	}
	SP_TRY(sp_builder_general(onnx->builder, SP_OP_CONCAT, &spec, &made.value));
	return sp_onnx_define_output(onnx, node, 0, sp_onnx_row(onnx, made.value, SP_ONNX_FLOAT));
}
