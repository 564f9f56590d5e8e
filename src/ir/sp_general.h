/*
 * src/ir/sp_general.h
 *
 * Steps that read any number of values and compute what graphs of tensors are
 * made of.  Included by sp_model.h only.
 *
 * They share one structure, so that storing, reading and packing are written
 * once; which members an op uses is said below, all others are 0.
 *
 * A value is a flat vector for each row.  Where an op works on groups, the
 * vector is seen as [outer, n, inner] in row-major order with
 * dims = {outer, n, inner}, and each group has n elements, inner apart.
 * Where operands differ in width, the narrower one is repeated, so its width
 * divides the other's.
 */
#ifndef SP_GENERAL_H
#define SP_GENERAL_H

#define SP_GENERAL_DIMS 6
#define SP_GENERAL_PARAMS 3
#define SP_NO_INDEX UINT32_MAX

typedef struct SpGeneral
{
	uint32_t	kind;
	uint32_t	n_inputs;
	uint32_t   *inputs;			/* values read; the step's in is the first */
	uint32_t	dims[SP_GENERAL_DIMS];
	double		params[SP_GENERAL_PARAMS];
	uint32_t	n_indices;
	uint32_t   *indices;
	uint32_t	n_numbers;
	double	   *numbers;
} SpGeneral;

/*
 * CONSTANT	kind: an SpType; numbers: the vector (any numbers, NaN too)
 * GATHER	one input of any type; out[i] = in[indices[i]], or params[0] for SP_NO_INDEX
 * CONCAT	inputs of one type; dims = {outer}: [outer, a] and [outer, b] to [outer, a + b]
 * BINARY	kind: an SpBinary; two inputs of one type
 * WHERE	I64 condition, two inputs of one type: condition != 0 ? a : b
 * APPLY	kind: an SpApply; params as said there
 * REDUCE	kind: an SpReduce; groups; one element for each group
 * GROUP	kind: an SpGroup; groups; width kept
 * MATRIX	dims = {n_in, n_out}; numbers: n_out rows of weights, then n_out biases; every
 *			n_in elements of the input make n_out of the result, as LINEAR does
 * TAKE		data of any type as groups, I64 index; kind 0: out[o, j, i] = data[o, index[j], i],
 *			kind 1: out[o, j, i] = data[o, index[o, j, i], i].  A negative index counts
 *			from the end; what is out of range then is moved to the nearest element
 * ENCODE	one input of any type; numbers: ascending keys; I64 result indices[k] for key k,
 *			dims[1] for what is no key, dims[2] for NaN unless it is SP_NO_INDEX; all
 *			results are below dims[0]
 * KERNEL	kind: an SpKernel; numbers: dims[0] vectors of the input's width; one result each
 * COUPLE	the probabilities of each pair of dims[0] classes, (0, 1), (0, 2) ... (1, 2) ..., to
 *			probabilities of the classes
 * TOPK		groups, dims[3] = k; kind 1 largest, 0 smallest: I64 indices, the best first
 * PRODUCT	dims = {batch, m, k, n}: [batch, m, k] times [batch, k, n]; either may lack the batch
 * RECURRENT	kind: an SpRecurrent; inputs: sequence [dims[0], dims[1]], then optionally the first
 *			hidden state and, for LSTM, cell state; dims[2] = hidden size, dims[3]: SpRecurrentFlag;
 *			indices: SpApply of the functions, f, g, h for LSTM, f, g for GRU, f for RNN;
 *			params[0]: their inputs are clipped to [-params[0], params[0]], 0 for no clipping;
 *			numbers: W, R, both biases, peepholes, as in ONNX, then a and b of each function.
 *			Result: hidden state after each step in the order of time, then the last cell state
 * CONV		dims = {channels, length, kernel, stride, dilation, groups}: [channels, length] to
 *			[n_out, positions] without padding; numbers: n_out rows of channels / groups * kernel
 *			weights, then n_out biases, as in ONNX
 */

typedef enum SpBinary
{
	SP_BINARY_ADD = 1,
	SP_BINARY_SUB,
	SP_BINARY_MUL,
	SP_BINARY_DIV,				/* integers: cut towards 0, 0 when dividing by 0 */
	SP_BINARY_POW,
	SP_BINARY_MAX,				/* NaN if either is */
	SP_BINARY_MIN,
	SP_BINARY_MOD,				/* sign of the divisor */
	SP_BINARY_FMOD,				/* sign of the dividend */
	SP_BINARY_PRELU,			/* a < 0 ? a * b : a */
	SP_BINARY_EQ,				/* from here on the result is I64, 0 or 1 */
	SP_BINARY_LT,
	SP_BINARY_LE,
	SP_BINARY_GT,
	SP_BINARY_GE,
	SP_BINARY_AND,				/* I64 only from here */
	SP_BINARY_OR,
	SP_BINARY_XOR,
	SP_BINARY_END
} SpBinary;

