/*
 * test/unit/test_pack_slices.c
 *
 * The second form of tree ensembles in the packed image: which ensembles have
 * it, its bounds, and that it needs no place of its own.
 */
#include <limits.h>

#include "ir/sp_slices.h"
#include "sp_test_eval.h"

static SpTestEnsemble
shallow_spec(void)
{
	return (SpTestEnsemble) {
		.in_type = SP_TYPE_F32, .in_width = 10, .sum_type = SP_TYPE_F32, .aggregate = SP_AGGREGATE_SUM,
		.n_targets = 1, .n_trees = 40, .leaves = LEAVES_ONE_TARGET, .float_values = true, .shape = SHAPE_FULL,
		.max_depth = 6
	};
}

static SpImage *
pack_spec(const SpTestEnsemble *spec, uint64_t seed)
{
	SpTestRandom random = {seed};
	SpModel    *model = random_model(&cx, &random, spec);

	return model ? pack(model) : NULL;
}

static const SpPackedTrees *
packed_trees(const SpImage *image)
{
	return sp_image_at(image, sp_image_steps(image)[0].params);
}

/* NULL if the ensemble has none. */
static const SpPackedSlices *
packed_slices(const SpImage *image)
{
	const SpPackedTrees *trees = packed_trees(image);

	return trees->slices != 0 ? sp_image_at(image, trees->slices) : NULL;
}

/* A model of n trees over one feature that are chains of the given depth. */
static const SpPackedSlices *
pack_chains(uint32_t n_trees, uint32_t depth)
{
	SpTestTree *tree = calloc(1, sizeof(SpTestTree));
	SpTreesSpec spec = {.aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F32, .n_targets = 1};
	SpBuilder  *builder;
	SpModel    *model;
	uint32_t	value;
	SpImage    *image;

	tree->nodes[0] = (SpNode) {.feature = SP_LEAF};
	tree->n_nodes = 1;
	for (uint32_t level = 0; level < depth; level++)
		split_node(tree, tree->n_nodes - 1);
	for (uint32_t at = 0; at < tree->n_nodes; at++)
	{
		tree->nodes[at].threshold = at;
		if (tree->nodes[at].feature != SP_LEAF)
			continue;
		tree->nodes[at].left = tree->n_weights;
		tree->nodes[at].right = 1;
		tree->weights[tree->n_weights++] = (SpLeafWeight) {at, 0};
	}
	sp_builder_new(&cx, &builder);
	sp_builder_task(builder, SP_TASK_SCORE, true);
	sp_builder_input(builder, SP_TYPE_F32, 1, NULL, &spec.in);
	sp_builder_trees_begin(builder, &spec);
	for (uint32_t at = 0; at < n_trees; at++)
		sp_builder_tree_spec(builder, &(SpTreeSpec) {
			.nodes = tree->nodes, .n_nodes = tree->n_nodes, .weights = tree->weights, .n_weights = tree->n_weights
		});
	sp_builder_trees_end(builder, &value);
	sp_builder_output(builder, SP_OUTPUT_RAW, value);
	sp_builder_output(builder, SP_OUTPUT_VALUE, value);
	if (sp_builder_finish(builder, NULL, &model) != SP_OK)
		ok(false, "chains: %s", cx.error.message);
	free(tree);
	image = pack(model);
	return packed_slices(image);
}

