/*
 * src/auth/sp_audit_refusal.c
 */
#include "server/sp_compat.h"

#include "auth/sp_audit.h"
#include "base/sp_mask.h"

/* What is kept of a text that a caller has a say in. */
#define TEXT_SIZE 128

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

static void
copy_masked(char target[TEXT_SIZE], const char *text)
{
	strlcpy(target, text != NULL ? text : "", TEXT_SIZE);
	(void) sp_mask_tokens(target, strlen(target));
}

/* The statement may have the token as a literal. */
static void
write_log(const SpRefusal *refusal)
{
	char		action[TEXT_SIZE];
	char		resource[TEXT_SIZE];

	copy_masked(action, refusal->action);
	copy_masked(resource, refusal->resource);
	ereport(LOG_SERVER_ONLY,
			(errmsg("refused API key %s: %s", refusal->key_id != NULL ? refusal->key_id : "(none)",
					sp_refusal_name(refusal->reason)),
			 action[0] != '\0' ? errdetail_log("It asked for %s:%s.", action, resource) : 0,
			 errhidestmt(true), errhidecontext(true)));
}

void
sp_audit_refusal(const SpRefusal *refusal)
{
	write_log(refusal);
}
