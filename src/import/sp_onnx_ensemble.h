/*
 * src/import/sp_onnx_ensemble.h
 *
 * The trees of a TreeEnsembleClassifier or TreeEnsembleRegressor: parallel
 * arrays over all nodes of all trees, and over all leaf weights.
 */
#ifndef SP_ONNX_ENSEMBLE_H
#define SP_ONNX_ENSEMBLE_H

#include "import/sp_onnx_internal.h"

typedef struct SpOnnxEnsemble
{
	SpOnnx	   *onnx;
	const SpOnnx__NodeProto *node;

	/* attributes: n_nodes elements each */
	uint32_t	n_nodes;
	const int64_t *tree_ids;
	const int64_t *node_ids;
	const int64_t *features;
	const int64_t *true_ids;
	const int64_t *false_ids;
	const ProtobufCBinaryData *modes;
	const double *thresholds;
	const int64_t *tracks;		/* nodes_missing_value_tracks_true, or NULL */

	/* attributes: n_weights elements each */
	uint32_t	n_weights;
	const int64_t *weight_trees;
	const int64_t *weight_nodes;
	const int64_t *weight_targets;
	const double *weights;

	/* base_values */
	double	   *base;
	size_t		n_base;

	/* trees are runs of nodes with one tree id; made by sp_ensemble_index */
	uint32_t	n_trees;
	uint32_t   *first;			/* n_trees + 1: first node of each tree, its root */
	uint32_t   *by_node_id;		/* n_nodes: numbers of nodes, sorted within each tree by node id */
	uint32_t   *first_weight;	/* n_nodes + 1: first weight of each node ... */
	uint32_t   *by_leaf;		/* ... in this list of weights, by target within a node */
} SpOnnxEnsemble;

/* Read the attributes; prefix is "class" or "target".  Lengths are checked. */
extern SpStatus sp_ensemble_read(SpOnnxEnsemble *ensemble, SpOnnx *onnx,
								 const SpOnnx__NodeProto *node, const char *prefix);

/* Find the trees, their nodes by id and the weights of every leaf. */
extern SpStatus sp_ensemble_index(SpOnnxEnsemble *ensemble);

/*
 * Give all trees to the builder, within spec.  The weights' target is
 * reduced by shift; of mirrored weights only those of target 1 are kept.
 */
extern SpStatus sp_ensemble_build(SpOnnxEnsemble *ensemble, SpTreesSpec *spec, uint32_t shift,
								  bool is_mirrored, uint32_t *value);

#endif
