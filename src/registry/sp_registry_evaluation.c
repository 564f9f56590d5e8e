/*
 * src/registry/sp_registry_evaluation.c
 *
 * What was measured of versions.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "registry/sp_registry_internal.h"

void
sp_registry_record_evaluation(const SpFoundRows *rows, const char *dataset, Jsonb *metrics)
{
	SpWrite		write;
	SpLockedModel model;
	Oid			types[] = {UUIDOID, INT4OID, TEXTOID, JSONBOID, TEXTOID};
	Datum		values[5] = {
		UUIDPGetDatum(&rows->model.id), Int32GetDatum(rows->version.version),
		CStringGetTextDatum(dataset), JsonbPGetDatum(metrics)
	};

	sp_write_begin(&write, "record_evaluation()");
	sp_write_lock_found(&write, rows, SP_MAY_DEPLOY, &model);
	values[4] = CStringGetTextDatum(write.acting_role);
	sp_write_sql("INSERT INTO smartpouch.evaluation (model_id, version, seq, dataset, metrics, recorded_by)"
				 " SELECT $1, $2, coalesce(max(seq), 0) + 1, $3, $4, $5"
				 " FROM smartpouch.evaluation WHERE model_id = $1 AND version = $2",
				 5, types, values, NULL);
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "record_evaluation", .version = rows->version.version, .detail = dataset
	});
	sp_write_end(&write);
}
