/*
 * test/fuzz/sp_mutate_onnx.c
 *
 * Protocol buffers without a schema: whatever reads as fields to its end is
 * taken for a message.  After a change the lengths of all messages around it
 * are written anew.
 */
#include <stdlib.h>
#include <string.h>

#include "sp_mutate.h"

#define MAX_DEPTH 10
#define NO_PARENT SIZE_MAX

typedef struct Field
{
	size_t		parent;			/* the message it is in, NO_PARENT for the file */
	size_t		tag;			/* where it begins */
	size_t		length;			/* where the varint of its length is, for bytes */
	size_t		start;			/* of the body */
	size_t		size;
	unsigned	wire;
	bool		is_message;
} Field;

typedef struct Fields
{
	const uint8_t *data;
	Field	   *fields;
	size_t		count;
	size_t		room;
} Fields;

static bool
read_varint(const uint8_t *data, size_t end, size_t *pos, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; *pos < end && shift < 70; shift += 7)
	{
		uint8_t		byte = data[(*pos)++];

		*value |= shift < 64 ? (uint64_t) (byte & 0x7f) << shift : 0;
		if (byte < 0x80)
			return true;
	}
	return false;
}

static size_t
write_varint(uint8_t *bytes, uint64_t value)
{
	size_t		size = 0;

	for (; value >= 0x80; value >>= 7)
		bytes[size++] = (uint8_t) (value | 0x80);
	bytes[size++] = (uint8_t) value;
	return size;
}

static bool
read_field(Fields *fields, size_t parent, size_t *pos, size_t end)
{
	Field		field = {.parent = parent, .tag = *pos};
	uint64_t	number;

	if (fields->count >= fields->room || !read_varint(fields->data, end, pos, &number) || number >> 3 == 0)
		return false;
	field.wire = number & 7;
	field.length = *pos;
	field.start = *pos;
	switch (field.wire)
	{
		case 0:
			if (!read_varint(fields->data, end, pos, &number))
				return false;
			field.size = *pos - field.start;
			break;
		case 1:
			field.size = 8;
			break;
		case 5:
			field.size = 4;
			break;
		case 2:
			if (!read_varint(fields->data, end, pos, &number) || number > end - *pos)
				return false;
			field.start = *pos;
			field.size = (size_t) number;
			break;
		default:
			return false;
	}
	if (field.size > end - field.start)
		return false;
	*pos = field.start + field.size;
	fields->fields[fields->count++] = field;
	return true;
}

/* All fields of a message; what they are cannot be told if one of them is none. */
static bool
read_message(Fields *fields, size_t parent, size_t start, size_t end)
{
	size_t		before = fields->count;

	while (start < end)
	{
		if (!read_field(fields, parent, &start, end))
		{
			fields->count = before;
			return false;
		}
	}
	return true;
}

static Fields
read_all(const SpMutation *mutation)
{
	Fields		fields = {.data = mutation->data, .room = 2 * mutation->size + 1};
	size_t		level = 0;

	fields.fields = malloc(fields.room * sizeof(Field));
	if (!read_message(&fields, NO_PARENT, 0, mutation->size))
		return fields;
	for (int depth = 0; depth < MAX_DEPTH; depth++)
	{
		size_t		end = fields.count;

		for (; level < end; level++)
		{
			Field	   *field = &fields.fields[level];

			if (field->wire == 2 && field->size > 1)
				field->is_message = read_message(&fields, level, field->start, field->start + field->size);
		}
	}
	return fields;
}

/* Replace bytes inside the message parent, whose length and whose parents' lengths follow. */
static void
edit(SpMutation *mutation, const Fields *fields, size_t parent, size_t start, size_t old_count,
	 const void *bytes, size_t count)
{
	int64_t		grown = (int64_t) count - (int64_t) old_count;

	if (!sp_mutate_replace(mutation, start, old_count, bytes, count))
		return;
	for (; parent != NO_PARENT; parent = fields->fields[parent].parent)
	{
		const Field *field = &fields->fields[parent];
		uint8_t		length[10];
		size_t		size = write_varint(length, (uint64_t) ((int64_t) field->size + grown));
		size_t		old_size = field->start - field->length;

		if (!sp_mutate_replace(mutation, field->length, old_size, length, size))
			return;
		grown += (int64_t) size - (int64_t) old_size;
	}
}

