/*
 * src/registry/sp_registry_read.c
 *
 * Index scans over the registry's tables.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "registry/sp_registry_scan.h"
#include "server/sp_role.h"

/* Columns in the order of sql/install/10_tables.sql. */
enum
{
	MODEL_ID = 1, MODEL_NAME, MODEL_OWNER_OID, MODEL_OWNER_NAME, MODEL_OWNER_CLUSTER
};
enum
{
	VERSION_MODEL_ID = 1, VERSION_VERSION, VERSION_PROGRAM, VERSION_PROGRAM_BYTES,
	VERSION_ARTIFACT, VERSION_ARTIFACT_BYTES, VERSION_MEMORY_BYTES, VERSION_ROW_COST
};
enum
{
	DEPLOYMENT_CANARY_VERSION = 8, DEPLOYMENT_CANARY_PERCENT, DEPLOYMENT_SHADOW_VERSION,
	DEPLOYMENT_SHADOW_PERCENT, DEPLOYMENT_SHADOW_SINCE
};

enum
{
	GOLDEN_MODEL_ID = 1, GOLDEN_VERSION, GOLDEN_SEQ, GOLDEN_FEATURES, GOLDEN_EXPECTED, GOLDEN_TOLERANCE
};

/* The default ladder; a row in the table stage replaces it. */
static const char *const default_stages[] = {"development", "testing", "staging", SP_PRODUCTION};

void
sp_read_model(SpScan *scan, HeapTuple tuple, SpModelRow *model)
{
	memset(model, 0, sizeof(*model));
	model->id = *DatumGetUUIDP(sp_scan_column(scan, tuple, MODEL_ID));
	sp_copy_text(model->name, sizeof(model->name), sp_scan_column(scan, tuple, MODEL_NAME));
	model->owner_oid = DatumGetObjectId(sp_scan_column(scan, tuple, MODEL_OWNER_OID));
	sp_copy_text(model->owner_cluster, sizeof(model->owner_cluster),
			  sp_scan_column(scan, tuple, MODEL_OWNER_CLUSTER));
}

static bool
find_model(SpIndex index, ScanKey key, Snapshot snapshot, SpModelRow *model, ItemPointer tid)
{
	SpScan		scan;
	HeapTuple	tuple;

	sp_scan_begin(&scan, SP_TABLE_MODEL, index, snapshot, 1, key);
	tuple = sp_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
	{
		sp_read_model(&scan, tuple, model);
		*tid = tuple->t_self;
	}
	sp_scan_end(&scan);
	return HeapTupleIsValid(tuple);
}

