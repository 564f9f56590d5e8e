/*
 * src/server/sp_metrics.h
 *
 * What is counted, in the series of sp_series.h, for the views metrics and
 * usage and for prometheus().
 *
 * All of it takes nanoseconds, never raises, and does nothing without preload,
 * with smartpouch.track = off, or while the planner evaluates expressions to
 * estimate.  Counts belong to no transaction: what is rolled back was done.
 */
#ifndef SP_METRICS_H
#define SP_METRICS_H

#include "server/sp_compat.h"

#include "server/sp_guc.h"
#include "server/sp_series.h"

/* Why a prediction failed. */
typedef enum SpErrorReason
{
	SP_REASON_BAD_INPUT,				/* features, type, shape, missing values, an output that the model does not have */
	SP_REASON_NO_MODEL,				/* no such model, version or stage, or nothing deployed */
	SP_REASON_TIMEOUT,					/* cancelled, by a timeout or somebody */
	SP_REASON_DENIED,					/* a right that the caller does not have */
	SP_REASON_INTERNAL,				/* everything else */
	SP_N_REASONS
} SpErrorReason;

/* Latencies are counted in buckets: up to each of so many bounds, and above the last. */
#define SP_N_LATENCY_BOUNDS 17
#define SP_N_LATENCY_BUCKETS (SP_N_LATENCY_BOUNDS + 1)

/*
 * Cells of series that count calls: of versions, loads and owners.  As few are
 * added to for a call as can be; those of short ones are in the first cache line.
 */
typedef enum SpCallCell
{
	SP_CELL_CALLS = SP_SERIES_LAST_AT + 1,	/* of owners, who have no latencies */
	SP_CELL_ROWS,
	SP_CELL_BUSY,				/* ns */
	SP_CELL_LATENCIES,			/* SP_N_LATENCY_BUCKETS */
	SP_CELL_WAITED = SP_CELL_LATENCIES + SP_N_LATENCY_BUCKETS,	/* ns in which the CPU was not used, of those that were busy */
	SP_CELL_ERRORS,				/* SP_N_REASONS */
	SP_CALL_CELLS_END = SP_CELL_ERRORS + SP_N_REASONS
} SpCallCell;

/* Cells of series of databases. */
typedef enum SpDatabaseCell
{
	SP_CELL_CACHE_HITS = SP_SERIES_LAST_AT + 1,
	SP_CELL_CACHE_MISSES,
	SP_CELL_CACHE_EVICTIONS,
	SP_CELL_GRACE_USES,			/* of API keys that a rotation has replaced */
	SP_CELL_AUTH_ATTEMPTS,
	SP_CELL_AUTH_FAILURES,		/* SP_N_AUTH_FAILURES */
	SP_CELL_LIMIT_REFUSALS = SP_CELL_AUTH_FAILURES + 11,	/* SP_N_LIMITS */
	SP_DATABASE_CELLS_END = SP_CELL_LIMIT_REFUSALS + 3
} SpDatabaseCell;

/* ---- predictions ---- */

typedef struct SpObservation
{
	uint64		calls;
	uint64		rows;
	uint64		busy;			/* ns */
	uint64		cpu;			/* ns */
	uint64		errors[SP_N_REASONS];
} SpObservation;

/* While it is above 0 nothing is counted; for the planner's hook. */
extern int	sp_metrics_planning;

/* What was counted, from the cells of a series of calls: calls, and CPU time in ns. */
extern uint64 sp_cells_calls(const uint64 *cells);
extern uint64 sp_cells_cpu(const uint64 *cells);

/* Is anything counted now? */
static inline bool
sp_metrics_on(void)
{
	return sp_track != SP_TRACK_OFF && sp_metrics_planning == 0 && sp_series_available();
}

/* The two series that a prediction counts in. */
typedef struct SpSeriesPair
{
	SpSeriesRef version;
	SpSeriesRef usage;
} SpSeriesPair;

/*
 * Series of this database.  model_id NULL stands for calls that found no version;
 * the owner is a role, or the owner of API keys if owner is not NULL.
 */
extern void sp_pair_set_version(SpSeriesPair *counted, const pg_uuid_t *model_id, int32 version, const char *stage);
extern void sp_pair_set_owner(SpSeriesPair *counted, const pg_uuid_t *model_id, Oid role, const char *owner);

/* Is it of that owner? False may also mean that the owner's name is long. */
extern bool sp_pair_is_of(const SpSeriesPair *counted, Oid role, const char *owner);
extern bool sp_pair_same(const SpSeriesPair *a, const SpSeriesPair *b);

/* Each call counts in one bucket, with the mean of the calls' busy time. */
extern void sp_metrics_predicted(SpSeriesPair *counted, const SpObservation *seen);

extern SpErrorReason sp_error_reason(int sqlerrcode);

/* ---- loaded models ---- */

/* Hits are kept back, and counted with the next prediction or at the transaction's end. */
extern void sp_metrics_cache_hit(void);
extern void sp_metrics_cache_miss(void);
extern void sp_metrics_cache_eviction(void);
extern void sp_metrics_count_hits(void);

/* An attempt to load a version took ns. */
extern void sp_metrics_loaded(const pg_uuid_t *model_id, int32 version, uint64 ns, bool succeeded);

/* ---- API keys ---- */

typedef enum SpAuthFailure
{
	SP_AUTH_MALFORMED,			/* no token, or its checksum is wrong */
	SP_AUTH_UNKNOWN,			/* no such key, or the secret is wrong */
	SP_AUTH_EXPIRED,
	SP_AUTH_NOT_YET,
	SP_AUTH_REVOKED,
	SP_AUTH_DISABLED,
	SP_AUTH_STAGE,
	SP_AUTH_FOREIGN,			/* of another cluster or database */
	SP_AUTH_STALE,				/* a standby that is too far behind */
	SP_AUTH_SCOPE,
	SP_AUTH_CREATOR,			/* its creator's role may not, or is gone */
	SP_N_AUTH_FAILURES
} SpAuthFailure;

typedef enum SpLimitScope
{
	SP_LIMITED_KEY,
	SP_LIMITED_OWNER,
	SP_LIMITED_QUOTA,
	SP_N_LIMITS
} SpLimitScope;

StaticAssertDecl(SP_CELL_LIMIT_REFUSALS == SP_CELL_AUTH_FAILURES + (int) SP_N_AUTH_FAILURES &&
				 SP_DATABASE_CELLS_END == SP_CELL_LIMIT_REFUSALS + (int) SP_N_LIMITS, "cells of databases");

/* Somebody has shown a token, good or bad. */
extern void sp_metrics_auth_attempt(void);

/* And this was wrong with it. */
extern void sp_metrics_auth_failure(SpAuthFailure failure);
extern void sp_metrics_limited(SpLimitScope scope);
extern void sp_metrics_grace_use(void);
extern const char *sp_auth_failure_name(SpAuthFailure failure);
extern const char *sp_limit_scope_name(SpLimitScope scope);

#endif
