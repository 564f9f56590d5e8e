/*
 * test/fuzz/sp_mutate_ubjson.c
 *
 * UBJSON (draft 12), cut into numbers, lengths and texts by a reader that
 * stops at the first byte it does not know.
 */
#include <stdlib.h>
#include <string.h>

#include "sp_mutate.h"

typedef enum FieldKind
{
	FIELD_NUMBER,				/* payload of a number */
	FIELD_TEXT,					/* its bytes; the length is the field before */
	FIELD_LENGTH,				/* payload of a length or count */
	FIELD_ELEMENTS,				/* payload of a typed array; the count is the field before */
	FIELD_MARKER
} FieldKind;

typedef struct Field
{
	FieldKind	kind;
	uint8_t		marker;
	size_t		start;
	size_t		size;
} Field;

typedef struct Cutter
{
	const SpMutation *mutation;
	size_t		pos;
	Field	   *fields;
	size_t		count;
} Cutter;

static size_t
payload_size(uint8_t marker)
{
	switch (marker)
	{
		case 'i':
		case 'U':
		case 'C':
			return 1;
		case 'I':
			return 2;
		case 'l':
		case 'd':
			return 4;
		case 'L':
		case 'D':
			return 8;
		default:
			return 0;
	}
}

static uint64_t
read_be(const uint8_t *bytes, size_t size)
{
	uint64_t	number = 0;

	for (size_t at = 0; at < size; at++)
		number = number << 8 | bytes[at];
	return number;
}

static void
write_be(uint8_t *bytes, size_t size, uint64_t number)
{
	for (size_t at = size; at > 0; at--, number >>= 8)
		bytes[at - 1] = (uint8_t) number;
}

static bool
add(Cutter *cutter, FieldKind kind, uint8_t marker, size_t size)
{
	if (size > cutter->mutation->size - cutter->pos)
		return false;
	cutter->fields[cutter->count++] = (Field) {kind, marker, cutter->pos, size};
	cutter->pos += size;
	return true;
}

static bool
cut_marker(Cutter *cutter, uint8_t *marker)
{
	if (cutter->pos >= cutter->mutation->size)
		return false;
	*marker = cutter->mutation->data[cutter->pos];
	return add(cutter, FIELD_MARKER, *marker, 1);
}

static bool
cut_length(Cutter *cutter, uint64_t *length)
{
	uint8_t		marker;

	if (!cut_marker(cutter, &marker) || payload_size(marker) == 0 ||
		!add(cutter, FIELD_LENGTH, marker, payload_size(marker)))
		return false;
	*length = read_be(cutter->mutation->data + cutter->pos - payload_size(marker), payload_size(marker));
	return true;
}

static bool
cut_text(Cutter *cutter)
{
	uint64_t	length;

	return cut_length(cutter, &length) && add(cutter, FIELD_TEXT, 'S', length);
}

/* What follows [ or {: an optional type and count; typed numbers are taken whole. */
static bool
cut_container(Cutter *cutter)
{
	const uint8_t *data = cutter->mutation->data;
	uint8_t		type = 0;
	uint8_t		marker;
	uint64_t	count;

	if (cutter->pos < cutter->mutation->size && data[cutter->pos] == '$' &&
		!(cut_marker(cutter, &marker) && cut_marker(cutter, &type)))
		return false;
	if (cutter->pos >= cutter->mutation->size || data[cutter->pos] != '#')
		return true;
	if (!cut_marker(cutter, &marker) || !cut_length(cutter, &count))
		return false;
	if (payload_size(type) == 0)
		return true;
	return count <= cutter->mutation->size && add(cutter, FIELD_ELEMENTS, type, count * payload_size(type));
}

