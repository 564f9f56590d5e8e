/*
 * src/auth/sp_limit.c
 */
#include "server/sp_compat.h"

#include "auth/sp_limit.h"

bool
sp_limit_available(void)
{
	return false;
}

void
sp_limit_require(void)
{
	if (!sp_limit_available())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("limits of API keys need shared memory"),
				 errhint("Add smartpouch to shared_preload_libraries and restart the server.")));
}

static bool
has_limit(const SpLimitRule *rule)
{
	return rule != NULL && (rule->rate > 0 || rule->quota > 0);
}

SpLimitVerdict
sp_limit_take(const char *key_id, const char *chain, const SpLimitRule *rule, const char *owner)
{
	(void) key_id;
	(void) chain;
	(void) owner;
	if (has_limit(rule))
		sp_limit_require();
	return (SpLimitVerdict) {.outcome = SP_LIMIT_OK};
}

void
sp_limit_raise(const SpLimitVerdict *verdict, const char *key_id)
{
	const char *whose = verdict->of_owner ? "the owner of " : "";

	if (verdict->outcome == SP_LIMIT_QUOTA)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("the month's quota of %sAPI key \"%s\" is used up", whose, key_id),
				 errdetail("It begins anew in %lld ms.", (long long) verdict->wait_ms)));
	ereport(ERROR,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("too many requests with %sAPI key \"%s\"", whose, key_id),
			 errdetail("The next one passes in %lld ms.", (long long) verdict->wait_ms)));
}
