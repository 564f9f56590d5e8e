/*
 * test/unit/test_builder.c
 *
 * What the builder refuses, case by case, and what it makes of the rest; trees
 * are in test_builder_trees.c.
 */
#include "sp_test_models.h"

static SpContext cx;
static SpTestRegion region;

/* A builder with a float input of 3 columns; values 0 is the input. */
static SpBuilder *
begin(void)
{
	SpBuilder  *builder = NULL;
	uint32_t	value;

	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	if (sp_builder_new(&cx, &builder) != SP_OK ||
		sp_builder_input(builder, SP_TYPE_F32, 3, NULL, &value) != SP_OK)
		ok(false, "a fresh builder takes an input");
	return builder;
}

static void
test_facts(void)
{
	SpBuilder  *builder = begin();
	SpStr		two[] = {SP_STR("1"), SP_STR("x")};
	char		longest[2000];

	fails_with(&cx, sp_builder_task(builder, (SpTask) 0, true), SP_ERR_FORMAT, "unknown task 0", "task 0");
	fails_with(&cx, sp_builder_task(builder, (SpTask) 6, true), SP_ERR_FORMAT, "unknown task", "task 6");
	ok(sp_builder_task(builder, SP_TASK_SCORE, true) == SP_OK, "a task");
	fails_with(&cx, sp_builder_task(builder, SP_TASK_SCORE, true), SP_ERR_FORMAT, "twice", "second task");
	fails_with(&cx, sp_builder_origin(builder, SP_STR("a\nb"), SP_STR("")), SP_ERR_FORMAT, "producer \"a?b\"",
			   "producer with a control character");
	builder = begin();
	memset(longest, 'x', sizeof(longest));
	fails_with(&cx, sp_builder_origin(builder, (SpStr) {longest, 1025}, SP_STR("")), SP_ERR_LIMIT, NULL,
			   "producer over the limit");
	builder = begin();
	ok(sp_builder_origin(builder, SP_STR(""), SP_STR("reg:squarederror")) == SP_OK, "empty producer");
	fails_with(&cx, sp_builder_origin(builder, SP_STR(""), SP_STR("")), SP_ERR_FORMAT, "twice", "second origin");
	fails_with(&cx, sp_builder_labels(builder, SP_TYPE_F32, two, 2), SP_ERR_FORMAT, "type 1", "float labels");
	fails_with(&cx, sp_builder_labels(builder, SP_TYPE_STRING, two, 0), SP_ERR_FORMAT, "empty", "no labels");
	cx.limits.max_labels = 1;
	fails_with(&cx, sp_builder_labels(builder, SP_TYPE_STRING, two, 2), SP_ERR_LIMIT, "2 labels", "too many labels");
	cx.limits.max_labels = 2;
	fails_with(&cx, sp_builder_labels(builder, SP_TYPE_I64, two, 2), SP_ERR_FORMAT, "label \"x\" is not an integer",
			   "integer labels that are not");
	builder = begin();
	two[1] = SP_STR("");
	fails_with(&cx, sp_builder_labels(builder, SP_TYPE_STRING, two, 2), SP_ERR_FORMAT, "label is empty", "empty label");
	builder = begin();
	two[1] = SP_STR("\xff");
	fails_with(&cx, sp_builder_labels(builder, SP_TYPE_STRING, two, 2), SP_ERR_FORMAT, "not well-formed", "broken UTF-8");
	builder = begin();
	two[1] = SP_STR("2");
	ok(sp_builder_labels(builder, SP_TYPE_I64, two, 2) == SP_OK, "integer labels");
	fails_with(&cx, sp_builder_labels(builder, SP_TYPE_I64, two, 2), SP_ERR_FORMAT, "twice", "second labels");
}

