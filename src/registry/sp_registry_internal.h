/*
 * src/registry/sp_registry_internal.h
 *
 * What the files that write the registry share.
 */
#ifndef SP_REGISTRY_INTERNAL_H
#define SP_REGISTRY_INTERNAL_H

#include "registry/sp_registry.h"
#include "server/sp_role.h"

/* One change: the caller's roles, and the identity to go back to. */
typedef struct SpWrite
{
	SpIdentity	identity;
	const char *session_role;
	const char *acting_role;
} SpWrite;

typedef struct SpLockedModel
{
	pg_uuid_t	id;
	char		name[SP_NAME_SIZE];
	Oid			owner_oid;
	const char *owner_cluster;
} SpLockedModel;

typedef struct SpEvent
{
	const char *action;
	int32		version;
	const char *stage;
	int32		replaced_version;
	const char *detail;
	const char *note;
} SpEvent;

/* Refuses read-only, parallel and recovery (what names the function), becomes the tables' owner, connects to SPI. */
extern void sp_write_begin(SpWrite *write, const char *what);
extern void sp_write_end(SpWrite *write);

/* Run one statement; returns the number of rows. */
extern uint64 sp_write_sql(const char *sql, int n_args, Oid *types, Datum *values, const char *nulls);

/* Column (from 1) of the first row of the statement just run; never null. */
extern Datum sp_write_result(int column);

/* Lock the caller's own model until the transaction ends: 42704, 42501. */
extern void sp_write_lock_own_model(const SpWrite *write, const char *name, SpLockedModel *model);
extern void sp_write_event(const SpWrite *write, const SpLockedModel *model, const SpEvent *event);

/* sp_registry_golden.c: insert a row under the model's lock. */
extern int32 sp_write_golden(const pg_uuid_t *model_id, int32 version, const SpGoldenRow *golden);

#endif
