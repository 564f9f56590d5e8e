"""LightGBM: its text file, float64 throughout."""

from __future__ import annotations

import re
from typing import Any

from smartpouch.answers import Answers, plain_label
from smartpouch.errors import UnsupportedModel
from smartpouch.rows import column_names, numeric
from smartpouch.sources.converted import FLOAT64, Converted


def convert(model: Any, sample: Any) -> Converted:
    """The text form of a Booster or of a model with scikit-learn's interface."""
    import lightgbm

    booster = model if isinstance(model, lightgbm.Booster) else _booster(model)
    # Without a number of iterations both this and predict() stop at the best one.
    text: str = booster.model_to_string()
    labels = None
    if isinstance(model, lightgbm.LGBMClassifier):
        labels = [plain_label(label) for label in model.classes_]
    elif "objective" not in _header(text):
        raise UnsupportedModel(
            "the model was trained with an objective of its own, which no file can hold",
            "Train with a built-in objective, or set booster.params['objective'] to the one whose scores these are",
        )
    return Converted(
        text.encode(),
        feature_names=_feature_names(booster, sample),
        labels=labels,
        tolerance=FLOAT64,
        reference=lambda rows: _answers(model, text, numeric(rows)),
        categories_as_codes=True,
    )


def _booster(model: Any) -> Any:
    from sklearn.exceptions import NotFittedError

    try:
        return model.booster_
    except NotFittedError:
        raise UnsupportedModel("the model is not fitted", "Call fit() first") from None


def _feature_names(booster: Any, sample: Any) -> list[str] | None:
    """Names of the columns where the file, which cannot hold spaces, has others; None for those of the file."""
    names = column_names(sample) or []
    return names if [name.replace(" ", "_") for name in names] == booster.feature_name() else None


def _header(text: str) -> dict[str, str]:
    head = text.partition("\nTree=0")[0]
    return dict(line.split("=", 1) for line in head.splitlines() if "=" in line)


def _answers(model: Any, text: str, rows: Any) -> Answers:
    if hasattr(model, "predict_proba"):
        return Answers(
            label=[plain_label(label) for label in model.predict(rows)],
            probabilities=model.predict_proba(rows),
        )
    predicted = model.predict(rows)
    objective = re.split(r"\s", _header(text).get("objective", ""))[0]
    if objective == "binary":
        return Answers(
            label=[str(int(p > 0.5)) for p in predicted],
            probabilities=[[1.0 - float(p), float(p)] for p in predicted],
        )
    if objective in ("multiclass", "multiclassova"):
        return Answers(label=[str(k) for k in predicted.argmax(axis=1)], probabilities=predicted)
    return Answers(value=predicted)
