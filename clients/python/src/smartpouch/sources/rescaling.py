"""Normalizer and KBinsDiscretizer in float64.

skl2onnx (1.20) divides rows of zeros by 0, takes the greatest number of a row for its greatest magnitude,
compares with edges rounded to float32, and has no indicators of bins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smartpouch.sources.nodes import Nodes

Converter = Callable[[Any, Any, Any], None]


def normalizer(convert: Converter) -> Converter:
    """In place of skl2onnx's converter of Normalizer, for rows of one tensor of floats."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        import numpy as np
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

        (*_, rows) = operator.inputs
        if len(operator.inputs) > 1 or not isinstance(rows.type, (DoubleTensorType, FloatTensorType)):
            convert(scope, operator, container)
            return
        dtype = np.float64 if isinstance(rows.type, DoubleTensorType) else np.float32
        nodes, axis = Nodes(scope, container), np.array([1], dtype=np.int64)
        norm = operator.raw_operator.norm
        given = rows.full_name if norm == "l2" else nodes.add("Abs", [rows.full_name], 13)
        since = {"ReduceL2": 18, "ReduceSum": 13, "ReduceMax": 18}
        kind = {"l2": "ReduceL2", "l1": "ReduceSum", "max": "ReduceMax"}[norm]
        length = nodes.add(kind, [given, nodes.constant(axis)], since[kind])
        # scikit-learn leaves rows as they are whose norm is next to nothing.
        least = nodes.constant(np.array([[10 * np.finfo(dtype).eps]], dtype=dtype))
        one = nodes.constant(np.ones((1, 1), dtype=dtype))
        divisor = nodes.add("Where", [nodes.add("Less", [length, least], 13), one, length], 9)
        nodes.add("Div", [rows.full_name, divisor], 14, output=operator.outputs[0].full_name)

    return converted


def bins(convert: Converter) -> Converter:
    """In place of skl2onnx's converter of KBinsDiscretizer, for rows of one tensor."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        if len(operator.inputs) > 1:
            convert(scope, operator, container)
            return
        model, nodes = operator.raw_operator, Nodes(scope, container)
        rows = nodes.add("Cast", [operator.inputs[0].full_name], 13, to=11)
        found = [
            _bin(nodes, nodes.column(rows, at), edges, model.encode == "ordinal")
            for at, edges in enumerate(model.bin_edges_)
        ]
        nodes.add("Concat", found, 13, output=operator.outputs[0].full_name, axis=1)

    return converted


def _bin(nodes: Nodes, column: str, edges: Any, is_ordinal: bool) -> str:
    """The number of a value's bin, or an indicator for each bin."""
    import numpy as np

    inner = np.asarray(edges, dtype=np.float64)[None, 1:-1]
    if inner.size:
        above = nodes.add("Cast", [nodes.add("GreaterOrEqual", [column, nodes.constant(inner)], 16)], 13, to=11)
        place = nodes.add("ReduceSum", [above, nodes.constant(np.array([1], dtype=np.int64))], 13)
    else:
        place = nodes.add("Cast", [nodes.add("Less", [column, column], 13)], 13, to=11)
    if is_ordinal:
        return place
    numbers = nodes.constant(np.arange(inner.size + 1, dtype=np.float64)[None, :])
    return nodes.add("Cast", [nodes.add("Equal", [place, numbers], 13)], 13, to=11)
