/*
 * src/api/sp_features_internal.h
 *
 * What the files that bind features share.
 */
#ifndef SP_FEATURES_INTERNAL_H
#define SP_FEATURES_INTERNAL_H

#include "access/htup.h"

#include "api/sp_features.h"

/* A row is refused: true if that is to be said by raising, false for sp_bind_try. */
static inline bool
sp_refuse(SpBinder *binder)
{
	binder->refused = binder->quiet;
	return !binder->quiet;
}

extern const char *sp_feature_name(const SpBinder *binder, uint32 feature);

/* n features of a model of one float32 vector, from where they need not be aligned. */
extern void sp_copy_floats(SpBinder *binder, const char *from, int n, uint32 row);

/* Names for a message; features NULL means the first count features. */
extern char *sp_feature_list(const SpBinder *binder, const uint32 *features, uint32 count);

/* A number of one of the types of sp_is_number_type, or a boolean. */
extern double sp_number_of(Oid type, Datum datum);

/*
 * A number, boolean (1 or 0) or null (NaN) of jsonb; with special the strings
 * "NaN", "Infinity", "-Infinity" and "-0" too.  False for anything else.
 */
extern bool sp_json_value_number(const JsonbValue *value, bool special, double *number);

/*
 * sp_features_store.c: one value into the evaluator, after the model's
 * categories.  NaN is a missing value, text is in the database's encoding and
 * only for features that take it.  Once all features of a row are stored,
 * sp_finish_row puts defaults in the place of missing values, refuses what the
 * model has no rule for, and tells whether a value is missing still.
 */
extern void sp_store_number(SpBinder *binder, uint32 row, uint32 feature, double number);
extern void sp_store_text(SpBinder *binder, uint32 row, uint32 feature, const char *bytes, Size size);
extern bool sp_finish_row(SpBinder *binder, uint32 row);

extern bool sp_feature_takes_text(const SpBinder *binder, uint32 feature);
extern bool sp_feature_takes_numbers(const SpBinder *binder, uint32 feature);
extern bool sp_feature_knows_text(const SpBinder *binder, uint32 feature, const char *bytes, Size size);

extern void sp_refuse_length(const SpBinder *binder, int64 length) SP_NORETURN;

/* Is the plan for rows of the named type, as it is now? */
extern bool sp_row_type_is_planned(const SpBinder *binder, Oid type);

/* Is the plan for rows of this shape? */
extern bool sp_row_is_planned(const SpBinder *binder, HeapTupleHeader header);
extern bool sp_bind_row(SpBinder *binder, HeapTupleHeader header, uint32 row);

#endif
