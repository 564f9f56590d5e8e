/*
 * test/unit/sp_test_window.h
 *
 * Convolutions, pools, recurrent layers, normalizations and padding with the
 * numbers that they must give: for the second of three rows, where feature j of row i is
 * ((5 i + 3 j) mod 11 - 5) / 4, and number i of tensor k is
 * ((7 i + 5 k) mod 13 - 6) / 8.
 *
 * Expected numbers are those of ONNX Runtime 1.32 for the same graphs with
 * floats; with doubles they must come out too.
 */
#ifndef SP_TEST_WINDOW_H
#define SP_TEST_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/sp_status.h"

/* One operator between X, in the shape x, and the graph's output. */
typedef struct Case
{
	const char *title;
	const char *operator;
	const char *attributes[12];
	int64_t		x[4];			/* of one row; ended by 0 */
	struct
	{
		const char *name;
		int64_t		dims[5];
	}			tensors[6];
	const char *inputs;			/* NULL: x */
	const char *outputs;		/* NULL: out */
	bool		is_sequence;	/* [time, rows, ..], at which graphs arrive by Transpose */
	uint32_t	n;
	double		expected[20];
	SpStatus	status;			/* if it must be refused ... */
	const char *text;			/* ... and what the error says */
} Case;

static const Case cases[] = {
	{
		.title = "convolution", .operator = "Conv", .x = {2, 6}, .attributes = {"kernel_shape", "ints:3"}, .tensors =
		{{"w", {3, 2, 3}}, {"b", {3}}}, .inputs = "x,w,b",
		.n = 12, .expected = {0.8125, -0.375, -0.1875, 0.34375, 1.21875, 0.6875, 0.5, 1.6875, -0.40625, 0.53125,
		0.78125, -1.03125}
	},
	{
		.title = "convolution without kernel_shape, with padding and steps", .operator = "Conv", .x = {2, 7},
		.attributes = {"strides", "ints:2", "pads", "ints:1,2"}, .tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w",
		.n = 12, .expected = {-0.15625, -1.1875, -0.125, -0.0625, 0.21875, -1.1875, 0.15625, -0.25, -0.21875, 1.25,
		0.03125, -0.03125}
	},
	{
		.title = "dilated convolution", .operator = "Conv", .x = {2, 9}, .attributes = {"dilations", "ints:3"},
		.tensors = {{"w", {3, 2, 3}}}, .inputs = "x,w",
		.n = 9, .expected = {0.59375, 0.4375, 0.625, 0.875, 0.34375, 0.15625, -0.46875, -0.5625, -0.3125}
	},
	{
		.title = "convolution in groups", .operator = "Conv", .x = {4, 5}, .attributes = {"group", "i:2"}, .tensors =
		{{"w", {6, 2, 3}}, {"b", {6}}}, .inputs = "x,w,b",
		.n = 18, .expected = {1.40625, -0.46875, 0.75, 2, -0.25, 1.625, -1.46875, 1.1875, 0.0625, 0.03125, -2.5,
		-0.21875, -1.84375, 1.75, 1.21875, -1.28125, 0.71875, -1.40625}
	},
	{
		.title = "depthwise convolution of nine channels", .operator = "Conv", .x = {9, 2}, .attributes = {"group",
		"i:9"}, .tensors = {{"w", {9, 1, 2}}, {"b", {9}}}, .inputs = "x,w,b",
		.n = 9, .expected = {-0.03125, 1.40625, 0.25, -0.5, 0.78125, -0.53125, 1.1875, -0.71875, 1.125}
	},
	{
		.title = "convolution, SAME_UPPER", .operator = "Conv", .x = {1, 6}, .attributes = {"auto_pad",
		"s:SAME_UPPER"}, .tensors = {{"w", {1, 1, 4}}}, .inputs = "x,w",
		.n = 6, .expected = {-0.78125, 0.75, -0.34375, 0.96875, -0.21875, -0.0625}
	},
	{
		.title = "convolution, SAME_LOWER", .operator = "Conv", .x = {1, 6}, .attributes = {"auto_pad",
		"s:SAME_LOWER", "strides", "ints:2"}, .tensors = {{"w", {1, 1, 3}}}, .inputs = "x,w",
		.n = 3, .expected = {-0.46875, -0.40625, -0.21875}
	},
	{
		.title = "convolution, VALID", .operator = "Conv", .x = {1, 6}, .attributes = {"auto_pad", "s:VALID"},
		.tensors = {{"w", {2, 1, 4}}}, .inputs = "x,w",
		.n = 6, .expected = {0.75, -0.34375, 0.96875, 0.5, -0.53125, 0.84375}
	},
	{
		.title = "convolution of one long axis of two", .operator = "Conv", .x = {2, 1, 6}, .attributes = {"pads",
		"ints:0,1,0,1"}, .tensors = {{"w", {2, 2, 1, 3}}}, .inputs = "x,w",
		.n = 12, .expected = {-0.0625, 0.9375, -0.25, -0.0625, 0.46875, -0.25, -0.25, 0.46875, -0.0625, -0.25, 0.9375,
		-0.0625}
	},
	{
		.title = "convolution of the kernel 1 with a wide dilation", .operator = "Conv", .x = {2, 4}, .attributes =
		{"dilations", "ints:2000000000"}, .tensors = {{"w", {3, 2, 1}}}, .inputs = "x,w",
		.n = 12, .expected = {0.03125, -0.4375, 0.8125, 0.34375, 0.0625, -0.21875, 0.53125, 0.25, 0.09375, 0, 0.25,
		0.15625}
	},
	{
		.title = "maximum", .operator = "MaxPool", .x = {2, 6}, .attributes = {"kernel_shape", "ints:3"},
		.n = 8, .expected = {0.75, 0.75, 0.25, 1, 0.5, 1.25, 1.25, 1.25}
	},
	{
		.title = "maximum with padding and steps", .operator = "MaxPool", .x = {2, 7}, .attributes = {"kernel_shape",
		"ints:3", "strides", "ints:2", "pads", "ints:1,1"},
		.n = 8, .expected = {0.75, 0.75, 1, 1, 0.5, 1.25, 0.75, 0.75}
	},
	{
		.title = "maximum with a last window that is cut", .operator = "MaxPool", .x = {2, 6}, .attributes =
		{"kernel_shape", "ints:3", "strides", "ints:2", "ceil_mode", "i:1"},
		.n = 6, .expected = {0.75, 0.25, 1, 0.5, 1.25, 0}
	},
	{
		.title = "dilated maximum", .operator = "MaxPool", .x = {1, 8}, .attributes = {"kernel_shape", "ints:3",
		"dilations", "ints:2"},
		.n = 4, .expected = {0.25, 1, 0.25, 1}
	},
	{
		.title = "maximum over two axes", .operator = "MaxPool", .x = {1, 3, 4}, .attributes = {"kernel_shape",
		"ints:2,3", "pads", "ints:1,0,0,1"},
		.n = 9, .expected = {0.75, 0.75, -0.5, 1, 1, -0.25, 1.25, 1.25, 0}
	},
	{
		.title = "mean", .operator = "AveragePool", .x = {2, 6}, .attributes = {"kernel_shape", "ints:2", "strides",
		"ints:2"},
		.n = 6, .expected = {0.375, -0.875, 0.625, -0.625, 0.875, -0.375}
	},
	{
		.title = "mean that leaves padding out", .operator = "AveragePool", .x = {1, 5}, .attributes =
		{"kernel_shape", "ints:3", "pads", "ints:1,1"},
		.n = 5, .expected = {0.375, -0.16666667, -0.33333334, -0.5, -0.125}
	},
	{
		.title = "mean that counts padding", .operator = "AveragePool", .x = {1, 5}, .attributes = {"kernel_shape",
		"ints:3", "pads", "ints:1,1", "count_include_pad", "i:1"},
		.n = 5, .expected = {0.25, -0.16666667, -0.33333334, -0.5, -0.083333336}
	},
	{
		.title = "mean with a last window that is cut", .operator = "AveragePool", .x = {1, 6}, .attributes =
		{"kernel_shape", "ints:3", "strides", "ints:2", "ceil_mode", "i:1"},
		.n = 3, .expected = {-0.16666667, -0.5, 0.625}
	},
	{
		.title = "mean of the whole length", .operator = "GlobalAveragePool", .x = {3, 4},
		.n = 3, .expected = {-0.25, 0, 0.25}
	},
	{
		.title = "maximum of the whole length", .operator = "GlobalMaxPool", .x = {3, 2, 2},
		.n = 3, .expected = {0.75, 1, 1.25}
	},
	{
		.title = "LSTM", .operator = "LSTM", .x = {3, 2}, .attributes = {"hidden_size", "i:2"}, .tensors = {{"w", {1,
		8, 2}}, {"r", {1, 8, 2}}, {"b", {1, 16}}}, .inputs = "x,w,r,b", .is_sequence = true,
		.n = 6, .expected = {-0.2535927, 0.096875027, -0.37844011, 0.25978705, -0.40629494, 0.16720013}
	},
	{
		.title = "LSTM, last hidden state", .operator = "LSTM", .x = {5, 2}, .attributes = {"hidden_size", "i:3"},
		.tensors = {{"w", {1, 12, 2}}, {"r", {1, 12, 3}}, {"b", {1, 24}}}, .inputs = "x,w,r,b", .outputs = ",out",
		.is_sequence = true,
		.n = 3, .expected = {-0.27560288, -0.17304383, 0.02262838}
	},
	{
		.title = "LSTM, last cell state", .operator = "LSTM", .x = {5, 2}, .attributes = {"hidden_size", "i:3"},
		.tensors = {{"w", {1, 12, 2}}, {"r", {1, 12, 3}}, {"b", {1, 24}}}, .inputs = "x,w,r,b", .outputs = ",,out",
		.is_sequence = true,
		.n = 3, .expected = {-0.39653298, -0.25000039, 0.026331991}
	},
	{
		.title = "LSTM of both directions", .operator = "LSTM", .x = {2, 2}, .attributes = {"hidden_size", "i:2",
		"direction", "s:bidirectional"}, .tensors = {{"w", {2, 8, 2}}, {"r", {2, 8, 2}}, {"b", {2, 16}}}, .inputs =
		"x,w,r,b", .is_sequence = true,
		.n = 8, .expected = {-0.2535927, 0.096875027, 0.32841375, -0.023481347, -0.37844011, 0.25978705, 0.23431295,
		-0.0049653142}
	},
	{
		.title = "LSTM, backwards, last hidden state", .operator = "LSTM", .x = {6, 2}, .attributes = {"hidden_size",
		"i:2", "direction", "s:reverse"}, .tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"b", {1, 16}}}, .inputs =
		"x,w,r,b", .outputs = ",out", .is_sequence = true,
		.n = 2, .expected = {-0.4659752, 0.14617756}
	},
	{
		.title = "LSTM with initial states", .operator = "LSTM", .x = {3, 2}, .attributes = {"hidden_size", "i:2"},
		.tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"b", {1, 16}}, {"h", {1, 1, 2}}, {"c", {1, 1, 2}}}, .inputs =
		"x,w,r,b,,h,c", .is_sequence = true,
		.n = 6, .expected = {-0.23320226, -0.2506057, -0.39694482, 0.11089691, -0.4132247, 0.03668781}
	},
	{
		.title = "LSTM with an initial cell state", .operator = "LSTM", .x = {3, 2}, .attributes = {"hidden_size",
		"i:2"}, .tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"c", {1, 1, 2}}}, .inputs = "x,w,r,,,,c",
		.is_sequence = true,
		.n = 6, .expected = {0.023173684, -0.22431304, 0.17821972, -0.037646499, -0.044304285, -0.16392525}
	},
	{
		.title = "LSTM with peepholes", .operator = "LSTM", .x = {3, 2}, .attributes = {"hidden_size", "i:2"},
		.tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"b", {1, 16}}, {"p", {1, 6}}}, .inputs = "x,w,r,b,,,,p",
		.is_sequence = true,
		.n = 6, .expected = {-0.27040622, 0.099375919, -0.43705305, 0.2871289, -0.517057, 0.17493409}
	},
	{
		.title = "LSTM with clipped gates", .operator = "LSTM", .x = {3, 2}, .attributes = {"hidden_size", "i:2",
		"clip", "f:0.25"}, .tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"b", {1, 16}}}, .inputs = "x,w,r,b",
		.is_sequence = true,
		.n = 6, .expected = {-0.067441791, 0.074832276, -0.1139041, 0.11757129, -0.12853666, 0.086326614}
	},
	{
		.title = "LSTM with coupled gates", .operator = "LSTM", .x = {3, 2}, .attributes = {"hidden_size", "i:2",
		"input_forget", "i:1"}, .tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"b", {1, 16}}}, .inputs = "x,w,r,b",
		.is_sequence = true,
		.n = 6, .expected = {-0.2535927, 0.096875027, -0.32992789, 0.24726951, -0.35690436, 0.11519019}
	},
	{
		.title = "LSTM with other functions", .operator = "LSTM", .x = {3, 2}, .attributes = {"hidden_size", "i:2",
		"activations", "strings:Sigmoid,Softsign,Relu"}, .tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"b", {1,
		16}}}, .inputs = "x,w,r,b", .is_sequence = true,
		.n = 6, .expected = {0, 0.078172803, 0, 0.22687447, 0, 0.22152196}
	},
	{
		.title = "GRU", .operator = "GRU", .x = {3, 2}, .attributes = {"hidden_size", "i:2"}, .tensors = {{"w", {1, 6,
		2}}, {"r", {1, 6, 2}}, {"b", {1, 12}}}, .inputs = "x,w,r,b", .is_sequence = true,
		.n = 6, .expected = {0.33208615, 0.35556963, 0.30466133, 0.28684253, 0.49848676, 0.58106071}
	},
	{
		.title = "GRU, reset after the product", .operator = "GRU", .x = {5, 2}, .attributes = {"hidden_size", "i:2",
		"linear_before_reset", "i:1"}, .tensors = {{"w", {1, 6, 2}}, {"r", {1, 6, 2}}, {"b", {1, 12}}}, .inputs =
		"x,w,r,b", .is_sequence = true,
		.n = 10, .expected = {0.39473605, 0.32053897, 0.41060713, 0.20984355, 0.62201154, 0.52290767, 0.59406197,
		0.38810205, 0.72705781, 0.66285038}
	},
	{
		.title = "GRU of nine, last state", .operator = "GRU", .x = {2, 2}, .attributes = {"hidden_size", "i:9"},
		.tensors = {{"w", {1, 27, 2}}, {"r", {1, 27, 9}}, {"b", {1, 54}}}, .inputs = "x,w,r,b", .outputs = ",out",
		.is_sequence = true,
		.n = 9, .expected = {-0.22849107, -0.2305804, -0.26619935, -0.24252632, -0.23682207, -0.44373226, -0.36685494,
		-0.33615196, 0.59961343}
	},
	{
		.title = "GRU of both directions with initial states", .operator = "GRU", .x = {2, 3}, .attributes =
		{"hidden_size", "i:2", "direction", "s:bidirectional"}, .tensors = {{"w", {2, 6, 3}}, {"r", {2, 6, 2}}, {"b",
		{2, 12}}, {"h", {2, 1, 2}}}, .inputs = "x,w,r,b,,h", .outputs = ",out", .is_sequence = true,
		.n = 4, .expected = {-0.27941436, 0.29346853, 0.58801854, 0.12136991}
	},
	{
		.title = "GRU with other functions", .operator = "GRU", .x = {2, 2}, .attributes = {"hidden_size", "i:2",
		"activations", "strings:Tanh,Sigmoid"}, .tensors = {{"w", {1, 6, 2}}, {"r", {1, 6, 2}}, {"b", {1, 12}}},
		.inputs = "x,w,r,b", .is_sequence = true,
		.n = 4, .expected = {0.77653682, 0.67374063, 0.72739631, 0.54501009}
	},
	{
		.title = "RNN", .operator = "RNN", .x = {3, 2}, .attributes = {"hidden_size", "i:3"}, .tensors = {{"w", {1, 3,
		2}}, {"r", {1, 3, 3}}, {"b", {1, 6}}}, .inputs = "x,w,r,b", .is_sequence = true,
		.n = 9, .expected = {0.43718874, 0.59637356, 0.71932745, 0.92783952, 0.42462873, 0.81554174, 0.47382522,
		-0.50706029, 0.833799}
	},
	{
		.title = "RNN of both directions with other functions", .operator = "RNN", .x = {3, 2}, .attributes =
		{"hidden_size", "i:2", "activations", "strings:Relu,Sigmoid", "direction", "s:bidirectional"}, .tensors =
		{{"w", {2, 2, 2}}, {"r", {2, 2, 2}}, {"b", {2, 4}}}, .inputs = "x,w,r,b", .is_sequence = true,
		.n = 12, .expected = {1.21875, 0, 0.50210178, 0.58928299, 1.8476562, 0.28125, 0.5285098, 0.54225075,
		1.0424805, 0, 0.56217653, 0.62977463}
	},
	{
		.title = "RNN without biases, clipped", .operator = "RNN", .x = {3, 2}, .attributes = {"hidden_size", "i:2",
		"clip", "f:0.5"}, .tensors = {{"w", {1, 2, 2}}, {"r", {1, 2, 2}}}, .inputs = "x,w,r", .is_sequence = true,
		.n = 6, .expected = {0.093476295, 0.18533325, 0.4621172, 0.4621172, 0.22253656, -0.24758452}
	},
	{
		.title = "RNN with LeakyRelu as it is", .operator = "RNN", .x = {2, 2}, .attributes = {"hidden_size", "i:2",
		"activations", "strings:LeakyRelu"}, .tensors = {{"w", {1, 2, 2}}, {"r", {1, 2, 2}}}, .inputs = "x,w,r",
		.is_sequence = true,
		.n = 4, .expected = {0.09375, 0.1875, 1.0039062, 0.515625}
	},
	{
		.title = "RNN of both directions with parameters", .operator = "RNN", .x = {2, 2}, .attributes =
		{"hidden_size", "i:2", "activations", "strings:Affine,ScaledTanh", "activation_alpha", "floats:0.5,0.75",
		"activation_beta", "floats:-0.25,2", "direction", "s:bidirectional"}, .tensors = {{"w", {2, 2, 2}}, {"r",
		{2, 2, 2}}}, .inputs = "x,w,r", .is_sequence = true,
		.n = 8, .expected = {-0.203125, -0.15625, 0.22439638, 0.45578474, 0.14160156, 0.13671875, 0.52792907,
		0.30867755}
	},
	{
		.title = "LSTM with parameters of its second and third function", .operator = "LSTM", .x = {3, 2},
		.attributes = {"hidden_size", "i:2", "activations", "strings:Sigmoid,HardSigmoid,Elu", "activation_alpha",
		"floats:0.3,0.6", "activation_beta", "floats:0.4"}, .tensors = {{"w", {1, 8, 2}}, {"r", {1, 8, 2}}, {"b",
		{1, 16}}}, .inputs = "x,w,r,b", .is_sequence = true,
		.n = 6, .expected = {0, 0.17249589, 0.08907181, 0.339178, 0.055326734, 0.40660629}
	},
	{
		.title = "GRU with a threshold", .operator = "GRU", .x = {3, 2}, .attributes = {"hidden_size", "i:2",
		"activations", "strings:HardSigmoid,ThresholdedRelu", "activation_alpha", "floats:0.25,0.125",
		"activation_beta", "floats:0.5"}, .tensors = {{"w", {1, 6, 2}}, {"r", {1, 6, 2}}, {"b", {1, 12}}}, .inputs =
		"x,w,r,b", .is_sequence = true,
		.n = 6, .expected = {0.38745117, 0.45410156, 0.34638435, 0.33919859, 0.58586442, 0.79219413}
	},
	{
		.title = "channels", .operator = "InstanceNormalization", .x = {2, 4}, .attributes = {"epsilon", "f:0.01"},
		.tensors = {{"s", {2}}, {"b", {2}}}, .inputs = "x,s,b",
		.n = 8, .expected = {-0.37986037, -1.1444415, 0.89444149, 0.12986037, 0.79247671, 0.91990691, 0.58009309,
		0.70752329}
	},
	{
		.title = "groups of channels", .operator = "GroupNormalization", .x = {4, 3}, .attributes = {"num_groups",
		"i:2"}, .tensors = {{"s", {4}}, {"b", {4}}}, .inputs = "x,s,b",
		.n = 12, .expected = {-0.083651528, -0.82792407, 1.1568027, 0.66041166, 0.78445709, 0.90850246, 0.79251242,
		0.1722853, -0.44794184, -0.32273245, -0.984308, -0.7362172}
	},
	{
		.title = "one norm", .operator = "LpNormalization", .x = {2, 3}, .attributes = {"p", "i:1", "axis", "i:1"},
		.n = 6, .expected = {0, 0.75, -0.55555558, -1, 0.25, 0.44444445}
	},
	{
		.title = "two norm", .operator = "LpNormalization", .x = {2, 3},
		.n = 6, .expected = {0, 0.51449579, -0.85749298, -0.43643576, 0.21821788, 0.87287152}
	},
	{
		.title = "a fill", .operator = "Pad", .x = {2, 3}, .attributes = {"pads", "ints:0,0,2,0,1,1", "value",
		"f:0.5"},
		.n = 18, .expected = {0.5, 0.5, 0, 0.75, -1.25, 0.5, 0.5, 0.5, -0.5, 0.25, 1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5,
		0.5}
	},
	{
		.title = "a fill, and elements cut off", .operator = "Pad", .x = {2, 4}, .attributes = {"pads",
		"ints:0,1,-1,0,0,-2"},
		.n = 3, .expected = {0, 0.75, 1}
	},
	{
		.title = "edges", .operator = "Pad", .x = {2, 3}, .attributes = {"mode", "s:edge", "pads",
		"ints:0,1,2,0,0,1"},
		.n = 18, .expected = {0, 0, 0, 0.75, -1.25, -1.25, 0, 0, 0, 0.75, -1.25, -1.25, -0.5, -0.5, -0.5, 0.25, 1,
		1}
	},
	{
		.title = "mirrored", .operator = "Pad", .x = {2, 3}, .attributes = {"mode", "s:reflect", "pads",
		"ints:0,1,2,0,0,1"},
		.n = 18, .expected = {1, 0.25, -0.5, 0.25, 1, 0.25, -1.25, 0.75, 0, 0.75, -1.25, 0.75, 1, 0.25, -0.5, 0.25,
		1, 0.25}
	},
};

#endif
