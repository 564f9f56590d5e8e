/*
 * src/server/sp_lock.h
 *
 * Locks of our own that wait in the server's lock table, where deadlocks are
 * found and pg_locks shows them (as advisory ones).  No role can take them: the functions
 * for advisory locks use classes 1 and 2.
 */
#ifndef SP_LOCK_H
#define SP_LOCK_H

#include "server/sp_compat.h"

#include "storage/lock.h"

typedef enum SpLockSpace
{
	SP_LOCK_BACKUPS,			/* numbers: SpBackupLock */
	SP_LOCK_NAMES,				/* of models, by a hash */
	SP_LOCK_BLOBS				/* by group, see sp_registry_drop.c */
} SpLockSpace;

/* What the lock is about; database InvalidOid: one for the whole server. */
extern void sp_lock_tag(LOCKTAG *tag, Oid database, SpLockSpace space, uint32 number);

/* Take a lock of this database until the transaction ends. */
extern void sp_lock(SpLockSpace space, uint32 number, LOCKMODE mode);

#endif
