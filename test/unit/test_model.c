/*
 * test/unit/test_model.c
 *
 * The stored form: what is written is read back the same, and no bytes
 * whatsoever do harm.
 */
#include "base/sp_bytes.h"
#include "ir/sp_checksum.h"
#include "sp_test_models.h"

#define HEADER_SIZE 32

static SpContext cx;
static SpTestRegion region;

/* Every op, label and output once; small, because each byte of it is broken below. */
static SpModel *
every_op(SpContext *context)
{
	static const double numbers[8] = {0.5, 1, 0.1, -1, 2, 3, 4, 5};
	SpNode		nodes[5] = {
		{.threshold = 0.1, .feature = 1, .left = 4, .right = 2, .flags = SP_NODE_LE | SP_NODE_MISSING_LEFT},
		{.feature = SP_LEAF, .left = 1, .right = 0},
		{.threshold = INFINITY, .feature = 0, .left = 1, .right = 3},
		{.feature = SP_LEAF, .left = 1, .right = 2},
		{.feature = SP_LEAF, .left = 0, .right = 1}
	};
	SpLeafWeight weights[3] = {{0.25, 1}, {-0.0, 0}, {1e-50, 1}};
	SpTreesSpec spec = {.aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F64, .n_targets = 2, .base = numbers};
	SpStr		labels[2] = {SP_STR("no"), SP_STR("s\xc3\xad")};
	SpStr		names[2] = {SP_STR("width"), SP_STR("height")};
	SpBuilder  *builder;
	SpModel    *model;
	uint32_t	in;
	uint32_t	counts;
	uint32_t	value;
	uint32_t	label;

	if (sp_builder_new(context, &builder) != SP_OK ||
		sp_builder_task(builder, SP_TASK_CLASSIFICATION, false) != SP_OK ||
		sp_builder_origin(builder, SP_STR("test 1.0"), SP_STR("none")) != SP_OK ||
		sp_builder_labels(builder, SP_TYPE_STRING, labels, 2) != SP_OK ||
		sp_builder_input(builder, SP_TYPE_F32, 2, names, &in) != SP_OK ||
		sp_builder_input(builder, SP_TYPE_I64, 1, NULL, &counts) != SP_OK ||
		sp_builder_cast(builder, counts, SP_TYPE_F64, &value) != SP_OK ||
		sp_builder_scale(builder, in, numbers, numbers + 2, &value) != SP_OK ||
		sp_builder_normalize(builder, value, SP_NORM_L2, &spec.in) != SP_OK ||
		sp_builder_trees_begin(builder, &spec) != SP_OK ||
		sp_builder_tree(builder, nodes, 5, weights, 3) != SP_OK ||
		sp_builder_tree(builder, nodes + 4, 1, weights, 1) != SP_OK ||
		sp_builder_trees_end(builder, &value) != SP_OK ||
		sp_builder_output(builder, SP_OUTPUT_RAW, value) != SP_OK ||
		sp_builder_linear(builder, value, 1, numbers, NULL, &value) != SP_OK ||
		sp_builder_map(builder, value, SP_MAP_SIGMOID, &value) != SP_OK ||
		sp_builder_above(builder, value, 0.5, &label) != SP_OK ||
		sp_builder_complement(builder, value, &value) != SP_OK ||
		sp_builder_softmax(builder, value, SP_SOFTMAX_NONZERO, &value) != SP_OK ||
		sp_builder_output(builder, SP_OUTPUT_PROBABILITIES, value) != SP_OK ||
		sp_builder_argmax(builder, value, &value) != SP_OK ||
		sp_builder_output(builder, SP_OUTPUT_LABEL, label) != SP_OK ||
		sp_builder_finish(builder, NULL, &model) != SP_OK)
		return NULL;
	return model;
}

static SpStatus
write_model(SpContext *context, const SpModel *model, SpWriter *writer)
{
	sp_writer_init(writer, context);
	return sp_model_write(context, model, writer);
}

/* A copy outside of the region, exactly as long as the bytes, so that the sanitizer sees any step past it. */
static uint8_t *
keep(const SpWriter *writer)
{
	uint8_t    *copy = malloc(writer->size);

	memcpy(copy, writer->data, writer->size);
	return copy;
}

