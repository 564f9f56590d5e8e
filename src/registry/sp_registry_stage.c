/*
 * src/registry/sp_registry_stage.c
 *
 * What serves: stages with the versions that were there before, and aliases.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "registry/sp_registry_internal.h"
#include "registry/sp_registry_scan.h"

#define MAX_STAGES 100

/* Promotions that can be rolled back one after the other: the row is read and written as a whole. */
#define MAX_REPLACED 1000

/* The ladder does not change until the transaction ends; readers go on. */
static void
lock_ladder(void)
{
	sp_write_sql("LOCK TABLE smartpouch.stage IN ROW SHARE MODE", 0, NULL, NULL, NULL);
}

void
sp_write_check_stage(const char *stage)
{
	lock_ladder();
	if (!sp_registry_is_stage(stage, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("stage \"%s\" does not exist", stage),
				 errhint("The view smartpouch.stages lists the ladder of stages.")));
}

/* What the stage (or alias) of a locked model names; 0 for nothing. */
static int32
named_version(const char *sql, const SpLockedModel *model, const char *name)
{
	Oid			types[] = {UUIDOID, TEXTOID};
	Datum		values[] = {UUIDPGetDatum(&model->id), CStringGetTextDatum(name)};

	return sp_write_sql(sql, 2, types, values, NULL) > 0 ? DatumGetInt32(sp_write_result(1)) : 0;
}

static int32
served_version(const SpLockedModel *model, const char *stage)
{
	return named_version("SELECT version FROM smartpouch.deployment WHERE model_id = $1 AND stage = $2",
						 model, stage);
}

bool
sp_write_serves(const SpLockedModel *model, int32 version, const char *stage)
{
	return served_version(model, stage) == version;
}

/* What production serves can always be brought back. */
static void
keep_promoted(const SpWrite *write, const SpLockedModel *model, int32 version, const char *stage)
{
	SpReference reference;
	SpFoundRows rows;

	if (!sp_snapshot_promotions || strcmp(stage, SP_PRODUCTION) != 0)
		return;
	memset(&reference, 0, sizeof(reference));
	strlcpy(reference.model, model->name, sizeof(reference.model));
	reference.version = version;
	if (sp_registry_find(&reference, NULL, &rows) != SP_FOUND)
		elog(ERROR, "version %d of model \"%s\" vanished", version, model->name);
	(void) sp_write_snapshot(write, model, &rows.version, "promotion to " SP_PRODUCTION);
}

void
sp_registry_promote(const char *name, int32 version, const char *stage, const char *note,
					const Jsonb *evidence)
{
	SpWrite		write;
	SpLockedModel model;
	int32		served;
	Oid			types[] = {UUIDOID, TEXTOID, INT4OID, TEXTOID, TEXTOID};
	char		nulls[] = {' ', ' ', ' ', ' ', note ? ' ' : 'n', '\0'};

	sp_write_begin(&write, "promote()");
	sp_write_lock_model_for(&write, name, SP_MAY_DEPLOY, &model);
	sp_write_check_stage(stage);
	sp_write_check_version(&model, version);
	served = served_version(&model, stage);

	Datum		values[] = {
		UUIDPGetDatum(&model.id), CStringGetTextDatum(stage), Int32GetDatum(version),
		CStringGetTextDatum(write.acting_role), note ? CStringGetTextDatum(note) : (Datum) 0
	};

	if (served == version)
		ereport(NOTICE,
				(errmsg("version %d of model \"%s\" serves stage \"%s\" already",
						version, name, stage)));
	else
	{
		sp_write_sql("INSERT INTO smartpouch.deployment AS d"
					 " (model_id, stage, version, promoted_by, note) VALUES ($1, $2, $3, $4, $5)"
					 " ON CONFLICT ON CONSTRAINT deployment_pkey DO UPDATE SET"
					 " version = excluded.version,"
					 " replaced = (d.replaced || d.version)[greatest(cardinality(d.replaced) + 2 - "
					 CppAsString2(MAX_REPLACED) ", 1):],"
					 " promoted_at = now(), promoted_by = excluded.promoted_by, note = excluded.note",
					 5, types, values, nulls);
		sp_write_event(&write, &model, &(SpEvent) {
			.action = "promote", .version = version, .stage = stage,
			.replaced_version = served, .note = note, .evidence = evidence
		});
		sp_write_served_changed(&write, &model, stage, version);
		keep_promoted(&write, &model, version, stage);
	}
	sp_write_end(&write);
}

