/*
 * src/api/sp_baseline.c
 */
#include "server/sp_compat.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "api/sp_baseline.h"
#include "api/sp_drift.h"
#include "api/sp_features_internal.h"

#define TENTHS 10
#define FIRST_ROOM 256
#define MAX_BOUNDS (SP_BASELINE_DISTINCT + 1)
#define PREDICTION_NAME "(prediction)"

struct SpBaselineMaker
{
	SpCallSite *site;
	int			n_variables;
	uint32		wanted;			/* outputs */
	int64		rows;			/* that were added */
	int64		kept;
	int64		room;
	int64		max_kept;
	double	   *values;			/* of a variable after the other within a row */
};

/* What stands for the prediction: see sp_drift_value. */
static uint32
prediction_outputs(const SpCallSite *site)
{
	if (sp_call_site_has(site, SP_OUTPUT_VALUE) && sp_call_site_width(site, SP_OUTPUT_VALUE) == 1)
		return 1u << SP_OUTPUT_VALUE;
	if (sp_call_site_has(site, SP_OUTPUT_LABEL))
		return 1u << SP_OUTPUT_LABEL;
	return sp_image_outputs(site->model->image);
}

SpBaselineMaker *
sp_baseline_begin(SpCallSite *site)
{
	SpBaselineMaker *maker = palloc0(sizeof(SpBaselineMaker));

	maker->site = site;
	maker->n_variables = sp_drift_variables(site);
	maker->wanted = prediction_outputs(site);
	maker->max_kept = Max(1, SP_BASELINE_VALUES / maker->n_variables);
	maker->room = Min(FIRST_ROOM, maker->max_kept);
	maker->values = palloc_extended(mul_size(maker->room, mul_size(maker->n_variables, sizeof(double))), MCXT_ALLOC_HUGE);
	return maker;
}

/* Where the row goes, or -1: each row has the same chance to be among those that are kept (algorithm R). */
static int64
place_for_row(SpBaselineMaker *maker)
{
	int64		number = maker->rows++;

	if (number >= maker->max_kept)
	{
		number = (int64) (pg_prng_double(&pg_global_prng_state) * (double) maker->rows);
		return number < maker->max_kept ? number : -1;
	}
	if (number == maker->room)
	{
		maker->room = Min(maker->room * 2, maker->max_kept);
		maker->values = repalloc_huge(maker->values, mul_size(maker->room, mul_size(maker->n_variables, sizeof(double))));
	}
	maker->kept++;
	return number;
}

void
sp_baseline_add(SpBaselineMaker *maker, Oid argtype, Datum features)
{
	bool		has_missing;
	int64		place;

	maker->site->binder.row_number = maker->rows + 1;
	has_missing = sp_bind(&maker->site->binder, argtype, features, 0);
	sp_call_site_run(maker->site, 1, maker->wanted, has_missing);
	place = place_for_row(maker);
	for (int i = 0; place >= 0 && i < maker->n_variables; i++)
		maker->values[place * maker->n_variables + i] = sp_drift_value(maker->site, i, 0);
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* Values of a variable that are there, ascending; returns how many. */
static int64
sorted_values(const SpBaselineMaker *maker, int variable, double *values)
{
	int64		n = 0;

	for (int64 row = 0; row < maker->kept; row++)
	{
		double		value = maker->values[row * maker->n_variables + variable];

		if (!isnan(value))
			values[n++] = value;
	}
	qsort(values, (size_t) n, sizeof(double), compare);
	return n;
}

/*
 * A bound at each of few values, and one below the least: so what is less or more than
 * they were is in a bin of its own, even beside a value that was always the same.
 * -1 if there are too many.
 */
static int
bounds_of_few(const double *values, int64 n, double bounds[MAX_BOUNDS])
{
	int			count = 0;

	if (n > 0 && values[0] > -INFINITY)
		bounds[count++] = nextafter(values[0], -INFINITY);
	for (int64 i = 0; i < n; i++)
	{
		if (i + 1 < n && values[i] == values[i + 1])
			continue;
		if (count == MAX_BOUNDS)
			return -1;
		bounds[count++] = values[i];
	}
	return count;
}

/* Bounds of bins, ascending and different; returns how many. */
static int
find_bounds(const double *values, int64 n, double bounds[MAX_BOUNDS])
{
	int			count = bounds_of_few(values, n, bounds);

	if (count >= 0)
		return count;
	count = 0;
	for (int tenth = 1; tenth < TENTHS; tenth++)
	{
		double		bound = values[n * tenth / TENTHS];

		if ((count == 0 || bound > bounds[count - 1]) && bound < values[n - 1])
			bounds[count++] = bound;
	}
	return count;
}

static void
count_bins(const SpBaselineMaker *maker, int variable, const double *bounds, int n, Datum *counts)
{
	int64		bins[MAX_BOUNDS + 2] = {0};

	for (int64 row = 0; row < maker->kept; row++)
		bins[sp_drift_bin(bounds, n, maker->values[row * maker->n_variables + variable])]++;
	for (int i = 0; i < n + 2; i++)
		counts[i] = Int64GetDatum(bins[i]);
}

static Datum
name_of(const SpBaselineMaker *maker, int variable)
{
	return CStringGetTextDatum(variable == 0 ? PREDICTION_NAME :
							   sp_feature_name(&maker->site->binder, (uint32) variable - 1));
}

void
sp_baseline_finish(SpBaselineMaker *maker, SpNewBaseline *baseline)
{
	int			n = maker->n_variables;
	double	   *values = palloc_extended(mul_size(Max(maker->kept, 1), sizeof(double)), MCXT_ALLOC_HUGE);
	Datum	   *names = palloc(mul_size(n, sizeof(Datum)));
	Datum	   *n_bounds = palloc(mul_size(n, sizeof(Datum)));
	Datum	   *bounds = palloc(mul_size(n, MAX_BOUNDS * sizeof(Datum)));
	Datum	   *counts = palloc(mul_size(n, (MAX_BOUNDS + 2) * sizeof(Datum)));
	int			total_bounds = 0;
	int			total_bins = 0;

	if (maker->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query gives no rows for a baseline")));
	for (int i = 0; i < n; i++)
	{
		double		found[MAX_BOUNDS];
		int			count;

		CHECK_FOR_INTERRUPTS();
		count = find_bounds(values, sorted_values(maker, i, values), found);
		names[i] = name_of(maker, i);
		n_bounds[i] = Int32GetDatum(count);
		count_bins(maker, i, found, count, counts + total_bins);
		for (int j = 0; j < count; j++)
			bounds[total_bounds++] = Float8GetDatum(found[j]);
		total_bins += count + 2;
	}
	baseline->rows = maker->rows;
	baseline->names = PointerGetDatum(construct_array(names, n, TEXTOID, -1, false, TYPALIGN_INT));
	baseline->n_bounds = PointerGetDatum(construct_array(n_bounds, n, INT4OID, sizeof(int32), true, TYPALIGN_INT));
	baseline->bounds = PointerGetDatum(construct_array(bounds, total_bounds, FLOAT8OID, sizeof(double), FLOAT8PASSBYVAL,
													   TYPALIGN_DOUBLE));
	baseline->counts = PointerGetDatum(construct_array(counts, total_bins, INT8OID, sizeof(int64), FLOAT8PASSBYVAL,
													   TYPALIGN_DOUBLE));
}
