/*
 * src/server/sp_metrics.c
 */
#include "server/sp_compat.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "server/sp_metrics.h"

#define US UINT64CONST(1000)
#define MS UINT64CONST(1000000)

const uint64 sp_latency_bounds[SP_N_LATENCY_BOUNDS] = {
	10 * US, 25 * US, 50 * US, 100 * US, 250 * US, 500 * US,
	1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
	1000 * MS, 2500 * MS, 10000 * MS
};

int			sp_metrics_planning = 0;

StaticAssertDecl((int) SP_N_CALL_CELLS <= SP_SERIES_LAST_AT && (int) SP_N_DATABASE_CELLS <= SP_SERIES_LAST_AT,
				 "a series has enough cells");

static void
begin_key(SpSeriesKey *key, SpSeriesKind kind)
{
	memset(key, 0, sizeof(*key));
	key->kind = kind;
	key->database = MyDatabaseId;
}

void
sp_metrics_prediction_key(SpSeriesKey *key, const pg_uuid_t *model_id, int32 version, const char *stage)
{
	begin_key(key, SP_SERIES_PREDICTION);
	if (model_id == NULL)
		return;
	key->model_id = *model_id;
	key->version = version;
	strlcpy(key->name, stage, sizeof(key->name));
}

void
sp_metrics_usage_key(SpSeriesKey *key, const pg_uuid_t *model_id, Oid role, const char *owner)
{
	begin_key(key, SP_SERIES_USAGE);
	if (model_id != NULL)
		key->model_id = *model_id;
	key->role = owner == NULL ? role : InvalidOid;
	if (owner != NULL)
		memcpy(key->name, owner, (Size) pg_mbcliplen(owner, (int) strlen(owner), (int) sizeof(key->name) - 1));
}

static int
latency_bucket(uint64 ns)
{
	int			i = 0;

	while (i < SP_N_LATENCY_BOUNDS && ns > sp_latency_bounds[i])
		i++;
	return i;
}

void
sp_metrics_observed(const SpSeriesKey *key, const SpObservation *observation)
{
	pg_atomic_uint64 *cells = sp_series_begin(key);

	if (cells == NULL)
		return;
	sp_series_add(cells, SP_CELL_CALLS, observation->calls);
	sp_series_add(cells, SP_CELL_ROWS, observation->rows);
	sp_series_add(cells, SP_CELL_BUSY, observation->busy);
	sp_series_add(cells, SP_CELL_CPU, observation->cpu);
	for (int reason = 0; reason < SP_N_REASONS; reason++)
		sp_series_add(cells, SP_CELL_ERRORS + reason, observation->errors[reason]);
	if (observation->calls > 0)
		sp_series_add(cells, SP_CELL_LATENCIES + latency_bucket(observation->busy / observation->calls),
					  observation->calls);
	sp_series_end();
}

SpErrorReason
sp_error_reason(int sqlerrcode)
{
	switch (sqlerrcode)
	{
		case ERRCODE_UNDEFINED_OBJECT:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			return SP_REASON_NO_MODEL;
		case ERRCODE_QUERY_CANCELED:
			return SP_REASON_TIMEOUT;
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
			return SP_REASON_DENIED;
	}
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION):
			return SP_REASON_BAD_INPUT;
		case ERRCODE_TO_CATEGORY(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION):
			return SP_REASON_DENIED;
	}
	return SP_REASON_INTERNAL;
}

const char *
sp_error_reason_name(SpErrorReason reason)
{
	static const char *const names[] = {"bad_input", "no_model", "timeout", "denied", "internal"};

	StaticAssertStmt(lengthof(names) == SP_N_REASONS, "a name for each reason");
	return names[reason];
}

static void
count_one(int cell)
{
	SpSeriesKey key;
	pg_atomic_uint64 *cells;

	if (!sp_metrics_on())
		return;
	begin_key(&key, SP_SERIES_DATABASE);
	cells = sp_series_begin(&key);
	if (cells == NULL)
		return;
	sp_series_add(cells, cell, 1);
	sp_series_end();
}

void
sp_metrics_cache(SpDatabaseCell cell)
{
	count_one(cell);
}

void
sp_metrics_loaded(const pg_uuid_t *model_id, int32 version, uint64 ns, bool succeeded)
{
	SpObservation observation = {.calls = 1, .busy = ns};
	SpSeriesKey key;

	if (!sp_metrics_on())
		return;
	begin_key(&key, SP_SERIES_LOAD);
	key.model_id = *model_id;
	key.version = version;
	observation.errors[SP_REASON_INTERNAL] = succeeded ? 0 : 1;
	sp_metrics_observed(&key, &observation);
}

void
sp_metrics_auth_attempt(void)
{
	count_one(SP_CELL_AUTH_ATTEMPTS);
}

void
sp_metrics_auth_failure(SpAuthFailure failure)
{
	count_one(SP_CELL_AUTH_FAILURES + (int) failure);
}

void
sp_metrics_limited(SpLimitScope scope)
{
	count_one(SP_CELL_LIMIT_REFUSALS + (int) scope);
}

void
sp_metrics_grace_use(void)
{
	count_one(SP_CELL_GRACE_USES);
}

const char *
sp_auth_failure_name(SpAuthFailure failure)
{
	static const char *const names[] = {
		"malformed", "unknown", "expired", "not_yet_valid", "revoked", "disabled", "stage", "foreign", "stale",
		"scope", "creator"
	};

	StaticAssertStmt(lengthof(names) == SP_N_AUTH_FAILURES, "a name for each failure");
	return names[failure];
}

const char *
sp_limit_scope_name(SpLimitScope scope)
{
	static const char *const names[] = {"key", "owner", "quota"};

	StaticAssertStmt(lengthof(names) == SP_N_LIMITS, "a name for each scope");
	return names[scope];
}
