"""Data to train on: scikit-learn's bundled sets and seeded synthetic ones.

Every set is shuffled once with a fixed seed and split into training and held-out rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from sklearn import datasets

SEED = 7


@dataclass(frozen=True)
class Data:
    X: np.ndarray
    y: np.ndarray
    held: np.ndarray
    names: tuple[str, ...]


def _split(X: np.ndarray, y: np.ndarray, names: list[str] | None = None, share: float = 0.7) -> Data:
    order = np.random.default_rng(SEED).permutation(len(X))
    cut = int(len(X) * share)
    names = names or [f"x{i}" for i in range(X.shape[1])]
    # Feature names without blanks and brackets: XGBoost refuses some of them.
    plain = tuple("".join(c if c.isalnum() else "_" for c in name) for name in names)
    return Data(X[order[:cut]], y[order[:cut]], X[order[cut:]], plain)


def _bundled(load, **kwargs) -> Data:
    found = load(**kwargs)
    return _split(found.data.astype(np.float64), found.target, [str(n) for n in found.feature_names])


@cache
def wine() -> Data:
    return _bundled(datasets.load_wine)


@cache
def cancer() -> Data:
    return _bundled(datasets.load_breast_cancer)


@cache
def iris() -> Data:
    return _bundled(datasets.load_iris)


@cache
def diabetes() -> Data:
    return _bundled(datasets.load_diabetes, scaled=False)


@cache
def digits() -> Data:
    return _bundled(datasets.load_digits)


@cache
def linnerud() -> Data:
    return _bundled(datasets.load_linnerud)


@cache
def regression(features: int = 6, rows: int = 900) -> Data:
    X, y = datasets.make_friedman1(rows, max(5, features), noise=0.3, random_state=SEED)
    return _split(X * 4 - 2, y)


@cache
def multi_target(targets: int = 3) -> Data:
    X, y = datasets.make_regression(600, 6, n_targets=targets, noise=2.0, random_state=SEED)
    return _split(X, y / 50)


@cache
def classes(count: int = 3, rows: int = 900) -> Data:
    X, y = datasets.make_classification(
        rows, 8, n_informative=6, n_redundant=1, n_classes=count, class_sep=0.8, random_state=SEED
    )
    return _split(X, y)


@cache
def multi_label() -> Data:
    X, y = datasets.make_multilabel_classification(600, 8, n_classes=4, random_state=SEED)
    return _split(X, y)


@cache
def several_classes() -> Data:
    """Two targets, of three and of two classes."""
    base = classes()
    return Data(base.X, np.stack([base.y, (base.X[:, 1] > base.X[:, 2]).astype(base.y.dtype)], axis=1), base.held, base.names)


@cache
def counts() -> Data:
    base = regression()
    rng = np.random.default_rng(SEED)
    return Data(base.X, rng.poisson(np.exp(base.y / 10)), base.held, base.names)


@cache
def positive() -> Data:
    base = regression()
    return Data(base.X, np.exp(base.y / 8) + 0.01, base.held, base.names)


@cache
def unit() -> Data:
    """Targets between 0 and 1."""
    base = regression()
    return Data(base.X, 1 / (1 + np.exp(-(base.y - 14) / 5)), base.held, base.names)


@cache
def nonnegative() -> Data:
    """Small whole numbers of events, as text classifiers see them."""
    X, y = datasets.make_multilabel_classification(600, 10, n_classes=3, n_labels=1, random_state=SEED)
    return _split(X, y.argmax(axis=1))


GROUP = 15


@cache
def ranking() -> Data:
    """Relevance 0 to 4 in groups of 15 consecutive rows."""
    base = regression()
    relevance = np.clip(np.floor(base.y / 6), 0, 4).astype(int)
    whole = len(base.X) // GROUP * GROUP
    return Data(base.X[:whole], relevance[:whole], base.held, base.names)


def groups(data: Data) -> list[int]:
    return [GROUP] * (len(data.X) // GROUP)


@cache
def survival() -> tuple[Data, np.ndarray]:
    """Times, and which of them were seen (the others are censored)."""
    base = positive()
    seen = np.random.default_rng(SEED).random(len(base.y)) < 0.7
    return base, seen


@cache
def categories() -> Data:
    """Columns 0 and 1 are codes of 5 and 12 categories with an effect of their own, the others numbers."""
    rng = np.random.default_rng(SEED)
    X = np.column_stack([rng.integers(0, 5, 900), rng.integers(0, 12, 900), rng.normal(size=(900, 3))])
    few, many = rng.normal(size=5) * 3, rng.normal(size=12) * 3
    y = few[X[:, 0].astype(int)] + many[X[:, 1].astype(int)] + X[:, 2] - 0.5 * X[:, 3] * (X[:, 0] > 2)
    return _split(X.astype(np.float64), y, ["few", "many", "a", "b", "c"])


@cache
def windows(channels: int = 3, length: int = 16, rows: int = 400) -> Data:
    """Recordings of a few channels: the class is the frequency."""
    rng = np.random.default_rng(SEED)
    y = rng.integers(0, 3, rows)
    time = np.arange(length) / length
    phase = rng.random((rows, channels, 1)) * 6.28
    X = np.sin(6.28 * (1 + y[:, None, None]) * time + phase) + 0.2 * rng.normal(size=(rows, channels, length))
    cut = int(rows * 0.7)
    return Data(X[:cut], y[:cut], X[cut:], ())


def classes_2() -> Data:
    return classes(2)


@cache
def cells_above_zero() -> Data:
    base = regression()
    return Data(np.abs(base.X) + 0.1, base.y, np.abs(base.held) + 0.1, base.names)
