#!/usr/bin/env python3
"""Make the benchmark's models and rows.

usage: make_models.py DIRECTORY

Writes, unless they are there already:
  m1.json       XGBoost, binary:logistic, 500 trees of depth 6, 28 features
  m1.rows.f32   20,000 held-out rows, float32, row by row
  m1.margin.f32 xgboost's margin for each row
  m1_missing.*  the same with every tenth value missing, in training and rows
Everything follows from seed 7.
"""
import pathlib
import sys

import numpy as np
import xgboost as xgb

SEED = 7
N_ROWS = 100_000
N_TRAIN = 80_000


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


def make(directory, name, x, y):
    if (directory / f"{name}.margin.f32").exists():
        return
    parameters = {
        "objective": "binary:logistic", "max_depth": 6, "eta": 0.08, "subsample": 0.9,
        "colsample_bytree": 0.9, "tree_method": "hist", "seed": SEED,
    }
    booster = xgb.train(parameters, xgb.DMatrix(x[:N_TRAIN], y[:N_TRAIN]), num_boost_round=500)
    held_out = x[N_TRAIN:]
    booster.save_model(directory / f"{name}.json")
    held_out.tofile(directory / f"{name}.rows.f32")
    margin = booster.predict(xgb.DMatrix(held_out), output_margin=True)
    # the last file written is the one that says all are there
    margin.astype(np.float32).tofile(directory / f"{name}.margin.f32")
    accuracy = ((margin > 0) == y[N_TRAIN:]).mean()
    n_nodes = sum(tree.count("\n") for tree in booster.get_dump())
    print(f"{name}: held-out accuracy {accuracy:.3f}, {n_nodes} nodes")


def main():
    directory = pathlib.Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    x = columns(rng, N_ROWS)
    y = outcome(rng, x)
    make(directory, "m1", x, y)
    holes = x.copy()
    holes[rng.random(x.shape) < 0.1] = np.nan
    make(directory, "m1_missing", holes, y)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
