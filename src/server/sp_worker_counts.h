/*
 * src/server/sp_worker_counts.h
 *
 * What parallel workers have counted, on its way to their leader, who counts
 * it with its own as one call: the leader itself may have had no row.
 */
#ifndef SP_WORKER_COUNTS_H
#define SP_WORKER_COUNTS_H

#include "server/sp_compat.h"

#include "server/sp_metrics.h"

typedef struct SpWorkerCount
{
	SpSeriesPair	counted;
	SpObservation seen;
} SpWorkerCount;

/* Once per process, from _PG_init. */
extern void sp_worker_counts_init(void);

/* In a worker, before its leader is told that it has finished.  False if there is no room: count it yourself. */
extern bool sp_worker_counts_give(const SpWorkerCount *count);

/* In a leader: one that its workers have given, until there is none. */
extern bool sp_worker_counts_take(SpWorkerCount *count);

/* seen grows by more. */
extern void sp_observation_add(SpObservation *seen, const SpObservation *more);

#endif
