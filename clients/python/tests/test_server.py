from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

import smartpouch
from smartpouch.answers import Answers
from smartpouch.sources.converted import Converted

Connection = psycopg.Connection[Any]
ROWS = [[20.0, 1.0], [30.0, 1.0], [None, 1.0]]


def push(conn: Connection, model: Any, **rest: Any) -> smartpouch.Pushed:
    return smartpouch.push(model, "client_test", rest.pop("X_sample", None), conn, progress=False, **rest)


def versions(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM smartpouch.versions WHERE model = 'client_test'").fetchone()
    return int(row[0]) if row else 0


def test_push_and_predict(conn: Connection, stump: bytes) -> None:
    pushed = push(conn, stump, promote_to="production")
    assert (pushed.version, pushed.format, len(pushed.sha256)) == (1, "xgboost_json", 64)
    assert list(smartpouch.predict(conn, "client_test", ROWS)) == [-1, 1, -1]
    assert smartpouch.predict_json(conn, "client_test", [{"weight": 1, "age": 50}])[0]["value"] == 1


def test_chunks_are_joined_in_order(conn: Connection, stump: bytes) -> None:
    assert push(conn, stump, chunk_size=100).sha256 == push(conn, stump).sha256


def test_names_may_be_replaced(conn: Connection, stump: bytes) -> None:
    push(conn, stump, feature_names=["years", "mass"])
    assert smartpouch.predict_json(conn, "client_test:1", [{"years": 50, "mass": 1}])[0]["value"] == 1


def test_a_refused_file_leaves_nothing(conn: Connection) -> None:
    with pytest.raises(smartpouch.ModelRefused) as caught:
        push(conn, b"no model at all")
    assert caught.value.sqlstate in ("22P03", "0A000", "22023")
    assert versions(conn) == 0


def test_golden_rows_roll_back(conn: Connection, stump: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(rows: Any) -> Answers:
        return Answers(value=[-1.0, 1.25, -1.0])

    monkeypatch.setattr("smartpouch.pushing.convert", lambda model, sample: Converted(stump, reference=wrong))
    with pytest.raises(smartpouch.ParityError) as caught:
        push(conn, None, X_sample=ROWS)
    assert (caught.value.row, caught.value.expected, caught.value.got) == (1, 1.25, 1)
    assert versions(conn) == 0


def test_promote(conn: Connection, stump: bytes) -> None:
    push(conn, stump)
    push(conn, stump)
    smartpouch.promote(conn, "client_test", 2, "staging", "second")
    row = conn.execute(
        "SELECT version, note FROM smartpouch.deployments WHERE model = 'client_test' AND stage = 'staging'"
    ).fetchone()
    assert row == (2, "second")


def test_an_output_that_is_not_there(conn: Connection, stump: bytes) -> None:
    push(conn, stump)
    with pytest.raises(ValueError, match="no output 'label'"):
        smartpouch.predict_label(conn, "client_test:1", ROWS)


def test_no_rows(conn: Connection, stump: bytes) -> None:
    push(conn, stump)
    assert list(smartpouch.predict(conn, "client_test:1", [])) == []


def test_xgboost_classifier_with_golden_rows(conn: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    xgboost = pytest.importorskip("xgboost")
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True, as_frame=True)
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=3).fit(X, y)
    pushed = smartpouch.push(model, "client_test", X, conn)
    assert "16 golden rows agree" in capsys.readouterr().err
    ref = f"client_test:{pushed.version}"
    assert smartpouch.predict_label(conn, ref, X) == [str(label) for label in model.predict(X)]
    assert smartpouch.predict_proba(conn, ref, X) == pytest.approx(model.predict_proba(X), abs=1e-6)
    assert list(smartpouch.predict(conn, ref, X)) == list(model.predict(X))


def test_sklearn_forest_with_golden_rows(conn: Connection) -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_wine
    from sklearn.ensemble import RandomForestClassifier

    X, y = load_wine(return_X_y=True, as_frame=True)
    names = [f"grape {label}" for label in y]
    model = RandomForestClassifier(n_estimators=10, max_depth=4, random_state=1).fit(X, names)
    push(conn, model, X_sample=X, golden_rows=50)
    kept = conn.execute("SELECT count(*), bool_and(passed) FROM smartpouch.check_golden('client_test:1')").fetchone()
    assert kept == (50, True)
    assert smartpouch.predict_label(conn, "client_test:1", X) == list(model.predict(X))


def frame_of_categories() -> Any:
    pandas = pytest.importorskip("pandas")
    kinds = ["red", "green", "blue", "grey"] * 30
    frame = pandas.DataFrame({"colour": pandas.Categorical(kinds, categories=["red", "green", "blue", "grey"])})
    frame.loc[::7, "colour"] = None
    return frame.assign(size=[float(k % 11) for k in range(len(kinds))])


def frame_of_ordered_categories() -> Any:
    """LightGBM's file does not tell which of its lists belongs to which feature then."""
    frame = frame_of_categories()
    return frame.assign(grade=pytest.importorskip("pandas").Categorical(["a", "b"] * (len(frame) // 2), ordered=True))


def booster_of_categories(library: str, frame: Any) -> Any:
    module = pytest.importorskip(library)
    y = frame["colour"].cat.codes * 2.0 % 5 + frame["size"] / 10
    if library == "xgboost":
        return module.train({"tree_method": "hist"}, module.DMatrix(frame, y, enable_categorical=True), 5)
    given = {"min_data_per_group": 1, "min_data_in_leaf": 1, "cat_smooth": 0.1, "verbosity": -1}
    return module.train(given, module.Dataset(frame, y), 5)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_categories_are_asked_as_they_are_or_by_their_codes(conn: Connection, library: str) -> None:
    frame = frame_of_categories()
    model = booster_of_categories(library, frame)
    push(conn, model, X_sample=frame, golden_rows=len(frame))
    kept = conn.execute("SELECT count(*) FROM smartpouch.check_golden('client_test:1') WHERE passed").fetchone()
    assert kept == (len(frame),)
    again = model.inplace_predict(frame) if library == "xgboost" else model.predict(frame)
    for rows in (frame, smartpouch.category_codes(frame)):
        assert smartpouch.predict(conn, "client_test:1", rows) == pytest.approx(again, abs=1e-5)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_categories_that_are_numbers(conn: Connection, library: str) -> None:
    frame = frame_of_categories()
    frame["colour"] = frame["colour"].cat.rename_categories({"red": 40, "green": 10, "blue": 30, "grey": 20})
    model = booster_of_categories(library, frame)
    push(conn, model, X_sample=frame, golden_rows=len(frame))
    again = model.inplace_predict(frame) if library == "xgboost" else model.predict(frame)
    assert smartpouch.predict(conn, "client_test:1", frame) == pytest.approx(again, abs=1e-5)


def test_categories_of_a_model_that_stopped_early(conn: Connection) -> None:
    xgboost = pytest.importorskip("xgboost")
    frame = frame_of_categories()
    y = frame["size"] * (frame["colour"] == "red")
    model = xgboost.XGBRegressor(n_estimators=60, early_stopping_rounds=2, enable_categorical=True, learning_rate=0.9)
    model.fit(frame[:80], y[:80], eval_set=[(frame[80:], y[80:])], verbose=False)
    assert model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    push(conn, model, X_sample=frame)
    got = smartpouch.predict(conn, "client_test:1", frame)
    assert list(got) == pytest.approx(list(model.predict(frame)), abs=1e-5)


def test_texts_are_refused_where_the_file_knows_codes_alone(conn: Connection) -> None:
    frame = frame_of_ordered_categories()
    model = booster_of_categories("lightgbm", frame)
    push(conn, model, X_sample=frame)
    assert smartpouch.predict(conn, "client_test:1", smartpouch.category_codes(frame)) == pytest.approx(
        model.predict(frame)
    )
    with pytest.raises(psycopg.Error, match="must be a number, not a string") as caught:
        smartpouch.predict(conn, "client_test:1", frame)
    assert caught.value.sqlstate == "22023"


def test_other_categories_than_those_of_training_are_noticed(conn: Connection) -> None:
    frame = frame_of_ordered_categories()
    model = booster_of_categories("lightgbm", frame)
    moved = frame.assign(colour=frame["colour"].cat.reorder_categories(["grey", "blue", "green", "red"]))
    with pytest.raises(smartpouch.ParityError):
        push(conn, model, X_sample=moved)
    assert versions(conn) == 0


def polars_frame() -> Any:
    polars = pytest.importorskip("polars")
    random = pytest.importorskip("numpy").random.default_rng(1)
    return polars.DataFrame({name: random.normal(size=60) for name in ("a", "b", "c")})


def fitted_on_polars(library: str, frame: Any) -> Any:
    module = pytest.importorskip(library)
    X, y = frame.to_numpy(), (frame["a"] * 2 - frame["b"]).to_numpy()
    if library == "xgboost":
        return module.XGBRegressor(n_estimators=5).fit(X, y)
    if library == "lightgbm":
        return module.train({"verbosity": -1, "min_data_in_leaf": 3}, module.Dataset(X, y), 5)
    if library == "catboost":
        return module.CatBoostRegressor(iterations=5, verbose=False, allow_writing_files=False).fit(X, y)
    pytest.importorskip("skl2onnx")
    from sklearn.linear_model import Ridge

    return Ridge().fit(frame, y)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost", "sklearn"])
def test_polars_samples(conn: Connection, library: str) -> None:
    frame = polars_frame()
    model = fitted_on_polars(library, frame)
    push(conn, model, X_sample=frame, feature_names=["a", "b", "c"])
    kept = conn.execute("SELECT count(*), bool_and(passed) FROM smartpouch.check_golden('client_test:1')").fetchone()
    assert kept == (16, True)
    rows = frame if library == "sklearn" else frame.to_numpy()
    assert smartpouch.predict(conn, "client_test:1", frame) == pytest.approx(model.predict(rows), rel=1e-5, abs=1e-6)


def test_sklearn_columns_of_a_polars_frame(conn: Connection) -> None:
    polars = pytest.importorskip("polars")
    pytest.importorskip("skl2onnx")
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    frame = polars_frame().with_columns(colour=polars.Series(["red", "green", "blue"] * 20))
    columns = ColumnTransformer([("text", OneHotEncoder(), ["colour"])], remainder="passthrough")
    y = (frame["a"] > 0).to_numpy() * 1
    model = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(frame, y)
    push(conn, model, X_sample=frame)
    assert smartpouch.predict_label(conn, "client_test:1", frame) == [str(label) for label in model.predict(frame)]


def mixed_frame() -> Any:
    pandas, np = pytest.importorskip("pandas"), pytest.importorskip("numpy")
    random = np.random.default_rng(1)
    frame = pandas.DataFrame(
        {
            "room size": random.normal(40, 9, 90),
            "Größe": random.gamma(2, 1, 90),
            "rooms": random.integers(1, 6, 90),
            "site": random.choice(["east", "north"], 90),
        }
    )
    frame.loc[::7, "room size"] = np.nan
    return frame


def test_sklearn_imputers_among_columns(conn: Connection) -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = mixed_frame()
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["room size", "Größe", "rooms"]),
            ("whole", SimpleImputer(), ["rooms"]),
            ("text", OneHotEncoder(handle_unknown="ignore"), ["site"]),
        ]
    )
    y = frame["Größe"] + (frame["site"] == "east")
    model = make_pipeline(columns, Ridge()).fit(frame, y)
    push(conn, model, X_sample=frame)
    # Means in float64, and columns by their own names, spaces included.
    assert smartpouch.predict(conn, "client_test:1", frame) == pytest.approx(model.predict(frame), rel=1e-12)


def test_xgboost_behind_a_scaler_sees_float32(conn: Connection) -> None:
    xgboost = pytest.importorskip("xgboost")
    pytest.importorskip("skl2onnx"), pytest.importorskip("onnxmltools")
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    frame = mixed_frame()[["Größe", "rooms"]]
    columns = ColumnTransformer([("numbers", StandardScaler(), list(frame.columns))])
    # Trees that part all rows have thresholds at scaled values, rounded to float32.
    model = make_pipeline(columns, xgboost.XGBRegressor(n_estimators=20)).fit(frame, frame["Größe"])
    push(conn, model, X_sample=frame, golden_rows=0)
    assert smartpouch.predict(conn, "client_test:1", frame) == pytest.approx(model.predict(frame), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("kind", ["XGBRegressor", "HistGradientBoostingRegressor", "RandomForestRegressor"])
def test_trees_behind_a_scaler_of_an_array(conn: Connection, kind: str) -> None:
    pytest.importorskip("skl2onnx"), pytest.importorskip("onnxmltools")
    ensemble, xgboost = pytest.importorskip("sklearn.ensemble"), pytest.importorskip("xgboost")
    np = pytest.importorskip("numpy")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = np.random.default_rng(1).normal(size=(400, 4))
    y = X[:, 0] + X[:, 1] ** 2
    trees = getattr(xgboost if kind.startswith("XGB") else ensemble, kind)(
        **({"min_samples_leaf": 1, "max_iter": 20} if kind.startswith("Hist") else {"n_estimators": 20})
    )
    model = make_pipeline(StandardScaler(), trees).fit(X, y)
    push(conn, model, X_sample=X, golden_rows=0)
    # Rows of the training data are on thresholds, or between two of one float32.
    assert smartpouch.predict(conn, "client_test:1", X) == pytest.approx(model.predict(X), rel=1e-5, abs=1e-5)


def gridded(rows: int = 400) -> tuple[Any, Any, Any]:
    """Rows on a grid, a number and a class of three: a tree that lacks a row has a threshold exactly at it."""
    np = pytest.importorskip("numpy")
    random = np.random.default_rng(1)
    X = np.round(random.normal(size=(rows, 4)), 1) * 1.1
    y = X[:, 0] + X[:, 1] ** 2 + random.normal(size=rows) * 0.3
    return X, y, np.digitize(y, np.quantile(y, (1 / 3, 2 / 3)))


def beside_float32(kind: str) -> Any:
    """Forests of float64 steps, beside operators that ONNX only has in float32, or with results in float32."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor, VotingClassifier, VotingRegressor
    from sklearn.linear_model import RidgeClassifier
    from sklearn.multioutput import MultiOutputClassifier
    from sklearn.preprocessing import PolynomialFeatures
    from sklearn.svm import SVC, SVR

    forest, numbers = RandomForestClassifier(10, random_state=1), RandomForestRegressor(10, random_state=1)
    if kind == "vote of an SVC":
        return VotingClassifier([("a", SVC(probability=True)), ("b", forest)], voting="soft")
    if kind == "vote of a RidgeClassifier":
        return VotingClassifier([("a", RidgeClassifier()), ("b", forest)])
    if kind == "vote of an SVR":
        return VotingRegressor([("a", SVR()), ("b", numbers)])
    if kind == "several targets":
        return MultiOutputClassifier(forest)
    from sklearn.pipeline import make_pipeline

    return make_pipeline(PolynomialFeatures(2), numbers)


@pytest.mark.parametrize(
    "kind", ["vote of an SVC", "vote of a RidgeClassifier", "vote of an SVR", "several targets", "polynomials"]
)
def test_trees_on_thresholds_beside_float32(conn: Connection, kind: str) -> None:
    pytest.importorskip("skl2onnx")
    np = pytest.importorskip("numpy")
    from sklearn.base import is_classifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, numbers, classes = gridded()
    final = beside_float32(kind)
    y = np.c_[classes, numbers > 0] if kind == "several targets" else classes if is_classifier(final) else numbers
    model = make_pipeline(StandardScaler(), final).fit(X, y)
    push(conn, model, X_sample=X, golden_rows=0)
    if hasattr(model, "predict_proba") and kind != "several targets":
        got = smartpouch.predict_proba(conn, "client_test:1", X)
        assert got == pytest.approx(model.predict_proba(X), abs=1e-5)
    else:
        got = smartpouch.predict(conn, "client_test:1", X)
        assert got == pytest.approx(model.predict(X), rel=1e-5, abs=1e-5)


def test_histogram_boosting_of_integer_columns(conn: Connection) -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline

    frame = mixed_frame()[["rooms"]].astype("int64")
    columns = ColumnTransformer([("as they are", "passthrough", ["rooms"])])
    model = make_pipeline(columns, HistGradientBoostingRegressor(min_samples_leaf=1)).fit(frame, frame["rooms"] ** 2)
    push(conn, model, X_sample=frame, golden_rows=0)
    assert smartpouch.predict(conn, "client_test:1", frame) == pytest.approx(model.predict(frame), rel=1e-5)


@pytest.mark.parametrize("missing", [0.1, -1])
def test_sklearn_imputers_of_a_number(conn: Connection, missing: float) -> None:
    pytest.importorskip("skl2onnx")
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline

    frame = mixed_frame()[["room size", "Größe"]].fillna(missing)
    model = make_pipeline(SimpleImputer(missing_values=missing), Ridge()).fit(frame, frame["Größe"])
    push(conn, model, X_sample=frame)
    assert smartpouch.predict(conn, "client_test:1", frame) == pytest.approx(model.predict(frame), rel=1e-12)


def test_lightgbm_columns_with_spaces(conn: Connection) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    frame = mixed_frame().drop(columns="site")
    model = lightgbm.LGBMRegressor(n_estimators=5, verbosity=-1).fit(frame, frame["Größe"])
    push(conn, model, X_sample=frame)
    assert smartpouch.predict(conn, "client_test:1", frame) == pytest.approx(model.predict(frame), rel=1e-12)


def test_given_labels_are_not_compared(conn: Connection) -> None:
    xgboost, np = pytest.importorskip("xgboost"), pytest.importorskip("numpy")
    X = np.random.default_rng(1).normal(size=(80, 3))
    model = xgboost.XGBClassifier(n_estimators=3).fit(X, (X[:, 0] > 0) * 1)
    push(conn, model, X_sample=X, labels=["good", "worn"])
    kept = conn.execute("SELECT count(*), bool_and(passed) FROM smartpouch.check_golden('client_test:1')").fetchone()
    assert kept == (16, True)
    assert set(smartpouch.predict_label(conn, "client_test:1", X)) == {"good", "worn"}


LOSSES = ["RMSE", "Poisson", "RMSEWithUncertainty", "MultiRMSE", "Logloss", "MultiClass", "MultiLogloss", "Cox"]


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
def test_catboost_with_each_kind_of_loss(conn: Connection, loss: str, plain: bool) -> None:
    catboost, np = pytest.importorskip("catboost"), pytest.importorskip("numpy")
    X = np.random.default_rng(1).normal(size=(80, 3)).astype(np.float32)
    y = {
        "MultiRMSE": X[:, :2],
        "Logloss": X[:, 0] > 0,
        "MultiClass": np.digitize(X[:, 0], [-0.5, 0.5]),
        "MultiLogloss": (X[:, :2] > 0).astype(int),
    }.get(loss, np.abs(X[:, 0]) + 0.1)
    is_classifier = loss in ("Logloss", "MultiClass", "MultiLogloss")
    kind = catboost.CatBoost if plain else catboost.CatBoostClassifier if is_classifier else catboost.CatBoostRegressor
    given = {"loss_function": loss, "iterations": 5, "verbose": False, "allow_writing_files": False}
    push(conn, (kind(given) if plain else kind(**given)).fit(X, y), X_sample=X)
    kept = conn.execute("SELECT count(*), bool_and(passed) FROM smartpouch.check_golden('client_test:1')").fetchone()
    assert kept == (16, True)


def test_onnx_files_are_compared_with_the_runtime(conn: Connection, tmp_path: Path) -> None:
    pytest.importorskip("skl2onnx")
    pytest.importorskip("onnxruntime")
    from sklearn.datasets import load_iris
    from sklearn.ensemble import IsolationForest, RandomForestClassifier

    from smartpouch.sources import convert

    X, y = load_iris(return_X_y=True)
    for at, model in enumerate((RandomForestClassifier(5).fit(X, y), IsolationForest(n_estimators=5).fit(X)), 1):
        path = tmp_path / "model.onnx"
        path.write_bytes(convert(model, X).data)
        push(conn, path if at == 1 else path.read_bytes(), X_sample=X.astype("float32"))
        query = "SELECT count(*), bool_and(passed) FROM smartpouch.check_golden(%s)"
        assert conn.execute(query, (f"client_test:{at}",)).fetchone() == (16, True)


def test_torch_module(conn: Connection) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    rows = torch.randn(20, 3)
    push(conn, model, X_sample=rows)
    with torch.no_grad():
        assert smartpouch.predict(conn, "client_test:1", rows) == pytest.approx(model(rows).numpy(), abs=1e-5)


def exported_by_script(torch: Any, module: Any, rows: Any) -> bytes:
    """As torch.onnx wrote files until 2.9, and still does on request."""
    import io

    file = io.BytesIO()
    names = {"input_names": ["X"], "dynamic_axes": {"X": {0: "rows"}}}
    torch.onnx.export(module.eval(), (rows,), file, dynamo=False, opset_version=18, **names)
    return file.getvalue()


@pytest.mark.parametrize("exporter", ["dynamo", "script"])
def test_attention_in_a_file_is_refused_with_a_way_out(conn: Connection, exporter: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Attending(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.MultiheadAttention(4, 2, batch_first=True)

        def forward(self, x: Any) -> Any:
            return self.layer(x, x, x)[0].mean(1)

    module, rows = Attending().eval(), torch.randn(4, 6, 4)
    if exporter == "script":
        data = exported_by_script(torch, module, rows)
    else:
        axes = ({0: torch.export.Dim("rows")},)
        program = torch.onnx.export(module, (rows,), dynamo=True, dynamic_shapes=axes, verbose=False)
        data = program.model_proto.SerializeToString()
    with pytest.raises(smartpouch.ModelRefused, match="softmax") as caught:
        push(conn, data)
    assert caught.value.sqlstate == "0A000"


@pytest.mark.parametrize("exporter", ["dynamo", "script"])
def test_attention_written_with_products_is_taken(conn: Connection, exporter: str) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    torch.manual_seed(1)

    class Attending(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v = (torch.nn.Linear(4, 4) for _ in range(3))

        def forward(self, x: Any) -> Any:
            return (torch.softmax(self.q(x) @ self.k(x).transpose(1, 2), -1) @ self.v(x)).mean(1)

    module, rows = Attending().eval(), torch.randn(4, 6, 4)
    if exporter == "script":
        push(conn, exported_by_script(torch, module, rows))
    else:
        push(conn, module, X_sample=rows)
    with torch.no_grad():
        wanted = module(rows).numpy()
    assert smartpouch.predict(conn, "client_test:1", rows.reshape(4, -1)) == pytest.approx(wanted, abs=1e-5)
