/*
 * src/registry/sp_registry.h
 *
 * The tables of sql/install/10_tables.sql as C structs.
 *
 * Reads are index scans under a given snapshot (NULL: the latest committed
 * state and our own changes) and check no SQL privileges.  Writes go through
 * SPI as the owner of the tables; they check the caller's right first.
 */
#ifndef SP_REGISTRY_H
#define SP_REGISTRY_H

#include "server/sp_compat.h"

#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "registry/sp_reference.h"
#include "server/sp_guc.h"
#include "server/sp_hash.h"

/* ---- sp_registry_tables.c: finding the tables, learning of changes ---- */

typedef enum SpTable
{
	SP_TABLE_MODEL,
	SP_TABLE_BLOB,
	SP_TABLE_VERSION,
	SP_TABLE_DEPLOYMENT,
	SP_TABLE_ALIAS,
	SP_TABLE_STAGE,
	SP_TABLE_EVENT,
	SP_TABLE_GOLDEN,
	SP_TABLE_EVALUATION,
	SP_TABLE_MODEL_GRANT,
	SP_TABLE_ACCESS_GRANT,
	SP_TABLE_SNAPSHOT,
	SP_TABLE_EVENT_HEAD,
	SP_TABLE_CLUSTER,
	SP_TABLE_API_KEY,
	SP_TABLE_OWNER_LIMIT,
	SP_TABLE_QUOTA_USE,
	SP_TABLE_BASELINE
} SpTable;

#define SP_N_TABLES (SP_TABLE_BASELINE + 1)

typedef enum SpIndex
{
	SP_INDEX_MODEL_ID,
	SP_INDEX_MODEL_NAME,
	SP_INDEX_BLOB,
	SP_INDEX_VERSION,
	SP_INDEX_VERSION_PROGRAM,
	SP_INDEX_VERSION_ARTIFACT,
	SP_INDEX_DEPLOYMENT,
	SP_INDEX_ALIAS,
	SP_INDEX_STAGE,
	SP_INDEX_EVENT,
	SP_INDEX_EVENT_DROPPED,		/* only of models that are gone, by name */
	SP_INDEX_GOLDEN,
	SP_INDEX_EVALUATION,
	SP_INDEX_MODEL_GRANT,
	SP_INDEX_ACCESS_GRANT,
	SP_INDEX_SNAPSHOT,
	SP_INDEX_SNAPSHOT_PROGRAM,
	SP_INDEX_SNAPSHOT_ARTIFACT,
	SP_INDEX_EVENT_HEAD,
	SP_INDEX_CLUSTER,
	SP_INDEX_API_KEY,
	SP_INDEX_OWNER_LIMIT,
	SP_INDEX_QUOTA_USE,
	SP_INDEX_BASELINE
} SpIndex;

#define SP_N_INDEXES (SP_INDEX_BASELINE + 1)

/* 25006 where nothing can be written (what names the function): before long work whose result is to be stored. */
extern void sp_write_check(const char *what);

/*
 * Grows whenever a registry table, a role or the members of one may have
 * changed, by whatever session.  A
 * change can be visible to a snapshot a moment before this tells of it, and
 * told of while an older snapshot still runs: sp_registry_rows_hold orders
 * what was remembered with the snapshot at hand.
 */
extern uint64 sp_registry_generation;

/* Once per process, from _PG_init. */
extern void sp_registry_init(void);

/*
 * Raise 55000 when the extension is not installed in this database or its SQL
 * objects are of a version that this library does not know.
 */
extern Oid	sp_registry_table(SpTable table);
extern Oid	sp_registry_index(SpIndex index);
extern Oid	sp_registry_owner(void);

/* False when they would raise. */
extern bool sp_registry_fits(void);

/* ---- sp_registry_cluster.c ---- */

/* The name of this cluster that was kept when the extension was created; NULL for none. */
extern const char *sp_registry_cluster_id(void);

/* ---- sp_registry_subscription.c ---- */

typedef enum SpSubscription
{
	SP_NOT_SUBSCRIBED,
	SP_SUBSCRIBED,				/* rows come from a publisher */
	SP_HALF_COPIED				/* and have not all come for the first time */
} SpSubscription;

