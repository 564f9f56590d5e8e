/*
 * src/auth/sp_permission.c
 */
#include "server/sp_compat.h"

#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "auth/sp_permission.h"

/* More decisions than this are not remembered at once. */
#define MAX_ENTRIES 16384

typedef struct Key
{
	Oid			user;
	pg_uuid_t	model_id;		/* zeros: any model */
} Key;

typedef struct Entry
{
	Key			key;			/* hash key; without padding */
	uint32		may;
} Entry;

StaticAssertDecl(sizeof(Key) == sizeof(Oid) + sizeof(pg_uuid_t), "key without padding");

static HTAB *entries = NULL;
static uint64 entries_generation = 0;

static void
forget(void)
{
	HASHCTL		control = {
		.keysize = sizeof(Key),
		.entrysize = sizeof(Entry),
		.hcxt = CacheMemoryContext
	};

	if (entries != NULL)
		hash_destroy(entries);
	entries = NULL;
	entries = hash_create("smartpouch permissions", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	entries_generation = sp_registry_generation;
}

/* The entry that has key, if it is good now. */
static const Entry *
find(const Key *key)
{
	if (entries == NULL || entries_generation != sp_registry_generation)
		return NULL;
	return hash_search(entries, key, HASH_FIND, NULL);
}

/* What was read while the generation moved may be older than the change. */
static void
remember(const Key *key, uint64 generation, uint32 may)
{
	Entry	   *entry;

	if (generation != sp_registry_generation)
		return;
	if (entries == NULL || entries_generation != generation || hash_get_num_entries(entries) >= MAX_ENTRIES)
		forget();
	entry = hash_search(entries, key, HASH_ENTER, NULL);
	entry->may = may;
}

uint32
sp_permission_of(Oid user, const pg_uuid_t *model_id, Oid owner_oid, const char *owner_cluster)
{
	Key			key = {.user = user, .model_id = *model_id};
	const Entry *entry = find(&key);
	uint64		generation = sp_registry_generation;
	uint32		may;

	if (entry != NULL)
		return entry->may;
	may = sp_registry_may(key.user, model_id, owner_oid, owner_cluster);
	remember(&key, generation, may);
	return may;
}

uint32
sp_permission(const pg_uuid_t *model_id, Oid owner_oid, const char *owner_cluster)
{
	return sp_permission_of(GetUserId(), model_id, owner_oid, owner_cluster);
}

uint32
sp_permission_any(Oid user)
{
	Key			key = {.user = user};
	const Entry *entry = find(&key);
	uint64		generation = sp_registry_generation;
	uint32		may;

	if (entry != NULL)
		return entry->may;
	may = sp_registry_may_all(key.user);
	remember(&key, generation, may);
	return may;
}

uint32
sp_permission_gone(void)
{
	return sp_permission_any(GetUserId());
}

void
sp_permission_require(const SpModelRow *model, uint32 bit)
{
	if (!(sp_permission(&model->id, model->owner_oid, model->owner_cluster) & bit))
		sp_registry_denied(GetUserId(), model->name, bit);
}
