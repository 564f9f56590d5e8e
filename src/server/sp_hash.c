/*
 * src/server/sp_hash.c
 */
#include "server/sp_compat.h"

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "server/sp_hash.h"

#define HASH_PIECE (1024 * 1024)

StaticAssertDecl(SP_SHA256_SIZE == PG_SHA256_DIGEST_LENGTH, "size of a SHA-256 hash");

void
sp_sha256(const void *bytes, Size size, uint8 hash[SP_SHA256_SIZE])
{
	pg_cryptohash_ctx *ctx = pg_cryptohash_create(PG_SHA256);
	const uint8 *next = bytes;
	bool		good = ctx != NULL && pg_cryptohash_init(ctx) >= 0;

	/* the server's resource owner frees ctx if an interrupt raises */
	while (good && size > 0)
	{
		Size		piece = Min(size, HASH_PIECE);

		CHECK_FOR_INTERRUPTS();
		good = pg_cryptohash_update(ctx, next, piece) >= 0;
		next += piece;
		size -= piece;
	}
	if (!good || pg_cryptohash_final(ctx, hash, SP_SHA256_SIZE) < 0)
		elog(ERROR, "could not compute a SHA-256 hash: %s", pg_cryptohash_error(ctx));
	pg_cryptohash_free(ctx);
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
