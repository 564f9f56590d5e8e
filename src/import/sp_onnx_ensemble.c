/*
 * src/import/sp_onnx_ensemble.c
 *
 * From the parallel arrays of an ONNX tree ensemble to the builder's trees
 * (onnxruntime/core/providers/cpu/ml/tree_ensemble_common.h, Init and
 * ProcessTreeNodeLeave).
 *
 * A tree is a run of nodes with the same tree id, its root the first of them.
 * Node ids are any numbers, so nodes are found by binary search.
 */
#include <stdio.h>
#include <string.h>

#include "import/sp_onnx_ensemble.h"
#include "import/sp_sort.h"
#include "import/sp_tree_reach.h"

#define SP_ITEMS_PER_POLL 65536

#define SP_ENSEMBLE_FAIL(ensemble, status, ...) \
	sp_onnx_fail((ensemble)->onnx, (ensemble)->node, (status), __VA_ARGS__)

/* An INTS attribute of count elements. */
static SpStatus
sp_ensemble_ints(SpOnnxEnsemble *ensemble, const char *prefix, const char *suffix, size_t count,
				 const int64_t **ints)
{
	const SpOnnx__AttributeProto *attribute;
	char		name[64];
	size_t		given;

	snprintf(name, sizeof(name), "%s_%s", prefix, suffix);
	SP_TRY(sp_onnx_attribute(ensemble->onnx, ensemble->node, name, SP_ONNX_ATTR_INTS, &attribute));
	given = attribute ? attribute->n_ints : 0;
	if (given != count)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "attribute %s has %zu elements instead of %zu",
								name, given, count);
	*ints = attribute ? attribute->ints : NULL;
	return SP_OK;
}

/*
 * A FLOATS attribute or its variant as a tensor.  The tensor has the type of
 * the input, as in ONNX Runtime.
 */
static SpStatus
sp_ensemble_numbers(SpOnnxEnsemble *ensemble, const char *prefix, const char *suffix,
					double **numbers, size_t *count)
{
	SpOnnx	   *onnx = ensemble->onnx;
	const SpOnnx__AttributeProto *attribute;
	char		name[64];
	char		tensor_name[64];
	uint32_t	in;
	int32_t		expected;

	snprintf(name, sizeof(name), "%s_%s", prefix, suffix);
	snprintf(tensor_name, sizeof(tensor_name), "%s_%s_as_tensor", prefix, suffix);
	SP_TRY(sp_onnx_attribute(onnx, ensemble->node, tensor_name, SP_ONNX_ATTR_TENSOR, &attribute));
	SP_TRY(sp_onnx_input_numbers(onnx, ensemble->node, &in));
	expected = sp_builder_value(onnx->builder, in).type == SP_TYPE_F64 ? SP_ONNX_DOUBLE : SP_ONNX_FLOAT;
	if (attribute && attribute->t && attribute->t->data_type != expected)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_UNSUPPORTED, "%s of another type than the input is not supported",
								tensor_name);
	return sp_onnx_attribute_numbers(onnx, ensemble->node, name, tensor_name, numbers, count);
}

static SpStatus
sp_ensemble_read_nodes(SpOnnxEnsemble *ensemble)
{
	const SpOnnx__AttributeProto *modes;
	const SpOnnx__AttributeProto *tracks;
	double	   *thresholds;
	size_t		count;
	uint64_t	limit = ensemble->onnx->cx->limits.max_nodes;

	SP_TRY(sp_onnx_attribute(ensemble->onnx, ensemble->node, "nodes_modes", SP_ONNX_ATTR_STRINGS, &modes));
	count = modes ? modes->n_strings : 0;
	if (count == 0)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "there are no trees");
	if (count > limit || count >= UINT32_MAX)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_LIMIT, "%zu nodes are more than the limit of %llu",
								count, (unsigned long long) limit);
	ensemble->n_nodes = (uint32_t) count;
	ensemble->modes = modes->strings;
	SP_TRY(sp_ensemble_ints(ensemble, "nodes", "treeids", count, &ensemble->tree_ids));
	SP_TRY(sp_ensemble_ints(ensemble, "nodes", "nodeids", count, &ensemble->node_ids));
	SP_TRY(sp_ensemble_ints(ensemble, "nodes", "featureids", count, &ensemble->features));
	SP_TRY(sp_ensemble_ints(ensemble, "nodes", "truenodeids", count, &ensemble->true_ids));
	SP_TRY(sp_ensemble_ints(ensemble, "nodes", "falsenodeids", count, &ensemble->false_ids));
	SP_TRY(sp_onnx_attribute(ensemble->onnx, ensemble->node, "nodes_missing_value_tracks_true",
							 SP_ONNX_ATTR_INTS, &tracks));
	if (tracks && tracks->n_ints > 0)
		SP_TRY(sp_ensemble_ints(ensemble, "nodes", "missing_value_tracks_true", count, &ensemble->tracks));
	SP_TRY(sp_ensemble_numbers(ensemble, "nodes", "values", &thresholds, &count));
	if (count != ensemble->n_nodes)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "attribute nodes_values has %zu elements instead of %u",
								count, ensemble->n_nodes);
	ensemble->thresholds = thresholds;
	return SP_OK;
}

