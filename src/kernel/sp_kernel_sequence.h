/*
 * src/kernel/sp_kernel_sequence.h
 *
 * One recurrent layer over one sequence, once for float and once for double:
 * the includer defines NUMBER, NAME(name) and CALL(name).
 */

/* Where the weights are, and the state. */
typedef struct NAME(Layer)
{
	size_t		columns;
	size_t		hidden;
	uint32_t	flags;
	uint32_t	function;
	const NUMBER *w;			/* gates * hidden rows of columns */
	const NUMBER *r;			/* gates * hidden rows of hidden */
	const NUMBER *bias;			/* of w, then of r: gates * hidden each */
	const NUMBER *peepholes;	/* input, output, forget; or NULL */
	NUMBER	   *h;
	NUMBER	   *c;
	NUMBER	   *gates;			/* up to 4 * hidden */
	NUMBER	   *more;			/* hidden */
} NAME(Layer);

/* Gates i, o, f, c. */
static void
NAME(lstm)(const NAME(Layer) *layer, const NUMBER *x)
{
	size_t		n = layer->hidden;
	const NUMBER *p = layer->peepholes;
	NUMBER	   *g = layer->gates;

	for (size_t at = 0; at < 4 * n; at++)
		g[at] = NAME(sp_dot)(layer->w + at * layer->columns, x, layer->columns) +
			NAME(sp_dot)(layer->r + at * n, layer->h, n) + layer->bias[at] + layer->bias[4 * n + at];
	for (size_t at = 0; at < n; at++)
	{
		NUMBER		c = layer->c[at];
		NUMBER		i = NAME(sp_sigmoid)(g[at] + (p ? p[at] * c : 0));
		NUMBER		f = NAME(sp_sigmoid)(g[2 * n + at] + (p ? p[2 * n + at] * c : 0));
		NUMBER		o;

		c = f * c + i * CALL(tanh)(g[3 * n + at]);
		o = NAME(sp_sigmoid)(g[n + at] + (p ? p[n + at] * c : 0));
		layer->c[at] = c;
		layer->h[at] = o * CALL(tanh)(c);
	}
}

/* Gates z, r, h. */
static void
NAME(gru)(const NAME(Layer) *layer, const NUMBER *x)
{
	size_t		n = layer->hidden;
	const NUMBER *last = layer->r + 2 * n * n;
	const NUMBER *last_bias = layer->bias + 5 * n;
	bool		linear = (layer->flags & SP_RECURRENT_LINEAR_BEFORE_RESET) != 0;
	NUMBER	   *g = layer->gates;

	for (size_t at = 0; at < 2 * n; at++)
		g[at] = NAME(sp_sigmoid)(NAME(sp_dot)(layer->w + at * layer->columns, x, layer->columns) +
								 NAME(sp_dot)(layer->r + at * n, layer->h, n) +
								 layer->bias[at] + layer->bias[3 * n + at]);
	for (size_t at = 0; at < n; at++)
		layer->more[at] = g[n + at] * layer->h[at];
	for (size_t at = 0; at < n; at++)
	{
		NUMBER		own = NAME(sp_dot)(layer->w + (2 * n + at) * layer->columns, x, layer->columns) + layer->bias[2 * n + at];
		NUMBER		past = NAME(sp_dot)(last + at * n, linear ? layer->h : layer->more, n) + last_bias[at];

		g[2 * n + at] = CALL(tanh)(own + (linear ? g[n + at] * past : past));
	}
	for (size_t at = 0; at < n; at++)
		layer->h[at] = (1 - g[at]) * g[2 * n + at] + g[at] * layer->h[at];
}

static void
NAME(plain)(const NAME(Layer) *layer, const NUMBER *x)
{
	size_t		n = layer->hidden;

	for (size_t at = 0; at < n; at++)
	{
		NUMBER		sum = NAME(sp_dot)(layer->w + at * layer->columns, x, layer->columns) +
			NAME(sp_dot)(layer->r + at * n, layer->h, n) + layer->bias[at] + layer->bias[n + at];

		layer->gates[at] = layer->function == SP_APPLY_TANH ? CALL(tanh)(sum) :
			layer->function == SP_APPLY_RELU ? (sum > 0 ? sum : 0) : NAME(sp_sigmoid)(sum);
	}
	memcpy(layer->h, layer->gates, n * sizeof(NUMBER));
}

static void
NAME(recurrent)(const SpRow *row)
{
	const SpPackedGeneral *general = row->general;
	SpRecurrent kind = (SpRecurrent) general->kind;
	size_t		steps = general->dims[0];
	size_t		n = general->dims[2];
	size_t		rows = n * (kind == SP_RECURRENT_LSTM ? 4 : kind == SP_RECURRENT_GRU ? 3 : 1);
	NAME(Layer) layer = {
		.columns = general->dims[1], .hidden = n, .flags = general->dims[3], .function = general->dims[4],
		.w = sp_image_at(row->image, general->numbers), .h = row->scratch
	};

	layer.r = layer.w + rows * layer.columns;
	layer.bias = layer.r + rows * n;
	layer.peepholes = layer.flags & SP_RECURRENT_PEEPHOLES ? layer.bias + 2 * rows : NULL;
	layer.c = layer.h + n;
	layer.gates = layer.c + n;
	layer.more = layer.gates + 4 * n;
	for (size_t at = 0; at < n; at++)
	{
		layer.h[at] = general->n_inputs > 1 ? ((const NUMBER *) row->in[1])[at] : 0;
		layer.c[at] = general->n_inputs > 2 ? ((const NUMBER *) row->in[2])[at] : 0;
	}
	for (size_t step = 0; step < steps; step++)
	{
		size_t		time = layer.flags & SP_RECURRENT_REVERSE ? steps - 1 - step : step;
		const NUMBER *x = (const NUMBER *) row->in[0] + time * layer.columns;

		if (kind == SP_RECURRENT_LSTM)
			NAME(lstm)(&layer, x);
		else if (kind == SP_RECURRENT_GRU)
			NAME(gru)(&layer, x);
		else
			NAME(plain)(&layer, x);
		memcpy((NUMBER *) row->out + time * n, layer.h, n * sizeof(NUMBER));
	}
	if (kind == SP_RECURRENT_LSTM)
		memcpy((NUMBER *) row->out + steps * n, layer.c, n * sizeof(NUMBER));
}
