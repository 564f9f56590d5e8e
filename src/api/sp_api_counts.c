/*
 * src/api/sp_api_counts.c
 *
 * Arrays of counts: sums and differences of histograms, and how far two with the
 * same bins are from each other.  Elements that are NULL count as 0.
 */
#include "server/sp_compat.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "funcapi.h"
#include "utils/array.h"

PG_FUNCTION_INFO_V1(smartpouch_add_counts);
PG_FUNCTION_INFO_V1(smartpouch_subtract_counts);
PG_FUNCTION_INFO_V1(smartpouch_sum_counts);
PG_FUNCTION_INFO_V1(smartpouch_psi);
PG_FUNCTION_INFO_V1(smartpouch_ks_statistic);
PG_FUNCTION_INFO_V1(smartpouch_chi_square);

/* Elements in order, whatever the dimensions; those of the array itself where it has no NULLs. */
typedef struct Counts
{
	const int64 *values;
	int			n;
} Counts;

static Counts
counts_of(ArrayType *array)
{
	Counts		counts = {(const int64 *) ARR_DATA_PTR(array), ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array))};
	const bits8 *bitmap = ARR_NULLBITMAP(array);
	const int64 *next = counts.values;
	int64	   *copy;

	if (bitmap == NULL)
		return counts;
	copy = palloc0(mul_size(Max(counts.n, 1), sizeof(int64)));
	for (int i = 0; i < counts.n; i++)
		if (bitmap[i / 8] & (1 << (i % 8)))
			copy[i] = *next++;
	counts.values = copy;
	return counts;
}

static ArrayType *
new_array(int n)
{
	Size		size = add_size(ARR_OVERHEAD_NONULLS(1), mul_size(n, sizeof(int64)));
	ArrayType  *array;

	if (n == 0)
		return construct_empty_array(INT8OID);
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = INT8OID;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	return array;
}

static int64
value_at(Counts counts, int i)
{
	return i < counts.n ? counts.values[i] : 0;
}

static int64
plus(int64 a, int64 b, bool minus)
{
	int64		result;

	if (minus ? pg_sub_s64_overflow(a, b, &result) : pg_add_s64_overflow(a, b, &result))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("bigint out of range")));
	return result;
}

static ArrayType *
combine(Counts a, Counts b, int n, bool minus)
{
	ArrayType  *result = new_array(n);

	for (int i = 0; i < n; i++)
		((int64 *) ARR_DATA_PTR(result))[i] = plus(value_at(a, i), value_at(b, i), minus);
	return result;
}

/* A missing array counts as zeros.  An aggregate's sum is its own: it is added to in place. */
Datum
smartpouch_add_counts(PG_FUNCTION_ARGS)
{
	ArrayType  *sum;
	Counts		a;
	Counts		b;

	if (PG_ARGISNULL(1))
	{
		if (PG_ARGISNULL(0))
			PG_RETURN_NULL();
		PG_RETURN_DATUM(PG_GETARG_DATUM(0));
	}
	if (PG_ARGISNULL(0))
		PG_RETURN_DATUM(PG_GETARG_DATUM(1));
	sum = PG_GETARG_ARRAYTYPE_P(0);
	a = counts_of(sum);
	b = counts_of(PG_GETARG_ARRAYTYPE_P(1));
	if (!AggCheckCallContext(fcinfo, NULL) || ARR_HASNULL(sum) || a.n < b.n)
		PG_RETURN_ARRAYTYPE_P(combine(a, b, Max(a.n, b.n), false));
	for (int i = 0; i < b.n; i++)
		((int64 *) ARR_DATA_PTR(sum))[i] = plus(a.values[i], b.values[i], false);
	PG_RETURN_ARRAYTYPE_P(sum);
}