SpStatus
sp_ensemble_read(SpOnnxEnsemble *ensemble, SpOnnx *onnx, const SpOnnx__NodeProto *node,
				 const char *prefix)
{
	double	   *weights;
	size_t		count;

	memset(ensemble, 0, sizeof(*ensemble));
	ensemble->onnx = onnx;
	ensemble->node = node;
	SP_TRY(sp_ensemble_read_nodes(ensemble));
	SP_TRY(sp_ensemble_numbers(ensemble, prefix, "weights", &weights, &count));
	if (count > onnx->cx->limits.max_elements || count >= UINT32_MAX)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_LIMIT, "%zu leaf weights are more than the limit of %llu",
								count, (unsigned long long) onnx->cx->limits.max_elements);
	ensemble->n_weights = (uint32_t) count;
	ensemble->weights = weights;
	SP_TRY(sp_ensemble_ints(ensemble, prefix, "treeids", count, &ensemble->weight_trees));
	SP_TRY(sp_ensemble_ints(ensemble, prefix, "nodeids", count, &ensemble->weight_nodes));
	SP_TRY(sp_ensemble_ints(ensemble, prefix, "ids", count, &ensemble->weight_targets));
	return sp_ensemble_numbers(ensemble, "base", "values", &ensemble->base, &ensemble->n_base);
}

/* Position of a node in its tree by its id, or the tree's size. */
static uint32_t
sp_ensemble_find(const SpOnnxEnsemble *ensemble, uint32_t tree, int64_t id)
{
	uint32_t	first = ensemble->first[tree];
	size_t		n = ensemble->first[tree + 1] - first;
	size_t		place;

	/* ids mostly count from 0 */
	if (id >= 0 && (uint64_t) id < n && ensemble->node_ids[first + id] == id)
		return (uint32_t) id;
	place = sp_find_by_key(ensemble->by_node_id + first, n, ensemble->node_ids, id);
	return place < n ? ensemble->by_node_id[first + place] - first : (uint32_t) n;
}

static bool
sp_ensemble_is_leaf(const SpOnnxEnsemble *ensemble, uint32_t node)
{
	return sp_str_is(sp_onnx_str(ensemble->modes[node]), "LEAF");
}

/* Split the nodes into trees and sort each tree's nodes by id. */
static SpStatus
sp_ensemble_index_nodes(SpOnnxEnsemble *ensemble)
{
	SpContext  *cx = ensemble->onnx->cx;
	uint32_t	n = ensemble->n_nodes;
	void	   *memory;
	uint32_t	tree;
	uint32_t	i;

	for (i = 0; i < n; i++)
		ensemble->n_trees += i == 0 || ensemble->tree_ids[i] != ensemble->tree_ids[i - 1];
	SP_TRY(sp_alloc_array(cx, (size_t) ensemble->n_trees + 1, sizeof(uint32_t), &memory));
	ensemble->first = memory;
	SP_TRY(sp_alloc_array(cx, n, sizeof(uint32_t), &memory));
	ensemble->by_node_id = memory;
	for (i = 0, tree = 0; i < n; i++)
	{
		if (i == 0 || ensemble->tree_ids[i] != ensemble->tree_ids[i - 1])
			ensemble->first[tree++] = i;
		ensemble->by_node_id[i] = i;
	}
	ensemble->first[tree] = n;
	for (tree = 0; tree < ensemble->n_trees; tree++)
	{
		uint32_t   *order = ensemble->by_node_id + ensemble->first[tree];
		uint32_t	count = ensemble->first[tree + 1] - ensemble->first[tree];

		if (tree % 64 == 0)
			SP_TRY(sp_poll(cx));
		sp_sort_by_key(order, count, ensemble->node_ids);
		for (i = 1; i < count; i++)
		{
			if (ensemble->node_ids[order[i]] == ensemble->node_ids[order[i - 1]])
				return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "tree %lld has two nodes %lld",
										(long long) ensemble->tree_ids[order[i]],
										(long long) ensemble->node_ids[order[i]]);
		}
	}
	return SP_OK;
}

