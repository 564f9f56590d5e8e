/*
 * src/api/sp_api_limit.c
 *
 * Limits of the owners of API keys.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "auth/sp_limit.h"

PG_FUNCTION_INFO_V1(smartpouch_set_owner_limit);
PG_FUNCTION_INFO_V1(smartpouch_drop_owner_limit);

/* The integer argument, 0 for NULL: 22023 outside of 1 .. most. */
static int64
limit_argument(FunctionCallInfo fcinfo, int arg, const char *name, bool is_bigint, int64 most)
{
	int64		value;

	if (PG_ARGISNULL(arg))
		return 0;
	value = is_bigint ? PG_GETARG_INT64(arg) : PG_GETARG_INT32(arg);
	if (value < 1 || value > most)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 1 and %lld", name, (long long) most)));
	return value;
}

Datum
smartpouch_set_owner_limit(PG_FUNCTION_ARGS)
{
	SpLimitRule rule;

	sp_require_argument(fcinfo, 0, "owner");
	rule.rate = (int32) limit_argument(fcinfo, 1, "rate_limit", false, SP_LIMIT_RATE_MOST);
	rule.burst = (int32) limit_argument(fcinfo, 2, "burst", false, SP_LIMIT_RATE_MOST);
	rule.quota = limit_argument(fcinfo, 3, "quota", true, SP_LIMIT_QUOTA_MOST);
	if (rule.burst > 0 && rule.rate == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("burst needs rate_limit")));
	if (rule.rate == 0 && rule.quota == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("there is neither rate_limit nor quota"),
				 errhint("To take a limit away, call drop_owner_limit().")));
	sp_limit_require();
	sp_limit_set_owner(text_to_cstring(PG_GETARG_TEXT_PP(0)), &rule);
	PG_RETURN_VOID();
}

Datum
smartpouch_drop_owner_limit(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);
	sp_limit_set_owner(text_to_cstring(PG_GETARG_TEXT_PP(0)), NULL);
	PG_RETURN_VOID();
}
