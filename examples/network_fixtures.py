"""Make small neural networks in ONNX, and record the answers of onnxruntime.

What: three networks over handwritten digits, eight rows of eight pixels: convolutions
along the rows, an LSTM and a GRU that read them one by one.

Why: they show the operators Conv, MaxPool, LSTM and GRU, and a network without labels of
its own, which are given when it is imported.  To need no training library, the inner
layers keep their random weights and only the last layer is fitted, by logistic
regression, to what the inner ones give (Jaeger 2001, echo state networks; Dempster,
Petitjean, Webb 2020, ROCKET).
"""

import os

import numpy as np
import onnx
import onnxruntime
import sklearn
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

import datasets
from fixture_files import Expected, accuracy, fixture_folder, rmse, write_fixture

SEED = 17
OPSET = 17
TOLERANCE = 1e-5
ROWS = 60
SIDE = 8
NUMERALS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


class Graph:
    """Nodes from input X to whatever comes last, with weights drawn as they are needed."""

    def __init__(self):
        self.random = np.random.RandomState(SEED)
        self.nodes, self.weights = [], []

    def constant(self, array):
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def draw(self, *shape):
        scale = 1 / np.sqrt(shape[-1] * (shape[-2] if len(shape) > 2 else 1))
        return self.constant((self.random.normal(size=shape) * scale).astype(np.float32))

    def add(self, op, *inputs, outputs=None, **attributes):
        outputs = outputs or [f"{op.lower()}_{len(self.nodes)}"]
        self.nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return outputs[-1]

    def model(self, output):
        graph = helper.make_graph(
            self.nodes, "network",
            [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", SIDE * SIDE])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", None])], self.weights,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8,
                                 producer_name="smartpouch-examples")


def shaped(graph):
    """[rows, 8, 8], of ink from 0 to 1."""
    ink = graph.add("Div", "X", graph.constant(np.array([16], np.float32)))
    return graph.add("Reshape", ink, graph.constant(np.array([0, SIDE, SIDE], np.int64)))


def convolutions(graph):
    x = graph.add("Conv", shaped(graph), graph.draw(16, SIDE, 3), graph.draw(16),
                  kernel_shape=[3], pads=[1, 1])
    x = graph.add("MaxPool", graph.add("Relu", x), kernel_shape=[2], strides=[2])
    x = graph.add("Conv", x, graph.draw(24, 8, 2), group=2, dilations=[2])
    return graph.add("Flatten", graph.add("Relu", x))


def steps_of_time(graph):
    return graph.add("Transpose", shaped(graph), perm=[1, 0, 2])


def last_state(graph, state, width):
    rows_first = graph.add("Transpose", state, perm=[1, 0, 2])
    return graph.add("Reshape", rows_first, graph.constant(np.array([0, width], np.int64)))


def lstm(graph):
    state = graph.add("LSTM", steps_of_time(graph), graph.draw(2, 48, SIDE), graph.draw(2, 48, 12),
                      graph.draw(2, 96), outputs=["", "state"], hidden_size=12,
                      direction="bidirectional")
    return last_state(graph, state, 24)


def gru(graph):
    state = graph.add("GRU", steps_of_time(graph), graph.draw(1, 48, SIDE), graph.draw(1, 48, 16),
                      graph.draw(1, 96), outputs=["", "state"], hidden_size=16,
                      linear_before_reset=1)
    return last_state(graph, state, 16)


RECIPES = [
    # name, inner layers, function of the last layer, one probability instead of classes
    ("onnx_digits_cnn", convolutions, "Softmax", False),
    ("onnx_digits_lstm", lstm, None, False),
    ("onnx_digits_gru_odd", gru, "Sigmoid", True),
]


def run(model, rows):
    runtime = onnxruntime.InferenceSession(model.SerializeToString(),
                                           providers=["CPUExecutionProvider"])
    return runtime.run(None, {"X": rows})[0]


def softmax(scores):
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def fit(layers, function, data, truth):
    graph = Graph()
    inner = layers(graph)
    last = LogisticRegression(max_iter=5000, C=10)
    last.fit(run(graph.model(inner), data.train_rows.astype(np.float32)), truth)
    output = graph.add("Gemm", inner, graph.constant(last.coef_.astype(np.float32)),
                       graph.constant(last.intercept_.astype(np.float32)), transB=1)
    return graph.model(graph.add(function, output) if function else output)


def make_fixture(name, layers, function, is_odd):
    data = datasets.digits()
    rows = data.heldout_rows[:ROWS].astype(np.float32)
    train_truth, truth = data.train_truth, data.heldout_truth[:ROWS]
    if is_odd:
        train_truth, truth = train_truth % 2, truth % 2
    model = fit(layers, function, data, train_truth)
    onnx.checker.check_model(model, full_check=True)
    with open(os.path.join(fixture_folder(name), "model.onnx"), "wb") as out:
        out.write(model.SerializeToString(deterministic=True))
    answers = run(model, rows)
    description = {
        "artifact": "model.onnx", "format": "onnx",
        "library": "onnx", "library_version": onnx.__version__,
        "estimator": "+".join(n.op_type for n in model.graph.node if n.op_type not in
                              ("Div", "Reshape", "Transpose", "Flatten")),
        "task": "regression" if is_odd else "classification",
        "feature_names": data.feature_names, "feature_names_in_file": False,
        "labels": None if is_odd else NUMERALS, "labels_in_file": False, "label_names": None,
        "accepts_missing": False, "tolerance": TOLERANCE,
        "opsets": {"ai.onnx": OPSET},
        "onnxruntime_version": onnxruntime.__version__,
        "scikit_learn_version": sklearn.__version__,
        "note": "A network whose last layer only is trained; expected numbers are those of "
        "onnxruntime" + ("." if is_odd else ", labels are given at import."),
        "provenance": dict(data.provenance, script="examples/network_fixtures.py"),
    }
    if is_odd:
        expected = Expected(truth=list(truth), value=answers.reshape(-1))
        description["heldout_rmse"] = rmse(expected.value, truth)
    else:
        expected = Expected(
            truth=[NUMERALS[t] for t in truth],
            label=[NUMERALS[k] for k in answers.argmax(axis=1)],
            probabilities=answers if function else softmax(answers),
            raw=None if function else answers,
        )
        description["heldout_accuracy"] = accuracy(expected.label, expected.truth)
    write_fixture(name, rows, expected, description)


def make_fixtures():
    for recipe in RECIPES:
        make_fixture(*recipe)
