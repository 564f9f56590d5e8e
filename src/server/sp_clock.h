/*
 * src/server/sp_clock.h
 *
 * The clock of the CPU: what this process has used of it, in ns.  Reading it
 * takes about 1 us.
 */
#ifndef SP_CLOCK_H
#define SP_CLOCK_H

#include "server/sp_compat.h"

#include <time.h>

static inline uint64
sp_cpu_clock(void)
{
	struct timespec now;

	(void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64) now.tv_sec * UINT64CONST(1000000000) + (uint64) now.tv_nsec;
}

#endif
