/*
 * src/api/sp_api_backup.c
 *
 * Backups and what is made of them.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "ops/sp_backup.h"
#include "ops/sp_backup_progress.h"

PG_FUNCTION_INFO_V1(smartpouch_backup);
PG_FUNCTION_INFO_V1(smartpouch_backup_progress);
PG_FUNCTION_INFO_V1(smartpouch_keep_backup);
PG_FUNCTION_INFO_V1(smartpouch_rescan_backups);
PG_FUNCTION_INFO_V1(smartpouch_row_set_add);
PG_FUNCTION_INFO_V1(smartpouch_row_set_hash);
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

/* ---- the hash of a set of rows ---- */

/*
 * The sum of the rows' SHA-256 as integers of 256 bits, lowest byte first: the
 * same for every order of the rows, so nothing is sorted.
 */
Datum
smartpouch_row_set_add(PG_FUNCTION_ARGS)
{
	MemoryContext aggregate;
	uint8	   *sum;
	uint8		hash[SP_SHA256_SIZE];
	text	   *row;
	unsigned int carry = 0;

	if (!AggCheckCallContext(fcinfo, &aggregate))
		elog(ERROR, "smartpouch_row_set_add called outside an aggregate");
	sum = PG_ARGISNULL(0) ? MemoryContextAllocZero(aggregate, SP_SHA256_SIZE) : (uint8 *) PG_GETARG_POINTER(0);
	if (PG_ARGISNULL(1))
		PG_RETURN_POINTER(sum);
	row = PG_GETARG_TEXT_PP(1);
	sp_sha256(VARDATA_ANY(row), VARSIZE_ANY_EXHDR(row), hash);
	for (int i = 0; i < SP_SHA256_SIZE; i++)
	{
		carry += (unsigned int) sum[i] + hash[i];
		sum[i] = (uint8) carry;
		carry >>= 8;
	}
	PG_RETURN_POINTER(sum);
}

Datum
smartpouch_row_set_hash(PG_FUNCTION_ARGS)
{
	static const uint8 none[SP_SHA256_SIZE] = {0};

	PG_RETURN_DATUM(sp_hash_datum(PG_ARGISNULL(0) ? none : (const uint8 *) PG_GETARG_POINTER(0)));
}
