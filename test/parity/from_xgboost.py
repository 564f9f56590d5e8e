"""XGBoost: Booster files in JSON and UBJSON.

The library rounds every feature to float32 and adds float32 leaves; rows are float32 numbers.
Expected numbers come from the live Booster, or the model with scikit-learn's interface.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import smartpouch
import xgboost

import data
from extremes import dense_rows, tree_rows
from recipe import FLOAT32, LONG_FLOAT32, Expected, Registry, Trained

registry = Registry("XGBoost")
COMMON = {"max_depth": 4, "learning_rate": 0.3, "nthread": 1, "seed": data.SEED}


def model_of(booster: Any) -> dict[str, Any]:
    return json.loads(bytes(booster.save_raw("json")))["learner"]


def split_points(booster: Any) -> list[tuple[int, float]]:
    """Columns and thresholds of the numeric splits."""
    gradient = model_of(booster)["gradient_booster"]
    gradient = gradient.get("gbtree", gradient)
    found = []
    for tree in gradient["model"]["trees"] if "trees" in gradient.get("model", {}) else []:
        for node, left in enumerate(tree["left_children"]):
            if left >= 0 and not tree["split_type"][node]:
                found.append((tree["split_indices"][node], tree["split_conditions"][node]))
    return found


def matrix(booster: Any, rows: np.ndarray) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        rows.astype(np.float32), feature_names=booster.feature_names, feature_types=booster.feature_types
    )


def answers(booster: Any, rows: np.ndarray, iterations: tuple[int, int] = (0, 0)) -> Expected:
    """Outputs by the objective, from Booster.predict alone; (0, 0) are all iterations."""
    asked = matrix(booster, rows)
    raw = booster.predict(asked, output_margin=True, iteration_range=iterations)
    predicted = booster.predict(asked, iteration_range=iterations)
    objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
    expected = Expected(raw=raw.reshape(len(rows), -1))
    if objective == "binary:logistic" and predicted.ndim == 1:
        expected.probabilities = np.column_stack([np.float32(1) - predicted, predicted])
        expected.label = [str(int(p > 0.5)) for p in predicted]
    elif objective in ("multi:softprob", "multi:softmax"):
        exp = np.exp(raw.astype(np.float64) - raw.max(axis=1, keepdims=True))
        expected.probabilities = predicted if predicted.ndim == 2 else exp / exp.sum(axis=1, keepdims=True)
        expected.label = [str(k) for k in raw.argmax(axis=1)]
    elif objective == "binary:hinge":
        expected.label = [str(int(k)) for k in predicted]
    else:
        expected.value = predicted
    return expected


def finish(booster: Any, held: np.ndarray, form: str, **rows: Any) -> Trained:
    asked = tree_rows(held, split_points(booster), **rows)
    return Trained(bytes(booster.save_raw(form)), asked, lambda given: answers(booster, given))


def blanked(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X[np.random.default_rng(5).random(X.shape) < 0.05] = np.nan
    return X


def booster_recipe(
    source: Callable[[], data.Data], objective: str, form: str, rounds: int = 20, names: bool = False, **params: Any
) -> Callable[[], Trained]:
    def train() -> Trained:
        used = source()
        given = {**COMMON, "objective": objective, **params}
        asked = xgboost.DMatrix(blanked(used.X), used.y, feature_names=list(used.names) if names else None)
        if objective.startswith("multi:"):
            given["num_class"] = int(used.y.max()) + 1
        if objective.startswith("rank:"):
            asked.set_group(data.groups(used))
        return finish(xgboost.train(given, asked, rounds), used.held, form)

    return train


def survival_recipe(objective: str, form: str, **params: Any) -> Callable[[], Trained]:
    def train() -> Trained:
        used, seen = data.survival()
        asked = xgboost.DMatrix(blanked(used.X))
        if objective == "survival:aft":
            asked.set_float_info("label_lower_bound", used.y)
            asked.set_float_info("label_upper_bound", np.where(seen, used.y, np.inf))
        else:
            asked.set_label(np.where(seen, used.y, -used.y))
        booster = xgboost.train({**COMMON, "objective": objective, **params}, asked, 20)
        return finish(booster, used.held, form)

    return train


def linear_recipe(source: Callable[[], data.Data], objective: str, form: str, **params: Any) -> Callable[[], Trained]:
    def train() -> Trained:
        used = source()
        given = {"booster": "gblinear", "objective": objective, "nthread": 1, "seed": 1, **params}
        if objective.startswith("multi:"):
            given["num_class"] = int(used.y.max()) + 1
        booster = xgboost.train(given, xgboost.DMatrix(used.X, used.y), 20)
        rows = dense_rows(used.held, scale=3.0 if objective == "count:poisson" else 30.0)
        rows[200:230, 1] = np.nan  # a missing value adds nothing in a linear booster
        return Trained(bytes(booster.save_raw(form)), rows, lambda given: answers(booster, given))

    return train


def categorical_recipe(objective: str, form: str, most: int, **params: Any) -> Callable[[], Trained]:
    """Codes as numbers; ``most`` categories or fewer are split one against the rest."""

    def train() -> Trained:
        used = data.categories()
        y = used.y
        if objective != "reg:squarederror":
            y = np.digitize(y, np.quantile(y, [0.33, 0.66] if objective.startswith("multi") else [0.5]))
        types = ["c", "c", "float", "float", "float"]
        asked = xgboost.DMatrix(blanked(used.X), y, feature_types=types, feature_names=list(used.names))
        given = {**COMMON, "objective": objective, "max_cat_to_onehot": most, "tree_method": "hist", **params}
        if objective.startswith("multi:"):
            given["num_class"] = 3
        booster = xgboost.train(given, asked, 20)
        trained = finish(booster, used.held, form, integer_columns=(0, 1))
        # Categories that training never saw.
        trained.rows[:10, 0], trained.rows[10:20, 1] = 7, 30
        return trained

    return train


def frame_recipe(form: str, kind: Callable[[int], Any], as_codes: bool = False) -> Callable[[], Trained]:
    """Categories of a data frame; the server is asked them, with missing ones, or their codes."""

    def train() -> Trained:
        used = data.categories()
        booster = xgboost.train(
            {**COMMON, "tree_method": "hist"},
            xgboost.DMatrix(frame_of(used, used.X, kind), used.y, enable_categorical=True),
            20,
        )
        asked = tree_rows(used.held, split_points(booster), integer_columns=(0, 1), missing=False)
        frame = frame_of(used, asked, kind)
        frame.loc[:10, "few"], frame.loc[5:20, "many"] = None, None
        rows = smartpouch.category_codes(frame) if as_codes else frame.astype(object).to_numpy()

        def expected(_: pd.DataFrame) -> Expected:
            return Expected(value=booster.predict(xgboost.DMatrix(frame, enable_categorical=True)))

        return Trained(bytes(booster.save_raw(form)), rows, expected)

    return train


def frame_of(used: data.Data, X: np.ndarray, kind: Callable[[int], Any]) -> pd.DataFrame:
    """Categories in another order than that of their names."""
    frame = pd.DataFrame(X, columns=list(used.names)).astype(np.float32)
    for name, count in (("few", 5), ("many", 12)):
        kinds = [kind(k) for k in range(count)]
        frame[name] = pd.Categorical([kind(int(k)) for k in frame[name]], categories=kinds)
    return frame


def multi_recipe(strategy: str, form: str, objective: str = "reg:squarederror") -> Callable[[], Trained]:
    def train() -> Trained:
        used = data.multi_target() if objective.startswith("reg") else data.multi_label()
        given = {**COMMON, "objective": objective, "multi_strategy": strategy, "tree_method": "hist"}
        booster = xgboost.train(given, xgboost.DMatrix(used.X, used.y), 15)
        asked = tree_rows(used.held, split_points(booster), missing=True)

        def expected(rows: np.ndarray) -> Expected:
            return Expected(value=booster.predict(matrix(booster, rows)))

        return Trained(bytes(booster.save_raw(form)), asked, expected)

    return train


def wrapper_recipe(kind: type, source: Callable[[], data.Data], **params: Any) -> Callable[[], Trained]:
    """The scikit-learn interface, pushed as a live object; early stopping included."""

    def train() -> Trained:
        used = source()
        model = kind(n_estimators=30, max_depth=4, n_jobs=1, random_state=1, **params)
        frame = pd.DataFrame(blanked(used.X), columns=list(used.names))
        cut = len(frame) * 3 // 4
        watched = {"eval_set": [(frame[cut:], used.y[cut:])], "verbose": False}
        if not params.get("early_stopping_rounds"):
            watched = {}
        model.fit(frame[:cut], used.y[:cut], **watched)
        asked = tree_rows(used.held, split_points(model.get_booster()))

        def expected(rows: np.ndarray) -> Expected:
            rows = pd.DataFrame(rows.astype(np.float32), columns=list(used.names))
            if hasattr(model, "predict_proba"):
                return Expected(label=[str(k) for k in model.predict(rows)], probabilities=model.predict_proba(rows))
            return Expected(value=model.predict(rows))

        return Trained(model, asked, expected)

    return train


def quantile_recipe(form: str) -> Callable[[], Trained]:
    return booster_recipe(data.regression, "reg:quantileerror", form, quantile_alpha=[0.1, 0.5, 0.9])


def all_iterations_recipe(form: str) -> Callable[[], Trained]:
    """A Booster with a best iteration: predict() of the Booster uses all trees, and so does the file."""

    def train() -> Trained:
        booster, held = stopped_booster()
        return finish(booster, held, form)

    return train


def stopped_booster() -> tuple[Any, np.ndarray]:
    used = data.regression()
    cut = len(used.X) * 3 // 4
    watched = xgboost.DMatrix(used.X[cut:], used.y[cut:])
    booster = xgboost.train(
        {**COMMON, "learning_rate": 0.8}, xgboost.DMatrix(used.X[:cut], used.y[:cut]), 200,
        evals=[(watched, "held")], early_stopping_rounds=5, verbose_eval=False,
    )
    return booster, used.held


def best_iteration_recipe(form: str) -> Callable[[], Trained]:
    """The import's option best_iteration, beside predict() up to the best one."""

    def train() -> Trained:
        booster, held = stopped_booster()
        ranged = (0, booster.best_iteration + 1)
        assert ranged[1] < booster.num_boosted_rounds()
        trained = finish(booster, held, form)
        return replace(
            trained, expected=lambda rows: answers(booster, rows, ranged), options={"best_iteration": True}
        )

    return train


