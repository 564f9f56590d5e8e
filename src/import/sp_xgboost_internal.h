/*
 * src/import/sp_xgboost_internal.h
 *
 * What the files of the XGBoost importer share.
 *
 * A file is read twice: first everything but the trees, which may come before
 * the parameters that they need, then only the trees.  So no tree is held
 * twice and the order of members does not matter.
 */
#ifndef SP_XGBOOST_INTERNAL_H
#define SP_XGBOOST_INTERNAL_H

#include "import/sp_members.h"
#include "import/sp_xgboost_objective.h"

typedef enum SpXgbBooster
{
	SP_XGB_GBTREE,
	SP_XGB_DART,
	SP_XGB_GBLINEAR
} SpXgbBooster;

typedef struct SpXgbFloats
{
	float	   *at;
	size_t		count;
	size_t		capacity;
} SpXgbFloats;

typedef struct SpXgbIntegers
{
	uint32_t   *at;
	size_t		count;
	size_t		capacity;
} SpXgbIntegers;

/* A column of the data frame that the model was trained on. */
typedef struct SpXgbColumn
{
	bool		is_text;
	SpXgbIntegers offsets;		/* of the texts within values, and their end */
	double	   *values;			/* bytes of the texts, or the categories themselves */
	size_t		n_values;
	size_t		values_capacity;
} SpXgbColumn;

typedef struct SpXgboost
{
	SpContext  *cx;
	SpTokenFormat format;
	const void *bytes;
	size_t		size;

	/* facts of the first reading */
	uint32_t	version[3];
	bool		has_version;
	uint32_t	num_feature;
	uint32_t	num_class;
	uint32_t	num_target;
	float	   *base_score;
	size_t		n_base_score;
	size_t		base_score_capacity;
	const SpXgbObjective *objective;
	bool		has_trees;
	SpXgbBooster booster;
	bool		has_model;
	bool		is_inner;		/* the trees are those of a booster within the booster */
	SpXgbFloats weight_drop;	/* factors of the trees, or empty */
	bool		has_linear;
	SpXgbFloats linear;			/* weights of gblinear */
	uint32_t	num_trees;		/* as gbtree_model_param says */
	uint32_t	num_parallel_tree;	/* 0 if it does not say */
	int32_t    *iterations;		/* trees before each, or empty */
	size_t		n_iterations;
	size_t		iterations_capacity;
	bool		has_best_iteration;
	uint32_t	best_iteration;
	uint32_t	first_used;		/* of the trees that are imported */
	uint32_t	end_used;		/* after the last */
	int32_t    *tree_info;		/* output group of every tree */
	size_t		n_tree_info;
	size_t		tree_info_capacity;
	SpStr	   *types;			/* of the features, or NULL */
	size_t		n_types;
	size_t		types_capacity;
	SpStr	   *names;			/* of the features, or NULL */
	size_t		n_names;
	size_t		names_capacity;
	SpXgbColumn *columns;		/* num_feature, or none */
	size_t		n_columns;
	size_t		columns_capacity;
} SpXgboost;

/* One output per class, or per target. */
static inline uint32_t
sp_xgb_groups(const SpXgboost *xgb)
{
	return xgb->num_class > 1 ? xgb->num_class : xgb->num_target;
}

/* sp_xgboost_facts.c: the first reading. */
extern SpStatus sp_xgb_read_facts(SpXgboost *xgb);

/* sp_xgboost_booster.c: that of gradient_booster. */
extern SpStatus sp_xgb_read_booster(SpXgboost *xgb, SpTokens *tokens);

/* sp_xgboost_columns.c: categories of the data frame; of the model's features once they are there. */
extern SpStatus sp_xgb_read_columns(SpXgboost *xgb, SpTokens *tokens);
extern SpStatus sp_xgb_add_columns(const SpXgboost *xgb, SpBuilder *builder);

/* sp_xgboost_categories.c: categorical splits of one tree. */
typedef struct SpXgbCategories
{
	SpXgbIntegers split_type;	/* by node: 1 is categorical */
	SpXgbIntegers categories;
	SpXgbIntegers nodes;
	SpXgbIntegers segments;		/* where the categories of these nodes begin */
	SpXgbIntegers sizes;
	SpXgbIntegers first;		/* of each set, for the builder */
	uint32_t	n_sets;
} SpXgbCategories;

extern SpStatus sp_xgb_read_integers(SpContext *cx, SpTokens *tokens, const char *what, uint32_t max,
									 SpXgbIntegers *integers);
/* Make splits by sets of the nodes that are categorical. */
extern SpStatus sp_xgb_set_categories(SpContext *cx, SpXgbCategories *categories, SpNode *nodes,
									  uint32_t n_nodes);
/* Forget the sets of nodes that are not there any more; the others keep their order. */
extern void sp_xgb_drop_sets(SpXgbCategories *categories, SpNode *nodes, uint32_t n_nodes);

/* sp_xgboost_trees.c: the second reading, between trees_begin and trees_end. */
extern SpStatus sp_xgb_read_trees(SpXgboost *xgb, SpBuilder *builder);

#endif
