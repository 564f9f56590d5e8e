/*
 * src/ops/sp_health.h
 *
 * Checks of whether models can serve, now and after the next failure.  They
 * read, never write.
 *
 * Each runs in a subtransaction of its own: one that meets an error has
 * failed, and the others go on; cancellation, shutdown and lack of memory end
 * the call.  smartpouch.health_timeout bounds the time of all of them together:
 * a check that is stopped, that nothing was left for, or that could not have a
 * lock, is unknown.
 */
#ifndef SP_HEALTH_H
#define SP_HEALTH_H

#include "server/sp_compat.h"

#include "utils/timestamp.h"

#include "cache/sp_model_cache.h"

/* In order of severity; as a whole, unknown counts as a warning. */
typedef enum SpHealth
{
	SP_HEALTH_PASS,
	SP_HEALTH_UNKNOWN,
	SP_HEALTH_WARN,
	SP_HEALTH_FAIL
} SpHealth;

typedef struct SpCheck
{
	const char *name;			/* component:measurement */
	const char *unit;			/* of observed */
	SpHealth	status;
	bool		is_absent;		/* there is nothing here that this check is about */
	bool		is_sample;		/* it looked at as many of what it is about as there was time for: */
	int64		sampled;
	int64		observed;
	const char *output;			/* what is wrong and how to mend it; NULL for pass */
	int			reports;		/* of this status, of which output has the first */
	TimestampTz time;			/* when it ended; 0: it did not begin */
	const void *argument;		/* for its function */
	MemoryContext mcx;			/* of output */
} SpCheck;

typedef void (*SpCheckFunction) (SpCheck *check);

typedef struct SpHealthCheck
{
	const char *name;
	const char *unit;
	SpCheckFunction function;
	const void *argument;
} SpHealthCheck;

/*
 * Run the checks in their order, none for longer than that share of the time of
 * all; strings are palloc'd.  When the first has failed, which says that the
 * others cannot be asked, they are unknown.  Returns the worst status.
 */
extern SpHealth sp_health_run(const SpHealthCheck *checks, int count, double share, SpCheck *results);

/* Run one check, for budget_ms (0: for as long as it takes). */
extern SpHealth sp_health_try(SpCheckFunction function, SpCheck *check, double budget_ms);

extern const char *sp_health_name(SpHealth status);

/* Milliseconds that the running check has left; for those that look at as much as they can. */
extern double sp_health_time_left(void);

/* Does an error say something about what is checked?  If not, a check that caught it must rethrow it. */
extern bool sp_health_is_finding(int sqlerrcode);

/* Something is not as it should be; of several the worst stay. */
extern void sp_health_report(SpCheck *check, SpHealth status, const char *format, ...)
			__attribute__((format(printf, 3, 4)));

/*
 * Asks a function of SQL, whose qualified name is the argument, without
 * arguments: (status text, observed bigint, output text), absent without a status.
 */
extern void sp_check_sql(SpCheck *check);

/* ---- sp_health_backup.c ---- */
extern void sp_check_backup_connection(SpCheck *check);

/* ---- sp_health_keys.c ---- */
extern void sp_check_keys(SpCheck *check);

/* ---- sp_health_log.c ---- */
extern void sp_check_audit(SpCheck *check);
extern void sp_check_log_parameters(SpCheck *check);
extern void sp_check_log_statements(SpCheck *check);
extern void sp_check_tracked_keys(SpCheck *check);
extern void sp_check_worker(SpCheck *check);

/* ---- sp_health_models.c ---- */

/* Looks at one version; false if that would take more than ms. */
typedef bool (*SpDeployedFunction) (SpCheck *check, const SpDeployed *deployed, double ms);

/*
 * Look at as many as half of the time that is left allows, starting with
 * another one at each call.  An error is reported of the version that raised it.
 */
extern void sp_check_each(SpCheck *check, const SpDeployed *deployed, int count, SpDeployedFunction look);

/*
 * An image, or NULL if the version is not in memory and would take more than ms
 * to load.  *pinned is NULL, or to be unpinned.  What had to be loaded goes with
 * the current context: looking at a model must not take the place of those that are used.
 */
extern const SpImage *sp_check_image(const SpVersionRow *version, double ms, SpLoadedModel **pinned);

extern void sp_check_models(SpCheck *check);
extern void sp_check_owners(SpCheck *check);
extern void sp_check_shared(SpCheck *check);
extern void sp_check_triggers(SpCheck *check);

/* ---- sp_health_server.c ---- */
extern void sp_check_installation(SpCheck *check);
extern void sp_check_minor(SpCheck *check);
extern void sp_check_preload(SpCheck *check);
extern void sp_check_replay(SpCheck *check);

#endif