static void
test_choice(void)
{
	SpTestEnsemble spec = shallow_spec();
	const SpPackedSlices *slices = packed_slices(pack_spec(&spec, 1));

	ok(slices && slices->depth <= 6 && slices->leaves_kind == SP_SLICE_VALUES, "shallow trees have it, with values as leaves");
	ok(slices && slices->vectors != 0, "and with vectors for single rows");
	spec.aggregate = SP_AGGREGATE_MAX;
	spec.base_last = true;
	slices = packed_slices(pack_spec(&spec, 1));
	ok(slices && slices->leaves_kind == SP_SLICE_SLOTS, "a maximum needs slots");
	spec = shallow_spec();
	spec.leaves = LEAVES_ALL_TARGETS;
	spec.n_targets = 3;
	slices = packed_slices(pack_spec(&spec, 1));
	ok(slices && slices->leaves_kind == SP_SLICE_SLOTS, "leaves of all targets, too");
	spec = shallow_spec();
	spec.in_width = 150;
	slices = packed_slices(pack_spec(&spec, 1));
	ok(slices == NULL, "more bins than their trees are worth: not");
	spec.n_trees = 400;
	slices = packed_slices(pack_spec(&spec, 1));
	ok(slices && slices->n_bins > SP_SLICE_SINGLE_BINS && slices->vectors == 0, "%u bins: not for single rows",
	   slices ? slices->n_bins : 0);
	spec = shallow_spec();
	spec.in_width = 1;
	spec.n_trees = 200;
	slices = packed_slices(pack_spec(&spec, 1));
	ok(slices && slices->n_numeric > 2, "a feature with hundreds of thresholds has %u bins", slices ? slices->n_numeric : 0);
	ok(pack_chains(10, 5) != NULL, "chains of 5 splits have it");
	ok(pack_chains(10, 8) == NULL, "chains of 8 splits would need too many places");
	ok(pack_chains(10, 0) == NULL, "trees without a split need nothing");
	spec = shallow_spec();
	spec.shape = SHAPE_ANY;
	spec.max_depth = 8;
	slices = packed_slices(pack_spec(&spec, 1));
	ok(slices && slices->depth == 8, "trees of depth 8 have it");
	spec.max_depth = 9;
	ok(packed_slices(pack_spec(&spec, 1)) == NULL, "deeper ones do not");
	sp_test_release_all(&region);
}

/* Cuts ascend, the first 16 are those that the others are found by, and infinity fills up. */
static bool
good_bin(const SpImage *image, const SpPackedBin *bin)
{
	const float *all = sp_image_at(image, bin->cuts);
	const float *cuts = all + SP_SLICE_BLOCK;
	uint32_t	n = bin->n_blocks * SP_SLICE_BLOCK;
	bool		good = bin->n_blocks > 0 && bin->n_blocks <= SP_SLICE_BLOCK && bin->cuts % SP_IMAGE_ALIGN == 0;

	for (uint32_t at = 1; at < n; at++)
		good = good && (cuts[at - 1] < cuts[at] || cuts[at] == INFINITY);
	for (uint32_t at = 0; at < SP_SLICE_BLOCK; at++)
		good = good && all[at] == (at + 1 < bin->n_blocks ? cuts[SP_SLICE_BLOCK * at + SP_SLICE_BLOCK - 1] : INFINITY);
	/* the last cut of a full bin is a place that no cut has */
	return good && (n < 256 || cuts[n - 1] == INFINITY);
}

static void
test_bounds(void)
{
	SpTestEnsemble spec = shallow_spec();
	bool		good_bins = true;
	bool		good_cuts = true;
	bool		good_trees = true;

	spec.in_width = 2;
	spec.n_trees = 100;
	spec.shape = -1;
	spec.max_depth = 7;
	spec.sets = true;
	for (uint64_t seed = 1; seed <= 20; seed++)
	{
		SpImage    *image = pack_spec(&spec, seed);
		const SpPackedTrees *trees = packed_trees(image);
		const SpPackedSlices *slices = packed_slices(image);
		const SpPackedBin *bins;
		const SpPackedSlice *tree;
		const SpPackedCut *cuts;
		uint64_t	n_cuts = 0;
		uint64_t	n_leaves = 0;

		if (slices == NULL)
		{
			ok(false, "seed %llu has no slices", (unsigned long long) seed);
			continue;
		}
		bins = sp_image_at(image, slices->bins);
		tree = sp_image_at(image, slices->trees);
		cuts = sp_image_at(image, slices->cuts);
		for (uint32_t bin = 0; bin < slices->n_numeric; bin++)
			good_bins = good_bins && good_bin(image, &bins[bin]);
		for (uint32_t at = 0; at < trees->n_trees; at++, tree++)
		{
			good_trees = good_trees && tree->first_cut == n_cuts && tree->first_leaf == n_leaves &&
				tree->depth <= slices->depth;
			n_leaves += UINT64_C(1) << tree->depth;
			for (uint32_t end = tree->first_cut + tree->n_cuts; n_cuts < end; n_cuts++)
				good_cuts = good_cuts && cuts[n_cuts].bin16 % 16 == 0 && cuts[n_cuts].bin16 / 16 < slices->n_bins &&
					cuts[n_cuts].place16 / 16 < (1 << tree->depth) - 1 && (cuts[n_cuts].cut & 0xff) != 127;
		}
		good_trees = good_trees && n_cuts == slices->n_splits && n_leaves == slices->n_leaves;
	}
	ok(good_bins, "cuts ascend in blocks that lead to them");
	ok(good_cuts, "splits ask bins that there are, at places that there are");
	ok(good_trees, "trees follow each other");
	sp_test_release_all(&region);
}

