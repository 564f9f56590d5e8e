/*
 * src/scan/sp_scan_hooks.c
 *
 * Plans are rewritten as the planner returns them.  A library that is loaded
 * while a statement is planned comes too late for that statement: what was
 * planned in the transaction that loaded it is rewritten (a copy of it) when
 * it is executed, and plans that were cached meanwhile are made again.
 */
#include "server/sp_compat.h"

#include "access/parallel.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "optimizer/planner.h"
#include "storage/proc.h"
#include "tcop/pquery.h"
#include "utils/plancache.h"
#include "utils/portal.h"

#include "api/sp_call_count.h"
#include "scan/sp_scan.h"
#include "server/sp_guc.h"
#include "server/sp_metrics.h"

static planner_hook_type previous_planner;
static ExecutorStart_hook_type previous_start;
static ExecutorRun_hook_type previous_run;
static ExecutorFinish_hook_type previous_finish;
static ExecutorEnd_hook_type previous_end;

/* The transaction that loaded the library, 0 when its plans are dealt with. */
static LocalTransactionId loaded_in = InvalidLocalTransactionId;

/* The innermost run that has begun, and whether it reads to the end. */
static const EState *running = NULL;
static bool runs_to_end = false;

bool
sp_scan_runs_to_end(const EState *estate)
{
	return estate == running && runs_to_end;
}

/* Statements that open a cursor, in SQL and in PL/pgSQL, plan for it so; SCROLL cursors are not rewritten. */
static bool
is_for_cursor(int options)
{
	return (options & CURSOR_OPT_FAST_PLAN) != 0;
}

static PlannedStmt *
plan_statement(Query *parse, const char *query_string, int cursor_options, ParamListInfo params)
{
	PlannedStmt *stmt = NULL;

	/* stable functions are called for estimates, too */
	sp_metrics_planning++;
	PG_TRY();
	{
		stmt = previous_planner ? previous_planner(parse, query_string, cursor_options, params) :
			standard_planner(parse, query_string, cursor_options, params);
	}
	PG_FINALLY();
	{
		sp_metrics_planning--;
	}
	PG_END_TRY();
	/* a cursor that scrolls is left as it is: it may read backward, which gathering cannot */
	if (sp_enable_batch && !(cursor_options & CURSOR_OPT_SCROLL))
		(void) sp_scan_rewrite(stmt, is_for_cursor(cursor_options));
	sp_scan_in_place(stmt);
	return stmt;
}

/*
 * The statement that loaded the library was planned without the hook, or its
 * plan was made in the same transaction; after that, plans that were kept are
 * made anew.
 */
static void
rewrite_late(QueryDesc *query, int eflags)
{
	PlannedStmt *copy;

	if (sp_local_transaction_compat() != loaded_in)
	{
		/* this plan may be one of them, and has been taken already */
		loaded_in = InvalidLocalTransactionId;
		ResetPlanCache();
	}
	if (!sp_enable_batch || (eflags & EXEC_FLAG_BACKWARD) || !sp_scan_concerns(query->plannedstmt))
		return;
	copy = copyObject(query->plannedstmt);
	if (sp_scan_rewrite(copy, ActivePortal != NULL && is_for_cursor(ActivePortal->cursorOptions)))
		query->plannedstmt = copy;
}

static bool
is_explained(const QueryDesc *query, int eflags)
{
	return ((eflags & EXEC_FLAG_EXPLAIN_ONLY) || query->instrument_options != 0) && !IsParallelWorker();
}

static void
start(QueryDesc *query, int eflags)
{
	if (unlikely(loaded_in != InvalidLocalTransactionId))
		rewrite_late(query, eflags);
	if (unlikely(is_explained(query, eflags)))
		query->plannedstmt = sp_scan_to_show(query->plannedstmt);
	if (previous_start)
		previous_start(query, eflags);
	else
		standard_ExecutorStart(query, eflags);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		sp_scan_show(query->plannedstmt);
}

/*
 * Is each row done with when the next one is asked for, whatever error that may
 * raise?  RETURN QUERY keeps the rows before an error that its function catches,
 * and a client may be told first that a row has a character that its encoding has not.
 */
static bool
needs_rows_in_turn(CommandDest to)
{
	return to == DestTuplestore ||
		((to == DestRemote || to == DestRemoteExecute || to == DestRemoteSimple || to == DestCopyOut) &&
		 pg_get_client_encoding() != GetDatabaseEncoding());
}

static void
run(SP_EXECUTOR_RUN_ARGS)
{
	const EState *outer = running;
	bool		outer_to_end = runs_to_end;

	/* not restored after an error: then the outer run, if it goes on, reads no further than it must */
	running = query->estate;
	runs_to_end = count == 0 && !needs_rows_in_turn(query->dest->mydest);
	if (previous_run)
		previous_run(SP_EXECUTOR_RUN_PASS);
	else
		standard_ExecutorRun(SP_EXECUTOR_RUN_PASS);
	running = outer;
	runs_to_end = outer_to_end;
}

/* EXPLAIN ANALYZE prints what has been executed; workers get no more of the plan. */
static void
finish(QueryDesc *query)
{
	if (previous_finish)
		previous_finish(query);
	else
		standard_ExecutorFinish(query);
	if (unlikely(query->instrument_options != 0))
		sp_scan_show(query->plannedstmt);
}

/* Workers have finished: a run that reads all, which alone may have some, ends when they do. */
static void
end(QueryDesc *query)
{
	if (query->plannedstmt->parallelModeNeeded && !IsParallelWorker())
		sp_count_workers(query->estate->es_query_cxt);
	if (previous_end)
		previous_end(query);
	else
		standard_ExecutorEnd(query);
}

void
sp_scan_init(void)
{
	RegisterCustomScanMethods(&sp_scan_methods);
	previous_planner = planner_hook;
	planner_hook = plan_statement;
	previous_start = ExecutorStart_hook;
	ExecutorStart_hook = start;
	previous_run = ExecutorRun_hook;
	ExecutorRun_hook = run;
	previous_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish;
	previous_end = ExecutorEnd_hook;
	ExecutorEnd_hook = end;
	if (!process_shared_preload_libraries_in_progress && MyProc != NULL && !IsParallelWorker())
		loaded_in = sp_local_transaction_compat();
}