/* Trees by their id: order lists first nodes. */
static SpStatus
sp_ensemble_index_trees(SpOnnxEnsemble *ensemble, uint32_t **order, uint32_t **tree_of)
{
	SpContext  *cx = ensemble->onnx->cx;
	void	   *memory;
	uint32_t	i;

	SP_TRY(sp_alloc_array(cx, ensemble->n_trees, sizeof(uint32_t), &memory));
	*order = memory;
	SP_TRY(sp_alloc_array(cx, ensemble->n_nodes, sizeof(uint32_t), &memory));
	*tree_of = memory;
	for (i = 0; i < ensemble->n_trees; i++)
	{
		(*order)[i] = ensemble->first[i];
		(*tree_of)[ensemble->first[i]] = i;
	}
	sp_sort_by_key(*order, ensemble->n_trees, ensemble->tree_ids);
	for (i = 1; i < ensemble->n_trees; i++)
	{
		if (ensemble->tree_ids[(*order)[i]] == ensemble->tree_ids[(*order)[i - 1]])
			return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "the nodes of tree %lld are not together",
									(long long) ensemble->tree_ids[(*order)[i]]);
	}
	return SP_OK;
}

/* Which node has weight number i?  SP_NO_VALUE for a split, whose weights count for nothing. */
static SpStatus
sp_ensemble_owner(SpOnnxEnsemble *ensemble, const uint32_t *order, const uint32_t *tree_of,
				  uint32_t i, uint32_t *tree, uint32_t *owner)
{
	int64_t		tree_id = ensemble->weight_trees[i];
	uint32_t	place;

	if (ensemble->tree_ids[ensemble->first[*tree]] != tree_id)
	{
		size_t		found = sp_find_by_key(order, ensemble->n_trees, ensemble->tree_ids, tree_id);

		if (found == ensemble->n_trees)
			return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "a weight belongs to tree %lld, which does not exist",
									(long long) tree_id);
		*tree = tree_of[order[found]];
	}
	place = sp_ensemble_find(ensemble, *tree, ensemble->weight_nodes[i]);
	if (place == ensemble->first[*tree + 1] - ensemble->first[*tree])
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "a weight belongs to node %lld of tree %lld, which does not exist",
								(long long) ensemble->weight_nodes[i], (long long) tree_id);
	*owner = ensemble->first[*tree] + place;
	if (!sp_ensemble_is_leaf(ensemble, *owner))
		*owner = SP_NO_VALUE;
	return SP_OK;
}

/* The weights of each leaf, in ascending order of target. */
static SpStatus
sp_ensemble_sort_leaves(SpOnnxEnsemble *ensemble)
{
	uint32_t	node;
	uint32_t	i;

	for (node = 0; node < ensemble->n_nodes; node++)
	{
		uint32_t	from = ensemble->first_weight[node];
		uint32_t	to = ensemble->first_weight[node + 1];

		if (node % SP_ITEMS_PER_POLL == 0)
			SP_TRY(sp_poll(ensemble->onnx->cx));
		sp_sort_by_key(ensemble->by_leaf + from, to - from, ensemble->weight_targets);
		for (i = from + 1; i < to; i++)
		{
			if (ensemble->weight_targets[ensemble->by_leaf[i]] == ensemble->weight_targets[ensemble->by_leaf[i - 1]])
				return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "node %lld of tree %lld has two weights for output %lld",
										(long long) ensemble->node_ids[node],
										(long long) ensemble->tree_ids[node],
										(long long) ensemble->weight_targets[ensemble->by_leaf[i]]);
		}
	}
	return SP_OK;
}

