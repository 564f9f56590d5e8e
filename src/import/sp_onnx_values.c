/*
 * src/import/sp_onnx_values.c
 *
 * Names, attributes and tensors of an ONNX graph.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sp_bytes.h"
#include "import/sp_onnx_internal.h"

/* "" and "ai.onnx" are the same domain */
static bool
sp_onnx_same_domain(SpStr a, SpStr b)
{
	bool		a_default = a.size == 0 || sp_str_is(a, "ai.onnx");
	bool		b_default = b.size == 0 || sp_str_is(b, "ai.onnx");

	return (a_default && b_default) || sp_str_eq(a, b);
}

static int64_t
sp_onnx_opset(const SpOnnx *onnx, SpStr domain)
{
	size_t		i;

	for (i = 0; i < onnx->model->n_opset_import; i++)
	{
		if (sp_onnx_same_domain(sp_onnx_str(onnx->model->opset_import[i]->domain), domain))
			return onnx->model->opset_import[i]->version;
	}
	return 0;
}

/* What to do where PyTorch's layers become operators that are not supported as they stand. */
static const char *
sp_onnx_mend(SpStr op_type)
{
	static const struct
	{
		const char *op_type;
		const char *mend;
	}			known[] = {
		{"Conv", "Convolve over one axis: torch.nn.Conv1d on (rows, channels, time)."},
		{"LSTM", "In PyTorch: proj_size=0 and a Linear layer behind it, and states that start at zero."},
		{"Transpose", "The rows must stay the first axis: in PyTorch write attention as softmax(q @ k.transpose(1, 2)) @ v on "
					  "(rows, time, features) in place of MultiheadAttention, and set batch_first on recurrent layers."},
		{"Slice", "Shapes must be constants: in PyTorch write attention as softmax(q @ k.transpose(1, 2)) @ v on "
				  "(rows, time, features) in place of MultiheadAttention, or export with dynamo=True."},
	};

	for (size_t at = 0; at < sizeof(known) / sizeof(known[0]); at++)
	{
		if (sp_str_is(op_type, known[at].op_type))
			return known[at].mend;
	}
	return NULL;
}

SpStatus
sp_onnx_fail(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpStatus status, const char *fmt,...)
{
	const char *mend = status == SP_ERR_UNSUPPORTED ? sp_onnx_mend(sp_onnx_str(node->op_type)) : NULL;
	bool		is_named = node->name.len > 0 || node->n_output == 0;
	char		reason[200];
	char		shown[SP_PRINTABLE_SIZE];
	char		domain[SP_PRINTABLE_SIZE];
	SpStr		domain_text = sp_onnx_str(node->domain);
	va_list		args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	/* sp_onnx_define_tensor's, which is no node */
	if (node->op_type.len == 0)
		return sp_fail(onnx->cx, status, "ONNX tensor \"%s\": %s", sp_printable(sp_onnx_str(node->name), shown), reason);
	sp_fail(onnx->cx, status, "ONNX operator %s: %s", sp_printable(sp_onnx_str(node->op_type), shown), reason);
	sp_fail_detail(onnx->cx, "The operator is %s \"%s\", domain \"%s\", opset %lld.",
				   is_named ? "node" : "the unnamed node that gives",
				   sp_printable(sp_onnx_str(is_named ? node->name : node->output[0]), shown),
				   domain_text.size == 0 ? "ai.onnx" : sp_printable(domain_text, domain),
				   (long long) sp_onnx_opset(onnx, domain_text));
	return mend ? sp_fail_hint(onnx->cx, "%s", mend) : status;
}

const SpOnnxValue *
sp_onnx_find(const SpOnnx *onnx, SpStr name)
{
	size_t		i;

	for (i = 0; i < onnx->n_values; i++)
	{
		if (sp_str_eq(onnx->values[i].name, name))
			return &onnx->values[i];
	}
	return NULL;
}

SpStatus
sp_onnx_define(SpOnnx *onnx, SpOnnxValue value)
{
	char		shown[SP_PRINTABLE_SIZE];

	if (value.name.size == 0)
		return sp_fail(onnx->cx, SP_ERR_FORMAT, "a value of the ONNX graph has no name");
	if (sp_onnx_find(onnx, value.name) != NULL)
		return sp_fail(onnx->cx, SP_ERR_FORMAT, "the ONNX graph defines \"%s\" twice",
					   sp_printable(value.name, shown));
	SP_TRY(sp_grow_array(onnx->cx, (void **) &onnx->values, &onnx->values_capacity,
						 onnx->n_values + 1, sizeof(SpOnnxValue)));
	onnx->values[onnx->n_values++] = value;
	return SP_OK;
}