def ranged_recipe(train_all: Callable[[], Trained], ranged: tuple[int, int]) -> Callable[[], Trained]:
    """Some of the iterations of another combination."""

    def train() -> Trained:
        trained = train_all()
        booster = xgboost.Booster(model_file=bytearray(trained.pushed))
        return replace(
            trained,
            expected=lambda rows: answers(booster, rows, ranged),
            options={"start_iteration": ranged[0], "iterations": ranged[1] - ranged[0]},
        )

    return train


REGRESSION = [
    ("squarederror", "reg:squarederror", data.regression, {}),
    ("squaredlogerror", "reg:squaredlogerror", data.positive, {}),
    ("pseudohubererror", "reg:pseudohubererror", data.regression, {"huber_slope": 2.0, "min_child_weight": 0}),
    ("absoluteerror", "reg:absoluteerror", data.regression, {}),
    ("quantileerror", "reg:quantileerror", data.regression, {"quantile_alpha": 0.8}),
    ("logistic", "reg:logistic", data.unit, {}),
    ("gamma", "reg:gamma", data.positive, {}),
    ("tweedie", "reg:tweedie", data.positive, {"tweedie_variance_power": 1.4}),
    ("poisson", "count:poisson", data.counts, {}),
]
CLASSIFICATION = [
    ("logistic", "binary:logistic", data.cancer, {}),
    ("hinge", "binary:hinge", data.cancer, {}),
    ("softprob", "multi:softprob", data.classes, {}),
    ("softmax", "multi:softmax", data.wine, {}),
]
RANKING = ("pairwise", "ndcg", "map")


