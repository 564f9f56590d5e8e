/*
 * src/api/sp_api_score.c
 *
 * The support functions of the aggregates that compare predictions with the
 * truth (sql/install/36_scores.sql).  A row in which either is NULL does not count.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "api/sp_label_text.h"
#include "api/sp_result.h"
#include "api/sp_score_json.h"
#include "ops/sp_score.h"

PG_FUNCTION_INFO_V1(smartpouch_confusion_add);
PG_FUNCTION_INFO_V1(smartpouch_confusion_merge);
PG_FUNCTION_INFO_V1(smartpouch_confusion_write);
PG_FUNCTION_INFO_V1(smartpouch_confusion_read);
PG_FUNCTION_INFO_V1(smartpouch_accuracy);
PG_FUNCTION_INFO_V1(smartpouch_balanced_accuracy);
PG_FUNCTION_INFO_V1(smartpouch_precision);
PG_FUNCTION_INFO_V1(smartpouch_recall);
PG_FUNCTION_INFO_V1(smartpouch_f1);
PG_FUNCTION_INFO_V1(smartpouch_confusion_matrix);
PG_FUNCTION_INFO_V1(smartpouch_classification_report);
PG_FUNCTION_INFO_V1(smartpouch_ranking_add);
PG_FUNCTION_INFO_V1(smartpouch_ranking_merge);
PG_FUNCTION_INFO_V1(smartpouch_ranking_write);
PG_FUNCTION_INFO_V1(smartpouch_ranking_read);
PG_FUNCTION_INFO_V1(smartpouch_roc_auc);
PG_FUNCTION_INFO_V1(smartpouch_errors_add);
PG_FUNCTION_INFO_V1(smartpouch_errors_merge);
PG_FUNCTION_INFO_V1(smartpouch_mae);
PG_FUNCTION_INFO_V1(smartpouch_rmse);
PG_FUNCTION_INFO_V1(smartpouch_mape);
PG_FUNCTION_INFO_V1(smartpouch_r2);
PG_FUNCTION_INFO_V1(smartpouch_log_loss_add);
PG_FUNCTION_INFO_V1(smartpouch_log_loss_add_binary);
PG_FUNCTION_INFO_V1(smartpouch_log_loss_merge);
PG_FUNCTION_INFO_V1(smartpouch_log_loss);

static MemoryContext
aggregate_context(FunctionCallInfo fcinfo)
{
	MemoryContext mcx;

	if (!AggCheckCallContext(fcinfo, &mcx))
		elog(ERROR, "called outside of an aggregate");
	return mcx;
}

/* ---- classes ---- */

/* The state of an aggregate over labels. */
typedef struct ClassState
{
	SpConfusion *confusion;
	SpAverage	average;
} ClassState;

/* What a call site of the transition function keeps. */
typedef struct ClassReader
{
	SpLabelText truth;
	SpLabelText predicted;
} ClassReader;

static SpAverage
average_argument(FunctionCallInfo fcinfo)
{
	char	   *name;

	if (PG_NARGS() < 4)
		return SP_AVERAGE_MACRO;
	if (PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("average must not be NULL")));
	name = text_to_cstring(PG_GETARG_TEXT_PP(3));
	if (strcmp(name, "macro") == 0)
		return SP_AVERAGE_MACRO;
	if (strcmp(name, "micro") == 0)
		return SP_AVERAGE_MICRO;
	if (strcmp(name, "weighted") == 0)
		return SP_AVERAGE_WEIGHTED;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("average \"%s\" is not known", name),
			 errhint("It is \"macro\", \"micro\" or \"weighted\"; "
					 "classification_report() gives the scores of each label.")));
}

static ClassReader *
class_reader(FunctionCallInfo fcinfo)
{
	ClassReader *reader = fcinfo->flinfo->fn_extra;

	if (reader == NULL)
	{
		MemoryContext mcx = fcinfo->flinfo->fn_mcxt;

		reader = MemoryContextAlloc(mcx, sizeof(ClassReader));
		sp_label_text_init(&reader->truth, get_fn_expr_argtype(fcinfo->flinfo, 1), mcx);
		sp_label_text_init(&reader->predicted, get_fn_expr_argtype(fcinfo->flinfo, 2), mcx);
		fcinfo->flinfo->fn_extra = reader;
	}
	return reader;
}

