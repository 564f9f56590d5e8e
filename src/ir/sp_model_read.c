/*
 * src/ir/sp_model_read.c
 *
 * Reading the stored form (doc/format.md): every record becomes a builder
 * call, which checks what it says.  Here only the shape of the bytes is
 * checked, and that no count promises more than the bytes that are left, so
 * that a few bytes cannot ask for much memory.
 */
#include <string.h>

#include "ir/sp_checksum.h"
#include "ir/sp_model_read_internal.h"

/* Facts */

static SpStatus
read_task(SpModelReader *reader)
{
	uint8_t		task;
	uint8_t		flags;

	SP_TRY(sp_read_u8(&reader->in, &task));
	SP_TRY(sp_read_u8(&reader->in, &flags));
	if (flags & ~SP_TASK_ACCEPTS_INFINITE)
		return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown flags of the task");
	return sp_builder_task(reader->builder, (SpTask) task, (flags & SP_TASK_ACCEPTS_INFINITE) != 0);
}

static SpStatus
read_origin(SpModelReader *reader)
{
	SpStr		producer;
	SpStr		objective;

	SP_TRY(sp_read_str(&reader->in, &producer));
	SP_TRY(sp_read_str(&reader->in, &objective));
	return sp_builder_origin(reader->builder, producer, objective);
}

static SpStatus
read_labels(SpModelReader *reader)
{
	uint8_t		type;
	uint32_t	count;
	SpStr	   *labels;

	SP_TRY(sp_read_u8(&reader->in, &type));
	SP_TRY(sp_stored_u32(reader, &count));
	SP_TRY(sp_stored_texts(reader, count, &labels));
	SP_TRY(sp_builder_labels(reader->builder, (SpType) type, labels, count));
	sp_free(reader->cx, labels);
	return SP_OK;
}

static SpStatus
read_input(SpModelReader *reader)
{
	uint8_t		type;
	uint32_t	width;
	uint32_t	value;
	SpStr	   *names;

	SP_TRY(sp_read_u8(&reader->in, &type));
	SP_TRY(sp_stored_u32(reader, &width));
	SP_TRY(sp_stored_texts(reader, width, &names));
	SP_TRY(sp_builder_input(reader->builder, (SpType) type, width, names, &value));
	sp_free(reader->cx, names);
	return SP_OK;
}

static SpStatus
read_output(SpModelReader *reader)
{
	uint8_t		output;
	uint32_t	value;

	SP_TRY(sp_read_u8(&reader->in, &output));
	SP_TRY(sp_stored_u32(reader, &value));
	return sp_builder_output(reader->builder, (SpOutput) output, value);
}

/* Other steps */

static SpStatus
read_linear(SpModelReader *reader, uint32_t in, uint32_t *value)
{
	uint32_t	n_out;
	size_t		count;
	double	   *weights;
	double	   *bias;

	SP_TRY(sp_stored_u32(reader, &n_out));
	if (!sp_mul_size(n_out, sp_builder_value(reader->builder, in).width, &count))
		return sp_fail_at(reader->cx, reader->in.pos, "stored model is cut off");
	SP_TRY(sp_stored_numbers(reader, count, &weights));
	SP_TRY(sp_stored_numbers(reader, n_out, &bias));
	SP_TRY(sp_builder_linear(reader->builder, in, n_out, weights, bias, value));
	sp_free(reader->cx, weights);
	sp_free(reader->cx, bias);
	return SP_OK;
}

static SpStatus
read_scale(SpModelReader *reader, uint32_t in, uint32_t *value)
{
	uint32_t	width = sp_builder_value(reader->builder, in).width;
	double	   *offset;
	double	   *scale;

	SP_TRY(sp_stored_numbers(reader, width, &offset));
	SP_TRY(sp_stored_numbers(reader, width, &scale));
	SP_TRY(sp_builder_scale(reader->builder, in, offset, scale, value));
	sp_free(reader->cx, offset);
	sp_free(reader->cx, scale);
	return SP_OK;
}

static SpStatus
read_indices(SpModelReader *reader, uint32_t first, uint32_t count, uint32_t **indices)
{
	SP_TRY(sp_stored_count(reader, count - first, 4));
	SP_TRY(sp_alloc_array(reader->cx, count, sizeof(uint32_t), (void **) indices));
	for (uint32_t at = first; at < count; at++)
		SP_TRY(sp_stored_u32(reader, &(*indices)[at]));
	return SP_OK;
}

