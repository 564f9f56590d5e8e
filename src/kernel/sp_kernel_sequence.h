/*
 * src/kernel/sp_kernel_sequence.h
 *
 * One recurrent layer over one sequence: a template of sp_kernel_typed.h,
 * after sp_kernel_panels.h.
 *
 * What the input adds to the gates is worked out for several steps of time at
 * once; what the state adds needs the step before.
 */

/* Where the weights are, and the state. */
typedef struct NAME(Layer)
{
	SpRecurrent kind;
	size_t		columns;
	size_t		hidden;
	size_t		n_gates;
	uint32_t	flags;
	NUMBER		clip;
	const uint32_t *functions;	/* SpApply of f, g, h ... */
	const NUMBER *params;		/* ... and the parameters a and b of each */
	const NUMBER *w;			/* panels of the input, for all gates */
	const NUMBER *r;			/* panels of the state; a GRU's last gate has panels of its own */
	const NUMBER *r_last;
	const NUMBER *peepholes;	/* input, output, forget; or NULL */
	NUMBER	   *h;
	NUMBER	   *c;
	NUMBER	   *own;			/* of the input: SP_POSITIONS times all gates */
	NUMBER	   *past;			/* of the state: all gates */
	NUMBER	   *reset;			/* hidden */
} NAME(Layer);

/* Rows of panels for a position; out has room for whole panels. */
static void
NAME(project)(const NUMBER *panels, size_t n_in, size_t n_out, const NUMBER *x, NUMBER *out)
{
	NAME(Taps)	taps = {1, 0, n_in, 1, 0};

	for (size_t first = 0; first < n_out; first += SP_PANEL, panels += (n_in + 1) * SP_PANEL)
		NAME(panel)(panels, &taps, x, 1, out + first);
}

/* Function which of f, g, h: its input is clipped. */
static NUMBER
NAME(activate)(const NAME(Layer) *layer, int which, NUMBER x)
{
	if (layer->clip > 0)
		x = x < -layer->clip ? -layer->clip : x > layer->clip ? layer->clip : x;
	return NAME(sp_apply)((SpApply) layer->functions[which], x, layer->params[2 * which], layer->params[2 * which + 1]);
}

/* Gates i, o, f, c. */
static void
NAME(lstm)(const NAME(Layer) *layer, const NUMBER *own)
{
	size_t		n = layer->hidden;
	const NUMBER *p = layer->peepholes;
	const NUMBER *g = layer->past;

	NAME(project)(layer->r, n, 4 * n, layer->h, layer->past);
	for (size_t at = 0; at < n; at++)
	{
		NUMBER		c = layer->c[at];
		NUMBER		i = NAME(activate)(layer, 0, own[at] + g[at] + (p ? p[at] * c : 0));
		NUMBER		f = layer->flags & SP_RECURRENT_INPUT_FORGET ? 1 - i :
			NAME(activate)(layer, 0, own[2 * n + at] + g[2 * n + at] + (p ? p[2 * n + at] * c : 0));
		NUMBER		o;

		c = f * c + i * NAME(activate)(layer, 1, own[3 * n + at] + g[3 * n + at]);
		o = NAME(activate)(layer, 0, own[n + at] + g[n + at] + (p ? p[n + at] * c : 0));
		layer->c[at] = c;
		layer->h[at] = o * NAME(activate)(layer, 2, c);
	}
}

/* Gates z, r, h. */
static void
NAME(gru)(const NAME(Layer) *layer, const NUMBER *own)
{
	size_t		n = layer->hidden;
	bool		is_linear = (layer->flags & SP_RECURRENT_LINEAR_BEFORE_RESET) != 0;
	NUMBER	   *g = layer->past;
	NUMBER	   *last = layer->past + sp_panel_rows(2 * n);

	NAME(project)(layer->r, n, 2 * n, layer->h, g);
	for (size_t at = 0; at < 2 * n; at++)
		g[at] = NAME(activate)(layer, 0, own[at] + g[at]);
	for (size_t at = 0; at < n; at++)
		layer->reset[at] = g[n + at] * layer->h[at];
	NAME(project)(layer->r_last, n, n, is_linear ? layer->h : layer->reset, last);
	for (size_t at = 0; at < n; at++)
	{
		NUMBER		made = NAME(activate)(layer, 1, own[2 * n + at] + (is_linear ? g[n + at] * last[at] : last[at]));

		layer->h[at] = (1 - g[at]) * made + g[at] * layer->h[at];
	}
}

