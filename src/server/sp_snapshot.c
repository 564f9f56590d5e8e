/*
 * src/server/sp_snapshot.c
 */
#include "server/sp_compat.h"

#include "utils/snapmgr.h"

#include "server/sp_snapshot.h"

Snapshot
sp_active_snapshot(void)
{
	return ActiveSnapshotSet() ? GetActiveSnapshot() : NULL;
}

SpSnapshotId
sp_snapshot_id(Snapshot snapshot)
{
	SpSnapshotId id = {
		.xmin = snapshot->xmin,
		.xmax = snapshot->xmax,
		.xcnt = snapshot->xcnt,
		.subxcnt = snapshot->subxcnt,
		.curcid = snapshot->curcid
	};

	return id;
}
