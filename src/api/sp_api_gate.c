/*
 * src/api/sp_api_gate.c
 *
 * Setting gates, and promoting through them.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "api/sp_gate.h"
#include "registry/sp_registry.h"

PG_FUNCTION_INFO_V1(smartpouch_set_gate);
PG_FUNCTION_INFO_V1(smartpouch_drop_gate);
PG_FUNCTION_INFO_V1(smartpouch_promote);

Datum
smartpouch_set_gate(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *stage = sp_name_argument(fcinfo, 0, "stage", "stage");
	Jsonb	   *rule = PG_GETARG_JSONB_P(1);

	sp_gate_check_rule(stage, rule);
	sp_registry_set_gate(stage, rule);
	PG_RETURN_VOID();
}

Datum
smartpouch_drop_gate(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	sp_registry_drop_gate(sp_name_argument(fcinfo, 0, "stage", "stage"));
	PG_RETURN_VOID();
}

/* The locks that sp_registry_gate takes last until the transaction ends, so what passes is what is promoted. */
Datum
smartpouch_promote(PG_FUNCTION_ARGS)
{
	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");
	char	   *stage = sp_name_argument(fcinfo, 2, "stage", "stage");
	char	   *note = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));
	Jsonb	   *evidence = NULL;
	SpGate		gate;

	sp_require_argument(fcinfo, 1, "version");
	if (sp_registry_gate("promote()", model, PG_GETARG_INT32(1), stage, &gate))
		evidence = sp_gate_pass(&gate, model, stage);
	sp_registry_promote(model, PG_GETARG_INT32(1), stage, note, evidence);
	PG_RETURN_VOID();
}
