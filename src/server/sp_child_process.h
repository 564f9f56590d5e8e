/*
 * src/server/sp_child_process.h
 *
 * Programs that run as children of a backend, joined to it by pipes.
 *
 * A program is started from a fixed list of arguments, without a shell, in a
 * process group of its own, with nothing of the backend's open.  The backend
 * never sleeps in read(), write() or waitpid(): it waits on its latch and takes
 * interrupts, and absorbs barriers, meanwhile.
 *
 * A child is memory of CurrentMemoryContext as of its start: when that goes, by an
 * error, a cancel or the end of the session, the whole group is killed.  A
 * backend that is itself killed takes the program with it on Linux; elsewhere
 * the program ends when it next uses a pipe.
 */
#ifndef SP_CHILD_PROCESS_H
#define SP_CHILD_PROCESS_H

#include "server/sp_compat.h"

typedef struct SpChild SpChild;

/* Takes bytes that a program printed; may raise. */
typedef void (*SpChildTake) (void *arg, const char *bytes, Size size);

/*
 * argv[0] is the absolute path, name what messages call it; both lists end with
 * NULL.  58P01 when there is no such program that may be executed.
 */
extern SpChild *sp_child_start(const char *name, char *const argv[], char *const envp[]);

/*
 * Until it begins to print, or ends without: nothing is taken yet.  On Linux a
 * program that prints more than a page then waits in its write, so it has not
 * ended.  Only before the first read.
 */
extern void sp_child_await(SpChild *child);

/*
 * At least one byte of what it prints, up to size; 0 at the end.  Here and below
 * 38000 when it has ended and nothing comes for some time, but others keep its output open.
 */
extern Size sp_child_read(SpChild *child, char *bytes, Size size);

/*
 * Write all bytes to its input; what it prints meanwhile goes to take, if not
 * NULL.  A program that has closed its input gets no more; sp_child_end says why,
 * unless it calls that a success.
 */
extern void sp_child_write(SpChild *child, const char *bytes, Size size, SpChildTake take, void *arg);

/* No more input: take everything that it still prints. */
extern void sp_child_drain(SpChild *child, SpChildTake take, void *arg);

/* False after it closed its input early. */
extern bool sp_child_took_all(const SpChild *child);

/*
 * After sp_child_drain or a read of 0 bytes: wait until it ends; NULL for
 * success, else why not: how it ended and the beginning and end of its error
 * messages, made safe for the database's encoding.  The child is gone.
 */
extern char *sp_child_end(SpChild *child);

/* Has it ended within so many milliseconds? What it prints stays where it is. */
extern bool sp_child_ends_within(SpChild *child, double milliseconds);

/* End it now, without patience. */
extern void sp_child_kill(SpChild *child);

/* As sp_child_end, but raises 38000. */
extern void sp_child_finish(SpChild *child);

#endif
