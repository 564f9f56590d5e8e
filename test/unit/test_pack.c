/*
 * test/unit/test_pack.c
 *
 * The packed image: the normal form of comparisons, kinds of nodes and leaves,
 * its checksum and its limits.
 */
#include "ir/sp_pack.h"
#include "ir/sp_pack_internal.h"
#include "sp_test_models.h"

static SpContext cx;
static SpTestRegion region;

/* Comparisons */

/* The same decision from the packed split, through its column. */
static bool
packed_goes_left(const SpPackedSplit *split, double x)
{
	double		column = x;
	bool		first;
	bool		near_zero = split->fill == SP_FILL_ZERO_LOW || split->fill == SP_FILL_ZERO_HIGH ||
		split->fill == SP_FILL_ZERO_FLAG;
	bool		missing = isnan(x) || (near_zero && fabs(x) <= SP_ZERO_BOUND);

	if (split->fill == SP_FILL_FLAG || split->fill == SP_FILL_ZERO_FLAG)
		column = missing ? 1 : 0;
	else if (missing)
		column = split->fill == SP_FILL_LOW || split->fill == SP_FILL_ZERO_LOW ? -INFINITY : INFINITY;
	first = split->threshold >= column;
	return split->swapped ? !first : first;
}

static void
test_splits(void)
{
	int			n_bad = 0;
	int			n_fills[SP_N_FILLS] = {0};
	int			n_swapped = 0;
	bool		all_floats = true;

	for (int number = 0; number < 200000; number++)
	{
		SpTestRandom random = {(uint64_t) number};
		SpType		type = random_below(&random, 2) ? SP_TYPE_F32 : SP_TYPE_F64;
		SpNode		node = {
			.threshold = random_number(&random, true, random_below(&random, 2)),
			.flags = random_below(&random, 4) | (random_below(&random, 4) ? 0 : SP_NODE_ZERO_MISSING)
		};
		double		x = random_number(&random, false, type == SP_TYPE_F64);
		SpPackedSplit split = sp_pack_split(&node, type);

		/* next to the threshold from both sides, in the input's type */
		if (random_below(&random, 2) && type == SP_TYPE_F32)
			x = nextafterf((float) node.threshold, random_below(&random, 2) ? INFINITY : -INFINITY);
		else if (random_below(&random, 2) && type == SP_TYPE_F64)
			x = nextafter(node.threshold, random_below(&random, 2) ? INFINITY : -INFINITY);
		n_fills[split.fill]++;
		n_swapped += split.swapped;
		all_floats = all_floats && (type == SP_TYPE_F64 || (double) (float) split.threshold == split.threshold);
		if (packed_goes_left(&split, x) != goes_left(NULL, &node, x) && n_bad++ < 3)
			printf("# x %a, threshold %a, flags %u, type %d: packed %a fill %d\n", x, node.threshold,
				   node.flags, type, split.threshold, split.fill);
	}
	ok(n_bad == 0, "200000 splits decide the same when packed");
	ok(all_floats, "thresholds of float32 inputs are float32");
	ok(n_fills[SP_FILL_LOW] > 0 && n_fills[SP_FILL_HIGH] > 0 && n_fills[SP_FILL_FLAG] > 0 &&
	   n_fills[SP_FILL_ZERO_LOW] > 0 && n_fills[SP_FILL_ZERO_HIGH] > 0 && n_fills[SP_FILL_ZERO_FLAG] > 0 && n_swapped > 0,
	   "with all kinds of columns and swaps among them");
}

