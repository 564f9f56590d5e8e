"""The command smartpouch: push, predict and promote from a shell."""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import psycopg

from smartpouch import calls
from smartpouch.errors import InvalidRows, SmartpouchError
from smartpouch.pushing import push
from smartpouch.sources.from_file import is_program

# float() takes more, such as 1_000 and infinity, which may be texts.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")

_DSN = "connection string; without it libpq's environment variables, service and password files count"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 if it did what it says, 1 with a message on standard error if not."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
    except (SmartpouchError, psycopg.Error, OSError, ValueError) as error:
        sys.stderr.write(f"smartpouch: {_message(error)}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="smartpouch", description="Models of PostgreSQL's smartpouch extension.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_push(commands)
    _add_predict(commands)
    _add_promote(commands)
    return parser


def _add_push(commands: Any) -> None:
    about = "import a model file as the next version of a model, and compare it with the library that trained it"
    push_ = commands.add_parser("push", help=about, description=f"{about[0].upper()}{about[1:]}.")
    push_.add_argument(
        "file",
        help="model file; a .joblib, .pkl or .pickle file is a program that runs here, with your rights, when it is "
        "loaded, so push only one that you trust",
    )
    push_.add_argument("--name", required=True, help="name of the model on the server")
    push_.add_argument("--dsn", default="", help=_DSN)
    push_.add_argument("--sample", metavar="CSV", help="rows as in training, with a header, for golden rows")
    push_.add_argument("--golden-rows", type=int, default=16, metavar="N", help="how many of them (default: 16)")
    push_.add_argument("--feature-names", nargs="+", metavar="NAME", help="in place of those in the file")
    push_.add_argument("--labels", nargs="+", metavar="LABEL", help="in place of those in the file")
    push_.add_argument("--options", type=json.loads, default={}, metavar="JSON", help="options of the server's import")
    push_.add_argument("--promote-to", metavar="STAGE", help="let the new version serve this stage")
    push_.add_argument("--quiet", action="store_true", help="no progress and no closing line")
    push_.set_defaults(run=_push)


def _add_predict(commands: Any) -> None:
    about = "predict rows of a CSV file: one line of JSON for each, with all outputs by name"
    predict = commands.add_parser("predict", help=about, description=f"{about[0].upper()}{about[1:]}.")
    predict.add_argument("ref", help="model, model@stage, or model:version")
    predict.add_argument(
        "rows", metavar="CSV", help="rows with a header; an empty cell is a missing value; - is standard input"
    )
    predict.add_argument("--dsn", default="", help=_DSN)
    predict.set_defaults(run=_predict)


def _add_promote(commands: Any) -> None:
    about = "let a version serve a stage"
    promote = commands.add_parser("promote", help=about, description=f"{about[0].upper()}{about[1:]}.")
    promote.add_argument("name", help="name of the model")
    promote.add_argument("version", type=int)
    promote.add_argument("stage", nargs="?", default="production", help="default: production")
    promote.add_argument("--note", help="why, for the history")
    promote.add_argument("--dsn", default="", help=_DSN)
    promote.set_defaults(run=_promote)


def _push(given: argparse.Namespace) -> None:
    path = Path(given.file)
    if is_program(path):
        sys.stderr.write(f"{path.name} is a program: loading it runs its code here, with your rights\n")
    pushed = push(
        path,
        given.name,
        None if given.sample is None else _sample(given.sample),
        given.dsn,
        feature_names=given.feature_names,
        labels=given.labels,
        promote_to=given.promote_to,
        golden_rows=given.golden_rows,
        options=given.options,
        progress=not given.quiet,
    )
    print(pushed.version)


def _predict(given: argparse.Namespace) -> None:
    with psycopg.connect(given.dsn) as conn:
        for answer in calls.predict_json(conn, given.ref, _dictionaries(given.rows)):
            print(json.dumps(answer))


def _promote(given: argparse.Namespace) -> None:
    with psycopg.connect(given.dsn) as conn:
        calls.promote(conn, given.name, given.version, given.stage, given.note)


def _message(error: Exception) -> str:
    """What went wrong; the server's detail and hint too."""
    if not isinstance(error, psycopg.Error) or error.diag.message_primary is None:
        return str(error)
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    return "\n".join(part for part in parts if part)


def _sample(path: str) -> Any:
    """A data frame where pandas is installed, for a model may know its columns by name; else lists."""
    try:
        import pandas as pd
    except ImportError:
        return [list(row.values()) for row in _dictionaries(path)]
    return pd.read_csv(path)


def _dictionaries(path: str) -> list[dict[str, Any]]:
    if path == "-":
        return _read(sys.stdin)
    with Path(path).open(newline="", encoding="utf-8") as file:
        return _read(file)


def _read(file: IO[str]) -> list[dict[str, Any]]:
    lines = csv.reader(file)
    header = next(lines, None)
    if header is None:
        raise InvalidRows("there is no header line")
    rows = []
    for line in lines:
        if len(line) != len(header):
            raise InvalidRows(f"line {lines.line_num} has {len(line)} cells, the header {len(header)}")
        rows.append({name: _cell(cell) for name, cell in zip(header, line, strict=True)})
    return rows


def _cell(text: str) -> Any:
    """A missing value, a number, or a text."""
    if text == "" or text.lower() == "nan":
        return None
    return float(text) if _NUMBER.fullmatch(text) else text