static void
serves_nothing(const SpLockedModel *model, const char *stage)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model \"%s\" serves no version in stage \"%s\"", model->name, stage)));
}

int32
sp_registry_rollback(const char *name, const char *stage, const char *note)
{
	SpWrite		write;
	SpLockedModel model;
	int32		served;
	int32		version;
	Oid			types[] = {UUIDOID, TEXTOID, TEXTOID, TEXTOID};
	char		nulls[] = {' ', ' ', ' ', note ? ' ' : 'n', '\0'};

	sp_write_begin(&write, "rollback()");
	sp_write_lock_model_for(&write, name, SP_MAY_DEPLOY, &model);
	sp_write_check_stage(stage);
	served = served_version(&model, stage);
	if (served == 0)
		serves_nothing(&model, stage);

	Datum		values[] = {
		UUIDPGetDatum(&model.id), CStringGetTextDatum(stage),
		CStringGetTextDatum(write.acting_role), note ? CStringGetTextDatum(note) : (Datum) 0
	};

	if (sp_write_sql("UPDATE smartpouch.deployment SET version = replaced[cardinality(replaced)],"
					 " replaced = trim_array(replaced, 1), promoted_at = now(), promoted_by = $3, note = $4"
					 " WHERE model_id = $1 AND stage = $2 AND cardinality(replaced) > 0 RETURNING version",
					 4, types, values, nulls) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is nothing below version %d of model \"%s\" in stage \"%s\"",
						served, name, stage),
				 errhint("Promote another version, or let the stage serve nothing with drop_deployment().")));
	version = DatumGetInt32(sp_write_result(1));
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "rollback", .version = version, .stage = stage,
		.replaced_version = served, .note = note
	});
	sp_write_served_changed(&write, &model, stage, version);
	sp_write_end(&write);
	return version;
}

void
sp_registry_drop_deployment(const char *name, const char *stage, const char *note)
{
	SpWrite		write;
	SpLockedModel model;
	int32		served;

	sp_write_begin(&write, "drop_deployment()");
	sp_write_lock_model_for(&write, name, SP_MAY_DEPLOY, &model);
	sp_write_check_stage(stage);
	sp_write_served_changed(&write, &model, stage, 0);
	served = named_version("DELETE FROM smartpouch.deployment WHERE model_id = $1 AND stage = $2"
						   " RETURNING version", &model, stage);
	if (served == 0)
		serves_nothing(&model, stage);
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "drop_deployment", .stage = stage, .replaced_version = served, .note = note
	});
	sp_write_end(&write);
}

void
sp_registry_set_alias(const char *name, const char *alias, int32 version)
{
	SpWrite		write;
	SpLockedModel model;
	int32		replaced;
	Oid			types[] = {UUIDOID, TEXTOID, INT4OID};

	sp_write_begin(&write, "set_alias()");
	sp_write_lock_model_for(&write, name, SP_MAY_DEPLOY, &model);
	lock_ladder();
	if (sp_registry_is_stage(alias, NULL))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("\"%s\" is a stage and cannot be an alias", alias)));
	sp_write_check_version(&model, version);
	replaced = named_version("SELECT version FROM smartpouch.alias WHERE model_id = $1 AND alias = $2",
							 &model, alias);

	Datum		values[] = {
		UUIDPGetDatum(&model.id), CStringGetTextDatum(alias), Int32GetDatum(version)
	};

	sp_write_sql("INSERT INTO smartpouch.alias (model_id, alias, version) VALUES ($1, $2, $3)"
				 " ON CONFLICT ON CONSTRAINT alias_pkey DO UPDATE SET version = excluded.version",
				 3, types, values, NULL);
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "set_alias", .version = version, .replaced_version = replaced, .detail = alias
	});
	sp_write_end(&write);
}

void
sp_registry_drop_alias(const char *name, const char *alias)
{
	SpWrite		write;
	SpLockedModel model;
	int32		replaced;

	sp_write_begin(&write, "drop_alias()");
	sp_write_lock_model_for(&write, name, SP_MAY_DEPLOY, &model);
	replaced = named_version("DELETE FROM smartpouch.alias WHERE model_id = $1 AND alias = $2"
							 " RETURNING version", &model, alias);
	if (replaced == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" has no alias \"%s\"", name, alias)));
	sp_write_event(&write, &model, &(SpEvent) {
		.action = "drop_alias", .replaced_version = replaced, .detail = alias
	});
	sp_write_end(&write);
}

