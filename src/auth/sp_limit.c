/*
 * src/auth/sp_limit.c
 *
 * Taking calls from the limits that they are under: those of the key (its chain of
 * rotations), then those of its owner.  A limit that refuses gives back what the
 * ones before it have taken.
 */
#include "server/sp_compat.h"

#include <time.h>

#include "miscadmin.h"
#include "utils/datetime.h"

#include "auth/sp_limit.h"
#include "auth/sp_limit_counts.h"
#include "base/sp_gcra.h"

#define NO_ROOM_WAIT_MS 1000

/* One entry that a call takes from. */
typedef struct Take
{
	SpTrackedId id;
	SpLimitRule rule;
	bool		counts;			/* the call itself, for the key that was used */
} Take;

typedef struct Moment
{
	TimestampTz now;
	uint32		month;
	TimestampTz month_end;
} Moment;

void
sp_limit_require(void)
{
	if (!sp_tracked_available())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("limits of API keys need shared memory"),
				 errhint("Add smartpouch to shared_preload_libraries and restart the server.")));
}

uint64
sp_limit_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64) now.tv_sec * 1000000000 + (uint64) now.tv_nsec;
}

static TimestampTz
month_begin(int month)
{
	return (TimestampTz) (date2j(month / 12, month % 12 + 1, 1) - POSTGRES_EPOCH_JDATE) * USECS_PER_DAY;
}

/* Months since January of year 0 (UTC), and in *end when this one ends. */
static uint32
month_of(TimestampTz now, TimestampTz *end)
{
	static int	month;			/* the one of the last call, most often */
	static TimestampTz begins = 0;
	static TimestampTz ends = 0;
	int			year;
	int			of_year;
	int			day;

	if (now < begins || now >= ends)
	{
		j2date((int) (now / USECS_PER_DAY) + POSTGRES_EPOCH_JDATE, &year, &of_year, &day);
		month = year * 12 + of_year - 1;
		begins = month_begin(month);
		ends = month_begin(month + 1);
	}
	*end = ends;
	return (uint32) month;
}

static bool
has_limit(const SpLimitRule *rule)
{
	return rule != NULL && (rule->rate > 0 || rule->quota > 0);
}

static SpGcra
gcra_of(const SpLimitRule *rule)
{
	return sp_gcra_make((uint32) rule->rate, (uint32) (rule->burst > 0 ? rule->burst : rule->rate));
}

/* The entry, locked, with the month's quota known if there is one; NULL for lack of room. */
static SpTracked *
lock_entry(const Take *take, uint32 month, LWLock **lock)
{
	SpTracked  *tracked = sp_tracked_lock(&take->id, true, lock);
	uint64		unknown = 0;
	int64		used;

	if (tracked == NULL || take->rule.quota == 0 || pg_atomic_read_u64(&tracked->quota) != 0)
		return tracked;
	LWLockRelease(*lock);
	used = sp_limit_used(take->id.kind, take->id.name, month);
	tracked = sp_tracked_lock(&take->id, true, lock);
	if (tracked != NULL)
		(void) pg_atomic_compare_exchange_u64(&tracked->quota, &unknown,
											  sp_quota_word(month, Min((uint64) used, SP_QUOTA_MOST)));
	return tracked;
}

/*
 * 0, or the time to wait in ns.  The clock is read after the arrival time, so that
 * it is never before the call that made that: a session that waited for
 * a processor in between would take the others' calls for those of a slower limit.
 */
static uint64
take_rate(SpTracked *tracked, const SpLimitRule *rule)
{
	SpGcra		limit = gcra_of(rule);
	uint64		arrival = pg_atomic_read_u64(&tracked->arrival);
	uint64		next;

	do
	{
		uint64		wait;

		pg_read_barrier();
		wait = sp_gcra_take(&limit, arrival, sp_limit_clock(), &next);
		if (wait > 0)
			return wait;
	} while (!pg_atomic_compare_exchange_u64(&tracked->arrival, &arrival, next));
	return 0;
}

static bool
take_quota(SpTracked *tracked, const SpLimitRule *rule, uint32 month)
{
	uint64		word = pg_atomic_read_u64(&tracked->quota);
	uint64		next;

	do
	{
		next = sp_quota_take(word, month, (uint64) rule->quota);
		if (next == 0)
			return false;
	} while (!pg_atomic_compare_exchange_u64(&tracked->quota, &word, next));
	return true;
}

static void
give_back_rate(SpTracked *tracked, const SpLimitRule *rule)
{
	pg_atomic_fetch_sub_u64(&tracked->arrival, gcra_of(rule).interval);
}

static void
give_back_quota(SpTracked *tracked, uint32 month)
{
	uint64		word = pg_atomic_read_u64(&tracked->quota);

	while (sp_quota_month(word) == month && sp_quota_used(word) > 0 &&
		   !pg_atomic_compare_exchange_u64(&tracked->quota, &word, word - 1));
}

