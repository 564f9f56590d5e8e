/*
 * src/cache/sp_shared_internal.h
 *
 * What the files of the shared cache share.  The protocol of locks heads
 * sp_shared_cache.c.
 */
#ifndef SP_SHARED_INTERNAL_H
#define SP_SHARED_INTERNAL_H

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"

#include "cache/sp_shadow_counts.h"
#include "cache/sp_shared_cache.h"

#define SP_SHARED_SLOTS 128

typedef struct SpSharedSlot
{
	SpSharedPhase phase;
	Oid			database;
	uint32		layout;			/* SP_IMAGE_VERSION */
	uint8		program[SP_SHA256_SIZE];
	dsm_handle	handle;
	Size		bytes;			/* counted in the control block, while READY or being filled */
	uint64		loads;
	TimestampTz refused_at;
	uint64		refused_changes;	/* the control block's changes then */
	pg_atomic_uint64 use;
	pg_atomic_uint64 hits;
	pg_atomic_uint64 last_used;
	pg_atomic_uint64 checked[2];	/* registry_changes at the last check, by other databases and by ours */
	pg_atomic_uint64 checked_at[2];	/* and when that was */
} SpSharedSlot;

typedef struct SpShadowSlot
{
	SpShadowKey key;
	SpShadowCounts counts;		/* last_at is 0 in a free slot */
} SpShadowSlot;

typedef struct SpSharedControl
{
	LWLock		lock;
	int			tranche;
	ConditionVariable loaded;
	pg_atomic_uint64 changes;
	pg_atomic_uint64 registry_changes;
	Size		bytes;
	SpSharedSlot slots[SP_SHARED_SLOTS];
	LWLock		shadow_lock;	/* of what follows: sp_shadow_counts.c */
	SpShadowSlot shadows[SP_SHADOWS];
} SpSharedControl;

/* What this process holds in the control block. */
typedef struct SpSharedProcess
{
	SpSharedControl *control;	/* NULL: there is none, or it was not asked for yet */
	bool		pinned[SP_SHARED_SLOTS];
	int			claimed;		/* number of a slot, or -1 */
	bool		exiting;
} SpSharedProcess;

extern SpSharedProcess sp_shared;

/*
 * Under the exclusive lock: free the least recently used slot of those that
 * have no pins; NULL if all have.  What freed names afterwards, if anything,
 * goes to sp_shared_changed.
 */
extern SpSharedSlot *sp_shared_free_oldest(bool with_image, dsm_handle *freed);

/* After the lock: give back the segment of a slot that was freed, if any, and tell all sessions. */
extern void sp_shared_changed(dsm_handle freed);

/* Under the exclusive lock: make slot (or another, if NULL) ours to fill, unless it was refused a moment ago. */
extern bool sp_shared_claim(SpSharedSlot *slot, const uint8 *program, dsm_handle *freed);

static inline uint32
sp_shared_generation_of(SpSharedSlot *slot)
{
	return (uint32) (pg_atomic_read_u64(&slot->use) >> 32);
}

#endif
