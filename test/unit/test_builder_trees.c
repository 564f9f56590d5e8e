/*
 * test/unit/test_builder_trees.c
 *
 * What the builder refuses in tree ensembles, and what it makes of the rest.
 */
#include "base/sp_bytes.h"
#include "sp_test_models.h"

static SpContext cx;
static SpTestRegion region;

/* A builder with a float input of 3 columns; values 0 is the input. */
static SpBuilder *
begin(void)
{
	SpBuilder  *builder = NULL;
	uint32_t	value;

	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	if (sp_builder_new(&cx, &builder) != SP_OK ||
		sp_builder_input(builder, SP_TYPE_F32, 3, NULL, &value) != SP_OK)
		ok(false, "a fresh builder takes an input");
	return builder;
}

static SpBuilder *
begin_trees(SpType sum_type, uint32_t n_targets)
{
	SpBuilder  *builder = begin();
	SpTreesSpec spec = {.in = 0, .aggregate = SP_AGGREGATE_SUM, .sum_type = sum_type, .n_targets = n_targets};

	if (sp_builder_trees_begin(builder, &spec) != SP_OK)
		ok(false, "trees begin");
	return builder;
}

/* A root with two leaves, to be spoilt by each test. */
static SpNode stump[3];
static SpLeafWeight weights[4];

static void
reset_stump(void)
{
	stump[0] = (SpNode) {.threshold = 0.5, .feature = 2, .left = 1, .right = 2};
	stump[1] = (SpNode) {.feature = SP_LEAF, .left = 0, .right = 1};
	stump[2] = (SpNode) {.feature = SP_LEAF, .left = 1, .right = 1};
	for (uint32_t at = 0; at < 4; at++)
		weights[at] = (SpLeafWeight) {at + 1, 0};
}

static void
refuse_stump(const char *text, const char *name)
{
	SpBuilder  *builder = begin_trees(SP_TYPE_F32, 2);

	fails_with(&cx, sp_builder_tree(builder, stump, 3, weights, 2), SP_ERR_FORMAT, text, "%s", name);
	reset_stump();
}

static void
test_refused_nodes(void)
{
	reset_stump();
	ok(sp_builder_tree(begin_trees(SP_TYPE_F32, 2), stump, 3, weights, 2) == SP_OK, "a stump");
	ok(sp_builder_tree(begin_trees(SP_TYPE_F32, 2), stump, 3, weights, 4) == SP_OK, "weights that no leaf uses");
	fails_with(&cx, sp_builder_tree(begin_trees(SP_TYPE_F32, 2), stump, 0, weights, 0), SP_ERR_FORMAT, "no nodes",
			   "no nodes");
	stump[0].feature = 3;
	refuse_stump("feature 3 of 3", "feature out of range");
	stump[0].feature = -2;
	refuse_stump("feature -2", "negative feature");
	stump[0].threshold = NAN;
	refuse_stump("not a number", "NaN threshold");
	stump[0].flags = 4;
	refuse_stump("unknown flags", "unknown flags");
	stump[0].left = 3;
	refuse_stump("child out of range", "left child out of range");
	stump[0].right = UINT32_MAX;
	refuse_stump("child out of range", "right child out of range");
	stump[0].right = 1;
	refuse_stump("more than one parent", "both children the same");
	stump[0].left = 0;
	refuse_stump("node 0 of tree 0 has more than one parent", "the root as a child");
	stump[0].feature = SP_LEAF;
	stump[0].left = 0;
	stump[0].right = 0;
	refuse_stump("2 nodes without a parent", "nodes that nothing leads to");
	stump[1].right = 3;
	refuse_stump("share weights", "more weights than there are");
	stump[2].left = 2;
	refuse_stump("weights out of range", "weights past the end");
	stump[2].left = UINT32_MAX;
	refuse_stump("weights out of range", "weights far past the end");
	stump[1].right = 2;
	weights[1].target = 1;
	refuse_stump("share weights", "shared weights");
	weights[0].target = 2;
	refuse_stump("target 2 of 2", "target out of range");
	weights[1].value = INFINITY;
	refuse_stump("not finite", "infinite leaf");
	weights[1].value = NAN;
	refuse_stump("not finite", "NaN leaf");
	weights[1].value = 1e39;
	refuse_stump("not finite", "leaf that overflows float32");
	ok(sp_builder_tree(begin_trees(SP_TYPE_F64, 2), stump, 3, weights, 2) == SP_OK, "float64 sums");
	weights[1].value = 1e39;
	ok(sp_builder_tree(begin_trees(SP_TYPE_F64, 2), stump, 3, weights, 2) == SP_OK, "and their large leaves");
	reset_stump();
	stump[1].right = 2;
	stump[2] = (SpNode) {.feature = SP_LEAF};
	refuse_stump("do not ascend", "targets twice");
}

