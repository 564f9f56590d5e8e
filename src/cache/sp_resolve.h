/*
 * src/cache/sp_resolve.h
 *
 * From a reference to the version it means for the running statement.
 *
 * A reference is read under the statement's active snapshot, so that a
 * statement and its parallel workers agree on one version.  What was read is
 * kept for later statements only if the latest snapshot gives the same row:
 * a session with an old snapshot may have consumed the invalidation for a
 * change that it cannot see yet, and would otherwise go on serving the old
 * version after its snapshot is gone.
 */
#ifndef SP_RESOLVE_H
#define SP_RESOLVE_H

#include "server/sp_compat.h"

#include "cache/sp_model_cache.h"
#include "server/sp_snapshot.h"

typedef struct SpResolved
{
	SpModelRow	model;
	SpVersionRow version;
	uint64		generation;		/* of the registry when it was read */
	bool		durable;		/* good for as long as the generation stays */
	SpSnapshotId snapshot;		/* when not durable: good under this snapshot only */
} SpResolved;

/* Is what was resolved earlier still what the active snapshot means? */
extern bool sp_resolved_is_current(const SpResolved *resolved);

/* Resolve text; raises 22023, 42704 or 55000. */
extern void sp_resolve(const char *text, Size size, SpResolved *resolved);

/* The version with this hash of its stored form; raises 42704. */
extern void sp_resolve_program(const uint8 *program, SpResolved *resolved);

#endif
