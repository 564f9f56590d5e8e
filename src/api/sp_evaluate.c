/*
 * src/api/sp_evaluate.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "api/sp_evaluate.h"
#include "api/sp_features_internal.h"
#include "api/sp_label_text.h"
#include "api/sp_result.h"
#include "api/sp_score_json.h"
#include "ops/sp_score.h"

/* Where the score for a ROC curve comes from. */
typedef enum Scores
{
	SCORES_NONE,
	SCORES_PROBABILITIES,		/* one for each label */
	SCORES_RAW,					/* one margin of two classes */
	SCORES_VALUE				/* of an outlier detector */
} Scores;

struct SpEvaluation
{
	SpCallSite *site;
	MemoryContext mcx;
	uint32		wanted;			/* mask of 1 << SpOutput */
	int64		rows;
	int64		skipped;

	uint32		pending;		/* rows that are bound */
	bool		has_missing;
	uint32	   *true_labels;	/* of pending rows */
	double	   *true_numbers;

	bool		is_classifier;
	uint32		n_labels;		/* of the model: the first ones of confusion, in its order */
	SpLabelText as_text;
	const char *boolean_names[2];	/* what false and true are as labels */
	SpConfusion *confusion;
	Scores		scores;
	uint32		n_rankings;
	SpRanking **rankings;		/* one, or one for each label; NULL without scores */
	MemoryContext ranking_mcx;
	bool		knows_truths;	/* all truths are labels of the model */
	double		log_loss;		/* sum */

	SpErrors	errors;
};

static bool
has(const SpEvaluation *evaluation, SpOutput output)
{
	return sp_call_site_has(evaluation->site, output);
}

static void
want(SpEvaluation *evaluation, SpOutput output)
{
	evaluation->wanted |= 1u << output;
}

/* Models write booleans as "True", "true" or "1". */
static void
choose_boolean_names(SpEvaluation *evaluation)
{
	static const char *const names[][2] = {{"False", "True"}, {"false", "true"}, {"0", "1"}, {"-1", "1"}};
	const SpImage *image = evaluation->site->model->image;

	evaluation->boolean_names[0] = names[1][0];
	evaluation->boolean_names[1] = names[1][1];
	for (int i = (int) lengthof(names) - 1; i >= 0; i--)
	{
		int			found = 0;

		for (uint32 label = 0; label < evaluation->n_labels; label++)
			for (int truth = 0; truth < 2; truth++)
				found += strcmp(sp_image_label(image, label), names[i][truth]) == 0;
		if (found == 2)
		{
			evaluation->boolean_names[0] = names[i][0];
			evaluation->boolean_names[1] = names[i][1];
		}
	}
}

static void
begin_scores(SpEvaluation *evaluation)
{
	if (has(evaluation, SP_OUTPUT_PROBABILITIES))
	{
		evaluation->scores = SCORES_PROBABILITIES;
		want(evaluation, SP_OUTPUT_PROBABILITIES);
	}
	else if (evaluation->n_labels != 2)
		return;
	else if (has(evaluation, SP_OUTPUT_VALUE) && sp_call_site_width(evaluation->site, SP_OUTPUT_VALUE) == 1)
	{
		evaluation->scores = SCORES_VALUE;
		want(evaluation, SP_OUTPUT_VALUE);
	}
	else if (has(evaluation, SP_OUTPUT_RAW) && sp_call_site_width(evaluation->site, SP_OUTPUT_RAW) == 1)
	{
		evaluation->scores = SCORES_RAW;
		want(evaluation, SP_OUTPUT_RAW);
	}
	else
		return;
	evaluation->n_rankings = evaluation->n_labels > 2 ? evaluation->n_labels : 1;
	evaluation->ranking_mcx = AllocSetContextCreate(evaluation->mcx, "smartpouch evaluation scores",
													ALLOCSET_DEFAULT_SIZES);
	evaluation->rankings = palloc(mul_size(evaluation->n_rankings, sizeof(SpRanking *)));
	for (uint32 i = 0; i < evaluation->n_rankings; i++)
		evaluation->rankings[i] = sp_ranking_make(evaluation->ranking_mcx);
}

