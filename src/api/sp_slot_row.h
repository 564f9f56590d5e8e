/*
 * src/api/sp_slot_row.h
 *
 * The row of a table's scan as an argument, without a value of its type: making
 * one takes 0.4 us for 28 columns, and most of it is copied to be read once.
 *
 * In its place stands the table's ctid, relabeled as the row's type.  For ctid
 * the executor gives the address of tts_tid in the slot of the scan
 * (slot_getsysattr), so the slot is found around it.  No query can say this:
 * casts between composite and other types need a function, and the form that
 * marks the label is the parser's for functions only.  EXPLAIN shows t.* (scan/sp_scan_show.c),
 * where a plan is printed otherwise it is (t.ctid)::t.
 */
#ifndef SP_SLOT_ROW_H
#define SP_SLOT_ROW_H

#include "server/sp_compat.h"

#include "executor/tuptable.h"
#include "nodes/primnodes.h"

/* What stands for the whole row that row, a Var of a named type, is; evaluated by the scan itself. */
extern Node *sp_slot_row(const Var *row);

/* Is an argument such a thing? */
extern bool sp_is_slot_row(const Node *argument);

/* The whole row again that it stands for. */
extern Node *sp_row_of_slot(const Node *argument);

/* The slot, from what the executor gives for it. */
static inline TupleTableSlot *
sp_slot_of(Datum ctid)
{
	return (TupleTableSlot *) (DatumGetPointer(ctid) - offsetof(TupleTableSlot, tts_tid));
}

#endif
