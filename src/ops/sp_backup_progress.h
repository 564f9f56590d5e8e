/*
 * src/ops/sp_backup_progress.h
 *
 * How progress of backups is laid out in a backend's status.
 */
#ifndef SP_BACKUP_PROGRESS_H
#define SP_BACKUP_PROGRESS_H

/* Not one of ProgressCommandType, and the same in all libraries of this name. */
#define SP_PROGRESS_BACKUP 0x5350

/* Parameters; zero until they are set. */
enum
{
	SP_PROGRESS_ID, SP_PROGRESS_PHASE, SP_PROGRESS_DONE, SP_PROGRESS_EXPECTED
};

#endif
