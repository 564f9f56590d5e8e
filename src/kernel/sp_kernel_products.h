/*
 * src/kernel/sp_kernel_products.h
 *
 * Products of vectors: a template of sp_kernel_typed.h.
 */

static void
NAME(matrix)(const SpRow *row)
{
	const NUMBER *weights = sp_image_at(row->image, row->general->numbers);
	size_t		n_in = row->general->dims[0];
	size_t		n_out = row->general->dims[1];
	const NUMBER *bias = weights + n_in * n_out;
	const NUMBER *in = row->in[0];
	NUMBER	   *out = row->out;

	for (size_t from = 0; from < row->width[0]; from += n_in)
		for (size_t target = 0; target < n_out; target++)
			*out++ = bias[target] + NAME(sp_dot)(in + from, weights + target * n_in, n_in);
}

static NUMBER
NAME(distance)(const SpRow *row, const NUMBER *x, const NUMBER *v, size_t n)
{
	SpKernel	kind = (SpKernel) row->general->kind;
	NUMBER		order = (NUMBER) row->general->params[0];
	NUMBER		sum = 0;

	for (size_t at = 0; at < n; at++)
	{
		NUMBER		apart = CALL(fabs)(x[at] - v[at]);

		if (kind == SP_KERNEL_MANHATTAN)
			sum += apart;
		else if (kind == SP_KERNEL_CHEBYSHEV)
			sum = apart > sum ? apart : sum;
		else if (kind == SP_KERNEL_POWERS)
			sum += CALL(pow)(apart, order);
		else
			sum += apart * apart;
	}
	if (kind == SP_KERNEL_EUCLIDEAN)
		return CALL(sqrt)(sum);
	return kind == SP_KERNEL_RBF ? CALL(exp)(-order * sum) : sum;
}

static void
NAME(kernels)(const SpRow *row)
{
	const NUMBER *vectors = sp_image_at(row->image, row->general->numbers);
	const NUMBER *x = row->in[0];
	NUMBER	   *out = row->out;
	NUMBER		a = (NUMBER) row->general->params[0];
	NUMBER		b = (NUMBER) row->general->params[1];
	size_t		n = row->width[0];

	for (size_t at = 0; at < row->out_width; at++)
	{
		const NUMBER *v = vectors + at * n;

		switch ((SpKernel) row->general->kind)
		{
			case SP_KERNEL_LINEAR:
				out[at] = NAME(sp_dot)(x, v, n);
				break;
			case SP_KERNEL_POLY:
				out[at] = CALL(pow)(a * NAME(sp_dot)(x, v, n) + b, (NUMBER) row->general->params[2]);
				break;
			case SP_KERNEL_SIGMOID:
				out[at] = CALL(tanh)(a * NAME(sp_dot)(x, v, n) + b);
				break;
			default:
				out[at] = NAME(distance)(row, x, v, n);
				break;
		}
	}
}

/* One input may lack the batch: it is repeated. */
static void
NAME(product)(const SpRow *row)
{
	const uint32_t *dims = row->general->dims;
	size_t		m = dims[1];
	size_t		k = dims[2];
	size_t		n = dims[3];
	const NUMBER *a = row->in[0];
	const NUMBER *b = row->in[1];
	NUMBER	   *out = row->out;

	for (size_t batch = 0; batch < dims[0]; batch++)
	{
		for (size_t i = 0; i < m * n; i++)
		{
			NUMBER		sum = 0;

			for (size_t at = 0; at < k; at++)
				sum += a[i / n * k + at] * b[at * n + i % n];
			*out++ = sum;
		}
		a += row->width[0] == m * k ? 0 : m * k;
		b += row->width[1] == k * n ? 0 : k * n;
	}
}

/*
 * Probabilities of n classes from those of their pairs: method 2 of Wu, Lin
 * and Weng, "Probability Estimates for Multi-class Classification by Pairwise
 * Coupling", with the bounds of ONNX Runtime (multiclass_probability in
 * onnxruntime/core/providers/cpu/ml/ml_common.h).
 */
static void
NAME(couple)(const SpRow *row)
{
	const NUMBER *pairs = row->in[0];
	size_t		n = row->general->dims[0];
	NUMBER	   *p = row->out;
	NUMBER	   *q = row->scratch;
	NUMBER	   *qp = q + n * n;
	NUMBER		bound = (NUMBER) 0.005 / (NUMBER) n;
	size_t		rounds = n > 100 ? n : 100;

	for (size_t i = 0; i < n * n; i++)
		q[i] = 0;
	for (size_t i = 0; i < n; i++)
	{
		p[i] = 1 / (NUMBER) n;
		for (size_t j = i + 1; j < n; j++)
		{
			NUMBER		r = *pairs++;

			q[i * n + i] += (1 - r) * (1 - r);
			q[j * n + j] += r * r;
			q[i * n + j] = q[j * n + i] = -(1 - r) * r;
		}
	}
	for (size_t round = 0; round < rounds; round++)
	{
		NUMBER		pqp = 0;
		NUMBER		worst = 0;

		for (size_t i = 0; i < n; i++)
		{
			qp[i] = 0;
			for (size_t j = 0; j < n; j++)
				qp[i] += q[i * n + j] * p[j];
			pqp += p[i] * qp[i];
		}
		for (size_t i = 0; i < n; i++)
			worst = CALL(fabs)(qp[i] - pqp) > worst ? CALL(fabs)(qp[i] - pqp) : worst;
		if (worst < bound)
			break;
		for (size_t i = 0; i < n; i++)
		{
			NUMBER		step = (pqp - qp[i]) / q[i * n + i];

			p[i] += step;
			pqp = (pqp + step * (step * q[i * n + i] + 2 * qp[i])) / (1 + step) / (1 + step);
			for (size_t j = 0; j < n; j++)
			{
				qp[j] = (qp[j] + step * q[i * n + j]) / (1 + step);
				p[j] /= 1 + step;
			}
		}
	}
}
