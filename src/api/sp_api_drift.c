/*
 * src/api/sp_api_drift.c
 *
 * Baselines, and what was sampled since.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "api/sp_arguments.h"
#include "api/sp_baseline.h"
#include "api/sp_model_ref.h"
#include "api/sp_query_rows.h"
#include "server/sp_drift_counts.h"

PG_FUNCTION_INFO_V1(smartpouch_set_baseline);
PG_FUNCTION_INFO_V1(smartpouch_drop_baseline);
PG_FUNCTION_INFO_V1(smartpouch_drift_counts);

#define FETCHED_ROWS 128

/* The one column that holds all features, or 0: the columns are the features. */
static int
features_column(TupleDesc desc)
{
	return desc->natts == 1 && sp_holds_features(TupleDescAttr(desc, 0)->atttypid) ? 1 : 0;
}

static void
add_row(SpBaselineMaker *maker, int column, HeapTuple tuple, TupleDesc desc)
{
	bool		isnull = false;

	if (column == 0)
		sp_baseline_add(maker, RECORDOID, heap_copy_tuple_as_datum(tuple, desc));
	else
	{
		Datum		features = SPI_getbinval(tuple, desc, column, &isnull);

		if (!isnull)
			sp_baseline_add(maker, SPI_gettypeid(desc, column), features);
	}
}

/* The query runs with the caller's rights, before anything is written. */
static void
read_query(SpCallSite *site, const char *query, SpNewBaseline *baseline)
{
	MemoryContext mcx = CurrentMemoryContext;
	MemoryContext row_mcx = AllocSetContextCreate(mcx, "smartpouch baseline row", ALLOCSET_DEFAULT_SIZES);
	SpBaselineMaker *maker = sp_baseline_begin(site);
	Portal		portal;
	int			column;

	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "SPI_connect failed");
	portal = sp_query_open(query);
	BlessTupleDesc(portal->tupDesc);
	column = features_column(portal->tupDesc);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCHED_ROWS);
		if (SPI_processed == 0)
			break;
		MemoryContextSwitchTo(row_mcx);
		for (uint64 i = 0; i < SPI_processed; i++)
			add_row(maker, column, SPI_tuptable->vals[i], portal->tupDesc);
		MemoryContextReset(row_mcx);
		SPI_freetuptable(SPI_tuptable);
	}
	MemoryContextSwitchTo(mcx);
	sp_baseline_finish(maker, baseline);
	SPI_cursor_close(portal);
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "SPI_finish failed");
	MemoryContextSwitchTo(mcx);
	MemoryContextDelete(row_mcx);
}

Datum
smartpouch_set_baseline(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	text	   *ref = PG_GETARG_TEXT_PP(0);
	SpCallSite *site = sp_call_site_own(fcinfo, 1);
	SpResolved	resolved;
	SpNewBaseline baseline;

	sp_model_ref(ref, SP_MAY_DEPLOY, &resolved);
	sp_call_site_use(site, ref);
	read_query(site, text_to_cstring(PG_GETARG_TEXT_PP(1)), &baseline);
	sp_registry_set_baseline(&site->resolved.rows, &baseline);
	PG_RETURN_INT64(baseline.rows);
}

Datum
smartpouch_drop_baseline(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	SpResolved	resolved;

	sp_model_ref(PG_GETARG_TEXT_PP(0), SP_MAY_DEPLOY, &resolved);
	sp_registry_drop_baseline(&resolved.rows);
	PG_RETURN_VOID();
}

static void
put_counts(const ReturnSetInfo *result, const SpDriftCounts *counts)
{
	Datum	   *cells = palloc(mul_size(Max(counts->n_cells, 1), sizeof(Datum)));
	Datum		values[6];
	bool		nulls[6] = {false};

	for (int i = 0; i < counts->n_cells; i++)
		cells[i] = Int64GetDatum((int64) counts->cells[i]);
	values[0] = UUIDPGetDatum(&counts->key.model_id);
	values[1] = Int32GetDatum(counts->key.version);
	values[2] = TimestampTzGetDatum(counts->key.set_at);
	values[3] = TimestampTzGetDatum(counts->began);
	values[4] = Int64GetDatum((int64) counts->rows);
	values[5] = PointerGetDatum(construct_array(cells, counts->n_cells, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
												TYPALIGN_DOUBLE));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	pfree(cells);
}

/* No row without shared memory: what was rolled up on a server with it is there all the same. */
Datum
smartpouch_drift_counts(PG_FUNCTION_ARGS)
{
	SpDriftCounts *counts = palloc(sizeof(SpDriftCounts));
	int			i = 0;

	InitMaterializedSRF(fcinfo, 0);
	while (sp_drift_counts_available() && sp_drift_counts_next(MyDatabaseId, &i, counts))
		put_counts((ReturnSetInfo *) fcinfo->resultinfo, counts);
	return (Datum) 0;
}
