/*
 * src/ops/sp_health.c
 */
#include "server/sp_compat.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/float.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

#include "ops/sp_health.h"
#include "server/sp_cancel.h"
#include "server/sp_guc.h"
#include "server/sp_subtransaction.h"

#define MAX_REPORTS 10			/* of one check in its output */

static TimeoutId check_timeout = MAX_TIMEOUTS;	/* once registered */
static volatile sig_atomic_t timed_out;
static bool statement_had_timeout;
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
	MemoryContext old;
	StringInfoData text;
	va_list		args;
	int			needed;

	if (status == SP_HEALTH_PASS || status < check->status)
		return;
	if (status > check->status)
		check->reports = 0;
	check->status = status;
	if (check->reports++ >= MAX_REPORTS)
		return;
	old = MemoryContextSwitchTo(check->mcx);
	initStringInfo(&text);
	if (check->reports > 1)
		appendStringInfo(&text, "%s; ", check->output);
	do
	{
		va_start(args, format);
		needed = appendStringInfoVA(&text, format, args);
		va_end(args);
		if (needed > 0)
			enlargeStringInfo(&text, needed);
	} while (needed > 0);
	check->output = text.data;
	MemoryContextSwitchTo(old);
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
	check->observed = observed ? strtoi64(observed, NULL, 10) : 0;
	if (status != NULL)
		sp_health_report(check, health_of_name(status), "%s", output ? output : "");
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

/* Somebody's own cancellation, which can come together with the check's, before anybody looks at interrupts. */
static bool
statement_is_cancelled(void)
{
	return sp_cancel_seen() || (statement_had_timeout && !get_timeout_active(STATEMENT_TIMEOUT));
}

/* An error of these kinds is the caller's. */
static bool
ends_statement(int sqlerrcode)
{
	if (sqlerrcode == ERRCODE_QUERY_CANCELED)
		return !timed_out || statement_is_cancelled();
	return sqlerrcode == ERRCODE_OUT_OF_MEMORY ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TO_CATEGORY(ERRCODE_ADMIN_SHUTDOWN);
}

/* One of these says that the check could not look. */
static bool
stops_check(int sqlerrcode)
{
	return sqlerrcode == ERRCODE_QUERY_CANCELED || sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE ||
		ERRCODE_TO_CATEGORY(sqlerrcode) == ERRCODE_TRANSACTION_ROLLBACK;
}

bool
sp_health_is_finding(int sqlerrcode)
{
	return !ends_statement(sqlerrcode) && !stops_check(sqlerrcode);
}

/*
 * The timer can go off after the check's last look at interrupts; that one must
 * not cancel the statement.  Somebody's must: one that comes before the flag is
 * lowered is seen after it, and one that comes later raises it again.
 */
static void
end_timer(void)
{
	disable_timeout(check_timeout, false);
	if (!timed_out || !QueryCancelPending)
		return;
	QueryCancelPending = false;
	if (statement_is_cancelled())
		InterruptPending = QueryCancelPending = true;
}

typedef struct Attempt
{
	SpCheckFunction function;
	SpCheck    *check;
	double		budget_ms;
} Attempt;

static void
attempt(void *arg)
{
	Attempt    *this = arg;

	if (this->budget_ms > 0)
		enable_timeout_after(check_timeout, Max(1, (int) this->budget_ms));
	this->function(this->check);
	end_timer();
}

static void
report_error(SpCheck *check, const ErrorData *error)
{
	if (sp_health_is_finding(error->sqlerrcode))
		sp_health_report(check, SP_HEALTH_FAIL, "%s%s%s", error->message, error->hint ? ": " : "", error->hint ? error->hint : "");
	else if (!timed_out)
		sp_health_report(check, SP_HEALTH_UNKNOWN, "it could not be looked at: %s", error->message);
}

/*
 * Raises what is not the check's.  Of a cancellation that nobody has looked at
 * yet the server tells the reason; one that came together with something else,
 * as lock_timeout, was looked at and not raised.
 */
static void
raise_callers(ErrorData *error)
{
	bool		is_cancelled = statement_is_cancelled();

	sp_cancel_unwatch();
	if (is_cancelled)
	{
		if (error == NULL || error->sqlerrcode != ERRCODE_QUERY_CANCELED)
			InterruptPending = QueryCancelPending = true;
		CHECK_FOR_INTERRUPTS();
	}
	if (error != NULL && ends_statement(error->sqlerrcode))
		ReThrowError(error);
}

SpHealth
sp_health_try(SpCheckFunction function, SpCheck *check, double budget_ms)
{
	Attempt		this = {function, check, budget_ms};
	ErrorData  *error;

	if (check_timeout == MAX_TIMEOUTS)
		check_timeout = RegisterTimeout(USER_TIMEOUT, stop_check);
	check->mcx = CurrentMemoryContext;
	timed_out = false;
	statement_had_timeout = get_timeout_active(STATEMENT_TIMEOUT);
	INSTR_TIME_SET_CURRENT(deadline_from);
	deadline_ms = budget_ms > 0 ? budget_ms : get_float8_infinity();
	sp_cancel_watch();
	error = sp_subtransaction(attempt, &this);
	end_timer();
	raise_callers(error);
	if (error != NULL)
		report_error(check, error);
	if (timed_out && !check->is_absent)
		sp_health_report(check, SP_HEALTH_UNKNOWN, "it was stopped after %.0f ms (smartpouch.health_timeout)", budget_ms);
	if (check->reports > MAX_REPORTS)
		check->output = psprintf("%s; and %d more", check->output, check->reports - MAX_REPORTS);
	check->time = GetCurrentTimestamp();
	return check->status;
}

SpHealth
sp_health_run(const SpHealthCheck *checks, int count, double share, SpCheck *results)
{
	SpHealth	worst = SP_HEALTH_PASS;
	instr_time	began;

	INSTR_TIME_SET_CURRENT(began);
	for (int i = 0; i < count; i++)
	{
		SpCheck    *result = &results[i];
		double		left = sp_health_timeout - elapsed_ms(began);

		memset(result, 0, sizeof(*result));
		result->name = checks[i].name;
		result->unit = checks[i].unit;
		result->argument = checks[i].argument;
		result->mcx = CurrentMemoryContext;
		if (results[0].status == SP_HEALTH_FAIL)
			sp_health_report(result, SP_HEALTH_UNKNOWN, "it was not looked at, because %s has failed", results[0].name);
		else if (left < 1)
			sp_health_report(result, SP_HEALTH_UNKNOWN, "the checks before it took all of smartpouch.health_timeout");
		else
			(void) sp_health_try(checks[i].function, result, Min(left, share * sp_health_timeout));
		worst = Max(worst, result->status);
	}
	return worst;
}
