/*
 * src/registry/sp_registry_scan.h
 *
 * One open index scan over a table of the registry, for the files that read it.
 */
#ifndef SP_REGISTRY_SCAN_H
#define SP_REGISTRY_SCAN_H

#include "server/sp_compat.h"

#include "access/genam.h"
#include "access/skey.h"
#include "utils/rel.h"

#include "registry/sp_registry.h"

typedef struct SpScan
{
	Relation	relation;
	SysScanDesc scan;
} SpScan;

/* Columns of table snapshot in the order of sql/install/38_snapshots.sql. */
enum
{
	SP_SNAPSHOT_ID = 1, SP_SNAPSHOT_MODEL_ID, SP_SNAPSHOT_MODEL, SP_SNAPSHOT_VERSION, SP_SNAPSHOT_LABEL,
	SP_SNAPSHOT_OWNER_OID, SP_SNAPSHOT_OWNER_CLUSTER, SP_SNAPSHOT_CONTENT, SP_SNAPSHOT_PROGRAM,
	SP_SNAPSHOT_PROGRAM_BYTES, SP_SNAPSHOT_ARTIFACT, SP_SNAPSHOT_ARTIFACT_BYTES, SP_SNAPSHOT_SHA256
};

/* Columns of the tables deployment and alias alike. */
enum
{
	SP_TARGET_MODEL_ID = 1, SP_TARGET_NAME, SP_TARGET_VERSION
};

/* snapshot NULL: the latest committed state and our own changes */
extern void sp_scan_begin(SpScan *scan, SpTable table, SpIndex index, Snapshot snapshot, int n_keys,
						  ScanKey keys);

/* The next row, good until the one after it; NULL after the last. */
extern HeapTuple sp_scan_next(SpScan *scan);
extern void sp_scan_end(SpScan *scan);

/* A column that is declared NOT NULL. */
extern Datum sp_scan_column(SpScan *scan, HeapTuple tuple, AttrNumber attribute);

/* sp_registry_read.c: a row of model, version or deployment. */
extern void sp_read_model(SpScan *scan, HeapTuple tuple, SpModelRow *model);
extern void sp_read_version(SpScan *scan, HeapTuple tuple, SpVersionRow *version);
extern void sp_read_routing(SpScan *scan, HeapTuple tuple, SpRouting *routing);

/* A text or hash in memory of the caller's. */
extern void sp_copy_text(char *target, Size size, Datum datum);
extern void sp_copy_hash(uint8 *target, Datum datum);

#endif
