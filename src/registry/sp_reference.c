/*
 * src/registry/sp_reference.c
 */
#include "server/sp_compat.h"

#include "mb/pg_wchar.h"

#include "registry/sp_reference.h"

/* of a hostile text shown in a message */
#define MESSAGE_BYTES 200

/* The CHECK constraints of sql/install/10_tables.sql say the same. */
static bool
is_name(const char *text, Size size)
{
	if (size == 0 || size >= SP_NAME_SIZE)
		return false;
	for (Size i = 0; i < size; i++)
	{
		char		c = text[i];
		bool		letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		bool		inner = (c >= '0' && c <= '9') || c == '.' || c == '-';

		if (!letter && !(inner && i > 0))
			return false;
	}
	return true;
}

static bool
copy_name(char *name, const char *text, Size size)
{
	if (!is_name(text, size))
		return false;
	memcpy(name, text, size);
	name[size] = '\0';
	return true;
}

static bool
parse_version(int32 *version, const char *text, Size size)
{
	int64		number = 0;

	if (size == 0 || size > 10 || text[0] == '0')
		return false;
	for (Size i = 0; i < size; i++)
	{
		if (text[i] < '0' || text[i] > '9')
			return false;
		number = number * 10 + (text[i] - '0');
		if (number > PG_INT32_MAX)
			return false;
	}
	*version = (int32) number;
	return true;
}

/* Fit for a message, and not cut within a character. */
static char *
clipped(const char *text, Size size)
{
	return pnstrdup(text, pg_mbcliplen(text, (int) size, MESSAGE_BYTES));
}

bool
sp_reference_try(SpReference *reference, const char *text, Size size)
{
	const char *at = memchr(text, '@', size);
	const char *colon = at ? NULL : memchr(text, ':', size);
	const char *separator = at ? at : colon;
	Size		name_size = separator ? (Size) (separator - text) : size;
	bool		good;

	memset(reference, 0, sizeof(*reference));
	/* callers keep references in buffers of this size */
	good = size < SP_REFERENCE_SIZE && copy_name(reference->model, text, name_size);
	if (at)
		good = good && copy_name(reference->target, at + 1, size - name_size - 1);
	else if (colon)
		good = good && parse_version(&reference->version, colon + 1, size - name_size - 1);
	else
		strcpy(reference->target, SP_PRODUCTION);
	return good;
}

void
sp_reference_parse(SpReference *reference, const char *text, Size size)
{
	if (!sp_reference_try(reference, text, size))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid model reference \"%s\"", clipped(text, size)),
				 errhint("Write name, name@stage, name@alias or name:version. Names are letters, digits, \"_\", \".\" and \"-\", at most %d bytes.",
						 SP_NAME_SIZE - 1)));
}

void
sp_name_check(const char *text, const char *kind)
{
	if (!is_name(text, strlen(text)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s name \"%s\"", kind, clipped(text, strlen(text))),
				 errdetail("Names are letters, digits, \"_\", \".\" and \"-\", start with a letter or \"_\" and have at most %d bytes.",
						   SP_NAME_SIZE - 1)));
}
