/*
 * src/ir/sp_builder.h
 *
 * The only constructor of models.  Importers and the reader of the stored
 * form call it; it trusts nobody: every index, shape, size and number is
 * checked, limits before memory is allocated.
 *
 * Errors of all functions: SP_ERR_FORMAT for what no valid file can say (the
 * caller may set the offset), SP_ERR_LIMIT, SP_ERR_MEMORY, SP_ERR_CANCELLED.
 * After an error the builder is of no further use.
 * Arrays and strings are copied; the caller keeps its own.
 */
#ifndef SP_BUILDER_H
#define SP_BUILDER_H

#include "ir/sp_model.h"

typedef struct SpBuilder SpBuilder;

extern SpStatus sp_builder_new(SpContext *cx, SpBuilder **builder);

/* Facts about the whole model; may be called at any time before finish. */
extern SpStatus sp_builder_task(SpBuilder *builder, SpTask task, bool accepts_infinite);
extern SpStatus sp_builder_origin(SpBuilder *builder, SpStr producer, SpStr objective);
/* labels: I64 labels are given as decimal text */
extern SpStatus sp_builder_labels(SpBuilder *builder, SpType label_type,
								  const SpStr *labels, uint32_t n_labels);

/* Inputs come before all steps.  names may be NULL: f0, f1, ... counted over all inputs. */
extern SpStatus sp_builder_input(SpBuilder *builder, SpType type, uint32_t width,
								 const SpStr *names, uint32_t *value);

/*
 * The categories that a feature of type F32 or F64 may have, at most once for
 * each.  texts (of TEXT) or numbers (of all other kinds) hold n each.  Refused:
 * a list that is too long, twice the same category, a number that is not finite.
 */
typedef struct SpCategoriesSpec
{
	SpCategoryKind kind;
	SpUnseen	unseen;
	bool		is_partial;
	uint32_t	n;
	const SpStr *texts;
	const double *numbers;
} SpCategoriesSpec;

extern SpStatus sp_builder_categories(SpBuilder *builder, uint32_t feature, const SpCategoriesSpec *spec);

/* What the file calls the type of a feature, and whether that is a category; see SpFeature. */
extern SpStatus sp_builder_source_type(SpBuilder *builder, uint32_t feature, SpStr type, bool is_category);

/*
 * What a stored model says of the importer's wishes; importers have overrides.
 * A default is a finite number as it stands in the input; on_unseen other than
 * SOURCE is refused by sp_builder_finish unless a list tells what is unseen.
 */
extern SpStatus sp_builder_policy(SpBuilder *builder, SpMissing on_missing, SpUnseen on_unseen);
extern SpStatus sp_builder_default(SpBuilder *builder, uint32_t feature, double number);

/*
 * Tree ensembles arrive tree by tree, then end.  sp_builder_trees_begin only
 * opens the step; the input value's width must be known by then.
 */
typedef struct SpTreesSpec
{
	uint32_t	in;
	SpAggregate aggregate;
	SpType		sum_type;
	bool		base_last;
	bool		accepts_missing;
	uint32_t	n_targets;
	const double *base;			/* n_targets, or NULL for zeros */
} SpTreesSpec;

/*
 * One tree: n_nodes nodes as described at SpNode; a leaf's left counts into
 * weights of this call (the builder moves it).  Refused: no nodes, a child
 * out of range, a node with two parents or none (so no cycle), a feature out
 * of range, NaN threshold, a leaf value or base that is not finite, a target out of
 * range or not ascending, leaves that share weights, a depth over the limit.
 * With an aggregate other than SUM the base always comes last.
 */
extern SpStatus sp_builder_trees_begin(SpBuilder *builder, const SpTreesSpec *spec);
extern SpStatus sp_builder_tree(SpBuilder *builder, const SpNode *nodes, uint32_t n_nodes,
								const SpLeafWeight *weights, uint32_t n_weights);

/*
 * One tree with sets of categories or linear leaves.  The threshold of a node
 * with SP_NODE_CATEGORY counts into the sets of this call, the terms of linear
 * leaves into its terms.  Refused also: a set that is empty, not ascending or
 * above SP_CATEGORY_CAP, sets or terms out of range or shared, linear leaves in
 * some trees of an ensemble only.
 */
