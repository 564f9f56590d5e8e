/*
 * src/import/sp_onnx_ensemble_flat.c
 *
 * Reading a TreeEnsemble of ai.onnx.ml, version 5 (onnx docs/Operators-ml.md).
 *
 * Its splits are one list and its leaves another; a split names its two
 * children by their number in either, and roots are splits.  The older
 * operators number all nodes of a tree together, and so does SpOnnxEnsemble:
 * trees are walked from their roots, and every leaf that a split names becomes
 * a node of its own.
 */
#include <math.h>
#include <string.h>

#include "import/sp_onnx_ensemble.h"

#define SP_SPLITS_PER_POLL 65536

/* The attributes, and the arrays that are made of them. */
typedef struct SpFlat
{
	SpOnnxEnsemble *ensemble;
	uint32_t	n_splits;
	uint32_t	n_leaves;
	uint32_t	n_roots;
	double	   *modes;
	const int64_t *features;
	double	   *thresholds;
	const int64_t *tracks;
	const int64_t *children[2]; /* if true, if false: numbers of splits or leaves */
	const int64_t *is_leaf[2];
	const int64_t *targets;
	double	   *weights;
	const int64_t *roots;
	uint32_t   *first_member;
	double	   *members;

	/* by node; a leaf has the number of its entry in the list of leaves */
	int64_t    *tree_ids;
	int64_t    *node_ids;
	int64_t    *made_features;
	int64_t    *made_children[2];
	uint8_t    *made_modes;
	double	   *made_thresholds;
	int64_t    *made_tracks;
	uint32_t   *source;			/* number in the list of splits or leaves */
	uint8_t    *seen;			/* by split */
} SpFlat;

static SpStatus
sp_flat_ints(SpFlat *flat, const char *name, size_t count, const int64_t **ints)
{
	SpOnnxEnsemble *ensemble = flat->ensemble;
	const SpOnnx__AttributeProto *attribute;
	size_t		given;

	SP_TRY(sp_onnx_attribute(ensemble->onnx, ensemble->node, name, SP_ONNX_ATTR_INTS, &attribute));
	given = attribute ? attribute->n_ints : 0;
	if (given != count)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "attribute %s has %zu elements instead of %zu", name, given, count);
	*ints = attribute ? attribute->ints : NULL;
	return SP_OK;
}

static SpStatus
sp_flat_numbers(SpFlat *flat, const char *name, size_t count, double **numbers)
{
	size_t		given;

	SP_TRY(sp_ensemble_tensor(flat->ensemble, name, numbers, &given));
	if (given != count)
		return SP_ENSEMBLE_FAIL(flat->ensemble, SP_ERR_FORMAT, "attribute %s has %zu elements instead of %zu",
								name, given, count);
	return SP_OK;
}

/* How many elements an INTS attribute has. */
static SpStatus
sp_flat_count(SpFlat *flat, const char *name, const char *what, uint32_t *count)
{
	SpOnnxEnsemble *ensemble = flat->ensemble;
	uint64_t	limit = ensemble->onnx->cx->limits.max_nodes;
	const SpOnnx__AttributeProto *attribute;

	SP_TRY(sp_onnx_attribute(ensemble->onnx, ensemble->node, name, SP_ONNX_ATTR_INTS, &attribute));
	if (attribute == NULL || attribute->n_ints == 0)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "there are no %s", what);
	if (attribute->n_ints > limit || attribute->n_ints > UINT32_MAX / 4)
		return sp_over_limit(ensemble->onnx->cx, "max_nodes",
							 SP_ENSEMBLE_FAIL(ensemble, SP_ERR_LIMIT, "%zu %s are more than the limit of %llu",
											  attribute->n_ints, what, (unsigned long long) limit));
	*count = (uint32_t) attribute->n_ints;
	return SP_OK;
}

static SpStatus
sp_flat_modes(SpFlat *flat)
{
	SpOnnxEnsemble *ensemble = flat->ensemble;
	const SpOnnx__AttributeProto *attribute;
	size_t		count = 0;

	SP_TRY(sp_onnx_attribute(ensemble->onnx, ensemble->node, "nodes_modes", SP_ONNX_ATTR_TENSOR, &attribute));
	if (attribute && attribute->t && attribute->t->data_type != SP_ONNX_UINT8)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "nodes_modes has the element type %d", attribute->t->data_type);
	if (attribute && attribute->t)
		SP_TRY(sp_onnx_tensor_numbers(ensemble->onnx, ensemble->node, attribute->t, &flat->modes, &count));
	if (count != flat->n_splits)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "attribute nodes_modes has %zu elements instead of %u",
								count, flat->n_splits);
	for (uint32_t at = 0; at < flat->n_splits; at++)
		if (!(flat->modes[at] >= SP_ONNX_LEQ && flat->modes[at] <= SP_ONNX_MEMBER))
			return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_UNSUPPORTED, "node mode %g is not supported", flat->modes[at]);
	return SP_OK;
}

