"""Train small CatBoost models and record their answers.

What: a table of recipes and the steps every recipe goes through: blank some cells,
train, export as JSON, load the export again, predict the held-out rows with that.

Why: the JSON export is what the importer reads, so the answers are those of the file.
"""

import os
from dataclasses import dataclass, field

import catboost
import numpy as np

import datasets
from fixture_files import Expected, accuracy, fixture_folder, rmse, write_fixture

SEED = 7
TRAIN_BLANK_SEED = 11
HELDOUT_BLANK_SEED = 13
TOLERANCE = 1e-12
CLASSIFIERS = {"Logloss", "MultiClass", "MultiClassOneVsAll"}
EXPONENTS = {"Poisson", "Tweedie"}


@dataclass
class Recipe:
    name: str
    data: callable
    loss: str
    iterations: int = 20
    params: dict = field(default_factory=dict)


RECIPES = [
    Recipe("cat_cancer_logloss", datasets.cancer, "Logloss"),
    Recipe("cat_wine_multiclass", datasets.wine, "MultiClass", iterations=10),
    Recipe("cat_diabetes_tweedie_nan_max", datasets.diabetes, "Tweedie:variance_power=1.4",
           params={"nan_mode": "Max"}),
    Recipe("cat_diabetes_depthwise", datasets.diabetes, "RMSE", params={"grow_policy": "Depthwise"}),
    Recipe("cat_wine_lossguide", datasets.wine, "MultiClassOneVsAll", iterations=10,
           params={"grow_policy": "Lossguide", "max_leaves": 9, "depth": 6}),
]


def train(recipe, rows, target):
    params = dict(
        {"loss_function": recipe.loss, "iterations": recipe.iterations, "depth": 4,
         "learning_rate": 0.2, "random_seed": SEED, "thread_count": 1, "verbose": False,
         "allow_writing_files": False}, **recipe.params
    )
    return catboost.CatBoost(params).fit(rows, target)


def answers(loss, model, rows, truth):
    raw = model.predict(rows, prediction_type="RawFormulaVal")
    expected = Expected(truth=list(truth), raw=raw)
    if loss in CLASSIFIERS:
        expected.probabilities = model.predict(rows, prediction_type="Probability")
        labels = model.predict(rows, prediction_type="Class")
        expected.label = [str(int(label)) for label in np.ravel(labels)]
        expected.truth = [str(int(label)) for label in truth]
    else:
        kind = "Exponent" if loss in EXPONENTS else "RawFormulaVal"
        expected.value = model.predict(rows, prediction_type=kind)
    return expected


def make_fixture(recipe):
    data = recipe.data()
    loss = recipe.loss.split(":")[0]
    train_rows = datasets.blank_some_cells(data.train_rows, TRAIN_BLANK_SEED, False)
    rows = datasets.blank_some_cells(data.heldout_rows, HELDOUT_BLANK_SEED).astype(np.float32)
    classifies = loss in CLASSIFIERS

    path = os.path.join(fixture_folder(recipe.name), "model.json")
    train(recipe, train_rows.astype(np.float32), data.train_truth).save_model(path, format="json")
    model = catboost.CatBoost().load_model(path, format="json")
    expected = answers(loss, model, rows, data.heldout_truth)
    if classifies:
        quality = {"task": "classification",
                   "heldout_accuracy": accuracy(expected.label, expected.truth)}
    else:
        quality = {"task": "regression", "heldout_rmse": rmse(expected.value, data.heldout_truth)}
    write_fixture(recipe.name, rows, expected, {
        "name": recipe.name,
        "artifact": "model.json",
        "format": "catboost_json",
        "library": "catboost",
        "library_version": catboost.__version__,
        "objective": recipe.loss,
        "feature_names": data.feature_names,
        "feature_names_in_file": False,
        "labels": [str(k) for k in range(len(data.label_names))] if classifies else None,
        "label_names": data.label_names if classifies else None,
        "accepts_missing": True,
        "tolerance": TOLERANCE,
        **quality,
        "provenance": dict(data.provenance, script="examples/catboost_fixtures.py"),
    })


def make_fixtures():
    for recipe in RECIPES:
        make_fixture(recipe)
