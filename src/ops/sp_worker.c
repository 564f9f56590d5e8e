/*
 * src/ops/sp_worker.c
 *
 * One writer at a time takes one of max_worker_processes, as the launcher does.
 * A writer gives up on a lock after LOCK_TIMEOUT, well before DROP DATABASE gives
 * up on the writer.
 */
#include "server/sp_compat.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "auth/sp_audit.h"
#include "auth/sp_audit_ring.h"
#include "auth/sp_limit.h"
#include "auth/sp_limit_counts.h"
#include "ops/sp_worker.h"
#include "server/sp_guc.h"
#include "server/sp_shared_area.h"

#define RESTART_SECONDS 5
#define LOCK_TIMEOUT "2s"
#define DATABASES 1000			/* in one round */

static const SpWorkerTask tasks[] = {
	{"refusals", sp_audit_ring_databases, sp_audit_write, sp_audit_written, sp_audit_ring_discard},
	{"counts", sp_tracked_databases, sp_limit_write, sp_limit_written, sp_tracked_discard}
};

/* Words that one process writes. */
typedef struct Control
{
	pg_atomic_uint32 launcher;	/* its pid, or 0 */
	pg_atomic_uint64 round_at;
	pg_atomic_uint64 failures;
	pg_atomic_uint64 failed_at;
} Control;

extern SP_EXPORT void smartpouch_launcher_main(Datum arg) SP_NORETURN;
extern SP_EXPORT void smartpouch_writer_main(Datum arg);

static Size
size_of_control(void)
{
	return sizeof(Control);
}

static void
init_control(void *block)
{
	Control    *control = block;

	pg_atomic_init_u32(&control->launcher, 0);
	pg_atomic_init_u64(&control->round_at, 0);
	pg_atomic_init_u64(&control->failures, 0);
	pg_atomic_init_u64(&control->failed_at, 0);
}

static SpSharedArea area = {.name = "smartpouch worker", .size = size_of_control, .init = init_control};

static Control *
control(void)
{
	return area.block;
}

bool
sp_worker_facts(SpWorkerFacts *facts)
{
	if (control() == NULL)
		return false;
	facts->running = pg_atomic_read_u32(&control()->launcher) != 0;
	facts->round_at = (TimestampTz) pg_atomic_read_u64(&control()->round_at);
	facts->failures = pg_atomic_read_u64(&control()->failures);
	facts->failed_at = (TimestampTz) pg_atomic_read_u64(&control()->failed_at);
	return true;
}

static void
note_failure(void)
{
	pg_atomic_fetch_add_u64(&control()->failures, 1);
	pg_atomic_write_u64(&control()->failed_at, (uint64) GetCurrentTimestamp());
}

static void
describe(BackgroundWorker *worker, const char *name, const char *function)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	strlcpy(worker->bgw_library_name, "smartpouch", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function, sizeof(worker->bgw_function_name));
	strlcpy(worker->bgw_name, name, BGW_MAXLEN);
	strlcpy(worker->bgw_type, name, BGW_MAXLEN);
}

void
sp_worker_init(void)
{
	BackgroundWorker worker;

	/* pg_upgrade wants nobody else to write */
	if (!sp_preloaded || IsBinaryUpgrade)
		return;
	sp_shared_area_request(&area);
	describe(&worker, "smartpouch launcher", "smartpouch_launcher_main");
	worker.bgw_restart_time = RESTART_SECONDS;
	RegisterBackgroundWorker(&worker);
}

/* ---- the launcher ---- */

static void
launcher_exits(int code, Datum arg)
{
	(void) code;
	(void) arg;
	sp_audit_ring_set_reader(NULL);
	pg_atomic_write_u32(&control()->launcher, 0);
}

/* Databases by a scan of the shared catalog: this process has connected to none. */
static bool
database_exists(Oid database)
{
	Relation	catalog;
	TableScanDesc scan;
	HeapTuple	tuple;
	bool		exists = false;

	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while (!exists && HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection)))
		exists = ((Form_pg_database) GETSTRUCT(tuple))->oid == database;
	table_endscan(scan);
	table_close(catalog, AccessShareLock);
	CommitTransactionCommand();
	return exists;
}

static void
discard(Oid database)
{
	for (Size i = 0; i < lengthof(tasks); i++)
		tasks[i].discard(database);
}

static void
run_writer(Oid database)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	describe(&worker, "smartpouch writer", "smartpouch_writer_main");
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	worker.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
	{
		note_failure();			/* max_worker_processes: at the next round, then */
		return;
	}
	if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED)
		proc_exit(1);
	pfree(handle);
}

static void
run_round(void)
{
	static Oid	databases[DATABASES];

	for (Size i = 0; i < lengthof(tasks); i++)
	{
		int			count = tasks[i].databases(databases, DATABASES);

		for (int d = 0; d < count; d++)
		{
			CHECK_FOR_INTERRUPTS();
			if (database_exists(databases[d]))
				run_writer(databases[d]);
			else
				discard(databases[d]);
		}
	}
	pg_atomic_write_u64(&control()->round_at, (uint64) GetCurrentTimestamp());
}

void
smartpouch_launcher_main(Datum arg)
{
	uint64		never = 0;

	(void) arg;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	on_shmem_exit(launcher_exits, (Datum) 0);
	sp_audit_ring_set_reader(MyLatch);
	pg_atomic_write_u32(&control()->launcher, (uint32) MyProcPid);
	(void) pg_atomic_compare_exchange_u64(&control()->round_at, &never, (uint64) GetCurrentTimestamp());
	for (;;)
	{
		run_round();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 sp_flush_interval * 1000L, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
	}
}

/* ---- a writer ---- */

/* Whatever is set for the database or in the configuration file. */
static void
prepare_session(void)
{
	SetConfigOption("lock_timeout", LOCK_TIMEOUT, PGC_SUSET, PGC_S_SESSION);
	SetConfigOption("statement_timeout", "0", PGC_SUSET, PGC_S_SESSION);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_SUSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_SESSION);
	SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION);
}

static bool
has_tables(void)
{
	bool		fits;

	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	fits = sp_registry_fits();
	PopActiveSnapshot();
	CommitTransactionCommand();
	return fits;
}

static void
run_task(const SpWorkerTask *task)
{
	SpWrite		write;

	pgstat_report_activity(STATE_RUNNING, task->name);
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	sp_write_begin_local(&write, task->name);
	task->write(&write);
	sp_write_end(&write);
	PopActiveSnapshot();
	CommitTransactionCommand();
	task->written();
	pgstat_report_stat(true);
	pgstat_report_activity(STATE_IDLE, NULL);
}

/* What one task meets does not keep the others from writing. */
static void
try_task(const SpWorkerTask *task)
{
	PG_TRY();
	{
		run_task(task);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		EmitErrorReport();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(TopMemoryContext);
		FlushErrorState();
		note_failure();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
}

void
smartpouch_writer_main(Datum arg)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(arg), InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
	prepare_session();
	if (has_tables())
		for (Size i = 0; i < lengthof(tasks); i++)
			try_task(&tasks[i]);
	else
		discard(MyDatabaseId);
}
