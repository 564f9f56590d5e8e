/*
 * src/registry/sp_registry_api_key.c
 */
#include "server/sp_compat.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "registry/sp_registry_api_key.h"
#include "registry/sp_registry_scan.h"
#include "server/sp_role.h"

/* Columns in the order of sql/install/42_api_keys.sql, from 0. */
enum
{
	KEY_ID, KEY_HASH, KEY_PEPPER, KEY_STAGE, KEY_OWNER, KEY_SCOPES, KEY_RATE_LIMIT, KEY_BURST, KEY_QUOTA,
	KEY_NOT_BEFORE, KEY_EXPIRES_AT, KEY_ENABLED, KEY_REVOKED_AT, KEY_CREATOR_OID, KEY_CREATOR_NAME,
	KEY_CREATOR_CLUSTER, KEY_CLUSTER_ID, KEY_DATABASE_OID, KEY_CHAIN, KEY_REPLACED_BY, KEY_REVOKE_REASON,
	KEY_DESCRIPTION, KEY_TAGS, KEY_CREATED_AT, KEY_COLUMNS
};

static SpKeyStage
stage_of(Datum name)
{
	text	   *value = DatumGetTextPP(name);
	SpKeyStage	stage;

	if (!sp_key_stage_find(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &stage))
		elog(ERROR, "unexpected stage of an API key");
	return stage;
}

static void
read_row(Relation relation, HeapTuple tuple, SpApiKeyRow *row)
{
	Datum		values[KEY_COLUMNS];
	bool		nulls[KEY_COLUMNS];

	if (RelationGetDescr(relation)->natts != KEY_COLUMNS)
		elog(ERROR, "table \"%s\" has unexpected columns", RelationGetRelationName(relation));
	heap_deform_tuple(tuple, RelationGetDescr(relation), values, nulls);
	sp_copy_text(row->id, sizeof(row->id), values[KEY_ID]);
	sp_copy_hash(row->hash, values[KEY_HASH]);
	row->pepper[0] = '\0';
	if (!nulls[KEY_PEPPER])
		sp_copy_text(row->pepper, sizeof(row->pepper), values[KEY_PEPPER]);
	row->stage = stage_of(values[KEY_STAGE]);
	row->rate_limit = nulls[KEY_RATE_LIMIT] ? 0 : DatumGetInt32(values[KEY_RATE_LIMIT]);
	row->burst = nulls[KEY_BURST] ? 0 : DatumGetInt32(values[KEY_BURST]);
	row->quota = nulls[KEY_QUOTA] ? 0 : DatumGetInt64(values[KEY_QUOTA]);
	row->not_before = DatumGetTimestampTz(values[KEY_NOT_BEFORE]);
	row->expires_at = DatumGetTimestampTz(values[KEY_EXPIRES_AT]);
	row->created_at = DatumGetTimestampTz(values[KEY_CREATED_AT]);
	row->enabled = DatumGetBool(values[KEY_ENABLED]);
	row->revoked = !nulls[KEY_REVOKED_AT];
	row->replaced = !nulls[KEY_REPLACED_BY];
	row->creator_oid = DatumGetObjectId(values[KEY_CREATOR_OID]);
	sp_copy_text(row->creator_cluster, sizeof(row->creator_cluster), values[KEY_CREATOR_CLUSTER]);
	sp_copy_text(row->cluster, sizeof(row->cluster), values[KEY_CLUSTER_ID]);
	row->database = DatumGetObjectId(values[KEY_DATABASE_OID]);
	sp_copy_text(row->chain, sizeof(row->chain), values[KEY_CHAIN]);
	sp_copy_text(row->owner, sizeof(row->owner), values[KEY_OWNER]);
	row->scopes = DatumGetArrayTypePCopy(values[KEY_SCOPES]);
}

/*
 * Where there is no row, read the first one that this process has found: an id
 * after all others would be answered sooner without it.  It is fetched from its
 * place, if it is there still, for the time that this takes.
 */
static void
read_decoy(Relation relation, Snapshot snapshot, HeapTuple decoy, SpApiKeyRow *row)
{
	HeapTupleData fetched;
	Buffer		buffer;

	memset(row, 0, sizeof(*row));
	if (decoy == NULL)
		return;
	fetched.t_self = decoy->t_self;
	if (ItemPointerGetBlockNumber(&fetched.t_self) < RelationGetNumberOfBlocks(relation) &&
		heap_fetch(relation, snapshot, &fetched, &buffer, false))
		ReleaseBuffer(buffer);
	read_row(relation, decoy, row);
	row->id[0] = '\0';
}

static HeapTuple
copy_for_ever(HeapTuple tuple)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
	HeapTuple	copy = heap_copytuple(tuple);

	MemoryContextSwitchTo(old);
	return copy;
}

bool
sp_registry_api_key_at(const char *id, SpApiKeyRow *row)
{
	static HeapTuple decoy = NULL;
	Relation	relation = table_open(sp_registry_table(SP_TABLE_API_KEY), AccessShareLock);
	Relation	index = index_open(sp_registry_index(SP_INDEX_API_KEY), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&key, KEY_ID + 1, BTGreaterEqualStrategyNumber, F_TEXT_GE, CStringGetTextDatum(id));
	scan = systable_beginscan_ordered(relation, index, NULL, 1, &key);
	tuple = systable_getnext_ordered(scan, ForwardScanDirection);
	found = HeapTupleIsValid(tuple);
	if (found)
		read_row(relation, tuple, row);
	else
		read_decoy(relation, scan->snapshot, decoy, row);
	if (found && decoy == NULL)
		decoy = copy_for_ever(tuple);
	systable_endscan_ordered(scan);
	index_close(index, AccessShareLock);
	table_close(relation, AccessShareLock);
	return found;
}

bool
sp_registry_api_key_is_here(const SpApiKeyRow *row)
{
	return row->database == MyDatabaseId && strcmp(row->cluster, sp_cluster_id()) == 0;
}

int
sp_registry_api_keys_waiting(Snapshot snapshot)
{
	TimestampTz now = GetCurrentTimestamp();
	SpScan		scan;
	HeapTuple	tuple;
	int			waiting = 0;

	sp_scan_begin(&scan, SP_TABLE_API_KEY, SP_INDEX_API_KEY, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		SpApiKeyRow row;

		CHECK_FOR_INTERRUPTS();
		read_row(scan.relation, tuple, &row);
		pfree(row.scopes);
		waiting += !row.revoked && row.expires_at > now && !sp_registry_api_key_is_here(&row);
	}
	sp_scan_end(&scan);
	return waiting;
}
