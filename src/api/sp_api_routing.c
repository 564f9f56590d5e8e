/*
 * src/api/sp_api_routing.c
 *
 * Versions beside the one that a stage serves.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "api/sp_gate.h"
#include "api/sp_model_ref.h"
#include "api/sp_result.h"
#include "api/sp_shadow.h"
#include "auth/sp_permission.h"
#include "registry/sp_registry.h"
#include "server/sp_snapshot.h"

PG_FUNCTION_INFO_V1(smartpouch_set_canary);
PG_FUNCTION_INFO_V1(smartpouch_drop_canary);
PG_FUNCTION_INFO_V1(smartpouch_set_shadow);
PG_FUNCTION_INFO_V1(smartpouch_drop_shadow);
PG_FUNCTION_INFO_V1(smartpouch_shadow_counts);
PG_FUNCTION_INFO_V1(smartpouch_shadow_differences);

/* A canary answers for the stage, so it passes the stage's gate as what is promoted does. */
Datum
smartpouch_set_canary(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *stage = sp_name_argument(fcinfo, 1, "stage", "stage");
	int32		version = PG_GETARG_INT32(2);
	Jsonb	   *evidence = NULL;
	SpGate		gate;

	if (sp_registry_gate("set_canary()", model, version, stage, &gate))
		evidence = sp_gate_pass(&gate, model, stage);
	sp_registry_set_beside(SP_CANARY, model, stage, version, PG_GETARG_FLOAT8(3), evidence);
	PG_RETURN_VOID();
}

Datum
smartpouch_drop_canary(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	sp_registry_drop_beside(SP_CANARY, sp_name_argument(fcinfo, 0, "model", "model"),
							sp_name_argument(fcinfo, 1, "stage", "stage"));
	PG_RETURN_VOID();
}

static void
require_shared_memory(void)
{
	if (!sp_shared_available())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("shadows need shared memory, where they are counted"),
				 errhint("Add smartpouch to shared_preload_libraries and restart the server.")));
}

Datum
smartpouch_set_shadow(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *stage = sp_name_argument(fcinfo, 1, "stage", "stage");

	sp_registry_set_beside(SP_SHADOW, model, stage, PG_GETARG_INT32(2), PG_GETARG_FLOAT8(3), NULL);
	/* last: what the caller may not do is no matter of the server's configuration */
	require_shared_memory();
	PG_RETURN_VOID();
}

Datum
smartpouch_drop_shadow(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	sp_registry_drop_beside(SP_SHADOW, sp_name_argument(fcinfo, 0, "model", "model"),
							sp_name_argument(fcinfo, 1, "stage", "stage"));
	PG_RETURN_VOID();
}

static bool
may_see(const pg_uuid_t *model_id)
{
	SpModelRow	model;

	return sp_registry_find_model_by_id(model_id, sp_active_snapshot(), &model) &&
		(sp_permission(&model.id, model.owner_oid, model.owner_cluster) & SP_MAY_SEE) != 0;
}

/* For the view shadows: a row of NULLs for what this server has not counted. */
Datum
smartpouch_shadow_counts(PG_FUNCTION_ARGS)
{
	SpFoundRows rows;
	SpShadowKey key;
	SpShadowCounts counts;
	TupleDesc	columns;
	Datum		values[7] = {0};
	bool		nulls[7];
	bool		measured;

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(&rows, 0, sizeof(rows));
	rows.model.id = *PG_GETARG_UUID_P(0);
	text_to_cstring_buffer(PG_GETARG_TEXT_PP(1), rows.target, sizeof(rows.target));
	rows.routing.shadow_since = PG_GETARG_TIMESTAMPTZ(2);
	sp_shadow_key(&rows, &key);
	memset(nulls, true, sizeof(nulls));
	if (may_see(&rows.model.id) && sp_shadow_counts(&key, &counts))
	{
		measured = counts.measured > 0;
		memset(nulls, false, sizeof(nulls));
		values[0] = Int64GetDatum(counts.agreed);
		values[1] = Int64GetDatum(counts.differed);
		values[2] = Int64GetDatum(counts.errors);
		nulls[3] = nulls[4] = !measured;
		values[3] = Float8GetDatum(measured ? counts.sum_difference / (double) counts.measured : 0);
		values[4] = Float8GetDatum(counts.max_difference);
		nulls[5] = counts.last_error == 0;
		values[5] = CStringGetTextDatum(unpack_sql_state(counts.last_error));
		values[6] = TimestampTzGetDatum(counts.last_at);
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls));
}

static void
put_sample(const ReturnSetInfo *result, const SpShadowSample *sample)
{
	bool		numbers = sample->served_label[0] == '\0' && sample->shadow_label[0] == '\0';
	Datum		values[4];
	bool		nulls[4] = {false, false, false, !numbers};

	values[0] = TimestampTzGetDatum(sample->at);
	if (numbers)
	{
		values[1] = CStringGetTextDatum(double_to_shortest_decimal(sample->served));
		values[2] = CStringGetTextDatum(double_to_shortest_decimal(sample->shadow));
	}
	else
	{
		values[1] = PointerGetDatum(sp_text_from_utf8(sample->served_label));
		values[2] = PointerGetDatum(sp_text_from_utf8(sample->shadow_label));
	}
	values[3] = Float8GetDatum(fabs(sample->served - sample->shadow));
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
smartpouch_shadow_differences(PG_FUNCTION_ARGS)
{
	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *stage = sp_name_argument(fcinfo, 1, "stage", "stage");
	SpShadowCounts *counts = palloc(sizeof(SpShadowCounts));
	SpResolved	resolved;
	SpShadowKey key;

	sp_model_ref(cstring_to_text(psprintf("%s@%s", model, stage)), SP_MAY_DEPLOY, &resolved);
	if (resolved.rows.routing.shadow_version == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("stage \"%s\" of model \"%s\" has no shadow", stage, model)));
	require_shared_memory();
	InitMaterializedSRF(fcinfo, 0);
	sp_shadow_key(&resolved.rows, &key);
	if (sp_shadow_counts(&key, counts))
		for (int64 i = counts->differed - 1; i >= 0 && i >= counts->differed - SP_SHADOW_SAMPLES; i--)
			put_sample((ReturnSetInfo *) fcinfo->resultinfo, &counts->samples[i % SP_SHADOW_SAMPLES]);
	return (Datum) 0;
}
