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
	const char *api_key_id;		/* NULL for none */
} SpWrite;

typedef struct SpLockedModel
{
	pg_uuid_t	id;
	char		name[SP_NAME_SIZE];
	Oid			owner_oid;
	const char *owner_cluster;
} SpLockedModel;

/* The last event of a model. */
#define SP_EVENT_DROP_MODEL "drop_model"

/* Empty fields are NULL or 0. */
typedef struct SpEvent
{
	const char *action;
	int32		version;
	const char *stage;
	int32		replaced_version;
	const char *detail;
	const char *note;
	const Jsonb *evidence;		/* what gates have seen; of an import, the role */
} SpEvent;

/* Refuses read-only, parallel and recovery (what names the function), becomes the tables' owner, connects to SPI. */
extern void sp_write_begin(SpWrite *write, const char *what);

/* For what is this server's own, also on a subscriber, which sp_write_begin refuses with 55000. */
extern void sp_write_begin_local(SpWrite *write, const char *what);
extern void sp_write_end(SpWrite *write);

/* Run one statement; returns the number of rows. */
extern uint64 sp_write_sql(const char *sql, int n_args, Oid *types, Datum *values, const char *nulls);

/* Column (from 1) of the first row of the statement just run; never null. */
extern Datum sp_write_result(int column);

/*
 * For a change that is in no model's history: run a statement that gives what
 * is to be told of it, a jsonb, and hand that to whoever keeps an audit.
 */
extern void sp_write_audit(const SpWrite *write, const char *action, const char *detail_sql, int n_args,
						   Oid *types, Datum *values);

/* Set by who keeps the audit. */
extern void (*sp_write_audit_hook) (const SpWrite *write, const char *action, const Jsonb *detail);

/* Lock a model's row until the transaction ends, for a caller who has the right (SP_MAY_...) on the model: 42704, 42501. */
extern void sp_write_lock_model_for(const SpWrite *write, const char *name, uint32 bit, SpLockedModel *model);

/*
 * As that, for a version that was found before: by the id of its model, which
 * may have another name by now.  42704 also when the version is gone.
 */
extern void sp_write_lock_found(const SpWrite *write, const SpFoundRows *rows, uint32 bit, SpLockedModel *model);

/* As sp_write_lock_model_for, for the owner. */
extern void sp_write_lock_own_model(const SpWrite *write, const char *name, SpLockedModel *model);

/* sp_registry_stage.c: 42704 unless it is one; the ladder stays as it is until the transaction ends. */
extern void sp_write_check_stage(const char *stage);
extern bool sp_write_serves(const SpLockedModel *model, int32 version, const char *stage);

/*
 * sp_registry_routing.c: the stage serves this version now (0: none, called
 * before the row goes).  What stood beside it and is that version ends, in the
 * history too; counts of a shadow that stays begin again.
 */
extern void sp_write_served_changed(const SpWrite *write, const SpLockedModel *model, const char *stage,
									int32 version);

/* 42704 unless the locked model has the version. */
extern void sp_write_check_version(const SpLockedModel *model, int32 version);

/*
 * sp_registry_history.c: add an event to the history of a locked model, as the next link of its chain.
 *
 * A link is the SHA-256 of the text "smartpouch event 1" with its zero byte, the
 * link before (for the first event 32 zero bytes), and the columns of the row as
 * sp_canonical.h writes them, in this order: model_id, seq, at, recorded_at, model,
 * action, version, stage, replaced_version, detail, note, evidence, session_role,
 * acting_role, api_key_id, client_address.  A column that is added one day makes
 * another text, so that links made before stay what they are.
 */
extern void sp_write_event(const SpWrite *write, const SpLockedModel *model, const SpEvent *event);

/*
 * sp_registry_drop.c: until the transaction ends, nobody takes away the bytes
 * with these hashes, be it because no version that they can see has them.
 */
extern void sp_write_keep_blobs(const uint8 *program, const uint8 *artifact);

/* Take away those of two blobs that neither a version nor a snapshot needs any more. */
extern void sp_write_free_blobs(const uint8 *program, const uint8 *artifact);

/* sp_registry_snapshot.c: keep what a version of a locked model is now; returns the id. */
extern int64 sp_write_snapshot(const SpWrite *write, const SpLockedModel *model,
							   const SpVersionRow *version, const char *label);

/* sp_registry_golden.c: insert a row under the model's lock. */
extern int32 sp_write_golden(const pg_uuid_t *model_id, int32 version, const SpGoldenRow *golden);

#endif