/* Keys are texts without a marker, told by the marker of a length that no value can have here. */
static void
cut(Cutter *cutter)
{
	uint8_t		marker;
	bool		is_key = false;
	bool		is_good = true;
	bool		in_object[64] = {false};
	size_t		depth = 0;

	while (is_good && cutter->pos < cutter->mutation->size)
	{
		marker = cutter->mutation->data[cutter->pos];
		if (depth > 0 && in_object[depth - 1] && is_key && marker != '}')
		{
			is_good = cut_text(cutter);
			is_key = false;
			continue;
		}
		is_good = cut_marker(cutter, &marker);
		if (marker == '{' || marker == '[')
		{
			size_t		before = cutter->count;

			is_good = is_good && depth < 64 && cut_container(cutter);
			if (!is_good)
				break;
			if (cutter->count == before || cutter->fields[cutter->count - 1].kind == FIELD_MARKER)
				in_object[depth++] = marker == '{';
		}
		else if (marker == '}' || marker == ']')
			is_good = depth-- > 0;
		else if (marker == 'S')
			is_good = cut_text(cutter);
		else if (payload_size(marker) > 0)
			is_good = add(cutter, FIELD_NUMBER, marker, payload_size(marker));
		is_key = true;
		if (!is_good || depth == 0)
			break;
	}
}

static void
change_number(SpMutation *mutation, uint8_t marker, size_t start)
{
	size_t		size = payload_size(marker);
	uint64_t	bits = sp_mutate_integer(mutation);
	double		number = sp_mutate_number(mutation);
	float		narrow = (float) number;

	if (marker == 'D')
		memcpy(&bits, &number, 8);
	else if (marker == 'd')
	{
		uint32_t	narrow_bits;

		memcpy(&narrow_bits, &narrow, 4);
		bits = narrow_bits;
	}
	write_be(mutation->data + start, size, bits);
}

/* A text or a list gets longer or shorter, and its length with it if that can say so. */
static void
set_length(SpMutation *mutation, const Field *length, uint64_t count)
{
	write_be(mutation->data + length->start, length->size, count);
}

static void
change_elements(SpMutation *mutation, const Field *length, const Field *list)
{
	size_t		size = payload_size(list->marker);
	size_t		count = list->size / size;
	size_t		at = list->start + size * sp_mutate_below(mutation, count);

	switch (sp_mutate_below(mutation, 4))
	{
		case 0:
			if (count > 0 && sp_mutate_replace(mutation, at, size, "", 0))
				set_length(mutation, length, count - 1);
			break;
		case 1:
			if (count > 0 && sp_mutate_replace(mutation, at, 0, mutation->data + at, size))
				set_length(mutation, length, count + 1);
			break;
		default:
			if (count > 0)
				change_number(mutation, list->marker, at);
			break;
	}
}

static void
change_text(SpMutation *mutation, const Cutter *cutter, const Field *length, const Field *text)
{
	const Field *other = &cutter->fields[sp_mutate_below(mutation, cutter->count)];
	const char *number = sp_mutate_number_text(mutation);

	if (sp_mutate_below(mutation, 3) == 0)
	{
		if (sp_mutate_replace(mutation, text->start, text->size, number, strlen(number)))
			set_length(mutation, length, strlen(number));
	}
	else if (other->kind == FIELD_TEXT && other->size < 256)
	{
		if (sp_mutate_replace(mutation, text->start, text->size, mutation->data + other->start, other->size))
			set_length(mutation, length, other->size);
	}
	else if (text->size > 0 && text->size < 256)
		set_length(mutation, length, sp_mutate_bytes(mutation, text->start, text->size));
}

void
sp_mutate_ubjson(SpMutation *mutation)
{
	static const char markers[] = "ZNTFiUIlLdDCSH[]{}$#";
	Cutter		cutter = {.mutation = mutation, .fields = malloc((2 * mutation->size + 1) * sizeof(Field))};

	cut(&cutter);
	if (cutter.count > 0)
	{
		size_t		chosen = sp_mutate_below(mutation, cutter.count);
		const Field *field;

		/* markers are most of the fields, and the least of what can be wrong */
		for (size_t tries = 3; tries > 0 && cutter.fields[chosen].kind == FIELD_MARKER; tries--)
			chosen = sp_mutate_below(mutation, cutter.count);
		field = &cutter.fields[chosen];
		switch (field->kind)
		{
			case FIELD_NUMBER:
			case FIELD_LENGTH:
				change_number(mutation, field->marker, field->start);
				break;
			case FIELD_TEXT:
				change_text(mutation, &cutter, field - 1, field);
				break;
			case FIELD_ELEMENTS:
				change_elements(mutation, field - 1, field);
				break;
			case FIELD_MARKER:
				mutation->data[field->start] = (uint8_t) markers[sp_mutate_below(mutation, sizeof(markers) - 1)];
				break;
		}
	}
	free(cutter.fields);
}
