/*
 * test/unit/test_import_window.c
 *
 * Convolutions, pools, recurrent layers, normalizations and padding of ONNX:
 * their numbers, and what must be refused.
 */
#include <math.h>

#include "sp_test_import.h"
#include "sp_test_onnx.h"
#include "sp_test_window.h"

#include "ir/sp_pack.h"
#include "kernel/sp_eval.h"

#define MAX_NUMBERS 3000

#define LSTM_TENSORS {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}}

static const Case refusals[] = {
	{.title = "stride 0", .operator = "Conv", .x = {2, 6}, .attributes = {"strides", "ints:0"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "strides of 0"},
	{.title = "dilation 0", .operator = "Conv", .x = {2, 6}, .attributes = {"dilations", "ints:0"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "dilations of 0"},
	{.title = "stride beyond 32 bits", .operator = "Conv", .x = {2, 6}, .attributes = {"strides", "ints:4294967296"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "strides of 4294967296"},
	{.title = "negative padding", .operator = "Conv", .x = {2, 6}, .attributes = {"pads", "ints:-1,0"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "pads of -1"},
	{.title = "padding of another rank", .operator = "Conv", .x = {2, 6}, .attributes = {"pads", "ints:1"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "pads has 1 numbers instead of 2"},
	{.title = "padding beyond memory", .operator = "Conv", .x = {2, 6}, .attributes = {"pads", "ints:2147483647,2147483647"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_LIMIT, .text = "too large"},
	{.title = "padding beyond a row", .operator = "Conv", .x = {2, 6}, .attributes = {"pads", "ints:20000000,0"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_LIMIT, .text = "8000000 numbers"},
	{.title = "kernel_shape 1 of weights of 3", .operator = "Conv", .x = {2, 6}, .attributes = {"kernel_shape", "ints:1"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "shape of the kernel"},
	{.title = "kernel_shape 4 of weights of 3", .operator = "Conv", .x = {2, 6}, .attributes = {"kernel_shape", "ints:4"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "shape of the kernel"},
	{.title = "weights of other channels", .operator = "Conv", .x = {2, 6},
	.tensors = {{"w", {3, 3, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "2 channels in 1 groups"},
	{.title = "weights of another rank", .operator = "Conv", .x = {2, 6},
	.tensors = {{"w", {3, 2}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "2 channels"},
	{.title = "outputs that groups do not divide", .operator = "Conv", .x = {2, 6}, .attributes = {"group", "i:2"},
	.tensors = {{"w", {3, 1, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "2 groups"},
	{.title = "no groups", .operator = "Conv", .x = {2, 6}, .attributes = {"group", "i:0"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "0 groups"},
	{.title = "biases of another number", .operator = "Conv", .x = {2, 6},
	.tensors = {{"w", {3, 2, 3}}, {"b", {2}}}, .inputs = "x,w,b", .status = SP_ERR_FORMAT, .text = "2 biases for 3"},
	{.title = "weights that are not constant", .operator = "Conv", .x = {2, 6}, .inputs = "x,x",
	.status = SP_ERR_UNSUPPORTED, .text = "constant"},
	{.title = "a kernel longer than its input", .operator = "Conv", .x = {2, 6}, .attributes = {"dilations", "ints:3"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "7 elements does not fit into 6"},
	{.title = "convolution of an image", .operator = "Conv", .x = {1, 3, 4}, .tensors = {{"w", {1, 1, 2, 2}}},
	.inputs = "x,w", .status = SP_ERR_UNSUPPORTED, .text = "more than one axis"},
	{.title = "auto_pad without meaning", .operator = "Conv", .x = {2, 6}, .attributes = {"auto_pad", "s:SAME"},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_FORMAT, .text = "auto_pad"},
	{.title = "convolution without channels", .operator = "Conv", .x = {6},
	.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w", .status = SP_ERR_UNSUPPORTED, .text = "[rows, channels, length]"},
	{.title = "kernel_shape is missing", .operator = "MaxPool", .x = {2, 6}, .status = SP_ERR_FORMAT, .text = "kernel_shape of 0"},
	{.title = "padding of a whole window", .operator = "MaxPool", .x = {2, 6},
	.attributes = {"kernel_shape", "ints:2", "pads", "ints:2,0"}, .status = SP_ERR_FORMAT, .text = "not smaller than the window"},
	{.title = "padding of a whole window, behind", .operator = "AveragePool", .x = {2, 6},
	.attributes = {"kernel_shape", "ints:2", "pads", "ints:0,2"}, .status = SP_ERR_FORMAT, .text = "not smaller than the window"},
	{.title = "windows beyond memory", .operator = "MaxPool", .x = {2, 6},
	.attributes = {"kernel_shape", "ints:2147483647", "auto_pad", "s:SAME_UPPER"}, .status = SP_ERR_LIMIT, .text = "too large"},
	{.title = "indices of the maxima", .operator = "MaxPool", .x = {2, 6}, .attributes = {"kernel_shape", "ints:2"},
	.outputs = "out,where", .status = SP_ERR_UNSUPPORTED, .text = "indices"},
	{.title = "hidden_size against the weights", .operator = "LSTM", .x = {3, 2}, .attributes = {"hidden_size", "i:3"},
	.tensors = LSTM_TENSORS, .inputs = "x,w,r", .is_sequence = true, .status = SP_ERR_FORMAT, .text = "hidden size"},
	{.title = "a direction without meaning", .operator = "LSTM", .x = {3, 2}, .attributes = {"direction", "s:sideways"},
	.tensors = LSTM_TENSORS, .inputs = "x,w,r", .is_sequence = true, .status = SP_ERR_FORMAT, .text = "direction"},
	{.title = "weights of one direction for two", .operator = "LSTM", .x = {3, 2}, .attributes = {"direction", "s:bidirectional"},
	.tensors = LSTM_TENSORS, .inputs = "x,w,r", .is_sequence = true, .status = SP_ERR_FORMAT, .text = "input 1"},
	{.title = "weights for other columns", .operator = "LSTM", .x = {2, 3},
	.tensors = LSTM_TENSORS, .inputs = "x,w,r", .is_sequence = true, .status = SP_ERR_FORMAT, .text = "input 1"},
	{.title = "weights of other gates", .operator = "GRU", .x = {3, 2},
	.tensors = LSTM_TENSORS, .inputs = "x,w,r", .is_sequence = true, .status = SP_ERR_FORMAT, .text = "input 1"},
	{.title = "biases of one gate", .operator = "LSTM", .x = {3, 2},
	.tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"b", {1, 8}}}, .inputs = "x,w,r,b", .is_sequence = true,
	.status = SP_ERR_FORMAT, .text = "input 3"},
	{.title = "peepholes of four gates", .operator = "LSTM", .x = {3, 2},
	.tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"p", {1, 8}}}, .inputs = "x,w,r,,,,,p", .is_sequence = true,
	.status = SP_ERR_FORMAT, .text = "input 7"},
	{.title = "a state for two rows", .operator = "LSTM", .x = {3, 2},
	.tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"h", {1, 2, 2}}}, .inputs = "x,w,r,,,h", .is_sequence = true,
	.status = SP_ERR_UNSUPPORTED, .text = "initial state"},
	{.title = "shorter sequences", .operator = "LSTM", .x = {3, 2},
	.tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"n", {1}}}, .inputs = "x,w,r,,n", .is_sequence = true,
	.status = SP_ERR_UNSUPPORTED, .text = "different lengths"},
	{.title = "a function that nobody knows", .operator = "RNN", .x = {3, 2}, .attributes = {"activations", "strings:Sine"},
	.tensors = {{"w", {1, 2, 2}}, {"r", {1, 2, 2}}}, .inputs = "x,w,r", .is_sequence = true,
	.status = SP_ERR_UNSUPPORTED, .text = "activation \"Sine\""},
	{.title = "a function without its parameter", .operator = "RNN", .x = {3, 2}, .attributes = {"activations", "strings:Affine",
	"activation_alpha", "floats:1"}, .tensors = {{"w", {1, 2, 2}}, {"r", {1, 2, 2}}}, .inputs = "x,w,r", .is_sequence = true,
	.status = SP_ERR_UNSUPPORTED, .text = "Affine without its activation_beta"},
	{.title = "parameters that are no numbers", .operator = "RNN", .x = {3, 2}, .attributes = {"activations", "strings:Elu",
	"activation_alpha", "floats:nan"}, .tensors = {{"w", {1, 2, 2}}, {"r", {1, 2, 2}}}, .inputs = "x,w,r", .is_sequence = true,
	.status = SP_ERR_UNSUPPORTED, .text = "Elu without its activation_alpha"},
	{.title = "two functions instead of three", .operator = "LSTM", .x = {3, 2}, .attributes = {"activations", "strings:Tanh,Tanh"},
	.tensors = LSTM_TENSORS, .inputs = "x,w,r", .is_sequence = true, .status = SP_ERR_FORMAT, .text = "2 names instead of 3"},
	{.title = "a negative clip", .operator = "LSTM", .x = {3, 2}, .attributes = {"clip", "f:-1"},
	.tensors = LSTM_TENSORS, .inputs = "x,w,r", .is_sequence = true, .status = SP_ERR_UNSUPPORTED, .text = "functions"},
	{.title = "a mode that nobody knows", .operator = "Pad", .x = {2, 3}, .attributes = {"mode", "s:noise", "pads",
	"ints:0,0,1,0,0,1"}, .status = SP_ERR_FORMAT, .text = "constant, edge, reflect or wrap"},
	{.title = "pads of another rank", .operator = "Pad", .x = {2, 3}, .attributes = {"pads", "ints:0,0,1,0"},
	.status = SP_ERR_FORMAT, .text = "4 pads for 3 of 3 axes"},
	{.title = "no pads", .operator = "Pad", .x = {2, 3}, .status = SP_ERR_FORMAT, .text = "0 pads"},
	{.title = "padding among the rows", .operator = "Pad", .x = {2, 3}, .attributes = {"pads", "ints:1,0,0,0,0,0"},
	.status = SP_ERR_UNSUPPORTED, .text = "across rows"},
	{.title = "all elements cut off", .operator = "Pad", .x = {2, 3}, .attributes = {"pads", "ints:0,0,-1,0,0,-2"},
	.status = SP_ERR_UNSUPPORTED, .text = "without elements"},
	{.title = "elements cut off and mirrored", .operator = "Pad", .x = {2, 3}, .attributes = {"mode", "s:reflect", "pads",
	"ints:0,0,-1,0,0,1"}, .status = SP_ERR_UNSUPPORTED, .text = "pads of -1 and 1"},
	{.title = "pads beyond memory", .operator = "Pad", .x = {2, 3}, .attributes = {"pads", "ints:0,2147483647,2147483647,0,0,0"},
	.status = SP_ERR_LIMIT, .text = "too large"},
	{.title = "pads beyond 32 bits", .operator = "Pad", .x = {2, 3}, .attributes = {"pads", "ints:0,0,4294967296,0,0,0"},
	.status = SP_ERR_UNSUPPORTED, .text = "pads of 4294967296"},
	{.title = "a table instead of channels", .operator = "InstanceNormalization", .x = {4}, .tensors = {{"s", {4}}, {"b", {4}}},
	.inputs = "x,s,b", .status = SP_ERR_UNSUPPORTED, .text = "[rows, channels, ..]"},
	{.title = "factors of other channels", .operator = "InstanceNormalization", .x = {2, 3}, .tensors = {{"s", {3}}, {"b", {2}}},
	.inputs = "x,s,b", .status = SP_ERR_UNSUPPORTED, .text = "input 1 does not fit the channels"},
	{.title = "groups that do not divide the channels", .operator = "GroupNormalization", .x = {4, 2}, .attributes = {"num_groups",
	"i:3"}, .tensors = {{"s", {4}}, {"b", {4}}}, .inputs = "x,s,b", .status = SP_ERR_UNSUPPORTED, .text = "groups of one size"},
	{.title = "a norm of three", .operator = "LpNormalization", .x = {2, 3}, .attributes = {"p", "i:3"}, .status = SP_ERR_FORMAT,
	.text = "p of 3"},
	{.title = "a norm over the rows", .operator = "LpNormalization", .x = {2, 3}, .attributes = {"axis", "i:0"},
	.status = SP_ERR_UNSUPPORTED, .text = "across rows"},
	{.title = "layers over the rows", .operator = "LayerNormalization", .x = {2, 3}, .attributes = {"axis", "i:0"},
	.tensors = {{"s", {3}}}, .inputs = "x,s", .status = SP_ERR_UNSUPPORTED, .text = "across rows"},
	{.title = "a list longer than the axis", .operator = "Compress", .x = {2, 3}, .attributes = {"axis", "i:2"},
	.tensors = {{"c", {4}}}, .inputs = "x,c", .status = SP_ERR_FORMAT, .text = "does not fit the axis"},
	{.title = "a list across the rows", .operator = "Compress", .x = {2, 3}, .tensors = {{"c", {3}}}, .inputs = "x,c",
	.status = SP_ERR_UNSUPPORTED, .text = "across rows"},
	{.title = "rows where time should be", .operator = "LSTM", .x = {3, 2},
	.tensors = LSTM_TENSORS, .inputs = "x,w,r", .status = SP_ERR_UNSUPPORTED, .text = "rows in axis 1"}
};

static Message graph;
static Message model;

/* A constant of the type, its numbers different for each of the case. */
static void
put_numbers(const char *name, int which, int type, const int64_t *dims)
{
	char		bytes[MAX_NUMBERS * sizeof(double)];
	int			rank = 0;
	size_t		count = 1;

	for (; rank < 5 && dims[rank] > 0; rank++)
		count *= (size_t) dims[rank];
	for (size_t at = 0; at < count && at < MAX_NUMBERS; at++)
	{
		double		number = ((double) ((at * 7 + (size_t) which * 5) % 13) - 6) / 8;
		float		narrow = (float) number;

		memcpy(bytes + at * (type == 1 ? 4 : 8), type == 1 ? (const void *) &narrow : &number, type == 1 ? 4 : 8);
	}
	put_tensor(&graph, name, type, rank, dims, bytes, count * (type == 1 ? 4 : 8));
}

/* X to [rows, ..] or [time, rows, ..], the operator, and rows to the front again; type of ONNX: 1 float, 11 double */
static void
case_model(const Case *test, int type, bool rows_first)
{
	static const char *const to_time[] = {"perm", "ints:1,0,2", NULL};
	static const char *const from_time[] = {"perm", "ints:2,0,1,3", NULL};
	bool		is_layer = test->is_sequence && !rows_first;
	bool		is_state = test->outputs && test->outputs[0] == ',';
	const char *attributes[15] = {NULL};
	char		outputs[20];
	int64_t		shape[5] = {0};
	int64_t		rank = 1;
	int64_t		width = 1;

	graph.size = 0;
	for (; rank < 5 && test->x[rank - 1] > 0; rank++)
		width *= shape[rank] = test->x[rank - 1];
	memcpy(attributes, test->attributes, sizeof(test->attributes));
	for (int at = 0; rows_first && at < 15; at++)
		if (attributes[at] == NULL)
		{
			attributes[at] = "layout";
			attributes[at + 1] = "i:1";
			break;
		}
	snprintf(outputs, sizeof(outputs), "%s", test->outputs ? test->outputs : "out");
	if (is_layer)
		memcpy(strstr(outputs, "out"), "all", 3);
	put_tensor(&graph, "shape", 7, 1, &rank, shape, (size_t) rank * 8);
	put_node(&graph, "", "Reshape", "X,shape", is_layer ? "shaped" : "x", NULL);
	if (is_layer)
		put_node(&graph, "", "Transpose", "shaped", "x", to_time);
	for (int at = 0; at < 6 && test->tensors[at].name; at++)
	{
		int64_t		dims[5];
		bool		is_initial = test->tensors[at].name[0] == 'h' || test->tensors[at].name[0] == 'c';

		memcpy(dims, test->tensors[at].dims, sizeof(dims));
		if (rows_first && is_initial)
		{
			dims[0] = test->tensors[at].dims[1];
			dims[1] = test->tensors[at].dims[0];
		}
		put_numbers(test->tensors[at].name, at, type, dims);
	}
	put_node(&graph, "", test->operator, test->inputs ? test->inputs : "x", outputs, attributes);
	if (is_layer)
		put_node(&graph, "", "Transpose", "all", "out", is_state ? to_time : from_time);
	put_value(&graph, 11, "X", type, width);
	put_value(&graph, 12, "out", type, 0);
	put_model(&model, &graph);
}

/* The largest difference of the second of three rows from the expected numbers, or infinity. */
static double
difference(SpTestImport *import, const Case *test)
{
	SpImage    *image;
	SpEval	   *eval;
	void	   *memory;
	size_t		size;
	uint32_t	width;
	double		apart = 0;

	if (sp_pack(&import->cx, import->model, &image) != SP_OK ||
		import->model->values[import->model->outputs[SP_OUTPUT_VALUE]].width != test->n)
		return INFINITY;
	size = sp_eval_size(image, 3);
	memory = aligned_alloc(64, (size + 63) / 64 * 64);
	memset(memory, 0xff, size);
	eval = sp_eval_init(memory, image, 3, NULL, NULL);
	width = image->n_features;
	for (uint32_t row = 0; row < 3; row++)
		for (uint32_t at = 0; at < width; at++)
		{
			double		x = ((row * 5 + at * 3) % 11 - 5.0) / 4;

			if (sp_image_features(image)[at].type == SP_TYPE_F32)
				((float *) sp_eval_input(eval, 0))[row * width + at] = (float) x;
			else
				((double *) sp_eval_input(eval, 0))[row * width + at] = x;
		}
	if (sp_eval_run(eval, 3, 15, true) != SP_OK)
		apart = INFINITY;
	for (uint32_t at = 0; at < test->n; at++)
		apart = fmax(apart, fabs(sp_eval_output_number(eval, SP_OUTPUT_VALUE, 1, at) - test->expected[at]));
	free(memory);
	return apart;
}

static void
run_case(const Case *test, int type, bool rows_first)
{
	SpTestImport import;
	double		apart = INFINITY;

	case_model(test, type, rows_first);
	sp_test_import(&import, SP_FORMAT_ONNX, model.bytes, model.size);
	if (import.status != SP_OK)
		sp_test_complain(&import, test->title, 0);
	else
		apart = difference(&import, test);
	ok(apart < 2e-6, "%s: %s, %s%s", test->operator, test->title, type == 1 ? "floats" : "doubles", rows_first ? ", rows first" : "");
	if (!(apart < 2e-6))
		printf("# apart by %g\n", apart);
	sp_test_import_end(&import);
}

/* Bytes cut, bits turned, no memory, canceled: of one graph of each kind. */
static void
hostile(const char *operator)
{
	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
		if (strcmp(cases[at].operator, operator) == 0)
		{
			case_model(&cases[at], 1, false);
			sp_test_hostile(operator, SP_FORMAT_ONNX, model.bytes, model.size, true);
			return;
		}
}

/* A long padding asks for a cancel while it is made. */
static void
test_cancel(void)
{
	static const Case wide = {
		.title = "wide", .operator = "Conv", .x = {1, 4}, .attributes = {"pads", "ints:300000,300000"},
		.tensors = {{"w", {1, 1, 3}}}, .inputs = "x,w"
	};
	static const Case narrow = {
		.title = "narrow", .operator = "Conv", .x = {1, 4}, .attributes = {"pads", "ints:3,3"},
		.tensors = {{"w", {1, 1, 3}}}, .inputs = "x,w"
	};
	long		asked[2];

	for (int which = 0; which < 2; which++)
	{
		SpTestImport import;

		case_model(which ? &wide : &narrow, 1, false);
		sp_test_context(&import.cx, &import.region);
		import.cx.stop = sp_test_stop;
		sp_test_polls_left = 1000000;
		import.status = sp_import(&import.cx, SP_FORMAT_ONNX, model.bytes, model.size, NULL, &import.used, &import.model);
		asked[which] = import.status == SP_OK ? 1000000 - sp_test_polls_left : 0;
		sp_test_release_all(&import.region);
	}
	ok(asked[0] > 0 && asked[1] >= asked[0] + 9, "padding of 600000 asks for a cancel: %ld against %ld times", asked[1], asked[0]);
}

int
main(void)
{
	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
		for (int type = 1; type <= 11; type += 10)
		{
			run_case(&cases[at], type, false);
			if (cases[at].is_sequence)
				run_case(&cases[at], type, true);
		}
	for (size_t at = 0; at < sizeof(refusals) / sizeof(refusals[0]); at++)
	{
		case_model(&refusals[at], 1, false);
		sp_test_refused(SP_FORMAT_ONNX, model.bytes, model.size, refusals[at].status, refusals[at].text,
						"%s: %s", refusals[at].operator, refusals[at].title);
	}
	test_cancel();
	hostile("Conv");
	hostile("AveragePool");
	hostile("LSTM");
	hostile("GRU");
	return done_testing();
}
