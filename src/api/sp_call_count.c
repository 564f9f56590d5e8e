/*
 * src/api/sp_call_count.c
 *
 * The memory context that functions of an execution have for what they keep
 * names the execution.  Its tallies live there, and are counted when it is reset
 * or deleted, which happens after errors as well.
 */
#include "server/sp_compat.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

#include "api/sp_call_count.h"
#include "api/sp_call_site.h"
#include "api/sp_drift.h"

#define TIMED_CALLS 16			/* all of them, and then every one of so many */

typedef struct Execution
{
	struct Execution *next;		/* newest first */
	MemoryContext mcx;
	MemoryContextCallback release;
	SpTally    *tallies;
	SpTally		first;			/* most have no more */
} Execution;

#define MAX_SPARE 8

static Execution *executions = NULL;
static Execution *spare = NULL; /* some that are over, for the next */
static int	n_spare = 0;

/* What the function that is being called has told. */
static struct
{
	MemoryContext execution;	/* NULL while no function is counted */
	SpCallSite *site;			/* it serves this call; NULL while there is none */
	const char *owner;			/* of the API key that was shown, or NULL */
	uint64		rows;
	uint64		measured;		/* ns of evaluations that were timed by both clocks, */
	uint64		cpu;			/* and their CPU time */
} current;

static bool
is_empty(const SpObservation *seen)
{
	if (seen->rows > 0 || seen->busy > 0)
		return false;
	for (int reason = 0; reason < SP_N_REASONS; reason++)
		if (seen->errors[reason] > 0)
			return false;
	return true;
}

static void
count_call(SpWorkerCount *count)
{
	count->seen.calls = 1;
	sp_metrics_predicted(&count->counted, &count->seen);
}

static void
count(Execution *execution)
{
	for (SpTally *tally = execution->tallies; tally != NULL; tally = tally->next)
	{
		if (is_empty(&tally->count.seen))
			continue;
		if (!IsParallelWorker() || !sp_worker_counts_give(&tally->count))
			count_call(&tally->count);
		memset(&tally->count.seen, 0, sizeof(tally->count.seen));
	}
}

static void
end_execution(void *arg)
{
	Execution  *execution = arg;
	Execution **link = &executions;

	count(execution);
	while (*link != execution)
		link = &(*link)->next;
	*link = execution->next;
	if (n_spare == MAX_SPARE)
	{
		pfree(execution);
		return;
	}
	execution->next = spare;
	spare = execution;
	n_spare++;
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	SpWorkerCount left;

	(void) arg;
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		return;
	for (Execution *execution = executions; execution != NULL; execution = execution->next)
		count(execution);
	/* of statements that have failed */
	while (!IsParallelWorker() && sp_worker_counts_take(&left))
		count_call(&left);
	sp_metrics_count_hits();
}

void
sp_call_count_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
}

static Execution *
new_execution(void)
{
	Execution  *execution = spare;

	if (execution == NULL)
		return MemoryContextAlloc(TopMemoryContext, sizeof(Execution));
	spare = execution->next;
	n_spare--;
	return execution;
}

static Execution *
execution_of(MemoryContext mcx)
{
	Execution  *execution = executions;

	while (execution != NULL && execution->mcx != mcx)
		execution = execution->next;
	if (execution != NULL)
		return execution;
	execution = new_execution();
	execution->mcx = mcx;
	execution->tallies = NULL;
	execution->release.func = end_execution;
	execution->release.arg = execution;
	execution->next = executions;
	executions = execution;
	MemoryContextRegisterResetCallback(mcx, &execution->release);
	return execution;
}

static SpTally *
tally_of(Execution *execution, const SpSeriesPair *counted)
{
	SpTally    *tally = execution->tallies;

	while (tally != NULL && !sp_pair_same(&tally->count.counted, counted))
		tally = tally->next;
	if (tally != NULL)
		return tally;
	tally = execution->tallies == NULL ? &execution->first : MemoryContextAlloc(execution->mcx, sizeof(SpTally));
	tally->count.counted = *counted;
	memset(&tally->count.seen, 0, sizeof(tally->count.seen));
	tally->next = execution->tallies;
	execution->tallies = tally;
	return tally;
}

void
sp_count_workers(MemoryContext execution)
{
	SpWorkerCount given;

	while (sp_worker_counts_take(&given))
		sp_observation_add(&tally_of(execution_of(execution), &given.counted)->count.seen, &given.seen);
}

/*
 * Let site->tally be the one to count in, NULL if nothing is counted.  A version
 * beside the one that serves a stage is counted in that stage.
 */
static void
find_tally(SpCallSite *site)
{
	const SpFoundRows *rows = &site->resolved.rows;
	const SpCallSite *main = site->beside != NULL ? site->beside : site;

	site->tally = NULL;
	if (current.execution == NULL)
		return;
	if (!site->is_counted)
		sp_pair_set_version(&site->counted, &rows->model.id, rows->version.version, main->resolved.rows.target);
	if (!site->is_counted || !sp_pair_is_of(&site->counted, site->user, current.owner))
		sp_pair_set_owner(&site->counted, &rows->model.id, site->user, current.owner);
	site->is_counted = true;
	sp_series_look_up(&site->counted.version);
	sp_series_look_up(&site->counted.usage);
	site->tally = tally_of(execution_of(current.execution), &site->counted);
}

