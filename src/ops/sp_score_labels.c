/*
 * src/ops/sp_score_labels.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "ops/sp_score.h"
#include "server/sp_guc.h"

typedef struct LabelName
{
	const char *bytes;			/* zero-terminated */
	Size		size;
} LabelName;

typedef struct LabelEntry
{
	LabelName	name;
	uint32		label;
	char		status;			/* simplehash's */
} LabelEntry;

#define SH_PREFIX label
#define SH_ELEMENT_TYPE LabelEntry
#define SH_KEY_TYPE LabelName
#define SH_KEY name
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key).bytes, (int) (key).size)
#define SH_EQUAL(table, a, b) ((a).size == (b).size && memcmp((a).bytes, (b).bytes, (a).size) == 0)
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

struct SpConfusion
{
	MemoryContext mcx;
	label_hash *by_name;
	uint32		n_labels;
	uint32		capacity;		/* labels that names and counts have room for */
	LabelName  *names;
	int64	   *counts;			/* truth * capacity + predicted */
};

#define FIRST_CAPACITY 8

SpConfusion *
sp_confusion_make(MemoryContext mcx)
{
	MemoryContext old = MemoryContextSwitchTo(mcx);
	SpConfusion *confusion = palloc0(sizeof(SpConfusion));

	confusion->mcx = mcx;
	confusion->by_name = label_create(mcx, FIRST_CAPACITY, NULL);
	confusion->capacity = FIRST_CAPACITY;
	confusion->names = palloc0(sizeof(LabelName) * FIRST_CAPACITY);
	confusion->counts = palloc0(sizeof(int64) * FIRST_CAPACITY * FIRST_CAPACITY);
	MemoryContextSwitchTo(old);
	return confusion;
}

/* The setting bounds the capacity, so nothing here overflows. */
static void
grow(SpConfusion *confusion)
{
	Size		capacity = (Size) confusion->capacity * 2;
	int64	   *counts = MemoryContextAllocExtended(confusion->mcx, sizeof(int64) * capacity * capacity,
													MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);

	for (uint32 truth = 0; truth < confusion->n_labels; truth++)
		memcpy(counts + truth * capacity, confusion->counts + (Size) truth * confusion->capacity,
			   sizeof(int64) * confusion->n_labels);
	pfree(confusion->counts);
	confusion->counts = counts;
	confusion->names = repalloc(confusion->names, sizeof(LabelName) * capacity);
	confusion->capacity = (uint32) capacity;
}

static uint32
add_label(SpConfusion *confusion, const char *bytes, Size size)
{
	LabelEntry *entry;
	LabelName	name = {MemoryContextAlloc(confusion->mcx, size + 1), size};
	bool		found;

	if (confusion->n_labels >= (uint32) sp_max_score_labels)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are more than %d different labels", sp_max_score_labels),
				 errhint("Numbers that are measured rather than named are compared by rmse() or mae(); "
						 "smartpouch.max_score_labels is the limit.")));
	if (confusion->n_labels == confusion->capacity)
		grow(confusion);
	memcpy(unconstify(char *, name.bytes), bytes, size);
	unconstify(char *, name.bytes)[size] = '\0';
	entry = label_insert(confusion->by_name, name, &found);
	entry->label = confusion->n_labels;
	confusion->names[confusion->n_labels] = name;
	return confusion->n_labels++;
}

uint32
sp_confusion_label(SpConfusion *confusion, const char *bytes, Size size)
{
	LabelEntry *entry = label_lookup(confusion->by_name, (LabelName) {bytes, size});

	return entry ? entry->label : add_label(confusion, bytes, size);
}

void
sp_confusion_add(SpConfusion *confusion, uint32 truth, uint32 predicted, int64 rows)
{
	confusion->counts[(Size) truth * confusion->capacity + predicted] += rows;
}

int64
sp_confusion_count(const SpConfusion *confusion, uint32 truth, uint32 predicted)
{
	return confusion->counts[(Size) truth * confusion->capacity + predicted];
}

const char *
sp_confusion_name(const SpConfusion *confusion, uint32 label)
{
	return confusion->names[label].bytes;
}

void
sp_confusion_merge(SpConfusion *into, const SpConfusion *from)
{
	uint32	   *labels = palloc(sizeof(uint32) * Max(from->n_labels, 1));

	for (uint32 label = 0; label < from->n_labels; label++)
		labels[label] = sp_confusion_label(into, from->names[label].bytes, from->names[label].size);
	for (uint32 truth = 0; truth < from->n_labels; truth++)
		for (uint32 predicted = 0; predicted < from->n_labels; predicted++)
			sp_confusion_add(into, labels[truth], labels[predicted],
							 sp_confusion_count(from, truth, predicted));
	pfree(labels);
}

bytea *
sp_confusion_write(const SpConfusion *confusion)
{
	StringInfoData out;

	pq_begintypsend(&out);
	pq_sendint32(&out, confusion->n_labels);
	for (uint32 label = 0; label < confusion->n_labels; label++)
	{
		pq_sendint32(&out, (uint32) confusion->names[label].size);
		pq_sendbytes(&out, confusion->names[label].bytes, (int) confusion->names[label].size);
	}
	for (uint32 truth = 0; truth < confusion->n_labels; truth++)
		for (uint32 predicted = 0; predicted < confusion->n_labels; predicted++)
			pq_sendint64(&out, (uint64) sp_confusion_count(confusion, truth, predicted));
	return pq_endtypsend(&out);
}

