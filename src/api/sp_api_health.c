/*
 * src/api/sp_api_health.c
 *
 * Whether the server lives, is ready to predict, and is well.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "api/sp_golden.h"
#include "api/sp_model_ref.h"
#include "api/sp_result.h"
#include "auth/sp_permission.h"
#include "ops/sp_backup.h"
#include "ops/sp_health.h"
#include "server/sp_guc.h"
#include "server/sp_snapshot.h"

PG_FUNCTION_INFO_V1(smartpouch_health);
PG_FUNCTION_INFO_V1(smartpouch_live);
PG_FUNCTION_INFO_V1(smartpouch_ready);
PG_FUNCTION_INFO_V1(smartpouch_ready_in_time);
PG_FUNCTION_INFO_V1(smartpouch_backup_free_bytes);

/* The largest part of smartpouch.health_timeout that one check of health() may take. */
#define CHECK_SHARE 0.4

/* Enough for what an application knows of its model, in a time that is known. */
#define GOLDEN_ROWS_LOOKED_AT 20

static bool
look_at_golden(SpCheck *check, const SpDeployed *deployed, double ms)
{
	SpFoundRows found = {.model.id = deployed->version.model_id, .version = deployed->version};
	int			count;
	SpGoldenRow *rows = sp_registry_golden(&found, sp_active_snapshot(), &count);
	SpLoadedModel *pinned;
	const SpImage *image;

	count = Min(count, GOLDEN_ROWS_LOOKED_AT);
	if (count == 0)
		return true;
	image = sp_check_image(&deployed->version, ms, &pinned);
	if (image == NULL)
		return false;
	check->observed += count;
	PG_TRY();
	{
		char	   *subject = psprintf("model \"%s\" version %d", deployed->model, deployed->version.version);
		char	   *mismatch;
		const SpGoldenRow *row = sp_golden_first_mismatch(image, subject, rows, count, &mismatch);

		if (row != NULL)
			sp_health_report(check, SP_HEALTH_FAIL, "golden row %d of %s does not match: %s", row->seq, subject, mismatch);
	}
	PG_FINALLY();
	{
		if (pinned != NULL)
			sp_model_unpin(pinned);
	}
	PG_END_TRY();
	return true;
}

static void
check_golden(SpCheck *check)
{
	int			count;
	int			lost;
	SpDeployed *deployed = sp_registry_deployed(sp_active_snapshot(), &count, &lost);

	sp_check_each(check, deployed, count, look_at_golden);
}

/* The cheap ones first, so that they are known whatever the others take. */
static const SpHealthCheck checks[] = {
	{"installation:version", "installations", sp_check_installation, NULL},
	{"server:preload", "libraries", sp_check_preload, NULL},
	{"server:minorVersion", "minor version", sp_check_minor, NULL},
	{"standby:replayLag", "s", sp_check_replay, NULL},
	{"subscription:running", "subscriptions", sp_check_sql, "smartpouch._check_subscription"},
	{"cache:shared", "models in shared memory", sp_check_shared, NULL},
	{"registry:triggers", "silent triggers", sp_check_triggers, NULL},
	{"rollup:lag", "s", sp_check_sql, "smartpouch._check_rollup"},
	{"jobs:scheduled", "jobs", sp_check_sql, "smartpouch._check_jobs"},
	{"backup:age", "s", sp_check_sql, "smartpouch._check_backup_age"},
	{"backup:verifiedAge", "s", sp_check_sql, "smartpouch._check_backup_verified"},
	{"backup:freeSpace", "bytes", sp_check_sql, "smartpouch._check_backup_folder"},
	{"models:owners", "models without an owner", sp_check_owners, NULL},
	{"keys:adoption", "keys that wait", sp_check_keys, NULL},
	{"keys:tracked", "keys and owners", sp_check_tracked_keys, NULL},
	{"log:parameters", "settings", sp_check_log_parameters, NULL},
	{"log:statements", "settings", sp_check_log_statements, NULL},
	{"audit:lost", "refusals", sp_check_audit, NULL},
	{"worker:round", "s", sp_check_worker, NULL},
	{"models:ready", "deployed versions", sp_check_models, NULL},
	{"models:golden", "golden rows", check_golden, NULL},
	{"backup:connection", "connections", sp_check_backup_connection, NULL}
};

static void
push_time(JsonbParseState **state, const char *key, TimestampTz time)
{
	char	   *text = palloc(MAXDATELEN + 1);	/* the state only points to it */
	int			utc = 0;

	(void) JsonEncodeDateTime(text, TimestampTzGetDatum(time), TIMESTAMPTZOID, &utc);
	sp_json_key(state, key);
	sp_json_string(state, WJB_VALUE, text);
}

