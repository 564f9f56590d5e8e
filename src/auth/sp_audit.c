/*
 * src/auth/sp_audit.c
 *
 * Rows of audit_event that belong to the transaction that makes them, and the
 * removal of old ones.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "auth/sp_audit.h"
#include "base/sp_mask.h"

static bool expiring = false;

static void
put_text(Datum *values, char *nulls, int column, const char *text)
{
	nulls[column] = text != NULL ? ' ' : 'n';
	values[column] = text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
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
	bool		isnull;

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
	values[ADDRESS] = sp_client_address(&isnull);
	nulls[ADDRESS] = isnull ? 'n' : ' ';
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

bool
sp_audit_expiring(void)
{
	return expiring;
}

static int64
count_before(TimestampTz before)
{
	Oid			types[] = {TIMESTAMPTZOID};
	Datum		values[] = {TimestampTzGetDatum(before)};

	sp_write_sql("SELECT count(*) FROM smartpouch.audit_event WHERE at < $1", 1, types, values, NULL);
	return DatumGetInt64(sp_write_result(1));
}

static int64
remove_before(TimestampTz before)
{
	Oid			types[] = {TIMESTAMPTZOID};
	Datum		values[] = {TimestampTzGetDatum(before)};
	volatile uint64 removed = 0;

	PG_TRY();
	{
		expiring = true;
		removed = sp_write_sql("DELETE FROM smartpouch.audit_event WHERE at < $1", 1, types, values, NULL);
	}
	PG_FINALLY();
	{
		expiring = false;
	}
	PG_END_TRY();
	return (int64) removed;
}

static Jsonb *
describe_removal(TimestampTz before, int64 removed)
{
	Oid			types[] = {TIMESTAMPTZOID, INT8OID};
	Datum		values[] = {TimestampTzGetDatum(before), Int64GetDatum(removed)};

	sp_write_sql("SELECT jsonb_build_object('before', $1, 'events', $2)", 2, types, values, NULL);
	return DatumGetJsonbPCopy(sp_write_result(1));
}

int64
sp_audit_expire(TimestampTz before, bool dry_run)
{
	SpWrite		write;
	int64		count;

	if (!(sp_registry_may_all(GetUserId()) & SP_MAY_OWN))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to remove events of API keys"),
				 errdetail("It takes a superuser, the owner of the extension, or the level admin.")));
	sp_write_begin_local(&write, "expire_audit()");
	count = dry_run ? count_before(before) : remove_before(before);
	if (!dry_run)
		sp_audit_event(&write, &(SpAuditEvent) {.action = "expire", .detail = describe_removal(before, count)});
	sp_write_end(&write);
	return count;
}
