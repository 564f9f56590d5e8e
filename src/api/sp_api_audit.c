/*
 * src/api/sp_api_audit.c
 *
 * Events of API keys stay, until they are old.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "api/sp_arguments.h"
#include "auth/sp_audit.h"

PG_FUNCTION_INFO_V1(smartpouch_expire_audit);
PG_FUNCTION_INFO_V1(smartpouch_refuse_audit_removal);

Datum
smartpouch_expire_audit(PG_FUNCTION_ARGS)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	TimestampTz before;

	sp_require_arguments(fcinfo);
	before = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(now),
													 PG_GETARG_DATUM(0)));
	if (before > now - SP_AUDIT_KEPT_DAYS * USECS_PER_DAY)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("events of API keys are kept for at least %d days", SP_AUDIT_KEPT_DAYS)));
	PG_RETURN_INT64(sp_audit_expire(before, PG_GETARG_BOOL(1)));
}

Datum
smartpouch_refuse_audit_removal(PG_FUNCTION_ARGS)
{
	TriggerData *trigger;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("not called by a trigger")));
	trigger = (TriggerData *) fcinfo->context;
	if (!sp_audit_expiring())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("rows of table \"%s\" stay", RelationGetRelationName(trigger->tg_relation)),
				 errhint("expire_audit() removes old ones.")));
	return PointerGetDatum(trigger->tg_trigtuple);
}
