"""Comparing the server's answers with the source library's, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recipe import Expected

OUTPUTS = ("value", "probabilities", "raw", "distances")


@dataclass(frozen=True)
class Difference:
    """One row that differs."""

    row: int
    output: str
    expected: Any
    got: Any


def plain_label(label: Any) -> str:
    text = str(label)
    number = label if isinstance(label, float) else None
    return str(int(number)) if number is not None and number.is_integer() else text


def as_rows(numbers: Any, rows: int) -> np.ndarray:
    """Numbers with a row for each row; null, which the server writes for what is not finite, as NaN."""
    if isinstance(numbers, np.ndarray) and numbers.dtype != object:
        return numbers.reshape(rows, -1).astype(np.float64)
    flat = [np.ravel(np.array(each, dtype=object)) for each in numbers]
    return np.array([[np.nan if cell is None else float(cell) for cell in row] for row in flat])


def apart(expected: np.ndarray, got: np.ndarray, tolerance: float, *, exact_kinds: bool) -> np.ndarray:
    """Which rows differ; infinite and NaN are equal by kind, where the server's form can tell them."""
    if expected.shape != got.shape:
        return np.ones(len(expected), dtype=bool)
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(expected - got) <= tolerance * np.maximum(1.0, np.abs(expected))
    same_kind = (np.isnan(expected) & np.isnan(got)) | (expected == got)
    if not exact_kinds:
        same_kind |= ~np.isfinite(expected) & ~np.isfinite(got)
    return ~(np.where(np.isfinite(expected) & np.isfinite(got), near, same_kind).all(axis=1))


def tied(scores: np.ndarray | None, rows: int, tolerance: float) -> np.ndarray:
    """Rows whose two best scores lie within the tolerance: either label is right."""
    if scores is None:
        return np.zeros(rows, dtype=bool)
    scores = as_rows(scores, rows)
    if scores.shape[1] == 1:  # a margin: 0 is the border
        return np.abs(scores[:, 0]) <= tolerance
    best = np.sort(scores, axis=1)
    return best[:, -1] - best[:, -2] <= tolerance * np.maximum(1.0, np.abs(best[:, -1]))


def differences(
    expected: Expected, got: dict[str, Any], rows: int, tolerance: float, *, exact_kinds: bool = False
) -> list[Difference]:
    """Every row that differs in an output that both sides have."""
    found = []
    for output in OUTPUTS:
        wanted, given = getattr(expected, output), got.get(output)
        if wanted is None or given is None:
            continue
        wanted, given = as_rows(wanted, rows), as_rows(given, rows)
        if output == "raw" and (wanted.shape[1], given.shape[1]) == (1, 2):
            given = given[:, 1:]  # some graphs have a margin for each of two classes: the second is the library's
        for row in np.flatnonzero(apart(wanted, given, tolerance, exact_kinds=exact_kinds)):
            found.append(Difference(int(row), output, *_worst(wanted[row], given[row])))
    return found + _label_differences(expected, got, rows, tolerance)


def _worst(wanted: np.ndarray, given: np.ndarray) -> tuple[Any, Any]:
    if len(wanted) != len(given):
        return f"{len(wanted)} numbers", f"{len(given)} numbers"
    with np.errstate(invalid="ignore", over="ignore"):
        gap = np.abs(wanted - given) / np.maximum(1.0, np.abs(wanted))
    at = int(np.argmax(np.where(np.isnan(gap), np.inf, gap)))
    return float(wanted[at]), float(given[at])


def _label_differences(expected: Expected, got: dict[str, Any], rows: int, tolerance: float) -> list[Difference]:
    if expected.label is None or got.get("label") is None:
        return []
    # An outlier detector has its score as the value.
    known = (expected.probabilities, expected.raw, expected.value)
    scores = next((each for each in known if each is not None), None)
    border = tied(scores, rows, tolerance)
    labels = zip(expected.label, got["label"], strict=True)
    return [
        Difference(row, "label", wanted, plain_label(given))
        for row, (wanted, given) in enumerate(labels)
        if wanted != plain_label(given) and not border[row]
    ]


def compared_outputs(expected: Expected, got: dict[str, Any]) -> list[str]:
    """Outputs that both sides have."""
    return [name for name in (*OUTPUTS, "label") if getattr(expected, name) is not None and got.get(name) is not None]
