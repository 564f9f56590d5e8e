/*
 * src/api/sp_snapshot_version.h
 *
 * From the parts of a snapshot to a version.
 */
#ifndef SP_SNAPSHOT_VERSION_H
#define SP_SNAPSHOT_VERSION_H

#include "server/sp_compat.h"

#include "utils/jsonb.h"

#include "ops/sp_snapshot_file.h"

/* A content's text as jsonb; 22P03 for what is none. */
extern Jsonb *sp_snapshot_parse(const SpBytes *content);

/* A member that is text; 22P03 without it. */
extern char *sp_snapshot_text(Jsonb *content, const char *name);

/* Where a version of this content says that it comes from. */
extern char *sp_snapshot_origin(Jsonb *content, const uint8 identity[SP_SHA256_SIZE]);

/*
 * Add a version to model name; returns its number.  What its row says of the
 * model is read from the stored form, by the same checks as when it is loaded,
 * and not from what the content says of it.
 */
extern int32 sp_snapshot_add_version(const char *name, Jsonb *content, const SpSnapshotParts *parts,
									 const char *origin);

#endif
