"""Train every combination, push it, and compare 500 rows with the library that trained it.

usage: runner.py [--strict] [--only PATTERN] [--list]      (writes parity.json)

Statuses: pass; refused (the server does not take the file, with its message); rightly refused (as
the documentation says); unsupported (the client or a converter does not take the model); converter (the file
itself is not the model: the reference runtime differs from the source library just as the server
does, or cannot run the file either); not installed; FAILED.  Only FAILED, and refused with --strict, make the exit code nonzero.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import psycopg
import smartpouch

import reference
import server
import table
from compare import Difference, compared_outputs, differences
from recipe import ROWS, Expected, Recipe, Registry, Trained

SOURCES = {
    "from_xgboost": "XGBoost",
    "from_lightgbm": "LightGBM",
    "from_catboost": "CatBoost",
    "from_sklearn": "scikit-learn",
    "from_onnxmltools": "onnxmltools",
    "from_torch": "PyTorch",
}
# More rows than this on which the converted file is another model, and the combination does not count.
MOST_CONVERTER_ROWS = ROWS // 50


@dataclass
class Result:
    """One line of the table."""

    name: str
    source: str
    format: str
    task: str
    estimator: str
    status: str
    rows: int = 0
    outputs: str = ""
    tolerance: float = 0.0
    sees: str = ""
    message: str = ""
    seconds: float = 0.0
    note: str = ""


def main() -> int:
    arguments = read_arguments()
    recipes, absent = load(arguments)
    if arguments.list:
        print("\n".join(f"{recipe.name:45} {recipe.source:13} {recipe.format:25} {recipe.task}" for recipe in recipes))
        return 0
    conn = server.fresh_database()
    results = []
    for result in chain(absent, (run_one(conn, recipe) for recipe in recipes)):
        results.append(result)
        table.show_progress(len(results), result)
    table.write_json(results)
    table.show(results)
    return table.exit_code(results, strict=arguments.strict)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the server with the libraries that trained the models.")
    parser.add_argument("--only", metavar="PATTERN", action="append", help="names to run, with * and ?; repeatable")
    parser.add_argument("--list", action="store_true", help="name the combinations and stop")
    parser.add_argument("--strict", action="store_true", help="a refused model is a failure too")
    return parser.parse_args()


def load(arguments: argparse.Namespace) -> tuple[list[Recipe], list[Result]]:
    """The recipes that are asked for, and a line for each library that is not there."""
    recipes: list[Recipe] = []
    absent: list[Result] = []
    for module, source in SOURCES.items():
        try:
            registry: Registry = importlib.import_module(module).registry
        except ModuleNotFoundError as error:
            absent.append(Result(module, source, "", "", "", "not installed", message=str(error)))
            continue
        recipes += [recipe for recipe in registry.recipes if wanted(recipe, arguments)]
    return recipes, absent


def wanted(recipe: Recipe, arguments: argparse.Namespace) -> bool:
    return not arguments.only or any(fnmatch.fnmatchcase(recipe.name, pattern) for pattern in arguments.only)


def run_one(conn: psycopg.Connection[Any], recipe: Recipe) -> Result:
    started = time.monotonic()
    result = Result(recipe.name, recipe.source, recipe.format, recipe.task, recipe.estimator, "FAILED",
                    tolerance=recipe.tolerance, sees=recipe.sees, note=recipe.note)
    trained = None
    try:
        # Libraries warn about tiny data; that is no news here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trained = recipe.train()
            judge(conn, recipe, trained, result)
    except smartpouch.ModelRefused as error:
        is_right = recipe.must_refuse and recipe.must_refuse in str(error).lower()
        result.status, result.message = "rightly refused" if is_right else "refused", error.message
        complaint = reference.complaint(trained) if trained else ""
        if complaint:
            result.status = "converter"
            result.message = f"the server: {error.message}; onnxruntime does not run the file either: {complaint}"
    except smartpouch.UnsupportedModel as error:
        result.status, result.message = "unsupported", error.what
    except psycopg.Error as error:
        result.message = f"{error.sqlstate}: {error.diag.message_primary or error}"
    except Exception as error:  # a broken recipe must not stop the others
        result.message = f"{type(error).__name__}: {error}"
        traceback.print_exc(file=sys.stderr)
    result.seconds = round(time.monotonic() - started, 2)
    return result


def judge(conn: psycopg.Connection[Any], recipe: Recipe, trained: Trained, result: Result) -> None:
    """Push, predict in both forms, compare; fills in the result."""
    # First, so that a recipe whose file is refused today is tried as well.
    with np.errstate(all="ignore"):
        expected = trained.expected(trained.rows)
    if recipe.must_refuse:
        server.push(conn, recipe.name, trained)
        result.message = "accepted, but it must be refused"
        return
    result.tolerance = tolerance = trained.tolerance or recipe.tolerance
    pushed = server.push(conn, recipe.name, trained)
    ref = f"{recipe.name}:{pushed.version}"
    got = server.ask_json(conn, ref, trained.rows)
    result.rows = len(trained.rows)
    result.outputs = ", ".join(compared_outputs(expected, got))
    if not result.outputs:
        result.message = f"nothing to compare: the server answers {', '.join(got)}"
        return
    found = differences(expected, got, result.rows, tolerance)
    if isinstance(trained.rows, np.ndarray) and trained.rows.dtype != object:
        arrays = server.ask_arrays(conn, ref, trained.rows)
        found += differences(expected, arrays, result.rows, tolerance, exact_kinds=True)
    conclude(trained, expected, got, found, result)


def conclude(
    trained: Trained, expected: Expected, got: dict[str, Any], found: list[Difference], result: Result
) -> None:
    excused = reference.excused_rows(trained, expected, got, found, result.tolerance)
    failed = [each for each in found if each.row not in excused]
    if failed:
        first = failed[0]
        rows = len({each.row for each in failed})
        result.message = f"{rows} rows; row {first.row}: {first.output} is {first.got!r}, expected {first.expected!r}"
        return
    result.status = "pass" if len(excused) <= MOST_CONVERTER_ROWS else "converter"
    if excused:
        first = next(each for each in found if each.row in excused)
        result.message = (
            f"onnxruntime, running the file, differs from the library too, on {len(excused)} rows, and agrees with the "
            f"server there; row {first.row}: {first.output} is {first.got!r}, the library has {first.expected!r}"
        )


if __name__ == "__main__":
    sys.exit(main())
