"""Trees behind a scaler, asked the rows they were trained on: many lie exactly on a threshold.

A scaler gives float64 numbers.  XGBoost and scikit-learn's trees round them to float32, LightGBM and
histogram boosting do not: with the wrong one of the two a row on a threshold takes another branch.  Trees
part all rows, so that the other branch is another answer, and no row is excused by what onnxruntime says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

import data
from recipe import ROWS, Expected, Trained

TRAINED = 400
TEXTS = ("few", "many")

# By name: the library, the estimator without its ending, and parameters for trees that part all rows.
KINDS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "xgb": ("xgboost", "XGB", {"n_estimators": 20, "min_child_weight": 0, "n_jobs": 1}),
    "lgb": ("lightgbm", "LGBM", {"n_estimators": 20, "min_child_samples": 1, "verbose": -1, "n_jobs": 1}),
    "hist": ("sklearn.ensemble", "HistGradientBoosting", {"max_iter": 20, "min_samples_leaf": 1}),
    "forest": ("sklearn.ensemble", "RandomForest", {"n_estimators": 10}),
    "extra": ("sklearn.ensemble", "ExtraTrees", {"n_estimators": 10}),
    "gradient": ("sklearn.ensemble", "GradientBoosting", {"n_estimators": 20, "max_depth": 6}),
    "ada": ("sklearn.ensemble", "AdaBoost", {"n_estimators": 10}),
    "tree": ("sklearn.tree", "DecisionTree", {}),
}

Answers = Callable[[Any, Any], Expected]
Points = Callable[[Any], list[tuple[int, float]]]


def estimator(kind: str, ending: str) -> Any:
    """An estimator, not fitted."""
    from importlib import import_module

    library, name, params = KINDS[kind]
    return getattr(import_module(library), name + ending)(random_state=data.SEED, **params)


def targets(numbers: np.ndarray, ending: str) -> np.ndarray:
    """The target, or which third of all it is in."""
    return numbers if ending == "Regressor" else np.digitize(numbers, np.quantile(numbers, (1 / 3, 2 / 3)))


def array_recipe(kind: str, ending: str, answers: Answers, split_points: Points) -> Callable[[], Trained]:
    """StandardScaler and trees on an array of float64."""

    def train() -> Trained:
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from smartpouch.sources import convert

        used = data.regression()
        X = used.X[:TRAINED].copy()
        X[:, 0] = np.round(X[:, 0], 1)
        model = make_pipeline(StandardScaler(), estimator(kind, ending)).fit(X, targets(used.y[:TRAINED], ending))
        rows = np.vstack([X, on_thresholds(model, X, split_points(model[-1]))])
        converted = convert(model, rows)
        return Trained(converted.data, rows, lambda given: answers(model, given))

    return train


def on_thresholds(model: Any, X: np.ndarray, points: list[tuple[int, float]]) -> np.ndarray:
    """Rows one of whose columns is scaled to a threshold, or next to it; rows of X again where none is known."""
    rng = np.random.default_rng(6)
    rows = X[: ROWS - TRAINED].copy()
    points = [each for each in points if np.isfinite(each[1])]
    for at, pick in enumerate(rng.integers(len(points), size=len(rows)) if points else ()):
        column, threshold = points[pick]
        value = threshold * model[0].scale_[column] + model[0].mean_[column]
        rows[at, column] = (value, np.nextafter(value, np.inf), np.nextafter(value, -np.inf))[at % 3]
    return rows


def frame_recipe(kind: str, ending: str, answers: Answers) -> Callable[[], Trained]:
    """The columns of a data frame: numbers imputed and scaled, texts as indicators."""

    def train() -> Trained:
        from sklearn.compose import ColumnTransformer
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler
        from smartpouch.sources import convert

        used = data.categories()
        rows = frame(used, np.vstack([used.X[:TRAINED], used.held[: ROWS - TRAINED]]))
        numbers = [name for name in used.names if name not in TEXTS]
        columns = ColumnTransformer([
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), list(TEXTS)),
        ])
        model = make_pipeline(columns, estimator(kind, ending)).fit(rows[:TRAINED], targets(used.y[:TRAINED], ending))
        converted = convert(model, rows)
        return Trained(converted.data, rows, lambda given: answers(model, given))

    return train


def frame(used: data.Data, X: np.ndarray) -> pd.DataFrame:
    """Two columns of texts, three of float64 with missing values."""
    found = pd.DataFrame(X, columns=list(used.names))
    found["a"] = found["a"].round(1)
    numbers = [name for name in used.names if name not in TEXTS]
    missing = np.random.default_rng(5).random((len(found), len(numbers))) < 0.05
    found[numbers] = found[numbers].mask(missing)
    for name in TEXTS:
        found[name] = np.array([f"kind {int(k)}" for k in found[name]], dtype=object)
    return found


def combinations(answers: Answers, split_points: Points) -> Iterator[tuple[str, str, str, Callable[[], Trained]]]:
    """Name, estimator, task and training of each."""
    for kind in KINDS:
        for ending, task in (("Regressor", "regression"), ("Classifier", "classification")):
            short = f"{kind}_{task}"
            yield f"ties_{short}", "Pipeline", task, array_recipe(kind, ending, answers, split_points)
            yield f"ties_frame_{short}", "ColumnTransformer", task, frame_recipe(kind, ending, answers)
