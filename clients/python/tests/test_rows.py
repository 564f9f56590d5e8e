from __future__ import annotations

import json
import math
from typing import Any

import pytest

from smartpouch.errors import InvalidRows
from smartpouch.rows import category_codes, column_names, numeric, requests, spread, table, take, to_rows


def test_lists_stay_in_order() -> None:
    assert to_rows([[1, 2.5], [3, 4]]) == [[1, 2.5], [3, 4]]


def test_dictionaries_keep_their_names() -> None:
    assert to_rows([{"a": 1, "b": None}]) == [{"a": 1, "b": None}]


def test_missing_values_become_null() -> None:
    assert to_rows([[math.nan, None]]) == [[None, None]]


def test_text_and_truth_stay() -> None:
    assert to_rows([["red", True]]) == [["red", True]]


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinite_values_are_refused(value: float) -> None:
    with pytest.raises(InvalidRows, match="row 1, column 0"):
        to_rows([[0.0], [value]])


@pytest.mark.parametrize("rows", [5, "text", [1, 2]])
def test_a_single_row_or_number_is_no_table(rows: Any) -> None:
    with pytest.raises(InvalidRows):
        to_rows(rows)


def test_an_object_is_no_feature() -> None:
    with pytest.raises(InvalidRows, match="neither a number nor a string"):
        to_rows([[object()]])


def test_windows_are_flattened_channel_after_channel() -> None:
    assert to_rows([[[1, 2], [3, 4]]]) == [[1, 2, 3, 4]]


def test_numbers_survive_json() -> None:
    numbers = [0.1, 5e-324, 1.7976931348623157e308, 2**53 + 0.0]
    (request,) = requests(to_rows([numbers]))
    assert json.loads(request) == [numbers]


def test_requests_are_cut_by_cells() -> None:
    rows = to_rows([[0.0] * 1000] * 1200)
    sizes = [len(json.loads(request)) for request in requests(rows)]
    assert sizes == [500, 500, 200]


def test_no_rows_make_no_request() -> None:
    assert list(requests([])) == []


@pytest.mark.parametrize(("total", "wanted", "expected"), [(3, 5, [0, 1, 2]), (10, 2, [0, 5]), (4, 4, [0, 1, 2, 3])])
def test_spread(total: int, wanted: int, expected: list[int]) -> None:
    assert spread(total, wanted) == expected


def test_numpy() -> None:
    np = pytest.importorskip("numpy")
    array = np.array([[0.5, np.nan], [1, 2]], dtype=np.float32)
    assert to_rows(array) == [[0.5, None], [1.0, 2.0]]
    assert to_rows(list(array)) == [[0.5, None], [1.0, 2.0]]
    assert take(array, [1]).tolist() == [[1.0, 2.0]]


def test_pandas() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [pd.NA, 0.5]})
    assert column_names(frame) == ["a", "b", "c"]
    assert to_rows(frame)[0] == {"a": 1, "b": "x", "c": None}
    assert to_rows(frame, by_name=False)[1] == [2, None, 0.5]
    assert len(take(frame, [0, 1])) == 2


def test_categories_become_their_codes() -> None:
    pandas = pytest.importorskip("pandas")
    colours = pandas.Categorical(["red", None, "blue"], categories=["blue", "green", "red"])
    frame = pandas.DataFrame({"colour": colours, "size": [1.5, 2.5, math.nan]})
    assert to_rows(category_codes(frame), by_name=False) == [[2.0, 1.5], [None, 2.5], [0.0, None]]
    assert list(frame["colour"][:1]) == ["red"]
    assert to_rows(category_codes(frame, keep=[0]), by_name=False) == [["red", 1.5], [None, 2.5], ["blue", None]]


@pytest.mark.parametrize("rows", [[["red", 1]], [{"colour": "red"}]])
def test_rows_without_categories_stay(rows: Any) -> None:
    assert category_codes(rows) is rows


def test_polars() -> None:
    polars, np = pytest.importorskip("polars"), pytest.importorskip("numpy")
    frame = polars.DataFrame({"a": [1, None], "b": [0.5, float("nan")], "c": [True, False]})
    assert column_names(frame) == ["a", "b", "c"]
    assert to_rows(frame) == [{"a": 1, "b": 0.5, "c": True}, {"a": None, "b": None, "c": False}]
    assert to_rows(take(frame, [1]), by_name=False) == [[None, None, False]]
    assert np.asarray(numeric(frame)).tolist()[0] == [1, 0.5, 1]
    with pytest.raises(InvalidRows, match="column c of the polars data frame is String"):
        numeric(frame.with_columns(c=polars.lit("red")))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_series_is_one_column(library: str) -> None:
    series = pytest.importorskip(library).DataFrame({"size": [1.5, None]})["size"]
    assert to_rows(table(series)) == to_rows(series.to_frame()) == [{"size": 1.5}, {"size": None}]
    assert to_rows(series, by_name=False) == [[1.5], [None]]
