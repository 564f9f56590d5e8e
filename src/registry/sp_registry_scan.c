/*
 * src/registry/sp_registry_scan.c
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"

#include "registry/sp_registry_scan.h"

void
sp_scan_begin(SpScan *scan, SpTable table, SpIndex index, Snapshot snapshot, int n_keys, ScanKey keys)
{
	Oid			index_oid = sp_registry_index(index);

	scan->relation = table_open(sp_registry_table(table), AccessShareLock);
	scan->scan = systable_beginscan(scan->relation, index_oid, true, snapshot, n_keys, keys);
}

HeapTuple
sp_scan_next(SpScan *scan)
{
	return systable_getnext(scan->scan);
}

void
sp_scan_end(SpScan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->relation, AccessShareLock);
}

Datum
sp_scan_column(SpScan *scan, HeapTuple tuple, AttrNumber attribute)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, attribute, RelationGetDescr(scan->relation), &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d of \"%s\"", attribute,
			 RelationGetRelationName(scan->relation));
	return datum;
}

void
sp_copy_text(char *target, Size size, Datum datum)
{
	text_to_cstring_buffer(DatumGetTextPP(datum), target, size);
}

void
sp_copy_hash(uint8 *target, Datum datum)
{
	bytea	   *hash = DatumGetByteaPP(datum);

	if (VARSIZE_ANY_EXHDR(hash) != SP_SHA256_SIZE)
		elog(ERROR, "hash of unexpected length");
	memcpy(target, VARDATA_ANY(hash), SP_SHA256_SIZE);
}
