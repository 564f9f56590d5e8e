/*
 * src/import/sp_onnx_ensemble_build.c
 *
 * From the arrays of an ONNX tree ensemble to the builder's trees
 * (onnxruntime/core/providers/cpu/ml/tree_ensemble_common.h,
 * ProcessTreeNodeLeave).
 */
#include <string.h>

#include "import/sp_onnx_questions.h"
#include "import/sp_tree_reach.h"

/*
 * A split as the builder has it, left if x < threshold or x <= threshold.
 * "True if greater" becomes "false if less or equal", so its children change
 * places; a missing value still goes where the node says, to the false child
 * unless tracks_true is 1.  Questions of equality and membership ask for
 * places, and know of missing values on their own.
 */
static SpStatus
sp_ensemble_split(SpOnnxEnsemble *ensemble, const SpOnnxQuestions *questions, uint32_t tree, uint32_t number,
				  SpNode *split)
{
	SpOnnxMode	mode = (SpOnnxMode) ensemble->modes[number];
	bool		tracks_true = ensemble->tracks && ensemble->tracks[number] == 1;
	uint32_t	n = ensemble->first[tree + 1] - ensemble->first[tree];
	uint32_t	if_true = sp_ensemble_find(ensemble, tree, ensemble->true_ids[number]);
	uint32_t	if_false = sp_ensemble_find(ensemble, tree, ensemble->false_ids[number]);
	bool		swapped = mode == SP_ONNX_GTE || mode == SP_ONNX_GT || mode == SP_ONNX_NEQ;

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
	split->left = swapped ? if_false : if_true;
	split->right = swapped ? if_true : if_false;
	if (mode >= SP_ONNX_EQ)
	{
		sp_questions_split(questions, number, split);
		return SP_OK;
	}
	split->flags = mode == SP_ONNX_LEQ || mode == SP_ONNX_GT ? SP_NODE_LE : 0;
	if (tracks_true != swapped)
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
sp_ensemble_build_tree(SpOnnxEnsemble *ensemble, SpOnnxQuestions *questions, SpEnsembleTree *scratch,
					   uint32_t tree, uint32_t n_targets, uint32_t shift, bool is_mirrored)
{
	SpContext  *cx = ensemble->onnx->cx;
	uint32_t	first = ensemble->first[tree];
	uint32_t	n_nodes = ensemble->first[tree + 1] - first;
	uint32_t	n_weights = 0;
	SpTreeSpec	spec = {0};
	uint32_t	i;

	SP_TRY(sp_grow_array(cx, (void **) &scratch->nodes, &scratch->nodes_capacity, n_nodes,
						 sizeof(SpNode)));
	SP_TRY(sp_grow_array(cx, (void **) &scratch->weights, &scratch->weights_capacity,
						 ensemble->first_weight[first + n_nodes] - ensemble->first_weight[first],
						 sizeof(SpLeafWeight)));
	for (i = 0; i < n_nodes; i++)
	{
		if (ensemble->modes[first + i] == SP_ONNX_LEAF)
			SP_TRY(sp_ensemble_leaf(ensemble, first + i, n_targets, shift, is_mirrored,
									scratch->weights, &scratch->nodes[i], &n_weights));
		else
			SP_TRY(sp_ensemble_split(ensemble, questions, tree, first + i, &scratch->nodes[i]));
	}
	SP_TRY(sp_tree_reach(cx, &scratch->reach, scratch->nodes, &n_nodes));
	spec.nodes = scratch->nodes;
	spec.n_nodes = n_nodes;
	spec.weights = scratch->weights;
	spec.n_weights = n_weights;
	SP_TRY(sp_questions_sets(questions, scratch->nodes, n_nodes, &spec));
	return sp_builder_tree_spec(ensemble->onnx->builder, &spec);
}

SpStatus
sp_ensemble_build(SpOnnxEnsemble *ensemble, SpTreesSpec *spec, uint32_t shift, bool is_mirrored,
				  uint32_t *value)
{
	SpContext  *cx = ensemble->onnx->cx;
	SpEnsembleTree scratch = {0};
	SpOnnxQuestions questions;
	uint32_t	tree;

	SP_TRY(sp_questions_collect(&questions, ensemble, &spec->in));
	SP_TRY(sp_builder_trees_begin(ensemble->onnx->builder, spec));
	for (tree = 0; tree < ensemble->n_trees; tree++)
	{
		SpStatus	status = sp_ensemble_build_tree(ensemble, &questions, &scratch, tree, spec->n_targets,
													 shift, is_mirrored);

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
