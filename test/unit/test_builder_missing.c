/*
 * test/unit/test_builder_missing.c
 *
 * Which features may be missing, by what the steps behind them make of NaN.
 */
#include <math.h>
#include <string.h>

#include "base/sp_bytes.h"
#include "ir/sp_builder.h"
#include "sp_test.h"

#define WIDTH 4

static SpContext cx;
static SpTestRegion region;
static const double numbers[2 * WIDTH + 4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

/* A step over other values; the first failure stays in cx.error. */
static uint32_t
step(SpBuilder *builder, SpOp op, uint32_t kind, uint32_t n_inputs, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t	inputs[3] = {a, b, c};
	uint32_t	value = 0;
	SpGeneral	spec = {.kind = kind, .n_inputs = n_inputs, .inputs = inputs, .dims = {op == SP_OP_CONCAT}};

	if (sp_builder_general(builder, op, &spec, &value) != SP_OK)
		printf("# %s\n", cx.error.message);
	return value;
}

static uint32_t
apply(SpBuilder *builder, SpApply kind, uint32_t in)
{
	return step(builder, SP_OP_APPLY, kind, 1, in, 0, 0);
}

static uint32_t
columns(SpBuilder *builder, uint32_t in, uint32_t first, uint32_t n)
{
	uint32_t	indices[WIDTH];
	uint32_t	value = 0;
	SpGeneral	spec = {.n_inputs = 1, .inputs = &in, .n_indices = n, .indices = indices};

	for (uint32_t at = 0; at < n; at++)
		indices[at] = first + at;
	ok(sp_builder_general(builder, SP_OP_GATHER, &spec, &value) == SP_OK, "columns");
	return value;
}

static uint32_t
constant(SpBuilder *builder, SpType type, uint32_t n)
{
	uint32_t	value = 0;
	SpGeneral	spec = {.kind = type, .n_numbers = n, .numbers = (double *) numbers};

	ok(sp_builder_general(builder, SP_OP_CONSTANT, &spec, &value) == SP_OK, "a constant");
	return value;
}

static uint32_t
impute(SpBuilder *builder, uint32_t in)
{
	return step(builder, SP_OP_WHERE, 0, 3, apply(builder, SP_APPLY_IS_NAN, in),
				constant(builder, sp_builder_value(builder, in).type, 1), in);
}

static uint32_t
scale(SpBuilder *builder, uint32_t in)
{
	uint32_t	value = 0;

	ok(sp_builder_scale(builder, in, numbers, numbers, &value) == SP_OK, "a scaler");
	return value;
}

static uint32_t
trees(SpBuilder *builder, uint32_t in, bool accepts_missing)
{
	static const SpNode leaf = {.feature = SP_LEAF, .right = 1};
	static const SpLeafWeight weight = {.value = 1};
	SpTreesSpec spec = {
		.in = in, .aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F32, .n_targets = 1,
		.accepts_missing = accepts_missing
	};
	uint32_t	value = 0;

	ok(sp_builder_trees_begin(builder, &spec) == SP_OK && sp_builder_tree(builder, &leaf, 1, &weight, 1) == SP_OK &&
	   sp_builder_trees_end(builder, &value) == SP_OK, "trees");
	return value;
}

/* A key for NaN, or none. */
static uint32_t
encode(SpBuilder *builder, uint32_t in, uint32_t nan)
{
	static uint32_t indices[] = {0, 1};
	uint32_t	value = 0;
	SpGeneral	spec = {
		.n_inputs = 1, .inputs = &in, .dims = {3, 2, nan}, .n_numbers = 2, .numbers = (double *) numbers,
		.n_indices = 2, .indices = indices
	};

	ok(sp_builder_general(builder, SP_OP_ENCODE, &spec, &value) == SP_OK &&
	   sp_builder_cast(builder, value, SP_TYPE_F32, &value) == SP_OK, "an encoder: %s", cx.error.message);
	return value;
}

typedef enum Graph
{
	PLAIN, IMPUTED, IMPUTED_ONE, IMPUTED_LATE, DROPPED, TREES, TREES_WITHOUT, TWO_ENSEMBLES, NOT_NAN,
	WRONG_BRANCH, OTHER_FEATURE, INDICATOR, MIXED, DOUBLED, ENCODED, ENCODED_WITHOUT, COMPARED, RELU, NAN_ZERO,
	UNUSED_STEP
} Graph;

/* The value that the layer reads. */
static uint32_t
graph_value(SpBuilder *builder, Graph graph, uint32_t in)
{
	uint32_t	value = in;
	uint32_t	is_nan;

	switch (graph)
	{
		case PLAIN:
			return scale(builder, in);
		case IMPUTED:
			return impute(builder, in);
		case IMPUTED_ONE:
			return step(builder, SP_OP_CONCAT, 0, 2, impute(builder, columns(builder, in, 0, 1)),
						scale(builder, columns(builder, in, 1, 3)), 0);
		case IMPUTED_LATE:
			ok(sp_builder_cast(builder, scale(builder, in), SP_TYPE_F64, &value) == SP_OK, "a cast");
			return impute(builder, apply(builder, SP_APPLY_LOG, value));
		case DROPPED:
			return columns(builder, in, 1, 2);
		case TREES:
			return trees(builder, in, true);
		case TREES_WITHOUT:
			return trees(builder, in, false);
		case TWO_ENSEMBLES:
			return step(builder, SP_OP_CONCAT, 0, 2, trees(builder, columns(builder, in, 0, 3), true),
						trees(builder, columns(builder, in, 2, 2), false), 0);
		case NOT_NAN:
			return step(builder, SP_OP_WHERE, 0, 3, apply(builder, SP_APPLY_NOT, apply(builder, SP_APPLY_IS_NAN, in)),
						in, constant(builder, SP_TYPE_F32, 1));
		case WRONG_BRANCH:
			return step(builder, SP_OP_WHERE, 0, 3, apply(builder, SP_APPLY_IS_NAN, in), in,
						constant(builder, SP_TYPE_F32, 1));
		case OTHER_FEATURE:
			return step(builder, SP_OP_WHERE, 0, 3, apply(builder, SP_APPLY_IS_NAN, columns(builder, in, 0, 1)),
						constant(builder, SP_TYPE_F32, 1), columns(builder, in, 0, 2));
		case INDICATOR:
			is_nan = apply(builder, SP_APPLY_IS_NAN, columns(builder, in, 1, 3));
			ok(sp_builder_cast(builder, is_nan, SP_TYPE_F32, &value) == SP_OK, "an indicator");
			return step(builder, SP_OP_CONCAT, 0, 2, columns(builder, in, 0, 1), value, 0);
		case MIXED:
			return impute(builder, step(builder, SP_OP_BINARY, SP_BINARY_ADD, 2, columns(builder, in, 0, 1),
										columns(builder, in, 1, 1), 0));
		case DOUBLED:
			return impute(builder, step(builder, SP_OP_BINARY, SP_BINARY_MUL, 2, in, in, 0));
		case ENCODED:
			return encode(builder, in, 0);
		case ENCODED_WITHOUT:
			return encode(builder, in, SP_NO_INDEX);
		case COMPARED:
			value = step(builder, SP_OP_BINARY, SP_BINARY_GT, 2, in, constant(builder, SP_TYPE_F32, 1), 0);
			ok(sp_builder_cast(builder, value, SP_TYPE_F32, &value) == SP_OK, "a comparison");
			return value;
		case RELU:
			return impute(builder, apply(builder, SP_APPLY_RELU, in));
		case NAN_ZERO:
			ok(sp_builder_map(builder, in, SP_MAP_NAN_ZERO, &value) == SP_OK, "zeros");
			return value;
		case UNUSED_STEP:
			scale(builder, in);
			return columns(builder, in, 0, 1);
	}
	return value;
}

static const struct
{
	const char *name;
	Graph		graph;
	const char *accepted;
}			cases[] = {
	{"a scaler hands NaN to the layer", PLAIN, "----"},
	{"an imputer takes all of them", IMPUTED, "++++"},
	{"an imputer of one column, a scaler of the others", IMPUTED_ONE, "+---"},
	{"an imputer behind a scaler, a cast and a logarithm", IMPUTED_LATE, "++++"},
	{"columns that nobody reads", DROPPED, "+--+"},
	{"trees with ways for missing values", TREES, "++++"},
	{"trees without", TREES_WITHOUT, "----"},
	{"two ensembles, one with ways for missing values", TWO_ENSEMBLES, "++--"},
	{"an imputer that asks for what is there", NOT_NAN, "++++"},
	{"the wrong branch of an imputer", WRONG_BRANCH, "----"},
	{"an imputer by another feature", OTHER_FEATURE, "+-++"},
	{"an indicator", INDICATOR, "-+++"},
	{"a sum of two features", MIXED, "--++"},
	{"a square", DOUBLED, "++++"},
	{"an encoder with a key for NaN", ENCODED, "++++"},
	{"an encoder without", ENCODED_WITHOUT, "----"},
	{"a comparison", COMPARED, "----"},
	{"a step that may lose NaN", RELU, "----"},
	{"zeros for NaN", NAN_ZERO, "++++"},
	{"a step that no output needs", UNUSED_STEP, "-+++"},
};

static bool
accepts(const SpModel *model, const char *accepted)
{
	bool		all = true;
	char		got[WIDTH + 3] = "";

	for (uint32_t at = 0; at < model->n_features; at++)
	{
		got[at] = model->features[at].accepts_missing ? '+' : '-';
		all = all && model->features[at].accepts_missing;
	}
	if (strcmp(got, accepted) != 0)
		printf("# %s instead of %s\n", got, accepted);
	return strcmp(got, accepted) == 0 && model->accepts_missing == all;
}

static void
test_graphs(void)
{
	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		SpBuilder  *builder = NULL;
		SpModel    *model = NULL;
		SpModel    *again = NULL;
		SpWriter	writer;
		uint32_t	value;

		ok(sp_builder_new(&cx, &builder) == SP_OK && sp_builder_task(builder, SP_TASK_SCORE, true) == SP_OK &&
		   sp_builder_input(builder, SP_TYPE_F32, WIDTH, NULL, &value) == SP_OK, "a builder");
		value = graph_value(builder, cases[at].graph, value);
		ok(sp_builder_linear(builder, value, 1, numbers, NULL, &value) == SP_OK &&
		   sp_builder_output(builder, SP_OUTPUT_VALUE, value) == SP_OK &&
		   sp_builder_finish(builder, NULL, &model) == SP_OK, "a model: %s", cx.error.message);
		ok(accepts(model, cases[at].accepted), "%s", cases[at].name);
		sp_writer_init(&writer, &cx);
		ok(sp_model_write(&cx, model, &writer) == SP_OK &&
		   sp_model_read(&cx, writer.data, writer.size, &again) == SP_OK && accepts(again, cases[at].accepted),
		   "the same when stored");
		sp_test_release_all(&region);
	}
}

