/*
 * test/unit/test_import_onnx.c
 *
 * ONNX models: what is read, what is refused, hostile files.
 */
#include <math.h>

#include "sp_test_import.h"
#include "sp_test_onnx.h"

#define ML "ai.onnx.ml"
#define MAX_ATTRIBUTES 32

/* A graph of one estimator; a test replaces some attributes. */
typedef struct Estimator
{
	const char *operator;
	const char *attributes[2 * MAX_ATTRIBUTES + 1];
} Estimator;

/* x1 <= 0.5 ? (x0 <= 2 ? 1 : 2) : 3, and a tree of one leaf; ids in no order */
static const Estimator regressor = {
	"TreeEnsembleRegressor", {
		"n_targets", "i:1",
		"nodes_treeids", "ints:7,7,7,7,7,3", "nodes_nodeids", "ints:10,4,2,9,-1,0",
		"nodes_featureids", "ints:1,0,0,0,0,0", "nodes_modes", "strings:BRANCH_LEQ,BRANCH_LEQ,LEAF,LEAF,LEAF,LEAF",
		"nodes_truenodeids", "ints:4,2,0,0,0,0", "nodes_falsenodeids", "ints:9,-1,0,0,0,0",
		"nodes_values", "floats:0.5,2,0,0,0,0", "nodes_hitrates", "floats:1,1,1,1,1,1",
		"nodes_missing_value_tracks_true", "ints:1,0,0,0,0,0",
		"target_treeids", "ints:3,7,7,7", "target_nodeids", "ints:0,-1,9,2", "target_ids", "ints:0,0,0,0",
		"target_weights", "floats:10,2,3,1", "base_values", "floats:0.25", "post_transform", "s:NONE", NULL
	}
};

static const Estimator classifier = {
	"TreeEnsembleClassifier", {
		"classlabels_int64s", "ints:5,-6",
		"nodes_treeids", "ints:0,0,0", "nodes_nodeids", "ints:0,1,2",
		"nodes_featureids", "ints:1,0,0", "nodes_modes", "strings:BRANCH_LT,LEAF,LEAF",
		"nodes_truenodeids", "ints:1,0,0", "nodes_falsenodeids", "ints:2,0,0", "nodes_values", "floats:0.5,0,0",
		"class_treeids", "ints:0,0", "class_nodeids", "ints:1,2", "class_ids", "ints:0,0",
		"class_weights", "floats:-1,1", "post_transform", "s:LOGISTIC", NULL
	}
};

static const Estimator linear = {
	"LinearClassifier", {
		"classlabels_strings", "strings:no,yes", "coefficients", "floats:-1,2,1,-2", "intercepts", "floats:0.5,-0.5",
		"multi_class", "i:0", "post_transform", "s:LOGISTIC", NULL
	}
};

/* Replace an attribute, remove it (value NULL) or add it. */
static Estimator
with(Estimator estimator, const char *name, const char *value)
{
	size_t		i = 0;

	while (estimator.attributes[i] != NULL && strcmp(estimator.attributes[i], name) != 0)
		i += 2;
	estimator.attributes[i] = name;
	if (estimator.attributes[i + 1] == NULL && i + 2 <= 2 * MAX_ATTRIBUTES)
		estimator.attributes[i + 2] = NULL;
	estimator.attributes[i + 1] = value;
	return estimator;
}

static Message graph;
static Message model;

static void
write_estimator(const Estimator *estimator, int input_type)
{
	bool		is_classifier = strstr(estimator->operator, "Classifier") != NULL;

	graph.size = 0;
	put_node(&graph, ML, estimator->operator, "X", is_classifier ? "label,scores" : "value", estimator->attributes);
	put_value(&graph, 11, "X", input_type, 2);
	if (is_classifier)
		put_value(&graph, 12, "label", 7, 0);
	put_value(&graph, 12, is_classifier ? "scores" : "value", 1, 0);
	put_model(&model, &graph);
}

