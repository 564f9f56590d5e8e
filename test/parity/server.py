"""The server's side: push through the client package, predict in the two forms that matter.

jsonb is what applications send; arrays of float8 keep the sign of a zero and show what is infinite.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import psycopg
import smartpouch

from recipe import Trained

DATABASE = "parity"


def fresh_database() -> psycopg.Connection[Any]:
    """A connection to an empty database with the extension, on the server of the environment."""
    with psycopg.connect(dbname="postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        admin.execute(f"CREATE DATABASE {DATABASE}")
    conn = psycopg.connect(dbname=DATABASE, autocommit=True)
    conn.execute("CREATE EXTENSION smartpouch")
    return conn


def push(conn: psycopg.Connection[Any], name: str, trained: Trained) -> smartpouch.Pushed:
    # Without golden rows: the comparison here is stricter and shows all differences.
    return smartpouch.push(
        trained.pushed,
        name,
        trained.sample,
        conn,
        labels=trained.labels,
        options=trained.options,
        progress=False,
        golden_rows=0,
    )


def ask_json(conn: psycopg.Connection[Any], ref: str, rows: Any) -> dict[str, Any]:
    """Outputs by name, a list with an entry for each row."""
    answers = smartpouch.predict_json(conn, ref, rows, by_name=hasattr(rows, "columns"))
    labels = labels_of(conn, ref)
    found: dict[str, Any] = {}
    for name in answers[0]:
        if name not in ("model", "version"):
            found[name] = [_in_order(answer[name], labels) for answer in answers]
    return found


def _in_order(value: Any, labels: list[str]) -> Any:
    """Probabilities in the order of the labels: jsonb sorts the keys of an object its own way."""
    return [value[label] for label in labels] if isinstance(value, dict) and labels else value


def labels_of(conn: psycopg.Connection[Any], ref: str) -> list[str]:
    model, version = ref.split(":")
    row = conn.execute(
        "SELECT labels FROM smartpouch.versions WHERE model = %s AND version = %s", (model, version)
    ).fetchone()
    return list(row[0] or ()) if row else []


def ask_arrays(conn: psycopg.Connection[Any], ref: str, rows: np.ndarray) -> dict[str, Any]:
    """value, label and probabilities from arrays of float8."""
    block = [[float(cell) for cell in row] for row in rows.reshape(len(rows), -1)]
    found = conn.execute(
        "SELECT value, label, probabilities FROM smartpouch.predict_batch(%s, %s::float8[]) ORDER BY ordinal",
        (ref, block),
    ).fetchall()
    columns = dict(zip(("value", "label", "probabilities"), zip(*found, strict=True), strict=True))
    return {name: list(cells) for name, cells in columns.items() if cells[0] is not None}
