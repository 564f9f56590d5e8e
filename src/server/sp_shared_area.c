/*
 * src/server/sp_shared_area.c
 */
#include "server/sp_compat.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"

#include "server/sp_shared_area.h"

static SpSharedArea *areas = NULL;
static shmem_request_hook_type next_request_hook = NULL;
static shmem_startup_hook_type next_startup_hook = NULL;

static void
request_memory(void)
{
	if (next_request_hook)
		next_request_hook();
	for (SpSharedArea *area = areas; area != NULL; area = area->next)
		RequestAddinShmemSpace(MAXALIGN(area->size()));
}

/* Runs again after a crash, in the memory that the postmaster has made anew. */
static void
start_memory(void)
{
	if (next_startup_hook)
		next_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	for (SpSharedArea *area = areas; area != NULL; area = area->next)
	{
		bool		found;

		if (area->init)
			area->block = ShmemInitStruct(area->name, area->size(), &found);
		if (area->init && !found)
			area->init(area->block);
		if (area->start)
			area->start();
	}
	LWLockRelease(AddinShmemInitLock);
}

void
sp_shared_area_request(SpSharedArea *area)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	if (areas == NULL)
	{
		next_request_hook = shmem_request_hook;
		shmem_request_hook = request_memory;
		next_startup_hook = shmem_startup_hook;
		shmem_startup_hook = start_memory;
	}
	area->next = areas;
	areas = area;
}
