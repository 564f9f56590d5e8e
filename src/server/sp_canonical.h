/*
 * src/server/sp_canonical.h
 *
 * SQL values as bytes that mean the same everywhere: no setting, time zone,
 * encoding, byte order or major version changes them, nor does a dump and
 * restore.  They are what hashes of rows are made from.
 *
 * A value is its length as a 4-byte integer, then that many bytes; NULL is the
 * length -1 and nothing more.  So no two lists of values have the same bytes.
 * Integers are in network order.  The bytes of a value are, by type:
 *
 *	boolean			one byte, 0 or 1
 *	integer, bigint, oid	8 bytes
 *	double precision	8 bytes, IEEE 754
 *	timestamptz		8 bytes, microseconds since 2000-01-01 00:00 UTC
 *	uuid, bytea		as they are
 *	text			UTF-8
 *	inet			one byte 4 or 6, one byte of netmask bits, the address
 *	jsonb			its text as jsonb prints it, in UTF-8
 *	arrays			each element as a value
 */
#ifndef SP_CANONICAL_H
#define SP_CANONICAL_H

#include "server/sp_compat.h"

#include "lib/stringinfo.h"

/* Append a value of one of the types above. */
extern void sp_canonical_append(StringInfo out, Oid type, Datum value, bool isnull);

#endif
