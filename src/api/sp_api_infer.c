/*
 * src/api/sp_api_infer.c
 *
 * A prediction for whoever has an API key.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"

#include "api/sp_call_count.h"
#include "api/sp_predict_json.h"
#include "api/sp_routing.h"
#include "api/sp_shadow.h"
#include "auth/sp_key_permission.h"
#include "auth/sp_key_verify.h"
#include "base/sp_mask.h"

PG_FUNCTION_INFO_V1(smartpouch_infer);

#define ACTION "predict"
#define RESOURCE "model/"
#define RESOURCE_SIZE (sizeof(RESOURCE) + SP_REFERENCE_SIZE)

static const SpStr action = {ACTION, sizeof(ACTION) - 1};

/* What the scopes are asked for. The error does not repeat a text that may be a key in the wrong place. */
static void
name_resource(const text *ref, char resource[RESOURCE_SIZE])
{
	SpReference reference;

	if (!sp_reference_try(&reference, VARDATA_ANY(ref), VARSIZE_ANY_EXHDR(ref)) ||
		sp_has_token(VARDATA_ANY(ref), VARSIZE_ANY_EXHDR(ref)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"model\" is no reference to a model"),
				 errhint("Write name, name@stage, name@alias or name:version.")));
	snprintf(resource, RESOURCE_SIZE, RESOURCE "%.*s", (int) VARSIZE_ANY_EXHDR(ref), VARDATA_ANY(ref));
}

/* Of the call that runs: what counts predictions hands on the call alone. */
static const SpApiKeyRow *caller;

/*
 * The canary answers by the key's owner, so that all keys of an owner get one
 * version, and go on doing so when they are rotated.
 */
static Datum
predict_for_caller(FunctionCallInfo fcinfo)
{
	const SpApiKeyRow *row = caller;
	text	   *ref = PG_GETARG_TEXT_PP(1);
	SpCallSite *site;
	char		resource[RESOURCE_SIZE];
	Datum		answer;

	sp_count_owner(row->owner);
	site = sp_route_key(fcinfo, ref, row->owner, strlen(row->owner));
	if (!sp_key_creator_may(row, action, &site->resolved.rows.model))
	{
		name_resource(ref, resource);
		sp_key_forbid(row, SP_REFUSED_CREATOR, ACTION, resource);
	}
	answer = sp_predict_json(site, PG_GETARG_JSONB_P(2));
	sp_shadow(site, JSONBOID, PG_GETARG_DATUM(2));
	return answer;
}

/* What the key is refused is no prediction, and not counted as one. */
Datum
smartpouch_infer(PG_FUNCTION_ARGS)
{
	SpKeyVerdict verdict;
	SpRefusalReason reason;
	char		resource[RESOURCE_SIZE];

	sp_key_verify(PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0), &verdict);
	if (!verdict.valid)
		sp_key_reject(&verdict);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_NULL();
	name_resource(PG_GETARG_TEXT_PP(1), resource);
	if (!sp_key_covers(&verdict.row, action, (SpStr) {resource, strlen(resource)}, &reason))
		sp_key_forbid(&verdict.row, reason, ACTION, resource);
	sp_key_take_from_limits(&verdict.row);
	caller = &verdict.row;
	return sp_counted(fcinfo, predict_for_caller);
}
