/*
 * src/ops/sp_backup_status.c
 *
 * Rows of the table backup, who may make them, and one at a time.
 *
 * Rows are written in transactions of their own, so that they stay when the
 * call fails.  They say what happened; what there is to restore from is what
 * the folder has.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "utils/acl.h"

#include "ops/sp_backup.h"
#include "registry/sp_registry.h"
#include "server/sp_background_statement.h"
#include "server/sp_lock.h"

void
sp_backup_check_caller(const char *what)
{
	if (!superuser() && !has_privs_of_role(GetUserId(), ROLE_PG_EXECUTE_SERVER_PROGRAM))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for %s", what),
				 errdetail("It runs programs as the server's user."),
				 errhint("A superuser may, or a member of pg_execute_server_program.")));
	PreventCommandDuringRecovery(what);
	PreventCommandIfParallelMode(what);
	if (IsTransactionBlock() || IsSubTransaction())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("%s cannot run inside a transaction block", what)));
}

/* The whole server shares a folder, so no database is in the tag. A standby that was promoted may share it with its primary. */
void
sp_backup_lock(const SpFolder *folder, SpBackupLock lock)
{
	LOCKTAG		tag;
	LockAcquireResult result;

	sp_lock_tag(&tag, InvalidOid, SP_LOCK_BACKUPS, (uint32) lock);
	result = LockAcquire(&tag, ExclusiveLock, false, true);
	if (result == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg(lock == SP_BACKUP_LOCK_CHANGE ? "another session of this server is at work on backups" :
						"another session of this server verifies a backup"),
				 errhint("The view smartpouch.backup_progress shows it. Try again when it has ended.")));
	if (lock == SP_BACKUP_LOCK_CHANGE && !sp_folder_lock(folder) && result == LOCKACQUIRE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another server is at work on the backups in \"%s\"", folder->path),
				 errhint("A folder belongs to one server. After a failover, stop the old primary.")));
}

int64
sp_backup_status_begin(const char *label, bool full)
{
	const char *args[] = {
		label, full ? "full" : "models", GetUserNameFromId(GetSessionUserId(), false), psprintf("%d", MyProcPid)
	};

	return sp_background_statement(sp_registry_owner(),
								   "INSERT INTO smartpouch.backup (label, database, kind, status, started_by, pid)"
								   " VALUES ($1, current_database(), $2, 'running', $3, $4::integer) RETURNING id",
								   lengthof(args), args);
}

void
sp_backup_status_complete(int64 id, const SpManifest *manifest, const uint8 hash[SP_SHA256_SIZE], int64 new_bytes,
						  const char *remark)
{
	int64		dump_bytes = sp_stored_bytes(manifest->files);
	const char *args[] = {
		psprintf(INT64_FORMAT, id), psprintf(INT64_FORMAT, dump_bytes + sp_stored_bytes(manifest->artefacts)),
		psprintf(INT64_FORMAT, new_bytes), psprintf("%d", list_length(manifest->artefacts)),
		sp_hash_hex(hash), manifest->extension_version, manifest->server_version,
		psprintf(INT64_FORMAT, dump_bytes), remark
	};

	(void) sp_background_statement(sp_registry_owner(),
								   "UPDATE smartpouch.backup SET status = 'complete', finished_at = clock_timestamp(),"
								   " bytes = $2::bigint, new_bytes = $3::bigint, artefacts = $4::integer,"
								   " manifest_sha256 = decode($5, 'hex'), extension_version = $6, server_version = $7,"
								   " dump_bytes = $8::bigint, reason = $9"
								   " WHERE id = $1::bigint",
								   lengthof(args), args);
}

void
sp_backup_status_failed(int64 id, const char *reason)
{
	const char *args[] = {psprintf(INT64_FORMAT, id), reason};

	(void) sp_background_statement(sp_registry_owner(),
								   "UPDATE smartpouch.backup SET status = 'failed', finished_at = clock_timestamp(), reason = $2"
								   " WHERE id = $1::bigint",
								   lengthof(args), args);
}

void
sp_backup_status_forget(const char *ids)
{
	(void) sp_background_statement(sp_registry_owner(), "DELETE FROM smartpouch.backup WHERE id = ANY ($1::bigint[])",
								   1, &ids);
}

/* A check that passes takes back what an earlier one has found. */
void
sp_backup_status_verified(int64 id, bool checked, const SpVerified *restored, const char *reason, bool is_bad)
{
	const char *args[] = {
		psprintf(INT64_FORMAT, id), reason, checked ? "true" : "false", restored ? restored->at : NULL,
		restored ? restored->seconds : NULL, is_bad ? "true" : "false"
	};

	(void) sp_background_statement(sp_registry_owner(),
								   "UPDATE smartpouch.backup SET reason = $2, checked_at = CASE WHEN $3::boolean THEN clock_timestamp()"
								   " ELSE checked_at END, verified_at = coalesce($4::timestamptz, verified_at),"
								   " restore_seconds = coalesce($5::double precision, restore_seconds),"
								   " status = CASE WHEN $6::boolean THEN 'failed' WHEN $2 IS NOT NULL THEN status WHEN $4 IS NOT NULL THEN 'verified'"
								   " WHEN status <> 'failed' THEN status WHEN verified_at IS NOT NULL THEN 'verified'"
								   " ELSE 'complete' END WHERE id = $1::bigint",
								   lengthof(args), args);
}

/* A set that has its name was whole when the session ended. */
static void
settle(const SpFolder *folder, int64 id, const char *label)
{
	char	   *why;
	SpFolder   *set = sp_backup_is_label(label) ? sp_set_open(folder, label, &why) : NULL;
	uint8		hash[SP_SHA256_SIZE];
	SpManifest *manifest = set == NULL ? NULL : sp_manifest_read(set, label, hash, &why);

	if (manifest != NULL)
		sp_backup_status_complete(id, manifest, hash, 0, NULL);
	else
		sp_backup_status_failed(id, SP_BACKUP_SESSION_ENDED);
}

void
sp_backup_status_settle(const SpFolder *folder)
{
	SpRows		rows = sp_backup_sql("SELECT id, label FROM smartpouch.backup WHERE status = 'running' ORDER BY id",
									 false, 0, NULL);

	for (uint64 i = 0; i < rows.count; i++)
		settle(folder, strtoll(rows.texts[2 * i], NULL, 10), rows.texts[2 * i + 1]);
}
