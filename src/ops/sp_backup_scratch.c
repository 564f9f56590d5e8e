/*
 * src/ops/sp_backup_scratch.c
 *
 * A database to try a set in, made and filled by the server's own programs.
 *
 * It is known by its comment, or, until it has one, by an odd limit of connections, so
 * that one that a killed session left behind is dropped, and one that somebody
 * else has made never is.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/memutils.h"

#include "ops/sp_backup.h"
#include "server/sp_subtransaction.h"

#define COMMENT "made by smartpouch to try a backup in; it is dropped afterwards"
#define LIMIT "20531"			/* superusers are not bound by it */
#define PIECE (1024 * 1024)		/* the CHECK constraint of table blob */

/* ---- the database ---- */

static void
drop_scratch(void)
{
	sp_backup_psql(get_database_name(MyDatabaseId),
				   "SELECT format('DROP DATABASE %I WITH (FORCE)', datname) FROM pg_database"
				   " WHERE datname = '" SP_SCRATCH "'"
				   " AND coalesce(shobj_description(oid, 'pg_database') = '" COMMENT "', datconnlimit = " LIMIT ") \\gexec",
				   NULL, NULL);
}

static void
make_database(const SpManifest *manifest)
{
	char	   *why;

	if (OidIsValid(get_database_oid(SP_SCRATCH, true)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_DATABASE),
				 errmsg("database \"%s\" is needed to try the backup in, and is somebody else's", SP_SCRATCH),
				 errhint("Rename or drop it.")));
	why = sp_backup_try_psql(get_database_name(MyDatabaseId),
							 psprintf("CREATE DATABASE " SP_SCRATCH " TEMPLATE template0 CONNECTION LIMIT " LIMIT " %s;\n"
									  "COMMENT ON DATABASE " SP_SCRATCH " IS '" COMMENT "';\n"
									  "REVOKE ALL ON DATABASE " SP_SCRATCH " FROM PUBLIC;\n", manifest->database_options),
							 NULL, NULL);
	if (why != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
				 errmsg("could not make database \"%s\" to try the backup in", SP_SCRATCH),
				 errdetail_internal("%s", why),
				 errhint("This says nothing of the backup. Try again when the reason is gone.")));
}

static void
drop(void *arg)
{
	(void) arg;
	drop_scratch();
}

void
sp_with_scratch(void (*code) (void *arg), void *arg)
{
	ErrorData  *error;
	ErrorData  *drop_error;

	sp_backup_psql(get_database_name(MyDatabaseId), sp_backup_same_server_sql(), NULL, NULL);
	drop_scratch();
	error = sp_subtransaction(code, arg);
	drop_error = sp_subtransaction(drop, NULL);
	/* what went wrong first says more */
	if (error != NULL || drop_error != NULL)
		ReThrowError(error != NULL ? error : drop_error);
}

/* ---- what is restored ---- */

static void
append_text(void *arg, const char *bytes, Size size)
{
	appendBinaryStringInfo(arg, bytes, (int) size);
}

typedef struct Feed
{
	SpChild    *child;
	StringInfo	output;			/* of the child; may be NULL */
} Feed;

static void
feed(void *arg, const char *bytes, Size size)
{
	Feed	   *to = arg;

	sp_child_write(to->child, bytes, size, to->output ? append_text : NULL, to->output);
	sp_progress_add((int64) size);
}

/* Is the file what the manifest says, as far as can be told after it was read? */
static char *
difference(const SpBackupFile *expected, const SpBackupFile *found)
{
	if (found->plain_bytes == expected->plain_bytes &&
		memcmp(found->plain_sha256, expected->plain_sha256, SP_SHA256_SIZE) == 0)
		return NULL;
	return psprintf("what \"%s\" holds is not what was backed up", expected->name);
}

