/*
 * src/registry/sp_registry_golden.c
 *
 * Rows with known answers.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "registry/sp_registry_internal.h"

int32
sp_write_golden(const pg_uuid_t *model_id, int32 version, const SpGoldenRow *golden)
{
	Oid			types[] = {UUIDOID, INT4OID, JSONBOID, JSONBOID, FLOAT8OID};
	Datum		values[] = {
		UUIDPGetDatum(model_id), Int32GetDatum(version), JsonbPGetDatum(golden->features),
		JsonbPGetDatum(golden->expected), Float8GetDatum(golden->tolerance)
	};

	sp_write_sql("INSERT INTO smartpouch.golden (model_id, version, seq, features, expected, tolerance)"
				 " SELECT $1, $2, coalesce(max(seq), 0) + 1, $3, $4, $5"
				 " FROM smartpouch.golden WHERE model_id = $1 AND version = $2 RETURNING seq",
				 5, types, values, NULL);
	return DatumGetInt32(sp_write_result(1));
}

int32
sp_registry_add_golden(const SpFoundRows *rows, const SpGoldenRow *golden)
{
	SpWrite		write;
	SpLockedModel model;
	int32		seq;

	sp_write_begin(&write, "add_golden()");
	sp_write_lock_found(&write, rows, SP_MAY_OWN, &model);
	seq = sp_write_golden(&rows->model.id, rows->version.version, golden);
	sp_write_end(&write);
	return seq;
}

void
sp_registry_drop_golden(const SpFoundRows *rows, int32 seq)
{
	SpWrite		write;
	SpLockedModel model;
	Oid			types[] = {UUIDOID, INT4OID, INT4OID};
	Datum		values[] = {
		UUIDPGetDatum(&rows->model.id), Int32GetDatum(rows->version.version), Int32GetDatum(seq)
	};

	sp_write_begin(&write, "drop_golden()");
	sp_write_lock_found(&write, rows, SP_MAY_OWN, &model);
	if (sp_write_sql("DELETE FROM smartpouch.golden WHERE model_id = $1 AND version = $2 AND seq = $3",
					 3, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of model \"%s\" has no golden row %d",
						rows->version.version, rows->model.name, seq)));
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "drop_golden", .version = rows->version.version,
		.detail = psprintf("row %d", seq)
	});
	sp_write_end(&write);
}