static bool
import_model(SpTestImport *import, const char *name)
{
	if (sp_test_import(import, SP_FORMAT_UNKNOWN, model.bytes, model.size) == SP_OK)
		return ok(true, "%s", name);
	ok(false, "%s", name);
	sp_test_complain(import, name, 0);
	printf("# %s\n", import->cx.error.detail);
	return false;
}

static void
test_regressor(void)
{
	SpTestImport import;

	write_estimator(&regressor, 1);
	if (import_model(&import, "a tree regressor"))
	{
		const SpModel *m = import.model;
		const SpTrees *trees = &m->steps[0].u.trees;

		ok(import.used == SP_FORMAT_ONNX && m->task == SP_TASK_REGRESSION && m->accepts_missing &&
		   strcmp(m->producer, "skl2onnx 1.19.1") == 0 && strcmp(m->objective, "TreeEnsembleRegressor") == 0 &&
		   strcmp(m->features[1].name, "f1") == 0, "facts");
		ok(trees->n_trees == 2 && trees->first_node[1] == 5 && trees->base_last && trees->base[0] == 0.25 &&
		   trees->sum_type == SP_TYPE_F32, "trees");
		ok(trees->nodes[0].feature == 1 && trees->nodes[0].flags == (SP_NODE_LE | SP_NODE_MISSING_LEFT) &&
		   trees->nodes[0].left == 1 && trees->nodes[0].right == 3 && trees->nodes[1].flags == SP_NODE_LE &&
		   trees->nodes[1].right == 4, "splits");
		ok(trees->weights[trees->nodes[2].left].value == 1 && trees->weights[trees->nodes[4].left].value == 2 &&
		   trees->weights[trees->nodes[3].left].value == 3 && trees->weights[trees->nodes[5].left].value == 10, "leaves");
		ok(m->outputs[SP_OUTPUT_VALUE] == 1 && m->outputs[SP_OUTPUT_RAW] == SP_NO_VALUE, "outputs");
	}
	sp_test_import_end(&import);
	sp_test_hostile("trees", SP_FORMAT_ONNX, model.bytes, model.size, true);
}

static void
test_modes(void)
{
	static const struct
	{
		const char *mode;
		const char *tracks;
		uint32_t	flags;
		uint32_t	left;
	}			modes[] = {
		{"strings:BRANCH_LEQ,LEAF,LEAF", "ints:0,0,0", SP_NODE_LE, 1},
		{"strings:BRANCH_LT,LEAF,LEAF", "ints:1,0,0", SP_NODE_MISSING_LEFT, 1},
		{"strings:BRANCH_GT,LEAF,LEAF", "ints:0,0,0", SP_NODE_LE | SP_NODE_MISSING_LEFT, 2},
		{"strings:BRANCH_GT,LEAF,LEAF", "ints:1,0,0", SP_NODE_LE, 2},
		{"strings:BRANCH_GTE,LEAF,LEAF", NULL, SP_NODE_MISSING_LEFT, 2},
		{"strings:BRANCH_GTE,LEAF,LEAF", "ints:1,0,0", 0, 2},
	};
	size_t		i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
	{
		Estimator	changed = with(with(classifier, "nodes_modes", modes[i].mode),
								   "nodes_missing_value_tracks_true", modes[i].tracks);
		SpTestImport import;

		write_estimator(&changed, 1);
		if (import_model(&import, modes[i].mode))
		{
			const SpNode *root = &import.model->steps[0].u.trees.nodes[0];

			ok(root->flags == modes[i].flags && root->left == modes[i].left && root->right == 3 - modes[i].left &&
			   import.model->accepts_missing == (modes[i].tracks && modes[i].tracks[5] == '1'), "its split");
		}
		sp_test_import_end(&import);
	}
}

