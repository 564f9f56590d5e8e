/*
 * src/ir/sp_model.h
 *
 * The representation of a model: a small program over rows.
 *
 * Values are vectors of a fixed width and type, one per row.  The first
 * n_inputs values are filled from the caller's features; each step reads
 * values made before it and makes one new value.  Named outputs point at
 * values.  A model is immutable; only ir/sp_builder.c makes one, and what it
 * has accepted holds every rule below, so that readers check nothing.
 *
 * Numbers follow the source library: comparisons happen in the type of the
 * step's input, sums in sum_type and in the order written here.
 */
#ifndef SP_MODEL_H
#define SP_MODEL_H

#include "base/sp_status.h"

/* The numbers of all enums below are part of the stored form (doc/format.md). */
typedef enum SpType
{
	SP_TYPE_F32 = 1,
	SP_TYPE_F64 = 2,
	SP_TYPE_I64 = 3,
	SP_TYPE_STRING = 4			/* of labels; of values: 64-bit number of a category, -1 for one that the
								 * model does not know */
} SpType;

typedef enum SpTask
{
	SP_TASK_REGRESSION = 1,
	SP_TASK_CLASSIFICATION = 2,
	SP_TASK_RANKING = 3,
	SP_TASK_SURVIVAL = 4,
	SP_TASK_SCORE = 5,			/* a number without further meaning, as binary:logitraw */
	SP_TASK_OUTLIER = 32,		/* label (-1 or 1; 0 too in a graph that takes a sign) and value, the score */
	SP_TASK_CLUSTERING = 33,	/* label, and raw: a distance or score for each cluster */
	SP_TASK_TRANSFORM = 34		/* value: the transformed row */
} SpTask;

typedef enum SpOutput
{
	SP_OUTPUT_VALUE = 0,		/* F32 or F64; wider than 1 for several targets and for transforms */
	SP_OUTPUT_LABEL = 1,		/* I64, width 1: index into labels */
	SP_OUTPUT_PROBABILITIES = 2,	/* F32 or F64, width n_labels */
	SP_OUTPUT_RAW = 3			/* F32 or F64: margins before the link function */
} SpOutput;

#define SP_N_OUTPUTS 4
#define SP_NO_VALUE UINT32_MAX

/* How the values of a feature of type F32 or F64 become the numbers that the model computes with. */
typedef enum SpCategoryKind
{
	SP_CATEGORIES_NONE = 0,
	SP_CATEGORIES_TEXT = 1,		/* a text becomes its place in the list; a number is such a place */
	SP_CATEGORIES_NUMBER = 2,	/* a number becomes its place in the list */
	SP_CATEGORIES_CODE = 3,		/* numbers stay; the list says which ones the source knows */
	SP_CATEGORIES_HASH = 4		/* a text, or an integer as its decimal text, becomes the place of its
								 * sp_cat_hash in the list; a missing value has no meaning */
} SpCategoryKind;

/*
 * What becomes of a category that is not in the list.  As the rule of a list,
 * SOURCE lets it go on: as -1, but numbers of TEXT and CODE as they are.  As the
 * rule of the model it leaves the matter to the lists.
 */
typedef enum SpUnseen
{
	SP_UNSEEN_SOURCE = 0,
	SP_UNSEEN_ERROR = 1,
	SP_UNSEEN_MISSING = 2		/* it is taken for a missing value */
} SpUnseen;

typedef struct SpCategories
{
	SpCategoryKind kind;
	SpUnseen	unseen;			/* the source's rule; of TEXT for texts, numbers go on */
	bool		is_partial;		/* the source knows more than the list says */
	uint32_t	n;				/* <= SP_CATEGORIES_CAP */
	const char **texts;			/* of TEXT: well-formed UTF-8, may be empty, unique */
	double	   *numbers;		/* of all other kinds: finite, unique */
	uint32_t   *order;			/* places by ascending bytes or numbers */
} SpCategories;

