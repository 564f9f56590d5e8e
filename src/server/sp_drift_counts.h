/*
 * src/server/sp_drift_counts.h
 *
 * How often sampled inputs and predictions fell into the bins of a baseline, in
 * shared memory of a fixed size: for the SP_DRIFT_SLOTS baselines that were sampled
 * last.  No value is kept, only counts.  Lost at a restart.
 */
#ifndef SP_DRIFT_COUNTS_H
#define SP_DRIFT_COUNTS_H

#include "server/sp_compat.h"

#include "datatype/timestamp.h"
#include "utils/uuid.h"

#define SP_DRIFT_SLOTS 64
#define SP_DRIFT_CELLS 4096		/* bins of all features of a baseline */

/* Padded with zeros: compared as bytes. */
typedef struct SpDriftKey
{
	Oid			database;
	int32		version;
	pg_uuid_t	model_id;
	TimestampTz set_at;			/* when the baseline was */
} SpDriftKey;

typedef struct SpDriftCounts
{
	SpDriftKey	key;
	TimestampTz began;			/* when counts were 0 */
	uint64		rows;
	int			n_cells;
	uint64		cells[SP_DRIFT_CELLS];
} SpDriftCounts;

/* Once per process, from _PG_init. */
extern void sp_drift_counts_init(void);

/* False without preload. */
extern bool sp_drift_counts_available(void);

/*
 * One sampled row: add 1 to each of these cells.  n_cells is the baseline's; *slot
 * remembers where it was, and is -1 at first.
 */
extern void sp_drift_count(const SpDriftKey *key, int n_cells, int *slot, const uint16 *cells, int count);

/* Number i of those of a database; false when there are no more.  For i = 0, 1, ... in turn. */
extern bool sp_drift_counts_next(Oid database, int *i, SpDriftCounts *counts);

#endif
