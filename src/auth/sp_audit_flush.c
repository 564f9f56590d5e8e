/*
 * src/auth/sp_audit_flush.c
 *
 * From the ring to table audit_event.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "auth/sp_audit_ring.h"

/* What sp_audit_write has written, until the commit: up to this number, and so many losses. */
static uint64 written;
static uint64 written_lost;

static void
put_text(Datum *values, char *nulls, int column, const char *text)
{
	nulls[column] = text[0] != '\0' ? ' ' : 'n';
	values[column] = CStringGetTextDatum(text);
}

static void
insert_refusal(const SpAuditEntry *entry)
{
	enum
	{
		AT, KEY_ID, OWNER, REASON, ACTION, RESOURCE, SESSION_ROLE, ACTING_ROLE, ADDRESS, APPLICATION, COLUMNS
	};
	Oid			types[COLUMNS];
	Datum		values[COLUMNS];
	char		nulls[COLUMNS + 1] = {0};

	for (int i = 0; i < COLUMNS; i++)
		types[i] = TEXTOID;
	types[AT] = TIMESTAMPTZOID;
	values[AT] = TimestampTzGetDatum(entry->at);
	nulls[AT] = ' ';
	put_text(values, nulls, KEY_ID, entry->key_id);
	put_text(values, nulls, OWNER, entry->owner);
	put_text(values, nulls, REASON, sp_refusal_name(entry->reason));
	put_text(values, nulls, ACTION, entry->action);
	put_text(values, nulls, RESOURCE, entry->resource);
	put_text(values, nulls, SESSION_ROLE, entry->session_role);
	put_text(values, nulls, ACTING_ROLE, entry->acting_role);
	put_text(values, nulls, ADDRESS, entry->client_address);
	put_text(values, nulls, APPLICATION, entry->application_name);
	sp_write_sql("INSERT INTO smartpouch.audit_event (at, action, key_id, owner, reason, detail, session_role,"
				 " acting_role, client_address, application_name)"
				 " VALUES ($1, 'refuse', $2, $3, $4, CASE WHEN $5 IS NOT NULL THEN"
				 " jsonb_build_object('action', $5, 'resource', $6) END, $7, $8, $9::inet, $10)",
				 COLUMNS, types, values, nulls);
}

static void
insert_lost(uint64 lost)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum((int64) lost)};

	sp_write_sql("INSERT INTO smartpouch.audit_event (at, action, detail)"
				 " VALUES (clock_timestamp(), 'lose', jsonb_build_object('refusals', $1))", 1, types, values, NULL);
}

void
sp_audit_write(const SpWrite *write)
{
	int			count;
	SpAuditEntry *entries = sp_audit_ring_copy(&count, &written_lost);

	(void) write;
	written = 0;
	for (int i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		insert_refusal(&entries[i]);
		written = entries[i].number;
	}
	if (written_lost > 0)
		insert_lost(written_lost);
}

void
sp_audit_written(void)
{
	sp_audit_ring_remove(MyDatabaseId, written, written_lost);
}
