/*
 * src/auth/sp_key_verify.h
 *
 * Is a key good?
 *
 * Every call reads the key's row in its latest committed state, so a revocation
 * holds from the moment when its transaction has ended, in open cursors and old
 * snapshots too.  The time that a call takes tells nothing of the secret, and an
 * id that is nobody's takes as long as one that is somebody's: its neighbour's
 * row is read, and the hashes are made and compared all the same.
 */
#ifndef SP_KEY_VERIFY_H
#define SP_KEY_VERIFY_H

#include "server/sp_compat.h"

#include "auth/sp_audit.h"
#include "registry/sp_registry_api_key.h"

typedef struct SpKeyVerdict
{
	bool		valid;
	SpRefusalReason reason;		/* unless valid */
	bool		known;			/* row is of the id; the secret may be wrong */
	char		id[SP_KEY_ID_SIZE]; /* as presented; empty for what is no key */
	SpApiKeyRow row;
} SpKeyVerdict;

/* NULL is no key. Raises F0000 for a pepper file that cannot be used, and nothing about the key. */
extern void sp_key_verify(const text *token, SpKeyVerdict *verdict);

/* Is a key whose secret has been shown good at this moment? */
extern bool sp_key_holds(const SpApiKeyRow *row, SpRefusalReason *reason);

/* Record that the key was refused. */
extern void sp_key_refused(const SpKeyVerdict *verdict);

/*
 * As that, and raise 28000, the same whatever is wrong with the key, for whoever has none
 * that is good learns nothing; 55000 for a standby that is too far behind.
 */
extern void sp_key_reject(const SpKeyVerdict *verdict) SP_NORETURN;

/*
 * Record that a key, good as such, is refused what it asks for, and raise 42501.
 * The request is not in the message: arguments may have secrets in them.
 */
extern void sp_key_forbid(const SpApiKeyRow *row, SpRefusalReason reason, const char *action,
						  const char *resource) SP_NORETURN;

/* Count a call with a key and take it from the limits of the key and its owner; 53400 when they are reached. */
extern void sp_key_take_from_limits(const SpApiKeyRow *row);

/* The row of an id; 42704. */
extern void sp_key_find_row(const char *id, SpApiKeyRow *row);

/* 22023 for a text that will be stored where others can read it, called what in the message, and has a key in it. */
extern void sp_key_refuse_in(SpStr text, const char *what);

/* 22023 for what cannot be the owner of a key. */
extern void sp_key_check_owner(const char *owner);

#endif
