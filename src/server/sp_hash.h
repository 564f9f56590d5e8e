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

/* hash as a bytea, palloc'd */
extern Datum sp_hash_datum(const uint8 hash[SP_SHA256_SIZE]);

/* hash as lower-case hexadecimal, palloc'd */
extern char *sp_hash_hex(const uint8 hash[SP_SHA256_SIZE]);

#endif
