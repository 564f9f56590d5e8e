/*
 * src/ops/sp_health.c
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "cache/sp_model_cache.h"
#include "ops/sp_health.h"
#include "registry/sp_registry.h"
#include "server/sp_snapshot.h"

/* Loading models must not make a health call slow. */
#define LOAD_BUDGET_MS 30
#define LOAD_BYTES_PER_MS (100 * 1024)

typedef void (*CheckFunction) (SpCheck *check);

const char *
sp_health_name(SpHealth status)
{
	static const char *const names[] = {"pass", "warn", "fail"};

	return names[status];
}

/* Raises when the library does not fit the SQL objects. */
static void
check_installation(SpCheck *check)
{
	(void) sp_registry_owner();
	check->observed = 1;
}

static void
check_triggers(SpCheck *check)
{
	check->observed = sp_registry_silent_triggers();
	if (check->observed > 0)
	{
		check->status = SP_HEALTH_FAIL;
		check->output = "sessions may go on using what changed: run SELECT smartpouch.repair_triggers()";
	}
}

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
 * All that serve a stage have all their bytes; of those, as many as the budget
 * allows are loaded, starting with another one at each call.
 */
static void
check_models(SpCheck *check)
{
	Snapshot	snapshot = sp_active_snapshot();
	int			count;
	int			lost;
	SpDeployed *deployed = sp_registry_deployed(snapshot, &count, &lost);
	int			start = count > 0 ? (int) ((uint64) GetCurrentTimestamp() % (uint64) count) : 0;
	double		spent = 0;

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
		instr_time	began;
		instr_time	ended;

		if (spent + load_ms(next) > LOAD_BUDGET_MS)
			continue;
		INSTR_TIME_SET_CURRENT(began);
		load(next, snapshot);
		INSTR_TIME_SET_CURRENT(ended);
		INSTR_TIME_SUBTRACT(ended, began);
		spent += INSTR_TIME_GET_MILLISEC(ended);
	}
}

static void
check_owners(SpCheck *check)
{
	check->observed = sp_registry_unowned(sp_active_snapshot());
	if (check->observed > 0)
	{
		check->status = SP_HEALTH_WARN;
		check->output = "their owners are no roles of this cluster: set owners with set_owner(), or smartpouch.cluster_id if roles are those of another cluster";
	}
}

/* Without preload on servers before 17, or with shared_model_memory = 0, nothing is meant to be shared. */
static void
check_shared(SpCheck *check)
{
	SpSharedFacts *facts;
	int			count;
	int			refused = 0;

	if (!sp_shared_available())
		return;
	facts = sp_shared_facts(&count);
	for (int i = 0; i < count; i++)
	{
		check->observed += facts[i].phase == SP_SLOT_READY;
		refused += facts[i].phase == SP_SLOT_REFUSED;
	}
	if (refused > 0)
	{
		check->status = SP_HEALTH_WARN;
		check->output = psprintf("%d models have no place in shared memory, so each session loads its own copy: raise smartpouch.shared_model_memory, or make room in the server's dynamic shared memory",
								 refused);
	}
}

/* An error of these kinds is about the statement, not about what is checked. */
static bool
ends_statement(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_QUERY_CANCELED || sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_ADMIN_SHUTDOWN);
}

/* In a subtransaction of its own, so that what an error leaves behind is undone. */
static void
run_check(CheckFunction function, SpCheck *check)
{
	MemoryContext mcx = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(mcx);
	PG_TRY();
	{
		function(check);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(mcx);
		error = CopyErrorData();
		if (ends_statement(error->sqlerrcode))
			PG_RE_THROW();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		check->status = SP_HEALTH_FAIL;
		check->output = error->hint ? psprintf("%s: %s", error->message, error->hint) : error->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcx);
	CurrentResourceOwner = owner;
}

void
sp_health_run(SpCheck checks[SP_N_CHECKS])
{
	static const struct
	{
		const char *name;
		const char *unit;
		CheckFunction function;
	}			functions[SP_N_CHECKS] = {
		{"cache:shared", "models in shared memory", check_shared},
		{"installation:version", "installations", check_installation},
		{"models:owners", "models without an owner", check_owners},
		{"models:ready", "deployed versions", check_models},
		{"registry:triggers", "silent triggers", check_triggers}
	};

	for (int i = 0; i < SP_N_CHECKS; i++)
	{
		memset(&checks[i], 0, sizeof(checks[i]));
		checks[i].name = functions[i].name;
		checks[i].unit = functions[i].unit;
		run_check(functions[i].function, &checks[i]);
	}
}
