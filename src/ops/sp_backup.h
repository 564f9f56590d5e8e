/*
 * src/ops/sp_backup.h
 *
 * Backup sets: folders with a manifest, a dump and proofs, and the artefacts that
 * sets share.  doc/backup-format.md specifies what is on disk.
 *
 * All names of files are made here, never taken from a caller, and every file
 * is opened relative to an open folder, without following links.
 */
#ifndef SP_BACKUP_H
#define SP_BACKUP_H

#include "server/sp_compat.h"

#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "utils/jsonb.h"
#include "utils/snapshot.h"

#include "ops/sp_snapshot_file.h"
#include "server/sp_child_process.h"
#include "server/sp_hash.h"

/* ---- sp_backup_folder.c: folders ---- */

#define SP_LABEL_SIZE 32		/* 20261123T050500Z-F-x7k2p9, with its zero byte and room */
#define SP_BACKUP_NAME_SIZE 128
#define SP_BACKUP_PARTIAL ".partial"
#define SP_BACKUP_DELETED ".deleted"
#define SP_BACKUP_ARTEFACTS "artefacts"
#define SP_BACKUP_TOC_LIST "list" SP_BACKUP_PARTIAL

/* An open folder; closed with the memory it was opened in, or before. */
typedef struct SpFolder
{
	MemoryContext mcx;
	MemoryContextCallback callback;
	int			fd;
	char	   *path;			/* for messages */
} SpFolder;

/*
 * smartpouch.backup_directory: 55000 when it is not set, F0000 when it is no
 * folder that the server's user alone may write to, or lies in the data directory.
 */
extern SpFolder *sp_backup_folder(void);

/* Until it is closed; false when somebody else has it, who may be an earlier call of this transaction. */
extern bool sp_folder_lock(const SpFolder *folder);

/* A folder in it; NULL when there is none and missing_ok. */
extern SpFolder *sp_folder_open(const SpFolder *parent, const char *name, bool missing_ok);
extern void sp_folder_close(SpFolder *folder);

/* The folder of a set; NULL and why when what has its name cannot be opened as one. */
extern SpFolder *sp_set_open(const SpFolder *parent, const char *label, char **why);

/* Make one, which must not be there unless exists_ok. */
extern void sp_folder_make(const SpFolder *parent, const char *name, bool exists_ok);
extern void sp_folder_sync(const SpFolder *folder);
extern void sp_folder_rename(const SpFolder *folder, const char *old, const char *new);
extern bool sp_folder_has(const SpFolder *folder, const char *name);

/* Names in it, without . and .., in no order. */
extern List *sp_folder_names(const SpFolder *folder);

/* Remove a file, or a folder and the files in it; never raises, false when something is left. */
extern bool sp_folder_remove(int parent_fd, const char *name);
extern int64 sp_folder_free_bytes(const SpFolder *folder);

/* What runs that did not end left behind; the caller holds the lock. */
extern void sp_backup_sweep(const SpFolder *folder);

/* Names and times by their shape alone. */
extern bool sp_backup_is_label(const char *name);
extern bool sp_backup_is_time(const char *text);
extern bool sp_backup_is_artefact(const char *name);
extern bool sp_backup_is_filter_id(const char *text);

/* The label of a set that began now, or so many seconds later. */
extern void sp_backup_new_label(char kind, int64 seconds_ahead, char label[SP_LABEL_SIZE]);

/* ---- sp_backup_file.c: files ---- */

/* A file of a set; "plain" is what was backed up, "stored" what the filter made of it. */
typedef struct SpBackupFile
{
	char		name[SP_BACKUP_NAME_SIZE];
	int64		plain_bytes;
	uint8		plain_sha256[SP_SHA256_SIZE];
	int64		stored_bytes;
	uint8		stored_sha256[SP_SHA256_SIZE];
} SpBackupFile;

typedef struct SpFileWriter SpFileWriter;

/*
 * A new file, through smartpouch.backup_filter if filtered.  Unless it is
 * finished it goes with the memory it was opened in.
 */
extern SpFileWriter *sp_file_create(const SpFolder *folder, const char *name, bool filtered);
extern void sp_file_append(SpFileWriter *writer, const char *bytes, Size size);

/* To disk, and closed. */
extern void sp_file_finish(SpFileWriter *writer, SpBackupFile *file);

