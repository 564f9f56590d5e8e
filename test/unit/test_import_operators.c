/*
 * test/unit/test_import_operators.c
 *
 * Every operator that is promised, in a graph that has little else: it is
 * accepted, gives as many columns as it should, and runs.
 */
#include <math.h>

#include "sp_test_onnx.h"
#include "sp_test_run.h"

#define ML "ai.onnx.ml"
#define MS "com.microsoft"

static Message graph;
static Message model;

/*
 * inputs name X [N, 4], B = X > four, I = X as int64, S [N, 1] of strings, M
 * a dictionary, and the constants of put_constants; outputs: the last is Y.
 */
typedef struct Case
{
	const char *domain;
	const char *operator;
	const char *inputs;
	const char *outputs;
	uint32_t	width;
	const char *attributes[25];
} Case;

#define AXIS(n) {"axis", "i:" #n, NULL}
#define NODES_OF(kind) \
	"nodes_treeids", "ints:0,0,0", "nodes_nodeids", "ints:0,1,2", "nodes_featureids", "ints:1,0,0", \
	"nodes_modes", "strings:BRANCH_LEQ,LEAF,LEAF", "nodes_truenodeids", "ints:1,0,0", "nodes_falsenodeids", "ints:2,0,0", \
	"nodes_values", "floats:0.5,0,0", kind "_treeids", "ints:0,0", kind "_nodeids", "ints:1,2", kind "_ids", "ints:0,0", \
	kind "_weights", "floats:-1,1"
#define SUPPORT "kernel_type", "s:RBF", "kernel_params", "floats:0.5,0,3", "support_vectors", "floats:1,2,3,4,4,3,2,1"

