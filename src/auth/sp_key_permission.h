/*
 * src/auth/sp_key_permission.h
 *
 * What a key may do: what one of its scopes covers (base/sp_key_scope.h), and
 * its creator's role may do as well.
 *
 * On models the creator needs the privilege predict for the actions predict and
 * explain, deploy for promote, read for read, and any for others; for
 * read:metrics the level monitor, for run:... and admin:... the level admin.
 * Nothing is asked of it for actions on an application's own resources.  The role that
 * runs the statement needs its own rights besides.
 */
#ifndef SP_KEY_PERMISSION_H
#define SP_KEY_PERMISSION_H

#include "server/sp_compat.h"

#include "auth/sp_audit.h"
#include "base/sp_key_scope.h"
#include "registry/sp_registry_api_key.h"

#define SP_MAX_SCOPES 64		/* of a key */

/* Does a scope cover it? */
extern bool sp_key_covers(const SpApiKeyRow *row, SpStr action, SpStr resource, SpRefusalReason *reason);

/* May the creator's role do that with the model? */
extern bool sp_key_creator_may(const SpApiKeyRow *row, SpStr action, const SpModelRow *model);

/* Both, for any resource. */
extern bool sp_key_may(const SpApiKeyRow *row, SpStr action, SpStr resource, SpRefusalReason *reason);

/*
 * Check scopes for a key of that stage and creator: 22004 for NULL, 22023 for what
 * is no scope or none at all, 54000 for too many, 42704 for models that there are not,
 * 42501 for what the creator may not do.
 */
extern void sp_key_check_scopes(ArrayType *scopes, SpKeyStage stage, Oid creator, const char *creator_cluster);

#endif
