/*
 * src/auth/sp_key_pepper.c
 *
 * The file is read when it is first needed, and again for a name that was not
 * in it, but not more often than once a second: a pepper that was added
 * reaches old sessions, and rows with a lost one do not make each call read.
 */
#include "server/sp_compat.h"

#include <limits.h>
#include <stdlib.h>

#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "auth/sp_key_pepper.h"
#include "base/sp_key_token.h"
#include "server/sp_guc.h"

#define DOMAIN "smartpouch/v1"	/* with its zero byte */
#define SETTING "smartpouch.api_key_pepper_file"
#define READ_AGAIN_MS 1000

static SpSecretKey *peppers = NULL;
static int	n_peppers = 0;
static TimestampTz read_at = 0;

/* A dump of the data directory must not have the peppers too. */
static void
check_place(const char *path)
{
	char		real[PATH_MAX];
	char		data[PATH_MAX];
	Size		length;

	if (realpath(path, real) == NULL || realpath(DataDir, data) == NULL)
		return;					/* reading it will say what is wrong */
	length = strlen(data);
	if (strncmp(real, data, length) == 0 && (real[length] == '/' || real[length] == '\0'))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("%s names a file in the data directory", SETTING),
				 errdetail("Who has a backup of the server would have the peppers too."),
				 errhint("Put the file elsewhere.")));
}

static void
read_file(void)
{
	SpSecretKey *fresh;
	SpSecretKey *kept;
	int			count;

	check_place(sp_api_key_pepper_file);
	fresh = sp_key_file_read(sp_api_key_pepper_file, SETTING, &count);
	kept = MemoryContextAlloc(TopMemoryContext, sizeof(SpSecretKey) * (Size) count);
	memcpy(kept, fresh, sizeof(SpSecretKey) * (Size) count);
	sp_key_file_forget(fresh, count);
	if (peppers != NULL)
		sp_key_file_forget(peppers, n_peppers);
	peppers = kept;
	n_peppers = count;
	read_at = GetCurrentTimestamp();
}

static bool
has_file(void)
{
	return sp_api_key_pepper_file != NULL && sp_api_key_pepper_file[0] != '\0';
}

const char *
sp_key_pepper_current(void)
{
	if (!has_file())
		return "";
	read_file();
	return peppers[0].name;
}

static const SpSecretKey *
find(const char *name)
{
	const SpSecretKey *pepper = sp_key_find(peppers, n_peppers, name);

	if (pepper != NULL || !has_file() ||
		!TimestampDifferenceExceeds(read_at, GetCurrentTimestamp(), READ_AGAIN_MS))
		return pepper;
	read_file();
	return sp_key_find(peppers, n_peppers, name);
}

bool
sp_key_hash(const char *token, Size size, const char *pepper, uint8 hash[SP_SHA256_SIZE])
{
	char		bytes[sizeof(DOMAIN) + SP_KEY_TOKEN_SIZE];
	const SpSecretKey *key = NULL;

	Assert(size < SP_KEY_TOKEN_SIZE);
	memcpy(bytes, DOMAIN, sizeof(DOMAIN));
	memcpy(bytes + sizeof(DOMAIN), token, size);
	if (pepper[0] != '\0')
		key = find(pepper);
	if (key == NULL && pepper[0] != '\0')
		ereport(LOG_SERVER_ONLY,
				(errmsg("an API key needs the pepper \"%s\", which there is not", pepper),
				 errhint("Keep it in the file of %s while the view smartpouch.api_keys shows it.", SETTING),
				 errhidestmt(true), errhidecontext(true)));
	if (key != NULL)
		sp_hmac_sha256(key->bytes, key->size, bytes, sizeof(DOMAIN) + size, hash);
	else
		sp_sha256(bytes, sizeof(DOMAIN) + size, hash);
	explicit_bzero(bytes, sizeof(bytes));
	return key != NULL || pepper[0] == '\0';
}
