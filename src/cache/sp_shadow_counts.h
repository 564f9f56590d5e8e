/*
 * src/cache/sp_shadow_counts.h
 *
 * What is counted of shadows, in shared memory: functions that predict write no
 * table.  Counts are of this server since it started; those of the SP_SHADOWS
 * shadows that were scored last are kept.
 */
#ifndef SP_SHADOW_COUNTS_H
#define SP_SHADOW_COUNTS_H

#include "server/sp_compat.h"

#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "registry/sp_reference.h"

#define SP_SHADOWS 32
#define SP_SHADOW_SAMPLES 32
#define SP_SHADOW_LABEL 64		/* bytes kept of a label in UTF-8, with the zero byte */

/* Padded with zeros: compared as bytes. */
typedef struct SpShadowKey
{
	TimestampTz since;			/* when the shadow was set, or what it stands beside began to serve */
	Oid			database;
	pg_uuid_t	model_id;
	char		stage[SP_NAME_SIZE];
} SpShadowKey;

/* What both versions answered: labels, or numbers while the labels are empty. */
typedef struct SpShadowSample
{
	TimestampTz at;
	double		served;
	double		shadow;
	char		served_label[SP_SHADOW_LABEL];
	char		shadow_label[SP_SHADOW_LABEL];
} SpShadowSample;

typedef struct SpShadowCounts
{
	int64		agreed;
	int64		differed;
	int64		errors;			/* calls that the shadow could not answer */
	int64		measured;		/* differences of finite numbers */
	double		sum_difference; /* of those, absolute */
	double		max_difference;
	int			last_error;		/* SQLSTATE; 0 without errors */
	TimestampTz last_at;
	SpShadowSample samples[SP_SHADOW_SAMPLES];	/* of differing answers, number differed - 1 at (differed - 1) % SP_SHADOW_SAMPLES */
} SpShadowCounts;

typedef struct SpShadowOutcome
{
	int			error;			/* SQLSTATE; then the rest is empty */
	bool		agreed;
	bool		measured;
	double		difference;
	SpShadowSample sample;
} SpShadowOutcome;

/* Nothing without shared memory (sp_shared_available). */
extern void sp_shadow_count(const SpShadowKey *key, const SpShadowOutcome *outcome);

/* A copy; false when nothing was counted. */
extern bool sp_shadow_counts(const SpShadowKey *key, SpShadowCounts *counts);

#endif
