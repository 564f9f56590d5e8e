/*
 * src/auth/sp_key_verify.c
 */
#include "server/sp_compat.h"

#include "utils/timestamp.h"

#include "auth/sp_key_pepper.h"
#include "auth/sp_key_verify.h"
#include "auth/sp_limit.h"
#include "base/sp_mask.h"
#include "server/sp_metrics.h"
#include "server/sp_role.h"
#include "server/sp_standby.h"

bool
sp_key_holds(const SpApiKeyRow *row, SpRefusalReason *reason)
{
	/* not the transaction's time, which a long one could live on */
	TimestampTz now = GetCurrentTimestamp();

	if (row->revoked)
		*reason = SP_REFUSED_REVOKED;
	else if (!row->enabled)
		*reason = SP_REFUSED_DISABLED;
	else if (row->expires_at <= now)
		*reason = SP_REFUSED_EXPIRED;
	else if (row->not_before > now)
		*reason = SP_REFUSED_NOT_YET;
	else if (!sp_registry_api_key_is_here(row))
		*reason = SP_REFUSED_FOREIGN;
	else if (!sp_role_exists(row->creator_oid, row->creator_cluster))
		*reason = SP_REFUSED_CREATOR;
	else if (sp_max_auth_staleness >= 0 && sp_standby_age() > (int64) sp_max_auth_staleness * 1000)
		*reason = SP_REFUSED_STALE;
	else
		return true;
	return false;
}

/* Has the row that was found the hash that the key makes? */
static bool
shows_secret(const char *token, Size size, const SpApiKeyRow *row)
{
	uint8		hash[SP_SHA256_SIZE];
	bool		has_pepper = sp_key_hash(token, size, row->pepper, hash);

	return sp_equal_secret(hash, row->hash, sizeof(hash)) & has_pepper;
}

void
sp_key_verify(const text *token, SpKeyVerdict *verdict)
{
	SpKeyToken	parsed;
	bool		right;

	verdict->valid = false;
	verdict->known = false;
	verdict->id[0] = '\0';
	verdict->reason = SP_REFUSED_MALFORMED;
	sp_metrics_auth_attempt();
	if (token == NULL || !sp_key_token_parse(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), &parsed))
		return;
	memcpy(verdict->id, parsed.id, sizeof(verdict->id));
	(void) sp_registry_api_key_at(parsed.id, &verdict->row);
	right = shows_secret(VARDATA_ANY(token), VARSIZE_ANY_EXHDR(token), &verdict->row);
	verdict->known = strcmp(parsed.id, verdict->row.id) == 0;
	if (!right || !verdict->known)
		verdict->reason = SP_REFUSED_UNKNOWN;
	else if (parsed.stage != verdict->row.stage)
		verdict->reason = SP_REFUSED_STAGE;
	else
		verdict->valid = sp_key_holds(&verdict->row, &verdict->reason);
	if (verdict->valid && verdict->row.replaced)
		sp_metrics_grace_use();
}

/* In the audit, and counted. */
static void
note(const SpRefusal *refusal)
{
	StaticAssertStmt((int) SP_REFUSED_MALFORMED == (int) SP_AUTH_MALFORMED &&
					 (int) SP_REFUSED_CREATOR == (int) SP_AUTH_CREATOR &&
					 (int) SP_REFUSED_CREATOR + 1 == (int) SP_N_AUTH_FAILURES, "refusals and failures go together");
	sp_audit_refusal(refusal);
	if (refusal->reason <= SP_REFUSED_CREATOR)
		sp_metrics_auth_failure((SpAuthFailure) refusal->reason);
}

void
sp_key_refused(const SpKeyVerdict *verdict)
{
	SpRefusal	refusal = {
		.reason = verdict->reason,
		.key_id = verdict->id[0] != '\0' ? verdict->id : NULL,
		.key_exists = verdict->known,
		.owner = verdict->known ? verdict->row.owner : NULL
	};

	note(&refusal);
}

void
sp_key_reject(const SpKeyVerdict *verdict)
{
	sp_key_refused(verdict);
	if (verdict->reason == SP_REFUSED_STALE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("this standby may not know of keys that were revoked"),
				 errdetail("It is further behind its primary than smartpouch.max_auth_staleness allows."),
				 errhint("Ask the primary or another standby.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
			 errmsg("the API key is not valid"),
			 errhint("smartpouch.verify_api_key() tells why, if the key is one.")));
}

void
sp_key_forbid(const SpApiKeyRow *row, SpRefusalReason reason, const char *action, const char *resource)
{
	SpRefusal	refusal = {
		.reason = reason, .key_id = row->id, .key_exists = true, .owner = row->owner,
		.action = action, .resource = resource
	};

	note(&refusal);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for API key \"%s\"", row->id),
			 reason == SP_REFUSED_STAGE ? errdetail("It is a key for the stage %s.", sp_key_stage_name(row->stage)) :
			 reason == SP_REFUSED_CREATOR ? errdetail("The role that made it may not do this.") :
			 errdetail("None of its scopes covers this."),
			 reason != SP_REFUSED_SCOPE ? 0 :
			 errhint("smartpouch.verify_api_key() returns its scopes; one for a model is written like predict:model/motion.")));
}

void
sp_key_take_from_limits(const SpApiKeyRow *row)
{
	SpLimitRule rule = {.rate = row->rate_limit, .burst = row->burst, .quota = row->quota};
	SpLimitVerdict verdict = sp_limit_take(row->id, row->chain, &rule, row->owner);
	SpRefusal	refusal = {
		.reason = verdict.outcome == SP_LIMIT_QUOTA ? SP_REFUSED_QUOTA : SP_REFUSED_RATE,
		.key_id = row->id, .key_exists = true, .owner = row->owner
	};

	if (likely(verdict.outcome == SP_LIMIT_OK))
		return;
	sp_metrics_limited(verdict.outcome == SP_LIMIT_QUOTA ? SP_LIMITED_QUOTA :
					   verdict.of_owner ? SP_LIMITED_OWNER : SP_LIMITED_KEY);
	note(&refusal);
	sp_limit_raise(&verdict, row->id);
}

void
sp_key_find_row(const char *id, SpApiKeyRow *row)
{
	if (sp_key_id_is_valid(id, strlen(id)) && sp_registry_api_key_at(id, row) && strcmp(row->id, id) == 0)
		return;
	/* it may be a whole key, which an error must not show */
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("there is no API key with that id"),
			 errhint("The view smartpouch.api_keys lists the ids; an id is 12 of a key's characters, between its second and third underscore.")));
}

void
sp_key_refuse_in(SpStr text, const char *what)
{
	if (sp_has_token(text.data, text.size))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must not have an API key in it", what),
				 errhint("Who may read about keys can read it; if the key is a real one, revoke it.")));
}

void
sp_key_check_owner(const char *owner)
{
	Size		size = strlen(owner);

	if (size == 0 || size >= SP_KEY_OWNER_SIZE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the owner of a key has 1 to %d bytes", SP_KEY_OWNER_SIZE - 1)));
	sp_key_refuse_in((SpStr) {owner, size}, "an owner");
}