/* Shaped like draft-inadarei-api-health-check-06: a list of measurements under each name. */
static void
push_check(JsonbParseState **state, const SpCheck *check)
{
	sp_json_key(state, check->name);
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	sp_json_key(state, "componentType");
	sp_json_string(state, WJB_VALUE, "component");
	sp_json_key(state, "status");
	sp_json_string(state, WJB_VALUE, sp_health_name(check->status));
	if (check->status != SP_HEALTH_UNKNOWN)
	{
		sp_json_key(state, "observedValue");
		sp_json_integer(state, WJB_VALUE, check->observed);
		sp_json_key(state, "observedUnit");
		sp_json_string(state, WJB_VALUE, check->unit);
	}
	if (check->is_sample)
	{
		sp_json_key(state, "sampled");
		sp_json_integer(state, WJB_VALUE, check->sampled);
	}
	if (check->time != 0)
		push_time(state, "time", check->time);
	if (check->output)
	{
		sp_json_key(state, "output");
		sp_json_server_string(state, WJB_VALUE, check->output);
	}
	(void) pushJsonbValue(state, WJB_END_OBJECT, NULL);
	(void) pushJsonbValue(state, WJB_END_ARRAY, NULL);
}

Datum
smartpouch_health(PG_FUNCTION_ARGS)
{
	JsonbParseState *state = NULL;
	SpCheck		results[lengthof(checks)];
	SpHealth	worst = sp_health_run(checks, lengthof(checks), CHECK_SHARE, results);

	(void) fcinfo;
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	sp_json_key(&state, "status");
	sp_json_string(&state, WJB_VALUE, sp_health_name(worst == SP_HEALTH_UNKNOWN ? SP_HEALTH_WARN : worst));
	push_time(&state, "timestamp", GetCurrentTimestamp());
	sp_json_key(&state, "version");
	sp_json_string(&state, WJB_VALUE, SP_VERSION);
	sp_json_key(&state, "checks");
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < (int) lengthof(checks); i++)
		if (!results[i].is_absent)
			push_check(&state, &results[i]);
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}

/* To be called says it all: the server takes statements and has loaded the library. */
Datum
smartpouch_live(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_BOOL(true);
}

/* What predict() needs before it looks at features; raises as it would. */
static void
check_model(SpCheck *check)
{
	SpResolved	resolved;

	sp_model_ref(check->argument, SP_MAY_PREDICT, &resolved);
	sp_model_unpin(sp_model_pin(&resolved.rows.version, sp_active_snapshot()));
}

/*
 * What is not known in time is not ready.  One model may take as long as it takes to load: a caller who asks again
 * would else never see it ready.
 */
Datum
smartpouch_ready(PG_FUNCTION_ARGS)
{
	static const SpHealthCheck needed[] = {
		{"installation:version", "installations", sp_check_installation, NULL},
		{"standby:replayLag", "s", sp_check_replay, NULL},
		{"models:ready", "deployed versions", sp_check_models, NULL}
	};
	SpCheck		results[lengthof(needed)];
	SpCheck		check = {.argument = PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0)};

	if (check.argument != NULL)
		PG_RETURN_BOOL(sp_health_try(check_model, &check, 0) == SP_HEALTH_PASS);
	PG_RETURN_BOOL(sp_health_run(needed, lengthof(needed), 1, results) == SP_HEALTH_PASS);
}

/* The part of smartpouch.readiness_timeout that one of several models may take. */
#define READY_SHARE 0.4

static double
readiness_time_left(instr_time began)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, began);
	return sp_readiness_timeout - INSTR_TIME_GET_MILLISEC(now);
}

static SpHealth
ready_within(Datum ref, double budget_ms)
{
	SpCheck		check = {.argument = DatumGetTextPP(ref)};

	return budget_ms < 1 ? SP_HEALTH_UNKNOWN : sp_health_try(check_model, &check, budget_ms);
}

/* Starts with another one at each call, so that those that no time is left for are not the same ones for ever. */
Datum
smartpouch_ready_in_time(PG_FUNCTION_ARGS)
{
	Datum	   *refs;
	Datum	   *ready;
	bool	   *is_unknown;
	int			count;
	int			lower = 1;
	uint64		start = (uint64) GetCurrentTimestamp();
	instr_time	began;

	INSTR_TIME_SET_CURRENT(began);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), TEXTOID, -1, false, TYPALIGN_INT, &refs, NULL, &count);
	ready = palloc0(mul_size(count, sizeof(Datum)));
	is_unknown = palloc0(mul_size(count, sizeof(bool)));
	for (int i = 0; i < count; i++)
	{
		int			at = (int) ((start + (uint64) i) % (uint64) count);
		SpHealth	status = ready_within(refs[at], Min(readiness_time_left(began), READY_SHARE * sp_readiness_timeout));

		is_unknown[at] = status == SP_HEALTH_UNKNOWN;
		ready[at] = BoolGetDatum(status < SP_HEALTH_WARN);
	}
	PG_RETURN_ARRAYTYPE_P(construct_md_array(ready, is_unknown, 1, &count, &lower, BOOLOID, 1, true, TYPALIGN_CHAR));
}

Datum
smartpouch_backup_free_bytes(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_INT64(sp_folder_free_bytes(sp_backup_folder()));
}