/* Two splits that are each other's children, beside a whole tree. */
static void
test_refused_shapes(void)
{
	SpNode		cycle[5] = {
		{.feature = 0, .left = 1, .right = 2}, {.feature = SP_LEAF}, {.feature = SP_LEAF},
		{.feature = 0, .left = 4, .right = 4}, {.feature = 0, .left = 3, .right = 3}
	};
	SpNode		loop[3] = {{.feature = 0, .left = 1, .right = 2}, {.feature = SP_LEAF}, {.feature = 0, .left = 2, .right = 1}};
	SpNode		deep[7] = {
		{.feature = 0, .left = 6, .right = 5}, {.feature = SP_LEAF}, {.feature = SP_LEAF},
		{.feature = 0, .left = 1, .right = 2}, {.feature = SP_LEAF}, {.feature = SP_LEAF},
		{.feature = 0, .left = 3, .right = 4}
	};
	SpBuilder  *builder = begin_trees(SP_TYPE_F32, 1);
	SpTreesSpec spec = {0};
	uint32_t	value;

	fails_with(&cx, sp_builder_tree(builder, cycle, 5, NULL, 0), SP_ERR_FORMAT, "2 nodes without a parent", "a cycle apart");
	fails_with(&cx, sp_builder_tree(begin_trees(SP_TYPE_F32, 1), loop, 3, NULL, 0), SP_ERR_FORMAT, "more than one parent",
			   "a node that is its own child");
	builder = begin_trees(SP_TYPE_F32, 1);
	cx.limits.max_tree_depth = 3;
	ok(sp_builder_tree(builder, deep, 7, NULL, 0) == SP_OK, "children before their parents");
	cx.limits.max_tree_depth = 2;
	fails_with(&cx, sp_builder_tree(builder, deep, 7, NULL, 0), SP_ERR_LIMIT, "tree 1 is 3 splits deep", "too deep");
	builder = begin_trees(SP_TYPE_F32, 1);
	cx.limits.max_nodes = 13;
	ok(sp_builder_tree(builder, deep, 7, NULL, 0) == SP_OK, "7 of 13 nodes");
	fails_with(&cx, sp_builder_tree(builder, deep, 7, NULL, 0), SP_ERR_LIMIT, "more than 13 tree nodes", "14 of 13 nodes");
	builder = begin_trees(SP_TYPE_F32, 1);
	cx.limits.max_elements = 1;
	fails_with(&cx, sp_builder_tree(builder, stump, 3, weights, 2), SP_ERR_LIMIT, "leaf weights", "too many weights");
	fails_with(&cx, sp_builder_map(builder, 0, SP_MAP_EXP, &value), SP_ERR_FORMAT, "not finished", "a step within trees");
	fails_with(&cx, sp_builder_trees_begin(builder, &spec), SP_ERR_FORMAT, "not finished", "trees within trees");
	fails_with(&cx, sp_builder_trees_end(builder, &value), SP_ERR_FORMAT, "without trees", "no trees");
	builder = begin();
	fails_with(&cx, sp_builder_trees_end(builder, &value), SP_ERR_FORMAT, "not begun", "an end without begin");
	fails_with(&cx, sp_builder_tree(builder, stump, 3, weights, 2), SP_ERR_FORMAT, "outside", "a tree without begin");
}

