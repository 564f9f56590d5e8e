/*
 * src/kernel/sp_kernel_tile_sums.h
 *
 * The sums of sp_kernel_tiles.h for one type and one level: a template of
 * sp_kernel_tile_level.h, which says what the includer defines.
 */

static inline INLINE NAME(Vector)
NAME(term)(SpTileSum kind, NAME(Vector) sum, NUMBER x, NAME(Vector) w)
{
	NAME(Vector) apart;

	if (kind == SP_TILE_PRODUCT)
		return sum + x * w;
	apart = x - w;
	if (kind == SP_TILE_SQUARE)
		return sum + apart * apart;
	return sum + (NAME(Vector)) ((NAME(Bits)) apart & ((BITS) -1 >> 1));
}

/* A line of results, of which n exist, to out. */
static inline INLINE void
NAME(put)(NUMBER *out, const NAME(Vector) *line, size_t n)
{
	if (n >= LINE_LANES)
		for (size_t part = 0; part < PARTS; part++)
			((NAME(Loose) *) out)[part] = line[part];
	else
		memcpy(out, line, n * sizeof(NUMBER));
}

/*
 * N_ROWS rows by N_PANELS panels.  Row by row, so that the lines and one number of
 * the row are all that needs a register beside the sums.  Terms are added up in registers, so many at a
 * time that the roundings of a long sum do not grow with its length.
 */
#define PARTIAL_TERMS 32

#define DEFINE_TILE(name, N_ROWS, N_PANELS) \
static inline INLINE void \
NAME(name)(SpTileSum kind, const SpTileRun *run, size_t row, size_t panel) \
{ \
	const size_t n_in = run->n_in; \
	const NUMBER *in = (const NUMBER *) run->in + row * n_in; \
	const NAME(Vector) *lines = (const NAME(Vector) *) run->panels + panel * n_in * PARTS; \
	NAME(Vector) totals[N_ROWS][(N_PANELS) * PARTS] = {{{0}}}; \
	if (run->start != NULL) \
		for (size_t v = 0; v < (N_PANELS) * PARTS; v++) \
			for (size_t r = 0; r < (N_ROWS); r++) \
				totals[r][v] = ((const NAME(Vector) *) run->start)[panel * PARTS + v]; \
	for (size_t first = 0; first < n_in; first += PARTIAL_TERMS) \
	{ \
		NAME(Vector) sums[N_ROWS][(N_PANELS) * PARTS] = {{{0}}}; \
		size_t		end = n_in - first < PARTIAL_TERMS ? n_in : first + PARTIAL_TERMS; \
		for (size_t k = first; k < end; k++) \
			SP_UNROLL(32) \
			for (size_t r = 0; r < (N_ROWS); r++) \
				SP_UNROLL(32) \
				for (size_t v = 0; v < (N_PANELS) * PARTS; v++) \
					sums[r][v] = NAME(term)(kind, sums[r][v], in[r * n_in + k], lines[(v / PARTS * n_in + k) * PARTS + v % PARTS]); \
		SP_UNROLL(32) \
		for (size_t v = 0; v < (N_PANELS) * PARTS; v++) \
			SP_UNROLL(32) \
			for (size_t r = 0; r < (N_ROWS); r++) \
				totals[r][v] += sums[r][v]; \
	} \
	for (size_t r = 0; r < (N_ROWS); r++) \
		for (size_t p = 0; p < (N_PANELS); p++) \
		{ \
			size_t		at = (panel + p) * LINE_LANES; \
			NAME(put)((NUMBER *) run->out + (row + r) * run->n_out + at, totals[r] + p * PARTS, run->n_out - at); \
		} \
}

DEFINE_TILE(block, TILE_ROWS, TILE_PANELS)
DEFINE_TILE(tall, TILE_ROWS, 1)
DEFINE_TILE(wide, 1, WIDE_PANELS)
DEFINE_TILE(single, 1, 1)

#undef DEFINE_TILE
#undef PARTIAL_TERMS

/* Panels are the outer loop: those beyond the cache are then fetched once for all rows. */
static inline INLINE void
NAME(sums)(SpTileSum kind, const SpTileRun *run)
{
	size_t		n_panels = sp_tiles_panels(run->n_out, sizeof(NUMBER));
	size_t		in_tiles = run->rows - run->rows % TILE_ROWS;
	size_t		panel = 0;

	for (; in_tiles > 0 && panel + TILE_PANELS <= n_panels; panel += TILE_PANELS)
		for (size_t row = 0; row < in_tiles; row += TILE_ROWS)
			NAME(block)(kind, run, row, panel);
	for (; in_tiles > 0 && panel < n_panels; panel++)
		for (size_t row = 0; row < in_tiles; row += TILE_ROWS)
			NAME(tall)(kind, run, row, panel);
	for (size_t row = in_tiles; row < run->rows; row++)
	{
		for (panel = 0; panel + WIDE_PANELS <= n_panels; panel += WIDE_PANELS)
			NAME(wide)(kind, run, row, panel);
		for (; panel < n_panels; panel++)
			NAME(single)(kind, run, row, panel);
	}
}

static TARGET void
NAME(sum)(const SpTileRun *run)
{
	if (run->sum == SP_TILE_PRODUCT)
		NAME(sums)(SP_TILE_PRODUCT, run);
	else if (run->sum == SP_TILE_SQUARE)
		NAME(sums)(SP_TILE_SQUARE, run);
	else
		NAME(sums)(SP_TILE_DISTANCE, run);
}
