"""The aggregates that compare predictions with the truth, and evaluate(), against sklearn.metrics on 20 data sets;
distances of histograms against scipy.stats.

usage: scores.py

Prints a line for each data set; the exit code is nonzero if any number is further than 1e-12 (relative to
numbers above 1) from theirs.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psycopg
import smartpouch
from scipy import stats
from sklearn import datasets, metrics
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split

import server
from table import tap_line

TOLERANCE = 1e-12
FLOAT32 = 1e-5  # probabilities of ONNX
Scores = dict[str, Any]


def classes(rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray, np.ndarray, np.ndarray | None]]:
    """Data sets of labels: name, truth, predicted, probabilities in the order of sorted labels."""
    for name, load in (
        ("iris", datasets.load_iris),
        ("wine", datasets.load_wine),
        ("breast_cancer", datasets.load_breast_cancer),
        ("digits", datasets.load_digits),
    ):
        x, y = load(return_X_y=True)
        x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.5, random_state=1)
        model = LogisticRegression(max_iter=50).fit(x_train, y_train)
        yield name, y_test, model.predict(x_test), model.predict_proba(x_test)
    truth = rng.integers(0, 2, 5000)
    yield "imbalanced", (truth_rare := (rng.random(5000) < 0.01).astype(int)), np.where(
        rng.random(5000) < 0.3, 1 - truth_rare, truth_rare), pair(rng.random(5000))
    yield "tied scores", truth, truth, pair(np.round(rng.random(5000), 1))
    yield "certain and wrong", truth, 1 - truth, pair((1 - truth).astype(float))
    yield "never predicted", rng.choice([1, 2, 3], 500), np.full(500, 2), None
    yield "predicted, never true", np.full(500, 2), rng.choice([1, 2, 3], 500), None
    names = np.array(["", "a", "B", "ä", "10", "9", 'quo"te', "back\\slash"])
    yield "names", rng.choice(names, 800), rng.choice(names, 800), None
    yield "many labels", rng.integers(0, 300, 20000), rng.integers(0, 300, 20000), None


def numbers(rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Data sets of numbers: name, truth, predicted."""
    for name, load in (("diabetes", datasets.load_diabetes),):
        x, y = load(return_X_y=True)
        yield name, y, LinearRegression().fit(x, y).predict(x)
    x, y = datasets.make_friedman1(2000, random_state=2)
    yield "friedman", y, HistGradientBoostingRegressor(max_iter=20).fit(x, y).predict(x)
    normal = rng.normal(size=3000)
    yield "far from 0", normal + 1e6, normal + 1e6 + rng.normal(size=3000)
    yield "zeros in truth", np.where(rng.random(1000) < 0.2, 0.0, rng.normal(size=1000)), rng.normal(size=1000)
    yield "constant truth", np.full(100, 3.5), rng.normal(size=100)
    yield "constant and right", np.full(100, 3.5), np.full(100, 3.5)
    yield "two rows", np.array([1.0, 2.0]), np.array([1.5, 1.5])
    yield "tiny", normal * 1e-150, normal * 1e-150 * 1.01
    yield "large", normal * 1e150, normal * 1e150 * 1.01


def pair(positive: np.ndarray) -> np.ndarray:
    return np.column_stack([1 - positive, positive])


def of_labels(truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None) -> Scores:
    """What scikit-learn says of labels."""
    scores: Scores = {
        "accuracy": metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
        "matrix": metrics.confusion_matrix(truth, predicted).tolist(),
    }
    for average in ("macro", "micro", "weighted"):
        for name, of in (
            ("precision", metrics.precision_score),
            ("recall", metrics.recall_score),
            ("f1", metrics.f1_score),
        ):
            scores[f"{name}_{average}"] = of(truth, predicted, average=average, zero_division=0)
    each = metrics.precision_recall_fscore_support(truth, predicted, zero_division=0)
    labels = [str(label) for label in np.union1d(truth, predicted)]
    scores["classes"] = {
        label: dict(zip(("precision", "recall", "f1", "support"), map(float, column), strict=True))
        for label, column in zip(labels, zip(*each, strict=True), strict=True)
    }
    if probabilities is not None:
        scores["log_loss"] = metrics.log_loss(truth, probabilities)
        scores["roc_auc"] = area(truth, probabilities)
    return scores


