/*
 * src/auth/sp_audit.h
 *
 * What happened to API keys, levels of access, gates and the ladder of stages,
 * and what was refused: table audit_event.
 *
 * An event is a row of the transaction that made it.  A refusal must outlive
 * the transaction that it ends, so it goes to the server log at once and, with
 * preload, to a ring in shared memory, from which the background worker
 * (ops/sp_worker.h) brings it to the table of its database.  No standby writes:
 * there it is the log alone.
 *
 * Nothing here is ever given a token or a part of its secret.  Texts that callers
 * have a say in pass through sp_mask_tokens all the same.
 */
#ifndef SP_AUDIT_H
#define SP_AUDIT_H

#include "server/sp_compat.h"

#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "base/sp_key_token.h"
#include "registry/sp_registry_internal.h"

/* ---- sp_audit.c: events ---- */

/* Once per process, from _PG_init. */
extern void sp_audit_init(void);

typedef struct SpAuditEvent
{
	const char *action;			/* create, rotate, revoke, enable, disable, scope, adopt, grant_access, ... */
	const char *key_id;			/* NULL: of no single key */
	const char *owner;			/* or NULL */
	const char *reason;			/* what the caller gave, or NULL */
	const Jsonb *detail;		/* before and after, or NULL */
} SpAuditEvent;

/* Between sp_write_begin and sp_write_end: add a row. */
extern void sp_audit_event(const SpWrite *write, const SpAuditEvent *event);

/* Events younger than this stay, whatever is asked for. */
#define SP_AUDIT_KEPT_DAYS 30

/*
 * Remove the events before a time and add one that says so; returns how many,
 * or would be.  42501 unless the caller administers the extension.
 */
extern int64 sp_audit_expire(TimestampTz before, bool dry_run);

/* Is sp_audit_expire removing rows now? For the trigger that refuses all others. */
extern bool sp_audit_expiring(void);

/* ---- sp_audit_refusal.c: refusals ---- */

/* Why a key or a call with it was refused; names are those of sp_refusal_name. */
typedef enum SpRefusalReason
{
	SP_REFUSED_MALFORMED,		/* no token, or the checksum is wrong */
	SP_REFUSED_UNKNOWN,			/* no such key, or the secret is wrong */
	SP_REFUSED_EXPIRED,
	SP_REFUSED_NOT_YET,			/* before not_before */
	SP_REFUSED_REVOKED,
	SP_REFUSED_DISABLED,
	SP_REFUSED_STAGE,			/* a key of another stage */
	SP_REFUSED_FOREIGN,			/* made in another cluster or database, and not adopted */
	SP_REFUSED_STALE,			/* a standby that is too far behind */
	SP_REFUSED_SCOPE,			/* not among its scopes */
	SP_REFUSED_CREATOR,			/* its creator's role may not, or no longer exists */
	SP_REFUSED_RATE,			/* too many requests */
	SP_REFUSED_QUOTA			/* the month's quota is used up */
} SpRefusalReason;

#define SP_N_REFUSALS (SP_REFUSED_QUOTA + 1)

typedef struct SpRefusal
{
	SpRefusalReason reason;
	const char *key_id;			/* as presented; NULL when the token was malformed */
	bool		key_exists;		/* key_id names a row: only then it is counted with the key */
	const char *owner;			/* of the key, or NULL */
	const char *action;			/* what was asked for, or NULL */
	const char *resource;		/* or NULL */
} SpRefusal;

/*
 * Call before raising, or instead of it.  Writes one line to the server log;
 * never raises, never writes a table.  Texts are cut to what the ring has room
 * for.  Outside of a transaction the roles are left out.
 */
extern void sp_audit_refusal(const SpRefusal *refusal);

/* malformed, unknown, expired, not_yet_valid, revoked, ... */
extern const char *sp_refusal_name(SpRefusalReason reason);

/* ---- sp_audit_flush.c: for the background worker ---- */

/* Bring the refusals of this database to its table; then, after the commit, forget them. */
extern void sp_audit_write(const SpWrite *write);
extern void sp_audit_written(void);

#endif
