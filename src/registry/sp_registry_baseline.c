/*
 * src/registry/sp_registry_baseline.c
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/timestamp.h"

#include "registry/sp_registry_baseline.h"
#include "registry/sp_registry_internal.h"
#include "registry/sp_registry_scan.h"

/* Columns in the order of the table. */
enum
{
	MODEL_ID = 1, VERSION, SET_AT, N_BOUNDS, BOUNDS
};

/* An array of numbers in memory of mcx; none of one with NULLs, which this module does not write. */
static void *
numbers(Datum datum, Size size, MemoryContext mcx, int *count)
{
	ArrayType  *array = DatumGetArrayTypeP(datum);
	void	   *copy;

	*count = ARR_HASNULL(array) ? 0 : ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	copy = MemoryContextAlloc(mcx, Max(1, mul_size(*count, size)));
	memcpy(copy, ARR_DATA_PTR(array), mul_size(*count, size));
	return copy;
}

/* A row that somebody has written by hand must not lead out of its arrays. */
static bool
is_sound(const SpBaseline *baseline, int n_bounds)
{
	int64		sum = 0;

	if (baseline->n_variables == 0)
		return false;
	for (int i = 0; i < baseline->n_variables; i++)
	{
		if (baseline->n_bounds[i] < 0)
			return false;
		sum += baseline->n_bounds[i];
	}
	return sum == n_bounds;
}

bool
sp_registry_baseline(const pg_uuid_t *model_id, int32 version, Snapshot snapshot, MemoryContext mcx,
					 SpBaseline *baseline)
{
	ScanKeyData keys[2];
	SpScan		scan;
	HeapTuple	tuple;
	bool		found;

	ScanKeyInit(&keys[0], MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(model_id));
	ScanKeyInit(&keys[1], VERSION, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(version));
	sp_scan_begin(&scan, SP_TABLE_BASELINE, SP_INDEX_BASELINE, snapshot, 2, keys);
	tuple = sp_scan_next(&scan);
	found = HeapTupleIsValid(tuple);
	if (found)
	{
		int			n_bounds;

		baseline->set_at = DatumGetTimestampTz(sp_scan_column(&scan, tuple, SET_AT));
		baseline->n_bounds = numbers(sp_scan_column(&scan, tuple, N_BOUNDS), sizeof(int32), mcx,
									 &baseline->n_variables);
		baseline->bounds = numbers(sp_scan_column(&scan, tuple, BOUNDS), sizeof(double), mcx, &n_bounds);
		found = is_sound(baseline, n_bounds);
	}
	sp_scan_end(&scan);
	return found;
}

void
sp_registry_set_baseline(const SpFoundRows *rows, const SpNewBaseline *baseline)
{
	SpWrite		write;
	SpLockedModel model;
	Oid			types[] = {UUIDOID, INT4OID, INT4ARRAYOID, FLOAT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT8OID, TEXTOID};
	Datum		values[] = {
		UUIDPGetDatum(&rows->model.id), Int32GetDatum(rows->version.version), baseline->n_bounds,
		baseline->bounds, baseline->counts, baseline->names, Int64GetDatum(baseline->rows), 0
	};

	sp_write_begin(&write, "set_baseline()");
	sp_write_lock_found(&write, rows, SP_MAY_DEPLOY, &model);
	values[7] = CStringGetTextDatum(write.acting_role);
	sp_write_sql("DELETE FROM smartpouch.baseline WHERE model_id = $1 AND version = $2", 2, types, values, NULL);
	sp_write_sql("INSERT INTO smartpouch.baseline (model_id, version, set_at, n_bounds, bounds, counts, names, rows, set_by)"
				 " VALUES ($1, $2, clock_timestamp(), $3, $4, $5, $6, $7, $8)", 8, types, values, NULL);
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "set_baseline", .version = rows->version.version,
		.detail = psprintf(INT64_FORMAT " rows", baseline->rows)
	});
	sp_write_end(&write);
}

void
sp_registry_drop_baseline(const SpFoundRows *rows)
{
	SpWrite		write;
	SpLockedModel model;
	Oid			types[] = {UUIDOID, INT4OID};
	Datum		values[] = {UUIDPGetDatum(&rows->model.id), Int32GetDatum(rows->version.version)};

	sp_write_begin(&write, "drop_baseline()");
	sp_write_lock_found(&write, rows, SP_MAY_DEPLOY, &model);
	if (sp_write_sql("DELETE FROM smartpouch.baseline WHERE model_id = $1 AND version = $2", 2, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of model \"%s\" has no baseline", rows->version.version, rows->model.name)));
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "drop_baseline", .version = rows->version.version
	});
	sp_write_end(&write);
}
