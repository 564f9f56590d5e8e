/*
 * src/import/sp_catboost_internal.h
 *
 * What the files of the CatBoost importer share.
 */
#ifndef SP_CATBOOST_INTERNAL_H
#define SP_CATBOOST_INTERNAL_H

#include "ir/sp_builder.h"

typedef enum SpCatLink
{
	SP_CAT_IDENTITY,
	SP_CAT_EXP,
	SP_CAT_SIGMOID,
	SP_CAT_SOFTMAX,
	SP_CAT_ONE_VS_ALL
} SpCatLink;

typedef struct SpCatLoss
{
	const char *name;
	SpTask		task;
	SpCatLink	link;
} SpCatLoss;

typedef struct SpCatboost
{
	SpContext  *cx;
	const void *bytes;
	size_t		size;
	size_t		n_features;
	SpStr	   *names;
	size_t		names_capacity;
	bool		has_names;		/* no name is empty */
	uint8_t    *missing_right;	/* by feature: a NaN is above every border */
	size_t		missing_capacity;
	const SpCatLoss *loss;
	SpStr	   *labels;
	size_t		n_labels;
	size_t		labels_capacity;
	bool		has_text_label;
	double	   *bias;
	size_t		bias_capacity;
	uint32_t	n_targets;		/* biases */
} SpCatboost;

/* sp_catboost_facts.c: everything but the trees, and the steps after them. */
extern SpStatus sp_cat_read_facts(SpCatboost *cat);
extern SpStatus sp_cat_outputs(SpCatboost *cat, SpBuilder *builder, uint32_t sum);

#endif
