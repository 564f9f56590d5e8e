/*
 * src/ops/sp_backup_program.c
 *
 * The server's own pg_dump, pg_restore and psql, and how they connect.
 */
#include "server/sp_compat.h"

#include "catalog/pg_authid.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "port.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "ops/sp_backup.h"
#include "ops/sp_restore_guard.h"
#include "server/sp_guc.h"

/*
 * Values mean the same text in every session of ours, and a program that is
 * gone is noticed by its session.  Defaults of a user or a database must not matter.
 * What a backup asks models is nobody's use of them.
 */
#define SESSION_SETTINGS \
	"-c role=none -c search_path=pg_catalog,pg_temp -c row_security=off -c quote_all_identifiers=off" \
	" -c statement_timeout=0 -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0" SP_NO_TRANSACTION_TIMEOUT \
	" -c client_connection_check_interval=1000" \
	" -c datestyle=ISO,YMD -c intervalstyle=postgres -c timezone=UTC -c extra_float_digits=1" \
	" -c bytea_output=hex -c lc_monetary=C -c xmloption=content -c default_transaction_read_only=off" \
	" -c session_replication_role=origin -c smartpouch.track=off"

/* What programs find their connection, password and keys by. */
static const char *const kept_variables[] = {
	"HOME", "PATH", "PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR", "KRB5CCNAME", "GNUPGHOME"
};

static void
append_value(StringInfo out, const char *keyword, const char *value)
{
	appendStringInfo(out, " %s='", keyword);
	for (; *value; value++)
	{
		if (*value == '\'' || *value == '\\')
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *value);
	}
	appendStringInfoChar(out, '\'');
}

/* This server's first socket, or the loopback address where it has none. */
static const char *
own_host(void)
{
	char	   *folders = pstrdup(GetConfigOption("unix_socket_directories", false, false));
	List	   *names;

	if (!SplitDirectoriesString(folders, ',', &names) || names == NIL)
		return "localhost";
	return linitial(names);
}

/* Of what is set twice the later one counts, so the setting comes first but for the database. */
static char *
connection_to(const char *database)
{
	StringInfoData info;

	initStringInfo(&info);
	if (*sp_backup_connection != '\0')
		appendStringInfoString(&info, sp_backup_connection);
	else
	{
		append_value(&info, "host", own_host());
		append_value(&info, "port", GetConfigOption("port", false, false));
		append_value(&info, "user", GetUserNameFromId(BOOTSTRAP_SUPERUSERID, false));
	}
	append_value(&info, "application_name", "smartpouch backup");
	append_value(&info, "dbname", database);
	return info.data;
}

static char **
environment_with(const char *more_options)
{
	char	  **environment = palloc0(sizeof(char *) * (lengthof(kept_variables) + 5));
	int			count = 0;

	for (Size i = 0; i < lengthof(kept_variables); i++)
	{
		const char *value = getenv(kept_variables[i]);

		if (value != NULL)
			environment[count++] = psprintf("%s=%s", kept_variables[i], value);
	}
	environment[count++] = "LC_ALL=C";
	environment[count++] = "PGCONNECT_TIMEOUT=30";
	environment[count++] = psprintf("PGCLIENTENCODING=%s", GetDatabaseEncodingName());
	environment[count++] = psprintf("PGOPTIONS=%s -c lock_timeout=%d%s", SESSION_SETTINGS, sp_backup_lock_timeout, more_options);
	return environment;
}

char **
sp_backup_environment(void)
{
	return environment_with("");
}

char **
sp_backup_command(const char *setting)
{
	char	   *words = pstrdup(setting);
	char	  **argv = palloc0(sizeof(char *) * (strlen(setting) / 2 + 2));
	int			count = 0;
	char	   *rest = NULL;

	for (char *word = strtok_r(words, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
		argv[count++] = word;
	return count == 0 ? NULL : argv;
}

/* Programs of the same installation are beside the server's own. */
static char *
program_path(const char *program)
{
	char	   *path = palloc(MAXPGPATH);

	strlcpy(path, my_exec_path, MAXPGPATH);
	get_parent_directory(path);
	join_path_components(path, path, program);
	canonicalize_path(path);
	return path;
}

static SpChild *
start(const char *program, List *arguments, char **environment)
{
	char	  **argv = palloc0(sizeof(char *) * (list_length(arguments) + 2));
	int			count = 0;
	ListCell   *cell;

	argv[count++] = program_path(program);
	foreach(cell, arguments)
		argv[count++] = lfirst(cell);
	return sp_child_start(program, argv, environment);
}

SpChild *
sp_backup_local_program(const char *program, List *arguments)
{
	return start(program, arguments, sp_backup_environment());
}

static List *
with_connection(const char *database, List *arguments)
{
	return list_concat(list_make2(psprintf("--dbname=%s", connection_to(database)), "--no-password"), arguments);
}

SpChild *
sp_backup_program(const char *program, const char *database, List *arguments)
{
	return start(program, with_connection(database, arguments), sp_backup_environment());
}

SpChild *
sp_backup_guarded_program(const char *program, const char *database, List *arguments)
{
	return start(program, with_connection(database, arguments), environment_with(SP_RESTORE_GUARD_OPTIONS));
}

char *
sp_backup_same_server_sql(void)
{
	int64		started = PgStartTime + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;

	return psprintf("DO $do$ BEGIN IF extract(epoch FROM pg_postmaster_start_time()) * 1000000 <> " INT64_FORMAT " THEN"
					" RAISE EXCEPTION 'smartpouch.backup_connection leads to another server'; END IF; END $do$;", started);
}

static void
append_output(void *arg, const char *bytes, Size size)
{
	appendBinaryStringInfo(arg, bytes, (int) size);
}

char *
sp_backup_program_version(const char *program)
{
	SpChild    *child = sp_backup_local_program(program, list_make1("--version"));
	StringInfoData output;

	initStringInfo(&output);
	sp_child_drain(child, append_output, &output);
	sp_child_finish(child);
	while (output.len > 0 && output.data[output.len - 1] == '\n')
		output.data[--output.len] = '\0';
	return output.data;
}

static List *
psql_arguments(void)
{
	List	   *arguments = list_make5("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--file=-");

	return lappend(arguments, "--set=ON_ERROR_STOP=1");
}

static char *
run_script(SpChild *child, const char *script, SpChildTake take, void *arg)
{
	sp_child_write(child, script, strlen(script), take, arg);
	sp_child_drain(child, take, arg);
	return sp_child_end(child);
}

char *
sp_backup_try_psql(const char *database, const char *script, SpChildTake take, void *arg)
{
	return run_script(sp_backup_program("psql", database, psql_arguments()), script, take, arg);
}

char *
sp_backup_try_guarded_psql(const char *database, const char *script, SpChildTake take, void *arg)
{
	return run_script(sp_backup_guarded_program("psql", database, psql_arguments()), script, take, arg);
}

void
sp_backup_require(const char *why)
{
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("psql failed"),
				 errdetail_internal("%s", why)));
}

void
sp_backup_psql(const char *database, const char *script, SpChildTake take, void *arg)
{
	sp_backup_require(sp_backup_try_psql(database, script, take, arg));
}
