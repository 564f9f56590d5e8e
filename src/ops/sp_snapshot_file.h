/*
 * src/ops/sp_snapshot_file.h
 *
 * A snapshot as a file (doc/snapshot-format.md), and its signature.
 */
#ifndef SP_SNAPSHOT_FILE_H
#define SP_SNAPSHOT_FILE_H

#include "server/sp_compat.h"

#include "server/sp_hash.h"

typedef struct SpBytes
{
	const char *bytes;
	Size		size;
	uint8		sha256[SP_SHA256_SIZE];
} SpBytes;

typedef struct SpSnapshotParts
{
	SpBytes		content;		/* the text of a JSON object, in UTF-8 */
	SpBytes		program;		/* the stored form */
	SpBytes		artifact;		/* the model file */
} SpSnapshotParts;

/* The file; the same bytes for the same parts. 54000 when it does not fit one value. */
extern bytea *sp_snapshot_file_write(const SpSnapshotParts *parts);

/*
 * Take a file apart into CurrentMemoryContext, checking every hash.  Raises
 * 22P03 for what is damaged, 0A000 for other versions of the format, 54000 over
 * smartpouch.max_model_size.
 */
extern void sp_snapshot_file_read(const char *bytes, Size size, SpSnapshotParts *parts);

/*
 * Sign an identity with the first key of smartpouch.snapshot_key_file, as text:
 * "hmac-sha256:<name of the key>:<hexadecimal>".  55000 without the setting,
 * F0000 for a file that cannot be used.
 */
extern char *sp_snapshot_sign(const uint8 identity[SP_SHA256_SIZE]);

/*
 * 28000 unless the signature is one of a key of the file.  NULL is accepted
 * unless smartpouch.require_snapshot_signature.
 */
extern void sp_snapshot_check_signature(const uint8 identity[SP_SHA256_SIZE], const char *signature);

#endif
