/*
 * test/unit/test_import_distances.c
 *
 * Loops that are distances to the rows of a matrix, and those that are not.
 */
#include <math.h>

#include "sp_test_onnx.h"
#include "sp_test_run.h"

static Message body;
static Message graph;
static Message model;

static const float matrix[] = {0, 0, 3, 4, -1, 2};
static const int64_t shape[] = {3, 2};
static const double rows[] = {0, 0, 1, -2};

/* One node of a body: operator, inputs, output, attributes. */
typedef struct Step
{
	const char *operator;
	const char *inputs;
	const char *output;
	const char *attributes[5];
} Step;

#define SUB {"Sub", "state,row", "apart", {NULL}}
#define OVER_COLUMNS {"keepdims", "i:0", "axes", "ints:1", NULL}
#define SAME {"Identity", "state", "state_out", {NULL}}

static void
write_body(const Step *steps, size_t n_steps)
{
	static const float order[] = {3};
	static const float two[] = {2};
	static const int64_t one[] = {1};
	int64_t		dims[1] = {1};

	body.size = 0;
	for (size_t at = 0; at < n_steps && steps[at].operator; at++)
		put_node(&body, "", steps[at].operator, steps[at].inputs, steps[at].output, steps[at].attributes);
	put_constant(&body, "order", 1, order);
	put_constant(&body, "two", 1, two);
	put_tensor(&body, "one", 7, 1, dims, one, sizeof(one));
	put_value(&body, 11, "state", 1, 0);
	put_value(&body, 11, "row", 1, 0);
	put_value(&body, 12, "state_out", 1, 0);
	put_value(&body, 12, "distance", 1, 0);
}

static const char *const one_input[] = {"num_scan_inputs", "i:1", NULL};

static void
write_model(const char *inputs, const char *const *attributes, bool is_turned)
{
	static const char *const perm[] = {"perm", "ints:1,0", NULL};

	graph.size = 0;
	put_tensor(&graph, "M", 1, 2, shape, matrix, sizeof(matrix));
	put_node_with_body(&graph, "", "Scan", inputs, is_turned ? "last,found" : "last,Y", attributes, body.size > 0 ? &body : NULL);
	if (is_turned)
		put_node(&graph, "", "Transpose", "found", "Y", perm);
	put_value(&graph, 11, "X", 1, 2);
	put_value(&graph, 12, "Y", 1, 0);
	put_model(&model, &graph);
}

static void
answers(const char *name, const double *expected)
{
	SpTestImport import;
	double		given[6] = {0};
	bool		good;

	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	good = import.status == SP_OK && sp_test_run(&import, rows, 2, SP_OUTPUT_VALUE, 3, given);
	for (int at = 0; at < 6; at++)
		good = good && fabs(given[at] - expected[at]) <= 1e-6 * (1 + expected[at]);
	if (!ok(good, "%s", name))
		sp_test_complain(&import, name, 0);
	sp_test_import_end(&import);
}

static const struct
{
	const char *name;
	Step		steps[5];
	double		expected[6];
}			known[] = {
	{"squares", {SAME, SUB, {"ReduceSumSquare", "apart", "distance", OVER_COLUMNS}}, {0, 25, 5, 5, 40, 20}},
	{"axes as an input", {SAME, SUB, {"ReduceSumSquare", "apart,one", "distance", {"keepdims", "i:0", NULL}}}, {0, 25, 5, 5, 40, 20}},
	{"the other way round", {SAME, {"Sub", "row,state", "apart", {NULL}}, {"ReduceSumSquare", "apart", "distance", OVER_COLUMNS}},
	{0, 25, 5, 5, 40, 20}},
	{"a root", {SAME, SUB, {"ReduceSumSquare", "apart", "sum", OVER_COLUMNS}, {"Sqrt", "sum", "distance", {NULL}}},
	{0, 5, 2.2360679774997896, 2.2360679774997896, 6.324555320336759, 4.47213595499958}},
	{"ReduceL2", {SAME, SUB, {"ReduceL2", "apart", "distance", OVER_COLUMNS}},
	{0, 5, 2.2360679774997896, 2.2360679774997896, 6.324555320336759, 4.47213595499958}},
	{"absolute", {SAME, SUB, {"Abs", "apart", "size", {NULL}}, {"ReduceSum", "size", "distance", OVER_COLUMNS}}, {0, 7, 3, 3, 8, 6}},
	{"ReduceL1", {SAME, SUB, {"ReduceL1", "apart", "distance", OVER_COLUMNS}}, {0, 7, 3, 3, 8, 6}},
	{"largest", {SAME, SUB, {"Abs", "apart", "size", {NULL}}, {"ReduceMax", "size", "distance", OVER_COLUMNS}}, {0, 4, 2, 2, 6, 4}},
	{"cubes", {SAME, SUB, {"Abs", "apart", "size", {NULL}}, {"Pow", "size,order", "power", {NULL}},
	{"ReduceSum", "power", "distance", OVER_COLUMNS}}, {0, 91, 9, 9, 224, 72}},
	{"Pow of 2", {SAME, SUB, {"Pow", "apart,two", "power", {NULL}}, {"ReduceSum", "power", "distance", OVER_COLUMNS}},
	{0, 25, 5, 5, 40, 20}}
};