/* Members of one node after the other, each list ended by NaN. */
static SpStatus
sp_flat_members(SpFlat *flat)
{
	SpOnnxEnsemble *ensemble = flat->ensemble;
	size_t		count;
	size_t		at = 0;

	SP_TRY(sp_ensemble_tensor(ensemble, "membership_values", &flat->members, &count));
	if (count > UINT32_MAX)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_LIMIT, "there are too many membership_values");
	SP_TRY(sp_alloc_array(ensemble->onnx->cx, (size_t) flat->n_splits + 1, sizeof(uint32_t), (void **) &flat->first_member));
	for (uint32_t split = 0; split < flat->n_splits; split++)
	{
		size_t		begin = at;

		flat->first_member[split] = (uint32_t) at;
		if (flat->modes[split] != SP_ONNX_MEMBER)
			continue;
		while (at < count && !isnan(flat->members[at]))
			at++;
		if (at == begin || at == count)
			return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "node %u has no list in membership_values that NaN ends", split);
		at++;
	}
	flat->first_member[flat->n_splits] = (uint32_t) at;
	if (at < count)
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "there are more membership_values than nodes ask for");
	return SP_OK;
}

static SpStatus
sp_flat_read(SpFlat *flat)
{
	SpOnnxEnsemble *ensemble = flat->ensemble;
	const SpOnnx__AttributeProto *tracks;

	SP_TRY(sp_flat_count(flat, "nodes_featureids", "nodes", &flat->n_splits));
	SP_TRY(sp_flat_count(flat, "leaf_targetids", "leaves", &flat->n_leaves));
	SP_TRY(sp_flat_count(flat, "tree_roots", "trees", &flat->n_roots));
	SP_TRY(sp_flat_modes(flat));
	SP_TRY(sp_flat_ints(flat, "nodes_featureids", flat->n_splits, &flat->features));
	SP_TRY(sp_flat_numbers(flat, "nodes_splits", flat->n_splits, &flat->thresholds));
	SP_TRY(sp_flat_ints(flat, "nodes_truenodeids", flat->n_splits, &flat->children[0]));
	SP_TRY(sp_flat_ints(flat, "nodes_falsenodeids", flat->n_splits, &flat->children[1]));
	SP_TRY(sp_flat_ints(flat, "nodes_trueleafs", flat->n_splits, &flat->is_leaf[0]));
	SP_TRY(sp_flat_ints(flat, "nodes_falseleafs", flat->n_splits, &flat->is_leaf[1]));
	SP_TRY(sp_onnx_attribute(ensemble->onnx, ensemble->node, "nodes_missing_value_tracks_true", SP_ONNX_ATTR_INTS, &tracks));
	if (tracks && tracks->n_ints > 0)
		SP_TRY(sp_flat_ints(flat, "nodes_missing_value_tracks_true", flat->n_splits, &flat->tracks));
	SP_TRY(sp_flat_ints(flat, "leaf_targetids", flat->n_leaves, &flat->targets));
	SP_TRY(sp_flat_numbers(flat, "leaf_weights", flat->n_leaves, &flat->weights));
	SP_TRY(sp_flat_ints(flat, "tree_roots", flat->n_roots, &flat->roots));
	return sp_flat_members(flat);
}

/* A tree has one leaf more than splits, and no split is in two places. */
static SpStatus
sp_flat_room(SpFlat *flat)
{
	SpContext  *cx = flat->ensemble->onnx->cx;
	size_t		most = 2 * (size_t) flat->n_splits + flat->n_roots;

	if (most > UINT32_MAX - 1)
		return SP_ENSEMBLE_FAIL(flat->ensemble, SP_ERR_LIMIT, "the trees are too large");
	SP_TRY(sp_alloc_array(cx, most, sizeof(int64_t), (void **) &flat->tree_ids));
	SP_TRY(sp_alloc_array(cx, most, sizeof(int64_t), (void **) &flat->node_ids));
	SP_TRY(sp_alloc_array(cx, most, sizeof(int64_t), (void **) &flat->made_features));
	SP_TRY(sp_alloc_array(cx, most, sizeof(int64_t), (void **) &flat->made_children[0]));
	SP_TRY(sp_alloc_array(cx, most, sizeof(int64_t), (void **) &flat->made_children[1]));
	SP_TRY(sp_alloc_array(cx, most, sizeof(int64_t), (void **) &flat->made_tracks));
	SP_TRY(sp_alloc_array(cx, most, sizeof(double), (void **) &flat->made_thresholds));
	SP_TRY(sp_alloc_array(cx, most, 1, (void **) &flat->made_modes));
	SP_TRY(sp_alloc_array(cx, most, sizeof(uint32_t), (void **) &flat->source));
	return sp_alloc_array(cx, flat->n_splits, 1, (void **) &flat->seen);
}

