"""Train small scikit-learn models, convert them with skl2onnx, and record their answers.

What: a table of recipes (RECIPES).  Each one is trained, converted to ONNX, and asked
about the held-out rows twice: by scikit-learn itself (expected.csv) and by
onnxruntime running the converted file (ort.csv).

Why: the converted file works in float32, so scikit-learn is given rows already rounded
to float32, for training too; then both must agree.  A row on which they do not (a tie,
or a value exactly on a threshold that changed when it was rounded) is dropped and
named in fixture.json.
"""

import os
from dataclasses import dataclass

import numpy as np
import onnx
import onnxmltools
import onnxruntime
import skl2onnx
import sklearn
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as XgboostFloatTensorType
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
from sklearn import ensemble, linear_model, neighbors, preprocessing, tree
from sklearn.pipeline import make_pipeline

import datasets
import flat_ensemble
from fixture_files import Expected, accuracy, fixture_folder, rmse, write_fixture

SEED = 7
TRAIN_BLANK_SEED = 11
HELDOUT_BLANK_SEED = 13
TOLERANCE = 1e-5
MOST_DROPPED_ROWS = 3


@dataclass
class Recipe:
    name: str
    data: callable
    estimator: object
    zip_map: bool = True
    string_labels: bool = False
    double_input: bool = False
    missing: bool = False
    flat: bool = False  # a TreeEnsemble instead of what skl2onnx writes
    note: str = None


def scaled_logistic(scaler=None, **params):
    scaler = scaler or preprocessing.StandardScaler()
    return make_pipeline(scaler, linear_model.LogisticRegression(max_iter=5000, **params))


def scaled(regressor):
    return make_pipeline(preprocessing.StandardScaler(), regressor)


FOREST = dict(n_estimators=30, max_depth=6, random_state=SEED)
BOOST = dict(n_estimators=40, max_depth=3, random_state=SEED)
HIST = dict(max_iter=40, max_depth=4, random_state=SEED)
XGB = dict(n_estimators=40, max_depth=4, learning_rate=0.2, n_jobs=1, random_state=SEED)

