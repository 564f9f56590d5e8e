/*
 * src/registry/sp_registry_snapshot.c
 *
 * What versions were at one moment.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "registry/sp_registry_internal.h"
#include "registry/sp_registry_scan.h"

#define UTC(column) "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/*
 * Everything about a version that is not bytes, as one object.  Times are in
 * UTC and jsonb orders keys its own way, so no setting changes the text.  Of
 * the history the newest events, as a version may be promoted without end.
 */
static const char content_sql[] =
	"SELECT jsonb_build_object("
	" 'model', m.name, 'version', v.version, 'source_format', v.source_format,"
	" 'producer', v.producer, 'task', v.task,"
	" 'imported_at', " UTC("v.imported_at") ", 'imported_by', v.imported_by,"
	" 'on_missing', v.on_missing,"
	" 'golden', coalesce((SELECT jsonb_agg(jsonb_build_object('features', g.features,"
	"   'expected', g.expected, 'tolerance', g.tolerance) ORDER BY g.seq)"
	"   FROM smartpouch.golden g WHERE g.model_id = m.id AND g.version = v.version), '[]'),"
	" 'evaluations', coalesce((SELECT jsonb_agg(jsonb_build_object('dataset', e.dataset,"
	"   'metrics', e.metrics, 'recorded_at', " UTC("e.recorded_at") ","
	"   'recorded_by', e.recorded_by) ORDER BY e.seq)"
	"   FROM smartpouch.evaluation e WHERE e.model_id = m.id AND e.version = v.version), '[]'),"
	" 'history', coalesce((SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('at', " UTC("h.at") ","
	"   'action', h.action, 'stage', h.stage, 'replaced_version', h.replaced_version,"
	"   'detail', h.detail, 'note', h.note, 'session_role', h.session_role,"
	"   'acting_role', h.acting_role)) ORDER BY h.seq)"
	"   FROM (SELECT * FROM smartpouch.event WHERE model_id = m.id AND version = v.version"
	"    ORDER BY seq DESC LIMIT 100) h), '[]'))"
	" FROM smartpouch.model m JOIN smartpouch.version v ON v.model_id = m.id"
	" WHERE m.id = $1 AND v.version = $2";

char *
sp_snapshot_content(Jsonb *content, Size *size)
{
	char	   *text = JsonbToCString(NULL, &content->root, VARSIZE(content));
	char	   *utf8 = pg_server_to_any(text, (int) strlen(text), PG_UTF8);

	*size = strlen(utf8);
	return utf8;
}

void
sp_snapshot_identity(const uint8 *content, const uint8 *program, const uint8 *artifact,
					 uint8 identity[SP_SHA256_SIZE])
{
	static const char domain[] = "smartpouch snapshot";	/* hashed with its zero byte */
	uint8		bytes[sizeof(domain) + 3 * SP_SHA256_SIZE];

	memcpy(bytes, domain, sizeof(domain));
	memcpy(bytes + sizeof(domain), content, SP_SHA256_SIZE);
	memcpy(bytes + sizeof(domain) + SP_SHA256_SIZE, program, SP_SHA256_SIZE);
	memcpy(bytes + sizeof(domain) + 2 * SP_SHA256_SIZE, artifact, SP_SHA256_SIZE);
	sp_sha256(bytes, sizeof(bytes), identity);
}

/* What the version is now, and the identity of a snapshot of it. */
static Jsonb *
read_content(const SpLockedModel *model, const SpVersionRow *version, uint8 identity[SP_SHA256_SIZE])
{
	Oid			types[] = {UUIDOID, INT4OID};
	Datum		values[] = {UUIDPGetDatum(&model->id), Int32GetDatum(version->version)};
	uint8		hash[SP_SHA256_SIZE];
	Jsonb	   *content;
	char	   *utf8;
	Size		size;

	if (sp_write_sql(content_sql, lengthof(types), types, values, NULL) != 1)
		elog(ERROR, "version %d of model \"%s\" is not there", version->version, model->name);
	content = DatumGetJsonbPCopy(sp_write_result(1));
	utf8 = sp_snapshot_content(content, &size);
	sp_sha256(utf8, size, hash);
	sp_snapshot_identity(hash, version->program, version->artifact, identity);
	return content;
}

