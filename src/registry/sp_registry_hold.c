/*
 * src/registry/sp_registry_hold.c
 *
 * Whether rows that were read once are the same to another snapshot.
 */
#include "server/sp_compat.h"

#include "access/heapam.h"
#include "access/table.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "registry/sp_registry_scan.h"

/* One row by its place, held in a buffer. */
typedef struct Row
{
	SpScan		scan;			/* only its relation */
	HeapTupleData tuple;
	Buffer		buffer;
} Row;

static bool
row_begin(Row *row, SpTable table, const ItemPointerData *tid, Snapshot snapshot)
{
	row->scan.relation = table_open(sp_registry_table(table), AccessShareLock);
	row->tuple.t_self = *tid;
	/* a vacuum may have cut off the page */
	if (ItemPointerGetBlockNumber(tid) < RelationGetNumberOfBlocks(row->scan.relation) &&
		heap_fetch(row->scan.relation, snapshot, &row->tuple, &row->buffer, false))
		return true;
	table_close(row->scan.relation, AccessShareLock);
	return false;
}

static void
row_end(Row *row)
{
	ReleaseBuffer(row->buffer);
	table_close(row->scan.relation, AccessShareLock);
}

static bool
model_holds(const SpFoundRows *rows, Snapshot snapshot)
{
	Row			row;
	SpModelRow	model;

	if (!row_begin(&row, SP_TABLE_MODEL, &rows->model_tid, snapshot))
		return false;
	sp_read_model(&row.scan, &row.tuple, &model);
	row_end(&row);
	return memcmp(&model, &rows->model, sizeof(model)) == 0;
}

static bool
version_holds(const SpFoundRows *rows, Snapshot snapshot)
{
	Row			row;
	SpVersionRow version;

	if (!row_begin(&row, SP_TABLE_VERSION, &rows->version_tid, snapshot))
		return false;
	sp_read_version(&row.scan, &row.tuple, &version);
	row_end(&row);
	return memcmp(&version, &rows->version, sizeof(version)) == 0;
}

static bool
target_holds(const SpFoundRows *rows, Snapshot snapshot)
{
	Row			row;
	pg_uuid_t	model_id;
	char		name[SP_NAME_SIZE];
	int32		version;
	SpRouting	routing;

	memset(&routing, 0, sizeof(routing));
	if (!row_begin(&row, rows->target_table, &rows->target_tid, snapshot))
		return false;
	if (rows->target_table == SP_TABLE_DEPLOYMENT)
		sp_read_routing(&row.scan, &row.tuple, &routing);
	model_id = *DatumGetUUIDP(sp_scan_column(&row.scan, &row.tuple, SP_TARGET_MODEL_ID));
	sp_copy_text(name, sizeof(name), sp_scan_column(&row.scan, &row.tuple, SP_TARGET_NAME));
	version = DatumGetInt32(sp_scan_column(&row.scan, &row.tuple, SP_TARGET_VERSION));
	row_end(&row);
	return version == rows->version.version && strcmp(name, rows->target) == 0 &&
		memcmp(&model_id, &rows->model.id, sizeof(model_id)) == 0 &&
		memcmp(&routing, &rows->routing, sizeof(routing)) == 0;
}

bool
sp_registry_rows_hold(const SpFoundRows *rows, Snapshot snapshot)
{
	return model_holds(rows, snapshot) && version_holds(rows, snapshot) &&
		(rows->target[0] == '\0' || target_holds(rows, snapshot));
}
