/*
 * src/registry/sp_registry_grants.c
 *
 * Who may do what: privileges on models, and levels of access to functions.
 *
 * A level is data as well as grants of the server's own: _apply_access() of
 * sql/install/85_access.sql makes the grants that follow from the rows, so that an
 * update script can make those of new functions.
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"

#include "registry/sp_registry_internal.h"
#include "registry/sp_registry_scan.h"
#include "server/sp_role.h"

/* Columns in the order of sql/install/10_tables.sql. */
enum
{
	GRANT_MODEL_ID = 1, GRANT_CLUSTER, GRANT_ROLE, GRANT_PRIVILEGE
};
enum
{
	ACCESS_CLUSTER = 1, ACCESS_ROLE, ACCESS_LEVEL
};

static const struct
{
	const char *name;
	uint32		bit;
}			privileges[] = {
	{"predict", SP_MAY_PREDICT},
	{"read", SP_MAY_READ},
	{"deploy", SP_MAY_DEPLOY}
};

static uint32
privilege_bit(const char *name)
{
	for (Size i = 0; i < lengthof(privileges); i++)
		if (strcmp(name, privileges[i].name) == 0)
			return privileges[i].bit;
	return 0;
}

static const char *
privilege_name(uint32 bit)
{
	for (Size i = 0; i < lengthof(privileges); i++)
		if (bit == privileges[i].bit)
			return privileges[i].name;
	return "predict, read or deploy";
}

uint32
sp_registry_may_all(Oid user)
{
	SpScan		scan;
	HeapTuple	tuple;
	uint32		may = 0;

	if (has_privs_of_role(user, sp_registry_owner()))
		return SP_MAY_ALL;
	sp_scan_begin(&scan, SP_TABLE_ACCESS_GRANT, SP_INDEX_ACCESS_GRANT, NULL, 0, NULL);
	while (may != SP_MAY_ALL && HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		char	   *level = TextDatumGetCString(sp_scan_column(&scan, tuple, ACCESS_LEVEL));
		uint32		given = strcmp(level, "admin") == 0 ? SP_MAY_ALL :
			strcmp(level, "monitor") == 0 ? SP_MAY_SEE : 0;

		if (given != 0 &&
			sp_role_has(user, DatumGetObjectId(sp_scan_column(&scan, tuple, ACCESS_ROLE)),
						TextDatumGetCString(sp_scan_column(&scan, tuple, ACCESS_CLUSTER))))
			may |= given;
	}
	sp_scan_end(&scan);
	return may;
}

static uint32
granted(Oid user, const pg_uuid_t *model_id)
{
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;
	uint32		may = 0;

	ScanKeyInit(&key, GRANT_MODEL_ID, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(model_id));
	sp_scan_begin(&scan, SP_TABLE_MODEL_GRANT, SP_INDEX_MODEL_GRANT, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		uint32		bit = privilege_bit(TextDatumGetCString(sp_scan_column(&scan, tuple, GRANT_PRIVILEGE)));

		if ((may & bit) == 0 &&
			sp_role_has(user, DatumGetObjectId(sp_scan_column(&scan, tuple, GRANT_ROLE)),
						TextDatumGetCString(sp_scan_column(&scan, tuple, GRANT_CLUSTER))))
			may |= SP_MAY_SEE | bit;
	}
	sp_scan_end(&scan);
	return may;
}

uint32
sp_registry_may(Oid user, const pg_uuid_t *model_id, Oid owner_oid, const char *owner_cluster)
{
	uint32		may;

	if (sp_role_has(user, owner_oid, owner_cluster))
		return SP_MAY_ALL;
	may = sp_registry_may_all(user);
	return may == SP_MAY_ALL ? may : may | granted(user, model_id);
}

void
sp_registry_denied(Oid user, const char *model, uint32 bit)
{
	const char *role = GetUserNameFromId(user, false);

	if (bit == SP_MAY_OWN)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of model \"%s\"", model)));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for model \"%s\"", model),
			 errdetail("Role \"%s\" lacks the privilege %s on it.", role, privilege_name(bit)),
			 errhint("Its owner can grant it with smartpouch.grant_model().")));
}

static const char *
role_name(Oid role)
{
	const char *name = GetUserNameFromId(role, true);

	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role with OID %u does not exist", role)));
	return name;
}

static void
check_privilege(const char *privilege)
{
	if (privilege_bit(privilege) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a privilege on models", privilege),
				 errhint("Privileges are predict, read and deploy.")));
}

/* A subscriber's grants are its own; its histories are its publisher's. */
static void
write_grant_event(const SpWrite *write, const SpLockedModel *model, const SpEvent *event)
{
	if (sp_registry_subscription(NULL) == SP_NOT_SUBSCRIBED)
		sp_write_event(write, model, event);
}

