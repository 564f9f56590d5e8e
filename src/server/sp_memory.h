/*
 * src/server/sp_memory.h
 *
 * The bridge from the pure code's allocator to memory contexts.
 */
#ifndef SP_MEMORY_H
#define SP_MEMORY_H

#include "server/sp_compat.h"
#include "base/sp_status.h"

/*
 * A context for pure functions: memory from mcx (never raising, sizes over
 * 1 GB allowed), limits from the settings, stopped by a pending interrupt.
 */
extern void sp_context_init(SpContext *cx, MemoryContext mcx);

/*
 * The stop callback for SpContext and SpEval: handles pending interrupts and
 * says true when one of them ends the statement.  The caller of the pure code
 * must then call sp_raise (or PG_RE_THROW) before anything else.
 */
extern bool sp_interrupted(void *arg);

/* size bytes in mcx, aligned to a power of 2; freed with mcx only. */
extern void *sp_palloc_aligned(MemoryContext mcx, Size size, Size alignment);

#endif
