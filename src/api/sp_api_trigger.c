/*
 * src/api/sp_api_trigger.c
 *
 * The triggers of sql/install/20_triggers.sql.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/inval.h"
#include "utils/rel.h"

#include "cache/sp_shared_sweep.h"
#include "registry/sp_registry.h"

PG_FUNCTION_INFO_V1(smartpouch_registry_changed);
PG_FUNCTION_INFO_V1(smartpouch_refuse_change);
PG_FUNCTION_INFO_V1(smartpouch_refuse_removal);

static TriggerData *
trigger_data(FunctionCallInfo fcinfo)
{
	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("not called by a trigger")));
	return (TriggerData *) fcinfo->context;
}

/* The message is sent with the commit, and replayed on standbys with it. */
Datum
smartpouch_registry_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);

	CacheInvalidateRelcache(trigger->tg_relation);
	sp_shared_sweep_registry_changed();
	return PointerGetDatum(NULL);
}

static void SP_NORETURN
refuse(const TriggerData *trigger)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("rows of table \"%s\" never change", RelationGetRelationName(trigger->tg_relation)),
			 errdetail("Versions, their bytes and the history of models stay as they were written.")));
}

Datum
smartpouch_refuse_change(PG_FUNCTION_ARGS)
{
	refuse(trigger_data(fcinfo));
	return PointerGetDatum(NULL);
}

/* Before the deletion of an event: one that sp_registry_expire_history has accounted for may go. */
Datum
smartpouch_refuse_removal(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = trigger_data(fcinfo);
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);
	uint8		hash[SP_SHA256_SIZE];
	bool		isnull;
	Datum		model_id = heap_getattr(trigger->tg_trigtuple, 1, desc, &isnull);
	Datum		seq = heap_getattr(trigger->tg_trigtuple, 2, desc, &isnull);

	if (DatumGetInt64(seq) > sp_registry_event_head(DatumGetUUIDP(model_id), NULL, hash))
		refuse(trigger);
	return PointerGetDatum(trigger->tg_trigtuple);
}
