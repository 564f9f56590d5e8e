"""What every converter of this folder gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from smartpouch.answers import Answers

# By the precision the source library works in: float32, float64, long float32 recurrences.
FLOAT32 = 1e-5
FLOAT64 = 1e-12
RECURRENT = 1e-4


@dataclass(frozen=True)
class Converted:
    """A model file, what the file does not say, and the live model's own answers."""

    data: bytes
    feature_names: list[str] | None = None
    labels: list[str] | None = None
    tolerance: float = FLOAT32
    reference: Callable[[Any], Answers] | None = None
    # The file may know the categories of a data frame by their codes alone, the live model knows them by themselves.
    categories_as_codes: bool = False
    # For the server's import, unless the caller chooses iterations.
    options: Mapping[str, Any] = field(default_factory=dict)
