/*
 * src/ops/sp_snapshot_file.c
 */
#include "server/sp_compat.h"

#include "common/pg_lzcompress.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "base/sp_archive.h"
#include "ops/sp_snapshot_file.h"
#include "server/sp_error.h"
#include "server/sp_guc.h"
#include "server/sp_key_file.h"
#include "server/sp_memory.h"

#define N_PARTS 3

static const char *const part_names[N_PARTS] = {"content.json", "program", "artifact"};

/* parts in the order of part_names */
static SpBytes *
part(SpSnapshotParts *parts, int i)
{
	SpBytes    *all[N_PARTS] = {&parts->content, &parts->program, &parts->artifact};

	return all[i];
}

/* ---- writing ---- */

static void
check(const SpContext *cx, SpStatus status)
{
	if (status != SP_OK)
		sp_raise(cx, "the snapshot");
}

/*
 * pglz is in every server, and its output depends on nothing but the input:
 * zlib's changes with its version.
 */
static void
write_pieces(SpWriter *body, const SpBytes *content)
{
	char	   *compressed = palloc(PGLZ_MAX_OUTPUT(SP_ARCHIVE_PIECE));

	for (Size done = 0; done < content->size; done += SP_ARCHIVE_PIECE)
	{
		int32		size = (int32) Min(content->size - done, SP_ARCHIVE_PIECE);
		int32		stored = pglz_compress(content->bytes + done, size, compressed, PGLZ_strategy_always);
		SpArchivePiece piece = {(const uint8 *) compressed, (uint32) stored, (uint32) size};

		CHECK_FOR_INTERRUPTS();
		if (stored < 0 || stored >= size)
			piece = (SpArchivePiece) {(const uint8 *) content->bytes + done, (uint32) size, (uint32) size};
		check(body->cx, sp_archive_write_piece(body, &piece));
	}
	pfree(compressed);
}

bytea *
sp_snapshot_file_write(const SpSnapshotParts *parts)
{
	SpContext	cx;
	SpWriter	head;
	SpWriter	body;
	SpArchivePart table[N_PARTS];
	Size		size;
	bytea	   *file;

	sp_context_init(&cx, CurrentMemoryContext);
	sp_writer_init(&head, &cx);
	sp_writer_init(&body, &cx);
	memset(table, 0, sizeof(table));
	for (int i = 0; i < N_PARTS; i++)
	{
		const SpBytes *content = part(unconstify(SpSnapshotParts *, parts), i);
		Size		start = body.size;

		write_pieces(&body, content);
		table[i].name = (SpStr) {part_names[i], strlen(part_names[i])};
		table[i].size = content->size;
		table[i].hash = content->sha256;
		table[i].stored_size = body.size - start;
	}
	check(&cx, sp_archive_write_head(&head, table, N_PARTS));
	size = add_size(add_size(head.size, body.size), SP_SHA256_SIZE);
	if (size > MaxAllocSize - VARHDRSZ)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the snapshot has %zu bytes and does not fit one value", size)));
	file = palloc(VARHDRSZ + size);
	SET_VARSIZE(file, VARHDRSZ + size);
	memcpy(VARDATA(file), head.data, head.size);
	memcpy(VARDATA(file) + head.size, body.data, body.size);
	sp_sha256(VARDATA(file), head.size + body.size,
			  (uint8 *) VARDATA(file) + head.size + body.size);
	sp_free(&cx, head.data);
	sp_free(&cx, body.data);
	return file;
}

/* ---- reading ---- */

static void SP_NORETURN
refuse_damaged(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
			 errmsg("the snapshot is damaged: %s", what),
			 errhint("Export or copy it again.")));
}

static void
check_hash(const void *bytes, Size size, const uint8 *expected, uint8 *actual, const char *what)
{
	sp_sha256(bytes, size, actual);
	if (memcmp(actual, expected, SP_SHA256_SIZE) != 0)
		refuse_damaged(psprintf("the SHA-256 of %s is another", what));
}

/*
 * pglz writes a control byte for eight items, of which none is shorter than three
 * bytes for 273: what would be more takes no memory.
 */
#define MAX_RATIO 88

