/*
 * src/server/sp_role.h
 *
 * Who a stored right belongs to, and acting as the registry's owner.
 */
#ifndef SP_ROLE_H
#define SP_ROLE_H

#include "server/sp_compat.h"

/*
 * The name of this cluster in stored roles: the setting smartpouch.cluster_id,
 * or what the database has kept, or the system identifier in decimal.  OIDs of
 * another cluster mean other roles.  Good until the next call.
 */
extern const char *sp_cluster_id(void);

/* What the database has kept, or NULL. Set by who reads the registry. */
extern const char *(*sp_cluster_id_kept) (void);

/* Is the stored role one of this cluster? */
extern bool sp_role_exists(Oid role_oid, const char *role_cluster);

/* May user act as the stored role? Superusers may always. */
extern bool sp_role_has(Oid user, Oid role_oid, const char *role_cluster);

/*
 * Between begin and end the current user is owner, the operation is
 * restricted and search_path is pg_catalog, pg_temp: nothing that the caller
 * has defined is found.  An error in between restores all by itself.
 */
typedef struct SpIdentity
{
	Oid			user;
	int			security_context;
	int			guc_level;
} SpIdentity;

extern void sp_identity_begin(SpIdentity *saved, Oid owner);
extern void sp_identity_end(const SpIdentity *saved);

/* Where this session comes from, as inet; *isnull over a local socket and without a client. */
extern Datum sp_client_address(bool *isnull);

#endif
