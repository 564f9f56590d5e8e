/*
 * src/server/sp_metrics.c
 */
#include "server/sp_compat.h"

#include <inttypes.h>

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "server/sp_metrics.h"

#define US UINT64CONST(1000)
#define MS UINT64CONST(1000000)
#define HASH_DIGITS 16

/* ns; _latency_bounds() in SQL has them in seconds */
static const uint64 latency_bounds[SP_N_LATENCY_BOUNDS] = {
	10 * US, 25 * US, 50 * US, 100 * US, 250 * US, 500 * US,
	1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS,
	1000 * MS, 2500 * MS, 10000 * MS
};

int			sp_metrics_planning = 0;

StaticAssertDecl((int) SP_CALL_CELLS_END <= SP_SERIES_CELLS && (int) SP_DATABASE_CELLS_END <= SP_SERIES_CELLS,
				 "a series has enough cells");

static void
begin_ref(SpSeriesRef *ref, SpSeriesKind kind)
{
	memset(ref, 0, sizeof(*ref));
	ref->key.kind = kind;
	ref->key.database = MyDatabaseId;
}

void
sp_pair_set_version(SpSeriesPair *counted, const pg_uuid_t *model_id, int32 version, const char *stage)
{
	SpSeriesRef *ref = &counted->version;

	begin_ref(ref, SP_SERIES_PREDICTION);
	if (model_id == NULL)
		return;
	ref->key.model_id = *model_id;
	ref->key.version = version;
	strlcpy(ref->key.name, stage, sizeof(ref->key.name));
}

/* The owner, or the beginning of a long one and a hash of it, so that no two share a name by accident. */
static void
name_owner(char name[SP_SERIES_NAME], const char *owner)
{
	int			size = (int) strlen(owner);
	int			clipped;

	if (size < SP_SERIES_NAME)
	{
		memcpy(name, owner, (Size) size);
		return;
	}
	clipped = pg_mbcliplen(owner, size, SP_SERIES_NAME - HASH_DIGITS - 2);
	memcpy(name, owner, (Size) clipped);
	snprintf(name + clipped, HASH_DIGITS + 2, "~%016" PRIx64,
			 hash_bytes_extended((const unsigned char *) owner, size, 0));
}

void
sp_pair_set_owner(SpSeriesPair *counted, const pg_uuid_t *model_id, Oid role, const char *owner)
{
	SpSeriesRef *ref = &counted->usage;

	begin_ref(ref, SP_SERIES_USAGE);
	if (model_id != NULL)
		ref->key.model_id = *model_id;
	if (owner == NULL)
		ref->key.role = role;
	else
		name_owner(ref->key.name, owner);
}

bool
sp_pair_is_of(const SpSeriesPair *counted, Oid role, const char *owner)
{
	const SpSeriesKey *key = &counted->usage.key;

	return owner == NULL ? key->role == role : !OidIsValid(key->role) && strcmp(key->name, owner) == 0;
}

bool
sp_pair_same(const SpSeriesPair *a, const SpSeriesPair *b)
{
	return memcmp(&a->version.key, &b->version.key, sizeof(a->version.key)) == 0 &&
		memcmp(&a->usage.key, &b->usage.key, sizeof(a->usage.key)) == 0;
}

static int
latency_bucket(uint64 ns)
{
	int			i = 0;

	while (i < SP_N_LATENCY_BOUNDS && ns > latency_bounds[i])
		i++;
	return i;
}

uint64
sp_cells_calls(const uint64 *cells)
{
	uint64		calls = cells[SP_CELL_CALLS];

	for (int i = 0; i < SP_N_LATENCY_BUCKETS; i++)
		calls += cells[SP_CELL_LATENCIES + i];
	return calls;
}

uint64
sp_cells_cpu(const uint64 *cells)
{
	return cells[SP_CELL_BUSY] - Min(cells[SP_CELL_BUSY], cells[SP_CELL_WAITED]);
}

static void
add_common(pg_atomic_uint64 *cells, const SpObservation *seen)
{
	sp_series_add(cells, SP_CELL_ROWS, seen->rows);
	sp_series_add(cells, SP_CELL_BUSY, seen->busy);
	for (int reason = 0; reason < SP_N_REASONS; reason++)
		sp_series_add(cells, SP_CELL_ERRORS + reason, seen->errors[reason]);
}

static void
add_latencies(pg_atomic_uint64 *cells, const SpObservation *seen)
{
	sp_series_add(cells, SP_CELL_WAITED, seen->busy - Min(seen->busy, seen->cpu));
	if (seen->calls > 0)
		sp_series_add(cells, SP_CELL_LATENCIES + latency_bucket(seen->busy / seen->calls), seen->calls);
}

