/*
 * src/cache/sp_shared_cache.c
 *
 * A control block of slots, each for one image in a dynamic segment of its
 * own.  A segment for each image, and no shared heap over all of them, because
 * such a heap never gives the pages of a large object back to the operating
 * system; the number of slots keeps most of the server's segments for others.
 *
 * Locks:
 * - control->lock protects every field of control and slots that is not
 *   atomic: shared to look, exclusive to change.  Nothing that can raise, wait
 *   or take long happens under it; segments are made, filled, mapped and freed
 *   outside.
 * - A slot's use is its generation (upper half, odd while it has an image) and
 *   its pins (lower half).  Pinning adds 1 if the generation is still the one
 *   that was seen, without a lock.  Freeing, under the exclusive lock, changes
 *   (generation, 0) to (generation + 1, 0) at once: it fails while there are
 *   pins, and no pin can follow it.
 * - A slot LOADING belongs to the session that claimed it.  Others wait on
 *   control->loaded; the claim ends with sp_shared_publish or
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
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "cache/sp_shared_cache.h"
#include "server/sp_guc.h"

#define N_SLOTS 128
#define REFUSAL_US (60 * INT64CONST(1000000))
#define WAIT_MS 5000
#define WAIT_BYTES_PER_MS (20 * 1024)

typedef struct Slot
{
	SpSharedPhase phase;
	Oid			database;
	uint32		layout;			/* SP_IMAGE_VERSION */
	uint8		program[SP_SHA256_SIZE];
	dsm_handle	handle;
	Size		bytes;			/* counted in control->bytes, while READY or being filled */
	uint64		loads;
	TimestampTz refused_at;
	uint64		refused_changes;	/* control->changes then */
	pg_atomic_uint64 use;
	pg_atomic_uint64 hits;
	pg_atomic_uint64 last_used;
	pg_atomic_uint64 checked[2];	/* registry_changes at the last check, by other databases and by ours */
} Slot;

typedef struct Control
{
	LWLock		lock;
	int			tranche;
	ConditionVariable loaded;
	pg_atomic_uint64 changes;
	pg_atomic_uint64 registry_changes;
	Size		bytes;
	Slot		slots[N_SLOTS];
} Control;

/* What this process holds in the control block. */
static Control *control = NULL;
static bool pinned[N_SLOTS];
static int	claimed = -1;
static bool exiting = false;

static void
init_control(void *block)
{
	Control    *fresh = block;

	memset(fresh, 0, sizeof(*fresh));
	fresh->tranche = LWLockNewTrancheId();
	LWLockInitialize(&fresh->lock, fresh->tranche);
	ConditionVariableInit(&fresh->loaded);
	pg_atomic_init_u64(&fresh->changes, 1);
	pg_atomic_init_u64(&fresh->registry_changes, 1);
	for (int i = 0; i < N_SLOTS; i++)
	{
		pg_atomic_init_u64(&fresh->slots[i].use, 0);
		pg_atomic_init_u64(&fresh->slots[i].hits, 0);
		pg_atomic_init_u64(&fresh->slots[i].last_used, 0);
		pg_atomic_init_u64(&fresh->slots[i].checked[0], 0);
		pg_atomic_init_u64(&fresh->slots[i].checked[1], 0);
	}
}

void
sp_shared_init(void)
{
	sp_shared_control_request(sizeof(Control), init_control);
}

/* Unpinning of call sites that are torn down later does nothing. */
static void
leave(int code, Datum argument)
{
	(void) code;
	(void) argument;
	sp_shared_give_up();
	for (int i = 0; i < N_SLOTS; i++)
		if (pinned[i])
			pg_atomic_fetch_sub_u64(&control->slots[i].use, 1);
	exiting = true;
}

bool
sp_shared_available(void)
{
	if (control == NULL && (control = sp_shared_control()) != NULL)
	{
		LWLockRegisterTranche(control->tranche, "smartpouch");
		before_shmem_exit(leave, (Datum) 0);
	}
	return control != NULL && !exiting && InterruptHoldoffCount == 0;
}

uint64
sp_shared_changes(void)
{
	return control != NULL && !exiting ? pg_atomic_read_u64(&control->changes) : 0;
}

static uint32
generation_of(Slot *slot)
{
	return (uint32) (pg_atomic_read_u64(&slot->use) >> 32);
}