/*
 * By what snapshot sees, as of the rows themselves: tables are copied one by
 * one, and until all are, rows of several may not belong together.
 */
extern SpSubscription sp_registry_subscription(Snapshot snapshot);

/* ---- sp_registry_read.c ---- */

typedef struct SpModelRow
{
	pg_uuid_t	id;
	char		name[SP_NAME_SIZE];
	Oid			owner_oid;
	char		owner_cluster[SP_CLUSTER_ID_SIZE];
} SpModelRow;

typedef struct SpVersionRow
{
	pg_uuid_t	model_id;
	int32		version;
	uint8		program[SP_SHA256_SIZE];
	int64		program_bytes;
	uint8		artifact[SP_SHA256_SIZE];
	int64		artifact_bytes;
	int64		row_cost;		/* nanoseconds, sp_row_cost.h */
} SpVersionRow;

typedef enum SpFound
{
	SP_FOUND,
	SP_NO_MODEL,
	SP_NO_VERSION,
	SP_NO_TARGET,				/* neither a stage nor an alias of the model */
	SP_NOTHING_DEPLOYED,		/* a stage that serves no version */
	SP_NOT_COPIED				/* a subscriber's copy that is not complete yet */
} SpFound;

/* What stands beside the version that a stage serves; versions are 0 for none. */
typedef struct SpRouting
{
	double		canary_percent; /* of routing keys, 0 .. 100 */
	double		shadow_percent; /* of calls */
	TimestampTz shadow_since;	/* when this pair began: names its counts */
	int32		canary_version;
	int32		shadow_version;
} SpRouting;

/* What a reference was resolved to, and where the rows are that say so. */
typedef struct SpFoundRows
{
	SpModelRow	model;
	SpVersionRow version;
	ItemPointerData model_tid;
	ItemPointerData version_tid;
	ItemPointerData target_tid; /* in target_table, if a stage or alias was named */
	SpTable		target_table;
	char		target[SP_NAME_SIZE];	/* its name; empty if none was named */
	SpRouting	routing;		/* of a stage; zeros for anything else */
} SpFoundRows;

extern SpFound sp_registry_find(const SpReference *reference, Snapshot snapshot, SpFoundRows *rows);
extern bool sp_registry_find_model(const char *name, Snapshot snapshot, SpModelRow *model);
extern bool sp_registry_find_model_by_id(const pg_uuid_t *id, Snapshot snapshot, SpModelRow *model);

typedef bool (*SpAcceptModel) (const SpModelRow *model);

/* A version whose stored form has this hash, of a model that accept takes (NULL: any). */
extern bool sp_registry_find_program(const uint8 *program, Snapshot snapshot, SpAcceptModel accept,
									 SpFoundRows *rows);

/* Does a version or a snapshot need the bytes with this hash, as a stored form or as a file? */
extern bool sp_registry_blob_is_needed(const uint8 *sha256, Snapshot snapshot);

/* Does snapshot see a version with this hash that a transaction other than ours has committed? */
extern bool sp_registry_program_is_committed(const uint8 *program, Snapshot snapshot);

/* Raise the error for anything but SP_FOUND: 42704 or 55000. */
extern void sp_registry_not_found(SpFound found, const SpReference *reference) SP_NORETURN;

/* Every version that answers for a stage, canaries too; palloc'd. */
typedef struct SpDeployed
{
	char		model[SP_NAME_SIZE];
	SpVersionRow version;
} SpDeployed;

/* *lost counts deployments and aliases whose model or version is not there. */
extern SpDeployed *sp_registry_deployed(Snapshot snapshot, int *count, int *lost);

/* Models whose owner means no role of this cluster. */
extern int	sp_registry_unowned(Snapshot snapshot);

/*
 * Triggers of the registry's tables that do not fire in every session, and
 * tables that lack the one that tells of changes.
 */
extern int	sp_registry_silent_triggers(void);

extern bool sp_registry_is_stage(const char *name, Snapshot snapshot);
extern bool sp_registry_is_default_ladder(const char **stages, int count);

/* Golden rows of a version in order of seq; palloc'd. */
typedef struct SpGoldenRow
{
	int32		seq;
	Jsonb	   *features;
	Jsonb	   *expected;
	double		tolerance;
} SpGoldenRow;

