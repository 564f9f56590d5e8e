/*
 * src/server/sp_drift_counts.c
 *
 * The lock protects keys: exclusive to give a slot to another baseline, and at
 * least shared to add to cells.  Whoever has it exclusively adds as to any
 * number, which takes a third of the time; those who share it add atomically.
 * Only sampled rows come here.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "server/sp_drift_counts.h"
#include "server/sp_shared_area.h"

typedef struct Slot
{
	SpDriftKey	key;			/* database is InvalidOid in a free slot */
	TimestampTz began;
	int			n_cells;
	pg_atomic_uint64 last_at;
	pg_atomic_uint64 rows;
	pg_atomic_uint64 cells[SP_DRIFT_CELLS];
} Slot;

typedef struct Store
{
	LWLock		lock;
	int			tranche;
	Slot		slots[SP_DRIFT_SLOTS];
} Store;

static Size
store_size(void)
{
	return sizeof(Store);
}

static void
clear(Slot *slot)
{
	pg_atomic_init_u64(&slot->last_at, 0);
	pg_atomic_init_u64(&slot->rows, 0);
	for (int i = 0; i < SP_DRIFT_CELLS; i++)
		pg_atomic_init_u64(&slot->cells[i], 0);
}

static void
init_store(void *block)
{
	Store	   *store = block;

	memset(store, 0, sizeof(*store));
	store->tranche = LWLockNewTrancheId();
	LWLockInitialize(&store->lock, store->tranche);
	for (int i = 0; i < SP_DRIFT_SLOTS; i++)
		clear(&store->slots[i]);
}

static SpSharedArea area = {
	.name = "smartpouch drift", .size = store_size, .init = init_store
};

static Store *
attach(void)
{
	static bool registered = false;
	Store	   *store = area.block;

	if (store != NULL && !registered)
		LWLockRegisterTranche(store->tranche, "smartpouch drift");
	registered = store != NULL;
	return store;
}

void
sp_drift_counts_init(void)
{
	sp_shared_area_request(&area);
}

bool
sp_drift_counts_available(void)
{
	return area.block != NULL && MyProc != NULL;
}

static bool
is_of(const Slot *slot, const SpDriftKey *key)
{
	return memcmp(&slot->key, key, sizeof(*key)) == 0;
}

/* Under the exclusive lock: the slot of key, perhaps one that was used longest ago. */
static int
take(Store *store, const SpDriftKey *key, int n_cells)
{
	Slot	   *oldest = &store->slots[0];

	for (int i = 0; i < SP_DRIFT_SLOTS; i++)
	{
		if (is_of(&store->slots[i], key))
			return i;
		if (pg_atomic_read_u64(&store->slots[i].last_at) < pg_atomic_read_u64(&oldest->last_at))
			oldest = &store->slots[i];
	}
	clear(oldest);
	oldest->key = *key;
	oldest->began = GetCurrentTimestamp();
	oldest->n_cells = n_cells;
	pg_atomic_write_u64(&oldest->last_at, (uint64) oldest->began);
	return (int) (oldest - store->slots);
}

static inline void
increment(pg_atomic_uint64 *count, bool is_alone)
{
	if (is_alone)
		pg_atomic_write_u64(count, pg_atomic_read_u64(count) + 1);
	else
		pg_atomic_fetch_add_u64(count, 1);
}

void
sp_drift_count(const SpDriftKey *key, int n_cells, int *number, const uint16 *cells, int count)
{
	Store	   *store = attach();
	bool		is_alone = LWLockConditionalAcquire(&store->lock, LW_EXCLUSIVE);
	Slot	   *slot;

	if (!is_alone)
		LWLockAcquire(&store->lock, LW_SHARED);
	if (*number < 0 || !is_of(&store->slots[*number], key))
	{
		if (!is_alone)
		{
			LWLockRelease(&store->lock);
			LWLockAcquire(&store->lock, LW_EXCLUSIVE);
			is_alone = true;
		}
		*number = take(store, key, n_cells);
	}
	slot = &store->slots[*number];
	for (int i = 0; i < count; i++)
		increment(&slot->cells[cells[i]], is_alone);
	increment(&slot->rows, is_alone);
	pg_atomic_write_u64(&slot->last_at, (uint64) GetCurrentStatementStartTimestamp());
	LWLockRelease(&store->lock);
}

bool
sp_drift_counts_next(Oid database, int *i, SpDriftCounts *counts)
{
	Store	   *store = attach();
	bool		found = false;

	LWLockAcquire(&store->lock, LW_SHARED);
	for (; !found && *i < SP_DRIFT_SLOTS; (*i)++)
	{
		Slot	   *slot = &store->slots[*i];

		found = slot->key.database == database;
		if (!found)
			continue;
		counts->key = slot->key;
		counts->began = slot->began;
		counts->rows = pg_atomic_read_u64(&slot->rows);
		counts->n_cells = slot->n_cells;
		for (int cell = 0; cell < slot->n_cells; cell++)
			counts->cells[cell] = pg_atomic_read_u64(&slot->cells[cell]);
	}
	LWLockRelease(&store->lock);
	return found;
}