SpStatus
sp_onnx_define_output(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t output, SpOnnxValue value)
{
	if (output >= node->n_output || node->output[output].len == 0)
		return SP_OK;
	value.name = sp_onnx_str(node->output[output]);
	return sp_onnx_define(onnx, value);
}

SpStatus
sp_onnx_input(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, const SpOnnxValue **value)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpStr		name;

	if (input >= node->n_input)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "input %zu is missing", input);
	name = sp_onnx_str(node->input[input]);
	*value = sp_onnx_find(onnx, name);
	if (*value == NULL)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the input \"%s\" is not defined before it is used",
							sp_printable(name, shown));
	return SP_OK;
}

SpStatus
sp_onnx_input_numbers(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t *value)
{
	const SpOnnxValue *input;

	SP_TRY(sp_onnx_input(onnx, node, 0, &input));
	if (input->kind == SP_ONNX_CONSTANT)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a constant as input is not supported");
	if (input->kind == SP_ONNX_MAP || input->kind == SP_ONNX_SEQUENCE)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "a dictionary or sequence as input is not supported");
	if (input->kind == SP_ONNX_LABEL || input->elem == SP_ONNX_STRING)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "reading a classifier's output or strings is not supported");
	if (input->row_axis != 0 || input->dims[0] != 1)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "an input that is not a table is not supported");
	*value = input->value;
	return SP_OK;
}

SpStatus
sp_onnx_attribute(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, int32_t type,
				  const SpOnnx__AttributeProto **attribute)
{
	size_t		i;

	*attribute = NULL;
	for (i = 0; i < node->n_attribute; i++)
	{
		if (!sp_str_is(sp_onnx_str(node->attribute[i]->name), name))
			continue;
		if (node->attribute[i]->type != type)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "attribute %s has the type %d instead of %d",
								name, node->attribute[i]->type, type);
		*attribute = node->attribute[i];
		break;
	}
	return SP_OK;
}

SpStatus
sp_onnx_attribute_int(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name,
					  int64_t otherwise, int64_t *value)
{
	const SpOnnx__AttributeProto *attribute;

	SP_TRY(sp_onnx_attribute(onnx, node, name, SP_ONNX_ATTR_INT, &attribute));
	*value = attribute ? attribute->i : otherwise;
	return SP_OK;
}

SpStatus
sp_onnx_attribute_text(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name,
					   const char *otherwise, SpStr *text)
{
	const SpOnnx__AttributeProto *attribute;

	SP_TRY(sp_onnx_attribute(onnx, node, name, SP_ONNX_ATTR_STRING, &attribute));
	*text = attribute ? sp_onnx_str(attribute->s) : (SpStr) {otherwise, strlen(otherwise)};
	return SP_OK;
}

SpStatus
sp_onnx_attribute_numbers(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name,
						  const char *tensor_name, double **numbers, size_t *count)
{
	const SpOnnx__AttributeProto *floats;
	const SpOnnx__AttributeProto *tensor = NULL;
	void	   *memory;
	size_t		i;

	*numbers = NULL;
	*count = 0;
	SP_TRY(sp_onnx_attribute(onnx, node, name, SP_ONNX_ATTR_FLOATS, &floats));
	if (tensor_name)
		SP_TRY(sp_onnx_attribute(onnx, node, tensor_name, SP_ONNX_ATTR_TENSOR, &tensor));
	if (floats && tensor && floats->n_floats > 0)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "both %s and %s are given", name, tensor_name);
	if (tensor)
	{
		if (tensor->t == NULL)
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "attribute %s has no tensor", tensor_name);
		return sp_onnx_tensor_numbers(onnx, node, tensor->t, numbers, count);
	}
	if (floats == NULL)
		return SP_OK;
	if (floats->n_floats > onnx->cx->limits.max_elements)
		return sp_over_limit(onnx->cx, "max_elements",
								 sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "attribute %s has %zu elements, more than the limit of %llu",
							name, floats->n_floats, (unsigned long long) onnx->cx->limits.max_elements));
	SP_TRY(sp_alloc_array(onnx->cx, floats->n_floats, sizeof(double), &memory));
	*numbers = memory;
	*count = floats->n_floats;
	for (i = 0; i < *count; i++)
		(*numbers)[i] = floats->floats[i];
	return SP_OK;
}

