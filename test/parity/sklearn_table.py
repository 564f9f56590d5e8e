"""Which scikit-learn estimators are in the suite, with what parameters, and why the others are not.

The names are those of sklearn.utils.all_estimators(); sklearn_census.py checks that none is forgotten.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import data
from from_sklearn import make, whole_rows

Table = dict[str, dict[str, Any]]
SMALL = {"n_estimators": 12, "max_depth": 4}
FOREST = {"trees": True, **SMALL}


def logistic() -> Any:
    return make("LogisticRegression")


def first_class(y: np.ndarray) -> np.ndarray:
    return (y == 0).astype(int)


CLASSIFIERS: Table = {
    # linear
    "LogisticRegression": {},
    "LogisticRegressionCV": {"Cs": 3, "cv": 3},
    "SGDClassifier": {"loss": "modified_huber"},
    "Perceptron": {},
    "PassiveAggressiveClassifier": {},
    "RidgeClassifier": {},
    "RidgeClassifierCV": {},
    "LinearSVC": {},
    "LinearDiscriminantAnalysis": {},
    "QuadraticDiscriminantAnalysis": {"scale": 1.5, "only": data.iris},
    # trees
    "DecisionTreeClassifier": {"trees": True, "max_depth": 6},
    "ExtraTreeClassifier": {"trees": True, "max_depth": 6},
    "RandomForestClassifier": FOREST,
    "ExtraTreesClassifier": FOREST,
    "GradientBoostingClassifier": FOREST,
    "HistGradientBoostingClassifier": {"trees": True, "max_iter": 12, "missing": True},
    "AdaBoostClassifier": {"n_estimators": 8, "trees": True},
    "BaggingClassifier": {"n_estimators": 5, "trees": True},
    # kernels, neighbours, probability
    "SVC": {"probability": True, "scale": 3.0},
    "NuSVC": {"probability": True, "scale": 3.0},
    "KNeighborsClassifier": {"n_neighbors": 5, "scale": 3.0},
    "RadiusNeighborsClassifier": {"radius": 8.0, "outlier_label": 0, "scale": 1.0},
    "GaussianProcessClassifier": {"scale": 3.0, "only": data.classes_2},
    "GaussianNB": {"scale": 3.0},
    "BernoulliNB": {},
    "MultinomialNB": {"only": data.nonnegative, "rows": whole_rows},
    "ComplementNB": {"only": data.nonnegative, "rows": whole_rows},
    "CategoricalNB": {"only": data.nonnegative, "rows": whole_rows, "min_categories": 40},
    "MLPClassifier": {"hidden_layer_sizes": (8,), "max_iter": 60, "scale": 10.0},
    # made of others
    "OneVsRestClassifier": {"estimator": logistic()},
    "OneVsOneClassifier": {"estimator": logistic()},
    "CalibratedClassifierCV": {"cv": 3, "estimator": logistic()},
    "VotingClassifier": {"estimators": [("a", logistic()), ("b", make("GaussianNB"))], "voting": "soft", "scale": 3.0},
    "StackingClassifier": {"estimators": [("a", logistic()), ("b", make("LinearDiscriminantAnalysis"))]},
    "GridSearchCV": {"estimator": logistic(), "param_grid": {"C": [0.1, 1.0]}, "cv": 3},
    "TunedThresholdClassifierCV": {"estimator": logistic(), "only": data.classes_2},
    "MultiOutputClassifier": {"estimator": logistic(), "only": data.multi_label},
}

REGRESSORS: Table = {
    # linear
    **{kind: {} for kind in (
        "LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "Lars",
        "LarsCV", "ElasticNet", "ElasticNetCV", "ARDRegression", "BayesianRidge", "HuberRegressor",
        "OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "SGDRegressor", "PassiveAggressiveRegressor",
        "LinearSVR", "TheilSenRegressor", "QuantileRegressor", "RANSACRegressor", "PLSRegression",
    )},
    **{kind: {"only": data.multi_target} for kind in (
        "MultiTaskElasticNet", "MultiTaskElasticNetCV", "MultiTaskLasso", "MultiTaskLassoCV",
    )},
    "PoissonRegressor": {"only": data.counts, "scale": 3.0},
    "GammaRegressor": {"only": data.positive, "scale": 3.0},
    "TweedieRegressor": {"only": data.positive, "power": 1.5, "scale": 3.0},
    # trees
    "DecisionTreeRegressor": {"trees": True, "max_depth": 6},
    "ExtraTreeRegressor": {"trees": True, "max_depth": 6},
    "RandomForestRegressor": FOREST,
    "ExtraTreesRegressor": FOREST,
    "GradientBoostingRegressor": FOREST,
    "HistGradientBoostingRegressor": {"trees": True, "max_iter": 12, "missing": True},
    "AdaBoostRegressor": {"n_estimators": 8, "trees": True},
    "BaggingRegressor": {"n_estimators": 5, "trees": True},
    # kernels, neighbours, networks
    "SVR": {"scale": 3.0},
    "NuSVR": {"scale": 3.0},
    "KNeighborsRegressor": {"scale": 3.0},
    "RadiusNeighborsRegressor": {"radius": 20.0, "scale": 1.0},
    # In float32 the kernel's sums cancel: the converted file is far from the model, so float64 only.
    "GaussianProcessRegressor": {"scale": 1.0, "alpha": 1e-2, "float64_only": True},
    "MLPRegressor": {"hidden_layer_sizes": (8,), "max_iter": 60, "scale": 10.0},
    # made of others
    "VotingRegressor": {"estimators": [("a", make("Ridge")), ("b", make("LinearRegression"))]},
    "StackingRegressor": {"estimators": [("a", make("Ridge")), ("b", make("LinearRegression"))]},
    "MultiOutputRegressor": {"estimator": make("Ridge"), "only": data.multi_target},
}

TRANSFORMERS: Table = {
    "StandardScaler": {},
    "MinMaxScaler": {},
    "MaxAbsScaler": {},
    "RobustScaler": {},
    "Normalizer": {},
    "Binarizer": {"threshold": 0.25},
    "KBinsDiscretizer": {"encode": "ordinal", "quantile_method": "averaged_inverted_cdf"},
    "PolynomialFeatures": {"scale": 10.0},
    "PowerTransformer": {"scale": 2.0},
    "QuantileTransformer": {"n_quantiles": 50},
    "SimpleImputer": {"missing": True},
    "KNNImputer": {"missing": True, "scale": 2.0},
    "FunctionTransformer": {},
    "OneHotEncoder": {"only": data.nonnegative, "rows": whole_rows, "handle_unknown": "ignore"},
    "OrdinalEncoder": {"only": data.nonnegative, "rows": whole_rows, "handle_unknown": "use_encoded_value",
                       "unknown_value": -1},
    "TargetEncoder": {"only": data.nonnegative, "rows": whole_rows, "cv": 3, "target": first_class},
    "PCA": {"n_components": 4, "scale": 10.0},
    "IncrementalPCA": {"n_components": 4, "scale": 10.0},
    "TruncatedSVD": {"n_components": 4, "scale": 10.0},
    "KernelPCA": {"n_components": 4, "kernel": "rbf", "scale": 1.0},
    "NeighborhoodComponentsAnalysis": {"n_components": 3, "max_iter": 10, "scale": 10.0},
    "GaussianRandomProjection": {"n_components": 4, "scale": 10.0},
    "RandomTreesEmbedding": {"trees": True, "n_estimators": 6, "max_depth": 3, "sparse_output": False},
    "VarianceThreshold": {},
    "SelectKBest": {"k": 4},
    "SelectPercentile": {"percentile": 50},
    "SelectFpr": {},
    "SelectFdr": {},
    "SelectFwe": {},
    "GenericUnivariateSelect": {"mode": "k_best", "param": 3},
    "SelectFromModel": {"estimator": logistic()},
    "RFE": {"estimator": logistic(), "n_features_to_select": 4},
    "RFECV": {"estimator": logistic(), "cv": 3},
    "FeatureUnion": {"transformer_list": [("scale", make("StandardScaler")), ("pca", make("PCA", n_components=2))]},
    "TfidfTransformer": {"only": data.nonnegative, "rows": whole_rows},
}

OTHERS: list[tuple[str, str, dict[str, Any]]] = [
    ("IsolationForest", "outlier detection", {"trees": True, "n_estimators": 20}),
    ("LocalOutlierFactor", "outlier detection", {"novelty": True, "scale": 2.0}),
    ("OneClassSVM", "outlier detection", {"scale": 2.0}),
    ("SGDOneClassSVM", "outlier detection", {"scale": 2.0}),
    ("KMeans", "clustering", {"n_clusters": 5, "n_init": 2, "scale": 10.0}),
    ("MiniBatchKMeans", "clustering", {"n_clusters": 5, "n_init": 2, "scale": 10.0}),
    ("GaussianMixture", "clustering", {"n_components": 3, "scale": 1.5, "only": data.iris}),
    ("BayesianGaussianMixture", "clustering", {"n_components": 3, "scale": 1.5, "only": data.iris}),
]

# Estimators that skl2onnx converts and that are not in the suite.
REASONS = {
    "CountVectorizer": "cuts texts of any length into words; a string of a row is a category here",
    "TfidfVectorizer": "cuts texts of any length into words; a string of a row is a category here",
    "FeatureHasher": "hashes any strings; a string of a row is a category here, one of those that the file names",
    "KernelCenterer": "reads a kernel matrix between rows, not features of one row",
    "KNeighborsTransformer": "gives a distance graph to the training rows, for use inside fit()",
}
