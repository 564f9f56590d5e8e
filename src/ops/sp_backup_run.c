/*
 * src/ops/sp_backup_run.c
 *
 * Making a set.
 *
 * Everything is read under the snapshot of the calling statement: the artefacts
 * by this backend, the rest by programs that import it.  The set grows under a
 * partial name, is read back from disk, and gets its manifest and its name last.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "ops/sp_backup.h"
#include "registry/sp_registry.h"
#include "server/sp_guc.h"
#include "server/sp_subtransaction.h"

#define DUMP_BUFFER (256 * 1024)
#define UNDONE_BYTES (16 * 1024 * 1024)	/* of a file, to see whether its filter can be undone */

typedef struct Blob
{
	uint8		sha256[SP_SHA256_SIZE];
	int64		bytes;
} Blob;

typedef struct Run
{
	SpFolder   *folder;			/* of all sets */
	SpFolder   *artefacts;
	SpFolder   *set;			/* under its partial name */
	char		partial[SP_BACKUP_NAME_SIZE];
	MemoryContextCallback callback;
	bool		named;			/* the set has its name */
	SpManifest	manifest;
	List	   *blobs;
	int64		blob_bytes;
	int64		new_bytes;		/* written to disk */
	int64		id;				/* of its row */
	uint8		hash[SP_SHA256_SIZE];	/* of the manifest */
	SpArtefacts *earlier;		/* with a filter: what the sets before have */
	char	   *uncompared;		/* tables without a hash, in the memory of the whole call */
	MemoryContext mcx;
} Run;

/* ---- facts about this database ---- */

#define UTC_NOW "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/* The same columns have other names in other versions. */
static const char describe_sql[] =
	"SELECT " UTC_NOW ", d ->> 'datname', format('ENCODING %L LC_COLLATE %L LC_CTYPE %L',"
	" pg_encoding_to_char((d ->> 'encoding')::integer), d ->> 'datcollate', d ->> 'datctype')"
	" || CASE d ->> 'datlocprovider'"
	" WHEN 'i' THEN format(' LOCALE_PROVIDER icu ICU_LOCALE %L', coalesce(d ->> 'daticulocale', d ->> 'datlocale'))"
	" || coalesce(format(' ICU_RULES %L', d ->> 'daticurules'), '')"
	" WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', d ->> 'datlocale')"
	" ELSE ' LOCALE_PROVIDER libc' END,"
	" (SELECT extversion FROM pg_extension WHERE extname = 'smartpouch'), current_setting('server_version')"
	" FROM (SELECT to_jsonb(r) AS d FROM pg_database r WHERE datname = current_database()) f";

static void
describe(Run *run)
{
	SpManifest *manifest = &run->manifest;
	char	  **facts = sp_backup_sql(describe_sql, true, 0, NULL).texts;

	manifest->started_at = facts[0];
	manifest->database = facts[1];
	manifest->database_options = facts[2];
	manifest->extension_version = facts[3];
	manifest->server_version = facts[4];
	manifest->start_lsn = psprintf("%X/%X", LSN_FORMAT_ARGS(GetXLogInsertRecPtr()));
	manifest->timeline = GetWALInsertionTimeLine();
	manifest->system_identifier = GetSystemIdentifier();
	manifest->dump_version = sp_backup_program_version("pg_dump");
	sp_backup_filter_id(manifest->filter);
}

/* The bytes by their hash, without reading them. */
static void
list_blobs(Run *run)
{
	SpRows		rows = sp_backup_sql("SELECT encode(sha256, 'hex'), sum(octet_length(bytes))"
									 " FROM smartpouch.blob GROUP BY sha256 ORDER BY sha256", true, 0, NULL);

	for (uint64 i = 0; i < rows.count; i++)
	{
		Blob	   *blob = palloc(sizeof(Blob));

		(void) hex_decode(rows.texts[2 * i], 2 * SP_SHA256_SIZE, (char *) blob->sha256);
		blob->bytes = strtoll(rows.texts[2 * i + 1], NULL, 10);
		run->blobs = lappend(run->blobs, blob);
		run->blob_bytes += blob->bytes;
	}
}

