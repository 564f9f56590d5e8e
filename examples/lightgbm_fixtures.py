"""Train small LightGBM models and record their answers.

What: a table of recipes and the steps every recipe goes through: blank some cells,
train, save the text file, load it again, predict the held-out rows with that.

Why: the text file is what the importer reads, so the answers are those of the file.
"""

import os
from dataclasses import dataclass, field

import lightgbm
import numpy as np

import datasets
from fixture_files import Expected, accuracy, fixture_folder, rmse, write_fixture

SEED = 7
TRAIN_BLANK_SEED = 11
HELDOUT_BLANK_SEED = 13
TOLERANCE = 1e-12
MULTICLASS = {"multiclass", "multiclassova"}
CLASSIFIERS = {"binary"} | MULTICLASS


@dataclass
class Recipe:
    name: str
    data: callable
    objective: str
    rounds: int = 30
    params: dict = field(default_factory=dict)
    categorical: tuple = ()
    note: str = None


RECIPES = {
    "newest": [
        Recipe("lgb_cancer_binary", datasets.cancer, "binary"),
        Recipe("lgb_cancer_forest", datasets.cancer, "binary", rounds=15,
               params={"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7}),
        Recipe("lgb_wine_multiclass", datasets.wine, "multiclass", rounds=15),
        Recipe("lgb_diabetes_linear", datasets.diabetes, "regression",
               params={"linear_tree": True, "num_leaves": 7}),
        Recipe("lgb_diabetes_categorical", datasets.diabetes, "poisson", categorical=("age", "sex"),
               params={"min_data_per_group": 5, "cat_smooth": 1},
               note="age and sex are trained as categories."),
        Recipe("lgb_diabetes_zero_missing", datasets.diabetes, "regression",
               params={"zero_as_missing": True, "reg_sqrt": True}),
    ],
    # The header says v3 as it did until 3.3.
    "3.3": [
        Recipe("lgb33_wine_ova", datasets.wine, "multiclassova", rounds=15, params={"sigmoid": 1.3}),
        Recipe("lgb33_diabetes_categorical", datasets.diabetes, "tweedie", rounds=20,
               categorical=("age", "sex"), params={"min_data_per_group": 5, "cat_smooth": 1},
               note="age and sex are trained as categories."),
        Recipe("lgb33_diabetes_linear", datasets.diabetes, "huber", rounds=20,
               params={"linear_tree": True, "num_leaves": 7, "use_missing": False}),
    ],
}


def train(recipe, names, rows, target, classes):
    params = dict(
        {"objective": recipe.objective, "num_leaves": 15, "learning_rate": 0.2, "seed": SEED,
         "num_threads": 1, "deterministic": True, "verbose": -1}, **recipe.params
    )
    if recipe.objective in MULTICLASS:
        params["num_class"] = classes
    data = lightgbm.Dataset(rows, target, feature_name=names,
                            categorical_feature=list(recipe.categorical) or "auto")
    return lightgbm.train(params, data, recipe.rounds)


def answers(recipe, booster, rows, truth):
    prediction = booster.predict(rows)
    expected = Expected(truth=list(truth), raw=booster.predict(rows, raw_score=True))
    if recipe.objective not in CLASSIFIERS:
        expected.value = prediction
        return expected
    if recipe.objective == "binary":
        prediction = np.column_stack([1 - prediction, prediction])
    expected.probabilities = prediction
    expected.label = [str(k) for k in prediction.argmax(axis=1)]
    expected.truth = [str(int(k)) for k in truth]
    return expected


def make_fixture(recipe):
    data = recipe.data()
    names = [name.replace(" ", "_") for name in data.feature_names]
    train_rows = datasets.blank_some_cells(data.train_rows, TRAIN_BLANK_SEED, False)
    rows = datasets.blank_some_cells(data.heldout_rows, HELDOUT_BLANK_SEED)
    classifies = recipe.objective in CLASSIFIERS
    classes = len(data.label_names) if classifies else 0

    path = os.path.join(fixture_folder(recipe.name), "model.txt")
    train(recipe, names, train_rows, data.train_truth, classes).save_model(path)
    booster = lightgbm.Booster(model_file=path)
    expected = answers(recipe, booster, rows, data.heldout_truth)
    if classifies:
        quality = {"task": "classification",
                   "heldout_accuracy": accuracy(expected.label, expected.truth)}
    else:
        quality = {"task": "regression", "heldout_rmse": rmse(expected.value, data.heldout_truth)}
    description = {
        "name": recipe.name,
        "artifact": "model.txt",
        "format": "lightgbm",
        "library": "lightgbm",
        "library_version": lightgbm.__version__,
        "objective": recipe.objective,
        "feature_names": names,
        "feature_names_in_file": True,
        "labels": [str(k) for k in range(classes)] if classifies else None,
        "label_names": data.label_names if classifies else None,
        "accepts_missing": True,
        "tolerance": TOLERANCE,
        **quality,
        "provenance": dict(data.provenance, script="examples/lightgbm_fixtures.py"),
    }
    if recipe.note:
        description["note"] = recipe.note
    write_fixture(recipe.name, rows, expected, description)


def make_fixtures(version):
    for recipe in RECIPES[version]:
        make_fixture(recipe)