/* Elements of a tensor that is in the file; 1 for a scalar. */
static SpStatus
sp_onnx_tensor_size(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnx__TensorProto *tensor,
					size_t *count)
{
	size_t		i;

	*count = 1;
	if (tensor->data_location != 0)
	{
		sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "tensors in other files are not supported");
		return sp_fail_hint(onnx->cx, "Save the model with all weights in one file: onnx.save(onnx.load(path), new_path).");
	}
	for (i = 0; i < tensor->n_dims; i++)
	{
		if (tensor->dims[i] < 0 || (uint64_t) tensor->dims[i] > SIZE_MAX ||
			!sp_mul_size(*count, (size_t) tensor->dims[i], count))
			return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a tensor has an impossible shape");
	}
	if (*count > onnx->cx->limits.max_elements)
		return sp_over_limit(onnx->cx, "max_elements",
								 sp_onnx_fail(onnx, node, SP_ERR_LIMIT, "a tensor has %zu elements, more than the limit of %llu",
							*count, (unsigned long long) onnx->cx->limits.max_elements));
	return SP_OK;
}

/* The little-endian bytes that most writers put a tensor into. */
static SpStatus
sp_onnx_raw_numbers(SpOnnx *onnx, const SpOnnx__TensorProto *tensor, double *numbers, size_t count)
{
	SpReader	reader;
	size_t		i;

	sp_reader_init(&reader, onnx->cx, tensor->raw_data.data, tensor->raw_data.len);
	for (i = 0; i < count; i++)
	{
		float		single;

		if (tensor->data_type == SP_ONNX_DOUBLE)
			SP_TRY(sp_read_f64_le(&reader, &numbers[i]));
		else
		{
			SP_TRY(sp_read_f32_le(&reader, &single));
			numbers[i] = single;
		}
	}
	return SP_OK;
}

SpStatus
sp_onnx_tensor_numbers(SpOnnx *onnx, const SpOnnx__NodeProto *node,
					   const SpOnnx__TensorProto *tensor, double **numbers, size_t *count)
{
	bool		is_double = tensor->data_type == SP_ONNX_DOUBLE;
	size_t		given;
	void	   *memory;
	size_t		i;

	if (sp_onnx_type(tensor->data_type) == SP_TYPE_I64)
	{
		SpOnnxList	list = {0};

		SP_TRY(sp_onnx_decode(onnx, node, tensor, &list));
		*numbers = list.numbers;
		*count = list.count;
		return SP_OK;
	}
	if (!is_double && tensor->data_type != SP_ONNX_FLOAT)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "tensors of the element type %d are not supported",
							tensor->data_type);
	SP_TRY(sp_onnx_tensor_size(onnx, node, tensor, count));
	if (tensor->raw_data.len > 0)
		given = tensor->raw_data.len % (is_double ? 8 : 4) == 0 ? tensor->raw_data.len / (is_double ? 8 : 4) : SIZE_MAX;
	else
		given = is_double ? tensor->n_double_data : tensor->n_float_data;
	if (given != *count)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a tensor's data does not have the size of its shape, %zu elements",
							*count);
	SP_TRY(sp_alloc_array(onnx->cx, *count, sizeof(double), &memory));
	*numbers = memory;
	if (tensor->raw_data.len > 0)
		return sp_onnx_raw_numbers(onnx, tensor, *numbers, *count);
	for (i = 0; i < *count; i++)
		(*numbers)[i] = is_double ? tensor->double_data[i] : tensor->float_data[i];
	return SP_OK;
}

static size_t
sp_onnx_raw_size(int32_t elem)
{
	switch (elem)
	{
		case SP_ONNX_DOUBLE:
		case SP_ONNX_INT64:
			return 8;
		case SP_ONNX_FLOAT:
		case SP_ONNX_INT32:
		case SP_ONNX_UINT32:
			return 4;
		case SP_ONNX_INT16:
		case SP_ONNX_UINT16:
			return 2;
		default:
			return 1;
	}
}

