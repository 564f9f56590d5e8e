/*
 * src/base/sp_wire.h
 *
 * The fields of a protocol buffers message, one by one, without a schema.
 */
#ifndef SP_WIRE_H
#define SP_WIRE_H

#include "base/sp_bytes.h"

typedef enum SpWireType
{
	SP_WIRE_VARINT = 0,
	SP_WIRE_FIXED64 = 1,
	SP_WIRE_BYTES = 2,
	SP_WIRE_FIXED32 = 5
} SpWireType;

typedef struct SpWireField
{
	uint32_t	number;			/* 1 to 2^29 - 1 */
	SpWireType	type;
	size_t		offset;			/* of the tag */
	size_t		start;			/* of the body, in the reader's data */
	size_t		size;			/* of the body */
} SpWireField;

/*
 * Read a field and move behind it.  SP_ERR_FORMAT with the offset of a tag
 * that is malformed, of a group, or of a field that is cut off by the reader's
 * size.
 */
extern SpStatus sp_wire_next(SpReader *reader, SpWireField *field);

/* Length of the varint at the reader's position, 1 to 10; 0 if it does not end. */
extern size_t sp_wire_varint_length(const SpReader *reader);

#endif
