/*
 * src/registry/sp_registry_upload.c
 *
 * Model files that come in pieces.  An upload belongs to the role that began
 * it; the next one to begin any upload removes those that are too old.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "registry/sp_registry_internal.h"
#include "server/sp_guc.h"

int64
sp_registry_upload_begin(const char *name)
{
	SpWrite		write;
	int64		id;
	Oid			types[] = {TEXTOID, OIDOID};
	Oid			age_type[] = {INT4OID};
	Datum		values[] = {CStringGetTextDatum(name), ObjectIdGetDatum(GetUserId())};
	Datum		age[] = {Int32GetDatum(sp_upload_timeout)};

	sp_write_begin(&write, "upload_begin()");
	/* one that is in use, though old, must not make others wait */
	sp_write_sql("DELETE FROM smartpouch.upload WHERE id IN (SELECT id FROM smartpouch.upload"
				 " WHERE started_at < now() - make_interval(mins => $1) FOR UPDATE SKIP LOCKED)",
				 1, age_type, age, NULL);
	sp_write_sql("INSERT INTO smartpouch.upload (name, role_oid) VALUES ($1, $2) RETURNING id",
				 2, types, values, NULL);
	id = DatumGetInt64(sp_write_result(1));
	sp_write_end(&write);
	return id;
}

/* Lock the caller's upload, so that its pieces are counted by one at a time. */
static char *
lock_upload(const SpWrite *write, int64 id)
{
	Oid			types[] = {INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum(id), ObjectIdGetDatum(write->identity.user)};

	if (sp_write_sql("SELECT name FROM smartpouch.upload WHERE id = $1 AND role_oid = $2 FOR UPDATE",
					 2, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("upload " INT64_FORMAT " does not exist", id),
				 errdetail("It was ended, has expired, or was begun by another role."),
				 errhint("Begin a new one with upload_begin().")));
	return TextDatumGetCString(sp_write_result(1));
}

static int64
upload_size(int64 id)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(id)};

	sp_write_sql("SELECT coalesce(sum(octet_length(bytes)), 0)::bigint"
				 " FROM smartpouch.upload_chunk WHERE upload_id = $1", 1, types, values, NULL);
	return DatumGetInt64(sp_write_result(1));
}

void
sp_registry_upload_chunk(int64 id, int32 seq, Datum bytes)
{
	SpWrite		write;
	Oid			types[] = {INT8OID, INT4OID, BYTEAOID};
	Datum		values[] = {Int64GetDatum(id), Int32GetDatum(seq), bytes};
	int64		size;

	if (seq < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid piece number %d", seq),
				 errhint("Number the pieces of an upload 1, 2, 3 and so on.")));
	sp_write_begin(&write, "upload_chunk()");
	lock_upload(&write, id);
	sp_write_sql("INSERT INTO smartpouch.upload_chunk (upload_id, seq, bytes) VALUES ($1, $2, $3)"
				 " ON CONFLICT ON CONSTRAINT upload_chunk_pkey DO UPDATE SET bytes = excluded.bytes",
				 3, types, values, NULL);
	size = upload_size(id);
	if (size > (int64) sp_max_model_size * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("upload " INT64_FORMAT " has " INT64_FORMAT " bytes, the limit is %d kB",
						id, size, sp_max_model_size),
				 errhint("An administrator can raise smartpouch.max_model_size.")));
	sp_write_end(&write);
}

static void
read_piece(int64 id, int32 seq, char *target, Size room, Size *length)
{
	Oid			types[] = {INT8OID, INT4OID};
	Datum		values[] = {Int64GetDatum(id), Int32GetDatum(seq)};
	Datum		datum;
	bytea	   *piece;

	if (sp_write_sql("SELECT bytes FROM smartpouch.upload_chunk WHERE upload_id = $1 AND seq = $2",
					 2, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("piece %d of upload " INT64_FORMAT " is missing", seq, id),
				 errhint("Send it with upload_chunk() and import again.")));
	datum = sp_write_result(1);
	piece = DatumGetByteaPP(datum);
	*length = VARSIZE_ANY_EXHDR(piece);
	if (*length > room)
		elog(ERROR, "upload " INT64_FORMAT " changed while it was read", id);
	memcpy(target, VARDATA_ANY(piece), *length);
	if (PointerGetDatum(piece) != datum)
		pfree(piece);
	SPI_freetuptable(SPI_tuptable);
}

char *
sp_registry_upload_bytes(int64 id, MemoryContext mcx, Size *size, char **name)
{
	SpWrite		write;
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(id)};
	char	   *upload_name;
	char	   *bytes;
	int32		n_pieces;
	Size		done = 0;

	sp_write_begin(&write, "import_upload()");
	upload_name = lock_upload(&write, id);
	*name = MemoryContextStrdup(mcx, upload_name);
	*size = (Size) upload_size(id);
	bytes = MemoryContextAllocHuge(mcx, Max(*size, 1));
	sp_write_sql("SELECT coalesce(max(seq), 0) FROM smartpouch.upload_chunk WHERE upload_id = $1",
				 1, types, values, NULL);
	n_pieces = DatumGetInt32(sp_write_result(1));
	for (int32 seq = 1; seq <= n_pieces; seq++)
	{
		Size		length;

		CHECK_FOR_INTERRUPTS();
		read_piece(id, seq, bytes + done, *size - done, &length);
		done += length;
	}
	sp_write_end(&write);
	return bytes;
}

void
sp_registry_upload_end(int64 id)
{
	SpWrite		write;
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(id)};

	sp_write_begin(&write, "import_upload()");
	sp_write_sql("DELETE FROM smartpouch.upload WHERE id = $1", 1, types, values, NULL);
	sp_write_end(&write);
}