/* Append a node of the tree that began at node first; its children follow when it is visited. */
static SpStatus
sp_flat_append(SpFlat *flat, uint32_t first, int64_t tree, int64_t number, bool is_leaf)
{
	SpOnnxEnsemble *ensemble = flat->ensemble;
	uint32_t	at = ensemble->n_nodes;

	if (number < 0 || number >= (is_leaf ? flat->n_leaves : flat->n_splits))
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "tree %lld has %s %lld, which does not exist",
								(long long) tree, is_leaf ? "leaf" : "node", (long long) number);
	if (!is_leaf && flat->seen[number])
		return SP_ENSEMBLE_FAIL(ensemble, SP_ERR_FORMAT, "node %lld has more than one parent", (long long) number);
	flat->tree_ids[at] = tree;
	flat->node_ids[at] = at - first;
	flat->source[at] = (uint32_t) number;
	flat->made_modes[at] = is_leaf ? SP_ONNX_LEAF : (uint8_t) flat->modes[number];
	ensemble->n_nodes++;
	if (is_leaf)
		return SP_OK;
	flat->seen[number] = 1;
	flat->made_features[at] = flat->features[number];
	flat->made_thresholds[at] = flat->thresholds[number];
	flat->made_tracks[at] = flat->tracks ? flat->tracks[number] : 0;
	return SP_OK;
}

/* The nodes of one tree, breadth first. */
static SpStatus
sp_flat_walk(SpFlat *flat, uint32_t tree)
{
	SpOnnxEnsemble *ensemble = flat->ensemble;
	uint32_t	first = ensemble->n_nodes;

	SP_TRY(sp_flat_append(flat, first, tree, flat->roots[tree], false));
	for (uint32_t at = first; at < ensemble->n_nodes; at++)
	{
		if ((at - first) % SP_SPLITS_PER_POLL == 0)
			SP_TRY(sp_poll(ensemble->onnx->cx));
		for (int side = 0; side < 2 && flat->made_modes[at] != SP_ONNX_LEAF; side++)
		{
			uint32_t	split = flat->source[at];

			flat->made_children[side][at] = ensemble->n_nodes - first;
			SP_TRY(sp_flat_append(flat, first, tree, flat->children[side][split], flat->is_leaf[side][split] != 0));
		}
	}
	return SP_OK;
}

/* One weight for each leaf, and the members of each node in the order of nodes. */
static SpStatus
sp_flat_finish(SpFlat *flat)
{
	SpOnnxEnsemble *ensemble = flat->ensemble;
	SpContext  *cx = ensemble->onnx->cx;
	uint32_t	n = ensemble->n_nodes;
	int64_t    *trees;
	int64_t    *nodes;
	int64_t    *targets;
	double	   *weights;
	uint32_t   *first_member;
	double	   *members;
	uint32_t	n_members = 0;

	SP_TRY(sp_alloc_array(cx, n, sizeof(int64_t), (void **) &trees));
	SP_TRY(sp_alloc_array(cx, n, sizeof(int64_t), (void **) &nodes));
	SP_TRY(sp_alloc_array(cx, n, sizeof(int64_t), (void **) &targets));
	SP_TRY(sp_alloc_array(cx, n, sizeof(double), (void **) &weights));
	SP_TRY(sp_alloc_array(cx, (size_t) n + 1, sizeof(uint32_t), (void **) &first_member));
	SP_TRY(sp_alloc_array(cx, flat->first_member[flat->n_splits], sizeof(double), (void **) &members));
	for (uint32_t at = 0; at < n; at++)
	{
		uint32_t	source = flat->source[at];

		first_member[at] = n_members;
		if (flat->made_modes[at] == SP_ONNX_LEAF)
		{
			trees[ensemble->n_weights] = flat->tree_ids[at];
			nodes[ensemble->n_weights] = flat->node_ids[at];
			targets[ensemble->n_weights] = flat->targets[source];
			weights[ensemble->n_weights++] = flat->weights[source];
		}
		else if (flat->made_modes[at] == SP_ONNX_MEMBER)
			for (uint32_t from = flat->first_member[source]; !isnan(flat->members[from]); from++)
				members[n_members++] = flat->members[from];
	}
	first_member[n] = n_members;
	ensemble->first_member = first_member;
	ensemble->members = members;
	ensemble->weight_trees = trees;
	ensemble->weight_nodes = nodes;
	ensemble->weight_targets = targets;
	ensemble->weights = weights;
	return SP_OK;
}

SpStatus
sp_ensemble_read_flat(SpOnnxEnsemble *ensemble, SpOnnx *onnx, const SpOnnx__NodeProto *node)
{
	SpFlat		flat = {.ensemble = ensemble};

	memset(ensemble, 0, sizeof(*ensemble));
	ensemble->onnx = onnx;
	ensemble->node = node;
	SP_TRY(sp_flat_read(&flat));
	SP_TRY(sp_flat_room(&flat));
	for (uint32_t tree = 0; tree < flat.n_roots; tree++)
		SP_TRY(sp_flat_walk(&flat, tree));
	ensemble->tree_ids = flat.tree_ids;
	ensemble->node_ids = flat.node_ids;
	ensemble->features = flat.made_features;
	ensemble->true_ids = flat.made_children[0];
	ensemble->false_ids = flat.made_children[1];
	ensemble->modes = flat.made_modes;
	ensemble->thresholds = flat.made_thresholds;
	ensemble->tracks = flat.tracks ? flat.made_tracks : NULL;
	return sp_flat_finish(&flat);
}
