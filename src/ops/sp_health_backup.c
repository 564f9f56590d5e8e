/*
 * src/ops/sp_health_backup.c
 *
 * Whether the next backup could be made; how old the last one is, SQL tells.
 */
#include "server/sp_compat.h"

#include "commands/dbcommands.h"
#include "miscadmin.h"

#include "ops/sp_backup.h"
#include "ops/sp_health.h"
#include "server/sp_guc.h"

/* What is left to the checks after this one. */
#define LEAVE_MS 5

/*
 * The folder, and a connection as the programs make it.  What takes longer than
 * there is time is not known to be wrong, so then the check is absent.
 */
void
sp_check_backup_connection(SpCheck *check)
{
	SpChild    *child;
	char	   *why;

	check->is_absent = *sp_backup_directory == '\0';
	if (check->is_absent)
		return;
	sp_folder_close(sp_backup_folder());
	child = sp_backup_program("psql", get_database_name(MyDatabaseId),
							  list_make4("--no-psqlrc", "--quiet", "--output=/dev/null",
										 psprintf("--command=%s", sp_backup_same_server_sql())));
	/* until it is known: on a busy machine the check's own timer may be the first to see that time is up */
	check->is_absent = true;
	if (!sp_child_ends_within(child, sp_health_time_left() - LEAVE_MS))
	{
		sp_child_kill(child);
		return;
	}
	check->is_absent = false;
	why = sp_child_end(child);
	check->observed = why == NULL;
	if (why != NULL)
		sp_health_report(check, SP_HEALTH_FAIL, "%s; see smartpouch.backup_connection", why);
}
