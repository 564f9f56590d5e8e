/*
 * src/import/sp_catboost_facts.c
 *
 * A CatBoost JSON model but for its features and trees: loss, labels, bias.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/sp_catboost_internal.h"
#include "import/sp_class_labels.h"
#include "import/sp_members.h"

/* What predict() of the source gives by default, by loss function. */
static const SpCatLoss sp_cat_losses[] = {
	{"RMSE", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"MAE", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"MAPE", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"Quantile", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"LogLinQuantile", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"GroupQuantile", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"Expectile", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"Huber", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"LogCosh", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"Lq", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"MultiRMSE", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"MultiRMSEWithMissingValues", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"MultiQuantile", SP_TASK_REGRESSION, SP_CAT_IDENTITY},
	{"RMSEWithUncertainty", SP_TASK_REGRESSION, SP_CAT_UNCERTAINTY},
	{"Poisson", SP_TASK_REGRESSION, SP_CAT_EXP},
	{"Tweedie", SP_TASK_REGRESSION, SP_CAT_EXP},
	/* several labels of a row are probabilities side by side */
	{"MultiLogloss", SP_TASK_REGRESSION, SP_CAT_SIGMOID},
	{"MultiCrossEntropy", SP_TASK_REGRESSION, SP_CAT_SIGMOID},
	{"Cox", SP_TASK_SURVIVAL, SP_CAT_IDENTITY},
	{"SurvivalAft", SP_TASK_SURVIVAL, SP_CAT_IDENTITY},
	{"QueryRMSE", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"QuerySoftMax", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"QueryCrossEntropy", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"YetiRank", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"YetiRankPairwise", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"PairLogit", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"PairLogitPairwise", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"LambdaMart", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"StochasticFilter", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"StochasticRank", SP_TASK_RANKING, SP_CAT_IDENTITY},
	{"Logloss", SP_TASK_CLASSIFICATION, SP_CAT_SIGMOID},
	{"CrossEntropy", SP_TASK_CLASSIFICATION, SP_CAT_SIGMOID},
	{"Focal", SP_TASK_CLASSIFICATION, SP_CAT_SIGMOID},
	{"MultiClass", SP_TASK_CLASSIFICATION, SP_CAT_SOFTMAX},
	{"MultiClassOneVsAll", SP_TASK_CLASSIFICATION, SP_CAT_ONE_VS_ALL},
};

