/*
 * src/cache/sp_shared_cache.c
 *
 * A control block of slots, each for one image in a dynamic segment of its
 * own, and not one shared heap (dsa.h) for all: such a heap never gives the
 * memory of a large object back.  On PostgreSQL 15, after three images of
 * 50 MB were freed and the heap trimmed, all 151 MB stayed in /dev/shm;
 * segments leave nothing there.  An image is contiguous either way, and a
 * worker maps the ones it uses and no others.  What it costs is one of the
 * server's segments for each image (64 and 5 for each connection); the number
 * of slots keeps most of them for others.
 *
 * Locks:
 * - The control block's lock protects every field of it and of the slots that is not
 *   atomic: shared to look, exclusive to change.  Nothing that can raise, wait
 *   or take long happens under it; segments are made, filled, mapped and freed
 *   outside.
 * - A slot's use is its generation (upper half, odd while it has an image) and
 *   its pins (lower half).  Pinning adds 1 if the generation is still the one
 *   that was seen, without a lock.  Freeing, under the exclusive lock, changes
 *   (generation, 0) to (generation + 1, 0) at once: it fails while there are
 *   pins, and no pin can follow it.
 * - A slot LOADING belongs to the session that claimed it.  Others wait on
 *   the condition variable loaded; the claim ends with sp_shared_publish or
 *   sp_shared_give_up, on errors and when the process exits, and either wakes
 *   them.  They wait for a time only: the session that loads may itself wait
 *   for a heavyweight lock of theirs, which the deadlock detector cannot see.
 *   One makes it and the others wait, because after a restart all sessions
 *   of a server want the same model, each at several times its size.
 * - A pin belongs to a process, which gives it back when the statement ends
 *   and at the latest before it leaves shared memory.  A process that is
 *   killed takes the whole of shared memory with it.
 * - No LWLock may be held by the caller; interrupts held off are taken as
 *   a sign of one, and nothing is shared then.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "cache/sp_shared_internal.h"
#include "server/sp_metrics.h"

#define WAIT_MS 5000
#define WAIT_BYTES_PER_MS (20 * 1024)

SpSharedProcess sp_shared = {.claimed = -1};

static void
init_control(void *block)
{
	SpSharedControl *fresh = block;

	memset(fresh, 0, sizeof(*fresh));
	fresh->tranche = LWLockNewTrancheId();
	LWLockInitialize(&fresh->lock, fresh->tranche);
	LWLockInitialize(&fresh->shadow_lock, fresh->tranche);
	ConditionVariableInit(&fresh->loaded);
	pg_atomic_init_u64(&fresh->changes, 1);
	pg_atomic_init_u64(&fresh->registry_changes, 1);
	for (int i = 0; i < SP_SHARED_SLOTS; i++)
	{
		pg_atomic_init_u64(&fresh->slots[i].use, 0);
		pg_atomic_init_u64(&fresh->slots[i].hits, 0);
		pg_atomic_init_u64(&fresh->slots[i].last_used, 0);
		pg_atomic_init_u64(&fresh->slots[i].checked[0], 0);
		pg_atomic_init_u64(&fresh->slots[i].checked[1], 0);
		pg_atomic_init_u64(&fresh->slots[i].checked_at[0], 0);
		pg_atomic_init_u64(&fresh->slots[i].checked_at[1], 0);
	}
}

void
sp_shared_init(void)
{
	sp_shared_control_request(sizeof(SpSharedControl), init_control);
}

/* Unpinning of call sites that are torn down later does nothing. */
static void
leave(int code, Datum argument)
{
	(void) code;
	(void) argument;
	sp_shared_give_up();
	for (int i = 0; i < SP_SHARED_SLOTS; i++)
		if (sp_shared.pinned[i])
			pg_atomic_fetch_sub_u64(&sp_shared.control->slots[i].use, 1);
	sp_shared.exiting = true;
}

bool
sp_shared_available(void)
{
	if (sp_shared.control == NULL && (sp_shared.control = sp_shared_control()) != NULL)
	{
		LWLockRegisterTranche(sp_shared.control->tranche, "smartpouch");
		before_shmem_exit(leave, (Datum) 0);
	}
	return sp_shared.control != NULL && !sp_shared.exiting && InterruptHoldoffCount == 0;
}

