from __future__ import annotations

import math

import pytest

from smartpouch.answers import Answers, close, compare, golden_row, in_label_order, plain_label
from smartpouch.errors import ParityError


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        (1.0, 1.0 + 0.9e-5, True),
        (1.0, 1.0 + 2e-5, False),
        (1e6, 1e6 + 9, True),
        (math.nan, None, True),
        (math.inf, None, True),
        (1.0, None, False),
        (math.nan, 1.0, False),
    ],
)
def test_close(expected: float, got: float | None, same: bool) -> None:
    assert close(expected, got, 1e-5) is same


@pytest.mark.parametrize(("label", "text"), [(1.0, "1"), (2, "2"), ("a", "a"), (1.5, "1.5"), (True, "1")])
def test_labels_as_the_server_writes_them(label: object, text: str) -> None:
    assert plain_label(label) == text


def test_first_difference_is_named() -> None:
    with pytest.raises(ParityError) as caught:
        compare(Answers(value=[1.0, 2.0]), [{"value": 1.0}, {"value": 2.5}], 1e-5)
    assert (caught.value.row, caught.value.output, caught.value.expected, caught.value.got) == (1, "value", 2.0, 2.5)


def test_several_values() -> None:
    compare(Answers(value=[[1.0, 2.0]]), [{"value": [1.0, 2.0]}], 1e-5)
    with pytest.raises(ParityError):
        compare(Answers(value=[[1.0, 2.0]]), [{"value": [1.0]}], 1e-5)


def test_labels_may_differ_on_a_tie_only() -> None:
    got = [{"label": "b", "probabilities": [0.5, 0.5]}]
    compare(Answers(label=["a"], probabilities=[[0.5, 0.5]]), got, 1e-5)
    with pytest.raises(ParityError, match="label"):
        compare(Answers(label=["a"]), [{"label": "b"}], 1e-5)


def test_nothing_in_common_is_a_difference() -> None:
    with pytest.raises(ParityError):
        compare(Answers(value=[1.0]), [{"label": "a"}], 1e-5)


def test_probabilities_get_the_order_of_the_labels() -> None:
    answer = {"probabilities": {"a": 0.1, "b10": 0.2, "b9": 0.7}}
    assert in_label_order(answer, ["b9", "b10", "a"])["probabilities"] == [0.7, 0.2, 0.1]


def test_golden_rows_have_what_both_sides_have() -> None:
    expected = Answers(value=[math.nan], label=["a"], probabilities=[[0.25, 0.75]])
    assert golden_row(expected, {"value": None, "raw": [1]}, 0) == {"value": "NaN"}
    assert golden_row(expected, {"label": "a", "probabilities": [0.25, 0.75]}, 0) == {
        "label": "a",
        "probabilities": [0.25, 0.75],
    }


def test_golden_rows_leave_out_the_label_of_a_tie() -> None:
    assert golden_row(Answers(label=["a"], value=[1]), {"label": "b", "value": 1.0}, 0) == {"value": 1.0}