RECIPES = [
    # Trees, classification.
    Recipe("onnx_wine_random_forest", datasets.wine, ensemble.RandomForestClassifier(**FOREST)),
    Recipe("onnx_cancer_random_forest", datasets.cancer,
           ensemble.RandomForestClassifier(**FOREST), zip_map=False),
    Recipe("onnx_cancer_random_forest_double", datasets.cancer,
           ensemble.RandomForestClassifier(**FOREST), double_input=True,
           note="The input tensor is double; rows.csv holds doubles, not rounded to float32."),
    Recipe("onnx_pouch_random_forest", datasets.pouch,
           ensemble.RandomForestClassifier(**FOREST), zip_map=False, string_labels=True),
    Recipe("onnx_pouch_extra_trees", datasets.pouch, ensemble.ExtraTreesClassifier(**FOREST),
           string_labels=True),
    Recipe("onnx_cancer_decision_tree", datasets.cancer,
           tree.DecisionTreeClassifier(max_depth=6, random_state=SEED)),
    Recipe("onnx_cancer_gradient_boosting", datasets.cancer,
           ensemble.GradientBoostingClassifier(**BOOST)),
    Recipe("onnx_wine_gradient_boosting", datasets.wine,
           ensemble.GradientBoostingClassifier(**BOOST), zip_map=False),
    Recipe("onnx_pouch_gradient_boosting", datasets.pouch,
           ensemble.GradientBoostingClassifier(subsample=0.7, max_features="sqrt", **BOOST),
           string_labels=True),
    Recipe("onnx_cancer_hist_gradient_boosting", datasets.cancer,
           ensemble.HistGradientBoostingClassifier(**HIST), missing=True),
    Recipe("onnx_wine_hist_gradient_boosting", datasets.wine,
           ensemble.HistGradientBoostingClassifier(**HIST), zip_map=False, missing=True),
    # Trees, regression.
    Recipe("onnx_diabetes_random_forest", datasets.diabetes,
           ensemble.RandomForestRegressor(**FOREST)),
    Recipe("onnx_diabetes_extra_trees", datasets.diabetes,
           ensemble.ExtraTreesRegressor(**FOREST)),
    Recipe("onnx_diabetes_gradient_boosting", datasets.diabetes,
           ensemble.GradientBoostingRegressor(**BOOST)),
    Recipe("onnx_diabetes_decision_tree", datasets.diabetes,
           tree.DecisionTreeRegressor(max_depth=5, random_state=SEED)),
    Recipe("onnx_diabetes_hist_gradient_boosting", datasets.diabetes,
           ensemble.HistGradientBoostingRegressor(**HIST), missing=True),
    Recipe("onnx_diabetes_tree_ensemble", datasets.diabetes,
           ensemble.RandomForestRegressor(**FOREST), double_input=True, flat=True,
           note="A TreeEnsemble of ai.onnx.ml 5, written by examples/flat_ensemble.py: splits on "
           "`sex` ask for equality, splits on `age` for membership."),
    # Distances to the training rows.
    Recipe("onnx_wine_neighbors", datasets.wine, scaled(neighbors.KNeighborsClassifier())),
    Recipe("onnx_diabetes_neighbors", datasets.diabetes,
           scaled(neighbors.KNeighborsRegressor(metric="manhattan"))),
    Recipe("onnx_wine_outliers", datasets.wine,
           scaled(neighbors.LocalOutlierFactor(novelty=True, n_neighbors=12))),
    # Linear, classification.
    Recipe("onnx_cancer_logistic", datasets.cancer, scaled_logistic()),
    Recipe("onnx_wine_logistic", datasets.wine, scaled_logistic(), zip_map=False),
    Recipe("onnx_digits_logistic", datasets.digits, scaled_logistic(C=0.1)),
    Recipe("onnx_pouch_logistic", datasets.pouch, scaled_logistic(), string_labels=True),
    Recipe("onnx_wine_logistic_unscaled", datasets.wine,
           linear_model.LogisticRegression(max_iter=20000, C=0.01), zip_map=False),
    Recipe("onnx_cancer_minmax_logistic", datasets.cancer,
           scaled_logistic(preprocessing.MinMaxScaler())),
    Recipe("onnx_cancer_maxabs_logistic", datasets.cancer,
           scaled_logistic(preprocessing.MaxAbsScaler()), zip_map=False),
    Recipe("onnx_wine_robust_logistic", datasets.wine,
           scaled_logistic(preprocessing.RobustScaler())),
    Recipe("onnx_wine_normalizer_l1_logistic", datasets.wine,
           scaled_logistic(preprocessing.Normalizer("l1"), C=1e4)),
    Recipe("onnx_wine_normalizer_l2_logistic", datasets.wine,
           scaled_logistic(preprocessing.Normalizer("l2"), C=1e4), zip_map=False),
    Recipe("onnx_wine_normalizer_max_logistic", datasets.wine,
           scaled_logistic(preprocessing.Normalizer("max"), C=1e4)),
    # Linear, regression.
    Recipe("onnx_diabetes_linear", datasets.diabetes, scaled(linear_model.LinearRegression())),
    Recipe("onnx_diabetes_ridge", datasets.diabetes, scaled(linear_model.Ridge(alpha=2.0))),
    Recipe("onnx_diabetes_lasso", datasets.diabetes, scaled(linear_model.Lasso(alpha=0.5))),
    Recipe("onnx_diabetes_elastic_net", datasets.diabetes,
           scaled(linear_model.ElasticNet(alpha=0.1, l1_ratio=0.3))),
    Recipe("onnx_diabetes_linear_unscaled", datasets.diabetes, linear_model.LinearRegression()),
    # XGBoost models through the onnxmltools converter.
    Recipe("onnx_xgb_cancer", datasets.cancer, xgboost.XGBClassifier(**XGB), missing=True),
    Recipe("onnx_xgb_wine", datasets.wine, xgboost.XGBClassifier(**XGB), missing=True),
    Recipe("onnx_xgb_diabetes", datasets.diabetes, xgboost.XGBRegressor(**XGB), missing=True),
]