/* ---- room ---- */

static const char *
artefact_name(const Run *run, const Blob *blob)
{
	const char *filter = run->manifest.filter;

	return psprintf("%s%s%s", sp_hash_hex(blob->sha256), *filter ? "." : "", filter);
}

/*
 * What the last set of this kind took besides artefacts, and a fifth more; for
 * the first one the size of the tables that are to be dumped.
 */
static int64
expected_dump_bytes(const Run *run)
{
	static const char full[] = "SELECT coalesce((SELECT dump_bytes * 6 / 5 FROM smartpouch.backup"
		" WHERE kind = 'full' AND dump_bytes IS NOT NULL ORDER BY id DESC LIMIT 1),"
		" (SELECT sum(pg_table_size(oid)) FROM pg_class WHERE relkind = 'r' AND relpersistence <> 't'"
		" AND (oid >= 16384 OR oid = 'pg_largeobject'::regclass) AND oid <> 'smartpouch.blob'::regclass))";
	static const char models[] = "SELECT coalesce((SELECT dump_bytes * 6 / 5 FROM smartpouch.backup"
		" WHERE kind = 'models' AND dump_bytes IS NOT NULL ORDER BY id DESC LIMIT 1),"
		" (SELECT sum(pg_table_size(oid)) FROM pg_class"
		" WHERE relnamespace = 'smartpouch'::regnamespace AND relkind = 'r' AND relname <> 'blob'))";

	return strtoll(sp_backup_sql(run->manifest.full ? full : models, true, 0, NULL).texts[0], NULL, 10);
}

static int64
missing_artefact_bytes(const Run *run)
{
	int64		bytes = 0;
	ListCell   *cell;

	foreach(cell, run->blobs)
	{
		const Blob *blob = lfirst(cell);

		if (!sp_folder_has(run->artefacts, artefact_name(run, blob)))
			bytes += blob->bytes;
	}
	return bytes;
}

static void
check_room(const Run *run, int64 dump_bytes)
{
	int64		needed = dump_bytes + missing_artefact_bytes(run);
	int64		free_bytes = sp_folder_free_bytes(run->folder);

	if (needed > free_bytes)
		ereport(ERROR,
				(errcode(ERRCODE_DISK_FULL),
				 errmsg("there is not enough room for the backup in \"%s\"", run->folder->path),
				 errdetail("It is expected to need " INT64_FORMAT " bytes, and " INT64_FORMAT " are free.",
						   needed, free_bytes),
				 errhint("Expire old backups, or make room.")));
}

/* ---- parts ---- */

/* What was written must come back from disk before it counts. */
static void
read_back(const SpFolder *folder, const SpBackupFile *file)
{
	SpBackupFile found;

	if (!sp_file_read(folder, file->name, NULL, NULL, &found) || found.stored_bytes != file->stored_bytes ||
		memcmp(found.stored_sha256, file->stored_sha256, SP_SHA256_SIZE) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("file \"%s/%s\" does not read back as it was written", folder->path, file->name),
				 errhint("Check the disk.")));
}

/* A filter that is wrong is so for every file; the whole proof of the large ones is a restore. */
static void
undo_filter(const Run *run, const SpFolder *folder, const SpBackupFile *file)
{
	SpBackupFile found;

	if (*run->manifest.filter == '\0' || *sp_restore_filter == '\0' || file->plain_bytes > UNDONE_BYTES)
		return;
	if (!sp_file_read_plain(folder, file->name, true, NULL, NULL, &found) || found.plain_bytes != file->plain_bytes ||
		memcmp(found.plain_sha256, file->plain_sha256, SP_SHA256_SIZE) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("smartpouch.restore_filter does not give back what went into smartpouch.backup_filter"),
				 errdetail("File \"%s/%s\".", folder->path, file->name),
				 errhint("Try both commands by hand.")));
}

