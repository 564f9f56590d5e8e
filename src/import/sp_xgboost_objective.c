/*
 * src/import/sp_xgboost_objective.c
 *
 * XGBoost's objectives.  Formulas: xgboost src/objective/ (ProbToMargin and
 * PredTransform of each file).
 */
#include <math.h>

#include "import/sp_class_labels.h"
#include "import/sp_xgboost_objective.h"

/* kRtEps of xgboost include/xgboost/base.h */
#define SP_XGB_EPSILON 1e-6f

static const SpXgbObjective sp_xgb_objectives[] = {
	{"reg:squarederror", SP_TASK_REGRESSION, SP_XGB_IDENTITY},
	{"reg:linear", SP_TASK_REGRESSION, SP_XGB_IDENTITY},
	{"reg:squaredlogerror", SP_TASK_REGRESSION, SP_XGB_IDENTITY},
	{"reg:pseudohubererror", SP_TASK_REGRESSION, SP_XGB_IDENTITY},
	{"reg:absoluteerror", SP_TASK_REGRESSION, SP_XGB_IDENTITY},
	{"reg:quantileerror", SP_TASK_REGRESSION, SP_XGB_IDENTITY},
	{"reg:expectileerror", SP_TASK_REGRESSION, SP_XGB_IDENTITY},
	{"reg:logistic", SP_TASK_REGRESSION, SP_XGB_LOGISTIC},
	{"reg:gamma", SP_TASK_REGRESSION, SP_XGB_EXP},
	{"reg:tweedie", SP_TASK_REGRESSION, SP_XGB_EXP},
	{"count:poisson", SP_TASK_REGRESSION, SP_XGB_EXP},
	{"survival:cox", SP_TASK_SURVIVAL, SP_XGB_EXP},
	{"survival:aft", SP_TASK_SURVIVAL, SP_XGB_EXP},
	{"rank:pairwise", SP_TASK_RANKING, SP_XGB_IDENTITY},
	{"rank:ndcg", SP_TASK_RANKING, SP_XGB_IDENTITY},
	{"rank:map", SP_TASK_RANKING, SP_XGB_IDENTITY},
	{"binary:logitraw", SP_TASK_SCORE, SP_XGB_IDENTITY},
	{"binary:logistic", SP_TASK_CLASSIFICATION, SP_XGB_LOGISTIC},
	{"binary:hinge", SP_TASK_CLASSIFICATION, SP_XGB_HINGE},
	{"multi:softprob", SP_TASK_CLASSIFICATION, SP_XGB_SOFTMAX},
	{"multi:softmax", SP_TASK_CLASSIFICATION, SP_XGB_SOFTMAX},
};

SpStatus
sp_xgb_objective(SpContext *cx, SpStr name, const SpXgbObjective **objective)
{
	char		shown[SP_PRINTABLE_SIZE];
	size_t		i;

	for (i = 0; i < sizeof(sp_xgb_objectives) / sizeof(sp_xgb_objectives[0]); i++)
	{
		if (sp_str_is(name, sp_xgb_objectives[i].name))
		{
			*objective = &sp_xgb_objectives[i];
			return SP_OK;
		}
	}
	sp_fail(cx, SP_ERR_UNSUPPORTED, "XGBoost objective \"%s\" is not supported",
			sp_printable(name, shown));
	return sp_fail_hint(cx, "Supported are XGBoost's own objectives with one output per class: "
						"reg:*, binary:*, multi:softprob, multi:softmax, count:poisson, rank:*, "
						"survival:cox and survival:aft. Custom objectives are not part of a model file.");
}

SpStatus
sp_xgb_margin(SpContext *cx, const SpXgbObjective *objective, float base_score, float *margin)
{
	float		score = base_score;

	switch (objective->link)
	{
		case SP_XGB_LOGISTIC:
			if (!(score >= 0.0f && score <= 1.0f))
				return sp_fail(cx, SP_ERR_FORMAT, "base_score %g is not between 0 and 1, as objective %s needs it",
							   (double) score, objective->name);
			/* the ends are clipped since XGBoost 3.1; before, they were refused */
			score = fminf(fmaxf(score, SP_XGB_EPSILON), 1.0f - SP_XGB_EPSILON);
			*margin = -logf(1.0f / score - 1.0f);
			break;
		case SP_XGB_EXP:
			*margin = logf(score);
			break;
		default:
			*margin = score;
			break;
	}
	if (!isfinite(*margin))
		return sp_fail(cx, SP_ERR_FORMAT, "base_score %g is not possible with objective %s",
					   (double) base_score, objective->name);
	return SP_OK;
}

static SpStatus
sp_xgb_classifier(SpContext *cx, SpBuilder *builder, const SpXgbObjective *objective,
				  uint32_t margin, uint32_t n_classes)
{
	uint32_t	probability;
	uint32_t	label;

	SP_TRY(sp_numbered_labels(cx, builder, n_classes));
	switch (objective->link)
	{
		case SP_XGB_LOGISTIC:
			SP_TRY(sp_builder_map(builder, margin, SP_MAP_SIGMOID, &probability));
			SP_TRY(sp_builder_above(builder, probability, 0.5, &label));
			SP_TRY(sp_builder_complement(builder, probability, &probability));
			SP_TRY(sp_builder_output(builder, SP_OUTPUT_PROBABILITIES, probability));
			break;
		case SP_XGB_SOFTMAX:
			SP_TRY(sp_builder_softmax(builder, margin, SP_SOFTMAX_ALL, &probability));
			SP_TRY(sp_builder_argmax(builder, margin, &label));
			SP_TRY(sp_builder_output(builder, SP_OUTPUT_PROBABILITIES, probability));
			break;
		default:
			/* a hinge model has a label but no probabilities */
			SP_TRY(sp_builder_above(builder, margin, 0.0, &label));
			break;
	}
	return sp_builder_output(builder, SP_OUTPUT_LABEL, label);
}

bool
sp_xgb_may_be_wide(const SpXgbObjective *objective)
{
	return objective->task != SP_TASK_RANKING && objective->task != SP_TASK_SURVIVAL && objective->link != SP_XGB_SOFTMAX;
}

SpStatus
sp_xgb_outputs(SpContext *cx, SpBuilder *builder, const SpXgbObjective *objective,
			   SpTask task, uint32_t margin, uint32_t n_classes)
{
	uint32_t	value = margin;

	SP_TRY(sp_builder_output(builder, SP_OUTPUT_RAW, margin));
	if (task == SP_TASK_CLASSIFICATION)
		return sp_xgb_classifier(cx, builder, objective, margin, n_classes);
	if (objective->link == SP_XGB_LOGISTIC)
		SP_TRY(sp_builder_map(builder, margin, SP_MAP_SIGMOID, &value));
	else if (objective->link == SP_XGB_EXP)
		SP_TRY(sp_builder_map(builder, margin, SP_MAP_EXP, &value));
	else if (objective->link == SP_XGB_HINGE)
		SP_TRY(sp_builder_map(builder, margin, SP_MAP_STEP, &value));
	return sp_builder_output(builder, SP_OUTPUT_VALUE, value);
}
