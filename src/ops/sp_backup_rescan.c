/*
 * src/ops/sp_backup_rescan.c
 *
 * The folder is the truth: rows that are lost come back, and rows whose set is
 * lost say so.
 */
#include "server/sp_compat.h"

#include "utils/builtins.h"
#include "utils/memutils.h"

#include "ops/sp_backup.h"

typedef struct Rescan
{
	SpFolder   *folder;
	SpRescanReport report;
	void	   *arg;
} Rescan;

/* What the folder says of a set, against its row; a row that fits is left alone. */
static const char *
compare(const SpFolder *set, const SpManifest *manifest, const uint8 hash[SP_SHA256_SIZE])
{
	int64		dump_bytes = sp_stored_bytes(manifest->files);
	SpVerified	verified = {.at = NULL};
	bool		is_verified = sp_set_is_verified(set, hash, &verified);
	const char *args[] = {
		manifest->label, manifest->full ? "full" : "models", is_verified ? "verified" : "complete",
		manifest->started_at, manifest->finished_at, is_verified ? verified.at : NULL,
		is_verified ? verified.seconds : NULL, sp_set_is_permanent(set) ? "true" : "false",
		psprintf(INT64_FORMAT, dump_bytes + sp_stored_bytes(manifest->artefacts)), psprintf(INT64_FORMAT, dump_bytes),
		psprintf("%d", list_length(manifest->artefacts)), sp_hash_hex(hash), manifest->server_version,
		manifest->extension_version, manifest->database
	};
	SpRows		rows = sp_backup_sql("INSERT INTO smartpouch.backup AS b (label, kind, status, started_at, finished_at,"
									 " verified_at, restore_seconds, permanent, bytes, dump_bytes, artefacts, manifest_sha256,"
									 " server_version, extension_version, database) VALUES ($1, $2, $3, $4::timestamptz, $5::timestamptz,"
									 " $6::timestamptz, $7::double precision, $8::boolean, $9::bigint, $10::bigint, $11::integer,"
									 " decode($12, 'hex'), $13, $14, $15)"
									 " ON CONFLICT (label) DO UPDATE SET status = excluded.status, reason = NULL,"
									 " finished_at = excluded.finished_at, verified_at = excluded.verified_at,"
									 " restore_seconds = excluded.restore_seconds, permanent = excluded.permanent,"
									 " bytes = excluded.bytes, dump_bytes = excluded.dump_bytes, artefacts = excluded.artefacts,"
									 " manifest_sha256 = excluded.manifest_sha256, server_version = excluded.server_version,"
									 " extension_version = excluded.extension_version"
									 /* what a check has found stays: a manifest alone cannot tell */
									 " WHERE b.status = 'running' OR b.status = 'failed' AND b.checked_at IS NULL"
									 " OR b.permanent <> excluded.permanent"
									 " RETURNING xmax = 0", false, lengthof(args), args);

	return rows.count == 0 ? NULL : *rows.texts[0] == 't' ? "added" : "changed";
}

static const char *
fail(const char *label, const char *why)
{
	const char *args[] = {label, label[strlen("20261123T050500Z-")] == 'F' ? "full" : "models", why};
	SpRows		rows = sp_backup_sql("INSERT INTO smartpouch.backup AS b (label, database, kind, status, reason)"
									 " VALUES ($1, current_database(), $2, 'failed', $3) ON CONFLICT (label) DO UPDATE"
									 " SET status = 'failed', reason = excluded.reason WHERE b.status <> 'failed' RETURNING 1",
									 false, lengthof(args), args);

	return rows.count == 0 ? NULL : "failed";
}

static void
look_at(const Rescan *rescan, const char *label)
{
	MemoryContext mcx = AllocSetContextCreate(CurrentMemoryContext, "smartpouch rescan", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(mcx);
	char	   *why;
	SpFolder   *set = sp_set_open(rescan->folder, label, &why);
	uint8		hash[SP_SHA256_SIZE];
	SpManifest *manifest = set == NULL ? NULL : sp_manifest_read(set, label, hash, &why);
	const char *change = manifest == NULL ? fail(label, why) : compare(set, manifest, hash);

	MemoryContextSwitchTo(old);
	if (change != NULL)
		rescan->report(rescan->arg, label, change);
	MemoryContextDelete(mcx);
}

/* Rows of sets that the folder does not have. */
static void
look_for_lost(const Rescan *rescan)
{
	SpRows		rows = sp_backup_sql("SELECT label, status FROM smartpouch.backup WHERE status <> 'failed' ORDER BY label",
									 false, 0, NULL);

	for (uint64 i = 0; i < rows.count; i++)
	{
		const char *label = rows.texts[2 * i];
		const char *why = strcmp(rows.texts[2 * i + 1], "running") == 0 ? SP_BACKUP_SESSION_ENDED :
			"the set is not in smartpouch.backup_directory";

		if (!sp_folder_has(rescan->folder, label) && fail(label, why) != NULL)
			rescan->report(rescan->arg, label, "failed");
	}
}

static int
by_text(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

void
sp_backup_rescan(SpRescanReport report, void *arg)
{
	Rescan		rescan = {NULL, report, arg};
	List	   *names;
	ListCell   *cell;

	sp_backup_check_caller("rescan_backups()");
	rescan.folder = sp_backup_folder();
	sp_backup_lock(rescan.folder, SP_BACKUP_LOCK_CHANGE);
	sp_backup_sweep(rescan.folder);
	names = sp_folder_names(rescan.folder);
	list_sort(names, by_text);
	foreach(cell, names)
		if (sp_backup_is_label(lfirst(cell)))
			look_at(&rescan, lfirst(cell));
	look_for_lost(&rescan);
}

char *
sp_backup_label(const SpFolder *folder, int64 id)
{
	const char *args[] = {psprintf(INT64_FORMAT, id)};
	SpRows		rows = sp_backup_sql("SELECT label, status FROM smartpouch.backup WHERE id = $1::bigint",
									 false, lengthof(args), args);

	if (rows.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("backup " INT64_FORMAT " does not exist", id),
				 errhint("The view smartpouch.backups lists them.")));
	if (strcmp(rows.texts[1], "running") == 0 || !sp_backup_is_label(rows.texts[0]) ||
		!sp_folder_has(folder, rows.texts[0]))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there is no set of backup " INT64_FORMAT, id),
				 errdetail("Its status is \"%s\".", rows.texts[1])));
	return rows.texts[0];
}

void
sp_backup_keep(int64 id, bool permanent)
{
	const char *args[] = {psprintf(INT64_FORMAT, id), permanent ? "true" : "false"};
	SpFolder   *folder;
	char	   *label;

	sp_backup_check_caller("keep_backup()");
	folder = sp_backup_folder();
	sp_backup_lock(folder, SP_BACKUP_LOCK_CHANGE);
	label = sp_backup_label(folder, id);
	(void) sp_backup_sql("UPDATE smartpouch.backup SET permanent = $2::boolean WHERE id = $1::bigint",
						 false, lengthof(args), args);
	sp_set_mark_permanent(sp_folder_open(folder, label, false), permanent);
}
