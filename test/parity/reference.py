"""What the reference runtime says about a converted file.

A converter may round a threshold or a weight, so that the ONNX file is not quite the model that
was trained.  A row is excused only if onnxruntime, running the file, differs from the library
too and agrees with the server.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from compare import Difference, differences, plain_label
from recipe import Expected, Trained


def excused_rows(
    trained: Trained, expected: Expected, got: dict[str, Any], found: list[Difference], tolerance: float
) -> set[int]:
    """Rows on which the file, not the server, differs from the library."""
    if not found or trained.onnx is None:
        return set()
    count = len(trained.rows)
    runtime = run(trained.onnx, trained.rows, "probabilities" if "probabilities" in got else "raw")
    if runtime is None:
        return set()
    differs = {each.row for each in differences(expected, vars(runtime), count, tolerance)}
    unlike = {each.row for each in differences(runtime, got, count, tolerance)}
    return ({each.row for each in found} & differs) - unlike


def run(data: bytes, rows: Any, scores: str = "probabilities") -> Expected | None:
    """onnxruntime's answers, a classifier's scores under that name; None if it cannot run the file on these rows."""
    outputs = outputs_of(data, rows)
    return None if isinstance(outputs, str) else named(outputs, scores)


def complaint(trained: Trained) -> str:
    """Why onnxruntime cannot run a converted file, or nothing."""
    outputs = outputs_of(trained.onnx, trained.rows) if trained.onnx else []
    return outputs if isinstance(outputs, str) else ""


def outputs_of(data: bytes, rows: Any) -> list[Any] | str:
    """What onnxruntime answers, or what it complains about."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        outputs: list[Any] = session.run(None, feed(session, rows))
    except Exception as error:  # its errors have no common class
        return str(error).splitlines()[0]
    return outputs


def feed(session: Any, rows: Any) -> dict[str, Any]:
    types = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64}
    inputs = session.get_inputs()
    if len(inputs) == 1:
        return {inputs[0].name: np.asarray(rows).astype(types.get(inputs[0].type, object))}
    table = np.asarray(rows, dtype=object)
    given, first = {}, 0
    for each in inputs:
        width = math.prod(each.shape[1:])
        columns = table[:, first:first + width].astype(types.get(each.type, object))
        given[each.name] = columns.reshape(len(table), *each.shape[1:])
        first += width
    return given


def several_targets(scores: Any, rows: int) -> np.ndarray:
    """Scores of several targets, a tensor for each or an axis of its own, target after target in each row."""
    if isinstance(scores, list):
        return np.hstack(scores)
    return scores if len(scores) == rows else np.hstack(list(scores))


def named(outputs: list[Any], as_what: str) -> Expected:
    """The outputs as this suite calls them, by their types alone."""
    first = np.asarray(outputs[0])
    if first.dtype.kind in "iu" and first.ndim == 2 and first.shape[1] > 1 and len(outputs) > 1:
        return Expected(value=first, raw=several_targets(outputs[1], len(first)))
    if first.dtype.kind not in "iuOSU" or len(outputs) < 2:
        return Expected(value=first.reshape(len(first), -1))
    label = [plain_label(each) for each in first.ravel()] if first.size == len(first) else None
    scores = outputs[1]
    if isinstance(scores, list):
        scores = np.array([list(row.values()) for row in scores]) if isinstance(scores[0], dict) else None
    if as_what == "raw" and scores is not None and scores.ndim == 2 and scores.shape[1] == 2:
        scores = scores[:, 1:]  # the margin of the second class, as the server and the libraries tell it
    return Expected(label=label, **{as_what: scores})
