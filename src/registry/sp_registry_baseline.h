/*
 * src/registry/sp_registry_baseline.h
 *
 * Baselines of versions (sql/install/56_drift.sql): what inputs and predictions
 * looked like when the version was made, in bins.
 *
 * There is a variable for each feature and one, the first, for the prediction.
 * With n bounds, ascending, a variable has n + 2 bins: up to each bound, above
 * the last, and one for missing values.  Bins of all variables are numbered through.
 */
#ifndef SP_REGISTRY_BASELINE_H
#define SP_REGISTRY_BASELINE_H

#include "server/sp_compat.h"

#include "registry/sp_registry.h"

typedef struct SpBaseline
{
	TimestampTz set_at;
	int			n_variables;
	int32	   *n_bounds;		/* of each */
	double	   *bounds;			/* of one after the other */
} SpBaseline;

/* False if the version has none; memory is of mcx. */
extern bool sp_registry_baseline(const pg_uuid_t *model_id, int32 version, Snapshot snapshot,
								 MemoryContext mcx, SpBaseline *baseline);

typedef struct SpNewBaseline
{
	int64		rows;
	Datum		names;			/* text[], of the variables */
	Datum		n_bounds;		/* integer[] */
	Datum		bounds;			/* double precision[] */
	Datum		counts;			/* bigint[], of all bins */
} SpNewBaseline;

/* In the place of one that there may be.  42501 unless the caller may deploy. */
extern void sp_registry_set_baseline(const SpFoundRows *rows, const SpNewBaseline *baseline);

/* 42704 when there is none. */
extern void sp_registry_drop_baseline(const SpFoundRows *rows);

#endif