static void
test_known(void)
{
	for (size_t at = 0; at < sizeof(known) / sizeof(known[0]); at++)
	{
		write_body(known[at].steps, 5);
		write_model("X,M", one_input, true);
		answers(known[at].name, known[at].expected);
		write_model("M,X", one_input, false);
		answers("the matrix is the state", known[at].expected);
	}
	write_body(known[0].steps, 5);
	write_model("X,M", one_input, true);
	sp_test_hostile("distances", SP_FORMAT_ONNX, model.bytes, model.size, true);
}

static void
refused(SpStatus status, const char *text)
{
	sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, status, text, "refused: %s", text);
}

static void
refused_body(const Step *steps, const char *text)
{
	write_body(steps, 5);
	write_model("X,M", one_input, true);
	refused(SP_ERR_UNSUPPORTED, text);
}

static void
test_other_loops(void)
{
	refused_body((Step[5]) {SAME, SUB, {"ReduceSum", "apart", "distance", OVER_COLUMNS}}, "ReduceSum is not known");
	refused_body((Step[5]) {SAME, SUB, {"ReduceSumSquare", "apart", "distance", {"keepdims", "i:1", "axes", "ints:1", NULL}}},
				 "ReduceSumSquare is not known");
	refused_body((Step[5]) {SAME, SUB, {"ReduceSumSquare", "apart", "distance", {"keepdims", "i:0", "axes", "ints:0", NULL}}},
				 "ReduceSumSquare is not known");
	refused_body((Step[5]) {SAME, SUB, {"ReduceSumSquare", "apart,two", "distance", {"keepdims", "i:0", NULL}}},
				 "ReduceSumSquare is not known");
	refused_body((Step[5]) {SAME, SUB, {"ReduceSumSquare", "apart,missing", "distance", {"keepdims", "i:0", NULL}}},
				 "ReduceSumSquare is not known");
	refused_body((Step[5]) {SAME, {"Add", "state,row", "apart", {NULL}}}, "Add is not known");
	refused_body((Step[5]) {SAME, SUB, {"Pow", "apart,order", "power", {NULL}}, {"ReduceSum", "power", "distance", OVER_COLUMNS}},
				 "Pow is not known");
	refused_body((Step[5]) {SAME, SUB, {"Sqrt", "apart", "distance", {NULL}}}, "Sqrt is not known");
	refused_body((Step[5]) {{"Identity", "row", "state_out", {NULL}}, SUB, {"ReduceSumSquare", "apart", "distance", OVER_COLUMNS}},
				 "changes its state");
	refused_body((Step[5]) {SAME, SUB, {"Identity", "apart", "distance", {NULL}}}, "makes no distance");
	refused_body((Step[5]) {SAME}, "makes no distance");
}

static void
test_refused(void)
{
	static const char *const two_inputs[] = {"num_scan_inputs", "i:2", NULL};
	static const char *const turned[] = {"num_scan_inputs", "i:1", "scan_input_axes", "ints:1", NULL};
	static const char *const backwards[] = {"num_scan_inputs", "i:1", "scan_input_directions", "ints:1", NULL};
	static const char *const unknown[] = {"num_scan_inputs", "i:1", "surprise", "i:1", NULL};
	static const char garbage[] = "\x0a\xff\xff\xff\xff\x0f";

	write_body(known[0].steps, 5);
	write_model("X,M", two_inputs, true);
	refused(SP_ERR_UNSUPPORTED, "anything but one matrix");
	write_model("X,X,M", one_input, true);
	refused(SP_ERR_UNSUPPORTED, "anything but one matrix");
	write_model("X,M", turned, true);
	refused(SP_ERR_UNSUPPORTED, "scan_input_axes");
	write_model("X,M", backwards, true);
	refused(SP_ERR_UNSUPPORTED, "scan_input_directions");
	write_model("X,M", unknown, true);
	refused(SP_ERR_UNSUPPORTED, "surprise");
	write_model("X,X", one_input, true);
	refused(SP_ERR_UNSUPPORTED, "not a constant");
	write_model("M,M", one_input, true);
	refused(SP_ERR_UNSUPPORTED, "these operands");
	put_value(&body, 11, "third", 1, 0);
	write_model("X,M", one_input, true);
	refused(SP_ERR_UNSUPPORTED, "not known to be a distance");
	body.size = 0;
	write_model("X,M", one_input, true);
	refused(SP_ERR_FORMAT, "no body");
	memcpy(body.bytes, garbage, 6);
	body.size = 6;
	write_model("X,M", one_input, true);
	refused(SP_ERR_FORMAT, NULL);
	body.size = 0;
	for (int at = 0; at < 17; at++)
		put_node(&body, "", "Identity", "state", "state_out", NULL);
	put_value(&body, 11, "state", 1, 0);
	put_value(&body, 11, "row", 1, 0);
	put_value(&body, 12, "state_out", 1, 0);
	put_value(&body, 12, "distance", 1, 0);
	write_model("X,M", one_input, true);
	refused(SP_ERR_UNSUPPORTED, "not known to be a distance");
}

int
main(void)
{
	test_known();
	test_other_loops();
	test_refused();
	return done_testing();
}
