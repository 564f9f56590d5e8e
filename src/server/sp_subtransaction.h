/*
 * src/server/sp_subtransaction.h
 *
 * Code whose error must not keep what follows from being done.
 */
#ifndef SP_SUBTRANSACTION_H
#define SP_SUBTRANSACTION_H

#include "server/sp_compat.h"

/*
 * Run code in a subtransaction and a memory context of its own, a child of the
 * current one.  NULL, or the error, in the current context, with everything
 * that code did undone and its memory gone; the caller may rethrow it.
 */
extern ErrorData *sp_subtransaction(void (*code) (void *arg), void *arg);

#endif
