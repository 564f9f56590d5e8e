"""XGBoost: UBJSON, which keeps every float32 as it is."""

from __future__ import annotations

import json
import math
from typing import Any

from smartpouch.answers import Answers, plain_label
from smartpouch.errors import UnsupportedModel
from smartpouch.rows import column_names, numeric
from smartpouch.sources.converted import FLOAT32, Converted


def convert(model: Any, sample: Any) -> Converted:
    """The UBJSON form of a Booster or of a model with scikit-learn's interface."""
    import xgboost

    booster = model if isinstance(model, xgboost.Booster) else _booster(model)
    # A slice of a Booster has lost its lists of categories: the whole goes, and the server takes what is used.
    whole = model if isinstance(model, xgboost.Booster) else model.get_booster()
    used, there = booster.num_boosted_rounds(), whole.num_boosted_rounds()
    names = None if booster.feature_names else column_names(sample)
    is_classifier = isinstance(model, xgboost.XGBClassifier)
    return Converted(
        bytes(whole.save_raw("ubj")),
        feature_names=names,
        tolerance=FLOAT32,
        reference=lambda rows: _classifier(model, rows) if is_classifier else _answers(booster, rows),
        categories_as_codes=True,
        options={"iterations": used} if used < there else {},
    )


def _booster(model: Any) -> Any:
    missing = getattr(model, "missing", math.nan)
    if missing is not None and not math.isnan(missing):
        raise UnsupportedModel(
            f"the model takes {missing!r} for a missing value, which its file does not say",
            "Train it with missing=numpy.nan and pass NULL or NaN for missing values",
        )
    from sklearn.exceptions import NotFittedError

    try:
        booster = model.get_booster()
    except NotFittedError:
        raise UnsupportedModel("the model is not fitted", "Call fit() first") from None
    # The scikit-learn interface stops at the best iteration, the file alone would not.
    best = booster.attr("best_iteration")
    return booster if best is None else booster[: int(best) + 1]


def _matrix(booster: Any, rows: Any) -> Any:
    import numpy as np
    import xgboost

    rows = numeric(rows)
    if column_names(rows) is not None:
        return xgboost.DMatrix(rows, enable_categorical=True)
    return xgboost.DMatrix(
        np.asarray(rows),
        feature_names=booster.feature_names,
        feature_types=booster.feature_types,
        enable_categorical=True,
    )


def _objective(booster: Any) -> str:
    name: str = json.loads(booster.save_config())["learner"]["objective"]["name"]
    return name


def _answers(booster: Any, rows: Any) -> Answers:
    predicted = booster.predict(_matrix(booster, rows))
    objective = _objective(booster)
    if objective == "binary:logistic" and predicted.ndim == 1:
        return Answers(
            label=[str(int(p > 0.5)) for p in predicted],
            probabilities=[[1.0 - float(p), float(p)] for p in predicted],
        )
    if objective == "multi:softprob":
        return Answers(label=[str(k) for k in predicted.argmax(axis=1)], probabilities=predicted)
    if objective in ("binary:hinge", "multi:softmax") and predicted.ndim == 1:
        return Answers(label=[plain_label(float(k)) for k in predicted])
    return Answers(value=predicted)


def _classifier(model: Any, rows: Any) -> Answers:
    rows = numeric(rows)
    labels = model.predict(rows)
    if labels.ndim > 1 or _objective(model.get_booster()) == "binary:hinge":
        return _answers(_booster(model), rows)
    return Answers(label=[plain_label(k) for k in labels], probabilities=model.predict_proba(rows))
