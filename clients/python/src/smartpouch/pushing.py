"""push(): from a live model object to a version in the database, in one transaction."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from smartpouch import answers, calls
from smartpouch.calls import Connection
from smartpouch.errors import ModelRefused
from smartpouch.progress import Bar
from smartpouch.rows import category_codes, spread, table, take, to_rows
from smartpouch.sources import convert
from smartpouch.sources.converted import Converted

MIB = 1 << 20

# How the server says that a file is damaged, not supported, or over a limit.
_REFUSAL_STATES = {"22P03", "0A000", "54000"}


@dataclass(frozen=True)
class Pushed:
    """A version that push() made: its number, the file's format, and the hash of what it predicts."""

    version: int
    format: str
    sha256: str


def push(
    model: Any,
    name: str,
    X_sample: Any = None,
    conn: Connection | str = "",
    *,
    feature_names: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    promote_to: str | None = None,
    chunk_size: int = 8 * MIB,
    progress: bool = True,
    golden_rows: int = 16,
    options: Mapping[str, Any] | None = None,
) -> Pushed:
    """Import a trained model as the next version of model ``name``.

    ``model`` is a live model of XGBoost, LightGBM, CatBoost, scikit-learn or PyTorch, an ONNX
    ModelProto, or a path to or the bytes of a model file. A joblib or pickle file is loaded here,
    in this process, so take it only from whom you trust; the server never sees it.

    ``X_sample`` holds rows as the model was trained with: a data frame or Series of pandas or polars,
    an array, a tensor or lists. Up to ``golden_rows`` of them are
    predicted by the live model and by the server; on a difference nothing is stored and
    ParityError says which row, else they stay with the version (``check_golden``). Labels given here are not compared.
    Where a file of XGBoost or LightGBM knows the categories of a data frame by their codes alone, golden
    rows hold these, and so must the rows of every prediction in SQL (``category_codes``).

    ``conn`` is a psycopg connection or a connection string (default: libpq's environment variables).
    A transaction that is open already is left open: the push is a savepoint in it. ``options`` go to
    the server's import.

    Raises UnsupportedModel, ModelRefused, ParityError, or an error of psycopg.
    """
    X_sample = None if X_sample is None else table(X_sample)
    converted = convert(model, X_sample)
    with _connection(conn) as connection, connection.transaction():
        upload = _Upload(converted, name, feature_names, labels, options)
        version = upload.run(connection, chunk_size, progress)
        if labels is not None:
            converted = _without_labels(converted)
        checked = _check_golden(connection, converted, f"{name}:{version}", X_sample, golden_rows)
        if promote_to is not None:
            calls.promote(connection, name, version, promote_to)
        pushed = _facts(connection, name, version)
    if progress:
        _report(name, pushed, len(converted.data), checked)
    return pushed


@contextmanager
def _connection(conn: Connection | str) -> Iterator[Connection]:
    if not isinstance(conn, str):
        yield conn
        return
    with psycopg.connect(conn) as opened:
        yield opened


@dataclass(frozen=True)
class _Upload:
    converted: Converted
    name: str
    feature_names: Sequence[str] | None
    labels: Sequence[str] | None
    options: Mapping[str, Any] | None

    def run(self, conn: Connection, chunk_size: int, progress: bool) -> int:
        upload = _scalar(conn, "SELECT smartpouch.upload_begin(%s)", self.name)
        self._send(conn, upload, max(1, chunk_size), progress)
        try:
            return int(_scalar(conn, _IMPORT, upload, *self._arguments()))
        except psycopg.Error as error:
            if error.sqlstate not in _REFUSAL_STATES:
                raise
            raise _refused(error) from error

    def _send(self, conn: Connection, upload: int, chunk_size: int, progress: bool) -> None:
        data = memoryview(self.converted.data)
        with Bar(self.name, len(data), wanted=progress) as bar:
            for seq, start in enumerate(range(0, len(data), chunk_size), 1):
                chunk = data[start : start + chunk_size]
                # Binary: the text form of bytea is twice as long.
                conn.execute("SELECT smartpouch.upload_chunk(%s, %s, %b)", (upload, seq, chunk))
                bar.update(len(chunk))

    def _arguments(self) -> tuple[list[str] | None, list[str] | None, str]:
        names = self.feature_names if self.feature_names is not None else self.converted.feature_names
        labels = self.labels if self.labels is not None else self.converted.labels
        return (
            None if names is None else [str(name) for name in names],
            None if labels is None else [answers.plain_label(label) for label in labels],
            json.dumps(self._options()),
        )

    def _options(self) -> dict[str, Any]:
        given = dict(self.options or {})
        return given if _ITERATIONS & given.keys() else {**self.converted.options, **given}


