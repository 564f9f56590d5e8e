/*
 * src/ir/sp_checksum.h
 *
 * A fast 64-bit checksum against accidents: torn, stale and flipped bytes.
 * It is no protection against an attacker.  Every change within one 8-byte
 * word, so any single flipped bit, changes it; other changes go unseen with a
 * chance of about 2^-64.  It is part of the stored form of models
 * (doc/format.md) and must never change.
 */
#ifndef SP_CHECKSUM_H
#define SP_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

extern uint64_t sp_checksum(const void *data, size_t size);

#endif
