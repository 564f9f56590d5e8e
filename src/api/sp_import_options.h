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
 *	on_missing	what becomes of missing values: "source", "error", or an object of
 *			default values by feature
 *	on_unseen	what becomes of categories that the model does not know: "source",
 *			"error" or "missing"
 */
#ifndef SP_IMPORT_OPTIONS_H
#define SP_IMPORT_OPTIONS_H

#include "server/sp_compat.h"

#include "ir/sp_builder.h"
#include "registry/sp_registry.h"

#define SP_DEFAULT_TOLERANCE 1e-6

typedef struct SpImportOptions
{
	SpGoldenRow *golden;
	int			n_golden;
	uint32		first_iteration;
	uint32		iterations;		/* 0: all */
	bool		best_iteration;
	SpMissing	on_missing;
	SpDefault  *defaults;		/* in UTF-8 */
	int			n_defaults;
	SpUnseen	on_unseen;
	Jsonb	   *on_missing_json;	/* as it was given, or NULL */
} SpImportOptions;

/* options NULL means none; raises 22023 for an unknown option or a wrong value. */
extern void sp_import_options(Jsonb *options, SpImportOptions *parsed);

#endif
