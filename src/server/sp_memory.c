/*
 * src/server/sp_memory.c
 */
#include "server/sp_compat.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "server/sp_guc.h"
#include "server/sp_memory.h"

/*
 * repalloc raises when memory is short and its quiet form came with 16 only,
 * so a block remembers its size and grows by copying.
 */
typedef struct SpBlock
{
	Size		size;
	Size		padding;		/* keeps what follows aligned to 16 */
} SpBlock;

/* What an allocator hands out, counted with the blocks' heads. */
typedef struct SpRegion
{
	MemoryContext mcx;
	Size		used;
	Size		limit;
	bool		is_exceeded;	/* more than the limit was asked for */
} SpRegion;

static void *
bridge_alloc(void *arg, size_t size)
{
	SpRegion   *region = arg;
	SpBlock    *block;

	if (!sp_add_size(size, sizeof(SpBlock), &size) || !AllocHugeSizeIsValid(size))
		return NULL;
	if (size > region->limit || region->used > region->limit - size)
	{
		region->is_exceeded = true;
		return NULL;
	}
	block = MemoryContextAllocExtended(region->mcx, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (block == NULL)
		return NULL;
	block->size = size - sizeof(SpBlock);
	region->used += size;
	return block + 1;
}

static void
bridge_release(void *arg, void *pointer)
{
	SpRegion   *region = arg;
	SpBlock    *block;

	if (pointer == NULL)
		return;
	block = (SpBlock *) pointer - 1;
	region->used -= block->size + sizeof(SpBlock);
	pfree(block);
}

static void *
bridge_resize(void *arg, void *old, size_t size)
{
	void	   *new = bridge_alloc(arg, size);

	if (new != NULL && old != NULL)
	{
		memcpy(new, old, Min(((SpBlock *) old - 1)->size, size));
		bridge_release(arg, old);
	}
	return new;
}

static TimestampTz deadline = 0;
static bool deadline_passed = false;

void
sp_deadline_set(double milliseconds)
{
	deadline = milliseconds > 0 ? GetCurrentTimestamp() + (int64) (milliseconds * 1000) : 0;
	deadline_passed = false;
}

bool
sp_deadline_passed(void)
{
	return deadline_passed;
}

/*
 * Pure code must not be jumped across, so an error that handling the
 * interrupt raises stays on the server's error stack until the pure code has
 * returned and sp_raise throws it on.  Nothing may ereport in between.
 */
bool
sp_interrupted(void *arg)
{
	MemoryContext old = CurrentMemoryContext;
	bool		late = deadline != 0 && GetCurrentTimestamp() >= deadline;
	volatile bool raised = false;

	(void) arg;
	if (likely(!INTERRUPTS_PENDING_CONDITION()))
	{
		deadline_passed = late;
		return late;
	}
	PG_TRY();
	{
		CHECK_FOR_INTERRUPTS();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(old);
		raised = true;
	}
	PG_END_TRY();
	deadline_passed = late && !raised;
	return late || raised;
}

void
sp_context_init(SpContext *cx, MemoryContext mcx)
{
	SpRegion   *region = MemoryContextAllocZero(mcx, sizeof(SpRegion));

	region->mcx = mcx;
	region->limit = SIZE_MAX;
	memset(cx, 0, sizeof(*cx));
	cx->alloc.alloc = bridge_alloc;
	cx->alloc.resize = bridge_resize;
	cx->alloc.release = bridge_release;
	cx->alloc.arg = region;
	cx->stop = sp_interrupted;
	cx->position = SP_NO_OFFSET;
	cx->error.offset = SP_NO_OFFSET;
	sp_guc_limits(&cx->limits);
}

void
sp_context_move(SpContext *cx, MemoryContext mcx)
{
	((SpRegion *) cx->alloc.arg)->mcx = mcx;
}

void
sp_context_bound(SpContext *cx, Size file_size)
{
	SpRegion   *region = cx->alloc.arg;

	if (!sp_mul_size(file_size, (size_t) sp_import_memory_multiple, &region->limit) ||
		!sp_add_size(region->limit, SP_IMPORT_MEMORY, &region->limit))
		region->limit = SIZE_MAX;
}

Size
sp_context_exceeded(const SpContext *cx)
{
	const SpRegion *region = cx->alloc.arg;

	return region->is_exceeded ? region->limit : 0;
}

void *
sp_palloc_aligned(MemoryContext mcx, Size size, Size alignment)
{
	char	   *block = MemoryContextAllocHuge(mcx, add_size(size, alignment));

	return (void *) TYPEALIGN(alignment, block);
}
