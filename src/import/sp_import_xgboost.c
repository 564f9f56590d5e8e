/*
 * src/import/sp_import_xgboost.c
 *
 * XGBoost models in JSON or UBJSON, as Booster.save_model writes them since
 * version 1.0 (xgboost src/learner.cc, src/gbm/gbtree_model.cc).
 *
 * Not read: the booster's training configuration, statistics of nodes.  All
 * trees count, as in Booster.predict, unless the caller asks for fewer.
 */
#include <stdio.h>
#include <string.h>

#include "import/sp_import.h"
#include "import/sp_xgboost_internal.h"

static SpStatus
sp_xgb_check_shape(const SpXgboost *xgb)
{
	SpContext  *cx = xgb->cx;
	bool		is_multi = xgb->objective->link == SP_XGB_SOFTMAX;

	if (xgb->num_feature == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "the model has no features: num_feature is 0");
	if (xgb->num_target > 1 && !sp_xgb_may_be_wide(xgb->objective))
		return sp_fail(cx, SP_ERR_UNSUPPORTED, "objective %s with several targets is not supported (num_target is %u)",
					   xgb->objective->name, xgb->num_target);
	if (sp_xgb_groups(xgb) > cx->limits.max_labels)
		return sp_fail_limit(cx, "max_labels", "%u outputs are more than the limit of %u classes", sp_xgb_groups(xgb),
							 cx->limits.max_labels);
	if (xgb->num_class > 1 && xgb->num_target > 1)
		return sp_fail(cx, SP_ERR_UNSUPPORTED, "XGBoost models with %u classes for each of %u targets are not supported",
					   xgb->num_class, xgb->num_target);
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
	if (xgb->n_types > 0 && xgb->n_types != xgb->num_feature)
		return sp_fail(cx, SP_ERR_FORMAT, "%zu feature types for %u features", xgb->n_types, xgb->num_feature);
	return SP_OK;
}