static const Case cases[] = {
	/* ai.onnx.ml */
	{ML, "TreeEnsembleRegressor", "X", "Y", 1, {NODES_OF("target"), "n_targets", "i:1", NULL}},
	{ML, "TreeEnsembleClassifier", "X", "l,Y", 1, {NODES_OF("class"), "classlabels_int64s", "ints:0,1", NULL}},
	{ML, "TreeEnsemble", "X", "Y", 1, {
			"n_targets", "i:1", "tree_roots", "ints:0", "nodes_modes", "bytes:0", "nodes_featureids", "ints:0",
			"nodes_splits", "singles:2", "nodes_truenodeids", "ints:0", "nodes_trueleafs", "ints:1",
			"nodes_falsenodeids", "ints:1", "nodes_falseleafs", "ints:1", "leaf_targetids", "ints:0,0",
	"leaf_weights", "singles:1,2", NULL}},
	{ML, "LinearRegressor", "X", "Y", 1, {"coefficients", "floats:1,2,3,4", "intercepts", "floats:1", NULL}},
	{ML, "LinearClassifier", "X", "l,Y", 1, {
	"coefficients", "floats:1,2,3,4,-1,-2,-3,-4", "intercepts", "floats:1,-1", "classlabels_ints", "ints:0,1", NULL}},
	{ML, "SVMRegressor", "X", "Y", 1, {SUPPORT, "coefficients", "floats:1,-1", "rho", "floats:0.5", "n_supports", "i:2", NULL}},
	{ML, "SVMClassifier", "X", "l,Y", 2, {
			SUPPORT, "coefficients", "floats:1,-1", "rho", "floats:0.5", "vectors_per_class", "ints:1,1",
	"classlabels_ints", "ints:0,1", "prob_a", "floats:-1", "prob_b", "floats:0", NULL}},
	{ML, "Scaler", "X", "Y", 4, {"offset", "floats:1,2,3,4", "scale", "floats:1,2,3,4", NULL}},
	{ML, "Normalizer", "X", "Y", 4, {"norm", "s:L2", NULL}},
	{ML, "Imputer", "X", "Y", 4, {"imputed_value_floats", "floats:7", "replaced_value_float", "f:nan", NULL}},
	{ML, "Binarizer", "X", "Y", 4, {"threshold", "f:1", NULL}},
	{ML, "OneHotEncoder", "I", "Y", 12, {"cats_int64s", "ints:1,2,3", NULL}},
	{ML, "LabelEncoder", "S", "Y", 1, {"keys_strings", "strings:a,b", "values_floats", "floats:1,2", NULL}},
	{ML, "CategoryMapper", "S", "Y", 1, {"cats_strings", "strings:a,b", "cats_int64s", "ints:1,2", NULL}},
	{ML, "ArrayFeatureExtractor", "X,one", "Y", 1, {NULL}},
	{ML, "FeatureVectorizer", "X,I", "Y", 8, {"inputdimensions", "ints:4,4", NULL}},
	{ML, "DictVectorizer", "M", "Y", 3, {"string_vocabulary", "strings:red,green,blue", NULL}},
	{MS, "CDist", "X,square", "Y", 4, {"metric", "s:euclidean", NULL}},
	/* dense */
	{"", "Gemm", "X,square,four", "Y", 4, {"alpha", "f:2", NULL}}, {"", "MatMul", "X,square", "Y", 4, {NULL}},
	{"", "BatchNormalization", "X,four,four,four,four", "Y", 4, {NULL}},
	{"", "LayerNormalization", "X,four,four", "Y", 4, {NULL}}, {"", "Dropout", "X", "Y", 4, {NULL}},
	/* element by element */
	{"", "Add", "X,four", "Y", 4, {NULL}}, {"", "Sub", "X,X", "Y", 4, {NULL}}, {"", "Mul", "X,X", "Y", 4, {NULL}},
	{"", "Div", "four,X", "Y", 4, {NULL}}, {"", "Pow", "X,four", "Y", 4, {NULL}}, {"", "Sqrt", "X", "Y", 4, {NULL}},
	{"", "Exp", "X", "Y", 4, {NULL}}, {"", "Log", "X", "Y", 4, {NULL}}, {"", "Abs", "X", "Y", 4, {NULL}},
	{"", "Neg", "X", "Y", 4, {NULL}}, {"", "Max", "X,four,X", "Y", 4, {NULL}}, {"", "Min", "X,four", "Y", 4, {NULL}},
	{"", "Clip", "X", "Y", 4, {NULL}}, {"", "Relu", "X", "Y", 4, {NULL}}, {"", "LeakyRelu", "X", "Y", 4, {NULL}},
	{"", "Elu", "X", "Y", 4, {NULL}}, {"", "Selu", "X", "Y", 4, {NULL}}, {"", "Sigmoid", "X", "Y", 4, {NULL}},
	{"", "Tanh", "X", "Y", 4, {NULL}}, {"", "Softmax", "X", "Y", 4, {NULL}}, {"", "LogSoftmax", "X", "Y", 4, {NULL}},
	{"", "HardSigmoid", "X", "Y", 4, {NULL}}, {"", "Softplus", "X", "Y", 4, {NULL}}, {"", "Gelu", "X", "Y", 4, {NULL}},
	{"", "Where", "B,X,four", "Y", 4, {NULL}}, {"", "Equal", "X,four", "Y", 4, {NULL}}, {"", "Less", "X,four", "Y", 4, {NULL}},
	{"", "LessOrEqual", "X,four", "Y", 4, {NULL}}, {"", "Greater", "X,four", "Y", 4, {NULL}},
	{"", "GreaterOrEqual", "X,four", "Y", 4, {NULL}}, {"", "And", "B,B", "Y", 4, {NULL}}, {"", "Or", "B,B", "Y", 4, {NULL}},
	{"", "Xor", "B,B", "Y", 4, {NULL}}, {"", "Not", "B", "Y", 4, {NULL}}, {"", "Identity", "X", "Y", 4, {NULL}},
	{"", "Cast", "X", "Y", 4, {"to", "i:11", NULL}}, {"", "IsNaN", "X", "Y", 4, {NULL}}, {"", "Sign", "X", "Y", 4, {NULL}},
	{"", "Sum", "X,X,four", "Y", 4, {NULL}}, {"", "Mean", "X,four", "Y", 4, {NULL}}, {"", "Mod", "I,I", "Y", 4, {NULL}},
	{"", "PRelu", "X,four", "Y", 4, {NULL}}, {"", "Reciprocal", "X", "Y", 4, {NULL}}, {"", "Erf", "X", "Y", 4, {NULL}},
	/* shapes */
	{"", "Concat", "X,X", "Y", 8, AXIS(1)}, {"", "Reshape", "X,rows", "Y", 4, {NULL}}, {"", "Flatten", "X", "Y", 4, {NULL}},
	{"", "Unsqueeze", "X,one", "Y", 4, {NULL}}, {"", "Squeeze", "S3,one", "Y", 4, {NULL}},
	{"", "Slice", "X,one,three,one", "Y", 2, {NULL}}, {"", "Gather", "X,one", "Y", 1, AXIS(1)},
	{"", "GatherElements", "X,I", "Y", 4, AXIS(1)}, {"", "Transpose", "S3", "Y", 4, {"perm", "ints:0,2,1", NULL}},
	{"", "Split", "X", "a,Y", 2, AXIS(1)}, {"", "Expand", "S3,shape3", "Y", 12, {NULL}}, {"", "Tile", "X,twice", "Y", 8, {NULL}},
	{"", "OneHot", "I,depth,onoff", "Y", 12, {NULL}}, {"", "Pad", "X,sides,,one", "Y", 12, {NULL}},
	{"", "Compress", "X,onoff", "Y", 1, AXIS(1)}, {"", "CastLike", "X,one", "Y", 4, {NULL}},
	{"", "LpNormalization", "X", "Y", 4, {NULL}},
	/* groups */
	{"", "ReduceSum", "X,one", "Y", 1, {NULL}}, {"", "ReduceMean", "X,one", "Y", 1, {NULL}},
	{"", "ReduceMax", "X,one", "Y", 1, {NULL}}, {"", "ReduceMin", "X,one", "Y", 1, {NULL}},
	{"", "ReduceL2", "X,one", "Y", 1, {NULL}}, {"", "ReduceLogSumExp", "X,one", "Y", 1, {NULL}},
	{"", "ReduceSumSquare", "X,one", "Y", 1, {NULL}}, {"", "ArgMax", "X", "Y", 1, AXIS(1)}, {"", "ArgMin", "X", "Y", 1, AXIS(1)},
	{"", "TopK", "X,two", "a,Y", 2, {NULL}}, {"", "TopK", "X", "Y,a", 3, {"k", "i:3", NULL}}, {"", "CumSum", "X,one", "Y", 4, {NULL}}
};

