/*
 * src/server/sp_lock.c
 */
#include "server/sp_compat.h"

#include "miscadmin.h"

#include "server/sp_lock.h"

#define LOCK_CLASS 0x5350

void
sp_lock_tag(LOCKTAG *tag, Oid database, SpLockSpace space, uint32 number)
{
	SET_LOCKTAG_ADVISORY(*tag, database, (uint32) space, number, LOCK_CLASS);
}

void
sp_lock(SpLockSpace space, uint32 number, LOCKMODE mode)
{
	LOCKTAG		tag;

	sp_lock_tag(&tag, MyDatabaseId, space, number);
	(void) LockAcquire(&tag, mode, false, false);
}
