"""XGBoost and LightGBM through onnxmltools: the same models as ONNX files.

The converted files hold float32 thresholds and leaves; rows are float32 numbers, which the libraries see
as they are.  Expected numbers come from the library that trained the model.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import onnxmltools
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType

import data
import from_lightgbm
import from_xgboost
from extremes import special_values, tree_rows
from recipe import FLOAT32, Expected, Registry, Trained

registry = Registry("onnxmltools")
XGB = {"n_estimators": 20, "max_depth": 4, "n_jobs": 1, "random_state": data.SEED}
LGB = {"n_estimators": 20, "num_leaves": 15, "n_jobs": 1, "random_state": data.SEED, "verbosity": -1}
# What LightGBM takes for zero differs from the file's plain comparison around 0.
WITHOUT_TINY = [value for value in special_values(np.float32) if value == 0 or abs(value) >= 1e-20]


def recipe(kind: type, source: Callable[[], data.Data], missing: bool = True, **params: Any) -> Callable[[], Trained]:
    def train() -> Trained:
        used = source()
        is_xgboost = issubclass(kind, xgboost.XGBModel)
        X = used.X.astype(np.float32)
        model = kind(**(XGB if is_xgboost else LGB), **params)
        model.fit(from_xgboost.blanked(X) if missing else X, used.y)
        inputs = [("X", FloatTensorType([None, X.shape[1]]))]
        if is_xgboost:
            artifact = onnxmltools.convert_xgboost(model, initial_types=inputs)
            points, values = from_xgboost.split_points(model.get_booster()), None
        else:
            artifact = onnxmltools.convert_lightgbm(model, initial_types=inputs, zipmap=False)
            points, values = kept_points(from_lightgbm.split_points(model.booster_)), WITHOUT_TINY
        rows = tree_rows(used.held, points, missing=missing, values=values)
        bytes_ = artifact.SerializeToString()
        return Trained(bytes_, rows, lambda given: answers(model, given.astype(np.float32)), onnx=bytes_)

    return train


def kept_points(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Thresholds that the converter did not round up: past those the file is another model than the library's."""
    return [(column, value) for column, value in points if float(np.float32(value)) <= value]


def answers(model: Any, rows: np.ndarray) -> Expected:
    if hasattr(model, "predict_proba"):
        return Expected(label=[str(k) for k in model.predict(rows)], probabilities=model.predict_proba(rows))
    return Expected(value=model.predict(rows))


def register() -> None:
    """All combinations of this converter."""
    for library, classifier, regressor in (
        ("xgb", xgboost.XGBClassifier, xgboost.XGBRegressor),
        ("lgb", lightgbm.LGBMClassifier, lightgbm.LGBMRegressor),
    ):
        poisson = "count:poisson" if library == "xgb" else "poisson"
        add(f"{library}_binary", "classification", recipe(classifier, data.cancer))
        add(f"{library}_multiclass", "classification", recipe(classifier, data.classes))
        add(f"{library}_no_missing", "classification", recipe(classifier, data.wine, missing=False))
        add(f"{library}_regression", "regression", recipe(regressor, data.regression))
        add(f"{library}_poisson", "regression", recipe(regressor, data.counts, objective=poisson))
    add("xgb_rf", "classification", recipe(xgboost.XGBRFClassifier, data.cancer))
    add("xgb_gamma", "regression", recipe(xgboost.XGBRegressor, data.positive, objective="reg:gamma"))
    add("xgb_parallel_trees", "regression", recipe(xgboost.XGBRegressor, data.regression, num_parallel_tree=3))
    add("lgb_rf", "classification", recipe(lightgbm.LGBMClassifier, data.cancer, boosting_type="rf", subsample=0.7,
                                           subsample_freq=1))
    add("lgb_l1", "regression", recipe(lightgbm.LGBMRegressor, data.regression, objective="regression_l1"))


def add(short: str, task: str, train: Callable[[], Trained], **rest: Any) -> None:
    registry.add(f"oml_{short}", "ONNX", task, train, tolerance=FLOAT32, **rest)


register()
