/*
 * test/unit/test_import_graph.c
 *
 * ONNX graphs of tensors: shapes, rows that must not mix, tasks, strings, and
 * a rich graph that is damaged in every way.
 */
#include <math.h>

#include "sp_test_import.h"
#include "sp_test_onnx.h"
#include "sp_test_run.h"

#define ML "ai.onnx.ml"

static Message graph;
static Message model;

static const char *const axis0[] = {"axis", "i:0", NULL};
static const char *const axis1[] = {"axis", "i:1", NULL};

/* One node between X [N, 4] and Y. */
static void
one_node(const char *domain, const char *operator, const char *const *attributes)
{
	graph.size = 0;
	put_node(&graph, domain, operator, "X", "Y", attributes);
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "Y", 1, 0);
	put_model(&model, &graph);
}

static const double some_rows[] = {1, 2, 3, 4, 0.5, -1, 0.25, 2, -3, NAN, 1, 0};

static void
accepted(const char *domain, const char *operator, const char *const *attributes, uint32_t width)
{
	SpTestImport import;
	double		answers[3];

	one_node(domain, operator, attributes);
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	ok(import.status == SP_OK && import.model->values[import.model->outputs[SP_OUTPUT_VALUE]].width == width,
	   "%s gives %u columns", operator, width);
	if (import.status != SP_OK)
		sp_test_complain(&import, operator, 0);
	else
		sp_test_run(&import, some_rows, 3, SP_OUTPUT_VALUE, 1, answers);
	sp_test_import_end(&import);
}

static void
refused(const char *domain, const char *operator, const char *const *attributes, SpStatus status, const char *text)
{
	one_node(domain, operator, attributes);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "%s: %s", operator, text);
}

static void
test_operators(void)
{
	static const char *const alone[] = {
		"Sigmoid", "Exp", "Sqrt", "Log", "Abs", "Neg", "Sign", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "Tanh",
		"HardSigmoid", "HardSwish", "Softplus", "Softsign", "Mish", "Floor", "Ceil", "Round", "Erf", "Reciprocal",
		"Gelu", "Softmax", "LogSoftmax", "Clip", "Identity", "Flatten", "Dropout", "IsNaN"
	};
	static const char *const axes1[] = {"axes", "ints:1", NULL};
	static const char *const axes0[] = {"axes", "ints:0", NULL};
	static const char *const axes9[] = {"axes", "ints:9", NULL};
	static const char *const perm[] = {"perm", "ints:1,0", NULL};
	static const char *const bad_perm[] = {"perm", "ints:0,0", NULL};
	static const char *const slice[] = {"starts", "ints:1", "ends", "ints:3", "axes", "ints:1", NULL};
	static const char *const cats[] = {"cats_int64s", "ints:1,2,3", NULL};
	static const char *const no_cats[] = {NULL};
	static const char *const imputer[] = {"imputed_value_floats", "floats:1,2,3,4", "replaced_value_float", "f:nan", NULL};

	for (size_t i = 0; i < sizeof(alone) / sizeof(alone[0]); i++)
		accepted("", alone[i], NULL, 4);
	accepted(ML, "Imputer", imputer, 4);
	accepted("", "ReduceSum", axes1, 1);
	accepted("", "ReduceL2", axes1, 1);
	refused("", "Transpose", perm, SP_ERR_UNSUPPORTED, "not an output");
	accepted("", "Slice", slice, 2);
	accepted(ML, "OneHotEncoder", cats, 12);
	refused("", "ReduceSum", axes0, SP_ERR_UNSUPPORTED, "across rows");
	refused("", "ReduceSum", NULL, SP_ERR_UNSUPPORTED, "across rows");
	refused("", "ReduceSum", axes9, SP_ERR_FORMAT, "axis 9");
	refused("", "Softmax", axis0, SP_ERR_UNSUPPORTED, "across rows");
	refused("", "Flatten", axis0, SP_ERR_UNSUPPORTED, "mixes rows");
	refused("", "ArgMax", axis0, SP_ERR_UNSUPPORTED, "across rows");
	refused("", "Transpose", bad_perm, SP_ERR_FORMAT, "order of the axes");
	refused("", "Squeeze", axes1, SP_ERR_FORMAT, "has 4 elements");
	refused("", "Loop", NULL, SP_ERR_UNSUPPORTED, "Loop");
	refused(ML, "OneHotEncoder", no_cats, SP_ERR_FORMAT, "categories");
	refused(ML, "Imputer", no_cats, SP_ERR_UNSUPPORTED, "0 values");
	refused(ML, "SVMRegressor", no_cats, SP_ERR_FORMAT, "kernel");
}

/* Strings and numbers from inputs of their own, to the choice of a cluster. */
static void
rich_graph(void)
{
	static const char *const keys[] = {"keys_strings", "strings:a,bb", "values_floats", "floats:1,2", "default_float", "f:7", NULL};
	static const float weights[] = {1, 2, 3, 4};

	graph.size = 0;
	put_node(&graph, ML, "LabelEncoder", "S", "code", keys);
	put_node(&graph, "", "Concat", "code,X", "row", axis1);
	put_constant(&graph, "weights", 4, weights);
	put_node(&graph, "", "Sub", "row,weights", "apart", NULL);
	put_node(&graph, "", "Mul", "apart,apart", "square", NULL);
	put_node(&graph, "", "ArgMin", "square", "cluster", axis1);
	put_value(&graph, 11, "S", 8, 1);
	put_value(&graph, 11, "X", 1, 3);
	put_value(&graph, 12, "cluster", 7, 0);
	put_value(&graph, 12, "square", 1, 0);
	put_model(&model, &graph);
}

static void
test_rich(void)
{
	SpTestImport import;
	SpImage    *image;
	double		answers[3];

	rich_graph();
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	if (ok(import.status == SP_OK, "a graph of strings and numbers"))
	{
		const SpModel *m = import.model;

		ok(m->task == SP_TASK_CLUSTERING && m->n_labels == 4 && m->n_features == 4 &&
		   m->features[0].type == SP_TYPE_STRING && strcmp(m->features[0].name, "S") == 0 &&
		   strcmp(m->features[3].name, "X_2") == 0 && m->n_categories == 2, "its facts");
		ok(sp_test_run(&import, some_rows, 3, SP_OUTPUT_LABEL, 1, answers) && answers[1] == 0, "its choice");
		ok(sp_pack(&import.cx, m, &image) == SP_OK && sp_image_category(image, "bb", 2) == 1 &&
		   sp_image_category(image, "b", 1) == -1 && sp_image_category(image, "", 0) == -1, "its categories");
	}
	else
		sp_test_complain(&import, "rich", 0);
	sp_test_import_end(&import);
	sp_test_hostile("rich graph", SP_FORMAT_ONNX, model.bytes, model.size, true);
}

int
main(void)
{
	test_operators();
	test_rich();
	return done_testing();
}
