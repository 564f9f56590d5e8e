"""scikit-learn through skl2onnx, in the float type that the client picks and in float32.

What the library sees: trees and forests round rows to float32 themselves; every other estimator works
in float64.  The float32 combinations ("_f32") are fitted and asked with rows that float32 holds exactly,
and scikit-learn computes in float64 with them.  Expected numbers come from the fitted estimator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import pandas as pd
import skl2onnx
from sklearn.base import is_classifier, is_clusterer, is_outlier_detector
from sklearn.utils import all_estimators
from smartpouch.sources import convert
from smartpouch.sources.from_sklearn import is_float64

import data
import sklearn_ties
from extremes import dense_rows, tree_rows
from recipe import FLOAT32, FLOAT64, LONG_FLOAT32, ROWS, Expected, Registry, Trained

registry = Registry("scikit-learn")
ESTIMATORS = dict(all_estimators())
Source = Callable[[], data.Data]


def make(kind: str, **params: Any) -> Any:
    """An estimator by its name, with a fixed seed and one thread where it takes them."""
    cls = ESTIMATORS[kind]
    found = cls(**params)
    known = found.get_params(deep=False)
    fixed = {"random_state": data.SEED, "n_jobs": 1}
    return found.set_params(**{k: v for k, v in fixed.items() if k in known and k not in params})


def takes_float32(artifact: bytes) -> bool:
    graph = onnx.load_from_string(artifact).graph
    return any(value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT for value in graph.input)


def precision(artifact: bytes) -> float:
    """float64's tolerance if nothing in the graph is float32; that of long sums for support vectors."""
    if is_float64(artifact):
        return FLOAT64
    kinds = {node.op_type for node in onnx.load_from_string(artifact).graph.node}
    return LONG_FLOAT32 if kinds & {"SVMClassifier", "SVMRegressor"} else FLOAT32


def answers(model: Any, rows: Any) -> Expected:
    """Outputs by what kind of estimator it is; a feature selector passes for what it is built on."""
    if hasattr(model, "get_support"):
        return Expected(value=model.transform(rows))
    if is_classifier(model):
        return _classified(model, rows)
    if is_outlier_detector(model):
        return Expected(label=_texts(model.predict(rows)), value=model.decision_function(rows))
    if is_clusterer(model) or hasattr(model, "predict_proba"):  # clustering, mixtures
        return _clustered(model, rows)
    if hasattr(model, "predict"):
        return Expected(value=np.asarray(model.predict(rows)))
    transformed = model.transform(rows)
    return Expected(value=transformed.toarray() if hasattr(transformed, "toarray") else np.asarray(transformed))


def _classified(model: Any, rows: Any) -> Expected:
    labels = model.predict(rows)
    if labels.ndim == 2:
        return _several_targets(model, rows, labels)
    expected = Expected(label=_texts(labels))
    if hasattr(model, "predict_proba"):
        expected.probabilities = model.predict_proba(rows)
    if hasattr(model, "decision_function"):
        expected.raw = np.asarray(model.decision_function(rows)).reshape(len(rows), -1)
    return expected


def _several_targets(model: Any, rows: Any, labels: np.ndarray) -> Expected:
    """The label of each target, and the probabilities of its classes, target after target."""
    if not hasattr(model, "predict_proba"):
        return Expected(value=labels, raw=model.decision_function(rows))
    probabilities = model.predict_proba(rows)
    return Expected(value=labels, raw=np.hstack(probabilities) if isinstance(probabilities, list) else probabilities)


def _clustered(model: Any, rows: Any) -> Expected:
    expected = Expected(label=_texts(model.predict(rows)))
    if hasattr(model, "transform"):
        expected.distances = model.transform(rows)
    if hasattr(model, "predict_proba"):
        expected.probabilities = model.predict_proba(rows)
    return expected


def _texts(labels: np.ndarray) -> list[str]:
    return [str(int(label)) if isinstance(label, (float, np.floating)) else str(label) for label in labels]


def split_points(model: Any) -> list[tuple[int, float]]:
    """Columns and thresholds of every tree inside an estimator."""
    found: list[tuple[int, float]] = []
    if hasattr(model, "tree_"):
        inner = model.tree_.feature >= 0
        found += zip(model.tree_.feature[inner].tolist(), model.tree_.threshold[inner].tolist(), strict=True)
    for group in getattr(model, "_predictors", ()):
        for predictor in group:
            for node in predictor.nodes:
                if not node["is_leaf"]:
                    found.append((int(node["feature_idx"]), float(node["num_threshold"])))
    for each in np.ravel(np.array(getattr(model, "estimators_", []), dtype=object)):
        found += split_points(each)
    return found


