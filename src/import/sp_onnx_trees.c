/*
 * src/import/sp_onnx_trees.c
 *
 * TreeEnsembleClassifier and TreeEnsembleRegressor of ai.onnx.ml, versions 1
 * to 3, and TreeEnsemble of version 5.
 *
 * ONNX Runtime (tree_ensemble_common.h, tree_ensemble_aggregator.h in
 * onnxruntime/core/providers/cpu/ml) compares and sums in double for a double
 * input, else in float (integers are rounded to float in the comparison), and
 * adds base_values last.  Its rules for the label of two classes are odd; what
 * they make of files that no converter writes is refused here rather than
 * imitated.
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_ensemble.h"

/* The input as a type that trees read, and the type of sums. */
static SpStatus
sp_onnx_trees_input(SpOnnxEnsemble *ensemble, SpTreesSpec *spec)
{
	SpOnnx	   *onnx = ensemble->onnx;
	SpType		type;
	uint32_t	i;

	SP_TRY(sp_onnx_input_numbers(onnx, ensemble->node, &spec->in));
	type = sp_builder_value(onnx->builder, spec->in).type;
	if (type == SP_TYPE_I64)
		SP_TRY(sp_onnx_cast(onnx, spec->in, SP_TYPE_F32, &spec->in));

	/* an integer cannot be missing */
	for (i = 0; type != SP_TYPE_I64 && ensemble->tracks && i < ensemble->n_nodes; i++)
		spec->accepts_missing = spec->accepts_missing || ensemble->tracks[i] == 1;
	spec->sum_type = type == SP_TYPE_F64 ? SP_TYPE_F64 : SP_TYPE_F32;
	spec->base_last = true;
	spec->aggregate = SP_AGGREGATE_SUM;
	return SP_OK;
}

static bool
sp_onnx_weights_are_positive(const SpOnnxEnsemble *ensemble)
{
	uint32_t	i;

	for (i = 0; i < ensemble->n_weights; i++)
	{
		if (ensemble->weights[i] < 0)
			return false;
	}
	return true;
}

/* Do all weights belong to one output? */
static bool
sp_onnx_weights_are_for(const SpOnnxEnsemble *ensemble, int64_t target)
{
	uint32_t	i;

	for (i = 0; i < ensemble->n_weights; i++)
	{
		if (ensemble->weight_targets[i] != target)
			return false;
	}
	return true;
}

/* Has every leaf a weight for both classes, one the other with its sign turned? */
static bool
sp_onnx_weights_are_mirrored(const SpOnnxEnsemble *ensemble)
{
	uint32_t	node;

	for (node = 0; node < ensemble->n_nodes; node++)
	{
		const uint32_t *pair = ensemble->by_leaf + ensemble->first_weight[node];
		uint32_t	count = ensemble->first_weight[node + 1] - ensemble->first_weight[node];

		if (ensemble->modes[node] != SP_ONNX_LEAF)
			continue;
		if (count != 2 || ensemble->weight_targets[pair[0]] != 0 || ensemble->weight_targets[pair[1]] != 1 ||
			ensemble->weights[pair[0]] != -ensemble->weights[pair[1]])
			return false;
	}
	return true;
}

/*
 * Two classes.  Converters of scikit-learn, XGBoost and LightGBM give weights
 * to class 0 only, meaning class 1; CatBoost gives both, mirrored.
 */
static SpStatus
sp_onnx_two_classes(SpOnnxEnsemble *ensemble, SpTreesSpec *spec, SpOnnxPost post)
{
	SpOnnx	   *onnx = ensemble->onnx;
	bool		is_single = sp_onnx_weights_are_for(ensemble, 0);
	bool		is_mirrored = !is_single && ensemble->n_base == 0 &&
		(post == SP_ONNX_POST_LOGISTIC || post == SP_ONNX_POST_NONE) &&
		sp_onnx_weights_are_mirrored(ensemble);
	bool		is_positive = is_single && sp_onnx_weights_are_positive(ensemble);
	uint32_t	score;

	if (!is_single && !is_mirrored)
		return sp_onnx_fail(onnx, ensemble->node, SP_ERR_UNSUPPORTED, "two classes with separate weights are not supported");
	if (ensemble->n_base > 1)
		return sp_onnx_fail(onnx, ensemble->node, SP_ERR_UNSUPPORTED, "two classes with %zu base_values are not supported",
							ensemble->n_base);
	spec->n_targets = 1;
	spec->base = ensemble->n_base == 1 ? ensemble->base : NULL;
	SP_TRY(sp_ensemble_build(ensemble, spec, is_mirrored ? 1 : 0, is_mirrored, &score));
	return sp_onnx_classify_binary(onnx, ensemble->node, score, is_positive ? 0.5 : 0.0, post, is_positive);
}

/*
 * ONNX Runtime takes the label only from classes that got a weight on the
 * row's way.  That is the largest score if every class gets one from some
 * tree whatever the way, or if some tree gives a positive one to some class
 * while none is negative.
 */
