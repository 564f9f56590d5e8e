/*
 * src/ir/sp_stored.h
 *
 * Constants of the stored form, shared by its writer and its reader.
 * doc/format.md describes it; nothing here may change without a new version.
 */
#ifndef SP_STORED_H
#define SP_STORED_H

#include <stdint.h>

#define SP_STORED_MAGIC "SPMODEL\n"
#define SP_STORED_MAGIC_SIZE 8
#define SP_STORED_VERSION 1
#define SP_STORED_HEADER_SIZE 32

/* A record begins with one of these; steps are SP_RECORD_STEP + SpOp. */
typedef enum SpRecord
{
	SP_RECORD_END = 0,
	SP_RECORD_TASK = 1,
	SP_RECORD_ORIGIN = 2,
	SP_RECORD_LABELS = 3,
	SP_RECORD_INPUT = 4,
	SP_RECORD_OUTPUT = 5,
	SP_RECORD_CATEGORIES = 6,
	SP_RECORD_FEATURE_CATEGORIES = 7,
	SP_RECORD_DEFAULT = 8,
	SP_RECORD_POLICY = 9,
	SP_RECORD_STEP = 0x10
} SpRecord;

/* 1 said once that missing values are accepted: what was written then is refused, not misread. */
#define SP_TASK_ACCEPTS_INFINITE 2

/* Flags of a tree ensemble. */
#define SP_TREES_BASE_LAST 1
#define SP_TREES_ACCEPT_MISSING 2

/* Flags of a feature's list of categories. */
#define SP_LIST_IS_PARTIAL 1

/* How an array of numbers is kept. */
typedef enum SpStoredNumbers
{
	SP_STORED_F32 = 1,
	SP_STORED_F64 = 2
} SpStoredNumbers;

#define SP_TREE_F64_THRESHOLDS 1
#define SP_TREE_F64_VALUES 2
#define SP_TREE_SETS 4
#define SP_TREE_LINEAR 8

/* First byte of a node: SP_NODE_LE and the other flags, or this alone. */
#define SP_STORED_LEAF 4

/* Bytes of a number that has so many possible values. */
static inline unsigned
sp_stored_width(uint64_t n_values)
{
	if (n_values <= 1)
		return 0;
	if (n_values <= 0x100)
		return 1;
	return n_values <= 0x10000 ? 2 : 4;
}

#endif
