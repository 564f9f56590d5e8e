"""PyTorch through torch.onnx: small networks on rows, and window models on channels of recordings.

Most are exported as the client does; some by both exporters of torch.onnx, in every opset that they write.

The library computes in float32; rows are float32 numbers.  A window is given to the server as one row,
channel after channel.  Expected numbers come from the module in evaluation mode.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxscript  # noqa: F401 - without it the group is not installed
import torch
from smartpouch.sources import convert
from torch import nn

import data
from extremes import dense_rows
from recipe import LONG_FLOAT32, RECURRENT, ROWS, Expected, Registry, Trained

registry = Registry("PyTorch")
CHANNELS, LENGTH, CLASSES = 3, 16, 3


class Recurrent(nn.Module):
    """A recurrent layer over time, the last state into a linear head."""

    def __init__(self, kind: type, layers: int = 1, hidden: int = 8) -> None:
        super().__init__()
        self.layer = kind(CHANNELS, hidden, num_layers=layers, batch_first=True)
        self.head = nn.Linear(hidden, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Class scores of windows (rows, channels, time)."""
        found, _ = self.layer(x.transpose(1, 2))
        return self.head(found[:, -1, :])


class Residual(nn.Module):
    """Two linear layers around which the input is added."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One value for each row."""
        return self.head(self.norm(x + self.inner(x)))


