"""LightGBM: text files.

The library compares float64 numbers with float64 thresholds and adds float64 leaves; rows are float64.
Expected numbers come from the live Booster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import smartpouch

import data
from extremes import special_values, tree_rows
from recipe import FLOAT64, Expected, Registry, Trained

registry = Registry("LightGBM")
COMMON = {"num_leaves": 15, "learning_rate": 0.2, "min_data_in_leaf": 5, "num_threads": 1, "verbosity": -1,
          "seed": data.SEED, "deterministic": True}

# What the library takes for zero is |x| <= 1e-35 as a float32 constant.
ZERO = float(np.float32(1e-35))
VALUES = special_values(np.float64) + [
    sign * value for sign in (1, -1) for value in (1e-35, ZERO, np.nextafter(ZERO, 1), np.nextafter(ZERO, 0))
]
MODEST = [value for value in VALUES if abs(value) <= 1e6]


def split_points(booster: lightgbm.Booster) -> list[tuple[int, float]]:
    """Columns and thresholds of the numeric splits."""
    found: list[tuple[int, float]] = []

    def walk(node: dict[str, Any]) -> None:
        if node.get("decision_type") == "<=":
            found.append((node["split_feature"], float(node["threshold"])))
        for side in ("left_child", "right_child"):
            if side in node:
                walk(node[side])

    for tree in booster.dump_model()["tree_info"]:
        walk(tree["tree_structure"])
    return [each for each in found if np.isfinite(each[1])]


def answers(booster: lightgbm.Booster, rows: Any, objective: str, **ranged: int) -> Expected:
    predicted = booster.predict(rows, **ranged)
    raw = booster.predict(rows, raw_score=True, **ranged)
    expected = Expected(raw=raw.reshape(len(rows), -1))
    if objective == "binary":
        expected.probabilities = np.column_stack([1 - predicted, predicted])
        expected.label = [str(int(p > 0.5)) for p in predicted]
    elif objective in ("multiclass", "multiclassova"):
        expected.probabilities = predicted
        expected.label = [str(k) for k in predicted.argmax(axis=1)]
    else:
        expected.value = predicted
    return expected


def blanked(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X[np.random.default_rng(5).random(X.shape) < 0.05] = np.nan
    return X


def zeroed(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X[np.random.default_rng(6).random(X.shape) < 0.1] = 0
    return X


def plain(X: np.ndarray) -> np.ndarray:
    return X


def text_of(booster: lightgbm.Booster) -> bytes:
    return booster.model_to_string().encode()


def recipe(
    source: Callable[[], data.Data],
    objective: str,
    *,
    rounds: int = 20,
    spoil: Callable[[np.ndarray], np.ndarray] = blanked,
    values: list[float] | None = None,
    **params: Any,
) -> Callable[[], Trained]:
    def train() -> Trained:
        used = source()
        given = {**COMMON, "objective": objective, **params}
        if objective in ("multiclass", "multiclassova"):
            given["num_class"] = int(used.y.max()) + 1
        group = data.groups(used) if objective in ("lambdarank", "rank_xendcg") else None
        asked = lightgbm.Dataset(spoil(used.X), used.y, group=group, feature_name=list(used.names))
        booster = lightgbm.train(given, asked, rounds)
        rows = tree_rows(used.held, split_points(booster), dtype=np.float64, values=values or VALUES)
        return Trained(text_of(booster), rows, lambda given: answers(booster, given, objective))

    return train


def categorical_recipe(objective: str, **params: Any) -> Callable[[], Trained]:
    """Codes as numbers, with codes that training never saw, negative and missing ones."""

    def train() -> Trained:
        used = data.categories()
        y = used.y
        if objective != "regression":
            y = np.digitize(y, np.quantile(y, [0.33, 0.66] if objective == "multiclass" else [0.5]))
        given = {**COMMON, "objective": objective, "min_data_per_group": 5, "cat_smooth": 1, **params}
        if objective == "multiclass":
            given["num_class"] = 3
        asked = lightgbm.Dataset(blanked(used.X), y, categorical_feature=[0, 1], feature_name=list(used.names))
        booster = lightgbm.train(given, asked, 20)
        rows = tree_rows(used.held, split_points(booster), dtype=np.float64, values=VALUES, integer_columns=(0, 1))
        rows[:10, 0], rows[10:20, 1], rows[20:25, 0], rows[25:30, 1] = 7, 300, -1, 2.7
        return Trained(text_of(booster), rows, lambda given: answers(booster, given, objective))

    return train


def frame_recipe(kind: Callable[[int], Any], as_codes: bool = False) -> Callable[[], Trained]:
    """Categories of a data frame; the server is asked them, with missing and unseen ones, or their codes."""

    def train() -> Trained:
        used = data.categories()
        asked = lightgbm.Dataset(frame_of(used, used.X, kind), used.y)
        booster = lightgbm.train({**COMMON, "objective": "regression", "min_data_per_group": 5}, asked, 20)
        frame = frame_of(used, used.held[np.arange(500) % len(used.held)], kind)
        if as_codes:
            rows = smartpouch.category_codes(frame)
        else:
            frame["few"] = frame["few"].cat.add_categories([kind(40)])
            frame.loc[:20, "few"], frame.loc[10:30, "many"] = kind(40), None
            rows = frame.astype(object).to_numpy()
        return Trained(text_of(booster), rows, lambda _: Expected(value=booster.predict(frame)))

    return train


def frame_of(used: data.Data, X: np.ndarray, kind: Callable[[int], Any]) -> pd.DataFrame:
    """Categories in another order than that of their names."""
    frame = pd.DataFrame(X, columns=list(used.names))
    for name, count in (("few", 5), ("many", 12)):
        kinds = [kind(k) for k in range(count)]
        frame[name] = pd.Categorical([kind(int(k)) for k in frame[name]], categories=kinds)
    return frame


def stopped_recipe() -> Callable[[], Trained]:
    """Early stopping: the live object is pushed, and predict() of both sides stops at the best iteration."""

    def train() -> Trained:
        used = data.regression()
        cut = len(used.X) * 3 // 4
        booster = lightgbm.train(
            {**COMMON, "objective": "regression", "learning_rate": 0.9, "metric": "l2"},
            lightgbm.Dataset(used.X[:cut], used.y[:cut]), 200,
            valid_sets=[lightgbm.Dataset(used.X[cut:], used.y[cut:])],
            callbacks=[lightgbm.early_stopping(3, verbose=False)],
        )
        rows = tree_rows(used.held, split_points(booster), dtype=np.float64, values=VALUES)
        return Trained(booster, rows, lambda given: answers(booster, given, "regression"))

    return train


def wrapper_recipe(kind: type, source: Callable[[], data.Data], text_labels: bool = False) -> Callable[[], Trained]:
    def train() -> Trained:
        used = source()
        y = np.array([f"class {k}" for k in used.y]) if text_labels else used.y
        model = kind(n_estimators=20, num_leaves=15, n_jobs=1, random_state=1, verbosity=-1)
        model.fit(blanked(used.X), y)
        rows = tree_rows(used.held, split_points(model.booster_), dtype=np.float64, values=VALUES)

        def expected(given: np.ndarray) -> Expected:
            if hasattr(model, "predict_proba"):
                labels = [str(k) for k in model.predict(given)]
                return Expected(label=labels, probabilities=model.predict_proba(given))
            return Expected(value=model.predict(given))

        return Trained(model, rows, expected)

    return train


def ranged_recipe(train_all: Callable[[], Trained], objective: str, first: int, count: int) -> Callable[[], Trained]:
    """Some of the iterations of another combination, by the import's options."""

    def train() -> Trained:
        trained = train_all()
        booster = lightgbm.Booster(model_str=trained.pushed.decode())
        return replace(
            trained,
            expected=lambda given: answers(booster, given, objective, start_iteration=first, num_iteration=count),
            options={"start_iteration": first, **({"iterations": count} if count > 0 else {})},
        )

    return train


