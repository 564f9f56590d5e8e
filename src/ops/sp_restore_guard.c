/*
 * src/ops/sp_restore_guard.c
 *
 * The setting cannot be changed in a session, so nothing that runs in it can take the
 * guard away.  Two hooks: one around every call of a function that is not the
 * server's own, one when an expression is prepared that calls a function.
 */
#include "server/sp_compat.h"

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "tcop/cmdtag.h"
#include "tcop/pquery.h"
#include "utils/acl.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/syscache.h"

#include "ops/sp_restore_guard.h"

static bool restoring;
static bool installed = false;
static needs_fmgr_hook_type next_needs_hook = NULL;
static fmgr_hook_type next_call_hook = NULL;
static object_access_hook_type next_access_hook = NULL;

/* One for each place that calls a function; the server keeps it in "private". */
typedef struct Call
{
	bool		is_ours;		/* else the function is for the next hook only */
	bool		is_definer;		/* the server changes the user, and back */
	bool		changed;
	Oid			user;
	int			context;
	Datum		next;
} Call;

/* Triggers do not fire while rows come in but for those of extensions; nothing else can call their functions. */
static bool
is_guarded(Oid function, bool *is_definer)
{
	HeapTuple	tuple = function < FirstNormalObjectId ? NULL : SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc facts;
	bool		guarded;

	if (!HeapTupleIsValid(tuple))
		return false;
	facts = (Form_pg_proc) GETSTRUCT(tuple);
	guarded = facts->prorettype != TRIGGEROID && facts->prorettype != EVENT_TRIGGEROID;
	*is_definer = facts->prosecdef;
	ReleaseSysCache(tuple);
	return guarded;
}

static bool
needs_guard(Oid function)
{
	bool		is_definer;

	return (next_needs_hook != NULL && next_needs_hook(function)) || is_guarded(function, &is_definer);
}

/* Scripts of extensions are trusted, and views are refreshed when all rights are as they were. */
static bool
is_trusted_statement(void)
{
	return creating_extension ||
		(ActivePortal != NULL && ActivePortal->commandTag == CMDTAG_REFRESH_MATERIALIZED_VIEW);
}

/*
 * Where the operation is restricted already it is somebody's who cannot do harm,
 * but a function with its owner's rights would leave that: who may call it is
 * restored last.
 */
static void
begin_call(Call *call)
{
	GetUserIdAndSecContext(&call->user, &call->context);
	call->changed = call->is_ours && !is_trusted_statement() &&
		(call->is_definer || (call->context & SECURITY_RESTRICTED_OPERATION) == 0);
	if (call->changed)
		SetUserIdAndSecContext(ROLE_PG_READ_ALL_DATA, call->context | SECURITY_LOCAL_USERID_CHANGE |
							   SECURITY_RESTRICTED_OPERATION);
}

/*
 * After a function with its owner's rights the server has put back what was before
 * it; after one with a role among its settings it has put back the user, which was
 * that role when the call began.
 */
static void
end_call(Call *call)
{
	Oid			user;
	int			context;

	if (call->changed && !call->is_definer)
	{
		GetUserIdAndSecContext(&user, &context);
		SetUserIdAndSecContext(user == ROLE_PG_READ_ALL_DATA ? call->user : user, call->context);
	}
	call->changed = false;
}

static void
guard_call(FmgrHookEventType event, FmgrInfo *function, Datum *private)
{
	Call	   *call = (Call *) DatumGetPointer(*private);

	if (call == NULL)
	{
		call = MemoryContextAllocZero(function->fn_mcxt, sizeof(Call));
		call->is_ours = is_guarded(function->fn_oid, &call->is_definer);
		*private = PointerGetDatum(call);
	}
	if (event == FHET_START)
		begin_call(call);
	if (next_call_hook != NULL)
		next_call_hook(event, function, &call->next);
	if (event != FHET_START)
		end_call(call);
}

static bool
is_harmless(Oid function)
{
	static const Oid known[] = {F_CLOCK_TIMESTAMP, F_TIMEOFDAY, F_GEN_RANDOM_UUID};

	for (Size i = 0; i < lengthof(known); i++)
		if (function == known[i])
			return true;
	return func_volatile(function) != PROVOLATILE_VOLATILE &&
		function_aclcheck_compat(function, ROLE_PG_READ_ALL_DATA, ACL_EXECUTE) == ACLCHECK_OK;
}

/* pg_restore's own calls of functions are queries. */
static void
guard_access(ObjectAccessType access, Oid class, Oid object, int part, void *argument)
{
	if (next_access_hook != NULL)
		next_access_hook(access, class, object, part, argument);
	if (access == OAT_FUNCTION_EXECUTE && object < FirstNormalObjectId && superuser() &&
		ActivePortal != NULL && ActivePortal->strategy == PORTAL_MULTI_QUERY &&
		!InSecurityRestrictedOperation() && !is_trusted_statement() && !is_harmless(object))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("function %s is not called while a backup is restored", get_func_name(object)),
				 errdetail("An expression of a table or type would call it with the rights of a superuser.")));
}

static void
install(bool on, void *extra)
{
	(void) extra;
	if (!on || installed)
		return;
	installed = true;
	next_needs_hook = needs_fmgr_hook;
	needs_fmgr_hook = needs_guard;
	next_call_hook = fmgr_hook;
	fmgr_hook = guard_call;
	next_access_hook = object_access_hook;
	object_access_hook = guard_access;
}

void
sp_restore_guard_init(void)
{
	DefineCustomBoolVariable("smartpouch.restoring",
							 "Functions of users run without rights, as in a session that restores a backup.",
							 NULL, &restoring,
							 false, PGC_SU_BACKEND, GUC_NO_SHOW_ALL | GUC_NOT_IN_SAMPLE | GUC_DISALLOW_IN_FILE,
							 NULL, install, NULL);
}
