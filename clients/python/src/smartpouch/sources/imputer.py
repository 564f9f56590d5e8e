"""SimpleImputer in float64, for which skl2onnx (1.20) writes float32 numbers that onnxruntime does not take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smartpouch.errors import UnsupportedModel


def replace(convert: Callable[[Any, Any, Any], None]) -> Callable[[Any, Any, Any], None]:
    """A converter in place of skl2onnx's, which it leaves what it does right."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        if not _converted(scope, operator, container):
            convert(scope, operator, container)

    return converted


def _converted(scope: Any, operator: Any, container: Any) -> bool:
    """False where skl2onnx's converter is right."""
    import numpy as np
    from skl2onnx.common.data_types import DoubleTensorType, Int64TensorType
    from skl2onnx.operator_converters.common import concatenate_variables

    model = operator.raw_operator
    if model.add_indicator and model.indicator_.features_.size:
        raise UnsupportedModel(
            "skl2onnx leaves out the columns that SimpleImputer(add_indicator=True) adds",
            "Train it without add_indicator",
        )
    kinds = {type(each.type) for each in operator.inputs}
    replaces_nan = isinstance(model.missing_values, float) and np.isnan(model.missing_values)
    is_number = isinstance(model.missing_values, (int, float))
    if replaces_nan and kinds == {Int64TensorType}:
        # Integers are never NaN, and their mean, which skl2onnx refuses, need not be an integer.
        rows = concatenate_variables(scope, operator.inputs, container)
        container.add_node("Identity", rows, operator.outputs[0].full_name)
    elif is_number and kinds == {DoubleTensorType} and not _drops_columns(model):
        _choose(scope, operator, container, None if replaces_nan else float(model.missing_values))
    else:
        return False
    return True


def _drops_columns(model: Any) -> bool:
    """True if a column of the training data had no value at all."""
    import numpy as np

    return bool(np.isnan(model.statistics_.astype(np.float64)).any())


def _choose(scope: Any, operator: Any, container: Any, replaced: float | None) -> None:
    """Where(IsNaN(rows), statistics, rows), or Equal instead of IsNaN for a number that stands for missing values."""
    from skl2onnx.operator_converters.common import concatenate_variables
    from skl2onnx.proto import onnx_proto

    def constant(name: str, numbers: list[float]) -> str:
        unique: str = scope.get_unique_variable_name(name)
        container.add_initializer(unique, onnx_proto.TensorProto.DOUBLE, [1, len(numbers)], numbers)
        return unique

    def node(kind: str, inputs: list[str], output: str, since: int) -> None:
        container.add_node(kind, inputs, output, op_version=since, name=scope.get_unique_operator_name(kind))

    rows = concatenate_variables(scope, operator.inputs, container)
    missing = scope.get_unique_variable_name("missing")
    if replaced is None:
        node("IsNaN", [rows], missing, 13)
    else:
        node("Equal", [rows, constant("replaced", [replaced])], missing, 13)
    filled = constant("filled", [float(number) for number in operator.raw_operator.statistics_])
    node("Where", [missing, filled, rows], operator.outputs[0].full_name, 9)