REGRESSION = [
    ("l2", "regression", data.regression, {}),
    ("l2_sqrt", "regression", data.positive, {"reg_sqrt": True}),
    ("l1", "regression_l1", data.regression, {}),
    ("huber", "huber", data.regression, {}),
    ("fair", "fair", data.regression, {}),
    ("poisson", "poisson", data.counts, {}),
    ("quantile", "quantile", data.regression, {"alpha": 0.8}),
    ("mape", "mape", data.positive, {}),
    ("gamma", "gamma", data.positive, {}),
    ("tweedie", "tweedie", data.positive, {"tweedie_variance_power": 1.4}),
    ("cross_entropy", "cross_entropy", data.unit, {}),
    ("cross_entropy_lambda", "cross_entropy_lambda", data.unit, {}),
]
CLASSIFICATION = [
    ("binary", "binary", data.cancer, {}),
    ("binary_sigmoid", "binary", data.cancer, {"sigmoid": 0.7}),
    ("multiclass", "multiclass", data.classes, {}),
    ("multiclassova", "multiclassova", data.classes, {"sigmoid": 1.3}),
]
VARIANTS = {
    "missing_none": {"use_missing": False},
    "missing_zero": {"zero_as_missing": True, "spoil": zeroed},
    "missing_nan": {},
    "no_missing": {"spoil": plain},
    "dart": {"boosting": "dart", "drop_rate": 0.3},
    "rf": {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7, "feature_fraction": 0.7},
    "goss": {"data_sample_strategy": "goss"},
    "linear": {"linear_tree": True, "values": MODEST},
    "linear_plain": {"linear_tree": True, "values": MODEST, "spoil": plain},
    "stump": {"num_leaves": 2},
    "deep": {"num_leaves": 120, "min_data_in_leaf": 2},
    "constant": {"min_data_in_leaf": 100000},
    "extra_trees": {"extra_trees": True},
    "monotone": {"monotone_constraints": [1, -1, 0, 0, 0, 0]},
    "bins": {"max_bin": 15, "min_data_in_bin": 5, "feature_fraction": 0.5, "path_smooth": 1.0, "lambda_l1": 0.5},
    "interactions": {"interaction_constraints": [[0, 1], [2, 3, 4, 5]], "max_depth": 3},
    "l2_linear_dart": {"linear_tree": True, "boosting": "dart", "values": MODEST},
}


