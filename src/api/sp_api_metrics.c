/*
 * src/api/sp_api_metrics.c
 *
 * Counters of shared memory as rows.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "server/sp_metrics.h"

PG_FUNCTION_INFO_V1(smartpouch_call_counts);
PG_FUNCTION_INFO_V1(smartpouch_call_totals);
PG_FUNCTION_INFO_V1(smartpouch_database_counts);
PG_FUNCTION_INFO_V1(smartpouch_metrics_info);
PG_FUNCTION_INFO_V1(smartpouch_reset_metrics);

static void
require_counters(void)
{
	if (!sp_series_available())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("metrics are not available"),
				 errdetail("They are counted in shared memory, which smartpouch has when the server loads it at its start."),
				 errhint("Add smartpouch to shared_preload_libraries and restart the server.")));
}

/* Cells as bigint[]. */
static Datum
array_of(const uint64 *cells, int count)
{
	Datum		elements[SP_SERIES_CELLS];

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum((int64) cells[i]);
	return PointerGetDatum(construct_array(elements, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

static bool
was_counted_in(const SpSeries *series)
{
	return series->cells[SP_SERIES_LAST_AT] != 0;
}

/* Series that stand for others of several databases are nobody's, so they have none. */
static bool
has_totals(const SpSeries *series)
{
	return series->number > 0;
}

#define COUNTED_COLUMNS 11

/* What both functions have in common. */
static void
fill_columns(const SpSeriesKey *key, bool is_overflow, const uint64 *cells, Datum *values, bool *nulls)
{
	static const pg_uuid_t no_model;

	values[0] = UUIDPGetDatum(&key->model_id);
	nulls[0] = memcmp(&key->model_id, &no_model, sizeof(no_model)) == 0;
	values[1] = Int32GetDatum(key->version);
	nulls[1] = key->version == 0;
	values[2] = ObjectIdGetDatum(key->role);
	nulls[2] = !OidIsValid(key->role);
	values[3] = CStringGetTextDatum(key->name);
	nulls[3] = key->name[0] == '\0';
	values[4] = BoolGetDatum(is_overflow);
	values[5] = Int64GetDatum((int64) sp_cells_calls(cells));
	values[6] = Int64GetDatum((int64) cells[SP_CELL_ROWS]);
	values[7] = Int64GetDatum((int64) cells[SP_CELL_BUSY]);
	values[8] = Int64GetDatum((int64) sp_cells_cpu(cells));
	values[9] = array_of(&cells[SP_CELL_ERRORS], SP_N_REASONS);
	values[10] = array_of(&cells[SP_CELL_LATENCIES], SP_N_LATENCY_BUCKETS);
}

static void
put_counts(const ReturnSetInfo *result, const SpSeries *series)
{
	Datum		values[COUNTED_COLUMNS + 2];
	bool		nulls[COUNTED_COLUMNS + 2] = {false};

	fill_columns(&series->key, series->is_overflow, series->cells, values, nulls);
	values[COUNTED_COLUMNS] = TimestampTzGetDatum(series->since);
	values[COUNTED_COLUMNS + 1] = TimestampTzGetDatum((TimestampTz) series->cells[SP_SERIES_LAST_AT]);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_totals(const ReturnSetInfo *result, const SpSeries *series)
{
	Datum		values[COUNTED_COLUMNS + 1];
	bool		nulls[COUNTED_COLUMNS + 1] = {false};

	fill_columns(&series->key, series->is_overflow, series->totals, values, nulls);
	values[COUNTED_COLUMNS] = Int64GetDatum((int64) series->number);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static SpSeriesKind
kind_of(const char *name)
{
	if (strcmp(name, "prediction") == 0)
		return SP_SERIES_PREDICTION;
	if (strcmp(name, "load") == 0)
		return SP_SERIES_LOAD;
	if (strcmp(name, "usage") == 0)
		return SP_SERIES_USAGE;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is no kind of calls", name),
			 errdetail("The kinds are prediction, load and usage.")));
}

/* Rows of the database's series of the kind in the first argument. */
static Datum
put_series(FunctionCallInfo fcinfo, bool (*has_row) (const SpSeries *series),
		   void (*put) (const ReturnSetInfo *result, const SpSeries *series))
{
	SpSeriesKind kind = kind_of(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	SpSeries   *series;
	int			count;

	require_counters();
	InitMaterializedSRF(fcinfo, 0);
	series = sp_series_read(kind, MyDatabaseId, &count);
	for (int i = 0; i < count; i++)
		if (has_row(&series[i]))
			put((ReturnSetInfo *) fcinfo->resultinfo, &series[i]);
	return (Datum) 0;
}

Datum
smartpouch_call_totals(PG_FUNCTION_ARGS)
{
	return put_series(fcinfo, has_totals, put_totals);
}

Datum
smartpouch_call_counts(PG_FUNCTION_ARGS)
{
	return put_series(fcinfo, was_counted_in, put_counts);
}

static void
put_count(const ReturnSetInfo *result, const char *counter, const char *detail, uint64 count)
{
	Datum		values[3] = {CStringGetTextDatum(counter), 0, Int64GetDatum((int64) count)};
	bool		nulls[3] = {false, detail == NULL, false};

	if (detail != NULL)
		values[1] = CStringGetTextDatum(detail);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
put_database(const ReturnSetInfo *result, const uint64 *cells)
{
	put_count(result, "cache_hits", NULL, cells[SP_CELL_CACHE_HITS]);
	put_count(result, "cache_misses", NULL, cells[SP_CELL_CACHE_MISSES]);
	put_count(result, "cache_evictions", NULL, cells[SP_CELL_CACHE_EVICTIONS]);
	put_count(result, "key_grace_uses", NULL, cells[SP_CELL_GRACE_USES]);
	put_count(result, "auth_attempts", NULL, cells[SP_CELL_AUTH_ATTEMPTS]);
	for (int i = 0; i < SP_N_AUTH_FAILURES; i++)
		put_count(result, "auth_failures", sp_auth_failure_name((SpAuthFailure) i), cells[SP_CELL_AUTH_FAILURES + i]);
	for (int i = 0; i < SP_N_LIMITS; i++)
		put_count(result, "ratelimit_rejections", sp_limit_scope_name((SpLimitScope) i), cells[SP_CELL_LIMIT_REFUSALS + i]);
}

Datum
smartpouch_database_counts(PG_FUNCTION_ARGS)
{
	uint64		cells[SP_SERIES_CELLS] = {0};
	SpSeries   *series;
	int			count;

	require_counters();
	InitMaterializedSRF(fcinfo, 0);
	series = sp_series_read(SP_SERIES_DATABASE, MyDatabaseId, &count);
	for (int i = 0; i < count; i++)
		if (!series[i].is_overflow)
			memcpy(cells, series[i].cells, sizeof(cells));
	put_database((ReturnSetInfo *) fcinfo->resultinfo, cells);
	return (Datum) 0;
}

Datum
smartpouch_metrics_info(PG_FUNCTION_ARGS)
{
	SpSeriesFacts facts;
	TupleDesc	columns;
	Datum		values[6];
	bool		nulls[6] = {false};
	int			series = 0;
	int			max_series = 0;

	require_counters();
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	sp_series_facts(&facts);
	for (int kind = SP_SERIES_PREDICTION; kind < SP_N_SERIES_KINDS; kind++)
	{
		series += facts.series[kind];
		max_series += facts.max_series[kind];
	}
	values[0] = UUIDPGetDatum(&facts.boot_id);
	values[1] = TimestampTzGetDatum(facts.started_at);
	values[2] = Int32GetDatum(series);
	values[3] = Int32GetDatum(max_series);
	values[4] = Int64GetDatum((int64) facts.dropped);
	values[5] = CStringGetTextDatum(sp_simd_name(sp_guc_simd()));
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls));
}

Datum
smartpouch_reset_metrics(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	require_counters();
	sp_series_reset(MyDatabaseId);
	PG_RETURN_VOID();
}
