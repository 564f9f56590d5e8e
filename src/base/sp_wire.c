/*
 * src/base/sp_wire.c
 *
 * The fields of a protocol buffers message
 * (https://protobuf.dev/programming-guides/encoding/).
 */
#include "base/sp_wire.h"

/* A tag holds 32 bits at most, and so does a length here: 5 bytes of 7 bits. */
#define SP_WIRE_SHORT_VARINT 5
#define SP_WIRE_LONG_VARINT 10

size_t
sp_wire_varint_length(const SpReader *reader)
{
	size_t		length;

	for (length = 1; length <= SP_WIRE_LONG_VARINT && reader->pos + length <= reader->size; length++)
	{
		if (reader->data[reader->pos + length - 1] < 0x80)
			return length;
	}
	return 0;
}

static bool
sp_wire_uint32(SpReader *reader, uint32_t *value)
{
	size_t		length = sp_wire_varint_length(reader);
	uint64_t	result = 0;
	size_t		i;

	if (length == 0 || length > SP_WIRE_SHORT_VARINT)
		return false;
	for (i = 0; i < length; i++)
		result |= (uint64_t) (reader->data[reader->pos + i] & 0x7f) << (7 * i);
	if (result > UINT32_MAX)
		return false;
	reader->pos += length;
	*value = (uint32_t) result;
	return true;
}

SpStatus
sp_wire_next(SpReader *reader, SpWireField *field)
{
	uint32_t	tag;
	uint32_t	length;

	field->offset = reader->pos;
	if (!sp_wire_uint32(reader, &tag) || tag >> 3 == 0)
		return sp_fail_at(reader->cx, field->offset, "malformed protobuf: invalid tag");
	field->number = tag >> 3;
	field->type = (SpWireType) (tag & 7);
	field->start = reader->pos;
	switch (field->type)
	{
		case SP_WIRE_VARINT:
			field->size = sp_wire_varint_length(reader);
			if (field->size == 0)
				return sp_fail_at(reader->cx, field->offset, "malformed protobuf: the number of field %u does not end",
								  field->number);
			break;
		case SP_WIRE_FIXED64:
			field->size = 8;
			break;
		case SP_WIRE_FIXED32:
			field->size = 4;
			break;
		case SP_WIRE_BYTES:
			if (!sp_wire_uint32(reader, &length) || length > INT32_MAX)
				return sp_fail_at(reader->cx, field->offset, "malformed protobuf: invalid length of field %u",
								  field->number);
			field->start = reader->pos;
			field->size = length;
			break;
		default:
			return sp_fail_at(reader->cx, field->offset, "malformed protobuf: field %u has the wire type %u",
							  field->number, (unsigned) field->type);
	}
	if (field->size > reader->size - field->start)
		return sp_fail_at(reader->cx, field->offset, "malformed protobuf: field %u is cut off: %zu bytes needed, %zu left",
						  field->number, field->size, reader->size - field->start);
	reader->pos = field->start + field->size;
	return SP_OK;
}
