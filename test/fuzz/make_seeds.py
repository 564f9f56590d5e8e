"""Small models of every kind as seeds of the fuzz targets, written by the libraries themselves.

usage: test/parity/python ../fuzz/make_seeds.py     (makes test/fuzz/seeds of the importers anew, but for xgboost_ubj)

What is committed came from the versions in test/parity/requirements.txt.  Each file is below 20 kB, and can be imported.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from catboost import CatBoostClassifier, CatBoostRegressor, Pool
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

SEEDS = Path(__file__).resolve().parent / "seeds"
LARGEST = 20_000

warnings.filterwarnings("ignore")
random = np.random.default_rng(1)
X = pd.DataFrame(
    {
        "a": random.normal(0, 1, 120),
        "b": random.normal(0, 1, 120),
        "c": pd.Categorical(random.choice(["x", "y", "z"], 120)),
    }
)
binary = (X["a"] + (X["c"] == "x") > 0.3).astype(int)
classes = np.digitize(X["a"], [-0.5, 0.5])
value = X["a"] * 2 + np.where(X["c"] == "y", 1.0, -1.0)
X.loc[::7, "b"] = np.nan
numbers = X[["a", "b"]].fillna(0).to_numpy(np.float32)


def write(target: str, name: str, content: bytes) -> None:
    assert 0 < len(content) < LARGEST, f"{target}/{name} has {len(content)} bytes"
    folder = SEEDS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def xgboost_json(name: str, y: Any, rounds: int = 2, **params: Any) -> None:
    data = xgboost.DMatrix(X if params.get("booster") != "gblinear" else X[["a", "b"]], y, enable_categorical=True)
    booster = xgboost.train({"max_depth": 2, "seed": 1, **params}, data, rounds)
    write("xgboost_json", name, bytes(booster.save_raw("json")))


def lightgbm_text(name: str, y: Any, **params: Any) -> None:
    options = {
        "num_leaves": 4,
        "min_data_in_leaf": 5,
        "min_data_per_group": 1,
        "cat_smooth": 0,
        "verbose": -1,
        "seed": 1,
        **params,
    }
    path = SEEDS / "lightgbm" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lightgbm.train(options, lightgbm.Dataset(X, y), 2).save_model(path)
    write("lightgbm", name, path.read_bytes())


def catboost_json(name: str, model: Any, y: Any) -> None:
    rows = X.assign(c=X["c"].astype(str))
    pool = Pool(rows, y, cat_features=["c"])
    path = SEEDS / "catboost_json" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    model.fit(pool)
    model.save_model(str(path), format="json", pool=pool)
    write("catboost_json", name, path.read_bytes())


def onnx(name: str, model: Any, types: Any, **options: Any) -> None:
    graph = to_onnx(
        model,
        initial_types=types,
        options={id(model): options} if options else None,
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    write("onnx", name, graph.SerializeToString())


def main() -> None:
    xgboost_json("logistic.json", binary, objective="binary:logistic")
    xgboost_json("classes.json", classes, objective="multi:softprob", num_class=3)
    xgboost_json("dart.json", value, objective="reg:squarederror", booster="dart", rate_drop=0.5)
    xgboost_json("linear.json", value, objective="reg:squarederror", booster="gblinear")
    xgboost_json("forest.json", value, objective="reg:pseudohubererror", num_parallel_tree=2)
    xgboost_json("sets.json", binary, objective="binary:hinge", max_cat_to_onehot=1)

    lightgbm_text("binary.txt", binary, objective="binary")
    lightgbm_text("classes.txt", classes, objective="multiclass", num_class=3)
    lightgbm_text("linear.txt", value, objective="regression", linear_tree=True)
    lightgbm_text("forest.txt", value, objective="regression_l1", boosting="rf", bagging_freq=1, bagging_fraction=0.7)
    lightgbm_text("zero.txt", value, objective="huber", zero_as_missing=True)

    small = {
        "iterations": 2,
        "depth": 2,
        "border_count": 8,
        "one_hot_max_size": 4,
        "random_seed": 1,
        "verbose": False,
        "allow_writing_files": False,
    }
    catboost_json("binary.json", CatBoostClassifier(**small), binary)
    catboost_json("classes.json", CatBoostClassifier(**small), classes)
    catboost_json("value.json", CatBoostRegressor(**small, nan_mode="Max"), value)
    catboost_json("lossguide.json", CatBoostRegressor(**small, grow_policy="Lossguide"), value)
    catboost_json("uncertainty.json", CatBoostRegressor(**small, loss_function="RMSEWithUncertainty"), value)

    floats = [("X", FloatTensorType([None, 2]))]
    doubles = [("X", DoubleTensorType([None, 2]))]
    onnx(
        "forest.onnx",
        RandomForestClassifier(2, max_depth=2, random_state=1).fit(numbers, classes),
        floats,
        zipmap=False,
    )
    onnx("zipmap.onnx", LogisticRegression().fit(numbers, binary), floats)
    onnx("tree.onnx", DecisionTreeRegressor(max_depth=2).fit(numbers, np.column_stack([value, -value])), floats)
    onnx(
        "linear.onnx", make_pipeline(SimpleImputer(), StandardScaler(), LinearRegression()).fit(numbers, value), doubles
    )
    onnx(
        "vectors.onnx",
        SVC(probability=True, random_state=1, C=0.1).fit(numbers[:30], classes[:30]),
        floats,
        zipmap=False,
    )
    onnx("layers.onnx", MLPClassifier((3,), max_iter=5, random_state=1).fit(numbers, binary), floats, zipmap=False)
    onnx("neighbors.onnx", KNeighborsRegressor(3).fit(numbers[:20], value[:20]), floats)
    onnx("clusters.onnx", KMeans(3, n_init=1, random_state=1).fit(numbers), floats)
    onnx("outliers.onnx", IsolationForest(n_estimators=2, max_samples=16, random_state=1).fit(numbers), floats)
    columns = X.assign(c=X["c"].astype(str))
    encoder = ColumnTransformer(
        [("numbers", SimpleImputer(), ["a", "b"]), ("texts", OneHotEncoder(handle_unknown="ignore"), ["c"])]
    )
    each = [("a", FloatTensorType([None, 1])), ("b", FloatTensorType([None, 1])), ("c", StringTensorType([None, 1]))]
    onnx("columns.onnx", make_pipeline(encoder, LogisticRegression()).fit(columns, binary), each)


if __name__ == "__main__":
    main()
