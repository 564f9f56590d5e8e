/*
 * src/base/sp_gcra.h
 *
 * Limits as words that can be changed by compare-and-swap.
 *
 * A rate with a burst is the generic cell rate algorithm in its virtual
 * scheduling form (ITU-T I.371, annex A): one word, the theoretical arrival
 * time, is when the bucket would be full again.  A quota is one word of month and
 * count, so that a new month and its first call are one change.
 */
#ifndef SP_GCRA_H
#define SP_GCRA_H

#include <stdint.h>

/* All times in nanoseconds of one clock that never goes back. */
typedef struct SpGcra
{
	uint64_t	interval;		/* between two calls at the rate */
	uint64_t	burst;			/* calls at once, at least 1 */
} SpGcra;

/* rate per second, 1 .. 10^9; burst 1 .. 10^9 */
extern SpGcra sp_gcra_make(uint32_t rate, uint32_t burst);

/*
 * May there be a call at now, which is no earlier than the call that made
 * arrival?  0: yes, and *next is the new arrival time; else how long until there
 * may.  An arrival time later than a full burst allows
 * comes from an earlier, slower limit, and counts as a bucket with one call left.
 */
extern uint64_t sp_gcra_take(const SpGcra *limit, uint64_t arrival, uint64_t now, uint64_t *next);

/* A month, counted from January of year 0, 1 .. 2^16 - 1, and a count below 2^48. */
#define SP_QUOTA_MOST ((UINT64_C(1) << 48) - 1)

extern uint64_t sp_quota_word(uint32_t month, uint64_t used);
extern uint32_t sp_quota_month(uint64_t word);	/* 0: nothing is known of any month */
extern uint64_t sp_quota_used(uint64_t word);

/*
 * The word after one more call in month; 0 when that is over quota (at most
 * SP_QUOTA_MOST).  A caller who is late counts in the later month that another has begun.
 */
extern uint64_t sp_quota_take(uint64_t word, uint32_t month, uint64_t quota);

#endif
