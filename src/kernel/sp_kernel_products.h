/*
 * src/kernel/sp_kernel_products.h
 *
 * Products of vectors: a template of sp_kernel_typed.h.
 */

/* Kernels whose vectors are not in panels (ir/sp_tiles.h). */
static void
NAME(kernels)(const SpRow *row)
{
	const NUMBER *v = sp_image_at(row->image, row->general->numbers);
	const NUMBER *x = row->in[0];
	NUMBER	   *out = row->out;
	NUMBER		order = (NUMBER) row->general->params[0];
	SpKernel	kind = (SpKernel) row->general->kind;
	size_t		n = row->width[0];

	for (size_t at = 0; at < row->out_width; at++, v += n)
	{
		out[at] = 0;
		if (kind == SP_KERNEL_CHEBYSHEV)
			for (size_t i = 0; i < n; i++)
				out[at] = CALL(fabs)(x[i] - v[i]) > out[at] ? CALL(fabs)(x[i] - v[i]) : out[at];
		else
			for (size_t i = 0; i < n; i++)
				out[at] += CALL(pow)(CALL(fabs)(x[i] - v[i]), order);
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
