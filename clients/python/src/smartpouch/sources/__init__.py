"""Converters from live models to model files, one module for each library.

A library is known by the module that defines a class of the object, so none is imported before an
object of it is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

from smartpouch.errors import UnsupportedModel
from smartpouch.sources.converted import Converted

# Package that defines the class → module here.  Keras and TensorFlow are listed for their hint only.
_MODULES = {
    "xgboost": "from_xgboost",
    "lightgbm": "from_lightgbm",
    "catboost": "from_catboost",
    "sklearn": "from_sklearn",
    "torch": "from_torch",
    "onnx": "from_onnx",
}
_HINTS = {
    "keras": "Convert it with tf2onnx and push the ONNX file",
    "tensorflow": "Convert it with tf2onnx and push the ONNX file",
    "statsmodels": "Refit it with scikit-learn, or write its formula as ONNX with onnx.helper",
}


def convert(model: Any, sample: Any = None) -> Converted:
    """The model file for a live model, a path or bytes."""
    if isinstance(model, (bytes, bytearray, memoryview, str, os.PathLike)):
        from smartpouch.sources import from_file

        return from_file.convert(model, sample)
    return _converter(model)(model, sample)


def package_of(model: Any) -> str | None:
    """The first known package among the classes of an object, the most derived class first."""
    for cls in type(model).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in _MODULES or package in _HINTS:
            return package
    return None


def _converter(model: Any) -> Callable[[Any, Any], Converted]:
    package = package_of(model)
    if package not in _MODULES:
        raise UnsupportedModel(
            f"a {type(model).__module__}.{type(model).__qualname__} is no model that is known here",
            _HINTS.get(
                package or "",
                "Pass a model of XGBoost, LightGBM, CatBoost, scikit-learn or PyTorch, an ONNX model, or a model file",
            ),
        )
    module = import_module(f"smartpouch.sources.{_MODULES[package]}")
    found: Callable[[Any, Any], Converted] = module.convert
    return found
