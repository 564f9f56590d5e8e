/*
 * test/unit/test_import_ensemble.c
 *
 * ONNX tree ensembles beyond comparisons: equality, membership, and the form
 * of TreeEnsemble.
 */
#include <math.h>

#include "sp_test_onnx.h"
#include "sp_test_run.h"

#define ML "ai.onnx.ml"
#define MAX_ATTRIBUTES 20

static Message graph;
static Message model;

typedef struct Attributes
{
	const char *list[2 * MAX_ATTRIBUTES + 1];
} Attributes;

/* x0 in {3, 0.5, -1} ? (x1 == 2 ? 1 : 2) : (x0 != 7 ? 4 : 8), twice, the second tree without the last question */
static const Attributes flat = {{
	"n_targets", "i:1", "aggregate_function", "i:1", "post_transform", "i:0", "tree_roots", "ints:0,3",
	"nodes_modes", "bytes:6,4,5,6", "nodes_featureids", "ints:0,1,0,0", "nodes_splits", "singles:nan,2,7,0",
	"membership_values", "singles:3,0.5,-1,nan,0.5,nan",
	"nodes_truenodeids", "ints:1,0,2,0", "nodes_trueleafs", "ints:0,1,1,1",
	"nodes_falsenodeids", "ints:2,1,3,1", "nodes_falseleafs", "ints:0,1,1,1",
	"leaf_targetids", "ints:0,0,0,0", "leaf_weights", "singles:1,2,4,8", NULL
}};

/* Replace an attribute, remove it (value NULL) or add it. */
static Attributes
with(Attributes attributes, const char *name, const char *value)
{
	size_t		i = 0;

	while (attributes.list[i] != NULL && strcmp(attributes.list[i], name) != 0)
		i += 2;
	if (attributes.list[i] == NULL)
		attributes.list[i + 2] = NULL;
	attributes.list[i] = name;
	attributes.list[i + 1] = value;
	return attributes;
}

static void
write_model(const char *operator, const Attributes *attributes, int type)
{
	graph.size = 0;
	put_node(&graph, ML, operator, "X", "Y", attributes->list);
	put_value(&graph, 11, "X", type, 2);
	put_value(&graph, 12, "Y", type, 0);
	put_model(&model, &graph);
}

/* Rows of two features to sums. */
static void
answers(const char *operator, Attributes attributes, int type, const double *rows, uint32_t n_rows, const double *expected,
		const char *name)
{
	SpTestImport import;
	double		given[32] = {0};
	bool		good = true;

	write_model(operator, &attributes, type);
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	if (import.status != SP_OK)
		sp_test_complain(&import, name, 0);
	good = import.status == SP_OK && sp_test_run(&import, rows, n_rows, SP_OUTPUT_VALUE, 1, given);
	for (uint32_t at = 0; at < n_rows; at++)
		if (good && given[at] != expected[at])
		{
			printf("# row %u: %g instead of %g\n", at, given[at], expected[at]);
			good = false;
		}
	ok(good, "%s", name);
	sp_test_import_end(&import);
}

static void
test_flat(void)
{
	static const double rows[] = {
		3, 2, 0.5, 1, -1, 2, 7, 0, 1, 0, 0.25, 0, -0.5, 0, NAN, 2, 3, NAN
	};
	/* tree 1, then tree 2: 0.5 gives 1, else 2 */
	static const double expected[] = {1 + 2, 2 + 1, 1 + 2, 8 + 2, 4 + 2, 4 + 2, 4 + 2, 4 + 2, 2 + 2};
	/* NaN is a member of the first and third question, equal in the second, and unequal anyway */
	static const double tracked[] = {1 + 2, 2 + 1, 1 + 2, 8 + 2, 4 + 2, 4 + 2, 4 + 2, 1 + 1, 1 + 2};
	Attributes	changed;

	answers("TreeEnsemble", flat, 1, rows, 9, expected, "TreeEnsemble: membership, equality, inequality");
	answers("TreeEnsemble", with(flat, "nodes_missing_value_tracks_true", "ints:1,1,1,1"), 1, rows, 9, tracked,
			"TreeEnsemble: NaN to the true side");
	changed = with(with(flat, "nodes_splits", "doubles:0,2,7,0"), "leaf_weights", "doubles:1,2,4,8");
	changed = with(changed, "membership_values", "doubles:3,0.5,-1,nan,0.5,nan");
	answers("TreeEnsemble", changed, 11, rows, 9, expected, "TreeEnsemble: double");
	sp_test_hostile("TreeEnsemble", SP_FORMAT_ONNX, model.bytes, model.size, true);
}

