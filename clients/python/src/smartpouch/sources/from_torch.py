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
    _check(torch, model)
    rows = _tensor(torch, sample)
    training = model.training
    # Dropout and batch normalisation answer differently while training.
    model.eval()
    try:
        data = _export(torch, model, rows[:2])
    finally:
        model.train(training)
    return Converted(data, tolerance=RECURRENT, reference=lambda given: _answers(torch, model, given))


_ATTENTION = (
    "Write it as softmax(q @ k.transpose(1, 2)) @ v on (rows, time, features), with a Linear layer for q, k and v each"
)
_ATTENDING = ("MultiheadAttention", "Transformer", "TransformerDecoderLayer", "TransformerEncoderLayer")
# By the name of a class, what the server does not take and what to do instead.
_INSTEAD = {
    **dict.fromkeys(_ATTENDING, _ATTENTION),
    **dict.fromkeys(("Conv2d", "Conv3d"), "Take Conv1d on (rows, channels, time): images are no rows of a table"),
    **dict.fromkeys(("ConvTranspose1d", "Upsample"), "Take a Linear layer, which can hold the same numbers"),
    "EmbeddingBag": "Take Embedding, and mean(1) or sum(1) behind it",
}


def _check(torch: Any, model: Any) -> None:
    """Raise UnsupportedModel for a layer that becomes operators which the server does not take."""
    for name, each in model.named_modules():
        where = f"the layer {name!r}" if name else "the module"
        kind = type(each).__name__
        if kind in _INSTEAD and type(each).__module__.startswith("torch.nn"):
            raise UnsupportedModel(f"{where} is a {kind}, which the server does not take", _INSTEAD[kind])
        if getattr(each, "proj_size", 0):
            raise UnsupportedModel(
                f"{where} is an {kind} with proj_size={each.proj_size}, which the server does not take",
                "Train it with proj_size=0 and a Linear layer behind it",
            )
    kinds = {each.dtype for each in model.parameters()} - {torch.float32, torch.float64}
    if kinds:
        raise UnsupportedModel(
            f"the module has parameters of {', '.join(sorted(map(str, kinds)))}, which the server does not take",
            "Push model.float(), which computes in float32",
        )


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
            f"torch.onnx cannot export this module: {_reason(error)}",
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


def _reason(error: Exception) -> str:
    """What the exporter says first of what went wrong, without its pages of advice."""
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"
