/*
 * src/auth/sp_limit.h
 *
 * Limits of API keys and of their owners: requests per second, burst, and a
 * quota for each calendar month (UTC).
 *
 * They are kept in shared memory, so they need preload, are this server's own,
 * and a restart begins with full bursts.  Calls are counted there too; the
 * background worker writes counts to tables, so a crash or restart forgets
 * what was counted since the last time (smartpouch.flush_interval).
 */
#ifndef SP_LIMIT_H
#define SP_LIMIT_H

#include "server/sp_compat.h"

#include "auth/sp_audit.h"

/* Zero means that there is no such limit. */
typedef struct SpLimitRule
{
	int32		rate;			/* requests per second */
	int32		burst;			/* requests at once; 0 with a rate: as many as the rate */
	int64		quota;			/* requests per month */
} SpLimitRule;

typedef enum SpLimitOutcome
{
	SP_LIMIT_OK,
	SP_LIMIT_RATE,
	SP_LIMIT_QUOTA
} SpLimitOutcome;

typedef struct SpLimitVerdict
{
	SpLimitOutcome outcome;
	bool		of_owner;		/* the owner's limit, not the key's */
	int64		wait_ms;		/* until the same call would pass, at least 1; 0 for SP_LIMIT_OK */
} SpLimitVerdict;

/* Is there shared memory for limits? Without, create_api_key() with a limit should call sp_limit_require. */
extern bool sp_limit_available(void);

/* 55000 with a hint to preload unless sp_limit_available. */
extern void sp_limit_require(void);

/*
 * Count one call with a key that has been verified, and take it from the
 * limits of the key and of its owner.  What is refused takes from none of them.
 *
 * chain is the id of the first key of a chain of rotations, which has the
 * limits; so rotating gives no second burst.  rule is the key's; NULL or zeros
 * for none.  The owner's rule is looked up here (table owner_limit), under the
 * latest snapshot.
 *
 * Without shared memory a key or owner with a limit raises 55000: no limit
 * is skipped in silence.  Does not raise for a limit that is reached: call
 * sp_audit_refusal and then sp_limit_raise, or say it otherwise.
 */
extern SpLimitVerdict sp_limit_take(const char *key_id, const char *chain, const SpLimitRule *rule,
									const char *owner);

/* 53400 with the time to wait in the detail. */
extern void sp_limit_raise(const SpLimitVerdict *verdict, const char *key_id) SP_NORETURN;

#endif
