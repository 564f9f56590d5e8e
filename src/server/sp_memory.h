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

/* From here on memory comes from mcx; what was allocated stays where it is. */
extern void sp_context_move(SpContext *cx, MemoryContext mcx);

/*
 * The memory that importing a file of that size may take: SP_IMPORT_MEMORY and
 * the file's size as often as smartpouch.import_memory_multiple says.  Past it
 * the allocator says that memory is short, and sp_raise says which limit it was.
 */
#define SP_IMPORT_MEMORY ((Size) 64 * 1024 * 1024)
extern void sp_context_bound(SpContext *cx, Size file_size);

/* The bound, if more was asked for, else 0. */
extern Size sp_context_exceeded(const SpContext *cx);

/*
 * The stop callback for SpContext and SpEval: handles pending interrupts and
 * says true when one of them ends the statement.  The caller of the pure code
 * must then call sp_raise (or PG_RE_THROW) before anything else.
 */
extern bool sp_interrupted(void *arg);

/*
 * From now on sp_interrupted also says true once so many milliseconds are over,
 * with nothing on the error stack; 0: no longer.  For one stretch of pure code:
 * the caller sets it back, after errors too.
 */
extern void sp_deadline_set(double milliseconds);

/* Was it that, and no interrupt, for which sp_interrupted said true? Until the deadline is set anew. */
extern bool sp_deadline_passed(void);

/* size bytes in mcx, aligned to a power of 2; freed with mcx only. */
extern void *sp_palloc_aligned(MemoryContext mcx, Size size, Size alignment);

#endif
