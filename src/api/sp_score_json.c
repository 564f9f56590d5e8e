/*
 * src/api/sp_score_json.c
 */
#include "server/sp_compat.h"

#include "miscadmin.h"

#include "api/sp_result.h"
#include "api/sp_score_json.h"

void
sp_json_averages(JsonbParseState **state, const SpConfusion *confusion)
{
	static const char *const names[] = {
		[SP_AVERAGE_MACRO] = "macro", [SP_AVERAGE_MICRO] = "micro", [SP_AVERAGE_WEIGHTED] = "weighted"
	};

	sp_json_number_member(state, "accuracy", sp_confusion_accuracy(confusion));
	sp_json_number_member(state, "balanced_accuracy", sp_confusion_balanced_accuracy(confusion));
	for (SpAverage average = SP_AVERAGE_MACRO; average <= SP_AVERAGE_WEIGHTED; average++)
	{
		SpLabelScore mean = sp_confusion_average(confusion, average);

		sp_json_number_member(state, psprintf("precision_%s", names[average]), mean.precision);
		sp_json_number_member(state, psprintf("recall_%s", names[average]), mean.recall);
		sp_json_number_member(state, psprintf("f1_%s", names[average]), mean.f1);
	}
}

void
sp_json_classes(JsonbParseState **state, const SpConfusion *confusion)
{
	uint32		count;
	uint32	   *order = sp_confusion_order(confusion, &count);

	sp_json_key(state, "classes");
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	for (uint32 i = 0; i < count; i++)
	{
		SpLabelScore score = sp_confusion_score(confusion, order[i]);

		CHECK_FOR_INTERRUPTS();
		sp_json_server_string(state, WJB_KEY, sp_confusion_name(confusion, order[i]));
		(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
		sp_json_number_member(state, "precision", score.precision);
		sp_json_number_member(state, "recall", score.recall);
		sp_json_number_member(state, "f1", score.f1);
		sp_json_key(state, "support");
		sp_json_integer(state, WJB_VALUE, score.support);
		(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
	}
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
}

void
sp_json_matrix(JsonbParseState **state, const SpConfusion *confusion)
{
	uint32		count;
	uint32	   *order = sp_confusion_order(confusion, &count);

	sp_json_key(state, "labels");
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < count; i++)
		sp_json_server_string(state, WJB_ELEM, sp_confusion_name(confusion, order[i]));
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
	sp_json_key(state, "matrix");
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	for (uint32 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
		for (uint32 j = 0; j < count; j++)
			sp_json_integer(state, WJB_ELEM, sp_confusion_count(confusion, order[i], order[j]));
		(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
	}
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}
