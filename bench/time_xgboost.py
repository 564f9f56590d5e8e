#!/usr/bin/env python3
"""Time xgboost itself, with one thread, on the rows that bench_kernel times.

usage: time_xgboost.py [--rounds N] MODEL.json ROWS.f32

Prints one JSON object a line: way, block, and the median, smallest and largest
of the rounds in microseconds a row.  All ways give margins, as bench_kernel does.
"""
import argparse
import json
import statistics
import time

import numpy as np
import xgboost as xgb

ROUND_SECONDS = 0.1


def time_blocks(predict, rows, block, rounds):
    """Microseconds a row of predict(rows of one block), over successive blocks."""
    starts = range(0, len(rows) - block + 1, block)
    predict(rows[:block])
    began = time.perf_counter()
    predict(rows[:block])
    calls = max(1, int(ROUND_SECONDS / max(time.perf_counter() - began, 1e-7)))
    samples = []
    for round_number in range(rounds):
        chosen = [starts[(round_number * 977 + call) % len(starts)] for call in range(calls)]
        began = time.perf_counter()
        for start in chosen:
            predict(rows[start:start + block])
        samples.append((time.perf_counter() - began) / calls / block * 1e6)
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("model")
    parser.add_argument("rows")
    options = parser.parse_args()
    booster = xgb.Booster(params={"nthread": 1}, model_file=options.model)
    rows = np.fromfile(options.rows, dtype=np.float32).reshape(-1, booster.num_features())

    def in_place(block):
        return booster.inplace_predict(block, predict_type="margin")

    def with_matrix(block):
        return booster.predict(xgb.DMatrix(block, nthread=1), output_margin=True)

    for name, predict, block in (
        ("xgboost inplace_predict", in_place, 1),
        ("xgboost inplace_predict", in_place, 128),
        ("xgboost inplace_predict", in_place, 10000),
        ("xgboost DMatrix, predict", with_matrix, 10000),
    ):
        samples = time_blocks(predict, rows, block, options.rounds)
        print(json.dumps({
            "way": name, "block": block, "median": round(statistics.median(samples), 4),
            "min": round(min(samples), 4), "max": round(max(samples), 4),
        }), flush=True)


if __name__ == "__main__":
    main()