static void
test_integer_labels(void)
{
	static const char *const good[] = {
		"0", "1", "-1", "10", "9223372036854775807", "-9223372036854775808", "1000000000000000000"
	};
	static const char *const bad[] = {
		"-", "-0", "00", "01", "+1", "1.0", " 1", "1 ", "9223372036854775808", "-9223372036854775809",
		"10000000000000000000", "99999999999999999999", "1e3", "0x1", "a"
	};

	for (size_t at = 0; at < sizeof(good) / sizeof(good[0]); at++)
		ok(sp_builder_labels(begin(), SP_TYPE_I64, &(SpStr) {good[at], strlen(good[at])}, 1) == SP_OK,
		   "%s is an integer", good[at]);
	for (size_t at = 0; at < sizeof(bad) / sizeof(bad[0]); at++)
		fails_with(&cx, sp_builder_labels(begin(), SP_TYPE_I64, &(SpStr) {bad[at], strlen(bad[at])}, 1),
				   SP_ERR_FORMAT, "not an integer", "\"%s\" is not an integer", bad[at]);
}

static void
test_inputs(void)
{
	SpBuilder  *builder = begin();
	SpStr		names[2] = {SP_STR("a"), SP_STR("")};
	uint32_t	value;

	fails_with(&cx, sp_builder_input(builder, (SpType) 5, 1, NULL, &value), SP_ERR_FORMAT, "type 5", "unknown type");
	fails_with(&cx, sp_builder_input(builder, SP_TYPE_F32, 0, NULL, &value), SP_ERR_FORMAT, "without columns", "width 0");
	cx.limits.max_features = 4;
	fails_with(&cx, sp_builder_input(builder, SP_TYPE_F32, 2, NULL, &value), SP_ERR_LIMIT, "5 features", "too many features");
	cx.limits.max_features = UINT32_MAX;
	fails_with(&cx, sp_builder_input(builder, SP_TYPE_F32, 1000000, NULL, &value), SP_ERR_LIMIT, "1000003 features",
			   "over the cap whatever the limit says");
	fails_with(&cx, sp_builder_input(builder, SP_TYPE_F32, UINT32_MAX, NULL, &value), SP_ERR_LIMIT, "features",
			   "a width that overflows 32 bits");
	builder = begin();
	fails_with(&cx, sp_builder_input(builder, SP_TYPE_F32, 2, names, &value), SP_ERR_FORMAT, "feature name is empty",
			   "empty name");
	builder = begin();
	ok(sp_builder_map(builder, 0, SP_MAP_EXP, &value) == SP_OK, "a step");
	fails_with(&cx, sp_builder_input(builder, SP_TYPE_F32, 1, NULL, &value), SP_ERR_FORMAT, "after the first step",
			   "input after a step");
}

