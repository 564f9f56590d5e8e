"""Models of XGBoost, LightGBM and CatBoost as steps of scikit-learn's pipelines.

The first two have converters in the package onnxmltools, CatBoost writes ONNX itself.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from smartpouch.errors import UnsupportedModel
from smartpouch.sources import trees


def register() -> None:
    """Lets pipelines end in a model of a boosting library, if it is loaded and its converter is installed."""
    import sys

    for library, wanted in _KNOWN.items():
        # A pipeline that holds such a model has imported its library.
        if library in sys.modules:
            try:
                wanted()
            except ImportError:
                continue


_NAMES_AND_ZIPMAP = {"nocl": [True, False], "zipmap": [True, False, "columns"]}


def _register_xgboost() -> None:
    import xgboost
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
    from skl2onnx import update_registered_converter as update
    from skl2onnx.common import shape_calculator as shapes

    classifier = shapes.calculate_linear_classifier_output_shapes
    regressor = shapes.calculate_linear_regressor_output_shapes
    convert = trees.on_float32(convert_xgboost)
    update(xgboost.XGBClassifier, "XGBoostXGBClassifier", classifier, convert, options=_NAMES_AND_ZIPMAP)
    update(xgboost.XGBRegressor, "XGBoostXGBRegressor", regressor, convert)


def _register_lightgbm() -> None:
    import lightgbm
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from skl2onnx import update_registered_converter as update
    from skl2onnx.common import shape_calculator as shapes

    classifier = shapes.calculate_linear_classifier_output_shapes
    regressor = shapes.calculate_linear_regressor_output_shapes
    convert = trees.on_float64(convert_lightgbm)
    update(lightgbm.LGBMClassifier, "LightGbmLGBMClassifier", classifier, convert, options=_NAMES_AND_ZIPMAP)
    update(lightgbm.LGBMRegressor, "LightGbmLGBMRegressor", regressor, convert, options={"split": None})


def _register_catboost() -> None:
    import catboost
    from skl2onnx import update_registered_converter as update
    from skl2onnx.common import shape_calculator as shapes

    classifier = shapes.calculate_linear_classifier_output_shapes
    regressor = shapes.calculate_linear_regressor_output_shapes
    convert = trees.on_float32(_convert_catboost)
    kept = {"options": _NAMES_AND_ZIPMAP, "parser": _parse_catboost_classifier}
    update(catboost.CatBoostClassifier, "CatBoostClassifier", classifier, convert, **kept)
    update(catboost.CatBoostRegressor, "CatBoostRegressor", regressor, convert)


def _parse_catboost_classifier(scope: Any, model: Any, inputs: Any, custom_parsers: Any = None) -> Any:
    """Two outputs: skl2onnx does not see a classifier in it."""
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType

    operator = scope.declare_local_operator("CatBoostClassifier", model)
    operator.inputs = inputs
    operator.outputs.append(scope.declare_local_variable("label", Int64TensorType()))
    operator.outputs.append(scope.declare_local_variable("probabilities", FloatTensorType()))
    return operator.outputs


# Losses whose answers are what CatBoost's own ONNX file gives.
_CATBOOST_LOSSES = {
    *("CrossEntropy", "Logloss", "MultiClass"),
    *("Expectile", "Huber", "LogCosh", "Lq", "MAE", "MAPE", "Quantile", "RMSE"),
}


def _convert_catboost(scope: Any, operator: Any, container: Any) -> None:
    """The trees of CatBoost's own ONNX file, with its way for missing values made explicit."""
    import onnx

    from smartpouch.sources import from_catboost

    model = operator.raw_operator
    is_boolean = getattr(getattr(model.classes_, "dtype", None), "kind", "") == "b"
    policy = model.get_all_params().get("grow_policy", "SymmetricTree")
    reasons = [
        *([f"the loss {from_catboost.loss(model)}"] if from_catboost.loss(model) not in _CATBOOST_LOSSES else []),
        *(["categorical features"] if model.get_cat_feature_indices() else []),
        *(["labels that are truth values"] if is_boolean else []),
        *([f"grow_policy {policy}"] if policy != "SymmetricTree" else []),
    ]
    if reasons:
        raise UnsupportedModel(
            f"CatBoost does not write this {type(model).__name__} of a pipeline as ONNX: {' and '.join(reasons)}",
            "Push the CatBoost model alone, trained on columns that SQL prepares",
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        model.save_model(str(path), format="onnx")
        node = onnx.load(str(path)).graph.node[0]
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    container.add_node(
        node.op_type,
        [operator.inputs[0].full_name],
        [each.full_name for each in operator.outputs],
        name=scope.get_unique_operator_name(node.op_type),
        op_domain="ai.onnx.ml",
        op_version=1,
        **_with_missing(attributes, from_catboost.json_of(model)),
    )


def _with_missing(attributes: dict[str, Any], text: bytes) -> dict[str, Any]:
    """A missing value is greater than every border of a feature, or it is not; ONNX must say so at each split."""
    features = json.loads(text)["features_info"]["float_features"]
    is_greater = {each["flat_feature_index"]: each.get("nan_value_treatment") == "AsTrue" for each in features}
    changed = {name: list(attributes[name]) for name in ("nodes_modes", "nodes_truenodeids", "nodes_falsenodeids")}
    tracks = [0] * len(changed["nodes_modes"])
    for at, feature in enumerate(attributes["nodes_featureids"]):
        if changed["nodes_modes"][at] != b"BRANCH_GT":
            continue
        tracks[at] = 1
        if not is_greater[feature]:
            changed["nodes_modes"][at] = b"BRANCH_LEQ"
            yes, no = changed["nodes_truenodeids"][at], changed["nodes_falsenodeids"][at]
            changed["nodes_truenodeids"][at], changed["nodes_falsenodeids"][at] = no, yes
    return {**attributes, **changed, "nodes_missing_value_tracks_true": tracks}


_KNOWN = {"xgboost": _register_xgboost, "lightgbm": _register_lightgbm, "catboost": _register_catboost}