void
sp_registry_grant_model(const char *name, Oid role, const char *privilege)
{
	SpWrite		write;
	SpLockedModel model;
	const char *grantee = role_name(role);
	Oid			types[] = {UUIDOID, TEXTOID, OIDOID, TEXTOID, TEXTOID, TEXTOID};

	check_privilege(privilege);
	sp_write_begin_local(&write, "grant_model()");
	sp_write_lock_own_model(&write, name, &model);

	Datum		values[] = {
		UUIDPGetDatum(&model.id), CStringGetTextDatum(sp_cluster_id()), ObjectIdGetDatum(role),
		CStringGetTextDatum(privilege), CStringGetTextDatum(grantee), CStringGetTextDatum(write.acting_role)
	};

	if (sp_write_sql("INSERT INTO smartpouch.model_grant (model_id, role_cluster, role_oid, privilege,"
					 " role_name, granted_by) VALUES ($1, $2, $3, $4, $5, $6)"
					 " ON CONFLICT ON CONSTRAINT model_grant_pkey DO NOTHING", 6, types, values, NULL) > 0)
		write_grant_event(&write, &model, &(SpEvent) {
			.action = "grant", .detail = psprintf("%s to %s", privilege, grantee)
		});
	sp_write_end(&write);
}

void
sp_registry_revoke_model(const char *name, Oid role, const char *privilege)
{
	SpWrite		write;
	SpLockedModel model;
	Oid			types[] = {UUIDOID, TEXTOID, OIDOID, TEXTOID};

	check_privilege(privilege);
	sp_write_begin_local(&write, "revoke_model()");
	sp_write_lock_own_model(&write, name, &model);

	Datum		values[] = {
		UUIDPGetDatum(&model.id), CStringGetTextDatum(sp_cluster_id()), ObjectIdGetDatum(role),
		CStringGetTextDatum(privilege)
	};

	if (sp_write_sql("DELETE FROM smartpouch.model_grant WHERE model_id = $1 AND role_cluster = $2"
					 " AND role_oid = $3 AND privilege = $4 RETURNING role_name", 4, types, values, NULL) > 0)
		write_grant_event(&write, &model, &(SpEvent) {
			.action = "revoke",
			.detail = psprintf("%s from %s", privilege, TextDatumGetCString(sp_write_result(1)))
		});
	else
		ereport(NOTICE,
				(errmsg("%s on model \"%s\" was not granted to that role", privilege, name)));
	sp_write_end(&write);
}

static void
check_access(const char *level)
{
	static const char *const levels[] = {"predictor", "deployer", "monitor", "admin"};
	bool		known = false;

	for (Size i = 0; i < lengthof(levels); i++)
		known = known || strcmp(level, levels[i]) == 0;
	if (!known)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a level of access", level),
				 errhint("Levels are predictor, deployer, monitor and admin.")));
	if (!(sp_registry_may_all(GetUserId()) & SP_MAY_OWN))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to change levels of access"),
				 errdetail("It takes a superuser, the owner of the extension, or the level admin.")));
}

static void
audit_access(const SpWrite *write, const char *action, const char *role, const char *level)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		values[] = {CStringGetTextDatum(role), CStringGetTextDatum(level)};

	sp_write_audit(write, action, "SELECT jsonb_build_object('role', $1, 'level', $2)", 2, types, values);
}

/* One change of levels at a time: the server's grants follow from all rows of a role. */
static void
lock_access(void)
{
	sp_write_sql("LOCK TABLE smartpouch.access_grant IN SHARE ROW EXCLUSIVE MODE", 0, NULL, NULL, NULL);
}

void
sp_registry_grant_access(Oid role, const char *level)
{
	SpWrite		write;
	const char *grantee = role_name(role);
	Oid			types[] = {TEXTOID, OIDOID, TEXTOID, TEXTOID, TEXTOID};

	check_access(level);
	sp_write_begin_local(&write, "grant_access()");

	Datum		values[] = {
		CStringGetTextDatum(sp_cluster_id()), ObjectIdGetDatum(role), CStringGetTextDatum(level),
		CStringGetTextDatum(grantee), CStringGetTextDatum(write.acting_role)
	};

	lock_access();
	if (sp_write_sql("INSERT INTO smartpouch.access_grant (role_cluster, role_oid, level, role_name, granted_by)"
					 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT ON CONSTRAINT access_grant_pkey DO NOTHING",
					 5, types, values, NULL) > 0)
		audit_access(&write, "grant_access", grantee, level);
	sp_write_sql("SELECT smartpouch._apply_access($2)", 2, types, values, NULL);
	sp_write_end(&write);
}

void
sp_registry_revoke_access(Oid role, const char *level)
{
	SpWrite		write;
	const char *grantee = role_name(role);
	Oid			types[] = {TEXTOID, OIDOID, TEXTOID};

	check_access(level);
	sp_write_begin_local(&write, "revoke_access()");

	Datum		values[] = {
		CStringGetTextDatum(sp_cluster_id()), ObjectIdGetDatum(role), CStringGetTextDatum(level)
	};

	lock_access();
	if (sp_write_sql("DELETE FROM smartpouch.access_grant WHERE role_cluster = $1 AND role_oid = $2"
					 " AND level = $3", 3, types, values, NULL) == 0)
		ereport(NOTICE,
				(errmsg("level %s was not granted to that role", level)));
	else
	{
		audit_access(&write, "revoke_access", grantee, level);
		sp_write_sql("SELECT smartpouch._withdraw_access($2, $3)", 3, types, values, NULL);
		/* what other levels have of it */
		sp_write_sql("SELECT smartpouch._apply_access($2)", 3, types, values, NULL);
	}
	sp_write_end(&write);
}