static SpStatus
read_general(SpModelReader *reader, SpOp op, uint32_t in, uint32_t *value)
{
	SpGeneral	spec = {0};
	uint8_t		kind;

	SP_TRY(sp_read_u8(&reader->in, &kind));
	spec.kind = kind;
	SP_TRY(sp_stored_u32(reader, &spec.n_inputs));
	SP_TRY(read_indices(reader, spec.n_inputs > 0 ? 1 : 0, spec.n_inputs, &spec.inputs));
	if (spec.n_inputs > 0)
		spec.inputs[0] = in;
	else if (in != 0)
		return sp_fail_at(reader->cx, reader->in.pos, "a step without inputs reads value %u", in);
	for (int at = 0; at < SP_GENERAL_DIMS; at++)
		SP_TRY(sp_stored_u32(reader, &spec.dims[at]));
	for (int at = 0; at < SP_GENERAL_PARAMS; at++)
		SP_TRY(sp_read_f64_le(&reader->in, &spec.params[at]));
	SP_TRY(sp_stored_u32(reader, &spec.n_indices));
	SP_TRY(read_indices(reader, 0, spec.n_indices, &spec.indices));
	SP_TRY(sp_stored_u32(reader, &spec.n_numbers));
	SP_TRY(sp_stored_numbers(reader, spec.n_numbers, &spec.numbers));
	SP_TRY(sp_builder_general(reader->builder, op, &spec, value));
	sp_free(reader->cx, spec.inputs);
	sp_free(reader->cx, spec.indices);
	sp_free(reader->cx, spec.numbers);
	return SP_OK;
}

static SpStatus
read_categories(SpModelReader *reader)
{
	uint32_t	count;
	SpStr	   *texts;

	SP_TRY(sp_stored_u32(reader, &count));
	SP_TRY(sp_stored_texts(reader, count, &texts));
	for (uint32_t at = 0; at < count; at++)
	{
		int64_t		number;

		SP_TRY(sp_builder_category(reader->builder, texts[at], &number));
		if (number != at)
			return sp_fail_at(reader->cx, reader->in.pos, "a category comes twice");
	}
	sp_free(reader->cx, texts);
	return SP_OK;
}

static SpStatus
read_feature_categories(SpModelReader *reader)
{
	SpCategoriesSpec spec = {0};
	SpStr	   *texts = NULL;
	double	   *numbers = NULL;
	uint32_t	feature;
	uint8_t		kind;
	uint8_t		unseen;
	uint8_t		flags;

	SP_TRY(sp_stored_u32(reader, &feature));
	SP_TRY(sp_read_u8(&reader->in, &kind));
	SP_TRY(sp_read_u8(&reader->in, &unseen));
	SP_TRY(sp_read_u8(&reader->in, &flags));
	if (flags & ~SP_LIST_IS_PARTIAL)
		return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown flags of a list of categories");
	SP_TRY(sp_stored_u32(reader, &spec.n));
	if (kind == SP_CATEGORIES_TEXT)
		SP_TRY(sp_stored_texts(reader, spec.n, &texts));
	else
		SP_TRY(sp_stored_numbers(reader, spec.n, &numbers));
	spec.kind = (SpCategoryKind) kind;
	spec.unseen = (SpUnseen) unseen;
	spec.is_partial = flags & SP_LIST_IS_PARTIAL;
	spec.texts = texts;
	spec.numbers = numbers;
	SP_TRY(sp_builder_categories(reader->builder, feature, &spec));
	sp_free(reader->cx, texts);
	sp_free(reader->cx, numbers);
	return SP_OK;
}

static SpStatus
read_default(SpModelReader *reader)
{
	uint32_t	feature;
	double		number;

	SP_TRY(sp_stored_u32(reader, &feature));
	SP_TRY(sp_read_f64_le(&reader->in, &number));
	return sp_builder_default(reader->builder, feature, number);
}

static SpStatus
read_policy(SpModelReader *reader)
{
	uint8_t		on_missing;
	uint8_t		on_unseen;

	SP_TRY(sp_read_u8(&reader->in, &on_missing));
	SP_TRY(sp_read_u8(&reader->in, &on_unseen));
	return sp_builder_policy(reader->builder, (SpMissing) on_missing, (SpUnseen) on_unseen);
}

