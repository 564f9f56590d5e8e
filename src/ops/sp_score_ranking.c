/*
 * src/ops/sp_score_ranking.c
 *
 * The scores themselves are kept, 8 bytes a row: the area under the ROC curve
 * of a sample or of buckets would be another number.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "ops/sp_score.h"

#define ST_SORT sort_scores
#define ST_ELEMENT_TYPE double
#define ST_COMPARE(a, b) (*(a) < *(b) ? -1 : *(a) > *(b))
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

typedef struct Scores
{
	double	   *values;
	uint64		n;
	uint64		capacity;
} Scores;

struct SpRanking
{
	MemoryContext mcx;
	Scores		of[2];			/* of rows whose truth is false and true */
};

#define FIRST_CAPACITY 64

SpRanking *
sp_ranking_make(MemoryContext mcx)
{
	SpRanking  *ranking = MemoryContextAllocZero(mcx, sizeof(SpRanking));

	ranking->mcx = mcx;
	return ranking;
}

static void
reserve(SpRanking *ranking, Scores *scores, uint64 n)
{
	uint64		capacity = Max(scores->capacity, FIRST_CAPACITY);

	if (n <= scores->capacity)
		return;
	if (n > MaxAllocHugeSize / sizeof(double) / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many rows for one ROC curve")));
	while (capacity < n)
		capacity *= 2;
	scores->values = scores->values == NULL ?
		MemoryContextAllocHuge(ranking->mcx, capacity * sizeof(double)) :
		repalloc_huge(scores->values, capacity * sizeof(double));
	scores->capacity = capacity;
}

void
sp_ranking_add(SpRanking *ranking, bool truth, double score)
{
	Scores	   *scores = &ranking->of[truth];

	if (isnan(score))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a score is NaN and has no place in a ROC curve")));
	reserve(ranking, scores, scores->n + 1);
	scores->values[scores->n++] = score;
}

void
sp_ranking_merge(SpRanking *into, const SpRanking *from)
{
	for (int truth = 0; truth < 2; truth++)
	{
		Scores	   *scores = &into->of[truth];
		const Scores *more = &from->of[truth];

		if (more->n == 0)
			continue;
		reserve(into, scores, scores->n + more->n);
		memcpy(scores->values + scores->n, more->values, more->n * sizeof(double));
		scores->n += more->n;
	}
}

bytea *
sp_ranking_write(const SpRanking *ranking)
{
	Size		sizes[2];
	Size		size;
	bytea	   *bytes;
	char	   *next;

	for (int truth = 0; truth < 2; truth++)
		sizes[truth] = mul_size(ranking->of[truth].n, sizeof(double));
	size = add_size(VARHDRSZ + 2 * sizeof(uint64), add_size(sizes[0], sizes[1]));
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a parallel worker has too many rows of one ROC curve to pass them on"),
				 errhint("Set max_parallel_workers_per_gather to 0.")));
	bytes = palloc(size);
	SET_VARSIZE(bytes, size);
	next = VARDATA(bytes);
	for (int truth = 0; truth < 2; truth++)
	{
		memcpy(next, &ranking->of[truth].n, sizeof(uint64));
		next += sizeof(uint64);
		if (sizes[truth] > 0)
			memcpy(next, ranking->of[truth].values, sizes[truth]);
		next += sizes[truth];
	}
	return bytes;
}

SpRanking *
sp_ranking_read(bytea *bytes, MemoryContext mcx)
{
	SpRanking  *ranking = sp_ranking_make(mcx);
	const char *next = VARDATA_ANY(bytes);

	for (int truth = 0; truth < 2; truth++)
	{
		Scores	   *scores = &ranking->of[truth];
		uint64		n;

		memcpy(&n, next, sizeof(n));
		next += sizeof(n);
		reserve(ranking, scores, n);
		if (n > 0)
			memcpy(scores->values, next, n * sizeof(double));
		next += n * sizeof(double);
		scores->n = n;
	}
	return ranking;
}

double
sp_ranking_auc(SpRanking *ranking)
{
	const Scores *negative = &ranking->of[0];
	const Scores *positive = &ranking->of[1];
	uint64		below = 0;		/* negatives with a smaller score */
	uint64		upto = 0;		/* and with a smaller or equal one */
	double		pairs = 0;

	if (negative->n == 0 || positive->n == 0)
		return NAN;
	for (int truth = 0; truth < 2; truth++)
		sort_scores(ranking->of[truth].values, ranking->of[truth].n);
	for (uint64 i = 0; i < positive->n; i++)
	{
		double		score = positive->values[i];

		while (below < negative->n && negative->values[below] < score)
			below++;
		while (upto < negative->n && negative->values[upto] <= score)
			upto++;
		pairs += ((double) below + (double) upto) / 2;
	}
	return pairs / (double) positive->n / (double) negative->n;
}
