/*
 * src/ops/sp_backup_expire.c
 *
 * Which sets go, and the artefacts that only they had.
 */
#include "server/sp_compat.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"

#include "ops/sp_backup.h"

/*
 * Of each database and kind by itself.  The newest set of each period stays,
 * a verified one before others; of the periods as many as are wanted, counting
 * those that have a set.  What stays besides: permanent ones, the newest, and
 * of the newest (verified first) as many as there must be.  A failed set goes
 * after a week, when a verified one is newer.
 */
static const char choose_sql[] =
	"WITH good AS (SELECT id, database, kind, permanent, started_at, status = 'verified' AS verified"
	" FROM smartpouch.backup WHERE status IN ('complete', 'verified')),"
	" periods AS (SELECT g.id, p.keep,"
	" row_number() OVER (PARTITION BY database, kind, period, date_trunc(period, started_at AT TIME ZONE 'UTC')"
	" ORDER BY verified DESC, started_at DESC, id DESC) AS place,"
	" dense_rank() OVER (PARTITION BY database, kind, period ORDER BY date_trunc(period, started_at AT TIME ZONE 'UTC') DESC) AS age"
	" FROM good g, (VALUES ('day', $1::bigint), ('week', $2::bigint), ('month', $3::bigint), ('year', $4::bigint)) p (period, keep)),"
	" places AS (SELECT id, row_number() OVER (PARTITION BY database, kind ORDER BY started_at DESC, id DESC) AS newest,"
	" row_number() OVER (PARTITION BY database, kind ORDER BY verified DESC, started_at DESC, id DESC) AS best FROM good),"
	" kept AS (SELECT id FROM periods WHERE place = 1 AND age <= keep"
	" UNION SELECT id FROM good WHERE permanent"
	" UNION SELECT id FROM places WHERE newest = 1 OR best <= greatest(1, $5::bigint))"
	" SELECT b.id, b.label, b.kind, b.status FROM smartpouch.backup b"
	" WHERE b.status IN ('complete', 'verified') AND b.id NOT IN (SELECT id FROM kept)"
	" OR b.status = 'failed' AND NOT b.permanent AND b.started_at < now() - interval '7 days'"
	" AND EXISTS (SELECT FROM good g WHERE g.verified AND g.database = b.database AND g.kind = b.kind"
	" AND g.started_at > b.started_at)"
	" ORDER BY b.started_at, b.id";

/* Ages mean nothing when the clock went back: everything would look new, or, put right, old. */
static void
check_clock(const SpFolder *folder)
{
	char		bound[SP_LABEL_SIZE];
	const char *newest = "";
	ListCell   *cell;

	sp_backup_new_label('F', 3600, bound);
	foreach(cell, sp_folder_names(folder))
		if (sp_backup_is_label(lfirst(cell)) && strcmp(lfirst(cell), newest) > 0)
			newest = lfirst(cell);
	if (strcmp(newest, bound) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the clock is behind the newest backup"),
				 errdetail("Set \"%s\" was made more than an hour from now.", newest),
				 errhint("Put the clock right. Nothing was removed.")));
}

/* A mark that was lost with the row still counts. */
static bool
is_marked(const SpFolder *folder, const char *label)
{
	char	   *why;
	SpFolder   *set = sp_backup_is_label(label) ? sp_set_open(folder, label, &why) : NULL;
	bool		marked = set != NULL && sp_set_is_permanent(set);

	if (set != NULL)
		sp_folder_close(set);
	return marked;
}

static void
remove_set(const SpFolder *folder, const char *label)
{
	char	   *deleted = psprintf("%s" SP_BACKUP_DELETED, label);

	if (!sp_backup_is_label(label) || !sp_folder_has(folder, label))
		return;
	sp_folder_rename(folder, label, deleted);
	if (!sp_folder_remove(folder->fd, deleted))
		ereport(WARNING,
				(errcode_for_file_access(),
				 errmsg("could not remove \"%s/%s\": %m", folder->path, deleted),
				 errhint("The next call tries again.")));
}

/* Does every set say which artefacts it needs? */
static bool
all_readable(const SpFolder *folder)
{
	ListCell   *cell;

	foreach(cell, sp_folder_names(folder))
	{
		SpFolder   *set;
		SpManifest *manifest;
		uint8		hash[SP_SHA256_SIZE];
		char	   *why;

		if (!sp_backup_is_label(lfirst(cell)))
			continue;
		set = sp_set_open(folder, lfirst(cell), &why);
		manifest = set == NULL ? NULL : sp_manifest_read(set, lfirst(cell), hash, &why);
		if (set != NULL)
			sp_folder_close(set);
		if (manifest == NULL)
		{
			ereport(WARNING,
					(errmsg("artefacts stay while set \"%s\" cannot say which of them it needs: %s",
							(char *) lfirst(cell), why)));
			return false;
		}
	}
	return true;
}

static void
remove_artefacts(const SpFolder *folder)
{
	SpFolder   *artefacts = sp_folder_open(folder, SP_BACKUP_ARTEFACTS, true);
	SpArtefacts *needed;
	ListCell   *cell;

	if (artefacts == NULL || !all_readable(folder))
		return;
	needed = sp_artefacts_of_sets(folder);
	foreach(cell, sp_folder_names(artefacts))
		if (sp_backup_is_artefact(lfirst(cell)) && sp_artefacts_find(needed, lfirst(cell)) == NULL)
			(void) sp_folder_remove(artefacts->fd, lfirst(cell));
	sp_folder_sync(artefacts);
}

/*
 * The rows go first and for good: a set without a row is found again by
 * rescan_backups(), a row without its set would promise what is not there.
 */
static void
remove_all(const SpFolder *folder, const List *labels, const char *ids)
{
	ListCell   *cell;

	if (labels != NIL)
		sp_backup_status_forget(ids);
	foreach(cell, labels)
	{
		CHECK_FOR_INTERRUPTS();
		remove_set(folder, lfirst(cell));
	}
	remove_artefacts(folder);
}

void
sp_backup_expire(const SpRetention *retention, bool dry_run, SpExpireReport report, void *arg)
{
	const char *args[] = {
		psprintf("%d", retention->daily), psprintf("%d", retention->weekly), psprintf("%d", retention->monthly),
		psprintf("%d", retention->yearly), psprintf("%d", retention->minimum)
	};
	List	   *labels = NIL;
	StringInfoData ids;
	SpFolder   *folder;
	SpRows		rows;

	sp_backup_check_caller("expire_backups()");
	folder = sp_backup_folder();
	sp_backup_lock(folder, SP_BACKUP_LOCK_CHANGE);
	sp_backup_lock(folder, SP_BACKUP_LOCK_VERIFY);
	check_clock(folder);
	rows = sp_backup_sql(choose_sql, false, lengthof(args), args);
	initStringInfo(&ids);
	for (uint64 i = 0; i < rows.count; i++)
	{
		char	  **row = rows.texts + i * rows.columns;

		if (is_marked(folder, row[1]))
			continue;
		report(arg, strtoll(row[0], NULL, 10), row[1], row[2], row[3]);
		appendStringInfo(&ids, "%c%s", labels == NIL ? '{' : ',', row[0]);
		labels = lappend(labels, row[1]);
	}
	appendStringInfoChar(&ids, '}');
	if (!dry_run)
		remove_all(folder, labels, ids.data);
}