def is_xgboost(recipe):
    return isinstance(recipe.estimator, xgboost.XGBModel)


def is_classifier(recipe):
    return sklearn.base.is_classifier(recipe.estimator)


def is_outlier_detector(recipe):
    return sklearn.base.is_outlier_detector(recipe.estimator)


def task_of(recipe):
    if is_classifier(recipe):
        return "classification"
    return "outlier" if is_outlier_detector(recipe) else "regression"


def final_step(estimator):
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def convert(recipe, width):
    if is_xgboost(recipe):
        inputs = [("X", XgboostFloatTensorType([None, width]))]
        return onnxmltools.convert_xgboost(recipe.estimator, recipe.name, inputs)
    if recipe.flat:
        return flat_ensemble.convert(recipe.estimator, recipe.name, width)
    tensor = DoubleTensorType if recipe.double_input else FloatTensorType
    options = None
    if is_classifier(recipe):
        options = {id(final_step(recipe.estimator)): {"zipmap": recipe.zip_map}}
    return skl2onnx.convert_sklearn(
        recipe.estimator, recipe.name, [("X", tensor([None, width]))], options=options
    )


def source_answers(recipe, rows, truth):
    """What scikit-learn (or XGBoost) says, computed in double from the given rows."""
    model = recipe.estimator
    rows = rows if is_xgboost(recipe) else rows.astype(np.float64)
    if is_outlier_detector(recipe):
        labels = [str(label) for label in model.predict(rows)]
        return Expected(truth=list(truth), label=labels, value=model.decision_function(rows))
    if not is_classifier(recipe):
        return Expected(truth=list(truth), value=model.predict(rows))
    expected = Expected(
        truth=[str(t) for t in truth],
        label=[str(label) for label in model.predict(rows)],
        probabilities=model.predict_proba(rows),
    )
    if is_xgboost(recipe):
        expected.raw = model.predict(rows, output_margin=True)
    elif hasattr(model, "decision_function"):
        expected.raw = model.decision_function(rows)
    return expected


def runtime_answers(recipe, path, rows):
    """What onnxruntime says about the converted file."""
    runtime = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    outputs = runtime.run(None, {"X": rows})
    if is_outlier_detector(recipe):
        labels = [str(label) for label in outputs[0].reshape(-1)]
        return Expected(truth=None, label=labels, value=outputs[1].reshape(-1))
    if not is_classifier(recipe):
        return Expected(truth=None, value=outputs[0].reshape(-1))
    labels, probabilities = outputs
    if isinstance(probabilities, list):  # ZipMap: one dictionary per row
        probabilities = np.array(
            [[row[c] for c in recipe.estimator.classes_] for row in probabilities],
            dtype=np.float32,
        )
    return Expected(truth=None, label=[str(k) for k in labels], probabilities=probabilities)


def rows_that_agree(source, runtime):
    def close(a, b):
        apart = np.abs(np.asarray(a, float) - np.asarray(b, float))
        return apart <= TOLERANCE * np.maximum(1, np.abs(np.asarray(a, float)))

    if source.label is None:
        return close(source.value, runtime.value)
    same = np.array([a == b for a, b in zip(source.label, runtime.label)])
    if source.value is not None:
        return same & close(source.value, runtime.value)
    return same & close(source.probabilities, runtime.probabilities).all(axis=1)


def converter_of(recipe):
    if recipe.flat:
        return "flat_ensemble.py", onnx.__version__
    library = onnxmltools if is_xgboost(recipe) else skl2onnx
    return library.__name__, library.__version__


