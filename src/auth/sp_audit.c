/*
 * src/auth/sp_audit.c
 *
 * Rows of audit_event that belong to the transaction that makes them.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "auth/sp_audit.h"
#include "base/sp_mask.h"

static void
put_text(Datum *values, char *nulls, int column, const char *text)
{
	nulls[column] = text != NULL ? ' ' : 'n';
	values[column] = text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
}

static void
put_client_address(Datum *values, char *nulls, int column)
{
	LOCAL_FCINFO(fcinfo, 0);

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	values[column] = inet_client_addr(fcinfo);
	nulls[column] = fcinfo->isnull ? 'n' : ' ';
}

/* A copy without tokens; NULL for NULL. */
static char *
masked(const char *text)
{
	char	   *copy;

	if (text == NULL)
		return NULL;
	copy = pstrdup(text);
	(void) sp_mask_tokens(copy, strlen(copy));
	return copy;
}

void
sp_audit_event(const SpWrite *write, const SpAuditEvent *event)
{
	enum
	{
		AT, ACTION, KEY_ID, OWNER, REASON, DETAIL, SESSION_ROLE, ACTING_ROLE, CALLER_KEY, ADDRESS, APPLICATION,
		COLUMNS
	};
	Oid			types[COLUMNS] = {
		TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID, INETOID, TEXTOID
	};
	Datum		values[COLUMNS];
	char		nulls[COLUMNS + 1] = {0};

	values[AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	nulls[AT] = ' ';
	put_text(values, nulls, ACTION, event->action);
	put_text(values, nulls, KEY_ID, event->key_id);
	put_text(values, nulls, OWNER, masked(event->owner));
	put_text(values, nulls, REASON, masked(event->reason));
	values[DETAIL] = PointerGetDatum(event->detail);
	nulls[DETAIL] = event->detail != NULL ? ' ' : 'n';
	put_text(values, nulls, SESSION_ROLE, write->session_role);
	put_text(values, nulls, ACTING_ROLE, write->acting_role);
	put_text(values, nulls, CALLER_KEY, write->api_key_id);
	put_client_address(values, nulls, ADDRESS);
	put_text(values, nulls, APPLICATION, masked(application_name));
	sp_write_sql("INSERT INTO smartpouch.audit_event (at, action, key_id, owner, reason, detail, session_role,"
				 " acting_role, api_key_id, client_address, application_name)"
				 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", COLUMNS, types, values, nulls);
}

static void
registry_changed(const SpWrite *write, const char *action, const Jsonb *detail)
{
	sp_audit_event(write, &(SpAuditEvent) {.action = action, .detail = detail});
}

void
sp_audit_init(void)
{
	sp_write_audit_hook = registry_changed;
}
