/*
 * src/registry/sp_registry_blob.c
 *
 * Bytes by their hash, read piece by piece.
 */
#include "server/sp_compat.h"

#include "access/detoast.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"

#include "registry/sp_registry_scan.h"

/* Columns in the order of sql/install/10_tables.sql. */
enum
{
	BLOB_SHA256 = 1, BLOB_SEQ, BLOB_BYTES
};

/*
 * Go through the pieces in order, giving them to take if that is not NULL;
 * false when they do not add up to size.
 */
static bool
read_pieces(const uint8 *sha256, int64 size, Snapshot snapshot, SpBlobTake take, void *arg)
{
	ScanKeyData key;
	SpScan		scan;
	HeapTuple	tuple;
	int64		done = 0;
	int32		seq = 0;
	bool		good = true;

	ScanKeyInit(&key, BLOB_SHA256, BTEqualStrategyNumber, F_BYTEAEQ, sp_hash_datum(sha256));
	sp_scan_begin(&scan, SP_TABLE_BLOB, SP_INDEX_BLOB, snapshot, 1, &key);
	while (good && HeapTupleIsValid(tuple = sp_scan_next(&scan)))
	{
		Datum		datum = sp_scan_column(&scan, tuple, BLOB_BYTES);
		int64		length = (int64) toast_raw_datum_size(datum) - VARHDRSZ;

		CHECK_FOR_INTERRUPTS();
		good = DatumGetInt32(sp_scan_column(&scan, tuple, BLOB_SEQ)) == seq++ && length <= size - done;
		if (good && take != NULL)
		{
			bytea	   *piece = DatumGetByteaPP(datum);

			take(arg, VARDATA_ANY(piece), (Size) length);
			if (PointerGetDatum(piece) != datum)
				pfree(piece);
		}
		done += length;
	}
	sp_scan_end(&scan);
	return good && done == size;
}

bool
sp_registry_blob_is_whole(const uint8 *sha256, int64 size, Snapshot snapshot)
{
	return read_pieces(sha256, size, snapshot, NULL, NULL);
}

static void SP_NORETURN
damaged(const uint8 *sha256)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("stored bytes with SHA-256 %s are damaged", sp_hash_hex(sha256)),
			 errdetail("Pieces in table smartpouch.blob are missing or do not have this hash."),
			 errhint("Import the same file again, or restore the table from a backup.")));
}

/* What is given on is hashed on its way. */
typedef struct Hashed
{
	SpSha256   *hash;
	SpBlobTake	take;
	void	   *arg;
} Hashed;

static void
take_hashed(void *arg, const char *bytes, Size size)
{
	Hashed	   *to = arg;

	sp_sha256_add(to->hash, bytes, size);
	to->take(to->arg, bytes, size);
}

void
sp_registry_read_blob(const uint8 *sha256, int64 size, Snapshot snapshot, SpBlobTake take, void *arg)
{
	Hashed		to = {sp_sha256_begin(), take, arg};
	uint8		actual[SP_SHA256_SIZE];
	bool		whole = read_pieces(sha256, size, snapshot, take_hashed, &to);

	sp_sha256_end(to.hash, actual);
	if (!whole || memcmp(actual, sha256, SP_SHA256_SIZE) != 0)
		damaged(sha256);
}

static void
append_piece(void *arg, const char *bytes, Size size)
{
	char	  **end = arg;

	memcpy(*end, bytes, size);
	*end += size;
}

char *
sp_registry_try_blob(const uint8 *sha256, int64 size, Snapshot snapshot, MemoryContext mcx)
{
	char	   *bytes;
	char	   *end;
	uint8		actual[SP_SHA256_SIZE];

	if (!sp_registry_blob_is_whole(sha256, size, snapshot))
		return NULL;
	bytes = MemoryContextAllocHuge(mcx, (Size) size);
	end = bytes;
	if (read_pieces(sha256, size, snapshot, append_piece, &end))
	{
		sp_sha256(bytes, (Size) size, actual);
		if (memcmp(actual, sha256, SP_SHA256_SIZE) == 0)
			return bytes;
	}
	pfree(bytes);
	return NULL;
}

char *
sp_registry_blob(const uint8 *sha256, int64 size, Snapshot snapshot, MemoryContext mcx)
{
	char	   *bytes = sp_registry_try_blob(sha256, size, snapshot, mcx);

	if (bytes == NULL)
		damaged(sha256);
	return bytes;
}