static uint32
label_argument(FunctionCallInfo fcinfo, SpConfusion *confusion, SpLabelText *as_text, int arg)
{
	Size		size;
	const char *bytes = sp_label_text(as_text, PG_GETARG_DATUM(arg), &size);

	return sp_confusion_label(confusion, bytes, size);
}

Datum
smartpouch_confusion_add(PG_FUNCTION_ARGS)
{
	MemoryContext mcx = aggregate_context(fcinfo);
	ClassState *state = PG_ARGISNULL(0) ? NULL : (ClassState *) PG_GETARG_POINTER(0);
	ClassReader *reader = class_reader(fcinfo);
	uint32		truth;

	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
	{
		if (state == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(state);
	}
	if (state == NULL)
	{
		state = MemoryContextAlloc(mcx, sizeof(ClassState));
		state->average = average_argument(fcinfo);
		state->confusion = sp_confusion_make(mcx);
	}
	truth = label_argument(fcinfo, state->confusion, &reader->truth, 1);
	sp_confusion_add(state->confusion, truth,
					 label_argument(fcinfo, state->confusion, &reader->predicted, 2), 1);
	PG_RETURN_POINTER(state);
}

Datum
smartpouch_confusion_merge(PG_FUNCTION_ARGS)
{
	MemoryContext mcx = aggregate_context(fcinfo);
	ClassState *into = PG_ARGISNULL(0) ? NULL : (ClassState *) PG_GETARG_POINTER(0);
	ClassState *from = PG_ARGISNULL(1) ? NULL : (ClassState *) PG_GETARG_POINTER(1);

	if (from == NULL)
	{
		if (into == NULL)
			PG_RETURN_NULL();
		PG_RETURN_POINTER(into);
	}
	if (into == NULL)
	{
		into = MemoryContextAlloc(mcx, sizeof(ClassState));
		into->average = from->average;
		into->confusion = sp_confusion_make(mcx);
	}
	sp_confusion_merge(into->confusion, from->confusion);
	PG_RETURN_POINTER(into);
}

/* The average is the first byte, the counts follow. */
Datum
smartpouch_confusion_write(PG_FUNCTION_ARGS)
{
	ClassState *state;
	bytea	   *counts;
	bytea	   *bytes;

	(void) aggregate_context(fcinfo);
	state = (ClassState *) PG_GETARG_POINTER(0);
	counts = sp_confusion_write(state->confusion);
	bytes = palloc(VARSIZE(counts) + 1);
	SET_VARSIZE(bytes, VARSIZE(counts) + 1);
	VARDATA(bytes)[0] = (char) state->average;
	memcpy(VARDATA(bytes) + 1, VARDATA(counts), VARSIZE(counts) - VARHDRSZ);
	PG_RETURN_BYTEA_P(bytes);
}

Datum
smartpouch_confusion_read(PG_FUNCTION_ARGS)
{
	bytea	   *bytes;
	bytea	   *counts;
	ClassState *state;
	Size		size;

	(void) aggregate_context(fcinfo);
	bytes = PG_GETARG_BYTEA_PP(0);
	size = VARSIZE_ANY_EXHDR(bytes) - 1;
	counts = palloc(VARHDRSZ + size);
	SET_VARSIZE(counts, VARHDRSZ + size);
	memcpy(VARDATA(counts), VARDATA_ANY(bytes) + 1, size);
	state = palloc(sizeof(ClassState));
	state->average = (SpAverage) VARDATA_ANY(bytes)[0];
	state->confusion = sp_confusion_read(counts, CurrentMemoryContext);
	PG_RETURN_POINTER(state);
}

#define CLASS_RESULT(name, result) \
	Datum \
	smartpouch_##name(PG_FUNCTION_ARGS) \
	{ \
		ClassState *state; \
		(void) aggregate_context(fcinfo); \
		if (PG_ARGISNULL(0)) \
			PG_RETURN_NULL(); \
		state = (ClassState *) PG_GETARG_POINTER(0); \
		PG_RETURN_FLOAT8(result); \
	}

CLASS_RESULT(accuracy, sp_confusion_accuracy(state->confusion))
CLASS_RESULT(balanced_accuracy, sp_confusion_balanced_accuracy(state->confusion))
CLASS_RESULT(precision, sp_confusion_average(state->confusion, state->average).precision)
CLASS_RESULT(recall, sp_confusion_average(state->confusion, state->average).recall)
CLASS_RESULT(f1, sp_confusion_average(state->confusion, state->average).f1)

Datum
smartpouch_confusion_matrix(PG_FUNCTION_ARGS)
{
	JsonbParseState *json = NULL;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	(void) pushJsonbValue(&json, WJB_BEGIN_OBJECT, NULL);
	sp_json_matrix(&json, ((ClassState *) PG_GETARG_POINTER(0))->confusion);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&json, WJB_END_OBJECT, NULL)));
}

