"""ONNX's own tests of operators, those of the package onnx, through the server's SQL.

usage: onnx_nodes.py [--only PATTERN]      (writes onnx_nodes.json)

A node test has tensors of fixed shapes; the server has rows.  Each case is tried with every choice of inputs
whose first axis may be the rows, the other inputs as constants, and each of its outputs alone.  A case passes
if the server takes at least one form and answers every form that it takes as the test says.  It is not applicable if
no form is taken, or if there is none; the reasons are printed.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import re
import sys
import warnings
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import psycopg
import smartpouch
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test.loader import load_node_model_tests

import server
from compare import apart, as_rows
from recipe import FLOAT32, RECURRENT
from table import tap_line

LONG_SUMS = {"Conv", "LSTM", "GRU", "RNN"}
TOLERANCES = {True: RECURRENT, False: FLOAT32}
# Cases whose answers are written with four digits: onnxruntime's take their place, if their last digit is one apart at most.
ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad"}
# Of ours, so the operators of a case are those of its graph and not this one.
CAST = "to_numbers"


class NotApplicable(Exception):
    """Why a case, or a form of it, says nothing about the server."""


@dataclass(frozen=True)
class Form:
    """A case as a model of rows, with one output."""

    model: bytes
    rows: list[list[Any]]
    expected: np.ndarray
    tolerance: float


def main() -> int:
    arguments = read_arguments()
    conn = server.fresh_database()
    outcomes: dict[str, list[tuple[str, str]]] = defaultdict(list)  # outcome → (case, reason)
    passed_of: Counter[str] = Counter()
    for number, case in enumerate(cases(arguments.only), 1):
        outcome, reason = judge(conn, case)
        outcomes[outcome].append((case.name, reason))
        if outcome == "passed":
            passed_of.update(operators(case.model))
        print(tap_line(number, case.name, outcome, ("not applicable",), reason), flush=True)
    show(outcomes)
    content = {"onnx": onnx.__version__, "counts": {key: len(each) for key, each in outcomes.items()},
               "passed": dict(sorted(passed_of.items())), "not_applicable": dict(groups(outcomes["not applicable"]))}
    Path("onnx_nodes.json").write_text(json.dumps(content, indent=1) + "\n")
    return 1 if outcomes["FAILED"] or not outcomes["passed"] else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="ONNX's own tests of operators, through the server's SQL.")
    parser.add_argument("--only", metavar="PATTERN", default="*", help="names of cases, with * and ?")
    return parser.parse_args()


def cases(pattern: str) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package computes its answers, with overflows on purpose
        return [case for case in load_node_model_tests() if fnmatch.fnmatchcase(case.name, pattern)]


def operators(model: Any) -> set[str]:
    return {node.op_type for node in model.graph.node}


def judge(conn: psycopg.Connection[Any], case: Any) -> tuple[str, str]:
    """passed, FAILED or not applicable, and why."""
    refused: list[str] = []
    taken = 0
    try:
        for form in forms(case):
            try:
                got = ask(conn, form)
            except NotApplicable as error:
                refused.append(str(error))
                continue
            taken += 1
            difference = compared(form, got)
            if difference:
                return "FAILED", difference
    except NotApplicable as error:
        refused.append(str(error))
    return ("passed", "") if taken else ("not applicable", refused[0])


def forms(case: Any) -> Any:
    """Every form of the case that can be written as a model of rows."""
    if len(case.data_sets or ()) != 1:
        raise NotApplicable("there are no fixed answers")
    given, expected = case.data_sets[0]
    infos = [*case.model.graph.input, *case.model.graph.output]
    if any(not info.type.HasField("tensor_type") or each is None for info, each in zip(infos, [*given, *expected])):
        raise NotApplicable("sequences, maps and optional values")
    data, outputs = [plain(each) for each in given], [plain(each) for each in expected]
    choices = row_choices(data)
    if not choices:
        raise NotApplicable("no input has an axis that could be the rows")
    for chosen in choices:
        for at, output in enumerate(outputs):
            yield form_of(case, data, chosen, at, output)


def plain(tensor: Any) -> np.ndarray:
    return numpy_helper.to_array(tensor) if isinstance(tensor, onnx.TensorProto) else np.asarray(tensor)


def row_choices(data: list[np.ndarray]) -> list[tuple[int, ...]]:
    """Which inputs hold rows: all that look like one of them, or that one alone."""
    found: list[tuple[int, ...]] = []
    for at, each in enumerate(data):
        if each.ndim == 0 or each.size == 0:
            continue
        alike = tuple(i for i, other in enumerate(data) if other.shape[:1] == each.shape[:1] and other.ndim == each.ndim)
        found += [choice for choice in (alike, (at,)) if choice not in found]
    return found


def form_of(case: Any, data: list[np.ndarray], chosen: tuple[int, ...], output: int, expected: np.ndarray) -> Form:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    inputs = list(graph.input)
    del graph.input[:]
    columns = []
    for at, (info, tensor) in enumerate(zip(inputs, data, strict=True)):
        if at not in chosen:
            graph.initializer.append(numpy_helper.from_array(tensor, info.name))
            continue
        dims = info.type.tensor_type.shape.dim
        dims[0].dim_param = "rows"
        graph.input.append(info)
        columns.append(cells(tensor))
    keep_output(graph, output, expected)
    model.ir_version = max(model.ir_version, 4)  # from then on initializers need not be inputs
    rows = [[cell for part in parts for cell in part] for parts in zip(*columns, strict=True)]
    if case.name in ROUNDED:
        expected = unrounded(case, data, expected)
    return Form(model.SerializeToString(), rows, expected, TOLERANCES[bool(operators(case.model) & LONG_SUMS)])


def unrounded(case: Any, data: list[np.ndarray], written: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {each.name: tensor for each, tensor in zip(session.get_inputs(), data, strict=True)})
    if np.abs(found - written).max() > 1e-4:
        raise NotApplicable("onnxruntime's answers are not those that are written")
    return found


def cells(tensor: np.ndarray) -> list[list[Any]]:
    flat = tensor.reshape(len(tensor), -1)
    if flat.dtype.kind in "OUS":
        return [[cell.decode() if isinstance(cell, bytes) else str(cell) for cell in row] for row in flat.tolist()]
    if flat.dtype.kind in "biu":
        return [[int(cell) for cell in row] for row in flat.tolist()]
    if flat.dtype.kind == "c":
        raise NotApplicable("complex numbers")
    flat = flat.astype(np.float64)
    if not np.isfinite(flat).all():
        raise NotApplicable("NaN is a missing value here and infinite values are refused")
    return flat.tolist()


def keep_output(graph: Any, at: int, expected: np.ndarray) -> None:
    """Only this output; integers and truth values as float64 numbers, or they might be taken for labels."""
    kept = onnx.ValueInfoProto()
    kept.CopyFrom(graph.output[at])
    del graph.output[:]
    if expected.dtype.kind in "biu":
        graph.node.append(helper.make_node("Cast", [kept.name], [CAST], to=TensorProto.DOUBLE))
        kept.name = CAST
        kept.type.tensor_type.elem_type = TensorProto.DOUBLE
    graph.output.append(kept)


def ask(conn: psycopg.Connection[Any], form: Form) -> dict[str, Any]:
    """The server's outputs for the rows; nothing stays behind."""
    with conn.transaction(force_rollback=True):
        try:
            pushed = smartpouch.push(form.model, "node", None, conn, progress=False)
            return server.ask_json(conn, f"node:{pushed.version}", form.rows)
        except smartpouch.ModelRefused as error:
            raise NotApplicable(re.sub(r"^ONNX operator (\w+): the operator", r"the operator \1", error.message)) from error