class Embedded(nn.Module):
    """Two categories as codes, each an input of its own, and one of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.site, self.kind = nn.Embedding(7, 4), nn.Embedding(5, 3)
        self.head = nn.Sequential(nn.Linear(4 + 3 + 2, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, site: torch.Tensor, kind: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """One value for each row; the categories have the shape (rows,)."""
        return self.head(torch.cat([self.site(site), self.kind(kind), x], 1))


class Together(nn.Module):
    """A window and a table of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv1d(CHANNELS, 4, 3, padding="same"), nn.Linear(4 + 2, CLASSES)

    def forward(self, window: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Probabilities of classes."""
        return torch.softmax(self.head(torch.cat([torch.relu(self.conv(window)).amax(-1), x], 1)), 1)


def fitted(module: nn.Module, X: np.ndarray, y: np.ndarray, loss: Any, steps: int = 30) -> nn.Module:
    """A few steps of training, so that weights and running statistics are not those of the start."""
    rows = torch.as_tensor(X, dtype=torch.float32)
    target = torch.as_tensor(y, dtype=torch.long if loss is nn.functional.cross_entropy else torch.float32)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    module.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(module(rows).squeeze(-1), target).backward()
        optimizer.step()
    return module.eval()


def answers(module: nn.Module, rows: np.ndarray) -> Expected:
    with torch.no_grad():
        found = module(torch.as_tensor(rows, dtype=torch.float32))
    return Expected(value=found.reshape(len(rows), -1).numpy())


def recipe(build: Callable[[], nn.Module], source: Callable[[], data.Data], windows: bool) -> Callable[[], Trained]:
    def train() -> Trained:
        torch.manual_seed(data.SEED)
        torch.set_num_threads(1)
        used = source()
        is_class = used.y.dtype.kind == "i"
        loss = nn.functional.cross_entropy if is_class else nn.functional.mse_loss
        module = fitted(build(), used.X, used.y, loss)
        rows = window_rows(used.held) if windows else dense_rows(used.held, scale=10.0)
        converted = convert(module, rows.astype(np.float32))
        return Trained(converted.data, rows, lambda given: answers(module, given), onnx=converted.data)

    return train


def window_rows(held: np.ndarray) -> np.ndarray:
    """Recordings, some with a channel that is silent, tiny or too loud."""
    rows = held[np.arange(ROWS) % len(held)].astype(np.float32)
    rows[300:350, 0] = 0
    rows[350:400, 1] *= np.float32(1e-38)
    rows[400:450, 2] *= 10
    return rows.astype(np.float64)


def mlp(activation: Callable[[], nn.Module], outputs: int = 1, width: int = 6) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(width, 16), activation(), nn.Linear(16, 8), activation(),
                                 nn.Linear(8, outputs))


MLPS = {
    "relu": mlp(nn.ReLU), "leaky_relu": mlp(nn.LeakyReLU), "elu": mlp(nn.ELU), "selu": mlp(nn.SELU),
    "sigmoid": mlp(nn.Sigmoid), "tanh": mlp(nn.Tanh), "softplus": mlp(nn.Softplus), "gelu": mlp(nn.GELU),
    "hardsigmoid": mlp(nn.Hardsigmoid), "silu": mlp(nn.SiLU), "residual": lambda: Residual(6),
    "batchnorm": lambda: nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 1)),
    "dropout": lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 1)),
}
HEADS = {
    "logits": lambda: mlp(nn.ReLU, 3, 8)(),
    "softmax": lambda: nn.Sequential(mlp(nn.ReLU, 3, 8)(), nn.Softmax(dim=1)),
    "log_softmax": lambda: nn.Sequential(mlp(nn.ReLU, 3, 8)(), nn.LogSoftmax(dim=1)),
}
FLAT = 8 * (LENGTH // 2)
WINDOWS = {
    "conv": lambda: nn.Sequential(nn.Conv1d(CHANNELS, 8, 3, padding=1), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(),
                                  nn.Linear(FLAT, CLASSES)),
    "conv_average": lambda: nn.Sequential(nn.Conv1d(CHANNELS, 8, 5, stride=2), nn.ReLU(), nn.AvgPool1d(2),
                                          nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, CLASSES)),
    "conv_batchnorm": lambda: nn.Sequential(nn.Conv1d(CHANNELS, 8, 3, padding=2, dilation=2), nn.BatchNorm1d(8),
                                            nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, CLASSES)),
    "conv_grouped": lambda: nn.Sequential(nn.Conv1d(CHANNELS, 6, 3, groups=3), nn.Tanh(), nn.AdaptiveAvgPool1d(1),
                                          nn.Flatten(), nn.Linear(6, CLASSES)),
    "lstm": lambda: Recurrent(nn.LSTM),
    "lstm_2_layers": lambda: Recurrent(nn.LSTM, layers=2),
    "gru": lambda: Recurrent(nn.GRU),
    "gru_2_layers": lambda: Recurrent(nn.GRU, layers=2),
}


# Exporters with the opsets that they write.
EXPORTS = [("script", opset) for opset in (9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23)]
EXPORTS += [("dynamo", opset) for opset in (18, 19, 20, 21, 22, 23)]
EXPORTED: dict[str, tuple[Callable[[], nn.Module], Callable[[int], list[torch.Tensor]], float]] = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 8),
                                  nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 2)),
            lambda rows: [torch.randn(rows, 6)], LONG_FLOAT32),
    "conv": (lambda: nn.Sequential(nn.Conv1d(CHANNELS, 8, 5), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2),
                                   nn.ReflectionPad1d(1), nn.Conv1d(8, 4, 3), nn.InstanceNorm1d(4, affine=True),
                                   nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, CLASSES)),
             lambda rows: [torch.randn(rows, CHANNELS, LENGTH)], RECURRENT),
    "lstm": (lambda: Recurrent(nn.LSTM), lambda rows: [torch.randn(rows, CHANNELS, LENGTH)], RECURRENT),
    "gru": (lambda: Recurrent(nn.GRU), lambda rows: [torch.randn(rows, CHANNELS, LENGTH)], RECURRENT),
    "embedding": (Embedded, lambda rows: [torch.randint(0, 7, (rows,)), torch.randint(0, 5, (rows,)), torch.randn(rows, 2)],
                  LONG_FLOAT32),
    "together": (Together, lambda rows: [torch.randn(rows, CHANNELS, LENGTH), torch.randn(rows, 2)], RECURRENT),
}


def exported(module: nn.Module, inputs: list[torch.Tensor], exporter: str, opset: int) -> bytes:
    """The file that torch.onnx writes, without what it prints meanwhile."""
    names, file = [f"input {at}" for at in range(len(inputs))], io.BytesIO()
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            if exporter == "script":
                torch.onnx.export(module, tuple(inputs), file, dynamo=False, opset_version=opset, input_names=names,
                                  dynamic_axes={name: {0: "rows"} for name in names})
                return file.getvalue()
            rows = torch.export.Dim("rows")
            program = torch.onnx.export(module, tuple(inputs), dynamo=True, opset_version=opset, input_names=names,
                                        dynamic_shapes=tuple({0: rows} for _ in inputs))
            return program.model_proto.SerializeToString()
    finally:
        logging.disable(logging.NOTSET)


def export_recipe(name: str, exporter: str, opset: int) -> Callable[[], Trained]:
    """Weights as they start, statistics as a few batches leave them."""
    build, sample, _ = EXPORTED[name]

    def train() -> Trained:
        torch.manual_seed(data.SEED)
        torch.set_num_threads(1)
        module = build()
        for _ in range(3):
            module(*sample(64))
        module.eval()
        inputs = sample(ROWS)
        artifact = exported(module, [each[:4] for each in inputs], exporter, opset)
        with torch.no_grad():
            found = module(*inputs).numpy()
        rows = torch.cat([each.reshape(ROWS, -1).to(torch.float64) for each in inputs], 1).numpy()
        return Trained(artifact, rows, lambda _: Expected(value=found), onnx=artifact)

    return train


def register() -> None:
    """All combinations of this library."""
    for short, build in MLPS.items():
        add(f"mlp_{short}", "regression", recipe(build, data.regression, False), LONG_FLOAT32)
    for short, build in HEADS.items():
        add(f"mlp_{short}", "classification", recipe(build, data.classes, False), LONG_FLOAT32)
    for short, build in WINDOWS.items():
        train = recipe(build, data.windows, True)
        add(f"window_{short}", "classification, windows", train, RECURRENT)
    for short, (_, _, tolerance) in EXPORTED.items():
        for exporter, opset in EXPORTS:
            task = "regression" if short in ("mlp", "embedding") else "classification, windows"
            registry.add(f"torch_{short}_{exporter}_{opset}", f"ONNX, {exporter}, opset {'9' if exporter == 'script' else '18'} to 23",
                         task, export_recipe(short, exporter, opset), tolerance=tolerance)


def add(short: str, task: str, train: Callable[[], Trained], tolerance: float) -> None:
    registry.add(f"torch_{short}", "ONNX", task, train, tolerance=tolerance)


register()
