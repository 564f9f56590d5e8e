"""The recipe of one combination: how to train it, what to ask it, what its library answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ROWS = 500
FLOAT32 = 1e-5
LONG_FLOAT32 = 2e-5
FLOAT64 = 1e-12
RECURRENT = 1e-4


@dataclass
class Expected:
    """What the source library answers: an entry for each row, None where the model has no such output."""

    value: np.ndarray | None = None  # (rows,) or (rows, k)
    label: list[str] | None = None
    probabilities: np.ndarray | None = None  # (rows, k)
    raw: np.ndarray | None = None  # (rows, k)
    distances: np.ndarray | None = None  # (rows, k), of a clustering


@dataclass
class Trained:
    """A model in the forms the runner needs."""

    pushed: Any  # what the client's push() is given: a live model or the bytes of a file
    rows: Any  # what the library and the server are asked
    expected: Callable[[Any], Expected]
    sample: Any = None  # push()'s X_sample, where the converter needs one
    labels: list[str] | None = None
    options: dict[str, Any] = field(default_factory=dict)  # the import's
    tolerance: float | None = None  # in place of the recipe's: only the converted file tells its precision
    onnx: bytes | None = None  # of a converted model: to tell a converter's difference from the server's


@dataclass(frozen=True)
class Recipe:
    """One line of the table."""

    name: str
    source: str  # library, as the table says it
    format: str  # file
    task: str
    train: Callable[[], Trained]
    tolerance: float
    sees: str = "float32"  # the numbers that the library itself sees
    estimator: str = ""  # scikit-learn: for the census
    note: str = ""
    must_refuse: str = ""  # a word of the message with which the server must refuse it


class Registry:
    """The recipes of one source, in the order in which they were written."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.recipes: list[Recipe] = []

    def add(self, name: str, format: str, task: str, train: Callable[[], Trained], **rest: Any) -> None:
        if any(recipe.name == name for recipe in self.recipes):
            raise ValueError(f"two recipes are called {name}")
        self.recipes.append(Recipe(name, self.source, format, task, train, **rest))