Datum
smartpouch_classification_report(PG_FUNCTION_ARGS)
{
	JsonbParseState *json = NULL;
	SpConfusion *confusion;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	confusion = ((ClassState *) PG_GETARG_POINTER(0))->confusion;
	(void) pushJsonbValue(&json, WJB_BEGIN_OBJECT, NULL);
	sp_json_averages(&json, confusion);
	sp_json_classes(&json, confusion);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&json, WJB_END_OBJECT, NULL)));
}

/* ---- scores of two classes ---- */

/* true and false, or 1 and 0 (or -1, as outlier detectors and SVMs write it) */
static bool
truth_argument(FunctionCallInfo fcinfo)
{
	int32		number;

	if (get_fn_expr_argtype(fcinfo->flinfo, 1) == BOOLOID)
		return PG_GETARG_BOOL(1);
	number = PG_GETARG_INT32(1);
	if (number < -1 || number > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("truth is %d, but a ROC curve has two classes", number),
				 errhint("Positive rows are 1, negative ones 0 or -1; "
						 "or pass a condition, such as label = 'walking'.")));
	return number == 1;
}

Datum
smartpouch_ranking_add(PG_FUNCTION_ARGS)
{
	MemoryContext mcx = aggregate_context(fcinfo);
	SpRanking  *ranking = PG_ARGISNULL(0) ? NULL : (SpRanking *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(2))
	{
		if (ranking == NULL)
			ranking = sp_ranking_make(mcx);
		sp_ranking_add(ranking, truth_argument(fcinfo), PG_GETARG_FLOAT8(2));
	}
	if (ranking == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(ranking);
}

Datum
smartpouch_ranking_merge(PG_FUNCTION_ARGS)
{
	MemoryContext mcx = aggregate_context(fcinfo);
	SpRanking  *into = PG_ARGISNULL(0) ? NULL : (SpRanking *) PG_GETARG_POINTER(0);

	if (!PG_ARGISNULL(1))
	{
		if (into == NULL)
			into = sp_ranking_make(mcx);
		sp_ranking_merge(into, (SpRanking *) PG_GETARG_POINTER(1));
	}
	if (into == NULL)
		PG_RETURN_NULL();
	PG_RETURN_POINTER(into);
}

Datum
smartpouch_ranking_write(PG_FUNCTION_ARGS)
{
	(void) aggregate_context(fcinfo);
	PG_RETURN_BYTEA_P(sp_ranking_write((SpRanking *) PG_GETARG_POINTER(0)));
}

Datum
smartpouch_ranking_read(PG_FUNCTION_ARGS)
{
	(void) aggregate_context(fcinfo);
	PG_RETURN_POINTER(sp_ranking_read(PG_GETARG_BYTEA_PP(0), CurrentMemoryContext));
}

Datum
smartpouch_roc_auc(PG_FUNCTION_ARGS)
{
	double		area;

	(void) aggregate_context(fcinfo);
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	area = sp_ranking_auc((SpRanking *) PG_GETARG_POINTER(0));
	if (isnan(area))
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(area);
}

/* ---- numbers: the state is a float8 array, changed in place ---- */

static double *
state_argument(FunctionCallInfo fcinfo, int arg, int length)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(arg);

	(void) aggregate_context(fcinfo);
	if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != length || ARR_HASNULL(array) ||
		ARR_ELEMTYPE(array) != FLOAT8OID)
		elog(ERROR, "expected an array of %d float8 values", length);
	return (double *) ARR_DATA_PTR(array);
}

