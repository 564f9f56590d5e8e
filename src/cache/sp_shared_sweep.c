/*
 * src/cache/sp_shared_sweep.c
 *
 * Versions may be gone since a registry changed, and databases.  The first
 * session that uses a model after a change looks, for all; what is pinned has
 * its turn with the next session.  Some changes have no committer that counts:
 * COMMIT PREPARED, DROP DATABASE, and all that a standby replays.  Those are
 * counted by a session that is told of a change and finds none counted; a new
 * session, which nobody tells, does not trust checks that are seconds old.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "utils/inval.h"
#include "utils/syscache.h"

#include "cache/sp_shared_cache.h"
#include "cache/sp_shared_sweep.h"
#include "registry/sp_registry.h"
#include "server/sp_guc.h"

static uint64 database_generation = 1;
static uint64 swept_generation = 0;
static uint64 swept_changes = 0;
static int	trimmed_to = -1;	/* the setting that memory was trimmed to */
static bool registry_changed = false;	/* by the transaction, */
static bool extension_dropped = false;	/* and this */
static object_access_hook_type next_access_hook = NULL;

static void
at_transaction_end(XactEvent event, void *argument)
{
	(void) argument;
	/* other sessions see the change by now */
	if (event == XACT_EVENT_COMMIT && registry_changed)
		sp_shared_registry_changed();
	if (event == XACT_EVENT_COMMIT && extension_dropped)
		sp_shared_forget(MyDatabaseId);
	registry_changed &= event == XACT_EVENT_PRE_COMMIT;
	extension_dropped &= event == XACT_EVENT_PRE_COMMIT;
}

void
sp_shared_sweep_registry_changed(void)
{
	(void) sp_shared_available();
	registry_changed = true;
}

/* The tables of a dropped extension fire no triggers.  Should the drop be undone, images are loaded again. */
static void
object_accessed(ObjectAccessType access, Oid class, Oid object, int part, void *argument)
{
	if (next_access_hook)
		next_access_hook(access, class, object, part, argument);
	if (access == OAT_DROP && class == ExtensionRelationId && object == get_extension_oid("smartpouch", true))
	{
		(void) sp_shared_available();
		extension_dropped = true;
	}
}

/* Databases come and go without a change of our registry. */
static void
database_changed(Datum argument, int cache, uint32 hash)
{
	(void) argument;
	(void) cache;
	(void) hash;
	database_generation++;
}

void
sp_shared_sweep_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
	next_access_hook = object_access_hook;
	object_access_hook = object_accessed;
	CacheRegisterSyscacheCallback(DATABASEOID, database_changed, (Datum) 0);
}

/* Is there still a version in our registry that the image is of; for another database, is the database there? */
static bool
is_wanted(const SpSharedFacts *fact)
{
	SpFoundRows rows;

	return fact->database == MyDatabaseId ?
		sp_registry_find_program(fact->program, NULL, NULL, &rows) :
		SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(fact->database));
}

void
sp_shared_sweep(void)
{
	uint64		generation = sp_registry_generation + database_generation;
	uint64		changes;
	SpSharedFacts *facts;
	int			count;

	if (!sp_shared_available())
		return;
	if (unlikely(trimmed_to != sp_shared_model_memory) && sp_shared_trim())
		trimmed_to = sp_shared_model_memory;
	if (unlikely(swept_generation != generation))
	{
		if (swept_generation != 0 && swept_changes == sp_shared_registry_changes())
			sp_shared_registry_changed();
		swept_generation = generation;
	}
	changes = sp_shared_registry_changes();
	if (likely(swept_changes == changes))
		return;
	swept_changes = changes;
	facts = sp_shared_facts(&count);
	for (int i = 0; i < count; i++)
	{
		if (facts[i].is_checked)
			continue;
		if (is_wanted(&facts[i]))
			sp_shared_set_checked(&facts[i], changes);
		else
			(void) sp_shared_evict(facts[i].database, facts[i].program);
	}
	pfree(facts);
}
