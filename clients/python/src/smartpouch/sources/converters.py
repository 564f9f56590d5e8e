"""What stands in for converters of skl2onnx (1.20) while this package converts.

Each of them answers as scikit-learn does where skl2onnx's own rounds, refuses or is wrong; the modules
that they come from say how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from smartpouch.sources import imputer, trees

Converter = Callable[[Any, Any, Any], None]
# From skl2onnx's converter to the one in its place.
Replacement = Callable[[Converter], Converter]


def _replacements() -> dict[str, Replacement]:
    """By skl2onnx's name of an operator."""
    return {
        **trees.REPLACEMENTS,
        "SklearnSimpleImputer": imputer.replace,
        "SklearnLinearClassifier": _scores_on_float32,
        "SklearnLinearSVC": _scores_on_float32,
        "SklearnPowerTransformer": trees.on_float32,
    }


@contextmanager
def replaced() -> Iterator[None]:
    """While it lasts, skl2onnx converts with the converters of this package."""
    from skl2onnx.common._registration import get_converter, register_converter

    replacements = _replacements()
    before = {name: get_converter(name) for name in replacements}
    try:
        for name, found in before.items():
            options = found.get_allowed_options()
            if name == "SklearnLinearSVC":
                # Without this option it cannot be the last step of a pipeline.
                options = {**options, "zipmap": [True, False]}
            register_converter(name, replacements[name](found._fct), overwrite=True, options=options)
        yield
    finally:
        for name, found in before.items():
            register_converter(name, found._fct, overwrite=True, options=found.get_allowed_options())


def _scores_on_float32(convert: Converter) -> Converter:
    """float32 for classifiers without probabilities, whose scores skl2onnx does not write in float64."""
    rounded = trees.on_float32(convert)

    def converted(scope: Any, operator: Any, container: Any) -> None:
        has_probabilities = hasattr(operator.raw_operator, "predict_proba")
        (convert if has_probabilities else rounded)(scope, operator, container)

    return converted