/* Names of a model's steps, and which outputs it has. */
static void
steps_are(const Estimator *estimator, int input_type, const char *steps, unsigned outputs)
{
	SpTestImport import;
	char		made[200] = "";
	unsigned	has = 0;
	uint32_t	i;

	write_estimator(estimator, input_type);
	if (sp_test_import(&import, SP_FORMAT_UNKNOWN, model.bytes, model.size) == SP_OK)
	{
		for (i = 0; i < import.model->n_steps; i++)
			snprintf(made + strlen(made), sizeof(made) - strlen(made), "%s ", sp_op_name(import.model->steps[i].op));
		for (i = 0; i < SP_N_OUTPUTS; i++)
			has |= import.model->outputs[i] != SP_NO_VALUE ? 1u << i : 0;
	}
	if (!ok(strcmp(made, steps) == 0 && has == outputs, "%s, input type %d: %s", estimator->operator, input_type, steps))
		printf("# %s, outputs %x; %s\n", made, has, import.cx.error.message);
	sp_test_import_end(&import);
}

#define VALUE 1
#define LABEL 2
#define PROBABILITIES 4
#define RAW 8

static void
test_estimators(void)
{
	Estimator	changed;

	steps_are(&classifier, 1, "trees above map complement ", LABEL | PROBABILITIES | RAW);
	steps_are(&classifier, 11, "trees above cast map complement ", LABEL | PROBABILITIES | RAW);
	steps_are(&classifier, 7, "cast trees above map complement ", LABEL | PROBABILITIES | RAW);
	changed = with(classifier, "post_transform", "s:NONE");
	steps_are(&changed, 1, "trees above ", LABEL | RAW);
	changed = with(changed, "class_weights", "floats:0,0.75");
	steps_are(&changed, 1, "trees above complement ", LABEL | PROBABILITIES);
	changed = with(with(classifier, "class_ids", "ints:1,0,0,1"), "class_nodeids", "ints:1,1,2,2");
	changed = with(with(changed, "class_treeids", "ints:0,0,0,0"), "class_weights", "floats:-1,1,2,-2");
	steps_are(&changed, 1, "trees above map complement ", LABEL | PROBABILITIES | RAW);
	changed = with(with(classifier, "classlabels_int64s", "ints:0,1,2"), "class_ids", "ints:0,1");
	changed = with(with(changed, "base_values", "floats:0,1,2"), "post_transform", "s:SOFTMAX");
	steps_are(&changed, 1, "trees argmax softmax ", LABEL | PROBABILITIES | RAW);
	steps_are(&regressor, 11, "trees cast ", VALUE);
	steps_are(&linear, 1, "linear above map complement ", LABEL | PROBABILITIES | RAW);
	changed = with(linear, "post_transform", "s:SOFTMAX");
	steps_are(&changed, 11, "cast linear argmax softmax ", LABEL | PROBABILITIES | RAW);
	changed = with(linear, "post_transform", "s:NONE");
	steps_are(&changed, 1, "linear above ", LABEL | RAW);
	changed = (Estimator) {"LinearRegressor", {"coefficients", "floats:1,2", "intercepts", "floats:3", NULL}};
	steps_are(&changed, 1, "linear ", VALUE);
}

static void
refused(SpStatus status, const char *text, Estimator estimator)
{
	write_estimator(&estimator, 1);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "refused: %s", text);
}

