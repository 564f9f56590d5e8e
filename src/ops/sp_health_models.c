/*
 * src/ops/sp_health_models.c
 *
 * Are the models whole, and does everybody learn of their changes?
 */
#include "server/sp_compat.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "cache/sp_model_cache.h"
#include "ops/sp_health.h"
#include "registry/sp_registry.h"
#include "server/sp_snapshot.h"
#include "server/sp_subtransaction.h"

/* Of stored forms, as on slow machines. */
#define READ_BYTES_PER_MS (400 * 1024)	/* and hash */
#define LOAD_BYTES_PER_MS (100 * 1024)	/* and unpack */
#define LOAD_LEAST_MS 0.5

typedef struct Look
{
	SpDeployedFunction function;
	SpCheck    *check;
	const SpDeployed *deployed;
	double		ms;
	bool		done;
} Look;

static void
look_at(void *arg)
{
	Look	   *look = arg;

	look->done = look->function(look->check, look->deployed, look->ms);
}

static void
report_error(SpCheck *check, const SpDeployed *deployed, const ErrorData *error)
{
	char	   *subject = psprintf("model \"%s\" version %d", deployed->model, deployed->version.version);
	bool		is_named = strstr(error->message, subject) != NULL;

	sp_health_report(check, SP_HEALTH_FAIL, "%s%s%s%s%s", is_named ? "" : subject, is_named ? "" : ": ", error->message,
					 error->detail ? ": " : "", error->detail ? error->detail : "");
}

static int
any_of(int count)
{
	return count > 0 ? (int) ((uint64) GetCurrentTimestamp() % (uint64) count) : 0;
}

void
sp_check_each(SpCheck *check, const SpDeployed *deployed, int count, SpDeployedFunction function)
{
	MemoryContext each = AllocSetContextCreate(CurrentMemoryContext, "smartpouch look", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(each);
	double		enough = sp_health_time_left() / 2;
	int			start = any_of(count);

	check->is_sample = true;
	for (int i = 0; i < count && sp_health_time_left() > enough; i++)
	{
		const SpDeployed *next = &deployed[(start + i) % count];
		Look		look = {function, check, next, sp_health_time_left() - enough, true};
		ErrorData  *error = sp_subtransaction(look_at, &look);

		if (error != NULL && !sp_health_is_finding(error->sqlerrcode))
			ReThrowError(error);
		if (error != NULL)
			report_error(check, next, error);
		check->sampled += look.done;
		MemoryContextReset(each);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(each);
}

static double
load_ms(const SpVersionRow *version)
{
	return LOAD_LEAST_MS + (double) version->program_bytes / LOAD_BYTES_PER_MS;
}

const SpImage *
sp_check_image(const SpVersionRow *version, double ms, SpLoadedModel **pinned)
{
	*pinned = sp_model_pin_loaded(version->program);
	if (*pinned != NULL)
		return (*pinned)->image;
	return load_ms(version) > ms ? NULL : sp_model_load(version, sp_active_snapshot());
}

/*
 * A version that is in memory would go on answering, but not after it has left
 * it if its bytes are gone; so the bytes are read even then.
 */
static bool
load(SpCheck *check, const SpDeployed *deployed, double ms)
{
	const SpVersionRow *version = &deployed->version;
	Snapshot	snapshot = sp_active_snapshot();
	double		read_ms = (double) version->program_bytes / READ_BYTES_PER_MS;
	SpLoadedModel *pinned;

	if (read_ms > ms)
		return false;
	if (!sp_registry_blob_is_whole(version->program, version->program_bytes, snapshot))
		return true;			/* which is reported by find_missing */
	if (sp_registry_try_blob(version->program, version->program_bytes, snapshot, CurrentMemoryContext) == NULL)
	{
		sp_health_report(check, SP_HEALTH_FAIL, "the stored bytes of model \"%s\" version %d are damaged",
						 deployed->model, version->version);
		return true;
	}
	if (sp_check_image(version, ms - read_ms, &pinned) == NULL)
		return false;
	if (pinned != NULL)
		sp_model_unpin(pinned);
	return true;
}

/* That all bytes are there is known soon: of most registries for every version. */
static void
find_missing(SpCheck *check, const SpDeployed *deployed, int count)
{
	Snapshot	snapshot = sp_active_snapshot();
	double		enough = sp_health_time_left() / 2;
	int			start = any_of(count);

	for (int i = 0; i < count && sp_health_time_left() > enough; i++)
	{
		const SpDeployed *next = &deployed[(start + i) % count];

		if (!sp_registry_blob_is_whole(next->version.program, next->version.program_bytes, snapshot))
			sp_health_report(check, SP_HEALTH_FAIL, "stored bytes of model \"%s\" version %d are missing",
							 next->model, next->version.version);
	}
}

void
sp_check_models(SpCheck *check)
{
	int			count;
	int			lost;
	SpDeployed *deployed = sp_registry_deployed(sp_active_snapshot(), &count, &lost);

	check->observed = count;
	if (sp_registry_subscription(sp_active_snapshot()) == SP_HALF_COPIED)
	{
		sp_health_report(check, SP_HEALTH_FAIL, "the models of this database are being copied from their publisher");
		return;
	}
	if (lost > 0)
		sp_health_report(check, SP_HEALTH_FAIL, "%d stages or aliases name versions that are not there", lost);
	find_missing(check, deployed, count);
	sp_check_each(check, deployed, count, load);
}

void
sp_check_triggers(SpCheck *check)
{
	check->observed = sp_registry_silent_triggers();
	if (check->observed > 0)
		sp_health_report(check, SP_HEALTH_FAIL,
						 "sessions may go on using what changed: run SELECT smartpouch.repair_triggers()");
}

/* The owners of a publisher's models are roles of its own, and cannot be set here. */
void
sp_check_owners(SpCheck *check)
{
	check->is_absent = sp_registry_subscription(sp_active_snapshot()) != SP_NOT_SUBSCRIBED;
	if (check->is_absent)
		return;
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
