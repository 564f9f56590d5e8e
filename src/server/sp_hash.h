/*
 * src/server/sp_hash.h
 *
 * SHA-256 by the server's own library.
 */
#ifndef SP_HASH_H
#define SP_HASH_H

#include "server/sp_compat.h"

#define SP_SHA256_SIZE 32

/* Interrupts are checked while long inputs are hashed. */
extern void sp_sha256(const void *bytes, Size size, uint8 hash[SP_SHA256_SIZE]);

/* The same piece by piece; an error in between frees it with the transaction. */
typedef struct pg_cryptohash_ctx SpSha256;

extern SpSha256 *sp_sha256_begin(void);
extern void sp_sha256_add(SpSha256 *state, const void *bytes, Size size);
extern void sp_sha256_end(SpSha256 *state, uint8 hash[SP_SHA256_SIZE]);

/* HMAC-SHA-256 (RFC 2104) */
extern void sp_hmac_sha256(const void *key, Size key_size, const void *bytes, Size size,
						   uint8 mac[SP_SHA256_SIZE]);

/* Are the bytes equal? Takes the same time wherever they differ. */
extern bool sp_equal_secret(const uint8 *a, const uint8 *b, Size size);

/* hash as a bytea, palloc'd */
extern Datum sp_hash_datum(const uint8 hash[SP_SHA256_SIZE]);

/* hash as lower-case hexadecimal, palloc'd */
extern char *sp_hash_hex(const uint8 hash[SP_SHA256_SIZE]);

#endif