static bool
find_model_by_name(const char *name, Snapshot snapshot, SpModelRow *model, ItemPointer tid)
{
	ScanKeyData key;

	ScanKeyInit(&key, MODEL_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	return find_model(SP_INDEX_MODEL_NAME, &key, snapshot, model, tid);
}

static bool
find_model_by_id(const pg_uuid_t *id, Snapshot snapshot, SpModelRow *model, ItemPointer tid)
{
	ScanKeyData key;

	ScanKeyInit(&key, MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
	return find_model(SP_INDEX_MODEL_ID, &key, snapshot, model, tid);
}

bool
sp_registry_find_model(const char *name, Snapshot snapshot, SpModelRow *model)
{
	ItemPointerData tid;

	return find_model_by_name(name, snapshot, model, &tid);
}

bool
sp_registry_find_model_by_id(const pg_uuid_t *id, Snapshot snapshot, SpModelRow *model)
{
	ItemPointerData tid;

	return find_model_by_id(id, snapshot, model, &tid);
}

void
sp_read_version(SpScan *scan, HeapTuple tuple, SpVersionRow *version)
{
	memset(version, 0, sizeof(*version));
	version->model_id = *DatumGetUUIDP(sp_scan_column(scan, tuple, VERSION_MODEL_ID));
	version->version = DatumGetInt32(sp_scan_column(scan, tuple, VERSION_VERSION));
	sp_copy_hash(version->program, sp_scan_column(scan, tuple, VERSION_PROGRAM));
	version->program_bytes = DatumGetInt64(sp_scan_column(scan, tuple, VERSION_PROGRAM_BYTES));
	sp_copy_hash(version->artifact, sp_scan_column(scan, tuple, VERSION_ARTIFACT));
	version->artifact_bytes = DatumGetInt64(sp_scan_column(scan, tuple, VERSION_ARTIFACT_BYTES));
	version->row_cost = DatumGetInt64(sp_scan_column(scan, tuple, VERSION_ROW_COST));
}

static bool
find_version(SpIndex index, int n_keys, ScanKey keys, Snapshot snapshot, SpVersionRow *version,
			 ItemPointer tid)
{
	SpScan		scan;
	HeapTuple	tuple;

	sp_scan_begin(&scan, SP_TABLE_VERSION, index, snapshot, n_keys, keys);
	tuple = sp_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
	{
		sp_read_version(&scan, tuple, version);
		*tid = tuple->t_self;
	}
	sp_scan_end(&scan);
	return HeapTupleIsValid(tuple);
}

/* All of a canary or shadow is NULL if its version is. */
void
sp_read_routing(SpScan *scan, HeapTuple tuple, SpRouting *routing)
{
	memset(routing, 0, sizeof(*routing));
	if (!heap_attisnull(tuple, DEPLOYMENT_CANARY_VERSION, RelationGetDescr(scan->relation)))
	{
		routing->canary_version = DatumGetInt32(sp_scan_column(scan, tuple, DEPLOYMENT_CANARY_VERSION));
		routing->canary_percent = DatumGetFloat8(sp_scan_column(scan, tuple, DEPLOYMENT_CANARY_PERCENT));
	}
	if (!heap_attisnull(tuple, DEPLOYMENT_SHADOW_VERSION, RelationGetDescr(scan->relation)))
	{
		routing->shadow_version = DatumGetInt32(sp_scan_column(scan, tuple, DEPLOYMENT_SHADOW_VERSION));
		routing->shadow_percent = DatumGetFloat8(sp_scan_column(scan, tuple, DEPLOYMENT_SHADOW_PERCENT));
		routing->shadow_since = DatumGetTimestampTz(sp_scan_column(scan, tuple, DEPLOYMENT_SHADOW_SINCE));
	}
}

/* The version that a stage (table deployment) or an alias names; 0 for none. */
static int32
find_target(SpTable table, SpIndex index, const char *name, Snapshot snapshot, SpFoundRows *rows)
{
	ScanKeyData keys[2];
	SpScan		scan;
	HeapTuple	tuple;
	int32		version = 0;

	ScanKeyInit(&keys[0], SP_TARGET_MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(&rows->model.id));
	ScanKeyInit(&keys[1], SP_TARGET_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	sp_scan_begin(&scan, table, index, snapshot, 2, keys);
	tuple = sp_scan_next(&scan);
	if (HeapTupleIsValid(tuple))
	{
		version = DatumGetInt32(sp_scan_column(&scan, tuple, SP_TARGET_VERSION));
		rows->target_tid = tuple->t_self;
		rows->target_table = table;
		strlcpy(rows->target, name, sizeof(rows->target));
		if (table == SP_TABLE_DEPLOYMENT)
			sp_read_routing(&scan, tuple, &rows->routing);
	}
	sp_scan_end(&scan);
	return version;
}

bool
sp_registry_is_stage(const char *name, Snapshot snapshot)
{
	SpScan		scan;
	HeapTuple	tuple;
	bool		own_ladder = false;
	bool		found = false;

	sp_scan_begin(&scan, SP_TABLE_STAGE, SP_INDEX_STAGE, snapshot, 0, NULL);
	while (!found && HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		own_ladder = true;
		found = strcmp(TextDatumGetCString(sp_scan_column(&scan, tuple, 1)), name) == 0;
	}
	sp_scan_end(&scan);
	for (Size i = 0; !own_ladder && i < lengthof(default_stages); i++)
		found = found || strcmp(default_stages[i], name) == 0;
	return found;
}

bool
sp_registry_is_default_ladder(const char **stages, int count)
{
	bool		same = count == lengthof(default_stages);

	for (int i = 0; same && i < count; i++)
		same = strcmp(stages[i], default_stages[i]) == 0;
	return same;
}

static bool
find_numbered(const pg_uuid_t *model_id, int32 number, Snapshot snapshot, SpVersionRow *version,
			  ItemPointer tid)
{
	ScanKeyData keys[2];

	ScanKeyInit(&keys[0], VERSION_MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(model_id));
	ScanKeyInit(&keys[1], VERSION_VERSION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(number));
	return find_version(SP_INDEX_VERSION, 2, keys, snapshot, version, tid);
}

SpFound
sp_registry_find(const SpReference *reference, Snapshot snapshot, SpFoundRows *rows)
{
	int32		number = reference->version;

	memset(rows, 0, sizeof(*rows));
	if (sp_registry_subscription(snapshot) == SP_HALF_COPIED)
		return SP_NOT_COPIED;
	if (!find_model_by_name(reference->model, snapshot, &rows->model, &rows->model_tid))
		return SP_NO_MODEL;
	if (number == 0)
		number = find_target(SP_TABLE_DEPLOYMENT, SP_INDEX_DEPLOYMENT, reference->target, snapshot, rows);
	if (number == 0)
		number = find_target(SP_TABLE_ALIAS, SP_INDEX_ALIAS, reference->target, snapshot, rows);
	if (number == 0)
		return sp_registry_is_stage(reference->target, snapshot) ? SP_NOTHING_DEPLOYED : SP_NO_TARGET;
	return find_numbered(&rows->model.id, number, snapshot, &rows->version, &rows->version_tid) ?
		SP_FOUND : SP_NO_VERSION;
}

bool
sp_registry_find_program(const uint8 *program, Snapshot snapshot, SpAcceptModel accept, SpFoundRows *rows)
{
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;
	bool		found = false;

	memset(rows, 0, sizeof(*rows));
	ScanKeyInit(&key, VERSION_PROGRAM, BTEqualStrategyNumber, F_BYTEAEQ, sp_hash_datum(program));
	sp_scan_begin(&scan, SP_TABLE_VERSION, SP_INDEX_VERSION_PROGRAM, snapshot, 1, &key);
	while (!found && HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		sp_read_version(&scan, tuple, &rows->version);
		rows->version_tid = tuple->t_self;
		found = find_model_by_id(&rows->version.model_id, snapshot, &rows->model, &rows->model_tid) &&
			(accept == NULL || accept(&rows->model));
	}
	sp_scan_end(&scan);
	return found;
}

bool
sp_registry_blob_is_needed(const uint8 *sha256, Snapshot snapshot)
{
	static const struct
	{
		SpTable		table;
		SpIndex		index;
		AttrNumber	column;
	}			users[] = {
		{SP_TABLE_VERSION, SP_INDEX_VERSION_PROGRAM, VERSION_PROGRAM},
		{SP_TABLE_VERSION, SP_INDEX_VERSION_ARTIFACT, VERSION_ARTIFACT},
		{SP_TABLE_SNAPSHOT, SP_INDEX_SNAPSHOT_PROGRAM, SP_SNAPSHOT_PROGRAM},
		{SP_TABLE_SNAPSHOT, SP_INDEX_SNAPSHOT_ARTIFACT, SP_SNAPSHOT_ARTIFACT}
	};
	bool		needed = false;

	for (size_t i = 0; i < lengthof(users) && !needed; i++)
	{
		ScanKeyData key;
		SpScan		scan;

		ScanKeyInit(&key, users[i].column, BTEqualStrategyNumber, F_BYTEAEQ, sp_hash_datum(sha256));
		sp_scan_begin(&scan, users[i].table, users[i].index, snapshot, 1, &key);
		needed = HeapTupleIsValid(sp_scan_next(&scan));
		sp_scan_end(&scan);
	}
	return needed;
}

bool
sp_registry_program_is_committed(const uint8 *program, Snapshot snapshot)
{
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;
	bool		committed = false;

	ScanKeyInit(&key, VERSION_PROGRAM, BTEqualStrategyNumber, F_BYTEAEQ, sp_hash_datum(program));
	sp_scan_begin(&scan, SP_TABLE_VERSION, SP_INDEX_VERSION_PROGRAM, snapshot, 1, &key);
	while (!committed && HeapTupleIsValid(tuple = sp_scan_next(&scan)))
		committed = !TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tuple->t_data));
	sp_scan_end(&scan);
	return committed;
}

/* What serves several stages is there once; rows of a model come one after the other. */
static void
add_deployed(SpDeployed **deployed, int *count, const SpModelRow *model, const SpVersionRow *version)
{
	for (int i = *count - 1; i >= 0 && memcmp(&(*deployed)[i].version.model_id, &version->model_id, sizeof(pg_uuid_t)) == 0; i--)
		if ((*deployed)[i].version.version == version->version)
			return;
	if (*count == 0)
		*deployed = palloc(16 * sizeof(SpDeployed));
	else if (*count >= 16 && (*count & (*count - 1)) == 0)
		*deployed = repalloc(*deployed, mul_size(2 * (Size) *count, sizeof(SpDeployed)));
	strlcpy((*deployed)[*count].model, model->name, SP_NAME_SIZE);
	(*deployed)[(*count)++].version = *version;
}

/* Count what names a version that is not there, adding what is there and answers to deployed if that is not NULL. */
static int
walk_targets(SpTable table, SpIndex index, Snapshot snapshot, SpDeployed **deployed, int *count)
{
	SpScan		scan;
	HeapTuple	tuple;
	int			lost = 0;

	sp_scan_begin(&scan, table, index, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		pg_uuid_t	id = *DatumGetUUIDP(sp_scan_column(&scan, tuple, SP_TARGET_MODEL_ID));
		SpRouting	routing = {0};
		ItemPointerData tid;
		SpModelRow	model;

		if (table == SP_TABLE_DEPLOYMENT)
			sp_read_routing(&scan, tuple, &routing);
		if (!find_model_by_id(&id, snapshot, &model, &tid))
		{
			lost++;
			continue;
		}
		enum
		{
			SERVED, CANARY, SHADOW
		};
		int32		numbers[] = {[SERVED] = DatumGetInt32(sp_scan_column(&scan, tuple, SP_TARGET_VERSION)),
			[CANARY] = routing.canary_version, [SHADOW] = routing.shadow_version};

		for (Size i = 0; i < lengthof(numbers); i++)
		{
			SpVersionRow version;

			if (i != SERVED && numbers[i] == 0)
				continue;
			if (!find_numbered(&id, numbers[i], snapshot, &version, &tid))
				lost++;
			else if (deployed != NULL && i < SHADOW)
				add_deployed(deployed, count, &model, &version);
		}
	}
	sp_scan_end(&scan);
	return lost;
}

SpDeployed *
sp_registry_deployed(Snapshot snapshot, int *count, int *lost)
{
	SpDeployed *deployed = NULL;

	*count = 0;
	*lost = walk_targets(SP_TABLE_DEPLOYMENT, SP_INDEX_DEPLOYMENT, snapshot, &deployed, count);
	*lost += walk_targets(SP_TABLE_ALIAS, SP_INDEX_ALIAS, snapshot, NULL, NULL);
	return deployed;
}

int
sp_registry_unowned(Snapshot snapshot)
{
	SpScan		scan;
	HeapTuple	tuple;
	int			unowned = 0;

	sp_scan_begin(&scan, SP_TABLE_MODEL, SP_INDEX_MODEL_ID, snapshot, 0, NULL);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		SpModelRow	model;

		sp_read_model(&scan, tuple, &model);
		unowned += !sp_role_exists(model.owner_oid, model.owner_cluster);
	}
	sp_scan_end(&scan);
	return unowned;
}

