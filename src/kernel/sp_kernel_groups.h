/*
 * src/kernel/sp_kernel_groups.h
 *
 * Reductions and softmax of one group: a template of sp_kernel_typed.h.
 */

static NUMBER
NAME(extreme)(bool largest, const NUMBER *in, size_t n, size_t stride)
{
	NUMBER		best = in[0];

	for (size_t at = 1; at < n; at++)
	{
		NUMBER		x = in[at * stride];

		if (isnan(x) || (largest ? x > best : x < best))
			best = x;
	}
	return best;
}

static NUMBER
NAME(sum_of)(SpReduce kind, const NUMBER *in, size_t n, size_t stride, NUMBER shift)
{
	double		sum = 0;

	for (size_t at = 0; at < n; at++)
	{
		NUMBER		x = in[at * stride];

		if (kind == SP_REDUCE_L1)
			sum += CALL(fabs)(x);
		else if (kind == SP_REDUCE_SQUARES || kind == SP_REDUCE_L2)
			sum += (double) x * x;
		else if (kind == SP_REDUCE_LOG_SUM_EXP)
			sum += CALL(exp)(x - shift);
		else
			sum += x;
	}
	return (NUMBER) sum;
}

static NUMBER
NAME(reduce)(SpReduce kind, const NUMBER *in, size_t n, size_t stride)
{
	NUMBER		result = 1;

	switch (kind)
	{
		case SP_REDUCE_MAX:
		case SP_REDUCE_MIN:
			return NAME(extreme)(kind == SP_REDUCE_MAX, in, n, stride);
		case SP_REDUCE_PROD:
			for (size_t at = 0; at < n; at++)
				result *= in[at * stride];
			return result;
		case SP_REDUCE_MEAN:
			return NAME(sum_of)(kind, in, n, stride, 0) / (NUMBER) n;
		case SP_REDUCE_L2:
			return CALL(sqrt)(NAME(sum_of)(kind, in, n, stride, 0));
		case SP_REDUCE_LOG_SUM:
			return CALL(log)(NAME(sum_of)(kind, in, n, stride, 0));
		case SP_REDUCE_LOG_SUM_EXP:
			result = NAME(extreme)(true, in, n, stride);
			if (!isfinite(result))
				result = 0;
			return CALL(log)(NAME(sum_of)(kind, in, n, stride, result)) + result;
		default:
			return NAME(sum_of)(kind, in, n, stride, 0);
	}
}

static void
NAME(softmax)(SpGroup kind, const NUMBER *in, NUMBER *out, size_t n, size_t stride)
{
	NUMBER		largest = NAME(extreme)(true, in, n, stride);
	double		sum = 0;

	for (size_t at = 0; at < n * stride; at += stride)
	{
		/* ONNX Runtime's ComputeSoftmaxZero (ml_common.h) */
		if (kind == SP_GROUP_SOFTMAX_NONZERO && !(in[at] > (NUMBER) 1e-7f || in[at] < -(NUMBER) 1e-7f))
		{
			out[at] = in[at] * CALL(exp)(-largest);
			continue;
		}
		out[at] = kind == SP_GROUP_LOG_SOFTMAX ? in[at] - largest : CALL(exp)(in[at] - largest);
		sum += kind == SP_GROUP_LOG_SOFTMAX ? CALL(exp)(out[at]) : out[at];
	}
	if (kind == SP_GROUP_LOG_SOFTMAX)
		sum = log(sum);
	for (size_t at = 0; at < n * stride; at += stride)
	{
		if (kind == SP_GROUP_LOG_SOFTMAX)
			out[at] -= (NUMBER) sum;
		else
			out[at] /= (NUMBER) sum;
	}
}

static void
NAME(group)(SpGroup kind, const NUMBER *in, NUMBER *out, const uint32_t *dims)
{
	size_t		n = dims[1];
	size_t		stride = dims[2];
	size_t		best = 0;
	NUMBER		sum = 0;

	if (kind != SP_GROUP_HARDMAX && kind != SP_GROUP_CUMSUM)
	{
		NAME(softmax)(kind, in, out, n, stride);
		return;
	}
	for (size_t at = 1; at < n; at++)
		if (in[at * stride] > in[best * stride])
			best = at;
	for (size_t count = 0; count < n; count++)
	{
		size_t		at = dims[3] & 2 ? n - 1 - count : count;
		NUMBER		before = sum;

		sum += in[at * stride];
		if (kind == SP_GROUP_CUMSUM)
			out[at * stride] = dims[3] & 1 ? before : sum;
		else
			out[at * stride] = at == best;
	}
}