SpStatus
sp_ensemble_index(SpOnnxEnsemble *ensemble)
{
	SpContext  *cx = ensemble->onnx->cx;
	uint32_t   *order;
	uint32_t   *tree_of;
	uint32_t   *owners;
	uint32_t   *fill;
	void	   *memory;
	uint32_t	tree = 0;
	uint32_t	i;

	SP_TRY(sp_ensemble_index_nodes(ensemble));
	SP_TRY(sp_ensemble_index_trees(ensemble, &order, &tree_of));
	SP_TRY(sp_alloc_array(cx, (size_t) ensemble->n_nodes + 2, sizeof(uint32_t), &memory));
	fill = memory;
	SP_TRY(sp_alloc_array(cx, ensemble->n_weights, sizeof(uint32_t), &memory));
	owners = memory;
	SP_TRY(sp_alloc_array(cx, ensemble->n_weights, sizeof(uint32_t), &memory));
	ensemble->by_leaf = memory;

	/*
	 * A counting sort by node.  While it fills, element n + 1 is where the
	 * next weight of node n goes; when it is done, that is where n + 1 starts.
	 */
	for (i = 0; i < ensemble->n_weights; i++)
	{
		if (i % SP_ITEMS_PER_POLL == 0)
			SP_TRY(sp_poll(cx));
		SP_TRY(sp_ensemble_owner(ensemble, order, tree_of, i, &tree, &owners[i]));
		if (owners[i] != SP_NO_VALUE)
			fill[owners[i] + 2]++;
	}
	for (i = 2; i < ensemble->n_nodes + 2; i++)
		fill[i] += fill[i - 1];
	for (i = 0; i < ensemble->n_weights; i++)
	{
		if (owners[i] != SP_NO_VALUE)
			ensemble->by_leaf[fill[owners[i] + 1]++] = i;
	}
	ensemble->first_weight = fill;
	sp_free(cx, owners);
	sp_free(cx, order);
	sp_free(cx, tree_of);
	return sp_ensemble_sort_leaves(ensemble);
}

/*
 * A split as the builder has it, left if x < threshold or x <= threshold.
 * "True if greater" becomes "false if less or equal", so its children change
 * places; a missing value still goes where the node says, to the false child
 * unless tracks_true is 1.
 */
static SpStatus
sp_ensemble_split(SpOnnxEnsemble *ensemble, uint32_t tree, uint32_t number, SpNode *split)
{
	static const char *const modes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GT", "BRANCH_GTE"};
	SpStr		mode = sp_onnx_str(ensemble->modes[number]);
	bool		tracks_true = ensemble->tracks && ensemble->tracks[number] == 1;
	uint32_t	n = ensemble->first[tree + 1] - ensemble->first[tree];
	uint32_t	if_true = sp_ensemble_find(ensemble, tree, ensemble->true_ids[number]);
	uint32_t	if_false = sp_ensemble_find(ensemble, tree, ensemble->false_ids[number]);
	char		shown[SP_PRINTABLE_SIZE];
	size_t		which;

	for (which = 0; which < 4; which++)
	{
		if (sp_str_is(mode, modes[which]))
			break;
	}
	if (which == 4)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_UNSUPPORTED, "node mode \"%s\" is not supported",
								sp_printable(mode, shown));
	if (if_true == n || if_false == n)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "node %lld of tree %lld has a child that does not exist",
								(long long) ensemble->node_ids[number],
								(long long) ensemble->tree_ids[number]);
	if (ensemble->features[number] < 0 || ensemble->features[number] > INT32_MAX)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "node %lld of tree %lld splits on feature %lld",
								(long long) ensemble->node_ids[number],
								(long long) ensemble->tree_ids[number],
								(long long) ensemble->features[number]);
	split->feature = (int32_t) ensemble->features[number];
	split->threshold = ensemble->thresholds[number];
	split->left = which < 2 ? if_true : if_false;
	split->right = which < 2 ? if_false : if_true;
	split->flags = which % 2 == 0 ? SP_NODE_LE : 0;
	if (tracks_true == (which < 2))
		split->flags |= SP_NODE_MISSING_LEFT;
	return SP_OK;
}