static void
append(void *writer, const char *bytes, Size size)
{
	sp_file_append(writer, bytes, size);
}

static void
write_artefact(Run *run, const Blob *blob, const char *name, SpBackupFile *file)
{
	char	   *partial = psprintf("%s" SP_BACKUP_PARTIAL, name);
	SpFileWriter *writer = sp_file_create(run->artefacts, partial, *run->manifest.filter != '\0');

	sp_registry_read_blob(blob->sha256, blob->bytes, GetActiveSnapshot(), append, writer);
	sp_file_finish(writer, file);
	read_back(run->artefacts, file);
	undo_filter(run, run->artefacts, file);
	sp_folder_rename(run->artefacts, partial, name);
	strlcpy(file->name, name, sizeof(file->name));
	run->new_bytes += file->stored_bytes;
}

/*
 * Is the file of an earlier set still good?  Without a filter its name says
 * what it must hold; a filter need not give the same bytes twice, so there
 * the earlier set's manifest says it.
 */
static bool
has_artefact(const Run *run, const Blob *blob, const char *name, SpBackupFile *file)
{
	const SpBackupFile *earlier = sp_artefacts_find(run->earlier, name);
	const uint8 *expected = *run->manifest.filter == '\0' ? blob->sha256 :
		earlier != NULL ? earlier->stored_sha256 : NULL;

	if (expected == NULL || !sp_file_read(run->artefacts, name, NULL, NULL, file) ||
		memcmp(file->stored_sha256, expected, SP_SHA256_SIZE) != 0)
		return false;
	file->plain_bytes = blob->bytes;
	memcpy(file->plain_sha256, blob->sha256, SP_SHA256_SIZE);
	sp_progress_add(blob->bytes);
	return true;
}

static void
keep_artefacts(Run *run)
{
	ListCell   *cell;

	sp_progress_phase(SP_PHASE_ARTEFACTS);
	if (*run->manifest.filter != '\0')
		run->earlier = sp_artefacts_of_sets(run->folder);
	foreach(cell, run->blobs)
	{
		const Blob *blob = lfirst(cell);
		const char *name = artefact_name(run, blob);
		SpBackupFile *file = palloc(sizeof(SpBackupFile));

		if (!has_artefact(run, blob, name, file))
			write_artefact(run, blob, name, file);
		run->manifest.artefacts = lappend(run->manifest.artefacts, file);
	}
	sp_folder_sync(run->artefacts);
}

/*
 * Stored bytes are in the artefacts.  Of other schemas the dump of models has
 * nothing; with a schema named, extensions must be too.
 */
static List *
dump_arguments(const Run *run)
{
	List	   *arguments = list_make3("--format=custom", psprintf("--snapshot=%s", run->manifest.snapshot),
									   psprintf("--lock-wait-timeout=%d", sp_backup_lock_timeout));

	arguments = lappend(arguments, "--exclude-table-data=smartpouch.blob");
	/* the default level takes most of a backup's time, and saves a few percent */
	arguments = lappend(arguments, "--compress=1");
	if (!run->manifest.full)
	{
		arguments = lappend(arguments, "--schema=smartpouch");
		arguments = lappend(arguments, "--extension=smartpouch");
	}
	return arguments;
}

static void
end_file(Run *run, SpFileWriter *writer)
{
	SpBackupFile *file = palloc(sizeof(SpBackupFile));

	sp_file_finish(writer, file);
	run->manifest.files = lappend(run->manifest.files, file);
	run->new_bytes += file->stored_bytes;
}

/*
 * What pg_dump holds when it begins to write is to stay as it is for the proofs:
 * a change that comes would be made as soon as it ends.  Without waiting, for who waits
 * for pg_dump is before us; and before its output is taken, so that it has not ended.
 */