void
sp_count_site(SpCallSite *site)
{
	current.site = site;
	if (unlikely(site->tally == NULL || current.owner != NULL))
		find_tally(site);
}

void
sp_count_found(SpCallSite *site)
{
	if (current.execution != NULL && current.site == NULL)
		sp_count_site(site);
}

void
sp_count_owner(const char *owner)
{
	current.owner = owner;
}

void
sp_count_rows(uint64 rows)
{
	current.rows = rows;
}

void
sp_count_cpu(uint64 busy, uint64 cpu)
{
	current.measured += busy;
	current.cpu += cpu;
}

static void
begin_call(MemoryContext execution, instr_time *began)
{
	memset(&current, 0, sizeof(current));
	current.execution = execution;
	if (began != NULL)
		INSTR_TIME_SET_CURRENT(*began);
}

/* The call is over, for calls that are like it as well; began is NULL if it was not timed. */
static void
add_time(SpObservation *seen, const instr_time *began, uint64 calls)
{
	instr_time	ended;
	uint64		busy;

	current.execution = NULL;
	if (began == NULL)
		return;
	INSTR_TIME_SET_CURRENT(ended);
	INSTR_TIME_SUBTRACT(ended, *began);
	busy = (uint64) sp_instr_time_ns_compat(ended);
	seen->busy += busy * calls;
	seen->cpu += (busy - Min(busy, current.measured) + current.cpu) * calls;
}

static void
end_call(uint64 rows, const instr_time *began, uint64 calls)
{
	SpObservation *seen = &current.site->tally->count.seen;

	seen->rows += rows;
	add_time(seen, began, calls);
}

/* An error of a call that has found no version is counted at once: there is nothing to gather. */
static void
count_error(int sqlerrcode, const instr_time *began)
{
	SpErrorReason reason = sp_error_reason(sqlerrcode);
	SpWorkerCount failed;
	SpObservation *seen = &failed.seen;
	bool		is_gathered = current.site != NULL && current.site->tally != NULL;

	memset(&failed, 0, sizeof(failed));
	if (is_gathered)
		seen = &current.site->tally->count.seen;
	seen->errors[reason]++;
	add_time(seen, began, 1);
	if (is_gathered)
		return;
	sp_pair_set_version(&failed.counted, NULL, 0, NULL);
	sp_pair_set_owner(&failed.counted, NULL, GetUserId(), current.owner);
	count_call(&failed);
}

static pg_noinline Datum
call(FunctionCallInfo fcinfo, PGFunction body, const instr_time *began)
{
	Datum		result = (Datum) 0;

	PG_TRY();
	{
		result = body(fcinfo);
	}
	PG_CATCH();
	{
		count_error(geterrcode(), began);
		PG_RE_THROW();
	}
	PG_END_TRY();
	return result;
}

Datum
sp_counted(FunctionCallInfo fcinfo, PGFunction body)
{
	uint32		calls;
	bool		is_timed;
	instr_time	began;
	Datum		result;

	if (!sp_metrics_on())
		return body(fcinfo);
	calls = sp_call_site_calls(fcinfo);
	is_timed = calls < TIMED_CALLS || calls % TIMED_CALLS == 0;
	begin_call(fcinfo->flinfo->fn_mcxt, is_timed ? &began : NULL);
	result = call(fcinfo, body, is_timed ? &began : NULL);
	end_call(1, is_timed ? &began : NULL, calls < TIMED_CALLS ? 1 : TIMED_CALLS);
	sp_drift_sample(current.site, 1, NULL);
	return result;
}

Datum
sp_counted_batch(FunctionCallInfo fcinfo, PGFunction body)
{
	instr_time	began;
	Datum		result;

	if (!sp_metrics_on())
		return body(fcinfo);
	begin_call(fcinfo->flinfo->fn_mcxt, &began);
	result = call(fcinfo, body, &began);
	end_call(current.rows, &began, 1);
	return result;
}

static pg_noinline void
run(SpCallSite *site, uint32 rows, uint32 wanted, bool has_missing, const instr_time *began)
{
	PG_TRY();
	{
		sp_call_site_run(site, rows, wanted, has_missing);
	}
	PG_CATCH();
	{
		count_error(geterrcode(), began);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

void
sp_counted_run(SpCallSite *site, uint32 rows, uint32 wanted, bool has_missing)
{
	instr_time	began;

	if (!sp_metrics_on())
	{
		site->tally = NULL;
		sp_call_site_run(site, rows, wanted, has_missing);
		return;
	}
	begin_call(MemoryContextGetParent(site->mcx), &began);
	sp_count_site(site);
	run(site, rows, wanted, has_missing, &began);
	end_call(0, &began, 1);
}