static SpStatus
read_step(SpModelReader *reader, SpOp op)
{
	uint32_t	in;
	uint32_t	value;
	uint8_t		kind = 0;
	double		bound;

	SP_TRY(sp_stored_u32(reader, &in));
	if (op == SP_OP_NORMALIZE || op == SP_OP_CAST || op == SP_OP_MAP || op == SP_OP_SOFTMAX)
		SP_TRY(sp_read_u8(&reader->in, &kind));
	switch (op)
	{
		case SP_OP_TREES:
			return sp_stored_trees(reader, in, &value);
		case SP_OP_LINEAR:
			return read_linear(reader, in, &value);
		case SP_OP_SCALE:
			return read_scale(reader, in, &value);
		case SP_OP_NORMALIZE:
			return sp_builder_normalize(reader->builder, in, (SpNorm) kind, &value);
		case SP_OP_CAST:
			return sp_builder_cast(reader->builder, in, (SpType) kind, &value);
		case SP_OP_MAP:
			return sp_builder_map(reader->builder, in, (SpMap) kind, &value);
		case SP_OP_SOFTMAX:
			return sp_builder_softmax(reader->builder, in, (SpSoftmax) kind, &value);
		case SP_OP_COMPLEMENT:
			return sp_builder_complement(reader->builder, in, &value);
		case SP_OP_ARGMAX:
			return sp_builder_argmax(reader->builder, in, &value);
		case SP_OP_ABOVE:
			SP_TRY(sp_read_f64_le(&reader->in, &bound));
			return sp_builder_above(reader->builder, in, bound, &value);
		default:
			if (SP_OP_IS_GENERAL(op))
				return read_general(reader, op, in, &value);
			break;
	}
	return sp_fail_at(reader->cx, reader->in.pos - 5, "unknown step %d of a stored model", (int) op);
}

static SpStatus
read_record(SpModelReader *reader, uint8_t kind)
{
	switch (kind)
	{
		case SP_RECORD_TASK:
			return read_task(reader);
		case SP_RECORD_ORIGIN:
			return read_origin(reader);
		case SP_RECORD_LABELS:
			return read_labels(reader);
		case SP_RECORD_INPUT:
			return read_input(reader);
		case SP_RECORD_OUTPUT:
			return read_output(reader);
		case SP_RECORD_CATEGORIES:
			return read_categories(reader);
		case SP_RECORD_FEATURE_CATEGORIES:
			return read_feature_categories(reader);
		case SP_RECORD_DEFAULT:
			return read_default(reader);
		case SP_RECORD_POLICY:
			return read_policy(reader);
		default:
			break;
	}
	if (kind > SP_RECORD_STEP)
		return read_step(reader, (SpOp) (kind - SP_RECORD_STEP));
	return sp_fail_at(reader->cx, reader->in.pos - 1, "unknown record %u of a stored model", kind);
}

static SpStatus
read_header(SpModelReader *reader)
{
	SpReader   *in = &reader->in;
	const uint8_t *magic;
	uint32_t	version;
	uint32_t	reserved;
	uint64_t	size;
	uint64_t	checksum;

	SP_TRY(sp_read_bytes(in, SP_STORED_MAGIC_SIZE, &magic));
	if (memcmp(magic, SP_STORED_MAGIC, SP_STORED_MAGIC_SIZE) != 0)
		return sp_fail_at(reader->cx, 0, "not a stored model");
	SP_TRY(sp_stored_u32(reader, &version));
	if (version != SP_STORED_VERSION)
	{
		sp_fail(reader->cx, SP_ERR_UNSUPPORTED, "stored model has format version %u", version);
		return sp_fail_hint(reader->cx, "This release reads version %d; a later one is needed.",
							SP_STORED_VERSION);
	}
	SP_TRY(sp_stored_u32(reader, &reserved));
	if (reserved != 0)
		return sp_fail_at(reader->cx, in->pos - 4, "reserved bytes of a stored model are used");
	SP_TRY(sp_read_le(in, 8, &size));
	SP_TRY(sp_read_le(in, 8, &checksum));
	if (size != in->size - in->pos)
		return sp_fail_at(reader->cx, 16, "stored model of %llu bytes has %zu",
						  (unsigned long long) size, in->size - in->pos);
	if (checksum != sp_checksum(in->data + in->pos, in->size - in->pos))
		return sp_fail_at(reader->cx, 24, "checksum of a stored model is wrong");
	return SP_OK;
}

static SpStatus
read_body(SpModelReader *reader, SpModel **model)
{
	uint8_t		kind;

	SP_TRY(sp_builder_new(reader->cx, &reader->builder));
	for (;;)
	{
		SP_TRY(sp_poll(reader->cx));
		SP_TRY(sp_read_u8(&reader->in, &kind));
		if (kind == SP_RECORD_END)
			break;
		SP_TRY(read_record(reader, kind));
	}
	if (reader->in.pos != reader->in.size)
		return sp_fail_at(reader->cx, reader->in.pos, "stored model has bytes after its end");
	return sp_builder_finish(reader->builder, NULL, model);
}

SpStatus
sp_model_read(SpContext *cx, const void *bytes, size_t size, SpModel **model)
{
	SpModelReader reader = {.cx = cx};
	SpStatus	status;

	sp_reader_init(&reader.in, cx, bytes, size);
	SP_TRY(read_header(&reader));
	status = read_body(&reader, model);
	sp_stored_trees_free(&reader);
	/* the builder knows what is wrong, the reader where */
	if (status == SP_ERR_FORMAT && cx->error.offset == SP_NO_OFFSET)
		cx->error.offset = reader.in.pos;
	return status;
}