/* A place in a longer list would not be exact in float32. */
#define SP_CATEGORIES_CAP (UINT32_C(1) << 24)

/* What becomes of a missing value of a feature that has no default. */
typedef enum SpMissing
{
	SP_MISSING_SOURCE = 0,
	SP_MISSING_ERROR = 1
} SpMissing;

/* Feature number i fills column of values[input]; features cover the inputs exactly, in order. */
typedef struct SpFeature
{
	const char *name;			/* unique, not empty, well-formed UTF-8 */
	const char *source_type;	/* as the file calls it, or NULL; people are told it at import, it is not stored */
	bool		is_code;		/* the same of a feature that holds codes of categories which the file does not list */
	SpType		type;			/* equals the type of its input */
	uint32_t	input;
	uint32_t	column;
	SpCategories categories;
	bool		accepts_missing;	/* NULL and NaN have a meaning, or nothing reads the feature; else the
								 * caller refuses them.  Found by sp_builder_finish, not stored */
	bool		has_default;
	double		default_value;	/* takes the place of a missing value, as it stands in the input */
} SpFeature;

typedef struct SpValue
{
	SpType		type;
	uint32_t	width;			/* >= 1 */
} SpValue;

typedef enum SpOp
{
	SP_OP_TREES = 1,
	SP_OP_LINEAR = 2,
	SP_OP_SCALE = 3,
	SP_OP_NORMALIZE = 4,
	SP_OP_CAST = 5,
	SP_OP_MAP = 6,
	SP_OP_SOFTMAX = 7,
	SP_OP_COMPLEMENT = 8,
	SP_OP_ARGMAX = 9,
	SP_OP_ABOVE = 10,
	/* steps with an SpGeneral */
	SP_OP_CONSTANT = 32,
	SP_OP_GATHER = 33,
	SP_OP_CONCAT = 34,
	SP_OP_BINARY = 35,
	SP_OP_WHERE = 36,
	SP_OP_APPLY = 37,
	SP_OP_REDUCE = 38,
	SP_OP_GROUP = 39,
	SP_OP_MATRIX = 40,
	SP_OP_TAKE = 41,
	SP_OP_ENCODE = 42,
	SP_OP_KERNEL = 43,
	SP_OP_COUPLE = 44,
	SP_OP_TOPK = 45,
	SP_OP_PRODUCT = 46,
	SP_OP_RECURRENT = 47,
	SP_OP_CONV = 48
} SpOp;

#define SP_OP_IS_GENERAL(op) ((op) >= SP_OP_CONSTANT && (op) <= SP_OP_CONV)

/*
 * A node of a tree.  A split sends a row left if x < threshold (x <= threshold
 * with SP_NODE_LE), else right; a NaN goes left with SP_NODE_MISSING_LEFT, else
 * right.  Children are numbered within the tree, the root is 0, every node but
 * the root has exactly one parent.  In a leaf, feature is SP_LEAF, left is the
 * number of its first weight in the step's weights, right their count (>= 0).
 *
 * With SP_NODE_ZERO_MISSING a number that is not further from 0 than
 * SP_ZERO_BOUND is missing, as a NaN is (LightGBM's zero_as_missing).
 *
 * With SP_NODE_CATEGORY the split is a question of membership: threshold is the
 * number of a set of categories, a row goes left if it has the integral part of
 * x in it, else right, NaN as above.  Below 0 nothing is a member; between -1
 * and 0 it is category 0 with SP_NODE_TRUNCATE (LightGBM cuts numbers off),
 * else none (XGBoost).
 */
#define SP_LEAF (-1)
#define SP_NODE_LE 1
#define SP_NODE_MISSING_LEFT 2
/* 4 is the mark of a leaf in the stored form */
#define SP_NODE_ZERO_MISSING 8
#define SP_NODE_CATEGORY 16
#define SP_NODE_TRUNCATE 32

