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

#include "utils/timestamp.h"

#include "auth/sp_audit.h"

/* Bounds that tables check. */
#define SP_LIMIT_RATE_MOST 1000000
#define SP_LIMIT_QUOTA_MOST INT64CONST(1000000000000)

/* Zero means that there is no such limit. */
typedef struct SpLimitRule
{
	int32		rate;			/* requests per second, up to SP_LIMIT_RATE_MOST */
	int32		burst;			/* requests at once, up to that too; 0 with a rate: as many as the rate */
	int64		quota;			/* requests per month, up to SP_LIMIT_QUOTA_MOST */
} SpLimitRule;

typedef enum SpLimitOutcome
{
	SP_LIMIT_OK,
	SP_LIMIT_RATE,
	SP_LIMIT_QUOTA,
	SP_LIMIT_NO_ROOM			/* more keys and owners at a time than smartpouch.max_tracked_keys: fails closed */
} SpLimitOutcome;

typedef struct SpLimitVerdict
{
	SpLimitOutcome outcome;
	bool		of_owner;		/* the owner's limit, not the key's */
	int64		wait_ms;		/* until the same call would pass, at least 1; 0 for SP_LIMIT_OK */
} SpLimitVerdict;

/* For whoever sets a limit: 55000 with a hint to preload unless there is shared memory to hold it. */
extern void sp_limit_require(void);

/*
 * Count one call with a key that has been verified, and take it from the
 * limits of the key and of its owner.  What is refused takes from none of them.
 *
 * chain is the id of the first key of a chain of rotations, which has the
 * limits; so rotating gives no second burst.  rule is the key's; NULL or zeros
 * for none.  owner has at most 255 bytes; the owner's rule is looked up here
 * (table owner_limit), under the latest snapshot.
 *
 * Without shared memory a key or owner with a limit raises 55000: no limit
 * is skipped in silence.  Does not raise for a limit that is reached: call
 * sp_audit_refusal and then sp_limit_raise, or say it otherwise.
 */
extern SpLimitVerdict sp_limit_take(const char *key_id, const char *chain, const SpLimitRule *rule,
									const char *owner);

/* 53400 with the time to wait in the detail. */
extern void sp_limit_raise(const SpLimitVerdict *verdict, const char *key_id) SP_NORETURN;

/* Nanoseconds on a clock that all processes share and that never goes back. */
extern uint64 sp_limit_clock(void);

/* ---- sp_limit_rules.c: limits of owners ---- */

/* Of an owner, zeros for none; remembered until the table changes. */
extern SpLimitRule sp_limit_of_owner(const char *owner);

/* 42501, 55000 without shared memory; NULL drops the limit, 42704 if there is none. */
extern void sp_limit_set_owner(const char *owner, const SpLimitRule *rule);

/* ---- sp_limit_flush.c: for the background worker ---- */

/* Add what was counted in this database to its tables; then, after the commit, note that. */
extern void sp_limit_write(const SpWrite *write);
extern void sp_limit_written(void);

/* What the table says was used by kind and name in a month, by the latest snapshot. */
extern int64 sp_limit_used(char kind, const char *name, uint32 month);

#endif
