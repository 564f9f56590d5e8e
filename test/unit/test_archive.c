/*
 * test/unit/test_archive.c
 *
 * base/sp_archive: files of named parts, written, read, and damaged.
 */
#include <stdint.h>

#include "sp_test.h"

#include "base/sp_archive.h"

#define BIG (SP_ARCHIVE_PIECE + 5)

static const uint8_t hash[SP_ARCHIVE_HASH] = {1, 2, 3};

typedef struct File
{
	SpContext	cx;
	SpTestRegion region;
	SpWriter	writer;
} File;

/* Parts "b" of two pieces, the first compressed to four bytes, and "empty". */
static void
write_file(File *file)
{
	SpArchivePart parts[] = {
		{.name = SP_STR("b"), .size = BIG, .hash = hash, .stored_size = SP_ARCHIVE_PIECE_SIZE(4) + SP_ARCHIVE_PIECE_SIZE(5)},
		{.name = SP_STR("empty"), .size = 0, .hash = hash}
	};

	sp_test_context(&file->cx, &file->region);
	sp_writer_init(&file->writer, &file->cx);
	sp_archive_write_head(&file->writer, parts, 2);
	sp_archive_write_piece(&file->writer, &(SpArchivePiece) {(const uint8_t *) "four", 4, SP_ARCHIVE_PIECE});
	sp_archive_write_piece(&file->writer, &(SpArchivePiece) {(const uint8_t *) "fives", 5, 5});
	sp_write_bytes(&file->writer, hash, SP_ARCHIVE_HASH);
}

static void
test_round_trip(void)
{
	File		file;
	SpArchive	archive;
	const SpArchivePart *part;
	SpArchivePiece piece;
	SpReader	stored;

	write_file(&file);
	ok(sp_archive_read(&file.cx, file.writer.data, file.writer.size, &archive) == SP_OK && archive.n_parts == 2,
	   "a written file is read");
	ok(archive.hashed == file.writer.size - SP_ARCHIVE_HASH && memcmp(archive.hash, hash, SP_ARCHIVE_HASH) == 0,
	   "the last hash covers what is before it");
	part = sp_archive_part(&archive, "b");
	ok(part != NULL && part->size == BIG && memcmp(part->hash, hash, SP_ARCHIVE_HASH) == 0, "a part is found by its name");
	stored = part->stored;
	ok(sp_archive_piece(part, &stored, 0, &piece) == SP_OK && piece.size == SP_ARCHIVE_PIECE &&
	   piece.stored == 4 && memcmp(piece.bytes, "four", 4) == 0, "a compressed piece");
	ok(sp_archive_piece(part, &stored, 1, &piece) == SP_OK && piece.size == 5 && piece.stored == 5 &&
	   memcmp(piece.bytes, "fives", 5) == 0, "the last piece is shorter");
	ok(sp_archive_part(&archive, "empty")->size == 0, "a part may be empty");
	ok(sp_archive_part(&archive, "c") == NULL, "a name that is not there");
	sp_test_release_all(&file.region);
}

/* Whatever is cut off or left over is noticed. */
static void
test_lengths(void)
{
	File		file;
	SpArchive	archive;
	size_t		accepted = 0;

	write_file(&file);
	for (size_t size = 0; size < file.writer.size; size++)
	{
		uint8_t    *cut = malloc(size + 1);

		memcpy(cut, file.writer.data, size);
		accepted += sp_archive_read(&file.cx, cut, size, &archive) == SP_OK;
		free(cut);
	}
	ok(accepted == 0, "no beginning of a file is a file");
	sp_write_u8(&file.writer, 0);
	fails_with(&file.cx, sp_archive_read(&file.cx, file.writer.data, file.writer.size, &archive),
			   SP_ERR_FORMAT, "left over at the end of the snapshot", "a byte too many");
	sp_test_release_all(&file.region);
}

static void
damaged(size_t at, uint8_t value, SpStatus status, const char *message)
{
	File		file;
	SpArchive	archive;

	write_file(&file);
	file.writer.data[at] = value;
	fails_with(&file.cx, sp_archive_read(&file.cx, file.writer.data, file.writer.size, &archive),
			   status, message, message);
	sp_test_release_all(&file.region);
}

#define ENTRY 16				/* of part "b": name at + 1, size at + 2, stored size at + 10 */
#define SECOND (ENTRY + 2 + 16 + SP_ARCHIVE_HASH)
#define PIECES (SECOND + 6 + 16 + SP_ARCHIVE_HASH)

static void
test_damage(void)
{
	damaged(0, 'x', SP_ERR_FORMAT, "not a snapshot");
	damaged(8, 2, SP_ERR_UNSUPPORTED, "format version 2");
	damaged(12, 0, SP_ERR_FORMAT, "1 to 16 parts, not 0");
	damaged(12, 17, SP_ERR_FORMAT, "1 to 16 parts, not 17");
	damaged(ENTRY, 0, SP_ERR_FORMAT, "no proper name");
	damaged(ENTRY + 1, 'A', SP_ERR_FORMAT, "no proper name");
	damaged(ENTRY + 2 + 7, 0xff, SP_ERR_FORMAT, "larger than the file");
	damaged(ENTRY + 10 + 7, 0xff, SP_ERR_FORMAT, "larger than the file");
	damaged(ENTRY + 2, 4, SP_ERR_FORMAT, "a piece of 4 bytes is said to take 5");
	damaged(PIECES, 0, SP_ERR_FORMAT, "is said to take 0");
	damaged(PIECES + 3, 0xff, SP_ERR_FORMAT, "is said to take");
	damaged(PIECES + 8, 4, SP_ERR_FORMAT, "left over at the end of a part");
}

static void
test_same_name(void)
{
	SpArchivePart parts[] = {{.name = SP_STR("a"), .hash = hash}, {.name = SP_STR("a"), .hash = hash}};
	File		file;
	SpArchive	archive;

	sp_test_context(&file.cx, &file.region);
	sp_writer_init(&file.writer, &file.cx);
	sp_archive_write_head(&file.writer, parts, 2);
	fails_with(&file.cx, sp_archive_read(&file.cx, file.writer.data, file.writer.size, &archive),
			   SP_ERR_FORMAT, "two parts have the same name", "two parts of one name");
	sp_test_release_all(&file.region);
}

int
main(void)
{
	test_round_trip();
	test_lengths();
	test_damage();
	test_same_name();
	return done_testing();
}