static SpStatus
sp_onnx_all_scored(SpOnnxEnsemble *ensemble, uint32_t n_classes, bool *all_scored)
{
	SpContext  *cx = ensemble->onnx->cx;
	uint32_t	n_always = 0;
	bool		is_positive = sp_onnx_weights_are_positive(ensemble);
	void	   *memory;
	uint32_t   *counts;
	uint32_t   *trees;
	uint32_t	tree;

	/* per class: leaves of the current tree with a weight for it, and that tree + 1; n_trees + 1: always */
	SP_TRY(sp_alloc_array(cx, n_classes, sizeof(uint32_t), &memory));
	counts = memory;
	SP_TRY(sp_alloc_array(cx, n_classes, sizeof(uint32_t), &memory));
	trees = memory;
	*all_scored = false;
	for (tree = 0; tree < ensemble->n_trees && !*all_scored; tree++)
	{
		uint32_t	from = ensemble->first[tree];
		uint32_t	to = ensemble->first[tree + 1];
		uint32_t	n_leaves = 0;
		uint32_t	n_positive = 0;
		uint32_t	node;
		uint32_t	at;

		for (node = from; node < to; node++)
		{
			bool		has_positive = false;

			if (ensemble->modes[node] != SP_ONNX_LEAF)
				continue;
			n_leaves++;
			for (at = ensemble->first_weight[node]; at < ensemble->first_weight[node + 1]; at++)
			{
				int64_t		target = ensemble->weight_targets[ensemble->by_leaf[at]];

				has_positive = has_positive || ensemble->weights[ensemble->by_leaf[at]] > 0;
				if (target < 0 || target >= n_classes || trees[target] == ensemble->n_trees + 1)
					continue;
				counts[target] = trees[target] == tree + 1 ? counts[target] + 1 : 1;
				trees[target] = tree + 1;
			}
			n_positive += has_positive;
		}
		for (at = ensemble->first_weight[from]; at < ensemble->first_weight[to]; at++)
		{
			int64_t		target = ensemble->weight_targets[ensemble->by_leaf[at]];

			if (target < 0 || target >= n_classes || trees[target] != tree + 1 || counts[target] != n_leaves)
				continue;
			trees[target] = ensemble->n_trees + 1;
			n_always++;
		}
		*all_scored = n_always == n_classes || (is_positive && n_positive == n_leaves);
	}
	sp_free(cx, counts);
	sp_free(cx, trees);
	return SP_OK;
}

static bool
sp_onnx_base_is_zero(const SpOnnxEnsemble *ensemble)
{
	for (size_t at = 0; at < ensemble->n_base; at++)
		if (ensemble->base[at] != 0)
			return false;
	return true;
}

static SpStatus
sp_onnx_many_classes(SpOnnxEnsemble *ensemble, SpTreesSpec *spec, SpOnnxPost post)
{
	SpOnnx	   *onnx = ensemble->onnx;
	bool		all_scored;
	uint32_t	scores;

	/* ONNX Runtime ignores what does not fit; of zeros nothing is lost */
	if (sp_onnx_base_is_zero(ensemble) && ensemble->n_base != onnx->n_labels)
		ensemble->n_base = 0;
	all_scored = ensemble->n_base > 0;
	if (ensemble->n_base != 0 && ensemble->n_base != onnx->n_labels)
		return sp_onnx_fail(onnx, ensemble->node, SP_ERR_FORMAT, "%zu base_values for %u classes",
							ensemble->n_base, onnx->n_labels);
	if (!all_scored)
		SP_TRY(sp_onnx_all_scored(ensemble, onnx->n_labels, &all_scored));
	if (!all_scored)
		return sp_onnx_fail(onnx, ensemble->node, SP_ERR_UNSUPPORTED, "classes without weights on some paths are not supported");
	spec->n_targets = onnx->n_labels;
	spec->base = ensemble->n_base > 0 ? ensemble->base : NULL;
	SP_TRY(sp_ensemble_build(ensemble, spec, 0, false, &scores));
	return sp_onnx_classify(onnx, ensemble->node, scores, post,
							sp_onnx_weights_are_positive(ensemble) && ensemble->n_base == 0);
}

SpStatus
sp_onnx_tree_classifier(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxEnsemble ensemble;
	SpTreesSpec spec = {0};
	SpOnnxPost	post = SP_ONNX_POST_NONE;

	SP_TRY(sp_onnx_labels(onnx, node, "classlabels_int64s"));
	SP_TRY(sp_onnx_post_transform(onnx, node, &post));
	SP_TRY(sp_ensemble_read(&ensemble, onnx, node, "class"));
	SP_TRY(sp_ensemble_index(&ensemble));
	SP_TRY(sp_onnx_trees_input(&ensemble, &spec));
	if (onnx->n_labels == 2)
		return sp_onnx_two_classes(&ensemble, &spec, post);
	return sp_onnx_many_classes(&ensemble, &spec, post);
}

