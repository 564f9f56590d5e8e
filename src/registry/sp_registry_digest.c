/*
 * src/registry/sp_registry_digest.c
 *
 * One hash of all that decides what is predicted.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "registry/sp_registry_history.h"
#include "registry/sp_registry_scan.h"
#include "server/sp_canonical.h"

#define TAG "smartpouch registry 1"

/* In the order of their primary keys, which no setting changes: ids and names in ASCII. */
static const struct
{
	const char *name;
	SpTable		table;
	SpIndex		index;
}			parts[] = {
	{"model", SP_TABLE_MODEL, SP_INDEX_MODEL_ID},
	{"version", SP_TABLE_VERSION, SP_INDEX_VERSION},
	{"deployment", SP_TABLE_DEPLOYMENT, SP_INDEX_DEPLOYMENT},
	{"alias", SP_TABLE_ALIAS, SP_INDEX_ALIAS},
	{"stage", SP_TABLE_STAGE, SP_INDEX_STAGE},
	{"golden", SP_TABLE_GOLDEN, SP_INDEX_GOLDEN},
	{"evaluation", SP_TABLE_EVALUATION, SP_INDEX_EVALUATION}
};

static int
compare_names(const void *a, const void *b, void *arg)
{
	TupleDesc	columns = arg;

	return strcmp(NameStr(TupleDescAttr(columns, *(const int *) a)->attname),
				  NameStr(TupleDescAttr(columns, *(const int *) b)->attname));
}

/* By name: an extension that was updated has them in another order than one that was installed. */
static int *
columns_by_name(TupleDesc columns, int *count)
{
	int		   *order = palloc(columns->natts * sizeof(int));

	*count = 0;
	for (int i = 0; i < columns->natts; i++)
		if (!TupleDescAttr(columns, i)->attisdropped)
			order[(*count)++] = i;
	qsort_arg(order, (size_t) *count, sizeof(int), compare_names, columns);
	return order;
}

/* The hash of a row: the names and values of its columns. */
static void
append_row(StringInfo out, TupleDesc columns, const int *order, int count, HeapTuple tuple)
{
	StringInfoData bytes;
	uint8		hash[SP_SHA256_SIZE];

	initStringInfo(&bytes);
	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute column = TupleDescAttr(columns, order[i]);
		bool		isnull;
		Datum		value = heap_getattr(tuple, column->attnum, columns, &isnull);

		appendBinaryStringInfo(&bytes, NameStr(column->attname), (int) strlen(NameStr(column->attname)) + 1);
		sp_canonical_append(&bytes, column->atttypid, value, isnull);
	}
	sp_sha256(bytes.data, (Size) bytes.len, hash);
	appendBinaryStringInfo(out, (const char *) hash, SP_SHA256_SIZE);
}

/* The name of a part and the hash of what it is made of. */
static void
append_hash_of(StringInfo out, const char *name, const StringInfoData *part)
{
	uint8		hash[SP_SHA256_SIZE];

	sp_sha256(part->data, (Size) part->len, hash);
	appendBinaryStringInfo(out, name, (int) strlen(name) + 1);
	appendBinaryStringInfo(out, (const char *) hash, SP_SHA256_SIZE);
}

static void
append_part(StringInfo out, const char *name, SpTable table, SpIndex index, Snapshot snapshot)
{
	StringInfoData rows;
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "smartpouch digest",
											   ALLOCSET_DEFAULT_SIZES);
	SpScan		scan;
	HeapTuple	tuple;
	int		   *order;
	int			count;

	initStringInfo(&rows);
	sp_scan_begin(&scan, table, index, snapshot, 0, NULL);
	order = columns_by_name(RelationGetDescr(scan.relation), &count);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		MemoryContext old = MemoryContextSwitchTo(work);

		CHECK_FOR_INTERRUPTS();
		append_row(&rows, RelationGetDescr(scan.relation), order, count, tuple);
		MemoryContextSwitchTo(old);
		MemoryContextReset(work);
	}
	sp_scan_end(&scan);
	MemoryContextDelete(work);
	append_hash_of(out, name, &rows);
}

/* Every link of every chain, of dropped models too. */
static void
append_links(StringInfo out, Snapshot snapshot)
{
	StringInfoData links;
	SpScan		scan;
	HeapTuple	tuple;

	initStringInfo(&links);
	sp_scan_begin(&scan, SP_TABLE_EVENT, SP_INDEX_EVENT, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		uint8		hash[SP_SHA256_SIZE];

		CHECK_FOR_INTERRUPTS();
		sp_copy_hash(hash, sp_scan_column(&scan, tuple, SP_EVENT_HASH + 1));
		appendBinaryStringInfo(&links, (const char *) hash, SP_SHA256_SIZE);
	}
	sp_scan_end(&scan);
	append_hash_of(out, "event", &links);
}

void
sp_registry_digest(Snapshot snapshot, uint8 digest[SP_SHA256_SIZE])
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	appendBinaryStringInfo(&bytes, TAG, sizeof(TAG));
	for (Size i = 0; i < lengthof(parts); i++)
		append_part(&bytes, parts[i].name, parts[i].table, parts[i].index, snapshot);
	append_links(&bytes, snapshot);
	sp_sha256(bytes.data, (Size) bytes.len, digest);
}