static void
test_steps(void)
{
	SpBuilder  *builder = begin();
	double		numbers[6] = {1, 2, 3, 4, 5, 6};
	double		broken[6] = {1, 2, NAN, 4, 5, 6};
	double		huge[6] = {1, 2, 1e39, 4, 5, 6};
	uint32_t	value;
	uint32_t	label;

	fails_with(&cx, sp_builder_map(builder, 1, SP_MAP_EXP, &value), SP_ERR_FORMAT, "value 1, which does not exist",
			   "value that does not exist");
	fails_with(&cx, sp_builder_map(builder, SP_NO_VALUE, SP_MAP_EXP, &value), SP_ERR_FORMAT, "does not exist", "no value");
	fails_with(&cx, sp_builder_map(builder, 0, (SpMap) 0, &value), SP_ERR_FORMAT, "function 0", "map 0");
	fails_with(&cx, sp_builder_map(builder, 0, (SpMap) 6, &value), SP_ERR_FORMAT, "function 6", "map 6");
	fails_with(&cx, sp_builder_softmax(builder, 0, (SpSoftmax) 3, &value), SP_ERR_FORMAT, "softmax", "softmax 3");
	fails_with(&cx, sp_builder_normalize(builder, 0, (SpNorm) 0, &value), SP_ERR_FORMAT, "norm", "norm 0");
	fails_with(&cx, sp_builder_cast(builder, 0, SP_TYPE_STRING, &value), SP_ERR_FORMAT, "cast to type 4", "cast to string");
	fails_with(&cx, sp_builder_cast(builder, 7, SP_TYPE_F32, &value), SP_ERR_FORMAT, "does not exist", "cast of nothing");
	fails_with(&cx, sp_builder_complement(builder, 0, &value), SP_ERR_FORMAT, "3 columns", "complement of 3");
	fails_with(&cx, sp_builder_above(builder, 0, 0.5, &value), SP_ERR_FORMAT, "3 columns", "bound for 3");
	ok(sp_builder_argmax(builder, 0, &label) == SP_OK && sp_builder_value(builder, label).type == SP_TYPE_I64, "argmax");
	fails_with(&cx, sp_builder_map(builder, label, SP_MAP_EXP, &value), SP_ERR_FORMAT, "int64", "map of integers");
	fails_with(&cx, sp_builder_above(builder, label, 0.5, &value), SP_ERR_FORMAT, "int64", "bound for integers");
	fails_with(&cx, sp_builder_linear(builder, 0, 2, broken, numbers, &value), SP_ERR_FORMAT, "number 2 of weight matrix",
			   "NaN weight");
	fails_with(&cx, sp_builder_linear(builder, 0, 2, huge, numbers, &value), SP_ERR_FORMAT, "not finite",
			   "weight that overflows the type");
	fails_with(&cx, sp_builder_linear(builder, 0, 2, numbers, broken + 2, &value), SP_ERR_FORMAT, "bias", "NaN bias");
	fails_with(&cx, sp_builder_linear(builder, 0, 0, numbers, numbers, &value), SP_ERR_FORMAT, "without columns",
			   "linear without outputs");
	cx.limits.max_elements = 5;
	fails_with(&cx, sp_builder_linear(builder, 0, 2, numbers, numbers, &value), SP_ERR_LIMIT, "6 elements",
			   "weight matrix over the limit");
	cx.limits.max_elements = UINT64_MAX;
	fails_with(&cx, sp_builder_scale(builder, 0, numbers, broken, &value), SP_ERR_FORMAT, "scaler factor", "NaN factor");
	fails_with(&cx, sp_builder_scale(builder, 0, broken, numbers, &value), SP_ERR_FORMAT, "scaler offset", "NaN offset");
	ok(sp_builder_linear(builder, 0, 1, numbers, NULL, &value) == SP_OK, "linear without bias");
	fails_with(&cx, sp_builder_above(builder, value, INFINITY, &label), SP_ERR_FORMAT, "not finite", "infinite bound");
	ok(sp_builder_value(builder, 99).width == 0, "no such value has no width");
}

static void
test_structural_limits(void)
{
	SpBuilder  *builder = begin();
	SpStatus	status = SP_OK;
	uint32_t	value;
	int			made;

	for (made = 0; made <= 10000 && status == SP_OK; made++)
		status = sp_builder_map(builder, 0, SP_MAP_EXP, &value);
	fails_with(&cx, status, SP_ERR_LIMIT, "10000 steps", "too many steps");
	builder = begin();
	ok(sp_builder_input(builder, SP_TYPE_F32, 60000, NULL, &value) == SP_OK, "a wide input");
	for (status = SP_OK, made = 0; made < 1000 && status == SP_OK; made++)
		status = sp_builder_map(builder, 1, SP_MAP_EXP, &value);
	fails_with(&cx, status, SP_ERR_LIMIT, "one row", "rows that need too much memory");
	ok(made == 133, "after 8 million numbers");
}

/* Outputs and the whole */

static void
test_outputs(void)
{
	SpBuilder  *builder = begin();
	uint32_t	label;

	sp_builder_argmax(builder, 0, &label);
	fails_with(&cx, sp_builder_output(builder, (SpOutput) 4, 0), SP_ERR_FORMAT, "unknown output 4", "unknown output");
	fails_with(&cx, sp_builder_output(builder, SP_OUTPUT_RAW, 2), SP_ERR_FORMAT, "does not exist", "output of nothing");
	fails_with(&cx, sp_builder_output(builder, SP_OUTPUT_LABEL, 0), SP_ERR_FORMAT, "float32", "label of floats");
	fails_with(&cx, sp_builder_output(builder, SP_OUTPUT_RAW, label), SP_ERR_FORMAT, "int64", "raw of integers");
	ok(sp_builder_output(builder, SP_OUTPUT_RAW, 0) == SP_OK, "an input as raw output");
	fails_with(&cx, sp_builder_output(builder, SP_OUTPUT_RAW, 0), SP_ERR_FORMAT, "output raw is given twice", "raw twice");
}

