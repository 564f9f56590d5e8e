/*
 * src/base/sp_gcra.c
 */
#include "base/sp_gcra.h"

#define SECOND UINT64_C(1000000000)
#define COUNT_BITS 48

SpGcra
sp_gcra_make(uint32_t rate, uint32_t burst)
{
	return (SpGcra) {.interval = SECOND / rate, .burst = burst};
}

/* The products are below 2^60. */
uint64_t
sp_gcra_take(const SpGcra *limit, uint64_t arrival, uint64_t now, uint64_t *next)
{
	uint64_t	empty = now + limit->burst * limit->interval;
	uint64_t	latest = empty - limit->interval;	/* arrival time that still lets a call pass */

	if (arrival > empty)
		arrival = latest;
	if (arrival > latest)
		return arrival - latest;
	*next = (arrival > now ? arrival : now) + limit->interval;
	return 0;
}

uint64_t
sp_quota_word(uint32_t month, uint64_t used)
{
	return ((uint64_t) month << COUNT_BITS) | used;
}

uint32_t
sp_quota_month(uint64_t word)
{
	return (uint32_t) (word >> COUNT_BITS);
}

uint64_t
sp_quota_used(uint64_t word)
{
	return word & SP_QUOTA_MOST;
}

uint64_t
sp_quota_take(uint64_t word, uint32_t month, uint64_t quota)
{
	uint32_t	counted = sp_quota_month(word);
	uint64_t	used = counted < month ? 0 : sp_quota_used(word);

	month = counted < month ? month : counted;
	return used < quota ? sp_quota_word(month, used + 1) : 0;
}
