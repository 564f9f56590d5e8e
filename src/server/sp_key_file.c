/*
 * src/server/sp_key_file.c
 */
#include "server/sp_compat.h"

#include <sys/stat.h>
#include <unistd.h>

#include "storage/fd.h"

#include "server/sp_key_file.h"

#define MAX_KEYS 100
#define LINE_SIZE (SP_KEY_NAME_SIZE + 2 * SP_KEY_BYTES + 32)

typedef struct KeyFile
{
	const char *path;
	const char *setting;
	int			line;
} KeyFile;

static void SP_NORETURN
refuse(const KeyFile *file, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("%s names a file that cannot be used: %s", file->setting, why),
			 file->line > 0 ? errdetail("File \"%s\", line %d.", file->path, file->line) :
			 errdetail("File \"%s\".", file->path),
			 errhint("A line is a name and a key of 64 to 128 hexadecimal digits.")));
}

static void
check_file(const KeyFile *file, FILE *stream)
{
	struct stat facts;

	if (fstat(fileno(stream), &facts) != 0)
		refuse(file, "it cannot be examined");
	if (!S_ISREG(facts.st_mode))
		refuse(file, "it is not a regular file");
	if (facts.st_uid != geteuid() && facts.st_uid != 0)
		refuse(file, "it must belong to the server's user or root");
	if ((facts.st_uid == geteuid() && (facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) ||
		(facts.st_uid == 0 && (facts.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) != 0))
		refuse(file, "group or others have access to it");
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '_' || c == '-';
}

/* -1 for what is no hexadecimal digit */
static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static const char *
skip_blanks(const char *next)
{
	while (*next == ' ' || *next == '\t')
		next++;
	return next;
}

static void
read_key(const KeyFile *file, const char *next, SpSecretKey *key)
{
	Size		length = 0;

	while (is_name_char(next[length]))
		length++;
	if (length == 0 || length >= SP_KEY_NAME_SIZE || (next[length] != ' ' && next[length] != '\t'))
		refuse(file, "a key has no proper name");
	memcpy(key->name, next, length);
	next = skip_blanks(next + length);
	for (; hex_digit(next[0]) >= 0 && hex_digit(next[1]) >= 0; next += 2)
	{
		if (key->size == SP_KEY_BYTES)
			refuse(file, "a key is too long");
		key->bytes[key->size++] = (uint8) (hex_digit(next[0]) * 16 + hex_digit(next[1]));
	}
	next = skip_blanks(next);
	if (*next != '\0' && *next != '\n' && *next != '\r')
		refuse(file, "a key is not hexadecimal");
	if (key->size < SP_KEY_BYTES / 2)
		refuse(file, "a key is too short");
}

static int
read_lines(KeyFile *file, FILE *stream, SpSecretKey *keys)
{
	char		line[LINE_SIZE];
	int			count = 0;

	for (file->line = 1; fgets(line, sizeof(line), stream) != NULL; file->line++)
	{
		const char *next = skip_blanks(line);

		if (strlen(line) == sizeof(line) - 1)
			refuse(file, "a line is too long");
		if (*next == '#' || *next == '\n' || *next == '\r' || *next == '\0')
			continue;
		if (count == MAX_KEYS)
			refuse(file, "there are too many keys");
		read_key(file, next, &keys[count]);
		if (sp_key_find(keys, count, keys[count].name) != NULL)
			refuse(file, "two keys have the same name");
		count++;
	}
	explicit_bzero(line, sizeof(line));
	return count;
}

SpSecretKey *
sp_key_file_read(const char *path, const char *setting, int *count)
{
	KeyFile		file = {path, setting, 0};
	SpSecretKey *keys = palloc0(sizeof(SpSecretKey) * MAX_KEYS);
	FILE	   *stream = AllocateFile(path, "r");

	if (stream == NULL)
		refuse(&file, psprintf("it cannot be opened: %m"));
	check_file(&file, stream);
	*count = read_lines(&file, stream, keys);
	file.line = 0;
	if (ferror(stream))
		refuse(&file, "it cannot be read");
	FreeFile(stream);
	if (*count == 0)
		refuse(&file, "it has no key");
	return keys;
}

void
sp_key_file_forget(SpSecretKey *keys, int count)
{
	explicit_bzero(keys, sizeof(SpSecretKey) * (Size) count);
	pfree(keys);
}

const SpSecretKey *
sp_key_find(const SpSecretKey *keys, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}