static void
test_every_op(void)
{
	SpModel    *model = every_op(&cx);
	SpModel    *again;
	SpWriter	first;
	SpWriter	second;

	ok(model != NULL, "a model of every op: %s", cx.error.message);
	ok(write_model(&cx, model, &first) == SP_OK, "is written");
	ok(sp_model_read(&cx, first.data, first.size, &again) == SP_OK, "and read: %s", cx.error.message);
	ok(write_model(&cx, again, &second) == SP_OK && first.size == second.size &&
	   memcmp(first.data, second.data, first.size) == 0, "and written the same");
	ok(again->task == model->task && !again->accepts_missing && !again->accepts_infinite, "facts");
	ok(!strcmp(again->producer, "test 1.0") && !strcmp(again->objective, "none"), "origin");
	ok(!strcmp(again->labels[1], "s\xc3\xad") && again->label_type == SP_TYPE_STRING, "labels");
	ok(!strcmp(again->features[1].name, "height") && !strcmp(again->features[2].name, "f2"), "names");
	ok(again->n_trees == 2 && again->n_nodes == 6 && again->n_parameters == model->n_parameters, "counts");
	ok(memcmp(again->outputs, model->outputs, sizeof(model->outputs)) == 0, "outputs");
	ok(again->steps[3].u.trees.nodes[0].threshold == 0.1 && again->steps[3].u.trees.nodes[0].flags == 3,
	   "thresholds and flags");
	ok(signbit(again->steps[3].u.trees.weights[again->steps[3].u.trees.nodes[3].left].value), "minus zero");
	sp_test_release_all(&region);
}

static void
test_random_models(void)
{
	int			n_bad = 0;

	for (int number = 0; number < 300; number++)
	{
		SpTestRandom random = {(uint64_t) number};
		SpTestEnsemble spec = random_spec(&random);
		SpModel    *model = random_model(&cx, &random, &spec);
		SpModel    *again;
		SpWriter	first;
		SpWriter	second;

		if (model == NULL || write_model(&cx, model, &first) != SP_OK ||
			sp_model_read(&cx, first.data, first.size, &again) != SP_OK ||
			write_model(&cx, again, &second) != SP_OK || first.size != second.size ||
			memcmp(first.data, second.data, first.size) != 0)
			n_bad++;
		sp_test_release_all(&region);
	}
	ok(n_bad == 0, "300 random models are the same after writing and reading");
}

/* Give changed bytes a fitting header, so that the change reaches the records. */
static void
mend_header(uint8_t *bytes, size_t size)
{
	uint64_t	numbers[2] = {size - HEADER_SIZE, sp_checksum(bytes + HEADER_SIZE, size - HEADER_SIZE)};

	for (int at = 0; at < 16; at++)
		bytes[16 + at] = (uint8_t) (numbers[at / 8] >> 8 * (at % 8));
}

/* Reading bytes that are in a block of exactly their size. */
static SpStatus
read_bytes(const uint8_t *bytes, size_t size)
{
	uint8_t    *copy = malloc(size > 0 ? size : 1);
	SpModel    *model;
	SpStatus	status;

	memcpy(copy, bytes, size);
	status = sp_model_read(&cx, copy, size, &model);
	free(copy);
	sp_test_release_all(&region);
	return status;
}

static void
test_truncated(const uint8_t *bytes, size_t size)
{
	uint8_t    *mended = malloc(size);
	size_t		n_read = 0;
	size_t		n_without_offset = 0;

	for (size_t cut = 0; cut < size; cut++)
	{
		if (read_bytes(bytes, cut) != SP_ERR_FORMAT)
			n_read++;
		if (cut < HEADER_SIZE)
			continue;
		memcpy(mended, bytes, cut);
		mend_header(mended, cut);
		n_read += read_bytes(mended, cut) != SP_ERR_FORMAT;
		n_without_offset += cx.error.offset > cut;
	}
	ok(n_read == 0, "cut off after any of %zu bytes it is refused", size);
	ok(n_without_offset == 0, "with the place");
	free(mended);
}

