/*
 * src/import/sp_xgboost_objective.h
 *
 * XGBoost's objectives: task, link function, intercept.
 */
#ifndef SP_XGBOOST_OBJECTIVE_H
#define SP_XGBOOST_OBJECTIVE_H

#include "ir/sp_builder.h"

typedef enum SpXgbLink
{
	SP_XGB_IDENTITY,
	SP_XGB_LOGISTIC,
	SP_XGB_EXP,
	SP_XGB_HINGE,
	SP_XGB_SOFTMAX
} SpXgbLink;

typedef struct SpXgbObjective
{
	const char *name;
	SpTask		task;
	SpXgbLink	link;
} SpXgbObjective;

/* SP_ERR_UNSUPPORTED for a name that is not known. */
extern SpStatus sp_xgb_objective(SpContext *cx, SpStr name, const SpXgbObjective **objective);

/* base_score of a model file to the margin that predictions start from. */
extern SpStatus sp_xgb_margin(SpContext *cx, const SpXgbObjective *objective, float base_score,
							  float *margin);

/* The steps after the sum of the trees, labels and outputs; task is the objective's unless it has several targets. */
extern SpStatus sp_xgb_outputs(SpContext *cx, SpBuilder *builder, const SpXgbObjective *objective,
							   SpTask task, uint32_t margin, uint32_t n_classes);

/* Whether a model can have several targets; several labels of a row are probabilities, margins or 0 and 1 side by side. */
extern bool sp_xgb_may_be_wide(const SpXgbObjective *objective);

#endif
