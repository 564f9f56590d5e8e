/*
 * test/unit/test_kernels.c
 *
 * Every way through a tree ensemble, on every level of instructions that this
 * processor has and in blocks of all sizes, against the portable walk of one
 * row after the other: equal bits for random trees and for inputs that are
 * chosen to break them.  test_eval.c holds that walk against an interpreter.
 *
 * usage: test_kernels [ROWS]
 *
 * Runs random models until so many rows have been compared on every level.
 */
#include "base/sp_simd.h"
#include "ir/sp_slices.h"
#include "sp_test_eval.h"

#define DEFAULT_ROWS 100000
#define MODEL_ROWS 300
#define MAX_WIDTH 200

/* What the random models were like. */
typedef struct Census
{
	uint32_t	n_models;
	uint32_t	n_values;		/* in slices, with leaves that are values */
	uint32_t	n_slots;		/* in slices, with others */
	uint32_t	n_walked;		/* not in slices */
	uint32_t	n_column8;		/* these by nodes of float32 inputs */
	uint32_t	n_column12;
	uint32_t	n_doubles;		/* in slices, float64 inputs */
	uint32_t	n_shared;		/* some column has several bins */
	uint32_t	n_bins_64;		/* 65 .. 128 bins */
	uint32_t	n_bins_128;		/* more */
	uint32_t	n_flags;		/* flags or sets among the bins */
	uint32_t	depths;			/* bit d: a deepest tree of depth d */
} Census;

static SpTestEnsemble
sliced_spec(SpTestRandom *random)
{
	static const uint32_t widths[] = {1, 2, 5, 28, 70, MAX_WIDTH};
	SpTestEnsemble spec = random_spec(random);

	spec.in_width = widths[random_below(random, 6)];
	if (random_below(random, 8) == 0)
		return spec;
	spec.max_depth = 1 + random_below(random, SP_SLICE_DEPTH);
	if (spec.shape == SHAPE_SINGLE_LEAF || spec.shape == SHAPE_CHAIN)
		spec.shape = SHAPE_ANY;
	if (random_below(random, 2))
		spec.n_trees = 1 + spec.in_width / 2 + random_below(random, 150);
	if (random_below(random, 2) && !spec.linear)
		spec.leaves = LEAVES_ONE_TARGET;
	return spec;
}

/* A number at which a decision of the model changes, or right beside it. */
static double
critical_number(SpTestRandom *random, const SpModel *model, uint32_t feature)
{
	const SpTrees *trees = &model->steps[0].u.trees;
	uint32_t	n_nodes = trees->first_node[trees->n_trees];
	bool		is_float = model->features[0].type == SP_TYPE_F32;

	for (int attempt = 0; attempt < 20; attempt++)
	{
		const SpNode *node = &trees->nodes[random_below(random, n_nodes)];
		double		to = random_below(random, 2) ? INFINITY : -INFINITY;
		double		number;

		if (node->feature != (int32_t) feature)
			continue;
		number = node->threshold;
		if (node->flags & SP_NODE_CATEGORY)
		{
			uint32_t	first = trees->first_category[(uint32_t) node->threshold];

			number = (double) trees->categories[first] - 1 + random_below(random, 5) / 2.0;
		}
		if (is_float)
			number = (float) number;
		switch (random_below(random, 3))
		{
			case 0:
				return number;
			case 1:
				return is_float ? nextafterf((float) number, (float) to) : nextafter(number, to);
			default:
				return -number;
		}
	}
	return random_number(random, false, !is_float);
}

static void
fill_rows(SpTestRandom *random, const SpModel *model, bool never_nan, double *rows)
{
	SpType		type = model->features[0].type;
	uint32_t	width = model->n_features;

	for (size_t at = 0; at < (size_t) MODEL_ROWS * width; at++)
	{
		double		number = random_below(random, 2) ? critical_number(random, model, (uint32_t) (at % width)) :
			random_number(random, never_nan, type == SP_TYPE_F64);

		if (isnan(number) && never_nan)
			number = 0;
		rows[at] = round_to(type, number);
	}
}

/* Sums of all rows, in blocks. */
static bool
run_all(const SpModel *model, const SpImage *image, SpSimd simd, uint32_t block, bool may_have_missing,
		const double *rows, char *sums, size_t *row_bytes)
{
	SpType		type = model->features[0].type;
	uint32_t	width = model->n_features;
	Runner		runner;
	SpEval	   *eval = open_runner(&runner, image, block, NULL, NULL);
	bool		good = true;

	sp_eval_use(eval, simd);
	for (uint32_t first = 0; first < MODEL_ROWS && good; first += block)
	{
		uint32_t	n = MODEL_ROWS - first < block ? MODEL_ROWS - first : block;
		const void *raw;
		SpType		raw_type;
		uint32_t	raw_width;

		store(type, rows + (size_t) first * width, (size_t) n * width, sp_eval_input(eval, 0));
		good = sp_eval_run(eval, n, 1 << SP_OUTPUT_RAW, may_have_missing) == SP_OK;
		raw = sp_eval_output(eval, SP_OUTPUT_RAW, &raw_type, &raw_width);
		*row_bytes = raw_width * (raw_type == SP_TYPE_F32 ? sizeof(float) : sizeof(double));
		memcpy(sums + first * *row_bytes, raw, n * *row_bytes);
	}
	close_runner(&runner);
	return good;
}

