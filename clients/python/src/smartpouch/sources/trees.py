"""Trees behind other steps, seeing the numbers that they see in Python.

The converters of skl2onnx (1.20) and onnxmltools (1.16) give trees whatever float type the step before
has, and write float32 thresholds whatever the model has.  scikit-learn's trees and XGBoost round rows to
float32; scikit-learn's histogram boosting and LightGBM compare float64 numbers with float64 thresholds.
A row on a threshold takes another branch if this is not kept, and rows of the training data are on many.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from smartpouch.errors import UnsupportedModel
from smartpouch.sources.nodes import Nodes, best_label

Converter = Callable[[Any, Any, Any], None]


def on_float32(convert: Converter) -> Converter:
    """A converter whose trees see rows rounded to float32."""
    from skl2onnx.common.data_types import FloatTensorType

    return _with_rows(convert, FloatTensorType)


def on_float64(convert: Converter) -> Converter:
    """A converter whose trees see float64 rows, and have float64 thresholds."""
    from skl2onnx.common.data_types import DoubleTensorType

    def exact_convert(scope: Any, operator: Any, container: Any) -> None:
        convert(scope, operator, _Trees(container, _with_doubles))

    return _with_rows(exact_convert, DoubleTensorType)


def _with_missing(convert: Converter) -> Converter:
    """on_float32, with the way that a missing value takes at each split, which skl2onnx leaves out.

    scikit-learn's trees have one for every split, also where no value was missing in training: it leads to
    the child with more rows.
    """

    def directed(scope: Any, operator: Any, container: Any) -> None:
        convert(scope, operator, _Trees(container, _Directions(operator.raw_operator)))

    rounded = on_float32(directed)

    def converted(scope: Any, operator: Any, container: Any) -> None:
        from sklearn.utils import get_tags

        takes_missing = get_tags(operator.raw_operator).input_tags.allow_nan
        (rounded if takes_missing else on_float32(convert))(scope, operator, container)

    return converted


def with_counted_votes(convert: Converter) -> Converter:
    """_with_missing, for a forest of classifiers inside another estimator: shares of its trees, not rounded.

    Others take sums of them or compare them with thresholds, and a share that is off by the last digit of
    float32 is on another side.  So the trees' own shares are added up, and the sum divided in float64.
    """

    def counted(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        if getattr(model, "n_outputs_", 1) == 1:
            container = _Votes(scope, container, model)
        convert(scope, operator, container)

    return _with_missing(counted)


class _Votes:
    """A container of nodes in which a forest sums shares and divides the sum by the number of its trees."""

    def __init__(self, scope: Any, container: Any, model: Any) -> None:
        self._scope, self._container, self._classes = scope, container, model.classes_
        self._values = [each.tree_.value[:, 0, :] for each in model.estimators_]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, inputs: Any, outputs: Any, **attributes: Any) -> None:
        """As skl2onnx's own."""
        import numpy as np

        if op_type != "TreeEnsembleClassifier":
            self._container.add_node(op_type, inputs, outputs, **attributes)
            return
        # Of two classes it would have one; so it is the trees of numbers, one for each class.
        kept = {name: each for name, each in attributes.items() if not name.startswith("class")}
        total = self._scope.get_unique_variable_name("votes")
        self._container.add_node(
            "TreeEnsembleRegressor", inputs, total, **kept, **self._shares(attributes), n_targets=len(self._classes)
        )
        nodes = Nodes(self._scope, self._container)
        exact = nodes.add("Cast", [total], 13, to=11)
        nodes.add("Div", [exact, nodes.constant(np.array([float(len(self._values))]))], 14, output=outputs[1])
        best_label(nodes, outputs[1], self._classes, outputs[0])

    def _shares(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """The attributes of targets: the shares of all classes at every leaf."""
        import numpy as np

        leaves = dict.fromkeys(zip(attributes["class_treeids"], attributes["class_nodeids"], strict=True))
        found = [(*leaf, *each) for leaf in leaves for each in enumerate(self._values[leaf[0]][leaf[1]].tolist())]
        treeids, nodeids, ids, weights = zip(*found, strict=True)
        return {
            "target_treeids": list(treeids),
            "target_nodeids": list(nodeids),
            "target_ids": list(ids),
            "target_weights": np.array(weights, dtype=np.float32),
        }


def _histograms(convert: Callable[..., None]) -> Converter:
    """float64, for converters that round the numbers themselves unless the operator is one with tensors."""
    versioned = on_float64(partial(convert, op_version=3))

    def converted(scope: Any, operator: Any, container: Any) -> None:
        categorical = getattr(operator.raw_operator, "is_categorical_", None)
        if categorical is not None and categorical.any():
            kind = type(operator.raw_operator).__name__
            raise UnsupportedModel(
                f"this {kind} has categorical features, which skl2onnx takes for numbers",
                "Train it without categorical_features, on a OneHotEncoder's columns",
            )
        versioned(scope, operator, container)

    return converted


def _with_rows(convert: Converter, wanted: Any) -> Converter:
    """A converter that sees one input of a float type."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        given = operator.inputs
        if len(given) == 1 and isinstance(given[0].type, _other(wanted)):
            operator.inputs = [_cast(scope, given[0], wanted, container)]
        try:
            convert(scope, operator, container)
        finally:
            operator.inputs = given

    return converted


def _other(wanted: Any) -> Any:
    """Types that are cast: converters of trees on float32 take integers by themselves."""
    from skl2onnx.common.data_types import BooleanTensorType, DoubleTensorType, FloatTensorType, Int64TensorType

    return (FloatTensorType, Int64TensorType, BooleanTensorType) if wanted is DoubleTensorType else DoubleTensorType


def _cast(scope: Any, rows: Any, wanted: Any, container: Any) -> Any:
    """A variable of the type with the rows' numbers."""
    from skl2onnx.common._topology import Variable
    from skl2onnx.common.data_types import guess_proto_type

    name = scope.get_unique_variable_name("rounded")
    found = Variable(name, name, scope.name, wanted(rows.type.shape))
    found.init_status(is_fed=True)
    _add_cast(scope, rows.full_name, name, guess_proto_type(found.type), container)
    return found


def _add_cast(scope: Any, rows: str, output: str, to: int, container: Any) -> None:
    container.add_node("Cast", rows, output, name=scope.get_unique_operator_name("Cast"), to=to, op_version=13)


class _Trees:
    """A container of nodes that gives trees other attributes."""

    def __init__(self, container: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        self._container = container
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, *rest: Any, **attributes: Any) -> None:
        """As skl2onnx's own."""
        if op_type.startswith("TreeEnsemble"):
            attributes = self._change(attributes)
        self._container.add_node(op_type, *rest, **attributes)


class _Directions:
    """The attributes of trees with nodes_missing_value_tracks_true: 1 if a missing value goes left."""

    def __init__(self, model: Any) -> None:
        members = model.estimators_ if hasattr(model, "estimators_") else [model]
        self._left = [each.tree_.missing_go_to_left for each in members]
        self._seen = 0

    def __call__(self, attributes: dict[str, Any]) -> dict[str, Any]:
        trees = attributes["nodes_treeids"]
        # An isolation forest has an operator for each tree, and a tree may have a second one for its leaves.
        first = self._seen % len(self._left)
        self._seen += 1 + max(trees)
        ways = [
            int(mode != "LEAF" and self._left[first + tree][node])
            for tree, node, mode in zip(trees, attributes["nodes_nodeids"], attributes["nodes_modes"], strict=True)
        ]
        return {**attributes, "nodes_missing_value_tracks_true": ways}


def _with_doubles(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes with their numbers in float64, which plain ones would round."""
    kept = {name: each for name, each in attributes.items() if name not in _NUMBERS}
    return {**kept, **_as_tensors(attributes), "op_version": 3}


_NUMBERS = ("nodes_values", "nodes_hitrates", "class_weights", "target_weights", "base_values")


def _as_tensors(attributes: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    from onnx import numpy_helper

    found = {name: np.asarray(attributes[name], dtype=np.float64) for name in _NUMBERS if name in attributes}
    return {f"{name}_as_tensor": numpy_helper.from_array(numbers.ravel()) for name, numbers in found.items()}


_KINDS = ("Classifier", "Regressor")
_WITH_MISSING = ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")

REPLACEMENTS: dict[str, Callable[[Converter], Converter]] = {
    **{f"Sklearn{name}{kind}": _with_missing for name in _WITH_MISSING for kind in _KINDS},
    "SklearnIsolationForest": _with_missing,
    **{f"SklearnGradientBoosting{kind}": on_float32 for kind in _KINDS},
    # Its own converter mixes both types; its trees would round each by itself.
    "SklearnAdaBoostClassifier": on_float32,
    **{f"SklearnHistGradientBoosting{kind}": _histograms for kind in _KINDS},
}
