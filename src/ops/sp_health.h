/*
 * src/ops/sp_health.h
 *
 * Checks of whether models can serve.  They read, never write, and a check
 * that meets an error is a failed check, not an error.
 */
#ifndef SP_HEALTH_H
#define SP_HEALTH_H

#include "server/sp_compat.h"

/* In order of severity. */
typedef enum SpHealth
{
	SP_HEALTH_PASS,
	SP_HEALTH_WARN,
	SP_HEALTH_FAIL
} SpHealth;

typedef struct SpCheck
{
	const char *name;			/* component:measurement */
	SpHealth	status;
	int64		observed;
	const char *unit;			/* of observed */
	const char *output;			/* what is wrong and how to mend it; NULL for pass */
} SpCheck;

#define SP_N_CHECKS 5

/* Run all checks; strings are palloc'd. */
extern void sp_health_run(SpCheck checks[SP_N_CHECKS]);

extern const char *sp_health_name(SpHealth status);

#endif
