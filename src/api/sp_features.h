/*
 * src/api/sp_features.h
 *
 * Binding SQL values to a model's features.
 *
 * One binder serves one call site: it learns the type of the features
 * argument once and, for rows, which column feeds which feature; that plan is
 * made anew whenever the row's shape changes.
 *
 *	array	smallint, integer, bigint, real, double precision or numeric
 *			elements, one dimension, by position
 *	row		columns by name; numbers, booleans, and text, varchar, char, name or
 *			an enum for a category; other columns are ignored
 *	jsonb	object by name or array by position; numbers, booleans, null, and
 *			strings for categories
 *
 * SQL NULL and NaN both mean missing.  The version's defaults take the place of
 * missing values first.  Errors: 22023 for a wrong length, type, name, an
 * infinite number or an unseen category that is refused; 22004 for a missing
 * value where the version refuses it or the model has no rule for it.
 */
#ifndef SP_FEATURES_H
#define SP_FEATURES_H

#include "server/sp_compat.h"

#include "access/tupdesc.h"
#include "executor/tuptable.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "kernel/sp_eval.h"

typedef enum SpFeaturesKind
{
	SP_FEATURES_UNKNOWN,
	SP_FEATURES_ARRAY,
	SP_FEATURES_ROW,
	SP_FEATURES_JSONB
} SpFeaturesKind;

typedef struct SpBinder
{
	MemoryContext mcx;			/* holds the plan */
	const SpImage *image;
	SpEval	   *eval;
	const char *subject;		/* for messages, such as «model "motion" version 3» */
	uint32		n_features;
	const char **names;			/* in the database's encoding; NULL: as in the image */
	float	   *single;			/* the input buffer when all features are one float32 vector */
	bool		special_numbers;	/* jsonb: the strings of sp_golden.h are numbers */
	bool		quiet;			/* sp_bind_try: a row that cannot be used sets refused instead of raising */
	bool		refused;
	bool		suspicious;		/* something in the row is NaN or infinite */
	int64		row_number;		/* of the row for messages, from 1; 0 if there is only one */

	Oid			argtype;		/* what the plan is for */
	SpFeaturesKind kind;
	Oid			element;		/* arrays: element type */

	uint64		row_id;			/* rows: identity of the shape */
	TupleDesc	row_desc;
	AttrNumber *columns;		/* rows: column of each feature */
	Oid		   *column_types;	/* rows: base type of each feature's column */
	bool	   *column_is_text; /* rows: likewise */
	bool		has_offsets;	/* rows: every feature has a place in rows without NULLs */
	int32	   *column_offsets; /* rows: this one, from the first column's */
	bool		is_in_line;		/* rows: there float4 after float4, in the order of the features */
	struct TypeCacheEntry *row_type;	/* rows of a named type: where the server keeps the identity */
	Datum	   *values;
	bool	   *nulls;
} SpBinder;

extern void sp_binder_init(SpBinder *binder, MemoryContext mcx, const SpImage *image,
						   SpEval *eval, const char *subject);

/* A later statement binds: what a type's number stands for may have changed since. */
extern void sp_binder_resume(SpBinder *binder);

/*
 * Fill row number row of the evaluator from features; true if a value is
 * missing.  Works in the current memory context, which should be short-lived.
 */
extern bool sp_bind(SpBinder *binder, Oid argtype, Datum features, uint32 row);

/*
 * As sp_bind, but false for a row that sp_bind would raise for, with nothing
 * said about why.  The first call plans, which may raise; rows of another
 * shape than the first one's are refused.  *has_missing is set, never cleared.
 */
extern bool sp_bind_try(SpBinder *binder, Oid argtype, Datum features, uint32 row, bool *has_missing);

/* As sp_bind for a row of a named type that is still in the slot of a table's scan. */
extern bool sp_bind_slot(SpBinder *binder, Oid type, TupleTableSlot *slot, uint32 row);

/* As sp_bind_try for such a row, of the shape that the type has now. */
extern bool sp_bind_slot_try(SpBinder *binder, Oid type, TupleTableSlot *slot, uint32 row, bool *has_missing);
extern bool sp_bind_jsonb(SpBinder *binder, Jsonb *features, uint32 row);

/* Element types that an array of features may have. */
extern bool sp_is_number_type(Oid type);

/*
 * Fill one row from n elements of an array; nulls is the array's bitmap or
 * NULL, offset the number of the first element in it.  Returns where the next
 * element starts; *has_missing is set if a value is missing.
 */
extern const char *sp_bind_elements(SpBinder *binder, Oid element, const char *elements,
									const bits8 *nulls, int offset, int n, uint32 row,
									bool *has_missing);

#endif