static void
test_refused_trees(void)
{
	refused(SP_ERR_FORMAT, "no trees", with(regressor, "nodes_modes", NULL));
	refused(SP_ERR_FORMAT, "nodes_treeids has 5", with(regressor, "nodes_treeids", "ints:7,7,7,7,3"));
	refused(SP_ERR_FORMAT, "nodes_values has 0", with(regressor, "nodes_values", NULL));
	refused(SP_ERR_FORMAT, "target_ids has 3", with(regressor, "target_ids", "ints:0,0,0"));
	refused(SP_ERR_FORMAT, "has the type 6 instead of 7", with(regressor, "nodes_nodeids", "floats:10,4,2,9,-1,0"));
	refused(SP_ERR_FORMAT, "two nodes 4", with(regressor, "nodes_nodeids", "ints:10,4,4,9,-1,0"));
	refused(SP_ERR_FORMAT, "not together", with(regressor, "nodes_treeids", "ints:7,7,7,3,7,3"));
	refused(SP_ERR_FORMAT, "child that does not exist", with(regressor, "nodes_truenodeids", "ints:5,2,0,0,0,0"));
	refused(SP_ERR_FORMAT, "more than one parent", with(regressor, "nodes_truenodeids", "ints:10,2,0,0,0,0"));
	refused(SP_ERR_FORMAT, "more than one parent", with(regressor, "nodes_truenodeids", "ints:9,2,0,0,0,0"));
	refused(SP_ERR_FORMAT, "feature 2 of 2", with(regressor, "nodes_featureids", "ints:2,0,0,0,0,0"));
	refused(SP_ERR_FORMAT, "feature -1", with(regressor, "nodes_featureids", "ints:-1,0,0,0,0,0"));
	refused(SP_ERR_FORMAT, "feature 9223372036854775807",
			with(regressor, "nodes_featureids", "ints:9223372036854775807,0,0,0,0,0"));
	refused(SP_ERR_FORMAT, "not a number", with(regressor, "nodes_values", "floats:nan,2,0,0,0,0"));
	refused(SP_ERR_FORMAT, "not finite", with(regressor, "target_weights", "floats:10,2,nan,1"));
	refused(SP_ERR_FORMAT, "not finite", with(regressor, "base_values", "floats:nan"));
	refused(SP_ERR_FORMAT, "2 base_values", with(regressor, "base_values", "floats:1,2"));
	refused(SP_ERR_FORMAT, "tree 8, which", with(regressor, "target_treeids", "ints:8,7,7,7"));
	refused(SP_ERR_FORMAT, "node 11 of tree 7, which", with(regressor, "target_nodeids", "ints:0,-1,11,2"));
	refused(SP_ERR_FORMAT, "two weights for output 0", with(regressor, "target_nodeids", "ints:0,-1,-1,2"));
	refused(SP_ERR_FORMAT, "leaf -1 of tree 7 has no weight", with(regressor, "target_nodeids", "ints:0,4,9,2"));
	refused(SP_ERR_FORMAT, "weight for output 1", with(regressor, "target_ids", "ints:0,0,1,0"));
	refused(SP_ERR_UNSUPPORTED, "BRANCH_MEMBER", with(regressor, "nodes_modes", "strings:BRANCH_MEMBER,BRANCH_LEQ,LEAF,LEAF,LEAF,LEAF"));
	refused(SP_ERR_UNSUPPORTED, "BRANCH_XOR", with(regressor, "nodes_modes", "strings:BRANCH_XOR,BRANCH_LEQ,LEAF,LEAF,LEAF,LEAF"));
	refused(SP_ERR_UNSUPPORTED, "-1 targets", with(regressor, "n_targets", "i:-1"));
	refused(SP_ERR_FORMAT, "aggregate_function", with(regressor, "aggregate_function", "s:MEDIAN"));
	refused(SP_ERR_UNSUPPORTED, "ONNX Runtime ignores", with(regressor, "post_transform", "s:LOGISTIC"));
	refused(SP_ERR_UNSUPPORTED, "post_transform \"TANH\"", with(regressor, "post_transform", "s:TANH"));
	refused(SP_ERR_UNSUPPORTED, "attribute \"surprise\"", with(regressor, "surprise", "i:1"));
	refused(SP_ERR_UNSUPPORTED, "another type than the input", with(regressor, "base_values_as_tensor", "doubles:1"));
	refused(SP_ERR_UNSUPPORTED, "one label", with(classifier, "classlabels_int64s", "ints:5"));
	refused(SP_ERR_FORMAT, "labels either", with(classifier, "classlabels_int64s", NULL));
	refused(SP_ERR_FORMAT, "labels either", with(classifier, "classlabels_strings", "strings:a,b"));
	refused(SP_ERR_FORMAT, NULL, with(classifier, "classlabels_int64s", "ints:5,5"));
	refused(SP_ERR_UNSUPPORTED, "separate weights", with(classifier, "class_ids", "ints:0,1"));
	refused(SP_ERR_UNSUPPORTED, "2 base_values", with(classifier, "base_values", "floats:1,2"));
	refused(SP_ERR_UNSUPPORTED, "PROBIT", with(classifier, "post_transform", "s:PROBIT"));
	refused(SP_ERR_UNSUPPORTED, "without weights on some paths", with(classifier, "classlabels_int64s", "ints:0,1,2"));
	refused(SP_ERR_FORMAT, "2 base_values for 3",
			with(with(classifier, "classlabels_int64s", "ints:0,1,2"), "base_values", "floats:1,2"));
}

