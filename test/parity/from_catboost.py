"""CatBoost: JSON export.

The library rounds every float feature to float32 and compares it with float32 borders; leaves are
float64 and added in float64.  Rows are float32 numbers.  Expected numbers come from the live model.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import numpy as np

import data
from extremes import tree_rows
from recipe import FLOAT64, ROWS, Expected, Registry, Trained

registry = Registry("CatBoost")
COMMON = {"iterations": 25, "depth": 4, "learning_rate": 0.2, "thread_count": 1, "random_seed": data.SEED,
          "verbose": False, "allow_writing_files": False}


def json_of(model: Any, pool: Any = None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        model.save_model(str(path), format="json", pool=pool)
        return path.read_bytes()


def split_points(artifact: bytes) -> list[tuple[int, float]]:
    """Columns and borders of the float features."""
    found = []
    for feature in json.loads(artifact)["features_info"].get("float_features", ()):
        found += [(feature["flat_feature_index"], border) for border in feature.get("borders") or ()]
    return found


def answers(model: Any, rows: Any) -> Expected:
    if isinstance(model, catboost.CatBoostRanker):
        return Expected(value=model.predict(rows))
    raw = model.predict(rows, prediction_type="RawFormulaVal")
    expected = Expected(raw=np.asarray(raw).reshape(len(rows), -1))
    if hasattr(model, "predict_proba"):
        expected.label = [str(k) for k in np.ravel(model.predict(rows))]
        expected.probabilities = model.predict_proba(rows)
    else:
        expected.value = model.predict(rows)
    return expected


def blanked(X: np.ndarray) -> np.ndarray:
    X = X.astype(np.float32)
    X[np.random.default_rng(5).random(X.shape) < 0.05] = np.nan
    return X


def recipe(kind: type, source: Callable[[], data.Data], text_labels: bool = False, **params: Any):
    def train() -> Trained:
        used = source()
        y = np.array([f"class {k}" for k in used.y]) if text_labels else used.y
        model = kind(**{**COMMON, **params})
        may_miss = params.get("nan_mode") != "Forbidden"
        extra = {}
        if kind is catboost.CatBoostRanker:
            extra = {"group_id": np.repeat(np.arange(len(y) // data.GROUP), data.GROUP)}
        model.fit(blanked(used.X) if may_miss else used.X.astype(np.float32), y, **extra)
        artifact = json_of(model)
        rows = tree_rows(used.held, split_points(artifact), missing=may_miss)
        return Trained(model, rows, lambda given: answers(model, given.astype(np.float32)))

    return train


def categorical_recipe(kind: type, as_text: bool, one_hot: int, **params: Any) -> Callable[[], Trained]:
    """Categories as text or integers; ``one_hot`` is the largest number of them that is not counted (ctr)."""

    def train() -> Trained:
        used = data.categories()
        y = used.y if kind is catboost.CatBoostRegressor else (used.y > np.median(used.y)).astype(int)
        model = kind(**{**COMMON, "one_hot_max_size": one_hot, "cat_features": [0, 1], **params})
        pool = catboost.Pool(cells(used.X, as_text), y, cat_features=[0, 1])
        model.fit(pool)
        rows = used.held[np.arange(ROWS) % len(used.held)].astype(np.float32)
        rows[:10, 0], rows[10:20, 1] = 7, 30  # never seen
        return Trained(json_of(model, pool), cells(rows, as_text), lambda given: answers(model, given))

    return train


def cells(X: np.ndarray, as_text: bool) -> np.ndarray:
    """Two columns of categories, the others float32."""
    found = X.astype(np.float32).astype(object)
    for column in (0, 1):
        codes = X[:, column].astype(int)
        found[:, column] = [f"kind {code}" for code in codes] if as_text else codes.tolist()
    return found


REGRESSION = [
    ("rmse", "RMSE", data.regression),
    ("mae", "MAE", data.regression),
    ("quantile", "Quantile:alpha=0.8", data.regression),
    ("poisson", "Poisson", data.counts),
    ("mape", "MAPE", data.positive),
    ("huber", "Huber:delta=2.0", data.regression),
    ("tweedie", "Tweedie:variance_power=1.4", data.positive),
    ("log_cosh", "LogCosh", data.regression),
    ("multi_rmse", "MultiRMSE", data.multi_target),
    ("uncertainty", "RMSEWithUncertainty", data.regression),
]
CLASSIFICATION = [
    ("logloss", "Logloss", data.cancer),
    ("cross_entropy", "CrossEntropy", data.cancer),
    ("multiclass", "MultiClass", data.classes),
    ("one_vs_all", "MultiClassOneVsAll", data.classes),
]


def register() -> None:
    """All combinations of this library."""
    for short, loss, source in REGRESSION:
        add(short, "regression", recipe(catboost.CatBoostRegressor, source, loss_function=loss))
    for short, loss, source in CLASSIFICATION:
        add(short, "classification", recipe(catboost.CatBoostClassifier, source, loss_function=loss))
    add("text_labels", "classification", recipe(catboost.CatBoostClassifier, data.wine, text_labels=True))
    add("digits", "classification", recipe(catboost.CatBoostClassifier, data.digits, iterations=10))
    for loss in ("YetiRank", "QueryRMSE"):
        add(loss.lower(), "ranking", recipe(catboost.CatBoostRanker, data.ranking, loss_function=loss))
    for mode in ("Min", "Max", "Forbidden"):
        add(f"nan_{mode.lower()}", "regression", recipe(catboost.CatBoostRegressor, data.regression, nan_mode=mode))
    for policy in ("Depthwise", "Lossguide"):
        add(policy.lower(), "regression", recipe(catboost.CatBoostRegressor, data.regression, grow_policy=policy))
    for text, shown in ((True, "text"), (False, "integers")):
        add(f"onehot_{shown}", "regression", categorical_recipe(catboost.CatBoostRegressor, text, 100))
        add(f"onehot_{shown}_binary", "classification", categorical_recipe(catboost.CatBoostClassifier, text, 100))
    add("ctr", "regression", categorical_recipe(catboost.CatBoostRegressor, True, 2), must_refuse="ctr")


def add(short: str, task: str, train: Callable[[], Trained], **rest: Any) -> None:
    registry.add(f"cat_{short}", "JSON", task, train, tolerance=FLOAT64, **rest)


register()
