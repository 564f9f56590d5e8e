/*
 * src/auth/sp_permission.h
 *
 * What the current user may do with models, remembered by this backend.
 *
 * What is remembered is good for one state of sp_registry_generation, so a
 * change of grants, owners, roles or their members is seen as soon as its
 * invalidation arrives: with the next statement, on a hot standby with its
 * replay.  Rights are those of the current user, as they are for tables:
 * SET ROLE and functions that are SECURITY DEFINER change who that is.
 */
#ifndef SP_PERMISSION_H
#define SP_PERMISSION_H

#include "server/sp_compat.h"

#include "registry/sp_registry.h"

/* SP_MAY_... bits of the current user. */
extern uint32 sp_permission(const pg_uuid_t *model_id, Oid owner_oid, const char *owner_cluster);

/* As that, of another role. */
extern uint32 sp_permission_of(Oid user, const pg_uuid_t *model_id, Oid owner_oid, const char *owner_cluster);

/* As sp_permission, for a model that is gone. */
extern uint32 sp_permission_gone(void);

/* What a role may do with any model, as sp_registry_may_all tells. */
extern uint32 sp_permission_any(Oid user);

/* Raises 42501 unless the current user has the bit. */
extern void sp_permission_require(const SpModelRow *model, uint32 bit);

#endif
