/*
 * src/server/sp_series.c
 *
 * Locks:
 * - The lock protects keys and which places are taken: shared to look,
 *   exclusive to change.  Under it nothing raises; a reset waits for
 *   writers, which take nanoseconds and wait for no lock.
 * - A stripe has one writer at a time, so its cells grow by plain adding: one
 *   atomic exchange for an observation, not one for each number of it.  A
 *   backend begins with the stripe of its own number and takes the next one where
 *   there is a writer already, who may have lost his processor.
 * - The epoch moves, under the exclusive lock, whenever a place is given up.  A
 *   backend remembers places with the epoch that they are of.  To add, it
 *   becomes the writer of a stripe and then looks whether the epoch is still the
 *   same; who gives a place up moves the epoch and then waits until no stripe
 *   has a writer.  Either the writer sees the new epoch and looks its key up
 *   again, or it is waited for: nothing is ever added to another's series.
 * - Cells are read and written as a whole.  Readers see each number as it is at some moment while
 *   they read, not all as of one moment.
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

#include "server/sp_guc.h"
#include "server/sp_series.h"
#include "server/sp_shared_area.h"

#define MAX_DATABASES 64
#define LINE 128				/* bytes: two cache lines, as processors fetch them */

typedef struct Place
{
	SpSeriesKey key;
	uint32		hash;
	bool		is_taken;
	TimestampTz since;
} Place;

typedef struct Stripe
{
	pg_atomic_uint32 has_writer;
	char		padding[LINE - sizeof(pg_atomic_uint32)];
} Stripe;

typedef struct Store
{
	LWLock		lock;
	int			tranche;
	int			max_series;		/* as it was set at the start */
	int			n_places;
	pg_uuid_t	boot_id;
	TimestampTz started_at;
	pg_atomic_uint64 dropped;
	char		padding[LINE];
	pg_atomic_uint32 epoch;
	char		more_padding[LINE];
	Stripe		stripes[SP_SERIES_STRIPES];
	Place		places[FLEXIBLE_ARRAY_MEMBER];
} Store;

typedef pg_atomic_uint64 Cells[SP_SERIES_CELLS];

static int	own_stripe = -1;	/* its number, by that of this process */
static Stripe *written = NULL;	/* the one that this process is the writer of */

/* The first place of each kind stands for those that found none. */
static int
first_place(SpSeriesKind kind, int max_series)
{
	return kind == SP_SERIES_DATABASE ? 0 : MAX_DATABASES + ((int) kind - 1) * max_series;
}

static Size
store_bytes(int n_places)
{
	return TYPEALIGN(LINE, offsetof(Store, places) + mul_size(n_places, sizeof(Place)));
}

static Size
store_size(void)
{
	int			n_places = first_place(SP_N_SERIES_KINDS, sp_max_series);

	return add_size(LINE + store_bytes(n_places), mul_size(SP_SERIES_STRIPES, mul_size(n_places, sizeof(Cells))));
}

static void init_store(void *block);

static SpSharedArea area = {
	.name = "smartpouch counters", .size = store_size, .init = init_store
};

static Store *
aligned_store(void *block)
{
	return (Store *) TYPEALIGN(LINE, block);
}

static Store *
store(void)
{
	return aligned_store(area.block);
}

static Cells *
cells_of_stripe(int number)
{
	Cells	   *first = (Cells *) ((char *) store() + store_bytes(store()->n_places));

	return first + (Size) number * store()->n_places;
}

static void
begin_place(Place *place, const SpSeriesKey *key, uint32 hash)
{
	place->key = *key;
	place->hash = hash;
	place->since = GetCurrentTimestamp();
	place->is_taken = true;
}

/* Nobody is writing: the place is new, or given up. */
static void
clear_cells(int place)
{
	for (int i = 0; i < SP_SERIES_STRIPES; i++)
		for (int cell = 0; cell < SP_SERIES_CELLS; cell++)
			pg_atomic_write_u64(&cells_of_stripe(i)[place][cell], 0);
}