/* Numbers as a tensor go with a double input. */
static void
test_tensors(void)
{
	Estimator	changed = with(with(regressor, "nodes_values", NULL), "nodes_values_as_tensor", "doubles:0.1,2,0,0,0,0");
	SpTestImport import;

	write_estimator(&changed, 11);
	if (import_model(&import, "thresholds in double"))
		ok(import.model->steps[0].u.trees.nodes[0].threshold == 0.1 &&
		   import.model->steps[0].u.trees.sum_type == SP_TYPE_F64, "are kept");
	sp_test_import_end(&import);
	changed = with(regressor, "nodes_values_as_tensor", "doubles:0.1,2,0,0,0,0");
	write_estimator(&changed, 11);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, SP_ERR_FORMAT, "both nodes_values", "thresholds given twice");
	changed = with(with(regressor, "base_values", NULL), "base_values_as_tensor", "doubles:1,2");
	write_estimator(&changed, 11);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, SP_ERR_FORMAT, "2 base_values", "a tensor of two numbers");
}

static void
test_refused_linear(void)
{
	refused(SP_ERR_FORMAT, "3 coefficients", with(linear, "coefficients", "floats:1,2,3"));
	refused(SP_ERR_UNSUPPORTED, "without intercepts", with(linear, "intercepts", NULL));
	refused(SP_ERR_FORMAT, "2 intercepts for 3 labels", with(linear, "classlabels_strings", "strings:a,b,c"));
	refused(SP_ERR_FORMAT, "not finite", with(linear, "coefficients", "floats:nan,2,1,-2"));
	refused(SP_ERR_FORMAT, NULL, with(linear, "classlabels_strings", "strings:a,\xff"));
	refused(SP_ERR_UNSUPPORTED, "0 targets", (Estimator) {"LinearRegressor", {"targets", "i:0", NULL}});
	refused(SP_ERR_FORMAT, "0 coefficients", (Estimator) {"LinearRegressor", {"targets", "i:1", NULL}});
	refused(SP_ERR_FORMAT, "SVMRegressor", (Estimator) {"SVMRegressor", {NULL}});
}

/* A pipeline as converters write it; extra nodes come before the last ones. */
static void
write_pipeline(const char *operator, const char *inputs, const char *const *attributes)
{
	static const float row[] = {2, 4};
	static const float one[] = {1};
	static const char *const scaler[] = {"offset", "floats:1,2", "scale", "floats:0.5,3", NULL};
	static const char *const zipmap[] = {"classlabels_strings", "strings:no,yes", NULL};
	static const char *const to_string[] = {"to", "i:8", NULL};
	static const char *const norm[] = {"norm", "s:L1", NULL};

	graph.size = 0;
	put_node(&graph, ML, "Scaler", "X", "scaled", scaler);
	put_node(&graph, strstr("Normalizer ZipMap", operator) ? ML : "", operator, inputs, "extra", attributes);
	put_node(&graph, ML, linear.operator, strstr(inputs, "scaled") ? "extra" : "scaled", "label,scores", linear.attributes);
	put_node(&graph, "", "Cast", "label", "output_label", to_string);
	put_node(&graph, ML, "Normalizer", "scores", "normalized", norm);
	put_node(&graph, "", "Mul", "normalized,one", "same", NULL);
	put_node(&graph, ML, "ZipMap", "same", "output_probability", zipmap);
	put_constant(&graph, "row", 2, row);
	put_constant(&graph, "one", 1, one);
	put_value(&graph, 11, "X", 1, 2);
	put_value(&graph, 11, "row", 1, 2);
	put_value(&graph, 12, "output_label", 8, 0);
	put_value(&graph, 12, "output_probability", 1, 0);
	put_model(&model, &graph);
}