static Slot *
find_slot(Oid database, const uint8 *program)
{
	for (int i = 0; i < N_SLOTS; i++)
	{
		Slot	   *slot = &control->slots[i];

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
	return generation_of(&control->slots[shared->slot]) == shared->generation;
}

bool
sp_shared_pin(const SpSharedImage *shared)
{
	Slot	   *slot = &control->slots[shared->slot];
	uint64		use = pg_atomic_read_u64(&slot->use);

	if (exiting)
		return false;
	do
	{
		if ((uint32) (use >> 32) != shared->generation)
			return false;
	} while (!pg_atomic_compare_exchange_u64(&slot->use, &use, use + 1));
	pinned[shared->slot] = true;
	pg_atomic_fetch_add_u64(&slot->hits, 1);
	pg_atomic_write_u64(&slot->last_used, (uint64) GetCurrentStatementStartTimestamp());
	return true;
}

void
sp_shared_unpin(const SpSharedImage *shared)
{
	if (exiting)
		return;
	Assert(pinned[shared->slot]);
	pinned[shared->slot] = false;
	pg_atomic_fetch_sub_u64(&control->slots[shared->slot].use, 1);
}

void
sp_shared_detach(SpSharedImage *shared)
{
	if (shared->segment != NULL && !exiting)
		dsm_detach(shared->segment);
	shared->segment = NULL;
}

/* Under the exclusive lock; the caller frees the segment once it has let go of the lock. */
static bool
free_slot(Slot *slot, dsm_handle *handle)
{
	uint64		use = (uint64) generation_of(slot) << 32;

	if (slot->phase == SP_SLOT_LOADING)
		return false;
	*handle = DSM_HANDLE_INVALID;
	if (slot->phase == SP_SLOT_READY)
	{
		if (!pg_atomic_compare_exchange_u64(&slot->use, &use, use + (UINT64CONST(1) << 32)))
			return false;
		*handle = slot->handle;
		control->bytes -= slot->bytes;
	}
	slot->phase = SP_SLOT_FREE;
	slot->bytes = 0;
	return true;
}

/* Under the exclusive lock: free the least recently used slot of those that have no pins. */
static Slot *
free_oldest(bool with_image, dsm_handle *handle)
{
	bool		passed[N_SLOTS] = {false};

	for (;;)
	{
		int			oldest = -1;

		for (int i = 0; i < N_SLOTS; i++)
		{
			Slot	   *slot = &control->slots[i];

			if (passed[i] || slot->phase == SP_SLOT_FREE || slot->phase == SP_SLOT_LOADING ||
				(with_image && slot->phase != SP_SLOT_READY))
				continue;
			if (oldest < 0 || pg_atomic_read_u64(&slot->last_used) <
				pg_atomic_read_u64(&control->slots[oldest].last_used))
				oldest = i;
		}
		if (oldest < 0)
			return NULL;
		if (free_slot(&control->slots[oldest], handle))
			return &control->slots[oldest];
		passed[oldest] = true;
	}
}

static void
changed(dsm_handle freed)
{
	if (freed != DSM_HANDLE_INVALID)
		dsm_unpin_segment(freed);
	pg_atomic_fetch_add_u64(&control->changes, 1);
}

/* A free slot, by preference the one that had this image before: it goes on counting. */
static Slot *
free_place(const uint8 *program)
{
	Slot	   *place = NULL;

	for (int i = 0; i < N_SLOTS; i++)
	{
		Slot	   *slot = &control->slots[i];

		if (slot->phase != SP_SLOT_FREE)
			continue;
		if (slot->database == MyDatabaseId && memcmp(slot->program, program, SP_SHA256_SIZE) == 0)
			return slot;
		if (place == NULL || (place->loads > 0 && slot->loads == 0))
			place = slot;
	}
	return place;
}

/* Under the exclusive lock: make slot (or another, if NULL) ours to fill. */
static bool
claim(Slot *slot, const uint8 *program, dsm_handle *freed)
{
	*freed = DSM_HANDLE_INVALID;
	if (slot == NULL)
		slot = free_place(program);
	if (slot == NULL)
		slot = free_oldest(false, freed);
	if (slot == NULL)
		return false;
	if (slot->database != MyDatabaseId || memcmp(slot->program, program, SP_SHA256_SIZE) != 0)
		slot->loads = 0;
	slot->phase = SP_SLOT_LOADING;
	slot->database = MyDatabaseId;
	slot->layout = SP_IMAGE_VERSION;
	memcpy(slot->program, program, SP_SHA256_SIZE);
	slot->bytes = 0;
	pg_atomic_write_u64(&slot->checked[0], 0);
	pg_atomic_write_u64(&slot->checked[1], 0);
	pg_atomic_write_u64(&slot->hits, 0);
	pg_atomic_write_u64(&slot->last_used, (uint64) GetCurrentStatementStartTimestamp());
	claimed = (int) (slot - control->slots);
	return true;
}

void
sp_shared_give_up(void)
{
	Slot	   *slot;

	if (claimed < 0)
		return;
	slot = &control->slots[claimed];
	LWLockAcquire(&control->lock, LW_EXCLUSIVE);
	control->bytes -= slot->bytes;
	slot->bytes = 0;
	slot->phase = SP_SLOT_FREE;
	claimed = -1;
	LWLockRelease(&control->lock);
	ConditionVariableBroadcast(&control->loaded);
}

/* A refusal holds until something has gone or changed, or a minute is over. */
static bool
still_refused(Slot *slot)
{
	return slot->refused_changes == pg_atomic_read_u64(&control->changes) &&
		GetCurrentTimestamp() - slot->refused_at < REFUSAL_US;
}

/* One look under the lock: READY is pinned, LOADING is somebody else's, REFUSED includes all that is private. */
static SpSharedPhase
look(const uint8 *program, bool may_claim, SpSharedImage *shared, dsm_handle *handle)
{
	SpSharedPhase phase = SP_SLOT_REFUSED;
	dsm_handle	freed = DSM_HANDLE_INVALID;
	Slot	   *slot;

	LWLockAcquire(&control->lock, may_claim ? LW_EXCLUSIVE : LW_SHARED);
	slot = find_slot(MyDatabaseId, program);
	if (slot != NULL && slot->phase == SP_SLOT_READY)
	{
		phase = SP_SLOT_READY;
		shared->slot = (int) (slot - control->slots);
		shared->generation = generation_of(slot);
		*handle = slot->handle;
		if (!sp_shared_pin(shared))
			phase = SP_SLOT_REFUSED;
	}
	else if (slot != NULL && slot->phase == SP_SLOT_LOADING)
		phase = SP_SLOT_LOADING;
	else if (may_claim && (slot == NULL || !still_refused(slot)) && claim(slot, program, &freed))
		phase = SP_SLOT_FREE;
	LWLockRelease(&control->lock);
	if (freed != DSM_HANDLE_INVALID)
		changed(freed);
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
		(void) ConditionVariableTimedSleep(&control->loaded, TimestampDifferenceMilliseconds(now, until),
										   PG_WAIT_EXTENSION);
		phase = look(program, true, shared, &handle);
	}
	if (until != 0)
		ConditionVariableCancelSleep();
	if (phase == SP_SLOT_FREE)
		return SP_SHARED_CLAIMED;
	return phase == SP_SLOT_READY && attach(shared, handle) ? SP_SHARED_FOUND : SP_SHARED_PRIVATE;
}

