/*
 * src/auth/sp_audit_ring.c
 *
 * An array in order of arrival under one lock.  Refusals are rare next to
 * calls, or an attack that may well wait for each other; the lock is held for
 * a copy of one entry, by the worker for one of all.
 */
#include "server/sp_compat.h"

#include "miscadmin.h"
#include "storage/lwlock.h"

#include "auth/sp_audit_ring.h"
#include "server/sp_shared_area.h"

/* What a database has lost and its table does not tell of; free at 0. */
typedef struct Loser
{
	Oid			database;
	uint64		lost;
} Loser;

typedef struct Ring
{
	LWLock		lock;			/* of all that follows */
	int			tranche;
	Latch	   *reader;
	uint64		next;			/* number of the next entry */
	uint64		lost;
	TimestampTz lost_at;
	Loser		losers[SP_AUDIT_LOSERS];
	int			count;
	SpAuditEntry entries[SP_AUDIT_RING];
} Ring;

static Ring *ring = NULL;

static Size
size_of_ring(void)
{
	return sizeof(Ring);
}

static void
init_ring(void *block)
{
	Ring	   *new = block;

	memset(new, 0, sizeof(Ring));
	new->next = 1;
	new->tranche = LWLockNewTrancheId();
	LWLockInitialize(&new->lock, new->tranche);
}

static void start_ring(void);

static SpSharedArea area = {
	.name = "smartpouch refusals", .size = size_of_ring, .init = init_ring, .start = start_ring
};

static void
start_ring(void)
{
	ring = area.block;
	LWLockRegisterTranche(ring->tranche, "smartpouch_refusals");
}

void
sp_audit_ring_init(void)
{
	sp_shared_area_request(&area);
}

bool
sp_audit_ring_available(void)
{
	return ring != NULL;
}

/* The loser's place, or with make a free one; NULL if there is none. */
static Loser *
find_loser(Oid database, bool make)
{
	Loser	   *unused = NULL;

	for (int i = 0; i < SP_AUDIT_LOSERS; i++)
	{
		Loser	   *loser = &ring->losers[i];

		if (loser->lost > 0 && loser->database == database)
			return loser;
		if (loser->lost == 0 && unused == NULL)
			unused = loser;
	}
	if (!make || unused == NULL)
		return NULL;
	unused->database = database;
	return unused;
}

static void
count_lost(Oid database)
{
	Loser	   *loser = find_loser(database, true);

	ring->lost++;
	ring->lost_at = GetCurrentTimestamp();
	if (loser != NULL)
		loser->lost++;
}

void
sp_audit_ring_put(const SpAuditEntry *entry)
{
	Latch	   *reader;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	if (ring->count < SP_AUDIT_RING)
	{
		ring->entries[ring->count] = *entry;
		ring->entries[ring->count].number = ring->next++;
		ring->count++;
	}
	else
		count_lost(entry->database);
	reader = ring->count == SP_AUDIT_RING / 2 ? ring->reader : NULL;
	LWLockRelease(&ring->lock);
	if (reader != NULL)
		SetLatch(reader);
}

void
sp_audit_ring_facts(int64 *entries, uint64 *lost, TimestampTz *lost_at)
{
	*entries = 0;
	*lost = 0;
	*lost_at = 0;
	if (ring == NULL)
		return;
	LWLockAcquire(&ring->lock, LW_SHARED);
	*entries = ring->count;
	*lost = ring->lost;
	*lost_at = ring->lost_at;
	LWLockRelease(&ring->lock);
}

void
sp_audit_ring_set_reader(Latch *reader)
{
	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	ring->reader = reader;
	LWLockRelease(&ring->lock);
}

static int
add_database(Oid *databases, int count, int room, Oid database)
{
	for (int i = 0; i < count; i++)
		if (databases[i] == database)
			return count;
	if (count < room)
		databases[count++] = database;
	return count;
}

int
sp_audit_ring_databases(Oid *databases, int room)
{
	int			count = 0;

	LWLockAcquire(&ring->lock, LW_SHARED);
	for (int i = 0; i < ring->count; i++)
		count = add_database(databases, count, room, ring->entries[i].database);
	for (int i = 0; i < SP_AUDIT_LOSERS; i++)
		if (ring->losers[i].lost > 0)
			count = add_database(databases, count, room, ring->losers[i].database);
	LWLockRelease(&ring->lock);
	return count;
}

/* Memory first: nothing may raise under the lock. */
SpAuditEntry *
sp_audit_ring_copy(int *count, uint64 *lost)
{
	SpAuditEntry *copy = palloc(sizeof(ring->entries));
	Loser	   *loser;

	*count = 0;
	LWLockAcquire(&ring->lock, LW_SHARED);
	for (int i = 0; i < ring->count; i++)
		if (ring->entries[i].database == MyDatabaseId)
			copy[(*count)++] = ring->entries[i];
	loser = find_loser(MyDatabaseId, false);
	*lost = loser != NULL ? loser->lost : 0;
	LWLockRelease(&ring->lock);
	return copy;
}

void
sp_audit_ring_remove(Oid database, uint64 number, uint64 lost)
{
	int			kept = 0;
	Loser	   *loser;

	LWLockAcquire(&ring->lock, LW_EXCLUSIVE);
	for (int i = 0; i < ring->count; i++)
		if (ring->entries[i].database != database || ring->entries[i].number > number)
			ring->entries[kept++] = ring->entries[i];
	ring->count = kept;
	loser = find_loser(database, false);
	if (loser != NULL)
		loser->lost -= Min(lost, loser->lost);
	LWLockRelease(&ring->lock);
}

void
sp_audit_ring_discard(Oid database)
{
	sp_audit_ring_remove(database, PG_UINT64_MAX, PG_UINT64_MAX);
}