/* A classifier over 3 columns; with pieces left out. */
#define WITHOUT_TASK 1
#define WITHOUT_LABELS 2
#define WITHOUT_LABEL_OUTPUT 4
#define TWO_LABELS 8
#define TWO_PROBABILITIES 16
#define LABEL_BY_CAST 32
#define LABEL_BY_BOUND 64
#define DOUBLED_LABELS 128
#define DOUBLED_NAMES 256

static SpStatus
finish_classifier(int how, const SpOverrides *overrides, SpModel **model)
{
	static const double numbers[6] = {1, 2, 3, 4, 5, 6};
	SpBuilder  *builder;
	SpStr		labels[3] = {SP_STR("a"), SP_STR("b"), how & DOUBLED_LABELS ? SP_STR("a") : SP_STR("c")};
	SpStr		names[3] = {SP_STR("x"), SP_STR("y"), how & DOUBLED_NAMES ? SP_STR("y") : SP_STR("z")};
	uint32_t	in;
	uint32_t	one;
	uint32_t	two;
	uint32_t	label;

	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	sp_builder_new(&cx, &builder);
	sp_builder_input(builder, SP_TYPE_F32, 3, names, &in);
	if (!(how & WITHOUT_TASK))
		sp_builder_task(builder, SP_TASK_CLASSIFICATION, false);
	if (!(how & WITHOUT_LABELS))
		sp_builder_labels(builder, SP_TYPE_STRING, labels, how & TWO_LABELS ? 2 : 3);
	sp_builder_linear(builder, in, 1, numbers, NULL, &one);
	sp_builder_linear(builder, in, 2, numbers, NULL, &two);
	if (how & LABEL_BY_CAST)
		sp_builder_cast(builder, one, SP_TYPE_I64, &label);
	else if (how & LABEL_BY_BOUND)
		sp_builder_above(builder, one, 0, &label);
	else
		sp_builder_argmax(builder, in, &label);
	sp_builder_output(builder, SP_OUTPUT_PROBABILITIES, how & TWO_PROBABILITIES ? two : in);
	if (!(how & WITHOUT_LABEL_OUTPUT))
		sp_builder_output(builder, SP_OUTPUT_LABEL, label);
	return sp_builder_finish(builder, overrides, model);
}