def recipe(
    kind: str, source: Source, *, float32: bool = False, trees: bool = False, missing: bool = False,
    target: Callable[[np.ndarray], np.ndarray] | None = None, rows: Callable[[np.ndarray], np.ndarray] | None = None,
    scale: float = 100.0, **params: Any,
) -> Callable[[], Trained]:
    """Fit on the data, convert as the client does, ask rows that suit the kind of estimator."""

    def train() -> Trained:
        used = source()
        X = used.X.astype(np.float32).astype(np.float64) if float32 or trees else used.X
        if missing:
            X = blanked(X)
        model = make(kind, **params).fit(X, target(used.y) if target else used.y)
        asked = _rows(model, used, float32, trees, missing, rows, scale)
        converted = convert(model, asked.astype(np.float32) if float32 or trees else asked)
        if takes_float32(converted.data):
            asked = asked.astype(np.float32).astype(np.float64)
        return Trained(converted.data, asked, lambda given: answers(model, given),
                       tolerance=precision(converted.data), onnx=converted.data)

    return train


def _rows(model: Any, used: data.Data, float32: bool, trees: bool, missing: bool, rows: Any, scale: float) -> Any:
    if rows is not None:
        return rows(used.held)
    dtype = np.float32 if float32 or trees else np.float64
    if trees:
        return tree_rows(used.held, split_points(model), missing=missing)
    asked = dense_rows(used.held, dtype=dtype, scale=scale)
    if missing:
        asked[200:260][np.random.default_rng(4).random((60, asked.shape[1])) < 0.3] = np.nan
    return asked


