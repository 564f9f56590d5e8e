"""Write one fixture folder: the model, its rows, the expected numbers, a description.

What: Expected collects what the source library answered; write_fixture() writes
rows.csv, expected.csv (and ort.csv) and fixture.json next to the model file and then
reads rows.csv back to make sure no number changed on the way.

Why: all fixtures have the same layout, whatever library made the model.
"""

import csv
import json
import math
import os
from dataclasses import dataclass

import numpy as np

FIXTURE_ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "data")


@dataclass
class Expected:
    """Answers for the rows; every part is None where the model does not give it."""

    truth: list
    label: list = None
    value: np.ndarray = None
    probabilities: np.ndarray = None
    raw: np.ndarray = None

    def table(self, with_truth=True):
        header, columns = [], []

        def add(name, column):
            header.append(name)
            columns.append([cell_text(value) for value in column])

        if with_truth:
            add("truth", self.truth)
        if self.label is not None:
            add("label", self.label)
        if self.value is not None:
            add("value", self.value)
        for prefix, matrix in (("p", self.probabilities), ("raw", self.raw)):
            if matrix is not None:
                matrix = np.asarray(matrix)
                matrix = matrix.reshape(len(matrix), -1)
                for k in range(matrix.shape[1]):
                    add(f"{prefix}_{k}", matrix[:, k])
        return header, list(zip(*columns))


def cell_text(value):
    """Shortest text that reads back to the same number; empty for a missing one."""
    if isinstance(value, (str, np.str_)):
        return str(value)
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if math.isnan(value):
        return ""
    if math.isinf(value):
        raise ValueError("an infinity has no place in a fixture")
    return str(value) if isinstance(value, np.float32) else repr(float(value))


def write_csv(path, header, lines):
    with open(path, "w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def check_rows(path, rows):
    with open(path, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))[1:]
    read = np.array([[float(cell) if cell else np.nan for cell in line] for line in lines])
    if not np.array_equal(read.astype(rows.dtype), rows, equal_nan=True):
        raise ValueError(f"{path} does not read back to the same numbers")


def fixture_folder(name):
    folder = os.path.join(FIXTURE_ROOT, name)
    os.makedirs(folder, exist_ok=True)
    return folder


def write_fixture(name, rows, expected, description, runtime_answers=None):
    """description must name the features; rows are float32 unless the model reads doubles."""
    folder = fixture_folder(name)
    rows_path = os.path.join(folder, "rows.csv")
    write_csv(rows_path, description["feature_names"], [[cell_text(v) for v in r] for r in rows])
    check_rows(rows_path, rows)
    write_csv(os.path.join(folder, "expected.csv"), *expected.table())
    if runtime_answers is not None:
        write_csv(os.path.join(folder, "ort.csv"), *runtime_answers.table(with_truth=False))
    with open(os.path.join(folder, "fixture.json"), "w", encoding="utf-8") as out:
        json.dump(dict(description, name=name, rows=len(rows)), out, indent=2)
        out.write("\n")
    print(name, {k: v for k, v in description.items() if k.startswith("heldout_")})


def accuracy(labels, truth):
    return round(float(np.mean([a == b for a, b in zip(labels, truth)])), 4)


def rmse(values, truth):
    return round(float(np.sqrt(np.mean((np.asarray(values) - np.asarray(truth)) ** 2))), 4)
