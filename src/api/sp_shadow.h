/*
 * src/api/sp_shadow.h
 *
 * Scoring the shadow of a stage beside the version that answers.
 */
#ifndef SP_SHADOW_H
#define SP_SHADOW_H

#include "server/sp_compat.h"

#include "api/sp_call_site.h"
#include "cache/sp_shadow_counts.h"

/*
 * The one call point: after site has answered, from outputs that its evaluator
 * still has, and with the caller's answer already out of them.  Does nothing
 * unless the site's stage has a shadow and chance takes this call.  argtype is
 * the type of features as for sp_bind.
 *
 * Nothing that goes wrong with the shadow is raised: it counts as an error of
 * the shadow's.  What ends the caller's own statement (cancellation, a shutdown,
 * a conflict with recovery) is.  An evaluation takes no longer than
 * smartpouch.shadow_timeout.
 */
extern void sp_shadow(SpCallSite *site, Oid argtype, Datum features);

/* What the counts of a stage's shadow are kept under. */
extern void sp_shadow_key(const SpFoundRows *rows, SpShadowKey *key);

#endif
