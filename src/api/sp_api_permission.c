/*
 * src/api/sp_api_permission.c
 *
 * Granting and revoking, and what the views ask.
 */
#include "server/sp_compat.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "api/sp_arguments.h"
#include "auth/sp_permission.h"
#include "server/sp_role.h"

PG_FUNCTION_INFO_V1(smartpouch_can_see);
PG_FUNCTION_INFO_V1(smartpouch_cluster_id);
PG_FUNCTION_INFO_V1(smartpouch_grant_model);
PG_FUNCTION_INFO_V1(smartpouch_revoke_model);
PG_FUNCTION_INFO_V1(smartpouch_grant_access);
PG_FUNCTION_INFO_V1(smartpouch_revoke_access);

Datum
smartpouch_can_see(PG_FUNCTION_ARGS)
{
	char		cluster[SP_CLUSTER_ID_SIZE];

	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(false);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_BOOL(sp_permission_gone() & SP_MAY_SEE);
	text_to_cstring_buffer(PG_GETARG_TEXT_PP(2), cluster, sizeof(cluster));
	PG_RETURN_BOOL(sp_permission(PG_GETARG_UUID_P(0), PG_GETARG_OID(1), cluster) & SP_MAY_SEE);
}

Datum
smartpouch_cluster_id(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_TEXT_P(cstring_to_text(sp_cluster_id()));
}

Datum
smartpouch_grant_model(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");

	sp_registry_grant_model(model, PG_GETARG_OID(1), text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}

Datum
smartpouch_revoke_model(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	char	   *model = sp_name_argument(fcinfo, 0, "model", "model");

	sp_registry_revoke_model(model, PG_GETARG_OID(1), text_to_cstring(PG_GETARG_TEXT_PP(2)));
	PG_RETURN_VOID();
}

Datum
smartpouch_grant_access(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	sp_registry_grant_access(PG_GETARG_OID(0), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}

Datum
smartpouch_revoke_access(PG_FUNCTION_ARGS)
{
	sp_require_arguments(fcinfo);

	sp_registry_revoke_access(PG_GETARG_OID(0), text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PG_RETURN_VOID();
}
