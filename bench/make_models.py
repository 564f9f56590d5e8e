#!/usr/bin/env python3
"""Make the benchmark's models and rows.

usage: make_models.py DIRECTORY

Writes, unless they are there already:
  m1.json     XGBoost, binary:logistic, 500 trees of depth 6, 28 features
  m1_missing  the same with every tenth value missing, in training and rows
  m2.onnx     random forest, 6 classes, 200 trees of depth 16 at most, 561 features
  m3.onnx     scaler and network 561-256-256-6 with ReLU
  m4.onnx     scaler and logistic regression, 561 features, 6 classes
  m5.onnx     support vector machine with RBF kernel, 561 features, 6 classes
  layer.onnx  one product with a 561 x 256 matrix
and for each of them
  NAME.rows.f32      held-out rows, float32, row by row
  NAME.expected.f32  what the training library says of each row
  NAME.joblib        the fitted scikit-learn model (m2 ... m5)
  NAME.cut.onnx      the ONNX file without what only the label needs (m2 ... m5, layer)
Everything follows from seed 7.
"""
import pathlib
import sys

import joblib
import numpy as np
import onnx
import xgboost as xgb
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

SEED = 7
N_ROWS = 100_000
N_TRAIN = 80_000
N_WINDOWS = 10_000
N_TRAIN_WINDOWS = 8_000
N_SIGNALS = 561
N_CLASSES = 6


def columns(rng, n):
    """28 columns of the kinds that business tables have, driven by 4 hidden factors."""
    hidden = rng.normal(size=(n, 4))
    parts = []
    for j in range(10):  # correlated measurements
        parts.append(0.6 * hidden[:, j % 4] + rng.normal(size=n))
    for j in range(5):  # amounts
        parts.append(np.exp(0.8 * rng.normal(size=n) + 0.3 * hidden[:, (j + 2) % 4]))
    for _ in range(4):  # rates
        parts.append(rng.uniform(-1, 1, size=n))
    for j in range(4):  # counts
        parts.append(rng.poisson(np.exp(0.5 + 0.4 * hidden[:, (j + 3) % 4])))
    for n_codes in (8, 20, 50):  # category codes
        parts.append(rng.integers(0, n_codes, size=n))
    for _ in range(2):  # flags
        parts.append(rng.random(n) < 0.2)
    return np.column_stack([np.asarray(part, dtype=np.float32) for part in parts])


def outcome(rng, x):
    """A yes or no that depends on products, waves, steps and codes, with noise."""
    score = (
        0.9 * x[:, 0] * x[:, 1]
        + 0.8 * np.sin(2 * x[:, 2])
        - 0.4 * np.abs(x[:, 3])
        + 0.5 * np.log1p(x[:, 10]) * x[:, 26]
        + 0.3 * x[:, 11] * x[:, 16]
        + 0.7 * (x[:, 15] > 0.3) * x[:, 4]
        + 0.3 * x[:, 19]
        - 0.25 * x[:, 20]
        + 0.6 * np.isin(x[:, 24], (2, 5, 11, 17))
        - 0.5 * (x[:, 25] % 7 == 3)
    )
    probability = 1 / (1 + np.exp(-1.5 * (score - np.median(score))))
    return (rng.random(len(x)) < probability).astype(np.int32)


