/*
 * src/api/sp_golden.h
 *
 * Comparing a model's outputs with known answers.
 *
 * Features are what predict_json takes; expected is an object with any of the
 * keys that predict_json gives: value, label, probabilities (an object by
 * label, or an array), raw.  JSON has no NaN, infinities and negative zero;
 * in both they are written as the strings "NaN", "Infinity", "-Infinity" and "-0";
 * null is NaN too, as predict_json writes it.
 * a and b agree if |a - b| <= tolerance * max(1, |b|), NaN with NaN and infinities
 * by sign; labels must be equal.
 */
#ifndef SP_GOLDEN_H
#define SP_GOLDEN_H

#include "server/sp_compat.h"

#include "api/sp_features.h"
#include "registry/sp_registry.h"

/*
 * Evaluates one row; NULL if all agrees, else what the first difference is
 * (palloc'd, in the database's encoding).  Raises 22023 for features or
 * expectations that the model cannot have.
 */
extern char *sp_golden_mismatch(SpBinder *binder, Jsonb *features, Jsonb *expected, double tolerance);

/*
 * The first of the rows that an image does not match, with what differs, or
 * NULL.  subject names the model for messages; rows are numbered from 1 there.
 */
extern const SpGoldenRow *sp_golden_first_mismatch(const SpImage *image, const char *subject, const SpGoldenRow *rows,
												   int count, char **mismatch);

#endif