static void
test_finish(void)
{
	SpModel    *model;
	SpBuilder  *builder;
	uint32_t	value;

	ok(finish_classifier(0, NULL, &model) == SP_OK, "a whole classifier: %s", cx.error.message);
	fails_with(&cx, finish_classifier(WITHOUT_TASK, NULL, &model), SP_ERR_FORMAT, "without a task", "no task");
	fails_with(&cx, finish_classifier(WITHOUT_LABELS, NULL, &model), SP_ERR_FORMAT, "without labels", "no labels");
	fails_with(&cx, finish_classifier(WITHOUT_LABEL_OUTPUT, NULL, &model), SP_ERR_FORMAT, "without output label", "no label output");
	fails_with(&cx, finish_classifier(TWO_LABELS, NULL, &model), SP_ERR_FORMAT, "among 3 classes", "argmax over more than the labels");
	fails_with(&cx, finish_classifier(LABEL_BY_CAST, NULL, &model), SP_ERR_FORMAT, "not the choice", "label that may be anything");
	fails_with(&cx, finish_classifier(LABEL_BY_BOUND, NULL, &model), SP_ERR_FORMAT, "among 2 classes", "bound with three labels");
	fails_with(&cx, finish_classifier(LABEL_BY_BOUND | TWO_LABELS, NULL, &model), SP_ERR_FORMAT, "3 probabilities, but 2 labels",
			   "more probabilities than labels");
	ok(finish_classifier(LABEL_BY_BOUND | TWO_LABELS | TWO_PROBABILITIES, NULL, &model) == SP_OK, "bound with two labels");
	fails_with(&cx, finish_classifier(TWO_PROBABILITIES, NULL, &model), SP_ERR_FORMAT, "2 probabilities", "fewer probabilities than labels");
	fails_with(&cx, finish_classifier(DOUBLED_LABELS, NULL, &model), SP_ERR_FORMAT, "label \"a\" is used twice, as number 1 and number 3",
			   "doubled label");
	fails_with(&cx, finish_classifier(DOUBLED_NAMES, NULL, &model), SP_ERR_FORMAT, "feature name \"y\" is used twice, as number 2 and number 3",
			   "doubled name");

	builder = begin();
	sp_builder_task(builder, SP_TASK_REGRESSION, false);
	fails_with(&cx, sp_builder_finish(builder, NULL, &model), SP_ERR_FORMAT, "regression model without output value", "no value");
	builder = begin();
	sp_builder_task(builder, SP_TASK_RANKING, false);
	sp_builder_labels(builder, SP_TYPE_STRING, &SP_STR("a"), 1);
	sp_builder_argmax(builder, 0, &value);
	sp_builder_cast(builder, value, SP_TYPE_F32, &value);
	sp_builder_output(builder, SP_OUTPUT_VALUE, value);
	fails_with(&cx, sp_builder_finish(builder, NULL, &model), SP_ERR_FORMAT, "ranking model with labels", "labels of a ranking");
	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	sp_builder_new(&cx, &builder);
	sp_builder_task(builder, SP_TASK_SCORE, false);
	fails_with(&cx, sp_builder_finish(builder, NULL, &model), SP_ERR_FORMAT, "without inputs", "no inputs");

	builder = begin();
	sp_builder_task(builder, SP_TASK_REGRESSION, false);
	ok(sp_builder_output(builder, SP_OUTPUT_VALUE, 0) == SP_OK &&
	   sp_builder_finish(builder, NULL, &model) == SP_OK, "a regression of three values");
	builder = begin();
	sp_builder_task(builder, SP_TASK_RANKING, false);
	sp_builder_output(builder, SP_OUTPUT_VALUE, 0);
	fails_with(&cx, sp_builder_finish(builder, NULL, &model), SP_ERR_FORMAT, "3 columns", "a ranking of three values");
}

static void
test_overrides(void)
{
	SpStr		names[3] = {SP_STR("eins"), SP_STR("zwei"), SP_STR("drei")};
	SpStr		labels[3] = {SP_STR("10"), SP_STR("-20"), SP_STR("0")};
	SpOverrides overrides = {.feature_names = names, .n_feature_names = 3, .labels = labels, .n_labels = 3};
	SpModel    *model;

	ok(finish_classifier(0, &overrides, &model) == SP_OK, "new names and labels");
	ok(!strcmp(model->features[1].name, "zwei") && !strcmp(model->labels[1], "-20"), "are in the model");
	ok(model->label_type == SP_TYPE_I64, "and the labels are integers");
	labels[2] = SP_STR("00");
	ok(finish_classifier(0, &overrides, &model) == SP_OK && model->label_type == SP_TYPE_STRING, "or not");
	ok(finish_classifier(DOUBLED_LABELS | DOUBLED_NAMES, &overrides, &model) == SP_OK, "they mend doubled ones");
	overrides.n_labels = 2;
	fails_with(&cx, finish_classifier(0, &overrides, &model), SP_ERR_VALUE, "3 labels, but 2", "too few labels");
	overrides.n_labels = 3;
	overrides.n_feature_names = 4;
	fails_with(&cx, finish_classifier(0, &overrides, &model), SP_ERR_VALUE, "3 features, but 4", "too many names");
	overrides.n_feature_names = 3;
	names[2] = SP_STR("eins");
	fails_with(&cx, finish_classifier(0, &overrides, &model), SP_ERR_VALUE, "\"eins\" is used twice", "doubled name");
	names[2] = SP_STR("");
	fails_with(&cx, finish_classifier(0, &overrides, &model), SP_ERR_VALUE, "feature name 3 is empty", "empty name");
	names[2] = SP_STR("\x01");
	fails_with(&cx, finish_classifier(0, &overrides, &model), SP_ERR_VALUE, "not well-formed", "control character");
	overrides.feature_names = NULL;
	labels[2] = SP_STR("10");
	fails_with(&cx, finish_classifier(0, &overrides, &model), SP_ERR_VALUE, "\"10\" is used twice", "doubled label");
	labels[2] = SP_STR("");
	fails_with(&cx, finish_classifier(0, &overrides, &model), SP_ERR_VALUE, "label 3 is empty", "empty label");
}

