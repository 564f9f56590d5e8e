/*
 * src/cache/sp_shared_fill.c
 *
 * Filling a slot: claimed by one session, which makes the image, finds it room
 * and publishes it, or gives the claim up, or marks the slot as refused when
 * there is no room.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "cache/sp_shared_internal.h"
#include "server/sp_guc.h"

#define REFUSAL_US (60 * INT64CONST(1000000))

/* A free slot, by preference the one that had this image before: it goes on counting. */
static SpSharedSlot *
free_place(const uint8 *program)
{
	SpSharedSlot *place = NULL;

	for (int i = 0; i < SP_SHARED_SLOTS; i++)
	{
		SpSharedSlot *slot = &sp_shared.control->slots[i];

		if (slot->phase != SP_SLOT_FREE)
			continue;
		if (slot->database == MyDatabaseId && memcmp(slot->program, program, SP_SHA256_SIZE) == 0)
			return slot;
		if (place == NULL || (place->loads > 0 && slot->loads == 0))
			place = slot;
	}
	return place;
}

/* A refusal holds until something has gone or changed, or a minute is over. */
static bool
still_refused(SpSharedSlot *slot)
{
	return slot->refused_changes == pg_atomic_read_u64(&sp_shared.control->changes) &&
		GetCurrentTimestamp() - slot->refused_at < REFUSAL_US;
}

bool
sp_shared_claim(SpSharedSlot *slot, const uint8 *program, dsm_handle *freed)
{
	*freed = DSM_HANDLE_INVALID;
	if (slot != NULL && still_refused(slot))
		return false;
	if (slot == NULL)
		slot = free_place(program);
	if (slot == NULL)
		slot = sp_shared_free_oldest(false, freed);
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
	sp_shared.claimed = (int) (slot - sp_shared.control->slots);
	return true;
}

void
sp_shared_give_up(void)
{
	SpSharedSlot *slot;

	if (sp_shared.claimed < 0)
		return;
	slot = &sp_shared.control->slots[sp_shared.claimed];
	LWLockAcquire(&sp_shared.control->lock, LW_EXCLUSIVE);
	sp_shared.control->bytes -= slot->bytes;
	slot->bytes = 0;
	slot->phase = SP_SLOT_FREE;
	sp_shared.claimed = -1;
	LWLockRelease(&sp_shared.control->lock);
	ConditionVariableBroadcast(&sp_shared.control->loaded);
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

		LWLockAcquire(&sp_shared.control->lock, LW_EXCLUSIVE);
		fits = bytes <= limit && sp_shared.control->bytes <= limit - bytes;
		more = !fits && bytes <= limit && sp_shared_free_oldest(true, &freed) != NULL;
		if (fits)
		{
			sp_shared.control->slots[sp_shared.claimed].bytes = bytes;
			sp_shared.control->bytes += bytes;
		}
		LWLockRelease(&sp_shared.control->lock);
		if (more)
			sp_shared_changed(freed);
	} while (more);
	return fits;
}

bool
sp_shared_trim(void)
{
	Size		limit = (Size) sp_shared_model_memory * 1024;
	dsm_handle	freed;
	bool		fits;

	do
	{
		freed = DSM_HANDLE_INVALID;
		if (!LWLockConditionalAcquire(&sp_shared.control->lock, LW_EXCLUSIVE))
			return false;
		fits = sp_shared.control->bytes <= limit;
		if (!fits)
			(void) sp_shared_free_oldest(true, &freed);
		LWLockRelease(&sp_shared.control->lock);
		if (freed != DSM_HANDLE_INVALID)
			sp_shared_changed(freed);
	} while (freed != DSM_HANDLE_INVALID);
	return fits;
}

static void
refuse(void)
{
	SpSharedSlot *slot = &sp_shared.control->slots[sp_shared.claimed];

	LWLockAcquire(&sp_shared.control->lock, LW_EXCLUSIVE);
	sp_shared.control->bytes -= slot->bytes;
	slot->bytes = 0;
	slot->phase = SP_SLOT_REFUSED;
	slot->refused_at = GetCurrentTimestamp();
	slot->refused_changes = pg_atomic_read_u64(&sp_shared.control->changes);
	sp_shared.claimed = -1;
	LWLockRelease(&sp_shared.control->lock);
	ConditionVariableBroadcast(&sp_shared.control->loaded);
}

bool
sp_shared_publish(const SpImage *image, SpSharedImage *shared)
{
	SpSharedSlot *slot = &sp_shared.control->slots[sp_shared.claimed];
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
	shared->slot = sp_shared.claimed;
	shared->segment = segment;
	shared->image = copy;
	/* from here to the release of the lock nothing raises and nothing is interrupted */
	HOLD_INTERRUPTS();
	dsm_pin_segment(segment);
	LWLockAcquire(&sp_shared.control->lock, LW_EXCLUSIVE);
	shared->generation = sp_shared_generation_of(slot) + 1;
	slot->handle = dsm_segment_handle(segment);
	slot->loads++;
	slot->phase = SP_SLOT_READY;
	pg_atomic_write_u64(&slot->use, ((uint64) shared->generation << 32) + 1);
	sp_shared.pinned[sp_shared.claimed] = true;
	sp_shared.claimed = -1;
	LWLockRelease(&sp_shared.control->lock);
	RESUME_INTERRUPTS();
	sp_shared_changed(DSM_HANDLE_INVALID);
	ConditionVariableBroadcast(&sp_shared.control->loaded);
	return true;
}
