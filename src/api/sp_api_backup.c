/*
 * src/api/sp_api_backup.c
 *
 * Backups and what is made of them.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "api/sp_snapshot_version.h"
#include "ops/sp_backup.h"
#include "ops/sp_backup_progress.h"
#include "registry/sp_registry.h"

PG_FUNCTION_INFO_V1(smartpouch_backup);
PG_FUNCTION_INFO_V1(smartpouch_backup_progress);
PG_FUNCTION_INFO_V1(smartpouch_expire_backups);
PG_FUNCTION_INFO_V1(smartpouch_keep_backup);
PG_FUNCTION_INFO_V1(smartpouch_rescan_backups);
PG_FUNCTION_INFO_V1(smartpouch_restore_models);
PG_FUNCTION_INFO_V1(smartpouch_verify_backup);

Datum
smartpouch_backup(PG_FUNCTION_ARGS)
{
	char	   *kind;

	sp_require_argument(fcinfo, 0, "kind");
	kind = text_to_cstring(PG_GETARG_TEXT_PP(0));
	if (strcmp(kind, "full") != 0 && strcmp(kind, "models") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no kind of backup", kind),
				 errhint("A backup is \"full\" or \"models\".")));
	PG_RETURN_INT64(sp_backup_run(strcmp(kind, "full") == 0));
}

static void
put_change(void *arg, const char *label, const char *change)
{
	ReturnSetInfo *result = arg;
	Datum		values[] = {CStringGetTextDatum(label), CStringGetTextDatum(change)};
	bool		nulls[] = {false, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
smartpouch_rescan_backups(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	sp_backup_rescan(put_change, fcinfo->resultinfo);
	return (Datum) 0;
}

Datum
smartpouch_keep_backup(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);
	sp_backup_keep(PG_GETARG_INT64(0), PG_GETARG_BOOL(1));
	PG_RETURN_VOID();
}

static void
put_check(void *arg, const char *item, bool passed, const char *detail)
{
	ReturnSetInfo *result = arg;
	Datum		values[] = {
		CStringGetTextDatum(item), BoolGetDatum(passed), detail ? CStringGetTextDatum(detail) : (Datum) 0
	};
	bool		nulls[] = {false, false, detail == NULL};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
smartpouch_verify_backup(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"manifest", "checksum", "restore"};
	char	   *wanted;
	int			level = 0;

	sp_require_argument(fcinfo, 0, "id");
	sp_require_argument(fcinfo, 1, "level");
	wanted = text_to_cstring(PG_GETARG_TEXT_PP(1));
	while (level < (int) lengthof(names) && strcmp(names[level], wanted) != 0)
		level++;
	if (level == (int) lengthof(names))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is no level of verification", wanted),
				 errhint("A level is \"manifest\", \"checksum\" or \"restore\".")));
	InitMaterializedSRF(fcinfo, 0);
	sp_backup_verify(PG_GETARG_INT64(0), (SpVerifyLevel) level, put_check, fcinfo->resultinfo);
	return (Datum) 0;
}

static void
put_expired(void *arg, int64 id, const char *label, const char *kind, const char *status)
{
	ReturnSetInfo *result = arg;
	Datum		values[] = {
		Int64GetDatum(id), CStringGetTextDatum(label), CStringGetTextDatum(kind), CStringGetTextDatum(status)
	};
	bool		nulls[] = {false, false, false, false};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static int
count_argument(FunctionCallInfo fcinfo, int arg, const char *name)
{
	sp_require_argument(fcinfo, arg, name);
	if (PG_GETARG_INT32(arg) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not be negative", name)));
	return PG_GETARG_INT32(arg);
}

Datum
smartpouch_expire_backups(PG_FUNCTION_ARGS)
{
	SpRetention retention = {
		.daily = count_argument(fcinfo, 1, "daily"),
		.weekly = count_argument(fcinfo, 2, "weekly"),
		.monthly = count_argument(fcinfo, 3, "monthly"),
		.yearly = count_argument(fcinfo, 4, "yearly"),
		.minimum = count_argument(fcinfo, 5, "minimum")
	};

	sp_require_argument(fcinfo, 0, "dry_run");
	InitMaterializedSRF(fcinfo, 0);
	sp_backup_expire(&retention, PG_GETARG_BOOL(0), put_expired, fcinfo->resultinfo);
	return (Datum) 0;
}

typedef struct Restored
{
	const char *as_name;		/* NULL: as it was called */
	ReturnSetInfo *result;
} Restored;

