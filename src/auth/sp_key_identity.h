/*
 * src/auth/sp_key_identity.h
 *
 * The key that a transaction is authenticated with.
 *
 * It is kept in this process, where no SQL can write, from authenticate() until
 * the transaction ends or rolls back to a savepoint before the call; so it is
 * nobody else's in a session that a pooler gives to the next one.  A transaction
 * has one key: what runs later in it cannot put another in its place.  Parallel
 * workers have none.
 */
#ifndef SP_KEY_IDENTITY_H
#define SP_KEY_IDENTITY_H

#include "server/sp_compat.h"

#include "registry/sp_registry_api_key.h"

/* Once per process, from _PG_init. */
extern void sp_key_identity_init(void);

/* A key that was just verified; 28000 when the transaction has another. */
extern void sp_key_identity_set(const SpApiKeyRow *row);

/*
 * The key, as its row is now; NULL for none, or when it is no longer good: expired,
 * revoked, changed, on a standby that fell behind.
 */
extern const SpApiKeyRow *sp_key_identity(void);

#endif
