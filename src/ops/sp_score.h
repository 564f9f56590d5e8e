/*
 * src/ops/sp_score.h
 *
 * How well predictions agree with the truth, in the terms of sklearn.metrics
 * and to its numbers.
 *
 * Three accumulators take one row at a time and can be merged, so that they
 * serve aggregates in parallel workers and evaluate() alike.  Written forms
 * travel between processes of one server only.
 */
#ifndef SP_SCORE_H
#define SP_SCORE_H

#include "server/sp_compat.h"

/* ---- sp_score_labels.c: classes ---- */

/* Counts of pairs of true and predicted label; labels are compared byte by byte. */
typedef struct SpConfusion SpConfusion;

typedef enum SpAverage
{
	SP_AVERAGE_MACRO,			/* the mean over labels */
	SP_AVERAGE_MICRO,			/* of all rows together */
	SP_AVERAGE_WEIGHTED			/* the mean over labels, weighted by their rows */
} SpAverage;

typedef struct SpLabelScore
{
	double		precision;
	double		recall;
	double		f1;
	int64		support;		/* rows with this true label */
} SpLabelScore;

extern SpConfusion *sp_confusion_make(MemoryContext mcx);

/* The number of a label, from 0 in the order of first use; 54000 over smartpouch.max_score_labels. */
extern uint32 sp_confusion_label(SpConfusion *confusion, const char *bytes, Size size);
extern void sp_confusion_add(SpConfusion *confusion, uint32 truth, uint32 predicted, int64 rows);
extern void sp_confusion_merge(SpConfusion *into, const SpConfusion *from);
extern bytea *sp_confusion_write(const SpConfusion *confusion);
extern SpConfusion *sp_confusion_read(bytea *bytes, MemoryContext mcx);

/*
 * Labels that occur, as truth or as prediction, in order: as numbers if all of
 * them are, else byte by byte.  palloc'd.
 */
extern uint32 *sp_confusion_order(const SpConfusion *confusion, uint32 *count);
extern const char *sp_confusion_name(const SpConfusion *confusion, uint32 label);
extern int64 sp_confusion_count(const SpConfusion *confusion, uint32 truth, uint32 predicted);

/* A ratio whose divisor is 0 is 0, as zero_division=0 says there. */
extern SpLabelScore sp_confusion_score(const SpConfusion *confusion, uint32 label);
extern SpLabelScore sp_confusion_average(const SpConfusion *confusion, SpAverage average);
extern double sp_confusion_accuracy(const SpConfusion *confusion);

/* The mean recall of the labels that occur as truth. */
extern double sp_confusion_balanced_accuracy(const SpConfusion *confusion);

/* ---- sp_score_ranking.c: scores of two classes ---- */

typedef struct SpRanking SpRanking;

extern SpRanking *sp_ranking_make(MemoryContext mcx);

/* 22023 for a score that is NaN. */
extern void sp_ranking_add(SpRanking *ranking, bool truth, double score);
extern void sp_ranking_merge(SpRanking *into, const SpRanking *from);
extern bytea *sp_ranking_write(const SpRanking *ranking);
extern SpRanking *sp_ranking_read(bytea *bytes, MemoryContext mcx);

/*
 * The area under the ROC curve: the share of pairs of a positive and a
 * negative row that are in the right order, ties counting half (Mann and
 * Whitney's U).  NaN unless both classes occur.
 */
extern double sp_ranking_auc(SpRanking *ranking);

/* ---- sp_score_errors.c: numbers ---- */

/* Sums over rows; as doubles, so that an array of them is the state of an aggregate. */
typedef struct SpErrors
{
	double		rows;
	double		absolute;		/* of |truth - predicted| */
	double		squared;		/* of its square */
	double		relative;		/* of |truth - predicted| / max(|truth|, DBL_EPSILON) */
	double		first;			/* truth; what follows is of truth - first, which keeps digits far from 0 */
	double		mean;
	double		spread;			/* sum of squared distances from the mean */
} SpErrors;

#define SP_N_ERRORS 7

/* The mean and spread follow Welford (1962), their merge Chan, Golub and LeVeque (1983). */
extern void sp_errors_add(SpErrors *errors, double truth, double predicted);
extern void sp_errors_merge(SpErrors *into, const SpErrors *from);

/* Of at least one row. */
extern double sp_errors_mae(const SpErrors *errors);
extern double sp_errors_rmse(const SpErrors *errors);
extern double sp_errors_mape(const SpErrors *errors);

/* 1 for a perfect and 0 for any other prediction of truths that are all equal; NaN for one row. */
extern double sp_errors_r2(const SpErrors *errors);

/* -log of a probability, kept away from 0 and 1 by DBL_EPSILON; NaN stays NaN. */
extern double sp_log_loss(double probability);

#endif