#define SP_ZERO_BOUND ((double) 1e-35f)
#define SP_CATEGORY_CAP INT32_MAX

typedef struct SpNode
{
	double		threshold;		/* never NaN; exactly representable in the source's type */
	int32_t		feature;		/* column of the step's input */
	uint32_t	left;
	uint32_t	right;
	uint32_t	flags;
} SpNode;

typedef struct SpLeafWeight
{
	double		value;			/* finite */
	uint32_t	target;			/* < n_targets, ascending within a leaf */
} SpLeafWeight;

/*
 * A linear leaf's value is constant + sum of coefficient * input, added in
 * order; its weight's value instead if one of these inputs is NaN.
 */
typedef struct SpLeafTerm
{
	double		coefficient;	/* finite */
	uint32_t	column;			/* of the step's input */
} SpLeafTerm;

typedef struct SpLeafLinear
{
	double		constant;		/* finite */
	uint32_t	first_term;
	uint32_t	n_terms;		/* <= width of the input */
} SpLeafLinear;

typedef enum SpAggregate
{
	SP_AGGREGATE_SUM = 1,
	SP_AGGREGATE_AVERAGE = 2,	/* sum divided by the number of trees */
	SP_AGGREGATE_MIN = 3,
	SP_AGGREGATE_MAX = 4
} SpAggregate;

/* in: F32 or F64 of any width; out: sum_type, width n_targets */
typedef struct SpTrees
{
	SpAggregate aggregate;
	SpType		sum_type;		/* F32 or F64: leaves and base are rounded to it, sums done in it */
	bool		base_last;		/* base is added after the trees (ONNX), else before (XGBoost);
								 * always true unless aggregate is SUM */
	bool		accepts_missing;	/* the source means the ways that its splits send NaN */
	uint32_t	n_targets;
	double	   *base;			/* n_targets, finite */
	uint32_t	n_trees;		/* >= 1 */
	uint32_t   *first_node;		/* n_trees + 1 entries; tree t is nodes[first_node[t]] ... */
	uint32_t   *depth;			/* n_trees: splits on the longest path, 0 for a single leaf */
	SpNode	   *nodes;
	uint32_t	n_weights;
	SpLeafWeight *weights;
	/* sets of categories, one for each node that asks for membership, ascending in each */
	uint32_t	n_sets;
	uint32_t   *first_category;	/* n_sets + 1 entries, or NULL */
	uint32_t   *categories;		/* <= SP_CATEGORY_CAP */
	/* linear leaves: one for each weight, or NULL; then input and sum are F64, and
	 * every leaf has one weight */
	SpLeafLinear *linear;
	uint32_t	n_terms;
	SpLeafTerm *terms;
} SpTrees;

/* in: F32 or F64; out same type, width n_out: out[j] = bias[j] + sum over i of in[i] * weights[j * n_in + i] */
typedef struct SpLinear
{
	uint32_t	n_out;
	double	   *weights;		/* n_out * n_in, finite */
	double	   *bias;			/* n_out, finite */
} SpLinear;

/* out = (in - offset) * scale, computed in the type of in (F32 or F64); width of in each */
typedef struct SpScale
{
	double	   *offset;
	double	   *scale;
} SpScale;

/* row norm; a norm of 0 leaves the row as it is */
typedef enum SpNorm
{
	SP_NORM_MAX = 1,			/* by the largest element: ONNX Normalizer MAX */
	SP_NORM_L1 = 2,
	SP_NORM_L2 = 3
} SpNorm;

/* elementwise, F32 or F64, same type and width out */
typedef enum SpMap
{
	SP_MAP_SIGMOID = 1,			/* 1 / (1 + exp(-x)) */
	SP_MAP_EXP = 2,
	SP_MAP_PROBIT = 3,			/* sqrt(2) * erfinv(2 x - 1) */
	SP_MAP_STEP = 4,			/* x > 0 ? 1 : 0 (binary:hinge) */
	SP_MAP_NEGATE = 5,
	SP_MAP_SIGNED_SQUARE = 101, /* x * |x| (LightGBM reg_sqrt) */
	SP_MAP_LOG1P_EXP = 102,		/* log(1 + exp(x)) */
	SP_MAP_NAN_ZERO = 103		/* NaN becomes 0, all else stays */
} SpMap;