/* What would be kept and packed without a check. */
static void
test_unused_arrays(void)
{
	double		number = NAN;
	uint32_t	index = 0;
	uint32_t	input;
	uint32_t	value;
	SpBuilder  *builder;
	SpGeneral	gather = {.n_inputs = 1, .inputs = &input, .n_indices = 1, .indices = &index, .n_numbers = 1, .numbers = &number};
	SpGeneral	negate = {.kind = SP_APPLY_NEGATE, .n_inputs = 1, .inputs = &input, .n_indices = 1, .indices = &index};

	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	sp_builder_new(&cx, &builder);
	sp_builder_input(builder, SP_TYPE_I64, 2, NULL, &input);
	fails_with(&cx, sp_builder_general(builder, SP_OP_GATHER, &gather, &value), SP_ERR_FORMAT, "numbers that it does not use",
			   "numbers of a step that has none");
	fails_with(&cx, sp_builder_general(builder, SP_OP_APPLY, &negate, &value), SP_ERR_FORMAT, "indices that it does not use",
			   "indices of a step that has none");
	gather.n_numbers = 0;
	ok(sp_builder_general(builder, SP_OP_GATHER, &gather, &value) == SP_OK, "no more than it uses");
	cx.limits.max_elements = 0;
	fails_with(&cx, sp_builder_general(builder, SP_OP_GATHER, &gather, &value), SP_ERR_LIMIT, "smartpouch.max_elements",
			   "the hint names the setting");
}

static bool
stop_now(void *arg)
{
	(void) arg;
	return true;
}

static void
test_failures(void)
{
	SpTestRandom random = {3};
	SpTestEnsemble spec = {
		.in_type = SP_TYPE_F32, .in_width = 4, .sum_type = SP_TYPE_F32, .aggregate = SP_AGGREGATE_SUM,
		.n_targets = 3, .n_trees = 3, .leaves = LEAVES_ALL_TARGETS, .shape = SHAPE_ANY
	};
	SpModel    *model = NULL;
	long		fail_at;
	bool		all_memory = true;

	for (fail_at = 1; model == NULL && fail_at < 1000; fail_at++)
	{
		random.state = 3;
		sp_test_release_all(&region);
		sp_test_context(&cx, &region);
		region.fail_at = fail_at;
		model = random_model(&cx, &random, &spec);
		all_memory = all_memory && (model != NULL || cx.error.status == SP_ERR_MEMORY);
	}
	ok(model != NULL && fail_at > 20 && all_memory, "each of %ld allocations may fail", fail_at - 2);
	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	cx.stop = stop_now;
	ok(random_model(&cx, &random, &spec) == NULL && cx.error.status == SP_ERR_CANCELLED, "building can be stopped");
	sp_test_release_all(&region);
}