static void
NAME(plain)(const NAME(Layer) *layer, const NUMBER *own)
{
	NAME(project)(layer->r, layer->hidden, layer->hidden, layer->h, layer->past);
	for (size_t at = 0; at < layer->hidden; at++)
		layer->h[at] = NAME(activate)(layer, 0, own[at] + layer->past[at]);
}

/* The layer as the image has it; memory for the state is in scratch. */
static NAME(Layer)
NAME(open_layer)(const SpRow *row)
{
	const SpPackedGeneral *general = row->general;
	const NUMBER *numbers = sp_image_at(row->image, general->numbers);
	size_t		n = general->dims[2];
	size_t		room = sp_panel_rows(n);
	NAME(Layer) layer = {
		.kind = (SpRecurrent) general->kind, .columns = general->dims[1], .hidden = n,
		.n_gates = sp_recurrent_gates((SpRecurrent) general->kind), .flags = general->dims[3],
		.clip = (NUMBER) general->params[0], .functions = sp_image_at(row->image, general->indices),
		.w = numbers
	};

	layer.r = layer.w + sp_panels_size(layer.columns, layer.n_gates * n);
	layer.r_last = layer.r + sp_panels_size(n, 2 * n);
	layer.params = layer.kind == SP_RECURRENT_GRU ? layer.r_last + sp_panels_size(n, n) :
		layer.r + sp_panels_size(n, layer.n_gates * n);
	if (layer.flags & SP_RECURRENT_PEEPHOLES)
	{
		layer.peepholes = layer.params;
		layer.params += 3 * n;
	}
	layer.h = row->scratch;
	layer.c = layer.h + room;
	layer.reset = layer.c + room;
	layer.past = layer.reset + room;
	layer.own = layer.past + 4 * room;
	for (size_t at = 0; at < n; at++)
	{
		layer.h[at] = general->n_inputs > 1 ? ((const NUMBER *) row->in[1])[at] : 0;
		layer.c[at] = general->n_inputs > 2 ? ((const NUMBER *) row->in[2])[at] : 0;
	}
	return layer;
}

/* The input's part for count steps of time from first on; own holds whole panels for each. */
static bool
NAME(read_steps)(const SpRow *row, const NAME(Layer) *layer, size_t first, size_t count)
{
	NAME(Taps)	taps = {1, 0, layer->columns, 1, layer->columns};
	size_t		rows = sp_panel_rows(layer->n_gates * layer->hidden);
	const NUMBER *panels = layer->w;
	NUMBER		results[SP_POSITIONS * SP_PANEL];

	for (size_t at = 0; at < rows; at += SP_PANEL, panels += (layer->columns + 1) * SP_PANEL)
	{
		NAME(panel)(panels, &taps, (const NUMBER *) row->in[0] + first * layer->columns, count, results);
		for (size_t p = 0; p < count; p++)
			memcpy(layer->own + p * rows + at, results + p * SP_PANEL, SP_PANEL * sizeof(NUMBER));
	}
	return sp_spend(row->budget, count * rows * (layer->columns + layer->hidden + 8));
}

static bool
NAME(recurrent)(const SpRow *row)
{
	NAME(Layer) layer = NAME(open_layer)(row);
	bool		is_reverse = (layer.flags & SP_RECURRENT_REVERSE) != 0;
	size_t		steps = row->general->dims[0];
	size_t		n = layer.hidden;
	size_t		rows = sp_panel_rows(layer.n_gates * n);
	NUMBER	   *out = row->out;

	for (size_t done = 0; done < steps; done += SP_POSITIONS)
	{
		size_t		count = steps - done < SP_POSITIONS ? steps - done : SP_POSITIONS;
		size_t		first = is_reverse ? steps - done - count : done;

		if (NAME(read_steps)(row, &layer, first, count))
			return true;
		for (size_t step = 0; step < count; step++)
		{
			size_t		at = is_reverse ? count - 1 - step : step;

			if (layer.kind == SP_RECURRENT_LSTM)
				NAME(lstm)(&layer, layer.own + at * rows);
			else if (layer.kind == SP_RECURRENT_GRU)
				NAME(gru)(&layer, layer.own + at * rows);
			else
				NAME(plain)(&layer, layer.own + at * rows);
			memcpy(out + (first + at) * n, layer.h, n * sizeof(NUMBER));
		}
	}
	if (layer.kind == SP_RECURRENT_LSTM)
		memcpy(out + steps * n, layer.c, n * sizeof(NUMBER));
	return false;
}
