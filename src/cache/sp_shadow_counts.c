/*
 * src/cache/sp_shadow_counts.c
 *
 * A fixed table in the control block.
 *
 * Locks: shadow_lock protects all of it, shared to read, exclusive to count; it
 * is held for a search through SP_SHADOWS keys and a copy, and nothing under it raises,
 * waits or takes another lock.  Only sampled calls count, so it is not
 * contended for unless everybody samples everything.
 *
 * A shadow that is set again has another key.  So sessions with old snapshots,
 * and transactions that roll back, count where nobody looks, and the slot
 * goes to another when it is the one that was used least recently.
 */
#include "server/sp_compat.h"

#include "cache/sp_shared_internal.h"

static SpShadowSlot *
find_slot(const SpShadowKey *key)
{
	for (int i = 0; i < SP_SHADOWS; i++)
	{
		SpShadowSlot *slot = &sp_shared.control->shadows[i];

		if (slot->counts.last_at != 0 && memcmp(&slot->key, key, sizeof(*key)) == 0)
			return slot;
	}
	return NULL;
}

/* A free slot has never counted, so it comes first. */
static SpShadowSlot *
take_slot(const SpShadowKey *key)
{
	SpShadowSlot *oldest = &sp_shared.control->shadows[0];

	for (int i = 1; i < SP_SHADOWS; i++)
		if (sp_shared.control->shadows[i].counts.last_at < oldest->counts.last_at)
			oldest = &sp_shared.control->shadows[i];
	memset(oldest, 0, sizeof(*oldest));
	oldest->key = *key;
	return oldest;
}

static void
add(SpShadowCounts *counts, const SpShadowOutcome *outcome)
{
	if (outcome->error != 0)
	{
		counts->errors++;
		counts->last_error = outcome->error;
		return;
	}
	if (outcome->measured)
	{
		counts->measured++;
		counts->sum_difference += outcome->difference;
		counts->max_difference = Max(counts->max_difference, outcome->difference);
	}
	if (outcome->agreed)
		counts->agreed++;
	else
		counts->samples[counts->differed++ % SP_SHADOW_SAMPLES] = outcome->sample;
}

void
sp_shadow_count(const SpShadowKey *key, const SpShadowOutcome *outcome)
{
	TimestampTz now = GetCurrentTimestamp();
	SpShadowSlot *slot;

	if (!sp_shared_available())
		return;
	LWLockAcquire(&sp_shared.control->shadow_lock, LW_EXCLUSIVE);
	slot = find_slot(key);
	if (slot == NULL)
		slot = take_slot(key);
	slot->counts.last_at = now;
	add(&slot->counts, outcome);
	LWLockRelease(&sp_shared.control->shadow_lock);
}

bool
sp_shadow_counts(const SpShadowKey *key, SpShadowCounts *counts)
{
	SpShadowSlot *slot;

	if (!sp_shared_available())
		return false;
	LWLockAcquire(&sp_shared.control->shadow_lock, LW_SHARED);
	slot = find_slot(key);
	if (slot != NULL)
		*counts = slot->counts;
	LWLockRelease(&sp_shared.control->shadow_lock);
	return slot != NULL;
}
