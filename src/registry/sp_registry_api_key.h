/*
 * src/registry/sp_registry_api_key.h
 *
 * Reading rows of the table api_key (sql/install/42_api_keys.sql).
 */
#ifndef SP_REGISTRY_API_KEY_H
#define SP_REGISTRY_API_KEY_H

#include "server/sp_compat.h"

#include "utils/array.h"

#include "base/sp_key_token.h"
#include "registry/sp_registry.h"
#include "server/sp_key_file.h"

#define SP_KEY_OWNER_SIZE 256	/* with the zero byte */

typedef struct SpApiKeyRow
{
	char		id[SP_KEY_ID_SIZE];
	uint8		hash[SP_SHA256_SIZE];
	char		pepper[SP_KEY_NAME_SIZE];	/* empty: none */
	SpKeyStage	stage;
	int32		rate_limit;		/* 0: none, as for the next two */
	int32		burst;
	int64		quota;
	TimestampTz not_before;
	TimestampTz expires_at;
	TimestampTz created_at;
	bool		enabled;
	bool		revoked;
	bool		replaced;		/* by rotation */
	Oid			creator_oid;
	char		creator_cluster[SP_CLUSTER_ID_SIZE];
	char		cluster[SP_CLUSTER_ID_SIZE];	/* that it is good in */
	Oid			database;
	char		chain[SP_KEY_ID_SIZE];
	char		owner[SP_KEY_OWNER_SIZE];
	ArrayType  *scopes;			/* text[], palloc'd */
} SpApiKeyRow;

/*
 * The first row whose id is id or comes after it, by the latest committed state and
 * our own changes.  False when there is none; row has an empty id then, and for
 * the rest what another one had.  So looking up an id that is nobody's reads a row
 * as well, and takes as long.
 */
extern bool sp_registry_api_key_at(const char *id, SpApiKeyRow *row);

/* Keys that neither are revoked nor have expired, but wait to be adopted. */
extern int	sp_registry_api_keys_waiting(Snapshot snapshot);

/* Is the row good in this cluster and database? */
extern bool sp_registry_api_key_is_here(const SpApiKeyRow *row);

#endif