SpGoldenRow *
sp_registry_golden(const SpFoundRows *rows, Snapshot snapshot, int *count)
{
	ScanKeyData keys[2];
	SpScan		scan;
	HeapTuple	tuple;
	int			capacity = 16;
	SpGoldenRow *golden = palloc(capacity * sizeof(SpGoldenRow));

	*count = 0;
	ScanKeyInit(&keys[0], GOLDEN_MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ,
				UUIDPGetDatum(&rows->model.id));
	ScanKeyInit(&keys[1], GOLDEN_VERSION, BTEqualStrategyNumber, F_INT4EQ,
				Int32GetDatum(rows->version.version));
	sp_scan_begin(&scan, SP_TABLE_GOLDEN, SP_INDEX_GOLDEN, snapshot, 2, keys);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		SpGoldenRow *next;

		if (*count == capacity)
			golden = repalloc(golden, mul_size(capacity *= 2, sizeof(SpGoldenRow)));
		next = &golden[(*count)++];
		next->seq = DatumGetInt32(sp_scan_column(&scan, tuple, GOLDEN_SEQ));
		next->features = DatumGetJsonbPCopy(sp_scan_column(&scan, tuple, GOLDEN_FEATURES));
		next->expected = DatumGetJsonbPCopy(sp_scan_column(&scan, tuple, GOLDEN_EXPECTED));
		next->tolerance = DatumGetFloat8(sp_scan_column(&scan, tuple, GOLDEN_TOLERANCE));
	}
	sp_scan_end(&scan);
	return golden;
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
		case SP_NOT_COPIED:
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the models of this database are being copied from their publisher"),
					 errhint("Try again when pg_subscription_rel shows the state \"r\" for all tables of schema smartpouch.")));
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
