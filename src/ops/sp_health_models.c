/*
 * src/ops/sp_health_models.c
 *
 * Are the models whole, and does everybody learn of their changes?
 */
#include "server/sp_compat.h"

#include "utils/timestamp.h"

#include "cache/sp_model_cache.h"
#include "ops/sp_health.h"
#include "registry/sp_registry.h"
#include "server/sp_snapshot.h"

#define LOAD_BYTES_PER_MS (100 * 1024)

/* About what reading, hashing and unpacking take, so that one big model does not use up the budget. */
static double
load_ms(const SpDeployed *deployed)
{
	return (double) deployed->version.program_bytes / LOAD_BYTES_PER_MS;
}

/*
 * A version that is loaded would go on answering, but not for the next session
 * if its bytes are gone; so the bytes are read even then.
 */
static void
load(const SpDeployed *deployed, Snapshot snapshot)
{
	const SpVersionRow *version = &deployed->version;
	char	   *bytes = sp_registry_try_blob(version->program, version->program_bytes, snapshot,
											 CurrentMemoryContext);

	if (bytes == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the stored bytes of model \"%s\" version %d are damaged",
						deployed->model, version->version)));
	pfree(bytes);
	sp_model_unpin(sp_model_pin(version, snapshot));
}

/*
 * All that serve a stage have all their bytes; of those, as many as the time
 * allows are loaded, starting with another one at each call.
 */
void
sp_check_models(SpCheck *check)
{
	Snapshot	snapshot = sp_active_snapshot();
	int			count;
	int			lost;
	SpDeployed *deployed = sp_registry_deployed(snapshot, &count, &lost);
	int			start = count > 0 ? (int) ((uint64) GetCurrentTimestamp() % (uint64) count) : 0;

	check->observed = count;
	if (lost > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("%d stages or aliases name versions that are not there", lost)));
	for (int i = 0; i < count; i++)
		if (!sp_registry_blob_is_whole(deployed[i].version.program, deployed[i].version.program_bytes,
									   snapshot))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("stored bytes of model \"%s\" version %d are missing",
							deployed[i].model, deployed[i].version.version)));
	for (int i = 0; i < count; i++)
	{
		const SpDeployed *next = &deployed[(start + i) % count];

		if (load_ms(next) < sp_health_time_left() / 2)
			load(next, snapshot);
	}
}

void
sp_check_triggers(SpCheck *check)
{
	check->observed = sp_registry_silent_triggers();
	if (check->observed > 0)
		sp_health_report(check, SP_HEALTH_FAIL,
						 "sessions may go on using what changed: run SELECT smartpouch.repair_triggers()");
}

void
sp_check_owners(SpCheck *check)
{
	check->observed = sp_registry_unowned(sp_active_snapshot());
	if (check->observed > 0)
		sp_health_report(check, SP_HEALTH_WARN,
						 "their owners are no roles of this cluster: set owners with set_owner(), or smartpouch.cluster_id if roles are those of another cluster");
}

/* Without preload on servers before 17, or with shared_model_memory = 0, nothing is meant to be shared. */
void
sp_check_shared(SpCheck *check)
{
	SpSharedFacts *facts;
	int			count;
	int			refused = 0;

	check->is_absent = !sp_shared_available();
	if (check->is_absent)
		return;
	facts = sp_shared_facts(&count);
	for (int i = 0; i < count; i++)
	{
		check->observed += facts[i].phase == SP_SLOT_READY;
		refused += facts[i].phase == SP_SLOT_REFUSED;
	}
	if (refused > 0)
		sp_health_report(check, SP_HEALTH_WARN,
						 "%d models have no place in shared memory, so each session loads its own copy: raise smartpouch.shared_model_memory, or make room in the server's dynamic shared memory",
						 refused);
}
