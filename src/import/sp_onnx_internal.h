/*
 * src/import/sp_onnx_internal.h
 *
 * What the files of the ONNX importer share.
 *
 * The graph is walked once, node by node in the file's order, which must be
 * topological.  A table maps the names of the graph to what they stand for:
 * a constant, a value of the builder, or a classifier's label or scores.
 */
#ifndef SP_ONNX_INTERNAL_H
#define SP_ONNX_INTERNAL_H

#include "import/sp_onnx.pb-c.h"
#include "ir/sp_builder.h"

/* Numbers of the ONNX format (onnx.proto3). */
enum
{
	SP_ONNX_ATTR_FLOAT = 1,
	SP_ONNX_ATTR_INT = 2,
	SP_ONNX_ATTR_STRING = 3,
	SP_ONNX_ATTR_TENSOR = 4,
	SP_ONNX_ATTR_GRAPH = 5,
	SP_ONNX_ATTR_FLOATS = 6,
	SP_ONNX_ATTR_INTS = 7,
	SP_ONNX_ATTR_STRINGS = 8
};

enum
{
	SP_ONNX_FLOAT = 1,
	SP_ONNX_UINT8 = 2,
	SP_ONNX_INT8 = 3,
	SP_ONNX_UINT16 = 4,
	SP_ONNX_INT16 = 5,
	SP_ONNX_INT32 = 6,
	SP_ONNX_INT64 = 7,
	SP_ONNX_STRING = 8,
	SP_ONNX_BOOL = 9,
	SP_ONNX_DOUBLE = 11,
	SP_ONNX_UINT32 = 12,
	SP_ONNX_UINT64 = 13
};

typedef enum SpOnnxKind
{
	SP_ONNX_CONSTANT,			/* tensor */
	SP_ONNX_NUMBERS,			/* value */
	SP_ONNX_LABEL,				/* value: index of the label */
	SP_ONNX_SCORES,				/* value: one score for each class, or margins */
	SP_ONNX_MAP,				/* value: what a dictionary has for the keys of its DictVectorizer, NaN for none */
	SP_ONNX_SEQUENCE			/* value: the elements of its tensors, one tensor after the other; only an output */
} SpOnnxKind;

#define SP_ONNX_ML "ai.onnx.ml"
#define SP_ONNX_MAX_RANK 8

/* The number of rows where a graph computes with shapes: no real extent has this value. */
#define SP_ONNX_ROWS (-0x1p52)

/* Numbers or strings: a constant's elements, labels, or all that a value can be. */
typedef struct SpOnnxList
{
	size_t		count;
	double	   *numbers;		/* NULL for strings */
	SpStr	   *texts;			/* NULL for numbers */
} SpOnnxList;

/*
 * A tensor.  The axis of rows has the extent 1 in dims, so that their product
 * is the width of one row; wherever that axis is, rows do not mix.
 *
 * An axis of rows may also hold several elements of each row, as when
 * [rows, n] is flattened: its extent in dims is their number then, and it
 * counts rows first, or elements first if is_inner.  Such a tensor is
 * something between two Reshapes, and few operators take it (sp_onnx_loose).
 */
typedef struct SpOnnxValue
{
	SpStr		name;
	SpOnnxKind	kind;
	bool		is_probability; /* of scores: not margins */
	bool		is_first;		/* of one margin: ONNX Runtime has it in the first of two columns, negated in the second */
	bool		is_cluster;		/* of indices: chosen as the smallest of distances */
	bool		is_sign;		/* of sign_of, a value of the builder */
	uint32_t	sign_of;
	uint32_t	value;			/* of the builder, unless kind is CONSTANT */
	int32_t		elem;			/* its type in ONNX */
	uint32_t	rank;
	int64_t		dims[SP_ONNX_MAX_RANK];
	int			row_axis;		/* or -1 */
	bool		is_inner;		/* of an axis with several elements for each row */
	SpOnnxList	list;			/* of a constant */
	const SpOnnxList *labels;	/* of a label: what the index stands for */
	SpType		label_type;
	const SpOnnxList *domain;	/* all that the value can be, or NULL */
	uint32_t	n_results;		/* of an index made by a step that bounds it, or 0 */
	int64_t		below;			/* of integers: all are from 0 to one below it, or 0 if that is not known */
	const SpOnnx__TensorProto *tensor;
} SpOnnxValue;

