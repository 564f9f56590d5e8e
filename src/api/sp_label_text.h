/*
 * src/api/sp_label_text.h
 *
 * SQL values as labels: the text that the same label has in a model's list.
 * Numbers are written by the shortest text that reads back the same, without
 * trailing zeros (1 for 1.0, 0 for -0), other types by their output function.
 */
#ifndef SP_LABEL_TEXT_H
#define SP_LABEL_TEXT_H

#include "server/sp_compat.h"

#include "fmgr.h"

typedef struct SpLabelText
{
	Oid			type;			/* base type */
	bool		is_text;		/* taken as it is */
	FmgrInfo	output;
} SpLabelText;

/* For values of type (a domain too); what the output function keeps is in mcx. */
extern void sp_label_text_init(SpLabelText *as_text, Oid type, MemoryContext mcx);

/* The bytes of a value's text: in the value itself, or palloc'd. */
extern const char *sp_label_text(SpLabelText *as_text, Datum value, Size *size);

#endif