/* All comparisons at the threshold and beside it; zeros of both signs are equal. */
static void
test_modes(void)
{
	static const double rows[] = {1, 0, 2, 0, 3, 0, NAN, 0};
	static const double zeros[] = {0.0, 0, -0.0, 0};
	static const double both[] = {1, 1};
	static const struct
	{
		const char *mode;
		double		expected[4];
	}			modes[] = {
		{"bytes:0", {1, 1, 2, 2}}, {"bytes:1", {1, 2, 2, 2}}, {"bytes:2", {2, 1, 1, 2}}, {"bytes:3", {2, 2, 1, 2}},
		{"bytes:4", {2, 1, 2, 2}}, {"bytes:5", {1, 2, 1, 1}}
	};
	Attributes	one = {{
		"n_targets", "i:1", "tree_roots", "ints:0", "nodes_modes", "bytes:0", "nodes_featureids", "ints:0",
		"nodes_splits", "singles:2", "nodes_truenodeids", "ints:0", "nodes_trueleafs", "ints:1",
		"nodes_falsenodeids", "ints:1", "nodes_falseleafs", "ints:1", "leaf_targetids", "ints:0,0",
		"leaf_weights", "singles:1,2", NULL
	}};

	for (size_t at = 0; at < sizeof(modes) / sizeof(modes[0]); at++)
		answers("TreeEnsemble", with(one, "nodes_modes", modes[at].mode), 1, rows, 4, modes[at].expected, modes[at].mode);
	one = with(with(one, "nodes_modes", "bytes:4"), "nodes_splits", "singles:-0");
	answers("TreeEnsemble", one, 1, zeros, 2, both, "-0 equals 0");
}

static void
test_older_operator(void)
{
	static const double rows[] = {5, 0, 5.0000005, 0, 4, 1, NAN, 0};
	static const double expected[] = {1, 4, 2, 4};
	Attributes	old = {{
		"n_targets", "i:1", "nodes_treeids", "ints:0,0,0,0,0", "nodes_nodeids", "ints:0,1,2,3,4",
		"nodes_featureids", "ints:0,1,0,0,0", "nodes_modes", "strings:BRANCH_EQ,BRANCH_NEQ,LEAF,LEAF,LEAF",
		"nodes_truenodeids", "ints:2,3,0,0,0", "nodes_falsenodeids", "ints:1,4,0,0,0",
		"nodes_values", "floats:5,0,0,0,0", "target_treeids", "ints:0,0,0", "target_nodeids", "ints:2,3,4",
		"target_ids", "ints:0,0,0", "target_weights", "floats:1,2,4", NULL
	}};

	answers("TreeEnsembleRegressor", old, 1, rows, 4, expected, "TreeEnsembleRegressor: equality");
	write_model("TreeEnsembleRegressor", &old, 1);
	sp_test_hostile("equality", SP_FORMAT_ONNX, model.bytes, model.size, true);
	old = with(old, "nodes_values", "floats:nan,0,0,0,0");
	write_model("TreeEnsembleRegressor", &old, 1);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, SP_ERR_FORMAT, "what is no number", "equal to NaN");
	old = with(old, "nodes_featureids", "ints:0,2,0,0,0");
	write_model("TreeEnsembleRegressor", &old, 1);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, SP_ERR_FORMAT, NULL, "a feature behind the last");
}

static void
refused(SpStatus status, const char *text, Attributes attributes)
{
	write_model("TreeEnsemble", &attributes, 1);
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "refused: %s", text);
}

