"""Train small XGBoost models, one per objective and file format, and record their answers.

What: a table of recipes (RECIPES) and the steps every recipe goes through: blank
some cells, train, save, load the saved file again, predict the held-out rows with
the XGBoost that trained the model.

Why: the model files of XGBoost changed over the years, so the same script runs
under several XGBoost versions; each recipe belongs to one of them.  Only functions
present in the recipe's version are used.
"""

import os
from dataclasses import dataclass, field

import numpy as np
import xgboost

import datasets
from fixture_files import Expected, accuracy, fixture_folder, rmse, write_fixture

SEED = 7
TRAIN_BLANK_SEED = 11
HELDOUT_BLANK_SEED = 13
CENSOR_ABOVE = 250.0  # survival recipes: progression above this counts as "not seen yet"
GROUP_SIZE = 9  # ranking recipes: rows per made-up query
TOLERANCE = 1e-5
RANKING_NOTE = (
    f"The queries are made up: {GROUP_SIZE} consecutive rows each (query_group_sizes). The "
    "relevance is 2 for class_0, 1 for class_1 and 0 for class_2."
)

CLASS_OBJECTIVES = {"binary:logistic", "binary:hinge", "multi:softprob", "multi:softmax"}
SCORE_OBJECTIVES = {"binary:logitraw"}
SURVIVAL_OBJECTIVES = {"survival:cox", "survival:aft"}


@dataclass
class Recipe:
    name: str
    data: callable
    objective: str
    artifact: str = "model.json"
    rounds: int = 40
    params: dict = field(default_factory=dict)
    feature_names_in_file: bool = True
    trainer: str = "booster"  # or "classifier": through XGBClassifier
    categorical: tuple = ()
    note: str = None