typedef struct SpOnnx
{
	SpContext  *cx;
	const SpOnnx__ModelProto *model;
	SpBuilder  *builder;
	SpOnnxValue *values;
	size_t		n_values;
	size_t		values_capacity;
	/* the tree ensemble or linear model, or NULL before it came */
	const SpOnnx__NodeProto *estimator;
	uint32_t	raw;			/* value before the link function, or SP_NO_VALUE */
	uint32_t	label;			/* index of the label, or SP_NO_VALUE for a regressor */
	SpType		label_type;
	SpStr	   *labels;
	uint32_t	n_labels;
	SpStr	   *zipmap;			/* labels of a ZipMap after something else than a classifier */
	uint32_t	n_zipmap;
	SpTask		task;
	bool		has_targets;	/* an output has several integers for each row, and is not the only one */
	const SpOverrides *overrides;
} SpOnnx;

static inline SpStr
sp_onnx_str(ProtobufCBinaryData data)
{
	return (SpStr) {(const char *) data.data, data.len};
}

/* sp_onnx_scan.c: is a message of the type well-formed, and not more than we unpack? */
extern SpStatus sp_onnx_scan(SpContext *cx, const ProtobufCMessageDescriptor *type, const void *bytes, size_t size);

/* sp_onnx_unpack.c: the same, and unpack it. */
extern SpStatus sp_onnx_unpack(SpContext *cx, const ProtobufCMessageDescriptor *type, const void *bytes, size_t size,
							   ProtobufCMessage **message);
extern void sp_onnx_forget(SpContext *cx, ProtobufCMessage *message);

/* sp_onnx_graph.c: inputs, nodes, outputs of model->graph. */
extern SpStatus sp_onnx_graph(SpOnnx *onnx);

/*
 * sp_onnx_values.c.  All errors name the operator, the node and the opset;
 * reason completes "operator X ... : ", or "tensor X: " for the node that
 * sp_onnx_define_tensor makes up.
 */
extern SpStatus sp_onnx_fail(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpStatus status,
							 const char *fmt,...) __attribute__((format(printf, 4, 5)));

/* What a name of the graph stands for, or NULL. */
extern const SpOnnxValue *sp_onnx_find(const SpOnnx *onnx, SpStr name);

/* Enter a value under its name, which must be new. */
extern SpStatus sp_onnx_define(SpOnnx *onnx, SpOnnxValue value);

/* Enter a node's output; an output without a name is not entered. */
extern SpStatus sp_onnx_define_output(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t output,
									  SpOnnxValue value);

/* Input number input of a node, which must be there. */
extern SpStatus sp_onnx_input(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input,
							  const SpOnnxValue **value);

/* Its first input, which must be numbers. */
extern SpStatus sp_onnx_input_numbers(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t *value);

/* An attribute of that type, or NULL if the node has none of that name. */
extern SpStatus sp_onnx_attribute(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name,
								  int32_t type, const SpOnnx__AttributeProto **attribute);

/* An INT attribute with a default. */
extern SpStatus sp_onnx_attribute_int(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name,
									  int64_t otherwise, int64_t *value);

/* A STRING attribute with a default. */
extern SpStatus sp_onnx_attribute_text(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name,
									   const char *otherwise, SpStr *text);

/* A copy of a FLOATS attribute, or of the TENSOR attribute tensor_name (may be NULL); at most one may be there. */
extern SpStatus sp_onnx_attribute_numbers(SpOnnx *onnx, const SpOnnx__NodeProto *node,
										  const char *name, const char *tensor_name,
										  double **numbers, size_t *count);

/* A copy of a tensor's numbers. */
extern SpStatus sp_onnx_tensor_numbers(SpOnnx *onnx, const SpOnnx__NodeProto *node,
									   const SpOnnx__TensorProto *tensor,
									   double **numbers, size_t *count);

