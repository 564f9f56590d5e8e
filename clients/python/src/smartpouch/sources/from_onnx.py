"""ONNX models: as they are; onnxruntime answers the golden rows if it is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smartpouch.answers import Answers, plain_label
from smartpouch.errors import UnsupportedModel
from smartpouch.rows import is_polars
from smartpouch.sources.converted import Converted


def convert(model: Any, sample: Any) -> Converted:
    """The serialized form of a ModelProto."""
    if not hasattr(model, "SerializeToString") or not hasattr(model, "graph"):
        raise UnsupportedModel(f"a {type(model).__name__} is only a part of an ONNX model", "Pass the ModelProto")
    data: bytes = model.SerializeToString()
    return Converted(data, reference=reference(data))


def reference(data: bytes) -> Callable[[Any], Answers] | None:
    """What onnxruntime answers to rows, if it is installed."""
    try:
        import onnxruntime
    except ImportError:
        return None

    def answers(rows: Any) -> Answers:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        return _named(session.run(None, _feed(session, rows)))

    return answers


def _feed(session: Any, rows: Any) -> dict[str, Any]:
    """One array for one input, one column for each of several."""
    import numpy as np

    types = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    inputs = session.get_inputs()
    if len(inputs) == 1:
        return {inputs[0].name: np.asarray(rows).astype(types.get(inputs[0].type, object))}
    if is_polars(rows):
        rows = rows.rows()
    table = np.asarray(rows, dtype=object)
    return {each.name: table[:, [at]].astype(types.get(each.type, object)) for at, each in enumerate(inputs)}


def _named(outputs: list[Any]) -> Answers:
    """Label and probabilities if the first output is labels, else a value."""
    first = outputs[0]
    if first.dtype.kind not in "iuOSU":
        return Answers(value=first)
    scores = outputs[1] if len(outputs) > 1 else None
    if isinstance(scores, list):  # ZipMap: a dictionary for each row
        scores = [list(row.values()) for row in scores]
    return Answers(label=[plain_label(label) for label in first.ravel()], probabilities=scores)