RECIPES = {
    "newest": [
        Recipe("xgb_pouch_softprob", datasets.pouch, "multi:softprob", rounds=60),
        Recipe("xgb_pouch_softmax_ubj", datasets.pouch, "multi:softmax", "model.ubj"),
        Recipe("xgb_cancer_logistic", datasets.cancer, "binary:logistic", trainer="classifier"),
        Recipe("xgb_cancer_logistic_ubj", datasets.cancer, "binary:logistic", "model.ubj",
               trainer="classifier", feature_names_in_file=False),
        Recipe("xgb_cancer_logitraw", datasets.cancer, "binary:logitraw"),
        Recipe("xgb_cancer_hinge", datasets.cancer, "binary:hinge"),
        Recipe("xgb_cancer_base_score", datasets.cancer, "binary:logistic",
               params={"base_score": 0.3}),
        Recipe("xgb_cancer_early_stopping", datasets.cancer, "binary:logistic",
               trainer="early stopping", rounds=200,
               note="Trained with early stopping: the file has a best_iteration attribute and "
               "more trees than that. Expected values use all trees, as Booster.predict of the "
               "loaded file does when no iteration_range is given."),
        Recipe("xgb_diabetes_squarederror", datasets.diabetes, "reg:squarederror"),
        Recipe("xgb_diabetes_absoluteerror", datasets.diabetes, "reg:absoluteerror"),
        Recipe("xgb_diabetes_pseudohuber", datasets.diabetes, "reg:pseudohubererror",
               params={"huber_slope": 150.0}),
        Recipe("xgb_diabetes_squaredlogerror", datasets.diabetes, "reg:squaredlogerror",
               params={"base_score": 120.0, "min_child_weight": 0.0}),
        Recipe("xgb_diabetes_reglogistic", datasets.diabetes, "reg:logistic",
               note="Target scaled to 0..1 with the smallest and largest training target."),
        Recipe("xgb_diabetes_poisson", datasets.diabetes, "count:poisson"),
        Recipe("xgb_diabetes_gamma", datasets.diabetes, "reg:gamma"),
        Recipe("xgb_diabetes_tweedie", datasets.diabetes, "reg:tweedie",
               params={"tweedie_variance_power": 1.4}),
        Recipe("xgb_diabetes_quantile", datasets.diabetes, "reg:quantileerror",
               params={"quantile_alpha": 0.8}),
        Recipe("xgb_diabetes_cox", datasets.diabetes, "survival:cox",
               note=f"Progression used as if it were a survival time, censored at "
               f"{CENSOR_ABOVE:g}; truth is negative where censored. Value is the hazard "
               "ratio."),
        Recipe("xgb_diabetes_aft", datasets.diabetes, "survival:aft",
               params={"aft_loss_distribution": "normal", "aft_loss_distribution_scale": 1.0},
               note=f"Progression used as if it were a survival time, censored at "
               f"{CENSOR_ABOVE:g}; truth is the lower bound. Value is the predicted time."),
        Recipe("xgb_wine_rank_pairwise", datasets.wine, "rank:pairwise", note=RANKING_NOTE),
        Recipe("xgb_wine_rank_ndcg", datasets.wine, "rank:ndcg", "model.ubj",
               note=RANKING_NOTE),
        Recipe("xgb_wine_parallel_trees", datasets.wine, "multi:softprob", rounds=5,
               params={"num_parallel_tree": 3, "subsample": 0.7, "colsample_bynode": 0.6}),
        Recipe("xgb_dart_wine", datasets.wine, "multi:softprob", rounds=15,
               params={"booster": "dart", "rate_drop": 0.3}),
        Recipe("xgb_dart_diabetes_ubj", datasets.diabetes, "reg:squarederror", "model.ubj",
               params={"booster": "dart", "rate_drop": 0.3, "normalize_type": "forest"}),
        Recipe("xgb_gblinear_cancer", datasets.cancer, "binary:logistic",
               params={"booster": "gblinear"}),
        Recipe("xgb_digits_softprob_ubj", datasets.digits, "multi:softprob", "model.ubj",
               rounds=25, feature_names_in_file=False),
    ],
    # Before 1.4 a file has no feature names.
    "1.0": [
        Recipe("xgb10_cancer_logistic", datasets.cancer, "binary:logistic", rounds=20,
               params={"base_score": 0.3}, feature_names_in_file=False),
        Recipe("xgb10_dart_wine", datasets.wine, "multi:softprob", rounds=12,
               params={"booster": "dart", "rate_drop": 0.3}, feature_names_in_file=False),
        Recipe("xgb10_gblinear_diabetes", datasets.diabetes, "reg:squarederror",
               params={"booster": "gblinear"}, feature_names_in_file=False),
    ],
    "1.3": [
        Recipe("xgb13_diabetes_gamma", datasets.diabetes, "reg:gamma", rounds=20,
               params={"base_score": 120.0}, feature_names_in_file=False),
        Recipe("xgb13_wine_parallel_trees", datasets.wine, "multi:softmax", rounds=4,
               params={"num_parallel_tree": 3, "subsample": 0.7, "colsample_bynode": 0.6},
               feature_names_in_file=False),
    ],
    "1.6": [
        Recipe("xgb16_cancer_logistic", datasets.cancer, "binary:logistic",
               trainer="classifier", feature_names_in_file=False),
        Recipe("xgb16_digits_softprob", datasets.digits, "multi:softprob", rounds=15),
        Recipe("xgb16_cancer_ubj", datasets.cancer, "binary:logistic", "model.ubj"),
    ],
    "1.7": [
        Recipe("xgb17_diabetes_categories", datasets.diabetes, "reg:squarederror", rounds=20,
               categorical=("age", "sex"), params={"tree_method": "hist"},
               note="age and sex are trained as categories."),
        Recipe("xgb17_wine_softprob_ubj", datasets.wine, "multi:softprob", "model.ubj", rounds=15),
    ],
    "2.0": [
        Recipe("xgb20_diabetes_squarederror", datasets.diabetes, "reg:squarederror"),
        Recipe("xgb20_wine_softprob_ubj", datasets.wine, "multi:softprob", "model.ubj"),
    ],
    "2.1": [
        Recipe("xgb21_diabetes_categories_ubj", datasets.diabetes, "reg:absoluteerror", "model.ubj",
               rounds=20, categorical=("age", "sex"), params={"max_cat_to_onehot": 100},
               note="age and sex are trained as categories, split one against the rest."),
        Recipe("xgb21_dart_cancer", datasets.cancer, "binary:logistic", rounds=15,
               params={"booster": "dart", "rate_drop": 0.3}),
    ],
    "3.0": [
        Recipe("xgb30_cancer_logistic", datasets.cancer, "binary:logistic",
               trainer="classifier"),
        Recipe("xgb30_wine_softprob_ubj", datasets.wine, "multi:softprob", "model.ubj"),
        Recipe("xgb30_diabetes_poisson", datasets.diabetes, "count:poisson"),
    ],
}