static SpSharedSlot *
find_slot(Oid database, const uint8 *program)
{
	for (int i = 0; i < SP_SHARED_SLOTS; i++)
	{
		SpSharedSlot *slot = &sp_shared.control->slots[i];

		if (slot->phase != SP_SLOT_FREE && slot->database == database &&
			slot->layout == SP_IMAGE_VERSION &&
			memcmp(slot->program, program, SP_SHA256_SIZE) == 0)
			return slot;
	}
	return NULL;
}

bool
sp_shared_is_there(const SpSharedImage *shared)
{
	return sp_shared_generation_of(&sp_shared.control->slots[shared->slot]) == shared->generation;
}

bool
sp_shared_pin(const SpSharedImage *shared)
{
	SpSharedSlot *slot = &sp_shared.control->slots[shared->slot];
	uint64		use = pg_atomic_read_u64(&slot->use);

	if (sp_shared.exiting)
		return false;
	do
	{
		if ((uint32) (use >> 32) != shared->generation)
			return false;
	} while (!pg_atomic_compare_exchange_u64(&slot->use, &use, use + 1));
	sp_shared.pinned[shared->slot] = true;
	pg_atomic_fetch_add_u64(&slot->hits, 1);
	pg_atomic_write_u64(&slot->last_used, (uint64) GetCurrentStatementStartTimestamp());
	return true;
}

void
sp_shared_unpin(const SpSharedImage *shared)
{
	if (sp_shared.exiting)
		return;
	Assert(sp_shared.pinned[shared->slot]);
	sp_shared.pinned[shared->slot] = false;
	pg_atomic_fetch_sub_u64(&sp_shared.control->slots[shared->slot].use, 1);
}

void
sp_shared_detach(SpSharedImage *shared)
{
	if (shared->segment != NULL && !sp_shared.exiting)
		dsm_detach(shared->segment);
	shared->segment = NULL;
}

/* Under the exclusive lock.  False while the slot is pinned or being filled. */
static bool
free_slot(SpSharedSlot *slot, dsm_handle *handle)
{
	uint64		use = (uint64) sp_shared_generation_of(slot) << 32;

	if (slot->phase == SP_SLOT_LOADING)
		return false;
	*handle = DSM_HANDLE_INVALID;
	if (slot->phase == SP_SLOT_READY)
	{
		if (!pg_atomic_compare_exchange_u64(&slot->use, &use, use + (UINT64CONST(1) << 32)))
			return false;
		*handle = slot->handle;
		sp_shared.control->bytes -= slot->bytes;
	}
	slot->phase = SP_SLOT_FREE;
	slot->bytes = 0;
	return true;
}

SpSharedSlot *
sp_shared_free_oldest(bool with_image, dsm_handle *handle)
{
	bool		passed[SP_SHARED_SLOTS] = {false};

	for (;;)
	{
		int			oldest = -1;

		for (int i = 0; i < SP_SHARED_SLOTS; i++)
		{
			SpSharedSlot *slot = &sp_shared.control->slots[i];

			if (passed[i] || slot->phase == SP_SLOT_FREE || slot->phase == SP_SLOT_LOADING ||
				(with_image && slot->phase != SP_SLOT_READY))
				continue;
			if (oldest < 0 || pg_atomic_read_u64(&slot->last_used) <
				pg_atomic_read_u64(&sp_shared.control->slots[oldest].last_used))
				oldest = i;
		}
		if (oldest < 0)
			return NULL;
		if (free_slot(&sp_shared.control->slots[oldest], handle))
			return &sp_shared.control->slots[oldest];
		passed[oldest] = true;
	}
}

void
sp_shared_changed(dsm_handle freed)
{
	if (freed != DSM_HANDLE_INVALID)
	{
		dsm_unpin_segment(freed);
		sp_metrics_cache_eviction();
	}
	pg_atomic_fetch_add_u64(&sp_shared.control->changes, 1);
}