/* Cast unless the value has the type already. */
extern SpStatus sp_onnx_cast(SpOnnx *onnx, uint32_t in, SpType type, uint32_t *out);

/* sp_onnx_tensor.c, sp_onnx_broadcast.c, sp_onnx_compose.c: shapes, constants and the steps that several operators are made of. */
#define SP_ONNX_NONE ((SpOnnxValue) {.value = SP_NO_VALUE, .row_axis = -1})

/* SP_ERR_FORMAT if the file gives two opsets for one domain. */
extern SpStatus sp_onnx_check_opsets(SpOnnx *onnx);

/* 0 if the file gives none. */
extern int64_t sp_onnx_opset_of(const SpOnnx *onnx, const SpOnnx__NodeProto *node);
extern bool sp_onnx_is_float(int32_t elem);
extern SpType sp_onnx_type(int32_t elem);	/* 0 for types that we do not have */
extern size_t sp_onnx_width(const SpOnnxValue *value);
extern bool sp_onnx_has_input(const SpOnnx__NodeProto *node, size_t input);

/* A vector of n in one row, in the second axis after rows. */
extern SpOnnxValue sp_onnx_row(const SpOnnx *onnx, uint32_t value, int32_t elem);

/* An input as a tensor: labels become what they stand for. */
extern SpStatus sp_onnx_tensor(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value);

/* Likewise, with several elements for each row in the axis of rows. */
extern SpStatus sp_onnx_loose(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value);

/* Likewise to sp_onnx_tensor, made a value of the builder if it is constant. */
extern SpStatus sp_onnx_operand(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value);
extern SpStatus sp_onnx_emit(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value);

/* An input that must be a constant. */
extern SpStatus sp_onnx_fixed(SpOnnx *onnx, const SpOnnx__NodeProto *node, size_t input, SpOnnxValue *value);

/* A list of integers from the attribute, or from the constant input; absent: *ints is NULL. */
extern SpStatus sp_onnx_ints(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, size_t input,
							 int64_t **ints, size_t *count);

extern SpStatus sp_onnx_float(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, double otherwise, double *number);

/* One number from the attribute, as older opsets have it, or from the constant input. */
extern SpStatus sp_onnx_number(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *name, size_t input, double otherwise,
							   double *number);

/* An axis from -rank to rank - 1; it must not be that of the rows. */
extern SpStatus sp_onnx_axis(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnxValue *value, int64_t axis, uint32_t *result);

extern SpOnnxValue sp_onnx_scalar(SpOnnx *onnx, int32_t elem, double number);
extern SpStatus sp_onnx_memory(SpOnnx *onnx, size_t count, size_t size, void **memory);

/* Elements of value at indices, in a new shape that value has already. */
extern SpStatus sp_onnx_pick(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value,
							 const uint32_t *indices, size_t count, double fill);

/* A view: element (i, j, ...) of the shape comes from first + i * strides[0] + ... */
extern SpStatus sp_onnx_view(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, uint32_t rank,
							 const int64_t *dims, const int64_t *strides, int64_t first);
extern void sp_onnx_strides(const SpOnnxValue *value, int64_t *strides);

/* A step with up to three inputs; the result's shape is that of the first. */
extern SpStatus sp_onnx_step(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOp op, SpGeneral spec,
							 const SpOnnxValue *const *inputs, size_t n_inputs, SpOnnxValue *result);

extern SpStatus sp_onnx_binary(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpBinary kind,
							   SpOnnxValue a, SpOnnxValue b, SpOnnxValue *result);
extern SpStatus sp_onnx_choose(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue condition,
							   SpOnnxValue a, SpOnnxValue b, SpOnnxValue *result);
extern SpStatus sp_onnx_apply(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpApply kind, double a, double b,
							  SpOnnxValue value, SpOnnxValue *result);
extern SpStatus sp_onnx_convert(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, int32_t elem, SpOnnxValue *result);

/* Over the axes first to last, which become one of extent 1. */
extern SpStatus sp_onnx_reduce(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpReduce kind, SpOnnxValue value,
							   uint32_t first, uint32_t last, SpOnnxValue *result);
