/*
 * src/registry/sp_registry_gate.c
 *
 * Gates of stages, and what is known of a version that asks to pass one.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "registry/sp_registry_internal.h"

static void
check_may_set_gates(void)
{
	if (!(sp_registry_may_all(GetUserId()) & SP_MAY_OWN))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change gates"),
				 errdetail("It takes a superuser, the owner of the extension, or the level admin.")));
}

void
sp_registry_set_gate(const char *stage, Jsonb *rule)
{
	SpWrite		write;
	Oid			types[] = {TEXTOID, JSONBOID, TEXTOID};

	check_may_set_gates();
	sp_write_begin(&write, "set_gate()");
	sp_write_check_stage(stage);

	Datum		values[] = {
		CStringGetTextDatum(stage), JsonbPGetDatum(rule), CStringGetTextDatum(write.session_role)
	};

	sp_write_audit(&write, "set_gate", "SELECT jsonb_build_object('stage', $1, 'before',"
				   " (SELECT rule FROM smartpouch.gate WHERE stage = $1), 'after', $2)", 2, types, values);
	sp_write_sql("INSERT INTO smartpouch.gate (stage, rule, set_by) VALUES ($1, $2, $3)"
				 " ON CONFLICT ON CONSTRAINT gate_pkey DO UPDATE SET"
				 " rule = excluded.rule, set_at = now(), set_by = excluded.set_by", 3, types, values, NULL);
	sp_write_end(&write);
}

void
sp_registry_drop_gate(const char *stage)
{
	SpWrite		write;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(stage)};

	check_may_set_gates();
	sp_write_begin(&write, "drop_gate()");
	sp_write_audit(&write, "drop_gate", "SELECT jsonb_build_object('stage', $1, 'before',"
				   " (SELECT rule FROM smartpouch.gate WHERE stage = $1))", 1, types, values);
	if (sp_write_sql("DELETE FROM smartpouch.gate WHERE stage = $1", 1, types, values, NULL) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("stage \"%s\" has no gate", stage)));
	sp_write_end(&write);
}

/* One value in mcx, or 0 if the statement gives no row or NULL. */
static Datum
one_value(MemoryContext mcx, const char *sql, int n_args, Oid *types, Datum *values, bool by_value)
{
	bool		isnull;
	Datum		value;
	MemoryContext old;

	if (sp_write_sql(sql, n_args, types, values, NULL) == 0)
		return (Datum) 0;
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (isnull)
		return (Datum) 0;
	if (by_value)
		return value;
	old = MemoryContextSwitchTo(mcx);
	value = PointerGetDatum(PG_DETOAST_DATUM_COPY(value));
	MemoryContextSwitchTo(old);
	return value;
}

bool
sp_registry_gate(const char *what, const char *name, int32 version, const char *stage, SpGate *gate)
{
	MemoryContext mcx = CurrentMemoryContext;
	SpWrite		write;
	SpLockedModel model;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(stage)};

	memset(gate, 0, sizeof(*gate));
	sp_write_begin(&write, what);
	sp_write_lock_model_for(&write, name, SP_MAY_DEPLOY, &model);
	sp_write_check_stage(stage);
	sp_write_check_version(&model, version);
	gate->model_id = model.id;
	gate->version = version;
	gate->promoter = GetSessionUserId();
	/* FOR SHARE: the rule holds until the promotion is done */
	if (sp_write_serves(&model, version, stage))
	{
		sp_write_end(&write);
		return false;
	}
	gate->rule = (Jsonb *) DatumGetPointer(one_value(mcx, "SELECT rule FROM smartpouch.gate WHERE stage = $1 FOR SHARE",
													 1, types, values, false));
	sp_write_end(&write);
	return gate->rule != NULL;
}

Jsonb *
sp_registry_newest_evaluation(const SpGate *gate, const char *dataset)
{
	MemoryContext mcx = CurrentMemoryContext;
	SpWrite		write;
	Oid			types[] = {UUIDOID, INT4OID, TEXTOID};
	Datum		values[] = {
		UUIDPGetDatum(&gate->model_id), Int32GetDatum(gate->version), CStringGetTextDatum(dataset)
	};
	Datum		metrics;

	sp_write_begin(&write, "promote()");
	metrics = one_value(mcx, "SELECT metrics FROM smartpouch.evaluation"
						" WHERE model_id = $1 AND version = $2 AND dataset = $3 ORDER BY seq DESC LIMIT 1",
						3, types, values, false);
	sp_write_end(&write);
	return (Jsonb *) DatumGetPointer(metrics);
}

double
sp_registry_seconds_served(const SpGate *gate, const char *stage)
{
	SpWrite		write;
	Oid			types[] = {UUIDOID, TEXTOID, INT4OID};
	Datum		values[] = {
		UUIDPGetDatum(&gate->model_id), CStringGetTextDatum(stage), Int32GetDatum(gate->version)
	};
	double		seconds;

	sp_write_begin(&write, "promote()");
	/* not from the beginning of the transaction that let it serve, which may have waited, nor while this one does */
	sp_write_sql("SELECT coalesce(sum(extract(epoch FROM greatest(coalesce(until, now()) - since, '0'))), 0)::float8"
				 " FROM (SELECT version, recorded_at AS since, lead(recorded_at) OVER (ORDER BY seq) AS until"
				 "  FROM smartpouch.event WHERE model_id = $1 AND stage = $2"
				 "  AND action IN ('promote', 'rollback', 'drop_deployment')) spans"
				 " WHERE version = $3", 3, types, values, NULL);
	seconds = DatumGetFloat8(sp_write_result(1));
	sp_write_end(&write);
	return seconds;
}

char *
sp_registry_stage_below(const char *stage)
{
	MemoryContext mcx = CurrentMemoryContext;
	SpWrite		write;
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(stage)};
	Datum		below;

	sp_write_begin(&write, "promote()");
	below = one_value(mcx, "SELECT stage FROM smartpouch.stages WHERE position <"
					  " (SELECT position FROM smartpouch.stages WHERE stage = $1)"
					  " ORDER BY position DESC LIMIT 1", 1, types, values, false);
	sp_write_end(&write);
	return below ? TextDatumGetCString(below) : NULL;
}

char *
sp_registry_importer(const SpGate *gate, bool *is_promoter)
{
	MemoryContext mcx = CurrentMemoryContext;
	SpWrite		write;
	Oid			types[] = {UUIDOID, INT4OID, TEXTOID, OIDOID};
	Datum		values[] = {
		UUIDPGetDatum(&gate->model_id), Int32GetDatum(gate->version), CStringGetTextDatum(sp_cluster_id()),
		ObjectIdGetDatum(gate->promoter)
	};
	char	   *importer = NULL;

	*is_promoter = false;
	sp_write_begin(&write, "promote()");
	if (sp_write_sql("SELECT session_role, CASE WHEN evidence ->> 'role_cluster' = $3"
					 " THEN (evidence ->> 'role_oid')::oid = $4"
					 " ELSE session_role = pg_catalog.pg_get_userbyid($4) END"
					 " FROM smartpouch.event"
					 " WHERE model_id = $1 AND version = $2 AND action = 'import'", 4, types, values, NULL) > 0)
	{
		importer = MemoryContextStrdup(mcx, TextDatumGetCString(sp_write_result(1)));
		*is_promoter = DatumGetBool(sp_write_result(2));
	}
	sp_write_end(&write);
	return importer;
}
