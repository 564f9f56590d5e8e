/*
 * src/api/sp_call_count.h
 *
 * Counting predictions (server/sp_metrics.h).
 *
 * A call is one execution of a plan in which a version has answered or failed
 * for one user, whatever the number of rows and of places in its text: it is
 * gathered in the memory context of the execution and counted when that goes, at
 * the end of a statement, a cursor, or the transaction that an error has ended.
 * Expressions that live longer (those that PL/pgSQL evaluates itself) count
 * one call a transaction.  Rows are answers given: what a block evaluates for
 * nobody is none.
 *
 * A parallel worker gives its rows, errors and times to its leader, whose call
 * they belong to.
 *
 * Time is that of the prediction functions, also of those that raise: finding the model, reading features,
 * evaluating, making the result.  Where a plan gathers rows into blocks it is
 * that of evaluating the blocks.  Of functions that are called row by row the
 * first 16 calls are timed, and then every 16th for 16.  CPU time is measured of
 * evaluations that are expected to take 100 us, as that clock is slow; the rest
 * counts as it is.
 */
#ifndef SP_CALL_COUNT_H
#define SP_CALL_COUNT_H

#include "server/sp_compat.h"

#include "fmgr.h"

#include "server/sp_worker_counts.h"

struct SpCallSite;

/* What an execution has made of one version in one stage for one user. */
typedef struct SpTally
{
	struct SpTally *next;
	SpWorkerCount count;		/* since it was last counted; calls stays 0 */
} SpTally;

/* Once per process, from _PG_init. */
extern void sp_call_count_init(void);

/*
 * Call body, which predicts one row, or as many as it says with sp_count_rows,
 * and count them of the site that it names with sp_count_site: all do, or raise.
 * sp_call_site does it by itself.
 */
extern Datum sp_counted(FunctionCallInfo fcinfo, PGFunction body);
extern Datum sp_counted_batch(FunctionCallInfo fcinfo, PGFunction body);
extern void sp_count_site(struct SpCallSite *site);

/* As sp_count_site, before the version that the site has found is loaded: only for the first site of a call. */
extern void sp_count_found(struct SpCallSite *site);

/* Before the site: the call is for this owner of an API key, not for the role.  The text must outlive the call. */
extern void sp_count_owner(const char *owner);
extern void sp_count_rows(uint64 rows);

/* Evaluate a block for answers that others give, who add to tally->count.seen.rows; as sp_call_site_run. */
extern void sp_counted_run(struct SpCallSite *site, uint32 rows, uint32 wanted, bool has_missing);

/* A plan with parallel workers comes to its end in their leader: execution is its memory context. */
extern void sp_count_workers(MemoryContext execution);

/* An evaluation that was timed by both clocks; see above. */
extern void sp_count_cpu(uint64 busy, uint64 cpu);

#endif