/* The series of this database as a whole. */
static SpSeriesRef *
database_ref(void)
{
	static SpSeriesRef ref;

	if (unlikely(ref.key.database != MyDatabaseId))
		begin_ref(&ref, SP_SERIES_DATABASE);
	return &ref;
}

static uint64 kept_hits = 0;

void
sp_metrics_predicted(SpSeriesPair *counted, const SpObservation *seen)
{
	SpSeriesRef *refs[3] = {&counted->version, &counted->usage, database_ref()};
	pg_atomic_uint64 *cells[3];

	if (!sp_series_begin(refs, kept_hits > 0 ? 3 : 2, cells))
		return;
	add_common(cells[0], seen);
	add_latencies(cells[0], seen);
	add_common(cells[1], seen);
	sp_series_add(cells[1], SP_CELL_CALLS, seen->calls);
	if (kept_hits > 0)
		sp_series_add(cells[2], SP_CELL_CACHE_HITS, kept_hits);
	sp_series_end();
	kept_hits = 0;
}

SpErrorReason
sp_error_reason(int sqlerrcode)
{
	switch (sqlerrcode)
	{
		case ERRCODE_UNDEFINED_OBJECT:
		case ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE:
			return SP_REASON_NO_MODEL;
		case ERRCODE_QUERY_CANCELED:
			return SP_REASON_TIMEOUT;
		case ERRCODE_INSUFFICIENT_PRIVILEGE:
		case ERRCODE_CONFIGURATION_LIMIT_EXCEEDED:	/* the limit of an API key */
			return SP_REASON_DENIED;
	}
	switch (ERRCODE_TO_CATEGORY(sqlerrcode))
	{
		case ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION):
			return SP_REASON_BAD_INPUT;
		case ERRCODE_TO_CATEGORY(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION):
			return SP_REASON_DENIED;
	}
	return SP_REASON_INTERNAL;
}

static void
add_to_database(int cell, uint64 n)
{
	SpSeriesRef *ref = database_ref();
	pg_atomic_uint64 *cells;

	if (!sp_series_begin(&ref, 1, &cells))
		return;
	sp_series_add(cells, cell, n);
	sp_series_end();
}

static void
count_one(int cell)
{
	if (sp_metrics_on())
		add_to_database(cell, 1);
}

void
sp_metrics_cache_hit(void)
{
	if (sp_metrics_on())
		kept_hits++;
}

void
sp_metrics_count_hits(void)
{
	if (kept_hits > 0)
		add_to_database(SP_CELL_CACHE_HITS, kept_hits);
	kept_hits = 0;
}

void
sp_metrics_cache_miss(void)
{
	count_one(SP_CELL_CACHE_MISSES);
}

void
sp_metrics_cache_eviction(void)
{
	count_one(SP_CELL_CACHE_EVICTIONS);
}

void
sp_metrics_loaded(const pg_uuid_t *model_id, int32 version, uint64 ns, bool succeeded)
{
	SpObservation seen = {.calls = 1, .busy = ns, .cpu = ns};
	SpSeriesRef ref;
	SpSeriesRef *refs[1] = {&ref};
	pg_atomic_uint64 *cells;

	if (!sp_metrics_on())
		return;
	begin_ref(&ref, SP_SERIES_LOAD);
	ref.key.model_id = *model_id;
	ref.key.version = version;
	seen.errors[SP_REASON_INTERNAL] = succeeded ? 0 : 1;
	if (!sp_series_begin(refs, 1, &cells))
		return;
	add_common(cells, &seen);
	add_latencies(cells, &seen);
	sp_series_end();
}

void
sp_metrics_auth_attempt(void)
{
	count_one(SP_CELL_AUTH_ATTEMPTS);
}

void
sp_metrics_auth_failure(SpAuthFailure failure)
{
	count_one(SP_CELL_AUTH_FAILURES + (int) failure);
}

void
sp_metrics_limited(SpLimitScope scope)
{
	count_one(SP_CELL_LIMIT_REFUSALS + (int) scope);
}

void
sp_metrics_grace_use(void)
{
	count_one(SP_CELL_GRACE_USES);
}

const char *
sp_auth_failure_name(SpAuthFailure failure)
{
	static const char *const names[] = {
		"malformed", "unknown", "expired", "not_yet_valid", "revoked", "disabled", "stage", "foreign", "stale",
		"scope", "creator"
	};

	StaticAssertStmt(lengthof(names) == SP_N_AUTH_FAILURES, "a name for each failure");
	return names[failure];
}

const char *
sp_limit_scope_name(SpLimitScope scope)
{
	static const char *const names[] = {"key", "owner", "quota"};

	StaticAssertStmt(lengthof(names) == SP_N_LIMITS, "a name for each scope");
	return names[scope];
}
