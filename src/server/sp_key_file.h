/*
 * src/server/sp_key_file.h
 *
 * Files of secret keys, outside the database and its dumps.
 *
 * A line is a name, blanks, and the key in 64 to 128 hexadecimal digits; empty
 * lines and lines that begin with '#' are skipped.  The first key is the one to
 * use, the others are still accepted, so keys can be rotated.  The file must
 * belong to the server's user or root and be closed to others, as the key
 * file of TLS.
 */
#ifndef SP_KEY_FILE_H
#define SP_KEY_FILE_H

#include "server/sp_compat.h"

#define SP_KEY_NAME_SIZE 64		/* with the zero byte */
#define SP_KEY_BYTES 64			/* at most; 32 at least */

typedef struct SpSecretKey
{
	char		name[SP_KEY_NAME_SIZE];	/* letters, digits, '_', '-' */
	uint8		bytes[SP_KEY_BYTES];
	Size		size;
} SpSecretKey;

/*
 * The keys of a file, at least one; palloc'd, to be given back to
 * sp_key_file_forget.  Every error is F0000, names the setting, the file and
 * the line, and shows nothing of the content.
 */
extern SpSecretKey *sp_key_file_read(const char *path, const char *setting, int *count);
extern void sp_key_file_forget(SpSecretKey *keys, int count);

/* The key of that name, or NULL. */
extern const SpSecretKey *sp_key_find(const SpSecretKey *keys, int count, const char *name);

#endif