def _refused(error: psycopg.Error) -> ModelRefused:
    found = error.diag
    return ModelRefused(
        found.message_primary or str(error), error.sqlstate, found.message_detail, found.message_hint
    )


_ITERATIONS = {"start_iteration", "iterations", "best_iteration"}

_IMPORT = "SELECT smartpouch.import_upload(%s, NULL, %s::text[], %s::text[], %s::jsonb)"


def _scalar(conn: Connection, query: str, *parameters: Any) -> Any:
    row = conn.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def _check_golden(conn: Connection, converted: Converted, ref: str, sample: Any, wanted: int) -> int:
    """Compare the server with the live model and keep the rows with the version; how many they are."""
    if sample is None or wanted <= 0 or converted.reference is None:
        return 0
    rows = take(sample, spread(len(sample), wanted))
    expected = converted.reference(rows)
    if converted.categories_as_codes:
        rows = category_codes(rows, keep=_with_categories(conn, ref))
    # By position: names may have been replaced by the caller's.
    try:
        got = calls.predict_json(conn, ref, rows, by_name=False)
    except psycopg.errors.NullValueNotAllowed as error:
        # The live model answered: the library has a rule for this missing value, and the file has none.
        raise _refused(error) from error
    labels = calls.labels_of(conn, got[0]) if got else []
    ordered = [answers.in_label_order(answer, labels) for answer in got]
    # Compared here too, although the server does: with its outputs at hand the error says more.
    answers.compare(expected, ordered, converted.tolerance)
    for at, features in enumerate(to_rows(rows, by_name=False)):
        known = answers.golden_row(expected, ordered[at], at)
        conn.execute(
            "SELECT smartpouch.add_golden(%s, %s::jsonb, %s::jsonb, %s)",
            (ref, json.dumps(features, allow_nan=False), json.dumps(known), converted.tolerance),
        )
    return len(got)


def _with_categories(conn: Connection, ref: str) -> set[int]:
    """Positions of the features whose categories the server knows by themselves."""
    model, _, version = ref.rpartition(":")
    types = _scalar(
        conn, "SELECT feature_types FROM smartpouch.versions WHERE model = %s AND version = %s", model, int(version)
    )
    return {at for at, kind in enumerate(types or ()) if kind in ("category", "string")}


def _without_labels(converted: Converted) -> Converted:
    """The live model does not know the labels that the caller gave, so its probabilities alone are compared."""
    reference = converted.reference
    if reference is None:
        return converted

    def unlabelled(rows: Any) -> answers.Answers:
        return replace(reference(rows), label=None)

    return replace(converted, reference=unlabelled)


def _facts(conn: Connection, name: str, version: int) -> Pushed:
    row = conn.execute(
        "SELECT version, source_format, encode(sha256, 'hex') FROM smartpouch.versions"
        " WHERE model = %s AND version = %s",
        (name, version),
    ).fetchone()
    if row is None:
        raise RuntimeError(f"version {version} of model {name} vanished within its own transaction")
    return Pushed(*row)


def _report(name: str, pushed: Pushed, size: int, checked: int) -> None:
    golden = f"{checked} golden rows agree" if checked else "not compared with the live model (no X_sample)"
    sys.stderr.write(f"{name} version {pushed.version}: {pushed.format}, {size / 1e6:.2f} MB, {golden}\n")
