/*
 * src/auth/sp_key_write.h
 *
 * The life of API keys.
 *
 * Making one takes EXECUTE on the function, whose caller becomes the key's creator;
 * changing one takes the creator's role or the level admin (42501).  All raise
 * 42704 for an id that is nobody's, write an event of the audit, and
 * work on a logical subscriber too: keys are each server's own.
 */
#ifndef SP_KEY_WRITE_H
#define SP_KEY_WRITE_H

#include "server/sp_compat.h"

#include "registry/sp_registry_api_key.h"
#include "utils/timestamp.h"

typedef struct SpNewApiKey
{
	SpKeyStage	stage;
	const char *owner;
	ArrayType  *scopes;
	Interval   *expires_in;
	TimestampTz not_before;		/* 0: now */
	int32		rate_limit;		/* 0: none, as for the next two */
	int32		burst;
	int64		quota;
	const char *description;	/* or NULL */
	ArrayType  *tags;			/* text[] */
} SpNewApiKey;

/*
 * Put the new key into token.  22023 for what is no owner, scope, limit or time,
 * 42501 for scopes that are more than the caller may do, 55000 for limits without
 * shared memory, F0000 for a pepper file that cannot be used.
 */
extern void sp_key_create(const SpNewApiKey *key, char token[SP_KEY_TOKEN_SIZE]);

/*
 * A key in the place of another, for as long as that one was made for.  The other
 * ends with the grace, one that was replaced earlier ends now.  22023 for a negative
 * grace, 55000 for a key that has ended, was replaced or waits for adoption.
 */
extern void sp_key_rotate(const char *id, const Interval *grace, char token[SP_KEY_TOKEN_SIZE]);

extern void sp_key_revoke(const char *id, const char *reason);

/* 55000 for a key that is revoked. */
extern void sp_key_set_enabled(const char *id, bool enabled);

/* As for sp_key_create; bounded by the key's creator, not the caller. */
extern void sp_key_set_scopes(const char *id, ArrayType *scopes);

/*
 * Keys of other clusters and databases are good here; returns how many were not.
 * Those whose creator is no role of this cluster get creator.  42501 unless the
 * caller is an administrator and may be creator.
 */
extern int32 sp_key_adopt(Oid creator);

/* May the user see and change a key of that creator? */
extern bool sp_key_may_change(Oid user, Oid creator, const char *creator_cluster);

#endif
