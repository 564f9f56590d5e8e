/*
 * src/api/sp_drift.h
 *
 * Variables of a version (registry/sp_registry_baseline.h) as predictions see them,
 * and sampling them.
 */
#ifndef SP_DRIFT_H
#define SP_DRIFT_H

#include "server/sp_compat.h"

#include "api/sp_call_site.h"

/* Variables of the version that the site serves: the prediction and its features. */
extern int	sp_drift_variables(const SpCallSite *site);

/* The value of a variable in a row that was bound and evaluated; NaN for a missing one. */
extern double sp_drift_value(const SpCallSite *site, int variable, uint32 row);

/* The bin of a value, of n + 2. */
extern int	sp_drift_bin(const double *bounds, int n, double value);

/*
 * Rows were bound, evaluated and counted: sample some of them, as
 * smartpouch.sample_percent says, if the version has a baseline.  is_null (or
 * NULL) tells which rows have no features.
 */
extern void sp_drift_sample_rows(SpCallSite *site, uint32 rows, const bool *is_null);

static inline void
sp_drift_sample(SpCallSite *site, uint32 rows, const bool *is_null)
{
	if (unlikely(sp_sample_percent > 0) && site->tally != NULL)
		sp_drift_sample_rows(site, rows, is_null);
}

#endif
