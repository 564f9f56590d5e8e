/*
 * src/import/sp_onnx_unpack.c
 *
 * Unpacking messages of an ONNX file into the caller's memory.
 */
#include "import/sp_onnx_internal.h"

/* The caller's allocator as the unpacker wants it, and what became of it. */
typedef struct SpOnnxMemory
{
	SpContext  *cx;
	bool		is_short;
} SpOnnxMemory;

static void *
sp_onnx_alloc(void *arg, size_t size)
{
	SpOnnxMemory *memory = arg;
	void	   *pointer = memory->cx->alloc.alloc(memory->cx->alloc.arg, size > 0 ? size : 1);

	if (pointer == NULL)
		memory->is_short = true;
	return pointer;
}

static void
sp_onnx_release(void *arg, void *pointer)
{
	SpOnnxMemory *memory = arg;

	sp_free(memory->cx, pointer);
}

SpStatus
sp_onnx_unpack(SpContext *cx, const ProtobufCMessageDescriptor *type, const void *bytes, size_t size,
			   ProtobufCMessage **message)
{
	SpOnnxMemory memory = {.cx = cx};
	ProtobufCAllocator allocator = {
		.alloc = sp_onnx_alloc, .free = sp_onnx_release, .allocator_data = &memory
	};

	SP_TRY(sp_onnx_scan(cx, type, bytes, size));
	*message = protobuf_c_message_unpack(type, &allocator, size, bytes);
	if (memory.is_short)
		return sp_fail(cx, SP_ERR_MEMORY, "out of memory");
	if (*message == NULL)
		return sp_fail(cx, SP_ERR_FORMAT, "malformed ONNX: the file could not be unpacked");
	return SP_OK;
}

void
sp_onnx_forget(SpContext *cx, ProtobufCMessage *message)
{
	SpOnnxMemory memory = {.cx = cx};
	ProtobufCAllocator allocator = {
		.alloc = sp_onnx_alloc, .free = sp_onnx_release, .allocator_data = &memory
	};

	protobuf_c_message_free_unpacked(message, &allocator);
}
