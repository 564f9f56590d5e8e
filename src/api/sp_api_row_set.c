/*
 * src/api/sp_api_row_set.c
 *
 * The hash of a set of rows: the sum of their SHA-256 as integers of 256 bits,
 * lowest byte first.  It is the same for every order of the rows, so nothing is sorted.
 */
#include "server/sp_compat.h"

#include "access/relation.h"
#include "access/tableam.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "server/sp_hash.h"
#include "server/sp_subtransaction.h"

PG_FUNCTION_INFO_V1(smartpouch_row_set_add);
PG_FUNCTION_INFO_V1(smartpouch_row_set_hash);
PG_FUNCTION_INFO_V1(smartpouch_table_hash);

static void
add_row(uint8 sum[SP_SHA256_SIZE], const char *row, Size size)
{
	uint8		hash[SP_SHA256_SIZE];
	unsigned int carry = 0;

	sp_sha256(row, size, hash);
	for (int i = 0; i < SP_SHA256_SIZE; i++)
	{
		carry += (unsigned int) sum[i] + hash[i];
		sum[i] = (uint8) carry;
		carry >>= 8;
	}
}

/* ---- as an aggregate ---- */

Datum
smartpouch_row_set_add(PG_FUNCTION_ARGS)
{
	MemoryContext aggregate;
	uint8	   *sum;
	text	   *row;

	if (!AggCheckCallContext(fcinfo, &aggregate))
		elog(ERROR, "smartpouch_row_set_add called outside an aggregate");
	sum = PG_ARGISNULL(0) ? MemoryContextAllocZero(aggregate, SP_SHA256_SIZE) : (uint8 *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(sum);
	row = PG_GETARG_TEXT_PP(1);
	add_row(sum, VARDATA_ANY(row), VARSIZE_ANY_EXHDR(row));
	PG_RETURN_POINTER(sum);
}

Datum
smartpouch_row_set_hash(PG_FUNCTION_ARGS)
{
	static const uint8 none[SP_SHA256_SIZE] = {0};

	PG_RETURN_DATUM(sp_hash_datum(PG_ARGISNULL(0) ? none : (const uint8 *) PG_GETARG_POINTER(0)));
}

/* ---- of a table ---- */

typedef struct TableHash
{
	Oid			table;
	int64		rows;
	uint8		sum[SP_SHA256_SIZE];
} TableHash;

/*
 * A scan without a plan: to plan a query calls what the table's owner wrote, in
 * expressions and conditions of indexes and in statistics, which may raise or never end.
 */
static void
read_table(void *arg)
{
	TableHash  *result = arg;
	Relation	table = relation_open(result->table, AccessShareLock);
	TupleTableSlot *slot;
	TableScanDesc scan;
	MemoryContext row_mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch row", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	FmgrInfo	record_out;

	if (table->rd_rel->relkind != RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(table))));
	fmgr_info(F_RECORD_OUT, &record_out);
	slot = table_slot_create(table, NULL);
	scan = table_beginscan(table, GetActiveSnapshot(), 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		const char *row;

		CHECK_FOR_INTERRUPTS();
		old = MemoryContextSwitchTo(row_mcx);
		row = OutputFunctionCall(&record_out, ExecFetchSlotHeapTupleDatum(slot));
		add_row(result->sum, row, strlen(row));
		result->rows++;
		MemoryContextSwitchTo(old);
		MemoryContextReset(row_mcx);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	relation_close(table, NoLock);
}

/* Or could it be read at another time, or should it be? */
static bool
is_about_rows(int code)
{
	switch (ERRCODE_TO_CATEGORY(code))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
			return false;
		default:
			return code != ERRCODE_DATA_CORRUPTED && code != ERRCODE_WRONG_OBJECT_TYPE;
	}
}

/* One row that has no text must not keep the rest of a database from being looked at. */
Datum
smartpouch_table_hash(PG_FUNCTION_ARGS)
{
	TableHash	result = {.table = PG_GETARG_OID(0)};
	ErrorData  *error = sp_subtransaction(read_table, &result);
	Datum		values[3];
	bool		nulls[] = {error != NULL, error != NULL, error == NULL};
	TupleDesc	columns;

	if (error != NULL && !is_about_rows(error->sqlerrcode))
		ReThrowError(error);
	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "smartpouch_table_hash called for another type");
	values[0] = Int64GetDatum(result.rows);
	values[1] = sp_hash_datum(result.sum);
	values[2] = error == NULL ? (Datum) 0 : CStringGetTextDatum(unpack_sql_state(error->sqlerrcode));
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls)));
}