def register() -> None:
    """All combinations of this library."""
    _trees()
    _boosters()
    _shapes()
    _ranges()
    _categories()
    _wrappers()


def _trees() -> None:
    forms = (("json", "JSON"), ("ubj", "UBJSON"))
    for at, (short, objective, source, params) in enumerate(REGRESSION + CLASSIFICATION):
        task = "regression" if at < len(REGRESSION) else "classification"
        for form, shown in forms:
            name = f"xgb_{form}_{'reg_' if task == 'regression' else ''}{short}"
            train = booster_recipe(source, objective, form, names=form == "ubj", **params)
            registry.add(name, shown, task, train, tolerance=FLOAT32)
    for form, shown, params in (("ubj", "UBJSON", {}), ("json", "JSON", {"base_score": 0.2})):
        train = booster_recipe(data.cancer, "binary:logitraw", form, **params)
        registry.add(f"xgb_{form}_logitraw", shown, "score", train, tolerance=FLOAT32)
    for form, shown in forms:
        for kind in RANKING:
            source = data.ranking if kind != "map" else binary_ranking
            train = booster_recipe(source, f"rank:{kind}", form)
            registry.add(f"xgb_{form}_rank_{kind}", shown, "ranking", train, tolerance=FLOAT32)
        registry.add(f"xgb_{form}_cox", shown, "survival", survival_recipe("survival:cox", form), tolerance=FLOAT32)
    for distribution in ("normal", "logistic", "extreme"):
        train = survival_recipe("survival:aft", "ubj", aft_loss_distribution=distribution)
        registry.add(f"xgb_ubj_aft_{distribution}", "UBJSON", "survival", train, tolerance=FLOAT32)
    train = booster_recipe(data.regression, "reg:linear", "json")
    registry.add("xgb_json_reg_linear", "JSON", "regression", train, tolerance=FLOAT32)


