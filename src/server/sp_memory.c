/*
 * src/server/sp_memory.c
 */
#include "server/sp_compat.h"

#include "miscadmin.h"
#include "storage/shmem.h"
#include "utils/memutils.h"

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

static void *
bridge_alloc(void *arg, size_t size)
{
	SpBlock    *block;

	if (!sp_add_size(size, sizeof(SpBlock), &size) || !AllocHugeSizeIsValid(size))
		return NULL;
	block = MemoryContextAllocExtended(arg, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (block == NULL)
		return NULL;
	block->size = size - sizeof(SpBlock);
	return block + 1;
}

static void
bridge_release(void *arg, void *pointer)
{
	(void) arg;
	if (pointer)
		pfree((SpBlock *) pointer - 1);
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

/*
 * Pure code must not be jumped across, so an error that handling the
 * interrupt raises stays on the server's error stack until the pure code has
 * returned and sp_raise throws it on.  Nothing may ereport in between.
 */
bool
sp_interrupted(void *arg)
{
	MemoryContext old = CurrentMemoryContext;
	volatile bool raised = false;

	(void) arg;
	if (likely(!INTERRUPTS_PENDING_CONDITION()))
		return false;
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
	return raised;
}

void
sp_context_init(SpContext *cx, MemoryContext mcx)
{
	memset(cx, 0, sizeof(*cx));
	cx->alloc.alloc = bridge_alloc;
	cx->alloc.resize = bridge_resize;
	cx->alloc.release = bridge_release;
	cx->alloc.arg = mcx;
	cx->stop = sp_interrupted;
	cx->position = SP_NO_OFFSET;
	cx->error.offset = SP_NO_OFFSET;
	sp_guc_limits(&cx->limits);
}

void *
sp_palloc_aligned(MemoryContext mcx, Size size, Size alignment)
{
	char	   *block = MemoryContextAllocHuge(mcx, add_size(size, alignment));

	return (void *) TYPEALIGN(alignment, block);
}
