/*
 * src/registry/sp_registry_expire.c
 *
 * Removing the beginning of a history.
 *
 * The chain goes on from the hash of the last event that was removed, which is
 * kept in table event_head before the events go: its rows are what trigger
 * refuse_removal asks, here and where a subscription replays the removal.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "registry/sp_registry_internal.h"
#include "registry/sp_registry_scan.h"

/* Columns in the order of sql/install/33_retention.sql. */
enum
{
	HEAD_MODEL_ID = 1, HEAD_SEQ, HEAD_HASH
};

int64
sp_registry_event_head(const pg_uuid_t *model_id, Snapshot snapshot, uint8 hash[SP_SHA256_SIZE])
{
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;
	int64		seq = 0;

	memset(hash, 0, SP_SHA256_SIZE);
	ScanKeyInit(&key, HEAD_MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(model_id));
	sp_scan_begin(&scan, SP_TABLE_EVENT_HEAD, SP_INDEX_EVENT_HEAD, snapshot, 1, &key);
	tuple = sp_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
	{
		seq = DatumGetInt64(sp_scan_column(&scan, tuple, HEAD_SEQ));
		sp_copy_hash(hash, sp_scan_column(&scan, tuple, HEAD_HASH));
	}
	sp_scan_end(&scan);
	return seq;
}

/*
 * The last event to go: all before the time that came before what each stage
 * serves (or served when the time was), so that serving_at() stays right from
 * then on.
 */
static const char last_sql[] =
	"SELECT coalesce(max(e.seq), 0) FROM smartpouch.event e"
	" WHERE e.model_id = $1 AND e.recorded_at < $2 AND e.seq < ALL ("
	"  SELECT max(d.seq) FROM smartpouch.event d WHERE d.model_id = $1 AND d.recorded_at < $2"
	"   AND d.stage IS NOT NULL GROUP BY d.stage)";

int64
sp_registry_expire_history(const char *name, TimestampTz before, bool dry_run)
{
	SpWrite		write;
	SpLockedModel model;
	Oid			types[] = {UUIDOID, TIMESTAMPTZOID, INT8OID, TEXTOID};
	Datum		values[4];
	int64		last;
	uint64		removed;

	sp_write_begin(&write, "expire_history()");
	sp_write_lock_own_model(&write, name, &model);
	values[0] = UUIDPGetDatum(&model.id);
	values[1] = TimestampTzGetDatum(before);
	values[3] = CStringGetTextDatum(write.session_role);
	sp_write_sql(last_sql, 2, types, values, NULL);
	last = DatumGetInt64(sp_write_result(1));
	values[2] = Int64GetDatum(last);
	removed = sp_write_sql("SELECT FROM smartpouch.event WHERE model_id = $1 AND seq <= $3",
						   3, types, values, NULL);
	if (!dry_run && removed > 0)
	{
		sp_write_sql("INSERT INTO smartpouch.event_head (model_id, seq, hash, expired_by)"
					 " SELECT model_id, seq, hash, $4 FROM smartpouch.event WHERE model_id = $1 AND seq = $3"
					 " ON CONFLICT ON CONSTRAINT event_head_pkey DO UPDATE SET seq = excluded.seq,"
					 " hash = excluded.hash, expired_at = now(), expired_by = excluded.expired_by",
					 4, types, values, NULL);
		sp_write_sql("DELETE FROM smartpouch.event WHERE model_id = $1 AND seq <= $3", 3, types, values, NULL);
		sp_write_event(&write, &model, &(SpEvent) {
			.action = "expire_history", .detail = psprintf("events up to " INT64_FORMAT, last)
		});
	}
	sp_write_end(&write);
	return (int64) removed;
}
