/*
 * src/import/sp_onnx_ensemble.h
 *
 * The trees of a TreeEnsembleClassifier, TreeEnsembleRegressor or TreeEnsemble:
 * parallel arrays over all nodes of all trees, and over all leaf weights.
 */
#ifndef SP_ONNX_ENSEMBLE_H
#define SP_ONNX_ENSEMBLE_H

#include "import/sp_onnx_internal.h"

/* What a node asks: the numbers of TreeEnsemble's nodes_modes, and a leaf. */
typedef enum SpOnnxMode
{
	SP_ONNX_LEQ,
	SP_ONNX_LT,
	SP_ONNX_GTE,
	SP_ONNX_GT,
	SP_ONNX_EQ,
	SP_ONNX_NEQ,
	SP_ONNX_MEMBER,
	SP_ONNX_LEAF
} SpOnnxMode;

#define SP_ENSEMBLE_FAIL(ensemble, status, ...) \
	sp_onnx_fail((ensemble)->onnx, (ensemble)->node, (status), __VA_ARGS__)

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
	const uint8_t *modes;		/* SpOnnxMode */
	const double *thresholds;
	const int64_t *tracks;		/* nodes_missing_value_tracks_true, or NULL */
	const uint32_t *first_member;	/* n_nodes + 1: first of what a MEMBER node asks for ... */
	const double *members;		/* ... in this list; both NULL if there is no such node */

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

/* A TENSOR attribute, which must have the type of the input, as in ONNX Runtime; absent: none. */
extern SpStatus sp_ensemble_tensor(SpOnnxEnsemble *ensemble, const char *name, double **numbers, size_t *count);

/* Read the attributes; prefix is "class" or "target".  Lengths are checked. */
extern SpStatus sp_ensemble_read(SpOnnxEnsemble *ensemble, SpOnnx *onnx,
								 const SpOnnx__NodeProto *node, const char *prefix);

/* Likewise for TreeEnsemble, whose nodes and leaves are lists of their own. */
extern SpStatus sp_ensemble_read_flat(SpOnnxEnsemble *ensemble, SpOnnx *onnx, const SpOnnx__NodeProto *node);

/* Find the trees, their nodes by id and the weights of every leaf. */
extern SpStatus sp_ensemble_index(SpOnnxEnsemble *ensemble);

/* Position of a node in its tree by its id, or the tree's size. */
extern uint32_t sp_ensemble_find(const SpOnnxEnsemble *ensemble, uint32_t tree, int64_t id);

/*
 * Give all trees to the builder, within spec.  The weights' target is
 * reduced by shift; of mirrored weights only those of target 1 are kept.
 */
extern SpStatus sp_ensemble_build(SpOnnxEnsemble *ensemble, SpTreesSpec *spec, uint32_t shift,
								  bool is_mirrored, uint32_t *value);

#endif
