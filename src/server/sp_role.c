/*
 * src/server/sp_role.c
 */
#include "server/sp_compat.h"

#include "access/xlog.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"

#include "server/sp_guc.h"
#include "server/sp_role.h"

const char *(*sp_cluster_id_kept) (void) = NULL;

const char *
sp_cluster_id(void)
{
	static char id[24];
	const char *kept;

	if (sp_cluster_id_setting && sp_cluster_id_setting[0] != '\0')
		return sp_cluster_id_setting;
	kept = sp_cluster_id_kept != NULL ? sp_cluster_id_kept() : NULL;
	if (kept != NULL)
		return kept;
	if (id[0] == '\0')
		snprintf(id, sizeof(id), UINT64_FORMAT, GetSystemIdentifier());
	return id;
}

bool
sp_role_exists(Oid role_oid, const char *role_cluster)
{
	return strcmp(role_cluster, sp_cluster_id()) == 0 && GetUserNameFromId(role_oid, true) != NULL;
}

bool
sp_role_has(Oid user, Oid role_oid, const char *role_cluster)
{
	return superuser_arg(user) ||
		(sp_role_exists(role_oid, role_cluster) && has_privs_of_role(user, role_oid));
}

void
sp_identity_begin(SpIdentity *saved, Oid owner)
{
	GetUserIdAndSecContext(&saved->user, &saved->security_context);
	SetUserIdAndSecContext(owner, saved->security_context |
						   SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	saved->guc_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

void
sp_identity_end(const SpIdentity *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->security_context);
}

Datum
sp_client_address(bool *isnull)
{
	LOCAL_FCINFO(fcinfo, 0);
	Datum		address;

	InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, NULL, NULL);
	address = inet_client_addr(fcinfo);
	*isnull = fcinfo->isnull;
	return address;
}
