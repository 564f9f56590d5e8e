/*
 * src/api/sp_evaluate.h
 *
 * Scores of one version over rows with known answers.
 *
 * An evaluation takes one row after the other; predictions are made in blocks
 * of SP_EVALUATE_ROWS.  It works in the memory context in which it was begun,
 * and rows may live in a shorter one: what is kept of them is copied.
 */
#ifndef SP_EVALUATE_H
#define SP_EVALUATE_H

#include "server/sp_compat.h"

#include "utils/jsonb.h"

#include "api/sp_call_site.h"

#define SP_EVALUATE_ROWS 128

typedef struct SpEvaluation SpEvaluation;

/*
 * For the model that the site serves; truths will be of that type.  22023 for
 * a model that has neither labels nor a single value, and for a truth that is
 * no number where the model predicts one.
 */
extern SpEvaluation *sp_evaluation_begin(SpCallSite *site, Oid truth_type);

/* One row: features of type argtype, bound as by predict(); truth must not be NULL. */
extern void sp_evaluation_add(SpEvaluation *evaluation, Oid argtype, Datum features, Datum truth);

/* A row that cannot count because its truth is NULL. */
extern void sp_evaluation_skip(SpEvaluation *evaluation);

/*
 * Classifiers: rows, skipped, accuracy, balanced_accuracy, precision, recall and
 * f1 with _macro, _micro and _weighted, log_loss, roc_auc, classes,
 * confusion_matrix.  log_loss needs probabilities and truths among the model's
 * labels; roc_auc needs scores and both classes, with more than two classes
 * every class (it is the mean of each class against the rest).  What cannot be
 * had is null.  Others: rows, skipped, mae, rmse, mape, r2.
 * 22023 when there was no row.
 */
extern Jsonb *sp_evaluation_result(SpEvaluation *evaluation);

#endif