static void
take_one(const Take *take, const Moment *moment, SpLimitVerdict *verdict)
{
	LWLock	   *lock;
	SpTracked  *tracked = lock_entry(take, moment->month, &lock);
	uint64		wait;

	if (tracked == NULL)
	{
		sp_tracked_missed();
		if (has_limit(&take->rule))
			*verdict = (SpLimitVerdict) {.outcome = SP_LIMIT_NO_ROOM, .wait_ms = NO_ROOM_WAIT_MS};
		return;
	}
	if (take->rule.rate > 0 && (wait = take_rate(tracked, &take->rule)) > 0)
		*verdict = (SpLimitVerdict) {.outcome = SP_LIMIT_RATE, .wait_ms = (int64) ((wait + 999999) / 1000000)};
	else if (take->rule.quota > 0 && !take_quota(tracked, &take->rule, moment->month))
	{
		if (take->rule.rate > 0)
			give_back_rate(tracked, &take->rule);
		*verdict = (SpLimitVerdict) {
			.outcome = SP_LIMIT_QUOTA, .wait_ms = (moment->month_end - moment->now) / 1000 + 1
		};
	}
	else
	{
		pg_atomic_write_u64(&tracked->last_call, (uint64) moment->now);
		if (take->counts)
			pg_atomic_fetch_add_u64(&tracked->calls, 1);
	}
	verdict->of_owner = verdict->outcome != SP_LIMIT_OK && take->id.kind == SP_TRACKED_OWNER;
	LWLockRelease(lock);
}

static void
give_back(const Take *take, const Moment *moment)
{
	LWLock	   *lock;
	SpTracked  *tracked = sp_tracked_lock(&take->id, false, &lock);

	if (tracked == NULL)
		return;
	if (take->rule.rate > 0)
		give_back_rate(tracked, &take->rule);
	if (take->rule.quota > 0)
		give_back_quota(tracked, moment->month);
	if (take->counts)
		pg_atomic_fetch_sub_u64(&tracked->calls, 1);
	LWLockRelease(lock);
}

static void
add_take(Take *takes, int *count, char kind, const char *name, const SpLimitRule *rule, bool counts)
{
	Take	   *take = &takes[(*count)++];

	if (!sp_tracked_id(&take->id, kind, name))
		elog(ERROR, "name of a limit has more than %d bytes", SP_TRACKED_NAME - 1);
	take->rule = has_limit(rule) ? *rule : (SpLimitRule) {0};
	take->counts = counts;
}

SpLimitVerdict
sp_limit_take(const char *key_id, const char *chain, const SpLimitRule *rule, const char *owner)
{
	SpLimitRule owner_rule = sp_limit_of_owner(owner);
	SpLimitVerdict verdict = {.outcome = SP_LIMIT_OK};
	Moment		moment;
	Take		takes[3];
	int			count = 0;

	if (!sp_tracked_available())
	{
		if (has_limit(rule) || has_limit(&owner_rule))
			sp_limit_require();
		return verdict;
	}
	moment.now = GetCurrentTimestamp();
	moment.month = month_of(moment.now, &moment.month_end);
	add_take(takes, &count, SP_TRACKED_KEY, key_id, strcmp(chain, key_id) == 0 ? rule : NULL, true);
	if (strcmp(chain, key_id) != 0 && has_limit(rule))
		add_take(takes, &count, SP_TRACKED_KEY, chain, rule, false);
	if (has_limit(&owner_rule))
		add_take(takes, &count, SP_TRACKED_OWNER, owner, &owner_rule, false);
	for (int i = 0; i < count; i++)
	{
		take_one(&takes[i], &moment, &verdict);
		if (verdict.outcome == SP_LIMIT_OK)
			continue;
		while (i-- > 0)
			give_back(&takes[i], &moment);
		break;
	}
	return verdict;
}

void
sp_limit_raise(const SpLimitVerdict *verdict, const char *key_id)
{
	const char *whose = verdict->of_owner ? "the owner of " : "";
	int			code = ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;

	if (verdict->outcome == SP_LIMIT_QUOTA)
		ereport(ERROR,
				(errcode(code),
				 errmsg("the month's quota of %sAPI key \"%s\" is used up", whose, key_id),
				 errdetail("The next month begins in %lld ms.", (long long) verdict->wait_ms)));
	if (verdict->outcome == SP_LIMIT_NO_ROOM)
		ereport(ERROR,
				(errcode(code),
				 errmsg("there is no room to count calls with API key \"%s\"", key_id),
				 errdetail("The server has no room for the limits of so many keys and owners at a time; try again in %lld ms.",
						   (long long) verdict->wait_ms),
				 errhint("Raise smartpouch.max_tracked_keys and restart the server.")));
	ereport(ERROR,
			(errcode(code),
			 errmsg("too many requests with %sAPI key \"%s\"", whose, key_id),
			 errdetail("The next one may pass in %lld ms.", (long long) verdict->wait_ms)));
}
