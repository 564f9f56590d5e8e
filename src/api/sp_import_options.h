/*
 * src/api/sp_import_options.h
 *
 * The options argument of import_model and import_upload:
 *
 *	golden	array of {"features": ..., "expected": {...}, "tolerance": 1e-6}:
 *			rows that the model must answer so, or the import is refused; kept
 *			with the version
 *	start_iteration	of a boosted model, the first one that counts (from 0)
 *	iterations	only so many, from there on
 *	best_iteration	true: only those up to the best one that the file notes
 */
#ifndef SP_IMPORT_OPTIONS_H
#define SP_IMPORT_OPTIONS_H

#include "server/sp_compat.h"

#include "registry/sp_registry.h"

#define SP_DEFAULT_TOLERANCE 1e-6

typedef struct SpImportOptions
{
	SpGoldenRow *golden;
	int			n_golden;
	uint32		first_iteration;
	uint32		iterations;		/* 0: all */
	bool		best_iteration;
} SpImportOptions;

/* options NULL means none; raises 22023 for an unknown option or a wrong value. */
extern void sp_import_options(Jsonb *options, SpImportOptions *parsed);

#endif
