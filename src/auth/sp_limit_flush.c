/*
 * src/auth/sp_limit_flush.c
 *
 * Between the counts in shared memory and the tables key_count and quota_use.
 *
 * Counts of calls and refusals are added to the table's; a quota's count is the
 * table's, went on from there, and so is set.  Where the table has more (this
 * was a standby, and the primary went on counting) memory takes it over.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "auth/sp_limit.h"
#include "auth/sp_limit_counts.h"
#include "base/sp_gcra.h"
#include "registry/sp_registry_scan.h"

/* Columns of quota_use in the order of sql/install/41_limits.sql. */
enum
{
	USE_KIND = 1, USE_NAME, USE_MONTH, USE_USED
};

/* What sp_limit_write has written, until the commit. */
static SpTracked *written = NULL;
static int	n_written;

static DateADT
first_day(uint32 month)
{
	return date2j((int) month / 12, (int) month % 12 + 1, 1) - POSTGRES_EPOCH_JDATE;
}

int64
sp_limit_used(char kind, const char *name, uint32 month)
{
	ScanKeyData keys[3];
	SpScan		scan;
	HeapTuple	tuple;
	int64		used = 0;

	ScanKeyInit(&keys[0], USE_KIND, BTEqualStrategyNumber, F_CHAREQ, CharGetDatum(kind));
	ScanKeyInit(&keys[1], USE_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	keys[1].sk_collation = C_COLLATION_OID;
	ScanKeyInit(&keys[2], USE_MONTH, BTEqualStrategyNumber, F_DATE_EQ, DateADTGetDatum(first_day(month)));
	sp_scan_begin(&scan, SP_TABLE_QUOTA_USE, SP_INDEX_QUOTA_USE, NULL, lengthof(keys), keys);
	tuple = sp_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		used = DatumGetInt64(sp_scan_column(&scan, tuple, USE_USED));
	sp_scan_end(&scan);
	return used;
}

static void
add_count(const SpTracked *row, const char *what, uint64 calls, TimestampTz last)
{
	Oid			types[] = {TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID};
	Datum		values[] = {
		CStringGetTextDatum(row->id.name), CStringGetTextDatum(what), Int64GetDatum((int64) calls),
		TimestampTzGetDatum(last)
	};

	if (calls == 0)
		return;
	sp_write_sql("INSERT INTO smartpouch.key_count AS c (key_id, what, calls, last_at) VALUES ($1, $2, $3, $4)"
				 " ON CONFLICT ON CONSTRAINT key_count_pkey DO UPDATE SET calls = c.calls + excluded.calls,"
				 " last_at = greatest(c.last_at, excluded.last_at)", lengthof(types), types, values, NULL);
}

/* The table has more of the month than memory had. */
static void
raise_quota(const SpTrackedId *id, uint32 month, uint64 more)
{
	LWLock	   *lock;
	SpTracked  *tracked = sp_tracked_lock(id, false, &lock);
	uint64		word;

	if (tracked == NULL)
		return;
	word = pg_atomic_read_u64(&tracked->quota);
	while (sp_quota_month(word) == month &&
		   !pg_atomic_compare_exchange_u64(&tracked->quota, &word, word + more));
	LWLockRelease(lock);
}

static void
set_quota(SpTracked *row, uint64 word)
{
	Oid			types[] = {CHAROID, TEXTOID, DATEOID, INT8OID};
	Datum		values[] = {
		CharGetDatum(row->id.kind), CStringGetTextDatum(row->id.name),
		DateADTGetDatum(first_day(sp_quota_month(word))), Int64GetDatum((int64) sp_quota_used(word))
	};
	int64		more;

	sp_write_sql("INSERT INTO smartpouch.quota_use AS u (kind, name, month, used) VALUES ($1, $2, $3, $4)"
				 " ON CONFLICT ON CONSTRAINT quota_use_pkey DO UPDATE SET used = greatest(u.used, excluded.used)"
				 " RETURNING used - $4", lengthof(types), types, values, NULL);
	more = DatumGetInt64(sp_write_result(1));
	if (more > 0)
		raise_quota(&row->id, sp_quota_month(word), (uint64) more);
}

static void
write_row(SpTracked *row)
{
	TimestampTz last = (TimestampTz) pg_atomic_read_u64(&row->last_call);
	uint64		word = pg_atomic_read_u64(&row->quota);

	add_count(row, "used", pg_atomic_read_u64(&row->calls) - row->written_calls, last);
	for (int i = 0; i < SP_N_REFUSALS; i++)
		add_count(row, sp_refusal_name(i), pg_atomic_read_u32(&row->refused[i]) - row->written_refused[i],
				  GetCurrentTransactionStartTimestamp());
	if (word != row->written_quota && sp_quota_month(word) != 0)
		set_quota(row, word);
}

void
sp_limit_write(const SpWrite *write)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	(void) write;
	if (written != NULL)
		pfree(written);			/* that transaction failed */
	written = sp_tracked_unwritten(&n_written);
	MemoryContextSwitchTo(old);
	for (int i = 0; i < n_written; i++)
	{
		CHECK_FOR_INTERRUPTS();
		write_row(&written[i]);
	}
}

void
sp_limit_written(void)
{
	sp_tracked_written(written, n_written);
	pfree(written);
	written = NULL;
}
