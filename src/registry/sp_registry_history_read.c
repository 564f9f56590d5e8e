/*
 * src/registry/sp_registry_history_read.c
 *
 * Checking the chain of a model's history, and asking what it says.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "registry/sp_registry_history.h"
#include "registry/sp_registry_internal.h"
#include "registry/sp_registry_scan.h"

/* Columns of table model in the order of sql/install/10_tables.sql. */
enum
{
	MODEL_ID = 1, MODEL_NAME, MODEL_LAST_EVENT = 7, MODEL_LAST_EVENT_HASH
};

/* One event, good until the next. */
typedef struct EventRow
{
	Datum		values[SP_EVENT_COLUMNS + 1];
	bool		nulls[SP_EVENT_COLUMNS + 1];
	int64		seq;
	uint8		hash[SP_SHA256_SIZE];
} EventRow;

static void
read_event(SpScan *scan, HeapTuple tuple, EventRow *row)
{
	for (int i = 0; i <= SP_EVENT_COLUMNS; i++)
		row->values[i] = heap_getattr(tuple, i + 1, RelationGetDescr(scan->relation), &row->nulls[i]);
	row->seq = DatumGetInt64(row->values[SP_EVENT_SEQ]);
	sp_copy_hash(row->hash, row->values[SP_EVENT_HASH]);
}

static char *
event_text(const EventRow *row, int column)
{
	return row->nulls[column] ? NULL : TextDatumGetCString(row->values[column]);
}

/* Without a copy, because all events may be asked. */
static bool
event_is(const EventRow *row, int column, const char *wanted)
{
	text	   *value;

	if (row->nulls[column])
		return false;
	value = DatumGetTextPP(row->values[column]);
	return VARSIZE_ANY_EXHDR(value) == strlen(wanted) &&
		memcmp(VARDATA_ANY(value), wanted, strlen(wanted)) == 0;
}

static void
begin_events(SpScan *scan, const pg_uuid_t *model_id, Snapshot snapshot)
{
	ScanKeyData key;

	ScanKeyInit(&key, SP_EVENT_MODEL_ID + 1, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(model_id));
	sp_scan_begin(scan, SP_TABLE_EVENT, SP_INDEX_EVENT, snapshot, 1, &key);
}

/* ---- checking ---- */

typedef struct Check
{
	SpHistoryProblem problem;	/* what is the same for all */
	bool		exists;			/* the model's row, which tells of its newest event */
	int64		newest;
	uint8		newest_hash[SP_SHA256_SIZE];
	char		model[SP_NAME_SIZE];	/* by that row, or by the event at hand */
	SpHistoryReport report;
	void	   *arg;
	int64		last_seq;
	uint8		last_hash[SP_SHA256_SIZE];
	bool		dropped;		/* by its newest event */
} Check;

static void
report(Check *check, int64 seq, const char *problem)
{
	check->problem.seq = seq;
	check->problem.problem = problem;
	check->report(check->arg, &check->problem);
}

static void
report_missing(Check *check, int64 first, int64 last)
{
	report(check, first, first == last ? "the event is missing" :
		   psprintf("the events from here to " INT64_FORMAT " are missing", last));
}

/*
 * An event is held against the hash that the one before it has, right or
 * wrong, so that one that was changed does not put all later ones in doubt.
 */
static void
check_event(Check *check, const EventRow *row)
{
	uint8		link[SP_SHA256_SIZE];
	bool		follows = row->seq == check->last_seq + 1;

	if (!check->exists)
		sp_copy_text(check->model, sizeof(check->model), row->values[SP_EVENT_MODEL]);
	check->problem.model = check->model;
	if (row->seq <= 0)
		report(check, row->seq, "the event was added: events are counted from 1");
	else if (row->seq <= check->last_seq)
		report(check, row->seq, "the event was added: those up to its number have expired");
	else if (!follows)
		report_missing(check, check->last_seq + 1, row->seq - 1);
	else
	{
		sp_event_link(row->values, row->nulls, check->last_hash, link);
		if (memcmp(link, row->hash, SP_SHA256_SIZE) != 0)
			report(check, row->seq, "the event was changed, added, or moved from another place");
	}
	if (check->dropped)
		report(check, row->seq, "the event was added after the model was dropped");
	check->dropped = event_is(row, SP_EVENT_ACTION, SP_EVENT_DROP_MODEL);
	if (row->seq > check->last_seq)
	{
		check->last_seq = row->seq;
		memcpy(check->last_hash, row->hash, SP_SHA256_SIZE);
	}
}