def binary_ranking() -> data.Data:
    used = data.ranking()
    return data.Data(used.X, (used.y > 2).astype(int), used.held, used.names)


def _boosters() -> None:
    dart = {"booster": "dart", "rate_drop": 0.3, "skip_drop": 0.2}
    for short, objective, source in (
        ("squarederror", "reg:squarederror", data.regression),
        ("logistic", "binary:logistic", data.cancer),
        ("softprob", "multi:softprob", data.classes),
        ("poisson", "count:poisson", data.counts),
    ):
        task = "classification" if short in ("logistic", "softprob") else "regression"
        for form, shown in (("json", "JSON"), ("ubj", "UBJSON")):
            train = booster_recipe(source, objective, form, **dart)
            registry.add(f"xgb_{form}_dart_{short}", f"{shown}, dart", task, train, tolerance=FLOAT32)
    for short, objective, source in (
        ("squarederror", "reg:squarederror", data.regression),
        ("logistic", "binary:logistic", data.classes_2),
        ("softprob", "multi:softprob", data.classes),
        ("poisson", "count:poisson", data.counts),
    ):
        task = "classification" if short in ("logistic", "softprob") else "regression"
        form, shown = ("json", "JSON") if short in ("logistic", "poisson") else ("ubj", "UBJSON")
        train = linear_recipe(source, objective, form)
        registry.add(f"xgb_{form}_gblinear_{short}", f"{shown}, gblinear", task, train, tolerance=LONG_FLOAT32)


def _shapes() -> None:
    """What changes the shape of the forest."""
    parallel = {"num_parallel_tree": 4, "subsample": 0.7, "colsample_bynode": 0.6}
    train = booster_recipe(data.classes, "multi:softprob", "ubj", 6, **parallel)
    registry.add("xgb_ubj_parallel_softprob", "UBJSON", "classification", train, tolerance=FLOAT32)
    train = booster_recipe(data.regression, "reg:squarederror", "json", 1, **{**parallel, "num_parallel_tree": 30})
    registry.add("xgb_json_random_forest", "JSON", "regression", train, tolerance=FLOAT32)
    for short, params in {
        "lossguide": {"grow_policy": "lossguide", "max_leaves": 40, "max_depth": 0},
        "stump": {"max_depth": 1},
        "deep": {"max_depth": 12},
        "exact": {"tree_method": "exact"},
        "approx": {"tree_method": "approx"},
        "base_score": {"base_score": 3.25},
        "monotone": {"monotone_constraints": "(1,-1,0,0,0,0)"},
        "pruned": {"gamma": 3.0, "tree_method": "exact", "max_depth": 8},
    }.items():
        train = booster_recipe(data.regression, "reg:squarederror", "ubj", **params)
        registry.add(f"xgb_ubj_{short}", "UBJSON", "regression", train, tolerance=FLOAT32)
    registry.add("xgb_json_stopped_whole", "JSON", "regression", all_iterations_recipe("json"), tolerance=FLOAT32)
    registry.add("xgb_json_best_iteration", "JSON, option best_iteration", "regression",
                 best_iteration_recipe("json"), tolerance=FLOAT32)
    registry.add("xgb_ubj_digits", "UBJSON", "classification",
                 booster_recipe(data.digits, "multi:softprob", "ubj", 8), tolerance=FLOAT32)
    for strategy, short in (("one_output_per_tree", "trees"), ("multi_output_tree", "vector")):
        for form, shown in (("json", "JSON"), ("ubj", "UBJSON")):
            registry.add(f"xgb_{form}_multi_output_{short}", shown, "regression, 3 targets",
                         multi_recipe(strategy, form), tolerance=FLOAT32)
    for form, shown in (("json", "JSON"), ("ubj", "UBJSON")):
        train = booster_recipe(data.classes, "multi:softprob", form, multi_strategy="multi_output_tree",
                               tree_method="hist")
        registry.add(f"xgb_{form}_softprob_vector", shown, "classification", train, tolerance=FLOAT32)
    for name, objective in (("label", "logistic"), ("margin", "logitraw"), ("hinge", "hinge")):
        registry.add(f"xgb_ubj_multi_{name}", "UBJSON", "classification, 4 labels",
                     multi_recipe("one_output_per_tree", "ubj", f"binary:{objective}"), tolerance=FLOAT32)
    registry.add("xgb_ubj_quantiles", "UBJSON", "regression, 3 quantiles", quantile_recipe("ubj"), tolerance=FLOAT32)