static void
change_body(SpMutation *mutation, const Fields *fields, size_t chosen, const void *bytes, size_t count)
{
	const Field *field = &fields->fields[chosen];

	edit(mutation, fields, field->wire == 2 ? chosen : field->parent, field->start, field->size, bytes, count);
}

/* Numbers of a packed field, or any bytes. */
static void
change_packed(SpMutation *mutation, const Fields *fields, size_t chosen)
{
	const Field *field = &fields->fields[chosen];
	size_t		width = sp_mutate_below(mutation, 2) == 0 ? 8 : 4;
	double		number = sp_mutate_number(mutation);
	float		narrow = (float) number;
	uint64_t	integer = sp_mutate_integer(mutation);
	size_t		at;

	if (field->size < width)
		return;
	at = field->start + sp_mutate_below(mutation, field->size / width) * width;
	switch (sp_mutate_below(mutation, 4))
	{
		case 0:
			edit(mutation, fields, chosen, at, width, "", 0);
			break;
		case 1:
			edit(mutation, fields, chosen, at, 0, mutation->data + at, width);
			break;
		case 2:
			memcpy(mutation->data + at, &integer, width);
			break;
		default:
			memcpy(mutation->data + at, width == 8 ? (void *) &number : (void *) &narrow, width);
			break;
	}
}

static void
change_bytes(SpMutation *mutation, const Fields *fields, size_t chosen)
{
	const Field *field = &fields->fields[chosen];
	const Field *other = &fields->fields[sp_mutate_below(mutation, fields->count)];
	uint8_t		copy[256];

	if (sp_mutate_below(mutation, 3) > 0 && field->size < 100)
	{
		for (size_t tries = 32; tries > 0 && (other->wire != 2 || other->is_message || other->size > 100); tries--)
			other = &fields->fields[sp_mutate_below(mutation, fields->count)];
		if (other->wire == 2 && sp_mutate_below(mutation, 2) == 0)
			change_body(mutation, fields, chosen, mutation->data + other->start, other->size);
		else
		{
			/* on a copy, which edit can put in with all lengths right */
			SpMutation	text = {.data = copy, .max = sizeof(copy), .size = field->size, .random = mutation->random};

			memcpy(copy, mutation->data + field->start, field->size);
			sp_mutate_bytes(&text, 0, text.size);
			change_body(mutation, fields, chosen, copy, text.size);
		}
	}
	else
		change_packed(mutation, fields, chosen);
}

static void
change_value(SpMutation *mutation, const Fields *fields, size_t chosen)
{
	const Field *field = &fields->fields[chosen];
	double		number = sp_mutate_number(mutation);
	float		narrow = (float) number;
	uint8_t		varint[10];

	switch (field->wire)
	{
		case 0:
			change_body(mutation, fields, chosen, varint, write_varint(varint, sp_mutate_integer(mutation)));
			break;
		case 1:
			memcpy(mutation->data + field->start, &number, 8);
			break;
		case 5:
			memcpy(mutation->data + field->start, &narrow, 4);
			break;
		default:
			change_bytes(mutation, fields, chosen);
			break;
	}
}

void
sp_mutate_onnx(SpMutation *mutation)
{
	Fields		fields = read_all(mutation);
	size_t		chosen = sp_mutate_below(mutation, fields.count);
	size_t		other = sp_mutate_below(mutation, fields.count);

	if (fields.count > 0)
	{
		const Field *field = &fields.fields[chosen];
		size_t		whole = field->start + field->size - field->tag;

		switch (sp_mutate_below(mutation, 10))
		{
			case 0:
				edit(mutation, &fields, field->parent, field->tag, whole, "", 0);
				break;
			case 1:
				edit(mutation, &fields, field->parent, field->tag, 0, mutation->data + field->tag, whole);
				break;
			case 2:
				/* another field, wherever it belongs */
				edit(mutation, &fields, field->parent, field->tag, sp_mutate_below(mutation, 2) == 0 ? whole : 0,
					 mutation->data + fields.fields[other].tag,
					 fields.fields[other].start + fields.fields[other].size - fields.fields[other].tag);
				break;
			case 3:
				mutation->data[field->tag] ^= (uint8_t) (1 << sp_mutate_below(mutation, 7));
				break;
			default:
				change_value(mutation, &fields, chosen);
				break;
		}
	}
	free(fields.fields);
}
