/*
 * src/registry/sp_registry_read.c
 *
 * Index scans over the registry's tables.
 */
#include "server/sp_compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "registry/sp_registry.h"

/* Columns in the order of sql/install/10_tables.sql. */
enum
{
	MODEL_ID = 1, MODEL_NAME, MODEL_OWNER_OID, MODEL_OWNER_NAME, MODEL_OWNER_CLUSTER
};
enum
{
	BLOB_SHA256 = 1, BLOB_SEQ, BLOB_BYTES
};
enum
{
	VERSION_MODEL_ID = 1, VERSION_VERSION, VERSION_PROGRAM, VERSION_PROGRAM_BYTES,
	VERSION_ARTIFACT, VERSION_ARTIFACT_BYTES
};
enum
{
	TARGET_MODEL_ID = 1, TARGET_NAME, TARGET_VERSION	/* deployment and alias alike */
};

/* The default ladder; a row in the table stage replaces it. */
static const char *const default_stages[] = {"development", "testing", "staging", SP_PRODUCTION};

/* One open index scan. */
typedef struct Scan
{
	Relation	relation;
	SysScanDesc scan;
} Scan;

static void
scan_begin(Scan *scan, SpTable table, SpIndex index, Snapshot snapshot, int n_keys, ScanKey keys)
{
	Oid			index_oid = sp_registry_index(index);

	scan->relation = table_open(sp_registry_table(table), AccessShareLock);
	scan->scan = systable_beginscan(scan->relation, index_oid, true, snapshot, n_keys, keys);
}

static HeapTuple
scan_next(Scan *scan)
{
	return systable_getnext(scan->scan);
}

static void
scan_end(Scan *scan)
{
	systable_endscan(scan->scan);
	table_close(scan->relation, AccessShareLock);
}

/* All columns read here are declared NOT NULL. */
static Datum
column(Scan *scan, HeapTuple tuple, AttrNumber attribute)
{
	bool		isnull;
	Datum		datum = heap_getattr(tuple, attribute, RelationGetDescr(scan->relation), &isnull);

	if (isnull)
		elog(ERROR, "unexpected null in column %d of \"%s\"", attribute,
			 RelationGetRelationName(scan->relation));
	return datum;
}

static void
copy_text(char *target, Size size, Datum datum)
{
	text_to_cstring_buffer(DatumGetTextPP(datum), target, size);
}

static void
copy_hash(uint8 *target, Datum datum)
{
	bytea	   *hash = DatumGetByteaPP(datum);

	if (VARSIZE_ANY_EXHDR(hash) != SP_SHA256_SIZE)
		elog(ERROR, "hash of unexpected length");
	memcpy(target, VARDATA_ANY(hash), SP_SHA256_SIZE);
}

static void
read_model(Scan *scan, HeapTuple tuple, SpModelRow *model)
{
	memset(model, 0, sizeof(*model));
	model->id = *DatumGetUUIDP(column(scan, tuple, MODEL_ID));
	copy_text(model->name, sizeof(model->name), column(scan, tuple, MODEL_NAME));
	model->owner_oid = DatumGetObjectId(column(scan, tuple, MODEL_OWNER_OID));
	copy_text(model->owner_cluster, sizeof(model->owner_cluster),
			  column(scan, tuple, MODEL_OWNER_CLUSTER));
}

static bool
find_model(SpIndex index, ScanKey key, Snapshot snapshot, SpModelRow *model)
{
	Scan		scan;
	HeapTuple	tuple;

	scan_begin(&scan, SP_TABLE_MODEL, index, snapshot, 1, key);
	tuple = scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		read_model(&scan, tuple, model);
	scan_end(&scan);
	return HeapTupleIsValid(tuple);
}