/* Count bytes for the claimed slot, evicting others until they fit. */
static bool
reserve(Size bytes)
{
	Size		limit = (Size) sp_shared_model_memory * 1024;
	bool		fits;
	bool		more;

	do
	{
		dsm_handle	freed = DSM_HANDLE_INVALID;

		LWLockAcquire(&control->lock, LW_EXCLUSIVE);
		fits = bytes <= limit && control->bytes <= limit - bytes;
		more = !fits && bytes <= limit && free_oldest(true, &freed) != NULL;
		if (fits)
		{
			control->slots[claimed].bytes = bytes;
			control->bytes += bytes;
		}
		LWLockRelease(&control->lock);
		if (more)
			changed(freed);
	} while (more);
	return fits;
}

static void
refuse(void)
{
	Slot	   *slot = &control->slots[claimed];

	LWLockAcquire(&control->lock, LW_EXCLUSIVE);
	control->bytes -= slot->bytes;
	slot->bytes = 0;
	slot->phase = SP_SLOT_REFUSED;
	slot->refused_at = GetCurrentTimestamp();
	slot->refused_changes = pg_atomic_read_u64(&control->changes);
	claimed = -1;
	LWLockRelease(&control->lock);
	ConditionVariableBroadcast(&control->loaded);
}

bool
sp_shared_publish(const SpImage *image, SpSharedImage *shared)
{
	Slot	   *slot = &control->slots[claimed];
	dsm_segment *segment;
	SpImage    *copy;

	segment = reserve(image->size) ? sp_dsm_create_quietly(image->size) : NULL;
	if (segment == NULL)
	{
		refuse();
		return false;
	}
	copy = dsm_segment_address(segment);
	memcpy(copy, image, image->size);
	if (!sp_image_is_valid(copy, image->size))
	{
		dsm_detach(segment);
		elog(ERROR, "packed image of model is damaged");
	}
	shared->slot = claimed;
	shared->segment = segment;
	shared->image = copy;
	/* from here to the release of the lock nothing raises and nothing is interrupted */
	HOLD_INTERRUPTS();
	dsm_pin_segment(segment);
	LWLockAcquire(&control->lock, LW_EXCLUSIVE);
	shared->generation = generation_of(slot) + 1;
	slot->handle = dsm_segment_handle(segment);
	slot->loads++;
	slot->phase = SP_SLOT_READY;
	pg_atomic_write_u64(&slot->use, ((uint64) shared->generation << 32) + 1);
	pinned[claimed] = true;
	claimed = -1;
	LWLockRelease(&control->lock);
	RESUME_INTERRUPTS();
	changed(DSM_HANDLE_INVALID);
	ConditionVariableBroadcast(&control->loaded);
	return true;
}

