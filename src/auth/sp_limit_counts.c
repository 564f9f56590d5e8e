/*
 * src/auth/sp_limit_counts.c
 *
 * A hash table of the server's, in partitions.
 */
#include "server/sp_compat.h"

#include "common/hashfn.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "auth/sp_limit.h"
#include "auth/sp_limit_counts.h"
#include "server/sp_guc.h"
#include "server/sp_shared_area.h"

/* An entry that a session has just made is not taken away before it is used. */
#define IDLE_US (10 * USECS_PER_SEC)

/* Looking for room takes all locks. */
#define ROOM_PAUSE_NS UINT64CONST(100000000)

typedef struct Control
{
	int			tranche;
	pg_atomic_uint64 missed_at; /* TimestampTz */
	pg_atomic_uint64 room_made; /* on sp_limit_clock */
	LWLockPadded locks[SP_TRACKED_PARTITIONS];
} Control;

static HTAB *table = NULL;

static uint32
hash_id(const void *key, Size size)
{
	const SpTrackedId *id = key;

	(void) size;
	return hash_combine(hash_bytes((const unsigned char *) id->name, (int) strlen(id->name)),
						hash_combine(id->database, (uint32) id->kind));
}

static int
compare_ids(const void *key, const void *other, Size size)
{
	const SpTrackedId *a = key;
	const SpTrackedId *b = other;

	(void) size;
	return a->database != b->database || a->kind != b->kind || strcmp(a->name, b->name) != 0;
}

static void *
copy_id(void *target, const void *key, Size size)
{
	const SpTrackedId *id = key;
	SpTrackedId *copy = target;

	(void) size;
	copy->database = id->database;
	copy->kind = id->kind;
	strlcpy(copy->name, id->name, sizeof(copy->name));
	return target;
}

static Size
size_of_control(void)
{
	return sizeof(Control);
}

static void
init_control(void *block)
{
	Control    *control = block;

	control->tranche = LWLockNewTrancheId();
	pg_atomic_init_u64(&control->missed_at, 0);
	pg_atomic_init_u64(&control->room_made, 0);
	for (int i = 0; i < SP_TRACKED_PARTITIONS; i++)
		LWLockInitialize(&control->locks[i].lock, control->tranche);
}

static SpSharedArea control_area = {
	.name = "smartpouch counts", .size = size_of_control, .init = init_control
};

static Control *
control(void)
{
	return control_area.block;
}

static Size
size_of_table(void)
{
	return hash_estimate_size(sp_max_tracked_keys, sizeof(SpTracked));
}

static void
start_table(void)
{
	HASHCTL		info = {
		.num_partitions = SP_TRACKED_PARTITIONS, .keysize = sizeof(SpTrackedId), .entrysize = sizeof(SpTracked),
		.hash = hash_id, .match = compare_ids, .keycopy = copy_id
	};

	table = ShmemInitHash("smartpouch counts of keys", sp_max_tracked_keys, sp_max_tracked_keys, &info,
						  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_KEYCOPY | HASH_PARTITION | HASH_FIXED_SIZE);
	LWLockRegisterTranche(control()->tranche, "smartpouch_counts");
}

static SpSharedArea table_area = {
	.name = "smartpouch counts of keys", .size = size_of_table, .start = start_table
};

/* The last that is asked for is made first. */
void
sp_tracked_init(void)
{
	sp_shared_area_request(&table_area);
	sp_shared_area_request(&control_area);
}

bool
sp_tracked_available(void)
{
	return control() != NULL;
}

bool
sp_tracked_id(SpTrackedId *id, char kind, const char *name)
{
	id->database = MyDatabaseId;
	id->kind = kind;
	return strlcpy(id->name, name, sizeof(id->name)) < sizeof(id->name);
}

static LWLock *
partition(uint32 hash)
{
	return &control()->locks[hash % SP_TRACKED_PARTITIONS].lock;
}

static void
lock_all(LWLockMode mode)
{
	for (int i = 0; i < SP_TRACKED_PARTITIONS; i++)
		LWLockAcquire(&control()->locks[i].lock, mode);
}

static void
unlock_all(void)
{
	for (int i = SP_TRACKED_PARTITIONS; i-- > 0;)
		LWLockRelease(&control()->locks[i].lock);
}

static bool
is_written(SpTracked *tracked)
{
	if (pg_atomic_read_u64(&tracked->quota) != tracked->written_quota ||
		pg_atomic_read_u64(&tracked->calls) != tracked->written_calls)
		return false;
	for (int i = 0; i < SP_N_REFUSALS; i++)
		if (pg_atomic_read_u32(&tracked->refused[i]) != tracked->written_refused[i])
			return false;
	return true;
}

static bool
is_idle(SpTracked *tracked, TimestampTz now, uint64 clock)
{
	return (TimestampTz) pg_atomic_read_u64(&tracked->last_call) + IDLE_US < now &&
		pg_atomic_read_u64(&tracked->arrival) <= clock;
}