static void
check_may_set_stages(void)
{
	if (!(sp_registry_may_all(GetUserId()) & SP_MAY_OWN))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change the ladder of stages"),
				 errdetail("It is shared by all models of the database.")));
}

static void
check_ladder(const char **stages, int count)
{
	bool		has_production = false;

	for (int i = 0; i < count; i++)
	{
		has_production = has_production || strcmp(stages[i], SP_PRODUCTION) == 0;
		for (int other = 0; other < i; other++)
			if (strcmp(stages[i], stages[other]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("stage \"%s\" is twice in the ladder", stages[i])));
	}
	if (!has_production)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the ladder has no stage \"%s\"", SP_PRODUCTION),
				 errdetail("A reference that names a model alone means what this stage serves.")));
	if (count > MAX_STAGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the ladder has %d stages, the limit is %d", count, MAX_STAGES)));
}

static bool
is_among(const char *name, const char **names, int count)
{
	bool		found = false;

	for (int i = 0; !found && i < count; i++)
		found = strcmp(name, names[i]) == 0;
	return found;
}

/*
 * The first row of deployment or alias whose name is (or is not) among names;
 * false for none.  By the latest state, not by the transaction's snapshot: a
 * promotion that has committed since counts.
 */
static bool
find_target(SpTable table, SpIndex index, bool among, const char **names, int count,
			char *name, SpModelRow *model)
{
	SpScan		scan;
	HeapTuple	tuple;
	bool		found = false;

	sp_scan_begin(&scan, table, index, NULL, 0, NULL);
	while (!found && HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		sp_copy_text(name, SP_NAME_SIZE, sp_scan_column(&scan, tuple, 2));
		found = is_among(name, names, count) == among &&
			sp_registry_find_model_by_id(DatumGetUUIDP(sp_scan_column(&scan, tuple, 1)), NULL, model);
	}
	sp_scan_end(&scan);
	return found;
}

static void
check_ladder_fits(const char **stages, int count)
{
	char		name[SP_NAME_SIZE];
	SpModelRow	model;

	if (find_target(SP_TABLE_DEPLOYMENT, SP_INDEX_DEPLOYMENT, false, stages, count, name, &model))
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("stage \"%s\" is still in use", name),
				 errdetail("It serves a version of model \"%s\".", model.name),
				 errhint("Let it serve nothing with drop_deployment(), or keep the stage.")));
	if (find_target(SP_TABLE_ALIAS, SP_INDEX_ALIAS, true, stages, count, name, &model))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("\"%s\" is an alias of model \"%s\" and cannot be a stage", name, model.name)));
}

static void
check_gates_fit(Datum ladder)
{
	Oid			types[] = {TEXTARRAYOID};

	if (sp_write_sql("SELECT stage FROM smartpouch.gate WHERE stage <> ALL ($1) ORDER BY stage LIMIT 1",
					 1, types, &ladder, NULL) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("stage \"%s\" is still in use", TextDatumGetCString(sp_write_result(1))),
				 errdetail("It has a gate."),
				 errhint("Remove it with drop_gate(), or keep the stage.")));
}

void
sp_registry_set_stages(const char **stages, int count)
{
	SpWrite		write;
	Oid			types[] = {TEXTARRAYOID};
	Datum	   *names = palloc(mul_size(Max(count, 1), sizeof(Datum)));
	Datum		ladder;

	check_may_set_stages();
	check_ladder(stages, count);
	for (int i = 0; i < count; i++)
		names[i] = CStringGetTextDatum(stages[i]);
	ladder = PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
	sp_write_begin(&write, "set_stages()");
	/* waits for promotions and aliases under way, and keeps new ones waiting */
	sp_write_sql("LOCK TABLE smartpouch.stage IN EXCLUSIVE MODE", 0, NULL, NULL, NULL);
	check_ladder_fits(stages, count);
	check_gates_fit(ladder);
	sp_write_audit(&write, "set_stages", "SELECT jsonb_build_object('before',"
				   " ARRAY(SELECT stage FROM smartpouch.stages ORDER BY position), 'after', $1)", 1, types, &ladder);
	sp_write_sql("DELETE FROM smartpouch.stage", 0, NULL, NULL, NULL);
	/* the default ladder is no rows */
	if (!sp_registry_is_default_ladder(stages, count))
		sp_write_sql("INSERT INTO smartpouch.stage (name, position)"
					 " SELECT name, i FROM unnest($1) WITH ORDINALITY AS ladder (name, i)",
					 1, types, &ladder, NULL);
	sp_write_end(&write);
}
