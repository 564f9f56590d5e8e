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
	accepted("", "Transpose", perm, 4);
	accepted("", "Slice", slice, 2);
	accepted(ML, "OneHotEncoder", cats, 12);
	refused("", "ReduceSum", axes0, SP_ERR_UNSUPPORTED, "across rows");
	refused("", "ReduceSum", NULL, SP_ERR_UNSUPPORTED, "across rows");
	refused("", "ReduceSum", axes9, SP_ERR_FORMAT, "axis 9");
	refused("", "Softmax", axis0, SP_ERR_UNSUPPORTED, "across rows");
	accepted("", "Flatten", axis0, 4);
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

static void
put_integers(const char *name, int count, const int64_t *numbers)
{
	int64_t		dims[1] = {count};

	put_tensor(&graph, name, 7, 1, dims, numbers, (size_t) count * 8);
}

/* The graph's answer Y, of width columns, for the three rows. */
static void
answers(const char *name, uint32_t width, const double *expected)
{
	SpTestImport import;
	double		given[32] = {0};
	bool		good;

	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "Y", 1, 0);
	put_model(&model, &graph);
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	good = import.status == SP_OK && sp_test_run(&import, some_rows, 2, SP_OUTPUT_VALUE, width, given);
	for (uint32_t at = 0; at < 2 * width; at++)
		good = good && given[at] == expected[at];
	if (!ok(good, "%s", name))
	{
		sp_test_complain(&import, name, 0);
		for (uint32_t at = 0; at < 2 * width; at++)
			printf("# %g instead of %g\n", given[at], expected[at]);
	}
	sp_test_import_end(&import);
	graph.size = 0;
}

static void
refused_graph(SpStatus status, const char *text)
{
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "Y", 1, 0);
	put_model(&model, &graph);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "a graph: %s", text);
	graph.size = 0;
}

/* The numbers of an Imputer are float32 or int64, its rows may be float64 or int32. */
static void
test_imputed_types(void)
{
	static const char *const to_double[] = {"to", "i:11", NULL};
	static const char *const to_int32[] = {"to", "i:6", NULL};
	static const char *const floats[] = {"imputed_value_floats", "floats:5,0.1,7,8", "replaced_value_float", "f:2", NULL};
	static const char *const ints[] = {"imputed_value_int64s", "ints:9", "replaced_value_int64", "i:3", NULL};
	static const double in_float64[] = {1, 0.1f, 3, 4, 0.5, -1, 0.25, 8};
	static const double in_int32[] = {1, 2, 9, 4, 0, -1, 0, 2};

	graph.size = 0;
	put_node(&graph, "", "Cast", "X", "wide", to_double);
	put_node(&graph, ML, "Imputer", "wide", "Y", floats);
	answers("an Imputer of float64 rows", 4, in_float64);
	put_node(&graph, "", "Cast", "X", "whole", to_int32);
	put_node(&graph, ML, "Imputer", "whole", "Y", ints);
	answers("an Imputer of int32 rows", 4, in_int32);
	put_node(&graph, "", "Cast", "X", "whole", to_int32);
	put_node(&graph, ML, "Imputer", "whole", "Y", floats);
	refused_graph(SP_ERR_UNSUPPORTED, "4 values");
}