static void
test_refused(void)
{
	refused(SP_ERR_FORMAT, "no nodes", with(flat, "nodes_featureids", NULL));
	refused(SP_ERR_FORMAT, "no leaves", with(flat, "leaf_targetids", NULL));
	refused(SP_ERR_FORMAT, "no trees", with(flat, "tree_roots", NULL));
	refused(SP_ERR_FORMAT, "nodes_modes has 0", with(flat, "nodes_modes", NULL));
	refused(SP_ERR_FORMAT, "nodes_modes has 3", with(flat, "nodes_modes", "bytes:6,4,5"));
	refused(SP_ERR_FORMAT, "element type 1", with(flat, "nodes_modes", "singles:6,4,5,6"));
	refused(SP_ERR_UNSUPPORTED, "node mode 7", with(flat, "nodes_modes", "bytes:6,4,7,6"));
	refused(SP_ERR_FORMAT, "nodes_splits has 3", with(flat, "nodes_splits", "singles:0,2,7"));
	refused(SP_ERR_UNSUPPORTED, "another type than the input", with(flat, "nodes_splits", "doubles:0,2,7,0"));
	refused(SP_ERR_FORMAT, "no number", with(flat, "nodes_splits", "singles:0,nan,7,0"));
	refused(SP_ERR_FORMAT, "leaf_weights has 3", with(flat, "leaf_weights", "singles:1,2,4"));
	refused(SP_ERR_FORMAT, "not finite", with(flat, "leaf_weights", "singles:1,2,nan,8"));
	refused(SP_ERR_FORMAT, "weight for output 1", with(flat, "leaf_targetids", "ints:0,1,0,0"));
	refused(SP_ERR_FORMAT, "nodes_trueleafs has 0", with(flat, "nodes_trueleafs", NULL));
	refused(SP_ERR_FORMAT, "tracks_true has 1", with(flat, "nodes_missing_value_tracks_true", "ints:1"));
	refused(SP_ERR_FORMAT, "node 3 has no list", with(flat, "membership_values", "singles:3,0.5,-1,nan"));
	refused(SP_ERR_FORMAT, "node 3 has no list", with(flat, "membership_values", "singles:3,nan,1"));
	refused(SP_ERR_FORMAT, "node 0 has no list", with(flat, "membership_values", "singles:nan,1,nan"));
	refused(SP_ERR_FORMAT, "more membership_values", with(flat, "membership_values", "singles:3,nan,1,nan,4"));
	refused(SP_ERR_FORMAT, "splits on feature 2 of 2", with(flat, "nodes_featureids", "ints:0,2,0,0"));
	refused(SP_ERR_FORMAT, "splits on feature -1", with(flat, "nodes_featureids", "ints:0,1,-1,0"));
	refused(SP_ERR_FORMAT, "node 4, which does not exist", with(flat, "tree_roots", "ints:4"));
	refused(SP_ERR_FORMAT, "node -1, which does not exist", with(flat, "tree_roots", "ints:-1"));
	refused(SP_ERR_FORMAT, "leaf 4, which does not exist", with(flat, "nodes_falsenodeids", "ints:2,1,4,1"));
	refused(SP_ERR_FORMAT, "more than one parent", with(flat, "tree_roots", "ints:0,0"));
	refused(SP_ERR_FORMAT, "more than one parent", with(flat, "nodes_truenodeids", "ints:0,0,2,0"));
	refused(SP_ERR_UNSUPPORTED, "aggregate_function 4", with(flat, "aggregate_function", "i:4"));
	refused(SP_ERR_UNSUPPORTED, "post_transform 5", with(flat, "post_transform", "i:5"));
	refused(SP_ERR_UNSUPPORTED, "ONNX Runtime ignores", with(flat, "post_transform", "i:2"));
	refused(SP_ERR_UNSUPPORTED, "0 targets", with(flat, "n_targets", NULL));
}

int
main(void)
{
	test_flat();
	test_modes();
	test_older_operator();
	test_refused();
	return done_testing();
}
