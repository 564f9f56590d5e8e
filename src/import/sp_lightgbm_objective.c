/*
 * src/import/sp_lightgbm_objective.c
 *
 * LightGBM's objectives (LightGBM src/objective/, ToString and ConvertOutput of
 * each; objective_function.cpp for the names).
 */
#include <string.h>

#include "import/sp_class_labels.h"
#include "import/sp_lightgbm_internal.h"

typedef struct SpLgbObjective
{
	const char *name;
	SpTask		task;
	SpLgbLink	link;
	bool		may_be_sqrt;	/* trained on roots of the target if the word "sqrt" follows */
} SpLgbObjective;

static const SpLgbObjective sp_lgb_objectives[] = {
	{"regression", SP_TASK_REGRESSION, SP_LGB_IDENTITY, true},
	{"regression_l1", SP_TASK_REGRESSION, SP_LGB_IDENTITY, true},
	{"quantile", SP_TASK_REGRESSION, SP_LGB_IDENTITY, true},
	{"huber", SP_TASK_REGRESSION, SP_LGB_IDENTITY, false},
	{"fair", SP_TASK_REGRESSION, SP_LGB_IDENTITY, true},
	{"mape", SP_TASK_REGRESSION, SP_LGB_IDENTITY, true},
	{"poisson", SP_TASK_REGRESSION, SP_LGB_EXP, false},
	{"gamma", SP_TASK_REGRESSION, SP_LGB_EXP, false},
	{"tweedie", SP_TASK_REGRESSION, SP_LGB_EXP, false},
	{"cross_entropy", SP_TASK_REGRESSION, SP_LGB_SIGMOID, false},
	{"xentropy", SP_TASK_REGRESSION, SP_LGB_SIGMOID, false},
	{"cross_entropy_lambda", SP_TASK_REGRESSION, SP_LGB_LOG1P_EXP, false},
	{"xentlambda", SP_TASK_REGRESSION, SP_LGB_LOG1P_EXP, false},
	{"lambdarank", SP_TASK_RANKING, SP_LGB_IDENTITY, false},
	{"rank_xendcg", SP_TASK_RANKING, SP_LGB_IDENTITY, false},
	{"binary", SP_TASK_CLASSIFICATION, SP_LGB_SIGMOID, false},
	{"multiclass", SP_TASK_CLASSIFICATION, SP_LGB_SOFTMAX, false},
	{"multiclassova", SP_TASK_CLASSIFICATION, SP_LGB_ONE_VS_ALL, false},
	{"custom", SP_TASK_SCORE, SP_LGB_IDENTITY, false},
};

static SpStatus
sp_lgb_option(SpLightgbm *lgb, const SpLgbObjective *objective, SpStr word)
{
	static const SpStr sigmoid = SP_STR("sigmoid:");
	static const SpStr num_class = SP_STR("num_class:");
	char		shown[SP_PRINTABLE_SIZE];
	uint32_t	number;

	if (objective->may_be_sqrt && sp_str_is(word, "sqrt"))
	{
		lgb->link = SP_LGB_SQUARE;
		return SP_OK;
	}
	if (word.size > sigmoid.size && memcmp(word.data, sigmoid.data, sigmoid.size) == 0)
	{
		SP_TRY(sp_lgb_double(lgb, "objective",
							 (SpStr) {word.data + sigmoid.size, word.size - sigmoid.size}, &lgb->sigmoid));
		if (lgb->sigmoid <= 0)
			return sp_lgb_fail(lgb, "objective has the sigmoid %g, which is not above 0", lgb->sigmoid);
		return SP_OK;
	}
	if (word.size > num_class.size && memcmp(word.data, num_class.data, num_class.size) == 0)
	{
		SP_TRY(sp_lgb_number(lgb, "num_class", (SpStr) {word.data + num_class.size, word.size - num_class.size},
							 INT32_MAX, &number));
		if (number != lgb->num_class)
			return sp_lgb_fail(lgb, "objective has %u classes, num_class is %u", number, lgb->num_class);
		return SP_OK;
	}
	return sp_fail(lgb->cx, SP_ERR_UNSUPPORTED, "option \"%s\" of LightGBM objective %s is not supported",
				   sp_printable(word, shown), objective->name);
}

