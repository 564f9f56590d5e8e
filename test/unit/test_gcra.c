/*
 * test/unit/test_gcra.c
 *
 * Limits as words: what passes, how long to wait, and months.
 */
#include "base/sp_gcra.h"
#include "sp_test.h"

#define SECOND UINT64_C(1000000000)

/* Calls that pass when one is tried every step ns, from start, for a time. */
static uint64_t
passed(const SpGcra *limit, uint64_t *arrival, uint64_t start, uint64_t length, uint64_t step)
{
	uint64_t	count = 0;

	for (uint64_t now = start; now < start + length; now += step)
		count += sp_gcra_take(limit, *arrival, now, arrival) == 0;
	return count;
}

static void
test_rate(void)
{
	static const struct
	{
		uint32_t	rate;
		uint32_t	burst;
	}			limits[] = {{1, 1}, {3, 1}, {7, 50}, {100, 100}, {1000, 1}, {1000, 250}};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
	{
		SpGcra		limit = sp_gcra_make(limits[i].rate, limits[i].burst);
		uint64_t	arrival = 0;
		uint64_t	count = passed(&limit, &arrival, 5 * SECOND, 100 * SECOND, SECOND / 10000);
		uint64_t	expected = UINT64_C(100) * limits[i].rate + limits[i].burst;

		/* the last one of the rate falls on the end */
		ok(count == expected || count + 1 == expected, "%u a second, %u at once: %llu of 1000000 pass in 100 s",
		   limits[i].rate, limits[i].burst, (unsigned long long) count);
	}
}

static void
test_burst(void)
{
	SpGcra		limit = sp_gcra_make(10, 5);
	uint64_t	arrival = 0;
	uint64_t	now = 7 * SECOND;
	uint64_t	wait;

	ok(passed(&limit, &arrival, now, 100, 1) == 5, "a burst and no more at one time");
	wait = sp_gcra_take(&limit, arrival, now + 100, &arrival);
	ok(wait == SECOND / 10 - 100, "the wait is what is missing: %llu ns", (unsigned long long) wait);
	ok(sp_gcra_take(&limit, arrival, now + 100 + wait - 1, &arrival) == 1, "a nanosecond less is too little");
	ok(sp_gcra_take(&limit, arrival, now + 100 + wait, &arrival) == 0, "and that long is enough");
	ok(passed(&limit, &arrival, now + 100 * SECOND, 100, 1) == 5, "idle time fills a burst, not more");
}

/* From one call a day, of which many at once were let through, to a quick limit. */
static void
test_change(void)
{
	SpGcra		slow = sp_gcra_make(1, 1000000);
	SpGcra		quick = sp_gcra_make(1000, 10);
	uint64_t	arrival = 0;
	uint64_t	wait;

	(void) passed(&slow, &arrival, SECOND, 1000000, 1);
	ok(arrival > UINT64_C(900000) * SECOND, "an arrival time far ahead");
	ok(passed(&quick, &arrival, 2 * SECOND, 100, 1) == 1, "of a slower limit counts as one call left");
	wait = sp_gcra_take(&quick, arrival, 2 * SECOND, &arrival);
	ok(wait == SECOND / 1000, "and then the new limit holds");
	ok(sp_gcra_take(&quick, arrival, 2 * SECOND + wait, &arrival) == 0, "as the next call shows");
}

static void
test_extremes(void)
{
	SpGcra		most = sp_gcra_make(1000000000, 1000000000);
	SpGcra		least = sp_gcra_make(1, 1000000000);
	uint64_t	next = 0;

	ok(sp_gcra_take(&most, 0, 1, &next) == 0 && next == 2, "the quickest limit");
	ok(sp_gcra_take(&least, UINT64_C(1) << 63, UINT64_C(1) << 61, &next) == 0 &&
	   next == (UINT64_C(1) << 61) + 1000000000 * SECOND, "the longest burst, at a clock of 73 years");
}

static void
test_quota(void)
{
	uint32_t	month = 2026 * 12 + 10;
	uint64_t	word = sp_quota_word(month, 0);

	ok(sp_quota_month(0) == 0 && sp_quota_month(word) == month && sp_quota_used(word) == 0, "a word of a month");
	for (int i = 0; i < 3; i++)
		word = sp_quota_take(word, month, 3);
	ok(sp_quota_used(word) == 3 && sp_quota_take(word, month, 3) == 0, "three of three, and no more");
	ok(sp_quota_take(word, month, 4) == sp_quota_word(month, 4), "unless the quota is raised");
	ok(sp_quota_take(word, month + 1, 3) == sp_quota_word(month + 1, 1), "or a month begins");
	ok(sp_quota_take(word, month - 1, 4) == sp_quota_word(month, 4) && sp_quota_take(word, month - 1, 3) == 0,
	   "which a late caller does not end");
	ok(sp_quota_take(sp_quota_word(UINT16_MAX, SP_QUOTA_MOST - 1), UINT16_MAX, SP_QUOTA_MOST) ==
	   sp_quota_word(UINT16_MAX, SP_QUOTA_MOST) &&
	   sp_quota_take(sp_quota_word(month, SP_QUOTA_MOST), month, SP_QUOTA_MOST) == 0, "the most stays in its bits");
	ok(sp_quota_take(word, month, 0) == 0, "nothing of nothing");
}

int
main(void)
{
	test_rate();
	test_burst();
	test_change();
	test_extremes();
	test_quota();
	return done_testing();
}