static void
pipeline_is(const char *operator, const char *inputs, const char *const *attributes, double offset, double scale)
{
	SpTestImport import;

	write_pipeline(operator, inputs, attributes);
	if (import_model(&import, operator))
	{
		const SpScale *step = &import.model->steps[1].u.scale;

		ok(import.model->steps[1].op == SP_OP_SCALE && step->offset[1] == offset && step->scale[1] == scale &&
		   import.model->outputs[SP_OUTPUT_PROBABILITIES] != SP_NO_VALUE && import.model->label_type == SP_TYPE_STRING,
		   "%s %s: (x - %g) * %g", operator, inputs, offset, scale);
	}
	sp_test_import_end(&import);
}

static void
pipeline_refused(SpStatus status, const char *text, const char *operator, const char *inputs,
				 const char *const *attributes)
{
	write_pipeline(operator, inputs, attributes);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "refused: %s", text);
}

static void
test_pipeline(void)
{
	static const char *const bad_norm[] = {"norm", "s:L3", NULL};
	SpTestImport import;

	pipeline_is("Mul", "scaled,row", NULL, 0, 4);
	pipeline_is("Mul", "row,scaled", NULL, 0, 4);
	pipeline_is("Add", "scaled,row", NULL, -4, 1);
	pipeline_is("Sub", "scaled,row", NULL, 4, 1);
	pipeline_is("Sub", "row,scaled", NULL, 4, -1);
	pipeline_is("Div", "scaled,row", NULL, 0, 0.25);
	sp_test_hostile("pipeline", SP_FORMAT_ONNX, model.bytes, model.size, true);
	pipeline_refused(SP_ERR_FORMAT, "not defined before", "Add", "scaled,nothing", NULL);
	pipeline_refused(SP_ERR_FORMAT, "not defined before", "Add", "label,row", NULL);
	pipeline_refused(SP_ERR_FORMAT, "input 1 is missing", "Add", "scaled", NULL);
	pipeline_refused(SP_ERR_FORMAT, "the norm", "Normalizer", "scaled", bad_norm);
	pipeline_refused(SP_ERR_FORMAT, "labels either", "ZipMap", "scaled", NULL);
	pipeline_refused(SP_ERR_UNSUPPORTED, "operator Loop", "Loop", "scaled,X", NULL);
	pipeline_refused(SP_ERR_UNSUPPORTED, "node \"the node\", domain \"ai.onnx\", opset 21", "Loop", "scaled,X", NULL);
	write_pipeline("Mul", "scaled,row", NULL);
	put_pair(&model, 14, "feature_names", "[\"a\", \"b\"]");
	if (import_model(&import, "names in the metadata"))
		ok(strcmp(import.model->features[1].name, "b") == 0, "are taken");
	sp_test_import_end(&import);
	write_pipeline("Mul", "scaled,row", NULL);
	put_pair(&model, 14, "feature_names", "a, b");
	if (import_model(&import, "other metadata of that name"))
		ok(strcmp(import.model->features[1].name, "f1") == 0, "are not");
	sp_test_import_end(&import);
}

static void
graph_refused(SpStatus status, const char *text)
{
	put_model(&model, &graph);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "refused: %s", text);
}

