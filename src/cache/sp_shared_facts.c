/*
 * src/cache/sp_shared_facts.c
 *
 * What is in the slots, and which of it a registry still knows.
 */
#include "server/sp_compat.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "cache/sp_shared_internal.h"

#define CHECK_US (5 * INT64CONST(1000000))

uint64
sp_shared_changes(void)
{
	return sp_shared.control != NULL && !sp_shared.exiting ? pg_atomic_read_u64(&sp_shared.control->changes) : 0;
}

static bool
is_checked(SpSharedSlot *slot, uint64 registry_changes, TimestampTz now)
{
	bool		is_ours = slot->database == MyDatabaseId;

	return pg_atomic_read_u64(&slot->checked[is_ours]) >= registry_changes &&
		now - (TimestampTz) pg_atomic_read_u64(&slot->checked_at[is_ours]) < CHECK_US;
}

SpSharedFacts *
sp_shared_facts(int *count)
{
	SpSharedFacts *facts = palloc0(SP_SHARED_SLOTS * sizeof(SpSharedFacts));
	uint64		changes = sp_shared_registry_changes();
	TimestampTz now = GetCurrentTimestamp();

	*count = 0;
	LWLockAcquire(&sp_shared.control->lock, LW_SHARED);
	for (int i = 0; i < SP_SHARED_SLOTS; i++)
	{
		SpSharedSlot *slot = &sp_shared.control->slots[i];
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
		next->is_checked = is_checked(slot, changes, now);
		(*count)++;
	}
	LWLockRelease(&sp_shared.control->lock);
	return facts;
}

void
sp_shared_registry_changed(void)
{
	if (sp_shared.control != NULL && !sp_shared.exiting)
		pg_atomic_fetch_add_u64(&sp_shared.control->registry_changes, 1);
}

uint64
sp_shared_registry_changes(void)
{
	return sp_shared.control != NULL && !sp_shared.exiting ? pg_atomic_read_u64(&sp_shared.control->registry_changes) : 0;
}

/* Under the lock, so that the slot cannot have come to another image in between. */
void
sp_shared_set_checked(const SpSharedFacts *fact, uint64 registry_changes)
{
	SpSharedSlot *slot = &sp_shared.control->slots[fact->slot];
	bool		is_ours = fact->database == MyDatabaseId;

	LWLockAcquire(&sp_shared.control->lock, LW_SHARED);
	if (slot->phase != SP_SLOT_FREE && slot->database == fact->database &&
		memcmp(slot->program, fact->program, SP_SHA256_SIZE) == 0)
	{
		pg_atomic_write_u64(&slot->checked[is_ours], registry_changes);
		pg_atomic_write_u64(&slot->checked_at[is_ours], (uint64) GetCurrentTimestamp());
	}
	LWLockRelease(&sp_shared.control->lock);
}