def ops_of(model):
    ops = []
    for node in model.graph.node:
        op = f"{node.domain or 'ai.onnx'}:{node.op_type}"
        if op not in ops:
            ops.append(op)
    return ops


def make_fixture(recipe):
    data = recipe.data()
    train_rows, rows = data.train_rows, data.heldout_rows
    if recipe.missing:
        train_rows = datasets.blank_some_cells(train_rows, TRAIN_BLANK_SEED, False)
        rows = datasets.blank_some_cells(rows, HELDOUT_BLANK_SEED)
    if not recipe.double_input:
        train_rows, rows = train_rows.astype(np.float32), rows.astype(np.float32)
    if recipe.flat:  # scikit-learn's trees read float32, whatever it is given
        train_rows, rows = (r.astype(np.float32).astype(np.float64) for r in (train_rows, rows))
    train_truth, truth = data.train_truth, data.heldout_truth
    if recipe.string_labels:
        train_truth, truth = (np.array(data.label_names)[t] for t in (train_truth, truth))

    recipe.estimator.fit(train_rows.astype(np.float64), train_truth)
    path = os.path.join(fixture_folder(recipe.name), "model.onnx")
    model = convert(recipe, rows.shape[1])
    onnx.checker.check_model(model)
    with open(path, "wb") as out:
        out.write(model.SerializeToString(deterministic=True))

    agree = rows_that_agree(
        source_answers(recipe, rows, truth), runtime_answers(recipe, path, rows)
    )
    dropped = [int(row) for row in np.flatnonzero(~agree)]
    if len(dropped) > MOST_DROPPED_ROWS:
        raise ValueError(f"{recipe.name}: the converted model differs on {len(dropped)} rows")
    rows, truth = rows[agree], truth[agree]
    expected = source_answers(recipe, rows, truth)

    description = {
        "name": recipe.name,
        "artifact": "model.onnx",
        "format": "onnx",
        "library": "xgboost" if is_xgboost(recipe) else "scikit-learn",
        "library_version": (xgboost if is_xgboost(recipe) else sklearn).__version__,
        "converter": converter_of(recipe)[0],
        "converter_version": converter_of(recipe)[1],
        "estimator": estimator_name(recipe.estimator),
        "task": task_of(recipe),
        "feature_names": data.feature_names,
        "feature_names_in_file": False,
        "labels": None,
        "label_names": None,
        "accepts_missing": recipe.missing,
        "tolerance": TOLERANCE,
    }
    if is_classifier(recipe):
        description["labels"] = [str(k) for k in recipe.estimator.classes_]
        description["label_names"] = None if recipe.string_labels else data.label_names
        description["heldout_accuracy"] = accuracy(expected.label, expected.truth)
    elif is_outlier_detector(recipe):
        description["labels"] = ["-1", "1"]
        description["heldout_outliers"] = round(float(np.mean(np.array(expected.label) == "-1")), 4)
    else:
        description["heldout_rmse"] = rmse(expected.value, truth)
    description["ops"] = ops_of(model)
    description["opsets"] = {o.domain or "ai.onnx": o.version for o in model.opset_import}
    description["onnxruntime_version"] = onnxruntime.__version__
    if dropped:
        description["dropped_rows"] = {
            "heldout_positions": dropped,
            "reason": "scikit-learn (double) and onnxruntime (float32) disagree: "
            "a tie, or a value on a threshold that moved when it was rounded.",
        }
    if recipe.note:
        description["note"] = recipe.note
    description["provenance"] = dict(data.provenance, script="examples/onnx_fixtures.py")
    write_fixture(
        recipe.name, rows, expected, description, runtime_answers(recipe, path, rows)
    )


def estimator_name(estimator):
    if hasattr(estimator, "steps"):
        return "+".join(type(step).__name__ for _, step in estimator.steps)
    return type(estimator).__name__


def make_fixtures():
    for recipe in RECIPES:
        make_fixture(recipe)
