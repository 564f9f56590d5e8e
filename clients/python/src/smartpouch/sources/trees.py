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

Converter = Callable[[Any, Any, Any], None]


def on_float32(convert: Converter) -> Converter:
    """A converter whose trees see rows rounded to float32."""
    from skl2onnx.common.data_types import FloatTensorType

    return _with_rows(convert, FloatTensorType)


def on_float64(convert: Converter) -> Converter:
    """A converter whose trees see float64 rows, and have float64 thresholds."""
    from skl2onnx.common.data_types import DoubleTensorType

    def exact_convert(scope: Any, operator: Any, container: Any) -> None:
        convert(scope, operator, _DoubleThresholds(container))

    return _with_rows(exact_convert, DoubleTensorType)


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


class _DoubleThresholds:
    """A container of nodes whose trees keep their float64 numbers, which plain attributes would round."""

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, op_type: str, *rest: Any, **attributes: Any) -> None:
        """As skl2onnx's own."""
        if op_type.startswith("TreeEnsemble"):
            attributes = {**attributes, **_as_tensors(attributes), "op_version": 3}
            attributes = {name: each for name, each in attributes.items() if name not in _NUMBERS}
        self._container.add_node(op_type, *rest, **attributes)


_NUMBERS = ("nodes_values", "nodes_hitrates", "class_weights", "target_weights", "base_values")


def _as_tensors(attributes: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    from onnx import numpy_helper

    found = {name: np.asarray(attributes[name], dtype=np.float64) for name in _NUMBERS if name in attributes}
    return {f"{name}_as_tensor": numpy_helper.from_array(numbers.ravel()) for name, numbers in found.items()}


_KINDS = ("Classifier", "Regressor")
_FLOAT32 = ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees", "GradientBoosting")

REPLACEMENTS: dict[str, Callable[[Converter], Converter]] = {
    **{f"Sklearn{name}{kind}": on_float32 for name in _FLOAT32 for kind in _KINDS},
    "SklearnIsolationForest": on_float32,
    # Its own converter mixes both types; its trees would round each by itself.
    "SklearnAdaBoostClassifier": on_float32,
    **{f"SklearnHistGradientBoosting{kind}": _histograms for kind in _KINDS},
}
