/*
 * src/kernel/sp_kernel_panels.h
 *
 * Products with weights in panels (ir/sp_pack.h), and convolutions by them: a
 * template of sp_kernel_typed.h.
 *
 * A panel gives SP_PANEL results at each position of its input.  They are kept
 * in registers for SP_POSITIONS positions at a time, so that a weight is read
 * once for all of these, and a number of the input once for all results.
 */

typedef NUMBER NAME(Vector) __attribute__((vector_size(16)));

/* Where a panel's inputs are, counted from the first one at the first position. */
typedef struct NAME(Taps)
{
	size_t		n_outer;		/* groups of taps ... */
	size_t		outer;			/* ... and how far they are apart */
	size_t		n_inner;		/* taps of a group ... */
	size_t		inner;			/* ... and how far they are apart */
	size_t		position;		/* how far positions are apart */
} NAME(Taps);

/* Always inline: positions is a constant for each caller. */
static inline __attribute__((always_inline)) void
NAME(panel_of)(const int positions, const NUMBER *weights, const NAME(Taps) *taps, const NUMBER *x, size_t count,
			   NUMBER *results)
{
	enum { WIDTH = sizeof(NAME(Vector)) / sizeof(NUMBER), N_VECTORS = SP_PANEL / WIDTH };
	NAME(Vector) sums[SP_POSITIONS][N_VECTORS];
	NAME(Vector) w[N_VECTORS];
	size_t		at[SP_POSITIONS];

	/* positions that are not wanted are the last one again */
	memcpy(w, weights, sizeof(w));
	_Pragma("GCC unroll 4")
	for (int p = 0; p < positions; p++)
	{
		at[p] = ((size_t) p < count ? (size_t) p : count - 1) * taps->position;
		memcpy(sums[p], w, sizeof(w));
	}
	for (size_t o = 0; o < taps->n_outer; o++)
	{
		const NUMBER *from = x + o * taps->outer;

		for (size_t i = 0; i < taps->n_inner; i++, from += taps->inner)
		{
			weights += SP_PANEL;
			memcpy(w, weights, sizeof(w));
			_Pragma("GCC unroll 4")
			for (int p = 0; p < positions; p++)
				_Pragma("GCC unroll 4")
				for (int v = 0; v < N_VECTORS; v++)
					sums[p][v] += w[v] * from[at[p]];
		}
	}
	_Pragma("GCC unroll 4")
	for (int p = 0; p < positions; p++)
		memcpy(results + p * SP_PANEL, sums[p], sizeof(sums[p]));
}

/* count positions, at most SP_POSITIONS: SP_PANEL results for each. */
static void
NAME(panel)(const NUMBER *weights, const NAME(Taps) *taps, const NUMBER *x, size_t count, NUMBER *results)
{
	if (count == 1)
		NAME(panel_of)(1, weights, taps, x, count, results);
	else
		NAME(panel_of)(SP_POSITIONS, weights, taps, x, count, results);
}

/* One group of channels; true if the run has to stop. */
static bool
NAME(conv_group)(const SpRow *row, const NUMBER *weights, const NUMBER *x, size_t n_out, size_t length, NUMBER *out)
{
	const uint32_t *dims = row->general->dims;
	NAME(Taps)	taps = {dims[0] / dims[5], dims[1], dims[2], dims[4], dims[3]};
	size_t		n_taps = taps.n_outer * taps.n_inner;
	NUMBER		results[SP_POSITIONS * SP_PANEL];

	for (size_t first = 0; first < n_out; first += SP_PANEL, weights += (n_taps + 1) * SP_PANEL)
	{
		size_t		n = n_out - first < SP_PANEL ? n_out - first : SP_PANEL;

		for (size_t at = 0; at < length; at += SP_POSITIONS)
		{
			size_t		count = length - at < SP_POSITIONS ? length - at : SP_POSITIONS;

			NAME(panel)(weights, &taps, x + at * taps.position, count, results);
			for (size_t j = 0; j < n; j++)
				for (size_t p = 0; p < count; p++)
					out[(first + j) * length + at + p] = results[p * SP_PANEL + j];
			if (sp_spend(row->budget, count * n_taps * SP_PANEL))
				return true;
		}
	}
	return false;
}

static bool
NAME(conv)(const SpRow *row)
{
	const uint32_t *dims = row->general->dims;
	size_t		groups = dims[5];
	size_t		length = (dims[1] - (size_t) (dims[2] - 1) * dims[4] - 1) / dims[3] + 1;
	size_t		n_in = dims[0] / groups;
	size_t		n_out = row->out_width / length / groups;
	const NUMBER *weights = sp_image_at(row->image, row->general->numbers);

	for (size_t group = 0; group < groups; group++)
	{
		if (NAME(conv_group)(row, weights, (const NUMBER *) row->in[0] + group * n_in * dims[1], n_out, length,
							 (NUMBER *) row->out + group * n_out * length))
			return true;
		weights += sp_panels_size(n_in * dims[2], n_out);
	}
	return false;
}