/* Integers have no NaN: they may be missing only where nobody reads them. */
static void
test_integers(void)
{
	SpBuilder  *builder = NULL;
	SpModel    *model = NULL;
	uint32_t	in;
	uint32_t	counts;
	uint32_t	value;

	ok(sp_builder_new(&cx, &builder) == SP_OK && sp_builder_task(builder, SP_TASK_TRANSFORM, true) == SP_OK &&
	   sp_builder_input(builder, SP_TYPE_F32, 1, NULL, &in) == SP_OK &&
	   sp_builder_input(builder, SP_TYPE_I64, 3, NULL, &counts) == SP_OK &&
	   sp_builder_input(builder, SP_TYPE_STRING, 1, NULL, &value) == SP_OK, "inputs");
	value = step(builder, SP_OP_CONCAT, 0, 2, encode(builder, columns(builder, counts, 0, 2), 0), in, 0);
	ok(sp_builder_output(builder, SP_OUTPUT_VALUE, value) == SP_OK &&
	   sp_builder_finish(builder, NULL, &model) == SP_OK, "a model: %s", cx.error.message);
	ok(accepts(model, "---++"), "a result of NaN, integers that are read, one and a text that are not");
	sp_test_release_all(&region);
}

int
main(void)
{
	sp_test_context(&cx, &region);
	test_graphs();
	test_integers();
	return done_testing();
}
