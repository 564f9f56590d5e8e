/*
 * src/server/sp_snapshot.h
 *
 * The snapshot to read under, and telling whether two reads happen under the same one.
 */
#ifndef SP_SNAPSHOT_H
#define SP_SNAPSHOT_H

#include "server/sp_compat.h"

#include "utils/snapshot.h"

/*
 * What identifies an MVCC snapshot within one backend.  Of two snapshots with
 * the same bounds, the later one's running transactions are a subset of the
 * earlier one's, so equal counts mean equal sets.
 */
typedef struct SpSnapshotId
{
	TransactionId xmin;
	TransactionId xmax;
	uint32		xcnt;
	int32		subxcnt;
	CommandId	curcid;
} SpSnapshotId;

/* The running statement's snapshot; NULL, the latest state to sp_registry.h, where there is none. */
extern Snapshot sp_active_snapshot(void);

extern SpSnapshotId sp_snapshot_id(Snapshot snapshot);

static inline bool
sp_snapshot_same(const SpSnapshotId *a, const SpSnapshotId *b)
{
	return a->xmin == b->xmin && a->xmax == b->xmax && a->xcnt == b->xcnt &&
		a->subxcnt == b->subxcnt && a->curcid == b->curcid;
}

#endif