/* A convolution or recurrent layer over the input of 3 columns, 1 of them at each of 3 places. */
static SpStatus
add_window(SpOp op, uint32_t kind, const uint32_t *dims, uint32_t function, double clip, uint32_t n_numbers)
{
	static double numbers[32] = {1};
	SpBuilder  *builder = begin();
	uint32_t	input = 0;
	uint32_t	indices[] = {function, function, function};
	SpGeneral	spec = {
		.kind = kind, .n_inputs = 1, .inputs = &input, .params = {clip}, .numbers = numbers, .n_numbers = n_numbers,
		.indices = op == SP_OP_RECURRENT ? indices : NULL,
		.n_indices = op == SP_OP_RECURRENT ? sp_recurrent_functions((SpRecurrent) kind) : 0
	};

	memcpy(spec.dims, dims, 6 * sizeof(uint32_t));
	return sp_builder_general(builder, op, &spec, &input);
}

/* What a damaged image could say of a window. */
static void
test_windows(void)
{
	static const uint32_t conv[6] = {1, 3, 2, 1, 1, 1};
	static const uint32_t rnn[6] = {3, 1, 2};
	uint32_t	dims[6];

	ok(add_window(SP_OP_CONV, 0, conv, 0, 0, 3) == SP_OK, "a convolution");
	ok(add_window(SP_OP_RECURRENT, SP_RECURRENT_RNN, rnn, SP_APPLY_TANH, 0, 12) == SP_OK, "a recurrent layer");
	for (int at = 0; at < 6; at++)
	{
		memcpy(dims, conv, sizeof(dims));
		dims[at] = 0;
		fails_with(&cx, add_window(SP_OP_CONV, 0, dims, 0, 0, 3), SP_ERR_FORMAT, "shape", "convolution: 0 in place %d", at);
		dims[at] = UINT32_MAX;
		fails_with(&cx, add_window(SP_OP_CONV, 0, dims, 0, 0, 3), SP_ERR_FORMAT, "shape", "convolution: 2^32 - 1 in place %d", at);
		if (at >= 4)
			continue;
		memcpy(dims, rnn, sizeof(dims));
		dims[at] = UINT32_MAX;
		fails_with(&cx, add_window(SP_OP_RECURRENT, SP_RECURRENT_RNN, dims, SP_APPLY_TANH, 0, 12), SP_ERR_FORMAT, "shape",
				   "recurrent layer: 2^32 - 1 in place %d", at);
	}
	fails_with(&cx, add_window(SP_OP_CONV, 0, conv, 0, 0, 4), SP_ERR_FORMAT, "weights", "convolution: a weight too many");
	fails_with(&cx, add_window(SP_OP_CONV, 0, conv, 0, 0, 2), SP_ERR_FORMAT, "weights", "convolution: a weight too few");
	fails_with(&cx, add_window(SP_OP_RECURRENT, SP_RECURRENT_RNN, rnn, SP_APPLY_TANH, 0, 11), SP_ERR_FORMAT, "weights",
			   "recurrent layer: a weight too few");
	fails_with(&cx, add_window(SP_OP_RECURRENT, SP_RECURRENT_RNN, rnn, 0, 0, 12), SP_ERR_FORMAT, "functions", "function 0");
	fails_with(&cx, add_window(SP_OP_RECURRENT, SP_RECURRENT_RNN, rnn, SP_APPLY_END, 0, 12), SP_ERR_FORMAT, "functions",
			   "a function out of range");
	fails_with(&cx, add_window(SP_OP_RECURRENT, SP_RECURRENT_RNN, rnn, SP_APPLY_IS_NAN, 0, 12), SP_ERR_FORMAT, "functions",
			   "a function of integers");
	fails_with(&cx, add_window(SP_OP_RECURRENT, SP_RECURRENT_RNN, rnn, SP_APPLY_TANH, NAN, 12), SP_ERR_FORMAT, "functions",
			   "clip that is not a number");
	fails_with(&cx, add_window(SP_OP_RECURRENT, 0, rnn, SP_APPLY_TANH, 0, 12), SP_ERR_FORMAT, NULL, "recurrent layer of kind 0");
	sp_test_release_all(&region);
}

int
main(void)
{
	test_facts();
	test_integer_labels();
	test_inputs();
	test_steps();
	test_structural_limits();
	test_outputs();
	test_finish();
	test_overrides();
	test_windows();
	test_unused_arrays();
	test_failures();
	return done_testing();
}
