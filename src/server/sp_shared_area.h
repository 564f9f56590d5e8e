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
	void		(*init) (void *block);	/* fills new memory, under AddinShmemInitLock; NULL: there is no block */
	void		(*start) (void);	/* or NULL: after that, under that lock; takes what there is no block for */
	void	   *block;			/* NULL without preload */
	struct SpSharedArea *next;
} SpSharedArea;

/* From _PG_init; area must be static.  Nothing happens unless the library is being preloaded. */
extern void sp_shared_area_request(SpSharedArea *area);

#endif