typedef void (*SpFileTake) (void *arg, const char *bytes, Size size);

/*
 * Go through a file as it is stored, from disk as far as the system lets us; take
 * may be NULL.  Fills in the stored facts.  False when it is not there or not a
 * regular file.
 */
extern bool sp_file_read(const SpFolder *folder, const char *name, SpFileTake take, void *arg,
						 SpBackupFile *file);

/* The size of a regular file with one name; -1 for none. */
extern int64 sp_file_size(const SpFolder *folder, const char *name);

/* Go through what was backed up, by smartpouch.restore_filter if filtered; fills in all facts. */
extern bool sp_file_read_plain(const SpFolder *folder, const char *name, bool filtered, SpFileTake take,
							   void *arg, SpBackupFile *file);

/* What smartpouch.backup_filter is, in names and manifests: "" for none, else "f" and 16 digits. */
#define SP_FILTER_ID_SIZE 18
extern void sp_backup_filter_id(char id[SP_FILTER_ID_SIZE]);

/* ---- sp_backup_program.c: the server's own programs ---- */

/* Start pg_dump, pg_restore or psql with these arguments, the connection to a database first. */
extern SpChild *sp_backup_program(const char *program, const char *database, List *arguments);

/* The same, but what users wrote has no rights there: sp_restore_guard.h. */
extern SpChild *sp_backup_guarded_program(const char *program, const char *database, List *arguments);

/* The same without a connection. */
extern SpChild *sp_backup_local_program(const char *program, List *arguments);

/* What it prints when asked for its version, without the end of the line. */
extern char *sp_backup_program_version(const char *program);

/* Run a script by psql and hand over what it prints. */
extern void sp_backup_psql(const char *database, const char *script, SpChildTake take, void *arg);

/* The same, but the reason of a failure is returned, NULL for success. */
extern char *sp_backup_try_psql(const char *database, const char *script, SpChildTake take, void *arg);

/* The same where the script touches tables of users. */
extern char *sp_backup_try_guarded_psql(const char *database, const char *script, SpChildTake take, void *arg);

/* A statement that fails where the connection leads to another server than this one. */
extern char *sp_backup_same_server_sql(void);

/* Raise 38000 with the reason of a failure, if there is one. */
extern void sp_backup_require(const char *why);

/* A setting's command as an argument vector; NULL when it is empty. */
extern char **sp_backup_command(const char *setting);
extern char **sp_backup_environment(void);

/* ---- sp_backup_proof.c: what a restored database must give again ---- */

/* Hands over lines about a database; returns why it cannot.  snapshot NULL: as it is now. */
typedef char *(*SpProof) (const char *database, bool full, const char *snapshot, SpChildTake take, void *arg);

/* About rows of tables, constraints and large objects. */
extern char *sp_backup_tables(const char *database, bool full, const char *snapshot, SpChildTake take, void *arg);

/* Keep what an answer begins with: up to 16 MB, to say where it differs and which tables it lacks. */
extern void sp_backup_keep_beginning(StringInfo text, const char *bytes, Size size);

/* Which tables these lines have no hash of, and why; NULL for none. */
extern char *sp_backup_uncompared(const char *lines);

/* About predictions. */
extern char *sp_backup_probes(const char *database, bool full, const char *snapshot, SpChildTake take, void *arg);

/* Lines about the sequences that the snapshot has, with the values that they have now. */
extern char *sp_backup_sequences_script(bool full, const char *snapshot);

/* What is wrong with the sequences, by the lines from before and after the dump. */
extern char *sp_backup_sequences_compare_script(bool full, const char *lines);

/* ---- sp_backup_manifest.c ---- */

#define SP_BACKUP_FORMAT 1
#define SP_MANIFEST "manifest.json"
#define SP_BACKUP_DUMP "db.dump"
#define SP_BACKUP_TABLES "tables.jsonl"
#define SP_BACKUP_SEQUENCES "sequences.jsonl"
#define SP_BACKUP_PROBES "golden.jsonl"

