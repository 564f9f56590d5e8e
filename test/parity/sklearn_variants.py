"""Parameters that change what a scikit-learn model computes, beyond one combination for each estimator.

Also forms of the file: older opsets, probabilities as dictionaries, text labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import skl2onnx

import data
from from_sklearn import make, whole_rows


def text(y: np.ndarray) -> np.ndarray:
    return np.array([f"class {k}" for k in y], dtype=object)


def gaussian_kernel(name: str, **params: Any) -> Any:
    from sklearn.gaussian_process import kernels

    return getattr(kernels, name)(**params)


FOREST = {"trees": True, "n_estimators": 8, "max_depth": 4}
BOOST = {"trees": True, "n_estimators": 10, "max_depth": 3}
HIST = {"trees": True, "max_iter": 10, "missing": True}
C, R, T = "classification", "regression", "transformation"

# (name, estimator, task, parameters)
VARIANTS: list[tuple[str, str, str, dict[str, Any]]] = [
    *((f"svc_{kernel}", "SVC", C, {"kernel": kernel, "scale": 2.0}) for kernel in ("linear", "poly", "rbf", "sigmoid")),
    ("svc_ovr_off", "SVC", C, {"decision_function_shape": "ovo", "scale": 2.0}),
    ("svc_binary_plain", "SVC", C, {"only": data.classes_2, "scale": 2.0}),
    ("svc_binary_platt", "SVC", C, {"only": data.classes_2, "probability": True, "scale": 2.0}),
    *((f"svr_{kernel}", "SVR", R, {"kernel": kernel, "scale": 1.5, "only": data.regression})
      for kernel in ("linear", "poly", "sigmoid")),
    *((f"oneclasssvm_{kernel}", "OneClassSVM", "outlier detection", {"kernel": kernel, "scale": 1.5})
      for kernel in ("linear", "poly", "sigmoid")),
    *((f"normalizer_{norm}", "Normalizer", T, {"norm": norm}) for norm in ("l1", "max")),
    *((f"imputer_{kind}", "SimpleImputer", T, {"strategy": kind, "missing": True})
      for kind in ("median", "most_frequent", "constant")),
    ("minmax_clip", "MinMaxScaler", T, {"clip": True}),
    ("polynomial_interactions", "PolynomialFeatures", T, {"interaction_only": True, "scale": 5.0}),
    ("polynomial_cubic", "PolynomialFeatures", T, {"degree": 3, "include_bias": False, "scale": 3.0}),
    ("kbins_onehot", "KBinsDiscretizer", T,
     {"encode": "onehot-dense", "quantile_method": "averaged_inverted_cdf"}),
    ("onehot_drop", "OneHotEncoder", T,
     {"only": data.nonnegative, "rows": whole_rows, "drop": "first", "handle_unknown": "ignore"}),
    ("pca_whiten", "PCA", T, {"n_components": 4, "whiten": True, "scale": 5.0}),
    ("power_boxcox", "PowerTransformer", T, {"method": "box-cox", "only": data.cells_above_zero, "rows": whole_rows}),
    *((f"kernelpca_{kernel}", "KernelPCA", T, {"n_components": 3, "kernel": kernel, "scale": 1.0})
      for kernel in ("linear", "poly", "sigmoid", "cosine")),
    ("knn_weighted", "KNeighborsClassifier", C, {"weights": "distance", "scale": 2.0}),
    ("knn_manhattan", "KNeighborsRegressor", R, {"metric": "manhattan", "scale": 2.0, "only": data.regression}),
    ("knn_minkowski", "KNeighborsRegressor", R, {"p": 3, "scale": 2.0, "only": data.regression}),
    ("knn_multi", "KNeighborsRegressor", "regression, 3 targets", {"scale": 2.0, "only": data.multi_target}),
    *((f"mlp_{kind}", "MLPClassifier", C, {"activation": kind, "hidden_layer_sizes": (8, 5), "max_iter": 40,
                                          "scale": 5.0}) for kind in ("identity", "logistic", "tanh")),
    ("mlp_binary", "MLPClassifier", C, {"hidden_layer_sizes": (8,), "max_iter": 40, "scale": 5.0,
                                        "only": data.classes_2}),
    ("mlp_multi", "MLPRegressor", "regression, 3 targets", {"hidden_layer_sizes": (8,), "max_iter": 40, "scale": 5.0,
                                                             "only": data.multi_target}),
    *((f"sgd_{loss}", "SGDClassifier", C, {"loss": loss}) for loss in ("hinge", "log_loss", "squared_hinge")),
    *((f"mixture_{kind}", "GaussianMixture", "clustering",
       {"n_components": 3, "covariance_type": kind, "scale": 1.5, "only": data.iris})
      for kind in ("tied", "diag", "spherical")),
    ("calibrated_isotonic", "CalibratedClassifierCV", C, {"cv": 3, "estimator": make("LinearDiscriminantAnalysis"),
                                                          "method": "isotonic"}),
    ("calibrated_svc", "CalibratedClassifierCV", C, {"cv": 3, "estimator": make("LinearSVC")}),
    ("voting_hard", "VotingClassifier", C,
     {"estimators": [("a", make("LogisticRegression")), ("b", make("DecisionTreeClassifier", max_depth=4))],
      "float32": True}),
    ("stacking_trees", "StackingClassifier", C,
     {"estimators": [("a", make("RandomForestClassifier", n_estimators=5, max_depth=3)),
                     ("b", make("GradientBoostingClassifier", n_estimators=5))], "trees": True}),
    ("ovr_trees", "OneVsRestClassifier", C, {"estimator": make("DecisionTreeClassifier", max_depth=4), "trees": True}),
    ("adaboost_linear", "AdaBoostClassifier", C, {"estimator": make("LogisticRegression"), "n_estimators": 4}),
    ("bagging_features", "BaggingClassifier", C, {"n_estimators": 4, "max_features": 0.6, "trees": True}),
    ("gpr_rational", "GaussianProcessRegressor", R,
     {"kernel": gaussian_kernel("RationalQuadratic"), "alpha": 1e-2, "scale": 1.0, "only": data.regression}),
    # trees
    ("forest_text_labels", "RandomForestClassifier", C, {**FOREST, "target": text}),
    ("forest_many_labels", "RandomForestClassifier", C, {**FOREST, "only": data.digits}),
    ("forest_multi", "RandomForestRegressor", "regression, 3 targets", {**FOREST, "only": data.multi_target}),
    ("forest_multi_label", "RandomForestClassifier", "classification, 4 labels", {**FOREST, "only": data.multi_label}),
    ("tree_multi", "DecisionTreeRegressor", "regression, 3 targets",
     {"trees": True, "max_depth": 5, "only": data.multi_target}),
    ("tree_deep", "DecisionTreeRegressor", R, {"trees": True, "only": data.regression}),
    ("tree_one_leaf", "DecisionTreeClassifier", C, {"trees": True, "max_leaf_nodes": 2}),
    ("forest_poisson", "RandomForestRegressor", R, {**FOREST, "criterion": "poisson", "only": data.counts}),
    ("boosting_exponential", "GradientBoostingClassifier", C, {**BOOST, "loss": "exponential", "only": data.classes_2}),
    ("boosting_zero_start", "GradientBoostingClassifier", C, {**BOOST, "init": "zero"}),
    ("boosting_huber", "GradientBoostingRegressor", R, {**BOOST, "loss": "huber", "only": data.regression}),
    ("boosting_quantile", "GradientBoostingRegressor", R, {**BOOST, "loss": "quantile", "only": data.regression}),
    ("hist_text_labels", "HistGradientBoostingClassifier", C, {**HIST, "target": text}),
    ("hist_poisson", "HistGradientBoostingRegressor", R, {**HIST, "loss": "poisson", "only": data.counts}),
    ("hist_gamma", "HistGradientBoostingRegressor", R, {**HIST, "loss": "gamma", "only": data.positive}),
    ("hist_quantile", "HistGradientBoostingRegressor", R,
     {**HIST, "loss": "quantile", "quantile": 0.8, "only": data.regression}),
    ("isolation_contaminated", "IsolationForest", "outlier detection",
     {"trees": True, "n_estimators": 15, "contamination": 0.1}),
    # linear
    ("logistic_text_labels", "LogisticRegression", C, {"target": text, "float32": True}),
    ("logistic_no_intercept", "LogisticRegression", C, {"fit_intercept": False, "float32": True}),
    ("logistic_many_labels", "LogisticRegression", C, {"only": data.digits, "float32": True, "scale": 2.0}),
    ("linear_multi", "LinearRegression", "regression, 3 targets", {"only": data.multi_target}),
    ("linear_multi_f32", "LinearRegression", "regression, 3 targets", {"only": data.multi_target, "float32": True}),
    ("ridge_multi", "Ridge", "regression, 3 targets", {"only": data.multi_target}),
    ("pls_multi", "PLSRegression", "regression, 3 targets", {"only": data.multi_target}),
    ("kmeans_many", "KMeans", "clustering", {"n_clusters": 12, "n_init": 1, "scale": 3.0}),
]

# Classifiers of several targets: labels of 0 and 1 for each row, and targets of three and of two classes.  Features
# are whole numbers; the converter leaves a neighbour exactly on the radius out, so none may be there.
SMALL = {"max_depth": 4, "trees": True}
LABELS: list[tuple[str, str, dict[str, Any]]] = [
    ("logistic", "MultiOutputClassifier", {"estimator": make("LogisticRegression")}),
    ("boosting", "MultiOutputClassifier", {"estimator": make("GradientBoostingClassifier", n_estimators=5), "trees": True}),
    ("tree", "DecisionTreeClassifier", SMALL),
    ("extra_tree", "ExtraTreeClassifier", SMALL),
    ("extra_forest", "ExtraTreesClassifier", {**SMALL, "n_estimators": 6}),
    ("forest", "RandomForestClassifier", {**SMALL, "n_estimators": 6}),
    ("neighbors", "KNeighborsClassifier", {"scale": 2.0}),
    ("radius", "RadiusNeighborsClassifier", {"radius": 20.3, "outlier_label": 0, "scale": 1.0}),
    ("mlp", "MLPClassifier", {"hidden_layer_sizes": (8,), "max_iter": 40, "scale": 5.0}),
    ("ovr", "OneVsRestClassifier", {"estimator": make("LogisticRegression")}),
    ("ridge", "RidgeClassifier", {}),
    ("chain", "ClassifierChain", {"estimator": make("LogisticRegression")}),
]
BINARY_ONLY = {"mlp", "ovr", "ridge", "chain"}  # these take no target of three classes
VARIANTS += [
    *((f"{short}_multi_label", kind, "classification, 4 labels", {**rest, "only": data.multi_label})
      for short, kind, rest in LABELS if kind != "RandomForestClassifier"),
    *((f"{short}_targets", kind, "classification, 2 targets", {**rest, "only": data.several_classes})
      for short, kind, rest in LABELS if short not in BINARY_ONLY),
]

# Forms of the file: every opset that the converter knows, with those of ai.onnx.ml in turn.
OPSETS = [(opset, 1 + at % 5) for at, opset in enumerate(range(9, skl2onnx.__max_supported_opset__ + 1))]
SHAPES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("forest", "RandomForestClassifier", C, FOREST),
    ("logistic", "LogisticRegression", C, {}),
    ("boosting", "GradientBoostingRegressor", R, {**BOOST, "only": data.regression}),
    ("ridge", "Ridge", R, {"only": data.regression}),
    ("neighbors", "KNeighborsClassifier", C, {"scale": 2.0}),
    ("svc", "SVC", C, {"probability": True, "scale": 2.0}),
    ("kmeans", "KMeans", "clustering", {"n_clusters": 4, "n_init": 1, "scale": 3.0}),
    ("mlp", "MLPClassifier", C, {"hidden_layer_sizes": (8,), "max_iter": 40, "scale": 5.0}),
    ("bayes", "GaussianNB", C, {"scale": 2.0}),
    ("hist", "HistGradientBoostingRegressor", R, {**HIST, "only": data.regression}),
]