extern SpGoldenRow *sp_registry_golden(const SpFoundRows *rows, Snapshot snapshot, int *count);

/* ---- sp_registry_hold.c ---- */

/*
 * Does snapshot see the same rows in the same places?  Of every row a snapshot
 * sees one state only, so they mean the same to it.  A fetch by place for
 * each row; false may also mean that a row has moved.
 */
extern bool sp_registry_rows_hold(const SpFoundRows *rows, Snapshot snapshot);

/* ---- sp_registry_blob.c ---- */

/*
 * The bytes of a blob, in mcx (over 1 GB possible).  Raises XX001 when pieces
 * are missing or the hash does not match.
 */
extern char *sp_registry_blob(const uint8 *sha256, int64 size, Snapshot snapshot, MemoryContext mcx);

/* As sp_registry_blob, but NULL for what is damaged. */
extern char *sp_registry_try_blob(const uint8 *sha256, int64 size, Snapshot snapshot, MemoryContext mcx);

typedef void (*SpBlobTake) (void *arg, const char *bytes, Size size);

/*
 * As sp_registry_blob, but piece by piece, so that it needs memory for one; take
 * has had all bytes when it raises that the hash does not match.
 */
extern void sp_registry_read_blob(const uint8 *sha256, int64 size, Snapshot snapshot, SpBlobTake take, void *arg);

/* Are all pieces of a blob there, by their sizes? Reads no bytes. */
extern bool sp_registry_blob_is_whole(const uint8 *sha256, int64 size, Snapshot snapshot);

/* ---- sp_registry_write.c ---- */

typedef struct SpNewVersion
{
	const SpGoldenRow *golden;
	int			n_golden;
	const void *program;
	Size		program_bytes;
	const void *artifact;
	Size		artifact_bytes;
	Jsonb	   *evaluations;	/* array of those of a snapshot; NULL for none */
	const char *origin;			/* where it comes from if not from a model file; NULL */
	const char *source_format;
	const char *producer;
	const char *objective;
	const char *task;
	Datum		feature_names;	/* text[] */
	Datum		feature_types;	/* text[] */
	Datum		labels;			/* text[], or 0 for none */
	bool		accepts_missing;
	Datum		on_missing;		/* jsonb: the options of the import */
	const char *on_unseen;
	int64		trees;
	int64		nodes;
	int64		parameters;
	int64		memory_bytes;
	int64		row_cost;		/* nanoseconds, sp_row_cost.h */
} SpNewVersion;

/* The next version of model name, which is made if it is new; returns its number. 42501 for a model of others. */
extern int32 sp_registry_add_version(const char *name, const SpNewVersion *version);

/* 42704 unknown, 42710 taken, 42501 not the owner. */
extern void sp_registry_rename(const char *old, const char *new);
extern void sp_registry_set_owner(const char *model, Oid role);

/* Give all models of one role of this cluster to another; returns how many. 42704, 42501. */
extern int32 sp_registry_reassign(Oid from, Oid to);

/* The API key that the caller has shown, for the history; NULL for none. Set by who knows of keys. */
extern const char *(*sp_registry_api_key) (void);

/* ---- sp_registry_grants.c ---- */

/* What a role may do with a model: bits. An owner, superuser or administrator may do everything. */
#define SP_MAY_SEE		0x01	/* that it is there, its facts and history; comes with every other */
#define SP_MAY_PREDICT	0x02
#define SP_MAY_READ		0x04	/* file and weights */
#define SP_MAY_DEPLOY	0x08
#define SP_MAY_OWN		0x10
#define SP_MAY_ALL		0x1f

/* By the latest committed state and our own changes, as the server's own rights are. */
extern uint32 sp_registry_may(Oid user, const pg_uuid_t *model_id, Oid owner_oid, const char *owner_cluster);

/* With models that are gone, or any: SP_MAY_ALL for administrators, SP_MAY_SEE for who monitors. */
extern uint32 sp_registry_may_all(Oid user);

/* Raise 42501 that user lacks one bit on a model of that name. */
extern void sp_registry_denied(Oid user, const char *model, uint32 bit) SP_NORETURN;