SpSharedEvicted
sp_shared_evict(Oid database, const uint8 *program)
{
	SpSharedEvicted result = SP_SHARED_ABSENT;
	dsm_handle	freed = DSM_HANDLE_INVALID;
	Slot	   *slot;

	LWLockAcquire(&control->lock, LW_EXCLUSIVE);
	slot = find_slot(database, program);
	if (slot != NULL && !free_slot(slot, &freed))
		result = SP_SHARED_IN_USE;
	else if (freed != DSM_HANDLE_INVALID)
		result = SP_SHARED_EVICTED;
	LWLockRelease(&control->lock);
	if (result == SP_SHARED_EVICTED)
		changed(freed);
	return result;
}

SpSharedFacts *
sp_shared_facts(int *count)
{
	SpSharedFacts *facts = palloc0(N_SLOTS * sizeof(SpSharedFacts));
	uint64		changes = sp_shared_registry_changes();

	*count = 0;
	LWLockAcquire(&control->lock, LW_SHARED);
	for (int i = 0; i < N_SLOTS; i++)
	{
		Slot	   *slot = &control->slots[i];
		SpSharedFacts *next = &facts[*count];

		if (slot->phase == SP_SLOT_FREE)
			continue;
		next->phase = slot->phase;
		next->database = slot->database;
		memcpy(next->program, slot->program, SP_SHA256_SIZE);
		next->bytes = slot->bytes;
		next->pins = (uint32) pg_atomic_read_u64(&slot->use);
		next->hits = pg_atomic_read_u64(&slot->hits);
		next->loads = slot->loads;
		next->last_used = (TimestampTz) pg_atomic_read_u64(&slot->last_used);
		next->slot = i;
		next->is_checked = pg_atomic_read_u64(&slot->checked[slot->database == MyDatabaseId]) >= changes;
		(*count)++;
	}
	LWLockRelease(&control->lock);
	return facts;
}

void
sp_shared_registry_changed(void)
{
	if (control != NULL && !exiting)
		pg_atomic_fetch_add_u64(&control->registry_changes, 1);
}

uint64
sp_shared_registry_changes(void)
{
	return control != NULL && !exiting ? pg_atomic_read_u64(&control->registry_changes) : 0;
}

/* Under the lock, so that the slot cannot have come to another image in between. */
void
sp_shared_set_checked(const SpSharedFacts *fact, uint64 registry_changes)
{
	Slot	   *slot = &control->slots[fact->slot];

	LWLockAcquire(&control->lock, LW_SHARED);
	if (slot->phase != SP_SLOT_FREE && slot->database == fact->database &&
		memcmp(slot->program, fact->program, SP_SHA256_SIZE) == 0)
		pg_atomic_write_u64(&slot->checked[fact->database == MyDatabaseId], registry_changes);
	LWLockRelease(&control->lock);
}
