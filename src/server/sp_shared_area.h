/*
 * src/server/sp_shared_area.h
 *
 * Pieces of the server's main shared memory, which are there when the library is
 * in shared_preload_libraries.  After a crash the postmaster makes them anew.
 */
#ifndef SP_SHARED_AREA_H
#define SP_SHARED_AREA_H

#include "server/sp_compat.h"

typedef struct SpSharedArea
{
	const char *name;			/* unique on the server */
	Size		(*size) (void); /* asked when all settings are known */
	void		(*init) (void *block);	/* fills new memory, under AddinShmemInitLock */
	void	   *block;			/* NULL without preload */
	struct SpSharedArea *next;
} SpSharedArea;

/* From _PG_init; area must be static.  Nothing happens unless the library is being preloaded. */
extern void sp_shared_area_request(SpSharedArea *area);

#endif