static SpStatus
sp_xgb_check_trees(const SpXgboost *xgb)
{
	SpContext  *cx = xgb->cx;
	size_t		i;

	if (xgb->weight_drop.count > 0 && xgb->weight_drop.count != xgb->n_tree_info)
		return sp_fail(cx, SP_ERR_FORMAT, "weight_drop has %zu numbers for %zu trees", xgb->weight_drop.count,
					   xgb->n_tree_info);
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

/* Margins that predictions start from; one number for all outputs is the form before 3.1. */
static SpStatus
sp_xgb_base(const SpXgboost *xgb, double **base)
{
	void	   *memory;
	uint32_t	i;

	SP_TRY(sp_alloc_array(xgb->cx, sp_xgb_groups(xgb), sizeof(double), &memory));
	*base = memory;
	for (i = 0; i < sp_xgb_groups(xgb); i++)
	{
		float		margin;

		SP_TRY(sp_xgb_margin(xgb->cx, xgb->objective, xgb->base_score[xgb->n_base_score > 1 ? i : 0],
							 &margin));
		(*base)[i] = margin;
	}
	return SP_OK;
}

static SpStatus
sp_xgb_add_trees(SpXgboost *xgb, SpBuilder *builder, uint32_t input, uint32_t *margin)
{
	SpTreesSpec spec = {.in = input, .aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F32, .accepts_missing = true};
	double	   *base;

	SP_TRY(sp_xgb_base(xgb, &base));
	spec.n_targets = sp_xgb_groups(xgb);
	spec.base = base;
	SP_TRY(sp_builder_trees_begin(builder, &spec));
	sp_free(xgb->cx, base);
	SP_TRY(sp_xgb_read_trees(xgb, builder));
	return sp_builder_trees_end(builder, margin);
}

/*
 * A linear booster: the weights of a feature side by side, those of the bias
 * last; missing features are left out of the sum, and every output starts from
 * the first base score (xgboost src/gbm/gblinear.cc, PredictBatchInternal).
 */
static SpStatus
sp_xgb_add_linear(SpXgboost *xgb, SpBuilder *builder, uint32_t input, uint32_t *margin)
{
	SpContext  *cx = xgb->cx;
	uint32_t	n_out = sp_xgb_groups(xgb);
	size_t		n_in = xgb->num_feature;
	double	   *base;
	double	   *weights;
	size_t		n_weights;
	void	   *memory;

	if (!sp_mul_size(n_in + 1, n_out, &n_weights) || xgb->linear.count != n_weights)
		return sp_fail(cx, SP_ERR_FORMAT, "weights has %zu numbers for %u features and %u outputs",
					   xgb->linear.count, xgb->num_feature, n_out);
	SP_TRY(sp_xgb_base(xgb, &base));
	SP_TRY(sp_alloc_array(cx, n_weights, sizeof(double), &memory));
	weights = memory;
	for (uint32_t out = n_out; out-- > 0;)
	{
		for (size_t in = 0; in < n_in; in++)
			weights[out * n_in + in] = xgb->linear.at[in * n_out + out];
		base[out] = xgb->linear.at[n_in * n_out + out] + (float) base[0];
	}
	SP_TRY(sp_builder_map(builder, input, SP_MAP_NAN_ZERO, &input));
	SP_TRY(sp_builder_linear(builder, input, n_out, weights, base, margin));
	sp_free(cx, weights);
	sp_free(cx, base);
	return SP_OK;
}

/* Trees before iteration n. */
static SpStatus
sp_xgb_trees_before(const SpXgboost *xgb, uint64_t n, uint32_t *n_trees)
{
	SpContext  *cx = xgb->cx;
	uint64_t	per_iteration = (uint64_t) xgb->num_parallel_tree * sp_xgb_groups(xgb);
	uint64_t	n_iterations;

	if (xgb->n_iterations > 0)
		n_iterations = xgb->n_iterations - 1;
	else if (per_iteration > 0)
		n_iterations = xgb->num_trees / per_iteration;
	else
	{
		sp_fail(cx, SP_ERR_UNSUPPORTED, "the file does not say which trees are of one iteration");
		return sp_fail_hint(cx, "Load the model in XGBoost 2.0 or later and save it again with save_model.");
	}
	if (n > n_iterations)
		return sp_fail(cx, SP_ERR_VALUE, "the model has %llu iterations, fewer than %llu",
					   (unsigned long long) n_iterations, (unsigned long long) n);
	*n_trees = xgb->n_iterations > 0 ? (uint32_t) xgb->iterations[n] : (uint32_t) (n * per_iteration);
	if (*n_trees > xgb->num_trees)
		return sp_fail(cx, SP_ERR_FORMAT, "iteration %llu ends with tree %u of %u", (unsigned long long) n,
					   *n_trees, xgb->num_trees);
	return SP_OK;
}

/* As iteration_range of Booster.predict: from the first iteration to before the end, 0 for all. */
static SpStatus
sp_xgb_choose_trees(SpXgboost *xgb, const SpOverrides *overrides)
{
	SpContext  *cx = xgb->cx;
	uint64_t	first = overrides ? overrides->first_iteration : 0;
	uint64_t	n = overrides ? overrides->n_iterations : 0;

	xgb->first_used = 0;
	xgb->end_used = xgb->num_trees;
	if (overrides && overrides->best_iteration)
	{
		if (!xgb->has_best_iteration)
			return sp_fail(cx, SP_ERR_VALUE, "the model was trained without early stopping: it has no best iteration");
		if (first > 0 || n > 0)
			return sp_fail(cx, SP_ERR_VALUE, "the best iteration and a number of iterations cannot both be asked for");
		n = (uint64_t) xgb->best_iteration + 1;
	}
	if (first == 0 && n == 0)
		return SP_OK;
	if (xgb->booster == SP_XGB_GBLINEAR)
		return sp_fail(cx, SP_ERR_VALUE, "a linear booster has no iterations to choose from");
	SP_TRY(sp_xgb_trees_before(xgb, first, &xgb->first_used));
	if (n > 0)
		SP_TRY(sp_xgb_trees_before(xgb, first + n, &xgb->end_used));
	if (xgb->first_used >= xgb->end_used)
		return sp_fail(cx, SP_ERR_VALUE, "the model has no trees from iteration %llu on", (unsigned long long) first);
	return SP_OK;
}

static SpStatus
sp_xgb_build(SpXgboost *xgb, const SpOverrides *overrides, SpModel **model)
{
	SpBuilder  *builder;
	SpTask		task = xgb->num_target > 1 ? SP_TASK_REGRESSION : xgb->objective->task;
	uint32_t	input;
	uint32_t	margin;
	uint32_t	n_classes = xgb->objective->link == SP_XGB_SOFTMAX ? xgb->num_class : 2;

	SP_TRY(sp_builder_new(xgb->cx, &builder));

	/* missing values follow each split's default direction; infinity is refused by DMatrix */
	SP_TRY(sp_builder_task(builder, task, false));
	SP_TRY(sp_xgb_origin(xgb, builder));
	SP_TRY(sp_builder_input(builder, SP_TYPE_F32, xgb->num_feature, xgb->names, &input));
	for (size_t at = 0; at < xgb->n_types; at++)
		SP_TRY(sp_builder_source_type(builder, (uint32_t) at, xgb->types[at], sp_str_is(xgb->types[at], "c")));
	SP_TRY(sp_xgb_add_columns(xgb, builder));
	if (xgb->booster == SP_XGB_GBLINEAR)
		SP_TRY(sp_xgb_add_linear(xgb, builder, input, &margin));
	else
		SP_TRY(sp_xgb_add_trees(xgb, builder, input, &margin));
	SP_TRY(sp_xgb_outputs(xgb->cx, builder, xgb->objective, task, margin, n_classes));
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
	if (xgb.num_target == 0)
		xgb.num_target = 1;
	SP_TRY(sp_xgb_check_shape(&xgb));
	if (xgb.booster != SP_XGB_GBLINEAR)
		SP_TRY(sp_xgb_check_trees(&xgb));
	SP_TRY(sp_xgb_choose_trees(&xgb, overrides));
	return sp_xgb_build(&xgb, overrides, model);
}
