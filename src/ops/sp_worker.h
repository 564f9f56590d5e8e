/*
 * src/ops/sp_worker.h
 *
 * The background worker: brings to tables what sessions leave in shared memory.
 *
 * A preloaded server that is neither in recovery nor in pg_upgrade has one
 * "smartpouch launcher".  At every smartpouch.flush_interval, or when it is
 * woken, it asks each task (sp_worker.c has their table) which databases have
 * something to write, and starts a "smartpouch writer" for one after the other.
 * A writer connects, writes and ends, so nobody waits for an idle connection to
 * leave a database that is to be dropped.
 */
#ifndef SP_WORKER_H
#define SP_WORKER_H

#include "server/sp_compat.h"

#include "utils/timestamp.h"

#include "registry/sp_registry_internal.h"

typedef struct SpWorkerTask
{
	const char *name;

	/* in the launcher: databases with something to write, at most room; raises nothing */
	int			(*databases) (Oid *databases, int room);

	/* in the writer, in a transaction of its own as the owner of the tables; what it raises goes to the log */
	void		(*write) (const SpWrite *write);

	/* after the commit */
	void		(*written) (void);

	/* the database is gone, or has no tables to write to */
	void		(*discard) (Oid database);
} SpWorkerTask;

typedef struct SpWorkerFacts
{
	bool		running;		/* is there a launcher? */
	TimestampTz round_at;		/* when it last was through with all databases, or first began to; 0 before */
	uint64		failures;		/* of writers since the server started */
	TimestampTz failed_at;
} SpWorkerFacts;

/* From _PG_init: register the launcher, if libraries are being preloaded. */
extern void sp_worker_init(void);

/* False where there is no launcher to be: without preload, in pg_upgrade. */
extern bool sp_worker_facts(SpWorkerFacts *facts);

#endif
