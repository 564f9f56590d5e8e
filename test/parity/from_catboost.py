"""CatBoost: JSON export.

The library rounds every float feature to float32 and compares it with float32 borders; leaves are
float64 and added in float64.  Rows are float32 numbers.  Expected numbers come from the live model.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import catboost
import numpy as np
from smartpouch.answers import plain_label

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


def answers(model: Any, rows: Any, **ranged: int) -> Expected:
    if isinstance(model, catboost.CatBoostRanker):
        return Expected(value=model.predict(rows, **ranged))
    raw = model.predict(rows, prediction_type="RawFormulaVal", **ranged)
    expected = Expected(raw=np.asarray(raw).reshape(len(rows), -1))
    if not hasattr(model, "predict_proba"):
        expected.value = model.predict(rows, **ranged)
    elif model.get_all_params()["loss_function"].startswith(("MultiLogloss", "MultiCrossEntropy")):
        expected.value = model.predict_proba(rows, **ranged)  # several labels of a row
    else:
        expected.label = [plain_label(k) for k in np.ravel(model.predict(rows, **ranged))]
        expected.probabilities = model.predict_proba(rows, **ranged)
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


def labelled_recipe(labels: tuple[Any, Any]) -> Callable[[], Trained]:
    """Two classes with names of another type."""

    def train() -> Trained:
        used = data.cancer()
        model = catboost.CatBoostClassifier(**COMMON).fit(blanked(used.X), np.array(labels)[used.y])
        artifact = json_of(model)
        return Trained(model, tree_rows(used.held, split_points(artifact)),
                       lambda given: answers(model, given.astype(np.float32)))

    return train


def ranged_recipe(train_all: Callable[[], Trained], first: int, end: int) -> Callable[[], Trained]:
    """Some of the trees of another combination, by the import's options."""

    def train() -> Trained:
        trained = train_all()
        return replace(
            trained,
            expected=lambda given: answers(trained.pushed, given.astype(np.float32), ntree_start=first, ntree_end=end),
            options={"start_iteration": first, "iterations": end - first},
        )

    return train


def scaled_recipe() -> Callable[[], Trained]:
    """A model whose scale and bias were set."""
    train_all = recipe(catboost.CatBoostRegressor, data.multi_target, loss_function="MultiRMSE")

    def train() -> Trained:
        trained = train_all()
        trained.pushed.set_scale_and_bias(2.5, [0.3, -1.0, 7.0])
        return trained

    return train


def survival_recipe(loss: str) -> Callable[[], Trained]:
    def train() -> Trained:
        used, seen = data.survival()
        y = np.where(seen, used.y, -used.y)
        if loss == "SurvivalAft":
            y = np.column_stack([used.y, np.where(seen, used.y, -1)])
        model = catboost.CatBoostRegressor(**COMMON, loss_function=loss).fit(blanked(used.X), y)
        rows = tree_rows(used.held, split_points(json_of(model)))
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
    ("multi_rmse_missing", "MultiRMSEWithMissingValues", data.multi_target),
    ("multi_quantile", "MultiQuantile:alpha=0.1,0.5,0.9", data.regression),
    ("uncertainty", "RMSEWithUncertainty", data.regression),
    ("expectile", "Expectile:alpha=0.3", data.regression),
    ("lq", "Lq:q=3", data.regression),
    ("log_lin_quantile", "LogLinQuantile:alpha=0.6", data.positive),
]
CLASSIFICATION = [
    ("logloss", "Logloss", data.cancer),
    ("cross_entropy", "CrossEntropy", data.cancer),
    ("multiclass", "MultiClass", data.classes),
    ("one_vs_all", "MultiClassOneVsAll", data.classes),
    ("focal", "Focal:focal_alpha=0.4;focal_gamma=2.0", data.cancer),
    ("multi_logloss", "MultiLogloss", data.multi_label),
    ("multi_cross_entropy", "MultiCrossEntropy", data.multi_label),
]


def register() -> None:
    """All combinations of this library."""
    for short, loss, source in REGRESSION:
        add(short, "regression", recipe(catboost.CatBoostRegressor, source, loss_function=loss))
    for short, loss, source in CLASSIFICATION:
        add(short, "classification", recipe(catboost.CatBoostClassifier, source, loss_function=loss))
    add("text_labels", "classification", recipe(catboost.CatBoostClassifier, data.wine, text_labels=True))
    add("digits", "classification", recipe(catboost.CatBoostClassifier, data.digits, iterations=10))
    add("labels_boolean", "classification", labelled_recipe((False, True)))
    add("labels_float", "classification", labelled_recipe((0.5, 1.5)))
    add("labels_integer", "classification", labelled_recipe((-1, 7)))
    add("scaled", "regression, 3 targets", scaled_recipe())
    for loss in ("Cox", "SurvivalAft"):
        add(loss.lower(), "survival", survival_recipe(loss))
    for loss in ("YetiRank", "YetiRankPairwise", "QueryRMSE", "QuerySoftMax", "PairLogit", "PairLogitPairwise",
                 "StochasticRank:metric=NDCG"):
        short = loss.partition(":")[0].lower()
        add(short, "ranking", recipe(catboost.CatBoostRanker, data.ranking, loss_function=loss))
    for mode in ("Min", "Max", "Forbidden"):
        add(f"nan_{mode.lower()}", "regression", recipe(catboost.CatBoostRegressor, data.regression, nan_mode=mode))
    for policy in ("Depthwise", "Lossguide"):
        add(policy.lower(), "regression", recipe(catboost.CatBoostRegressor, data.regression, grow_policy=policy))
        add(f"{policy.lower()}_max", "classification",
            recipe(catboost.CatBoostClassifier, data.cancer, grow_policy=policy, nan_mode="Max"))
        add(f"{policy.lower()}_multiclass", "classification",
            recipe(catboost.CatBoostClassifier, data.classes, grow_policy=policy, loss_function="MultiClass"))
    rmse = recipe(catboost.CatBoostRegressor, data.regression)
    for short, train, ranged in (
        ("first", rmse, (0, 9)),
        ("middle", rmse, (5, 12)),
        ("depthwise", recipe(catboost.CatBoostRegressor, data.regression, grow_policy="Depthwise"), (3, 20)),
        ("multiclass", recipe(catboost.CatBoostClassifier, data.classes), (2, 7)),
    ):
        task = "classification" if short == "multiclass" else "regression"
        add(f"range_{short}", task, ranged_recipe(train, *ranged))
    for text, shown in ((True, "text"), (False, "integers")):
        add(f"onehot_{shown}", "regression", categorical_recipe(catboost.CatBoostRegressor, text, 100))
        add(f"onehot_{shown}_binary", "classification", categorical_recipe(catboost.CatBoostClassifier, text, 100))
    add("ctr", "regression", categorical_recipe(catboost.CatBoostRegressor, True, 2), must_refuse="ctr")


def add(short: str, task: str, train: Callable[[], Trained], **rest: Any) -> None:
    registry.add(f"cat_{short}", "JSON", task, train, tolerance=FLOAT64, **rest)


register()