bool
sp_registry_find_model(const char *name, Snapshot snapshot, SpModelRow *model)
{
	ScanKeyData key;

	ScanKeyInit(&key, MODEL_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	return find_model(SP_INDEX_MODEL_NAME, &key, snapshot, model);
}

static void
read_version(Scan *scan, HeapTuple tuple, SpVersionRow *version)
{
	memset(version, 0, sizeof(*version));
	version->model_id = *DatumGetUUIDP(column(scan, tuple, VERSION_MODEL_ID));
	version->version = DatumGetInt32(column(scan, tuple, VERSION_VERSION));
	copy_hash(version->program, column(scan, tuple, VERSION_PROGRAM));
	version->program_bytes = DatumGetInt64(column(scan, tuple, VERSION_PROGRAM_BYTES));
	copy_hash(version->artifact, column(scan, tuple, VERSION_ARTIFACT));
	version->artifact_bytes = DatumGetInt64(column(scan, tuple, VERSION_ARTIFACT_BYTES));
}

static bool
find_version(SpIndex index, int n_keys, ScanKey keys, Snapshot snapshot, SpVersionRow *version)
{
	Scan		scan;
	HeapTuple	tuple;

	scan_begin(&scan, SP_TABLE_VERSION, index, snapshot, n_keys, keys);
	tuple = scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		read_version(&scan, tuple, version);
	scan_end(&scan);
	return HeapTupleIsValid(tuple);
}

/* The version that a stage (table deployment) or an alias names; 0 for none. */
static int32
find_target(SpTable table, SpIndex index, const SpModelRow *model, const char *name, Snapshot snapshot)
{
	ScanKeyData keys[2];
	Scan		scan;
	HeapTuple	tuple;
	int32		version = 0;

	ScanKeyInit(&keys[0], TARGET_MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(&model->id));
	ScanKeyInit(&keys[1], TARGET_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	scan_begin(&scan, table, index, snapshot, 2, keys);
	tuple = scan_next(&scan);
	if (HeapTupleIsValid(tuple))
		version = DatumGetInt32(column(&scan, tuple, TARGET_VERSION));
	scan_end(&scan);
	return version;
}

bool
sp_registry_is_stage(const char *name, Snapshot snapshot)
{
	Scan		scan;
	HeapTuple	tuple;
	bool		own_ladder = false;
	bool		found = false;

	scan_begin(&scan, SP_TABLE_STAGE, SP_INDEX_STAGE, snapshot, 0, NULL);
	while (!found && HeapTupleIsValid(tuple = scan_next(&scan)))
	{
		own_ladder = true;
		found = strcmp(TextDatumGetCString(column(&scan, tuple, 1)), name) == 0;
	}
	scan_end(&scan);
	for (Size i = 0; !own_ladder && i < lengthof(default_stages); i++)
		found = found || strcmp(default_stages[i], name) == 0;
	return found;
}

static bool
find_numbered(const pg_uuid_t *model_id, int32 number, Snapshot snapshot, SpVersionRow *version)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], VERSION_MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(model_id));
	ScanKeyInit(&keys[1], VERSION_VERSION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
	return find_version(SP_INDEX_VERSION, 2, keys, snapshot, version);
}

SpFound
sp_registry_find(const SpReference *reference, Snapshot snapshot,
				 SpModelRow *model, SpVersionRow *version)
{
	int32		number = reference->version;

	if (!sp_registry_find_model(reference->model, snapshot, model))
		return SP_NO_MODEL;
	if (number == 0)
		number = find_target(SP_TABLE_DEPLOYMENT, SP_INDEX_DEPLOYMENT, model,
							 reference->target, snapshot);
	if (number == 0)
		number = find_target(SP_TABLE_ALIAS, SP_INDEX_ALIAS, model, reference->target, snapshot);
	if (number == 0)
		return sp_registry_is_stage(reference->target, snapshot) ? SP_NOTHING_DEPLOYED : SP_NO_TARGET;
	return find_numbered(&model->id, number, snapshot, version) ? SP_FOUND : SP_NO_VERSION;
}

static bool
find_model_by_id(const pg_uuid_t *id, Snapshot snapshot, SpModelRow *model)
{
	ScanKeyData key;

	ScanKeyInit(&key, MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
	return find_model(SP_INDEX_MODEL_ID, &key, snapshot, model);
}

SpDeployed *
sp_registry_deployed(Snapshot snapshot, int *count)
{
	Scan		scan;
	HeapTuple	tuple;
	int			capacity = 16;
	SpDeployed *deployed = palloc(capacity * sizeof(SpDeployed));

	*count = 0;
	scan_begin(&scan, SP_TABLE_DEPLOYMENT, SP_INDEX_DEPLOYMENT, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = scan_next(&scan)))
	{
		pg_uuid_t	id = *DatumGetUUIDP(column(&scan, tuple, TARGET_MODEL_ID));
		int32		number = DatumGetInt32(column(&scan, tuple, TARGET_VERSION));
		SpDeployed *next;
		SpModelRow	model;

		if (*count == capacity)
			deployed = repalloc(deployed, mul_size(capacity *= 2, sizeof(SpDeployed)));
		next = &deployed[*count];
		copy_text(next->stage, sizeof(next->stage), column(&scan, tuple, TARGET_NAME));
		if (!find_model_by_id(&id, snapshot, &model) ||
			!find_numbered(&id, number, snapshot, &next->version))
			continue;			/* foreign keys switched off and rows removed by hand */
		strlcpy(next->model, model.name, sizeof(next->model));
		(*count)++;
	}
	scan_end(&scan);
	return deployed;
}

