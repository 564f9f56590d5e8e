/*
 * src/kernel/sp_kernel_bins.h
 *
 * From values to bins, written once for all levels and types.  Included with
 * these macros, which it undefines:
 *
 * BIN_NAME(name)	name of a function of this kind
 * BIN_NUMBER		type of the values
 * BIN_TARGET		target attribute, maybe empty
 * BIN_COUNT(cuts, x)	how many of 16 cuts are below x; none if x is NaN
 *
 * Two counts find a bin: among every sixteenth cut, then among the 16 cuts
 * that are left.  Searching by halves would need eight steps that wait for
 * each other.
 */

/* All rows of one bin.  A missing value counts as -infinity or +infinity. */
static inline __attribute__((always_inline)) BIN_TARGET void
BIN_NAME(column) (const BIN_NUMBER *cuts, const BIN_NUMBER *in, size_t in_width, uint32_t n_rows,
				  int8_t *to, bool zero, bool high)
{
	for (uint32_t row = 0; row < n_rows; row++)
	{
		BIN_NUMBER	x = in[row * in_width];
		uint32_t	block;

		if (zero && sp_is_missing(x, true))
			x = NAN;
		if (high)
			x = x < (BIN_NUMBER) INFINITY ? x : (BIN_NUMBER) INFINITY;
		/* NaN is above no cut, as -infinity is */
		block = SP_SLICE_BLOCK * BIN_COUNT(cuts, x);
		to[row] = (int8_t) (block + BIN_COUNT(cuts + SP_SLICE_BLOCK + block, x) - 128);
	}
}

static BIN_TARGET void
BIN_NAME(columns) (const SpBinning *binning)
{
	for (uint32_t at = 0; at < binning->n_bins; at++)
	{
		const SpPackedBin *bin = &binning->bins[at];
		const BIN_NUMBER *cuts = sp_image_at(binning->image, bin->cuts);
		const BIN_NUMBER *in = (const BIN_NUMBER *) binning->in + bin->feature;
		int8_t	   *to = binning->to + at * binning->stride;

		if (bin->fill == SP_FILL_LOW)
			BIN_NAME(column) (cuts, in, binning->in_width, binning->n_rows, to, false, false);
		else if (bin->fill == SP_FILL_HIGH)
			BIN_NAME(column) (cuts, in, binning->in_width, binning->n_rows, to, false, true);
		else
			BIN_NAME(column) (cuts, in, binning->in_width, binning->n_rows, to, true,
							  bin->fill == SP_FILL_ZERO_HIGH);
	}
}

#undef BIN_NAME
#undef BIN_NUMBER
#undef BIN_TARGET
#undef BIN_COUNT