static void
begin_classifier(SpEvaluation *evaluation, Oid truth_type)
{
	const SpImage *image = evaluation->site->model->image;

	want(evaluation, SP_OUTPUT_LABEL);
	sp_label_text_init(&evaluation->as_text, truth_type, evaluation->mcx);
	evaluation->confusion = sp_confusion_make(evaluation->mcx);
	evaluation->n_labels = image->n_labels;
	for (uint32 label = 0; label < image->n_labels; label++)
	{
		const char *name = sp_from_utf8(sp_image_label(image, label));

		(void) sp_confusion_label(evaluation->confusion, name, strlen(name));
	}
	choose_boolean_names(evaluation);
	begin_scores(evaluation);
}

SpEvaluation *
sp_evaluation_begin(SpCallSite *site, Oid truth_type)
{
	SpEvaluation *evaluation = palloc0(sizeof(SpEvaluation));

	evaluation->site = site;
	evaluation->mcx = CurrentMemoryContext;
	evaluation->knows_truths = true;
	evaluation->true_labels = palloc(sizeof(uint32) * SP_EVALUATE_ROWS);
	evaluation->true_numbers = palloc(sizeof(double) * SP_EVALUATE_ROWS);
	evaluation->as_text.type = getBaseType(truth_type);
	evaluation->is_classifier = has(evaluation, SP_OUTPUT_LABEL);
	if (evaluation->is_classifier)
		begin_classifier(evaluation, truth_type);
	else if (!has(evaluation, SP_OUTPUT_VALUE) || sp_call_site_width(site, SP_OUTPUT_VALUE) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s predicts neither a label nor a single value to compare with the truth",
						site->binder.subject)));
	else if (!sp_is_number_type(evaluation->as_text.type))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s predicts numbers, but the truth is of type %s",
						site->binder.subject, format_type_be(truth_type))));
	else
		want(evaluation, SP_OUTPUT_VALUE);
	return evaluation;
}

/* Beyond maintenance_work_mem the scores go, and roc_auc with them. */
static void
bound_scores(SpEvaluation *evaluation)
{
	if (evaluation->rankings == NULL ||
		MemoryContextMemAllocated(evaluation->ranking_mcx, true) / 1024 <= (Size) maintenance_work_mem)
		return;
	MemoryContextDelete(evaluation->ranking_mcx);
	evaluation->rankings = NULL;
	ereport(NOTICE,
			(errmsg("there are too many rows to keep their scores: no roc_auc"),
			 errhint("maintenance_work_mem is the limit.")));
}

static void
rank(SpEvaluation *evaluation, uint32 row, uint32 truth)
{
	static const SpOutput outputs[] = {
		[SCORES_PROBABILITIES] = SP_OUTPUT_PROBABILITIES,
		[SCORES_RAW] = SP_OUTPUT_RAW,
		[SCORES_VALUE] = SP_OUTPUT_VALUE
	};
	const SpEval *eval = evaluation->site->eval;
	SpOutput	output = outputs[evaluation->scores];

	if (evaluation->n_rankings == 1)
		/* of two probabilities the second is that of the second label */
		sp_ranking_add(evaluation->rankings[0], truth == 1,
					   sp_eval_output_number(eval, output, row,
											 evaluation->scores == SCORES_PROBABILITIES ? 1 : 0));
	else
		for (uint32 label = 0; label < evaluation->n_rankings; label++)
			sp_ranking_add(evaluation->rankings[label], truth == label,
						   sp_eval_output_number(eval, output, row, label));
}

static void
compare_label(SpEvaluation *evaluation, uint32 row)
{
	const SpEval *eval = evaluation->site->eval;
	uint32		truth = evaluation->true_labels[row];

	sp_confusion_add(evaluation->confusion, truth,
					 (uint32) sp_eval_output_number(eval, SP_OUTPUT_LABEL, row, 0), 1);
	if (truth >= evaluation->n_labels)
		evaluation->knows_truths = false;
	else if (evaluation->scores == SCORES_PROBABILITIES)
		evaluation->log_loss += sp_log_loss(sp_eval_output_number(eval, SP_OUTPUT_PROBABILITIES, row, truth));
	if (evaluation->rankings != NULL)
		rank(evaluation, row, truth);
}

