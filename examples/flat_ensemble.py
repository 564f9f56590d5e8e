"""A random forest as TreeEnsemble of ai.onnx.ml 5, which no converter writes yet.

Thresholds and leaves stay double.  So that all kinds of splits occur, whole-numbered
features are asked otherwise: `sex <= 1.5` is "sex equals 1", `age <= t` is "age is one of
1 ... t"; on the data set's rows that is the same question.
"""

import math

import numpy as np
import onnx
from onnx import TensorProto, helper

AGE, SEX = 0, 1
LEQ, EQ, MEMBER = 0, 4, 6


def split_of(feature, threshold):
    """Mode, threshold and members of a split."""
    if feature == SEX:
        return EQ, math.floor(threshold), []
    if feature == AGE:
        return MEMBER, 0.0, [float(age) for age in range(1, math.floor(threshold) + 1)]
    return LEQ, threshold, []


class Arrays:
    """Splits and leaves of all trees, in two lists."""

    def __init__(self):
        self.roots, self.features, self.modes, self.thresholds, self.members = [], [], [], [], []
        self.children = {True: [], False: []}
        self.is_leaf = {True: [], False: []}
        self.leaves = []

    def add_tree(self, tree):
        if tree.node_count == 1:
            raise ValueError("a tree of one leaf has no root that is a split")
        splits = [node for node in range(tree.node_count) if tree.children_left[node] >= 0]
        number = {node: len(self.features) + place for place, node in enumerate(splits)}
        self.roots.append(number[0])
        for node in splits:
            feature = int(tree.feature[node])
            mode, threshold, members = split_of(feature, float(tree.threshold[node]))
            self.features.append(feature)
            self.modes.append(mode)
            self.thresholds.append(threshold)
            self.members += [*members, math.nan] if mode == MEMBER else []
            for side, child in ((True, tree.children_left[node]), (False, tree.children_right[node])):
                self.is_leaf[side].append(int(child not in number))
                if child in number:
                    self.children[side].append(number[child])
                else:
                    self.children[side].append(len(self.leaves))
                    self.leaves.append(float(tree.value[child].reshape(-1)[0]))


def doubles(name, values):
    return helper.make_tensor(name, TensorProto.DOUBLE, [len(values)], np.array(values))


def convert(forest, name, width):
    arrays = Arrays()
    for estimator in forest.estimators_:
        arrays.add_tree(estimator.tree_)
    node = helper.make_node(
        "TreeEnsemble", ["X"], ["variable"], domain="ai.onnx.ml",
        n_targets=1, aggregate_function=0, post_transform=0, tree_roots=arrays.roots,
        nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [len(arrays.modes)], arrays.modes),
        nodes_featureids=arrays.features, nodes_splits=doubles("splits", arrays.thresholds),
        nodes_truenodeids=arrays.children[True], nodes_trueleafs=arrays.is_leaf[True],
        nodes_falsenodeids=arrays.children[False], nodes_falseleafs=arrays.is_leaf[False],
        leaf_targetids=[0] * len(arrays.leaves), leaf_weights=doubles("weights", arrays.leaves),
        membership_values=doubles("members", arrays.members),
    )
    graph = helper.make_graph(
        [node], name,
        [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, width])],
        [helper.make_tensor_value_info("variable", TensorProto.DOUBLE, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