/* F32 and F64, unless said otherwise; a, b, c are params */
typedef enum SpApply
{
	SP_APPLY_SIGMOID = 1,
	SP_APPLY_EXP,
	SP_APPLY_SQRT,
	SP_APPLY_LOG,
	SP_APPLY_ABS,				/* I64 too */
	SP_APPLY_NEGATE,			/* I64 too */
	SP_APPLY_SIGN,				/* I64 too */
	SP_APPLY_RELU,				/* I64 too */
	SP_APPLY_CLIP,				/* min(max(x, a), b); I64 too, where -2^53 and 2^53 stand for no bound */
	SP_APPLY_NOT,				/* I64 only */
	SP_APPLY_IS_NAN,			/* to I64 */
	SP_APPLY_IS_INF,			/* to I64; a != 0: negative, b != 0: positive ones count */
	SP_APPLY_LEAKY_RELU,		/* a x below 0 */
	SP_APPLY_ELU,				/* a (exp x - 1) below 0 */
	SP_APPLY_SELU,				/* b (x or a (exp x - 1)) */
	SP_APPLY_CELU,				/* a (exp(x / a) - 1) below 0 */
	SP_APPLY_TANH,
	SP_APPLY_HARD_SIGMOID,		/* a x + b within 0 and 1 */
	SP_APPLY_HARD_SWISH,		/* x times that */
	SP_APPLY_SWISH,				/* x sigmoid(a x) */
	SP_APPLY_SOFTPLUS,
	SP_APPLY_SOFTSIGN,
	SP_APPLY_GELU,
	SP_APPLY_GELU_TANH,
	SP_APPLY_MISH,
	SP_APPLY_THRESHOLD,			/* x > a ? x : 0 */
	SP_APPLY_SHRINK,			/* x < -a: x + b, x > a: x - b, else 0 */
	SP_APPLY_FLOOR,
	SP_APPLY_CEIL,
	SP_APPLY_ROUND,				/* halves to even */
	SP_APPLY_ERF,
	SP_APPLY_RECIPROCAL,
	SP_APPLY_SIN,
	SP_APPLY_COS,
	SP_APPLY_TAN,
	SP_APPLY_ASIN,
	SP_APPLY_ACOS,
	SP_APPLY_ATAN,
	SP_APPLY_SINH,
	SP_APPLY_COSH,
	SP_APPLY_ASINH,
	SP_APPLY_ACOSH,
	SP_APPLY_ATANH,
	SP_APPLY_PROBIT,			/* as SP_MAP_PROBIT */
	SP_APPLY_AFFINE,			/* a x + b */
	SP_APPLY_SCALED_TANH,		/* a tanh(b x) */
	SP_APPLY_END
} SpApply;

typedef enum SpReduce
{
	SP_REDUCE_SUM = 1,			/* the first six: I64 too */
	SP_REDUCE_MAX,
	SP_REDUCE_MIN,
	SP_REDUCE_PROD,
	SP_REDUCE_L1,
	SP_REDUCE_SQUARES,
	SP_REDUCE_MEAN,
	SP_REDUCE_L2,
	SP_REDUCE_LOG_SUM,
	SP_REDUCE_LOG_SUM_EXP,
	SP_REDUCE_ARGMAX,			/* from here on I64 results, and I64 inputs too: the first ... */
	SP_REDUCE_ARGMIN,
	SP_REDUCE_ARGMAX_LAST,		/* ... or the last of several */
	SP_REDUCE_ARGMIN_LAST,
	SP_REDUCE_END
} SpReduce;

typedef enum SpGroup
{
	SP_GROUP_SOFTMAX = 1,
	SP_GROUP_LOG_SOFTMAX,
	SP_GROUP_HARDMAX,
	SP_GROUP_CUMSUM,			/* dims[3]: 1 exclusive, 2 reverse; I64 too */
	SP_GROUP_SOFTMAX_NONZERO,	/* as SP_SOFTMAX_NONZERO */
	SP_GROUP_END
} SpGroup;

/* of x and a vector v */
typedef enum SpKernel
{
	SP_KERNEL_LINEAR = 1,		/* x v */
	SP_KERNEL_POLY,				/* (a x v + b) ^ c */
	SP_KERNEL_RBF,				/* exp(-a |x - v|^2) */
	SP_KERNEL_SIGMOID,			/* tanh(a x v + b) */
	SP_KERNEL_SQUARES,			/* |x - v|^2 */
	SP_KERNEL_EUCLIDEAN,
	SP_KERNEL_MANHATTAN,
	SP_KERNEL_CHEBYSHEV,
	SP_KERNEL_POWERS,			/* sum of |x - v|^a: a Minkowski distance without its root */
	SP_KERNEL_END
} SpKernel;

typedef enum SpRecurrent
{
	SP_RECURRENT_LSTM = 1,
	SP_RECURRENT_GRU,
	SP_RECURRENT_RNN,
	SP_RECURRENT_END
} SpRecurrent;

typedef enum SpRecurrentFlag
{
	SP_RECURRENT_REVERSE = 1,
	SP_RECURRENT_LINEAR_BEFORE_RESET = 2,
	SP_RECURRENT_PEEPHOLES = 4,
	SP_RECURRENT_INPUT_FORGET = 8	/* LSTM: f = 1 - i */
} SpRecurrentFlag;

/* Gates, each of the hidden size. */
static inline uint32_t
sp_recurrent_gates(SpRecurrent kind)
{
	return kind == SP_RECURRENT_LSTM ? 4 : kind == SP_RECURRENT_GRU ? 3 : 1;
}

/* Functions f, g, h. */
static inline uint32_t
sp_recurrent_functions(SpRecurrent kind)
{
	return kind == SP_RECURRENT_LSTM ? 3 : kind == SP_RECURRENT_GRU ? 2 : 1;
}

#endif