static void
put_list(const char *name, int type, int count, const void *numbers, size_t size)
{
	int64_t		dims[1] = {count};

	put_tensor(&graph, name, type, 1, dims, numbers, (size_t) count * size);
}

static void
put_constants(void)
{
	static const float four[] = {1, 2, 3, 4};
	static const float square[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	static const float onoff[] = {0, 1};
	static const int64_t one[] = {1}, two[] = {2}, three[] = {3}, rows[] = {-1, 4}, shape3[] = {1, 3, 4}, twice[] = {1, 2}, depth[] = {3};
	static const int64_t sides[] = {4, 4};

	put_list("four", 1, 4, four, 4);
	put_tensor(&graph, "square", 1, 2, sides, square, sizeof(square));
	put_list("onoff", 1, 2, onoff, 4);
	put_list("one", 7, 1, one, 8);
	put_list("two", 7, 1, two, 8);
	put_list("three", 7, 1, three, 8);
	put_list("rows", 7, 2, rows, 8);
	put_list("shape3", 7, 3, shape3, 8);
	put_list("twice", 7, 2, twice, 8);
	put_list("depth", 7, 1, depth, 8);
	put_list("sides", 7, 2, sides, 8);
}

/* A dictionary of strings to float. */
static void
put_dictionary(const char *name, int key_type, int type)
{
	Message		tensor = {.size = 0};
	Message		element = {.size = 0};
	Message		map = {.size = 0};
	Message		wrapped = {.size = 0};
	Message		value = {.size = 0};

	put_int(&tensor, 1, type);
	put_message(&element, 1, &tensor);
	put_int(&map, 1, key_type);
	put_message(&map, 2, &element);
	put_message(&wrapped, 5, &map);
	put_text(&value, 1, name);
	put_message(&value, 2, &wrapped);
	put_message(&graph, 11, &value);
}

/* Only the inputs that the operator reads, and their preparation; its result as float. */
static void
write_case(const Case *test)
{
	static const char *const to_integer[] = {"to", "i:7", NULL};
	static const char *const to_float[] = {"to", "i:1", NULL};
	bool		reads_s = strcmp(test->inputs, "S") == 0;
	bool		reads_m = strcmp(test->inputs, "M") == 0;

	graph.size = 0;
	put_constants();
	if (!reads_s && !reads_m)
	{
		put_node(&graph, "", "Greater", "X,four", "B", NULL);
		put_node(&graph, "", "Cast", "X", "I", to_integer);
		put_node(&graph, "", "Unsqueeze", "X,one", "S3", NULL);
	}
	put_node(&graph, test->domain, test->operator, test->inputs, test->outputs, test->attributes);
	put_node(&graph, "", "Cast", "Y", "result", to_float);
	if (reads_s)
		put_value(&graph, 11, "S", 8, 1);
	else if (reads_m)
		put_dictionary("M", 8, 1);
	else
		put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "result", 1, 0);
	put_model(&model, &graph);
}

