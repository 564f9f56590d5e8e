/*
 * src/registry/sp_registry_routing.c
 *
 * Versions beside the one that a stage serves: a canary and a shadow.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "registry/sp_registry_internal.h"

#define OF_STAGE " WHERE model_id = $1 AND stage = $2"

static const struct
{
	const char *name;
	const char *set;			/* function and action of the history */
	const char *drop;
	const char *current;
	const char *put;
	const char *clear;
}			kinds[] = {
	[SP_CANARY] = {
		"canary", "set_canary", "drop_canary",
		"SELECT version, coalesce(canary_version, 0) FROM smartpouch.deployment" OF_STAGE,
		"UPDATE smartpouch.deployment SET canary_version = $3, canary_percent = $4" OF_STAGE,
		"UPDATE smartpouch.deployment SET canary_version = NULL, canary_percent = NULL" OF_STAGE
	},
	[SP_SHADOW] = {
		"shadow", "set_shadow", "drop_shadow",
		"SELECT version, coalesce(shadow_version, 0) FROM smartpouch.deployment" OF_STAGE,
		"UPDATE smartpouch.deployment SET shadow_version = $3, shadow_percent = $4,"
		" shadow_since = clock_timestamp()" OF_STAGE,
		"UPDATE smartpouch.deployment SET shadow_version = NULL, shadow_percent = NULL,"
		" shadow_since = NULL" OF_STAGE
	}
};

/* What the stage of a locked model serves and has beside it; 0 for nothing. */
static void
look(SpBeside beside, const SpLockedModel *model, const char *stage, int32 *served, int32 *version)
{
	Oid			types[] = {UUIDOID, TEXTOID};
	Datum		values[] = {UUIDPGetDatum(&model->id), CStringGetTextDatum(stage)};

	*served = *version = 0;
	if (sp_write_sql(kinds[beside].current, 2, types, values, NULL) > 0)
	{
		*served = DatumGetInt32(sp_write_result(1));
		*version = DatumGetInt32(sp_write_result(2));
	}
}

/* Take it away; why is for the history, or NULL. */
static void
end(const SpWrite *write, SpBeside beside, const SpLockedModel *model, const char *stage, int32 version,
	const char *why)
{
	Oid			types[] = {UUIDOID, TEXTOID};
	Datum		values[] = {UUIDPGetDatum(&model->id), CStringGetTextDatum(stage)};

	sp_write_sql(kinds[beside].clear, 2, types, values, NULL);
	sp_write_event(write, model, &(SpEvent) {
		.action = kinds[beside].drop, .stage = stage, .replaced_version = version, .detail = why
	});
}

static void
check_percent(double percent)
{
	/* not the other way round: NaN is refused too */
	if (!(percent >= 0 && percent <= 100))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("percentage %g is not between 0 and 100", percent)));
}

static void
check_served(SpBeside beside, const SpLockedModel *model, const char *stage, int32 served, int32 version)
{
	if (served == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" serves no version in stage \"%s\"", model->name, stage),
				 errhint("A %s stands beside a version that serves: promote one first.", kinds[beside].name)));
	if (served == version)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("version %d of model \"%s\" serves stage \"%s\" and cannot be its %s",
						version, model->name, stage, kinds[beside].name)));
}

void
sp_registry_set_beside(SpBeside beside, const char *name, const char *stage, int32 version, double percent,
					   const Jsonb *evidence)
{
	SpWrite		write;
	SpLockedModel model;
	int32		served;
	int32		replaced;
	Oid			types[] = {UUIDOID, TEXTOID, INT4OID, FLOAT8OID};

	check_percent(percent);
	sp_write_begin(&write, psprintf("%s()", kinds[beside].set));
	sp_write_lock_model_for(&write, name, SP_MAY_DEPLOY, &model);
	sp_write_check_stage(stage);
	sp_write_check_version(&model, version);
	look(beside, &model, stage, &served, &replaced);
	check_served(beside, &model, stage, served, version);

	Datum		values[] = {
		UUIDPGetDatum(&model.id), CStringGetTextDatum(stage), Int32GetDatum(version), Float8GetDatum(percent)
	};

	sp_write_sql(kinds[beside].put, 4, types, values, NULL);
	sp_write_event(&write, &model, &(SpEvent) {
		.action = kinds[beside].set, .version = version, .stage = stage,
		.replaced_version = replaced, .detail = psprintf("%.15g percent", percent), .evidence = evidence
	});
	sp_write_end(&write);
}

void
sp_registry_drop_beside(SpBeside beside, const char *name, const char *stage)
{
	SpWrite		write;
	SpLockedModel model;
	int32		served;
	int32		version;

	sp_write_begin(&write, psprintf("%s()", kinds[beside].drop));
	sp_write_lock_model_for(&write, name, SP_MAY_DEPLOY, &model);
	sp_write_check_stage(stage);
	look(beside, &model, stage, &served, &version);
	if (version == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("stage \"%s\" of model \"%s\" has no %s", stage, name, kinds[beside].name)));
	end(&write, beside, &model, stage, version, NULL);
	sp_write_end(&write);
}

void
sp_write_served_changed(const SpWrite *write, const SpLockedModel *model, const char *stage, int32 served)
{
	Oid			types[] = {UUIDOID, TEXTOID};
	Datum		values[] = {UUIDPGetDatum(&model->id), CStringGetTextDatum(stage)};

	for (SpBeside beside = SP_CANARY; beside <= SP_SHADOW; beside++)
	{
		int32		before;
		int32		version;

		look(beside, model, stage, &before, &version);
		if (version != 0 && (served == 0 || version == served))
			end(write, beside, model, stage, version,
				served != 0 ? "it serves the stage" : "the stage serves nothing");
	}
	sp_write_sql("UPDATE smartpouch.deployment SET shadow_since = clock_timestamp()" OF_STAGE
				 " AND shadow_version IS NOT NULL", 2, types, values, NULL);
}
