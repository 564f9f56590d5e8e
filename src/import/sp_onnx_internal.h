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
	SP_ONNX_ATTR_FLOATS = 6,
	SP_ONNX_ATTR_INTS = 7,
	SP_ONNX_ATTR_STRINGS = 8
};

enum
{
	SP_ONNX_FLOAT = 1,
	SP_ONNX_INT64 = 7,
	SP_ONNX_STRING = 8,
	SP_ONNX_DOUBLE = 11
};

typedef enum SpOnnxKind
{
	SP_ONNX_CONSTANT,			/* tensor */
	SP_ONNX_NUMBERS,			/* value */
	SP_ONNX_LABEL,				/* value: index of the label */
	SP_ONNX_SCORES				/* value: one score for each class, or margins */
} SpOnnxKind;

typedef struct SpOnnxValue
{
	SpStr		name;
	SpOnnxKind	kind;
	bool		is_probability; /* of scores: not margins */
	uint32_t	value;
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
	bool		accepts_missing;
	uint32_t	raw;			/* value before the link function, or SP_NO_VALUE */
	uint32_t	label;			/* index of the label, or SP_NO_VALUE for a regressor */
	SpType		label_type;
	SpStr	   *labels;
	uint32_t	n_labels;
} SpOnnx;

static inline SpStr
sp_onnx_str(ProtobufCBinaryData data)
{
	return (SpStr) {(const char *) data.data, data.len};
}

/* sp_onnx_scan.c: is it well-formed, and not more than we unpack? */
extern SpStatus sp_onnx_scan(SpContext *cx, const void *bytes, size_t size);

/* sp_onnx_graph.c: inputs, nodes, outputs of model->graph. */
extern SpStatus sp_onnx_graph(SpOnnx *onnx);

/*
 * sp_onnx_values.c.  All errors name the operator, the node and the opset;
 * reason completes "operator X ... : ".
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

/* sp_onnx_nodes.c: one node of any kind. */
extern SpStatus sp_onnx_node(SpOnnx *onnx, const SpOnnx__NodeProto *node);

/* sp_onnx_trees.c, sp_onnx_linear.c: the estimators. */
extern SpStatus sp_onnx_tree_classifier(SpOnnx *onnx, const SpOnnx__NodeProto *node);
extern SpStatus sp_onnx_tree_regressor(SpOnnx *onnx, const SpOnnx__NodeProto *node);
extern SpStatus sp_onnx_linear_classifier(SpOnnx *onnx, const SpOnnx__NodeProto *node);
extern SpStatus sp_onnx_linear_regressor(SpOnnx *onnx, const SpOnnx__NodeProto *node);

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
extern SpStatus sp_onnx_same_labels(SpOnnx *onnx, const SpOnnx__NodeProto *node);

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

/* Output of a regressor with one target. */
extern SpStatus sp_onnx_regress(SpOnnx *onnx, const SpOnnx__NodeProto *node, uint32_t score,
								SpOnnxPost post);

#endif