/* What the model's row tells; a dropped model has none. */
static void
read_head(Check *check, Snapshot snapshot)
{
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(&check->problem.model_id));
	sp_scan_begin(&scan, SP_TABLE_MODEL, SP_INDEX_MODEL_ID, snapshot, 1, &key);
	tuple = sp_scan_next(&scan);
	check->exists = HeapTupleIsValid(tuple);
	if (check->exists)
	{
		check->newest = DatumGetInt64(sp_scan_column(&scan, tuple, MODEL_LAST_EVENT));
		sp_copy_hash(check->newest_hash, sp_scan_column(&scan, tuple, MODEL_LAST_EVENT_HASH));
		sp_copy_text(check->model, sizeof(check->model), sp_scan_column(&scan, tuple, MODEL_NAME));
		check->problem.model = check->model;
	}
	sp_scan_end(&scan);
}

static void
check_end(Check *check)
{
	if (!check->exists)
	{
		if (!check->dropped)
			report(check, check->last_seq + 1,
				   "the event that the model was dropped is missing, or the model's row");
	}
	else if (check->last_seq < check->newest)
		report_missing(check, check->last_seq + 1, check->newest);
	else if (check->last_seq > check->newest)
		report(check, check->newest + 1,
			   "the events from here on were added, or the model's row was set back");
	else if (memcmp(check->newest_hash, check->last_hash, SP_SHA256_SIZE) != 0)
		report(check, check->newest, "the event is not the newest that the model's row tells of");
	else if (check->dropped)
		report(check, check->newest, "the model was dropped, but is there");
}

void
sp_registry_verify_history(const pg_uuid_t *model_id, Snapshot snapshot, SpHistoryReport report_function,
						   void *arg)
{
	Check		check = {
		.problem.model_id = *model_id,
		.report = report_function,
		.arg = arg
	};
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "smartpouch history",
											   ALLOCSET_DEFAULT_SIZES);
	SpScan		scan;
	HeapTuple	tuple;

	read_head(&check, snapshot);
	check.last_seq = sp_registry_event_head(model_id, snapshot, check.last_hash);
	begin_events(&scan, model_id, snapshot);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		MemoryContext old = MemoryContextSwitchTo(work);
		EventRow	row;

		CHECK_FOR_INTERRUPTS();
		read_event(&scan, tuple, &row);
		check_event(&check, &row);
		MemoryContextSwitchTo(old);
		MemoryContextReset(work);
	}
	sp_scan_end(&scan);
	check_end(&check);
	MemoryContextDelete(work);
}

/* ---- asking ---- */

typedef struct Ids
{
	pg_uuid_t  *ids;
	int			count;
	int			capacity;
} Ids;

static void
add_id(Ids *ids, const pg_uuid_t *id)
{
	/* events come model by model */
	if (ids->count > 0 && memcmp(&ids->ids[ids->count - 1], id, UUID_LEN) == 0)
		return;
	if (ids->count == ids->capacity)
		ids->ids = repalloc_huge(ids->ids, mul_size(ids->capacity *= 2, sizeof(pg_uuid_t)));
	ids->ids[ids->count++] = *id;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, UUID_LEN);
}

