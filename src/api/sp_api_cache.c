/*
 * src/api/sp_api_cache.c
 *
 * Looking at loaded models, loading and evicting them.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/timestamp.h"

#include "api/sp_model_ref.h"
#include "server/sp_snapshot.h"

PG_FUNCTION_INFO_V1(smartpouch_warm_model);
PG_FUNCTION_INFO_V1(smartpouch_evict_model);
PG_FUNCTION_INFO_V1(smartpouch_model_cache);

Datum
smartpouch_warm_model(PG_FUNCTION_ARGS)
{
	text	   *ref = PG_GETARG_TEXT_PP(0);
	SpResolved	resolved;

	sp_model_ref(ref, SP_MAY_SEE, &resolved);
	PG_RETURN_BOOL(sp_model_warm(&resolved.rows.version,
								 sp_active_snapshot()));
}

Datum
smartpouch_evict_model(PG_FUNCTION_ARGS)
{
	text	   *ref = PG_GETARG_TEXT_PP(0);
	SpResolved	resolved;
	SpSharedEvicted result;

	sp_model_ref(ref, SP_MAY_SEE, &resolved);
	result = sp_model_evict(resolved.rows.version.program);
	if (result == SP_SHARED_IN_USE)
		ereport(NOTICE,
				(errmsg("model \"%s\" version %d is in use and stays loaded",
						resolved.rows.model.name, resolved.rows.version.version)));
	PG_RETURN_BOOL(result == SP_SHARED_EVICTED);
}

#define N_COLUMNS 8

static void
put_rows(const ReturnSetInfo *result, const SpSharedFacts *facts, int count, bool shared)
{
	for (int i = 0; i < count; i++)
	{
		const SpSharedFacts *fact = &facts[i];
		Datum		values[N_COLUMNS];
		bool		nulls[N_COLUMNS] = {false};

		if (fact->phase != SP_SLOT_READY)
			continue;
		values[0] = ObjectIdGetDatum(fact->database);
		values[1] = sp_hash_datum(fact->program);
		values[2] = BoolGetDatum(shared);
		values[3] = Int64GetDatum((int64) fact->bytes);
		values[4] = Int32GetDatum((int32) fact->pins);
		values[5] = Int64GetDatum((int64) fact->hits);
		values[6] = Int64GetDatum((int64) fact->loads);
		values[7] = TimestampTzGetDatum(fact->last_used);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
}

Datum
smartpouch_model_cache(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	SpSharedFacts *facts;
	int			count;

	InitMaterializedSRF(fcinfo, 0);
	if (sp_shared_available())
	{
		facts = sp_shared_facts(&count);
		put_rows(result, facts, count, true);
	}
	facts = sp_model_own(&count);
	put_rows(result, facts, count, false);
	return (Datum) 0;
}
