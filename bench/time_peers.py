#!/usr/bin/env python3
"""Time the libraries that a model comes from, with one thread, on the rows that bench_kernel times.

usage: time_peers.py [--rounds N] DIRECTORY MODEL

MODEL is a name of make_models.py.  Prints one JSON object a line: way, block (rows
a call), and the median, smallest and largest of the rounds in microseconds a row.
OMP_NUM_THREADS and OPENBLAS_NUM_THREADS have to be 1: times are those of the
process, since others may run on its core, too.
"""
import argparse
import json
import pathlib
import statistics
import time

import joblib
import numpy as np
import onnx
import onnxruntime
import xgboost as xgb

ROUND_SECONDS = 0.05


def time_blocks(predict, rows, block, rounds):
    """Microseconds a row of predict(rows of one block), over successive blocks."""
    starts = range(0, len(rows) - block + 1, block)
    predict(rows[:block])
    began = time.process_time()
    predict(rows[:block])
    calls = max(1, int(ROUND_SECONDS / max(time.process_time() - began, 1e-7)))
    samples = []
    for round_number in range(rounds):
        chosen = [starts[(round_number * 977 + call) % len(starts)] for call in range(calls)]
        began = time.process_time()
        for start in chosen:
            predict(rows[start:start + block])
        samples.append((time.process_time() - began) / calls / block * 1e6)
    return samples


def booster_ways(path):
    booster = xgb.Booster(params={"nthread": 1}, model_file=path)

    def in_place(block):
        return booster.inplace_predict(block, predict_type="margin")

    def with_matrix(block):
        return booster.predict(xgb.DMatrix(block, nthread=1), output_margin=True)

    for block in (1, 128, 10000):
        yield "xgboost inplace_predict", in_place, block
    yield "xgboost DMatrix, predict", with_matrix, 10000


def onnx_ways(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(block):
        return session.run(None, {"X": block})

    for block in (1, 32, 128, 512, 2000):
        yield "onnxruntime", run, block


def sklearn_ways(path):
    model = joblib.load(path)
    predict = model.predict_proba if hasattr(model, "predict_proba") else model.predict
    for block in (1, 128, 512):
        yield f"scikit-learn {predict.__name__}", predict, block


def blas_ways(path):
    """The layer's product with numpy, which calls OpenBLAS."""
    weights = onnx.numpy_helper.to_array(onnx.load(path).graph.initializer[0])
    for block in (1, 32, 128, 512, 2000):
        yield "OpenBLAS (numpy)", lambda block: block @ weights, block


def ways(directory, name):
    if (directory / f"{name}.json").exists():
        yield from booster_ways(directory / f"{name}.json")
    if (directory / f"{name}.cut.onnx").exists():
        yield from onnx_ways(directory / f"{name}.cut.onnx")
    if (directory / f"{name}.joblib").exists():
        yield from sklearn_ways(directory / f"{name}.joblib")
    if name == "layer":
        yield from blas_ways(directory / "layer.onnx")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("model")
    options = parser.parse_args()
    width = 28 if options.model.startswith("m1") else 561
    rows = np.fromfile(options.directory / f"{options.model}.rows.f32", dtype=np.float32).reshape(-1, width)
    for name, predict, block in ways(options.directory, options.model):
        samples = time_blocks(predict, rows, block, options.rounds)
        print(json.dumps({
            "way": name, "block": block, "median": round(statistics.median(samples), 4),
            "min": round(min(samples), 4), "max": round(max(samples), 4),
        }), flush=True)


if __name__ == "__main__":
    main()
