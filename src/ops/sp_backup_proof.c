/*
 * src/ops/sp_backup_proof.c
 *
 * The scripts that say what a database holds: before, under the snapshot of a
 * backup, and in what was restored from it.  Equal lines mean equal contents.
 */
#include "server/sp_compat.h"

#include "lib/stringinfo.h"

#include "ops/sp_backup.h"

#define KEPT (16 * 1024 * 1024)

static char *
under(const char *snapshot, const char *query)
{
	return psprintf("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n%s%s%s%s\nCOMMIT;\n",
					snapshot ? "SET TRANSACTION SNAPSHOT '" : "", snapshot ? snapshot : "", snapshot ? "';\n" : "",
					query);
}

static void
append_text(void *arg, const char *bytes, Size size)
{
	appendBinaryStringInfo(arg, bytes, (int) size);
}

/*
 * In a session without a guard the registry says what to ask; to plan a query of a
 * user's table can call functions of that user.
 */
char *
sp_backup_tables(const char *database, bool full, const char *snapshot, SpChildTake take, void *arg)
{
	StringInfoData queries;
	char	   *why;

	initStringInfo(&queries);
	why = sp_backup_try_psql(database, under(snapshot, psprintf("SELECT query || ';' FROM smartpouch._backup_queries(%s) query;",
																full ? "true" : "false")), append_text, &queries);
	return why != NULL ? why : sp_backup_try_guarded_psql(database, under(snapshot, queries.data), take, arg);
}

void
sp_backup_keep_beginning(StringInfo text, const char *bytes, Size size)
{
	appendBinaryStringInfo(text, bytes, (int) Min(size, (Size) (KEPT - text->len)));
}

/* A quote in a name has a backslash before it, so that no name looks like what is looked for. */
char *
sp_backup_uncompared(const char *lines)
{
	static const char name_start[] = "{\"table\" : ";
	static const char name_end[] = ", \"error\" : \"";
	char	   *first = NULL;
	int			more = 0;
	const char *end;

	for (const char *line = lines; (end = strstr(line, name_end)) != NULL; line = end + 1)
	{
		const char *start = end;

		while (start > line && start[-1] != '\n')
			start--;
		start += strlen(name_start);
		if (first != NULL)
			more++;
		else
			first = psprintf("table %.*s has values without a text (%.5s)", (int) (end - start), start, end + strlen(name_end));
	}
	return more == 0 ? first : psprintf("%s, and %d more tables", first, more);
}

char *
sp_backup_sequences_script(bool full, const char *snapshot)
{
	return under(snapshot, psprintf("SELECT smartpouch._backup_sequences(%s);", full ? "true" : "false"));
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
sp_backup_probes(const char *database, bool full, const char *snapshot, SpChildTake take, void *arg)
{
	(void) full;
	return sp_backup_try_psql(database, under(snapshot, "SELECT smartpouch._backup_probes();"), take, arg);
}