static void
hold_tables(Run *run)
{
	const char *full = run->manifest.full ? "true" : "false";
	SpRows		rows = sp_backup_sql("SELECT oid FROM (VALUES ('r'::\"char\"), ('S')) k (kind), smartpouch._backup_relations($1::boolean, k.kind)",
									 true, 1, &full);

	for (uint64 i = 0; i < rows.count; i++)
		(void) ConditionalLockRelationOid((Oid) strtoul(rows.texts[i], NULL, 10), AccessShareLock);
}

static void
dump(Run *run)
{
	bool		filtered = *run->manifest.filter != '\0';
	char	   *buffer = palloc(DUMP_BUFFER);
	SpFileWriter *writer;
	SpChild    *child;
	Size		got;

	sp_progress_phase(SP_PHASE_DUMP);
	writer = sp_file_create(run->set, SP_BACKUP_DUMP, filtered);
	child = sp_backup_program("pg_dump", run->manifest.database, dump_arguments(run));
	sp_child_await(child);
	hold_tables(run);
	while ((got = sp_child_read(child, buffer, DUMP_BUFFER)) > 0)
		sp_file_append(writer, buffer, got);
	sp_child_finish(child);
	end_file(run, writer);
}

typedef struct Proof
{
	SpFileWriter *writer;
	StringInfoData lines;		/* their beginning */
} Proof;

static void
append_proof(void *arg, const char *bytes, Size size)
{
	Proof	   *proof = arg;

	sp_file_append(proof->writer, bytes, size);
	sp_backup_keep_beginning(&proof->lines, bytes, size);
}

static void
prove(Run *run, const char *name, SpProof give)
{
	Proof		proof = {.writer = sp_file_create(run->set, name, *run->manifest.filter != '\0')};
	char	   *uncompared;

	initStringInfo(&proof.lines);
	sp_progress_phase(SP_PHASE_PROOFS);
	sp_backup_require(give(run->manifest.database, run->manifest.full, run->manifest.snapshot, append_proof, &proof));
	end_file(run, proof.writer);
	uncompared = sp_backup_uncompared(proof.lines.data);
	if (uncompared != NULL)
		run->uncompared = MemoryContextStrdup(run->mcx, uncompared);
}

static void
finish_set(Run *run)
{
	SpManifest *manifest = &run->manifest;
	SpFileWriter *writer;
	SpBackupFile file;
	ListCell   *cell;
	char	   *text;

	sp_progress_phase(SP_PHASE_READING_BACK);
	foreach(cell, manifest->files)
	{
		read_back(run->set, lfirst(cell));
		undo_filter(run, run->set, lfirst(cell));
	}
	manifest->finished_at = sp_backup_sql("SELECT " UTC_NOW, false, 0, NULL).texts[0];
	manifest->end_lsn = psprintf("%X/%X", LSN_FORMAT_ARGS(GetXLogInsertRecPtr()));
	text = sp_manifest_write(manifest);
	writer = sp_file_create(run->set, SP_MANIFEST, false);
	sp_file_append(writer, text, strlen(text));
	sp_file_finish(writer, &file);
	read_back(run->set, &file);
	memcpy(run->hash, file.stored_sha256, SP_SHA256_SIZE);
	run->new_bytes += file.stored_bytes;
	sp_folder_sync(run->set);
	sp_folder_rename(run->folder, run->partial, manifest->label);
	run->named = true;
}

/* ---- the whole ---- */

/* Without a name it is no set, so nothing of it stays. */
static void
release_set(void *arg)
{
	Run		   *run = arg;

	if (!run->named)
		(void) sp_folder_remove(run->folder->fd, run->partial);
}

