"""CatBoost: its JSON export."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from smartpouch.answers import Answers, plain_label
from smartpouch.errors import UnsupportedModel
from smartpouch.rows import numeric
from smartpouch.sources.converted import FLOAT64, Converted


def convert(model: Any, sample: Any) -> Converted:
    """The JSON form of a fitted model."""
    if not model.is_fitted():
        raise UnsupportedModel("the model is not fitted", "Call fit() first")
    trained = loss(model)
    labels = None
    if trained in _CLASSIFIERS:
        labels = [plain_label(label) for label in model.classes_]
    return Converted(
        json_of(model),
        feature_names=[str(name) for name in model.feature_names_],
        labels=labels,
        tolerance=FLOAT64,
        reference=lambda rows: _answers(model, trained, numeric(rows)),
    )


def json_of(model: Any) -> bytes:
    """The JSON form."""
    # The library writes files only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.json")
        model.save_model(str(path), format="json")
        return path.read_bytes()


# Losses of classifiers, and of several labels for each row.
_CLASSIFIERS = {"Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll"}
_LABELS = {"MultiLogloss", "MultiCrossEntropy"}
# What CatBoostRegressor.predict gives by default; the class CatBoost itself gives sums.
_KINDS = {"Poisson": "Exponent", "Tweedie": "Exponent", "RMSEWithUncertainty": "RMSEWithUncertainty"}


def loss(model: Any) -> str:
    """The loss function without its parameters."""
    return str(model.get_all_params().get("loss_function", "RMSE")).partition(":")[0]


def _answers(model: Any, loss: str, rows: Any) -> Answers:
    if loss in _CLASSIFIERS:
        return Answers(
            label=[plain_label(label) for label in model.predict(rows, prediction_type="Class").ravel()],
            probabilities=model.predict(rows, prediction_type="Probability"),
        )
    if loss in _LABELS:
        return Answers(value=model.predict(rows, prediction_type="Probability"))
    return Answers(value=model.predict(rows, prediction_type=_KINDS.get(loss, "RawFormulaVal")))
