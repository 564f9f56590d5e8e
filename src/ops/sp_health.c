/*
 * src/ops/sp_health.c
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "cache/sp_model_cache.h"
#include "ops/sp_health.h"
#include "registry/sp_registry.h"

/* Loading models that nobody has used yet must not make a health call slow. */
#define LOAD_BUDGET_MS 40

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

/* A version that is loaded would go on answering, but not for the next session if its bytes are gone. */
static void
check_version(const SpVersionRow *version, Snapshot snapshot)
{
	pfree(sp_registry_blob(version->program, version->program_bytes, snapshot, CurrentMemoryContext));
	sp_model_unpin(sp_model_pin(version, snapshot));
}

static void
check_models(SpCheck *check)
{
	Snapshot	snapshot = ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;
	int			count;
	SpDeployed *deployed = sp_registry_deployed(snapshot, &count);
	instr_time	start;

	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < count; i++)
	{
		instr_time	now;

		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		if (INSTR_TIME_GET_MILLISEC(now) > LOAD_BUDGET_MS)
		{
			check->status = SP_HEALTH_WARN;
			check->output = psprintf("%d of %d deployed versions were not looked at within %d ms",
									 count - i, count, LOAD_BUDGET_MS);
			return;
		}
		check_version(&deployed[i].version, snapshot);
		check->observed++;
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
		{"installation:version", "installations", check_installation},
		{"models:ready", "models", check_models},
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