static void
test_accepted(void)
{
	static const double rows[] = {1, 2, 0, -1, 0.5, 3, 2, 1};

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		SpTestImport import;
		double		answers[2 * 16];
		uint32_t	width = 0;
		SpOutput	output = SP_OUTPUT_VALUE;

		write_case(&cases[at]);
		sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
		/* scores of classifiers are what they are for the model, not a value */
		while (import.status == SP_OK && (output == SP_OUTPUT_LABEL || import.model->outputs[output] == SP_NO_VALUE))
			output++;
		if (import.status == SP_OK && sp_test_run(&import, rows, 2, output, cases[at].width, answers))
			width = import.model->values[import.model->outputs[output]].width;
		if (!ok(width == cases[at].width, "%s gives %u columns", cases[at].operator, cases[at].width))
		{
			sp_test_complain(&import, cases[at].operator, width);
			printf("# %s\n", import.cx.error.detail);
		}
		sp_test_import_end(&import);
	}
}

/* Keys are features by name; one that is not there is 0. */
static void
test_dictionary(void)
{
	static const double rows[] = {1, NAN, 3, NAN, 0.5, NAN};
	static const double expected[] = {1, 0, 3, 0, 0.5, 0};
	SpTestImport import;
	double		answers[6] = {0};
	Case		dictionary = {ML, "DictVectorizer", "M", "Y", 3, {"string_vocabulary", "strings:red,green,blue", NULL}};

	write_case(&dictionary);
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	if (ok(import.status == SP_OK && import.model->accepts_missing && strcmp(import.model->features[1].name, "green") == 0,
		   "keys of a dictionary"))
		ok(sp_test_run(&import, rows, 2, SP_OUTPUT_VALUE, 3, answers) && memcmp(answers, expected, sizeof(answers)) == 0,
		   "their numbers");
	sp_test_import_end(&import);
	sp_test_hostile("dictionary", SP_FORMAT_ONNX, model.bytes, model.size, true);
}

