from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smartpouch.errors import UnsupportedModel
from smartpouch.rows import take
from smartpouch.sources import convert, package_of


def test_an_unknown_object_says_what_is_known() -> None:
    with pytest.raises(UnsupportedModel, match="XGBoost, LightGBM, CatBoost"):
        convert(object())


def test_keras_gets_a_hint() -> None:
    model = type("Sequential", (), {"__module__": "keras.src.models"})()
    with pytest.raises(UnsupportedModel, match="tf2onnx"):
        convert(model)


def test_the_most_derived_known_class_counts() -> None:
    base = type("Base", (), {"__module__": "sklearn.base"})
    middle = type("Model", (base,), {"__module__": "xgboost.sklearn"})
    own = type("Own", (middle,), {"__module__": "mine"})
    assert package_of(own()) == "xgboost"


def test_bytes_and_paths_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "model.ubj"
    path.write_bytes(b"{L")
    assert convert(path).data == convert(str(path)).data == convert(b"{L").data == b"{L"


@pytest.mark.parametrize(("name", "hint"), [("m.pt", "torch"), ("m.cbm", "load_model"), ("m.keras", "tf2onnx")])
def test_files_of_one_library(name: str, hint: str) -> None:
    with pytest.raises(UnsupportedModel, match=hint):
        convert(name)


@pytest.mark.parametrize("data", [b"", b"\x80\x04\x95"])
def test_bytes_that_are_no_model(data: bytes) -> None:
    with pytest.raises(UnsupportedModel):
        convert(data)


def test_xgboost_takes_its_best_iteration() -> None:
    np, xgboost = pytest.importorskip("numpy"), pytest.importorskip("xgboost")
    X = np.random.default_rng(1).normal(size=(200, 3))
    model = xgboost.XGBRegressor(n_estimators=100, early_stopping_rounds=2, learning_rate=1.0)
    model.fit(X[:100], X[:100, 0], eval_set=[(X[100:], X[100:, 0])], verbose=False)
    converted = convert(model)
    # the whole file: a booster that is cut loses its lists of categories
    assert converted.options == {"iterations": model.best_iteration + 1}
    assert converted.reference is not None
    assert converted.reference(X).value == pytest.approx(model.predict(X))


def test_xgboost_with_a_number_for_missing_is_refused() -> None:
    np, xgboost = pytest.importorskip("numpy"), pytest.importorskip("xgboost")
    model = xgboost.XGBRegressor(n_estimators=2, missing=-999.0).fit(np.eye(4), [0, 1, 2, 3])
    with pytest.raises(UnsupportedModel, match=r"missing=numpy\.nan"):
        convert(model)


def test_xgboost_booster_answers_by_objective() -> None:
    np, xgboost = pytest.importorskip("numpy"), pytest.importorskip("xgboost")
    matrix = xgboost.DMatrix(np.eye(6), [0, 1, 2, 0, 1, 2])
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3}, matrix, 2)
    reference = convert(booster).reference
    assert reference is not None
    answers = reference(np.eye(6))
    assert answers.value is None
    assert np.shape(answers.probabilities) == (6, 3)


def test_lightgbm_keeps_text_labels() -> None:
    np, lightgbm = pytest.importorskip("numpy"), pytest.importorskip("lightgbm")
    X = np.random.default_rng(1).normal(size=(100, 3))
    y = np.where(X[:, 0] > 0, "up", "down")
    converted = convert(lightgbm.LGBMClassifier(n_estimators=3, verbosity=-1).fit(X, y))
    assert converted.data.startswith(b"tree\n")
    assert converted.labels == ["down", "up"]


def test_catboost_writes_json() -> None:
    np, catboost = pytest.importorskip("numpy"), pytest.importorskip("catboost")
    model = catboost.CatBoostRegressor(iterations=3, verbose=False, allow_writing_files=False)
    with pytest.raises(UnsupportedModel, match="fit"):
        convert(model)
    model.fit(np.eye(8), np.arange(8))
    assert "oblivious_trees" in json.loads(convert(model).data)


def _iris() -> tuple[Any, Any]:
    pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_iris

    found = load_iris(as_frame=True)
    return found.data, found.target


def _input_types(data: bytes) -> list[int]:
    import onnx

    return [each.type.tensor_type.elem_type for each in onnx.load_from_string(data).graph.input]


def test_sklearn_trees_go_in_float32_and_sums_in_float64() -> None:
    X, y = _iris()
    import onnx
    from sklearn.linear_model import LinearRegression
    from sklearn.tree import DecisionTreeClassifier

    tree = convert(DecisionTreeClassifier(max_depth=2).fit(X, y), X)
    line = convert(LinearRegression().fit(X, y), X)
    assert _input_types(tree.data) == [onnx.TensorProto.FLOAT]
    assert _input_types(line.data) == [onnx.TensorProto.DOUBLE]
    assert tree.feature_names == list(X.columns)


