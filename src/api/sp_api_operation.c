/*
 * src/api/sp_api_operation.c
 *
 * What an operator asks.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "api/sp_result.h"
#include "ops/sp_health.h"

PG_FUNCTION_INFO_V1(smartpouch_version);
PG_FUNCTION_INFO_V1(smartpouch_health);

Datum
smartpouch_version(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_TEXT_P(cstring_to_text(SP_VERSION));
}

/* Shaped like draft-inadarei-api-health-check-06: a list of measurements under each name. */
static void
push_check(JsonbParseState **state, const SpCheck *check)
{
	sp_json_key(state, check->name);
	(void) pushJsonbValue(state, WJB_BEGIN_ARRAY, NULL);
	(void) pushJsonbValue(state, WJB_BEGIN_OBJECT, NULL);
	sp_json_key(state, "status");
	sp_json_string(state, WJB_VALUE, sp_health_name(check->status));
	sp_json_key(state, "observedValue");
	sp_json_integer(state, WJB_VALUE, check->observed);
	sp_json_key(state, "observedUnit");
	sp_json_string(state, WJB_VALUE, check->unit);
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
	SpCheck		checks[SP_N_CHECKS];
	SpHealth	worst = SP_HEALTH_PASS;
	char		timestamp[MAXDATELEN + 1];
	int			utc = 0;

	(void) fcinfo;
	sp_health_run(checks);
	for (int i = 0; i < SP_N_CHECKS; i++)
		worst = Max(worst, checks[i].status);
	JsonEncodeDateTime(timestamp, TimestampTzGetDatum(GetCurrentTimestamp()), TIMESTAMPTZOID, &utc);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	sp_json_key(&state, "status");
	sp_json_string(&state, WJB_VALUE, sp_health_name(worst));
	sp_json_key(&state, "timestamp");
	sp_json_string(&state, WJB_VALUE, timestamp);
	sp_json_key(&state, "version");
	sp_json_string(&state, WJB_VALUE, SP_VERSION);
	sp_json_key(&state, "checks");
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	for (int i = 0; i < SP_N_CHECKS; i++)
		push_check(&state, &checks[i]);
	(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return JsonbPGetDatum(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_OBJECT, NULL)));
}