static void
refused(SpStatus status, const char *text)
{
	put_value(&graph, 12, "Y", 1, 0);
	put_model(&model, &graph);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "refused: %s", text);
	graph.size = 0;
}

static void
test_refused(void)
{
	static const char *const strings[] = {"string_vocabulary", "strings:a,b", NULL};
	static const char *const integers[] = {"int64_vocabulary", "ints:1,2", NULL};
	static const char *const both[] = {"string_vocabulary", "strings:a,b", "int64_vocabulary", "ints:1,2", NULL};
	static const float none[] = {0, 1, 2};

	graph.size = 0;
	put_node(&graph, "", "Abs", "M", "Y", NULL);
	put_dictionary("M", 8, 1);
	refused(SP_ERR_UNSUPPORTED, "not only read by a DictVectorizer");
	put_node(&graph, ML, "DictVectorizer", "M", "Y", strings);
	put_node(&graph, ML, "DictVectorizer", "M", "Z", strings);
	put_dictionary("M", 8, 1);
	refused(SP_ERR_UNSUPPORTED, "not only read by a DictVectorizer");
	put_dictionary("M", 8, 1);
	refused(SP_ERR_UNSUPPORTED, "no DictVectorizer reads");
	put_node(&graph, ML, "DictVectorizer", "M", "Y", strings);
	put_dictionary("M", 8, 7);
	refused(SP_ERR_UNSUPPORTED, "something else than float");
	put_node(&graph, ML, "DictVectorizer", "M", "Y", integers);
	put_dictionary("M", 8, 1);
	refused(SP_ERR_FORMAT, "type of the keys");
	put_node(&graph, ML, "DictVectorizer", "M", "Y", both);
	put_dictionary("M", 8, 1);
	refused(SP_ERR_FORMAT, "either a string_vocabulary");
	put_node(&graph, ML, "DictVectorizer", "M", "Y", NULL);
	put_dictionary("M", 8, 1);
	refused(SP_ERR_FORMAT, "either a string_vocabulary");
	put_node(&graph, ML, "DictVectorizer", "X", "Y", strings);
	put_value(&graph, 11, "X", 1, 4);
	refused(SP_ERR_UNSUPPORTED, "not a dictionary");

	put_constants();
	put_list("three_values", 1, 3, none, 4);
	put_node(&graph, "", "OneHot", "X,depth,three_values", "Y", NULL);
	put_value(&graph, 11, "X", 1, 4);
	refused(SP_ERR_FORMAT, "depth, the axis or the values");
	put_constants();
	put_node(&graph, "", "OneHot", "X,X,onoff", "Y", NULL);
	put_value(&graph, 11, "X", 1, 4);
	refused(SP_ERR_UNSUPPORTED, "not a constant");
	put_node(&graph, "", "TopK", "X", "Y,Z", NULL);
	put_value(&graph, 11, "X", 1, 4);
	refused(SP_ERR_FORMAT, "number of elements");
	put_node(&graph, "", "If", "X", "Y", NULL);
	put_value(&graph, 11, "X", 1, 4);
	refused(SP_ERR_UNSUPPORTED, "If");
	put_node(&graph, "", "ReduceMean", "X", "Y", NULL);
	put_value(&graph, 11, "X", 7, 4);
	refused(SP_ERR_UNSUPPORTED, "operator ReduceMean: it works");
	put_constants();
	put_node(&graph, "", "ReduceMean", "X,one", "Y", NULL);
	put_value(&graph, 11, "X", 7, 4);
	refused(SP_ERR_UNSUPPORTED, "operator ReduceMean: step reduce: input of this type");
	put_node(&graph, "", "Loop", "X", "Y", NULL);
	put_value(&graph, 11, "X", 1, 4);
	refused(SP_ERR_UNSUPPORTED, "Loop");
}