/* Axes of rows that hold several elements of each row. */
static void
test_merged_rows(void)
{
	static const char *const perm[] = {"perm", "ints:1,0", NULL};
	static const char *const perm3[] = {"perm", "ints:1,0,2", NULL};
	static const char *const keep[] = {"keepdims", "i:1", "axes", "ints:1", NULL};
	static const int64_t blocks[] = {2, -1};
	static const int64_t halves[] = {-1, 2};
	static const int64_t cubes[] = {2, -1, 4};
	static const int64_t flat[] = {-1};
	static const int64_t three[] = {3, -1};
	static const float numbers[] = {10, 20, 30, 40, 50, 60, 70, 80};
	static const int64_t tables[] = {2, 4};
	static const int64_t fours[] = {-1, 4};
	static const double sums[] = {10, 1, 1.75, -1};
	static const double doubled[] = {2, 4, 6, 8, 1, -2, 0.5, 4};
	static const double picked[] = {10, 20, 30, 40, 20, 30, 10, 40};
	static const double picked_both[] = {10, 20, 30, 40, 50, 60, 70, 80, 20, 30, 10, 40, 60, 70, 50, 80};

	/* two results one below the other: [2 rows], then [2, rows], then [rows, 2] */
	graph.size = 0;
	put_node(&graph, "", "ReduceSum", "X", "sum", keep);
	put_node(&graph, "", "ReduceMin", "X", "min", keep);
	put_node(&graph, "", "Concat", "sum,min", "both", axis0);
	put_integers("blocks", 2, blocks);
	put_node(&graph, "", "Reshape", "both,blocks", "turned", NULL);
	put_node(&graph, "", "Transpose", "turned", "Y", perm);
	answers("blocks of rows", 2, sums);

	put_node(&graph, "", "Flatten", "X", "long", axis0);
	put_node(&graph, "", "Add", "long,long", "twice", NULL);
	put_node(&graph, "", "Shape", "X", "shape", NULL);
	put_node(&graph, "", "Reshape", "twice,shape", "Y", NULL);
	answers("all elements in one axis, and back", 4, doubled);

	put_integers("flat", 1, flat);
	put_integers("halves", 2, halves);
	put_node(&graph, "", "Reshape", "X,flat", "long", NULL);
	put_node(&graph, "", "Reshape", "long,halves", "Y", NULL);
	answers("several rows of the output for each row", 4, some_rows);

	put_node(&graph, "", "ReduceSum", "X", "sum", keep);
	put_node(&graph, "", "ReduceMin", "X", "min", keep);
	put_node(&graph, "", "Concat", "sum,min", "Y", axis0);
	answers("several blocks of rows", 2, sums);

	put_node(&graph, "", "Flatten", "X", "long", axis0);
	put_node(&graph, "", "ReduceSum", "long", "Y", keep);
	refused_graph(SP_ERR_UNSUPPORTED, "several elements for each row");

	put_node(&graph, "", "Flatten", "X", "long", axis0);
	put_constant(&graph, "four", 4, numbers);
	put_node(&graph, "", "Add", "long,four", "Y", NULL);
	refused_graph(SP_ERR_UNSUPPORTED, "a constant for each row");

	put_node(&graph, "", "Flatten", "X", "long", axis0);
	put_integers("three", 2, three);
	put_node(&graph, "", "Reshape", "long,three", "Y", NULL);
	refused_graph(SP_ERR_UNSUPPORTED, "do not stay together");

	/* rows first and blocks first are different orders */
	put_node(&graph, "", "Flatten", "X", "long", axis0);
	put_node(&graph, "", "Transpose", "X", "upright", perm);
	put_integers("flat", 1, flat);
	put_node(&graph, "", "Reshape", "upright,flat", "other", NULL);
	put_node(&graph, "", "Reshape", "long,flat", "one", NULL);
	put_node(&graph, "", "Add", "one,other", "Y", NULL);
	refused_graph(SP_ERR_UNSUPPORTED, "mixes rows");

	/* what is at several indices of each row, as neighbours are looked up */
	put_constant(&graph, "numbers", 4, numbers);
	put_integers("k", 1, &fours[1]);
	put_node(&graph, "", "TopK", "X,k", "best,order", (const char *const[]) {"largest", "i:0", NULL});
	put_node(&graph, ML, "ArrayFeatureExtractor", "numbers,order", "found", NULL);
	put_integers("fours", 2, fours);
	put_node(&graph, "", "Reshape", "found,fours", "Y", NULL);
	answers("several indices for each row", 4, picked);

	put_tensor(&graph, "tables", 1, 2, tables, numbers, sizeof(numbers));
	put_integers("k", 1, &fours[1]);
	put_node(&graph, "", "TopK", "X,k", "best,order", (const char *const[]) {"largest", "i:0", NULL});
	put_node(&graph, ML, "ArrayFeatureExtractor", "tables,order", "found", NULL);
	put_integers("cubes", 3, cubes);
	put_node(&graph, "", "Reshape", "found,cubes", "cube", NULL);
	put_node(&graph, "", "Transpose", "cube", "turned", perm3);
	put_node(&graph, "", "Flatten", "turned", "Y", NULL);
	answers("several indices for each row in two tables", 8, picked_both);
}

/*
 * Two classifiers of a converter for several targets: their labels in one
 * tensor, their probabilities in a sequence, in either order.
 */
