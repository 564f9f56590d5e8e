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
	bool		has_dropout;	/* a tree's weight is not 1 */
	uint32_t	num_trees;		/* as gbtree_model_param says */
	int32_t    *tree_info;		/* output group of every tree */
	size_t		n_tree_info;
	size_t		tree_info_capacity;
	SpStr	   *names;			/* of the features, or NULL */
	size_t		n_names;
	size_t		names_capacity;
} SpXgboost;

/* One output per class, or one. */
static inline uint32_t
sp_xgb_groups(const SpXgboost *xgb)
{
	return xgb->num_class > 1 ? xgb->num_class : 1;
}

/* sp_xgboost_facts.c: the first reading. */
extern SpStatus sp_xgb_read_facts(SpXgboost *xgb);

/* sp_xgboost_trees.c: the second reading, between trees_begin and trees_end. */
extern SpStatus sp_xgb_read_trees(SpXgboost *xgb, SpBuilder *builder);

#endif
