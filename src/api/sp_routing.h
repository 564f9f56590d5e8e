/*
 * src/api/sp_routing.h
 *
 * Which version of a stage answers a routing key, for the functions that take
 * one.
 *
 * A key's point is the first 52 bits, as a fraction of 1, of
 *
 *	SHA-256(id of the model, 16 bytes || stage || zero byte || key in UTF-8)
 *
 * and the canary answers keys whose point is less than its percentage / 100.
 * Nothing in it depends on a server, its version or encoding, so a key goes the same
 * way on a standby, a subscriber and after a restore; a model keeps its id when
 * it is renamed.  With a larger percentage keys only move from the stage's
 * version to the canary.  doc/reference.md writes the same in SQL.
 */
#ifndef SP_ROUTING_H
#define SP_ROUTING_H

#include "server/sp_compat.h"

#include "api/sp_call_site.h"

/*
 * The site that answers: that of the call, serving the reference in argument
 * 0, or the one beside it that serves the canary, if the key in argument 1
 * is the canary's.  Both keep their models.
 */
extern SpCallSite *sp_route(FunctionCallInfo fcinfo);

/* As that, for a reference and key that are not the call's arguments; the key is in the database's encoding. */
extern SpCallSite *sp_route_key(FunctionCallInfo fcinfo, text *ref, const char *key, Size size);

/* The site in *beside (made if NULL) that serves another version of the model that site serves. */
extern SpCallSite *sp_site_beside(SpCallSite *site, SpBesideSite *beside, int32 version);

#endif