/* The whole image, with and without its second form. */
static void
test_size(void)
{
	SpTestEnsemble spec = shallow_spec();
	SpImage    *image;
	const SpPackedTrees *trees;
	double		nodes;
	double		slices;

	spec.n_trees = 500;
	image = pack_spec(&spec, 3);
	trees = packed_trees(image);
	nodes = (double) (trees->slices - trees->nodes);
	slices = (double) (image->size - trees->slices);
	ok(slices < 2.5 * nodes, "it takes %.2f times the room of the nodes", slices / nodes);
	sp_test_release_all(&region);
}

/* Sums of 100 rows and then of single ones, of an image at any place. */
static bool
evaluate(const SpImage *image, double *sums)
{
	Runner		runner;
	SpEval	   *eval = open_runner(&runner, image, 100, NULL, NULL);
	float	   *in = sp_eval_input(eval, 0);
	SpTestRandom random = {77};
	bool		good = true;

	sp_eval_use(eval, sp_simd_best());
	for (int at = 0; at < 100 * 10; at++)
		in[at] = (float) random_number(&random, false, false);
	for (uint32_t run = 0; run < 2; run++)
	{
		uint32_t	n = run == 0 ? 100 : 1;

		good = good && sp_eval_run(eval, n, 1 << SP_OUTPUT_RAW, true) == SP_OK;
		for (uint32_t row = 0; row < n; row++)
			*sums++ = sp_eval_output_number(eval, SP_OUTPUT_RAW, row, 0);
	}
	close_runner(&runner);
	return good;
}

static void
test_position(void)
{
	SpTestEnsemble spec = shallow_spec();
	SpImage    *image = pack_spec(&spec, 5);
	size_t		size = (size_t) image->size;
	/* its own allocation, so that the sanitizer sees every byte beyond it */
	void	   *copy = aligned_alloc(64, size);
	double		here[101];
	double		there[101];

	memcpy(copy, image, size);
	ok(evaluate(image, here) && evaluate(copy, there) && memcmp(here, there, sizeof(here)) == 0,
	   "an image gives the same at another place");
	ok(here[0] == here[100], "and the same for one row as for many");
	free(copy);
	sp_test_release_all(&region);
}

/* Stops at the call that the counter reaches. */
static bool
stop_at(void *arg)
{
	return --*(int *) arg == 0;
}

static void
test_failures(void)
{
	SpTestRandom random = {8};
	SpTestEnsemble spec = shallow_spec();
	SpModel    *model;
	SpImage    *image;
	SpStatus	status = SP_ERR_MEMORY;
	long		fail_at;
	size_t		live;
	int			left = INT_MAX;
	int			n_polls;
	int			n_missed = 0;

	spec.sets = true;
	model = random_model(&cx, &random, &spec);
	for (fail_at = 1; status == SP_ERR_MEMORY; fail_at++)
	{
		region.calls = 0;
		region.fail_at = fail_at;
		status = sp_pack(&cx, model, &image);
	}
	region.fail_at = 0;
	ok(status == SP_OK && packed_slices(image), "each of %ld allocations may fail", fail_at - 2);
	live = region.bytes;
	ok(sp_pack(&cx, model, &image) == SP_OK && region.bytes == live + image->size + SP_IMAGE_ALIGN,
	   "packing leaves nothing behind but the image");
	cx.stop = stop_at;
	cx.stop_arg = &left;
	ok(sp_pack(&cx, model, &image) == SP_OK, "a callback that never stops changes nothing");
	n_polls = INT_MAX - left;
	for (int at = 1; at <= n_polls; at++)
	{
		left = at;
		n_missed += sp_pack(&cx, model, &image) != SP_ERR_CANCELLED;
	}
	ok(n_polls > 0 && n_missed == 0, "each of %d polls may stop it", n_polls);
	cx.stop = NULL;
	sp_test_release_all(&region);
}

int
main(void)
{
	sp_test_context(&cx, &region);
	test_choice();
	test_bounds();
	test_size();
	test_position();
	test_failures();
	return done_testing();
}