static void
test_refused_specs(void)
{
	static const double base[2] = {0, INFINITY};
	SpTreesSpec good = {.aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F32, .n_targets = 2};
	SpTreesSpec spec = good;

	spec.in = 1;
	fails_with(&cx, sp_builder_trees_begin(begin(), &spec), SP_ERR_FORMAT, "does not exist", "trees over nothing");
	spec = good;
	spec.aggregate = 5;
	fails_with(&cx, sp_builder_trees_begin(begin(), &spec), SP_ERR_FORMAT, "aggregate 5", "unknown aggregate");
	spec = good;
	spec.sum_type = SP_TYPE_I64;
	fails_with(&cx, sp_builder_trees_begin(begin(), &spec), SP_ERR_FORMAT, "type 3", "integer sums");
	spec = good;
	spec.n_targets = 0;
	fails_with(&cx, sp_builder_trees_begin(begin(), &spec), SP_ERR_FORMAT, "without targets", "no targets");
	spec.n_targets = UINT32_MAX;
	fails_with(&cx, sp_builder_trees_begin(begin(), &spec), SP_ERR_LIMIT, "targets", "too many targets");
	spec = good;
	spec.base = base;
	fails_with(&cx, sp_builder_trees_begin(begin(), &spec), SP_ERR_FORMAT, "number 1 of base score", "infinite base");
}

static void
test_accepted_trees(void)
{
	SpBuilder  *builder = begin();
	SpTreesSpec spec = {.aggregate = SP_AGGREGATE_MIN, .sum_type = SP_TYPE_F32, .n_targets = 1};
	SpModel    *model;
	uint32_t	value;

	reset_stump();
	stump[1].threshold = NAN;
	stump[1].flags = 99;
	sp_builder_task(builder, SP_TASK_REGRESSION, false);
	sp_builder_trees_begin(builder, &spec);
	sp_builder_tree(builder, stump, 3, weights, 2);
	sp_builder_tree(builder, stump + 1, 1, weights, 1);
	sp_builder_tree(builder, stump, 3, weights + 2, 2);
	ok(sp_builder_trees_end(builder, &value) == SP_OK && value == 1, "an ensemble");
	sp_builder_output(builder, SP_OUTPUT_VALUE, value);
	ok(sp_builder_finish(builder, NULL, &model) == SP_OK, "a model: %s", cx.error.message);
	ok(model->n_trees == 3 && model->n_nodes == 7 && model->n_parameters == 7, "its counts");
	ok(model->steps[0].u.trees.first_node[3] == 7 && model->steps[0].u.trees.depth[0] == 1 &&
	   model->steps[0].u.trees.depth[1] == 0, "its places and depths");
	ok(model->steps[0].u.trees.nodes[5].left == 3 && model->steps[0].u.trees.nodes[6].left == 4, "its leaves' weights");
	ok(model->steps[0].u.trees.nodes[1].threshold == 0 && model->steps[0].u.trees.nodes[1].flags == 0,
	   "what a leaf does not use is zero");
	ok(model->steps[0].u.trees.base_last, "the base of a minimum comes last");
	ok(!strcmp(model->features[2].name, "f2") && !strcmp(model->producer, ""), "made-up names");
	fails_with(&cx, sp_builder_task(builder, SP_TASK_SCORE, true), SP_ERR_INTERNAL, "after its end", "a spent builder");
}

static const SpNode set_nodes[3] = {
	{.feature = 1, .left = 1, .right = 2, .flags = SP_NODE_CATEGORY},
	{.feature = SP_LEAF, .left = 0, .right = 1}, {.feature = SP_LEAF, .left = 1, .right = 1}
};
static const SpLeafWeight set_weights[2] = {{.value = 1}, {.value = 2}};

static SpStatus
add_spec(SpTreeSpec spec, uint32_t flags, double set, SpType type)
{
	SpNode		nodes[3];
	SpBuilder  *builder;
	SpTreesSpec trees = {.aggregate = SP_AGGREGATE_SUM, .sum_type = type, .n_targets = 1};

	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	cx.limits.max_elements = 100;
	sp_builder_new(&cx, &builder);
	sp_builder_input(builder, type, 3, NULL, &trees.in);
	sp_builder_trees_begin(builder, &trees);
	memcpy(nodes, set_nodes, sizeof(nodes));
	nodes[0].flags = flags;
	nodes[0].threshold = set;
	spec.nodes = nodes;
	spec.n_nodes = 3;
	spec.weights = set_weights;
	spec.n_weights = 2;
	return sp_builder_tree_spec(builder, &spec);
}