typedef struct SpEnsembleTree
{
	SpTreeReach reach;
	SpNode	   *nodes;
	size_t		nodes_capacity;
	SpLeafWeight *weights;
	size_t		weights_capacity;
} SpEnsembleTree;

static SpStatus
sp_ensemble_leaf(SpOnnxEnsemble *ensemble, uint32_t number, uint32_t n_targets, uint32_t shift,
				 bool is_mirrored, SpLeafWeight *weights, SpNode *leaf, uint32_t *n_weights)
{
	uint32_t	at;

	memset(leaf, 0, sizeof(*leaf));
	leaf->feature = SP_LEAF;
	leaf->left = *n_weights;
	for (at = ensemble->first_weight[number]; at < ensemble->first_weight[number + 1]; at++)
	{
		uint32_t	i = ensemble->by_leaf[at];
		int64_t		target = ensemble->weight_targets[i];

		if (is_mirrored && target == 0)
			continue;
		if (target < shift || target - shift >= n_targets)
			return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "node %lld of tree %lld has a weight for output %lld",
									(long long) ensemble->node_ids[number],
									(long long) ensemble->tree_ids[number], (long long) target);
		weights[*n_weights].value = ensemble->weights[i];
		weights[*n_weights].target = (uint32_t) (target - shift);
		(*n_weights)++;
	}
	leaf->right = *n_weights - leaf->left;
	return SP_OK;
}

static SpStatus
sp_ensemble_build_tree(SpOnnxEnsemble *ensemble, SpEnsembleTree *scratch, uint32_t tree,
					   uint32_t n_targets, uint32_t shift, bool is_mirrored)
{
	SpContext  *cx = ensemble->onnx->cx;
	uint32_t	first = ensemble->first[tree];
	uint32_t	n_nodes = ensemble->first[tree + 1] - first;
	uint32_t	n_weights = 0;
	uint32_t	i;

	SP_TRY(sp_grow_array(cx, (void **) &scratch->nodes, &scratch->nodes_capacity, n_nodes,
						 sizeof(SpNode)));
	SP_TRY(sp_grow_array(cx, (void **) &scratch->weights, &scratch->weights_capacity,
						 ensemble->first_weight[first + n_nodes] - ensemble->first_weight[first],
						 sizeof(SpLeafWeight)));
	for (i = 0; i < n_nodes; i++)
	{
		if (sp_ensemble_is_leaf(ensemble, first + i))
			SP_TRY(sp_ensemble_leaf(ensemble, first + i, n_targets, shift, is_mirrored,
									scratch->weights, &scratch->nodes[i], &n_weights));
		else
			SP_TRY(sp_ensemble_split(ensemble, tree, first + i, &scratch->nodes[i]));
	}
	SP_TRY(sp_tree_reach(cx, &scratch->reach, scratch->nodes, &n_nodes));
	return sp_builder_tree(ensemble->onnx->builder, scratch->nodes, n_nodes, scratch->weights, n_weights);
}

SpStatus
sp_ensemble_build(SpOnnxEnsemble *ensemble, SpTreesSpec *spec, uint32_t shift, bool is_mirrored,
				  uint32_t *value)
{
	SpContext  *cx = ensemble->onnx->cx;
	SpEnsembleTree scratch = {0};
	uint32_t	tree;

	SP_TRY(sp_builder_trees_begin(ensemble->onnx->builder, spec));
	for (tree = 0; tree < ensemble->n_trees; tree++)
	{
		SpStatus	status = sp_ensemble_build_tree(ensemble, &scratch, tree, spec->n_targets, shift, is_mirrored);

		if (status == SP_ERR_FORMAT && cx->error.detail[0] == '\0')
			sp_fail_detail(cx, "This is in tree %u of the ensemble.", tree);
		SP_TRY(status);
	}
	sp_free(cx, scratch.nodes);
	sp_free(cx, scratch.weights);
	sp_free(cx, scratch.reach.queue);
	sp_free(cx, scratch.reach.place);
	return sp_builder_trees_end(ensemble->onnx->builder, value);
}