/* Predict the pending rows and compare. */
static void
flush(SpEvaluation *evaluation)
{
	const SpCallSite *site = evaluation->site;

	CHECK_FOR_INTERRUPTS();
	if (evaluation->pending == 0)
		return;
	sp_call_site_run(evaluation->site, evaluation->pending, evaluation->wanted, evaluation->has_missing);
	for (uint32 row = 0; row < evaluation->pending; row++)
	{
		if (evaluation->is_classifier)
			compare_label(evaluation, row);
		else
			sp_errors_add(&evaluation->errors, evaluation->true_numbers[row],
						  sp_eval_output_number(site->eval, SP_OUTPUT_VALUE, row, 0));
	}
	evaluation->rows += evaluation->pending;
	evaluation->pending = 0;
	evaluation->has_missing = false;
	bound_scores(evaluation);
}

static uint32
true_label(SpEvaluation *evaluation, Datum truth)
{
	const char *bytes;
	Size		size;

	if (evaluation->as_text.type == BOOLOID)
	{
		bytes = evaluation->boolean_names[DatumGetBool(truth)];
		size = strlen(bytes);
	}
	else
		bytes = sp_label_text(&evaluation->as_text, truth, &size);
	return sp_confusion_label(evaluation->confusion, bytes, size);
}

void
sp_evaluation_add(SpEvaluation *evaluation, Oid argtype, Datum features, Datum truth)
{
	uint32		row = evaluation->pending;

	if (sp_bind(&evaluation->site->binder, argtype, features, row))
		evaluation->has_missing = true;
	if (evaluation->is_classifier)
		evaluation->true_labels[row] = true_label(evaluation, truth);
	else
		evaluation->true_numbers[row] = sp_number_of(evaluation->as_text.type, truth);
	evaluation->pending++;
	if (evaluation->pending == SP_EVALUATE_ROWS)
		flush(evaluation);
}

void
sp_evaluation_skip(SpEvaluation *evaluation)
{
	evaluation->skipped++;
}

static double
area(SpEvaluation *evaluation)
{
	double		sum = 0;

	if (evaluation->rankings == NULL || !evaluation->knows_truths)
		return NAN;
	for (uint32 i = 0; i < evaluation->n_rankings; i++)
		sum += sp_ranking_auc(evaluation->rankings[i]);
	return sum / evaluation->n_rankings;
}

static void
put_classifier(JsonbParseState **state, SpEvaluation *evaluation)
{
	bool		has_loss = evaluation->scores == SCORES_PROBABILITIES && evaluation->knows_truths;

	sp_json_averages(state, evaluation->confusion);
	sp_json_number_member(state, "log_loss", has_loss ? evaluation->log_loss / (double) evaluation->rows : NAN);
	sp_json_number_member(state, "roc_auc", area(evaluation));
	sp_json_classes(state, evaluation->confusion);
	sp_json_key(state, "confusion_matrix");
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	sp_json_matrix(state, evaluation->confusion);
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

Jsonb *
sp_evaluation_result(SpEvaluation *evaluation)
{
	JsonbParseState *state = NULL;

	flush(evaluation);
	if (evaluation->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is no row to evaluate %s with", evaluation->site->binder.subject),
				 evaluation->skipped > 0 ?
				 errdetail("The truth of all " INT64_FORMAT " rows is NULL.", evaluation->skipped) : 0));
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	sp_json_key(&state, "rows");
	sp_json_integer(&state, WJB_VALUE, evaluation->rows);
	sp_json_key(&state, "skipped");
	sp_json_integer(&state, WJB_VALUE, evaluation->skipped);
	if (evaluation->is_classifier)
		put_classifier(&state, evaluation);
	else
	{
		sp_json_number_member(&state, "mae", sp_errors_mae(&evaluation->errors));
		sp_json_number_member(&state, "rmse", sp_errors_rmse(&evaluation->errors));
		sp_json_number_member(&state, "mape", sp_errors_mape(&evaluation->errors));
		sp_json_number_member(&state, "r2", sp_errors_r2(&evaluation->errors));
	}
	return JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL));
}