static void
test_split_cases(void)
{
	static const struct
	{
		double		threshold;
		uint32_t	flags;
		SpType		type;
		double		packed;
		SpFill		fill;
		bool		swapped;
	}			cases[] = {
		{1, SP_NODE_LE, SP_TYPE_F32, 1, SP_FILL_HIGH, false},
		{1, 0, SP_TYPE_F32, 0x1.fffffep-1, SP_FILL_HIGH, false},
		{1, SP_NODE_MISSING_LEFT, SP_TYPE_F64, 0x1.fffffffffffffp-1, SP_FILL_LOW, false},
		{0, 0, SP_TYPE_F32, -0x1p-149, SP_FILL_HIGH, false},
		{-0.0, 0, SP_TYPE_F64, -0x1p-1074, SP_FILL_HIGH, false},
		{0.1, SP_NODE_LE, SP_TYPE_F32, 0x1.999998p-4, SP_FILL_HIGH, false},
		{0.1, 0, SP_TYPE_F32, 0x1.999998p-4, SP_FILL_HIGH, false},
		{1e300, SP_NODE_LE, SP_TYPE_F32, FLT_MAX, SP_FILL_HIGH, false},
		{-1e300, SP_NODE_LE, SP_TYPE_F32, -INFINITY, SP_FILL_HIGH, false},
		{-1e300, 0, SP_TYPE_F32, -INFINITY, SP_FILL_HIGH, false},
		{INFINITY, 0, SP_TYPE_F32, FLT_MAX, SP_FILL_HIGH, false},
		{INFINITY, SP_NODE_LE, SP_TYPE_F32, 0.5, SP_FILL_FLAG, false},
		{INFINITY, SP_NODE_LE | SP_NODE_MISSING_LEFT, SP_TYPE_F32, INFINITY, SP_FILL_LOW, false},
		{-INFINITY, SP_NODE_LE, SP_TYPE_F32, -INFINITY, SP_FILL_HIGH, false},
		{-INFINITY, 0, SP_TYPE_F32, INFINITY, SP_FILL_LOW, true},
		{-INFINITY, SP_NODE_MISSING_LEFT, SP_TYPE_F64, 0.5, SP_FILL_FLAG, true}
	};

	for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++)
	{
		SpNode		node = {.threshold = cases[at].threshold, .flags = cases[at].flags};
		SpPackedSplit split = sp_pack_split(&node, cases[at].type);

		ok(split.threshold == cases[at].packed && split.fill == cases[at].fill && split.swapped == cases[at].swapped,
		   "threshold %a, flags %u, %s: %a", cases[at].threshold, cases[at].flags,
		   sp_type_name(cases[at].type), split.threshold);
	}
}

/* Kinds */

static const SpPackedTrees *
packed_trees(const SpImage *image)
{
	return sp_image_at(image, sp_image_steps(image)[0].params);
}

static SpTestEnsemble
plain_spec(void)
{
	return (SpTestEnsemble) {
		.in_type = SP_TYPE_F32, .in_width = 28, .sum_type = SP_TYPE_F32, .aggregate = SP_AGGREGATE_SUM,
		.n_targets = 1, .n_trees = 20, .leaves = LEAVES_ONE_TARGET, .float_values = true, .shape = SHAPE_ANY
	};
}

static SpImage *
pack_random(const SpTestEnsemble *spec)
{
	SpTestRandom random = {1};
	SpModel    *model = random_model(&cx, &random, spec);
	SpImage    *image = NULL;

	if (model == NULL || sp_pack(&cx, model, &image) != SP_OK)
		ok(false, "packing: %s", cx.error.message);
	return image;
}

static void
test_kinds(void)
{
	SpTestEnsemble spec = plain_spec();
	const SpPackedTrees *trees = packed_trees(pack_random(&spec));

	ok(trees->node_kind == SP_NODES_COLUMN8 && trees->leaf_kind == SP_LEAVES_INLINE, "28 features: narrow, values inline");
	ok(trees->n_columns <= 3 * 28 + 1 && trees->n_values <= trees->n_columns, "no more columns than there can be");
	spec.in_width = 1000;
	trees = packed_trees(pack_random(&spec));
	ok(trees->node_kind == SP_NODES_COLUMN12 && trees->n_columns < 3001, "1,000 features: %u columns in 12 bits", trees->n_columns);
	spec.in_width = 20000;
	spec.n_trees = 100;
	trees = packed_trees(pack_random(&spec));
	ok(trees->node_kind == SP_NODES_COLUMN16, "20,000 features: %u columns in 16 bits", trees->n_columns);
	spec.n_trees = 2;
	trees = packed_trees(pack_random(&spec));
	ok(trees->n_columns < 1000, "20,000 features, but few splits: %u columns", trees->n_columns);
	spec = plain_spec();
	spec.in_type = SP_TYPE_F64;
	ok(packed_trees(pack_random(&spec))->node_kind == SP_NODES_WIDE, "float64 inputs: wide");
	spec = plain_spec();
	spec.sum_type = SP_TYPE_F64;
	ok(packed_trees(pack_random(&spec))->leaf_kind == SP_LEAVES_INLINE, "float64 sums of float32 values: inline");
	spec.float_values = false;
	ok(packed_trees(pack_random(&spec))->leaf_kind != SP_LEAVES_INLINE, "float64 sums of others: not inline");
	spec.in_type = SP_TYPE_F64;
	ok(packed_trees(pack_random(&spec))->leaf_kind == SP_LEAVES_INLINE, "unless the nodes are wide");
	spec = plain_spec();
	spec.n_targets = 4;
	ok(packed_trees(pack_random(&spec))->leaf_kind == SP_LEAVES_INLINE, "one target a tree: inline");
	spec.leaves = LEAVES_ALL_TARGETS;
	ok(packed_trees(pack_random(&spec))->leaf_kind == SP_LEAVES_DENSE, "all targets in each leaf: dense");
	spec.leaves = LEAVES_ANY;
	ok(packed_trees(pack_random(&spec))->leaf_kind == SP_LEAVES_LIST, "some targets in each leaf: lists");
	sp_test_release_all(&region);
}

