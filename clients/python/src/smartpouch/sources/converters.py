"""What stands in for converters of skl2onnx (1.20) while this package converts.

Each of them answers as scikit-learn does where skl2onnx's own rounds, refuses or is wrong; the modules
that they come from say how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from smartpouch.errors import UnsupportedModel
from smartpouch.sources import encoders, imputer, nested, rescaling, steps, trees

Converter = Callable[[Any, Any, Any], None]
# From skl2onnx's converter to the one in its place.
Replacement = Callable[[Converter], Converter]


def _replacements(model: Any) -> dict[str, Replacement]:
    """By skl2onnx's name of an operator."""
    in_others = any(type(each).__name__ in _OTHERS for each in steps.inside(model))
    return {
        **trees.REPLACEMENTS,
        **({name: trees.with_counted_votes for name in _FORESTS} if in_others else {}),
        "SklearnSimpleImputer": imputer.replace,
        "SklearnLinearClassifier": _linear,
        "SklearnLinearSVC": _scores_on_float32,
        "SklearnPowerTransformer": trees.on_float32,
        "SklearnOneHotEncoder": encoders.one_hot,
        "SklearnOrdinalEncoder": encoders.ordinal,
        "SklearnTargetEncoder": encoders.target,
        "SklearnNormalizer": rescaling.normalizer,
        "SklearnKBinsDiscretizer": rescaling.bins,
        "SklearnCalibratedClassifierCV": nested.calibrated,
        "SklearnVotingClassifier": nested.votes,
        "SklearnOneVsRestClassifier": _one_versus_rest,
        **{name: nested.stacking for name in _STACKS},
    }


# Estimators that compare or sum the probabilities of others.
_OTHERS = ("CalibratedClassifierCV", "StackingClassifier", "VotingClassifier")
_FORESTS = ("SklearnRandomForestClassifier", "SklearnExtraTreesClassifier")
_STACKS = ("SklearnStackingClassifier", "SklearnStackingRegressor")


@contextmanager
def replaced(model: Any) -> Iterator[None]:
    """While it lasts, skl2onnx converts a model with the converters of this package."""
    from skl2onnx.common._registration import (
        get_converter,
        get_shape_calculator,
        register_converter,
        register_shape_calculator,
    )

    replacements = _replacements(model)
    nests = ("SklearnCalibratedClassifierCV", *_STACKS)
    shapes = {name: get_shape_calculator(name) for name in ("SklearnTargetEncoder", *nests)}
    before = {name: get_converter(name) for name in replacements}
    try:
        for name, found in before.items():
            options = found.get_allowed_options()
            if name == "SklearnLinearSVC":
                # Without this option it cannot be the last step of a pipeline.
                options = {**options, "zipmap": [True, False]}
            register_converter(name, replacements[name](found._fct), overwrite=True, options=options)
        for name in nests:
            register_shape_calculator(name, nested.with_one_input(shapes[name]), overwrite=True)
        register_shape_calculator("SklearnTargetEncoder", encoders.target_shape, overwrite=True)
        yield
    finally:
        for name, found in before.items():
            register_converter(name, found._fct, overwrite=True, options=found.get_allowed_options())
        for name, calculate in shapes.items():
            register_shape_calculator(name, calculate, overwrite=True)


def _scores_on_float32(convert: Converter) -> Converter:
    """float32 for classifiers without probabilities, whose scores skl2onnx does not write in float64."""
    rounded = trees.on_float32(convert)

    def converted(scope: Any, operator: Any, container: Any) -> None:
        has_probabilities = hasattr(operator.raw_operator, "predict_proba")
        (convert if has_probabilities else rounded)(scope, operator, container)

    return converted


def _linear(convert: Converter) -> Converter:
    """skl2onnx takes twice the margin of a discriminant analysis of two classes to its probabilities."""
    usual = _scores_on_float32(convert)

    def converted(scope: Any, operator: Any, container: Any) -> None:
        from sklearn.linear_model import LogisticRegression

        model = operator.raw_operator
        is_raw = container.get_options(model, {"raw_scores": False})["raw_scores"]
        if type(model).__name__ == "LinearDiscriminantAnalysis" and len(model.classes_) == 2 and not is_raw:
            # The same formula, which skl2onnx knows of this one.
            operator.raw_operator = LogisticRegression(solver="liblinear")
            vars(operator.raw_operator).update({name: getattr(model, name) for name in _FITTED})
        try:
            usual(scope, operator, container)
        finally:
            operator.raw_operator = model

    return converted


_FITTED = ("classes_", "coef_", "intercept_", "n_features_in_")


def _one_versus_rest(convert: Converter) -> Converter:
    """skl2onnx (1.20) always answers the first of two classes if the estimator has no probabilities."""

    def converted(scope: Any, operator: Any, container: Any) -> None:
        model = operator.raw_operator
        if len(model.classes_) == 2 and not hasattr(model.estimators_[0], "predict_proba"):
            raise UnsupportedModel(
                f"skl2onnx mistakes a OneVsRestClassifier of two classes and a {type(model.estimators_[0]).__name__}",
                "Train that estimator alone: two classes need no OneVsRestClassifier",
            )
        convert(scope, operator, container)

    return converted
