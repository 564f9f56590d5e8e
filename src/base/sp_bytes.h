/*
 * src/base/sp_bytes.h
 *
 * Bounds-checked reading and growable writing of bytes.
 */
#ifndef SP_BYTES_H
#define SP_BYTES_H

#include "base/sp_status.h"

/*
 * A reader never moves past size.  Every read that would returns
 * SP_ERR_FORMAT with the offset of the value that is cut off.
 */
typedef struct SpReader
{
	SpContext  *cx;
	const uint8_t *data;
	size_t		size;
	size_t		pos;
} SpReader;

extern void sp_reader_init(SpReader *reader, SpContext *cx, const void *data, size_t size);
extern SpStatus sp_read_bytes(SpReader *reader, size_t count, const uint8_t **bytes);
extern SpStatus sp_read_u8(SpReader *reader, uint8_t *value);

/* width 1, 2, 4 or 8 bytes, unsigned, zero-extended */
extern SpStatus sp_read_le(SpReader *reader, unsigned width, uint64_t *value);
extern SpStatus sp_read_be(SpReader *reader, unsigned width, uint64_t *value);
extern SpStatus sp_read_f32_le(SpReader *reader, float *value);
extern SpStatus sp_read_f64_le(SpReader *reader, double *value);

/* unsigned 32-bit length, then the bytes; points into the reader's data */
extern SpStatus sp_read_str(SpReader *reader, SpStr *str);

typedef struct SpWriter
{
	SpContext  *cx;
	uint8_t    *data;
	size_t		size;
	size_t		capacity;
} SpWriter;

extern void sp_writer_init(SpWriter *writer, SpContext *cx);
extern SpStatus sp_write_bytes(SpWriter *writer, const void *bytes, size_t count);
extern SpStatus sp_write_u8(SpWriter *writer, uint8_t value);
extern SpStatus sp_write_le(SpWriter *writer, unsigned width, uint64_t value);
extern SpStatus sp_write_f32(SpWriter *writer, float value);
extern SpStatus sp_write_f64(SpWriter *writer, double value);
extern SpStatus sp_write_str(SpWriter *writer, SpStr str);

#endif