typedef enum SpSoftmax
{
	SP_SOFTMAX_ALL = 1,
	SP_SOFTMAX_NONZERO = 2		/* ONNX SOFTMAX_ZERO: elements equal to 0 stay 0 */
} SpSoftmax;

#include "ir/sp_general.h"

typedef struct SpStep
{
	SpOp		op;
	uint32_t	in;				/* value read */
	uint32_t	out;			/* value made: n_inputs + number of the step */
	union
	{
		SpTrees		trees;
		SpLinear	linear;
		SpScale		scale;
		SpNorm		norm;
		SpMap		map;
		SpSoftmax	softmax;
		double		above;		/* ABOVE: in width 1 -> I64, in > above ? 1 : 0 */
		SpGeneral	general;	/* all ops from CONSTANT on */
		/* CAST: no parameter; F32, F64, I64 to the type of out; width kept */
		/* COMPLEMENT: in width 1 -> width 2: (1 - x, x) */
		/* ARGMAX: I64 width 1, first of the largest */
	}			u;
} SpStep;

typedef struct SpModel
{
	SpTask		task;
	bool		accepts_missing;	/* every feature does */
	bool		accepts_infinite;	/* the source predicts on infinities; else the caller refuses them */
	SpMissing	on_missing;		/* the importer's wish, as on_unseen */
	SpUnseen	on_unseen;
	const char *producer;		/* library and version as the file says, may be empty */
	const char *objective;		/* objective or operator in the source's words, may be empty */
	uint32_t	n_features;
	SpFeature  *features;
	uint32_t	n_inputs;
	uint32_t	n_values;		/* n_inputs + n_steps */
	SpValue    *values;
	uint32_t	n_steps;
	SpStep	   *steps;
	uint32_t	outputs[SP_N_OUTPUTS];	/* value number or SP_NO_VALUE */
	SpType		label_type;		/* STRING or I64 (labels hold its decimal text) */
	uint32_t	n_labels;		/* 0 unless there is a label output */
	const char **labels;		/* unique */
	uint32_t	n_categories;	/* strings that the model knows, in the order of their numbers */
	const char **categories;	/* unique */
	/* counts for people */
	uint64_t	n_trees;
	uint64_t	n_nodes;
	uint64_t	n_parameters;	/* thresholds, leaf weights, coefficients, offsets */
} SpModel;

/* The place of a text in a list of kind TEXT, or of a number in any other; -1 if it has none. */
extern int64_t sp_categories_find_text(const SpCategories *categories, SpStr text);
extern int64_t sp_categories_find_number(const SpCategories *categories, double number);

extern const char *sp_type_name(SpType type);	/* float32, float64, int64, string */
extern const char *sp_unseen_name(SpUnseen unseen); /* source, error, missing */
extern const char *sp_task_name(SpTask task);
extern const char *sp_output_name(SpOutput output);
extern const char *sp_op_name(SpOp op);

/*
 * The stored form: a header and the sequence of builder calls that makes the
 * model (doc/format.md).  Little-endian, the same bytes for the same model on
 * every machine.  Reading goes through the builder, so stored bytes are
 * validated like any file: SP_ERR_FORMAT with the offset, SP_ERR_LIMIT;
 * SP_ERR_UNSUPPORTED for bytes that a later release wrote.
 */
struct SpWriter;
extern SpStatus sp_model_write(SpContext *cx, const SpModel *model, struct SpWriter *writer);
extern SpStatus sp_model_read(SpContext *cx, const void *bytes, size_t size, SpModel **model);

#endif
