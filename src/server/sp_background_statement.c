/*
 * src/server/sp_background_statement.c
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "server/sp_background_statement.h"
#include "server/sp_guc.h"
#include "server/sp_role.h"

#define MAX_ARGS 32
#define MESSAGE_SIZE 1024

typedef struct Statement
{
	Oid			database;
	Oid			role;
	int			lock_timeout;	/* ms */
	bool		done;			/* committed */
	int			sqlstate;		/* 0: no error so far */
	char		message[MESSAGE_SIZE];
	int64		result;
	int			n_args;
	bool		nulls[MAX_ARGS];
	char		texts[FLEXIBLE_ARRAY_MEMBER];	/* the statement, then the arguments, each with its zero byte */
} Statement;

extern PGDLLEXPORT void smartpouch_background_statement(Datum arg);

/* ---- in the worker ---- */

static void
execute(Statement *statement)
{
	const char *next = statement->texts;
	const char *sql = next;
	Oid			types[MAX_ARGS];
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS];

	for (int i = 0; i < statement->n_args; i++)
	{
		next += strlen(next) + 1;
		types[i] = TEXTOID;
		values[i] = CStringGetTextDatum(next);
		nulls[i] = statement->nulls[i] ? 'n' : ' ';
	}
	if (SPI_execute_with_args(sql, statement->n_args, types, values, nulls, false, 0) < 0)
		elog(ERROR, "SPI failed in a background statement");
	if (SPI_processed > 0 && SPI_tuptable != NULL)
	{
		bool		isnull;

		statement->result = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	}
}

/*
 * Defaults of the database must neither forbid the write nor let it wait for a standby that is gone.  Who waits
 * for a lock of the caller may be in front of it in the queue, which the deadlock detector cannot see.
 */
static void
prepare_session(const Statement *statement)
{
	SetConfigOption("default_transaction_read_only", "off", PGC_SUSET, PGC_S_SESSION);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_SUSET, PGC_S_SESSION);
	SetConfigOption("synchronous_commit", "local", PGC_SUSET, PGC_S_SESSION);
	SetConfigOption("lock_timeout", psprintf("%d", statement->lock_timeout), PGC_SUSET, PGC_S_SESSION);
}

static void
run(Statement *statement)
{
	SpIdentity	identity;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	pgstat_report_activity(STATE_RUNNING, statement->texts);
	(void) SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	sp_identity_begin(&identity, statement->role);
	execute(statement);
	sp_identity_end(&identity);
	PopActiveSnapshot();
	(void) SPI_finish();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	statement->done = true;
}

/* The caller raises it; here it also goes to the log, as any error of a worker does. */
static void
keep_error(Statement *statement, MemoryContext mcx)
{
	ErrorData  *error;

	MemoryContextSwitchTo(mcx);
	error = CopyErrorData();
	strlcpy(statement->message, error->message ? error->message : "", sizeof(statement->message));
	statement->sqlstate = error->sqlerrcode;
}

void
smartpouch_background_statement(Datum arg)
{
	MemoryContext mcx = CurrentMemoryContext;
	dsm_segment *segment;
	Statement  *statement;

	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);			/* the caller is gone */
	statement = dsm_segment_address(segment);
	BackgroundWorkerInitializeConnectionByOid(statement->database, InvalidOid, 0);
	prepare_session(statement);
	PG_TRY();
	{
		run(statement);
	}
	PG_CATCH();
	{
		keep_error(statement, mcx);
		PG_RE_THROW();
	}
	PG_END_TRY();
	dsm_detach(segment);
	proc_exit(0);
}

/* ---- in the caller ---- */

static dsm_segment *
write_statement(Oid role, const char *sql, int n_args, const char *const *args)
{
	Size		size = add_size(offsetof(Statement, texts), strlen(sql) + 1);
	dsm_segment *segment;
	Statement  *statement;
	char	   *next;

	Assert(n_args <= MAX_ARGS);
	for (int i = 0; i < n_args; i++)
		size = add_size(size, args[i] ? strlen(args[i]) + 1 : 1);
	segment = dsm_create(size, 0);
	statement = dsm_segment_address(segment);
	memset(statement, 0, size);
	statement->database = MyDatabaseId;
	statement->role = role;
	statement->lock_timeout = sp_backup_lock_timeout;
	statement->n_args = n_args;
	next = stpcpy(statement->texts, sql) + 1;
	for (int i = 0; i < n_args; i++)
	{
		statement->nulls[i] = args[i] == NULL;
		next = stpcpy(next, args[i] ? args[i] : "") + 1;
	}
	return segment;
}

static void
run_worker(dsm_segment *segment)
{
	BackgroundWorkerHandle *handle;
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "smartpouch", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "smartpouch_background_statement", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "smartpouch statement", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "smartpouch statement", sizeof(worker.bgw_type));
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker is free"),
				 errhint("Raise max_worker_processes, or try again later.")));
	if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED)
		ereport(FATAL,
				(errcode(ERRCODE_ADMIN_SHUTDOWN),
				 errmsg("the postmaster has died")));
}

int64
sp_background_statement(Oid role, const char *sql, int n_args, const char *const *args)
{
	dsm_segment *segment = write_statement(role, sql, n_args, args);
	Statement  *statement = dsm_segment_address(segment);
	int64		result;

	run_worker(segment);
	if (!statement->done && statement->sqlstate != 0)
		ereport(ERROR,
				(errcode(statement->sqlstate),
				 errmsg_internal("%s", statement->message)));
	if (!statement->done)
		ereport(ERROR,
				(errcode(ERRCODE_SYSTEM_ERROR),
				 errmsg("a background worker ended before its statement did"),
				 errhint("The server's log says why.")));
	result = statement->result;
	dsm_detach(segment);
	return result;
}
