/*
 * src/import/sp_onnx_maps.c
 *
 * Inputs that are dictionaries, and DictVectorizer, which makes rows of them
 * (onnxruntime/core/providers/cpu/ml/dictvectorizer.h).
 *
 * Its vocabulary says which keys there are, so they are the features; a key
 * that a dictionary lacks is 0.
 */
#include <inttypes.h>
#include <stdio.h>

#include "import/sp_onnx_internal.h"

/* digits of a 64-bit key, its sign and zero byte */
#define SP_ONNX_KEY_SIZE 24

/* The one node that reads the input. */
static SpStatus
sp_onnx_map_reader(SpOnnx *onnx, SpStr name, const char *shown, const SpOnnx__NodeProto **reader)
{
	const SpOnnx__GraphProto *graph = onnx->model->graph;

	*reader = NULL;
	for (size_t at = 0; at < graph->n_node; at++)
		for (size_t i = 0; i < graph->node[at]->n_input; i++)
		{
			if (!sp_str_eq(sp_onnx_str(graph->node[at]->input[i]), name))
				continue;
			if (*reader || !sp_str_is(sp_onnx_str(graph->node[at]->op_type), "DictVectorizer"))
				return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" is a dictionary and not only read by a DictVectorizer", shown);
			*reader = graph->node[at];
		}
	if (*reader == NULL)
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" is a dictionary that no DictVectorizer reads", shown);
	return SP_OK;
}

/* Its keys as text. */
static SpStatus
sp_onnx_vocabulary(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpStr **keys, size_t *count, int32_t *elem)
{
	const SpOnnx__AttributeProto *strings;
	const SpOnnx__AttributeProto *ints;
	char	   *text;

	SP_TRY(sp_onnx_attribute(onnx, node, "string_vocabulary", SP_ONNX_ATTR_STRINGS, &strings));
	SP_TRY(sp_onnx_attribute(onnx, node, "int64_vocabulary", SP_ONNX_ATTR_INTS, &ints));
	*count = (strings ? strings->n_strings : 0) + (ints ? ints->n_ints : 0);
	if (*count == 0 || (strings && ints && strings->n_strings > 0 && ints->n_ints > 0))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "there must be either a string_vocabulary or an int64_vocabulary");
	if (*count > onnx->cx->limits.max_features)
		return sp_over_limit(onnx->cx, "max_features", sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "%zu keys are more than the limit of %u features",
							*count, onnx->cx->limits.max_features));
	*elem = strings && strings->n_strings > 0 ? SP_ONNX_STRING : SP_ONNX_INT64;
	SP_TRY(sp_alloc_array(onnx->cx, *count, sizeof(SpStr), (void **) keys));
	SP_TRY(sp_alloc_array(onnx->cx, *count, SP_ONNX_KEY_SIZE, (void **) &text));
	for (size_t at = 0; at < *count; at++, text += SP_ONNX_KEY_SIZE)
	{
		(*keys)[at].data = text;
		if (*elem == SP_ONNX_STRING)
			(*keys)[at] = sp_onnx_str(strings->strings[at]);
		else
			(*keys)[at].size = (size_t) snprintf(text, SP_ONNX_KEY_SIZE, "%" PRId64, ints->ints[at]);
	}
	return SP_OK;
}

SpStatus
sp_onnx_map_input(SpOnnx *onnx, const SpOnnx__ValueInfoProto *info, SpOnnxValue *value, SpStr **names)
{
	const SpOnnx__MapTypeProto *map = info->type->map_type;
	const SpOnnx__TensorTypeProto *tensor = map->value_type ? map->value_type->tensor_type : NULL;
	const SpOnnx__NodeProto *reader;
	char		shown[SP_PRINTABLE_SIZE];
	size_t		count;
	int32_t		key_elem = 0;

	sp_printable(sp_onnx_str(info->name), shown);
	if (tensor == NULL || !sp_onnx_is_float(tensor->elem_type))
		return sp_fail(onnx->cx, SP_ERR_UNSUPPORTED, "ONNX input \"%s\" is a dictionary of something else than float or double", shown);
	SP_TRY(sp_onnx_map_reader(onnx, sp_onnx_str(info->name), shown, &reader));
	SP_TRY(sp_onnx_vocabulary(onnx, reader, names, &count, &key_elem));
	if (map->key_type != key_elem)
		return sp_onnx_fail(onnx, reader, SP_ERR_FORMAT, "the vocabulary does not have the type of the keys, %d", map->key_type);
	value->kind = SP_ONNX_MAP;
	value->elem = tensor->elem_type;
	value->rank = 2;
	value->dims[0] = 1;
	value->dims[1] = (int64_t) count;
	return SP_OK;
}

SpStatus
sp_onnx_dict_vectorizer(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	const SpOnnxValue *input;
	SpOnnxValue value;
	SpOnnxValue is_missing;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	if (input->kind != SP_ONNX_MAP)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not a dictionary is not supported");
	value = *input;
	value.kind = SP_ONNX_NUMBERS;
	SP_TRY(sp_onnx_apply(onnx, node, SP_APPLY_IS_NAN, 0, 0, value, &is_missing));
	SP_TRY(sp_onnx_choose(onnx, node, is_missing, sp_onnx_scalar(onnx, value.elem, 0), value, &value));
	return sp_onnx_define_output(onnx, node, 0, value);
}