static void
test_flipped(const uint8_t *bytes, size_t size)
{
	uint8_t    *changed = malloc(size);
	size_t		n_unnoticed = 0;
	size_t		n_read = 0;
	size_t		n_odd = 0;

	for (size_t bit = 0; bit < size * 8; bit++)
	{
		SpStatus	status;

		memcpy(changed, bytes, size);
		changed[bit / 8] ^= (uint8_t) (1 << bit % 8);
		n_unnoticed += read_bytes(changed, size) == SP_OK;
		if (bit < HEADER_SIZE * 8)
			continue;
		mend_header(changed, size);
		status = read_bytes(changed, size);
		n_read += status == SP_OK;
		n_odd += status != SP_OK && status != SP_ERR_FORMAT && status != SP_ERR_LIMIT;
	}
	ok(n_unnoticed == 0, "no flipped bit goes unnoticed");
	ok(n_odd == 0 && n_read > 0, "with a mended checksum each gives a model (%zu of %zu) or a clear error",
	   n_read, (size - HEADER_SIZE) * 8);
	free(changed);
}

/* Several changes at once, with the extremes that counts are made of. */
static void
test_mangled(const uint8_t *bytes, size_t size)
{
	static const uint8_t favourites[] = {0, 1, 2, 4, 0x7f, 0x80, 0xff, 0x11};
	SpTestRandom random = {17};
	uint8_t    *changed = malloc(2 * size);
	size_t		n_odd = 0;

	for (int round = 0; round < 20000; round++)
	{
		size_t		now = size;
		SpStatus	status;

		memcpy(changed, bytes, size);
		for (uint32_t change = 1 + random_below(&random, 4); change > 0; change--)
		{
			uint32_t	at = HEADER_SIZE + random_below(&random, (uint32_t) (now - HEADER_SIZE));
			uint32_t	length = random_below(&random, 5);

			if (random_below(&random, 4) == 0 && now + length <= 2 * size)
			{
				memmove(changed + at + length, changed + at, now - at);
				now += length;
			}
			else if (at + length <= now)
				memset(changed + at, favourites[random_below(&random, 8)], length);
		}
		mend_header(changed, now);
		status = read_bytes(changed, now);
		n_odd += status != SP_OK && status != SP_ERR_FORMAT && status != SP_ERR_LIMIT;
	}
	ok(n_odd == 0, "20000 mangled forms do no harm");
	free(changed);
}

static void
test_header(uint8_t *bytes, size_t size)
{
	SpModel    *model;

	bytes[8] = 2;
	fails_with(&cx, sp_model_read(&cx, bytes, size, &model), SP_ERR_UNSUPPORTED, "format version 2", "a later version");
	bytes[8] = 0;
	fails_with(&cx, sp_model_read(&cx, bytes, size, &model), SP_ERR_UNSUPPORTED, "format version 0", "no version");
	bytes[8] = 1;
	fails_with(&cx, sp_model_read(&cx, "{\"learner\":{}}", 14, &model), SP_ERR_FORMAT, "not a stored model", "another file");
	fails_with(&cx, sp_model_read(&cx, "", 0, &model), SP_ERR_FORMAT, NULL, "an empty file");
	sp_test_release_all(&region);
}

static void
test_limits(const uint8_t *bytes, size_t size)
{
	SpModel    *model;

	cx.limits.max_nodes = 5;
	fails_with(&cx, sp_model_read(&cx, bytes, size, &model), SP_ERR_LIMIT, "5 tree nodes", "limit of nodes");
	sp_limits_default(&cx.limits);
	cx.limits.max_tree_depth = 1;
	fails_with(&cx, sp_model_read(&cx, bytes, size, &model), SP_ERR_LIMIT, "2 splits deep", "limit of depth");
	sp_limits_default(&cx.limits);
	cx.limits.max_features = 2;
	fails_with(&cx, sp_model_read(&cx, bytes, size, &model), SP_ERR_LIMIT, "3 features", "limit of features");
	sp_limits_default(&cx.limits);
	cx.limits.max_labels = 1;
	fails_with(&cx, sp_model_read(&cx, bytes, size, &model), SP_ERR_LIMIT, "2 labels", "limit of labels");
	sp_limits_default(&cx.limits);
	cx.limits.max_elements = 1;
	fails_with(&cx, sp_model_read(&cx, bytes, size, &model), SP_ERR_LIMIT, "limit of 1", "limit of elements");
	sp_limits_default(&cx.limits);
	cx.limits.max_string = 3;
	fails_with(&cx, sp_model_read(&cx, bytes, size, &model), SP_ERR_LIMIT, NULL, "limit of strings");
	sp_limits_default(&cx.limits);
	sp_test_release_all(&region);
}