def blanked(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X[np.random.default_rng(5).random(X.shape) < 0.05] = np.nan
    return X


def whole_rows(held: np.ndarray) -> np.ndarray:
    """Held-out rows as they are: counts and codes have no extremes."""
    return held[np.arange(ROWS) % len(held)].astype(np.float64)


def frame_recipe(model: Callable[[], Any], missing: Sequence[str] = ()) -> Callable[[], Trained]:
    """Text and numbers in a data frame: an ONNX input for each column, some with missing values."""

    def train() -> Trained:
        used = data.categories()
        y = (used.y > np.median(used.y)).astype(int)
        fitted = model().fit(frame(used, used.X, missing), y)
        rows = frame(used, used.held[np.arange(ROWS) % len(used.held)], missing)
        converted = convert(fitted, rows)
        return Trained(converted.data, rows, lambda given: answers(fitted, given), onnx=converted.data)

    return train


def frame(used: data.Data, X: np.ndarray, missing: Sequence[str] = ()) -> pd.DataFrame:
    found = pd.DataFrame(X, columns=list(used.names)).astype(np.float32)
    for at, name in enumerate(missing):
        found.loc[at::7, name] = np.nan
    for name in ("few", "many"):
        found[name] = np.array([f"kind {int(k)}" for k in found[name]], dtype=object)
    return found


def dictionary_recipe() -> Callable[[], Trained]:
    """Dictionaries of some keys; the server has a feature for each key, and NULL for one that is not there."""

    def train() -> Trained:
        from skl2onnx.common.data_types import DictionaryType, FloatTensorType, StringTensorType

        used = data.classes()
        model = make("DictVectorizer", sparse=False).fit(dictionaries(used, used.X))
        artifact = skl2onnx.convert_sklearn(
            model, initial_types=[("D", DictionaryType(StringTensorType([1]), FloatTensorType([1])))],
            target_opset={"": 18, "ai.onnx.ml": 3},
        ).SerializeToString()
        rows = blanked(used.held[np.arange(ROWS) % len(used.held)].astype(np.float32).astype(np.float64))
        return Trained(artifact, rows, lambda given: Expected(value=model.transform(dictionaries(used, given))), onnx=artifact)

    return train


def dictionaries(used: data.Data, X: np.ndarray) -> list[dict[str, float]]:
    return [{name: cell for name, cell in zip(sorted(used.names), row, strict=True) if not np.isnan(cell)} for row in X]


def target_recipe(kind: str) -> Callable[[], Trained]:
    """A transformer of targets, on a column of whole numbers; of one of a few integers the server makes a label."""

    def train() -> Trained:
        from skl2onnx.common.data_types import Int64TensorType

        codes = data.digits().y.astype(np.int64)
        model = make(kind).fit(codes)
        artifact = skl2onnx.convert_sklearn(
            model, initial_types=[("y", Int64TensorType([None, 1]))], target_opset={"": 18, "ai.onnx.ml": 3},
        ).SerializeToString()
        rows = codes[np.arange(ROWS) % len(codes)].reshape(-1, 1)
        found = model.transform(rows.ravel())
        expected = Expected(label=_texts(found)) if found.ndim == 1 else Expected(value=found)
        return Trained(artifact, rows, lambda _: expected, onnx=artifact)

    return train


def neighbors_recipe() -> Callable[[], Trained]:
    """Numbers of the nearest rows of training, and how far they are."""

    def train() -> Trained:
        used = data.classes()
        model = make("NearestNeighbors", n_neighbors=4, radius=None).fit(used.X)
        asked = dense_rows(used.held, dtype=np.float64, scale=2.0)
        converted = convert(model, asked)

        def answered(given: Any) -> Expected:
            distances, numbers = model.kneighbors(given)
            return Expected(value=numbers, raw=distances)

        return Trained(converted.data, asked, answered, tolerance=precision(converted.data), onnx=converted.data)

    return train


def column_transformer(final: Any) -> Any:
    return make("Pipeline", steps=[
        ("columns", make("ColumnTransformer", transformers=[
            ("text", make("OneHotEncoder", handle_unknown="ignore"), ["few", "many"]),
            ("numbers", make("StandardScaler"), ["a", "b", "c"]),
        ])),
        ("final", final),
    ])


def column_imputer(final: Any) -> Any:
    """Imputes one column, scales another, encodes the text and drops the rest."""
    return make("Pipeline", steps=[
        ("columns", make("ColumnTransformer", transformers=[
            ("text", make("OneHotEncoder", handle_unknown="ignore"), ["few", "many"]),
            ("holes", make("SimpleImputer"), ["a"]),
            ("numbers", make("StandardScaler"), ["b"]),
        ])),
        ("final", final),
    ])


def add(name: str, kind: str, task: str, train: Callable[[], Trained], **rest: Any) -> None:
    registry.add(f"skl_{name}", "ONNX", task, train, tolerance=FLOAT32, estimator=kind, **rest)




def both(kind: str, task: str, source: Source, **rest: Any) -> None:
    """The float type that the client picks, and float32."""
    short, float64_only = kind.lower(), rest.pop("float64_only", False)
    trees = rest.get("trees", False)
    add(short, kind, task, recipe(kind, source, **rest),
        sees="float32" if trees else "float64")
    if not trees and not float64_only:
        add(f"{short}_f32", kind, task, recipe(kind, source, float32=True, **rest))


def register() -> None:
    """All combinations of this library."""
    from sklearn_table import CLASSIFIERS, OTHERS, REGRESSORS, TRANSFORMERS

    for kind, rest in CLASSIFIERS.items():
        rest = dict(rest)
        only = rest.pop("only", None)
        sources = {"": data.classes, "_binary": data.classes_2}
        if only:
            sources = {"": only}
        for suffix, source in sources.items():
            trees = rest.get("trees", False)
            float32 = bool(suffix) and not trees
            add(kind.lower() + suffix, kind, "classification", recipe(kind, source, float32=float32, **rest),
                sees="float32" if trees or float32 else "float64")
    for kind, rest in REGRESSORS.items():
        rest = dict(rest)
        both(kind, "regression", rest.pop("only", data.regression), **rest)
    for kind, rest in TRANSFORMERS.items():
        rest = dict(rest)
        both(kind, "transformation", rest.pop("only", data.classes), **rest)
    for kind, task, rest in OTHERS:
        rest = dict(rest)
        both(kind, task, rest.pop("only", data.classes), **rest)
    add("dictvectorizer", "DictVectorizer", "transformation", dictionary_recipe(), note="a feature for each key")
    add("nearestneighbors", "NearestNeighbors", "neighbours", neighbors_recipe(), sees="float64")
    for kind in ("LabelBinarizer", "LabelEncoder"):
        add(kind.lower(), kind, "transformation", target_recipe(kind), sees="int64")
    _variants()
    _pipelines()


def _variants() -> None:
    from sklearn_variants import OPSETS, SHAPES, VARIANTS

    for short, kind, task, rest in VARIANTS:
        rest = dict(rest)
        sees = "float32" if rest.get("trees") or rest.get("float32") else "float64"
        add(f"v_{short}", kind, task, recipe(kind, rest.pop("only", data.classes), **rest), sees=sees)
    for short, kind, task, rest in SHAPES:
        for at, (opset, ml) in enumerate(OPSETS):
            train = opset_recipe(kind, opset, ml, zipmap=at % 2 == 0, **rest)
            registry.add(f"skl_{short}_opset_{opset}_ml_{ml}", f"ONNX, opset 9 to {OPSETS[-1][0]}", task, train,
                         tolerance=FLOAT32, estimator=kind)


def opset_recipe(
    kind: str, opset: int, ml: int, *, zipmap: bool, only: Source = data.classes, trees: bool = False,
    missing: bool = False, scale: float = 100.0, **params: Any,
) -> Callable[[], Trained]:
    """As users write it: convert_sklearn with a float32 tensor, often with ZipMap."""

    def train() -> Trained:
        from skl2onnx.common.data_types import FloatTensorType

        used = only()
        X = used.X.astype(np.float32).astype(np.float64)
        model = make(kind, **params).fit(X, used.y)
        converted = skl2onnx.convert_sklearn(
            model, initial_types=[("X", FloatTensorType([None, X.shape[1]]))],
            target_opset={"": opset, "ai.onnx.ml": ml},
            options={id(model): {"zipmap": zipmap}} if is_classifier(model) else None,
        )
        declare(converted, opset, ml)
        artifact = converted.SerializeToString()
        asked = _rows(model, used, True, trees, missing, None, scale).astype(np.float32).astype(np.float64)
        return Trained(artifact, asked, lambda given: answers(model, given), tolerance=precision(artifact), onnx=artifact)

    return train


def declare(converted: Any, opset: int, ml: int) -> None:
    """The opsets that were asked for: the converter declares the oldest ones that its nodes need."""
    wanted = {"": opset, "ai.onnx.ml": ml}
    for each in converted.opset_import:
        each.version = max(each.version, wanted.get(each.domain, each.version))


def _pipelines() -> None:
    for short, final in {
        "logistic": lambda: make("LogisticRegression"),
        "forest": lambda: make("RandomForestClassifier", n_estimators=10, max_depth=4),
    }.items():
        add(f"frame_{short}", "ColumnTransformer", "classification",
            frame_recipe(lambda final=final: column_transformer(final())), note="text columns, one input each")
        add(f"frame_imputed_{short}", "ColumnTransformer", "classification",
            frame_recipe(lambda final=final: column_imputer(final()), missing=("a", "c")),
            note="missing values in a column that is imputed and in one that is dropped")
    for short, steps in {
        "scaled_svc": lambda: [("scale", make("StandardScaler")), ("svc", make("SVC", probability=True))],
        "imputed_forest": lambda: [("impute", make("SimpleImputer")),
                                   ("forest", make("RandomForestClassifier", n_estimators=10, max_depth=4))],
        "pca_logistic": lambda: [("scale", make("StandardScaler")), ("pca", make("PCA", n_components=4)),
                                 ("logistic", make("LogisticRegression"))],
        "polynomial_ridge": lambda: [("polynomial", make("PolynomialFeatures")), ("ridge", make("RidgeClassifier"))],
        "selected_knn": lambda: [("best", make("SelectKBest", k=4)), ("knn", make("KNeighborsClassifier"))],
    }.items():
        train = pipeline_recipe(steps, missing="imputed" in short)
        add(f"pipeline_{short}", "Pipeline", "classification", train)
    for short, kind, task, train in sklearn_ties.combinations(answers, split_points):
        add(short, kind, task, train, sees="float64", note="asked the rows of its training")


def pipeline_recipe(steps: Callable[[], list[tuple[str, Any]]], *, missing: bool) -> Callable[[], Trained]:
    def train() -> Trained:
        used = data.classes()
        model = make("Pipeline", steps=steps())
        X = used.X.astype(np.float32).astype(np.float64)
        model.fit(blanked(X) if missing else X, used.y)
        asked = _rows(model, used, True, False, missing, None, 10.0)
        converted = convert(model, asked.astype(np.float32))
        return Trained(converted.data, asked, lambda given: answers(model, given), onnx=converted.data)

    return train


register()