typedef struct SpManifest
{
	char		label[SP_LABEL_SIZE];
	bool		full;
	char		filter[SP_FILTER_ID_SIZE];
	char	   *started_at;		/* UTC, ISO 8601 */
	char	   *finished_at;
	char	   *database;
	char	   *database_options;	/* of CREATE DATABASE */
	char	   *extension_version;
	char	   *server_version;
	char	   *dump_version;	/* of pg_dump */
	char	   *snapshot;
	char	   *start_lsn;
	char	   *end_lsn;
	uint64		system_identifier;
	uint32		timeline;
	List	   *files;			/* SpBackupFile, in the set's folder */
	List	   *artefacts;		/* SpBackupFile, in SP_BACKUP_ARTEFACTS */
} SpManifest;

/* The whole file, which ends with the hash of what is before. */
extern char *sp_manifest_write(const SpManifest *manifest);

/*
 * Read one; NULL and why (palloc'd) when it is not there, damaged, of another
 * set, of a newer format or not what a manifest can be: none of these raises.
 * hash is that of the whole file.
 */
extern SpManifest *sp_manifest_read(const SpFolder *set, const char *label, uint8 hash[SP_SHA256_SIZE],
									char **why);

/* The file of the set with that name; NULL if the manifest has none. */
extern const SpBackupFile *sp_manifest_file(const SpManifest *manifest, const char *name);

/* Bytes of these files as they are stored. */
extern int64 sp_stored_bytes(const List *files);

/* ---- sp_backup_marks.c: what is found out about a set later ---- */

typedef struct SpVerified
{
	uint8		manifest[SP_SHA256_SIZE];	/* of what was verified */
	const char *at;				/* UTC, ISO 8601 */
	const char *seconds;		/* that the restore took */
} SpVerified;

extern void sp_set_mark_permanent(const SpFolder *set, bool permanent);
extern bool sp_set_is_permanent(const SpFolder *set);
extern void sp_set_mark_verified(const SpFolder *set, const SpVerified *verified);

/* With this manifest; fills in the rest, palloc'd. */
extern bool sp_set_is_verified(const SpFolder *set, const uint8 manifest[SP_SHA256_SIZE], SpVerified *verified);

/* ---- sp_backup_artefacts.c: what the manifests of a folder name ---- */

typedef struct HTAB SpArtefacts;

/* Of all sets that can be read; the first file of a name counts. */
extern SpArtefacts *sp_artefacts_of_sets(const SpFolder *folder);

/* NULL for none, also without a list. */
extern const SpBackupFile *sp_artefacts_find(SpArtefacts *artefacts, const char *name);

/* ---- sp_backup_sql.c ---- */

/* What a statement returned, as texts: row by row, NULL for NULL. */
typedef struct SpRows
{
	uint64		count;
	uint64		columns;
	char	  **texts;
} SpRows;

/*
 * Run a statement as the owner of the registry, with arguments of type text; the
 * rows are palloc'd.  read_only: under the active snapshot.
 */
extern SpRows sp_backup_sql(const char *sql, bool read_only, int n_args, const char *const *args);

/* ---- sp_backup_status.c: rows, rights, locks ---- */

typedef enum SpBackupLock
{
	SP_BACKUP_LOCK_CHANGE = 1,	/* sets come and go */
	SP_BACKUP_LOCK_VERIFY		/* the scratch database */
} SpBackupLock;

/*
 * 42501 unless the caller may run the server's programs; 25001 in a transaction
 * block, 25006 in recovery.
 */
extern void sp_backup_check_caller(const char *what);

/*
 * Until the transaction ends; 55006 when another session of this server has it, or,
 * for SP_BACKUP_LOCK_CHANGE, another server has the folder.
 */
extern void sp_backup_lock(const SpFolder *folder, SpBackupLock lock);

/* Settle rows that no session is at work on, by what the folder has; the caller holds the lock. */
extern void sp_backup_status_settle(const SpFolder *folder);

/* Begin a row; returns its id. */
extern int64 sp_backup_status_begin(const char *label, bool full);

/* remark: what is to be said of it all the same; may be NULL. */
extern void sp_backup_status_complete(int64 id, const SpManifest *manifest, const uint8 hash[SP_SHA256_SIZE],
									  int64 new_bytes, const char *remark);
extern void sp_backup_status_failed(int64 id, const char *reason);

/* Remove rows; ids is an array of bigint as text. */
extern void sp_backup_status_forget(const char *ids);

#define SP_BACKUP_SESSION_ENDED "the session ended while the backup was made"

/*
 * What a verification has found; reason NULL: all is well, restored NULL: not
 * restored.  A set that is not bad keeps its status whatever the reason.
 */