/* The ids in column attribute of what an index scan finds. */
static void
add_scanned(Ids *ids, SpTable table, SpIndex index, AttrNumber attribute, int n_keys, ScanKey keys,
			Snapshot snapshot)
{
	SpScan		scan;
	HeapTuple	tuple;

	sp_scan_begin(&scan, table, index, snapshot, n_keys, keys);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		CHECK_FOR_INTERRUPTS();
		add_id(ids, DatumGetUUIDP(sp_scan_column(&scan, tuple, attribute)));
	}
	sp_scan_end(&scan);
}

static void
add_all(Ids *ids, Snapshot snapshot)
{
	add_scanned(ids, SP_TABLE_MODEL, SP_INDEX_MODEL_ID, MODEL_ID, 0, NULL, snapshot);
	add_scanned(ids, SP_TABLE_EVENT, SP_INDEX_EVENT, SP_EVENT_MODEL_ID + 1, 0, NULL, snapshot);
}

static void
add_named(Ids *ids, const char *name, Snapshot snapshot)
{
	ScanKeyData key;

	ScanKeyInit(&key, MODEL_NAME, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	add_scanned(ids, SP_TABLE_MODEL, SP_INDEX_MODEL_NAME, MODEL_ID, 1, &key, snapshot);
	ScanKeyInit(&key, SP_EVENT_MODEL + 1, BTEqualStrategyNumber, F_TEXTEQ, CStringGetTextDatum(name));
	add_scanned(ids, SP_TABLE_EVENT, SP_INDEX_EVENT_DROPPED, SP_EVENT_MODEL_ID + 1, 1, &key, snapshot);
}

pg_uuid_t *
sp_registry_known_models(const char *name, Snapshot snapshot, int *count)
{
	Ids			ids = {.ids = palloc(16 * sizeof(pg_uuid_t)), .capacity = 16};
	int			unique = 0;

	if (name == NULL)
		add_all(&ids, snapshot);
	else
		add_named(&ids, name, snapshot);
	qsort(ids.ids, (size_t) ids.count, sizeof(pg_uuid_t), compare_ids);
	for (int i = 0; i < ids.count; i++)
		if (i == 0 || memcmp(&ids.ids[i], &ids.ids[unique - 1], UUID_LEN) != 0)
			ids.ids[unique++] = ids.ids[i];
	*count = unique;
	return ids.ids;
}

/* Does the event decide what its stage serves? */
static bool
is_deployment(const EventRow *row)
{
	static const char *const actions[] = {"promote", "rollback", "drop_deployment"};
	bool		found = false;

	for (Size i = 0; !found && i < lengthof(actions); i++)
		found = event_is(row, SP_EVENT_ACTION, actions[i]);
	return found;
}

static int32
event_version(const EventRow *row, int column)
{
	return row->nulls[column] ? 0 : DatumGetInt32(row->values[column]);
}

static void
copy_served(const EventRow *row, SpServed *served)
{
	served->seq = row->seq;
	served->version = event_version(row, SP_EVENT_VERSION);
	served->replaced_version = event_version(row, SP_EVENT_REPLACED_VERSION);
	served->recorded_at = DatumGetTimestampTz(row->values[SP_EVENT_RECORDED_AT]);
	served->action = event_text(row, SP_EVENT_ACTION);
	served->session_role = event_text(row, SP_EVENT_SESSION_ROLE);
	served->acting_role = event_text(row, SP_EVENT_ACTING_ROLE);
	served->note = event_text(row, SP_EVENT_NOTE);
}

bool
sp_registry_served(const pg_uuid_t *model_id, const char *stage, TimestampTz at, Snapshot snapshot,
				   SpServed *served)
{
	SpScan		scan;
	HeapTuple	tuple;
	bool		found = false;

	begin_events(&scan, model_id, snapshot);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		EventRow	row;

		CHECK_FOR_INTERRUPTS();
		read_event(&scan, tuple, &row);
		if (event_is(&row, SP_EVENT_STAGE, stage) && is_deployment(&row) &&
			DatumGetTimestampTz(row.values[SP_EVENT_RECORDED_AT]) <= at)
		{
			copy_served(&row, served);
			found = true;
		}
	}
	sp_scan_end(&scan);
	return found;
}