static void
test_graphs(void)
{
	static const char *const coefficients[] = {"coefficients", "floats:1,2", NULL};
	int			i;

	graph.size = 0;
	graph_refused(SP_ERR_FORMAT, "no input");
	put_value(&graph, 11, "X", 1, 2);
	put_node(&graph, ML, "LinearRegressor", "X", "Y", coefficients);
	graph_refused(SP_ERR_FORMAT, NULL);
	put_value(&graph, 12, "Z", 1, 0);
	graph_refused(SP_ERR_FORMAT, "\"Z\" is not defined");
	graph.size = 0;
	put_value(&graph, 11, "X", 1, 0);
	graph_refused(SP_ERR_UNSUPPORTED, "fixed number of columns");
	graph.size = 0;
	put_value(&graph, 11, "X", 14, 2);
	graph_refused(SP_ERR_UNSUPPORTED, "element type 14");
	graph.size = 0;
	put_value(&graph, 11, "X", 1, 1000000000);
	graph_refused(SP_ERR_LIMIT, "1000000000 columns");
	graph.size = 0;
	put_value(&graph, 11, "X", 1, 2);
	put_node(&graph, "", "Identity", "X", "X", NULL);
	graph_refused(SP_ERR_FORMAT, "\"X\" twice");
	graph.size = 0;
	for (i = 0; i < 5000; i++)
		put_varint(&graph, 1 << 3 | 2), put_varint(&graph, 0);
	put_value(&graph, 11, "X", 1, 2);
	graph_refused(SP_ERR_LIMIT, "5000 nodes");
	sp_test_refused(SP_FORMAT_ONNX, "", 0, SP_ERR_FORMAT, "empty", "an empty file");
	sp_test_refused(SP_FORMAT_ONNX, "\x08\x0a", 2, SP_ERR_FORMAT, "no graph", "no graph");
	sp_test_refused(SP_FORMAT_ONNX, "\x08\x0a\x3a\x05\x0a", 5, SP_ERR_FORMAT, "cut off", "a graph that is cut off");
	sp_test_refused(SP_FORMAT_ONNX, "\x3a\x04\x0a\x02\x0a\x7f", 6, SP_ERR_FORMAT, "cut off", "a node's input that is cut off");
	sp_test_refused(SP_FORMAT_ONNX, "\x3a\x02\x08\x01", 4, SP_ERR_FORMAT, "\"node\" has the wire type 0",
					"a node that is a number");
	sp_test_refused(SP_FORMAT_ONNX, "\xca\x01\x01x\x3a\x00", 6, SP_ERR_UNSUPPORTED, "functions", "functions");
}

/* What costs more memory than file is counted before memory is taken. */
static void
test_parts(void)
{
	SpTestImport import;
	size_t		size = 3000001;
	uint8_t    *bytes = malloc(size);
	size_t		i;

	/* a graph of 2999996 bytes */
	memcpy(bytes, "\x3a\xbc\x8d\xb7\x01", 5);
	for (i = 5; i < size; i += 2)
	{
		bytes[i] = 1 << 3 | 2;
		bytes[i + 1] = 0;
	}
	sp_test_import(&import, SP_FORMAT_ONNX, bytes, size);
	fails_with(&import.cx, import.status, SP_ERR_LIMIT, "parts", "a million empty nodes");
	ok(import.region.peak < 100000, "and cost no memory");
	sp_test_import_end(&import);
	sp_test_context(&import.cx, &import.region);
	import.cx.limits.max_nodes = 10;
	for (i = 5; i < size; i += 2)
		bytes[i] = 15 << 3 | 2;
	fails_with(&import.cx, sp_import(&import.cx, SP_FORMAT_ONNX, bytes, size, NULL, &import.used, &import.model),
			   SP_ERR_LIMIT, "1000010 fields", "as many fields");
	ok(import.region.peak < 100000, "cost none either");
	sp_test_import_end(&import);
	free(bytes);
}

int
main(int argc, char **argv)
{
	const char *data = sp_test_data(argc, argv);

	test_regressor();
	test_modes();
	test_estimators();
	test_refused_trees();
	test_tensors();
	test_refused_linear();
	test_pipeline();
	test_graphs();
	test_parts();
	sp_test_fixture(data, "onnx_pouch_random_forest", "model.onnx", SP_FORMAT_ONNX, "skl2onnx");
	sp_test_fixture(data, "onnx_wine_robust_logistic", "model.onnx", SP_FORMAT_ONNX, "skl2onnx");
	sp_test_fixture(data, "onnx_xgb_cancer", "model.onnx", SP_FORMAT_ONNX, "OnnxMLTools");
	sp_test_fixture(data, "onnx_digits_cnn", "model.onnx", SP_FORMAT_ONNX, "smartpouch-examples");
	sp_test_fixture(data, "onnx_digits_lstm", "model.onnx", SP_FORMAT_ONNX, "smartpouch-examples");
	return done_testing();
}
