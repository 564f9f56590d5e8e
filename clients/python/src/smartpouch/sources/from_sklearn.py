"""scikit-learn through skl2onnx: estimators and pipelines.

Which float type the ONNX graph works in decides how exact it is.  scikit-learn's trees round
every row to float32 themselves, so float32 is exact for them alone; all other estimators work in
float64, and so does the graph, unless the training data was float32.  Steps that only know float32 get
rows rounded for themselves (trees.py, float_types.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smartpouch.answers import Answers, plain_label
from smartpouch.errors import UnsupportedModel
from smartpouch.rows import column_names, polars_kind
from smartpouch.sources import boosters, converters, float_types, refusals, steps, texts
from smartpouch.sources.converted import FLOAT32, Converted


def convert(model: Any, sample: Any) -> Converted:
    """The ONNX form of a fitted estimator or pipeline."""
    refusals.check(model)
    per_column = _needs_columns(model, sample)
    return Converted(
        _convert_columns(model, sample) if per_column else _convert_tensor(model, sample),
        # Names of inputs in the file have no spaces, those of columns may.
        feature_names=column_names(sample) if per_column else _feature_names(model, sample),
        tolerance=FLOAT32,
        reference=lambda rows: _answers(model, rows),
        options=_text_options(model, sample) if per_column else {},
    )


def _text_options(model: Any, sample: Any) -> dict[str, Any]:
    names = column_names(sample) or []
    strings = [name for name, dtype in zip(names, sample.dtypes, strict=True) if _kind(dtype) == "string"]
    return texts.import_options(model, names, strings)


def _convert_columns(model: Any, sample: Any) -> bytes:
    return _to_onnx(model, _columns(sample))


def _convert_tensor(model: Any, sample: Any) -> bytes:
    skl2onnx = _skl2onnx()
    types = skl2onnx.common.data_types
    width = _width(model, sample)
    if not _is_float32(model, sample):
        try:
            data = _to_onnx(model, [("X", types.DoubleTensorType([None, width]))])
        except UnsupportedModel:
            # Some converters only know float32.
            data = b""
        if data and _is_valid(data):
            return data
    return _to_onnx(model, [("X", types.FloatTensorType([None, width]))])


def _is_valid(data: bytes) -> bool:
    """False for graphs that some converters write for float64 rows."""
    import onnx

    try:
        onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


def is_float64(data: bytes) -> bool:
    """True if nothing in an ONNX file is float32: else float64 rows gain nothing, and not every runtime takes them."""
    import onnx

    graph = onnx.load_from_string(data).graph
    single = onnx.TensorProto.FLOAT
    inputs = any(each.type.tensor_type.elem_type == single for each in graph.input)
    constants = any(each.data_type == single for each in graph.initializer)
    nodes = any(
        (node.domain == "ai.onnx.ml" and node.op_type not in float_types.EXACT)
        or (node.op_type == "Cast" and node.attribute[0].i == single)
        for node in graph.node
    )
    return not (inputs or constants or nodes)


def _to_onnx(model: Any, inputs: list[Any]) -> bytes:
    skl2onnx = _skl2onnx()
    boosters.register()
    try:
        with _convertible(model), converters.replaced(model):
            converted = _convert(skl2onnx, model, inputs)
    except UnsupportedModel:
        raise
    except Exception as error:  # skl2onnx raises many kinds, and each means: not this one
        raise refusals.of(model, error) from error
    _apply_log_link(model, converted)
    float_types.settle(converted)
    data: bytes = converted.SerializeToString()
    return data


def _convert(skl2onnx: Any, model: Any, inputs: list[Any]) -> Any:
    # The newest ai.onnx.ml that all of its converters know.
    common: dict[str, Any] = {
        "target_opset": {"": skl2onnx.__max_supported_opset__, "ai.onnx.ml": 3},
    }
    try:
        return skl2onnx.convert_sklearn(model, "model", inputs, options=_options(model), **common)
    except NameError:
        # Some classifiers have no such option, and no ZipMap either.
        return skl2onnx.convert_sklearn(model, "model", inputs, **common)


def _apply_log_link(model: Any, converted: Any) -> None:
    """Exp at the end of histogram boosting with a log link, which skl2onnx (1.20) leaves out."""
    final = model.steps[-1][1] if hasattr(model, "steps") else model
    is_log = getattr(final, "loss", None) in ("poisson", "gamma") and hasattr(final, "_predictors")
    graph = converted.graph
    if not is_log or any(node.op_type == "Exp" for node in graph.node):
        return
    from onnx import helper

    (output,) = graph.output
    for node in graph.node:
        for at, name in enumerate(node.output):
            if name == output.name:
                node.output[at] = "before_log_link"
    graph.node.append(helper.make_node("Exp", ["before_log_link"], [output.name], name="log_link"))


@contextmanager
def _convertible(model: Any) -> Iterator[None]:
    """With settings that skl2onnx takes in place of those that it refuses, where no prediction changes."""
    changes = [(step, _replacements(step)) for step in steps.inside(model)]
    before = [(step, {name: vars(step)[name] for name in changed}) for step, changed in changes]
    try:
        for step, changed in changes:
            vars(step).update(changed)
        yield
    finally:
        for step, kept in before:
            vars(step).update(kept)


def _replacements(step: Any) -> dict[str, Any]:
    import numpy as np

    found = texts.replacements(step)
    if getattr(step, "flatten_transform", False):
        found["flatten_transform"] = False
    if getattr(getattr(vars(step).get("classes_"), "dtype", None), "kind", "") == "b":
        found["classes_"] = step.classes_.astype(np.int64)
    if type(step).__name__ == "VotingRegressor" and isinstance(step.weights, list):
        found["weights"] = np.array(step.weights)
    return found


def _skl2onnx() -> Any:
    try:
        import skl2onnx.common.data_types
    except ImportError:
        raise UnsupportedModel(
            "scikit-learn models need the package skl2onnx", "Install it: pip install 'smartpouch[sklearn]'"
        ) from None
    return skl2onnx


def _options(model: Any) -> dict[int, dict[str, Any]] | None:
    """Probabilities as a tensor: ZipMap makes a dictionary for each row, which only costs time."""
    from sklearn.base import is_classifier

    if not is_classifier(model) or _selects(model):
        return None
    return {id(model): {"zipmap": False}}


def _selects(model: Any) -> bool:
    """True for feature selectors, which pass for classifiers but are converted to their transform()."""
    return hasattr(model, "get_support")


def _feature_names(model: Any, sample: Any) -> list[str] | None:
    names = getattr(model, "feature_names_in_", None)
    return column_names(sample) if names is None else [str(name) for name in names]


def _width(model: Any, sample: Any) -> int:
    for found in (getattr(model, "n_features_in_", None), getattr(sample, "shape", (0, None))[1]):
        if found is not None:
            return int(found)
    raise UnsupportedModel(
        f"this {type(model).__name__} does not say how many features it has",
        "Pass X_sample, some rows of the training data",
    )


def _needs_columns(model: Any, sample: Any) -> bool:
    """One input for each column: where columns differ in type, or a step picks them by name."""
    if column_names(sample) is None:
        return False
    by_name = any(hasattr(step, "transformers_") for step in steps.inside(model))
    return by_name or any(_kind(dtype) == "string" for dtype in sample.dtypes)


def _kind(dtype: Any) -> str:
    if hasattr(dtype, "is_numeric"):  # polars
        return polars_kind(dtype)
    kind = getattr(dtype, "kind", "O")
    if kind in "iub":
        return "integer"
    return "float" if kind == "f" else "string"


def _columns(sample: Any) -> list[tuple[str, Any]]:
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType

    types = {"integer": Int64TensorType, "string": StringTensorType}
    inputs = []
    for name, dtype in zip(column_names(sample) or (), sample.dtypes, strict=True):
        if str(dtype).lower().startswith(("datetime", "date", "time", "duration", "period")):
            raise UnsupportedModel(
                f"column {name!r} holds dates or times ({dtype}), which no ONNX file knows",
                "Make numbers of it before training and in SQL, as doc/formats.md shows, or drop it if nothing uses it",
            )
        is_single = str(dtype) == "Float32" or getattr(dtype, "itemsize", 8) == 4
        floats = FloatTensorType if is_single else DoubleTensorType
        inputs.append((name, types.get(_kind(dtype), floats)([None, 1])))
    return inputs


def _is_float32(model: Any, sample: Any) -> bool:
    return str(getattr(sample, "dtype", "")) == "float32" or _rounds_itself(model)


_ROUND_THEMSELVES = ("sklearn.tree", *(f"sklearn.ensemble._{kind}" for kind in ("forest", "gb", "iforest")), "xgboost")


def _rounds_itself(model: Any) -> bool:
    """True for trees and forests that see the rows as they come, and round them to float32."""
    inner = getattr(model, "best_estimator_", model)
    return type(inner).__module__.startswith(_ROUND_THEMSELVES)


def _answers(model: Any, rows: Any) -> Answers:
    if _selects(model):
        return Answers(value=model.transform(rows))
    if not hasattr(model, "predict"):
        found = model.transform(rows)
        return Answers(value=found.toarray() if hasattr(found, "toarray") else found)
    answer = model.predict(rows)
    if getattr(answer, "ndim", 1) == 2 and answer.shape[1] == 1:  # CatBoost's labels of several classes
        answer = answer.ravel()
    if getattr(answer, "ndim", 1) == 2:  # several targets: their labels are numbers side by side, as their values are
        return Answers(value=answer)
    return _one_target(model, rows, answer)


def _one_target(model: Any, rows: Any, answer: Any) -> Answers:
    from sklearn.base import is_classifier, is_clusterer, is_outlier_detector

    labels = [plain_label(label) for label in answer]
    if hasattr(model, "predict_proba"):
        return Answers(label=labels, probabilities=model.predict_proba(rows))
    if is_classifier(model) or is_clusterer(model) or is_outlier_detector(model):
        return Answers(label=labels)
    return Answers(value=answer)