static SpStatus
sp_cat_read_labels(SpCatboost *cat, SpTokens *tokens)
{
	static const char *const names[] = {"class_names", NULL};
	SpContext  *cx = cat->cx;
	SpMembers	members;
	SpToken		token;
	int			which;

	SP_TRY(sp_members_open(&members, cx, tokens, "class_params", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return SP_OK;
		SP_TRY(sp_array_open(cx, tokens, "class_names"));
		for (;;)
		{
			SpStr		text;
			const char *copy;

			SP_TRY(sp_tokens_next(tokens, &token));
			if (token.kind == SP_TOKEN_ARRAY_END)
				break;
			text = token.text;
			/* truth values are the classes 0 and 1, as for every other library */
			if (token.kind == SP_TOKEN_TRUE || token.kind == SP_TOKEN_FALSE)
				text = token.kind == SP_TOKEN_TRUE ? SP_STR("1") : SP_STR("0");
			else if (token.kind != SP_TOKEN_STRING && token.kind != SP_TOKEN_NUMBER)
				return sp_wrong_kind(cx, &token, "class_names", "an array of strings, numbers or truth values");
			if (cat->n_labels >= cx->limits.max_labels)
				return sp_fail_limit(cx, "max_labels", "the model has more classes than the limit of %u",
									 cx->limits.max_labels);
			cat->has_text_label = cat->has_text_label || token.kind == SP_TOKEN_STRING ||
				(token.kind == SP_TOKEN_NUMBER && !token.is_integer);
			SP_TRY(sp_copy_str(cx, text, &copy));
			SP_TRY(sp_grow_array(cx, (void **) &cat->labels, &cat->labels_capacity, cat->n_labels + 1, sizeof(SpStr)));
			cat->labels[cat->n_labels++] = (SpStr) {copy, text.size};
		}
	}
}

/* model_info.params.loss_function.type */
static SpStatus
sp_cat_read_loss(SpCatboost *cat, SpTokens *tokens)
{
	static const char *const path[][2] = {{"loss_function", NULL}, {"type", NULL}};
	char		shown[SP_PRINTABLE_SIZE];
	SpMembers	outer;
	SpMembers	inner;
	SpStr		name;
	int			which;

	SP_TRY(sp_members_open(&outer, cat->cx, tokens, "params", path[0]));
	for (;;)
	{
		SP_TRY(sp_members_next(&outer, &which));
		if (which == SP_NO_MEMBER)
			return sp_members_require(&outer, 1);
		SP_TRY(sp_members_open(&inner, cat->cx, tokens, "loss_function", path[1]));
		for (;;)
		{
			SP_TRY(sp_members_next(&inner, &which));
			if (which == SP_NO_MEMBER)
				break;
			SP_TRY(sp_read_text(cat->cx, tokens, "type", &name));
			for (size_t i = 0; i < sizeof(sp_cat_losses) / sizeof(sp_cat_losses[0]); i++)
				if (sp_str_is(name, sp_cat_losses[i].name))
					cat->loss = &sp_cat_losses[i];
			if (cat->loss == NULL)
				return sp_fail(cat->cx, SP_ERR_UNSUPPORTED, "CatBoost loss function \"%s\" is not supported",
							   sp_printable(name, shown));
		}
		SP_TRY(sp_members_require(&inner, 1));
	}
}

/* The page about CatBoost's build has the version as the name of a branch: "Branch: tags/v1.2.10". */
static SpStatus
sp_cat_read_version(SpCatboost *cat, SpTokens *tokens)
{
	static const char mark[] = "Branch: tags/v";
	const size_t size = sizeof(mark) - 1;
	SpToken		token;
	SpStr		version = {NULL, 0};

	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind != SP_TOKEN_STRING)
		return sp_tokens_skip(tokens, &token);
	for (size_t at = 0; version.data == NULL && at + size < token.text.size; at++)
		if (memcmp(token.text.data + at, mark, size) == 0)
			version.data = token.text.data + at + size;
	while (version.data && version.data + version.size < token.text.data + token.text.size &&
		   (version.data[version.size] == '.' || (version.data[version.size] >= '0' && version.data[version.size] <= '9')))
		version.size++;
	if (version.size > 0 && version.size < 20)
		snprintf(cat->producer, sizeof(cat->producer), "catboost %.*s", (int) version.size, version.data);
	return SP_OK;
}