def area(truth: np.ndarray, probabilities: np.ndarray) -> float:
    if probabilities.shape[1] == 2:
        return float(metrics.roc_auc_score(truth, probabilities[:, 1]))
    return float(metrics.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro"))


def of_numbers(truth: np.ndarray, predicted: np.ndarray) -> Scores:
    """What scikit-learn says of numbers."""
    return {
        "mae": metrics.mean_absolute_error(truth, predicted),
        "rmse": metrics.root_mean_squared_error(truth, predicted),
        "mape": metrics.mean_absolute_percentage_error(truth, predicted),
        "r2": metrics.r2_score(truth, predicted),
    }


def ask_labels(conn: psycopg.Connection[Any], truth: np.ndarray, predicted: np.ndarray,
               probabilities: np.ndarray | None) -> Scores:
    """The same from the aggregates."""
    kind = "bigint" if truth.dtype.kind in "iu" else "text"
    load(conn, f"truth {kind}, predicted {kind}, probabilities double precision[]",
         zip(truth.tolist(), predicted.tolist(),
             [None] * len(truth) if probabilities is None else probabilities.tolist(), strict=True))
    row = conn.execute("""
        SELECT smartpouch.classification_report(truth, predicted)
            || smartpouch.confusion_matrix(truth, predicted)
            || jsonb_build_object('accuracy', smartpouch.accuracy(truth, predicted),
                'balanced_accuracy', smartpouch.balanced_accuracy(truth, predicted))
            || (SELECT jsonb_object_agg(name, score) FROM (
                SELECT 'precision_' || a AS name, smartpouch.precision_score(truth, predicted, a) AS score
                FROM asked, unnest(ARRAY['macro', 'micro', 'weighted']) a GROUP BY a
                UNION ALL SELECT 'recall_' || a, smartpouch.recall_score(truth, predicted, a)
                FROM asked, unnest(ARRAY['macro', 'micro', 'weighted']) a GROUP BY a
                UNION ALL SELECT 'f1_' || a, smartpouch.f1_score(truth, predicted, a)
                FROM asked, unnest(ARRAY['macro', 'micro', 'weighted']) a GROUP BY a) s)
        FROM asked""").fetchone()
    assert row is not None
    scores: Scores = row[0]
    if probabilities is not None:
        labels = [str(label) for label in np.unique(truth)]
        row = conn.execute("SELECT smartpouch.log_loss(truth::text, probabilities, %s) FROM asked", [labels]).fetchone()
        assert row is not None
        scores["log_loss"] = row[0]
        positives = range(1, 2) if len(labels) == 2 else range(len(labels))
        areas = [conn.execute("SELECT smartpouch.roc_auc(truth::text = %s, probabilities[%s]) FROM asked",
                              [labels[at], at + 1]).fetchone() for at in positives]
        scores["roc_auc"] = float(np.mean([one[0] for one in areas if one]))
        if len(labels) == 2:
            row = conn.execute("SELECT smartpouch.log_loss(truth = 1, probabilities[2]),"
                               " smartpouch.roc_auc(truth::integer, probabilities[2]) FROM asked").fetchone()
            assert row is not None
            assert apart(row[0], scores["log_loss"]) == "" and row[1] == scores["roc_auc"]
    return scores


def ask_numbers(conn: psycopg.Connection[Any], truth: np.ndarray, predicted: np.ndarray) -> Scores:
    load(conn, "truth double precision, predicted double precision", zip(truth.tolist(), predicted.tolist(), strict=True))
    names = ("mae", "rmse", "mape", "r2")
    row = conn.execute("SELECT " + ", ".join(f"smartpouch.{name}(truth, predicted)" for name in names)
                       + " FROM asked").fetchone()
    assert row is not None
    return dict(zip(names, row, strict=True))


def load(conn: psycopg.Connection[Any], columns: str, rows: Any) -> None:
    conn.execute("DROP TABLE IF EXISTS asked")
    conn.execute(f"CREATE TABLE asked ({columns})")
    with conn.cursor().copy("COPY asked FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    conn.execute("ANALYZE asked")


def apart(got: Any, expected: Any, tolerance: float = TOLERANCE, path: str = "") -> str:
    """The first difference, or nothing."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            if key not in got:
                return f"{path}{key} is missing"
            if difference := apart(got[key], value, tolerance, f"{path}{key}."):
                return difference
        return ""
    if isinstance(expected, list):
        return "" if got == expected else f"{path[:-1]} is {got}, not {expected}"
    if got is None or not abs(got - expected) <= tolerance * max(1.0, abs(expected)):
        return f"{path[:-1]} is {got}, not {expected}"
    return ""


def in_parallel(conn: psycopg.Connection[Any], ask: Callable[[], Scores]) -> tuple[Scores, Scores]:
    """The scores without and with parallel workers."""
    alone = ask()
    for setting in ("parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0"):
        conn.execute(f"SET {setting}")
    together = ask()
    conn.execute("RESET ALL")
    return alone, together


def evaluated(conn: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """evaluate() of pushed models: name and difference."""
    for name, load_set, model in (
        ("evaluate breast_cancer", datasets.load_breast_cancer, HistGradientBoostingClassifier(max_iter=15)),
        ("evaluate digits", datasets.load_digits, HistGradientBoostingClassifier(max_iter=5)),
        ("evaluate diabetes", datasets.load_diabetes, HistGradientBoostingRegressor(max_iter=15)),
    ):
        x, y = load_set(return_X_y=True)
        x = x.astype(np.float32)
        model.fit(x, y)
        pushed = smartpouch.push(model, name.split()[1], x[:20], conn, progress=False)
        load(conn, "features real[], truth double precision", zip(x.tolist(), y.tolist(), strict=True))
        row = conn.execute("SELECT smartpouch.evaluate(%s, 'SELECT features, truth FROM asked')",
                           [f"{name.split()[1]}:{pushed.version}"]).fetchone()
        assert row is not None
        if hasattr(model, "predict_proba"):
            expected = of_labels(y, model.predict(x), model.predict_proba(x))
            expected["confusion_matrix"] = {"matrix": expected.pop("matrix")}
        else:
            expected = of_numbers(y, model.predict(x))
        yield name, apart(row[0], expected, FLOAT32)


def histograms(rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Pairs of counts in the same bins: name, expected, actual."""
    for bins in (2, 3, 11, 19, 300):
        shares = rng.dirichlet(np.ones(bins))
        yield f"{bins} bins, like", rng.multinomial(5000, shares), rng.multinomial(700, shares)
        yield f"{bins} bins, unlike", rng.multinomial(5000, shares), rng.multinomial(100000, rng.dirichlet(np.ones(bins)))
    yield "bins empty in one", np.array([10, 0, 5, 0, 80]), np.array([0, 3, 5, 0, 0])
    yield "one bin", np.array([7]), np.array([900])
    yield "one case", np.array([1000, 0, 20]), np.array([0, 1, 0])
    yield "nothing in common", np.array([1000, 0]), np.array([0, 1000])


def distances(expected: np.ndarray, actual: np.ndarray) -> Scores:
    """What numpy and scipy say: of the bins' numbers as samples, and of a table of two rows."""
    used = (expected > 0) | (actual > 0)
    e, a = expected[used], actual[used]
    e_share, a_share = np.maximum(e, 0.5) / e.sum(), np.maximum(a, 0.5) / a.sum()
    numbers = np.arange(len(e))
    table = stats.chi2_contingency([e, a], correction=False)
    return {
        "psi": float(np.sum((a_share - e_share) * np.log(a_share / e_share))),
        "ks": float(stats.ks_2samp(np.repeat(numbers, e), np.repeat(numbers, a)).statistic),
        "chi_square": float(table.statistic),
        "degrees": int(table.dof),
    }


def ask_distances(conn: psycopg.Connection[Any], expected: np.ndarray, actual: np.ndarray) -> Scores:
    row = conn.execute(
        "SELECT smartpouch.psi(e, a), smartpouch.ks_statistic(e, a), x.statistic, x.degrees"
        " FROM (SELECT %s::bigint[] AS e, %s::bigint[] AS a) h, smartpouch.chi_square(e, a) x",
        [expected.tolist(), actual.tolist()]).fetchone()
    assert row is not None
    return dict(zip(("psi", "ks", "chi_square", "degrees"), row, strict=True))


def main() -> int:
    warnings.simplefilter("ignore")
    conn = server.fresh_database()
    rng = np.random.default_rng(5)
    outcomes: list[tuple[str, str]] = []
    for name, truth, predicted, probabilities in classes(rng):
        expected = of_labels(truth, predicted, probabilities)
        for got in in_parallel(conn, lambda: ask_labels(conn, truth, predicted, probabilities)):
            outcomes.append((name, apart(got, expected)))
    for name, truth, predicted in numbers(rng):
        expected = of_numbers(truth, predicted)
        for got in in_parallel(conn, lambda: ask_numbers(conn, truth, predicted)):
            outcomes.append((name, apart(got, expected)))
    for name, expected_counts, counts in histograms(rng):
        outcomes.append((name, apart(ask_distances(conn, expected_counts, counts), distances(expected_counts, counts))))
    outcomes.extend(evaluated(conn))
    failed = 0
    for number, (name, difference) in enumerate(outcomes, 1):
        print(tap_line(number, name, 'FAILED' if difference else 'passed', (), difference))
        failed += bool(difference)
    print(json.dumps({"compared": len(outcomes), "failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
