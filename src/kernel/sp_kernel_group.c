/*
 * src/kernel/sp_kernel_group.c
 *
 * General steps over groups of elements: reductions, softmax and the like,
 * the best k.
 */
#include "kernel/sp_kernel_general.h"

#define TEMPLATE "kernel/sp_kernel_groups.h"
#include "kernel/sp_kernel_typed.h"

static int64_t
reduce_integer(SpReduce kind, const int64_t *in, size_t n, size_t stride)
{
	uint64_t	sum = kind == SP_REDUCE_PROD;
	int64_t		best = in[0];

	for (size_t at = 0; at < n; at++)
	{
		int64_t		x = in[at * stride];

		if (kind == SP_REDUCE_MAX ? x > best : x < best)
			best = x;
		if (kind == SP_REDUCE_PROD)
			sum *= (uint64_t) x;
		else if (kind == SP_REDUCE_SQUARES)
			sum += (uint64_t) x * (uint64_t) x;
		else
			sum += kind == SP_REDUCE_L1 && x < 0 ? 0 - (uint64_t) x : (uint64_t) x;
	}
	return kind == SP_REDUCE_MAX || kind == SP_REDUCE_MIN ? best : (int64_t) sum;
}

/* -1, 0 or 1: how element a stands to element b of the input */
static int
order(const SpRow *row, size_t a, size_t b)
{
	if (row->type == SP_TYPE_F32)
	{
		const float *in = row->in[0];

		return (in[a] > in[b]) - (in[a] < in[b]);
	}
	if (row->type == SP_TYPE_F64)
	{
		const double *in = row->in[0];

		return (in[a] > in[b]) - (in[a] < in[b]);
	}
	return (((const int64_t *) row->in[0])[a] > ((const int64_t *) row->in[0])[b]) -
		(((const int64_t *) row->in[0])[a] < ((const int64_t *) row->in[0])[b]);
}

static int64_t
best_index(const SpRow *row, SpReduce kind, size_t first, size_t n, size_t stride)
{
	bool		largest = kind == SP_REDUCE_ARGMAX || kind == SP_REDUCE_ARGMAX_LAST;
	bool		last = kind == SP_REDUCE_ARGMAX_LAST || kind == SP_REDUCE_ARGMIN_LAST;
	size_t		best = 0;

	for (size_t at = 1; at < n; at++)
	{
		int			better = order(row, first + at * stride, first + best * stride);

		better = largest ? better : -better;
		if (better > 0 || (better == 0 && last))
			best = at;
	}
	return (int64_t) best;
}

void
sp_row_reduce(const SpRow *row)
{
	const uint32_t *dims = row->general->dims;
	SpReduce	kind = (SpReduce) row->general->kind;
	size_t		to = 0;

	for (size_t o = 0; o < dims[0]; o++)
		for (size_t i = 0; i < dims[2]; i++, to++)
		{
			size_t		first = o * dims[1] * dims[2] + i;

			if (kind >= SP_REDUCE_ARGMAX)
				((int64_t *) row->out)[to] = best_index(row, kind, first, dims[1], dims[2]);
			else if (row->type == SP_TYPE_F32)
				((float *) row->out)[to] = reduce_float(kind, (const float *) row->in[0] + first, dims[1], dims[2]);
			else if (row->type == SP_TYPE_F64)
				((double *) row->out)[to] = reduce_double(kind, (const double *) row->in[0] + first, dims[1], dims[2]);
			else
				((int64_t *) row->out)[to] = reduce_integer(kind, (const int64_t *) row->in[0] + first, dims[1], dims[2]);
		}
}

static void
sum_integers(const int64_t *in, int64_t *out, size_t n, size_t stride, uint32_t flags)
{
	uint64_t	sum = 0;

	for (size_t count = 0; count < n; count++)
	{
		size_t		at = (flags & 2 ? n - 1 - count : count) * stride;
		uint64_t	before = sum;

		sum += (uint64_t) in[at];
		out[at] = (int64_t) (flags & 1 ? before : sum);
	}
}

void
sp_row_group(const SpRow *row)
{
	const uint32_t *dims = row->general->dims;
	SpGroup		kind = (SpGroup) row->general->kind;

	for (size_t o = 0; o < dims[0]; o++)
		for (size_t i = 0; i < dims[2]; i++)
		{
			size_t		first = o * dims[1] * dims[2] + i;

			if (row->type == SP_TYPE_F32)
				group_float(kind, (const float *) row->in[0] + first, (float *) row->out + first, dims);
			else if (row->type == SP_TYPE_F64)
				group_double(kind, (const double *) row->in[0] + first, (double *) row->out + first, dims);
			else
				sum_integers((const int64_t *) row->in[0] + first, (int64_t *) row->out + first, dims[1], dims[2], dims[3]);
		}
}

/*
 * The best k by insertion: k is small.  Of equal elements the one with the
 * lower index comes first.
 */
static void
best_k(const SpRow *row, size_t first, int64_t *out, size_t stride)
{
	const uint32_t *dims = row->general->dims;
	size_t		count = 0;

	for (size_t at = 0; at < dims[1]; at++)
	{
		size_t		place = count;

		for (; place > 0; place--)
		{
			int			better = order(row, first + at * dims[2], first + (size_t) out[(place - 1) * stride] * dims[2]);

			if ((row->general->kind == 1 ? better : -better) <= 0)
				break;
			if (place < dims[3])
				out[place * stride] = out[(place - 1) * stride];
		}
		if (place < dims[3])
			out[place * stride] = (int64_t) at;
		if (count < dims[3])
			count++;
	}
}

void
sp_row_topk(const SpRow *row)
{
	const uint32_t *dims = row->general->dims;

	for (size_t o = 0; o < dims[0]; o++)
		for (size_t i = 0; i < dims[2]; i++)
			best_k(row, o * dims[1] * dims[2] + i, (int64_t *) row->out + o * dims[3] * dims[2] + i, dims[2]);
}