def test_float32_operators_have_a_cast_of_their_own() -> None:
    X, y = _iris()
    import onnx
    from sklearn.ensemble import RandomForestClassifier, VotingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    votes = VotingClassifier([("a", SVC()), ("b", RandomForestClassifier(5))])
    converted = convert(make_pipeline(StandardScaler(), votes).fit(X, y), X)
    graph = onnx.load_from_string(converted.data).graph
    assert _input_types(converted.data) == [onnx.TensorProto.DOUBLE]
    casts = {node.output[0]: node.attribute[0].i for node in graph.node if node.op_type == "Cast"}
    (svm,) = (node for node in graph.node if node.op_type == "SVMClassifier")
    assert casts[svm.input[0]] == onnx.TensorProto.FLOAT


def test_where_float_types_meet_both_become_float64() -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    from smartpouch.sources import float_types

    rows = helper.make_tensor_value_info("rows", TensorProto.DOUBLE, [None, 2])
    both = helper.make_tensor_value_info("both", TensorProto.FLOAT, [None, 2])
    offset = helper.make_tensor("offset", TensorProto.FLOAT, [2], [1.0, 2.0])
    nodes = [helper.make_node("Add", ["rows", "offset"], ["sum"]), helper.make_node("Exp", ["sum"], ["both"])]
    model = helper.make_model(helper.make_graph(nodes, "both", [rows], [both], [offset]))
    float_types.settle(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["Cast", "Add", "Exp"]
    assert model.graph.output[0].type.tensor_type.elem_type == TensorProto.DOUBLE


def test_linear_svc_may_be_the_last_step() -> None:
    X, y = _iris()
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    assert convert(make_pipeline(StandardScaler(), LinearSVC()).fit(X, y), X).data


def test_sklearn_columns_of_text_are_inputs_of_their_own() -> None:
    X, y = _iris()
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    X = X.assign(colour=["red", "blue"] * 75)
    columns = ColumnTransformer([("text", OneHotEncoder(), ["colour"])], remainder="passthrough")
    converted = convert(make_pipeline(columns, LogisticRegression(max_iter=500)).fit(X, y), X)
    assert len(_input_types(converted.data)) == 5
    assert converted.feature_names == list(X.columns)


def test_sklearn_voting_is_left_as_it_was() -> None:
    X, y = _iris()
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression

    model = VotingClassifier([("a", LogisticRegression(max_iter=500))], voting="soft").fit(X, y)
    convert(model, X)
    assert model.flatten_transform is True


def test_sklearn_log_link_is_applied() -> None:
    X, y = _iris()
    import onnx
    from sklearn.ensemble import HistGradientBoostingRegressor

    ort, np = pytest.importorskip("onnxruntime"), pytest.importorskip("numpy")
    model = HistGradientBoostingRegressor(loss="poisson", max_iter=5).fit(X, y)
    converted = convert(model, X)
    assert [node.op_type for node in onnx.load_from_string(converted.data).graph.node][-1] == "Exp"
    (found,) = ort.InferenceSession(converted.data).run(None, {"X": X.to_numpy(np.float64)})
    assert found.ravel() == pytest.approx(model.predict(X), rel=1e-5)


def test_sklearn_without_converter_says_so() -> None:
    X, y = _iris()
    from sklearn.dummy import DummyClassifier

    with pytest.raises(UnsupportedModel, match="skl2onnx cannot convert this DummyClassifier"):
        convert(DummyClassifier().fit(X, y), X)


def test_joblib_files_are_loaded_here(tmp_path: Path) -> None:
    X, y = _iris()
    joblib = pytest.importorskip("joblib")
    from sklearn.tree import DecisionTreeClassifier

    path = tmp_path / "model.joblib"
    model = DecisionTreeClassifier(max_depth=2).fit(X, y)
    joblib.dump(model, path)
    assert convert(path, X).data == convert(model, X).data


def test_onnx_answers_by_runtime() -> None:
    X, y = _iris()
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier(max_depth=2).fit(X, y)
    converted = convert(onnx.load_from_string(convert(model, X).data))
    assert converted.reference is not None
    rows = take(X, [0, 60, 120])
    assert converted.reference(rows).label == [str(label) for label in model.predict(rows)]


def test_torch_needs_a_sample_and_keeps_its_mode() -> None:
    torch, np = pytest.importorskip("torch"), pytest.importorskip("numpy")
    pytest.importorskip("onnxscript")
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU(), torch.nn.Dropout(0.5)).train()
    with pytest.raises(UnsupportedModel, match="X_sample"):
        convert(model)
    converted = convert(model, np.ones((4, 3)))
    assert converted.data
    assert model.training