static void
make_set(void *arg)
{
	Run		   *run = arg;
	bool		full = run->manifest.full;
	const char *snapshot = run->manifest.snapshot;
	SpFileWriter *sequences;
	int64		dump_bytes;

	describe(run);
	sp_backup_psql(run->manifest.database, sp_backup_same_server_sql(), NULL, NULL);
	sp_backup_sweep(run->folder);
	sp_folder_make(run->folder, SP_BACKUP_ARTEFACTS, true);
	run->artefacts = sp_folder_open(run->folder, SP_BACKUP_ARTEFACTS, false);
	list_blobs(run);
	dump_bytes = expected_dump_bytes(run);
	check_room(run, dump_bytes);
	sp_progress_begin(run->id, dump_bytes + run->blob_bytes);
	sp_folder_make(run->folder, run->partial, false);
	run->callback.func = release_set;
	run->callback.arg = run;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &run->callback);
	run->set = sp_folder_open(run->folder, run->partial, false);
	keep_artefacts(run);
	sequences = sp_file_create(run->set, SP_BACKUP_SEQUENCES, *run->manifest.filter != '\0');
	sp_backup_psql(run->manifest.database, sp_backup_sequences_script(full, snapshot), append, sequences);
	dump(run);
	sp_backup_psql(run->manifest.database, sp_backup_sequences_script(full, snapshot), append, sequences);
	end_file(run, sequences);
	prove(run, SP_BACKUP_TABLES, sp_backup_tables);
	prove(run, SP_BACKUP_PROBES, sp_backup_probes);
	finish_set(run);
	sp_progress_end();
}

/* What a program says of a table need not say whose it is, or who keeps it locked. */
static void
explain(ErrorData *error)
{
	const char *why = psprintf("%s %s", error->message, error->detail == NULL ? "" : error->detail);
	char	   *obstacles;

	if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE && error->sqlerrcode != ERRCODE_EXTERNAL_ROUTINE_EXCEPTION)
		return;
	obstacles = sp_backup_sql("SELECT smartpouch._backup_obstacles($1)", false, 1, &why).texts[0];
	if (obstacles == NULL)
		return;
	error->detail = error->detail == NULL ? obstacles : psprintf("%s\n%s", error->detail, obstacles);
	error->hint = "Ask the owner, or end who keeps the lock, and try again. Backups of kind \"models\" do not need tables of others.";
}

int64
sp_backup_run(bool full)
{
	Run		   *run = palloc0(sizeof(Run));
	ErrorData  *error;

	sp_backup_check_caller("backup()");
	/* what this session waits for is bounded as pg_dump is */
	(void) set_config_option("lock_timeout", psprintf("%d", sp_backup_lock_timeout), PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	run->folder = sp_backup_folder();
	sp_backup_lock(run->folder, SP_BACKUP_LOCK_CHANGE);
	sp_backup_new_label(full ? 'F' : 'M', 0, run->manifest.label);
	snprintf(run->partial, sizeof(run->partial), "%s" SP_BACKUP_PARTIAL, run->manifest.label);
	run->manifest.full = full;
	run->mcx = CurrentMemoryContext;
	/* not from a subtransaction */
	run->manifest.snapshot = ExportSnapshot(GetActiveSnapshot());
	sp_backup_status_settle(run->folder);
	run->id = sp_backup_status_begin(run->manifest.label, full);
	/* an error leaves a session that can still write the reason down */
	error = sp_subtransaction(make_set, run);
	if (error != NULL)
	{
		explain(error);
		sp_backup_status_failed(run->id, error->detail == NULL ? error->message :
								psprintf("%s: %s", error->message, error->detail));
		ReThrowError(error);
	}
	sp_backup_status_complete(run->id, &run->manifest, run->hash, run->new_bytes, run->uncompared);
	if (run->uncompared != NULL)
		ereport(WARNING,
				(errmsg("backup \"%s\" is complete, but its restore cannot be compared in full", run->manifest.label),
				 errdetail_internal("%s", run->uncompared)));
	return run->id;
}
