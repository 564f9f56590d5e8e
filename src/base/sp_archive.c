/*
 * src/base/sp_archive.c
 */
#include <string.h>

#include "base/sp_archive.h"

static uint32_t
piece_size(const SpArchivePart *part, uint64_t i)
{
	uint64_t	left = part->size - i * SP_ARCHIVE_PIECE;

	return left < SP_ARCHIVE_PIECE ? (uint32_t) left : SP_ARCHIVE_PIECE;
}

SpStatus
sp_archive_piece(const SpArchivePart *part, SpReader *stored, uint64_t i, SpArchivePiece *piece)
{
	size_t		start = stored->pos;
	uint64_t	length;

	piece->size = piece_size(part, i);
	SP_TRY(sp_read_le(stored, 4, &length));
	if (length == 0 || length > piece->size)
		return sp_fail_at(stored->cx, start, "a piece of %u bytes is said to take %llu",
						  piece->size, (unsigned long long) length);
	piece->stored = (uint32_t) length;
	return sp_read_bytes(stored, piece->stored, &piece->bytes);
}

static SpStatus
check_pieces(const SpArchivePart *part)
{
	SpReader	stored = part->stored;
	SpArchivePiece piece;

	for (uint64_t i = 0; i * SP_ARCHIVE_PIECE < part->size; i++)
		SP_TRY(sp_archive_piece(part, &stored, i, &piece));
	if (stored.pos != stored.size)
		return sp_fail_at(stored.cx, stored.pos, "bytes are left over at the end of a part");
	return SP_OK;
}

static bool
is_name(SpStr name)
{
	for (size_t i = 0; i < name.size; i++)
		if (!(name.data[i] >= 'a' && name.data[i] <= 'z') && name.data[i] != '.' && name.data[i] != '_')
			return false;
	return name.size > 0;
}

static SpStatus
read_entry(SpReader *reader, SpArchive *archive, SpArchivePart *part)
{
	size_t		start = reader->pos;
	uint8_t		length;
	const uint8_t *name;

	SP_TRY(sp_read_u8(reader, &length));
	SP_TRY(sp_read_bytes(reader, length, &name));
	part->name = (SpStr) {(const char *) name, length};
	if (!is_name(part->name))
		return sp_fail_at(reader->cx, start, "a part has no proper name");
	for (uint32_t i = 0; i < archive->n_parts; i++)
		if (sp_str_eq(archive->parts[i].name, part->name))
			return sp_fail_at(reader->cx, start, "two parts have the same name");
	SP_TRY(sp_read_le(reader, 8, &part->size));
	SP_TRY(sp_read_le(reader, 8, &part->stored_size));
	/* so that no number of pieces overflows */
	if (part->stored_size > reader->size || part->size / SP_ARCHIVE_PIECE > part->stored_size)
		return sp_fail_at(reader->cx, start, "a part is said to be larger than the file");
	return sp_read_bytes(reader, SP_ARCHIVE_HASH, &part->hash);
}

static SpStatus
read_head(SpReader *reader, uint32_t *n_parts)
{
	const uint8_t *magic;
	uint64_t	version;
	uint64_t	count;

	SP_TRY(sp_read_bytes(reader, SP_ARCHIVE_MAGIC_SIZE, &magic));
	if (memcmp(magic, SP_ARCHIVE_MAGIC, SP_ARCHIVE_MAGIC_SIZE) != 0)
		return sp_fail_at(reader->cx, 0, "not a snapshot: it does not begin with \"SPSNAP\"");
	SP_TRY(sp_read_le(reader, 4, &version));
	if (version != SP_ARCHIVE_VERSION)
	{
		sp_fail(reader->cx, SP_ERR_UNSUPPORTED, "snapshots of format version %llu",
				(unsigned long long) version);
		return sp_fail_hint(reader->cx, "This library reads version %d.", SP_ARCHIVE_VERSION);
	}
	SP_TRY(sp_read_le(reader, 4, &count));
	if (count == 0 || count > SP_ARCHIVE_PARTS)
		return sp_fail_at(reader->cx, reader->pos - 4, "a snapshot has 1 to %d parts, not %llu",
						  SP_ARCHIVE_PARTS, (unsigned long long) count);
	*n_parts = (uint32_t) count;
	return SP_OK;
}

SpStatus
sp_archive_read(SpContext *cx, const void *bytes, size_t size, SpArchive *archive)
{
	SpReader	reader;
	uint32_t	n_parts = 0;

	memset(archive, 0, sizeof(*archive));
	sp_reader_init(&reader, cx, bytes, size);
	SP_TRY(read_head(&reader, &n_parts));
	for (uint32_t i = 0; i < n_parts; i++)
	{
		SP_TRY(read_entry(&reader, archive, &archive->parts[i]));
		archive->n_parts++;
	}
	for (uint32_t i = 0; i < n_parts; i++)
	{
		SpArchivePart *part = &archive->parts[i];
		const uint8_t *stored;

		part->stored = reader;
		SP_TRY(sp_read_bytes(&reader, (size_t) part->stored_size, &stored));
		part->stored.size = reader.pos;
		SP_TRY(check_pieces(part));
	}
	archive->hashed = reader.pos;
	SP_TRY(sp_read_bytes(&reader, SP_ARCHIVE_HASH, &archive->hash));
	if (reader.pos != size)
		return sp_fail_at(cx, reader.pos, "bytes are left over at the end of the snapshot");
	return SP_OK;
}

const SpArchivePart *
sp_archive_part(const SpArchive *archive, const char *name)
{
	for (uint32_t i = 0; i < archive->n_parts; i++)
		if (sp_str_is(archive->parts[i].name, name))
			return &archive->parts[i];
	return NULL;
}

SpStatus
sp_archive_write_head(SpWriter *writer, const SpArchivePart *parts, uint32_t n_parts)
{
	SP_TRY(sp_write_bytes(writer, SP_ARCHIVE_MAGIC, SP_ARCHIVE_MAGIC_SIZE));
	SP_TRY(sp_write_le(writer, 4, SP_ARCHIVE_VERSION));
	SP_TRY(sp_write_le(writer, 4, n_parts));
	for (uint32_t i = 0; i < n_parts; i++)
	{
		SP_TRY(sp_write_u8(writer, (uint8_t) parts[i].name.size));
		SP_TRY(sp_write_bytes(writer, parts[i].name.data, parts[i].name.size));
		SP_TRY(sp_write_le(writer, 8, parts[i].size));
		SP_TRY(sp_write_le(writer, 8, parts[i].stored_size));
		SP_TRY(sp_write_bytes(writer, parts[i].hash, SP_ARCHIVE_HASH));
	}
	return SP_OK;
}

SpStatus
sp_archive_write_piece(SpWriter *writer, const SpArchivePiece *piece)
{
	SP_TRY(sp_write_le(writer, 4, piece->stored));
	return sp_write_bytes(writer, piece->bytes, piece->stored);
}