int64
sp_write_snapshot(const SpWrite *write, const SpLockedModel *model, const SpVersionRow *version,
				  const char *label)
{
	uint8		identity[SP_SHA256_SIZE];
	Jsonb	   *content = read_content(model, version, identity);
	Oid			types[] = {
		UUIDOID, TEXTOID, INT4OID, TEXTOID, OIDOID, TEXTOID, JSONBOID, BYTEAOID, INT8OID, BYTEAOID,
		INT8OID, BYTEAOID, TEXTOID
	};
	Datum		values[lengthof(types)] = {
		UUIDPGetDatum(&model->id), CStringGetTextDatum(model->name), Int32GetDatum(version->version),
		label ? CStringGetTextDatum(label) : (Datum) 0, ObjectIdGetDatum(model->owner_oid),
		CStringGetTextDatum(model->owner_cluster), JsonbPGetDatum(content),
		sp_hash_datum(version->program), Int64GetDatum(version->program_bytes),
		sp_hash_datum(version->artifact), Int64GetDatum(version->artifact_bytes),
		sp_hash_datum(identity), CStringGetTextDatum(write->acting_role)
	};
	char		nulls[lengthof(types) + 1];

	memset(nulls, ' ', lengthof(types));
	nulls[lengthof(types)] = '\0';
	nulls[3] = label ? ' ' : 'n';
	sp_write_sql("INSERT INTO smartpouch.snapshot (model_id, model, version, label, owner_oid,"
				 " owner_cluster, content, program_sha256, program_bytes, artifact_sha256,"
				 " artifact_bytes, sha256, taken_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
				 " $10, $11, $12, $13) RETURNING id", lengthof(types), types, values, nulls);
	return DatumGetInt64(sp_write_result(1));
}

int64
sp_registry_snapshot(const SpFoundRows *rows, const char *label)
{
	SpWrite		write;
	SpLockedModel model;
	int64		id;

	sp_write_begin(&write, "snapshot_model()");
	sp_write_lock_found(&write, rows, SP_MAY_DEPLOY, &model);
	id = sp_write_snapshot(&write, &model, &rows->version, label);
	sp_write_end(&write);
	return id;
}

void
sp_registry_find_snapshot(int64 id, Snapshot snapshot, SpSnapshotRow *row)
{
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;

	ScanKeyInit(&key, SP_SNAPSHOT_ID, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
	sp_scan_begin(&scan, SP_TABLE_SNAPSHOT, SP_INDEX_SNAPSHOT, snapshot, 1, &key);
	tuple = sp_scan_next(&scan);
	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("snapshot " INT64_FORMAT " does not exist", id),
				 errhint("The view smartpouch.snapshots lists them.")));
	memset(row, 0, sizeof(*row));
	row->id = id;
	sp_copy_text(row->model, sizeof(row->model), sp_scan_column(&scan, tuple, SP_SNAPSHOT_MODEL));
	row->version.model_id = *DatumGetUUIDP(sp_scan_column(&scan, tuple, SP_SNAPSHOT_MODEL_ID));
	row->version.version = DatumGetInt32(sp_scan_column(&scan, tuple, SP_SNAPSHOT_VERSION));
	row->owner_oid = DatumGetObjectId(sp_scan_column(&scan, tuple, SP_SNAPSHOT_OWNER_OID));
	sp_copy_text(row->owner_cluster, sizeof(row->owner_cluster),
				 sp_scan_column(&scan, tuple, SP_SNAPSHOT_OWNER_CLUSTER));
	row->content = DatumGetJsonbPCopy(sp_scan_column(&scan, tuple, SP_SNAPSHOT_CONTENT));
	sp_copy_hash(row->version.program, sp_scan_column(&scan, tuple, SP_SNAPSHOT_PROGRAM));
	row->version.program_bytes = DatumGetInt64(sp_scan_column(&scan, tuple, SP_SNAPSHOT_PROGRAM_BYTES));
	sp_copy_hash(row->version.artifact, sp_scan_column(&scan, tuple, SP_SNAPSHOT_ARTIFACT));
	row->version.artifact_bytes = DatumGetInt64(sp_scan_column(&scan, tuple, SP_SNAPSHOT_ARTIFACT_BYTES));
	sp_copy_hash(row->sha256, sp_scan_column(&scan, tuple, SP_SNAPSHOT_SHA256));
	sp_scan_end(&scan);
}

void
sp_registry_set_snapshot_signature(int64 id, const char *signature)
{
	SpWrite		write;
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(id), CStringGetTextDatum(signature)};

	sp_write_begin(&write, "sign_snapshot()");
	sp_write_sql("UPDATE smartpouch.snapshot SET signature = $2 WHERE id = $1", 2, types, values, NULL);
	sp_write_end(&write);
}

void
sp_registry_drop_snapshot(const SpSnapshotRow *row)
{
	SpWrite		write;
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(row->id)};

	sp_write_begin(&write, "drop_snapshot()");
	if (sp_write_sql("DELETE FROM smartpouch.snapshot WHERE id = $1", 1, types, values, NULL) > 0)
		sp_write_free_blobs(row->version.program, row->version.artifact);
	sp_write_end(&write);
}
