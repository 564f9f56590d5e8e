/*
 * src/base/sp_archive.h
 *
 * A file of named parts: the outer form of a snapshot, specified in
 * doc/snapshot-format.md.
 *
 * Reading checks the structure from end to end and points into the bytes.
 * Checking hashes and decompressing pieces is left to the caller.
 */
#ifndef SP_ARCHIVE_H
#define SP_ARCHIVE_H

#include "base/sp_bytes.h"

#define SP_ARCHIVE_MAGIC "\x89SPSNAP\n"
#define SP_ARCHIVE_MAGIC_SIZE 8
#define SP_ARCHIVE_VERSION 1
#define SP_ARCHIVE_HASH 32		/* SHA-256 */
#define SP_ARCHIVE_PARTS 16		/* at most */
#define SP_ARCHIVE_PIECE (1024 * 1024)	/* bytes of a part that are compressed together */

typedef struct SpArchivePart
{
	SpStr		name;			/* lower-case letters, '.' and '_'; unique */
	uint64_t	size;			/* of the content */
	const uint8_t *hash;		/* SP_ARCHIVE_HASH bytes: of the content */
	uint64_t	stored_size;	/* bytes of the pieces in the file */
	SpReader	stored;			/* from the first piece to the end of the last one */
} SpArchivePart;

typedef struct SpArchive
{
	uint32_t	n_parts;
	SpArchivePart parts[SP_ARCHIVE_PARTS];
	const uint8_t *hash;		/* of all bytes before it, which are */
	size_t		hashed;			/* so many */
} SpArchive;

typedef struct SpArchivePiece
{
	const uint8_t *bytes;
	uint32_t	stored;			/* bytes here */
	uint32_t	size;			/* of the content: equal to stored if it is not compressed, else more */
} SpArchivePiece;

/*
 * SP_ERR_FORMAT with an offset for what is no such file, is cut off or has
 * bytes left over; SP_ERR_UNSUPPORTED for another version of the form.
 */
extern SpStatus sp_archive_read(SpContext *cx, const void *bytes, size_t size, SpArchive *archive);

/* The part of that name, or NULL. */
extern const SpArchivePart *sp_archive_part(const SpArchive *archive, const char *name);

/*
 * Piece number i of a part, of (size + SP_ARCHIVE_PIECE - 1) / SP_ARCHIVE_PIECE;
 * in order, by a copy of part->stored.  Cannot fail for a part of sp_archive_read.
 */
extern SpStatus sp_archive_piece(const SpArchivePart *part, SpReader *stored, uint64_t i, SpArchivePiece *piece);

/*
 * Writing: the head with its table, then the pieces of the parts in the same
 * order, then the hash of everything.  Parts need name, size, hash and stored_size, the sum
 * of SP_ARCHIVE_PIECE_SIZE of the pieces to come.
 */
extern SpStatus sp_archive_write_head(SpWriter *writer, const SpArchivePart *parts, uint32_t n_parts);
extern SpStatus sp_archive_write_piece(SpWriter *writer, const SpArchivePiece *piece);

/* Bytes that a piece takes in the file. */
#define SP_ARCHIVE_PIECE_SIZE(stored) (4 + (size_t) (stored))

#endif
