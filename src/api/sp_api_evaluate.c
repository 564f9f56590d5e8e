/*
 * src/api/sp_api_evaluate.c
 *
 * Evaluating a version by a query of the caller's.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "api/sp_arguments.h"
#include "api/sp_evaluate.h"
#include "api/sp_model_ref.h"
#include "api/sp_query_rows.h"
#include "registry/sp_registry.h"

PG_FUNCTION_INFO_V1(smartpouch_evaluate);
PG_FUNCTION_INFO_V1(smartpouch_record_evaluation);

#define TRUTH "truth"

/* How the rows of the query are read. */
typedef struct Columns
{
	int			truth;
	int			features;		/* the one other column when it holds all features, else 0 */
	Oid			features_type;
} Columns;

static void
find_columns(TupleDesc desc, Columns *columns)
{
	int			others = 0;

	memset(columns, 0, sizeof(*columns));
	for (int i = 1; i <= desc->natts; i++)
	{
		Form_pg_attribute column = TupleDescAttr(desc, i - 1);

		if (strcmp(NameStr(column->attname), TRUTH) == 0)
		{
			if (columns->truth != 0)
				ereport(ERROR,
						(errcode(ERRCODE_AMBIGUOUS_COLUMN),
						 errmsg("the query has two columns \"%s\"", TRUTH)));
			columns->truth = i;
			continue;
		}
		others++;
		columns->features = sp_holds_features(column->atttypid) ? i : 0;
		columns->features_type = column->atttypid;
	}
	if (columns->truth == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query has no column \"%s\"", TRUTH),
				 errhint("Name the column with the right answers so: SELECT t.*, label AS %s FROM ... AS t.", TRUTH)));
	if (others == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query has no columns for the features")));
	if (others > 1 || columns->features == 0)
	{
		columns->features = 0;
		columns->features_type = RECORDOID;
	}
}

static void
add_row(SpEvaluation *evaluation, const Columns *columns, HeapTuple tuple, TupleDesc desc)
{
	bool		truth_is_null;
	bool		isnull = false;
	Datum		truth = SPI_getbinval(tuple, desc, columns->truth, &truth_is_null);
	Datum		features;

	if (columns->features != 0)
		features = SPI_getbinval(tuple, desc, columns->features, &isnull);
	else
		features = heap_copy_tuple_as_datum(tuple, desc);
	/* predict() gives NULL for NULL features */
	if (truth_is_null || isnull)
		sp_evaluation_skip(evaluation);
	else
		sp_evaluation_add(evaluation, columns->features_type, features, truth);
}

static Jsonb *
evaluate(SpCallSite *site, const char *query)
{
	MemoryContext mcx = CurrentMemoryContext;
	MemoryContext row_mcx = AllocSetContextCreate(mcx, "smartpouch evaluation row", ALLOCSET_DEFAULT_SIZES);
	SpEvaluation *evaluation;
	Columns		columns;
	Portal		portal;
	Jsonb	   *result;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	portal = sp_query_open(query);
	BlessTupleDesc(portal->tupDesc);
	find_columns(portal->tupDesc, &columns);
	MemoryContextSwitchTo(mcx);
	evaluation = sp_evaluation_begin(site, SPI_gettypeid(portal->tupDesc, columns.truth));
	for (;;)
	{
		SPI_cursor_fetch(portal, true, SP_EVALUATE_ROWS);
		if (SPI_processed == 0)
			break;
		MemoryContextSwitchTo(row_mcx);
		for (uint64 i = 0; i < SPI_processed; i++)
			add_row(evaluation, &columns, SPI_tuptable->vals[i], portal->tupDesc);
		MemoryContextReset(row_mcx);
		SPI_freetuptable(SPI_tuptable);
	}
	MemoryContextSwitchTo(mcx);
	result = sp_evaluation_result(evaluation);
	SPI_cursor_close(portal);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	MemoryContextSwitchTo(mcx);
	MemoryContextDelete(row_mcx);
	return result;
}

Datum
smartpouch_evaluate(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	SpCallSite *site = sp_call_site_own(fcinfo, SP_EVALUATE_ROWS);

	sp_call_site_use(site, PG_GETARG_TEXT_PP(0));
	PG_RETURN_JSONB_P(evaluate(site, text_to_cstring(PG_GETARG_TEXT_PP(1))));
}

Datum
smartpouch_record_evaluation(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	text	   *ref = PG_GETARG_TEXT_PP(0);
	char	   *dataset = text_to_cstring(PG_GETARG_TEXT_PP(1));
	Jsonb	   *metrics = PG_GETARG_JSONB_P(2);
	SpResolved	resolved;

	if (*dataset == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the data set must have a name")));
	if (!JB_ROOT_IS_OBJECT(metrics) || JB_ROOT_COUNT(metrics) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("metrics must be an object of named numbers"),
				 errhint("evaluate() returns one.")));
	sp_model_ref(ref, SP_MAY_DEPLOY, &resolved);
	sp_registry_record_evaluation(&resolved.rows, dataset, metrics);
	PG_RETURN_VOID();
}
