"""Does the suite notice what it is there to notice?  Run before the combinations, in a second."""

from __future__ import annotations

import sys

import numpy as np

import extremes
from compare import differences
from recipe import ROWS, Expected


def expect(condition: bool, what: str) -> None:
    if not condition:
        raise SystemExit(f"parity selftest: {what}")


def rows_of(expected: Expected, got: dict, tolerance: float = 1e-5, **rest: bool) -> list[int]:
    return [each.row for each in differences(expected, got, 3, tolerance, **rest)]


def numbers_are_compared() -> None:
    value = np.array([1.0, 1000.0, np.inf])
    expect(rows_of(Expected(value=value), {"value": [1.0, 1000.0, None]}) == [], "equal numbers differ")
    expect(rows_of(Expected(value=value), {"value": [1.00002, 1000.02, None]}) == [0, 1], "a difference is not seen")
    expect(rows_of(Expected(value=value), {"value": [1.0, None, 5.0]}) == [1, 2], "null passes for a number")
    exact = {"value": [1.0, 1000.0, -np.inf]}
    expect(rows_of(Expected(value=value), exact, exact_kinds=True) == [2], "infinities of either sign are equal")
    expect(rows_of(Expected(value=np.ones((3, 2))), {"value": [1, 1, 1]}) == [0, 1, 2], "widths are not compared")


def labels_are_compared() -> None:
    scores = np.array([[0.5, 0.5], [0.4, 0.6], [0.9, 0.1]])
    expected = Expected(label=["0", "1", "0"], probabilities=scores)
    expect(rows_of(expected, {"label": ["1", "0", "0"]}) == [1], "a label is excused that is no tie, or a tie is not")


def rows_are_extreme() -> None:
    held = np.random.default_rng(1).normal(size=(50, 4))
    rows = extremes.tree_rows(held, [(2, 0.1)])
    single = rows.astype(np.float32)
    expect(rows.shape == (ROWS, 4), "not 500 rows")
    expect(bool(np.array_equal(rows, single.astype(np.float64), equal_nan=True)), "rows are no float32 numbers")
    ties = (single[:, 2] == np.float32(0.1)).sum()
    beside = (single[:, 2] == np.nextafter(np.float32(0.1), np.float32(1))).sum()
    expect(ties > 20 and beside > 20, "no ties on the threshold")
    expect(bool((np.signbit(rows) & (rows == 0)).any()), "no negative zero")
    expect(bool(((rows != 0) & (np.abs(rows) < 1e-40)).any()), "no denormal number")
    expect(bool((rows == np.finfo(np.float32).max).any()), "no largest number")
    expect(bool(np.isnan(rows).any() and not np.isinf(rows).any()), "no missing value, or an infinite one")


if __name__ == "__main__":
    numbers_are_compared()
    labels_are_compared()
    rows_are_extreme()
    sys.exit(0)