static SpStatus
sp_cat_read_info(SpCatboost *cat, SpTokens *tokens)
{
	static const char *const names[] = {"params", "class_params", "catboost_version_info", NULL};
	SpMembers	members;
	int			which;

	SP_TRY(sp_members_open(&members, cat->cx, tokens, "model_info", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			return sp_members_require(&members, 1);
		if (which == 0)
			SP_TRY(sp_cat_read_loss(cat, tokens));
		else if (which == 1)
			SP_TRY(sp_cat_read_labels(cat, tokens));
		else
			SP_TRY(sp_cat_read_version(cat, tokens));
	}
}

/* [scale, [bias, ...]]; the bias was one number before version 0.24 */
static SpStatus
sp_cat_read_bias(SpCatboost *cat, SpTokens *tokens)
{
	SpContext  *cx = cat->cx;
	SpToken		token;
	int			depth = 1;
	bool		has_scale = false;

	SP_TRY(sp_array_open(cx, tokens, "scale_and_bias"));
	while (depth > 0)
	{
		SP_TRY(sp_tokens_next(tokens, &token));
		if (token.kind == SP_TOKEN_ARRAY_END)
			depth--;
		else if (token.kind == SP_TOKEN_ARRAY && depth == 1 && has_scale)
			depth++;
		else if (token.kind != SP_TOKEN_NUMBER)
			return sp_wrong_kind(cx, &token, "scale_and_bias", "an array of numbers");
		else if (!has_scale)
		{
			has_scale = true;
			cat->scale = token.number;
			if (!isfinite(cat->scale))
				return sp_wrong_kind(cx, &token, "scale_and_bias", "an array of finite numbers");
		}
		else
		{
			if (cat->n_targets >= cx->limits.max_labels)
				return sp_fail_limit(cx, "max_labels", "the model has more outputs than the limit of %u classes",
									 cx->limits.max_labels);
			SP_TRY(sp_grow_array(cx, (void **) &cat->bias, &cat->bias_capacity, (size_t) cat->n_targets + 1,
								 sizeof(double)));
			cat->bias[cat->n_targets++] = token.number;
		}
	}
	return SP_OK;
}

static SpStatus
sp_cat_check(SpCatboost *cat)
{
	bool		is_multi = cat->loss->link == SP_CAT_SOFTMAX || cat->loss->link == SP_CAT_ONE_VS_ALL;
	size_t		n_classes = is_multi ? cat->n_targets : 2;

	if (cat->n_features == 0)
		return sp_fail(cat->cx, SP_ERR_FORMAT, "the model has no features");
	if (cat->n_targets == 0)
		return sp_fail(cat->cx, SP_ERR_FORMAT, "scale_and_bias has no bias");
	if (cat->loss->link == SP_CAT_UNCERTAINTY && cat->n_targets != 2)
		return sp_fail(cat->cx, SP_ERR_FORMAT, "loss function %s has %u outputs", cat->loss->name, cat->n_targets);
	if (cat->loss->task != SP_TASK_CLASSIFICATION)
		return SP_OK;
	if (!is_multi && cat->n_targets != 1)
		return sp_fail(cat->cx, SP_ERR_FORMAT, "loss function %s has %u outputs", cat->loss->name, cat->n_targets);
	if (n_classes < 2 || (cat->n_labels > 0 && cat->n_labels != n_classes))
		return sp_fail(cat->cx, SP_ERR_FORMAT, "%zu class_names for %zu classes", cat->n_labels, n_classes);
	return SP_OK;
}

SpStatus
sp_cat_read_facts(SpCatboost *cat)
{
	static const char *const names[] = {
		"features_info", "model_info", "scale_and_bias", "oblivious_trees", "trees", "ctr_data", NULL
	};
	SpContext  *cx = cat->cx;
	SpTokens   *tokens;
	SpMembers	members;
	SpToken		token;
	int			which;

	SP_TRY(sp_tokens_open(cx, SP_TOKENS_JSON, cat->bytes, cat->size, &tokens));
	SP_TRY(sp_members_open(&members, cx, tokens, "the document", names));
	for (;;)
	{
		SP_TRY(sp_members_next(&members, &which));
		if (which == SP_NO_MEMBER)
			break;
		if (which == 0)
			SP_TRY(sp_cat_read_features(cat, tokens));
		else if (which == 1)
			SP_TRY(sp_cat_read_info(cat, tokens));
		else if (which == 2)
			SP_TRY(sp_cat_read_bias(cat, tokens));
		else
		{
			cat->is_nested = cat->is_nested || which == 4;
			SP_TRY(sp_tokens_next(tokens, &token));
			SP_TRY(sp_tokens_skip(tokens, &token));
		}
	}
	SP_TRY(sp_members_require(&members, cat->is_nested ? 23 : 15));
	if (cat->is_nested && members.seen & 8)
		return sp_fail(cx, SP_ERR_FORMAT, "the model has both oblivious_trees and trees");
	SP_TRY(sp_tokens_next(tokens, &token));
	sp_tokens_close(tokens);
	return sp_cat_check(cat);
}

/* Scale and bias of a model that was given others: predict() rounds after each. */
static SpStatus
sp_cat_rescale(SpCatboost *cat, SpBuilder *builder, uint32_t *sum)
{
	void	   *memory;
	double	   *scales;
	uint32_t	i;

	if (cat->scale == 1)
		return SP_OK;
	SP_TRY(sp_alloc_array(cat->cx, cat->n_targets, sizeof(double), &memory));
	scales = memory;
	for (i = 0; i < cat->n_targets; i++)
		scales[i] = cat->scale;
	SP_TRY(sp_builder_scale(builder, *sum, NULL, scales, sum));
	for (i = 0; i < cat->n_targets; i++)
	{
		scales[i] = 1;
		cat->bias[i] = -cat->bias[i];
	}
	SP_TRY(sp_builder_scale(builder, *sum, cat->bias, scales, sum));
	sp_free(cat->cx, scales);
	return SP_OK;
}

/* RMSEWithUncertainty: mean and logarithm of the standard deviation to mean and variance. */
static SpStatus
sp_cat_variance(SpBuilder *builder, uint32_t sum, uint32_t *value)
{
	uint32_t	first = 0;
	uint32_t	second = 1;
	uint32_t	parts[2];
	double		two = 2;

	SP_TRY(sp_builder_general(builder, SP_OP_GATHER, &(SpGeneral) {
		.n_inputs = 1, .inputs = &sum, .n_indices = 1, .indices = &first
	}, &parts[0]));
	SP_TRY(sp_builder_general(builder, SP_OP_GATHER, &(SpGeneral) {
		.n_inputs = 1, .inputs = &sum, .n_indices = 1, .indices = &second
	}, &parts[1]));
	SP_TRY(sp_builder_scale(builder, parts[1], NULL, &two, &parts[1]));
	SP_TRY(sp_builder_map(builder, parts[1], SP_MAP_EXP, &parts[1]));
	return sp_builder_general(builder, SP_OP_CONCAT, &(SpGeneral) {
		.n_inputs = 2, .inputs = parts, .dims = {1}
	}, value);
}

static SpStatus
sp_cat_classifier(SpCatboost *cat, SpBuilder *builder, uint32_t sum)
{
	uint32_t	value;
	uint32_t	label;

	if (cat->n_labels > 0)
		SP_TRY(sp_builder_labels(builder, cat->has_text_label ? SP_TYPE_STRING : SP_TYPE_I64, cat->labels,
								 (uint32_t) cat->n_labels));
	else
		SP_TRY(sp_numbered_labels(cat->cx, builder, cat->loss->link == SP_CAT_SIGMOID ? 2 : cat->n_targets));
	if (cat->loss->link == SP_CAT_SOFTMAX)
		SP_TRY(sp_builder_softmax(builder, sum, SP_SOFTMAX_ALL, &value));
	else
		SP_TRY(sp_builder_map(builder, sum, SP_MAP_SIGMOID, &value));
	if (cat->loss->link == SP_CAT_SIGMOID)
	{
		SP_TRY(sp_builder_above(builder, sum, 0, &label));
		SP_TRY(sp_builder_complement(builder, value, &value));
	}
	else
		SP_TRY(sp_builder_argmax(builder, sum, &label));
	SP_TRY(sp_builder_output(builder, SP_OUTPUT_PROBABILITIES, value));
	return sp_builder_output(builder, SP_OUTPUT_LABEL, label);
}

SpStatus
sp_cat_outputs(SpCatboost *cat, SpBuilder *builder, uint32_t sum)
{
	uint32_t	value;

	SP_TRY(sp_cat_rescale(cat, builder, &sum));
	SP_TRY(sp_builder_output(builder, SP_OUTPUT_RAW, sum));
	if (cat->loss->task == SP_TASK_CLASSIFICATION)
		return sp_cat_classifier(cat, builder, sum);
	value = sum;
	if (cat->loss->link == SP_CAT_UNCERTAINTY)
		SP_TRY(sp_cat_variance(builder, sum, &value));
	else if (cat->loss->link != SP_CAT_IDENTITY)
		SP_TRY(sp_builder_map(builder, sum, cat->loss->link == SP_CAT_EXP ? SP_MAP_EXP : SP_MAP_SIGMOID, &value));
	return sp_builder_output(builder, SP_OUTPUT_VALUE, value);
}
