/*
 * src/import/sp_import_xgboost.c
 *
 * XGBoost models in JSON or UBJSON, as Booster.save_model writes them since
 * version 1.6 (xgboost src/learner.cc, src/gbm/gbtree_model.cc).
 *
 * Not read: the booster's training configuration, attributes (so early
 * stopping's best_iteration too: all trees count, as in Booster.predict),
 * statistics of nodes.
 */
#include <stdio.h>
#include <string.h>

#include "import/sp_import.h"
#include "import/sp_xgboost_internal.h"

static SpStatus
sp_xgb_check_version(const SpXgboost *xgb)
{
	SpContext  *cx = xgb->cx;

	if (!xgb->has_version || xgb->version[0] > 1 || (xgb->version[0] == 1 && xgb->version[1] >= 6))
		return SP_OK;
	sp_fail(cx, SP_ERR_UNSUPPORTED, "model files of XGBoost %u.%u are not supported",
			xgb->version[0], xgb->version[1]);
	return sp_fail_hint(cx, "Load the model in XGBoost 1.6 or later and save it again with save_model.");
}

static SpStatus
sp_xgb_check_shape(const SpXgboost *xgb)
{
	SpContext  *cx = xgb->cx;
	bool		is_multi = xgb->objective->link == SP_XGB_SOFTMAX;

	if (xgb->num_feature == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "the model has no features: num_feature is 0");
	if (xgb->num_target > 1)
	{
		sp_fail(cx, SP_ERR_UNSUPPORTED, "XGBoost models with several targets are not supported (num_target is %u)",
				xgb->num_target);
		return sp_fail_hint(cx, "Train one model for each target, quantile or expectile.");
	}
	if (xgb->num_class > cx->limits.max_labels)
		return sp_fail(cx, SP_ERR_LIMIT, "num_class is %u, the limit of labels is %u",
					   xgb->num_class, cx->limits.max_labels);
	if (is_multi && xgb->num_class < 2)
		return sp_fail(cx, SP_ERR_FORMAT, "objective %s needs at least 2 classes, num_class is %u",
					   xgb->objective->name, xgb->num_class);
	if (!is_multi && xgb->num_class > 1)
		return sp_fail(cx, SP_ERR_UNSUPPORTED, "objective %s with %u classes is not supported",
					   xgb->objective->name, xgb->num_class);
	if (xgb->n_base_score != 1 && xgb->n_base_score != sp_xgb_groups(xgb))
		return sp_fail(cx, SP_ERR_FORMAT, "base_score has %zu numbers for %u outputs",
					   xgb->n_base_score, sp_xgb_groups(xgb));
	if (xgb->names && xgb->n_names != xgb->num_feature)
		return sp_fail(cx, SP_ERR_FORMAT, "%zu feature names for %u features",
					   xgb->n_names, xgb->num_feature);
	return SP_OK;
}

static SpStatus
sp_xgb_check_trees(const SpXgboost *xgb)
{
	SpContext  *cx = xgb->cx;
	size_t		i;

	if (xgb->has_dropout)
		return sp_fail(cx, SP_ERR_UNSUPPORTED, "XGBoost models with dropout (booster dart) are not supported");
	if (xgb->num_trees == 0 || xgb->n_tree_info == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "the model has no trees");
	if (xgb->n_tree_info != xgb->num_trees)
		return sp_fail(cx, SP_ERR_FORMAT, "tree_info has %zu entries, num_trees is %u",
					   xgb->n_tree_info, xgb->num_trees);
	for (i = 0; i < xgb->n_tree_info; i++)
	{
		if (xgb->tree_info[i] < 0 || (uint32_t) xgb->tree_info[i] >= sp_xgb_groups(xgb))
			return sp_fail(cx, SP_ERR_FORMAT, "tree %zu belongs to output %d of %u",
						   i, xgb->tree_info[i], sp_xgb_groups(xgb));
	}
	return SP_OK;
}

static SpStatus
sp_xgb_origin(const SpXgboost *xgb, SpBuilder *builder)
{
	char		producer[64] = "xgboost";
	SpStr		objective = {xgb->objective->name, strlen(xgb->objective->name)};

	if (xgb->has_version)
		snprintf(producer, sizeof(producer), "xgboost %u.%u.%u",
				 xgb->version[0], xgb->version[1], xgb->version[2]);
	return sp_builder_origin(builder, (SpStr) {producer, strlen(producer)}, objective);
}

static SpStatus
sp_xgb_begin_trees(const SpXgboost *xgb, SpBuilder *builder, uint32_t input)
{
	SpContext  *cx = xgb->cx;
	SpTreesSpec spec = {0};
	void	   *memory;
	double	   *base;
	uint32_t	i;

	SP_TRY(sp_alloc_array(cx, sp_xgb_groups(xgb), sizeof(double), &memory));
	base = memory;
	for (i = 0; i < sp_xgb_groups(xgb); i++)
	{
		float		margin;

		/* one number for all classes is the form before 3.1 */
		SP_TRY(sp_xgb_margin(cx, xgb->objective, xgb->base_score[xgb->n_base_score > 1 ? i : 0],
							 &margin));
		base[i] = margin;
	}
	spec.in = input;
	spec.aggregate = SP_AGGREGATE_SUM;
	spec.sum_type = SP_TYPE_F32;
	spec.base_last = false;
	spec.n_targets = sp_xgb_groups(xgb);
	spec.base = base;
	SP_TRY(sp_builder_trees_begin(builder, &spec));
	sp_free(cx, base);
	return SP_OK;
}

static SpStatus
sp_xgb_build(SpXgboost *xgb, const SpOverrides *overrides, SpModel **model)
{
	SpBuilder  *builder;
	uint32_t	input;
	uint32_t	margin;
	uint32_t	n_classes = xgb->objective->link == SP_XGB_SOFTMAX ? xgb->num_class : 2;

	SP_TRY(sp_builder_new(xgb->cx, &builder));

	/* missing values follow each split's default direction; infinity is refused by DMatrix */
	SP_TRY(sp_builder_task(builder, xgb->objective->task, true, false));
	SP_TRY(sp_xgb_origin(xgb, builder));
	SP_TRY(sp_builder_input(builder, SP_TYPE_F32, xgb->num_feature, xgb->names, &input));
	SP_TRY(sp_xgb_begin_trees(xgb, builder, input));
	SP_TRY(sp_xgb_read_trees(xgb, builder));
	SP_TRY(sp_builder_trees_end(builder, &margin));
	SP_TRY(sp_xgb_outputs(xgb->cx, builder, xgb->objective, margin, n_classes));
	return sp_builder_finish(builder, overrides, model);
}

SpStatus
sp_import_xgboost(SpContext *cx, SpFormat format, const void *bytes, size_t size,
				  const SpOverrides *overrides, SpModel **model)
{
	SpXgboost	xgb = {0};

	xgb.cx = cx;
	xgb.format = format == SP_FORMAT_XGBOOST_UBJ ? SP_TOKENS_UBJSON : SP_TOKENS_JSON;
	xgb.bytes = bytes;
	xgb.size = size;
	xgb.num_target = 1;
	SP_TRY(sp_xgb_read_facts(&xgb));
	SP_TRY(sp_xgb_check_version(&xgb));
	SP_TRY(sp_xgb_check_shape(&xgb));
	SP_TRY(sp_xgb_check_trees(&xgb));
	return sp_xgb_build(&xgb, overrides, model);
}