/* Give the dump to pg_restore; why it failed, or NULL. */
static char *
restore_dump(const SpFolder *set, const SpManifest *manifest, List *arguments, const char *database, StringInfo output)
{
	const SpBackupFile *dump = sp_manifest_file(manifest, SP_BACKUP_DUMP);
	Feed		to = {NULL, output};
	SpBackupFile found;
	char	   *why;

	if (dump == NULL)
		return "the manifest names no dump";
	to.child = database == NULL ? sp_backup_local_program("pg_restore", arguments) :
		sp_backup_guarded_program("pg_restore", database, arguments);
	if (!sp_file_read_plain(set, SP_BACKUP_DUMP, *manifest->filter != '\0', feed, &to, &found))
		return "the dump is missing";
	sp_child_drain(to.child, output ? append_text : NULL, output);
	why = sp_child_end(to.child);
	return why != NULL ? why : difference(dump, &found);
}

static bool
begins_with_any(const char *text, const char *const *starts, Size count)
{
	for (Size i = 0; i < count; i++)
		if (strncmp(text, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

/*
 * May this entry of the dump's list be restored?  The extension is there
 * already, with the version of the backup.  A subscription would keep the
 * database from being dropped, and pg_cron allows one database only.
 */
static bool
is_wanted(const char *entry, SpScratchContent content)
{
	static const char *const never[] = {
		"SCHEMA - smartpouch ", "EXTENSION - smartpouch ", "COMMENT - EXTENSION smartpouch ", "SUBSCRIPTION ",
		"EXTENSION - pg_cron ", "COMMENT - EXTENSION pg_cron ", "TABLE DATA cron ", "SEQUENCE SET cron "
	};

	/* what a snapshot of a version is made from */
	static const char *const registry[] = {
		"TABLE DATA smartpouch evaluation ", "TABLE DATA smartpouch event ", "TABLE DATA smartpouch golden ",
		"TABLE DATA smartpouch model ", "TABLE DATA smartpouch version "
	};

	return content == SP_SCRATCH_ALL ? !begins_with_any(entry, never, lengthof(never)) :
		begins_with_any(entry, registry, lengthof(registry));
}

/* A line is "number; oid oid what ...", or a comment. */
static const char *
entry_of(const char *line)
{
	for (int words = 0; words < 3; words++)
	{
		line += strcspn(line, " ");
		if (*line == ' ')
			line++;
	}
	return line;
}

/* The list of what is to be restored, as a file that pg_restore reads. */
static char *
write_list(const SpFolder *folder, const SpFolder *set, const SpManifest *manifest, SpScratchContent content)
{
	StringInfoData all;
	SpFileWriter *writer;
	SpBackupFile file;
	char	   *why;
	char	   *rest = NULL;

	initStringInfo(&all);
	why = restore_dump(set, manifest, list_make1("--list"), NULL, &all);
	if (why != NULL)
		return why;
	(void) sp_folder_remove(folder->fd, SP_BACKUP_TOC_LIST);
	writer = sp_file_create(folder, SP_BACKUP_TOC_LIST, false);
	for (char *line = strtok_r(all.data, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
	{
		if (*line == ';' || !is_wanted(entry_of(line), content))
			continue;
		sp_file_append(writer, line, strlen(line));
		sp_file_append(writer, "\n", 1);
	}
	sp_file_finish(writer, &file);
	return NULL;
}

/* The version of the backup if its script is there, else the one that is. */
static char *
make_extension(const SpManifest *manifest)
{
	char	   *version = escape_single_quotes_ascii(manifest->extension_version);

	return sp_backup_try_psql(SP_SCRATCH,
							  psprintf("CREATE SCHEMA smartpouch;\n"
									   "SELECT 'CREATE EXTENSION smartpouch CASCADE'"
									   " || coalesce((SELECT format(' VERSION %%L', version) FROM pg_available_extension_versions"
									   " WHERE name = 'smartpouch' AND version = '%s'), '') \\gexec\n", version),
							  NULL, NULL);
}

/* ---- stored bytes, as COPY's binary format takes them ---- */

typedef struct BlobCopy
{
	Feed		to;
	uint8		sha256[SP_SHA256_SIZE];
	int32		seq;
	Size		held;
	char	   *piece;
} BlobCopy;

static void
send_integer(BlobCopy *copy, uint32 value)
{
	value = pg_hton32(value);
	feed(&copy->to, (char *) &value, sizeof(value));
}

static void
send_piece(BlobCopy *copy)
{
	uint16		columns = pg_hton16(3);

	if (copy->held == 0)
		return;
	feed(&copy->to, (char *) &columns, sizeof(columns));
	send_integer(copy, SP_SHA256_SIZE);
	feed(&copy->to, (char *) copy->sha256, SP_SHA256_SIZE);
	send_integer(copy, sizeof(int32));
	send_integer(copy, (uint32) copy->seq++);
	send_integer(copy, (uint32) copy->held);
	feed(&copy->to, copy->piece, copy->held);
	copy->held = 0;
}

static void
take_blob(void *arg, const char *bytes, Size size)
{
	BlobCopy   *copy = arg;

	while (size > 0)
	{
		Size		part = Min(size, PIECE - copy->held);

		memcpy(copy->piece + copy->held, bytes, part);
		copy->held += part;
		bytes += part;
		size -= part;
		if (copy->held == PIECE)
			send_piece(copy);
	}
}

static char *
copy_artefact(const SpFolder *artefacts, const SpManifest *manifest, const SpBackupFile *file, BlobCopy *copy)
{
	SpBackupFile found;

	memcpy(copy->sha256, file->plain_sha256, SP_SHA256_SIZE);
	copy->seq = 0;
	copy->held = 0;
	if (!sp_file_read_plain(artefacts, file->name, *manifest->filter != '\0', take_blob, copy, &found))
		return psprintf("artefact \"%s\" is missing", file->name);
	send_piece(copy);
	return difference(file, &found);
}

static char *
restore_artefacts(const SpFolder *folder, const SpManifest *manifest)
{
	static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";	/* with a last zero byte: 19 bytes */
	static const char tail[] = "\377\377";
	SpFolder   *artefacts = sp_folder_open(folder, SP_BACKUP_ARTEFACTS, true);
	BlobCopy	copy = {.piece = palloc(PIECE)};
	char	   *why = NULL;
	char	   *failure;
	ListCell   *cell;

	if (artefacts == NULL)
		return list_length(manifest->artefacts) == 0 ? NULL : "there are no artefacts";
	copy.to.child = sp_backup_program("psql", SP_SCRATCH,
									  list_make3("--no-psqlrc", "--quiet",
												 "--command=COPY smartpouch.blob (sha256, seq, bytes) FROM STDIN (FORMAT binary)"));
	feed(&copy.to, head, sizeof(head));
	foreach(cell, manifest->artefacts)
	{
		why = copy_artefact(artefacts, manifest, lfirst(cell), &copy);
		if (why != NULL)
			break;
	}
	feed(&copy.to, tail, 2);
	sp_child_drain(copy.to.child, NULL, NULL);
	failure = sp_child_end(copy.to.child);
	sp_folder_close(artefacts);
	return why != NULL ? why : failure;
}

char *
sp_scratch_restore(const SpFolder *folder, const SpFolder *set, const SpManifest *manifest, SpScratchContent content)
{
	List	   *arguments = list_make2("--exit-on-error", psprintf("--use-list=%s/" SP_BACKUP_TOC_LIST, folder->path));
	char	   *why;

	make_database(manifest);
	why = make_extension(manifest);
	/* first, as materialized views and indexes of the dump may predict */
	if (why == NULL && content == SP_SCRATCH_ALL)
		why = restore_artefacts(folder, manifest);
	if (why == NULL)
		why = write_list(folder, set, manifest, content);
	if (why == NULL)
		why = restore_dump(set, manifest, arguments, SP_SCRATCH, NULL);
	(void) sp_folder_remove(folder->fd, SP_BACKUP_TOC_LIST);
	if (why == NULL)
		why = sp_backup_try_psql(SP_SCRATCH, "SET client_min_messages = warning; ALTER EXTENSION smartpouch UPDATE;\n", NULL, NULL);
	return why;
}
