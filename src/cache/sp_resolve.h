/*
 * src/cache/sp_resolve.h
 *
 * From a reference to the version it means for the running statement.
 *
 * A reference means what the active snapshot shows, so that a statement, its
 * parallel workers and a whole repeatable-read transaction agree on one
 * version.  What was resolved is remembered; each new snapshot asks once
 * whether it sees the same rows (sp_registry_rows_hold), and within one
 * snapshot nothing is read.  Invalidation alone could not tell: a commit is
 * visible shortly before its invalidations arrive, and they arrive while
 * statements with older snapshots go on.
 */
#ifndef SP_RESOLVE_H
#define SP_RESOLVE_H

#include "server/sp_compat.h"

#include "cache/sp_model_cache.h"
#include "server/sp_snapshot.h"

typedef struct SpResolved
{
	SpFoundRows rows;
	uint64		generation;		/* of the registry when it was read */
	SpSnapshotId snapshot;		/* the last one that it was found to hold for */
} SpResolved;

/* Does what was resolved earlier hold for the active snapshot? */
extern bool sp_resolved_holds(SpResolved *resolved);

/*
 * Resolve text; raises 22023 when it is no reference.  When it means no
 * version, the model is filled in if there is one.  Asks for no right: see
 * api/sp_model_ref.h.
 */
extern SpFound sp_resolve(const char *text, Size size, SpResolved *resolved);

/* As sp_resolve, but false in place of an error, and for what means no version. */
extern bool sp_resolve_try(const char *text, Size size, SpResolved *resolved);

/* A version with this hash of its stored form, of a model that accept takes (NULL: any). */
extern bool sp_resolve_program(const uint8 *program, SpAcceptModel accept, SpResolved *resolved);

#endif
