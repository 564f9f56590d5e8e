/*
 * src/auth/sp_limit_counts.h
 *
 * What this server counts of API keys and of owners, in shared memory of fixed
 * size (smartpouch.max_tracked_keys).
 *
 * Words that calls change are atomic, and are changed under the shared lock of
 * the entry's partition, so calls with different keys meet in no cache line but
 * by chance (1 in SP_TRACKED_PARTITIONS).  The lock is there for removal: an
 * entry that is idle, with a full bucket and all counts in the tables, is no
 * different from one that is made anew, and goes when room is needed.
 */
#ifndef SP_LIMIT_COUNTS_H
#define SP_LIMIT_COUNTS_H

#include "server/sp_compat.h"

#include "port/atomics.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"

#include "auth/sp_audit.h"

#define SP_TRACKED_PARTITIONS 64
#define SP_TRACKED_NAME 256		/* bytes of a name and a zero byte */

/* kind of an entry, as the column of table quota_use has it */
#define SP_TRACKED_KEY 'k'
#define SP_TRACKED_OWNER 'o'

/* Of a name no more than its bytes up to the zero byte is looked at. */
typedef struct SpTrackedId
{
	Oid			database;
	char		kind;
	char		name[SP_TRACKED_NAME];
} SpTrackedId;

typedef struct SpTracked
{
	SpTrackedId id;
	pg_atomic_uint64 arrival;	/* base/sp_gcra.h */
	pg_atomic_uint64 quota;		/* there too */
	pg_atomic_uint64 calls;
	pg_atomic_uint64 last_call; /* TimestampTz */
	pg_atomic_uint32 refused[SP_N_REFUSALS];
	/* what is in the tables; of the background worker alone */
	uint64		written_quota;
	uint64		written_calls;
	uint32		written_refused[SP_N_REFUSALS];
} SpTracked;

/* Once per process, from _PG_init. */
extern void sp_tracked_init(void);

/* Is there the memory? */
extern bool sp_tracked_available(void);

/* Of this database; false if the name has more than SP_TRACKED_NAME - 1 bytes. */
extern bool sp_tracked_id(SpTrackedId *id, char kind, const char *name);

/*
 * The entry, under the shared lock that is put into *lock; NULL without a lock
 * if there is none, or, with make, no room for it.
 */
extern SpTracked *sp_tracked_lock(const SpTrackedId *id, bool make, LWLock **lock);

/* Note that something was not counted for lack of room. */
extern void sp_tracked_missed(void);

/* Entries, most of them that there may be, and when something was last missed, 0 for never. */
extern void sp_tracked_facts(int64 *entries, int64 *most, TimestampTz *missed_at);

/* ---- for the background worker ---- */

/* Databases with counts that are not in tables; at most room of them. */
extern int	sp_tracked_databases(Oid *databases, int room);

/* Those entries of this database that are not, copied to palloc'd memory. */
extern SpTracked *sp_tracked_unwritten(int *count);

/* They have been written as they were then. */
extern void sp_tracked_written(const SpTracked *rows, int count);

/* Forget the database. */
extern void sp_tracked_discard(Oid database);

#endif