static void
read_part(const SpArchivePart *from, const char *name, SpBytes *into)
{
	Size		limit = (Size) sp_max_model_size * 1024;
	SpReader	stored;
	char	   *bytes;

	if (from == NULL)
		refuse_damaged(psprintf("it has no part \"%s\"", name));
	if (from->size > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("part \"%s\" of the snapshot has " UINT64_FORMAT " bytes, the limit is %d kB",
						name, from->size, sp_max_model_size),
				 errhint("An administrator can raise smartpouch.max_model_size.")));
	if (from->size / MAX_RATIO > from->stored_size)
		refuse_damaged(psprintf("part \"%s\" is said to have " UINT64_FORMAT " bytes, compressed to " UINT64_FORMAT,
								name, from->size, from->stored_size));
	bytes = MemoryContextAllocHuge(CurrentMemoryContext, (Size) from->size + 1);
	stored = from->stored;
	for (uint64 i = 0; i * SP_ARCHIVE_PIECE < from->size; i++)
	{
		char	   *target = bytes + i * SP_ARCHIVE_PIECE;
		SpArchivePiece piece;

		CHECK_FOR_INTERRUPTS();
		check(stored.cx, sp_archive_piece(from, &stored, i, &piece));
		if (piece.stored == piece.size)
			memcpy(target, piece.bytes, piece.size);
		else if (pglz_decompress((const char *) piece.bytes, (int32) piece.stored, target,
								 (int32) piece.size, true) != (int32) piece.size)
			refuse_damaged(psprintf("part \"%s\" cannot be decompressed", name));
	}
	bytes[from->size] = '\0';
	check_hash(bytes, (Size) from->size, from->hash, into->sha256, psprintf("part \"%s\"", name));
	into->bytes = bytes;
	into->size = (Size) from->size;
}

void
sp_snapshot_file_read(const char *bytes, Size size, SpSnapshotParts *parts)
{
	SpContext	cx;
	SpArchive	archive;
	uint8		actual[SP_SHA256_SIZE];

	sp_context_init(&cx, CurrentMemoryContext);
	check(&cx, sp_archive_read(&cx, bytes, size, &archive));
	check_hash(bytes, archive.hashed, archive.hash, actual, "the file");
	if (archive.n_parts != N_PARTS)
		refuse_damaged("it has parts that are not known");
	memset(parts, 0, sizeof(*parts));
	for (int i = 0; i < N_PARTS; i++)
		read_part(sp_archive_part(&archive, part_names[i]), part_names[i], part(parts, i));
}

/* ---- signatures ---- */

#define SETTING "smartpouch.snapshot_key_file"
#define METHOD "hmac-sha256:"

static SpSecretKey *
read_keys(int *count)
{
	if (*sp_snapshot_key_file == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("there are no keys to sign snapshots with"),
				 errhint("Set %s in the server's configuration.", SETTING)));
	return sp_key_file_read(sp_snapshot_key_file, SETTING, count);
}

static char *
signature_by(const SpSecretKey *key, const uint8 identity[SP_SHA256_SIZE])
{
	uint8		mac[SP_SHA256_SIZE];

	sp_hmac_sha256(key->bytes, key->size, identity, SP_SHA256_SIZE, mac);
	return psprintf(METHOD "%s:%s", key->name, sp_hash_hex(mac));
}

char *
sp_snapshot_sign(const uint8 identity[SP_SHA256_SIZE])
{
	int			count;
	SpSecretKey *keys = read_keys(&count);
	char	   *signature = signature_by(&keys[0], identity);

	sp_key_file_forget(keys, count);
	return signature;
}

/* The name of the key in a signature, palloc'd; NULL if it is none of ours. */
static char *
key_name(const char *signature)
{
	const char *name = signature + strlen(METHOD);
	const char *end;

	if (strncmp(signature, METHOD, strlen(METHOD)) != 0)
		return NULL;
	end = strchr(name, ':');
	return end == NULL ? NULL : pnstrdup(name, (Size) (end - name));
}

void
sp_snapshot_check_signature(const uint8 identity[SP_SHA256_SIZE], const char *signature)
{
	const SpSecretKey *key;
	SpSecretKey *keys;
	char	   *name;
	char	   *expected;
	int			count;
	bool		good = false;

	if (signature == NULL)
	{
		if (!sp_require_snapshot_signature)
			return;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the snapshot has no signature"),
				 errdetail("smartpouch.require_snapshot_signature is on.")));
	}
	keys = read_keys(&count);
	name = key_name(signature);
	key = name == NULL ? NULL : sp_key_find(keys, count, name);
	if (key != NULL)
	{
		expected = signature_by(key, identity);
		good = strlen(expected) == strlen(signature) &&
			sp_equal_secret((const uint8 *) expected, (const uint8 *) signature, strlen(expected));
	}
	sp_key_file_forget(keys, count);
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("the signature does not belong to the snapshot"),
				 key == NULL ? errdetail("It names no key of %s.", SETTING) :
				 errdetail("The snapshot was changed, or signed with another key of that name.")));
}