static void
test_sets(void)
{
	static const uint32_t categories[] = {3, 4, 4, 2, UINT32_MAX, 0, 1};
	static const uint32_t first[][3] = {{0, 2, 0}, {0, 0, 0}, {0, 3, 0}, {2, 4, 0}, {0, 2, 1}, {0, 200, 0}, {0, 5, 0}, {0, 1, 2}};
	SpTreeSpec	spec = {.first_category = first[0], .n_sets = 1, .categories = categories};

	ok(add_spec(spec, SP_NODE_CATEGORY | SP_NODE_TRUNCATE | SP_NODE_MISSING_LEFT, 0, SP_TYPE_F32) == SP_OK, "a set of two");
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY | SP_NODE_LE, 0, SP_TYPE_F32), SP_ERR_FORMAT, "unknown flags", "set and bound");
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY | SP_NODE_ZERO_MISSING, 0, SP_TYPE_F32), SP_ERR_FORMAT, "unknown flags", "set and zero");
	fails_with(&cx, add_spec(spec, SP_NODE_TRUNCATE, 0, SP_TYPE_F32), SP_ERR_FORMAT, "unknown flags", "truncation without a set");
	fails_with(&cx, add_spec(spec, 4, 0, SP_TYPE_F32), SP_ERR_FORMAT, "unknown flags", "flag 4");
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, 1, SP_TYPE_F32), SP_ERR_FORMAT, "does not exist", "set 1 of 1");
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, -1, SP_TYPE_F32), SP_ERR_FORMAT, "does not exist", "set -1");
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, 0.5, SP_TYPE_F32), SP_ERR_FORMAT, "does not exist", "set 0.5");
	fails_with(&cx, add_spec(spec, SP_NODE_LE, 0, SP_TYPE_F32), SP_ERR_FORMAT, "no node asks for", "a set too many");
	spec.first_category = first[1];
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, 0, SP_TYPE_F32), SP_ERR_FORMAT, "no categories", "an empty set");
	spec.first_category = first[2];
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, 0, SP_TYPE_F32), SP_ERR_FORMAT, "do not ascend", "a doubled category");
	spec.first_category = first[3];
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, 0, SP_TYPE_F32), SP_ERR_FORMAT, "begin with the first", "a late begin");
	spec.first_category = first[5];
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, 0, SP_TYPE_F32), SP_ERR_LIMIT, "more than 100 categories", "too many");
	spec.categories = categories + 4;
	spec.first_category = first[7];
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, 0, SP_TYPE_F32), SP_ERR_FORMAT, "category above", "a large category");
	spec.n_sets = 2;
	spec.first_category = first[4];
	fails_with(&cx, add_spec(spec, SP_NODE_CATEGORY, 0, SP_TYPE_F32), SP_ERR_FORMAT, "no categories", "a backward set");
}