/* As many as the first has. */
Datum
smartpouch_subtract_counts(PG_FUNCTION_ARGS)
{
	Counts		a;
	Counts		b = {NULL, 0};

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	a = counts_of(PG_GETARG_ARRAYTYPE_P(0));
	if (!PG_ARGISNULL(1))
		b = counts_of(PG_GETARG_ARRAYTYPE_P(1));
	PG_RETURN_ARRAYTYPE_P(combine(a, b, a.n, true));
}

Datum
smartpouch_sum_counts(PG_FUNCTION_ARGS)
{
	Counts		counts = counts_of(PG_GETARG_ARRAYTYPE_P(0));
	int64		sum = 0;

	for (int i = 0; i < counts.n; i++)
		sum = plus(sum, counts.values[i], false);
	PG_RETURN_INT64(sum);
}

/* Two histograms with the same bins, and their sums. */
typedef struct Pair
{
	Counts		expected;
	Counts		actual;
	double		expected_sum;
	double		actual_sum;
} Pair;

static double
sum_of(Counts counts)
{
	double		sum = 0;

	for (int i = 0; i < counts.n; i++)
	{
		if (counts.values[i] < 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("a count is negative")));
		sum += (double) counts.values[i];
	}
	return sum;
}

/* False where one has no cases. */
static bool
read_pair(FunctionCallInfo fcinfo, Pair *pair)
{
	pair->expected = counts_of(PG_GETARG_ARRAYTYPE_P(0));
	pair->actual = counts_of(PG_GETARG_ARRAYTYPE_P(1));
	if (pair->expected.n != pair->actual.n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the histograms have %d and %d bins", pair->expected.n, pair->actual.n)));
	pair->expected_sum = sum_of(pair->expected);
	pair->actual_sum = sum_of(pair->actual);
	return pair->expected_sum > 0 && pair->actual_sum > 0;
}

/* An empty bin counts as half a case, or its logarithm would be infinite; one that is empty in both does not count. */
Datum
smartpouch_psi(PG_FUNCTION_ARGS)
{
	Pair		pair;
	double		sum = 0;

	if (!read_pair(fcinfo, &pair))
		PG_RETURN_NULL();
	for (int i = 0; i < pair.expected.n; i++)
	{
		double		e = Max((double) pair.expected.values[i], 0.5) / pair.expected_sum;
		double		a = Max((double) pair.actual.values[i], 0.5) / pair.actual_sum;

		if (pair.expected.values[i] > 0 || pair.actual.values[i] > 0)
			sum += (a - e) * log(a / e);
	}
	PG_RETURN_FLOAT8(sum);
}

Datum
smartpouch_ks_statistic(PG_FUNCTION_ARGS)
{
	Pair		pair;
	double		greatest = 0;
	double		e = 0;
	double		a = 0;

	if (!read_pair(fcinfo, &pair))
		PG_RETURN_NULL();
	for (int i = 0; i < pair.expected.n; i++)
	{
		e += (double) pair.expected.values[i];
		a += (double) pair.actual.values[i];
		greatest = Max(greatest, fabs(e / pair.expected_sum - a / pair.actual_sum));
	}
	PG_RETURN_FLOAT8(greatest);
}

/* Of two samples of one distribution: both have their own error. */
Datum
smartpouch_chi_square(PG_FUNCTION_ARGS)
{
	Pair		pair;
	Datum		values[2] = {0};
	bool		nulls[2] = {true, true};
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	if (read_pair(fcinfo, &pair))
	{
		double		sum = 0;
		int			degrees = -1;

		for (int i = 0; i < pair.expected.n; i++)
		{
			double		e = (double) pair.expected.values[i];
			double		a = (double) pair.actual.values[i];
			double		difference;

			if (e + a == 0)
				continue;
			difference = a * pair.expected_sum - e * pair.actual_sum;
			sum += difference / pair.expected_sum * (difference / pair.actual_sum) / (a + e);
			degrees++;
		}
		values[0] = Float8GetDatum(sum);
		values[1] = Int32GetDatum(degrees);
		nulls[0] = nulls[1] = false;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
