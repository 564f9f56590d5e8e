/*
 * src/registry/sp_reference.h
 *
 * References to models, as users write them:
 *
 *	name			the version that serves the stage production
 *	name@target		the version that serves that stage, or has that alias
 *	name:7			version 7
 *
 * Names of models, stages and aliases: letters, digits, '_', '.', '-', not
 * starting with a digit, '.' or '-', at most 63 bytes.
 */
#ifndef SP_REFERENCE_H
#define SP_REFERENCE_H

#include "server/sp_compat.h"

#define SP_NAME_SIZE 64			/* with the zero byte */
#define SP_REFERENCE_SIZE (2 * SP_NAME_SIZE)
#define SP_PRODUCTION "production"

typedef struct SpReference
{
	char		model[SP_NAME_SIZE];
	char		target[SP_NAME_SIZE];	/* stage or alias; empty when version is given */
	int32		version;		/* 0 when target is given */
} SpReference;

/* Raises 22023 for text that is no reference; one that is has fewer than SP_REFERENCE_SIZE bytes. */
extern void sp_reference_parse(SpReference *reference, const char *text, Size size);

/* False for text that is no reference. */
extern bool sp_reference_try(SpReference *reference, const char *text, Size size);

/* Raises 22023 unless text is a name; kind ("model", "alias", ...) is for the message. */
extern void sp_name_check(const char *text, const char *kind);

#endif