SpConfusion *
sp_confusion_read(bytea *bytes, MemoryContext mcx)
{
	SpConfusion *confusion = sp_confusion_make(mcx);
	StringInfoData in = {
		.data = VARDATA_ANY(bytes), .len = (int) VARSIZE_ANY_EXHDR(bytes)
	};
	uint32		n_labels = pq_getmsgint(&in, 4);

	for (uint32 label = 0; label < n_labels; label++)
	{
		int			size = (int) pq_getmsgint(&in, 4);

		(void) sp_confusion_label(confusion, pq_getmsgbytes(&in, size), (Size) size);
	}
	for (uint32 truth = 0; truth < n_labels; truth++)
		for (uint32 predicted = 0; predicted < n_labels; predicted++)
			sp_confusion_add(confusion, truth, predicted, pq_getmsgint64(&in));
	pq_getmsgend(&in);
	return confusion;
}

typedef struct Margins
{
	int64		truth;			/* rows with the label as truth */
	int64		predicted;		/* rows with the label as prediction */
} Margins;

static Margins
margins(const SpConfusion *confusion, uint32 label)
{
	Margins		sums = {0, 0};

	for (uint32 other = 0; other < confusion->n_labels; other++)
	{
		sums.truth += sp_confusion_count(confusion, label, other);
		sums.predicted += sp_confusion_count(confusion, other, label);
	}
	return sums;
}

typedef struct Ordered
{
	const char *name;
	double		number;
	uint32		label;
} Ordered;

static int
compare_numbers(const void *a, const void *b)
{
	double		x = ((const Ordered *) a)->number;
	double		y = ((const Ordered *) b)->number;

	return x < y ? -1 : x > y;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(((const Ordered *) a)->name, ((const Ordered *) b)->name);
}

static bool
read_number(const char *name, double *number)
{
	char	   *end;

	*number = strtod(name, &end);
	return *name != '\0' && *end == '\0' && isfinite(*number);
}

uint32 *
sp_confusion_order(const SpConfusion *confusion, uint32 *count)
{
	Ordered    *ordered = palloc(sizeof(Ordered) * Max(confusion->n_labels, 1));
	uint32	   *order = palloc(sizeof(uint32) * Max(confusion->n_labels, 1));
	bool		numbers = true;

	*count = 0;
	for (uint32 label = 0; label < confusion->n_labels; label++)
	{
		Ordered    *one = &ordered[*count];
		Margins		sums = margins(confusion, label);

		if (sums.truth + sums.predicted == 0)
			continue;
		one->name = confusion->names[label].bytes;
		one->label = label;
		numbers = read_number(one->name, &one->number) && numbers;
		(*count)++;
	}
	qsort(ordered, *count, sizeof(Ordered), numbers ? compare_numbers : compare_names);
	for (uint32 i = 0; i < *count; i++)
		order[i] = ordered[i].label;
	pfree(ordered);
	return order;
}

static double
ratio(double dividend, double divisor)
{
	return divisor == 0 ? 0 : dividend / divisor;
}

SpLabelScore
sp_confusion_score(const SpConfusion *confusion, uint32 label)
{
	Margins		sums = margins(confusion, label);
	double		hits = (double) sp_confusion_count(confusion, label, label);

	return (SpLabelScore) {
		.precision = ratio(hits, (double) sums.predicted),
		.recall = ratio(hits, (double) sums.truth),
		.f1 = ratio(2 * hits, (double) sums.predicted + (double) sums.truth),
		.support = sums.truth
	};
}

static int64
all_rows(const SpConfusion *confusion)
{
	int64		rows = 0;

	for (uint32 label = 0; label < confusion->n_labels; label++)
		rows += margins(confusion, label).truth;
	return rows;
}

double
sp_confusion_accuracy(const SpConfusion *confusion)
{
	int64		hits = 0;

	for (uint32 label = 0; label < confusion->n_labels; label++)
		hits += sp_confusion_count(confusion, label, label);
	return ratio((double) hits, (double) all_rows(confusion));
}

double
sp_confusion_balanced_accuracy(const SpConfusion *confusion)
{
	double		sum = 0;
	int			labels = 0;

	for (uint32 label = 0; label < confusion->n_labels; label++)
	{
		SpLabelScore score = sp_confusion_score(confusion, label);

		if (score.support == 0)
			continue;
		sum += score.recall;
		labels++;
	}
	return ratio(sum, labels);
}

SpLabelScore
sp_confusion_average(const SpConfusion *confusion, SpAverage average)
{
	SpLabelScore mean = {0, 0, 0, all_rows(confusion)};
	double		weights = 0;
	uint32		count;
	uint32	   *order = sp_confusion_order(confusion, &count);

	/* with one label a row, each of the three is the share of right rows */
	if (average == SP_AVERAGE_MICRO)
		mean.precision = mean.recall = mean.f1 = sp_confusion_accuracy(confusion);
	else
	{
		for (uint32 i = 0; i < count; i++)
		{
			SpLabelScore score = sp_confusion_score(confusion, order[i]);
			double		weight = average == SP_AVERAGE_WEIGHTED ? (double) score.support : 1;

			mean.precision += weight * score.precision;
			mean.recall += weight * score.recall;
			mean.f1 += weight * score.f1;
			weights += weight;
		}
		mean.precision = ratio(mean.precision, weights);
		mean.recall = ratio(mean.recall, weights);
		mean.f1 = ratio(mean.f1, weights);
	}
	pfree(order);
	return mean;
}
