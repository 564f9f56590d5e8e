/*
 * src/server/sp_snapshot.c
 */
#include "server/sp_compat.h"

#include "server/sp_snapshot.h"

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