typedef struct SpTreeSpec
{
	const SpNode *nodes;
	uint32_t	n_nodes;
	const SpLeafWeight *weights;
	uint32_t	n_weights;
	const uint32_t *first_category; /* n_sets + 1 */
	uint32_t	n_sets;
	const uint32_t *categories;
	const SpLeafLinear *linear; /* n_weights, or NULL */
	const SpLeafTerm *terms;
	uint32_t	n_terms;
} SpTreeSpec;

extern SpStatus sp_builder_tree_spec(SpBuilder *builder, const SpTreeSpec *spec);
extern SpStatus sp_builder_trees_end(SpBuilder *builder, uint32_t *value);

extern SpStatus sp_builder_linear(SpBuilder *builder, uint32_t in, uint32_t n_out,
								  const double *weights, const double *bias, uint32_t *value);
extern SpStatus sp_builder_scale(SpBuilder *builder, uint32_t in,
								 const double *offset, const double *scale, uint32_t *value);
extern SpStatus sp_builder_normalize(SpBuilder *builder, uint32_t in, SpNorm norm, uint32_t *value);
extern SpStatus sp_builder_cast(SpBuilder *builder, uint32_t in, SpType type, uint32_t *value);
extern SpStatus sp_builder_map(SpBuilder *builder, uint32_t in, SpMap map, uint32_t *value);
extern SpStatus sp_builder_softmax(SpBuilder *builder, uint32_t in, SpSoftmax kind, uint32_t *value);
extern SpStatus sp_builder_complement(SpBuilder *builder, uint32_t in, uint32_t *value);
extern SpStatus sp_builder_argmax(SpBuilder *builder, uint32_t in, uint32_t *value);
extern SpStatus sp_builder_above(SpBuilder *builder, uint32_t in, double bound, uint32_t *value);

/* All ops that have an SpGeneral; its arrays are copied. */
extern SpStatus sp_builder_general(SpBuilder *builder, SpOp op, const SpGeneral *spec, uint32_t *value);

/* The number of a category, which is new or known. */
extern SpStatus sp_builder_category(SpBuilder *builder, SpStr text, int64_t *number);

extern SpStatus sp_builder_output(SpBuilder *builder, SpOutput output, uint32_t value);

/* Type and width of a value made so far. */
extern SpValue sp_builder_value(const SpBuilder *builder, uint32_t value);

/*
 * Checks what only the whole can show (classification has a label output and
 * labels, every other task a value and neither; the label output comes from
 * ARGMAX over as many columns as there are labels, or from ABOVE with two;
 * widths of outputs fit labels; names are unique), finds which features may be
 * missing, and gives the model.  The builder is spent.
 *
 * feature_names and labels, when not NULL, replace those of the file; a wrong
 * count, an empty or doubled one gives SP_ERR_VALUE.  Given labels make
 * label_type STRING unless all of them are integers.
 * A default is a value as a caller of predictions passes it, a text for a
 * category: SP_ERR_VALUE for a name that no feature has and for a value that the
 * feature cannot have.  on_unseen other than SOURCE needs the list of all
 * categories of each feature that has any: SP_ERR_VALUE.
 * The iterations are for importers of boosted trees; others refuse them
 * (sp_import).
 */
typedef struct SpDefault
{
	SpStr		feature;
	bool		is_text;
	SpStr		text;
	double		number;
} SpDefault;

typedef struct SpOverrides
{
	const SpStr *feature_names;
	uint32_t	n_feature_names;
	const SpStr *labels;
	uint32_t	n_labels;
	uint32_t	first_iteration;	/* of boosting, counted from 0 */
	uint32_t	n_iterations;	/* only so many from there; 0 means all */
	bool		best_iteration; /* only those up to the best one that the file notes */
	SpMissing	on_missing;
	const SpDefault *defaults;
	uint32_t	n_defaults;
	SpUnseen	on_unseen;
} SpOverrides;

extern SpStatus sp_builder_finish(SpBuilder *builder, const SpOverrides *overrides, SpModel **model);

#endif