/* The caller must own the model. privilege is predict, read or deploy: 22023. */
extern void sp_registry_grant_model(const char *model, Oid role, const char *privilege);
extern void sp_registry_revoke_model(const char *model, Oid role, const char *privilege);

/* The caller must be an administrator. level is predictor, deployer, monitor or admin: 22023. */
extern void sp_registry_grant_access(Oid role, const char *level);
extern void sp_registry_revoke_access(Oid role, const char *level);

/* ---- sp_registry_stage.c: what serves ---- */

/* All raise 42704 for what is not there, and 42501 unless the caller may deploy. */
/* evidence is what a gate has seen, or NULL. */
extern void sp_registry_promote(const char *model, int32 version, const char *stage, const char *note,
								const Jsonb *evidence);

/* Back to what the last promotion replaced, which is returned; 55000 when there is nothing below. */
extern int32 sp_registry_rollback(const char *model, const char *stage, const char *note);

/* Nothing serves the stage any more, and nothing is kept to go back to; 55000 when nothing did. */
extern void sp_registry_drop_deployment(const char *model, const char *stage, const char *note);
extern void sp_registry_set_alias(const char *model, const char *alias, int32 version);
extern void sp_registry_drop_alias(const char *model, const char *alias);

/*
 * Make these names the ladder, lowest first.  42501; 22023 for one twice or no
 * production; 54000 for too many; 2BP01 while a stage that would go serves a
 * version; 42710 when a new one is an alias of a model.
 */
extern void sp_registry_set_stages(const char **stages, int count);

/* ---- sp_registry_routing.c: what stands beside the version that serves ---- */

typedef enum SpBeside
{
	SP_CANARY,
	SP_SHADOW
} SpBeside;

/*
 * Put a version beside the one that serves the stage, in place of the one that
 * was there.  42704, 42501 unless the caller may deploy, 22023 for the version
 * that serves or a percentage outside 0 .. 100, 55000 when the stage serves
 * nothing.  evidence is what a gate has seen, or NULL.
 */
extern void sp_registry_set_beside(SpBeside beside, const char *model, const char *stage, int32 version,
								   double percent, const Jsonb *evidence);

/* 42704 when there is none. */
extern void sp_registry_drop_beside(SpBeside beside, const char *model, const char *stage);

/* ---- sp_registry_gate.c ---- */

/* A version that is to pass the gate of a stage. */
typedef struct SpGate
{
	Jsonb	   *rule;
	pg_uuid_t	model_id;
	int32		version;
	Oid			promoter;		/* role of the session */
} SpGate;

/* The caller must be an administrator; 42704 for what is no stage or has no gate. */
extern void sp_registry_set_gate(const char *stage, Jsonb *rule);
extern void sp_registry_drop_gate(const char *stage);

/*
 * Is there a gate between the version and the stage?  what is the function for messages.  Raises what
 * sp_registry_promote would; its locks stay until the transaction ends.  A
 * version that serves the stage already has passed.
 */
extern bool sp_registry_gate(const char *what, const char *model, int32 version, const char *stage, SpGate *gate);

/* The rest is palloc'd, and NULL for nothing. */
extern Jsonb *sp_registry_newest_evaluation(const SpGate *gate, const char *dataset);
extern double sp_registry_seconds_served(const SpGate *gate, const char *stage);
extern char *sp_registry_stage_below(const char *stage);

/*
 * The name of who imported the version, at that time.  Whether it was the
 * promoter is seen by the role's OID and cluster, whatever either is called by
 * now; of versions imported before those were kept, or elsewhere, by the name.
 */
extern char *sp_registry_importer(const SpGate *gate, bool *is_promoter);

/* ---- sp_registry_drop.c ---- */

/*
 * 2BP01 while a stage or alias serves the version, or one of the model; bytes
 * that no version has any more go too.  The history stays.
 */
extern void sp_registry_drop_version(const SpFoundRows *rows);
extern void sp_registry_drop_model(const char *name);

/* ---- sp_registry_expire.c ---- */

/* The last event that was removed from a history, 0 for none, and its hash (zeros for none). */
extern int64 sp_registry_event_head(const pg_uuid_t *model_id, Snapshot snapshot, uint8 hash[SP_SHA256_SIZE]);

