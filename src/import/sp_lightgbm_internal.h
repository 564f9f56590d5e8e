/*
 * src/import/sp_lightgbm_internal.h
 *
 * What the files of the LightGBM importer share.
 *
 * The text format is lines of name=value: a header, then one block of lines
 * for each tree, ended by an empty line, then "end of trees" and what training
 * left there (LightGBM src/boosting/gbdt_model_text.cpp, src/io/tree.cpp).
 */
#ifndef SP_LIGHTGBM_INTERNAL_H
#define SP_LIGHTGBM_INTERNAL_H

#include "base/sp_tokens.h"
#include "ir/sp_builder.h"

typedef enum SpLgbLink
{
	SP_LGB_IDENTITY,
	SP_LGB_SQUARE,
	SP_LGB_EXP,
	SP_LGB_SIGMOID,
	SP_LGB_LOG1P_EXP,
	SP_LGB_SOFTMAX,
	SP_LGB_ONE_VS_ALL
} SpLgbLink;

typedef struct SpLightgbm
{
	SpContext  *cx;
	const char *bytes;
	size_t		size;
	size_t		pos;			/* of the next line */
	size_t		line;			/* where the last one began */
	uint32_t	n_lines;		/* since the stop callback was asked */

	/* the header */
	SpStr		version;
	uint32_t	num_class;
	uint32_t	trees_per_iteration;
	uint32_t	num_feature;
	bool		average_output;
	SpStr		objective;
	SpStr	   *names;			/* num_feature, into the file */
	SpStr		feature_infos;	/* may be empty */
	uint64_t	n_tree_sizes;
	bool		has_tree_sizes;

	/* of the objective */
	SpTask		task;
	SpLgbLink	link;
	double		sigmoid;

	/* of the trees */
	uint32_t	n_trees;		/* in the file */
	bool		is_linear;		/* some tree is */
	bool		has_sets;		/* some tree splits by a set of categories */
	size_t		tail;			/* the first line behind them */
} SpLightgbm;

/* sp_lightgbm_text.c */

/* The next line without its end; false at the end of the file. */
extern SpStatus sp_lgb_line(SpLightgbm *lgb, SpStr *line, bool *found);
/* Cut a line at its first '='; false if it has none. */
extern bool sp_lgb_split(SpStr line, SpStr *name, SpStr *value);
/* The next word of a text, words being separated by spaces; false if there is none. */
extern bool sp_lgb_word(SpStr *text, SpStr *word);
/* The same for parts between single separators; "a::b" has three parts, an empty text none. */
extern bool sp_lgb_part(SpStr *text, char separator, SpStr *part);
/* A whole number from 0 to max. */
extern SpStatus sp_lgb_number(SpLightgbm *lgb, const char *name, SpStr text, uint32_t max, uint32_t *number);
/* A word that is a finite number. */
extern SpStatus sp_lgb_double(SpLightgbm *lgb, const char *name, SpStr word, double *number);

/* A growable array of numbers, kept from tree to tree. */
typedef struct SpLgbNumbers
{
	double	   *at;
	size_t		count;
	size_t		capacity;
} SpLgbNumbers;

/* Exactly count numbers, which may be "inf"; or whole ones from low to high. */
extern SpStatus sp_lgb_numbers(SpLightgbm *lgb, const char *name, SpStr text, size_t count,
							   SpLgbNumbers *numbers);
extern SpStatus sp_lgb_integers(SpLightgbm *lgb, const char *name, SpStr text, size_t count,
								double low, double high, SpLgbNumbers *numbers);

/* An error of the line that was read last. */
extern SpStatus sp_lgb_fail(SpLightgbm *lgb, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));

/* sp_lightgbm_objective.c */
extern SpStatus sp_lgb_objective(SpLightgbm *lgb);
/* Steps after the sum of the trees, labels and outputs; n_iterations divides an average. */
extern SpStatus sp_lgb_outputs(SpLightgbm *lgb, SpBuilder *builder, uint32_t sum, uint32_t n_iterations);

/* sp_lightgbm_columns.c: categories of the features, once the model has its input; the position stays */
extern SpStatus sp_lgb_add_columns(SpLightgbm *lgb, SpBuilder *builder);

/* sp_lightgbm_trees.c: reads the trees again and adds those from first to before end */
extern SpStatus sp_lgb_read_trees(SpLightgbm *lgb, SpBuilder *builder, uint32_t first, uint32_t end);

#endif
