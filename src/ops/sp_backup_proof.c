/*
 * src/ops/sp_backup_proof.c
 *
 * The scripts that say what a database holds: before, under the snapshot of a
 * backup, and in what was restored from it.  Equal lines mean equal contents.
 */
#include "server/sp_compat.h"

#include "ops/sp_backup.h"

static char *
under(const char *snapshot, const char *query)
{
	return psprintf("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n%s%s%s%s\nCOMMIT;\n",
					snapshot ? "SET TRANSACTION SNAPSHOT '" : "", snapshot ? snapshot : "", snapshot ? "';\n" : "",
					query);
}

char *
sp_backup_tables_script(bool full, const char *snapshot)
{
	return under(snapshot, psprintf("SELECT smartpouch._backup_queries(%s) \\gexec", full ? "true" : "false"));
}

char *
sp_backup_sequences_script(bool full)
{
	return psprintf("SELECT smartpouch._backup_sequences(%s);\n", full ? "true" : "false");
}

/* The lines as data of COPY, which takes them as they are: JSON has no such characters. */
char *
sp_backup_sequences_compare_script(bool full, const char *lines)
{
	return psprintf("CREATE TEMPORARY TABLE proof (line text);\n"
					"COPY proof FROM STDIN (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02');\n"
					"%s\\.\n"
					"SELECT smartpouch._backup_sequences_compare(%s, array_agg(line)) FROM proof;\n",
					lines, full ? "true" : "false");
}

char *
sp_backup_probes_script(const char *snapshot)
{
	return under(snapshot, "SELECT smartpouch._backup_probes();");
}
