/*
 * src/auth/sp_key_pepper.h
 *
 * Hashes of API keys, with or without a pepper.
 *
 * The hash of a key is SHA-256("smartpouch/v1", zero byte, key).  Where
 * smartpouch.api_key_pepper_file names a file (server/sp_key_file.h), new keys
 * get HMAC-SHA-256 of the same bytes under its first key, whose name the row has:
 * then who steals a dump can verify nothing.  Older peppers stay in the file
 * as long as keys have them.  No slow hash: 190 random bits need none.
 */
#ifndef SP_KEY_PEPPER_H
#define SP_KEY_PEPPER_H

#include "server/sp_compat.h"

#include "server/sp_hash.h"
#include "server/sp_key_file.h"

/* The name of the pepper that new keys get; empty for none. F0000 for a file that cannot be used. */
extern const char *sp_key_pepper_current(void);

/*
 * The hash of a key under that pepper (empty: none).  False when there is no such
 * pepper; then it is the hash without one.  F0000 for a file that cannot be used.
 */
extern bool sp_key_hash(const char *token, Size size, const char *pepper, uint8 hash[SP_SHA256_SIZE]);

#endif