@pytest.mark.parametrize(
    ("library", "name"),
    [("xgboost", "XGBRegressor"), ("lightgbm", "LGBMClassifier"), ("catboost", "CatBoostRegressor")],
)
def test_models_that_are_not_fitted(library: str, name: str) -> None:
    module = pytest.importorskip(library)
    pytest.importorskip("sklearn")
    with pytest.raises(UnsupportedModel, match="not fitted"):
        convert(getattr(module, name)())


def test_torch_modules_with_several_outputs_are_refused() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    reference = convert(torch.nn.GRU(3, 2, batch_first=True), torch.ones(4, 5, 3)).reference
    assert reference is not None
    with pytest.raises(UnsupportedModel, match="not one tensor"):
        reference(torch.ones(4, 5, 3))


def test_histogram_boosting_with_categories_is_refused() -> None:
    pytest.importorskip("skl2onnx")
    np = pytest.importorskip("numpy")
    from sklearn.ensemble import HistGradientBoostingRegressor

    X = np.random.default_rng(1).integers(0, 4, (100, 2)).astype(float)
    model = HistGradientBoostingRegressor(max_iter=3, categorical_features=[0]).fit(X, X[:, 0])
    with pytest.raises(UnsupportedModel, match="has categorical features"):
        convert(model, X)


def test_weights_of_votes_may_be_a_list() -> None:
    pytest.importorskip("skl2onnx")
    np = pytest.importorskip("numpy")
    from sklearn.ensemble import VotingRegressor
    from sklearn.linear_model import LinearRegression, Ridge

    X = np.random.default_rng(1).normal(size=(30, 2))
    model = VotingRegressor([("a", LinearRegression()), ("b", Ridge())], weights=[1, 2]).fit(X, X[:, 0])
    assert convert(model, X).data
    assert model.weights == [1, 2]


def test_converters_of_trees_are_only_replaced_for_a_while() -> None:
    registration = pytest.importorskip("skl2onnx.common._registration")
    from smartpouch.sources import converters

    name = "SklearnDecisionTreeRegressor"
    before = registration.get_converter(name)._fct
    with converters.replaced(None):
        assert registration.get_converter(name)._fct is not before
    assert registration.get_converter(name)._fct is before


def test_imputers_that_add_indicators_are_refused() -> None:
    pytest.importorskip("skl2onnx")
    np = pytest.importorskip("numpy")
    from sklearn.impute import SimpleImputer

    X = np.random.default_rng(1).normal(size=(30, 2))
    assert convert(SimpleImputer(add_indicator=True).fit(X), X).data
    X[3, 0] = np.nan
    with pytest.raises(UnsupportedModel, match="add_indicator=True"):
        convert(SimpleImputer(add_indicator=True).fit(X), X)


def torch_layers() -> dict[str, tuple[Any, Any]]:
    """By a word of the refusal: a module and its input."""
    torch = pytest.importorskip("torch")
    windows, rows = torch.ones(4, 6, 8), torch.ones(4, 3, dtype=torch.float16)
    return {
        "MultiheadAttention": (torch.nn.ModuleList([torch.nn.MultiheadAttention(8, 2)]), windows),
        "TransformerEncoderLayer": (torch.nn.TransformerEncoderLayer(8, 2), windows),
        "proj_size=3": (torch.nn.LSTM(8, 6, proj_size=3), windows),
        "Conv2d": (torch.nn.Sequential(torch.nn.Unflatten(1, (1, 6)), torch.nn.Conv2d(1, 2, 3)), windows),
        "ConvTranspose1d": (torch.nn.ConvTranspose1d(6, 2, 3), windows),
        "EmbeddingBag": (torch.nn.EmbeddingBag(9, 2), windows),
        "float16": (torch.nn.Linear(3, 1).half(), rows),
    }


LAYERS = ["MultiheadAttention", "TransformerEncoderLayer", "proj_size=3", "Conv2d", "ConvTranspose1d", "EmbeddingBag"]


@pytest.mark.parametrize("word", [*LAYERS, "float16"])
def test_layers_of_torch_that_are_refused_by_name(word: str) -> None:
    module, rows = torch_layers()[word]
    with pytest.raises(UnsupportedModel, match=word) as caught:
        convert(module, rows)
    assert caught.value.mend


def test_control_flow_of_torch_is_refused_in_one_line() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Forked(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x if x.sum() > 0 else -x

    with pytest.raises(UnsupportedModel, match="cannot export this module") as caught:
        convert(Forked(), torch.ones(4, 3))
    assert "\n" not in caught.value.what


def test_embeddings_by_trees_have_leaves() -> None:
    X, _ = _iris()
    from sklearn.ensemble import RandomTreesEmbedding

    assert convert(RandomTreesEmbedding(n_estimators=3, max_depth=2, sparse_output=False).fit(X), X).data