static void
init_store(void *block)
{
	Store	   *fresh = aligned_store(block);

	memset(block, 0, store_size());
	fresh->tranche = LWLockNewTrancheId();
	LWLockInitialize(&fresh->lock, fresh->tranche);
	fresh->max_series = sp_max_series;
	fresh->n_places = first_place(SP_N_SERIES_KINDS, sp_max_series);
	fresh->started_at = GetCurrentTimestamp();
	if (!pg_strong_random(fresh->boot_id.data, UUID_LEN))
		elog(ERROR, "could not generate random numbers");
	/* RFC 4122, version 4 */
	fresh->boot_id.data[6] = (fresh->boot_id.data[6] & 0x0f) | 0x40;
	fresh->boot_id.data[8] = (fresh->boot_id.data[8] & 0x3f) | 0x80;
	pg_atomic_init_u64(&fresh->dropped, 0);
	pg_atomic_init_u32(&fresh->epoch, 1);
	for (int i = 0; i < SP_SERIES_STRIPES; i++)
		pg_atomic_init_u32(&fresh->stripes[i].has_writer, 0);
	area.block = block;
	for (int place = 0; place < fresh->n_places; place++)
		for (int i = 0; i < SP_SERIES_STRIPES; i++)
			for (int cell = 0; cell < SP_SERIES_CELLS; cell++)
				pg_atomic_init_u64(&cells_of_stripe(i)[place][cell], 0);
	for (int kind = 0; kind < SP_N_SERIES_KINDS; kind++)
	{
		SpSeriesKey key = {.kind = (uint32) kind};

		begin_place(&fresh->places[first_place((SpSeriesKind) kind, fresh->max_series)], &key, 0);
	}
}

void
sp_series_init(void)
{
	sp_shared_area_request(&area);
}

bool
sp_series_available(void)
{
	return area.block != NULL;
}

/* False for processes that have no number, or have it no more. */
static bool
attach(void)
{
	if (area.block == NULL || MyProc == NULL)
		return false;
	if (likely(own_stripe >= 0))
		return true;
	LWLockRegisterTranche(store()->tranche, "smartpouch counters");
	own_stripe = (int) (MyProc - ProcGlobal->allProcs) % SP_SERIES_STRIPES;
	return true;
}

