/*
 * src/api/sp_api_history.c
 *
 * Asking the history of models, and proving it.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#include "api/sp_arguments.h"
#include "auth/sp_permission.h"
#include "registry/sp_registry.h"
#include "server/sp_snapshot.h"

PG_FUNCTION_INFO_V1(smartpouch_serving_at);
PG_FUNCTION_INFO_V1(smartpouch_verify_history);
PG_FUNCTION_INFO_V1(smartpouch_registry_digest);
PG_FUNCTION_INFO_V1(smartpouch_expire_history);

static bool
may_see(const pg_uuid_t *id)
{
	SpModelRow	model;
	uint32		may = sp_registry_find_model_by_id(id, sp_active_snapshot(), &model) ?
		sp_permission(id, model.owner_oid, model.owner_cluster) : sp_permission_gone();

	return may & SP_MAY_SEE;
}

/*
 * The models that the caller may know of and that have the name, or had it when
 * they were dropped; of all names if it is NULL.  42704 for none of the name,
 * 42501 when all are others'.
 */
static pg_uuid_t *
visible_models(const char *name, int *count)
{
	int			known;
	pg_uuid_t  *ids = sp_registry_known_models(name, sp_active_snapshot(), &known);

	*count = 0;
	for (int i = 0; i < known; i++)
		if (may_see(&ids[i]))
			ids[(*count)++] = ids[i];
	if (name != NULL && known == 0)
	{
		SpReference reference;

		memset(&reference, 0, sizeof(reference));
		strlcpy(reference.model, name, sizeof(reference.model));
		sp_registry_not_found(SP_NO_MODEL, &reference);
	}
	if (name != NULL && *count == 0)
		sp_registry_denied(GetUserId(), name, SP_MAY_SEE);
	return ids;
}

/* columns of serving_at */
#define N_SERVED 8

static Datum
served_row(FunctionCallInfo fcinfo, const SpServed *served)
{
	TupleDesc	columns;
	Datum		values[N_SERVED] = {0};
	bool		nulls[N_SERVED] = {false};

	if (get_call_result_type(fcinfo, NULL, &columns) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	values[0] = Int32GetDatum(served->version);
	nulls[0] = served->version == 0;
	values[1] = TimestampTzGetDatum(served->recorded_at);
	values[2] = CStringGetTextDatum(served->action);
	values[3] = Int32GetDatum(served->replaced_version);
	nulls[3] = served->replaced_version == 0;
	values[4] = CStringGetTextDatum(served->session_role);
	values[5] = CStringGetTextDatum(served->acting_role);
	values[6] = served->note ? CStringGetTextDatum(served->note) : (Datum) 0;
	nulls[6] = served->note == NULL;
	values[7] = Int64GetDatum(served->seq);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), values, nulls));
}

/* Of several models that had the name one after the other, the last one that served. */
Datum
smartpouch_serving_at(PG_FUNCTION_ARGS)
{
	char	   *name = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *stage = sp_name_argument(fcinfo, 1, "stage", "stage");
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(2);
	int			count;
	pg_uuid_t  *ids = visible_models(name, &count);
	SpServed	last = {0};

	for (int i = 0; i < count; i++)
	{
		SpServed	served;

		if (sp_registry_served(&ids[i], stage, at, sp_active_snapshot(), &served) &&
			(last.action == NULL || served.recorded_at > last.recorded_at))
			last = served;
	}
	if (last.action == NULL)
		PG_RETURN_NULL();
	return served_row(fcinfo, &last);
}

/* columns of verify_history */
#define N_PROBLEM 4

static void
put_problem(void *arg, const SpHistoryProblem *problem)
{
	ReturnSetInfo *result = arg;
	Datum		values[N_PROBLEM];
	bool		nulls[N_PROBLEM] = {problem->model == NULL};

	values[0] = problem->model ? CStringGetTextDatum(problem->model) : (Datum) 0;
	values[1] = UUIDPGetDatum(&problem->model_id);
	values[2] = Int64GetDatum(problem->seq);
	values[3] = CStringGetTextDatum(problem->problem);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
smartpouch_verify_history(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	pg_uuid_t  *ids;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	ids = visible_models(PG_ARGISNULL(0) ? NULL : sp_name_argument(fcinfo, 0, "model", "model"), &count);
	for (int i = 0; i < count; i++)
		sp_registry_verify_history(&ids[i], sp_active_snapshot(), put_problem, result);
	return (Datum) 0;
}

Datum
smartpouch_registry_digest(PG_FUNCTION_ARGS)
{
	uint8		digest[SP_SHA256_SIZE];

	(void) fcinfo;
	sp_registry_digest(sp_active_snapshot(), digest);
	return sp_hash_datum(digest);
}

Datum
smartpouch_expire_history(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	Interval   *older_than = PG_GETARG_INTERVAL_P(1);
	Datum		before = DirectFunctionCall2(timestamptz_mi_interval,
											 TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()),
											 IntervalPGetDatum(older_than));

	PG_RETURN_INT64(sp_registry_expire_history(model, DatumGetTimestampTz(before), PG_GETARG_BOOL(2)));
}
