/*
 * src/server/sp_hash.c
 */
#include "server/sp_compat.h"

#include "common/cryptohash.h"
#include "common/hmac.h"
#include "common/sha2.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "server/sp_hash.h"

#define HASH_PIECE (1024 * 1024)

StaticAssertDecl(SP_SHA256_SIZE == PG_SHA256_DIGEST_LENGTH, "size of a SHA-256 hash");

static void SP_NORETURN
refuse(SpSha256 *state)
{
	elog(ERROR, "could not compute a SHA-256 hash: %s", pg_cryptohash_error(state));
}

/* The server's resource owner frees it when an interrupt raises. */
SpSha256 *
sp_sha256_begin(void)
{
	SpSha256   *state = pg_cryptohash_create(PG_SHA256);

	if (state == NULL || pg_cryptohash_init(state) < 0)
		refuse(state);
	return state;
}

void
sp_sha256_add(SpSha256 *state, const void *bytes, Size size)
{
	const uint8 *next = bytes;

	while (size > 0)
	{
		Size		piece = Min(size, HASH_PIECE);

		CHECK_FOR_INTERRUPTS();
		if (pg_cryptohash_update(state, next, piece) < 0)
			refuse(state);
		next += piece;
		size -= piece;
	}
}

void
sp_sha256_end(SpSha256 *state, uint8 hash[SP_SHA256_SIZE])
{
	if (pg_cryptohash_final(state, hash, SP_SHA256_SIZE) < 0)
		refuse(state);
	pg_cryptohash_free(state);
}

void
sp_sha256(const void *bytes, Size size, uint8 hash[SP_SHA256_SIZE])
{
	SpSha256   *state = sp_sha256_begin();

	sp_sha256_add(state, bytes, size);
	sp_sha256_end(state, hash);
}

void
sp_hmac_sha256(const void *key, Size key_size, const void *bytes, Size size, uint8 mac[SP_SHA256_SIZE])
{
	pg_hmac_ctx *ctx = pg_hmac_create(PG_SHA256);

	if (ctx == NULL || pg_hmac_init(ctx, key, key_size) < 0 ||
		pg_hmac_update(ctx, bytes, size) < 0 || pg_hmac_final(ctx, mac, SP_SHA256_SIZE) < 0)
		elog(ERROR, "could not compute an HMAC: %s", pg_hmac_error(ctx));
	pg_hmac_free(ctx);
}

bool
sp_equal_secret(const uint8 *a, const uint8 *b, Size size)
{
	volatile uint8 different = 0;

	for (Size i = 0; i < size; i++)
		different |= a[i] ^ b[i];
	return different == 0;
}

Datum
sp_hash_datum(const uint8 hash[SP_SHA256_SIZE])
{
	bytea	   *datum = palloc(VARHDRSZ + SP_SHA256_SIZE);

	SET_VARSIZE(datum, VARHDRSZ + SP_SHA256_SIZE);
	memcpy(VARDATA(datum), hash, SP_SHA256_SIZE);
	return PointerGetDatum(datum);
}

char *
sp_hash_hex(const uint8 hash[SP_SHA256_SIZE])
{
	char	   *hex = palloc(2 * SP_SHA256_SIZE + 1);

	hex_encode((const char *) hash, SP_SHA256_SIZE, hex);
	hex[2 * SP_SHA256_SIZE] = '\0';
	return hex;
}