extern void sp_onnx_groups(const SpOnnxValue *value, uint32_t first, uint32_t last, uint32_t *dims);

/* weights: n_out rows of as many numbers as value's last axis has; bias may be NULL */
extern SpStatus sp_onnx_matrix(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, uint32_t n_out,
							   const double *weights, const double *bias, SpOnnxValue *result);

/* data [.., n, ..] at the indices of a value, which has one axis or more; floats at an index out of range are NaN */
extern SpStatus sp_onnx_lookup(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue data, uint32_t axis,
							   SpOnnxValue index, SpOnnxValue *result);

/* NaN in made, of floats, where an index of an axis of n elements is out of range; index has the axes of made from first on. */
extern SpStatus sp_onnx_blank(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue index, int64_t n, uint32_t n_behind,
							  SpOnnxValue *made);

/* sp_onnx_shapes.c: elements of one axis at fixed indices. */
extern SpStatus sp_onnx_gather_fixed(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, uint32_t axis,
									 const SpOnnxValue *index, SpOnnxValue *result);

/*
 * sp_onnx_pad.c: begin and end more elements on each axis, fewer if negative,
 * which only a constant padding may be.
 */
typedef enum SpOnnxPad
{
	SP_ONNX_PAD_CONSTANT,		/* the fill */
	SP_ONNX_PAD_EDGE,			/* the nearest element */
	SP_ONNX_PAD_REFLECT,		/* mirrored at the outermost elements */
	SP_ONNX_PAD_WRAP			/* from the other end */
} SpOnnxPad;

extern SpStatus sp_onnx_pad_axes(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue *value, const int64_t *begin,
								 const int64_t *end, SpOnnxPad mode, double fill);

/*
 * sp_onnx_maps.c: an input that is a dictionary, as a value with a column for
 * each key of the one DictVectorizer that reads it; names gets the keys.
 */
extern SpStatus sp_onnx_map_input(SpOnnx *onnx, const SpOnnx__ValueInfoProto *info, SpOnnxValue *value, SpStr **names);

/* sp_onnx_graph.c: a constant; errors name the tensor, or the node that holds it unless node is NULL. */
extern SpStatus sp_onnx_define_tensor(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnx__TensorProto *tensor,
									  SpOnnxValue *value);

/* sp_onnx_values.c: elements of a tensor of any type that we have. */
extern SpStatus sp_onnx_decode(SpOnnx *onnx, const SpOnnx__NodeProto *node, const SpOnnx__TensorProto *tensor,
							   SpOnnxList *list);

/* sp_onnx_encode.c: the place of a value in a list of keys, the first of equal ones; otherwise for none. */
extern SpStatus sp_onnx_place(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxValue value, const SpOnnxList *keys,
							  uint32_t n_results, uint32_t otherwise, SpOnnxValue *result);

/* sp_onnx_scores.c: the outputs of a classifier. */
extern SpStatus sp_onnx_define_classes(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t label,
									   uint32_t scores, bool are_probabilities);