def compared(form: Form, got: dict[str, Any]) -> str:
    """What differs, or nothing."""
    # The axis of rows may be any that has their number, or a multiple of it: rows first, or elements first.
    tried = [each for axis in range(form.expected.ndim) for each in by_row(form.expected, axis, len(form.rows))]
    if not tried:
        return f"taken as {len(form.rows)} rows, but the output has the shape {form.expected.shape}"
    differences = [compared_rows(each, got, form.tolerance) for each in tried]
    return "" if "" in differences else differences[0]


def by_row(tensor: np.ndarray, axis: int, count: int) -> list[np.ndarray]:
    """The elements of each row, where the rows are in that axis."""
    size = tensor.shape[axis]
    if size % count:
        return []
    before, after = tensor.shape[:axis], tensor.shape[axis + 1:]
    rows_first = np.moveaxis(tensor.reshape(*before, count, size // count, *after), axis, 0)
    elements_first = np.moveaxis(tensor.reshape(*before, size // count, count, *after), axis + 1, 0)
    return [each.reshape(count, -1) for each in ([rows_first] if size == count else [rows_first, elements_first])]


def compared_rows(expected: np.ndarray, got: dict[str, Any], tolerance: float) -> str:
    """What differs from the elements of each row, or nothing."""
    count = len(expected)
    answers = got.get("value") or got.get("probabilities") or got.get("raw")
    if expected.dtype.kind in "OUS":
        answers = got.get("label")
        return "" if answers == [cell for row in cells(expected) for cell in row] else f"strings are {answers}"
    if answers is None:
        return f"the server answers {', '.join(got)} only"
    numbers = as_rows(answers, count)
    far = np.flatnonzero(apart(expected.astype(np.float64), numbers, tolerance, exact_kinds=False))
    if not far.size:
        return ""
    return f"row {far[0]} is {numbers[far[0]][:8].tolist()}, expected {expected[far[0]][:8].tolist()}"


def groups(cases_: list[tuple[str, str]]) -> list[tuple[str, int]]:
    """Reasons with the number of cases, numbers in them left out; the most frequent first."""
    return Counter(re.sub(r'"[^"]*"|-?\d+', "…", reason) for _, reason in cases_).most_common()


def show(outcomes: dict[str, list[tuple[str, str]]]) -> None:
    print("\nnot applicable, because")
    for reason, count in groups(outcomes["not applicable"]):
        print(f"{count:6}  {reason}")
    for name, reason in outcomes["FAILED"]:
        print(f"FAILED {name}: {reason}")
    print(f"\nONNX node tests: {len(outcomes['passed'])} passed, {len(outcomes['not applicable'])} not applicable, "
          f"{len(outcomes['FAILED'])} failed")


if __name__ == "__main__":
    sys.exit(main())
