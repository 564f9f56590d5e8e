/*
 * src/import/sp_onnx_ensemble.c
 *
 * The parallel arrays of an ONNX tree ensemble: reading them, and finding
 * trees, nodes and leaf weights in them
 * (onnxruntime/core/providers/cpu/ml/tree_ensemble_common.h, Init).
 *
 * A tree is a run of nodes with the same tree id, its root the first of them.
 * Node ids are any numbers, so nodes are found by binary search.
 */
#include <stdio.h>
#include <string.h>

#include "import/sp_onnx_ensemble.h"
#include "import/sp_sort.h"

#define SP_ITEMS_PER_POLL 65536

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

SpStatus
sp_ensemble_tensor(SpOnnxEnsemble *ensemble, const char *name, double **numbers, size_t *count)
{
	SpOnnx	   *onnx = ensemble->onnx;
	const SpOnnx__AttributeProto *attribute;
	uint32_t	in;
	int32_t		expected;

	*numbers = NULL;
	*count = 0;
	SP_TRY(sp_onnx_attribute(onnx, ensemble->node, name, SP_ONNX_ATTR_TENSOR, &attribute));
	if (attribute == NULL || attribute->t == NULL)
		return SP_OK;
	SP_TRY(sp_onnx_input_numbers(onnx, ensemble->node, &in));
	expected = sp_builder_value(onnx->builder, in).type == SP_TYPE_F64 ? SP_ONNX_DOUBLE : SP_ONNX_FLOAT;
	if (attribute->t->data_type != expected)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_UNSUPPORTED, "%s of another type than the input is not supported", name);
	return sp_onnx_tensor_numbers(onnx, ensemble->node, attribute->t, numbers, count);
}

/* A FLOATS attribute or its variant as a tensor. */
static SpStatus
sp_ensemble_numbers(SpOnnxEnsemble *ensemble, const char *prefix, const char *suffix,
					double **numbers, size_t *count)
{
	char		name[64];
	char		tensor_name[64];

	snprintf(name, sizeof(name), "%s_%s", prefix, suffix);
	snprintf(tensor_name, sizeof(tensor_name), "%s_%s_as_tensor", prefix, suffix);
	SP_TRY(sp_ensemble_tensor(ensemble, tensor_name, numbers, count));
	return sp_onnx_attribute_numbers(ensemble->onnx, ensemble->node, name, tensor_name, numbers, count);
}

static SpStatus
sp_ensemble_modes(SpOnnxEnsemble *ensemble, const SpOnnx__AttributeProto *texts)
{
	static const char *const names[] = {
		"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER", "LEAF"
	};
	char		shown[SP_PRINTABLE_SIZE];
	uint8_t    *modes;

	SP_TRY(sp_alloc_array(ensemble->onnx->cx, texts->n_strings, 1, (void **) &modes));
	ensemble->modes = modes;
	for (size_t at = 0; at < texts->n_strings; at++)
	{
		SpStr		text = sp_onnx_str(texts->strings[at]);

		while (modes[at] <= SP_ONNX_LEAF && !sp_str_is(text, names[modes[at]]))
			modes[at]++;
		/* there is no list of members in this form */
		if (modes[at] > SP_ONNX_LEAF || modes[at] == SP_ONNX_MEMBER)
			return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_UNSUPPORTED, "node mode \"%s\" is not supported",
									sp_printable(text, shown));
	}
	return SP_OK;
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
		return sp_over_limit(ensemble->onnx->cx, "max_nodes",
							 SP_ENSEMBLE_FAIL(ensemble, SP_ERR_LIMIT, "%zu nodes are more than the limit of %llu",
											  count, (unsigned long long) limit));
	ensemble->n_nodes = (uint32_t) count;
	SP_TRY(sp_ensemble_modes(ensemble, modes));
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
		return sp_over_limit(onnx->cx, "max_elements",
								 SP_ENSEMBLE_FAIL(ensemble, SP_ERR_LIMIT, "%zu leaf weights are more than the limit of %llu",
								count, (unsigned long long) onnx->cx->limits.max_elements));
	ensemble->n_weights = (uint32_t) count;
	ensemble->weights = weights;
	SP_TRY(sp_ensemble_ints(ensemble, prefix, "treeids", count, &ensemble->weight_trees));
	SP_TRY(sp_ensemble_ints(ensemble, prefix, "nodeids", count, &ensemble->weight_nodes));
	SP_TRY(sp_ensemble_ints(ensemble, prefix, "ids", count, &ensemble->weight_targets));
	return sp_ensemble_numbers(ensemble, "base", "values", &ensemble->base, &ensemble->n_base);
}

uint32_t
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
	if (ensemble->modes[*owner] != SP_ONNX_LEAF)
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
