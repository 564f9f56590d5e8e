/*
 * src/cache/sp_shared_memory.c
 *
 * Where the shared cache's memory comes from.
 *
 * The control block is in the server's main shared memory when the library is
 * in shared_preload_libraries, else in a named segment of the registry that
 * servers have from 17 on; otherwise there is none.  After a crash the
 * postmaster makes both anew and removes all dynamic segments, so nothing
 * outlives one.
 */
#include "server/sp_compat.h"

#include <sys/statvfs.h>

#include "miscadmin.h"
#include "storage/lwlock.h"
#include "utils/resowner.h"
#include "utils/wait_event.h"

#include "base/sp_room.h"
#include "cache/sp_shared_cache.h"
#include "server/sp_shared_area.h"

#define POSIX_SEGMENTS "/dev/shm"	/* where shm_open has them on Linux */

static void *block = NULL;
static Size block_size;
static void (*block_init) (void *);
static bool tried = false;

static Size
size_of_block(void)
{
	return block_size;
}

static SpSharedArea area = {.name = "smartpouch", .size = size_of_block};

void
sp_shared_control_request(Size size, void (*init) (void *block))
{
	block_size = size;
	block_init = init;
	area.init = init;
	sp_shared_area_request(&area);
}

/*
 * An error that is about memory, files or segments ends the attempt, not the
 * statement.  Segments belong to the process, not to the resource owner:
 * what an error leaves behind is a mapping or an empty descriptor.
 *
 * The server may raise with its own LWLocks held: the registry of named
 * segments holds a partition of its table while it makes a segment.  Nobody
 * aborts the transaction, so they are let go here, all that this process has.
 * These are the attempt's alone: every LWLock holds off interrupts, and with
 * interrupts held off there is no attempt.  Raising has set the count of
 * holds to 0, which it was before.
 */
typedef void *(*Attempt) (void *argument);

static void *
quietly(Attempt attempt, void *argument)
{
	MemoryContext mcx = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	uint32		cancel_holdoff = QueryCancelHoldoffCount;
	void	   *volatile result = NULL;

	if (InterruptHoldoffCount > 0 || CritSectionCount > 0)
		return NULL;
	CurrentResourceOwner = NULL;
	PG_TRY();
	{
		result = attempt(argument);
	}
	PG_CATCH();
	{
		LWLockReleaseAll();
		pgstat_report_wait_end();
		QueryCancelHoldoffCount = cancel_holdoff;
		CurrentResourceOwner = owner;
		MemoryContextSwitchTo(mcx);
		if (geterrcode() == ERRCODE_QUERY_CANCELED ||
			ERRCODE_TO_CATEGORY(geterrcode()) == ERRCODE_TO_CATEGORY(ERRCODE_ADMIN_SHUTDOWN))
			PG_RE_THROW();
		FlushErrorState();
		result = NULL;
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	return result;
}

static void *
create_segment(void *size)
{
	return dsm_create(*(Size *) size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
}

static void *
attach_segment(void *handle)
{
	return dsm_attach(*(dsm_handle *) handle);
}

/*
 * POSIX segments of the whole server share one file system, which is small in
 * containers.  Some of it is left alone: where models took the last page, the
 * server's own parallel queries would fail.
 */
static bool
leaves_room(Size size)
{
	struct statvfs facts;

	if (dynamic_shared_memory_type != DSM_IMPL_POSIX || statvfs(POSIX_SEGMENTS, &facts) != 0)
		return true;
	return sp_leaves_room(size, (uint64) facts.f_bavail * facts.f_frsize, (uint64) facts.f_blocks * facts.f_frsize);
}

dsm_segment *
sp_dsm_create_quietly(Size size)
{
	return leaves_room(size) ? quietly(create_segment, &size) : NULL;
}

dsm_segment *
sp_dsm_attach_quietly(dsm_handle handle)
{
	return quietly(attach_segment, &handle);
}

/* The name says the layout: a segment lives as long as the server, a library need not. */
static void *
attach_named(void *argument)
{
	char		name[64];

	(void) argument;
	snprintf(name, sizeof(name), "smartpouch %s %d/%zu", SP_VERSION, SP_IMAGE_VERSION, block_size);
	return named_segment_compat(name, block_size, block_init);
}

void *
sp_shared_control(void)
{
	if (area.block != NULL)
		return area.block;
	if (block == NULL && !tried && IsUnderPostmaster && InterruptHoldoffCount == 0)
	{
		tried = true;
		block = quietly(attach_named, NULL);
	}
	return block;
}