static void
test_linear(void)
{
	SpLeafTerm	terms[2] = {{2, 0}, {3, 2}};
	SpLeafLinear leaves[2] = {{1, 0, 2}, {2, 2, 0}};
	SpTreeSpec	spec = {.linear = leaves, .terms = terms, .n_terms = 2};

	ok(add_spec(spec, SP_NODE_LE, 0, SP_TYPE_F64) == SP_OK, "linear leaves");
	fails_with(&cx, add_spec(spec, SP_NODE_LE, 0, SP_TYPE_F32), SP_ERR_FORMAT, "need float64", "linear leaves of float32");
	leaves[1].first_term = 1;
	fails_with(&cx, add_spec(spec, SP_NODE_LE, 0, SP_TYPE_F64), SP_ERR_FORMAT, "terms out of range", "shared terms");
	leaves[1].first_term = 2;
	leaves[1].n_terms = 1;
	fails_with(&cx, add_spec(spec, SP_NODE_LE, 0, SP_TYPE_F64), SP_ERR_FORMAT, "terms out of range", "a term too many");
	leaves[1].n_terms = 0;
	leaves[0].constant = INFINITY;
	fails_with(&cx, add_spec(spec, SP_NODE_LE, 0, SP_TYPE_F64), SP_ERR_FORMAT, "not finite", "an infinite constant");
	leaves[0].constant = 1;
	terms[1].column = 3;
	fails_with(&cx, add_spec(spec, SP_NODE_LE, 0, SP_TYPE_F64), SP_ERR_FORMAT, "coefficient or feature", "a feature too many");
	terms[1] = (SpLeafTerm) {NAN, 0};
	fails_with(&cx, add_spec(spec, SP_NODE_LE, 0, SP_TYPE_F64), SP_ERR_FORMAT, "coefficient or feature", "a coefficient of NaN");
}

/* Two trees that say the same, one with its weights in another order and one of no leaf: the same bytes. */
static void
test_same_bytes(void)
{
	static const SpNode nodes[2][3] = {
		{{.feature = 0, .threshold = 1, .left = 1, .right = 2},
			{.feature = SP_LEAF, .left = 0, .right = 1}, {.feature = SP_LEAF, .left = 1, .right = 1}},
		{{.feature = 0, .threshold = 1, .left = 1, .right = 2},
			{.feature = SP_LEAF, .left = 2, .right = 1}, {.feature = SP_LEAF, .left = 0, .right = 1}}
	};
	static const SpLeafWeight weights[2][3] = {{{1, 0}, {2, 0}}, {{2, 0}, {9, 0}, {1, 0}}};
	static const SpLeafTerm terms[2][3] = {{{5, 0}, {6, 1}}, {{6, 1}, {7, 0}, {5, 0}}};
	static const SpLeafLinear linear[2][3] = {{{3, 0, 1}, {4, 1, 1}}, {{4, 0, 1}, {0, 1, 1}, {3, 2, 1}}};

	for (int is_linear = 0; is_linear < 2; is_linear++)
	{
		SpWriter	stored[2];
		uint64_t	n_parameters[2];

		for (uint32_t which = 0; which < 2; which++)
		{
			SpTreesSpec trees = {.aggregate = SP_AGGREGATE_SUM, .sum_type = SP_TYPE_F64, .n_targets = 1};
			SpTreeSpec	spec = {.nodes = nodes[which], .n_nodes = 3, .weights = weights[which], .n_weights = 2 + which};
			SpBuilder  *builder;
			SpModel    *model = NULL;
			uint32_t	value;

			if (is_linear)
			{
				spec.linear = linear[which];
				spec.terms = terms[which];
				spec.n_terms = 2 + which;
			}
			sp_builder_new(&cx, &builder);
			sp_builder_task(builder, SP_TASK_REGRESSION, true);
			sp_builder_input(builder, SP_TYPE_F64, 2, NULL, &trees.in);
			sp_builder_trees_begin(builder, &trees);
			sp_builder_tree_spec(builder, &spec);
			sp_builder_trees_end(builder, &value);
			sp_builder_output(builder, SP_OUTPUT_VALUE, value);
			sp_builder_finish(builder, NULL, &model);
			sp_writer_init(&stored[which], &cx);
			n_parameters[which] = model->n_parameters;
			sp_model_write(&cx, model, &stored[which]);
			ok(model->steps[0].u.trees.n_weights == 2, "two weights of two leaves");
		}
		ok(stored[0].size == stored[1].size && memcmp(stored[0].data, stored[1].data, stored[0].size) == 0 &&
		   n_parameters[0] == n_parameters[1], "equal trees, equal bytes%s", is_linear ? ", linear" : "");
	}
}

int
main(void)
{
	test_sets();
	test_same_bytes();
	test_linear();
	sp_test_release_all(&region);
	sp_test_context(&cx, &region);
	test_refused_nodes();
	test_refused_shapes();
	test_refused_specs();
	test_accepted_trees();
	sp_test_release_all(&region);
	return done_testing();
}