/* A version that the model has already is not added once more. */
static void
restore_version(void *arg, const SpBackedVersion *version)
{
	const Restored *restored = arg;
	const char *name = restored->as_name ? restored->as_name : version->model;
	const SpSnapshotParts *parts = &version->parts;
	int32		number = sp_backup_same_version(name, parts);
	uint8		identity[SP_SHA256_SIZE];
	Datum		values[4];
	bool		nulls[4] = {false};

	if (number == 0)
	{
		Jsonb	   *content = sp_snapshot_parse(&parts->content);

		sp_snapshot_identity(parts->content.sha256, parts->program.sha256, parts->artifact.sha256, identity);
		number = sp_snapshot_add_version(name, content, parts, sp_snapshot_origin(content, identity));
		CommandCounterIncrement();
	}
	values[0] = CStringGetTextDatum(version->model);
	values[1] = Int32GetDatum(version->version);
	values[2] = CStringGetTextDatum(name);
	values[3] = Int32GetDatum(number);
	tuplestore_putvalues(restored->result->setResult, restored->result->setDesc, values, nulls);
}

Datum
smartpouch_restore_models(PG_FUNCTION_ARGS)
{
	Restored	restored = {NULL, (ReturnSetInfo *) fcinfo->resultinfo};
	char	   *model = PG_ARGISNULL(1) ? NULL : sp_name_argument(fcinfo, 1, "model", "model");

	sp_require_argument(fcinfo, 0, "backup");
	if (!PG_ARGISNULL(2))
		restored.as_name = sp_name_argument(fcinfo, 2, "as_name", "model");
	if (restored.as_name != NULL && model == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a name for all models of a backup would make them one"),
				 errhint("Say which model is to be restored under it.")));
	InitMaterializedSRF(fcinfo, 0);
	sp_backup_versions(PG_GETARG_INT64(0), model, restore_version, &restored);
	return (Datum) 0;
}

/* ---- progress ---- */

static const char *const phase_names[] = {
	[SP_PHASE_PREPARING] = "preparing",
	[SP_PHASE_ARTEFACTS] = "artefacts",
	[SP_PHASE_DUMP] = "dump",
	[SP_PHASE_PROOFS] = "proofs",
	[SP_PHASE_READING_BACK] = "reading back",
	[SP_PHASE_RESTORING] = "restoring",
	[SP_PHASE_COMPARING] = "comparing"
};

/* One row for each backend of the server that is at work. */
Datum
smartpouch_backup_progress(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			count = pgstat_fetch_stat_numbackends();

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 1; i <= count; i++)
	{
		const LocalPgBackendStatus *local = local_backend_status_compat(i);
		const PgBackendStatus *status = local == NULL ? NULL : &local->backendStatus;
		Datum		values[6];
		bool		nulls[6] = {false};
		int64		phase;

		if (status == NULL || (int) status->st_progress_command != SP_PROGRESS_BACKUP)
			continue;
		phase = status->st_progress_param[SP_PROGRESS_PHASE];
		values[0] = Int32GetDatum(status->st_procpid);
		values[1] = ObjectIdGetDatum(status->st_progress_command_target);
		values[2] = Int64GetDatum(status->st_progress_param[SP_PROGRESS_ID]);
		values[3] = CStringGetTextDatum(phase >= 0 && phase < (int64) lengthof(phase_names) ? phase_names[phase] : "");
		values[4] = Int64GetDatum(status->st_progress_param[SP_PROGRESS_DONE]);
		values[5] = Int64GetDatum(status->st_progress_param[SP_PROGRESS_EXPECTED]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}
