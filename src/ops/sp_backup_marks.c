/*
 * src/ops/sp_backup_marks.c
 *
 * What is found out about a set after it was made, as small files in its folder:
 * the folder alone must tell, when the rows are gone.
 */
#include "server/sp_compat.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/stringinfo.h"

#include "ops/sp_backup.h"

#define PERMANENT "permanent"
#define VERIFIED "verified"
#define HEX_SIZE (2 * SP_SHA256_SIZE)

static void
write_mark(const SpFolder *set, const char *name, const char *text)
{
	char	   *partial = psprintf("%s" SP_BACKUP_PARTIAL, name);
	SpFileWriter *writer;
	SpBackupFile file;

	(void) sp_folder_remove(set->fd, partial);
	writer = sp_file_create(set, partial, false);
	sp_file_append(writer, text, strlen(text));
	sp_file_finish(writer, &file);
	sp_folder_rename(set, partial, name);
}

void
sp_set_mark_permanent(const SpFolder *set, bool permanent)
{
	if (permanent)
		write_mark(set, PERMANENT, "");
	else if (!sp_folder_remove(set->fd, PERMANENT))
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not remove file \"%s/" PERMANENT "\": %m", set->path)));
	else
		sp_folder_sync(set);
}

bool
sp_set_is_permanent(const SpFolder *set)
{
	return sp_folder_has(set, PERMANENT);
}

/* One line: hash of the manifest, time, seconds, and the hash of these. */
void
sp_set_mark_verified(const SpFolder *set, const SpVerified *verified)
{
	char	   *line = psprintf("%s %s %s", sp_hash_hex(verified->manifest), verified->at, verified->seconds);
	uint8		hash[SP_SHA256_SIZE];

	sp_sha256(line, strlen(line), hash);
	write_mark(set, VERIFIED, psprintf("%s %s\n", line, sp_hash_hex(hash)));
}

static void
append_text(void *arg, const char *bytes, Size size)
{
	StringInfo	text = arg;

	if (text->len + size <= 1024)
		appendBinaryStringInfo(text, bytes, (int) size);
}

bool
sp_set_is_verified(const SpFolder *set, const uint8 manifest[SP_SHA256_SIZE], SpVerified *verified)
{
	StringInfoData text;
	SpBackupFile file;
	uint8		hash[SP_SHA256_SIZE];
	char	   *last;
	char	   *rest = NULL;
	const char *first;

	initStringInfo(&text);
	if (!sp_file_read(set, VERIFIED, append_text, &text, &file) || (last = strrchr(text.data, ' ')) == NULL)
		return false;
	sp_sha256(text.data, (Size) (last - text.data), hash);
	if (strcmp(last + 1, psprintf("%s\n", sp_hash_hex(hash))) != 0)
		return false;
	first = strtok_r(text.data, " ", &rest);
	verified->at = strtok_r(NULL, " ", &rest);
	verified->seconds = strtok_r(NULL, " ", &rest);
	memcpy(verified->manifest, manifest, SP_SHA256_SIZE);
	return verified->seconds != NULL && strcmp(first, sp_hash_hex(manifest)) == 0;
}