def windows(rng, n):
    """
    Windows of motion sensors, reduced to 561 numbers within -1 and 1: 3 kinds of rest
    and 3 of movement, by 30 persons who each do them in their own way.
    """
    n_factors = 40
    kind = rng.integers(0, N_CLASSES, size=n)
    moves = kind >= N_CLASSES // 2
    centres = 1.1 * rng.normal(size=(2, n_factors)).repeat(N_CLASSES // 2, axis=0)
    centres += np.where(np.arange(N_CLASSES) < N_CLASSES // 2, 0.38, 0.47)[:, None] * rng.normal(size=centres.shape)
    habits = 0.45 * rng.normal(size=(30, n_factors))
    factors = centres[kind] + habits[rng.integers(0, 30, size=n)]
    factors += np.where(moves, 0.75, 0.55)[:, None] * rng.normal(size=factors.shape)
    loadings = rng.normal(size=(n_factors, N_SIGNALS)) * (rng.random((n_factors, N_SIGNALS)) < 0.2)
    signals = 0.35 * factors @ loadings + 0.4 * rng.normal(size=N_SIGNALS)
    return np.tanh(signals + 0.35 * rng.normal(size=signals.shape)).astype(np.float32), kind


def is_made(directory, name):
    return (directory / f"{name}.expected.f32").exists()


def write(directory, name, rows, expected):
    rows.tofile(directory / f"{name}.rows.f32")
    # the last file written is the one that says all are there
    np.asarray(expected, dtype=np.float32).tofile(directory / f"{name}.expected.f32")


def make_booster(directory, name, x, y):
    if is_made(directory, name):
        return
    parameters = {
        "objective": "binary:logistic", "max_depth": 6, "eta": 0.08, "subsample": 0.9,
        "colsample_bytree": 0.9, "tree_method": "hist", "seed": SEED,
    }
    booster = xgb.train(parameters, xgb.DMatrix(x[:N_TRAIN], y[:N_TRAIN]), num_boost_round=500)
    held_out = x[N_TRAIN:]
    booster.save_model(directory / f"{name}.json")
    margin = booster.predict(xgb.DMatrix(held_out), output_margin=True)
    write(directory, name, held_out, margin)
    accuracy = ((margin > 0) == y[N_TRAIN:]).mean()
    n_nodes = sum(tree.count("\n") for tree in booster.get_dump())
    print(f"{name}: held-out accuracy {accuracy:.3f}, {n_nodes} nodes")


def describe(model):
    if isinstance(model, RandomForestClassifier):
        return f"{sum(tree.tree_.node_count for tree in model.estimators_)} nodes"
    if isinstance(model, SVC):
        return f"{model.n_support_.sum()} support vectors"
    return "scaled"


def save_onnx(directory, name, graph):
    onnx.save(graph, directory / f"{name}.onnx")
    result = graph.graph.output[-1].name
    onnx.utils.extract_model(directory / f"{name}.onnx", directory / f"{name}.cut.onnx", ["X"], [result])


def make_classifier(directory, name, model, x, y):
    if is_made(directory, name):
        return
    model.fit(x[:N_TRAIN_WINDOWS], y[:N_TRAIN_WINDOWS])
    held_out = x[N_TRAIN_WINDOWS:]
    options = {id(model): {"zipmap": False}}
    save_onnx(directory, name, to_onnx(model, x[:1], options=options))
    if isinstance(model, RandomForestClassifier):
        model.n_jobs = 1
    joblib.dump(model, directory / f"{name}.joblib")
    says = model.decision_function if isinstance(model, SVC) else model.predict_proba
    write(directory, name, held_out, says(held_out))
    accuracy = (model.predict(held_out) == y[N_TRAIN_WINDOWS:]).mean()
    print(f"{name}: held-out accuracy {accuracy:.3f}, {describe(model)}")


def make_layer(directory, rng, x):
    if is_made(directory, "layer"):
        return
    weights = (rng.normal(size=(N_SIGNALS, 256)) / np.sqrt(N_SIGNALS)).astype(np.float32)
    node = onnx.helper.make_node("MatMul", ["X", "weights"], ["y"])
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, width])
        for name, width in (("X", N_SIGNALS), ("y", 256))
    ]
    graph = onnx.helper.make_graph(
        [node], "layer", values[:1], values[1:], [onnx.numpy_helper.from_array(weights, "weights")])
    save_onnx(directory, "layer", onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9))
    held_out = x[N_TRAIN_WINDOWS:]
    write(directory, "layer", held_out, held_out.astype(np.float64) @ weights)


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    x = columns(rng, N_ROWS)
    y = outcome(rng, x)
    make_booster(directory, "m1", x, y)
    holes = x.copy()
    holes[rng.random(x.shape) < 0.1] = np.nan
    make_booster(directory, "m1_missing", holes, y)
    x, y = windows(rng, N_WINDOWS)
    for name, model in (
        ("m2", RandomForestClassifier(200, max_depth=16, n_jobs=-1, random_state=SEED)),
        ("m3", make_pipeline(StandardScaler(), MLPClassifier((256, 256), max_iter=12, random_state=SEED))),
        ("m4", make_pipeline(StandardScaler(), LogisticRegression(max_iter=60))),
        ("m5", SVC(gamma="scale")),
    ):
        make_classifier(directory, name, model, x, y)
    make_layer(directory, rng, x)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
