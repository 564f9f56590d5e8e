/*
 * src/cache/sp_resolve.c
 */
#include "server/sp_compat.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "cache/sp_resolve.h"
#include "server/sp_snapshot.h"

/* More references than this are not remembered at once. */
#define MAX_ENTRIES 1024

typedef struct Entry
{
	char		text[SP_REFERENCE_SIZE];	/* hash key, padded with zeros */
	SpResolved	resolved;
} Entry;

static HTAB *entries = NULL;

bool
sp_resolved_holds(SpResolved *resolved)
{
	SpSnapshotId now;

	if (!ActiveSnapshotSet())
		return false;
	now = sp_snapshot_id(GetActiveSnapshot());
	if (resolved->generation == sp_registry_generation && sp_snapshot_same(&now, &resolved->snapshot))
		return true;
	/* a statement without tables accepts them nowhere else */
	AcceptInvalidationMessages();
	if (resolved->generation != sp_registry_generation ||
		!sp_registry_rows_hold(&resolved->rows, GetActiveSnapshot()))
		return false;
	resolved->snapshot = now;
	return true;
}

/*
 * Before the first read: an invalidation that arrives while reading makes the
 * result outdated at once, which costs a second look.
 */
static Snapshot
begin_reading(SpResolved *resolved)
{
	Snapshot	active = sp_active_snapshot();

	memset(resolved, 0, sizeof(*resolved));
	AcceptInvalidationMessages();
	resolved->generation = sp_registry_generation;
	if (active != NULL)
		resolved->snapshot = sp_snapshot_id(active);
	return active;
}

static void
make_table(void)
{
	HASHCTL		control = {
		.keysize = SP_REFERENCE_SIZE,
		.entrysize = sizeof(Entry),
		.hcxt = CacheMemoryContext
	};

	entries = hash_create("smartpouch references", 64, &control,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
remember(const char *text, Size size, const SpResolved *resolved)
{
	char		key[SP_REFERENCE_SIZE] = {0};
	Entry	   *entry;

	memcpy(key, text, size);
	if (entries != NULL && hash_get_num_entries(entries) >= MAX_ENTRIES)
	{
		hash_destroy(entries);
		entries = NULL;
	}
	if (entries == NULL)
		make_table();
	entry = hash_search(entries, key, HASH_ENTER, NULL);
	entry->resolved = *resolved;
}

/* What was remembered for a reference, if it holds. */
static bool
recall(const char *text, Size size, SpResolved *resolved)
{
	char		key[SP_REFERENCE_SIZE] = {0};
	Entry	   *entry;

	if (size >= SP_REFERENCE_SIZE || entries == NULL)
		return false;
	memcpy(key, text, size);
	entry = hash_search(entries, key, HASH_FIND, NULL);
	if (entry == NULL || !sp_resolved_holds(&entry->resolved))
		return false;
	*resolved = entry->resolved;
	return true;
}

static SpFound
look_up(const SpReference *reference, const char *text, Size size, SpResolved *resolved)
{
	Snapshot	snapshot = begin_reading(resolved);
	SpFound		found = sp_registry_find(reference, snapshot, &resolved->rows);

	if (found == SP_FOUND && snapshot != NULL)
		remember(text, size, resolved);
	return found;
}

SpFound
sp_resolve(const char *text, Size size, SpResolved *resolved)
{
	SpReference reference;

	if (recall(text, size, resolved))
		return SP_FOUND;
	sp_reference_parse(&reference, text, size);
	return look_up(&reference, text, size, resolved);
}

bool
sp_resolve_try(const char *text, Size size, SpResolved *resolved)
{
	SpReference reference;

	return recall(text, size, resolved) ||
		(sp_reference_try(&reference, text, size) &&
		 look_up(&reference, text, size, resolved) == SP_FOUND);
}

bool
sp_resolve_program(const uint8 *program, SpAcceptModel accept, SpResolved *resolved)
{
	Snapshot	snapshot = begin_reading(resolved);

	return sp_registry_find_program(program, snapshot, accept, &resolved->rows);
}