/* Some, if any may go and that was not tried a moment ago. */
static void
make_room(void)
{
	TimestampTz now = GetCurrentTimestamp();
	uint64		clock = sp_limit_clock();
	HASH_SEQ_STATUS status;
	SpTracked  *tracked;

	if (clock - pg_atomic_read_u64(&control()->room_made) < ROOM_PAUSE_NS)
		return;
	pg_atomic_write_u64(&control()->room_made, clock);
	lock_all(LW_EXCLUSIVE);
	hash_seq_init(&status, table);
	while ((tracked = hash_seq_search(&status)) != NULL)
		if (is_written(tracked) && is_idle(tracked, now, clock))
			hash_search(table, &tracked->id, HASH_REMOVE, NULL);
	unlock_all();
}

static void
enter(const SpTrackedId *id, uint32 hash)
{
	LWLock	   *lock = partition(hash);
	bool		found;
	SpTracked  *tracked;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	tracked = hash_search_with_hash_value(table, id, hash, HASH_ENTER_NULL, &found);
	if (tracked != NULL && !found)
	{
		pg_atomic_init_u64(&tracked->arrival, 0);
		pg_atomic_init_u64(&tracked->quota, 0);
		pg_atomic_init_u64(&tracked->calls, 0);
		pg_atomic_init_u64(&tracked->last_call, (uint64) GetCurrentTimestamp());
		for (int i = 0; i < SP_N_REFUSALS; i++)
			pg_atomic_init_u32(&tracked->refused[i], 0);
		tracked->written_quota = 0;
		tracked->written_calls = 0;
		memset(tracked->written_refused, 0, sizeof(tracked->written_refused));
	}
	LWLockRelease(lock);
}

static SpTracked *
find(const SpTrackedId *id, uint32 hash, LWLock **lock)
{
	SpTracked  *tracked;

	*lock = partition(hash);
	LWLockAcquire(*lock, LW_SHARED);
	tracked = hash_search_with_hash_value(table, id, hash, HASH_FIND, NULL);
	if (tracked == NULL)
		LWLockRelease(*lock);
	return tracked;
}

SpTracked *
sp_tracked_lock(const SpTrackedId *id, bool make, LWLock **lock)
{
	uint32		hash = get_hash_value(table, id);
	SpTracked  *tracked = find(id, hash, lock);

	if (tracked != NULL || !make)
		return tracked;
	enter(id, hash);
	tracked = find(id, hash, lock);
	if (tracked != NULL)
		return tracked;
	make_room();
	enter(id, hash);
	return find(id, hash, lock);
}

void
sp_tracked_missed(void)
{
	pg_atomic_write_u64(&control()->missed_at, (uint64) GetCurrentTimestamp());
}

void
sp_tracked_facts(int64 *entries, int64 *most, TimestampTz *missed_at)
{
	*entries = hash_get_num_entries(table);
	*most = sp_max_tracked_keys;
	*missed_at = (TimestampTz) pg_atomic_read_u64(&control()->missed_at);
}

static bool
has(const Oid *databases, int count, Oid database)
{
	for (int i = 0; i < count; i++)
		if (databases[i] == database)
			return true;
	return false;
}

int
sp_tracked_databases(Oid *databases, int room)
{
	HASH_SEQ_STATUS status;
	SpTracked  *tracked;
	int			count = 0;

	lock_all(LW_SHARED);
	hash_seq_init(&status, table);
	while ((tracked = hash_seq_search(&status)) != NULL)
		if (count < room && !is_written(tracked) && !has(databases, count, tracked->id.database))
			databases[count++] = tracked->id.database;
	unlock_all();
	return count;
}

/* Memory first: nothing may raise under the locks. */
SpTracked *
sp_tracked_unwritten(int *count)
{
	SpTracked  *rows = palloc_extended(mul_size(sp_max_tracked_keys, sizeof(SpTracked)), MCXT_ALLOC_HUGE);
	HASH_SEQ_STATUS status;
	SpTracked  *tracked;

	*count = 0;
	lock_all(LW_SHARED);
	hash_seq_init(&status, table);
	while ((tracked = hash_seq_search(&status)) != NULL)
		if (tracked->id.database == MyDatabaseId && !is_written(tracked) && *count < sp_max_tracked_keys)
			memcpy(&rows[(*count)++], tracked, sizeof(SpTracked));
	unlock_all();
	return rows;
}

void
sp_tracked_written(const SpTracked *rows, int count)
{
	for (int i = 0; i < count; i++)
	{
		/* the copy's atomic words are plain numbers */
		SpTracked	row = rows[i];
		LWLock	   *lock;
		SpTracked  *tracked = sp_tracked_lock(&row.id, false, &lock);

		if (tracked == NULL)
			continue;
		tracked->written_quota = pg_atomic_read_u64(&row.quota);
		tracked->written_calls = pg_atomic_read_u64(&row.calls);
		for (int r = 0; r < SP_N_REFUSALS; r++)
			tracked->written_refused[r] = pg_atomic_read_u32(&row.refused[r]);
		LWLockRelease(lock);
	}
}

void
sp_tracked_discard(Oid database)
{
	HASH_SEQ_STATUS status;
	SpTracked  *tracked;

	lock_all(LW_EXCLUSIVE);
	hash_seq_init(&status, table);
	while ((tracked = hash_seq_search(&status)) != NULL)
		if (tracked->id.database == database)
			hash_search(table, &tracked->id, HASH_REMOVE, NULL);
	unlock_all();
}