/* Indices count from the end if negative; beyond the depth nothing is on. */
static void
test_one_hot(void)
{
	static const double rows[] = {0, 2, -1, 3, -3, -4, 1, 0};
	static const double expected[] = {
		1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0,
		1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0
	};
	Case		one_hot = {"", "OneHot", "I,depth,onoff", "Y", 12, {NULL}};
	SpTestImport import;
	double		answers[24] = {0};
	bool		good;

	write_case(&one_hot);
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	good = import.status == SP_OK && sp_test_run(&import, rows, 2, SP_OUTPUT_VALUE, 12, answers);
	for (int at = 0; at < 24; at++)
		good = good && answers[at] == expected[at];
	ok(good, "OneHot of integers in and out of range");
	sp_test_import_end(&import);
}

/* Whether a graph over X [N, 4] with the constants gives these numbers for the rows; it is gone then. */
static bool
answers(const double *rows, uint32_t n_rows, const double *expected)
{
	SpTestImport import;
	double		got[8] = {0};
	bool		good;

	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "Y", 1, 0);
	put_model(&model, &graph);
	graph.size = 0;
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	good = import.status == SP_OK && sp_test_run(&import, rows, n_rows, SP_OUTPUT_VALUE, 4, got);
	for (uint32_t at = 0; at < n_rows * 4; at++)
		good = good && got[at] == expected[at];
	if (!good)
		sp_test_complain(&import, "the graph", (uint32_t) import.status);
	sp_test_import_end(&import);
	return good;
}

/* torch.onnx writes equal tensors once: what a node makes of a constant is no other node's business. */
static void
test_shared_constants(void)
{
	static const char *const epsilon[] = {"epsilon", "f:0", NULL};
	static const double rows[] = {5, 6, 7, 8, 1, 2, 3, 4};
	static const double expected[] = {2, 6, 12, 20, 1, 2, 3, 4};
	static const float fours[] = {4, 4, 4, 4};

	/* (x - four) / 2 * four + four, two times */
	graph.size = 0;
	put_constants();
	put_list("fours", 1, 4, fours, 4);
	put_node(&graph, "", "BatchNormalization", "X,four,four,four,fours", "first", epsilon);
	put_node(&graph, "", "BatchNormalization", "first,four,four,four,fours", "Y", epsilon);
	ok(answers(rows, 2, expected), "two normalizations share their factors");
}

/* Strings and integers where floats belong. */
static void
test_batch_norm_types(void)
{
	static const int64_t integers[] = {1, 2, 3, 4};
	Message		strings = {.size = 0};

	graph.size = 0;
	put_int(&strings, 1, 1);
	put_int(&strings, 2, 8);
	put_text(&strings, 8, "text");
	put_text(&strings, 6, "a");
	put_message(&graph, 5, &strings);
	put_node(&graph, "", "BatchNormalization", "S,text,text,text,text", "Y", NULL);
	put_value(&graph, 11, "S", 8, 1);
	refused(SP_ERR_UNSUPPORTED, "not of floats");
	put_list("integers", 7, 4, integers, 8);
	put_node(&graph, "", "BatchNormalization", "X,integers,integers,integers,integers", "Y", NULL);
	put_value(&graph, 11, "X", 7, 4);
	refused(SP_ERR_UNSUPPORTED, "not of floats");
}

/* A matrix that no row has a part in, and that is computed all the same. */
static void
test_product_of_constants(void)
{
	static const double rows[] = {1, 2, 3, 4, 0, 1, 0, -2};
	static const double expected[] = {40, 40, 40, 40, -4, -4, -4, -4};

	graph.size = 0;
	put_constants();
	put_node(&graph, "", "Sign", "square", "ones", NULL);
	put_node(&graph, "", "MatMul", "ones,ones", "fours", NULL);
	put_node(&graph, "", "MatMul", "X,fours", "Y", NULL);
	ok(answers(rows, 2, expected), "a product with a product of constants");
}

