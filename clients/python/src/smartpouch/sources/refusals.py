"""What cannot be converted: why, and what to do."""

from __future__ import annotations

import re
from typing import Any

from smartpouch.errors import UnsupportedModel
from smartpouch.sources import steps

_IMPUTE = "Train it with a SimpleImputer, or with a model that takes missing values (histogram boosting, forests)"
_WORDS = "Words become columns of a sparse matrix: compute features of the text in SQL, and train on these"
# What to do in place of steps that people have: skl2onnx (1.20) converts them not, to functions or to operators
# on words.
_INSTEAD = {
    "IterativeImputer": _IMPUTE,
    "KNNImputer": _IMPUTE,
    "SplineTransformer": "Take KBinsDiscretizer or PolynomialFeatures, or compute the splines in SQL",
    "TransformedTargetRegressor": "Train on the transformed target, and transform predictions back in SQL",
    "CountVectorizer": _WORDS,
    "TfidfVectorizer": _WORDS,
    "HashingVectorizer": _WORDS,
}


def check(model: Any) -> None:
    """Raise UnsupportedModel for a step that no ONNX file can hold for the server."""
    for each in steps.inside(model):
        kind = type(each).__name__
        if kind == "FunctionTransformer" and each.func is not None:
            name = getattr(each.func, "__name__", repr(each.func))
            raise UnsupportedModel(
                f"a FunctionTransformer holds {name}, a function of Python, which no file can",
                "Compute its columns in SQL and before training, and leave the step out",
            )
        if kind in _INSTEAD:
            raise UnsupportedModel(f"a {kind} has no form that the server takes", _INSTEAD[kind])


def of(model: Any, error: Exception) -> UnsupportedModel:
    """What skl2onnx's error means to who pushes the model."""
    message = str(error)
    # It says in ten lines how a converter is registered.
    found = re.search(r"Unable to find a (?:shape calculator|converter) for type '<class '([\w.]+)'>'", message)
    if found:
        message = f"it has no converter for {found[1].rpartition('.')[2]}"
    return UnsupportedModel(
        f"skl2onnx cannot convert this {type(model).__name__}: {message}",
        "See the list of what it converts in its documentation, or replace that step",
    )