extern void sp_backup_status_verified(int64 id, bool checked, const SpVerified *restored, const char *reason, bool is_bad);

/* ---- sp_backup_rescan.c: rows from the folder ---- */

typedef void (*SpRescanReport) (void *arg, const char *label, const char *change);

/* Make the rows what the folder says; report tells of every change. */
extern void sp_backup_rescan(SpRescanReport report, void *arg);

/* Mark a set, or take the mark back: 42704, 55000 for one that is not there. */
extern void sp_backup_keep(int64 id, bool permanent);

/* ---- sp_backup_progress.c ---- */

typedef enum SpBackupPhase
{
	SP_PHASE_PREPARING,
	SP_PHASE_ARTEFACTS,
	SP_PHASE_DUMP,
	SP_PHASE_PROOFS,
	SP_PHASE_READING_BACK,
	SP_PHASE_RESTORING,
	SP_PHASE_COMPARING
} SpBackupPhase;

extern void sp_progress_begin(int64 id, int64 expected_bytes);
extern void sp_progress_phase(SpBackupPhase phase);
extern void sp_progress_add(int64 bytes);
extern void sp_progress_end(void);

/* ---- sp_backup_scratch.c: a database to try a set in ---- */

#define SP_SCRATCH "smartpouch_verification"

typedef enum SpScratchContent
{
	SP_SCRATCH_ALL,				/* all that the dump has, and the artefacts */
	SP_SCRATCH_REGISTRY			/* what versions are, without their bytes */
} SpScratchContent;

/*
 * Make the database and restore a set into it; NULL, or why the set cannot be
 * restored.  The caller holds SP_BACKUP_LOCK_VERIFY and drops the database
 * whatever happens.  Raises 42P04 when there is one of that name that we did not make.
 */
extern char *sp_scratch_restore(const SpFolder *folder, const SpFolder *set, const SpManifest *manifest,
								SpScratchContent content);

/* Run code with a scratch database that is dropped afterwards, also when it raises. */
extern void sp_with_scratch(void (*code) (void *arg), void *arg);

/* ---- sp_backup_verify.c ---- */

typedef enum SpVerifyLevel
{
	SP_VERIFY_MANIFEST,			/* the manifest, and that its files are there with their sizes */
	SP_VERIFY_CHECKSUM,			/* every byte of the files */
	SP_VERIFY_RESTORE			/* what a restored database gives */
} SpVerifyLevel;

typedef void (*SpVerifyReport) (void *arg, const char *item, bool passed, const char *detail);

/* Report each check, keep the outcome with the set: 42704, 55000 for one that is being made. */
extern void sp_backup_verify(int64 id, SpVerifyLevel level, SpVerifyReport report, void *arg);

/* The label of a backup whose set is there: 42704, 55000. */
extern char *sp_backup_label(const SpFolder *folder, int64 id);

/* ---- sp_backup_expire.c ---- */

typedef struct SpRetention
{
	int			daily;			/* sets of different days to keep, and so on */
	int			weekly;
	int			monthly;
	int			yearly;
	int			minimum;		/* sets that stay however old they are */
} SpRetention;

typedef void (*SpExpireReport) (void *arg, int64 id, const char *label, const char *kind, const char *status);

/* Remove what the retention does not keep, or only report it; 55000 when the clock went back. */
extern void sp_backup_expire(const SpRetention *retention, bool dry_run, SpExpireReport report, void *arg);

/* ---- sp_backup_restore.c: single models ---- */

typedef struct SpBackedVersion
{
	char	   *model;
	int32		version;
	SpSnapshotParts parts;		/* of a snapshot of it */
} SpBackedVersion;

/* May look at the parts until it returns. */
typedef void (*SpTakeVersion) (void *arg, const SpBackedVersion *version);

/*
 * Hand over the versions of a model (NULL: of all) in a backup, in order, with
 * their bytes checked.  42704 for no such backup or no such model in it, 22P03
 * when the set is damaged.
 */
extern void sp_backup_versions(int64 id, const char *model, SpTakeVersion take, void *arg);

/* The version of model name with these bytes that was there before this transaction; 0 for none. */
extern int32 sp_backup_same_version(const char *name, const SpSnapshotParts *parts);

/* ---- sp_backup_run.c ---- */

/* Make a set; returns its id. */
extern int64 sp_backup_run(bool full);

#endif