/* Without its end a file may lack the opset of a domain, and softmax would be another function. */
static void
test_no_opset(void)
{
	graph.size = 0;
	put_node(&graph, "", "Softmax", "X", "Y", NULL);
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "Y", 1, 0);
	model.size = 0;
	put_int(&model, 1, 10);
	put_message(&model, 7, &graph);
	put_opset(&model, "ai.onnx.ml", 1);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, SP_ERR_FORMAT, "no opset", "refused: no opset");
	put_opset(&model, "ai.onnx", 21);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, SP_OK, NULL, "accepted: an opset");
}

static void
refused_opset(const char *domain, int64_t first, int64_t second, SpStatus status, const char *text)
{
	model.size = 0;
	put_int(&model, 1, 10);
	put_opset(&model, domain, first);
	put_opset(&model, domain, second);
	put_message(&model, 7, &graph);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "refused: opsets %lld and %lld of \"%s\"",
					(long long) first, (long long) second, domain);
}

/* A later opset may give an operator another meaning. */
static void
test_opsets(void)
{
	graph.size = 0;
	put_node(&graph, "", "Softmax", "X", "Y", NULL);
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "Y", 1, 0);
	refused_opset("", -1, -1, SP_ERR_FORMAT, "no opset");
	refused_opset("", 29, 29, SP_ERR_UNSUPPORTED, "opset 29 is newer than 28");
	refused_opset("", INT64_MAX, INT64_MAX, SP_ERR_UNSUPPORTED, "is newer than 28");
	refused_opset("", 11, 13, SP_ERR_FORMAT, "the opsets 11 and 13 for the domain ai.onnx");
	graph.size = 0;
	put_node(&graph, "ai.onnx.ml", "Normalizer", "X", "Y", NULL);
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "Y", 1, 0);
	refused_opset("ai.onnx.ml", 6, 6, SP_ERR_UNSUPPORTED, "opset 6 is newer than 5");
	refused_opset("ai.onnx.ml", 1, 3, SP_ERR_FORMAT, "the opsets 1 and 3 for the domain ai.onnx.ml");
}

/* Errors name what they are about: a tensor of the graph, a node without a name by what it gives. */
static void
test_names_in_errors(void)
{
	static const int64_t three[] = {3};
	static const float numbers[4] = {0};
	Message		tensor = {.size = 0};
	SpTestImport import;

	graph.size = 0;
	put_tensor(&graph, "short", 1, 1, three, numbers, 8);
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "X", 1, 4);
	put_model(&model, &graph);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, SP_ERR_FORMAT, "ONNX tensor \"short\": a tensor's data",
					"a tensor too short is named");

	graph.size = 0;
	put_int(&tensor, 1, 4);
	put_int(&tensor, 2, 1);
	put_text(&tensor, 8, "elsewhere");
	put_int(&tensor, 14, 1);
	put_message(&graph, 5, &tensor);
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "X", 1, 4);
	put_model(&model, &graph);
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	ok(import.status == SP_ERR_UNSUPPORTED &&
	   strcmp(import.cx.error.message, "ONNX tensor \"elsewhere\": tensors in other files are not supported") == 0 &&
	   strstr(import.cx.error.hint, "in one file"), "a tensor in another file is named, with a way out");
	sp_test_import_end(&import);

	graph.size = 0;
	put_node(&graph, "", "", "X", "Y", NULL);
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "Y", 1, 0);
	put_model(&model, &graph);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, SP_ERR_FORMAT, "a node of the ONNX graph has no operator",
					"a node without an operator");
}

