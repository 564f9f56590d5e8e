/*
 * src/api/sp_api_routing.c
 *
 * Versions beside the one that a stage serves.
 */
#include "server/sp_compat.h"

#include "fmgr.h"

#include "api/sp_arguments.h"
#include "api/sp_gate.h"
#include "registry/sp_registry.h"

PG_FUNCTION_INFO_V1(smartpouch_set_canary);
PG_FUNCTION_INFO_V1(smartpouch_drop_canary);

/* A canary answers for the stage, so it passes the stage's gate as what is promoted does. */
Datum
smartpouch_set_canary(PG_FUNCTION_ARGS)
{
	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *stage = sp_name_argument(fcinfo, 1, "stage", "stage");
	int32		version = PG_GETARG_INT32(2);
	Jsonb	   *evidence = NULL;
	SpGate		gate;

	if (sp_registry_gate("set_canary()", model, version, stage, &gate))
		evidence = sp_gate_pass(&gate, sp_call_site(fcinfo, 1), model, stage);
	sp_registry_set_beside(SP_CANARY, model, stage, version, PG_GETARG_FLOAT8(3), evidence);
	PG_RETURN_VOID();
}

Datum
smartpouch_drop_canary(PG_FUNCTION_ARGS)
{
	sp_registry_drop_beside(SP_CANARY, sp_name_argument(fcinfo, 0, "model", "model"),
							sp_name_argument(fcinfo, 1, "stage", "stage"));
	PG_RETURN_VOID();
}