def register() -> None:
    """All combinations of this library."""
    for at, (short, objective, source, params) in enumerate(REGRESSION + CLASSIFICATION):
        task = "regression" if at < len(REGRESSION) else "classification"
        add(short, task, recipe(source, objective, **params))
    for objective in ("lambdarank", "rank_xendcg"):
        add(objective, "ranking", recipe(data.ranking, objective))
    for short, params in VARIANTS.items():
        add(short, "regression", recipe(data.regression, "regression", **params))
    add("rf_binary", "classification", recipe(data.cancer, "binary", **VARIANTS["rf"]))
    add("rf_multiclass", "classification", recipe(data.classes, "multiclass", **VARIANTS["rf"]))
    add("dart_multiclass", "classification", recipe(data.classes, "multiclass", **VARIANTS["dart"]))
    add("zero_binary", "classification", recipe(data.classes_2, "binary", zero_as_missing=True, spoil=zeroed))
    for short, source, objective, params, first, count in (
        ("first", data.regression, "regression", {}, 0, 6),
        ("from_third", data.regression, "regression", {}, 3, 0),
        ("middle", data.cancer, "binary", {}, 5, 9),
        ("multiclass", data.classes, "multiclass", {}, 2, 7),
        ("dart", data.regression, "regression", VARIANTS["dart"], 0, 11),
        ("rf", data.cancer, "binary", VARIANTS["rf"], 4, 8),
        ("rf_first", data.regression, "regression", VARIANTS["rf"], 0, 7),
        ("linear", data.regression, "regression", VARIANTS["linear"], 1, 5),
        ("poisson", data.counts, "poisson", {}, 1, 12),
    ):
        task = "classification" if objective in ("binary", "multiclass") else "regression"
        add(f"range_{short}", task, ranged_recipe(recipe(source, objective, **params), objective, first, count))
    add("digits", "classification", recipe(data.digits, "multiclass", rounds=8, spoil=plain))
    for objective in ("regression", "binary", "multiclass"):
        task = "regression" if objective == "regression" else "classification"
        add(f"categories_{objective}", task, categorical_recipe(objective))
    add("categories_onehot", "regression", categorical_recipe("regression", max_cat_to_onehot=100))
    add("categories_none", "regression", categorical_recipe("regression", use_missing=False))
    note = "categories of a data frame, with missing and unseen ones"
    add("categories_text", "regression", frame_recipe("größe {}".format), note=note)
    add("categories_integer", "regression", frame_recipe(lambda k: 300 - 7 * k), note=note)
    add("categories_codes", "regression", frame_recipe("kind {}".format, as_codes=True), note="text asked as codes")
    add("live_stopped", "regression", stopped_recipe())
    add("live_classifier", "classification", wrapper_recipe(lightgbm.LGBMClassifier, data.classes))
    add("live_text_labels", "classification", wrapper_recipe(lightgbm.LGBMClassifier, data.wine, text_labels=True))
    add("live_regressor", "regression", wrapper_recipe(lightgbm.LGBMRegressor, data.regression))


def add(short: str, task: str, train: Callable[[], Trained], **rest: Any) -> None:
    registry.add(f"lgb_{short}", "text", task, train, tolerance=FLOAT64, sees="float64", **rest)


register()