/* One look under the lock: READY is pinned, LOADING is somebody else's, REFUSED includes all that is private. */
static SpSharedPhase
look(const uint8 *program, bool may_claim, SpSharedImage *shared, dsm_handle *handle)
{
	SpSharedPhase phase = SP_SLOT_REFUSED;
	dsm_handle	freed = DSM_HANDLE_INVALID;
	SpSharedSlot *slot;

	LWLockAcquire(&sp_shared.control->lock, may_claim ? LW_EXCLUSIVE : LW_SHARED);
	slot = find_slot(MyDatabaseId, program);
	if (slot != NULL && slot->phase == SP_SLOT_READY)
	{
		phase = SP_SLOT_READY;
		shared->slot = (int) (slot - sp_shared.control->slots);
		shared->generation = sp_shared_generation_of(slot);
		*handle = slot->handle;
		if (!sp_shared_pin(shared))
			phase = SP_SLOT_REFUSED;
	}
	else if (slot != NULL && slot->phase == SP_SLOT_LOADING)
		phase = SP_SLOT_LOADING;
	else if (may_claim && sp_shared_claim(slot, program, &freed))
		phase = SP_SLOT_FREE;
	LWLockRelease(&sp_shared.control->lock);
	if (freed != DSM_HANDLE_INVALID)
		sp_shared_changed(freed);
	return phase;
}

static bool
attach(SpSharedImage *shared, dsm_handle handle)
{
	const SpImage *image;

	shared->segment = sp_dsm_attach_quietly(handle);
	if (shared->segment == NULL)
	{
		sp_shared_unpin(shared);
		return false;
	}
	/* its maker has verified the checksum */
	image = dsm_segment_address(shared->segment);
	if (image->magic != SP_IMAGE_MAGIC || image->version != SP_IMAGE_VERSION ||
		image->size > dsm_segment_map_length(shared->segment))
	{
		sp_shared_unpin(shared);
		sp_shared_detach(shared);
		return false;
	}
	shared->image = image;
	return true;
}

SpSharedFind
sp_shared_find(const uint8 *program, int64 bytes, bool may_claim, SpSharedImage *shared)
{
	TimestampTz until = 0;
	dsm_handle	handle;
	SpSharedPhase phase = look(program, false, shared, &handle);

	if (may_claim && phase == SP_SLOT_REFUSED)
		phase = look(program, true, shared, &handle);
	while (may_claim && phase == SP_SLOT_LOADING)
	{
		TimestampTz now = GetCurrentTimestamp();

		if (until == 0)
			until = TimestampTzPlusMilliseconds(now, WAIT_MS + bytes / WAIT_BYTES_PER_MS);
		if (now >= until)
			break;
		(void) ConditionVariableTimedSleep(&sp_shared.control->loaded, TimestampDifferenceMilliseconds(now, until),
										   PG_WAIT_EXTENSION);
		phase = look(program, true, shared, &handle);
	}
	if (until != 0)
		ConditionVariableCancelSleep();
	if (phase == SP_SLOT_FREE)
		return SP_SHARED_CLAIMED;
	return phase == SP_SLOT_READY && attach(shared, handle) ? SP_SHARED_FOUND : SP_SHARED_PRIVATE;
}

SpSharedEvicted
sp_shared_evict(Oid database, const uint8 *program)
{
	SpSharedEvicted result = SP_SHARED_ABSENT;
	dsm_handle	freed = DSM_HANDLE_INVALID;
	SpSharedSlot *slot;

	LWLockAcquire(&sp_shared.control->lock, LW_EXCLUSIVE);
	slot = find_slot(database, program);
	if (slot != NULL && !free_slot(slot, &freed))
		result = SP_SHARED_IN_USE;
	else if (freed != DSM_HANDLE_INVALID)
		result = SP_SHARED_EVICTED;
	LWLockRelease(&sp_shared.control->lock);
	if (result == SP_SHARED_EVICTED)
		sp_shared_changed(freed);
	return result;
}

/* What is pinned goes with the first look at all images after the pins; see sp_shared_sweep.h. */
void
sp_shared_forget(Oid database)
{
	for (int i = 0; sp_shared.control != NULL && !sp_shared.exiting && i < SP_SHARED_SLOTS; i++)
	{
		SpSharedSlot *slot = &sp_shared.control->slots[i];
		dsm_handle	freed = DSM_HANDLE_INVALID;

		LWLockAcquire(&sp_shared.control->lock, LW_EXCLUSIVE);
		if (slot->phase != SP_SLOT_FREE && slot->database == database && !free_slot(slot, &freed))
			slot->database = InvalidOid;
		LWLockRelease(&sp_shared.control->lock);
		if (freed != DSM_HANDLE_INVALID)
			sp_shared_changed(freed);
	}
	sp_shared_registry_changed();
}
