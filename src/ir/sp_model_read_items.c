/*
 * src/ir/sp_model_read_items.c
 *
 * Numbers and texts of the stored form.
 */
#include "ir/sp_model_read_internal.h"

SpStatus
sp_stored_u32(SpModelReader *reader, uint32_t *number)
{
	uint64_t	wide;

	SP_TRY(sp_read_le(&reader->in, 4, &wide));
	*number = (uint32_t) wide;
	return SP_OK;
}

SpStatus
sp_stored_sized(SpModelReader *reader, unsigned width, uint32_t *number)
{
	uint64_t	wide = 0;

	if (width > 0)
		SP_TRY(sp_read_le(&reader->in, width, &wide));
	*number = (uint32_t) wide;
	return SP_OK;
}

SpStatus
sp_stored_count(SpModelReader *reader, uint64_t count, size_t size)
{
	if (count > (reader->in.size - reader->in.pos) / size)
		return sp_fail_at(reader->cx, reader->in.pos, "stored model is cut off");
	return SP_OK;
}

SpStatus
sp_stored_number(SpModelReader *reader, bool is_double, double *number)
{
	float		single;

	if (is_double)
		return sp_read_f64_le(&reader->in, number);
	SP_TRY(sp_read_f32_le(&reader->in, &single));
	*number = single;
	return SP_OK;
}

SpStatus
sp_stored_numbers(SpModelReader *reader, size_t count, double **numbers)
{
	uint8_t		form;

	SP_TRY(sp_read_u8(&reader->in, &form));
	if (form != SP_STORED_F32 && form != SP_STORED_F64)
		return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown form %u of numbers", form);
	SP_TRY(sp_stored_count(reader, count, form == SP_STORED_F32 ? 4 : 8));
	SP_TRY(sp_alloc_array(reader->cx, count, sizeof(double), (void **) numbers));
	for (size_t at = 0; at < count; at++)
		SP_TRY(sp_stored_number(reader, form == SP_STORED_F64, &(*numbers)[at]));
	return SP_OK;
}

SpStatus
sp_stored_texts(SpModelReader *reader, uint32_t count, SpStr **texts)
{
	SP_TRY(sp_stored_count(reader, count, 4));
	SP_TRY(sp_alloc_array(reader->cx, count, sizeof(SpStr), (void **) texts));
	for (uint32_t at = 0; at < count; at++)
		SP_TRY(sp_read_str(&reader->in, &(*texts)[at]));
	return SP_OK;
}
