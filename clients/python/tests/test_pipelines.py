"""Estimators of scikit-learn around others, and behind encoders and imputers, beside their answers in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

import smartpouch
from smartpouch.answers import plain_label
from smartpouch.errors import InvalidRows, UnsupportedModel
from smartpouch.sources import convert

np = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
pytest.importorskip("skl2onnx")

from sklearn import compose, ensemble, impute, linear_model, neighbors, pipeline, preprocessing, svm, tree  # noqa: E402
from sklearn.base import is_classifier  # noqa: E402
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402

Connection = psycopg.Connection[Any]


def same(conn: Connection, model: Any, sample: Any, rows: Any = None) -> None:
    """Push a fitted model and compare all its answers: labels exactly, numbers to 1e-5."""
    rows = sample if rows is None else rows
    pushed = smartpouch.push(model, "pipeline_test", sample, conn, progress=False)
    ref = f"pipeline_test:{pushed.version}"
    if is_classifier(model) or hasattr(model, "predict_proba"):
        wanted = [plain_label(label) for label in model.predict(rows)]
        assert smartpouch.predict_label(conn, ref, rows) == wanted
        if hasattr(model, "predict_proba"):
            assert smartpouch.predict_proba(conn, ref, rows) == pytest.approx(model.predict_proba(rows), abs=1e-5)
        return
    found = model.predict(rows) if hasattr(model, "predict") else model.transform(rows)
    found = found.toarray() if hasattr(found, "toarray") else np.asarray(found)
    assert smartpouch.predict(conn, ref, rows) == pytest.approx(found, rel=1e-5, abs=1e-5)


def frame(rows: int = 300) -> tuple[Any, Any]:
    """Numbers with holes, texts with holes, numbers of a few values; and what to learn from them."""
    random = np.random.default_rng(2)
    found = pandas.DataFrame(
        {
            "age": random.normal(40, 10, rows).round(),
            "rooms": random.integers(1, 6, rows),
            "half": random.choice([0.5, 1.0, 1.5], rows),
            "city": random.choice(["Bonn", "Kiel", "Ulm", "Rom"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "job": random.choice(["a", "b", "c"], rows),
        }
    )
    y = found["rooms"] + found["half"] + 3 * (found["city"] == "Bonn") + random.normal(size=rows)
    for name in ("age", "half", "job"):
        found.loc[random.random(rows) < 0.1, name] = np.nan
    return found, y


def behind(encoder: Any, final: Any, names: tuple[str, ...] = ("city", "job")) -> Any:
    numbers = pipeline.make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    columns = compose.ColumnTransformer([("n", numbers, ["age", "rooms"]), ("t", encoder, list(names))])
    return pipeline.make_pipeline(columns, final)


# ------------------------------------------------------------------- missing values

TREES = {
    "tree": tree.DecisionTreeClassifier,
    "numbers": tree.DecisionTreeRegressor,
    "extra": lambda: ensemble.ExtraTreesRegressor(5, random_state=1),
    "forest": lambda: ensemble.RandomForestClassifier(5, random_state=1),
    "isolation": lambda: ensemble.IsolationForest(n_estimators=5, random_state=1),
    "scaled": lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), ensemble.RandomForestRegressor(5)),
    "bagged": lambda: ensemble.BaggingClassifier(n_estimators=5, random_state=1),
}


@pytest.mark.parametrize("in_training", [False, True])
@pytest.mark.parametrize("kind", TREES)
def test_missing_values_take_the_way_of_training(conn: Connection, kind: str, in_training: bool) -> None:
    random = np.random.default_rng(1)
    X = random.normal(size=(200, 3))
    holes = np.where(random.random(X.shape) < 0.2, np.nan, X)
    model = TREES[kind]()
    is_number = kind in ("numbers", "extra", "scaled")
    model.fit(holes if in_training else X, X[:, 0] + X[:, 1] if is_number else X[:, 0] > X[:, 1])
    pushed = smartpouch.push(model, "pipeline_test", holes, conn, progress=False)
    ref = f"pipeline_test:{pushed.version}"
    wanted = model.predict(holes)
    if is_number:
        assert smartpouch.predict(conn, ref, holes) == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    else:
        assert smartpouch.predict_label(conn, ref, holes) == [plain_label(label) for label in wanted]


def test_a_missing_value_without_rule_is_a_refusal(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.array([[1.0, 1.0], [2.0, 3.0], [4.0, 1.0]])
    model = linear_model.LinearRegression().fit(X, X[:, 0])
    monkeypatch.setattr(model, "predict", lambda rows: np.zeros(len(rows)))
    with pytest.raises(smartpouch.ModelRefused, match="is missing") as caught:
        smartpouch.push(model, "pipeline_test", np.where(X == 4.0, np.nan, X), conn, progress=False)
    assert caught.value.sqlstate == "22004"


IMPUTERS = {
    "most frequent": lambda: impute.SimpleImputer(strategy="most_frequent"),
    "constant": lambda: impute.SimpleImputer(strategy="constant", fill_value="none"),
}


@pytest.mark.parametrize("kind", IMPUTERS)
def test_missing_texts_are_imputed(conn: Connection, kind: str) -> None:
    X, y = frame()
    encoder = pipeline.make_pipeline(IMPUTERS[kind](), preprocessing.OneHotEncoder(handle_unknown="ignore"))
    same(conn, behind(encoder, linear_model.Ridge()).fit(X, y), X)


def test_none_is_a_missing_text_too(conn: Connection) -> None:
    X, y = frame()
    X["job"] = X["job"].astype(object).where(X["job"].notna(), None)
    fill = impute.SimpleImputer(missing_values=None, strategy="most_frequent")
    encoder = pipeline.make_pipeline(fill, preprocessing.OneHotEncoder())
    same(conn, behind(encoder, linear_model.Ridge()).fit(X, y), X)


# ------------------------------------------------------------------------- encoders

ENCODERS: dict[str, Callable[[], Any]] = {
    "one-hot": lambda: preprocessing.OneHotEncoder(handle_unknown="ignore"),
    "one-hot without the first": lambda: preprocessing.OneHotEncoder(drop="first", handle_unknown="ignore"),
    "one-hot, merged": lambda: preprocessing.OneHotEncoder(min_frequency=40, handle_unknown="infrequent_if_exist"),
    "one-hot, merged, without the first": lambda: preprocessing.OneHotEncoder(
        max_categories=3, drop="first", handle_unknown="infrequent_if_exist"
    ),
    "ordinal": lambda: preprocessing.OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ),
    "ordinal, merged": lambda: preprocessing.OrdinalEncoder(
        max_categories=3, handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ),
    "target": lambda: preprocessing.TargetEncoder(cv=2),
}


@pytest.mark.parametrize("names", [("city", "job"), ("half", "rooms"), ("city",)])
@pytest.mark.parametrize("kind", ENCODERS)
def test_encoders_of_missing_and_unseen_categories(conn: Connection, kind: str, names: tuple[str, ...]) -> None:
    X, y = frame()
    model = behind(ENCODERS[kind](), linear_model.Ridge(), names).fit(X, y)
    others = X.copy()
    others.loc[::5, "city"] = "new"
    others.loc[::4, "half"] = 1.25
    others.loc[::3, "rooms"] = 77
    same(conn, model, X, others)


def test_ordinal_codes_of_missing_texts_are_missing(conn: Connection) -> None:
    X, y = frame()
    encoder = preprocessing.OrdinalEncoder()
    same(conn, behind(encoder, ensemble.HistGradientBoostingRegressor(max_iter=5)).fit(X, y), X)


def test_unseen_texts_are_refused_where_the_encoder_refuses_them(conn: Connection) -> None:
    X, y = frame()
    used = X.drop(columns="half")
    model = behind(preprocessing.OneHotEncoder(), linear_model.Ridge()).fit(used, y)
    same(conn, model, used)
    with pytest.raises(psycopg.Error, match='cannot be "new"'):
        smartpouch.predict(conn, "pipeline_test:1", used.assign(city="new"))


def test_none_and_nan_as_categories_are_two_for_python_alone() -> None:
    X = pandas.DataFrame({"job": pandas.Series(["a", None, float("nan"), "b"] * 5, dtype=object)})
    columns = compose.ColumnTransformer([("t", preprocessing.OneHotEncoder(), ["job"])])
    with pytest.raises(UnsupportedModel, match="both None and NaN"):
        convert(pipeline.make_pipeline(columns, linear_model.Ridge()).fit(X, range(20)), X)


# ------------------------------------------------------------------ rows and columns

def test_bins_have_indicators_and_float64_edges(conn: Connection) -> None:
    X = np.round(np.random.default_rng(1).normal(size=(200, 3)), 1) * 1.1
    for encode in ("onehot", "onehot-dense", "ordinal"):
        model = preprocessing.KBinsDiscretizer(4, encode=encode).fit(X)
        at_edges = np.stack([edges for edges in model.bin_edges_], axis=1)
        same(conn, model, X, np.vstack([X, at_edges]))


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_norms_of_zeros_and_of_magnitudes(conn: Connection, norm: str) -> None:
    X = np.random.default_rng(1).normal(size=(50, 3))
    X[3], X[5], X[7] = 0, 1e-17, -np.abs(X[7])
    same(conn, preprocessing.Normalizer(norm).fit(X), X)


def test_columns_of_one_name_are_refused(conn: Connection) -> None:
    X = pandas.DataFrame(np.eye(3), columns=["a", "b", "a"])
    model = linear_model.Ridge().fit(X.to_numpy(), [1, 2, 3])
    with pytest.raises(InvalidRows, match="several columns named 'a'"):
        smartpouch.push(model, "pipeline_test", X, conn, progress=False)
    same(conn, model, X.to_numpy())
    with pytest.raises(InvalidRows, match="several columns named 'a'"):
        smartpouch.predict(conn, "pipeline_test:1", X)


# ------------------------------------------------------------ estimators around others

def members(final: Callable[[], Any]) -> list[tuple[str, Any]]:
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    forest = ensemble.RandomForestClassifier(5, random_state=1)
    return [("a", behind(encoder, final())), ("b", behind(encoder, forest))]


AROUND: dict[str, Callable[[], Any]] = {
    "calibrated": lambda: CalibratedClassifierCV(members(svm.SVC)[0][1], cv=2),
    "calibrated, isotonic": lambda: CalibratedClassifierCV(members(svm.SVC)[1][1], cv=2, method="isotonic"),
    "stacked": lambda: ensemble.StackingClassifier(members(svm.SVC), cv=2),
    "votes": lambda: ensemble.VotingClassifier(members(svm.LinearSVC), weights=[2, 1]),
    "shares": lambda: ensemble.VotingClassifier(members(linear_model.LogisticRegression), voting="soft"),
}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", AROUND)
def test_estimators_around_columns(conn: Connection, kind: str, classes: int) -> None:
    X, y = frame()
    model = AROUND[kind]().fit(X, np.digitize(y, np.quantile(y, np.arange(1, classes) / classes)))
    same(conn, model, X)


def test_stacked_regressors_around_columns(conn: Connection) -> None:
    X, y = frame()
    encoder = preprocessing.OneHotEncoder(handle_unknown="ignore")
    trees = ensemble.RandomForestRegressor(5, random_state=1)
    model = ensemble.StackingRegressor([("a", behind(encoder, linear_model.Ridge())), ("b", behind(encoder, trees))])
    same(conn, model.fit(X, y), X)


def test_columns_passed_through_a_stack_are_refused() -> None:
    X, y = frame()
    numbers = X[["age", "rooms"]].fillna(0)
    columns = compose.ColumnTransformer([("n", preprocessing.StandardScaler(), ["age", "rooms"])])
    base = [("a", pipeline.make_pipeline(columns, linear_model.Ridge()))]
    model = ensemble.StackingRegressor(base, final_estimator=linear_model.Ridge(), passthrough=True)
    with pytest.raises(UnsupportedModel, match="passes the columns of a data frame through"):
        convert(model.fit(numbers, y), numbers)


MARGINS = {"LinearSVC": svm.LinearSVC, "RidgeClassifier": linear_model.RidgeClassifier, "SVC": svm.SVC}


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("kind", MARGINS)
def test_margins_inside_other_estimators(conn: Connection, kind: str, classes: int) -> None:
    X = np.random.default_rng(1).normal(size=(200, 3))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2, [0.5, 1.5][: classes - 1])
    inner = [("a", MARGINS[kind]()), ("b", tree.DecisionTreeClassifier(max_depth=3, random_state=1))]
    scaler = preprocessing.StandardScaler()
    forest = ensemble.RandomForestClassifier(5, random_state=1)
    stack = ensemble.StackingClassifier(inner, final_estimator=forest)
    for around in (stack, ensemble.VotingClassifier(inner), CalibratedClassifierCV(inner[0][1], cv=2)):
        same(conn, pipeline.make_pipeline(scaler, around).fit(X, y), X)


def test_ties_of_votes_and_thresholds_at_shares(conn: Connection) -> None:
    random = np.random.default_rng(1)
    X = random.normal(size=(400, 4))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2 + random.normal(size=400) * 0.3, [0.3, 1.2])
    forest = ensemble.RandomForestClassifier(10, random_state=1)
    inner = [("a", neighbors.KNeighborsClassifier()), ("b", forest)]
    # Sums of tenths: their ties, and thresholds between them, are lost to the last digit of float32.
    for around in (
        ensemble.VotingClassifier(inner, voting="soft"),
        ensemble.StackingClassifier(inner, final_estimator=ensemble.RandomForestClassifier(10, random_state=2)),
    ):
        same(conn, around.fit(X, y), X)


def test_discriminant_analysis_of_two_classes(conn: Connection) -> None:
    X = np.random.default_rng(1).normal(size=(100, 3))
    same(conn, LinearDiscriminantAnalysis().fit(X, X[:, 0] > 0.3), X)


def test_one_versus_rest_of_two_classes_needs_probabilities() -> None:
    from sklearn.multiclass import OneVsRestClassifier

    X = np.random.default_rng(1).normal(size=(50, 3))
    with pytest.raises(UnsupportedModel, match="OneVsRestClassifier of two classes"):
        convert(OneVsRestClassifier(svm.LinearSVC()).fit(X, X[:, 0] > 0), X)


# ------------------------------------------------------------------------- boosters

@pytest.mark.parametrize("nan_mode", ["Min", "Max"])
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_catboost_may_end_a_pipeline(conn: Connection, classes: int, nan_mode: str) -> None:
    catboost = pytest.importorskip("catboost")
    X, y = frame()
    given = {"iterations": 8, "nan_mode": nan_mode, "verbose": False, "allow_writing_files": False}
    final = catboost.CatBoostClassifier(**given) if classes else catboost.CatBoostRegressor(**given)
    rows = X[["age", "half"]].to_numpy()
    target = np.digitize(y, np.quantile(y, np.arange(1, classes) / classes)) if classes else y
    same(conn, pipeline.make_pipeline(preprocessing.StandardScaler(), final).fit(rows, target), rows)


@pytest.mark.parametrize(
    "given",
    [{"loss_function": "Poisson"}, {"grow_policy": "Lossguide"}, {"loss_function": "Tweedie:variance_power=1.5"}],
)
def test_catboost_that_it_does_not_write_as_onnx(given: dict[str, str]) -> None:
    catboost = pytest.importorskip("catboost")
    X = np.random.default_rng(1).normal(size=(60, 3))
    final = catboost.CatBoostRegressor(iterations=3, verbose=False, allow_writing_files=False, **given)
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), final).fit(X, np.abs(X[:, 0]))
    with pytest.raises(UnsupportedModel, match=next(iter(given.values())).partition(":")[0]):
        convert(model, X)


# --------------------------------------------------------------------- labels, refusals

def labelled(kind: str) -> Any:
    if kind == "XGBoost":
        return pytest.importorskip("xgboost").XGBClassifier(n_estimators=3)
    if kind == "LightGBM":
        return pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=3, verbose=-1)
    if kind == "CatBoost":
        catboost = pytest.importorskip("catboost")
        return catboost.CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False)
    return {
        "forest": lambda: ensemble.RandomForestClassifier(3),
        "boosted stumps": lambda: ensemble.AdaBoostClassifier(n_estimators=3),
        "histograms": lambda: ensemble.HistGradientBoostingClassifier(max_iter=3),
        "pipeline": lambda: pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression()),
        "margins": svm.SVC,
        "votes": lambda: ensemble.VotingClassifier([("a", linear_model.LogisticRegression())]),
        "stack": lambda: ensemble.StackingClassifier([("a", linear_model.LogisticRegression())]),
        "calibrated": lambda: CalibratedClassifierCV(linear_model.LogisticRegression()),
    }[kind]()


KINDS = ["XGBoost", "LightGBM", "CatBoost", "forest", "boosted stumps", "histograms", "pipeline", "margins"]


@pytest.mark.parametrize("kind", [*KINDS, "votes", "stack", "calibrated"])
def test_truth_values_as_labels_are_0_and_1(conn: Connection, kind: str) -> None:
    X = np.random.default_rng(1).normal(size=(100, 3))
    model = labelled(kind).fit(X, X[:, 0] > 0)
    smartpouch.push(model, "pipeline_test", X, conn, progress=False)
    assert smartpouch.predict_label(conn, "pipeline_test:1", X) == [str(int(each)) for each in model.predict(X)]


@pytest.mark.parametrize("kind", ["KNNImputer", "SplineTransformer"])
def test_steps_without_a_form_say_what_to_do(kind: str) -> None:
    X = np.random.default_rng(1).normal(size=(50, 3))
    step = getattr(impute, kind, None) or getattr(preprocessing, kind)
    with pytest.raises(UnsupportedModel, match=f"a {kind} has no form that the server takes") as caught:
        convert(pipeline.make_pipeline(step(), linear_model.Ridge()).fit(X, X[:, 0]), X)
    assert caught.value.mend


def test_words_are_refused_before_anything_is_sent() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = pandas.Series(["good bearing", "worn bearing"] * 10)
    model = pipeline.make_pipeline(TfidfVectorizer(), linear_model.LogisticRegression()).fit(words, [0, 1] * 10)
    with pytest.raises(UnsupportedModel, match="TfidfVectorizer"):
        convert(model, words.to_frame("words"))


def test_functions_are_refused_by_name() -> None:
    X = np.abs(np.random.default_rng(1).normal(size=(20, 2)))
    model = pipeline.make_pipeline(preprocessing.FunctionTransformer(np.log1p), linear_model.Ridge()).fit(X, X[:, 0])
    with pytest.raises(UnsupportedModel, match="holds log1p"):
        convert(model, X)


def test_dates_are_refused_with_a_way_out() -> None:
    X = pandas.DataFrame({"at": pandas.date_range("2024-01-01", periods=20), "size": range(20)})
    columns = compose.ColumnTransformer([("n", preprocessing.StandardScaler(), ["size"])])
    model = pipeline.make_pipeline(columns, linear_model.Ridge()).fit(X, X["size"])
    with pytest.raises(UnsupportedModel, match="column 'at' holds dates or times") as caught:
        convert(model, X)
    assert "doc/formats.md" in caught.value.mend


def test_calendars_of_python_and_of_sql_are_one(conn: Connection) -> None:
    seconds = np.random.default_rng(1).integers(0, 6 * 365 * 86400, 400)
    at = pandas.Series(pandas.Timestamp("2020-01-01") + pandas.to_timedelta(seconds, unit="s"))
    at[:4] = [pandas.Timestamp(f"2024-02-29 {time}") for time in ("00:00", "23:59:59", "12:00", "00:01")]
    X = pandas.DataFrame(
        {
            "day": (at.dt.normalize() - pandas.Timestamp("2020-01-01")).dt.days,
            "weekday": at.dt.dayofweek,
            "minute": 60 * at.dt.hour + at.dt.minute,
        }
    )
    model = tree.DecisionTreeRegressor(random_state=1).fit(X, X["day"] * 2000 + X["minute"])
    smartpouch.push(model, "pipeline_test", X, conn, progress=False)
    query = """SELECT smartpouch.predict('pipeline_test:1', m) FROM (SELECT "at"::date - date '2020-01-01' AS day,
        extract(isodow FROM "at")::int - 1 AS weekday,
        60 * extract(hour FROM "at")::int + extract(minute FROM "at")::int AS minute
        FROM unnest(%s::timestamp[]) AS v ("at")) AS m"""
    got = conn.execute(query, ([each.to_pydatetime() for each in at],)).fetchall()
    # Each row has a leaf of its own.
    assert [row[0] for row in got] == pytest.approx(model.predict(X), rel=1e-6)