/* One handler for each entry of the list in sp_onnx_nodes.c. */
#define SP_ONNX_HANDLER(name) extern SpStatus sp_onnx_##name(SpOnnx *onnx, const SpOnnx__NodeProto *node)
SP_ONNX_HANDLER(cast_node);
SP_ONNX_HANDLER(identity);
SP_ONNX_HANDLER(dropout);
SP_ONNX_HANDLER(constant);
SP_ONNX_HANDLER(arithmetic);
SP_ONNX_HANDLER(scaler);
SP_ONNX_HANDLER(normalizer);
SP_ONNX_HANDLER(zipmap);
SP_ONNX_HANDLER(reshape);
SP_ONNX_HANDLER(flatten);
SP_ONNX_HANDLER(squeeze);
SP_ONNX_HANDLER(unsqueeze);
SP_ONNX_HANDLER(transpose);
SP_ONNX_HANDLER(slice);
SP_ONNX_HANDLER(split);
SP_ONNX_HANDLER(gather);
SP_ONNX_HANDLER(gather_elements);
SP_ONNX_HANDLER(concat);
SP_ONNX_HANDLER(sequence);
SP_ONNX_HANDLER(expand);
SP_ONNX_HANDLER(tile);
SP_ONNX_HANDLER(shape);
SP_ONNX_HANDLER(constant_of_shape);
SP_ONNX_HANDLER(elementwise);
SP_ONNX_HANDLER(variadic);
SP_ONNX_HANDLER(unary);
SP_ONNX_HANDLER(clip);
SP_ONNX_HANDLER(where);
SP_ONNX_HANDLER(reduction);
SP_ONNX_HANDLER(argument);
SP_ONNX_HANDLER(softmax);
SP_ONNX_HANDLER(topk);
SP_ONNX_HANDLER(matmul);
SP_ONNX_HANDLER(gemm);
SP_ONNX_HANDLER(pad);
SP_ONNX_HANDLER(batch_norm);
SP_ONNX_HANDLER(layer_norm);
SP_ONNX_HANDLER(instance_norm);
SP_ONNX_HANDLER(group_norm);
SP_ONNX_HANDLER(lp_norm);
SP_ONNX_HANDLER(compress);
SP_ONNX_HANDLER(cumsum);
SP_ONNX_HANDLER(conv);
SP_ONNX_HANDLER(pool);
SP_ONNX_HANDLER(global_pool);
SP_ONNX_HANDLER(recurrent);
SP_ONNX_HANDLER(label_encoder);
SP_ONNX_HANDLER(one_hot);
SP_ONNX_HANDLER(category_mapper);
SP_ONNX_HANDLER(imputer);
SP_ONNX_HANDLER(binarizer);
SP_ONNX_HANDLER(vectorizer);
SP_ONNX_HANDLER(dict_vectorizer);
SP_ONNX_HANDLER(choices);
SP_ONNX_HANDLER(extractor);
SP_ONNX_HANDLER(distances);
SP_ONNX_HANDLER(scan_node);
SP_ONNX_HANDLER(svm_classifier);
SP_ONNX_HANDLER(svm_regressor);
SP_ONNX_HANDLER(tree_classifier);
SP_ONNX_HANDLER(tree_regressor);
SP_ONNX_HANDLER(tree_ensemble);
SP_ONNX_HANDLER(linear_classifier);
SP_ONNX_HANDLER(linear_regressor);

/* sp_onnx_results.c: the graph's outputs, and with them the task. */
extern SpStatus sp_onnx_outputs(SpOnnx *onnx, const SpOnnx__GraphProto *graph);

/* sp_onnx_nodes.c: one node of any kind. */
extern SpStatus sp_onnx_node(SpOnnx *onnx, const SpOnnx__NodeProto *node);

/* sp_onnx_scores.c: what classifiers and regressors do alike after their scores. */
typedef enum SpOnnxPost
{
	SP_ONNX_POST_NONE,
	SP_ONNX_POST_LOGISTIC,
	SP_ONNX_POST_SOFTMAX,
	SP_ONNX_POST_SOFTMAX_ZERO,
	SP_ONNX_POST_PROBIT
} SpOnnxPost;

extern SpStatus sp_onnx_post_transform(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpOnnxPost *post);

/* Labels from the attribute ints_name or classlabels_strings: two or more. */
extern SpStatus sp_onnx_labels(SpOnnx *onnx, const SpOnnx__NodeProto *node, const char *ints_name);

/* Do a ZipMap's labels equal the classifier's? */
extern SpStatus sp_onnx_same_labels(SpOnnx *onnx, const SpOnnx__NodeProto *node, bool after_classifier);

/* Outputs of a classifier: scores with one column for each class. */
extern SpStatus sp_onnx_classify(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t scores,
								 SpOnnxPost post, bool are_probabilities);

/*
 * Outputs of a classifier of two classes by one score: the second class if
 * score > cut.  Without LOGISTIC the first class has 1 - score if the scores
 * are probabilities.
 */
extern SpStatus sp_onnx_classify_binary(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t score,
										double cut, SpOnnxPost post, bool are_probabilities);

/* Output of a regressor, F32 or F64. */
extern SpStatus sp_onnx_regress(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t score,
								SpOnnxPost post, SpType type);

#endif
