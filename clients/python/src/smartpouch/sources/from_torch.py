"""PyTorch through torch.onnx: small networks on rows, and window models on channels x time."""

from __future__ import annotations

import io
import logging
from typing import Any

from smartpouch.answers import Answers
from smartpouch.errors import UnsupportedModel
from smartpouch.sources.converted import RECURRENT, Converted


def convert(model: Any, sample: Any) -> Converted:
    """The ONNX form of a module, traced on two rows of the sample."""
    import torch

    if sample is None:
        raise UnsupportedModel(
            "a PyTorch module does not say what its input looks like", "Pass X_sample, some rows of input"
        )
    rows = _tensor(torch, sample)
    training = model.training
    # Dropout and batch normalisation answer differently while training.
    model.eval()
    try:
        data = _export(torch, model, rows[:2])
    finally:
        model.train(training)
    return Converted(data, tolerance=RECURRENT, reference=lambda given: _answers(torch, model, given))


def _tensor(torch: Any, rows: Any) -> Any:
    if isinstance(rows, torch.Tensor):
        return rows
    if hasattr(rows, "to_numpy"):
        rows = rows.to_numpy()
    return torch.as_tensor(rows, dtype=torch.float32)


def _export(torch: Any, model: Any, rows: Any) -> bytes:
    try:
        import onnxscript  # noqa: F401 - torch's exporter fails late without it
    except ImportError:
        raise UnsupportedModel(
            "PyTorch's exporter needs the package onnxscript", "Install it: pip install 'smartpouch[torch]'"
        ) from None
    batch = torch.export.Dim("batch")
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    # It warns about optional packages that no tabular model needs.
    logger.setLevel(logging.ERROR)
    try:
        program = torch.onnx.export(
            model, (rows,), dynamo=True, dynamic_shapes=({0: batch},), input_names=["X"], verbose=False
        )
    except Exception as error:  # the exporter raises many kinds, and each means: not this one
        raise UnsupportedModel(
            f"torch.onnx cannot export this module: {error}",
            "Write its forward() with operations on one tensor of rows, without control flow on values",
        ) from error
    finally:
        logger.setLevel(level)
    buffer = io.BytesIO()
    program.save(buffer)
    return buffer.getvalue()


def _answers(torch: Any, model: Any, rows: Any) -> Answers:
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            found = model(_tensor(torch, rows))
    finally:
        model.train(training)
    if not isinstance(found, torch.Tensor):
        raise UnsupportedModel(
            f"the module answers with a {type(found).__name__}, not one tensor",
            "Write a module around it that gives one tensor",
        )
    return Answers(value=found.reshape(len(found), -1))