/* Integers: a field of their own up to 32 bits, or raw bytes. */
static SpStatus
sp_onnx_integers(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnx__TensorProto *tensor, double *numbers, size_t count)
{
	size_t		size = sp_onnx_raw_size(tensor->data_type);
	bool		is_raw = tensor->raw_data.len > 0;
	bool		is_signed = tensor->data_type == SP_ONNX_INT8 || tensor->data_type == SP_ONNX_INT16 ||
		tensor->data_type == SP_ONNX_INT32;
	size_t		given = is_raw ? tensor->raw_data.len / size :
		tensor->data_type == SP_ONNX_INT64 ? tensor->n_int64_data : tensor->n_int32_data;
	SpReader	reader;

	if (given != count || (is_raw && tensor->raw_data.len % size != 0))
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a tensor's data does not have the size of its shape, %zu elements", count);
	sp_reader_init(&reader, onnx->cx, tensor->raw_data.data, tensor->raw_data.len);
	for (size_t i = 0; i < count; i++)
	{
		uint64_t	bits = 0;
		int64_t		number;

		if (is_raw)
			SP_TRY(sp_read_le(&reader, (unsigned) size, &bits));
		else
			bits = (uint64_t) (tensor->data_type == SP_ONNX_INT64 ? tensor->int64_data[i] : tensor->int32_data[i]);
		if (is_raw && is_signed && bits >> (8 * size - 1))
			bits |= UINT64_MAX << (8 * size - 1);
		number = (int64_t) bits;
		/* bounds of slices may be any; other integers have to be exact */
		numbers[i] = (double) number;
	}
	return SP_OK;
}

SpStatus
sp_onnx_decode(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnx__TensorProto *tensor, SpOnnxList *list)
{
	void	   *memory;

	if (tensor->data_type == SP_ONNX_FLOAT || tensor->data_type == SP_ONNX_DOUBLE)
		return sp_onnx_tensor_numbers(onnx, node, tensor, &list->numbers, &list->count);
	if (sp_onnx_type(tensor->data_type) == 0)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "tensors of the element type %d are not supported", tensor->data_type);
	SP_TRY(sp_onnx_tensor_size(onnx, node, tensor, &list->count));
	SP_TRY(sp_onnx_memory(onnx, list->count, tensor->data_type == SP_ONNX_STRING ? sizeof(SpStr) : sizeof(double), &memory));
	if (tensor->data_type != SP_ONNX_STRING)
	{
		list->numbers = memory;
		return sp_onnx_integers(onnx, node, tensor, list->numbers, list->count);
	}
	list->texts = memory;
	if (tensor->n_string_data != list->count)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "a tensor's data does not have the size of its shape, %zu elements", list->count);
	for (size_t i = 0; i < list->count; i++)
		list->texts[i] = sp_onnx_str(tensor->string_data[i]);
	return SP_OK;
}

SpStatus
sp_onnx_check_opsets(SpOnnx *onnx)
{
	int64_t		first[2] = {0, 0};	/* of ai.onnx, of ai.onnx.ml */

	for (size_t i = 0; i < onnx->model->n_opset_import; i++)
	{
		const SpOnnx__OperatorSetIdProto *opset = onnx->model->opset_import[i];
		bool		is_ml = sp_str_is(sp_onnx_str(opset->domain), SP_ONNX_ML);

		if (!is_ml && !sp_onnx_same_domain(sp_onnx_str(opset->domain), SP_STR("")))
			continue;
		if (first[is_ml] != 0 && first[is_ml] != opset->version)
			return sp_fail(onnx->cx, SP_ERR_FORMAT, "the ONNX file gives the opsets %lld and %lld for the domain %s",
						   (long long) first[is_ml], (long long) opset->version, is_ml ? SP_ONNX_ML : "ai.onnx");
		first[is_ml] = opset->version;
	}
	return SP_OK;
}

int64_t
sp_onnx_opset_of(const SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	return sp_onnx_opset(onnx, sp_onnx_str(node->domain));
}

SpStatus
sp_onnx_cast(SpOnnx *onnx, uint32_t in, SpType type, uint32_t *out)
{
	*out = in;
	if (sp_builder_value(onnx->builder, in).type == type)
		return SP_OK;
	return sp_builder_cast(onnx->builder, in, type, out);
}