Datum
smartpouch_errors_add(PG_FUNCTION_ARGS)
{
	sp_errors_add((SpErrors *) state_argument(fcinfo, 0, SP_N_ERRORS),
				  PG_GETARG_FLOAT8(1), PG_GETARG_FLOAT8(2));
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

Datum
smartpouch_errors_merge(PG_FUNCTION_ARGS)
{
	sp_errors_merge((SpErrors *) state_argument(fcinfo, 0, SP_N_ERRORS),
					(const SpErrors *) state_argument(fcinfo, 1, SP_N_ERRORS));
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

#define NUMBER_RESULT(name, result) \
	Datum \
	smartpouch_##name(PG_FUNCTION_ARGS) \
	{ \
		const SpErrors *errors = (const SpErrors *) state_argument(fcinfo, 0, SP_N_ERRORS); \
		if (errors->rows == 0) \
			PG_RETURN_NULL(); \
		PG_RETURN_FLOAT8(result); \
	}

NUMBER_RESULT(mae, sp_errors_mae(errors))
NUMBER_RESULT(rmse, sp_errors_rmse(errors))
NUMBER_RESULT(mape, sp_errors_mape(errors))

Datum
smartpouch_r2(PG_FUNCTION_ARGS)
{
	const SpErrors *errors = (const SpErrors *) state_argument(fcinfo, 0, SP_N_ERRORS);

	if (errors->rows < 2)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(sp_errors_r2(errors));
}

/* ---- log loss: the state is {rows, sum} ---- */

#define LOSS_ROWS 0
#define LOSS_SUM 1
#define LOSS_LENGTH 2

static Datum
add_loss(FunctionCallInfo fcinfo, double probability)
{
	double	   *state = state_argument(fcinfo, 0, LOSS_LENGTH);

	state[LOSS_ROWS] += 1;
	state[LOSS_SUM] += sp_log_loss(probability);
	return PG_GETARG_DATUM(0);
}

Datum
smartpouch_log_loss_add(PG_FUNCTION_ARGS)
{
	text	   *truth = PG_GETARG_TEXT_PP(1);
	ArrayType  *probabilities = PG_GETARG_ARRAYTYPE_P(2);
	ArrayType  *labels = PG_GETARG_ARRAYTYPE_P(3);
	int			count = ArrayGetNItems(ARR_NDIM(labels), ARR_DIMS(labels));
	ArrayIterator iterator = array_create_iterator(labels, 0, NULL);
	Datum		label;
	bool		isnull;

	if (ArrayGetNItems(ARR_NDIM(probabilities), ARR_DIMS(probabilities)) != count ||
		ARR_HASNULL(probabilities))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there must be one probability for each of the %d labels", count)));
	for (int i = 0; array_iterate(iterator, &label, &isnull); i++)
	{
		text	   *name = isnull ? NULL : DatumGetTextPP(label);

		if (name != NULL && VARSIZE_ANY_EXHDR(name) == VARSIZE_ANY_EXHDR(truth) &&
			memcmp(VARDATA_ANY(name), VARDATA_ANY(truth), VARSIZE_ANY_EXHDR(name)) == 0)
		{
			array_free_iterator(iterator);
			return add_loss(fcinfo, ((double *) ARR_DATA_PTR(probabilities))[i]);
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("truth \"%s\" is not one of the labels", text_to_cstring(truth))));
}

Datum
smartpouch_log_loss_add_binary(PG_FUNCTION_ARGS)
{
	double		probability = PG_GETARG_FLOAT8(2);

	return add_loss(fcinfo, PG_GETARG_BOOL(1) ? probability : 1 - probability);
}

Datum
smartpouch_log_loss_merge(PG_FUNCTION_ARGS)
{
	double	   *into = state_argument(fcinfo, 0, LOSS_LENGTH);
	const double *from = state_argument(fcinfo, 1, LOSS_LENGTH);

	into[LOSS_ROWS] += from[LOSS_ROWS];
	into[LOSS_SUM] += from[LOSS_SUM];
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

Datum
smartpouch_log_loss(PG_FUNCTION_ARGS)
{
	const double *state = state_argument(fcinfo, 0, LOSS_LENGTH);

	if (state[LOSS_ROWS] == 0)
		PG_RETURN_NULL();
	PG_RETURN_FLOAT8(state[LOSS_SUM] / state[LOSS_ROWS]);
}