/* A count in front of few bytes must not make the reader ask for much memory. */
static void
test_memory(const uint8_t *bytes, size_t size)
{
	uint8_t    *changed = malloc(size);
	size_t		peak = 0;

	for (size_t at = HEADER_SIZE; at + 4 <= size; at++)
	{
		memcpy(changed, bytes, size);
		memset(changed + at, 0xff, 3);
		changed[at + 3] = 0;
		mend_header(changed, size);
		region.peak = 0;
		read_bytes(changed, size);
		peak = region.peak > peak ? region.peak : peak;
	}
	ok(peak < 64 * 1024, "false counts make it use at most %zu bytes", peak);
	free(changed);
}

static void
test_failures(const uint8_t *bytes, size_t size)
{
	SpStatus	status = SP_ERR_MEMORY;
	SpModel    *model;
	SpWriter	writer;
	long		fail_at;

	for (fail_at = 1; status == SP_ERR_MEMORY; fail_at++)
	{
		region.calls = 0;
		region.fail_at = fail_at;
		status = sp_model_read(&cx, bytes, size, &model);
		sp_test_release_all(&region);
	}
	ok(status == SP_OK && fail_at > 40, "each of %ld allocations of the reader may fail", fail_at - 2);
	region.fail_at = 0;
	model = every_op(&cx);
	for (status = SP_ERR_MEMORY, fail_at = 1; status == SP_ERR_MEMORY; fail_at++)
	{
		region.calls = 0;
		region.fail_at = fail_at;
		status = write_model(&cx, model, &writer);
	}
	ok(status == SP_OK, "each of %ld allocations of the writer may fail", fail_at - 2);
	region.fail_at = 0;
	sp_test_release_all(&region);
}

static bool
stop_now(void *arg)
{
	(void) arg;
	return true;
}

static void
test_stop(const uint8_t *bytes, size_t size)
{
	SpModel    *model = every_op(&cx);
	SpWriter	writer;

	cx.stop = stop_now;
	ok(sp_model_read(&cx, bytes, size, &model) == SP_ERR_CANCELLED, "reading can be stopped");
	cx.stop = NULL;
	model = every_op(&cx);
	cx.stop = stop_now;
	ok(write_model(&cx, model, &writer) == SP_ERR_CANCELLED, "writing can be stopped");
	cx.stop = NULL;
	sp_test_release_all(&region);
}

/* These are in doc/format.md: they may never change. */
static void
test_checksum(void)
{
	char		bytes[100];

	for (int at = 0; at < 100; at++)
		bytes[at] = (char) at;
	ok(sp_checksum("", 0) == UINT64_C(0x40d24ea7602351dc), "checksum of nothing: %016llx",
	   (unsigned long long) sp_checksum("", 0));
	ok(sp_checksum("smartpouch", 10) == UINT64_C(0x5e2658bf48b19981), "checksum of a word: %016llx",
	   (unsigned long long) sp_checksum("smartpouch", 10));
	ok(sp_checksum(bytes, 100) == UINT64_C(0x1cb44a8f6b717b41), "checksum of 0 to 99: %016llx",
	   (unsigned long long) sp_checksum(bytes, 100));
}

/* The example of doc/format.md, written by version 1: every later release reads it. */
static const uint8_t example[] = {
	0x53, 0x50, 0x4d, 0x4f, 0x44, 0x45, 0x4c, 0x0a, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x72, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x32, 0xf7, 0x51, 0x83, 0x40, 0x61, 0x5d, 0xe1,
	0x01, 0x01, 0x02, 0x02, 0x0d, 0x00, 0x00, 0x00, 0x58, 0x47, 0x42, 0x6f, 0x6f, 0x73, 0x74, 0x20,
	0x33, 0x2e, 0x32, 0x2e, 0x30, 0x10, 0x00, 0x00, 0x00, 0x72, 0x65, 0x67, 0x3a, 0x73, 0x71, 0x75,
	0x61, 0x72, 0x65, 0x64, 0x65, 0x72, 0x72, 0x6f, 0x72, 0x04, 0x01, 0x02, 0x00, 0x00, 0x00, 0x01,
	0x00, 0x00, 0x00, 0x67, 0x01, 0x00, 0x00, 0x00, 0x74, 0x11, 0x00, 0x00, 0x00, 0x00, 0x01, 0x01,
	0x02, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x3f, 0x01, 0x00, 0x00, 0x00, 0x00, 0x03,
	0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x02, 0x01, 0x01, 0x02, 0x00, 0x00, 0xc0, 0x3f, 0x04,
	0x01, 0x00, 0x00, 0x80, 0xbe, 0x04, 0x01, 0x00, 0x00, 0x80, 0x3f, 0x05, 0x00, 0x01, 0x00, 0x00,
	0x00, 0x00
};