static void
test_targets(void)
{
	static const char *const linear[2][13] = {
		{"classlabels_ints", "ints:0,1", "coefficients", "floats:-1,0,0,0,1,0,0,0", "intercepts", "floats:-0.75,0.75",
		"post_transform", "s:NONE", NULL},
		{"classlabels_ints", "ints:3,5,7", "coefficients", "floats:1,0,0,0,0,1,0,0,0,0,1,0", "intercepts", "floats:0,0,0",
		"post_transform", "s:NONE", NULL}
	};
	static const int64_t column[] = {-1, 1};
	static const double labels[] = {1, 7, 1, 3};
	static const double scores[] = {-1.75, 1.75, 1, 2, 3, -1.25, 1.25, 0.5, -1, 0.25};

	for (int order = 0; order < 2; order++)
	{
		SpTestImport import;
		double		given[2][10];

		graph.size = 0;
		put_integers("column", 2, column);
		put_node(&graph, ML, "LinearClassifier", "X", "l0,s0", linear[0]);
		put_node(&graph, ML, "LinearClassifier", "X", "l1,s1", linear[1]);
		put_node(&graph, "", "Reshape", "l0,column", "r0", NULL);
		put_node(&graph, "", "Reshape", "l1,column", "r1", NULL);
		put_node(&graph, "", "Concat", "r0,r1", "label", axis1);
		put_node(&graph, "", "SequenceConstruct", "s0,s1", "scores", NULL);
		put_value(&graph, 11, "X", 1, 4);
		put_value(&graph, 12, order == 0 ? "label" : "scores", 7, 0);
		put_value(&graph, 12, order == 0 ? "scores" : "label", 7, 0);
		put_model(&model, &graph);
		sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
		if (ok(import.status == SP_OK && import.model->task == SP_TASK_REGRESSION && import.model->n_labels == 0 &&
			   import.model->outputs[SP_OUTPUT_LABEL] == SP_NO_VALUE, "several targets, order %d", order))
			ok(sp_test_run(&import, some_rows, 2, SP_OUTPUT_VALUE, 2, given[0]) && memcmp(given[0], labels, sizeof(labels)) == 0 &&
			   sp_test_run(&import, some_rows, 2, SP_OUTPUT_RAW, 5, given[1]) && memcmp(given[1], scores, sizeof(scores)) == 0,
			   "their labels and scores");
		else
			sp_test_complain(&import, "targets", 0);
		sp_test_import_end(&import);
	}
	sp_test_hostile("several targets", SP_FORMAT_ONNX, model.bytes, model.size, true);
	graph.size = 0;
	put_node(&graph, "", "SequenceConstruct", "X,X", "scores", NULL);
	put_node(&graph, "", "Abs", "scores", "Y", NULL);
	refused_graph(SP_ERR_UNSUPPORTED, "a dictionary or sequence as input");
	put_node(&graph, "", "SequenceConstruct", "", "Y", NULL);
	refused_graph(SP_ERR_FORMAT, "there are no inputs");
	put_node(&graph, "", "Cast", "X", "I", (const char *const[]) {"to", "i:7", NULL});
	put_node(&graph, "", "SequenceConstruct", "X,I", "Y", NULL);
	refused_graph(SP_ERR_FORMAT, "tensors of different types");
	put_constant(&graph, "constant", 1, (const float[]) {1});
	put_node(&graph, "", "Identity", "constant", "Y", NULL);
	refused_graph(SP_ERR_UNSUPPORTED, "the same for all rows");
}

/* ONNX Runtime has a margin of two classes twice, with both signs. */
static void
test_margins(void)
{
	static const char *const linear[] = {"classlabels_ints", "ints:0,1", "coefficients", "floats:-1,0,0,0,1,0,0,0",
	"intercepts", "floats:-0.5,0.5", NULL};
	static const int64_t first[] = {0};
	static const int64_t second[] = {1};
	static const double margins[] = {1.5, 1};
	static const double negated[] = {-1.5, -1};

	for (int which = 0; which < 2; which++)
	{
		graph.size = 0;
		put_node(&graph, ML, "LinearClassifier", "X", "label,margins", linear);
		put_integers("index", 1, which == 0 ? second : first);
		put_node(&graph, ML, "ArrayFeatureExtractor", "margins,index", "Y", NULL);
		answers("a column of two margins", 1, which == 0 ? margins : negated);
	}
}

