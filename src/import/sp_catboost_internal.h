/*
 * src/import/sp_catboost_internal.h
 *
 * What the files of the CatBoost importer share.
 */
#ifndef SP_CATBOOST_INTERNAL_H
#define SP_CATBOOST_INTERNAL_H

#include "base/sp_tokens.h"
#include "ir/sp_builder.h"

typedef enum SpCatLink
{
	SP_CAT_IDENTITY,
	SP_CAT_EXP,
	SP_CAT_SIGMOID,
	SP_CAT_SOFTMAX,
	SP_CAT_ONE_VS_ALL,
	SP_CAT_UNCERTAINTY			/* a mean, and the logarithm of a standard deviation made a variance */
} SpCatLink;

typedef struct SpCatLoss
{
	const char *name;
	SpTask		task;
	SpCatLink	link;
} SpCatLoss;

/* Hashes of categories, from 0 to UINT32_MAX. */
typedef struct SpCatHashes
{
	int64_t    *at;
	uint32_t	n;
	size_t		capacity;
} SpCatHashes;

typedef struct SpCatFeature
{
	bool		is_category;
	uint32_t	flat;			/* its place among all features */
	SpStr		name;
	bool		missing_right;	/* a NaN is above every border */
	SpCatHashes hashes;			/* of a category: those that splits ask for; sorted once the model has them */
} SpCatFeature;

typedef struct SpCatboost
{
	SpContext  *cx;
	const void *bytes;
	size_t		size;
	size_t		n_features;
	SpCatFeature *features;		/* as in the file: one kind after the other */
	size_t		features_capacity;
	uint32_t	first[2];		/* float and categorical features among them */
	uint32_t	count[2];
	SpCatHashes table;			/* of all categories of all features, or none */
	SpStr	   *names;			/* by place */
	bool		has_names;		/* no name is empty */
	const SpCatLoss *loss;
	char		producer[32];	/* with the version, if the file has it */
	SpStr	   *labels;
	size_t		n_labels;
	size_t		labels_capacity;
	bool		has_text_label;
	double	   *bias;
	size_t		bias_capacity;
	uint32_t	n_targets;		/* biases */
	double		scale;
	bool		is_nested;		/* trees are objects within objects, not oblivious */
} SpCatboost;

/* CatBoost's own limit of the depth. */
#define SP_CAT_MAX_DEPTH 16

/* x > border, or x is the category */
typedef struct SpCatSplit
{
	const SpCatFeature *feature;
	float		border;
	uint32_t	place;			/* of the category in the feature's list */
} SpCatSplit;

/* A node whose object has begun. */
typedef struct SpCatOpen
{
	uint32_t	node;
	uint32_t	seen;			/* its members so far */
} SpCatOpen;

/* Reading trees; arrays keep their memory from tree to tree. */
typedef struct SpCatTrees
{
	SpCatboost *cat;
	SpTokens   *tokens;
	SpBuilder  *builder;
	uint32_t	tree;
	uint32_t	depth;
	SpCatSplit	splits[SP_CAT_MAX_DEPTH];	/* of an oblivious tree */
	SpNode	   *nodes;
	size_t		nodes_capacity;
	uint32_t	n_nodes;
	SpLeafWeight *weights;
	size_t		weights_capacity;
	uint32_t	n_weights;
	SpCatOpen  *open;			/* of a nested tree: the path to the node that is read */
	size_t		n_open;
	size_t		open_capacity;
	/* sets of one category for each split by category */
	uint32_t   *categories;
	size_t		categories_capacity;
	uint32_t   *first_category;
	size_t		first_capacity;
} SpCatTrees;

/* sp_catboost_facts.c: everything but the trees, and the steps after them. */
extern SpStatus sp_cat_read_facts(SpCatboost *cat);
extern SpStatus sp_cat_outputs(SpCatboost *cat, SpBuilder *builder, uint32_t sum);

/* sp_catboost_features.c; lists are sorted, and hashes found, once the model has its categories */
extern SpStatus sp_cat_read_features(SpCatboost *cat, SpTokens *tokens);
extern SpStatus sp_cat_add_categories(SpCatboost *cat, SpBuilder *builder);
extern SpStatus sp_cat_find_feature(const SpCatboost *cat, bool is_category, int64_t index,
									const SpCatFeature **feature);
extern SpStatus sp_cat_find_hash(const SpCatboost *cat, const SpCatFeature *feature, int64_t value, uint32_t *place);

/* sp_import_catboost.c: the split that starts with this token; one leaf's values, or those of all leaves */
extern SpStatus sp_cat_read_split(SpCatTrees *trees, const SpToken *start, SpCatSplit *split);
extern SpStatus sp_cat_read_values(SpCatTrees *trees, const char *what);
extern SpNode sp_cat_node(const SpCatSplit *split, uint32_t left, uint32_t right);

/* sp_catboost_nested.c: the rest of a tree whose object has begun, into nodes and weights. */
extern SpStatus sp_cat_read_nested(SpCatTrees *trees);

#endif