/*
 * Remove the events before a time, but none that tells what a stage served then
 * or that comes after such a one; returns how many, or would be.  For the owner.
 */
extern int64 sp_registry_expire_history(const char *model, TimestampTz before, bool dry_run);

/* ---- sp_registry_history_read.c ---- */

/* What is wrong with a history, at or about its event number seq. */
typedef struct SpHistoryProblem
{
	pg_uuid_t	model_id;
	const char *model;			/* its name in the history; NULL when no event tells */
	int64		seq;
	const char *problem;
} SpHistoryProblem;

typedef void (*SpHistoryReport) (void *arg, const SpHistoryProblem *problem);

/* Report everything that is wrong with the chain of one model, which may be dropped. */
extern void sp_registry_verify_history(const pg_uuid_t *model_id, Snapshot snapshot,
									   SpHistoryReport report, void *arg);

/* Models that there are or were, by all tables that tell; with a name only those that have or had it last. */
extern pg_uuid_t *sp_registry_known_models(const char *name, Snapshot snapshot, int *count);

/* The event that decided what a stage served at a time. */
typedef struct SpServed
{
	int64		seq;
	int32		version;		/* 0: nothing */
	int32		replaced_version;	/* 0: nothing */
	TimestampTz recorded_at;
	char	   *action;
	char	   *session_role;
	char	   *acting_role;
	char	   *note;			/* or NULL */
} SpServed;

/* False when no event up to then is about the stage. */
extern bool sp_registry_served(const pg_uuid_t *model_id, const char *stage, TimestampTz at,
							   Snapshot snapshot, SpServed *served);

/* ---- sp_registry_digest.c ---- */

/* See registry_digest() in doc/reference.md for what it covers. */
extern void sp_registry_digest(Snapshot snapshot, uint8 digest[SP_SHA256_SIZE]);

/* ---- sp_registry_golden.c ---- */

/* Adds a row as the next seq of the version, which it returns. */
extern int32 sp_registry_add_golden(const SpFoundRows *rows, const SpGoldenRow *golden);
extern void sp_registry_drop_golden(const SpFoundRows *rows, int32 seq);

/* ---- sp_registry_evaluation.c ---- */

extern void sp_registry_record_evaluation(const SpFoundRows *rows, const char *dataset, Jsonb *metrics);

/* ---- sp_registry_snapshot.c ---- */

typedef struct SpSnapshotRow
{
	int64		id;
	char		model[SP_NAME_SIZE];
	Oid			owner_oid;
	char		owner_cluster[SP_CLUSTER_ID_SIZE];
	Jsonb	   *content;		/* palloc'd */
	SpVersionRow version;
	uint8		sha256[SP_SHA256_SIZE]; /* its identity */
} SpSnapshotRow;

/* What identifies a snapshot: a hash over the hashes of its parts. */
extern void sp_snapshot_identity(const uint8 *content, const uint8 *program, const uint8 *artifact,
								 uint8 identity[SP_SHA256_SIZE]);

/* The text of a snapshot's content that is hashed and exported, in UTF-8; palloc'd. */
extern char *sp_snapshot_content(Jsonb *content, Size *size);

/* Keep what the version is now; returns the id. 42501 unless the caller may deploy. */
extern int64 sp_registry_snapshot(const SpFoundRows *rows, const char *label);

/* 42704 */
extern void sp_registry_find_snapshot(int64 id, Snapshot snapshot, SpSnapshotRow *row);

/* These check no right. */
extern void sp_registry_set_snapshot_signature(int64 id, const char *signature);
extern void sp_registry_drop_snapshot(const SpSnapshotRow *row);

/* ---- sp_registry_upload.c ---- */

extern int64 sp_registry_upload_begin(const char *name);

/* 42704 for an upload that is not the caller's, 54000 over smartpouch.max_model_size */
extern void sp_registry_upload_chunk(int64 id, int32 seq, Datum bytes);

/* The pieces joined, in mcx; *name is palloc'd. 22023 when one is missing. */
extern char *sp_registry_upload_bytes(int64 id, MemoryContext mcx, Size *size, char **name);
extern void sp_registry_upload_end(int64 id);

#endif
