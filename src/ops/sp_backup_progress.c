/*
 * src/ops/sp_backup_progress.c
 *
 * Progress in the place that the server has for that of its own commands, under a
 * number that none of them has: it ends with the transaction, and needs no
 * shared memory of ours.
 */
#include "server/sp_compat.h"

#include "miscadmin.h"
#include "utils/backend_progress.h"

#include "ops/sp_backup.h"
#include "ops/sp_backup_progress.h"

static int64 done;

void
sp_progress_begin(int64 id, int64 expected_bytes)
{
	pgstat_progress_start_command((ProgressCommandType) SP_PROGRESS_BACKUP, MyDatabaseId);
	done = 0;
	pgstat_progress_update_param(SP_PROGRESS_ID, id);
	pgstat_progress_update_param(SP_PROGRESS_EXPECTED, expected_bytes);
	sp_progress_phase(SP_PHASE_PREPARING);
}

void
sp_progress_phase(SpBackupPhase phase)
{
	pgstat_progress_update_param(SP_PROGRESS_PHASE, phase);
}

void
sp_progress_add(int64 bytes)
{
	done += bytes;
	pgstat_progress_update_param(SP_PROGRESS_DONE, done);
}

void
sp_progress_end(void)
{
	pgstat_progress_end_command();
}
