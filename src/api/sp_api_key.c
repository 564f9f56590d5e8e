/*
 * src/api/sp_api_key.c
 *
 * Showing API keys, and who has shown one.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "auth/sp_key_identity.h"
#include "auth/sp_key_permission.h"
#include "auth/sp_key_verify.h"
#include "auth/sp_key_write.h"
#include "auth/sp_permission.h"

PG_FUNCTION_INFO_V1(smartpouch_verify_api_key);
PG_FUNCTION_INFO_V1(smartpouch_authenticate);
PG_FUNCTION_INFO_V1(smartpouch_current_api_key);
PG_FUNCTION_INFO_V1(smartpouch_current_owner);
PG_FUNCTION_INFO_V1(smartpouch_has_permission);
PG_FUNCTION_INFO_V1(smartpouch_authorize);
PG_FUNCTION_INFO_V1(smartpouch_api_key_facts);

static const text *
token_argument(FunctionCallInfo fcinfo)
{
	return PG_ARGISNULL(0) ? NULL : PG_GETARG_TEXT_PP(0);
}

static SpStr
str_of(const text *value)
{
	return (SpStr) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

/* The row type of the function, looked up once for each call site. */
static TupleDesc
result_row(FunctionCallInfo fcinfo)
{
	MemoryContext old;
	TupleDesc	row;

	if (fcinfo->flinfo->fn_extra != NULL)
		return fcinfo->flinfo->fn_extra;
	old = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
	if (get_call_result_type(fcinfo, NULL, &row) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	fcinfo->flinfo->fn_extra = BlessTupleDesc(row);
	MemoryContextSwitchTo(old);
	return fcinfo->flinfo->fn_extra;
}

/* Who has the secret may know the rest, also of a key that is no longer good. */
Datum
smartpouch_verify_api_key(PG_FUNCTION_ARGS)
{
	SpKeyVerdict verdict;
	Datum		values[5] = {0};
	bool		nulls[5] = {false, false, true, true, true};

	sp_key_verify(token_argument(fcinfo), &verdict);
	if (!verdict.valid)
		sp_key_refused(&verdict);
	values[0] = BoolGetDatum(verdict.valid);
	values[1] = CStringGetTextDatum(verdict.valid ? "valid" : sp_refusal_name(verdict.reason));
	if (verdict.valid || (verdict.reason != SP_REFUSED_MALFORMED && verdict.reason != SP_REFUSED_UNKNOWN))
	{
		memset(nulls, false, sizeof(nulls));
		values[2] = CStringGetTextDatum(verdict.row.id);
		values[3] = CStringGetTextDatum(verdict.row.owner);
		values[4] = PointerGetDatum(verdict.row.scopes);
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_row(fcinfo), values, nulls)));
}

Datum
smartpouch_authenticate(PG_FUNCTION_ARGS)
{
	SpKeyVerdict verdict;

	sp_key_verify(token_argument(fcinfo), &verdict);
	if (!verdict.valid)
		sp_key_reject(&verdict);
	sp_key_take_from_limits(&verdict.row);
	sp_key_identity_set(&verdict.row);
	PG_RETURN_TEXT_P(cstring_to_text(verdict.row.id));
}

Datum
smartpouch_current_api_key(PG_FUNCTION_ARGS)
{
	const SpApiKeyRow *row = sp_key_identity();

	if (row == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(row->id));
}

Datum
smartpouch_current_owner(PG_FUNCTION_ARGS)
{
	const SpApiKeyRow *row = sp_key_identity();

	if (row == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(row->owner));
}

Datum
smartpouch_has_permission(PG_FUNCTION_ARGS)
{
	const SpApiKeyRow *row = sp_key_identity();
	SpRefusalReason reason;

	PG_RETURN_BOOL(row != NULL && sp_key_may(row, str_of(PG_GETARG_TEXT_PP(0)), str_of(PG_GETARG_TEXT_PP(1)), &reason));
}

Datum
smartpouch_authorize(PG_FUNCTION_ARGS)
{
	const SpApiKeyRow *row = sp_key_identity();
	SpRefusalReason reason;

	sp_require_argument(fcinfo, 0, "action");
	sp_require_argument(fcinfo, 1, "resource");
	if (row == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("this transaction is not authenticated with a valid API key"),
				 errhint("Call smartpouch.authenticate() in it first.")));
	if (!sp_key_may(row, str_of(PG_GETARG_TEXT_PP(0)), str_of(PG_GETARG_TEXT_PP(1)), &reason))
		sp_key_forbid(row, reason, text_to_cstring(PG_GETARG_TEXT_PP(0)), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

/* May the current user see the key, and what would become of it now? */
Datum
smartpouch_api_key_facts(PG_FUNCTION_ARGS)
{
	char	   *id = text_to_cstring(PG_GETARG_TEXT_PP(0));
	SpApiKeyRow row;
	SpRefusalReason reason;
	Datum		values[2] = {0};
	bool		nulls[2] = {false, true};

	if (sp_registry_api_key_at(id, &row) && strcmp(row.id, id) == 0 &&
		((sp_permission_any(GetUserId()) & SP_MAY_SEE) != 0 ||
		 sp_key_may_change(GetUserId(), row.creator_oid, row.creator_cluster)))
	{
		values[0] = BoolGetDatum(true);
		values[1] = CStringGetTextDatum(sp_key_holds(&row, &reason) ? "valid" : sp_refusal_name(reason));
		nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(result_row(fcinfo), values, nulls)));
}