static SpStatus
sp_lgb_check_classes(SpLightgbm *lgb)
{
	bool		is_multi = lgb->link == SP_LGB_SOFTMAX || lgb->link == SP_LGB_ONE_VS_ALL;

	if (lgb->task == SP_TASK_SCORE)
		return SP_OK;
	if (is_multi && (lgb->num_class < 2 || lgb->trees_per_iteration != lgb->num_class))
		return sp_lgb_fail(lgb, "%u classes do not go with %u trees in each iteration", lgb->num_class,
						   lgb->trees_per_iteration);
	if (!is_multi && lgb->trees_per_iteration != 1)
		return sp_lgb_fail(lgb, "an objective with one output has %u trees in each iteration",
						   lgb->trees_per_iteration);
	return SP_OK;
}

SpStatus
sp_lgb_objective(SpLightgbm *lgb)
{
	const SpLgbObjective *objective = NULL;
	char		shown[SP_PRINTABLE_SIZE];
	SpStr		text = lgb->objective;
	SpStr		word;
	size_t		i;

	/* a model of a loss that the caller wrote has no objective */
	if (!sp_lgb_word(&text, &word))
		word = SP_STR("custom");
	for (i = 0; i < sizeof(sp_lgb_objectives) / sizeof(sp_lgb_objectives[0]); i++)
	{
		if (sp_str_is(word, sp_lgb_objectives[i].name))
			objective = &sp_lgb_objectives[i];
	}
	if (objective == NULL)
		return sp_fail(lgb->cx, SP_ERR_UNSUPPORTED, "LightGBM objective \"%s\" is not supported",
					   sp_printable(word, shown));
	lgb->task = objective->task;
	lgb->link = objective->link;
	lgb->sigmoid = 1;
	while (sp_lgb_word(&text, &word))
		SP_TRY(sp_lgb_option(lgb, objective, word));
	return sp_lgb_check_classes(lgb);
}

/* Every column times a number. */
static SpStatus
sp_lgb_times(SpLightgbm *lgb, SpBuilder *builder, double factor, uint32_t *value)
{
	void	   *memory;
	double	   *factors;
	uint32_t	i;

	if (factor == 1)
		return SP_OK;
	SP_TRY(sp_alloc_array(lgb->cx, lgb->trees_per_iteration, sizeof(double), &memory));
	factors = memory;
	for (i = 0; i < lgb->trees_per_iteration; i++)
		factors[i] = factor;
	SP_TRY(sp_builder_scale(builder, *value, NULL, factors, value));
	sp_free(lgb->cx, factors);
	return SP_OK;
}

static SpStatus
sp_lgb_classifier(SpLightgbm *lgb, SpBuilder *builder, uint32_t value)
{
	uint32_t	label;

	SP_TRY(sp_numbered_labels(lgb->cx, builder, lgb->link == SP_LGB_SIGMOID ? 2 : lgb->num_class));
	if (lgb->link == SP_LGB_SIGMOID)
	{
		SP_TRY(sp_builder_above(builder, value, 0.5, &label));
		SP_TRY(sp_builder_complement(builder, value, &value));
	}
	else
		SP_TRY(sp_builder_argmax(builder, value, &label));
	SP_TRY(sp_builder_output(builder, SP_OUTPUT_PROBABILITIES, value));
	return sp_builder_output(builder, SP_OUTPUT_LABEL, label);
}

SpStatus
sp_lgb_outputs(SpLightgbm *lgb, SpBuilder *builder, uint32_t sum, uint32_t n_iterations)
{
	uint32_t	value = sum;

	/* as raw_score gives it: a forest's is not divided */
	SP_TRY(sp_builder_output(builder, SP_OUTPUT_RAW, sum));
	if (lgb->average_output)
		SP_TRY(sp_lgb_times(lgb, builder, 1.0 / n_iterations, &value));
	if (lgb->link == SP_LGB_SIGMOID || lgb->link == SP_LGB_ONE_VS_ALL)
	{
		SP_TRY(sp_lgb_times(lgb, builder, lgb->sigmoid, &value));
		SP_TRY(sp_builder_map(builder, value, SP_MAP_SIGMOID, &value));
	}
	else if (lgb->link == SP_LGB_SOFTMAX)
		SP_TRY(sp_builder_softmax(builder, value, SP_SOFTMAX_ALL, &value));
	else if (lgb->link != SP_LGB_IDENTITY)
		SP_TRY(sp_builder_map(builder, value, lgb->link == SP_LGB_EXP ? SP_MAP_EXP :
							  lgb->link == SP_LGB_SQUARE ? SP_MAP_SIGNED_SQUARE : SP_MAP_LOG1P_EXP, &value));
	if (lgb->task == SP_TASK_CLASSIFICATION)
		return sp_lgb_classifier(lgb, builder, value);
	return sp_builder_output(builder, SP_OUTPUT_VALUE, value);
}