/* Every walk stays within its tree: offsets lead to later slots, leaves to themselves. */
static void
test_closed(void)
{
	SpTestEnsemble spec = plain_spec();
	SpImage    *image = pack_random(&spec);
	const SpPackedTrees *trees = packed_trees(image);
	const SpNarrowNode *nodes = sp_image_at(image, trees->nodes);
	const uint32_t *roots = sp_image_at(image, trees->roots);
	uint32_t	n_leaves = 0;
	bool		closed = true;
	bool		odd = true;

	for (uint32_t tree = 0; tree + 1 < trees->n_trees; tree++)
	{
		odd = odd && roots[tree] % 2 == 1;
		for (uint32_t slot = roots[tree]; slot < roots[tree + 1] - 1; slot++)
		{
			uint32_t	offset = nodes[slot].link >> SP_LINK_SHIFT(8);
			uint32_t	column = (nodes[slot].link & SP_LINK_MASK(8)) >> 2;

			closed = closed && column < trees->n_columns && slot + offset + (offset > 0) < roots[tree + 1];
			closed = closed && !isnan(nodes[slot].threshold) && (offset > 0 || column == 0);
			n_leaves += offset == 0;
		}
	}
	ok(closed && n_leaves > 0, "no link leads out of its tree");
	ok(odd, "roots are at odd slots");
	ok(roots[trees->n_trees] == roots[trees->n_trees - 1], "the last group is filled up");
	sp_test_release_all(&region);
}

/* The whole image */

static void
test_image(void)
{
	SpTestEnsemble spec = plain_spec();
	SpImage    *image = pack_random(&spec);
	size_t		size = (size_t) image->size;
	uint8_t    *copy = aligned_alloc(64, size + 64);
	size_t		n_unnoticed = 0;

	ok((uintptr_t) image % SP_IMAGE_ALIGN == 0 && size % SP_IMAGE_ALIGN == 0, "the image is aligned, in place and size");
	ok(sp_image_is_valid(image, size), "and valid");
	memcpy(copy, image, size);
	ok(sp_image_is_valid((SpImage *) copy, size), "also at another place");
	ok(!sp_image_is_valid(image, size - 1) && !sp_image_is_valid(image, size + 64) &&
	   !sp_image_is_valid(image, 10), "not with another size");
	for (size_t at = 0; at < size; at++)
	{
		copy[at] ^= 0x10;
		n_unnoticed += sp_image_is_valid((SpImage *) copy, size);
		copy[at] ^= 0x10;
	}
	ok(n_unnoticed == 0, "not with any byte changed");
	memmove(copy + 8, copy, size);
	ok(!sp_image_is_valid((SpImage *) (copy + 8), size), "not unaligned");
	ok(image->n_features == 28 && image->n_steps == 1, "facts are there");
	free(copy);
	cx.limits.max_image = size - 1;
	spec = plain_spec();
	{
		SpTestRandom random = {1};
		SpModel    *model = random_model(&cx, &random, &spec);

		fails_with(&cx, sp_pack(&cx, model, &image), SP_ERR_LIMIT, "bytes in memory", "an image over the limit");
		cx.limits.max_image = size;
		ok(sp_pack(&cx, model, &image) == SP_OK, "an image at the limit");
	}
	sp_test_release_all(&region);
}

static bool
stop_now(void *arg)
{
	(void) arg;
	return true;
}

static void
test_failures(void)
{
	SpTestRandom random = {8};
	SpTestEnsemble spec = plain_spec();
	SpModel    *model;
	SpImage    *image;
	SpStatus	status = SP_ERR_MEMORY;
	long		fail_at;
	size_t		live;

	spec.n_targets = 3;
	model = random_model(&cx, &random, &spec);
	for (fail_at = 1; status == SP_ERR_MEMORY; fail_at++)
	{
		region.calls = 0;
		region.fail_at = fail_at;
		status = sp_pack(&cx, model, &image);
	}
	ok(status == SP_OK, "each of %ld allocations may fail", fail_at - 2);
	region.fail_at = 0;
	live = region.bytes;
	ok(sp_pack(&cx, model, &image) == SP_OK && region.bytes == live + image->size + SP_IMAGE_ALIGN,
	   "packing leaves nothing behind but the image");
	cx.stop = stop_now;
	ok(sp_pack(&cx, model, &image) == SP_ERR_CANCELLED, "packing can be stopped");
	cx.stop = NULL;
	sp_test_release_all(&region);
}

int
main(void)
{
	sp_test_context(&cx, &region);
	test_splits();
	test_split_cases();
	test_kinds();
	test_closed();
	test_image();
	test_failures();
	return done_testing();
}
