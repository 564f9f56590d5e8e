/*
 * src/auth/sp_audit_refusal.c
 *
 * A refusal: to the log, to the ring, and to the counts of its key.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"

#include "auth/sp_audit.h"
#include "auth/sp_audit_ring.h"
#include "auth/sp_limit_counts.h"
#include "base/sp_mask.h"
#include "server/sp_role.h"

const char *
sp_refusal_name(SpRefusalReason reason)
{
	static const char *const names[SP_N_REFUSALS] = {
		[SP_REFUSED_MALFORMED] = "malformed",
		[SP_REFUSED_UNKNOWN] = "unknown",
		[SP_REFUSED_EXPIRED] = "expired",
		[SP_REFUSED_NOT_YET] = "not_yet_valid",
		[SP_REFUSED_REVOKED] = "revoked",
		[SP_REFUSED_DISABLED] = "disabled",
		[SP_REFUSED_STAGE] = "stage",
		[SP_REFUSED_FOREIGN] = "foreign",
		[SP_REFUSED_STALE] = "stale",
		[SP_REFUSED_SCOPE] = "scope",
		[SP_REFUSED_CREATOR] = "creator",
		[SP_REFUSED_RATE] = "rate",
		[SP_REFUSED_QUOTA] = "quota"
	};

	return names[reason];
}

/* Cut at a character; what is left of a token is masked too. */
static void
put_text(char *target, Size size, const char *text)
{
	Size		length = text != NULL ? strlen(text) : 0;

	if (length >= size)
		length = (Size) pg_mbcliplen(text, (int) Min(length, 4 * size), (int) size - 1);
	if (length > 0)
		memcpy(target, text, length);
	target[length] = '\0';
	(void) sp_mask_tokens(target, length);
}

static void
put_role(char target[NAMEDATALEN], Oid role)
{
	put_text(target, NAMEDATALEN, GetUserNameFromId(role, true));
}

static void
put_client_address(char *target, Size size)
{
	bool		isnull;
	Datum		address = sp_client_address(&isnull);

	put_text(target, size, isnull ? NULL : DatumGetCString(DirectFunctionCall1(inet_out, address)));
}

/* What is no id would not fit the table. */
static void
put_key_id(char target[SP_KEY_ID_SIZE], const char *key_id)
{
	static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

	target[0] = '\0';
	if (key_id != NULL && strlen(key_id) == SP_KEY_ID_SIZE - 1 && strspn(key_id, base62) == SP_KEY_ID_SIZE - 1)
		strlcpy(target, key_id, SP_KEY_ID_SIZE);
}

static void
make_entry(SpAuditEntry *entry, const SpRefusal *refusal)
{
	memset(entry, 0, sizeof(*entry));
	entry->at = GetCurrentTimestamp();
	entry->database = MyDatabaseId;
	entry->reason = refusal->reason;
	put_key_id(entry->key_id, refusal->key_id);
	put_text(entry->owner, sizeof(entry->owner), refusal->owner);
	put_text(entry->action, sizeof(entry->action), refusal->action);
	put_text(entry->resource, sizeof(entry->resource), refusal->resource);
	put_text(entry->application_name, sizeof(entry->application_name), application_name);
	if (!IsTransactionState())
		return;
	put_role(entry->session_role, GetSessionUserId());
	put_role(entry->acting_role, GetUserId());
	put_client_address(entry->client_address, sizeof(entry->client_address));
}

/* The statement may have the token as a literal. */
static void
write_log(const SpAuditEntry *entry)
{
	ereport(LOG_SERVER_ONLY,
			(errmsg("smartpouch refused API key %s: %s", entry->key_id[0] != '\0' ? entry->key_id : "(none)",
					sp_refusal_name(entry->reason)),
			 entry->action[0] != '\0' ? errdetail_log("It asked for %s:%s.", entry->action, entry->resource) : 0,
			 errhidestmt(true), errhidecontext(true)));
}

static void
count(const SpRefusal *refusal)
{
	SpTrackedId id;
	LWLock	   *lock;
	SpTracked  *tracked;

	if (!refusal->key_exists || !sp_tracked_available() || !sp_tracked_id(&id, SP_TRACKED_KEY, refusal->key_id))
		return;
	tracked = sp_tracked_lock(&id, true, &lock);
	if (tracked == NULL)
	{
		sp_tracked_missed();
		return;
	}
	pg_atomic_fetch_add_u32(&tracked->refused[refusal->reason], 1);
	LWLockRelease(lock);
}

void
sp_audit_refusal(const SpRefusal *refusal)
{
	SpAuditEntry entry;

	make_entry(&entry, refusal);
	write_log(&entry);
	count(refusal);
	if (sp_audit_ring_available() && !RecoveryInProgress())
		sp_audit_ring_put(&entry);
}
