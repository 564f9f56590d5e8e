/*
 * src/ir/sp_builder_internal.h
 *
 * What the files of the builder share; nobody else includes it.
 */
#ifndef SP_BUILDER_INTERNAL_H
#define SP_BUILDER_INTERNAL_H

#include "ir/sp_builder.h"

/*
 * Structural limits, far above any real model, that keep the scratch memory
 * of one evaluated row bounded.  SP_ROW_CAP counts the elements of all values.
 */
#define SP_STEPS_CAP 10000
#define SP_ROW_CAP 8000000

/* The tree step between sp_builder_trees_begin and sp_builder_trees_end. */
typedef struct SpTreesDraft
{
	bool		open;
	uint32_t	in;
	uint32_t	in_width;
	SpTrees		trees;
	size_t		first_node_capacity;
	size_t		depth_capacity;
	size_t		nodes_capacity;
	size_t		weights_capacity;
	/* scratch to check one tree, freed when the step ends */
	uint32_t   *queue;
	size_t		queue_capacity;
	uint8_t    *seen;
	size_t		seen_capacity;
	size_t		first_category_capacity;
	size_t		categories_capacity;
	size_t		linear_capacity;
	size_t		terms_capacity;
} SpTreesDraft;

struct SpBuilder
{
	SpContext  *cx;
	SpModel    *model;
	bool		has_task;
	bool		has_origin;
	bool		has_labels;
	bool		spent;
	uint64_t	row_elements;
	size_t		features_capacity;
	size_t		values_capacity;
	size_t		steps_capacity;
	SpTreesDraft draft;
	/* categories by hash: 0 or the category's number + 1 */
	size_t		categories_capacity;
	uint32_t   *category_slots;
	size_t		category_slots_count;
};

/* sp_builder_branches.c: sets of categories and linear leaves of one tree */
extern SpStatus sp_builder_check_sets(SpBuilder *builder, const SpTreeSpec *spec);
extern SpStatus sp_builder_check_linear(SpBuilder *builder, const SpTreeSpec *spec);
extern SpStatus sp_builder_add_sets(SpBuilder *builder, const SpTreeSpec *spec, SpNode *nodes);
extern SpStatus sp_builder_add_linear(SpBuilder *builder, const SpTreeSpec *spec);

/* sp_builder_features.c: what the caller wishes, or NULL; once the features have their names. */
extern SpStatus sp_builder_finish_policy(SpBuilder *builder, const SpOverrides *overrides);

/*
 * sp_builder_missing.c: which features may be missing, by what the steps make of
 * NaN; once all steps and lists of categories are there.  Time and memory are
 * linear in the elements of all values.
 */
extern SpStatus sp_builder_finish_missing(SpBuilder *builder);

/* A copy of a well-formed text; what names it in messages. */
extern SpStatus sp_builder_text(SpBuilder *builder, SpStr text, const char *what, bool may_be_empty,
								const char **copy);

/* Refuses a builder that is spent or in the middle of a tree step. */
extern SpStatus sp_builder_ready(SpBuilder *builder);

/* Checks that value exists and holds numbers that a step can compute with. */
extern SpStatus sp_builder_floats(SpBuilder *builder, uint32_t in, SpValue *value);

/* Append a step and the value it makes; step->in and the parameters are set by the caller before. */
extern SpStatus sp_builder_add(SpBuilder *builder, SpStep *step, SpType type, uint32_t width,
							   uint32_t *value);

/* A copy of count finite numbers; NULL gives zeros. */
extern SpStatus sp_builder_numbers(SpBuilder *builder, const double *numbers, size_t count,
								   SpType type, const char *what, double **copy);

/* Whether the text is a 64-bit integer in the one form that integers print in. */
extern bool sp_is_integer_label(SpStr text);

/* Finite, and still so when rounded to the type. */
extern bool sp_is_finite_as(double number, SpType type);

#endif