def _ranges() -> None:
    """Parts of models: the import's options beside iteration_range of predict()."""
    parallel = {"num_parallel_tree": 3, "subsample": 0.7, "colsample_bynode": 0.6}
    dart = {"booster": "dart", "rate_drop": 0.3, "skip_drop": 0.2}
    vectors = {"multi_strategy": "multi_output_tree", "tree_method": "hist"}
    for short, form, task, source, train, ranged in (
        ("squarederror", "json", "regression", data.regression, ("reg:squarederror", {}), (0, 7)),
        ("from_third", "ubj", "regression", data.regression, ("reg:squarederror", {}), (3, 20)),
        ("logistic", "ubj", "classification", data.cancer, ("binary:logistic", {"base_score": 0.3}), (2, 9)),
        ("softprob", "json", "classification", data.classes, ("multi:softprob", {}), (1, 6)),
        ("dart", "ubj", "regression", data.regression, ("reg:squarederror", dart), (4, 15)),
        ("dart_softprob", "json", "classification", data.classes, ("multi:softprob", dart), (0, 5)),
        ("forest", "json", "regression", data.regression, ("reg:squarederror", parallel), (2, 5)),
        ("forest_softprob", "ubj", "classification", data.classes, ("multi:softprob", parallel), (1, 4)),
        ("vector_softprob", "ubj", "classification", data.classes, ("multi:softprob", vectors), (1, 8)),
    ):
        whole = booster_recipe(source, train[0], form, **train[1])
        registry.add(f"xgb_{form}_range_{short}", f"{'JSON' if form == 'json' else 'UBJSON'}, some iterations", task,
                     ranged_recipe(whole, ranged), tolerance=FLOAT32)
    for strategy, short in (("one_output_per_tree", "trees"), ("multi_output_tree", "vector")):
        registry.add(f"xgb_ubj_range_multi_output_{short}", "UBJSON, some iterations", "regression, 3 targets",
                     ranged_recipe(multi_recipe(strategy, "ubj"), (2, 11)), tolerance=FLOAT32)


def _categories() -> None:
    for objective, short in (
        ("reg:squarederror", "regression"),
        ("binary:logistic", "binary"),
        ("multi:softprob", "multiclass"),
    ):
        task = "regression" if short == "regression" else "classification"
        for most, kind in ((100, "onehot"), (1, "sets")):
            for form, shown in (("json", "JSON"), ("ubj", "UBJSON")):
                if form == "json" and short == "multiclass":
                    continue
                train = categorical_recipe(objective, form, most)
                registry.add(f"xgb_{form}_categories_{kind}_{short}", f"{shown}, categories", task, train,
                             tolerance=FLOAT32)
    for form, shown in (("json", "JSON"), ("ubj", "UBJSON")):
        for short, kind, as_codes in (("text", "kind {}".format, False), ("integer", lambda k: 300 - 7 * k, False),
                                      ("codes", "kind {}".format, True)):
            note = "text asked as codes" if as_codes else "categories of a data frame, with missing ones"
            registry.add(f"xgb_{form}_categories_{short}", f"{shown}, categories", "regression",
                         frame_recipe(form, kind, as_codes), tolerance=FLOAT32, note=note)


def _wrappers() -> None:
    for short, kind, source, params in (
        ("classifier", xgboost.XGBClassifier, data.classes, {}),
        ("classifier_stopped", xgboost.XGBClassifier, data.cancer, {"early_stopping_rounds": 3, "learning_rate": 0.9}),
        ("regressor", xgboost.XGBRegressor, data.regression, {}),
        ("regressor_stopped", xgboost.XGBRegressor, data.regression,
         {"early_stopping_rounds": 3, "learning_rate": 0.9}),
        ("rf_classifier", xgboost.XGBRFClassifier, data.cancer, {}),
        ("rf_regressor", xgboost.XGBRFRegressor, data.regression, {}),
    ):
        task = "classification" if "classifier" in short else "regression"
        registry.add(f"xgb_live_{short}", "UBJSON, live object", task, wrapper_recipe(kind, source, **params),
                     tolerance=FLOAT32)


register()
