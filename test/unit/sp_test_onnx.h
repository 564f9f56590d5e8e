/*
 * test/unit/sp_test_onnx.h
 *
 * Writing small ONNX files, field by field.
 */
#ifndef SP_TEST_ONNX_H
#define SP_TEST_ONNX_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A message under construction, small enough for the stack. */
typedef struct Message
{
	uint8_t		bytes[16384];
	size_t		size;
} Message;

__attribute__((unused)) static void
put_varint(Message *message, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		message->bytes[message->size++] = (uint8_t) (value | 0x80);
	message->bytes[message->size++] = (uint8_t) value;
}

__attribute__((unused)) static void
put_int(Message *message, int field, int64_t value)
{
	put_varint(message, (uint64_t) field << 3);
	put_varint(message, (uint64_t) value);
}

__attribute__((unused)) static void
put_bytes(Message *message, int field, const void *bytes, size_t size)
{
	put_varint(message, (uint64_t) field << 3 | 2);
	put_varint(message, size);
	memcpy(message->bytes + message->size, bytes, size);
	message->size += size;
}

__attribute__((unused)) static void
put_text(Message *message, int field, const char *text)
{
	put_bytes(message, field, text, strlen(text));
}

__attribute__((unused)) static void
put_message(Message *message, int field, const Message *inner)
{
	put_bytes(message, field, inner->bytes, inner->size);
}

__attribute__((unused)) static void
put_float(Message *message, int field, float value)
{
	put_varint(message, (uint64_t) field << 3 | 5);
	memcpy(message->bytes + message->size, &value, 4);
	message->size += 4;
}

/*
 * One attribute, as text: "i:3", "s:NONE", "ints:1,2", "floats:0.5,1",
 * "strings:A,B"; tensors: "doubles:0.5", "singles:0.5,nan", "bytes:1,2".
 */
__attribute__((unused)) static void
put_attribute(Message *node, const char *name, const char *value)
{
	static const struct
	{
		const char *prefix;
		int			field;
		int			type;		/* of the attribute */
		int			element;	/* of a tensor */
		size_t		size;
	}			kinds[] = {
		{"i:", 3, 2, 0, 0}, {"f:", 2, 1, 0, 0}, {"s:", 4, 3, 0, 0}, {"ints:", 8, 7, 0, 0}, {"floats:", 7, 6, 0, 0},
		{"strings:", 9, 8, 0, 0}, {"doubles:", 5, 4, 11, 8}, {"singles:", 5, 4, 1, 4}, {"bytes:", 5, 4, 2, 1}
	};
	Message		attribute = {.size = 0};
	Message		tensor = {.size = 0};
	int			kind = 0;
	const char *item;

	while (strncmp(value, kinds[kind].prefix, strlen(kinds[kind].prefix)) != 0)
		kind++;
	put_text(&attribute, 1, name);
	item = value + strlen(kinds[kind].prefix);
	while (*item != '\0' || kinds[kind].type == 3)
	{
		size_t		length = kinds[kind].type == 3 ? strlen(item) : strcspn(item, ",");
		double		number = strncmp(item, "nan", 3) == 0 ? 0.0 / 0.0 : atof(item);
		float		single = (float) number;
		uint8_t		byte = (uint8_t) atoi(item);
		const void *elements[] = {&number, &single, &byte};

		if (kinds[kind].type == 7 || kinds[kind].type == 2)
			put_int(&attribute, kinds[kind].field, atoll(item));
		else if (kinds[kind].type == 6 || kinds[kind].type == 1)
			put_float(&attribute, kinds[kind].field, single);
		else if (kinds[kind].type == 4)
		{
			memcpy(tensor.bytes + tensor.size, elements[kind - 6], kinds[kind].size);
			tensor.size += kinds[kind].size;
		}
		else
			put_bytes(&attribute, kinds[kind].field, item, length);
		item += length;
		if (*item != ',')
			break;
		item++;
	}
	if (kinds[kind].type == 4)
	{
		Message		data = {.size = 0};

		put_int(&data, 1, (int64_t) (tensor.size / kinds[kind].size));
		put_int(&data, 2, kinds[kind].element);
		put_bytes(&data, 9, tensor.bytes, tensor.size);
		put_message(&attribute, 5, &data);
	}
	put_int(&attribute, 20, kinds[kind].type);
	put_message(node, 5, &attribute);
}

