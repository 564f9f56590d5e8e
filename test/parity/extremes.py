"""The 500 rows a model is asked: ordinary ones, missing values, extreme values, ties on thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipe import ROWS

# For trees: anything the type can hold.  ±max of float32 stays finite in the libraries that round to it.
_TINY = {np.float32: 1e-45, np.float64: 5e-324}
_SMALLEST = {np.float32: 1.17549435e-38, np.float64: 2.2250738585072014e-308}


def special_values(dtype: type) -> list[float]:
    """Signed zeros, denormals, the smallest normal and the largest number, and magnitudes between."""
    largest = float(np.finfo(dtype).max)
    magnitudes = [0.0, _TINY[dtype], _TINY[dtype] * 1000, _SMALLEST[dtype], 1e-20, 1e-6, 1e6, 1e20, largest]
    return [sign * each for each in magnitudes for sign in (1.0, -1.0)]


# For sums of products: far from overflow, for the answer stays in the range of the type.
DENSE_VALUES = [0.0, -0.0, 1e-45, -1e-45, 1.2e-38, -1.2e-38, 1e-20, -1e-20, 1e-6, -1e-6]

Thresholds = Sequence[tuple[int, float]]  # (column, threshold)


def ordinary(held: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    """Held-out rows, then the same with some noise until there are enough."""
    rng = np.random.default_rng(seed)
    chosen = held[np.arange(count) % len(held)].astype(np.float64)
    noise = rng.normal(size=chosen.shape) * held.std(axis=0) * 0.1
    noise[: len(held)] = 0
    return chosen + noise


def tree_rows(
    held: np.ndarray,
    thresholds: Thresholds,
    *,
    dtype: type = np.float32,
    missing: bool = True,
    integer_columns: Sequence[int] = (),
    values: Sequence[float] | None = None,
) -> np.ndarray:
    """Rows for a model of trees, as float64 numbers that ``dtype`` can hold exactly."""
    rng = np.random.default_rng(2)
    rows = ordinary(held, ROWS)
    free = [column for column in range(rows.shape[1]) if column not in integer_columns]
    rows[:, list(integer_columns)] = held[np.arange(ROWS) % len(held)][:, list(integer_columns)]
    rows = rows.astype(dtype)
    if missing:
        _blank(rows, range(200, 290), rng)
    _special(rows, range(290, 370), free, special_values(dtype) if values is None else values, rng)
    _ties(rows, range(370, ROWS), [each for each in thresholds if each[0] in free], dtype, rng)
    return rows.astype(np.float64)


def dense_rows(held: np.ndarray, *, dtype: type = np.float32, scale: float = 100.0) -> np.ndarray:
    """Rows for a model of sums: one column at a time is tiny, zero, or ``scale`` times too large."""
    rng = np.random.default_rng(3)
    rows = ordinary(held, ROWS).astype(dtype)
    width = rows.shape[1]
    for at in range(300, 400):
        rows[at, rng.integers(width)] = DENSE_VALUES[at % len(DENSE_VALUES)]
    for at in range(400, 470):
        rows[at, rng.integers(width)] *= scale
    rows[470] = 0
    return rows.astype(np.float64)


def _blank(rows: np.ndarray, where: range, rng: np.random.Generator) -> None:
    for at in where:
        rows[at, rng.random(rows.shape[1]) < 0.3] = np.nan
    rows[where[0]] = np.nan


def _special(rows: np.ndarray, where: range, free: list[int], values: Sequence[float], rng) -> None:
    for at in where:
        value = values[at % len(values)]
        rows[at, free[rng.integers(len(free))]] = value
        if at % 5 == 0:
            rows[at, free] = value


def _ties(rows: np.ndarray, where: range, thresholds: Thresholds, dtype: type, rng) -> None:
    """Columns exactly on thresholds of the model, and one step beside them."""
    # LightGBM writes the largest number for "everything that is not missing".
    largest = float(np.finfo(dtype).max) / 2
    thresholds = [each for each in thresholds if abs(each[1]) < largest]
    if not thresholds:
        return
    for at in where:
        for pick in rng.integers(len(thresholds), size=3):
            column, threshold = thresholds[pick]
            value = dtype(threshold)
            step = (at + int(pick)) % 3
            if step:
                value = np.nextafter(value, dtype(np.inf if step == 1 else -np.inf))
            rows[at, column] = value
