/*
 * src/base/sp_bytes.c
 *
 * Bounds-checked reading and growable writing of bytes.
 */
#include <string.h>

#include "base/sp_bytes.h"

void
sp_reader_init(SpReader *reader, SpContext *cx, const void *data, size_t size)
{
	reader->cx = cx;
	reader->data = data;
	reader->size = size;
	reader->pos = 0;
}

SpStatus
sp_read_bytes(SpReader *reader, size_t count, const uint8_t **bytes)
{
	*bytes = NULL;

	/* pos never passes size, so the difference cannot wrap */
	if (count > reader->size - reader->pos)
		return sp_fail_at(reader->cx, reader->pos,
						  "unexpected end of data: %zu bytes needed, %zu left",
						  count, reader->size - reader->pos);
	*bytes = reader->data + reader->pos;
	reader->pos += count;
	return SP_OK;
}

SpStatus
sp_read_u8(SpReader *reader, uint8_t *value)
{
	const uint8_t *bytes;

	SP_TRY(sp_read_bytes(reader, 1, &bytes));
	*value = bytes[0];
	return SP_OK;
}

SpStatus
sp_read_le(SpReader *reader, unsigned width, uint64_t *value)
{
	const uint8_t *bytes;
	uint64_t	result = 0;
	unsigned	i;

	SP_TRY(sp_read_bytes(reader, width, &bytes));
	for (i = width; i > 0; i--)
		result = result << 8 | bytes[i - 1];
	*value = result;
	return SP_OK;
}

SpStatus
sp_read_be(SpReader *reader, unsigned width, uint64_t *value)
{
	const uint8_t *bytes;
	uint64_t	result = 0;
	unsigned	i;

	SP_TRY(sp_read_bytes(reader, width, &bytes));
	for (i = 0; i < width; i++)
		result = result << 8 | bytes[i];
	*value = result;
	return SP_OK;
}

SpStatus
sp_read_f32_le(SpReader *reader, float *value)
{
	uint64_t	wide;
	uint32_t	bits;

	SP_TRY(sp_read_le(reader, 4, &wide));
	bits = (uint32_t) wide;
	memcpy(value, &bits, sizeof(*value));
	return SP_OK;
}

SpStatus
sp_read_f64_le(SpReader *reader, double *value)
{
	uint64_t	bits;

	SP_TRY(sp_read_le(reader, 8, &bits));
	memcpy(value, &bits, sizeof(*value));
	return SP_OK;
}

SpStatus
sp_read_str(SpReader *reader, SpStr *str)
{
	size_t		start = reader->pos;
	uint64_t	length;
	const uint8_t *bytes;

	SP_TRY(sp_read_le(reader, 4, &length));
	if (length > reader->size - reader->pos)
		return sp_fail_at(reader->cx, start, "a string of %llu bytes is cut off after %zu",
						  (unsigned long long) length, reader->size - reader->pos);
	SP_TRY(sp_read_bytes(reader, (size_t) length, &bytes));
	str->data = (const char *) bytes;
	str->size = (size_t) length;
	return SP_OK;
}

void
sp_writer_init(SpWriter *writer, SpContext *cx)
{
	memset(writer, 0, sizeof(*writer));
	writer->cx = cx;
}

SpStatus
sp_write_bytes(SpWriter *writer, const void *bytes, size_t count)
{
	size_t		need;

	if (count == 0)
		return SP_OK;
	if (!sp_add_size(writer->size, count, &need))
		return sp_fail(writer->cx, SP_ERR_MEMORY, "out of memory");
	SP_TRY(sp_grow_array(writer->cx, (void **) &writer->data, &writer->capacity, need, 1));
	memcpy(writer->data + writer->size, bytes, count);
	writer->size = need;
	return SP_OK;
}

SpStatus
sp_write_u8(SpWriter *writer, uint8_t value)
{
	return sp_write_bytes(writer, &value, 1);
}

SpStatus
sp_write_le(SpWriter *writer, unsigned width, uint64_t value)
{
	uint8_t		bytes[8];
	unsigned	i;

	for (i = 0; i < width; i++)
		bytes[i] = (uint8_t) (value >> (8 * i));
	return sp_write_bytes(writer, bytes, width);
}

SpStatus
sp_write_f32(SpWriter *writer, float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return sp_write_le(writer, 4, bits);
}

SpStatus
sp_write_f64(SpWriter *writer, double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return sp_write_le(writer, 8, bits);
}

SpStatus
sp_write_str(SpWriter *writer, SpStr str)
{
	if (str.size > UINT32_MAX)
		return sp_fail(writer->cx, SP_ERR_LIMIT, "a string of %zu bytes is too long to be stored",
					   str.size);
	SP_TRY(sp_write_le(writer, 4, str.size));
	return sp_write_bytes(writer, str.data, str.size);
}
