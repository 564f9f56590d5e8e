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

#define OVERFLOWS (SP_SERIES_DATABASES + 1)	/* by the database's place; the first for those that have none */
#define BASE SP_SERIES_STRIPES	/* the copy that has what was counted before a reset */
#define LINE 128				/* bytes: two cache lines, as processors fetch them */

typedef struct Place
{
	SpSeriesKey key;
	uint32		hash;
	bool		is_taken;
	bool		was_reset;
	uint64		number;
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
	uint64		last_number;
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

/* Of each kind; the first ones stand for those that found none. */
static int
first_place(SpSeriesKind kind, int max_series)
{
	return kind == SP_SERIES_DATABASE ? 0 : OVERFLOWS + ((int) kind - 1) * (OVERFLOWS + max_series - 1);
}

static int
first_own_place(SpSeriesKind kind, int max_series)
{
	return first_place(kind, max_series) + (kind == SP_SERIES_DATABASE ? 1 : OVERFLOWS);
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

	return add_size(LINE + store_bytes(n_places), mul_size(SP_SERIES_STRIPES + 1, mul_size(n_places, sizeof(Cells))));
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
	place->number = store()->last_number++;
	place->since = GetCurrentTimestamp();
	place->is_taken = true;
	place->was_reset = false;
}

/* Of the database in that place, one of each kind. */
static void
begin_overflows(int database_place, Oid database)
{
	for (int kind = 0; kind < SP_N_SERIES_KINDS; kind++)
	{
		SpSeriesKey key = {.kind = (uint32) kind, .database = database};
		int			place = first_place((SpSeriesKind) kind, store()->max_series) + database_place;

		if (kind != SP_SERIES_DATABASE || database_place == 0)
			begin_place(&store()->places[place], &key, 0);
	}
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
		for (int i = 0; i <= BASE; i++)
			for (int cell = 0; cell < SP_SERIES_CELLS; cell++)
				pg_atomic_init_u64(&cells_of_stripe(i)[place][cell], 0);
	begin_overflows(0, InvalidOid);
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

static uint32
hash_of(const SpSeriesKey *key)
{
	return hash_bytes((const unsigned char *) key, sizeof(*key));
}

/* Under the lock. */
static int
find_place(const SpSeriesKey *key, uint32 hash)
{
	int			first = first_own_place((SpSeriesKind) key->kind, store()->max_series);
	int			end = first_place((SpSeriesKind) (key->kind + 1), store()->max_series);

	for (int i = first; i < end; i++)
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

/* Under the lock: the place of a database, or 0. */
static int
place_of_database(Oid database)
{
	for (int i = 1; i < OVERFLOWS; i++)
		if (store()->places[i].is_taken && store()->places[i].key.database == database)
			return i;
	return 0;
}

static int
overflow_place(SpSeriesKind kind, int database_place)
{
	return first_place(kind, store()->max_series) + (kind == SP_SERIES_DATABASE ? 0 : database_place);
}

/* Under the exclusive lock, with nobody writing: the counts of one place are those of another now. */
static void
move_cells(int from, int to)
{
	for (int i = 0; i <= BASE; i++)
	{
		pg_atomic_uint64 *source = cells_of_stripe(i)[from];
		pg_atomic_uint64 *target = cells_of_stripe(i)[to];
		uint64		at = pg_atomic_exchange_u64(&source[SP_SERIES_LAST_AT], 0);

		for (int cell = SP_SERIES_LAST_AT + 1; cell < SP_SERIES_CELLS; cell++)
			pg_atomic_fetch_add_u64(&target[cell], (int64) pg_atomic_exchange_u64(&source[cell], 0));
		if (at > pg_atomic_read_u64(&target[SP_SERIES_LAST_AT]))
			pg_atomic_write_u64(&target[SP_SERIES_LAST_AT], at);
	}
}

/* A database takes with it those that stand for its others; series of its own are found no more by it. */
static void
give_up(int place)
{
	const SpSeriesKey *key = &store()->places[place].key;

	if (key->kind != SP_SERIES_DATABASE)
		move_cells(place, overflow_place((SpSeriesKind) key->kind, place_of_database(key->database)));
	else
		for (int kind = 0; kind < SP_N_SERIES_KINDS; kind++)
			move_cells(first_place((SpSeriesKind) kind, store()->max_series) + place,
					   overflow_place((SpSeriesKind) kind, 0));
}

/* Under the exclusive lock: one that is free, or to be given up: not used since a reset, or idle for longest; else 0. */
static int
spare_place(SpSeriesKind kind)
{
	int			first = first_own_place(kind, store()->max_series);
	int			end = first_place((SpSeriesKind) (kind + 1), store()->max_series);
	uint64		oldest_at = (uint64) (GetCurrentTimestamp() - SP_SERIES_IDLE_US);
	int			spare = 0;

	for (int i = first; i < end; i++)
		if (!store()->places[i].is_taken)
			return i;
	for (int i = first; i < end; i++)
	{
		uint64		at = last_at(i);

		if (at == 0 && store()->places[i].was_reset)
			return i;
		at = Max(at, (uint64) store()->places[i].since);
		if (at < oldest_at)
		{
			spare = i;
			oldest_at = at;
		}
	}
	return spare;
}

/* Under the exclusive lock: the one that stands for others if there is none to spare. */
static int
make_place(const SpSeriesKey *key, uint32 hash)
{
	SpSeriesKind kind = (SpSeriesKind) key->kind;
	int			place = spare_place(kind);

	if (place == 0)
	{
		pg_atomic_fetch_add_u64(&store()->dropped, 1);
		return overflow_place(kind, place_of_database(key->database));
	}
	if (store()->places[place].is_taken)
	{
		stop_writers();
		give_up(place);
	}
	if (kind == SP_SERIES_DATABASE)
		begin_overflows(place, key->database);
	begin_place(&store()->places[place], key, hash);
	return place;
}

/* Under the exclusive lock: the database is to have its place first, so that its overflow has the lower number. */
static int
find_or_make_place(const SpSeriesKey *key, uint32 hash)
{
	SpSeriesKey database = {.kind = SP_SERIES_DATABASE, .database = key->database};
	int			place = find_place(key, hash);

	if (place >= 0)
		return place;
	if (key->kind != SP_SERIES_DATABASE && place_of_database(key->database) == 0)
		(void) make_place(&database, hash_of(&database));
	return make_place(key, hash);
}

static void
look_up(SpSeriesRef *ref)
{
	uint32		hash = hash_of(&ref->key);

	LWLockAcquire(&store()->lock, LW_SHARED);
	ref->place = find_place(&ref->key, hash);
	ref->epoch = pg_atomic_read_u32(&store()->epoch);
	LWLockRelease(&store()->lock);
	if (ref->place >= 0)
		return;
	LWLockAcquire(&store()->lock, LW_EXCLUSIVE);
	ref->place = find_or_make_place(&ref->key, hash);
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
static uint64
total_of(int place, int cell)
{
	uint64		total = 0;

	for (int i = 0; i < SP_SERIES_STRIPES; i++)
		total += pg_atomic_read_u64(&cells_of_stripe(i)[place][cell]);
	return total;
}

static bool
stands_for_others(int place)
{
	return place < first_own_place((SpSeriesKind) store()->places[place].key.kind, store()->max_series);
}

/* Under the lock. */
static void
read_place(int place, SpSeries *series)
{
	const Place *from = &store()->places[place];
	pg_atomic_uint64 *base = cells_of_stripe(BASE)[place];

	series->key = from->key;
	series->is_overflow = stands_for_others(place);
	series->number = OidIsValid(from->key.database) ? from->number : 0;
	series->since = from->since;
	for (int cell = SP_SERIES_LAST_AT + 1; cell < SP_SERIES_CELLS; cell++)
	{
		series->totals[cell] = total_of(place, cell);
		series->cells[cell] = series->totals[cell] - pg_atomic_read_u64(&base[cell]);
	}
	series->cells[SP_SERIES_LAST_AT] = series->totals[SP_SERIES_LAST_AT] = last_at(place);
}

SpSeries *
sp_series_read(SpSeriesKind kind, Oid database, int *count)
{
	SpSeries   *series;
	Oid			of_overflow = InvalidOid;
	int			first;
	int			end;

	*count = 0;
	if (!attach())
		return NULL;
	first = first_place(kind, store()->max_series);
	end = first_place((SpSeriesKind) (kind + 1), store()->max_series);
	series = palloc(mul_size(end - first, sizeof(SpSeries)));
	LWLockAcquire(&store()->lock, LW_SHARED);
	if (kind != SP_SERIES_DATABASE && place_of_database(database) > 0)
		of_overflow = database;
	for (int i = first; i < end; i++)
	{
		const Place *place = &store()->places[i];

		if (place->is_taken && place->key.database == (stands_for_others(i) ? of_overflow : database))
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
		facts->series[store()->places[i].key.kind] += store()->places[i].is_taken && !stands_for_others(i) &&
			!(store()->places[i].was_reset && last_at(i) == 0);
	for (int kind = 0; kind < SP_N_SERIES_KINDS; kind++)
		facts->max_series[kind] = first_place((SpSeriesKind) (kind + 1), store()->max_series) -
			first_own_place((SpSeriesKind) kind, store()->max_series);
	LWLockRelease(&store()->lock);
}

/* Under the exclusive lock, with nobody writing. */
static void
reset_place(int place)
{
	pg_atomic_uint64 *base = cells_of_stripe(BASE)[place];

	for (int cell = SP_SERIES_LAST_AT + 1; cell < SP_SERIES_CELLS; cell++)
		pg_atomic_write_u64(&base[cell], total_of(place, cell));
	for (int i = 0; i < SP_SERIES_STRIPES; i++)
		pg_atomic_write_u64(&cells_of_stripe(i)[place][SP_SERIES_LAST_AT], 0);
	store()->places[place].since = GetCurrentTimestamp();
	store()->places[place].was_reset = true;
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
			reset_place(i);
	LWLockRelease(&store()->lock);
}
