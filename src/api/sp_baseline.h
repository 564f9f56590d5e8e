/*
 * src/api/sp_baseline.h
 *
 * Making a baseline from rows.
 */
#ifndef SP_BASELINE_H
#define SP_BASELINE_H

#include "server/sp_compat.h"

#include "api/sp_call_site.h"
#include "registry/sp_registry_baseline.h"

typedef struct SpBaselineMaker SpBaselineMaker;

/* For the version that the site serves, which has room for one row; in the current memory context. */
extern SpBaselineMaker *sp_baseline_begin(SpCallSite *site);

/* One row: features of type argtype, bound as by predict(). */
extern void sp_baseline_add(SpBaselineMaker *maker, Oid argtype, Datum features);

/*
 * Of at most SP_BASELINE_VALUES values a random sample of rows is kept.  A variable
 * with at most SP_BASELINE_DISTINCT values has a bin for each and one on either side,
 * any other has bins between tenths of its values.  22023 without rows.
 */
#define SP_BASELINE_VALUES 10000000
#define SP_BASELINE_DISTINCT 16
extern void sp_baseline_finish(SpBaselineMaker *maker, SpNewBaseline *baseline);

#endif
