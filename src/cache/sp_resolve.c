/*
 * src/cache/sp_resolve.c
 */
#include "server/sp_compat.h"

#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "cache/sp_resolve.h"

/* More references than this are not remembered at once. */
#define MAX_ENTRIES 1024

typedef struct Entry
{
	char		text[SP_REFERENCE_SIZE];	/* hash key, padded with zeros */
	SpResolved	resolved;
} Entry;

static HTAB *entries = NULL;

/* What is looked for: a parsed reference, or a stored form by its hash. */
typedef struct Target
{
	const SpReference *reference;
	const uint8 *program;
} Target;

static SpFound
find(const Target *target, Snapshot snapshot, SpModelRow *model, SpVersionRow *version)
{
	if (target->reference)
		return sp_registry_find(target->reference, snapshot, model, version);
	return sp_registry_find_program(target->program, snapshot, model, version) ?
		SP_FOUND : SP_NO_VERSION;
}

bool
sp_resolved_is_current(const SpResolved *resolved)
{
	SpSnapshotId now;

	/* cheap when there is nothing to accept; a statement without tables accepts nowhere else */
	AcceptInvalidationMessages();
	if (resolved->generation != sp_registry_generation)
		return false;
	if (resolved->durable)
		return true;
	if (!ActiveSnapshotSet())
		return false;
	now = sp_snapshot_id(GetActiveSnapshot());
	return sp_snapshot_same(&now, &resolved->snapshot);
}

/*
 * The generation is taken before the first read: an invalidation that arrives
 * while reading makes the result outdated at once, which costs a second look.
 */
static SpFound
resolve(const Target *target, SpResolved *resolved)
{
	Snapshot	active = ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;
	SpFound		found;
	SpModelRow	latest_model;
	SpVersionRow latest;

	memset(resolved, 0, sizeof(*resolved));
	AcceptInvalidationMessages();
	resolved->generation = sp_registry_generation;
	found = find(target, active, &resolved->model, &resolved->version);
	if (found != SP_FOUND)
		return found;
	if (active == NULL)
		resolved->durable = true;
	else
	{
		resolved->snapshot = sp_snapshot_id(active);
		resolved->durable = find(target, NULL, &latest_model, &latest) == SP_FOUND &&
			memcmp(&latest, &resolved->version, sizeof(latest)) == 0 &&
			memcmp(&latest_model, &resolved->model, sizeof(latest_model)) == 0;
	}
	return SP_FOUND;
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
remember(const char *key, const SpResolved *resolved)
{
	Entry	   *entry;

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

void
sp_resolve(const char *text, Size size, SpResolved *resolved)
{
	char		key[SP_REFERENCE_SIZE] = {0};
	SpReference reference;
	Target		target = {.reference = &reference};
	SpFound		found;

	if (size < SP_REFERENCE_SIZE && entries != NULL)
	{
		Entry	   *entry;

		memcpy(key, text, size);
		entry = hash_search(entries, key, HASH_FIND, NULL);
		if (entry != NULL && sp_resolved_is_current(&entry->resolved))
		{
			*resolved = entry->resolved;
			return;
		}
	}
	sp_reference_parse(&reference, text, size);
	found = resolve(&target, resolved);
	if (found != SP_FOUND)
		sp_registry_not_found(found, &reference);
	memcpy(key, text, size);
	if (resolved->durable)
		remember(key, resolved);
}

void
sp_resolve_program(const uint8 *program, SpResolved *resolved)
{
	Target		target = {.program = program};

	if (resolve(&target, resolved) != SP_FOUND)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("no version has SHA-256 %s", sp_hash_hex(program)),
				 errhint("Column sha256 of the view smartpouch.versions lists them.")));
}