def targets_for(objective, data):
    """Return (training target, truth of the held-out rows) as the objective wants them."""
    train, heldout = data.train_truth, data.heldout_truth
    if objective == "reg:logistic":
        low, high = train.min(), train.max()
        return (train - low) / (high - low), np.clip((heldout - low) / (high - low), 0, 1)
    if objective == "survival:cox":
        return [np.where(t > CENSOR_ABOVE, -CENSOR_ABOVE, t) for t in (train, heldout)]
    if objective == "survival:aft":
        return [np.minimum(t, CENSOR_ABOVE) for t in (train, heldout)]
    if objective.startswith("rank:"):
        return 2 - train, 2 - heldout  # class_0 is the most relevant
    return train, heldout


def group_sizes(count):
    sizes = [GROUP_SIZE] * (count // GROUP_SIZE)
    return sizes + ([count % GROUP_SIZE] if count % GROUP_SIZE else [])


def columns(recipe, data):
    """What a matrix of this recipe is told about its columns."""
    names = data.feature_names if recipe.feature_names_in_file else None
    if not recipe.categorical:
        return {"feature_names": names}
    types = ["c" if name in recipe.categorical else "q" for name in data.feature_names]
    return {"feature_names": names, "feature_types": types, "enable_categorical": True}


def training_matrix(recipe, data, rows, target):
    if recipe.objective == "survival:aft":
        matrix = xgboost.DMatrix(rows, **columns(recipe, data))
        matrix.set_float_info("label_lower_bound", target)
        upper = np.where(target >= CENSOR_ABOVE, np.inf, target)
        matrix.set_float_info("label_upper_bound", upper)
        return matrix
    matrix = xgboost.DMatrix(rows, label=target, **columns(recipe, data))
    if recipe.objective.startswith("rank:"):
        matrix.set_group(group_sizes(len(rows)))
    return matrix


def train(recipe, data, rows, target):
    """Return the trained Booster or XGBClassifier; both have save_model()."""
    params = dict(
        {"max_depth": 4, "learning_rate": 0.2, "nthread": 1, "seed": SEED}, **recipe.params
    )
    if recipe.trainer == "booster":
        params["objective"] = recipe.objective
        if recipe.objective.startswith("multi:"):
            params["num_class"] = len(data.label_names)
        return xgboost.train(
            params, training_matrix(recipe, data, rows, target), recipe.rounds
        )
    params["n_jobs"] = params.pop("nthread")
    params["random_state"] = params.pop("seed")
    if recipe.trainer == "early stopping":
        watched = len(rows) // 4
        model = xgboost.XGBClassifier(
            n_estimators=recipe.rounds, early_stopping_rounds=8, eval_metric="logloss", **params
        )
        model.fit(rows[watched:], target[watched:],
                  eval_set=[(rows[:watched], target[:watched])], verbose=False)
    else:
        model = xgboost.XGBClassifier(n_estimators=recipe.rounds, **params)
        model.fit(rows, target)
    if recipe.feature_names_in_file:
        model.get_booster().feature_names = data.feature_names
    return model


def answers(recipe, booster, data, rows, truth):
    matrix = xgboost.DMatrix(rows, **columns(recipe, data))
    prediction = booster.predict(matrix)
    expected = Expected(truth=list(truth), raw=booster.predict(matrix, output_margin=True))
    if recipe.objective == "binary:logistic":
        expected.probabilities = np.column_stack([np.float32(1) - prediction, prediction])
        expected.label = [str(int(p > 0.5)) for p in prediction]
    elif recipe.objective == "multi:softprob":
        expected.probabilities = prediction
        expected.label = [str(k) for k in prediction.argmax(axis=1)]
    elif recipe.objective in CLASS_OBJECTIVES:
        expected.label = [str(int(k)) for k in prediction]
    else:
        expected.value = prediction
    if recipe.objective in CLASS_OBJECTIVES | SCORE_OBJECTIVES:
        expected.truth = [str(int(k)) for k in truth]
    elif recipe.objective.startswith("rank:"):
        expected.truth = [int(k) for k in truth]
    return expected


def concordance(score, time, seen):
    """Share of comparable pairs in which the larger score has the longer time."""
    right = pairs = 0
    for a in range(len(time)):
        for b in range(len(time)):
            if seen[a] and time[a] < time[b]:
                pairs += 1
                right += 1.0 if score[a] < score[b] else 0.5 if score[a] == score[b] else 0
    return round(right / pairs, 4)


def mean_ndcg(score, relevance):
    total, start, sizes = 0.0, 0, group_sizes(len(score))
    for size in sizes:
        group = slice(start, start + size)
        discount = 1 / np.log2(np.arange(size) + 2)
        gain = 2.0 ** np.asarray(relevance[group]) - 1
        ideal = (np.sort(gain)[::-1] * discount).sum()
        total += (gain[np.argsort(-score[group], kind="stable")] * discount).sum() / ideal
        start += size
    return round(float(total / len(sizes)), 4)


def quality(recipe, expected, truth):
    """Task and held-out quality, on the rows as written (blanked cells included)."""
    objective = recipe.objective
    if objective in CLASS_OBJECTIVES:
        return {"task": "classification",
                "heldout_accuracy": accuracy(expected.label, expected.truth)}
    if objective in SCORE_OBJECTIVES:
        labels = [str(int(v > 0)) for v in expected.value]
        return {"task": "score", "heldout_accuracy": accuracy(labels, expected.truth)}
    if objective.startswith("rank:"):
        return {"task": "ranking", "heldout_ndcg": mean_ndcg(expected.value, truth),
                "query_group_sizes": group_sizes(len(truth))}
    if objective in SURVIVAL_OBJECTIVES:
        sign = -1 if objective == "survival:cox" else 1
        seen = np.abs(truth) < CENSOR_ABOVE
        return {"task": "survival",
                "heldout_concordance": concordance(sign * expected.value, np.abs(truth), seen)}
    return {"task": "regression", "heldout_rmse": rmse(expected.value, truth)}


def make_fixture(recipe):
    data = recipe.data()
    train_rows = datasets.blank_some_cells(data.train_rows, TRAIN_BLANK_SEED, False)
    rows = datasets.blank_some_cells(data.heldout_rows, HELDOUT_BLANK_SEED).astype(np.float32)
    train_target, truth = targets_for(recipe.objective, data)

    path = os.path.join(fixture_folder(recipe.name), recipe.artifact)
    train(recipe, data, train_rows.astype(np.float32), train_target).save_model(path)
    booster = xgboost.Booster(model_file=path)
    if bool(booster.feature_names) != recipe.feature_names_in_file:
        raise ValueError(f"{recipe.name}: feature names in the file are not as declared")
    expected = answers(recipe, booster, data, rows, truth)

    classifies = recipe.objective in CLASS_OBJECTIVES
    description = {
        "name": recipe.name,
        "artifact": recipe.artifact,
        "format": "xgboost_ubj" if recipe.artifact.endswith(".ubj") else "xgboost_json",
        "library": "xgboost",
        "library_version": xgboost.__version__,
        "objective": recipe.objective,
        "feature_names": data.feature_names,
        "feature_names_in_file": recipe.feature_names_in_file,
        "labels": [str(k) for k in range(len(data.label_names))] if classifies else None,
        "label_names": data.label_names if classifies else None,
        "accepts_missing": True,
        "tolerance": TOLERANCE,
        **quality(recipe, expected, truth),
        "provenance": dict(data.provenance, script="examples/xgboost_fixtures.py"),
    }
    if recipe.note:
        description["note"] = recipe.note
    if recipe.trainer == "early stopping":
        description["best_iteration"] = int(booster.attr("best_iteration"))
        description["trees"] = len(booster.get_dump())
    write_fixture(recipe.name, rows, expected, description)


def make_fixtures(version):
    for recipe in RECIPES[version]:
        make_fixture(recipe)