/* The example with another byte, and the checksum of that. */
static void
refuse_flags(size_t at, uint8_t flags, const char *message)
{
	uint8_t		changed[sizeof(example)];
	uint64_t	checksum;
	SpModel    *model = NULL;

	memcpy(changed, example, sizeof(example));
	changed[at] = flags;
	checksum = sp_checksum(changed + HEADER_SIZE, sizeof(example) - HEADER_SIZE);
	for (int byte = 0; byte < 8; byte++)
		changed[24 + byte] = (uint8_t) (checksum >> 8 * byte);
	ok(sp_model_read(&cx, changed, sizeof(changed), &model) == SP_ERR_FORMAT &&
	   strstr(cx.error.message, message) != NULL, "%s: %s", message, cx.error.message);
	sp_test_release_all(&region);
}

static void
test_example(void)
{
	SpModel    *model = NULL;
	SpWriter	writer;
	const SpTrees *trees;

	ok(sp_model_read(&cx, example, sizeof(example), &model) == SP_OK, "the documented example is read: %s",
	   cx.error.message);
	trees = &model->steps[0].u.trees;
	ok(model->task == SP_TASK_REGRESSION && !strcmp(model->features[1].name, "t") &&
	   trees->base[0] == 0.5 && trees->accepts_missing && trees->nodes[0].feature == 1 && trees->nodes[0].threshold == 1.5 &&
	   trees->nodes[0].flags == SP_NODE_MISSING_LEFT && trees->weights[0].value == -0.25,
	   "and is what the document says");
	ok(write_model(&cx, model, &writer) == SP_OK && writer.size == sizeof(example) &&
	   memcmp(writer.data, example, sizeof(example)) == 0, "and is written the same");
	sp_test_release_all(&region);
	refuse_flags(0x22, 1, "unknown flags of the task");
	refuse_flags(0x60, 4, "unknown flags of the trees");
}

static void
test_names(void)
{
	ok(!strcmp(sp_type_name(SP_TYPE_F32), "float32") && !strcmp(sp_type_name(SP_TYPE_F64), "float64") &&
	   !strcmp(sp_type_name(SP_TYPE_I64), "int64") && !strcmp(sp_type_name(SP_TYPE_STRING), "string"), "types");
	ok(!strcmp(sp_task_name(SP_TASK_REGRESSION), "regression") && !strcmp(sp_task_name(SP_TASK_SCORE), "score") &&
	   !strcmp(sp_task_name(SP_TASK_SURVIVAL), "survival"), "tasks");
	ok(!strcmp(sp_output_name(SP_OUTPUT_VALUE), "value") &&
	   !strcmp(sp_output_name(SP_OUTPUT_PROBABILITIES), "probabilities"), "outputs");
	ok(!strcmp(sp_op_name(SP_OP_TREES), "trees") && !strcmp(sp_op_name(SP_OP_ABOVE), "above"), "ops");
	ok(!strcmp(sp_type_name((SpType) 9), "unknown") && !strcmp(sp_task_name((SpTask) 9), "unknown") &&
	   !strcmp(sp_output_name((SpOutput) 9), "unknown") && !strcmp(sp_op_name((SpOp) 0), "unknown"), "others");
}

int
main(void)
{
	SpWriter	writer;
	uint8_t    *bytes;
	size_t		size;

	sp_test_context(&cx, &region);
	test_names();
	test_checksum();
	test_example();
	test_every_op();
	test_random_models();
	write_model(&cx, every_op(&cx), &writer);
	bytes = keep(&writer);
	size = writer.size;
	sp_test_release_all(&region);
	test_truncated(bytes, size);
	test_flipped(bytes, size);
	test_mangled(bytes, size);
	test_header(bytes, size);
	test_limits(bytes, size);
	test_memory(bytes, size);
	test_failures(bytes, size);
	test_stop(bytes, size);
	free(bytes);
	return done_testing();
}
