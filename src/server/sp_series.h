/*
 * src/server/sp_series.h
 *
 * Counters in shared memory, in series: each has a key and SP_SERIES_CELLS
 * numbers that only grow.  What the cells mean is for sp_metrics.h.
 *
 * There are SP_SERIES_STRIPES copies of each series, on cache lines of their
 * own; a backend adds to the copies of its own number, or another's while those
 * are being added to, and readers add them up.  So busy backends do not wait for each other's cache lines.
 *
 * Memory is fixed (smartpouch.max_series).  A series that finds no place takes
 * that of one that was not counted in since a reset, or for SP_SERIES_IDLE_US;
 * if there is none either, it is counted in a series of its kind that stands for
 * all others of its database.  What gives its place up is added to that one,
 * with its own counts: nothing is forgotten, and the sums of a database and kind
 * never fall.  SP_SERIES_DATABASES databases are told apart; further ones have
 * series that stand for others in common, until a database is idle as above.
 *
 * Totals begin with the server's start; a crash loses them, and no file keeps
 * them.  A reset remembers them, and the counts since then are the difference.
 */
#ifndef SP_SERIES_H
#define SP_SERIES_H

#include "server/sp_compat.h"

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "utils/uuid.h"

#define SP_SERIES_DATABASES 63
#define SP_SERIES_CELLS 32
#define SP_SERIES_STRIPES 16
#define SP_SERIES_NAME 64
#define SP_SERIES_IDLE_US (3600 * INT64CONST(1000000))

typedef enum SpSeriesKind
{
	SP_SERIES_DATABASE,			/* what is counted of a database as a whole */
	SP_SERIES_PREDICTION,		/* of a version in a stage */
	SP_SERIES_LOAD,				/* loads of a version */
	SP_SERIES_USAGE,			/* of a model by an owner */
	SP_N_SERIES_KINDS
} SpSeriesKind;

/* Padded with zeros: compared as bytes. */
typedef struct SpSeriesKey
{
	uint32		kind;
	Oid			database;
	pg_uuid_t	model_id;		/* zeros: none */
	int32		version;
	Oid			role;
	char		name[SP_SERIES_NAME];
} SpSeriesKey;

/* A series to add to, with where it was last found: for a new one all zeros. */
typedef struct SpSeriesRef
{
	SpSeriesKey key;
	uint32		epoch;			/* of the place; 0 for none */
	int			place;
} SpSeriesRef;

/* The first cell is not a count but when the series was last counted in. */
#define SP_SERIES_LAST_AT 0

typedef struct SpSeries
{
	SpSeriesKey key;
	bool		is_overflow;	/* stands for all that found no place; of the key only kind and database count */
	uint64		number;			/* each one that begins has the next one; 0: stands for others of several databases */
	TimestampTz since;			/* of cells: when it began, or was reset */
	uint64		cells[SP_SERIES_CELLS];
	uint64		totals[SP_SERIES_CELLS];	/* the same without resets */
} SpSeries;

typedef struct SpSeriesFacts
{
	pg_uuid_t	boot_id;		/* of this start of the server */
	TimestampTz started_at;
	int			series[SP_N_SERIES_KINDS];	/* in use, in all databases */
	int			max_series[SP_N_SERIES_KINDS];
	uint64		dropped;		/* times that a series found no place */
} SpSeriesFacts;

/* Once per process, from _PG_init, after the settings. */
extern void sp_series_init(void);

/* Are there counters? False without preload. */
extern bool sp_series_available(void);

/*
 * The cells of some series, to add to, and the end of adding.  In between
 * nothing may raise, wait or take a lock.  Never raises; false, and no end, while the
 * process is not attached to shared memory.
 */
extern bool sp_series_begin(SpSeriesRef *const refs[], int count, pg_atomic_uint64 *cells[]);
extern void sp_series_end(void);

/* Look it up ahead of time, so that what is copied from ref is found. */
extern void sp_series_look_up(SpSeriesRef *ref);

/* Nobody else adds to these cells meanwhile. */
static inline void
sp_series_add(pg_atomic_uint64 *cells, int cell, uint64 n)
{
	if (n > 0)
		pg_atomic_write_u64(&cells[cell], pg_atomic_read_u64(&cells[cell]) + n);
}

/*
 * The series of a kind of a database, and the one that stands for its others; palloc'd, or NULL without counters.
 * If one is not there any more, its totals are in the one of its kind that stands for others and has a lower
 * number; if there is none, in those with number 0.
 */
extern SpSeries *sp_series_read(SpSeriesKind kind, Oid database, int *count);

extern void sp_series_facts(SpSeriesFacts *facts);

/* Let the cells of a database begin again at 0, without losing or doubling what is being counted. */
extern void sp_series_reset(Oid database);

#endif
