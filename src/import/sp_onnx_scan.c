/*
 * src/import/sp_onnx_scan.c
 *
 * A look over the bytes of an ONNX file before they are unpacked.
 *
 * The unpacker only says that something is wrong; this says where.  It also
 * counts what the unpacker takes memory for: two bytes of a hostile file could
 * cost a hundred of memory for a message, and fifty for a number that is
 * written as a field of its own.
 */
#include "base/sp_wire.h"
#include "import/sp_onnx_internal.h"

/* Messages, and fields that our schema does not know; real files have thousands. */
#define SP_ONNX_MAX_PARTS 1000000

/* The schema has no cycle; this is more than its longest path. */
#define SP_ONNX_MAX_DEPTH 16

#define SP_ONNX_FIELDS_PER_POLL 65536

typedef struct SpOnnxScan
{
	SpReader	reader;
	size_t		depth;
	size_t		ends[SP_ONNX_MAX_DEPTH];
	const ProtobufCMessageDescriptor *types[SP_ONNX_MAX_DEPTH];
	uint32_t	n_parts;
	uint64_t	n_fields;
} SpOnnxScan;

static SpWireType
sp_onnx_wire_type(const ProtobufCFieldDescriptor *field)
{
	switch (field->type)
	{
		case PROTOBUF_C_TYPE_FLOAT:
			return SP_WIRE_FIXED32;
		case PROTOBUF_C_TYPE_DOUBLE:
			return SP_WIRE_FIXED64;
		case PROTOBUF_C_TYPE_BYTES:
		case PROTOBUF_C_TYPE_MESSAGE:
			return SP_WIRE_BYTES;
		default:
			return SP_WIRE_VARINT;
	}
}

/* The body of a packed field: whole numbers only. */
static SpStatus
sp_onnx_scan_packed(SpOnnxScan *scan, const ProtobufCFieldDescriptor *field, const SpWireField *wire)
{
	SpReader	body = scan->reader;
	SpWireType	type = sp_onnx_wire_type(field);

	body.pos = wire->start;
	body.size = wire->start + wire->size;
	if (type != SP_WIRE_VARINT)
	{
		if (wire->size % (type == SP_WIRE_FIXED32 ? 4 : 8) != 0)
			return sp_fail_at(body.cx, wire->offset, "malformed ONNX: field \"%s\" ends within a number",
							  field->name);
		return SP_OK;
	}
	while (body.pos < body.size)
	{
		size_t		length = sp_wire_varint_length(&body);

		if (length == 0)
			return sp_fail_at(body.cx, body.pos, "malformed ONNX: a number of field \"%s\" does not end",
							  field->name);
		body.pos += length;
	}
	return SP_OK;
}

static SpStatus
sp_onnx_scan_enter(SpOnnxScan *scan, const ProtobufCMessageDescriptor *type, size_t end)
{
	if (scan->depth >= SP_ONNX_MAX_DEPTH)
		return sp_fail(scan->reader.cx, SP_ERR_INTERNAL, "the ONNX schema is deeper than expected");
	scan->types[scan->depth] = type;
	scan->ends[scan->depth] = end;
	scan->depth++;
	scan->reader.size = end;
	return SP_OK;
}

static SpStatus
sp_onnx_scan_field(SpOnnxScan *scan)
{
	SpContext  *cx = scan->reader.cx;
	const ProtobufCFieldDescriptor *field;
	SpWireField wire;

	SP_TRY(sp_wire_next(&scan->reader, &wire));
	if (++scan->n_fields % SP_ONNX_FIELDS_PER_POLL == 0)
		SP_TRY(sp_poll(cx));

	/* unpacked, a tree node takes a dozen fields; whoever needs more can raise the limit */
	if (scan->n_fields > cx->limits.max_nodes + SP_ONNX_MAX_PARTS)
		return sp_fail_limit(cx, "max_nodes", "the ONNX file has more than %llu fields",
							 (unsigned long long) cx->limits.max_nodes + SP_ONNX_MAX_PARTS);
	field = protobuf_c_message_descriptor_get_field(scan->types[scan->depth - 1], wire.number);
	if (field == NULL || field->type == PROTOBUF_C_TYPE_MESSAGE)
	{
		if (++scan->n_parts > SP_ONNX_MAX_PARTS)
			return sp_fail(cx, SP_ERR_LIMIT, "the ONNX file has more than %d parts", SP_ONNX_MAX_PARTS);
	}
	if (field == NULL)
		return SP_OK;
	if (wire.type == sp_onnx_wire_type(field))
	{
		if (field->type != PROTOBUF_C_TYPE_MESSAGE)
			return SP_OK;
		scan->reader.pos = wire.start;
		return sp_onnx_scan_enter(scan, field->descriptor, wire.start + wire.size);
	}
	if (wire.type == SP_WIRE_BYTES && field->label == PROTOBUF_C_LABEL_REPEATED)
		return sp_onnx_scan_packed(scan, field, &wire);
	return sp_fail_at(cx, wire.offset, "malformed ONNX: field \"%s\" has the wire type %u",
					  field->name, (unsigned) wire.type);
}

SpStatus
sp_onnx_scan(SpContext *cx, const ProtobufCMessageDescriptor *type, const void *bytes, size_t size)
{
	SpOnnxScan	scan = {0};

	if (size == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "the model file is empty");
	sp_reader_init(&scan.reader, cx, bytes, size);
	SP_TRY(sp_onnx_scan_enter(&scan, type, size));
	while (scan.depth > 0)
	{
		if (scan.reader.pos < scan.ends[scan.depth - 1])
			SP_TRY(sp_onnx_scan_field(&scan));
		else if (--scan.depth > 0)
			scan.reader.size = scan.ends[scan.depth - 1];
	}
	return SP_OK;
}
