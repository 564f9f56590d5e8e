/*
 * src/api/sp_api_key_life.c
 *
 * Making, changing and ending API keys.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "api/sp_arguments.h"
#include "auth/sp_key_write.h"

PG_FUNCTION_INFO_V1(smartpouch_create_api_key);
PG_FUNCTION_INFO_V1(smartpouch_rotate_api_key);
PG_FUNCTION_INFO_V1(smartpouch_revoke_api_key);
PG_FUNCTION_INFO_V1(smartpouch_enable_api_key);
PG_FUNCTION_INFO_V1(smartpouch_disable_api_key);
PG_FUNCTION_INFO_V1(smartpouch_set_api_key_scopes);
PG_FUNCTION_INFO_V1(smartpouch_adopt_api_keys);

static char *
text_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	sp_require_argument(fcinfo, arg, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/* The copy that is given back is the only one. */
static Datum
token_result(char token[SP_KEY_TOKEN_SIZE])
{
	text	   *result = cstring_to_text(token);

	explicit_bzero(token, SP_KEY_TOKEN_SIZE);
	return PointerGetDatum(result);
}

static SpKeyStage
stage_argument(FunctionCallInfo fcinfo, int arg)
{
	char	   *name = text_argument(fcinfo, arg, "stage");
	SpKeyStage	stage;

	if (!sp_key_stage_find(name, strlen(name), &stage))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the stage of a key is development, testing, staging or production")));
	return stage;
}

/* A limit that was given must be one: NULL says that there is none. */
static int64
limit_argument(FunctionCallInfo fcinfo, int arg, int64 value)
{
	if (PG_ARGISNULL(arg))
		return 0;
	return value > 0 ? value : -1;
}

static char *
optional_text(FunctionCallInfo fcinfo, int arg)
{
	return PG_ARGISNULL(arg) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

Datum
smartpouch_create_api_key(PG_FUNCTION_ARGS)
{
	SpNewApiKey key;
	char		token[SP_KEY_TOKEN_SIZE];

	key.owner = text_argument(fcinfo, 0, "owner");
	sp_require_argument(fcinfo, 1, "scopes");
	key.scopes = PG_GETARG_ARRAYTYPE_P(1);
	key.stage = stage_argument(fcinfo, 2);
	sp_require_argument(fcinfo, 3, "expires_in");
	key.expires_in = PG_GETARG_INTERVAL_P(3);
	key.rate_limit = (int32) limit_argument(fcinfo, 4, PG_GETARG_INT32(4));
	key.quota = limit_argument(fcinfo, 5, PG_ARGISNULL(5) ? 0 : PG_GETARG_INT64(5));
	key.burst = (int32) limit_argument(fcinfo, 6, PG_GETARG_INT32(6));
	key.not_before = PG_ARGISNULL(7) ? 0 : PG_GETARG_TIMESTAMPTZ(7);
	key.description = optional_text(fcinfo, 8);
	sp_require_argument(fcinfo, 9, "tags");
	key.tags = PG_GETARG_ARRAYTYPE_P(9);
	sp_key_create(&key, token);
	return token_result(token);
}

Datum
smartpouch_rotate_api_key(PG_FUNCTION_ARGS)
{
	char	   *id = text_argument(fcinfo, 0, "key_id");
	char		token[SP_KEY_TOKEN_SIZE];

	sp_require_argument(fcinfo, 1, "grace");
	sp_key_rotate(id, PG_GETARG_INTERVAL_P(1), token);
	return token_result(token);
}

Datum
smartpouch_revoke_api_key(PG_FUNCTION_ARGS)
{
	sp_key_revoke(text_argument(fcinfo, 0, "key_id"), optional_text(fcinfo, 1));
	PG_RETURN_VOID();
}

Datum
smartpouch_enable_api_key(PG_FUNCTION_ARGS)
{
	sp_key_set_enabled(text_argument(fcinfo, 0, "key_id"), true);
	PG_RETURN_VOID();
}

Datum
smartpouch_disable_api_key(PG_FUNCTION_ARGS)
{
	sp_key_set_enabled(text_argument(fcinfo, 0, "key_id"), false);
	PG_RETURN_VOID();
}

Datum
smartpouch_set_api_key_scopes(PG_FUNCTION_ARGS)
{
	char	   *id = text_argument(fcinfo, 0, "key_id");

	sp_require_argument(fcinfo, 1, "scopes");
	sp_key_set_scopes(id, PG_GETARG_ARRAYTYPE_P(1));
	PG_RETURN_VOID();
}

Datum
smartpouch_adopt_api_keys(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(sp_key_adopt(PG_ARGISNULL(0) ? GetUserId() : PG_GETARG_OID(0)));
}