static bool
same_key(const SpSeriesKey *a, const SpSeriesKey *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* Under the lock. */
static int
find_place(const SpSeriesKey *key, uint32 hash)
{
	int			first = first_place((SpSeriesKind) key->kind, store()->max_series);
	int			end = first_place((SpSeriesKind) (key->kind + 1), store()->max_series);

	for (int i = first + 1; i < end; i++)
		if (store()->places[i].hash == hash && store()->places[i].is_taken &&
			same_key(&store()->places[i].key, key))
			return i;
	return -1;
}

static uint64
last_at(int place)
{
	uint64		newest = 0;

	for (int i = 0; i < SP_SERIES_STRIPES; i++)
		newest = Max(newest, pg_atomic_read_u64(&cells_of_stripe(i)[place][SP_SERIES_LAST_AT]));
	return newest;
}

/* Under the exclusive lock, before places are given up: from here on nobody adds to what was looked up earlier. */
static void
stop_writers(void)
{
	pg_atomic_fetch_add_u32(&store()->epoch, 1);
	for (int i = 0; i < SP_SERIES_STRIPES; i++)
		while (pg_atomic_read_u32(&store()->stripes[i].has_writer) > 0)
			pg_usleep(10);
	pg_memory_barrier();
}

/* Under the exclusive lock: a free place, or that of a series that is idle; the one for all others if there is none. */
static int
make_place(const SpSeriesKey *key, uint32 hash)
{
	int			first = first_place((SpSeriesKind) key->kind, store()->max_series);
	int			end = first_place((SpSeriesKind) (key->kind + 1), store()->max_series);
	uint64		oldest_at = (uint64) (GetCurrentTimestamp() - SP_SERIES_IDLE_US);
	int			place = 0;

	for (int i = first + 1; i < end && place == 0; i++)
		if (!store()->places[i].is_taken)
			place = i;
	if (place == 0)
	{
		for (int i = first + 1; i < end; i++)
		{
			uint64		at = Max(last_at(i), (uint64) store()->places[i].since);

			if (at < oldest_at)
			{
				place = i;
				oldest_at = at;
			}
		}
		if (place == 0)
		{
			pg_atomic_fetch_add_u64(&store()->dropped, 1);
			return first;
		}
		stop_writers();
		clear_cells(place);
	}
	begin_place(&store()->places[place], key, hash);
	return place;
}

static void
look_up(SpSeriesRef *ref)
{
	uint32		hash = hash_bytes((const unsigned char *) &ref->key, sizeof(ref->key));

	LWLockAcquire(&store()->lock, LW_SHARED);
	ref->place = find_place(&ref->key, hash);
	ref->epoch = pg_atomic_read_u32(&store()->epoch);
	LWLockRelease(&store()->lock);
	if (ref->place >= 0)
		return;
	LWLockAcquire(&store()->lock, LW_EXCLUSIVE);
	ref->place = find_place(&ref->key, hash);
	if (ref->place < 0)
		ref->place = make_place(&ref->key, hash);
	ref->epoch = pg_atomic_read_u32(&store()->epoch);
	LWLockRelease(&store()->lock);
}

void
sp_series_look_up(SpSeriesRef *ref)
{
	if (attach() && unlikely(ref->epoch != pg_atomic_read_u32(&store()->epoch)))
		look_up(ref);
}

/* One whose epoch is over: making a place for a later one may do that to an earlier one. */
static SpSeriesRef *
outdated(SpSeriesRef *const refs[], int count)
{
	uint32		epoch = pg_atomic_read_u32(&store()->epoch);

	for (int i = 0; i < count; i++)
		if (unlikely(refs[i]->epoch != epoch))
			return refs[i];
	return NULL;
}

/* Become the writer of a stripe, and return its number. */
static int
begin_writing(void)
{
	int			number = own_stripe;

	/* a full barrier: the epoch is read after this is seen */
	while (unlikely(pg_atomic_exchange_u32(&store()->stripes[number].has_writer, 1) != 0))
	{
		number = (number + 1) % SP_SERIES_STRIPES;
		if (number == own_stripe)
			pg_usleep(10);
	}
	written = &store()->stripes[number];
	return number;
}

bool
sp_series_begin(SpSeriesRef *const refs[], int count, pg_atomic_uint64 *cells[])
{
	SpSeriesRef *old;
	Cells	   *stripe_cells;
	uint64		now;
	int			number;

	if (!attach())
		return false;
	for (;;)
	{
		number = begin_writing();
		old = outdated(refs, count);
		if (likely(old == NULL))
			break;
		sp_series_end();
		look_up(old);
	}
	stripe_cells = cells_of_stripe(number);
	now = (uint64) GetCurrentStatementStartTimestamp();
	for (int i = 0; i < count; i++)
	{
		cells[i] = stripe_cells[refs[i]->place];
		pg_atomic_write_u64(&cells[i][SP_SERIES_LAST_AT], now);
	}
	return true;
}

void
sp_series_end(void)
{
	/* what was read is what was written then, so with the writes it is done as well */
	pg_write_barrier();
	pg_atomic_write_u32(&written->has_writer, 0);
}

/* Under the lock. */
static void
read_place(int place, SpSeries *series)
{
	const Place *from = &store()->places[place];

	series->key = from->key;
	series->is_overflow = place == first_place((SpSeriesKind) from->key.kind, store()->max_series);
	series->since = from->since;
	memset(series->cells, 0, sizeof(series->cells));
	for (int i = 0; i < SP_SERIES_STRIPES; i++)
		for (int cell = 0; cell < SP_SERIES_CELLS; cell++)
			series->cells[cell] += pg_atomic_read_u64(&cells_of_stripe(i)[place][cell]);
	series->cells[SP_SERIES_LAST_AT] = last_at(place);
}

SpSeries *
sp_series_read(Oid database, int *count)
{
	SpSeries   *series;

	*count = 0;
	if (!attach())
		return NULL;
	series = palloc(mul_size(store()->n_places, sizeof(SpSeries)));
	LWLockAcquire(&store()->lock, LW_SHARED);
	for (int i = 0; i < store()->n_places; i++)
	{
		const Place *place = &store()->places[i];

		if (!place->is_taken || (place->key.database != database && OidIsValid(place->key.database)))
			continue;
		read_place(i, &series[(*count)++]);
	}
	LWLockRelease(&store()->lock);
	return series;
}

void
sp_series_facts(SpSeriesFacts *facts)
{
	memset(facts, 0, sizeof(*facts));
	if (!attach())
		return;
	facts->boot_id = store()->boot_id;
	facts->started_at = store()->started_at;
	facts->dropped = pg_atomic_read_u64(&store()->dropped);
	LWLockAcquire(&store()->lock, LW_SHARED);
	for (int i = 0; i < store()->n_places; i++)
		facts->series[store()->places[i].key.kind] += store()->places[i].is_taken &&
			OidIsValid(store()->places[i].key.database);
	for (int kind = 0; kind < SP_N_SERIES_KINDS; kind++)
		facts->max_series[kind] = first_place((SpSeriesKind) (kind + 1), store()->max_series) -
			first_place((SpSeriesKind) kind, store()->max_series) - 1;
	LWLockRelease(&store()->lock);
}

void
sp_series_reset(Oid database)
{
	if (!attach())
		return;
	LWLockAcquire(&store()->lock, LW_EXCLUSIVE);
	stop_writers();
	for (int i = 0; i < store()->n_places; i++)
		if (store()->places[i].is_taken && store()->places[i].key.database == database)
		{
			clear_cells(i);
			store()->places[i].is_taken = false;
		}
	LWLockRelease(&store()->lock);
}