bool
sp_registry_find_program(const uint8 *program, Snapshot snapshot,
						 SpModelRow *model, SpVersionRow *version)
{
	ScanKeyData key;

	ScanKeyInit(&key, VERSION_PROGRAM, BTEqualStrategyNumber, F_BYTEAEQ, sp_hash_datum(program));
	if (!find_version(SP_INDEX_VERSION_PROGRAM, 1, &key, snapshot, version))
		return false;
	return find_model_by_id(&version->model_id, snapshot, model);
}

void
sp_registry_not_found(SpFound found, const SpReference *reference)
{
	switch (found)
	{
		case SP_NO_VERSION:
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("model \"%s\" has no version %d", reference->model, reference->version),
					 errhint("The view smartpouch.versions lists its versions.")));
		case SP_NO_TARGET:
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("\"%s\" is neither a stage nor an alias of model \"%s\"",
							reference->target, reference->model),
					 errhint("The views smartpouch.stages and smartpouch.aliases list what there is.")));
		case SP_NOTHING_DEPLOYED:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("model \"%s\" serves no version in stage \"%s\"",
							reference->model, reference->target),
					 errhint("Promote one, as in SELECT smartpouch.promote('%s', 1, '%s'), or name a version, as in '%s:1'.",
							 reference->model, reference->target, reference->model)));
		case SP_NO_MODEL:
		case SP_FOUND:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" does not exist", reference->model),
			 errhint("The view smartpouch.models lists the models of this database.")));
	pg_unreachable();
}

/* Read the pieces in order into bytes; false when they do not add up to size. */
static bool
read_pieces(ScanKey key, char *bytes, int64 size, Snapshot snapshot)
{
	Scan		scan;
	HeapTuple	tuple;
	int64		done = 0;
	int32		seq = 0;
	bool		good = true;

	scan_begin(&scan, SP_TABLE_BLOB, SP_INDEX_BLOB, snapshot, 1, key);
	while (good && HeapTupleIsValid(tuple = scan_next(&scan)))
	{
		Datum		datum = column(&scan, tuple, BLOB_BYTES);
		bytea	   *piece = DatumGetByteaPP(datum);
		Size		length = VARSIZE_ANY_EXHDR(piece);

		CHECK_FOR_INTERRUPTS();
		good = DatumGetInt32(column(&scan, tuple, BLOB_SEQ)) == seq++ &&
			length <= (Size) (size - done);
		if (good)
			memcpy(bytes + done, VARDATA_ANY(piece), length);
		done += length;
		if (PointerGetDatum(piece) != datum)
			pfree(piece);
	}
	scan_end(&scan);
	return good && done == size;
}

char *
sp_registry_blob(const uint8 *sha256, int64 size, Snapshot snapshot, MemoryContext mcx)
{
	ScanKeyData key;
	char	   *bytes;
	uint8		actual[SP_SHA256_SIZE];

	ScanKeyInit(&key, BLOB_SHA256, BTEqualStrategyNumber, F_BYTEAEQ, sp_hash_datum(sha256));
	bytes = MemoryContextAllocHuge(mcx, (Size) size);
	if (read_pieces(&key, bytes, size, snapshot))
	{
		sp_sha256(bytes, (Size) size, actual);
		if (memcmp(actual, sha256, SP_SHA256_SIZE) == 0)
			return bytes;
	}
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored bytes with SHA-256 %s are damaged", sp_hash_hex(sha256)),
			 errdetail("Pieces in table smartpouch.blob are missing or do not have this hash."),
			 errhint("Restore the table from a backup, or import the model again.")));
	pg_unreachable();
}
