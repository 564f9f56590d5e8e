/*
 * src/ops/sp_health.c
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timeout.h"

#include "ops/sp_health.h"
#include "server/sp_guc.h"

/* The largest part of smartpouch.health_timeout that one check may take. */
#define CHECK_SHARE 0.4

static TimeoutId check_timeout = MAX_TIMEOUTS;	/* once registered */
static volatile sig_atomic_t timed_out;
static instr_time deadline_from;
static double deadline_ms;		/* after deadline_from */

const char *
sp_health_name(SpHealth status)
{
	static const char *const names[] = {"pass", "unknown", "warn", "fail"};

	return names[status];
}

static double
elapsed_ms(instr_time since)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, since);
	return INSTR_TIME_GET_MILLISEC(now);
}

double
sp_health_time_left(void)
{
	return deadline_ms - elapsed_ms(deadline_from);
}

void
sp_health_report(SpCheck *check, SpHealth status, const char *format, ...)
{
	StringInfoData text;
	va_list		args;
	int			needed;

	if (status <= check->status)
		return;
	check->status = status;
	initStringInfo(&text);
	do
	{
		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(&text, needed);
	} while (needed > 0);
	check->output = text.data;
}

static SpHealth
health_of_name(const char *name)
{
	for (SpHealth status = SP_HEALTH_PASS; status < SP_HEALTH_FAIL; status++)
		if (strcmp(name, sp_health_name(status)) == 0)
			return status;
	return SP_HEALTH_FAIL;
}

void
sp_check_sql(SpCheck *check)
{
	MemoryContext mcx = CurrentMemoryContext;
	char	   *status;
	char	   *observed;
	char	   *output;

	SPI_connect();
	if (SPI_execute(psprintf("SELECT * FROM %s()", (const char *) check->argument), true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "%s() gave no row", (const char *) check->argument);
	status = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	observed = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2);
	output = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3);
	check->is_absent = status == NULL;
	check->status = status ? health_of_name(status) : SP_HEALTH_PASS;
	check->observed = observed ? strtoi64(observed, NULL, 10) : 0;
	check->output = output ? MemoryContextStrdup(mcx, output) : NULL;
	SPI_finish();
}

/* As a cancellation, which waits for locks and all loops of the server heed. */
static void
stop_check(void)
{
	timed_out = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/* An error of these kinds is about the statement, not about what is checked. */
static bool
ends_statement(int sqlerrcode)
{
	if (sqlerrcode == ERRCODE_QUERY_CANCELED)
		return !timed_out;
	return sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_ADMIN_SHUTDOWN);
}

/*
 * The timer can go off after the check's last look at interrupts; that one
 * must not cancel the statement.
 */
static void
end_timer(void)
{
	disable_timeout(check_timeout, false);
	if (timed_out)
		QueryCancelPending = false;
}

static void
fail_check(SpCheck *check, MemoryContext mcx)
{
	ErrorData  *error;

	MemoryContextSwitchTo(mcx);
	error = CopyErrorData();
	if (ends_statement(error->sqlerrcode))
		PG_RE_THROW();
	FlushErrorState();
	RollbackAndReleaseCurrentSubTransaction();
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return;
	check->status = SP_HEALTH_FAIL;
	check->output = error->hint ? psprintf("%s: %s", error->message, error->hint) : error->message;
}

SpHealth
sp_health_try(SpCheckFunction function, SpCheck *check, double budget_ms)
{
	MemoryContext mcx = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;

	if (check_timeout == MAX_TIMEOUTS)
		check_timeout = RegisterTimeout(USER_TIMEOUT, stop_check);
	timed_out = false;
	INSTR_TIME_SET_CURRENT(deadline_from);
	deadline_ms = budget_ms > 0 ? budget_ms : get_float8_infinity();
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(mcx);
	PG_TRY();
	{
		if (budget_ms > 0)
			enable_timeout_after(check_timeout, Max(1, (int) budget_ms));
		function(check);
		end_timer();
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		end_timer();
		fail_check(check, mcx);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(mcx);
	CurrentResourceOwner = owner;
	if (timed_out)
		sp_health_report(check, SP_HEALTH_UNKNOWN, "it was stopped after %.0f ms (smartpouch.health_timeout)", budget_ms);
	return check->status;
}

SpHealth
sp_health_run(const SpHealthCheck *checks, int count, SpCheck *results)
{
	SpHealth	worst = SP_HEALTH_PASS;
	instr_time	began;

	INSTR_TIME_SET_CURRENT(began);
	for (int i = 0; i < count; i++)
	{
		double		left = sp_health_timeout - elapsed_ms(began);

		memset(&results[i], 0, sizeof(results[i]));
		results[i].name = checks[i].name;
		results[i].unit = checks[i].unit;
		results[i].argument = checks[i].argument;
		if (left < 1)
			sp_health_report(&results[i], SP_HEALTH_UNKNOWN, "the checks before it took all of smartpouch.health_timeout");
		else
			(void) sp_health_try(checks[i].function, &results[i], Min(left, CHECK_SHARE * sp_health_timeout));
		worst = Max(worst, results[i].status);
	}
	return worst;
}