static void
look_at(const SpImage *image, Census *census)
{
	const SpPackedTrees *trees = sp_image_at(image, sp_image_steps(image)[0].params);
	const SpPackedSlices *slices = sp_image_at(image, trees->slices);
	const SpPackedBin *bins;

	census->n_models++;
	if (trees->slices == 0)
	{
		census->n_walked++;
		census->n_column8 += trees->node_kind == SP_NODES_COLUMN8;
		census->n_column12 += trees->node_kind == SP_NODES_COLUMN12;
		return;
	}
	bins = sp_image_at(image, slices->bins);
	census->n_values += slices->leaves_kind == SP_SLICE_VALUES;
	census->n_slots += slices->leaves_kind == SP_SLICE_SLOTS;
	census->n_doubles += trees->in_type == SP_TYPE_F64;
	census->n_bins_64 += slices->n_bins > 64 && slices->n_bins <= SP_SLICE_SINGLE_BINS;
	census->n_bins_128 += slices->n_bins > SP_SLICE_SINGLE_BINS;
	census->n_flags += slices->n_numeric < slices->n_bins;
	census->depths |= 1U << slices->depth;
	for (uint32_t bin = 1; bin < slices->n_numeric; bin++)
		if (bins[bin].feature == bins[bin - 1].feature && bins[bin].fill == bins[bin - 1].fill)
		{
			census->n_shared++;
			return;
		}
}

/*
 * Make walking look expensive, so that the other ways are taken wherever they
 * work, not only where they are faster.
 */
static void
prefer_slices(SpImage *image)
{
	const SpPackedTrees *trees = sp_image_at(image, sp_image_steps(image)[0].params);

	if (trees->slices != 0)
		((SpPackedSlices *) ((char *) image + trees->slices))->n_visits = UINT32_MAX;
}

/* One model on all levels; false if any bit differs. */
static bool
check_model(SpTestRandom *random, const SpTestEnsemble *spec, int number, Census *census)
{
	static const uint32_t blocks[] = {1, 3, 8, 19, 20, 21, 63, 64, 65, 100, 127, 128, 129, 150, 255, 256, MODEL_ROWS};
	static double rows[MODEL_ROWS * MAX_WIDTH];
	static char expected[MODEL_ROWS * 8 * sizeof(double)];
	static char got[sizeof(expected)];
	SpModel    *model = random_model(&cx, random, spec);
	SpImage    *image = model ? pack(model) : NULL;
	bool		never_nan = random_below(random, 2);
	size_t		row_bytes;

	if (image == NULL)
	{
		ok(false, "model %d: %s", number, cx.error.message);
		return false;
	}
	look_at(image, census);
	fill_rows(random, model, never_nan, rows);
	if (!run_all(model, image, SP_SIMD_PORTABLE, 1, true, rows, expected, &row_bytes))
		return false;
	if (random_below(random, 3) > 0)
		prefer_slices(image);
	for (SpSimd simd = SP_SIMD_PORTABLE; simd <= sp_simd_best(); simd++)
		for (int run = 0; run < 2; run++)
		{
			/* single rows, then blocks of some size */
			uint32_t	block = run == 0 ? 1 : blocks[random_below(random, sizeof(blocks) / sizeof(blocks[0]))];

			if (!run_all(model, image, simd, block, !never_nan, rows, got, &row_bytes))
				return false;
			for (uint32_t row = 0; row < MODEL_ROWS; row++)
				if (memcmp(expected + row * row_bytes, got + row * row_bytes, row_bytes) != 0)
				{
					ok(false, "model %d, %s, blocks of %u: row %u differs", number, sp_simd_name(simd), block, row);
					return false;
				}
		}
	return true;
}

static void
test_levels(uint64_t n_rows)
{
	Census		census = {0};
	uint64_t	done = 0;
	int			n_bad = 0;

	for (int number = 0; done < n_rows && n_bad < 5; number++)
	{
		SpTestRandom random = {(uint64_t) number ^ UINT64_C(0x736c69636573)};
		SpTestEnsemble spec = sliced_spec(&random);

		n_bad += !check_model(&random, &spec, number, &census);
		done += MODEL_ROWS;
		sp_test_release_all(&region);
	}
	printf("# %llu rows of %u models; levels up to %s\n", (unsigned long long) done, census.n_models,
		   sp_simd_name(sp_simd_best()));
	printf("# in slices: %u with values, %u with other leaves, %u of float64; %u with several bins for a column, "
		   "%u with 65 to 128 bins, %u with more, %u with flags or sets; %u not in slices, %u of them with "
		   "narrow nodes and %u with wider ones\n",
		   census.n_values, census.n_slots, census.n_doubles, census.n_shared, census.n_bins_64, census.n_bins_128,
		   census.n_flags, census.n_walked, census.n_column8, census.n_column12);
	ok(n_bad == 0, "all levels give the bits of the portable walk");
	ok(census.n_values > 0 && census.n_slots > 0 && census.n_column8 > 0 && census.n_column12 > 0 && census.n_doubles > 0 &&
	   census.n_shared > 0 && census.n_bins_64 > 0 && census.n_bins_128 > 0 && census.n_flags > 0,
	   "all forms were among the models");
	ok((census.depths & 0x1fe) == 0x1fe, "and all depths");
}

int
main(int argc, char **argv)
{
	sp_test_context(&cx, &region);
	test_levels(argc > 1 ? strtoull(argv[1], NULL, 10) : DEFAULT_ROWS);
	return done_testing();
}