static SpStatus
sp_onnx_aggregate(SpOnnx *onnx, const SpOnnx__NodeProto *node, SpAggregate *aggregate)
{
	SpStr		text;

	SP_TRY(sp_onnx_attribute_text(onnx, node, "aggregate_function", "SUM", &text));
	if (sp_str_is(text, "SUM"))
		*aggregate = SP_AGGREGATE_SUM;
	else if (sp_str_is(text, "AVERAGE"))
		*aggregate = SP_AGGREGATE_AVERAGE;
	else if (sp_str_is(text, "MIN"))
		*aggregate = SP_AGGREGATE_MIN;
	else if (sp_str_is(text, "MAX"))
		*aggregate = SP_AGGREGATE_MAX;
	else
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "the aggregate_function is not SUM, AVERAGE, MIN or MAX");
	return SP_OK;
}

/* Without a weight, ONNX Runtime would take the leaf's threshold for one. */
static SpStatus
sp_onnx_leaves_have_weights(SpOnnxEnsemble *ensemble)
{
	uint32_t	node;

	for (node = 0; node < ensemble->n_nodes; node++)
	{
		if (ensemble->modes[node] == SP_ONNX_LEAF &&
			ensemble->first_weight[node] == ensemble->first_weight[node + 1])
			return sp_onnx_fail(ensemble->onnx, ensemble->node, SP_ERR_FORMAT, "leaf %lld of tree %lld has no weight",
								(long long) ensemble->node_ids[node], (long long) ensemble->tree_ids[node]);
	}
	return SP_OK;
}

/* What both regressors do with trees that are read; they give numbers of the type. */
static SpStatus
sp_onnx_regress_trees(SpOnnxEnsemble *ensemble, SpAggregate aggregate, SpOnnxPost post, bool gives_double)
{
	SpOnnx	   *onnx = ensemble->onnx;
	const SpOnnx__NodeProto *node = ensemble->node;
	SpTreesSpec spec = {0};
	int64_t		n_targets;
	uint32_t	score;

	SP_TRY(sp_onnx_attribute_int(onnx, node, "n_targets", 0, &n_targets));
	if (n_targets < 1 || n_targets > onnx->cx->limits.max_labels)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "%lld targets are not supported",
							(long long) n_targets);
	SP_TRY(sp_ensemble_index(ensemble));
	SP_TRY(sp_onnx_leaves_have_weights(ensemble));
	SP_TRY(sp_onnx_trees_input(ensemble, &spec));
	if (ensemble->n_base != 0 && ensemble->n_base != (size_t) n_targets)
		return sp_onnx_fail(onnx, node, SP_ERR_FORMAT, "%zu base_values for %lld targets", ensemble->n_base, (long long) n_targets);
	if (n_targets > 1 && aggregate != SP_AGGREGATE_SUM && aggregate != SP_AGGREGATE_AVERAGE)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "the smallest or largest of several targets is not supported");
	spec.aggregate = aggregate;
	spec.n_targets = (uint32_t) n_targets;
	spec.base = ensemble->n_base > 0 ? ensemble->base : NULL;
	SP_TRY(sp_ensemble_build(ensemble, &spec, 0, false, &score));
	return sp_onnx_regress(onnx, node, score, post, gives_double ? spec.sum_type : SP_TYPE_F32);
}

SpStatus
sp_onnx_tree_regressor(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpOnnxEnsemble ensemble;
	SpAggregate aggregate = SP_AGGREGATE_SUM;
	SpOnnxPost	post = SP_ONNX_POST_NONE;

	SP_TRY(sp_onnx_post_transform(onnx, node, &post));
	SP_TRY(sp_onnx_aggregate(onnx, node, &aggregate));
	SP_TRY(sp_ensemble_read(&ensemble, onnx, node, "target"));
	return sp_onnx_regress_trees(&ensemble, aggregate, post, false);
}

/*
 * Enumerations as numbers, those of the specification (ONNX Runtime 1.32 takes
 * SOFTMAX and LOGISTIC for each other); the result has the type of the input.
 */
SpStatus
sp_onnx_tree_ensemble(SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	static const SpAggregate aggregates[] = {SP_AGGREGATE_AVERAGE, SP_AGGREGATE_SUM, SP_AGGREGATE_MIN, SP_AGGREGATE_MAX};
	static const SpOnnxPost posts[] = {
		SP_ONNX_POST_NONE, SP_ONNX_POST_SOFTMAX, SP_ONNX_POST_LOGISTIC, SP_ONNX_POST_SOFTMAX_ZERO, SP_ONNX_POST_PROBIT
	};
	SpOnnxEnsemble ensemble;
	int64_t		aggregate;
	int64_t		post;

	SP_TRY(sp_onnx_attribute_int(onnx, node, "aggregate_function", 1, &aggregate));
	SP_TRY(sp_onnx_attribute_int(onnx, node, "post_transform", 0, &post));
	if (aggregate < 0 || aggregate > 3 || post < 0 || post > 4)
		return sp_onnx_fail(onnx, node, SP_ERR_UNSUPPORTED, "aggregate_function %lld with post_transform %lld is not supported",
							(long long) aggregate, (long long) post);
	SP_TRY(sp_ensemble_read_flat(&ensemble, onnx, node));
	return sp_onnx_regress_trees(&ensemble, aggregates[aggregate], posts[post], true);
}
