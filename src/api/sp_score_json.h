/*
 * src/api/sp_score_json.h
 *
 * Scores of classifiers as jsonb; keys and values are pushed into an open object.
 */
#ifndef SP_SCORE_JSON_H
#define SP_SCORE_JSON_H

#include "server/sp_compat.h"

#include "utils/jsonb.h"

#include "ops/sp_score.h"

/* accuracy, balanced_accuracy, precision_macro ... f1_weighted */
extern void sp_json_averages(JsonbParseState **state, const SpConfusion *confusion);

/* "classes": an object of objects with precision, recall, f1, support */
extern void sp_json_classes(JsonbParseState **state, const SpConfusion *confusion);

/* "labels" and "matrix"; a row for each true, in it a column for each predicted label */
extern void sp_json_matrix(JsonbParseState **state, const SpConfusion *confusion);

#endif