/* An index that no element has gives no number, and not that of another one. */
static void
test_out_of_range(void)
{
	static const char *const to_integer[] = {"to", "i:7", NULL};
	static const int64_t sides[] = {3, 2};
	static const int64_t column[] = {0};
	static const float table[] = {10, 11, 20, 21, 30, 31};
	static const double rows[] = {0, 2, -3, 3, -4, 1e9};
	static const double expected[] = {10, 11, 30, 31, 10, 11, NAN, NAN, NAN, NAN, NAN, NAN};

	for (int is_pair = 0; is_pair < 2; is_pair++)
	{
		SpTestImport import;
		double		given[12] = {0};
		double		row[24] = {0};
		bool		good;

		graph.size = 0;
		put_tensor(&graph, "table", 1, 2, sides, table, sizeof(table));
		put_integers("column", 1, column);
		put_node(&graph, "", "Cast", "X", "codes", to_integer);
		put_node(&graph, "", "Gather", "codes,column", "code", axis1);
		put_node(&graph, "", "Gather", "table,code", is_pair ? "pair" : "Y", NULL);
		if (is_pair)
			put_node(&graph, "", "Concat", "pair", "Y", axis1);
		put_value(&graph, 11, "X", 1, 4);
		put_value(&graph, 12, "Y", 1, 0);
		put_model(&model, &graph);
		for (int at = 0; at < 6; at++)
			row[4 * at] = rows[at];
		sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
		good = import.status == SP_OK && sp_test_run(&import, row, 6, SP_OUTPUT_VALUE, 2, given);
		for (int at = 0; at < 12; at++)
			good = good && (given[at] == expected[at] || (isnan(given[at]) && isnan(expected[at])));
		if (!ok(good, "an index out of range, form %d", is_pair))
			sp_test_complain(&import, "out of range", 0);
		sp_test_import_end(&import);
	}
}

/* Products of a linear kernel beyond what a float holds cancel, and leave what libsvm's doubles leave. */
static void
test_linear_kernel(void)
{
	static const char *const machine[] = {"kernel_type", "s:LINEAR", "kernel_params", "floats:0,0,0", "support_vectors",
	"floats:33554432,1,0,0,33554432,0,0,0", "coefficients", "floats:1,-1", "rho", "floats:0.5", "n_supports", "i:2", NULL};
	static const double scores[] = {2.5, -0.5};

	graph.size = 0;
	put_node(&graph, ML, "SVMRegressor", "X", "Y", machine);
	answers("a linear kernel", 1, scores);
}

/*
 * The sign of a score is the label of an outlier detector.  A score of 0 is an
 * outlier to scikit-learn's OneClassSVM, and none to its SGDOneClassSVM; in
 * graphs of others it is a label of its own.
 */
static void
test_sign(const char *producer, bool is_svm, int n_labels, const char *zero)
{
	static const char *const svm[] = {"kernel_type", "s:LINEAR", "kernel_params", "floats:0,0,0", "support_vectors", "floats:1,0,0,0",
	"coefficients", "floats:1", "rho", "floats:0", "n_supports", "i:1", NULL};
	static const double rows[] = {2, 0, 0, 0, 0, 0, 0, 0, -3, 0, 0, 0, -0x1p-149, 0, 0, 0};
	static const char *const to_integer[] = {"to", "i:7", NULL};
	static const int64_t axes[] = {1};
	SpTestImport import;
	double		labels[4];

	graph.size = 0;
	put_integers("axes", 1, axes);
	if (is_svm)
		put_node(&graph, ML, "SVMRegressor", "X", "scores", svm);
	else
		put_node(&graph, "", "ReduceSum", "X,axes", "scores", NULL);
	put_node(&graph, "", "Sign", "scores", "sign", NULL);
	put_node(&graph, "", "Cast", "sign", "label", to_integer);
	put_value(&graph, 11, "X", 1, 4);
	put_value(&graph, 12, "label", 7, 0);
	put_value(&graph, 12, "scores", 1, 0);
	put_model(&model, &graph);
	put_text(&model, 2, producer);
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	if (ok(import.status == SP_OK && import.model->task == SP_TASK_OUTLIER && (int) import.model->n_labels == n_labels,
		   "the sign of a score, by %s%s", producer, is_svm ? ", of an SVM" : ""))
		ok(sp_test_run(&import, rows, 4, SP_OUTPUT_LABEL, 1, labels) &&
		   strcmp(import.model->labels[(int) labels[0]], "1") == 0 && strcmp(import.model->labels[(int) labels[1]], zero) == 0 &&
		   strcmp(import.model->labels[(int) labels[2]], "-1") == 0 && strcmp(import.model->labels[(int) labels[3]], "-1") == 0, "its labels");
	else
		sp_test_complain(&import, "sign", 0);
	sp_test_import_end(&import);
}

int
main(void)
{
	test_operators();
	test_imputed_types();
	test_merged_rows();
	test_targets();
	test_linear_kernel();
	test_out_of_range();
	test_margins();
	test_sign("skl2onnx", false, 2, "1");
	test_sign("skl2onnx", true, 2, "-1");
	test_sign("somebody", false, 3, "0");
	test_rich();
	return done_testing();
}
