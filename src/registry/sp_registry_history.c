/*
 * src/registry/sp_registry_history.c
 *
 * Writing the history of a model, as a chain of hashes.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "registry/sp_registry_history.h"
#include "registry/sp_registry_internal.h"
#include "server/sp_canonical.h"

#define LINK_TAG "smartpouch event 1"

static const Oid event_types[SP_EVENT_COLUMNS] = {
	UUIDOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, INT4OID,
	TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID, INETOID
};

void
sp_event_link(const Datum *values, const bool *nulls, const uint8 *previous, uint8 link[SP_SHA256_SIZE])
{
	StringInfoData bytes;

	initStringInfo(&bytes);
	appendBinaryStringInfo(&bytes, LINK_TAG, sizeof(LINK_TAG));
	appendBinaryStringInfo(&bytes, (const char *) previous, SP_SHA256_SIZE);
	for (int i = 0; i < SP_EVENT_COLUMNS; i++)
		sp_canonical_append(&bytes, event_types[i], values[i], nulls[i]);
	sp_sha256(bytes.data, (Size) bytes.len, link);
	pfree(bytes.data);
}

/* The number and hash of the newest event. */
static int64
newest_event(const SpLockedModel *model, uint8 link[SP_SHA256_SIZE])
{
	Oid			types[] = {UUIDOID};
	Datum		values[] = {UUIDPGetDatum(&model->id)};

	if (sp_write_sql("SELECT last_event, last_event_hash FROM smartpouch.model WHERE id = $1",
					 1, types, values, NULL) == 0)
		elog(ERROR, "model \"%s\" vanished while it was locked", model->name);
	memcpy(link, VARDATA_ANY(DatumGetByteaPP(sp_write_result(2))), SP_SHA256_SIZE);
	return DatumGetInt64(sp_write_result(1));
}

static void
put_text(Datum *values, bool *nulls, int column, const char *text)
{
	nulls[column] = text == NULL;
	values[column] = text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
}

static void
put_version(Datum *values, bool *nulls, int column, int32 version)
{
	nulls[column] = version == 0;
	values[column] = Int32GetDatum(version);
}

static void
insert_event(const Datum *values, const bool *isnull, const uint8 *link)
{
	Oid			types[SP_EVENT_COLUMNS + 1];
	Datum		row[SP_EVENT_COLUMNS + 1];
	char		nulls[SP_EVENT_COLUMNS + 2] = {0};

	memcpy(types, event_types, sizeof(event_types));
	memcpy(row, values, SP_EVENT_COLUMNS * sizeof(Datum));
	for (int i = 0; i < SP_EVENT_COLUMNS; i++)
		nulls[i] = isnull[i] ? 'n' : ' ';
	types[SP_EVENT_COLUMNS] = BYTEAOID;
	row[SP_EVENT_COLUMNS] = sp_hash_datum(link);
	nulls[SP_EVENT_COLUMNS] = ' ';
	sp_write_sql("INSERT INTO smartpouch.event (model_id, seq, at, recorded_at, model, action, version,"
				 " stage, replaced_version, detail, note, evidence, session_role, acting_role,"
				 " api_key_id, client_address, hash)"
				 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
				 SP_EVENT_COLUMNS + 1, types, row, nulls);
}

void
sp_write_event(const SpWrite *write, const SpLockedModel *model, const SpEvent *event)
{
	Datum		values[SP_EVENT_COLUMNS];
	bool		nulls[SP_EVENT_COLUMNS] = {false};
	uint8		link[SP_SHA256_SIZE];
	int64		seq = newest_event(model, link) + 1;

	values[SP_EVENT_MODEL_ID] = UUIDPGetDatum(&model->id);
	values[SP_EVENT_SEQ] = Int64GetDatum(seq);
	values[SP_EVENT_AT] = TimestampTzGetDatum(GetCurrentTransactionStartTimestamp());
	values[SP_EVENT_RECORDED_AT] = TimestampTzGetDatum(GetCurrentTimestamp());
	put_text(values, nulls, SP_EVENT_MODEL, model->name);
	put_text(values, nulls, SP_EVENT_ACTION, event->action);
	put_version(values, nulls, SP_EVENT_VERSION, event->version);
	put_text(values, nulls, SP_EVENT_STAGE, event->stage);
	put_version(values, nulls, SP_EVENT_REPLACED_VERSION, event->replaced_version);
	put_text(values, nulls, SP_EVENT_DETAIL, event->detail);
	put_text(values, nulls, SP_EVENT_NOTE, event->note);
	values[SP_EVENT_EVIDENCE] = PointerGetDatum(event->evidence);
	nulls[SP_EVENT_EVIDENCE] = event->evidence == NULL;
	put_text(values, nulls, SP_EVENT_SESSION_ROLE, write->session_role);
	put_text(values, nulls, SP_EVENT_ACTING_ROLE, write->acting_role);
	put_text(values, nulls, SP_EVENT_API_KEY_ID, write->api_key_id);
	values[SP_EVENT_CLIENT_ADDRESS] = sp_client_address(&nulls[SP_EVENT_CLIENT_ADDRESS]);

	sp_event_link(values, nulls, link, link);
	insert_event(values, nulls, link);

	Oid			types[] = {UUIDOID, INT8OID, BYTEAOID};
	Datum		head[] = {values[SP_EVENT_MODEL_ID], values[SP_EVENT_SEQ], sp_hash_datum(link)};

	sp_write_sql("UPDATE smartpouch.model SET last_event = $2, last_event_hash = $3 WHERE id = $1",
				 3, types, head, NULL);
}