/* Integers have no fractions and no 1 / 0. */
static void
test_integer_powers(void)
{
	static const char *const to_integer[] = {"to", "i:7", NULL};
	static const char *const to_float[] = {"to", "i:1", NULL};
	static const int64_t exponents[] = {-1, -2, -1, -3};
	static const double rows[] = {0, -1, -1, 2, 1, 1, 3, 0};
	static const double expected[] = {-0x1p63, 1, -1, 0, 1, 1, 0, -0x1p63};
	static const double fractions[] = {0.5, 1.5, -0.5, 2};
	static const double roots[] = {5, 4, 4, 3, 0, 1, 1, -3};
	static const double rooted[] = {2, 8, 0, 9, 0, 1, 1, 9};

	graph.size = 0;
	put_list("exponents", 7, 4, exponents, 8);
	put_node(&graph, "", "Cast", "X", "I", to_integer);
	put_node(&graph, "", "Pow", "I,exponents", "powers", NULL);
	put_node(&graph, "", "Cast", "powers", "Y", to_float);
	ok(answers(rows, 2, expected), "integers to negative powers");

	put_list("fractions", 11, 4, fractions, 8);
	put_node(&graph, "", "Cast", "X", "I", to_integer);
	put_node(&graph, "", "Pow", "I,fractions", "powers", NULL);
	put_node(&graph, "", "Cast", "powers", "Y", to_float);
	ok(answers(roots, 2, rooted), "integers to fractions");
}

/* Four elements of a type, and sixteen. */
static void
put_typed(const char *name, int type, int rank)
{
	static const int64_t dims[] = {4, 4};
	static const uint8_t zeros[16 * 8] = {0};
	Message		strings = {.size = 0};
	size_t		count = rank == 1 ? 4 : 16;

	if (type != 8)
	{
		put_tensor(&graph, name, type, rank, dims, zeros, count * (type == 9 ? 1 : 8));
		return;
	}
	for (int at = 0; at < rank; at++)
		put_int(&strings, 1, 4);
	put_int(&strings, 2, 8);
	for (size_t at = 0; at < count; at++)
		put_text(&strings, 6, "a");
	put_text(&strings, 8, name);
	put_message(&graph, 5, &strings);
}

/* Every operator with every type in all places of its tensors: whatever is accepted can be run. */
static void
test_types(void)
{
	static const int types[] = {7, 8, 9, 11};	/* int64, string, bool, double */
	static const double rows[8] = {0};

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		bool		good = true;

		for (size_t type = 0; type < sizeof(types) / sizeof(types[0]); type++)
		{
			char		inputs[100] = "";
			char		given[100];
			SpTestImport import;
			double		numbers[64];

			snprintf(given, sizeof(given), "%s", cases[at].inputs);
			for (char *name = strtok(given, ","); name; name = strtok(NULL, ","))
				snprintf(inputs + strlen(inputs), sizeof(inputs) - strlen(inputs), "%s%s", inputs[0] ? "," : "",
						 strcmp(name, "four") == 0 ? "row" : strcmp(name, "square") == 0 ? "table" :
						 name[0] >= 'A' && name[0] <= 'Z' ? "X" : name);
			graph.size = 0;
			put_constants();
			put_typed("row", types[type], 1);
			put_typed("table", types[type], 2);
			put_node(&graph, cases[at].domain, cases[at].operator, inputs, cases[at].outputs, cases[at].attributes);
			put_value(&graph, 11, "X", types[type], 4);
			put_value(&graph, 12, "Y", 1, 0);
			put_model(&model, &graph);
			sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
			if (import.status == SP_OK && import.model->outputs[SP_OUTPUT_VALUE] != SP_NO_VALUE)
				good &= sp_test_run(&import, rows, 2, SP_OUTPUT_VALUE,
									import.model->values[import.model->outputs[SP_OUTPUT_VALUE]].width, numbers);
			sp_test_import_end(&import);
		}
		ok(good, "%s of integers, strings, truth values and float64", cases[at].operator);
	}
	graph.size = 0;
}

int
main(void)
{
	test_accepted();
	test_dictionary();
	test_one_hot();
	test_refused();
	test_shared_constants();
	test_batch_norm_types();
	test_product_of_constants();
	test_integer_powers();
	test_no_opset();
	test_opsets();
	test_names_in_errors();
	test_types();
	return done_testing();
}
