/*
 * src/api/sp_score_json.c
 */
#include "server/sp_compat.h"

#include "miscadmin.h"

#include "api/sp_result.h"
#include "api/sp_score_json.h"

static void
put(JsonbParseState **state, const char *key, double number)
{
	sp_json_key(state, key);
	sp_json_number(state, WJB_VALUE, number);
}

void
sp_json_averages(JsonbParseState **state, const SpConfusion *confusion)
{
	static const char *const names[] = {
		[SP_AVERAGE_MACRO] = "macro", [SP_AVERAGE_MICRO] = "micro", [SP_AVERAGE_WEIGHTED] = "weighted"
	};

	put(state, "accuracy", sp_confusion_accuracy(confusion));
	put(state, "balanced_accuracy", sp_confusion_balanced_accuracy(confusion));
	for (SpAverage average = SP_AVERAGE_MACRO; average <= SP_AVERAGE_WEIGHTED; average++)
	{
		SpLabelScore mean = sp_confusion_average(confusion, average);

		put(state, psprintf("precision_%s", names[average]), mean.precision);
		put(state, psprintf("recall_%s", names[average]), mean.recall);
		put(state, psprintf("f1_%s", names[average]), mean.f1);
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
		put(state, "precision", score.precision);
		put(state, "recall", score.recall);
		put(state, "f1", score.f1);
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
