"""Predictions and promotions: one function for each of the server's."""

from __future__ import annotations

from typing import Any

import psycopg

from smartpouch.rows import requests, to_rows

Connection = psycopg.Connection[Any]


def predict_json(conn: Connection, ref: str, X: Any, *, by_name: bool = True) -> list[dict[str, Any]]:
    """All outputs of a model for each row of ``X``, as the server names them.

    ``X`` is a data frame, an array, or a list of lists or dictionaries. Data frames and
    dictionaries are bound by name, everything else by position. NaN and None are missing values.
    """
    answers: list[dict[str, Any]] = []
    for request in requests(to_rows(X, by_name=by_name)):
        found = conn.execute(
            "SELECT smartpouch.predict_json(%s, r.value)"
            " FROM pg_catalog.jsonb_array_elements(%s::pg_catalog.jsonb) WITH ORDINALITY AS r (value, n)"
            " ORDER BY r.n",
            (ref, request),
        )
        answers.extend(row[0] for row in found)
    return answers


def predict(conn: Connection, ref: str, X: Any) -> Any:
    """The predicted value of each row: a numpy array if numpy is installed, else a list.

    A model with several values gives an array with a column for each. For a classifier it is the
    label. A value that is not finite is NaN.
    """
    answers = predict_json(conn, ref, X)
    return _array([_number(answer["value"] if "value" in answer else answer.get("label")) for answer in answers])


def predict_label(conn: Connection, ref: str, X: Any) -> list[str]:
    """The predicted label of each row of a classifier, always as text."""
    return [str(answer["label"]) for answer in _with(predict_json(conn, ref, X), "label", ref)]


def predict_proba(conn: Connection, ref: str, X: Any) -> Any:
    """The probabilities of each row, a column for each label in the order of the model's labels."""
    answers = _with(predict_json(conn, ref, X), "probabilities", ref)
    labels = labels_of(conn, answers[0]) if answers else []
    return _array([[_number(answer["probabilities"][label]) for label in labels] for answer in answers])


def promote(conn: Connection, name: str, version: int, stage: str = "production", note: str | None = None) -> None:
    """Let a version serve a stage, for everybody from the commit of the caller's transaction on."""
    conn.execute("SELECT smartpouch.promote(%s, %s, %s, %s)", (name, version, stage, note))


def labels_of(conn: Connection, answer: dict[str, Any]) -> list[str]:
    """Labels, in the model's order, of the version that gave this answer."""
    found = conn.execute(
        "SELECT labels FROM smartpouch.versions WHERE model = %s AND version = %s",
        (answer["model"], answer["version"]),
    ).fetchone()
    return list(found[0] or ()) if found else []


def _with(answers: list[dict[str, Any]], output: str, ref: str) -> list[dict[str, Any]]:
    if answers and output not in answers[0]:
        raise ValueError(f"model {ref} has no output {output!r}, it has {', '.join(sorted(answers[0]))}")
    return answers


def _number(value: Any) -> Any:
    return float("nan") if value is None else value


def _array(values: list[Any]) -> Any:
    try:
        import numpy as np
    except ImportError:
        return values
    return np.asarray(values)