/* Attributes come in pairs of name and value, ended by NULL; a body is one more, a graph. */
__attribute__((unused)) static void
put_node_with_body(Message *graph, const char *domain, const char *operator, const char *inputs,
				   const char *outputs, const char *const *attributes, const Message *body)
{
	Message		node = {.size = 0};
	const char *lists[2];
	int			which;

	lists[0] = inputs;
	lists[1] = outputs;
	for (which = 0; which < 2; which++)
	{
		const char *item = lists[which];

		while (*item != '\0')
		{
			size_t		length = strcspn(item, ",");

			put_bytes(&node, which + 1, item, length);
			item += length + (item[length] == ',');
		}
	}
	put_text(&node, 3, "the node");
	put_text(&node, 4, operator);
	for (; attributes && attributes[0] != NULL; attributes += 2)
	{
		if (attributes[1] != NULL)
			put_attribute(&node, attributes[0], attributes[1]);
	}
	if (body)
	{
		Message		attribute = {.size = 0};

		put_text(&attribute, 1, "body");
		put_message(&attribute, 6, body);
		put_int(&attribute, 20, 5);
		put_message(&node, 5, &attribute);
	}
	put_text(&node, 7, domain);
	put_message(graph, 1, &node);
}

__attribute__((unused)) static void
put_node(Message *graph, const char *domain, const char *operator, const char *inputs,
		 const char *outputs, const char *const *attributes)
{
	put_node_with_body(graph, domain, operator, inputs, outputs, attributes, NULL);
}

/* An input [None, width] (or an output without shape, with width 0). */
__attribute__((unused)) static void
put_value(Message *graph, int field, const char *name, int type, int64_t width)
{
	Message		dims[2] = {{.size = 0}, {.size = 0}};
	Message		shape = {.size = 0};
	Message		tensor = {.size = 0};
	Message		wrapped = {.size = 0};
	Message		value = {.size = 0};

	put_text(&value, 1, name);
	put_int(&tensor, 1, type);
	if (width != 0)
	{
		put_text(&dims[0], 2, "N");
		put_int(&dims[1], 1, width);
		put_message(&shape, 1, &dims[0]);
		put_message(&shape, 1, &dims[1]);
		put_message(&tensor, 2, &shape);
	}
	put_message(&wrapped, 1, &tensor);
	put_message(&value, 2, &wrapped);
	put_message(graph, field, &value);
}

/* A constant of a type of ONNX; bytes holds its elements as raw_data. */
__attribute__((unused)) static void
put_tensor(Message *graph, const char *name, int type, int rank, const int64_t *dims, const void *bytes, size_t size)
{
	Message		tensor = {.size = 0};

	for (int at = 0; at < rank; at++)
		put_int(&tensor, 1, dims[at]);
	put_int(&tensor, 2, type);
	put_text(&tensor, 8, name);
	put_bytes(&tensor, 9, bytes, size);
	put_message(graph, 5, &tensor);
}

__attribute__((unused)) static void
put_constant(Message *graph, const char *name, int count, const float *numbers)
{
	Message		tensor = {.size = 0};

	put_int(&tensor, 1, count);
	put_int(&tensor, 2, 1);
	put_text(&tensor, 8, name);
	put_bytes(&tensor, 4, numbers, (size_t) count * 4);
	put_message(graph, 5, &tensor);
}

__attribute__((unused)) static void
put_pair(Message *model, int field, const char *key, const char *value)
{
	Message		pair = {.size = 0};

	put_text(&pair, 1, key);
	put_text(&pair, 2, value);
	put_message(model, field, &pair);
}

__attribute__((unused)) static void
put_opset(Message *model, const char *domain, int64_t version)
{
	Message		opset = {.size = 0};

	put_text(&opset, 1, domain);
	put_int(&opset, 2, version);
	put_message(model, 8, &opset);
}

/* The model around a graph. */
__attribute__((unused)) static void
put_model(Message *model, const Message *graph)
{
	model->size = 0;
	put_int(model, 1, 10);
	put_text(model, 2, "skl2onnx");
	put_text(model, 3, "1.19.1");
	put_opset(model, "ai.onnx.ml", 1);
	put_opset(model, "", 21);
	put_opset(model, "com.microsoft", 1);
	put_message(model, 7, graph);
}

#endif
